/* preference.c - preference losses: sums of log-probs in, one loss a pair, gradients back to tokens.
 *
 * Sequences 2i and 2i+1 are the chosen and the rejected answer of pair i (UNPAIRED: role says which).
 * The sum over a sequence's mask is what the losses of pair_losses.c see; their derivative goes to each
 * token times its mask, divided by the pairs of the whole optimizer step. `aot` ranks all pairs of the
 * step against each other, so it needs the whole batch at once. With ld_alpha < 1 tokens beyond the
 * shorter answer's length count that much (LD-DPO, Liu et al. 2024, arXiv:2409.06411). With wpo each pair's loss is
 * weighted by how likely the policy itself is to say both answers (WPO, Zhou et al. 2024, arXiv:2406.11827). `rm` reads
 * no log-probs but scores: what a value head gives at a sequence's last token.
 *
 * Invariants: a sequence without mask has length 1 in divisions and no gradient; nothing is kept from
 * one call to the next. */
#include "preference.h"

#include "hone/state.h"

hone_status preference_create(const preference_row *row, const hone_field *const *fields,
                              const hone_host *host, const hone_config *cfg, void **self_out)
{
    settings s = {cfg, fields};
    memory mem;
    preference *p;
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
    p->divergence = settings_choice(&s, "f_divergence", DIVERGENCE_REVERSE_KL);
    p->variant = settings_choice(&s, "loss", CPO_SIGMOID);
    p->beta = settings_f64(&s, "beta", 1);
    p->label_smoothing = settings_f64(&s, "label_smoothing", 0);
    p->gamma = settings_f64(&s, "gamma", 0);
    p->alpha = settings_f64(&s, "alpha", 0);
    p->tau = settings_f64(&s, "temperature", 1);
    p->nll = settings_f64(&s, "nll", 0);
    p->desirable = settings_f64(&s, "desirable_weight", 1);
    p->undesirable = settings_f64(&s, "undesirable_weight", 1);
    p->kl = settings_f64(&s, "kto_kl", 0);
    p->kl_field = settings_place(&s, "kto_kl");
    p->shift = settings_f64(&s, "reward_shift", 0);
    p->ld_alpha = settings_f64(&s, "ld_alpha", 1);
    p->wpo = settings_choice(&s, "wpo", 0);
    p->margin = settings_f64(&s, "margin", 0);
    p->center = settings_f64(&s, "center", 0);
    *self_out = p;
    return HONE_OK;
}

void preference_release(void *self)
{
    memory mem = ((preference *)self)->mem;
    memory_put(&mem, self, 1, sizeof(preference));
}

static uint32_t preference_uses(void *self)
{
    const preference *p = self;
    uint32_t u = p->row->reference_free ? 0 : HONE_OBJ_REF;
    if (p->row->family == FAMILY_KTO || p->row->family == FAMILY_APO_UNPAIRED)
        return u | HONE_OBJ_UNPAIRED;
    if (p->row->family == FAMILY_RM)
        return HONE_OBJ_PAIRS | HONE_OBJ_VALUE | HONE_OBJ_BEHIND;
    if (p->wpo)
        u |= HONE_OBJ_COLLISION;
    if (p->row->family == FAMILY_AOT || p->row->family == FAMILY_AOT_UNPAIRED)
        u |= HONE_OBJ_WHOLE_BATCH;
    return u | HONE_OBJ_PAIRS;
}

/* Sum over the mask of `v`; tokens from `tail` on (in mask units) count ld_alpha. */
static double masked_sum(const preference *p, const hone_objective_in *in, const double *v,
                         size_t s, double tail)
{
    double sum = 0, at = 0;
    for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
        if (in->mask[t] == 0)
            continue;
        sum += in->mask[t] * v[t] * (at >= tail ? p->ld_alpha : 1);
        at += in->mask[t];
    }
    return sum;
}

static void spread(const preference *p, const hone_objective_in *in, size_t s, double g,
                   double tail, double *grad)
{
    double at = 0;
    for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
        if (in->mask[t] == 0)
            continue;
        grad[t] += in->mask[t] * g * (at >= tail ? p->ld_alpha : 1);
        at += in->mask[t];
    }
}

static double given_length(const hone_objective_in *in, size_t s)
{
    double n = in->length ? in->length[s] : length_of(in, s);
    return n > 0 ? n : 1;
}

/* LD-DPO: how many tokens count in full. */
static double full_part(const preference *p, const hone_objective_in *in, size_t c, size_t r)
{
    if (p->ld_alpha >= 1)
        return hone_math_inf();
    return smaller(given_length(in, c), given_length(in, r));
}

static void read_pair(const preference *p, const hone_objective_in *in, size_t c, size_t r, pair *x)
{
    double tail = full_part(p, in, c, r);
    x->pc = masked_sum(p, in, in->logp, c, tail);
    x->pr = masked_sum(p, in, in->logp, r, tail);
    x->rc = p->row->reference_free ? 0 : masked_sum(p, in, in->ref_logp, c, tail);
    x->rr = p->row->reference_free ? 0 : masked_sum(p, in, in->ref_logp, r, tail);
    x->lc = given_length(in, c);
    x->lr = given_length(in, r);
}

typedef struct tallies {
    double chosen, rejected, accuracy, n_chosen, n_rejected;
} tallies;

static void put_rewards(const tallies *m, const hone_objective_out *out, int paired)
{
    put_mean(out, "rewards/chosen", m->chosen, m->n_chosen);
    put_mean(out, "rewards/rejected", m->rejected, m->n_rejected);
    if (paired) /* of unpaired answers it is the difference of the two, which update knows (policy.lua) */
        put_mean(out, "rewards/margin", m->chosen - m->rejected, m->n_chosen);
    put_mean(out, "rewards/accuracy", m->accuracy,
             paired ? m->n_chosen : m->n_chosen + m->n_rejected);
}

static void count_pair(const preference *p, const pair *x, tallies *m)
{
    double nc = p->row->by_length ? x->lc : 1, nr = p->row->by_length ? x->lr : 1;
    double c = p->beta * (x->pc - x->rc) / nc, r = p->beta * (x->pr - x->rr) / nr;
    m->chosen += c;
    m->rejected += r;
    m->accuracy += c > r;
    m->n_chosen += 1;
    m->n_rejected += 1;
}

/* WPO's weight of a pair, a constant: min(1, exp of both answers' mean log-probs, each less the log of the sum of
 * squared probabilities, which makes an answer sampled from the policy weigh 1 on average). */
static double pair_weight(const preference *p, const hone_objective_in *in, size_t c, const pair *x)
{
    const size_t covered = offsetof(hone_objective_in, collision) + sizeof in->collision;
    double mean, inf = hone_math_inf();
    if (!p->wpo)
        return 1;
    mean = x->pc / x->lc + x->pr / x->lr;
    if (in->struct_size >= covered && in->collision)
        mean -= masked_sum(p, in, in->collision, c, inf) / x->lc +
                masked_sum(p, in, in->collision, c + 1, inf) / x->lr;
    return mean < 0 || p->compat == COMPAT_TRL ? hone_exp(mean) : 1; /* trl has no upper bound */
}

static hone_status pairs_loss(const preference *p, const hone_objective_in *in, const totals *all,
                              hone_objective_out *out)
{
    tallies m = {0, 0, 0, 0, 0};
    double loss = 0, weights = 0;
    for (size_t i = 0; i + 1 < in->n_seqs; i += 2) {
        double tail = full_part(p, in, i, i + 1), w;
        pair x;
        pair_grad g = {0, 0};
        if (length_of(in, i) <= 0 || length_of(in, i + 1) <= 0)
            continue; /* half a pair is none */
        read_pair(p, in, i, i + 1, &x);
        w = pair_weight(p, in, i, &x) / all->pairs;
        loss += w * p->row->loss(p, &x, &g);
        spread(p, in, i, w * g.c, tail, out->grad_logp);
        spread(p, in, i + 1, w * g.r, tail, out->grad_logp);
        count_pair(p, &x, &m);
        weights += w * all->pairs;
    }
    out->loss = loss;
    put_rewards(&m, out, 1);
    if (p->wpo)
        put_mean(out, "wpo/weight", weights, m.n_chosen);
    return HONE_OK;
}

/* ---- rm: scores instead of log-probs --------------------------------------------------------------- */

/* The last trained token of a sequence: where its score stands; SIZE_MAX: none. */
static size_t scored_token(const hone_objective_in *in, size_t s)
{
    for (size_t t = in->seq_begin[s + 1]; t > in->seq_begin[s]; t--)
        if (in->mask[t - 1] != 0)
            return t - 1;
    return SIZE_MAX;
}

static hone_status reward_model_loss(const preference *p, const hone_objective_in *in,
                                     const totals *all, hone_objective_out *out)
{
    const int margins = in->struct_size >=
                            offsetof(hone_objective_in, margin) + sizeof in->margin &&
                        in->margin;
    tallies m = {0, 0, 0, 0, 0};
    double loss = 0;
    if (!in->value || !out->grad_value)
        return hone_host_fail(p->mem.host, HONE_E_INVALID, "%s: needs scores (values)",
                              p->row->name);
    for (size_t i = 0; i + 1 < in->n_seqs; i += 2) {
        const size_t c = scored_token(in, i), r = scored_token(in, i + 1);
        double a, b, z, d, l;
        if (c == SIZE_MAX || r == SIZE_MAX)
            continue;
        a = in->value[c];
        b = in->value[r];
        z = a - b - p->margin - (margins ? in->margin[i] : 0);
        l = smoothed_logistic(p->label_smoothing, z, &d) + p->center * (a + b) * (a + b);
        loss += l / all->pairs;
        out->grad_value[c] += (d + 2 * p->center * (a + b)) / all->pairs;
        out->grad_value[r] += (-d + 2 * p->center * (a + b)) / all->pairs;
        m.chosen += a;
        m.rejected += b;
        m.accuracy += a > b;
        m.n_chosen += 1;
        m.n_rejected += 1;
    }
    out->loss = loss;
    put_rewards(&m, out, 1);
    return HONE_OK;
}

/* ---- aot: the k-th smallest of one list against the k-th smallest of another ------------------- */

typedef struct ranked {
    double value;
    size_t at;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static hone_status aot_loss(const preference *p, const hone_objective_in *in, const totals *all,
                            hone_objective_out *out)
{
    const size_t room = in->n_seqs / 2;
    size_t n = 0;
    ranked *up = memory_get(&p->mem, 2 * room, sizeof *up), *down;
    tallies m = {0, 0, 0, 0, 0};
    double loss = 0, d;
    if (!up)
        return HONE_E_NOMEM;
    down = up + room;
    for (size_t i = 0; i < room; i++) {
        pair x;
        if (length_of(in, 2 * i) <= 0 || length_of(in, 2 * i + 1) <= 0)
            continue; /* half a pair is none: it has no rank */
        read_pair(p, in, 2 * i, 2 * i + 1, &x);
        up[n].at = down[n].at = i;
        if (p->row->family == FAMILY_AOT) { /* the policy's log-ratio against the reference's */
            up[n].value = x.pc - x.pr;
            down[n].value = x.rc - x.rr;
        } else { /* the chosen answers' log-ratio against the rejected ones' */
            up[n].value = x.pc - x.rc;
            down[n].value = x.pr - x.rr;
        }
        n++;
        count_pair(p, &x, &m);
    }
    qsort(up, n, sizeof *up, by_rank);
    qsort(down, n, sizeof *down, by_rank);
    for (size_t k = 0; k < n; k++) {
        double z = p->beta * (up[k].value - down[k].value), g, tail;
        size_t c = 2 * up[k].at, r;
        loss += smoothed_logistic(p->label_smoothing, z, &d) / all->pairs;
        g = d * p->beta / all->pairs;
        r = (p->row->family == FAMILY_AOT ? 2 * up[k].at : 2 * down[k].at) + 1;
        tail = full_part(p, in, c, c + 1);
        spread(p, in, c, g, tail, out->grad_logp);
        spread(p, in, r, -g, full_part(p, in, r - 1, r), out->grad_logp);
    }
    memory_put(&p->mem, up, 2 * room, sizeof *up);
    out->loss = loss;
    put_rewards(&m, out, 1);
    return HONE_OK;
}

/* ---- unpaired: each answer is desirable or not ---------------------------------------------------- */

static hone_status unpaired_loss(const preference *p, const hone_objective_in *in,
                                 const totals *all, hone_objective_out *out)
{
    tallies m = {0, 0, 0, 0, 0};
    double loss = 0, kl = p->row->family == FAMILY_KTO ? larger(p->kl, 0) : 0;
    if (!in->role)
        return hone_host_fail(p->mem.host, HONE_E_INVALID,
                              "%s: needs to know which answers are desirable", p->row->name);
    for (size_t s = 0; s < in->n_seqs; s++) {
        int good = in->role[s] == HONE_ROLE_CHOSEN;
        double a, w, sign = good ? 1 : -1, d;
        if (in->role[s] == HONE_ROLE_NONE || length_of(in, s) <= 0)
            continue;
        a = masked_sum(p, in, in->logp, s, hone_math_inf()) -
            masked_sum(p, in, in->ref_logp, s, hone_math_inf());
        w = (good ? p->desirable : p->undesirable) / all->seqs;
        loss += w * loss_one_sided(sign * p->beta * (a - kl), &d);
        spread(p, in, s, w * sign * p->beta * d, hone_math_inf(), out->grad_logp);
        *(good ? &m.chosen : &m.rejected) += p->beta * a;
        *(good ? &m.n_chosen : &m.n_rejected) += 1;
        m.accuracy += sign * (a - kl) > 0; /* on its side of what it is compared with */
    }
    out->loss = loss;
    put_rewards(&m, out, 0);
    return HONE_OK;
}

static hone_status preference_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const preference *p = self;
    totals all;
    if (!fits_shape(in, out))
        return hone_host_fail(p->mem.host, HONE_E_SHAPE, "%s: the sequences do not fit the arrays",
                              p->row->name);
    all = totals_of(in);
    if (p->row->family == FAMILY_RM && in->n_seqs % 2 == 0)
        return reward_model_loss(p, in, &all, out);
    if (!p->row->reference_free && !in->ref_logp)
        return hone_host_fail(p->mem.host, HONE_E_INVALID, "%s: needs reference log-probs",
                              p->row->name);
    if (p->row->family == FAMILY_KTO || p->row->family == FAMILY_APO_UNPAIRED)
        return unpaired_loss(p, in, &all, out);
    if (in->n_seqs % 2)
        return hone_host_fail(p->mem.host, HONE_E_SHAPE, "%s: %zu sequences are not pairs",
                              p->row->name, in->n_seqs);
    return p->row->family == FAMILY_PAIR ? pairs_loss(p, in, &all, out)
                                         : aot_loss(p, in, &all, out);
}

static hone_str preference_show(void *self)
{
    return hone_str_c(((preference *)self)->row->show);
}

static hone_status preference_apply(void *self, const hone_config *cfg)
{
    preference *p = self;
    if (p->kl_field >= 0)
        p->kl = cfg->f64(cfg, (uint32_t)p->kl_field);
    return HONE_OK;
}

static const hone_live_v1 preference_live = {sizeof(hone_live_v1), 0, preference_apply};
static const hone_objective_v1 preference_vtable = {
    sizeof(hone_objective_v1), 0, preference_uses, preference_loss, preference_show, NULL};
const void *preference_get_iface(void *self, const char *iface_id)
{
    (void)self;
    if (same_text(iface_id, HONE_IFACE_LIVE))
        return &preference_live;
    return same_text(iface_id, HONE_IFACE_OBJECTIVE) ? &preference_vtable : NULL;
}
