/* update.c - the step of update.h.
 *
 * Arrays over "objective tokens": the trained-on tokens of all sequences that were not left out, in order.
 * Every one is a target of the forest; slot[k] says where target k stands after the forest sorted them.
 * A separable objective is called once per micro-batch between that part's forward and backward; one that
 * needs the whole step gets log-probs from a SCORE pass first (the same bits), then each part is run again
 * for its backward with the gradients already known.
 *
 * What one rank alone may fail at (memory) ends in hone_comm_agree before the next exchange, so that no other
 * rank waits for it. */
#include "train/update.h"

#include "base/alloc.h"
#include "train/estimates.h"
#include "train/teacher.h"
#include "train/values.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/trace.h"

#include <math.h>
#include <string.h>

#define AUTO_TOKENS 512

typedef struct step {
    hone_policy *p;
    const hone_update_params *u;
    hone_forest forest;
    hone_arena arena;
    size_t n_tok, n_seq; /* objective tokens and sequences */
    size_t *seq_begin;   /* n_seq + 1 */
    size_t *tree_seq;    /* forest tree -> first objective sequence; n_trees + 1 */
    size_t n_trees;
    const hone_train_seq **seq;
    size_t *tok; /* objective token -> its place in its sequence */
    double *logp, *entropy, *old_logp, *ref_logp, *sampler_logp, *advantage, *mask, *length;
    double *teacher_logp, *divergence, *collision, *margin;
    double *shown; /* entropies that no gradient comes through, for the metrics alone; or NULL */
    double *value, *old_value,
        *returns; /* of the head of one number: now, when the sample was drawn */
    double *grad, *grad_entropy, *grad_divergence, *grad_value;
    int64_t *row;  /* objective token -> the forest's row whose value is its own */
    float *by_row; /* room for one number a row of the forest */
    float *f32;    /* room for one array as float */
    uint32_t *group, *role;
    uint8_t *truncated;
    double total_tokens, total_seqs, total_pairs, total_chosen, chosen_seqs;
    uint32_t uses;
    hone_objective_wants wants;
    hone__teaching teaching; /* what a part's teacher says */
    hone_metrics *m;
} step;

size_t hone_policy_auto_tokens(const hone_policy *p)
{
    (void)p;
    return AUTO_TOKENS;
}

static void *take(step *s, size_t n, size_t size)
{
    return hone_arena_calloc(&s->arena, n ? n : 1, size);
}

static void step_init(step *s, hone_policy *p, const hone_update_params *u, hone_metrics *m)
{
    memset(s, 0, sizeof *s);
    s->p = p;
    s->u = u;
    s->m = m;
    hone_forest_init(&s->forest);
    hone_arena_init(&s->arena, (size_t)16 << 30);
}

static void step_release(step *s)
{
    hone__teaching_release(&s->teaching);
    hone_forest_release(&s->forest);
    hone_arena_release(&s->arena);
}

static int trained_on(const hone_train_seq *q, size_t i)
{
    return !q->mask || q->mask[i];
}

/* Takes no part in the step: left out by the advantage, or cut off where the objective wants whole ones. */
static int is_out(const step *s, const hone_train_seq *q)
{
    return q->left_out || (q->truncated && (s->uses & HONE_OBJ_COMPLETED));
}

static int has_row(const hone_train_tree *t, size_t i)
{
    return t->n_prompt > 0 || i > 0;
}

static hone_status alloc_arrays(step *s, const hone_train_tree *trees, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        if (trees[t].n_prompt == 0 && trees[t].n_seqs > 1)
            return hone_fail(HONE_E_INVALID, "tree %zu: several sequences need a prompt to follow",
                             t);
        for (size_t q = 0; q < trees[t].n_seqs; q++) {
            const hone_train_seq *x = &trees[t].seqs[q];
            for (size_t i = 0; !is_out(s, x) && i < x->n; i++)
                s->n_tok += trained_on(x, i) && has_row(&trees[t], i);
            s->n_seq++;
        }
    }
    size_t k = s->n_tok;
    s->seq_begin = take(s, s->n_seq + 1, sizeof *s->seq_begin);
    s->tree_seq = take(s, n + 1, sizeof *s->tree_seq);
    s->seq = take(s, s->n_seq, sizeof *s->seq);
    s->tok = take(s, k, sizeof *s->tok);
    s->logp = take(s, k, sizeof(double));
    s->mask = take(s, k, sizeof(double));
    s->grad = take(s, k, sizeof(double));
    s->advantage = take(s, k, sizeof(double));
    s->f32 = take(s, k, sizeof(float));
    s->length = take(s, s->n_seq, sizeof(double));
    s->group = take(s, s->n_seq, sizeof(uint32_t));
    s->role = take(s, s->n_seq, sizeof(uint32_t));
    if (s->uses & HONE_OBJ_OLD)
        s->old_logp = take(s, k, sizeof(double));
    if (s->uses & HONE_OBJ_REF)
        s->ref_logp = take(s, k, sizeof(double));
    if (s->uses & HONE_OBJ_SAMPLER)
        s->sampler_logp = take(s, k, sizeof(double));
    if (s->uses & HONE_OBJ_TEACHER)
        s->teacher_logp = take(s, k, sizeof(double));
    if (s->uses & HONE_OBJ_COLLISION)
        s->collision = take(s, k, sizeof(double));
    if (s->uses & HONE_OBJ_DIVERGENCE) {
        s->divergence = take(s, k, sizeof(double));
        s->grad_divergence = take(s, k, sizeof(double));
    }
    if (s->uses & HONE_OBJ_VALUE) {
        s->value = take(s, k, sizeof(double));
        s->grad_value = take(s, k, sizeof(double));
        s->row = take(s, k, sizeof *s->row);
        if (!s->value || !s->grad_value || !s->row)
            return HONE_E_NOMEM;
    }
    s->margin = take(s, s->n_seq, sizeof(double));
    s->truncated = take(s, s->n_seq, 1);
    if (s->uses & HONE_OBJ_ENTROPY) {
        s->entropy = take(s, k, sizeof(double));
        s->grad_entropy = take(s, k, sizeof(double));
    }
    if (!s->seq_begin || !s->tree_seq || !s->seq || !s->tok || !s->logp || !s->mask || !s->grad ||
        !s->advantage || !s->f32 || !s->length || !s->group || !s->role || !s->margin ||
        !s->truncated)
        return HONE_E_NOMEM;
    return HONE_OK;
}

/* Sequences that were left out, or have no trained-on token, do not enter the forest at all. */
static int counts(const step *s, const hone_train_tree *t, const hone_train_seq *q)
{
    if (is_out(s, q) || q->counted_only)
        return 0;
    for (size_t i = 0; i < q->n; i++) {
        if (trained_on(q, i) && has_row(t, i))
            return 1;
    }
    return 0;
}

static void count_only(step *s, const hone_train_tree *t, const hone_train_seq *q)
{
    double n = 0;
    for (size_t i = 0; q->counted_only && !is_out(s, q) && i < q->n; i++)
        n += trained_on(q, i) && has_row(t, i);
    s->total_tokens += n;
    s->total_chosen += q->role == HONE_ROLE_REJECTED ? 0 : n;
    s->chosen_seqs += n > 0 && q->role != HONE_ROLE_REJECTED;
    s->total_seqs += n > 0;
}

static hone_status add_seq(step *s, const hone_train_tree *t, const hone_train_seq *q,
                           int32_t parent, size_t *si, size_t *k)
{
    int32_t seg = hone_forest_segment(&s->forest, parent, q->ids, (int64_t)q->n);
    if (seg < 0)
        return seg;
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        if (!trained_on(q, i) || !has_row(t, i))
            continue;
        const int64_t row = hone_forest_row(&s->forest, seg, (int64_t)i);
        int64_t e = hone_forest_target(&s->forest, row, q->ids[i]);
        if (e < 0)
            return (hone_status)e;
        if (s->row) /* of the state before the token, or of the one behind it */
            s->row[*k] = s->uses & HONE_OBJ_BEHIND
                             ? s->forest.segments[seg].first_token + (int64_t)i
                             : row;
        s->tok[*k] = i;
        s->mask[*k] = 1;
        s->advantage[*k] = q->advantage ? q->advantage[i] : q->seq_advantage;
        (*k)++;
        n++;
    }
    s->seq[*si] = q;
    s->length[*si] = (double)n;
    s->group[*si] = q->group;
    s->role[*si] = q->role;
    s->margin[*si] = q->margin;
    s->truncated[*si] = q->truncated != 0;
    s->total_tokens += (double)n;
    s->total_chosen += q->role == HONE_ROLE_REJECTED ? 0 : (double)n;
    s->chosen_seqs += q->role != HONE_ROLE_REJECTED;
    s->total_seqs += 1;
    (*si)++;
    s->seq_begin[*si] = *k;
    return HONE_OK;
}

static hone_status build(step *s, const hone_train_tree *trees, size_t n)
{
    size_t si = 0, k = 0;
    HONE_TRY(alloc_arrays(s, trees, n));
    if (s->n_tok == 0)
        return HONE_OK;
    for (size_t t = 0; t < n; t++) {
        int32_t root = -1;
        size_t n_in = 0;
        for (size_t q = 0; q < trees[t].n_seqs; q++) {
            n_in += (size_t)counts(s, &trees[t], &trees[t].seqs[q]);
            count_only(s, &trees[t], &trees[t].seqs[q]);
        }
        if (n_in == 0)
            continue;
        if ((s->uses & HONE_OBJ_PAIRS) && (n_in != 2 || trees[t].n_seqs != 2))
            return hone_fail(
                HONE_E_INVALID,
                "pair %zu: needs a chosen and a rejected sequence with tokens to train on", t);
        s->tree_seq[s->n_trees++] = si;
        if (trees[t].n_prompt) {
            root = hone_forest_segment(&s->forest, -1, trees[t].prompt, (int64_t)trees[t].n_prompt);
            if (root < 0)
                return root;
        }
        for (size_t q = 0; q < trees[t].n_seqs; q++) {
            if (counts(s, &trees[t], &trees[t].seqs[q]))
                HONE_TRY(add_seq(s, &trees[t], &trees[t].seqs[q], root, &si, &k));
        }
        s->total_pairs += 1;
    }
    if (k == 0) {
        s->n_tok = 0;
        return HONE_OK;
    }
    s->n_tok = k;
    s->n_seq = si;
    s->tree_seq[s->n_trees] = si;
    if (!hone_forest_build(&s->forest))
        return hone_error_get()->code;
    if (s->value) {
        s->by_row = take(s, (size_t)s->forest.n_tokens, sizeof *s->by_row);
        if (!s->by_row)
            return HONE_E_NOMEM;
    }
    int32_t parts = hone_forest_split(
        &s->forest,
        (int64_t)(s->u->micro_tokens ? s->u->micro_tokens : hone_policy_auto_tokens(s->p)));
    return parts < 0 ? parts : HONE_OK;
}

/* Builds the step; every rank has built the same one. */
static hone_status begin(step *s, const hone_train_tree *trees, size_t n)
{
    const hone_comm *c = hone_env_comm(s->p->env);
    hone_trace_span span;
    hone_trace_begin(&span, "pack the batch", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_status st = build(s, trees, n);
    hone_trace_end(&span, NULL);
    HONE_TRY(hone_comm_agree(c, st));
    const double numbers[] = {
        s->total_tokens, s->total_seqs,     s->total_pairs,        s->u->lr,
        s->u->clip,      s->u->temperature, (double)s->p->version, (double)s->n_tok};
    uint64_t h = hone_xxh64(numbers, sizeof numbers, s->uses);
    for (size_t t = 0; t < n; t++) {
        h = hone_xxh64(trees[t].prompt, trees[t].n_prompt * sizeof(int32_t), h);
        for (size_t q = 0; q < trees[t].n_seqs; q++)
            h = hone_xxh64(trees[t].seqs[q].ids, trees[t].seqs[q].n * sizeof(int32_t), h);
    }
    h = hone_xxh64(s->advantage, s->n_tok * sizeof *s->advantage, h);
    return hone_comm_same(c, &h, sizeof h, "the batch of a step");
}

/* ---- passes over the parts ---------------------------------------------------------------------------- */

typedef struct part {
    const hone_forest_part *f;
    size_t tree0, s0, s1, k0, k1; /* its first tree; objective sequences and tokens of this part */
} part;

static part part_of(const step *s, int32_t i)
{
    size_t tree = 0;
    for (int32_t j = 0; j < i; j++)
        tree += (size_t)hone_forest_part_get(&s->forest, j)->batch.n_trees;
    part x;
    x.f = hone_forest_part_get(&s->forest, i);
    x.tree0 = tree;
    x.s0 = s->tree_seq[tree];
    x.s1 = s->tree_seq[tree + (size_t)x.f->batch.n_trees];
    x.k0 = s->seq_begin[x.s0];
    x.k1 = s->seq_begin[x.s1];
    return x;
}

/* values of a part's target view -> out[k0..k1) in objective order */
static void gather(const step *s, const part *x, hone_view v, double *out)
{
    const float *p = v.data;
    for (size_t k = x->k0; k < x->k1 && !hone_region_planning(); k++)
        out[k] = (double)p[(hone_forest_slot(&s->forest, (int64_t)k) - x->f->first_target) * v.ld];
}

/* What a pass over a part gives, one number a target: HONE_NONE where it was not asked for. */
typedef struct outputs {
    hone_tensor logp, entropy, divergence;
    hone_tensor value; /* one number a row instead */
} outputs;
enum { WITH_ENTROPY = 1, WITH_DIVERGENCE = 2, WITH_VALUE = 4, WITH_SHOWN = 8 };

static hone_status record(step *s, hone_policy *p, const part *x, uint32_t mode, uint32_t adapters,
                          double temperature, int with, outputs *o)
{
    hone_tape *tape = p->tape;
    hone_tape_options opts = {.adapters = adapters,
                              .checkpoint_every = s->u->checkpoint_every,
                              .entropy_shown = (with & WITH_SHOWN) != 0};
    hone_trace_span span;
    hone_model_teacher teacher;
    *o = (outputs){HONE_NONE, HONE_NONE, HONE_NONE, HONE_NONE};
    if (with & WITH_DIVERGENCE)
        HONE_TRY(hone__teaching_of(&s->teaching, s->u, x->f, &s->wants, &teacher));
    if (mode == HONE_MODE_TRAIN && s->wants.embed_noise > 0)
        HONE_TRY(hone__teaching_noise(&s->teaching, s->u->seed, p->version, s->wants.embed_noise,
                                      p->model->info.hidden, &x->f->batch, x->tree0,
                                      &opts.embed_noise));
    hone_trace_begin(&span, "record the forward", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    HONE_TRY(hone_model_begin(p->model, tape, mode, &x->f->batch, &opts));
    hone_tensor h = hone_model_hidden(p->model, tape);
    hone_tensor *en = with & (WITH_ENTROPY | WITH_SHOWN) ? &o->entropy : NULL;
    const float inverse = (float)(1.0 / temperature);
    if (with & WITH_DIVERGENCE)
        o->logp = hone_model_divergence(p->model, tape, h, inverse, &teacher, &o->divergence, en);
    else
        o->logp = hone_model_logprob(p->model, tape, h, inverse, en);
    if (with & WITH_VALUE)
        o->value = hone_model_value(p->model, tape, h);
    const hone_tensor all[] = {o->logp, o->entropy, o->divergence, o->value};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] < 0)
            continue;
        hone_tape_keep(tape, all[i]);
        if (mode == HONE_MODE_TRAIN && !(all[i] == o->entropy && (with & WITH_SHOWN)))
            hone_tape_root(tape, all[i]);
    }
    hone_trace_end(&span, NULL);
    return hone_tape_forward(tape);
}

/* values[] of the parts that other ranks scored: part i is rank i % size's. */
static hone_status share_values(const step *s, double *values)
{
    const hone_comm *c = hone_env_comm(s->p->env);
    size_t most = 0;
    if (c->size == 1 || hone_region_planning())
        return HONE_OK;
    for (int32_t i = 0; i < s->forest.n_parts; i++) {
        part x = part_of(s, i);
        most = x.k1 - x.k0 > most ? x.k1 - x.k0 : most;
    }
    double *room = hone_calloc(c->size, most * sizeof *room);
    hone_status st = hone_comm_agree(c, room ? HONE_OK : HONE_E_NOMEM);
    if (st < 0) {
        hone_free(room);
        return st;
    }
    double *mine = room + c->rank * most;
    for (int32_t i0 = 0; st >= 0 && i0 < s->forest.n_parts; i0 += (int32_t)c->size) {
        int32_t own = i0 + (int32_t)c->rank;
        part x = own < s->forest.n_parts ? part_of(s, own) : (part){.k0 = 0, .k1 = 0};
        memcpy(mine, values + x.k0, (x.k1 - x.k0) * sizeof *mine);
        st = c->gather(c, mine, most * sizeof *mine, room);
        for (uint32_t r = 0; st >= 0 && r < c->size && i0 + (int32_t)r < s->forest.n_parts; r++) {
            x = part_of(s, i0 + (int32_t)r);
            memcpy(values + x.k0, room + r * most, (x.k1 - x.k0) * sizeof *room);
        }
    }
    hone_free(room);
    return st;
}

/* Log-probs (and entropies) of all parts under another set of weights or adapters, nothing kept. */
static hone_status score(step *s, hone_policy *p, uint32_t adapters, double temperature,
                         double *logp, double *entropy, double *divergence, double *value)
{
    const int with = (entropy ? WITH_ENTROPY : 0) | (divergence ? WITH_DIVERGENCE : 0) |
                     (value ? WITH_VALUE : 0);
    const hone_comm *c = hone_env_comm(s->p->env);
    hone_status st = HONE_OK;
    for (int32_t i = (int32_t)c->rank; st >= 0 && i < s->forest.n_parts; i += (int32_t)c->size) {
        part x = part_of(s, i);
        outputs o;
        st = record(s, p, &x, HONE_MODE_SCORE, adapters, temperature, with, &o);
        if (st < 0)
            break;
        gather(s, &x, hone_tape_value(p->tape, o.logp), logp);
        if (entropy)
            gather(s, &x, hone_tape_value(p->tape, o.entropy), entropy);
        if (divergence)
            gather(s, &x, hone_tape_value(p->tape, o.divergence), divergence);
        if (value)
            hone__values_gather(x.f, hone_tape_value(p->tape, o.value), s->row, x.k0, x.k1, value);
    }
    HONE_TRY(hone_comm_agree(c, st));
    HONE_TRY(share_values(s, logp));
    if (divergence)
        HONE_TRY(share_values(s, divergence));
    if (value)
        HONE_TRY(share_values(s, value));
    return entropy ? share_values(s, entropy) : HONE_OK;
}

static void put_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                       double weight)
{
    hone_metrics_add(out->ctx, name, how, value, weight);
}

static hone_status call_objective(step *s, const part *x, double *loss)
{
    size_t k0 = x->k0, n = x->k1 - x->k0, ns = x->s1 - x->s0;
    size_t *begin = take(s, ns + 1, sizeof *begin);
    if (!begin)
        return HONE_E_NOMEM;
    for (size_t i = 0; i <= ns; i++)
        begin[i] = s->seq_begin[x->s0 + i] - k0;
    hone_objective_in in = {.struct_size = sizeof in,
                            .n_tokens = n,
                            .n_seqs = ns,
                            .seq_begin = begin,
                            .logp = s->logp + k0,
                            .mask = s->mask + k0,
                            .old_logp = s->old_logp ? s->old_logp + k0 : NULL,
                            .ref_logp = s->ref_logp ? s->ref_logp + k0 : NULL,
                            .sampler_logp = s->sampler_logp ? s->sampler_logp + k0 : NULL,
                            .entropy = s->entropy ? s->entropy + k0 : NULL,
                            .advantage = s->advantage + k0,
                            .length = s->length + x->s0,
                            .group = s->group + x->s0,
                            .role = s->role + x->s0,
                            .total_tokens = s->total_tokens,
                            .total_seqs = s->total_seqs,
                            .total_pairs = s->total_pairs,
                            .max_length = s->u->max_length,
                            .teacher_logp = s->teacher_logp ? s->teacher_logp + k0 : NULL,
                            .divergence = s->divergence ? s->divergence + k0 : NULL,
                            .collision = s->collision ? s->collision + k0 : NULL,
                            .margin = s->margin + x->s0,
                            .total_chosen_tokens = s->total_chosen,
                            .truncated = s->truncated + x->s0,
                            .total_chosen_seqs = s->chosen_seqs,
                            .value = s->value ? s->value + k0 : NULL,
                            .old_value = s->old_value ? s->old_value + k0 : NULL,
                            .returns = s->returns ? s->returns + k0 : NULL};
    hone_objective_out out = {.struct_size = sizeof out,
                              .grad_logp = s->grad + k0,
                              .grad_entropy = s->grad_entropy ? s->grad_entropy + k0 : NULL,
                              .ctx = s->m,
                              .metric = put_metric,
                              .n_tokens = n,
                              .grad_value = s->grad_value ? s->grad_value + k0 : NULL,
                              .grad_divergence = s->grad_divergence ? s->grad_divergence + k0
                                                                    : NULL};
    if (hone_region_planning()) /* there are no log-probs to compute a loss of */
        return HONE_OK;
    hone_trace_span span;
    hone_trace_begin(&span, "objective", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_instance_enter(s->u->objective_instance);
    hone_status st = hone_instance_leave(s->u->objective_instance, "loss",
                                         s->u->objective->loss(s->u->objective_self, &in, &out));
    hone_trace_end(&span, NULL);
    HONE_TRY(st);
    *loss += out.loss;
    return HONE_OK;
}

/* What a plan tells of the split: parts of this step, tokens of the largest. */
static void tell_split(step *s)
{
    int64_t most = 0;
    for (int32_t i = 0; i < s->forest.n_parts; i++) {
        int64_t n = hone_forest_part_get(&s->forest, i)->batch.n_tokens;
        most = n > most ? n : most;
    }
    hone_metrics_add(s->m, "plan/parts", HONE_METRIC_MAX, s->forest.n_parts, 1);
    hone_metrics_add(s->m, "plan/part_tokens", HONE_METRIC_MAX, (double)most, 1);
    hone_metrics_add(s->m, "plan/checkpoint_every", HONE_METRIC_MAX, s->u->checkpoint_every, 1);
}

static hone_status seed(step *s, const part *x, hone_tape *tape, hone_tensor t, const double *grad)
{
    if (hone_region_planning())
        return HONE_OK;
    for (size_t k = x->k0; k < x->k1; k++)
        s->f32[hone_forest_slot(&s->forest, (int64_t)k) - x->f->first_target] = (float)grad[k];
    return hone_tape_seed(tape, t, s->f32);
}

/* ---- old, reference, sampler ------------------------------------------------------------------------ */

/* Old values and returns, where every sequence has them. */
static hone_status want_returns(step *s)
{
    size_t have = 0;
    for (size_t i = 0; s->value && i < s->n_seq; i++)
        have += s->seq[i]->value && s->seq[i]->returns;
    if (have == 0 || have < s->n_seq)
        return HONE_OK;
    s->old_value = take(s, s->n_tok, sizeof(double));
    s->returns = take(s, s->n_tok, sizeof(double));
    return s->old_value && s->returns ? HONE_OK : HONE_E_NOMEM;
}

static hone_status fill_known(step *s)
{
    HONE_TRY(want_returns(s));
    for (size_t i = 0; i < s->n_seq; i++) {
        const hone_train_seq *q = s->seq[i];
        if ((s->uses & HONE_OBJ_SAMPLER) && !q->sampler_logp)
            return hone_fail(
                HONE_E_INVALID,
                "the objective needs the sampler's log-probs, and sequence %zu has none", i);
        for (size_t k = s->seq_begin[i]; k < s->seq_begin[i + 1]; k++) {
            if (s->sampler_logp)
                s->sampler_logp[k] = (double)q->sampler_logp[s->tok[k]];
            if (s->old_logp && q->full_logp)
                s->old_logp[k] = (double)q->full_logp[s->tok[k]];
            if (s->returns) {
                s->old_value[k] = q->value[s->tok[k]];
                s->returns[k] = q->returns[s->tok[k]];
            }
        }
    }
    if (s->uses & HONE_OBJ_DIVERGENCE)
        return hone__teaching_gather(&s->teaching, s->seq, s->n_seq, s->seq_begin, s->tok,
                                     &s->forest, s->wants.temperature, &s->arena);
    return HONE_OK;
}

static hone_status fill_reference(step *s)
{
    if (!(s->uses & HONE_OBJ_REF))
        return HONE_OK;
    if (s->u->reference == HONE_REF_ADAPTER_OFF)
        return score(s, s->p, HONE_ADAPTERS_NONE, s->u->temperature, s->ref_logp, NULL, NULL, NULL);
    if (s->u->reference == HONE_REF_MODEL && s->u->reference_policy)
        return score(s, s->u->reference_policy, hone_policy_mask(s->u->reference_policy),
                     s->u->temperature, s->ref_logp, NULL, NULL, NULL);
    hone_status st = hone_fail(HONE_E_INVALID,
                               "the objective needs a reference, and there is none");
    hone_fail_hint("give reference = policy:reference(), or train an adapter (lora), whose base is "
                   "the reference");
    return st;
}

/* Log-probs of the teacher, and what else the objective holds constant. */
static hone_status fill_teacher(step *s)
{
    const hone_update_params *u = s->u;
    if (s->uses & HONE_OBJ_TEACHER) {
        if (!u->teacher_policy)
            return hone__teaching_missing();
        HONE_TRY(score(s, u->teacher_policy, u->teacher_adapters, u->temperature, s->teacher_logp,
                       NULL, NULL, NULL));
    }
    if (s->uses & HONE_OBJ_COLLISION) {
        /* log sum p^2 = 2 log p(y) - log p'(y) of any y, p' being at half the temperature */
        double *half = take(s, s->n_tok, sizeof *half);
        HONE_TRY(hone_comm_agree(hone_env_comm(s->p->env), half ? HONE_OK : HONE_E_NOMEM));
        HONE_TRY(
            score(s, s->p, hone_policy_mask(s->p), u->temperature, s->collision, NULL, NULL, NULL));
        HONE_TRY(
            score(s, s->p, hone_policy_mask(s->p), u->temperature / 2, half, NULL, NULL, NULL));
        for (size_t k = 0; k < s->n_tok; k++)
            s->collision[k] = 2 * s->collision[k] - half[k];
    }
    return HONE_OK;
}

/* What the objective did not report; `before`: the weights of its ratio and KL when the step began. */
static void estimate(step *s, const double before[2])
{
    const hone__trained t = {s->seq,   s->seq_begin, s->tok,          s->logp,
                             s->shown, s->n_seq,     s->value != NULL};
    if (hone_region_planning())
        return;
    if (s->u->measure_mismatch)
        hone__estimate_mismatch(&t, s->m);
    hone__estimate_policy(&t, hone__estimate_weight(s->m, "ratio/mean") > before[0],
                          hone__estimate_weight(s->m, "kl/k1") > before[1], s->m);
    hone__estimate_lengths(&t, s->m);
}

/* ---- the step ----------------------------------------------------------------------------------------- */

/* Of rows the entropy is measured while they are trained on; samples tell theirs by what was drawn, values have none. */
static hone_status want_entropies(step *s)
{
    size_t sampled = 0;
    for (size_t i = 0; i < s->n_seq; i++)
        sampled += s->seq[i]->full_logp != NULL;
    if (sampled || s->value || s->entropy)
        return HONE_OK;
    s->shown = take(s, s->n_tok, sizeof *s->shown);
    return s->shown ? HONE_OK : HONE_E_NOMEM;
}

static hone_status gradients(step *s, double *loss)
{
    hone_policy *p = s->p;
    int whole = (s->uses & HONE_OBJ_WHOLE_BATCH) && s->forest.n_parts > 1;
    if (whole) {
        part all = {.f = NULL, .s0 = 0, .s1 = s->n_seq, .k0 = 0, .k1 = s->n_tok};
        HONE_TRY(score(s, p, hone_policy_mask(p), s->u->temperature, s->logp, s->entropy,
                       s->divergence, s->value));
        HONE_TRY(call_objective(s, &all, loss));
    }
    for (int32_t i = 0; i < s->forest.n_parts; i++) {
        part x = part_of(s, i);
        outputs o;
        HONE_TRY(record(s, p, &x, HONE_MODE_TRAIN, hone_policy_mask(p), s->u->temperature,
                        (s->entropy ? WITH_ENTROPY : 0) | (s->divergence ? WITH_DIVERGENCE : 0) |
                            (s->value ? WITH_VALUE : 0) | (s->shown ? WITH_SHOWN : 0),
                        &o));
        if (s->shown)
            gather(s, &x, hone_tape_value(p->tape, o.entropy), s->shown);
        if (!whole) {
            gather(s, &x, hone_tape_value(p->tape, o.logp), s->logp);
            if (s->entropy)
                gather(s, &x, hone_tape_value(p->tape, o.entropy), s->entropy);
            if (s->divergence)
                gather(s, &x, hone_tape_value(p->tape, o.divergence), s->divergence);
            if (s->value)
                hone__values_gather(x.f, hone_tape_value(p->tape, o.value), s->row, x.k0, x.k1,
                                    s->value);
            HONE_TRY(call_objective(s, &x, loss));
        }
        HONE_TRY(seed(s, &x, p->tape, o.logp, s->grad));
        if (s->entropy)
            HONE_TRY(seed(s, &x, p->tape, o.entropy, s->grad_entropy));
        if (s->divergence)
            HONE_TRY(seed(s, &x, p->tape, o.divergence, s->grad_divergence));
        if (s->value)
            HONE_TRY(hone__values_seed(x.f, p->tape, o.value, s->row, x.k0, x.k1, s->grad_value,
                                       s->by_row));
        HONE_TRY(hone_tape_backward(p->tape));
    }
    return hone_tape_finish_grads(p->tape);
}

static hone_status run_step(step *s, const hone_train_tree *trees, size_t n)
{
    hone_policy *p = s->p;
    const hone_update_params *u = s->u;
    const hone_comm *c = hone_env_comm(p->env);
    size_t length = 0;
    double loss = 0, norm = 0;
    HONE_TRY(begin(s, trees, n));
    if (s->n_tok == 0) {
        /* Every group was equal, every sample left out: nothing to learn from, and that is no failure. */
        hone_metrics_set(s->m, "loss", 0);
        hone_metrics_set(s->m, "grad_norm", 0);
        hone_metrics_set(s->m, "lr", u->lr);
        hone_metrics_add(s->m, "tokens", HONE_METRIC_SUM, 0, 1);
        return HONE_OK;
    }
    HONE_TRY(hone_comm_agree(c, fill_known(s)));
    if (s->old_logp && !u->full_is_old)
        HONE_TRY(score(s, p, hone_policy_mask(p), u->temperature, s->old_logp, NULL, NULL, NULL));
    HONE_TRY(fill_reference(s));
    HONE_TRY(fill_teacher(s));
    hone_policy_select(p);
    HONE_TRY(hone_comm_agree(c, hone_params_need_grads(p->model->params, &length)));
    hone_trace_span span;
    hone_trace_begin(&span, "zero gradients", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_params_zero_grads(p->model->params);
    hone_trace_end(&span, NULL);
    hone_params_tape(p->model->params, &p->model->tape_params);
    if (hone_region_planning())
        tell_split(s);
    const double before[2] = {hone__estimate_weight(s->m, "ratio/mean"),
                              hone__estimate_weight(s->m, "kl/k1")};
    HONE_TRY(hone_comm_agree(c, want_entropies(s)));
    hone_status st = hone_comm_agree(c, gradients(s, &loss));
    if (st < 0) {
        hone_tape_drop_deferred(p->tape);
        return st;
    }
    HONE_TRY(hone_comm_same(c, &loss, sizeof loss, "the loss"));
    estimate(s, before);
    if (u->clip_value > 0)
        hone_optimizer_clip_values(p->model->params, p->env->pool, u->clip_value);
    st = hone_optimizer_step(p->optimizer, p->model->params, p->env->pool, u->lr, u->clip, &norm);
    if (st < 0)
        return st;
    hone_metrics_set(s->m, "loss", loss);
    hone_metrics_set(s->m, "grad_norm", norm);
    hone_metrics_set(s->m, "lr", u->lr);
    hone_metrics_add(s->m, "tokens", HONE_METRIC_SUM, s->total_tokens, 1);
    if (st == 1) {
        hone_metrics_add(s->m, "skipped", HONE_METRIC_SUM, 1, 1);
        p->skipped_in_a_row++;
        hone_log(HONE_LOG_WARN, p->name,
                 "the gradient is not finite (loss %g): this step is skipped", loss);
        if (p->skipped_in_a_row >= 3) {
            st = hone_fail(HONE_E_FAIL, "%s: three gradients in a row were not finite", p->name);
            hone_fail_hint("lower lr, set clip, or look for extreme rewards in the rollouts");
            return st;
        }
        return HONE_OK;
    }
    p->skipped_in_a_row = 0;
    p->version++;
    return HONE_OK;
}

static hone_status check(const hone_policy *p, const hone_update_params *u, int train)
{
    if (!(u->temperature > 0))
        return hone_fail(HONE_E_RANGE, "temperature %g: must be above 0", u->temperature);
    if (train && !p->optimizer) {
        hone_status s = hone_fail(HONE_E_STATE, "%s is frozen: it has no optimizer", p->name);
        hone_fail_hint("give run:policy an optimizer, for instance { \"adamw\", lr = 1e-6 }");
        return s;
    }
    return HONE_OK;
}

/* What the objective reads and wants. */
static hone_status ask_objective(step *s)
{
    const hone_update_params *u = s->u;
    hone_status st = HONE_OK;
    s->wants = (hone_objective_wants){.struct_size = sizeof s->wants, .temperature = 1};
    hone_instance_enter(u->objective_instance);
    s->uses = u->objective->uses(u->objective_self);
    hone_instance_leave(u->objective_instance, "uses", HONE_OK);
    if (HONE_HAS(u->objective, hone_objective_v1, wants)) {
        hone_instance_enter(u->objective_instance);
        st = hone_instance_leave(u->objective_instance, "wants",
                                 u->objective->wants(u->objective_self, &s->wants));
    }
    HONE_TRY(st);
    if (!(s->wants.beta >= 0 && s->wants.beta <= 1) || !(s->wants.temperature > 0) ||
        !(s->wants.embed_noise >= 0 && s->wants.embed_noise <= 1e6))
        return hone_fail(
            HONE_E_MISBEHAVED,
            "the objective wants a divergence with beta %g at temperature %g, and noise "
            "of %g",
            s->wants.beta, s->wants.temperature, s->wants.embed_noise);
    if (!(s->uses & HONE_OBJ_VALUE) || s->p->model->head_kind)
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED, "the objective reads values, and %s has no value head",
              s->p->name);
    return hone_fail_hint("give it one: run:policy { ..., value_head = true }; a reward model's is "
                          "value_head = \"reward\"");
}

hone_status hone_policy_step(hone_policy *p, const hone_train_tree *trees, size_t n,
                             const hone_update_params *u, hone_metrics *m)
{
    step s;
    HONE_TRY(check(p, u, 1));
    step_init(&s, p, u, m);
    hone_trace_span span;
    hone_trace_begin(&span, "update", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_status st = ask_objective(&s);
    if (st >= 0)
        st = run_step(&s, trees, n);
    step_release(&s);
    hone_trace_end(&span, NULL);
    if (st >= 0 && m->failed < 0)
        st = m->failed;
    return st;
}

hone_status hone_policy_loss(hone_policy *p, const hone_train_tree *trees, size_t n,
                             const hone_update_params *u, double *loss, hone_metrics *m)
{
    step s;
    HONE_TRY(check(p, u, 0));
    step_init(&s, p, u, m);
    *loss = 0;
    hone_status st = ask_objective(&s);
    if (st >= 0)
        st = begin(&s, trees, n);
    if (st >= 0 && s.n_tok) {
        part all = {.f = NULL, .s0 = 0, .s1 = s.n_seq, .k0 = 0, .k1 = s.n_tok};
        st = hone_comm_agree(hone_env_comm(p->env), fill_known(&s));
        if (st >= 0)
            st = score(&s, p, hone_policy_mask(p), u->temperature, s.logp, s.entropy, s.divergence,
                       s.value);
        if (st >= 0 && s.old_logp && !u->full_is_old)
            memcpy(s.old_logp, s.logp, s.n_tok * sizeof *s.old_logp);
        if (st >= 0)
            st = fill_reference(&s);
        if (st >= 0)
            st = fill_teacher(&s);
        if (st >= 0)
            st = call_objective(&s, &all, loss);
    }
    step_release(&s);
    return st;
}

/* Scores every token, whatever its mask: log-probs, or values where the head is asked. `store` gets the number of token
 * `at`, in the order of sequences; NaN where there is none. */
static hone_status score_tokens(hone_policy *p, const hone_train_tree *trees, size_t n,
                                const hone_update_params *u, uint32_t adapters, int values,
                                void (*store)(void *out, size_t at, double v), void *out)
{
    step s;
    hone_metrics m;
    size_t at = 0;
    hone_metrics_init(&m);
    HONE_TRY(check(p, u, 0));
    hone_arena a;
    hone_arena_init(&a, (size_t)1 << 30);
    hone_train_tree *all = hone_arena_calloc(&a, n ? n : 1, sizeof *all);
    hone_status st = all ? HONE_OK : HONE_E_NOMEM;
    for (size_t t = 0; st >= 0 && t < n; t++) {
        hone_train_seq *q = hone_arena_calloc(&a, trees[t].n_seqs ? trees[t].n_seqs : 1, sizeof *q);
        if (!q) {
            st = HONE_E_NOMEM;
            break;
        }
        for (size_t i = 0; i < trees[t].n_seqs; i++)
            q[i] = (hone_train_seq){.ids = trees[t].seqs[i].ids, .n = trees[t].seqs[i].n};
        all[t] = trees[t];
        all[t].seqs = q;
    }
    step_init(&s, p, u, &m);
    s.uses = values ? HONE_OBJ_VALUE : 0;
    st = hone_comm_agree(hone_env_comm(p->env), st);
    if (st >= 0)
        st = begin(&s, all, n);
    if (st >= 0 && s.n_tok)
        st = score(&s, p, adapters, u->temperature, s.logp, NULL, NULL, s.value);
    const double *of = values ? s.value : s.logp;
    size_t k = 0;
    for (size_t t = 0; st >= 0 && t < n; t++) {
        for (size_t i = 0; i < all[t].n_seqs; i++) {
            for (size_t j = 0; j < all[t].seqs[i].n; j++)
                store(out, at++, has_row(&all[t], j) ? of[k++] : (double)NAN);
        }
    }
    step_release(&s);
    hone_arena_release(&a);
    return st;
}

static void store_float(void *out, size_t at, double v)
{
    ((float *)out)[at] = (float)v;
}

static void store_double(void *out, size_t at, double v)
{
    ((double *)out)[at] = v;
}

hone_status hone_policy_logprobs(hone_policy *p, const hone_train_tree *trees, size_t n,
                                 double temperature, uint32_t adapters, size_t micro_tokens,
                                 float *out)
{
    const hone_update_params u = {.temperature = temperature, .micro_tokens = micro_tokens};
    if (adapters == HONE_ADAPTERS_ACTIVE)
        adapters = hone_policy_mask(p);
    return score_tokens(p, trees, n, &u, adapters, 0, store_float, out);
}

hone_status hone_policy_token_values(hone_policy *p, const hone_train_tree *trees, size_t n,
                                     size_t micro_tokens, double *out)
{
    const hone_update_params u = {.temperature = 1, .micro_tokens = micro_tokens};
    if (!p->model->head_kind)
        return hone__values_missing(p);
    return score_tokens(p, trees, n, &u, hone_policy_mask(p), 1, store_double, out);
}
