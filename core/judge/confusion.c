/* confusion.c - tables, sensitivity, specificity, precision, the best threshold; see confusion.h. */
#include "judge/confusion.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The nearest of ascending levels, half-way as the lower. */
static size_t nearest(const double *levels, size_t q, double x)
{
    size_t lo = 0, hi = q;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (levels[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == q)
        return q - 1;
    return lo > 0 && x - levels[lo - 1] <= levels[lo] - x ? lo - 1 : lo;
}

size_t hone_confusion_table(const double *judge, const double *expert, size_t n,
                            const double *levels, size_t q, uint64_t *counts)
{
    size_t used = 0;
    memset(counts, 0, q * q * sizeof *counts);
    for (size_t i = 0; q && i < n; i++) {
        if (isnan(judge[i]) || isnan(expert[i]))
            continue;
        counts[nearest(levels, q, expert[i]) * q + nearest(levels, q, judge[i])]++;
        used++;
    }
    return used;
}

size_t hone_confusion_histogram(const double *x, size_t n, const double *levels, size_t q,
                                uint64_t *counts)
{
    size_t used = 0;
    memset(counts, 0, q * sizeof *counts);
    for (size_t i = 0; q && i < n; i++) {
        if (isnan(x[i]))
            continue;
        counts[nearest(levels, q, x[i])]++;
        used++;
    }
    return used;
}

hone_status hone_confusion_binary(const double *judge, const double *expert, size_t n,
                                  double judge_at, double expert_at, const hone_boot *boot,
                                  hone_confusion *out)
{
    const double missing = (double)NAN;
    hone_confusion c = {.tp = 0};
    double *x = hone_alloc(n * sizeof *x);
    hone_status s = HONE_E_NOMEM;
    if (!x)
        return s;
    if (isnan(judge_at) || isnan(expert_at)) {
        s = hone_fail(HONE_E_INVALID, "statistics: a threshold is no number");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (isnan(judge[i]) || isnan(expert[i]))
            continue;
        int says = judge[i] >= judge_at, is = expert[i] >= expert_at;
        c.tp += says && is;
        c.fp += says && !is;
        c.tn += !says && !is;
        c.fn += !says && is;
    }
    static const char *const why[4] = {"experts call nothing positive",
                                       "experts call nothing negative",
                                       "the judge calls nothing positive", "no item has both"};
    hone_figure *out_of[4] = {&c.tpr, &c.tnr, &c.precision, &c.accuracy};
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < n; i++) {
            int says = judge[i] >= judge_at, is = expert[i] >= expert_at;
            int counts = !isnan(judge[i]) && !isnan(expert[i]) &&
                         (k == 0   ? is
                          : k == 1 ? !is
                          : k == 2 ? says
                                   : 1);
            x[i] = counts ? (says == is ? 1 : 0) : missing;
        }
        HONE_TRY_GOTO(hone_interval_share(x, n, boot, out_of[k]), done);
        if (out_of[k]->why)
            out_of[k]->why = why[k];
    }
    s = HONE_OK;
    *out = c;
done:
    hone_free(x);
    return s;
}

typedef struct pair {
    double score;
    int yes;
} pair;

static int by_score(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : 0; /* descending */
}

hone_status hone_confusion_threshold(const double *judge, const double *expert, size_t n,
                                     double expert_at, double *threshold, const char **why)
{
    pair *p = hone_alloc(n * sizeof *p);
    size_t used = 0;
    double yes = 0, no = 0, hit = 0, wrong = 0, best = -1, at = 0;
    if (!p)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (isnan(judge[i]) || isnan(expert[i]) || isinf(judge[i]))
            continue;
        p[used] = (pair){judge[i], expert[i] >= expert_at};
        yes += p[used].yes;
        no += !p[used].yes;
        used++;
    }
    *why = used == 0  ? "no item has both a verdict and a label"
           : yes == 0 ? "experts call nothing positive"
           : no == 0  ? "experts call nothing negative"
                      : NULL;
    if (used)
        qsort(p, used, sizeof *p, by_score);
    for (size_t i = 0; !*why && i < used; i++) {
        hit += p[i].yes;
        wrong += !p[i].yes;
        if (i + 1 < used && p[i + 1].score == p[i].score)
            continue;
        double youden = hit / yes - wrong / no;
        if (youden > best + 1e-12) {
            best = youden;
            at = p[i].score;
        }
    }
    if (!*why)
        *threshold = at;
    hone_free(p);
    return HONE_OK;
}
