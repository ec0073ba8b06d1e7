/* hostile_tokens.h - score_tokens for a file that includes hostile.h behind it. */
#include "hone/reward.h"

#include <stdlib.h>

#ifndef TOKENS
#define TOKENS(n) (n)
#endif
#ifndef NUMBER
#define NUMBER 0.5f
#endif
static hone_status score_tokens(void *self, const hone_call *call, const hone_sample *in, size_t n,
                                size_t in_stride, const hone_token_scores *sink)
{
    (void)self;
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        size_t count = TOKENS(s->n_tokens);
        float *scores = calloc(count + 1, sizeof *scores);
        for (size_t k = 0; scores && k < count; k++)
            scores[k] = NUMBER;
        if (scores && sink->put(sink, i, (hone_outcome){HONE_SCORE, 1}, scores, count) < 0)
            n = i; /* it takes no more */
        free(scores);
    }
    return HONE_OK;
}
