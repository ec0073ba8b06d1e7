/* phrases.c - see phrases.h. */
#include "curate/phrases.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

struct hone_phrases {
    uint64_t *v[HONE_PHRASE_WORDS]; /* of each length, sorted */
    size_t n[HONE_PHRASE_WORDS], cap[HONE_PHRASE_WORDS];
};

static uint64_t hash_of(const hone_word *w, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ w[i].hash) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    return h;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static hone_status add(hone_phrases *p, const hone_words *w)
{
    if (w->n == 0)
        return HONE_OK;
    if (w->n > HONE_PHRASE_WORDS)
        return hone_fail(HONE_E_LIMIT, "a phrase has at most %d words", HONE_PHRASE_WORDS);
    const size_t k = w->n - 1;
    if (p->n[k] == p->cap[k]) {
        size_t cap = p->cap[k] ? 2 * p->cap[k] : 64;
        uint64_t *grown = hone_reallocarray(p->v[k], cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        p->v[k] = grown;
        p->cap[k] = cap;
    }
    p->v[k][p->n[k]++] = hash_of(w->v, w->n);
    return HONE_OK;
}

static hone_status read_lines(hone_phrases *p, hone_str text, const char *path)
{
    hone_words w;
    size_t line = 0;
    hone_status s = HONE_OK;
    hone_words_init(&w);
    for (size_t at = 0; s >= 0 && at < text.len;) {
        const char *from = text.ptr + at, *newline = memchr(from, '\n', text.len - at);
        const size_t n = newline ? (size_t)(newline - from) : text.len - at;
        line++;
        if (n && from[0] != '#') {
            s = hone_words_of(&w, (hone_str){from, n});
            if (s >= 0)
                s = add(p, &w);
            if (s < 0)
                hone_fail_at("%s:%zu", path, line);
        }
        at += n + 1;
    }
    hone_words_release(&w);
    return s;
}

hone_status hone_phrases_read(const char *path, hone_phrases **out)
{
    hone_buf text;
    hone_phrases *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    hone_buf_init(&text, MAX_FILE + 1);
    hone_status s = hone_file_read(path, MAX_FILE, &text);
    if (s >= 0)
        s = read_lines(p, hone_buf_str(&text), path);
    hone_buf_release(&text);
    size_t all = 0;
    for (size_t k = 0; k < HONE_PHRASE_WORDS; k++) {
        if (p->n[k])
            qsort(p->v[k], p->n[k], sizeof *p->v[k], by_value);
        all += p->n[k];
    }
    if (s >= 0 && !all)
        s = hone_fail(HONE_E_INVALID, "%s: no word stands there", path);
    if (s < 0) {
        hone_phrases_free(p);
        return s;
    }
    *out = p;
    return HONE_OK;
}

void hone_phrases_free(hone_phrases *p)
{
    if (!p)
        return;
    for (size_t k = 0; k < HONE_PHRASE_WORDS; k++)
        hone_free(p->v[k]);
    hone_free(p);
}

size_t hone_phrases_count(const hone_phrases *p, const hone_words *w)
{
    size_t found = 0;
    for (size_t k = 0; k < HONE_PHRASE_WORDS; k++)
        for (size_t i = 0; p->n[k] && i + k < w->n; i++) {
            const uint64_t h = hash_of(w->v + i, k + 1);
            found += bsearch(&h, p->v[k], p->n[k], sizeof h, by_value) != NULL;
        }
    return found;
}
