/* validate_objective.c - losses and advantages: numbers of small batches, finite differences (validate.h).
 *
 * An item is a sequence of 2 to 5 tokens drawn from (seed, number). Arrays that an objective does not say it uses are
 * NULL, as a run gives them. A gradient that is not the derivative of the loss is a fault, unless the formula in
 * `show` writes sg(...), a part that is held constant; at a kink either side's slope will do. */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"
#include "hone/objective.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct numbers {
    hone__vfence in, out;
    size_t n_seqs, n_tokens;
    size_t *begin;
    double *logp, *mask, *old, *ref, *sampler, *entropy, *value, *advantage, *length, *teacher,
        *divergence, *collision, *margin, *old_value, *returns;
    uint32_t *group, *role;
    double *grad, *grad_entropy, *grad_value, *grad_divergence;
    uint8_t *truncated;
    double total_tokens, total_seqs, total_pairs;
    hone_arena arena; /* the numbers before they go behind the fence */
} numbers;

static double draw(uint64_t seed, size_t k, uint64_t what, size_t at, double lo, double hi)
{
    const hone_rng_key key = {seed, HONE_RNG_USER, what, k, 0};
    return lo + (hi - lo) * hone_rng_uniform(&key, at);
}

static size_t tokens_of(uint64_t seed, size_t k)
{
    return 2 + hone_rng_below(&(hone_rng_key){seed, HONE_RNG_USER, 0, k, 0}, 0, 4);
}

static void *room(hone__vfence *f, size_t n, size_t size)
{
    void *p = hone__v_fence_take(f, n * size, 8);
    if (p)
        memset(p, 0, n * size);
    return p;
}

static double *filled(numbers *b, const hone__vwork *w, uint64_t what, double lo, double hi)
{
    double *p = room(&b->in, b->n_tokens, sizeof *p);
    for (size_t s = 0; p && s < b->n_seqs; s++)
        for (size_t t = b->begin[s]; t < b->begin[s + 1]; t++)
            p[t] = draw(w->seed, w->index && s < w->n ? w->index[s] : s, what, t - b->begin[s], lo,
                        hi);
    return p;
}

/* `uses`: HONE_OBJ_*. */
static hone_status make(numbers *b, const hone__vwork *w, uint32_t uses)
{
    memset(b, 0, sizeof *b);
    b->n_seqs = uses & HONE_OBJ_PAIRS ? (w->n + 1) / 2 * 2 : w->n;
    for (size_t s = 0; s < b->n_seqs; s++)
        b->n_tokens += tokens_of(w->seed, w->index && s < w->n ? w->index[s] : s);
    HONE_TRY(hone__v_fence_open(&b->in, 16384 + 200 * (b->n_tokens + b->n_seqs),
                                "the numbers of the batch"));
    HONE_TRY(hone__v_fence_open(&b->out, 16384 + 64 * (b->n_tokens + b->n_seqs), "the gradients"));
    b->begin = room(&b->in, b->n_seqs + 1, sizeof *b->begin);
    for (size_t s = 0; s < b->n_seqs; s++)
        b->begin[s + 1] = b->begin[s] + tokens_of(w->seed, w->index && s < w->n ? w->index[s] : s);
    b->logp = filled(b, w, 1, -3, -.05);
    b->mask = room(&b->in, b->n_tokens, sizeof *b->mask);
    b->length = room(&b->in, b->n_seqs, sizeof *b->length);
    b->group = room(&b->in, b->n_seqs, sizeof *b->group);
    for (size_t s = 0; s < b->n_seqs; s++) {
        const size_t k = w->index && s < w->n ? w->index[s] : s;
        for (size_t t = b->begin[s]; t < b->begin[s + 1]; t++) {
            b->mask[t] = w->items == HONE__V_EMPTY                                            ? 0
                         : t > b->begin[s] && draw(w->seed, k, 2, t - b->begin[s], 0, 1) < .2 ? 0
                                                                                              : 1;
            b->length[s] += b->mask[t];
        }
        b->total_tokens += b->length[s];
        b->total_seqs += b->length[s] > 0;
        b->group[s] = (uint32_t)(k / 4);
    }
    b->total_pairs = (double)(b->n_seqs / 2);
    if (uses & HONE_OBJ_OLD)
        b->old = filled(b, w, 3, -3, -.05);
    if (uses & HONE_OBJ_REF)
        b->ref = filled(b, w, 4, -3, -.05);
    if (uses & HONE_OBJ_SAMPLER)
        b->sampler = filled(b, w, 5, -3, -.05);
    if (uses & HONE_OBJ_ENTROPY)
        b->entropy = filled(b, w, 6, .1, 3);
    if (uses & HONE_OBJ_VALUE) {
        b->value = filled(b, w, 7, -1, 1);
        b->old_value = filled(b, w, 12, -1, 1);
        b->returns = filled(b, w, 13, -1, 1);
    }
    if (uses & HONE_OBJ_ADVANTAGE)
        b->advantage = filled(b, w, 8, -2, 2);
    if (uses & (HONE_OBJ_PAIRS | HONE_OBJ_UNPAIRED)) {
        b->role = room(&b->in, b->n_seqs, sizeof *b->role);
        for (size_t s = 0; s < b->n_seqs; s++)
            b->role[s] = s % 2 ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN;
    }
    if (uses & HONE_OBJ_TEACHER)
        b->teacher = filled(b, w, 9, -3, -.05);
    if (uses & HONE_OBJ_DIVERGENCE)
        b->divergence = filled(b, w, 10, 0, 2);
    if (uses & HONE_OBJ_COLLISION)
        b->collision = filled(b, w, 11, -4, -.05);
    b->margin = room(&b->in, b->n_seqs, sizeof *b->margin);
    b->truncated = room(&b->in, b->n_seqs, 1);
    b->grad = room(&b->out, b->n_tokens, sizeof *b->grad);
    b->grad_entropy = b->entropy ? room(&b->out, b->n_tokens, sizeof *b->grad) : NULL;
    b->grad_value = b->value ? room(&b->out, b->n_tokens, sizeof *b->grad) : NULL;
    b->grad_divergence = b->divergence ? room(&b->out, b->n_tokens, sizeof *b->grad) : NULL;
    return b->logp && b->mask && b->grad ? HONE_OK
                                         : hone_fail(HONE_E_LIMIT, "the batch does not fit");
}

static void release(numbers *b, int keep)
{
    hone__v_fence_close(&b->in, keep);
    hone__v_fence_close(&b->out, keep);
}

typedef struct metrics {
    hone__v *v;
    uint64_t digest;
} metrics;

static void put_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                       double weight)
{
    metrics *m = out->ctx;
    if (!name || !*name)
        return hone__v_fail(m->v, "a metric without a name");
    if (how > HONE_METRIC_MAX)
        hone__v_fail(m->v, "metric %s: %u is no way to combine", name, how);
    if (!m->v->lenient && (!isfinite(value) || !(weight >= 0)))
        hone__v_fail(m->v, "metric %s is %f with weight %f", name, value, weight);
    m->digest = hone_xxh64(&value, sizeof value, m->digest);
}

static hone_status loss(hone__v *v, hone__vinst *i, numbers *b, int larger, double *out_loss,
                        uint64_t *digest)
{
    struct {
        hone_objective_in in;
        unsigned char poison[32];
    } in;
    struct {
        hone_objective_out out;
        unsigned char poison[32];
    } out;
    const hone_objective_v1 *vt = i->vt;
    metrics m = {v, 1};
    char what[64];
    memset(&in, 0xA5, sizeof in);
    memset(&out, 0xA5, sizeof out);
    in.in = (hone_objective_in){.struct_size = larger ? sizeof in : sizeof in.in,
                                .n_tokens = b->n_tokens,
                                .n_seqs = b->n_seqs,
                                .seq_begin = b->begin,
                                .logp = b->logp,
                                .mask = b->mask,
                                .old_logp = b->old,
                                .ref_logp = b->ref,
                                .sampler_logp = b->sampler,
                                .entropy = b->entropy,
                                .value = b->value,
                                .advantage = b->advantage,
                                .length = b->length,
                                .group = b->group,
                                .role = b->role,
                                .total_tokens = b->total_tokens,
                                .total_seqs = b->total_seqs,
                                .total_pairs = b->total_pairs,
                                .max_length = 8,
                                .teacher_logp = b->teacher,
                                .old_value = b->old_value,
                                .returns = b->returns,
                                .divergence = b->divergence,
                                .collision = b->collision,
                                .margin = b->margin,
                                .truncated = b->truncated};
    out.out = (hone_objective_out){.struct_size = larger ? sizeof out : sizeof out.out,
                                   .grad_logp = b->grad,
                                   .grad_entropy = b->grad_entropy,
                                   .grad_value = b->grad_value,
                                   .ctx = &m,
                                   .metric = put_metric,
                                   .n_tokens = b->n_tokens,
                                   .grad_divergence = b->grad_divergence};
    if (b->grad_divergence)
        memset(b->grad_divergence, 0, b->n_tokens * sizeof *b->grad);
    memset(b->grad, 0, b->n_tokens * sizeof *b->grad);
    if (b->grad_entropy)
        memset(b->grad_entropy, 0, b->n_tokens * sizeof *b->grad);
    if (b->grad_value)
        memset(b->grad_value, 0, b->n_tokens * sizeof *b->grad);
    snprintf(what, sizeof what, "loss of %zu sequences", b->n_seqs);
    hone__v_enter(v, i, what);
    hone_status s = hone__v_leave(v, i, "loss", vt->loss(i->self, &in.in, &out.out));
    if (s < 0)
        return s;
    if (s > 0)
        hone__v_fail(v, "loss returned %d: a status is 0 or negative", s);
    for (size_t k = 0; k < sizeof out.poison; k++)
        if (out.poison[k] != 0xA5)
            hone__v_fail(v, "wrote past the end of what it fills");
    if (!v->lenient && !isfinite(out.out.loss))
        hone__v_fail(v, "the loss is %f", out.out.loss);
    *out_loss = out.out.loss;
    *digest = hone_xxh64(&out.out.loss, sizeof out.out.loss, m.digest);
    return s;
}

static hone_status ask_uses(hone__v *v, hone__vinst *i, uint32_t *uses)
{
    const hone_objective_v1 *vt = i->vt;
    if (!HONE_HAS(vt, hone_objective_v1, loss) || !HONE_HAS(vt, hone_objective_v1, uses) ||
        !HONE_HAS(vt, hone_objective_v1, show)) {
        hone__v_fail(v, "its table lacks uses, loss or show");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone__v_stage(v, "uses");
    hone__v_inside++;
    *uses = vt->uses(i->self);
    hone__v_inside--;
    return HONE_OK;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    numbers b = {0};
    uint32_t uses = 0;
    double l = 0;
    uint64_t d = 0;
    w->whole = 0;
    hone_status s = ask_uses(v, i, &uses);
    if (s >= 0)
        s = make(&b, w, uses);
    if (s >= 0) {
        hone__v_fence_readonly(&b.in);
        s = loss(v, i, &b, w->larger, &l, &d);
    }
    for (size_t k = 0; s >= 0 && k < b.n_seqs; k++) {
        for (size_t t = b.begin[k]; t < b.begin[k + 1]; t++)
            if (v->lenient)
                continue;
            else if (!isfinite(b.grad[t]) || (b.grad_entropy && !isfinite(b.grad_entropy[t])) ||
                     (b.grad_value && !isfinite(b.grad_value[t])) ||
                     (b.grad_divergence && !isfinite(b.grad_divergence[t])))
                hone__v_fail(v, "sequence %zu: a gradient is not a number", k);
            else if (b.mask[t] == 0 && b.grad[t] != 0)
                hone__v_fail(v, "sequence %zu: a token that the mask leaves out has a gradient", k);
        uint64_t g = hone_xxh64(b.grad + b.begin[k], (b.begin[k + 1] - b.begin[k]) * sizeof(double),
                                d) |
                     1;
        if (w->digest && k < w->n)
            w->digest[k] = g;
        w->whole = hone_xxh64(&g, sizeof g, w->whole);
    }
    release(&b, w->keep);
    return s;
}

/* ---- tests of objectives -------------------------------------------------------------------------- */

static void t_slopes(hone__v *v)
{
    enum { SEQS = 6 };
    double h = 1e-6, allowed = 1e-4;
    hone__vwork w = {.seed = v->seed, .n = SEQS};
    numbers b = {0};
    uint32_t uses = 0;
    double l0, up, down, grad[64];
    uint64_t d;
    size_t wrong = 0, looked = 0;
    char first[200] = "";
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    hone_status s = ask_uses(v, i, &uses);
    if (s >= 0)
        s = make(&b, &w, uses);
    if (s >= 0)
        s = loss(v, i, &b, 0, &l0, &d);
    if (s >= 0 && (double)(float)l0 == l0 && l0 != 0) { /* computed in float32, as tensors are */
        h = 1e-2;
        allowed = 4e-4;
    }
    for (int of = 0; s >= 0 && of < 4; of++) {
        double *const arrays[] = {b.logp, b.entropy, b.value, b.divergence}, *x = arrays[of];
        double *const grads[] = {b.grad, b.grad_entropy, b.grad_value, b.grad_divergence},
                      *g = grads[of];
        static const char *const names[] = {"log-prob", "entropy", "value", "divergence"};
        if (!x || !g)
            continue;
        s = loss(v, i, &b, 0, &l0, &d);
        memcpy(grad, g, b.n_tokens * sizeof *grad);
        for (size_t t = 0; s >= 0 && t < b.n_tokens && t < 64; t++) {
            const double keep = x[t];
            x[t] = keep + h;
            s = loss(v, i, &b, 0, &up, &d);
            x[t] = keep - h;
            if (s >= 0)
                s = loss(v, i, &b, 0, &down, &d);
            x[t] = keep;
            const double a = (up - l0) / h, c = (l0 - down) / h,
                         tol = allowed * (1 + fabs(grad[t]));
            looked++;
            if (s >= 0 && (grad[t] < fmin(a, c) - tol || grad[t] > fmax(a, c) + tol) && !wrong++)
                snprintf(first, sizeof first,
                         "the gradient of %s %zu is %g, the loss's slope there is %g", names[of], t,
                         grad[t], (a + c) / 2);
        }
    }
    if (s < 0)
        hone__v_fail(v, "loss: %s", hone__v_error());
    else if (wrong) {
        hone_str shown = ((const hone_objective_v1 *)i->vt)->show(i->self);
        if (shown.ptr && memmem(shown.ptr, shown.len, "sg(", 3))
            hone__v_skip(v, "part of its formula is held constant: sg(...)");
        else
            hone__v_fail(
                v,
                "%s; %zu of %zu differ (a part that is held constant is written sg(...) in show)",
                first, wrong, looked);
    }
    release(&b, 0);
    hone__v_destroy(v, i);
}

static void t_masked(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 4, .items = HONE__V_EMPTY};
    hone__vinst *i = hone__v_need(v);
    if (i)
        hone__v_work(v, i, &w);
    hone__v_destroy(v, i);
}

static void t_show(hone__v *v)
{
    hone__vinst *i = hone__v_need(v);
    uint32_t uses;
    if (i && ask_uses(v, i, &uses) >= 0) {
        hone__v_stage(v, "show");
        hone_str s = ((const hone_objective_v1 *)i->vt)->show(i->self);
        if (!s.ptr || !s.len)
            hone__v_fail(v, "show gives no text: it is what tells users the formula");
    }
    hone__v_destroy(v, i);
}

static const hone__vtest tests[] = {
    {"objective.slopes", t_slopes, HONE__VT_SLOW, "gradients against finite differences"},
    {"objective.masked", t_masked, 0, "a batch whose mask is zero"},
    {"objective.show", t_show, 0, "the formula as text"},
    {0}};
const hone__vkind hone__v_objective = {
    HONE_KIND_OBJECTIVE, HONE_IFACE_OBJECTIVE, NULL, work, tests, 0};

/* ---- advantages ----------------------------------------------------------------------------------- */

static hone_status advantages(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    enum { REWARDS = 2 };
    const hone_advantage_v1 *vt = i->vt;
    numbers b = {0};
    char what[64];
    w->whole = 0;
    if (!HONE_HAS(vt, hone_advantage_v1, compute)) {
        hone__v_fail(v, "its table has no compute");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone_status s = make(&b, w, HONE_OBJ_REF | HONE_OBJ_VALUE);
    const size_t n = b.n_seqs;
    double *rewards = s >= 0 ? room(&b.in, REWARDS * n, sizeof *rewards) : NULL,
           *weights = s >= 0 ? room(&b.in, REWARDS, sizeof *weights) : NULL,
           *baseline = s >= 0 ? room(&b.in, n, sizeof *baseline) : NULL;
    uint8_t *scored = s >= 0 ? room(&b.in, REWARDS * n, 1) : NULL;
    if (s >= 0) {
        for (size_t r = 0; r < REWARDS; r++)
            weights[r] = r ? .5 : 1;
        for (size_t k = 0; k < REWARDS * n; k++) {
            const size_t seq = w->index ? w->index[k % n] : k % n;
            rewards[k] = floor(draw(w->seed, seq, 20 + k / n, 0, 0, 3));
            scored[k] = w->items != HONE__V_EMPTY && draw(w->seed, seq, 30 + k / n, 0, 0, 1) > .1;
            baseline[k % n] = draw(w->seed, seq, 40, 0, 0, 1);
        }
        hone_advantage_in in = {.struct_size = sizeof in,
                                .n_seqs = n,
                                .n_rewards = REWARDS,
                                .n_tokens = b.n_tokens,
                                .rewards = rewards,
                                .scored = scored,
                                .weights = weights,
                                .group = b.group,
                                .length = b.length,
                                .seq_begin = b.begin,
                                .mask = b.mask,
                                .value = b.value,
                                .logp = b.logp,
                                .ref_logp = b.ref,
                                .baseline = baseline};
        hone_advantage_out out = {.struct_size = sizeof out,
                                  .seq = room(&b.out, n, sizeof(double)),
                                  .token = b.grad,
                                  .combined = room(&b.out, n, sizeof(double)),
                                  .left_out = room(&b.out, n, 1),
                                  .returns = room(&b.out, b.n_tokens, sizeof(double)),
                                  .n_seqs = n,
                                  .n_tokens = b.n_tokens};
        hone__v_fence_readonly(&b.in);
        snprintf(what, sizeof what, "compute of %zu sequences", n);
        hone__v_enter(v, i, what);
        s = hone__v_leave(v, i, "compute", vt->compute(i->self, &in, &out));
        if (s > 0)
            hone__v_fail(v, "compute returned %d: a status is 0 or negative", s);
        for (size_t k = 0; s >= 0 && k < n; k++) {
            uint64_t d = hone_xxh64(out.seq + k, sizeof(double), out.left_out[k] + 1u);
            if (out.left_out[k] > 1)
                hone__v_fail(v, "sequence %zu: left_out is %u, neither 0 nor 1", k,
                             out.left_out[k]);
            if (!v->lenient && !isfinite(out.seq[k]))
                hone__v_fail(v, "sequence %zu: the advantage is %f", k, out.seq[k]);
            for (size_t t = b.begin[k]; out.per_token && t < b.begin[k + 1]; t++)
                if (!v->lenient && !isfinite(out.token[t]))
                    hone__v_fail(v, "sequence %zu: a token's advantage is %f", k, out.token[t]);
            if (out.per_token)
                d = hone_xxh64(out.token + b.begin[k],
                               (b.begin[k + 1] - b.begin[k]) * sizeof(double), d);
            d |= 1;
            if (w->digest)
                w->digest[k] = d;
            w->whole = hone_xxh64(&d, sizeof d, w->whole);
        }
    }
    release(&b, w->keep);
    return s;
}

static void t_unscored(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 8, .items = HONE__V_EMPTY};
    hone__vinst *i = hone__v_need(v);
    if (i)
        hone__v_work(v, i, &w);
    hone__v_destroy(v, i);
}

static const hone__vtest advantage_tests[] = {
    {"advantage.unscored", t_unscored, 0, "a batch in which nothing was scored"}, {0}};
const hone__vkind hone__v_advantage = {HONE_KIND_OBJECTIVE, HONE_IFACE_ADVANTAGE, NULL,
                                       advantages,          advantage_tests,      0};
