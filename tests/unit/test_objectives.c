/* What every loss and advantage obeys: its gradient is the difference quotient, masked samples change nothing, any split into
 * micro-batches is the same, so is any order; what is missing is named. */
#include "objective_batch.h"

/* ---- what every loss obeys ------------------------------------------------------------------------ */

/* Numbers that look random and are the same everywhere. */
static double wobble(uint64_t i)
{
    uint64_t x = (i + 1) * 0x9E3779B97F4A7C15ull;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9ull;
    x ^= x >> 32;
    return (double)(x >> 11) / 9007199254740992.0;
}

static void make_batch(batch *b, uint64_t seed)
{
    memset(b, 0, sizeof *b);
    b->n_seqs = 8;
    for (size_t s = 0; s < 8; s++) {
        size_t length = 2 + (s * 5 + 3) % 6;
        b->group[s] = (uint32_t)(s / 4);
        b->role[s] = s % 2 ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN;
        b->margin[s] = 0.3 * (double)(s % 4);
        b->seq_begin[s + 1] = b->seq_begin[s] + length;
        for (size_t t = b->seq_begin[s]; t < b->seq_begin[s + 1]; t++) {
            uint64_t k = seed + 10 * t;
            b->logp[t] = -0.05 - 2 * wobble(k);
            b->old[t] = b->logp[t] + 0.6 * (wobble(k + 1) - 0.5);
            b->ref[t] = b->logp[t] + 0.8 * (wobble(k + 2) - 0.5);
            b->sampler[t] = b->old[t] + 0.1 * (wobble(k + 3) - 0.5);
            b->entropy[t] = 0.2 + wobble(k + 4);
            b->adv[t] = 3 * wobble(seed + 999 + s) - 1.5;
            b->value[t] = 2 * wobble(k + 5) - 1;
            b->old_value[t] = b->value[t] + 0.9 * (wobble(k + 11) - 0.5);
            b->returns[t] = 3 * wobble(k + 12) - 1.5;
            b->teacher[t] = b->logp[t] + 0.8 * (wobble(k + 6) - 0.5);
            b->divergence[t] = wobble(k + 7);
            b->collision[t] = -0.05 - 3 * wobble(k + 8);
            b->mask[t] = t % 7 != 5;
        }
    }
    b->n_tokens = b->seq_begin[8];
    assert_true(b->n_tokens <= MAX_TOKENS);
    b->max_length = 10;
    finish_batch(b);
}

typedef struct subject {
    const char *id, *settings;
    int stops;    /* has a stop-gradient: its derivative is not the difference quotient */
    int unpaired; /* neither pairs nor advantages are needed */
} subject;

static const subject subjects[] = {
    {"ppo", NULL, 0, 0},
    {"ppo", "{\"delta\":1.15,\"dual_clip\":1.05,\"beta\":0.3,\"kl\":\"k2\",\"entropy\":0.02}", 0,
     0},
    {"grpo", "{\"beta\":0.1,\"unbiased\":true}", 0, 0},
    {"dapo", "{\"sampler_cap\":1.02,\"sampler_mode\":\"mask\"}", 0, 0},
    {"dapo",
     "{\"beta\":0.2,\"kl\":\"abs\",\"sampler_cap\":1.02,\"sampler_floor\":0.98,\"sampler_level\":"
     "\"sequence\"}",
     0, 0},
    {"dr_grpo", "{\"beta\":0.2,\"kl\":\"k1\"}", 0, 0},
    {"bnpo", "{\"reduce\":\"token_sum\"}", 0, 0},
    {"gspo", "{\"eps_low\":0.1,\"eps_high\":0.1}", 0, 0},
    {"gspo",
     "{\"eps_low\":0.1,\"eps_high\":0.1,\"beta\":0.2,\"unbiased\":true,\"sampler_cap\":1.01}", 0,
     0},
    {"gspo_token", "{\"eps_low\":0.1,\"eps_high\":0.1}", 1, 0},
    {"cispo", NULL, 1, 0},
    {"sapo", NULL, 0, 0},
    {"gmpo", "{\"eps_low\":0.1,\"eps_high\":0.1}", 0, 0},
    {"gpg", NULL, 0, 0},
    {"dro", NULL, 0, 0},
    {"reinforce", "{\"reduce\":\"seq_mean_token_sum\"}", 0, 0},
    {"sft", NULL, 0, 1},
    {"sft", "{\"reduce\":\"seq_mean\"}", 0, 1},
    {"dft", NULL, 1, 1},
    {"dpo", "{\"label_smoothing\":0.2}", 0, 2},
    {"dpo", "{\"f_divergence\":\"forward_kl\",\"ld_alpha\":0.5}", 0, 2},
    {"dpo", "{\"f_divergence\":\"js\"}", 0, 2},
    {"dpo", "{\"f_divergence\":\"alpha\",\"alpha\":0.7}", 0, 2},
    {"robust", "{\"label_smoothing\":0.2}", 0, 2},
    {"ipo", NULL, 0, 2},
    {"ipo", "{\"compat\":\"trl\",\"f_divergence\":\"js\"}", 0, 2},
    {"hinge", "{\"beta\":0.7}", 0, 2},
    {"exo", "{\"beta\":0.7}", 0, 2},
    {"nca", "{\"beta\":0.7}", 0, 2},
    {"bco", "{\"beta\":0.7,\"reward_shift\":0.1}", 0, 2},
    {"sppo", "{\"beta\":0.7}", 0, 2},
    {"aot", "{\"beta\":0.7,\"label_smoothing\":0.1}", 0, 2},
    {"aot_unpaired", "{\"beta\":0.7,\"ld_alpha\":0.4}", 0, 2},
    {"apo_zero", "{\"beta\":0.7}", 0, 2},
    {"apo_down", "{\"beta\":0.7}", 0, 2},
    {"apo_zero_unpaired", "{\"beta\":0.7}", 0, 2},
    {"discopop", "{\"temperature\":0.5}", 0, 2},
    {"discopop", "{\"temperature\":0.5,\"f_divergence\":\"js\"}", 0, 2},
    {"sigmoid_norm", "{\"beta\":0.7,\"f_divergence\":\"forward_kl\"}", 0, 2},
    {"sigmoid_norm", "{\"beta\":0.7}", 0, 2},
    {"kto", "{\"beta\":0.7,\"kto_kl\":0.2,\"desirable_weight\":2}", 0, 2},
    {"orpo", NULL, 0, 2},
    {"cpo", "{\"nll\":1,\"label_smoothing\":0.1}", 0, 2},
    {"cpo", "{\"loss\":\"ipo\"}", 0, 2},
    {"simpo", "{\"nll\":0.5}", 0, 2},
    {"alphapo", NULL, 0, 2},
    {"alphapo", "{\"wpo\":true}", 1, 2},
    {"dpo", "{\"wpo\":true,\"ld_alpha\":0.3}", 1, 2},
    {"rm", "{\"center\":0.1,\"margin\":0.2}", 0, 2},
    {"gkd", NULL, 0, 1},
    {"forward_kl", "{\"reduce\":\"seq_mean_token_mean\"}", 0, 1},
    {"reverse_kl", "{\"reduce\":\"seq_mean_token_sum_norm\"}", 0, 1},
    {"minillm", NULL, 1, 1},
    {"minillm", "{\"single_step\":false,\"gamma\":0.9,\"length_normalization\":false}", 1, 1},
    {"minillm", "{\"compat\":\"trl\",\"gamma\":0.9}", 1, 1},
    {"dapo", "{\"sampler_cap\":1.02,\"sampler_floor\":0.99,\"reject\":true,\"beta\":0.1}", 0, 0},
    {"grpo",
     "{\"sampler_cap\":1.05,\"sampler_level\":\"sequence\",\"reject\":true,\"entropy\":0.01}", 0,
     0},
    {"grpo", "{\"top_entropy\":0.5,\"mask_truncated\":true}", 0, 0},
    {"grpo", "{\"off_policy_threshold\":0.05}", 0, 0},
    {"grpo", "{\"compat\":\"trl\",\"entropy\":0.02}", 0, 0},
    {"dapo", "{\"compat\":\"trl\",\"entropy\":0.02,\"top_entropy\":0.6}", 0, 0},
    {"ppo", "{\"compat\":\"verl\",\"beta\":0.1}", 0, 0},
    {"gspo", "{\"compat\":\"openrlhf\",\"beta\":0.1,\"kl\":\"k2\"}", 0, 0},
    {"ppo", "{\"vf_coef\":0.7,\"vf_clip\":0.25}", 0, 0},
    {"value", NULL, 0, 1},
    {"value", "{\"vf_clip\":0}", 0, 1},
};
enum { N_SUBJECTS = sizeof subjects / sizeof *subjects };

static hone_instance *open_subject(const subject *s, hone_ref *ref)
{
    char id[96];
    snprintf(id, sizeof id, "org.hone.objective.%s", s->id);
    return open_component(id, s->settings, HONE_IFACE_OBJECTIVE, ref);
}

static void test_gradients_are_difference_quotients(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_SUBJECTS; k++) {
        hone_ref ref;
        hone_instance *inst = open_subject(&subjects[k], &ref);
        batch b;
        result at, up, down;
        make_batch(&b, 40 + k);
        assert_ok(evaluate(&ref, &b, &at));
        for (size_t t = 0; t < b.n_tokens && !subjects[k].stops; t++) {
            const double h = 1e-6, x = b.logp[t];
            b.logp[t] = x + h;
            assert_ok(evaluate(&ref, &b, &up));
            b.logp[t] = x - h;
            assert_ok(evaluate(&ref, &b, &down));
            b.logp[t] = x;
            double slope = (up.loss - down.loss) / (2 * h), off = slope - at.grad[t];
            if (off > 2e-7 || off < -2e-7)
                fail_with("%s %s: token %zu: gradient %.9g, slope %.9g", subjects[k].id,
                          subjects[k].settings ? subjects[k].settings : "", t, at.grad[t], slope);
        }
        struct {
            double *in, *grad;
        } others[] = {{b.entropy, at.grad_entropy},
                      {b.value, at.grad_value},
                      {b.divergence, at.grad_divergence}};
        for (size_t o = 0; o < 3; o++) {
            for (size_t t = 0; t < b.n_tokens; t++) {
                double x = others[o].in[t];
                others[o].in[t] = x + 1e-6;
                assert_ok(evaluate(&ref, &b, &up));
                others[o].in[t] = x - 1e-6;
                assert_ok(evaluate(&ref, &b, &down));
                others[o].in[t] = x;
                double off = (up.loss - down.loss) / 2e-6 - others[o].grad[t];
                if (!(off < 1e-7 && off > -1e-7))
                    fail_with("%s: array %zu, token %zu: gradient %.9g is %.3g off", subjects[k].id,
                              o, t, others[o].grad[t], off);
            }
        }
        hone_instance_unref(inst);
    }
}

static void test_stop_gradients_follow_their_formula(void **state)
{
    (void)state;
    batch b;
    result r;
    hone_ref ref;
    make_batch(&b, 3);
    hone_instance *inst = open_component("org.hone.objective.cispo", NULL, HONE_IFACE_OBJECTIVE,
                                         &ref);
    assert_ok(evaluate(&ref, &b, &r));
    for (size_t t = 0; t < b.n_tokens; t++) {
        double ratio = hone_exp(b.logp[t] - b.old[t]);
        ratio = ratio < 0.8 ? 0.8 : ratio > 1.2 ? 1.2 : ratio;
        assert_close(r.grad[t], -ratio * b.adv[t] * b.mask[t] / b.total_tokens, "a gradient",
                     "cispo");
    }
    hone_instance_unref(inst);
    inst = open_component("org.hone.objective.dft", NULL, HONE_IFACE_OBJECTIVE, &ref);
    memset(b.role, 0, sizeof b.role); /* beside pairs only the chosen count */
    finish_batch(&b);
    assert_ok(evaluate(&ref, &b, &r));
    for (size_t t = 0; t < b.n_tokens; t++)
        assert_close(r.grad[t], -hone_exp(b.logp[t]) * b.mask[t] / b.total_tokens, "a gradient",
                     "dft");
    hone_instance_unref(inst);
}

/* verl's compute_value_loss (0.5 of the mean of the larger square) by hand, and what is clipped. */
static void test_the_value_loss_follows_its_formula(void **state)
{
    batch b;
    result r, q, none;
    hone_ref ref;
    double want = 0, cut = 0;
    (void)state;
    make_batch(&b, 8);
    hone_instance *inst = open_component("org.hone.objective.value", "{\"vf_clip\":0.2}",
                                         HONE_IFACE_OBJECTIVE, &ref);
    assert_ok(evaluate(&ref, &b, &r));
    hone_instance_unref(inst);
    for (size_t t = 0; t < b.n_tokens; t++) {
        double lo = b.old_value[t] - 0.2, hi = b.old_value[t] + 0.2, v = b.value[t];
        double c = v < lo ? lo : v > hi ? hi : v, e = v - b.returns[t], f = c - b.returns[t];
        want += b.mask[t] * (e * e > f * f ? e * e : f * f) / 2 / b.total_tokens;
        cut += b.mask[t] * (f * f > e * e) / b.total_tokens;
        assert_close(r.grad_value[t], f * f > e * e ? 0 : b.mask[t] * e / b.total_tokens,
                     "a gradient", "value");
        assert_true(r.grad[t] == 0);
    }
    assert_true(cut > 0.1 && cut < 0.9);
    assert_close(r.loss, want, "the loss", "value");
    assert_close(metric(&r, "value/clip"), cut, "the share cut", "value");
    inst = open_component("org.hone.objective.ppo", NULL, HONE_IFACE_OBJECTIVE, &ref);
    assert_ok(evaluate(&ref, &b, &none));
    hone_instance_unref(inst);
    inst = open_component("org.hone.objective.ppo", "{\"vf_coef\":0.5}", HONE_IFACE_OBJECTIVE,
                          &ref);
    assert_ok(evaluate(&ref, &b, &q));
    hone_instance_unref(inst);
    assert_close(q.loss, none.loss + want / 2, "the loss", "ppo");
    assert_memory_equal(q.grad, none.grad, sizeof q.grad);
}

static void test_zero_advantage_gives_zero_policy_gradient(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_SUBJECTS; k++) {
        hone_ref ref;
        batch b;
        result r;
        if (subjects[k].unpaired ||
            (subjects[k].settings && strstr(subjects[k].settings, "beta")) ||
            strcmp(subjects[k].id, "dro") == 0) /* their other term stays */
            continue;
        hone_instance *inst = open_subject(&subjects[k], &ref);
        make_batch(&b, k);
        memset(b.adv, 0, sizeof b.adv);
        assert_ok(evaluate(&ref, &b, &r));
        for (size_t t = 0; t < b.n_tokens; t++)
            assert_true(r.grad[t] == 0);
        hone_instance_unref(inst);
    }
}

static void test_masked_tokens_and_samples_change_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_SUBJECTS; k++) {
        hone_ref ref;
        hone_instance *inst = open_subject(&subjects[k], &ref);
        batch b, c;
        result x, y;
        make_batch(&b, k);
        c = b;
        for (size_t t = 0; t < b.n_tokens; t++)
            if (b.mask[t] == 0)
                c.logp[t] = c.old[t] = c.ref[t] = c.sampler[t] = c.entropy[t] = c.adv[t] =
                    c.value[t] = c.old_value[t] = c.returns[t] = c.teacher[t] = c.divergence[t] =
                        c.collision[t] = 1e6 + (double)t;
        assert_ok(evaluate(&ref, &b, &x));
        assert_ok(evaluate(&ref, &c, &y));
        assert_true(x.loss == y.loss);
        assert_memory_equal(x.grad, y.grad, b.n_tokens * sizeof *x.grad);
        if (subjects[k].unpaired < 2) { /* a sample without mask at the end */
            size_t end = c.n_tokens;
            c = b;
            c.n_seqs = 9;
            for (size_t t = end; t < end + 3; t++)
                c.logp[t] = c.old[t] = -1, c.adv[t] = 5;
            c.seq_begin[9] = c.n_tokens = end + 3;
            assert_ok(evaluate(&ref, &c, &y));
            assert_true(x.loss == y.loss);
            assert_memory_equal(x.grad, y.grad, sizeof x.grad);
        }
        if (subjects[k].unpaired == 2) { /* a pair without mask, and one without mask on one side */
            const size_t end = b.n_tokens;
            const int paired = strcmp(subjects[k].id, "kto") != 0 &&
                               strcmp(subjects[k].id, "apo_zero_unpaired") != 0;
            for (size_t half = 0; half < (paired ? 2u : 1u); half++) {
                c = b;
                c.n_seqs = 10;
                for (size_t t = end; t < end + 6; t++) {
                    c.logp[t] = c.ref[t] = c.value[t] = c.collision[t] = -3 - (double)t;
                    c.mask[t] = half && t < end + 3;
                }
                c.seq_begin[9] = end + 3;
                c.seq_begin[10] = c.n_tokens = end + 6;
                c.length[8] = half ? 3 : 0;
                c.length[9] = 0;
                c.role[8] = HONE_ROLE_CHOSEN;
                c.role[9] = HONE_ROLE_REJECTED;
                c.margin[8] = c.margin[9] = 1;
                for (int counted = 0; counted < 2; counted++) { /* by the host, or by the loss */
                    batch d = b;
                    if (!counted)
                        c.total_tokens = c.total_seqs = c.total_pairs = d.total_tokens =
                            d.total_seqs = d.total_pairs = 0;
                    else
                        c.total_tokens = b.total_tokens, c.total_seqs = b.total_seqs,
                        c.total_pairs = b.total_pairs;
                    assert_ok(evaluate(&ref, &d, &x));
                    assert_ok(evaluate(&ref, &c, &y));
                    assert_true(x.loss == y.loss);
                    assert_memory_equal(x.grad, y.grad, sizeof x.grad);
                    assert_memory_equal(x.grad_value, y.grad_value, sizeof x.grad_value);
                }
            }
        }
        hone_instance_unref(inst);
    }
}

static void test_micro_batches_give_the_same_gradients(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_SUBJECTS; k++) {
        hone_ref ref;
        hone_instance *inst = open_subject(&subjects[k], &ref);
        const hone_objective_v1 *vt = ref.vt;
        batch b;
        result whole, part;
        double loss = 0;
        make_batch(&b, 7 * k);
        assert_ok(evaluate(&ref, &b, &whole));
        if (vt->uses(ref.self) & HONE_OBJ_WHOLE_BATCH) {
            hone_instance_unref(inst);
            continue;
        }
        static const size_t cuts[] = {0, 2, 6, 8};
        for (size_t c = 0; c < 3; c++) {
            batch m = b;
            size_t from = b.seq_begin[cuts[c]];
            m.n_seqs = cuts[c + 1] - cuts[c];
            m.n_tokens = b.seq_begin[cuts[c + 1]] - from;
            for (size_t s = 0; s <= m.n_seqs; s++)
                m.seq_begin[s] = b.seq_begin[cuts[c] + s] - from;
#define SHIFT(a) memmove(m.a, b.a + from, m.n_tokens * sizeof *m.a)
            SHIFT(logp), SHIFT(old), SHIFT(ref), SHIFT(sampler), SHIFT(entropy), SHIFT(adv),
                SHIFT(mask), SHIFT(value), SHIFT(old_value), SHIFT(returns), SHIFT(teacher),
                SHIFT(divergence), SHIFT(collision);
#undef SHIFT
            memmove(m.length, b.length + cuts[c], m.n_seqs * sizeof *m.length);
            memmove(m.role, b.role + cuts[c], m.n_seqs * sizeof *m.role);
            memmove(m.margin, b.margin + cuts[c], m.n_seqs * sizeof *m.margin);
            assert_ok(evaluate(&ref, &m, &part));
            loss += part.loss;
            assert_memory_equal(part.grad, whole.grad + from, m.n_tokens * sizeof *part.grad);
            assert_memory_equal(part.grad_value, whole.grad_value + from,
                                m.n_tokens * sizeof *part.grad);
            assert_memory_equal(part.grad_divergence, whole.grad_divergence + from,
                                m.n_tokens * sizeof *part.grad);
        }
        assert_close(loss, whole.loss, "the sum of the parts", subjects[k].id);
        hone_instance_unref(inst);
    }
}

static void test_the_order_of_samples_does_not_matter(void **state)
{
    static const size_t order[8] = {4, 5, 0, 1, 6, 7, 2, 3}; /* pairs stay together */
    (void)state;
    for (size_t k = 0; k < N_SUBJECTS; k++) {
        hone_ref ref;
        hone_instance *inst = open_subject(&subjects[k], &ref);
        batch b, c;
        result x, y;
        make_batch(&b, 11 * k);
        c = b;
        for (size_t s = 0; s < 8; s++) {
            size_t from = b.seq_begin[order[s]], n = b.seq_begin[order[s] + 1] - from;
            c.seq_begin[s + 1] = c.seq_begin[s] + n;
#define MOVE(a) memcpy(c.a + c.seq_begin[s], b.a + from, n * sizeof *c.a)
            MOVE(logp), MOVE(old), MOVE(ref), MOVE(sampler), MOVE(entropy), MOVE(adv), MOVE(mask);
            MOVE(value), MOVE(old_value), MOVE(returns), MOVE(teacher), MOVE(divergence),
                MOVE(collision);
#undef MOVE
            c.length[s] = b.length[order[s]];
            c.group[s] = b.group[order[s]];
            c.role[s] = b.role[order[s]];
            c.margin[s] = b.margin[order[s]];
        }
        assert_ok(evaluate(&ref, &b, &x));
        assert_ok(evaluate(&ref, &c, &y));
        double off = x.loss - y.loss;
        if (!(off < 1e-12 && off > -1e-12))
            fail_with("%s: another order of samples, another loss", subjects[k].id);
        for (size_t s = 0; s < 8; s++) {
            for (size_t t = c.seq_begin[s], u = b.seq_begin[order[s]]; t < c.seq_begin[s + 1];
                 t++, u++) {
                const double *p[] = {x.grad, x.grad_value, x.grad_divergence, x.grad_entropy},
                             *q[] = {y.grad, y.grad_value, y.grad_divergence, y.grad_entropy};
                for (size_t i = 0; i < 4; i++)
                    if (!(p[i][u] - q[i][t] < 1e-12 && p[i][u] - q[i][t] > -1e-12))
                        fail_with("%s: another order of samples, another gradient", subjects[k].id);
            }
        }
        hone_instance_unref(inst);
    }
}

static void test_missing_inputs_are_named(void **state)
{
    (void)state;
    hone_ref ref;
    hone_instance *inst = open_component("org.hone.objective.dr_grpo", NULL, HONE_IFACE_OBJECTIVE,
                                         &ref);
    const hone_objective_v1 *vt = ref.vt;
    double x[2] = {-1, -2}, one[2] = {1, 1}, grad[2] = {0, 0};
    size_t begin[2] = {0, 2};
    hone_objective_in in = {.struct_size = sizeof in,
                            .n_tokens = 2,
                            .n_seqs = 1,
                            .seq_begin = begin,
                            .logp = x,
                            .mask = one};
    hone_objective_out out = {.struct_size = sizeof out, .grad_logp = grad};
    hone_instance_enter(inst);
    assert_fails(hone_instance_leave(inst, "loss", vt->loss(ref.self, &in, &out)), HONE_E_INVALID,
                 "needs advantages");
    in.advantage = one;
    hone_instance_enter(inst);
    assert_fails(hone_instance_leave(inst, "loss", vt->loss(ref.self, &in, &out)), HONE_E_INVALID,
                 "max_length");
    hone_instance_unref(inst);
    inst = open_component("org.hone.objective.value", NULL, HONE_IFACE_OBJECTIVE, &ref);
    vt = ref.vt;
    in.value = x;
    hone_instance_enter(inst);
    assert_fails(hone_instance_leave(inst, "loss", vt->loss(ref.self, &in, &out)), HONE_E_INVALID,
                 "needs values");
    out.grad_value = grad;
    hone_instance_enter(inst);
    assert_fails(hone_instance_leave(inst, "loss", vt->loss(ref.self, &in, &out)), HONE_E_INVALID,
                 "needs returns, which come with the advantage gae");
    hone_instance_unref(inst);
    assert_fails(try_component("org.hone.objective.grpo", "{\"eps_hihg\":0.3}", &inst),
                 HONE_E_INVALID, "eps_hihg");
}

static void test_clip_metrics_count_by_side(void **state)
{
    (void)state;
    hone_ref ref;
    hone_instance *inst = open_component("org.hone.objective.grpo", NULL, HONE_IFACE_OBJECTIVE,
                                         &ref);
    batch b;
    result r;
    memset(&b, 0, sizeof b);
    b.n_seqs = 1;
    b.n_tokens = b.seq_begin[1] = 4;
    for (size_t t = 0; t < 4; t++) {
        static const double shift[] = {.5, -.5, .5, 0}, adv[] = {1, -1, -1, 1};
        b.mask[t] = 1;
        b.logp[t] = b.ref[t] = -1;
        b.old[t] = -1 - shift[t];
        b.adv[t] = adv[t];
    }
    finish_batch(&b);
    assert_ok(evaluate(&ref, &b, &r));
    assert_true(metric(&r, "clip/high") ==
                0.25); /* A > 0, r up; the third token's r up has A < 0 */
    assert_true(metric(&r, "clip/low") == 0.25);
    assert_close(metric(&r, "ratio/max"), hone_exp(.5), "ratio/max", "grpo");
    assert_close(metric(&r, "ratio/min"), hone_exp(-.5), "ratio/min", "grpo");
    assert_true(metric(&r, "kl/k3") == 0);
    hone_instance_unref(inst);
}

/* ---- advantages ----------------------------------------------------------------------------------- */

static void test_equal_rewards_give_exactly_zero(void **state)
{
    (void)state;
    static const char *const ids[] = {"group",      "dr_grpo", "rloo", "normalize_then_sum",
                                      "grpo_passk", "gpg",     NULL};
    double rewards[6] = {.1, .1, .1, .3, .3, .3};
    uint32_t group[6] = {4, 4, 4, 1, 1, 1};
    for (size_t k = 0; ids[k]; k++) {
        hone_advantage_in in = {.n_seqs = 6, .n_rewards = 1, .rewards = rewards, .group = group};
        char id[96];
        adv_result r;
        snprintf(id, sizeof id, "org.hone.advantage.%s", ids[k]);
        assert_ok(advantages(id, NULL, &in, &r));
        for (size_t s = 0; s < 6; s++)
            assert_true(r.seq[s] == 0);
    }
}

static void test_a_sample_without_a_reward_leaves_its_group(void **state)
{
    (void)state;
    /* two rewards; sample 1 lacks the second, sample 3 lacks both */
    double rewards[8] = {1, 5, 3, 9, 1, 0, 1, 0};
    uint8_t scored[8] = {1, 1, 1, 0, 1, 0, 1, 0};
    uint32_t group[4] = {0, 0, 0, 0};
    hone_advantage_in in = {
        .n_seqs = 4, .n_rewards = 2, .rewards = rewards, .scored = scored, .group = group};
    adv_result r;
    assert_ok(advantages("org.hone.advantage.dr_grpo", NULL, &in, &r));
    assert_true(r.left_out[1] && r.left_out[3] && !r.left_out[0] && !r.left_out[2]);
    assert_true(r.seq[0] == -1 && r.seq[1] == 0 && r.seq[2] == 1 &&
                r.seq[3] == 0); /* 2 and 4 around 3 */
    assert_true(r.combined[0] == 2 && r.combined[1] != r.combined[1]);
    assert_ok(advantages("org.hone.advantage.dr_grpo", "{\"missing\":\"zero\"}", &in, &r));
    assert_true(!r.left_out[1] && r.left_out[3]);
    assert_close(r.seq[1], 5 - 11.0 / 3, "an advantage", "missing = zero");
    double weights[2] = {1, 0}; /* a reward without weight cannot be missed */
    in.weights = weights;
    assert_ok(advantages("org.hone.advantage.dr_grpo", NULL, &in, &r));
    assert_true(!r.left_out[1] && r.left_out[3]);
}

static void test_groups_need_not_lie_side_by_side(void **state)
{
    (void)state;
    double rewards[6] = {1, 10, 2, 20, 3, 30}, sorted[6] = {1, 2, 3, 10, 20, 30};
    uint32_t mixed[6] = {7, 2, 7, 2, 7, 2}, apart[6] = {7, 7, 7, 2, 2, 2};
    hone_advantage_in in = {.n_seqs = 6, .n_rewards = 1, .rewards = rewards, .group = mixed};
    adv_result r, q;
    assert_ok(advantages("org.hone.advantage.group", NULL, &in, &r));
    in.rewards = sorted;
    in.group = apart;
    assert_ok(advantages("org.hone.advantage.group", NULL, &in, &q));
    for (size_t s = 0; s < 3; s++) {
        assert_true(r.seq[2 * s] == q.seq[s]);
        assert_true(r.seq[2 * s + 1] == q.seq[3 + s]);
    }
    assert_true(r.seq[0] < 0 && r.seq[4] > 0 && r.seq[2] == 0);
}

static void test_opd_and_kl_in_the_reward(void **state)
{
    (void)state;
    double logp[4] = {-1, -2, -3, -9}, teacher[4] = {-1.5, -1, -3, -1}, mask[4] = {1, 1, 1, 0},
           reward[1] = {2};
    size_t begin[2] = {0, 4};
    hone_advantage_in in = {.n_seqs = 1,
                            .n_rewards = 1,
                            .n_tokens = 4,
                            .rewards = reward,
                            .seq_begin = begin,
                            .mask = mask,
                            .logp = logp,
                            .ref_logp = teacher};
    adv_result r;
    assert_ok(advantages("org.hone.advantage.opd", NULL, &in, &r));
    assert_true(r.per_token == 1);
    assert_true(r.token[0] == -0.5 && r.token[1] == 1 && r.token[2] == 0 && r.token[3] == 0);
    assert_ok(advantages("org.hone.advantage.reinforce++",
                         "{\"beta\":0.5,\"gamma\":0.5,\"whiten\":false}", &in, &r));
    /* rewards less .5 k1: -.25, .5, 2; returns backwards with gamma .5 */
    assert_true(r.token[2] == 2 && r.token[1] == 1.5 && r.token[0] == 0.5 && r.token[3] == 0);
}

static void test_show_says_formula_source_and_differences(void **state)
{
    (void)state;
    for (size_t i = 0;; i++) {
        const hone_component_info *info = hone_registry_component(shipped(), "objective", i);
        if (!info) {
            assert_true(i > 40);
            return;
        }
        hone_instance *inst;
        hone_ref ref;
        hone_str text;
        assert_ok(hone_instance_create_info(shipped(), info, NULL, &inst));
        if (strcmp(info->c.provides[0], HONE_IFACE_ADVANTAGE) == 0) {
            assert_ok(hone_instance_ref(inst, HONE_IFACE_ADVANTAGE, &ref));
            text = ((const hone_advantage_v1 *)ref.vt)->show(ref.self);
        } else {
            assert_ok(hone_instance_ref(inst, HONE_IFACE_OBJECTIVE, &ref));
            text = ((const hone_objective_v1 *)ref.vt)->show(ref.self);
        }
        assert_true(text.len > 40);
        if (!strstr(text.ptr, "\nsource: ") || !strstr(text.ptr, "\ndifferences: "))
            fail_with("%s: show says no source, or not where trainers differ", info->short_name);
        assert_int_equal(strncmp(text.ptr, info->short_name, strlen(info->short_name)), 0);
        hone_instance_unref(inst);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_are_difference_quotients),
        cmocka_unit_test(test_stop_gradients_follow_their_formula),
        cmocka_unit_test(test_the_value_loss_follows_its_formula),
        cmocka_unit_test(test_zero_advantage_gives_zero_policy_gradient),
        cmocka_unit_test(test_masked_tokens_and_samples_change_nothing),
        cmocka_unit_test(test_micro_batches_give_the_same_gradients),
        cmocka_unit_test(test_the_order_of_samples_does_not_matter),
        cmocka_unit_test(test_missing_inputs_are_named),
        cmocka_unit_test(test_clip_metrics_count_by_side),
        cmocka_unit_test(test_equal_rewards_give_exactly_zero),
        cmocka_unit_test(test_a_sample_without_a_reward_leaves_its_group),
        cmocka_unit_test(test_groups_need_not_lie_side_by_side),
        cmocka_unit_test(test_opd_and_kl_in_the_reward),
        cmocka_unit_test(test_show_says_formula_source_and_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
