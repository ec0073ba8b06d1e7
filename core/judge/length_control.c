/* length_control.c - a logistic model with the length difference; see length_control.h. */
#include "judge/length_control.h"

#include "base/alloc.h"
#include "base/math64.h"
#include "judge/boot.h"

#include <math.h>
#include <string.h>

#define RIDGE 1e-3 /* keeps b0 and b1 finite when length decides everything */
#define STEPS 100

static double logistic(double x)
{
    double e = hone_math_exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static double tanh_of(double x)
{
    double e = hone_math_exp(-2 * fabs(x));
    return (x < 0 ? -1 : 1) * (1 - e) / (1 + e);
}

typedef struct model {
    const double *y, *z; /* z: tanh of the scaled difference */
    const uint8_t *use;
    size_t n;
    double b0, b1, h00, h01, h11; /* minus the Hessian */
} model;

static int climb(model *m)
{
    for (int step = 0; step < STEPS; step++) {
        double g0 = -RIDGE * m->b0, g1 = -RIDGE * m->b1;
        m->h00 = m->h11 = RIDGE;
        m->h01 = 0;
        for (size_t i = 0; i < m->n; i++) {
            if (!m->use[i])
                continue;
            double p = logistic(m->b0 + m->b1 * m->z[i]), w = p * (1 - p), r = m->y[i] - p;
            g0 += r;
            g1 += r * m->z[i];
            m->h00 += w;
            m->h01 += w * m->z[i];
            m->h11 += w * m->z[i] * m->z[i];
        }
        double det = m->h00 * m->h11 - m->h01 * m->h01;
        if (!(det > 0))
            return 0;
        double d0 = (m->h11 * g0 - m->h01 * g1) / det, d1 = (m->h00 * g1 - m->h01 * g0) / det;
        double size = fmax(fabs(d0), fabs(d1)), share = size > 1 ? 1 / size : 1;
        m->b0 += share * d0;
        m->b1 += share * d1;
        if (size < 1e-10)
            return 1;
    }
    return 0;
}

/* Cluster-robust standard errors of b0 and b1. */
static hone_status errors(const model *m, const hone__groups *g, double *se0, double *se1)
{
    double *u = hone_calloc(g->groups, 2 * sizeof *u);
    double det = m->h00 * m->h11 - m->h01 * m->h01;
    if (!u)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < m->n; i++) {
        if (!m->use[i])
            continue;
        double r = m->y[i] - logistic(m->b0 + m->b1 * m->z[i]), rz = r * m->z[i];
        u[g->of[i]] += (m->h11 * r - m->h01 * rz) / det;
        u[g->groups + g->of[i]] += (m->h00 * rz - m->h01 * r) / det;
    }
    *se0 = sqrt(hone__boot_variance(u, g->groups));
    *se1 = sqrt(hone__boot_variance(u + g->groups, g->groups));
    hone_free(u);
    return HONE_OK;
}

hone_status hone_length_control_fit(const double *y, const double *d, size_t n,
                                    const hone_boot *boot, hone_length_control *out)
{
    hone__groups g = {NULL, 0, 0, 0};
    hone_length_control found;
    uint8_t *use = hone_calloc(n, 1);
    double *z = hone_alloc(n * sizeof *z), scale = 0, rows = 0, se0, se1;
    const char *why = NULL;
    hone_status s = HONE_E_NOMEM;
    if (!use || !z)
        goto done;
    for (size_t i = 0; i < n; i++) {
        use[i] = !isnan(y[i]) && !isnan(d[i]);
        rows += use[i];
        if (use[i] && (y[i] < 0 || y[i] > 1 || isinf(d[i])))
            why = isinf(d[i]) ? "a length is infinite" : "a preference is not between 0 and 1";
        if (use[i] && fabs(d[i]) > scale)
            scale = fabs(d[i]);
        z[i] = use[i] ? y[i] : (double)NAN;
    }
    if (!why && rows < 1)
        why = "there are no comparisons";
    s = HONE_OK;
    if (why) {
        found.raw = found.controlled = found.slope = hone_figure_none((size_t)rows, why);
        *out = found;
        goto done;
    }
    HONE_TRY_GOTO(hone_interval_mean(z, n, boot, &found.raw), done);
    double mean = 0, ss = 0;
    for (size_t i = 0; scale > 0 && i < n; i++)
        mean += use[i] ? d[i] / scale / rows : 0;
    for (size_t i = 0; scale > 0 && i < n; i++)
        ss += use[i] ? (d[i] / scale - mean) * (d[i] / scale - mean) : 0;
    double sd = rows > 1 ? sqrt(ss / (rows - 1)) : 0;
    for (size_t i = 0; i < n; i++)
        z[i] = use[i] && sd > 1e-12 ? tanh_of(d[i] / scale / sd) : 0;
    model m = {.y = y, .z = z, .use = use, .n = n};
    if (!(sd > 1e-12)) {
        found.slope = found.controlled = hone_figure_none((size_t)rows,
                                                          "all differences of length are the same");
    } else if (!climb(&m)) {
        found.slope = found.controlled = hone_figure_none((size_t)rows,
                                                          "the model does not settle");
    } else {
        size_t used = (size_t)rows;
        HONE_TRY_GOTO(hone__groups_make(boot ? boot->cluster : NULL, use, n, UINT32_MAX - 1, &g),
                      done);
        HONE_TRY_GOTO(errors(&m, &g, &se0, &se1), done);
        double p = logistic(m.b0), df = (double)g.groups - 2, level = hone__boot_level(boot);
        if (!boot || g.groups < HONE_BOOT_MIN_CLUSTERS) {
            const char *note = boot ? "no interval: fewer than 5 prompts" : NULL;
            found.controlled = hone_figure_value(p, used, note);
            found.slope = hone_figure_value(m.b1, used, note);
        } else {
            found.controlled = hone__boot_figure(p, se0 * p * (1 - p), df, level, HONE__SCALE_LOGIT,
                                                 used);
            found.slope = hone__boot_figure(m.b1, se1, df, level, HONE__SCALE_PLAIN, used);
        }
    }
    *out = found;
done:
    hone_free(use);
    hone_free(z);
    hone__groups_release(&g);
    return s;
}
