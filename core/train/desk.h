/* desk.h - what a run offers to its components: the tokenizer of its policy, and what its models, or others, say.
 *
 * hone.tokenizer/1 is that of the first policy that has one; hone.model.scorer/1 (sdk: hone/scorer.h) takes requests from
 * any thread. Models belong to the control thread, so a request lies in a queue until that thread comes by: hone_desk_serve
 * is called between decode steps and while the run waits for rewards; a request made on the control thread itself is served at
 * once. Whoever asks waits, the engine never does. (plugin-abi.md 4, 7) */
#ifndef HONE_CORE_TRAIN_DESK_H
#define HONE_CORE_TRAIN_DESK_H
#include "train/policy.h"

/* Offers both on env's registry, which closes it; fills env->desk. The calling thread is the control thread. */
hone_status hone_desk_open(hone_env *env);
/* Serves what has been asked for so far; how many requests. Failures are the requests' own. NULL is allowed. [control-thread] */
size_t hone_desk_serve(hone_desk *d);
/* Frees the models that were opened by name: before the pool goes. NULL is allowed. [control-thread] */
void hone_desk_drop(hone_desk *d);
/* `make` is called when the run's own model, or its tokenizer, is asked for and the run has none: it may make one, as who tests
 * components does. [control-thread] */
void hone_desk_when_none(hone_desk *d, hone_status (*make)(void *ctx), void *ctx);
/* How many requests were made of it so far, those refused too. [any-thread] */
uint64_t hone_desk_asked(const hone_desk *d);
/* A policy comes and goes; policy.c calls both. */
hone_status hone__desk_add(hone_desk *d, hone_policy *p);
void hone__desk_remove(hone_desk *d, const hone_policy *p);
#endif
