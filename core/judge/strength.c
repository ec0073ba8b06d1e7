/* strength.c - Bradley-Terry and Rao-Kupper by Newton's method; see strength.h.
 *
 * With s the logistic function, 1 - s(D - eta) - s(-D - eta) = s(D - eta) s(-D - eta) (exp(2 eta) - 1),
 * so a tie is a win of both plus a term in eta alone, and the log likelihood is concave in strengths and
 * eta together. The ridge makes it strictly so. The system is dense: players (and eta) squared. */
#include "judge/strength.h"

#include "base/alloc.h"
#include "base/math64.h"

#include <math.h>
#include <string.h>

#define STEPS 100

static double logistic(double x)
{
    double e = hone_math_exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static double log_logistic(double x)
{
    return x < 0 ? x - hone_math_log(1 + hone_math_exp(x)) : -hone_math_log(1 + hone_math_exp(-x));
}

void hone_strength_predict(double a, double b, double eta, double *win, double *lose)
{
    *win = logistic(a - b - eta);
    *lose = logistic(b - a - eta);
}

typedef struct fit {
    const hone_match *m;
    size_t n, players, size; /* size: with eta */
    double ridge, ties;
    double *x, *grad, *hess, *step, *trial; /* hess: minus the Hessian, (size, size) */
} fit;

static double objective(const fit *f, const double *x)
{
    double eta = f->size > f->players ? x[f->players] : 0, sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        const hone_match *m = &f->m[i];
        double d = x[m->a] - x[m->b], half = f->ties > 0 ? m->ties : m->ties / 2;
        sum += (m->wins_a + half) * log_logistic(d - eta) +
               (m->wins_b + half) * log_logistic(-d - eta);
    }
    if (f->ties > 0) /* log(exp(2 eta) - 1) */
        sum += f->ties * (2 * eta + hone_math_log(1 - hone_math_exp(-2 * eta)));
    for (size_t k = 0; k < f->size; k++)
        sum -= f->ridge * x[k] * x[k] / 2;
    return sum;
}

static void derivatives(fit *f)
{
    size_t e = f->players, n = f->size;
    double eta = n > e ? f->x[e] : 0;
    memset(f->grad, 0, n * sizeof *f->grad);
    memset(f->hess, 0, n * n * sizeof *f->hess);
    for (size_t i = 0; i < f->n; i++) {
        const hone_match *m = &f->m[i];
        double d = f->x[m->a] - f->x[m->b], half = f->ties > 0 ? m->ties : m->ties / 2;
        double na = m->wins_a + half, nb = m->wins_b + half;
        double pa = logistic(d - eta), pb = logistic(-d - eta);
        double ga = na * (1 - pa), gb = nb * (1 - pb);
        double ha = na * pa * (1 - pa), hb = nb * pb * (1 - pb);
        f->grad[m->a] += ga - gb;
        f->grad[m->b] -= ga - gb;
        f->hess[m->a * n + m->a] += ha + hb;
        f->hess[m->b * n + m->b] += ha + hb;
        f->hess[m->a * n + m->b] -= ha + hb;
        f->hess[m->b * n + m->a] -= ha + hb;
        if (n > e) {
            f->grad[e] -= ga + gb;
            f->hess[e * n + e] += ha + hb;
            f->hess[e * n + m->a] -= ha - hb;
            f->hess[m->a * n + e] -= ha - hb;
            f->hess[e * n + m->b] += ha - hb;
            f->hess[m->b * n + e] += ha - hb;
        }
    }
    if (n > e) {
        double q = hone_math_exp(-2 * eta), r = 1 - q;
        f->grad[e] += f->ties * 2 / r;
        f->hess[e * n + e] += f->ties * 4 * q / (r * r);
    }
    for (size_t k = 0; k < n; k++) {
        f->grad[k] -= f->ridge * f->x[k];
        f->hess[k * n + k] += f->ridge;
    }
}

/* A = L L' in place (lower part); 0 when it is not positive. */
static int factor(double *a, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0))
                return 0;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
    return 1;
}

static void solve(const double *l, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= l[i * n + k] * b[k];
        b[i] /= l[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= l[k * n + i] * b[k];
        b[i] /= l[i * n + i];
    }
}

/* Newton with halving; 0 when it does not settle. */
static int climb(fit *f, size_t *steps)
{
    size_t n = f->size, e = f->players;
    double at = objective(f, f->x);
    for (*steps = 0; *steps < STEPS; (*steps)++) {
        double gain = 0, share = 1, there = at;
        derivatives(f);
        memcpy(f->step, f->grad, n * sizeof *f->step);
        if (!factor(f->hess, n))
            return 0;
        solve(f->hess, n, f->step);
        for (size_t k = 0; k < n; k++)
            gain += f->step[k] * f->grad[k];
        if (!isfinite(gain))
            return 0;
        if (gain < 1e-18 * (1 + fabs(at)))
            return 1;
        int half = 0;
        for (; half < 60; half++, share /= 2) {
            for (size_t k = 0; k < n; k++)
                f->trial[k] = f->x[k] + share * f->step[k];
            if (n > e && !(f->trial[e] > 0))
                continue;
            there = objective(f, f->trial);
            if (there > at || (there == at && half > 3))
                break;
        }
        if (half == 60)
            return gain < 1e-9 * (1 + fabs(at)); /* as high as doubles can tell */
        memcpy(f->x, f->trial, n * sizeof *f->x);
        at = there;
    }
    return 0;
}

static size_t root(uint32_t *up, size_t k)
{
    while (up[k] != k) {
        up[k] = up[up[k]];
        k = up[k];
    }
    return k;
}

static hone_status parts_of(const hone_match *m, size_t n, size_t players, size_t *parts)
{
    uint32_t *up = hone_alloc(players * sizeof *up);
    if (!up)
        return HONE_E_NOMEM;
    for (size_t k = 0; k < players; k++)
        up[k] = (uint32_t)k;
    *parts = players;
    for (size_t i = 0; i < n; i++) {
        size_t a = root(up, m[i].a), b = root(up, m[i].b);
        if (a != b && m[i].wins_a + m[i].wins_b + m[i].ties > 0) {
            up[a] = (uint32_t)b;
            (*parts)--;
        }
    }
    hone_free(up);
    return HONE_OK;
}

static int count_holds(double c)
{
    return c >= 0 && c < 1e15;
}

hone_status hone_strength_fit(const hone_match *m, size_t n, size_t players, double ridge, int ties,
                              double *strength, double *se, hone_strengths *out)
{
    fit f = {.m = m, .n = n, .players = players, .size = players, .ridge = ridge};
    hone_strengths found = {.why = NULL};
    double all = 0;
    hone_status s = HONE_E_NOMEM;
    if (players > HONE_STRENGTH_PLAYERS || isinf(ridge) || isnan(ridge) || ridge < 0)
        return hone_fail(HONE_E_INVALID, "strengths: %zu players or the ridge are too many",
                         players);
    f.ridge = ridge > 0 ? ridge : .01;
    for (size_t i = 0; i < n; i++) {
        if (m[i].a >= players || m[i].b >= players || m[i].a == m[i].b ||
            !count_holds(m[i].wins_a) || !count_holds(m[i].wins_b) || !count_holds(m[i].ties))
            return hone_fail(HONE_E_INVALID,
                             "strengths: match %zu is none: players %u and %u of %zu", i, m[i].a,
                             m[i].b, players);
        f.ties += ties ? m[i].ties : 0;
        all += m[i].wins_a + m[i].wins_b + m[i].ties;
    }
    f.size += f.ties > 0;
    f.x = hone_calloc(f.size, sizeof *f.x);
    f.grad = hone_calloc(f.size, sizeof *f.grad);
    f.step = hone_calloc(f.size, sizeof *f.step);
    f.trial = hone_calloc(f.size, sizeof *f.trial);
    f.hess = hone_calloc(f.size * f.size, sizeof *f.hess);
    if (!f.x || !f.grad || !f.step || !f.trial || !f.hess)
        goto done;
    HONE_TRY_GOTO(parts_of(m, n, players, &found.parts), done);
    s = HONE_OK;
    if (f.ties > 0)
        f.x[players] = .5;
    if (!(all > 0))
        found.why = "no match was played";
    else if (!climb(&f, &found.steps))
        found.why = "the strengths do not settle: raise the ridge";
    if (!found.why) {
        double mean = 0;
        for (size_t k = 0; k < players; k++)
            mean += f.x[k] / (double)players;
        for (size_t k = 0; k < players; k++)
            strength[k] = f.x[k] - mean;
        found.eta = f.ties > 0 ? f.x[players] : 0;
        for (size_t k = 0; se && k < players; k++) {
            memset(f.step, 0, f.size * sizeof *f.step);
            f.step[k] = 1;
            solve(f.hess, f.size, f.step);
            se[k] = sqrt(f.step[k]);
        }
    } else {
        memset(strength, 0, players * sizeof *strength);
        if (se)
            memset(se, 0, players * sizeof *se);
    }
    *out = found;
done:
    hone_free(f.x);
    hone_free(f.grad);
    hone_free(f.step);
    hone_free(f.trial);
    hone_free(f.hess);
    return s;
}
