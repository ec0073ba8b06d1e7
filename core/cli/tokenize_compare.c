/* tokenize_compare.c - `hone tokenize --compare A B`: where two tokenizers differ on a text.
 *
 * Tokens are compared by the bytes of the text they stand for, line by line: a stretch between two places
 * where both cut, and cut differently within, is one difference. Vocabularies number as they like, so ids are
 * compared only to say on how many lines they are equal. Differences are counted by their text and shown
 * with the most frequent first. */
#include "cli/tokenize.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 20, LONGEST = 200 };

typedef struct difference {
    hone_str text;
    char *cuts[2];      /* the pieces, with | between */
    size_t count, line; /* line: where it was first seen */
} difference;
typedef struct comparison {
    const hone_tokenizer *t[2];
    size_t tokens[2], bytes, lines, differing, same_ids;
    hone_map seen; /* text -> index + 1 */
    difference *v;
    size_t n, cap, stretches;
} comparison;

/* The pieces of tokens [from, to) of a line, | between them. */
static char *pieces(hone_str line, const hone_tokens *t, size_t from, size_t to)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    for (size_t i = from; i < to && b.len < LONGEST; i++) {
        if (i > from)
            hone_buf_addc(&b, '|');
        hone_buf_add(&b, line.ptr + t->spans[i].begin, t->spans[i].end - t->spans[i].begin);
    }
    hone_buf_addc(&b, 0);
    if (b.failed < 0) {
        hone_buf_release(&b);
        return NULL;
    }
    return hone_buf_detach(&b, NULL);
}

static hone_status note(comparison *c, hone_str line, const hone_tokens *t, const size_t *from,
                        const size_t *to, size_t begin, size_t end)
{
    hone_str text = {line.ptr + begin, end - begin < LONGEST ? end - begin : LONGEST};
    c->stretches++;
    size_t at = (size_t)(uintptr_t)hone_map_get(&c->seen, text.ptr, text.len);
    if (at) {
        c->v[at - 1].count++;
        return HONE_OK;
    }
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        difference *p = hone_reallocarray(c->v, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        c->v = p;
        c->cap = cap;
    }
    difference *d = &c->v[c->n++];
    memset(d, 0, sizeof *d);
    d->text = text;
    d->count = 1;
    d->line = c->lines;
    for (int k = 0; k < 2; k++)
        d->cuts[k] = pieces(line, &t[k], from[k], to[k]);
    if (!d->cuts[0] || !d->cuts[1])
        return HONE_E_NOMEM;
    return hone_map_put(&c->seen, text.ptr, text.len, (void *)(uintptr_t)c->n, NULL);
}

/* Where token i begins; behind the last, the line's end. */
static size_t place(const hone_tokens *t, size_t i, size_t len)
{
    return i < t->n ? t->spans[i].begin : len;
}

/* Both step on, and then the one that is behind, until both cut at one place (at last the line's end). */
static hone_status stretches(comparison *c, hone_str line, const hone_tokens *t)
{
    size_t i[2] = {0, 0}, begin = 0;
    while (i[0] < t[0].n || i[1] < t[1].n) {
        size_t to[2], at[2];
        for (int k = 0; k < 2; k++) {
            to[k] = i[k] < t[k].n ? i[k] + 1 : i[k];
            at[k] = place(&t[k], to[k], line.len);
        }
        while (at[0] != at[1]) {
            int k = at[0] < at[1] ? 0 : 1;
            at[k] = place(&t[k], ++to[k], line.len);
        }
        int same = to[0] - i[0] == to[1] - i[1];
        for (size_t k = 0; same && k < to[0] - i[0]; k++)
            same = t[0].spans[i[0] + k].begin == t[1].spans[i[1] + k].begin;
        if (!same)
            HONE_TRY(note(c, line, t, i, to, begin, at[0]));
        begin = at[0];
        i[0] = to[0];
        i[1] = to[1];
    }
    return HONE_OK;
}

/* Tokens that stand for nothing of the text (a space put in front) cut nothing. */
static void drop_empty(hone_tokens *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->spans[i].begin < t->spans[i].end)
            t->spans[n++] = t->spans[i];
    t->n = n;
}

static hone_status one_line(comparison *c, hone_str line, uint32_t flags)
{
    hone_tokens t[2];
    hone_status s = HONE_OK;
    size_t before = c->stretches;
    c->lines++;
    c->bytes += line.len;
    for (int k = 0; k < 2; k++)
        hone_tokens_init(&t[k], HONE_TOKENS_SPANS);
    for (int k = 0; s >= 0 && k < 2; k++) {
        s = hone_tokenizer_encode(c->t[k], line, flags, &t[k]);
        c->tokens[k] += t[k].n;
    }
    c->same_ids += t[0].n == t[1].n &&
                   (t[0].n == 0 || memcmp(t[0].ids, t[1].ids, t[0].n * sizeof *t[0].ids) == 0);
    drop_empty(&t[0]);
    drop_empty(&t[1]);
    if (s >= 0)
        s = stretches(c, line, t);
    c->differing += c->stretches != before;
    for (int k = 0; k < 2; k++)
        hone_tokens_release(&t[k]);
    return s < 0 ? hone_fail_at("stdin:%zu", c->lines) : HONE_OK;
}

static int by_count(const void *a, const void *b)
{
    const difference *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->line > y->line) - (x->line < y->line);
}

static double rate(const comparison *c, int k)
{
    return c->bytes ? (double)c->tokens[k] / (double)c->bytes : 0;
}

static void write_json(const comparison *c, const char *const *names, hone_buf *out)
{
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "bytes", (int64_t)c->bytes);
    hone_jw_ki64(&w, "lines", (int64_t)c->lines);
    for (int k = 0; k < 2; k++) {
        hone_jw_key(&w, k ? "b" : "a");
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "name", names[k]);
        hone_jw_ki64(&w, "vocab_size", c->t[k]->vocab_size);
        hone_jw_ki64(&w, "tokens", (int64_t)c->tokens[k]);
        hone_jw_kf64(&w, "tokens_per_byte", rate(c, k));
        hone_jw_end(&w);
    }
    hone_jw_ki64(&w, "lines_differing", (int64_t)c->differing);
    hone_jw_ki64(&w, "lines_with_equal_ids", (int64_t)c->same_ids);
    hone_jw_ki64(&w, "differences", (int64_t)c->stretches);
    hone_jw_ki64(&w, "distinct", (int64_t)c->n);
    hone_jw_key(&w, "most_frequent");
    hone_jw_list(&w);
    for (size_t i = 0; i < c->n && i < SHOWN; i++) {
        hone_jw_map(&w);
        hone_jw_kstr(&w, "text", c->v[i].text);
        hone_jw_ki64(&w, "count", (int64_t)c->v[i].count);
        hone_jw_ki64(&w, "line", (int64_t)c->v[i].line);
        hone_jw_kcstr(&w, "a", c->v[i].cuts[0]);
        hone_jw_kcstr(&w, "b", c->v[i].cuts[1]);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
}

static void write_text(const comparison *c, const char *const *names, hone_buf *out)
{
    for (int k = 0; k < 2; k++)
        hone_buf_addf(out, "%s %-40s %9d entries %10zu tokens  %.4f tokens a byte\n", k ? "B" : "A",
                      names[k], c->t[k]->vocab_size, c->tokens[k], rate(c, k));
    hone_buf_addf(out,
                  "%zu bytes in %zu lines: %zu differ, in %zu places (%zu distinct); ids are equal "
                  "in %zu lines\n",
                  c->bytes, c->lines, c->differing, c->stretches, c->n, c->same_ids);
    for (size_t i = 0; i < c->n && i < SHOWN; i++) {
        hone_jw w;
        hone_buf_addf(out, "%7zu x  line %-6zu A ", c->v[i].count, c->v[i].line);
        for (int k = 0; k < 2; k++) { /* as JSON texts: no control character reaches a terminal */
            if (k)
                hone_buf_adds(out, "   B ");
            hone_jw_init(&w, out, 0);
            hone_jw_str(&w, hone_str_c(c->v[i].cuts[k]));
        }
        hone_buf_addc(out, '\n');
    }
}

hone_status hone__tokenize_compare(const hone_tokenizer *a, const hone_tokenizer *b,
                                   const char *const *names, hone_str text, uint32_t flags,
                                   int json)
{
    comparison c = {.t = {a, b}};
    hone_buf out;
    hone_status s = HONE_OK;
    hone_map_init(&c.seen);
    hone_buf_init(&out, 1 << 24);
    for (size_t at = 0; s >= 0 && at < text.len;) {
        const char *p = text.ptr + at, *end = memchr(p, '\n', text.len - at);
        hone_str line = {p, end ? (size_t)(end - p) : text.len - at};
        at += line.len + (end != NULL);
        s = one_line(&c, line, flags);
    }
    if (s >= 0) {
        if (c.n)
            qsort(c.v, c.n, sizeof *c.v, by_count);
        if (json)
            write_json(&c, names, &out);
        else
            write_text(&c, names, &out);
        s = hone_buf_check(&out, "the comparison");
    }
    if (s >= 0)
        fwrite(out.ptr, 1, out.len, stdout);
    for (size_t i = 0; i < c.n; i++) {
        hone_free(c.v[i].cuts[0]);
        hone_free(c.v[i].cuts[1]);
    }
    hone_free(c.v);
    hone_map_release(&c.seen);
    hone_buf_release(&out);
    return s;
}
