/* rollout.h - the samples drawn in one step, with outcomes and advantages.
 *
 * Drawing: prompts are rendered and encoded, generated in one batch, and handed to the rewards as they finish.
 * Afterwards advantages turn outcomes into numbers; samples that a weighted reward could not score leave their
 * group (missing = "skip") and get no gradient. The whole rollout is written to rollouts.jsonl.zst and can be
 * replayed. (architecture.md, "One GRPO step, as data") */
#ifndef HONE_CORE_TRAIN_ROLLOUT_H
#define HONE_CORE_TRAIN_ROLLOUT_H
#include "hone/environment.h"
#include "score/score.h"
#include "train/update.h"

/* One prompt: `row` is the data row (a map) with `prompt` (text) or `messages` (a list); its other columns
 * travel with the samples. */
typedef struct hone_rollout_prompt {
    const hone_value *row;
    hone_str text; /* what the model was given, rendered */
    const int32_t *ids;
    size_t n_ids;
    hone_column *columns;
    size_t n_columns;
    const hone_message *messages;
    size_t n_messages;
    const hone_value *chat; /* the messages that went through the template, or NULL */
} hone_rollout_prompt;

typedef struct hone_rollout_sample {
    size_t prompt;
    const int32_t *ids;
    const float *logprob, *full;
    size_t n;
    hone_str text;
    uint32_t finish;
    double reward; /* weighted sum; NaN when the sample left its group */
    double advantage;
    double *token_advantage; /* n, or NULL */
    double *value, *returns; /* n: what a head said before each token, what it is to say; or NULL */
    int left_out;
    /* Of an episode: `ids` hold what the environment said too, with log-probs 0. */
    const uint8_t *mask; /* n: 1 = the policy's own; NULL = all */
    size_t n_own;        /* how many those are */
    uint32_t turns;      /* actions; 0: no episode */
    int done;            /* the environment ended it */
} hone_rollout_sample;

/* Whom the samples of a rollout play with, turn by turn. */
typedef struct hone_rollout_environment {
    hone_instance *instance; /* or NULL */
    const hone_environment_v1 *vt;
    void *self;
    const char *id; /* of its component among the outcomes */
    double weight;
    uint32_t turns;             /* at most */
    int32_t max_length;         /* ids of an episode behind its prompt, the environment's too */
    int32_t observation_tokens; /* of one answer */
    double timeout_s;           /* of one call */
} hone_rollout_environment;
/* What became of it. */
typedef struct hone_rollout_env {
    const char *id;
    double weight;
    hone_score_result *outcome; /* of each sample: the sum of its rewards */
    uint64_t observed;          /* ids of answers */
    double p50_ms, p95_ms;      /* of its calls */
} hone_rollout_env;

typedef struct hone_rollout {
    hone_arena arena;
    hone_rollout_prompt *prompts;
    hone_rollout_sample *samples; /* group after group */
    size_t n_prompts, n_samples;
    uint32_t group_size, has_advantages;
    const hone_policy *drawn_by; /* to be compared, not looked into: it may be gone */
    uint64_t version;            /* of that policy */
    uint64_t step, first_sample;
    double temperature;
    int32_t max_tokens;
    /* outcomes: n_components x n_samples */
    size_t n_components;
    char **component; /* ids */
    double *weight;
    uint8_t *watch; /* 1: for metrics and files alone; no part of rewards and advantages */
    hone_score_result *results;
    double *p50_ms, *p95_ms;
    uint64_t *cached, *retried; /* outcomes from the cache, calls tried again */
    /* What goes into rewards and advantages is (score - shift) * scale, at most `clip` from zero (0: any); the
     * outcomes stay as they are. */
    double *shift, *scale, *clip;
    hone_gen_stats gen;
    double generate_s, reward_s;
    hone_rollout_env *env; /* NULL: no environment; else its outcomes are the last component's */
} hone_rollout;

typedef struct hone_rollout_params {
    uint32_t n; /* samples a prompt */
    int32_t max_tokens;
    hone_sample_rule rule;
    uint64_t seed, step, first_sample;
    int raw; /* prompt text goes to the model as it is, without the chat template */
    const hone_str *stop_strings;
    size_t n_stop_strings;
    hone_scorer *scorer; /* or NULL: samples only */
    hone_journal *journal;
    double error_limit;
    uint32_t max_sequences;
    void *ctx;
    hone_status (*between)(void *ctx); /* between decode steps: progress, Lua */
    hone_status (*logits)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                          size_t n_ids, float *logits, int64_t n);
    /* as in hone_gen_params */
    hone_status (*weigh)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, const int32_t *candidates, double *weight, int64_t n);
    uint32_t candidates;
    hone_status (*stop)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids, size_t n_ids,
                        hone_str text);
    hone_grammar *grammar; /* what every completion keeps to; NULL: nothing. Borrowed */
    const hone_rollout_environment *environment; /* NULL: one turn, answered by nobody */
} hone_rollout_params;

/* rows: n_rows maps, copied. [control-thread] */
hone_status hone_rollout_draw(hone_policy *p, const hone_value *rows, size_t n_rows,
                              const hone_rollout_params *r, hone_rollout **out);
void hone_rollout_destroy(hone_rollout *r); /* NULL is allowed */
/* Scores (again) with other rewards: outcomes are replaced, advantages forgotten. */
hone_status hone_rollout_score(hone_rollout *r, hone_scorer *scorer, hone_journal *journal,
                               double error_limit);
/* From now on the score of component c counts as (score - shift) * scale. E_RANGE, E_INVALID (not finite). */
hone_status hone_rollout_normalize(hone_rollout *r, size_t c, double shift, double scale,
                                   double clip);
/* Replaces one outcome. E_RANGE, E_INVALID: a status or score that an outcome cannot have. */
hone_status hone_rollout_set_outcome(hone_rollout *r, size_t c, size_t sample, uint32_t status,
                                     float score);
/* What an advantage may read beside rewards; each NULL where it is not there. */
typedef struct hone_rollout_beside {
    const double *ref_logp; /* of all tokens, sample by sample: a reference's or teacher's */
    const double *baseline; /* of each sample (remax) */
    const double *value;    /* of all tokens: what a head of one number says before each (gae) */
} hone_rollout_beside;
/* Fills reward, advantage, left_out. Rewards may be missing where there is a ref_logp.
 * `inst`: the instance that `self` is, or NULL. */
hone_status hone_rollout_advantages(hone_rollout *r, hone_instance *inst,
                                    const hone_advantage_v1 *vt, void *self,
                                    const hone_rollout_beside *beside);
/* Log-probs of all tokens, sample by sample, by a policy with these adapters, at the rollout's temperature. */
hone_status hone_rollout_logprobs(const hone_rollout *r, hone_policy *p, uint32_t adapters,
                                  double *out);
/* What a policy's head says before each of them. E_UNSUPPORTED: it has none. */
hone_status hone_rollout_values(const hone_rollout *r, hone_policy *p, double *out);
/* What becomes of a group whose advantages are all zero: trained on like others (a KL or entropy term may give
 * a gradient), only counted by the normalisers (the same update, without its cost), or as if not drawn. */
enum { HONE_EQUAL_KEEP = 0, HONE_EQUAL_COUNT = 1, HONE_EQUAL_SKIP = 2 };
/* One tree a prompt; lives in `arena`. */
hone_status hone_rollout_trees(const hone_rollout *r, uint32_t equal, hone_arena *arena,
                               hone_train_tree **trees, size_t *n);
/* reward, group, advantage and length metrics of recipes-and-cli.md. group/all_pass and all_fail speak of the
 * first component: every sample of the group scored at least 1, at most 0. */
void hone_rollout_metrics(const hone_rollout *r, hone_metrics *m);
/* What the score of component c counts for sample i before its weight: normalised, the gate's value. */
double hone__rollout_counted(const hone_rollout *r, size_t c, size_t i);
/* What alarms look at (scripts/lib/hone/alarms.lua). Sums of squares and products around the mean of each group, over
 * samples that every weighted component scored; df: samples less groups. */
typedef struct hone_rollout_spread {
    double df, length, reward, both; /* length in tokens */
    double total;                    /* of the reward around the mean of all */
    double n,
        entropy; /* tokens; the sum of -log p of what was drawn, at the sampling temperature */
} hone_rollout_spread;
/* One component: its own sum of squares within groups, as if it were alone; that of all components in the groups in
 * which this one differs; how many those are. */
typedef struct hone_rollout_part {
    double own, all, groups;
} hone_rollout_part;
/* part: (n_components). */
hone_status hone_rollout_spread_get(const hone_rollout *r, hone_rollout_spread *out,
                                    hone_rollout_part *part);
/* One JSON object a line for every sample. */
hone_status hone_rollout_write(const hone_rollout *r, hone_buf *out);
/* Sample i as a reward sees it (borrowed from r). */
void hone_rollout_sample_view(const hone_rollout *r, size_t i, hone_sample *out);
#endif
