/* adamw and sgd: against PyTorch, against their formulas in double; with lion: any cut gives equal bits. */
#include "optimizer_rig.h"

#include "nn/safetensors.h"

static void one_step(const rig *r, float *p, const float *g, float *a, float *b, size_t n,
                     double lr, double wd, uint64_t step, double scale)
{
    hone_opt_slice s = {
        .param = p, .grad = g, .state = {a, b}, .length = n, .lr = lr, .weight_decay = wd};
    hone_opt_info info = {.struct_size = sizeof info, .step = step, .grad_scale = scale};
    hone_instance_enter(r->inst);
    assert_ok(
        hone_instance_leave(r->inst, "step", r->vt->step(r->ref.self, &s, 1, sizeof s, &info)));
}

static void test_adamw_equals_pytorch_over_1000_steps(void **state)
{
    (void)state;
    const char *path = shared_path("assets/reference/torch-cs336-a1/adamw.safetensors");
    hone_safetensors st;
    if (!path)
        skip_without("assets/reference/torch-cs336-a1/adamw.safetensors");
    assert_ok(hone_safetensors_open(&st, path));
    const hone_file_tensor *w0 = hone_safetensors_find(&st, hone_str_c("w0"));
    const hone_file_tensor *xs = hone_safetensors_find(&st, hone_str_c("x"));
    const hone_file_tensor *want = hone_safetensors_find(&st, hone_str_c("expected"));
    rig r = open_optimizer("adamw", NULL);
    float w[6], g[6], m[6] = {0}, v[6] = {0}, x[3000], end[6];
    memcpy(w, w0->data, sizeof w);
    memcpy(x, xs->data, sizeof x);
    memcpy(end, want->data, sizeof end);
    for (size_t k = 0; k < 1000; k++) { /* loss = |y - W x|^2, y = [x0 + x1, -x2] */
        const float *xk = x + 3 * k;
        float y[2] = {xk[0] + xk[1], -xk[2]};
        for (size_t i = 0; i < 2; i++) {
            float e = y[i] - (w[3 * i] * xk[0] + w[3 * i + 1] * xk[1] + w[3 * i + 2] * xk[2]);
            for (size_t j = 0; j < 3; j++)
                g[3 * i + j] = -2 * e * xk[j];
        }
        one_step(&r, w, g, m, v, 6, 1e-3, 0.01, k + 1, 1);
    }
    for (size_t i = 0; i < 6; i++)
        assert_true(fabs((double)w[i] - (double)end[i]) < 1e-4);
    hone_instance_unref(r.inst);
    hone_safetensors_release(&st);
}

static void test_adamw_follows_its_formula(void **state)
{
    (void)state;
    rig r = open_optimizer("adamw", "{\"beta1\":0.8,\"beta2\":0.95,\"eps\":1e-3}");
    float p = 0.7f, m = 0, v = 0;
    double P = (double)0.7f, M = 0, V = 0;
    for (uint64_t t = 1; t <= 20; t++) {
        float g = wobble(t);
        double G = 0.5 * (double)g; /* grad_scale .5 */
        one_step(&r, &p, &g, &m, &v, 1, 0.05, 0.1, t, 0.5);
        P -= 0.05 * 0.1 * P;
        M = 0.8 * M + 0.2 * G;
        V = 0.95 * V + 0.05 * G * G;
        P -= 0.05 * (M / (1 - pow(0.8, (double)t))) / (sqrt(V / (1 - pow(0.95, (double)t))) + 1e-3);
        assert_true(fabs((double)p - P) < 2e-6);
    }
    hone_instance_unref(r.inst);
}

static void test_sgd_follows_its_formula(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        double momentum, dampening;
        int nesterov;
    } cases[] = {{NULL, 0, 0, 0},
                 {"{\"momentum\":0.9}", .9, 0, 0},
                 {"{\"momentum\":0.9,\"dampening\":0.5}", .9, .5, 0},
                 {"{\"momentum\":0.9,\"nesterov\":true}", .9, 0, 1}};
    for (size_t c = 0; c < 4; c++) {
        rig r = open_optimizer("sgd", cases[c].settings);
        hone_opt_param one = {.struct_size = sizeof one, .rows = 1};
        hone_opt_state_spec spec = {.struct_size = sizeof spec};
        float p = 0.7f, buf = 0;
        double P = (double)0.7f, B = 0;
        assert_ok(r.vt->state_spec(r.ref.self, &one, &spec));
        assert_int_equal(spec.n_buffers, cases[c].momentum != 0);
        for (uint64_t t = 1; t <= 20; t++) {
            float g = wobble(t);
            double G = (double)g + 0.1 * P;
            one_step(&r, &p, &g, spec.n_buffers ? &buf : NULL, NULL, 1, 0.05, 0.1, t, 1);
            B = t == 1 ? G : cases[c].momentum * B + (1 - cases[c].dampening) * G;
            P -= 0.05 * (cases[c].momentum == 0 ? G
                         : cases[c].nesterov    ? G + cases[c].momentum * B
                                                : B);
            assert_true(fabs((double)p - P) < 1e-6);
        }
        hone_instance_unref(r.inst);
    }
    hone_instance *inst;
    assert_fails(try_component("org.hone.optimizer.sgd", "{\"nesterov\":true}", &inst),
                 HONE_E_INVALID, "nesterov");
}

/* Slices of every length and alignment must give what one slice gives: a vector loop has a tail. */
static void test_any_cut_gives_equal_bits(void **state)
{
    (void)state;
    enum { N = 1021 };
    static const char *const names[] = {"adamw", "sgd", "lion"},
                             *const settings[] = {NULL, "{\"momentum\":0.9,\"nesterov\":true}",
                                                  NULL};
    static float p[2][N], g[N], m[2][N], v[2][N];
    for (size_t k = 0; k < 3; k++) {
        rig r = open_optimizer(names[k], settings[k]);
        memset(m, 0, sizeof m);
        memset(v, 0, sizeof v);
        for (size_t i = 0; i < N; i++)
            p[0][i] = p[1][i] = wobble(i + 7);
        for (uint64_t t = 1; t <= 3; t++) {
            for (size_t i = 0; i < N; i++)
                g[i] = wobble(i * t + 3);
            one_step(&r, p[0], g, m[0], v[0], N, 0.01, 0.1, t, 0.3);
            for (size_t at = 0, cut = 1; at < N; at += cut, cut = cut % 37 + 1) {
                size_t n = at + cut < N ? cut : N - at;
                one_step(&r, p[1] + at, g + at, m[1] + at, v[1] + at, n, 0.01, 0.1, t, 0.3);
            }
        }
        assert_memory_equal(p[0], p[1], sizeof p[0]);
        assert_memory_equal(m[0], m[1], sizeof m[0]);
        assert_memory_equal(v[0], v[1], sizeof v[0]);
        hone_instance_unref(r.inst);
    }
}

static void test_zero_and_huge_gradients_stay_finite(void **state)
{
    (void)state;
    rig r = open_optimizer("adamw", NULL);
    float p[2] = {1, 1}, g[2] = {0, 1e18f}, m[2] = {0}, v[2] = {0};
    one_step(&r, p, g, m, v, 2, 0.1, 0, 1, 1);
    assert_true(p[0] == 1);
    assert_true(isfinite(p[1]) && fabsf(p[1] - 0.9f) < 1e-5f);
    hone_instance_unref(r.inst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw_equals_pytorch_over_1000_steps),
        cmocka_unit_test(test_adamw_follows_its_formula),
        cmocka_unit_test(test_sgd_follows_its_formula),
        cmocka_unit_test(test_any_cut_gives_equal_bits),
        cmocka_unit_test(test_zero_and_huge_gradients_stay_finite),
    };
    hone_registry_on_open(hone_matmul_offer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
