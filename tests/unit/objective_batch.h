/* objective_batch.h - what the tests of objectives share: a batch of token arrays, one evaluation of a component on it, and
 * one of an advantage. */
#ifndef HONE_TESTS_OBJECTIVE_BATCH_H
#define HONE_TESTS_OBJECTIVE_BATCH_H
#include "components.h"

#include "hone/math.h"
#include "hone/objective.h"

enum { MAX_TOKENS = 64, MAX_SEQS = 16 };

/* ---- a batch and one evaluation ----------------------------------------------------------------- */

typedef struct batch {
    size_t n_seqs, n_tokens, seq_begin[MAX_SEQS + 1];
    double logp[MAX_TOKENS], old[MAX_TOKENS], ref[MAX_TOKENS], sampler[MAX_TOKENS],
        entropy[MAX_TOKENS], adv[MAX_TOKENS], mask[MAX_TOKENS], length[MAX_SEQS];
    uint32_t group[MAX_SEQS], role[MAX_SEQS];
    double value[MAX_TOKENS], teacher[MAX_TOKENS], divergence[MAX_TOKENS], collision[MAX_TOKENS],
        margin[MAX_SEQS], old_value[MAX_TOKENS], returns[MAX_TOKENS];
    double total_tokens, total_seqs, total_pairs, max_length, chosen_tokens, chosen_seqs;
} batch;

typedef struct metric_seen {
    char name[32];
    double value;
} metric_seen;
typedef struct result {
    double loss, grad[MAX_TOKENS], grad_entropy[MAX_TOKENS], grad_value[MAX_TOKENS],
        grad_divergence[MAX_TOKENS];
    metric_seen metrics[32];
    size_t n_metrics;
} result;

static inline void keep_metric(const hone_objective_out *out, const char *name, uint32_t how,
                               double value, double weight)
{
    result *r = out->ctx;
    (void)how;
    assert_true(weight > 0);
    assert_true(r->n_metrics < 32);
    snprintf(r->metrics[r->n_metrics].name, sizeof r->metrics[0].name, "%s", name);
    r->metrics[r->n_metrics++].value = value;
}

static inline double metric(const result *r, const char *name)
{
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0)
            return r->metrics[i].value;
    fail_with("no metric %s", name);
    return 0;
}

static inline hone_status evaluate(const hone_ref *ref, const batch *b, result *r)
{
    const hone_objective_v1 *vt = ref->vt;
    hone_objective_in in = {.struct_size = sizeof in, .n_tokens = b->n_tokens, .n_seqs = b->n_seqs};
    hone_objective_out out = {.struct_size = sizeof out};
    memset(r, 0, sizeof *r);
    in.seq_begin = b->seq_begin;
    in.logp = b->logp;
    in.mask = b->mask;
    in.old_logp = b->old;
    in.ref_logp = b->ref;
    in.sampler_logp = b->sampler;
    in.entropy = b->entropy;
    in.advantage = b->adv;
    in.length = b->length;
    in.group = b->group;
    in.role = b->role;
    in.total_tokens = b->total_tokens;
    in.total_seqs = b->total_seqs;
    in.total_pairs = b->total_pairs;
    in.max_length = b->max_length;
    in.value = b->value;
    in.teacher_logp = b->teacher;
    in.divergence = b->divergence;
    in.collision = b->collision;
    in.margin = b->margin;
    in.old_value = b->old_value;
    in.returns = b->returns;
    in.total_chosen_tokens = b->chosen_tokens;
    in.total_chosen_seqs = b->chosen_seqs;
    out.grad_value = r->grad_value;
    out.grad_divergence = r->grad_divergence;
    out.grad_logp = r->grad;
    out.grad_entropy = r->grad_entropy;
    out.ctx = r;
    out.metric = keep_metric;
    hone_status s = vt->loss(ref->self, &in, &out);
    r->loss = out.loss;
    return s;
}

static inline void finish_batch(batch *b)
{
    b->total_tokens = b->total_seqs = b->chosen_tokens = b->chosen_seqs = 0;
    for (size_t s = 0; s < b->n_seqs; s++) {
        double n = 0;
        for (size_t t = b->seq_begin[s]; t < b->seq_begin[s + 1]; t++)
            n += b->mask[t];
        b->length[s] = n;
        b->total_tokens += n;
        b->total_seqs += n > 0;
        b->chosen_tokens += b->role[s] == HONE_ROLE_REJECTED ? 0 : n;
        b->chosen_seqs += n > 0 && b->role[s] != HONE_ROLE_REJECTED;
    }
    b->total_pairs = (double)(b->n_seqs / 2);
}

static inline void assert_close(double got, double want, const char *what, const char *entry)
{
    double scale = want < 0 ? -want : want, d = got - want;
    if (scale < 1)
        scale = 1;
    if (!(d <= 1e-6 * scale && d >= -1e-6 * scale))
        fail_with("%s: %s is %.12g, the trainer's is %.12g", entry, what, got, want);
}

typedef struct adv_result {
    double seq[MAX_SEQS], token[MAX_TOKENS], combined[MAX_SEQS], returns[MAX_TOKENS];
    uint8_t left_out[MAX_SEQS];
    uint32_t per_token;
} adv_result;

static inline hone_status advantages(const char *id, const char *settings, hone_advantage_in *in,
                                     adv_result *r)
{
    hone_ref ref;
    hone_instance *inst = open_component(id, settings, HONE_IFACE_ADVANTAGE, &ref);
    const hone_advantage_v1 *vt = ref.vt;
    hone_advantage_out out = {.struct_size = sizeof out};
    memset(r, 0, sizeof *r);
    in->struct_size = sizeof *in;
    out.seq = r->seq;
    out.token = in->n_tokens ? r->token : NULL;
    out.combined = r->combined;
    out.left_out = r->left_out;
    out.returns = r->returns;
    hone_instance_enter(inst);
    hone_status s = hone_instance_leave(inst, "compute", vt->compute(ref.self, in, &out));
    r->per_token = out.per_token;
    hone_instance_unref(inst);
    return s;
}

#endif
