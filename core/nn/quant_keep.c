/* quant_keep.c - see quant_keep.h. Layouts of files are those of dequant.c. */
#include "nn/quant_keep.h"

#include "nn/quant.h"

#include <math.h>
#include <string.h>

uint32_t hone_quant_keeps(uint32_t file_type)
{
    switch (file_type) {
    case HONE_FT_Q8_0:
    case HONE_FT_Q5_0:
    case HONE_FT_IQ4_NL:
        return HONE_Q8_0;
    case HONE_FT_Q4_0:
        return HONE_Q4_0;
    case HONE_FT_Q4_1:
        return HONE_Q4_1;
    case HONE_FT_Q4_K:
        return HONE_Q4_K;
    default:
        return 0;
    }
}

uint32_t hone_quant_storage_for(uint32_t storage, int64_t cols)
{
    const hone_storage *s = hone_storage_get(storage);
    if (!s->put || cols % s->block == 0)
        return storage;
    uint32_t t = hone_file_type_for_rows(hone_file_type_named(s->name), cols)->id;
    return t == HONE_FT_F16 ? HONE_F16 : hone_quant_keeps(t);
}

static uint16_t half_at(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* 16 bytes: code i in the low half, i + 16 in the high one. */
static void halves(const unsigned char *restrict p, int8_t *restrict q)
{
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)(p[i] & 15);
        q[i + 16] = (int8_t)(p[i] >> 4);
    }
}

static void read_q4_k(const unsigned char *restrict p, hone_quant_block *restrict out)
{
    out->d = half_at(p);
    out->m = half_at(p + 2);
    p += 4;
    for (int j = 0; j < 8;
         j++) { /* pairs of 6 bits: the last four in the spare bits of the first */
        out->scale[j] = (uint8_t)(j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4);
        out->min[j] = (uint8_t)(j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4);
    }
    p += 12;
    for (int8_t *q = out->q; q < out->q + 256; q += 64, p += 32)
        for (int i = 0; i < 32; i++) {
            q[i] = (int8_t)(p[i] & 15);
            q[i + 32] = (int8_t)(p[i] >> 4);
        }
}

void hone_quant_block_read(uint32_t file_type, const unsigned char *src, hone_quant_block *out)
{
    if (file_type == HONE_FT_Q4_K) {
        read_q4_k(src, out);
        return;
    }
    out->d = half_at(src);
    switch (file_type) {
    case HONE_FT_Q8_0:
        memcpy(out->q, src + 2, 32);
        break;
    case HONE_FT_Q5_0:
        halves(src + 6, out->q);
        for (int i = 0; i < 32; i++)
            out->q[i] = (int8_t)((out->q[i] | (src[2 + i / 8] >> i % 8 & 1) << 4) - 16);
        break;
    case HONE_FT_IQ4_NL:
        halves(src + 2, out->q);
        for (int i = 0; i < 32; i++)
            out->q[i] = hone__iq4_values[out->q[i]];
        break;
    case HONE_FT_Q4_0:
        halves(src + 2, out->q);
        break;
    default: /* HONE_FT_Q4_1 */
        out->m = half_at(src + 2);
        halves(src + 4, out->q);
    }
}

int64_t hone_quant_put_values(const hone_storage *s, const float *values, int64_t n, int64_t lane,
                              void *panel)
{
    const hone_file_type *t = hone_file_type_named(s->name);
    unsigned char bytes[HONE_FILE_BLOCK_MAX];
    hone_quant_block block;
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(values[i]) <= HONE_QUANT_MAX))
            return i;
    for (int64_t b = 0; b < n / s->block; b++) {
        t->narrow(values + b * s->block, bytes, 1);
        hone_quant_block_read(t->id, bytes, &block);
        s->put(&block, b, lane, panel);
    }
    return -1;
}
