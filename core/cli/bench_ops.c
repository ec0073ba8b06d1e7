/* bench_ops.c - `hone bench ops`: attention beside the matrix product, row ops beside memory.
 *
 * Attention at SmolLM2's shape (9 query heads over 3, 64 wide), one causal chain of 256 and of 2,000
 * tokens: GFLOP/s of what a causal mask leaves to do, and that as a share of sgemm (compute.md 8).
 * Norms, rotation and activations at 1,024 tokens: GB/s of what they must read and write, which stays
 * in a cache, beside reading a buffer of that size. Figures are medians. */
#include "base/buf.h"
#include "base/json.h"
#include "base/trace.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_yard.h"
#include "cli/out.h"
#include "cli/trace.h"
#include "ops/attrs.h"
#include "ops/blas.h"
#include "ops/cpu.h"
#include "ops/registry.h"
#include "tensor/pool.h"
#include "tensor/region.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 2048, INPUTS = 3, FIGURES = 16 };
#define OF_ROWS (3.0 * 1024 * 576 * sizeof(float)) /* what add_rmsnorm/1 reads and writes, about */

struct figure {
    const char *op;
    int64_t tokens;
    double fwd_s, bwd_s, work, bytes;
    int flops; /* work is counted, else bytes */
};

struct bench {
    hone_pool *pool;
    double seconds;
    struct figure figures[FIGURES];
    size_t n;
};

/* one op with its tensors, in one region */
struct work {
    const hone_op *op;
    hone_exec ex;
    hone_op_args args;
    hone_view in[INPUTS], out[HONE_OP_MAX_OUT], extra[HONE_OP_MAX_EXTRA];
    hone_view dout[HONE_OP_MAX_OUT], din[INPUTS];
    uint8_t fresh[INPUTS];
    hone_region memory;
    hone_status s;
};

static void run_fwd(void *arg)
{
    struct work *w = arg;
    hone_trace_span span;
    hone_trace_begin(&span, w->op->name, HONE_TRACE_OP, HONE_TRACE_FORWARD);
    w->s = w->s < 0 ? w->s : w->op->fwd(&w->args, &w->ex);
    hone_trace_end(&span, NULL);
}

static void run_bwd(void *arg)
{
    struct work *w = arg;
    hone_trace_span span;
    hone_trace_begin(&span, w->op->name, HONE_TRACE_OP, HONE_TRACE_BACKWARD);
    w->s = w->s < 0 ? w->s : w->op->bwd(&w->args, &w->ex);
    hone_trace_end(&span, NULL);
}

static hone_view place(float **at, const hone_shape *s)
{
    hone_view v = {*at, HONE_F32, HONE_ROWS, s->rows, s->cols, s->cols};
    int64_t n = s->rows * s->cols;
    for (int64_t i = 0; i < n; i++)
        (*at)[i] = (float)((uint64_t)i * 2654435761u % 1024u) * 0x1p-9f - 1.0f;
    *at += (n + 15) / 16 * 16;
    return v;
}

static hone_status prepare(struct work *w, const struct bench *b, const char *name,
                           const void *attr, const hone_batch *batch, const hone_shape *in,
                           uint32_t n_in)
{
    HONE_TRY(hone_op_get(name, &w->op));
    hone_shape_ctx c = {.struct_size = sizeof c,
                        .mode = HONE_MODE_TRAIN,
                        .n_in = n_in,
                        .needs_grad = (1u << n_in) - 1,
                        .in = in,
                        .attr = attr,
                        .batch = batch};
    if (w->op->infer(&c) < 0)
        return hone_fail(HONE_E_FAIL, "bench ops: %s: %s", name, c.error);
    size_t floats = 0;
    for (uint32_t i = 0; i < n_in; i++)
        floats += 2 * (size_t)(in[i].rows * in[i].cols + 16);
    for (uint32_t i = 0; i < c.n_out; i++)
        floats += 2 * (size_t)(c.out[i].rows * c.out[i].cols + 16);
    for (uint32_t i = 0; i < c.n_extra; i++)
        floats += (size_t)(c.extra[i].rows * c.extra[i].cols + 16);
    HONE_TRY(hone_region_init(&w->memory, "benchmark", floats * sizeof(float)));
    float *at = w->memory.base;
    for (uint32_t i = 0; i < n_in; i++) {
        w->in[i] = place(&at, &in[i]);
        w->din[i] = place(&at, &in[i]);
        w->fresh[i] = 1;
    }
    for (uint32_t i = 0; i < c.n_out; i++) {
        w->out[i] = place(&at, &c.out[i]);
        w->dout[i] = place(&at, &c.out[i]);
    }
    for (uint32_t i = 0; i < c.n_extra; i++)
        w->extra[i] = place(&at, &c.extra[i]);
    const size_t thread = c.thread_scratch > c.thread_scratch_bwd ? c.thread_scratch
                                                                  : c.thread_scratch_bwd;
    const size_t shared = c.shared_scratch > c.shared_scratch_bwd ? c.shared_scratch
                                                                  : c.shared_scratch_bwd;
    HONE_TRY(hone_pool_reserve(b->pool, thread, shared));
    w->ex = *hone_pool_exec(b->pool);
    w->args = (hone_op_args){.struct_size = sizeof w->args,
                             .mode = HONE_MODE_TRAIN,
                             .n_in = n_in,
                             .n_out = c.n_out,
                             .n_extra = c.n_extra,
                             .in = w->in,
                             .out = w->out,
                             .extra = w->extra,
                             .dout = w->dout,
                             .din = w->din,
                             .din_fresh = w->fresh,
                             .attr = attr,
                             .batch = batch};
    return HONE_OK;
}

static hone_status time_op(struct bench *b, struct work *w, int64_t tokens, int flops)
{
    uint64_t bytes = 0;
    struct figure *f = &b->figures[b->n++];
    *f = (struct figure){.op = w->op->name, .tokens = tokens, .flops = flops};
    f->work = (double)w->op->cost(&w->args, &bytes);
    f->bytes = (double)bytes;
    f->fwd_s = hone_bench_median(run_fwd, w, b->seconds);
    f->bwd_s = hone_bench_median(run_bwd, w, b->seconds);
    return w->s;
}

static hone_status measure(struct bench *b, const char *name, const void *attr, int64_t T,
                           int64_t cols, const int64_t rows[INPUTS], uint32_t n_in, int flops)
{
    static int32_t positions[MOST], pages[MOST / HONE_PAGE];
    hone_shape in[INPUTS];
    for (int32_t t = 0; t < MOST; t++)
        positions[t] = t;
    for (int32_t i = 0; i < MOST / HONE_PAGE; i++)
        pages[i] = i;
    const hone_segment chain = {.n_tokens = T, .parent = -1, .copy_page = -1};
    const hone_batch batch = {.struct_size = sizeof batch,
                              .n_segments = 1,
                              .n_tokens = T,
                              .tokens = positions,
                              .positions = positions,
                              .segments = &chain,
                              .page_ids = pages,
                              .n_pages = (T + HONE_PAGE - 1) / HONE_PAGE,
                              .n_trees = 1};
    for (uint32_t i = 0; i < n_in; i++) /* rows 1: a vector; rows 3: a third of the columns */
        in[i] = (hone_shape){rows[i] == 1 ? 1 : T, rows[i] == 3 ? cols / 3 : cols, HONE_F32,
                             HONE_ROWS};
    struct work w = {0};
    hone_status s = prepare(&w, b, name, attr, &batch, in, n_in);
    if (s >= 0)
        s = time_op(b, &w, T, flops);
    hone_region_release(&w.memory);
    return s;
}

static hone_status measure_all(struct bench *b)
{
    const hone_attention att = {
        .struct_size = sizeof att, .n_heads = 9, .n_kv_heads = 3, .head_dim = 64, .scale = 0.125f};
    const hone_norm_attr norm = {1e-5f, 0.0f, 0, 0};
    const hone_rope rope = {
        .struct_size = sizeof rope, .n_heads = 9, .head_dim = 64, .rotary_dim = 64, .theta = 10000};
    const int64_t grouped[INPUTS] = {0, 3, 3}, x_w[INPUTS] = {0, 1}, x_d_w[INPUTS] = {0, 0, 1};
    const int64_t same[INPUTS] = {0};
    HONE_TRY(measure(b, "attention/1", &att, 256, 576, grouped, 3, 1));
    HONE_TRY(measure(b, "attention/1", &att, 2000, 576, grouped, 3, 1));
    HONE_TRY(measure(b, "rmsnorm/1", &norm, 1024, 576, x_w, 2, 0));
    HONE_TRY(measure(b, "add_rmsnorm/1", &norm, 1024, 576, x_d_w, 3, 0));
    HONE_TRY(measure(b, "rope/1", &rope, 1024, 576, same, 1, 0));
    HONE_TRY(measure(b, "swiglu/1", NULL, 1024, 1536, same, 2, 0));
    return measure(b, "geglu/1", NULL, 1024, 1536, same, 2, 0);
}

/* ---- telling -------------------------------------------------------------------------------------- */

/* Arithmetic of a causal mask: backward does 2.5 times what forward does. */
static void put_json(const struct bench *b, const hone_yard *y, hone_jw *w)
{
    const double sgemm = hone__yard_sgemm(y);
    for (size_t i = 0; i < b->n; i++) {
        const struct figure *f = &b->figures[i];
        const double fwd = 1e-9 * f->work / f->fwd_s, bwd = 2.5e-9 * f->work / f->bwd_s;
        hone_jw_map(w);
        hone_jw_kcstr(w, "op", f->op);
        hone_jw_ki64(w, "tokens", f->tokens);
        hone_jw_kf64(w, "forward_ms", f->fwd_s * 1e3);
        hone_jw_kf64(w, "backward_ms", f->bwd_s * 1e3);
        if (f->flops) {
            hone_jw_kf64(w, "forward_gflops", fwd);
            hone_jw_kf64(w, "backward_gflops", bwd);
            hone_jw_kf64(w, "forward_share", sgemm > 0 ? fwd / sgemm : 0);
            hone_jw_kf64(w, "backward_share", sgemm > 0 ? bwd / sgemm : 0);
        } else {
            hone_jw_kf64(w, "forward_gb_per_s", 1e-9 * f->bytes / f->fwd_s);
        }
        hone_jw_end(w);
    }
}

static void put_text(const struct bench *b, const hone_yard *y)
{
    const double sgemm = hone__yard_sgemm(y);
    printf("%-14s %6s %9s %9s\n", "op", "tokens", "fwd ms", "bwd ms");
    for (size_t i = 0; i < b->n; i++) {
        const struct figure *f = &b->figures[i];
        const double fwd = 1e-9 * f->work / f->fwd_s, bwd = 2.5e-9 * f->work / f->bwd_s;
        printf("%-14s %6lld %9.3f %9.3f", f->op, (long long)f->tokens, f->fwd_s * 1e3,
               f->bwd_s * 1e3);
        if (f->flops && sgemm > 0)
            printf("   %6.1f %6.1f GFLOP/s, %.0f %% and %.0f %% of sgemm\n", fwd, bwd,
                   100 * fwd / sgemm, 100 * bwd / sgemm);
        else if (f->flops)
            printf("   %6.1f %6.1f GFLOP/s\n", fwd, bwd);
        else
            printf("   %6.1f GB/s\n", 1e-9 * f->bytes / f->fwd_s);
    }
}

int hone_cli_bench_ops(int argc, char **argv)
{
    const char *trace = NULL;
    int json = 0;
    int64_t threads = 0;
    double seconds = 0.2, yardstick = 1;
    const hone_arg options[] = {
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"seconds", HONE_ARG_F64, &seconds, "S", "time for each figure (0.2)"},
        HONE_CLI_YARD(&yardstick),
        HONE_CLI_TRACE(&trace),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench ops", "hone bench ops --threads 1 --json",
                                           NULL};
    const hone_args spec = {"bench ops",
                            "[options]",
                            "Attention forward and backward as a share of sgemm, and\n"
                            "norms, rotation and activations in GB/s.",
                            options,
                            examples,
                            0,
                            0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (threads < 0 || threads > HONE_POOL_MAX)
        return hone_cli_usage("bench ops", "--threads is 1 to %d", HONE_POOL_MAX);
    if (!(seconds >= 0.0 && seconds <= 60.0))
        return hone_cli_usage("bench ops", "--seconds is 0 to 60");
    hone_buf out;
    hone_jw w;
    hone_buf_init(&out, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &out, 2);
    struct bench b = {.seconds = seconds};
    hone_yard yard;
    hone_status s = hone_cpu_check();
    if (s >= 0)
        s = hone__yard_check(yardstick);
    if (s < 0)
        goto done;
    HONE_TRY_GOTO(hone_cli_trace_open(trace), done);
    HONE_TRY_GOTO(hone_pool_create((uint32_t)threads, &b.pool), done);
    hone__yard_before(&yard, b.pool, OF_ROWS, yardstick);
    hone_cli_trace_start();
    HONE_TRY_GOTO(measure_all(&b), done);
    hone_cli_trace_stop();
    hone__yard_after(&yard);
    const hone_cpu *cpu = hone_cpu_get();
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "cpu", cpu->brand);
    hone_jw_kcstr(&w, "kernels", hone_cpu_set_name(cpu->used));
    hone_jw_ki64(&w, "threads", hone_pool_threads(b.pool));
    hone__yard_json(&yard, &w);
    hone_jw_key(&w, "figures");
    hone_jw_list(&w);
    put_json(&b, &yard, &w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    s = out.failed;
    if (s < 0)
        goto done;
    if (json) {
        printf("%s\n", out.ptr);
    } else {
        printf("%s, kernels %s, %u threads; medians\n\n", cpu->brand, hone_cpu_set_name(cpu->used),
               hone_pool_threads(b.pool));
        put_text(&b, &yard);
        hone__yard_print(&yard);
    }
done:
    hone_buf_release(&out);
    hone_pool_destroy(b.pool);
    return hone_cli_fail(hone_cli_trace_close(trace, s));
}
