/* forest.h - builds a batch: a forest of token segments for training and scoring.
 *
 * Segments are added in depth-first order: a root, then everything below its first child, then the
 * next child. A child sees all of its ancestors and never its siblings, so a prompt shared by a
 * group or by both halves of a preference pair is computed once. There is no padding: a row of the
 * batch is a token. A tree is one root with all below it; trees are what micro-batches are made of,
 * and since weight gradients are one chain over tokens in batch order, any split gives the same
 * bits.
 *
 * A target (row, id) asks for the log-prob of `id` in the distribution that row `row` predicts: for
 * token i of a segment that is row i-1, for the first token of a child its parent's last row.
 * Targets may be added in any order; the batch holds them sorted by row (stable), and
 * hone_forest_slot() says where one went.
 *
 * Pages (ops.h) are numbered from 0 within each part. Nothing here is read from outside: token ids
 * are checked against the vocabulary by the embedding op. (compute.md 2, 3) */
#ifndef HONE_CORE_NN_FOREST_H
#define HONE_CORE_NN_FOREST_H
#include "base/error.h"
#include "hone/ops.h"

/* One micro-batch: whole trees, everything renumbered from 0. Tokens [first_token, +batch.n_tokens)
 * and targets (sorted) [first_target, +batch.n_targets) of the whole forest. */
typedef struct hone_forest_part {
    hone_batch batch;
    int64_t first_token, first_segment, first_target, first_logit;
} hone_forest_part;

typedef struct hone_forest {
    int32_t *tokens, *positions;
    hone_segment *segments;
    int64_t *tree_begin; /* n_trees + 1 segment indices */
    int32_t *page_ids;
    int32_t *target_row, *target_id; /* as added; after build sorted by row */
    int64_t *target_slot;            /* insertion number -> sorted place */
    int32_t *logit_rows;
    int64_t n_tokens, n_segments, n_trees, n_page_ids, n_pages, n_targets, n_logit_rows;
    int64_t cap_tokens, cap_segments, cap_trees, cap_page_ids, cap_targets, cap_logit_rows;
    int32_t built;
    int32_t n_parts;
    hone_forest_part whole, *parts;
    int64_t cap_parts;
    int32_t *local; /* parts: renumbered segments, rows and pages live here */
    hone_segment *local_segments;
    size_t cap_local, cap_local_segments;
} hone_forest;

void hone_forest_init(hone_forest *f);
void hone_forest_release(hone_forest *f);
/* Empty again; memory kept, so a steady state does not allocate. */
void hone_forest_clear(hone_forest *f);

/* Adds n >= 1 tokens below `parent` (-1: a new tree). Returns the segment's index, or a status < 0:
 * E_INVALID when `parent` is not the last segment or one of its ancestors (not depth-first). */
int32_t hone_forest_segment(hone_forest *f, int32_t parent, const int32_t *tokens, int64_t n);
/* The row that predicts token i of `segment` (i - 1, or the parent's last row); -1 for a root's
 * first. */
int64_t hone_forest_row(const hone_forest *f, int32_t segment, int64_t i);
/* Asks for log p(id | row). Returns the target's number (0, 1, ... in the order of asking), or
 * < 0. */
int64_t hone_forest_target(hone_forest *f, int64_t row, int32_t id);
/* Targets for tokens [first, first + n) of a segment; a root's token 0 has no row and is E_INVALID.
 * Returns the number of the first. */
int64_t hone_forest_targets(hone_forest *f, int32_t segment, int64_t first, int64_t n);
/* Asks for the logits of a row; rows must be asked for in increasing order. */
hone_status hone_forest_logits(hone_forest *f, int64_t row);

/* Sorts, numbers pages, fills the batch. NULL on failure (empty forest, no memory). Valid until
 * clear; adding anything to a built forest is E_STATE. */
const hone_batch *hone_forest_build(hone_forest *f);
/* Splits a built forest at tree boundaries into parts of at most `max_tokens` tokens (one tree that
 * is larger is a part of its own; 0 = everything in one part). Returns the number of parts or <
 * 0. */
int32_t hone_forest_split(hone_forest *f, int64_t max_tokens);
const hone_forest_part *hone_forest_part_get(const hone_forest *f, int32_t i);
/* Where target number k is in the built (whole) batch. */
int64_t hone_forest_slot(const hone_forest *f, int64_t k);
#endif
