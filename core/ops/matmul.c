/* matmul.c - see matmul.h.
 *
 * A call runs where it is made, with an executor of one thread whose scratch is the caller's: a plugin is called on
 * the pool's threads already, and jobs do not nest. */
#include "ops/matmul.h"

#include "ops/kernels.h"

static void parallel(const hone_exec *ex, int64_t n_tasks, hone_task_fn fn, void *arg)
{
    (void)ex;
    for (int64_t i = 0; i < n_tasks; i++)
        fn(arg, i, 0);
}

static void *scratch(const hone_exec *ex, uint32_t thread)
{
    (void)thread;
    return ex->ctx;
}

static void pack(void *self, const float *rows, int64_t ld, int64_t n, int64_t k, float *panels)
{
    (void)self;
    hone_panels_pack(rows, ld, n, k, panels);
}

static hone_exec here(const hone_matmul *p)
{
    return (hone_exec){.struct_size = sizeof(hone_exec),
                       .n_threads = 1,
                       .ctx = p->scratch,
                       .parallel = parallel,
                       .thread_scratch = scratch};
}

static void product_t(void *self, const hone_matmul *p)
{
    (void)self;
    const hone_exec ex = here(p);
    const hone_gemm g = {.M = p->m,
                         .N = p->n,
                         .K = p->k,
                         .x = p->x,
                         .ldx = p->ldx,
                         .w = p->w,
                         .wtype = HONE_F32,
                         .add = (int)p->add,
                         .alpha = p->alpha,
                         .y = p->y,
                         .ldy = p->ldy};
    hone_gemm_fwd(&ex, &g);
}

static void product(void *self, const hone_matmul *p)
{
    (void)self;
    const hone_exec ex = here(p);
    const hone_gemm g = {.M = p->m,
                         .N = p->n,
                         .K = p->k,
                         .w = p->w,
                         .wtype = HONE_F32,
                         .add = (int)p->add,
                         .alpha = p->alpha,
                         .y = (float *)(uintptr_t)p->x, /* read only: the gradient's place */
                         .ldy = p->ldx};
    hone_gemm_dx(&ex, &g, p->y, p->ldy);
}

hone_status hone_matmul_offer(hone_registry *r)
{
    static const hone_matmul_v1 vt = {sizeof vt, 0, HONE_GEMM_SCRATCH, pack, product_t, product};
    return hone_registry_offer_ref(r, HONE_IFACE_MATMUL, (hone_ref){NULL, &vt});
}
