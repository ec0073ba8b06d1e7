/* estimates.c - see estimates.h. */
#include "train/estimates.h"

#include <math.h>
#include <string.h>

double hone__estimate_weight(const hone_metrics *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->items[i].name, name) == 0)
            return m->items[i].weight;
    }
    return 0;
}

void hone__estimate_mismatch(const hone__trained *t, hone_metrics *m)
{
    double sum = 0, max = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->n_seq; i++) {
        const float *full = t->seq[i]->full_logp;
        for (size_t k = t->seq_begin[i]; full && k < t->seq_begin[i + 1]; k++) {
            double d = fabs(t->logp[k] - (double)full[t->tok[k]]);
            sum += d;
            max = d > max || isnan(d) ? d : max;
            n++;
        }
    }
    if (n) {
        hone_metrics_add(m, "mismatch/mean", HONE_METRIC_MEAN, sum / (double)n, (double)n);
        hone_metrics_add(m, "mismatch/max", HONE_METRIC_MAX, max, 1);
    }
}

void hone__estimate_policy(const hone__trained *t, int ratio, int kl, hone_metrics *m)
{
    double n = 0, r = 0, r2 = 0, lo = INFINITY, hi = -INFINITY, k1 = 0, k3 = 0;
    for (size_t i = 0; i < t->n_seq; i++) {
        const float *full = t->seq[i]->full_logp;
        for (size_t k = t->seq_begin[i]; full && k < t->seq_begin[i + 1]; k++) {
            const double x = t->logp[k] - (double)full[t->tok[k]], e = exp(x);
            n++;
            r += e;
            r2 += e * e;
            lo = e < lo || isnan(e) ? e : lo;
            hi = e > hi || isnan(e) ? e : hi;
            k1 -= x;
            k3 += e - 1 - x;
        }
    }
    if (n == 0)
        return;
    if (!ratio) {
        hone_metrics_add(m, "ratio/mean", HONE_METRIC_MEAN, r / n, n);
        hone_metrics_add(m, "ratio/min", HONE_METRIC_MIN, lo, 1);
        hone_metrics_add(m, "ratio/max", HONE_METRIC_MAX, hi, 1);
        hone_metrics_add(m, "ratio/ess", HONE_METRIC_MEAN, r2 > 0 ? r * r / (n * r2) : 0, n);
        hone_metrics_add(m, "clip/low", HONE_METRIC_MEAN, 0, n);
        hone_metrics_add(m, "clip/high", HONE_METRIC_MEAN, 0, n);
    }
    if (!kl) {
        hone_metrics_add(m, "kl/k1", HONE_METRIC_MEAN, k1 == 0 ? 0 : k1 / n, n); /* no -0 */
        hone_metrics_add(m, "kl/k3", HONE_METRIC_MEAN, k3 / n, n);
    }
}

void hone__estimate_lengths(const hone__trained *t, hone_metrics *m)
{
    double sum = 0, tokens = 0;
    for (size_t i = 0; i < t->n_seq; i++) {
        const double n = (double)(t->scored ? t->seq[i]->n : t->seq_begin[i + 1] - t->seq_begin[i]);
        if (t->seq[i]->full_logp)
            continue;
        hone_metrics_add(m, "length/mean", HONE_METRIC_MEAN, n, 1);
        hone_metrics_add(m, "length/min", HONE_METRIC_MIN, n, 1);
        hone_metrics_add(m, "length/max", HONE_METRIC_MAX, n, 1);
        hone_metrics_add(m, "length/truncated", HONE_METRIC_MEAN, t->seq[i]->truncated != 0, 1);
        for (size_t k = t->seq_begin[i]; t->entropy && k < t->seq_begin[i + 1]; k++, tokens++)
            sum += t->entropy[k];
    }
    if (tokens > 0)
        hone_metrics_add(m, "entropy", HONE_METRIC_MEAN, sum / tokens, tokens);
}
