/* A reward by HONE_REWARD_PLUGIN; simple.cpp is the same file as C++17. */
#include "hone/reward.h"

static const hone_field per_byte = HONE_F64_INIT("per_byte", 1, 0, 10, 0, "score of a byte");
static const hone_field *const fields[] = {&per_byte, NULL};
static const char *const wants[] = {"completion", NULL};

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const hone_config *cfg = hone_reward_config(self);
    size_t i;
    (void)call;
    (void)notes;
    for (i = 0; i < n; i++)
        hone_outcome_set(
            out, out_stride, i, HONE_SCORE,
            (float)(cfg->f64(cfg, 0) * (double)hone_sample_at(in, in_stride, i)->completion.len));
    return HONE_OK;
}

HONE_REWARD_PLUGIN(0x000100, "org.test.reward.simple", "1.0.0", "counts bytes", HONE_CAP_PURE,
                   fields, wants, score);
