/* registry.h - which components there are, and instances of them.
 *
 *   hone_registry_opts o = {0};
 *   hone_registry *reg;
 *   HONE_TRY(hone_registry_open(&o, &reg));
 *   hone_instance *r;
 *   HONE_TRY(hone_instance_create(reg, HONE_KIND_REWARD, "math_answer", config, &r));
 *   hone_ref ref;
 *   HONE_TRY(hone_instance_ref(r, HONE_IFACE_REWARD, &ref));
 *   const hone_reward_v1 *vt = ref.vt;
 *   hone_instance_enter(r);
 *   s = hone_instance_leave(r, "score", vt->score(ref.self, ...));
 *   hone_instance_unref(r);
 *
 * Opening reads folders and sidecars only: no plugin is loaded before an instance of one of its
 * components is made (a file without a sidecar is described in a box, once). A file that is
 * refused stays in the table with the reason, which is the error when somebody asks for it.
 *
 * Invariants: pointers to plugins and component infos live as long as the registry; a file that ever
 * had an instance is never dlclosed; an earlier folder of the search path shadows a later one.
 * Everything here is [control-thread] unless it says otherwise. (plugin-abi.md 5, 6) */
#ifndef HONE_CORE_HOST_REGISTRY_H
#define HONE_CORE_HOST_REGISTRY_H
#include "base/error.h"
#include "hone/desc.h"
#include "hone/plugin.h"

typedef struct hone_registry hone_registry;
typedef struct hone_plugin hone_plugin;
typedef struct hone_instance hone_instance;

typedef struct hone_registry_opts {
    const char *const *paths; /* --plugin-path: folders or files, NULL-terminated; or NULL */
    const char *project; /* project folder: PROJECT/plugins and PROJECT are searched; or NULL */
    int only_paths;      /* nothing but `paths` (tests) */
    int in_process; /* what nobody trusts too: for tests, and where the process is a box itself */
    int trial; /* deaths of boxes are looked for: they do not count, and a quarantined file runs */
    uint64_t seed; /* of hone.rng/1; hone_registry_set_seed changes it before creating */
} hone_registry_opts;

/* One component, as its sidecar or its file describes it. `c` is the plugin's struct brought to the
 * host's size; its functions are NULL until the file is loaded. Read-only. */
typedef struct hone_component_info {
    hone_component c;
    const char *short_name; /* last part of the id */
    hone_plugin *plugin;    /* NULL for a component added by the host (Lua) */
    const char
        *shadowed_by; /* path of the plugin whose component of this id is used instead, or NULL */
    int used;         /* an instance of it was made */
} hone_component_info;

enum {
    HONE_PLUGIN_UNKNOWN = 0,
    HONE_PLUGIN_SHIPPED,
    HONE_PLUGIN_TRUSTED_HASH,
    HONE_PLUGIN_TRUSTED_KEY,
    HONE_PLUGIN_UNTRUSTED
};

struct hone_plugin {
    const char *path; /* of the .so, or of a .lua, which runs in boxes only */
    const char *name; /* file name without .so */
    int lua;
    const char *
        origin; /* which part of the search path: "--plugin-path", "HONE_PLUGIN_PATH", "project", "user", "shipped" */
    const char *problem; /* why it is refused, or NULL */
    const char *hint;    /* what to do about the problem, or NULL */
    hone_magic magic;    /* brought to the host's size; all zero when refused before it was read */
    const hone_component_info *const *components; /* NULL-terminated */
    const hone_iface_desc *const *ifaces;         /* that it introduces, NULL-terminated, or NULL */
    int has_sidecar, loaded;
    int may_run;            /* it was loaded to run, not only to be described */
    int trust;              /* HONE_PLUGIN_*, once it was loaded or hone_plugin_check was asked */
    int warned;             /* that its box is weak */
    int wants_weak;         /* refused because boxes hold nothing here */
    hone_status refused;    /* the status behind `problem` */
    const char *signed_ids; /* the ids that its signature names, or NULL */
    struct hone__loaded *file; /* loader's; NULL until loaded */
    char boxed[65];            /* sha256 of what runs in a box, or "" */
};

/* Reads the search path. A folder that is not there is passed over; an entry of `paths` that is not
 * there is E_NOT_FOUND. Refused files do not fail it. */
hone_status hone_registry_open(const hone_registry_opts *opts, hone_registry **out);
/* Components of these kinds work in the memory of the computation: no box can hold them. [any-thread] */
int hone_kind_shares_memory(const char *kind);
/* All instances must be gone. Calls what hone_registry_at_close was given, then deinit of loaded files.
 * NULL is allowed. */
void hone_registry_close(hone_registry *r);
void hone_registry_set_seed(hone_registry *r, uint64_t seed);
/* For who keeps instances as long as there is a registry: `fn` gives them back when it closes. The
 * last one given is called first. */
hone_status hone_registry_at_close(hone_registry *r, void (*fn)(void *ctx), void *ctx);

size_t hone_registry_n_plugins(const hone_registry *r);
const hone_plugin *hone_registry_plugin(const hone_registry *r, size_t i); /* in search order */
/* Components of one kind (NULL: of every kind), not shadowed, sorted by kind and id. NULL past the end. */
const hone_component_info *hone_registry_component(const hone_registry *r, const char *kind,
                                                   size_t i);
/* By id, or by short name where one component of the kind has it. kind NULL: any. E_NOT_FOUND with
 * "did you mean", with the reason where the file was refused; E_INVALID when the name is ambiguous. */
hone_status hone_registry_find(hone_registry *r, const char *kind, const char *name,
                               const hone_component_info **out);
/* The same among components that provide the interface `iface`: tells the objective dr_grpo from the
 * advantage dr_grpo, which are of one kind. Of two of a name the one that offers it before its others. */
hone_status hone_registry_find_iface(hone_registry *r, const char *kind, const char *iface,
                                     const char *name, const hone_component_info **out);
/* A name with a slash, or one that ends in .so, is the path of a plugin file: find then gives the one
 * component of that kind in it, and an error that names the file when it is not there, no plugin, holds
 * none or several, or is not on the search path (E_REFUSED: a recipe names a file, it does not trust it).
 * hone_registry_add_file puts a file that the command line named at the end of the search path; what is
 * wrong with it is said by find. */
int hone_registry_is_file(const char *name);
hone_status hone_registry_add_file(hone_registry *r, const char *path);
/* Loads the component's file if it is not loaded yet: afterwards info->c has functions. */
hone_status hone_registry_load(hone_registry *r, const hone_component_info *info);
/* A component of the host's own (one written in Lua). `c` and all it points to must live until
 * registry close. E_EXISTS when its id is there already. */
hone_status hone_registry_add(hone_registry *r, const hone_component *c,
                              const hone_component_info **out);
/* One file that is not on the search path (`hone plugin describe X.so`, `inspect ./x.so`): added at
 * the end, described from the file itself, whatever its sidecar says. */
hone_status hone_registry_open_file(hone_registry *r, const char *path, const hone_plugin **out);
/* The plugin's description (the sidecar's content), from the file itself: loads it. */
struct hone_jw;
hone_status hone_plugin_describe(hone_registry *r, const hone_plugin *p, struct hone_jw *w);
/* Would it be loaded? Decides p->trust from the bytes as they are now; runs none of them. E_REFUSED with the reason. */
hone_status hone_plugin_check(hone_registry *r, const hone_plugin *p);
/* What is remembered of its deaths (quarantine.h), or NULL; lives until the registry changes. E_PARSE ... when that cannot
 * be read. */
struct hone_quarantined;
hone_status hone_plugin_deaths(hone_registry *r, const hone_plugin *p,
                               const struct hone_quarantined **out);
/* Would an instance of it run in a box of its own, if nobody asks for one? After hone_plugin_check of its plugin. */
int hone_component_needs_box(const hone_component_info *info);
/* sha256 of the plugin's file, for run.json: of the loaded bytes once it is loaded. */
hone_status hone_plugin_sha256(const hone_plugin *p, char out[65]);

/* ---- host interfaces ------------------------------------------------------------------------------
 * What host->get_iface gives. hone.mem/1, hone.rng/1, hone.json/1 and hone.regex/1 are there from the
 * start; lower layers add theirs (hone.tokenizer/1 of the run, hone.ops/1, hone.http/1, ...). */
typedef hone_status (*hone_host_iface_fn)(void *ctx, hone_instance *inst, hone_ref *out);
/* `make` is asked at each get_iface; `id` must live as long as the registry. Replaces an earlier offer. */
hone_status hone_registry_offer(hone_registry *r, const char *id, hone_host_iface_fn make,
                                void *ctx);
/* The same for an interface that is the same for every instance. */
hone_status hone_registry_offer_ref(hone_registry *r, const char *id, hone_ref ref);

/* What is offered to every instance alike, for who has none. E_NOT_FOUND. [control-thread] */
hone_status hone_registry_offered(hone_registry *r, const char *id, hone_ref *out);
/* For layers below that have something to offer on every registry of this process: `fn` is called with each one that opens,
 * after the host's own offers. At most 8; before the first registry is opened. [control-thread] */
hone_status hone_registry_on_open(hone_status (*fn)(hone_registry *r));
/* What a PATH setting would become here: the allowed, absolute path (hone_alloc'd), by hone_registry_set_paths. */
hone_status hone_registry_allow_path(const hone_registry *r, hone_str given, char **out);

/* What PATH settings of components pass through: the allowed, absolute path into *out (hone_alloc'd), or an
 * error. Until it is set they are taken as given. */
typedef hone_status (*hone_path_fn)(void *ctx, hone_str given, char **out);
void hone_registry_set_paths(hone_registry *r, hone_path_fn fn, void *ctx);

/* ---- interface descriptions ----------------------------------------------------------------------
 * By id: hone's own, and those that loaded plugins introduced. NULL when unknown. */
const hone_iface_desc *hone_registry_iface(const hone_registry *r, const char *id);

/* ---- instances -------------------------------------------------------------------------------------
 * hone_instance_create checks `config` (a HONE_MAP, or NULL for all defaults) against the component's
 * table, resolves secrets, paths and components inside, loads the file and calls create. Keys that are
 * the caller's business (weight, deadline, ...) must be taken out before. */
hone_status hone_instance_create(hone_registry *r, const char *kind, const char *name,
                                 const hone_value *config, hone_instance **out);
hone_status hone_instance_create_info(hone_registry *r, const hone_component_info *info,
                                      const hone_value *config, hone_instance **out);
/* Changes live settings (a map of some) and tells the instance through hone.live/1. E_STATE while a call is in it,
 * E_UNSUPPORTED when it does not offer that, E_INVALID for a setting that is not HONE_LIVE; on any failure all is as it
 * was. [control-thread & !active] */
hone_status hone_instance_change(hone_instance *inst, const hone_value *changes);
hone_instance *hone_instance_addref(hone_instance *inst); /* [any-thread] */
void hone_instance_unref(
    hone_instance *inst); /* NULL allowed; the last one destroys: on the control thread */

/* For who gave the instance something of its own: `fn` takes it back behind the instance's destroy, also when its create
 * fails. The last one given is called first. [control-thread] */
hone_status hone_instance_at_end(hone_instance *inst, void (*fn)(void *ctx), void *ctx);

/* The interface, E_UNSUPPORTED (naming what it offers) when the instance lacks it. */
hone_status hone_instance_ref(hone_instance *inst, const char *iface_id, hone_ref *out);
/* The same without an error: NULL when not offered. */
const void *hone_instance_iface(hone_instance *inst, const char *iface_id, void **self);

/* Does its plugin run in a box? Then a call that passes its deadline is ended by the proxy, soon after. [any-thread] */
int hone_instance_is_boxed(const hone_instance *inst);
const hone_component_info *hone_instance_info(const hone_instance *inst); /* [any-thread] */
const char *hone_instance_id(const hone_instance *inst); /* component id [any-thread] */
uint64_t hone_instance_caps(const hone_instance *inst);  /* [any-thread] */
const hone_config *hone_instance_config(const hone_instance *inst);
/* Bytes now held through hone.mem/1. [any-thread] */
size_t hone_instance_mem(const hone_instance *inst);

/* Around every call into an instance: leave turns a failure without text into misbehaviour (logged,
 * E_MISBEHAVED keeps the code it gave in the text), puts the plugin's id in front and the call's name
 * into the detail. A status > 0 (a count) passes. Entering an instance that is not REENTRANT while a call
 * is in it is logged as the host's misbehaviour. NULL: a table without an instance behind it (tests, a
 * function of the host's own); nothing is counted. [any-thread] */
void hone_instance_enter(hone_instance *inst);
hone_status hone_instance_leave(hone_instance *inst, const char *call, hone_status s);
/* Enters only where that is allowed: 0 when the instance is not REENTRANT and a call is in it, or when it
 * was set aside. Who calls it from several threads uses this. [any-thread] */
int hone_instance_try_enter(hone_instance *inst);
/* A call into it passed its deadline and may never return: from now on try_enter gives 0. [any-thread] */
void hone_instance_set_aside(hone_instance *inst);
int hone_instance_is_set_aside(const hone_instance *inst);
#endif
