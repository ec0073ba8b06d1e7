/* math_find.c - where in a completion, or in a solution, the final answer stands. See math_find.h.
 *
 * Each place is a function that looks from the end. Nothing here reads mathematics: it knows delimiters, phrases and what a
 * number looks like. Dollars may be money: alone, before a number, around a sentence. Time: linear in the text for each place;
 * nothing is allocated, what is found is a part of the text. */
#include "math_find.h"

enum { MOST_JOINED = 64 }; /* answers that are joined to one */

/* ---- places --------------------------------------------------------------------------------------- */

/* Over the name and the equals sign before a box, "y_2 = \boxed{...}": their length, or 0. */
static size_t assignment(hone_str s)
{
    size_t i = 0;
    if (!s.len || !is_letter(s.ptr[0]))
        return 0;
    for (i = 1;
         i < s.len && (is_letter(s.ptr[i]) || is_digit(s.ptr[i]) || strchr("_{}() ", s.ptr[i]));
         i++)
        ;
    return i < s.len && i < 24 && s.ptr[i] == '=' ? i + 1 : 0;
}

/* Do two boxes with this between them make one answer: nothing but commas, "and", dollars, spaces, the name of a value? (What
 * stands around "or" is the same answer twice.) Two boxes side by side are two answers. */
static int joins(hone_str s)
{
    int any = s.len == 0;
    for (size_t i = 0; i < s.len;) {
        hone_str rest = part(s, i, s.len);
        const size_t name = any ? assignment(rest) : 0;
        if (is_space(s.ptr[i]) || s.ptr[i] == '$' || s.ptr[i] == ',' || s.ptr[i] == ';') {
            any |= s.ptr[i] == ',' || s.ptr[i] == ';';
            i++;
        } else if (starts_with(rest, "and") || starts_with(rest, "\\quad")) {
            any |= s.ptr[i] == 'a';
            i += s.ptr[i] == 'a' ? 3 : 5;
        } else if (starts_with(rest, "\\(") || starts_with(rest, "\\)")) {
            i += 2;
        } else if (starts_with(rest, "\\text{")) {
            size_t end = find(rest, hone_str_c("}"), 0);
            if (end == SIZE_MAX)
                return 0;
            any |= find(part(rest, 0, end), hone_str_c("and"), 0) != SIZE_MAX;
            i += end + 1;
        } else if (name) {
            i += name;
        } else {
            return 0;
        }
    }
    return any;
}

static int find_one_box(hone_str s, hone_str *out, size_t *begin, size_t *end);

/* Inside of the last \boxed{...} or \fbox{...}, or the word after "\boxed "; boxes joined by "and" or commas
 * are one answer, boxes and all (the reader of mathematics passes over the command). */
static int find_boxed(hone_str s, hone_str *out)
{
    size_t begin, end, first, stop;
    hone_str inner;
    if (!find_one_box(s, out, &begin, &end))
        return 0;
    first = begin;
    for (int k = 0; k < MOST_JOINED && find_one_box(part(s, 0, first), &inner, &begin, &stop) &&
                    joins(part(s, stop, first));
         k++) {
        first = begin;
        *out = part(s, first, end);
    }
    return 1;
}

static int find_one_box(hone_str s, hone_str *out, size_t *begin, size_t *end)
{
    hone_str marks[2] = {hone_str_c("\\boxed"), hone_str_c("\\fbox")};
    size_t best = SIZE_MAX, len = 0, i, from;
    int depth = 0;
    for (int k = 0; k < 2; k++) {
        size_t at = find_last(s, marks[k]);
        if (at != SIZE_MAX && (best == SIZE_MAX || at > best)) {
            best = at;
            len = marks[k].len;
        }
    }
    if (best == SIZE_MAX)
        return 0;
    *begin = best;
    for (i = best + len; i < s.len && is_space(s.ptr[i]); i++)
        ;
    if (i >= s.len)
        return 0;
    if (s.ptr[i] != '{') {
        for (from = i; i < s.len && s.ptr[i] != '$' && !is_space(s.ptr[i]); i++)
            ;
        *out = part(s, from, i);
        *end = i;
        return out->len > 0;
    }
    for (from = i + 1; i < s.len; i++) {
        if (s.ptr[i] == '\\') { /* \{ is no brace */
            i++;
            continue;
        }
        depth += s.ptr[i] == '{' ? 1 : s.ptr[i] == '}' ? -1 : 0;
        if (depth == 0) {
            *out = part(s, from, i);
            *end = i + 1;
            return 1;
        }
    }
    return 0; /* never closed */
}

static hone_str line_at(hone_str s, size_t from)
{
    size_t end = from;
    while (end < s.len && s.ptr[end] != '\n')
        end++;
    return trim(part(s, from, end));
}

static int find_hash(hone_str s, hone_str *out)
{
    size_t at = find_last(s, hone_str_c("####"));
    if (at == SIZE_MAX)
        return 0;
    *out = line_at(s, at + 4);
    return out->len > 0;
}

/* Case-blind last occurrence. */
static size_t find_last_phrase(hone_str s, const char *z)
{
    size_t n = strlen(z);
    for (size_t i = s.len >= n ? s.len - n + 1 : 0; i-- > 0;) {
        size_t k = 0;
        while (k < n && lower(s.ptr[i + k]) == z[k])
            k++;
        if (k == n)
            return i + n;
    }
    return SIZE_MAX;
}

/* Mathematics, and not a sentence between two prices: no word of four letters but LaTeX's and its texts'. */
static int looks_like_formula(hone_str s)
{
    size_t run = 0, word = 0;
    s = trim(s);
    while (word < s.len && is_letter(s.ptr[word]))
        word++;
    if (word == s.len)
        return word > 0; /* $Even$ */
    if (s.len == 0 || strchr("=+-*/<>", s.ptr[s.len - 1]) || strchr("=+*/<>", s.ptr[0]))
        return 0; /* "$204 + $160" has a plus between its dollars */
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            while (i + 1 < s.len && s.ptr[i + 1] == '\\')
                i++;
            size_t name = i + 1, k = name;
            while (k < s.len && is_letter(s.ptr[k]))
                k++;
            hone_str command = part(s, name, k);
            if (k < s.len && s.ptr[k] == '{' &&
                (starts_with(command, "text") || same(command, "mbox") || same(command, "begin") ||
                 same(command, "end") || same(command, "operatorname") ||
                 starts_with(command, "math")))
                while (k < s.len && s.ptr[k] != '}')
                    k++;
            i = k > name ? k - 1 : i + 1;
            run = 0;
            continue;
        }
        run = is_letter(s.ptr[i]) ? run + 1 : 0;
        if (run == 4)
            return 0;
    }
    return 1;
}

/* The last formula between $ $, $$ $$, \( \) or \[ \]. */
static int find_formula(hone_str s, hone_str *out)
{
    size_t end = SIZE_MAX, from = SIZE_MAX;
    size_t round = find_last(s, hone_str_c("\\)")), square = find_last(s, hone_str_c("\\]")),
           dollar = find_last(s, hone_str_c("$"));
    if (round != SIZE_MAX && (square == SIZE_MAX || round > square))
        square = SIZE_MAX;
    else
        round = SIZE_MAX;
    if (round != SIZE_MAX || square != SIZE_MAX) {
        end = round != SIZE_MAX ? round : square;
        from = find_last(part(s, 0, end), hone_str_c(round != SIZE_MAX ? "\\(" : "\\["));
        from = from == SIZE_MAX ? from : from + 2;
    }
    if (dollar != SIZE_MAX && (end == SIZE_MAX || dollar > end)) {
        size_t stop = dollar;
        if (stop > 0 && s.ptr[stop - 1] == '$')
            stop--;
        size_t start = find_last(part(s, 0, stop), hone_str_c("$"));
        int price = dollar + 1 < s.len && is_digit(s.ptr[dollar + 1]);
        /* dollars may be money: alone, before a number, around a sentence */
        if (start != SIZE_MAX && !price && looks_like_formula(part(s, start + 1, stop))) {
            end = stop;
            from = start + 1;
        }
    }
    if (end == SIZE_MAX || from == SIZE_MAX || from >= end)
        return 0;
    *out = trim(part(s, from, end));
    return out->len > 0;
}

/* "$12$ and $13$": the last formula with those that "and" or commas join to it. */
int math_find_joined(hone_str s, hone_str *out)
{
    hone_str first;
    if (!find_formula(s, out))
        return 0;
    const char *end = out->ptr + out->len;
    first = *out;
    for (int k = 0; k < MOST_JOINED; k++) {
        hone_str before = trim(part(s, 0, (size_t)(first.ptr - s.ptr)));
        if (before.len && before.ptr[before.len - 1] == '$')
            before.len--;
        else if (before.len > 1 && before.ptr[before.len - 2] == '\\')
            before.len -= 2;
        before = trim(before);
        const size_t all = before.len;
        if (before.len > 3 && memcmp(before.ptr + before.len - 4, " and", 4) == 0)
            before = trim(part(before, 0, before.len - 4));
        else if (before.len > 2 && memcmp(before.ptr + before.len - 3, " or", 3) == 0)
            before = trim(part(before, 0, before.len - 3));
        while (before.len && before.ptr[before.len - 1] == ',')
            before = trim(part(before, 0, before.len - 1));
        hone_str more;
        if (before.len == all || !before.len || !strchr("$)", before.ptr[before.len - 1]) ||
            !find_formula(before, &more) ||
            (size_t)(before.ptr + before.len - (more.ptr + more.len)) > 3)
            break;
        first = more;
    }
    out->ptr = first.ptr;
    out->len = (size_t)(end - first.ptr);
    return 1;
}

/* A last sentence that concludes ("Therefore there are 12 of them") behind the last formula: its last number. */
static int find_conclusion(hone_str s, hone_str *out)
{
    static const char *const words[] = {"therefore", "thus", "hence", "so"};
    static const char *const ends[] = {"\\)", "\\]", "$"};
    size_t from = 0, at = SIZE_MAX, stop;
    for (size_t k = 0; k < 3; k++) {
        const size_t p = find_last(s, hone_str_c(ends[k]));
        from = p != SIZE_MAX && p + strlen(ends[k]) > from ? p + strlen(ends[k]) : from;
    }
    if (from == 0)
        return 0;
    const hone_str rest = part(s, from, s.len);
    for (size_t k = 0; k < 4; k++) {
        const size_t p = find_last_phrase(rest, words[k]), n = strlen(words[k]);
        if (p != SIZE_MAX && p > n && is_space(rest.ptr[p - n - 1]) && p < rest.len &&
            !is_letter(rest.ptr[p]) && rest.ptr[p - n] != 's' && (at == SIZE_MAX || p > at))
            at = p;
    }
    if (at == SIZE_MAX)
        return 0;
    for (stop = at; stop < rest.len && rest.ptr[stop] != '\n'; stop++)
        if (rest.ptr[stop] == '.' && (stop + 1 == rest.len || is_space(rest.ptr[stop + 1])))
            break;
    return math_find_last_number(part(rest, at, stop), out);
}

static int find_phrase(hone_str s, hone_str *out)
{
    static const char *const phrases[] = {"answer is", "answer:",         "answer =",  "answer**:",
                                          "answer:**", "answer would be", "option is", "choice is"};
    size_t at = SIZE_MAX, i;
    for (size_t k = 0; k < sizeof phrases / sizeof *phrases; k++) {
        size_t p = find_last_phrase(s, phrases[k]);
        if (p != SIZE_MAX && (at == SIZE_MAX || p > at))
            at = p;
    }
    if (at == SIZE_MAX)
        return 0;
    while (at < s.len && (is_space(s.ptr[at]) || s.ptr[at] == '*' || s.ptr[at] == ':'))
        at++; /* the answer may stand on the next line */
    hone_str line = line_at(s, at), formula;
    while (line.len && (line.ptr[0] == ':' || line.ptr[0] == '*'))
        line = trim(part(line, 1, line.len));
    if (math_find_joined(line, &formula)) {
        *out = formula;
        return 1;
    }
    while (line.len && line.ptr[line.len - 1] == '*')
        line.len--;
    for (i = 0; i + 1 < line.len; i++) /* up to the end of the sentence */
        if (line.ptr[i] == '.' && is_space(line.ptr[i + 1]))
            break;
    *out = trim(i + 1 < line.len ? part(line, 0, i) : line);
    return out->len > 0;
}

/* "The final answer is ..." with a number or formula, behind the last box: said later, it counts. */
static int find_final_phrase(hone_str s, hone_str *out)
{
    size_t at = find_last_phrase(s, "final answer is"), box = find_last(s, hone_str_c("\\boxed"));
    if (at == SIZE_MAX || box == SIZE_MAX || box > at || !find_phrase(part(s, at - 15, s.len), out))
        return 0;
    for (size_t i = 0; i < out->len; i++)
        if (is_digit(out->ptr[i]) || out->ptr[i] == '\\')
            return 1;
    return 0;
}

/* A short line of mathematics and nothing else: no word but those of LaTeX. */
static int is_formula(hone_str s, hone_str *out)
{
    size_t run = 0;
    s = trim(s);
    for (size_t i = 0; i < s.len; i++) {
        run = is_letter(s.ptr[i]) ? run + 1 : 0;
        if (s.ptr[i] == '\n' || (run == 2 && (i < 2 || s.ptr[i - 2] != '\\')))
            return 0;
        if (run >= 2)
            for (; i + 1 < s.len && is_letter(s.ptr[i + 1]); i++)
                ;
    }
    *out = s;
    return s.len > 0 && s.len <= 100;
}

/* Ends the text in a \( \) that spans lines? Inline formulas do not: nothing in there is an answer. */
static int ends_in_broken_formula(hone_str s)
{
    size_t end = find_last(s, hone_str_c("\\)")), from;
    if (end == SIZE_MAX || trim(part(s, end + 2, s.len)).len > 1)
        return 0;
    from = find_last(part(s, 0, end), hone_str_c("\\("));
    return from != SIZE_MAX && memchr(s.ptr + from, '\n', end - from) != NULL;
}

/* The last run of digits as a number: sign, separators, decimals, a fraction behind it, percent. */
static int last_number(hone_str s, hone_str *out, size_t *before)
{
    size_t end = s.len, from;
    *before = 0;
    while (end > 0 && !is_digit(s.ptr[end - 1]))
        end--;
    if (end == 0)
        return 0;
    from = end;
    while (from > 0) {
        char c = s.ptr[from - 1];
        int digit_before = from > 1 && is_digit(s.ptr[from - 2]);
        if (is_digit(c) || (c == '.' && (digit_before || from < end)) ||
            ((c == ',' || c == '/' || c == ':') && digit_before && is_digit(s.ptr[from])))
            from--;
        else
            break;
    }
    while (from > 1 && end - from >= 3 && s.ptr[from - 1] == ' ' && is_digit(s.ptr[from - 2]) &&
           (end - from == 3 || s.ptr[from + 3] == ' ' || s.ptr[from + 3] == '.' ||
            s.ptr[from + 3] == ',')) {
        size_t group = from - 1; /* 1 000: one to three digits, nothing of a number before */
        while (group > 0 && is_digit(s.ptr[group - 1]))
            group--;
        if (from - 1 - group > 3 || (group > 0 && strchr(".,/", s.ptr[group - 1])))
            break;
        from = group;
        if (end - from > 40)
            break;
    }
    if (from > 0 && s.ptr[from - 1] == '-' &&
        (from == 1 ||
         !(is_digit(s.ptr[from - 2]) || is_letter(s.ptr[from - 2]) || s.ptr[from - 2] == ')')))
        from--;
    else if (from > 2 && s.ptr[from - 1] == ' ' && s.ptr[from - 2] == '-') { /* x = - 7 */
        const hone_str left = trim(part(s, 0, from - 2));
        if (left.len && left.ptr[left.len - 1] == '=')
            from -= 2;
    }
    *before = from;
    if (from > 0 && is_letter(s.ptr[from - 1])) /* inside a word: AZYUK2A */
        return 0;
    if (end < s.len && s.ptr[end] == '%')
        end++;
    *out = part(s, from, end);
    return 1;
}

int math_find_last_number(hone_str s, hone_str *out)
{
    size_t before;
    while (!last_number(s, out, &before)) {
        if (!before)
            return 0;
        s = part(s, 0, before);
    }
    return 1;
}

/* ---- mathematics in plain text ------------------------------------------------------------------------ */

/* Could this word stand in a formula? 2: surely (a digit, a sign, a command), 1: a single letter. */
static int mathematical(hone_str w)
{
    static const char *const functions[] = {"sin", "cos",  "tan", "log", "ln",
                                            "exp", "sqrt", "pi",  NULL};
    size_t run = 0;
    int sure = 0;
    while (w.len && strchr(".,;:!?", w.ptr[w.len - 1]))
        w.len--;
    for (size_t i = 0; i < w.len; i++) {
        const char c = w.ptr[i];
        if (c == '\\') { /* a command, with its letters */
            while (i + 1 < w.len && is_letter(w.ptr[i + 1]))
                i++;
            run = 0;
            sure = 1;
            continue;
        }
        run = is_letter(c) ? run + 1 : 0;
        if (run > 1) {
            size_t from = i + 1 - run, end = i + 1;
            int known = 0;
            while (end < w.len && is_letter(w.ptr[end]))
                end++;
            for (const char *const *f = functions; *f; f++)
                known |= same(part(w, from, end), *f);
            if (!known)
                return 0;
            i = end - 1;
            run = 0;
            sure = 1;
        }
        sure |= is_digit(c) || strchr("=<>+-*/^|()[]{}", c) != NULL || (unsigned char)c >= 0x80;
    }
    return w.len == 0 ? 0 : sure ? 2 : 1;
}

/* The last number, or the word around it where that is more: 36π, \frac{1}{2}, 2^{10}. */
static int find_last_value(hone_str s, hone_str *out)
{
    size_t from, to;
    int more = 0;
    if (!math_find_last_number(s, out))
        return 0;
    from = (size_t)(out->ptr - s.ptr);
    to = from + out->len;
    while (from > 0 && !is_space(s.ptr[from - 1]))
        from--;
    if (from > 5 &&
        starts_with(part(s, from - 4, from), "≈")) { /* 2√3 ≈ 3.46: the exact value before it */
        for (from -= 4; from > 0 && is_space(s.ptr[from - 1]); from--)
            ;
        while (from > 0 && !is_space(s.ptr[from - 1]))
            from--;
        more = 1;
    }
    while (to < s.len && !is_space(s.ptr[to]))
        to++;
    while (to > from && strchr(".,;:!?", s.ptr[to - 1]))
        to--;
    for (size_t i = from; i < to; i++)
        more |= s.ptr[i] == '\\' || s.ptr[i] == '^' || starts_with(part(s, i, to), "π") ||
                starts_with(part(s, i, to), "√") || starts_with(part(s, i, to), "−") ||
                starts_with(part(s, i, to), "sqrt(") || starts_with(part(s, i, to), "pi/") ||
                (i > from && i + 1 < to && (s.ptr[i] == 'e' || s.ptr[i] == 'E') &&
                 is_digit(s.ptr[i - 1]) && (is_digit(s.ptr[i + 1]) || s.ptr[i + 1] == '-'));
    if (more && to - from < 100 && mathematical(part(s, from, to)) == 2)
        *out = part(s, from, to);
    return 1;
}

int math_find(hone_str s, uint32_t extract, hone_str *out)
{
    switch (extract) {
    case EXTRACT_BOXED:
        return find_boxed(s, out);
    case EXTRACT_HASH:
        return find_hash(s, out);
    case EXTRACT_PHRASE:
        return find_phrase(s, out);
    case EXTRACT_LAST_NUMBER:
        return math_find_last_number(s, out);
    case EXTRACT_WHOLE:
        *out = trim(s);
        return out->len > 0;
    default:
        if (find_final_phrase(s, out) || find_boxed(s, out) || find_hash(s, out) ||
            find_phrase(s, out))
            return 1;
        if (ends_in_broken_formula(s))
            return 0;
        return find_conclusion(s, out) || find_formula(s, out) || is_formula(s, out) ||
               find_last_value(s, out);
    }
}

hone_str math_find_reference(hone_str s)
{
    hone_str out;
    if (find_hash(s, &out) || find_boxed(s, &out))
        return out;
    s = trim(s);
    if (s.len > 120 && find_formula(s, &out)) /* a solution, and not an answer */
        return out;
    return s;
}

/* The last run of mathematical words of a text without any marks, "a = 1 and b = 2", "y = 2x + 1". */
int math_find_plain(hone_str s, hone_str *out)
{
    size_t begin = SIZE_MAX, end = 0, at = s.len;
    while (at > 0) {
        size_t stop = at, from;
        while (stop > 0 && is_space(s.ptr[stop - 1]))
            stop--;
        for (from = stop; from > 0 && !is_space(s.ptr[from - 1]); from--)
            ;
        if (stop == from)
            break;
        const hone_str w = part(s, from, stop);
        const int broken = memchr(s.ptr + stop, '\n', at - stop) !=
                           NULL; /* a line ends behind it */
        const int ended = stop > from && s.ptr[stop - 1] == '.';
        at = from;
        if (begin == SIZE_MAX) { /* the run's last word must be sure, or be "x" of "2 x" */
            if (mathematical(w) == 2 && !(w.len == 1 && !is_digit(w.ptr[0]))) {
                begin = from;
                end = stop;
            }
            continue;
        }
        if (broken || ended)
            break;
        if (same(w, "and") || same(w, "or"))
            continue;
        if (!mathematical(w) ||
            (w.len == 1 && is_letter(w.ptr[0]) && (w.ptr[0] == 'a' || w.ptr[0] == 'I') &&
             !(begin < s.len && strchr("=<>", s.ptr[begin]))))
            break;
        begin = from;
    }
    if (begin == SIZE_MAX)
        return 0;
    *out = part(s, begin, end);
    return out->len > 0;
}
