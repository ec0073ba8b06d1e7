/* boot.h - resampling of clusters: what every interval of this folder stands on. Internal.
 *
 * Three ways, by what they were measured to cover (docs/decisions.md): by default each cluster is left
 * out in turn and the interval is Student's t on a scale where the statistic is nearly normal; with
 * boot->replicates clusters are drawn again and t itself is taken from the draws (bootstrap-t); what is
 * not smooth (a calibration error) gets percentiles of such draws.
 *
 * A statistic is a function of sums over clusters (dim numbers a cluster), so that leaving a cluster
 * out or drawing clusters again costs additions, however many rows there are. What is no such function
 * (tau-b over all pairs, Spearman) takes a weight for each cluster instead. */
#ifndef HONE_CORE_JUDGE_BOOT_H
#define HONE_CORE_JUDGE_BOOT_H
#include "judge/interval.h"

#define HONE__BOOT_OUT UINT32_MAX
#define HONE__BOOT_REPLICATES 1000

/* Which row belongs to which group of clusters. */
typedef struct hone__groups {
    uint32_t *of; /* [n]; HONE__BOOT_OUT: row left out */
    size_t n, groups, clusters;
} hone__groups;
/* use: NULL or [n], 0 leaves a row out. cluster as in hone_boot. At most `max` groups: clusters are
 * numbered by their id (so the order of rows is nothing), and dealt out when there are more. */
hone_status hone__groups_make(const uint64_t *cluster, const uint8_t *use, size_t n, size_t max,
                              hone__groups *out);
void hone__groups_release(hone__groups *g);

/* On which scale an interval is symmetric; it is brought back from there, so stays in range. */
typedef enum hone__scale {
    HONE__SCALE_PLAIN,
    HONE__SCALE_ATANH, /* coefficients in [-1, 1] */
    HONE__SCALE_LOGIT, /* shares */
    HONE__SCALE_REST   /* log(1 - x): x below 1 without a lower end */
} hone__scale;

/* 1 and *out, or 0 when the sums say nothing (one class only ...). Must not keep `sums`. */
typedef int (*hone__boot_fn)(void *ctx, const double *sums, double *out);
typedef struct hone__boot_stat {
    hone__boot_fn fn;
    void *ctx;
    size_t dim;
    hone__scale scale;
    int rough;       /* not smooth: percentiles of the bootstrap, since leaving one out misleads */
    const char *why; /* when fn gives 0 for all clusters together */
    /* When theta is at the end of its range or no cluster differs, so that resampling sees nothing:
     * the value were a share of all units as bad as can be; its far end of the interval. Or NULL. */
    int (*worst)(void *ctx, const double *sums, double share, double *out);
} hone__boot_stat;

/* The figure of a statistic of sums t (groups, dim). boot NULL: no interval. */
hone_status hone__boot_sums(const hone__boot_stat *stat, const double *t, size_t groups,
                            const hone_boot *boot, size_t n, hone_figure *out);
/* The same for a statistic of weights (fn is given `groups` of them, all 1 for the value). */
hone_status hone__boot_weights(const hone__boot_stat *stat, size_t groups, const hone_boot *boot,
                               size_t n, hone_figure *out);

/* The variance of a mean or a linearised statistic over clusters: G/(G - 1) sum of squares of the
 * clusters' sums of influence u, which are centred. 0 groups or 1: 0. */
double hone__boot_variance(const double *u, size_t groups);
double hone__boot_level(const hone_boot *boot);
/* An interval theta -+ t * se on a scale; se is on the plain one. */
hone_figure hone__boot_figure(double theta, double se, double df, double level, hone__scale scale,
                              size_t n);
#endif
