/* stats.h - means with their intervals, pass@k.
 *
 * Intervals are bootstrap percentiles over prompts (the unit that was sampled), drawn with counter-based
 * random numbers, so the same numbers give the same interval everywhere. */
#ifndef HONE_CORE_TRAIN_STATS_H
#define HONE_CORE_TRAIN_STATS_H
#include "base/error.h"

typedef struct hone_interval {
    double mean, lo, hi; /* 95 % */
    size_t n;            /* prompts */
} hone_interval;
/* One value a prompt; NaNs are left out. 2,000 resamples. n == 0 gives NaN. */
hone_status hone_bootstrap(const double *value, size_t n, uint64_t seed, hone_interval *out);
/* Unbiased pass@k of one prompt with n samples, c of them right: 1 - C(n-c, k)/C(n, k)
 * (Chen et al. 2021, eq. 1). k <= n. */
double hone_pass_at_k(uint32_t n, uint32_t c, uint32_t k);
#endif
