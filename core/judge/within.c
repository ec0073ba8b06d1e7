/* within.c - see within.h. */
#include "judge/within.h"

#include "base/alloc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double hone_within_targets[HONE_WITHIN_TARGETS] = {0.5, 0.7, 0.8, 0.9};

typedef struct work {
    const hone_joined *j;
    hone_within *w;
    hone_boot boot;
    double *x; /* (items, repeats), NAN: no verdict */
    uint64_t *group;
    uint32_t *filled; /* verdicts put in a row so far */
    size_t repeats;
} work;

static hone_status note(hone_within *w, const char *fmt, ...) HONE_PRINTF(2, 3);
static hone_status note(hone_within *w, const char *fmt, ...)
{
    char text[500];
    va_list ap;
    if (w->n_notes == HONE_CALIB_NOTES)
        return HONE_OK;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->notes[w->n_notes] = hone_arena_strndup(&w->arena, text, strlen(text));
    if (!w->notes[w->n_notes])
        return HONE_E_NOMEM;
    w->n_notes++;
    return HONE_OK;
}

/* The scores of one criterion (-1: the verdict's own) as rows of repeats. Verdicts beyond the last column are left out. */
static void fill(work *k, int32_t criterion)
{
    const hone_joined *j = k->j;
    for (size_t i = 0; i < j->n_items * k->repeats; i++)
        k->x[i] = (double)NAN;
    memset(k->filled, 0, (j->n_items + 1) * sizeof *k->filled);
    for (size_t i = 0; i < j->n_scores; i++) {
        const hone_joined_score_row *r = &j->scores[i];
        if (r->criterion != criterion || k->filled[r->item] == k->repeats)
            continue;
        k->x[r->item * k->repeats + k->filled[r->item]++] = r->value;
    }
}

static int ascending(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

/* How often each score was given: its values when they are few, else equal parts of the range. */
static void histogram(work *k)
{
    hone_within *w = k->w;
    const hone_joined *j = k->j;
    double lo = INFINITY, hi = -INFINITY;
    int many = 0;
    for (size_t i = 0; i < j->n_scores; i++) {
        const hone_joined_score_row *r = &j->scores[i];
        size_t at = 0;
        if (r->criterion != -1)
            continue;
        lo = r->value < lo ? r->value : lo;
        hi = r->value > hi ? r->value : hi;
        while (!many && at < w->n_levels && w->levels[at] != r->value)
            at++;
        if (many || at < w->n_levels)
            continue;
        if (w->n_levels == HONE_WITHIN_LEVELS)
            many = 1;
        else
            w->levels[w->n_levels++] = r->value;
    }
    if (many) {
        w->n_levels = 11;
        for (size_t i = 0; i < w->n_levels; i++)
            w->levels[i] = lo + (hi - lo) * (double)i / 10;
    }
    qsort(w->levels, w->n_levels, sizeof *w->levels, ascending);
    for (size_t i = 0; w->n_levels && i < j->n_scores; i++)
        if (j->scores[i].criterion == -1) {
            uint64_t one[HONE_WITHIN_LEVELS] = {0};
            hone_confusion_histogram(&j->scores[i].value, 1, w->levels, w->n_levels, one);
            for (size_t q = 0; q < w->n_levels; q++)
                w->counts[q] += one[q];
        }
}

static hone_status contrasts(work *k)
{
    hone_within *w = k->w;
    const hone_joined *j = k->j;
    for (size_t c = 0; c < j->n_criteria; c++) {
        double lo = INFINITY, hi = -INFINITY;
        for (size_t i = 0; i < j->n_scores; i++)
            if (j->scores[i].criterion == (int32_t)c) {
                lo = j->scores[i].value < lo ? j->scores[i].value : lo;
                hi = j->scores[i].value > hi ? j->scores[i].value : hi;
            }
        hone_within_criterion *out = &w->criteria[w->n_criteria++];
        out->id = j->criteria[c];
        if (!(hi > lo)) {
            out->contrast = hone_figure_none(
                0, "it has the same value everywhere: it tells nothing apart");
            HONE_TRY(
                note(w, "The criterion \"%.60s\" has the same value everywhere: it is dead weight.",
                     out->id));
            continue;
        }
        fill(k, (int32_t)c);
        HONE_TRY(hone_reliability_contrast(k->x, j->n_items, k->repeats, k->group, hi - lo,
                                           &k->boot, &out->contrast));
    }
    return HONE_OK;
}

/* The order of completions within a prompt, judge against the experts' mean. */
static hone_status with_experts(work *k)
{
    const hone_joined *j = k->j;
    double *judge, *experts;
    uint64_t *group;
    if (!j->n) {
        k->w->tau = hone_figure_none(0, "no completion has a label");
        return HONE_OK;
    }
    judge = hone_calloc(j->n, sizeof *judge);
    experts = hone_calloc(j->n, sizeof *experts);
    group = hone_calloc(j->n, sizeof *group);
    hone_status s = judge && experts && group ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < j->n; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        double sum = 0;
        size_t n = 0;
        for (size_t r = j->begin[i]; r < j->begin[i + 1]; r++) {
            sum += j->ratings[r].value;
            n++;
        }
        judge[i] = hone_joined_score(it);
        experts[i] = n ? sum / (double)n : (double)NAN;
        group[i] = it->cluster;
    }
    hone_boot boot = k->boot;
    boot.cluster = NULL;
    if (s >= 0)
        s = hone_rank_tau_b_within(judge, experts, group, j->n, &boot, &k->w->tau);
    hone_free(judge);
    hone_free(experts);
    hone_free(group);
    return s;
}

/* Completions with at least one reply without a number: a share of them, so that none at all has an interval too. */
static hone_status unparsed(work *k)
{
    const hone_joined *j = k->j;
    double *x = hone_calloc(j->n_items + 1, sizeof *x);
    uint64_t *cluster = hone_calloc(j->n_items + 1, sizeof *cluster);
    hone_status s = x && cluster ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < j->n_items; i++) {
        const hone_joined_item *it = &j->items[i];
        const uint64_t failed = (uint64_t)it->status[HONE_JOINED_UNPARSED] +
                                (uint64_t)it->status[HONE_JOINED_REFUSED] +
                                (uint64_t)it->status[HONE_JOINED_TRUNCATED];
        x[i] = failed || it->status[HONE_JOINED_OK] ? failed > 0 : (double)NAN;
        cluster[i] = it->cluster;
    }
    hone_boot boot = k->boot;
    boot.cluster = cluster;
    if (s >= 0)
        s = hone_interval_share(x, j->n_items, &boot, &k->w->unparsed);
    hone_free(x);
    hone_free(cluster);
    return s;
}

static hone_status say(work *k)
{
    hone_within *w = k->w;
    const hone_joined *j = k->j;
    size_t alone = 0;
    for (size_t i = 0; i < j->n_items; i++)
        alone += !j->items[i].named;
    if (j->share < 1)
        HONE_TRY(note(
            w,
            "There are more completions than fit: the figures are of a random 1 in %.0f of them.",
            1 / j->share));
    if (j->bad)
        HONE_TRY(note(w, "%llu malformed rows were left out; the first: %s",
                      (unsigned long long)j->bad, j->first_bad ? j->first_bad : "not JSON"));
    if (j->several_policies)
        HONE_TRY(
            note(w, "The completions are of several policies: the figures are of the mixture."));
    if (alone == j->n_items)
        HONE_TRY(note(
            w,
            "No row says its prompt (prompt_id, or --items with a prompt), so there are no groups "
            "to look into."));
    if (k->repeats < 2)
        HONE_TRY(note(w, "Each completion has one verdict: noise of the judge cannot be told from "
                         "differences of "
                         "the completions. Judge them twice (hone judge run --repeats 2)."));
    if (w->r.dropped_groups)
        HONE_TRY(note(w, "%zu prompts have fewer than two scored completions and are left out.",
                      w->r.dropped_groups));
    if (j->n_scores && w->n_levels == 1)
        HONE_TRY(note(w, "The judge gave %g every time: no advantage would ever differ from zero.",
                      w->levels[0]));
    if (j->rows[HONE_ROWS_VERDICTS] && !j->n_scores)
        HONE_TRY(note(w, "None of %llu verdicts has a number.",
                      (unsigned long long)j->rows[HONE_ROWS_VERDICTS]));
    if (hone_figure_has(&w->r.rho) && w->r.rho.value < 0.5) {
        if (w->repeats[0])
            HONE_TRY(note(w, "At %.3g verdicts a completion rho is %.2f; %zu would bring it to .5.",
                          w->r.repeats, w->r.rho.value, w->repeats[0]));
        else
            HONE_TRY(note(
                w,
                "No number of repeats would bring rho to .5: the judge sees no difference between "
                "completions of a prompt. A finer scale or more criteria may."));
    }
    return HONE_OK;
}

static hone_status measure(work *k)
{
    const hone_joined *j = k->j;
    for (size_t i = 0; i < j->n_scores; i++)
        if (j->scores[i].criterion == -1)
            k->filled[j->scores[i].item]++;
    for (size_t i = 0; i < j->n_items; i++)
        k->repeats = k->filled[i] > k->repeats ? k->filled[i] : k->repeats;
    if (k->repeats > HONE_WITHIN_REPEATS)
        k->repeats = HONE_WITHIN_REPEATS;
    k->repeats = k->repeats ? k->repeats : 1;
    k->x = hone_calloc(j->n_items * k->repeats + 1, sizeof *k->x);
    if (!k->x)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < j->n_items; i++)
        k->group[i] = j->items[i].cluster;
    fill(k, -1);
    HONE_TRY(hone_reliability_measure(k->x, j->n_items, k->repeats, k->group, &k->boot, &k->w->r));
    for (size_t t = 0; t < HONE_WITHIN_TARGETS; t++)
        k->w->repeats[t] = hone_reliability_repeats(&k->w->r, hone_within_targets[t]);
    histogram(k);
    HONE_TRY(contrasts(k));
    HONE_TRY(with_experts(k));
    HONE_TRY(unparsed(k));
    return say(k);
}

hone_status hone_within_measure(const hone_joined *j, uint32_t replicates, uint64_t seed,
                                hone_within *out)
{
    hone_within *w = hone_calloc(1, sizeof *w);
    work k = {.j = j, .w = w, .boot = {.replicates = replicates, .seed = seed}};
    hone_status s = HONE_E_NOMEM;
    if (!w)
        return s;
    hone_arena_init(&w->arena, 0);
    k.group = hone_calloc(j->n_items + 1, sizeof *k.group);
    k.filled = hone_calloc(j->n_items + 1, sizeof *k.filled);
    if (k.group && k.filled)
        s = measure(&k);
    hone_free(k.x);
    hone_free(k.group);
    hone_free(k.filled);
    if (s >= 0)
        *out = *w;
    else
        hone_within_release(w);
    hone_free(w);
    return s < 0 ? s : HONE_OK;
}

void hone_within_release(hone_within *w)
{
    hone_arena_release(&w->arena);
    memset(w, 0, sizeof *w);
}

void hone_within_json(const hone_within *w, const hone_joined *j, const char *policy,
                      const hone_calib_about *about, hone_jw *jw)
{
    const hone_reliability *r = &w->r;
    char key[16];
    hone_jw_map(jw);
    hone_jw_kcstr(jw, "kind", "reliability");
    hone__calib_about_json(about, jw);
    hone_jw_kcstr(jw, "policy", policy ? policy : j->several_policies ? NULL : j->policy);
    hone_figure_write_key(jw, "rho", &r->rho);
    hone_jw_kf64(jw, "repeats", r->repeats);
    hone_jw_ki64(jw, "groups", (int64_t)r->groups);
    hone_jw_kf64(jw, "group_size", r->group_size);
    hone_jw_ki64(jw, "completions", (int64_t)r->completions);
    hone_jw_ki64(jw, "scores", (int64_t)r->scores);
    hone_jw_ki64(jw, "dropped_groups", (int64_t)r->dropped_groups);
    hone_figure_write_key(jw, "zero_variance", &r->zero_variance);
    hone_figure_write_key(jw, "tie_share", &r->tie_share);
    hone_figure_write_key(jw, "flip_once", &r->flip_once);
    hone_jw_kf64(jw, "flip", r->flip);
    hone_jw_kf64(jw, "variance_completions", r->var_c);
    hone_jw_kf64(jw, "variance_judge", r->var_e);
    hone_jw_key(jw, "histogram");
    hone_jw_list(jw);
    for (size_t i = 0; i < w->n_levels; i++) {
        hone_jw_map(jw);
        hone_jw_kf64(jw, "level", w->levels[i]);
        hone_jw_ki64(jw, "n", (int64_t)w->counts[i]);
        hone_jw_end(jw);
    }
    hone_jw_end(jw);
    hone_jw_key(jw, "criteria");
    hone_jw_list(jw);
    for (size_t i = 0; i < w->n_criteria; i++) {
        hone_jw_map(jw);
        hone_jw_kcstr(jw, "id", w->criteria[i].id);
        hone_figure_write_key(jw, "contrast", &w->criteria[i].contrast);
        hone_jw_end(jw);
    }
    hone_jw_end(jw);
    hone_jw_key(jw, "repeats_needed");
    hone_jw_map(jw);
    for (size_t t = 0; t < HONE_WITHIN_TARGETS; t++) {
        snprintf(key, sizeof key, "%.1f", hone_within_targets[t]);
        hone_jw_key(jw, key);
        if (w->repeats[t])
            hone_jw_i64(jw, (int64_t)w->repeats[t]);
        else
            hone_jw_null(jw);
    }
    hone_jw_end(jw);
    hone_figure_write_key(jw, "tau_within", &w->tau);
    hone_figure_write_key(jw, "unparsed", &w->unparsed);
    hone_jw_key(jw, "notes");
    hone_jw_list(jw);
    for (size_t i = 0; i < w->n_notes; i++)
        hone_jw_cstr(jw, w->notes[i]);
    hone_jw_end(jw);
    hone_jw_end(jw);
}
