/* opt_state.c - see opt_state.h.
 *
 * Everything here is arithmetic on places: an array is asked for by element, answered in bytes. */
#include "train/opt_state.h"

#include "base/alloc.h"
#include "base/error.h"
#include "ops/kernels.h"

#include <string.h>

size_t hone_opt_unit_of(const hone_param_item *it)
{
    return it->is_vector ? it->length : (size_t)it->cols * HONE_PANEL;
}

static size_t rows_of_unit(const hone_param_item *it)
{
    return it->is_vector ? 1 : HONE_PANEL;
}

static size_t blocks_of_unit(const hone_opt_array *a, const hone_param_item *it)
{
    size_t unit = hone_opt_unit_of(it);
    return a->block ? unit / a->block + (unit % a->block != 0) : 1;
}

hone_status hone_opt_entry_fill(hone_opt_entry *e, const hone_opt_state_spec *spec, uint32_t flags,
                                const char *who, const char *name)
{
    if (spec->n_buffers > HONE_OPT_MAX_STATE)
        return hone_fail(HONE_E_MISBEHAVED,
                         "%s: state_spec asks for %u arrays, at most %d are given", who,
                         spec->n_buffers, HONE_OPT_MAX_STATE);
    if (spec->cut > HONE_OPT_CUT_WHOLE)
        return hone_fail(HONE_E_MISBEHAVED, "%s: state_spec of %s: there is no cut %u", who, name,
                         spec->cut);
    e->cut = spec->cut                      ? spec->cut
             : flags & HONE_OPT_ELEMENTWISE ? HONE_OPT_CUT_ANY
                                            : HONE_OPT_CUT_WHOLE;
    e->tag = spec->tag;
    e->scratch = spec->scratch;
    e->n_state = spec->n_buffers;
    for (uint32_t k = 0; k < spec->n_buffers; k++) {
        uint32_t kind = spec->kinds[k],
                 least = kind == HONE_OPT_STATE_COLS ? HONE_OPT_CUT_WHOLE
                         : kind == HONE_OPT_STATE_BLOCKS || kind == HONE_OPT_STATE_ROWS
                             ? HONE_OPT_CUT_PANELS
                             : HONE_OPT_CUT_ANY;
        if (!spec->names[k] || !spec->names[k][0])
            return hone_fail(HONE_E_MISBEHAVED, "%s: array %u of its state has no name (%s)", who,
                             k, name);
        if (kind > HONE_OPT_STATE_COLS || e->cut < least)
            return hone_fail(HONE_E_MISBEHAVED,
                             "%s: %s of %s: an array of kind %u does not go with cut %u", who,
                             spec->names[k], name, kind, e->cut);
        e->state[k] = (hone_opt_array){spec->names[k], kind, spec->block, 0};
    }
    return HONE_OK;
}

size_t hone_opt_array_offset(const hone_opt_array *a, const hone_param_item *it, size_t element)
{
    size_t units = element / hone_opt_unit_of(it);
    switch (a->kind) {
    case HONE_OPT_STATE_BYTES:
        return element;
    case HONE_OPT_STATE_BLOCKS:
        return units * blocks_of_unit(a, it) * sizeof(float);
    case HONE_OPT_STATE_ROWS:
        return units * rows_of_unit(it) * sizeof(float);
    case HONE_OPT_STATE_COLS:
        return 0;
    default:
        return element * sizeof(float);
    }
}

hone_status hone_opt_entry_place(hone_opt_entry *e, const hone_param_item *it, hone_slice own,
                                 size_t *at)
{
    size_t end = own.end > it->flat ? own.end - it->flat : 0;
    e->end = end < it->length ? end : it->length;
    e->begin = own.begin > it->flat ? own.begin - it->flat : 0;
    if (e->begin > e->end)
        e->begin = e->end;
    for (uint32_t k = 0; k < e->n_state && e->begin < e->end; k++) {
        hone_opt_array *a = &e->state[k];
        size_t n = a->kind == HONE_OPT_STATE_COLS ? (size_t)it->cols * sizeof(float)
                                                  : hone_opt_array_offset(a, it, e->end - e->begin);
        a->at = *at;
        if (!hone_add_size(n, 63, &n) || !hone_add_size(*at, n / 64 * 64, at))
            return hone_fail(HONE_E_LIMIT, "%s: its state is too large", it->name);
    }
    return HONE_OK;
}

void hone_opt_array_shape(const hone_opt_array *a, const hone_param_item *it, int64_t *rows,
                          int64_t *cols)
{
    *rows = it->is_vector ? 1 : it->rows;
    *cols = it->cols;
    if (a->kind == HONE_OPT_STATE_BLOCKS) {
        *rows = (int64_t)(it->length / hone_opt_unit_of(it));
        *cols = (int64_t)blocks_of_unit(a, it);
    } else if (a->kind == HONE_OPT_STATE_ROWS) {
        *cols = 1;
    } else if (a->kind == HONE_OPT_STATE_COLS) {
        *rows = 1;
    }
}

void hone_opt_array_slice(const hone_opt_array *a, const hone_param_item *it, hone_slice s,
                          int64_t *first, int64_t *n)
{
    size_t at, unit = hone_opt_unit_of(it);
    hone_params_slice_rows(it, s, first, n, &at);
    if (*n == 0)
        return;
    if (a->kind == HONE_OPT_STATE_COLS) {
        *first = 0;
        *n = 1;
    } else if (a->kind == HONE_OPT_STATE_BLOCKS) {
        size_t begin = it->flat > s.begin ? it->flat : s.begin,
               end = it->flat + it->length < s.end ? it->flat + it->length : s.end;
        *first = (int64_t)((begin - it->flat) / unit);
        *n = (int64_t)((end - begin) / unit);
    }
}

/* Where the byte of row r (from the begin of the part), column c lies. */
static size_t byte_place(const hone_param_item *it, int64_t r, int64_t c)
{
    return it->is_vector ? (size_t)c
                         : (size_t)((r / HONE_PANEL * it->cols + c) * HONE_PANEL + r % HONE_PANEL);
}

void hone_opt_array_get(const hone_opt_array *a, const hone_param_item *it, const void *part,
                        int64_t first, int64_t n, float *out)
{
    int64_t rows, cols;
    hone_opt_array_shape(a, it, &rows, &cols);
    if (a->kind == HONE_OPT_STATE_ELEMENTS) {
        hone_params_unpack(it, part, first, n, out);
    } else if (a->kind == HONE_OPT_STATE_BYTES) {
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < cols; c++)
                out[r * cols + c] = ((const unsigned char *)part)[byte_place(it, first + r, c)];
    } else {
        memcpy(out, (const float *)part + first * cols, (size_t)(n * cols) * sizeof *out);
    }
}

void hone_opt_array_set(const hone_opt_array *a, const hone_param_item *it, void *part,
                        int64_t first, int64_t n, const float *in)
{
    int64_t rows, cols;
    hone_opt_array_shape(a, it, &rows, &cols);
    if (a->kind == HONE_OPT_STATE_ELEMENTS) {
        hone_params_pack(it, part, first, n, in);
    } else if (a->kind == HONE_OPT_STATE_BYTES) {
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < cols; c++)
                ((unsigned char *)part)[byte_place(it, first + r, c)] = (unsigned char)
                    in[r * cols + c];
    } else {
        memcpy((float *)part + first * cols, in, (size_t)(n * cols) * sizeof *in);
    }
}
