/* opt_state.h - what an optimizer keeps for one parameter: which arrays, where they lie, their rows in a file.
 *
 * All arrays of all parameters lie in one region, one after the other. A rank holds those of its slice of the flat
 * array (nn/params.h), which begins and ends between panels, so each array is cut where the parameter is. An array
 * follows the elements of its parameter (a float or a byte each), its blocks, its rows or its columns
 * (hone/optimizer.h); `unit` below is a panel of 32 rows, or a whole vector.
 *
 * Files hold rows: of elements as the parameter's own, of blocks one a unit, of rows one number each. A checkpoint
 * of elements, bytes and rows does not depend on the layout; blocks are made of panels and do. */
#ifndef HONE_CORE_TRAIN_OPT_STATE_H
#define HONE_CORE_TRAIN_OPT_STATE_H
#include "hone/optimizer.h"
#include "nn/params.h"

typedef struct hone_opt_array {
    const char *name; /* the component's */
    uint32_t kind, block;
    size_t at; /* of this rank's part in the region, in bytes */
} hone_opt_array;

typedef struct hone_opt_entry {
    hone_param param;
    uint32_t group; /* of hone_optimizer.groups */
    uint32_t cut, tag, n_state;
    size_t scratch;
    size_t begin, end; /* elements of the parameter that this rank has; none: begin == end */
    hone_opt_array state[HONE_OPT_MAX_STATE];
} hone_opt_entry;

/* Floats that stay together. */
size_t hone_opt_unit_of(const hone_param_item *it);
/* From what state_spec said. E_MISBEHAVED, naming `who`, when it cannot be: more arrays than there may be, kinds and
 * cuts that do not go together. flags: those of the component's table. */
hone_status hone_opt_entry_fill(hone_opt_entry *e, const hone_opt_state_spec *spec, uint32_t flags,
                                const char *who, const char *name);
/* Sets begin and end, and places the arrays from byte *at of the region on, 64-byte aligned; moves *at behind them.
 * E_LIMIT. */
hone_status hone_opt_entry_place(hone_opt_entry *e, const hone_param_item *it, hone_slice own,
                                 size_t *at);
/* Byte, from the array's own begin on, of what belongs to the elements from begin + `element` on (a whole number of
 * units, but for arrays of elements and bytes). */
size_t hone_opt_array_offset(const hone_opt_array *a, const hone_param_item *it, size_t element);

/* ---- as rows of a file ------------------------------------------------------------------------- */
/* The whole array: rows x cols of float32, or of bytes where the kind is BYTES. */
void hone_opt_array_shape(const hone_opt_array *a, const hone_param_item *it, int64_t *rows,
                          int64_t *cols);
/* Its rows in a slice of the flat array: [*first, *first + *n), n = 0 when none. */
void hone_opt_array_slice(const hone_opt_array *a, const hone_param_item *it, hone_slice s,
                          int64_t *first, int64_t *n);
/* Rows [first, first + n), counted from the first one of this rank's part, which lies at `part`; values as floats,
 * those of BYTES too. */
void hone_opt_array_get(const hone_opt_array *a, const hone_param_item *it, const void *part,
                        int64_t first, int64_t n, float *out);
void hone_opt_array_set(const hone_opt_array *a, const hone_param_item *it, void *part,
                        int64_t first, int64_t n, const float *in);
#endif
