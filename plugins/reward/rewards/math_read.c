/* math_read.c - mathematical answers, plain or LaTeX, as trees.
 *
 * A lexer that passes over what says nothing (spacing, \left, dollars, units, degrees) and a parser by
 * recursive descent: list of relations of unions of sums of products of powers. Implicit products,
 * mixed numbers, thousands separators, words. What does not end where the text ends cannot be read.
 *
 * Limits: 4,096 bytes, 768 nodes, 64 deep. Never allocates. */
#include "math_tree.h"

#include <math.h>

size_t math_size(void)
{
    return sizeof(math);
}

/* ---- lexer ---------------------------------------------------------------------------------------- */

enum {
    T_END = 256,
    T_NUMBER,
    T_SYMBOL,
    T_TEXT,
    T_COMMAND,
    T_AND,
    T_LE,
    T_GE,
    T_NE,
    T_SET_OPEN,
    T_SET_CLOSE,
    T_ROW,
    T_APPROX
};

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
    "left",   "right",   "big",        "Big",      "bigl",         "bigr",
    "Bigl",   "Bigr",    "bigg",       "Bigg",     "displaystyle", "textstyle",
    "quad",   "qquad",   "limits",     "nolimits", "mathrm",       "mathbf",
    "mathit", "mathsf",  "boldsymbol", "bf",       "rm",           "it",
    "hspace", "phantom", "boxed",      "fbox",     "implies",      "ensuremath",
    "circ",   "degree",  "dots",       "ldots",    "cdots",        NULL};
static const char *const text_commands[] = {
    "text",         "textbf",     "textit", "textrm",  "mbox",
    "operatorname", "textnormal", "hbox",   "mathcal", NULL};
static const char *const function_words[] = {
    "sin", "cos",    "tan",    "cot",    "sec",      "csc", "ln", "log",   "exp", "sqrt",
    "pi",  "arcsin", "arccos", "arctan", "infinity", "inf", "oo", "infty", NULL};
static const char *const units[] = {
    "cm",  "mm",   "km",  "ft",   "in",  "kg",  "mg",   "lb",  "lbs", "oz",  "hr",  "hrs",
    "min", "mins", "sec", "secs", "mph", "pct", "deg",  "am",  "pm",  "usd", "day", "cup",
    "sq",  "mi",   "yd",  "sqft", "men", "per", "hour", "gal", "kmh", "rad", "a",   NULL};

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
    if (i + 1 < n && (p[i] == 'e' || p[i] == 'E') &&
        (is_digit(p[i + 1]) || (i + 2 < n && p[i + 1] == '-' && is_digit(p[i + 2])))) {
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
    if (run.len >= 4 || (m->value_before && run.len > 1 && one_of(run, units)) || is(run, "and") ||
        is(run, "or")) {
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
    } tokens[] = {{"le", T_LE},         {"leq", T_LE},          {"leqslant", T_LE},
                  {"ge", T_GE},         {"geq", T_GE},          {"geqslant", T_GE},
                  {"neq", T_NE},        {"ne", T_NE},           {"lt", '<'},
                  {"gt", '>'},          {"cdot", '*'},          {"times", '*'},
                  {"div", '/'},         {"lbrace", T_SET_OPEN}, {"rbrace", T_SET_CLOSE},
                  {"approx", T_APPROX}, {"simeq", T_APPROX},    {"vert", '|'},
                  {"lvert", '|'},       {"rvert", '|'},         {"mid", '|'},
                  {"lbrack", '['},      {"rbrack", ']'}};
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
    } wide[] = {{"\xCF\x80", "pi", T_COMMAND},
                {"\xE2\x88\x9E", "infty", T_COMMAND},
                {"\xE2\x88\x9A", "sqrt", T_COMMAND},
                {"\xC2\xB1", "pm", T_COMMAND},
                {"\xC3\x97", NULL, '*'},
                {"\xC2\xB7", NULL, '*'},
                {"\xC3\xB7", NULL, '/'},
                {"\xE2\x88\x92", NULL, '-'},
                {"\xE2\x80\x93", NULL, '-'},
                {"\xE2\x89\xA4", NULL, T_LE},
                {"\xE2\x89\xA5", NULL, T_GE},
                {"\xE2\x89\xA0", NULL, T_NE},
                {"\xE2\x89\x88", NULL, T_APPROX},
                {"\xE2\x88\xAA", "cup", T_COMMAND},
                {"\xE2\x88\x88", "in", T_COMMAND},
                {"\xC2\xB0", NULL, 0},
                {"\xE2\x82\xAC", NULL, 0},
                {"\xC2\xA3", NULL, 0},
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
        if (is_digit(c) ||
            (c == '.' && m->at + 1 < m->text.len && is_digit(m->text.ptr[m->at + 1]))) {
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
            if ((c == '<' || c == '>' || c == '!') && m->at < m->text.len &&
                m->text.ptr[m->at] == '=') {
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
    case T_NUMBER:
    case T_SYMBOL:
    case T_TEXT:
    case '(':
    case '[':
    case '{':
    case T_SET_OPEN:
        return 1;
    case '|':
        return !m->in_abs;
    case T_COMMAND:
        return !is(m->word, "cup") && !is(m->word, "in") && !is(m->word, "pm") &&
               !is(m->word, "mp") && !is(m->word, "end");
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
    if (open == '{'          ? close != '}'
        : open == T_SET_OPEN ? close != T_SET_CLOSE
                             : close != ')' && close != ']')
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
    if (m->token == T_NUMBER && m->word.len > 1 &&
        is_digit(m->word.ptr[0])) { /* \frac43: the digits apart */
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
    } functions[] = {{"sin", FUNC_SIN},     {"cos", FUNC_COS},     {"tan", FUNC_TAN},
                     {"cot", FUNC_COT},     {"sec", FUNC_SEC},     {"csc", FUNC_CSC},
                     {"arcsin", FUNC_ASIN}, {"arccos", FUNC_ACOS}, {"arctan", FUNC_ATAN},
                     {"ln", FUNC_LN},       {"log", FUNC_LOG},     {"lg", FUNC_LOG},
                     {"exp", FUNC_EXP}};
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
        arg = make_two(m, NODE_DIV, make_call(m, FUNC_LN, arg, -1),
                       make_call(m, FUNC_LN, base, -1));
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
    if (is(w, "frac") || is(w, "dfrac") || is(w, "tfrac") || is(w, "cfrac") || is(w, "binom") ||
        is(w, "dbinom")) {
        next(m);
        a = parse_argument(m);
        b = a < 0 ? -1 : parse_argument(m);
        if (b < 0)
            return -1;
        return w.ptr[w.len - 1] == 'm' ? make_call(m, FUNC_BINOM, a, b)
                                       : make_two(m, NODE_DIV, a, b);
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
    return m->nodes[i].type == NODE_NUMBER && !m->nodes[i].decimal &&
           m->nodes[i].number == floor(m->nodes[i].number);
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
            mixed = mixed && b >= 0 && m->nodes[b].type == NODE_DIV &&
                    is_integer(m, m->nodes[b].a) && is_integer(m, m->nodes[b].b);
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
        int pm = m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp")),
            minus = m->token == '-', b;
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
    case '=':
    case '<':
    case '>':
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
int math_is_name(const math *m, int i)
{
    const node *x = &m->nodes[i];
    if (x->type == NODE_SYMBOL || x->type == NODE_SEQ ||
        (x->type == NODE_CALL && (x->op == FUNC_ABS || x->op == FUNC_SUB)))
        return 1;
    return (x->type == NODE_MUL || x->type == NODE_DIV) && math_is_name(m, x->a) &&
           math_is_name(m, x->b);
}

/* a < x < b is REL(REL(a < x) < b) */
static int parse_relation(math *m)
{
    int a = parse_union(m), op;
    while (a >= 0 && (op = relation_of(m)) != 0) {
        int about = m->token == T_APPROX, b;
        next(m);
        b = parse_union(m);
        if (about && b >= 0 && !math_is_name(m, a)) /* an exact value, and then its decimals */
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
    while (text.len && (text.ptr[text.len - 1] == '.' || text.ptr[text.len - 1] == ',' ||
                        text.ptr[text.len - 1] == ':'))
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
