/* grammar_number.c - the decimal texts of the numbers between two bounds, as GBNF.
 *
 * Digits are compared from the left: as long as a text agrees with a bound, its next digit is limited by that bound's; the first
 * that differs sets it free. So the texts within bounds are a tree of digit ranges, one path along each bound. A number of
 * fewer than 19 digits in front of the point and at most 16 behind it is written; none with an exponent, none beginning
 * with 0 but 0 itself. "-0" is left out. */
#include "gen/grammar_schema.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WHOLE = 18, MOST_FRACTION = 16 };
#define ALL_NINES "999999999999999999"

/* ---- bounds ---------------------------------------------------------------------------------------------- */

hone_status hone__bound_of(const hone_value *v, int strict, hone__bound *out)
{
    char text[40] = {0}, digits[80];
    int n = 0, point = 0, exponent = 0;
    const char *p = text;
    hone__bound b = {.given = 1, .strict = strict};
    if (v->type == HONE_I64) {
        hone_buf t;
        hone_buf_init(&t, 64);
        hone_status s = hone_buf_addf(&t, "%lld", (long long)v->u.i64);
        if (s >= 0)
            memcpy(text, t.ptr, t.len);
        hone_buf_release(&t);
        HONE_TRY(s);
    } else if (v->type == HONE_F64)
        text[hone_format_f64(v->u.f64, text)] = '\0';
    else
        return hone_fail(HONE_E_TYPE, "a number is wanted");
    b.negative = *p == '-';
    p += b.negative;
    for (; *p && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            point = n;
        else if (*p < '0' || *p > '9')
            return hone_fail(HONE_E_INVALID, "a finite number is wanted");
        else
            digits[n++] = *p;
    }
    if (!memchr(text, '.', strlen(text)))
        point = n;
    if (*p)
        exponent = (int)strtol(p + 1, NULL, 10); /* at most 308 */
    point += exponent;                           /* whole = digits[0 .. point) */
    int first = 0;
    while (first < n && digits[first] == '0')
        first++;
    while (n > first && digits[n - 1] == '0')
        n--;
    if (first == n) { /* 0 */
        b.negative = 0;
        b.whole[0] = '0';
        *out = b;
        return HONE_OK;
    }
    if (point - first > MOST_WHOLE || n - point > 20 || (point < first && first - point > 20))
        return hone_fail(HONE_E_UNSUPPORTED, "%s has too many digits for a bound", text);
    int w = 0, f = 0;
    for (int i = first; i < point; i++)
        b.whole[w++] = i < n ? digits[i] : '0';
    if (w == 0)
        b.whole[w++] = '0';
    for (int i = point; i < n; i++)
        b.fraction[f++] = i < first ? '0' : digits[i];
    *out = b;
    return HONE_OK;
}

/* ---- texts of digits -------------------------------------------------------------------------------------- */

static hone_status digit(hone_buf *o, char lo, char hi)
{
    return lo == hi ? hone_buf_addf(o, "\"%c\" ", lo) : hone_buf_addf(o, "[%c-%c] ", lo, hi);
}

static hone_status any_digits(hone_buf *o, size_t min, size_t max)
{
    return max == 0 ? HONE_OK : hone_buf_addf(o, "[0-9]{%zu,%zu} ", min, max);
}

/* Texts of n digits between lo and hi, as one item. */
static hone_status between(hone_buf *o, const char *lo, const char *hi, size_t n)
{
    size_t same = 0;
    while (same < n && lo[same] == hi[same])
        same++;
    if (same)
        HONE_TRY(hone_buf_addf(o, "\"%.*s\" ", (int)same, lo));
    lo += same;
    hi += same;
    n -= same;
    if (n == 0)
        return HONE_OK;
    const int low = strspn(lo + 1, "0") >= n - 1, high = strspn(hi + 1, "9") >= n - 1;
    if (low && high) { /* 200..599 */
        HONE_TRY(digit(o, lo[0], hi[0]));
        return any_digits(o, n - 1, n - 1);
    }
    char zeros[MOST_WHOLE + 1], nines[MOST_WHOLE + 1];
    const char *bar = "";
    memset(zeros, '0', n - 1);
    memset(nines, '9', n - 1);
    zeros[n - 1] = nines[n - 1] = '\0';
    HONE_TRY(hone_buf_adds(o, "( "));
    if (!low) {
        HONE_TRY(digit(o, lo[0], lo[0]));
        HONE_TRY(between(o, lo + 1, nines, n - 1));
        bar = "| ";
    }
    const char from = (char)(lo[0] + !low), to = (char)(hi[0] - !high);
    if (from <= to) {
        HONE_TRY(hone_buf_adds(o, bar));
        HONE_TRY(digit(o, from, to));
        HONE_TRY(any_digits(o, n - 1, n - 1));
        bar = "| ";
    }
    if (!high) {
        HONE_TRY(hone_buf_adds(o, bar));
        HONE_TRY(digit(o, hi[0], hi[0]));
        HONE_TRY(between(o, zeros, hi + 1, n - 1));
    }
    return hone_buf_adds(o, ") ");
}

/* Whole numbers from lo to hi, both without a sign; an item. */
static hone_status wholes(hone_buf *o, const char *lo, const char *hi)
{
    const size_t a = strlen(lo), b = strlen(hi);
    char nines[MOST_WHOLE + 1], power[MOST_WHOLE + 1];
    if (a == b)
        return between(o, lo, hi, a);
    memset(nines, '9', a);
    memset(power, '0', b);
    power[0] = '1';
    nines[a] = power[b] = '\0';
    HONE_TRY(hone_buf_adds(o, "( "));
    HONE_TRY(between(o, lo, nines, a));
    if (b - a > 1) {
        HONE_TRY(hone_buf_adds(o, "| [1-9] "));
        HONE_TRY(any_digits(o, a, b - 2));
    }
    HONE_TRY(hone_buf_adds(o, "| "));
    HONE_TRY(between(o, power, hi, b));
    return hone_buf_adds(o, ") ");
}

/* The whole number next to z: up or down by one. At most 19 digits come of it. */
static void next_whole(const char *z, int up, char out[24])
{
    long long v = strtoll(z, NULL, 10) + (up ? 1 : -1);
    char digits[24];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    for (int i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
}

static int by_size(const char *a, const char *b)
{
    const size_t x = strlen(a), y = strlen(b);
    return x != y ? (x < y ? -1 : 1) : strcmp(a, b);
}

/* ---- fractions ------------------------------------------------------------------------------------------- */

/* Digits behind the point, limited by what is not NULL. */
typedef struct limits {
    const char *lo, *hi; /* what is left of each bound's fraction */
    int lo_strict, hi_strict;
} limits;

/* May the text end here, all that follows being zeros? */
static int ends_here(const limits *l)
{
    if (l->lo && (*l->lo || l->lo_strict))
        return 0;
    return !(l->hi && !*l->hi && l->hi_strict);
}

/* Appends the alternatives of at least one more digit to o, each after `bar`; *any: were there some? `room`: digits left. */
static hone_status more_digits(const limits *l, size_t room_left, hone_buf *o, int *any)
{
    const char *lo = l->lo, *hi = l->hi;
    *any = 0;
    if (room_left == 0)
        return HONE_OK;
    if (lo && !*lo && !l->lo_strict)
        lo = NULL; /* what is above or equal stays so */
    if (!lo && !hi) {
        *any = 1;
        return any_digits(o, 1, room_left);
    }
    if (hi && !*hi) { /* only zeros, which change nothing */
        const limits here = {lo, hi, l->lo_strict, l->hi_strict};
        if (!ends_here(&here))
            return HONE_OK;
        *any = 1;
        return hone_buf_addf(o, "\"0\"{1,%zu} ", room_left);
    }
    const char a = lo && *lo ? *lo : '0', b = hi ? *hi : '9';
    const char *bar = "";
    HONE_TRY(hone_buf_adds(o, "( "));
    for (char d = a; d <= b; d++) {
        const int on_lo = lo && d == a, on_hi = hi && d == b;
        char to = d;
        if (!on_lo && !on_hi) /* free from here on: all such digits together */
            while (to < b && !(hi && to + 1 == b))
                to++;
        limits next = {on_lo ? (*lo ? lo + 1 : lo) : NULL, on_hi ? hi + 1 : NULL, l->lo_strict,
                       l->hi_strict};
        hone_buf rest;
        int rest_any;
        hone_buf_init(&rest, (size_t)1 << 20);
        hone_status s = more_digits(&next, room_left - 1, &rest, &rest_any);
        const int stop = ends_here(&next);
        if (s >= 0 && (stop || rest_any)) {
            *any = 1;
            s = hone_buf_adds(o, bar);
            bar = "| ";
            if (s >= 0)
                s = digit(o, d, to);
            if (s >= 0 && rest_any)
                s = hone_buf_addf(o, stop ? "( %s)? " : "%s", rest.ptr);
        }
        hone_buf_release(&rest);
        HONE_TRY(s);
        d = to;
    }
    if (!*any) /* an empty ( ): the caller drops what was written */
        return HONE_OK;
    return hone_buf_adds(o, ") ");
}

/* "whole" and its fractions, appended as one alternative; *any: is there one? */
static hone_status with_fraction(hone_buf *o, const char **bar, const char *whole, const limits *l)
{
    hone_buf rest;
    int any;
    hone_buf_init(&rest, (size_t)1 << 22);
    hone_status s = more_digits(l, MOST_FRACTION, &rest, &any);
    const int stop = ends_here(l);
    if (s >= 0 && (any || stop)) {
        s = hone_buf_addf(o, "%s\"%s\" ", *bar, whole);
        *bar = "| ";
        if (s >= 0 && any)
            s = hone_buf_addf(o, stop ? "( \".\" %s)? " : "\".\" %s", rest.ptr);
    }
    hone_buf_release(&rest);
    return s;
}

/* Numbers from lo to hi, both given and not negative: alternatives, each after *bar. `integers`: whole ones. */
static hone_status positive(hone_buf *o, const char **bar, const char *sign, const hone__bound *lo,
                            const hone__bound *hi, int integers)
{
    char from[24], to[24];
    hone_buf alt;
    const char *inner = "";
    hone_status s = HONE_OK;
    hone_buf_init(&alt, (size_t)1 << 24);
    const int order = by_size(lo->whole, hi->whole);
    if (order > 0)
        return HONE_OK;
    if (integers) {
        if (*lo->fraction || lo->strict)
            next_whole(lo->whole, 1, from);
        else
            memcpy(from, lo->whole, sizeof from);
        const int down = hi->strict && !*hi->fraction;
        if (down && strcmp(hi->whole, "0") == 0)
            return HONE_OK;
        if (down)
            next_whole(hi->whole, 0, to);
        else
            memcpy(to, hi->whole, sizeof to);
        if (strlen(from) <= MOST_WHOLE && by_size(from, to) <= 0)
            s = wholes(&alt, from, to);
    } else if (order == 0) {
        const limits l = {lo->fraction, hi->fraction, lo->strict, hi->strict};
        if (strcmp(lo->fraction, hi->fraction) <= 0)
            s = with_fraction(&alt, &inner, lo->whole, &l);
    } else {
        const limits low = {lo->fraction, NULL, lo->strict, 0};
        const limits high = {NULL, hi->fraction, 0, hi->strict};
        s = with_fraction(&alt, &inner, lo->whole, &low);
        next_whole(lo->whole, 1, from);
        next_whole(hi->whole, 0, to);
        if (s >= 0 && by_size(from, to) <= 0) {
            s = hone_buf_adds(&alt, inner);
            inner = "| ";
            if (s >= 0)
                s = wholes(&alt, from, to);
            if (s >= 0)
                s = hone_buf_addf(&alt, "( \".\" [0-9]{1,%d} )? ", MOST_FRACTION);
        }
        if (s >= 0)
            s = with_fraction(&alt, &inner, hi->whole, &high);
    }
    if (s >= 0 && alt.len) {
        s = hone_buf_addf(o, "%s%s( %s) ", *bar, sign, alt.ptr);
        *bar = "| ";
    }
    hone_buf_release(&alt);
    return s;
}

static hone_status signed_numbers(const hone__bound *lo, const hone__bound *hi, int integers,
                                  hone_buf *out)
{
    static const hone__bound zero = {.given = 1, .whole = "0"};
    static const hone__bound above_zero = {.given = 1, .strict = 1, .whole = "0"};
    static const hone__bound most = {.given = 1, .whole = ALL_NINES};
    static const hone__bound least = {.given = 1, .negative = 1, .whole = ALL_NINES};
    const hone__bound *a = lo->given ? lo : &least, *b = hi->given ? hi : &most;
    const char *bar = "";
    hone_buf alt;
    hone_buf_init(&alt, (size_t)1 << 24);
    hone_status s = HONE_OK;
    if (a->negative) { /* -y with y from -b (or above 0) to -a */
        hone__bound y_lo = b->negative ? *b : above_zero, y_hi = *a;
        y_lo.negative = y_hi.negative = 0;
        s = positive(&alt, &bar, "\"-\" ", &y_lo, &y_hi, integers);
    }
    if (s >= 0 && !b->negative)
        s = positive(&alt, &bar, "", a->negative ? &zero : a, b, integers);
    if (s >= 0 && !alt.len)
        s = hone_fail(HONE_E_INVALID, "no %s lies between the bounds",
                      integers ? "integer" : "number");
    if (s >= 0)
        s = hone_buf_addf(out, "( %s)", alt.ptr);
    hone_buf_release(&alt);
    return s;
}

hone_status hone__grammar_integers(const hone__bound *lo, const hone__bound *hi, hone_buf *out)
{
    return signed_numbers(lo, hi, 1, out);
}

hone_status hone__grammar_numbers(const hone__bound *lo, const hone__bound *hi, hone_buf *out)
{
    return signed_numbers(lo, hi, 0, out);
}
