/* text.c - a text under rewriting rules, each byte with the place in the original that it stands for.
 *
 * Rules (normalizers, pre-tokenizers that change text) read one bpe_text and write another; the places
 * are carried along, so that a token's offsets are those of the text as the caller wrote it however
 * many rules there were. Places never go backwards. */
#include "bpe.h"

#include <string.h>

void bpe_text_clear(bpe_text *t)
{
    t->bytes.n = t->from.n = t->to.n = 0;
}

void bpe_text_release(const bpe_mem *m, bpe_text *t)
{
    bpe_free(m, t->bytes.v);
    bpe_free(m, t->from.v);
    bpe_free(m, t->to.v);
    memset(t, 0, sizeof *t);
}

static int room(const bpe_mem *m, bpe_text *t, size_t n)
{
    if (t->most && n > t->most - (t->bytes.n < t->most ? t->bytes.n : t->most))
        return 0;
    return bpe_vec_room(m, &t->bytes, n, 1) && bpe_vec_room(m, &t->from, n, sizeof(uint32_t)) &&
           bpe_vec_room(m, &t->to, n, sizeof(uint32_t));
}

int bpe_text_init(const bpe_mem *m, bpe_text *out, const void *p, size_t n)
{
    bpe_text_clear(out);
    if (!room(m, out, n))
        return 0;
    if (n)
        memcpy(out->bytes.v, p, n);
    uint32_t *from = out->from.v, *to = out->to.v;
    for (size_t i = 0; i < n; i++) {
        from[i] = (uint32_t)i;
        to[i] = (uint32_t)i + 1;
    }
    out->bytes.n = out->from.n = out->to.n = n;
    return 1;
}

int bpe_text_copy(const bpe_mem *m, bpe_text *out, const bpe_text *in, size_t a, size_t b)
{
    size_t n = b - a;
    if (n == 0)
        return 1;
    if (!room(m, out, n))
        return 0;
    memcpy((char *)out->bytes.v + out->bytes.n, (const char *)in->bytes.v + a, n);
    memcpy((uint32_t *)out->from.v + out->from.n, (const uint32_t *)in->from.v + a, n * 4);
    memcpy((uint32_t *)out->to.v + out->to.n, (const uint32_t *)in->to.v + a, n * 4);
    out->bytes.n = out->from.n = out->to.n = out->bytes.n + n;
    return 1;
}

int bpe_text_put(const bpe_mem *m, bpe_text *out, const bpe_text *in, const void *p, size_t n,
                 size_t a, size_t b)
{
    const uint32_t *from = in->from.v, *to = in->to.v;
    size_t len = in->bytes.n;
    uint32_t begin = a < len ? from[a] : len ? to[len - 1] : 0, end = b > a ? to[b - 1] : begin;
    if (n == 0)
        return 1;
    if (!room(m, out, n))
        return 0;
    memcpy((char *)out->bytes.v + out->bytes.n, p, n);
    for (size_t i = 0; i < n; i++) {
        ((uint32_t *)out->from.v)[out->from.n + i] = begin;
        ((uint32_t *)out->to.v)[out->to.n + i] = end;
    }
    out->bytes.n = out->from.n = out->to.n = out->bytes.n + n;
    return 1;
}
