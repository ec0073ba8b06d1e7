/* policy_rows.c - the policy losses of objectives.md as table rows: settings, defaults, texts.
 *
 * A row holds only the settings that it understands. Defaults are hone's own; `compat` changes what
 * that trainer does otherwise and nothing else. To add a method: its loss in policy.c if no row has it
 * yet, a row here, its golden entry in tests/golden. */
#include "policy.h"

#include "hone/state.h"

/* clang-format off */
#define FIELD_REDUCE(dflt) \
    HONE_ENUM("reduce", dflt, REDUCE_CHOICES, 0, "how token losses become one number"), \
    HONE_F64("max_length", 0, 0, 1e9, 0, "divisor of seq_mean_token_sum_norm; 0: the longest completion allowed")
#define FIELD_EPS(low, high) \
    HONE_F64("eps_low", low, 0, 1e3, 0, "the ratio is clipped below 1 - eps_low"), \
    HONE_F64("eps_high", high, 0, 1e3, 0, "the ratio is clipped above 1 + eps_high")
#define FIELD_CLIP(low, high) \
    FIELD_EPS(low, high), \
    HONE_F64("delta", 0, 0, 1e6, 0, "cap of the ratio in the unclipped branch (two-sided clipping); 0: none"), \
    HONE_F64("dual_clip", 0, 0, 1e6, 0, "for A < 0 the loss is at most -dual_clip A; 0: none")
#define FIELD_KL \
    HONE_F64("beta", 0, 0, 1e6, 0, "weight of the KL term to the reference"), \
    HONE_ENUM("kl", "k3", "k1|k2|k3|abs", 0, "estimator of the KL term"), \
    HONE_FLAG("unbiased", 0, 0, "multiply the KL term by the ratio")
#define FIELD_EXTRAS \
    HONE_F64("entropy", 0, -1e6, 1e6, HONE_LIVE, "weight of the entropy bonus"), \
    HONE_F64("entropy_target", 0, 0, 1e3, 0, "adaptive entropy: the bonus holds while the last update's entropy is below this; 0: always"), \
    HONE_F64("entropy_step", 0, 0, 1e3, 0, "adaptive entropy: its weight goes up this much after an update below the target, down after one above"), \
    HONE_F64("entropy_max", 1, 0, 1e6, 0, "adaptive entropy: its weight stays within 0 and this"), \
    HONE_F64("top_entropy", 1, 0, 1, 0, "train only on this share of the tokens, those of highest entropy"), \
    HONE_ENUM("sampler_level", "token", "token|sequence", 0, "correct for the sampler by token or by sequence"), \
    HONE_ENUM("sampler_mode", "truncate", "truncate|mask", 0, "outside the bounds: cut the weight, or drop"), \
    HONE_F64("sampler_cap", 0, 0, 1e6, 0, "upper bound of exp(old - sampler); 0: none"), \
    HONE_F64("sampler_floor", 0, 0, 1e6, 0, "lower bound of exp(old - sampler); 0: none"), \
    HONE_FLAG("reject", 0, 0, "what is outside the bounds leaves the batch: no loss, no KL, not counted"), \
    HONE_FLAG("mask_truncated", 0, 0, "samples cut off at the limit are left out of the batch"), \
    HONE_F64("off_policy_threshold", 0, 0, 1e6, 0, "drop sequences with A < 0 whose mean log(sampler/policy) is above; 0: none")
#define COMPAT FIELD_COMPAT("whose variant, where trainers differ")

#define SHOW_EXTRAS \
    "\nextras: beta * kl(logp, ref_logp) and -entropy * H are added to each token before the reduction;\n" \
    "  k1 = logp - ref, k2 = k1^2/2, k3 = exp(-k1) - 1 + k1, abs = |k1|; unbiased: times r.\n" \
    "  sampler correction: the policy term of each token times exp(old - sampler), cut to\n" \
    "  [sampler_floor, sampler_cap] (truncate) or dropped outside (mask); by sequence: the product of the\n" \
    "  ratios (openrlhf, mask: gated on their geometric mean, token weights kept). reject: what is outside the\n" \
    "  bounds leaves the batch and its normalisers (openrlhf: by sequence on the geometric mean).\n" \
    "  off_policy_threshold: a sequence with A < 0 whose mean log(sampler/policy) is above has no policy term\n" \
    "  (DeepSeek-V3.2 2025, 2512.02556). top_entropy: only that share of the tokens, those of highest entropy\n" \
    "  (Wang et al. 2025, 2506.01939). mask_truncated: samples cut off at the limit are left out (DAPO).\n" \
    "  entropy_target: adaptive entropy (Skywork-OR1 2025, 2505.22312): from the last update's mean entropy e the\n" \
    "  weight moves by +-entropy_step towards it, and the bonus holds while e is below the target.\n" \
    "differences everywhere, which compat sets where it does not say otherwise:\n" \
    "  trl: the bonus for entropy is a mean over the tokens that train, whatever `reduce` says. Its mean over sequences\n" \
    "  counts those without a token to train on; hone's does not, with compat either.\n" \
    "  verl: log-ratios of tokens are held within +-20, gspo's mean below 10, k3 below 10, with no gradient beyond.\n" \
    "  openrlhf: log-ratios of the clipped losses are held within +-20, every estimate of the KL within +-10, likewise.\n"
#define SHOW_REDUCE \
    "reduce: seq_mean_token_mean = mean over sequences of the mean over their tokens; token_mean = over all\n" \
    "  tokens of the optimizer step, however it is split; seq_mean_token_sum; seq_mean_token_sum_norm = that\n" \
    "  divided by max_length; token_sum.\n"
#define SHOW_CLIP \
    "l_t = -min(r A, clip(r, 1 - eps_low, 1 + eps_high) A),  r = exp(logp - old_logp)\n" \
    "  delta caps r in the first branch; dual_clip c: at most -c A for A < 0 (compat verl: 3 unless given).\n"

/* X(row, loss, level, reads old, fields, summary, show) */
#define POLICY_ROWS(X) \
    X(ppo, LOSS_CLIP, 0, 1, value_fields, "PPO's clipped surrogate, mean over tokens", \
      "ppo: clipped surrogate\n" SHOW_CLIP "reduced by token_mean.\n" SHOW_REDUCE \
      "vf_coef: times the value loss is added, of a head that the policy has (value_head = true):\n  " VALUE_SHOW \
      "source: Schulman et al. 2017 (arXiv:1707.06347); dual clip: Ye et al. 2019 (1912.09729);\n" \
      "  delta: INTELLECT-2 2025 (2505.07291)\n" \
      "differences: value loss: trl's PPO trainer has vf_coef .1 and clips at .2; critics apart in verl and openrlhf clip at .5.\n" \
      "  verl calls it vanilla; clip_ratio_c is dual_clip. openrlhf: sample-mean is seq_mean_token_mean.\n" SHOW_EXTRAS) \
    X(grpo, LOSS_CLIP, 0, 1, grpo_fields, "GRPO: clipped surrogate, mean over sequences of token means", \
      "grpo: group relative policy optimisation\n" SHOW_CLIP "reduced by seq_mean_token_mean.\n" SHOW_REDUCE \
      "source: Shao et al. 2024, DeepSeekMath (arXiv:2402.03300)\n" \
      "differences: verl and openrlhf reach it through ppo with that reduction; trl's GRPOTrainer reduces as dapo unless\n" \
      "  loss_type = grpo is set. Advantages: `hone advantage show group`.\n" SHOW_EXTRAS) \
    X(bnpo, LOSS_CLIP, 0, 1, ppo_fields, "clipped surrogate, mean over the tokens of the batch", \
      "bnpo: clipped surrogate over the batch's tokens\n" SHOW_CLIP "reduced by token_mean.\n" SHOW_REDUCE \
      "source: trl's loss_type bnpo. The paper of that name (Xiao et al. 2025, arXiv:2506.02864) normalises rewards by a\n" \
      "  Beta distribution, which is no part of this loss.\n" \
      "differences: trl divides by the tokens of each micro-batch, hone by those of the whole step.\n" SHOW_EXTRAS) \
    X(dr_grpo, LOSS_CLIP, 0, 1, dr_grpo_fields, "Dr. GRPO: token sums divided by a constant length", \
      "dr_grpo: GRPO without length bias\n" SHOW_CLIP "reduced by seq_mean_token_sum_norm: sum / (sequences * max_length).\n" SHOW_REDUCE \
      "source: Liu et al. 2025, Understanding R1-Zero-like training (arXiv:2503.20783); use with advantage dr_grpo.\n" \
      "differences: verl divides by the width of the response tensor, trl by max_completion_length.\n" SHOW_EXTRAS) \
    X(dapo, LOSS_CLIP, 0, 1, dapo_fields, "DAPO: clip-higher, mean over tokens", \
      "dapo: decoupled clip, token-level loss\n" SHOW_CLIP "eps_high .28 > eps_low .2; reduced by token_mean.\n" SHOW_REDUCE \
      "source: Yu et al. 2025 (arXiv:2503.14476)\n" \
      "differences: trl's loss_type dapo leaves eps_high at eps_low (set eps_high yourself).\n" SHOW_EXTRAS) \
    X(gspo, LOSS_CLIP, 1, 1, gspo_fields, "GSPO: one clipped ratio a sequence", \
      "gspo: group sequence policy optimisation\n" \
      "s = exp(mean over |y| of log r);  l = -min(s A, clip(s, 1 - eps_low, 1 + eps_high) A) for each token of y,\n" \
      "  with the gradient through the mean.\n" SHOW_REDUCE \
      "source: Zheng et al. 2025 (arXiv:2507.18071)\n" \
      "differences: trl: importance_sampling_level = sequence. verl writes it as gspo_token, equal for one advantage a sequence.\n" \
      "  openrlhf, when it corrects for the sampler, takes the sampler's log-probs in place of old_logp; hone corrects beside.\n" SHOW_EXTRAS) \
    X(gspo_token, LOSS_GSPO_TOKEN, 0, 1, gspo_fields, "GSPO with an advantage per token", \
      "gspo_token: the sequence's ratio, each token's own gradient\n" \
      "s_t = sg(exp(mean of log r)) * exp(logp_t - sg(logp_t));  l_t = -min(s_t A_t, clip(s_t) A_t)\n" SHOW_REDUCE \
      "source: Zheng et al. 2025 (arXiv:2507.18071), section 4.3\n" \
      "differences: verl's gspo is written like this.\n" SHOW_EXTRAS) \
    X(cispo, LOSS_CISPO, 0, 1, cispo_fields, "CISPO: the capped ratio as a constant weight", \
      "cispo: clipped importance-sampling weights\n" \
      "l_t = -sg(clip(r, 1 - eps_low, 1 + eps_high)) A logp: no token loses its gradient.\n" SHOW_REDUCE \
      "source: MiniMax-M1 2025 (arXiv:2506.13585)\n" \
      "differences: trl caps at eps_high itself and has no lower bound (its recipes use eps_high 5).\n" SHOW_EXTRAS) \
    X(sapo, LOSS_SAPO, 0, 1, sapo_fields, "SAPO: a soft gate instead of a clip", \
      "sapo: soft adaptive policy optimisation\n" \
      "l_t = -(4/tau) sigmoid(tau (r - 1)) A,  tau = tau_pos for A > 0, else tau_neg\n" SHOW_REDUCE \
      "source: Gao et al. 2025 (arXiv:2511.20347)\n" \
      "differences: none known but those below; trl's and verl's values are met.\n" SHOW_EXTRAS) \
    X(gmpo, LOSS_GMPO, 1, 1, gmpo_fields, "GMPO: geometric mean of clamped ratios", \
      "gmpo: geometric-mean policy optimisation\n" \
      "l = -A exp(mean over |y| of x), x = min(log r, eps_high) for A > 0, max(log r, -eps_low) for A < 0\n" SHOW_REDUCE \
      "source: Zhao et al. 2025 (arXiv:2507.20673), which advises eps .4\n" \
      "differences: verl calls it geo_mean; there a sampler correction is the geometric mean of its weights. trl's GMPO\n" \
      "  trainer has eps .4, and with top_entropy takes the mean over the tokens kept.\n" SHOW_EXTRAS) \
    X(gpg, LOSS_LOGP, 0, 0, logp_fields, "GPG: plain policy gradient", \
      "gpg: group policy gradient\n" \
      "l_t = -A logp; use with advantage gpg.\n" SHOW_REDUCE \
      "source: Chu et al. 2025 (arXiv:2504.02546)\ndifferences: none known; verl's values are met.\n" SHOW_EXTRAS) \
    X(dro, LOSS_DRO, 0, 1, dro_fields, "DRO: policy gradient with a squared log-ratio", \
      "dro: direct reward optimisation\n" \
      "l_t = -(A logp - beta/2 (logp - old_logp)^2); beta is this term's weight (no KL term to a reference).\n" SHOW_REDUCE \
      "source: verl's dro, after Richemond et al. 2024 (arXiv:2405.19107): the gradient of its squared loss, towards the\n" \
      "  policy that sampled, as in Kimi k1.5 (2501.12599)\ndifferences: none known; verl's values are met.\n" SHOW_EXTRAS) \
    X(reinforce, LOSS_LOGP, 0, 0, logp_fields, "REINFORCE: -A logp", \
      "reinforce: the score-function gradient\n" \
      "l_t = -A logp; there is no ratio, so one update a rollout.\n" SHOW_REDUCE \
      "source: Williams 1992\n" \
      "differences: trl and verl reach it as their clipped loss on fresh samples, where r = 1.\n" SHOW_EXTRAS)

static const hone_field *const value_fields[] = {COMPAT, FIELD_REDUCE("token_mean"), FIELD_CLIP(.2, .2), FIELD_KL, FIELD_EXTRAS,
    HONE_F64("vf_coef", 0, 0, 1e6, 0, "weight of the value loss; 0: none, and no values are read"), FIELD_VF_CLIP, NULL};
static const hone_field *const ppo_fields[] = {COMPAT, FIELD_REDUCE("token_mean"), FIELD_CLIP(.2, .2), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const grpo_fields[] = {COMPAT, FIELD_REDUCE("seq_mean_token_mean"), FIELD_CLIP(.2, .2), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const dapo_fields[] = {COMPAT, FIELD_REDUCE("token_mean"), FIELD_CLIP(.2, .28), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const dr_grpo_fields[] = {COMPAT, FIELD_REDUCE("seq_mean_token_sum_norm"), FIELD_CLIP(.2, .2), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const gspo_fields[] = {COMPAT, FIELD_REDUCE("seq_mean_token_mean"), FIELD_CLIP(3e-4, 4e-4), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const cispo_fields[] = {COMPAT, FIELD_REDUCE("token_mean"), FIELD_EPS(.2, .2), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const gmpo_fields[] = {COMPAT, FIELD_REDUCE("seq_mean_token_mean"),
    HONE_F64("eps_low", .2, 0, 1e3, 0, "log-ratios are clamped at -eps_low for A < 0"),
    HONE_F64("eps_high", .2, 0, 1e3, 0, "log-ratios are clamped at eps_high for A > 0"), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const sapo_fields[] = {COMPAT, FIELD_REDUCE("seq_mean_token_mean"),
    HONE_F64("tau_pos", 1, 1e-6, 1e6, 0, "temperature of the gate for A > 0"),
    HONE_F64("tau_neg", 1.05, 1e-6, 1e6, 0, "temperature of the gate for A <= 0"), FIELD_KL, FIELD_EXTRAS, NULL};
static const hone_field *const dro_fields[] = {COMPAT, FIELD_REDUCE("token_mean"),
    HONE_F64("beta", .1, 0, 1e6, 0, "weight of the squared log-ratio"), FIELD_EXTRAS, NULL};
static const hone_field *const logp_fields[] = {COMPAT, FIELD_REDUCE("token_mean"), FIELD_KL, FIELD_EXTRAS, NULL};

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OBJECTIVE, HONE_IFACE_LIVE, NULL};

#define X(row, loss, level, ratio, fields_, summary_, show) \
    static const policy_row row_##row = {#row, loss, level, ratio, show}; \
    static hone_status create_##row(const hone_host *host, const hone_config *cfg, void **self_out) \
    { \
        return policy_create(&row_##row, fields_, host, cfg, self_out); \
    } \
    static const hone_component component_##row = { \
        COMPONENT_HEAD("org.hone.objective." #row, summary_), .fields = fields_, .needs = needs, \
        .provides = provides, .create = create_##row, .destroy = policy_release, .get_iface = policy_get_iface};
POLICY_ROWS(X)
#undef X
#define X(row, loss, level, ratio, fields_, summary_, show) &component_##row,
const hone_component *const policy_components[] = {POLICY_ROWS(X) NULL};
#undef X
/* clang-format on */
