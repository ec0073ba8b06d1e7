/* mix.h - `hone data mix`: rows of several files in one stream, each as often as its weight says.
 *
 * Output row i is the next row of a file drawn by weight with the random number (seed, i): nothing else decides, so the mixture can be
 * gone on with at any row, and its beginning does not depend on how long it becomes. With `by_bytes` a file's weight is divided by
 * the length that its rows have lately, and corrected by how far its bytes are from their share. A file that is at its end is left out of the draw; or the
 * mixture ends there (`stop`), or the file begins anew (`repeat`). Rows of a file keep their order. [control-thread] */
#ifndef HONE_CORE_CURATE_MIX_H
#define HONE_CORE_CURATE_MIX_H
#include "curate/job.h"

enum { HONE_MIX_MAX = 256 };

typedef struct hone_mix_spec {
    double weight[HONE_MIX_MAX];
    size_t n;
    uint64_t seed, rows; /* rows 0: until the end */
    int stop, repeat;
    int by_bytes; /* weights are shares of bytes, not of rows */
} hone_mix_spec;

typedef struct hone_mix_result {
    uint64_t rows, from[HONE_MIX_MAX]; /* rows of each file */
    uint64_t bytes[HONE_MIX_MAX];      /* of these rows */
    uint64_t epochs[HONE_MIX_MAX];     /* times it began anew */
} hone_mix_result;

/* in[k] is the input of weight k, a single file; the job's own input names the same files in the same order. */
hone_status hone_mix_run(const hone_mix_spec *spec, hone_input *const *in, hone_job *job,
                         hone_mix_result *out);
#endif
