/* math_atom.c - the small parts of mathematical answers: nodes, numbers, brackets, commands, matrices, sums over a range.
 *
 * The lower half of the parser by recursive descent whose upper half is math_read.c. Never allocates: nodes are in the answer's
 * own room, and what finds none left is -1, as is what cannot be read. */
#include "math_parse.h"

#include <math.h>

/* ---- nodes ---------------------------------------------------------------------------------------- */

int math_make(math *m, int type, int a, int b)
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

int math_make_number(math *m, double v)
{
    int i = math_make(m, NODE_NUMBER, -1, -1);
    if (i >= 0)
        m->nodes[i].number = v;
    return i;
}

int math_make_two(math *m, int type, int a, int b)
{
    return a < 0 || b < 0 ? -1 : math_make(m, type, a, b);
}

int math_make_call(math *m, int func, int a, int b)
{
    int i = a < 0 ? -1 : math_make(m, NODE_CALL, a, b);
    if (i >= 0)
        m->nodes[i].op = (uint8_t)func;
    return i;
}

/* Of a symbol: one letter as it is; words by their letters and digits, folded. */
uint64_t math_name(hone_str w)
{
    uint64_t h = 14695981039346656037u;
    for (size_t k = 0; k < w.len; k++) {
        char c = w.len > 1 ? lower(w.ptr[k]) : w.ptr[k];
        if (is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80)
            h = (h ^ (unsigned char)c) * 1099511628211u;
    }
    return h;
}

int math_make_symbol(math *m, hone_str w)
{
    int i = math_make(m, NODE_SYMBOL, -1, -1);
    if (i < 0)
        return -1;
    m->nodes[i].name = math_name(w);
    if (is(w, "i")) /* the imaginary unit and Euler's number are values */
        m->nodes[i].op = 'i';
    if (is(w, "e"))
        m->nodes[i].op = 'e';
    return i;
}

/* ---- brackets and arguments ---------------------------------------------------------------------- */

/* Is the [ at hand the end of [0, 1[ ? */
static int closes_open(const math *m)
{
    const hone_str rest = trim(part(m->text, m->at, m->text.len));
    return m->brackets > 0 &&
           (!rest.len || starts_with(rest, "\\cup") || starts_with(rest, "\\cap") ||
            starts_with(rest, "∪") || starts_with(rest, "∩") || starts_with(rest, "$"));
}

int math_starts_atom(const math *m)
{
    switch (m->token) {
    case T_NUMBER:
    case T_TEXT:
    case '(':
    case '{':
    case T_SET_OPEN:
    case T_NUMBERS:
    case T_FLOOR:
    case T_CEIL:
        return 1;
    case T_SYMBOL:
        return !(m->in_integral && is(m->word, "d"));
    case '[':
        return !closes_open(m);
    case '|':
        return !m->in_abs && !m->in_head;
    case T_COMMAND: {
        static const char *const none[] = {
            "cup",  "cap",  "in",        "pm",    "mp",     "end",  "setminus", "mod",
            "pmod", "bmod", "backslash", "right", "choose", "over", "equiv",    NULL};
        for (const char *const *w = none; *w; w++)
            if (is(m->word, *w))
                return 0;
        return 1;
    }
    default:
        return 0;
    }
}

/* The set of all real numbers. */
int math_make_reals(math *m)
{
    const int i = math_make_symbol(m, hone_str_c("R"));
    if (i >= 0) {
        m->nodes[i].op = 'R';
        m->nodes[i].name = ~m->nodes[i].name;
    }
    return i;
}

/* The empty set: a set without elements. */
int math_make_empty(math *m)
{
    const int i = math_make(m, NODE_SEQ, -1, -1);
    if (i >= 0)
        m->nodes[i].open = m->nodes[i].close = '{';
    return i;
}

/* From the token behind `open` to its close: a group, or a SEQ with these brackets. */
int math_parse_bracket(math *m, int open)
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
        return math_make_empty(m);
    }
    list = math_parse_list(m);
    if (list >= 0 && open == T_SET_OPEN && (m->token == ':' || m->token == '|')) {
        m->in_head = 0; /* those that hold what follows */
        math_next(m);
        const int condition = math_parse_list(m);
        const int set = condition < 0 ? -1 : math_make(m, NODE_UNION, condition, -1);
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
                             : close != ')' && close != ']' && close != '[')
        return -1;
    if (close == '[' || open == ']') { /* ]0, 1[ is (0, 1) */
        const int two = m->nodes[list].type == NODE_SEQ && !m->nodes[list].open
                            ? m->nodes[m->nodes[list].a].next
                            : -1;
        if (two < 0 || m->nodes[two].next >= 0)
            return -1;
        open = open == ']' ? '(' : open;
        close = close == '[' ? ')' : close;
    }
    math_next(m);
    node *x = &m->nodes[list];
    if (open == T_SET_OPEN) {
        if (x->type != NODE_SEQ || x->open) { /* one element */
            list = math_make(m, NODE_SEQ, list, -1);
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
int math_parse_argument_of(math *m, int digits_apart)
{
    if (m->token == '{')
        return math_parse_bracket(m, '{');
    if (digits_apart && m->token == T_NUMBER && m->word.len > 1 && is_digit(m->word.ptr[0]) &&
        !m->decimal && m->at >= m->word.len &&
        m->word.ptr == m->text.ptr + m->at - m->word.len) { /* \frac43: the digits apart */
        int i = math_make_number(m, m->word.ptr[0] - '0');
        m->at -= m->word.len - 1;
        math_next(m);
        return i;
    }
    if (m->token == '-') {
        math_next(m);
        int a = math_parse_argument_of(m, digits_apart);
        return a < 0 ? -1 : math_make(m, NODE_NEG, a, -1);
    }
    if (m->token == T_NUMBER) {
        int i = math_make_number(m, m->number);
        if (i >= 0) {
            m->nodes[i].decimal = (uint8_t)m->decimal;
            m->nodes[i].digits = m->word;
        }
        math_next(m);
        return i;
    }
    if (m->token == T_SYMBOL) {
        int i = math_make_symbol(m, m->word);
        math_next(m);
        return i;
    }
    if (m->token == T_COMMAND || m->token == '(')
        return math_parse_unary(m);
    return -1;
}

int math_parse_argument(math *m)
{
    return math_parse_argument_of(m, 1);
}

/* Behind \\begin{cases} and its like: rows of relations, as a list. */
static int parse_system(math *m)
{
    int list = math_make(m, NODE_SEQ, -1, -1), last = -1, n = 0;
    m->brackets++;
    m->in_matrix++;
    m->in_cases++;
    math_next(m);
    while (list >= 0 && !(m->token == T_COMMAND && is(m->word, "end"))) {
        const int x = math_parse_relation(m);
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
    int matrix = math_make(m, NODE_MATRIX, -1, -1), last_row = -1;
    hone_str kind = math_braced(m);
    if (matrix < 0 || !kind.ptr)
        return -1;
    if (starts_with(kind, "cases") || starts_with(kind, "align") || starts_with(kind, "gather") ||
        starts_with(kind, "split"))
        return parse_system(m);
    if (starts_with(kind, "array"))
        math_braced(m);
    const size_t inside = m->at;
    m->brackets++;
    m->in_matrix++;
    math_next(m);
    while (!(m->token == T_COMMAND && is(m->word, "end"))) {
        int row = math_make(m, NODE_SEQ, -1, -1), last = -1;
        if (row < 0)
            return -1;
        m->nodes[row].open = 'r';
        for (;;) {
            int x = math_parse_sum(m);
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
        if (m->token == '=' || m->token == '<' || m->token == '>' || m->token == T_LE ||
            m->token == T_GE) { /* an array of equations */
            m->at = inside;
            m->brackets--;
            m->in_matrix--;
            return parse_system(m);
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
    return last_row < 0                   ? -1
           : starts_with(kind, "vmatrix") ? math_make_call(m, FUNC_DET, matrix, -1)
                                          : matrix;
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
                     {"exp", FUNC_EXP},     {"sinh", FUNC_SINH},   {"cosh", FUNC_COSH},
                     {"tanh", FUNC_TANH},   {"cis", FUNC_CIS},     {"det", FUNC_DET}};
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

int math_is_minus_one(const math *m, int i)
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
            arg = math_make_number(m, m->number);
            math_next(m);
        } else {
            math_next(m);
            arg = math_parse_argument(m);
        }
        if (arg < 0)
            return -1;
        *(up ? &exponent : &base) = arg;
    }
    const int closed = m->token == '(' || m->token == '{' || m->token == '[';
    arg = math_parse_unary(m);
    /* sin 2x, ln 3t: a product of numbers and letters up to the next function, bracket or sign */
    while (arg >= 0 && !closed &&
           ((m->token == T_SYMBOL && math_starts_atom(m)) ||
            (m->token == T_COMMAND && is_letter_command(m->word)))) {
        const int factor = math_parse_postfix(m);
        arg = math_make_two(m, NODE_MUL, arg, factor);
    }
    if (exponent >= 0 && func <= FUNC_TAN && func >= FUNC_SIN && math_is_minus_one(m, exponent)) {
        func += FUNC_ASIN - FUNC_SIN; /* sin^{-1} is the inverse */
        exponent = -1;
    }
    if (base >= 0 && func == FUNC_LOG)
        arg = math_make_two(m, NODE_DIV, math_make_call(m, FUNC_LN, arg, -1),
                            math_make_call(m, FUNC_LN, base, -1));
    else
        arg = math_make_call(m, func, arg, -1);
    return exponent >= 0 ? math_make_two(m, NODE_POW, arg, exponent) : arg;
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
    const int list = math_parse_bracket(m, m->token);
    if (list < 0 || m->nodes[list].type != NODE_SEQ)
        return list;
    int a = m->nodes[list].a;
    for (int c = a < 0 ? -1 : m->nodes[a].next; a >= 0 && c >= 0; c = m->nodes[c].next)
        a = math_make_call(m, func, a, c);
    return a;
}

/* Over a range: \sum_{k=1}^{5} k^2, \prod, \int_0^1 x dx. */
static int parse_range(math *m, int func)
{
    int low = -1, high = -1, name = -1, body;
    if (++m->ranges > MOST_RANGES || ++m->depth > MAX_DEPTH)
        return -1;
    math_next(m);
    while (m->token == '_' || m->token == '^') {
        const int up = m->token == '^';
        math_next(m);
        const int x = func == FUNC_INTEGRAL ? math_parse_argument(m) : math_parse_argument_of(m, 0);
        if (x < 0)
            return -1;
        *(up ? &high : &low) = x;
    }
    if (low < 0 || high < 0)
        return -1;
    const int from = m->n; /* its nodes begin here */
    if (func == FUNC_INTEGRAL) {
        m->in_integral++;
        body = m->token == T_SYMBOL && is(m->word, "d") ? math_make_number(m, 1)
                                                        : math_parse_sum(m);
        m->in_integral--;
        if (body < 0 || m->token != T_SYMBOL || !is(m->word, "d"))
            return -1;
        math_next(m);
        if (m->token != T_SYMBOL)
            return -1;
        name = math_make_symbol(m, m->word);
        math_next(m);
    } else {
        if (m->nodes[low].type != NODE_REL || m->nodes[low].op != '=' ||
            m->nodes[m->nodes[low].a].type != NODE_SYMBOL)
            return -1;
        name = m->nodes[low].a;
        low = m->nodes[low].b;
        body = math_parse_product(m);
    }
    const int range = math_make(m, NODE_SEQ, name, -1);
    if (range < 0 || body < 0 || name < 0)
        return -1;
    m->nodes[range].open = 'b';
    m->nodes[name].op = 'b';
    m->nodes[name].next = (int16_t)low;
    m->nodes[low].next = (int16_t)high;
    m->nodes[high].next = -1;
    for (int i = from; i < m->n; i++)
        if (m->nodes[i].type == NODE_SYMBOL && m->nodes[i].name == m->nodes[name].name)
            m->nodes[i].op = 'b';
    m->depth--;
    return math_make_call(m, func, body, range);
}

/* _6C_3 or ^6P_2: how many ways to choose, or to place. */
static int parse_choice_of(math *m)
{
    math_next(m);
    const int n = math_parse_argument(m);
    if (n < 0 || m->token != T_SYMBOL || !(is(m->word, "C") || is(m->word, "P")))
        return -1;
    const int func = is(m->word, "C") ? FUNC_BINOM : FUNC_PERMUTE;
    math_next(m);
    if (m->token != '_')
        return -1;
    math_next(m);
    const int k = math_parse_argument(m);
    return k < 0 ? -1 : math_make_call(m, func, n, k);
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
        a = math_parse_argument(m);
        b = a < 0 ? -1 : math_parse_argument(m);
        if (b < 0)
            return -1;
        return w.ptr[w.len - 1] == 'm' ? math_make_call(m, FUNC_BINOM, a, b)
                                       : math_make_two(m, NODE_DIV, a, b);
    }
    if (is(w, "sqrt")) {
        math_next(m);
        a = -1;
        if (m->token == '[') {
            a = math_parse_bracket(m, '[');
            if (a < 0)
                return -1;
        }
        b = math_parse_argument_of(m, w.ptr >= m->text.ptr && w.ptr < m->text.ptr + m->text.len);
        return a < 0 ? math_make_call(m, FUNC_SQRT, b, -1) : math_make_call(m, FUNC_ROOT, b, a);
    }
    if (is(w, "begin"))
        return parse_matrix(m);
    if (is(w, "sum") || is(w, "prod"))
        return parse_range(m, is(w, "sum") ? FUNC_SUM : FUNC_PRODUCT);
    if (is(w, "int"))
        return parse_range(m, FUNC_INTEGRAL);
    if (is(w, "lim")) /* not computed */
        return -1;
    if (is(w, "pi")) {
        math_next(m);
        a = math_make_symbol(m, w);
        if (a >= 0)
            m->nodes[a].op = 'p';
        return a;
    }
    if (is(w, "infty") || is(w, "infinity") || is(w, "inf") || is(w, "oo")) {
        math_next(m);
        return math_make_number(m, (double)INFINITY);
    }
    if (is(w, "max") || is(w, "min") || is(w, "gcd") || is(w, "lcm")) {
        math_next(m);
        return m->token == '(' || m->token == T_SET_OPEN ? fold_list(m, w) : math_make_symbol(m, w);
    }
    if (is(w, "cbrt")) {
        math_next(m);
        b = math_parse_argument_of(m, 0);
        return math_make_call(m, FUNC_ROOT, b, math_make_number(m, 3));
    }
    if (is(w, "emptyset") || is(w, "varnothing")) {
        math_next(m);
        return math_make_empty(m);
    }
    if (is_dressing(w)) {
        math_next(m);
        return math_parse_argument(m);
    }
    math_next(m);
    a = math_make_symbol(m, w); /* \theta, \emptyset, ... */
    return a;
}

int math_parse_atom(math *m)
{
    int a;
    switch (m->token) {
    case T_NUMBER:
        a = math_make_number(m, m->number);
        if (a < 0)
            return -1;
        m->nodes[a].decimal = (uint8_t)m->decimal;
        m->nodes[a].digits = m->word;
        math_next(m);
        return a;
    case T_SYMBOL:
    case T_TEXT:
        a = math_make_symbol(m, m->word);
        math_next(m);
        return a;
    case '_':
    case '^':
        return parse_choice_of(m);
    case '{':
        if (trim(part(m->text, m->at, m->text.len)).len &&
            trim(part(m->text, m->at, m->text.len)).ptr[0] == '}') { /* {}_6C_3 */
            math_next(m);
            math_next(m);
            return m->token == '_' || m->token == '^' ? parse_choice_of(m) : -1;
        }
        return math_parse_bracket(m, '{');
    case '(':
    case '[':
    case ']':
    case T_SET_OPEN:
        return math_parse_bracket(m, m->token);
    case '|':
        m->in_abs++;
        math_next(m);
        a = math_parse_sum(m);
        m->in_abs--;
        if (a < 0 || m->token != '|')
            return -1;
        math_next(m);
        return math_make_call(m, m->nodes[a].type == NODE_MATRIX ? FUNC_DET : FUNC_ABS, a, -1);
    case T_FLOOR:
    case T_CEIL: {
        const int floor_it = m->token == T_FLOOR;
        math_next(m);
        a = math_parse_sum(m);
        if (a < 0 || m->token != (floor_it ? T_FLOOR_END : T_CEIL_END))
            return -1;
        math_next(m);
        return math_make_call(m, floor_it ? FUNC_FLOOR : FUNC_CEIL, a, -1);
    }
    case T_NUMBERS:
        a = math_make_symbol(m, m->word);
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
