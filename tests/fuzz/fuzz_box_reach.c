/* fuzz_box_reach.c - what a box asks its host for: whatever it writes, the host answers or says which rule was broken.
 *
 * The first byte chooses: 0 to 249 a genuine call-back of wire_cases.h whose bytes are changed, 10 bytes of input a change, as
 * in fuzz_wire.c; above, the rest of the input is the question itself: its kind, its number (2 bytes), its bytes. */
#include "box_cases.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static void change(void *ctx, int result, unsigned char *bytes, size_t len)
{
    const struct input *in = ctx;
    (void)result;
    for (size_t i = 1; i + 10 <= in->size; i += 10) {
        const uint8_t *p = in->data + i;
        size_t at = (size_t)(p[0] | p[1] << 8) % len, n = (p[2] & 7) + 1u;
        for (size_t k = 0; k < n && at + k < len; k++)
            bytes[at + k] = k < 7 ? p[3 + k] : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static box_host host;
    struct input in = {data, size};
    box_case c = {.w = {.spoil = change, .ctx = &in}, .h = &host};
    if (!host.reg)
        box_open(&host);
    if (size < 4)
        return 0;
    if (data[0] < 250) {
        box_case_run(&c, data[0]);
        return 0;
    }
    (void)box_number(&host, NULL); /* number 0 is there */
    (void)box_ask(&host, data[1] % 5, (uint32_t)(data[2] | data[3] << 8), data + 4, size - 4);
    return 0;
}
