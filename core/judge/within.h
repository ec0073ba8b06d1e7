/* within.h - can the judge tell completions of one prompt apart: the question reinforcement learning asks.
 *
 * Groups of completions, several verdicts of each: from joined rows (joined.h, keep_scores) to one struct and the JSON
 * document of kind "reliability". With labels of some of the completions also the order against experts within prompts.
 * The statistics are judge/reliability.h's; here is what they are asked of. (judges.md 7) */
#ifndef HONE_CORE_JUDGE_WITHIN_H
#define HONE_CORE_JUDGE_WITHIN_H
#include "judge/calibrate.h"

enum {
    HONE_WITHIN_TARGETS = 4,
    HONE_WITHIN_LEVELS = 21,
    HONE_WITHIN_REPEATS = HONE_JOINED_REPEATS
};

typedef struct hone_within_criterion {
    const char *id;
    hone_figure contrast; /* standard deviation within a prompt as a share of the range seen */
} hone_within_criterion;

typedef struct hone_within {
    hone_reliability r;
    size_t repeats
        [HONE_WITHIN_TARGETS]; /* needed for hone_within_targets; 0: none is enough, or unknown */
    double levels[HONE_WITHIN_LEVELS];
    uint64_t counts[HONE_WITHIN_LEVELS];
    size_t n_levels;
    hone_within_criterion criteria[HONE_JOINED_CRITERIA];
    size_t n_criteria;
    hone_figure
        unparsed;    /* share of completions with a reply that gave no number; n: completions */
    hone_figure tau; /* within prompts, against the experts' mean; a reason without labels */
    const char *notes[HONE_CALIB_NOTES];
    size_t n_notes;
    hone_arena arena;
} hone_within;

extern const double hone_within_targets[HONE_WITHIN_TARGETS]; /* .5, .7, .8, .9 */

/* `j` was finished with keep_scores and outlives `out`. replicates 0: 1,000. Release `out` in any case but a failure.
 * [control-thread] */
hone_status hone_within_measure(const hone_joined *j, uint32_t replicates, uint64_t seed,
                                hone_within *out);
void hone_within_release(hone_within *w);
/* One JSON object without NaN. `policy` NULL: what the verdicts say. */
void hone_within_json(const hone_within *w, const hone_joined *j, const char *policy,
                      const hone_calib_about *about, hone_jw *jw);
#endif
