/* hone/matmul.h - hone.matmul/1: products of matrices by the host's kernels, on the calling thread.
 *
 * For components that compute on whole matrices (an optimizer that orthogonalises, statistics). One operand lies in
 * panels of 32 rows, [rows/32][cols][32], as parameters do (HONE_PANELS in ops.h); the other one and the result are
 * rows. Each element of a result is one chain of fused multiply-adds in the order of the inner index, so its bits
 * depend on no instruction set and on no other element. Not offered inside a box. */
#ifndef HONE_MATMUL_H
#define HONE_MATMUL_H
#include "hone/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_MATMUL "hone.matmul/1"

typedef struct hone_matmul {
    uint32_t struct_size, add; /* add: y = y + alpha x w instead of y = alpha x w */
    int64_t m, n, k;           /* see hone_matmul_v1 */
    const float *x, *w;        /* w in panels, 64-byte aligned */
    float *y;
    int64_t ldx, ldy; /* floats from row to row */
    void *scratch;    /* 64-byte aligned, hone_matmul_v1.scratch bytes */
    float alpha;
    uint32_t reserved;
} hone_matmul;

/* What x, w and y point to is the caller's, and must not overlap where y is concerned. Nothing here can fail;
 * shapes are the caller's business. */
typedef struct hone_matmul_v1 {
    uint32_t struct_size, reserved;
    uint64_t scratch; /* bytes that a product needs */
    /* panels = rows (n x k, ld floats from row to row): (n + 31) / 32 * 32 * k floats, padding zero. Cannot fail.
     * [any-thread] */
    void (*pack)(void *self, const float *rows, int64_t ld, int64_t n, int64_t k, float *panels);
    /* y (m x n) = alpha x (m x k) w^T, w (n x k). Cannot fail. [worker-thread] */
    void (*product_t)(void *self, const hone_matmul *p);
    /* y (m x k) = alpha x (m x n) w, w (n x k). Cannot fail. [worker-thread] */
    void (*product)(void *self, const hone_matmul *p);
} hone_matmul_v1;

#ifdef __cplusplus
}
#endif
#endif
