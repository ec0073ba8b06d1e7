/* doctor.c - `hone doctor`: what this machine has, what hone makes of it, and what to do about it.
 *
 * Measures a product on panels and the same with OpenBLAS (a fraction of a second each), reads
 * memory and disk, and counts plugins. Each finding that costs speed or stops work is a line of
 * advice. Exit 0 also with advice; 1 when something that hone needs is missing. */
#include "host/registry.h"
#include "sandbox/sandbox.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/paths.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "ops/blas.h"
#include "ops/kernels.h"
#include "tensor/pool.h"
#include "tensor/region.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

enum { ADVICE_MAX = 12 };
struct findings {
    const hone_cpu *cpu;
    uint32_t threads;
    double panels_one, panels_all; /* GFLOP/s, forward, M=256 K=576 N=1536 */
    const hone_blas *blas;         /* or NULL */
    double blas_one, blas_all;
    char no_blas[1100];
    uint64_t memory_total, memory_free,
        memory_limit; /* bytes; limit: of the control group, 0 = none */
    char huge_pages[32];
    uint64_t disk_here, disk_cache; /* bytes free */
    size_t plugins, refused, components;
    char boxes[512]; /* what holds a plugin that nobody trusts */
    int boxes_hold;
    char first_refused[1100];
    char advice[ADVICE_MAX][1100];
    int n_advice, missing;
};

static void advise(struct findings *f, const char *fmt, ...) HONE_PRINTF(2, 3);
static void advise(struct findings *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (f->n_advice < ADVICE_MAX)
        vsnprintf(f->advice[f->n_advice++], sizeof f->advice[0], fmt, ap);
    va_end(ap);
}

/* A small file of /proc or /sys into `text`; empty when it is not there. */
static void slurp(const char *path, char *text, size_t n)
{
    FILE *f = fopen(path, "re");
    text[0] = '\0';
    if (!f)
        return;
    const size_t got = fread(text, 1, n - 1, f);
    text[got] = '\0';
    fclose(f);
}

static void look_at_memory(struct findings *f)
{
    char text[4096];
    hone_memory_facts m;
    hone_memory_get(&m);
    f->memory_total = m.total;
    f->memory_free = m.free;
    f->memory_limit = m.limit;
    slurp("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
    const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
    if (close)
        snprintf(f->huge_pages, sizeof f->huge_pages, "%.*s", (int)(close - open - 1), open + 1);
    if (strcmp(f->huge_pages, "never") == 0)
        advise(f, "huge pages are off: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    const uint64_t have = f->memory_limit && f->memory_limit < f->memory_free ? f->memory_limit
                                                                              : f->memory_free;
    if (have < (uint64_t)1 << 30)
        advise(f, "less than 1 GB of memory is free: enough for the embedded model only");
}

static uint64_t disk_free(const char *path)
{
    struct statvfs v;
    if (statvfs(path, &v) != 0)
        return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static void look_at_disk(struct findings *f)
{
    f->disk_here = disk_free(".");
    const char *cache = hone_paths_cache();
    char parent[1024];
    snprintf(parent, sizeof parent, "%s", cache);
    char *slash;
    while (!hone_file_exists(parent) && (slash = strrchr(parent, '/')) && slash != parent)
        *slash = '\0';
    f->disk_cache = disk_free(parent);
    if (f->disk_here < (uint64_t)2 << 30)
        advise(f,
               "less than 2 GB of disk is free here: checkpoints of a 135M model take 1.6 GB each");
}

struct product {
    const hone_exec *ex;
    hone_gemm g;
};

static void run_product(void *arg)
{
    struct product *p = arg;
    hone_gemm_fwd(p->ex, &p->g);
}

enum { M = 256, N = 1536, K = 576 };

static double panel_rate(const hone_exec *ex, float *data)
{
    float *w = data, *x = w + N * K, *y = x + M * K;
    struct product p = {ex,
                        {.M = M,
                         .N = N,
                         .K = K,
                         .x = x,
                         .ldx = K,
                         .w = w,
                         .wtype = HONE_F32,
                         .alpha = 1.0f,
                         .y = y,
                         .ldy = N}};
    return 2e-9 * M * N * K / hone_bench_median(run_product, &p, 0.1);
}

static hone_status measure(struct findings *f)
{
    hone_pool *one = NULL, *all = NULL;
    hone_region r = {0};
    hone_status s;
    HONE_TRY_GOTO(hone_region_init(&r, "benchmark", sizeof(float) * (N * K + M * K + M * N)), done);
    for (int64_t i = 0; i < N * K + M * K; i++)
        ((float *)r.base)[i] = (float)(i % 13) * 0.25f - 1.5f;
    HONE_TRY_GOTO(hone_pool_create(1, &one), done);
    HONE_TRY_GOTO(hone_pool_create(0, &all), done);
    HONE_TRY_GOTO(hone_pool_reserve(one, HONE_GEMM_SCRATCH, 0), done);
    HONE_TRY_GOTO(hone_pool_reserve(all, HONE_GEMM_SCRATCH, 0), done);
    f->threads = hone_pool_threads(all);
    f->panels_one = panel_rate(hone_pool_exec(one), r.base);
    f->panels_all = panel_rate(hone_pool_exec(all), r.base);
    if (hone_blas_get(&f->blas) < 0) {
        f->blas = NULL;
        f->missing = 1;
        const hone_error *e = hone_error_get();
        snprintf(f->no_blas, sizeof f->no_blas, "%s; %s", e->what, e->hint);
        advise(f, "%s", f->no_blas);
    } else {
        f->blas_one = hone_blas_measure(f->blas, hone_pool_exec(one), M, N, K, 0.1);
        f->blas_all = hone_blas_measure(f->blas, hone_pool_exec(all), M, N, K, 0.1);
    }
done:
    hone_pool_destroy(one);
    hone_pool_destroy(all);
    hone_region_release(&r);
    return s;
}

static void judge(struct findings *f)
{
    const char *type = hone_blas_core_type();
    if (f->blas && f->blas->asked_by_user && type && strcasecmp(type, f->blas->corename) != 0)
        advise(f,
               "OPENBLAS_CORETYPE=%s is set, and OpenBLAS runs its %s kernels; without it hone "
               "asks for %s",
               f->blas->asked, f->blas->corename, type);
    else if (f->blas && type && strcasecmp(type, f->blas->corename) != 0)
        advise(f,
               "OpenBLAS was asked for %s kernels and runs %s: a newer release may know this "
               "processor",
               type, f->blas->corename);
    if (f->blas && f->blas_one < 0.4 * f->panels_one)
        advise(f,
               "OpenBLAS reaches %.0f GFLOP/s where hone's own kernels reach %.0f: plugins that "
               "use it are slow",
               f->blas_one, f->panels_one);
    if (f->cpu->used != f->cpu->best)
        advise(f, "HONE_CPU=%s: this machine could run %s", hone_cpu_set_name(f->cpu->used),
               hone_cpu_set_name(f->cpu->best));
    if (f->cpu->best == HONE_CPU_C)
        advise(f, "neither AVX2 nor NEON: the plain C kernels run, some ten times slower");
    if (f->threads > 1 && f->panels_all < 1.3 * f->panels_one)
        advise(f,
               "%u threads are hardly faster than one: the machine is busy, or its processors "
               "share a core",
               f->threads);
}

static void look_at_boxes(struct findings *f)
{
    const hone_sandbox_can *can = hone_sandbox_probe();
    hone_buf b;
    hone_buf_init(&b, sizeof f->boxes);
    hone_sandbox_describe(can, &b);
    snprintf(f->boxes, sizeof f->boxes, "%s", b.ptr);
    hone_buf_release(&b);
    f->boxes_hold = hone_sandbox_check(can, 0) >= 0;
    if (!f->boxes_hold)
        advise(f, "%s: %s", hone_error_get()->what, hone_error_get()->hint);
}

static hone_status count_plugins(struct findings *f)
{
    hone_registry_opts o = {.project = "."};
    hone_registry *r;
    HONE_TRY(hone_registry_open(&o, &r));
    f->plugins = hone_registry_n_plugins(r);
    for (size_t i = 0; i < f->plugins; i++) {
        const hone_plugin *p = hone_registry_plugin(r, i);
        if (p->problem && !f->refused++)
            snprintf(f->first_refused, sizeof f->first_refused, "%s: %s", p->path, p->problem);
    }
    while (hone_registry_component(r, NULL, f->components))
        f->components++;
    if (f->refused)
        advise(f, "%zu plugins are refused, the first: %.200s (hone plugin list)", f->refused,
               f->first_refused);
    if (f->components == 0) {
        f->missing = 1;
        advise(f, "no plugins were found in %s: build again, or set HONE_PLUGIN_PATH",
               hone_paths_plugins());
    }
    hone_registry_close(r);
    return HONE_OK;
}

static void features(const hone_cpu *c, char *out, size_t n)
{
    snprintf(out, n, "%s%s%s%s%s%s%s%s", c->avx2 ? " avx2" : "", c->fma ? " fma" : "",
             c->avx512 ? " avx512" : "", c->avx512_vnni ? " avx512_vnni" : "",
             c->avx512_bf16 ? " avx512_bf16" : "", c->avx_vnni ? " avx_vnni" : "",
             c->neon ? " neon" : "", c->dotprod ? " dotprod" : "");
}

static double gb(uint64_t bytes)
{
    return (double)bytes / (double)(1 << 30);
}

static void print_text(const struct findings *f)
{
    char feat[128];
    features(f->cpu, feat, sizeof feat);
    printf("processor   %s\n            features%s\n            caches: L1d %zu KB, L2 %zu KB, L3 "
           "%zu MB\n",
           f->cpu->brand[0] ? f->cpu->brand : "unknown", feat[0] ? feat : " none that hone uses",
           f->cpu->l1d >> 10, f->cpu->l2 >> 10, f->cpu->l3 >> 20);
    printf("kernels     %s, %.0f GFLOP/s on one thread, %.0f on %u\n",
           hone_cpu_set_name(f->cpu->used), f->panels_one, f->panels_all, f->threads);
    if (f->blas)
        printf("OpenBLAS    %s kernels, %.0f GFLOP/s on one thread, %.0f on %u\n            %s\n",
               f->blas->corename, f->blas_one, f->blas_all, f->threads, f->blas->config);
    else
        printf("OpenBLAS    missing\n");
    printf("memory      %.1f GB free of %.1f GB", gb(f->memory_free), gb(f->memory_total));
    if (f->memory_limit)
        printf(", limit of the control group %.1f GB", gb(f->memory_limit));
    printf("; huge pages: %s\n", f->huge_pages[0] ? f->huge_pages : "unknown");
    printf("disk        %.1f GB free here, %.1f GB for models (%s)\n", gb(f->disk_here),
           gb(f->disk_cache), hone_paths_cache());
    printf("boxes       %s\n", f->boxes);
    printf("plugins     %zu files, %zu components, %zu refused\n", f->plugins, f->components,
           f->refused);
    for (int i = 0; i < f->n_advice; i++)
        printf("%s%s\n", i ? "            " : "\nadvice      ", f->advice[i]);
    if (!f->n_advice)
        printf("\nnothing to do\n");
}

static hone_status print_json(const struct findings *f)
{
    hone_buf b;
    hone_jw w;
    char feat[128];
    features(f->cpu, feat, sizeof feat);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "cpu", f->cpu->brand);
    hone_jw_kcstr(&w, "features", feat[0] ? feat + 1 : "");
    hone_jw_kcstr(&w, "kernels", hone_cpu_set_name(f->cpu->used));
    hone_jw_kcstr(&w, "best_kernels", hone_cpu_set_name(f->cpu->best));
    hone_jw_ki64(&w, "threads", f->threads);
    hone_jw_kf64(&w, "panel_gflops", f->panels_all);
    hone_jw_kf64(&w, "panel_gflops_one_thread", f->panels_one);
    hone_jw_key(&w, "openblas");
    if (f->blas) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "core", f->blas->corename);
        hone_jw_kcstr(&w, "asked", f->blas->asked);
        hone_jw_kbool(&w, "asked_by_user", f->blas->asked_by_user);
        hone_jw_kcstr(&w, "config", f->blas->config);
        hone_jw_kf64(&w, "gflops", f->blas_all);
        hone_jw_kf64(&w, "gflops_one_thread", f->blas_one);
        hone_jw_end(&w);
    } else {
        hone_jw_null(&w);
    }
    hone_jw_ki64(&w, "memory_total", (int64_t)f->memory_total);
    hone_jw_ki64(&w, "memory_free", (int64_t)f->memory_free);
    hone_jw_ki64(&w, "memory_limit", (int64_t)f->memory_limit);
    hone_jw_kcstr(&w, "huge_pages", f->huge_pages);
    hone_jw_ki64(&w, "disk_free", (int64_t)f->disk_here);
    hone_jw_ki64(&w, "disk_free_cache", (int64_t)f->disk_cache);
    hone_jw_kcstr(&w, "boxes", f->boxes);
    hone_jw_kbool(&w, "boxes_hold", f->boxes_hold);
    hone_jw_ki64(&w, "plugins", (int64_t)f->plugins);
    hone_jw_ki64(&w, "components", (int64_t)f->components);
    hone_jw_ki64(&w, "refused", (int64_t)f->refused);
    hone_jw_key(&w, "advice");
    hone_jw_list(&w);
    for (int i = 0; i < f->n_advice; i++)
        hone_jw_cstr(&w, f->advice[i]);
    hone_jw_end(&w);
    hone_jw_end(&w);
    const hone_status s = b.failed;
    if (s == HONE_OK)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

int hone_cli_doctor(int argc, char **argv)
{
    int json = 0;
    const hone_arg options[] = {
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone doctor", "hone doctor --json", NULL};
    const hone_args spec = {
        "doctor",
        "[--json]",
        "What this machine has: processor, kernels and what they reach, OpenBLAS,\n"
        "memory, disk, plugins; and what to do about what is missing.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    struct findings f = {.cpu = hone_cpu_get()};
    hone_status s = hone_cpu_check();
    if (s == HONE_OK)
        s = measure(&f);
    if (s == HONE_OK)
        s = count_plugins(&f);
    if (s == HONE_OK)
        look_at_boxes(&f);
    if (s < 0)
        return hone_cli_fail(s);
    look_at_memory(&f);
    look_at_disk(&f);
    judge(&f);
    if (json)
        s = print_json(&f);
    else
        print_text(&f);
    if (s < 0)
        return hone_cli_fail(s);
    return f.missing ? HONE_EXIT_FAILED : HONE_EXIT_OK;
}
