/* disagree.h - where a judge and experts do not say the same, and what is to be mended: the rubric, the judge, or a label.
 *
 * Items that have both are looked at one by one, on one scale of the width `range`; two answers differ when they are `gap` of it
 * or more apart. What an item is:
 *   slip        one expert stands alone: the others (two or more) and the judge say the same
 *   ambiguous   experts differ among themselves: the rubric can be read in two ways
 *   judge       experts agree, the judge differs, and its own answers differ too (repeats, swapped sides)
 *   systematic  experts agree, the judge differs, and says the same each time
 * Systematic ones are then gathered by what they have in common: a direction (the judge above or below) and a column's value, or
 * a third of the lengths, where the judge differs more often than elsewhere by `z` standard errors. What has something in common
 * is the rubric's: the judge does what it says, and experts want something else. What has nothing in common is the judge's.
 *
 * With one expert an item a slip cannot be told from anything else; the notes say so. Clusters are found greedily, so they
 * are where to look first, not a test. (judges.md section 11) */
#ifndef HONE_CORE_JUDGE_DISAGREE_H
#define HONE_CORE_JUDGE_DISAGREE_H
#include "judge/joined.h"

enum {
    HONE_CASE_NONE,
    HONE_CASE_SLIP,
    HONE_CASE_AMBIGUOUS,
    HONE_CASE_JUDGE,
    HONE_CASE_SYSTEMATIC,
    HONE_CASE_KINDS
};
/* Of a cluster */
enum { HONE_BLAME_RUBRIC_AMBIGUOUS, HONE_BLAME_RUBRIC_WRONG, HONE_BLAME_JUDGE };
enum { HONE_DISAGREE_CLUSTERS = 12, HONE_DISAGREE_LEAST = 3 };

typedef struct hone_case {
    uint32_t item;        /* of the joined rows */
    int kind, cluster;    /* cluster -1: none */
    double judge, spread; /* its mean; standard deviation of its answers, 0 when there is one */
    double experts, low, high; /* median, range */
    size_t n;                  /* experts */
    uint32_t expert;           /* of a slip: who */
    double said;               /* and what */
} hone_case;

typedef struct hone_cluster {
    int blame, direction; /* +1: the judge is above the experts; 0: both */
    int column, value; /* of the joined rows; column -1: length, value its third; -2: everywhere */
    size_t cases, of;  /* so many of the items it is about */
    double rate, elsewhere; /* shares of items that are cases, in it and outside */
    double mean_gap;        /* experts minus judge, of the cases */
    double low, high;       /* of ambiguous ones: between which values experts differ most often */
} hone_cluster;

typedef struct hone_disagree_opts {
    double gap;   /* as a share of the range; 0: .25 */
    double z;     /* 0: 2.6 */
    double range; /* width of the scale; 0: what the ratings span */
} hone_disagree_opts;

typedef struct hone_disagreement {
    hone_case *cases; /* every item with a rating and a score, the widest apart first; [n] */
    size_t n, count[HONE_CASE_KINDS];
    hone_cluster cluster[HONE_DISAGREE_CLUSTERS];
    size_t n_clusters;
    double range, gap; /* gap in units of the scale */
    size_t one_expert; /* items with one rating */
    double third[2];   /* bounds of the thirds of lengths */
} hone_disagreement;

/* `j` was finished, with keep_scores. [any-thread] */
hone_status hone_disagree_find(const hone_joined *j, const hone_disagree_opts *o,
                               hone_disagreement *out);
void hone_disagree_release(hone_disagreement *d);
/* Is the item of case `c` one that cluster `k` is about: what an edit there touches. */
int hone_disagree_touches(const hone_joined *j, const hone_disagreement *d, const hone_case *c,
                          size_t k);
const char *hone_case_name(int kind);   /* "slip", "ambiguous", "judge", "systematic" */
const char *hone_blame_name(int blame); /* "ambiguous rubric", "wrong rubric", "wrong judge" */
#endif
