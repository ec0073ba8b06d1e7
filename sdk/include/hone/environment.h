/* hone/environment.h - environments: what answers a policy's turns (a draft: draft.environment/1).
 *
 * An episode is one sample of a rollout. reset begins n of them at once; then, turn by turn, the host samples what the
 * policy says in all that go on, and step answers them in one call: a text that the policy reads next, a reward, and
 * whether the episode is over. So a box costs one round trip a turn, however many episodes there are.
 *
 * What the policy said goes on as the ids that were sampled; only the observation is made into ids, on its own. The loss
 * falls on the policy's own tokens. The reward of an episode is the sum of its steps' rewards.
 *
 * An episode is named by its id, a number of the run: an instance keeps what it has to know of each until forget. The same
 * row and seed, and the same actions, are to give the same observations, or a run cannot be resumed to the same bytes.
 * A draft may still change; its id does when it is promoted. (plugin-abi.md 3) */
#ifndef HONE_ENVIRONMENT_H
#define HONE_ENVIRONMENT_H
#include "hone/reward.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_KIND_ENVIRONMENT "environment"
#define HONE_IFACE_ENVIRONMENT "draft.environment/1"

typedef struct hone_episode {
    uint64_t id, group; /* episodes of one group have one prompt, and one seed: they begin alike */
    uint64_t seed;      /* what the environment draws by, if it draws */
    hone_str prompt;    /* of the row, as text; empty where it has messages */
    const hone_column *columns; /* the data row */
    size_t n_columns;
} hone_episode;

/* What the policy said. */
typedef struct hone_action {
    uint64_t id;
    hone_str text; /* what the ids say, special tokens left out; valid UTF-8 */
    const int32_t *tokens;
    size_t n_tokens;
    uint32_t turn, finish; /* 1, 2, ...; HONE_FINISH_* of these tokens */
    uint32_t last; /* 1: the limit of turns or tokens is reached, no observation is read any more */
    uint32_t reserved;
} hone_action;

enum { HONE_EPISODE_ON = 1, HONE_EPISODE_DONE = 2, HONE_EPISODE_ERROR = 3 };

typedef struct hone_observation {
    uint32_t struct_size, status; /* HONE_EPISODE_* */
    double reward;                /* of this step; finite */
    hone_str text;                /* what the policy reads next; valid UTF-8 */
    hone_str role;                /* in the chat template; empty: "user" */
    hone_str reason;              /* with ERROR: why */
} hone_observation;

typedef struct hone_observation_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The answer to episode or action `item` of the call, 0 .. n - 1; once each. An item without one is the error "not
     * answered". E_RANGE, E_EXISTS. [worker-thread & active] */
    hone_status (*put)(const struct hone_observation_sink *sink, size_t item,
                       const hone_observation *observation_bor);
} hone_observation_sink;

typedef struct hone_environment_v1 {
    uint32_t struct_size, reserved;
    /* Begins n episodes. The observation's text stands behind the row's prompt (a message more, where the prompt is
     * messages); empty: the row's prompt is all. Episodes of a group give the same text. A status other than ON is an
     * error. An id that is open begins anew. [worker-thread & active] */
    hone_status (*reset)(void *self, const hone_call *call, const hone_episode *episodes_bor,
                         size_t n, size_t stride, const hone_observation_sink *sink);
    /* Answers n actions, each of another episode. [worker-thread & active] */
    hone_status (*step)(void *self, const hone_call *call, const hone_action *actions_bor, size_t n,
                        size_t stride, const hone_observation_sink *sink);
    /* Optional: these episodes are over, whatever the reason; unknown ids are passed over. [worker-thread & active] */
    hone_status (*forget)(void *self, const uint64_t *ids_bor, size_t n);
    /* Optional: a JSON list of tools, for chat templates that show them; {NULL, 0} for none. Valid until destroy.
     * Cannot fail. [worker-thread & active] */
    hone_str (*tools)(void *self);
} hone_environment_v1;

/* Element i of a strided array. */
static inline const hone_episode *hone_episode_at(const hone_episode *in, size_t stride, size_t i)
{
    return (const hone_episode *)((const char *)in + i * stride);
}
static inline const hone_action *hone_action_at(const hone_action *in, size_t stride, size_t i)
{
    return (const hone_action *)((const char *)in + i * stride);
}

/* In C, `const hone_component NAME`, an environment with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_ENVIRONMENT(name, table, ...)                                                  \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_ENVIRONMENT, HONE_IFACE_ENVIRONMENT, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
