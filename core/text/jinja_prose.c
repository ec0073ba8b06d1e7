/* jinja_prose.c - filters of Jinja2 that lay text out or make it safe for HTML and addresses.
 *
 * Chat templates seldom need them; those that do were mostly written for web pages first. random, urlize and
 * xmlattr are not here: the first is never the same twice, the others write HTML.
 * Source: jinja2/filters.py, markupsafe, textwrap of Python. */
#include "text/jinja_int.h"

#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

static hone_status finish(jrun *r, hone_status s, hone_buf *b, jval *out)
{
    if (s < 0) {
        hone_buf_release(b);
        return s;
    }
    return hone__jinja_take_buf(r, b, out);
}

/* ---- HTML -------------------------------------------------------------------------------------------- */
hone_status hone__jinja_escape(jrun *r, const jval *v, jval *out)
{
    static const char from[] = "&<>'\"", *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    jval text;
    hone_buf b;
    HONE_TRY(hone__jinja_to_str(r, v, &text));
    hone_str s = text.u.str;
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < s.len; i++) {
        const char *known = s.ptr[i] ? strchr(from, s.ptr[i]) : NULL;
        if (known && !text.markup)
            hone_buf_adds(&b, to[known - from]);
        else
            hone_buf_addc(&b, s.ptr[i]);
    }
    HONE_TRY(hone__jinja_take_buf(r, &b, out));
    out->markup = 1;
    return HONE_OK;
}

static hone_status f_escape(jrun *r, const jval *in, const jcall *c, jval *out)
{
    HONE_TRY(j_no_args(r, "escape", c));
    return hone__jinja_escape(r, in, out);
}

static hone_status f_forceescape(jrun *r, const jval *in, const jcall *c, jval *out)
{
    jval text;
    HONE_TRY(j_no_args(r, "forceescape", c));
    HONE_TRY(hone__jinja_to_str(r, in, &text));
    text.markup = 0;
    return hone__jinja_escape(r, &text, out);
}

/* ---- layout ------------------------------------------------------------------------------------------- */
static hone_status f_center(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("center", 0, "width");
    jval width = a[0].type == J_ABSENT ? j_int(80) : a[0];
    jcall with_width = {&width, 1, NULL, NULL, 0};
    return j_str_method(r, "center", in, &with_width, out);
}

static int word_char(uint32_t code)
{
    return code == '_' || (code >= '0' && code <= '9') || hone_utf8_is_letter(code);
}

static hone_status f_wordcount(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s;
    int64_t n = 0;
    int inside = 0;
    HONE_TRY(j_no_args(r, "wordcount", c));
    HONE_TRY(j_soft_str(r, in, &s));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    for (size_t i = 0; i < s.len; i += hone__jinja_char_len(s, i)) {
        uint32_t code = 0;
        hone_utf8_step(s, i, &code);
        int word = word_char(code);
        n += word && !inside;
        inside = word;
    }
    *out = j_int(n);
    return HONE_OK;
}

/* Lines of at most `width` characters, broken at blanks; textwrap's way with hyphens is not followed. */
static hone_status f_wordwrap(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_str s, with = {"\n", 1};
    int64_t width = 79;
    hone_buf b;
    J_BIND("wordwrap", 0, "width", "break_long_words", "wrapstring", "break_on_hyphens");
    HONE_TRY(j_soft_str(r, in, &s));
    if (a[0].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "wordwrap", &a[0], &width));
    if (a[2].type != J_ABSENT && a[2].type != J_NONE)
        HONE_TRY(hone__jinja_want_str(r, "wordwrap", &a[2], &with));
    if (width < 1)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "wordwrap: a width of 1 or more is needed");
    HONE_TRY(hone__jinja_step(r, s.len / 8));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < s.len;) {
        size_t end = i, at = i;
        int64_t used = 0, blanks = 0;
        int first = 1;
        while (end < s.len && s.ptr[end] != '\n')
            end++;
        for (size_t k; at < end; at = k) {
            int64_t n = 0;
            for (k = at; k < end && s.ptr[k] == ' '; k++)
                blanks++;
            at = k;
            while (k < end && s.ptr[k] != ' ') {
                if (s.ptr[k] == '-' || (unsigned char)s.ptr[k] < 32) {
                    hone_buf_release(&b);
                    return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                            "wordwrap of hyphens and tabs is not supported");
                }
                k += hone__jinja_char_len(s, k);
                n++;
            }
            if (n > width) {
                hone_buf_release(&b);
                return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                        "wordwrap of words longer than a line is not supported");
            }
            if (k == at)
                break; /* blanks at the end of a line go */
            if (!first && used + blanks + n > width) {
                hone_buf_add_str(&b, with);
                used = 0;
                blanks = 0;
            }
            for (int64_t j = 0; j < blanks; j++)
                hone_buf_addc(&b, ' ');
            hone_buf_add(&b, s.ptr + at, k - at);
            used += blanks + n;
            blanks = 0;
            first = 0;
        }
        i = end + 1;
        if (end < s.len && i < s.len)
            hone_buf_add_str(&b, with);
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status f_filesizeformat(jrun *r, const jval *in, const jcall *c, jval *out)
{
    static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    static const char *const binary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    char text[80];
    J_BIND("filesizeformat", 0, "binary");
    int is_binary = a[0].type != J_ABSENT && hone__jinja_truth(&a[0]);
    if (!j_is_num(in))
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "filesizeformat of a %s is not supported",
                                hone__jinja_type_name(in));
    double v = j_num(in), base = is_binary ? 1024 : 1000, unit = base;
    if (v == 1) {
        snprintf(text, sizeof text, "1 Byte");
    } else if (v < base) {
        if (!(v > -9e18))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
        snprintf(text, sizeof text, "%lld Bytes", (long long)v);
    } else {
        int i = 0;
        for (unit = base * base; i < 7 && v >= unit; i++)
            unit *= base;
        snprintf(text, sizeof text, "%.1f %s", base * v / unit, (is_binary ? binary : decimal)[i]);
    }
    return hone__jinja_copy_str(r, text, strlen(text), out);
}

/* ---- addresses ----------------------------------------------------------------------------------------- */
static hone_status quote(jrun *r, const jval *v, int in_query, hone_buf *b)
{
    jval text;
    HONE_TRY(hone__jinja_to_str(r, v, &text));
    hone_str s = text.u.str;
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        int plain = (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') ||
                    (ch && strchr("_.-~", ch)) || (ch == '/' && !in_query);
        if (plain)
            hone_buf_addc(b, (char)ch);
        else if (ch == ' ' && in_query)
            hone_buf_addc(b, '+');
        else
            hone_buf_addf(b, "%%%02X", ch);
    }
    return b->failed;
}

static hone_status f_urlencode(jrun *r, const jval *in, const jcall *c, jval *out)
{
    hone_buf b;
    hone_status s = HONE_OK;
    const jlist *l, *pair;
    jval items = *in;
    HONE_TRY(j_no_args(r, "urlencode", c));
    hone_buf_init(&b, r->max_output);
    if (in->type == J_STR || j_is_num(in) || in->type == J_NONE || in->type == J_UNDEF)
        return finish(r, quote(r, in, 0, &b), &b, out);
    if (in->type == J_DICT) {
        jcall none = {NULL, 0, NULL, NULL, 0};
        jmethod m = {*in, {"items", 5}};
        HONE_TRY(hone__jinja_call_method(r, &m, &none, &items));
    }
    HONE_TRY(hone__jinja_items(r, &items, &l));
    for (size_t i = 0; i < l->n && s >= 0; i++) {
        s = hone__jinja_items(r, &l->v[i], &pair);
        if (s >= 0 && pair->n != 2)
            s = hone__jinja_fail(r, HONE_E_SCRIPT, "urlencode needs pairs");
        if (s >= 0 && i)
            hone_buf_addc(&b, '&');
        if (s >= 0)
            s = quote(r, &pair->v[0], 1, &b);
        if (s >= 0)
            hone_buf_addc(&b, '=');
        if (s >= 0)
            s = quote(r, &pair->v[1], 1, &b);
    }
    return finish(r, s, &b, out);
}

/* ---- lists ------------------------------------------------------------------------------------------------ */
/* Columns: `slices` lists, the first ones one longer. */
static hone_status f_slice(jrun *r, const jval *in, const jcall *c, jval *out)
{
    const jlist *l;
    int64_t slices;
    jval part;
    J_BIND("slice", 1, "slices", "fill_with");
    HONE_TRY(hone__jinja_want_int(r, "slice", &a[0], &slices));
    if (slices < 1 || slices > 100000)
        return hone__jinja_fail(r, HONE_E_RANGE, "slice: a number from 1 to 100000 is needed");
    HONE_TRY(hone__jinja_items(r, in, &l));
    HONE_TRY(hone__jinja_new_list(r, J_GEN, 0, out));
    size_t each = l->n / (size_t)slices, longer = l->n % (size_t)slices, at = 0;
    for (size_t i = 0; i < (size_t)slices; i++) {
        size_t n = each + (i < longer);
        HONE_TRY(hone__jinja_new_list(r, J_LIST, n + 1, &part));
        for (size_t k = 0; k < n; k++)
            HONE_TRY(hone__jinja_push(r, part.u.list, l->v[at++]));
        if (a[1].type != J_ABSENT && a[1].type != J_NONE && i >= longer)
            HONE_TRY(hone__jinja_push(r, part.u.list, a[1]));
        HONE_TRY(hone__jinja_push(r, out->u.list, part));
    }
    return HONE_OK;
}

const jfilter hone__jinja_prose_filters[] = {
    {"center", f_center},           {"e", f_escape},
    {"escape", f_escape},           {"filesizeformat", f_filesizeformat},
    {"forceescape", f_forceescape}, {"slice", f_slice},
    {"urlencode", f_urlencode},     {"wordcount", f_wordcount},
    {"wordwrap", f_wordwrap},       {NULL, NULL},
};
