/* optimizers.c - adamw and sgd, as plugins: elementwise updates of flat slices in float32.
 *
 * The idea: all scalars of a step (bias corrections, step size) are computed once a call in double and
 * rounded to float; each element then takes additions, products, divisions and a square root in one
 * fixed order. No operation depends on a neighbour, so any cut into slices, any vector width and any
 * thread count give the same bits. The loops are compiled a second time for AVX2 and AVX-512; without
 * contraction those differ in speed alone.
 *
 * The host owns parameters, gradients and state; gradients are multiplied by grad_scale (clipping) here.
 * Sources: adamw: Loshchilov & Hutter 2017 (arXiv:1711.05101), bias correction and order of operations
 * as PyTorch's AdamW; sgd: as PyTorch's SGD (coupled weight decay, Sutskever momentum, Nesterov). */
#include "hone/math.h"
#include "hone/optimizer.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86 1
#define TARGET(isa) __attribute__((target(isa)))
#else
#define HAS_X86 0
#endif

/* ---- the loops ----------------------------------------------------------------------------------- */

/* Scalars of one slice and step, already float. */
typedef struct adamw_step {
    float keep;         /* 1 - lr * weight_decay */
    float scale;        /* of the gradient */
    float rest1;        /* 1 - beta1 */
    float beta2, rest2; /* 1 - beta2 */
    float root2;        /* sqrt(1 - beta2^t) */
    float eps, size;    /* lr / (1 - beta1^t) */
} adamw_step;

typedef struct sgd_step {
    float scale, decay, lr, momentum, fresh; /* fresh: 1 - dampening, 1 at the first step */
    int nesterov;
} sgd_step;

/* p (n)  g (n)  m, v (n): first and second moments. */
#define ADAMW_LOOP                                                                                 \
    for (size_t i = 0; i < n; i++) {                                                               \
        float gi = g[i] * k->scale;                                                                \
        float pi = p[i] * k->keep;                                                                 \
        float mi = m[i] + k->rest1 * (gi - m[i]);                                                  \
        float vi = v[i] * k->beta2 + k->rest2 * (gi * gi);                                         \
        float denom = __builtin_sqrtf(vi) / k->root2 + k->eps;                                     \
        m[i] = mi;                                                                                 \
        v[i] = vi;                                                                                 \
        p[i] = pi - k->size * (mi / denom);                                                        \
    }

/* buf (n): momentum */
#define SGD_LOOP                                                                                   \
    for (size_t i = 0; i < n; i++) {                                                               \
        float gi = g[i] * k->scale + k->decay * p[i];                                              \
        float bi = k->momentum * buf[i] + k->fresh * gi;                                           \
        buf[i] = bi;                                                                               \
        gi = k->nesterov ? gi + k->momentum * bi : bi;                                             \
        p[i] = p[i] - k->lr * gi;                                                                  \
    }
#define SGD_PLAIN_LOOP                                                                             \
    for (size_t i = 0; i < n; i++) {                                                               \
        float gi = g[i] * k->scale + k->decay * p[i];                                              \
        p[i] = p[i] - k->lr * gi;                                                                  \
    }

typedef void (*adamw_fn)(float *restrict p, const float *restrict g, float *restrict m,
                         float *restrict v, size_t n, const adamw_step *k);
typedef void (*sgd_fn)(float *restrict p, const float *restrict g, float *restrict buf, size_t n,
                       const sgd_step *k);
typedef void (*sgd_plain_fn)(float *restrict p, const float *restrict g, size_t n,
                             const sgd_step *k);

#define LOOPS(name, attribute)                                                                     \
    attribute static void adamw_##name(float *restrict p, const float *restrict g,                 \
                                       float *restrict m, float *restrict v, size_t n,             \
                                       const adamw_step *k){                                       \
        ADAMW_LOOP} attribute static void sgd_##name(float *restrict p, const float *restrict g,   \
                                                     float *restrict buf, size_t n,                \
                                                     const sgd_step *k){                           \
        SGD_LOOP} attribute static void sgd_plain_##name(float *restrict p,                        \
                                                         const float *restrict g, size_t n,        \
                                                         const sgd_step *k)                        \
    {                                                                                              \
        SGD_PLAIN_LOOP                                                                             \
    }
LOOPS(c, )
#if HAS_X86
LOOPS(avx2, TARGET("avx2"))
LOOPS(avx512, TARGET("avx512f"))
#endif

typedef struct loops {
    adamw_fn adamw;
    sgd_fn sgd;
    sgd_plain_fn sgd_plain;
} loops;

static loops best_loops(void)
{
    loops l = {adamw_c, sgd_c, sgd_plain_c};
#if HAS_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        l.adamw = adamw_avx512;
        l.sgd = sgd_avx512;
        l.sgd_plain = sgd_plain_avx512;
    } else if (__builtin_cpu_supports("avx2")) {
        l.adamw = adamw_avx2;
        l.sgd = sgd_avx2;
        l.sgd_plain = sgd_plain_avx2;
    }
#endif
    return l;
}

/* ---- instances ------------------------------------------------------------------------------------ */

enum { ADAMW, SGD };
typedef struct optimizer {
    const hone_host *host;
    hone_ref mem;
    int kind;
    loops loops;
    double beta1, beta2, eps, momentum, dampening;
    int nesterov;
} optimizer;

static hone_status create(int kind, const hone_host *host, optimizer **out)
{
    hone_ref mem;
    optimizer *o;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s < 0)
        return s;
    o = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *o);
    if (!o)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(o, 0, sizeof *o);
    o->host = host;
    o->mem = mem;
    o->kind = kind;
    o->loops = best_loops();
    *out = o;
    return HONE_OK;
}

static void destroy(void *self)
{
    hone_ref mem = ((optimizer *)self)->mem;
    ((const hone_mem_v1 *)mem.vt)->resize(mem.self, self, sizeof(optimizer), 0);
}

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    const optimizer *o = self;
    (void)param;
    if (o->kind == ADAMW) {
        out->n_buffers = 2;
        out->names[0] = "exp_avg";
        out->names[1] = "exp_avg_sq";
    } else {
        out->n_buffers = o->momentum != 0;
        out->names[0] = "momentum_buffer";
    }
    return HONE_OK;
}

static void adamw_slice(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    double c1 = 1 - hone_powi(o->beta1, info->step), c2 = 1 - hone_powi(o->beta2, info->step);
    adamw_step k;
    k.keep = (float)(1 - s->lr * s->weight_decay);
    k.scale = (float)info->grad_scale;
    k.rest1 = (float)(1 - o->beta1);
    k.beta2 = (float)o->beta2;
    k.rest2 = (float)(1 - o->beta2);
    k.root2 = (float)hone_sqrt(c2);
    k.eps = (float)o->eps;
    k.size = (float)(s->lr / c1);
    o->loops.adamw(s->param, s->grad, s->state[0], s->state[1], s->length, &k);
}

static void sgd_slice(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    sgd_step k;
    k.scale = (float)info->grad_scale;
    k.decay = (float)s->weight_decay;
    k.lr = (float)s->lr;
    k.momentum = (float)o->momentum;
    k.fresh = info->step == 1 ? 1 : (float)(1 - o->dampening);
    k.nesterov = o->nesterov;
    if (o->momentum != 0)
        o->loops.sgd(s->param, s->grad, s->state[0], s->length, &k);
    else
        o->loops.sgd_plain(s->param, s->grad, s->length, &k);
}

static hone_status step(void *self, const hone_opt_slice *slices, size_t n, size_t stride,
                        const hone_opt_info *info)
{
    const optimizer *o = self;
    if (info->step == 0)
        return hone_host_fail(o->host, HONE_E_INVALID, "steps count from 1");
    for (size_t i = 0; i < n; i++) {
        const hone_opt_slice *s = (const hone_opt_slice *)(const void *)((const char *)slices +
                                                                         i * stride);
        if (o->kind == ADAMW)
            adamw_slice(o, s, info);
        else
            sgd_slice(o, s, info);
    }
    return HONE_OK;
}

static const hone_optimizer_v1 vtable = {sizeof(hone_optimizer_v1), HONE_OPT_ELEMENTWISE,
                                         state_spec, step};

static const void *get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_OPTIMIZER) == 0 ? &vtable : NULL;
}

/* ---- components ------------------------------------------------------------------------------------ */

static const hone_field *const adamw_fields[] = {
    HONE_F64("beta1", .9, 0, .999999, 0, "decay of the mean of gradients"),
    HONE_F64("beta2", .999, 0, .999999, 0, "decay of the mean of squared gradients"),
    HONE_F64("eps", 1e-8, 1e-30, 1, 0, "added to the root of the mean square"), NULL};
enum { ADAMW_BETA1, ADAMW_BETA2, ADAMW_EPS };
static const hone_field *const sgd_fields[] = {
    HONE_F64("momentum", 0, 0, .999999, 0, "decay of the velocity; 0: none, and no state"),
    HONE_F64("dampening", 0, 0, 1, 0, "share of the gradient kept out of the velocity"),
    HONE_FLAG("nesterov", 0, 0, "look ahead along the velocity"), NULL};
enum { SGD_MOMENTUM, SGD_DAMPENING, SGD_NESTEROV };

static hone_status adamw_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    optimizer *o;
    hone_status s = create(ADAMW, host, &o);
    if (s < 0)
        return s;
    o->beta1 = cfg->f64(cfg, ADAMW_BETA1);
    o->beta2 = cfg->f64(cfg, ADAMW_BETA2);
    o->eps = cfg->f64(cfg, ADAMW_EPS);
    *self_out = o;
    return HONE_OK;
}

static hone_status sgd_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    optimizer *o;
    hone_status s;
    int nesterov = (int)cfg->i64(cfg, SGD_NESTEROV);
    double momentum = cfg->f64(cfg, SGD_MOMENTUM), dampening = cfg->f64(cfg, SGD_DAMPENING);
    if (nesterov && (momentum == 0 || dampening != 0))
        return hone_host_fail(host, HONE_E_INVALID,
                              "sgd: nesterov needs a momentum and no dampening");
    s = create(SGD, host, &o);
    if (s < 0)
        return s;
    o->momentum = momentum;
    o->dampening = dampening;
    o->nesterov = nesterov;
    *self_out = o;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OPTIMIZER, NULL};
#define HEAD(name, text)                                                                           \
    .struct_size = sizeof(hone_component), .id = "org.hone.optimizer." name,                       \
    .kind = HONE_KIND_OPTIMIZER, .version = "0.1.0", .vendor = "hone", .license = "MIT",           \
    .summary = text, .url = "",                                                                    \
    .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT, .needs = needs,           \
    .provides = provides, .destroy = destroy, .get_iface = get_iface
static const hone_component adamw = {HEAD("adamw", "Adam with decoupled weight decay"),
                                     .fields = adamw_fields, .create = adamw_create};
static const hone_component sgd = {HEAD("sgd", "gradient descent with momentum"),
                                   .fields = sgd_fields, .create = sgd_create};
static const hone_component *const components[] = {&adamw, &sgd, NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
