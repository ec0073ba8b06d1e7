/* state.h - sequence state of generation: a pool of pages, sequences that share them, batches made
 * of them.
 *
 * A page holds 64 positions of every state slot of a model: their keys and values, or what a
 * recurrence is after the last of them (hone/ops.h). A sequence is a list
 * of pages and a length. Forking shares the full pages (reference counts) and copies the last
 * partial one, so n children of a prompt cost one page each. The pool reserves address space once
 * and touches memory as pages are first used, so pages never move; a page handed out is zeroed.
 *
 * A forward: hone_state_batch() with the new tokens of each sequence -> a hone_batch (PREFILL or
 * DECODE), run it, hone_state_commit(). Until then lengths are unchanged, and hone_state_batch()
 * again starts over. Sequences of one batch are roots of their own that start at their length.
 *
 * Not thread-safe: one control thread owns a pool. (compute.md 2, 6) */
#ifndef HONE_CORE_NN_STATE_H
#define HONE_CORE_NN_STATE_H
#include "base/error.h"
#include "hone/model.h"

typedef struct hone_state hone_state;
typedef int32_t hone_seq; /* a sequence of the pool, >= 0 */

/* A pool for models of this info, at most max_pages pages (0: as much address space as 64 GiB
 * give). */
hone_status hone_state_create(const hone_model_info *info, int64_t max_pages, hone_state **out);
void hone_state_destroy(hone_state *st); /* NULL is allowed */
void hone_state_reset(hone_state *st);   /* all sequences are gone; memory kept */

/* A new empty sequence, or < 0. */
hone_seq hone_seq_create(hone_state *st);
/* A sequence with the same content. The two go on independently. < 0: E_LIMIT when no page is
 * left. */
hone_seq hone_seq_fork(hone_state *st, hone_seq seq);
void hone_seq_release(hone_state *st, hone_seq seq);
int64_t hone_seq_length(const hone_state *st, hone_seq seq); /* tokens committed */
/* Forgets everything from position `length` on. E_UNSUPPORTED: the state is recurrent, and no page
 * ends at `length`. */
hone_status hone_seq_truncate(hone_state *st, hone_seq seq, int64_t length);

enum { HONE_LOGITS_NONE = 0, HONE_LOGITS_LAST = 1, HONE_LOGITS_ALL = 2 };
typedef struct hone_seq_step {
    hone_seq seq; /* each at most once in a batch */
    int32_t n;    /* >= 1 new tokens */
    const int32_t *tokens;
    const int32_t *targets; /* NULL, or n ids whose log-prob is wanted, row by row; -1 = none */
    uint32_t logits;        /* HONE_LOGITS_* */
    uint32_t reserved;
} hone_seq_step;

/* Reserves pages and fills *out (valid until the next call). E_LIMIT: the pool is full. */
hone_status hone_state_batch(hone_state *st, const hone_seq_step *steps, size_t n,
                             const hone_batch **out);
/* The forward of the last batch succeeded: lengths grow. */
void hone_state_commit(hone_state *st);

typedef struct hone_state_stats {
    int64_t pages_live, pages_peak, max_pages;
    size_t page_bytes; /* of all slots together */
} hone_state_stats;
void hone_state_get_stats(const hone_state *st, hone_state_stats *out);
#endif
