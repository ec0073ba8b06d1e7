/* alt_test.c - the alternative-annotator test; see alt_test.h. */
#include "judge/alt_test.h"

#include "base/alloc.h"
#include "judge/boot.h"
#include "judge/dist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How well v stands for the others of the row: share that say the same, or minus the mean square. */
static double fit(const double *row, size_t raters, size_t judge, size_t left, double v,
                  int distance)
{
    double n = 0, sum = 0;
    for (size_t k = 0; k < raters; k++) {
        if (k == judge || k == left || isnan(row[k]))
            continue;
        double off = row[k] - v;
        n++;
        sum += distance ? -off * off : off == 0;
    }
    return n > 0 ? sum / n : (double)NAN;
}

/* One expert left out: d = (expert as good) - (judge as good) on each item; the p-value of "the judge
 * is worse by epsilon or more". */
static hone_status test_one(const hone_ratings *r, size_t judge, size_t left, int distance,
                            double epsilon, const hone_boot *boot, double *d, uint8_t *use,
                            double *p, double *advantage, size_t *items)
{
    hone__groups g = {NULL, 0, 0, 0};
    double mean = 0, wins = 0, n = 0, *u = NULL;
    hone_status s = HONE_OK;
    for (size_t i = 0; i < r->items; i++) {
        const double *row = r->x + i * r->raters;
        double a = isnan(row[judge]) ? row[judge]
                                     : fit(row, r->raters, judge, left, row[judge], distance);
        double b = isnan(row[left]) ? row[left]
                                    : fit(row, r->raters, judge, left, row[left], distance);
        use[i] = !isnan(a) && !isnan(b);
        if (!use[i])
            continue;
        d[i] = (b >= a) - (double)(a >= b);
        n++;
        mean += (d[i] - mean) / n;
        wins += a >= b;
    }
    *items = (size_t)n;
    *advantage = n > 0 ? wins / n : 0;
    *p = 1;
    if (n < HONE_ALT_MIN_ITEMS)
        return HONE_OK;
    HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, use, r->items, UINT32_MAX - 1, &g),
                  done);
    u = hone_calloc(g.groups, sizeof *u);
    if (!u) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < r->items; i++)
        if (use[i])
            u[g.of[i]] += (d[i] - mean) / n;
    double se = sqrt(hone__boot_variance(u, g.groups));
    if (g.groups >= HONE_BOOT_MIN_CLUSTERS)
        *p = se > 1e-15 ? hone_dist_t((mean - epsilon) / se, (double)(g.groups - 1))
                        : (mean < epsilon ? 0 : 1);
done:
    hone_free(u);
    hone__groups_release(&g);
    return s;
}

typedef struct ordered {
    double p;
    size_t at;
} ordered;

static int by_p(const void *a, const void *b)
{
    const ordered *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

hone_status hone_alt_test_adjust(const double *p, size_t n, double q, uint8_t *reject)
{
    ordered *o = hone_alloc(n * sizeof *o);
    double harmonic = 0;
    size_t last = 0;
    if (!o)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        o[i] = (ordered){isnan(p[i]) ? 1 : p[i], i};
        harmonic += 1 / (double)(i + 1);
        reject[i] = 0;
    }
    if (n)
        qsort(o, n, sizeof *o, by_p);
    for (size_t k = 0; k < n; k++)
        if (o[k].p <= (double)(k + 1) * q / ((double)n * harmonic))
            last = k + 1;
    for (size_t k = 0; k < last; k++)
        reject[o[k].at] = 1;
    hone_free(o);
    return HONE_OK;
}

hone_status hone_alt_test_run(const hone_ratings *r, size_t judge, int distance, double epsilon,
                              double q, const hone_boot *boot, double *p, hone_alt_test *out)
{
    double *d = hone_alloc(r->items * sizeof *d), *tested = hone_alloc(r->raters * sizeof *tested);
    uint8_t *use = hone_calloc(r->items, 1), *reject = hone_calloc(r->raters, 1);
    hone_alt_test t = {.epsilon = epsilon > 0 ? epsilon : .2};
    hone_status s = HONE_E_NOMEM;
    if (!d || !tested || !use || !reject)
        goto done;
    if (judge >= r->raters) {
        s = hone_fail(HONE_E_INVALID, "statistics: there is no column %zu", judge);
        goto done;
    }
    for (size_t i = 0; i < r->items; i++) {
        size_t experts = 0;
        for (size_t k = 0; k < r->raters; k++) {
            double v = r->x[i * r->raters + k];
            experts += k != judge && !isnan(v);
            if (isinf(v))
                t.why = "a rating is infinite";
        }
        t.items += experts >= 2 && !isnan(r->x[i * r->raters + judge]);
    }
    s = HONE_OK;
    for (size_t k = 0; k < r->raters; k++) {
        double one = 1, advantage;
        size_t items = 0;
        if (k != judge && !t.why)
            HONE_TRY_GOTO(
                test_one(r, judge, k, distance, t.epsilon, boot, d, use, &one, &advantage, &items),
                done);
        if (p)
            p[k] = one;
        if (items >= HONE_ALT_MIN_ITEMS) {
            tested[t.experts++] = one;
            t.advantage += (advantage - t.advantage) / (double)t.experts;
        }
    }
    if (!t.why && t.experts < HONE_ALT_MIN_EXPERTS)
        t.why = r->raters < HONE_ALT_MIN_EXPERTS + 1
                    ? "fewer than three experts"
                    : "fewer than three experts share 30 items with another expert";
    if (!t.why) {
        HONE_TRY_GOTO(hone_alt_test_adjust(tested, t.experts, q > 0 && q < 1 ? q : .05, reject),
                      done);
        for (size_t k = 0; k < t.experts; k++)
            t.beaten += reject[k];
        t.winning_rate = (double)t.beaten / (double)t.experts;
        t.passed = t.winning_rate >= .5;
    }
    *out = t;
done:
    hone_free(d);
    hone_free(tested);
    hone_free(use);
    hone_free(reject);
    return s;
}
