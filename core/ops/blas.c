/* blas.c - see blas.h. Opened once; never closed, since its memory and handlers live on. */
#include "ops/blas.h"

#include "base/clock.h"
#include "ops/cpu.h"
#include "tensor/region.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hone_blas blas;
static int opened; /* 1 yes, -1 no */
static char failure[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *overruled; /* hone_blas_ask */
static int overrules;

/* Names of OpenBLAS's dynamic targets (its dynamic.c), by instruction set and not by model. Those of AMD's processors
 * before Zen use FMA4, which nothing built since has. Of other architectures none is named: there OpenBLAS chooses. */
static const struct {
    const char *name;
    int set; /* hone's set of the same instructions */
    int bf16;
} types[] = {
    {"SkylakeX", HONE_CPU_AVX512, 0}, /* AVX-512 F/BW/DQ/VL */
    {"Cooperlake", HONE_CPU_AVX512, 1}, {"SapphireRapids", HONE_CPU_AVX512, 1},
    {"Zen", HONE_CPU_AVX2, 0}, /* AVX2 and FMA; Haswell's kernels, tuned for AMD */
    {"Haswell", HONE_CPU_AVX2, 0},
};

size_t hone_blas_types(const hone_cpu *c, const char *out[HONE_BLAS_TYPES])
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].set <= c->best && (!types[i].bf16 || c->avx512_bf16))
            out[n++] = types[i].name;
    if (c->avx)
        out[n++] = "Sandybridge";
    if (c->sse42)
        out[n++] = "Nehalem";
    if (c->vendor[0] && !c->neon)
        out[n++] = "Prescott"; /* SSE3: every processor of 64 bits but the first */
    return n;
}

const char *hone_blas_choose(const hone_cpu *c, int set)
{
    if (set == HONE_CPU_AVX512)
        return "SkylakeX";
    if (set == HONE_CPU_AVX2)
        return strcmp(c->vendor, "AuthenticAMD") == 0 ? "Zen" : "Haswell";
    return c->avx ? "Sandybridge" : c->sse42 ? "Nehalem" : NULL;
}

const char *hone_blas_core_type(void)
{
    const hone_cpu *c = hone_cpu_get();
    return hone_blas_choose(c, c->used == HONE_CPU_C ? c->best : c->used);
}

void hone_blas_ask(const char *type)
{
    overruled = type;
    overrules = 1;
}

/* A function by name. The detour by memcpy: ISO C has no cast from object to function pointers. */
static int function(void *lib, const char *name, void *fn_pointer)
{
    void *p = dlsym(lib, name);
    memcpy(fn_pointer, &p, sizeof p);
    return p != NULL;
}

static void copy(char *dst, size_t n, const char *src)
{
    snprintf(dst, n, "%s", src ? src : "");
}

static void open_once(void)
{
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblasp.so.0",
                                        NULL};
    const char *user = getenv("OPENBLAS_CORETYPE");
    opened = -1;
    if (user && *user && !overrules) {
        blas.asked_by_user = 1;
        copy(blas.asked, sizeof blas.asked, user);
    } else {
        const char *type = overruled ? overruled : hone_blas_core_type();
        if (user && *user && (!type || strcmp(user, type) != 0))
            copy(blas.ignored, sizeof blas.ignored, user);
        if (type && !*type)
            type = NULL;
        if (overrules)
            unsetenv("OPENBLAS_BLOCK_FACTOR"); /* of its blocks in caches */
        copy(blas.asked, sizeof blas.asked, type);
        if (type)
            setenv("OPENBLAS_CORETYPE", type, 1);
        else
            unsetenv("OPENBLAS_CORETYPE");
    }
    setenv("OPENBLAS_NUM_THREADS", "1", 1); /* read when it is opened: it starts no threads then */
    void *lib = NULL;
    for (int i = 0; names[i] && !lib; i++) {
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        copy(blas.path, sizeof blas.path, names[i]);
    }
    if (!lib) {
        copy(failure, sizeof failure, dlerror());
        return;
    }
    void (*set_threads)(int) = NULL;
    char *(*corename)(void) = NULL, *(*config)(void) = NULL;
    if (!function(lib, "cblas_sgemm", &blas.sgemm)) {
        snprintf(failure, sizeof failure, "%s has no cblas_sgemm", blas.path);
        return;
    }
    if (function(lib, "openblas_set_num_threads", &set_threads))
        set_threads(1);
    if (function(lib, "openblas_get_corename", &corename))
        copy(blas.corename, sizeof blas.corename, corename());
    if (function(lib, "openblas_get_config", &config))
        copy(blas.config, sizeof blas.config, config());
    opened = 1;
}

hone_status hone_blas_get(const hone_blas **out)
{
    pthread_once(&once, open_once);
    if (opened < 0) {
        hone_fail(HONE_E_NOT_FOUND, "OpenBLAS could not be opened: %s", failure);
        return hone_fail_hint("install libopenblas0 (Debian, Ubuntu), openblas (Fedora, Arch)");
    }
    *out = &blas;
    return HONE_OK;
}

/* ---- measuring
 * ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hone_bench_median(void (*fn)(void *arg), void *arg, double seconds)
{
    enum { SAMPLES = 512, LEAST = 3 };
    double took[SAMPLES];
    int n = 0, calls = 1;
    fn(arg); /* warm */
    const double start = hone_now_s();
    while (n < SAMPLES && (n < LEAST || hone_now_s() - start < seconds)) {
        const double t = hone_now_s();
        for (int i = 0; i < calls; i++)
            fn(arg);
        const double d = hone_now_s() - t;
        if (d < 1e-3 && calls < 1 << 20) { /* too short to tell: not a sample */
            calls *= 2;
            continue;
        }
        took[n++] = d / calls;
    }
    qsort(took, (size_t)n, sizeof *took, by_value);
    return took[n / 2];
}

struct product {
    const hone_blas *b;
    const hone_exec *ex;
    int m, n, k;
    const float *x, *w;
    float *y;
};

static void product_task(void *arg, int64_t task, uint32_t thread)
{
    const struct product *p = arg;
    const int parts = (int)p->ex->n_threads;
    const int n0 = (int)((int64_t)p->n * task / parts),
              n1 = (int)((int64_t)p->n * (task + 1) / parts);
    (void)thread;
    if (n1 > n0)
        p->b->sgemm(101, 111, 112, p->m, n1 - n0, p->k, 1.0f, p->x, p->k,
                    p->w + (size_t)n0 * (size_t)p->k, p->k, 0.0f, p->y + n0, p->n);
}

static void product_run(void *arg)
{
    const struct product *p = arg;
    p->ex->parallel(p->ex, p->ex->n_threads, product_task, arg);
}

double hone_blas_measure(const hone_blas *b, const hone_exec *ex, int m, int n, int k,
                         double seconds)
{
    const size_t nx = (size_t)m * (size_t)k, nw = (size_t)n * (size_t)k, ny = (size_t)m * (size_t)n;
    hone_region r;
    if (hone_region_init(&r, "benchmark", (nx + nw + ny) * sizeof(float)) < 0)
        return 0.0;
    float *x = r.base;
    for (size_t i = 0; i < nx + nw + ny; i++)
        x[i] = (float)(i % 17) * 0.125f - 1.0f;
    struct product p = {b, ex, m, n, k, x, x + nx, x + nx + nw};
    const double s = hone_bench_median(product_run, &p, seconds);
    hone_region_release(&r);
    return 2e-9 * m * n * k / s;
}
