/* jinja_lex.c - a template's text to tokens, with Jinja2's handling of white space.
 *
 * Newlines become \n and one at the end is dropped. `-` inside a delimiter strips all white space on that
 * side, `+` switches the following off: lstrip_blocks (blanks between the beginning of a line and a
 * block or comment go) and trim_blocks (one newline behind a block or comment goes).
 * Source: jinja2/lexer.py (compile_rules, tokeniter). */
#include "text/jinja_int.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/tokenizer.h"

#include <string.h>

typedef struct lexer {
    hone_jinja *t;
    jtokens *out;
    const char *p; /* the normalised source */
    size_t n, at;
    int line;
} lexer;

static hone_status fail_at(lexer *x, int line, const char *what)
{
    return hone_fail(HONE_E_PARSE, "%s:%d: %s", x->t->name, line, what);
}

static hone_status push(lexer *x, jtoken tok)
{
    if (x->out->n == x->out->cap) {
        size_t cap = x->out->cap ? x->out->cap * 2 : 256;
        jtoken *v = hone_reallocarray(x->out->v, cap, sizeof *v);
        if (!v)
            return HONE_E_NOMEM;
        x->out->v = v;
        x->out->cap = cap;
    }
    x->out->v[x->out->n++] = tok;
    return HONE_OK;
}

static hone_status push_text(lexer *x, int kind, hone_str text, int line)
{
    jtoken tok = {.kind = kind, .line = line, .text = text};
    return push(x, tok);
}

static size_t space_at(const lexer *x, size_t i)
{
    hone_str s = {x->p, x->n};
    uint32_t code;
    int k = i < x->n ? hone_utf8_step(s, i, &code) : 0;
    return k > 0 && hone__jinja_space(code) ? (size_t)k : 0;
}

static void skip_space(lexer *x)
{
    for (size_t k; (k = space_at(x, x->at)) > 0; x->at += k)
        x->line += x->p[x->at] == '\n';
}

static int starts(const lexer *x, size_t at, const char *z)
{
    size_t n = strlen(z);
    return at + n <= x->n && memcmp(x->p + at, z, n) == 0;
}

/* The text in front of a tag, stripped as the tag's sign and kind say. */
static hone_str before_tag(const lexer *x, size_t begin, size_t end, char sign, int is_block)
{
    hone_str s = {x->p + begin, end - begin};
    if (sign == '-')
        return hone__jinja_strip(s, NULL, 0, 1);
    if (sign == '+' || !is_block)
        return s;
    size_t line = s.len;
    while (line > 0 && s.ptr[line - 1] != '\n')
        line--;
    if (line == 0 && begin > 0 && x->p[begin - 1] != '\n')
        return s;
    hone_str tail = {s.ptr + line, s.len - line};
    if (hone__jinja_strip(tail, NULL, 1, 0).len == 0)
        s.len = line;
    return s;
}

/* Behind a tag that began with x->at at its end mark ("%}", "-%}", "+%}"): 1 when it stands there. */
static int end_of_tag(lexer *x, const char *mark, int trim)
{
    char sign = x->at < x->n ? x->p[x->at] : 0;
    size_t at = x->at;
    if (sign == '-' || (sign == '+' && trim))
        at++;
    else
        sign = 0;
    if (!starts(x, at, mark))
        return 0;
    x->at = at + 2;
    if (sign == '-')
        skip_space(x);
    else if (!sign && trim && x->at < x->n && x->p[x->at] == '\n') {
        x->at++;
        x->line++;
    }
    return 1;
}

static void count_lines(lexer *x, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        x->line += x->p[i] == '\n';
}

/* "{% raw %}" at i: where its inside begins, or 0. */
static size_t raw_begin(lexer *x, size_t i)
{
    lexer y = *x;
    y.at = i + 2;
    if (y.at < y.n && (y.p[y.at] == '-' || y.p[y.at] == '+'))
        y.at++;
    skip_space(&y);
    if (!starts(&y, y.at, "raw"))
        return 0;
    y.at += 3;
    skip_space(&y);
    if (starts(&y, y.at, "-%}")) {
        y.at += 3;
        skip_space(&y);
        return y.at;
    }
    return starts(&y, y.at, "%}") ? y.at + 2 : 0;
}

static hone_status lex_raw(lexer *x, size_t inside)
{
    int line = x->line;
    count_lines(x, x->at, inside);
    for (size_t i = inside; i + 1 < x->n; i++) {
        if (x->p[i] != '{' || x->p[i + 1] != '%')
            continue;
        char sign = i + 2 < x->n ? x->p[i + 2] : 0;
        lexer y = *x;
        y.line = x->line;
        y.at = i + 2 + (sign == '-' || sign == '+');
        skip_space(&y);
        if (!starts(&y, y.at, "endraw"))
            continue;
        y.at += 6;
        skip_space(&y);
        if (!end_of_tag(&y, "%}", 1))
            continue;
        hone_str text = before_tag(x, inside, i, sign, 1);
        count_lines(x, inside, y.at);
        x->at = y.at;
        return text.len ? push_text(x, T_DATA, text, line) : HONE_OK;
    }
    return fail_at(x, line, "{% raw %} is not closed");
}

static hone_status lex_comment(lexer *x)
{
    int line = x->line;
    for (size_t i = x->at + 2; i + 1 < x->n; i++) {
        if (x->p[i] != '#' || x->p[i + 1] != '}')
            continue;
        size_t from = x->at;
        x->at = i - (i > from + 2 && (x->p[i - 1] == '-' || x->p[i - 1] == '+'));
        count_lines(x, from, x->at);
        end_of_tag(x, "#}", 1);
        return HONE_OK;
    }
    return fail_at(x, line, "comment {# is not closed");
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static hone_status lex_string(lexer *x)
{
    char quote = x->p[x->at];
    int line = x->line;
    size_t end = x->at + 1;
    while (end < x->n && x->p[end] != quote)
        end += x->p[end] == '\\' ? 2 : 1;
    if (end >= x->n)
        return fail_at(x, line, "string is not closed");
    char *out = hone_arena_alloc(&x->t->arena, (end - x->at) * 4 + 1);
    size_t k = 0;
    if (!out)
        return HONE_E_NOMEM;
    count_lines(x, x->at, end);
    for (size_t i = x->at + 1; i < end; i++) {
        char c = x->p[i];
        if (c != '\\') {
            out[k++] = c;
            continue;
        }
        static const char from[] = "ntrabfv\\'\"", to[] = "\n\t\r\a\b\f\v\\'\"";
        c = x->p[++i];
        const char *known = c ? strchr(from, c) : NULL;
        if (known) {
            out[k++] = to[known - from];
        } else if (c == '\n') {
            /* a newline behind a backslash is dropped */
        } else if (c == 'x' || c == 'u' || c == 'U') {
            int want = c == 'x' ? 2 : c == 'u' ? 4 : 8, digit;
            uint32_t code = 0;
            for (int d = 0; d < want; d++) {
                digit = i + 1 < end ? hex_digit(x->p[i + 1]) : -1;
                if (digit < 0)
                    return fail_at(x, line, "string escape \\x, \\u or \\U is cut short");
                code = code << 4 | (uint32_t)digit;
                i++;
            }
            if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
                return fail_at(x, line, "string escape is no character");
            k += hone__utf8_put(code, out + k);
        } else if (c >= '0' && c <= '7') {
            uint32_t code = 0;
            for (int d = 0; d < 3 && i < end && x->p[i] >= '0' && x->p[i] <= '7'; d++, i++)
                code = code * 8 + (uint32_t)(x->p[i] - '0');
            i--;
            k += hone__utf8_put(code, out + k);
        } else if (c == 'N') {
            return hone_fail(HONE_E_UNSUPPORTED, "%s:%d: string escape \\N{...} is not supported",
                             x->t->name, line);
        } else {
            out[k++] = '\\';
            out[k++] = c;
        }
    }
    x->at = end + 1;
    hone_str text = {out, k};
    return push_text(x, T_STRING, text, line);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static hone_status lex_number(lexer *x)
{
    char digits[64];
    size_t i = x->at, k = 0;
    int is_float = 0, base = 10, behind_dot = i > 0 && x->p[i - 1] == '.'; /* a.0.1 */
    jtoken tok = {.kind = T_INT, .line = x->line};
    if (x->p[i] == '0' && i + 1 < x->n && strchr("xXoObB", x->p[i + 1])) {
        char b = (char)(x->p[i + 1] | 32);
        base = b == 'x' ? 16 : b == 'o' ? 8 : 2;
        i += 2;
    }
    for (; i < x->n; i++) {
        char c = x->p[i];
        if (c == '_')
            continue;
        int digit = base == 16 ? hex_digit(c) : is_digit(c) ? c - '0' : -1;
        if (digit >= base)
            return fail_at(x, x->line, "malformed number");
        if (digit < 0 &&
            !(base == 10 && !behind_dot &&
              ((c == '.' && !is_float && i + 1 < x->n && is_digit(x->p[i + 1])) ||
               ((c == 'e' || c == 'E') && is_float < 2 && i + 1 < x->n &&
                (is_digit(x->p[i + 1]) || ((x->p[i + 1] == '-' || x->p[i + 1] == '+') &&
                                           i + 2 < x->n && is_digit(x->p[i + 2])))))))
            break;
        if (k + 3 >= sizeof digits)
            return fail_at(x, x->line, "number is too long");
        digits[k++] = c;
        if (digit < 0) {
            is_float = c == '.' ? 1 : 2;
            if (c != '.' && !is_digit(x->p[i + 1]))
                digits[k++] = x->p[++i];
        }
    }
    digits[k] = 0;
    if (is_float) {
        const char *end;
        tok.kind = T_FLOAT;
        tok.f = hone_parse_f64(digits, &end);
    } else {
        if (k == 0)
            return fail_at(x, x->line, "malformed number");
        for (size_t d = 0; d < k; d++) {
            int digit = hex_digit(digits[d]);
            if (__builtin_mul_overflow(tok.i, (int64_t)base, &tok.i) ||
                __builtin_add_overflow(tok.i, (int64_t)digit, &tok.i))
                return fail_at(x, x->line, "number is too large");
        }
    }
    x->at = i;
    return push(x, tok);
}

static int name_byte(unsigned char c)
{
    return c == '_' || is_digit((char)c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c >= 0x80;
}

/* The inside of {{ }} or {% %} up to its end. */
static hone_status lex_inside(lexer *x, int is_block)
{
    char open[J_DEPTH];
    int depth = 0, begin_line = x->line;
    for (;;) {
        skip_space(x);
        if (x->at >= x->n)
            return fail_at(x, begin_line, is_block ? "{% is not closed" : "{{ is not closed");
        if (depth == 0 && end_of_tag(x, is_block ? "%}" : "}}", is_block)) {
            hone_str none = {NULL, 0};
            return push_text(x, is_block ? T_BLOCK_END : T_VAR_END, none, x->line);
        }
        char c = x->p[x->at];
        if (is_digit(c)) {
            HONE_TRY(lex_number(x));
            continue;
        }
        if (c == '"' || c == '\'') {
            HONE_TRY(lex_string(x));
            continue;
        }
        if (name_byte((unsigned char)c)) {
            size_t from = x->at;
            while (x->at < x->n && name_byte((unsigned char)x->p[x->at]))
                x->at++;
            hone_str text = {x->p + from, x->at - from};
            HONE_TRY(push_text(x, T_NAME, text, x->line));
            continue;
        }
        jtoken tok = {.kind = T_OP, .line = x->line};
        static const char *const twos[] = {"//", "**", "==", "!=", ">=", "<="};
        for (size_t i = 0; i < sizeof twos / sizeof *twos && !tok.op; i++)
            if (starts(x, x->at, twos[i]))
                tok.op = J_OP2(twos[i][0], twos[i][1]);
        if (!tok.op && c && strchr("+-/*%~[](){}><=.:|,;", c))
            tok.op = c;
        if (!tok.op)
            return hone_fail(HONE_E_PARSE, "%s:%d: unexpected character '%c'", x->t->name, x->line,
                             c > 32 && c < 127 ? c : '?');
        if (c == '(' || c == '[' || c == '{') {
            if (depth == J_DEPTH)
                return hone_fail(HONE_E_LIMIT, "%s:%d: brackets are nested too deep", x->t->name,
                                 x->line);
            open[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if (c == ')' || c == ']' || c == '}') {
            if (depth == 0 || open[depth - 1] != c)
                return hone_fail(HONE_E_PARSE, "%s:%d: unexpected '%c'", x->t->name, x->line, c);
            depth--;
        }
        x->at += tok.op > 255 ? 2 : 1;
        HONE_TRY(push(x, tok));
    }
}

static hone_status normalise(lexer *x, hone_str source)
{
    char *p = hone_arena_alloc(&x->t->arena, source.len + 1);
    size_t k = 0;
    if (!p)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (c == '\r') {
            c = '\n';
            i += i + 1 < source.len && source.ptr[i + 1] == '\n';
        }
        p[k++] = c;
    }
    k -= k > 0 && p[k - 1] == '\n';
    p[k] = 0;
    x->p = p;
    x->n = k;
    return HONE_OK;
}

hone_status hone__jinja_lex(hone_jinja *t, hone_str source, jtokens *out)
{
    lexer x = {.t = t, .out = out, .line = 1};
    hone_str none = {NULL, 0};
    HONE_TRY(normalise(&x, source));
    while (x.at < x.n) {
        size_t i = x.at;
        while (i < x.n && !(x.p[i] == '{' && i + 1 < x.n &&
                            (x.p[i + 1] == '%' || x.p[i + 1] == '{' || x.p[i + 1] == '#')))
            i++;
        if (i == x.n) {
            hone_str rest = {x.p + x.at, x.n - x.at};
            HONE_TRY(push_text(&x, T_DATA, rest, x.line));
            break;
        }
        char kind = x.p[i + 1], sign = i + 2 < x.n ? x.p[i + 2] : 0;
        hone_str text = before_tag(&x, x.at, i, sign, kind != '{');
        if (text.len)
            HONE_TRY(push_text(&x, T_DATA, text, x.line));
        count_lines(&x, x.at, i);
        x.at = i;
        size_t inside = kind == '%' ? raw_begin(&x, i) : 0;
        if (inside) {
            HONE_TRY(lex_raw(&x, inside));
        } else if (kind == '#') {
            HONE_TRY(lex_comment(&x));
        } else {
            x.at = i + 2 + (sign == '-' || sign == '+');
            HONE_TRY(push_text(&x, kind == '%' ? T_BLOCK_BEGIN : T_VAR_BEGIN, none, x.line));
            HONE_TRY(lex_inside(&x, kind == '%'));
        }
    }
    return push_text(&x, T_EOF, none, x.line);
}
