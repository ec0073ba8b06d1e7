/* read.c - reading memory as fast as one thread can: the yardstick of what streams weights, of no use otherwise.
 *
 * Four sums, so that no add waits for the one before it, and lines asked for 4 KB ahead: two to four times what a plain
 * loop of narrow loads reaches on one thread. The sum keeps the reads alive. */
#include "ops/kern/simd.h"
#include "ops/kernels.h"

enum { STEP = 4 * V_LANES, AHEAD = 1024 };

static float read_sum(const float *p, size_t n)
{
    v16 s0 = v_zero(), s1 = s0, s2 = s0, s3 = s0;
    float sums[V_LANES];
    for (size_t i = 0; i + STEP <= n; i += STEP) {
        const float *q = p + i;
        for (int j = 0; j < STEP; j += V_LANES)
            __builtin_prefetch((const char *)q + 4 * (AHEAD + j));
        s0 = v_add(s0, v_load(q));
        s1 = v_add(s1, v_load(q + V_LANES));
        s2 = v_add(s2, v_load(q + 2 * V_LANES));
        s3 = v_add(s3, v_load(q + 3 * V_LANES));
    }
    v_store(sums, v_add(v_add(s0, s1), v_add(s2, s3)));
    for (int j = 1; j < V_LANES; j++)
        sums[0] += sums[j];
    return sums[0];
}

const hone_read_kernels HONE_KFN(read) = {read_sum};
