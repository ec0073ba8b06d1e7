/* trail.h - which instances a thread is in, and who reached a model or the network.
 *
 * The gate (judge/warrant.h) asks of every call that could bring a model's or a server's opinion into training through which
 * instances it came. So each thread has a trail: the instances that it has entered and not left, outermost first. A call that waits
 * for another thread hands its trail over (lua/state.c); the one in a box goes on in the caller's own thread.
 *
 * An instance holds an opinion from when it, or a component among its settings, obtained hone.model.scorer/1 or hone.http/1, for
 * good. Whoever asked to be told is told when a call enters one, or makes itself one.
 *
 * Invariant: a trail is only ever too short, never of somebody else; what was too deep shows the innermost alone. All [any-thread]
 * unless it says otherwise. */
#ifndef HONE_CORE_HOST_TRAIL_H
#define HONE_CORE_HOST_TRAIL_H
#include "host/registry.h"

enum { HONE_TRAIL = 24 };
enum { HONE_HOLDS_MODEL = 1, HONE_HOLDS_NET = 2 };

typedef struct hone_trail {
    hone_instance *at[HONE_TRAIL];
    uint32_t n;
    uint32_t watching; /* what is answered now is seen by nobody who could train on it */
} hone_trail;

/* This thread's; and another in its place, which gives what was there. */
hone_trail hone_trail_get(void);
hone_trail hone_trail_set(const hone_trail *t);
/* Marks what this thread calls from now on; gives what was said before. */
uint32_t hone_trail_watch(uint32_t watching);

/* HONE_HOLDS_* of the instance and of all inside it. */
uint32_t hone_instance_holds(const hone_instance *inst);
/* Does it hold one itself, and not only through a component among its settings? */
uint32_t hone_instance_holds_itself(const hone_instance *inst);
/* The components among its settings: the i-th, or NULL past the end. */
hone_instance *hone_instance_inner(const hone_instance *inst, size_t i);
/* Whose setting it is, or NULL. */
hone_instance *hone_instance_outer(const hone_instance *inst);
/* How many hold a reference to it. */
uint32_t hone_instance_refs(const hone_instance *inst);
/* Counts changes of its settings. */
uint64_t hone_instance_changes(const hone_instance *inst);

/* Told of calls: fn gets the trail, whose last instance holds an opinion; not while watching. Any thread, locks of others may be held:
 * it must neither call out nor wait. `changing`, on the control thread, before settings of an instance change. One
 * listener; NULL ends it. [control-thread] */
typedef void (*hone_reached_fn)(void *ctx, const hone_trail *trail);
typedef void (*hone_changing_fn)(void *ctx, hone_instance *inst);
void hone_registry_listen(hone_registry *r, hone_reached_fn reached, hone_changing_fn changing,
                          void *ctx);
#endif
