/* arrow_rows.c - reads record batches of the Arrow C data interface, cell by cell.
 *
 * Known: null, bool, integers of 8 to 64 bits, half, float, double, utf8 and binary (32 and 64-bit
 * offsets, fixed size), dates, times and timestamps (as their integers), lists, fixed lists, structs,
 * dictionaries. utf8 with the extension name arrow.json is parsed; a schema with the one column hone.row
 * of that kind has whole rows in its cells. Decimals, views, run-end encoding, unions and maps are
 * refused by name.
 *
 * The interface gives no buffer sizes, so offsets can be checked against each other only: an in-process
 * source is trusted that far. Source: Arrow C data interface, columnar format 1.4. */
#include "train/arrow_rows.h"

#include "base/half.h"
#include "hone/source.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

/* ---- metadata --------------------------------------------------------------------------------------- */

static int32_t int32_at(const char *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The value of `key` in a schema's metadata; {NULL,0} when absent. */
static hone_str metadata_get(const char *m, const char *key)
{
    hone_str none = {NULL, 0};
    if (!m)
        return none;
    int32_t n = int32_at(m);
    m += 4;
    for (int32_t i = 0; i < n; i++) {
        hone_str k = {m + 4, (size_t)int32_at(m)};
        if (int32_at(m) < 0)
            return none;
        m += 4 + k.len;
        hone_str v = {m + 4, (size_t)int32_at(m)};
        if (int32_at(m) < 0)
            return none;
        m += 4 + v.len;
        if (hone_str_eq(k, key))
            return v;
    }
    return none;
}

static int is_json(const struct ArrowSchema *c)
{
    return (strcmp(c->format, "u") == 0 || strcmp(c->format, "U") == 0) &&
           hone_str_eq(metadata_get(c->metadata, "ARROW:extension:name"), HONE_SOURCE_JSON);
}

static int whole_rows(const struct ArrowSchema *s)
{
    return s->n_children == 1 && s->children[0]->name &&
           strcmp(s->children[0]->name, HONE_SOURCE_ROW) == 0 && is_json(s->children[0]);
}

/* ---- what a format is -------------------------------------------------------------------------------- */

/* Bytes of a fixed-width format, 0 for another one. */
static size_t width_of(const char *f)
{
    switch (f[0]) {
    case 'c':
    case 'C':
        return f[1] ? 0 : 1;
    case 's':
    case 'S':
    case 'e':
        return f[1] ? 0 : 2;
    case 'i':
    case 'I':
    case 'f':
        return f[1] ? 0 : 4;
    case 'l':
    case 'L':
    case 'g':
        return f[1] ? 0 : 8;
    case 't': /* tdD days, tdm ms; tts ttm ttu ttn; ts?:zone; tD? durations */
        if (f[1] == 'd')
            return f[2] == 'D' ? 4 : 8;
        if (f[1] == 't')
            return f[2] == 's' || f[2] == 'm' ? 4 : 8;
        return f[1] == 's' || f[1] == 'D' ? 8 : 0;
    default:
        return 0;
    }
}

static int64_t fixed_size(const char *f) /* of "w:n" and "+w:n", -1 for another format */
{
    const char *p = strncmp(f, "w:", 2) == 0 ? f + 2 : strncmp(f, "+w:", 3) == 0 ? f + 3 : NULL;
    int64_t n = 0;
    if (!p || !*p)
        return -1;
    for (; *p >= '0' && *p <= '9' && n < 1 << 28; p++)
        n = 10 * n + (*p - '0');
    return *p ? -1 : n;
}

static int is_text(const char *f)
{
    return (f[0] == 'u' || f[0] == 'U' || f[0] == 'z' || f[0] == 'Z') && !f[1];
}
static int is_list(const char *f)
{
    return strcmp(f, "+l") == 0 || strcmp(f, "+L") == 0 || (f[0] == '+' && fixed_size(f) >= 0);
}

static hone_status check_column(const struct ArrowSchema *c, int depth)
{
    if (!c || !c->format)
        return hone_fail(HONE_E_MISBEHAVED, "a column's schema has no format");
    const char *f = c->format, *name = c->name ? c->name : "?";
    if (depth > MAX_DEPTH)
        return hone_fail(HONE_E_LIMIT, "column %s: nested more than %d deep", name, MAX_DEPTH);
    if (c->dictionary)
        return width_of(f) && f[0] != 't' && f[0] != 'e' && f[0] != 'f' && f[0] != 'g'
                   ? check_column(c->dictionary, depth + 1)
                   : hone_fail(HONE_E_MISBEHAVED, "column %s: dictionary indices of format \"%s\"",
                               name, f);
    if (is_list(f) || strcmp(f, "+s") == 0) {
        if (c->n_children < 0 || (is_list(f) && c->n_children != 1) ||
            (c->n_children && !c->children))
            return hone_fail(HONE_E_MISBEHAVED, "column %s: format \"%s\" with %lld children", name,
                             f, (long long)c->n_children);
        for (int64_t i = 0; i < c->n_children; i++)
            HONE_TRY(check_column(c->children[i], depth + 1));
        return HONE_OK;
    }
    if (strcmp(f, "n") == 0 || strcmp(f, "b") == 0 || width_of(f) || is_text(f) ||
        (f[0] == 'w' && fixed_size(f) >= 0))
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED, "column %s: Arrow format \"%s\" is not read", name, f);
    return hone_fail_hint("cast it in the query: to text, or to a number of 64 bits");
}

hone_status hone__arrow_check_schema(const struct ArrowSchema *schema)
{
    if (!schema->release || !schema->format || strcmp(schema->format, "+s") != 0)
        return hone_fail(HONE_E_MISBEHAVED, "the stream's schema is not a struct of columns");
    return check_column(schema, 0);
}

static hone_status check_array(const struct ArrowSchema *c, const struct ArrowArray *a,
                               int64_t at_least)
{
    const char *f = c->format, *name = c->name ? c->name : "?";
    int64_t buffers = strcmp(f, "n") == 0                          ? 0
                      : strcmp(f, "+s") == 0 || fixed_size(f) >= 0 ? 1
                      : is_text(f)                                 ? 3
                                                                   : 2;
    if (f[0] == 'w')
        buffers = 2;
    if (!a || a->length < 0 || a->offset < 0 || a->length < at_least ||
        a->offset > INT64_MAX - a->length)
        return hone_fail(HONE_E_MISBEHAVED, "column %s: its array is shorter than its batch", name);
    if (a->n_buffers < buffers || (buffers && !a->buffers))
        return hone_fail(HONE_E_MISBEHAVED, "column %s: %lld buffers, format \"%s\" has %lld", name,
                         (long long)a->n_buffers, f, (long long)buffers);
    for (int64_t b = 1; b < buffers; b++)
        if (!a->buffers[b] && a->length > 0 && b == 1)
            return hone_fail(HONE_E_MISBEHAVED, "column %s: its values are missing", name);
    if (c->dictionary)
        return a->dictionary
                   ? check_array(c->dictionary, a->dictionary, 0)
                   : hone_fail(HONE_E_MISBEHAVED, "column %s: its dictionary is missing", name);
    if (a->n_children != c->n_children || (a->n_children && !a->children))
        return hone_fail(HONE_E_MISBEHAVED, "column %s: %lld children, its schema has %lld", name,
                         (long long)a->n_children, (long long)c->n_children);
    for (int64_t i = 0; i < c->n_children; i++)
        HONE_TRY(check_array(c->children[i], a->children[i],
                             strcmp(f, "+s") == 0 ? a->offset + a->length : 0));
    return HONE_OK;
}

hone_status hone__arrow_check_batch(const struct ArrowSchema *schema,
                                    const struct ArrowArray *batch)
{
    return check_array(schema, batch, 0);
}

/* ---- cells -------------------------------------------------------------------------------------------- */

static int bit(const void *bits, int64_t i)
{
    return ((const unsigned char *)bits)[i >> 3] >> (i & 7) & 1;
}

static int64_t offset_at(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i)
{
    int wide = c->format[0] == 'U' || c->format[0] == 'Z' || strcmp(c->format, "+L") == 0;
    return wide ? ((const int64_t *)a->buffers[1])[i] : ((const int32_t *)a->buffers[1])[i];
}

static hone_status bad_offsets(const struct ArrowSchema *c)
{
    return hone_fail(HONE_E_MISBEHAVED, "column %s: its offsets do not rise",
                     c->name ? c->name : "?");
}

static hone_status read_number(const struct ArrowSchema *c, const void *values, int64_t i,
                               hone_value *out)
{
    const char *f = c->format;
    const char *p = (const char *)values + (size_t)i * width_of(f);
    int8_t b;
    int16_t s;
    int32_t w;
    int64_t l;
    float x;
    out->type = HONE_I64;
    switch (f[0]) {
    case 'c':
        memcpy(&b, p, 1);
        out->u.i64 = b;
        return HONE_OK;
    case 'C':
        out->u.i64 = (unsigned char)*p;
        return HONE_OK;
    case 's':
    case 'S':
    case 'e':
        memcpy(&s, p, 2);
        out->u.i64 = f[0] == 's' ? s : (uint16_t)s;
        if (f[0] == 'e') {
            out->type = HONE_F64;
            out->u.f64 = (double)hone_f16_to_f32((uint16_t)s);
        }
        return HONE_OK;
    case 'I':
        memcpy(&w, p, 4);
        out->u.i64 = (uint32_t)w;
        return HONE_OK;
    case 'f':
        memcpy(&x, p, 4);
        out->type = HONE_F64;
        out->u.f64 = (double)x;
        return HONE_OK;
    case 'g':
        out->type = HONE_F64;
        memcpy(&out->u.f64, p, 8);
        return HONE_OK;
    default:
        if (width_of(f) == 4) {
            memcpy(&w, p, 4);
            out->u.i64 = w;
            return HONE_OK;
        }
        memcpy(&l, p, 8);
        if (f[0] == 'L' && l < 0)
            return hone_fail(HONE_E_RANGE, "column %s: %llu is more than a 64-bit integer holds",
                             c->name ? c->name : "?", (unsigned long long)l);
        out->u.i64 = l;
        return HONE_OK;
    }
}

static hone_status read_text(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i,
                             const char *name, hone_arena *arena, hone_value *out)
{
    int64_t from, to;
    if (c->format[0] == 'w') {
        from = i * fixed_size(c->format);
        to = from + fixed_size(c->format);
    } else {
        from = offset_at(c, a, i);
        to = offset_at(c, a, i + 1);
    }
    if (from < 0 || to < from)
        return bad_offsets(c);
    hone_str s = {(const char *)a->buffers[c->format[0] == 'w' ? 1 : 2] + from,
                  (size_t)(to - from)};
    if (to > from && !a->buffers[c->format[0] == 'w' ? 1 : 2])
        return hone_fail(HONE_E_MISBEHAVED, "column %s: its bytes are missing",
                         c->name ? c->name : "?");
    if (is_json(c))
        return hone_json_parse(s.ptr, s.len, name, arena, out);
    out->type = c->format[0] == 'u' || c->format[0] == 'U' ? HONE_STRING : HONE_BYTES;
    if (to == from)
        s.ptr = "";
    out->u.str = hone_arena_str(arena, s);
    return out->u.str.len || !s.len ? HONE_OK : HONE_E_NOMEM;
}

static hone_status read_cell(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t row,
                             const char *name, hone_arena *arena, hone_value *out);

static hone_status read_list(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i,
                             const char *name, hone_arena *arena, hone_value *out)
{
    int64_t size = fixed_size(c->format), from, to;
    from = size >= 0 ? i * size : offset_at(c, a, i);
    to = size >= 0 ? from + size : offset_at(c, a, i + 1);
    if (from < 0 || to < from || to > a->children[0]->length)
        return bad_offsets(c);
    hone_value *items = hone_arena_calloc(arena, (size_t)(to - from), sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    for (int64_t k = from; k < to; k++)
        HONE_TRY(read_cell(c->children[0], a->children[0], k, name, arena, &items[k - from]));
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = (size_t)(to - from);
    return HONE_OK;
}

static hone_status read_struct(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i,
                               const char *name, hone_arena *arena, hone_value *out)
{
    hone_pair *pairs = hone_arena_calloc(arena, (size_t)c->n_children, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    for (int64_t k = 0; k < c->n_children; k++) {
        const char *key = c->children[k]->name ? c->children[k]->name : "";
        pairs[k].key = hone_arena_str(arena, hone_str_c(key));
        HONE_TRY(read_cell(c->children[k], a->children[k], i, name, arena, &pairs[k].value));
    }
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = (size_t)c->n_children;
    return HONE_OK;
}

/* Element `row` of the array (its offset not yet added). */
static hone_status read_cell(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t row,
                             const char *name, hone_arena *arena, hone_value *out)
{
    const char *f = c->format;
    int64_t i = row + a->offset;
    memset(out, 0, sizeof *out);
    if (row < 0 || row >= a->length)
        return bad_offsets(c);
    if (strcmp(f, "n") == 0 || (a->buffers[0] && a->null_count != 0 && !bit(a->buffers[0], i)))
        return HONE_OK;
    if (c->dictionary) {
        HONE_TRY(read_number(c, a->buffers[1], i, out));
        int64_t at = out->u.i64;
        return read_cell(c->dictionary, a->dictionary, at, name, arena, out);
    }
    if (strcmp(f, "b") == 0) {
        out->type = HONE_BOOL;
        out->u.boolean = bit(a->buffers[1], i);
        return HONE_OK;
    }
    if (width_of(f))
        return read_number(c, a->buffers[1], i, out);
    if (is_list(f))
        return read_list(c, a, i, name, arena, out);
    if (f[0] == '+')
        return read_struct(c, a, i, name, arena, out);
    return read_text(c, a, i, name, arena, out);
}

hone_status hone__arrow_row(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                            int64_t i, const char *name, hone_arena *arena, hone_value *row)
{
    if (!whole_rows(schema)) {
        memset(row, 0, sizeof *row);
        return read_struct(schema, batch, i + batch->offset, name, arena, row);
    }
    HONE_TRY(
        read_cell(schema->children[0], batch->children[0], i + batch->offset, name, arena, row));
    return row->type == HONE_MAP ? HONE_OK
                                 : hone_fail(HONE_E_MISBEHAVED, "%s: a row is no map", name);
}
