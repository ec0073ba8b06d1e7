/* test.c - @name@ under the SDK's test host. */
#include "hone/testing.h"

enum { N = 5 };
static const float grad[N] = {1, -2, 0, .5f, -.25f};

/* Two steps over the elements [from, to) of p and m. */
static void steps(hone_test *t, const hone_optimizer_v1 *o, float *p, float *m, size_t from,
                  size_t to)
{
    for (uint64_t k = 1; k <= 2; k++) {
        hone_opt_slice s = {.param = p + from,
                            .grad = grad + from,
                            .state = {m + from},
                            .length = to - from,
                            .lr = .1,
                            .weight_decay = .5};
        hone_opt_info info = {sizeof info, 0, k, 1, 1};
        HONE_CHECK(o->step(t->self, &s, 1, sizeof s, &info) == HONE_OK);
    }
}

int main(void)
{
    hone_test t;
    if (!hone_test_begin(&t, "@name@", NULL))
        return hone_test_result();
    const hone_optimizer_v1 *o = hone_test_iface(&t, HONE_IFACE_OPTIMIZER);
    if (!HONE_CHECK(o != NULL))
        return hone_test_result();
    hone_opt_param param = {.struct_size = sizeof param, .rows = N};
    hone_opt_state_spec spec = {.struct_size = sizeof spec};
    HONE_CHECK(o->state_spec(t.self, &param, &spec) == HONE_OK && spec.n_buffers == 1);
    float p[N] = {1, 1, 1, 1, 1}, m[N] = {0}, q[N] = {1, 1, 1, 1, 1}, mq[N] = {0};
    steps(&t, o, p, m, 0, N);
    HONE_CHECK(p[0] < .71f && p[0] > .70f); /* (1 * .95 - .1) * .95 - .1 */
    HONE_CHECK(p[2] < .91f && p[2] > .90f); /* no gradient: only the decay */
    HONE_CHECK(p[1] > 1);                   /* against the gradient */
    steps(&t, o, q, mq, 0, 2);              /* any cut gives the same bits */
    steps(&t, o, q, mq, 2, N);
    HONE_CHECK(memcmp(p, q, sizeof p) == 0 && memcmp(m, mq, sizeof m) == 0);
    hone_test_end(&t);
    return hone_test_result();
}
