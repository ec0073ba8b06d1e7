/* sample.c - the rules of sample.h.
 *
 * Without truncation the inverse of the cumulative sum in id order is taken, summed in double by runs of ids, so
 * no sort is needed. With top-k, top-p or min-p candidates leave a heap in order of falling probability (ties: the
 * lower id first) until the rule is met. */
#include "gen/sample.h"

#include "base/math64.h"
#include "ops/kern/rows.h"

#include <math.h>
#include <string.h>

hone_status hone_sample_rule_check(const hone_sample_rule *r)
{
    if (!r->greedy && !(r->temperature > 0 && r->temperature <= 100))
        return hone_fail(HONE_E_RANGE, "temperature %g: must be above 0 and at most 100",
                         r->temperature);
    if (r->top_k < 0)
        return hone_fail(HONE_E_RANGE, "top_k %d: must not be negative", r->top_k);
    if (!(r->top_p > 0 && r->top_p <= 1))
        return hone_fail(HONE_E_RANGE, "top_p %g: must be above 0 and at most 1", r->top_p);
    if (!(r->min_p >= 0 && r->min_p < 1))
        return hone_fail(HONE_E_RANGE, "min_p %g: must be at least 0 and below 1", r->min_p);
    if (!(r->repetition_penalty > 0 && r->repetition_penalty <= 100))
        return hone_fail(HONE_E_RANGE, "repetition_penalty %g: must be above 0",
                         r->repetition_penalty);
    return HONE_OK;
}

static const float *penalise(const hone_sample_rule *r, const float *logits, int64_t n,
                             const int32_t *seen, size_t n_seen, float *copy)
{
    if (r->repetition_penalty == 1 || n_seen == 0)
        return logits;
    float p = (float)r->repetition_penalty;
    memcpy(copy, logits, (size_t)n * sizeof *copy);
    for (size_t i = 0; i < n_seen; i++) {
        if (seen[i] >= 0 &&
            seen[i] < n) /* from the unpenalised row: a token seen twice counts once */
            copy[seen[i]] = logits[seen[i]] > 0 ? logits[seen[i]] / p : logits[seen[i]] * p;
    }
    return copy;
}

static int before(const float *p, int32_t a, int32_t b)
{
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sift(const float *p, int32_t *heap, int64_t n, int64_t i)
{
    for (;;) {
        int64_t l = 2 * i + 1, best = i;
        if (l < n && before(p, heap[l], heap[best]))
            best = l;
        if (l + 1 < n && before(p, heap[l + 1], heap[best]))
            best = l + 1;
        if (best == i)
            return;
        int32_t t = heap[i];
        heap[i] = heap[best];
        heap[best] = t;
        i = best;
    }
}

/* Keeps the likeliest candidates at the end of `heap`, likeliest last; returns how many. p: unnormalised. */
static int64_t truncate_set(const hone_sample_rule *r, const float *p, int64_t n, double total,
                            int32_t *heap)
{
    int64_t left = n, kept = 0;
    double mass = 0;
    for (int64_t i = 0; i < n; i++)
        heap[i] = (int32_t)i;
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sift(p, heap, n, i);
    float first = p[heap[0]];
    while (left > 0) {
        int32_t id = heap[0];
        if (kept > 0 && ((r->top_k > 0 && kept >= r->top_k) || mass >= r->top_p * total ||
                         (double)p[id] < r->min_p * (double)first))
            break;
        mass += (double)p[id];
        kept++;
        heap[0] = heap[--left];
        sift(p, heap, left, 0);
        heap[left] = id;
    }
    memmove(heap, heap + left, (size_t)kept * sizeof *heap);
    return kept;
}

/* Sums of probabilities go by runs of 256 ids, each as eight running sums: one addition need not wait for another. */
enum { RUN = 256 };
static double run_of(const float *p, int64_t n)
{
    double s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += (double)p[i + j];
    for (; i < n; i++)
        s[i % 8] += (double)p[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static double sum_of(const float *p, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += RUN)
        total += run_of(p + i, n - i < RUN ? n - i : RUN);
    return total;
}

/* The first id of the run where the sum passes `at`, or of the last run; *sum: of what lies before, *id: the last one of
 * that with a probability. */
static int64_t skip(const float *p, int64_t n, double at, double *sum, int32_t *id)
{
    int64_t i = 0;
    for (; i + RUN < n; i += RUN) {
        const double next = *sum + run_of(p + i, RUN);
        if (next > at)
            break;
        *sum = next;
    }
    for (int64_t j = i - 1; j >= 0 && *id < 0; j--)
        if (p[j] > 0)
            *id = (int32_t)j;
    return i;
}

hone_status hone_sample_choose(const hone_sample_rule *r, const float *logits, int64_t n,
                               const int32_t *seen, size_t n_seen, double u, float *work,
                               hone_choice *out)
{
    const hone_rows_kernels *k = HONE_KERNEL_PICK(rows);
    float inv_t = r->greedy ? 1.0f : (float)(1.0 / r->temperature);
    const float *z = penalise(r, logits, n, seen, n_seen, work);
    float lse = k->row_lse(logits, n, inv_t, NULL);
    if (!isfinite(lse))
        return hone_fail(HONE_E_FAIL, "the model's logits are not finite");
    if (r->greedy) {
        int64_t best = k->row_argmax(z, n);
        if (best < 0)
            return hone_fail(HONE_E_FAIL, "the model's logits are not numbers");
        out->id = (int32_t)best;
        out->full = logits[best] * inv_t - lse;
        out->logprob = out->full;
        return HONE_OK;
    }
    float *p = work + n;
    int32_t *heap = (int32_t *)(void *)(work + 2 * n);
    k->row_softmax(z, n, inv_t, z == logits ? lse : k->row_lse(z, n, inv_t, NULL), p);
    int truncated = r->top_k > 0 || r->top_p < 1 || r->min_p > 0;
    double total = sum_of(p, n);
    int64_t kept = n, from = 0;
    if (truncated) {
        kept = truncate_set(r, p, n, total, heap);
        total = 0;
        for (int64_t i = 0; i < kept; i++)
            total += (double)p[heap[i]];
    }
    double at = u * total, sum = 0;
    int32_t id = -1;
    if (!truncated)
        from = skip(p, n, at, &sum, &id);
    for (int64_t i = from; i < kept; i++) {
        int32_t c = truncated ? heap[i] : (int32_t)i;
        if (p[c] <= 0)
            continue;
        sum += (double)p[c];
        id = c; /* rounding may leave `at` beyond the last sum: then the last candidate is it */
        if (sum > at)
            break;
    }
    if (id < 0)
        return hone_fail(HONE_E_FAIL, "the model's distribution is empty");
    out->id = id;
    out->full = logits[id] * inv_t - lse;
    out->logprob = truncated || z != logits ? (float)hone_math_log((double)p[id] / total)
                                            : out->full;
    return HONE_OK;
}

hone_status hone_sample_candidates(const hone_sample_rule *r, const float *logits, int64_t n,
                                   const int32_t *seen, size_t n_seen, int64_t max, float *work,
                                   int32_t *ids, double *share, int64_t *count)
{
    const hone_rows_kernels *k = HONE_KERNEL_PICK(rows);
    hone_sample_rule rule = *r;
    float inv_t = r->greedy ? 1.0f : (float)(1.0 / r->temperature);
    const float *z = penalise(r, logits, n, seen, n_seen, work);
    float lse = k->row_lse(z, n, inv_t, NULL), *p = work + n;
    int32_t *heap = (int32_t *)(void *)(work + 2 * n);
    if (!isfinite(lse))
        return hone_fail(HONE_E_FAIL, "the model's logits are not finite");
    k->row_softmax(z, n, inv_t, lse, p);
    if (rule.top_k <= 0 || rule.top_k > max)
        rule.top_k = (int32_t)max;
    double total = sum_of(p, n), mass = 0;
    int64_t kept = truncate_set(&rule, p, n, total, heap);
    for (int64_t i = 0; i < kept; i++)
        mass += (double)p[heap[kept - 1 - i]];
    int64_t some = 0; /* what a grammar or the caller ruled out is no candidate */
    for (int64_t i = 0; i < kept; i++) {
        const int32_t id = heap[kept - 1 - i];
        if (z[id] == -INFINITY)
            continue;
        ids[some] = id;
        share[some++] = (double)p[id] / mass;
    }
    if (some == 0)
        return hone_fail(HONE_E_FAIL, "the model's distribution is empty");
    *count = some;
    return HONE_OK;
}

hone_status hone_sample_weighted(const hone_sample_rule *r, const double *weight, int64_t n,
                                 double u, int64_t *which, float *logprob)
{
    double total = 0, sum = 0;
    int64_t at = -1;
    for (int64_t i = 0; i < n; i++) {
        if (!(weight[i] >= 0) || !isfinite(weight[i]))
            return hone_fail(HONE_E_RANGE, "weight %lld is %g: a number from 0 on is wanted",
                             (long long)i + 1, weight[i]);
        total += weight[i];
    }
    if (!(total > 0) || !isfinite(total))
        return hone_fail(HONE_E_RANGE, "the weights add up to %g: one must be above 0", total);
    for (int64_t i = 0; i < n; i++) {
        if (weight[i] <= 0 || (r->greedy && at >= 0 && weight[i] <= weight[at]))
            continue;
        sum += weight[i];
        at = i; /* rounding may leave u beyond the last sum: then the last candidate is it */
        if (!r->greedy && sum > u * total)
            break;
    }
    *which = at;
    *logprob = (float)hone_math_log(weight[at] / total);
    return HONE_OK;
}

hone_status hone_sample_full(const hone_sample_rule *r, const float *logits, int64_t n, int32_t id,
                             float *out)
{
    float inv_t = r->greedy ? 1.0f : (float)(1.0 / r->temperature);
    float lse = HONE_KERNEL_PICK(rows)->row_lse(logits, n, inv_t, NULL);
    if (!isfinite(lse))
        return hone_fail(HONE_E_FAIL, "the model's logits are not finite");
    *out = logits[id] * inv_t - lse;
    return HONE_OK;
}
