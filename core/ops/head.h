/* head.h - what the operations over hidden states and a head share: their shapes, their targets, blocks of rows, and the products
 * of a block's backward.
 *
 * linear_logprob/1 and linear_divergence/1 go through the targets block by block; what they make of a block's logits is theirs.
 * All calls [worker-thread], as the operation's. */
#ifndef HONE_CORE_OPS_HEAD_H
#define HONE_CORE_OPS_HEAD_H
#include "hone/ops.h"

enum { HONE__HEAD_BLOCK = 256 }; /* rows of a block at most */

/* Input 0 is hidden, float32 rows (T, C); input 1 the head, panelled (V, C), in a type that is stored. */
hone_status hone__head_shapes(hone_shape_ctx *c);
/* The head's gradient is wanted only where its type is one that is trained. */
hone_status hone__head_trained(hone_shape_ctx *c);
/* E_RANGE unless rows of targets rise within T and their ids are below V. */
hone_status hone__head_targets(const hone_op_args *args, const char *op);

/* Rows of a block of `arrays` arrays of (rows, V): fewer where the vocabulary is so large that 256 rows would take over 64 MB. */
int64_t hone__head_block_rows(int64_t n_targets, int64_t V, int64_t arrays);
/* Floats, so that what follows is aligned. */
static inline int64_t hone__head_padded(int64_t n)
{
    return (n + 15) / 16 * 16;
}

/* The rows of a block: row i is that of target t0 + first[i]. */
typedef struct hone__head_rows {
    int64_t t0, n;
    const int32_t *first;
    const float *x; /* (n, C) hidden */
    int64_t ldx;
    float *z; /* (n, V) gradients of the raw logits */
    int64_t ldz;
    int64_t consecutive; /* row of hidden at which they lie one after another, or -1 */
    float *apart;        /* (n, C), where they do not */
} hone__head_rows;
/* Gradients that are fresh become zero. Before the first block. */
void hone__head_begin_backward(const hone_op_args *args);
/* dH += z W, dW += z^T x: one chain over rows for each element of dW, wherever blocks end. */
void hone__head_backward(const hone_op_args *args, const hone_exec *ex, const hone__head_rows *r);
#endif
