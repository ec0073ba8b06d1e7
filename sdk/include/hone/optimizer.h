/* hone/optimizer.h - one optimizer step over flat slices of parameters.
 *
 * The host owns parameters, gradients and state, cuts slices over threads (ELEMENTWISE) and
 * checkpoints the state. Learning rate and weight decay arrive resolved per slice (schedule, groups
 * by name pattern). Gradients arrive clipped: grad_scale is to be multiplied in. (plugin-abi.md 3) */
#ifndef HONE_OPTIMIZER_H
#define HONE_OPTIMIZER_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_OPTIMIZER "hone.optimizer/1"

#define HONE_OPT_ELEMENTWISE (1u << 0) /* any cut into slices gives the same bits */
#define HONE_OPT_MAX_STATE 4

enum {
    HONE_LAYOUT_FLAT = 0,  /* no shape is promised (ELEMENTWISE) */
    HONE_LAYOUT_ROWS = 1,  /* row-major rows x cols */
    HONE_LAYOUT_PANELS = 2 /* [rows/32][cols][32]: see model.h; padding is zero and stays zero */
};

typedef struct hone_opt_param {
    uint32_t struct_size, group;
    hone_str name;
    int64_t rows, cols; /* cols 0 for a vector of `rows` */
} hone_opt_param;

typedef struct hone_opt_state_spec {
    uint32_t struct_size,
        n_buffers; /* float32 arrays as long as the parameter, zero at the start */
    const char *names[HONE_OPT_MAX_STATE]; /* "exp_avg", ...: names in optimizer.safetensors */
} hone_opt_state_spec;

typedef struct hone_opt_slice {
    float *param;
    const float *grad;
    float *state[HONE_OPT_MAX_STATE];
    size_t length; /* floats */
    int64_t rows, cols;
    uint32_t layout, group;
    double lr, weight_decay;
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
} hone_optimizer_v1;

/* In C, `const hone_component NAME`, an optimizer with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_OPTIMIZER(name, table, ...)                                                    \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_OPTIMIZER, HONE_IFACE_OPTIMIZER, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
