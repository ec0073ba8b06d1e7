/* math_read.c - mathematical answers, plain or LaTeX, as trees.
 *
 * A parser by recursive descent over the tokens of math_lex.c: list of relations of unions of sums of
 * products of powers. Implicit products, mixed numbers, units, words, systems of equations, sets by a
 * condition. What does not end where the text ends cannot be read.
 *
 * Limits: 4,096 bytes, 768 nodes, 64 deep. Never allocates. */
#include "math_tree.h"

#include <math.h>

size_t math_size(void)
{
    return sizeof(math);
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

static int parse_list(math *m);
static int parse_sum(math *m);
static int parse_unary(math *m);
static int parse_relation(math *m);
static int parse_postfix(math *m);

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
    case T_NUMBERS:
    case T_FLOOR:
    case T_CEIL:
        return 1;
    case '|':
        return !m->in_abs && !m->in_head;
    case T_COMMAND: {
        static const char *const none[] = {"cup",       "cap",      "in",  "pm",   "mp",
                                           "end",       "setminus", "mod", "pmod", "bmod",
                                           "backslash", "right",    NULL};
        for (const char *const *w = none; *w; w++)
            if (is(m->word, *w))
                return 0;
        return 1;
    }
    default:
        return 0;
    }
}

/* The empty set: a set without elements. */
static int make_empty(math *m)
{
    const int i = make(m, NODE_SEQ, -1, -1);
    if (i >= 0)
        m->nodes[i].open = m->nodes[i].close = '{';
    return i;
}

/* From the token behind `open` to its close: a group, or a SEQ with these brackets. */
static int parse_bracket(math *m, int open)
{
    int list, close;
    const int counts = open != '{', head = m->in_head;
    m->brackets += counts;
    m->in_head = open == T_SET_OPEN;
    math_next(m);
    if (open == T_SET_OPEN && m->token == T_SET_CLOSE) { /* nothing in it */
        m->brackets--;
        m->in_head = head;
        math_next(m);
        return make_empty(m);
    }
    list = parse_list(m);
    if (list >= 0 && open == T_SET_OPEN && (m->token == ':' || m->token == '|')) {
        m->in_head = 0; /* those that hold what follows */
        math_next(m);
        const int condition = parse_list(m);
        const int set = condition < 0 ? -1 : make(m, NODE_UNION, condition, -1);
        if (set < 0 || m->token != T_SET_CLOSE)
            return -1;
        m->brackets--;
        m->in_head = head;
        math_next(m);
        return set;
    }
    m->in_head = head;
    m->brackets -= counts;
    close = m->token;
    if (list < 0)
        return -1;
    if (open == '{'          ? close != '}'
        : open == T_SET_OPEN ? close != T_SET_CLOSE
                             : close != ')' && close != ']' && !(open == ']' && close == '['))
        return -1;
    math_next(m);
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
static int parse_argument_of(math *m, int digits_apart)
{
    if (m->token == '{')
        return parse_bracket(m, '{');
    if (digits_apart && m->token == T_NUMBER && m->word.len > 1 && is_digit(m->word.ptr[0]) &&
        !m->decimal && m->at >= m->word.len &&
        m->word.ptr == m->text.ptr + m->at - m->word.len) { /* \frac43: the digits apart */
        int i = make_number(m, m->word.ptr[0] - '0');
        m->at -= m->word.len - 1;
        math_next(m);
        return i;
    }
    if (m->token == '-') {
        math_next(m);
        int a = parse_argument_of(m, digits_apart);
        return a < 0 ? -1 : make(m, NODE_NEG, a, -1);
    }
    if (m->token == T_NUMBER) {
        int i = make_number(m, m->number);
        math_next(m);
        return i;
    }
    if (m->token == T_SYMBOL) {
        int i = make_symbol(m, m->word);
        math_next(m);
        return i;
    }
    if (m->token == T_COMMAND || m->token == '(')
        return parse_unary(m);
    return -1;
}

static int parse_argument(math *m)
{
    return parse_argument_of(m, 1);
}

/* Behind \\begin{cases} and its like: rows of relations, as a list. */
static int parse_system(math *m)
{
    int list = make(m, NODE_SEQ, -1, -1), last = -1, n = 0;
    m->brackets++;
    m->in_matrix++;
    m->in_cases++;
    math_next(m);
    while (list >= 0 && !(m->token == T_COMMAND && is(m->word, "end"))) {
        const int x = parse_relation(m);
        if (x < 0 || ++n > MAX_LIST)
            return -1;
        if (last < 0)
            m->nodes[list].a = (int16_t)x;
        else
            m->nodes[last].next = (int16_t)x;
        last = x;
        while (m->token == ',' || m->token == ';' || m->token == '.' || m->token == T_ROW ||
               m->token == T_AND)
            math_next(m);
        if (m->token == T_END)
            return -1;
    }
    math_braced(m);
    m->brackets--;
    m->in_matrix--;
    m->in_cases--;
    math_next(m);
    return n == 0 ? -1 : n == 1 ? m->nodes[list].a : list;
}

static int parse_matrix(math *m)
{
    int matrix = make(m, NODE_MATRIX, -1, -1), last_row = -1;
    hone_str kind = math_braced(m);
    if (matrix < 0 || !kind.ptr)
        return -1;
    if (starts_with(kind, "cases") || starts_with(kind, "align") || starts_with(kind, "gather") ||
        starts_with(kind, "split"))
        return parse_system(m);
    if (starts_with(kind, "array"))
        math_braced(m);
    m->brackets++;
    m->in_matrix++;
    math_next(m);
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
            math_next(m);
        }
        if (last_row < 0)
            m->nodes[matrix].a = (int16_t)row;
        else
            m->nodes[last_row].next = (int16_t)row;
        last_row = row;
        if (m->token == T_ROW)
            math_next(m);
        else if (!(m->token == T_COMMAND && is(m->word, "end")))
            return -1;
    }
    math_braced(m);
    m->brackets--;
    m->in_matrix--;
    math_next(m);
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

/* A letter written as a command: \\pi, \\theta, ... */
static int is_letter_command(hone_str w)
{
    static const char *const names[] = {"pi",    "theta",  "alpha", "beta",   "gamma", "phi",
                                        "omega", "lambda", "mu",    "varphi", "delta", NULL};
    for (const char *const *n = names; *n; n++)
        if (is(w, *n))
            return 1;
    return 0;
}

static int is_minus_one(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return (x->type == NODE_NEG && m->nodes[x->a].type == NODE_NUMBER &&
            m->nodes[x->a].number == 1) ||
           (x->type == NODE_NUMBER && x->number == -1);
}

static int parse_function(math *m, int func)
{
    int exponent = -1, base = -1, arg;
    math_next(m);
    while (m->token == '^' || m->token == '_' || m->token == T_SUPER) { /* sin^2 x, log_2 x */
        int up = m->token != '_';
        if (m->token == T_SUPER) {
            arg = make_number(m, m->number);
            math_next(m);
        } else {
            math_next(m);
            arg = parse_argument(m);
        }
        if (arg < 0)
            return -1;
        *(up ? &exponent : &base) = arg;
    }
    const int closed = m->token == '(' || m->token == '{' || m->token == '[';
    arg = parse_unary(m);
    /* sin 2x, ln 3t: a product of numbers and letters up to the next function, bracket or sign */
    while (arg >= 0 && !closed &&
           (m->token == T_SYMBOL || (m->token == T_COMMAND && is_letter_command(m->word)))) {
        const int factor = parse_postfix(m);
        arg = make_two(m, NODE_MUL, arg, factor);
    }
    if (exponent >= 0 && func <= FUNC_TAN && func >= FUNC_SIN && is_minus_one(m, exponent)) {
        func += FUNC_ASIN - FUNC_SIN; /* sin^{-1} is the inverse */
        exponent = -1;
    }
    if (base >= 0 && func == FUNC_LOG)
        arg = make_two(m, NODE_DIV, make_call(m, FUNC_LN, arg, -1),
                       make_call(m, FUNC_LN, base, -1));
    else
        arg = make_call(m, func, arg, -1);
    return exponent >= 0 ? make_two(m, NODE_POW, arg, exponent) : arg;
}

/* Marks over or around a name that change nothing about it. */
static int is_dressing(hone_str w)
{
    static const char *const names[] = {"overline",
                                        "bar",
                                        "vec",
                                        "hat",
                                        "widehat",
                                        "tilde",
                                        "dot",
                                        "widetilde",
                                        "overrightarrow",
                                        "underline",
                                        "overleftrightarrow",
                                        "overarc",
                                        NULL};
    for (const char *const *n = names; *n; n++)
        if (is(w, *n))
            return 1;
    return 0;
}

/* max(a, b, c) and its like: of two, and of that with the next. */
static int fold_list(math *m, hone_str w)
{
    const int func = is(w, "max")   ? FUNC_MAX
                     : is(w, "min") ? FUNC_MIN
                     : is(w, "gcd") ? FUNC_GCD
                                    : FUNC_LCM;
    const int list = parse_bracket(m, m->token);
    if (list < 0 || m->nodes[list].type != NODE_SEQ)
        return list;
    int a = m->nodes[list].a;
    for (int c = a < 0 ? -1 : m->nodes[a].next; a >= 0 && c >= 0; c = m->nodes[c].next)
        a = make_call(m, func, a, c);
    return a;
}

static int parse_command(math *m)
{
    hone_str w = m->word;
    int a, b, func = function_of(w);
    if (func >= 0)
        return parse_function(m, func);
    if (is(w, "frac") || is(w, "dfrac") || is(w, "tfrac") || is(w, "cfrac") || is(w, "binom") ||
        is(w, "dbinom") || is(w, "tbinom")) {
        math_next(m);
        a = parse_argument(m);
        b = a < 0 ? -1 : parse_argument(m);
        if (b < 0)
            return -1;
        return w.ptr[w.len - 1] == 'm' ? make_call(m, FUNC_BINOM, a, b)
                                       : make_two(m, NODE_DIV, a, b);
    }
    if (is(w, "sqrt")) {
        math_next(m);
        a = -1;
        if (m->token == '[') {
            a = parse_bracket(m, '[');
            if (a < 0)
                return -1;
        }
        b = parse_argument_of(m, w.ptr >= m->text.ptr && w.ptr < m->text.ptr + m->text.len);
        return a < 0 ? make_call(m, FUNC_SQRT, b, -1) : make_call(m, FUNC_ROOT, b, a);
    }
    if (is(w, "begin"))
        return parse_matrix(m);
    if (is(w, "pi")) {
        math_next(m);
        a = make_symbol(m, w);
        if (a >= 0)
            m->nodes[a].op = 'p';
        return a;
    }
    if (is(w, "infty") || is(w, "infinity") || is(w, "inf") || is(w, "oo")) {
        math_next(m);
        return make_number(m, (double)INFINITY);
    }
    if (is(w, "max") || is(w, "min") || is(w, "gcd") || is(w, "lcm")) {
        math_next(m);
        return m->token == '(' || m->token == T_SET_OPEN ? fold_list(m, w) : -1;
    }
    if (is(w, "cbrt")) {
        math_next(m);
        b = parse_argument_of(m, 0);
        return make_call(m, FUNC_ROOT, b, make_number(m, 3));
    }
    if (is(w, "emptyset") || is(w, "varnothing")) {
        math_next(m);
        return make_empty(m);
    }
    if (is_dressing(w)) {
        math_next(m);
        return parse_argument(m);
    }
    math_next(m);
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
        math_next(m);
        return a;
    case T_SYMBOL:
    case T_TEXT:
        a = make_symbol(m, m->word);
        math_next(m);
        return a;
    case '(':
    case '[':
    case '{':
    case T_SET_OPEN:
        return parse_bracket(m, m->token);
    case '|':
        m->in_abs++;
        math_next(m);
        a = parse_sum(m);
        m->in_abs--;
        if (a < 0 || m->token != '|')
            return -1;
        math_next(m);
        return make_call(m, FUNC_ABS, a, -1);
    case T_FLOOR:
    case T_CEIL: {
        const int floor_it = m->token == T_FLOOR;
        math_next(m);
        a = parse_sum(m);
        if (a < 0 || m->token != (floor_it ? T_FLOOR_END : T_CEIL_END))
            return -1;
        math_next(m);
        return make_call(m, floor_it ? FUNC_FLOOR : FUNC_CEIL, a, -1);
    }
    case T_NUMBERS:
        a = make_symbol(m, m->word);
        if (a >= 0) { /* the reals are a set that is known, the others are names of their own */
            m->nodes[a].op = is(m->word, "R") ? 'R' : 0;
            m->nodes[a].name = ~m->nodes[a].name;
        }
        math_next(m);
        return a;
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
    return m->nodes[i].type != NODE_SYMBOL || m->nodes[i].op == 'p';
}

/* Over a unit and its power. */
static int pass_unit(math *m)
{
    math_next(m);
    if (m->token == T_SUPER)
        math_next(m);
    if (m->token == '^') {
        math_next(m);
        return parse_argument_of(m, 0) >= 0;
    }
    return 1;
}

/* Degrees, those of temperature with their letter. */
static int make_degree(math *m, int a)
{
    if (m->token == T_SYMBOL && (is(m->word, "C") || is(m->word, "F")))
        math_next(m);
    return make_call(m, FUNC_DEGREE, a, -1);
}

/* An atom with what follows it: powers, subscripts, factorial, percent, units. */
static int parse_postfix(math *m)
{
    int a = parse_atom(m), b;
    while (a >= 0) {
        if (m->token == T_DEGREE) {
            math_next(m);
            a = make_degree(m, a);
        } else if (m->token == T_SUPER) {
            a = make_two(m, NODE_POW, a, make_number(m, m->number));
            math_next(m);
        } else if (m->token == T_COMMAND &&
                   (is(m->word, "pmod") || is(m->word, "mod") || is(m->word, "bmod"))) {
            math_next(m); /* 9 (mod 11) is said as 9 */
            if (parse_argument_of(m, 0) < 0)
                return -1;
        } else if (m->token == '^') {
            math_next(m);
            if (m->token == T_DEGREE) {
                math_next(m);
                a = make_degree(m, a);
                continue;
            }
            if (m->token == '{') { /* ^{\\circ} */
                size_t at = m->at;
                math_next(m);
                const int degree = m->token == T_DEGREE;
                if (degree)
                    math_next(m);
                if (m->token == '}') {
                    math_next(m);
                    a = degree ? make_degree(m, a) : a;
                    continue;
                }
                m->at = at;
                m->token = '{';
            }
            if (m->token != '{' && m->token != '-' && !starts_atom(m))
                continue;
            b = parse_argument_of(m, 0);
            a = make_two(m, NODE_POW, a, b);
        } else if (m->token == '_') {
            math_next(m);
            b = parse_argument(m);
            a = b < 0 ? -1 : make_call(m, FUNC_SUB, a, b);
        } else if (m->token == '\'' && m->nodes[a].type == NODE_SYMBOL) { /* f': another name */
            math_next(m);
            a = make_call(m, FUNC_SUB, a, make_number(m, .5));
        } else if (m->token == '!') {
            math_next(m);
            a = make_call(m, FUNC_FACTORIAL, a, -1);
        } else if (m->token == '%') {
            math_next(m);
            a = make_call(m, FUNC_PERCENT, a, -1);
        } else if (m->token == T_TEXT && has_value(m, a)) {
            const int percent = is(m->word, "percent") || is(m->word, "pct");
            if (!pass_unit(m))
                return -1;
            if (percent)
                a = make_call(m, FUNC_PERCENT, a, -1);
            while (a >= 0 &&
                   (m->token == '/' || m->token == '*')) { /* km/h: the rest of the unit */
                const size_t at = m->at;
                const int token = m->token;
                const hone_str word = m->word;
                m->value_before = 1;
                math_next(m);
                if (m->token == T_SYMBOL && m->word.ptr == m->text.ptr + m->at - 1 &&
                    strchr("smhgNJWVK", m->word.ptr[0]))
                    m->token = T_TEXT;
                if (m->token != T_TEXT) {
                    m->at = at;
                    m->token = token;
                    m->word = word;
                    break;
                }
                if (!pass_unit(m))
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
        math_next(m);
        a = parse_unary(m);
        if (a >= 0 && minus)
            a = make(m, NODE_NEG, a, -1);
    } else if (m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp"))) {
        math_next(m);
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
        if (m->token == '*' || m->token == '/' || (m->token == ':' && !m->in_head)) {
            int type = m->token == '*' ? NODE_MUL : NODE_DIV;
            math_next(m);
            a = make_two(m, type, a, parse_unary(m));
        } else if (starts_atom(m)) {
            const int minus = m->nodes[a].type == NODE_NEG && is_integer(m, m->nodes[a].a);
            const int whole = minus ? m->nodes[a].a : a; /* -1 1/2 is -(1 + 1/2) */
            int mixed = is_integer(m, whole) && m->token == T_COMMAND &&
                        (is(m->word, "frac") || is(m->word, "dfrac") || is(m->word, "tfrac"));
            const int sign = is_integer(m, whole) && m->token == T_NUMBER && m->number < 1 &&
                             m->word.len == 3 && m->word.ptr[1] == '/';              /* 2½ */
            int plain_mixed = is_integer(m, whole) && m->token == T_NUMBER && !sign; /* 3 1/2 */
            int b = parse_postfix(m);
            if (b < 0)
                return -1;
            if (plain_mixed) {
                if (m->token != '/' || !is_integer(m, b))
                    return -1;
                math_next(m);
                b = make_two(m, NODE_DIV, b, parse_postfix(m));
                mixed = 1;
            }
            mixed = mixed && b >= 0 && m->nodes[b].type == NODE_DIV &&
                    is_integer(m, m->nodes[b].a) && is_integer(m, m->nodes[b].b);
            if (mixed || sign) {
                a = make_two(m, NODE_ADD, whole, b);
                a = minus && a >= 0 ? make(m, NODE_NEG, a, -1) : a;
            } else {
                a = make_two(m, NODE_MUL, a, b);
            }
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
        math_next(m);
        b = parse_product(m);
        if (minus && b >= 0)
            b = make(m, NODE_NEG, b, -1);
        a = make_two(m, pm ? NODE_PM : NODE_ADD, a, b);
    }
    m->depth--;
    return a;
}

/* Unions, and their parts: intersections and differences, which bind as tightly. */
static int parse_union(math *m)
{
    int a = parse_sum(m), u = -1, last = -1;
    while (a >= 0 && m->token == T_COMMAND) {
        const int cap = is(m->word, "cap"),
                  less = is(m->word, "setminus") || is(m->word, "backslash");
        if (!cap && !less && !is(m->word, "cup"))
            break;
        math_next(m);
        const int b = parse_sum(m);
        if (b < 0)
            return -1;
        if (cap || less) {
            a = make_two(m, cap ? NODE_CAP : NODE_LESS, u >= 0 ? u : a, b);
            u = -1;
            continue;
        }
        if (u < 0) {
            u = make(m, NODE_UNION, a, -1);
            last = a;
        }
        if (u < 0)
            return -1;
        m->nodes[last].next = (int16_t)b;
        last = b;
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
    if (x->type == NODE_POW) /* an inverse function */
        return m->nodes[x->a].type == NODE_SYMBOL && is_minus_one(m, x->b);
    return (x->type == NODE_MUL || x->type == NODE_DIV) && math_is_name(m, x->a) &&
           math_is_name(m, x->b);
}

/* a < x < b is REL(REL(a < x) < b) */
static int parse_relation(math *m)
{
    int a, op;
    if (m->token == T_APPROX || m->token == '=') /* "= 5" */
        math_next(m);
    a = parse_union(m);
    while (a >= 0 && (op = relation_of(m)) != 0) {
        int about = m->token == T_APPROX, b;
        math_next(m);
        b = parse_union(m);
        if (about && b >= 0 && !math_is_name(m, a)) /* an exact value, and then its decimals */
            continue;
        a = make_two(m, NODE_REL, a, b);
        if (a >= 0)
            m->nodes[a].op = (uint8_t)op;
    }
    return a;
}

/* A SEQ of what begins at `first`. */
static int make_list(math *m, int first, int open)
{
    const int list = make(m, NODE_SEQ, first, -1);
    if (list >= 0 && open) {
        m->nodes[list].open = '(';
        m->nodes[list].close = ')';
    }
    return list;
}

/* Elements parted by commas; one alone is itself. Where semicolons part elements with commas (p = 5, q = 2; p = 7, q = 2), each
 * part is a tuple. */
static int parse_list(math *m)
{
    int last, n = 1, in_group = 1, group, list_first = -1, list_last = -1, ors = 0, ands = 0;
    if (++m->depth > MAX_DEPTH)
        return -1;
    group = last = parse_relation(m);
    if (group < 0)
        return -1;
    while (m->token == ',' || m->token == ';' || m->token == T_AND) {
        /* "x = 3, y = 4 or x = 4, y = 3" is parted as by a semicolon */
        const int semicolon = m->token == ';' ||
                              (m->token == T_AND && m->is_or && m->nodes[group].type == NODE_REL &&
                               m->nodes[group].op == '=' && (in_group > 1 || list_first >= 0));
        ors |= m->token == T_AND && m->is_or;
        ands |= m->token == T_AND && !m->is_or;
        math_next(m);
        if (m->token == T_AND) { /* "a, b, and c" */
            ors |= m->is_or;
            ands |= !m->is_or;
            math_next(m);
        }
        if (semicolon && (m->token == T_END || m->token == T_SET_CLOSE))
            break;
        const int x = parse_relation(m);
        if (x < 0 || ++n > MAX_LIST)
            return -1;
        if (semicolon) {
            const int element = in_group > 1 ? make_list(m, group, 1) : group;
            if (element < 0)
                return -1;
            if (list_first < 0)
                list_first = element;
            else
                m->nodes[list_last].next = (int16_t)element;
            list_last = element;
            group = x;
            in_group = 1;
        } else {
            m->nodes[last].next = (int16_t)x;
            in_group++;
        }
        last = x;
    }
    m->depth--;
    if (n == 1)
        return group;
    if (list_first >= 0) {
        const int element = in_group > 1 ? make_list(m, group, 1) : group;
        if (element < 0)
            return -1;
        m->nodes[list_last].next = (int16_t)element;
        group = list_first;
    }
    const int list = make_list(m, group, 0);
    if (list >= 0)
        m->nodes[list].op = ors ? 'o' : ands ? 'a' : 0;
    return list;
}

int math_read(math *m, hone_str text)
{
    text = trim(text);
    while (text.len && strchr(".,:;?$\"", text.ptr[text.len - 1]) && text.ptr[text.len - 1])
        text = trim(part(text, 0, text.len - 1));
    while (text.len && text.ptr[0] == '"')
        text = trim(part(text, 1, text.len));
    m->n = 0;
    m->text = text;
    m->at = 0;
    m->depth = m->brackets = m->in_abs = m->in_matrix = m->value_before = 0;
    m->in_cases = m->in_head = m->is_or = 0;
    m->root = -1;
    if (text.len == 0 || text.len > 4096)
        return 0;
    math_next(m);
    m->root = parse_list(m);
    if (m->token != T_END)
        m->root = -1;
    return m->root >= 0;
}
