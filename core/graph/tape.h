/* tape.h - records a model's forward, plans its memory, runs it forward and backward.
 *
 * Life of a step (nn/model.h has the first three):
 *   hone_model_begin(m, t, mode, batch, opts)      empty; then record, nothing is computed:
 *   h  = hone_model_hidden(m, t)                   the model's forward
 *   lp = hone_model_logprob(m, t, h, 1, &entropy)  n_targets x 1 each
 *   ... more ops (Lua objectives) ...
 *   hone_tape_root(t, lp)                          TRAIN: backward will start here
 *   hone_tape_forward(t)                           plan (cached by shape), run
 *   hone_tape_value(t, lp) -> view                 read results
 *   hone_tape_seed(t, lp, grad)                    d loss / d lp, for every root
 *   hone_tape_backward(t)                          adds into the parameters' gradients
 *   ... further micro-batches: begin ... backward ...
 *   hone_tape_finish_grads(t)                      deferred gradients, once an optimizer step
 *
 * Recording is lazy: nodes with inferred shapes. Errors are sticky and name op, layer and shapes;
 * the first one is what hone_tape_forward returns. The plan gives every activation and every
 * gradient of an activation an offset in one arena from its life over the whole schedule (forward,
 * replay, backward), so that in a steady state nothing is allocated. Values that nobody reads later
 * are overwritten: ask for those you want with hone_tape_keep() before forward; tensors without a
 * reader are kept by themselves.
 *
 * Gradients: a tensor has one when a trainable parameter is above it and a root below. Parameter
 * gradients are sums over tokens in batch order starting from the stored value.
 *
 * One tape belongs to one thread at a time; it runs on the threads of `exec`. (compute.md 1, 3) */
#ifndef HONE_CORE_GRAPH_TAPE_H
#define HONE_CORE_GRAPH_TAPE_H
#include "base/error.h"
#include "hone/model.h"

typedef struct hone_ctx hone_tape; /* what the SDK calls hone_ctx */

#define HONE_ADAPTERS_ACTIVE UINT32_MAX /* those the store calls active */
#define HONE_ADAPTERS_NONE 0u
#define HONE_TAPE_LORAS 4 /* most adapters at once on one matrix */

/* One low-rank adapter on a matrix W (out x in): y += scale (x A^T) B^T. */
typedef struct hone_lora {
    hone_param a, b; /* r x in, out x r */
    float scale;
} hone_lora;

/* Where the tape finds parameters: the parameter store (nn/params.h) fills this table. */
typedef struct hone_tape_params {
    void *ctx;
    int32_t n;
    /* Value of parameter i (a vector is 1 x n) and its gradient (data NULL: frozen or none wanted).
     * 0 when there is no such parameter. */
    int32_t (*get)(void *ctx, hone_param i, hone_view *value, hone_view *grad);
    uint32_t (*loras)(void *ctx, hone_param w, uint32_t mask, hone_lora *out, uint32_t max);
    const char *(*name)(void *ctx, hone_param i);
    /* 1 with the magnitudes of w's outputs and the norms they are to be divided by (DoRA), 0: none, or a failure.
     * May be NULL. */
    int32_t (*magnitude)(void *ctx, hone_param w, uint32_t mask, hone_param *m, const float **norm);
} hone_tape_params;

/* `exec` runs the ops (borrowed). */
hone_status hone_tape_create(const hone_exec *exec, hone_tape **out);
const hone_exec *hone_tape_exec(const hone_tape *t); /* what it runs on, without scratch */
void hone_tape_destroy(hone_tape *t);                /* NULL is allowed */

typedef struct hone_tape_options {
    uint32_t adapters; /* mask, or HONE_ADAPTERS_ACTIVE / HONE_ADAPTERS_NONE */
    uint32_t
        checkpoint_every; /* TRAIN: 0 keep all; k: replay blocks in groups of k inside backward */
    uint32_t no_param_grads;  /* TRAIN without parameter gradients (gradients of inputs only) */
    uint32_t entropy_shown;   /* entropies are only looked at: no gradient comes through them */
    const float *embed_noise; /* n_tokens x width, added to what embed gives; NULL: none. Copied */
} hone_tape_options;
/* Forgets the recording (buffers stay) and starts one. `params` and `batch` are borrowed until the
 * next begin; opts NULL: active adapters, keep all. params or batch NULL: only ops that need
 * none. */
hone_status hone_tape_begin(hone_tape *t, const hone_tape_params *params, uint32_t mode,
                            const hone_batch *batch, const hone_tape_options *opts);

/* ---- recording: each returns a handle, or -1 once something failed --------------------------- */
/* Log-probs and entropies of the batch's targets under softmax(inv_temperature * cap(scale * hidden
 * head^T)): n_targets x 1 each; entropy may be NULL. softcap 0 = none; inv_temperature 1 =
 * plain. */
hone_tensor hone_tape_logprob(hone_tape *t, hone_tensor hidden, hone_param head, float scale,
                              float softcap, float inv_temperature, hone_tensor *entropy);
/* The same beside the divergence from a teacher (linear_divergence/1). Returns log-probs. */
struct hone_linear_divergence_attr;
hone_tensor hone_tape_divergence(hone_tape *t, hone_tensor hidden, hone_param head,
                                 const struct hone_linear_divergence_attr *attr,
                                 hone_tensor teacher, hone_tensor teacher_head,
                                 hone_tensor *divergence, hone_tensor *entropy);
/* Logits of the batch's logit_rows: n_logit_rows x vocabulary. */
hone_tensor hone_tape_logits(hone_tape *t, hone_tensor hidden, hone_param head, float scale,
                             float softcap);
/* A constant of rows x cols: copied now, row-major. dtype HONE_F32 or HONE_I32. */
hone_tensor hone_tape_input(hone_tape *t, int64_t rows, int64_t cols, uint32_t dtype,
                            const void *data);
/* A weight of another model: read where it is (borrowed until the next begin), never trained. */
hone_tensor hone_tape_weight(hone_tape *t, const hone_view *weight);
/* A leaf that wants a gradient (tests, gradients of inputs). Read it with hone_tape_grad(). */
hone_tensor hone_tape_variable(hone_tape *t, int64_t rows, int64_t cols, const float *data);
/* Any op by name; attr is copied. Fills n_out handles. */
hone_status hone_tape_op(hone_tape *t, const char *name, const hone_tensor *in, uint32_t n_in,
                         const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out);
/* the same as the SDK's table, for plugins and Lua models */
const hone_graph_v1 *hone_tape_graph(void);
hone_status hone_tape_shape(const hone_tape *t, hone_tensor x, hone_shape *out);
void hone_tape_keep(hone_tape *t, hone_tensor x); /* its value outlives forward */
void hone_tape_root(hone_tape *t, hone_tensor x); /* backward starts here; also kept */
hone_status hone_tape_status(const hone_tape *t); /* the sticky failure, or HONE_OK */
void hone_tape_fail(hone_tape *t,
                    hone_status s); /* make the thread's current error the sticky one */
/* As fail, also when there is a sticky one: whoever recorded the op knows more of it than the op. */
void hone_tape_explain(hone_tape *t, const hone_error *e);

/* ---- running --------------------------------------------------------------------------------- */
/* While planning (tensor/region.h) forward and backward map what they need and compute nothing:
 * values are zero. */
hone_status hone_tape_forward(hone_tape *t);
/* After forward: where a kept value is; data NULL when it was not kept. Valid until backward or
 * begin. */
hone_view hone_tape_value(const hone_tape *t, hone_tensor x);
/* After forward: the gradient of a root, rows x cols row-major, copied. */
hone_status hone_tape_seed(hone_tape *t, hone_tensor root, const float *grad);
/* Runs backward once; roots without a seed count as zero. */
hone_status hone_tape_backward(hone_tape *t);
hone_view hone_tape_grad(const hone_tape *t,
                         hone_tensor variable); /* after backward; data NULL: none arrived */
/* Adds deferred parameter gradients of all backwards since the last call. */
hone_status hone_tape_finish_grads(hone_tape *t);
void hone_tape_drop_deferred(hone_tape *t); /* an abandoned step */

typedef struct hone_tape_stats {
    uint32_t nodes, plans_cached;
    uint64_t plan_hits, plan_misses;
    size_t arena_bytes; /* mapped */
    size_t plan_bytes;  /* what this plan uses of it */
    size_t kept_bytes;  /* alive between forward and backward */
    size_t scratch_bytes, deferred_bytes, input_bytes;
    uint64_t flops, bytes; /* of one forward, by the ops' cost functions */
} hone_tape_stats;
void hone_tape_get_stats(const hone_tape *t, hone_tape_stats *out);
/* Where time goes, by op, since profiling was switched on (off: nothing is measured). For `hone
 * bench`. */
typedef struct hone_tape_profile {
    const char *op;
    uint64_t calls_fwd, calls_bwd, ns_fwd, ns_bwd;
} hone_tape_profile;
hone_status hone_tape_set_profile(hone_tape *t, int on);
size_t hone_tape_get_profile(const hone_tape *t, hone_tape_profile *out,
                             size_t max); /* how many there are */
/* Plans what was recorded without running it: sizes for --dry-run. */
hone_status hone_tape_plan(hone_tape *t);
#endif
