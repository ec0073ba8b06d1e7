/* page.c - what a page says: where its rows are, which page follows, each row as text.
 *
 * Works on the host's parsed tree (hone.json/1), so nothing here reads bytes that the parser has not checked; depth is the
 * parser's (HONE_VALUE_DEPTH). Whatever is not as the settings say is an error that names the page, the row and the column.
 * Does not: fetch anything. Source: RFC 8259. */
#include "page.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {"null",   "bool",   "integer", "number",
                                         "string", "string", "list",    "object"};

static const char *type_of(const hone_value *v)
{
    return v->type < 8 ? type_names[v->type] : "unknown";
}

static const hone_value *member(const hone_value *map, const char *name, size_t n)
{
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n; i++)
        if (map->u.map.pairs[i].key.len == n && memcmp(map->u.map.pairs[i].key.ptr, name, n) == 0)
            return &map->u.map.pairs[i].value;
    return NULL;
}

/* "meta.next" */
static const hone_value *at_path(const hone_value *v, const char *path)
{
    while (v && *path) {
        size_t n = strcspn(path, ".");
        v = member(v, path, n);
        path += n + (path[n] == '.');
    }
    return v;
}

static void member_names(const hone_value *map, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n && at + 4 < size; i++) {
        hone_str k = map->u.map.pairs[i].key;
        int got = snprintf(out + at, size - at, "%s%.*s", i ? ", " : "",
                           (int)(k.len < 60 ? k.len : 60), k.ptr);
        at += got > 0 ? (size_t)got : 0;
    }
}

int page_read(feed *f, const page_rules *rules, const hone_value *root, const char *where,
              page *out)
{
    static const char *const usual[] = {"data", "items", "results", "rows", "records"};
    const hone_value *list = rules->rows[0] ? at_path(root, rules->rows) : NULL, *next;
    char has[300];
    if (!rules->rows[0] && root->type == HONE_LIST)
        list = root;
    for (size_t i = 0; !rules->rows[0] && !list && i < sizeof usual / sizeof *usual; i++)
        if ((list = member(root, usual[i], strlen(usual[i]))) != NULL && list->type != HONE_LIST)
            list = NULL;
    member_names(root, has, sizeof has);
    if (!list || list->type != HONE_LIST)
        return feed_fail(
            f, EINVAL, "%s: the page has no list of rows%s%s (setting rows); it is %s%s%s", where,
            rules->rows[0] ? " at " : "", rules->rows, type_of(root), has[0] ? " with " : "", has);
    out->list = list;
    out->next[0] = 0;
    next = root->type == HONE_MAP && rules->next[0] ? at_path(root, rules->next) : NULL;
    if (!next || next->type == HONE_NULL || (next->type == HONE_BOOL && !next->u.boolean))
        return 0;
    if (next->type == HONE_I64)
        snprintf(out->next, sizeof out->next, "%lld", (long long)next->u.i64);
    else if (next->type == HONE_STRING && next->u.str.len < sizeof out->next &&
             (!next->u.str.len || !memchr(next->u.str.ptr, 0, next->u.str.len)))
        snprintf(out->next, sizeof out->next, "%.*s", (int)next->u.str.len, next->u.str.ptr);
    else
        return feed_fail(
            f, EINVAL,
            "%s: the cursor %s is %s; it must be a text of at most %zu bytes, or an integer", where,
            rules->next, next->type == HONE_STRING ? "too long, or holds a NUL" : type_of(next),
            sizeof out->next - 1);
    return 0;
}

int page_types(feed *f, const char *types, size_t n, names *out)
{
    names parts = {{0}, 0};
    int e = names_split(&f->mem, &parts, types, n);
    if (e)
        feed_fail(f, e, "out of memory");
    for (size_t i = 0; i < parts.n && !e; i++) {
        const char *p = names_at(&parts, i), *colon = strrchr(p, ':');
        int known = 0;
        for (size_t k = 1; colon && k < 8; k++)
            known |= strcmp(colon + 1, type_names[k]) == 0;
        if (!known || colon == p) {
            e = feed_fail(
                f, EINVAL,
                "types: \"%s\": name:type is needed; bool, integer, number, string, list, object",
                p);
            break;
        }
        e = names_add(&f->mem, out, p, (size_t)(colon - p));
        if (!e)
            e = names_add(&f->mem, out, colon + 1, strlen(colon + 1));
        if (e)
            feed_fail(f, e, "out of memory");
    }
    names_free(&f->mem, &parts);
    return e;
}

/* ---- a row as text -------------------------------------------------------------------------------------- */

static int put(feed *f, text *out, const char *z)
{
    return text_add(&f->mem, out, z, strlen(z));
}

static int put_value(feed *f, text *out, const hone_value *v)
{
    char number[40];
    size_t bad;
    int e = 0;
    switch (v->type) {
    case HONE_NULL:
        return put(f, out, "null");
    case HONE_BOOL:
        return put(f, out, v->u.boolean ? "true" : "false");
    case HONE_I64:
        snprintf(number, sizeof number, "%lld", (long long)v->u.i64);
        return put(f, out, number);
    case HONE_F64:
        if (!isfinite(v->u.f64))
            return EINVAL;
        snprintf(number, sizeof number, "%.17g", v->u.f64);
        if (!strpbrk(number, ".e"))
            snprintf(number + strlen(number), 3, ".0");
        return put(f, out, number);
    case HONE_STRING:
    case HONE_BYTES:
        return text_add_json(&f->mem, out, v->u.str.ptr, v->u.str.len, &bad);
    case HONE_LIST:
        e = put(f, out, "[");
        for (size_t i = 0; i < v->u.list.n && !e; i++) {
            e = i ? put(f, out, ",") : 0;
            if (!e)
                e = put_value(f, out, &v->u.list.items[i]);
        }
        return e ? e : put(f, out, "]");
    case HONE_MAP:
        e = put(f, out, "{");
        for (size_t i = 0; i < v->u.map.n && !e; i++) {
            e = i ? put(f, out, ",") : 0;
            if (!e)
                e = text_add_json(&f->mem, out, v->u.map.pairs[i].key.ptr,
                                  v->u.map.pairs[i].key.len, &bad);
            if (!e)
                e = put(f, out, ":");
            if (!e)
                e = put_value(f, out, &v->u.map.pairs[i].value);
        }
        return e ? e : put(f, out, "}");
    default:
        return EINVAL;
    }
}

static int is_of(const hone_value *v, const char *type)
{
    return strcmp(type_of(v), type) == 0 || (strcmp(type, "number") == 0 && v->type == HONE_I64);
}

int page_row(feed *f, const page_rules *rules, const hone_value *row, size_t number,
             const char *where, text *out)
{
    char has[300];
    size_t bad;
    int e = 0;
    out->n = 0;
    if (row->type != HONE_MAP)
        return feed_fail(f, EINVAL, "%s: row %zu of the page is %s, a row is an object", where,
                         number, type_of(row));
    member_names(row, has, sizeof has);
    for (size_t i = 0; i + 1 < rules->typed.n; i += 2) {
        const char *name = names_at(&rules->typed, i), *type = names_at(&rules->typed, i + 1);
        const hone_value *v = member(row, name, strlen(name));
        if (!v)
            return feed_fail(f, EINVAL, "%s: row %zu of the page has no column \"%s\"; it has: %s",
                             where, number, name, has);
        if (v->type != HONE_NULL && !is_of(v, type))
            return feed_fail(f, EINVAL,
                             "%s: row %zu of the page: column \"%s\" is %s, types say %s", where,
                             number, name, type_of(v), type);
    }
    if (!rules->columns.n)
        e = put_value(f, out, row);
    else
        e = put(f, out, "{");
    for (size_t i = 0; i < rules->columns.n && !e; i++) {
        const char *name = names_at(&rules->columns, i);
        const hone_value *v = member(row, name, strlen(name));
        if (!v)
            return feed_fail(f, EINVAL, "%s: row %zu of the page has no column \"%s\"; it has: %s",
                             where, number, name, has);
        e = i ? put(f, out, ",") : 0;
        if (!e)
            e = text_add_json(&f->mem, out, name, strlen(name), &bad);
        if (!e)
            e = put(f, out, ":");
        if (!e)
            e = put_value(f, out, v);
    }
    if (!e && rules->columns.n)
        e = put(f, out, "}");
    if (e == EILSEQ || e == EINVAL)
        return feed_fail(f, EINVAL,
                         "%s: row %zu of the page holds text with a NUL, or an infinite number",
                         where, number);
    return e ? feed_fail(f, e, "out of memory") : 0;
}

uint64_t page_key(const page_rules *rules, const hone_value *row)
{
    const hone_value *v = rules->key[0] ? member(row, rules->key, strlen(rules->key)) : NULL;
    if (!v)
        return 0;
    uint64_t h = feed_hash(FEED_HASH, &v->type, sizeof v->type);
    if (v->type == HONE_STRING)
        h = feed_hash(h, v->u.str.ptr, v->u.str.len);
    else if (v->type == HONE_I64)
        h = feed_hash(h, &v->u.i64, sizeof v->u.i64);
    else
        return 0;
    return h ? h : 1;
}
