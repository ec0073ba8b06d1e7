/* gguf.c - a cursor that cannot run past the file, and nothing believed before it is checked.
 *
 * Every read goes through need(), which compares with what is left, so no count or length of the file can
 * make hone read or allocate beyond a small multiple of the file's size: counts are held against the bytes
 * their smallest elements would take before memory is asked for. Strings are copied (metadata outlives
 * the mapping). Tensor data must be aligned, inside the file, and disjoint.
 *
 * Does not: guess. An unknown value type or tensor type is an error that names it. */
#include "nn/gguf.h"
#include "base/alloc.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 120, MIN_PAIR = 8 + 4 + 1, MIN_TENSOR = 8 + 4 + 4 + 8 };
static int shown(hone_str s)
{
    return s.len < SHOWN ? (int)s.len : SHOWN;
}

/* Value types of the format. */
enum {
    V_U8,
    V_I8,
    V_U16,
    V_I16,
    V_U32,
    V_I32,
    V_F32,
    V_BOOL,
    V_STRING,
    V_ARRAY,
    V_U64,
    V_I64,
    V_F64,
    V_COUNT
};
static const uint8_t value_size[V_COUNT] = {1, 1, 2,  2, 4, 4, 4,
                                            1, 8, 12, 8, 8, 8}; /* least bytes */

typedef struct cursor {
    const unsigned char *p;
    size_t at, len;
    hone_arena *arena;
} cursor;

static hone_status need(const cursor *c, uint64_t n)
{
    if (n <= c->len - c->at)
        return HONE_OK;
    hone_fail(HONE_E_PARSE, "cut off: %llu bytes wanted at byte %zu of %zu", (unsigned long long)n,
              c->at, c->len);
    return hone_fail_hint("the file is damaged or was not copied whole");
}
static uint64_t take(cursor *c, unsigned n) /* after need() */
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)c->p[c->at + i] << (8 * i);
    c->at += n;
    return v;
}
static hone_status read_uint(cursor *c, unsigned n, uint64_t *out)
{
    HONE_TRY(need(c, n));
    *out = take(c, n);
    return HONE_OK;
}
/* A string, copied into the arena. */
static hone_status read_string(cursor *c, hone_str *out)
{
    uint64_t n;
    HONE_TRY(read_uint(c, 8, &n));
    HONE_TRY(need(c, n));
    char *copy = hone_arena_strndup(c->arena, (const char *)c->p + c->at, (size_t)n);
    if (!copy)
        return hone_error_get()->code;
    c->at += (size_t)n;
    out->ptr = copy;
    out->len = (size_t)n;
    return HONE_OK;
}

/* Well-formed UTF-8 (RFC 3629: no surrogates, nothing above U+10FFFF, shortest forms)? */
int hone__utf8(hone_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;
    while (p < end) {
        unsigned char c = *p++;
        unsigned more, low = 0x80, high = 0xBF;
        if (c < 0x80)
            continue;
        if (c >= 0xC2 && c <= 0xDF) {
            more = 1;
        } else if (c >= 0xE0 && c <= 0xEF) {
            more = 2;
            low = c == 0xE0 ? 0xA0 : 0x80;
            high = c == 0xED ? 0x9F : 0xBF;
        } else if (c >= 0xF0 && c <= 0xF4) {
            more = 3;
            low = c == 0xF0 ? 0x90 : 0x80;
            high = c == 0xF4 ? 0x8F : 0xBF;
        } else {
            return 0;
        }
        for (; more; more--, low = 0x80, high = 0xBF)
            if (p == end || *p < low || *p++ > high)
                return 0;
    }
    return 1;
}

/* The double with the shortest decimals that still is `f` as a float: 1e-05, not 9.999999747e-06, as a
 * config.json would have it. */
static double short_double(float f)
{
    char text[33];
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return (double)f;
    text[hone_format_f32(f, text)] = 0;
    return hone_parse_f64(text, NULL);
}

static hone_status read_value(cursor *c, uint32_t type, int depth, hone_value *out);

static hone_status read_array(cursor *c, int depth, hone_value *out)
{
    uint64_t type, n;
    HONE_TRY(read_uint(c, 4, &type));
    HONE_TRY(read_uint(c, 8, &n));
    if (type >= V_COUNT)
        return hone_fail(HONE_E_PARSE, "an array of value type %llu, which is not known",
                         (unsigned long long)type);
    if (depth >= HONE_GGUF_NESTING)
        return hone_fail(HONE_E_LIMIT, "arrays nested deeper than %d", HONE_GGUF_NESTING);
    if (n > (c->len - c->at) / value_size[type]) {
        hone_fail(HONE_E_PARSE, "an array of %llu elements ends past the file",
                  (unsigned long long)n);
        return hone_fail_hint("the file is damaged or was not copied whole");
    }
    hone_value *items = hone_arena_calloc(c->arena, n ? (size_t)n : 1, sizeof *items);
    if (!items)
        return hone_error_get()->code;
    for (size_t i = 0; i < n; i++)
        if (read_value(c, (uint32_t)type, depth + 1, &items[i]) < 0)
            return hone_fail_at("element %zu", i);
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = (size_t)n;
    return HONE_OK;
}

static hone_status read_value(cursor *c, uint32_t type, int depth, hone_value *out)
{
    if (type >= V_COUNT)
        return hone_fail(HONE_E_PARSE, "value type %u is not known", type);
    if (type == V_ARRAY)
        return read_array(c, depth, out);
    if (type == V_STRING) {
        HONE_TRY(read_string(c, &out->u.str));
        out->type = hone__utf8(out->u.str) ? HONE_STRING : HONE_BYTES;
        return HONE_OK;
    }
    uint64_t bits;
    HONE_TRY(read_uint(c, value_size[type], &bits));
    out->type = HONE_I64;
    switch (type) {
    case V_I8:
        out->u.i64 = (int8_t)bits;
        break;
    case V_I16:
        out->u.i64 = (int16_t)bits;
        break;
    case V_I32:
        out->u.i64 = (int32_t)bits;
        break;
    case V_F32: {
        uint32_t u = (uint32_t)bits;
        float f;
        memcpy(&f, &u, sizeof f);
        out->type = HONE_F64;
        out->u.f64 = depth ? (double)f : short_double(f);
        break;
    }
    case V_F64:
        out->type = HONE_F64;
        memcpy(&out->u.f64, &bits, sizeof bits);
        break;
    case V_BOOL:
        if (bits > 1)
            return hone_fail(HONE_E_PARSE, "a boolean of value %llu", (unsigned long long)bits);
        out->type = HONE_BOOL;
        out->u.boolean = (int64_t)bits;
        break;
    case V_U64:
        if (bits > INT64_MAX) {
            out->type = HONE_F64;
            out->u.f64 = (double)bits;
            break;
        }
        out->u.i64 = (int64_t)bits;
        break;
    default:
        out->u.i64 = (int64_t)bits;
        break;
    }
    return HONE_OK;
}

static hone_status read_metadata(hone_gguf *g, cursor *c, uint64_t n, const char *name)
{
    hone_map seen;
    hone_status s = HONE_OK;
    if (n > (c->len - c->at) / MIN_PAIR)
        return hone_fail(HONE_E_PARSE, "%s: %llu metadata entries end past the file", name,
                         (unsigned long long)n);
    hone_pair *pairs = hone_arena_calloc(&g->arena, n ? (size_t)n : 1, sizeof *pairs);
    g->raw = hone_arena_calloc(&g->arena, n ? (size_t)n : 1, sizeof *g->raw);
    if (!pairs || !g->raw)
        return hone_error_get()->code;
    hone_map_init(&seen);
    for (size_t i = 0; i < n; i++) {
        uint64_t type;
        hone_str key;
        if ((s = read_string(c, &key)) < 0) {
            hone_fail_at("%s: metadata entry %zu", name, i);
            goto out;
        }
        if (key.len == 0 || !hone__utf8(key) || memchr(key.ptr, 0, key.len)) {
            s = hone_fail(HONE_E_PARSE, "%s: metadata entry %zu has a malformed key", name, i);
            goto out;
        }
        if (hone_map_has(&seen, key.ptr, key.len)) {
            s = hone_fail(HONE_E_PARSE, "%s: metadata key \"%.*s\" twice", name, shown(key),
                          key.ptr);
            goto out;
        }
        HONE_TRY_GOTO(hone_map_put(&seen, key.ptr, key.len, &pairs[i], NULL), out);
        size_t begin = c->at;
        s = read_uint(c, 4, &type);
        if (s >= 0)
            s = read_value(c, (uint32_t)type, 0, &pairs[i].value);
        g->raw[i] = (hone_str){(const char *)c->p + begin, c->at - begin};
        if (s < 0) {
            hone_fail_at("%s: metadata \"%.*s\"", name, shown(key), key.ptr);
            goto out;
        }
        pairs[i].key = key;
    }
    g->metadata.type = HONE_MAP;
    g->metadata.u.map.pairs = pairs;
    g->metadata.u.map.n = (size_t)n;
out:
    hone_map_release(&seen);
    return s;
}

/* Name, dims, type, offset of one tensor; `data` is still the offset. */
static hone_status read_tensor(cursor *c, hone_file_tensor *t, uint64_t *offset)
{
    uint64_t n_dims, number, dim;
    HONE_TRY(read_string(c, &t->name));
    if (t->name.len == 0 || !hone__utf8(t->name) || memchr(t->name.ptr, 0, t->name.len))
        return hone_fail(HONE_E_PARSE, "a malformed name");
    HONE_TRY(read_uint(c, 4, &n_dims));
    if (n_dims < 1 || n_dims > HONE_GGUF_DIMS)
        return hone_fail(HONE_E_PARSE, "%llu dimensions", (unsigned long long)n_dims);
    t->n_dims = (uint32_t)n_dims;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        HONE_TRY(read_uint(c, 8, &dim));
        if (dim < 1 || dim > INT64_MAX)
            return hone_fail(HONE_E_RANGE, "a dimension of %llu", (unsigned long long)dim);
        t->dims[t->n_dims - 1 - i] = (int64_t)dim; /* the file counts from the innermost */
    }
    HONE_TRY(read_uint(c, 4, &number));
    t->type = number <= UINT32_MAX ? hone_file_type_ggml((uint32_t)number) : NULL;
    if (!t->type) {
        hone_fail(HONE_E_UNSUPPORTED, "its type %llu (%s) is not read", (unsigned long long)number,
                  hone_ggml_type_name((uint32_t)number));
        return hone_fail_hint("hone reads f32 f16 bf16, q4_0 q4_1 q5_0 q5_1 q8_0, q2_k to q6_k, "
                              "iq4_nl and iq4_xs: quantise the model to one of these");
    }
    HONE_TRY(hone_file_tensor_shape(t));
    return read_uint(c, 8, offset);
}

static int by_place(const void *a, const void *b)
{
    const hone_file_tensor *const *x = a, *const *y = b;
    return (*x)->data < (*y)->data ? -1 : (*x)->data > (*y)->data;
}

static hone_status check_overlaps(const hone_gguf *g, const char *name)
{
    size_t bytes;
    if (g->n == 0)
        return HONE_OK;
    if (!hone_mul_size(g->n, sizeof(void *), &bytes))
        return hone_fail(HONE_E_RANGE, "%s: too many tensors", name);
    const hone_file_tensor **order = hone_alloc(bytes);
    if (!order)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < g->n; i++)
        order[i] = &g->tensors[i];
    qsort(order, g->n, sizeof *order, by_place);
    hone_status s = HONE_OK;
    for (size_t i = 1; i < g->n && s >= 0; i++)
        if (order[i - 1]->data + order[i - 1]->size > order[i]->data)
            s = hone_fail(HONE_E_RANGE, "%s: tensors \"%.*s\" and \"%.*s\" overlap", name,
                          shown(order[i - 1]->name), order[i - 1]->name.ptr, shown(order[i]->name),
                          order[i]->name.ptr);
    hone_free(order);
    return s;
}

static hone_status read_tensors(hone_gguf *g, cursor *c, uint64_t n, const char *name)
{
    uint64_t *offsets = NULL;
    hone_status s;
    if (n > (c->len - c->at) / MIN_TENSOR)
        return hone_fail(HONE_E_PARSE, "%s: %llu tensor descriptions end past the file", name,
                         (unsigned long long)n);
    g->tensors = hone_arena_calloc(&g->arena, n ? (size_t)n : 1, sizeof *g->tensors);
    offsets = hone_calloc(n ? (size_t)n : 1, sizeof *offsets);
    if (!g->tensors || !offsets) {
        s = hone_error_get()->code;
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        hone_file_tensor *t = &g->tensors[i];
        if ((s = read_tensor(c, t, &offsets[i])) < 0) {
            if (t->name.ptr)
                hone_fail_at("%s: tensor \"%.*s\"", name, shown(t->name), t->name.ptr);
            else
                hone_fail_at("%s: tensor %zu", name, i);
            goto out;
        }
        if (hone_map_has(&g->names, t->name.ptr, t->name.len)) {
            s = hone_fail(HONE_E_PARSE, "%s: tensor \"%.*s\" twice", name, shown(t->name),
                          t->name.ptr);
            goto out;
        }
        HONE_TRY_GOTO(hone_map_put(&g->names, t->name.ptr, t->name.len, t, NULL), out);
    }
    /* data begins at the next multiple of the alignment */
    size_t padded, pad = c->at % (size_t)g->alignment;
    if (!hone_add_size(c->at, pad ? (size_t)g->alignment - pad : 0, &padded)) {
        s = hone_fail(HONE_E_RANGE, "%s: alignment of %llu", name,
                      (unsigned long long)g->alignment);
        goto out;
    }
    g->data_start = padded;
    s = HONE_OK;
    for (size_t i = 0; i < n; i++) {
        hone_file_tensor *t = &g->tensors[i];
        uint64_t at = offsets[i];
        if (at % g->alignment) {
            s = hone_fail(HONE_E_RANGE,
                          "%s: tensor \"%.*s\": its offset %llu is no multiple of %llu", name,
                          shown(t->name), t->name.ptr, (unsigned long long)at,
                          (unsigned long long)g->alignment);
            goto out;
        }
        if (padded > c->len || at > c->len - padded || t->size > c->len - padded - at) {
            s = hone_fail(
                HONE_E_RANGE,
                "%s: tensor \"%.*s\": %zu bytes at offset %llu end past the file (%zu bytes)", name,
                shown(t->name), t->name.ptr, t->size, (unsigned long long)at, c->len);
            hone_fail_hint("the file is cut off or was not copied whole");
            goto out;
        }
        t->data = c->p + padded + at;
    }
    g->n = (size_t)n;
    s = check_overlaps(g, name);
out:
    hone_free(offsets);
    return s;
}

static hone_status parse(hone_gguf *g, const unsigned char *p, size_t len, const char *name)
{
    cursor c = {p, 4, len, &g->arena};
    uint64_t version, n_tensors, n_pairs;
    if (len < 8 || memcmp(p, "GGUF", 4) != 0)
        return hone_fail(HONE_E_PARSE, "%s: no GGUF file", name);
    version = take(&c, 4);
    if (version == 2u << 24 || version == 3u << 24)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: a big-endian GGUF file", name);
    if (version != 2 && version != 3) {
        hone_fail(HONE_E_UNSUPPORTED, "%s: GGUF version %llu", name, (unsigned long long)version);
        return hone_fail_hint("hone reads versions 2 and 3");
    }
    g->version = (uint32_t)version;
    if (read_uint(&c, 8, &n_tensors) < 0 || read_uint(&c, 8, &n_pairs) < 0)
        return hone_fail_at("%s", name);
    HONE_TRY(read_metadata(g, &c, n_pairs, name));
    int64_t alignment;
    if (hone_value_i64(&g->metadata, "general.alignment", HONE_GGUF_ALIGNMENT, &alignment) < 0)
        return hone_fail_at("%s", name);
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)))
        return hone_fail(HONE_E_RANGE, "%s: general.alignment is %lld, no power of two up to 2^20",
                         name, (long long)alignment);
    g->alignment = (uint64_t)alignment;
    return read_tensors(g, &c, n_tensors, name);
}

hone_status hone_gguf_parse(hone_gguf *g, const void *bytes, size_t n, const char *name)
{
    hone_gguf fresh = {0};
    hone_arena_init(&fresh.arena, (size_t)4 << 30);
    hone_map_init(&fresh.names);
    hone_status s = parse(&fresh, bytes, n, name);
    if (s < 0) {
        hone_gguf_release(&fresh);
        return s;
    }
    *g = fresh;
    return HONE_OK;
}

hone_status hone_gguf_open(hone_gguf *g, const char *path)
{
    hone_mapped file;
    HONE_TRY(hone_file_map(path, &file));
    hone_status s = hone_gguf_parse(g, file.ptr, file.len, path);
    if (s < 0) {
        hone_file_unmap(&file);
        return s;
    }
    g->file = file;
    return HONE_OK;
}

void hone_gguf_release(hone_gguf *g)
{
    hone_map_release(&g->names);
    hone_arena_release(&g->arena);
    if (g->file.ptr)
        hone_file_unmap(&g->file);
    memset(g, 0, sizeof *g);
}

const hone_file_tensor *hone_gguf_find(const hone_gguf *g, hone_str name)
{
    return hone_map_get(&g->names, name.ptr, name.len);
}
