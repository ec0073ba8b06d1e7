/* component_private.h - what component.c and component_source.c share. */
#ifndef HONE_CORE_LUA_COMPONENT_PRIVATE_H
#define HONE_CORE_LUA_COMPONENT_PRIVATE_H
#include "hone/optimizer.h"
#include "hone/source.h"
#include "lua/component.h"
#include "lua/marshal.h"

typedef struct hone__lua_component hone__lua_component;

enum { HONE_LUA_TEXTS = 32, HONE_LUA_FIELDS = 32 };

/* A function in one Lua state. */
typedef struct hone__lua_fn {
    hone__slot *slot; /* prepared in that state */
    int fn;           /* registry reference of the function; LUA_NOREF: only replicas have it */
    int batch;        /* of the array view that is used again from call to call, or LUA_NOREF */
    int text;         /* of the string that a `str` result points into */
    hone_arena out;   /* what the last call's `out` structs point at */
} hone__lua_fn;

/* One function of the table behind one slot of the vtable. */
typedef struct hone__lua_impl {
    hone__lua_component *lc;
    const hone_slot *slot;
    size_t index;
    int adapter;
    hone__lua_fn own; /* in the recipe's state */
    ffi_closure *closure;
} hone__lua_impl;

typedef struct hone__lua_replica hone__lua_replica;
typedef struct hone__lua_replicas hone__lua_replicas;

struct hone__lua_component {
    hone_component c;
    hone_lua *l;
    const hone_iface_desc *iface;
    void *vt;
    hone__lua_impl *impls;
    size_t n;
    const char *provides[2];
    ffi_closure *create;
    ffi_cif create_cif;
    ffi_type *create_types[3];
    hone__lua_replicas *replicas; /* state = "replicated"; else NULL */
    hone_field rows[HONE_LUA_FIELDS];
    const hone_field *fields[HONE_LUA_FIELDS + 1]; /* NULL-terminated */
    int object;                                    /* create(config): reference of the function */
    int reads_nothing;      /* tokenizers: no create, so no `spec` is for them */
    uint32_t uses;          /* objectives */
    const char *show;       /* objectives: text */
    const char *buffers[4]; /* optimizers: names of their state */
    uint32_t n_buffers;
    const char *texts[HONE_LUA_TEXTS];   /* names that stay */
    int next, position, seek, row_count; /* sources: registry references */
    hone__lua_component *link;
};

typedef struct hone__lua_instance {
    const hone_host *host;
    hone__lua_component *lc;
    int object;        /* first argument of every function, or LUA_NOREF */
    char *config_json; /* models: what declare was given */
    /* sources */
    uint64_t delivered;
    int stream_open;
    char error[512];
} hone__lua_instance;

/* Runs fn(arg, L) on the control thread in a frame and under a guard, in protected mode; a failure gets a
 * text through the instance's host. */
typedef void (*hone__lua_body)(void *arg, lua_State *L, int frame);
hone_status hone__lua_enter(hone__lua_component *lc, const hone_host *host, hone__lua_body body,
                            void *arg, uint64_t deadline_ns, const char *what);

/* The same in another state than the component's own: a replica that this thread has taken. */
hone_status hone__lua_enter_in(hone_lua *l, hone__lua_component *lc, const hone_host *host,
                               hone__lua_body body, void *arg, uint64_t deadline_ns,
                               const char *what);

/* component_call.c: what the closure of an impl (its user data) calls; which adapter a slot has. */
void hone__lua_closure_called(ffi_cif *cif, void *ret, void **args, void *ud);
int hone__lua_adapter_of(const char *iface, const char *slot);
/* A list of names at index as texts that stay as long as the component. Raises. */
void hone__lua_state_names(lua_State *L, int index, hone__lua_component *lc,
                           const char *names[HONE_OPT_MAX_STATE], uint32_t *n);

/* component_replica.c: one state a call. `make` copies the functions of the table at index t (or takes the
 * module's name) once; a replica is taken for the length of one call by one thread. */
void hone__lua_replicas_make(lua_State *L, int t, const char *module, hone__lua_component *lc);
hone_status hone__lua_replica_take(hone__lua_component *lc, hone__lua_replica **out);
void hone__lua_replica_give(hone__lua_component *lc, hone__lua_replica *r);
hone_lua *hone__lua_replica_state(hone__lua_replica *r);
hone__lua_fn *hone__lua_replica_fn(hone__lua_replica *r, size_t index);
void hone__lua_replicas_free(hone__lua_replicas *p);

/* component_source.c: hone.source/1 for tables with next, position, seek. */
extern const hone_source_v1 hone__lua_source_v1;
#endif
