/* stats.c - see stats.h. */
#include "train/stats.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#define RESAMPLES 2000

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

hone_status hone_bootstrap(const double *value, size_t n, uint64_t seed, hone_interval *out)
{
    double *v = hone_reallocarray(NULL, n ? n : 1, sizeof *v);
    double *means = hone_reallocarray(NULL, RESAMPLES, sizeof *means);
    uint64_t *at = hone_reallocarray(NULL, n ? n : 1, sizeof *at);
    size_t k = 0, same = 0;
    double sum = 0;
    if (!v || !means || !at) {
        hone_free(v);
        hone_free(means);
        hone_free(at);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (isnan(value[i]))
            continue;
        v[k++] = value[i];
        same += value[i] == v[0];
        sum += value[i];
    }
    *out = (hone_interval){NAN, NAN, NAN, k};
    if (k > 0 && same == k) { /* every resample has the sum of the values themselves */
        const double mean = sum / (double)k;
        *out = (hone_interval){mean, mean, mean, k};
    } else if (k > 0) {
        for (size_t r = 0; r < RESAMPLES; r++) {
            hone_rng_key key = {.seed = seed, .purpose = HONE_RNG_BOOTSTRAP, .step = r};
            double s = 0;
            hone_rng_below_each(&key, k, k, at);
            for (size_t i = 0; i < k; i++)
                s += v[at[i]];
            means[r] = s / (double)k;
        }
        qsort(means, RESAMPLES, sizeof *means, by_value);
        out->mean = sum / (double)k;
        out->lo = means[RESAMPLES / 40];
        out->hi = means[RESAMPLES - 1 - RESAMPLES / 40];
    }
    hone_free(v);
    hone_free(means);
    hone_free(at);
    return HONE_OK;
}

double hone_pass_at_k(uint32_t n, uint32_t c, uint32_t k)
{
    double miss = 1;
    if (n - c < k)
        return 1;
    for (uint32_t i = n - c + 1; i <= n; i++)
        miss *= 1.0 - (double)k / (double)i;
    return 1 - miss;
}
