/* fuzz_lock.c - any bytes as a lock file: it is refused, or what was read is whole. */
#include "abi/package.h"
#include "abi/trust.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_lock lock, again;
    hone_trust trust;
    hone_buf b;
    hone_arena_init(&arena, (size_t)64 << 20);
    hone_buf_init(&b, (size_t)64 << 20);
    if (hone_lock_parse((const char *)data, size, "input", &arena, &lock) == HONE_OK &&
        hone_lock_write(&lock, &b) == HONE_OK &&
        (hone_lock_parse(b.ptr, b.len, "output", &arena, &again) < 0 || again.n != lock.n))
        abort();
    memset(&trust, 0, sizeof trust);
    hone_arena_init(&trust.arena, (size_t)64 << 20);
    (void)hone_trust_parse((const char *)data, size, "input", &trust);
    hone_trust_release(&trust);
    hone_buf_release(&b);
    hone_arena_release(&arena);
    return 0;
}
