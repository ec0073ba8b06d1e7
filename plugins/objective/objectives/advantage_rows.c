/* advantage_rows.c - the advantages of objectives.md as table rows: settings, defaults, texts. */
#include "advantage.h"

/* clang-format off */
#define COMPAT FIELD_COMPAT("whose variant, where trainers differ")
#define FIELD_MISSING \
    HONE_ENUM("missing", "skip", "skip|zero", 0, "a sample without one of its rewards: leaves its group, or keeps the sum of the others (compat trl: zero)")
#define FIELD_SHAPING \
    HONE_F64("reward_clip", 0, 0, 1e9, 0, "R is cut to within +- this; 0: not"), \
    HONE_F64("overlong_buffer", 0, 0, 1e9, 0, "overlong shaping: R falls over the last so many tokens before max_length; 0: not"), \
    HONE_F64("overlong_penalty", 1, 0, 1e6, 0, "how far it falls"), \
    HONE_F64("length_penalty", 0, -1e6, 1e6, 0, "weight of a length penalty; 0: none"), \
    HONE_ENUM("length_mode", "linear", "linear|group", 0, "linear: |y| / max_length; group: within the lengths of the group (Kimi k1.5)"), \
    HONE_F64("max_length", 0, 0, 1e9, 0, "longest completion allowed; 0: that of the rollout"), \
    HONE_F64("advantage_clip", 0, 0, 1e9, 0, "the advantage is cut to within +- this; 0: not")
#define FIELD_EPS HONE_F64("eps", 1e-6, 0, 1, 0, "added to the standard deviation (compat: trl 1e-4, verl 1e-6, openrlhf 1e-9)")
#define FIELD_KL \
    HONE_F64("beta", 0, 0, 1e6, 0, "weight of a KL penalty in the reward of each token"), \
    HONE_ENUM("kl", "k1", "k1|k2|k3|abs", 0, "estimator of that penalty")

#define SHOW_MISSING \
    "R: weighted sum of the rewards. A sample that lacks a weighted reward leaves its group and gets 0\n" \
    "  (missing = skip); missing = zero sums what is there, as trl does.\n" \
    "R is shaped where asked for, in this order: reward_clip; overlong_buffer b: less overlong_penalty times\n" \
    "  (|y| - max_length + b) / b, at least 0 (DAPO, arXiv:2503.14476, eq. 13); length_penalty w: less w |y| / max_length\n" \
    "  (linear), or plus w (.5 - (|y| - min_G)/(max_G - min_G)), which helps only R > 0 (group; Kimi k1.5,\n" \
    "  arXiv:2501.12599); beta: less beta times the sum over tokens of kl(logp, ref_logp), k1 as in PPO (per token\n" \
    "  where the method is per token). advantage_clip comes last.\n"
#define SHOW_LEAVES \
    "A sample that lacks a weighted reward leaves its group and gets 0 (missing = skip); missing = zero sums what is\n" \
    "  there, as trl does.\n"
#define SHOW_WHITEN \
    "differences: openrlhf whitens with the variance over n, at least 1e-8; hone and verl with n - 1, plus 1e-8.\n"
#define SHOW_ONE "differences: verl gives a group of one mean 0 and std 1, so its advantage is R; hone gives 0.\n"

/* X(row, name, kind, fields, summary, show) */
#define ADVANTAGE_ROWS(X) \
    X(group, "group", ADV_GROUP, group_fields, "GRPO: rewards standardised within their group", \
      "group: (R - mean_G) / (std_G + eps), sample std (n - 1)\n" SHOW_MISSING \
      "scale: group = std of the group; batch = std of all rewards of the batch; none = no division.\n" \
      "source: Shao et al. 2024 (arXiv:2402.03300)\n" \
      "differences: eps is 1e-4 in trl, 1e-6 in verl, 1e-9 in openrlhf; missing is zero in trl. openrlhf clips R after\n" \
      "  the mean is taken off, and takes its KL off each token's return; hone both off R.\n" SHOW_ONE) \
    X(dr_grpo, "dr_grpo", ADV_DR_GRPO, plain_fields, "rewards less their group's mean", \
      "dr_grpo: R - mean_G\n" SHOW_MISSING "source: Liu et al. 2025 (arXiv:2503.20783)\n" SHOW_ONE) \
    X(rloo, "rloo", ADV_RLOO, plain_fields, "rewards less the mean of the others in the group", \
      "rloo: R - mean of the others = n/(n-1) (R - mean_G)\n" SHOW_MISSING "source: Ahmadian et al. 2024 (arXiv:2402.14740)\n" SHOW_ONE) \
    X(normalize_then_sum, "normalize_then_sum", ADV_NORMALIZE_THEN_SUM, gdpo_fields, "GDPO: each reward standardised by itself, then summed", \
      "normalize_then_sum: z_k = (R_k - mean_G) / (std_G + eps) for each reward; sum of w_k z_k; standardised over the batch\n" SHOW_LEAVES \
      "source: GDPO, Liu et al. 2026 (arXiv:2601.05242)\n" \
      "differences: trl: multi_objective_aggregation = normalize_then_sum, eps 1e-4. verl (gdpo) whitens the sums over\n" \
      "  tokens, so that long samples count more, and keeps R of a group of one; compat verl does so.\n") \
    X(grpo_passk, "grpo_passk", ADV_PASSK, eps_fields, "only the best of a group, by its lead", \
      "grpo_passk: (max - second) / (std_G + eps) for the best of the group, 0 for the others\n" SHOW_MISSING \
      "source: Tang et al. 2025 (arXiv:2503.19595)\ndifferences: none known; verl's values are met.\n") \
    X(remax, "remax", ADV_REMAX, plain_fields, "rewards less the greedy answer's", \
      "remax: R - R(greedy answer to the same prompt), given as baseline\n" SHOW_MISSING "source: Li et al. 2023 (arXiv:2310.10505)\ndifferences: none known; verl's values are met.\n") \
    X(opo, "opo", ADV_OPO, plain_fields, "rewards less the length-weighted mean of the group", \
      "opo: R - sum(len R) / sum(len) over the group\n" SHOW_MISSING "source: Hao et al. 2025 (arXiv:2505.23585)\n" SHOW_ONE) \
    X(gpg, "gpg", ADV_GPG, plain_fields, "centred rewards, scaled by the share that is not zero", \
      "gpg: (B / number of rewards that are not 0) (R - mean_G)\n" SHOW_MISSING "source: Chu et al. 2025 (arXiv:2504.02546), as in verl\n" SHOW_ONE) \
    X(reinforce_pp, "reinforce++", ADV_REINFORCE_PP, return_fields, "discounted returns, whitened over the batch", \
      "reinforce++: G_t = r_t + gamma G_{t+1}, R at the last token, less beta KL a token; whitened over all tokens\n" SHOW_MISSING \
      "source: Hu 2025 (arXiv:2501.03262)\n" SHOW_WHITEN "  There a masked token between trained ones is a step, which discounts; here it is none.\n") \
    X(reinforce_pp_baseline, "reinforce++_baseline", ADV_REINFORCE_PP_BASELINE, whiten_fields, "centred in the group, whitened over the batch", \
      "reinforce++_baseline: R - mean_G at each token, whitened over all tokens\n" SHOW_MISSING \
      "source: Hu 2025 (arXiv:2501.03262)\n" SHOW_WHITEN SHOW_ONE) \
    X(gae, "gae", ADV_GAE, gae_fields, "generalised advantage estimation with a value head", \
      "gae: A_t = sum over l of (gamma lambda)^l d_{t+l},  d_t = r_t + gamma V_{t+1} - V_t; whitened over all tokens\n" SHOW_MISSING \
      "source: Schulman et al. 2015 (arXiv:1506.02438)\n" \
      SHOW_WHITEN "  There a masked token between trained ones is a step without reward and value; here it is none.\n" \
      "differences: compat verl leaves numbers on masked tokens, hone 0; nothing reads them.\n") \
    X(opd, "opd", ADV_OPD, opd_fields, "on-policy distillation: the teacher's log-prob less the student's", \
      "opd: -(logp - ref_logp) at each token; ref_logp is the teacher's\n" \
      "source: on-policy distillation as in Thinking Machines 2025 (blog), after Agarwal et al. 2023 (arXiv:2306.13649)\n" \
      "differences: trl has no such advantage: its distillation trainers take the KL over the vocabulary (gkd with beta 1).\n")

static const hone_field *const group_fields[] = {COMPAT, FIELD_MISSING, FIELD_EPS,
    HONE_ENUM("scale", "group", "group|batch|none", 0, "whose standard deviation divides"), FIELD_KL, FIELD_SHAPING, NULL};
static const hone_field *const plain_fields[] = {COMPAT, FIELD_MISSING, FIELD_KL, FIELD_SHAPING, NULL};
static const hone_field *const eps_fields[] = {COMPAT, FIELD_MISSING, FIELD_EPS, FIELD_KL, FIELD_SHAPING, NULL};
static const hone_field *const gdpo_fields[] = {COMPAT, FIELD_MISSING, FIELD_EPS, HONE_F64("advantage_clip", 0, 0, 1e9, 0, "the advantage is cut to within +- this; 0: not"), NULL};
static const hone_field *const whiten_fields[] = {COMPAT, FIELD_MISSING, FIELD_KL, FIELD_SHAPING, HONE_FLAG("whiten", 1, 0, "whiten over the tokens of the batch"), NULL};
static const hone_field *const return_fields[] = {COMPAT, FIELD_MISSING, HONE_F64("gamma", 1, 0, 1, 0, "discount"), FIELD_KL, FIELD_SHAPING, HONE_FLAG("whiten", 1, 0, "whiten over the tokens of the batch"), NULL};
static const hone_field *const gae_fields[] = {COMPAT, FIELD_MISSING, HONE_F64("gamma", 1, 0, 1, 0, "discount"), HONE_F64("lambda", 1, 0, 1, 0, "decay of the trace"), FIELD_KL, FIELD_SHAPING, HONE_FLAG("whiten", 1, 0, "whiten over the tokens of the batch"), NULL};
static const hone_field *const opd_fields[] = {NULL};

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_ADVANTAGE, NULL};

#define X(row, name_, kind_, fields_, summary_, show_) \
    static const advantage_row row_##row = {name_, kind_, show_}; \
    static hone_status create_##row(const hone_host *host, const hone_config *cfg, void **self_out) \
    { \
        return advantage_create(&row_##row, fields_, host, cfg, self_out); \
    } \
    static const hone_component component_##row = { \
        COMPONENT_HEAD("org.hone.advantage." name_, summary_), .fields = fields_, .needs = needs, \
        .provides = provides, .create = create_##row, .destroy = advantage_release, .get_iface = advantage_get_iface};
ADVANTAGE_ROWS(X)
#undef X
#define X(row, name_, kind_, fields_, summary_, show_) &component_##row,
const hone_component *const advantage_components[] = {ADVANTAGE_ROWS(X) NULL};
#undef X
/* clang-format on */
