/* kernels.h - the matrix products of hone: one per direction, over weights in panels.
 *
 * A weight W (N outputs x K inputs) lies in panels of 32 outputs, [N/32][K][32], its only copy
 * (HONE_PANELS in hone/ops.h). Every product here is the same micro-kernel: a tile of rows times 32
 * columns of accumulators, and for each element of the result ONE chain of fused multiply-adds in a
 * fixed order:
 *   forward  y[m][n]  = chain over k = 0..K-1 of x[m][k]*W[n][k]    from 0
 *   dx       dx[m][k] = chain over n = 0..N-1 of dy[m][n]*W[n][k]   from 0, then added once
 *   dw       dW[n][k] = chain over t = 0..T-1 of dy[t][n]*x[t][k]   from the stored value
 *   columns  db[n]    = chain over t = 0..T-1 of + dy[t][n]         from the stored value
 * So a result depends on no tile size, row position, number of rows, split among threads or kernel
 * set, and dw on no split of tokens into micro-batches. (compute.md 4)
 * Over quantised weights forward may instead sum integers, block after block of 32 inputs, where asked to: another
 * number, with the same independence of everything else.
 *
 * hone_gemm_* split the work into tasks of an executor; a task packs its operands into its thread's
 * scratch, of which HONE_GEMM_SCRATCH bytes must be there. Nothing here can fail. */
#ifndef HONE_CORE_OPS_KERNELS_H
#define HONE_CORE_OPS_KERNELS_H
#include "hone/ops.h"
#include "ops/cpu.h"

enum { HONE_PANEL = 32 };

/* Panels that hold `rows` rows; floats of a panelled rows x cols matrix. */
static inline int64_t hone_panels(int64_t rows)
{
    return (rows + HONE_PANEL - 1) / HONE_PANEL;
}
static inline int64_t hone_panel_floats(int64_t rows, int64_t cols)
{
    return hone_panels(rows) * HONE_PANEL * cols;
}

/* One product. M rows (tokens), N outputs, K inputs; w in panels. */
typedef struct hone_gemm {
    int64_t M, N, K;
    const float *x; /* (M, K), ldx */
    int64_t ldx;
    const void *w;  /* (N, K) panels */
    uint32_t wtype; /* what they are stored as (ops/storage.h) */
    int integer; /* forward: codes times codes of x (kern/quant_int.h); HONE_VIEW_INTEGER in wtype sets it */
    int add;     /* result added to what is stored instead of replacing it */
    float alpha; /* with add: stored = fma(alpha, result, stored); without: alpha*result if != 1 */
    const float *bias; /* (N) added after the chain (and alpha), or NULL */
    float *y;          /* (M, N), ldy */
    int64_t ldy;
} hone_gemm;

/* y = x W^T + bias. [worker-thread] */
void hone_gemm_fwd(const hone_exec *ex, const hone_gemm *g);
/* The same for 1 to HONE_GEMM_TOGETHER products of the same x (and so M, K, ldx), none of them empty, as one job: threads wait for each
 * other once. [worker-thread] */
enum { HONE_GEMM_TOGETHER = 3 };
void hone_gemm_fwd_together(const hone_exec *ex, const hone_gemm *g, int n);
/* Here the roles are those of the gradient: y (M, N) is read as dy, x is not read, dx (M, K) is
 * written, or added to with g->add; g->alpha as above; bias is not used. [worker-thread] */
void hone_gemm_dx(const hone_exec *ex, const hone_gemm *g, float *dx, int64_t lddx);
/* dw (N, K) panels f32 from y = dy (M, N) and x (M, K): the chain starts from what is stored with
 * g->add, from 0 without. Rows of padding keep the value 0. alpha, w, bias are not used.
 * [worker-thread] */
void hone_gemm_dw(const hone_exec *ex, const hone_gemm *g, float *dw);
/* db (N) (+)= column sums of dy (M, N): one chain over rows. [worker-thread] */
void hone_gemm_columns(const hone_exec *ex, int64_t M, int64_t N, const float *dy, int64_t ld,
                       int add, float *db);

/* Bytes of thread scratch that each of the above needs: packed operands, sized for a 1 MB L2. */
enum { HONE_GEMM_SCRATCH = 1280 * 1024 };

/* Panels from and to rows (f32; other types: ops/storage.h): dst has hone_panel_floats(rows, cols); padding is zeroed.
 * Row r of a panelled matrix of `cols` columns into out (cols). [any-thread] */
void hone_panels_pack(const float *src, int64_t ld, int64_t rows, int64_t cols, float *dst);
void hone_panels_unpack(const float *src, int64_t rows, int64_t cols, float *dst, int64_t ld);
void hone_panel_row(const hone_view *w, int64_t row, float *out);

/* ---- what a kernel set provides (core/ops/kern/gemm.c) ------------------------------------------
 */
typedef struct hone_gemm_kernels {
    const char *set;
    int64_t row_tile; /* rows of the largest tile */
    /* Rows m0..m1 of the panels p0..p1 (of the result) with this thread's scratch. packed: its last call was for
     * the same rows of the same product, or one of the same x, wtype and integer, so that it may find them packed. */
    void (*fwd)(const hone_gemm *g, int64_t m0, int64_t m1, int64_t p0, int64_t p1, float *scratch,
                int packed);
    /* Rows m0..m1, input columns 32*p0..32*p1. */
    void (*dx)(const hone_gemm *g, float *dx, int64_t lddx, int64_t m0, int64_t m1, int64_t p0,
               int64_t p1, float *scratch);
    /* Input columns k0..k1 of the panels p0..p1 of dw. */
    void (*dw)(const hone_gemm *g, float *dw, int64_t k0, int64_t k1, int64_t p0, int64_t p1,
               float *scratch);
    /* Columns n0..n1. */
    void (*columns)(int64_t M, int64_t n0, int64_t n1, const float *dy, int64_t ld, int add,
                    float *db);
    /* out[c] = output `lane` of input c of a panel, widened exactly. */
    void (*widen_row)(const void *panel, uint32_t type, int64_t lane, int64_t cols, float *out);
    /* Inputs k0 .. k0 + n of a quantised panel as they lie, both multiples of 32: out (n, 32). */
    void (*widen_codes)(const void *panel, uint32_t type, int64_t k0, int64_t n, float *out);
} hone_gemm_kernels;

HONE_KERNEL_TABLES(hone_gemm_kernels, gemm);

/* Reading n floats (a multiple of 64 of them), as fast as a thread can; their sum (core/ops/kern/read.c). */
typedef struct hone_read_kernels {
    float (*sum)(const float *p, size_t n);
} hone_read_kernels;

HONE_KERNEL_TABLES(hone_read_kernels, read);
#endif
