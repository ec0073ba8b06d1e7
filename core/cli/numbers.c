/* numbers.c - see numbers.h. Every shape is checked against the first; errors name file and key. */
#include "cli/numbers.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 256 << 20 };
#define SAME_SHAPE                                                                                 \
    "all lists of B x T numbers have the rows and the widths of the first (logp, mask)"

hone_status hone_cli_numbers_open(hone_cli_numbers *in, const char *path, int f32)
{
    memset(in, 0, sizeof *in);
    in->path = path;
    in->f32 = f32;
    hone_arena_init(&in->arena, 0);
    hone_status s = hone_json_parse_file(path, FILE_MAX, &in->arena, &in->root);
    if (s >= 0 && in->root.type != HONE_MAP)
        s = hone_fail(HONE_E_TYPE, "%s: an object of named lists was expected", path);
    if (s < 0)
        hone_arena_release(&in->arena);
    return s;
}

void hone_cli_numbers_close(hone_cli_numbers *in)
{
    hone_arena_release(&in->arena);
}

hone_status hone_cli_read_number(hone_cli_numbers *in, const char *key, const hone_value *v,
                                 double *out)
{
    double x;
    if (v->type == HONE_F64)
        x = v->u.f64;
    else if (v->type == HONE_I64)
        x = (double)v->u.i64;
    else if (v->type == HONE_BOOL)
        x = (double)v->u.boolean;
    else
        return hone_fail(HONE_E_TYPE, "%s: \"%s\" holds something that is no number", in->path,
                         key);
    *out = in->f32 ? (double)(float)x : x;
    return HONE_OK;
}

hone_status hone_cli_weights(hone_cli_numbers *in, const char *key, size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if (!(x[i] >= 0 && x[i] <= HONE_CLI_WEIGHT_MAX)) {
            hone_fail(HONE_E_RANGE, "%s: \"%s\" holds %g", in->path, key, x[i]);
            return hone_fail_hint("1 where a token is trained on, 0 where not");
        }
    return HONE_OK;
}

const char *hone_cli_unread(hone_cli_numbers *in, const char *const *keys, size_t *i)
{
    while (*i < in->root.u.map.n) {
        char *name = hone_arena_strndup(&in->arena, in->root.u.map.pairs[*i].key.ptr,
                                        in->root.u.map.pairs[*i].key.len);
        size_t k = 0;
        (*i)++;
        for (char *c = name; c && *c; c++) /* it is shown on a terminal */
            *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
        while (name && keys[k] && strcmp(keys[k], name) != 0)
            k++;
        if (name && !keys[k])
            return name;
    }
    return NULL;
}

static const hone_value *find(hone_cli_numbers *in, const char *key)
{
    const hone_value *v = hone_value_get(&in->root, key);
    return v && v->type != HONE_NULL ? v : NULL;
}

static hone_status no_list(hone_cli_numbers *in, const char *key)
{
    return hone_fail(HONE_E_TYPE, "%s: \"%s\" is not a list", in->path, key);
}

hone_status hone_cli_table(hone_cli_numbers *in, const char *key, size_t *n_rows, size_t *n,
                           double **out, uint8_t **scored)
{
    const hone_value *v = find(in, key);
    *n_rows = *n = 0;
    *out = NULL;
    if (scored)
        *scored = NULL;
    if (!v)
        return HONE_OK;
    if (v->type != HONE_LIST)
        return no_list(in, key);
    int nested = v->u.list.n > 0 && v->u.list.items[0].type == HONE_LIST;
    size_t rows = nested ? v->u.list.n : 1,
           width = nested ? v->u.list.items[0].u.list.n : v->u.list.n;
    double *x = hone_arena_calloc(&in->arena, rows * width + 1, sizeof *x);
    uint8_t *there = hone_arena_calloc(&in->arena, rows * width + 1, 1);
    if (!x || !there)
        return HONE_E_NOMEM;
    for (size_t r = 0; r < rows; r++) {
        const hone_value *row = nested ? &v->u.list.items[r] : v;
        if (row->type != HONE_LIST || row->u.list.n != width)
            return hone_fail(HONE_E_SHAPE, "%s: row %zu of \"%s\" is not a list of %zu", in->path,
                             r + 1, key, width);
        for (size_t i = 0; i < width; i++) {
            const hone_value *cell = &row->u.list.items[i];
            there[r * width + i] = cell->type != HONE_NULL;
            if (cell->type == HONE_NULL && scored)
                continue;
            HONE_TRY(hone_cli_read_number(in, key, cell, &x[r * width + i]));
        }
    }
    *n_rows = rows;
    *n = width;
    *out = x;
    if (scored)
        *scored = there;
    return HONE_OK;
}

hone_status hone_cli_list(hone_cli_numbers *in, const char *key, size_t *n, double **out,
                          uint8_t **scored)
{
    size_t rows;
    HONE_TRY(hone_cli_table(in, key, &rows, n, out, scored));
    return rows <= 1
               ? HONE_OK
               : hone_fail(HONE_E_SHAPE, "%s: \"%s\" is a list of lists, one list was expected",
                           in->path, key);
}

hone_status hone_cli_shape_of(hone_cli_numbers *in, const char *const *keys, hone_cli_shape *out)
{
    memset(out, 0, sizeof *out);
    for (; *keys; keys++) {
        const hone_value *v = find(in, *keys);
        if (!v || v->type != HONE_LIST || v->u.list.n == 0 || v->u.list.items[0].type != HONE_LIST)
            continue;
        out->n_seqs = v->u.list.n;
        out->begin = hone_arena_calloc(&in->arena, out->n_seqs + 1, sizeof *out->begin);
        if (!out->begin)
            return HONE_E_NOMEM;
        for (size_t s = 0; s < out->n_seqs; s++) {
            if (v->u.list.items[s].type != HONE_LIST)
                return no_list(in, *keys);
            size_t n = v->u.list.items[s].u.list.n;
            out->begin[s + 1] = out->begin[s] + n;
            out->widest = n > out->widest ? n : out->widest;
        }
        out->n_tokens = out->begin[out->n_seqs];
        return HONE_OK;
    }
    return HONE_OK;
}

hone_status hone_cli_rows(hone_cli_numbers *in, const char *key, const hone_cli_shape *shape,
                          double **out)
{
    const hone_value *v = find(in, key);
    *out = NULL;
    if (!v)
        return HONE_OK;
    if (v->type != HONE_LIST)
        return no_list(in, key);
    if (v->u.list.n != shape->n_seqs) {
        hone_fail(HONE_E_SHAPE, "%s: \"%s\" has %zu rows, the batch has %zu", in->path, key,
                  v->u.list.n, shape->n_seqs);
        return hone_fail_hint(SAME_SHAPE);
    }
    double *x = hone_arena_calloc(&in->arena, shape->n_tokens + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t s = 0; s < shape->n_seqs; s++) {
        const hone_value *row = &v->u.list.items[s];
        size_t n = shape->begin[s + 1] - shape->begin[s];
        if (row->type != HONE_LIST || row->u.list.n != n) {
            hone_fail(HONE_E_SHAPE, "%s: row %zu of \"%s\" is not a list of %zu", in->path, s + 1,
                      key, n);
            return hone_fail_hint(SAME_SHAPE);
        }
        for (size_t t = 0; t < n; t++)
            HONE_TRY(hone_cli_read_number(in, key, &row->u.list.items[t], &x[shape->begin[s] + t]));
    }
    *out = x;
    return HONE_OK;
}

hone_status hone_cli_rows_or_list(hone_cli_numbers *in, const char *key,
                                  const hone_cli_shape *shape, double **out)
{
    const hone_value *v = find(in, key);
    double *list, *x;
    size_t n;
    if (!v || (v->type == HONE_LIST && v->u.list.n > 0 && v->u.list.items[0].type == HONE_LIST))
        return hone_cli_rows(in, key, shape, out);
    HONE_TRY(hone_cli_list(in, key, &n, &list, NULL));
    if (n != shape->n_seqs)
        return hone_fail(HONE_E_SHAPE, "%s: \"%s\" has %zu numbers, the batch has %zu rows",
                         in->path, key, n, shape->n_seqs);
    x = hone_arena_calloc(&in->arena, shape->n_tokens + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t s = 0; s < n; s++)
        for (size_t t = shape->begin[s]; t < shape->begin[s + 1]; t++)
            x[t] = list[s];
    *out = x;
    return HONE_OK;
}

void hone_cli_number(hone_jw *w, double v, int f32)
{
    if (f32)
        hone_jw_f32(w, (float)v);
    else
        hone_jw_f64(w, v);
}

void hone_cli_put_rows(hone_jw *w, const hone_cli_shape *shape, const double *x, int f32)
{
    hone_jw_list(w);
    for (size_t s = 0; s < shape->n_seqs; s++) {
        hone_jw_list(w);
        for (size_t t = shape->begin[s]; t < shape->begin[s + 1]; t++)
            hone_cli_number(w, x[t], f32);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}
