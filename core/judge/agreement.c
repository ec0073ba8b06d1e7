/* agreement.c - Cohen, Fleiss, Krippendorff, Gwet over pairs and units; see agreement.h.
 *
 * One pass turns ratings into levels, one adds every item to the sums of its group of clusters. What is
 * added is either a pair of columns (kappa needs each pair's margins) or a unit of two ratings or more
 * (the others): an item with all its ratings, or one pair of its ratings when a column is compared with
 * the others. Expected disagreement then costs O(levels) from margins, for the ordinal alpha
 * O(levels^2), whose distances (squared differences of mid-ranks) depend on the margins. */
#include "judge/agreement_private.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

#define MISSING UINT16_MAX
#define MAX_CELLS ((size_t)1 << 24) /* doubles for the sums of all groups */
#define MIN_GROUPS 30

static const char *const names[] = {
#define X(id, name) name,
    HONE_AGREE_KINDS(X)
#undef X
};

const char *hone_agree_name(hone_agree_kind k)
{
    return (unsigned)k < HONE_AGREE_COUNT ? names[k] : "?";
}

int hone_agree_find(const char *name, hone_agree_kind *out)
{
    for (int k = 0; k < HONE_AGREE_COUNT; k++) {
        if (strcmp(names[k], name) == 0) {
            *out = (hone_agree_kind)k;
            return 1;
        }
    }
    return 0;
}

typedef enum meeting { ALL, WITH, OTHERS } meeting; /* which ratings of an item meet */
typedef enum family { PAIRS, UNITS, ALPHA, ALPHA_SQUARE, ALPHA_RANKS } family;
typedef enum weights { NOMINAL, LINEAR, QUADRATIC } weights;

/* A measure over one choice of ratings, and where its sums stand. */
typedef struct measure {
    hone_agree_kind kind;
    family family;
    weights weights;
    meeting which;
    size_t one, raters, q;
    const double *level;   /* [q] */
    const uint32_t *pair;  /* (raters, raters): number of a pair of columns */
    size_t pairs, dim, at; /* at: its first sum */
    double weight_sum;     /* T_w of Gwet: sum of 1 - weight over all pairs of levels */
    double span;           /* the largest squared distance, for the far end of a perfect value */
} measure;

static double weight(const measure *m, size_t i, size_t j)
{
    double d = i > j ? (double)(i - j) : (double)(j - i), q = (double)(m->q - 1);
    if (i == j)
        return 0;
    return m->weights == NOMINAL ? 1 : m->weights == LINEAR ? d / q : d * d / (q * q);
}

static double ratio_distance(double a, double b)
{
    double d = a == b ? 0 : (a - b) / (a + b);
    return d * d;
}

/* ---- adding an item ---- */

enum { P_N, P_OFF, P_MARGINS };            /* PAIRS: for each pair of columns */
enum { U_TWO, U_AGREED, U_ONE, U_SHARES }; /* UNITS */
enum { A_N, A_OFF, A_MARGINS };            /* ALPHA: also ALPHA_SQUARE with sum x, sum x^2 */

static size_t upper(size_t q, size_t c, size_t k) /* index of (c, k), c < k */
{
    return c * q - c * (c + 1) / 2 + (k - c - 1);
}

static void add_pair(const measure *m, double *t, size_t a, size_t b, size_t la, size_t lb)
{
    double *p = t + m->pair[a * m->raters + b] * (P_MARGINS + 2 * m->q);
    p[P_N]++;
    p[P_OFF] += weight(m, la, lb);
    p[P_MARGINS + la]++;
    p[P_MARGINS + m->q + lb]++;
}

/* A unit of n ratings: levels l, values x. */
static void add_unit(const measure *m, double *t, const uint16_t *l, const double *x, size_t n)
{
    double pairs = (double)n * (double)(n - 1), off = 0;
    size_t q = m->q;
    if (n == 0)
        return;
    if (m->family == UNITS) {
        for (size_t i = 0; i < n; i++)
            t[U_SHARES + l[i]] += 1 / (double)n;
        t[U_ONE]++;
        if (n < 2)
            return;
        for (size_t i = 0; i < n; i++)
            for (size_t j = i + 1; j < n; j++)
                off += 2 * weight(m, l[i], l[j]);
        t[U_TWO]++;
        t[U_AGREED] += 1 - off / pairs;
        return;
    }
    if (n < 2)
        return;
    double *margin = t + A_MARGINS;
    t[A_N] += (double)n;
    for (size_t i = 0; i < n; i++) {
        if (m->family == ALPHA_SQUARE) {
            margin[0] += x[i];
            margin[1] += x[i] * x[i];
        } else {
            margin[l[i]]++;
        }
        for (size_t j = i + 1; j < n; j++) {
            double d = x[i] - x[j];
            if (m->family == ALPHA_SQUARE)
                off += 2 * d * d;
            else if (m->family == ALPHA && m->kind == HONE_AGREE_ALPHA_RATIO)
                off += 2 * ratio_distance(m->level[l[i]], m->level[l[j]]);
            else if (m->family == ALPHA)
                off += l[i] != l[j] ? 2 : 0;
            else if (l[i] < l[j])
                margin[q + upper(q, l[i], l[j])] += 2 / (double)(n - 1);
            else if (l[i] > l[j])
                margin[q + upper(q, l[j], l[i])] += 2 / (double)(n - 1);
        }
    }
    t[A_OFF] += off / (double)(n - 1);
}

static int meets(const measure *m, size_t a, size_t b)
{
    return m->which == ALL || (m->which == WITH) == (a == m->one || b == m->one);
}

/* Ratings of an item: columns c[n], levels, values, all of those present. */
static void add_item(const measure *m, double *t, const uint32_t *c, const uint16_t *l,
                     const double *x, size_t n)
{
    if (m->family != PAIRS && m->which == ALL) {
        add_unit(m, t, l, x, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            if (!meets(m, c[i], c[j]))
                continue;
            const uint16_t two[2] = {l[i], l[j]};
            const double values[2] = {x[i], x[j]};
            if (m->family == PAIRS)
                add_pair(m, t, c[i], c[j], l[i], l[j]);
            else
                add_unit(m, t, two, values, 2);
        }
    }
}

/* ---- the coefficient from sums ---- */

/* sum_ij w a_i b_j of two margins that each add up to n */
static double expected(const measure *m, const double *a, const double *b, double n)
{
    double sum = 0, ca = 0, cb = 0, sa = 0, sb = 0, qa = 0, qb = 0, q = (double)(m->q - 1);
    for (size_t k = 0; k < m->q; k++) {
        double at = (double)k;
        sum += a[k] * b[k];
        sa += a[k] * at;
        sb += b[k] * at;
        qa += a[k] * at * at;
        qb += b[k] * at * at;
    }
    if (m->weights == NOMINAL)
        return n * n - sum;
    if (m->weights == QUADRATIC)
        return (n * qa + n * qb - 2 * sa * sb) / (q * q);
    sum = 0;
    for (size_t k = 0; k + 1 < m->q; k++) {
        ca += a[k];
        cb += b[k];
        sum += ca * (n - cb) + cb * (n - ca);
    }
    return sum / q;
}

/* share: so much of all units is as far apart as can be (0 for the value itself) */
static int of_pairs(const measure *m, const double *t, double share, double *out)
{
    double off = 0, chance = 0, n = 0;
    for (size_t p = 0; p < m->pairs; p++) {
        const double *at = t + p * (P_MARGINS + 2 * m->q);
        if (at[P_N] < .5)
            continue;
        n += at[P_N];
        off += at[P_OFF];
        if (m->kind != HONE_AGREE_ACCURACY)
            chance += expected(m, at + P_MARGINS, at + P_MARGINS + m->q, at[P_N]) / at[P_N];
    }
    if (n < .5)
        return 0;
    if (m->kind == HONE_AGREE_ACCURACY) {
        *out = 1 - off / n;
        *out += *out < .5 ? share : -share;
        return 1;
    }
    if (!(chance > 1e-9))
        return 0;
    *out = 1 - (off + share * n) / chance;
    return 1;
}

static int of_units(const measure *m, const double *t, double share, double *out)
{
    double chance = 0, squares = 0, q = (double)m->q;
    if (t[U_TWO] < .5)
        return 0;
    double agreed = t[U_AGREED] / t[U_TWO] - share;
    for (size_t k = 0; k < m->q; k++) {
        double pi = t[U_SHARES + k] / t[U_ONE];
        chance += pi * (1 - pi);
        squares += pi * pi;
    }
    if (m->kind == HONE_AGREE_FLEISS) {
        chance = squares;
    } else {
        chance *= m->weight_sum / (q * (q - 1));
    }
    if (!(1 - chance > 1e-12))
        return 0;
    *out = (agreed - chance) / (1 - chance);
    return 1;
}

static int of_alpha(const measure *m, const double *t, double share, double *out)
{
    double n = t[A_N], off = t[A_OFF], chance = 0, largest = 1;
    const double *margin = t + A_MARGINS;
    size_t q = m->q;
    if (n < 1.5)
        return 0;
    if (m->family == ALPHA_SQUARE) {
        chance = 2 * (n * margin[1] - margin[0] * margin[0]);
        if (!(chance > 1e-13 * n * margin[1]))
            return 0;
        largest = m->span;
    } else if (m->kind == HONE_AGREE_ALPHA_NOMINAL) {
        chance = n * n;
        for (size_t k = 0; k < q; k++)
            chance -= margin[k] * margin[k];
    } else if (m->kind == HONE_AGREE_ALPHA_RATIO) {
        for (size_t c = 0; c < q; c++)
            for (size_t k = c + 1; k < q; k++)
                chance += 2 * margin[c] * margin[k] * ratio_distance(m->level[c], m->level[k]);
        largest = m->span;
    } else {
        double rank[HONE_AGREE_LEVELS], before = 0, sum = 0, squares = 0;
        for (size_t k = 0; k < q; k++) { /* mid-ranks from the middle, so that squares stay small */
            rank[k] = before + margin[k] / 2 - n / 2;
            before += margin[k];
            sum += margin[k] * rank[k];
            squares += margin[k] * rank[k] * rank[k];
        }
        chance = 2 * (n * squares - sum * sum);
        off = 0;
        for (size_t c = 0; c < q; c++)
            for (size_t k = c + 1; k < q; k++) {
                double d = rank[c] - rank[k], count = margin[q + upper(q, c, k)];
                off += count * d * d;
            }
        largest = (rank[q - 1] - rank[0]) * (rank[q - 1] - rank[0]);
    }
    chance /= n - 1;
    if (!(chance > 1e-12 * largest))
        return 0;
    *out = 1 - (off + share * n * largest) / chance;
    return 1;
}

static int of_sums(const measure *m, const double *t, double share, double *out)
{
    t += m->at;
    return m->family == PAIRS   ? of_pairs(m, t, share, out)
           : m->family == UNITS ? of_units(m, t, share, out)
                                : of_alpha(m, t, share, out);
}

typedef struct question {
    measure m[2]; /* m[1]: subtracted */
    size_t n;
} question;

static int answer(void *ctx, const double *t, double *out)
{
    const question *q = ctx;
    double a, b = 0;
    if (!of_sums(&q->m[0], t, 0, &a) || (q->n == 2 && !of_sums(&q->m[1], t, 0, &b)))
        return 0;
    *out = a - b;
    return 1;
}

static int answer_worst(void *ctx, const double *t, double share, double *out)
{
    const question *q = ctx;
    double a, b = 0;
    if (!of_sums(&q->m[0], t, share, &a) || (q->n == 2 && !of_sums(&q->m[1], t, 0, &b)))
        return 0;
    *out = a - b;
    return 1;
}

/* ---- levels ---- */

typedef struct level_set {
    double value[HONE_AGREE_LEVELS];
    size_t n;
} level_set;

static size_t lower(const level_set *v, double x) /* first level >= x */
{
    size_t lo = 0, hi = v->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v->value[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t nearest(const level_set *v, double x)
{
    size_t k = lower(v, x);
    if (k == v->n)
        return v->n - 1;
    return k > 0 && x - v->value[k - 1] <= v->value[k] - x ? k - 1 : k;
}

static const char *find_levels(const hone_ratings *r, size_t cells, int as_found, level_set *v)
{
    v->n = 0;
    if (r->levels && !as_found) {
        if (r->n_levels > HONE_AGREE_LEVELS)
            return "the scale has more than 256 levels";
        for (size_t k = 0; k < r->n_levels; k++) {
            if (!isfinite(r->levels[k]) || (k && r->levels[k] <= r->levels[k - 1]))
                return "the levels of the scale are not ascending numbers";
            v->value[v->n++] = r->levels[k];
        }
    } else {
        for (size_t i = 0; i < cells; i++) {
            if (isnan(r->x[i]))
                continue;
            size_t k = lower(v, r->x[i]);
            if (k < v->n && v->value[k] == r->x[i])
                continue;
            if (v->n == HONE_AGREE_LEVELS)
                return "more than 256 different values are no levels: alpha interval and icc take "
                       "them";
            memmove(v->value + k + 1, v->value + k, (v->n - k) * sizeof *v->value);
            v->value[k] = r->x[i];
            v->n++;
        }
    }
    return v->n < 2 ? "every rating is the same: agreement by chance cannot be told apart" : NULL;
}

/* ---- one question ---- */

typedef struct work {
    const hone_ratings *r;
    level_set levels;
    uint32_t *pair;
    size_t pairs;
    uint8_t *use;
    uint32_t *column; /* scratch of one item */
    uint16_t *level;
    double *x;
    double center, scale; /* of values, for the interval alpha */
    hone__groups g;
    double *t;
} work;

/* The item's ratings into scratch; their number. */
static size_t present(work *w, size_t i, int by_level)
{
    const double *x = w->r->x + i * w->r->raters;
    size_t n = 0;
    for (size_t j = 0; j < w->r->raters; j++) {
        if (isnan(x[j]))
            continue;
        w->column[n] = (uint32_t)j;
        w->level[n] = by_level ? (uint16_t)nearest(&w->levels, x[j]) : 0;
        w->x[n++] = (x[j] - w->center) / w->scale;
    }
    return n;
}

static const char nobody[] = "no item has two ratings that can be compared";
static const char chance_is_all[] =
    "every rating is the same: agreement by chance cannot be told apart";

/* Which items count for the question; also numbers the pairs of columns that meet. */
static size_t choose(work *w, const question *q, int need)
{
    size_t used = 0, raters = w->r->raters;
    size_t at_least = q->m[0].family == UNITS ? 1 : 2; /* one alone still says what is usual */
    for (size_t i = 0; i < w->r->items; i++) {
        size_t n = present(w, i, 0), others = n;
        int has_one = 0;
        for (size_t j = 0; j < n; j++)
            has_one |= need && w->column[j] == q->m[0].one;
        others -= (size_t)has_one;
        w->use[i] = need == 0 ? n >= at_least : has_one && others >= (size_t)need;
        if (!w->use[i])
            continue;
        used += need > 0 || n >= 2;
        for (size_t a = 0; w->pair && a < n; a++) {
            for (size_t b = a + 1; b < n; b++) {
                uint32_t *p = &w->pair[w->column[a] * raters + w->column[b]];
                if (*p == UINT32_MAX)
                    *p = (uint32_t)w->pairs++;
            }
        }
    }
    return used;
}

static void lay_out(measure *m, const work *w, size_t *dim)
{
    size_t q = w->levels.n;
    m->q = q;
    m->raters = w->r->raters;
    m->level = w->levels.value;
    m->pair = w->pair;
    m->pairs = w->pairs;
    m->at = *dim;
    switch (m->family) {
    case PAIRS:
        m->dim = w->pairs * (P_MARGINS + 2 * q);
        break;
    case UNITS:
        m->dim = U_SHARES + q;
        for (size_t i = 0; i < q; i++)
            for (size_t j = 0; j < q; j++)
                m->weight_sum += 1 - weight(m, i, j);
        break;
    case ALPHA:
        m->dim = A_MARGINS + q;
        break;
    case ALPHA_SQUARE:
        m->dim = A_MARGINS + 2;
        break;
    default:
        m->dim = A_MARGINS + q + q * (q - 1) / 2;
    }
    *dim += m->dim;
}

static void describe(measure *m, hone_agree_kind kind, meeting which, size_t one)
{
    *m = (measure){.kind = kind, .which = which, .one = one, .span = 1};
    switch (kind) {
    case HONE_AGREE_ACCURACY:
    case HONE_AGREE_KAPPA:
    case HONE_AGREE_KAPPA_LINEAR:
    case HONE_AGREE_KAPPA_QUADRATIC:
        m->family = PAIRS;
        break;
    case HONE_AGREE_ALPHA_NOMINAL:
    case HONE_AGREE_ALPHA_RATIO:
        m->family = ALPHA;
        break;
    case HONE_AGREE_ALPHA_ORDINAL:
        m->family = ALPHA_RANKS;
        break;
    case HONE_AGREE_ALPHA_INTERVAL:
        m->family = ALPHA_SQUARE;
        break;
    default:
        m->family = UNITS;
    }
    m->weights = kind == HONE_AGREE_KAPPA_LINEAR || kind == HONE_AGREE_AC2_LINEAR ? LINEAR
                 : kind == HONE_AGREE_KAPPA_QUADRATIC || kind == HONE_AGREE_AC2_QUADRATIC
                     ? QUADRATIC
                     : NOMINAL;
}

/* Sets center, scale and span of values; a reason, or NULL. */
static const char *range_of(work *w, question *q, size_t cells)
{
    double lo = 0, hi = 0;
    int any = 0, ratio = q->m[0].kind == HONE_AGREE_ALPHA_RATIO;
    for (size_t i = 0; i < cells; i++) {
        double x = w->r->x[i];
        if (isnan(x))
            continue;
        if (!any || x < lo)
            lo = x;
        if (!any || x > hi)
            hi = x;
        any = 1;
    }
    if (any && (!isfinite(lo) || !isfinite(hi)))
        return "a rating is infinite";
    if (any && ratio && lo < 0)
        return "the ratio alpha is for values that are not negative";
    w->center = lo / 2 + hi / 2;
    w->scale = hi / 2 - lo / 2;
    if (!(w->scale > 0))
        w->scale = 1;
    for (size_t k = 0; k < q->n; k++)
        q->m[k].span = ratio ? (lo + hi > 0 ? ratio_distance(lo, hi) : 1) : 4;
    return NULL;
}

static hone_status ask(const hone_ratings *r, question *q, int need, const hone_boot *boot,
                       hone_figure *out)
{
    work w = {.r = r, .scale = 1};
    size_t cells, square, dim = 0, used, total, max;
    hone_status s = HONE_E_NOMEM;
    int by_level = q->m[0].family != ALPHA_SQUARE;
    const char *why = NULL;
    if (!hone_mul_size(r->items, r->raters, &cells) ||
        !hone_mul_size(r->raters, r->raters, &square))
        return hone_fail(HONE_E_INVALID, "statistics: %zu raters are too many", r->raters);
    w.use = hone_calloc(r->items, 1);
    w.column = hone_alloc(r->raters * sizeof *w.column);
    w.level = hone_alloc(r->raters * sizeof *w.level);
    w.x = hone_alloc(r->raters * sizeof *w.x);
    if (!w.use || !w.column || !w.level || !w.x)
        goto done;
    s = HONE_OK;
    why = range_of(&w, q, cells);
    if (!why && by_level)
        why = find_levels(r, cells, q->m[0].kind == HONE_AGREE_ALPHA_RATIO, &w.levels);
    if (why)
        goto none;
    if (q->m[0].family == PAIRS) {
        size_t bytes;
        w.pair = hone_mul_size(square, sizeof *w.pair, &bytes) ? hone_alloc(bytes) : NULL;
        if (!w.pair) {
            s = hone_fail(HONE_E_NOMEM, "statistics: no memory for pairs of %zu raters", r->raters);
            goto done;
        }
        memset(w.pair, 0xff, bytes);
    }
    used = choose(&w, q, need);
    if (used == 0) {
        why = nobody;
        goto none;
    }
    for (size_t k = 0; k < q->n; k++)
        lay_out(&q->m[k], &w, &dim);
    max = dim < MAX_CELLS / HONE_BOOT_CLUSTERS ? HONE_BOOT_CLUSTERS : MAX_CELLS / dim;
    if (max < MIN_GROUPS) {
        why = "too many pairs of raters by levels for a kappa: use alpha or ac2";
        goto none;
    }
    HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, w.use, r->items, max, &w.g), done);
    total = w.g.groups * dim; /* at most MAX_CELLS */
    w.t = hone_calloc(total, sizeof *w.t);
    if (!w.t) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < r->items; i++) {
        if (!w.use[i])
            continue;
        size_t n = present(&w, i, by_level);
        for (size_t k = 0; k < q->n; k++)
            add_item(&q->m[k], w.t + w.g.of[i] * dim + q->m[k].at, w.column, w.level, w.x, n);
    }
    hone__boot_stat stat = {.fn = answer,
                            .ctx = q,
                            .dim = dim,
                            .scale = q->n == 2                             ? HONE__SCALE_PLAIN
                                     : q->m[0].kind == HONE_AGREE_ACCURACY ? HONE__SCALE_LOGIT
                                                                           : HONE__SCALE_ATANH,
                            .worst = answer_worst,
                            .why = chance_is_all};
    s = hone__boot_sums(&stat, w.t, w.g.groups, boot, used, out);
    goto done;
none:
    *out = hone_figure_none(0, why);
done:
    hone_free(w.use);
    hone_free(w.column);
    hone_free(w.level);
    hone_free(w.x);
    hone_free(w.pair);
    hone_free(w.t);
    hone__groups_release(&w.g);
    return s;
}

static int is_icc(hone_agree_kind kind)
{
    return kind >= HONE_AGREE_ICC1 && kind <= HONE_AGREE_ICC3_MEAN;
}

static hone_status check(const hone_ratings *r, hone_agree_kind kind)
{
    if ((unsigned)kind >= HONE_AGREE_COUNT)
        return hone_fail(HONE_E_INVALID, "statistics: no such measure of agreement");
    if (r->raters > UINT16_MAX)
        return hone_fail(HONE_E_INVALID, "statistics: %zu raters are too many", r->raters);
    return HONE_OK;
}

static int any_infinite(const hone_ratings *r)
{
    for (size_t i = 0; i < r->items * r->raters; i++)
        if (isinf(r->x[i]))
            return 1;
    return 0;
}

hone_status hone_agree_all(const hone_ratings *r, hone_agree_kind kind, const hone_boot *boot,
                           hone_figure *out)
{
    question q = {.n = 1};
    HONE_TRY(check(r, kind));
    if (r->items == 0 || r->raters < 2) {
        *out = hone_figure_none(r->items, r->items ? "one rater alone: nobody to agree with"
                                                   : "there are no ratings");
        return HONE_OK;
    }
    if (is_icc(kind)) {
        if (any_infinite(r)) {
            *out = hone_figure_none(0, "a rating is infinite");
            return HONE_OK;
        }
        return hone__agree_icc(r, r->raters, kind, boot, out);
    }
    describe(&q.m[0], kind, ALL, 0);
    return ask(r, &q, 0, boot, out);
}

hone_status hone_agree_with(const hone_ratings *r, size_t one, hone_agree_kind kind,
                            const hone_boot *boot, hone_figure *out)
{
    question q = {.n = 1};
    HONE_TRY(check(r, kind));
    if (one >= r->raters)
        return hone_fail(HONE_E_INVALID, "statistics: there is no column %zu", one);
    if (r->items == 0 || r->raters < 2) {
        *out = hone_figure_none(r->items, r->items ? "one rater alone: nobody to agree with"
                                                   : "there are no ratings");
        return HONE_OK;
    }
    if (is_icc(kind)) {
        if (any_infinite(r)) {
            *out = hone_figure_none(0, "a rating is infinite");
            return HONE_OK;
        }
        return hone__agree_icc(r, one, kind, boot, out);
    }
    describe(&q.m[0], kind, WITH, one);
    return ask(r, &q, 1, boot, out);
}

hone_status hone_agree_difference(const hone_ratings *r, size_t one, hone_agree_kind kind,
                                  const hone_boot *boot, hone_figure *out)
{
    question q = {.n = 2};
    HONE_TRY(check(r, kind));
    if (one >= r->raters || is_icc(kind))
        return hone_fail(HONE_E_INVALID, is_icc(kind) ? "statistics: icc has no difference"
                                                      : "statistics: there is no such column");
    if (r->items == 0 || r->raters < 3) {
        *out = hone_figure_none(r->items, r->raters < 3
                                              ? "fewer than two experts: they have no agreement"
                                              : "there are no ratings");
        return HONE_OK;
    }
    describe(&q.m[0], kind, WITH, one);
    describe(&q.m[1], kind, OTHERS, one);
    return ask(r, &q, 2, boot, out);
}

hone_figure hone_agree_fleiss_table(const double *counts, size_t items, size_t levels)
{
    double agreed = 0, chance = 0, units = 0;
    for (size_t i = 0; i < items; i++) {
        double n = 0, same = 0;
        for (size_t k = 0; k < levels; k++) {
            double c = counts[i * levels + k];
            if (!(c >= 0) || isinf(c))
                return hone_figure_none(items, "a count is negative, infinite or missing");
            n += c;
            same += c * (c - 1);
        }
        if (n >= 2) {
            agreed += same / (n * (n - 1));
            units++;
        }
    }
    if (!(units > 0))
        return hone_figure_none(items, nobody);
    for (size_t k = 0; k < levels; k++) {
        double pi = 0, rated = 0;
        for (size_t i = 0; i < items; i++) {
            double n = 0;
            for (size_t j = 0; j < levels; j++)
                n += counts[i * levels + j];
            if (n > 0) {
                pi += counts[i * levels + k] / n;
                rated++;
            }
        }
        chance += pi / rated * (pi / rated);
    }
    agreed /= units;
    if (!(1 - chance > 1e-12))
        return hone_figure_none(items, chance_is_all);
    return hone_figure_value((agreed - chance) / (1 - chance), (size_t)units, NULL);
}
