/* bleu.c - BLEU of one completion, equal to sacreBLEU's sentence score divided by 100.
 *
 *   BLEU = bp x exp(mean over n = 1..order of log p_n),  p_n = clipped n-grams shared / n-grams of the answer,
 *   bp = 1, or exp(1 - r / c) where the answer (c words) is shorter than the reference nearest in length (r)
 * (Papineni et al. 2002). An n-gram counts no oftener than in the reference that has it oftenest. Precisions of 0, which one
 * sentence often has, are smoothed (Chen & Cherry 2014): exp halves from one to the next, floor puts smooth_value in the
 * numerator, add-k adds smooth_value to both from n = 2 on. Orders longer than the answer end the mean where effective_order is
 * set. An answer that shares no n-gram at all scores 0. Tokenised by 13a unless said otherwise (Post 2018). Corpus BLEU is
 * the same over summed counts: bleu_add and bleu_score do that. */
#include "bleu.h"

#include <math.h>

typedef struct bleu {
    reward base;
    uint32_t tokenize, smooth, on_missing;
    size_t order;
    int lowercase, effective;
    double k, scale;
    hone_str column;
} bleu;

enum {
    F_REFERENCE,
    F_ON_MISSING,
    F_TOKENIZE,
    F_SMOOTH,
    F_VALUE,
    F_ORDER,
    F_LOWER,
    F_EFFECTIVE,
    F_SCALE
};
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_ENUM("tokenize", "13a", "13a|intl|char|none", 0, "sacreBLEU's tokenisation of this name"),
    HONE_ENUM("smooth", "exp", "exp|floor|add-k|none", 0, "what a precision of 0 becomes"),
    HONE_F64("smooth_value", -1, -1, 1e6, 0, "of floor (-1: 0.1) and add-k (-1: 1)"),
    HONE_INT("max_order", 4, 1, BLEU_MOST, 0, "longest n-gram"),
    HONE_FLAG("lowercase", 0, 0, "compare in lower case"),
    HONE_FLAG("effective_order", 1, 0, "leave out n-grams that are longer than the answer"),
    HONE_F64("scale", 1, 0, 100, 0,
             "what the score is multiplied with; 100 gives sacreBLEU's numbers"),
    NULL};

double bleu_score(const bleu_counts *c, uint32_t smooth, double k, int effective)
{
    double precision[BLEU_MOST] = {0}, sum = 0, halves = 1;
    size_t used = c->order, any = 0;
    for (size_t n = 0; n < c->order; n++)
        any += c->shared[n] != 0;
    if (!any || c->length == 0)
        return 0;
    k = k >= 0 ? k : smooth == BLEU_FLOOR ? 0.1 : 1;
    for (size_t n = 0; n < c->order; n++) {
        const double add = smooth == BLEU_ADD_K && n > 0 ? k : 0;
        const double shared = (double)c->shared[n] + add, all = (double)c->total[n] + add;
        if (all == 0)
            break;
        if (effective)
            used = n + 1;
        if (shared > 0)
            precision[n] = shared / all;
        else if (smooth == BLEU_EXP)
            precision[n] = 1 / ((halves *= 2) * all);
        else if (smooth == BLEU_FLOOR)
            precision[n] = k / all;
    }
    for (size_t n = 0; n < used; n++) {
        if (precision[n] <= 0)
            return 0;
        sum += log(precision[n]);
    }
    return exp(sum / (double)used) *
           (c->length < c->reference ? exp(1 - (double)c->reference / (double)c->length) : 1);
}

/* For each distinct n-gram of the answer, the most that a reference has of it: found by going through the rows together. */
static size_t clipped(const uint64_t *mine, size_t n, const uint64_t *const *refs,
                      const size_t *sizes, size_t n_refs, size_t *at)
{
    size_t shared = 0;
    memset(at, 0, n_refs * sizeof *at);
    for (size_t i = 0; i < n;) {
        size_t have = 1, most = 0;
        while (i + have < n && mine[i + have] == mine[i])
            have++;
        for (size_t r = 0; r < n_refs; r++) {
            size_t k = 0;
            while (at[r] < sizes[r] && refs[r][at[r]] < mine[i])
                at[r]++;
            while (at[r] + k < sizes[r] && refs[r][at[r] + k] == mine[i])
                k++;
            most = k > most ? k : most;
        }
        shared += have < most ? have : most;
        i += have;
    }
    return shared;
}

typedef struct row { /* words of one text, and room for its n-grams */
    uint64_t *words, *grams;
    size_t n, size;
} row;

static int read_row(const reward *mem, hone_str s, uint32_t tokenize, int lowercase, row *out)
{
    const size_t room = TOKENIZED_SIZE(s.len);
    char *text = memory_get(mem, 2 * room);
    size_t n;
    if (!text)
        return 0;
    n = text_tokenize(s, tokenize, lowercase, text, text + room);
    out->size = 2 * (n / 2 + 1) * sizeof *out->words;
    out->words = memory_get(mem, out->size);
    if (out->words) {
        out->grams = out->words + n / 2 + 1;
        out->n = text_split((hone_str){text, n}, out->words);
    }
    memory_put(mem, text, 2 * room);
    return out->words != NULL;
}

int bleu_add(const reward *mem, hone_str answer, const hone_str *refs, size_t n_refs,
             uint32_t tokenize, int lowercase, bleu_counts *c)
{
    row a = {0}, r[BLEU_REFERENCES] = {{0}};
    const uint64_t *grams[BLEU_REFERENCES];
    size_t sizes[BLEU_REFERENCES], at[BLEU_REFERENCES], nearest = 0;
    int ok = n_refs <= BLEU_REFERENCES && read_row(mem, answer, tokenize, lowercase, &a);
    for (size_t i = 0; ok && i < n_refs; i++)
        ok = read_row(mem, refs[i], tokenize, lowercase, &r[i]);
    for (size_t n = 1; ok && n <= c->order; n++) {
        const size_t mine = grams_of(a.words, a.n, n, a.grams);
        for (size_t i = 0; i < n_refs; i++) {
            grams[i] = r[i].grams;
            sizes[i] = grams_of(r[i].words, r[i].n, n, r[i].grams);
        }
        c->total[n - 1] += mine;
        c->shared[n - 1] += clipped(a.grams, mine, grams, sizes, n_refs, at);
    }
    for (size_t i = 0; ok && i < n_refs; i++) { /* the nearest length, the shorter of two as near */
        const size_t d = r[i].n > a.n ? r[i].n - a.n : a.n - r[i].n,
                     best = nearest > a.n ? nearest - a.n : a.n - nearest;
        if (i == 0 || d < best || (d == best && r[i].n < nearest))
            nearest = r[i].n;
    }
    if (ok) {
        c->length += a.n;
        c->reference += nearest;
    }
    for (size_t i = 0; i < n_refs && i < BLEU_REFERENCES; i++)
        memory_put(mem, r[i].words, r[i].size);
    memory_put(mem, a.words, a.size);
    return ok;
}

static void score(const scoring *s, verdict *v)
{
    const bleu *b = (const bleu *)s->self;
    const hone_value *reference = reference_of(s, b->column, b->on_missing, v);
    const size_t n = reference && reference->type == HONE_LIST ? reference->u.list.n : 1;
    hone_str refs[BLEU_REFERENCES];
    cell_text room[BLEU_REFERENCES];
    bleu_counts counts = {.order = b->order};
    if (!reference)
        return;
    if (n > BLEU_REFERENCES) {
        error_is(v, "more than 16 references");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        refs[i] = cell_as_text(
            reference->type == HONE_LIST ? &reference->u.list.items[i] : reference, &room[i]);
        if (!refs[i].ptr) {
            error_is(v, "the reference is no text");
            return;
        }
    }
    if (!bleu_add(&b->base, s->sample->completion, refs, n, b->tokenize, b->lowercase, &counts))
        error_is(v, "out of memory");
    else
        score_is(v, b->scale * bleu_score(&counts, b->smooth, b->k, b->effective));
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_status s = reward_create(host, sizeof(bleu), score, &base);
    if (s < 0)
        return s;
    bleu *b = (bleu *)base;
    b->column = cfg->str(cfg, F_REFERENCE);
    b->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    b->tokenize = (uint32_t)cfg->i64(cfg, F_TOKENIZE);
    b->smooth = (uint32_t)cfg->i64(cfg, F_SMOOTH);
    b->k = cfg->f64(cfg, F_VALUE);
    b->order = (size_t)cfg->i64(cfg, F_ORDER);
    b->lowercase = (int)cfg->i64(cfg, F_LOWER);
    b->effective = (int)cfg->i64(cfg, F_EFFECTIVE);
    b->scale = cfg->f64(cfg, F_SCALE);
    *self_out = b;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component bleu_component = {REWARD_HEAD("bleu", "BLEU against references, sacreBLEU's"),
                                       .fields = fields, .needs = reward_needs, .wants = wants,
                                       .create = create};
