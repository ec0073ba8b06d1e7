/* hone/ops.h - op descriptors: what the tape records, the plan places, the executor runs.
 *
 * Every tensor of the core is two-dimensional: rows x cols, row-major with a leading dimension (heads lie
 * side by side in the columns; a vector of T numbers is T x 1). Weights are stored in 32-row panels (below).
 * A batch is a forest of token segments without padding: rows of an activation are its tokens.
 *
 * The bit rule: a row's result never depends on the number of rows, its position among them, threads,
 * kernel set or micro-batch split. Sums over tokens are one chain in batch order starting from the stored
 * gradient. (compute.md 1, 2, 4) */
#ifndef HONE_OPS_H
#define HONE_OPS_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_OPS "hone.ops/1"

enum { HONE_F32 = 1, HONE_BF16 = 2, HONE_F16 = 3, HONE_I32 = 4, HONE_F64T = 5, HONE_U8 = 6 };
/* Frozen weights alone, in panels of the host's: blocks of 32 inputs (HONE_Q4_K: 256) with their scales. */
enum { HONE_Q8_0 = 7, HONE_Q4_0 = 8, HONE_Q4_1 = 9, HONE_Q4_K = 10 };
enum {
    HONE_ROWS = 1, /* element (r, c) at r*ld + c */
    HONE_PANELS =
        2 /* element (r, c) at ((r/32)*cols + c)*32 + r%32; rows padded with zeros to 32 */
};
enum { HONE_MODE_TRAIN = 1, HONE_MODE_SCORE = 2, HONE_MODE_PREFILL = 3, HONE_MODE_DECODE = 4 };

typedef struct hone_view {
    void *data; /* 64-byte aligned at (0,0) */
    uint32_t dtype, layout;
    int64_t rows, cols, ld; /* ld: elements from row to row (HONE_ROWS); >= cols */
} hone_view;

typedef struct hone_shape {
    int64_t rows, cols;
    uint32_t dtype, layout;
} hone_shape;

/* ---- the batch: a forest of segments ---------------------------------------------------------------- */
#define HONE_PAGE 64 /* keys a page */

/* A run of tokens of the batch with a parent segment (or -1). Children see all of their ancestors.
 * Its keys lie in pages counted from the root's first position: position p is row p % 64 of page
 * page_ids[page_begin + p / 64]. A child shares its parent's full pages; where `start` is no multiple of 64,
 * its page start/64 is its own and begins as a copy of the whole parent page `copy_page`. */

/* Recurrent state. A page is `state_floats` floats of a slot (hone_model_info), and what they mean is the
 * op's. State that does not grow with positions stands in the page of the last position it has seen:
 *   read   a root with start > 0 begins from what page (start - 1) / 64 holds, any other root from zeros,
 *          a child from what its parent's last row left (in the batch)
 *   write  in PREFILL and DECODE, at the end of the segment and at each position p with p % 64 == 63 in it:
 *          the state after p, into page p / 64
 * Full pages are shared and the last partial one is copied when a sequence is forked, so each child goes
 * on from its own copy; pages of a new sequence are zero. In TRAIN and SCORE there is no pool: rows of the
 * parent are at hand, and in backward the gradients of all children add up in the parent's last state. A
 * chain per column over tokens, begun at the parent's row, gives the same bits in all modes. */
typedef struct hone_segment {
    int64_t first_token, n_tokens;
    int64_t start;      /* position of its first token, counted from the root */
    int32_t parent;     /* segment index < own index, or -1 */
    int32_t copy_page;  /* page id to copy before writing, or -1 */
    int64_t page_begin; /* into page_ids; covers positions [0, start + n_tokens) */
    int64_t tree;       /* index of its root among roots: segments of one tree are adjacent */
} hone_segment;

typedef struct hone_batch {
    uint32_t struct_size, n_segments;
    int64_t n_tokens;
    const int32_t *tokens;    /* n_tokens */
    const int32_t *positions; /* n_tokens */
    const hone_segment *segments;
    const int32_t *page_ids;
    int64_t n_pages; /* pages of the pool */
    int64_t n_trees;
    /* Log-prob targets: triples (row, id, weight). Rows without a target never reach the head.
     * A parent's last row appears once per child. Sorted by row. */
    int64_t n_targets;
    const int32_t *target_row, *target_id;
    /* Rows whose logits are wanted (generation). */
    int64_t n_logit_rows;
    const int32_t *logit_rows;
    /* Persistent sequence state of PREFILL and DECODE: block `layer` of the pool, or NULL: the op builds
     * pages in its own scratch. state_stride: floats from page to page. Owned
     * by the host, valid until the call returns. [worker-thread & active] */
    float *(*state)(const struct hone_batch *batch, uint32_t slot, int64_t *state_stride);
    void *ctx;
} hone_batch;

/* ---- running ------------------------------------------------------------------------------------------ */
typedef void (*hone_task_fn)(void *arg, int64_t task, uint32_t thread);
typedef struct hone_exec {
    uint32_t struct_size, n_threads;
    void *ctx;
    /* Runs tasks 0..n-1, each once, on up to n_threads threads, and returns when all are done. n == 1 runs
     * in place. Not nested. [worker-thread] */
    void (*parallel)(const struct hone_exec *ex, int64_t n_tasks, hone_task_fn fn, void *arg);
    /* This thread's scratch of at least the op's `thread_scratch` bytes, 64-byte aligned, until the
     * task ends. Cannot fail: it was made before. [worker-thread] */
    void *(*thread_scratch)(const struct hone_exec *ex, uint32_t thread);
    void *shared_scratch; /* the op's `shared_scratch` bytes */
} hone_exec;

#define HONE_OP_MAX_IN 12
#define HONE_OP_MAX_OUT 3
#define HONE_OP_MAX_EXTRA 3

typedef struct hone_op_args {
    uint32_t struct_size, mode;
    uint32_t n_in, n_out, n_extra, reserved;
    const hone_view *in, *out;
    const hone_view
        *extra; /* written by fwd when mode is TRAIN, read by bwd; data NULL in other modes */
    const hone_view *dout;    /* bwd: gradient of each output; data NULL: none arrived (zero) */
    const hone_view *din;     /* bwd: where each input's gradient goes; data NULL: not wanted */
    const uint8_t *din_fresh; /* bwd: 1 = buffer holds nothing yet: write; 0 = accumulate (+=) */
    const void *attr;
    const hone_batch *batch;
} hone_op_args;

typedef struct hone_shape_ctx {
    uint32_t struct_size, mode;
    uint32_t n_in,
        needs_grad; /* bit i: input i wants a gradient; an op clears those it never gives one to */
    const hone_shape *in;
    const void *attr;
    const hone_batch *batch;
    /* the op fills: */
    uint32_t n_out, n_extra;
    hone_shape out[HONE_OP_MAX_OUT], extra[HONE_OP_MAX_EXTRA];
    uint32_t saves_in, saves_out;                  /* bit i: backward reads input / output i */
    size_t thread_scratch, shared_scratch;         /* bytes for fwd */
    size_t thread_scratch_bwd, shared_scratch_bwd; /* bytes for bwd */
    char error[160];                               /* text when it fails: which shapes do not fit */
} hone_shape_ctx;

#define HONE_OP_INPLACE (1u << 0) /* out 0 may be in 0's buffer (same shape) */
#define HONE_OP_PASS_GRAD                                                                          \
    (1u << 1) /* din[0] (and din[1] when two) may be the buffer of dout[0]: same values flow on */
#define HONE_OP_DEFER                                                                              \
    (1u << 2) /* parameter gradient is added once after the last micro-batch (embed) */
#define HONE_OP_STATEFUL (1u << 3) /* reads or writes sequence state */
#define HONE_OP_CHEAP (1u << 4)    /* worth recomputing rather than keeping */

typedef struct hone_op {
    uint32_t struct_size, flags;
    const char *name; /* "rmsnorm/1" */
    size_t attr_size;
    hone_status (*infer)(hone_shape_ctx *ctx);                         /* [any-thread] */
    hone_status (*fwd)(const hone_op_args *args, const hone_exec *ex); /* [worker-thread] */
    hone_status (*bwd)(const hone_op_args *args,
                       const hone_exec *ex); /* NULL = inference only [worker-thread] */
    uint64_t (*cost)(const hone_op_args *args,
                     uint64_t *bytes); /* flops of fwd; cannot fail [any-thread] */
} hone_op;

/* What a component of kind `ops` offers. */
typedef struct hone_ops_v1 {
    uint32_t struct_size, reserved;
    const hone_op *const *ops; /* NULL-terminated */
} hone_ops_v1;

#ifdef __cplusplus
}
#endif
#endif
