/* replay.h - recorded samples seen with other rewards, advantages or objectives than they were trained with.
 *
 * A step of rollouts.jsonl.zst is read back into groups; whoever scores it puts outcomes beside its samples; two sides, each an
 * advantage method (or the recorded advantages) and an objective, are then compared: how advantages go together, which
 * changed their sign, and what the gradient with respect to the log-probs would have been, at the log-probs that were
 * recorded (so at ratio 1, where an update begins). No model is needed. What rollouts do not hold is not made up: the
 * reference is taken to be the policy itself (KL terms give no gradient), and objectives over pairs, values, teachers or
 * whole distributions are refused. */
#ifndef HONE_CORE_TRAIN_REPLAY_H
#define HONE_CORE_TRAIN_REPLAY_H
#include "base/arena.h"
#include "host/registry.h"
#include "hone/objective.h"
#include "hone/reward.h"

enum { HONE_REPLAY_REWARDS = 32 };

/* One line of rollouts.jsonl.zst. Memory in an arena. */
typedef struct hone_replay_sample {
    int64_t step, sample, group;
    hone_str prompt, completion;
    uint32_t finish; /* HONE_FINISH_*, 0: unknown */
    hone_value row, outcomes;
    const int32_t *ids;
    const float *logprobs; /* (n) */
    const uint8_t
        *mask; /* (n): 1 = the policy's own, 0 = what an environment said; NULL = all its own */
    size_t n;
    uint32_t turns;           /* 0: no episode */
    double reward, advantage; /* NAN where there was none */
    int left_out;
} hone_replay_sample;

/* Reads a line. E_PARSE or E_TYPE for anything that is none: numbers out of range, more ids than log-probs. */
hone_status hone_replay_read(hone_str line, hone_arena *arena, hone_replay_sample *out);
/* The recorded outcome of a component: 1 and *score, or 0 without one. */
int hone_replay_outcome(const hone_replay_sample *s, const char *id, double *score);
/* As rewards see it; columns and messages in the arena. */
hone_status hone_replay_view(const hone_replay_sample *s, hone_arena *arena, hone_sample *out);

/* The samples of one step; groups one after another. */
typedef struct hone_replay_step {
    int64_t step;
    const hone_replay_sample *samples;
    size_t n;
    uint32_t *group; /* (n) 0, 1, ...: samples of one prompt */
    size_t n_groups;
    /* (n_rewards, n): what counts now */
    size_t n_rewards;
    double *rewards;
    uint8_t *scored;
    const double *weights;
} hone_replay_step;
/* group of each sample: a new one where the recorded number or the prompt changes. */
void hone_replay_groups(hone_replay_step *s);

/* One side of the comparison. */
typedef struct hone_replay_side {
    hone_instance *advantage; /* NULL: the recorded advantages */
    const hone_advantage_v1 *advantage_vt;
    void *advantage_self;
    hone_instance *objective;
    const hone_objective_v1 *objective_vt;
    void *objective_self;
    double max_length; /* longest completion allowed, 0: unknown */
} hone_replay_side;
/* What a side gives for a step, in `arena`. */
typedef struct hone_replay_result {
    double *reward;    /* (n) weighted, NAN where the sample left its group */
    double *advantage; /* (n) the mean over its tokens where the method is per token */
    uint8_t *left_out;
    double *grad; /* d loss / d log-prob, all tokens one after another */
    size_t n_tokens;
    double loss;
} hone_replay_result;
/* E_INVALID when the objective asks for what rollouts do not hold. [control-thread] */
hone_status hone_replay_compute(const hone_replay_step *s, const hone_replay_side *side,
                                hone_arena *arena, hone_replay_result *out);
/* E_INVALID with the reason, before anything is read. */
hone_status hone_replay_check(const hone_replay_side *side, const char *name);

/* Sums over samples, so that steps add up. */
typedef struct hone_replay_sums {
    double n, x, y, xx, yy, xy; /* pairs of numbers */
} hone_replay_sums;
void hone_replay_pair(hone_replay_sums *s, double x,
                      double y);                           /* left out when either is no number */
double hone_replay_correlation(const hone_replay_sums *s); /* NAN: none to tell */

typedef struct hone_replay_compared {
    size_t samples, groups;
    hone_replay_sums reward, advantage;
    size_t flipped, gained,
        lost; /* advantages whose sign is the other; that were 0; that are 0 now */
    size_t equal_was, equal_now; /* groups whose advantages are all 0 */
    size_t out_was, out_now;     /* samples that left their group */
    double dot, was, now;        /* of the gradients: product, squares of their norms */
} hone_replay_compared;
/* Adds a step to *c. */
void hone_replay_compare(const hone_replay_step *s, const hone_replay_result *was,
                         const hone_replay_result *now, hone_replay_compared *c);
void hone_replay_add(hone_replay_compared *to, const hone_replay_compared *more);
#endif
