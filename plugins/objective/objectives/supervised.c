/* supervised.c - losses on given completions: sft and dft.
 *
 *   sft  l_t = -logp_t                 dft  l_t = -sg(exp(logp_t)) logp_t
 *
 * reduced by token_mean (over the whole optimizer step) or seq_mean (mean over sequences of token
 * means). Masks may be any weight. Source: DFT, Wu et al. 2025 (arXiv:2508.05629). */
#include "objectives.h"

typedef struct supervised {
    memory mem;
    int dft;
    uint32_t reduce;
    double neftune;
} supervised;

static hone_status supervised_create(int dft, const hone_field *const *fields,
                                     const hone_host *host, const hone_config *cfg, void **self_out)
{
    settings s = {cfg, fields};
    memory mem;
    supervised *p;
    hone_status st = memory_init(&mem, host);
    if (st < 0)
        return st;
    p = memory_get(&mem, 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p->mem = mem;
    p->dft = dft;
    p->reduce = settings_choice(&s, "reduce", 0) == 1 ? REDUCE_SEQ_MEAN_TOKEN_MEAN
                                                      : REDUCE_TOKEN_MEAN;
    p->neftune = settings_f64(&s, "neftune", 0);
    *self_out = p;
    return HONE_OK;
}

static void supervised_destroy(void *self)
{
    memory mem = ((supervised *)self)->mem;
    memory_put(&mem, self, 1, sizeof(supervised));
}

static uint32_t supervised_uses(void *self)
{
    (void)self;
    return 0;
}

static hone_status supervised_wants(void *self, hone_objective_wants *out)
{
    out->embed_noise = ((supervised *)self)->neftune;
    return HONE_OK;
}

/* Are there rejected sequences in the step? Then totals are of the others. */
static int leaves_rejected(const hone_objective_in *in, totals *all)
{
    const size_t covered = offsetof(hone_objective_in, total_chosen_seqs) +
                           sizeof in->total_chosen_seqs;
    double tokens = 0, seqs = 0;
    int rejected = 0;
    if (!in->role)
        return 0;
    if (in->struct_size >= covered && in->total_chosen_tokens > 0) {
        if (in->total_chosen_tokens >= in->total_tokens)
            return 0;
        all->tokens = in->total_chosen_tokens;
        all->seqs = in->total_chosen_seqs;
        return 1;
    }
    for (size_t s = 0; s < in->n_seqs; s++) {
        double n = in->role[s] == HONE_ROLE_REJECTED ? 0 : length_of(in, s);
        rejected |= in->role[s] == HONE_ROLE_REJECTED;
        tokens += n;
        seqs += n > 0;
    }
    if (rejected) {
        all->tokens = tokens;
        all->seqs = seqs;
    }
    return rejected;
}

static hone_status supervised_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const supervised *p = self;
    totals all;
    double loss = 0, nll = 0, n = 0;
    int rejects;
    if (!fits_shape(in, out))
        return hone_host_fail(p->mem.host, HONE_E_SHAPE,
                              "sft: the sequences do not fit the arrays");
    all = totals_of(in);
    rejects = leaves_rejected(in, &all);
    for (size_t s = 0; s < in->n_seqs; s++) {
        double length = length_of(in, s), weight;
        if (length <= 0 || (rejects && in->role[s] == HONE_ROLE_REJECTED))
            continue;
        weight = reduce_weight(p->reduce, &all, length);
        for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
            double m = in->mask[t], c = p->dft ? hone_exp(in->logp[t]) : 1;
            if (m == 0)
                continue;
            loss -= weight * m * c * in->logp[t];
            out->grad_logp[t] -= weight * m * c;
            nll -= m * in->logp[t];
            n += m;
        }
    }
    out->loss = loss;
    put_mean(out, "nll", nll, n);
    return HONE_OK;
}

#define SHOW_TAIL                                                                                  \
    "reduce: token_mean = over all trained tokens of the optimizer step, however it is split;\n"   \
    "  seq_mean = mean over sequences of the mean over their tokens.\n"                            \
    "Examples are packed without padding whatever their lengths. Beside a loss of pairs (a sum "   \
    "of\n"                                                                                         \
    "  losses) only the chosen answers count.\n"                                                   \
    "neftune: embeddings + uniform(-1, 1) * neftune / sqrt(L d) in training, L the tokens of "     \
    "the\n"                                                                                        \
    "  sequence, d the width (Jain et al. 2023, arXiv:2310.05914).\n"
static hone_str supervised_show(void *self)
{
    return hone_str_c(
        ((supervised *)self)->dft
            ? "dft: dynamic fine-tuning\nl_t = -sg(exp(logp)) logp\n" SHOW_TAIL
              "source: Wu et al. 2025 (arXiv:2508.05629)\n"
              "differences: trl averages each micro-batch by itself; hone the whole step.\n"
            : "sft: negative log-likelihood of the trained tokens\nl_t = -logp\n" SHOW_TAIL
              "source: maximum likelihood; Ouyang et al. 2022 (arXiv:2203.02155), section 3.5\n"
              "differences: trl and verl average each micro-batch by itself; hone the whole "
              "step.\n");
}

static const hone_objective_v1 supervised_vtable = {sizeof(hone_objective_v1), 0,
                                                    supervised_uses,           supervised_loss,
                                                    supervised_show,           supervised_wants};
static const void *supervised_get_iface(void *self, const char *iface_id)
{
    (void)self;
    return same_text(iface_id, HONE_IFACE_OBJECTIVE) ? &supervised_vtable : NULL;
}

#define FIELD_NEFTUNE                                                                              \
    HONE_F64("neftune", 0, 0, 1e6, 0,                                                              \
             "noise on the embeddings while training (NEFTune's alpha, 5 to 15); 0: none")
static const hone_field *const fields[] = {HONE_ENUM("reduce", "token_mean", "token_mean|seq_mean",
                                                     0, "how token losses become one number"),
                                           FIELD_NEFTUNE, NULL};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OBJECTIVE, NULL};

static hone_status create_sft(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return supervised_create(0, fields, host, cfg, self_out);
}
static hone_status create_dft(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return supervised_create(1, fields, host, cfg, self_out);
}
static const hone_component component_sft = {
    COMPONENT_HEAD("org.hone.objective.sft",
                   "supervised fine-tuning: mean negative log-likelihood"),
    .fields = fields,
    .needs = needs,
    .provides = provides,
    .create = create_sft,
    .destroy = supervised_destroy,
    .get_iface = supervised_get_iface};
static const hone_component component_dft = {
    COMPONENT_HEAD("org.hone.objective.dft", "SFT weighted by the token's own probability"),
    .fields = fields,
    .needs = needs,
    .provides = provides,
    .create = create_dft,
    .destroy = supervised_destroy,
    .get_iface = supervised_get_iface};
const hone_component *const supervised_components[] = {&component_sft, &component_dft, NULL};
