/* optimizer.h - drives optimizer components over the flat parameters of a model.
 *
 * One component has all parameters but those of groups that name another one (opt_groups.c). Each says what state a
 * parameter needs and how it may be cut (opt_state.h); all state lies in one region, and a step hands out slices over
 * the pool's threads. Learning rate, weight decay and component of a parameter come from the last group whose pattern
 * matches its name. (plugin-abi.md 3)
 *
 * With several ranks (train/comm.h) each keeps state and makes steps for its slice of the flat arrays alone,
 * and the new parameters are gathered (ZeRO stage 1; Rajbhandari et al. 2020). Where a parameter needs its
 * whole matrix, each rank has all of the state and makes the whole step.
 *
 * Some optimizers train with other weights than they evaluate with (schedule-free). Between two steps the parameters
 * are those trained with, but inside hone_optimizer_evaluation(1) ... (0). */
#ifndef HONE_CORE_TRAIN_OPTIMIZER_H
#define HONE_CORE_TRAIN_OPTIMIZER_H
#include "host/registry.h"
#include "hone/optimizer.h"
#include "nn/params.h"
#include "tensor/pool.h"
#include "tensor/region.h"
#include "train/comm.h"
#include "train/opt_state.h"

/* A component at work. parts[0] has what no group gives to another one. */
typedef struct hone_opt_part {
    hone_instance *instance; /* owned */
    const hone_optimizer_v1 *vt;
    void *self;
} hone_opt_part;

typedef struct hone_opt_group {
    char match[96];  /* "*" and "?" wildcards on the parameter's name; "" = every parameter */
    double lr_scale; /* times the step's learning rate */
    double weight_decay;
    double clip; /* largest norm of the gradients of this group, after the clip of all; 0: none */
    uint32_t part;
    size_t n_params; /* that it has, since bind */
} hone_opt_group;
#define HONE_OPT_MAX_GROUPS 16

typedef struct hone_optimizer {
    hone_opt_part parts[HONE_OPT_MAX_GROUPS];
    size_t n_parts;
    hone_opt_group groups[HONE_OPT_MAX_GROUPS]; /* groups[0] matches everything */
    size_t n_groups;
    double lr;               /* peak, as the configuration says */
    hone_opt_entry *entries; /* of each trainable parameter, since bind */
    size_t n_entries;
    hone_region state;
    size_t n_arrays;       /* of state, in all entries */
    size_t scratch;        /* bytes a thread */
    int whole;             /* a parameter is not to be cut: every rank has everything */
    const hone_comm *comm; /* since bind */
    hone_slice own;        /* what this rank has of the flat array */
    size_t flat;           /* floats of the whole of it */
    uint64_t step;
    hone_region kept; /* the weights trained with, while others are evaluated */
    int evaluating;
} hone_optimizer;

/* `config`: a map as a recipe writes it: the component's own keys plus lr, weight_decay and groups = { { match = ,
 * lr_scale = or lr = , weight_decay = , clip = , optimizer = NAME or { name = , lr = , weight_decay = , ... } }, ... };
 * NULL = defaults. The pattern may stand under "1" too. Other keys of a group are refused. [control-thread] */
hone_status hone_optimizer_create(hone_registry *reg, const char *name, const hone_value *config,
                                  hone_optimizer **out);
void hone_optimizer_destroy(hone_optimizer *o);
/* Maps state for what is trainable in `p` now and belongs to this rank; state is zero. Called again after the
 * set changed. `comm` is borrowed. */
hone_status hone_optimizer_bind(hone_optimizer *o, const hone_params *p, const hone_comm *comm);
/* What rank `rank` has of the state: its slice, or everything. */
hone_slice hone_optimizer_slice(const hone_optimizer *o, const hone_params *p, uint32_t rank);
/* Every gradient into [-most, most], before its norm is taken. What is no number stays. [control-thread] */
void hone_optimizer_clip_values(hone_params *p, hone_pool *pool, double most);
/* One update with the gradients in `p`, which are those of the whole step on every rank. clip: largest gradient
 * norm, 0 = none. Sets the norm before clipping. A norm that is not finite leaves parameters and state alone and
 * returns 1, on every rank. Collective. [control-thread] */
hone_status hone_optimizer_step(hone_optimizer *o, hone_params *p, hone_pool *pool, double lr,
                                double clip, double *norm_out);
/* on: the parameters become those to evaluate, for components that tell them apart, until it is called with 0,
 * which brings the others back bit by bit. Nothing happens where no component does, or before the first step.
 * Twice the same is allowed. Collective. [control-thread] */
hone_status hone_optimizer_evaluation(hone_optimizer *o, hone_params *p, hone_pool *pool, int on);
/* Does a component tell them apart? */
int hone_optimizer_evaluates(const hone_optimizer *o);

/* opt_groups.c: o->parts and o->groups; what was made stands in `o` also after a failure. */
hone_status hone__opt_read(hone_optimizer *o, hone_registry *reg, const char *name,
                           const hone_value *config);
/* The group of a parameter: the last one that matches. */
uint32_t hone__opt_group_of(const hone_optimizer *o, const char *name);
#endif
