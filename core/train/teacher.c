/* teacher.c - the teacher of a micro-batch, and noise on embeddings.
 *
 * A teacher is another policy, run over the same tokens in SCORE mode: its last hidden states are copied out, and
 * linear_divergence/1 makes both distributions of a row from them, so no list as long as the vocabulary is
 * kept. Or it is what somebody wrote down before: the K likeliest tokens of each place with their
 * log-probs. Noise (NEFTune, Jain et al. 2023, arXiv:2310.05914) is a function of the tree's number within the step
 * and the token's within the tree, so that it does not know of micro-batches. */
#include "train/teacher.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/region.h"
#include "train/rollout.h"

#include <math.h>
#include <string.h>

hone_status hone__teaching_missing(void)
{
    hone_fail(HONE_E_INVALID, "the objective learns from a teacher, and there is none");
    return hone_fail_hint(
        "objective = { NAME, teacher = policy }, or rows with the teacher's log-probs "
        "(policy:topk)");
}

static hone_status make_room(hone__numbers *r, int64_t rows, int64_t width)
{
    size_t n, bytes;
    if (!hone_mul_size((size_t)rows, (size_t)width, &n))
        return hone_fail(HONE_E_LIMIT, "a micro-batch of %lld tokens is too large",
                         (long long)rows);
    if (n <= r->n)
        return HONE_OK;
    if (!hone_mul_size(n, sizeof(float), &bytes))
        return hone_fail(HONE_E_LIMIT, "a micro-batch of %zu numbers is too large", n);
    float *p = hone_realloc(r->p, bytes);
    if (!p)
        return HONE_E_NOMEM;
    r->p = p;
    r->n = n;
    return HONE_OK;
}

void hone__teaching_release(hone__teaching *t)
{
    hone_free(t->hidden.p);
    hone_free(t->noise.p);
    memset(t, 0, sizeof *t);
}

hone_status hone__teaching_gather(hone__teaching *t, const hone_train_seq *const *seqs, size_t n,
                                  const size_t *seq_begin, const size_t *tok, const hone_forest *f,
                                  double temperature, hone_arena *arena)
{
    size_t k = 0, with = 0, cells;
    for (size_t i = 0; i < n; i++) {
        with += seqs[i]->teacher_ids != NULL;
        if (!seqs[i]->teacher_ids)
            continue;
        if (k && seqs[i]->teacher_k != k)
            return hone_fail(HONE_E_INVALID,
                             "the teacher has %zu tokens a place in one row and %u in another", k,
                             seqs[i]->teacher_k);
        k = seqs[i]->teacher_k;
        if (seqs[i]->teacher_temperature != temperature)
            return hone_fail(
                HONE_E_INVALID,
                "the teacher's log-probs are at temperature %g, the objective wants %g",
                seqs[i]->teacher_temperature, temperature);
    }
    if (with == 0)
        return HONE_OK;
    if (with < n)
        return hone_fail(HONE_E_INVALID, "%zu of %zu rows have a teacher's log-probs", with, n);
    if (!hone_mul_size(seq_begin[n], k, &cells))
        return hone_fail(HONE_E_LIMIT, "the teacher's log-probs are too many");
    int32_t *ids = hone_arena_calloc(arena, cells + 1, sizeof *ids);
    float *logp = hone_arena_calloc(arena, cells + 1, sizeof *logp);
    if (!ids || !logp)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = seq_begin[i]; j < seq_begin[i + 1]; j++) {
            const size_t to = (size_t)hone_forest_slot(f, (int64_t)j) * k, from = tok[j] * k;
            memcpy(ids + to, seqs[i]->teacher_ids + from, k * sizeof *ids);
            memcpy(logp + to, seqs[i]->teacher_logp + from, k * sizeof *logp);
        }
    }
    t->ids = ids;
    t->logp = logp;
    t->k = (int64_t)k;
    return HONE_OK;
}

hone_status hone__teaching_of(hone__teaching *t, const hone_update_params *u,
                              const hone_forest_part *part, const hone_objective_wants *wants,
                              hone_model_teacher *out)
{
    hone_policy *p = u->teacher_policy;
    hone_model_teacher x = {.beta = (float)wants->beta,
                            .inv_temperature = (float)(1 / wants->temperature)};
    const hone_tape_options opts = {.adapters = u->teacher_adapters};
    if (t->ids) {
        x.n = part->batch.n_targets;
        x.k = t->k;
        x.ids = t->ids + part->first_target * t->k;
        x.logp = t->logp + part->first_target * t->k;
        *out = x;
        return HONE_OK;
    }
    if (!p)
        return hone__teaching_missing();
    const int64_t width = p->model->info.hidden;
    HONE_TRY(make_room(&t->hidden, part->batch.n_tokens, width));
    HONE_TRY(hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, &part->batch, &opts));
    hone_tensor h = hone_model_hidden(p->model, p->tape);
    hone_tape_keep(p->tape, h);
    HONE_TRY(hone_tape_forward(p->tape));
    const hone_view v = hone_tape_value(p->tape, h);
    for (int64_t r = 0; r < part->batch.n_tokens; r++) {
        if (hone_region_planning())
            memset(t->hidden.p + r * width, 0, (size_t)width * sizeof(float));
        else
            memcpy(t->hidden.p + r * width, (const float *)v.data + r * v.ld,
                   (size_t)width * sizeof(float));
    }
    x.model = p->model;
    x.hidden = t->hidden.p;
    *out = x;
    return HONE_OK;
}

hone_status hone__teaching_noise(hone__teaching *t, uint64_t seed, uint64_t step, double alpha,
                                 int64_t width, const hone_batch *b, size_t tree0,
                                 const float **out)
{
    int64_t at = 0;
    HONE_TRY(make_room(&t->noise, b->n_tokens, width));
    float *noise = t->noise.p;
    for (uint32_t s0 = 0, s1; s0 < b->n_segments; s0 = s1) { /* a tree */
        int64_t n = 0, longest = 0;
        for (s1 = s0; s1 < b->n_segments && b->segments[s1].tree == b->segments[s0].tree; s1++) {
            const int64_t end = b->segments[s1].start + b->segments[s1].n_tokens;
            n += b->segments[s1].n_tokens;
            longest = end > longest ? end : longest;
        }
        const float most = (float)(alpha / sqrt((double)longest * (double)width));
        const hone_rng_key key = {.seed = seed,
                                  .purpose = HONE_RNG_NOISE,
                                  .step = step,
                                  .sample = tree0 + (uint64_t)b->segments[s0].tree};
        for (int64_t i = 0; i < n * width; i++)
            noise[at++] = most * ((float)(hone_rng_u32(&key, (uint64_t)i) >> 8) * 0x1p-23f - 1.0f);
    }
    *out = noise;
    return HONE_OK;
}

hone_status hone_rollout_logprobs(const hone_rollout *r, hone_policy *p, uint32_t adapters,
                                  double *out)
{
    hone_arena a;
    hone_train_tree *trees;
    size_t n_trees, n = 0;
    float *logp = NULL;
    hone_arena_init(&a, (size_t)4 << 30);
    for (size_t i = 0; i < r->n_samples; i++)
        n += r->samples[i].n;
    hone_status s = hone_rollout_trees(r, HONE_EQUAL_KEEP, &a, &trees, &n_trees);
    if (s >= 0) {
        logp = hone_arena_calloc(&a, n + 1, sizeof *logp);
        s = logp ? hone_policy_logprobs(p, trees, n_trees, r->temperature, adapters, 0, logp)
                 : HONE_E_NOMEM;
    }
    for (size_t k = 0; s >= 0 && k < n; k++)
        out[k] = (double)logp[k];
    hone_arena_release(&a);
    return s;
}
