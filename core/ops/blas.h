/* blas.h - OpenBLAS, opened at run time with the right kernels: the yardstick, never the engine.
 *
 * A model's products run on panels (ops/kernels.h). OpenBLAS serves plugins and
 * statistics, and `hone bench kernels` and `hone doctor` measure it. Releases older than a
 * processor do not know it and fall back to kernels five times slower, so hone chooses a core type
 * from what the processor can do and says so in OPENBLAS_CORETYPE before it opens the library. A
 * user's own setting wins, but not in benchmarks (hone_blas_ask); an empty one counts as unset. One
 * thread, because hone has its own. */
#ifndef HONE_CORE_OPS_BLAS_H
#define HONE_CORE_OPS_BLAS_H
#include "base/error.h"
#include "hone/ops.h"

/* cblas_sgemm: order 101 row-major, trans 111 no, 112 yes */
typedef void hone_sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                           const float *a, int lda, const float *b, int ldb, float beta, float *c,
                           int ldc);
typedef struct hone_blas {
    hone_sgemm_fn *sgemm;
    char corename[32]; /* what the library says it runs: "SkylakeX", "Haswell", ... */
    char config[160];  /* "OpenBLAS 0.3.21 ..." */
    char path[256];    /* the name it was opened by */
    char asked[32];    /* the core type it was asked for */
    int asked_by_user; /* OPENBLAS_CORETYPE was set */
    char ignored[32];  /* what it was set to, when that was not followed; "" */
} hone_blas;

/* Opens it on the first call. E_NOT_FOUND (with a hint) when there is none. [any-thread] */
hone_status hone_blas_get(const hone_blas **out);
/* Before the first hone_blas_get, which it overrules OPENBLAS_CORETYPE for: a core type, "" for what OpenBLAS chooses itself,
 * NULL for hone's choice. A yardstick is the machine's, whatever the environment says. [control-thread] */
void hone_blas_ask(const char *type);
/* The core type OpenBLAS should be asked for: that of the kernel set in use (plain C: of the best one); NULL to leave it
 * alone. */
const char *hone_blas_core_type(void);
/* The same of any processor and set; and the core types that it can run, best instructions first: how many there are of
 * them, at most HONE_BLAS_TYPES. Pure. */
enum { HONE_BLAS_TYPES = 10 };
struct hone_cpu;
const char *hone_blas_choose(const struct hone_cpu *c, int set);
size_t hone_blas_types(const struct hone_cpu *c, const char *out[HONE_BLAS_TYPES]);
/* GFLOP/s of sgemm (m, k) x (n, k)^T, n split among the threads of `ex` (a call each): the median
 * of `seconds` of repeats; 0 without memory. This is the peak that `hone bench` compares with. Not
 * while others compute. [worker-thread] */
double hone_blas_measure(const hone_blas *b, const hone_exec *ex, int m, int n, int k,
                         double seconds);

/* Seconds of one call of fn(arg): the median over samples of at least 1 ms, for about `seconds`. */
double hone_bench_median(void (*fn)(void *arg), void *arg, double seconds);
#endif
