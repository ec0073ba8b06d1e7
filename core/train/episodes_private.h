/* episodes_private.h - what episodes.c (turns) and episodes_call.c (calls of the environment) share. */
#ifndef HONE_CORE_TRAIN_EPISODES_PRIVATE_H
#define HONE_CORE_TRAIN_EPISODES_PRIVATE_H
#include "base/buf.h"
#include "train/episodes.h"

/* An episode while it is played. */
typedef struct hone__line {
    int32_t *ids;
    float *logprob, *full;
    uint8_t *mask;
    size_t n, cap, turn_at; /* where the last action's ids begin */
    hone_buf text;          /* what was said, by both */
    double reward;
    uint32_t begun, over, answered; /* answered: in this call */
    uint32_t status;                /* HONE_EPISODE_*, of the last answer */
    hone_str say, role;             /* what it says, in the arena of the call */
} hone__line;

struct hone__episodes {
    hone_rollout *r;
    hone_policy *policy;
    const hone_rollout_params *p;
    const hone_rollout_environment *env;
    void *ctx;
    hone_status (*ended)(void *ctx, size_t sample);
    hone__line *lines;
    size_t *call_of; /* items of a call: which sample */
    size_t n_call;
    hone_arena call; /* texts of the last call's answers */
    hone_str *first, *role;
    hone_value *tools;
    const hone_gen_params *gp; /* the caller's */
    const size_t
        *prompt_of;  /* of the run in progress: the rollout's prompt of each of its prompts */
    double *seconds; /* of each call */
    size_t n_seconds;
    hone_status failed; /* of a sink: out of memory */
};

/* Episode i is over, in error, with the first reason that it got. */
hone_status hone__episode_broken(hone__episodes *e, size_t i, const char *why);
/* One call over e->call_of[..n_call), items being episodes or actions: what it leaves without an answer is in error, with
 * the call's reason. Fails only where the rollout has to. */
hone_status hone__episodes_reset_call(hone__episodes *e, const hone_episode *items);
hone_status hone__episodes_step_call(hone__episodes *e, const hone_action *items);
/* The environment's tools into e->tools. */
hone_status hone__episodes_read_tools(hone__episodes *e);
/* Too large a share in error stops the run, as it does for rewards. */
hone_status hone__episodes_check(const hone__episodes *e);
/* The last call: all that were begun are over. The thread's error stays as it is. */
void hone__episodes_let_go(hone__episodes *e);
#endif
