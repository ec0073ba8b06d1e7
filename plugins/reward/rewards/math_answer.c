/* math_answer.c - 1 when the completion's final answer is, as mathematics, the reference.
 *
 * The final answer is looked for in this order, and the first place that is there decides: the last
 * \boxed{}; what follows the last "####"; what follows the last "answer is" or "answer:"; the last
 * formula between dollars; all of it, when it is nothing but a formula; the last number. `extract` asks for one of these places only. A number as
 * reference may be met by the number in a phrase ("18 dollars a day").
 *
 * The reference column is read likewise: after "####" (GSM8K), in its \boxed{} (MATH solutions), or
 * whole. How two answers are compared: math_value.c. */
#include "math_value.h"

typedef struct math_answer {
    reward base;
    hone_str column;
    uint32_t on_missing, extract;
    double tolerance;
} math_answer;

enum {
    EXTRACT_AUTO,
    EXTRACT_BOXED,
    EXTRACT_HASH,
    EXTRACT_PHRASE,
    EXTRACT_LAST_NUMBER,
    EXTRACT_WHOLE
};
enum { F_REFERENCE, F_ON_MISSING, F_EXTRACT, F_TOLERANCE };
static const hone_field *const fields[] = {
    FIELD_REFERENCE, FIELD_ON_MISSING,
    HONE_ENUM("extract", "auto", "auto|boxed|hash|phrase|last_number|whole", 0,
              "where the final answer is: the first of these that is there, or one of them only"),
    HONE_F64("tolerance", 1e-6, 0, 1, 0,
             "relative error allowed where a number has a decimal point"),
    NULL};

/* ---- places --------------------------------------------------------------------------------------- */

/* Do two boxes with this between them make one answer: nothing but commas, "and", dollars, spaces? (What
 * stands around "or" is the same answer twice.) */
static int joins(hone_str s)
{
    int any = 0;
    for (size_t i = 0; i < s.len;) {
        hone_str rest = part(s, i, s.len);
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
    while (find_one_box(part(s, 0, first), &inner, &begin, &stop) && joins(part(s, stop, first))) {
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

static int find_phrase(hone_str s, hone_str *out)
{
    static const char *const phrases[] = {"answer is",
                                          "answer:", "answer =", "answer**:", "answer:**"};
    size_t at = SIZE_MAX, i;
    for (size_t k = 0; k < sizeof phrases / sizeof *phrases; k++) {
        size_t p = find_last_phrase(s, phrases[k]);
        if (p != SIZE_MAX && (at == SIZE_MAX || p > at))
            at = p;
    }
    if (at == SIZE_MAX)
        return 0;
    hone_str line = line_at(s, at), formula;
    while (line.len && (line.ptr[0] == ':' || line.ptr[0] == '*'))
        line = trim(part(line, 1, line.len));
    if (find_formula(line, &formula)) {
        *out = formula;
        return 1;
    }
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

/* The last number: sign, separators, decimals, a fraction behind it, percent. */
static int find_last_number(hone_str s, hone_str *out)
{
    size_t end = s.len, from;
    while (end > 0 && !is_digit(s.ptr[end - 1]))
        end--;
    if (end == 0)
        return 0;
    from = end;
    while (from > 0) {
        char c = s.ptr[from - 1];
        int digit_before = from > 1 && is_digit(s.ptr[from - 2]);
        if (is_digit(c) || (c == '.' && (digit_before || from < end)) ||
            ((c == ',' || c == '/') && digit_before && is_digit(s.ptr[from])))
            from--;
        else
            break;
    }
    if (from > 0 && s.ptr[from - 1] == '-' &&
        (from == 1 ||
         !(is_digit(s.ptr[from - 2]) || is_letter(s.ptr[from - 2]) || s.ptr[from - 2] == ')')))
        from--;
    if (from > 0 && is_letter(s.ptr[from - 1])) /* inside a word: AZYUK2A */
        return find_last_number(part(s, 0, from), out);
    if (end < s.len && is_letter(s.ptr[end]) && end - from < 2 && from > 0 &&
        is_letter(s.ptr[from - 1]))
        return 0;
    if (end < s.len && s.ptr[end] == '%')
        end++;
    *out = part(s, from, end);
    return 1;
}

static int find_answer(hone_str s, uint32_t extract, hone_str *out)
{
    switch (extract) {
    case EXTRACT_BOXED:
        return find_boxed(s, out);
    case EXTRACT_HASH:
        return find_hash(s, out);
    case EXTRACT_PHRASE:
        return find_phrase(s, out);
    case EXTRACT_LAST_NUMBER:
        return find_last_number(s, out);
    case EXTRACT_WHOLE:
        *out = trim(s);
        return out->len > 0;
    default:
        if (find_final_phrase(s, out) || find_boxed(s, out) || find_hash(s, out) ||
            find_phrase(s, out))
            return 1;
        if (ends_in_broken_formula(s))
            return 0;
        return find_formula(s, out) || is_formula(s, out) || find_last_number(s, out);
    }
}

static hone_str read_reference(hone_str s)
{
    hone_str out;
    if (find_hash(s, &out) || find_boxed(s, &out))
        return out;
    s = trim(s);
    if (s.len > 120 && find_formula(s, &out)) /* a solution, and not an answer */
        return out;
    return s;
}

/* ---- scoring -------------------------------------------------------------------------------------- */

static int same_bytes(hone_str a, hone_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Words around a number, and no mathematics besides? */
static int is_phrase(hone_str s)
{
    size_t run = 0, longest = 0;
    for (size_t i = 0; i < s.len; i++) {
        run = is_letter(s.ptr[i]) ? run + 1 : 0;
        longest = run > longest ? run : longest;
        if (memchr("\\^_=(){}+*/<>|", s.ptr[i], 15))
            return 0;
    }
    return longest >= 3;
}

/* One reference: 1, 0. m[0] is the answer's room, m[1] the reference's. */
static int agrees(const math_answer *r, math *answer, math *reference, hone_str given,
                  hone_str want)
{
    hone_str number;
    int readable = math_read(reference, want), read;
    if (same_bytes(trim(given), want))
        return 1;
    read = math_read(answer, given);
    if (readable && read && math_equal(reference, answer, r->tolerance))
        return 1;
    /* "18 dollars a day": a reference that is a number, an answer that is a phrase with one */
    if (!readable || !math_is_number(reference) || (read && math_is_number(answer)))
        return 0;
    return is_phrase(given) && find_last_number(given, &number) && math_read(answer, number) &&
           math_equal(reference, answer, r->tolerance);
}

static void math_score(const scoring *s, verdict *v)
{
    const math_answer *r = (const math_answer *)s->self;
    const hone_value *reference = reference_of(s, r->column, r->on_missing, v);
    hone_str given;
    size_t n;
    char *room;
    int yes = 0;
    if (!reference)
        return;
    if (!find_answer(s->sample->completion, r->extract, &given)) {
        score_is(v, 0);
        return;
    }
    note_text(s, "answer", given);
    room = memory_get(&r->base, 2 * math_size());
    if (!room) {
        error_is(v, "out of memory");
        return;
    }
    n = reference->type == HONE_LIST ? reference->u.list.n : 1;
    for (size_t i = 0; i < n && !yes; i++) {
        cell_text buf;
        hone_str want = cell_as_text(
            reference->type == HONE_LIST ? &reference->u.list.items[i] : reference, &buf);
        if (!want.ptr) {
            memory_put(&r->base, room, 2 * math_size());
            error_is(v, "the reference is neither text nor a number");
            return;
        }
        yes = agrees(r, (math *)(void *)room, (math *)(void *)(room + math_size()), given,
                     read_reference(want));
    }
    memory_put(&r->base, room, 2 * math_size());
    score_is(v, yes);
}

void math_answer_judge(const scoring *s, hone_str column, uint32_t on_missing, verdict *v)
{
    const math_answer r = {*s->self, column, on_missing, EXTRACT_AUTO, 1e-6};
    scoring inner = *s;
    inner.self = &r.base;
    math_score(&inner, v);
}

static hone_status math_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    math_answer *r;
    hone_status s = reward_create(host, sizeof *r, math_score, &base);
    if (s < 0)
        return s;
    r = (math_answer *)base;
    r->column = cfg->str(cfg, F_REFERENCE);
    r->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    r->extract = (uint32_t)cfg->i64(cfg, F_EXTRACT);
    r->tolerance = cfg->f64(cfg, F_TOLERANCE);
    *self_out = r;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component math_answer_component = {
    REWARD_HEAD("math_answer", "1 when the final answer is the reference, as mathematics"),
    .fields = fields, .needs = reward_needs, .wants = wants, .create = math_create};
