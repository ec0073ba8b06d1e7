/* test.c - @name@ under the SDK's test host: the gradient is that of finite differences. */
#include "hone/testing.h"

enum { N = 4 };
static unsigned n_metrics;
static void metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                   double weight)
{
    (void)out;
    HONE_CHECK(name[0] && how == HONE_METRIC_MEAN && value >= 0 && value <= 1 && weight > 0);
    n_metrics++;
}

static double loss(hone_test *t, const double *logp, double *grad)
{
    const hone_objective_v1 *o = hone_test_iface(t, HONE_IFACE_OBJECTIVE);
    static const size_t begin[] = {0, N};
    static const double mask[N] = {1, 1, 0, .5}, length = 2.5;
    static const uint32_t group = 0;
    hone_objective_in in = {.struct_size = sizeof in,
                            .n_tokens = N,
                            .n_seqs = 1,
                            .seq_begin = begin,
                            .logp = logp,
                            .mask = mask,
                            .length = &length,
                            .group = &group,
                            .total_tokens = 2.5,
                            .total_seqs = 1};
    hone_objective_out out = {
        .struct_size = sizeof out, .grad_logp = grad, .metric = metric, .n_tokens = N};
    memset(grad, 0, N * sizeof *grad);
    if (HONE_CHECK(o != NULL))
        HONE_CHECK(o->loss(t->self, &in, &out) == HONE_OK);
    return out.loss;
}

int main(void)
{
    hone_test t;
    if (!hone_test_begin(&t, "@name@", NULL))
        return hone_test_result();
    double logp[N] = {-.1, -2, -.5, -1}, grad[N], other[N];
    HONE_CHECK(loss(&t, logp, grad) > 0);
    HONE_CHECK(n_metrics == 1);
    HONE_CHECK(grad[2] == 0); /* masked */
    for (size_t i = 0; i < N; i++) {
        const double x = logp[i], h = 1e-6;
        logp[i] = x + h;
        const double up = loss(&t, logp, other);
        logp[i] = x - h;
        const double slope = (up - loss(&t, logp, other)) / (2 * h), d = slope - grad[i];
        logp[i] = x;
        HONE_CHECK(d < 1e-6 && d > -1e-6);
    }
    hone_test_end(&t);
    return hone_test_result();
}
