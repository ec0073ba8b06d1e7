/* rollout_spread.c - how rewards and lengths of a rollout spread within its groups: what alarms are made of.
 *
 * An advantage is what is left of a reward when its group's mean is taken off; so these are the sums that say what
 * a step learns from: nothing when the reward does not spread, length when both spread together, one component when
 * the others' part is nothing beside its. The entropy is the Monte Carlo estimate by the tokens that were drawn
 * (for sampling that leaves tokens out by top_p and the like, a lower bound of it on average). */
#include "train/rollout.h"

#include "base/alloc.h"

#include <math.h>

/* The weighted reward of a sample, NAN where a part of it has no score. */
static double reward_of(const hone_rollout *r, size_t i)
{
    double sum = 0;
    for (size_t c = 0; c < r->n_components; c++) {
        if (r->watch[c] || r->weight[c] == 0)
            continue;
        if (r->results[c * r->n_samples + i].status != HONE_SCORE)
            return (double)NAN;
        sum += r->weight[c] * hone__rollout_counted(r, c, i);
    }
    return sum;
}

/* Of the samples [from, to) of a group: sums around their means of x and y, where y is a number. */
static double products(const double *x, const double *y, const double *valid, size_t from,
                       size_t to)
{
    double n = 0, mx = 0, my = 0, sum = 0;
    for (size_t i = from; i < to; i++) {
        if (isnan(valid[i]))
            continue;
        n++;
        mx += x[i];
        my += y[i];
    }
    for (size_t i = from; n > 0 && i < to; i++)
        sum += isnan(valid[i]) ? 0 : (x[i] - mx / n) * (y[i] - my / n);
    return sum;
}

/* The sum of squares of the samples [from, to) as if the reward were component c alone. */
static double alone(const hone_rollout *r, size_t c, const double *reward, size_t from, size_t to,
                    double *one)
{
    if (r->watch[c] || r->weight[c] == 0)
        return 0;
    for (size_t i = from; i < to; i++)
        one[i] = isnan(reward[i]) ? 0 : r->weight[c] * hone__rollout_counted(r, c, i);
    return products(one, one, reward, from, to);
}

hone_status hone_rollout_spread_get(const hone_rollout *r, hone_rollout_spread *out,
                                    hone_rollout_part *part)
{
    const size_t n = r->n_samples;
    hone_rollout_spread s = {0};
    double *reward = hone_calloc(3 * n + r->n_components + 1, sizeof *reward);
    if (!reward)
        return HONE_E_NOMEM;
    double *length = reward + n, *one = length + n, *own = one + n;
    for (size_t i = 0; i < n; i++) {
        const hone_rollout_sample *x = &r->samples[i];
        reward[i] = reward_of(r, i);
        length[i] = (double)x->n_own;
        s.n += (double)x->n_own;
        for (size_t k = 0; k < x->n; k++)
            s.entropy -= x->mask && !x->mask[k] ? 0 : (double)x->full[k];
    }
    s.total = products(reward, reward, reward, 0, n);
    for (size_t g = 0; g < r->n_prompts; g++) {
        const size_t from = g * r->group_size, to = from + r->group_size;
        double scored = 0;
        for (size_t i = from; i < to; i++)
            scored += !isnan(reward[i]);
        s.df += scored > 1 ? scored - 1 : 0;
        s.length += products(length, length, reward, from, to);
        s.reward += products(reward, reward, reward, from, to);
        s.both += products(length, reward, reward, from, to);
    }
    for (size_t c = 0; c < r->n_components; c++)
        part[c] = (hone_rollout_part){0, 0, 0};
    for (size_t g = 0; g < r->n_prompts; g++) {
        const size_t from = g * r->group_size, to = from + r->group_size;
        double all = 0;
        for (size_t c = 0; c < r->n_components; c++) {
            own[c] = alone(r, c, reward, from, to, one);
            all += own[c];
        }
        for (size_t c = 0; c < r->n_components; c++) {
            part[c].own += own[c];
            part[c].all += own[c] > 0 ? all : 0;
            part[c].groups += own[c] > 0;
        }
    }
    hone_free(reward);
    *out = s;
    return HONE_OK;
}
