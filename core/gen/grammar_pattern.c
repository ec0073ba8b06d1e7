/* grammar_pattern.c - the `pattern` of a JSON Schema to GBNF.
 *
 * Taken from ECMA-262's regular expressions is what describes a regular language: characters, classes, \d \w \s and their
 * opposites, ".", groups, "|", the quantifiers, ^ in front and $ at the end. Look-around, references, \b, \p{} and named groups are
 * refused by name. A side without an anchor is open, as the standard says: any characters may stand there.
 *
 * The text is that of a JSON string: a character that has to be escaped there is written with its escape, in one spelling. */
#include "gen/grammar_int.h"

#include "base/utf8.h"

#include <string.h>

enum { MAX_NEST = 100, MAX_RANGES = 512 };

typedef struct pattern {
    const char *p, *end;
    hone_buf *out;
    int depth, bars; /* bars: "|" outside of any group */
    hone__crange r[MAX_RANGES];
    size_t n;
} pattern;

static const hone__crange digits[] = {{'0', '9'}};
static const hone__crange words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const hone__crange spaces[] = {
    {9, 13},          {32, 32},         {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const hone__crange line_ends[] = {{10, 10}, {13, 13}, {0x2028, 0x2029}};

static hone_status refuse(const char *what)
{
    hone_fail(HONE_E_UNSUPPORTED, "%s: not supported", what);
    return hone_fail_hint(
        "supported are characters, [classes], \\d \\w \\s, ., groups, |, quantifiers, ^ in "
        "front and $ at the end");
}

static hone_status add(pattern *x, hone__crange r)
{
    if (x->n == MAX_RANGES)
        return hone_fail(HONE_E_LIMIT, "a class has more than %d ranges", MAX_RANGES);
    x->r[x->n++] = r;
    return HONE_OK;
}

static hone_status add_all(pattern *x, const hone__crange *r, size_t n, int negate)
{
    hone__crange copy[16], room[20];
    memcpy(copy, r, n * sizeof *r);
    n = hone__crange_normal(copy, n, negate, room);
    for (size_t i = 0; i < n; i++)
        HONE_TRY(add(x, room[i]));
    return HONE_OK;
}

/* ---- writing ---------------------------------------------------------------------------------------------- */

static hone_status class_char(hone_buf *o, uint32_t c)
{
    return hone_buf_addf(o, "\\U%08x", c);
}

/* The characters of x->r, as one item of JSON string text. */
static hone_status write_set(pattern *x, int negate)
{
    static const char *const short_form = "\b\f\n\r\t", *const letter = "bfnrt";
    hone__crange room[MAX_RANGES + 4], plain[MAX_RANGES + 8];
    const size_t n = hone__crange_normal(x->r, x->n, negate, room);
    size_t k = 0;
    const char *bar = "";
    hone_buf *o = x->out;
    static const hone__crange kept[] = {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, 0x10ffff}};
    if (n == 0)
        return hone_fail(HONE_E_INVALID, "a class without a character");
    HONE_TRY(hone_buf_adds(o, "( "));
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < 3; j++) {
            const uint32_t lo = room[i].lo > kept[j].lo ? room[i].lo : kept[j].lo;
            const uint32_t hi = room[i].hi < kept[j].hi ? room[i].hi : kept[j].hi;
            if (lo <= hi && k < sizeof plain / sizeof *plain)
                plain[k++] = (hone__crange){lo, hi};
        }
    for (size_t i = 0; i < k; i++) {
        HONE_TRY(hone_buf_adds(o, i ? "" : "["));
        HONE_TRY(class_char(o, plain[i].lo));
        if (plain[i].hi > plain[i].lo) {
            HONE_TRY(hone_buf_addc(o, '-'));
            HONE_TRY(class_char(o, plain[i].hi));
        }
        bar = "| ";
    }
    if (k)
        HONE_TRY(hone_buf_adds(o, "] "));
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = room[i].lo; c <= room[i].hi && c <= '\\'; c++) {
            const char *at = c && c < 32 ? strchr(short_form, (int)c) : NULL;
            if (c >= 32 && c != '"' && c != '\\')
                continue;
            HONE_TRY(hone_buf_adds(o, bar));
            bar = "| ";
            if (c >= 32)
                HONE_TRY(hone_buf_addf(o, "\"\\\\\\%c\" ", (char)c));
            else if (at)
                HONE_TRY(hone_buf_addf(o, "\"\\\\%c\" ", letter[at - short_form]));
            else
                HONE_TRY(hone_buf_addf(o, "\"\\\\u%04x\" ", c));
        }
    return hone_buf_adds(o, ") ");
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static hone_status hex_digits(pattern *x, int n, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++, x->p++) {
        const char c = x->p < x->end ? *x->p : '\0';
        const char *all = "0123456789abcdef",
                   *at = c ? strchr(all, c | (c >= 'A' && c <= 'F' ? 32 : 0)) : NULL;
        if (!at)
            return hone_fail(HONE_E_INVALID, "%d hexadecimal digits are wanted", n);
        v = v << 4 | (uint32_t)(at - all);
    }
    if (v >= 0xd800 && v <= 0xdfff)
        return refuse("half a surrogate pair");
    *out = v;
    return HONE_OK;
}

static hone_status one_char(pattern *x, uint32_t *c)
{
    const int n = hone_utf8_step((hone_str){x->p, (size_t)(x->end - x->p)}, 0, c);
    if (n <= 0)
        return hone_fail(HONE_E_INVALID, "the pattern is not UTF-8");
    x->p += n;
    return HONE_OK;
}

/* Behind a backslash. *set: it was a class, whose characters were added; else one character in *c. */
static hone_status escape(pattern *x, uint32_t *c, int *set)
{
    static const char from[] = "tnrfv0", to[] = "\t\n\r\f\v";
    if (x->p == x->end)
        return hone_fail(HONE_E_INVALID, "it ends after a backslash");
    const char e = *x->p;
    const char *at = e ? strchr(from, e) : NULL;
    *set = strchr("dDwWsS", e) != NULL && e;
    if (*set) {
        x->p++;
        if (e == 'd' || e == 'D')
            return add_all(x, digits, 1, e == 'D');
        if (e == 'w' || e == 'W')
            return add_all(x, words, 4, e == 'W');
        return add_all(x, spaces, sizeof spaces / sizeof *spaces, e == 'S');
    }
    if (at) {
        *c = (uint32_t)to[at - from];
        x->p++;
        return HONE_OK;
    }
    if (e == 'x' || e == 'u') {
        x->p++;
        return hex_digits(x, e == 'x' ? 2 : 4, c);
    }
    if ((e >= '1' && e <= '9') || e == 'k')
        return refuse("a reference to a group");
    if (e == 'b' || e == 'B')
        return refuse("\\b");
    if ((e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z')) {
        const char name[] = {'\\', e, '\0'};
        return refuse(name);
    }
    return one_char(x, c);
}

static hone_status class_end(pattern *x, uint32_t *c, int *set)
{
    *set = 0;
    if (*x->p != '\\')
        return one_char(x, c);
    x->p++;
    if (x->p < x->end && *x->p == 'b') { /* within a class: backspace */
        x->p++;
        *c = 8;
        return HONE_OK;
    }
    return escape(x, c, set);
}

static hone_status bracket(pattern *x)
{
    const int negate = x->p < x->end && *x->p == '^';
    x->p += negate;
    x->n = 0;
    while (x->p < x->end && *x->p != ']') {
        uint32_t lo = 0, hi;
        int set, set2 = 0;
        HONE_TRY(class_end(x, &lo, &set));
        hi = lo;
        if (x->end - x->p >= 2 && *x->p == '-' && x->p[1] != ']') {
            x->p++;
            HONE_TRY(class_end(x, &hi, &set2));
            if (set || set2)
                return hone_fail(HONE_E_INVALID, "a class cannot be the end of a range");
            if (hi < lo)
                return hone_fail(HONE_E_INVALID, "a range ends before it begins");
        }
        if (!set)
            HONE_TRY(add(x, (hone__crange){lo, hi}));
    }
    if (x->p == x->end)
        return hone_fail(HONE_E_INVALID, "a [ is not closed");
    x->p++;
    return write_set(x, negate);
}

static hone_status quantifier(pattern *x)
{
    if (x->p == x->end || !strchr("*+?{", *x->p) || !*x->p)
        return HONE_OK;
    if (*x->p != '{')
        HONE_TRY(hone_buf_addc(x->out, *x->p++));
    else {
        const char *from = x->p;
        int commas = 0, numbers = 0;
        for (x->p++; x->p < x->end && *x->p != '}'; x->p++) {
            commas += *x->p == ',';
            numbers += *x->p >= '0' && *x->p <= '9';
            if (*x->p != ',' && (*x->p < '0' || *x->p > '9'))
                return hone_fail(HONE_E_INVALID, "{m}, {m,} or {m,n} is wanted");
        }
        if (x->p == x->end || commas > 1 || !numbers || from[1] == ',')
            return hone_fail(HONE_E_INVALID, "{m}, {m,} or {m,n} is wanted");
        x->p++;
        HONE_TRY(hone_buf_add(x->out, from, (size_t)(x->p - from)));
    }
    if (x->p < x->end && *x->p == '?') /* lazy: the same texts */
        x->p++;
    if (x->p < x->end && *x->p && strchr("*+?{", *x->p))
        return hone_fail(HONE_E_INVALID, "a quantifier of a quantifier");
    return hone_buf_addc(x->out, ' ');
}

static hone_status choice(pattern *x);

static hone_status group(pattern *x)
{
    if (x->p < x->end && *x->p == '?') {
        if (x->end - x->p < 2 || x->p[1] != ':')
            return refuse("look-around or a named group, (?...)");
        x->p += 2;
    }
    if (++x->depth > MAX_NEST)
        return hone_fail(HONE_E_LIMIT, "more than %d groups in each other", MAX_NEST);
    HONE_TRY(hone_buf_adds(x->out, "( "));
    HONE_TRY(choice(x));
    if (x->p == x->end)
        return hone_fail(HONE_E_INVALID, "a ( is not closed");
    x->p++;
    x->depth--;
    return hone_buf_adds(x->out, ") ");
}

static hone_status atom(pattern *x)
{
    uint32_t c = 0;
    int set = 0;
    const char first = *x->p;
    x->n = 0;
    if (first == '(' || first == '[' || first == '.') {
        x->p++;
        if (first == '(')
            return group(x);
        if (first == '[')
            return bracket(x);
        HONE_TRY(add_all(x, line_ends, 3, 1));
        return write_set(x, 0);
    }
    if (first == '^' || first == '$')
        return refuse("^ or $ within the pattern");
    if (first && strchr("*+?{", first))
        return hone_fail(HONE_E_INVALID, "nothing stands in front of %c", first);
    if (first == '\\') {
        x->p++;
        HONE_TRY(escape(x, &c, &set));
    } else
        HONE_TRY(one_char(x, &c));
    if (!set)
        HONE_TRY(add(x, (hone__crange){c, c}));
    return write_set(x, 0);
}

static hone_status choice(pattern *x)
{
    while (x->p < x->end) {
        if (*x->p == ')') {
            if (!x->depth)
                return hone_fail(HONE_E_INVALID, "a ) closes nothing");
            return HONE_OK;
        }
        if (*x->p == '|') {
            x->bars += x->depth == 0;
            x->p++;
            HONE_TRY(hone_buf_adds(x->out, "| "));
            continue;
        }
        HONE_TRY(atom(x));
        HONE_TRY(quantifier(x));
    }
    return HONE_OK;
}

/* Does the pattern end in a $ that is not a character? */
static int closed(hone_str p)
{
    size_t slashes = 0;
    if (!p.len || p.ptr[p.len - 1] != '$')
        return 0;
    while (slashes + 1 < p.len && p.ptr[p.len - 2 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 0;
}

hone_status hone__grammar_pattern(hone_str text, hone_buf *out)
{
    const int from = text.len && text.ptr[0] == '^', to = closed(text) && text.len > (size_t)from;
    const size_t mark = out->len;
    pattern x = {.p = text.ptr + from, .end = text.ptr + text.len - to, .out = out};
    HONE_TRY(hone_buf_adds(out, from ? "\"\\\"\" ( " : "\"\\\"\" char* ( "));
    hone_status s = text.len ? choice(&x) : HONE_OK;
    if (s >= 0 && x.bars && (from || to)) {
        hone_fail(HONE_E_UNSUPPORTED, "^ or $ beside a | outside of groups: not supported");
        s = hone_fail_hint("put the choice into a group: ^(a|b)$");
    }
    if (s >= 0)
        s = hone_buf_adds(out, to ? ") \"\\\"\" " : ") char* \"\\\"\" ");
    if (s < 0)
        out->len = mark;
    return s;
}
