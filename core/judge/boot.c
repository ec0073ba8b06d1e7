/* boot.c - groups of clusters, leave-one-out variances, resampling; see boot.h. */
#include "judge/boot.h"

#include "base/alloc.h"
#include "base/math64.h"
#include "base/rng.h"
#include "judge/dist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- groups ---- */

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

typedef struct entry {
    uint64_t id, key; /* key: what the numbering goes by */
    uint32_t number;
} entry;

typedef struct table {
    entry *e;
    uint32_t *slot; /* index of entry + 1 */
    size_t n, cap, slots;
} table;

static hone_status grow(table *t)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    entry *e = hone_reallocarray(t->e, cap, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    t->e = e;
    t->cap = cap;
    uint32_t *slot = hone_calloc(cap * 2, sizeof *slot);
    if (!slot)
        return HONE_E_NOMEM;
    hone_free(t->slot);
    t->slot = slot;
    t->slots = cap * 2;
    for (size_t i = 0; i < t->n; i++) {
        size_t at = mixed(t->e[i].id) & (t->slots - 1);
        while (slot[at])
            at = (at + 1) & (t->slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    return HONE_OK;
}

static hone_status number_of(table *t, uint64_t id, uint32_t *out)
{
    if (t->n == t->cap)
        HONE_TRY(grow(t));
    size_t at = mixed(id) & (t->slots - 1);
    while (t->slot[at] && t->e[t->slot[at] - 1].id != id)
        at = (at + 1) & (t->slots - 1);
    if (!t->slot[at]) {
        t->e[t->n] = (entry){.id = id, .number = (uint32_t)t->n};
        t->slot[at] = (uint32_t)++t->n;
    }
    *out = t->slot[at] - 1;
    return HONE_OK;
}

static int by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

hone_status hone__groups_make(const uint64_t *cluster, const uint8_t *use, size_t n, size_t max,
                              hone__groups *out)
{
    table t = {NULL};
    uint32_t *of = NULL, *rank = NULL;
    hone_status s = HONE_OK;
    size_t clusters = 0;
    if (n >= UINT32_MAX || max == 0)
        return hone_fail(HONE_E_INVALID, "statistics: %zu rows are too many", n);
    of = hone_alloc(n * sizeof *of);
    if (!of)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        of[i] = HONE__BOOT_OUT;
        if (use && !use[i])
            continue;
        if (cluster)
            HONE_TRY_GOTO(number_of(&t, cluster[i], &of[i]), done);
        else
            of[i] = (uint32_t)(clusters++ % max);
    }
    if (cluster) {
        clusters = t.n;
        rank = hone_alloc((clusters + 1) * sizeof *rank);
        if (!rank) {
            s = HONE_E_NOMEM;
            goto done;
        }
        for (size_t k = 0; k < clusters; k++)
            t.e[k].key = clusters > max ? mixed(t.e[k].id + 1) : t.e[k].id;
        if (clusters)
            qsort(t.e, clusters, sizeof *t.e, by_key);
        for (size_t k = 0; k < clusters; k++)
            rank[t.e[k].number] = (uint32_t)(k % max);
        for (size_t i = 0; i < n; i++)
            if (of[i] != HONE__BOOT_OUT)
                of[i] = rank[of[i]];
    }
    *out = (hone__groups){of, n, clusters < max ? clusters : max, clusters};
    of = NULL;
done:
    hone_free(of);
    hone_free(rank);
    hone_free(t.e);
    hone_free(t.slot);
    return s;
}

void hone__groups_release(hone__groups *g)
{
    hone_free(g->of);
    *g = (hone__groups){NULL, 0, 0, 0};
}

/* ---- scales ---- */

static double to_scale(hone__scale s, double x)
{
    switch (s) {
    case HONE__SCALE_ATANH:
        return .5 * (hone_math_log(1 + x) - hone_math_log(1 - x));
    case HONE__SCALE_LOGIT:
        return hone_math_log(x) - hone_math_log(1 - x);
    case HONE__SCALE_REST:
        return -hone_math_log(1 - x);
    default:
        return x;
    }
}

static double from_scale(hone__scale s, double y)
{
    double e;
    switch (s) {
    case HONE__SCALE_ATANH:
        e = hone_math_exp(-2 * fabs(y));
        return (y < 0 ? -1 : 1) * (1 - e) / (1 + e);
    case HONE__SCALE_LOGIT:
        e = hone_math_exp(-fabs(y));
        return y < 0 ? e / (1 + e) : 1 / (1 + e);
    case HONE__SCALE_REST:
        return 1 - hone_math_exp(-y);
    default:
        return y;
    }
}

/* d scale / d x */
static double slope(hone__scale s, double x)
{
    switch (s) {
    case HONE__SCALE_ATANH:
        return 1 / ((1 + x) * (1 - x));
    case HONE__SCALE_LOGIT:
        return 1 / (x * (1 - x));
    case HONE__SCALE_REST:
        return 1 / (1 - x);
    default:
        return 1;
    }
}

static int inside(hone__scale s, double x)
{
    switch (s) {
    case HONE__SCALE_ATANH:
        return x > -1 && x < 1;
    case HONE__SCALE_LOGIT:
        return x > 0 && x < 1;
    case HONE__SCALE_REST:
        return x < 1;
    default:
        return isfinite(x);
    }
}

double hone__boot_level(const hone_boot *boot)
{
    return boot && boot->level > 0 && boot->level < 1 ? boot->level : .95;
}

hone_figure hone__boot_figure(double theta, double se, double df, double level, hone__scale scale,
                              size_t n)
{
    if (!inside(scale, theta) || !isfinite(se))
        return hone_figure_value(theta, n, "no interval: the figure is at the end of its range");
    double t = hone_dist_two_sided(level, df), at = to_scale(scale, theta);
    double wide = t * se * slope(scale, theta);
    return hone_figure_of(theta, from_scale(scale, at - wide), from_scale(scale, at + wide), n);
}

double hone__boot_variance(const double *u, size_t groups)
{
    double mean = 0, ss = 0;
    if (groups < 2)
        return 0;
    for (size_t g = 0; g < groups; g++)
        mean += u[g];
    mean /= (double)groups;
    for (size_t g = 0; g < groups; g++)
        ss += (u[g] - mean) * (u[g] - mean);
    return ss * (double)groups / (double)(groups - 1);
}

/* ---- resampling ---- */

static const char few[] = "no interval: fewer than 5 prompts";
static const char alone[] = "no interval: without one of the prompts there is no figure";
static const char even[] = "no prompt differs from the others, so the interval knows no variation";

typedef struct sampler {
    const hone__boot_stat *stat;
    const double *t; /* (groups, dim), or NULL: fn takes weights */
    size_t groups;
    double *w;        /* how often each group was drawn */
    double *sums;     /* of the groups drawn */
    double *less;     /* the same without one */
    double *left_out; /* value without a draw of each group */
} sampler;

static int value_at(const sampler *p, const double *at, double *out)
{
    double v = 0;
    if (!p->stat->fn(p->stat->ctx, at, &v) || !isfinite(v))
        return 0;
    *out = v;
    return 1;
}

static int value(const sampler *p, double *out)
{
    return value_at(p, p->t ? p->sums : p->w, out);
}

static void add_up(sampler *p)
{
    size_t dim = p->stat->dim;
    if (!p->t)
        return;
    memset(p->sums, 0, dim * sizeof *p->sums);
    for (size_t g = 0; g < p->groups; g++) {
        const double *t = p->t + g * dim;
        double w = p->w[g];
        if (w > 0)
            for (size_t k = 0; k < dim; k++)
                p->sums[k] += w * t[k];
    }
}

static int value_without(sampler *p, size_t g, double *out)
{
    if (p->t) {
        const double *t = p->t + g * p->stat->dim;
        for (size_t k = 0; k < p->stat->dim; k++)
            p->less[k] = p->sums[k] - t[k];
        return value_at(p, p->less, out);
    }
    p->w[g] -= 1;
    int ok = value_at(p, p->w, out);
    p->w[g] += 1;
    return ok;
}

/* Variance of the value by leaving each draw out in turn. 0 when one of them says nothing. */
static int jackknife(sampler *p, double *variance)
{
    double n = 0, mean = 0, ss = 0;
    for (size_t g = 0; g < p->groups; g++) {
        if (p->w[g] > 0) {
            if (!value_without(p, g, &p->left_out[g]))
                return 0;
            mean += p->w[g] * p->left_out[g];
            n += p->w[g];
        }
    }
    mean /= n;
    for (size_t g = 0; g < p->groups; g++) {
        double d = p->w[g] > 0 ? p->left_out[g] - mean : 0;
        ss += p->w[g] * d * d;
    }
    *variance = ss * (n - 1) / n;
    return isfinite(*variance);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile(const double *v, size_t n, double p)
{
    double at = p * (double)(n + 1) - 1;
    if (at <= 0)
        return v[0];
    if (at >= (double)(n - 1))
        return v[n - 1];
    size_t i = (size_t)at;
    return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

/* Draws clusters again `n` times; reps[*m] get the value, or its t when `center` is not NULL. */
static void replicate(sampler *p, const hone_boot *boot, size_t n, const double *center,
                      uint64_t *draw, double *reps, size_t *m)
{
    hone_rng_key key = {.seed = boot->seed, .purpose = HONE_RNG_BOOTSTRAP};
    hone__scale scale = p->stat->scale;
    *m = 0;
    for (size_t b = 0; b < n; b++) {
        double v, variance;
        key.step = b;
        hone_rng_below_each(&key, p->groups, p->groups, draw);
        memset(p->w, 0, p->groups * sizeof *p->w);
        for (size_t g = 0; g < p->groups; g++)
            p->w[draw[g]] += 1;
        add_up(p);
        if (!value(p, &v))
            continue;
        if (!center)
            reps[(*m)++] = v;
        else if (inside(scale, v) && jackknife(p, &variance) && variance > 0)
            reps[(*m)++] = (to_scale(scale, v) - *center) / (sqrt(variance) * slope(scale, v));
    }
    if (*m)
        qsort(reps, *m, sizeof *reps, by_value);
}

static hone_figure resampled(sampler *p, const hone_boot *boot, double theta, double variance,
                             uint64_t *draw, double *reps, size_t replicates, size_t n)
{
    hone__scale scale = p->stat->scale;
    double a = (1 - hone__boot_level(boot)) / 2, at = to_scale(scale, theta);
    size_t m;
    hone_figure f;
    replicate(p, boot, replicates, p->stat->rough ? NULL : &at, draw, reps, &m);
    if (m < replicates / 2 + 1)
        return hone_figure_value(theta, n, "no interval: half of the resamples say nothing");
    if (p->stat->rough) {
        f = hone_figure_of(theta, quantile(reps, m, a), quantile(reps, m, 1 - a), n);
    } else {
        double wide = sqrt(variance) * slope(scale, theta);
        f = hone_figure_of(theta, from_scale(scale, at - quantile(reps, m, 1 - a) * wide),
                           from_scale(scale, at - quantile(reps, m, a) * wide), n);
    }
    if (m < replicates - replicates / 10)
        f.note = "more than a tenth of the resamples say nothing";
    return f;
}

/* Nothing varies: the far end is what a share of bad units would make of it that so many clusters
 * without one do not rule out (Wilson's bound of 0 of G). */
static hone_figure at_the_end(const sampler *p, const hone_boot *boot, double theta, size_t n)
{
    double z = hone_dist_two_sided(hone__boot_level(boot), (double)INFINITY), far;
    double share = z * z / ((double)p->groups + z * z);
    if (p->stat->worst && p->stat->worst(p->stat->ctx, p->sums, share, &far) && isfinite(far))
        return hone_figure_of(theta, far, theta, n);
    if (!inside(p->stat->scale, theta))
        return hone_figure_value(theta, n, "no interval: the figure is at the end of its range");
    hone_figure f = hone_figure_of(theta, theta, theta, n);
    f.note = even;
    return f;
}

static hone_status figure(const hone__boot_stat *stat, const double *t, size_t groups,
                          const hone_boot *boot, size_t n, hone_figure *out)
{
    hone__boot_stat own = *stat;
    sampler p = {.stat = &own, .t = t, .groups = groups};
    size_t replicates = boot && boot->replicates ? boot->replicates : HONE__BOOT_REPLICATES;
    int draws = boot && (boot->replicates || stat->rough);
    uint64_t *draw = hone_alloc((draws ? groups : 0) * sizeof *draw);
    double *reps = hone_alloc((draws ? replicates : 0) * sizeof *reps);
    double theta, variance;
    hone_status s = HONE_E_NOMEM;
    p.w = hone_alloc(groups * sizeof *p.w);
    p.left_out = hone_alloc(groups * sizeof *p.left_out);
    p.sums = hone_calloc(stat->dim, sizeof *p.sums);
    p.less = hone_calloc(stat->dim, sizeof *p.less);
    if (!p.w || !p.left_out || !p.sums || !p.less || !draw || !reps)
        goto done;
    s = HONE_OK;
    for (size_t g = 0; g < groups; g++)
        p.w[g] = 1;
    add_up(&p);
    if (groups && value(&p, &theta) && own.scale == HONE__SCALE_ATANH && theta <= -1)
        own.scale = HONE__SCALE_REST; /* weighted coefficients may fall below -1 */
    if (groups == 0 || !value(&p, &theta))
        *out = hone_figure_none(n, stat->why);
    else if (!boot || groups < HONE_BOOT_MIN_CLUSTERS)
        *out = hone_figure_value(theta, n, boot ? few : NULL);
    else if (stat->rough)
        *out = resampled(&p, boot, theta, 0, draw, reps, replicates, n);
    else if (!inside(stat->scale, theta))
        *out = at_the_end(&p, boot, theta, n);
    else if (!jackknife(&p, &variance))
        *out = hone_figure_value(theta, n, alone);
    else if (!(variance > 1e-24 * theta * theta))
        *out = at_the_end(&p, boot, theta, n);
    else if (boot->replicates)
        *out = resampled(&p, boot, theta, variance, draw, reps, replicates, n);
    else
        *out = hone__boot_figure(theta, sqrt(variance), (double)(groups - 1),
                                 hone__boot_level(boot), stat->scale, n);
done:
    hone_free(p.w);
    hone_free(p.left_out);
    hone_free(p.sums);
    hone_free(p.less);
    hone_free(draw);
    hone_free(reps);
    return s;
}

hone_status hone__boot_sums(const hone__boot_stat *stat, const double *t, size_t groups,
                            const hone_boot *boot, size_t n, hone_figure *out)
{
    return figure(stat, t, groups, boot, n, out);
}

hone_status hone__boot_weights(const hone__boot_stat *stat, size_t groups, const hone_boot *boot,
                               size_t n, hone_figure *out)
{
    return figure(stat, NULL, groups, boot, n, out);
}
