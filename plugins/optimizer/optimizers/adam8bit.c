/* adam8bit.c - AdamW whose two means are kept in a byte an element.
 *
 * A block of `block` elements of a panel (of a vector) has one float, the largest magnitude in it; each element is the
 * nearest of 256 numbers times that float. The numbers are the dynamic map: seven decades from 1e-7 to 1, the decade
 * just below 1 with 64 of them (128 in the map without signs), each lower one with half as many, all means of equal
 * parts of the decade; then 0 and 1. A step widens a block, makes AdamW's step in float32, moves the parameters by what
 * it got, and rounds the two means back. Parameters of few elements keep their means in float32 (min_size).
 *
 * A byte of 0 is the number 0, so what the host sets to zero is zero. Blocks begin with panels, and the host cuts
 * between those, so no cut moves a block.
 * Source: Dettmers et al. 2021 (arXiv:2110.02861), sections 2 and 3. */
#include "optimizers.h"

#include <string.h>

enum { DECADES = 7, BLOCK_MAX = 4096 };
/* Magnitudes below 2^-23 are nearest to 0; from there to 1 a place of the first table is an octave's 128th, in which at
 * most one border between two numbers lies. */
enum { LEAST = (127 - 23) << 7, PLACES = (23 << 7) + 1 };

typedef struct map {
    int n;                  /* magnitudes: 0 = [0] < [1] < ... < [n - 1] = 1 */
    float border[257];      /* [k]: between [k] and [k + 1]; the last is above all */
    int32_t begins[PLACES]; /* magnitude of the smallest number in a place */
    float value[256];       /* by byte */
} map;

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* `sign`: bytes 1..128 are positive, 255..129 the negatives of magnitudes 1..127. */
static void make_map(map *m, int sign)
{
    float magnitude[257];
    double least = 1;
    m->n = 0;
    magnitude[m->n++] = 0;
    for (int d = 1; d < DECADES; d++)
        least /= 10;
    for (int d = 0; d < DECADES; d++, least *= 10) {
        int parts = sign ? 1 << d : 2 << d;
        for (int i = 0; i < parts; i++) /* the decade is [0.1, 1] times `least` */
            magnitude[m->n++] = (float)(least * (0.1 + 0.9 * (i + 0.5) / parts));
    }
    magnitude[m->n++] = 1;
    for (int k = 0; k + 1 < m->n; k++)
        m->border[k] = (magnitude[k] + magnitude[k + 1]) / 2;
    m->border[m->n - 1] = 2;
    int k = 0;
    for (int i = 0; i < PLACES; i++) {
        float from = from_bits((uint32_t)(LEAST + i) << 16);
        while (m->border[k] < from)
            k++;
        m->begins[i] = k;
    }
    for (int b = 0; b < 256; b++)
        m->value[b] = !sign || b <= 128 ? magnitude[b < m->n ? b : 0] : -magnitude[256 - b];
}

typedef struct step8 {
    float keep, scale, rest1, beta2, rest2, root2, eps, size; /* as in adamw.c */
    const map *m, *v;
} step8;

/* out[i] = the byte nearest to x[i] / most (of two equally near ones, the smaller magnitude). Values are >= 0 where the
 * map has no sign. */
OPT_BODY round_body(int sign, const map *t, const float *restrict x, float most,
                    unsigned char *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float y = __builtin_fabsf(x[i]) / most;
        int32_t bits;
        memcpy(&bits, &y, sizeof bits);
        int32_t place = (bits >> 16) - LEAST;
        place = place < 0 ? 0 : place > PLACES - 1 ? PLACES - 1 : place;
        int32_t k = t->begins[place];
        k += y > t->border[k];
        if (sign) {
            int32_t down = k > 127 ? 127 : k;
            k = x[i] < 0 ? 256 - down : k;
        }
        out[i] = (unsigned char)k;
    }
}

/* One block of n <= BLOCK_MAX elements: p  g  bytes and largest magnitude of both means. */
OPT_BODY block_loop_body(int isa, float *restrict p, const float *restrict g,
                         unsigned char *restrict mb, float *restrict mm, unsigned char *restrict vb,
                         float *restrict vm, size_t n, const step8 *k)
{
    float m[BLOCK_MAX], v[BLOCK_MAX], most_m = 0, most_v = 0;
    (void)isa;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale;
        float mi = k->m->value[mb[i]] * *mm;
        float vi = k->v->value[vb[i]] * *vm;
        m[i] = mi + k->rest1 * (gi - mi);
        v[i] = vi * k->beta2 + k->rest2 * (gi * gi);
    }
    for (size_t i = 0; i < n; i++) {
        float denom = __builtin_sqrtf(v[i]) / k->root2 + k->eps;
        p[i] = p[i] * k->keep - k->size * (m[i] / denom);
    }
    for (size_t i = 0; i < n; i++) {
        float a = __builtin_fabsf(m[i]);
        most_m = a > most_m ? a : most_m;
        most_v = v[i] > most_v ? v[i] : most_v;
    }
    *mm = most_m;
    *vm = most_v;
    if (most_m > 0)
        round_body(1, k->m, m, most_m, mb, n);
    else
        memset(mb, 0, n);
    if (most_v > 0)
        round_body(0, k->v, v, most_v, vb, n);
    else
        memset(vb, 0, n);
}
OPT_LOOP(block_loop, isa,
         (int isa, float *restrict p, const float *restrict g, unsigned char *restrict mb,
          float *restrict mm, unsigned char *restrict vb, float *restrict vm, size_t n,
          const step8 *k),
         (isa, p, g, mb, mm, vb, vm, n, k))

typedef struct adam8bit {
    optimizer o;
    adam_numbers k;
    uint32_t block;
    int64_t min_size;
    map m, v;
} adam8bit;

enum { M, M_MOST, V, V_MOST };
static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    const adam8bit *x = (const adam8bit *)o;
    int64_t cols = param->cols ? param->cols : 1;
    if (param->rows < (x->min_size + cols - 1) / cols) {
        hone__opt_adamw_state(out);
        return HONE_OK;
    }
    out->n_buffers = 4;
    out->names[M] = "exp_avg";
    out->names[M_MOST] = "exp_avg_absmax";
    out->names[V] = "exp_avg_sq";
    out->names[V_MOST] = "exp_avg_sq_absmax";
    out->kinds[M] = out->kinds[V] = HONE_OPT_STATE_BYTES;
    out->kinds[M_MOST] = out->kinds[V_MOST] = HONE_OPT_STATE_BLOCKS;
    out->block = x->block;
    out->cut = HONE_OPT_CUT_PANELS;
    out->tag = 1;
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const adam8bit *x = (const adam8bit *)o;
    hone_status st = hone__opt_check(o, s, s->tag ? 4 : 2);
    if (st < 0)
        return st;
    if (!s->tag) {
        hone__opt_adamw_slice(o, &x->k, s, s->lr, info);
        return HONE_OK;
    }
    double c1 = 1 - hone_powi(x->k.beta1, info->step), c2 = 1 - hone_powi(x->k.beta2, info->step);
    step8 k = {.m = &x->m, .v = &x->v};
    k.keep = (float)(1 - s->lr * s->weight_decay);
    k.scale = (float)info->grad_scale;
    k.rest1 = (float)(1 - x->k.beta1);
    k.beta2 = (float)x->k.beta2;
    k.rest2 = (float)(1 - x->k.beta2);
    k.root2 = (float)hone_sqrt(c2);
    k.eps = (float)x->k.eps;
    k.size = (float)(s->lr / c1);
    unsigned char *mb = (unsigned char *)s->state[M], *vb = (unsigned char *)s->state[V];
    size_t unit = hone_opt_unit(s), b = 0;
    for (size_t u = 0; u < s->length; u += unit)
        for (size_t at = u; at < u + unit; b++) {
            size_t n = u + unit - at < x->block ? u + unit - at : x->block;
            block_loop(o->isa, s->param + at, s->grad + at, mb + at, s->state[M_MOST] + b, vb + at,
                       s->state[V_MOST] + b, n, &k);
            at += n;
        }
    return HONE_OK;
}

static const hone_field *const fields[] = {
    HONE_F64("beta1", .9, 0, .999999, 0, "decay of the mean of gradients"),
    HONE_F64("beta2", .999, 0, .999999, 0, "decay of the mean of squared gradients"),
    HONE_F64("eps", 1e-8, 1e-30, 1, 0, "added to the root of the mean square"),
    HONE_INT("block", 256, 32, BLOCK_MAX, 0, "elements that share a scale"),
    HONE_INT("min_size", 4096, 0, 1000000000, 0,
             "parameters of fewer elements keep their state in float32"),
    NULL};
enum { BETA1, BETA2, EPS, BLOCK, MIN_SIZE };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    adam8bit *x = (adam8bit *)o;
    x->k = (adam_numbers){cfg->f64(cfg, BETA1), cfg->f64(cfg, BETA2), cfg->f64(cfg, EPS)};
    x->block = (uint32_t)cfg->i64(cfg, BLOCK);
    x->min_size = cfg->i64(cfg, MIN_SIZE);
    make_map(&x->m, 1);
    make_map(&x->v, 0);
    return HONE_OK;
}

static const opt_rule rule = {sizeof(adam8bit), 0, configure, state_spec, step, NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_adam8bit = {
    OPT_HEAD("adam8bit", "AdamW with its state in bytes, block by block", hone__opt_needs),
    .fields = fields, .create = create};
