/* jinja_filter.c - filters and tests of Jinja2, as far as chat templates use them.
 *
 * The tables at the end are the whole list: the parser refuses what is not there. select, map and their like
 * give generators, as in Jinja2: read once, true even when empty, without length.
 * Source: jinja2/filters.py, jinja2/tests.py; tojson: transformers' chat_template_utils. */
#include "text/jinja_int.h"

#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIND(what, min, ...)                                                                       \
    static const char *const names[] = {__VA_ARGS__, NULL};                                        \
    jval a[sizeof names / sizeof *names];                                                          \
    HONE_TRY(j_bind(r, what, c, min, names, a))

static hone_status no_args(jrun *r, const char *what, const jcall *c)
{
    static const char *const names[] = {NULL};
    jval a[1];
    return j_bind(r, what, c, 0, names, a);
}

/* soft_str: a str as it is, everything else printed. */
static hone_status soft(jrun *r, const jval *in, hone_str *out)
{
    jval v;
    HONE_TRY(j_to_str(r, in, &v));
    *out = v.u.str;
    return HONE_OK;
}

static hone_status method(jrun *r, const char *name, const jval *in, const jcall *c, jval *out)
{
    jmethod m = {.name = {name, strlen(name)}};
    HONE_TRY(j_to_str(r, in, &m.self));
    return j_call_method(r, &m, c, out);
}

/* ---- text ------------------------------------------------------------------------------------------------------- */
static hone_status f_trim(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "strip", in, c, out);
}

static hone_status f_upper(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "upper", in, c, out);
}

static hone_status f_lower(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "lower", in, c, out);
}

static hone_status f_capitalize(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "capitalize", in, c, out);
}

static hone_status f_replace(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "replace", in, c, out);
}

/* A word begins at the start and behind white space and -({[<. */
static hone_status f_title(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s;
    hone_buf b;
    hone_status st = HONE_OK;
    int begin = 1;
    HONE_TRY(no_args(r, "title", c));
    HONE_TRY(soft(r, in, &s));
    HONE_TRY(j_step(r, s.len / 16));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0, k; i < s.len && st >= 0; i += k) {
        uint32_t code = 0, to = 0;
        char text[4];
        k = j_char_len(s, i);
        hone_utf8_step(s, i, &code);
        if (!(begin ? hone__upper(code, &to) : hone__lower(code, &to)))
            st = j_fail(r, HONE_E_UNSUPPORTED, "changing the case of U+%04X is not supported", code);
        else
            hone_buf_add(&b, text, hone__utf8_put(to, text));
        begin = j_space(code) || (code && code < 128 && strchr("-({[<", (int)code));
    }
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    return j_take_buf(r, &b, out);
}

static hone_status f_string(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(no_args(r, "string", c));
    return j_to_str(r, in, out);
}

static hone_status f_safe(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(no_args(r, "safe", c));
    HONE_TRY(j_to_str(r, in, out));
    out->markup = 1;
    return HONE_OK;
}

static hone_status f_format(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s;
    if (c->n_kw)
        return j_fail(r, HONE_E_UNSUPPORTED, "format with keyword arguments is not supported");
    HONE_TRY(soft(r, in, &s));
    return j_format(r, s, c->args, c->n, 1, out);
}

static hone_status f_indent(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s, pad = {NULL, 0};
    jval lines, v;
    int64_t width = 4;
    BIND("indent", 0, "width", "first", "blank");
    HONE_TRY(soft(r, in, &s));
    if (a[0].type == J_STR)
        pad = a[0].u.str;
    else if (a[0].type != J_ABSENT)
        HONE_TRY(j_want_int(r, "indent", &a[0], &width));
    if (!pad.ptr) {
        jval space = j_str((hone_str){" ", 1}), n = j_int(width);
        HONE_TRY(j_binary(r, '*', &space, &n, &v));
        pad = v.u.str;
    }
    jcall none = {NULL, 0, NULL, NULL, 0};
    hone_buf with_newline; /* Jinja2 adds one before it splits into lines */
    hone_buf_init(&with_newline, r->max_output);
    hone_buf_add_str(&with_newline, s);
    hone_buf_addc(&with_newline, '\n');
    HONE_TRY(j_take_buf(r, &with_newline, &v));
    HONE_TRY(method(r, "splitlines", &v, &none, &lines));
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    int blank = j_truth(&a[2]);
    for (size_t i = 0; i < lines.u.list->n; i++) {
        hone_str line = lines.u.list->v[i].u.str;
        if (i)
            hone_buf_addc(&b, '\n');
        if (i ? (blank || line.len) : j_truth(&a[1]))
            hone_buf_add_str(&b, pad);
        hone_buf_add_str(&b, line);
    }
    return j_take_buf(r, &b, out);
}

static hone_status f_truncate(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t length = 255, leeway = 5, n, n_end;
    hone_str end = {"...", 3};
    jval text, cut, from = j_int(0), to;
    BIND("truncate", 0, "length", "killwords", "end", "leeway");
    HONE_TRY(j_to_str(r, in, &text));
    if (a[0].type != J_ABSENT)
        HONE_TRY(j_want_int(r, "truncate", &a[0], &length));
    if (a[2].type != J_ABSENT)
        HONE_TRY(j_want_str(r, "truncate", &a[2], &end));
    if (a[3].type != J_ABSENT && a[3].type != J_NONE)
        HONE_TRY(j_want_int(r, "truncate", &a[3], &leeway));
    HONE_TRY(j_length(r, &text, &n));
    n_end = (int64_t)j_count_chars(end);
    if (length < n_end || leeway < 0)
        return j_fail(r, HONE_E_SCRIPT, "truncate: expected length >= %lld", (long long)n_end);
    if (n <= length + leeway) {
        *out = text;
        return HONE_OK;
    }
    to = j_int(length - n_end);
    HONE_TRY(j_slice(r, &text, &from, &to, NULL, &cut));
    hone_str s = cut.u.str;
    if (!j_truth(&a[1]))
        for (size_t i = s.len; i-- > 0;)
            if (s.ptr[i] == ' ') {
                s.len = i;
                break;
            }
    jval left = j_str(s), right = j_str(end);
    return j_binary(r, '+', &left, &right, out);
}

static hone_status f_tojson(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_buf b;
    jjson o = {{NULL, 0}, {", ", 2}, {": ", 2}, 0, 0};
    jval v;
    BIND("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
    if (a[1].type == J_STR) {
        o.indent = a[1].u.str;
        o.item_sep = (hone_str){",", 1};
    } else if (a[1].type != J_ABSENT && a[1].type != J_NONE) {
        int64_t width;
        jval space = j_str((hone_str){" ", 1}), n;
        HONE_TRY(j_want_int(r, "tojson", &a[1], &width));
        n = j_int(width);
        HONE_TRY(j_binary(r, '*', &space, &n, &v));
        o.indent.ptr = v.u.str.len ? v.u.str.ptr : "";
        o.indent.len = v.u.str.len;
        o.item_sep = (hone_str){",", 1};
    }
    if (a[2].type != J_ABSENT && a[2].type != J_NONE) {
        if ((a[2].type != J_TUPLE && a[2].type != J_LIST) || a[2].u.list->n != 2)
            return j_fail(r, HONE_E_SCRIPT, "tojson: separators must be a pair");
        HONE_TRY(j_want_str(r, "tojson", &a[2].u.list->v[0], &o.item_sep));
        HONE_TRY(j_want_str(r, "tojson", &a[2].u.list->v[1], &o.key_sep));
    }
    o.ascii = j_truth(&a[0]);
    o.sort_keys = j_truth(&a[3]);
    hone_buf_init(&b, r->max_output);
    hone_status s = j_json(r, &b, in, &o, 0);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return j_take_buf(r, &b, out);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */
static hone_status f_abs(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(no_args(r, "abs", c));
    if (!j_is_num(in) || (in->type == J_INT && in->u.i == INT64_MIN))
        return j_fail(r, HONE_E_SCRIPT, "bad operand type for abs(): '%s'", j_type_name(in));
    *out = in->type == J_FLOAT ? j_float(fabs(in->u.f)) : j_int(in->u.i < 0 ? -in->u.i : in->u.i);
    return HONE_OK;
}

/* The number a text spells; 0: none. */
static int parse_number(hone_str s, double *f, int64_t *i, int *is_int)
{
    char text[64], *end;
    s = j_strip(s, NULL, 1, 1);
    if (s.len == 0 || s.len >= sizeof text || !strchr("+-.0123456789", s.ptr[0]))
        return 0;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    for (size_t k = 0; k < s.len; k++)
        if (!strchr("+-.0123456789eE", text[k]))
            return 0;
    *f = strtod(text, &end);
    if (*end)
        return 0;
    *is_int = strspn(text + (text[0] == '-' || text[0] == '+'), "0123456789") == s.len - (text[0] == '-' || text[0] == '+') && s.len < 19;
    *i = *is_int ? strtoll(text, NULL, 10) : 0;
    return 1;
}

static hone_status f_int(jrun *r, const jval *in, const jcall *c, jval *out)
{
    double f = 0;
    int64_t i = 0;
    int is_int = 0;
    BIND("int", 0, "default", "base");
    if (a[1].type != J_ABSENT && !(a[1].type == J_INT && a[1].u.i == 10))
        return j_fail(r, HONE_E_UNSUPPORTED, "int with another base than 10 is not supported");
    *out = a[0].type == J_ABSENT ? j_int(0) : a[0];
    if (in->type == J_INT || in->type == J_BOOL)
        *out = j_int(in->u.i);
    else if (in->type == J_FLOAT && fabs(in->u.f) < 9e18)
        *out = j_int((int64_t)in->u.f);
    else if (in->type == J_STR && parse_number(in->u.str, &f, &i, &is_int) && (is_int || fabs(f) < 9e18))
        *out = j_int(is_int ? i : (int64_t)f);
    else if (in->type == J_STR || in->type == J_FLOAT) {
        if (in->type == J_STR && in->u.str.len > 17)
            return j_fail(r, HONE_E_UNSUPPORTED, "int of a text of more than 17 characters is not supported");
    }
    return HONE_OK;
}

static hone_status f_float(jrun *r, const jval *in, const jcall *c, jval *out)
{
    double f = 0;
    int64_t i;
    int is_int;
    BIND("float", 0, "default");
    *out = a[0].type == J_ABSENT ? j_float(0) : a[0];
    if (j_is_num(in))
        *out = j_float(j_num(in));
    else if (in->type == J_STR && parse_number(in->u.str, &f, &i, &is_int))
        *out = j_float(f);
    return HONE_OK;
}

/* Python rounds halves of the exact decimal value to even; through the shortest text of enough digits. */
static hone_status f_round(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t digits = 0;
    hone_str how = {"common", 6};
    BIND("round", 0, "precision", "method");
    if (a[0].type != J_ABSENT)
        HONE_TRY(j_want_int(r, "round", &a[0], &digits));
    if (a[1].type != J_ABSENT)
        HONE_TRY(j_want_str(r, "round", &a[1], &how));
    if (!j_is_num(in))
        return j_fail(r, HONE_E_SCRIPT, "round needs a number, not %s", j_type_name(in));
    if (digits < 0 || digits > 15)
        return j_fail(r, HONE_E_UNSUPPORTED, "round to %lld digits is not supported", (long long)digits);
    double v = j_num(in), scale = pow(10, (double)digits);
    if (j_is(how, "common")) {
        if (in->type != J_FLOAT) {
            *out = j_int(in->u.i);
            return HONE_OK;
        }
        char text[400];
        snprintf(text, sizeof text, "%.*f", (int)digits, v); /* glibc rounds the exact value, halves to even */
        *out = j_float(strtod(text, NULL));
        return HONE_OK;
    }
    if (!j_is(how, "ceil") && !j_is(how, "floor"))
        return j_fail(r, HONE_E_SCRIPT, "method must be common, ceil or floor");
    *out = j_float((how.ptr[0] == 'c' ? ceil(v * scale) : floor(v * scale)) / scale);
    return HONE_OK;
}

/* ---- any value ---------------------------------------------------------------------------------------------------------- */
static hone_status f_default(jrun *r, const jval *in, const jcall *c, jval *out)
{
    BIND("default", 0, "default_value", "boolean");
    jval empty = j_str((hone_str){"", 0});
    if (in->type == J_UNDEF || (a[1].type != J_ABSENT && j_truth(&a[1]) && !j_truth(in)))
        *out = a[0].type == J_ABSENT ? empty : a[0];
    else
        *out = *in;
    return HONE_OK;
}

static hone_status f_length(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t n;
    HONE_TRY(no_args(r, "length", c));
    HONE_TRY(j_length(r, in, &n));
    *out = j_int(n);
    return HONE_OK;
}

static hone_status f_attr(jrun *r, const jval *in, const jcall *c, jval *out)
{
    BIND("attr", 1, "name");
    hone_str name;
    HONE_TRY(j_want_str(r, "attr", &a[0], &name));
    if (in->type == J_DICT) { /* attributes only, never keys */
        if (!j_has_method(in, name)) {
            *out = j_undef(name);
            return HONE_OK;
        }
    }
    return j_get_attr(r, in, name, out);
}

static hone_status f_items(jrun *r, const jval *in, const jcall *c, jval *out)
{
    if (in->type != J_DICT && in->type != J_UNDEF)
        return j_fail(r, HONE_E_SCRIPT, "Can only get item pairs from a mapping.");
    if (in->type == J_UNDEF)
        return j_new_list(r, J_GEN, 0, out);
    jmethod m = {*in, {"items", 5}};
    HONE_TRY(j_call_method(r, &m, c, out));
    out->type = J_GEN;
    return HONE_OK;
}

static hone_status f_list(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(no_args(r, "list", c));
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(j_new_list(r, J_LIST, l->n, out));
    for (size_t i = 0; i < l->n; i++)
        HONE_TRY(j_push(r, out->u.list, l->v[i]));
    return HONE_OK;
}

static hone_status f_first(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(no_args(r, "first", c));
    if (in->type == J_GEN) { /* takes one */
        jlist *g = in->u.list;
        *out = g->at < g->n ? g->v[g->at++] : j_undef((hone_str){"", 0});
        return HONE_OK;
    }
    HONE_TRY(j_items(r, in, &l));
    *out = l->n ? l->v[0] : j_undef((hone_str){"", 0});
    return HONE_OK;
}

static hone_status f_last(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(no_args(r, "last", c));
    if (in->type == J_GEN)
        return j_fail(r, HONE_E_SCRIPT, "'generator' object is not reversible");
    HONE_TRY(j_items(r, in, &l));
    *out = l->n ? l->v[l->n - 1] : j_undef((hone_str){"", 0});
    return HONE_OK;
}

static hone_status f_reverse(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    HONE_TRY(no_args(r, "reverse", c));
    HONE_TRY(j_items(r, in, &l));
    if (in->type == J_STR) {
        hone_buf b;
        hone_buf_init(&b, r->max_output);
        for (size_t i = l->n; i-- > 0;)
            hone_buf_add_str(&b, l->v[i].u.str);
        return j_take_buf(r, &b, out);
    }
    HONE_TRY(j_new_list(r, in->type == J_GEN ? J_LIST : J_GEN, l->n, out));
    for (size_t i = l->n; i-- > 0;)
        HONE_TRY(j_push(r, out->u.list, l->v[i]));
    return HONE_OK;
}

static hone_status f_join(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    hone_str sep = {"", 0};
    hone_buf b;
    jval v;
    hone_status s = HONE_OK;
    BIND("join", 0, "d", "attribute");
    if (a[0].type != J_ABSENT)
        HONE_TRY(soft(r, &a[0], &sep));
    HONE_TRY(j_items(r, in, &l));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < l->n && s >= 0; i++) {
        v = l->v[i];
        if (i)
            hone_buf_add_str(&b, sep);
        if (a[1].type != J_ABSENT && a[1].type != J_NONE)
            s = j_get_path(r, &l->v[i], &a[1], &v);
        if (s >= 0)
            s = j_write(r, &b, &v);
    }
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return j_take_buf(r, &b, out);
}

/* ---- sorting ---------------------------------------------------------------------------------------------------------- */
static hone_status lowered(jrun *r, const jval *v, jval *out)
{
    jcall none = {NULL, 0, NULL, NULL, 0};
    if (v->type != J_STR) {
        *out = *v;
        return HONE_OK;
    }
    return method(r, "lower", v, &none, out);
}

/* Keys of all items: attribute (or the item), lower-case unless case_sensitive. */
static hone_status sort_keys(jrun *r, const jlist *l, const jval *attribute, int case_sensitive, jval **out)
{
    jval *keys = hone_arena_calloc(&r->arena, l->n + 1, sizeof *keys), v;
    if (!keys)
        return HONE_E_NOMEM;
    if (attribute->type == J_STR && attribute->u.str.len && memchr(attribute->u.str.ptr, ',', attribute->u.str.len))
        return j_fail(r, HONE_E_UNSUPPORTED, "sorting by several attributes is not supported");
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (attribute->type != J_ABSENT && attribute->type != J_NONE)
            HONE_TRY(j_get_path(r, &l->v[i], attribute, &v));
        keys[i] = v;
        if (!case_sensitive)
            HONE_TRY(lowered(r, &v, &keys[i]));
    }
    *out = keys;
    return HONE_OK;
}

/* Stable; insertion below 8, merging above. order[] gets the permutation. */
static hone_status sort_order(jrun *r, const jval *keys, size_t *order, size_t *spare, size_t n, int descending)
{
    int c;
    if (n < 2)
        return HONE_OK;
    size_t half = n / 2, i = 0, j = half, k = 0;
    HONE_TRY(sort_order(r, keys, order, spare, half, descending));
    HONE_TRY(sort_order(r, keys, order + half, spare, n - half, descending));
    while (i < half && j < n) {
        HONE_TRY(j_order(r, &keys[order[j]], &keys[order[i]], &c));
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
    HONE_TRY(j_new_list(r, J_LIST, l->n, out));
    for (size_t i = 0; i < l->n; i++)
        HONE_TRY(j_push(r, out->u.list, l->v[order[i]]));
    return HONE_OK;
}

static hone_status f_sort(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval *keys;
    BIND("sort", 0, "reverse", "case_sensitive", "attribute");
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[2], j_truth(&a[1]), &keys));
    return sorted(r, l, keys, j_truth(&a[0]), out);
}

static hone_status f_dictsort(jrun *r, const jval *in, const jcall *c, jval *out)
{
    jval items, index = j_int(0), *keys;
    jcall none = {NULL, 0, NULL, NULL, 0};
    BIND("dictsort", 0, "case_sensitive", "by", "reverse");
    if (in->type != J_DICT)
        return j_fail(r, HONE_E_SCRIPT, "dictsort needs a mapping, not %s", j_type_name(in));
    if (a[1].type == J_STR && j_is(a[1].u.str, "value"))
        index = j_int(1);
    jmethod m = {*in, {"items", 5}};
    HONE_TRY(j_call_method(r, &m, &none, &items));
    HONE_TRY(sort_keys(r, items.u.list, &index, j_truth(&a[0]), &keys));
    return sorted(r, items.u.list, keys, j_truth(&a[2]), out);
}

static hone_status f_unique(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval *keys, seen;
    BIND("unique", 0, "case_sensitive", "attribute");
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[1], j_truth(&a[0]), &keys));
    HONE_TRY(j_new_dict(r, J_DICT, 0, &seen));
    HONE_TRY(j_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        HONE_TRY(j_step(r, seen.u.dict->n / 8));
        if (j_dict_get(seen.u.dict, &keys[i]))
            continue;
        HONE_TRY(j_dict_put(r, seen.u.dict, keys[i], j_none()));
        HONE_TRY(j_push(r, out->u.list, l->v[i]));
    }
    return HONE_OK;
}

static hone_status extreme(jrun *r, const char *what, const jval *in, const jcall *c, int sign, jval *out)
{
    const jlist *l;
    jval *keys;
    int order;
    BIND(what, 0, "case_sensitive", "attribute");
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[1], j_truth(&a[0]), &keys));
    if (l->n == 0) {
        *out = j_undef((hone_str){"", 0});
        return HONE_OK;
    }
    size_t best = 0;
    for (size_t i = 1; i < l->n; i++) {
        HONE_TRY(j_order(r, &keys[i], &keys[best], &order));
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
    BIND("sum", 0, "attribute", "start");
    total = a[1].type == J_ABSENT ? j_int(0) : a[1];
    HONE_TRY(j_items(r, in, &l));
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (a[0].type != J_ABSENT && a[0].type != J_NONE)
            HONE_TRY(j_get_path(r, &l->v[i], &a[0], &v));
        jval left = total;
        HONE_TRY(j_binary(r, '+', &left, &v, &total));
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

static hone_status pick(jrun *r, const char *what, const jval *in, const jcall *c, int by_attr, int want, jval *out)
{
    const jlist *l;
    const jfilter *test = NULL;
    size_t skip = 0;
    jval v, yes, path;
    if (by_attr) {
        if (c->n < 1)
            return j_fail(r, HONE_E_SCRIPT, "%s: argument 'attribute' is missing", what);
        path = c->args[0];
        skip = 1;
    }
    if (c->n > skip) {
        hone_str name;
        HONE_TRY(j_want_str(r, what, &c->args[skip], &name));
        test = j_find_test(name);
        if (!test)
            return j_fail(r, HONE_E_UNSUPPORTED, "test \"%.*s\" is not supported", (int)(name.len < 60 ? name.len : 60), name.ptr);
        skip++;
    }
    jcall rest = tail(c, skip);
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(j_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        v = l->v[i];
        if (by_attr)
            HONE_TRY(j_get_path(r, &l->v[i], &path, &v));
        if (test)
            HONE_TRY(test->fn(r, &v, &rest, &yes));
        else
            yes = v;
        if (j_truth(&yes) == want)
            HONE_TRY(j_push(r, out->u.list, l->v[i]));
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
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(j_new_list(r, J_GEN, 0, out));
    if (c->n) {
        HONE_TRY(j_want_str(r, "map", &c->args[0], &name));
        rest = tail(c, 1);
    } else {
        HONE_TRY(j_bind(r, "map", c, 1, names, a));
    }
    for (size_t i = 0; i < l->n; i++) {
        if (c->n) {
            HONE_TRY(j_apply_filter(r, name, &l->v[i], &rest, &v));
        } else {
            HONE_TRY(j_get_path(r, &l->v[i], &a[0], &v));
            if (v.type == J_UNDEF && a[1].type != J_ABSENT)
                v = a[1];
        }
        HONE_TRY(j_push(r, out->u.list, v));
    }
    return HONE_OK;
}

static hone_status f_groupby(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval all, *keys, group, pair;
    BIND("groupby", 1, "attribute", "default", "case_sensitive");
    if (a[1].type != J_ABSENT)
        return j_fail(r, HONE_E_UNSUPPORTED, "groupby with a default is not supported");
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(sort_keys(r, l, &a[0], j_truth(&a[2]), &keys));
    HONE_TRY(sorted(r, l, keys, 0, &all));
    HONE_TRY(sort_keys(r, all.u.list, &a[0], j_truth(&a[2]), &keys));
    HONE_TRY(j_new_list(r, J_LIST, 0, out));
    for (size_t i = 0; i < all.u.list->n; i++) {
        if (i == 0 || !j_equal(&keys[i - 1], &keys[i], 0)) {
            jval key;
            HONE_TRY(j_get_path(r, &all.u.list->v[i], &a[0], &key));
            HONE_TRY(j_new_list(r, J_LIST, 0, &group));
            HONE_TRY(j_new_list(r, J_TUPLE, 2, &pair));
            HONE_TRY(j_push(r, pair.u.list, key));
            HONE_TRY(j_push(r, pair.u.list, group));
            HONE_TRY(j_push(r, out->u.list, pair));
        }
        HONE_TRY(j_push(r, group.u.list, all.u.list->v[i]));
    }
    return HONE_OK;
}

static hone_status f_batch(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    jval row;
    int64_t size;
    BIND("batch", 1, "linecount", "fill_with");
    HONE_TRY(j_want_int(r, "batch", &a[0], &size));
    if (size < 1 || size > 100000)
        return j_fail(r, HONE_E_RANGE, "batch: a size from 1 to 100000 is needed");
    HONE_TRY(j_items(r, in, &l));
    HONE_TRY(j_new_list(r, J_GEN, 0, out));
    for (size_t i = 0; i < l->n; i++) {
        if (i % (size_t)size == 0) {
            HONE_TRY(j_new_list(r, J_LIST, 0, &row));
            HONE_TRY(j_push(r, out->u.list, row));
        }
        HONE_TRY(j_push(r, row.u.list, l->v[i]));
    }
    while (l->n && a[1].type != J_ABSENT && a[1].type != J_NONE && row.u.list->n < (size_t)size)
        HONE_TRY(j_push(r, row.u.list, a[1]));
    return HONE_OK;
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */
#define TEST(name, condition)                                                                      \
    static hone_status t_##name(jrun *r, const jval *in, const jcall *c, jval *out)                \
    {                                                                                              \
        HONE_TRY(no_args(r, #name, c));                                                            \
        *out = j_bool(condition);                                                                  \
        return HONE_OK;                                                                            \
    }
TEST(defined, in->type != J_UNDEF)
TEST(undefined, in->type == J_UNDEF)
TEST(none, in->type == J_NONE)
TEST(boolean, in->type == J_BOOL)
TEST(true, in->type == J_BOOL && in->u.i)
TEST(false, in->type == J_BOOL && !in->u.i)
TEST(integer, in->type == J_INT)
TEST(float, in->type == J_FLOAT)
TEST(number, j_is_num(in))
TEST(string, in->type == J_STR)
TEST(mapping, in->type == J_DICT)
TEST(iterable, in->type == J_STR || in->type == J_LIST || in->type == J_TUPLE || in->type == J_DICT || in->type == J_GEN || in->type == J_UNDEF)
TEST(sequence, in->type == J_STR || in->type == J_LIST || in->type == J_TUPLE || in->type == J_DICT)
TEST(callable, in->type == J_MACRO || in->type == J_FUNC || in->type == J_METHOD)

static hone_status parity(jrun *r, const char *what, const jval *in, const jcall *c, int want, jval *out)
{
    int64_t i;
    HONE_TRY(no_args(r, what, c));
    HONE_TRY(j_want_int(r, what, in, &i));
    *out = j_bool((i & 1) == want);
    return HONE_OK;
}

static hone_status t_odd(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return parity(r, "odd", in, c, 1, out);
}

static hone_status t_even(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return parity(r, "even", in, c, 0, out);
}

static hone_status t_divisibleby(jrun *r, const jval *in, const jcall *c, jval *out)
{
    jval rest, zero = j_int(0);
    BIND("divisibleby", 1, "num");
    HONE_TRY(j_binary(r, '%', in, &a[0], &rest));
    *out = j_bool(j_equal(&rest, &zero, 0));
    return HONE_OK;
}

static hone_status t_equal(jrun *r, const jval *in, const jcall *c, jval *out)
{
    BIND("equalto", 1, "other");
    *out = j_bool(j_equal(in, &a[0], 0));
    return HONE_OK;
}

static hone_status t_ne(jrun *r, const jval *in, const jcall *c, jval *out)
{
    BIND("ne", 1, "other");
    *out = j_bool(!j_equal(in, &a[0], 0));
    return HONE_OK;
}

static hone_status ordered(jrun *r, const char *what, const jval *in, const jcall *c, int low, int high, jval *out)
{
    int order;
    BIND(what, 1, "other");
    HONE_TRY(j_order(r, in, &a[0], &order));
    *out = j_bool(order != 2 && order >= low && order <= high);
    return HONE_OK;
}

static hone_status t_lt(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "lessthan", in, c, -1, -1, out);
}

static hone_status t_le(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "le", in, c, -1, 0, out);
}

static hone_status t_gt(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "greaterthan", in, c, 1, 1, out);
}

static hone_status t_ge(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "ge", in, c, 0, 1, out);
}

static hone_status t_in(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int yes;
    BIND("in", 1, "seq");
    HONE_TRY(j_contains(r, in, &a[0], &yes));
    *out = j_bool(yes);
    return HONE_OK;
}

static hone_status t_sameas(jrun *r, const jval *in, const jcall *c, jval *out)
{
    BIND("sameas", 1, "other");
    if (in->type != J_BOOL && in->type != J_NONE && a[0].type != J_BOOL && a[0].type != J_NONE)
        return j_fail(r, HONE_E_UNSUPPORTED, "sameas of anything but true, false and none is not supported");
    *out = j_bool(in->type == a[0].type && (in->type == J_NONE || in->u.i == a[0].u.i));
    return HONE_OK;
}

static hone_status t_upper(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "isupper", in, c, out);
}

static hone_status t_lower(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return method(r, "islower", in, c, out);
}

/* ---- tables ---------------------------------------------------------------------------------------------------------------- */
static const jfilter filters[] = {
    {"abs", f_abs},         {"attr", f_attr},       {"batch", f_batch},           {"capitalize", f_capitalize},
    {"count", f_length},    {"d", f_default},       {"default", f_default},       {"dictsort", f_dictsort},
    {"first", f_first},     {"float", f_float},     {"format", f_format},         {"groupby", f_groupby},
    {"indent", f_indent},   {"int", f_int},         {"items", f_items},           {"join", f_join},
    {"last", f_last},       {"length", f_length},   {"list", f_list},             {"lower", f_lower},
    {"map", f_map},         {"max", f_max},         {"min", f_min},               {"reject", f_reject},
    {"rejectattr", f_rejectattr}, {"replace", f_replace}, {"reverse", f_reverse}, {"round", f_round},
    {"safe", f_safe},       {"select", f_select},   {"selectattr", f_selectattr}, {"sort", f_sort},
    {"string", f_string},   {"sum", f_sum},         {"title", f_title},           {"tojson", f_tojson},
    {"trim", f_trim},       {"truncate", f_truncate}, {"unique", f_unique},       {"upper", f_upper},
};
static const jfilter tests[] = {
    {"boolean", t_boolean}, {"callable", t_callable}, {"defined", t_defined}, {"divisibleby", t_divisibleby},
    {"eq", t_equal}, {"equalto", t_equal}, {"==", t_equal}, {"even", t_even}, {"false", t_false}, {"float", t_float},
    {"ge", t_ge}, {">=", t_ge}, {"gt", t_gt}, {"greaterthan", t_gt}, {">", t_gt}, {"in", t_in}, {"integer", t_integer},
    {"iterable", t_iterable}, {"le", t_le}, {"<=", t_le}, {"lessthan", t_lt}, {"lower", t_lower}, {"lt", t_lt}, {"<", t_lt},
    {"mapping", t_mapping}, {"ne", t_ne}, {"!=", t_ne}, {"none", t_none}, {"number", t_number}, {"odd", t_odd},
    {"sameas", t_sameas}, {"sequence", t_sequence}, {"string", t_string}, {"true", t_true}, {"undefined", t_undefined},
    {"upper", t_upper},
};

const jfilter *j_find_filter(hone_str name)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (j_is(name, filters[i].name))
            return &filters[i];
    return NULL;
}

const jfilter *j_find_test(hone_str name)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (j_is(name, tests[i].name))
            return &tests[i];
    return NULL;
}

hone_status j_apply_filter(jrun *r, hone_str name, const jval *in, const jcall *c, jval *out)
{
    const jfilter *f = j_find_filter(name);
    if (!f)
        return j_fail(r, HONE_E_UNSUPPORTED, "filter \"%.*s\" is not supported", (int)(name.len < 60 ? name.len : 60), name.ptr);
    return f->fn(r, in, c, out);
}
