/* jinja_method.c - what templates call: globals (range, namespace, raise_exception ...) and methods of str,
 * list, dict.
 *
 * A name that Python's type has is always taken for the method, never for an undefined value: what hone
 * does not know of it fails with its name. Methods that change a list or dict are refused, as the
 * immutable sandbox of transformers refuses them. */
#include "text/jinja_int.h"

#include "text/tokenizer.h"

#include <string.h>
#include <time.h>

/* ---- arguments ---------------------------------------------------------------------------------------------- */
hone_status hone__jinja_bind(jrun *r, const char *what, const jcall *c, size_t min,
                             const char *const *names, jval *out)
{
    size_t n = 0;
    while (names[n])
        n++;
    for (size_t i = 0; i < n; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].type = J_ABSENT;
    }
    if (c->n > n)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%s takes at most %zu argument(s), %zu given",
                                what, n, c->n);
    for (size_t i = 0; i < c->n; i++)
        out[i] = c->args[i];
    for (size_t k = 0; k < c->n_kw; k++) {
        size_t i = 0;
        while (i < n && !hone__jinja_is(c->names[k], names[i]))
            i++;
        if (i == n)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "%s has no argument '%.*s'", what,
                                    (int)(c->names[k].len < 60 ? c->names[k].len : 60),
                                    c->names[k].ptr);
        if (out[i].type != J_ABSENT)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "%s: argument '%s' is given twice", what,
                                    names[i]);
        out[i] = c->kw[k];
    }
    for (size_t i = 0; i < min; i++)
        if (out[i].type == J_ABSENT)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "%s: argument '%s' is missing", what,
                                    names[i]);
    return HONE_OK;
}

hone_status hone__jinja_want_str(jrun *r, const char *what, const jval *v, hone_str *out)
{
    if (v->type == J_UNDEF)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "\"%.*s\" is undefined",
                                (int)(v->u.str.len < 100 ? v->u.str.len : 100), v->u.str.ptr);
    if (v->type != J_STR)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%s needs a str, not %s", what,
                                hone__jinja_type_name(v));
    *out = v->u.str;
    return HONE_OK;
}

hone_status hone__jinja_want_int(jrun *r, const char *what, const jval *v, int64_t *out)
{
    if (v->type != J_INT && v->type != J_BOOL)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%s needs an int, not %s", what,
                                hone__jinja_type_name(v));
    *out = v->u.i;
    return HONE_OK;
}

/* ---- globals -------------------------------------------------------------------------------------------------- */
static hone_status g_range(jrun *r, const jcall *c, jval *out)
{
    static const char *const names[] = {"start", "stop", "step", NULL};
    jval a[3];
    int64_t v[3] = {0, 0, 1};
    HONE_TRY(hone__jinja_bind(r, "range()", c, 1, names, a));
    for (int i = 0; i < 3 && a[i].type != J_ABSENT; i++)
        HONE_TRY(hone__jinja_want_int(r, "range()", &a[i], &v[i]));
    if (a[1].type == J_ABSENT) {
        v[1] = v[0];
        v[0] = 0;
    }
    if (v[2] == 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "range() arg 3 must not be zero");
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, out));
    for (int64_t i = v[0]; v[2] > 0 ? i < v[1] : i > v[1];) {
        if (out->u.list->n >= 100000)
            return hone__jinja_fail(
                r, HONE_E_LIMIT,
                "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
        HONE_TRY(hone__jinja_push(r, out->u.list, j_int(i)));
        if (__builtin_add_overflow(i, v[2], &i))
            break;
    }
    return HONE_OK;
}

static hone_status make_map(jrun *r, const char *what, jtype type, const jcall *c, jval *out)
{
    HONE_TRY(hone__jinja_new_dict(r, type, c->n_kw, out));
    if (c->n > 1)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%s takes at most 1 positional argument", what);
    if (c->n == 1 && (c->args[0].type == J_DICT || c->args[0].type == J_NAMESPACE)) {
        for (size_t i = 0; i < c->args[0].u.dict->n; i++)
            HONE_TRY(hone__jinja_dict_put(r, out->u.dict, c->args[0].u.dict->v[i].key,
                                          c->args[0].u.dict->v[i].val));
    } else if (c->n == 1) {
        const jlist *l, *pair;
        HONE_TRY(hone__jinja_items(r, &c->args[0], &l));
        for (size_t i = 0; i < l->n; i++) {
            HONE_TRY(hone__jinja_items(r, &l->v[i], &pair));
            if (pair->n != 2)
                return hone__jinja_fail(r, HONE_E_SCRIPT, "%s needs pairs", what);
            HONE_TRY(hone__jinja_dict_put(r, out->u.dict, pair->v[0], pair->v[1]));
        }
    }
    for (size_t i = 0; i < c->n_kw; i++)
        HONE_TRY(hone__jinja_dict_put(r, out->u.dict, j_str(c->names[i]), c->kw[i]));
    return HONE_OK;
}

static hone_status g_dict(jrun *r, const jcall *c, jval *out)
{
    return make_map(r, "dict()", J_DICT, c, out);
}

static hone_status g_namespace(jrun *r, const jcall *c, jval *out)
{
    return make_map(r, "namespace()", J_NAMESPACE, c, out);
}

static hone_status g_raise(jrun *r, const jcall *c, jval *out)
{
    static const char *const names[] = {"message", NULL};
    jval a[1], text;
    (void)out;
    HONE_TRY(hone__jinja_bind(r, "raise_exception()", c, 1, names, a));
    HONE_TRY(hone__jinja_to_str(r, &a[0], &text));
    if (r->opt && r->opt->raised) {
        hone_buf_clear(r->opt->raised);
        HONE_TRY(hone_buf_add_str(r->opt->raised, text.u.str));
    }
    return hone__jinja_fail(r, HONE_E_REFUSED, "%.*s",
                            (int)(text.u.str.len < 300 ? text.u.str.len : 300), text.u.str.ptr);
}

static hone_status g_strftime_now(jrun *r, const jcall *c, jval *out)
{
    static const char *const names[] = {"format", NULL};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    jval a[1];
    hone_str f;
    struct tm tm;
    time_t now = (time_t)r->opt->now;
    HONE_TRY(hone__jinja_bind(r, "strftime_now()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "strftime_now()", &a[0], &f));
    if (!gmtime_r(&now, &tm))
        return hone__jinja_fail(r, HONE_E_RANGE, "strftime_now(): the clock is out of range");
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    hone_status s = HONE_OK;
    for (size_t i = 0; i < f.len && s >= 0; i++) {
        if (f.ptr[i] != '%') {
            s = hone_buf_addc(&b, f.ptr[i]);
            continue;
        }
        int pad = ++i < f.len && f.ptr[i] == '-' ? 1 : 2;
        i += pad == 1;
        char d = i < f.len ? f.ptr[i] : 0;
        int hour12 = tm.tm_hour % 12 ? tm.tm_hour % 12 : 12;
        switch (d) {
        case 'Y':
            s = hone_buf_addf(&b, "%d", tm.tm_year + 1900);
            break;
        case 'm':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_mon + 1);
            break;
        case 'd':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_mday);
            break;
        case 'e':
            s = hone_buf_addf(&b, "%2d", tm.tm_mday);
            break;
        case 'H':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_hour);
            break;
        case 'I':
            s = hone_buf_addf(&b, "%0*d", pad, hour12);
            break;
        case 'M':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_min);
            break;
        case 'S':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_sec);
            break;
        case 'y':
            s = hone_buf_addf(&b, "%0*d", pad, tm.tm_year % 100);
            break;
        case 'j':
            s = hone_buf_addf(&b, "%0*d", pad == 1 ? 1 : 3, tm.tm_yday + 1);
            break;
        case 'B':
            s = hone_buf_adds(&b, months[tm.tm_mon]);
            break;
        case 'b':
            s = hone_buf_add(&b, months[tm.tm_mon], 3);
            break;
        case 'A':
            s = hone_buf_adds(&b, days[tm.tm_wday]);
            break;
        case 'a':
            s = hone_buf_add(&b, days[tm.tm_wday], 3);
            break;
        case 'p':
            s = hone_buf_adds(&b, tm.tm_hour < 12 ? "AM" : "PM");
            break;
        case 'F':
            s = hone_buf_addf(&b, "%d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
            break;
        case 'T':
            s = hone_buf_addf(&b, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
            break;
        case '%':
            s = hone_buf_addc(&b, '%');
            break;
        default:
            s = hone__jinja_fail(r, HONE_E_UNSUPPORTED, "strftime_now(): %%%c is not supported",
                                 d ? d : '?');
        }
    }
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

const jfunc *hone__jinja_find_global(hone_str name)
{
    static const jfunc globals[] = {{"range", g_range},
                                    {"dict", g_dict},
                                    {"namespace", g_namespace},
                                    {"raise_exception", g_raise},
                                    {"strftime_now", g_strftime_now}};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (hone__jinja_is(name, globals[i].name))
            return &globals[i];
    return NULL;
}

/* ---- methods ------------------------------------------------------------------------------------------------------ */
int hone__jinja_has_method(const jval *v, hone_str name)
{
    static const char *const of_str[] = {
        "strip",        "lstrip",      "rstrip",    "split",      "rsplit",       "splitlines",
        "startswith",   "endswith",    "replace",   "upper",      "lower",        "title",
        "capitalize",   "join",        "find",      "rfind",      "index",        "rindex",
        "count",        "format",      "partition", "rpartition", "isdigit",      "isalpha",
        "isalnum",      "isspace",     "isupper",   "islower",    "isnumeric",    "isdecimal",
        "zfill",        "ljust",       "rjust",     "center",     "removeprefix", "removesuffix",
        "swapcase",     "casefold",    "encode",    "expandtabs", "format_map",   "isascii",
        "isidentifier", "isprintable", "istitle",   "maketrans",  "translate",    NULL};
    static const char *const of_list[] = {"index",  "count",   "append", "extend", "insert", "pop",
                                          "remove", "reverse", "sort",   "clear",  "copy",   NULL};
    static const char *const of_tuple[] = {"index", "count", NULL};
    static const char *const of_dict[] = {"get",        "items",  "keys",     "values",
                                          "copy",       "update", "pop",      "popitem",
                                          "setdefault", "clear",  "fromkeys", NULL};
    static const char *const of_loop[] = {"cycle", "changed", NULL};
    static const char *const of_int[] = {
        "bit_length", "bit_count", "to_bytes",  "as_integer_ratio", "is_integer", "conjugate",
        "real",       "imag",      "numerator", "denominator",      "hex",        NULL};
    const char *const *list = v->type == J_STR     ? of_str
                              : v->type == J_LIST  ? of_list
                              : v->type == J_TUPLE ? of_tuple
                              : v->type == J_DICT  ? of_dict
                              : v->type == J_LOOP  ? of_loop
                              : j_is_num(v)        ? of_int
                                                   : NULL;
    for (; list && *list; list++)
        if (hone__jinja_is(name, *list))
            return 1;
    return 0;
}

static hone_status unsupported(jrun *r, const jmethod *m)
{
    return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "method %s.%.*s() is not supported",
                            hone__jinja_type_name(&m->self), (int)m->name.len, m->name.ptr);
}

static const char *find_in(hone_str s, hone_str what, int last)
{
    if (what.len > s.len)
        return NULL;
    if (!last)
        return what.len ? memmem(s.ptr, s.len, what.ptr, what.len) : s.ptr;
    for (size_t i = s.len - what.len + 1; i-- > 0;)
        if (what.len == 0 || memcmp(s.ptr + i, what.ptr, what.len) == 0)
            return s.ptr + i;
    return NULL;
}

static hone_status push_part(jrun *r, jval *list, const char *p, size_t n)
{
    hone_str s = {n ? p : "", n};
    return hone__jinja_push(r, list->u.list, j_str(s));
}

static size_t space_len(hone_str s, size_t at)
{
    uint32_t code;
    int k = hone_utf8_step(s, at, &code);
    return k > 0 && hone__jinja_space(code) ? (size_t)k : 0;
}

static hone_status split_space(jrun *r, hone_str s, int64_t max, jval *out)
{
    size_t i = 0, k;
    for (;;) {
        while (i < s.len && (k = space_len(s, i)) > 0)
            i += k;
        if (i >= s.len)
            return HONE_OK;
        if (max == 0) {
            return push_part(r, out, s.ptr + i, s.len - i);
        }
        size_t begin = i;
        while (i < s.len && space_len(s, i) == 0)
            i += hone__jinja_char_len(s, i);
        HONE_TRY(push_part(r, out, s.ptr + begin, i - begin));
        max -= max > 0;
    }
}

static void reverse(jlist *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        jval t = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = t;
    }
}

static hone_status m_split(jrun *r, const jmethod *m, const jcall *c, jval *out, int right)
{
    static const char *const names[] = {"sep", "maxsplit", NULL};
    jval a[2];
    int64_t max = -1;
    hone_str s = m->self.u.str, sep;
    HONE_TRY(hone__jinja_bind(r, "split()", c, 0, names, a));
    if (a[1].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "split()", &a[1], &max));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, out));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    if (a[0].type == J_ABSENT || a[0].type == J_NONE) {
        if (right && max >= 0)
            return unsupported(r, m);
        return split_space(r, s, max, out);
    }
    HONE_TRY(hone__jinja_want_str(r, "split()", &a[0], &sep));
    if (sep.len == 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "empty separator");
    const char *p;
    while (max != 0 && (p = find_in(s, sep, right)) != NULL) {
        size_t at = (size_t)(p - s.ptr);
        if (right) {
            HONE_TRY(push_part(r, out, p + sep.len, s.len - at - sep.len));
            s.len = at;
        } else {
            HONE_TRY(push_part(r, out, s.ptr, at));
            s.ptr += at + sep.len;
            s.len -= at + sep.len;
        }
        max -= max > 0;
    }
    HONE_TRY(push_part(r, out, s.ptr, s.len));
    if (right)
        reverse(out->u.list);
    return HONE_OK;
}

/* Length of the line break at `at`, as str.splitlines knows them; 0: none. */
static size_t line_break(hone_str s, size_t at)
{
    uint32_t c;
    int k = hone_utf8_step(s, at, &c);
    if (k <= 0)
        return 0;
    if (c == '\r')
        return at + 1 < s.len && s.ptr[at + 1] == '\n' ? 2 : 1;
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
                   c == 0x2029
               ? (size_t)k
               : 0;
}

static hone_status m_splitlines(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"keepends", NULL};
    jval a[1];
    hone_str s = m->self.u.str;
    HONE_TRY(hone__jinja_bind(r, "splitlines()", c, 0, names, a));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, out));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    size_t begin = 0;
    for (size_t i = 0, k; i < s.len;) {
        k = line_break(s, i);
        if (!k) {
            i += hone__jinja_char_len(s, i);
            continue;
        }
        HONE_TRY(push_part(r, out, s.ptr + begin, i - begin + (hone__jinja_truth(&a[0]) ? k : 0)));
        begin = i = i + k;
    }
    return begin < s.len ? push_part(r, out, s.ptr + begin, s.len - begin) : HONE_OK;
}

static int affix(hone_str s, const jval *v, int end)
{
    hone_str t = v->u.str;
    return v->type == J_STR && t.len <= s.len &&
           (t.len == 0 || memcmp(end ? s.ptr + s.len - t.len : s.ptr, t.ptr, t.len) == 0);
}

static hone_status m_affix(jrun *r, const jmethod *m, const jcall *c, jval *out, int end)
{
    static const char *const names[] = {"prefix", NULL};
    jval a[1];
    if (c->n > 1)
        return unsupported(r, m);
    HONE_TRY(hone__jinja_bind(r, end ? "endswith()" : "startswith()", c, 1, names, a));
    int yes = 0;
    if (a[0].type == J_TUPLE) {
        for (size_t i = 0; i < a[0].u.list->n; i++)
            yes |= affix(m->self.u.str, &a[0].u.list->v[i], end);
    } else {
        hone_str t;
        HONE_TRY(hone__jinja_want_str(r, end ? "endswith()" : "startswith()", &a[0], &t));
        yes = affix(m->self.u.str, &a[0], end);
    }
    *out = j_bool(yes);
    return HONE_OK;
}

static hone_status m_replace(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"old", "new", "count", NULL};
    jval a[3];
    int64_t max = -1;
    hone_str s = m->self.u.str, from, to;
    HONE_TRY(hone__jinja_bind(r, "replace()", c, 2, names, a));
    HONE_TRY(hone__jinja_want_str(r, "replace()", &a[0], &from));
    HONE_TRY(hone__jinja_want_str(r, "replace()", &a[1], &to));
    if (a[2].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "replace()", &a[2], &max));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    size_t i = 0;
    while (i <= s.len && max != 0) {
        hone_str rest = {s.ptr + i, s.len - i};
        const char *p = find_in(rest, from, 0);
        if (!p)
            break;
        hone_buf_add(&b, rest.ptr, (size_t)(p - rest.ptr));
        hone_buf_add_str(&b, to);
        i = (size_t)(p - s.ptr) + from.len;
        if (from.len == 0) { /* between all characters */
            if (i >= s.len) {
                i = s.len + 1;
                break;
            }
            size_t k = hone__jinja_char_len(s, i);
            hone_buf_add(&b, s.ptr + i, k);
            i += k;
        }
        max -= max > 0;
    }
    if (i < s.len)
        hone_buf_add(&b, s.ptr + i, s.len - i);
    return hone__jinja_take_buf(r, &b, out);
}

enum { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE, CASE_SWAP };

static hone_status change_case(jrun *r, hone_str s, int how, jval *out)
{
    hone_buf b;
    int in_word = 0;
    hone_buf_init(&b, r->max_output);
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    for (size_t i = 0; i < s.len;) {
        uint32_t code, up = 0, low = 0, to;
        int k = hone_utf8_step(s, i, &code), known_up, known_low;
        char text[4];
        if (k <= 0) {
            hone_buf_addc(&b, s.ptr[i++]);
            continue;
        }
        known_up = hone__upper(code, &up);
        known_low = hone__lower(code, &low);
        int upper = how == CASE_UPPER || (how == CASE_TITLE && !in_word) ||
                    (how == CASE_CAPITALIZE && i == 0) || (how == CASE_SWAP && up != code);
        in_word = hone__alpha(code);
        to = upper ? up : low;
        if (!(upper ? known_up : known_low)) {
            hone_buf_release(&b);
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                    "changing the case of U+%04X is not supported", code);
        }
        hone_buf_add(&b, text, hone__utf8_put(to, text));
        i += (size_t)k;
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status m_join(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"iterable", NULL};
    jval a[1];
    const jlist *l;
    HONE_TRY(hone__jinja_bind(r, "join()", c, 1, names, a));
    HONE_TRY(hone__jinja_items(r, &a[0], &l));
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].type != J_STR)
            return hone__jinja_fail(r, HONE_E_SCRIPT,
                                    "sequence item %zu: expected str instance, %s found", i,
                                    hone__jinja_type_name(&l->v[i]));
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            hone_buf_add_str(&b, m->self.u.str);
        hone_buf_add_str(&b, l->v[i].u.str);
    }
    HONE_TRY(hone__jinja_step(r, b.len / 64));
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status m_find(jrun *r, const jmethod *m, const jcall *c, jval *out, int last, int must)
{
    static const char *const names[] = {"sub", NULL};
    jval a[1];
    hone_str what, s = m->self.u.str;
    if (c->n > 1)
        return unsupported(r, m);
    HONE_TRY(hone__jinja_bind(r, "find()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "find()", &a[0], &what));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    const char *p = find_in(s, what, last);
    if (!p && must)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "substring not found");
    hone_str before = {s.ptr, p ? (size_t)(p - s.ptr) : 0};
    *out = j_int(p ? (int64_t)hone__jinja_count_chars(before) : -1);
    return HONE_OK;
}

static hone_status m_count(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"sub", NULL};
    jval a[1];
    hone_str what, s = m->self.u.str;
    int64_t n = 0;
    if (c->n > 1)
        return unsupported(r, m);
    HONE_TRY(hone__jinja_bind(r, "count()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "count()", &a[0], &what));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    if (what.len == 0)
        n = (int64_t)hone__jinja_count_chars(s) + 1;
    for (const char *p; what.len && (p = find_in(s, what, 0)) != NULL; n++) {
        size_t at = (size_t)(p - s.ptr) + what.len;
        s.ptr += at;
        s.len -= at;
    }
    *out = j_int(n);
    return HONE_OK;
}

static hone_status m_partition(jrun *r, const jmethod *m, const jcall *c, jval *out, int last)
{
    static const char *const names[] = {"sep", NULL};
    jval a[1];
    hone_str sep, s = m->self.u.str;
    HONE_TRY(hone__jinja_bind(r, "partition()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "partition()", &a[0], &sep));
    if (sep.len == 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "empty separator");
    const char *p = find_in(s, sep, last);
    size_t at = p ? (size_t)(p - s.ptr) : last ? 0 : s.len, k = p ? sep.len : 0;
    HONE_TRY(hone__jinja_new_list(r, J_TUPLE, 3, out));
    HONE_TRY(push_part(r, out, s.ptr, at));
    HONE_TRY(push_part(r, out, sep.ptr, k));
    return push_part(r, out, s.ptr + at + k, s.len - at - k);
}

static hone_status m_pad(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"width", "fillchar", NULL};
    jval a[2];
    int64_t width = 0, n;
    hone_str fill = {" ", 1}, s = m->self.u.str;
    int zero = hone__jinja_is(m->name, "zfill");
    HONE_TRY(hone__jinja_bind(r, "padding", c, 1, names, a));
    HONE_TRY(hone__jinja_want_int(r, "padding", &a[0], &width));
    if (a[1].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_str(r, "padding", &a[1], &fill));
    if (zero)
        fill.ptr = "0";
    HONE_TRY(hone__jinja_length(r, &m->self, &n));
    int64_t pad = width > n ? width - n : 0;
    if (pad > (int64_t)r->max_output)
        return hone__jinja_fail(r, HONE_E_LIMIT, "a text is longer than %zu bytes", r->max_output);
    int64_t left = zero || hone__jinja_is(m->name, "rjust") ? pad
                   : hone__jinja_is(m->name, "center")      ? pad / 2 + (pad & width & 1)
                                                            : 0;
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    if (zero && pad && s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        hone_buf_addc(&b, s.ptr[0]);
        s.ptr++;
        s.len--;
    }
    for (int64_t i = 0; i < left; i++)
        hone_buf_add_str(&b, fill);
    hone_buf_add_str(&b, s);
    for (int64_t i = left; i < pad; i++)
        hone_buf_add_str(&b, fill);
    HONE_TRY(hone__jinja_step(r, (size_t)pad / 8));
    return hone__jinja_take_buf(r, &b, out);
}

/* isdigit and the like, for ASCII; other letters through their category. */
static hone_status m_is(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    hone_str s = m->self.u.str, name = m->name;
    int yes = s.len > 0, cased = 0;
    if (c->n + c->n_kw)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%.*s() takes no arguments", (int)name.len,
                                name.ptr);
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    for (size_t i = 0; i < s.len && yes; i += hone__jinja_char_len(s, i)) {
        uint32_t code = 0, up = 0, low = 0;
        if (hone_utf8_step(s, i, &code) <= 0)
            code = 0;
        int digit = code >= '0' && code <= '9', alpha = hone__alpha(code);
        hone__upper(code, &up);
        hone__lower(code, &low);
        if (code >= 128 && !alpha &&
            (hone__jinja_is(name, "isdigit") || hone__jinja_is(name, "isnumeric") ||
             hone__jinja_is(name, "isdecimal") || hone__jinja_is(name, "isalnum")) &&
            hone__printable(code))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "%.*s() of U+%04X is not supported",
                                    (int)name.len, name.ptr, code);
        cased |= up != low;
        if (hone__jinja_is(name, "isdigit") || hone__jinja_is(name, "isnumeric") ||
            hone__jinja_is(name, "isdecimal"))
            yes = digit;
        else if (hone__jinja_is(name, "isalpha"))
            yes = alpha;
        else if (hone__jinja_is(name, "isalnum"))
            yes = alpha || digit;
        else if (hone__jinja_is(name, "isspace"))
            yes = hone__jinja_space(code);
        else if (hone__jinja_is(name, "isascii"))
            yes = code < 128;
        else if (hone__jinja_is(name, "isupper"))
            yes = up == low || code == up;
        else
            yes = up == low || code == low;
    }
    if (hone__jinja_is(name, "isupper") || hone__jinja_is(name, "islower"))
        yes = yes && cased;
    if (hone__jinja_is(name, "isascii") && s.len == 0)
        yes = 1;
    *out = j_bool(yes);
    return HONE_OK;
}

/* "{} {0} {name}": fields without conversion or format. */
static hone_status m_format(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    hone_str s = m->self.u.str;
    hone_buf b;
    size_t next = 0;
    hone_status st = HONE_OK;
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < s.len && st >= 0; i++) {
        char ch = s.ptr[i];
        if ((ch == '{' || ch == '}') && i + 1 < s.len && s.ptr[i + 1] == ch) {
            hone_buf_addc(&b, ch);
            i++;
            continue;
        }
        if (ch != '{') {
            st = ch == '}'
                     ? hone__jinja_fail(r, HONE_E_SCRIPT, "Single '}' encountered in format string")
                     : hone_buf_addc(&b, ch);
            continue;
        }
        size_t begin = ++i;
        while (i < s.len && s.ptr[i] != '}')
            i++;
        hone_str field = {s.ptr + begin, i - begin};
        const jval *v = NULL;
        size_t index = 0;
        int number = field.len > 0 && field.len < 9;
        for (size_t k = 0; k < field.len && number; k++) {
            number = field.ptr[k] >= '0' && field.ptr[k] <= '9';
            index = index * 10 + (size_t)(field.ptr[k] - '0');
        }
        if (i >= s.len) {
            st = hone__jinja_fail(r, HONE_E_SCRIPT, "expected '}' before end of string");
        } else if (field.len && memchr(field.ptr, '!', field.len) != NULL) {
            st = unsupported(r, m);
        } else if (field.len &&
                   (memchr(field.ptr, ':', field.len) || memchr(field.ptr, '.', field.len) ||
                    memchr(field.ptr, '[', field.len))) {
            st = hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                  "format() of field {%.*s} is not supported",
                                  (int)(field.len < 60 ? field.len : 60), field.ptr);
        } else {
            if (field.len == 0)
                index = next++;
            if ((field.len == 0 || number) && index < c->n)
                v = &c->args[index];
            for (size_t k = 0; k < c->n_kw && !number; k++)
                if (hone__jinja_same(c->names[k], field))
                    v = &c->kw[k];
            st = v ? hone__jinja_write(r, &b, v)
                   : hone__jinja_fail(r, HONE_E_SCRIPT, "format(): no argument for {%.*s}",
                                      (int)(field.len < 60 ? field.len : 60), field.ptr);
        }
    }
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status strip_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"chars", NULL};
    jval a[1];
    hone_str chars, *set = NULL;
    HONE_TRY(hone__jinja_bind(r, "strip()", c, 0, names, a));
    if (a[0].type != J_ABSENT && a[0].type != J_NONE) {
        HONE_TRY(hone__jinja_want_str(r, "strip()", &a[0], &chars));
        set = &chars;
    }
    HONE_TRY(hone__jinja_step(r, m->self.u.str.len / 64));
    *out = j_str(hone__jinja_strip(m->self.u.str, set, !hone__jinja_is(m->name, "rstrip"),
                                   !hone__jinja_is(m->name, "lstrip")));
    return HONE_OK;
}

static hone_status remove_affix(jrun *r, const jmethod *m, const jcall *c, jval *out, int end)
{
    static const char *const names[] = {"prefix", NULL};
    jval a[1];
    hone_str s = m->self.u.str, t;
    HONE_TRY(hone__jinja_bind(r, "removeprefix()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "removeprefix()", &a[0], &t));
    if (affix(s, &a[0], end)) {
        s.ptr += end ? 0 : t.len;
        s.len -= t.len;
    }
    *out = j_str(s);
    return HONE_OK;
}

static hone_status str_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    hone_str n = m->name, s = m->self.u.str;
    if (m->self.markup)
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                "a method of the result of |safe is not supported");
    if (hone__jinja_is(n, "strip") || hone__jinja_is(n, "lstrip") || hone__jinja_is(n, "rstrip"))
        return strip_method(r, m, c, out);
    if (hone__jinja_is(n, "split") || hone__jinja_is(n, "rsplit"))
        return m_split(r, m, c, out, n.ptr[0] == 'r');
    if (hone__jinja_is(n, "splitlines"))
        return m_splitlines(r, m, c, out);
    if (hone__jinja_is(n, "startswith") || hone__jinja_is(n, "endswith"))
        return m_affix(r, m, c, out, n.ptr[0] == 'e');
    if (hone__jinja_is(n, "replace"))
        return m_replace(r, m, c, out);
    if (hone__jinja_is(n, "join"))
        return m_join(r, m, c, out);
    if (hone__jinja_is(n, "find") || hone__jinja_is(n, "rfind") || hone__jinja_is(n, "index") ||
        hone__jinja_is(n, "rindex"))
        return m_find(r, m, c, out, n.ptr[0] == 'r', n.ptr[n.len - 1] == 'x');
    if (hone__jinja_is(n, "count"))
        return m_count(r, m, c, out);
    if (hone__jinja_is(n, "partition") || hone__jinja_is(n, "rpartition"))
        return m_partition(r, m, c, out, n.ptr[0] == 'r');
    if (hone__jinja_is(n, "zfill") || hone__jinja_is(n, "ljust") || hone__jinja_is(n, "rjust") ||
        hone__jinja_is(n, "center"))
        return m_pad(r, m, c, out);
    if (hone__jinja_is(n, "format"))
        return m_format(r, m, c, out);
    if (hone__jinja_is(n, "removeprefix") || hone__jinja_is(n, "removesuffix"))
        return remove_affix(r, m, c, out, n.ptr[6] == 's');
    if (hone__jinja_is(n, "isdigit") || hone__jinja_is(n, "isnumeric") ||
        hone__jinja_is(n, "isdecimal") || hone__jinja_is(n, "isalpha") ||
        hone__jinja_is(n, "isalnum") || hone__jinja_is(n, "isspace") ||
        hone__jinja_is(n, "isupper") || hone__jinja_is(n, "islower") ||
        hone__jinja_is(n, "isascii"))
        return m_is(r, m, c, out);
    static const char *const cases[] = {"upper", "lower", "title", "capitalize", "swapcase"};
    for (int i = 0; i < 5; i++)
        if (hone__jinja_is(n, cases[i])) {
            if (c->n + c->n_kw)
                return hone__jinja_fail(r, HONE_E_SCRIPT, "%s() takes no arguments", cases[i]);
            return change_case(r, s, i, out);
        }
    return unsupported(r, m);
}

static hone_status dict_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const get_names[] = {"key", "default", NULL};
    const jdict *d = m->self.u.dict;
    hone_str n = m->name;
    jval a[2], pair;
    if (hone__jinja_is(n, "get")) {
        HONE_TRY(hone__jinja_bind(r, "get()", c, 1, get_names, a));
        HONE_TRY(hone__jinja_step(r, d->n / 8));
        const jval *v = hone__jinja_dict_get(d, &a[0]);
        *out = v ? *v : a[1].type == J_ABSENT ? j_none() : a[1];
        return HONE_OK;
    }
    int items = hone__jinja_is(n, "items"), keys = hone__jinja_is(n, "keys"),
        values = hone__jinja_is(n, "values");
    if (c->n + c->n_kw && (items || keys || values))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%.*s() takes no arguments", (int)n.len, n.ptr);
    if (hone__jinja_is(n, "copy")) {
        HONE_TRY(hone__jinja_new_dict(r, J_DICT, d->n, out));
        for (size_t i = 0; i < d->n; i++)
            HONE_TRY(hone__jinja_dict_put(r, out->u.dict, d->v[i].key, d->v[i].val));
        return HONE_OK;
    }
    if (!items && !keys && !values)
        return hone__jinja_fail(r, HONE_E_SCRIPT,
                                "access to attribute '%.*s' of 'dict' object is unsafe", (int)n.len,
                                n.ptr);
    HONE_TRY(hone__jinja_new_list(r, J_LIST, d->n, out));
    for (size_t i = 0; i < d->n; i++) {
        if (!items) {
            HONE_TRY(hone__jinja_push(r, out->u.list, keys ? d->v[i].key : d->v[i].val));
            continue;
        }
        HONE_TRY(hone__jinja_new_list(r, J_TUPLE, 2, &pair));
        HONE_TRY(hone__jinja_push(r, pair.u.list, d->v[i].key));
        HONE_TRY(hone__jinja_push(r, pair.u.list, d->v[i].val));
        HONE_TRY(hone__jinja_push(r, out->u.list, pair));
    }
    return HONE_OK;
}

static hone_status list_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"value", NULL};
    const jlist *l = m->self.u.list;
    hone_str n = m->name;
    jval a[1];
    if (hone__jinja_is(n, "copy")) {
        HONE_TRY(hone__jinja_new_list(r, J_LIST, l->n, out));
        for (size_t i = 0; i < l->n; i++)
            HONE_TRY(hone__jinja_push(r, out->u.list, l->v[i]));
        return HONE_OK;
    }
    if (!hone__jinja_is(n, "index") && !hone__jinja_is(n, "count"))
        return hone__jinja_fail(r, HONE_E_SCRIPT,
                                "access to attribute '%.*s' of '%s' object is unsafe", (int)n.len,
                                n.ptr, hone__jinja_type_name(&m->self));
    HONE_TRY(hone__jinja_bind(r, "index()", c, 1, names, a));
    HONE_TRY(hone__jinja_pay_equal(r, &a[0], l->n));
    int64_t count = 0, first = -1;
    for (size_t i = 0; i < l->n; i++)
        if (hone__jinja_equal(&l->v[i], &a[0], 0)) {
            first = first < 0 ? (int64_t)i : first;
            count++;
        }
    if (hone__jinja_is(n, "index") && first < 0)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "the value is not in the list");
    *out = j_int(hone__jinja_is(n, "index") ? first : count);
    return HONE_OK;
}

hone_status hone__jinja_call_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    switch (m->self.type) {
    case J_STR:
        return str_method(r, m, c, out);
    case J_DICT:
        return dict_method(r, m, c, out);
    case J_LIST:
    case J_TUPLE:
        return list_method(r, m, c, out);
    default:
        return unsupported(r, m);
    }
}
