/* lion, schedule_free, adam8bit, adafactor and muon: each against its paper's formula in double, over several steps,
 * matrices, vectors and odd sizes; cuts, padding, odd gradients, slices that are none. */
#include "optimizer_rig.h"

#include "hone/model.h"

enum { MOST = 4096, STEPS = 7 };
static const double tiny_step = 1e-2;

/* AdamW, Loshchilov & Hutter, algorithm 2 with a schedule of 1. */
typedef struct adam_ref {
    double m[MOST], v[MOST];
} adam_ref;

static void adam_reference(adam_ref *a, double *p, const double *g, size_t n, double lr, double wd,
                           uint64_t t)
{
    for (size_t i = 0; i < n; i++) {
        a->m[i] = .9 * a->m[i] + .1 * g[i];
        a->v[i] = .999 * a->v[i] + .001 * g[i] * g[i];
        double mh = a->m[i] / (1 - pow(.9, (double)t)), vh = a->v[i] / (1 - pow(.999, (double)t));
        p[i] -= lr * (mh / (sqrt(vh) + 1e-8) + wd * p[i]);
    }
}

/* ---- lion ------------------------------------------------------------------------------------------- */

static void test_lion_follows_its_formula(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{5, 7}, {33, 3}, {17, 0}};
    for (size_t c = 0; c < 3; c++) {
        rig r = open_optimizer("lion", "{\"beta1\":0.7,\"beta2\":0.9}");
        param x = make_param(&r, shapes[c][0], shapes[c][1], 0);
        double p[MOST], g[MOST], m[MOST] = {0};
        fill_param(&x, x.p, 1, 1);
        get_rows(&x, x.p, p);
        for (uint64_t t = 1; t <= STEPS; t++) {
            fill_param(&x, x.g, 10 + t, 1);
            get_rows(&x, x.g, g);
            step_param(&r, &x, tiny_step, .3, t, .5, 0);
            for (size_t i = 0; i < elements(&x); i++) {
                double u = .7 * m[i] + .3 * (.5 * g[i]);
                p[i] -= tiny_step * ((u > 0) - (u < 0) + .3 * p[i]);
                m[i] = .9 * m[i] + .1 * (.5 * g[i]);
            }
            assert_true(worst(&x, p) < 1e-6);
        }
        assert_padding_is_zero(&x);
        free_param(&x);
        hone_instance_unref(r.inst);
    }
}

/* ---- schedule_free ---------------------------------------------------------------------------------- */

static void evaluate(const rig *r, const param *x, uint64_t t)
{
    hone_opt_slice s = slice_of(x, 0, x->it.length);
    hone_opt_info info = {.struct_size = sizeof info, .step = t, .grad_scale = 1};
    s.grad = NULL;
    hone_instance_enter(r->inst);
    assert_ok(hone_instance_leave(r->inst, "evaluation",
                                  r->vt->evaluation(r->ref.self, &s, 1, sizeof s, &info)));
}

/* Algorithm 1, with x, y and z apart. */
static void test_schedule_free_follows_its_algorithm(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{5, 7}, {70, 3}, {17, 0}};
    for (size_t c = 0; c < 3; c++) {
        rig r = open_optimizer("schedule_free", "{\"beta1\":0.8,\"beta2\":0.95,\"eps\":1e-6}");
        param w = make_param(&r, shapes[c][0], shapes[c][1], 0);
        static double x[MOST], y[MOST], z[MOST], v[MOST], g[MOST];
        double sum = 0;
        memset(v, 0, sizeof v);
        fill_param(&w, w.p, 1, 1);
        get_rows(&w, w.p, x);
        get_rows(&w, w.p, y);
        get_rows(&w, w.p, z);
        for (uint64_t t = 1; t <= 12; t++) {
            double lr = t < 4 ? .05 * (double)t / 4 : .05; /* a warm-up */
            fill_param(&w, w.g, 10 + t, 1);
            get_rows(&w, w.g, g); /* the gradient at y */
            step_param(&r, &w, lr, .1, t, .5, 0);
            double rate = lr * sqrt(1 - pow(.95, (double)t));
            sum += rate * rate;
            double share = rate * rate / sum;
            for (size_t i = 0; i < elements(&w); i++) {
                double gi = .5 * g[i];
                v[i] = .95 * v[i] + .05 * gi * gi;
                z[i] -= rate * gi / (sqrt(v[i]) + 1e-6) + rate * .1 * y[i];
                x[i] = (1 - share) * x[i] + share * z[i];
                y[i] = .2 * z[i] + .8 * x[i];
            }
            assert_true(worst(&w, y) < 2e-6);
            float *kept = malloc(w.it.length * sizeof *kept);
            char *before = malloc(w.bytes);
            assert_true(kept && before);
            memcpy(kept, w.p, w.it.length * sizeof *kept);
            memcpy(before, w.state, w.bytes);
            evaluate(&r, &w, t);
            assert_true(worst(&w, x) < 3e-6);
            assert_padding_is_zero(&w);
            assert_memory_equal(before, w.state, w.bytes);
            memcpy(w.p, kept, w.it.length * sizeof *kept);
            free(kept);
            free(before);
        }
        free_param(&w);
        hone_instance_unref(r.inst);
    }
}

static void test_schedule_free_stays_where_the_rate_is_zero(void **state)
{
    (void)state;
    rig r = open_optimizer("schedule_free", NULL);
    param w = make_param(&r, 5, 7, 0);
    double p[MOST];
    fill_param(&w, w.p, 1, 1);
    get_rows(&w, w.p, p);
    for (uint64_t t = 1; t <= 3; t++) {
        fill_param(&w, w.g, 10 + t, 1);
        step_param(&r, &w, 0, .1, t, 1, 0);
    }
    assert_true(worst(&w, p) == 0);
    evaluate(&r, &w, 3);
    assert_true(worst(&w, p) == 0);
    free_param(&w);
    hone_instance_unref(r.inst);
}

/* ---- adam8bit --------------------------------------------------------------------------------------- */

/* The dynamic map, by its description: sign bit (or not), a run of zero bits that counts decades, the rest a linear
 * fraction of [0.1, 1]. Returns how many numbers, ascending. */
static int dynamic_map(int sign, double *out)
{
    int n = 0;
    for (int zeros = 0; zeros < 7; zeros++) {
        int bits = (sign ? 6 : 7) - zeros;
        for (int f = 0; f < 1 << bits; f++) {
            double at = pow(10, -zeros) * (.1 + .9 * (f + .5) / (1 << bits));
            out[n++] = at;
            if (sign)
                out[n++] = -at;
        }
    }
    out[n++] = 0;
    out[n++] = 1;
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && out[k - 1] > out[k]; k--) {
            double swap = out[k];
            out[k] = out[k - 1];
            out[k - 1] = swap;
        }
    return n;
}

static double nearest(const double *map, int n, double x)
{
    double best = map[0];
    for (int i = 1; i < n; i++)
        if (fabs(map[i] - x) < fabs(best - x))
            best = map[i];
    return best;
}

/* Blocks of the stored order, counted from the begin of each panel. */
static void quantise(const param *x, const double *map, int n, size_t block, double *values)
{
    size_t unit = hone_opt_unit_of(&x->it);
    static double stored[2 * MOST];
    memset(stored, 0, sizeof stored);
    for (size_t i = 0; i < elements(x); i++)
        stored[place(x, i)] = values[i];
    for (size_t u = 0; u < x->it.length; u += unit)
        for (size_t b = u; b < u + unit; b += block) {
            size_t end = b + block < u + unit ? b + block : u + unit;
            double most = 0;
            for (size_t i = b; i < end; i++)
                most = fabs(stored[i]) > most ? fabs(stored[i]) : most;
            for (size_t i = b; i < end && most > 0; i++)
                stored[i] = most * nearest(map, n, stored[i] / most);
        }
    for (size_t i = 0; i < elements(x); i++)
        values[i] = stored[place(x, i)];
}

static void test_adam8bit_follows_its_formula(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, cols;
        size_t block;
    } cases[] = {{40, 24, 256}, {33, 7, 64}, {300, 0, 256}, {70, 33, 2048}, {31, 5, 32}};
    double sign[256], plain[256];
    assert_int_equal(dynamic_map(1, sign), 256);
    assert_int_equal(dynamic_map(0, plain), 256);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char settings[80];
        static double p[MOST], g[MOST];
        static adam_ref a;
        snprintf(settings, sizeof settings, "{\"block\":%zu,\"min_size\":0}", cases[c].block);
        rig r = open_optimizer("adam8bit", settings);
        param x = make_param(&r, cases[c].rows, cases[c].cols, 0);
        memset(&a, 0, sizeof a);
        fill_param(&x, x.p, 1, 1);
        get_rows(&x, x.p, p);
        for (uint64_t t = 1; t <= 5; t++) {
            fill_param(&x, x.g, 10 + t, 1);
            for (size_t i = 0; i < elements(&x); i += 3) /* gradients of many sizes */
                x.g[place(&x, i)] *= 1e-3f;
            get_rows(&x, x.g, g);
            step_param(&r, &x, tiny_step, .1, t, 1, 0);
            adam_reference(&a, p, g, elements(&x), tiny_step, .1, t);
            assert_true(worst(&x, p) < 2e-6);
            quantise(&x, sign, 256, cases[c].block, a.m);
            quantise(&x, plain, 256, cases[c].block, a.v);
        }
        assert_padding_is_zero(&x);
        free_param(&x);
        hone_instance_unref(r.inst);
    }
}

static void test_adam8bit_keeps_a_byte_an_element(void **state)
{
    (void)state;
    rig r = open_optimizer("adam8bit", NULL);
    param x = make_param(&r, 128, 64, 0), small = make_param(&r, 63, 65, 0);
    /* two arrays of bytes, and a float for each of the 8 blocks in each of 4 panels, twice */
    assert_int_equal(x.bytes, 2 * 128 * 64 + 2 * 4 * 8 * 4);
    assert_int_equal(small.bytes, 2 * 64 * 65 * 4);
    free_param(&x);
    free_param(&small);
    hone_instance_unref(r.inst);
}

/* ---- adafactor -------------------------------------------------------------------------------------- */

typedef struct factor_case {
    const char *settings;
    int64_t rows, cols;
    double decay, clip, beta1;
    int relative, scaled;
} factor_case;

static double rms(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)n);
}

/* Algorithms 4 (matrices) and 5 (vectors), V as sums the way the paper has it. */
static void test_adafactor_follows_its_algorithms(void **state)
{
    (void)state;
    static const factor_case cases[] = {
        {NULL, 5, 7, .8, 1, 0, 1, 1},
        {NULL, 33, 9, .8, 1, 0, 1, 1},
        {NULL, 64, 17, .8, 1, 0, 1, 1},
        {NULL, 17, 0, .8, 1, 0, 1, 1},
        {"{\"relative_step\":false,\"beta1\":0.9}", 40, 3, .8, 1, .9, 0, 1},
        {"{\"scale_parameter\":false,\"decay\":0.5,\"clip\":0.3}", 3, 40, .5, .3, 0, 1, 0},
        {"{\"beta1\":0.5}", 21, 0, .8, 1, .5, 1, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const factor_case *k = &cases[c];
        rig r = open_optimizer("adafactor", k->settings);
        param x = make_param(&r, k->rows, k->cols, 0);
        const size_t n = elements(&x), cols = (size_t)x.it.cols, rows = (size_t)x.it.rows;
        static double p[MOST], g[MOST], u[MOST], full[MOST], mean[MOST], row[MOST], col[MOST];
        memset(full, 0, sizeof full);
        memset(mean, 0, sizeof mean);
        memset(row, 0, sizeof row);
        memset(col, 0, sizeof col);
        fill_param(&x, x.p, 1, 1);
        get_rows(&x, x.p, p);
        for (uint64_t t = 1; t <= STEPS; t++) {
            const double lr = .3, beta = 1 - pow((double)t, -k->decay);
            fill_param(&x, x.g, 10 + t, 1);
            get_rows(&x, x.g, g);
            step_param(&r, &x, lr, .1, t, .5, 0);
            double rho = k->relative && 1 / sqrt((double)t) < lr ? 1 / sqrt((double)t) : lr,
                   alpha = k->scaled ? fmax(1e-3, rms(p, n)) * rho : rho, all = 0;
            for (size_t i = 0; i < n; i++)
                g[i] *= .5;
            for (size_t i = 0; i < rows; i++) { /* R 1_m and C 1_n are sums in the paper */
                double sum = 0;
                for (size_t j = 0; j < cols; j++)
                    sum += g[i * cols + j] * g[i * cols + j] + 1e-30;
                row[i] = beta * row[i] + (1 - beta) * sum;
                all += row[i];
            }
            for (size_t j = 0; j < cols; j++) {
                double sum = 0;
                for (size_t i = 0; i < rows; i++)
                    sum += g[i * cols + j] * g[i * cols + j] + 1e-30;
                col[j] = beta * col[j] + (1 - beta) * sum;
            }
            for (size_t i = 0; i < n; i++) {
                full[i] = beta * full[i] + (1 - beta) * (g[i] * g[i] + 1e-30);
                u[i] = g[i] / sqrt(k->cols ? row[i / cols] * col[i % cols] / all : full[i]);
            }
            double over = fmax(1, rms(u, n) / k->clip);
            for (size_t i = 0; i < n; i++) {
                double by = alpha * u[i] / over;
                mean[i] = k->beta1 * mean[i] + (1 - k->beta1) * by;
                p[i] = p[i] * (1 - alpha * .1) - (k->beta1 > 0 ? mean[i] : by);
            }
            if (!(worst(&x, p) < 5e-6))
                fail_with("case %zu, step %d: %g", c, (int)t, worst(&x, p));
        }
        assert_padding_is_zero(&x);
        free_param(&x);
        hone_instance_unref(r.inst);
    }
}

static void test_adafactor_keeps_a_row_and_a_column(void **state)
{
    (void)state;
    rig r = open_optimizer("adafactor", NULL);
    param x = make_param(&r, 128, 64, 0);
    assert_int_equal(x.bytes, (128 + 64) * 4);
    free_param(&x);
    hone_instance_unref(r.inst);
}

/* ---- muon ------------------------------------------------------------------------------------------- */

enum { MUON_MOST = 110 * 150 };

/* X (r x c) by the quintic iteration, in double. */
static void newton_schulz(double *x, size_t r, size_t c, int steps)
{
    static double a[112 * 112], b[112 * 112], y[MUON_MOST];
    for (int s = 0; s < steps; s++) {
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                double sum = 0;
                for (size_t k = 0; k < c; k++)
                    sum += x[i * c + k] * x[j * c + k];
                a[i * r + j] = sum;
            }
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                double sum = 0;
                for (size_t k = 0; k < r; k++)
                    sum += a[i * r + k] * a[k * r + j];
                b[i * r + j] = -4.7750 * a[i * r + j] + 2.0315 * sum;
            }
        for (size_t i = 0; i < r; i++)
            for (size_t k = 0; k < c; k++) {
                double sum = 0;
                for (size_t j = 0; j < r; j++)
                    sum += b[i * r + j] * x[j * c + k];
                y[i * c + k] = 3.4445 * x[i * c + k] + sum;
            }
        memcpy(x, y, r * c * sizeof *x);
    }
}

static void test_muon_follows_its_formula(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        int64_t rows, cols;
        int nesterov, original, steps;
    } cases[] = {{NULL, 5, 7, 1, 0, 5},
                 {NULL, 48, 33, 1, 0, 5},
                 {NULL, 33, 48, 1, 0, 5},
                 {NULL, 17, 2, 1, 0, 5},
                 {NULL, 63, 63, 1, 0, 5},
                 {NULL, 110, 150, 1, 0, 5}, /* several stripes, and more than one look at X */
                 {"{\"steps\":7}", 150, 110, 1, 0, 7},
                 {"{\"nesterov\":false,\"adjust\":\"original\",\"steps\":3}", 40, 9, 0, 1, 3},
                 {"{\"adjust\":\"original\"}", 9, 40, 1, 1, 5}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rig r = open_optimizer("muon", cases[c].settings);
        param w = make_param(&r, cases[c].rows, cases[c].cols, 0);
        const size_t rows = (size_t)w.it.rows, cols = (size_t)w.it.cols, n = rows * cols;
        static double p[MUON_MOST], g[MUON_MOST], m[MUON_MOST], x[MUON_MOST];
        memset(m, 0, sizeof m);
        fill_param(&w, w.p, 1, 1);
        get_rows(&w, w.p, p);
        for (uint64_t t = 1; t <= 4; t++) {
            double norm = 0, squares = 0;
            fill_param(&w, w.g, 10 + t, 1);
            get_rows(&w, w.g, g);
            step_param(&r, &w, tiny_step, .1, t, .5, 0);
            for (size_t i = 0; i < n; i++) {
                m[i] = .95 * m[i] + .05 * (.5 * g[i]);
                g[i] = cases[c].nesterov ? .05 * (.5 * g[i]) + .95 * m[i] : m[i];
                norm += g[i] * g[i];
            }
            int turn = rows > cols;
            for (size_t i = 0; i < n; i++)
                x[turn ? i % cols * rows + i / cols : i] = g[i] / (sqrt(norm) + 1e-7);
            newton_schulz(x, turn ? cols : rows, turn ? rows : cols, cases[c].steps);
            double size = cases[c].original ? sqrt(fmax(1, (double)rows / (double)cols))
                                            : .2 * sqrt((double)(rows > cols ? rows : cols));
            for (size_t i = 0; i < n; i++) {
                double o = x[turn ? i % cols * rows + i / cols : i];
                squares += o * o;
                p[i] -= tiny_step * (.1 * p[i] + size * o);
            }
            if (!(worst(&w, p) < 2e-6))
                fail_with("case %zu, step %d: %g", c, (int)t, worst(&w, p));
            /* singular values near 1 */
            double rank = (double)(rows < cols ? rows : cols);
            assert_true(cases[c].steps < 5 || (squares > .4 * rank && squares < 1.4 * rank));
        }
        assert_padding_is_zero(&w);
        free_param(&w);
        hone_instance_unref(r.inst);
    }
}

static void test_muon_has_adamw_for_what_is_no_matrix(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, cols;
        uint32_t flags;
    } cases[] = {{40, 9, HONE_PARAM_EMBEDDING}, {9, 40, HONE_PARAM_HEAD}, {17, 0, 0}, {1, 9, 0}};
    for (size_t c = 0; c < 4; c++) {
        rig r = open_optimizer("muon", "{\"adam_scale\":0.5}");
        param x = make_param(&r, cases[c].rows, cases[c].cols, cases[c].flags);
        static double p[MOST], g[MOST];
        static adam_ref a;
        memset(&a, 0, sizeof a);
        fill_param(&x, x.p, 1, 1);
        get_rows(&x, x.p, p);
        for (uint64_t t = 1; t <= STEPS; t++) {
            fill_param(&x, x.g, 10 + t, 1);
            get_rows(&x, x.g, g);
            step_param(&r, &x, tiny_step, .1, t, 1, 0);
            adam_reference(&a, p, g, elements(&x), .5 * tiny_step, .1, t);
            assert_true(worst(&x, p) < 2e-6);
        }
        assert_int_equal(x.e.cut, HONE_OPT_CUT_ANY);
        free_param(&x);
        hone_instance_unref(r.inst);
    }
}

/* ---- all of them ------------------------------------------------------------------------------------ */

static void test_any_cut_between_panels_gives_equal_bits(void **state)
{
    (void)state;
    static const char *const names[] = {"adam8bit", "schedule_free"},
                             *const settings[] = {"{\"min_size\":0,\"block\":64}", NULL};
    for (size_t k = 0; k < 2; k++) {
        rig r = open_optimizer(names[k], settings[k]);
        param a = make_param(&r, 150, 7, 0), b = make_param(&r, 150, 7, 0);
        assert_int_equal(a.e.cut, HONE_OPT_CUT_PANELS);
        fill_param(&a, a.p, 1, 1);
        fill_param(&b, b.p, 1, 1);
        for (uint64_t t = 1; t <= 4; t++) {
            fill_param(&a, a.g, 10 + t, 1);
            fill_param(&b, b.g, 10 + t, 1);
            step_param(&r, &a, .01, .1, t, .3, 0);
            step_param(&r, &b, .01, .1, t, .3, t * 32 * 7); /* 1, 2, 3, 4 of 5 panels */
            assert_memory_equal(a.p, b.p, a.it.length * sizeof *a.p);
            assert_memory_equal(a.state, b.state, a.bytes);
        }
        free_param(&a);
        free_param(&b);
        hone_instance_unref(r.inst);
    }
}

static void test_zero_and_huge_gradients_stay_finite(void **state)
{
    (void)state;
    static const char *const names[] = {"lion",      "schedule_free", "adam8bit", "adam8bit",
                                        "adafactor", "muon",          "sgd",      "adamw"};
    static const int64_t shapes[][2] = {{40, 9}, {17, 0}};
    static const float sizes[] = {0, 1e18f, 1e-30f};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t c = 0; c < 6; c++) {
            rig r = open_optimizer(names[k], k == 2 ? "{\"min_size\":0}" : NULL);
            param x = make_param(&r, shapes[c % 2][0], shapes[c % 2][1], 0);
            fill_param(&x, x.p, 1, 1);
            for (uint64_t t = 1; t <= 3; t++) {
                fill_param(&x, x.g, 10 + t, sizes[c / 2]);
                step_param(&r, &x, 1e-3, .1, t, 1, 0);
            }
            for (size_t i = 0; i < elements(&x); i++)
                if (!isfinite(x.p[place(&x, i)]))
                    fail_with("%s: %g", names[k], (double)sizes[c / 2]);
            if (sizes[c / 2] == 0) /* weight decay alone: 0.9997 or, by its own rate, adafactor */
                assert_true(fabsf(x.p[0]) <= .5f && x.p[0] != 0);
            assert_padding_is_zero(&x);
            free_param(&x);
            hone_instance_unref(r.inst);
        }
}

static void test_slices_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"adam8bit", "schedule_free", "adafactor", "muon"};
    for (size_t k = 0; k < 4; k++) {
        rig r = open_optimizer(names[k], k == 0 ? "{\"min_size\":0}" : NULL);
        param x = make_param(&r, 40, 9, 0);
        hone_opt_slice good = slice_of(&x, 0, x.it.length), s = good;
        assert_ok(try_step(&r, &good, 1, 1));
        assert_fails(try_step(&r, &good, 0, 1), HONE_E_INVALID, "steps count from 1");
        s.state[0] = NULL;
        assert_fails(try_step(&r, &s, 1, 1), HONE_E_INVALID, "without its state");
        s = good;
        s.length -= 1;
        assert_fails(try_step(&r, &s, 1, 1), HONE_E_INVALID, "no slice of 40 x 9");
        s = good;
        s.rows = 1 << 30;
        s.cols = INT64_MAX / 2;
        assert_fails(try_step(&r, &s, 1, 1), HONE_E_INVALID, "shape");
        s = good;
        s.scratch = NULL;
        if (k >= 2)
            assert_fails(try_step(&r, &s, 1, 1), HONE_E_INVALID, "scratch");
        s = slice_of(&x, 0, 32 * 9);
        if (k >= 2)
            assert_fails(try_step(&r, &s, 1, 1), HONE_E_INVALID, "whole");
        free_param(&x);
        hone_instance_unref(r.inst);
    }
}

static void test_a_state_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        hone_opt_state_spec spec;
        const char *text;
    } cases[] = {
        {{.n_buffers = 5}, "5 arrays"},
        {{.n_buffers = 1}, "has no name"},
        {{.cut = 4}, "no cut 4"},
        {{.n_buffers = 1, .names = {"a"}, .kinds = {5}, .cut = 3}, "kind 5"},
        {{.n_buffers = 1, .names = {"a"}, .kinds = {HONE_OPT_STATE_COLS}, .cut = 2}, "kind 4"},
        {{.n_buffers = 1, .names = {"a"}, .kinds = {HONE_OPT_STATE_ROWS}, .cut = 1}, "kind 3"},
        {{.n_buffers = 1, .names = {"a"}, .kinds = {HONE_OPT_STATE_BLOCKS}}, "kind 2"},
    };
    hone_opt_entry e = {0};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        assert_fails(hone_opt_entry_fill(&e, &cases[k].spec, HONE_OPT_ELEMENTWISE, "who", "w"),
                     HONE_E_MISBEHAVED, cases[k].text);
}

/* Every kind of array as rows of a file and back, whole and in two ranks' parts. */
static void test_state_goes_into_rows_and_back(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {HONE_OPT_STATE_ELEMENTS, HONE_OPT_STATE_BYTES,
                                     HONE_OPT_STATE_BLOCKS, HONE_OPT_STATE_ROWS};
    for (size_t k = 0; k < 4; k++) {
        hone_param_item it = {.name = "w", .rows = 70, .cols = 5, .length = 3 * 32 * 5, .flat = 64};
        hone_opt_array a = {.name = "a", .kind = kinds[k], .block = 48};
        const hone_slice all = {0, 64 + 480}, ranks[] = {{0, 64 + 160}, {64 + 160, 64 + 480}};
        unsigned char stored[4 * 480] = {0}, again[4 * 480] = {0};
        float rows[480];
        int64_t n_rows, cols, first, n, total = 0;
        hone_opt_array_shape(&a, &it, &n_rows, &cols);
        assert_int_equal(n_rows, k == 2 ? 3 : 70);
        assert_int_equal(cols, k < 2 ? 5 : k == 2 ? 4 : 1);
        for (int64_t i = 0; i < n_rows * cols; i++)
            rows[i] = (float)(i % 251);
        hone_opt_array_set(&a, &it, stored, 0, n_rows, rows);
        hone_opt_array_slice(&a, &it, all, &first, &n);
        assert_true(first == 0 && n == n_rows);
        for (size_t r = 0; r < 2; r++) { /* each rank's part begins where its elements do */
            hone_opt_array_slice(&a, &it, ranks[r], &first, &n);
            assert_int_equal(first, total);
            total += n;
            size_t at = hone_opt_array_offset(&a, &it, r ? 160 : 0);
            hone_opt_array_get(&a, &it, stored + at, 0, n, rows);
            for (int64_t i = 0; i < n * cols; i++)
                assert_true(rows[i] == (float)((first * cols + i) % 251));
            hone_opt_array_set(&a, &it, again + at, 0, n, rows);
        }
        assert_int_equal(total, n_rows);
        assert_memory_equal(stored, again, sizeof stored);
    }
}

/* hone.matmul/1 against sums in double. */
static void test_products_for_plugins(void **state)
{
    (void)state;
    enum { M = 19, N = 37, K = 41 };
    hone_ref ref;
    assert_ok(hone_registry_offered(shipped(), HONE_IFACE_MATMUL, &ref));
    const hone_matmul_v1 *mm = ref.vt;
    static _Alignas(64) float x[M * K], w[N * K], panels[64 * K], y[M * N], back[M * K];
    void *scratch = aligned_alloc(64, (mm->scratch + 63) / 64 * 64);
    assert_non_null(scratch);
    for (size_t i = 0; i < M * K; i++)
        x[i] = wobble(i);
    for (size_t i = 0; i < N * K; i++)
        w[i] = wobble(i + 5000);
    mm->pack(ref.self, w, K, N, K, panels);
    hone_matmul p = {.struct_size = sizeof p,
                     .m = M,
                     .n = N,
                     .k = K,
                     .x = x,
                     .w = panels,
                     .y = y,
                     .ldx = K,
                     .ldy = N,
                     .scratch = scratch,
                     .alpha = 2};
    mm->product_t(ref.self, &p);
    p.add = 1;
    p.alpha = -.5f;
    mm->product_t(ref.self, &p);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double want = 0;
            for (size_t k = 0; k < K; k++)
                want += 1.5 * (double)x[i * K + k] * (double)w[j * K + k];
            assert_true(fabs((double)y[i * N + j] - want) < 1e-5);
        }
    p = (hone_matmul){.struct_size = sizeof p,
                      .m = M,
                      .n = N,
                      .k = K,
                      .x = y,
                      .w = panels,
                      .y = back,
                      .ldx = N,
                      .ldy = K,
                      .scratch = scratch,
                      .alpha = 1};
    mm->product(ref.self, &p);
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < K; k++) {
            double want = 0;
            for (size_t j = 0; j < N; j++)
                want += (double)y[i * N + j] * (double)w[j * K + k];
            assert_true(fabs((double)back[i * K + k] - want) < 1e-4);
        }
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lion_follows_its_formula),
        cmocka_unit_test(test_schedule_free_follows_its_algorithm),
        cmocka_unit_test(test_schedule_free_stays_where_the_rate_is_zero),
        cmocka_unit_test(test_adam8bit_follows_its_formula),
        cmocka_unit_test(test_adam8bit_keeps_a_byte_an_element),
        cmocka_unit_test(test_adafactor_follows_its_algorithms),
        cmocka_unit_test(test_adafactor_keeps_a_row_and_a_column),
        cmocka_unit_test(test_muon_follows_its_formula),
        cmocka_unit_test(test_muon_has_adamw_for_what_is_no_matrix),
        cmocka_unit_test(test_any_cut_between_panels_gives_equal_bits),
        cmocka_unit_test(test_zero_and_huge_gradients_stay_finite),
        cmocka_unit_test(test_slices_that_are_none_are_refused),
        cmocka_unit_test(test_a_state_that_cannot_be_is_refused),
        cmocka_unit_test(test_state_goes_into_rows_and_back),
        cmocka_unit_test(test_products_for_plugins),
    };
    hone_registry_on_open(hone_matmul_offer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
