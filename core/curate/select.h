/* select.h - `hone data select`: the rows with the best scores, and of them those that are most unlike each other.
 *
 * A pass gives every row a score (a column's number, or what `score` says: a judge's verdict, IFD). Rows outside [min, max] are
 * out; of the others the `top` best stay, or the share; equal scores: the earlier row. Then `diverse` rows are taken from these, farthest first: each the
 * one that is least like all that were taken (greedy k-center; Gonzalez 1985, within twice of the best radius), where the first is the
 * best and equally far ones go by their score. How far two rows are is one minus the share of equal values of their MinHash
 * signatures (an estimate of 1 - Jaccard), or, with a column of numbers, one minus their cosine.
 *
 * Rows stay in the order of the input. Memory does not grow with the data: 8 bytes a row lie in a mapped file, and for `diverse` a
 * signature for each row that is still in; its time is rows x diverse. Deterministic, whatever the number of threads. [control-thread] */
#ifndef HONE_CORE_CURATE_SELECT_H
#define HONE_CORE_CURATE_SELECT_H
#include "curate/minhash.h"
#include "curate/pass.h"

typedef struct hone_select_spec {
    const char *by; /* column of the score, or NULL */
    /* The score of a row, NaN: it has none. Called in the order of the rows; NULL: `by`. */
    hone_status (*score)(void *ctx, const hone_input_row *row, double *out);
    void *ctx;
    uint64_t every;   /* with `score`: rows between two notes, where each costs much; 0: as usual */
    const char *as;   /* the score is written into the kept row as this column; NULL: not */
    int lowest;       /* the least is the best */
    double min, max;  /* NaN: no limit */
    uint64_t top;     /* 0: all */
    double share;     /* of rows that have a score; 0: all */
    uint64_t diverse; /* 0: not */
    const char *columns, *embedding; /* what rows are alike by */
    uint64_t seed;
    int skip_bad;
} hone_select_spec;

typedef struct hone_select_result {
    hone_pass_counts pass;
    uint64_t scored, within, kept, dropped;
    double least, most; /* score of those that stay */
    double radius;      /* of `diverse`: how far a row may be from the nearest that stays */
} hone_select_result;

hone_status hone_select_run(const hone_select_spec *spec, hone_input *in, hone_pool *pool,
                            hone_job *job, hone_select_result *out);
#endif
