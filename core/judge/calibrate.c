/* calibrate.c - see calibrate.h: from the joined rows to arrays, and the statistics asked of them. */
#include "judge/calibrate.h"

#include "base/alloc.h"
#include "judge/calibrate_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RATERS = 32, MOST_DISTINCT = 20 };

/* ---- notes ------------------------------------------------------------------------------------------------ */

hone_status hone__calib_note(hone_calibration *c, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    if (c->n_notes == HONE_CALIB_NOTES)
        return HONE_OK;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->notes[c->n_notes] = hone_arena_strndup(&c->arena, text, strlen(text));
    if (!c->notes[c->n_notes])
        return HONE_E_NOMEM;
    c->n_notes++;
    return HONE_OK;
}

/* ---- the scale -------------------------------------------------------------------------------------------- */

static int ascending(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

/* Distinct values of the ratings, at most MOST_DISTINCT + 1 of them, sorted. */
static size_t distinct(const hone_joined *j, double *out)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n_ratings && n <= MOST_DISTINCT; i++) {
        double v = j->ratings[i].value;
        size_t k = 0;
        while (k < n && out[k] != v)
            k++;
        if (k == n)
            out[n++] = v;
    }
    qsort(out, n, sizeof *out, ascending);
    return n;
}

static int whole(const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] != floor(v[i]) || fabs(v[i]) > 1e6)
            return 0;
    return 1;
}

/* The levels: as given; those of the labels, whole numbers without gaps and as far as the judge's go. */
static hone_status set_levels(const hone_joined *j, const hone_calib_opts *o, hone__calib *d)
{
    hone_calibration *c = d->c;
    double v[MOST_DISTINCT + 1];
    if (o->n_levels > HONE_CALIB_LEVELS || (o->levels && o->n_levels < 2))
        return hone_fail(HONE_E_INVALID, "levels: a scale has 2 to %d levels", HONE_CALIB_LEVELS);
    for (size_t i = 0; o->levels && i < o->n_levels; i++) {
        if (!isfinite(o->levels[i]) || (i && o->levels[i] <= o->levels[i - 1]))
            return hone_fail(HONE_E_INVALID, "levels: they are finite and ascending");
        c->levels[i] = o->levels[i];
    }
    c->n_levels = o->levels ? o->n_levels : 0;
    if (j->shape == HONE_SHAPE_PAIRWISE && !c->n_levels) {
        for (int i = 0; i < 3; i++)
            c->levels[i] = i - 1;
        c->n_levels = 3;
    }
    size_t n = distinct(j, v);
    d->lo = c->n_levels ? c->levels[0] : n ? v[0] : 0;
    d->hi = c->n_levels ? c->levels[c->n_levels - 1] : n ? v[n - 1] : 1;
    if (c->n_levels)
        return HONE_OK;
    if (n > MOST_DISTINCT || n == 0) {
        for (size_t i = 0; i < j->n_ratings; i++) {
            double r = j->ratings[i].value;
            d->lo = r < d->lo ? r : d->lo;
            d->hi = r > d->hi ? r : d->hi;
        }
        return hone__calib_note(
            c,
            "The labels have more than %d different values, so they are taken as a "
            "continuous scale: kappa, AC2 and the confusion matrix are left out "
            "(levels=1,2,3,... names a scale).",
            MOST_DISTINCT);
    }
    if (whole(v, n) && d->hi - d->lo < HONE_CALIB_LEVELS) {
        double lo = d->lo, hi = d->hi;
        for (size_t i = 0; i < j->n && !o->has_scale; i++) {
            double s = hone_joined_score(&j->items[j->order[i]]);
            if (isfinite(s) && round(s) < lo)
                lo = round(s);
            if (isfinite(s) && round(s) > hi)
                hi = round(s);
        }
        if (hi - lo < HONE_CALIB_LEVELS) {
            d->lo = lo;
            d->hi = hi;
        }
        for (double x = d->lo; x <= d->hi; x++)
            c->levels[c->n_levels++] = x;
        return HONE_OK;
    }
    memcpy(c->levels, v, n * sizeof *v);
    c->n_levels = n;
    return HONE_OK;
}

/* Rubrics of criteria score 0..1 whatever the experts' scale is: fractions there beside labels above 1 are brought to it. */
static hone_status find_scale(hone__calib *d, hone_calib_opts *o)
{
    const hone_joined *j = d->j;
    double most = 0;
    int fractions = 0;
    if (o->has_scale || j->shape == HONE_SHAPE_PAIRWISE)
        return HONE_OK;
    for (size_t i = 0; i < j->n_ratings; i++)
        most = j->ratings[i].value > most ? j->ratings[i].value : most;
    for (size_t i = 0; i < j->n + j->n_more; i++) {
        const double s = hone_joined_score(&j->items[j->order[i]]);
        if (s < 0 || s > 1)
            return HONE_OK;
        fractions |= s > 0 && s < 1;
    }
    if (!fractions || most <= 1)
        return HONE_OK;
    o->has_scale = 1;
    o->scale_hi = 1;
    return hone__calib_note(
        d->c,
        "The judge scores from 0 to 1 and the experts up to %g: its scores were "
        "brought to the experts' scale (--judge-scale says otherwise).",
        most);
}

static void set_threshold(const hone_calib_opts *o, hone__calib *d)
{
    hone_calibration *c = d->c;
    size_t q = c->n_levels;
    size_t up = (q + 1) / 2; /* the first level of the upper half; of five the fourth */
    c->threshold = o->has_threshold ? o->threshold
                   : q < 2          ? (d->lo + d->hi) / 2
                                    : (c->levels[up - 1] + c->levels[up]) / 2;
}

/* ---- arrays ----------------------------------------------------------------------------------------------- */

static double judged(const hone__calib *d, const hone_joined_item *it)
{
    double s = hone_joined_score(it);
    if (isnan(s))
        return s;
    if (d->o->has_scale)
        s = d->lo + (s - d->o->scale_lo) / (d->o->scale_hi - d->o->scale_lo) * (d->hi - d->lo);
    if (d->j->shape == HONE_SHAPE_PAIRWISE && fabs(s) <= d->o->tie)
        s = 0;
    return isfinite(s) ? s : (double)NAN;
}

double hone__calib_side(const hone__calib *d, double score)
{
    if (d->j->shape != HONE_SHAPE_PAIRWISE || isnan(score))
        return score;
    return score > 0 ? 1 : score < 0 ? -1 : 0;
}

static int by_value(const void *pa, const void *pb)
{
    return ascending(pa, pb);
}

/* The consensus of m ratings, sorted: majority of pairs' choices, the middle one of levels. */
static double consensus(int shape, double *v, size_t m)
{
    size_t best = 0, most = 0, twice = 0;
    if (!m)
        return (double)NAN;
    qsort(v, m, sizeof *v, by_value);
    if (shape != HONE_SHAPE_PAIRWISE)
        return m % 2 ? v[m / 2] : (v[m / 2 - 1] + v[m / 2]) / 2;
    for (size_t i = 0, k; i < m; i = k) {
        for (k = i; k < m && v[k] == v[i]; k++)
            ;
        if (k - i > most) {
            most = k - i;
            best = i;
            twice = 0;
        } else if (k - i == most) {
            twice = 1;
        }
    }
    return twice ? 0 : v[best];
}

/* Ratings of the experts beside the judge's score; many experts are packed into as many columns as an item has. */
static hone_status fill(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    size_t widest = 0, m;
    double *v = hone_alloc((j->n_experts + 1) * sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < j->n; i++) {
        m = j->begin[i + 1] - j->begin[i];
        widest = m > widest ? m : widest;
    }
    d->packed = j->n_experts > MOST_RATERS;
    d->raters = !d->packed ? j->n_experts : widest < MOST_RATERS ? widest : MOST_RATERS;
    d->x = hone_calloc(d->n * (d->raters + 1) + 1, sizeof *d->x);
    if (!d->x) {
        hone_free(v);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < d->n; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        double *row = &d->x[i * (d->raters + 1)], sum = 0, yes = 0;
        size_t put = 0;
        for (size_t e = 0; e < d->raters + 1; e++)
            row[e] = (double)NAN;
        m = 0;
        for (size_t k = j->begin[i]; k < j->begin[i + 1]; k++) {
            const double r = j->ratings[k].value;
            if (!d->packed)
                row[j->ratings[k].expert] = r;
            else if (put < d->raters)
                row[put++] = r;
            v[m++] = r;
            sum += r;
            yes += r >= c->threshold;
        }
        d->judge[i] = judged(d, it);
        row[d->raters] = hone__calib_side(d, d->judge[i]);
        d->side[i] = row[d->raters];
        d->mean[i] = m ? sum / (double)m : (double)NAN;
        d->level[i] = consensus(j->shape, v, m);
        d->yes[i] = !m ? (double)NAN : 2 * yes == (double)m ? (double)NAN : 2 * yes > (double)m;
        if (it->has_settled) {
            d->mean[i] = d->level[i] = it->settled;
            d->yes[i] = it->settled >= c->threshold;
            c->settled++;
        }
        d->cluster[i] = it->cluster;
        c->divided += m && isnan(d->yes[i]);
        c->positives += d->yes[i] == 1;
        c->negatives += d->yes[i] == 0;
        c->judged += !isnan(d->judge[i]);
    }
    for (size_t i = 0; i < d->n_more; i++) {
        const hone_joined_item *it = &j->items[j->order[d->n + i]];
        d->more[i] = judged(d, it);
        d->cluster_more[i] = it->cluster;
    }
    hone_free(v);
    return HONE_OK;
}

static hone_status alloc_arrays(hone__calib *d)
{
    size_t n = d->n + 1, m = d->n_more + 1;
    d->judge = hone_calloc(n, sizeof *d->judge);
    d->side = hone_calloc(n, sizeof *d->side);
    d->mean = hone_calloc(n, sizeof *d->mean);
    d->level = hone_calloc(n, sizeof *d->level);
    d->yes = hone_calloc(n, sizeof *d->yes);
    d->work = hone_calloc(n, sizeof *d->work);
    d->work2 = hone_calloc(n, sizeof *d->work2);
    d->cluster = hone_calloc(n, sizeof *d->cluster);
    d->more = hone_calloc(m, sizeof *d->more);
    d->cluster_more = hone_calloc(m, sizeof *d->cluster_more);
    return d->judge && d->side && d->mean && d->level && d->yes && d->work && d->work2 &&
                   d->cluster && d->more && d->cluster_more
               ? HONE_OK
               : HONE_E_NOMEM;
}

static void free_arrays(hone__calib *d)
{
    hone_free(d->x);
    hone_free(d->judge);
    hone_free(d->side);
    hone_free(d->mean);
    hone_free(d->level);
    hone_free(d->yes);
    hone_free(d->work);
    hone_free(d->work2);
    hone_free(d->cluster);
    hone_free(d->more);
    hone_free(d->cluster_more);
}

/* ---- agreement -------------------------------------------------------------------------------------------- */

static const char no_levels[] = "the labels are no levels, but a continuous scale";

/* A measure over levels, or the reason that there are none. */
static hone_status leveled(const hone__calib *d, int what, hone_agree_kind kind, hone_figure *out)
{
    const hone_calibration *c = d->c;
    hone_ratings r = {.x = d->x,
                      .items = d->n,
                      .raters = d->raters + 1,
                      .levels = c->n_levels ? c->levels : NULL,
                      .n_levels = c->n_levels};
    int needs = kind != HONE_AGREE_ALPHA_INTERVAL && kind != HONE_AGREE_ICC2;
    if (needs && !c->n_levels) {
        *out = hone_figure_none(d->n, no_levels);
        return HONE_OK;
    }
    if (what == HONE__WITH)
        return hone_agree_with(&r, d->raters, kind, &d->boot, out);
    if (what == HONE__DIFFERENCE)
        return hone_agree_difference(&r, d->raters, kind, &d->boot, out);
    /* the experts alone: the same rows without the last column */
    hone_status s = HONE_OK;
    double *x = hone_calloc(d->n * d->raters + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < d->n; i++)
        memcpy(&x[i * d->raters], &d->x[i * (d->raters + 1)], d->raters * sizeof *x);
    r.x = x;
    r.raters = d->raters;
    if (d->raters < 2)
        *out = hone_figure_none(d->n, "one expert only: there is nobody to agree with");
    else
        s = hone_agree_all(&r, kind, &d->boot, out);
    hone_free(x);
    return s;
}

static hone_status agreement(hone__calib *d)
{
    hone_calibration *c = d->c;
    const hone_agree_kind alpha = c->n_levels ? HONE_AGREE_ALPHA_ORDINAL
                                              : HONE_AGREE_ALPHA_INTERVAL;
    HONE_TRY(leveled(d, HONE__ALL, HONE_AGREE_KAPPA_QUADRATIC, &c->ceiling_kappa_w));
    HONE_TRY(leveled(d, HONE__ALL, HONE_AGREE_AC2_QUADRATIC, &c->ceiling_ac2));
    HONE_TRY(leveled(d, HONE__ALL, alpha, &c->ceiling_alpha));
    HONE_TRY(leveled(d, HONE__ALL, HONE_AGREE_ACCURACY, &c->ceiling_accuracy));
    HONE_TRY(leveled(d, HONE__ALL, HONE_AGREE_ICC2, &c->ceiling_icc2));
    HONE_TRY(leveled(d, HONE__WITH, HONE_AGREE_KAPPA_QUADRATIC, &c->kappa_w));
    HONE_TRY(leveled(d, HONE__WITH, HONE_AGREE_KAPPA, &c->kappa));
    HONE_TRY(leveled(d, HONE__WITH, HONE_AGREE_AC2_QUADRATIC, &c->ac2));
    HONE_TRY(leveled(d, HONE__WITH, alpha, &c->alpha));
    HONE_TRY(leveled(d, HONE__WITH, HONE_AGREE_ACCURACY, &c->accuracy));
    HONE_TRY(leveled(d, HONE__WITH, HONE_AGREE_ICC2, &c->icc2));
    HONE_TRY(leveled(d, HONE__DIFFERENCE, HONE_AGREE_KAPPA_QUADRATIC, &c->difference_kappa_w));
    HONE_TRY(leveled(d, HONE__DIFFERENCE, HONE_AGREE_AC2_QUADRATIC, &c->difference_ac2));
    HONE_TRY(hone_rank_tau_b(d->judge, d->mean, d->n, &d->boot, &c->tau_b));
    HONE_TRY(hone_rank_spearman(d->judge, d->mean, d->n, &d->boot, &c->spearman));
    HONE_TRY(hone_rank_pearson(d->judge, d->mean, d->n, &d->boot, &c->pearson));
    return HONE_OK;
}

static hone_status alternative(hone__calib *d)
{
    hone_calibration *c = d->c;
    hone_ratings r = {.x = d->x,
                      .items = d->n,
                      .raters = d->raters + 1,
                      .levels = c->n_levels ? c->levels : NULL,
                      .n_levels = c->n_levels};
    if (d->packed) {
        c->alt_test = (hone_alt_test){.why = "the labels are of more than 32 experts"};
        return HONE_OK;
    }
    return hone_alt_test_run(&r, d->raters, c->n_levels > 2 && d->j->shape != HONE_SHAPE_PAIRWISE,
                             d->o->epsilon, 0, &d->boot, NULL, &c->alt_test);
}

/* Pairs: of two completions of one prompt (pointwise), or the item itself. */
static hone_status pairs(hone__calib *d)
{
    hone_calibration *c = d->c;
    if (d->j->shape == HONE_SHAPE_POINTWISE) {
        HONE_TRY(hone_rank_pairwise(d->judge, d->mean, d->cluster, d->n, 0, HONE_RANK_TIES_HALF,
                                    &d->boot, &c->pairwise_accuracy));
        return hone_rank_pairwise(d->judge, d->mean, d->cluster, d->n, 0, HONE_RANK_TIES_BOTH,
                                  &d->boot, &c->pairwise_ties);
    }
    for (size_t i = 0; i < d->n; i++) {
        double side = d->side[i], truth = d->level[i];
        d->work[i] = isnan(side) || truth == 0 ? (double)NAN
                     : side == 0               ? 0.5
                                               : (double)((side > 0) == (truth > 0));
        d->work2[i] = isnan(side) ? (double)NAN : (double)(side == truth);
    }
    HONE_TRY(hone_interval_mean(d->work, d->n, &d->boot, &c->pairwise_accuracy));
    return hone_interval_mean(d->work2, d->n, &d->boot, &c->pairwise_ties);
}

static hone_status confusion(hone__calib *d)
{
    hone_calibration *c = d->c;
    hone_confusion b;
    for (size_t i = 0; i < d->n; i++)
        d->work[i] = isnan(d->yes[i]) ? (double)NAN : d->side[i];
    if (c->n_levels)
        hone_confusion_table(d->side, d->level, d->n, c->levels, c->n_levels, c->counts);
    HONE_TRY(hone_confusion_binary(d->work, d->yes, d->n, c->threshold, 0.5, &d->boot, &b));
    c->tpr = b.tpr;
    c->tnr = b.tnr;
    c->precision = b.precision;
    return HONE_OK;
}

/* ---- calibration, prevalence ------------------------------------------------------------------------------ */

static double unit(const hone__calib *d, double v)
{
    double u = d->hi > d->lo ? (v - d->lo) / (d->hi - d->lo) : (double)NAN;
    return u < 0 ? 0 : u > 1 ? 1 : u;
}

static hone_status curve(hone__calib *d)
{
    hone_calibration *c = d->c;
    for (size_t i = 0; i < d->n; i++) {
        d->work[i] = unit(d, d->judge[i]);
        d->work2[i] = unit(d, d->mean[i]);
    }
    HONE_TRY(hone_curve_ece(d->work, d->work2, d->n, 0, &d->boot, &c->ece));
    HONE_TRY(hone_curve_brier(d->work, d->work2, d->n, &d->boot, &c->brier));
    return hone_isotonic_fit(d->judge, d->mean, d->n, &c->isotonic);
}

static hone_status prevalence(hone__calib *d)
{
    hone_calibration *c = d->c;
    double *all = hone_calloc(d->n + d->n_more + 1, sizeof *all);
    uint64_t *cluster = hone_calloc(d->n + d->n_more + 1, sizeof *cluster);
    double *more = hone_calloc(d->n_more + 1, sizeof *more);
    hone_status s = all && cluster && more ? HONE_OK : HONE_E_NOMEM;
    hone_boot boot = d->boot;
    for (size_t i = 0; s >= 0 && i < d->n; i++) {
        d->work[i] = isnan(d->side[i]) ? (double)NAN : (double)(d->side[i] >= c->threshold);
        all[i] = d->work[i];
        cluster[i] = d->cluster[i];
    }
    for (size_t i = 0; s >= 0 && i < d->n_more; i++) {
        double side = hone__calib_side(d, d->more[i]);
        more[i] = isnan(side) ? (double)NAN : (double)(side >= c->threshold);
        all[d->n + i] = more[i];
        cluster[d->n + i] = d->cluster_more[i];
    }
    boot.cluster = cluster;
    if (s >= 0)
        s = hone_interval_share(all, d->n + d->n_more, &boot, &c->prevalence_raw);
    if (s >= 0)
        s = hone_prevalence_estimate(d->work, d->yes, d->n, more, d->n_more, d->cluster_more,
                                     &d->boot, &c->prevalence);
    if (s >= 0)
        s = hone_ppi_mean(d->mean, d->judge, d->n, d->more, d->n_more, d->cluster_more, &d->boot,
                          &c->ppi_mean, &c->lambda);
    hone_free(all);
    hone_free(cluster);
    hone_free(more);
    return s;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static hone_status intra(hone__calib *d)
{
    hone_calibration *c = d->c;
    const hone_joined *j = d->j;
    double *same = hone_calloc(j->n_again + 1, sizeof *same);
    hone_boot boot = {.replicates = d->boot.replicates, .seed = d->boot.seed};
    if (!same)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < j->n_again; i++)
        same[i] = j->again[i][0] == j->again[i][1];
    c->intra_expert = hone_figure_none(0, "no item was given to the same expert twice");
    hone_status s = j->n_again ? hone_interval_share(same, j->n_again, &boot, &c->intra_expert)
                               : HONE_OK;
    hone_free(same);
    return s;
}

static hone_status measure(hone__calib *d)
{
    HONE_TRY(agreement(d));
    HONE_TRY(alternative(d));
    HONE_TRY(pairs(d));
    HONE_TRY(confusion(d));
    HONE_TRY(curve(d));
    HONE_TRY(prevalence(d));
    HONE_TRY(intra(d));
    HONE_TRY(hone__calib_unparsed(d));
    HONE_TRY(hone__calib_swap(d));
    HONE_TRY(hone__calib_weighted(d));
    HONE_TRY(hone__calib_slices(d));
    if (d->j->lists)
        HONE_TRY(hone__calib_lists(d));
    return hone__calib_notes(d);
}

hone_status hone_calibrate(const hone_joined *j, const hone_calib_opts *o, hone_calibration *out)
{
    hone_status s;
    hone_calib_opts own = *o;
    hone__calib d = {.j = j, .o = &own, .n = j->n, .n_more = j->n_more};
    hone_calibration *c = hone_calloc(1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    d.c = c;
    hone_arena_init(&c->arena, 0);
    c->shape = j->shape;
    c->split = j->opts.split;
    c->items = j->n;
    c->unlabelled = j->n_more;
    c->prompts = j->n_prompts;
    c->experts = j->n_experts;
    c->labels = j->n_ratings;
    c->share = j->share;
    c->related = -1;
    if (o->has_scale && !(o->scale_hi > o->scale_lo && isfinite(o->scale_hi - o->scale_lo))) {
        s = hone_fail(HONE_E_INVALID, "the judge's scale: two ascending numbers");
        goto end;
    }
    HONE_TRY_GOTO(find_scale(&d, &own), end);
    HONE_TRY_GOTO(set_levels(j, &own, &d), end);
    set_threshold(o, &d);
    HONE_TRY_GOTO(alloc_arrays(&d), end);
    d.boot = (hone_boot){.cluster = d.cluster, .replicates = o->replicates, .seed = o->seed};
    HONE_TRY_GOTO(fill(&d), end);
    HONE_TRY_GOTO(measure(&d), end);
    c->scaled = own.has_scale;
    c->scale[0] = own.scale_lo;
    c->scale[1] = own.scale_hi;
    *out = *c;
end:
    free_arrays(&d);
    if (s < 0)
        hone_calibration_release(c);
    hone_free(c);
    return s < 0 ? s : HONE_OK;
}

void hone_calibration_release(hone_calibration *c)
{
    hone_isotonic_release(&c->isotonic);
    hone_arena_release(&c->arena);
    memset(c, 0, sizeof *c);
}
