/* listwise_figures.c - see listwise.h: what only a whole list tells, and what is left out of a calibration of lists.
 *
 * The preferences within a list are ratings of pairs by now; each list is read back from them, for the judge (the sign of the
 * mean difference of places) and for each of at most MOST_EXPERTS experts. Of a list there are
 *   tau-b   (C - D)/sqrt((C + D + Tx)(C + D + Ty)) over the pairs that both compare (Kendall 1945); none where one of them
 *           prefers nothing
 *   best    candidates that lose against none, where all pairs are compared (a circle has none); judge and expert agree as
 *           often as one of the judge's best, taken at random, is among the expert's
 * as means over experts, and over lists with the prompt as cluster, so that a long list counts as much as a short one. Ratings of
 * pairs that were left out by the sample make a list one without best. */
#include "base/alloc.h"
#include "base/hash.h"
#include "judge/calibrate_int.h"
#include "judge/listwise.h"

#include <math.h>
#include <string.h>

enum { MOST_EXPERTS = 32, UNKNOWN = 2, K = HONE_LIST_CANDIDATES };

/* Of a pair a < b: 1 a is better, -1 b, 0 level, UNKNOWN. */
typedef struct order {
    int8_t side[K][K];
} order;

typedef struct lists {
    hone__calib *d;
    uint32_t *row;                             /* of an item: where it stands in d, or UINT32_MAX */
    order *orders;                             /* the judge's, then experts' */
    double *tau, *top, *tau_e, *top_e, *shown; /* of each list; NAN: unknown */
    uint64_t *cluster;
    hone_joined_item *items; /* of each list, for the rate of failures */
    uint32_t *all;
    size_t n; /* lists of the split with a label or a verdict */
} lists;

static void forget(order *o)
{
    memset(o, UNKNOWN, sizeof *o);
}

static double tau(const order *x, const order *y, uint32_t k)
{
    double same = 0, other = 0, tie_x = 0, tie_y = 0;
    for (uint32_t a = 0; a < k; a++)
        for (uint32_t b = a + 1; b < k; b++) {
            const int s = x->side[a][b], t = y->side[a][b];
            if (s == UNKNOWN || t == UNKNOWN || (!s && !t))
                continue;
            same += s && t && s == t;
            other += s && t && s != t;
            tie_x += !s;
            tie_y += !t;
        }
    const double of = (same + other + tie_x) * (same + other + tie_y);
    return of > 0 ? (same - other) / sqrt(of) : (double)NAN;
}

/* Bit i: candidate i loses against none. 0 also where a pair is unknown. */
static uint64_t best(const order *o, uint32_t k)
{
    uint64_t loses = 0;
    for (uint32_t a = 0; a < k; a++)
        for (uint32_t b = a + 1; b < k; b++) {
            if (o->side[a][b] == UNKNOWN)
                return 0;
            loses |= (uint64_t)(o->side[a][b] < 0) << a | (uint64_t)(o->side[a][b] > 0) << b;
        }
    return (k < 64 ? ((uint64_t)1 << k) - 1 : UINT64_MAX) & ~loses;
}

static int bits(uint64_t x)
{
    int n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

/* How often one of a's best is among b's. */
static double hit(uint64_t a, uint64_t b)
{
    return a && b ? (double)bits(a & b) / bits(a) : (double)NAN;
}

typedef struct mean {
    double sum;
    size_t n;
} mean;

static void add(mean *m, double x)
{
    if (isnan(x))
        return;
    m->sum += x;
    m->n++;
}

static double of(const mean *m)
{
    return m->n ? m->sum / (double)m->n : (double)NAN;
}

/* The judge's and the experts' orders of a list; how many experts. *labelled: there is a rated pair of it in the split. */
static size_t read_orders(const lists *w, const hone_list *l, int *labelled, int *judged)
{
    const hone_joined *j = w->d->j;
    uint32_t who[MOST_EXPERTS];
    size_t n = 0;
    *labelled = *judged = 0;
    forget(&w->orders[0]);
    for (uint32_t a = 0; a < l->k; a++)
        for (uint32_t b = a + 1; b < l->k; b++) {
            const hone_joined_item *it = hone__lists_pair(j, l, a, b);
            const uint32_t i = it ? w->row[it - j->items] : UINT32_MAX;
            if (i == UINT32_MAX)
                continue;
            *labelled = 1;
            if (!isnan(w->d->side[i])) {
                w->orders[0].side[a][b] = (int8_t)w->d->side[i];
                *judged = 1;
            }
            for (size_t r = j->begin[i]; r < j->begin[i + 1]; r++) {
                size_t e = 0;
                while (e < n && who[e] != j->ratings[r].expert)
                    e++;
                if (e == MOST_EXPERTS)
                    continue;
                if (e == n) {
                    who[n++] = j->ratings[r].expert;
                    forget(&w->orders[n]);
                }
                w->orders[e + 1].side[a][b] = (int8_t)j->ratings[r].value;
            }
        }
    return n;
}

static void compare(const lists *w, const hone_list *l, size_t experts, size_t at)
{
    mean t = {0, 0}, top = {0, 0}, t_e = {0, 0}, top_e = {0, 0};
    for (size_t e = 1; e <= experts; e++) {
        const uint64_t mine = best(&w->orders[e], l->k);
        add(&t, tau(&w->orders[0], &w->orders[e], l->k));
        add(&top, hit(best(&w->orders[0], l->k), mine));
        for (size_t f = e + 1; f <= experts; f++) {
            const uint64_t other = best(&w->orders[f], l->k);
            add(&t_e, tau(&w->orders[e], &w->orders[f], l->k));
            add(&top_e, (hit(mine, other) + hit(other, mine)) / 2);
        }
    }
    w->tau[at] = of(&t);
    w->top[at] = of(&top);
    w->tau_e[at] = of(&t_e);
    w->top_e[at] = of(&top_e);
}

/* Of pairs of verdicts that were shown different orders: how often their best differ. */
static double shuffled(const hone_list *l)
{
    mean m = {0, 0};
    for (size_t a = 0; a < l->n_shown; a++)
        for (size_t b = a + 1; b < l->n_shown; b++)
            if (l->shown[a].order != l->shown[b].order)
                add(&m, l->shown[a].best != l->shown[b].best);
    return of(&m);
}

/* The pair that tells a list's prompt and split: the first that is kept. */
static const hone_joined_item *known_pair(const hone_joined *j, const hone_list *l)
{
    for (uint32_t a = 0; a < l->k; a++)
        for (uint32_t b = a + 1; b < l->k; b++) {
            const hone_joined_item *it = hone__lists_pair(j, l, a, b);
            if (it)
                return it;
        }
    return NULL;
}

static void read_list(lists *w, const hone_list *l, hone_calibration *c)
{
    const hone_joined *j = w->d->j;
    const hone_joined_item *pair = known_pair(j, l);
    int labelled, judged;
    if (j->opts.split != HONE_SPLIT_ALL && (!pair || pair->split != j->opts.split))
        return;
    const size_t experts = read_orders(w, l, &labelled, &judged), at = w->n;
    if (!labelled && !l->in_verdicts)
        return;
    w->cluster[at] = pair ? pair->cluster : hone_xxh64(l->id, l->id_len, 0);
    compare(w, l, experts, at);
    w->shown[at] = shuffled(l);
    hone_joined_item *it = &w->items[at];
    it->cluster = w->cluster[at];
    it->length = l->length;
    it->in_verdicts = l->in_verdicts;
    memcpy(it->status, l->status, sizeof it->status);
    w->all[at] = (uint32_t)at;
    w->n++;
    c->items += labelled != 0;
    c->judged += judged != 0;
    c->unlabelled += !labelled;
    c->labels += labelled ? l->labels : 0;
    if (labelled) {
        c->least = !c->least || l->k < c->least ? l->k : c->least;
        c->most = l->k > c->most ? l->k : c->most;
    }
}

/* Verdicts without a number: a list is one verdict, not one a pair. */
static hone_status failures(lists *w)
{
    hone_joined of_lists = {.items = w->items, .order = w->all, .n = w->n};
    hone__calib d = {.j = &of_lists, .o = w->d->o, .c = w->d->c, .n = w->n, .boot = w->d->boot};
    hone_calibration *c = w->d->c;
    memset(c->status, 0, sizeof c->status);
    c->n_bins = 0;
    c->related = -1;
    return hone__calib_unparsed(&d);
}

static void leave_out(hone_calibration *c)
{
    static const char no_scale[] = "a place in a list is no score: there is no scale",
                      no_class[] = "a place in a list is neither good nor bad",
                      within[] = "lists are compared one by one: lists.tau_b";
    hone_figure *const scales[] = {&c->ece,  &c->brier,  &c->bias,   &c->ppi_mean,
                                   &c->icc2, &c->w_bias, &c->w_mean, &c->ceiling_icc2};
    hone_figure *const classes[] = {&c->tpr,        &c->tnr,   &c->precision, &c->prevalence_raw,
                                    &c->prevalence, &c->w_good};
    hone_figure *const ranks[] = {&c->tau_b, &c->spearman, &c->pearson};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        *scales[i] = hone_figure_none(0, no_scale);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        *classes[i] = hone_figure_none(0, no_class);
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        *ranks[i] = hone_figure_none(0, within);
    for (size_t i = 0; i < c->n_slices; i++)
        c->slices[i].bias = hone_figure_none(c->slices[i].n, no_scale);
    hone_isotonic_release(&c->isotonic);
    memset(&c->isotonic, 0, sizeof c->isotonic);
    c->positives = c->negatives = c->divided = 0;
}

static hone_status alloc_all(lists *w, const hone_joined *j, size_t n)
{
    w->row = hone_alloc((j->n_items + 1) * sizeof *w->row);
    w->orders = hone_calloc(MOST_EXPERTS + 1, sizeof *w->orders);
    w->tau = hone_calloc(n, sizeof *w->tau);
    w->top = hone_calloc(n, sizeof *w->top);
    w->tau_e = hone_calloc(n, sizeof *w->tau_e);
    w->top_e = hone_calloc(n, sizeof *w->top_e);
    w->shown = hone_calloc(n, sizeof *w->shown);
    w->cluster = hone_calloc(n, sizeof *w->cluster);
    w->items = hone_calloc(n, sizeof *w->items);
    w->all = hone_calloc(n, sizeof *w->all);
    return w->row && w->orders && w->tau && w->top && w->tau_e && w->top_e && w->shown &&
                   w->cluster && w->items && w->all
               ? HONE_OK
               : HONE_E_NOMEM;
}

static void free_all(lists *w)
{
    hone_free(w->row);
    hone_free(w->orders);
    hone_free(w->tau);
    hone_free(w->top);
    hone_free(w->tau_e);
    hone_free(w->top_e);
    hone_free(w->shown);
    hone_free(w->cluster);
    hone_free(w->items);
    hone_free(w->all);
}

static hone_status mean_of(const lists *w, const double *x, const char *why, hone_figure *out)
{
    hone_boot boot = w->d->boot;
    size_t n = 0;
    boot.cluster = w->cluster;
    for (size_t i = 0; i < w->n; i++)
        n += !isnan(x[i]);
    *out = hone_figure_none(0, why);
    return n ? hone_interval_mean(x, w->n, &boot, out) : HONE_OK;
}

hone_status hone__calib_lists(hone__calib *d)
{
    const hone_joined *j = d->j;
    hone_calibration *c = d->c;
    lists w = {.d = d};
    hone_status s = alloc_all(&w, j, j->lists->n + 1);
    HONE_TRY_GOTO(s, done);
    memset(w.row, 0xff, (j->n_items + 1) * sizeof *w.row);
    for (size_t i = 0; i < j->n; i++)
        w.row[j->order[i]] = (uint32_t)i;
    c->pairs = c->items;
    c->items = c->judged = c->unlabelled = c->labels = 0;
    for (size_t i = 0; i < j->lists->n; i++)
        read_list(&w, &j->lists->lists[i], c);
    const char *none = c->judged ? "no list that both put in order" : "no list has a verdict";
    HONE_TRY_GOTO(mean_of(&w, w.tau, none, &c->list_tau), done);
    HONE_TRY_GOTO(
        mean_of(&w, w.top, c->judged ? "no list of which both name a best" : none, &c->list_top),
        done);
    HONE_TRY_GOTO(mean_of(&w, w.tau_e, "no list that two experts put in order", &c->experts_tau),
                  done);
    HONE_TRY_GOTO(mean_of(&w, w.top_e, "no list of which two experts name a best", &c->experts_top),
                  done);
    HONE_TRY_GOTO(mean_of(&w, w.shown, "no list was judged in two orders", &c->order_top), done);
    HONE_TRY_GOTO(failures(&w), done);
    leave_out(c);
    c->shape = HONE_SHAPE_LISTWISE;
done:
    free_all(&w);
    return s < 0 ? s : HONE_OK;
}
