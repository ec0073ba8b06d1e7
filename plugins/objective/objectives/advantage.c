/* advantage.c - from the rewards of a batch to one number a sequence, or one a token.
 *
 * First the rewards of each sequence become one number: the weighted sum. A sequence for which a
 * weighted reward is missing leaves its group (missing = skip), or keeps what is there (zero); one that
 * left takes no part in any statistic and gets advantage 0. Then the row's rule, over groups of equal
 * group id, which need not lie side by side.
 *
 * Means are taken as first + mean of differences, so that a group of equal rewards gives exactly 0.
 * Order of the sequences decides only the last bits of sums. Sources: advantage_rows.c, objectives.md. */
#include "advantage.h"

typedef struct advantage {
    memory mem;
    const advantage_row *row;
    uint32_t compat, scale, missing, kl, whiten, length_mode;
    double eps, gamma, lambda, beta, reward_clip, overlong_buffer, overlong_penalty, length_penalty,
        max_length, advantage_clip;
} advantage;

enum { SCALE_GROUP, SCALE_BATCH, SCALE_NONE };
enum { MISSING_SKIP, MISSING_ZERO };
enum { LENGTH_LINEAR, LENGTH_GROUP };

hone_status advantage_create(const advantage_row *row, const hone_field *const *fields,
                             const hone_host *host, const hone_config *cfg, void **self_out)
{
    static const double eps_of[] = {1e-6, 1e-4, 1e-6, 1e-9}; /* by compat */
    settings s = {cfg, fields};
    memory mem;
    advantage *p;
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
    p->scale = settings_choice(&s, "scale", SCALE_GROUP);
    p->missing = settings_choice(&s, "missing", MISSING_SKIP);
    if (p->compat == COMPAT_TRL && !settings_given(&s, "missing"))
        p->missing = MISSING_ZERO;
    p->eps = settings_f64(&s, "eps", 0);
    if (p->compat < sizeof eps_of / sizeof *eps_of && !settings_given(&s, "eps"))
        p->eps = eps_of[p->compat];
    p->gamma = settings_f64(&s, "gamma", 1);
    p->lambda = settings_f64(&s, "lambda", 1);
    p->beta = settings_f64(&s, "beta", 0);
    p->kl = settings_choice(&s, "kl", KL_K1);
    p->whiten = settings_choice(&s, "whiten", 1);
    p->reward_clip = settings_f64(&s, "reward_clip", 0);
    p->overlong_buffer = settings_f64(&s, "overlong_buffer", 0);
    p->overlong_penalty = settings_f64(&s, "overlong_penalty", 0);
    p->length_penalty = settings_f64(&s, "length_penalty", 0);
    p->length_mode = settings_choice(&s, "length_mode", LENGTH_LINEAR);
    p->max_length = settings_f64(&s, "max_length", 0);
    p->advantage_clip = settings_f64(&s, "advantage_clip", 0);
    *self_out = p;
    return HONE_OK;
}

void advantage_release(void *self)
{
    memory mem = ((advantage *)self)->mem;
    memory_put(&mem, self, 1, sizeof(advantage));
}

/* ---- statistics over a set of sequences ----------------------------------------------------------- */

typedef struct member {
    size_t seq;
    uint32_t group;
} member;

typedef struct stats {
    size_t n;
    double mean, std, max, second; /* std: of the sample (n - 1), 0 for one */
    size_t best;                   /* first of the largest */
} stats;

/* x over a deviation, which is 0 where all numbers are equal and eps is 0: so is x then. */
static double over(double x, double deviation)
{
    return deviation > 0 ? x / deviation : 0;
}

static stats stats_of(const double *x, const member *m, size_t n)
{
    stats s = {n, 0, 0, -hone_math_inf(), -hone_math_inf(), 0};
    double first, sum = 0, square = 0;
    if (n == 0)
        return s;
    first = x[m[0].seq];
    for (size_t i = 0; i < n; i++) {
        double v = x[m[i].seq];
        sum += v - first;
        if (v > s.max) {
            s.second = s.max;
            s.max = v;
            s.best = m[i].seq;
        } else if (v > s.second) {
            s.second = v;
        }
    }
    s.mean = first + sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[m[i].seq] - s.mean) * (x[m[i].seq] - s.mean);
    if (n > 1)
        s.std = hone_sqrt(square / (double)(n - 1));
    return s;
}

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The members from `i` on that share its group. */
static size_t group_size(const member *m, size_t i, size_t n)
{
    size_t k = i;
    while (k < n && m[k].group == m[i].group)
        k++;
    return k - i;
}

typedef struct work {
    double *reward;   /* n_seqs: combined */
    member *members;  /* those that stayed, sorted by group */
    size_t n_members; /* <= n_seqs */
    double *scratch;  /* larger of n_seqs and n_tokens */
    size_t n_scratch;
} work;

/* Weighted sum of what is there; 1 when the sequence stays. */
static int combine(const advantage *p, const hone_advantage_in *in, size_t s, double *sum)
{
    size_t there = 0, missing = 0;
    *sum = 0;
    for (size_t k = 0; k < in->n_rewards; k++) {
        double w = in->weights ? in->weights[k] : 1;
        if (w == 0)
            continue;
        if (in->scored && !in->scored[k * in->n_seqs + s]) {
            missing++;
            continue;
        }
        there++;
        *sum += w * in->rewards[k * in->n_seqs + s];
    }
    return there > 0 && (missing == 0 || p->missing == MISSING_ZERO);
}

/* ---- shaping ----------------------------------------------------------------------------------------- */

static double longest_allowed(const advantage *p, const hone_advantage_in *in)
{
    const size_t covered = offsetof(hone_advantage_in, max_length) + sizeof in->max_length;
    return p->max_length > 0 ? p->max_length : in->struct_size >= covered ? in->max_length : 0;
}

static double kl_penalty(const advantage *p, const hone_advantage_in *in, size_t t);

/* What each R becomes before the row's rule; the members are sorted by group. */
static void shape_rewards(const advantage *p, const hone_advantage_in *in, work *w)
{
    const double longest = longest_allowed(p, in), b = p->overlong_buffer;
    for (size_t i = 0, n; i < w->n_members; i += n) {
        const member *m = w->members + i;
        double least = hone_math_inf(), most = -least;
        n = group_size(w->members, i, w->n_members);
        for (size_t k = 0; in->length && k < n; k++) {
            least = smaller(least, in->length[m[k].seq]);
            most = larger(most, in->length[m[k].seq]);
        }
        for (size_t k = 0; k < n; k++) {
            const size_t s = m[k].seq;
            const double correct = w->reward[s];
            double r = correct;
            if (p->reward_clip > 0)
                r = clamped(r, -p->reward_clip, p->reward_clip);
            if (b > 0) {
                const double over = in->length[s] - (longest - b);
                r -= p->overlong_penalty * larger(over, 0) / b;
            }
            if (p->length_penalty != 0 && p->length_mode == LENGTH_LINEAR)
                r -= p->length_penalty * in->length[s] / longest;
            if (p->length_penalty != 0 && p->length_mode == LENGTH_GROUP && most > least) {
                const double part = .5 - (in->length[s] - least) / (most - least);
                r += p->length_penalty * (correct > 0 ? part : smaller(part, 0));
            }
            if (p->beta != 0 && p->row->kind != ADV_REINFORCE_PP && p->row->kind != ADV_GAE)
                for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++)
                    r -= in->mask[t] != 0 ? in->mask[t] * kl_penalty(p, in, t) : 0;
            w->reward[s] = r;
        }
    }
}

static void clip_advantages(const advantage *p, const hone_advantage_in *in,
                            hone_advantage_out *out)
{
    const double c = p->advantage_clip;
    for (size_t s = 0; c > 0 && s < in->n_seqs; s++) {
        double sum = 0, n = 0;
        if (!out->per_token) {
            out->seq[s] = clamped(out->seq[s], -c, c);
            continue;
        }
        for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
            out->token[t] = clamped(out->token[t], -c, c);
            sum += in->mask[t] * out->token[t];
            n += in->mask[t];
        }
        out->seq[s] = n > 0 ? sum / n : 0;
    }
}

/* ---- one number a sequence ------------------------------------------------------------------------ */

static void by_groups(const advantage *p, const hone_advantage_in *in, const work *w, double *seq)
{
    double batch_std = p->scale == SCALE_BATCH ? stats_of(w->reward, w->members, w->n_members).std
                                               : 0;
    double nonzero = 0;
    for (size_t i = 0; i < w->n_members; i++)
        nonzero += w->reward[w->members[i].seq] != 0;
    for (size_t i = 0, n; i < w->n_members; i += n) {
        const member *m = w->members + i;
        stats g;
        double weighted = 0, length = 0;
        n = group_size(w->members, i, w->n_members);
        g = stats_of(w->reward, m, n);
        if (p->compat == COMPAT_VERL && n == 1) { /* verl: a group of one has mean 0 and std 1 */
            g.mean = 0;
            g.std = 1;
        }
        for (size_t k = 0; k < n; k++) {
            double len = in->length ? in->length[m[k].seq] : 1;
            weighted += len * w->reward[m[k].seq];
            length += len;
        }
        for (size_t k = 0; k < n; k++) {
            size_t s = m[k].seq;
            double r = w->reward[s], centred = r - g.mean;
            switch (p->row->kind) {
            case ADV_GROUP:
                seq[s] = p->scale == SCALE_NONE    ? centred
                         : p->scale == SCALE_BATCH ? over(centred, batch_std + p->eps)
                                                   : over(centred, g.std + p->eps);
                break;
            case ADV_RLOO:
                seq[s] = n > 1                      ? centred * (double)n / (double)(n - 1)
                         : p->compat == COMPAT_VERL ? r
                                                    : 0;
                break;
            case ADV_PASSK:
                seq[s] = n > 1 && s == g.best ? over(g.max - g.second, g.std + p->eps) : 0;
                break;
            case ADV_OPO:
                seq[s] = p->compat == COMPAT_VERL && n == 1 ? r
                         : length > 0                       ? r - weighted / length
                                                            : 0;
                break;
            case ADV_GPG:
                seq[s] = centred * (double)w->n_members / larger(nonzero, 1);
                break;
            case ADV_REMAX:
                seq[s] = r - in->baseline[s];
                break;
            default: /* ADV_DR_GRPO, and the start of reinforce++_baseline */
                seq[s] = centred;
                break;
            }
        }
    }
}

/* Each reward standardised in its group, weighted sum, standardised over the batch. */
static void normalize_then_sum(const advantage *p, const hone_advantage_in *in, work *w,
                               double *seq)
{
    stats all;
    for (size_t i = 0; i < w->n_members; i++)
        seq[w->members[i].seq] = 0;
    for (size_t k = 0; k < in->n_rewards; k++) {
        const double *reward = in->rewards + k * in->n_seqs;
        const uint8_t *scored = in->scored ? in->scored + k * in->n_seqs : NULL;
        double weight = in->weights ? in->weights[k] : 1;
        member *kept = (member *)(void *)w->scratch;
        if (weight == 0)
            continue;
        for (size_t i = 0, n; i < w->n_members; i += n) {
            size_t m = 0;
            stats g;
            n = group_size(w->members, i, w->n_members);
            for (size_t j = 0; j < n; j++)
                if (!scored || scored[w->members[i + j].seq])
                    kept[m++] = w->members[i + j];
            g = stats_of(reward, kept, m);
            if (p->compat == COMPAT_VERL && m == 1) { /* as in by_groups */
                g.mean = 0;
                g.std = 1;
            }
            for (size_t j = 0; j < m; j++)
                seq[kept[j].seq] += over(weight * (reward[kept[j].seq] - g.mean), g.std + p->eps);
        }
    }
    all = stats_of(seq, w->members, w->n_members);
    if (p->compat == COMPAT_VERL) { /* whitened over tokens: each sequence as often as it is long */
        double n = 0, sum = 0, square = 0;
        for (size_t i = 0; i < w->n_members; i++) {
            const size_t s = w->members[i].seq;
            const double length = in->length ? in->length[s] : 1;
            n += length;
            sum += length * (seq[s] - all.mean);
        }
        all.mean += n > 0 ? sum / n : 0;
        for (size_t i = 0; i < w->n_members; i++) {
            const size_t s = w->members[i].seq;
            square += (in->length ? in->length[s] : 1) * (seq[s] - all.mean) * (seq[s] - all.mean);
        }
        all.std = hone_sqrt((n > 1 ? square / (n - 1) : 0) + 1e-8);
        for (size_t i = 0; i < w->n_members; i++)
            seq[w->members[i].seq] = (seq[w->members[i].seq] - all.mean) / all.std;
        return;
    }
    for (size_t i = 0; i < w->n_members; i++)
        seq[w->members[i].seq] = over(seq[w->members[i].seq] - all.mean, all.std + p->eps);
}

/* ---- one number a token --------------------------------------------------------------------------- */

static int stayed(const hone_advantage_out *out, size_t s)
{
    return !out->left_out[s];
}

/* (x - mean) / sqrt(var + 1e-8) over the trained tokens of those that stayed, var with n - 1. openrlhf: var with n, at
 * least 1e-8. */
static void whiten_tokens(const advantage *p, const hone_advantage_in *in,
                          const hone_advantage_out *out, double *x, int masked_too)
{
    double n = 0, mean = 0, var = 0, first = 0, scale;
    int any = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t s = 0; s < in->n_seqs; s++) {
            for (size_t t = in->seq_begin[s]; stayed(out, s) && t < in->seq_begin[s + 1]; t++) {
                if (in->mask[t] == 0)
                    continue;
                if (pass == 0) {
                    if (!any)
                        first = x[t];
                    any = 1;
                    n += in->mask[t];
                    mean += in->mask[t] * (x[t] - first);
                } else {
                    var += in->mask[t] * (x[t] - mean) * (x[t] - mean);
                }
            }
        }
        if (pass == 0 && n > 0)
            mean = first + mean / n;
    }
    if (n <= 0)
        return;
    if (p->compat == COMPAT_OPENRLHF) {
        scale = 1 / hone_sqrt(larger(var / n, 1e-8));
    } else {
        var = n > 1 ? var / n * (n / (n - 1)) : 0;
        scale = 1 / hone_sqrt(var + 1e-8);
    }
    for (size_t s = 0; s < in->n_seqs; s++)
        for (size_t t = in->seq_begin[s]; stayed(out, s) && t < in->seq_begin[s + 1]; t++)
            x[t] = in->mask[t] != 0 || masked_too ? (x[t] - mean) * scale : 0;
}

static double kl_penalty(const advantage *p, const hone_advantage_in *in, size_t t)
{
    double x;
    if (p->beta == 0)
        return 0;
    x = in->logp[t] - in->ref_logp[t];
    if (p->kl == KL_K2)
        x = x * x / 2;
    else if (p->kl == KL_K3)
        x = hone_expm1(-x) + x;
    else if (p->kl == KL_ABS)
        x = hone_math_abs(x);
    return p->beta * (!kl_is_cut(p->compat, p->kl, x) ? x : x > 0 ? 10 : -10);
}

/* The last trained token of a sequence, or its begin - 1 wrapped to SIZE_MAX when there is none. */
static size_t last_token(const hone_advantage_in *in, size_t s)
{
    for (size_t t = in->seq_begin[s + 1]; t > in->seq_begin[s]; t--)
        if (in->mask[t - 1] != 0)
            return t - 1;
    return SIZE_MAX;
}

/* Discounted returns: the sequence's reward at its last token, less the KL penalty of each token. */
static void returns_of(const advantage *p, const hone_advantage_in *in, const work *w, size_t s,
                       double *x)
{
    size_t last = last_token(in, s);
    double run = 0;
    for (size_t t = in->seq_begin[s + 1]; t > in->seq_begin[s]; t--) {
        size_t i = t - 1;
        if (in->mask[i] == 0) {
            if (p->compat == COMPAT_OPENRLHF) /* there a hole is a step without a reward */
                run *= p->gamma;
            x[i] = 0;
            continue;
        }
        run = (i == last ? w->reward[s] : 0) - kl_penalty(p, in, i) + p->gamma * run;
        x[i] = run;
    }
}

static void gae_of(const advantage *p, const hone_advantage_in *in, const work *w, size_t s,
                   double *x)
{
    size_t last = last_token(in, s);
    double next = 0, run = 0;
    for (size_t t = in->seq_begin[s + 1]; t > in->seq_begin[s]; t--) {
        size_t i = t - 1;
        if (in->mask[i] != 0) {
            double r = (i == last ? w->reward[s] : 0) - kl_penalty(p, in, i);
            run = r + p->gamma * next - in->value[i] + p->gamma * p->lambda * run;
            next = in->value[i];
        } else if (p->compat ==
                   COMPAT_OPENRLHF) { /* there a hole is a step without reward and value */
            run = p->gamma * next + p->gamma * p->lambda * run;
            next = 0;
        }
        x[i] = in->mask[i] != 0 || p->compat == COMPAT_VERL ? run : 0;
    }
}

static void per_token(const advantage *p, const hone_advantage_in *in, const work *w,
                      hone_advantage_out *out)
{
    double *x = out->token;
    /* verl whitens gae without masking again: its padding carries numbers, which nobody reads */
    int masked_too = p->row->kind == ADV_GAE && p->compat == COMPAT_VERL;
    if (p->row->kind == ADV_REINFORCE_PP_BASELINE)
        by_groups(p, in, w, out->seq);
    for (size_t s = 0; s < in->n_seqs; s++) {
        size_t begin = in->seq_begin[s], end = in->seq_begin[s + 1];
        for (size_t t = begin; t < end; t++)
            x[t] = 0;
        if (!stayed(out, s))
            continue;
        switch (p->row->kind) {
        case ADV_REINFORCE_PP:
            returns_of(p, in, w, s, x);
            break;
        case ADV_GAE:
            gae_of(p, in, w, s, x);
            for (size_t t = begin;
                 out->struct_size >= offsetof(hone_advantage_out, returns) + sizeof out->returns &&
                 out->returns && t < end;
                 t++)
                out->returns[t] = x[t] + in->value[t];
            break;
        case ADV_OPD:
            for (size_t t = begin; t < end; t++)
                x[t] = in->mask[t] != 0 ? -(in->logp[t] - in->ref_logp[t]) : 0;
            break;
        default:
            for (size_t t = begin; t < end; t++)
                x[t] = in->mask[t] != 0 ? out->seq[s] : 0;
            break;
        }
    }
    if (p->whiten && p->row->kind != ADV_OPD)
        whiten_tokens(p, in, out, x, masked_too);
    for (size_t s = 0; s < in->n_seqs; s++) { /* for the metrics: the mean of each */
        double sum = 0, n = 0;
        for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
            sum += in->mask[t] * x[t];
            n += in->mask[t];
        }
        out->seq[s] = n > 0 ? sum / n : 0;
    }
    out->per_token = 1;
}

/* ---- a call --------------------------------------------------------------------------------------- */

static hone_status check_input(const advantage *p, const hone_advantage_in *in,
                               const hone_advantage_out *out)
{
    const hone_host *host = p->mem.host;
    const char *name = p->row->name;
    const size_t covered = offsetof(hone_advantage_out, n_tokens) + sizeof out->n_tokens;
    if (in->n_seqs && (!out->seq || !out->left_out))
        return hone_host_fail(host, HONE_E_SHAPE, "%s: there is no room for seq and left_out",
                              name);
    if (out->struct_size >= covered && ((out->n_seqs && out->n_seqs != in->n_seqs) ||
                                        (out->n_tokens && out->n_tokens != in->n_tokens)))
        return hone_host_fail(host, HONE_E_SHAPE, "%s: in and out differ in their lengths", name);
    for (size_t s = 0; in->seq_begin && s < in->n_seqs; s++)
        if (in->seq_begin[s] > in->seq_begin[s + 1] ||
            (in->n_tokens && in->seq_begin[s + 1] > in->n_tokens))
            return hone_host_fail(host, HONE_E_SHAPE, "%s: the sequences do not fit the arrays",
                                  name);
    if (p->row->kind == ADV_REMAX && !in->baseline)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: needs the rewards of the greedy answers (baseline)", name);
    if ((p->overlong_buffer > 0 || p->length_penalty != 0) && !in->length)
        return hone_host_fail(host, HONE_E_INVALID, "%s: needs lengths for its length penalty",
                              name);
    if ((p->overlong_buffer > 0 || (p->length_penalty != 0 && p->length_mode == LENGTH_LINEAR)) &&
        longest_allowed(p, in) <= 0)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: a length penalty is set, but max_length is not", name);
    if (p->beta != 0 && (!in->seq_begin || !in->mask || !in->logp || !in->ref_logp))
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: beta is %g, so it needs log-probs of the policy and of the "
                              "reference",
                              name, p->beta);
    if (p->row->kind < ADV_REINFORCE_PP)
        return HONE_OK;
    if (!in->seq_begin || !in->mask || !out->token)
        return hone_host_fail(host, HONE_E_INVALID, "%s: is per token and needs the token mask",
                              name);
    if (p->row->kind == ADV_GAE && !in->value)
        return hone_host_fail(host, HONE_E_INVALID, "%s: needs values", name);
    if (p->row->kind == ADV_OPD && (!in->logp || !in->ref_logp))
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: needs log-probs of the policy and of the teacher", name);
    return HONE_OK;
}

static hone_status advantage_compute(void *self, const hone_advantage_in *in,
                                     hone_advantage_out *out)
{
    const advantage *p = self;
    work w = {0};
    size_t size = in->n_seqs > in->n_tokens ? in->n_seqs : in->n_tokens;
    hone_status st = check_input(p, in, out);
    _Static_assert(sizeof(member) <= 2 * sizeof(double), "scratch holds members");
    if (st < 0)
        return st;
    w.n_scratch = size;
    w.reward = memory_get(&p->mem, in->n_seqs, sizeof *w.reward);
    w.members = memory_get(&p->mem, in->n_seqs, sizeof *w.members);
    w.scratch = memory_get(&p->mem, 2 * size, sizeof *w.scratch);
    if (!w.reward || !w.members || !w.scratch) {
        st = HONE_E_NOMEM;
        goto done;
    }
    for (size_t s = 0; s < in->n_seqs; s++) {
        int stays = p->row->kind == ADV_OPD ? 1 : combine(p, in, s, &w.reward[s]);
        if (p->row->kind == ADV_OPD)
            combine(p, in, s, &w.reward[s]);
        out->left_out[s] = !stays;
        out->seq[s] = 0;
        if (out->combined)
            out->combined[s] = stays ? w.reward[s] : hone_math_nan();
        if (stays) {
            w.members[w.n_members].seq = s;
            w.members[w.n_members++].group = in->group ? in->group[s] : 0;
        }
    }
    qsort(w.members, w.n_members, sizeof *w.members, by_group);
    out->per_token = 0;
    if (p->row->kind != ADV_OPD && p->row->kind != ADV_NORMALIZE_THEN_SUM)
        shape_rewards(p, in, &w);
    if (p->row->kind >= ADV_REINFORCE_PP)
        per_token(p, in, &w, out);
    else if (p->row->kind == ADV_NORMALIZE_THEN_SUM)
        normalize_then_sum(p, in, &w, out->seq);
    else
        by_groups(p, in, &w, out->seq);
    clip_advantages(p, in, out);
done:
    memory_put(&p->mem, w.reward, in->n_seqs, sizeof *w.reward);
    memory_put(&p->mem, w.members, in->n_seqs, sizeof *w.members);
    memory_put(&p->mem, w.scratch, 2 * size, sizeof *w.scratch);
    return st;
}

static hone_str advantage_show(void *self)
{
    return hone_str_c(((advantage *)self)->row->show);
}

static const hone_advantage_v1 per_sequence_vtable = {sizeof(hone_advantage_v1), 0,
                                                      advantage_compute, advantage_show};
static const hone_advantage_v1 per_token_vtable = {sizeof(hone_advantage_v1), HONE_ADV_PER_TOKEN,
                                                   advantage_compute, advantage_show};
static const hone_advantage_v1 gae_vtable = {sizeof(hone_advantage_v1),
                                             HONE_ADV_PER_TOKEN | HONE_ADV_VALUE, advantage_compute,
                                             advantage_show};
const void *advantage_get_iface(void *self, const char *iface_id)
{
    const advantage *p = self;
    if (!same_text(iface_id, HONE_IFACE_ADVANTAGE))
        return NULL;
    if (p->row->kind == ADV_GAE)
        return &gae_vtable;
    return p->row->kind >= ADV_REINFORCE_PP ? &per_token_vtable : &per_sequence_vtable;
}
