/* norm.c - NFC, keeping where each byte comes from.
 *
 * Most text is composed already. Characters that are starters, decompose to themselves and never
 * join what stands before them ("inert": all below U+0300, kana, unified ideographs, composed Hangul) are
 * copied; a run of others is taken together with the inert one before it and normalised grapheme by
 * grapheme, so that a token's place is known to the grapheme. Ill-formed bytes are copied. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static int inert(uint32_t c)
{
    return c < 0x300 || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0x3041 && c <= 0x3096) ||
           (c >= 0x30A1 && c <= 0x30FA) || (c >= 0xAC00 && c <= 0xD7A3) || c == UINT32_MAX ||
           (c >= 0x400 && c <= 0x481) || (c >= 0x2010 && c <= 0x2027) ||
           (c >= 0x1F300 && c <= 0x1FAFF);
}

static int emit(bpe_work *w, const void *p, size_t n, size_t begin, size_t end, int map)
{
    bpe_text *t = &w->norm;
    if (!bpe_vec_room(w->mem, &t->bytes, n, 1))
        return 0;
    memcpy((char *)t->bytes.v + t->bytes.n, p, n);
    t->bytes.n += n;
    if (!map)
        return 1;
    if (!bpe_vec_room(w->mem, &t->from, n, sizeof(uint32_t)) ||
        !bpe_vec_room(w->mem, &t->to, n, sizeof(uint32_t)))
        return 0;
    for (size_t i = 0; i < n; i++) {
        int exact = end - begin == n;
        ((uint32_t *)t->from.v)[t->from.n++] = (uint32_t)(exact ? begin + i : begin);
        ((uint32_t *)t->to.v)[t->to.n++] = (uint32_t)(exact ? begin + i + 1 : end);
    }
    return 1;
}

/* One grapheme cluster. */
static int compose(bpe_work *w, const unsigned char *text, size_t begin, size_t end, int map,
                   int *same)
{
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n = utf8proc_map(text + begin, (utf8proc_ssize_t)(end - begin), &out,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    int ok;
    if (n < 0) {
        ok = n != UTF8PROC_ERROR_NOMEM && emit(w, text + begin, end - begin, begin, end, map);
    } else if ((size_t)n == end - begin && memcmp(out, text + begin, (size_t)n) == 0) {
        ok = emit(w, text + begin, end - begin, begin, end, map);
    } else {
        *same = 0;
        /* the same length by chance is no reason to map byte to byte */
        ok = 1;
        for (utf8proc_ssize_t i = 0; i < n && ok; i++) {
            size_t before = w->norm.from.n;
            ok = emit(w, out + i, 1, begin, end, map);
            if (ok && map) {
                ((uint32_t *)w->norm.from.v)[before] = (uint32_t)begin;
                ((uint32_t *)w->norm.to.v)[before] = (uint32_t)end;
            }
        }
    }
    free(out);
    return ok;
}

static int compose_run(bpe_work *w, const unsigned char *text, size_t begin, size_t end, int map,
                       int *same)
{
    utf8proc_int32_t state = 0;
    uint32_t len, before = UINT32_MAX;
    size_t first = begin;
    for (size_t i = begin; i < end; i += len) {
        uint32_t c = bpe_decode_char(text + i, end - i, &len);
        if (i > begin && (c == UINT32_MAX || before == UINT32_MAX ||
                          utf8proc_grapheme_break_stateful((utf8proc_int32_t)before,
                                                           (utf8proc_int32_t)c, &state))) {
            if (!compose(w, text, first, i, map, same))
                return 0;
            first = i;
        }
        before = c;
    }
    return first == end || compose(w, text, first, end, map, same);
}

hone_status bpe_nfc(bpe_work *w, const unsigned char *text, size_t n, int map, int *same)
{
    size_t i = 0;
    bpe_text_clear(&w->norm);
    *same = 1;
    while (i < n && text[i] < 0x80)
        i++;
    if (i == n)
        return HONE_OK;
    size_t done = 0, before = 0; /* copied so far; where the last inert character began */
    for (i = 0; i < n;) {
        uint32_t len;
        uint32_t c = bpe_decode_char(text + i, n - i, &len);
        if (inert(c)) {
            before = i;
            i += len;
            continue;
        }
        if (before < done)
            before = done;
        size_t end = i;
        while (end < n && !inert(c)) {
            end += len;
            if (end < n)
                c = bpe_decode_char(text + end, n - end, &len);
        }
        if ((before > done && !emit(w, text + done, before - done, done, before, map)) ||
            !compose_run(w, text, before, end, map, same))
            return HONE_E_NOMEM;
        done = before = i = end;
    }
    if (done < n && !emit(w, text + done, n - done, done, n, map))
        return HONE_E_NOMEM;
    return HONE_OK;
}

int bpe_nfc_str(bpe_arena *a, hone_str in, hone_str *out)
{
    utf8proc_uint8_t *p = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)in.ptr, (utf8proc_ssize_t)in.len,
                                      &p, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n == UTF8PROC_ERROR_NOMEM)
        return 0;
    *out = n < 0 ? in : bpe_arena_str(a, (const char *)p, (size_t)n);
    free(p);
    return out->ptr != NULL;
}
