/* jinja_method.c - what templates call: globals (range, namespace, raise_exception ...) and methods of str,
 * list, dict.
 *
 * A name that Python's type has is always taken for the method, never for an undefined value: what hone
 * does not know of it fails with its name. Methods that change a list or dict are refused, as the
 * immutable sandbox of transformers refuses them. */
#include "text/jinja_int.h"

#include "text/tokenizer.h"

#include <math.h>
#include <string.h>

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
    HONE_TRY(hone__jinja_new_list(r, J_VIEW, 0, out));
    out->u.list->view = V_RANGE;
    memcpy(out->u.list->range, v, sizeof v);
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
    jval a[1];
    hone_str f;
    HONE_TRY(hone__jinja_bind(r, "strftime_now()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "strftime_now()", &a[0], &f));
    return hone__jinja_strftime(r, f, r->opt->now, out);
}

static hone_status g_cycler(jrun *r, const jcall *c, jval *out)
{
    if (c->n == 0 || c->n_kw)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "at least one item has to be provided");
    HONE_TRY(hone__jinja_new_list(r, J_CYCLER, c->n, out));
    for (size_t i = 0; i < c->n; i++)
        HONE_TRY(hone__jinja_push(r, out->u.list, c->args[i]));
    return HONE_OK;
}

static hone_status g_joiner(jrun *r, const jcall *c, jval *out)
{
    static const char *const names[] = {"sep", NULL};
    jval a[1];
    HONE_TRY(hone__jinja_bind(r, "joiner()", c, 0, names, a));
    HONE_TRY(hone__jinja_new_list(r, J_JOINER, 1, out));
    return hone__jinja_push(r, out->u.list,
                            a[0].type == J_ABSENT ? j_str((hone_str){", ", 2}) : a[0]);
}

static hone_status g_lipsum(jrun *r, const jcall *c, jval *out)
{
    (void)c;
    (void)out;
    return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "lipsum() is random: not supported");
}

const jfunc *hone__jinja_find_global(hone_str name)
{
    static const jfunc globals[] = {{"range", g_range},
                                    {"dict", g_dict},
                                    {"namespace", g_namespace},
                                    {"raise_exception", g_raise},
                                    {"strftime_now", g_strftime_now},
                                    {"cycler", g_cycler},
                                    {"joiner", g_joiner},
                                    {"lipsum", g_lipsum}};
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
    static const char *const of_cycler[] = {"next", "reset", NULL};
    static const char *const of_loop[] = {"cycle", "changed", NULL};
    static const char *const of_int[] = {
        "bit_length", "bit_count", "to_bytes",  "as_integer_ratio", "is_integer", "conjugate",
        "real",       "imag",      "numerator", "denominator",      "hex",        NULL};
    const char *const *list = v->type == J_STR      ? of_str
                              : v->type == J_LIST   ? of_list
                              : v->type == J_TUPLE  ? of_tuple
                              : v->type == J_DICT   ? of_dict
                              : v->type == J_LOOP   ? of_loop
                              : v->type == J_CYCLER ? of_cycler
                              : j_is_num(v)         ? of_int
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

static void reverse(jlist *l);

static hone_status rsplit_space(jrun *r, hone_str s, int64_t max, jval *out)
{
    for (;; max--) {
        s = hone__jinja_strip(s, NULL, 0, 1);
        if (s.len == 0)
            break;
        size_t at = s.len, k; /* where the last word begins */
        for (k = 0; k < s.len; k += hone__jinja_char_len(s, k))
            if (space_len(s, k))
                at = k + space_len(s, k);
        if (at == s.len || max == 0)
            at = 0;
        if (max == 0) {
            HONE_TRY(push_part(r, out, s.ptr, s.len));
            break;
        }
        HONE_TRY(hone__jinja_step(r, s.len / 16));
        HONE_TRY(push_part(r, out, s.ptr + at, s.len - at));
        s.len = at;
    }
    reverse(out->u.list);
    return HONE_OK;
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
        return right && max >= 0 ? rsplit_space(r, s, max, out) : split_space(r, s, max, out);
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

/* The characters [start, end) that find, count and startswith look at: *before gets how many stand in front.
 * 0: start lies behind the end, where nothing is found, not even "". */
static hone_status window(jrun *r, const jval *start, const jval *end, hone_str *s, int64_t *before,
                          int *there)
{
    int64_t n = (int64_t)hone__jinja_count_chars(*s), bound[2] = {0, n};
    const jval *given[2] = {start, end};
    size_t at = 0, stop;
    for (int i = 0; i < 2; i++) {
        if (given[i]->type == J_ABSENT || given[i]->type == J_NONE)
            continue;
        HONE_TRY(hone__jinja_want_int(r, "a bound", given[i], &bound[i]));
        bound[i] = bound[i] < -n ? 0 : bound[i] < 0 ? bound[i] + n : bound[i];
    }
    bound[1] = bound[1] > n ? n : bound[1];
    *there = bound[0] <= bound[1];
    *before = 0;
    if (!*there)
        return HONE_OK;
    for (; *before < bound[0]; ++*before)
        at += hone__jinja_char_len(*s, at);
    stop = at;
    for (int64_t i = bound[0]; i < bound[1]; i++)
        stop += hone__jinja_char_len(*s, stop);
    s->ptr += at;
    s->len = stop - at;
    return hone__jinja_step(r, stop / 16);
}

static hone_status m_affix(jrun *r, const jmethod *m, const jcall *c, jval *out, int end)
{
    static const char *const names[] = {"prefix", "start", "end", NULL};
    jval a[3];
    hone_str s = m->self.u.str, t;
    int64_t before;
    int yes = 0, there;
    HONE_TRY(hone__jinja_bind(r, end ? "endswith()" : "startswith()", c, 1, names, a));
    HONE_TRY(window(r, &a[1], &a[2], &s, &before, &there));
    if (a[0].type == J_TUPLE) {
        for (size_t i = 0; i < a[0].u.list->n; i++)
            yes |= affix(s, &a[0].u.list->v[i], end);
    } else {
        HONE_TRY(hone__jinja_want_str(r, end ? "endswith()" : "startswith()", &a[0], &t));
        yes = affix(s, &a[0], end);
    }
    *out = j_bool(there && yes);
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

enum { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE, CASE_SWAP, CASE_FOLD };

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
        in_word = hone_utf8_is_letter(code);
        to = upper ? up : low;
        if (!(upper ? known_up : known_low) || (how == CASE_FOLD && code > 127)) {
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
    static const char *const names[] = {"sub", "start", "end", NULL};
    jval a[3];
    hone_str what, s = m->self.u.str;
    int64_t before;
    int there;
    HONE_TRY(hone__jinja_bind(r, "find()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "find()", &a[0], &what));
    HONE_TRY(window(r, &a[1], &a[2], &s, &before, &there));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    const char *p = there ? find_in(s, what, last) : NULL;
    if (!p && must)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "substring not found");
    hone_str head = {s.ptr, p ? (size_t)(p - s.ptr) : 0};
    *out = j_int(p ? before + (int64_t)hone__jinja_count_chars(head) : -1);
    return HONE_OK;
}

static hone_status m_count(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"sub", "start", "end", NULL};
    jval a[3];
    hone_str what, s = m->self.u.str;
    int64_t n = 0, before;
    int there;
    HONE_TRY(hone__jinja_bind(r, "count()", c, 1, names, a));
    HONE_TRY(hone__jinja_want_str(r, "count()", &a[0], &what));
    HONE_TRY(window(r, &a[1], &a[2], &s, &before, &there));
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    if (what.len == 0)
        n = there ? (int64_t)hone__jinja_count_chars(s) + 1 : 0;
    for (const char *p; there && what.len && (p = find_in(s, what, 0)) != NULL; n++) {
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
    int yes = s.len > 0, cased = 0, in_word = 0;
    if (c->n + c->n_kw)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%.*s() takes no arguments", (int)name.len,
                                name.ptr);
    HONE_TRY(hone__jinja_step(r, s.len / 16));
    for (size_t i = 0; i < s.len && yes; i += hone__jinja_char_len(s, i)) {
        uint32_t code = 0, up = 0, low = 0;
        if (hone_utf8_step(s, i, &code) <= 0)
            code = 0;
        int digit = code >= '0' && code <= '9', alpha = hone_utf8_is_letter(code);
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
        else if (hone__jinja_is(name, "isprintable"))
            yes = hone__printable(code);
        else if (hone__jinja_is(name, "isidentifier"))
            yes = alpha || code == '_' || (digit && i > 0);
        else if (hone__jinja_is(name, "istitle")) {
            if (up != low)
                yes = code == (in_word ? low : up);
            in_word = up != low;
        } else if (hone__jinja_is(name, "isupper"))
            yes = up == low || code == up;
        else
            yes = up == low || code == low;
    }
    if (hone__jinja_is(name, "isupper") || hone__jinja_is(name, "islower") ||
        hone__jinja_is(name, "istitle"))
        yes = yes && cased;
    if ((hone__jinja_is(name, "isascii") || hone__jinja_is(name, "isprintable")) && s.len == 0)
        yes = 1;
    *out = j_bool(yes);
    return HONE_OK;
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

static hone_status m_expandtabs(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    static const char *const names[] = {"tabsize", NULL};
    jval a[1];
    int64_t size = 8, column = 0;
    hone_str s = m->self.u.str;
    hone_buf b;
    HONE_TRY(hone__jinja_bind(r, "expandtabs()", c, 0, names, a));
    if (a[0].type != J_ABSENT)
        HONE_TRY(hone__jinja_want_int(r, "expandtabs()", &a[0], &size));
    if (size > 1000)
        return hone__jinja_fail(r, HONE_E_LIMIT, "expandtabs() to more than 1000");
    HONE_TRY(hone__jinja_step(r, s.len / 8));
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0, k; i < s.len; i += k) {
        k = hone__jinja_char_len(s, i);
        if (s.ptr[i] == '\t') {
            for (int64_t n = size > 0 ? size - column % size : 0; n > 0; n--, column++)
                hone_buf_addc(&b, ' ');
            continue;
        }
        column = s.ptr[i] == '\n' || s.ptr[i] == '\r' ? 0 : column + 1;
        hone_buf_add(&b, s.ptr + i, k);
    }
    return hone__jinja_take_buf(r, &b, out);
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

static hone_status str_method(jrun *r, const jmethod *m, const jcall *c, jval *out);

/* A method of Markup is str's, its arguments escaped and its result Markup: done where that changes nothing. */
static hone_status markup_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    jmethod plain = *m;
    plain.self.markup = 0;
    for (size_t i = 0; i < c->n + c->n_kw; i++) {
        const jval *v = i < c->n ? &c->args[i] : &c->kw[i - c->n];
        hone_str s = v->u.str;
        int tricky = v->type > J_STR;
        for (size_t k = 0; v->type == J_STR && !v->markup && k < s.len; k++)
            tricky |= s.ptr[k] && strchr("<>&'\"", s.ptr[k]) != NULL;
        if (tricky || hone__jinja_is(m->name, "format"))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                    "a method of the result of |safe or |escape with such "
                                    "arguments is not supported");
    }
    HONE_TRY(str_method(r, &plain, c, out));
    if (out->type == J_STR)
        out->markup = 1;
    if (out->type == J_LIST || out->type == J_TUPLE)
        for (size_t i = 0; i < out->u.list->n; i++)
            out->u.list->v[i].markup = out->u.list->v[i].type == J_STR;
    return HONE_OK;
}

static hone_status str_method(jrun *r, const jmethod *m, const jcall *c, jval *out)
{
    hone_str n = m->name, s = m->self.u.str;
    if (m->self.markup)
        return markup_method(r, m, c, out);
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
        return hone__jinja_str_format(r, s, c, out);
    if (hone__jinja_is(n, "removeprefix") || hone__jinja_is(n, "removesuffix"))
        return remove_affix(r, m, c, out, n.ptr[6] == 's');
    if (hone__jinja_is(n, "isdigit") || hone__jinja_is(n, "isnumeric") ||
        hone__jinja_is(n, "isdecimal") || hone__jinja_is(n, "isalpha") ||
        hone__jinja_is(n, "isalnum") || hone__jinja_is(n, "isspace") ||
        hone__jinja_is(n, "isupper") || hone__jinja_is(n, "islower") ||
        hone__jinja_is(n, "isascii") || hone__jinja_is(n, "istitle") ||
        hone__jinja_is(n, "isprintable") || hone__jinja_is(n, "isidentifier"))
        return m_is(r, m, c, out);
    if (hone__jinja_is(n, "expandtabs"))
        return m_expandtabs(r, m, c, out);
    static const char *const cases[] = {"upper",      "lower",    "title",
                                        "capitalize", "swapcase", "casefold"};
    for (int i = 0; i < 6; i++)
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
    HONE_TRY(hone__jinja_new_list(r, J_VIEW, d->n, out));
    out->u.list->view = items ? V_ITEMS : keys ? V_KEYS : V_VALUES;
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
    static const char *const names[] = {"value", "start", "stop", NULL};
    const jlist *l = m->self.u.list;
    hone_str n = m->name;
    jval a[3];
    int64_t from = 0, to = (int64_t)l->n;
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
    if (hone__jinja_is(n, "count") && a[1].type != J_ABSENT)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "count() takes one argument");
    for (int i = 1; i < 3 && a[i].type != J_ABSENT; i++) {
        int64_t *bound = i == 1 ? &from : &to, size = (int64_t)l->n;
        HONE_TRY(hone__jinja_want_int(r, "index()", &a[i], bound));
        *bound = *bound < -size ? 0 : *bound < 0 ? *bound + size : *bound > size ? size : *bound;
    }
    HONE_TRY(hone__jinja_pay_equal(r, &a[0], l->n));
    int64_t count = 0, first = -1;
    for (size_t i = (size_t)from; i < (size_t)to; i++)
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
    case J_CYCLER: {
        jlist *l = m->self.u.list;
        if (c->n + c->n_kw)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "a cycler's methods take no arguments");
        *out = j_none();
        if (hone__jinja_is(m->name, "reset")) {
            l->at = 0;
            return HONE_OK;
        }
        *out = l->v[l->at];
        l->at = (l->at + 1) % l->n;
        return HONE_OK;
    }
    case J_FLOAT:
        if (hone__jinja_is(m->name, "is_integer") && c->n + c->n_kw == 0) {
            *out = j_bool(m->self.u.f - m->self.u.f == 0 && m->self.u.f == floor(m->self.u.f));
            return HONE_OK;
        }
        return unsupported(r, m);
    default:
        return unsupported(r, m);
    }
}
