/* objective_sum.h - a weighted sum of objectives is an objective.
 *
 *   loss = sum of w_i loss_i, and so are all gradients.
 *
 * What it reads is what any term reads. Terms that want a divergence want the same one (there is one pass over both
 * distributions). Each term's own part of the loss is the metric loss/NAME. */
#ifndef HONE_CORE_TRAIN_OBJECTIVE_SUM_H
#define HONE_CORE_TRAIN_OBJECTIVE_SUM_H
#include "hone/objective.h"
#include "host/registry.h"

typedef struct hone_objective_term {
    const hone_objective_v1 *vt;
    void *self;
    hone_instance *instance; /* or NULL; a reference is taken */
    const char *name;
    double weight;
} hone_objective_term;

/* 1 to 16 terms. E_INVALID: none, or divergences that differ; E_RANGE: a weight that is not finite. [control-thread] */
hone_status hone_objective_sum_create(const hone_objective_term *terms, size_t n, void **out);
void hone_objective_sum_destroy(void *sum); /* NULL is allowed */
/* The functions of a sum: its self is what create gave. */
extern const hone_objective_v1 hone_objective_sum_vt;
#endif
