/* hone/scorer.h - the models of a run, asked from a component: log-probs of given tokens.
 *
 * The host's interface "hone.model.scorer/1", by host->get_iface in create. A request waits until the engine has time: between
 * two decode steps while completions are drawn, at once while the run waits for rewards. The engine never waits for who
 * asks. The numbers are those of training and generation, bit for bit, whatever is asked together. (plugin-abi.md 4, 7) */
#ifndef HONE_SCORER_H
#define HONE_SCORER_H
#include "hone/plugin.h"
#include "hone/reward.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_SCORER "hone.model.scorer/1"

/* A prompt and what follows it, each as ids or, where the ids are NULL, as text: a prompt like one given to the policy as
 * text, a completion without any token added. */
typedef struct hone_score_item {
    hone_str prompt, completion;
    const int32_t *prompt_ids;
    size_t n_prompt_ids;
    const int32_t *ids;
    size_t n_ids;
} hone_score_item;

typedef struct hone_logprob_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The completion of item number `item`: its ids and the natural log-prob of each, NaN for a first token that follows
     * nothing. Once an item, in order. [any-thread] */
    hone_status (*put)(const struct hone_logprob_sink *sink, size_t item, const int32_t *ids_bor,
                       const float *logprobs_bor, size_t n);
} hone_logprob_sink;

typedef struct hone_model_scorer_v1 {
    uint32_t struct_size, reserved;
    /* Log-probs at temperature 1 under the model `model`: the name of one of the run's policies or references, or "" for
     * the first. `call` is the call that it is made in: E_TIMEOUT at its deadline, E_CANCELLED; NULL: a minute.
     * E_STATE when there is no such model now. [any-thread & active] */
    hone_status (*logprobs)(void *self, const hone_call *call, hone_str model,
                            const hone_score_item *items_bor, size_t n, size_t stride,
                            const hone_logprob_sink *sink);
} hone_model_scorer_v1;

#ifdef __cplusplus
}
#endif
#endif
