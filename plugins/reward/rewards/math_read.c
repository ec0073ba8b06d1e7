/* math_read.c - mathematical answers, plain or LaTeX, as trees.
 *
 * A parser by recursive descent over the tokens of math_lex.c: list of relations of unions of ratios of sums of
 * products of powers; what is below that is in math_atom.c. Implicit products, mixed numbers, units, words. What does not
 * end where the text ends cannot be read; of "something = 5" the right side is taken where only the left cannot be read.
 *
 * Limits: 4,096 bytes, 768 nodes, 64 deep. Never allocates. */
#include "math_parse.h"
#include "math_words.h"

#include <math.h>

size_t math_size(void)
{
    return sizeof(math);
}

/* ---- powers, products, sums ------------------------------------------------------------------------- */

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
        return math_parse_argument_of(m, 0) >= 0;
    }
    return 1;
}

static int is_letter_c(const math *m, int i)
{
    return m->nodes[i].type == NODE_SYMBOL && m->nodes[i].name == math_name(hone_str_c("C"));
}

/* C_6^3, C^3_6: 20, as it is written in much of the world; node a with what stands above and below the letter. */
static int make_choice(math *m, int a)
{
    const node *x = &m->nodes[a], *y;
    if (x->type == NODE_POW)
        y = &m->nodes[x->a];
    else if (x->type == NODE_CALL && x->op == FUNC_SUB)
        y = &m->nodes[x->a];
    else
        return a;
    const int below = x->type == NODE_POW ? y->b : x->b, above = x->type == NODE_POW ? x->b : y->b;
    if ((y->type != NODE_POW && !(y->type == NODE_CALL && y->op == FUNC_SUB)) ||
        y->type == x->type || !is_letter_c(m, y->a) || !is_integer(m, below) ||
        !is_integer(m, above) || m->nodes[below].number < m->nodes[above].number)
        return a;
    return math_make_call(m, FUNC_BINOM, below, above);
}

/* Degrees, those of temperature with their letter. */
static int make_degree(math *m, int a)
{
    if (m->token == T_SYMBOL && (is(m->word, "C") || is(m->word, "F")))
        math_next(m);
    return math_make_call(m, FUNC_DEGREE, a, -1);
}

/* C(6,3), P(5,2): the letter with two whole numbers, which may be a point as well; `a` when it is no such thing. */
static int choice_or_point(math *m, int a)
{
    const place before = math_place(m);
    const node *x = &m->nodes[a];
    if (x->type != NODE_SYMBOL ||
        (x->name != math_name(hone_str_c("C")) && x->name != math_name(hone_str_c("P"))))
        return a;
    const int list = math_parse_bracket(m, '(');
    const int first = list >= 0 && m->nodes[list].type == NODE_SEQ && m->nodes[list].open == '('
                          ? m->nodes[list].a
                          : -1;
    const int second = first >= 0 ? m->nodes[first].next : -1;
    if (second >= 0 && m->nodes[second].next < 0 && is_integer(m, first) && is_integer(m, second))
        return math_make_two(m, NODE_MUL, a, list);
    math_return(m, before);
    return a;
}

/* An atom with what follows it: powers, subscripts, factorial, percent, units. */
int math_parse_postfix(math *m)
{
    int a = math_parse_atom(m), b;
    while (a >= 0) {
        if (m->token == T_DEGREE) {
            math_next(m);
            a = make_degree(m, a);
        } else if (m->token == T_SUPER) {
            a = math_make_two(m, NODE_POW, a, math_make_number(m, m->number));
            math_next(m);
        } else if (m->token == T_COMMAND &&
                   (is(m->word, "pmod") || is(m->word, "mod") || is(m->word, "bmod"))) {
            math_next(m); /* 9 (mod 11) is said as 9 */
            if (math_parse_argument_of(m, 0) < 0)
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
            if (m->token != '{' && m->token != '-' && !math_starts_atom(m))
                continue;
            b = math_parse_argument_of(m, 0);
            a = math_make_two(m, NODE_POW, a, b);
            a = a < 0 ? a : make_choice(m, a);
        } else if (m->token == '_') {
            math_next(m);
            b = math_parse_argument(m);
            a = b < 0 ? -1 : math_make_call(m, FUNC_SUB, a, b);
            a = a < 0 ? a : make_choice(m, a);
        } else if (m->token == T_BELOW) {
            a = math_make_call(m, FUNC_SUB, a, math_make_number(m, m->number));
            math_next(m);
        } else if (m->token == '(' && (b = choice_or_point(m, a)) != a) {
            a = b;
        } else if (m->token == T_COMMAND && is(m->word, "Omega") && has_value(m, a)) {
            math_next(m);                                                 /* the unit */
        } else if (m->token == '\'' && m->nodes[a].type == NODE_SYMBOL) { /* f': another name */
            math_next(m);
            a = math_make_call(m, FUNC_SUB, a, math_make_number(m, .5));
        } else if (m->token == '!') {
            math_next(m);
            a = math_make_call(m, FUNC_FACTORIAL, a, -1);
        } else if (m->token == '%') {
            math_next(m);
            a = math_make_call(m, FUNC_PERCENT, a, -1);
        } else if (m->token == T_TEXT && has_value(m, a)) {
            const int percent = is(m->word, "percent") || is(m->word, "pct");
            const double scale = math_scale_word(m->word);
            if (!pass_unit(m))
                return -1;
            if (percent)
                a = math_make_call(m, FUNC_PERCENT, a, -1);
            if (scale > 0)
                a = math_make_two(m, NODE_MUL, a, math_make_number(m, scale));
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

int math_parse_unary(math *m)
{
    int a;
    if (++m->depth > MAX_DEPTH)
        return -1;
    if (m->token == '-' || m->token == '+') {
        int minus = m->token == '-';
        math_next(m);
        a = math_parse_unary(m);
        if (a >= 0 && minus)
            a = math_make(m, NODE_NEG, a, -1);
    } else if (m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp"))) {
        math_next(m);
        a = math_parse_unary(m);
        a = math_make_two(m, NODE_PM, math_make_number(m, 0), a);
    } else {
        a = math_parse_postfix(m);
    }
    m->depth--;
    return a;
}

int math_parse_product(math *m)
{
    int a = math_parse_unary(m);
    while (a >= 0) {
        if (m->token == '*' || m->token == '/') {
            int type = m->token == '*' ? NODE_MUL : NODE_DIV;
            math_next(m);
            a = math_make_two(m, type, a, math_parse_unary(m));
        } else if (math_starts_atom(m)) {
            const int minus = m->nodes[a].type == NODE_NEG && is_integer(m, m->nodes[a].a);
            const int whole = minus ? m->nodes[a].a : a; /* -1 1/2 is -(1 + 1/2) */
            int mixed = is_integer(m, whole) && m->token == T_COMMAND &&
                        (is(m->word, "frac") || is(m->word, "dfrac") || is(m->word, "tfrac"));
            const int sign = is_integer(m, whole) && m->token == T_NUMBER && m->number < 1 &&
                             m->word.len == 3 && m->word.ptr[1] == '/';              /* 2½ */
            int plain_mixed = is_integer(m, whole) && m->token == T_NUMBER && !sign; /* 3 1/2 */
            int b = math_parse_postfix(m);
            if (b < 0)
                return -1;
            if (plain_mixed) {
                if (m->token != '/' || !is_integer(m, b))
                    return -1;
                math_next(m);
                b = math_make_two(m, NODE_DIV, b, math_parse_postfix(m));
                mixed = 1;
            }
            const int percent = mixed && b >= 0 && m->nodes[b].type == NODE_CALL &&
                                m->nodes[b].op == FUNC_PERCENT; /* 33 1/3% */
            b = percent ? m->nodes[b].a : b;
            mixed = mixed && b >= 0 && m->nodes[b].type == NODE_DIV &&
                    is_integer(m, m->nodes[b].a) && is_integer(m, m->nodes[b].b);
            if (mixed || sign) {
                a = math_make_two(m, NODE_ADD, whole, b);
                a = minus && a >= 0 ? math_make(m, NODE_NEG, a, -1) : a;
                a = percent ? math_make_call(m, FUNC_PERCENT, a, -1) : a;
            } else {
                b = percent ? math_make_call(m, FUNC_PERCENT, b, -1) : b;
                a = math_make_two(m, NODE_MUL, a, b);
            }
        } else {
            break;
        }
    }
    return a;
}

int math_parse_sum(math *m)
{
    int a;
    if (++m->depth > MAX_DEPTH)
        return -1;
    a = math_parse_product(m);
    for (;;) {
        int pm = m->token == T_COMMAND && (is(m->word, "pm") || is(m->word, "mp")),
            minus = m->token == '-', b;
        if (a < 0 || (m->token != '+' && !minus && !pm))
            break;
        math_next(m);
        b = math_parse_product(m);
        if (minus && b >= 0 && m->nodes[b].type == NODE_SEQ && m->nodes[b].open == '{') {
            a = math_make_two(m, NODE_LESS, a, b); /* R - {0} */
            continue;
        }
        if (minus && b >= 0)
            b = math_make(m, NODE_NEG, b, -1);
        a = math_make_two(m, pm ? NODE_PM : NODE_ADD, a, b);
    }
    m->depth--;
    return a;
}

/* a : b is a quotient, a : b : c has an order of its own; n \choose k, a \over b. */
static int parse_ratio(math *m)
{
    int a = math_parse_sum(m), b, last, list;
    if (a >= 0 && m->token == T_COMMAND && (is(m->word, "choose") || is(m->word, "over"))) {
        const int choose = is(m->word, "choose");
        math_next(m);
        b = math_parse_sum(m);
        if (b < 0)
            return -1;
        return choose ? math_make_call(m, FUNC_BINOM, a, b) : math_make_two(m, NODE_DIV, a, b);
    }
    if (a < 0 || m->token != ':' || m->in_head)
        return a;
    math_next(m);
    b = math_parse_sum(m);
    if (b < 0 || m->token != ':')
        return math_make_two(m, NODE_DIV, a, b);
    list = math_make(m, NODE_SEQ, a, -1);
    if (list < 0)
        return -1;
    m->nodes[list].open = ':';
    m->nodes[a].next = (int16_t)b;
    for (last = b; m->token == ':'; last = b) {
        math_next(m);
        b = math_parse_sum(m);
        if (b < 0)
            return -1;
        m->nodes[last].next = (int16_t)b;
    }
    return list;
}

/* Unions, and their parts: intersections and differences, which bind as tightly. */
static int parse_union(math *m)
{
    int a = parse_ratio(m), u = -1, last = -1;
    while (a >= 0 && m->token == T_COMMAND) {
        const int cap = is(m->word, "cap"),
                  less = is(m->word, "setminus") || is(m->word, "backslash");
        if (!cap && !less && !is(m->word, "cup"))
            break;
        math_next(m);
        const int b = parse_ratio(m);
        if (b < 0)
            return -1;
        if (cap || less) {
            a = math_make_two(m, cap ? NODE_CAP : NODE_LESS, u >= 0 ? u : a, b);
            u = -1;
            continue;
        }
        if (u < 0) {
            u = math_make(m, NODE_UNION, a, -1);
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
        return is(m->word, "in") ? 'i' : is(m->word, "equiv") ? '=' : 0;
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
    if (x->type == NODE_UNION || x->type == NODE_CAP || x->type == NODE_LESS) {
        for (int c = x->a; c >= 0; c = x->type == NODE_UNION ? m->nodes[c].next : -1)
            if (m->nodes[c].type != NODE_SYMBOL) /* A and B of A \cup B */
                return 0;
        return x->b < 0 || m->nodes[x->b].type == NODE_SYMBOL;
    }
    if (x->type == NODE_POW) /* an inverse function */
        return m->nodes[x->a].type == NODE_SYMBOL && math_is_minus_one(m, x->b);
    return (x->type == NODE_MUL || x->type == NODE_DIV) && math_is_name(m, x->a) &&
           math_is_name(m, x->b);
}

/* a < x < b is REL(REL(a < x) < b) */
int math_parse_relation(math *m)
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
        a = math_make_two(m, NODE_REL, a, b);
        if (a >= 0)
            m->nodes[a].op = (uint8_t)op;
    }
    return a;
}

/* A SEQ of what begins at `first`. */
static int make_list(math *m, int first, int open)
{
    const int list = math_make(m, NODE_SEQ, first, -1);
    if (list >= 0 && open) {
        m->nodes[list].open = '(';
        m->nodes[list].close = ')';
    }
    return list;
}

/* Elements parted by commas; one alone is itself. Where semicolons part elements with commas (p = 5, q = 2; p = 7, q = 2), each
 * part is a tuple. */
int math_parse_list(math *m)
{
    int last, n = 1, in_group = 1, group, list_first = -1, list_last = -1, ors = 0, ands = 0;
    if (++m->depth > MAX_DEPTH)
        return -1;
    group = last = math_parse_relation(m);
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
        const int x = math_parse_relation(m);
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

/* Without "USD" before it. */
static hone_str without_currency(hone_str s)
{
    static const char *const names[] = {"USD ", "US\\$", "US$",  "EUR ", "GBP ", "Rs. ",
                                        "Rs.",  "Rs ",   "INR ", "CAD ", "AUD ", "RMB "};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (starts_with(s, names[k]))
            return trim(part(s, strlen(names[k]), s.len));
    return s;
}

/* Of "... = 5", what is right of the last equals sign, where left of it there is one thing only. */
static int right_side(hone_str s, hone_str *right)
{
    size_t at = SIZE_MAX;
    int depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        depth += c == '{' || c == '(' ? 1 : c == '}' || c == ')' ? -1 : 0;
        if (depth == 0 && c == '=')
            at = i;
    }
    if (at == SIZE_MAX || at == 0 || at + 1 >= s.len || strchr("<>!=", s.ptr[at - 1]))
        return 0;
    for (size_t i = 0; i < at; i++) {
        const hone_str rest = part(s, i, at);
        const char c = s.ptr[i];
        depth += c == '{' || c == '(' ? 1 : c == '}' || c == ')' ? -1 : 0;
        if ((depth == 0 && strchr(",;<>\n", c)) || starts_with(rest, "\\\\") ||
            (starts_with(rest, "\\le") && !starts_with(rest, "\\left")) ||
            starts_with(rest, "\\ge") || starts_with(rest, "\\ne") || starts_with(rest, " or ") ||
            starts_with(rest, " and ") || starts_with(rest, "\\begin"))
            return 0;
    }
    *right = part(s, at + 1, s.len);
    return 1;
}

int math_read(math *m, hone_str text)
{
    hone_str right;
    text = trim(text);
    while (text.len && strchr(".,:;?$\"*`", text.ptr[text.len - 1]) && text.ptr[text.len - 1] &&
           !(text.len > 4 && memcmp(text.ptr + text.len - 3, "...", 3) == 0 &&
             is_digit(text.ptr[text.len - 4])))
        text = trim(part(text, 0, text.len - 1));
    while (text.len && strchr("\"*`$", text.ptr[0]) && text.ptr[0])
        text = trim(part(text, 1, text.len));
    text = without_currency(text);
    m->n = 0;
    m->text = text;
    m->at = 0;
    m->depth = m->brackets = m->in_abs = m->in_matrix = m->value_before = 0;
    m->in_cases = m->in_head = m->is_or = m->in_integral = m->ranges = 0;
    m->root = -1;
    if (text.len == 0 || text.len > 4096)
        return 0;
    switch (math_phrase(text)) {
    case PHRASE_REALS:
        m->root = math_make_reals(m);
        return 1;
    case PHRASE_EMPTY:
        m->root = math_make_empty(m);
        return 1;
    case PHRASE_INFINITY:
        m->root = math_make_number(m, (double)INFINITY);
        return 1;
    case PHRASE_MINUS_INFINITY:
        m->root = math_make(m, NODE_NEG, math_make_number(m, (double)INFINITY), -1);
        return 1;
    default:
        break;
    }
    math_next(m);
    m->root = math_parse_list(m);
    if (m->token != T_END)
        m->root = -1;
    if (m->root < 0 && right_side(text, &right))
        return math_read(m, right);
    return m->root >= 0;
}
