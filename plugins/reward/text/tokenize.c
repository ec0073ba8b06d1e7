/* tokenize.c - the tokenisations of sacreBLEU: 13a (mteval-v13a), intl, char, none. See text.h.
 *
 * 13a and intl are chains of substitutions that put spaces around characters. Each is one pass over the text here, in
 * their order and with their rule that a character belongs to one match only. Runs of spaces are made one after each
 * pass: none of the rules tells one space from two. */
#include "text.h"

typedef struct writer {
    char *p;
    size_t n;
} writer;

static void put_char(writer *w, char c)
{
    if (c == ' ' && w->n && w->p[w->n - 1] == ' ')
        return;
    w->p[w->n++] = c;
}

static void put_code(writer *w, uint32_t c)
{
    char bytes[4];
    const size_t n = text_put(c, bytes);
    for (size_t i = 0; i < n; i++)
        w->p[w->n++] = bytes[i];
}

static void put_lower(writer *w, uint32_t c, int fold, int each)
{
    put_code(w, fold ? text_lower(c) : c);
    if (fold && c == 0x130) { /* an I with a dot: i and the dot, as Unicode has it */
        if (each)
            put_char(w, ' ');
        put_code(w, 0x307);
    }
}

/* The 13a rules see ASCII only, so bytes do. Class of the first: symbols, but not ' , - . */
static int is_13a_symbol(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static int is_stop(char c)
{
    return c == '.' || c == ',';
}

static size_t pass_13a(const char *in, size_t n, int pass, char *out)
{
    writer w = {out, 0};
    for (size_t i = 0; i < n; i++) {
        const char c = in[i], d = i + 1 < n ? in[i + 1] : '0';
        const int more = i + 1 < n;
        if (pass == 0 && is_13a_symbol(c)) {
            put_char(&w, ' ');
            put_char(&w, c);
            put_char(&w, ' ');
        } else if (pass == 1 && more && !is_digit(c) && is_stop(d)) { /* X. */
            put_char(&w, c);
            put_char(&w, ' ');
            put_char(&w, d);
            put_char(&w, ' ');
            i++;
        } else if (pass == 2 && more && is_stop(c) && !is_digit(d)) { /* .X */
            put_char(&w, ' ');
            put_char(&w, c);
            put_char(&w, ' ');
            put_char(&w, d);
            i++;
        } else if (pass == 3 && more && is_digit(c) && d == '-') { /* 0- */
            put_char(&w, c);
            put_char(&w, ' ');
            put_char(&w, d);
            put_char(&w, ' ');
            i++;
        } else {
            put_char(&w, c);
        }
    }
    return w.n;
}

/* (not a number)(punctuation) -> "1 2 "; (punctuation)(not a number) -> " 1 2"; (symbol) -> " 1 " */
static size_t pass_intl(hone_str in, int pass, char *out)
{
    writer w = {out, 0};
    for (size_t i = 0; i < in.len;) {
        const uint32_t c = text_char(in, &i);
        size_t behind = i;
        const uint32_t d = i < in.len ? text_char(in, &behind) : 0;
        const int more = i < in.len;
        if (pass == 0 && more && !text_class(c, 'N') && text_class(d, 'P')) {
            c == ' ' ? put_char(&w, ' ') : put_code(&w, c);
            put_char(&w, ' ');
            put_code(&w, d);
            put_char(&w, ' ');
            i = behind;
        } else if (pass == 1 && more && text_class(c, 'P') && !text_class(d, 'N')) {
            put_char(&w, ' ');
            put_code(&w, c);
            put_char(&w, ' ');
            d == ' ' ? put_char(&w, ' ') : put_code(&w, d);
            i = behind;
        } else if (pass == 2 && text_class(c, 'S')) {
            put_char(&w, ' ');
            put_code(&w, c);
            put_char(&w, ' ');
        } else if (c == ' ') {
            put_char(&w, ' ');
        } else {
            put_code(&w, c);
        }
    }
    return w.n;
}

/* Does s begin with `z`, which is in small letters? Letters of s are folded where `fold` is set. */
static int begins(hone_str s, const char *z, int fold)
{
    const size_t n = strlen(z);
    if (s.len < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((fold ? lower(s.ptr[i]) : s.ptr[i]) != z[i])
            return 0;
    return 1;
}

/* mteval's first step: entities (after lower case, as sacreBLEU has them), joined lines. White space of all kinds becomes spaces. */
static size_t clean(hone_str s, int entities, int lowercase, int each, char *out)
{
    static const struct {
        const char *from, *to;
    } names[] = {{"<skipped>", ""}, {"-\n", ""},       {"&quot;", "\""},
                 {"&amp;lt;", "<"}, {"&amp;gt;", ">"}, {"&amp;", "&"},
                 {"&lt;", "<"},     {"&gt;", ">"}}; /* one after the other, there */
    writer w = {out, 0};
    if (entities) /* as if a space stood before it */
        w.p[w.n++] = ' ';
    for (size_t i = 0; i < s.len;) {
        size_t k = 0;
        while (entities && k < sizeof names / sizeof *names &&
               !begins(part(s, i, s.len), names[k].from, lowercase))
            k++;
        if (entities && k < sizeof names / sizeof *names) {
            for (const char *c = names[k].to; *c; c++)
                put_char(&w, *c);
            i += strlen(names[k].from);
            continue;
        }
        uint32_t c = text_char(s, &i);
        if (text_is_space(c))
            put_char(&w, ' ');
        else {
            put_lower(&w, c, lowercase, each);
            if (each)
                put_char(&w, ' ');
        }
    }
    if (entities)
        put_char(&w, ' ');
    return w.n;
}

size_t text_tokenize(hone_str s, uint32_t how, int lowercase, char *out, char *more)
{
    char *at = out, *other = more, *swap;
    while (s.len && is_space(s.ptr[s.len - 1])) /* before the rest, as sacreBLEU does */
        s.len--;
    size_t n = clean(s, how == TOKENIZE_13A, lowercase, how == TOKENIZE_CHAR, at);
    const int passes = how == TOKENIZE_13A ? 4 : how == TOKENIZE_INTL ? 3 : 0;
    for (int k = 0; k < passes; k++) {
        n = how == TOKENIZE_13A ? pass_13a(at, n, k, other)
                                : pass_intl((hone_str){at, n}, k, other);
        swap = at;
        at = other;
        other = swap;
    }
    if (at != out)
        memcpy(out, at, n);
    return n;
}
