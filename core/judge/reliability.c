/* reliability.c - the two-level analysis of variance of judges.md section 7; see reliability.h.
 *
 * Rows are gathered by prompt; each prompt gives its sums of squares, and rho is a quotient of sums, so
 * its interval comes from leaving prompts out on the scale of log(1 - rho) = log(MSE/MSB). */
#include "judge/reliability.h"

#include "base/alloc.h"
#include "base/math64.h"
#include "judge/boot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char infinite[] = "a score is infinite";
static const char no_groups[] = "no prompt has two scored completions";

typedef struct rows {
    hone__groups g;
    size_t *row, *start; /* rows by group: row[start[k] .. start[k + 1]) */
    double *mean, *count, *sort;
    double center, scale;
    size_t repeats;
    const double *x;
} rows;

static void release(rows *r)
{
    hone__groups_release(&r->g);
    hone_free(r->row);
    hone_free(r->start);
    hone_free(r->mean);
    hone_free(r->count);
    hone_free(r->sort);
}

static double score(const rows *r, size_t row, size_t k)
{
    return (r->x[row * r->repeats + k] - r->center) / r->scale;
}

/* Gathers the rows with a score; *why when they cannot be used. */
static hone_status gather(const double *x, size_t n, size_t repeats, const uint64_t *group, rows *r,
                          const char **why)
{
    double lo = 0, hi = 0;
    size_t used = 0, cells;
    hone_status s = HONE_E_NOMEM;
    *r = (rows){.x = x, .repeats = repeats, .scale = 1};
    *why = NULL;
    if (!hone_mul_size(n, repeats, &cells))
        return hone_fail(HONE_E_INVALID, "statistics: %zu repeats are too many", repeats);
    uint8_t *use = hone_calloc(n, 1);
    r->mean = hone_calloc(n, sizeof(double));
    r->count = hone_calloc(n, sizeof(double));
    r->sort = hone_calloc(n, sizeof(double));
    if (!use || !r->mean || !r->count || !r->sort)
        goto done;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < repeats; k++) {
            double v = x[i * repeats + k];
            if (isnan(v))
                continue;
            if (isinf(v))
                *why = infinite;
            if (!used || v < lo)
                lo = v;
            if (!used || v > hi)
                hi = v;
            used++;
            use[i] = 1;
            r->count[i]++;
        }
    }
    s = HONE_OK;
    if (!*why && used == 0)
        *why = "there are no scores";
    if (*why)
        goto done;
    r->center = lo / 2 + hi / 2;
    r->scale = hi / 2 - lo / 2 > 0 ? hi / 2 - lo / 2 : 1;
    HONE_TRY_GOTO(hone__groups_make(group, use, n, UINT32_MAX - 1, &r->g), done);
    r->start = hone_calloc(r->g.groups + 2, sizeof *r->start);
    r->row = hone_calloc(n, sizeof *r->row);
    if (!r->start || !r->row) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        if (use[i])
            r->start[r->g.of[i] + 2]++;
    for (size_t k = 2; k < r->g.groups + 2; k++)
        r->start[k] += r->start[k - 1];
    for (size_t i = 0; i < n; i++) {
        if (!use[i])
            continue;
        r->row[r->start[r->g.of[i] + 1]++] = i;
        double sum = 0;
        for (size_t k = 0; k < repeats; k++)
            if (!isnan(x[i * repeats + k]))
                sum += score(r, i, k);
        r->mean[i] = sum / r->count[i];
    }
done:
    hone_free(use);
    return s;
}

/* ---- sums of one prompt ---- */

enum {
    R_DF1,
    R_BETWEEN,
    R_DF2,
    R_WITHIN,
    R_REPEATS,
    R_FLAT,
    R_GROUPS,
    R_TIES,
    R_PAIRS,
    R_FLIPS,
    R_FLIP_PAIRS,
    R_DIM
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Signs of advantages in single runs a and b of the judge: how many differ. */
static void flips(const rows *r, const size_t *row, size_t n, size_t a, size_t b, double *t)
{
    double ma = 0, mb = 0, both = 0;
    for (size_t i = 0; i < n; i++) {
        double xa = score(r, row[i], a), xb = score(r, row[i], b);
        if (isnan(xa) || isnan(xb))
            continue;
        both++;
        ma += (xa - ma) / both;
        mb += (xb - mb) / both;
    }
    for (size_t i = 0; i < n && both > 1; i++) {
        double da = score(r, row[i], a) - ma, db = score(r, row[i], b) - mb;
        if (isnan(da) || isnan(db) || fabs(da) < 1e-12 || fabs(db) < 1e-12)
            continue; /* an advantage of nothing has no sign */
        t[R_FLIP_PAIRS]++;
        t[R_FLIPS] += (da > 0) != (db > 0);
    }
}

static void add_group(const rows *r, const size_t *row, size_t n, double *t)
{
    double weight = 0, squares = 0, mean = 0, between = 0, lo = 0, hi = 0;
    for (size_t i = 0; i < n; i++) {
        double m = r->count[row[i]];
        weight += m;
        squares += m * m;
        mean += m * r->mean[row[i]];
    }
    mean /= weight;
    for (size_t i = 0; i < n; i++) {
        double d = r->mean[row[i]] - mean;
        between += r->count[row[i]] * d * d;
        for (size_t k = 0; k < r->repeats; k++) {
            double e = score(r, row[i], k) - r->mean[row[i]];
            if (!isnan(e))
                t[R_WITHIN] += e * e;
        }
        t[R_DF2] += r->count[row[i]] - 1;
        r->sort[i] = r->mean[row[i]];
    }
    qsort(r->sort, n, sizeof *r->sort, ascending);
    lo = r->sort[0];
    hi = r->sort[n - 1];
    t[R_DF1] += (double)(n - 1);
    t[R_BETWEEN] += between;
    t[R_REPEATS] += weight - squares / weight;
    t[R_GROUPS]++;
    t[R_FLAT] += hi - lo < 1e-12;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && r->sort[j] - r->sort[i] < 1e-12; j++)
            ;
        t[R_TIES] += (double)(j - i) * (double)(j - i - 1) / 2;
    }
    t[R_PAIRS] += (double)n * (double)(n - 1) / 2;
    for (size_t k = 0; k + 1 < r->repeats; k++)
        flips(r, row, n, k, k + 1, t);
}

/* ---- figures ---- */

static int rho_of(void *ctx, const double *t, double *out)
{
    (void)ctx;
    if (t[R_DF1] < .5 || t[R_DF2] < .5 || !(t[R_BETWEEN] > 1e-18 * t[R_DF1]))
        return 0;
    *out = 1 - t[R_WITHIN] / t[R_DF2] / (t[R_BETWEEN] / t[R_DF1]);
    return 1;
}

static int rho_worst(void *ctx, const double *t, double share, double *out)
{
    double rho;
    if (!rho_of(ctx, t, &rho))
        return 0;
    *out = rho - share;
    return 1;
}

static int share_at(const void *ctx, const double *t, double *out)
{
    const int *k = ctx;
    if (!(t[k[1]] > .5))
        return 0;
    *out = t[k[0]] / t[k[1]];
    return 1;
}

static int share_of(void *ctx, const double *t, double *out)
{
    return share_at(ctx, t, out);
}

static int share_worst(void *ctx, const double *t, double share, double *out)
{
    double v;
    if (!share_at(ctx, t, &v))
        return 0;
    *out = v < .5 ? v + share : v - share;
    return 1;
}

static hone_status shares(const double *t, size_t groups, const hone_boot *boot,
                          hone_reliability *r)
{
    static const struct {
        int at[2];
        const char *why;
    } kinds[3] = {{{R_FLAT, R_GROUPS}, no_groups},
                  {{R_TIES, R_PAIRS}, no_groups},
                  {{R_FLIPS, R_FLIP_PAIRS}, "no two runs of the judge give an advantage a sign"}};
    double n[3] = {0};
    hone_figure *out[3] = {&r->zero_variance, &r->tie_share, &r->flip_once};
    for (size_t g = 0; g < groups; g++)
        for (int k = 0; k < 3; k++)
            n[k] += t[g * R_DIM + (size_t)kinds[k].at[1]];
    for (int k = 0; k < 3; k++) {
        int at[2] = {kinds[k].at[0], kinds[k].at[1]};
        hone__boot_stat stat = {.fn = share_of,
                                .ctx = at,
                                .dim = R_DIM,
                                .scale = HONE__SCALE_LOGIT,
                                .worst = share_worst,
                                .why = kinds[k].why};
        HONE_TRY(hone__boot_sums(&stat, t, groups, boot, (size_t)n[k], out[k]));
    }
    return HONE_OK;
}

/* arccos(rho)/pi by bisection of the cosine, so that every machine gives the same bits. */
static double flip_at(double rho)
{
    double lo = 0, hi = 1, c = fmin(fmax(rho, 0), 1);
    for (int k = 0; k < 60; k++) {
        double mid = (lo + hi) / 2;
        if (hone_math_cos(mid * 3.14159265358979323846) > c)
            lo = mid;
        else
            hi = mid;
    }
    return c >= 1 ? 0 : (lo + hi) / 2;
}

hone_status hone_reliability_measure(const double *x, size_t n, size_t repeats,
                                     const uint64_t *group, const hone_boot *boot,
                                     hone_reliability *out)
{
    rows r;
    const char *why;
    double *t = NULL, sum[R_DIM] = {0};
    size_t boxes = 0, seen = 0;
    hone_reliability found = {.flip = .5};
    hone_status s = gather(x, n, repeats, group, &r, &why);
    if (s < 0)
        goto done;
    if (why) {
        found.rho = found.zero_variance = found.tie_share = found.flip_once = hone_figure_none(0,
                                                                                               why);
        *out = found;
        goto done;
    }
    boxes = r.g.groups < HONE_BOOT_CLUSTERS ? r.g.groups : HONE_BOOT_CLUSTERS;
    t = hone_calloc(boxes, R_DIM * sizeof *t);
    if (!t) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t k = 0; k < r.g.groups; k++) {
        size_t rows_of = r.start[k + 1] - r.start[k];
        const size_t *row = r.row + r.start[k];
        if (rows_of < 2) {
            found.dropped_groups++;
            continue;
        }
        add_group(&r, row, rows_of, t + seen++ % boxes * R_DIM);
        found.completions += rows_of;
        for (size_t i = 0; i < rows_of; i++)
            found.scores += (size_t)r.count[row[i]];
    }
    found.groups = seen;
    boxes = seen < boxes ? seen : boxes;
    for (size_t b = 0; b < boxes; b++)
        for (size_t k = 0; k < R_DIM; k++)
            sum[k] += t[b * R_DIM + k];
    hone__boot_stat stat = {.fn = rho_of,
                            .dim = R_DIM,
                            .scale = HONE__SCALE_REST,
                            .worst = rho_worst,
                            .why = seen == 0 ? no_groups
                                   : sum[R_DF2] < .5
                                       ? "one verdict a completion: run the judge at least twice"
                                       : "the judge tells no two completions of a prompt apart"};
    HONE_TRY_GOTO(hone__boot_sums(&stat, t, boxes, boot, found.completions, &found.rho), done);
    HONE_TRY_GOTO(shares(t, boxes, boot, &found), done);
    if (seen) {
        double unit = r.scale * r.scale;
        found.group_size = (double)found.completions / (double)seen;
        found.repeats = sum[R_REPEATS] / sum[R_DF1];
        double msb = sum[R_BETWEEN] / sum[R_DF1];
        double mse = sum[R_DF2] > .5 ? sum[R_WITHIN] / sum[R_DF2] : 0;
        found.msb = isfinite(msb * unit) ? msb * unit : 0;
        found.mse = isfinite(mse * unit) ? mse * unit : 0;
        if (sum[R_DF2] > .5) {
            found.var_c = fmax(found.msb - found.mse, 0) / found.repeats;
            found.var_e = found.mse;
        }
    }
    if (!found.rho.why)
        found.flip = flip_at(found.rho.value);
    *out = found;
done:
    release(&r);
    hone_free(t);
    return s;
}

size_t hone_reliability_repeats(const hone_reliability *r, double target)
{
    if (r->rho.why || !(target > 0 && target < 1) || !(r->var_c > 0))
        return 0;
    double m = ceil(target / (1 - target) * (r->var_e / r->var_c) - 1e-9);
    return m < 1 ? 1 : m < 1e9 ? (size_t)m : 0;
}

hone_status hone_reliability_contrast(const double *x, size_t n, size_t repeats,
                                      const uint64_t *group, double range, const hone_boot *boot,
                                      hone_figure *out)
{
    rows r;
    const char *why;
    double *deviation = NULL;
    size_t seen = 0;
    hone_boot own = boot ? *boot : (hone_boot){NULL};
    if (!(range > 0) || isinf(range))
        return hone_fail(HONE_E_INVALID, "statistics: the range of a criterion is not above 0");
    hone_status s = gather(x, n, repeats, group, &r, &why);
    if (s < 0)
        goto done;
    if (why) {
        *out = hone_figure_none(0, why);
        goto done;
    }
    deviation = hone_alloc(r.g.groups * sizeof *deviation);
    if (!deviation) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t k = 0; k < r.g.groups; k++) {
        size_t rows_of = r.start[k + 1] - r.start[k];
        const size_t *row = r.row + r.start[k];
        double mean = 0, ss = 0;
        if (rows_of < 2)
            continue;
        for (size_t i = 0; i < rows_of; i++)
            mean += r.mean[row[i]] / (double)rows_of;
        for (size_t i = 0; i < rows_of; i++)
            ss += (r.mean[row[i]] - mean) * (r.mean[row[i]] - mean);
        deviation[seen++] = sqrt(ss / (double)(rows_of - 1)) * (r.scale / range);
    }
    own.cluster = NULL;
    if (seen == 0)
        *out = hone_figure_none(0, no_groups);
    else
        s = hone_interval_mean(deviation, seen, boot ? &own : NULL, out);
done:
    release(&r);
    hone_free(deviation);
    return s;
}
