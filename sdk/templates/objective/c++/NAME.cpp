/* @name@.cpp - a loss: supervised training that looks less at tokens the model knows already.
 *   l = -(1 - p)^gamma log p,  p = exp(logp)          (focal loss, Lin et al. 2017, eq. 4)
 * averaged over the tokens of the whole optimizer step, so that any split into micro-batches gives the same update. */
#include "hone/hone.hpp"
#include "hone/math.h"

namespace
{
enum { GAMMA }; /* places in the table of settings */
const hone_field gamma_field =
    HONE_I64_INIT("gamma", 2, 1, 8, 0, "how little a token that is known counts");
const hone_field *const fields[] = {&gamma_field, nullptr};

class @name@
{
  public:
    @name@(hone::host, hone::config c) : gamma_(static_cast<uint64_t>(c.i64(GAMMA))) {}
    void loss(const hone_objective_in &in, hone_objective_out &out) const
    {
        double sum = 0, known = 0, n = 0;
        if (in.total_tokens <= 0)
            return;
        for (size_t t = 0; t < in.n_tokens; t++) {
            const double weight = in.mask[t] / in.total_tokens, logp = in.logp[t];
            if (weight == 0)
                continue;
            const double p = hone_exp(logp), rest = hone_powi(1 - p, gamma_ - 1);
            sum += weight * -(rest * (1 - p) * logp);
            out.grad_logp[t] +=
                weight * (static_cast<double>(gamma_) * rest * p * logp - rest * (1 - p));
            known += in.mask[t] * p;
            n += in.mask[t];
        }
        out.loss += sum;
        if (n > 0)
            out.metric(&out, "known", HONE_METRIC_MEAN, known / n, n);
    }

  private:
    uint64_t gamma_;
};

uint32_t uses(void *) noexcept
{
    return 0; /* logp and mask, which are always there */
}
hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out) noexcept
{
    return hone::enter<@name@>(self, [&](const @name@ &o) { o.loss(*in, *out); });
}
hone_str show(void *) noexcept
{
    return hone_str_c("-(1 - p)^gamma log p, mean over tokens (focal loss)");
}

const hone_objective_v1 table = {sizeof(hone_objective_v1), 0, uses, loss, show, nullptr};
const void *get_iface(void *, const char *id) noexcept
{
    return std::strcmp(id, HONE_IFACE_OBJECTIVE) == 0 ? &table : nullptr;
}
const char *const provides[] = {HONE_IFACE_OBJECTIVE, nullptr};
const hone_component component = hone::component<@name@>(
    "@id@", HONE_KIND_OBJECTIVE, "0.1.0", "focal loss: known tokens count less",
    HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT, fields, provides, nullptr,
    get_iface);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
