/* math_lex.c - the tokens of mathematical answers, plain or LaTeX.
 *
 * A token at a time, on demand (math_next). What says nothing is passed over: spacing, \left, dollars, environments of style. One
 * character of Unicode may stand for a command (a root, a set, a fraction, a superscript). A number takes its separators of
 * thousands, exponent and repeating decimals with it. Never allocates; each call moves on by at least one byte or ends. */
#include "math_tree.h"

#include <math.h>

/* ---- lexer ---------------------------------------------------------------------------------------- */

static int one_of(hone_str s, const char *const *list)
{
    for (; *list; list++)
        if (is(s, *list))
            return 1;
    return 0;
}

static const char *const ignored[] = {
    "left",      "right",      "big",       "Big",      "bigl",         "bigr",
    "angle",     "triangle",   "therefore", "mathop",   "rule",         "scriptstyle",
    "Bigl",      "Bigr",       "bigg",      "Bigg",     "displaystyle", "textstyle",
    "quad",      "qquad",      "limits",    "nolimits", "boldsymbol",   "bf",
    "rm",        "it",         "hspace",    "phantom",  "boxed",        "fbox",
    "implies",   "ensuremath", "dots",      "ldots",    "cdots",        "color",
    "textcolor", NULL};
static const char *const text_commands[] = {
    "text",       "textbf",  "textit", "textrm", "mbox",   "operatorname",
    "textnormal", "hbox",    "mathrm", "mathbf", "mathit", "mathsf",
    "mathtt",     "mathcal", "textsf", "texttt", NULL};
/* Names that \operatorname{...} may give a command. */
static const char *const operator_names[] = {
    "lcm", "gcd", "max", "min",    "cis",    "det",    "sinh", "cosh", "tanh", "sin", "cos", "tan",
    "cot", "sec", "csc", "arcsin", "arccos", "arctan", "ln",   "log",  "lg",   "exp", NULL};
static const char *const function_words[] = {
    "sin", "cos",    "tan",    "cot",    "sec",      "csc", "ln", "log",   "exp", "sqrt",
    "pi",  "arcsin", "arccos", "arctan", "infinity", "inf", "oo", "infty", NULL};
static const char *const units[] = {
    "cm",  "mm",  "km",   "ft",  "in",   "kg",   "mg",  "lb",  "lbs",  "oz",  "hr",
    "hrs", "min", "mins", "sec", "secs", "mph",  "pct", "deg", "am",   "pm",  "usd",
    "day", "cup", "sq",   "mi",  "yd",   "sqft", "men", "per", "hour", "gal", "kmh",
    "rad", "a",   "USD",  "EUR", "GBP",  "RMB",  "INR", "AUD", "CAD",  "Hz",  NULL};

/* { ... } at the lexer's place, with its braces; {NULL,0} when there is none. */
hone_str math_braced(math *m)
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

/* What may stand between groups of three digits at i: its length, 0 when nothing of the kind does. *thin: it parts nothing
 * else, even within brackets. */
static size_t separator(hone_str t, size_t i, int *thin)
{
    static const char *const kinds[] = {",\\!", "{,}",      "\\,",          "\\ ",         "\\!",
                                        "~",    "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89"};
    const hone_str rest = part(t, i, t.len);
    size_t n = 0;
    *thin = 1;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (starts_with(rest, kinds[k])) {
            n = strlen(kinds[k]);
            while (i + n < t.len && t.ptr[i + n] == ' ')
                n++;
            return n;
        }
    *thin = 0;
    if (rest.len && (rest.ptr[0] == ',' || rest.ptr[0] == ' '))
        return 1;
    return 0;
}

/* \overline{3}, \bar{3}, \dot{3} behind a point at i: the digits that repeat; {NULL,0} when there are none. */
static hone_str repeating(hone_str t, size_t i, size_t *end)
{
    static const char *const kinds[] = {"\\overline{", "\\bar{", "\\dot{", "("};
    const hone_str none = {NULL, 0}, rest = part(t, i, t.len);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t from = i + strlen(kinds[k]), to = from;
        if (!starts_with(rest, kinds[k]))
            continue;
        while (to < t.len && is_digit(t.ptr[to]))
            to++;
        if (to == from || to - from > 15 || to >= t.len || t.ptr[to] != (k == 3 ? ')' : '}') ||
            (k == 3 && (i == 0 || t.ptr[i - 1] != '.'))) /* 0.(3), and no product */
            return none;
        *end = to + 1;
        return part(t, from, to);
    }
    return none;
}

/* 0.1666...: the digits between `from` and `to` that dots behind them repeat, once; {NULL,0} when they show no period. */
static hone_str repeats_on(hone_str t, size_t from, size_t to, size_t *end)
{
    static const char *const dots[] = {"...", "\\ldots", "\\dots", "\\cdots", "…"};
    const hone_str none = {NULL, 0}, rest = part(t, to, t.len);
    size_t n = 0;
    for (size_t k = 0; k < sizeof dots / sizeof *dots && !n; k++)
        n = starts_with(rest, dots[k]) ? strlen(dots[k]) : 0;
    for (size_t period = 1; n && period <= 6 && 2 * period <= to - from; period++)
        if (memcmp(t.ptr + to - period, t.ptr + to - 2 * period, period) == 0) {
            *end = to + n;
            return part(t, to - period, to);
        }
    return none;
}

/* A number from m->at: digits, a point, separators between groups of three. */
static void lex_number(math *m)
{
    const char *p = m->text.ptr;
    size_t i = m->at, n = m->text.len, from = i, groups, end = 0;
    double value = 0, scale = 1;
    m->decimal = 0;
    while (i < n && is_digit(p[i]))
        value = 10 * value + (p[i++] - '0');
    groups = i - from;
    while (groups >= 1 && groups <= 3 && !(groups == 1 && p[from] == '0')) {
        int thin;
        size_t k = i + separator(m->text, i, &thin), d = 0;
        if (k == i || (m->brackets > 0 && !thin))
            break;
        while (k + d < n && is_digit(p[k + d]))
            d++;
        if (d != 3)
            break;
        for (; d > 0; d--)
            value = 10 * value + (p[k++] - '0');
        i = k;
    }
    for (size_t k = i; groups >= 1 && groups <= 3 && i == from + groups;) { /* 1.000.000 */
        size_t end_of = k;
        while (end_of + 3 < n && p[end_of] == '.' && is_digit(p[end_of + 1]) &&
               is_digit(p[end_of + 2]) && is_digit(p[end_of + 3]))
            end_of += 4;
        if (end_of - k < 8 || (end_of < n && (is_digit(p[end_of]) || p[end_of] == '.')))
            break;
        for (; k < end_of; k++)
            if (is_digit(p[k]))
                value = 10 * value + (p[k] - '0');
        i = end_of;
    }
    const size_t point = i;
    if (i < n && p[i] == '.' &&
        (i + 1 >= n || is_digit(p[i + 1]) || i == from || repeating(m->text, i + 1, &end).ptr)) {
        size_t k = i + 1;
        while (k < n && is_digit(p[k])) {
            value = 10 * value + (p[k++] - '0');
            scale *= 10;
        }
        m->decimal = k > i + 1;
        i = k;
    }
    m->number = value / scale;
    hone_str again = i > point ? repeating(m->text, i, &end) : (hone_str){NULL, 0};
    if (!again.ptr && m->decimal)
        again = repeats_on(m->text, point + 1, i, &end);
    if (again.ptr) { /* a fraction, exactly: its digits over nines */
        double digits = 0, nines = 0;
        for (size_t k = 0; k < again.len; k++) {
            digits = 10 * digits + (again.ptr[k] - '0');
            nines = 10 * nines + 9;
        }
        m->number = (value + digits / nines) / scale;
        m->decimal = 1;
        i = end;
    }
    if (i + 1 < n && (p[i] == 'e' || p[i] == 'E') &&
        (is_digit(p[i + 1]) ||
         (i + 2 < n && (p[i + 1] == '-' || p[i + 1] == '+') && is_digit(p[i + 2])))) {
        int minus = p[i + 1] == '-', sign = !is_digit(p[i + 1]), e = 0;
        for (i += 1 + (size_t)sign; i < n && is_digit(p[i]); i++)
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
    if (is(w, "to") && m->value_before) {
        m->token = ':';
        return;
    }
    if (w.len == 1)
        m->token = T_SYMBOL;
    /* "and", "or", and texts that end in them, part elements */
    for (int k = 0; k < 2; k++) {
        const char *z = k ? "or" : "and";
        size_t n = strlen(z), j = 0;
        while (w.len >= n && j < n && lower(w.ptr[w.len - n + j]) == z[j])
            j++;
        if (j == n && (w.len == n || (!plain && is_space(w.ptr[w.len - n - 1])))) {
            m->token = T_AND;
            m->is_or = k;
        }
    }
}

/* A single letter, a blank before it and nothing of a product behind it: "10 m", "12 m/s", "10 m^2"? */
static int is_short_unit(const math *m, size_t behind)
{
    const hone_str t = m->text;
    const hone_str rest = trim(part(t, behind, t.len));
    if (m->at == 0 || t.ptr[m->at - 1] != ' ' || !strchr("mghsLNJWVK", t.ptr[m->at]))
        return 0;
    return !rest.len || starts_with(rest, "/") || starts_with(rest, "^") ||
           starts_with(rest, ".") || starts_with(rest, "\xC2\xB2") || starts_with(rest, "\xC2\xB3");
}

/* The inside of \text{...}: without blanks and commas at its begin, without the brackets of (C). */
static hone_str bare_text(hone_str s)
{
    for (;;) {
        s = trim(s);
        if (s.len && (s.ptr[0] == ',' || s.ptr[0] == ';' || s.ptr[0] == '~'))
            s = part(s, 1, s.len);
        else if (starts_with(s, "\\,") || starts_with(s, "\\ ") || starts_with(s, "\\;"))
            s = part(s, 2, s.len);
        else
            break;
    }
    return s.len == 3 && s.ptr[0] == '(' && s.ptr[2] == ')' ? part(s, 1, 2) : s;
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
    if (is(run, "to") && m->value_before) { /* 2 to 1 */
        m->token = ':';
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
    m->token = run.len == 1 && m->value_before && is_short_unit(m, i) ? T_TEXT : T_SYMBOL;
    m->at++;
}

static void next(math *m)
{
    math_next(m);
}

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
        const size_t after = m->at;
        hone_str inner = math_braced(m);
        if (!inner.ptr) {
            next(m);
            return;
        }
        inner = bare_text(inner);
        if (inner.len &&
            (is_digit(inner.ptr[0]) || inner.ptr[0] == '-' || inner.ptr[0] == '.' ||
             memchr(inner.ptr, '\\', inner.len) || memchr(inner.ptr, '=', inner.len))) {
            m->at = after; /* mathematics in another fount */
            next(m);
            return;
        }
        if (one_of(inner, operator_names)) {
            m->word = inner;
            m->token = T_COMMAND;
            return;
        }
        if (m->in_integral && is(inner, "d")) {
            m->word = inner;
            m->token = T_SYMBOL;
            return;
        }
        if (inner.len == 1 && m->value_before && is_letter(inner.ptr[0]) &&
            !strchr("eixyzn", inner.ptr[0])) { /* 5 \text{ m} */
            m->word = inner;
            m->token = T_TEXT;
            return;
        }
        if (inner.len == 0)
            next(m);
        else
            lex_word(m, inner, 0);
        return;
    }
    if (m->value_before && (is(m->word, "boxed") || is(m->word, "fbox"))) {
        m->token = ','; /* two boxes side by side are two answers */
        return;
    }
    if (one_of(m->word, ignored)) {
        if (is(m->word, "hspace") || is(m->word, "phantom") || is(m->word, "color") ||
            is(m->word, "textcolor"))
            math_braced(m);
        const hone_str rest = trim(part(m->text, m->at, n));
        if (is(m->word, "left") && starts_with(rest, "\\{") &&
            starts_with(trim(part(rest, 2, rest.len)),
                        "\\begin")) /* a system: its brace has no other */
            m->at = (size_t)(rest.ptr - p) + 2;
        else if ((is(m->word, "left") || is(m->word, "right")) && starts_with(rest, "."))
            m->at = (size_t)(rest.ptr - p) + 1;
        next(m);
        return;
    }
    static const struct {
        const char *name;
        int token;
    } tokens[] = {{"le", T_LE},
                  {"leq", T_LE},
                  {"leqslant", T_LE},
                  {"ge", T_GE},
                  {"geq", T_GE},
                  {"geqslant", T_GE},
                  {"neq", T_NE},
                  {"ne", T_NE},
                  {"lt", '<'},
                  {"gt", '>'},
                  {"cdot", '*'},
                  {"times", '*'},
                  {"div", '/'},
                  {"lbrace", T_SET_OPEN},
                  {"rbrace", T_SET_CLOSE},
                  {"approx", T_APPROX},
                  {"simeq", T_APPROX},
                  {"vert", '|'},
                  {"lvert", '|'},
                  {"rvert", '|'},
                  {"mid", '|'},
                  {"lbrack", '['},
                  {"rbrack", ']'},
                  {"circ", T_DEGREE},
                  {"degree", T_DEGREE},
                  {"land", T_AND},
                  {"wedge", T_AND},
                  {"lor", T_AND},
                  {"vee", T_AND},
                  {"colon", ':'},
                  {"langle", '('},
                  {"rangle", ')'},
                  {"lfloor", T_FLOOR},
                  {"rfloor", T_FLOOR_END},
                  {"lceil", T_CEIL},
                  {"rceil", T_CEIL_END},
                  {"nleq", '>'},
                  {"ngeq", '<'}};
    m->is_or = is(m->word, "lor") || is(m->word, "vee");
    m->token = T_COMMAND;
    if (is(m->word, "mathbb") || is(m->word, "Bbb")) { /* the set that it names */
        hone_str inner = math_braced(m);
        while (!inner.ptr && m->at < n && is_space(p[m->at]))
            m->at++;
        if (!inner.ptr && m->at < n && is_letter(p[m->at])) {
            inner = part(m->text, m->at, m->at + 1);
            m->at++;
        }
        m->word = trim(inner);
        m->token = m->word.len == 1 ? T_NUMBERS : T_COMMAND;
        return;
    }
    for (size_t k = 0; k < sizeof tokens / sizeof *tokens; k++)
        if (is(m->word, tokens[k].name))
            m->token = tokens[k].token;
}

static const char *const above[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", "⁻"};
static const char *const below[] = {"₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉", "₋"};

/* A run of superscript (subscript) digits at m->at as a number; 0 when there is none. */
static int lex_digits(math *m, const char *const *digits, int token)
{
    double value = 0;
    int minus = 0, any = 0;
    for (size_t k = 0; k < 11;) {
        const hone_str rest = part(m->text, m->at, m->text.len);
        if (!starts_with(rest, digits[k])) {
            k++;
            continue;
        }
        m->at += strlen(digits[k]);
        minus |= k == 10;
        value = k < 10 ? 10 * value + (double)k : value;
        any |= k < 10;
        k = 0;
    }
    if (!any)
        return 0;
    m->number = minus ? -value : value;
    m->token = token;
    return 1;
}

/* Characters of UTF-8 that stand for LaTeX. */
static int lex_wide(math *m)
{
    static const struct {
        const char *bytes, *command;
        int token;
    } wide[] = {{"π", "pi", T_COMMAND},
                {"∞", "infty", T_COMMAND},
                {"√", "sqrt", T_COMMAND},
                {"∛", "cbrt", T_COMMAND},
                {"±", "pm", T_COMMAND},
                {"×", NULL, '*'},
                {"·", NULL, '*'},
                {"⋅", NULL, '*'},
                {"∙", NULL, '*'},
                {"÷", NULL, '/'},
                {"⁄", NULL, '/'},
                {"∕", NULL, '/'},
                {"∶", NULL, ':'},
                {"−", NULL, '-'},
                {"–", NULL, '-'},
                {"‐", NULL, '-'},
                {"≤", NULL, T_LE},
                {"⩽", NULL, T_LE},
                {"≥", NULL, T_GE},
                {"⩾", NULL, T_GE},
                {"≠", NULL, T_NE},
                {"≈", NULL, T_APPROX},
                {"∪", "cup", T_COMMAND},
                {"∩", "cap", T_COMMAND},
                {"∖", "setminus", T_COMMAND},
                {"∈", "in", T_COMMAND},
                {"∅", "emptyset", T_COMMAND},
                {"ℝ", "R", T_NUMBERS},
                {"ℤ", "Z", T_NUMBERS},
                {"ℕ", "N", T_NUMBERS},
                {"ℚ", "Q", T_NUMBERS},
                {"ℂ", "C", T_NUMBERS},
                {"°", NULL, T_DEGREE},
                {"º", NULL, T_DEGREE},
                {"γ", "gamma", T_COMMAND},
                {"δ", "delta", T_COMMAND},
                {"λ", "lambda", T_COMMAND},
                {"μ", "mu", T_COMMAND},
                {"φ", "phi", T_COMMAND},
                {"ω", "omega", T_COMMAND},
                {"σ", "sigma", T_COMMAND},
                {"ρ", "rho", T_COMMAND},
                {"τ", "tau", T_COMMAND},
                {"∑", "sum", T_COMMAND},
                {"∫", "int", T_COMMAND},
                {"⟨", NULL, '('},
                {"⟩", NULL, ')'},
                {"…", NULL, 0},
                {"⌊", NULL, T_FLOOR},
                {"⌋", NULL, T_FLOOR_END},
                {"⌈", NULL, T_CEIL},
                {"⌉", NULL, T_CEIL_END},
                {"θ", "theta", T_COMMAND},
                {"α", "alpha", T_COMMAND},
                {"β", "beta", T_COMMAND},
                {"½", "1/2", T_NUMBER},
                {"⅓", "1/3", T_NUMBER},
                {"⅔", "2/3", T_NUMBER},
                {"¼", "1/4", T_NUMBER},
                {"¾", "3/4", T_NUMBER},
                {"⅕", "1/5", T_NUMBER},
                {"⅖", "2/5", T_NUMBER},
                {"⅗", "3/5", T_NUMBER},
                {"⅘", "4/5", T_NUMBER},
                {"⅙", "1/6", T_NUMBER},
                {"⅚", "5/6", T_NUMBER},
                {"⅛", "1/8", T_NUMBER},
                {"⅜", "3/8", T_NUMBER},
                {"⅝", "5/8", T_NUMBER},
                {"⅞", "7/8", T_NUMBER},
                {"∠", NULL, 0},
                {"△", NULL, 0},
                {"∴", NULL, 0},
                {"€", NULL, 0},
                {"£", NULL, 0},
                {"¥", NULL, 0},
                {"₹", NULL, 0},
                {"\xC2\xA0", NULL, 0},
                {"\xE2\x80\xAF", NULL, 0},
                {"\xE2\x80\x89", NULL, 0}};
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
            if (m->token == T_NUMBER) { /* the word has the two digits, the node their quotient */
                m->number = (double)(m->word.ptr[0] - '0') / (m->word.ptr[2] - '0');
                m->decimal = 0;
            }
        }
        return 1;
    }
    return 0;
}

void math_next(math *m)
{
    for (;;) {
        char c;
        if (m->at >= m->text.len) {
            m->token = T_END;
            return;
        }
        c = m->text.ptr[m->at];
        if (is_space(c) || c == '$' || c == '~' || (c == '&' && m->in_cases)) {
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
            if (!lex_digits(m, above, T_SUPER) && !lex_digits(m, below, T_BELOW) && !lex_wide(m)) {
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
                          m->token == T_SUPER || (m->token == T_TEXT && m->value_before);
        return;
    }
}
