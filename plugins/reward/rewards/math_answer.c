/* math_answer.c - 1 when the completion's final answer is, as mathematics, the reference.
 *
 * Where the final answer is looked for: math_find.h; `extract` asks for one of these places only. A reference that is no
 * number may also be met by the formulas that "and" or "or" join, by the last run of mathematical words of plain text, and by
 * a short completion as a whole ("No solution."); one that is a number by the number in a phrase ("18 dollars a day"). A choice
 * with its text, "(C) 12", is either of both.
 *
 * The reference column is read likewise: after "####" (GSM8K), in its \boxed{} (MATH solutions), or
 * whole. How two answers are compared: math_value.c. */
#include "math_find.h"
#include "math_value.h"
#include "math_words.h"

typedef struct math_answer {
    reward base;
    hone_str column;
    uint32_t on_missing, extract;
    double tolerance;
} math_answer;

enum { F_REFERENCE, F_ON_MISSING, F_EXTRACT, F_TOLERANCE };
static const hone_field *const fields[] = {
    FIELD_REFERENCE, FIELD_ON_MISSING,
    HONE_ENUM("extract", "auto", "auto|boxed|hash|phrase|last_number|whole", 0,
              "where the final answer is: the first of these that is there, or one of them only"),
    HONE_F64("tolerance", 1e-6, 0, 1, 0,
             "relative error allowed where a number has a decimal point"),
    NULL};

/* ---- scoring -------------------------------------------------------------------------------------- */

static int same_bytes(hone_str a, hone_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static hone_str without_dollars(hone_str s)
{
    s = trim(s);
    while (s.len > 1 && s.ptr[0] == '$' && s.ptr[s.len - 1] == '$')
        s = trim(part(s, 1, s.len - 1));
    return s;
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

static int same_words(hone_str a, hone_str b)
{
    char x[64], y[64];
    size_t longest, other;
    const size_t n = math_plain_words(a, x, &longest), m = math_plain_words(b, y, &other);
    /* two letters may be a product, where AB is not ab */
    return n == m && longest > 2 && other > 2 && memcmp(x, y, n) == 0;
}

/* 1,22 is written for 1.22 in much of the world: digits, a comma, not three digits. The number with a point into `out`. */
static int decimal_comma(hone_str s, char out[40], hone_str *number)
{
    size_t comma = 0, i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
    const size_t from = i;
    if (s.len < 3 || s.len >= 40)
        return 0;
    for (; i < s.len; i++) {
        out[i] = s.ptr[i];
        if (s.ptr[i] == ',' && !comma && i > from) {
            comma = i;
            out[i] = '.';
        } else if (!is_digit(s.ptr[i])) {
            return 0;
        }
    }
    if (from)
        out[0] = s.ptr[0];
    number->ptr = out;
    number->len = s.len;
    return comma && s.len - comma != 4 && comma + 1 < s.len;
}

/* "(C) 12", "\\textbf{(C)}\\ 12": the letter and the rest. */
static int is_choice(hone_str s, hone_str *letter, hone_str *rest)
{
    size_t i = 0, open;
    if (s.len > 3 && s.ptr[0] >= 'A' && s.ptr[0] <= 'H' && (s.ptr[1] == ')' || s.ptr[1] == ':') &&
        s.ptr[2] == ' ') { /* B) 12 */
        *letter = part(s, 0, 1);
        *rest = trim(part(s, 2, s.len));
        return rest->len > 0;
    }
    while (i < s.len && (s.ptr[i] == '\\' || strchr("{ $", s.ptr[i]) ||
                         (i > 0 && is_letter(s.ptr[i]) && i < 12)))
        i++;
    open = i;
    if (i + 3 >= s.len || s.ptr[i] != '(' || s.ptr[i + 1] < 'A' || s.ptr[i + 1] > 'H' ||
        s.ptr[i + 2] != ')')
        return 0;
    for (i += 3; i < s.len && (strchr("}\\~: ", s.ptr[i])); i++)
        ;
    *letter = part(s, open, open + 3);
    *rest = part(s, i, s.len);
    return rest->len > 0;
}

/* One reference against one reading of the answer: 1, 0. m[0] is the answer's room, m[1] the reference's. */
static int agrees(const math_answer *r, math *answer, math *reference, hone_str given,
                  hone_str want)
{
    hone_str number;
    int readable = math_read(reference, want), read;
    char room[40];
    if (same_bytes(without_dollars(given), without_dollars(want)) || same_words(given, want))
        return 1;
    read = math_read(answer, given);
    if (readable && read && math_equal(reference, answer, r->tolerance))
        return 1;
    if (decimal_comma(want, room, &number) && read && math_read(reference, number) &&
        math_equal(reference, answer, r->tolerance))
        return 1;
    if (decimal_comma(trim(given), room, &number) && readable && math_read(reference, want) &&
        math_read(answer, number) && math_equal(reference, answer, r->tolerance))
        return 1;
    readable = math_read(reference, want); /* again: the room was used */
    read = math_read(answer, given);
    /* "18 dollars a day": a reference that is a number, an answer that is a phrase with one */
    if (!readable || !math_is_number(reference) || (read && math_is_number(answer)))
        return 0;
    return is_phrase(given) && math_find_last_number(given, &number) && math_read(answer, number) &&
           math_equal(reference, answer, r->tolerance);
}

/* The answer or, where it is a choice with its text, either part of it; the reference likewise. */
static int agrees_in_part(const math_answer *r, math *x, math *y, hone_str given, hone_str want)
{
    hone_str g[3] = {given, {NULL, 0}, {NULL, 0}}, w[3] = {want, {NULL, 0}, {NULL, 0}};
    const int split_given = is_choice(given, &g[1], &g[2]),
              split_want = is_choice(want, &w[1], &w[2]);
    if (agrees(r, x, y, given, want))
        return 1;
    if (split_given && split_want) /* both: then the letters */
        return agrees(r, x, y, g[1], w[1]);
    for (int k = 1; k < 3; k++)
        if ((split_given && agrees(r, x, y, g[k], want)) ||
            (split_want && agrees(r, x, y, given, w[k])))
            return 1;
    return 0;
}

/* With one reference: the place that was found, and where that fails the others that may be meant. */
static int right(const math_answer *r, math *x, math *y, hone_str text, const hone_str *given,
                 hone_str want)
{
    hone_str other;
    if (given && agrees_in_part(r, x, y, *given, want))
        return 1;
    if (r->extract != EXTRACT_AUTO || find(text, hone_str_c("\\boxed"), 0) != SIZE_MAX ||
        find(text, hone_str_c("####"), 0) != SIZE_MAX)
        return 0;
    const hone_str whole = trim(text);
    if (whole.len < 40 && (given ? same_words(whole, want) : agrees(r, x, y, whole, want)))
        return 1;
    if (!math_read(y, want) || math_is_single(y)) /* a number has its place already */
        return 0;
    return (math_find_joined(text, &other) && agrees(r, x, y, other, want)) ||
           (find(text, hone_str_c("$"), 0) == SIZE_MAX &&
            find(text, hone_str_c("\\("), 0) == SIZE_MAX && math_find_plain(text, &other) &&
            agrees(r, x, y, other, want));
}

static void math_score(const scoring *s, verdict *v)
{
    const math_answer *r = (const math_answer *)s->self;
    const hone_value *reference = reference_of(s, r->column, r->on_missing, v);
    const hone_str text = s->sample->completion;
    hone_str given;
    size_t n;
    char *room;
    int yes = 0;
    if (!reference)
        return;
    const int found = math_find(text, r->extract, &given);
    if (found)
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
        yes = right(r, (math *)(void *)room, (math *)(void *)(room + math_size()), text,
                    found ? &given : NULL, math_find_reference(want));
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
