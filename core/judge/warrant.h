/* warrant.h - the trainer's side of the gate: did an opinion without a record come near this update?
 *
 * The rule, for a run as a whole: between its beginning and an update, every call that reached a component which holds an opinion
 * (host/trail.h: it obtained hone.model.scorer/1 or hone.http/1) came through a component with a record of the gate for the
 * policy that is updated, or its answer was seen by nothing but metrics and files (watch = true). It does not matter what the answer was
 * used for: a reward, a filter of rows, a curriculum, a decision to stop. Otherwise the update is refused; or, with
 * --no-gate, it goes on, and that is written down.
 *
 * A component that only passes calls on (the reward `judge`, a jury) needs no record where all that it asks have theirs. Sources and
 * sinks are exempt in what they obtain themselves: reading rows is not judging.
 *
 * Invariants: what was reached once counts as long as the process lives, also when the instance is gone; a change of
 * settings makes another key. What a resumed run had accepted, it accepts. [control-thread] but for what the host calls.
 * Source: judges.md section 9; docs/decisions.md. */
#ifndef HONE_CORE_JUDGE_WARRANT_H
#define HONE_CORE_JUDGE_WARRANT_H
#include "base/json.h"
#include "host/registry.h"
#include "judge/book.h"

typedef struct hone_warrants hone_warrants;

typedef struct hone_warrants_opts {
    hone_registry *registry; /* must outlive it */
    const char *store;       /* as hone_book_look takes it */
    int no_gate;             /* go on, and write it down */
    const char *policy_name; /* for texts; or NULL */
} hone_warrants_opts;

hone_status hone_warrants_open(const hone_warrants_opts *o, hone_warrants **out);
/* Gives its instances back and takes no more: before the Lua state goes. NULL is allowed. */
void hone_warrants_end(hone_warrants *w);
/* When nobody calls any more, before the registry closes. NULL is allowed. */
void hone_warrants_close(hone_warrants *w);
/* What the resumed run had decided ("gate" of its run.json): accepted again; an override goes on. Copied. */
hone_status hone_warrants_earlier(hone_warrants *w, const hone_value *gate);

/* An instance that will be asked on behalf of training, whether it is called or remembered answers are used. */
hone_status hone_warrants_expect(hone_warrants *w, hone_instance *inst);
/* All that was reached or expected so far, for the policy with that checksum (16 hex): E_REFUSED where something has no record. From
 * then on every later call says the same. */
hone_status hone_warrants_settle(hone_warrants *w, const char *policy);
/* The failure of a settling, again; or HONE_OK. */
hone_status hone_warrants_refused(const hone_warrants *w);

/* What drove training so far is not what was measured any more: its records hold no longer than this run. How many there were. */
hone_status hone_warrants_drift(hone_warrants *w, const char *why);
/* Counts decisions: another number means that hone_warrants_json says something new. */
uint64_t hone_warrants_version(const hone_warrants *w);
/* {"overridden":false,"decisions":[{"component","key","policy","decision":"record"|"kept"|"no-gate","record","verdict","at",
 * "expires","conditions","why"}],"watching":["id"]}; null when there is nothing to say. */
void hone_warrants_json(const hone_warrants *w, hone_jw *jw);
/* A component that only watches, by the name it has in metrics. */
hone_status hone_warrants_watching(hone_warrants *w, const char *id);
const char *hone_warrants_watcher(const hone_warrants *w, size_t i); /* NULL past the end */
#endif
