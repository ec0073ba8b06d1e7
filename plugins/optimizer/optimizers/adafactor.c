/* adafactor.c - second moments as the product of a row and a column, updates clipped and relative to the weights.
 *
 *   R = b R + (1 - b) rowmean(g^2 + e1)   C = b C + (1 - b) colmean(g^2 + e1)   b = 1 - t^-decay
 *   V = R C / mean(R)     u = g / sqrt(V)     u = u / max(1, rms(u) / d)
 *   p = p - a u           a = max(e2, rms(p)) min(lr, 1 / sqrt(t))
 * A vector has its V in full. With beta1 the update is averaged, which costs an array; without, a matrix of n x k keeps
 * n + k numbers. The learning rate is the cap of the relative step: the paper's is lr = 0.01 without a schedule;
 * relative_step = false takes lr as it is, scale_parameter = false leaves rms(p) out. Weight decay: p -= a wd p.
 *
 * rms and means are over the matrix as a whole, so it is not cut; sums are in double, in the order of storage. Rows of
 * padding are left out. What a step needs beside the state is a number a row and a column, not the update.
 * Source: Shazeer & Stern 2018 (arXiv:1804.04235), algorithms 4 and 5. */
#include "optimizers.h"

typedef struct adafactor {
    optimizer o;
    double eps1, eps2, clip, decay, beta1;
    int relative, scaled;
} adafactor;

enum { ROW, COL, MEAN, FULL = 0 }; /* a vector: FULL, then the mean in place 1 */

static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    const adafactor *x = (const adafactor *)o;
    out->cut = HONE_OPT_CUT_WHOLE;
    if (param->cols == 0) {
        out->n_buffers = x->beta1 > 0 ? 2 : 1;
        out->names[FULL] = "exp_avg_sq";
        out->names[1] = "exp_avg";
        return HONE_OK;
    }
    out->n_buffers = x->beta1 > 0 ? 3 : 2;
    out->names[ROW] = "exp_avg_sq_row";
    out->names[COL] = "exp_avg_sq_col";
    out->names[MEAN] = "exp_avg";
    out->kinds[ROW] = HONE_OPT_STATE_ROWS;
    out->kinds[COL] = HONE_OPT_STATE_COLS;
    out->scratch = ((uint64_t)param->cols + ((uint64_t)param->rows + 31) / 32 * 32) *
                   (sizeof(double) + sizeof(float));
    return HONE_OK;
}

/* What moves the elements, once the factors are known. */
typedef struct factor_step {
    float scale, keep, size; /* of the gradient; 1 - a wd; a / max(1, rms(u) / d) */
    float beta1, rest1;
} factor_step;

/* Lanes: elements i with the same i % 32 are summed apart, so that a panel's lanes are its rows. */
enum { LANES = 32 };

/* row (32), square (32) += g^2 + e1, p^2 of each lane; col (cols) += g^2 + e1 of the lanes that are rows. */
OPT_BODY panel_sums_body(int isa, const float *restrict g, const float *restrict p, size_t cols,
                         float scale, double eps1, size_t rows, double *restrict row,
                         double *restrict col, double *restrict square)
{
    (void)isa;
    for (size_t c = 0; c < cols; c++) {
        double at[LANES], sum = 0;
        for (size_t l = 0; l < LANES; l++) {
            double gi = (double)(g[c * LANES + l] * scale), pi = (double)p[c * LANES + l];
            at[l] = l < rows ? gi * gi + eps1 : 0;
            row[l] += at[l];
            square[l] += pi * pi;
        }
        for (size_t l = 0; l < LANES; l++)
            sum += at[l];
        col[c] += sum;
    }
}
OPT_LOOP(panel_sums, isa,
         (int isa, const float *restrict g, const float *restrict p, size_t cols, float scale,
          double eps1, size_t rows, double *restrict row, double *restrict col,
          double *restrict square),
         (isa, g, p, cols, scale, eps1, rows, row, col, square))

OPT_BODY panel_rms_body(int isa, const float *restrict g, size_t cols, float scale,
                        const float *restrict row, const float *restrict col,
                        double *restrict square)
{
    (void)isa;
    for (size_t c = 0; c < cols; c++)
        for (size_t l = 0; l < LANES; l++) {
            double u = (double)(g[c * LANES + l] * scale * row[l] * col[c]);
            square[l] += u * u;
        }
}
OPT_LOOP(panel_rms, isa,
         (int isa, const float *restrict g, size_t cols, float scale, const float *restrict row,
          const float *restrict col, double *restrict square),
         (isa, g, cols, scale, row, col, square))

/* mean: NULL without beta1 */
OPT_BODY panel_move_body(int isa, float *restrict p, const float *restrict g, size_t cols,
                         const float *restrict row, const float *restrict col, float *restrict mean,
                         const factor_step *k)
{
    (void)isa;
    for (size_t c = 0; c < cols; c++)
        for (size_t l = 0; l < LANES; l++) {
            size_t i = c * LANES + l;
            float by = k->size * (g[i] * k->scale * row[l] * col[c]);
            if (mean)
                mean[i] = by = k->beta1 * mean[i] + k->rest1 * by;
            p[i] = p[i] * k->keep - by;
        }
}
OPT_LOOP(panel_move, isa,
         (int isa, float *restrict p, const float *restrict g, size_t cols,
          const float *restrict row, const float *restrict col, float *restrict mean,
          const factor_step *k),
         (isa, p, g, cols, row, col, mean, k))

static double add_lanes(const double *lane)
{
    double sum = 0;
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* 1 - t^-decay, and a of the formula above. */
static void rates(const adafactor *x, const hone_opt_slice *s, const hone_opt_info *info,
                  double rms_p, double *beta2, double *a)
{
    double t = (double)info->step, relative = 1 / hone_sqrt(t);
    *beta2 = 1 - hone_exp(-x->decay * hone_log(t));
    *a = x->relative && relative < s->lr ? relative : s->lr;
    if (x->scaled)
        *a *= rms_p > x->eps2 ? rms_p : x->eps2;
}

static factor_step moves(const adafactor *x, const hone_opt_slice *s, const hone_opt_info *info,
                         double a, double rms_u)
{
    double over = rms_u / x->clip;
    factor_step k;
    k.scale = (float)info->grad_scale;
    k.keep = (float)(1 - a * s->weight_decay);
    k.size = (float)(a / (over > 1 ? over : 1));
    k.beta1 = (float)x->beta1;
    k.rest1 = (float)(1 - x->beta1);
    return k;
}

/* A float that is never infinite. */
static float finite(double v)
{
    return v < 3e38 ? (float)v : 3e38f;
}

static hone_status matrix(const adafactor *x, const hone_opt_slice *s, const hone_opt_info *info)
{
    const size_t rows = (size_t)s->rows, cols = (size_t)s->cols, panels = s->length / 32 / cols;
    const double count = (double)rows * (double)cols;
    const float scale = (float)info->grad_scale;
    double *row = s->scratch, *col = row + panels * LANES, square[LANES] = {0}, beta2, a, mean = 0;
    float *by_row = (float *)(col + cols), *by_col = by_row + panels * LANES;
    for (size_t i = 0; i < panels * LANES + cols; i++)
        row[i] = 0;
    for (size_t q = 0; q < panels; q++) {
        size_t n = rows - q * LANES < LANES ? rows - q * LANES : LANES, at = q * LANES * cols;
        panel_sums(x->o.isa, s->grad + at, s->param + at, cols, scale, x->eps1, n, row + q * LANES,
                   col, square);
    }
    rates(x, s, info, hone_sqrt(add_lanes(square) / count), &beta2, &a);
    for (size_t r = 0; r < rows; r++) {
        float *v = &s->state[ROW][r];
        *v = finite(beta2 * (double)*v + (1 - beta2) * (row[r] / (double)cols));
        mean += (double)*v;
    }
    mean /= (double)rows;
    for (size_t r = 0; r < panels * LANES; r++)
        by_row[r] = r < rows ? (float)(1 / hone_sqrt((double)s->state[ROW][r] / mean)) : 0;
    for (size_t c = 0; c < cols; c++) {
        float *v = &s->state[COL][c];
        *v = finite(beta2 * (double)*v + (1 - beta2) * (col[c] / (double)rows));
        by_col[c] = (float)(1 / hone_sqrt((double)*v));
    }
    for (size_t l = 0; l < LANES; l++)
        square[l] = 0;
    for (size_t q = 0; q < panels; q++)
        panel_rms(x->o.isa, s->grad + q * LANES * cols, cols, scale, by_row + q * LANES, by_col,
                  square);
    const factor_step k = moves(x, s, info, a, hone_sqrt(add_lanes(square) / count));
    for (size_t q = 0; q < panels; q++) {
        size_t at = q * LANES * cols;
        panel_move(x->o.isa, s->param + at, s->grad + at, cols, by_row + q * LANES, by_col,
                   x->beta1 > 0 ? s->state[MEAN] + at : NULL, &k);
    }
    return HONE_OK;
}

static hone_status vector(const adafactor *x, const hone_opt_slice *s, const hone_opt_info *info)
{
    const size_t n = (size_t)s->rows < s->length ? (size_t)s->rows : s->length;
    const float scale = (float)info->grad_scale;
    double square = 0, beta2, a;
    float *v = s->state[FULL], *mean = x->beta1 > 0 ? s->state[1] : NULL;
    for (size_t i = 0; i < n; i++)
        square += (double)s->param[i] * (double)s->param[i];
    rates(x, s, info, hone_sqrt(square / (double)n), &beta2, &a);
    square = 0;
    for (size_t i = 0; i < n; i++) {
        double g = (double)(s->grad[i] * scale);
        v[i] = finite(beta2 * (double)v[i] + (1 - beta2) * (g * g + x->eps1));
        square += g * g / (double)v[i];
    }
    const factor_step k = moves(x, s, info, a, hone_sqrt(square / (double)n));
    for (size_t i = 0; i < n; i++) {
        float by = k.size * (s->grad[i] * k.scale / (float)hone_sqrt((double)v[i]));
        if (mean)
            mean[i] = by = k.beta1 * mean[i] + k.rest1 * by;
        s->param[i] = s->param[i] * k.keep - by;
    }
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const adafactor *x = (const adafactor *)o;
    hone_status st = hone__opt_check(o, s, (s->cols ? 2 : 1) + (x->beta1 > 0));
    if (st < 0)
        return st;
    if (s->cols == 0)
        return vector(x, s, info);
    if (s->layout != HONE_LAYOUT_PANELS || !s->scratch ||
        s->length != (size_t)(s->rows + 31) / 32 * 32 * (size_t)s->cols)
        return hone_host_fail(o->host, HONE_E_INVALID,
                              "a matrix is to come whole, in panels and with scratch");
    return matrix(x, s, info);
}

static const hone_field *const fields[] = {
    HONE_F64("eps1", 1e-30, 1e-37, 1, 0, "added to squared gradients"),
    HONE_F64("eps2", 1e-3, 0, 1e6, 0, "least root mean square of a parameter"),
    HONE_F64("clip", 1, 1e-6, 1e6, 0, "largest root mean square of an update"),
    HONE_F64("decay", .8, 0, 1, 0, "power of the step by which the second moments decay"),
    HONE_F64("beta1", 0, 0, .999999, 0, "decay of the mean of updates; 0: none, and no state"),
    HONE_FLAG("relative_step", 1, 0, "lr caps 1 / sqrt(step)"),
    HONE_FLAG("scale_parameter", 1, 0, "steps in proportion to a parameter's root mean square"),
    NULL};
enum { EPS1, EPS2, CLIP, DECAY, BETA1, RELATIVE, SCALED };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    adafactor *x = (adafactor *)o;
    x->eps1 = cfg->f64(cfg, EPS1);
    x->eps2 = cfg->f64(cfg, EPS2);
    x->clip = cfg->f64(cfg, CLIP);
    x->decay = cfg->f64(cfg, DECAY);
    x->beta1 = cfg->f64(cfg, BETA1);
    x->relative = (int)cfg->i64(cfg, RELATIVE);
    x->scaled = (int)cfg->i64(cfg, SCALED);
    return HONE_OK;
}

static const opt_rule rule = {sizeof(adafactor), 0, configure, state_spec, step, NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_adafactor = {
    OPT_HEAD("adafactor", "factored second moments, relative steps", hone__opt_needs),
    .fields = fields, .create = create};
