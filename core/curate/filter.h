/* filter.h - `hone data filter`: rows whose text no rule speaks against (quality.h) stay; of the others each reason is told.
 *
 * One pass in constant memory. The report has, for each row left out, every rule that failed, what was measured and the limit.
 * [control-thread] */
#ifndef HONE_CORE_CURATE_FILTER_H
#define HONE_CORE_CURATE_FILTER_H
#include "curate/pass.h"
#include "curate/quality.h"

typedef struct hone_filter_result {
    hone_pass_counts pass;
    uint64_t kept, dropped, reason[HONE_QUALITY_MAX]; /* rows for which rule i was a reason */
} hone_filter_result;

hone_status hone_filter_run(const hone_quality *q, const char *columns, int skip_bad,
                            hone_input *in, hone_pool *pool, hone_job *job,
                            hone_filter_result *out);
#endif
