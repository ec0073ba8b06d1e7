/* policy.c - policy losses: one per-token loss out of a few, one reduction out of five, and extras.
 *
 *   loss = sum over tokens of  w_t * (c_t * l_t + beta * kl_t - entropy * H_t)
 *
 * w_t is the reduction's weight (reduce_weight), c_t the sampler correction and the off-policy mask
 * (constants), l_t the row's loss. On sequence level l is one number of the sequence, given to each of
 * its tokens. Every loss gives its derivative with respect to logp in closed form; ratios are
 * r = exp(logp - old). Where the host gives no old_logp the update is on-policy: r = 1.
 *
 * Invariants: a token of mask 0 and a sequence without mask change nothing; the same numbers in other
 * micro-batches give the same gradients, because w_t depends on totals of the whole step only.
 * Sources: the rows in policy_rows.c; objectives.md. */
#include "policy.h"

#include "hone/state.h"

typedef struct policy {
    memory mem;
    int entropy_field; /* its number in the table */
    const policy_row *row;
    uint32_t compat, reduce, kl, unbiased, sampler_level, sampler_mode, reject, mask_truncated;
    double eps_low, eps_high, delta, dual_clip, beta, max_length, entropy;
    double tau_pos, tau_neg, dro_beta, sampler_cap, sampler_floor, off_policy, top_entropy,
        entropy_target, vf_coef, vf_clip;
} policy;

enum { LEVEL_TOKEN, LEVEL_SEQUENCE };
enum { MODE_TRUNCATE, MODE_MASK };

hone_status policy_create(const policy_row *row, const hone_field *const *fields,
                          const hone_host *host, const hone_config *cfg, void **self_out)
{
    settings s = {cfg, fields};
    memory mem;
    policy *p;
    hone_status st = memory_init(&mem, host);
    if (st < 0)
        return st;
    p = memory_get(&mem, 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    memset(p, 0, sizeof *p);
    p->mem = mem;
    p->row = row;
    p->compat = settings_choice(&s, "compat", COMPAT_NONE);
    p->reduce = settings_choice(&s, "reduce", REDUCE_TOKEN_MEAN);
    p->eps_low = settings_f64(&s, "eps_low", 0);
    p->eps_high = settings_f64(&s, "eps_high", 0);
    p->delta = settings_f64(&s, "delta", 0);
    p->dual_clip = settings_f64(&s, "dual_clip", 0);
    if (p->compat == COMPAT_VERL && row->loss == LOSS_CLIP && !row->level &&
        !settings_given(&s, "dual_clip"))
        p->dual_clip = 3; /* verl clips twice unless told otherwise: clip_ratio_c */
    p->dro_beta = row->loss == LOSS_DRO ? settings_f64(&s, "beta", 0) : 0;
    p->beta = row->loss == LOSS_DRO ? 0 : settings_f64(&s, "beta", 0);
    p->kl = settings_choice(&s, "kl", KL_K3);
    p->unbiased = settings_choice(&s, "unbiased", 0);
    p->max_length = settings_f64(&s, "max_length", 0);
    p->entropy = settings_f64(&s, "entropy", 0);
    p->tau_pos = settings_f64(&s, "tau_pos", 1);
    p->tau_neg = settings_f64(&s, "tau_neg", 1);
    p->sampler_level = settings_choice(&s, "sampler_level", LEVEL_TOKEN);
    p->sampler_mode = settings_choice(&s, "sampler_mode", MODE_TRUNCATE);
    p->sampler_cap = settings_f64(&s, "sampler_cap", 0);
    p->sampler_floor = settings_f64(&s, "sampler_floor", 0);
    p->off_policy = settings_f64(&s, "off_policy_threshold", 0);
    p->top_entropy = settings_f64(&s, "top_entropy", 1);
    p->vf_coef = settings_f64(&s, "vf_coef", 0);
    p->vf_clip = settings_f64(&s, "vf_clip", 0);
    p->reject = settings_choice(&s, "reject", 0);
    if (p->reject) /* what is left keeps its weight */
        p->sampler_mode = MODE_MASK;
    p->mask_truncated = settings_choice(&s, "mask_truncated", 0);
    p->entropy_target = settings_f64(&s, "entropy_target", 0);
    p->entropy_field = settings_place(&s, "entropy");
    *self_out = p;
    return HONE_OK;
}

static void policy_destroy(void *self)
{
    policy *p = self;
    memory mem = p->mem;
    memory_put(&mem, p, 1, sizeof *p);
}

static int corrects_sampler(const policy *p)
{
    return p->sampler_cap > 0 || p->sampler_floor > 0;
}

static int rejects(const policy *p)
{
    return p->reject && corrects_sampler(p);
}

static uint32_t policy_uses(void *self)
{
    const policy *p = self;
    uint32_t u = HONE_OBJ_ADVANTAGE;
    if (p->row->ratio || corrects_sampler(p) || p->off_policy > 0)
        u |= HONE_OBJ_OLD;
    if (p->beta != 0)
        u |= HONE_OBJ_REF;
    if (corrects_sampler(p))
        u |= HONE_OBJ_SAMPLER;
    if (p->entropy != 0 || p->entropy_target > 0 || p->top_entropy < 1)
        u |= HONE_OBJ_ENTROPY;
    if (p->top_entropy < 1 || rejects(p)) /* what is rejected leaves the normalisers too */
        u |= HONE_OBJ_WHOLE_BATCH;
    if (p->mask_truncated)
        u |= HONE_OBJ_COMPLETED;
    if (p->vf_coef > 0)
        u |= HONE_OBJ_VALUE;
    return u;
}

/* ---- the losses: value, and its derivative in logp ---------------------------------------------- */

/* The ratio of a token for its log-ratio, and its derivative. verl and openrlhf hold log-ratios within +-20. */
static double token_ratio(const policy *p, double log_r, double *d)
{
    const int held = p->compat == COMPAT_VERL ||
                     (p->compat == COMPAT_OPENRLHF && p->row->loss == LOSS_CLIP);
    const double r = hone_exp(held ? clamped(log_r, -20, 20) : log_r);
    *d = held && (log_r < -20 || log_r > 20) ? 0 : r;
    return r;
}

/* The same of a sequence: verl holds the mean log-ratio of gspo below 10. */
static double sequence_ratio(const policy *p, double log_r, double *d)
{
    const int held = p->compat == COMPAT_VERL && p->row->loss != LOSS_GMPO && log_r > 10;
    const double r = hone_exp(held ? 10 : log_r);
    *d = held ? 0 : r;
    return r;
}

/* max(-r1 A, -clip(r) A), r1 = min(r, delta); at most -c A for A < 0 with a dual clip. `dr` is dr/dlogp. */
static double clip_loss(const policy *p, double r, double dr, double adv, double *d)
{
    double lo = 1 - p->eps_low, hi = 1 + p->eps_high;
    double r1 = r, d1 = dr, r2 = clamped(r, lo, hi), d2 = r < lo || r > hi ? 0 : dr;
    double l1, l2, l;
    if (adv == 0) { /* whatever r is, an infinite one too */
        *d = 0;
        return 0;
    }
    if (p->delta > 0 && r > p->delta) {
        r1 = p->delta;
        d1 = 0;
    }
    l1 = -r1 * adv;
    l2 = -r2 * adv;
    l = larger(l1, l2);
    *d = -adv * (l1 >= l2 ? d1 : d2);
    if (p->dual_clip > 0 && adv < 0 && l > -p->dual_clip * adv) {
        l = -p->dual_clip * adv;
        *d = 0;
    }
    return l;
}

static double token_loss(const policy *p, double logp, double log_r, double adv, double *d)
{
    double r, dr, cap, tau, s;
    switch (p->row->loss) {
    case LOSS_CLIP:
        r = token_ratio(p, log_r, &dr);
        return clip_loss(p, r, dr, adv, d);
    case LOSS_CISPO:
        r = token_ratio(p, log_r, &dr);
        cap = p->compat == COMPAT_TRL ? smaller(r, p->eps_high)
                                      : clamped(r, 1 - p->eps_low, 1 + p->eps_high);
        *d = -cap * adv;
        return -cap * adv * logp;
    case LOSS_SAPO:
        r = token_ratio(p, log_r, &dr);
        tau = adv > 0 ? p->tau_pos : p->tau_neg;
        s = hone_sigmoid(tau * (r - 1));
        *d = s < 1 ? -4 * s * (1 - s) * dr * adv : 0; /* r may be infinite there */
        return -(4 / tau) * s * adv;
    case LOSS_DRO:
        *d = -adv + p->dro_beta * log_r;
        return -(adv * logp - p->dro_beta / 2 * log_r * log_r);
    default: /* LOSS_LOGP */
        *d = -adv;
        return -adv * logp;
    }
}

/* Is the gmpo clamp open for this token: does its log-ratio count as it is? */
static int gmpo_open(const policy *p, double log_r, double adv)
{
    return adv > 0 ? log_r <= p->eps_high : adv < 0 ? log_r >= -p->eps_low : 0;
}

/* KL to the reference at one token and its derivative in logp. */
static double kl_term(const policy *p, double logp, double ref, double *d)
{
    double x = logp - ref, e, v;
    switch (p->kl) {
    case KL_K1:
        *d = 1;
        v = x;
        break;
    case KL_K2:
        *d = x;
        v = x * x / 2;
        break;
    case KL_ABS:
        *d = x > 0 ? 1 : x < 0 ? -1 : 0;
        v = hone_math_abs(x);
        break;
    default:
        e = hone_expm1(-x);
        *d = -e;
        v = e + x;
        break;
    }
    if (!kl_is_cut(p->compat, p->kl, v))
        return v;
    *d = 0;
    return v > 0 ? 10 : -10;
}

/* ---- one sequence ------------------------------------------------------------------------------- */

typedef struct sums { /* of the metrics */
    double n, r, r2, r_min, r_max, low, high, kl1, kl3, entropy;
} sums;

typedef struct sequence {
    size_t begin, end;
    double length, weight; /* reduce_weight */
    double gate;           /* sampler correction and off-policy mask of the whole sequence */
    double adv;            /* mean over the mask, for sequence-level losses */
    double mean_log_r;     /* of the (gmpo: clamped) log-ratios */
    double level_loss, level_d;
} sequence;

static double log_ratio(const hone_objective_in *in, size_t t)
{
    return in->old_logp ? in->logp[t] - in->old_logp[t] : 0;
}

static double sampler_log_ratio(const hone_objective_in *in, size_t t)
{
    double old = in->old_logp ? in->old_logp[t] : in->logp[t];
    return old - in->sampler_logp[t];
}

static double sampler_bound(const policy *p, double w)
{
    double cap = p->sampler_cap > 0 ? p->sampler_cap : hone_math_inf();
    if (p->sampler_mode == MODE_MASK)
        return w > cap || w < p->sampler_floor ? 0 : w;
    return clamped(w, p->sampler_floor, cap);
}

/* The constant factor of the whole sequence. */
static double sequence_gate(const policy *p, const hone_objective_in *in, const sequence *q)
{
    double gate = 1, sum = 0, kl = 0;
    if (corrects_sampler(p) && p->sampler_level == LEVEL_SEQUENCE) {
        for (size_t t = q->begin; t < q->end; t++)
            sum += in->mask[t] * sampler_log_ratio(in, t);
        if (p->compat == COMPAT_OPENRLHF && p->sampler_mode == MODE_MASK)
            gate = sampler_bound(p, hone_exp(sum / q->length)) > 0 ? 1 : 0;
        else
            gate = sampler_bound(p, hone_exp(sum));
    }
    if (p->off_policy > 0 && q->adv < 0) {
        for (size_t t = q->begin; t < q->end; t++) {
            double from = in->sampler_logp ? in->sampler_logp[t]
                          : in->old_logp   ? in->old_logp[t]
                                           : in->logp[t];
            kl += in->mask[t] * (from - in->logp[t]);
        }
        if (kl / q->length > p->off_policy)
            gate = 0;
    }
    return gate;
}

static double token_gate(const policy *p, const hone_objective_in *in, const sequence *q, size_t t)
{
    if (!corrects_sampler(p))
        return q->gate;
    if (p->sampler_level == LEVEL_TOKEN)
        return q->gate * sampler_bound(p, hone_exp(sampler_log_ratio(in, t)));
    if (p->compat == COMPAT_OPENRLHF && p->sampler_mode == MODE_MASK)
        return q->gate > 0 ? q->gate * hone_exp(sampler_log_ratio(in, t)) : 0;
    return q->gate;
}

/* Loss of the sequence as a whole and its derivative in the mean log-ratio. */
static void sequence_loss(const policy *p, const hone_objective_in *in, sequence *q)
{
    double sum = 0, r, dr;
    for (size_t t = q->begin; t < q->end; t++) {
        double x = log_ratio(in, t);
        if (p->row->loss == LOSS_GMPO && !gmpo_open(p, x, q->adv))
            x = q->adv > 0 ? p->eps_high : q->adv < 0 ? -p->eps_low : 0;
        sum += in->mask[t] * x;
    }
    q->mean_log_r = sum / q->length;
    r = sequence_ratio(p, q->mean_log_r, &dr);
    if (p->row->loss == LOSS_GMPO) {
        q->level_loss = q->level_d = -q->adv * r;
        return;
    }
    q->level_loss = clip_loss(p, r, dr, q->adv, &q->level_d);
}

/* Counts a token for the metrics. `r` is the ratio that the loss uses. */
static void count_token(const policy *p, const hone_objective_in *in, size_t t, double r,
                        double adv, sums *m)
{
    double w = in->mask[t];
    m->n += w;
    m->r += w * r;
    m->r2 += w * r * r;
    m->r_min = smaller(m->r_min, r);
    m->r_max = larger(m->r_max, r);
    switch (p->row->loss) {
    case LOSS_CLIP:
    case LOSS_GSPO_TOKEN:
        m->low += w * (adv < 0 && r < 1 - p->eps_low);
        m->high += w * (adv > 0 && r > 1 + p->eps_high);
        break;
    case LOSS_CISPO:
        m->low += w * (p->compat != COMPAT_TRL && adv < 0 && r < 1 - p->eps_low);
        m->high += w * (adv > 0 && r > (p->compat == COMPAT_TRL ? p->eps_high : 1 + p->eps_high));
        break;
    case LOSS_GMPO:
        m->low += w * (adv < 0 && !gmpo_open(p, log_ratio(in, t), adv));
        m->high += w * (adv > 0 && !gmpo_open(p, log_ratio(in, t), adv));
        break;
    default:
        break;
    }
    if (in->ref_logp) {
        double x = in->logp[t] - in->ref_logp[t];
        m->kl1 += w * x;
        m->kl3 += w * (hone_expm1(-x) + x);
    }
    if (in->entropy)
        m->entropy += w * in->entropy[t];
}

static double one_sequence(const policy *p, const hone_objective_in *in, sequence *q,
                           double entropy_floor, double entropy_tokens, hone_objective_out *out,
                           sums *m)
{
    int level = p->row->level == LEVEL_SEQUENCE;
    double loss = 0, level_weight = 0, kl_weight = 0, d, dr;
    if (level)
        sequence_loss(p, in, q);
    for (size_t t = q->begin; t < q->end; t++) {
        double w = q->weight * in->mask[t], log_r = log_ratio(in, t), adv = in->advantage[t];
        double c, r = level || p->row->loss == LOSS_GSPO_TOKEN ? hone_exp(q->mean_log_r)
                                                               : hone_exp(log_r);
        if (in->mask[t] == 0)
            continue;
        c = token_gate(p, in, q, t);
        if (p->top_entropy < 1 && in->entropy[t] < entropy_floor)
            c = 0;
        if (level) {
            loss += w * c * q->level_loss;
            level_weight += w * c;
        } else if (p->row->loss == LOSS_GSPO_TOKEN) {
            r = sequence_ratio(p, q->mean_log_r, &dr);
            loss += w * c * clip_loss(p, r, dr, adv, &d);
            out->grad_logp[t] += w * c * d;
        } else {
            loss += w * c * token_loss(p, in->logp[t], log_r, adv, &d);
            out->grad_logp[t] += w * c * d;
        }
        if (p->beta != 0) {
            double kl = kl_term(p, in->logp[t], in->ref_logp[t], &d);
            if (p->unbiased &&
                level) { /* r is the sequence's: its derivative goes to every token */
                loss += w * p->beta * r * kl;
                out->grad_logp[t] += w * p->beta * r * d;
                kl_weight += w * p->beta * r * kl;
            } else if (p->unbiased) {
                loss += w * p->beta * r * kl;
                out->grad_logp[t] += w * p->beta * r * (d + kl);
            } else {
                loss += w * p->beta * kl;
                out->grad_logp[t] += w * p->beta * d;
            }
        }
        if (p->entropy != 0) {
            double we = w;
            if (p->compat ==
                COMPAT_TRL) /* a mean over the tokens that train, whatever `reduce` says */
                we = p->top_entropy < 1 && in->entropy[t] < entropy_floor
                         ? 0
                         : in->mask[t] / entropy_tokens;
            loss -= we * p->entropy * in->entropy[t];
            if (out->grad_entropy)
                out->grad_entropy[t] -= we * p->entropy;
        }
        count_token(p, in, t, r, level ? q->adv : adv, m);
    }
    if (level) {
        double g = (level_weight * q->level_d + kl_weight) / q->length;
        for (size_t t = q->begin; t < q->end; t++)
            if (p->row->loss != LOSS_GMPO || gmpo_open(p, log_ratio(in, t), q->adv))
                out->grad_logp[t] += g * in->mask[t];
    }
    return loss;
}

/* ---- a call ------------------------------------------------------------------------------------- */

static hone_status check_input(const policy *p, const hone_objective_in *in, const totals *all)
{
    const hone_host *host = p->mem.host;
    const char *name = p->row->name;
    if (!in->advantage)
        return hone_host_fail(host, HONE_E_INVALID, "%s: needs advantages", name);
    if (p->beta != 0 && !in->ref_logp)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: beta is %g but there are no reference log-probs", name, p->beta);
    if (corrects_sampler(p) && !in->sampler_logp)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: sampler_cap is set but there are no sampler log-probs", name);
    if ((p->entropy != 0 || p->entropy_target > 0 || p->top_entropy < 1) && !in->entropy)
        return hone_host_fail(host, HONE_E_INVALID, "%s: entropy is set but there are no entropies",
                              name);
    if (p->reduce == REDUCE_SEQ_MEAN_TOKEN_SUM_NORM && all->max_length <= 0)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: divides by the longest completion, but max_length is not set",
                              name);
    return HONE_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The entropy that the share `top_entropy` of all trained tokens reaches (linear between ranks). */
static hone_status find_entropy_floor(const policy *p, const hone_objective_in *in, double *out)
{
    double *sorted = memory_get(&p->mem, in->n_tokens, sizeof *sorted), at;
    size_t n = 0, i;
    if (!sorted)
        return HONE_E_NOMEM;
    for (size_t t = 0; t < in->n_tokens; t++)
        if (in->mask[t] != 0)
            sorted[n++] = in->entropy[t];
    qsort(sorted, n, sizeof *sorted, by_value);
    *out = 0;
    if (n) {
        at = (1 - p->top_entropy) * (double)(n - 1);
        i = (size_t)at;
        *out = i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i])
                         : sorted[n - 1];
    }
    memory_put(&p->mem, sorted, in->n_tokens, sizeof *sorted);
    return HONE_OK;
}

static void put_metrics(const hone_objective_in *in, const sums *m, const hone_objective_out *out)
{
    if (!out->metric || m->n <= 0)
        return;
    put_mean(out, "ratio/mean", m->r, m->n);
    out->metric(out, "ratio/min", HONE_METRIC_MIN, m->r_min, 1);
    out->metric(out, "ratio/max", HONE_METRIC_MAX, m->r_max, 1);
    out->metric(out, "ratio/ess", HONE_METRIC_MEAN, m->r2 > 0 ? m->r * m->r / (m->n * m->r2) : 0,
                m->n);
    put_mean(out, "clip/low", m->low, m->n);
    put_mean(out, "clip/high", m->high, m->n);
    if (in->ref_logp) {
        put_mean(out, "kl/k1", m->kl1, m->n);
        put_mean(out, "kl/k3", m->kl3, m->n);
    }
    if (in->entropy)
        put_mean(out, "entropy", m->entropy, m->n);
}

/* The mask without what the sampler correction rejects: tokens, or sequences, whose ratio is outside the bounds. */
static void reject(const policy *p, const hone_objective_in *in, double *mask)
{
    for (size_t s = 0; s < in->n_seqs; s++) {
        const size_t begin = in->seq_begin[s], end = in->seq_begin[s + 1];
        double sum = 0, n = 0, w;
        for (size_t t = begin; t < end; t++) {
            sum += in->mask[t] * sampler_log_ratio(in, t);
            n += in->mask[t];
        }
        if (p->compat == COMPAT_OPENRLHF && n > 0)
            sum /= n;
        w = hone_exp(sum);
        for (size_t t = begin; t < end; t++) {
            if (p->sampler_level == LEVEL_TOKEN)
                w = hone_exp(sampler_log_ratio(in, t));
            mask[t] = w < p->sampler_floor || (p->sampler_cap > 0 && w > p->sampler_cap)
                          ? 0
                          : in->mask[t];
        }
    }
}

static hone_status all_sequences(const policy *p, const hone_objective_in *in,
                                 hone_objective_out *out);

static hone_status policy_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const policy *p = self;
    double *mask, before = 0, after = 0;
    hone_objective_in left;
    hone_status st;
    if (!rejects(p) || !fits_shape(in, out) || !in->sampler_logp)
        return all_sequences(p, in, out);
    mask = memory_get(&p->mem, in->n_tokens, sizeof *mask);
    if (!mask)
        return HONE_E_NOMEM;
    for (size_t t = 0; t < in->n_tokens; t++)
        mask[t] = 0; /* of tokens that are nobody's */
    reject(p, in, mask);
    memset(&left, 0, sizeof left);
    memcpy(&left, in, in->struct_size < sizeof left ? in->struct_size : sizeof left);
    left.mask = mask;
    left.total_tokens = left.total_seqs = 0; /* counted anew */
    for (size_t t = 0; t < in->n_tokens; t++) {
        before += in->mask[t];
        after += mask[t];
    }
    put_mean(out, "rejected", before - after, before);
    st = all_sequences(p, &left, out);
    memory_put(&p->mem, mask, in->n_tokens, sizeof *mask);
    return st;
}

static hone_status all_sequences(const policy *p, const hone_objective_in *in,
                                 hone_objective_out *out)
{
    totals all;
    sums m = {0, 0, 0, hone_math_inf(), -hone_math_inf(), 0, 0, 0, 0, 0};
    double loss = 0, entropy_floor = 0, entropy_tokens;
    hone_status st;
    if (!fits_shape(in, out))
        return hone_host_fail(p->mem.host, HONE_E_SHAPE, "%s: the sequences do not fit the arrays",
                              p->row->name);
    all = totals_of(in);
    if (p->max_length > 0)
        all.max_length = p->max_length;
    st = check_input(p, in, &all);
    if (st >= 0 && p->top_entropy < 1)
        st = find_entropy_floor(p, in, &entropy_floor);
    if (st < 0)
        return st;
    entropy_tokens = all.tokens;
    if (p->top_entropy < 1 && in->entropy) {
        entropy_tokens = 0;
        for (size_t s = 0; s < in->n_seqs; s++)
            for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++)
                entropy_tokens += in->entropy[t] >= entropy_floor ? in->mask[t] : 0;
    }
    for (size_t s = 0; s < in->n_seqs; s++) {
        sequence q = {.begin = in->seq_begin[s], .end = in->seq_begin[s + 1], .gate = 1};
        q.length = length_of(in, s);
        if (q.length <= 0)
            continue;
        q.weight = reduce_weight(p->reduce, &all, q.length);
        for (size_t t = q.begin; t < q.end; t++) {
            q.adv += in->mask[t] * in->advantage[t];
            q.mean_log_r += in->mask[t] * log_ratio(in, t);
        }
        q.adv /= q.length;
        q.mean_log_r /= q.length;
        q.gate = sequence_gate(p, in, &q);
        loss += one_sequence(p, in, &q, entropy_floor, entropy_tokens, out, &m);
    }
    if (p->vf_coef > 0) {
        st = value_loss(&p->mem, p->row->name, in, &all, p->vf_coef, p->vf_clip, out, &loss);
        if (st < 0)
            return st;
    }
    out->loss = loss;
    put_metrics(in, &m, out);
    return HONE_OK;
}

static hone_str policy_show(void *self)
{
    const policy *p = self;
    return hone_str_c(p->row->show);
}

/* Adaptive entropy: the weight changes between updates. */
static hone_status policy_apply(void *self, const hone_config *cfg)
{
    policy *p = self;
    if (p->entropy_field >= 0)
        p->entropy = cfg->f64(cfg, (uint32_t)p->entropy_field);
    return HONE_OK;
}

static const hone_live_v1 policy_live = {sizeof(hone_live_v1), 0, policy_apply};
static const hone_objective_v1 policy_vtable = {
    sizeof(hone_objective_v1), 0, policy_uses, policy_loss, policy_show, NULL};

const void *policy_get_iface(void *self, const char *iface_id)
{
    (void)self;
    if (same_text(iface_id, HONE_IFACE_LIVE))
        return &policy_live;
    return same_text(iface_id, HONE_IFACE_OBJECTIVE) ? &policy_vtable : NULL;
}

void policy_release(void *self)
{
    policy_destroy(self);
}
