/* fuzz_json.c - any bytes as JSON: what is accepted must be written and read back equal. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_value value, again;
    hone_buf text;
    hone_jw w;
    hone_arena_init(&arena, (size_t)256 << 20);
    hone_buf_init(&text, (size_t)64 << 20);
    if (hone_json_parse((const char *)data, size, "input", &arena, &value) == HONE_OK) {
        hone_jw_init(&w, &text, (int)(size % 3));
        hone_jw_value(&w, &value);
        if (text.failed == HONE_OK &&
            (hone_json_parse(text.ptr, text.len, "output", &arena, &again) < 0 ||
             !hone_value_equal(&value, &again)))
            abort();
    }
    hone_buf_release(&text);
    hone_arena_release(&arena);
    return 0;
}
