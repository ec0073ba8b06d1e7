/* plan.h - what a recipe will take, found by executing it without computing (hone run --dry-run).
 *
 * A plan is an execution of the recipe in which memory regions are reserved and not filled
 * (tensor/region.h): policies are opened as shapes, prompts and rows are read and tokenized, every
 * forward and backward is recorded and planned by the code that would run it, and nothing is
 * computed, generated, scored or written. Of each loop the first steps and the last are executed.
 * Samples are as long as max_tokens allows, and every one of them trains. What the regions come to
 * is then what such a run maps, by construction; what is no region (program, tokenizer, rows) is
 * what the process takes when the recipe has ended. */
#ifndef HONE_CORE_LUA_PLAN_H
#define HONE_CORE_LUA_PLAN_H
#include "lua/api.h"

/* Most bytes so far, by purpose: sums over the regions of tensor/region.h. */
typedef struct hone_plan_memory {
    uint64_t parameters;  /* with adapters */
    uint64_t training;    /* gradients and optimizer state */
    uint64_t activations; /* with gradients that wait for the end of the step */
    uint64_t state;       /* pages of sequence state */
    uint64_t scratch;     /* everything else: of threads, of sampling */
} hone_plan_memory;
void hone_plan_memory_get(hone_plan_memory *out);

/* Plans the recipe of `o`, and if it does not fit looks for the least change of micro-batches and
 * checkpointing with which it does (out->tune). out->fits says whether; then o may be run with that
 * tune. When it does not: out->error is E_LIMIT with what would make it fit, in numbers. A recipe
 * that fails while it is planned has out->stopped. Release in any case. [control-thread] */
hone_status hone_plan_make(const hone_recipe_options *o, hone_plan *out);
void hone_plan_release(hone_plan *p);

/* Called by the recipe's execution at its end: `s` is what it came to. Fills r->opt.plan. */
hone_status hone__plan_collect(hone_recipe *r, hone_status s);
#endif
