/* dedup.h - `hone data dedup`: of rows that are the same, or nearly the same, one stays: the first.
 *
 * cluster.h says which rows belong together; a second pass over the input keeps the first of each cluster, in the order of the input, and
 * reports for each other one which row stays in its place and whether it was the same or only like it. [control-thread] */
#ifndef HONE_CORE_CURATE_DEDUP_H
#define HONE_CORE_CURATE_DEDUP_H
#include "curate/cluster.h"

typedef struct hone_dedup_result {
    hone_cluster_counts clusters;
    uint64_t kept, dropped_same, dropped_near;
} hone_dedup_result;

/* Runs the job to its end, or to where it fails; it can be gone on with then. */
hone_status hone_dedup_run(const hone_cluster_spec *spec, int want_report, hone_input *in,
                           hone_pool *pool, hone_job *job, hone_dedup_result *out);
#endif
