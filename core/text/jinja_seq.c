/* jinja_seq.c - filters of Jinja2 on lists, dicts and any value.
 *
 * select, map and their like give generators, as in Jinja2: read once, true even when empty, without
 * length. Sorting is stable and, unless asked otherwise, blind to case. Source: jinja2/filters.py. */
#include "text/jinja_int.h"

#include <string.h>

/* ---- any value ---------------------------------------------------------------------------------------------------------- */
static hone_status f_default(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("default", 0, "default_value", "boolean");
    jval empty = j_str((hone_str){"", 0});
    if (in->type == J_UNDEF ||
        (a[1].type != J_ABSENT && hone__jinja_truth(&a[1]) && !hone__jinja_truth(in)))
        *out = a[0].type == J_ABSENT ? empty : a[0];
    else
        *out = *in;
    return HONE_OK;
}

static hone_status f_length(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t n;
    HONE_TRY(j_no_args(r, "length", c));
    HONE_TRY(hone__jinja_length(r, in, &n));
    *out = j_int(n);
    return HONE_OK;
}

static hone_status f_attr(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("attr", 1, "name");
    hone_str name;
    HONE_TRY(hone__jinja_want_str(r, "attr", &a[0], &name));
    if (in->type == J_DICT) { /* attributes only, never keys */
        if (!hone__jinja_has_method(in, name)) {
            *out = j_undef(name);
            return HONE_OK;
        }
    }
    return hone__jinja_get_attr(r, in, name, out);
}

static hone_status f_items(jrun *r, const jval *in, const jcall *c, jval *out)
{
    if (in->type != J_DICT && in->type != J_UNDEF)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "Can only get item pairs from a mapping.");
    if (in->type == J_UNDEF)
        return hone__jinja_new_list(r, J_GEN, 0, out);
    jmethod m = {*in, {"items", 5}};
    HONE_TRY(hone__jinja_call_method(r, &m, c, out));
    out->type = J_GEN;
    return HONE_OK;
}

static hone_status f_list(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(j_no_args(r, "list", c));
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, l->n, out));
    for (size_t i = 0; i < l->n; i++)
        HONE_TRY(hone__jinja_push(r, out->u.list, l->v[i]));
    return HONE_OK;
}

static hone_status f_first(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(j_no_args(r, "first", c));
    if (in->type == J_GEN) { /* takes one */
        jlist *g = in->u.list;
        *out = g->at < g->n ? g->v[g->at++] : j_undef((hone_str){"", 0});
        return HONE_OK;
    }
    HONE_TRY(hone__jinja_items(r, in, &l));
    *out = l->n ? l->v[0] : j_undef((hone_str){"", 0});
    return HONE_OK;
}

static hone_status f_last(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(j_no_args(r, "last", c));
    if (in->type == J_GEN)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "'generator' object is not reversible");
    HONE_TRY(hone__jinja_items(r, in, &l));
    *out = l->n ? l->v[l->n - 1] : j_undef((hone_str){"", 0});
    return HONE_OK;
}

static hone_status f_reverse(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(j_no_args(r, "reverse", c));
    HONE_TRY(hone__jinja_items(r, in, &l));
    if (in->type == J_STR) {
        hone_buf b;
        hone_buf_init(&b, r->max_output);
        for (size_t i = l->n; i-- > 0;)
            hone_buf_add_str(&b, l->v[i].u.str);
        return hone__jinja_take_buf(r, &b, out);
    }
    HONE_TRY(hone__jinja_new_list(r, in->type == J_GEN ? J_LIST : J_GEN, l->n, out));
    for (size_t i = l->n; i-- > 0;)
        HONE_TRY(hone__jinja_push(r, out->u.list, l->v[i]));
    return HONE_OK;
}

static hone_status f_join(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    hone_str sep = {"", 0};
    hone_buf b;
    jval v;
    hone_status s = HONE_OK;
    J_BIND("join", 0, "d", "attribute");
    if (a[0].type != J_ABSENT)
        HONE_TRY(j_soft_str(r, &a[0], &sep));
    HONE_TRY(hone__jinja_items(r, in, &l));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < l->n && s >= 0; i++) {
        v = l->v[i];
        if (i)
            hone_buf_add_str(&b, sep);
        if (a[1].type != J_ABSENT && a[1].type != J_NONE)
            s = hone__jinja_get_path(r, &l->v[i], &a[1], &v);
        if (s >= 0)
            s = hone__jinja_write(r, &b, &v);
    }
    if (s < 0 && b.failed >= 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* ---- sorting ---------------------------------------------------------------------------------------------------------- */
static hone_status lowered(jrun *r, const jval *v, jval *out)
{
    jcall none = {NULL, 0, NULL, NULL, 0};
    if (v->type != J_STR) {
        *out = *v;
        return HONE_OK;
    }
    return j_str_method(r, "lower", v, &none, out);
}

static hone_status several_keys(jrun *r, const jval *item, const jval *attribute,
                                int case_sensitive, jval *out)
{
    hone_str names = {"", 0};
    if (attribute->type == J_STR)
        names = attribute->u.str;
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 1, out));
    for (;;) {
        const char *comma = names.len ? memchr(names.ptr, ',', names.len) : NULL;
        hone_str one = {names.ptr, comma ? (size_t)(comma - names.ptr) : names.len};
        jval path = attribute->type == J_STR ? j_str(one) : *attribute, v = *item, key;
        if (attribute->type != J_ABSENT && attribute->type != J_NONE)
            HONE_TRY(hone__jinja_get_path(r, item, &path, &v));
        key = v;
        if (!case_sensitive)
            HONE_TRY(lowered(r, &v, &key));
        HONE_TRY(hone__jinja_push(r, out->u.list, key));
        if (!comma)
            return HONE_OK;
        names.len -= one.len + 1;
        names.ptr = comma + 1;
    }
}

/* Keys of all items: attribute (or the item), lower-case unless case_sensitive. */
static hone_status sort_keys(jrun *r, const jlist *l, const jval *attribute, int case_sensitive,
                             int split_by, jval **out)
{
    jval *keys = hone_arena_calloc(&r->arena, l->n + 1, sizeof *keys), v;
    if (!keys)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (split_by) { /* "a,b": a list of keys; of one, too: equal undefined ones have an order */
            HONE_TRY(several_keys(r, &l->v[i], attribute, case_sensitive, &keys[i]));
            continue;
        }
        if (attribute->type != J_ABSENT && attribute->type != J_NONE)
            HONE_TRY(hone__jinja_get_path(r, &l->v[i], attribute, &v));
        keys[i] = v;
        if (!case_sensitive)
            HONE_TRY(lowered(r, &v, &keys[i]));
    }
    *out = keys;
    return HONE_OK;
}

/* Stable; insertion below 8, merging above. order[] gets the permutation. */
static hone_status sort_order(jrun *r, const jval *keys, size_t *order, size_t *spare, size_t n,
                              int descending)
{
    int c;
    if (n < 2)
        return HONE_OK;
    size_t half = n / 2, i = 0, j = half, k = 0;
    HONE_TRY(sort_order(r, keys, order, spare, half, descending));
    HONE_TRY(sort_order(r, keys, order + half, spare, n - half, descending));
    while (i < half && j < n) {
        HONE_TRY(hone__jinja_order(r, &keys[order[j]], &keys[order[i]], &c));
        int take_right = descending ? c == 1 : c < 0;
        spare[k++] = take_right ? order[j++] : order[i++];
    }
    while (i < half)
        spare[k++] = order[i++];
    memcpy(order, spare, k * sizeof *order);
    return HONE_OK;
}

static hone_status sorted(jrun *r, const jlist *l, const jval *keys, int descending, jval *out)
{
    size_t *order = hone_arena_calloc(&r->arena, l->n + 1, sizeof *order);
    size_t *spare = hone_arena_calloc(&r->arena, l->n + 1, sizeof *spare);
    if (!order || !spare)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < l->n; i++)
        order[i] = i;
    HONE_TRY(sort_order(r, keys, order, spare, l->n, descending));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, l->n, out));
    for (size_t i = 0; i < l->n; i++)
        HONE_TRY(hone__jinja_push(r, out->u.list, l->v[order[i]]));
    return HONE_OK;
}

static hone_status f_sort(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval *keys;
    J_BIND("sort", 0, "reverse", "case_sensitive", "attribute");
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[2], hone__jinja_truth(&a[1]), 1, &keys));
    return sorted(r, l, keys, hone__jinja_truth(&a[0]), out);
}

static hone_status f_dictsort(jrun *r, const jval *in, const jcall *c, jval *out)
{
    jval items, index = j_int(0), *keys;
    jcall none = {NULL, 0, NULL, NULL, 0};
    J_BIND("dictsort", 0, "case_sensitive", "by", "reverse");
    if (in->type != J_DICT)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "dictsort needs a mapping, not %s",
                                hone__jinja_type_name(in));
    if (a[1].type == J_STR && hone__jinja_is(a[1].u.str, "value"))
        index = j_int(1);
    jmethod m = {*in, {"items", 5}};
    HONE_TRY(hone__jinja_call_method(r, &m, &none, &items));
    HONE_TRY(sort_keys(r, items.u.list, &index, hone__jinja_truth(&a[0]), 0, &keys));
    return sorted(r, items.u.list, keys, hone__jinja_truth(&a[2]), out);
}

static hone_status f_unique(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval *keys, seen;
    J_BIND("unique", 0, "case_sensitive", "attribute");
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[1], hone__jinja_truth(&a[0]), 0, &keys));
    HONE_TRY(hone__jinja_new_dict(r, J_DICT, 0, &seen));
    HONE_TRY(hone__jinja_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        HONE_TRY(hone__jinja_step(r, seen.u.dict->n / 8));
        if (hone__jinja_dict_get(seen.u.dict, &keys[i]))
            continue;
        HONE_TRY(hone__jinja_dict_put(r, seen.u.dict, keys[i], j_none()));
        HONE_TRY(hone__jinja_push(r, out->u.list, l->v[i]));
    }
    return HONE_OK;
}

static hone_status extreme(jrun *r, const char *what, const jval *in, const jcall *c, int sign,
                           jval *out)
{
    const jlist *l;
    jval *keys;
    int order;
    J_BIND(what, 0, "case_sensitive", "attribute");
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[1], hone__jinja_truth(&a[0]), 0, &keys));
    if (l->n == 0) {
        *out = j_undef((hone_str){"", 0});
        return HONE_OK;
    }
    size_t best = 0;
    for (size_t i = 1; i < l->n; i++) {
        HONE_TRY(hone__jinja_order(r, &keys[i], &keys[best], &order));
        if (order == sign)
            best = i;
    }
    *out = l->v[best];
    return HONE_OK;
}

static hone_status f_min(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return extreme(r, "min", in, c, -1, out);
}

static hone_status f_max(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return extreme(r, "max", in, c, 1, out);
}

static hone_status f_sum(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval v, total;
    J_BIND("sum", 0, "attribute", "start");
    total = a[1].type == J_ABSENT ? j_int(0) : a[1];
    HONE_TRY(hone__jinja_items(r, in, &l));
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (a[0].type != J_ABSENT && a[0].type != J_NONE)
            HONE_TRY(hone__jinja_get_path(r, &l->v[i], &a[0], &v));
        jval left = total;
        HONE_TRY(hone__jinja_binary(r, '+', &left, &v, &total));
    }
    *out = total;
    return HONE_OK;
}

/* ---- selecting ---------------------------------------------------------------------------------------------------------- */
static jcall tail(const jcall *c, size_t from)
{
    jcall t = *c;
    t.args = c->args ? c->args + from : NULL;
    t.n = c->n - from;
    return t;
}

static hone_status pick(jrun *r, const char *what, const jval *in, const jcall *c, int by_attr,
                        int want, jval *out)
{
    const jlist *l;
    const jfilter *test = NULL;
    size_t skip = 0;
    jval v, yes, path;
    if (!hone__jinja_truth(in)) /* none, 0, false: nothing to go through */
        return hone__jinja_new_list(r, J_GEN, 0, out);
    if (by_attr) {
        if (c->n < 1)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "%s: argument 'attribute' is missing", what);
        path = c->args[0];
        skip = 1;
    }
    if (c->n > skip) {
        hone_str name;
        HONE_TRY(hone__jinja_want_str(r, what, &c->args[skip], &name));
        test = hone__jinja_find_test(name);
        if (!test)
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "test \"%.*s\" is not supported",
                                    (int)(name.len < 60 ? name.len : 60), name.ptr);
        skip++;
    }
    jcall rest = tail(c, skip);
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(hone__jinja_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (by_attr)
            HONE_TRY(hone__jinja_get_path(r, &l->v[i], &path, &v));
        if (test)
            HONE_TRY(test->fn(r, &v, &rest, &yes));
        else
            yes = v;
        if (hone__jinja_truth(&yes) == want)
            HONE_TRY(hone__jinja_push(r, out->u.list, l->v[i]));
    }
    return HONE_OK;
}

static hone_status f_select(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return pick(r, "select", in, c, 0, 1, out);
}

static hone_status f_reject(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return pick(r, "reject", in, c, 0, 0, out);
}

static hone_status f_selectattr(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return pick(r, "selectattr", in, c, 1, 1, out);
}

static hone_status f_rejectattr(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return pick(r, "rejectattr", in, c, 1, 0, out);
}

static hone_status f_map(jrun *r, const jval *in, const jcall *c, jval *out)
{
    static const char *const names[] = {"attribute", "default", NULL};
    const jlist *l;
    jval a[2], v;
    hone_str name;
    jcall rest = {NULL, 0, NULL, NULL, 0};
    HONE_TRY(hone__jinja_new_list(r, J_GEN, 0, out));
    if (!hone__jinja_truth(in))
        return HONE_OK;
    HONE_TRY(hone__jinja_items(r, in, &l));
    if (c->n) {
        HONE_TRY(hone__jinja_want_str(r, "map", &c->args[0], &name));
        rest = tail(c, 1);
    } else {
        HONE_TRY(hone__jinja_bind(r, "map", c, 1, names, a));
    }
    for (size_t i = 0; i < l->n; i++) {
        if (c->n) {
            HONE_TRY(hone__jinja_apply_filter(r, name, &l->v[i], &rest, &v));
        } else {
            HONE_TRY(hone__jinja_get_path(r, &l->v[i], &a[0], &v));
            if (v.type == J_UNDEF && a[1].type != J_ABSENT)
                v = a[1];
        }
        HONE_TRY(hone__jinja_push(r, out->u.list, v));
    }
    return HONE_OK;
}

/* Per item the attribute (or the default) and, without case unless asked for, what it is sorted by. */
static hone_status group_keys(jrun *r, const jlist *l, const jval *path, const jval *dflt,
                              int case_sensitive, jval **keys, jval **found)
{
    *keys = hone_arena_calloc(&r->arena, l->n + 1, sizeof **keys);
    *found = hone_arena_calloc(&r->arena, l->n + 1, sizeof **found);
    if (!*keys || !*found)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < l->n; i++) {
        jval v;
        HONE_TRY(hone__jinja_get_path(r, &l->v[i], path, &v));
        if (v.type == J_UNDEF && dflt->type != J_ABSENT && dflt->type != J_NONE)
            v = *dflt;
        (*found)[i] = (*keys)[i] = v;
        if (!case_sensitive)
            HONE_TRY(lowered(r, &v, &(*keys)[i]));
    }
    return HONE_OK;
}

static hone_status f_groupby(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval all, *keys, group, pair;
    J_BIND("groupby", 1, "attribute", "default", "case_sensitive");
    HONE_TRY(hone__jinja_items(r, in, &l));
    jval *found, first;
    HONE_TRY(group_keys(r, l, &a[0], &a[1], hone__jinja_truth(&a[2]), &keys, &found));
    /* sorted together with the values found, so that a group is called what its first row has */
    jval rows;
    HONE_TRY(hone__jinja_new_list(r, J_LIST, l->n, &rows));
    for (size_t i = 0; i < l->n; i++) {
        HONE_TRY(hone__jinja_new_list(r, J_LIST, 3, &pair));
        HONE_TRY(hone__jinja_push(r, pair.u.list, l->v[i]));
        HONE_TRY(hone__jinja_push(r, pair.u.list, found[i]));
        HONE_TRY(hone__jinja_push(r, pair.u.list, keys[i]));
        HONE_TRY(hone__jinja_push(r, rows.u.list, pair));
    }
    HONE_TRY(sorted(r, rows.u.list, keys, 0, &all));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, out));
    for (size_t i = 0; i < all.u.list->n; i++) {
        const jval *row = all.u.list->v[i].u.list->v;
        if (i == 0 || !hone__jinja_equal(&first, &row[2], 0)) {
            first = row[2];
            HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, &group));
            HONE_TRY(hone__jinja_new_list(r, J_TUPLE, 2, &pair));
            pair.u.list->view = V_GROUP;
            HONE_TRY(hone__jinja_push(r, pair.u.list, row[1]));
            HONE_TRY(hone__jinja_push(r, pair.u.list, group));
            HONE_TRY(hone__jinja_push(r, out->u.list, pair));
        }
        HONE_TRY(hone__jinja_push(r, group.u.list, row[0]));
    }
    return HONE_OK;
}

static hone_status f_batch(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval row;
    int64_t size;
    J_BIND("batch", 1, "linecount", "fill_with");
    HONE_TRY(hone__jinja_want_int(r, "batch", &a[0], &size));
    if (size < 1 || size > 100000)
        return hone__jinja_fail(r, HONE_E_RANGE, "batch: a size from 1 to 100000 is needed");
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(hone__jinja_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        if (i % (size_t)size == 0) {
            HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, &row));
            HONE_TRY(hone__jinja_push(r, out->u.list, row));
        }
        HONE_TRY(hone__jinja_push(r, row.u.list, l->v[i]));
    }
    while (l->n && a[1].type != J_ABSENT && a[1].type != J_NONE && row.u.list->n < (size_t)size)
        HONE_TRY(hone__jinja_push(r, row.u.list, a[1]));
    return HONE_OK;
}

const jfilter hone__jinja_seq_filters[] = {
    {"attr", f_attr},       {"batch", f_batch},     {"count", f_length},
    {"d", f_default},       {"default", f_default}, {"dictsort", f_dictsort},
    {"first", f_first},     {"groupby", f_groupby}, {"items", f_items},
    {"join", f_join},       {"last", f_last},       {"length", f_length},
    {"list", f_list},       {"map", f_map},         {"max", f_max},
    {"min", f_min},         {"reject", f_reject},   {"rejectattr", f_rejectattr},
    {"reverse", f_reverse}, {"select", f_select},   {"selectattr", f_selectattr},
    {"sort", f_sort},       {"sum", f_sum},         {"unique", f_unique},
    {NULL, NULL},
};
