/* math64.h - exp, log, sin, cos, pow in double precision, the same bits on every machine.
 *
 * libm differs from one version and processor to the next; what goes into weights, tables or random
 * numbers must not. These are plain C: additions, products and divisions in a fixed order, built
 * without contraction. Within 1 ulp of the true value in the tests (2 promised); special values as C
 * Annex F; errno and flags are not touched. For tables, schedules and random numbers, not for hot
 * loops (core/ops has its own in float). All [any-thread], cannot fail. */
#ifndef HONE_CORE_BASE_MATH64_H
#define HONE_CORE_BASE_MATH64_H

double hone_math_exp(double x);
double hone_math_log(double x);
double hone_math_sin(double x); /* exact reduction: any finite x */
double hone_math_cos(double x);
double hone_math_pow(double x, double y);
#endif
