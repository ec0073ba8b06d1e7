/* comm.h - what the ranks of one training run say to each other.
 *
 * A rank is one process (or machine) of several that run the same recipe. All that training asks of a
 * transport is one call: every rank gives a block, every rank gets all blocks in rank order. Sums are built
 * on top, keyed by the global index of their chunks and added in that order on every rank, so their bits do
 * not depend on who computed which chunk. hone_comm_self is the communicator of a run alone, on the same code.
 *
 * What the ranks divide is what bits allow to divide: passes that only score (by part of the forest), the
 * gradient's norm (by chunk of the flat array), state and step of the optimizer and the files of a checkpoint
 * (by slice, nn/params.h). The training pass itself runs on every rank over the whole step: a weight's gradient
 * is one chain of fused multiply-adds over its tokens, and cut between ranks it would round differently.
 * Equal bits on any number of ranks are therefore a promise, and tests/unit/test_comm.c holds it.
 *
 * A transport (MPI: one MPI_Allgather of bytes) may rely on:
 *   - calls on all ranks in the same order with the same number of bytes, from one thread a rank;
 *   - blocks without pointers; the machines of a run are of one byte order and run one build;
 *   - a rank that fails between two calls still makes the next one, and says so in it (hone_comm_agree).
 * and must give: an error on every rank once one is lost. It may not rely on blocks being small, and nothing
 * here starts processes, divides prompts, or shares a run directory: of that, rank 0 alone has one and gives
 * the others the folder of each checkpoint. (architecture.md, "many machines"; compute.md 5) */
#ifndef HONE_CORE_TRAIN_COMM_H
#define HONE_CORE_TRAIN_COMM_H
#include "base/error.h"

enum { HONE_COMM_MAX = 1024 }; /* ranks */

typedef struct hone_comm {
    uint32_t rank, size; /* 0 <= rank < size <= HONE_COMM_MAX */
    void *ctx;
    /* all[r * bytes ..] = the `bytes` that rank r gave as `mine`; `mine` may be its own place in `all`.
     * Returns when every rank has called. After a failure the communicator is of no more use, on any rank. */
    hone_status (*gather)(const struct hone_comm *c, const void *mine, size_t bytes, void *all);
} hone_comm;

/* Rank 0 of 1. Static. */
const hone_comm *hone_comm_self(void);

/* The rank's share of n things in a row: sizes differ by at most 1, the first ranks have the larger ones. */
void hone_comm_share(const hone_comm *c, uint32_t rank, size_t n, size_t *first, size_t *count);

/* Below: collective, [control-thread] of each rank. */

/* All ranks learn whether all succeeded. A rank that failed gets its own `mine` back and keeps its error; the
 * others fail with HONE_E_FAIL, naming the first that did. Does not allocate. */
hone_status hone_comm_agree(const hone_comm *c, hone_status mine);
/* Fails on every rank, with HONE_E_STATE naming the first that differs from rank 0, unless all gave the same
 * n bytes. `what` says what they are ("the batch of this step"). Does not allocate. */
hone_status hone_comm_same(const hone_comm *c, const void *mine, size_t n, const char *what);
/* *out = 0.0 + part of chunk 0 + part of chunk 1 + ... + part of chunk n_chunks - 1, on every rank. This rank has
 * chunks [first, first + n); the ranks' ranges are of any size and in any order. E_STATE on every rank when a
 * chunk is missing or given twice, or the ranks mean different n_chunks. */
hone_status hone_comm_sum(const hone_comm *c, size_t n_chunks, size_t first, size_t n,
                          const double *part, double *out);
#endif
