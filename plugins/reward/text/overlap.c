/* overlap.c - how much of a reference's wording an answer has: ROUGE-1, ROUGE-2, ROUGE-L, BLEU.
 *
 *   rouge1, rouge2   n-grams that both have, each counted as often as in the text that has it less often:
 *                    P = both / answer's, R = both / reference's, F = 2PR / (P + R)          (Lin 2004)
 *   rougeL           the same of the longest common subsequence of words
 *   bleu             brevity penalty x geometric mean of the clipped 1- to 4-gram precisions, those from 2 on with one added to
 *                    both counts, so that a short answer has one                              (Papineni 2002; Lin & Och 2004)
 * Words are runs of letters and digits (anything beyond ASCII is a letter), ASCII letters folded; nothing is stemmed. Several
 * references: the best of them (BLEU too). Words beyond the first 20,000 of a text are not looked at. It compares wording,
 * not meaning. */
#include "text.h"

#include <math.h>

typedef struct overlap {
    reward base;
    uint32_t measure, value, on_missing;
    hone_str column;
} overlap;

enum { ROUGE1, ROUGE2, ROUGEL, BLEU };
enum { VALUE_F1, VALUE_PRECISION, VALUE_RECALL };
enum { F_REFERENCE, F_ON_MISSING, F_MEASURE, F_VALUE };
enum { MOST_WORDS = 20000, ORDER = 4 };
static const hone_field *const fields[] = {
    FIELD_REFERENCE, FIELD_ON_MISSING,
    HONE_ENUM("measure", "rougeL", "rouge1|rouge2|rougeL|bleu", 0, "what is compared"),
    HONE_ENUM("value", "f1", "f1|precision|recall", 0, "of a ROUGE: which of its three numbers"),
    NULL};

static int in_word(char c)
{
    return is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80;
}

/* Words as hashes (FNV-1a); out may be NULL. At most MOST_WORDS. */
static size_t words_of(hone_str s, uint64_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n < MOST_WORDS;) {
        uint64_t h = 14695981039346656037u;
        if (!in_word(s.ptr[i])) {
            i++;
            continue;
        }
        for (; i < s.len && in_word(s.ptr[i]); i++)
            h = (h ^ (unsigned char)lower(s.ptr[i])) * 1099511628211u;
        if (out)
            out[n] = h;
        n++;
    }
    return n;
}

static double ratio(uint32_t value, size_t both, size_t n, size_t m)
{
    const double p = n ? (double)both / (double)n : 0, r = m ? (double)both / (double)m : 0;
    if (value == VALUE_PRECISION)
        return p;
    if (value == VALUE_RECALL)
        return r;
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

static double bleu(const uint64_t *a, size_t n, const uint64_t *b, size_t m, uint64_t *room)
{
    double sum = 0;
    if (!n || !m)
        return 0;
    for (size_t k = 1; k <= ORDER; k++) {
        const size_t x = grams_of(a, n, k, room), y = grams_of(b, m, k, room + n);
        const size_t both = grams_shared(room, x, room + n, y), add = k > 1;
        if (both + add == 0)
            return 0;
        sum += log((double)(both + add) / (double)(x + add));
    }
    return exp(sum / ORDER) * (n < m ? exp(1 - (double)m / (double)n) : 1);
}

/* Or NO_MEMORY. */
static double compare(const overlap *o, hone_str answer, hone_str reference)
{
    const size_t n = words_of(answer, NULL), m = words_of(reference, NULL);
    const size_t size = (2 * (n + m) + 2) * sizeof(uint64_t);
    uint64_t *room = memory_get(&o->base, size), *a = room, *b = room + n, *more = room + n + m;
    double out;
    if (!room)
        return NO_MEMORY;
    words_of(answer, a);
    words_of(reference, b);
    if (o->measure == BLEU)
        out = bleu(a, n, b, m, more);
    else if (o->measure == ROUGEL)
        out = ratio(o->value, words_common(a, n, b, m, (uint32_t *)(void *)more), n, m);
    else {
        const size_t k = o->measure == ROUGE2 ? 2 : 1;
        const size_t x = grams_of(a, n, k, more), y = grams_of(b, m, k, more + n);
        out = ratio(o->value, grams_shared(more, x, more + n, y), x, y);
    }
    memory_put(&o->base, room, size);
    return out;
}

static double compare_with(const reward *self, hone_str answer, hone_str reference)
{
    return compare((const overlap *)self, answer, reference);
}

static void overlap_score(const scoring *s, verdict *v)
{
    const overlap *o = (const overlap *)s->self;
    best_reference(s, o->column, o->on_missing, compare_with, v);
}

static hone_status overlap_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_status s = reward_create(host, sizeof(overlap), overlap_score, &base);
    if (s < 0)
        return s;
    overlap *o = (overlap *)base;
    o->column = cfg->str(cfg, F_REFERENCE);
    o->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    o->measure = (uint32_t)cfg->i64(cfg, F_MEASURE);
    o->value = (uint32_t)cfg->i64(cfg, F_VALUE);
    *self_out = o;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component overlap_component = {
    REWARD_HEAD("overlap", "wording shared with a reference: ROUGE, BLEU"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = overlap_create};
