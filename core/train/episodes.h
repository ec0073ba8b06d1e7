/* episodes.h - turns of a policy with an environment. Internal to core/train.
 *
 * Key idea: an episode is a line of ids that only grows. A turn samples behind it, the environment answers, and the
 * answer's ids - encoded on their own - are put behind what was sampled. Nothing is ever decoded and encoded again, so
 * what is trained on is what was drawn, with the log-probs it was drawn with. All episodes take their turns together: one
 * generation and one call of the environment a turn.
 *
 * With a chat template the answer is what the template puts between two turns of the assistant: it is rendered behind a
 * stand-in for the policy's text, and what follows the stand-in is encoded. The token that ended the turn is not said twice.
 *
 * Each turn prefills its line anew (same ids, same kernels, same log-probs): state is not kept over a call of the
 * environment. Token k of an episode draws number k of the sample's random stream, whichever turn it is in.
 *
 * Invariants: an episode in error keeps what was drawn and gets no gradient while the environment has a weight; the
 * environment's forget hears of every episode that was begun. Source: hone/environment.h. */
#ifndef HONE_CORE_TRAIN_EPISODES_H
#define HONE_CORE_TRAIN_EPISODES_H
#include "train/rollout.h"

typedef struct hone__episodes hone__episodes;

/* rows: one a prompt of r. `ended` (ctx, sample) is told once of every sample, when its fields are final. */
hone_status hone__episodes_open(hone_rollout *r, hone_policy *policy, const hone_rollout_params *p,
                                void *ctx, hone_status (*ended)(void *ctx, size_t sample),
                                hone__episodes **out);
/* Calls reset. What each prompt goes on with is then hone__episodes_first. */
hone_status hone__episodes_reset(hone__episodes *e, const hone_value *rows);
hone_str hone__episodes_first(const hone__episodes *e, size_t prompt, hone_str *role);
/* A JSON list of tools as a value, or NULL. */
const hone_value *hone__episodes_tools(const hone__episodes *e);
/* Plays all to their ends. gp: the rules of sampling; its on_finish, ctx and the callbacks' `prompt` are replaced. */
hone_status hone__episodes_play(hone__episodes *e, hone_gen *g, const hone_gen_params *gp);
void hone__episodes_close(hone__episodes *e); /* NULL is allowed */
/* The environment's outcomes as the last component; room is there. */
void hone__episodes_outcomes(hone_rollout *r);
/* What the template puts behind an assistant's text for one more message and the next turn: of `rendered`, which holds
 * `stand_in` once, what stands behind it. E_INVALID: it is not there, or twice. */
hone_status hone__episodes_between(hone_str rendered, hone_str stand_in, hone_str *out);
#endif
