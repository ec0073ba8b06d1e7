/* arrow_take.c - flat bytes of somebody nobody trusts as schemas and batches of one's own. See arrow.h.
 *
 * Every size is computed here, from the schema and from what was read and checked before it; the bytes say lengths and
 * nothing else. No array may have more rows than eight a byte of its batch (and some), so that columns without buffers (null,
 * bytes of size 0) cannot claim a quintillion. A batch's buffers stay where they are in the bytes; the structs are one
 * block, whose holders are counted, because a consumer may take a child out of its parent.
 * Source: Arrow columnar format 1.4; Arrow C data interface, "Release callback semantics". */
#include "abi/arrow_private.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <stdatomic.h>
#include <string.h>

enum { FREE_ROWS = 1 << 16 }; /* that need no byte */

typedef struct bytes {
    const unsigned char *at;
    size_t n, used;
} bytes;

/* The next n bytes and their padding; NULL when they are not there. */
static const unsigned char *next(bytes *b, size_t n)
{
    size_t padded = hone__arrow_pad(n);
    if (padded < n || padded > b->n - b->used)
        return NULL;
    const unsigned char *p = b->at + b->used;
    b->used += padded;
    return p;
}

/* ---- schemas ---------------------------------------------------------------------------------------- */

typedef struct schema_block {
    atomic_size_t holders;
    size_t n, used; /* structs */
    struct ArrowSchema *columns;
    struct ArrowSchema **pointers;
    size_t n_pointers;
    char *text; /* formats, names, metadata */
    size_t text_used;
} schema_block;

static void free_schema_block(schema_block *k)
{
    hone_free(k->columns);
    hone_free(k->pointers);
    hone_free(k->text);
    hone_free(k);
}

static void release_schema(struct ArrowSchema *s)
{
    schema_block *k = s->private_data;
    for (int64_t i = 0; i < s->n_children; i++)
        if (s->children[i]->release)
            s->children[i]->release(s->children[i]);
    if (s->dictionary && s->dictionary->release)
        s->dictionary->release(s->dictionary);
    s->release = NULL;
    if (atomic_fetch_sub(&k->holders, 1) == 1)
        free_schema_block(k);
}

static hone_status cut(void)
{
    return hone_fail(HONE_E_MISBEHAVED, "the schema of its rows is cut, or makes no sense");
}

static int whole_metadata(const unsigned char *m, size_t n)
{
    int32_t pairs, len;
    size_t at = sizeof pairs;
    if (n < at)
        return 0;
    memcpy(&pairs, m, sizeof pairs);
    for (int64_t i = 0; i < 2 * (int64_t)pairs; i++) {
        if (n - at < sizeof len)
            return 0;
        memcpy(&len, m + at, sizeof len);
        at += sizeof len;
        if (len < 0 || (size_t)len > n - at)
            return 0;
        at += (size_t)len;
    }
    return pairs >= 0;
}

/* A text of n bytes as a C string in the block; NULL: there is a NUL in it, or it is no UTF-8. */
static const char *keep_text(schema_block *k, const unsigned char *p, size_t n)
{
    char *z = k->text + k->text_used;
    if (memchr(p, 0, n) || !hone_utf8_valid((hone_str){(const char *)p, n}))
        return NULL;
    memcpy(z, p, n);
    z[n] = 0;
    k->text_used += n + 1;
    return z;
}

/* Counts columns first (k->columns NULL), then fills. */
static hone_status take_column(bytes *b, schema_block *k, int depth, struct ArrowSchema *out)
{
    hone__arrow_column c;
    const unsigned char *p = next(b, sizeof c);
    if (!p || depth > HONE_ARROW_DEPTH + 1)
        return cut();
    memcpy(&c, p, sizeof c);
    if (c.format > HONE__ARROW_FORMAT_MAX || c.name > HONE__ARROW_NAME_MAX ||
        c.metadata > HONE__ARROW_META_MAX || c.n_children > HONE__ARROW_COLUMNS_MAX ||
        c.dictionary > 1 || c.flags > 7)
        return cut();
    const unsigned char *format = next(b, c.format), *name = NULL, *meta = NULL;
    if (!format || (c.name && !(name = next(b, c.name - 1))) ||
        (c.metadata &&
         (!(meta = next(b, c.metadata - 1)) || !whole_metadata(meta, c.metadata - 1))))
        return cut();
    if (c.n_children && (!c.format || format[0] != '+' || c.dictionary))
        return cut();
    struct ArrowSchema *first = NULL, **pointers = NULL;
    const size_t below = (size_t)c.n_children + c.dictionary;
    if (k->columns) {
        memset(out, 0, sizeof *out);
        out->format = keep_text(k, format, c.format);
        out->name = name ? keep_text(k, name, c.name - 1) : NULL;
        if (!out->format || (name && !out->name))
            return hone_fail(HONE_E_MISBEHAVED, "the name of a column is no UTF-8 text");
        if (meta) {
            memcpy(k->text + k->text_used, meta, c.metadata - 1);
            out->metadata = k->text + k->text_used;
            k->text_used += c.metadata;
        }
        first = k->columns + k->used;
        pointers = k->pointers + k->n_pointers;
        k->used += below;
        k->n_pointers += c.n_children;
        out->flags = (int64_t)c.flags;
        out->n_children = (int64_t)c.n_children;
        out->children = c.n_children ? pointers : NULL;
        for (size_t i = 0; i < c.n_children; i++)
            pointers[i] = first + i;
        out->dictionary = c.dictionary ? first + c.n_children : NULL;
        out->private_data = k;
        out->release = release_schema;
    } else {
        k->text_used += (size_t)c.format + c.name + c.metadata + 2;
        k->n_pointers += c.n_children;
        k->n += below;
        if (k->n > HONE__ARROW_COLUMNS_MAX)
            return hone_fail(HONE_E_LIMIT, "a schema of more than %d columns",
                             HONE__ARROW_COLUMNS_MAX);
    }
    for (size_t i = 0; i < below; i++)
        HONE_TRY(take_column(b, k, depth + 1, first ? first + i : NULL));
    return HONE_OK;
}

hone_status hone_arrow_take_schema(const void *p, size_t n, struct ArrowSchema *out)
{
    bytes b = {p, n, 0};
    struct ArrowSchema root;
    schema_block *k = hone_calloc(1, sizeof *k);
    if (!k)
        return HONE_E_NOMEM;
    hone_status s = take_column(&b, k, 0, NULL);
    if (s >= 0 && b.used != n)
        s = cut();
    if (s >= 0) {
        k->columns = hone_calloc(k->n + 1, sizeof *k->columns);
        k->pointers = hone_calloc(k->n_pointers + 1, sizeof(struct ArrowSchema *));
        k->text = hone_alloc(k->text_used + 1);
        s = k->columns && k->pointers && k->text ? HONE_OK : HONE_E_NOMEM;
    }
    if (s >= 0) {
        atomic_init(&k->holders, k->n + 1);
        k->used = k->n_pointers = k->text_used = 0;
        b.used = 0;
        s = take_column(&b, k, 0, &root);
    }
    if (s >= 0)
        s = hone_arrow_check_schema(&root);
    if (s < 0) {
        free_schema_block(k);
        return s;
    }
    *out = root;
    return HONE_OK;
}

/* ---- batches ---------------------------------------------------------------------------------------- */

typedef struct batch_block {
    atomic_size_t holders;
    void *bytes; /* what the buffers lie in */
    struct ArrowArray *arrays;
    struct ArrowArray **pointers;
    const void **buffers; /* three for each array */
    size_t used, n_pointers;
} batch_block;

static void free_batch_block(batch_block *k)
{
    hone_free(k->bytes);
    hone_free(k->arrays);
    hone_free(k->pointers);
    hone_free(k->buffers);
    hone_free(k);
}

static void release_batch(struct ArrowArray *a)
{
    batch_block *k = a->private_data;
    for (int64_t i = 0; i < a->n_children; i++)
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
    if (a->dictionary && a->dictionary->release)
        a->dictionary->release(a->dictionary);
    a->release = NULL;
    if (atomic_fetch_sub(&k->holders, 1) == 1)
        free_batch_block(k);
}

static hone_status bad(const struct ArrowSchema *c, const char *what)
{
    return hone_fail(HONE_E_MISBEHAVED, "column %.100s: %s", c->name ? c->name : "?", what);
}

static int bit(const unsigned char *bits, uint64_t i)
{
    return bits[i >> 3] >> (i & 7) & 1;
}

static int is_null(const struct ArrowArray *a, uint64_t i)
{
    return a->null_count && !bit(a->buffers[0], i);
}

/* n elements of `width` bytes as buffer number i. */
static hone_status take_buffer(const struct ArrowSchema *c, bytes *b, uint64_t n, size_t width,
                               struct ArrowArray *a, int i)
{
    if (width && n > (b->n - b->used) / width)
        return bad(c, "its buffers are shorter than its rows");
    a->buffers[i] = next(b, (size_t)n * width);
    return a->buffers[i] ? HONE_OK : bad(c, "its buffers are shorter than its rows");
}

static int64_t offset_at(const void *offsets, int wide, uint64_t i)
{
    return wide ? ((const int64_t *)offsets)[i] : ((const int32_t *)offsets)[i];
}

/* Offsets of `all` rows: they begin at 0, rise, and end at *end. */
static hone_status take_offsets(const struct ArrowSchema *c, bytes *b, uint64_t all,
                                struct ArrowArray *a, int64_t *end)
{
    int wide = hone_arrow_is_wide(c->format);
    int64_t before = 0;
    HONE_TRY(take_buffer(c, b, all + 1, wide ? sizeof(int64_t) : sizeof(int32_t), a, 1));
    for (uint64_t i = 0; i <= all; i++) {
        int64_t at = offset_at(a->buffers[1], wide, i);
        if (at < before || (i == 0 && at))
            return bad(c, "its offsets do not rise");
        before = at;
    }
    *end = before;
    return HONE_OK;
}

static hone_status check_text(const struct ArrowSchema *c, const struct ArrowArray *a)
{
    int wide = hone_arrow_is_wide(c->format);
    const char *text = a->buffers[2];
    if (c->format[0] != 'u' && c->format[0] != 'U')
        return HONE_OK;
    for (uint64_t i = (uint64_t)a->offset; i < (uint64_t)a->offset + (uint64_t)a->length; i++) {
        int64_t from = offset_at(a->buffers[1], wide, i),
                to = offset_at(a->buffers[1], wide, i + 1);
        if (is_null(a, i) || hone_utf8_valid((hone_str){text + from, (size_t)(to - from)}))
            continue;
        hone_fail(HONE_E_MISBEHAVED, "column %.100s: row %llu of the batch is no UTF-8",
                  c->name ? c->name : "?", (unsigned long long)(i - (uint64_t)a->offset) + 1);
        return hone_fail_hint("a column of bytes has the format \"z\"");
    }
    return HONE_OK;
}

/* Every index that counts is one of the dictionary's. */
static hone_status check_indices(const struct ArrowSchema *c, const struct ArrowArray *a)
{
    const unsigned char *p = a->buffers[1];
    const size_t width = hone_arrow_width(c->format);
    const uint64_t most = (uint64_t)a->dictionary->length;
    for (uint64_t i = (uint64_t)a->offset; i < (uint64_t)a->offset + (uint64_t)a->length; i++) {
        uint64_t x = 0;
        if (is_null(a, i))
            continue;
        for (size_t k = 0; k < width; k++) { /* in the machine's order, whichever that is */
            uint16_t one = 1;
            size_t at = *(unsigned char *)&one ? k : width - 1 - k;
            x |= (uint64_t)p[i * width + at] << 8 * k;
        }
        if (x >= most) /* a negative one is as large */
            return bad(c, "an index points outside of its dictionary");
    }
    return HONE_OK;
}

static hone_status count_nulls(const struct ArrowSchema *c, bytes *b, uint64_t all, uint32_t said,
                               struct ArrowArray *a)
{
    uint64_t nulls = 0;
    a->buffers[0] = NULL;
    if (!said)
        return HONE_OK;
    HONE_TRY(take_buffer(c, b, hone__arrow_bits(all), 1, a, 0));
    for (uint64_t i = (uint64_t)a->offset; i < all; i++)
        nulls += !bit(a->buffers[0], i);
    a->null_count = (int64_t)nulls;
    return HONE_OK;
}

static hone_status take_array(const struct ArrowSchema *c, bytes *b, batch_block *k,
                              struct ArrowArray *a, int64_t wanted)
{
    const char *f = c->format;
    hone__arrow_node node;
    const unsigned char *p = next(b, sizeof node);
    if (!p)
        return bad(c, "its array is missing");
    memcpy(&node, p, sizeof node);
    if (node.length < 0 || (uint64_t)node.length / 8 > b->n + FREE_ROWS / 8 || node.skew > 7 ||
        node.nulls > 1 || (strcmp(f, "n") == 0 && node.nulls))
        return bad(c, "its array has more rows than bytes, or makes no sense");
    const uint64_t all = (uint64_t)node.length + node.skew;
    if (wanted >= 0 && node.length != wanted)
        return bad(c, "its array is shorter or longer than what holds it");
    memset(a, 0, sizeof *a);
    a->length = node.length;
    a->offset = node.skew;
    a->buffers = k->buffers + 3 * (size_t)(a - k->arrays);
    a->private_data = k;
    a->release = release_batch;
    HONE_TRY(count_nulls(c, b, all, node.nulls, a));
    if (c->dictionary) {
        a->n_buffers = 2;
        HONE_TRY(take_buffer(c, b, all, hone_arrow_width(f), a, 1));
        a->dictionary = k->arrays + k->used++;
        HONE_TRY(take_array(c->dictionary, b, k, a->dictionary, -1));
        return check_indices(c, a);
    }
    int64_t size = hone_arrow_fixed_size(f), end;
    if (strcmp(f, "n") == 0) {
        a->null_count = a->length;
        return HONE_OK;
    }
    a->n_buffers = 2;
    if (hone_arrow_width(f))
        return take_buffer(c, b, all, hone_arrow_width(f), a, 1);
    if (strcmp(f, "b") == 0)
        return take_buffer(c, b, hone__arrow_bits(all), 1, a, 1);
    if (f[0] == 'w')
        return take_buffer(c, b, all, (size_t)size, a, 1);
    if (f[0] == '+') {
        struct ArrowArray *first = k->arrays + k->used;
        a->n_buffers = strcmp(f, "+s") == 0 || size >= 0 ? 1 : 2;
        a->n_children = c->n_children;
        a->children = k->pointers + k->n_pointers;
        k->used += (size_t)c->n_children;
        k->n_pointers += (size_t)c->n_children;
        end = (int64_t)all;
        if (size > 0 && all > (uint64_t)INT64_MAX / 16 / (uint64_t)size)
            return bad(c, "its array makes no sense");
        if (size >= 0)
            end = (int64_t)all * size;
        else if (strcmp(f, "+s") != 0)
            HONE_TRY(take_offsets(c, b, all, a, &end));
        for (int64_t i = 0; i < c->n_children; i++) {
            a->children[i] = first + i;
            HONE_TRY(take_array(c->children[i], b, k, first + i, end));
        }
        return HONE_OK;
    }
    a->n_buffers = 3;
    HONE_TRY(take_offsets(c, b, all, a, &end));
    HONE_TRY(take_buffer(c, b, (uint64_t)end, 1, a, 2));
    return check_text(c, a);
}

static void count(const struct ArrowSchema *c, size_t *arrays, size_t *pointers)
{
    ++*arrays;
    *pointers += (size_t)c->n_children;
    for (int64_t i = 0; i < c->n_children; i++)
        count(c->children[i], arrays, pointers);
    if (c->dictionary)
        count(c->dictionary, arrays, pointers);
}

hone_status hone_arrow_take_batch(const struct ArrowSchema *schema, void *own, size_t n,
                                  struct ArrowArray *out)
{
    bytes b = {own, n, 0};
    size_t arrays = 0, pointers = 0;
    hone_status s = HONE_E_NOMEM;
    batch_block *k = hone_calloc(1, sizeof *k);
    if (!k) {
        hone_free(own);
        return s;
    }
    count(schema, &arrays, &pointers);
    k->bytes = own;
    k->arrays = hone_calloc(arrays, sizeof *k->arrays);
    k->pointers = hone_calloc(pointers + 1, sizeof(struct ArrowArray *));
    k->buffers = hone_calloc(3 * arrays, sizeof *k->buffers);
    atomic_init(&k->holders, arrays);
    if (k->arrays && k->pointers && k->buffers) {
        k->used = 1;
        s = take_array(schema, &b, k, k->arrays, -1);
    }
    if (s >= 0 && b.used != n)
        s = hone_fail(HONE_E_MISBEHAVED, "a batch of %zu bytes, of which its columns take %zu", n,
                      b.used);
    if (s < 0) {
        free_batch_block(k);
        return s;
    }
    *out = *k->arrays; /* the root's holder goes with the copy */
    return HONE_OK;
}
