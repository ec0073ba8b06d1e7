/* Does not look whether it was cancelled.
 * validate: instance.cancel fail after it was cancelled
 * score: survives */
#include <time.h>
#define OWN_SCORE
#define SCORE slow
#include "hone/reward.h"
static hone_status slow(void *self, const hone_call *call, const hone_sample *in, size_t n,
                        size_t in_stride, hone_outcome *out, size_t out_stride,
                        const hone_notes *notes)
{
    (void)self;
    (void)call;
    (void)in;
    (void)in_stride;
    (void)notes;
    for (size_t i = 0; i < n; i++) {
        if (i % 16 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 5500000}, NULL);
        hone_outcome_set(out, out_stride, i, HONE_SCORE, 0);
    }
    return HONE_OK;
}
#include "hostile.h"
