/* brevity.c - a reward in C: 1 for a completion of at most `target` bytes, less the longer it is. */
#include "hone/reward.h"

static const hone_field *const fields[] = {
    HONE_INT("target", 40, 1, 100000, 0, "bytes up to which a completion is short enough"), NULL};
static const char *const wants[] = {"completion", NULL};

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const double target = (double)hone_reward_config(self)->i64(hone_reward_config(self), 0);
    (void)notes;
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        const double length = (double)hone_sample_at(in, in_stride, i)->completion.len;
        hone_outcome_set(out, out_stride, i, HONE_SCORE,
                         length <= target ? 1 : (float)(target / length));
    }
    return HONE_OK;
}

HONE_REWARD_PLUGIN(0x000100, "com.example.reward.brevity", "0.1.0", "short completions",
                   HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |
                       HONE_CAP_BATCH_INVARIANT,
                   fields, wants, score);
