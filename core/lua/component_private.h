/* component_private.h - what component.c and component_source.c share. */
#ifndef HONE_CORE_LUA_COMPONENT_PRIVATE_H
#define HONE_CORE_LUA_COMPONENT_PRIVATE_H
#include "hone/source.h"
#include "lua/component.h"
#include "lua/marshal.h"

typedef struct hone__lua_component hone__lua_component;

/* One function of the table behind one slot of the vtable. */
typedef struct hone__lua_impl {
    hone__lua_component *lc;
    hone__slot *slot;
    int adapter;
    int fn;    /* registry reference of the Lua function */
    int batch; /* of the array view that is used again from call to call, or LUA_NOREF */
    int text;  /* of the string that a `str` result points into */
    ffi_closure *closure;
} hone__lua_impl;

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
    uint32_t uses;                       /* objectives */
    const char *show;                    /* objectives: text */
    int next, position, seek, row_count; /* sources: registry references */
    hone__lua_component *link;
};

typedef struct hone__lua_instance {
    const hone_host *host;
    hone__lua_component *lc;
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

/* component_source.c: hone.source/1 for tables with next, position, seek. */
extern const hone_source_v1 hone__lua_source_v1;
#endif
