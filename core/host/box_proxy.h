/* box_proxy.h - an instance in a box, between box_proxy.c (its tables, one attempt at a call) and box_retry.c. */
#ifndef HONE_CORE_HOST_BOX_PROXY_H
#define HONE_CORE_HOST_BOX_PROXY_H
#include "host/box.h"
#include "host/box_proto.h"
#include "host/registry_private.h"
#include "abi/wire.h"
#include "hone/state.h"

#include <pthread.h>

struct hone__proxy;

/* One interface of the instance; `self` of its table. */
typedef struct hone__offered {
    struct hone__proxy *proxy;
    const hone_iface_desc *desc;
    hone_wire *wire;
    hone_wire_stub *stub;
    uint32_t number;
} hone__offered;

/* One interface that the box reaches in the host: box_reach.c. */
typedef struct hone__reached {
    hone_wire *wire;
    hone_ref ref;
    hone_instance *inner; /* the component that it is of; NULL: the host's own */
} hone__reached;

typedef struct hone__proxy {
    hone_instance *inst;
    pthread_mutex_t lock; /* one call at a time */
    int plugin;           /* sealed copy of the file */
    char sha256[65];
    hone_sandbox_policy policy;
    hone__box box;
    int alive;
    uint64_t starts; /* boxes so far: another number is another box, which knows nothing */
    struct hone__box_source *source; /* of hone.source/1, or NULL */
    uint64_t there;                  /* where the box has its `in` */
    hone__offered offers[HONE__BOX_OFFERS];
    size_t n_offers;
    hone_arena answers; /* of one call */
    hone_arena kept;    /* texts, paths of the policy */
    hone__texts texts;  /* returned by the plugin */
    uint64_t calls;
    _Atomic(uint32_t *) cancel; /* of the call that runs now, or NULL */
    _Atomic uint64_t cancel_id; /* its hone_call.id */
    struct hone__pool *pool;    /* of the first; NULL: one call at a time */
    int further;                /* it is not the first: file, policy and plans are that one's */
    hone_buf state;             /* the last hone.state/1 */
    int has_state, stateful, slow;
    int noted;             /* it writes notes */
    unsigned state_deaths; /* over hone.state/1 */
    char tmp[64];          /* its folder, or "" */
    hone__reached reached[HONE__BOX_REACHED];
    uint32_t n_reached;
    void *asked; /* copy of a call-back */
    size_t asked_cap;
} hone__proxy;

/* A box is there and has its state: starts one where there is none. */
hone_status hone__proxy_revive(hone__proxy *p);
/* One attempt. *how: HONE__BOX_*. With HONE__BOX_ANSWERED the outputs are filled, the sinks called and *ret set (the
 * error text too); otherwise outputs have what was written until it died when `keep` is 1 or it was late. A status < 0 is
 * the host's: the call cannot be made, or the answer is not sound. */
hone_status hone__proxy_try(hone__offered *o, const hone_wire_slot *s, void *const *args, int keep,
                            int *how, hone_wire_ret *ret);
/* The box is gone after `how`, in `call`: says so, forgets it, and *why is the error that a call may end with. 1 when the
 * plugin itself is to blame. `sample`: which one it died of, where it was alone, else -1. again: it died of the same
 * before, so that this one counts towards quarantine. */
int hone__proxy_bury(hone__proxy *p, const char *call, int how, int64_t sample, int again,
                     hone_error *why);
/* box_retry.c: the call with all its attempts. */
void hone__proxy_call(void *self, const hone_wire_slot *s, void *const *args, hone_wire_ret *ret);
/* box_pool.c. create: several boxes where the component allows it. enter: a box for one call, locked. at: the i-th, NULL past
 * the end. */
hone_status hone__pool_create(hone__proxy *first);
hone__proxy *hone__pool_enter(hone__proxy *first);
void hone__pool_leave(hone__proxy *first, hone__proxy *p);
hone__proxy *hone__pool_at(hone__proxy *first, size_t i);
void hone__pool_free(hone__proxy *first);
void hone__proxy_free(hone__proxy *p);
/* box_reach.c: serves the call-back of box `b` of proxy `ctx`. < 0: the box broke the protocol. */
hone_status hone__reach_serve(void *ctx, hone__box *b);
void hone__reach_free(hone__proxy *p);
/* A death that the plugin caused, seen again, counts towards quarantine: before its box is stopped. */
void hone__proxy_count(hone__proxy *p, int how, const char *call, int64_t sample);
/* Saves the state after a call that changed it. */
hone_status hone__proxy_remember(hone__proxy *p);
#endif
