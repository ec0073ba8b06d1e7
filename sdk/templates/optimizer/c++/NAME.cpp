/* @name@.cpp - an optimizer: Lion, the sign of a running mean of gradients.
 *   p = p (1 - lr wd) - lr sign(b1 m + (1 - b1) g),   m = b2 m + (1 - b2) g     (Chen et al. 2023, algorithm 2)
 * Every element is on its own, so the host may cut slices over threads as it likes (ELEMENTWISE). */
#include "hone/hone.hpp"

namespace
{
enum { BETA1, BETA2 }; /* places in the table of settings */
const hone_field beta1 =
    HONE_F64_INIT("beta1", .9, 0, .999999, 0, "weight of the mean in the direction");
const hone_field beta2 = HONE_F64_INIT("beta2", .99, 0, .999999, 0, "decay of the mean");
const hone_field *const fields[] = {&beta1, &beta2, nullptr};

class @name@
{
  public:
    @name@(hone::host, hone::config c)
        : b1_(static_cast<float>(c.f64(BETA1))), b2_(static_cast<float>(c.f64(BETA2)))
    {
    }
    void step(const hone_opt_slice &s, float scale) const
    {
        const float lr = static_cast<float>(s.lr);
        const float keep = static_cast<float>(1 - s.lr * s.weight_decay);
        float *p = s.param, *m = s.state[0];
        for (size_t k = 0; k < s.length; k++) {
            const float g = s.grad[k] * scale, c = b1_ * m[k] + (1 - b1_) * g;
            p[k] = p[k] * keep - lr * static_cast<float>((c > 0) - (c < 0));
            m[k] = b2_ * m[k] + (1 - b2_) * g;
        }
    }

  private:
    float b1_, b2_;
};

hone_status state_spec(void *, const hone_opt_param *, hone_opt_state_spec *out) noexcept
{
    out->n_buffers = 1; /* as long as the parameter, zero at the start; the host keeps and saves it */
    out->names[0] = "exp_avg";
    return HONE_OK;
}
hone_status step(void *self, const hone_opt_slice *slices, size_t n, size_t stride,
                 const hone_opt_info *info) noexcept
{
    return hone::enter<@name@>(self, [&](const @name@ &o) {
        for (size_t i = 0; i < n; i++)
            o.step(*reinterpret_cast<const hone_opt_slice *>(
                       reinterpret_cast<const char *>(slices) + i * stride),
                   static_cast<float>(info->grad_scale));
    });
}

const hone_optimizer_v1 table = {sizeof(hone_optimizer_v1), HONE_OPT_ELEMENTWISE, state_spec, step,
                                 nullptr};
const void *get_iface(void *, const char *id) noexcept
{
    return std::strcmp(id, HONE_IFACE_OPTIMIZER) == 0 ? &table : nullptr;
}
const char *const provides[] = {HONE_IFACE_OPTIMIZER, nullptr};
const hone_component component = hone::component<@name@>(
    "@id@", HONE_KIND_OPTIMIZER, "0.1.0", "Lion: the sign of a running mean",
    HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT, fields, provides, nullptr,
    get_iface);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
