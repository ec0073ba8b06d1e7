/* rope_table.h - cosines and sines of rotary positions, computed once per configuration and
 * position. */
#ifndef HONE_CORE_OPS_ROPE_TABLE_H
#define HONE_CORE_OPS_ROPE_TABLE_H
#include "base/error.h"
#include "hone/model.h"

typedef struct hone__rope_table hone__rope_table;

enum { HONE_ROPE_MAX_POSITION = 1 << 20 };

/* The angles per position and dimension pair, float32 as transformers computes them: out
 * (rotary_dim/2); *factor multiplies cosines and sines (1 but for yarn). E_INVALID,
 * E_UNSUPPORTED. [any-thread] */
hone_status hone__rope_frequencies(const hone_rope *rope, float *out, float *factor);

/* The table of a configuration, filled for positions 0..last. It lives until hone__rope_clear().
 * E_RANGE, E_NOMEM, or as above. [any-thread] */
hone_status hone__rope_table_get(const hone_rope *rope, int64_t last, const hone__rope_table **out);
/* cos and sin of one position, as the kernel rope() wants them. */
void hone__rope_row(const hone__rope_table *t, int64_t position, const float **cos,
                    const float **sin);
/* Frees all tables (tests). No op may run. */
void hone__rope_clear(void);
#endif
