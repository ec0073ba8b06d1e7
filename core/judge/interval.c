/* interval.c - means, shares, corrected prevalence, PPI++; see interval.h. */
#include "judge/boot.h"
#include "judge/dist.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

static const char infinite[] = "a value is infinite";
static const char empty[] = "there are no values";

static const uint64_t *clusters_of(const hone_boot *boot)
{
    return boot ? boot->cluster : NULL;
}

/* ---- means and ratios ---- */

enum { S_N, S_TOP, S_BELOW, S_DIM };

static int quotient(void *ctx, const double *t, double *out)
{
    (void)ctx;
    if (!(t[S_BELOW] > 0))
        return 0;
    *out = t[S_TOP] / t[S_BELOW];
    return 1;
}

/* sum top/sum below over rows where both are there; below NULL: 1. */
static hone_status ratio(const double *top, const double *minus, const double *below, size_t n,
                         const hone_boot *boot, hone_figure *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    uint8_t *use = hone_calloc(n, 1);
    double *t = NULL, center = 0;
    size_t used = 0;
    hone_status s = HONE_OK;
    if (!use)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        double x = minus ? top[i] - minus[i] : top[i], d = below ? below[i] : 1;
        if (isinf(top[i]) || (minus && isinf(minus[i])) || isinf(d) || d < 0) {
            *out = hone_figure_none(0, d < 0 ? "a denominator is negative" : infinite);
            goto done;
        }
        use[i] = !isnan(x) && !isnan(d);
        if (use[i])
            center += (x - center) / (double)++used;
    }
    if (used == 0 || !isfinite(center)) {
        *out = hone_figure_none(used, used ? "the values are too large" : empty);
        goto done;
    }
    if (below)
        center = 0;
    HONE_TRY_GOTO(hone__groups_make(clusters_of(boot), use, n, HONE_BOOT_CLUSTERS, &g), done);
    t = hone_calloc(g.groups, S_DIM * sizeof *t);
    if (!t) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (!use[i])
            continue;
        double *to = t + g.of[i] * S_DIM;
        to[S_N]++;
        to[S_TOP] += (minus ? top[i] - minus[i] : top[i]) - center;
        to[S_BELOW] += below ? below[i] : 1;
    }
    hone__boot_stat stat = {
        .fn = quotient, .dim = S_DIM, .why = "the denominators add up to nothing"};
    hone_figure f;
    s = hone__boot_sums(&stat, t, g.groups, boot, used, &f);
    if (s >= 0) {
        *out = f.why ? f : hone_figure_of(f.value + center, f.lo + center, f.hi + center, used);
        out->note = f.note;
    }
done:
    hone_free(use);
    hone_free(t);
    hone__groups_release(&g);
    return s;
}

hone_status hone_interval_mean(const double *x, size_t n, const hone_boot *boot, hone_figure *out)
{
    return ratio(x, NULL, NULL, n, boot, out);
}

hone_status hone_interval_difference(const double *a, const double *b, size_t n,
                                     const hone_boot *boot, hone_figure *out)
{
    return ratio(a, b, NULL, n, boot, out);
}

hone_status hone_interval_ratio(const double *num, const double *den, size_t n,
                                const hone_boot *boot, hone_figure *out)
{
    return ratio(num, NULL, den, n, boot, out);
}

/* ---- shares ---- */

/* Wilson's interval around `center` hits of n with the factor z. */
static hone_figure wilson(double p, double n, double z, size_t shown)
{
    double z2 = z * z, middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return hone_figure_of(p, fmax(middle - half, 0), fmin(middle + half, 1), shown);
}

hone_figure hone_interval_wilson(double hits, double n, double level)
{
    if (!(n > 0) || isinf(n) || !(hits >= 0) || hits > n * (1 + 1e-12))
        return hone_figure_none(0, n == 0 ? empty : "no such share: hits are not within the count");
    double z = hone_dist_two_sided(level, (double)INFINITY);
    return wilson(fmin(hits / n, 1), n, z, n < 9e15 ? (size_t)(n + .5) : (size_t)9e15);
}

/* A share with what its clusters make of it. */
typedef struct share {
    double p, n, effective; /* effective <= n */
    double clusters, df;
} share;

/* hit[i] of the rows with use[i]; variance of the ratio over clusters against that of independent
 * rows. Groups are not limited: this costs one pass. */
static hone_status share_of(const double *x, const uint8_t *use, size_t n, const uint64_t *cluster,
                            share *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    double *u = NULL, hits = 0, rows = 0;
    hone_status s = HONE_OK;
    for (size_t i = 0; i < n; i++) {
        if (use[i]) {
            rows++;
            hits += x[i] != 0;
        }
    }
    *out = (share){.p = rows > 0 ? hits / rows : 0,
                   .n = rows,
                   .effective = rows,
                   .clusters = rows,
                   .df = (double)INFINITY};
    if (!cluster || rows < 1)
        return HONE_OK;
    HONE_TRY_GOTO(hone__groups_make(cluster, use, n, UINT32_MAX - 1, &g), done);
    u = hone_calloc(g.groups, sizeof *u);
    if (!u) {
        s = HONE_E_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        if (use[i])
            u[g.of[i]] += ((x[i] != 0) - out->p) / rows;
    double variance = hone__boot_variance(u, g.groups), plain = out->p * (1 - out->p) / rows;
    out->clusters = (double)g.groups;
    if (variance > plain) { /* else the rows vary as independent ones do, and count as such */
        out->effective = rows * plain / variance;
        out->df = out->clusters - 1;
    }
done:
    hone_free(u);
    hone__groups_release(&g);
    return s;
}

hone_status hone_interval_share(const double *x, size_t n, const hone_boot *boot, hone_figure *out)
{
    uint8_t *use = hone_calloc(n, 1);
    share h;
    int any_infinite = 0;
    if (!use)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        use[i] = !isnan(x[i]);
        any_infinite |= isinf(x[i]) != 0;
    }
    hone_status s = share_of(x, use, n, clusters_of(boot), &h);
    hone_free(use);
    if (s < 0)
        return s;
    if (any_infinite || h.n < 1)
        *out = hone_figure_none(0, any_infinite ? infinite : empty);
    else if (!boot || h.clusters < HONE_BOOT_MIN_CLUSTERS)
        *out = hone_figure_value(h.p, (size_t)h.n,
                                 boot ? "no interval: fewer than 5 prompts" : NULL);
    else
        *out = wilson(h.p, h.effective, hone_dist_two_sided(hone__boot_level(boot), h.df),
                      (size_t)h.n);
    return HONE_OK;
}

/* ---- corrected prevalence ---- */

static int counts_hold(double hits, double n)
{
    return hits >= 0 && n > 0 && isfinite(n) && hits <= n * (1 + 1e-12);
}

/* df: degrees of freedom of p, q1 and q0 (infinite: independent items); those of the sum are
 * Satterthwaite's. */
static hone_figure corrected(const hone_prevalence *in, double level, const double df[3])
{
    size_t shown = (size_t)fmin(in->positives + in->negatives + .5, 9e15);
    double p = in->hits / in->n, q1 = in->true_pos / in->positives;
    double q0 = in->true_neg / in->negatives, z = hone_dist_two_sided(level, (double)INFINITY);
    if (!(q0 + q1 - 1 > 1e-9))
        return hone_figure_none(shown,
                                "the judge is no better than chance: nothing can be corrected");
    double theta = fmin(fmax((p + q0 - 1) / (q0 + q1 - 1), 0), 1);
    double n = in->n + z * z, m1 = in->positives + 2, m0 = in->negatives + 2;
    double pp = (in->hits + z * z / 2) / n, s1 = (in->true_pos + 1) / m1;
    double s0 = (in->true_neg + 1) / m0, youden = s0 + s1 - 1;
    if (!(youden > 1e-9))
        return hone_figure_value(theta, shown,
                                 "no interval: the judge may be no better than chance");
    double at = (pp + s0 - 1) / youden, v1 = s1 * (1 - s1) / m1, v0 = s0 * (1 - s0) / m0;
    double shift = 2 * z * z * (at * v1 - (1 - at) * v0);
    const double part[3] = {pp * (1 - pp) / n, at * at * v1, (1 - at) * (1 - at) * v0};
    double sum = part[0] + part[1] + part[2], shared = 0;
    for (int k = 0; k < 3; k++)
        shared += part[k] * part[k] / df[k];
    double half = hone_dist_two_sided(level, shared > 0 ? sum * sum / shared : (double)INFINITY) *
                  sqrt(sum) / youden;
    double lo = fmin(fmax(at + shift - half, 0), 1), hi = fmin(fmax(at + shift + half, 0), 1);
    return hone_figure_of(theta, lo, hi, shown);
}

hone_figure hone_prevalence_corrected(const hone_prevalence *in, double level)
{
    if (!counts_hold(in->hits, in->n))
        return hone_figure_none(0, "no item was judged");
    if (!counts_hold(in->true_pos, in->positives) || !counts_hold(in->true_neg, in->negatives))
        return hone_figure_none(0, "experts gave one class only: what the judge gets wrong in the "
                                   "other is unknown");
    const double open = (double)INFINITY, df[3] = {open, open, open};
    return corrected(in, level, df);
}

hone_status hone_prevalence_estimate(const double *judge, const double *expert, size_t n,
                                     const double *judge_more, size_t n_more,
                                     const uint64_t *cluster_more, const hone_boot *boot,
                                     hone_figure *out)
{
    size_t rows = n > n_more ? n : n_more;
    uint8_t *use = hone_calloc(rows, 1);
    double *wrong = hone_alloc(rows * sizeof *wrong);
    share all, pos, neg;
    hone_status s = HONE_E_NOMEM;
    size_t labelled = 0, more = 0;
    if (!use || !wrong)
        goto done;
    for (size_t i = 0; i < n_more; i++) {
        use[i] = !isnan(judge_more[i]);
        more += use[i];
    }
    HONE_TRY_GOTO(share_of(judge_more, use, n_more, cluster_more, &all), done);
    for (int yes = 0; yes < 2; yes++) {
        for (size_t i = 0; i < n; i++) {
            use[i] = !isnan(judge[i]) && !isnan(expert[i]) && (expert[i] != 0) == yes;
            wrong[i] = yes ? judge[i] : judge[i] == 0;
            labelled += use[i];
        }
        HONE_TRY_GOTO(share_of(wrong, use, n, clusters_of(boot), yes ? &pos : &neg), done);
    }
    if (more == 0) {
        for (size_t i = 0; i < n; i++)
            wrong[i] = isnan(judge[i]) ? (double)NAN : expert[i];
        HONE_TRY_GOTO(hone_interval_share(wrong, n, boot, out), done);
        if (!out->why)
            out->note = "no verdicts beyond the labelled items: the share of the labels themselves";
        goto done;
    }
    s = HONE_OK;
    hone_prevalence in = {.hits = all.p * all.effective,
                          .n = all.effective,
                          .true_pos = pos.p * pos.effective,
                          .positives = pos.effective,
                          .true_neg = neg.p * neg.effective,
                          .negatives = neg.effective};
    if (!counts_hold(in.true_pos, in.positives) || !counts_hold(in.true_neg, in.negatives)) {
        *out = hone_prevalence_corrected(&in, 0);
        goto done;
    }
    const double df[3] = {all.df, pos.df, neg.df};
    *out = corrected(&in, hone__boot_level(boot), df);
    if (!boot && !out->why)
        *out = hone_figure_value(out->value, labelled, NULL);
    else if (!out->why &&
             fmin(all.clusters, fmax(pos.clusters, neg.clusters)) < HONE_BOOT_MIN_CLUSTERS)
        *out = hone_figure_value(out->value, labelled, "no interval: fewer than 5 prompts");
    out->n = labelled;
done:
    hone_free(use);
    hone_free(wrong);
    return s;
}

/* ---- prediction-powered mean ---- */

typedef struct moments {
    double n, mean;
} moments;

static void add(moments *m, double x)
{
    m->n++;
    m->mean += (x - m->mean) / m->n;
}

/* Both sets in one numbering, so that a prompt with labelled and other rows is one cluster. */
static hone_status joint_groups(const uint64_t *a, size_t n, const uint64_t *b, size_t n_more,
                                const uint8_t *use, hone__groups *out)
{
    size_t all, bytes;
    uint64_t *ids = NULL;
    if (!hone_add_size(n, n_more, &all) || !hone_mul_size(all, sizeof *ids, &bytes))
        return hone_fail(HONE_E_INVALID, "statistics: %zu rows are too many", n_more);
    if (!a && !b)
        return hone__groups_make(NULL, use, all, UINT32_MAX - 1, out);
    ids = hone_alloc(bytes);
    if (!ids)
        return HONE_E_NOMEM;
    /* rows of a set without clusters get numbers that the other set is unlikely to use */
    for (size_t i = 0; i < n; i++)
        ids[i] = a ? a[i] : UINT64_C(0x9e3779b97f4a7c15) + i;
    for (size_t i = 0; i < n_more; i++)
        ids[n + i] = b ? b[i] : UINT64_C(0x9e3779b97f4a7c15) + i;
    hone_status s = hone__groups_make(ids, use, all, UINT32_MAX - 1, out);
    hone_free(ids);
    return s;
}

typedef struct ppi {
    moments y, f, more;
    double lambda;
    int in_unit; /* every y in [0, 1] */
} ppi;

static const char *gather(const double *y, const double *y_hat, size_t n, const double *y_more,
                          size_t n_more, uint8_t *use, ppi *p)
{
    double cov = 0, var = 0;
    p->in_unit = 1;
    for (size_t i = 0; i < n; i++) {
        if (isinf(y[i]) || isinf(y_hat[i]))
            return infinite;
        use[i] = !isnan(y[i]) && !isnan(y_hat[i]);
        if (use[i]) {
            add(&p->y, y[i]);
            add(&p->f, y_hat[i]);
            p->in_unit &= y[i] >= 0 && y[i] <= 1;
        }
    }
    for (size_t i = 0; i < n_more; i++) {
        if (isinf(y_more[i]))
            return infinite;
        use[n + i] = !isnan(y_more[i]);
        if (use[n + i])
            add(&p->more, y_more[i]);
    }
    if (p->y.n < 1)
        return "no item has both a label and a verdict";
    for (size_t i = 0; i < n; i++) {
        if (use[i]) {
            cov += (y[i] - p->y.mean) * (y_hat[i] - p->f.mean);
            var += (y_hat[i] - p->f.mean) * (y_hat[i] - p->f.mean);
        }
    }
    p->lambda = 0;
    if (p->more.n >= 1 && var > 0 && isfinite(cov) && isfinite(var))
        p->lambda = fmin(fmax(cov / ((1 + p->y.n / p->more.n) * var), 0), 1);
    return NULL;
}

/* The two parts of the variance, and of both together (a prompt may have rows of either kind). */
typedef struct parts {
    double a, b, all, groups_a, groups_b;
} parts;

static hone_status variances(const double *y, const double *y_hat, size_t n, const double *y_more,
                             size_t n_more, const uint8_t *use, const hone__groups *g, const ppi *p,
                             parts *out)
{
    double *u = hone_calloc(g->groups, 2 * sizeof *u), shift = p->y.mean - p->lambda * p->f.mean;
    uint8_t *has = hone_calloc(g->groups, 2);
    *out = (parts){.a = 0};
    if (!u || !has) {
        hone_free(u);
        hone_free(has);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (use[i]) {
            u[2 * g->of[i]] += (y[i] - p->lambda * y_hat[i] - shift) / p->y.n;
            has[2 * g->of[i]] = 1;
        }
    }
    for (size_t i = 0; i < n_more; i++) {
        if (use[n + i]) {
            u[2 * g->of[n + i] + 1] += p->lambda * (y_more[i] - p->more.mean) / p->more.n;
            has[2 * g->of[n + i] + 1] = 1;
        }
    }
    for (size_t k = 0; k < g->groups; k++) {
        out->groups_a += has[2 * k];
        out->groups_b += has[2 * k + 1];
    }
    double fa = out->groups_a > 1 ? sqrt(out->groups_a / (out->groups_a - 1)) : 0;
    double fb = out->groups_b > 1 ? sqrt(out->groups_b / (out->groups_b - 1)) : 0;
    for (size_t k = 0; k < g->groups; k++) {
        double a = fa * u[2 * k], b = fb * u[2 * k + 1];
        out->a += a * a;
        out->b += b * b;
        out->all += (a + b) * (a + b);
    }
    hone_free(u);
    hone_free(has);
    return HONE_OK;
}

hone_status hone_ppi_mean(const double *y, const double *y_hat, size_t n, const double *y_hat_more,
                          size_t n_more, const uint64_t *cluster_more, const hone_boot *boot,
                          hone_figure *out, double *lambda)
{
    hone__groups g = {NULL, 0, 0, 0};
    ppi p = {.lambda = 0};
    parts v;
    size_t rows;
    uint8_t *use = NULL;
    hone_status s = HONE_OK;
    if (!hone_add_size(n, n_more, &rows))
        return hone_fail(HONE_E_INVALID, "statistics: %zu rows are too many", n_more);
    use = hone_calloc(rows, 1);
    if (!use)
        return HONE_E_NOMEM;
    const char *why = gather(y, y_hat, n, y_hat_more, n_more, use, &p);
    double theta = p.lambda * p.more.mean + p.y.mean - p.lambda * p.f.mean;
    size_t shown = (size_t)p.y.n;
    hone_figure f;
    if (why || !isfinite(theta)) {
        f = hone_figure_none(shown, why ? why : "the values are too large");
    } else if (!boot) {
        f = hone_figure_value(theta, shown, NULL);
    } else {
        HONE_TRY_GOTO(joint_groups(clusters_of(boot), n, cluster_more, n_more, use, &g), done);
        HONE_TRY_GOTO(variances(y, y_hat, n, y_hat_more, n_more, use, &g, &p, &v), done);
        double df = (v.a + v.b) * (v.a + v.b);
        double shared = v.a * v.a / (v.groups_a - 1) +
                        (v.groups_b > 1 ? v.b * v.b / (v.groups_b - 1) : 0);
        if (v.groups_a < HONE_BOOT_MIN_CLUSTERS)
            f = hone_figure_value(theta, shown, "no interval: fewer than 5 prompts");
        else
            f = hone__boot_figure(
                theta, sqrt(v.all), shared > 0 ? df / shared : 1, hone__boot_level(boot),
                p.in_unit && theta > 0 && theta < 1 ? HONE__SCALE_LOGIT : HONE__SCALE_PLAIN, shown);
    }
    *out = f;
    if (lambda)
        *lambda = p.lambda;
done:
    hone_free(use);
    hone__groups_release(&g);
    return s;
}
