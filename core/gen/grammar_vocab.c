/* grammar_vocab.c - the tokens of a vocabulary in the order of their bytes, each with what it shares with the one before.
 *
 * Walking this list is walking the trie of the tokens, depth first, without the trie: the first `shared` bytes of a token
 * need not be followed again, and where they led out of the grammar the token is out too. */
#include "gen/grammar_vocab.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
    const hone__vtoken *x = a, *y = b;
    const size_t n = x->len < y->len ? x->len : y->len;
    const int c = n ? memcmp(x->bytes, y->bytes, n) : 0;
    if (c)
        return c;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

hone_status hone_vocab_from(const hone_str *bytes, size_t n, hone_vocab **out)
{
    size_t total = 0, at = 0;
    if (n > INT32_MAX)
        return hone_fail(HONE_E_LIMIT, "a vocabulary of %zu tokens", n);
    for (size_t i = 0; i < n; i++)
        if (!hone_add_size(total, bytes[i].len, &total) || total > UINT32_MAX)
            return hone_fail(HONE_E_LIMIT, "a vocabulary of more than 4 GB");
    hone_vocab *v = hone_calloc(1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    v->n_ids = n;
    v->data = hone_alloc(total + 1);
    v->tokens = hone_calloc(n + 1, sizeof *v->tokens);
    v->place = hone_calloc(n + 1, sizeof *v->place);
    if (!v->data || !v->tokens || !v->place) {
        hone_vocab_destroy(v);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (!bytes[i].len)
            continue;
        memcpy(v->data + at, bytes[i].ptr, bytes[i].len);
        v->tokens[v->n++] = (hone__vtoken){.bytes = (const uint8_t *)v->data + at,
                                           .len = (uint32_t)bytes[i].len,
                                           .id = (int32_t)i};
        at += bytes[i].len;
        v->longest = bytes[i].len > v->longest ? bytes[i].len : v->longest;
    }
    if (v->n > 1)
        qsort(v->tokens, v->n, sizeof *v->tokens, by_bytes);
    for (size_t i = 0; i < v->n; i++) {
        v->place[v->tokens[i].id] = (uint32_t)i + 1;
        if (i == 0)
            continue;
        const hone__vtoken *a = &v->tokens[i - 1];
        hone__vtoken *b = &v->tokens[i];
        while (b->shared < a->len && b->shared < b->len &&
               a->bytes[b->shared] == b->bytes[b->shared])
            b->shared++;
    }
    *out = v;
    return HONE_OK;
}

hone_status hone_vocab_create(const hone_tokenizer *t, hone_vocab **out)
{
    const size_t n = (size_t)t->vocab_size;
    hone_str *bytes = hone_calloc(n + 1, sizeof *bytes);
    if (!bytes)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!hone_tokenizer_is_special(t, (int32_t)i))
            bytes[i] = hone_tokenizer_token_bytes(t, (int32_t)i);
    const hone_status s = hone_vocab_from(bytes, n, out);
    hone_free(bytes);
    return s;
}

void hone_vocab_destroy(hone_vocab *v)
{
    if (!v)
        return;
    hone_free(v->data);
    hone_free(v->tokens);
    hone_free(v->place);
    hone_free(v);
}

size_t hone_vocab_size(const hone_vocab *v)
{
    return v->n_ids;
}

hone_str hone_vocab_bytes(const hone_vocab *v, int32_t id)
{
    if (id < 0 || (size_t)id >= v->n_ids || !v->place[id])
        return (hone_str){NULL, 0};
    const hone__vtoken *t = &v->tokens[v->place[id] - 1];
    return (hone_str){(const char *)t->bytes, t->len};
}
