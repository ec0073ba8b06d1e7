/* internal.h - what the files of core/graph share: nodes, tensors, plans.
 *
 * tape.c records, plan.c turns a recording into a schedule with memory offsets, run.c executes it,
 * ops.c is the table of functions that models call. Nobody else includes this file.
 *
 * A plan depends on nothing but the signature: ops, wiring, saves, gradient flags and sizes rounded
 * up to classes. It does not hold shapes or pointers, so batches of nearly the same size share
 * one. */
#ifndef HONE_CORE_GRAPH_INTERNAL_H
#define HONE_CORE_GRAPH_INTERNAL_H
#include "graph/tape.h"

#include "base/error.h"
#include "tensor/region.h"

/* The ops behind hone_graph_v1, looked up once a tape. */
#define HONE__OPS(X)                                                                               \
    X(EMBED, "embed/1")                                                                            \
    X(LINEAR, "linear/1")                                                                          \
    X(RMSNORM, "rmsnorm/1")                                                                        \
    X(ADD_RMSNORM, "add_rmsnorm/1")                                                                \
    X(HEAD_RMSNORM, "head_rmsnorm/1")                                                              \
    X(LAYERNORM, "layernorm/1")                                                                    \
    X(ROPE, "rope/1")                                                                              \
    X(ATTENTION, "attention/1")                                                                    \
    X(SWIGLU, "swiglu/1")                                                                          \
    X(GEGLU, "geglu/1")                                                                            \
    X(GELU, "gelu/1")                                                                              \
    X(ADD, "add/1")                                                                                \
    X(MUL, "mul/1")                                                                                \
    X(SCALE, "scale/1")                                                                            \
    X(SLICE, "slice/1")                                                                            \
    X(CONCAT, "concat/1")                                                                          \
    X(LINEAR_LOGPROB, "linear_logprob/1")                                                          \
    X(LINEAR_DIVERGENCE, "linear_divergence/1")                                                    \
    X(LOGITS, "logits/1")                                                                          \
    X(MAGNITUDE, "magnitude/1")
enum {
#define HONE__X(id, name) HONE__OP_##id,
    HONE__OPS(HONE__X)
#undef HONE__X
        HONE__OP_COUNT
};

#define HONE__NONE (-1)

enum { HONE__T_NODE = 0, HONE__T_PARAM = 1, HONE__T_INPUT = 2, HONE__T_VARIABLE = 3 };

struct hone__tensor {
    hone_shape shape;
    uint8_t kind, needs_grad, keep, root, read;
    uint8_t out_index; /* which output of its node */
    int32_t node;      /* producer, or -1 */
    hone_param param;
    hone_view value, grad; /* T_PARAM */
    size_t input_off;      /* T_INPUT, T_VARIABLE: bytes into inputs */
};

struct hone__node {
    const hone_op *op;
    uint32_t attr_off, attr_size;
    int32_t in_begin; /* into ins */
    int32_t first_out;
    uint8_t n_in, n_out, n_extra;
    uint32_t needs_grad; /* inputs that want one */
    uint32_t saves_in, saves_out;
    int32_t layer, block; /* -1: outside any block */
    hone_shape extra[HONE_OP_MAX_EXTRA];
};

enum { HONE__FWD = 0, HONE__HOST = 1, HONE__REPLAY = 2, HONE__BWD = 3 };
struct hone__step {
    int32_t node;
    uint32_t kind;
};

/* Offsets are bytes into the arena; SIZE_MAX = no buffer. */
struct hone__place {
    size_t value, replay, grad; /* of a tensor */
};
struct hone__node_place {
    size_t extra[HONE_OP_MAX_EXTRA], extra_replay[HONE_OP_MAX_EXTRA];
    size_t twin[HONE_OP_MAX_IN]; /* gradient of an input that occurs twice: added afterwards */
    uint32_t fresh;              /* inputs whose gradient buffer is written first here */
    int32_t group;        /* checkpoint group: backward reads its values from the replay; -1 */
    int32_t defer, cheap; /* cheap: every backward reads the replayed result */
};
struct hone__plan {
    uint64_t hash, used; /* used: clock of the cache */
    unsigned char *sig;
    size_t sig_len;
    struct hone__step *steps;
    int32_t n_steps,
        n_fwd; /* steps [0, n_fwd) are the forward, n_fwd is the host, the rest backward */
    struct hone__place *tensors;
    struct hone__node_place *nodes;
    size_t bytes, kept_bytes;
    void *block; /* the one allocation all arrays live in */
    size_t block_size;
};
#define HONE__PLANS 48

/* The executor ops see: the caller's with scratch of the tape's own. */
struct hone__exec {
    hone_exec ex;
    unsigned char *scratch;
    size_t stride, shared;
};

/* A parameter gradient put off until hone_tape_finish_grads: one per backward and deferring
 * node. */
struct hone__deferred {
    const hone_op *op;
    const hone_tape_params *params;
    hone_param param;
    hone_shape dout;
    int64_t n_tokens;
    size_t attr_off, dout_off, tokens_off; /* bytes into the region */
    uint32_t attr_size;
};

#define HONE__PROFILED 96
struct hone__profile {
    const hone_op *op[HONE__PROFILED];
    hone_tape_profile row[HONE__PROFILED];
    size_t n;
};

struct hone_ctx {
    struct hone__exec exec;
    hone_region arena, scratch, inputs, deferred;
    const hone_op *ops[HONE__OP_COUNT];

    /* the recording */
    const hone_tape_params *params;
    const hone_batch *batch;
    hone_tape_options opts;
    uint32_t mode;
    struct hone__tensor *tensors;
    struct hone__node *nodes;
    hone_tensor *ins;
    int32_t n_tensors, cap_tensors, n_nodes, cap_nodes, n_ins, cap_ins;
    unsigned char *attrs;
    size_t n_attrs, cap_attrs;
    hone_tensor *param_tensor; /* param -> tensor of this recording */
    int32_t cap_param_tensor;
    size_t n_inputs; /* bytes of inputs in use */
    unsigned char *sig;
    size_t n_sig, cap_sig;
    size_t need_thread, need_shared; /* scratch of every node, forward and backward */
    int32_t layer, block, n_blocks;
    hone_status failed;
    hone_error error;

    /* running */
    struct hone__plan *plan; /* of this recording, or NULL before it is made */
    struct hone__plan plans[HONE__PLANS];
    uint64_t clock, hits, misses;
    int32_t state;   /* HONE__S_* */
    uint8_t *seeded; /* by tensor */
    int32_t cap_seeded;
    struct hone__deferred *defer;
    int32_t n_defer, cap_defer;
    size_t n_deferred;             /* bytes in use */
    struct hone__profile *profile; /* NULL: off */
};
enum { HONE__S_EMPTY = 0, HONE__S_RECORDING = 1, HONE__S_RAN = 2, HONE__S_DONE = 3 };

/* Bytes of a shape in memory, 64-byte aligned; 0 on overflow or an impossible shape. */
size_t hone__shape_bytes(const hone_shape *s);
/* Sizes are planned in classes: rounded up by at most 1/32, so that similar batches share a
 * plan. */
size_t hone__size_class(size_t bytes);
int hone__shape_same(const hone_shape *a, const hone_shape *b);

/* Room for n more; keeps the failure sticky. */
hone_status hone__tape_grow(void **p, int32_t *cap, int32_t need, size_t size);
hone_tensor hone__tape_param(hone_tape *t, hone_param p); /* the tensor of a parameter */
/* Records a node; fills n_out handles (-1 all on failure). */
hone_status hone__tape_node(hone_tape *t, const hone_op *op, const hone_tensor *in, uint32_t n_in,
                            const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out);
/* Sets the sticky failure from the thread's current error. */
hone_status hone__tape_stick(hone_tape *t, hone_status s);
/* Finds or makes the plan of the recording (t->plan). */
hone_status hone__plan_find(hone_tape *t);
void hone__plan_release(struct hone__plan *p);

#define HONE__NO_BUFFER SIZE_MAX
#endif
