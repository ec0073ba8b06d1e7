/* fuzz_wire.c - calls and results that come over a border: whatever the bytes, no byte outside them is read.
 *
 * The input is a list of changes to a genuine call (and its result), so that the fuzzer need not invent one: the first byte
 * chooses the call, then 10 bytes each: where (2), how many bytes (1), in the call or the result (bit 7), what (7). */
#include "wire_cases.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static void change(void *ctx, int result, unsigned char *bytes, size_t len)
{
    const struct input *in = ctx;
    for (size_t i = 1; i + 10 <= in->size; i += 10) {
        const uint8_t *p = in->data + i;
        size_t at = (size_t)(p[0] | p[1] << 8) % len, n = (p[2] & 7) + 1u;
        if ((p[2] >> 7) != result)
            continue;
        for (size_t k = 0; k < n && at + k < len; k++)
            bytes[at + k] = k < 7 ? p[3 + k] : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    wire_case w = {.spoil = change, .ctx = &in};
    if (size)
        wire_case_run(&w, data[0]);
    return 0;
}
