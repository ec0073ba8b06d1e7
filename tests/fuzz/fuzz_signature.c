/* fuzz_signature.c - any bytes as a signature file: it is refused, or what was read is whole. */
#include "abi/package.h"
#include "abi/trust.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_signature sig, again;
    hone_key key;
    hone_buf b;
    hone_arena_init(&arena, (size_t)64 << 20);
    hone_buf_init(&b, (size_t)64 << 20);
    if (hone_signature_parse((const char *)data, size, "input", &arena, &sig) == HONE_OK) {
        (void)hone_signature_check(&sig, "input");
        if (hone_signature_write(&sig, &b) == HONE_OK &&
            (hone_signature_parse(b.ptr, b.len, "output", &arena, &again) < 0 ||
             strcmp(again.ids, sig.ids) != 0 || memcmp(again.key, sig.key, 32) != 0))
            abort();
    }
    hone_buf_clear(&b);
    if (hone_key_parse((const char *)data, size, "input", &arena, &key) == HONE_OK &&
        hone_key_write(&key, &b) == HONE_OK &&
        hone_key_parse(b.ptr, b.len, "output", &arena, &key) < 0)
        abort();
    hone_buf_release(&b);
    hone_arena_release(&arena);
    return 0;
}
