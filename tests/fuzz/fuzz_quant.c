/* fuzz_quant.c - any floats can be encoded in every block type, and what was encoded decodes; finite values of
 * a size that scales can hold come back finite. */
#include "nn/dequant.h"
#include "nn/quant.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float x[256] = {0}, y[256];
    unsigned char block[512];
    int tame = 1;
    if (size < 1)
        return 0;
    const hone_file_type *t = hone_file_type_get(data[0] % HONE_FT_COUNT);
    memcpy(x, data + 1, size - 1 < sizeof x ? size - 1 : sizeof x);
    for (int i = 0; i < 256; i++)
        tame &= fabsf(x[i]) <= 1000.0f;
    if (!t->narrow || t->block < 2)
        return 0;
    t->narrow(x, block, 256 / t->block);
    t->widen(block, y, 256 / t->block);
    for (int i = 0; tame && i < 256; i++)
        if (!isfinite(y[i]))
            __builtin_trap();
    return 0;
}
