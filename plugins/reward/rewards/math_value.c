/* math_value.c - mathematical answers, plain or LaTeX, and whether two of them mean the same.
 *
 * The key idea: no algebra. An answer becomes a small tree; two expressions are equal when they have the
 * same complex value at several points, where each symbol has a value of its own that depends on its
 * name alone. So 2(x+1) = 2x+2, 1/2 = 0.5 and sqrt(8) = 2 sqrt(2) need no rules. Around expressions
 * there are tuples, intervals, sets, lists, unions, matrices, equations, inequalities, +-, and words.
 *
 *   x = 5 is 5; x in S is S; a < x <= b is the interval; lists and sets have no order, tuples have one;
 *   equations are equal up to a factor; 28% is 28 and .28; units, currency and degrees say nothing.
 *
 * Does not: solve, expand sums or integrals, know that 52 in base 8 is 42. A word is equal to itself.
 * Limits: 768 nodes, 64 deep; what is larger cannot be read. Never allocates. Whole numbers are compared
 * exactly, those with a decimal point within the tolerance. */
#include "math_value.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>

enum { MAX_NODES = 768, MAX_DEPTH = 64, POINTS = 4, MAX_LIST = 64 };
enum {
    NODE_NUMBER,
    NODE_SYMBOL, /* a letter, a Greek letter, a word */
    NODE_ADD, NODE_MUL, NODE_DIV, NODE_POW, NODE_NEG, NODE_PM, /* a +- b */
    NODE_CALL,   /* op: FUNC_* */
    NODE_SEQ,    /* open, close: brackets, 0 for a bare list; children by `next` */
    NODE_UNION,
    NODE_MATRIX, /* of rows, which are SEQ */
    NODE_REL     /* op: '=' '<' 'l'(<=) '>' 'g'(>=) '!' 'i'(in) */
};
enum { FUNC_SQRT, FUNC_ROOT, FUNC_SIN, FUNC_COS, FUNC_TAN, FUNC_COT, FUNC_SEC, FUNC_CSC, FUNC_ASIN, FUNC_ACOS,
       FUNC_ATAN, FUNC_LN, FUNC_LOG, FUNC_EXP, FUNC_ABS, FUNC_FACTORIAL, FUNC_SUB, FUNC_PERCENT, FUNC_BINOM };

typedef struct node {
    uint8_t type, op, open, close;
    uint8_t decimal;   /* a number written with a point */
    int16_t a, b, next; /* children; -1: none */
    uint64_t name;     /* of a symbol */
    double number;
    hone_str digits;   /* of a number, as written */
} node;

struct math {
    node nodes[MAX_NODES];
    int n, root;
    hone_str text;
    size_t at;     /* of the lexer */
    int depth;     /* of the parser */
    int brackets;  /* ( [ \{ open around the lexer: commas part elements there */
    int in_abs, in_matrix;
    /* the token at hand */
    int token, value_before; /* value_before: what stands before it could carry a unit */
    hone_str word;
    double number;
    int decimal;
};

size_t math_size(void)
{
    return sizeof(math);
}

/* ---- lexer ---------------------------------------------------------------------------------------- */

enum { T_END = 256, T_NUMBER, T_SYMBOL, T_TEXT, T_COMMAND, T_AND, T_LE, T_GE, T_NE, T_SET_OPEN, T_SET_CLOSE, T_ROW,
       T_APPROX };

static int is(hone_str s, const char *z)
{
    return same(s, z);
}

static int one_of(hone_str s, const char *const *list)
{
    for (; *list; list++)
        if (is(s, *list))
            return 1;
    return 0;
}

static const char *const ignored[] = {
    "left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "displaystyle", "textstyle", "quad",
    "qquad", "limits", "nolimits", "mathrm", "mathbf", "mathit", "mathsf", "boldsymbol", "bf", "rm", "it", "hspace",
    "phantom", "boxed", "fbox", "implies", "ensuremath", "circ", "degree", "dots", "ldots", "cdots", NULL};
static const char *const text_commands[] = {"text", "textbf", "textit", "textrm", "mbox", "operatorname", "textnormal",
                                            "hbox", "mathcal", NULL};
static const char *const function_words[] = {"sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "exp", "sqrt", "pi",
                                             "arcsin", "arccos", "arctan", "infinity", "inf", "oo", "infty", NULL};
static const char *const units[] = {
    "cm", "mm", "km", "ft", "in", "kg", "mg", "lb", "lbs", "oz", "hr", "hrs", "min", "mins", "sec", "secs", "mph", "pct",
    "deg", "am", "pm", "usd", "day", "cup", "sq", "mi", "yd", "sqft", "men", "per", "hour", "gal", "kmh", "rad", "a", NULL};

/* { ... } at the lexer's place, with its braces; {NULL,0} when there is none. */
static hone_str braced(math *m)
{
    hone_str none = {NULL, 0};
    size_t i = m->at, from;
    int depth = 0;
    while (i < m->text.len && is_space(m->text.ptr[i]))
        i++;
    if (i >= m->text.len || m->text.ptr[i] != '{')
        return none;
    from = i;
    for (; i < m->text.len; i++) {
        char c = m->text.ptr[i];
        if (c == '\\' && i + 1 < m->text.len)
            i++;
        else if (c == '{')
            depth++;
        else if (c == '}' && --depth == 0) {
            m->at = i + 1;
            return part(m->text, from + 1, i);
        }
    }
    return none;
}

/* A number from m->at: digits, a point, separators between groups of three. */
static void lex_number(math *m)
{
    const char *p = m->text.ptr;
    size_t i = m->at, n = m->text.len, from = i, groups;
    double value = 0, scale = 1;
    m->decimal = 0;
    while (i < n && is_digit(p[i]))
        value = 10 * value + (p[i++] - '0');
    groups = i - from;
    while (groups >= 1 && groups <= 3 && !(groups == 1 && p[from] == '0')) {
        size_t k = i, d = 0;
        int thin = 0;
        if (k < n && (p[k] == ',' || (p[k] == ' ' && m->brackets == 0)))
            k++;
        else if (!(k + 1 < n && p[k] == '\\' && (p[k + 1] == ',' || p[k + 1] == ' ')))
            break;
        while (k < n && (p[k] == '\\' || p[k] == ' ')) { /* \! and \, between groups */
            if (p[k] == '\\') {
                if (k + 1 >= n || (p[k + 1] != '!' && p[k + 1] != ',' && p[k + 1] != ' '))
                    break;
                thin = 1;
                k++;
            } else if (!thin) {
                break;
            }
            k++;
        }
        if (m->brackets > 0 && !thin)
            break;
        while (k + d < n && is_digit(p[k + d]))
            d++;
        if (d != 3)
            break;
        for (; d > 0; d--)
            value = 10 * value + (p[k++] - '0');
        i = k;
    }
    if (i < n && p[i] == '.' && (i + 1 >= n || is_digit(p[i + 1]) || i == from)) {
        size_t k = i + 1;
        while (k < n && is_digit(p[k])) {
            value = 10 * value + (p[k++] - '0');
            scale *= 10;
        }
        m->decimal = k > i + 1;
        i = k;
    }
    m->number = value / scale;
    if (i + 1 < n && (p[i] == 'e' || p[i] == 'E') && (is_digit(p[i + 1]) || (i + 2 < n && p[i + 1] == '-' && is_digit(p[i + 2])))) {
        int minus = p[i + 1] == '-', e = 0;
        for (i += 1 + (size_t)minus; i < n && is_digit(p[i]); i++)
            e = e < 1000 ? 10 * e + (p[i] - '0') : e;
        m->number *= pow(10, minus ? -e : e);
        m->decimal = 1;
    }
    m->word = part(m->text, from, i);
    m->at = i;
    m->token = T_NUMBER;
}

static void lex_word(math *m, hone_str w, int plain)
{
    m->word = w;
    m->token = T_TEXT;
    if (w.len == 1)
        m->token = T_SYMBOL;
    /* "and", "or", and texts that end in them, part elements */
    for (int k = 0; k < 2; k++) {
        const char *z = k ? "or" : "and";
        size_t n = strlen(z), j = 0;
        while (w.len >= n && j < n && lower(w.ptr[w.len - n + j]) == z[j])
            j++;
        if (j == n && (w.len == n || (!plain && is_space(w.ptr[w.len - n - 1]))))
            m->token = T_AND;
    }
}

/* Letters of plain text: a function, a word, or else the first letter as a symbol. */
static void lex_letters(math *m)
{
    size_t i = m->at;
    hone_str run;
    while (i < m->text.len && is_letter(m->text.ptr[i]))
        i++;
    run = part(m->text, m->at, i);
    if (one_of(run, function_words)) {
        m->word = run;
        m->token = T_COMMAND;
        m->at = i;
        return;
    }
    if (run.len >= 4 || (m->value_before && run.len > 1 && one_of(run, units)) || is(run, "and") || is(run, "or")) {
        lex_word(m, run, 1);
        m->at = i;
        return;
    }
    m->word = part(m->text, m->at, m->at + 1);
    m->token = T_SYMBOL;
    m->at++;
}

static void next(math *m);

static void lex_command(math *m)
{
    const char *p = m->text.ptr;
    size_t i = m->at + 1, n = m->text.len;
    if (i >= n) {
        m->at = n;
        m->token = T_END;
        return;
    }
    if (!is_letter(p[i])) {
        char c = p[i];
        m->at = i + 1;
        if (c == '{')
            m->token = T_SET_OPEN;
        else if (c == '}')
            m->token = T_SET_CLOSE;
        else if (c == '\\' && !m->in_matrix && i + 1 < n && is_letter(p[i + 1])) {
            m->at = i; /* a backslash escaped once too often */
            lex_command(m);
        } else if (c == '\\')
            m->token = T_ROW;
        else if (c == '%')
            m->token = '%';
        else if (c == '|')
            m->token = '|';
        else /* \! \, \; \: \$ \( \) \[ \] and the like say nothing */
            next(m);
        return;
    }
    while (i < n && is_letter(p[i]))
        i++;
    m->word = part(m->text, m->at + 1, i);
    m->at = i;
    if (one_of(m->word, text_commands)) {
        hone_str inner = braced(m);
        if (!inner.ptr) {
            next(m);
            return;
        }
        inner = trim(inner);
        while (inner.len && (inner.ptr[0] == ',' || inner.ptr[0] == ';'))
            inner = trim(part(inner, 1, inner.len));
        if (inner.len == 3 && inner.ptr[0] == '(' && inner.ptr[2] == ')')
            inner = part(inner, 1, 2);
        if (inner.len == 0)
            next(m);
        else
            lex_word(m, inner, 0);
        return;
    }
    if (one_of(m->word, ignored)) {
        if (is(m->word, "hspace") || is(m->word, "phantom"))
            braced(m);
        next(m);
        return;
    }
    static const struct {
        const char *name;
        int token;
    } tokens[] = {{"le", T_LE}, {"leq", T_LE}, {"leqslant", T_LE}, {"ge", T_GE}, {"geq", T_GE}, {"geqslant", T_GE},
                  {"neq", T_NE}, {"ne", T_NE}, {"lt", '<'}, {"gt", '>'}, {"cdot", '*'}, {"times", '*'}, {"div", '/'},
                  {"lbrace", T_SET_OPEN}, {"rbrace", T_SET_CLOSE}, {"approx", T_APPROX}, {"simeq", T_APPROX}, {"vert", '|'}, {"lvert", '|'},
                  {"rvert", '|'}, {"mid", '|'}, {"lbrack", '['}, {"rbrack", ']'}};
    m->token = T_COMMAND;
    for (size_t k = 0; k < sizeof tokens / sizeof *tokens; k++)
        if (is(m->word, tokens[k].name))
            m->token = tokens[k].token;
}

/* Characters of UTF-8 that stand for LaTeX. */
static int lex_wide(math *m)
{
    static const struct {
        const char *bytes, *command;
        int token;
    } wide[] = {{"\xCF\x80", "pi", T_COMMAND}, {"\xE2\x88\x9E", "infty", T_COMMAND}, {"\xE2\x88\x9A", "sqrt", T_COMMAND},
                {"\xC2\xB1", "pm", T_COMMAND}, {"\xC3\x97", NULL, '*'}, {"\xC2\xB7", NULL, '*'}, {"\xC3\xB7", NULL, '/'},
                {"\xE2\x88\x92", NULL, '-'}, {"\xE2\x80\x93", NULL, '-'}, {"\xE2\x89\xA4", NULL, T_LE},
                {"\xE2\x89\xA5", NULL, T_GE}, {"\xE2\x89\xA0", NULL, T_NE}, {"\xE2\x89\x88", NULL, T_APPROX}, {"\xE2\x88\xAA", "cup", T_COMMAND},
                {"\xE2\x88\x88", "in", T_COMMAND}, {"\xC2\xB0", NULL, 0}, {"\xE2\x82\xAC", NULL, 0}, {"\xC2\xA3", NULL, 0},
                {"\xC2\xA0", NULL, 0}};
    hone_str rest = part(m->text, m->at, m->text.len);
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++) {
        if (!starts_with(rest, wide[k].bytes))
            continue;
        m->at += strlen(wide[k].bytes);
        if (wide[k].token == 0) {
            next(m);
        } else {
            m->token = wide[k].token;
            if (wide[k].command)
                m->word = hone_str_c(wide[k].command);
        }
        return 1;
    }
    return 0;
}

static void next(math *m)
{
    for (;;) {
        char c;
        if (m->at >= m->text.len) {
            m->token = T_END;
            return;
        }
        c = m->text.ptr[m->at];
        if (is_space(c) || c == '$' || c == '~') {
            m->at++;
            continue;
        }
        if (is_digit(c) || (c == '.' && m->at + 1 < m->text.len && is_digit(m->text.ptr[m->at + 1]))) {
            lex_number(m);
        } else if (is_letter(c)) {
            lex_letters(m);
        } else if (c == '\\') {
            lex_command(m);
        } else if ((unsigned char)c >= 0x80) {
            if (!lex_wide(m)) {
                m->token = 1; /* nothing that the grammar knows */
                m->at++;
            }
        } else {
            m->token = (unsigned char)c;
            m->at++;
            if ((c == '<' || c == '>' || c == '!') && m->at < m->text.len && m->text.ptr[m->at] == '=') {
                m->token = c == '<' ? T_LE : c == '>' ? T_GE : T_NE;
                m->at++;
            }
            if (c == '*' && m->at < m->text.len && m->text.ptr[m->at] == '*') {
                m->token = '^';
                m->at++;
            }
        }
        m->value_before = m->token == T_NUMBER || m->token == ')' || m->token == '}' ||
                          (m->token == T_TEXT && m->value_before);
        return;
    }
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static int make(math *m, int type, int a, int b)
{
    node *x;
    if (m->n >= MAX_NODES)
        return -1;
    x = &m->nodes[m->n];
    memset(x, 0, sizeof *x);
    x->type = (uint8_t)type;
    x->a = (int16_t)a;
    x->b = (int16_t)b;
    x->next = -1;
    return m->n++;
}

static int make_number(math *m, double v)
{
    int i = make(m, NODE_NUMBER, -1, -1);
    if (i >= 0)
        m->nodes[i].number = v;
    return i;
}

static int make_two(math *m, int type, int a, int b)
{
    return a < 0 || b < 0 ? -1 : make(m, type, a, b);
}

static int make_call(math *m, int func, int a, int b)
{
    int i = a < 0 ? -1 : make(m, NODE_CALL, a, b);
    if (i >= 0)
        m->nodes[i].op = (uint8_t)func;
    return i;
}

/* Symbols: one letter as it is; words by their letters and digits, folded. */
static int make_symbol(math *m, hone_str w)
{
    int i = make(m, NODE_SYMBOL, -1, -1);
    uint64_t h = 14695981039346656037u;
    if (i < 0)
        return -1;
    for (size_t k = 0; k < w.len; k++) {
        char c = w.len > 1 ? lower(w.ptr[k]) : w.ptr[k];
        if (is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80)
            h = (h ^ (unsigned char)c) * 1099511628211u;
    }
    m->nodes[i].name = h;
    if (is(w, "i")) /* the imaginary unit and Euler's number are values */
        m->nodes[i].op = 'i';
    if (is(w, "e"))
        m->nodes[i].op = 'e';
    return i;
}

/* ---- parser --------------------------------------------------------------------------------------- */

static int parse_list(math *m, int open);
static int parse_sum(math *m);
static int parse_unary(math *m);

static int starts_atom(const math *m)
{
    switch (m->token) {
    case T_NUMBER: case T_SYMBOL: case T_TEXT: case '(': case '[': case '{': case T_SET_OPEN:
        return 1;
    case '|':
        return !m->in_abs;
    case T_COMMAND:
        return !is(m->word, "cup") && !is(m->word, "in") && !is(m->word, "pm") && !is(m->word, "mp") && !is(m->word, "end");
    default:
        return 0;
    }
}

/* From the token behind `open` to its close: a group, or a SEQ with these brackets. */
static int parse_bracket(math *m, int open)
{
    int list, close;
    int counts = open != '{';
    m->brackets += counts;
    next(m);
    list = parse_list(m, open);
    m->brackets -= counts;
    close = m->token;
    if (list < 0)
        return -1;
    if (open == '{' ? close != '}' : open == T_SET_OPEN ? close != T_SET_CLOSE : close != ')' && close != ']')
        return -1;
    next(m);
    node *x = &m->nodes[list];
    if (open == T_SET_OPEN) {
        if (x->type != NODE_SEQ || x->open) { /* one element */
            list = make(m, NODE_SEQ, list, -1);
            if (list < 0)
                return -1;
        }
        m->nodes[list].open = '{';
        m->nodes[list].close = '}';
    } else if (open != '{' && x->type == NODE_SEQ && !x->open) {
        x->open = (uint8_t)open;
        x->close = (uint8_t)close;
    } else if (open != '{' && close != (open == '(' ? ')' : ']')) {
        return -1;
    }
    return list;
}

/* The argument of \frac, \sqrt, ^: braced, or one token (a single digit of a number). */
static int parse_argument(math *m)
{
    if (m->token == '{')
        return parse_bracket(m, '{');
    if (m->token == T_NUMBER && m->word.len > 1 && is_digit(m->word.ptr[0])) { /* \frac43: the digits apart */
        int i = make_number(m, m->word.ptr[0] - '0');
        m->at -= m->word.len - 1;
        next(m);
        return i;
    }
    if (m->token == '-') {
        next(m);
        int a = parse_argument(m);
        return a < 0 ? -1 : make(m, NODE_NEG, a, -1);
    }
    if (m->token == T_NUMBER) {
        int i = make_number(m, m->number);
        next(m);
        return i;
    }
    if (m->token == T_SYMBOL) {
        int i = make_symbol(m, m->word);
        next(m);
        return i;
    }
    if (m->token == T_COMMAND || m->token == '(')
        return parse_unary(m);
    return -1;
}

static int parse_matrix(math *m)
{
    int matrix = make(m, NODE_MATRIX, -1, -1), last_row = -1;
    hone_str kind = braced(m);
    if (matrix < 0 || !kind.ptr)
        return -1;
    if (starts_with(kind, "array"))
        braced(m);
    m->brackets++;
    m->in_matrix++;
    next(m);
    while (!(m->token == T_COMMAND && is(m->word, "end"))) {
        int row = make(m, NODE_SEQ, -1, -1), last = -1;
        if (row < 0)
            return -1;
        m->nodes[row].open = 'r';
        for (;;) {
            int x = parse_sum(m);
            if (x < 0)
                return -1;
            if (last < 0)
                m->nodes[row].a = (int16_t)x;
            else
                m->nodes[last].next = (int16_t)x;
            last = x;
            if (m->token != '&')
                break;
            next(m);
        }
        if (last_row < 0)
            m->nodes[matrix].a = (int16_t)row;
        else
            m->nodes[last_row].next = (int16_t)row;
        last_row = row;
        if (m->token == T_ROW)
            next(m);
        else if (!(m->token == T_COMMAND && is(m->word, "end")))
            return -1;
    }
    braced(m);
    m->brackets--;
    m->in_matrix--;
    next(m);
    return last_row < 0 ? -1 : matrix;
}

static int function_of(hone_str w)
{
    static const struct {
        const char *name;
        int func;
    } functions[] = {{"sin", FUNC_SIN}, {"cos", FUNC_COS}, {"tan", FUNC_TAN}, {"cot", FUNC_COT}, {"sec", FUNC_SEC},
                     {"csc", FUNC_CSC}, {"arcsin", FUNC_ASIN}, {"arccos", FUNC_ACOS}, {"arctan", FUNC_ATAN},
                     {"ln", FUNC_LN}, {"log", FUNC_LOG}, {"lg", FUNC_LOG}, {"exp", FUNC_EXP}};
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        if (is(w, functions[k].name))
            return functions[k].func;
    return -1;
}

static int parse_function(math *m, int func)
{
    int exponent = -1, base = -1, arg;
    next(m);
    while (m->token == '^' || m->token == '_') { /* sin^2 x, log_2 x */
        int up = m->token == '^';
        next(m);
        arg = parse_argument(m);
        if (arg < 0)
            return -1;
        *(up ? &exponent : &base) = arg;
    }
    arg = parse_unary(m);
    if (base >= 0 && func == FUNC_LOG)
        arg = make_two(m, NODE_DIV, make_call(m, FUNC_LN, arg, -1), make_call(m, FUNC_LN, base, -1));
    else
        arg = make_call(m, func, arg, -1);
    return exponent >= 0 ? make_two(m, NODE_POW, arg, exponent) : arg;
}

static int parse_command(math *m)
{
    hone_str w = m->word;
    int a, b, func = function_of(w);
    if (func >= 0)
        return parse_function(m, func);
    if (is(w, "frac") || is(w, "dfrac") || is(w, "tfrac") || is(w, "cfrac") || is(w, "binom") || is(w, "dbinom")) {
        next(m);
        a = parse_argument(m);
        b = a < 0 ? -1 : parse_argument(m);
        if (b < 0)
            return -1;
        return w.ptr[w.len - 1] == 'm' ? make_call(m, FUNC_BINOM, a, b) : make_two(m, NODE_DIV, a, b);
    }
    if (is(w, "sqrt")) {
        next(m);
        a = -1;
        if (m->token == '[') {
            a = parse_bracket(m, '[');
            if (a < 0)
                return -1;
        }
        b = parse_argument(m);
        return a < 0 ? make_call(m, FUNC_SQRT, b, -1) : make_call(m, FUNC_ROOT, b, a);
    }
    if (is(w, "begin"))
        return parse_matrix(m);
    if (is(w, "pi")) {
        next(m);
        a = make_symbol(m, w);
        if (a >= 0)
            m->nodes[a].op = 'p';
        return a;
    }
    if (is(w, "infty") || is(w, "infinity") || is(w, "inf") || is(w, "oo")) {
        next(m);
        return make_number(m, (double)INFINITY);
    }
    if (is(w, "overline") || is(w, "bar") || is(w, "vec") || is(w, "hat") || is(w, "widehat")) {
        next(m);
        return parse_argument(m);
    }
    next(m);
    a = make_symbol(m, w); /* \theta, \emptyset, ... */
    return a;
}

static int parse_atom(math *m)
{
    int a;
    switch (m->token) {
    case T_NUMBER:
        a = make_number(m, m->number);
        if (a < 0)
            return -1;
        m->nodes[a].decimal = (uint8_t)m->decimal;
        m->nodes[a].digits = m->word;
        next(m);
        return a;
    case T_SYMBOL:
    case T_TEXT:
        a = make_symbol(m, m->word);
        next(m);
        return a;
    case '(':
    case '[':
    case '{':
    case T_SET_OPEN:
        return parse_bracket(m, m->token);
    case '|':
        m->in_abs++;
        next(m);
        a = parse_sum(m);
        m->in_abs--;
        if (a < 0 || m->token != '|')
            return -1;
        next(m);
        return make_call(m, FUNC_ABS, a, -1);
    case T_COMMAND:
        return parse_command(m);
    default:
        return -1;
    }
}

static int is_integer(const math *m, int i)
{
    return m->nodes[i].type == NODE_NUMBER && !m->nodes[i].decimal && m->nodes[i].number == floor(m->nodes[i].number);
}

static int has_value(const math *m, int i)
{
    return m->nodes[i].type != NODE_SYMBOL;
}

/* An atom with what follows it: powers, subscripts, factorial, percent, units. */
static int parse_postfix(math *m)
{
    int a = parse_atom(m), b;
    while (a >= 0) {
        if (m->token == '^') {
            next(m);
            if (m->token == '{') { /* ^{\circ} is a degree: nothing in it */
                size_t at = m->at;
                next(m);
                if (m->token == '}') {
                    next(m);
                    continue;
                }
                m->at = at;
                m->token = '{';
            }
            if (m->token != '{' && m->token != '-' && !starts_atom(m)) /* ^\circ */
                continue;
            b = parse_argument(m);
            a = make_two(m, NODE_POW, a, b);
        } else if (m->token == '_') {
            next(m);
            b = parse_argument(m);
            a = b < 0 ? -1 : make_call(m, FUNC_SUB, a, b);
        } else if (m->token == '!') {
            next(m);
            a = make_call(m, FUNC_FACTORIAL, a, -1);
        } else if (m->token == '%') {
            next(m);
            a = make_call(m, FUNC_PERCENT, a, -1);
        } else if (m->token == T_TEXT && has_value(m, a)) { /* a unit, with its power */
            int percent = is(m->word, "percent") || is(m->word, "pct");
            next(m);
            if (percent)
                a = make_call(m, FUNC_PERCENT, a, -1);
            if (m->token == '^') {
                next(m);
                if (parse_argument(m) < 0)
                    return -1;
            }
        } else {
            break;
        }
    }
    return a;
}

static int parse_unary(math *m)
{
    int a;
    if (++m->depth > MAX_DEPTH)
        return -1;
    if (m->token == '-' || m->token == '+') {
        int minus = m->token == '-';
        next(m);
        a = parse_unary(m);
        if (a >= 0 && minus)
            a = make(m, NODE_NEG, a, -1);
    } else if (m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp"))) {
        next(m);
        a = parse_unary(m);
        a = make_two(m, NODE_PM, make_number(m, 0), a);
    } else {
        a = parse_postfix(m);
    }
    m->depth--;
    return a;
}

static int parse_product(math *m)
{
    int a = parse_unary(m);
    while (a >= 0) {
        if (m->token == '*' || m->token == '/' || m->token == ':') {
            int type = m->token == '*' ? NODE_MUL : NODE_DIV;
            next(m);
            a = make_two(m, type, a, parse_unary(m));
        } else if (starts_atom(m)) {
            int mixed = is_integer(m, a) && m->token == T_COMMAND &&
                        (is(m->word, "frac") || is(m->word, "dfrac") || is(m->word, "tfrac"));
            int plain_mixed = is_integer(m, a) && m->token == T_NUMBER; /* 3 1/2 */
            int b = parse_postfix(m);
            if (b < 0)
                return -1;
            if (plain_mixed) {
                if (m->token != '/' || !is_integer(m, b))
                    return -1;
                next(m);
                b = make_two(m, NODE_DIV, b, parse_postfix(m));
                mixed = 1;
            }
            mixed = mixed && b >= 0 && m->nodes[b].type == NODE_DIV && is_integer(m, m->nodes[b].a) &&
                    is_integer(m, m->nodes[b].b);
            a = make_two(m, mixed ? NODE_ADD : NODE_MUL, a, b);
        } else {
            break;
        }
    }
    return a;
}

static int parse_sum(math *m)
{
    int a;
    if (++m->depth > MAX_DEPTH)
        return -1;
    a = parse_product(m);
    for (;;) {
        int pm = m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp")), minus = m->token == '-', b;
        if (a < 0 || (m->token != '+' && !minus && !pm))
            break;
        next(m);
        b = parse_product(m);
        if (minus && b >= 0)
            b = make(m, NODE_NEG, b, -1);
        a = make_two(m, pm ? NODE_PM : NODE_ADD, a, b);
    }
    m->depth--;
    return a;
}

static int parse_union(math *m)
{
    int a = parse_sum(m), u = -1, last = -1;
    while (a >= 0 && m->token == T_COMMAND && is(m->word, "cup")) {
        if (u < 0) {
            u = make(m, NODE_UNION, a, -1);
            last = a;
        }
        next(m);
        a = parse_sum(m);
        if (u < 0 || a < 0)
            return -1;
        m->nodes[last].next = (int16_t)a;
        last = a;
    }
    return a < 0 ? -1 : u >= 0 ? u : a;
}

static int relation_of(const math *m)
{
    switch (m->token) {
    case '=': case '<': case '>':
        return m->token;
    case T_LE:
        return 'l';
    case T_GE:
        return 'g';
    case T_NE:
        return '!';
    case T_APPROX:
        return '=';
    case T_COMMAND:
        return is(m->word, "in") ? 'i' : 0;
    default:
        return 0;
    }
}

/* Can this stand for a name before "=": f(x), |AB|, (p,q), x_1? */
static int is_name(const math *m, int i)
{
    const node *x = &m->nodes[i];
    if (x->type == NODE_SYMBOL || x->type == NODE_SEQ || (x->type == NODE_CALL && (x->op == FUNC_ABS || x->op == FUNC_SUB)))
        return 1;
    return (x->type == NODE_MUL || x->type == NODE_DIV) && is_name(m, x->a) && is_name(m, x->b);
}

/* a < x < b is REL(REL(a < x) < b) */
static int parse_relation(math *m)
{
    int a = parse_union(m), op;
    while (a >= 0 && (op = relation_of(m)) != 0) {
        int about = m->token == T_APPROX, b;
        next(m);
        b = parse_union(m);
        if (about && b >= 0 && !is_name(m, a)) /* an exact value, and then its decimals */
            continue;
        a = make_two(m, NODE_REL, a, b);
        if (a >= 0)
            m->nodes[a].op = (uint8_t)op;
    }
    return a;
}

/* Elements parted by commas; one alone is itself. */
static int parse_list(math *m, int open)
{
    int first, last, list, n = 1;
    if (++m->depth > MAX_DEPTH)
        return -1;
    (void)open;
    first = last = parse_relation(m);
    if (first < 0)
        return -1;
    while (m->token == ',' || m->token == ';' || m->token == T_AND) {
        int x;
        next(m);
        if (m->token == T_AND) /* "a, b, and c" */
            next(m);
        x = parse_relation(m);
        if (x < 0 || ++n > MAX_LIST)
            return -1;
        m->nodes[last].next = (int16_t)x;
        last = x;
    }
    m->depth--;
    if (n == 1)
        return first;
    list = make(m, NODE_SEQ, first, -1);
    return list;
}

int math_read(math *m, hone_str text)
{
    text = trim(text);
    while (text.len && (text.ptr[text.len - 1] == '.' || text.ptr[text.len - 1] == ',' || text.ptr[text.len - 1] == ':'))
        text = trim(part(text, 0, text.len - 1));
    m->n = 0;
    m->text = text;
    m->at = 0;
    m->depth = m->brackets = m->in_abs = m->in_matrix = m->value_before = 0;
    m->root = -1;
    if (text.len == 0 || text.len > 4096)
        return 0;
    next(m);
    m->root = parse_list(m, 0);
    if (m->token != T_END)
        m->root = -1;
    return m->root >= 0;
}

/* ---- values --------------------------------------------------------------------------------------- */

typedef double complex number;

static number evaluate(const math *m, int i, int point, int sign);

/* Each symbol has a value at each point: between .4 and 2.4, by its name. */
static double symbol_value(uint64_t name, int point)
{
    uint64_t h = name + (uint64_t)(point + 1) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
    h ^= h >> 31;
    return 0.4 + 2 * (double)(h >> 11) / 9007199254740992.0;
}

static number call(const node *x, number a, number b)
{
    switch (x->op) {
    case FUNC_SQRT:
        return csqrt(a);
    case FUNC_ROOT:
        return cimag(a) == 0 && creal(a) < 0 && fmod(creal(b), 2) == 1 ? -cpow(-a, 1 / b) : cpow(a, 1 / b);
    case FUNC_SIN:
        return csin(a);
    case FUNC_COS:
        return ccos(a);
    case FUNC_TAN:
        return ctan(a);
    case FUNC_COT:
        return 1 / ctan(a);
    case FUNC_SEC:
        return 1 / ccos(a);
    case FUNC_CSC:
        return 1 / csin(a);
    case FUNC_ASIN:
        return casin(a);
    case FUNC_ACOS:
        return cacos(a);
    case FUNC_ATAN:
        return catan(a);
    case FUNC_LN:
        return clog(a);
    case FUNC_LOG:
        return clog(a) / log(10);
    case FUNC_EXP:
        return cexp(a);
    case FUNC_ABS:
        return cabs(a);
    case FUNC_FACTORIAL:
        return tgamma(creal(a) + 1);
    case FUNC_BINOM:
        return tgamma(creal(a) + 1) / (tgamma(creal(b) + 1) * tgamma(creal(a - b) + 1));
    case FUNC_SUB: /* another number or symbol than without the subscript */
        return a * 1.7320508 + b * 739.0851332;
    case FUNC_PERCENT:
        return a / 100;
    default:
        return (double)NAN;
    }
}

static number evaluate(const math *m, int i, int point, int sign)
{
    const node *x = &m->nodes[i];
    number a, b;
    switch (x->type) {
    case NODE_NUMBER:
        return x->number;
    case NODE_SYMBOL:
        if (x->op == 'i')
            return (number)_Complex_I;
        if (x->op == 'e')
            return 2.718281828459045235;
        if (x->op == 'p')
            return 3.14159265358979323846;
        return symbol_value(x->name, point);
    case NODE_CALL:
        a = evaluate(m, x->a, point, sign);
        b = x->b >= 0 ? evaluate(m, x->b, point, sign) : 0;
        return call(x, a, b);
    case NODE_NEG:
        return -evaluate(m, x->a, point, sign);
    case NODE_ADD:
    case NODE_MUL:
    case NODE_DIV:
    case NODE_POW:
    case NODE_PM:
        a = evaluate(m, x->a, point, sign);
        b = evaluate(m, x->b, point, sign);
        if (x->type == NODE_ADD)
            return a + b;
        if (x->type == NODE_MUL)
            return a * b;
        if (x->type == NODE_DIV)
            return a / b;
        if (x->type == NODE_PM)
            return a + sign * b;
        if (cimag(a) == 0 && cimag(b) == 0 && (creal(a) >= 0 || creal(b) == floor(creal(b))))
            return pow(creal(a), creal(b));
        return cpow(a, b);
    default:
        return (double)NAN; /* a tuple or a relation is no number */
    }
}

/* Does the tree below `i` hold a node of this type? op -1: any. */
static int holds(const math *m, int i, int type, int op)
{
    const node *x = &m->nodes[i];
    int next_child;
    if (x->type == type && (op < 0 || x->op == op))
        return 1;
    if (x->type == NODE_SEQ || x->type == NODE_UNION || x->type == NODE_MATRIX) {
        for (next_child = x->a; next_child >= 0; next_child = m->nodes[next_child].next)
            if (holds(m, next_child, type, op))
                return 1;
        return 0;
    }
    return (x->a >= 0 && holds(m, x->a, type, op)) || (x->b >= 0 && holds(m, x->b, type, op));
}

static int has_decimal(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return x->type == NODE_NUMBER ? x->decimal
                                  : (x->a >= 0 && has_decimal(m, x->a)) || (x->b >= 0 && has_decimal(m, x->b));
}

static int close_to(number a, number b, double tolerance)
{
    double scale;
    if (isinf(creal(a)) || isinf(creal(b)))
        return creal(a) == creal(b);
    if (isnan(creal(a)) || isnan(creal(b)) || isnan(cimag(a)) || isnan(cimag(b)))
        return 0;
    scale = fmax(cabs(a), cabs(b));
    /* whole numbers are compared as such: no tolerance makes 1000000 of 1000001 */
    if (cimag(a) == 0 && cimag(b) == 0 && creal(a) == floor(creal(a)) && creal(b) == floor(creal(b)) && scale < 1e15)
        return creal(a) == creal(b);
    return cabs(a - b) <= tolerance * fmax(scale, 1e-12);
}

/* Two whole numbers too long for a double: their digits. */
static int same_digits(hone_str a, hone_str b)
{
    size_t i = 0, j = 0;
    while (i < a.len && (!is_digit(a.ptr[i]) || a.ptr[i] == '0'))
        i++;
    while (j < b.len && (!is_digit(b.ptr[j]) || b.ptr[j] == '0'))
        j++;
    for (;;) {
        while (i < a.len && !is_digit(a.ptr[i]))
            i++;
        while (j < b.len && !is_digit(b.ptr[j]))
            j++;
        if (i >= a.len || j >= b.len)
            return i >= a.len && j >= b.len;
        if (a.ptr[i++] != b.ptr[j++])
            return 0;
    }
}

/* ---- equality ------------------------------------------------------------------------------------- */

typedef struct part_of { /* an expression, with the sign that its +- takes */
    int i, sign;
} part_of;

typedef struct pair {
    const math *a, *b;
    double tolerance;
    int depth;
} pair;

static int equal_nodes(const pair *p, part_of x, part_of y);

/* 28% and 28 are the same, and 28% and .28. */
static int equal_values(const pair *p, part_of x, part_of y)
{
    const node *nx = &p->a->nodes[x.i], *ny = &p->b->nodes[y.i];
    int px = nx->type == NODE_CALL && nx->op == FUNC_PERCENT, py = ny->type == NODE_CALL && ny->op == FUNC_PERCENT;
    double tolerance = has_decimal(p->a, x.i) || has_decimal(p->b, y.i) ? p->tolerance : fmin(p->tolerance, 1e-9);
    if (nx->type == NODE_NUMBER && ny->type == NODE_NUMBER && nx->number >= 1e15 && ny->number >= 1e15 &&
        !nx->decimal && !ny->decimal && nx->digits.ptr && ny->digits.ptr)
        return same_digits(nx->digits, ny->digits);
    for (int factor = 0; factor < 2; factor++) {
        int ok = 1;
        for (int k = 0; k < POINTS && ok; k++) {
            number a = evaluate(p->a, x.i, k, x.sign), b = evaluate(p->b, y.i, k, y.sign);
            if (factor && px)
                a *= 100;
            if (factor && py)
                b *= 100;
            ok = close_to(a, b, tolerance);
        }
        if (ok)
            return 1;
        if (px == py)
            break;
    }
    return 0;
}

/* x = y = 5 is 5, x in S is S. */
static int bare(const math *m, int i)
{
    const node *x = &m->nodes[i];
    int left = x->a;
    if (x->type != NODE_REL || (x->op != '=' && x->op != 'i'))
        return i;
    while (m->nodes[left].type == NODE_REL && m->nodes[left].op == '=')
        left = m->nodes[left].a;
    return is_name(m, left) ? bare(m, x->b) : i;
}

/* An interval's ends: from inequalities or from brackets. */
typedef struct interval {
    int from, to; /* nodes, -1: infinite */
    int closed_from, closed_to;
} interval;

static int as_interval(const math *m, int i, interval *out)
{
    const node *x = &m->nodes[i];
    interval v = {-1, -1, 0, 0};
    if (x->type == NODE_SEQ && (x->open == '(' || x->open == '[')) {
        int second = m->nodes[x->a].next;
        if (second < 0 || m->nodes[second].next >= 0)
            return 0;
        v.from = x->a;
        v.to = second;
        v.closed_from = x->open == '[';
        v.closed_to = x->close == ']';
        *out = v;
        return 1;
    }
    if (x->type != NODE_REL || !strchr("<>lg", x->op))
        return 0;
    if (m->nodes[x->a].type == NODE_REL) { /* a < x < b */
        const node *l = &m->nodes[x->a];
        int up = x->op == '<' || x->op == 'l', lup = l->op == '<' || l->op == 'l';
        if (!strchr("<>lg", l->op) || up != lup || m->nodes[l->a].type == NODE_REL)
            return 0;
        v.from = up ? l->a : x->b;
        v.to = up ? x->b : l->a;
        v.closed_from = up ? l->op == 'l' : x->op == 'g';
        v.closed_to = up ? x->op == 'l' : l->op == 'g';
    } else {
        int name_left = is_name(m, x->a), up = x->op == '<' || x->op == 'l', closed = x->op == 'l' || x->op == 'g';
        if (!name_left && !is_name(m, x->b))
            return 0;
        if (name_left == up) { /* x < b, a > x */
            v.to = name_left ? x->b : x->a;
            v.closed_to = closed;
        } else {
            v.from = name_left ? x->b : x->a;
            v.closed_from = closed;
        }
    }
    *out = v;
    return 1;
}

static int equal_ends(const pair *p, int x, int y, double infinity)
{
    part_of u = {x, 1}, v = {y, 1};
    if (x < 0 && y < 0)
        return 1;
    if (x < 0)
        return creal(evaluate(p->b, y, 0, 1)) == infinity;
    if (y < 0)
        return creal(evaluate(p->a, x, 0, 1)) == infinity;
    return equal_nodes(p, u, v);
}

/* Elements of a list, set or union, +- taken apart. */
static int elements(const math *m, int i, part_of *out)
{
    const node *x = &m->nodes[i];
    int n = 0, c;
    if ((x->type == NODE_SEQ && (x->open == 0 || x->open == '{')) || x->type == NODE_UNION) {
        for (c = x->a; c >= 0; c = m->nodes[c].next) {
            int e = bare(m, c), twice = holds(m, e, NODE_PM, -1);
            for (int k = 0; k <= twice; k++) {
                if (n >= MAX_LIST)
                    return -1;
                out[n].i = e;
                out[n++].sign = k ? -1 : 1;
            }
        }
        return n;
    }
    if (holds(m, i, NODE_PM, -1)) {
        out[0].i = out[1].i = i;
        out[0].sign = 1;
        out[1].sign = -1;
        return 2;
    }
    return 0;
}

static int equal_unordered(const pair *p, const part_of *x, int n, const part_of *y, int k)
{
    uint64_t used = 0;
    if (n != k)
        return 0;
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < n && ((used >> j & 1) || !equal_nodes(p, x[i], y[j])))
            j++;
        if (j == n)
            return 0;
        used |= (uint64_t)1 << j;
    }
    return 1;
}

static int equal_ordered(const pair *p, int x, int y)
{
    while (x >= 0 && y >= 0) {
        part_of u = {bare(p->a, x), 1}, v = {bare(p->b, y), 1};
        if (!equal_nodes(p, u, v))
            return 0;
        x = p->a->nodes[x].next;
        y = p->b->nodes[y].next;
    }
    return x < 0 && y < 0;
}

/* Equations are equal when left - right agrees up to a constant factor. */
static int equal_equations(const pair *p, const node *x, const node *y)
{
    number f0 = 1, g0 = 1;
    for (int k = 0; k < POINTS; k++) {
        number f = evaluate(p->a, x->a, k, 1) - evaluate(p->a, x->b, k, 1);
        number g = evaluate(p->b, y->a, k, 1) - evaluate(p->b, y->b, k, 1);
        if (!isfinite(cabs(f)) || !isfinite(cabs(g)) || cabs(f) < 1e-12 || cabs(g) < 1e-12)
            return 0;
        if (k == 0) {
            f0 = f;
            g0 = g;
        } else if (!close_to(f * g0, g * f0, 1e-9)) {
            return 0;
        }
    }
    return 1;
}

static int equal_nodes(const pair *outer, part_of u, part_of v)
{
    pair inner = *outer;
    const pair *p = &inner;
    const node *x = &p->a->nodes[u.i], *y = &p->b->nodes[v.i];
    part_of ex[MAX_LIST], ey[MAX_LIST];
    interval ix, iy;
    int nx, ny;
    if (++inner.depth > 16)
        return 0;
    if (x->type == NODE_MATRIX || y->type == NODE_MATRIX)
        return x->type == y->type && equal_ordered(p, x->a, y->a);
    if (x->type == NODE_SEQ && y->type == NODE_SEQ && x->open == 'r' && y->open == 'r')
        return equal_ordered(p, x->a, y->a);
    if (as_interval(p->a, u.i, &ix) && as_interval(p->b, v.i, &iy))
        return ix.closed_from == iy.closed_from && ix.closed_to == iy.closed_to &&
               equal_ends(p, ix.from, iy.from, -(double)INFINITY) && equal_ends(p, ix.to, iy.to, (double)INFINITY);
    if (x->type == NODE_REL && y->type == NODE_REL && x->op == y->op && (x->op == '=' || x->op == '!'))
        return equal_equations(p, x, y);
    if (x->type == NODE_SEQ && y->type == NODE_SEQ &&
        ((x->open == '(' && y->open == 0) || (x->open == 0 && y->open == '(') ||
         (x->open == y->open && x->close == y->close && x->open != 0 && x->open != '{')))
        return equal_ordered(p, x->a, y->a);
    nx = outer->depth < 3 ? elements(p->a, u.i, ex) : 0;
    ny = outer->depth < 3 ? elements(p->b, v.i, ey) : 0;
    if (nx > 0 && ny > 0 && !(nx == 2 && ny == 2 && ex[0].i == u.i && ey[0].i == v.i && outer->depth > 0))
        return equal_unordered(p, ex, nx, ey, ny);
    if ((nx > 0) != (ny > 0) && (x->type == NODE_SEQ || y->type == NODE_SEQ || x->type == NODE_UNION || y->type == NODE_UNION))
        return 0;
    return equal_values(p, u, v);
}

int math_equal(const math *a, const math *b, double tolerance)
{
    pair p = {a, b, tolerance, 0};
    part_of u, v;
    if (a->root < 0 || b->root < 0)
        return 0;
    if (a->nodes[a->root].type == NODE_REL && b->nodes[b->root].type == NODE_REL &&
        a->nodes[a->root].op == '=' && b->nodes[b->root].op == '=' &&
        equal_equations(&p, &a->nodes[a->root], &b->nodes[b->root]))
        return 1;
    u.i = bare(a, a->root);
    v.i = bare(b, b->root);
    u.sign = v.sign = 1;
    if ((a->nodes[u.i].type == NODE_REL) != (b->nodes[v.i].type == NODE_REL)) {
        interval ix, iy;
        if (!as_interval(a, u.i, &ix) || !as_interval(b, v.i, &iy))
            return 0;
    }
    return equal_nodes(&p, u, v);
}

int math_is_number(const math *m)
{
    return m->root >= 0 && !holds(m, m->root, NODE_SYMBOL, 0);
}
