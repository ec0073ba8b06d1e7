/* hone/optimizer.h - one optimizer step over flat slices of parameters.
 *
 * The host owns parameters, gradients and state, cuts slices over threads and checkpoints the state. What state a
 * parameter has and how it may be cut is asked once, parameter by parameter (state_spec). Learning rate and weight
 * decay arrive resolved per slice (schedule, groups by name pattern). Gradients arrive clipped: grad_scale is to be
 * multiplied in. (plugin-abi.md 3) */
#ifndef HONE_OPTIMIZER_H
#define HONE_OPTIMIZER_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_OPTIMIZER "hone.optimizer/1"

#define HONE_OPT_ELEMENTWISE (1u << 0) /* any cut into slices gives the same bits */
#define HONE_OPT_MAX_STATE 4

/* Where the host may cut a parameter into slices. COLS needs WHOLE; BLOCKS and ROWS need PANELS or WHOLE. */
enum {
    HONE_OPT_CUT_DEFAULT = 0, /* ANY where the table says ELEMENTWISE, else WHOLE */
    HONE_OPT_CUT_ANY = 1,
    HONE_OPT_CUT_PANELS = 2, /* between panels of 32 rows; a vector stays whole */
    HONE_OPT_CUT_WHOLE = 3
};
/* What an array of state holds. All are zero at the start. */
enum {
    HONE_OPT_STATE_ELEMENTS = 0, /* a float32 an element, in the layout of the parameter */
    HONE_OPT_STATE_BYTES = 1,    /* a byte an element: state[k] points to unsigned char */
    /* a float32 a block: `block` elements in the order of storage, counted from the begin of each panel (of the
     * vector), the last one perhaps shorter; block 0: the whole panel or vector is one */
    HONE_OPT_STATE_BLOCKS = 2,
    HONE_OPT_STATE_ROWS = 3, /* a float32 a row, up to whole panels; one for a vector */
    HONE_OPT_STATE_COLS = 4  /* a float32 a column */
};

enum {
    HONE_LAYOUT_FLAT = 0,  /* no shape is promised (ELEMENTWISE) */
    HONE_LAYOUT_ROWS = 1,  /* row-major rows x cols */
    HONE_LAYOUT_PANELS = 2 /* [rows/32][cols][32]: see model.h; padding is zero and stays zero */
};

typedef struct hone_opt_param {
    uint32_t struct_size, group;
    hone_str name;
    int64_t rows, cols; /* cols 0 for a vector of `rows` */
    uint32_t flags;     /* HONE_PARAM_* of model.h: an embedding, the head, ...    since 0.1.1 */
    uint32_t reserved;
} hone_opt_param;

typedef struct hone_opt_state_spec {
    uint32_t struct_size, n_buffers;       /* arrays of state of this parameter */
    const char *names[HONE_OPT_MAX_STATE]; /* "exp_avg", ...: names in optimizer.safetensors */
    uint32_t kinds[HONE_OPT_MAX_STATE];    /* HONE_OPT_STATE_*                       since 0.1.1 */
    uint32_t block, cut;                   /* of BLOCKS; HONE_OPT_CUT_*              since 0.1.1 */
    uint32_t tag, reserved; /* comes back in each slice of this parameter     since 0.1.1 */
    uint64_t scratch;       /* bytes that a step over one slice of it needs   since 0.1.1 */
} hone_opt_state_spec;

typedef struct hone_opt_slice {
    float *param;
    const float *grad;
    float *state[HONE_OPT_MAX_STATE]; /* what belongs to the slice; BYTES: of unsigned char */
    size_t length;                    /* floats of param and grad */
    int64_t rows, cols;               /* of the whole parameter; cols 0: a vector of `rows` */
    uint32_t layout, group;
    double lr, weight_decay;
    void *scratch; /* 64-byte aligned, as many bytes as were asked for; not kept     since 0.1.1 */
    uint32_t tag, reserved; /* what state_spec said of the parameter                 since 0.1.1 */
} hone_opt_slice;

typedef struct hone_opt_info {
    uint32_t struct_size, reserved;
    uint64_t step;     /* 1 for the first update */
    double grad_scale; /* clipping: 1 when not clipped */
    double grad_norm;  /* before clipping */
} hone_opt_info;

typedef struct hone_optimizer_v1 {
    uint32_t struct_size, flags; /* HONE_OPT_* */
    hone_status (*state_spec)(void *self, const hone_opt_param *param_bor,
                              hone_opt_state_spec *out); /* [control-thread] */
    /* Updates every slice. Called by several threads at once on disjoint slices. [worker-thread & active] */
    hone_status (*step)(void *self, const hone_opt_slice *slices_bor, size_t n, size_t stride,
                        const hone_opt_info *info);
    /* optional: the weights trained with are not the ones to evaluate and to save. Writes the latter into `param`,
     * from param and state after update info->step (1 or later); gradients are NULL, state stays as it is. The host
     * keeps the former and puts them back. Slices, threads and failures as in step; since 0.1.1.
     * [worker-thread & active] */
    hone_status (*evaluation)(void *self, const hone_opt_slice *slices_bor, size_t n, size_t stride,
                              const hone_opt_info *info);
} hone_optimizer_v1;

/* Elements that a panel has in all, 32 rows of `cols`; a vector is one unit. Cannot fail; since 0.1.1. [any-thread] */
static inline size_t hone_opt_unit(const hone_opt_slice *s)
{
    return s->layout == HONE_LAYOUT_PANELS && s->cols > 0 ? (size_t)s->cols * 32 : s->length;
}
/* Place of element (r, c) of a slice that begins at row 0. Cannot fail; since 0.1.1. [any-thread] */
static inline size_t hone_opt_place(const hone_opt_slice *s, int64_t r, int64_t c)
{
    if (s->layout == HONE_LAYOUT_PANELS)
        return (size_t)((r / 32 * s->cols + c) * 32 + r % 32);
    return (size_t)(r * (s->cols ? s->cols : 1) + c);
}

/* In C, `const hone_component NAME`, an optimizer with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_OPTIMIZER(name, table, ...)                                                    \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_OPTIMIZER, HONE_IFACE_OPTIMIZER, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
