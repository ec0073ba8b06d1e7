/* Objectives and advantages against the golden values of trl, verl and openrlhf, in double: every entry is used or a listed
 * draft. */
#include "objective_batch.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advantages_equal_the_trainers),
        cmocka_unit_test(test_policy_losses_equal_the_trainers),
        cmocka_unit_test(test_every_golden_entry_is_used_or_a_listed_draft),
        cmocka_unit_test(test_kl_estimators_equal_verl),
        cmocka_unit_test(test_preference_losses_equal_the_trainers),
    };
    return cmocka_run_group_tests(tests, open_goldens, close_goldens);
}
