/* arrow_put.c - schemas and batches of somebody else as flat bytes. See arrow.h.
 *
 * Runs where the structs were made: it follows their pointers, and may crash of them. A slice (offset, length) is cut out
 * of its buffers: values from the last multiple of eight on, so that bitmaps are copied by the byte (`skew` rows stand in
 * front), offsets counted anew from the slice's first value, children cut to what is pointed at.
 * Source: Arrow columnar format 1.4, "Physical memory layout". */
#include "abi/arrow_private.h"

#include <string.h>

static const char *name_of(const struct ArrowSchema *c)
{
    return c->name ? c->name : "?";
}

/* Room for n bytes, padded to eight; NULL when there is none left, and `used` goes on counting. */
static unsigned char *room(hone_arrow_place *to, size_t n)
{
    size_t at = to->used, padded = hone__arrow_pad(n);
    if (padded < n || padded > SIZE_MAX - at) {
        to->used = SIZE_MAX;
        return NULL;
    }
    to->used = at + padded;
    if (to->used > to->size)
        return NULL;
    if (padded > n)
        memset(to->at + at + n, 0, padded - n);
    return to->at + at;
}

static hone_status fits(const hone_arrow_place *to)
{
    return to->used <= to->size
               ? HONE_OK
               : hone_fail(HONE_E_LIMIT, "%zu MB of rows do not fit", to->used >> 20);
}

/* n bytes from base + at * width; n is counted in elements. */
static hone_status copy(hone_arrow_place *to, const void *base, uint64_t at, uint64_t n,
                        size_t width)
{
    if (width && n > (SIZE_MAX - 8) / width)
        return hone_fail(HONE_E_LIMIT, "%llu values of %zu bytes", (unsigned long long)n, width);
    unsigned char *p = room(to, (size_t)n * width);
    if (p && n && width && base)
        memcpy(p, (const unsigned char *)base + at * width, (size_t)n * width);
    else if (p)
        memset(p, 0, (size_t)n * width);
    return fits(to);
}

static int64_t offset_at(const void *offsets, int wide, uint64_t i)
{
    int64_t l;
    int32_t w;
    if (wide) {
        memcpy(&l, (const unsigned char *)offsets + i * sizeof l, sizeof l);
        return l;
    }
    memcpy(&w, (const unsigned char *)offsets + i * sizeof w, sizeof w);
    return w;
}

/* Offsets of rows [first, first + n) counted from the first one's, behind `skew` zeros; *from, *len: what they span. */
static hone_status put_offsets(const struct ArrowSchema *c, const void *offsets, uint64_t first,
                               uint64_t n, uint32_t skew, hone_arrow_place *to, int64_t *from,
                               int64_t *len)
{
    int wide = hone_arrow_is_wide(c->format);
    size_t width = wide ? sizeof(int64_t) : sizeof(int32_t);
    if (n > (SIZE_MAX - 64) / width - 16)
        return hone_fail(HONE_E_LIMIT, "column %.100s: %llu rows", name_of(c),
                         (unsigned long long)n);
    unsigned char *p = room(to, (size_t)(n + skew + 1) * width);
    HONE_TRY(fits(to));
    memset(p, 0, skew * width);
    int64_t begin = n ? offset_at(offsets, wide, first) : 0, before = begin;
    for (uint64_t i = 0; i <= n; i++) {
        int64_t at = n ? offset_at(offsets, wide, first + i) : 0, rel = at - begin;
        if (begin < 0 || at < before)
            return hone_fail(HONE_E_MISBEHAVED, "column %.100s: its offsets do not rise",
                             name_of(c));
        before = at;
        int32_t narrow = (int32_t)rel; /* at most what an int32 holds: both were */
        if (wide)
            memcpy(p + (skew + i) * width, &rel, width);
        else
            memcpy(p + (skew + i) * width, &narrow, width);
    }
    *from = begin;
    *len = before - begin;
    return HONE_OK;
}

/* Rows [from, from + n) of the array, counted without its offset. */
static hone_status put_array(const struct ArrowSchema *c, const struct ArrowArray *a, uint64_t from,
                             uint64_t n, hone_arrow_place *to)
{
    const char *f = c->format;
    hone__arrow_node node = {(int64_t)n, 0, 0};
    if (n > (uint64_t)a->length || from > (uint64_t)a->length - n)
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: its array is shorter than its batch",
                         name_of(c));
    uint64_t first = n ? (uint64_t)a->offset + from : 0, base = first & ~(uint64_t)7, all;
    node.skew = (uint32_t)(first - base);
    all = n + node.skew;
    node.nulls = n && strcmp(f, "n") != 0 && a->buffers[0] && a->null_count != 0;
    HONE_TRY(copy(to, &node, 0, 1, sizeof node));
    if (node.nulls)
        HONE_TRY(copy(to, a->buffers[0], base / 8, hone__arrow_bits(all), 1));
    if (c->dictionary || hone_arrow_width(f)) {
        HONE_TRY(copy(to, a->n_buffers > 1 ? a->buffers[1] : NULL, base, all, hone_arrow_width(f)));
        return c->dictionary
                   ? put_array(c->dictionary, a->dictionary, 0, (uint64_t)a->dictionary->length, to)
                   : HONE_OK;
    }
    if (strcmp(f, "n") == 0)
        return HONE_OK;
    if (strcmp(f, "b") == 0)
        return copy(to, n ? a->buffers[1] : NULL, base / 8, hone__arrow_bits(all), 1);
    int64_t size = hone_arrow_fixed_size(f), at = 0, len = 0;
    if (f[0] == 'w')
        return copy(to, n ? a->buffers[1] : NULL, base, all, (size_t)size);
    if (strcmp(f, "+s") == 0) {
        for (int64_t i = 0; i < c->n_children; i++)
            HONE_TRY(put_array(c->children[i], a->children[i], base, all, to));
        return HONE_OK;
    }
    if (size >= 0) /* a fixed list */
        return size && all > (uint64_t)INT64_MAX / (uint64_t)size
                   ? hone_fail(HONE_E_LIMIT, "column %.100s: too many values", name_of(c))
                   : put_array(c->children[0], a->children[0], base * (uint64_t)size,
                               all * (uint64_t)size, to);
    HONE_TRY(put_offsets(c, n ? a->buffers[1] : NULL, first, n, node.skew, to, &at, &len));
    if (f[0] == '+')
        return put_array(c->children[0], a->children[0], (uint64_t)at, (uint64_t)len, to);
    if (len && !a->buffers[2])
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: its bytes are missing", name_of(c));
    return copy(to, len ? a->buffers[2] : NULL, (uint64_t)at, (uint64_t)len, 1);
}

hone_status hone_arrow_put_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 hone_arrow_place *to)
{
    return put_array(schema, batch, 0, (uint64_t)batch->length, to);
}

/* ---- schemas ---------------------------------------------------------------------------------------- */

static size_t metadata_size(const char *m)
{
    const char *at = m;
    int32_t n, len;
    memcpy(&n, at, sizeof n);
    at += sizeof n;
    for (int64_t i = 0; i < 2 * (int64_t)n && at - m < HONE__ARROW_META_MAX; i++) {
        memcpy(&len, at, sizeof len);
        at += sizeof len + (len > 0 ? (size_t)len : 0);
    }
    return (size_t)(at - m);
}

static hone_status put_column(const struct ArrowSchema *c, hone_arrow_place *to)
{
    size_t format = strlen(c->format), name = c->name ? strlen(c->name) + 1 : 0;
    size_t meta = c->metadata ? metadata_size(c->metadata) + 1 : 0;
    if (format > HONE__ARROW_FORMAT_MAX || name > HONE__ARROW_NAME_MAX ||
        meta > HONE__ARROW_META_MAX || c->n_children > HONE__ARROW_COLUMNS_MAX)
        return hone_fail(HONE_E_LIMIT, "column %.100s: its name, format or metadata is too long",
                         name_of(c));
    hone__arrow_column k = {(uint32_t)format,      (uint32_t)name,
                            (uint32_t)meta,        (uint32_t)c->n_children,
                            c->dictionary != NULL, (uint32_t)(c->flags & 7)};
    if (hone_arrow_is_text(c->format) || hone_arrow_width(c->format))
        k.n_children = 0;
    HONE_TRY(copy(to, &k, 0, 1, sizeof k));
    HONE_TRY(copy(to, c->format, 0, format, 1));
    if (name)
        HONE_TRY(copy(to, c->name, 0, name - 1, 1));
    if (meta)
        HONE_TRY(copy(to, c->metadata, 0, meta - 1, 1));
    for (uint32_t i = 0; i < k.n_children; i++)
        HONE_TRY(put_column(c->children[i], to));
    return c->dictionary ? put_column(c->dictionary, to) : HONE_OK;
}

hone_status hone_arrow_put_schema(const struct ArrowSchema *schema, hone_arrow_place *to)
{
    return put_column(schema, to);
}
