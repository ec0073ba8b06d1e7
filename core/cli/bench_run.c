/* bench_run.c - see bench_run.h. */
#include "cli/bench_run.h"

#include "base/clock.h"
#include "ops/blas.h"
#include "ops/cpu.h"
#include "ops/storage.h"

#include <stdlib.h>
#include <string.h>

enum { M = 1024, N = 1536, K = 576 };

static double sgemm(const hone_bench_run *r)
{
    const hone_blas *b;
    if (hone_blas_get(&b) < 0)
        return 0.0; /* no yardstick: `hone doctor` says why */
    return hone_blas_measure(b, hone_pool_exec(r->env.pool), M, N, K, 0.25);
}

/* Matrices a token meets: all linears, and the head once (tied or not); the embedding is a look-up.
 */
static void met_params(hone_bench_run *r)
{
    const hone_model *m = r->policy->model;
    for (hone_param i = 0; i < hone_params_count(m->params); i++) {
        const hone_param_item *p = hone_params_item(m->params, i);
        if (p && !p->is_vector && p->adapter < 0 &&
            (i != m->info.embed || m->info.head == m->info.embed)) {
            const hone_view v = hone_params_view(m->params, i);
            r->params += (double)p->rows * (double)p->cols;
            r->bytes += (double)hone_storage_bytes(&v);
        }
    }
}

hone_status hone__bench_open(const hone_bench_setup *setup, hone_bench_run *r)
{
    hone_registry_opts none = {0};
    hone_policy_config config = {.model = setup->model,
                                 .precision = setup->precision,
                                 .lora.rank = (int32_t)setup->lora,
                                 .optimizer = setup->train ? "adamw" : NULL};
    memset(r, 0, sizeof *r);
    hone_status s = hone_cpu_check();
    if (s >= 0)
        s = hone_storage_parse(setup->storage, &config.storage);
    if (s >= 0)
        s = hone_registry_open(&none, &r->env.registry);
    if (s >= 0)
        s = hone_pool_create((uint32_t)setup->threads, &r->env.pool);
    if (s >= 0)
        s = hone_policy_create(&r->env, &config, &r->policy);
    if (s < 0) {
        hone__bench_close(r);
        return s;
    }
    met_params(r);
    r->sgemm_gflops = sgemm(r);
    return HONE_OK;
}

void hone__bench_close(hone_bench_run *r)
{
    hone_policy_destroy(r->policy);
    hone_pool_destroy(r->env.pool);
    if (r->env.registry)
        hone_registry_close(r->env.registry);
    memset(r, 0, sizeof *r);
}

void hone__bench_again(hone_bench_run *r)
{
    r->sgemm_gflops = 0.5 * (r->sgemm_gflops + sgemm(r));
}

void hone__bench_ids(const hone_bench_run *r, uint64_t seed, int32_t *ids, size_t n)
{
    const uint64_t vocab = (uint64_t)r->policy->model->info.vocab_size;
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)((x >> 33) % vocab);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hone__bench_median(double *v, size_t n)
{
    if (n == 0)
        return 0.0;
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

double hone__bench_peak_mb(void)
{
    return (double)hone_peak_rss() / (double)(1 << 20);
}
