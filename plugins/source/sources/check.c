/* check.c - checks a row of JSON without building a tree, in one pass over its bytes.
 *
 * RFC 8259, and: UTF-8 must be well-formed (no surrogates, nothing overlong), \u surrogates must come in
 * pairs, nesting is at most HONE_VALUE_DEPTH. A source that says which row is malformed need not build
 * the row twice. Does not: refuse equal keys (the host's parser takes the last). */
#include "check.h"

typedef struct scan {
    const unsigned char *p, *end;
    const char *why;
} scan;

static void white(scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static int wrong(scan *s, const char *why)
{
    s->why = why;
    return 0;
}

static int hex4(scan *s, unsigned *out)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        unsigned c = s->p < s->end ? *s->p : 0;
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + ((c | 32) - 'a' + 10);
        else
            return wrong(s, "\\u needs four hexadecimal digits");
    }
    *out = v;
    return 1;
}

static int escape(scan *s)
{
    unsigned u;
    s->p++;
    if (s->p >= s->end)
        return wrong(s, "a string is not closed");
    switch (*s->p++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 1;
    case 'u':
        if (!hex4(s, &u))
            return 0;
        if (u >= 0xDC00 && u <= 0xDFFF)
            return wrong(s, "a low surrogate without its high one");
        if (u < 0xD800 || u > 0xDBFF)
            return 1;
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
            return wrong(s, "a high surrogate without its low one");
        s->p += 2;
        if (!hex4(s, &u))
            return 0;
        return u >= 0xDC00 && u <= 0xDFFF ? 1 : wrong(s, "a high surrogate without its low one");
    default:
        s->p--;
        return wrong(s, "an unknown escape");
    }
}

/* One character of two to four bytes (Unicode 15, table 3-7). */
static int wide(scan *s)
{
    unsigned c = s->p[0], n, lo = 0x80, hi = 0xBF;
    if (c >= 0xC2 && c <= 0xDF)
        n = 1;
    else if (c >= 0xE0 && c <= 0xEF)
        n = 2;
    else if (c >= 0xF0 && c <= 0xF4)
        n = 3;
    else
        return wrong(s, "invalid UTF-8");
    if (c == 0xE0)
        lo = 0xA0;
    else if (c == 0xED)
        hi = 0x9F;
    else if (c == 0xF0)
        lo = 0x90;
    else if (c == 0xF4)
        hi = 0x8F;
    if ((size_t)(s->end - s->p) <= n || s->p[1] < lo || s->p[1] > hi)
        return wrong(s, "invalid UTF-8");
    for (unsigned i = 2; i <= n; i++)
        if ((s->p[i] & 0xC0) != 0x80)
            return wrong(s, "invalid UTF-8");
    s->p += n + 1;
    return 1;
}

static int string(scan *s)
{
    s->p++;
    while (s->p < s->end) {
        unsigned c = *s->p;
        if (c == '"') {
            s->p++;
            return 1;
        }
        if (c == '\\') {
            if (!escape(s))
                return 0;
        } else if (c < 0x20) {
            return wrong(s, "a control character in a string");
        } else if (c < 0x80) {
            s->p++;
        } else if (!wide(s)) {
            return 0;
        }
    }
    return wrong(s, "a string is not closed");
}

static int digits(scan *s)
{
    const unsigned char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from ? 1 : wrong(s, "a number lacks digits");
}

static int number(scan *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0') {
        s->p++;
        if (s->p < s->end && *s->p >= '0' && *s->p <= '9')
            return wrong(s, "a number starts with 0");
    } else if (!digits(s)) {
        return 0;
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digits(s))
            return 0;
    }
    if (s->p < s->end && (*s->p | 32) == 'e') {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        return digits(s);
    }
    return 1;
}

static int word(scan *s, const char *w)
{
    for (const char *c = w; *c; c++, s->p++)
        if (s->p >= s->end || *s->p != (unsigned char)*c)
            return wrong(s, "an unknown word");
    return 1;
}

/* A value that is no container. */
static int scalar(scan *s)
{
    switch (*s->p) {
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
            return number(s);
        return wrong(s, "a value was expected");
    }
}

static int key(scan *s)
{
    white(s);
    if (s->p >= s->end || *s->p != '"')
        return wrong(s, "a name in quotes was expected");
    if (!string(s))
        return 0;
    white(s);
    if (s->p >= s->end || *s->p != ':')
        return wrong(s, "\":\" was expected");
    s->p++;
    return 1;
}

/* Not recursive: `maps` has a bit for each open container, set for an object. */
static int object(scan *s)
{
    uint64_t maps = 0;
    unsigned depth = 0;
    for (;;) {
        white(s);
        if (s->p >= s->end)
            return wrong(s, "it ends early");
        if (*s->p == '{' || *s->p == '[') {
            int map = *s->p == '{';
            if (depth == HONE_VALUE_DEPTH)
                return wrong(s, "nested more than 64 deep");
            maps = maps << 1 | (uint64_t)map;
            depth++;
            s->p++;
            white(s);
            if (s->p < s->end && *s->p == (map ? '}' : ']')) {
                s->p++;
            } else {
                if (map && !key(s))
                    return 0;
                continue;
            }
            maps >>= 1;
            depth--;
        } else if (!scalar(s)) {
            return 0;
        }
        /* a value has ended: what follows in its container, and do containers end with it? */
        for (;;) {
            if (depth == 0)
                return 1;
            white(s);
            if (s->p >= s->end)
                return wrong(s, "it ends early");
            if (*s->p == ',') {
                s->p++;
                if ((maps & 1) && !key(s))
                    return 0;
                break;
            }
            if (*s->p != ((maps & 1) ? '}' : ']'))
                return wrong(s, (maps & 1) ? "\",\" or \"}\" was expected"
                                           : "\",\" or \"]\" was expected");
            s->p++;
            maps >>= 1;
            depth--;
        }
    }
}

const char *check_row(const char *p, size_t n, size_t *at)
{
    scan s = {(const unsigned char *)p, (const unsigned char *)p + n, NULL};
    white(&s);
    if (s.p >= s.end || *s.p != '{')
        s.why = "a row must be a JSON object";
    else if (object(&s)) {
        white(&s);
        if (s.p < s.end)
            s.why = "more follows after the object";
    }
    *at = (size_t)(s.p - (const unsigned char *)p);
    return s.why;
}
