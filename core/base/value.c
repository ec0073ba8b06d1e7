/* value.c - look-ups, typed reads, copies of hone_value trees (json.h).
 *
 * Maps are short lists of pairs in order; look-ups walk them. Whoever asks for thousands of keys
 * makes a hone_map. Typed reads name the key in their error and leave the output alone on failure. */
#include "base/json.h"

#include <math.h>
#include <string.h>

int hone_str_eq(hone_str a, const char *z)
{
    size_t n = strlen(z);
    return a.len == n && (n == 0 || memcmp(a.ptr, z, n) == 0);
}

int hone_str_same(hone_str a, hone_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

const hone_value *hone_value_get_str(const hone_value *map, hone_str key)
{
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++)
        if (hone_str_same(map->u.map.pairs[i].key, key))
            return &map->u.map.pairs[i].value;
    return NULL;
}

const hone_value *hone_value_get(const hone_value *map, const char *key)
{
    return hone_value_get_str(map, hone_str_c(key));
}

const hone_value *hone_value_path(const hone_value *map, const char *dotted)
{
    while (map) {
        size_t n = strcspn(dotted, ".");
        hone_str key = {dotted, n};
        map = hone_value_get_str(map, key);
        if (!dotted[n])
            break;
        dotted += n + 1;
    }
    return map;
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"null",     "a boolean", "a whole number", "a number",
                                        "a string", "bytes",     "a list",         "an object"};
    return type < sizeof names / sizeof *names ? names[type] : "a value of unknown type";
}

static hone_status wrong_type(const char *key, const char *want, const hone_value *v)
{
    return hone_fail(HONE_E_TYPE, "\"%s\" must be %s, not %s", key, want, type_name(v->type));
}

/* The value of a key, or NULL when the default holds. */
static const hone_value *present(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type != HONE_NULL ? v : NULL;
}

hone_status hone_value_i64(const hone_value *map, const char *key, int64_t dflt, int64_t *out)
{
    const hone_value *v = present(map, key);
    if (!v) {
        *out = dflt;
    } else if (v->type == HONE_I64) {
        *out = v->u.i64;
    } else if (v->type == HONE_F64) {
        double d = v->u.f64;
        if (!(d >= -0x1p63 && d < 0x1p63) || (double)(int64_t)d != d)
            return wrong_type(key, "a whole number", v);
        *out = (int64_t)d;
    } else {
        return wrong_type(key, "a whole number", v);
    }
    return HONE_OK;
}

hone_status hone_value_f64(const hone_value *map, const char *key, double dflt, double *out)
{
    const hone_value *v = present(map, key);
    if (!v)
        *out = dflt;
    else if (v->type == HONE_F64)
        *out = v->u.f64;
    else if (v->type == HONE_I64)
        *out = (double)v->u.i64;
    else
        return wrong_type(key, "a number", v);
    return HONE_OK;
}

double hone_value_number(const hone_value *v)
{
    return v && v->type == HONE_F64   ? v->u.f64
           : v && v->type == HONE_I64 ? (double)v->u.i64
                                      : (double)NAN;
}

int hone_value_says_nothing(const hone_value *v)
{
    switch (v->type) {
    case HONE_NULL:
        return 1;
    case HONE_BOOL:
        return !v->u.boolean;
    case HONE_I64:
        return v->u.i64 == 0;
    case HONE_F64:
        return !(v->u.f64 > 0.0 || v->u.f64 < 0.0);
    case HONE_STRING:
    case HONE_BYTES:
        return v->u.str.len == 0;
    case HONE_LIST:
        return v->u.list.n == 0;
    case HONE_MAP:
        return v->u.map.n == 0;
    default:
        return 0;
    }
}

hone_status hone_value_bool(const hone_value *map, const char *key, int dflt, int *out)
{
    const hone_value *v = present(map, key);
    if (!v)
        *out = dflt;
    else if (v->type == HONE_BOOL)
        *out = v->u.boolean != 0;
    else
        return wrong_type(key, "a boolean", v);
    return HONE_OK;
}

hone_status hone_value_string(const hone_value *map, const char *key, hone_str dflt, hone_str *out)
{
    const hone_value *v = present(map, key);
    if (!v)
        *out = dflt;
    else if (v->type == HONE_STRING)
        *out = v->u.str;
    else
        return wrong_type(key, "a string", v);
    return HONE_OK;
}

static hone_status copy_at(hone_arena *arena, const hone_value *in, hone_value *out, int depth)
{
    hone_value v = *in;
    if (depth > HONE_JSON_DEPTH)
        return hone_fail(HONE_E_LIMIT, "a value nested more than %d deep", HONE_JSON_DEPTH);
    if (in->type == HONE_STRING || in->type == HONE_BYTES) {
        v.u.str = hone_arena_str(arena, in->u.str);
        if (!v.u.str.ptr)
            return hone_error_get()->code;
    } else if (in->type == HONE_LIST) {
        hone_value *items = hone_arena_calloc(arena, in->u.list.n, sizeof *items);
        if (!items)
            return hone_error_get()->code;
        for (size_t i = 0; i < in->u.list.n; i++)
            HONE_TRY(copy_at(arena, &in->u.list.items[i], &items[i], depth + 1));
        v.u.list.items = items;
    } else if (in->type == HONE_MAP) {
        hone_pair *pairs = hone_arena_calloc(arena, in->u.map.n, sizeof *pairs);
        if (!pairs)
            return hone_error_get()->code;
        for (size_t i = 0; i < in->u.map.n; i++) {
            pairs[i].key = hone_arena_str(arena, in->u.map.pairs[i].key);
            if (!pairs[i].key.ptr)
                return hone_error_get()->code;
            HONE_TRY(copy_at(arena, &in->u.map.pairs[i].value, &pairs[i].value, depth + 1));
        }
        v.u.map.pairs = pairs;
    }
    *out = v;
    return HONE_OK;
}

hone_status hone_value_copy(hone_arena *arena, const hone_value *in, hone_value *out)
{
    return copy_at(arena, in, out, 0);
}

/* Same content: maps in any order, 3 equals 3.0 (JSON text does not tell them apart), NaN equals NaN. */
int hone_value_equal(const hone_value *a, const hone_value *b)
{
    if (a->type == HONE_F64 && b->type == HONE_I64) {
        const hone_value *t = a;
        a = b;
        b = t;
    }
    if (a->type == HONE_I64 && b->type == HONE_F64)
        return b->u.f64 >= -0x1p63 && b->u.f64 < 0x1p63 && (int64_t)b->u.f64 == a->u.i64 &&
               (double)(int64_t)b->u.f64 == b->u.f64;
    if (a->type != b->type)
        return 0;
    switch (a->type) {
    case HONE_NULL:
        return 1;
    case HONE_BOOL:
        return (a->u.boolean != 0) == (b->u.boolean != 0);
    case HONE_I64:
        return a->u.i64 == b->u.i64;
    case HONE_F64:
        return a->u.f64 == b->u.f64 || (a->u.f64 != a->u.f64 && b->u.f64 != b->u.f64);
    case HONE_STRING:
    case HONE_BYTES:
        return hone_str_same(a->u.str, b->u.str);
    case HONE_LIST:
        if (a->u.list.n != b->u.list.n)
            return 0;
        for (size_t i = 0; i < a->u.list.n; i++)
            if (!hone_value_equal(&a->u.list.items[i], &b->u.list.items[i]))
                return 0;
        return 1;
    case HONE_MAP:
        if (a->u.map.n != b->u.map.n)
            return 0;
        for (size_t i = 0; i < a->u.map.n; i++) {
            /* most often in the same order: look there first */
            const hone_value *other = hone_str_same(a->u.map.pairs[i].key, b->u.map.pairs[i].key)
                                          ? &b->u.map.pairs[i].value
                                          : hone_value_get_str(b, a->u.map.pairs[i].key);
            if (!other || !hone_value_equal(&a->u.map.pairs[i].value, other))
                return 0;
        }
        return 1;
    default:
        return 0;
    }
}
