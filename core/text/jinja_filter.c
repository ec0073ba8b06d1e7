/* jinja_filter.c - filters of Jinja2 on texts and numbers, and the way from a name to a filter.
 *
 * The tables here and in jinja_seq.c are the whole list: the parser refuses what is in neither.
 * Source: jinja2/filters.py; tojson: transformers' chat_template_utils. */
#include "text/jinja_int.h"

#include "base/json.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------------------------------- */
static hone_status f_trim(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "strip", in, c, out);
}

static hone_status f_upper(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "upper", in, c, out);
}

static hone_status f_lower(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "lower", in, c, out);
}

static hone_status f_capitalize(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "capitalize", in, c, out);
}

static hone_status f_replace(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "replace", in, c, out);
}

/* A word begins at the start and behind white space and -({[<. */
static hone_status f_title(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s;
    hone_buf b;
    hone_status st = HONE_OK;
    int begin = 1;
    HONE_TRY(j_no_args(r, "title", c));
    HONE_TRY(j_soft_str(r, in, &s));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0, k; i < s.len && st >= 0; i += k) {
        uint32_t code = 0, to = 0;
        char text[4];
        k = hone__jinja_char_len(s, i);
        hone_utf8_step(s, i, &code);
        if (!(begin ? hone__upper(code, &to) : hone__lower(code, &to)))
            st = hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                  "changing the case of U+%04X is not supported", code);
        else
            hone_buf_add(&b, text, hone__utf8_put(to, text));
        begin = hone__jinja_space(code) || (code && code < 128 && strchr("-({[<", (int)code));
    }
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status f_string(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(j_no_args(r, "string", c));
    return hone__jinja_to_str(r, in, out);
}

static hone_status f_safe(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(j_no_args(r, "safe", c));
    HONE_TRY(hone__jinja_to_str(r, in, out));
    out->markup = 1;
    return HONE_OK;
}

static hone_status f_format(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s;
    HONE_TRY(j_soft_str(r, in, &s));
    if (c->n_kw) {
        jval map;
        if (c->n)
            return hone__jinja_fail(r, HONE_E_SCRIPT,
                                    "can't handle positional and keyword arguments at the same "
                                    "time");
        HONE_TRY(hone__jinja_new_dict(r, J_DICT, c->n_kw, &map));
        for (size_t i = 0; i < c->n_kw; i++)
            HONE_TRY(hone__jinja_dict_put(r, map.u.dict, j_str(c->names[i]), c->kw[i]));
        return hone__jinja_format(r, s, &map, 1, 0, out);
    }
    return hone__jinja_format(r, s, c->args, c->n, 1, out);
}

static hone_status f_indent(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s, pad = {NULL, 0};
    jval lines, v;
    int64_t width = 4;
    J_BIND("indent", 0, "width", "first", "blank");
    HONE_TRY(hone__jinja_want_str(r, "indent", in, &s));
    if (a[0].type == J_STR)
        pad = a[0].u.str;
    else if (a[0].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "indent", &a[0], &width));
    if (!pad.ptr) {
        jval space = j_str((hone_str){" ", 1}), n = j_int(width);
        HONE_TRY(hone__jinja_binary(r, '*', &space, &n, &v));
        pad = v.u.str;
    }
    jcall none = {NULL, 0, NULL, NULL, 0};
    hone_buf with_newline; /* Jinja2 adds one before it splits into lines */
    hone_buf_init(&with_newline, r->max_output);
    hone_buf_add_str(&with_newline, s);
    hone_buf_addc(&with_newline, '\n');
    HONE_TRY(hone__jinja_take_buf(r, &with_newline, &v));
    HONE_TRY(j_str_method(r, "splitlines", &v, &none, &lines));
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    int blank = hone__jinja_truth(&a[2]);
    for (size_t i = 0; i < lines.u.list->n; i++) {
        hone_str line = lines.u.list->v[i].u.str;
        if (i)
            hone_buf_addc(&b, '\n');
        if (i ? (blank || line.len) : hone__jinja_truth(&a[1]))
            hone_buf_add_str(&b, pad);
        hone_buf_add_str(&b, line);
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status f_truncate(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t length = 255, leeway = 5, n, n_end;
    hone_str end = {"...", 3};
    jval text, cut, from = j_int(0), to;
    J_BIND("truncate", 0, "length", "killwords", "end", "leeway");
    if (in->type != J_STR && in->type != J_UNDEF && in->type != J_LIST && in->type != J_DICT)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "truncate needs a str, not %s",
                                hone__jinja_type_name(in));
    HONE_TRY(hone__jinja_to_str(r, in, &text));
    if (a[0].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "truncate", &a[0], &length));
    if (a[2].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_str(r, "truncate", &a[2], &end));
    if (a[3].type != J_ABSENT && a[3].type != J_NONE)
        HONE_TRY(hone__jinja_want_int(r, "truncate", &a[3], &leeway));
    HONE_TRY(hone__jinja_length(r, in, &n));
    n_end = (int64_t)hone__jinja_count_chars(end);
    if (length < n_end || leeway < 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "truncate: expected length >= %lld",
                                (long long)n_end);
    if (n <= length + leeway) {
        *out = in->type == J_UNDEF ? text : *in;
        return HONE_OK;
    }
    if (in->type != J_STR)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "truncate needs a str, not %s",
                                hone__jinja_type_name(in));
    to = j_int(length - n_end);
    HONE_TRY(hone__jinja_slice(r, &text, &from, &to, NULL, &cut));
    hone_str s = cut.u.str;
    if (!hone__jinja_truth(&a[1]))
        for (size_t i = s.len; i-- > 0;)
            if (s.ptr[i] == ' ') {
                s.len = i;
                break;
            }
    jval left = j_str(s), right = j_str(end);
    return hone__jinja_binary(r, '+', &left, &right, out);
}

static hone_status f_tojson(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_buf b;
    jjson o = {{NULL, 0}, {", ", 2}, {": ", 2}, 0, 0};
    jval v;
    J_BIND("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
    if (a[1].type == J_STR) {
        o.indent = a[1].u.str;
        o.item_sep = (hone_str){",", 1};
    } else if (a[1].type != J_ABSENT && a[1].type != J_NONE) {
        int64_t width;
        jval space = j_str((hone_str){" ", 1}), n;
        HONE_TRY(hone__jinja_want_int(r, "tojson", &a[1], &width));
        n = j_int(width);
        HONE_TRY(hone__jinja_binary(r, '*', &space, &n, &v));
        o.indent.ptr = v.u.str.len ? v.u.str.ptr : "";
        o.indent.len = v.u.str.len;
        o.item_sep = (hone_str){",", 1};
    }
    if (a[2].type != J_ABSENT && a[2].type != J_NONE) {
        if ((a[2].type != J_TUPLE && a[2].type != J_LIST) || a[2].u.list->n != 2)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "tojson: separators must be a pair");
        HONE_TRY(hone__jinja_want_str(r, "tojson", &a[2].u.list->v[0], &o.item_sep));
        HONE_TRY(hone__jinja_want_str(r, "tojson", &a[2].u.list->v[1], &o.key_sep));
    }
    o.ascii = hone__jinja_truth(&a[0]);
    o.sort_keys = hone__jinja_truth(&a[3]);
    hone_buf_init(&b, r->max_output);
    hone_status s = hone__jinja_json(r, &b, in, &o, 0);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */
static hone_status f_abs(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(j_no_args(r, "abs", c));
    if (!j_is_num(in) || (in->type == J_INT && in->u.i == INT64_MIN))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "bad operand type for abs(): '%s'",
                                hone__jinja_type_name(in));
    *out = in->type == J_FLOAT ? j_float(fabs(in->u.f)) : j_int(in->u.i < 0 ? -in->u.i : in->u.i);
    return HONE_OK;
}

/* Digits with single _ between them, as Python's int() takes them. 0: none; -1: over 64 bits. */
static int parse_int(hone_str s, int base, int64_t *out)
{
    int64_t v = 0;
    int negative = 0, digits = 0, prefix = 0;
    s = hone__jinja_strip(s, NULL, 1, 1);
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        negative = s.ptr[0] == '-';
        s.ptr++;
        s.len--;
    }
    if (s.len > 2 && s.ptr[0] == '0') {
        char b = (char)(s.ptr[1] | 32);
        int named = b == 'x' ? 16 : b == 'o' ? 8 : b == 'b' ? 2 : 0;
        if (named && (base == named || base == 0)) {
            base = named;
            s.ptr += 2;
            s.len -= 2;
            prefix = 1;
        }
    }
    if (base == 0) {
        base = 10;
        for (size_t i = 0; s.len > 1 && s.ptr[0] == '0' && i < s.len; i++)
            if (s.ptr[i] != '0' && s.ptr[i] != '_')
                return 0; /* 012 */
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
                                                     : 99;
        if (c == '_' && (i > 0 ? s.ptr[i - 1] != '_' : prefix) && i + 1 < s.len)
            continue;
        if (d >= base)
            return 0;
        if (__builtin_mul_overflow(v, (int64_t)base, &v) ||
            (negative ? __builtin_sub_overflow(v, (int64_t)d, &v)
                      : __builtin_add_overflow(v, (int64_t)d, &v)))
            return -1;
        digits++;
    }
    *out = v;
    return digits > 0;
}

/* What Python's float() takes. 0: nothing. */
static int parse_float(hone_str s, double *out)
{
    char text[400];
    const char *end;
    size_t n = 0;
    s = hone__jinja_strip(s, NULL, 1, 1);
    if (s.len == 0 || s.len >= sizeof text)
        return 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '_') {
            if (i == 0 || i + 1 == s.len || s.ptr[i - 1] < '0' || s.ptr[i - 1] > '9' ||
                s.ptr[i + 1] < '0' || s.ptr[i + 1] > '9')
                return 0;
            continue;
        }
        text[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    text[n] = 0;
    int sign = text[0] == '-' || text[0] == '+';
    if (strcmp(text + sign, "inf") == 0 || strcmp(text + sign, "infinity") == 0) {
        *out = text[0] == '-' ? -INFINITY : INFINITY;
        return 1;
    }
    if (strcmp(text + sign, "nan") == 0) {
        *out = NAN;
        return 1;
    }
    for (size_t k = 0; k < n; k++)
        if (!strchr("+-.0123456789e", text[k]))
            return 0;
    *out = hone_parse_f64(text, &end);
    return end != text && !*end;
}

static hone_status undefined(jrun *r, const jval *in)
{
    return hone__jinja_fail(r, HONE_E_SCRIPT, "'%.*s' is undefined",
                            (int)(in->u.str.len < 100 ? in->u.str.len : 100), in->u.str.ptr);
}

static hone_status f_int(jrun *r, const jval *in, const jcall *c, jval *out)
{
    double f = 0;
    int64_t i = 0, base = 10;
    J_BIND("int", 0, "default", "base");
    if (a[1].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "int", &a[1], &base));
    if (in->type == J_UNDEF)
        return undefined(r, in);
    *out = a[0].type == J_ABSENT ? j_int(0) : a[0];
    if (in->type == J_INT || in->type == J_BOOL) {
        *out = j_int(in->u.i);
        return HONE_OK;
    }
    if (in->type == J_STR && (base == 0 || (base > 1 && base < 37))) {
        int known = parse_int(in->u.str, (int)base, &i);
        if (known < 0)
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
        if (known) {
            *out = j_int(i);
            return HONE_OK;
        }
    }
    if (in->type != J_FLOAT && !(in->type == J_STR && parse_float(in->u.str, &f)))
        return HONE_OK;
    f = in->type == J_FLOAT ? in->u.f : f;
    if (isnan(f) || (isinf(f) && in->type == J_STR))
        return HONE_OK;
    if (!(fabs(f) < 9e18))
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
    *out = j_int((int64_t)f);
    return HONE_OK;
}

static hone_status f_float(jrun *r, const jval *in, const jcall *c, jval *out)
{
    double f = 0;
    J_BIND("float", 0, "default");
    if (in->type == J_UNDEF)
        return undefined(r, in);
    *out = a[0].type == J_ABSENT ? j_float(0) : a[0];
    if (j_is_num(in))
        *out = j_float(j_num(in));
    else if (in->type == J_STR && parse_float(in->u.str, &f))
        *out = j_float(f);
    return HONE_OK;
}

/* To tens, hundreds ...: halves to the even one. */
static hone_status round_tens(jrun *r, const jval *in, int digits, jval *out)
{
    int64_t unit = 1, v = in->type == J_FLOAT ? 0 : in->u.i;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    if (in->type == J_FLOAT) {
        if (!(fabs(in->u.f) < 4e15))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "round of so large a number to tens");
        v = (int64_t)in->u.f;
    }
    int64_t down = v / unit * unit, rest = v - down, half = unit / 2;
    double part = in->type == J_FLOAT ? in->u.f - (double)v : 0;
    int above = rest > half || rest < -half || ((rest == half || rest == -half) && part != 0);
    int tie = (rest == half || rest == -half) && part == 0 && unit > 1;
    if (above || (tie && down / unit % 2 != 0))
        down += v < 0 || (v == 0 && part < 0) ? -unit : unit;
    *out = in->type == J_FLOAT ? j_float((double)down) : j_int(down);
    return HONE_OK;
}

/* Python rounds halves of the exact decimal value to even; through the shortest text of enough digits. */
static hone_status f_round(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int64_t digits = 0;
    hone_str how = {"common", 6};
    J_BIND("round", 0, "precision", "method");
    if (a[0].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "round", &a[0], &digits));
    if (a[1].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_str(r, "round", &a[1], &how));
    if (!j_is_num(in))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "round needs a number, not %s",
                                hone__jinja_type_name(in));
    if (digits < 0 && digits >= -18 && hone__jinja_is(how, "common"))
        return round_tens(r, in, -(int)digits, out);
    if (digits < 0 || digits > 15)
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "round to %lld digits is not supported",
                                (long long)digits);
    double v = j_num(in), scale = pow(10, (double)digits);
    if (hone__jinja_is(how, "common")) {
        if (in->type != J_FLOAT) {
            *out = j_int(in->u.i);
            return HONE_OK;
        }
        char text[400];
        snprintf(text, sizeof text, "%.*f", (int)digits,
                 v); /* glibc rounds the exact value, halves to even */
        const char *end;
        *out = j_float(hone_parse_f64(text, &end));
        return HONE_OK;
    }
    if (!hone__jinja_is(how, "ceil") && !hone__jinja_is(how, "floor"))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "method must be common, ceil or floor");
    *out = j_float((how.ptr[0] == 'c' ? ceil(v * scale) : floor(v * scale)) / scale);
    return HONE_OK;
}

/* ---- names ---- */
static const jfilter filters[] = {
    {"abs", f_abs},           {"capitalize", f_capitalize},
    {"float", f_float},       {"format", f_format},
    {"indent", f_indent},     {"int", f_int},
    {"lower", f_lower},       {"replace", f_replace},
    {"round", f_round},       {"safe", f_safe},
    {"string", f_string},     {"title", f_title},
    {"tojson", f_tojson},     {"trim", f_trim},
    {"truncate", f_truncate}, {"upper", f_upper},
};

const jfilter *hone__jinja_find_filter(hone_str name)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (hone__jinja_is(name, filters[i].name))
            return &filters[i];
    static const jfilter *const more[] = {hone__jinja_seq_filters, hone__jinja_prose_filters};
    for (int i = 0; i < 2; i++)
        for (const jfilter *f = more[i]; f->name; f++)
            if (hone__jinja_is(name, f->name))
                return f;
    return NULL;
}

hone_status hone__jinja_apply_filter(jrun *r, hone_str name, const jval *in, const jcall *c,
                                     jval *out)
{
    const jfilter *f = hone__jinja_find_filter(name);
    if (!f)
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "filter \"%.*s\" is not supported",
                                (int)(name.len < 60 ? name.len : 60), name.ptr);
    return f->fn(r, in, c, out);
}
