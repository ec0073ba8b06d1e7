/* fuzz_judge_stats.c - the statistics of judges on matrices of anything.
 *
 * byte 0: raters (0 to 8); byte 1: what stands for values; byte 2: clusters, replicates, level. Then one byte a rating: a
 * small number, missing, an infinity, or one of the ends of what a double holds; or, by byte 1, eight bytes as they are.
 * Anything but a sane figure or a reason aborts. */
#include "stats_cases.h"

static double rating(uint8_t v)
{
    static const double odd[] = {(double)NAN,
                                 (double)NAN,
                                 (double)INFINITY,
                                 -(double)INFINITY,
                                 1e308,
                                 -1e308,
                                 1e-308,
                                 5e-324,
                                 1e16,
                                 1e16 + 2,
                                 -0.0,
                                 .1,
                                 .2,
                                 .3,
                                 1e200,
                                 1e-200};
    return v < 200 ? (double)(v % 7) / (v < 100 ? 1 : 2) : v < 232 ? odd[v % 16] : (double)NAN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 3)
        return 0;
    size_t raters = data[0] % 9, raw = data[1] % 4 == 0, kind = data[2];
    const uint8_t *at = data + 3;
    size_t cells = (n - 3) / (raw ? 8 : 1), items = raters ? cells / raters : cells % 64;
    items = items > 300 ? 300 : items;
    double *x = malloc((items * raters + 1) * sizeof *x);
    uint64_t *group = malloc((items + 1) * sizeof *group);
    if (!x || !group)
        abort();
    for (size_t i = 0; i < items * raters; i++) {
        if (raw)
            memcpy(&x[i], at + 8 * i, 8);
        else
            x[i] = rating(at[i]);
    }
    for (size_t i = 0; i < items; i++)
        group[i] = kind & 1 ? i / 3 : kind & 2 ? 7 : i * 0x9e3779b97f4a7c15u;
    hone_boot boot = {.cluster = kind & 4 ? group : NULL,
                      .replicates = kind & 8 ? 20 : 0,
                      .seed = kind,
                      .level = kind & 16 ? .5 : 0};
    if (stats_all(x, items, raters, group, kind & 32 ? NULL : &boot))
        abort();
    free(x);
    free(group);
    return 0;
}
