/* changes.c - see changes.h.
 *
 * The lines of two texts are compared by their longest common subsequence, which is quadratic: beyond LINES lines that are
 * not equal at the beginning or end a text counts as wholly replaced. */
#include "judge/changes.h"

#include "base/alloc.h"
#include "judge/data.h"

#include <stdio.h>
#include <string.h>

enum { LINES = 2000, PLACE = 512 };

struct walk {
    hone_buf *out; /* text, or NULL */
    hone_jw *w;    /* JSON, or NULL */
    hone_arena arena;
    char place[PLACE];
};

typedef struct lines {
    hone_str *v;
    size_t n;
} lines;

static hone_status split(hone_arena *a, hone_str s, lines *out)
{
    size_t n = 1;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    out->v = hone_arena_calloc(a, n, sizeof *out->v);
    if (!out->v)
        return HONE_E_NOMEM;
    out->n = 0;
    size_t from = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '\n')
            continue;
        out->v[out->n++] = (hone_str){s.ptr + from, i - from};
        from = i + 1;
    }
    return HONE_OK;
}

/* keep_a[i], keep_b[k]: the lines of the longest common subsequence. */
static hone_status common(hone_arena *a, const lines *x, const lines *y, char *keep_x, char *keep_y)
{
    size_t head = 0, tail = 0;
    while (head < x->n && head < y->n && hone_str_same(x->v[head], y->v[head])) {
        keep_x[head] = keep_y[head] = 1;
        head++;
    }
    while (tail < x->n - head && tail < y->n - head &&
           hone_str_same(x->v[x->n - 1 - tail], y->v[y->n - 1 - tail])) {
        keep_x[x->n - 1 - tail] = keep_y[y->n - 1 - tail] = 1;
        tail++;
    }
    const size_t n = x->n - head - tail, m = y->n - head - tail;
    if (!n || !m || n > LINES || m > LINES)
        return HONE_OK;
    uint16_t *best = hone_arena_calloc(a, (n + 1) * (m + 1), sizeof *best);
    if (!best)
        return HONE_E_NOMEM;
    for (size_t i = n; i-- > 0;)
        for (size_t k = m; k-- > 0;) {
            const uint16_t down = best[(i + 1) * (m + 1) + k], right = best[i * (m + 1) + k + 1];
            best[i * (m + 1) + k] = hone_str_same(x->v[head + i], y->v[head + k])
                                        ? (uint16_t)(best[(i + 1) * (m + 1) + k + 1] + 1)
                                    : down > right ? down
                                                   : right;
        }
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (hone_str_same(x->v[head + i], y->v[head + k]))
            keep_x[head + i++] = keep_y[head + k++] = 1;
        else if (best[(i + 1) * (m + 1) + k] >= best[i * (m + 1) + k + 1])
            i++;
        else
            k++;
    }
    return HONE_OK;
}

static hone_status tell_lines(struct walk *k, const lines *x, const lines *y, const char *keep_x,
                              const char *keep_y)
{
    if (k->w) {
        hone_jw_map(k->w);
        hone_jw_key(k->w, "place");
        hone_jw_cstr(k->w, k->place);
        hone_jw_key(k->w, "removed");
        hone_jw_list(k->w);
        for (size_t i = 0; i < x->n; i++)
            if (!keep_x[i])
                hone_jw_str(k->w, x->v[i]);
        hone_jw_end(k->w);
        hone_jw_key(k->w, "added");
        hone_jw_list(k->w);
        for (size_t i = 0; i < y->n; i++)
            if (!keep_y[i])
                hone_jw_str(k->w, y->v[i]);
        hone_jw_end(k->w);
        hone_jw_end(k->w);
        return HONE_OK;
    }
    hone_buf_addf(k->out, "%s\n", k->place[0] ? k->place : "(all of it)");
    for (size_t i = 0; i < x->n; i++)
        if (!keep_x[i])
            hone_buf_addf(k->out, "  - %.*s\n", (int)x->v[i].len, x->v[i].ptr);
    for (size_t i = 0; i < y->n; i++)
        if (!keep_y[i])
            hone_buf_addf(k->out, "  + %.*s\n", (int)y->v[i].len, y->v[i].ptr);
    return hone_buf_check(k->out, "changes");
}

/* What a value is in the list of changes: a text by its lines, all else as JSON; NULL has none. */
static hone_status as_lines(struct walk *k, const hone_value *v, lines *out)
{
    *out = (lines){NULL, 0};
    if (!v)
        return HONE_OK;
    if (v->type == HONE_STRING)
        return split(&k->arena, v->u.str, out);
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_data_canonical(&w, v);
    hone_status s = hone_buf_check(&b, "changes");
    if (s >= 0) {
        hone_str text = hone_arena_str(&k->arena, hone_buf_str(&b));
        s = text.ptr ? split(&k->arena, text, out) : HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    return s;
}

static hone_status tell(struct walk *k, const hone_value *a, const hone_value *b)
{
    lines x, y;
    HONE_TRY(as_lines(k, a, &x));
    HONE_TRY(as_lines(k, b, &y));
    char *keep = hone_arena_calloc(&k->arena, x.n + y.n + 1, 1);
    if (!keep)
        return HONE_E_NOMEM;
    if (a && b && a->type == HONE_STRING && b->type == HONE_STRING)
        HONE_TRY(common(&k->arena, &x, &y, keep, keep + x.n));
    return tell_lines(k, &x, &y, keep, keep + x.n);
}

static hone_status walk(struct walk *k, const hone_value *a, const hone_value *b);

static hone_status step(struct walk *k, const char *dot, hone_str name, const hone_value *a,
                        const hone_value *b)
{
    const size_t len = strlen(k->place);
    snprintf(k->place + len, PLACE - len, "%s%.*s%s",
             len && *dot == '.' ? "."
             : *dot == '['      ? "["
                                : "",
             (int)(name.len < 100 ? name.len : 100), name.ptr, *dot == '[' ? "]" : "");
    hone_status s = walk(k, a, b);
    k->place[len] = '\0';
    return s;
}

static hone_status walk_maps(struct walk *k, const hone_value *a, const hone_value *b)
{
    for (size_t i = 0; i < a->u.map.n; i++) {
        const hone_str key = a->u.map.pairs[i].key;
        HONE_TRY(step(k, ".", key, &a->u.map.pairs[i].value, hone_value_get_str(b, key)));
    }
    for (size_t i = 0; i < b->u.map.n; i++) {
        const hone_str key = b->u.map.pairs[i].key;
        if (!hone_value_get_str(a, key))
            HONE_TRY(step(k, ".", key, NULL, &b->u.map.pairs[i].value));
    }
    return HONE_OK;
}

/* The id of an entry of a list, or a text without bytes. */
static hone_str id_of(const hone_value *v)
{
    const hone_value *id = v->type == HONE_MAP ? hone_value_get(v, "id") : NULL;
    return id && id->type == HONE_STRING ? id->u.str : (hone_str){"", 0};
}

static int all_have_ids(const hone_value *list)
{
    for (size_t i = 0; i < list->u.list.n; i++)
        if (!id_of(&list->u.list.items[i]).len)
            return 0;
    return list->u.list.n > 0;
}

static const hone_value *with_id(const hone_value *list, hone_str id)
{
    for (size_t i = 0; i < list->u.list.n; i++)
        if (hone_str_same(id_of(&list->u.list.items[i]), id))
            return &list->u.list.items[i];
    return NULL;
}

static hone_status walk_lists(struct walk *k, const hone_value *a, const hone_value *b)
{
    if (all_have_ids(a) && all_have_ids(b)) {
        for (size_t i = 0; i < a->u.list.n; i++) {
            const hone_str id = id_of(&a->u.list.items[i]);
            HONE_TRY(step(k, "[", id, &a->u.list.items[i], with_id(b, id)));
        }
        for (size_t i = 0; i < b->u.list.n; i++) {
            const hone_str id = id_of(&b->u.list.items[i]);
            if (!with_id(a, id))
                HONE_TRY(step(k, "[", id, NULL, &b->u.list.items[i]));
        }
        return HONE_OK;
    }
    const size_t n = a->u.list.n > b->u.list.n ? a->u.list.n : b->u.list.n;
    for (size_t i = 0; i < n; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        HONE_TRY(step(k, "[", hone_str_c(number), i < a->u.list.n ? &a->u.list.items[i] : NULL,
                      i < b->u.list.n ? &b->u.list.items[i] : NULL));
    }
    return HONE_OK;
}

static hone_status walk(struct walk *k, const hone_value *a, const hone_value *b)
{
    if (a && b && hone_value_equal(a, b))
        return HONE_OK;
    if (a && b && a->type == HONE_MAP && b->type == HONE_MAP)
        return walk_maps(k, a, b);
    if (a && b && a->type == HONE_LIST && b->type == HONE_LIST)
        return walk_lists(k, a, b);
    return tell(k, a, b);
}

static hone_status changes(const hone_value *a, const hone_value *b, hone_buf *out, hone_jw *w)
{
    struct walk k = {.out = out, .w = w};
    hone_arena_init(&k.arena, (size_t)1 << 28);
    hone_status s = walk(&k, a, b);
    hone_arena_release(&k.arena);
    return s;
}

hone_status hone_changes_text(const hone_value *a, const hone_value *b, hone_buf *out)
{
    return changes(a, b, out, NULL);
}

hone_status hone_changes_json(const hone_value *a, const hone_value *b, hone_jw *w)
{
    hone_jw_list(w);
    hone_status s = changes(a, b, NULL, w);
    hone_jw_end(w);
    return s;
}
