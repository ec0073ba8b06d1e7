/* preference_rows.c - the preference losses of objectives.md as table rows: settings, defaults, texts. */
#include "preference.h"

#include "hone/state.h"

/* clang-format off */
#define FIELD_BETA(dflt) HONE_F64("beta", dflt, 1e-9, 1e6, 0, "temperature of the loss")
#define FIELD_SMOOTH(dflt, max) HONE_F64("label_smoothing", dflt, 0, max, 0, "share of swapped labels assumed")
#define FIELD_DIVERGENCE \
    HONE_ENUM("f_divergence", "reverse_kl", "reverse_kl|forward_kl|js|alpha", 0, "divergence to the reference"), \
    HONE_F64("alpha", .5, 0, 1e3, 0, "of the alpha divergence")
#define FIELD_WPO HONE_FLAG("wpo", 0, 0, "weigh each pair by how likely the policy is to say both answers (WPO)")
#define FIELD_LD FIELD_WPO, FIELD_LD_ONLY
#define FIELD_LD_ONLY HONE_F64("ld_alpha", 1, 0, 1, 0, "weight of tokens beyond the shorter answer's length (LD-DPO)")
#define FIELD_GAMMA HONE_F64("gamma", .5, -1e6, 1e6, 0, "target margin")
#define FIELD_NLL(dflt) HONE_F64("nll", dflt, 0, 1e6, 0, "weight of the chosen answer's mean negative log-likelihood")
#define COMPAT FIELD_COMPAT("whose variant, where trainers differ")

#define SHOW_PAIR \
    "a = pc - rc = log pi/ref of the chosen answer, b = pr - rr = of the rejected one (summed over tokens), h = a - b,\n" \
    "  s = sigmoid; the loss is the mean over the pairs of the optimizer step.\n"
#define SHOW_FREE \
    "pc, pr: the policy's log-probs of the chosen and of the rejected answer, summed over tokens; |yc|, |yr| their\n" \
    "  lengths; s = sigmoid; the loss is the mean over the pairs of the optimizer step. nll: plus nll * (-pc/|yc|).\n"
#define SHOW_SMOOTH "label_smoothing ls: (1 - ls) times -log s(z) plus ls times -log s(-z), for the z above.\n"

#define SHOW_WPO \
    "wpo: each pair's loss times sg(min(1, exp(w_c + w_r))), w = the answer's mean of logp - log sum_v p(v)^2\n" \
    "  (Zhou et al. 2024, arXiv:2406.11827, sampled alignment; trl's use_weighting, which has no bound at 1, nor has hone\n" \
    "  with compat trl). Every loss of pairs has it but aot.\n"

/* X(row, loss, family, reference-free, by length, fields, summary, show) */
#define PREFERENCE_ROWS(X) \
    X(dpo, loss_dpo, FAMILY_PAIR, 0, 0, dpo_fields, "DPO: logistic loss on the difference of log-ratios", \
      "dpo: direct preference optimisation\n-(1 - label_smoothing) log s(beta h) - label_smoothing log s(-beta h)\n" SHOW_PAIR \
      "f_divergence: h = f'(e^a) - f'(e^b), f'(e^x): forward_kl 1 - e^-x, js log 2 + log s(x),\n" \
      "  alpha (e^((alpha-1)x) - 1)/(alpha-1).\n" \
      "source: Rafailov et al. 2023 (arXiv:2305.18290); label smoothing (cDPO): Mitchell 2023; divergences: 2309.16240;\n" \
      "  ld_alpha: LD-DPO 2409.06411\n" SHOW_WPO \
      "differences: trl: f_alpha_divergence_coef is alpha, use_weighting wpo; openrlhf: the same loss.\n") \
    X(robust, loss_robust, FAMILY_PAIR, 0, 0, robust_fields, "DPO unbiased under swapped labels", \
      "robust: [-(1 - ls) log s(beta h) + ls log s(-beta h)] / (1 - 2 ls),  ls = label_smoothing\n" SHOW_PAIR \
      "source: Chowdhury et al. 2024 (arXiv:2403.00409)\ndifferences: none known; trl's values are met.\n") \
    X(ipo, loss_ipo, FAMILY_PAIR, 0, 0, dpo_fields_beta, "IPO: squared distance to a margin", \
      "ipo: (h - 1/(2 beta))^2 on summed log-probs\n" SHOW_PAIR \
      "source: Azar et al. 2023 (arXiv:2310.12036)\ndifferences: trl divides a and b by their lengths; openrlhf sums, as the paper.\n") \
    X(hinge, loss_hinge, FAMILY_PAIR, 0, 0, dpo_fields_beta, "SLiC's hinge on the difference of log-ratios", \
      "hinge: max(0, 1 - beta h)\n" SHOW_PAIR "source: Zhao et al. 2023, SLiC-HF (arXiv:2305.10425)\ndifferences: none known; trl's values are met.\n") \
    X(exo, loss_exo, FAMILY_PAIR, 0, 0, exo_fields, "EXO: reverse KL between the pair's distributions", \
      "exo: s(z) [log s(z) - log(1 - ls)] + s(-z) [log s(-z) - log ls],  z = beta h, ls = label_smoothing\n" SHOW_PAIR \
      "source: Ji et al. 2024 (arXiv:2402.00856), eq. 16\ndifferences: trl calls it exo_pair and wants label_smoothing above 0, as here.\n") \
    X(nca, loss_nca, FAMILY_PAIR, 0, 0, beta_fields, "NCA: noise-contrastive alignment for pairs", \
      "nca: -log s(beta a) - 1/2 log s(-beta a) - 1/2 log s(-beta b)\n" SHOW_PAIR \
      "source: Chen et al. 2024 (arXiv:2402.05369)\ndifferences: trl calls it nca_pair.\n") \
    X(bco, loss_bco, FAMILY_PAIR, 0, 0, bco_fields, "BCO: each answer against a reward shift", \
      "bco: -log s(beta a - reward_shift) - log s(-(beta b - reward_shift))\n" SHOW_PAIR \
      "source: Jung et al. 2024 (arXiv:2404.04656); trl's bco_pair\n" \
      "differences: trl's bco_pair has no shift, its BCO trainer of its own takes the running mean of the rewards; here the\n" \
      "  recipe sets reward_shift.\n") \
    X(sppo, loss_sppo, FAMILY_PAIR, 0, 0, beta_fields, "SPPO with hard labels: squared targets of +-1/(2 beta)", \
      "sppo: (a - 1/(2 beta))^2 + (b + 1/(2 beta))^2\n" SHOW_PAIR \
      "source: Wu et al. 2024 (arXiv:2405.00675)\ndifferences: trl calls it sppo_hard.\n") \
    X(aot, NULL, FAMILY_AOT, 0, 0, smooth_fields, "AOT: ranks of the policy's differences against the reference's", \
      "aot: logistic loss on beta (u_(k) - v_(k)), u = pc - pr and v = rc - rr of all pairs, each sorted\n" SHOW_PAIR \
      "source: Melnyk et al. 2024 (arXiv:2406.05882)\ndifferences: older trl calls it aot_pair, and sorts each micro-batch by itself; hone the whole step.\n") \
    X(aot_unpaired, NULL, FAMILY_AOT_UNPAIRED, 0, 0, smooth_fields, "AOT on marginals: ranks of chosen against rejected", \
      "aot_unpaired: logistic loss on beta (a_(k) - b_(k)), a and b each sorted over the step\n" SHOW_PAIR \
      "source: Melnyk et al. 2024 (arXiv:2406.05882)\ndifferences: older trl calls it aot, and sorts each micro-batch by itself; hone the whole step.\n") \
    X(apo_zero, loss_apo_zero, FAMILY_PAIR, 0, 0, beta_fields, "APO-zero: chosen up, rejected down", \
      "apo_zero: 1 - s(beta a) + s(beta b)\n" SHOW_PAIR "source: D'Oosterlinck et al. 2024 (arXiv:2408.06266)\ndifferences: none known; trl's values are met.\n") \
    X(apo_down, loss_apo_down, FAMILY_PAIR, 0, 0, beta_fields, "APO-down: both down, rejected more", \
      "apo_down: s(beta a) + 1 - s(beta (a - b))\n" SHOW_PAIR "source: D'Oosterlinck et al. 2024 (arXiv:2408.06266)\ndifferences: none known; trl's values are met.\n") \
    X(apo_zero_unpaired, NULL, FAMILY_APO_UNPAIRED, 0, 0, unpaired_fields, "APO-zero on single labelled answers", \
      "apo_zero_unpaired: 1 - s(beta a) for desirable answers, s(beta b) for the others; mean over all\n" \
      "  a, b: log pi/ref of a desirable and of another answer, summed over tokens; s = sigmoid.\n" \
      "source: D'Oosterlinck et al. 2024 (arXiv:2408.06266)\ndifferences: none known; trl's KTO trainer has it.\n") \
    X(discopop, loss_discopop, FAMILY_PAIR, 0, 0, discopop_fields, "DiscoPOP: logistic and exponential, mixed by a gate", \
      "discopop: (1 - m) (-log s(z)) + m e^-z,  m = s(z / temperature), z = beta h\n" SHOW_PAIR \
      "source: Lu et al. 2024 (arXiv:2406.08414)\ndifferences: trl's discopop_tau is temperature.\n") \
    X(sigmoid_norm, loss_sigmoid_norm, FAMILY_PAIR, 0, 0, dpo_fields, "DPO on length-normalised log-ratios", \
      "sigmoid_norm: dpo with a and b divided by their lengths\n" SHOW_PAIR "source: Lambert et al. 2024, Tulu 3 (arXiv:2411.15124), trl's sigmoid_norm\ndifferences: none known; trl's values are met.\n") \
    X(kto, NULL, FAMILY_KTO, 0, 0, kto_fields, "KTO: single labelled answers against a KL estimate", \
      "kto: desirable_weight (1 - s(beta (a - z))), undesirable_weight (1 - s(beta (z - b))); mean over all answers\n" \
      "  a, b: log pi/ref of a desirable and of another answer, summed over tokens; s = sigmoid.\n" \
      "  z = max(0, kto_kl), the KL to the reference estimated on mismatched prompts and answers: policy:update does so on\n" \
      "  the batch, each prompt with the next row's answer, unless kto_kl is given.\n" \
      "source: Ethayarajh et al. 2024 (arXiv:2402.01306)\n" \
      "differences: trl estimates it from each micro-batch; hone from the whole update.\n") \
    X(orpo, loss_orpo, FAMILY_PAIR, 1, 1, orpo_fields, "ORPO: NLL of the chosen plus the log odds ratio", \
      "orpo: nll * (-log p_c) - beta log s(logodds(p_c) - logodds(p_r)),  log p = mean log-prob over the completion\n" \
      "  s = sigmoid, logodds(p) = log(p / (1 - p)); the loss is the mean over the pairs of the optimizer step.\n" \
      "source: Hong et al. 2024 (arXiv:2403.07691)\ndifferences: trl's NLL is of the prompt too, and a mean over all tokens of the micro-batch; here it is of the\n" \
      "  chosen answers, each its own mean, with compat trl as well: prompts are not trained on. The other term is the same.\n") \
    X(cpo, loss_cpo, FAMILY_PAIR, 1, 0, cpo_fields, "CPO: DPO with a uniform reference", \
      "cpo: loss = sigmoid: -log s(beta (pc - pr)); hinge: max(0, 1 - beta (pc - pr));\n" \
      "  ipo: (pc/|yc| - pr/|yr| - 1/(2 beta))^2\n" SHOW_FREE SHOW_SMOOTH \
      "source: Xu et al. 2024 (arXiv:2401.08417); the paper uses nll 1 beside this loss.\n" \
      "differences: trl's cpo_alpha is nll, 1 by default, and its NLL a mean over all chosen tokens of the micro-batch.\n") \
    X(simpo, loss_simpo, FAMILY_PAIR, 1, 1, simpo_fields, "SimPO: average log-probs and a margin, no reference", \
      "simpo: -log s(beta (pc/|yc| - pr/|yr|) - gamma)\n" SHOW_FREE SHOW_SMOOTH \
      "source: Meng et al. 2024 (arXiv:2405.14734)\ndifferences: trl's simpo_gamma is gamma, its cpo_alpha is nll and has to be set to 0 there; openrlhf and verl have none.\n") \
    X(alphapo, loss_alphapo, FAMILY_PAIR, 1, 1, alphapo_fields, "AlphaPO: SimPO with a reward shape", \
      "alphapo: -log s(beta (R_c - R_r) - gamma),  R = (1 - p^-alpha)/alpha, log p = mean log-prob\n" SHOW_FREE SHOW_SMOOTH \
      "source: Gupta et al. 2025 (arXiv:2501.03884)\ndifferences: trl's simpo_gamma is gamma; its values are met.\n") \
    X(rm, NULL, FAMILY_RM, 1, 0, rm_fields, "reward model: Bradley-Terry on the scores of pairs", \
      "rm: -(1 - ls) log s(r_c - r_r - margin) - ls log s(-(r_c - r_r - margin)) + center (r_c + r_r)^2,  s = sigmoid,\n" \
      "  ls = label_smoothing; r: the score that a value head gives at the last token of each answer;\n" \
      "  margin: of the pair (the row's column `margin`) plus the setting. The mean over the pairs of the step.\n" \
      "source: Bradley & Terry 1952; margin: Touvron et al. 2023, Llama 2 (arXiv:2307.09288), eq. 2;\n" \
      "  center: Eisenstein et al. 2023 (arXiv:2312.09244)\n" \
      "differences: trl calls center center_rewards_coefficient.\n")

static const hone_field *const dpo_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_SMOOTH(0, .5), FIELD_DIVERGENCE, FIELD_LD, NULL};
static const hone_field *const dpo_fields_beta[] = {COMPAT, FIELD_BETA(.1), FIELD_DIVERGENCE, FIELD_LD, NULL};
static const hone_field *const robust_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_SMOOTH(0, .49), FIELD_DIVERGENCE, FIELD_LD, NULL};
static const hone_field *const exo_fields[] = {COMPAT, FIELD_BETA(.1), HONE_F64("label_smoothing", 1e-3, 1e-12, .5, 0, "share of swapped labels assumed; not 0"), FIELD_DIVERGENCE, FIELD_LD, NULL};
static const hone_field *const smooth_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_SMOOTH(0, .5), FIELD_LD_ONLY, NULL};
static const hone_field *const beta_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_LD, NULL};
static const hone_field *const bco_fields[] = {COMPAT, FIELD_BETA(.1), HONE_F64("reward_shift", 0, -1e6, 1e6, 0, "delta: what rewards are compared with"), FIELD_LD, NULL};
static const hone_field *const discopop_fields[] = {COMPAT, FIELD_BETA(.1), HONE_F64("temperature", .05, 1e-6, 1e6, 0, "sharpness of the gate"), FIELD_DIVERGENCE, FIELD_LD, NULL};
static const hone_field *const unpaired_fields[] = {COMPAT, FIELD_BETA(.1),
    HONE_F64("desirable_weight", 1, 0, 1e6, 0, "weight of desirable answers"), HONE_F64("undesirable_weight", 1, 0, 1e6, 0, "weight of the others"), NULL};
static const hone_field *const kto_fields[] = {COMPAT, FIELD_BETA(.1),
    HONE_F64("desirable_weight", 1, 0, 1e6, 0, "weight of desirable answers"), HONE_F64("undesirable_weight", 1, 0, 1e6, 0, "weight of the others"),
    HONE_F64("kto_kl", 0, -1e6, 1e6, HONE_LIVE, "estimate of the KL to the reference, over the step"), NULL};
static const hone_field *const orpo_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_NLL(1), FIELD_WPO, NULL};
static const hone_field *const cpo_fields[] = {COMPAT, FIELD_BETA(.1), FIELD_SMOOTH(0, .5), HONE_ENUM("loss", "sigmoid", "sigmoid|hinge|ipo", 0, "which loss on the pair"), FIELD_NLL(0), FIELD_WPO, NULL};
static const hone_field *const simpo_fields[] = {COMPAT, FIELD_BETA(2), FIELD_GAMMA, FIELD_SMOOTH(0, .5), FIELD_NLL(0), FIELD_WPO, NULL};
static const hone_field *const rm_fields[] = {COMPAT, HONE_F64("margin", 0, -1e6, 1e6, 0, "by how much the chosen answer is to lead, beside the pair's own"),
    HONE_F64("center", 0, 0, 1e6, 0, "weight of (r_c + r_r)^2, which keeps scores about 0"), FIELD_SMOOTH(0, .5), NULL};
static const hone_field *const alphapo_fields[] = {COMPAT, FIELD_BETA(2), FIELD_GAMMA, HONE_F64("alpha", .25, -10, 10, 0, "shape of the reward; 0 is simpo"), FIELD_SMOOTH(0, .5), FIELD_NLL(0), FIELD_WPO, NULL};

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OBJECTIVE, HONE_IFACE_LIVE, NULL};

#define X(row, loss_, family_, free_, length_, fields_, summary_, show_) \
    static const preference_row row_##row = {#row, loss_, family_, free_, length_, show_}; \
    static hone_status create_##row(const hone_host *host, const hone_config *cfg, void **self_out) \
    { \
        return preference_create(&row_##row, fields_, host, cfg, self_out); \
    } \
    static const hone_component component_##row = { \
        COMPONENT_HEAD("org.hone.objective." #row, summary_), .fields = fields_, .needs = needs, \
        .provides = provides, .create = create_##row, .destroy = preference_release, .get_iface = preference_get_iface};
PREFERENCE_ROWS(X)
#undef X
#define X(row, loss_, family_, free_, length_, fields_, summary_, show_) &component_##row,
const hone_component *const preference_components[] = {PREFERENCE_ROWS(X) NULL};
#undef X
/* clang-format on */
