/* registry_private.h - what registry.c, instance.c and hostif.c share. Nobody else includes it. */
#ifndef HONE_CORE_HOST_REGISTRY_PRIVATE_H
#define HONE_CORE_HOST_REGISTRY_PRIVATE_H
#include "abi/config.h"
#include "abi/loader.h"
#include "abi/quarantine.h"
#include "host/record.h"
#include "host/registry.h"
#include "host/trail.h"
#include "abi/trust.h"
#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct hone__offer {
    const char *id;
    hone_host_iface_fn make;
    void *ctx;
    hone_ref ref; /* when make is NULL */
} hone__offer;

typedef struct hone__at_close {
    struct hone__at_close *next;
    void (*fn)(void *ctx);
    void *ctx;
} hone__at_close;

typedef struct hone__at_end {
    struct hone__at_end *next;
    void (*fn)(void *ctx);
    void *ctx;
} hone__at_end;

/* One thing that the command line gave to one plugin (grant.h). */
typedef struct hone__grant {
    struct hone__grant *next;
    const char *who, *path; /* path: of fs-read and fs-write, else NULL */
    uint64_t cap;
} hone__grant;

/* In a box: what is not in this process is asked of the host (box_ask.c). */
typedef struct hone__beyond {
    hone_status (*iface)(const char *id, hone_ref *out);
    hone_status (*setting)(hone_str name, hone_ref *out);
} hone__beyond;

struct hone_registry {
    hone_arena arena;
    hone_plugin **plugins;
    size_t n_plugins, cap_plugins;
    hone_component_info **infos; /* sorted by kind, id; shadowed ones last */
    size_t n_infos, cap_infos;
    hone__offer *offers;
    size_t n_offers, cap_offers;
    uint64_t seed;
    char *lock_path; /* PROJECT/hone.lock, or NULL */
    hone_lock lock;
    hone_trust trust;
    hone_quarantine
        quarantine; /* as it was when it was first asked: a run is not stopped by its own */
    int lock_read, trust_read, quarantine_read;
    hone_path_fn path; /* of PATH settings; or NULL */
    void *path_ctx;
    hone__at_close *at_close; /* the last one first */
    hone__grant *grants;
    int weak_box, in_process, trial;
    hone__recorder *recorder; /* of calls; or NULL */
    _Atomic size_t n_instances;
    const hone__beyond *beyond; /* in a box; else NULL */
    struct hone__http *http;    /* of hone.http/1, from its first instance on; or NULL */
    hone_host host;             /* for init of plugin files */
    hone_reached_fn reached;    /* trail.h; or NULL */
    hone_changing_fn changing;
    void *reached_ctx;
};

/* How an instance is reached: in this process now; a box is another one of these. The proxy of a box
 * answers get_iface with vtables of its own, so callers see no difference. */
typedef struct hone__instance_vt {
    const void *(*get_iface)(hone_instance *inst, const char *id, void **self);
    void (*destroy)(hone_instance *inst);
} hone__instance_vt;

struct hone_instance {
    hone_host host; /* host.ctx is the instance */
    const hone__instance_vt *vt;
    hone_registry *reg;
    const hone_component_info *info;
    hone_config *cfg;
    void *self;
    int created, boxed;
    uint64_t call_ns; /* what a call of a source in a box may take; 0: not said */
    atomic_uint refs;
    atomic_uint inside;   /* calls that are in it now */
    atomic_int set_aside; /* a call never came back: nobody enters it again */
    atomic_size_t mem;
    atomic_uint holds, holds_itself;       /* HONE_HOLDS_*, with those inside; its own (trail.h) */
    atomic_ullong changes;                 /* of its settings */
    hone_instance *outer, *inner, *beside; /* whose setting it is; its own first; its neighbour */
    pthread_mutex_t reached;               /* by call-backs from boxes, where it is not REENTRANT */
    struct hone__http_link *http;          /* its part of hone.http/1; or NULL */
    hone__at_end *at_end;                  /* the last one first */
};

/* In a box: settings that the host has checked and resolved. */
hone_status hone__instance_create_given(hone_registry *r, const hone_component_info *info,
                                        const hone_value *config, hone_instance **out);
/* In a box: all settings anew, as hone_config_export gives them; into hone.live/1. */
hone_status hone__instance_live(hone_instance *inst, const hone_value *settings);
/* box_proxy.c: an instance in a box of its own, behind inst->vt; inst has info, host, registry and settings. Where a file is only
 * to be described: its sidecar as JSON. `fd` is a sealed copy of the plugin, the callee's from then on. */
hone_status hone__box_create(hone_instance *inst, int fd, const char *sha256);
hone_status hone__box_describe(const hone_registry *r, const hone_plugin *p, int fd,
                               const char *sha256, hone_buf *sidecar);
/* Where an instance of this component runs. *boxed: in a box, and *fd, sha256 are for hone__box_create; else its file is
 * loaded. want_box: the recipe asks for one. E_REFUSED where it may run nowhere. */
hone_status hone__registry_place(hone_registry *r, const hone_component_info *info, int want_box,
                                 int *boxed, int *fd, char sha256[65]);
/* policy.c: a plugin was seen to end its box again: it counts (quarantine.h), and the log says so. The thread's error stays. */
void hone__policy_died(const hone_registry *r, const hone_plugin *p, const char *sha256,
                       const char *id, const hone_death *d);
/* What was refused for want of a box that holds is looked at again: a weak one will do now. */
hone_status hone__registry_weak(hone_registry *r);
/* policy.c: may what nobody trusts come into this process? */
int hone__policy_in_process(const hone_plugin *p, const hone_component *c);
/* policy.c. check: before any byte runs; component: of what a file turned out to hold. runs: 0 when the file is only
 * described, which needs no trust. E_REFUSED. */
hone_status hone__policy_check(hone_registry *r, hone_plugin *p, const char *sha256, int shipped,
                               int runs);
/* A file that was described from itself: are its components those that its signature names? */
hone_status hone__policy_signed_ids(const hone_plugin *p);
hone_status hone__policy_component(const hone_registry *r, const hone_plugin *p,
                                   const hone_component *c, const char *sha256, int runs);

/* trail.c: around every call; an interface was obtained; a component among settings was made. */
void hone__trail_enter(hone_instance *inst);
void hone__trail_leave(const hone_instance *inst);
uint32_t hone__trail_counts(const char *id); /* HONE_HOLDS_* of an interface, 0 for most */
void hone__trail_obtained(hone_instance *inst, const char *id);
void hone__trail_adopt(hone_instance *outer, hone_instance *inner);
void hone__trail_orphan(hone_instance *outer, hone_instance *inner); /* no setting of it any more */

hone_status hone__hostif_offer_all(hone_registry *r); /* the interfaces that are always there */
hone_status hone__hostif_get(hone_registry *r, hone_instance *inst, const char *id, hone_ref *out);
int hone__hostif_offered(const hone_registry *r, const char *id);
/* A host interface failed: its text is the host's, so the plugin may pass the status on. */
hone_status hone__host_failed(hone_status s);
/* Around calls of another instance that this thread makes in the middle of a call: who had failed so far; sets it. */
const void *hone__failed_by(const void *who);
hone_host hone__plugin_host(hone_registry *r); /* for init: no instance behind it */
/* regex.c: hone.regex/1 */
extern const hone_regex_v1 hone__regex_v1;
#endif
