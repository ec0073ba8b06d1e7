/* arrow_rows.c - reads record batches of the Arrow C data interface, cell by cell.
 *
 * Which formats there are, and whether a batch has its schema's shape, is abi/arrow.h's. Here cells become values: dates,
 * times and timestamps as their integers; utf8 with the extension name arrow.json is parsed; a schema with the one column
 * hone.row of that kind has whole rows in its cells.
 *
 * The interface gives no buffer sizes, so offsets can be checked against each other only: an in-process source is trusted
 * that far. What came out of a box was checked whole. Source: Arrow C data interface, columnar format 1.4. */
#include "train/arrow_rows.h"

#include "base/half.h"
#include "base/utf8.h"
#include "hone/source.h"

#include <stdio.h>
#include <string.h>

static int whole_rows(const struct ArrowSchema *s)
{
    return s->n_children == 1 && s->children[0]->name &&
           strcmp(s->children[0]->name, HONE_SOURCE_ROW) == 0 && hone_arrow_is_json(s->children[0]);
}

/* ---- cells -------------------------------------------------------------------------------------------- */

static int bit(const void *bits, int64_t i)
{
    return ((const unsigned char *)bits)[i >> 3] >> (i & 7) & 1;
}

static int64_t offset_at(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i)
{
    return hone_arrow_is_wide(c->format) ? ((const int64_t *)a->buffers[1])[i]
                                         : ((const int32_t *)a->buffers[1])[i];
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
    const char *p = (const char *)values + (size_t)i * hone_arrow_width(f);
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
        if (hone_arrow_width(f) == 4) {
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
        from = i * hone_arrow_fixed_size(c->format);
        to = from + hone_arrow_fixed_size(c->format);
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
    if (hone_arrow_is_json(c))
        return hone_json_parse(s.ptr, s.len, name, arena, out);
    out->type = c->format[0] == 'u' || c->format[0] == 'U' ? HONE_STRING : HONE_BYTES;
    if (to == from)
        s.ptr = "";
    if (out->type == HONE_STRING && !hone_utf8_valid(s)) {
        hone_fail(HONE_E_MISBEHAVED, "column %s: is no UTF-8", c->name ? c->name : "?");
        return hone_fail_hint("a column of bytes has the format \"z\"");
    }
    out->u.str = hone_arena_str(arena, s);
    return out->u.str.len || !s.len ? HONE_OK : HONE_E_NOMEM;
}

static hone_status read_cell(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t row,
                             const char *name, hone_arena *arena, hone_value *out);

static hone_status read_list(const struct ArrowSchema *c, const struct ArrowArray *a, int64_t i,
                             const char *name, hone_arena *arena, hone_value *out)
{
    int64_t size = hone_arrow_fixed_size(c->format), from, to;
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
    if (hone_arrow_width(f))
        return read_number(c, a->buffers[1], i, out);
    if (hone_arrow_is_list(f))
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
