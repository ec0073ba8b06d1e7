/* null.c - every sample gets 0 and nothing is read: what remains is what a call costs (hone bench plugins). */
#include "hone/reward.h"

static hone_status score(void *self, const hone_call *call, const hone_sample *in_bor, size_t n,
                         size_t in_stride, hone_outcome *out_bor, size_t out_stride,
                         const hone_notes *notes)
{
    size_t i;
    (void)self;
    (void)call;
    (void)in_bor;
    (void)in_stride;
    (void)notes;
    for (i = 0; i < n; i++)
        hone_outcome_set(out_bor, out_stride, i, HONE_SCORE, 0);
    return HONE_OK;
}

HONE_REWARD_PLUGIN(0x000100, "org.hone.reward.null", "0.1.0",
                   "0 for every sample: what a call costs",
                   HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |
                       HONE_CAP_BATCH_INVARIANT,
                   NULL, NULL, score);
