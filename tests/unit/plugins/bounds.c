/* An objective and an advantage that write by the bounds in `out`, and fail where those are not the input's. */
#include "hone/objective.h"

#include <string.h>

static const hone_host *the_host;

static hone_status wrong(const char *what)
{
    return hone_host_fail(the_host, HONE_E_INVALID, what);
}
static uint32_t uses(void *self)
{
    (void)self;
    return HONE_OBJ_ADVANTAGE;
}
static hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    (void)self;
    if (out->n_tokens != in->n_tokens)
        return wrong("the objective's out does not say its size");
    out->loss = 0;
    for (size_t i = 0; i < out->n_tokens; i++) {
        out->loss -= in->mask[i] * in->logp[i];
        out->grad_logp[i] = -in->mask[i];
    }
    return HONE_OK;
}
static hone_str show(void *self)
{
    (void)self;
    return hone_str_c("-sum(logp)");
}
static hone_status compute(void *self, const hone_advantage_in *in, hone_advantage_out *out)
{
    (void)self;
    if (out->n_seqs != in->n_seqs || (out->token && out->n_tokens != in->n_tokens))
        return wrong("the advantage's out does not say its size");
    for (size_t i = 0; i < out->n_seqs; i++) {
        out->seq[i] = out->combined[i] = in->rewards[i];
        out->left_out[i] = 0;
    }
    for (size_t i = 0; out->token && i < out->n_tokens; i++)
        out->token[i] = 1;
    out->per_token = 0;
    return HONE_OK;
}
static const hone_objective_v1 objective = {
    .struct_size = sizeof objective, .uses = uses, .loss = loss, .show = show};
static const hone_advantage_v1 advantage = {.struct_size = sizeof advantage, .compute = compute};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)cfg;
    the_host = host;
    *self = &the_host;
    return HONE_OK;
}
static void destroy(void *self)
{
    (void)self;
}
static const void *objective_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_OBJECTIVE) == 0 ? &objective : NULL;
}
static const void *advantage_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_ADVANTAGE) == 0 ? &advantage : NULL;
}
#define COMPONENT(name, id_, iface_, get)                                                          \
    static const char *const name##_provides[] = {iface_, NULL};                                   \
    static const hone_component name = {.struct_size = sizeof(hone_component),                     \
                                        .id = id_,                                                 \
                                        .kind = HONE_KIND_OBJECTIVE,                               \
                                        .version = "1",                                            \
                                        .provides = name##_provides,                               \
                                        .create = create,                                          \
                                        .destroy = destroy,                                        \
                                        .get_iface = get}
COMPONENT(bound_loss, "org.test.objective.bound", HONE_IFACE_OBJECTIVE, objective_iface);
COMPONENT(bound_advantage, "org.test.advantage.bound", HONE_IFACE_ADVANTAGE, advantage_iface);
static const hone_component *const components[] = {&bound_loss, &bound_advantage, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof entry, .magic = &magic, .components = components};
const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
