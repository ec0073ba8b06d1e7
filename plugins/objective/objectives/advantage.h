/* advantage.h - an advantage as a row. See advantage.c. */
#ifndef HONE_OBJECTIVES_ADVANTAGE_H
#define HONE_OBJECTIVES_ADVANTAGE_H
#include "objectives.h"
#include <stdlib.h>

enum {
    ADV_GROUP,
    ADV_DR_GRPO,
    ADV_RLOO,
    ADV_NORMALIZE_THEN_SUM,
    ADV_PASSK,
    ADV_REMAX,
    ADV_OPO,
    ADV_GPG,
    /* per token from here on */
    ADV_REINFORCE_PP,
    ADV_REINFORCE_PP_BASELINE,
    ADV_GAE,
    ADV_OPD
};
typedef struct advantage_row {
    const char *name;
    uint32_t kind;
    const char *show;
} advantage_row;

hone_status advantage_create(const advantage_row *row, const hone_field *const *fields,
                             const hone_host *host, const hone_config *cfg, void **self_out);
const void *advantage_get_iface(void *self, const char *iface_id);
void advantage_release(void *self);
#endif
