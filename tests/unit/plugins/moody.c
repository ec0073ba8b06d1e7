/* A slow, pure reward with faults on request: its first calls fail, or the first one hangs. The score is the length
 * of the completion. Counts are of the process, whatever the instance. */
#include "hone/reward.h"

#include <stdatomic.h>
#include <time.h>

static const hone_field fail_first = HONE_I64_INIT("fail_first", 0, 0, 1000, 0, "calls that fail");
static const hone_field hang_first = HONE_I64_INIT("hang_first", 0, 0, 1, 0,
                                                   "1: the first call hangs");
static const hone_field sleep_ms = HONE_I64_INIT("sleep_ms", 0, 0, 10000, 0, "time a sample takes");
static const hone_field *const fields[] = {&fail_first, &hang_first, &sleep_ms, NULL};
static const char *const wants[] = {"completion", NULL};
static atomic_int calls;

static void wait_ms(int64_t ms)
{
    const struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const hone_config *cfg = hone_reward_config(self);
    const int number = atomic_fetch_add(&calls, 1);
    (void)notes;
    while (cfg->i64(cfg, 1) && number == 0)
        wait_ms(1000);
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        wait_ms(cfg->i64(cfg, 2));
        hone_outcome_set(out, out_stride, i, number < cfg->i64(cfg, 0) ? HONE_ERROR : HONE_SCORE,
                         (float)hone_sample_at(in, in_stride, i)->completion.len);
    }
    return HONE_OK;
}

HONE_REWARD_PLUGIN(0x000100, "org.test.reward.moody", "1.0.0", "counts bytes, in its own time",
                   HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT | HONE_CAP_SLOW CAPS, fields, wants,
                   score);
