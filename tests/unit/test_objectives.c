/* Losses against the golden values of three trainers and against what every loss must obey. */
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
    double total_tokens, total_seqs, total_pairs, max_length;
} batch;

typedef struct metric_seen {
    char name[32];
    double value;
} metric_seen;
typedef struct result {
    double loss, grad[MAX_TOKENS], grad_entropy[MAX_TOKENS];
    metric_seen metrics[32];
    size_t n_metrics;
} result;

static void keep_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    result *r = out->ctx;
    (void)how;
    assert_true(weight > 0);
    assert_true(r->n_metrics < 32);
    snprintf(r->metrics[r->n_metrics].name, sizeof r->metrics[0].name, "%s", name);
    r->metrics[r->n_metrics++].value = value;
}

static double metric(const result *r, const char *name)
{
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0)
            return r->metrics[i].value;
    fail_with("no metric %s", name);
    return 0;
}

static hone_status evaluate(const hone_ref *ref, const batch *b, result *r)
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
    out.grad_logp = r->grad;
    out.grad_entropy = r->grad_entropy;
    out.ctx = r;
    out.metric = keep_metric;
    hone_status s = vt->loss(ref->self, &in, &out);
    r->loss = out.loss;
    return s;
}

static void finish_batch(batch *b)
{
    b->total_tokens = b->total_seqs = 0;
    for (size_t s = 0; s < b->n_seqs; s++) {
        double n = 0;
        for (size_t t = b->seq_begin[s]; t < b->seq_begin[s + 1]; t++)
            n += b->mask[t];
        b->length[s] = n;
        b->total_tokens += n;
        b->total_seqs += n > 0;
    }
    b->total_pairs = (double)(b->n_seqs / 2);
}

/* ---- golden values -------------------------------------------------------------------------------- */

static hone_arena golden_arena;
static hone_value golden_root;

static int open_goldens(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/objectives.json");
    hone_arena_init(&golden_arena, 0);
    if (path)
        assert_ok(hone_json_parse_file(path, 0, &golden_arena, &golden_root));
    return 0;
}
static int close_goldens(void **state)
{
    (void)state;
    hone_arena_release(&golden_arena);
    return 0;
}

static double number(const hone_value *v)
{
    assert_non_null(v);
    assert_true(v->type == HONE_F64 || v->type == HONE_I64);
    return v->type == HONE_F64 ? v->u.f64 : (double)v->u.i64;
}
static const hone_value *item(const hone_value *list, size_t i)
{
    assert_non_null(list);
    assert_int_equal(list->type, HONE_LIST);
    assert_true(i < list->u.list.n);
    return &list->u.list.items[i];
}
static const hone_value *member(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    if (!v)
        fail_with("golden file: no \"%s\"", key);
    return v;
}

static void assert_close(double got, double want, const char *what, const char *entry)
{
    double scale = want < 0 ? -want : want, d = got - want;
    if (scale < 1)
        scale = 1;
    if (!(d <= 1e-6 * scale && d >= -1e-6 * scale))
        fail_with("%s: %s is %.12g, the trainer's is %.12g", entry, what, got, want);
}

static void read_fixture(batch *b)
{
    const hone_value *f = member(&golden_root, "fixture");
    memset(b, 0, sizeof *b);
    b->n_seqs = 6;
    for (size_t s = 0; s < 6; s++) {
        b->group[s] = (uint32_t)(s / 3);
        b->seq_begin[s + 1] = 5 * (s + 1);
        for (size_t t = 0; t < 5; t++) {
            size_t i = 5 * s + t;
            b->logp[i] = number(item(item(member(f, "new"), s), t));
            b->old[i] = number(item(item(member(f, "old"), s), t));
            b->ref[i] = number(item(item(member(f, "ref"), s), t));
            b->sampler[i] = number(item(item(member(f, "rollout"), s), t));
            b->mask[i] = number(item(item(member(f, "mask"), s), t));
        }
    }
    b->n_tokens = 30;
    b->max_length = 5;
    finish_batch(b);
}

typedef struct adv_result {
    double seq[MAX_SEQS], token[MAX_TOKENS], combined[MAX_SEQS], returns[MAX_TOKENS];
    uint8_t left_out[MAX_SEQS];
    uint32_t per_token;
} adv_result;

static hone_status advantages(const char *id, const char *settings, hone_advantage_in *in,
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

static void golden_rewards(double *out)
{
    for (size_t s = 0; s < 6; s++)
        out[s] = number(item(member(member(&golden_root, "fixture"), "rewards"), s));
}

static const double fixture_values[30] = {
    /* 0.1 * ((b + t) % 3) */
    0, .1, .2, 0, .1, .1, .2, 0, .1, .2, .2, 0, .1, .2, 0,
    0, .1, .2, 0, .1, .1, .2, 0, .1, .2, .2, 0, .1, .2, 0};

/* What the golden entry is called, what it is here. `form` s: one number a sequence, t: B x T. */
static const struct {
    const char *section, *key, *id, *settings;
    char form;
} advantage_cases[] = {
    {"trl_advantages", "group", "group", "{\"compat\":\"trl\"}", 's'},
    {"trl_advantages", "batch", "group", "{\"compat\":\"trl\",\"scale\":\"batch\"}", 's'},
    {"trl_advantages", "none", "group", "{\"compat\":\"trl\",\"scale\":\"none\"}", 's'},
    {"trl_advantages", "two_funcs_w[1,0.5]_group", "group", "{\"compat\":\"trl\"}", '2'},
    {"trl_advantages", "two_funcs_normalize_then_sum", "normalize_then_sum", "{\"compat\":\"trl\"}",
     '2'},
    {"trl_advantages", "with_None(row1 all None; row2 func2 None)_group", "group",
     "{\"compat\":\"trl\"}", 'N'},
    {"verl_advantages", "grpo", "group", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "grpo_no_std", "dr_grpo", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "grpo_passk", "grpo_passk", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "reinforce_plus_plus_baseline", "reinforce++_baseline",
     "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "rloo", "rloo", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "opo", "opo", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "reinforce_plus_plus(gamma=1)", "reinforce++", "{\"compat\":\"verl\"}",
     't'},
    {"verl_advantages", "gpg", "gpg", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "remax(baseline=0.5)", "remax", "{\"compat\":\"verl\"}", 't'},
    {"verl_advantages", "gae(gamma=.99,lam=.95,values=0.1*((b+t)%3)) whitened", "gae",
     "{\"compat\":\"verl\",\"gamma\":0.99,\"lambda\":0.95}", 't'},
    {"verl_advantages", "gae returns", "gae",
     "{\"compat\":\"verl\",\"gamma\":0.99,\"lambda\":0.95}", 'r'},
    {"openrlhf.advantages", "group_norm", "group", "{\"compat\":\"openrlhf\"}", 's'},
    {"openrlhf.advantages", "rloo", "rloo", "{\"compat\":\"openrlhf\"}", 's'},
    {"openrlhf.advantages", "dr_grpo", "dr_grpo", "{\"compat\":\"openrlhf\"}", 's'},
};

static void test_advantages_equal_the_trainers(void **state)
{
    (void)state;
    if (golden_root.type != HONE_MAP)
        skip_without("goldens/objectives.json");
    batch b;
    read_fixture(&b);
    for (size_t c = 0; c < sizeof advantage_cases / sizeof *advantage_cases; c++) {
        const char *key = advantage_cases[c].key;
        const hone_value *want = hone_value_get(
            hone_value_path(&golden_root, advantage_cases[c].section), key);
        double rewards[12] = {0}, weights[2] = {1, .5}, baseline[6] = {.5, .5, .5, .5, .5, .5};
        const double second[6] = {0, 1, 0, 1, 1, 1};
        uint8_t scored[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        char id[96], form = advantage_cases[c].form;
        adv_result r;
        hone_advantage_in in = {.n_seqs = 6, .n_rewards = 1, .n_tokens = 30};
        assert_non_null(want);
        golden_rewards(rewards);
        memcpy(rewards + 6, second, sizeof second);
        if (form == 'N') { /* func1 lacks row 1; func2 lacks rows 1 and 2, its row 0 is 0 */
            scored[1] = scored[7] = scored[8] = 0;
        }
        in.rewards = rewards;
        in.scored = scored;
        in.weights = weights;
        in.n_rewards = form == '2' || form == 'N' ? 2 : 1;
        if (form == 'N')
            weights[1] = 1;
        in.group = b.group;
        in.length = b.length;
        in.seq_begin = b.seq_begin;
        in.mask = b.mask;
        in.value = fixture_values;
        in.baseline = baseline;
        snprintf(id, sizeof id, "org.hone.advantage.%s", advantage_cases[c].id);
        assert_ok(advantages(id, advantage_cases[c].settings, &in, &r));
        for (size_t s = 0; s < 6; s++) {
            if (form != 't' && form != 'r') {
                assert_close(r.seq[s], number(item(want, s)), "an advantage", key);
                continue;
            }
            for (size_t t = 0; t < 5; t++) {
                double got = form == 'r'   ? r.returns[5 * s + t]
                             : r.per_token ? r.token[5 * s + t]
                                           : r.seq[s] * b.mask[5 * s + t];
                assert_close(got, number(item(item(want, s), t)), "an advantage", key);
            }
        }
    }
}

static const struct {
    const char *section, *key, *id, *settings;
} policy_cases[] = {
    {"trl_grpo", "grpo", "grpo", "{\"compat\":\"trl\"}"},
    {"trl_grpo", "bnpo", "bnpo", "{\"compat\":\"trl\"}"},
    {"trl_grpo", "dr_grpo", "dr_grpo", "{\"compat\":\"trl\",\"max_length\":8}"},
    {"trl_grpo", "dapo", "dapo", "{\"compat\":\"trl\",\"eps_high\":0.2}"},
    {"trl_grpo", "sapo", "sapo", "{\"compat\":\"trl\"}"},
    {"trl_grpo", "cispo(eps_high=5)", "cispo", "{\"compat\":\"trl\",\"eps_high\":5}"},
    {"trl_grpo", "cispo(eps_high=1.2)", "cispo", "{\"compat\":\"trl\",\"eps_high\":1.2}"},
    {"trl_grpo", "gspo = grpo + sequence level, eps=3e-4,4e-4", "gspo", "{\"compat\":\"trl\"}"},
    {"trl_grpo", "gspo = grpo + sequence level, eps=0.2", "gspo",
     "{\"compat\":\"trl\",\"eps_low\":0.2,\"eps_high\":0.2}"},
    {"trl_grpo", "grpo beta=0.04", "grpo", "{\"compat\":\"trl\",\"beta\":0.04}"},
    {"trl_grpo", "dapo eps_high=0.28 delta=None", "dapo", "{\"compat\":\"trl\"}"},
    {"trl_grpo", "grpo delta=1.1 (two-sided)", "grpo", "{\"compat\":\"trl\",\"delta\":1.1}"},
    {"trl_grpo", "dapo off_policy_mask_threshold=0.05", "dapo",
     "{\"compat\":\"trl\",\"eps_high\":0.2,\"off_policy_threshold\":0.05}"},
    {"trl_grpo", "dapo + vllm IS token_truncate C_max=1.02", "dapo",
     "{\"compat\":\"trl\",\"eps_high\":0.2,\"sampler_cap\":1.02}"},
    {"trl_grpo", "dapo + vllm IS token_mask C_max=1.02", "dapo",
     "{\"compat\":\"trl\",\"eps_high\":0.2,\"sampler_cap\":1.02,\"sampler_mode\":\"mask\"}"},
    {"trl_grpo", "dapo + vllm IS sequence_truncate C_max=1.02", "dapo",
     "{\"compat\":\"trl\",\"eps_high\":0.2,\"sampler_cap\":1.02,\"sampler_level\":\"sequence\"}"},
    {"trl_grpo", "dapo + vllm IS sequence_mask C_max=1.02", "dapo",
     "{\"compat\":\"trl\",\"eps_high\":0.2,\"sampler_cap\":1.02,\"sampler_level\":\"sequence\","
     "\"sampler_mode\":\"mask\"}"},
    {"verl_policy_loss", "vanilla token-mean", "ppo", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "vanilla token-sum", "ppo",
     "{\"compat\":\"verl\",\"reduce\":\"token_sum\"}"},
    {"verl_policy_loss", "vanilla seq-mean-token-sum", "ppo",
     "{\"compat\":\"verl\",\"reduce\":\"seq_mean_token_sum\"}"},
    {"verl_policy_loss", "vanilla seq-mean-token-sum-norm", "ppo",
     "{\"compat\":\"verl\",\"reduce\":\"seq_mean_token_sum_norm\"}"},
    {"verl_policy_loss", "vanilla seq-mean-token-mean", "ppo",
     "{\"compat\":\"verl\",\"reduce\":\"seq_mean_token_mean\"}"},
    {"verl_policy_loss", "vanilla clip_high=.28", "ppo", "{\"compat\":\"verl\",\"eps_high\":0.28}"},
    {"verl_policy_loss", "vanilla clip_ratio_c=1.1", "ppo",
     "{\"compat\":\"verl\",\"dual_clip\":1.1}"},
    {"verl_policy_loss", "gspo eps=3e-4,4e-4", "gspo", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "gspo eps=.2", "gspo_token",
     "{\"compat\":\"verl\",\"eps_low\":0.2,\"eps_high\":0.2}"},
    {"verl_policy_loss", "sapo", "sapo", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "gpg", "gpg", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "geo_mean", "gmpo", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "dro", "dro", "{\"compat\":\"verl\"}"},
    {"verl_policy_loss", "cispo", "cispo", "{\"compat\":\"verl\"}"},
    {"openrlhf", "ppo token", "ppo", "{\"compat\":\"openrlhf\"}"},
    {"openrlhf", "ppo sample-mean", "ppo",
     "{\"compat\":\"openrlhf\",\"reduce\":\"seq_mean_token_mean\"}"},
    {"openrlhf", "ppo dual_clip=1.1", "ppo", "{\"compat\":\"openrlhf\",\"dual_clip\":1.1}"},
    {"openrlhf", "gspo", "gspo", "{\"compat\":\"openrlhf\"}"},
    {"openrlhf", "ppo + tis [0.98,1.02]", "ppo",
     "{\"compat\":\"openrlhf\",\"sampler_floor\":0.98,\"sampler_cap\":1.02}"},
    {"openrlhf", "ppo + icepop [0.98,1.02]", "ppo",
     "{\"compat\":\"openrlhf\",\"sampler_floor\":0.98,\"sampler_cap\":1.02,\"sampler_mode\":"
     "\"mask\"}"},
    {"openrlhf", "ppo + seq-mask-tis [0.98,1.02]", "ppo",
     "{\"compat\":\"openrlhf\",\"sampler_floor\":0.98,\"sampler_cap\":1.02,\"sampler_mode\":"
     "\"mask\",\"sampler_level\":\"sequence\"}"},
    {NULL, "torchtune_GRPOLoss(eps=.1,kl=.1)", "ppo",
     "{\"eps_low\":0.1,\"eps_high\":0.1,\"beta\":0.1}"},
};

/* Entries that objectives.md names no method for. */
static const char *const policy_drafts[] = {"vespo",   "luspo (sequence)", "dppo_tv",
                                            "dppo_kl", "kl_cov",           "dppo_tv clip=.02",
                                            "kl",      "advantages",       NULL};

static const char *trainer_of(const char *section)
{
    if (!section || strncmp(section, "trl", 3) == 0)
        return "{\"compat\":\"trl\"}";
    return strncmp(section, "verl", 4) == 0 ? "{\"compat\":\"verl\"}" : "{\"compat\":\"openrlhf\"}";
}

static void test_policy_losses_equal_the_trainers(void **state)
{
    (void)state;
    if (golden_root.type != HONE_MAP)
        skip_without("goldens/objectives.json");
    for (size_t c = 0; c < sizeof policy_cases / sizeof *policy_cases; c++) {
        const char *section = policy_cases[c].section, *key = policy_cases[c].key;
        const hone_value *want = member(section ? member(&golden_root, section) : &golden_root,
                                        key);
        hone_advantage_in in = {.n_seqs = 6, .n_rewards = 1};
        double rewards[6];
        char id[96];
        batch b;
        adv_result adv;
        result r;
        hone_ref ref;
        read_fixture(&b);
        golden_rewards(rewards);
        in.rewards = rewards;
        in.group = b.group;
        assert_ok(advantages("org.hone.advantage.group", trainer_of(section), &in, &adv));
        for (size_t t = 0; t < b.n_tokens; t++)
            b.adv[t] = adv.seq[t / 5];
        snprintf(id, sizeof id, "org.hone.objective.%s", policy_cases[c].id);
        hone_instance *inst = open_component(id, policy_cases[c].settings, HONE_IFACE_OBJECTIVE,
                                             &ref);
        assert_ok(evaluate(&ref, &b, &r));
        assert_close(r.loss, number(member(want, "loss")), "the loss", key);
        for (size_t s = 0; s < 6; s++)
            for (size_t t = 0; t < 5; t++)
                assert_close(r.grad[5 * s + t], number(item(item(member(want, "grad"), s), t)),
                             "a gradient", key);
        const hone_value *clip = hone_value_path(want, "metrics");
        clip = clip ? hone_value_get(clip, "actor/pg_clipfrac") : NULL;
        if (clip && strncmp(policy_cases[c].id, "cispo", 5) != 0 &&
            strcmp(policy_cases[c].id, "gmpo") != 0)
            assert_close(metric(&r, "clip/low") + metric(&r, "clip/high"), number(clip),
                         "the clipped share", key);
        hone_instance_unref(inst);
    }
}

static void test_every_golden_entry_is_used_or_a_listed_draft(void **state)
{
    (void)state;
    if (golden_root.type != HONE_MAP)
        skip_without("goldens/objectives.json");
    static const char *const sections[] = {"trl_grpo", "verl_policy_loss", "openrlhf", NULL};
    for (size_t k = 0; sections[k]; k++) {
        const hone_value *v = member(&golden_root, sections[k]);
        for (size_t i = 0; i < v->u.map.n; i++) {
            hone_str key = v->u.map.pairs[i].key;
            int known = 0;
            for (size_t c = 0; c < sizeof policy_cases / sizeof *policy_cases; c++)
                known |= policy_cases[c].section &&
                         strcmp(policy_cases[c].section, sections[k]) == 0 &&
                         hone_str_eq(key, policy_cases[c].key);
            for (size_t c = 0; policy_drafts[c]; c++)
                known |= hone_str_eq(key, policy_drafts[c]);
            if (!known)
                fail_with("%s: \"%.*s\" is neither tested nor a listed draft", sections[k],
                          (int)key.len, key.ptr);
        }
    }
}

static void test_kl_estimators_equal_verl(void **state)
{
    (void)state;
    if (golden_root.type != HONE_MAP)
        skip_without("goldens/objectives.json");
    static const char *const kinds[] = {"k1", "k2", "k3", "abs"};
    const hone_value *want = member(member(&golden_root, "verl_policy_loss"), "kl");
    for (size_t k = 0; k < 4; k++) {
        char settings[64];
        batch b;
        result r;
        hone_ref ref;
        read_fixture(&b); /* advantages are 0: what is left is the KL term */
        snprintf(settings, sizeof settings, "{\"beta\":1,\"kl\":\"%s\"}", kinds[k]);
        hone_instance *inst = open_component("org.hone.objective.ppo", settings,
                                             HONE_IFACE_OBJECTIVE, &ref);
        assert_ok(evaluate(&ref, &b, &r));
        assert_close(r.loss, number(member(want, kinds[k])), "the KL", kinds[k]);
        hone_instance_unref(inst);
    }
}

/* Preference entries: sums as one token a sequence. `lengths` in the pairs; KTO: 3 chosen, 2 rejected. */
static const struct {
    const char *section, *key, *id, *settings;
} pair_cases[] = {
    {"trl_dpo(beta=0.1)", "sigmoid", "dpo", NULL},
    {"trl_dpo(beta=0.1)", "hinge", "hinge", NULL},
    {"trl_dpo(beta=0.1)", "ipo", "ipo", "{\"compat\":\"trl\"}"},
    {"trl_dpo(beta=0.1)", "nca_pair", "nca", NULL},
    {"trl_dpo(beta=0.1)", "bco_pair", "bco", NULL},
    {"trl_dpo(beta=0.1)", "sppo_hard", "sppo", NULL},
    {"trl_dpo(beta=0.1)", "aot", "aot", NULL},
    {"trl_dpo(beta=0.1)", "aot_unpaired", "aot_unpaired", NULL},
    {"trl_dpo(beta=0.1)", "apo_zero", "apo_zero", NULL},
    {"trl_dpo(beta=0.1)", "apo_down", "apo_down", NULL},
    {"trl_dpo(beta=0.1)", "discopop", "discopop", NULL},
    {"trl_dpo(beta=0.1)", "sigmoid_norm", "sigmoid_norm", NULL},
    {"trl_dpo(beta=0.1)", "robust ls=0.1", "robust", "{\"label_smoothing\":0.1}"},
    {"trl_dpo(beta=0.1)", "exo_pair ls=1e-3", "exo", NULL},
    {"trl_dpo(beta=0.1)", "aot ls=0.1", "aot", "{\"label_smoothing\":0.1}"},
    {"trl_dpo(beta=0.1)", "sigmoid forward_kl", "dpo", "{\"f_divergence\":\"forward_kl\"}"},
    {"trl_dpo(beta=0.1)", "sigmoid js_divergence", "dpo", "{\"f_divergence\":\"js\"}"},
    {"trl_dpo(beta=0.1)", "sigmoid alpha_divergence", "dpo", "{\"f_divergence\":\"alpha\"}"},
    {"openrlhf_dpo", "dpo", "dpo", "{\"compat\":\"openrlhf\"}"},
    {"openrlhf_dpo", "cdpo ls=.1", "dpo", "{\"compat\":\"openrlhf\",\"label_smoothing\":0.1}"},
    {"openrlhf_dpo", "ipo (NOT length-normalised)", "ipo", "{\"compat\":\"openrlhf\"}"},
    {"trl_kto(beta=.1; 3 desirable, 2 undesirable)", "kto kl=0.3", "kto", "{\"kto_kl\":0.3}"},
    {"trl_kto(beta=.1; 3 desirable, 2 undesirable)", "kto kl=0.3 w=(1,1.33)", "kto",
     "{\"kto_kl\":0.3,\"undesirable_weight\":1.33}"},
    {"trl_kto(beta=.1; 3 desirable, 2 undesirable)", "apo_zero_unpaired", "apo_zero_unpaired",
     NULL},
    {"trl_orpo(beta=.1, avg logps)", "minus_beta_logsig_mean", "orpo", "{\"nll\":0}"},
    {NULL, "llamafactory_orpo(beta=.1)", "orpo", NULL},
    {"trl_cpo_simpo", "simpo gamma=.5 beta=2", "simpo", NULL},
    {"trl_cpo_simpo", "cpo sigmoid beta=.1", "cpo", NULL},
    {"trl_cpo_simpo", "cpo hinge", "cpo", "{\"loss\":\"hinge\"}"},
    {"trl_cpo_simpo", "cpo ipo (avg)", "cpo", "{\"loss\":\"ipo\"}"},
    {"trl_cpo_simpo", "alphapo alpha=.25 simpo beta=2", "alphapo", NULL},
};

static void read_pairs(batch *b, int unpaired)
{
    const hone_value *f = member(&golden_root, "pref_fixture");
    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < 3; i++) {
        for (size_t side = 0; side < 2; side++) {
            if (unpaired && side == 1 && i == 2)
                continue;
            size_t s = b->n_seqs++;
            b->logp[s] = number(item(member(f, side ? "policy_rejected" : "policy_chosen"), i));
            b->ref[s] = number(item(member(f, side ? "ref_rejected" : "ref_chosen"), i));
            b->mask[s] = 1;
            b->role[s] = side ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN;
            b->seq_begin[s + 1] = s + 1;
        }
    }
    b->n_tokens = b->n_seqs;
    finish_batch(b);
    for (size_t i = 0, s = 0; i < 3; i++)
        for (size_t side = 0; side < 2 && s < b->n_seqs; side++)
            b->length[s++] = number(item(member(f, side ? "len_rejected" : "len_chosen"), i));
}

static void test_preference_losses_equal_the_trainers(void **state)
{
    (void)state;
    if (golden_root.type != HONE_MAP)
        skip_without("goldens/objectives.json");
    for (size_t c = 0; c < sizeof pair_cases / sizeof *pair_cases; c++) {
        const char *section = pair_cases[c].section, *key = pair_cases[c].key;
        const hone_value *want = member(section ? member(&golden_root, section) : &golden_root,
                                        key);
        int map = want->type == HONE_MAP;
        const hone_value *gc = map ? hone_value_get(want, "grad_chosen") : NULL;
        const hone_value *gr = map ? hone_value_get(want, "grad_rejected") : NULL;
        size_t seen[2] = {0, 0};
        char id[96];
        batch b;
        result r;
        hone_ref ref;
        read_pairs(&b, section && strncmp(section, "trl_kto", 7) == 0);
        snprintf(id, sizeof id, "org.hone.objective.%s", pair_cases[c].id);
        hone_instance *inst = open_component(id, pair_cases[c].settings, HONE_IFACE_OBJECTIVE,
                                             &ref);
        assert_ok(evaluate(&ref, &b, &r));
        assert_close(r.loss, number(map ? member(want, "loss") : want), "the loss", key);
        for (size_t s = 0; s < b.n_seqs && gc; s++) {
            int rejected = b.role[s] == HONE_ROLE_REJECTED;
            assert_close(r.grad[s], number(item(rejected ? gr : gc, seen[rejected]++)),
                         "a gradient", key);
        }
        hone_instance_unref(inst);
    }
}

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
        b->seq_begin[s + 1] = b->seq_begin[s] + length;
        for (size_t t = b->seq_begin[s]; t < b->seq_begin[s + 1]; t++) {
            uint64_t k = seed + 10 * t;
            b->logp[t] = -0.05 - 2 * wobble(k);
            b->old[t] = b->logp[t] + 0.6 * (wobble(k + 1) - 0.5);
            b->ref[t] = b->logp[t] + 0.8 * (wobble(k + 2) - 0.5);
            b->sampler[t] = b->old[t] + 0.1 * (wobble(k + 3) - 0.5);
            b->entropy[t] = 0.2 + wobble(k + 4);
            b->adv[t] = 3 * wobble(seed + 999 + s) - 1.5;
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
    {"sigmoid_norm", "{\"beta\":0.7}", 0, 2},
    {"kto", "{\"beta\":0.7,\"kto_kl\":0.2,\"desirable_weight\":2}", 0, 2},
    {"orpo", NULL, 0, 2},
    {"cpo", "{\"nll\":1,\"label_smoothing\":0.1}", 0, 2},
    {"cpo", "{\"loss\":\"ipo\"}", 0, 2},
    {"simpo", "{\"nll\":0.5}", 0, 2},
    {"alphapo", NULL, 0, 2},
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
        for (size_t t = 0; t < b.n_tokens; t++) {
            double x = b.entropy[t];
            b.entropy[t] = x + 1e-6;
            assert_ok(evaluate(&ref, &b, &up));
            b.entropy[t] = x;
            double off = (up.loss - at.loss) / 1e-6 - at.grad_entropy[t];
            assert_true(off < 1e-7 && off > -1e-7);
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
    assert_ok(evaluate(&ref, &b, &r));
    for (size_t t = 0; t < b.n_tokens; t++)
        assert_close(r.grad[t], -hone_exp(b.logp[t]) * b.mask[t] / b.total_tokens, "a gradient",
                     "dft");
    hone_instance_unref(inst);
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
                    1e6 + (double)t;
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
                SHIFT(mask);
#undef SHIFT
            memmove(m.length, b.length + cuts[c], m.n_seqs * sizeof *m.length);
            memmove(m.role, b.role + cuts[c], m.n_seqs * sizeof *m.role);
            assert_ok(evaluate(&ref, &m, &part));
            loss += part.loss;
            assert_memory_equal(part.grad, whole.grad + from, m.n_tokens * sizeof *part.grad);
        }
        assert_close(loss, whole.loss, "the sum of the parts", subjects[k].id);
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
        assert_int_equal(strncmp(text.ptr, info->short_name, strlen(info->short_name)), 0);
        hone_instance_unref(inst);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advantages_equal_the_trainers),
        cmocka_unit_test(test_policy_losses_equal_the_trainers),
        cmocka_unit_test(test_every_golden_entry_is_used_or_a_listed_draft),
        cmocka_unit_test(test_kl_estimators_equal_verl),
        cmocka_unit_test(test_preference_losses_equal_the_trainers),
        cmocka_unit_test(test_gradients_are_difference_quotients),
        cmocka_unit_test(test_stop_gradients_follow_their_formula),
        cmocka_unit_test(test_zero_advantage_gives_zero_policy_gradient),
        cmocka_unit_test(test_masked_tokens_and_samples_change_nothing),
        cmocka_unit_test(test_micro_batches_give_the_same_gradients),
        cmocka_unit_test(test_missing_inputs_are_named),
        cmocka_unit_test(test_clip_metrics_count_by_side),
        cmocka_unit_test(test_equal_rewards_give_exactly_zero),
        cmocka_unit_test(test_a_sample_without_a_reward_leaves_its_group),
        cmocka_unit_test(test_groups_need_not_lie_side_by_side),
        cmocka_unit_test(test_opd_and_kl_in_the_reward),
        cmocka_unit_test(test_show_says_formula_source_and_differences),
    };
    return cmocka_run_group_tests(tests, open_goldens, close_goldens);
}
