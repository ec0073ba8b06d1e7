/* calibrate_parts.c - see calibrate.h: failures to parse, swaps, slices, and what is said in words. */
#include "base/alloc.h"
#include "judge/calibrate_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE_ITEMS = 5, SLICE_REPLICATES = 200 };

/* ---- verdicts without a number ---------------------------------------------------------------------------- */

typedef struct judged_row {
    double length, failed, all; /* verdicts without a number; of so many */
    uint64_t cluster;
} judged_row;

typedef struct judged_rows {
    judged_row *rows;
    size_t n;
    double *x, *y; /* scratch (n) */
    uint64_t *cluster;
} judged_rows;

static int by_length(const void *pa, const void *pb)
{
    double a = ((const judged_row *)pa)->length, b = ((const judged_row *)pb)->length;
    return (a > b) - (a < b);
}

/* Replies that gave no number: unparsed, refused, truncated. A deadline or a budget is no reply. */
static double failures(const hone_joined_item *it)
{
    return (double)it->status[HONE_JOINED_UNPARSED] + (double)it->status[HONE_JOINED_REFUSED] +
           (double)it->status[HONE_JOINED_TRUNCATED];
}

/* The rate over the rows [begin, end): a share where each item has one verdict, else failures by verdicts. */
static hone_status rate_of(const hone__calib *d, judged_rows *r, size_t begin, size_t end,
                           hone_figure *out)
{
    const size_t n = end - begin;
    hone_boot boot = d->boot;
    int single = 1;
    boot.cluster = r->cluster;
    for (size_t i = 0; i < n; i++) {
        r->x[i] = r->rows[begin + i].failed;
        r->y[i] = r->rows[begin + i].all;
        r->cluster[i] = r->rows[begin + i].cluster;
        single &= r->y[i] == 1;
    }
    return single ? hone_interval_share(r->x, n, &boot, out)
                  : hone_interval_ratio(r->x, r->y, n, &boot, out);
}

static hone_status by_lengths(hone__calib *d, judged_rows *r)
{
    hone_calibration *c = d->c;
    hone_figure tau;
    size_t known = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].length >= 0)
            r->rows[known++] = r->rows[i];
    if (!known)
        return HONE_OK;
    qsort(r->rows, known, sizeof *r->rows, by_length);
    size_t bins = known < 20 ? 1 : HONE_CALIB_BINS, begin = 0;
    for (size_t b = 0; b < bins && begin < known; b++) {
        size_t end = (b + 1) * known / bins;
        while (end > begin && end < known && r->rows[end].length == r->rows[end - 1].length)
            end++;
        if (end <= begin)
            continue;
        hone_calib_bin *bin = &c->bins[c->n_bins++];
        bin->lo = r->rows[begin].length;
        bin->hi = r->rows[end - 1].length;
        bin->n = end - begin;
        HONE_TRY(rate_of(d, r, begin, end, &bin->rate));
        begin = end;
    }
    for (size_t i = 0; i < known; i++) {
        r->x[i] = r->rows[i].failed / r->rows[i].all;
        r->y[i] = r->rows[i].length;
        r->cluster[i] = r->rows[i].cluster;
    }
    hone_boot boot = d->boot;
    boot.cluster = r->cluster;
    HONE_TRY(hone_rank_tau_b(r->x, r->y, known, &boot, &tau));
    c->related = !hone_figure_has_interval(&tau) ? 0 : tau.lo > 0 || tau.hi < 0;
    return HONE_OK;
}

hone_status hone__calib_unparsed(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    size_t most = 0;
    for (size_t i = 0; i < d->n + d->n_more; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        for (int k = 0; k < HONE_JOINED_STATUSES; k++)
            c->status[k] += it->status[k];
        most += it->in_verdicts;
    }
    judged_rows r = {.rows = hone_calloc(most + 1, sizeof *r.rows),
                     .x = hone_calloc(most + 1, sizeof *r.x),
                     .y = hone_calloc(most + 1, sizeof *r.y),
                     .cluster = hone_calloc(most + 1, sizeof *r.cluster)};
    hone_status s = r.rows && r.x && r.y && r.cluster ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < d->n + d->n_more; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        double failed = failures(it), all = failed + (double)it->status[HONE_JOINED_OK];
        if (all > 0)
            r.rows[r.n++] = (judged_row){(double)it->length, failed, all, it->cluster};
    }
    if (s >= 0)
        s = rate_of(d, &r, 0, r.n, &c->unparsed);
    if (s >= 0)
        s = by_lengths(d, &r);
    hone_free(r.rows);
    hone_free(r.x);
    hone_free(r.y);
    hone_free(r.cluster);
    return s;
}

/* ---- both orders ------------------------------------------------------------------------------------------ */

hone_status hone__calib_swap(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    size_t n = 0;
    if (j->shape != HONE_SHAPE_PAIRWISE) {
        c->swap_inconsistency = hone_figure_none(0, "of pairwise judges only");
        return HONE_OK;
    }
    double *x = hone_calloc(d->n + d->n_more + 1, sizeof *x);
    uint64_t *cluster = hone_calloc(d->n + d->n_more + 1, sizeof *cluster);
    hone_status s = x && cluster ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < d->n + d->n_more; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        if (!it->n_swapped[0] || !it->n_swapped[1])
            continue;
        double a = it->swapped[0] / it->n_swapped[0], b = it->swapped[1] / it->n_swapped[1];
        a = fabs(a) <= d->o->tie ? 0 : a;
        b = fabs(b) <= d->o->tie ? 0 : b;
        x[n] = hone__calib_side(d, a) != hone__calib_side(d, b);
        cluster[n++] = it->cluster;
    }
    hone_boot boot = d->boot;
    boot.cluster = cluster;
    c->swap_inconsistency = hone_figure_none(0, "no pair was judged in both orders");
    if (s >= 0 && n)
        s = hone_interval_share(x, n, &boot, &c->swap_inconsistency);
    hone_free(x);
    hone_free(cluster);
    return s;
}

/* ---- items that were chosen ------------------------------------------------------------------------------- */

static size_t nearest(const hone_calibration *c, double v)
{
    size_t at = 0;
    for (size_t i = 1; i < c->n_levels; i++)
        if (fabs(c->levels[i] - v) < fabs(c->levels[at] - v))
            at = i;
    return at;
}

/* Each item counts one over the probability with which it was chosen (Hajek's ratio), so that items which were looked for,
 * because judges disagree on them, do not stand for all. An item without one counts as chosen for certain. */
hone_status hone__calib_weighted(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    double *weight = hone_calloc(d->n + 1, sizeof *weight);
    if (!weight)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < d->n; i++) {
        const double p = j->items[j->order[i]].probability;
        weight[i] = p > 0 ? 1 / p : 1;
        c->weighted |= p > 0 && p < 1;
        /* the share of the item's experts who say the judge's level */
        double same = 0, n = 0;
        for (size_t e = 0; c->n_levels && e < d->raters; e++) {
            const double r = d->x[i * (d->raters + 1) + e];
            if (isnan(r))
                continue;
            same += nearest(c, r) == nearest(c, d->side[i]);
            n++;
        }
        d->work[i] = n > 0 && !isnan(d->side[i]) ? weight[i] * same / n : (double)NAN;
        d->work2[i] = weight[i] * (d->judge[i] - d->mean[i]);
    }
    hone_status s = HONE_OK;
    if (c->weighted) {
        s = hone_interval_ratio(d->work, weight, d->n, &d->boot, &c->w_accuracy);
        if (s >= 0 && !c->n_levels)
            c->w_accuracy = hone_figure_none(d->n,
                                             "the labels are no levels, but a continuous scale");
        if (s >= 0)
            s = hone_interval_ratio(d->work2, weight, d->n, &d->boot, &c->w_bias);
        for (size_t i = 0; i < d->n; i++) {
            d->work[i] = weight[i] * d->yes[i];
            d->work2[i] = weight[i] * d->mean[i];
        }
        if (s >= 0)
            s = hone_interval_ratio(d->work, weight, d->n, &d->boot, &c->w_good);
        if (s >= 0)
            s = hone_interval_ratio(d->work2, weight, d->n, &d->boot, &c->w_mean);
    }
    hone_free(weight);
    return s;
}

/* ---- slices ----------------------------------------------------------------------------------------------- */

/* The rows with pick[i] != 0: mean of judge minus experts, and weighted kappa. */
static hone_status slice(hone__calib *d, const uint8_t *pick, const char *column, const char *value)
{
    hone_calibration *c = d->c;
    size_t wide = d->raters + 1, n = 0, m = 0;
    for (size_t i = 0; i < d->n; i++)
        n += pick[i];
    if (n < SLICE_ITEMS)
        return HONE_OK;
    if (c->n_slices == HONE_CALIB_SLICES) {
        c->slices_left_out++;
        return HONE_OK;
    }
    double *x = hone_calloc(n * wide + 1, sizeof *x);
    uint64_t *cluster = hone_calloc(n + 1, sizeof *cluster);
    hone_calib_slice *out = &c->slices[c->n_slices];
    hone_status s = x && cluster ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < d->n; i++) {
        if (!pick[i])
            continue;
        memcpy(&x[m * wide], &d->x[i * wide], wide * sizeof *x);
        d->work[m] = d->judge[i];
        d->work2[m] = d->mean[i];
        cluster[m++] = d->cluster[i];
    }
    hone_boot boot = d->boot;
    boot.cluster = cluster;
    if (!boot.replicates || boot.replicates > SLICE_REPLICATES)
        boot.replicates = SLICE_REPLICATES;
    hone_ratings r = {x, n, wide, c->n_levels ? c->levels : NULL, c->n_levels};
    *out = (hone_calib_slice){.column = column, .value = value, .n = n};
    if (s >= 0)
        s = hone_interval_difference(d->work, d->work2, n, &boot, &out->bias);
    if (s >= 0 && c->n_levels)
        s = hone_agree_with(&r, d->raters, HONE_AGREE_KAPPA_QUADRATIC, &boot, &out->agreement);
    else
        out->agreement = hone_figure_none(n, "the labels are no levels, but a continuous scale");
    hone_free(x);
    hone_free(cluster);
    if (s >= 0)
        c->n_slices++;
    return s;
}

static hone_status slices_of_column(hone__calib *d, uint8_t *pick, size_t k)
{
    const hone_joined *j = d->j;
    const hone_joined_column *col = &j->columns[k];
    if (col->many || col->n < 2)
        return HONE_OK;
    for (size_t v = 0; v < col->n; v++) {
        for (size_t i = 0; i < d->n; i++)
            pick[i] = j->items[j->order[i]].slice[k] == v + 1;
        HONE_TRY(slice(d, pick, col->name, col->values[v]));
    }
    return HONE_OK;
}

static int ascending_i64(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

/* Quarters of the length, where lengths are known. */
static hone_status slices_of_length(hone__calib *d, uint8_t *pick)
{
    const hone_joined *j = d->j;
    int64_t *length = hone_calloc(d->n + 1, sizeof *length), from = 0;
    size_t n = 0;
    hone_status s = length ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < d->n; i++)
        if (j->items[j->order[i]].length >= 0)
            length[n++] = j->items[j->order[i]].length;
    if (n)
        qsort(length, n, sizeof *length, ascending_i64);
    for (size_t q = 0; s >= 0 && n >= 4 * SLICE_ITEMS && q < 4; q++) {
        int64_t to = length[(q + 1) * n / 4 - 1];
        char text[64], *name;
        if (q && to < from)
            continue;
        for (size_t i = 0; i < d->n; i++) {
            int64_t l = j->items[j->order[i]].length;
            pick[i] = l >= 0 && l <= to && (q == 0 || l >= from);
        }
        snprintf(text, sizeof text, "%lld to %lld bytes", (long long)(q ? from : length[0]),
                 (long long)to);
        name = hone_arena_strndup(&d->c->arena, text, strlen(text));
        s = name ? slice(d, pick, "length", name) : HONE_E_NOMEM;
        from = to + 1;
    }
    hone_free(length);
    return s;
}

/* One expert against the judge: on what the expert rated, with the others' columns left out. */
static hone_status slices_of_experts(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    hone_status s = HONE_OK;
    if (d->packed || d->raters < 2)
        return HONE_OK;
    double *x = hone_calloc(2 * d->n + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t e = 0; s >= 0 && e < d->raters; e++) {
        size_t n = 0;
        for (size_t i = 0; i < d->n; i++) {
            x[2 * i] = d->x[i * (d->raters + 1) + e];
            x[2 * i + 1] = d->side[i];
            d->work[i] = d->judge[i];
            d->work2[i] = x[2 * i];
            n += !isnan(x[2 * i]) && !isnan(d->judge[i]);
        }
        if (n < SLICE_ITEMS)
            continue;
        if (c->n_slices == HONE_CALIB_SLICES) {
            c->slices_left_out++;
            continue;
        }
        hone_ratings r = {x, d->n, 2, c->n_levels ? c->levels : NULL, c->n_levels};
        hone_calib_slice *out = &c->slices[c->n_slices++];
        *out = (hone_calib_slice){.column = "expert", .value = j->experts[e], .n = n};
        s = hone_interval_difference(d->work, d->work2, d->n, &d->boot, &out->bias);
        out->agreement = hone_figure_none(n, "the labels are no levels, but a continuous scale");
        if (s >= 0 && c->n_levels)
            s = hone_agree_with(&r, 1, HONE_AGREE_KAPPA_QUADRATIC, &d->boot, &out->agreement);
    }
    hone_free(x);
    return s;
}

hone_status hone__calib_slices(hone__calib *d)
{
    hone_status s = hone_interval_difference(d->judge, d->mean, d->n, &d->boot, &d->c->bias);
    uint8_t *pick = hone_calloc(d->n + 1, sizeof *pick);
    if (!pick)
        s = HONE_E_NOMEM;
    if (s >= 0 && d->c->judged)
        s = slices_of_length(d, pick);
    for (size_t k = 0; s >= 0 && d->c->judged && k < d->j->n_columns; k++)
        s = slices_of_column(d, pick, k);
    if (s >= 0 && d->c->judged)
        s = slices_of_experts(d);
    hone_free(pick);
    return s;
}

/* ---- in words --------------------------------------------------------------------------------------------- */

static hone_status odd_note(hone_calibration *c, const hone_joined_odd *odd, const char *what)
{
    if (!odd->n)
        return HONE_OK;
    return hone__calib_note(c, what, odd->n, odd->named[0], odd->n > 1 ? ", ..." : "");
}

/* Where the labels come from and what is missing in them. */
static hone_status notes_on_labels(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    size_t chosen = 0, alone = 0;
    for (size_t i = 0; i < d->n; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        chosen += it->probability > 0 && it->probability < 1;
        alone += !it->named;
    }
    if (j->share < 1)
        HONE_TRY(hone__calib_note(c,
                                  "There are more items than fit: the figures are of a random 1 in "
                                  "%.0f of them (chosen by the "
                                  "hash of the id; at most %zu items).",
                                  1 / j->share, j->opts.max_items));
    if (j->bad)
        HONE_TRY(hone__calib_note(c, "%llu malformed rows were left out; the first: %s",
                                  (unsigned long long)j->bad, j->first_bad));
    if (j->empty)
        HONE_TRY(hone__calib_note(c, "%llu rows of labels have no rating.",
                                  (unsigned long long)j->empty));
    if (c->settled)
        HONE_TRY(hone__calib_note(
            c,
            "On %zu items the truth is what a lead settled, in all figures with the experts' "
            "consensus (ranks, ICC, TPR, TNR, precision, ECE, PPI); agreement of pairs and the "
            "ceiling are of the experts' own labels.",
            c->settled));
    else if (j->settled)
        HONE_TRY(hone__calib_note(c,
                                  "%llu rows are what a lead settled: they are left out "
                                  "(--settled takes them as the truth of their items).",
                                  (unsigned long long)j->settled));
    HONE_TRY(odd_note(c, &j->unknown,
                      "%zu labelled items are not among the judged ones and are left out (%s%s)."));
    HONE_TRY(odd_note(
        c, &j->contradictory,
        "%zu items have contradictory labels of one expert: the later one counts (%s%s)."));
    HONE_TRY(odd_note(c, &j->moved,
                      "%zu prompts have items in several splits, so what was seen in one "
                      "helps in another (%s%s)."));
    if (c->experts == 1)
        HONE_TRY(hone__calib_note(
            c, "One expert: how far experts agree with each other is unknown, so a disagreement "
               "may be the "
               "judge's or the expert's. A second expert on 30 of the items tells."));
    if (alone == d->n)
        HONE_TRY(hone__calib_note(
            c, "No row says its prompt (prompt_id, or items with a prompt): every item "
               "counts as a prompt of its own, so intervals may be too narrow and "
               "nothing is known within a prompt."));
    if (chosen)
        HONE_TRY(hone__calib_note(
            c,
            "%zu of %zu labelled items were chosen with a probability below 1: the figures are of "
            "the items "
            "that were labelled; \"weighted\" has what can be said of all they were chosen from.",
            chosen, d->n));
    return HONE_OK;
}

static hone_status notes_on_classes(hone__calib *d)
{
    hone_calibration *c = d->c;
    if (c->positives + c->negatives && (!c->positives || !c->negatives))
        HONE_TRY(hone__calib_note(c,
                                  "The experts' labels are all on one side of %g (%zu items): %s "
                                  "cannot be told, and agreement "
                                  "corrected for chance means little; raw accuracy still holds. "
                                  "Label items of the other kind.",
                                  c->threshold, c->positives + c->negatives,
                                  c->positives ? "TNR" : "TPR and precision"));
    if (c->shape == HONE_SHAPE_PAIRWISE && c->positives + c->negatives)
        HONE_TRY(
            hone__calib_note(c, "Of pairs, \"good\" means that the first candidate is better."));
    if (c->divided)
        HONE_TRY(
            hone__calib_note(c,
                             "On %zu items the experts are evenly divided at %g: they are left out "
                             "of TPR, TNR and precision.",
                             c->divided, c->threshold));
    if (c->judged && c->labels && c->items < 30)
        HONE_TRY(hone__calib_note(
            c, "%zu labelled items are few: read the intervals, not the values.", c->items));
    return HONE_OK;
}

static hone_status notes_on_judge(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    double lo = INFINITY, hi = -INFINITY;
    uint64_t all = 0;
    for (int k = 0; k < HONE_JOINED_STATUSES; k++)
        all += c->status[k];
    for (size_t i = 0; i < d->n; i++) {
        lo = d->judge[i] < lo ? d->judge[i] : lo;
        hi = d->judge[i] > hi ? d->judge[i] : hi;
    }
    if (!j->rows[HONE_ROWS_VERDICTS])
        return hone__calib_note(
            c, "No verdicts were given: only what the experts say of each other is "
               "known.");
    if (all && !c->status[HONE_JOINED_OK])
        HONE_TRY(
            hone__calib_note(c,
                             "None of %llu verdicts has a number, so nothing can be said of the "
                             "judge's agreement; the experts' ceiling still holds. `hone judge "
                             "render` shows the prompt, the verdicts' \"status\" what failed.",
                             (unsigned long long)all));
    else if (!c->judged)
        HONE_TRY(hone__calib_note(
            c, "No labelled item has a verdict with a number: nothing can be said of "
               "the judge's agreement; the experts' ceiling still holds."));
    if (c->judged > 1 && lo == hi)
        HONE_TRY(
            hone__calib_note(c,
                             "The judge says %g of every labelled item: it tells nothing apart. "
                             "Accuracy is the share of experts who say so too; ranks and chance-"
                             "corrected agreement have no meaning or are 0.",
                             lo));
    if (c->judged && j->shape == HONE_SHAPE_POINTWISE && lo < hi && d->hi > d->lo &&
        ((hi - lo) < 0.4 * (d->hi - d->lo) || lo > d->hi || hi < d->lo ||
         (hi - lo) > 2.5 * (d->hi - d->lo)) &&
        !d->o->has_scale)
        HONE_TRY(
            hone__calib_note(c,
                             "The judge's scores (%.3g to %.3g) may be on another scale than the "
                             "labels (%.3g to %.3g): ranks still hold, kappa and bias do not. "
                             "--judge-scale LO,HI brings them together.",
                             lo, hi, d->lo, d->hi));
    if (j->opts.split == HONE_SPLIT_DEV || j->opts.split == HONE_SPLIT_FEW_SHOT)
        HONE_TRY(hone__calib_note(
            c,
            "These are figures of the %s split, for work on the rubric; the gate takes "
            "those of --split test (or of all).",
            hone_split_name(j->opts.split)));
    if (j->several_specs)
        HONE_TRY(
            hone__calib_note(c, "The verdicts are of several judges (spec): the figures are of the "
                                "mixture."));
    if (j->several_rubrics)
        HONE_TRY(hone__calib_note(c, "The verdicts are by several versions of the rubric."));
    if (c->related == 1)
        HONE_TRY(hone__calib_note(
            c, "Verdicts without a number are related to the completion's length: what "
               "is left over is no plain sample."));
    return HONE_OK;
}

static hone_status notes_on_slices(hone__calib *d)
{
    hone_calibration *c = d->c;
    size_t told = 0;
    for (size_t i = 0; i < c->n_slices && told < 3; i++) {
        const hone_calib_slice *s = &c->slices[i];
        if (!hone_figure_has_interval(&s->bias) || !hone_figure_has_interval(&c->bias) ||
            (s->bias.lo <= c->bias.hi && s->bias.hi >= c->bias.lo))
            continue;
        HONE_TRY(hone__calib_note(c,
                                  "Bias by %.60s: on \"%.80s\" the judge is %+.2f from the experts "
                                  "[%.2f, %.2f], on all items "
                                  "%+.2f.",
                                  s->column, s->value, s->bias.value, s->bias.lo, s->bias.hi,
                                  c->bias.value));
        told++;
    }
    if (c->slices_left_out)
        HONE_TRY(hone__calib_note(c, "%zu more slices were left out.", c->slices_left_out));
    return HONE_OK;
}

size_t hone__calib_more(const hone_calibration *c, const hone_figure *f, double factor)
{
    const size_t more = hone_figure_more(f, factor);
    return c->pairs ? (size_t)ceil((double)more * (double)c->items / (double)c->pairs) : more;
}

/* What the figures of lists are of. */
static hone_status notes_on_lists(hone__calib *d)
{
    hone_calibration *c = d->c;
    if (c->shape != HONE_SHAPE_LISTWISE)
        return HONE_OK;
    HONE_TRY(hone__calib_note(
        c,
        "Lists are compared by the pairs of candidates in them (%zu pairs of %zu lists); -1, 0, 1 "
        "is the second, neither, the first of a pair. Bias, ECE, Brier, isotonic, PPI, ICC, TPR, "
        "TNR, precision and prevalence are left out: a place in a list is no score.",
        c->pairs, c->items));
    if (d->j->rows[HONE_ROWS_VERDICTS] && c->judged && c->order_top.why)
        HONE_TRY(hone__calib_note(c, "Whether the order of showing matters is unknown: hone judge "
                                     "run --orders shows each list in several."));
    return HONE_OK;
}

hone_status hone__calib_notes(hone__calib *d)
{
    hone_calibration *c = d->c;
    HONE_TRY(notes_on_labels(d));
    HONE_TRY(notes_on_classes(d));
    HONE_TRY(notes_on_judge(d));
    HONE_TRY(notes_on_slices(d));
    HONE_TRY(notes_on_lists(d));
    size_t more = hone__calib_more(c, &c->kappa_w, 0.5);
    if (more)
        HONE_TRY(
            hone__calib_note(c,
                             "Label %zu more items to halve the interval of weighted kappa (now "
                             "%.2f wide).",
                             more, c->kappa_w.hi - c->kappa_w.lo));
    return HONE_OK;
}
