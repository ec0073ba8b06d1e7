/* optimizer.h - drives an optimizer component over the flat parameters of a model.
 *
 * State lies in arrays parallel to the gradients (nn/params.h), one region each, so a step is one linear
 * pass; ELEMENTWISE optimizers get it in slices over the pool's threads. Learning rate and weight decay of
 * a parameter come from the last group whose pattern matches its name. (plugin-abi.md 3)
 *
 * With several ranks (train/comm.h) each keeps state and makes steps for its slice of the flat arrays alone,
 * and the new parameters are gathered (ZeRO stage 1; Rajbhandari et al. 2020). An optimizer that is not
 * ELEMENTWISE needs whole matrices: each rank then has all of the state and makes the whole step. */
#ifndef HONE_CORE_TRAIN_OPTIMIZER_H
#define HONE_CORE_TRAIN_OPTIMIZER_H
#include "host/registry.h"
#include "hone/optimizer.h"
#include "nn/params.h"
#include "tensor/pool.h"
#include "tensor/region.h"
#include "train/comm.h"

typedef struct hone_opt_group {
    char match[96];  /* "*" and "?" wildcards on the parameter's name; "" = every parameter */
    double lr_scale; /* times the step's learning rate */
    double weight_decay;
} hone_opt_group;
#define HONE_OPT_MAX_GROUPS 16

typedef struct hone_optimizer {
    hone_instance *instance; /* owned */
    const hone_optimizer_v1 *vt;
    void *self;
    hone_opt_group groups[HONE_OPT_MAX_GROUPS]; /* groups[0] matches everything */
    size_t n_groups;
    hone_region state[HONE_OPT_MAX_STATE];
    const char *state_names[HONE_OPT_MAX_STATE];
    uint32_t n_state;
    const hone_comm *comm; /* since bind */
    hone_slice own;        /* what each state array holds of the flat array */
    size_t flat;           /* floats of the whole of it */
    uint64_t step;
} hone_optimizer;

/* `config`: a map as a recipe writes it: the component's own keys plus lr (ignored here), weight_decay and
 * groups = { { match = , lr_scale = , weight_decay = }, ... }; NULL = defaults. [control-thread] */
hone_status hone_optimizer_create(hone_registry *reg, const char *name, const hone_value *config,
                                  hone_optimizer **out);
void hone_optimizer_destroy(hone_optimizer *o);
/* Maps state for what is trainable in `p` now and belongs to this rank; state is zero. Called again after the
 * set changed. `comm` is borrowed. */
hone_status hone_optimizer_bind(hone_optimizer *o, const hone_params *p, const hone_comm *comm);
/* What rank `rank` has of the state: its slice, or everything. */
hone_slice hone_optimizer_slice(const hone_optimizer *o, const hone_params *p, uint32_t rank);
/* One update with the gradients in `p`, which are those of the whole step on every rank. clip: largest gradient
 * norm, 0 = none. Sets the norm before clipping. A norm that is not finite leaves parameters and state alone and
 * returns 1, on every rank. Collective. [control-thread] */
hone_status hone_optimizer_step(hone_optimizer *o, hone_params *p, hone_pool *pool, double lr,
                                double clip, double *norm_out);
#endif
