/* dist.h - the distributions that intervals and tests need: normal, Student's t, beta, F.
 *
 * Built on base/math64.h, so that the same bits come out everywhere. Distribution functions are good to
 * about 1e-12, quantiles to 1e-10 relative; both are monotone and take any argument without NaN:
 * degrees of freedom below a tiny positive number count as that, probabilities are clipped to [0, 1]
 * (and quantiles of 0 and 1 are infinite where the support is). [any-thread], cannot fail.
 * Sources: Marsaglia 2004 (normal), Lentz's method for the continued fraction of the incomplete beta
 * function, Stirling's series for log gamma. */
#ifndef HONE_CORE_JUDGE_DIST_H
#define HONE_CORE_JUDGE_DIST_H

double hone_dist_normal(double x); /* P(Z <= x) */
double hone_dist_normal_quantile(double p);
double hone_dist_lgamma(double x);                   /* x > 0 */
double hone_dist_beta(double x, double a, double b); /* regularised I_x(a, b) */
double hone_dist_beta_quantile(double p, double a, double b);
double hone_dist_t(double x, double df);
double hone_dist_t_quantile(double p, double df);
/* Two-sided z or t of a level (.95): z when df is not finite or above 1e6. */
double hone_dist_two_sided(double level, double df);
#endif
