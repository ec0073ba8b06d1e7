/* disagree.c - cases and clusters of disagree.h. */
#include "judge/disagree.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SOME = 200 }; /* cases of a cluster whose levels are compared with all others' */
#define GAP 0.25
#define Z 2.6
#define EVERYWHERE (-2)
#define LENGTH (-1)

const char *hone_case_name(int kind)
{
    static const char *const names[] = {"none", "slip", "ambiguous", "judge", "systematic"};
    return names[kind];
}

const char *hone_blame_name(int blame)
{
    static const char *const names[] = {"ambiguous rubric", "wrong rubric", "wrong judge"};
    return names[blame];
}

/* ---- one item -------------------------------------------------------------------------------------- */

typedef struct rating {
    double value;
    uint32_t expert;
} rating;

static int by_value(const void *a, const void *b)
{
    const rating *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->expert < y->expert ? -1 : x->expert > y->expert;
}

/* Of sorted ratings [from, to). */
static double median(const rating *r, size_t from, size_t to)
{
    const size_t n = to - from;
    return n % 2 ? r[from + n / 2].value : (r[from + n / 2 - 1].value + r[from + n / 2].value) / 2;
}

/* Differs, with room for rounding. */
static int apart(double a, double b, double gap)
{
    return fabs(a - b) >= gap * (1 - 1e-9);
}

/* Does one end stand alone, with the others and the judge together? */
static int is_slip(const rating *r, size_t n, double gap, hone_case *c)
{
    for (int top = 0; n >= 3 && top < 2; top++) {
        const size_t from = top ? 0 : 1, to = top ? n - 1 : n, alone = top ? n - 1 : 0;
        const double others = median(r, from, to);
        if (apart(r[alone].value, others, gap) && !apart(r[to - 1].value, r[from].value, gap) &&
            !apart(c->judge, others, gap)) {
            c->expert = r[alone].expert;
            c->said = r[alone].value;
            return 1;
        }
    }
    return 0;
}

static int kind_of(const rating *r, size_t n, int flips, double gap, hone_case *c)
{
    if (is_slip(r, n, gap, c))
        return HONE_CASE_SLIP;
    if (n > 1 && apart(r[0].value, r[n - 1].value, gap))
        return HONE_CASE_AMBIGUOUS;
    if (!apart(c->judge, c->experts, gap))
        return HONE_CASE_NONE;
    return flips || c->spread >= gap / 2 ? HONE_CASE_JUDGE : HONE_CASE_SYSTEMATIC;
}

typedef struct spread {
    double mean, m2;
    uint32_t n;
} spread;

/* Of the judge's answers to every item. */
static spread *judge_spread(const hone_joined *j)
{
    spread *v = hone_calloc(j->n_items ? j->n_items : 1, sizeof *v);
    for (size_t i = 0; v && i < j->n_scores; i++) {
        const hone_joined_score_row *s = &j->scores[i];
        if (s->criterion >= 0 || s->item >= j->n_items)
            continue;
        spread *x = &v[s->item];
        const double d = s->value - x->mean;
        x->mean += d / ++x->n;
        x->m2 += d * (s->value - x->mean);
    }
    return v;
}

/* Did the better side change with the order? */
static int flips(const hone_joined_item *it)
{
    return it->n_swapped[0] && it->n_swapped[1] &&
           (it->swapped[0] > 0) - (it->swapped[0] < 0) !=
               (it->swapped[1] > 0) - (it->swapped[1] < 0);
}

/* The widest apart first, then by id. */
static int widest(const void *a, const void *b, void *rows)
{
    const hone_case *x = a, *y = b;
    const hone_joined *j = rows;
    const double p = fabs(x->judge - x->experts), q = fabs(y->judge - y->experts);
    return p != q ? (p > q ? -1 : 1) : strcmp(j->items[x->item].id, j->items[y->item].id);
}

static hone_status find_cases(const hone_joined *j, hone_disagreement *d)
{
    hone_status s = HONE_OK;
    rating *r = hone_calloc(j->n_experts ? j->n_experts : 1, sizeof *r);
    spread *judged = judge_spread(j);
    if (!r || !judged)
        s = HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < j->n; i++) {
        const hone_joined_item *it = &j->items[j->order[i]];
        hone_case c = {.item = j->order[i], .cluster = -1, .judge = hone_joined_score(it)};
        size_t n = 0;
        for (size_t k = j->begin[i]; k < j->begin[i + 1]; k++)
            r[n++] = (rating){j->ratings[k].value, j->ratings[k].expert};
        if (!n || isnan(c.judge))
            continue;
        qsort(r, n, sizeof *r, by_value);
        c.n = n;
        c.low = r[0].value;
        c.high = r[n - 1].value;
        c.experts = median(r, 0, n);
        c.spread = judged[c.item].n > 1 ? sqrt(judged[c.item].m2 / (judged[c.item].n - 1)) : 0;
        c.kind = kind_of(r, n, flips(it), d->gap, &c);
        d->one_expert += n == 1;
        d->count[c.kind]++;
        d->cases[d->n++] = c;
    }
    if (s >= 0)
        qsort_r(d->cases, d->n, sizeof *d->cases, widest, (void *)(uintptr_t)j);
    hone_free(r);
    hone_free(judged);
    return s;
}

/* ---- clusters -------------------------------------------------------------------------------------- */

static int third_of(const hone_disagreement *d, int64_t length)
{
    return length < 0                      ? -1
           : (double)length <= d->third[0] ? 0
           : (double)length <= d->third[1] ? 1
                                           : 2;
}

static int has(const hone_joined *j, const hone_disagreement *d, const hone_case *c, int column,
               int value)
{
    const hone_joined_item *it = &j->items[c->item];
    if (column == EVERYWHERE)
        return 1;
    if (column == LENGTH)
        return third_of(d, it->length) == value;
    return it->slice[column] == value + 1;
}

int hone_disagree_touches(const hone_joined *j, const hone_disagreement *d, const hone_case *c,
                          size_t k)
{
    return has(j, d, c, d->cluster[k].column, d->cluster[k].value);
}

static int direction_of(const hone_case *c)
{
    return c->judge > c->experts ? 1 : -1;
}

/* Is the case one of those that are gathered: of the kind, in the direction (0: any), in no cluster yet? */
static int wanted(const hone_case *c, int kind, int direction)
{
    return c->kind == kind && c->cluster < 0 && (!direction || direction_of(c) == direction);
}

typedef struct tally {
    size_t in, of, out, rest; /* cases and items with the value, and without */
} tally;

static tally count(const hone_joined *j, const hone_disagreement *d, int kind, int direction,
                   int column, int value)
{
    tally t = {0, 0, 0, 0};
    for (size_t i = 0; i < d->n; i++) {
        const hone_case *c = &d->cases[i];
        const int hit = wanted(c, kind, direction);
        if (has(j, d, c, column, value)) {
            t.of++;
            t.in += (size_t)hit;
        } else {
            t.rest++;
            t.out += (size_t)hit;
        }
    }
    return t;
}

/* The difference of two shares in standard errors (pooled). */
static double strength(const tally *t)
{
    if (t->in < HONE_DISAGREE_LEAST || !t->rest)
        return 0;
    const double a = (double)t->in / (double)t->of, b = (double)t->out / (double)t->rest;
    const double p = (double)(t->in + t->out) / (double)(t->of + t->rest);
    const double v = p * (1 - p) * (1 / (double)t->of + 1 / (double)t->rest);
    return v > 0 ? (a - b) / sqrt(v) : 0;
}

/* Between which two values experts differ most often among the cluster's cases. */
static void confused(const hone_disagreement *d, int k, hone_cluster *c)
{
    size_t best = 0, looked = 0;
    for (size_t i = 0; i < d->n && looked < SOME; i++) {
        size_t same = 0;
        if (d->cases[i].cluster != k)
            continue;
        looked++;
        for (size_t m = 0; m < d->n; m++)
            same += d->cases[m].cluster == k && d->cases[m].low == d->cases[i].low &&
                    d->cases[m].high == d->cases[i].high;
        if (same > best) {
            best = same;
            c->low = d->cases[i].low;
            c->high = d->cases[i].high;
        }
    }
}

static void take(const hone_joined *j, hone_disagreement *d, int kind, const hone_cluster *how,
                 const tally *t)
{
    const int k = (int)d->n_clusters;
    hone_cluster *c = &d->cluster[d->n_clusters++];
    double sum = 0;
    *c = *how;
    c->cases = t->in;
    c->of = t->of;
    c->rate = (double)t->in / (double)t->of;
    c->elsewhere = t->rest ? (double)t->out / (double)t->rest : 0;
    for (size_t i = 0; i < d->n; i++)
        if (wanted(&d->cases[i], kind, how->direction) &&
            has(j, d, &d->cases[i], how->column, how->value)) {
            d->cases[i].cluster = k;
            sum += d->cases[i].experts - d->cases[i].judge;
        }
    c->mean_gap = sum / (double)t->in;
    confused(d, k, c);
}

/* The value that tells the cases of a kind and direction apart best; 0 when none does. */
static int take_best(const hone_joined *j, hone_disagreement *d, int kind, int direction, int blame,
                     double z)
{
    hone_cluster best = {.blame = blame, .direction = direction};
    tally most = {0, 0, 0, 0};
    double top = z;
    for (int column = LENGTH; column < (int)j->n_columns; column++) {
        const int values = column == LENGTH          ? 3
                           : j->columns[column].many ? 0
                                                     : (int)j->columns[column].n;
        for (int value = 0; value < values; value++) {
            const tally t = count(j, d, kind, direction, column, value);
            const double s = strength(&t);
            if (s > top) {
                top = s;
                most = t;
                best.column = column;
                best.value = value;
            }
        }
    }
    if (!most.in || d->n_clusters == HONE_DISAGREE_CLUSTERS)
        return 0;
    take(j, d, kind, &best, &most);
    return 1;
}

/* What is left, all together, when there is enough of it. */
static void take_rest(const hone_joined *j, hone_disagreement *d, int kind, int direction,
                      int blame)
{
    const hone_cluster all = {.blame = blame, .direction = direction, .column = EVERYWHERE};
    const tally t = count(j, d, kind, direction, EVERYWHERE, 0);
    if (t.in >= HONE_DISAGREE_LEAST && d->n_clusters < HONE_DISAGREE_CLUSTERS)
        take(j, d, kind, &all, &t);
}

static void find_clusters(const hone_joined *j, double z, hone_disagreement *d)
{
    double sides[2] = {0, 0};
    for (int direction = 1; direction >= -1; direction -= 2)
        while (take_best(j, d, HONE_CASE_SYSTEMATIC, direction, HONE_BLAME_RUBRIC_WRONG, z))
            continue;
    for (size_t i = 0; i < d->n; i++)
        if (wanted(&d->cases[i], HONE_CASE_SYSTEMATIC, 0))
            sides[direction_of(&d->cases[i]) > 0]++;
    /* nothing in common but a direction is still the rubric's: the same, everywhere too high or too low */
    const double n = sides[0] + sides[1];
    for (int up = 0; up < 2; up++)
        if (n > 0 && (sides[up] - sides[!up]) / sqrt(n) > z)
            take_rest(j, d, HONE_CASE_SYSTEMATIC, up ? 1 : -1, HONE_BLAME_RUBRIC_WRONG);
    take_rest(j, d, HONE_CASE_SYSTEMATIC, 0, HONE_BLAME_JUDGE);
    while (take_best(j, d, HONE_CASE_AMBIGUOUS, 0, HONE_BLAME_RUBRIC_AMBIGUOUS, z))
        continue;
    take_rest(j, d, HONE_CASE_AMBIGUOUS, 0, HONE_BLAME_RUBRIC_AMBIGUOUS);
    while (take_best(j, d, HONE_CASE_JUDGE, 0, HONE_BLAME_JUDGE, z))
        continue;
    take_rest(j, d, HONE_CASE_JUDGE, 0, HONE_BLAME_JUDGE);
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The bounds of the thirds of the lengths that are known. */
static hone_status find_thirds(const hone_joined *j, hone_disagreement *d)
{
    size_t n = 0;
    double *v = hone_calloc(d->n ? d->n : 1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < d->n; i++)
        if (j->items[d->cases[i].item].length >= 0)
            v[n++] = (double)j->items[d->cases[i].item].length;
    qsort(v, n, sizeof *v, by_number);
    d->third[0] = n ? v[(n - 1) / 3] : -1;
    d->third[1] = n ? v[2 * (n - 1) / 3] : -1;
    hone_free(v);
    return HONE_OK;
}

static double span(const hone_joined *j)
{
    double low = INFINITY, high = -INFINITY;
    if (j->shape == HONE_SHAPE_PAIRWISE)
        return 2;
    for (size_t i = 0; i < j->n_ratings; i++) {
        low = fmin(low, j->ratings[i].value);
        high = fmax(high, j->ratings[i].value);
    }
    return high > low ? high - low : 0;
}

hone_status hone_disagree_find(const hone_joined *j, const hone_disagree_opts *o,
                               hone_disagreement *out)
{
    hone_disagreement d;
    memset(&d, 0, sizeof d);
    d.range = o->range > 0 ? o->range : span(j);
    if (!(d.range > 0)) {
        hone_fail(HONE_E_INVALID,
                  "all experts gave the same rating: there is no scale to measure on");
        return hone_fail_hint("--rubric tells the scale");
    }
    d.gap = d.range * (o->gap > 0 ? o->gap : GAP);
    d.cases = hone_calloc(j->n ? j->n : 1, sizeof *d.cases);
    hone_status s = d.cases ? find_cases(j, &d) : HONE_E_NOMEM;
    if (s >= 0 && !d.n)
        s = hone_fail(HONE_E_INVALID, "no item has both a rating and a verdict with a number");
    if (s >= 0)
        s = find_thirds(j, &d);
    if (s < 0) {
        hone_disagree_release(&d);
        return s;
    }
    find_clusters(j, o->z > 0 ? o->z : Z, &d);
    *out = d;
    return HONE_OK;
}

void hone_disagree_release(hone_disagreement *d)
{
    hone_free(d->cases);
    d->cases = NULL;
}
