/* cluster.h - which rows are the same, or nearly: for each row the first one that it is like.
 *
 * Two steps. A pass over the rows writes, for each, a hash of its folded text and the keys of its bands into sorters on disk. Then equal
 * hashes are joined; rows with an equal band are candidates, and joined when the true Jaccard of their shingles, computed from their
 * texts, is at least the threshold. What is joined is one cluster, through others too (A like B, B like C).
 *
 * Memory does not grow with the data: sorters have a fixed size, and the 8 bytes a row of the result lie in a mapped file.
 * In a bucket of m rows with one key, a row is compared with the bucket's first and with the one before it, so the work is linear in m.
 * Everything is deterministic: candidates are taken in the order of their rows.
 *
 * Goes on after a kill: the pass where it was noted, the joining from its beginning. [control-thread] */
#ifndef HONE_CORE_CURATE_CLUSTER_H
#define HONE_CORE_CURATE_CLUSTER_H
#include "curate/minhash.h"
#include "curate/pass.h"
#include "curate/table.h"

typedef struct hone_cluster_spec {
    const char *columns;
    hone_fold fold; /* for rows that are the same */
    int near;       /* nearly the same, too */
    uint32_t words, bands, rows;
    uint64_t seed;
    double threshold;
    int verify; /* 0: candidates are joined as they are */
    int skip_bad;
    size_t memory; /* of each sorter; 0: 32 MiB */
} hone_cluster_spec;

typedef struct hone_cluster_counts {
    hone_pass_counts pass;
    uint64_t exact, near; /* rows joined to an earlier one for being the same, for being like it */
    uint64_t candidates, compared; /* pairs from bands; pairs whose Jaccard was computed */
} hone_cluster_counts;

#define HONE_CLUSTER_NEAR                                                                          \
    ((uint64_t)1 << 63) /* the row was joined for being like, not for being the same */
#define HONE_CLUSTER_BAD (UINT64_MAX >> 1) /* the row has no text: it was malformed */

/* The rows of a job's input. `table` gets, for row n, the row of its cluster that it was joined to (hone_cluster_first: the first), with HONE_CLUSTER_NEAR; a
 * malformed row has HONE_CLUSTER_BAD. The input is spooled first where needed, and stands at its start afterwards. `lines` (NULL: not wanted): for row n its file
 * in the upper 16 bits and its line. When it returns, phase 3 with the input's start is noted; a
 * job that was further has both tables mapped again, and its state is the caller's. */
hone_status hone_cluster_run(const hone_cluster_spec *spec, hone_input *in, hone_pool *pool,
                             hone_job *job, hone_table *table, hone_table *lines,
                             hone_cluster_counts *counts);
/* Members of the counts in a state of phase 3, for who goes on behind. */
void hone_cluster_note(const hone_cluster_counts *c, hone_jw *w);
/* And back; E_STATE when one is missing. */
hone_status hone_cluster_noted(const hone_value *state, hone_cluster_counts *c);
/* The first row of row n's cluster. */
uint64_t hone_cluster_first(const hone_table *table, uint64_t n);
#endif
