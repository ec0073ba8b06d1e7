/* fuzz_replay.c - any bytes as lines of recorded rollouts: a sample is read whole or refused, and every sum over what was read is
 * of its own samples.
 *
 * The samples of an input are one step. It is shown to a reward, seen from a side that has another advantage (rewards less the
 * first of them) and from the recorded one, and compared. */
#include "train/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { SAMPLES = 64 };

static volatile unsigned sum; /* what was read is looked at */
static void look_at(const hone_replay_sample *x, hone_arena *a)
{
    hone_sample seen;
    double score;
    for (size_t k = 0; k < x->n; k++) {
        MUST(x->ids[k] >= 0 && x->logprobs[k] <= 0.0011f);
        sum += (unsigned)x->ids[k];
    }
    for (size_t k = 0; k < x->completion.len; k++)
        sum += (unsigned char)x->completion.ptr[k];
    if (hone_replay_outcome(x, "exact", &score))
        sum += score > 0;
    if (hone_replay_view(x, a, &seen) >= 0) {
        MUST(seen.n_tokens == x->n && seen.completion.len == x->completion.len);
        for (size_t k = 0; k < seen.n_columns; k++)
            sum += (unsigned)seen.columns[k].name.len;
    }
}

/* As a side gives it, from a component that takes any numbers. */
static void side(const hone_replay_step *s, int recorded, hone_arena *a, hone_replay_result *r)
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < s->n; i++)
        r->n_tokens += s->samples[i].n;
    r->reward = hone_arena_calloc(a, s->n + 1, sizeof *r->reward);
    r->advantage = hone_arena_calloc(a, s->n + 1, sizeof *r->advantage);
    r->left_out = hone_arena_calloc(a, s->n + 1, 1);
    r->grad = hone_arena_calloc(a, r->n_tokens + 1, sizeof *r->grad);
    MUST(r->reward && r->advantage && r->left_out && r->grad);
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        const hone_replay_sample *x = &s->samples[i];
        r->reward[i] = x->reward;
        r->advantage[i] = recorded ? x->advantage : x->reward - s->samples[0].reward;
        r->left_out[i] = (uint8_t)(x->left_out || isnan(r->advantage[i]));
        for (size_t k = 0; k < x->n; k++)
            r->grad[at++] = r->left_out[i] ? 0 : r->advantage[i];
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static hone_replay_sample samples[SAMPLES];
    static uint32_t group[SAMPLES];
    hone_arena a;
    hone_replay_step s = {.samples = samples, .group = group};
    hone_replay_result was, now;
    hone_replay_compared one = {0}, all = {0};
    hone_arena_init(&a, (size_t)256 << 20);
    for (size_t at = 0; at < size && s.n < SAMPLES;) {
        const unsigned char *nl = memchr(data + at, '\n', size - at);
        const size_t n = nl ? (size_t)(nl - (data + at)) : size - at;
        char *copy = hone_arena_calloc(&a, n + 1, 1);
        MUST(copy);
        memcpy(copy, data + at, n);
        const hone_replay_sample before = samples[s.n];
        if (hone_replay_read((hone_str){copy, n}, &a, &samples[s.n]) >= 0)
            look_at(&samples[s.n++], &a);
        else
            MUST(memcmp(&before, &samples[s.n], sizeof before) == 0);
        at += n + 1;
    }
    hone_replay_groups(&s);
    MUST(s.n_groups <= s.n && (s.n == 0) == (s.n_groups == 0));
    for (size_t i = 0; i < s.n; i++)
        MUST(group[i] == (i ? group[i - 1] : 0) || (i && group[i] == group[i - 1] + 1));
    side(&s, 1, &a, &was);
    side(&s, 0, &a, &now);
    hone_replay_compare(&s, &was, &now, &one);
    hone_replay_add(&all, &one);
    hone_replay_add(&all, &one);
    MUST(one.samples == s.n && one.groups == s.n_groups && all.samples == 2 * s.n);
    MUST(one.flipped + one.gained + one.lost <= s.n && one.equal_was <= s.n_groups);
    const double r = hone_replay_correlation(&one.advantage);
    MUST(isnan(r) || (r >= -1 && r <= 1));
    hone_arena_release(&a);
    return 0;
}
