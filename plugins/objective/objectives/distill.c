/* distill.c - learning from another policy: gkd, forward_kl, reverse_kl, minillm.
 *
 * The host computes d_t, the divergence of the teacher's and the policy's next-token distributions at each token
 * (`wants` says which), and takes its gradient onward. gkd and the two KLs are reductions of d_t. minillm is a
 * policy gradient whose reward of a token is log teacher - log policy, to come from the next token on, plus d_t = the
 * reverse KL of this very token, exact over the vocabulary (the paper's single-step decomposition).
 *
 * Invariant: the reward-to-go is a constant (sg) of the sequence alone, so any split into micro-batches is the same.
 * Sources: GKD, Agarwal et al. 2023 (arXiv:2306.13649); MiniLLM, Gu et al. 2023 (arXiv:2306.08543). */
#include "objectives.h"

enum { DISTILL_GKD, DISTILL_FORWARD, DISTILL_REVERSE, DISTILL_MINILLM };
typedef struct distill_row {
    const char *name;
    uint32_t kind;
    const char *show;
} distill_row;

typedef struct distill {
    memory mem;
    const distill_row *row;
    uint32_t compat, reduce, single_step, length_normalization;
    double beta, temperature, max_length, eps_low, eps_high, gamma;
} distill;

static hone_status distill_create(const distill_row *row, const hone_field *const *fields,
                                  const hone_host *host, const hone_config *cfg, void **self_out)
{
    settings s = {cfg, fields};
    memory mem;
    distill *p;
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
    p->single_step = settings_choice(&s, "single_step", 0);
    p->length_normalization = settings_choice(&s, "length_normalization", 0);
    p->beta = row->kind == DISTILL_GKD ? settings_f64(&s, "beta", .5)
                                       : row->kind != DISTILL_FORWARD;
    p->temperature = settings_f64(&s, "temperature", 1);
    p->max_length = settings_f64(&s, "max_length", 0);
    p->eps_low = settings_f64(&s, "eps_low", 0);
    p->eps_high = settings_f64(&s, "eps_high", 0);
    p->gamma = settings_f64(&s, "gamma", 1);
    *self_out = p;
    return HONE_OK;
}

static void distill_release(void *self)
{
    memory mem = ((distill *)self)->mem;
    memory_put(&mem, self, 1, sizeof(distill));
}

static int has_divergence(const distill *p)
{
    return p->row->kind != DISTILL_MINILLM || p->single_step;
}

static uint32_t distill_uses(void *self)
{
    const distill *p = self;
    uint32_t u = has_divergence(p) ? HONE_OBJ_DIVERGENCE : 0;
    if (p->row->kind == DISTILL_MINILLM)
        u |= HONE_OBJ_TEACHER | HONE_OBJ_OLD;
    return u;
}

static hone_status distill_wants(void *self, hone_objective_wants *out)
{
    const distill *p = self;
    out->beta = p->beta;
    out->temperature = p->temperature;
    return HONE_OK;
}

/* ---- minillm -------------------------------------------------------------------------------------------- */

/* A_t: what is to come, gamma^(i-t) weighted. Without the single step the token's own reward counts too. trl: the token's
 * own counts in any case; gamma 0 leaves that alone. */
static void rewards_to_go(const distill *p, const hone_objective_in *in, size_t s, double *out)
{
    const int own = !p->single_step || p->compat == COMPAT_TRL;
    const int trl = p->compat == COMPAT_TRL;
    double sum = 0, weight = 0, power = 1; /* trl: gamma^i, counted from the first token */
    size_t begin = in->seq_begin[s], end = in->seq_begin[s + 1];
    for (size_t t = begin; trl && t + 1 < end; t++)
        power *= p->gamma;
    for (size_t t = end; t > begin; t--) {
        const size_t i = t - 1;
        const double m = in->mask[i], r = in->teacher_logp[i] - in->logp[i];
        if (trl && p->gamma > 0) {
            sum += m != 0 ? power * r : 0;
            weight += power * (m != 0 ? 1 : 1e-4); /* its lengths count a masked token this much */
            out[i] = p->length_normalization ? sum / weight : sum;
            power /= p->gamma;
            continue;
        }
        if (m == 0) {
            out[i] = 0;
            continue;
        }
        if (trl) { /* gamma 0 */
            out[i] = r;
            continue;
        }
        if (own) {
            sum = r + p->gamma * sum;
            weight = 1 + p->gamma * weight;
            out[i] = p->length_normalization ? sum / weight : sum;
        } else {
            out[i] = p->length_normalization && weight > 0 ? sum / weight : sum;
            sum = r + p->gamma * sum;
            weight = 1 + p->gamma * weight;
        }
        if (!own) /* discounted once more: it begins at the next token */
            out[i] *= p->length_normalization ? 1 : p->gamma;
    }
}

static double clipped(const distill *p, double r, double adv, double *d)
{
    double lo = 1 - p->eps_low, hi = 1 + p->eps_high, l1 = -r * adv, l2 = -clamped(r, lo, hi) * adv;
    *d = l1 >= l2 ? -r * adv : 0;
    return larger(l1, l2);
}

/* ---- a call --------------------------------------------------------------------------------------------- */

static hone_status distill_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const distill *p = self;
    const hone_host *host = p->mem.host;
    const size_t covered = offsetof(hone_objective_in, truncated) + sizeof in->truncated;
    double *adv = NULL, loss = 0, apart = 0, reward = 0, n = 0;
    totals all;
    if (!fits_shape(in, out))
        return hone_host_fail(host, HONE_E_SHAPE, "%s: the sequences do not fit the arrays",
                              p->row->name);
    if (in->struct_size < covered || (has_divergence(p) && !in->divergence) ||
        (p->row->kind == DISTILL_MINILLM && !in->teacher_logp))
        return hone_host_fail(host, HONE_E_INVALID, "%s: needs a teacher", p->row->name);
    if (has_divergence(p) && !out->grad_divergence)
        return hone_host_fail(host, HONE_E_SHAPE, "%s: there is no room for grad_divergence",
                              p->row->name);
    all = totals_of(in);
    if (p->max_length > 0)
        all.max_length = p->max_length;
    if (p->reduce == REDUCE_SEQ_MEAN_TOKEN_SUM_NORM && all.max_length <= 0)
        return hone_host_fail(host, HONE_E_INVALID,
                              "%s: divides by the longest completion, but max_length is not set",
                              p->row->name);
    if (p->row->kind == DISTILL_MINILLM) {
        adv = memory_get(&p->mem, in->n_tokens, sizeof *adv);
        if (!adv)
            return HONE_E_NOMEM;
    }
    for (size_t s = 0; s < in->n_seqs; s++) {
        double length = length_of(in, s), w;
        if (length <= 0)
            continue;
        w = reduce_weight(p->reduce, &all, length);
        if (adv)
            rewards_to_go(p, in, s, adv);
        for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
            const double m = in->mask[t];
            if (m == 0)
                continue;
            n += m;
            if (has_divergence(p)) {
                loss += w * m * in->divergence[t];
                out->grad_divergence[t] += w * m;
                apart += m * in->divergence[t];
            }
            if (adv) {
                double d, a = adv[t] + (in->advantage ? in->advantage[t] : 0);
                double r = in->old_logp ? hone_exp(in->logp[t] - in->old_logp[t]) : 1;
                loss += w * m * clipped(p, r, a, &d);
                out->grad_logp[t] += w * m * d;
                reward += m * (in->teacher_logp[t] - in->logp[t]);
            }
        }
    }
    memory_put(&p->mem, adv, in->n_tokens, sizeof *adv);
    out->loss = loss;
    if (has_divergence(p))
        put_mean(out, "divergence", apart, n);
    if (adv)
        put_mean(out, "kl/teacher", -reward, n);
    return HONE_OK;
}

static hone_str distill_show(void *self)
{
    return hone_str_c(((distill *)self)->row->show);
}

static const hone_objective_v1 distill_vtable = {
    sizeof(hone_objective_v1), 0, distill_uses, distill_loss, distill_show, distill_wants};

static const void *distill_get_iface(void *self, const char *iface_id)
{
    (void)self;
    return same_text(iface_id, HONE_IFACE_OBJECTIVE) ? &distill_vtable : NULL;
}

/* ---- the rows ------------------------------------------------------------------------------------------- */

/* clang-format off */
#define COMPAT FIELD_COMPAT("whose variant, where trainers differ")
#define FIELD_REDUCE \
    HONE_ENUM("reduce", "token_mean", REDUCE_CHOICES, 0, "how token losses become one number"), \
    HONE_F64("max_length", 0, 0, 1e9, 0, "divisor of seq_mean_token_sum_norm; 0: the longest completion allowed")
#define FIELD_TEMPERATURE HONE_F64("temperature", 1, 1e-3, 1e3, 0, "of both distributions in the divergence")

#define SHOW_TEACHER \
    "q: the teacher's next-token distribution, p: the policy's, both at `temperature`; the sum is over the\n" \
    "  vocabulary. A teacher in a file is its K likeliest tokens; all others count as one event.\n" \
    "  The teacher: objective = { NAME, teacher = policy }, or rows that carry its log-probs (policy:topk).\n"

/* X(row, kind, fields, summary, show) */
#define DISTILL_ROWS(X) \
    X(gkd, DISTILL_GKD, gkd_fields, "GKD: generalised Jensen-Shannon divergence from a teacher", \
      "gkd: l_t = beta KL(q || m) + (1 - beta) KL(p || m),  m = beta q + (1 - beta) p\n" \
      "  beta 0: KL(q || p) (forward); beta 1: KL(p || q) (reverse).\n" SHOW_TEACHER \
      "source: Agarwal et al. 2023 (arXiv:2306.13649), eq. 1; on-policy when the rows are the policy's own samples.\n" \
      "differences: trl: the same; it has temperature .9 by default.\n") \
    X(forward_kl, DISTILL_FORWARD, kl_fields, "distillation: KL(teacher || policy), which covers the teacher", \
      "forward_kl: l_t = sum q (log q - log p)\n" SHOW_TEACHER \
      "source: Hinton et al. 2015 (arXiv:1503.02531), without its factor temperature^2\n" \
      "differences: trl reaches it as gkd with beta 0.\n") \
    X(reverse_kl, DISTILL_REVERSE, kl_fields, "distillation: KL(policy || teacher), which seeks the teacher's modes", \
      "reverse_kl: l_t = sum p (log p - log q)\n" SHOW_TEACHER \
      "source: Gu et al. 2023 (arXiv:2306.08543)\ndifferences: trl reaches it as gkd with beta 1.\n") \
    X(minillm, DISTILL_MINILLM, minillm_fields, "MiniLLM: reverse KL of whole sequences, by policy gradient", \
      "minillm: l_t = -min(r A, clip(r, 1 - eps_low, 1 + eps_high) A) + KL(p_t || q_t),  r = exp(logp - old_logp)\n" \
      "  A_t = sg(sum over i > t of gamma^(i-t) R_i),  R_i = teacher_logp - logp of the sampled token; with\n" \
      "  length_normalization (the default) the mean of R_i so weighted. The KL of token t itself is exact over the\n" \
      "  vocabulary (single_step, the default); without it A_t counts R_t too. Advantages of rewards are added to A.\n" SHOW_TEACHER \
      "source: Gu et al. 2023 (arXiv:2306.08543), section 2.2\n" \
      "differences: trl's experimental trainer: A_t counts R_t beside the exact KL, and weighs by gamma^i from the first\n" \
      "  token on (gamma 0: R_t alone); compat trl does so. There R_i is at `temperature`, too; here of the plain log-probs.\n")

static const hone_field *const gkd_fields[] = {COMPAT, HONE_F64("beta", .5, 0, 1, 0, "0: forward KL, 1: reverse KL, between: Jensen-Shannon"), FIELD_TEMPERATURE, FIELD_REDUCE, NULL};
static const hone_field *const kl_fields[] = {COMPAT, FIELD_TEMPERATURE, FIELD_REDUCE, NULL};
static const hone_field *const minillm_fields[] = {COMPAT,
    HONE_F64("eps_low", .2, 0, 1e3, 0, "the ratio is clipped below 1 - eps_low"),
    HONE_F64("eps_high", .2, 0, 1e3, 0, "the ratio is clipped above 1 + eps_high"),
    HONE_F64("gamma", 1, 0, 1, 0, "discount of the rewards to come"),
    HONE_FLAG("length_normalization", 1, 0, "the mean of the rewards to come, not their sum"),
    HONE_FLAG("single_step", 1, 0, "the KL of each token exact over the vocabulary"), FIELD_TEMPERATURE, FIELD_REDUCE, NULL};

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OBJECTIVE, NULL};

#define X(row, kind, fields_, summary_, show_) \
    static const distill_row row_##row = {#row, kind, show_}; \
    static hone_status create_##row(const hone_host *host, const hone_config *cfg, void **self_out) \
    { \
        return distill_create(&row_##row, fields_, host, cfg, self_out); \
    } \
    static const hone_component component_##row = { \
        COMPONENT_HEAD("org.hone.objective." #row, summary_), .fields = fields_, .needs = needs, \
        .provides = provides, .create = create_##row, .destroy = distill_release, .get_iface = distill_get_iface};
DISTILL_ROWS(X)
#undef X
#define X(row, kind, fields_, summary_, show_) &component_##row,
const hone_component *const distill_components[] = {DISTILL_ROWS(X) NULL};
#undef X
/* clang-format on */
