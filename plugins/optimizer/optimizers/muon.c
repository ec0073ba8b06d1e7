/* muon.c - momentum made orthogonal, for matrices; AdamW for embeddings, the head, norms and other vectors.
 *
 *   m = mu m + (1 - mu) g      u = (1 - mu) g + mu m (Nesterov), or m
 *   o = NS(u)                  p = p - lr wd p - lr s o
 * NS replaces the singular values of u by numbers near 1: X = u / |u|, then some times X = a X + (b A + c A^2) X with
 * A = X X^T, a quintic that is steep at 0 and flat around 1 (Newton-Schulz). X is taken as the wide one of u and u^T.
 * s: sqrt(max(1, rows / cols)), or 0.2 sqrt(max(rows, cols)), whose steps have about the size of AdamW's, so that one
 * learning rate and weight decay serve both.
 *
 * The products are the host's (hone.matmul/1), and they are the cost: a matrix of r <= c takes 3 r^2 c + r^3 flops an
 * iteration, whatever the batch. All of an iteration but X itself is a polynomial of A, so where c is well above r three
 * iterations at a time are made on r x r matrices, 3 r^2 c + 9 r^3 flops instead of 9 r^2 c + 3 r^3 (iterate_gram). Everything
 * else is a pass over the matrix. Matrices are whole, one a thread.
 * Source: Jordan et al. 2024 (kellerjordan.github.io/posts/muon); the second s: Liu et al. 2025 (arXiv:2502.16982). */
#include "optimizers.h"

#include "hone/matmul.h"
#include "hone/model.h"

typedef struct muon {
    optimizer o;
    adam_numbers adam;
    double momentum, eps, adam_scale;
    int nesterov, match, steps;
    hone_ref matmul;
} muon;

/* Coefficients of the quintic, Jordan et al. */
static const float A1 = 3.4445f, A3 = -4.7750f, A5 = 2.0315f;

static size_t panel_floats(size_t rows, size_t cols)
{
    return (rows + 31) / 32 * 32 * cols;
}

/* Floats of the parts of scratch, for a matrix of r <= c after it was turned. */
typedef struct room {
    float *x;       /* (r, c) rows */
    float *x_panel; /* the same in panels; before, u as stored */
    float *a, *b;   /* (r, r) rows */
    float *q, *t;   /* the same, where iterations are made on these alone */
    float *panel;   /* one of them in panels */
    void *products; /* the host's */
} room;

/* Are several iterations on r x r matrices fewer flops, with room for what else they take? */
static int is_wide(size_t r, size_t c)
{
    return c >= r + r / 4;
}

static size_t layout(room *m, void *base, size_t r, size_t c)
{
    const size_t panel = panel_floats(r, c), turned = panel_floats(c, r),
                 more = is_wide(r, c) ? r * r : 0;
    const size_t sizes[] = {
        r * c, panel > turned ? panel : turned, r * r, r * r, more, more, panel_floats(r, r)};
    float **to[] = {&m->x, &m->x_panel, &m->a, &m->b, &m->q, &m->t, &m->panel};
    size_t at = 0;
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        *to[i] = (float *)base + at;
        at += (sizes[i] + 15) / 16 * 16;
    }
    m->products = (float *)base + at;
    return at * sizeof(float);
}

static int is_matrix(const hone_opt_param *p)
{
    return p->rows > 1 && p->cols > 1 && !(p->flags & (HONE_PARAM_EMBEDDING | HONE_PARAM_HEAD));
}

static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    const muon *x = (const muon *)o;
    room m;
    if (!is_matrix(param)) {
        hone__opt_adamw_state(out);
        return HONE_OK;
    }
    size_t r = (size_t)(param->rows < param->cols ? param->rows : param->cols),
           c = (size_t)(param->rows < param->cols ? param->cols : param->rows);
    if (c > ((size_t)1 << 24))
        return hone_host_fail(o->host, HONE_E_LIMIT, "a matrix of %zu x %zu is too large", r, c);
    out->n_buffers = 1;
    out->names[0] = "momentum_buffer";
    out->cut = HONE_OPT_CUT_WHOLE;
    out->tag = 1;
    out->scratch = layout(&m, NULL, r, c) + ((const hone_matmul_v1 *)x->matmul.vt)->scratch;
    return HONE_OK;
}

/* m (n)  g (n)  u (n): all as stored. square (16) += u^2 by lanes. */
OPT_BODY momentum_loop_body(int isa, float *restrict m, const float *restrict g, float *restrict u,
                            size_t n, float scale, float mu, float rest, int nesterov,
                            double *restrict square)
{
    (void)isa;
    for (size_t i = 0; i < n; i += 16)
        for (size_t l = 0; l < 16; l++) {
            float gi = g[i + l] * scale;
            float mi = mu * m[i + l] + rest * gi;
            float ui = nesterov ? rest * gi + mu * mi : mi;
            m[i + l] = mi;
            u[i + l] = ui;
            square[l] += (double)ui * (double)ui;
        }
}
OPT_LOOP(momentum_loop, isa,
         (int isa, float *restrict m, const float *restrict g, float *restrict u, size_t n,
          float scale, float mu, float rest, int nesterov, double *restrict square),
         (isa, m, g, u, n, scale, mu, rest, nesterov, square))

/* Panels of rows x cols to rows, turned where there are more rows than columns; and back, into the parameter:
 * p = p keep - o size. */
static void to_wide(const float *panels, size_t rows, size_t cols, float over, float *x)
{
    int turn = rows > cols;
    for (size_t q = 0; q < rows; q += 32)
        for (size_t c = 0; c < cols; c++) {
            const float *from = panels + (q / 32 * cols + c) * 32;
            size_t n = rows - q < 32 ? rows - q : 32;
            for (size_t l = 0; l < n; l++)
                x[turn ? c * rows + q + l : (q + l) * cols + c] = from[l] / over;
        }
}

static void from_wide(const float *x, size_t rows, size_t cols, float keep, float size, float *p)
{
    int turn = rows > cols;
    for (size_t q = 0; q < rows; q += 32)
        for (size_t c = 0; c < cols; c++) {
            float *to = p + (q / 32 * cols + c) * 32;
            size_t n = rows - q < 32 ? rows - q : 32;
            for (size_t l = 0; l < n; l++)
                to[l] = to[l] * keep - size * x[turn ? c * rows + q + l : (q + l) * cols + c];
        }
}

/* y (r x r) = alpha x w^T, or y + alpha x w^T with add, where it is known to be symmetric: x and w are the same, or
 * polynomials of one symmetric matrix. What lies on or below the diagonal is computed, STRIPE columns at a time, and
 * mirrored. */
enum { STRIPE = 96 };
static void symmetric(const muon *k, hone_matmul *p, size_t r)
{
    const hone_matmul whole = *p;
    for (size_t at = 0; at < r; at += STRIPE) {
        p->m = (int64_t)(r - at);
        p->n = r - at < STRIPE ? p->m : STRIPE;
        p->x = whole.x + at * (size_t)whole.ldx;
        p->w = whole.w + at * (size_t)whole.k; /* whole panels */
        p->y = whole.y + at * r + at;
        ((const hone_matmul_v1 *)k->matmul.vt)->product_t(k->matmul.self, p);
    }
    for (size_t i = 0; i < r; i++)
        for (size_t j = i / STRIPE * STRIPE + STRIPE; j < r; j++)
            whole.y[i * r + j] = whole.y[j * r + i];
    *p = whole;
}

/* y = x w, all r x r and symmetric; w goes through the panels. */
static void times(const muon *k, const room *m, size_t r, const float *x, const float *w, float *y)
{
    const int64_t R = (int64_t)r;
    if (w)
        ((const hone_matmul_v1 *)k->matmul.vt)->pack(k->matmul.self, w, R, R, R, m->panel);
    hone_matmul p = {.struct_size = sizeof p,
                     .k = R,
                     .x = x,
                     .w = m->panel,
                     .y = y,
                     .ldx = R,
                     .ldy = R,
                     .scratch = m->products,
                     .alpha = 1};
    symmetric(k, &p, r);
}

/* a = X X^T; X stays in x_panel. */
static void gram(const muon *k, const room *m, size_t r, size_t c)
{
    const int64_t R = (int64_t)r, C = (int64_t)c;
    ((const hone_matmul_v1 *)k->matmul.vt)->pack(k->matmul.self, m->x, C, R, C, m->x_panel);
    hone_matmul p = {.struct_size = sizeof p,
                     .k = C,
                     .x = m->x,
                     .w = m->x_panel,
                     .y = m->a,
                     .ldx = C,
                     .ldy = R,
                     .scratch = m->products,
                     .alpha = 1};
    symmetric(k, &p, r);
}

/* b = b A + c A A, with A in a; A = A^T. */
static void quintic(const muon *k, const room *m, size_t r)
{
    const int64_t R = (int64_t)r;
    ((const hone_matmul_v1 *)k->matmul.vt)->pack(k->matmul.self, m->a, R, R, R, m->panel);
    for (size_t i = 0; i < r * r; i++)
        m->b[i] = A3 * m->a[i];
    hone_matmul p = {.struct_size = sizeof p,
                     .add = 1,
                     .k = R,
                     .x = m->a,
                     .w = m->panel,
                     .y = m->b,
                     .ldx = R,
                     .ldy = R,
                     .scratch = m->products,
                     .alpha = A5};
    symmetric(k, &p, r);
}

/* X = y X, or X = a X + y X with `add`; X stands in x and x_panel. */
static void apply(const muon *k, const room *m, size_t r, size_t c, const float *y, uint32_t add)
{
    const int64_t R = (int64_t)r, C = (int64_t)c;
    for (size_t i = 0; add && i < r * c; i++)
        m->x[i] = A1 * m->x[i];
    const hone_matmul p = {.struct_size = sizeof p,
                           .add = add,
                           .m = R,
                           .n = R,
                           .k = C,
                           .x = y,
                           .w = m->x_panel,
                           .y = m->x,
                           .ldx = R,
                           .ldy = C,
                           .scratch = m->products,
                           .alpha = 1};
    ((const hone_matmul_v1 *)k->matmul.vt)->product(k->matmul.self, &p);
}

/* n iterations on A = X X^T: with P = a I + b A + c A^2, X becomes P X and A becomes P A P; the P's multiply up in q, and X is
 * met once, at the end. An error of A in a direction of small singular values grows twelvefold an iteration, while it
 * would not in X: with GRAM_MOST iterations 1e-7 stays below 2e-5. */
enum { GRAM_MOST = 3 };
static void iterate_gram(const muon *k, room *m, size_t r, size_t c, int n)
{
    gram(k, m, r, c);
    for (int s = 0; s < n; s++) {
        quintic(k, m, r);
        for (size_t i = 0; i < r; i++)
            m->b[i * r + i] += A1;
        if (s == 0) {
            memcpy(m->q, m->b, r * r * sizeof *m->q);
        } else {
            float *before = m->q;
            times(k, m, r, m->b, before, m->t);
            m->q = m->t;
            m->t = before;
        }
        if (s + 1 < n) { /* A = (A P) P */
            times(k, m, r, m->a, m->b, m->t);
            times(k, m, r, m->t, NULL, m->a);
        }
    }
    apply(k, m, r, c, m->q, 0);
}

/* m->x (r, c) of norm at most 1 becomes what has its singular vectors and singular values near 1. */
static void newton_schulz(const muon *k, room *m, size_t r, size_t c)
{
    for (int s = 0; s < k->steps;) {
        const int left = k->steps - s, n = left < GRAM_MOST ? left : GRAM_MOST;
        if (n > 1 && is_wide(r, c)) {
            iterate_gram(k, m, r, c, n);
            s += n;
        } else {
            gram(k, m, r, c);
            quintic(k, m, r);
            apply(k, m, r, c, m->b, 1);
            s++;
        }
    }
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const muon *k = (const muon *)o;
    hone_status st = hone__opt_check(o, s, s->tag ? 1 : 2);
    if (st < 0)
        return st;
    if (!s->tag) {
        hone__opt_adamw_slice(o, &k->adam, s, s->lr * k->adam_scale, info);
        return HONE_OK;
    }
    const size_t rows = (size_t)s->rows, cols = (size_t)s->cols, r = rows < cols ? rows : cols,
                 c = rows < cols ? cols : rows;
    if (s->layout != HONE_LAYOUT_PANELS || !s->scratch || s->length != panel_floats(rows, cols))
        return hone_host_fail(o->host, HONE_E_INVALID,
                              "a matrix is to come whole, in panels and with scratch");
    room m;
    double square[16] = {0}, norm = 0;
    layout(&m, s->scratch, r, c);
    float *u = m.x_panel;
    momentum_loop(o->isa, s->state[0], s->grad, u, s->length, (float)info->grad_scale,
                  (float)k->momentum, (float)(1 - k->momentum), k->nesterov, square);
    for (size_t l = 0; l < 16; l++)
        norm += square[l];
    norm = hone_sqrt(norm) + k->eps;
    to_wide(u, rows, cols, (float)norm, m.x);
    newton_schulz(k, &m, r, c);
    const double ratio = (double)rows / (double)cols,
                 size = k->match ? .2 * hone_sqrt((double)c) : hone_sqrt(ratio > 1 ? ratio : 1);
    from_wide(m.x, rows, cols, (float)(1 - s->lr * s->weight_decay), (float)(s->lr * size),
              s->param);
    return HONE_OK;
}

static const hone_field *const fields[] = {
    HONE_F64("momentum", .95, 0, .999999, 0, "decay of the mean of gradients of matrices"),
    HONE_FLAG("nesterov", 1, 0, "look ahead along the momentum"),
    HONE_INT("steps", 5, 1, 32, 0, "iterations of Newton-Schulz"),
    HONE_F64("eps", 1e-7, 1e-30, 1, 0, "added to the norm of what is made orthogonal"),
    HONE_ENUM("adjust", "match_rms_adamw", "original|match_rms_adamw", 0,
              "the size of a step: sqrt(max(1, rows / cols)), or that of AdamW's"),
    HONE_F64("beta1", .9, 0, .999999, 0, "AdamW's, for what is no matrix"),
    HONE_F64("beta2", .999, 0, .999999, 0, "AdamW's"),
    HONE_F64("adam_eps", 1e-8, 1e-30, 1, 0, "AdamW's"),
    HONE_F64("adam_scale", 1, 0, 1e6, 0, "times lr, for what is no matrix"),
    NULL};
enum { MOMENTUM, NESTEROV, STEPS, EPS, ADJUST, BETA1, BETA2, ADAM_EPS, ADAM_SCALE };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    muon *k = (muon *)o;
    k->momentum = cfg->f64(cfg, MOMENTUM);
    k->nesterov = (int)cfg->i64(cfg, NESTEROV);
    k->steps = (int)cfg->i64(cfg, STEPS);
    k->eps = cfg->f64(cfg, EPS);
    k->match = (int)cfg->i64(cfg, ADJUST);
    k->adam = (adam_numbers){cfg->f64(cfg, BETA1), cfg->f64(cfg, BETA2), cfg->f64(cfg, ADAM_EPS)};
    k->adam_scale = cfg->f64(cfg, ADAM_SCALE);
    return o->host->get_iface(o->host, HONE_IFACE_MATMUL, &k->matmul);
}

static const opt_rule rule = {sizeof(muon), 0, configure, state_spec, step, NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_MATMUL, NULL};
const hone_component hone__opt_muon = {
    OPT_HEAD("muon", "orthogonal momentum for matrices, AdamW for the rest", needs),
    .fields = fields, .create = create};
