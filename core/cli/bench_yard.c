/* bench_yard.c - see bench_yard.h. The sizes are those that docs/performance.md's limits are counted with. */
#include "cli/bench_yard.h"

#include "base/clock.h"
#include "ops/blas.h"
#include "ops/kernels.h"
#include "tensor/region.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { M = 1024, N = 1536, K = 576, PARTS = 4 };

static double mb(uint64_t bytes)
{
    return (double)bytes / (double)(1 << 20);
}

static double sgemm(const hone_yard *y)
{
    const hone_blas *b;
    if (hone_blas_get(&b) < 0)
        return 0.0; /* no yardstick: `hone doctor` says why */
    return hone_blas_measure(b, hone_pool_exec(y->pool), M, N, K, y->seconds);
}

/* ---- reading memory ------------------------------------------------------------------------------- */

struct reading {
    const hone_exec *ex;
    const float *p;
    size_t part; /* floats a task */
    float *sums; /* one a task, a line apart: keeps the reads alive */
};

static void read_task(void *arg, int64_t task, uint32_t thread)
{
    const struct reading *r = arg;
    const hone_read_kernels *k = HONE_KERNEL_OF(read, hone_cpu_get()->best);
    (void)thread;
    r->sums[16 * task] = k->sum(r->p + (size_t)task * r->part, r->part);
}

static void read_all(void *arg)
{
    const struct reading *r = arg;
    r->ex->parallel(r->ex, PARTS * (int64_t)r->ex->n_threads, read_task, arg);
}

static double read_memory(const hone_yard *y)
{
    hone_region mem, sums;
    const hone_exec *ex = hone_pool_exec(y->pool);
    const size_t tasks = (size_t)PARTS * ex->n_threads;
    const size_t part = (size_t)y->bytes / sizeof(float) / tasks / 64 * 64;
    if (part == 0 || hone_region_init(&mem, "benchmark", tasks * part * sizeof(float)) < 0)
        return 0;
    if (hone_region_init(&sums, "benchmark", tasks * 16 * sizeof(float)) < 0) {
        hone_region_release(&mem);
        return 0;
    }
    memset(mem.base, 0, mem.size);
    struct reading job = {ex, mem.base, part, sums.base};
    const double s = hone_bench_median(read_all, &job, y->seconds);
    hone_region_release(&mem);
    hone_region_release(&sums);
    return (double)(tasks * part * sizeof(float)) / s * 1e-9;
}

/* ---- before and after ----------------------------------------------------------------------------- */

double hone__yard_buffer(double bytes)
{
    return fmin(fmax(bytes, 1e6), 1e9);
}

hone_status hone__yard_check(double seconds)
{
    if (seconds >= 0.0 && seconds <= 60.0)
        return HONE_OK;
    return hone_fail(HONE_E_USAGE, "--yardstick is 0 to 60 seconds");
}

void hone__yard_before(hone_yard *y, hone_pool *pool, double bytes, double seconds)
{
    const double resident = mb(hone_rss());
    *y = (hone_yard){.pool = pool, .bytes = bytes, .seconds = seconds};
    y->began_mb = mb(hone_peak_rss());
    hone_blas_ask(NULL);
    y->sgemm.before = sgemm(y);
    /* Where the peak cannot begin anew, a buffer here would count as the work's. */
    if (hone_peak_rss_reset())
        y->read.before = read_memory(y);
    (void)hone_peak_rss_reset();
    y->left_mb = fmax(0, mb(hone_rss()) - resident);
}

void hone__yard_measure(hone_yard *y, hone_pool *pool, double seconds)
{
    *y = (hone_yard){.pool = pool, .seconds = seconds};
    y->sgemm.before = sgemm(y);
}

void hone__yard_after(hone_yard *y)
{
    y->peak_mb = fmax(y->began_mb, mb(hone_peak_rss()) - y->left_mb);
    y->sgemm.after = sgemm(y);
    y->read.after = read_memory(y);
}

static double mean(hone_yard_pair p)
{
    return p.before > 0 && p.after > 0 ? 0.5 * (p.before + p.after) : fmax(p.before, p.after);
}

/* How far the two lie apart, as a share of their mean. */
static double spread(hone_yard_pair p)
{
    return p.before > 0 && p.after > 0 ? fabs(p.after - p.before) / mean(p) : 0.0;
}

double hone__yard_sgemm(const hone_yard *y)
{
    return mean(y->sgemm);
}

double hone__yard_read(const hone_yard *y)
{
    return mean(y->read);
}

/* ---- telling -------------------------------------------------------------------------------------- */

static void pair_json(hone_jw *w, const char *key, hone_yard_pair p)
{
    hone_jw_key(w, key);
    hone_jw_map(w);
    hone_jw_kf64(w, "before", p.before);
    hone_jw_kf64(w, "after", p.after);
    hone_jw_kf64(w, "spread", spread(p));
    hone_jw_end(w);
}

void hone__yard_json(const hone_yard *y, hone_jw *w)
{
    const hone_blas *b = NULL;
    const int have = hone_blas_get(&b) >= 0;
    hone_jw_kf64(w, "sgemm_gflops", mean(y->sgemm));
    hone_jw_kcstr(w, "sgemm_core", have ? b->corename : NULL);
    hone_jw_kf64(w, "read_gb_per_s", mean(y->read));
    hone_jw_kf64(w, "peak_mb", y->peak_mb);
    hone_jw_key(w, "yard");
    hone_jw_map(w);
    pair_json(w, "sgemm_gflops", y->sgemm);
    pair_json(w, "read_gb_per_s", y->read);
    hone_jw_kf64(w, "read_mb", y->bytes * 1e-6);
    hone_jw_kf64(w, "seconds", y->seconds);
    hone_jw_ki64(w, "threads", hone_pool_threads(y->pool));
    hone_jw_kf64(w, "left_mb", y->left_mb);
    if (have && b->ignored[0])
        hone_jw_kcstr(w, "openblas_coretype_ignored", b->ignored);
    hone_jw_end(w);
}

static void pair_print(const char *what, const char *unit, hone_yard_pair p)
{
    printf("%s %.4g %s before, %.4g after, %.0f %% apart", what, p.before, unit, p.after,
           100 * spread(p));
}

void hone__yard_print(const hone_yard *y)
{
    const hone_blas *b = NULL;
    if (hone_blas_get(&b) >= 0) {
        pair_print("sgemm  ", "GFLOP/s", y->sgemm);
        printf(" (OpenBLAS %s, %u threads)\n", b->corename, hone_pool_threads(y->pool));
        if (b->ignored[0])
            printf("        OPENBLAS_CORETYPE=%s is not followed: a yardstick is the machine's\n",
                   b->ignored);
    } else {
        printf("sgemm   no OpenBLAS: `hone doctor` says why\n");
    }
    pair_print("memory ", "GB/s", y->read);
    printf(" (reading %.3g MB)\n", y->bytes * 1e-6);
    if (spread(y->sgemm) > 0.1 || spread(y->read) > 0.1)
        printf("        the machine was busy with something else: measure again\n");
}
