/* pair_losses.c - the losses of one preference pair, each with its derivatives in closed form.
 *
 * Words: a = pc - rc and b = pr - rr are the log-ratios of chosen and rejected, h = a - b. With another
 * f-divergence than the reverse KL, h is f'(e^a) - f'(e^b), with the constant that makes f'(1) = 0: it does not cancel
 * where each side is divided by its length (Wang et al. 2023, arXiv:2309.16240). Lengths are numbers of trained tokens. Sources: the rows in preference_rows.c. */
#include "preference.h"

double smoothed_logistic(double ls, double z, double *d)
{
    double s = hone_sigmoid(z);
    *d = -(1 - ls) * (1 - s) + ls * s;
    return -(1 - ls) * hone_logsigmoid(z) - (ls != 0 ? ls * hone_logsigmoid(-z) : 0);
}

double loss_one_sided(double z, double *d)
{
    double s = hone_sigmoid(z);
    *d = -s * (1 - s);
    return hone_sigmoid(-z);
}

/* f'(e^x), which is 0 at x = 0, and its derivative in x. */
static double divergence_score(const preference *p, double x, double *d)
{
    double e;
    switch (p->divergence) {
    case DIVERGENCE_FORWARD_KL:
        e = hone_expm1(-x);
        *d = e + 1;
        return -e;
    case DIVERGENCE_JS:
        *d = hone_sigmoid(-x);
        return hone_logsigmoid(x) - hone_logsigmoid(0);
    case DIVERGENCE_ALPHA:
        if (hone_math_abs(p->alpha - 1) < 1e-6)
            break;
        e = hone_expm1((p->alpha - 1) * x);
        *d = e + 1;
        return e / (p->alpha - 1);
    default:
        break;
    }
    *d = 1;
    return x;
}

/* h, and dh/dpc, dh/dpr (the latter is negative). */
static double difference(const preference *p, const pair *x, pair_grad *dh)
{
    double c = divergence_score(p, x->pc - x->rc, &dh->c),
           r = divergence_score(p, x->pr - x->rr, &dh->r);
    dh->r = -dh->r;
    return c - r;
}

static void chain(pair_grad *g, const pair_grad *dh, double d)
{
    g->c = d * dh->c;
    g->r = d * dh->r;
}

double loss_dpo(const preference *p, const pair *x, pair_grad *g)
{
    pair_grad dh;
    double d, l = smoothed_logistic(p->label_smoothing, p->beta * difference(p, x, &dh), &d);
    chain(g, &dh, d * p->beta);
    return l;
}

double loss_robust(const preference *p, const pair *x, pair_grad *g)
{
    pair_grad dh;
    double ls = p->label_smoothing, z = p->beta * difference(p, x, &dh), s = hone_sigmoid(z);
    chain(g, &dh, p->beta * (-(1 - ls) * (1 - s) - ls * s) / (1 - 2 * ls));
    return (-(1 - ls) * hone_logsigmoid(z) + ls * hone_logsigmoid(-z)) / (1 - 2 * ls);
}

double loss_hinge(const preference *p, const pair *x, pair_grad *g)
{
    pair_grad dh;
    double l = 1 - p->beta * difference(p, x, &dh);
    chain(g, &dh, l > 0 ? -p->beta : 0);
    return l > 0 ? l : 0;
}

double loss_ipo(const preference *p, const pair *x, pair_grad *g)
{
    double nc = p->compat == COMPAT_TRL ? x->lc : 1, nr = p->compat == COMPAT_TRL ? x->lr : 1;
    double dc, dr, e;
    e = divergence_score(p, x->pc - x->rc, &dc) / nc -
        divergence_score(p, x->pr - x->rr, &dr) / nr - 1 / (2 * p->beta);
    g->c = 2 * e * dc / nc;
    g->r = -2 * e * dr / nr;
    return e * e;
}

double loss_sigmoid_norm(const preference *p, const pair *x, pair_grad *g)
{
    double dc, dr, d, z, l;
    z = divergence_score(p, x->pc - x->rc, &dc) / x->lc -
        divergence_score(p, x->pr - x->rr, &dr) / x->lr;
    l = smoothed_logistic(p->label_smoothing, p->beta * z, &d);
    g->c = d * p->beta * dc / x->lc;
    g->r = -d * p->beta * dr / x->lr;
    return l;
}

double loss_exo(const preference *p, const pair *x, pair_grad *g)
{
    pair_grad dh;
    double ls = p->label_smoothing, z = p->beta * difference(p, x, &dh);
    double s = hone_sigmoid(z), n = hone_sigmoid(-z), lp = hone_logsigmoid(z),
           ln = hone_logsigmoid(-z);
    double up = lp - hone_log(1 - ls), down = ln - hone_log(ls);
    /* d/dz [s up + n down] = s n (up - down) + s (1 - s) - n (1 - n) = s n (up - down) */
    chain(g, &dh, p->beta * s * n * (up - down));
    return s * up + n * down;
}

double loss_nca(const preference *p, const pair *x, pair_grad *g)
{
    double zc = p->beta * (x->pc - x->rc), zr = p->beta * (x->pr - x->rr);
    g->c = p->beta * (-hone_sigmoid(-zc) + 0.5 * hone_sigmoid(zc));
    g->r = p->beta * 0.5 * hone_sigmoid(zr);
    return -hone_logsigmoid(zc) - 0.5 * hone_logsigmoid(-zc) - 0.5 * hone_logsigmoid(-zr);
}

double loss_bco(const preference *p, const pair *x, pair_grad *g)
{
    double zc = p->beta * (x->pc - x->rc) - p->shift, zr = p->beta * (x->pr - x->rr) - p->shift;
    g->c = -p->beta * hone_sigmoid(-zc);
    g->r = p->beta * hone_sigmoid(zr);
    return -hone_logsigmoid(zc) - hone_logsigmoid(-zr);
}

double loss_sppo(const preference *p, const pair *x, pair_grad *g)
{
    double c = x->pc - x->rc - 0.5 / p->beta, r = x->pr - x->rr + 0.5 / p->beta;
    g->c = 2 * c;
    g->r = 2 * r;
    return c * c + r * r;
}

double loss_apo_zero(const preference *p, const pair *x, pair_grad *g)
{
    double dc, dr, l;
    l = loss_one_sided(p->beta * (x->pc - x->rc), &dc);
    l += loss_one_sided(-p->beta * (x->pr - x->rr), &dr);
    g->c = p->beta * dc;
    g->r = -p->beta * dr;
    return l;
}

double loss_apo_down(const preference *p, const pair *x, pair_grad *g)
{
    double a = x->pc - x->rc, b = x->pr - x->rr, da, dh, l;
    l = loss_one_sided(-p->beta * a, &da);
    l += loss_one_sided(p->beta * (a - b), &dh);
    g->c = p->beta * (dh - da);
    g->r = -p->beta * dh;
    return l;
}

double loss_discopop(const preference *p, const pair *x, pair_grad *g)
{
    pair_grad dh;
    double z = p->beta * difference(p, x, &dh), m = hone_sigmoid(z / p->tau);
    double logistic = -hone_logsigmoid(z);
    /* m e^-z as one power: of a far z the two are 0 and infinite */
    double me = hone_exp(hone_logsigmoid(z / p->tau) - z),
           rest = hone_sigmoid(-z / p->tau) / p->tau;
    double d = -hone_sigmoid(-z) * (1 - m) - logistic * m * rest - me + me * rest;
    chain(g, &dh, p->beta * d);
    return logistic * (1 - m) + me;
}

/* log odds p/(1-p) of x = log p < 0, and its derivative 1/(1-p). p = 1 has no odds: just below it. */
static double log_odds(double x, double *d)
{
    if (x > -1e-12)
        x = -1e-12;
    *d = -1 / hone_expm1(x);
    return x - hone_log1mexp(x);
}

double loss_orpo(const preference *p, const pair *x, pair_grad *g)
{
    double c = x->pc / x->lc, r = x->pr / x->lr, dc, dr, d, l;
    l = log_odds(c, &dc) - log_odds(r, &dr);
    l = p->beta * smoothed_logistic(0, l, &d);
    g->c = (p->beta * d * dc - p->nll) / x->lc;
    g->r = -p->beta * d * dr / x->lr;
    return l - p->nll * c;
}

double loss_cpo(const preference *p, const pair *x, pair_grad *g)
{
    double l, d, e;
    if (p->variant == CPO_IPO) {
        e = x->pc / x->lc - x->pr / x->lr - 1 / (2 * p->beta);
        g->c = 2 * e / x->lc;
        g->r = -2 * e / x->lr;
        l = e * e;
    } else if (p->variant == CPO_HINGE) {
        l = 1 - p->beta * (x->pc - x->pr);
        g->c = l > 0 ? -p->beta : 0;
        g->r = -g->c;
        l = l > 0 ? l : 0;
    } else {
        l = smoothed_logistic(p->label_smoothing, p->beta * (x->pc - x->pr), &d);
        g->c = p->beta * d;
        g->r = -g->c;
    }
    g->c -= p->nll / x->lc;
    return l - p->nll * x->pc / x->lc;
}

double loss_simpo(const preference *p, const pair *x, pair_grad *g)
{
    double z = p->beta * (x->pc / x->lc - x->pr / x->lr) - p->gamma, d;
    double l = smoothed_logistic(p->label_smoothing, z, &d);
    g->c = p->beta * d / x->lc - p->nll / x->lc;
    g->r = -p->beta * d / x->lr;
    return l - p->nll * x->pc / x->lc;
}

/* (1 - p^-alpha) / alpha of x = log p, and its derivative; alpha 0 is log p. */
static double alpha_reward(double alpha, double x, double *d)
{
    if (alpha == 0) {
        *d = 1;
        return x;
    }
    *d = hone_exp(-alpha * x);
    return -hone_expm1(-alpha * x) / alpha;
}

double loss_alphapo(const preference *p, const pair *x, pair_grad *g)
{
    double dc, dr, d, l;
    double z = alpha_reward(p->alpha, x->pc / x->lc, &dc) -
               alpha_reward(p->alpha, x->pr / x->lr, &dr);
    l = smoothed_logistic(p->label_smoothing, p->beta * z - p->gamma, &d);
    g->c = p->beta * d * dc / x->lc - p->nll / x->lc;
    g->r = -p->beta * d * dr / x->lr;
    return l - p->nll * x->pc / x->lc;
}
