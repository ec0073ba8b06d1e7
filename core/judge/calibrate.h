/* calibrate.h - does the judge say what the experts say: all figures of one calibration.
 *
 * From labels and verdicts joined by item (joined.h) to one struct, and from there to the JSON document that the
 * gate, the report pages and people read (docs/judges.md, section 7). The experts' agreement among themselves
 * comes first: a judge cannot be asked for more. Every figure is a hone_figure: a value with its interval over
 * prompts, or the reason why there is none; `notes` say in plain sentences what the figures can and cannot tell.
 *
 * Two readings of "the experts" are used, and no figure mixes them:
 *   - every pair (judge, expert) on its own, so that it compares with pairs (expert, expert): kappa, AC2, alpha,
 *     accuracy, and the differences;
 *   - the experts' consensus: the mean (ranks, ICC, ECE, Brier, PPI), the majority (pairwise confusion), the median
 *     level (pointwise confusion), a majority over the threshold (TPR, TNR, precision; an even split is left out).
 * What a lead settled is the consensus of its item where opts.settled of the rows says so; pairs with experts stay as they are.
 * Statistics are those of judge/stats.h; here is what they are asked of. Lists of candidates (listwise.h) are calibrated as the
 * pairs in them; what makes no sense of a ranking is a figure without a value that says why. */
#ifndef HONE_CORE_JUDGE_CALIBRATE_H
#define HONE_CORE_JUDGE_CALIBRATE_H
#include "judge/joined.h"
#include "judge/stats.h"

enum {
    HONE_CALIB_LEVELS = 21,
    HONE_CALIB_SLICES = 160,
    HONE_CALIB_BINS = 4,
    HONE_CALIB_NOTES = 40
};

typedef struct hone_calib_opts {
    const double *levels; /* the scale, ascending; NULL: from the labels */
    size_t n_levels;
    int has_threshold;
    double threshold; /* positive: this much or more; else the middle of the scale */
    double tie;       /* pairwise: a score within it is a tie */
    int has_scale;
    double scale_lo, scale_hi; /* the judge's own scale, brought to that of the labels; else 0..1
                                 where its scores are fractions there and the labels' are not */
    double epsilon;            /* of the alternative-annotator test; 0: .2 */
    uint32_t replicates;       /* of the bootstrap; 0: 1,000 */
    uint64_t seed;
} hone_calib_opts;

typedef struct hone_calib_slice {
    const char *column, *value;
    size_t n;
    hone_figure bias, agreement; /* mean of judge minus experts; kappa_w */
} hone_calib_slice;

typedef struct hone_calib_bin {
    double lo, hi; /* bytes */
    size_t n;
    hone_figure rate;
} hone_calib_bin;

typedef struct hone_calibration {
    int shape, split;
    size_t items, judged, unlabelled, prompts, experts, labels;
    size_t settled; /* items whose consensus is a lead's */
    double share;   /* of the items read that were kept */
    double levels[HONE_CALIB_LEVELS];
    size_t n_levels; /* 0: the labels are no levels */

    int scaled; /* the judge's scores were brought from this scale */
    double scale[2];

    hone_figure ceiling_kappa_w, ceiling_ac2, ceiling_alpha, ceiling_accuracy, ceiling_icc2;
    hone_figure intra_expert; /* the same expert twice: the share of equal ratings */
    hone_figure kappa_w, kappa, ac2, alpha, icc2, tau_b, spearman, pearson, accuracy;
    hone_figure pairwise_accuracy, pairwise_ties;
    hone_figure difference_kappa_w, difference_ac2;
    hone_alt_test alt_test;

    uint64_t counts[HONE_CALIB_LEVELS * HONE_CALIB_LEVELS]; /* experts' consensus x judge */
    double threshold;
    hone_figure tpr, tnr, precision;
    size_t positives, negatives, divided;

    uint64_t status[HONE_JOINED_STATUSES];
    hone_figure unparsed;
    hone_calib_bin bins[HONE_CALIB_BINS];
    size_t n_bins;
    int related; /* of failures and length: 1, 0, -1 unknown */
    hone_figure swap_inconsistency;

    hone_calib_slice slices[HONE_CALIB_SLICES];
    size_t n_slices, slices_left_out;
    hone_figure bias; /* over all */

    hone_figure ece, brier;
    hone_isotonic isotonic;
    hone_figure prevalence_raw, prevalence, ppi_mean;
    double lambda;

    int weighted; /* items were chosen with known probabilities: those below are there */
    hone_figure w_accuracy, w_bias, w_good, w_mean; /* weighted by one over the probability */

    /* Lists (listwise.h): items, judged, labels are then of lists, and all figures above of their `pairs`. */
    size_t pairs, least, most;                                /* candidates of a list */
    hone_figure list_tau, list_top, experts_tau, experts_top; /* means over lists */
    hone_figure order_top; /* verdicts in different orders with different best */

    const char *notes[HONE_CALIB_NOTES]; /* in the arena */
    size_t n_notes;
    hone_arena arena;
} hone_calibration;

/* All figures of `j`, which must be finished and outlive `out`. Release `out` in any case but a failure. E_NOMEM,
 * E_INVALID for options that make no sense. [control-thread] */
hone_status hone_calibrate(const hone_joined *j, const hone_calib_opts *o, hone_calibration *out);
void hone_calibration_release(hone_calibration *c);

/* Where the numbers come from; written into the document. */
typedef struct hone_calib_source {
    const char *name, *path; /* "labels", the file as given */
    char sha256[65];
} hone_calib_source;
typedef struct hone_calib_about {
    const char *spec, *rubric; /* of the verdicts, or NULL */
    const char *criterion;     /* of which criterion; NULL: of the score */
    const char *at;            /* ISO 8601; NULL leaves it out */
    const char *version;       /* of hone */
    const hone_calib_source *data;
    size_t n_data;
    void (*more)(void *ctx, hone_jw *w); /* NULL, or writes further members */
    void *more_ctx;
    int64_t
        test_reads; /* how often the test split was read, this reading included; -1: not counted */
} hone_calib_about;
/* spec, rubric, at, hone, data: members of the open map. */
void hone__calib_about_json(const hone_calib_about *about, hone_jw *w);
/* The document: one JSON object without NaN or infinity. */
void hone_calibration_json(const hone_calibration *c, const hone_calib_about *about, hone_jw *w);
#endif
