/* split.h - `hone data split`: each row into one of several files, so that what belongs together stays together.
 *
 * A row's group is the text of the columns named, or its whole text, or with `near` the cluster of rows that are nearly the same
 * (cluster.h). A hash of the group and the seed says where in [0, 1) it lies, and so into which file it goes. Nothing but the group decides, so a group is never
 * divided, and rows that come later move none that were there. (With `near` the group is the text of the cluster's first row: rows that
 * are added behind move others only where they join two clusters.)
 * Shares that sum up to less than 1 leave the rest out. [control-thread] */
#ifndef HONE_CORE_CURATE_SPLIT_H
#define HONE_CORE_CURATE_SPLIT_H
#include "curate/cluster.h"

enum { HONE_SPLIT_MAX = 64 };

typedef struct hone_split_spec {
    double share[HONE_SPLIT_MAX]; /* of output i */
    size_t n;
    uint64_t seed;
    const char *group;             /* columns; NULL: the text */
    const hone_cluster_spec *near; /* or NULL */
    int skip_bad;
} hone_split_spec;

typedef struct hone_split_result {
    hone_pass_counts pass;
    uint64_t rows[HONE_SPLIT_MAX], left_out;
} hone_split_result;

/* Which output a group falls to; n: none. [any-thread] */
size_t hone_split_place(const hone_split_spec *spec, hone_hash128 group);
hone_status hone_split_run(const hone_split_spec *spec, hone_input *in, hone_pool *pool,
                           hone_job *job, hone_split_result *out);
#endif
