/* choose.h - what to do with answers: means of items, filters, preference pairs.
 *
 * The answers on one item (repeats and orders) are one number with a standard error. A filter keeps items whose number meets a
 * condition; a pair is kept when its margin is more than z standard errors of the difference, so that noise
 * makes no preferences. Items without a number are kept by no condition and are in no pair. (judges.md 1) */
#ifndef HONE_CORE_JUDGE_CHOOSE_H
#define HONE_CORE_JUDGE_CHOOSE_H
#include "judge/ask.h"

/* The numbers on one item. */
typedef struct hone_tally {
    uint32_t answers, ok; /* asked for; with a number */
    double mean, m2;      /* of the scores (Welford 1962) */
    double sum_entropy, sum_mass;
    uint32_t n_labels;    /* answers that had label probabilities */
    double first, second; /* pairs: sums of the scores by which candidate was shown first */
    uint32_t n_first, n_second;
    uint32_t detail; /* of the last answer without a number */
} hone_tally;
void hone_tally_add(hone_tally *t, const hone_answer *a);
/* NaN without a number; the standard error of the mean also with only one. */
double hone_tally_mean(const hone_tally *t);
double hone_tally_error(const hone_tally *t);

/* "score>=0.5", "score > 0.2 and entropy < 1": comparisons of score, error, entropy, mass, answers, ok with numbers, joined by
 * "and". */
enum { HONE_CONDITIONS = 8 };
typedef struct hone_condition {
    struct {
        uint8_t what, how;
        double than;
    } part[HONE_CONDITIONS];
    size_t n;
} hone_condition;
/* E_USAGE naming the place. */
hone_status hone_condition_read(const char *text, hone_condition *out);
/* 1 when all of it holds; what is unknown meets nothing. */
int hone_condition_met(const hone_condition *c, const hone_tally *t);

/* Is the difference x more than z standard errors (NaN: unknown) from 0? -1, 0 or 1. */
int hone_margin(double x, double error, double z);
#endif
