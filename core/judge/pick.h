/* pick.h - which items experts label next: a batch with a known probability for every item.
 *
 * The key idea: one draw, not two. Item i is in the batch with probability p_i = u + a_i, where u is the same for all and holds
 * 30 % of the batch, and a_i grows with how much the item promises: entropy of the judge's labels, how far its answers lie apart when
 * sides are swapped, how far several judges lie apart, how near its score is to the threshold, whether its policy was labelled before.
 * So every item can be chosen, estimates weighted by 1/p_i are unbiased, and p_i is exact: a systematic sample over a random order
 * (Madow 1949) has just the batch's size and just these probabilities.
 *
 * Signals are compared by rank, so their units do not matter; what is not known counts as nothing. A draw is a function of the
 * seed. (judges.md section 11) */
#ifndef HONE_CORE_JUDGE_PICK_H
#define HONE_CORE_JUDGE_PICK_H
#include "base/json.h"

enum {
    HONE_PICK_ENTROPY,
    HONE_PICK_SWAP,
    HONE_PICK_JURY,
    HONE_PICK_THRESHOLD,
    HONE_PICK_POLICY,
    HONE_PICK_SIGNALS
};
extern const char *const hone_pick_names[HONE_PICK_SIGNALS]; /* "entropy", "swap", "jury", ... */
#define HONE_PICK_UNIFORM 0.3

typedef struct hone_pick {
    size_t item;
    double probability; /* (0, 1] */
    const char *why;    /* "uniform", or a signal's name */
} hone_pick;

/* signals (n, HONE_PICK_SIGNALS), larger is more wanted, NaN unknown; or NULL. `out` has room for min(want, n), which is how many
 * come, in the order of the items. */
hone_status hone_pick_draw(const double *signals, size_t n, size_t want, uint64_t seed,
                           hone_pick *out);
/* p (n): the probabilities alone. */
hone_status hone_pick_probabilities(const double *signals, size_t n, size_t want, double *p);

/* ---- signals from verdict rows ----------------------------------------------------------------------------- */

typedef struct hone_pick_pool hone_pick_pool;
/* For n items with these ids (borrowed). E_EXISTS: one comes twice. */
hone_status hone_pick_pool_create(const hone_str *ids, size_t n, double threshold,
                                  hone_pick_pool **out);
void hone_pick_pool_destroy(hone_pick_pool *p);
/* Takes a verdict row; one of an unknown item is passed over: 0. E_TYPE, E_INVALID: it is none. */
hone_status hone_pick_pool_add(hone_pick_pool *p, const hone_value *row);
/* Item i is, or is not, of a policy nobody has labelled. */
void hone_pick_pool_fresh(hone_pick_pool *p, size_t item, int fresh);
/* (n, HONE_PICK_SIGNALS), owned by the pool. */
const double *hone_pick_pool_signals(hone_pick_pool *p);
#endif
