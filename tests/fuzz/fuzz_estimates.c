/* fuzz_estimates.c - any numbers as log-probs of a step: what is told of them keeps its bounds, and nothing is told of what
 * was not sampled.
 *
 * The input: for each sequence its length and whether it was sampled, then for each token two numbers of 16 bits; a few of them
 * stand for what is no number or has no end. */
#include "train/estimates.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { SEQS = 8, TOKENS = 256 };

static double number(const unsigned char *p)
{
    const unsigned v = (unsigned)(p[0] | p[1] << 8);
    switch (v) {
    case 0xffff:
        return (double)NAN;
    case 0xfffe:
        return -(double)INFINITY;
    case 0xfffd:
        return 1e300;
    case 0xfffc:
        return -1e300;
    default:
        return -(double)v / 1024;
    }
}

static int has(const hone_metrics *m, const char *name)
{
    return hone__estimate_weight(m, name) > 0;
}

static double value(const hone_metrics *m, const char *name)
{
    double v = 0;
    MUST(hone_metrics_get(m, name, &v));
    return v;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static hone_train_seq seq[SEQS];
    static const hone_train_seq *list[SEQS];
    static float full[SEQS][TOKENS];
    static size_t begin[SEQS + 1], tok[TOKENS];
    static double logp[TOKENS];
    hone__trained t = {.seq = list, .seq_begin = begin, .tok = tok, .logp = logp};
    size_t n = 0, at = 0, sampled = 0;
    int plain = 1; /* nothing but finite numbers of a size that e^x takes */
    while (at < size && t.n_seq < SEQS) {
        const size_t len = data[at] % 32;
        hone_train_seq *s = &seq[t.n_seq];
        memset(s, 0, sizeof *s);
        list[t.n_seq] = s;
        s->full_logp = data[at++] & 128 ? full[t.n_seq] : NULL;
        begin[t.n_seq] = n;
        for (size_t k = 0; k < len && n < TOKENS && at + 4 <= size; k++, at += 4) {
            tok[n] = len - 1 - k;
            logp[n] = number(data + at);
            full[t.n_seq][tok[n]] = (float)number(data + at + 2);
            const double x = logp[n] - (double)full[t.n_seq][tok[n]];
            plain &= !s->full_logp || fabs(x) < 100;
            sampled += s->full_logp != NULL;
            n++;
        }
        begin[++t.n_seq] = n;
    }
    hone_metrics m, none;
    hone_metrics_init(&m);
    hone_metrics_init(&none);
    hone__estimate_mismatch(&t, &m);
    hone__estimate_policy(&t, 0, 0, &m);
    hone__estimate_lengths(&t, &m);
    MUST(has(&m, "ratio/mean") == (sampled > 0));
    MUST(has(&m, "mismatch/mean") == (sampled > 0));
    if (sampled && plain) {
        const double mean = value(&m, "ratio/mean"), ess = value(&m, "ratio/ess");
        MUST(value(&m, "ratio/min") <= mean * (1 + 1e-12));
        MUST(mean <= value(&m, "ratio/max") * (1 + 1e-12));
        MUST(ess > 0 && ess <= 1 + 1e-12);
        MUST(value(&m, "kl/k3") >= -1e-9 && isfinite(value(&m, "kl/k1")));
        MUST(value(&m, "mismatch/mean") <= value(&m, "mismatch/max") * (1 + 1e-12));
    }
    if (sampled && isnan(value(&m, "kl/k1"))) /* no bound is told as if it were not there */
        MUST(isnan(value(&m, "mismatch/max")) || isinf(value(&m, "mismatch/max")));
    if (has(&m, "length/mean"))
        MUST(value(&m, "length/min") <= value(&m, "length/max"));
    hone__estimate_policy(&t, 1, 1, &none); /* the objective told it all */
    MUST(none.n == 0);
    hone_metrics_release(&none);
    hone_metrics_release(&m);
    return 0;
}
