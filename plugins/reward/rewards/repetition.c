/* repetition.c - a penalty for saying the same again: the share of n-grams that came before.
 *
 *   score = -max_penalty * (1 - distinct / all)   over n-grams of words, or of tokens
 * A completion with fewer than n units repeats nothing. Words are runs without white space, letters of
 * ASCII folded. Source: Yeo et al. 2025 (arXiv:2502.03373), n-gram repetition penalty. */
#include "rewards.h"

typedef struct repetition {
    reward base;
    uint32_t unit;
    size_t n;
    double max_penalty;
} repetition;

enum { UNIT_WORDS, UNIT_TOKENS };
enum { F_UNIT, F_N, F_PENALTY };
static const hone_field *const fields[] = {
    HONE_ENUM("unit", "words", "words|tokens", 0, "what n-grams are made of"),
    HONE_INT("n", 3, 1, 64, 0, "units in an n-gram"),
    HONE_F64("max_penalty", 1, 0, 1e6, 0, "score of pure repetition, negated"), NULL};

/* One 64-bit value a unit (FNV-1a of a word, the id of a token). Returns how many; out may be NULL. */
static size_t units_of(const repetition *r, const hone_sample *s, uint64_t *out)
{
    size_t n = 0;
    uint64_t h = 0;
    int in_word = 0;
    if (r->unit == UNIT_TOKENS && s->tokens) {
        for (size_t i = 0; out && i < s->n_tokens; i++)
            out[i] = (uint64_t)(uint32_t)s->tokens[i];
        return s->n_tokens;
    }
    for (size_t i = 0; i <= s->completion.len; i++) {
        int space = i == s->completion.len || is_space(s->completion.ptr[i]);
        if (!space && !in_word)
            h = 14695981039346656037u;
        if (!space)
            h = (h ^ (unsigned char)lower(s->completion.ptr[i])) * 1099511628211u;
        if (space && in_word) {
            if (out)
                out[n] = h;
            n++;
        }
        in_word = !space;
    }
    return n;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void repetition_score(const scoring *s, verdict *v)
{
    const repetition *r = (const repetition *)s->self;
    size_t n = units_of(r, s->sample, NULL), grams, distinct = 0;
    uint64_t *units;
    if (n < r->n + 1) {
        score_is(v, 0);
        return;
    }
    units = memory_get(&r->base, n * sizeof *units);
    if (!units) {
        error_is(v, "out of memory");
        return;
    }
    units_of(r, s->sample, units);
    grams = n - r->n + 1;
    for (size_t i = 0; i < grams;
         i++) { /* an n-gram becomes one hash, in place: later units are still whole */
        uint64_t h = 0x9E3779B97F4A7C15u;
        for (size_t k = 0; k < r->n; k++) {
            h = (h ^ units[i + k]) * 0xBF58476D1CE4E5B9u;
            h ^= h >> 29;
        }
        units[i] = h;
    }
    qsort(units, grams, sizeof *units, by_value);
    for (size_t i = 0; i < grams; i++)
        distinct += i == 0 || units[i] != units[i - 1];
    memory_put(&r->base, units, n * sizeof *units);
    note_number(s, "repeated", 1 - (double)distinct / (double)grams);
    score_is(v, -r->max_penalty * (1 - (double)distinct / (double)grams));
}

static hone_status repetition_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    repetition *r;
    hone_status s = reward_create(host, sizeof *r, repetition_score, &base);
    if (s < 0)
        return s;
    r = (repetition *)base;
    r->unit = (uint32_t)cfg->i64(cfg, F_UNIT);
    r->n = (size_t)cfg->i64(cfg, F_N);
    r->max_penalty = cfg->f64(cfg, F_PENALTY);
    *self_out = r;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "tokens", NULL};
const hone_component repetition_component = {
    REWARD_HEAD("repetition", "a penalty for repeated n-grams"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = repetition_create};
