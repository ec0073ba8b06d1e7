/* calibration_curve.c - Brier score, calibration error, pool adjacent violators. */
#include "judge/calibration_curve.h"

#include "base/alloc.h"
#include "judge/boot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BINS 1000
#define MAX_CELLS ((size_t)1 << 24)

static const char range[] = "a probability is not between 0 and 1";
static const char nothing[] = "no item has both a verdict and a label";

/* Rows with both; a reason when one is outside [0, 1]. */
static const char *usable(const double *p, const double *y, size_t n, uint8_t *use, size_t *used)
{
    *used = 0;
    for (size_t i = 0; i < n; i++) {
        use[i] = !isnan(p[i]) && !isnan(y[i]);
        if (use[i] && (p[i] < 0 || p[i] > 1 || y[i] < 0 || y[i] > 1))
            return range;
        *used += use[i];
    }
    return *used ? NULL : nothing;
}

hone_status hone_curve_brier(const double *p, const double *y, size_t n, const hone_boot *boot,
                             hone_figure *out)
{
    uint8_t *use = hone_alloc(n);
    double *square = hone_alloc(n * sizeof *square);
    size_t used;
    hone_status s = HONE_E_NOMEM;
    if (!use || !square)
        goto done;
    const char *why = usable(p, y, n, use, &used);
    s = HONE_OK;
    if (why) {
        *out = hone_figure_none(used, why);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        square[i] = use[i] ? (p[i] - y[i]) * (p[i] - y[i]) : (double)NAN;
    s = hone_interval_mean(square, n, boot, out);
done:
    hone_free(use);
    hone_free(square);
    return s;
}

/* ---- calibration error ---- */

enum { B_N, B_P, B_Y, B_DIM }; /* a bin */

static int error_of(void *ctx, const double *t, double *out)
{
    const size_t *bins = ctx;
    double n = 0, off = 0;
    for (size_t b = 0; b < *bins; b++) {
        n += t[b * B_DIM + B_N];
        off += fabs(t[b * B_DIM + B_P] - t[b * B_DIM + B_Y]);
    }
    if (!(n > .5))
        return 0;
    *out = off / n;
    return 1;
}

hone_status hone_curve_ece(const double *p, const double *y, size_t n, size_t bins,
                           const hone_boot *boot, hone_figure *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    uint8_t *use = hone_alloc(n);
    double *t = NULL;
    size_t used;
    hone_status s = HONE_E_NOMEM;
    if (!use)
        return s;
    bins = bins ? bins : 10;
    if (bins > MAX_BINS) {
        s = hone_fail(HONE_E_INVALID, "statistics: %zu bins are too many (1,000 at most)", bins);
        goto done;
    }
    const char *why = usable(p, y, n, use, &used);
    s = HONE_OK;
    if (why) {
        *out = hone_figure_none(used, why);
        goto done;
    }
    HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, use, n, HONE_BOOT_CLUSTERS, &g),
                  done);
    t = hone_calloc(g.groups * bins, B_DIM * sizeof *t);
    if (!t) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (!use[i])
            continue;
        size_t b = (size_t)(p[i] * (double)bins);
        double *to = t + (g.of[i] * bins + (b < bins ? b : bins - 1)) * B_DIM;
        to[B_N]++;
        to[B_P] += p[i];
        to[B_Y] += y[i];
    }
    hone__boot_stat stat = {
        .fn = error_of, .ctx = &bins, .dim = bins * B_DIM, .rough = 1, .why = nothing};
    s = hone__boot_sums(&stat, t, g.groups, boot, used, out);
    if (s >= 0 && !out->why && !out->note && used < bins * 50)
        out->note = "few items a bin: the error is too large by chance";
done:
    hone_free(use);
    hone_free(t);
    hone__groups_release(&g);
    return s;
}

/* ---- isotonic regression ---- */

typedef struct block {
    double x, y, n; /* x: of its last row while merging; means of y */
    double first;   /* x of its first row */
} block;

static int by_x(const void *a, const void *b)
{
    double x = ((const block *)a)->x, y = ((const block *)b)->x;
    return x < y ? -1 : x > y;
}

hone_status hone_isotonic_fit(const double *x, const double *y, size_t n, hone_isotonic *out)
{
    block *b = hone_alloc(n * sizeof *b);
    size_t used = 0, k = 0, knots = 0;
    hone_isotonic m = {NULL, NULL, 0};
    hone_status s = HONE_E_NOMEM;
    if (!b)
        return s;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            b[used++] = (block){x[i], y[i], 1, x[i]};
    if (used)
        qsort(b, used, sizeof *b, by_x);
    for (size_t i = 0, j; i < used; i = j) { /* equal x: one block */
        block one = {b[i].x, 0, 0, b[i].x};
        for (j = i; j < used && b[j].x == b[i].x; j++) {
            one.n++;
            one.y = one.y * ((one.n - 1) / one.n) +
                    b[j].y / one.n; /* no difference: it may overflow */
        }
        b[k++] = one;
        while (k > 1 &&
               b[k - 2].y >= b[k - 1].y) { /* a violator is pooled with what is before it */
            double all = b[k - 2].n + b[k - 1].n;
            b[k - 2].y = b[k - 2].y * (b[k - 2].n / all) + b[k - 1].y * (b[k - 1].n / all);
            b[k - 2].n = all;
            b[k - 2].x = b[k - 1].x;
            k--;
        }
    }
    for (size_t i = 0; i < k; i++)
        knots += b[i].first < b[i].x ? 2 : 1;
    m.x = hone_alloc(knots * sizeof *m.x);
    m.y = hone_alloc(knots * sizeof *m.y);
    if (!m.x || !m.y) {
        hone_isotonic_release(&m);
        goto done;
    }
    for (size_t i = 0; i < k; i++) {
        m.x[m.n] = b[i].first;
        m.y[m.n++] = b[i].y;
        if (b[i].first < b[i].x) {
            m.x[m.n] = b[i].x;
            m.y[m.n++] = b[i].y;
        }
    }
    s = HONE_OK;
    *out = m;
done:
    hone_free(b);
    return s;
}

void hone_isotonic_release(hone_isotonic *m)
{
    hone_free(m->x);
    hone_free(m->y);
    *m = (hone_isotonic){NULL, NULL, 0};
}

double hone_isotonic_at(const hone_isotonic *m, double x)
{
    size_t lo = 0, hi = m->n;
    if (m->n == 0)
        return 0;
    if (!(x > m->x[0])) /* NaN too */
        return m->y[0];
    if (x >= m->x[m->n - 1])
        return m->y[m->n - 1];
    while (hi - lo > 1) { /* x[lo] < x <= x[hi] stays true of the ends */
        size_t mid = (lo + hi) / 2;
        if (m->x[mid] < x)
            lo = mid;
        else
            hi = mid;
    }
    double t = (x / 2 - m->x[lo] / 2) / (m->x[hi] / 2 - m->x[lo] / 2);
    t = t >= 0 && t <= 1 ? t : 1; /* knots too near one another to be halved */
    return m->y[lo] * (1 - t) + m->y[hi] * t;
}
