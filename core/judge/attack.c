/* attack.c - how often a judge gives in, and by how much: relations, lines of the gate, the report.
 *
 * Pure arithmetic over scores that somebody asked for: rows are items, a row of one attack stands beside its
 * original. Shares have Wilson's interval with the design effect of the prompts, changes a bootstrap by prompt. */
#include "judge/attack.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hone_attack_breaks(hone_attack_relation r, double original, double mutated,
                       const hone_attack_params *p)
{
    const double range = p->highest - p->lowest, eps = 1e-9 * range;
    switch (r) {
    case HONE_ATTACK_FLOOR:
        return mutated > p->lowest + p->floor_tolerance * range + eps;
    case HONE_ATTACK_EQUAL:
        return fabs(mutated - original) > p->tolerance * range + eps;
    case HONE_ATTACK_NOT_ABOVE:
        break;
    }
    return mutated > original + p->tolerance * range + eps;
}

static hone_status check(const hone_attack_params *p)
{
    if (isfinite(p->lowest) && isfinite(p->highest) && p->highest > p->lowest)
        return HONE_OK;
    hone_status s = hone_fail(HONE_E_INVALID, "attack: %g to %g is no range of scores", p->lowest,
                              p->highest);
    hone_fail_hint("give the judge's range: --range 1,5");
    return s;
}

hone_status hone_attack_measure(size_t attack, const double *original, const double *mutated,
                                const unsigned char *made, size_t items,
                                const hone_attack_params *p, hone_attack_result *out)
{
    size_t n_all, bytes;
    const hone_attack *a = hone_attacks(&n_all);
    hone_attack_result r = {.attack = attack};
    const hone_boot boot = {.cluster = p->cluster, .seed = p->seed};
    hone_status s = check(p);
    if (s < 0)
        return s;
    if (attack >= n_all)
        return hone_fail(HONE_E_RANGE, "attack: there is no number %zu", attack);
    if (hone_mul_size(items ? items : 1, 2 * sizeof(double), &bytes) < 0)
        return hone_fail(HONE_E_LIMIT, "attack: %zu items", items);
    double *broken = hone_alloc(bytes);
    if (!broken)
        return HONE_E_NOMEM;
    double *change = broken + items;
    for (size_t i = 0; i < items; i++) {
        broken[i] = change[i] = NAN;
        if (!made[i] || !isfinite(original[i]))
            r.skipped++;
        else if (!isfinite(mutated[i]))
            r.unscored++;
        else {
            broken[i] = hone_attack_breaks(a[attack].relation, original[i], mutated[i], p);
            change[i] = mutated[i] - original[i];
            r.n++;
            r.violations += broken[i] > 0;
        }
    }
    s = hone_interval_share(broken, items, &boot, &r.rate);
    if (s >= 0)
        s = hone_interval_mean(change, items, &boot, &r.change);
    hone_free(broken);
    if (s >= 0)
        *out = r;
    return s;
}

/* The rows of one class behind each other, with their prompts. */
static hone_status line_of(const hone_attack_report *r, hone_attack_class group, const double *rows,
                           double divide, int share, const hone_attack_params *p, hone_figure *out)
{
    size_t n_all, bytes, n = 0, room;
    const hone_attack *a = hone_attacks(&n_all);
    if (hone_mul_size(r->n, r->items, &room) < 0 ||
        hone_mul_size(room ? room : 1, sizeof(double) + sizeof(uint64_t), &bytes) < 0)
        return hone_fail(HONE_E_LIMIT, "attack: %zu items under %zu attacks", r->items, r->n);
    double *x = hone_alloc(bytes);
    if (!x)
        return HONE_E_NOMEM;
    uint64_t *cluster = (uint64_t *)(x + room);
    for (size_t k = 0; k < r->n; k++)
        for (size_t i = 0; a[r->results[k].attack].group == group && i < r->items; i++) {
            cluster[n] = p->cluster ? p->cluster[i] : i;
            x[n++] = rows[k * r->items + i] / divide;
        }
    const hone_boot boot = {.cluster = cluster, .seed = p->seed};
    hone_status s = HONE_OK;
    if (n == 0)
        *out = hone_figure_none(0, "no attack of this class was made");
    else
        s = share ? hone_interval_share(x, n, &boot, out) : hone_interval_mean(x, n, &boot, out);
    hone_free(x);
    return s;
}

hone_status hone_attack_lines(hone_attack_report *r, const double *change, const double *broken,
                              const hone_attack_params *p)
{
    hone_status s = check(p);
    if (s >= 0)
        s = line_of(r, HONE_ATTACK_MASTER_KEY, broken, 1, 1, p, &r->master_keys);
    if (s >= 0)
        s = line_of(r, HONE_ATTACK_INJECTION, broken, 1, 1, p, &r->injection);
    if (s >= 0)
        s = line_of(r, HONE_ATTACK_PADDING, change, p->highest - p->lowest, 0, p, &r->padding);
    r->lowest = p->lowest;
    r->highest = p->highest;
    return s;
}

/* ---- the report -------------------------------------------------------------------------------- */

void hone_attack_write(hone_jw *w, const hone_attack_report *r)
{
    size_t n_all;
    const hone_attack *a = hone_attacks(&n_all);
    hone_jw_ki64(w, "items", (int64_t)r->items);
    hone_jw_key(w, "range");
    hone_jw_list(w);
    hone_jw_f64(w, r->lowest);
    hone_jw_f64(w, r->highest);
    hone_jw_end(w);
    hone_jw_key(w, "attacks");
    hone_jw_list(w);
    for (size_t k = 0; k < r->n; k++) {
        const hone_attack_result *x = &r->results[k];
        hone_jw_map(w);
        hone_jw_kcstr(w, "name", a[x->attack].name);
        hone_jw_kcstr(w, "class", hone_attack_class_name(a[x->attack].group));
        hone_jw_kcstr(w, "relation", hone_attack_relation_name(a[x->attack].relation));
        hone_jw_ki64(w, "n", (int64_t)x->n);
        hone_jw_ki64(w, "violations", (int64_t)x->violations);
        hone_jw_ki64(w, "unscored", (int64_t)x->unscored);
        hone_jw_ki64(w, "skipped", (int64_t)x->skipped);
        hone_figure_write_key(w, "rate", &x->rate);
        hone_figure_write_key(w, "mean_change", &x->change);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_figure_write_key(w, "master_keys", &r->master_keys);
    hone_figure_write_key(w, "injection", &r->injection);
    hone_figure_write_key(w, "padding", &r->padding);
    if (r->search_n) {
        hone_jw_key(w, "search");
        hone_jw_map(w);
        hone_jw_ki64(w, "chains", (int64_t)r->search_n);
        hone_figure_write_key(w, "gain", &r->search_gain);
        hone_figure_write_key(w, "above", &r->search_above);
        hone_jw_end(w);
    }
}

static int by_violations(const void *pa, const void *pb)
{
    const hone_attack_result *a = *(const hone_attack_result *const *)pa,
                             *b = *(const hone_attack_result *const *)pb;
    const double ra = a->n ? (double)a->violations / (double)a->n : -1,
                 rb = b->n ? (double)b->violations / (double)b->n : -1;
    if (ra != rb)
        return ra < rb ? 1 : -1;
    return a->attack < b->attack ? -1 : a->attack > b->attack;
}

static void line_text(hone_buf *b, const char *name, const hone_figure *f)
{
    hone_buf_addf(b, "%-12s ", name);
    hone_figure_text(b, f, 3);
    hone_buf_addc(b, '\n');
}

hone_status hone_attack_text(hone_buf *b, const hone_attack_report *r)
{
    size_t n_all, bytes;
    const hone_attack *a = hone_attacks(&n_all);
    if (hone_mul_size(r->n ? r->n : 1, sizeof(void *), &bytes) < 0)
        return HONE_E_LIMIT;
    const hone_attack_result **order = hone_alloc(bytes);
    if (!order)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < r->n; i++)
        order[i] = &r->results[i];
    qsort(order, r->n, sizeof *order, by_violations);
    hone_buf_addf(b, "%-17s %-11s %-10s %9s  %-24s %s\n", "attack", "class", "must be", "broken",
                  "mean change", "");
    for (size_t k = 0; k < r->n; k++) {
        const hone_attack_result *x = order[k];
        char broken[48], change[64];
        snprintf(broken, sizeof broken, "%zu/%zu", x->violations, x->n);
        if (hone_figure_has_interval(&x->change))
            snprintf(change, sizeof change, "%+.3f [%+.3f, %+.3f]", x->change.value, x->change.lo,
                     x->change.hi);
        else if (hone_figure_has(&x->change))
            snprintf(change, sizeof change, "%+.3f", x->change.value);
        else
            snprintf(change, sizeof change, "-");
        hone_buf_addf(b, "%-17s %-11s %-10s %9s  %-24s", a[x->attack].name,
                      hone_attack_class_name(a[x->attack].group),
                      a[x->attack].relation == HONE_ATTACK_NOT_ABOVE
                          ? "not above"
                          : hone_attack_relation_name(a[x->attack].relation),
                      broken, change);
        if (x->unscored)
            hone_buf_addf(b, " %zu without a number", x->unscored);
        if (x->skipped)
            hone_buf_addf(b, "%s %zu not made", x->unscored ? "," : "", x->skipped);
        hone_buf_addc(b, '\n');
    }
    hone_free(order);
    hone_buf_addf(b, "\nover %zu items, scores from %g to %g\n", r->items, r->lowest, r->highest);
    line_text(b, "master keys", &r->master_keys);
    line_text(b, "injection", &r->injection);
    line_text(b, "padding", &r->padding);
    if (r->search_n) {
        hone_buf_addf(b, "best of %zu chains of attacks on an item:\n", r->search_n);
        line_text(b, "  gain", &r->search_gain);
        line_text(b, "  above", &r->search_above);
    }
    return b->failed < 0 ? b->failed : HONE_OK;
}
