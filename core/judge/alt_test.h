/* alt_test.h - may the judge replace an expert: the alternative-annotator test.
 *
 * Each expert in turn is left out; on the items that expert rated, the judge and the expert are
 * compared with the remaining experts (how many say the same level; or who is nearer in the mean
 * square), a tie counting for both. The judge beats the expert when its share of wins is not more than
 * epsilon below (one-sided t test, cluster-robust); p-values are held to a false discovery rate by
 * Benjamini & Yekutieli 2001. Passed: at least half of the experts are beaten. Epsilon: .2 experts, .15
 * trained, .1 crowd. Source: Calderon, Reichart & Dror 2025. Conventions: interval.h. */
#ifndef HONE_CORE_JUDGE_ALT_TEST_H
#define HONE_CORE_JUDGE_ALT_TEST_H
#include "judge/agreement.h"

#define HONE_ALT_MIN_EXPERTS 3
#define HONE_ALT_MIN_ITEMS 30

typedef struct hone_alt_test {
    const char *why; /* NULL: the test could be made */
    int passed;
    double epsilon, winning_rate,
        advantage;                 /* advantage: mean share of items where judge >= expert */
    size_t experts, beaten, items; /* experts tested; items with the judge and two experts */
} hone_alt_test;

/* epsilon 0: .2; q 0: .05. distance: 0 exact levels, 1 nearness (ordered or continuous scores).
 * p[raters] (or NULL): the p-value of each column, 1 where it was not tested. */
hone_status hone_alt_test_run(const hone_ratings *r, size_t judge, int distance, double epsilon,
                              double q, const hone_boot *boot, double *p, hone_alt_test *out);
/* Benjamini & Yekutieli: reject[i] = 1 where p[i] is rejected at rate q under any dependence. */
hone_status hone_alt_test_adjust(const double *p, size_t n, double q, uint8_t *reject);
#endif
