/* policy.h - a policy loss as a row: which per-token loss, on which level. See policy.c. */
#ifndef HONE_OBJECTIVES_POLICY_H
#define HONE_OBJECTIVES_POLICY_H
#include "objectives.h"
#include <stdlib.h>

enum {
    LOSS_CLIP,      /* -min(r A, clip(r) A) */
    LOSS_CISPO,     /* -sg(cap(r)) A logp */
    LOSS_SAPO,      /* -(4/tau) sigmoid(tau (r - 1)) A */
    LOSS_DRO,       /* -(A logp - beta/2 (log r)^2) */
    LOSS_LOGP,      /* -A logp */
    LOSS_GMPO,      /* sequence: -A exp(mean of the clamped log r) */
    LOSS_GSPO_TOKEN /* the sequence's ratio, each token's own gradient */
};
typedef struct policy_row {
    const char *name;
    uint32_t loss, level, ratio; /* level 1: one loss a sequence; ratio: reads old_logp */
    const char *show;
} policy_row;

hone_status policy_create(const policy_row *row, const hone_field *const *fields,
                          const hone_host *host, const hone_config *cfg, void **self_out);
const void *policy_get_iface(void *self, const char *iface_id);
void policy_release(void *self);
#endif
