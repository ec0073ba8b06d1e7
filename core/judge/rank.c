/* rank.c - tau-b, Spearman, pairwise accuracy; see rank.h.
 *
 * Rows are sorted once by (x, y). Counting pairs then is a walk over x with a Fenwick tree over the
 * ranks of y: O(n log n), with a weight for each row, so that leaving a cluster out is a walk with
 * weights of zero. Within groups each group is counted by itself and its counts are sums. */
#include "judge/rank.h"

#include "base/alloc.h"
#include "judge/boot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WALKS 2e9          /* steps of all walks together, for the number of groups */
#define EPSILON_ROWS 20000 /* pairs are then looked at one by one */

typedef struct row {
    double x, y;
    uint32_t rank_x, rank_y; /* 0, 1, ... of the distinct values */
    uint32_t group;
} row;

typedef struct ranks {
    row *rows;
    size_t n, distinct_x, distinct_y;
    double *tree, *of_x, *of_y; /* scratch: weight by rank */
} ranks;

static void release(ranks *r)
{
    hone_free(r->rows);
    hone_free(r->tree);
    hone_free(r->of_x);
    hone_free(r->of_y);
}

static int by_y(const void *a, const void *b)
{
    const row *p = a, *q = b;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    return p->x < q->x ? -1 : p->x > q->x;
}

static int by_x(const void *a, const void *b)
{
    const row *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->y < q->y ? -1 : p->y > q->y;
}

static int by_group(const void *a, const void *b)
{
    const row *p = a, *q = b;
    if (p->group != q->group)
        return p->group < q->group ? -1 : 1;
    return by_x(a, b);
}

/* Ranks of y, then of x, of n rows, which are left sorted by (x, y). */
static void rank_rows(row *rows, size_t n, size_t *distinct_x, size_t *distinct_y)
{
    uint32_t k = 0;
    if (n == 0) {
        *distinct_x = *distinct_y = 0;
        return;
    }
    qsort(rows, n, sizeof *rows, by_y);
    for (size_t i = 0; i < n; i++)
        rows[i].rank_y = k += i > 0 && rows[i].y != rows[i - 1].y;
    *distinct_y = (size_t)k + 1;
    qsort(rows, n, sizeof *rows, by_x);
    k = 0;
    for (size_t i = 0; i < n; i++)
        rows[i].rank_x = k += i > 0 && rows[i].x != rows[i - 1].x;
    *distinct_x = (size_t)k + 1;
}

/* The rows that have both scores; *why when a score is infinite. */
static hone_status collect(const double *x, const double *y, size_t n, ranks *r, uint8_t *use,
                           const char **why)
{
    *why = NULL;
    *r = (ranks){NULL};
    for (size_t i = 0; i < n; i++) {
        use[i] = !isnan(x[i]) && !isnan(y[i]);
        r->n += use[i];
        if (isinf(x[i]) || isinf(y[i]))
            *why = "a score is infinite";
    }
    size_t bytes;
    if (!hone_mul_size(r->n, sizeof *r->rows, &bytes))
        return hone_fail(HONE_E_INVALID, "statistics: %zu rows are too many", n);
    r->rows = hone_alloc(bytes);
    return r->rows ? HONE_OK : HONE_E_NOMEM;
}

static void fill(ranks *r, const double *x, const double *y, size_t n, const uint8_t *use,
                 const hone__groups *g)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (use[i])
            r->rows[k++] = (row){.x = x[i], .y = y[i], .group = g->of[i]};
}

static hone_status scratch(ranks *r, size_t n)
{
    r->tree = hone_calloc(n + 1, sizeof *r->tree);
    r->of_x = hone_calloc(n + 1, sizeof *r->of_x);
    r->of_y = hone_calloc(n + 1, sizeof *r->of_y);
    return r->tree && r->of_x && r->of_y ? HONE_OK : HONE_E_NOMEM;
}

/* ---- counting pairs ---- */

enum { C_PAIRS, C_NET, C_TIED_X, C_TIED_Y, C_TIED_BOTH, C_DIM }; /* NET: concordant - discordant */

static double weight_of(const row *r, const double *w)
{
    return w ? w[r->group] : 1;
}

/* Counts of n rows sorted by (x, y), ranked among themselves; tree, of_y: scratch of distinct_y. */
static void count_pairs(const row *rows, size_t n, size_t distinct_y, const double *w, double *tree,
                        double *of_y, double *c)
{
    double total = 0, squares = 0, net = 0, tied_x = 0, tied_y = 0, both = 0, seen = 0;
    memset(tree, 0, (distinct_y + 1) * sizeof *tree);
    memset(of_y, 0, (distinct_y + 1) * sizeof *of_y);
    for (size_t from = 0, to; from < n; from = to) {
        double here = 0, here_squares = 0;
        for (to = from; to < n && rows[to].rank_x == rows[from].rank_x; to++) {
            /* against all rows with a smaller x: below this y, and above it */
            double below = 0, at = of_y[rows[to].rank_y], v = weight_of(&rows[to], w);
            for (size_t k = rows[to].rank_y; k > 0; k &= k - 1)
                below += tree[k];
            net += v * (below - (seen - below - at));
            here += v;
            here_squares += v * v;
        }
        for (size_t i = from, end; i < to; i = end) {
            double same = 0, same_squares = 0;
            for (end = i; end < to && rows[end].rank_y == rows[i].rank_y; end++) {
                double v = weight_of(&rows[end], w);
                same += v;
                same_squares += v * v;
            }
            both += (same * same - same_squares) / 2;
            of_y[rows[i].rank_y] += same;
            for (size_t k = rows[i].rank_y + (size_t)1; k <= distinct_y; k += k & (~k + 1))
                tree[k] += same;
        }
        tied_x += (here * here - here_squares) / 2;
        total += here;
        squares += here_squares;
        seen = total;
    }
    for (size_t k = 0; k < distinct_y; k++)
        tied_y += of_y[k] * of_y[k];
    c[C_PAIRS] = (total * total - squares) / 2;
    c[C_NET] = net;
    c[C_TIED_X] = tied_x;
    c[C_TIED_Y] = (tied_y - squares) / 2;
    c[C_TIED_BOTH] = both;
}

static int tau_of(const double *c, double *out)
{
    double a = c[C_PAIRS] - c[C_TIED_X], b = c[C_PAIRS] - c[C_TIED_Y];
    if (!(a > .5) || !(b > .5))
        return 0;
    double tau = c[C_NET] / (sqrt(a) * sqrt(b));
    *out = tau > 1 ? 1 : tau < -1 ? -1 : tau;
    return 1;
}

static int accuracy_of(const double *c, hone_rank_ties ties, double *out)
{
    double both = c[C_TIED_BOTH], apart = c[C_PAIRS] - c[C_TIED_X] - c[C_TIED_Y] + both;
    double right = (apart + c[C_NET]) / 2;
    if (ties == HONE_RANK_TIES_BOTH) {
        if (!(c[C_PAIRS] > .5))
            return 0;
        *out = (right + both) / c[C_PAIRS];
    } else {
        double ordered = c[C_PAIRS] - c[C_TIED_Y];
        if (!(ordered > .5))
            return 0;
        *out = (right + (c[C_TIED_X] - both) / 2) / ordered;
    }
    *out = fmin(fmax(*out, 0), 1);
    return 1;
}

/* ---- over all pairs ---- */

typedef struct whole {
    ranks r;
    int spearman, pearson, accuracy;
    hone_rank_ties ties;
} whole;

static void mid_ranks(const ranks *r, const double *w, int of_x, double *out, size_t distinct)
{
    double before = 0;
    memset(out, 0, distinct * sizeof *out);
    for (size_t i = 0; i < r->n; i++)
        out[of_x ? r->rows[i].rank_x : r->rows[i].rank_y] += weight_of(&r->rows[i], w);
    for (size_t k = 0; k < distinct; k++) {
        double at = out[k];
        out[k] = before + at / 2;
        before += at;
    }
}

static int spearman_of(const ranks *r, const double *w, double *out)
{
    double n = 0, xx = 0, yy = 0, xy = 0;
    mid_ranks(r, w, 1, r->of_x, r->distinct_x);
    mid_ranks(r, w, 0, r->of_y, r->distinct_y);
    for (size_t i = 0; i < r->n; i++)
        n += weight_of(&r->rows[i], w);
    for (size_t i = 0; i < r->n; i++) {
        double v = weight_of(&r->rows[i], w);
        double a = r->of_x[r->rows[i].rank_x] - n / 2, b = r->of_y[r->rows[i].rank_y] - n / 2;
        xx += v * a * a;
        yy += v * b * b;
        xy += v * a * b;
    }
    if (!(xx > 1e-9) || !(yy > 1e-9))
        return 0;
    double rho = xy / (sqrt(xx) * sqrt(yy));
    *out = rho > 1 ? 1 : rho < -1 ? -1 : rho;
    return 1;
}

/* Rows are centred on the plain mean first, so that far-off scores lose no digits. */
static int pearson_of(const ranks *r, const double *w, double *out)
{
    double n = 0, mx = 0, my = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < r->n; i++) {
        mx += r->rows[i].x / (double)r->n;
        my += r->rows[i].y / (double)r->n;
    }
    for (size_t i = 0; i < r->n; i++) {
        double v = weight_of(&r->rows[i], w), a = r->rows[i].x - mx, b = r->rows[i].y - my;
        n += v;
        x += v * a;
        y += v * b;
        xx += v * a * a;
        yy += v * b * b;
        xy += v * a * b;
    }
    if (!(n > 0))
        return 0;
    double cx = xx - x * x / n, cy = yy - y * y / n;
    if (!(cx > 1e-14 * xx) || !(cy > 1e-14 * yy))
        return 0;
    double rho = (xy - x * y / n) / (sqrt(cx) * sqrt(cy));
    *out = rho > 1 ? 1 : rho < -1 ? -1 : rho;
    return isfinite(rho);
}

static int whole_value(void *ctx, const double *w, double *out)
{
    whole *h = ctx;
    double c[C_DIM];
    if (h->spearman)
        return spearman_of(&h->r, w, out);
    if (h->pearson)
        return pearson_of(&h->r, w, out);
    count_pairs(h->r.rows, h->r.n, h->r.distinct_y, w, h->r.tree, h->r.of_y, c);
    return h->accuracy ? accuracy_of(c, h->ties, out) : tau_of(c, out);
}

static const char constant[] = "one of the two scores is the same everywhere: there is no order";
static const char no_pairs[] = "no pair of rows can be compared";

static hone_status over_all(const double *x, const double *y, size_t n, whole *h,
                            const hone_boot *boot, hone_figure *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    uint8_t *use = hone_alloc(n);
    const char *why;
    hone_status s = HONE_E_NOMEM;
    h->r = (ranks){NULL};
    if (!use)
        return s;
    HONE_TRY_GOTO(collect(x, y, n, &h->r, use, &why), done);
    if (why || h->r.n < 2) {
        *out = hone_figure_none(h->r.n, why ? why : "fewer than two rows have both scores");
        goto done;
    }
    /* a walk a group; fewer groups when walks are long */
    double groups = WALKS / ((double)h->r.n * 20);
    size_t max = groups > HONE_BOOT_CLUSTERS ? HONE_BOOT_CLUSTERS
                 : groups < 30               ? 30
                                             : (size_t)groups;
    HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, use, n, max, &g), done);
    fill(&h->r, x, y, n, use, &g);
    rank_rows(h->r.rows, h->r.n, &h->r.distinct_x, &h->r.distinct_y);
    HONE_TRY_GOTO(scratch(&h->r, h->r.n), done);
    hone__boot_stat stat = {.fn = whole_value,
                            .ctx = h,
                            .scale = h->accuracy ? HONE__SCALE_LOGIT : HONE__SCALE_ATANH,
                            .why = h->accuracy ? no_pairs : constant};
    s = hone__boot_weights(&stat, g.groups, boot, h->r.n, out);
    if (s >= 0 && h->accuracy && !out->why)
        out->n = h->r.n * (h->r.n - 1) / 2;
done:
    hone_free(use);
    release(&h->r);
    hone__groups_release(&g);
    return s;
}

hone_status hone_rank_tau_b(const double *x, const double *y, size_t n, const hone_boot *boot,
                            hone_figure *out)
{
    whole h = {.spearman = 0};
    return over_all(x, y, n, &h, boot, out);
}

hone_status hone_rank_spearman(const double *x, const double *y, size_t n, const hone_boot *boot,
                               hone_figure *out)
{
    whole h = {.spearman = 1};
    return over_all(x, y, n, &h, boot, out);
}

hone_status hone_rank_pearson(const double *x, const double *y, size_t n, const hone_boot *boot,
                              hone_figure *out)
{
    whole h = {.pearson = 1};
    return over_all(x, y, n, &h, boot, out);
}

/* ---- within groups ---- */

typedef struct within {
    int accuracy;
    hone_rank_ties ties;
} within;

static int within_value(void *ctx, const double *c, double *out)
{
    const within *q = ctx;
    return q->accuracy ? accuracy_of(c, q->ties, out) : tau_of(c, out);
}

/* As many pairs wrong as a share of all. */
static int within_worst(void *ctx, const double *c, double share, double *out)
{
    double v;
    if (!within_value(ctx, c, &v))
        return 0;
    double off = ((const within *)ctx)->accuracy ? share : 2 * share;
    *out = v > .5 ? v - off : v + off;
    return 1;
}

/* Pairs of rows[n] one by one, x tied within epsilon. */
static void count_near(const row *rows, size_t n, double epsilon, double *c)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            double dx = rows[i].x - rows[j].x, dy = rows[i].y - rows[j].y;
            int tx = fabs(dx) <= epsilon, ty = dy == 0;
            c[C_PAIRS]++;
            c[C_TIED_X] += tx;
            c[C_TIED_Y] += ty;
            c[C_TIED_BOTH] += tx && ty;
            if (!tx && !ty)
                c[C_NET] += (dx > 0) == (dy > 0) ? 1 : -1;
        }
    }
}

static hone_status in_groups(const double *x, const double *y, const uint64_t *group, size_t n,
                             double epsilon, within *q, const hone_boot *boot, hone_figure *out)
{
    hone__groups g = {NULL, 0, 0, 0}, boxes = {NULL, 0, 0, 0};
    ranks r = {NULL};
    uint8_t *use = hone_alloc(n);
    double *t = NULL, pairs = 0;
    uint32_t *box = NULL;
    const char *why;
    hone_status s = HONE_E_NOMEM;
    if (!use)
        return s;
    HONE_TRY_GOTO(collect(x, y, n, &r, use, &why), done);
    if (why) {
        *out = hone_figure_none(r.n, why);
        goto done;
    }
    HONE_TRY_GOTO(hone__groups_make(group, use, n, UINT32_MAX - 1, &g), done);
    HONE_TRY_GOTO(hone__groups_make(boot && boot->cluster ? boot->cluster : group, use, n,
                                    HONE_BOOT_CLUSTERS, &boxes),
                  done);
    fill(&r, x, y, n, use, &g);
    HONE_TRY_GOTO(scratch(&r, r.n), done);
    t = hone_calloc(boxes.groups, C_DIM * sizeof *t);
    box = hone_alloc(g.groups * sizeof *box);
    if (!t || !box) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        if (use[i])
            box[g.of[i]] = boxes.of[i]; /* the cluster of a group is that of its rows */
    if (r.n)
        qsort(r.rows, r.n, sizeof *r.rows, by_group);
    for (size_t from = 0, to; from < r.n; from = to) {
        size_t dx, dy;
        double c[C_DIM] = {0}, *sum = t + box[r.rows[from].group] * C_DIM;
        for (to = from; to < r.n && r.rows[to].group == r.rows[from].group; to++)
            ;
        if (epsilon > 0 && to - from > EPSILON_ROWS) {
            *out = hone_figure_none(r.n, "more than 20,000 rows in one group: ties within epsilon "
                                         "are looked for pair by pair");
            goto done;
        }
        if (epsilon > 0) {
            count_near(r.rows + from, to - from, epsilon, c);
        } else {
            rank_rows(r.rows + from, to - from, &dx, &dy);
            count_pairs(r.rows + from, to - from, dy, NULL, r.tree, r.of_y, c);
        }
        for (size_t k = 0; k < C_DIM; k++)
            sum[k] += c[k];
        pairs += c[C_PAIRS];
    }
    hone__boot_stat stat = {.fn = within_value,
                            .ctx = q,
                            .dim = C_DIM,
                            .scale = q->accuracy ? HONE__SCALE_LOGIT : HONE__SCALE_ATANH,
                            .worst = within_worst,
                            .why = q->accuracy ? no_pairs : constant};
    s = hone__boot_sums(&stat, t, boxes.groups, boot, pairs < 9e15 ? (size_t)pairs : 0, out);
done:
    hone_free(use);
    hone_free(t);
    hone_free(box);
    release(&r);
    hone__groups_release(&g);
    hone__groups_release(&boxes);
    return s;
}

hone_status hone_rank_tau_b_within(const double *x, const double *y, const uint64_t *group,
                                   size_t n, const hone_boot *boot, hone_figure *out)
{
    within q = {.accuracy = 0};
    return in_groups(x, y, group, n, 0, &q, boot, out);
}

/* ---- pairwise accuracy over all pairs, ties within epsilon ---- */

typedef struct table {
    const double *c; /* (groups, groups, C_DIM): pairs with one row in each, upper triangle */
    size_t groups;
    hone_rank_ties ties;
} table;

static int table_value(void *ctx, const double *w, double *out)
{
    const table *q = ctx;
    double c[C_DIM] = {0};
    for (size_t a = 0; a < q->groups; a++) {
        for (size_t b = a; b < q->groups && w[a] > 0; b++) {
            const double *at = q->c + (a * q->groups + b) * C_DIM;
            for (size_t k = 0; k < C_DIM; k++)
                c[k] += w[a] * w[b] * at[k];
        }
    }
    return accuracy_of(c, q->ties, out);
}

static hone_status near_pairs(const double *x, const double *y, size_t n, double epsilon,
                              hone_rank_ties ties, const hone_boot *boot, hone_figure *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    ranks r = {NULL};
    table q = {.ties = ties};
    uint8_t *use = hone_alloc(n);
    double *c = NULL;
    const char *why;
    hone_status s = HONE_E_NOMEM;
    if (!use)
        return s;
    HONE_TRY_GOTO(collect(x, y, n, &r, use, &why), done);
    if (!why && r.n > EPSILON_ROWS)
        why = "more than 20,000 rows: ties within epsilon are looked for pair by pair";
    if (why) {
        *out = hone_figure_none(r.n, why);
        goto done;
    }
    HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, use, n, 200, &g), done);
    fill(&r, x, y, n, use, &g);
    q.groups = g.groups;
    q.c = c = hone_calloc(g.groups * g.groups, C_DIM * sizeof *c);
    if (!c) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < r.n; i++) {
        for (size_t j = i + 1; j < r.n; j++) {
            const row two[2] = {r.rows[i], r.rows[j]};
            size_t a = two[0].group, b = two[1].group;
            count_near(two, 2, epsilon, c + ((a < b ? a : b) * g.groups + (a < b ? b : a)) * C_DIM);
        }
    }
    hone__boot_stat stat = {
        .fn = table_value, .ctx = &q, .scale = HONE__SCALE_LOGIT, .why = no_pairs};
    s = hone__boot_weights(&stat, g.groups, boot, r.n, out);
    if (s >= 0 && !out->why)
        out->n = r.n * (r.n - 1) / 2;
done:
    hone_free(use);
    hone_free(c);
    release(&r);
    hone__groups_release(&g);
    return s;
}

hone_status hone_rank_pairwise(const double *x, const double *y, const uint64_t *group, size_t n,
                               double epsilon, hone_rank_ties ties, const hone_boot *boot,
                               hone_figure *out)
{
    if (!(epsilon >= 0) || isinf(epsilon))
        return hone_fail(HONE_E_INVALID, "statistics: epsilon is not a number from 0 on");
    if (group) {
        within q = {.accuracy = 1, .ties = ties};
        return in_groups(x, y, group, n, epsilon, &q, boot, out);
    }
    if (epsilon > 0)
        return near_pairs(x, y, n, epsilon, ties, boot, out);
    whole h = {.accuracy = 1, .ties = ties};
    return over_all(x, y, n, &h, boot, out);
}
