/* strength.h - strengths from paired comparisons: Bradley-Terry with ridge, Rao-Kupper for ties.
 *
 * p(a beats b) = s(D - eta), p(b beats a) = s(-D - eta), D = strength a - strength b, eta >= 0 when
 * ties are modelled, else 0 and a tie is half a win each (Bradley & Terry 1952; Rao & Kupper 1967).
 * The ridge (a normal prior on strengths) keeps a player that won or lost everything finite; strengths
 * are centred on 0. Newton's method on a concave function, with halving of the step. O(players^3). */
#ifndef HONE_CORE_JUDGE_STRENGTH_H
#define HONE_CORE_JUDGE_STRENGTH_H
#include "judge/figure.h"

#define HONE_STRENGTH_PLAYERS 1000

typedef struct hone_match {
    uint32_t a, b;               /* players, a != b */
    double wins_a, wins_b, ties; /* counts or weights, finite and >= 0 */
} hone_match;
typedef struct hone_strengths {
    const char *why;     /* NULL: they hold */
    double eta;          /* log of Rao-Kupper's theta; 0 when ties are halves */
    size_t steps, parts; /* Newton steps; connected parts of the graph of matches */
} hone_strengths;

/* strength[players], se[players] (or NULL: standard errors from the Hessian, ridge included).
 * ridge > 0; 0: 0.01. Players in no match get 0. E_INVALID names a match that is none. */
hone_status hone_strength_fit(const hone_match *m, size_t n, size_t players, double ridge, int ties,
                              double *strength, double *se, hone_strengths *out);
/* p(a wins), p(b wins); ties have the rest. */
void hone_strength_predict(double a, double b, double eta, double *win, double *lose);
#endif
