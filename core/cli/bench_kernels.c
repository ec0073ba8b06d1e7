/* bench_kernels.c - `hone bench kernels`: GFLOP/s of the three matrix products, beside sgemm.
 *
 * Two shapes: an MLP projection of SmolLM2 (weights stay in cache) and its head (113 MB, streamed
 * from memory at small M). sgemm is OpenBLAS on the same number of threads, each with its share of
 * the outputs. Figures are medians. (compute.md 4) */
#include "base/buf.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_yard.h"
#include "cli/out.h"
#include "ops/blas.h"
#include "ops/kernels.h"
#include "tensor/pool.h"
#include "tensor/region.h"

#include <stdio.h>
#include <string.h>

struct product {
    const hone_exec *ex;
    hone_gemm g;
    float *out;
};

static void run_fwd(void *arg)
{
    struct product *p = arg;
    hone_gemm_fwd(p->ex, &p->g);
}

static void run_dx(void *arg)
{
    struct product *p = arg;
    hone_gemm_dx(p->ex, &p->g, p->out, p->g.K);
}

static void run_dw(void *arg)
{
    struct product *p = arg;
    hone_gemm_dw(p->ex, &p->g, p->out);
}

#define HEAD_BYTES (4.0 * 49152 * 576) /* what is streamed at small M */

struct shape {
    const char *name;
    int64_t n, k, m[8];
};

struct bench {
    const hone_exec *ex;
    const hone_blas *blas; /* or NULL */
    double seconds;
    int json;
    hone_jw *w;
};

static void fill(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(i * 2654435761u % 1024u) * 0x1p-9f - 1.0f;
}

static hone_status measure(const struct bench *b, const struct shape *s)
{
    int64_t most = 0;
    for (int i = 0; s->m[i]; i++)
        most = s->m[i] > most ? s->m[i] : most;
    const size_t nw = (size_t)hone_panel_floats(s->n, s->k), nx = (size_t)(most * s->k);
    const size_t ny = (size_t)(most * s->n), nd = nw > nx ? nw : nx;
    hone_region r;
    HONE_TRY(hone_region_init(&r, "benchmark", (2 * 16 + nw + nx + ny + nd) * sizeof(float)));
    float *w = r.base, *x = w + nw, *y = x + (nx + 15) / 16 * 16, *d = y + (ny + 15) / 16 * 16;
    fill(w, nw);
    fill(x, nx);
    fill(y, ny);
    if (!b->json)
        printf("\n%s: K=%lld, N=%lld\n%6s %9s %9s %9s %9s\n", s->name, (long long)s->k,
               (long long)s->n, "M", "forward", "dX", "dW", b->blas ? "sgemm" : "");
    for (int i = 0; s->m[i]; i++) {
        const int64_t m = s->m[i];
        struct product p = {b->ex,
                            {.M = m,
                             .N = s->n,
                             .K = s->k,
                             .x = x,
                             .ldx = s->k,
                             .w = w,
                             .wtype = HONE_F32,
                             .alpha = 1.0f,
                             .y = y,
                             .ldy = s->n},
                            d};
        const double work = 2e-9 * (double)m * (double)s->n * (double)s->k;
        const double fwd = work / hone_bench_median(run_fwd, &p, b->seconds);
        const double dx = work / hone_bench_median(run_dx, &p, b->seconds);
        const double dw = work / hone_bench_median(run_dw, &p, b->seconds);
        const double blas = b->blas ? hone_blas_measure(b->blas, b->ex, (int)m, (int)s->n,
                                                        (int)s->k, b->seconds)
                                    : 0.0;
        if (b->json) {
            hone_jw_map(b->w);
            hone_jw_kcstr(b->w, "shape", s->name);
            hone_jw_ki64(b->w, "m", m);
            hone_jw_ki64(b->w, "n", s->n);
            hone_jw_ki64(b->w, "k", s->k);
            hone_jw_kf64(b->w, "forward_gflops", fwd);
            hone_jw_kf64(b->w, "dx_gflops", dx);
            hone_jw_kf64(b->w, "dw_gflops", dw);
            if (b->blas)
                hone_jw_kf64(b->w, "sgemm_gflops", blas);
            hone_jw_end(b->w);
        } else {
            printf("%6lld %9.1f %9.1f %9.1f", (long long)m, fwd, dx, dw);
            printf(b->blas ? " %9.1f\n" : "\n", blas);
            fflush(stdout);
        }
    }
    hone_region_release(&r);
    return HONE_OK;
}

int hone_cli_bench_kernels(int argc, char **argv)
{
    int json = 0;
    int64_t threads = 0, n = 0, k = 0;
    double seconds = 0.05, yardstick = 1;
    hone_yard yard;
    const hone_arg options[] = {
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"n", HONE_ARG_I64, &n, "N", "outputs of a shape of your own, with --k"},
        {"k", HONE_ARG_I64, &k, "K", "inputs of that shape"},
        {"seconds", HONE_ARG_F64, &seconds, "S", "time for each figure (0.05)"},
        HONE_CLI_YARD(&yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench kernels",
                                           "hone bench kernels --n 576 --k 1536 --json", NULL};
    const hone_args spec = {
        "bench kernels",
        "[options]",
        "GFLOP/s of the matrix products of training, forward and both gradients,\n"
        "beside OpenBLAS. HONE_CPU=c|avx2|avx512|neon chooses the kernel set.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (threads < 0 || threads > HONE_POOL_MAX)
        return hone_cli_usage("bench kernels", "--threads is 1 to %d", HONE_POOL_MAX);
    if ((n || k) && (n < 1 || k < 1 || n > 1 << 20 || k > 1 << 16))
        return hone_cli_usage("bench kernels", "--n (to 1048576) and --k (to 65536) go together");
    if (!(seconds >= 0.0 && seconds <= 60.0))
        return hone_cli_usage("bench kernels", "--seconds is 0 to 60");
    const struct shape own = {"own", n, k, {1, 8, 16, 64, 256, 1024}};
    const struct shape usual[] = {{"mlp", 1536, 576, {1, 8, 16, 64, 256, 1024}},
                                  {"head", 49152, 576, {1, 16, 256}}};
    hone_pool *pool = NULL;
    hone_buf out;
    hone_jw w;
    hone_buf_init(&out, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &out, 2);
    hone_status s = hone_cpu_check();
    if (s >= 0)
        s = hone__yard_check(yardstick);
    if (s < 0)
        goto done;
    HONE_TRY_GOTO(hone_pool_create((uint32_t)threads, &pool), done);
    HONE_TRY_GOTO(hone_pool_reserve(pool, HONE_GEMM_SCRATCH, 0), done);
    const struct bench partial = {
        .ex = hone_pool_exec(pool), .seconds = seconds, .json = json, .w = &w};
    struct bench b = partial;
    hone__yard_before(&yard, pool, n ? 4.0 * (double)n * (double)k : HEAD_BYTES, yardstick);
    if (hone_blas_get(&b.blas) < 0)
        b.blas = NULL; /* a yardstick less; `hone doctor` says why */
    const hone_cpu *cpu = hone_cpu_get();
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "cpu", cpu->brand);
    hone_jw_kcstr(&w, "kernels", hone_cpu_set_name(cpu->used));
    hone_jw_ki64(&w, "threads", hone_pool_threads(pool));
    hone_jw_kcstr(&w, "sgemm", b.blas ? b.blas->corename : NULL);
    hone_jw_key(&w, "figures");
    hone_jw_list(&w);
    if (!json)
        printf("%s, kernels %s, %u threads, sgemm: OpenBLAS %s; GFLOP/s, medians\n", cpu->brand,
               hone_cpu_set_name(cpu->used), hone_pool_threads(pool),
               b.blas ? b.blas->corename : "none");
    if (n) {
        HONE_TRY_GOTO(measure(&b, &own), done);
    } else {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
            HONE_TRY_GOTO(measure(&b, &usual[i]), done);
    }
    hone_jw_end(&w);
    hone__yard_after(&yard);
    hone__yard_json(&yard, &w);
    hone_jw_end(&w);
    s = out.failed;
    if (json && s == HONE_OK)
        printf("%s\n", out.ptr);
    if (!json) {
        putchar('\n');
        hone__yard_print(&yard);
    }
done:
    hone_buf_release(&out);
    hone_pool_destroy(pool);
    return hone_cli_fail(s);
}
