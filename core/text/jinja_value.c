/* jinja_value.c - values that behave as Python's do where templates can see it.
 *
 * Truth, equality (1 == 1.0 == True), order, str() and repr(), indexing by characters and not by bytes,
 * negative indices, undefined values that print as nothing and fail when looked into. Dicts keep
 * insertion order and are searched from the front; every search is paid for in steps. */
#include "text/jinja_int.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int hone__jinja_is(hone_str s, const char *z)
{
    size_t n = strlen(z);
    return s.len == n && memcmp(s.ptr, z, n) == 0;
}

int hone__jinja_same(hone_str a, hone_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

const char *hone__jinja_type_name(const jval *v)
{
    static const char *const names[] = {"undefined", "None",      "bool",   "int",    "float",
                                        "str",       "list",      "tuple",  "dict",   "generator",
                                        "view",      "Namespace", "Cycler", "Joiner", "LoopContext",
                                        "Macro",     "function",  "method", "nothing"};
    static const char *const views[] = {"view", "dict_keys", "dict_values", "dict_items", "range"};
    if (v->type == J_VIEW)
        return views[v->u.list->view < V_GROUP ? v->u.list->view : 0];
    return names[v->type];
}

/* ---- making ---------------------------------------------------------------------------------------------- */
hone_status hone__jinja_new_list(jrun *r, jtype type, size_t cap, jval *out)
{
    jlist *l = hone_arena_calloc(&r->arena, 1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    if (cap) {
        l->v = hone_arena_calloc(&r->arena, cap, sizeof *l->v);
        if (!l->v)
            return HONE_E_NOMEM;
        l->cap = cap;
    }
    memset(out, 0, sizeof *out);
    out->type = type;
    out->u.list = l;
    return HONE_OK;
}

hone_status hone__jinja_push(jrun *r, jlist *l, jval v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        jval *p = hone_arena_calloc(&r->arena, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        if (l->n)
            memcpy(p, l->v, l->n * sizeof *p);
        l->v = p;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return hone__jinja_step(r, 1);
}

hone_status hone__jinja_new_dict(jrun *r, jtype type, size_t cap, jval *out)
{
    jdict *d = hone_arena_calloc(&r->arena, 1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    if (cap) {
        d->v = hone_arena_calloc(&r->arena, cap, sizeof *d->v);
        if (!d->v)
            return HONE_E_NOMEM;
        d->cap = cap;
    }
    memset(out, 0, sizeof *out);
    out->type = type;
    out->u.dict = d;
    return HONE_OK;
}

const jval *hone__jinja_dict_get(const jdict *d, const jval *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (hone__jinja_equal(&d->v[i].key, key, 0))
            return &d->v[i].val;
    return NULL;
}

const jval *hone__jinja_dict_get_str(const jdict *d, hone_str key)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].key.type == J_STR && hone__jinja_same(d->v[i].key.u.str, key))
            return &d->v[i].val;
    return NULL;
}

hone_status hone__jinja_dict_put(jrun *r, jdict *d, jval key, jval val)
{
    if (key.type == J_LIST || key.type == J_DICT)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "a %s cannot be a key",
                                hone__jinja_type_name(&key));
    HONE_TRY(hone__jinja_step(r, 1 + d->n / 8));
    jval *old = (jval *)hone__jinja_dict_get(d, &key);
    if (old) {
        *old = val;
        return HONE_OK;
    }
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 8;
        jpair *p = hone_arena_calloc(&r->arena, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        if (d->n)
            memcpy(p, d->v, d->n * sizeof *p);
        d->v = p;
        d->cap = cap;
    }
    d->v[d->n].key = key;
    d->v[d->n++].val = val;
    return HONE_OK;
}

/* Keys of a hone_value map are unique already: no search. */
hone_status hone__jinja_import(jrun *r, const hone_value *in, int depth, jval *out)
{
    if (depth > J_NESTING)
        return hone__jinja_fail(r, HONE_E_LIMIT, "a value is nested deeper than %d", J_NESTING);
    HONE_TRY(hone__jinja_step(r, 1));
    switch (in->type) {
    case HONE_NULL:
        *out = j_none();
        return HONE_OK;
    case HONE_BOOL:
        *out = j_bool(in->u.boolean != 0);
        return HONE_OK;
    case HONE_I64:
        *out = j_int(in->u.i64);
        return HONE_OK;
    case HONE_F64:
        *out = j_float(in->u.f64);
        return HONE_OK;
    case HONE_STRING:
        *out = j_str(in->u.str);
        return HONE_OK;
    case HONE_LIST:
        HONE_TRY(hone__jinja_new_list(r, J_LIST, in->u.list.n, out));
        for (size_t i = 0; i < in->u.list.n; i++) {
            HONE_TRY(hone__jinja_import(r, &in->u.list.items[i], depth + 1, &out->u.list->v[i]));
            out->u.list->n++;
        }
        return HONE_OK;
    case HONE_MAP:
        HONE_TRY(hone__jinja_new_dict(r, J_DICT, in->u.map.n, out));
        for (size_t i = 0; i < in->u.map.n; i++) {
            out->u.dict->v[i].key = j_str(in->u.map.pairs[i].key);
            HONE_TRY(hone__jinja_import(r, &in->u.map.pairs[i].value, depth + 1,
                                        &out->u.dict->v[i].val));
            out->u.dict->n++;
        }
        return HONE_OK;
    default:
        return hone__jinja_fail(r, HONE_E_TYPE, "a value of type %u cannot be given to a template",
                                in->type);
    }
}

hone_status hone__jinja_copy_str(jrun *r, const char *p, size_t n, jval *out)
{
    hone_str s = {"", n};
    if (n > r->max_output)
        return hone__jinja_fail(r, HONE_E_LIMIT, "a text is longer than %zu bytes", r->max_output);
    if (n) {
        char *q = hone_arena_strndup(&r->arena, p, n);
        if (!q)
            return HONE_E_NOMEM;
        s.ptr = q;
    }
    *out = j_str(s);
    return hone__jinja_step(r, n / 64);
}

hone_status hone__jinja_take_buf(jrun *r, hone_buf *b, jval *out)
{
    hone_status s = b->failed == HONE_E_LIMIT
                        ? hone__jinja_fail(r, HONE_E_LIMIT, "a text is longer than %zu bytes",
                                           b->max)
                    : b->failed < 0 ? b->failed
                                    : hone__jinja_copy_str(r, b->ptr, b->len, out);
    hone_buf_release(b);
    return s;
}

/* ---- asking ------------------------------------------------------------------------------------------------ */
int hone__jinja_truth(const jval *v)
{
    switch (v->type) {
    case J_UNDEF:
    case J_NONE:
    case J_ABSENT:
        return 0;
    case J_BOOL:
    case J_INT:
        return v->u.i != 0;
    case J_FLOAT:
        return v->u.f != 0;
    case J_STR:
        return v->u.str.len > 0;
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        return v->u.list->n > 0;
    case J_DICT:
        return v->u.dict->n > 0;
    default:
        return 1;
    }
}

static int num_order(const jval *a, const jval *b) /* -1 0 1; 2 for NaN */
{
    if (a->type != J_FLOAT && b->type != J_FLOAT)
        return (a->u.i > b->u.i) - (a->u.i < b->u.i);
    double x = j_num(a), y = j_num(b);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

int hone__jinja_equal(const jval *a, const jval *b, int depth)
{
    if (j_is_num(a) && j_is_num(b))
        return num_order(a, b) == 0;
    if (a->type != b->type || depth > J_NESTING)
        return 0;
    switch (a->type) {
    case J_UNDEF:
    case J_NONE:
        return 1;
    case J_STR:
        return hone__jinja_same(a->u.str, b->u.str);
    case J_VIEW:
        if (a->u.list->view != V_RANGE || b->u.list->view != V_RANGE)
            return a->u.list == b->u.list;
        /* fall through */
    case J_LIST:
    case J_TUPLE:
        if (a->u.list->n != b->u.list->n)
            return 0;
        for (size_t i = 0; a->u.list != b->u.list && i < a->u.list->n; i++)
            if (!hone__jinja_equal(&a->u.list->v[i], &b->u.list->v[i], depth + 1))
                return 0;
        return 1;
    case J_DICT:
        if (a->u.dict->n != b->u.dict->n)
            return 0;
        for (size_t i = 0; a->u.dict != b->u.dict && i < a->u.dict->n; i++) {
            const jval *other = hone__jinja_dict_get(b->u.dict, &a->u.dict->v[i].key);
            if (!other || !hone__jinja_equal(&a->u.dict->v[i].val, other, depth + 1))
                return 0;
        }
        return 1;
    default:
        return a->u.list == b->u.list;
    }
}

/* Steps that comparing with `v` may take. */
static size_t weight(const jval *v, int depth)
{
    size_t sum = 1;
    if (v->type == J_STR)
        return 1 + v->u.str.len / 64;
    if (depth > J_NESTING)
        return 1;
    if (v->type == J_LIST || v->type == J_TUPLE)
        for (size_t i = 0; i < v->u.list->n; i++)
            sum += weight(&v->u.list->v[i], depth + 1);
    if (v->type == J_DICT) {
        sum += v->u.dict->n * v->u.dict->n / 16;
        for (size_t i = 0; i < v->u.dict->n; i++)
            sum += weight(&v->u.dict->v[i].val, depth + 1);
    }
    return sum;
}

hone_status hone__jinja_pay_equal(jrun *r, const jval *v, size_t times)
{
    size_t cost;
    if (!hone_mul_size(weight(v, 0), times, &cost))
        cost = SIZE_MAX;
    return hone__jinja_step(r, cost / 8);
}

hone_status hone__jinja_order(jrun *r, const jval *a, const jval *b, int *out)
{
    HONE_TRY(hone__jinja_step(r, 1));
    if (j_is_num(a) && j_is_num(b)) {
        *out = num_order(a, b);
        return HONE_OK;
    }
    if (a->type == J_STR && b->type == J_STR) { /* UTF-8 sorts as code points do */
        size_t n = a->u.str.len < b->u.str.len ? a->u.str.len : b->u.str.len;
        int c = n ? memcmp(a->u.str.ptr, b->u.str.ptr, n) : 0;
        *out = c ? (c > 0) - (c < 0)
                 : (a->u.str.len > b->u.str.len) - (a->u.str.len < b->u.str.len);
        return HONE_OK;
    }
    if (a->type == b->type && (a->type == J_LIST || a->type == J_TUPLE)) {
        for (size_t i = 0; i < a->u.list->n && i < b->u.list->n; i++)
            if (!hone__jinja_equal(&a->u.list->v[i], &b->u.list->v[i], 0)) {
                if (r->order_depth >= J_NESTING)
                    return hone__jinja_fail(r, HONE_E_LIMIT,
                                            "lists are nested too deep to compare");
                r->order_depth++;
                hone_status s = hone__jinja_order(r, &a->u.list->v[i], &b->u.list->v[i], out);
                r->order_depth--;
                return s;
            }
        *out = (a->u.list->n > b->u.list->n) - (a->u.list->n < b->u.list->n);
        return HONE_OK;
    }
    if (a->type == J_UNDEF || b->type == J_UNDEF) {
        hone_str name = a->type == J_UNDEF ? a->u.str : b->u.str;
        return hone__jinja_fail(r, HONE_E_SCRIPT, "\"%.*s\" is undefined", (int)name.len, name.ptr);
    }
    return hone__jinja_fail(r, HONE_E_SCRIPT, "%s and %s have no order", hone__jinja_type_name(a),
                            hone__jinja_type_name(b));
}

size_t hone__jinja_char_len(hone_str s, size_t at)
{
    if ((unsigned char)s.ptr[at] < 0x80)
        return 1;
    int k = hone_utf8_step(s, at, NULL);
    return k > 0 ? (size_t)k : 1;
}

size_t hone__jinja_count_chars(hone_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += hone__jinja_char_len(s, i))
        n++;
    return n;
}

int hone__jinja_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static int in_set(hone_str s, size_t at, size_t n, const hone_str *chars)
{
    if (!chars) {
        uint32_t code;
        hone_str one = {s.ptr + at, n};
        return hone_utf8_step(one, 0, &code) > 0 && hone__jinja_space(code);
    }
    for (size_t i = 0, k; i < chars->len; i += k) {
        k = hone__jinja_char_len(*chars, i);
        if (k == n && memcmp(chars->ptr + i, s.ptr + at, n) == 0)
            return 1;
    }
    return 0;
}

hone_str hone__jinja_strip(hone_str s, const hone_str *chars, int left, int right)
{
    for (size_t k; left && s.len && in_set(s, 0, k = hone__jinja_char_len(s, 0), chars);) {
        s.ptr += k;
        s.len -= k;
    }
    while (right && s.len) {
        size_t at = s.len - 1;
        while (at > 0 && s.len - at < 4 && ((unsigned char)s.ptr[at] & 0xC0) == 0x80)
            at--;
        if (at + hone__jinja_char_len(s, at) != s.len)
            at = s.len - 1;
        if (!in_set(s, at, s.len - at, chars))
            break;
        s.len = at;
    }
    return s;
}

hone_status hone__jinja_length(jrun *r, const jval *v, int64_t *out)
{
    switch (v->type) {
    case J_UNDEF:
        *out = 0;
        return HONE_OK;
    case J_STR:
        *out = (int64_t)hone__jinja_count_chars(v->u.str);
        return hone__jinja_step(r, v->u.str.len / 64);
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        *out = (int64_t)v->u.list->n;
        return HONE_OK;
    case J_DICT:
        *out = (int64_t)v->u.dict->n;
        return HONE_OK;
    case J_LOOP:
        *out = (int64_t)v->u.loop->items->n;
        return HONE_OK;
    default:
        return hone__jinja_fail(r, HONE_E_SCRIPT, "object of type '%s' has no len()",
                                hone__jinja_type_name(v));
    }
}

hone_status hone__jinja_items(jrun *r, const jval *v, const jlist **out)
{
    jval list;
    switch (v->type) {
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        *out = v->u.list;
        return hone__jinja_step(r, v->u.list->n);
    case J_UNDEF:
        HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, &list));
        break;
    case J_GEN: {
        jlist *g = v->u.list;
        HONE_TRY(hone__jinja_new_list(r, J_LIST, g->n - g->at, &list));
        while (g->at < g->n)
            HONE_TRY(hone__jinja_push(r, list.u.list, g->v[g->at++]));
        break;
    }
    case J_DICT:
        HONE_TRY(hone__jinja_new_list(r, J_LIST, v->u.dict->n, &list));
        for (size_t i = 0; i < v->u.dict->n; i++)
            HONE_TRY(hone__jinja_push(r, list.u.list, v->u.dict->v[i].key));
        break;
    case J_STR:
        HONE_TRY(hone__jinja_new_list(r, J_LIST, v->u.str.len, &list));
        for (size_t i = 0, k; i < v->u.str.len; i += k) {
            k = hone__jinja_char_len(v->u.str, i);
            hone_str one = {v->u.str.ptr + i, k};
            HONE_TRY(hone__jinja_push(r, list.u.list, j_str(one)));
        }
        break;
    default:
        return hone__jinja_fail(r, HONE_E_SCRIPT, "'%s' object is not iterable",
                                hone__jinja_type_name(v));
    }
    *out = list.u.list;
    return hone__jinja_step(r, (*out)->n); /* whoever asks goes through them */
}

static const char *find(hone_str s, hone_str what)
{
    return what.len == 0      ? s.ptr
           : s.len < what.len ? NULL
                              : memmem(s.ptr, s.len, what.ptr, what.len);
}

hone_status hone__jinja_contains(jrun *r, const jval *needle, const jval *hay, int *out)
{
    const jlist *l;
    if (hay->type == J_STR) {
        if (needle->type != J_STR)
            return hone__jinja_fail(r, HONE_E_SCRIPT,
                                    "'in <string>' requires string as left operand, not %s",
                                    hone__jinja_type_name(needle));
        *out = needle->u.str.len == 0 || find(hay->u.str, needle->u.str) != NULL;
        return hone__jinja_step(r, hay->u.str.len / 64);
    }
    if (hay->type == J_DICT) {
        if (needle->type == J_LIST || needle->type == J_DICT)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "unhashable type: '%s'",
                                    hone__jinja_type_name(needle));
        *out = hone__jinja_dict_get(hay->u.dict, needle) != NULL;
        return hone__jinja_step(r, hay->u.dict->n / 8);
    }
    HONE_TRY(hone__jinja_items(r, hay, &l));
    HONE_TRY(hone__jinja_pay_equal(r, needle, l->n));
    *out = 0;
    for (size_t i = 0; i < l->n && !*out; i++)
        *out = hone__jinja_equal(&l->v[i], needle, 0);
    return HONE_OK;
}

/* ---- looking into ------------------------------------------------------------------------------------------- */
static hone_status undefined_error(jrun *r, const jval *v)
{
    if (v->u.str.len == 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "a value is undefined");
    return hone__jinja_fail(r, HONE_E_SCRIPT, "\"%.*s\" is undefined",
                            (int)(v->u.str.len < 100 ? v->u.str.len : 100), v->u.str.ptr);
}

/* The attribute that a type itself has; 0: none. */
static int own_attr(const jval *obj, hone_str name, jval *out)
{
    if (obj->type == J_LOOP) {
        const jloop *l = obj->u.loop;
        int64_t i = (int64_t)l->index, n = (int64_t)l->items->n;
        if (hone__jinja_is(name, "index"))
            *out = j_int(i + 1);
        else if (hone__jinja_is(name, "index0"))
            *out = j_int(i);
        else if (hone__jinja_is(name, "revindex"))
            *out = j_int(n - i);
        else if (hone__jinja_is(name, "revindex0"))
            *out = j_int(n - i - 1);
        else if (hone__jinja_is(name, "first"))
            *out = j_bool(i == 0);
        else if (hone__jinja_is(name, "last"))
            *out = j_bool(i == n - 1);
        else if (hone__jinja_is(name, "length"))
            *out = j_int(n);
        else if (hone__jinja_is(name, "depth"))
            *out = j_int(l->depth);
        else if (hone__jinja_is(name, "depth0"))
            *out = j_int(l->depth - 1);
        else if (hone__jinja_is(name, "previtem"))
            *out = i > 0 ? l->items->v[i - 1] : j_undef(name);
        else if (hone__jinja_is(name, "nextitem"))
            *out = i + 1 < n ? l->items->v[i + 1] : j_undef(name);
        else
            return 0;
        return 1;
    }
    if (obj->type == J_TUPLE && obj->u.list->view == V_GROUP && obj->u.list->n == 2) {
        int list = hone__jinja_is(name, "list");
        if (list || hone__jinja_is(name, "grouper"))
            *out = obj->u.list->v[list];
        return list || hone__jinja_is(name, "grouper");
    }
    if (obj->type == J_CYCLER && hone__jinja_is(name, "current")) {
        *out = obj->u.list->v[obj->u.list->at];
        return 1;
    }
    if (obj->type == J_MACRO) {
        const jnode *n = obj->u.macro->node;
        if (hone__jinja_is(name, "name"))
            *out = n->name.ptr ? j_str(n->name) : j_none();
        else if (hone__jinja_is(name, "catch_kwargs"))
            *out = j_bool(n->op & J_KWARGS);
        else if (hone__jinja_is(name, "catch_varargs"))
            *out = j_bool(n->op & J_VARARGS);
        else if (hone__jinja_is(name, "caller"))
            *out = j_bool(n->op & J_CALLER);
        else
            return 0;
        return 1;
    }
    if (obj->type == J_NAMESPACE) {
        const jval *v = hone__jinja_dict_get_str(obj->u.dict, name);
        if (v)
            *out = *v;
        return v != NULL;
    }
    return 0;
}

static hone_status bind_method(jrun *r, const jval *obj, hone_str name, jval *out)
{
    jmethod *m = hone_arena_alloc(&r->arena, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    m->self = *obj;
    m->name = name;
    memset(out, 0, sizeof *out);
    out->type = J_METHOD;
    out->u.method = m;
    return HONE_OK;
}

hone_status hone__jinja_get_attr(jrun *r, const jval *obj, hone_str name, jval *out)
{
    if (obj->type == J_UNDEF)
        return undefined_error(r, obj);
    if (own_attr(obj, name, out))
        return HONE_OK;
    if (hone__jinja_has_method(obj, name))
        return bind_method(r, obj, name, out);
    if (name.len > 1 && name.ptr[0] == '_' && name.ptr[1] == '_')
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "attribute \"%.*s\" is not supported",
                                (int)(name.len < 60 ? name.len : 60), name.ptr);
    const jval *v = obj->type == J_DICT ? hone__jinja_dict_get_str(obj->u.dict, name) : NULL;
    *out = v ? *v : j_undef(name);
    return hone__jinja_step(r, obj->type == J_DICT ? obj->u.dict->n / 8 : 0);
}

hone_status hone__jinja_get_item(jrun *r, const jval *obj, const jval *key, jval *out)
{
    hone_str none = {"", 0};
    if (obj->type == J_UNDEF)
        return undefined_error(r, obj);
    if (obj->type == J_DICT) {
        const jval *v = hone__jinja_dict_get(obj->u.dict, key);
        HONE_TRY(hone__jinja_step(r, obj->u.dict->n / 8));
        if (v) {
            *out = *v;
            return HONE_OK;
        }
    } else if (key->type == J_INT || key->type == J_BOOL) {
        int64_t i = key->u.i;
        if (obj->type == J_LIST || obj->type == J_TUPLE ||
            (obj->type == J_VIEW && obj->u.list->view == V_RANGE)) {
            int64_t n = (int64_t)obj->u.list->n;
            i += i < 0 ? n : 0;
            *out = i >= 0 && i < n ? obj->u.list->v[i] : j_undef(none);
            return HONE_OK;
        }
        if (obj->type == J_STR) {
            hone_str s = obj->u.str;
            int64_t n = (int64_t)hone__jinja_count_chars(s);
            HONE_TRY(hone__jinja_step(r, s.len / 64));
            i += i < 0 ? n : 0;
            *out = j_undef(none);
            if (i < 0 || i >= n)
                return HONE_OK;
            size_t at = 0;
            while (i-- > 0)
                at += hone__jinja_char_len(s, at);
            hone_str one = {s.ptr + at, hone__jinja_char_len(s, at)};
            *out = j_str(one);
            return HONE_OK;
        }
    }
    if (key->type == J_STR) { /* obj["name"] falls back on the attribute */
        if (own_attr(obj, key->u.str, out))
            return HONE_OK;
        if (hone__jinja_has_method(obj, key->u.str))
            return bind_method(r, obj, key->u.str, out);
        *out = j_undef(key->u.str);
        return HONE_OK;
    }
    *out = j_undef(none);
    return HONE_OK;
}

hone_status hone__jinja_get_path(jrun *r, const jval *obj, const jval *path, jval *out)
{
    if (path->type != J_STR)
        return hone__jinja_get_item(r, obj, path, out);
    jval at = *obj;
    hone_str rest = path->u.str;
    for (;;) {
        const char *dot = rest.len ? memchr(rest.ptr, '.', rest.len) : NULL;
        hone_str part = {rest.ptr, dot ? (size_t)(dot - rest.ptr) : rest.len};
        int64_t index = 0;
        int number = part.len > 0 && part.len < 18;
        for (size_t i = 0; i < part.len && number; i++) {
            number = part.ptr[i] >= '0' && part.ptr[i] <= '9';
            index = index * 10 + (part.ptr[i] - '0');
        }
        jval key = number ? j_int(index) : j_str(part);
        HONE_TRY(hone__jinja_get_item(r, &at, &key, out));
        if (!dot)
            return HONE_OK;
        at = *out;
        rest.len -= part.len + 1;
        rest.ptr = dot + 1;
    }
}

static hone_status slice_bound(jrun *r, const jval *v, int64_t n, int64_t dflt, int64_t low,
                               int64_t high, int64_t *out)
{
    if (!v || v->type == J_NONE || v->type == J_ABSENT) {
        *out = dflt;
        return HONE_OK;
    }
    if (v->type == J_UNDEF)
        return undefined_error(r, v);
    if (v->type != J_INT && v->type != J_BOOL)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "slice indices must be integers or None");
    int64_t i = v->u.i;
    if (i < 0)
        i = i < -n ? low : i + n;
    *out = i < low ? low : i > high ? high : i;
    return HONE_OK;
}

hone_status hone__jinja_slice(jrun *r, const jval *obj, const jval *from, const jval *to,
                              const jval *step, jval *out)
{
    int64_t n, k = 1, a, b;
    if (obj->type == J_UNDEF)
        return undefined_error(r, obj);
    int is_range = obj->type == J_VIEW && obj->u.list->view == V_RANGE;
    if (obj->type != J_STR && obj->type != J_LIST && obj->type != J_TUPLE && !is_range)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "'%s' object cannot be sliced",
                                hone__jinja_type_name(obj));
    HONE_TRY(hone__jinja_length(r, obj, &n));
    if (step && step->type != J_NONE) {
        if (step->type != J_INT || step->u.i == 0)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "slice step must be an integer other than 0");
        k = step->u.i;
    }
    HONE_TRY(slice_bound(r, from, n, k > 0 ? 0 : n - 1, k > 0 ? 0 : -1, k > 0 ? n : n - 1, &a));
    HONE_TRY(slice_bound(r, to, n, k > 0 ? n : -1, k > 0 ? 0 : -1, k > 0 ? n : n - 1, &b));
    if (obj->type == J_STR && k == 1) {
        hone_str s = obj->u.str;
        size_t i = 0, begin;
        int64_t c = 0;
        for (; c < a; c++)
            i += hone__jinja_char_len(s, i);
        begin = i;
        for (; c < b; c++)
            i += hone__jinja_char_len(s, i);
        hone_str part = {s.ptr + begin, i - begin};
        *out = j_str(part);
        return HONE_OK;
    }
    const jlist *l;
    jval list;
    HONE_TRY(hone__jinja_items(r, obj, &l));
    HONE_TRY(hone__jinja_new_list(r, obj->type == J_STR ? J_LIST : obj->type, 0, &list));
    if (is_range) { /* a range again: what it prints */
        const int64_t *g = obj->u.list->range;
        list.u.list->view = V_RANGE;
        if (__builtin_mul_overflow(a, g[2], &list.u.list->range[0]) ||
            __builtin_add_overflow(list.u.list->range[0], g[0], &list.u.list->range[0]) ||
            __builtin_mul_overflow(b, g[2], &list.u.list->range[1]) ||
            __builtin_add_overflow(list.u.list->range[1], g[0], &list.u.list->range[1]) ||
            __builtin_mul_overflow(k, g[2], &list.u.list->range[2]))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
    }
    for (int64_t i = a; k > 0 ? i < b : i > b;) {
        HONE_TRY(hone__jinja_push(r, list.u.list, l->v[i]));
        if (__builtin_add_overflow(i, k, &i))
            break;
    }
    *out = list;
    if (obj->type != J_STR)
        return HONE_OK;
    hone_buf text;
    hone_buf_init(&text, r->max_output);
    for (size_t i = 0; i < list.u.list->n; i++)
        hone_buf_add_str(&text, list.u.list->v[i].u.str);
    return hone__jinja_take_buf(r, &text, out);
}
