/* pick.c - the draw of pick.h, and its signals. */
#include "judge/pick.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const hone_pick_names[HONE_PICK_SIGNALS] = {"entropy", "swap", "jury", "threshold",
                                                        "new policy"};

/* ---- ranks ----------------------------------------------------------------------------------------- */

typedef struct ranked {
    double value;
    size_t item;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* rank[i] in [0, 1] of signal k among the items that have it, ties shared; 0 for the others. Returns whether it tells items apart. */
static int rank_signal(const double *signals, size_t n, size_t k, ranked *work, double *rank)
{
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = signals[i * HONE_PICK_SIGNALS + k];
        rank[i] = 0;
        if (!isnan(v))
            work[known++] = (ranked){v, i};
    }
    if (!known)
        return 0;
    qsort(work, known, sizeof *work, by_value);
    if (known == n && work[0].value == work[known - 1].value)
        return 0;
    for (size_t i = 0; i < known;) {
        size_t j = i;
        while (j < known && work[j].value == work[i].value)
            j++;
        const double r = known > 1 ? ((double)(i + j - 1) / 2) / (double)(known - 1) : 1;
        for (; i < j; i++)
            rank[work[i].item] = r;
    }
    return 1;
}

/* ---- probabilities --------------------------------------------------------------------------------- */

typedef struct plan {
    double *weight, *p, *best; /* [n]; best: the largest rank */
    unsigned char *why;        /* [n]: its signal */
    double u;
    ranked *work;
    double *rank;
} plan;

static void plan_release(plan *l)
{
    hone_free(l->weight);
    hone_free(l->p);
    hone_free(l->best);
    hone_free(l->why);
    hone_free(l->work);
    hone_free(l->rank);
}

/* weight = the mean over the signals that tell items apart of their ranks to the power of four: the upper
 * tenth weighs 13 times what the median does. Returns whether there is one. */
static int weigh(const double *signals, size_t n, plan *l)
{
    size_t used = 0;
    for (size_t k = 0; k < HONE_PICK_SIGNALS; k++) {
        if (!rank_signal(signals, n, k, l->work, l->rank))
            continue;
        used++;
        for (size_t i = 0; i < n; i++) {
            l->weight[i] += l->rank[i] * l->rank[i] * l->rank[i] * l->rank[i];
            if (l->rank[i] > l->best[i]) {
                l->best[i] = l->rank[i];
                l->why[i] = (unsigned char)k;
            }
        }
    }
    return used > 0;
}

/* p = min(1, u + c w) with sum(p) = want: c is found by setting aside, again and again, the items that reach 1. */
static void spread(size_t n, double want, plan *l)
{
    const double most = 1 - l->u;
    double left = want - l->u * (double)n;
    for (size_t i = 0; i < n; i++)
        l->p[i] = -1; /* not set aside */
    for (int again = 1; again;) {
        double sum = 0;
        again = 0;
        for (size_t i = 0; i < n; i++)
            sum += l->p[i] < 0 ? l->weight[i] : 0;
        const double c = sum > 0 ? left / sum : 0;
        for (size_t i = 0; i < n; i++)
            if (l->p[i] < 0 && c * l->weight[i] >= most) {
                l->p[i] = 1;
                left -= most;
                again = 1;
            }
        if (!again) {
            /* items without any weight share what the others could not take */
            size_t none = 0;
            for (size_t i = 0; i < n; i++)
                none += l->p[i] < 0;
            const double rest = sum > 0 || !none ? 0 : left / (double)none;
            for (size_t i = 0; i < n; i++)
                if (l->p[i] < 0)
                    l->p[i] = fmin(1, l->u + c * l->weight[i] + rest);
        }
    }
}

static hone_status make_plan(const double *signals, size_t n, size_t want, plan *l)
{
    memset(l, 0, sizeof *l);
    l->weight = hone_calloc(n, sizeof *l->weight);
    l->p = hone_calloc(n, sizeof *l->p);
    l->best = hone_calloc(n, sizeof *l->best);
    l->why = hone_calloc(n, 1);
    l->work = hone_calloc(n, sizeof *l->work);
    l->rank = hone_calloc(n, sizeof *l->rank);
    if (!l->weight || !l->p || !l->best || !l->why || !l->work || !l->rank) {
        plan_release(l);
        return HONE_E_NOMEM;
    }
    const int active = want < n && signals && weigh(signals, n, l);
    l->u = (double)want / (double)n * (active ? HONE_PICK_UNIFORM : 1);
    if (active)
        spread(n, (double)want, l);
    else
        for (size_t i = 0; i < n; i++)
            l->p[i] = l->u;
    return HONE_OK;
}

hone_status hone_pick_probabilities(const double *signals, size_t n, size_t want, double *p)
{
    plan l;
    if (!n)
        return HONE_OK;
    HONE_TRY(make_plan(signals, n, want < n ? want : n, &l));
    memcpy(p, l.p, n * sizeof *p);
    plan_release(&l);
    return HONE_OK;
}

/* ---- the draw -------------------------------------------------------------------------------------- */

static int by_item(const void *a, const void *b)
{
    const hone_pick *x = a, *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

hone_status hone_pick_draw(const double *signals, size_t n, size_t want, uint64_t seed,
                           hone_pick *out)
{
    plan l;
    const hone_rng_key order = {.seed = seed, .purpose = hone_rng_purpose("hone.label.pick")};
    const hone_rng_key start = {.seed = seed, .purpose = hone_rng_purpose("hone.label.start")};
    if (want > n)
        want = n;
    if (!want)
        return HONE_OK;
    HONE_TRY(make_plan(signals, n, want, &l));
    const double r = hone_rng_uniform(&start, 0);
    double sum =
        0; /* items lie beside each other, p long; what covers r, r + 1, r + 2, ... is chosen */
    size_t taken = 0;
    for (size_t k = 0; k < n && taken < want; k++) {
        const size_t i = (size_t)hone_rng_permute(&order, k, n);
        const double mark = (double)taken + r;
        const int last = n - k == want - taken; /* rounding took the last mark past the end */
        if (mark < sum + l.p[i] || last)
            out[taken++] = (hone_pick){
                .item = i,
                .probability = fmin(1, l.p[i]),
                .why = mark - sum < l.u || l.u >= l.p[i] ? "uniform" : hone_pick_names[l.why[i]]};
        sum += l.p[i];
    }
    qsort(out, taken, sizeof *out, by_item);
    plan_release(&l);
    return HONE_OK;
}

/* ---- signals --------------------------------------------------------------------------------------- */

enum { JURORS = 16 };
typedef struct seen {
    double entropy, sum, first, second; /* sums */
    uint32_t n_entropy, n, n_first, n_second;
    uint64_t juror[JURORS]; /* hashes of specs */
    double juror_sum[JURORS];
    uint32_t juror_n[JURORS], jurors;
    int fresh; /* -1 unknown */
} seen;

struct hone_pick_pool {
    hone_map map; /* id -> item + 1 */
    seen *v;
    size_t n;
    double threshold, *signals;
};

hone_status hone_pick_pool_create(const hone_str *ids, size_t n, double threshold,
                                  hone_pick_pool **out)
{
    hone_pick_pool *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    hone_map_init(&p->map);
    p->n = n;
    p->threshold = threshold;
    p->v = hone_calloc(n, sizeof *p->v);
    p->signals = hone_calloc(n, HONE_PICK_SIGNALS * sizeof *p->signals);
    hone_status s = p->v && p->signals ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        p->v[i].fresh = -1;
        if (hone_map_has(&p->map, ids[i].ptr, ids[i].len))
            s = hone_fail(HONE_E_EXISTS, "a second item with the id \"%.*s\"",
                          (int)(ids[i].len < 80 ? ids[i].len : 80), ids[i].ptr);
        else
            s = hone_map_put(&p->map, ids[i].ptr, ids[i].len, (void *)(uintptr_t)(i + 1), NULL);
    }
    if (s < 0) {
        hone_pick_pool_destroy(p);
        return s;
    }
    *out = p;
    return HONE_OK;
}

void hone_pick_pool_destroy(hone_pick_pool *p)
{
    if (!p)
        return;
    hone_map_release(&p->map);
    hone_free(p->v);
    hone_free(p->signals);
    hone_free(p);
}

/* Was the second candidate shown first? */
static int turned(const hone_value *row)
{
    const hone_value *order = hone_value_get(row, "order");
    return order && order->type == HONE_LIST && order->u.list.n &&
           order->u.list.items[0].type == HONE_I64 && order->u.list.items[0].u.i64 != 0;
}

static void add_juror(seen *v, hone_str spec, double score)
{
    uint64_t h = 5381;
    uint32_t k = 0;
    for (size_t i = 0; i < spec.len; i++)
        h = h * 33 + (unsigned char)spec.ptr[i];
    while (k < v->jurors && v->juror[k] != h)
        k++;
    if (k == JURORS)
        return;
    if (k == v->jurors) {
        v->juror[k] = h;
        v->jurors++;
    }
    v->juror_sum[k] += score;
    v->juror_n[k]++;
}

hone_status hone_pick_pool_add(hone_pick_pool *p, const hone_value *row)
{
    char number[32];
    hone_str id, status, spec;
    double score, entropy;
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a verdict is a map of columns");
    const hone_value *given = hone_value_get(row, "id");
    if (given && given->type == HONE_I64) {
        id.ptr = number;
        id.len = (size_t)snprintf(number, sizeof number, "%lld", (long long)given->u.i64);
    } else {
        HONE_TRY(hone_value_string(row, "id", (hone_str){"", 0}, &id));
    }
    HONE_TRY(hone_value_string(row, "status", (hone_str){"ok", 2}, &status));
    HONE_TRY(hone_value_string(row, "spec", (hone_str){"", 0}, &spec));
    HONE_TRY(hone_value_f64(row, "score", (double)NAN, &score));
    HONE_TRY(hone_value_f64(row, "entropy", (double)NAN, &entropy));
    if (!id.len)
        return hone_fail(HONE_E_INVALID, "the verdict has no id");
    const size_t at = (size_t)(uintptr_t)hone_map_get(&p->map, id.ptr, id.len);
    if (!at)
        return 0;
    seen *v = &p->v[at - 1];
    if (isfinite(entropy)) {
        v->entropy += entropy;
        v->n_entropy++;
    }
    if (!hone_str_eq(status, "ok") || !isfinite(score))
        return 1;
    v->sum += score;
    v->n++;
    if (turned(row)) {
        v->second += score;
        v->n_second++;
    } else {
        v->first += score;
        v->n_first++;
    }
    add_juror(v, spec, score);
    return 1;
}

void hone_pick_pool_fresh(hone_pick_pool *p, size_t item, int fresh)
{
    p->v[item].fresh = fresh;
}

/* The standard deviation of the jurors' means. */
static double apart(const seen *v)
{
    double mean = 0, m2 = 0;
    if (v->jurors < 2)
        return (double)NAN;
    for (uint32_t k = 0; k < v->jurors; k++) {
        const double x = v->juror_sum[k] / v->juror_n[k], d = x - mean;
        mean += d / (k + 1);
        m2 += d * (x - mean);
    }
    return sqrt(m2 / (v->jurors - 1));
}

const double *hone_pick_pool_signals(hone_pick_pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const seen *v = &p->v[i];
        double *s = p->signals + i * HONE_PICK_SIGNALS;
        s[HONE_PICK_ENTROPY] = v->n_entropy ? v->entropy / v->n_entropy : (double)NAN;
        s[HONE_PICK_SWAP] = v->n_first && v->n_second
                                ? fabs(v->first / v->n_first - v->second / v->n_second)
                                : (double)NAN;
        s[HONE_PICK_JURY] = apart(v);
        s[HONE_PICK_THRESHOLD] = v->n ? -fabs(v->sum / v->n - p->threshold) : (double)NAN;
        s[HONE_PICK_POLICY] = v->fresh < 0 ? (double)NAN : v->fresh;
    }
    return p->signals;
}
