/* blas.c - see blas.h. Opened once; never closed, since its memory and handlers live on. */
#include "ops/blas.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "ops/cpu.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hone_blas blas;
static int opened; /* 1 yes, -1 no */
static char failure[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Names of OpenBLAS's dynamic targets (its cpuid_x86.c, TargetList), by instruction set and not by
 * model: SkylakeX needs AVX-512 F/BW/DQ/VL, Haswell AVX2 and FMA, Zen is Haswell tuned for AMD. */
const char *hone_blas_core_type(void)
{
    const hone_cpu *c = hone_cpu_get();
    if (c->best == HONE_CPU_AVX512)
        return "SkylakeX";
    if (c->best == HONE_CPU_AVX2)
        return strcmp(c->vendor, "AuthenticAMD") == 0 ? "Zen" : "Haswell";
    return NULL;
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
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblasp.so.0", NULL};
    const char *user = getenv("OPENBLAS_CORETYPE");
    opened = -1;
    if (user && *user) {
        blas.asked_by_user = 1;
        copy(blas.asked, sizeof blas.asked, user);
    } else {
        const char *type = hone_blas_core_type();
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

double hone_blas_measure(const hone_blas *b, int m, int n, int k, double seconds)
{
    const size_t na = (size_t)m * (size_t)k, nb = (size_t)n * (size_t)k, nc = (size_t)m * (size_t)n;
    float *a = hone_alloc((na + nb + nc) * sizeof *a);
    if (!a)
        return 0.0;
    for (size_t i = 0; i < na + nb + nc; i++)
        a[i] = (float)(i % 17) * 0.125f - 1.0f;
    double best = 0.0;
    const double end = hone_now_s() + seconds, flops = 2.0 * m * n * k;
    int batch = 1;
    do {
        const double t = hone_now_s();
        for (int i = 0; i < batch; i++)
            b->sgemm(101, 111, 112, m, n, k, 1.0f, a, k, a + na, k, 0.0f, a + na + nb, n);
        const double took = hone_now_s() - t;
        const double rate = flops * batch / (took > 1e-9 ? took : 1e-9) * 1e-9;
        best = rate > best ? rate : best;
        if (took < 5e-4)
            batch *= 2;
    } while (hone_now_s() < end);
    hone_free(a);
    return best;
}
