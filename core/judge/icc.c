/* icc.c - intraclass correlations: two-way analysis of variance of items by raters.
 *
 * From sums over complete rows: n, the column sums, sum x^2, sum (row sum)^2. Values are moved to their
 * mean and divided by their largest distance from it first, so that squares neither cancel nor
 * overflow; coefficients do not change by that. Source: Shrout & Fleiss 1979, table 2 and 3. */
#include "judge/agreement_private.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

typedef struct icc {
    hone_agree_kind kind;
    size_t k;
} icc;

enum { ROWS, SQUARES, ROW_SQUARES, COLUMNS };

static int coefficient(void *ctx, const double *t, double *out)
{
    const icc *c = ctx;
    double n = t[ROWS], k = (double)c->k, all = 0, columns = 0;
    if (n < 1.5)
        return 0;
    for (size_t j = 0; j < c->k; j++) {
        all += t[COLUMNS + j];
        columns += t[COLUMNS + j] * t[COLUMNS + j];
    }
    double mean = all * all / (n * k), rows = t[ROW_SQUARES] / k;
    double between = fmax(rows - mean, 0), raters = fmax(columns / n - mean, 0);
    double within = fmax(t[SQUARES] - rows, 0), rest = fmax(within - raters, 0);
    double msb = between / (n - 1), msw = within / (n * (k - 1)), msj = raters / (k - 1);
    double mse = rest / ((n - 1) * (k - 1)), top, below;
    switch (c->kind) {
    case HONE_AGREE_ICC1:
        top = msb - msw;
        below = msb + (k - 1) * msw;
        break;
    case HONE_AGREE_ICC1_MEAN:
        top = msb - msw;
        below = msb;
        break;
    case HONE_AGREE_ICC2:
        top = msb - mse;
        below = msb + (k - 1) * mse + k * (msj - mse) / n;
        break;
    case HONE_AGREE_ICC2_MEAN:
        top = msb - mse;
        below = msb + (msj - mse) / n;
        break;
    case HONE_AGREE_ICC3:
        top = msb - mse;
        below = msb + (k - 1) * mse;
        break;
    default:
        top = msb - mse;
        below = msb;
    }
    if (!(below > 1e-13 * (t[SQUARES] / n + 1e-300)))
        return 0;
    *out = top / below;
    return 1;
}

/* The row's values, as they are compared; 0 when one is missing. */
static int row_of(const hone_ratings *r, size_t i, size_t one, double *row)
{
    const double *x = r->x + i * r->raters;
    if (one == r->raters) {
        for (size_t j = 0; j < r->raters; j++) {
            if (isnan(x[j]))
                return 0;
            row[j] = x[j];
        }
        return 1;
    }
    double sum = 0, n = 0;
    for (size_t j = 0; j < r->raters; j++) {
        if (j != one && !isnan(x[j])) {
            n++;
            sum += (x[j] - sum) / n; /* the running mean does not overflow */
        }
    }
    row[0] = x[one];
    row[1] = sum;
    return !isnan(x[one]) && n > 0;
}

hone_status hone__agree_icc(const hone_ratings *r, size_t one, hone_agree_kind kind,
                            const hone_boot *boot, hone_figure *out)
{
    icc c = {.kind = kind, .k = one == r->raters ? r->raters : 2};
    size_t dim = COLUMNS + c.k, used = 0, cells;
    hone__groups g = {NULL, 0, 0, 0};
    uint8_t *use = hone_calloc(r->items, 1);
    double *row = hone_alloc(c.k * sizeof *row), *t = NULL;
    double mean = 0, largest = 0, seen = 0;
    hone_status s = HONE_E_NOMEM;
    if (!use || !row)
        goto done;
    for (size_t i = 0; i < r->items; i++) {
        if (!row_of(r, i, one, row))
            continue;
        use[i] = 1;
        used++;
        for (size_t j = 0; j < c.k; j++)
            mean += row[j] / (double)c.k / (double)r->items;
    }
    mean *= used ? (double)r->items / (double)used : 0;
    for (size_t i = 0; i < r->items; i++)
        for (size_t j = 0; use[i] && row_of(r, i, one, row) && j < c.k; j++)
            largest = fmax(largest, fabs(row[j] - mean));
    s = HONE_OK;
    if (used < 2) {
        *out = hone_figure_none(used, "fewer than two items were rated by every rater");
        goto done;
    }
    if (!(largest > 0) || !isfinite(largest)) {
        *out = hone_figure_none(used, largest > 0
                                          ? "the scores are too large"
                                          : "every rating is the same: no variance to share");
        goto done;
    }
    HONE_TRY_GOTO(
        hone__groups_make(boot ? boot->cluster : NULL, use, r->items, HONE_BOOT_CLUSTERS, &g),
        done);
    t = hone_mul_size(g.groups, dim, &cells) ? hone_calloc(cells, sizeof *t) : NULL;
    if (!t) {
        s = hone_fail(HONE_E_NOMEM, "statistics: no memory for the sums of %zu raters", r->raters);
        goto done;
    }
    for (size_t i = 0; i < r->items; i++) {
        if (!use[i] || !row_of(r, i, one, row))
            continue;
        double *to = t + g.of[i] * dim, sum = 0;
        to[ROWS]++;
        for (size_t j = 0; j < c.k; j++) {
            double x = (row[j] - mean) / largest;
            sum += x;
            to[SQUARES] += x * x;
            to[COLUMNS + j] += x;
        }
        to[ROW_SQUARES] += sum * sum;
        seen++;
    }
    int of_mean = kind == HONE_AGREE_ICC1_MEAN || kind == HONE_AGREE_ICC2_MEAN ||
                  kind == HONE_AGREE_ICC3_MEAN;
    hone__boot_stat stat = {.fn = coefficient,
                            .ctx = &c,
                            .dim = dim,
                            .scale = of_mean ? HONE__SCALE_REST : HONE__SCALE_ATANH,
                            .why = "items do not differ from one another: no variance to share"};
    s = hone__boot_sums(&stat, t, g.groups, boot, (size_t)seen, out);
done:
    hone__groups_release(&g);
    hone_free(use);
    hone_free(row);
    hone_free(t);
    return s;
}
