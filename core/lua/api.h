/* api.h - what the files of the recipe API share: the context of a recipe, its userdata types.
 *
 * The C side (module "hone.core") is thin: it converts, calls core/train and raises errors. What recipes see
 * is written in Lua on top of it (scripts/lib/hone). Everything runs on the control thread. A C function here
 * converts its arguments first and holds nothing that a raised Lua error could leak. */
#ifndef HONE_CORE_LUA_API_H
#define HONE_CORE_LUA_API_H
#include "lua/state.h"
#include "store/journal.h"
#include "store/run.h"
#include "train/rollout.h"

#include <lauxlib.h>
#include <lua.h>

/* How a recipe is made to need less than it asks for. The first two change no bit of a result and are
 * what a run that would not fit chooses by itself; the others are tried in plans alone, for a hint. */
typedef struct hone_recipe_tune {
    uint32_t micro_tokens;     /* no larger micro-batch; 0: as the recipe says */
    uint32_t checkpoint_every; /* at least this recomputation; 0: as the recipe says */
    int lora, halve_tokens, halve_batch;
    int bf16; /* frozen weights that would be float32 are stored so */
} hone_recipe_tune;

/* What a plan found (lua/plan.h). */
typedef struct hone_plan {
    uint64_t total,
        program;      /* bytes: all, and of them what is no region: program, tokenizer, rows */
    uint64_t allowed; /* bytes there are for this run; 0: unknown */
    const char *allowed_by; /* "--memory", "control group", "machine" */
    hone_recipe_tune tune;  /* chosen so that it fits */
    int fits;
    char chosen[256];    /* what was chosen, in words; "" = nothing had to be */
    hone_status stopped; /* what ended the recipe early, with its error; or HONE_OK */
    int wrote; /* a folder of the run was asked for: what is in it is there only in a real run */
    hone_error error;
    char *text, *json; /* hone_free */
} hone_plan;

/* What the command line gives a recipe. Strings are borrowed and outlive the context. */
typedef struct hone_recipe_options {
    const char *recipe;     /* path of the recipe, or NULL in the shell */
    const char *const *set; /* "key=value", NULL-terminated; or NULL */
    const char *runs_dir;   /* "runs" when NULL */
    const char *run_dir;    /* exact folder of the new run, or NULL */
    const char *resume;     /* run directory to continue, or NULL */
    const char *from;       /* RUN[@step] to branch off, or NULL */
    int force;              /* resume although something changed */
    int help, quiet, no_gate;
    int no_run;    /* hone.run makes no run directory: a verb that only computes */
    uint64_t seed; /* overrides the recipe's when has_seed */
    int has_seed;
    const char *const *sinks; /* --sink: NAME[:key=value,...], NULL-terminated; or NULL */
    const char *const *allow; /* --allow grants, NULL-terminated; or NULL */
    int allow_unknown_config; /* models: configuration keys hone does not know are ignored */
    char *dir_out;            /* room for the run directory's path, or NULL */
    size_t dir_out_size;
    uint64_t memory; /* bytes the run may take (--memory); 0: what there is */
    hone_recipe_tune tune;
    hone_plan *plan; /* not NULL: this execution is a plan, and goes here */
} hone_recipe_options;

/* One recipe being executed. */
typedef struct hone_recipe {
    lua_State *L;
    hone_env env;
    hone_recipe_options opt;
    hone_run *run;
    hone_journal *journal;
    hone_arena state_arena;         /* the state.json that is resumed from */
    hone_value state;               /* state.json; HONE_NULL: a fresh start */
    hone_value meta;                /* run.json of the resumed run; HONE_NULL: fresh */
    char *state_dir;                /* the checkpoint's folder */
    char *plan_dir;                 /* a plan's own folder for run:write, made when asked for */
    struct hone_score_cache *cache; /* opened for the first reward that wants it */
    int no_cache;                   /* it cannot be opened, which was said */
    uint64_t resume_step;
    char *branched; /* "RUN@step" of the checkpoint that was branched off, RUN absolute; or NULL */
    uint64_t seed;
    hone_metrics metrics;           /* of the step in progress */
    hone_buf rollouts;              /* JSON lines of the step in progress */
    unsigned n_stages;              /* functions of map and filter so far */
    struct hone__lua_watch *watch;  /* what the rewards said so far: watch.c */
    struct hone_warrants *warrants; /* what reached judges, and its records: api_gate.c */
    uint64_t gate_written;          /* the version of its decisions that stands in run.json */
    int stopped;                    /* --help or --dry-run ended it: no failure */
    int interrupted;                /* set by a signal handler through hone_recipe_interrupt */
} hone_recipe;

/* Notes in run.json that the recipe failed (with the thread's current error); nothing else in it changes. A
 * failure to do so is not one. */
void hone__run_mark_failed(hone_recipe *r);

/* watch.c: counts what rewards and updates came to; the end of a recipe asks whether anything did. */
hone_status hone__lua_watch_rollout(hone_recipe *r, const hone_rollout *ro, double error_limit);
hone_status hone__lua_watch_update(hone_recipe *r, const hone_train_tree *trees, size_t n);
hone_status hone__lua_watch_end(const hone_recipe *r);
void hone__lua_watch_free(hone_recipe *r);
/* api_gate.c: may `p` be updated, and might it have been? Decisions go into run.json at once. */
hone_status hone__lua_gate_update(hone_recipe *r, const hone_policy *p);
/* A reward that is to be asked: its answers may be remembered ones. watch: only metrics and files see them. */
hone_status hone__lua_gate_reward(hone_recipe *r, hone_instance *inst, const char *id, int watch);
/* A resumed run goes on with what it had decided ("gate" of its run.json). */
hone_status hone__lua_gate_resume(hone_recipe *r);
/* An update was refused: nothing of this run is written any more, and its end says so. */
hone_status hone__lua_gate_refused(const hone_recipe *r);
/* Is the metric one that no recipe sees? */
int hone__lua_gate_hides(const hone_recipe *r, const char *metric);
/* Puts one key of run.json into the file, all others stay (api_run.c). */
hone_status hone__run_note(hone_recipe *r, const char *key, const hone_value *v);
/* Pushes a table of metrics by name (api_train.c). */
void hone__lua_push_metrics(lua_State *L, const hone_metrics *m);

/* The recipe this state belongs to. */
hone_recipe *hone__lua_recipe(lua_State *L);
void hone__lua_set_recipe(lua_State *L, hone_recipe *r);

/* ---- userdata: one pointer each, released by __gc and by close() ------------------------------------- */
#define HONE_LUA_POLICY "hone.policy"
#define HONE_LUA_TOKENIZER "hone.tokenizer"
#define HONE_LUA_ROLLOUT "hone.rollout"
#define HONE_LUA_SCORER "hone.scorer"
#define HONE_LUA_COMPONENT "hone.component"
#define HONE_LUA_BATCH "hone.batch"
#define HONE_LUA_TENSOR "hone.tensor"
#define HONE_LUA_SOURCE "hone.source"
#define HONE_LUA_EXAMPLE "hone.example"

/* A component instance as a recipe holds it. */
typedef struct hone_lua_comp {
    hone_instance *instance; /* owned; NULL when vt/self are the API's own (a tape objective) */
    const void *vt;
    void *self;
    int in_lua; /* written in Lua: calls run on the control thread */
    void (*free_self)(struct hone_lua_comp *c); /* or NULL */
    char *
        config; /* a plugin's: its settings as JSON, with which another instance can be made; or NULL */
    char id[96];
} hone_lua_comp;

/* Pushes a userdata holding `p`; `type` is one of the names above. */
void hone__lua_push(lua_State *L, void *p, const char *type);
/* The pointer, or a Lua error when it is of another type or closed. */
void *hone__lua_check(lua_State *L, int index, const char *type);
/* The pointer, or NULL. */
void *hone__lua_test(lua_State *L, int index, const char *type);
/* Declares a type with its release function (at open). */
void hone__lua_type(lua_State *L, const char *type, void (*release)(void *p));
/* Argument `index`, a table without functions, as a value in `arena`; absent: an empty map. */
/* May the recipe use the source with these settings? E_REFUSED with what would allow it. */
hone_status hone__lua_may_run(const hone_recipe *r, const char *source, const hone_value *settings);
hone_status hone__lua_options(lua_State *L, int index, hone_arena *arena, hone_value *out);

/* hone_lua_pcall for a function that the recipe gave and hone calls in the loop: under the limits of a guard. A
 * failure says `what` was called in front ("map, row 3"), and gets `hint` (or NULL) when it has none. */
hone_status hone__lua_call(lua_State *L, int nargs, int nresults, const char *what,
                           const char *hint);

/* The path of model M (a folder, a GGUF or tokenizer file, a known name) if the recipe may read it; hone_free it. */
hone_status hone__lua_model_path(const hone_recipe *r, const char *model, char **path);
/* E_REFUSED when the recipe may not write there: below the run directory, or where --allow=fs-write says. */
hone_status hone__lua_may_write(const hone_recipe *r, const char *path);

/* A component userdata over an instance (a reference is taken); in_lua: it was written in Lua. */
hone_status hone__lua_component_from(hone_instance *inst, const char *kind, int in_lua,
                                     hone_lua_comp **out);
hone_scorer *hone__lua_check_scorer(lua_State *L, int index); /* NULL when absent */
/* functions.environment of the table at `functions` (0: none) with its settings among options, in the arena; *out NULL without. */
hone_status hone__lua_environment(lua_State *L, int functions, const hone_value *options,
                                  hone_arena *arena, const hone_rollout_params *p,
                                  const hone_rollout_environment **out);

/* Each file's functions, added to the module table on top of the stack. */
void hone__lua_open_components(lua_State *L);
void hone__lua_open_policy(lua_State *L);
void hone__lua_open_train(lua_State *L);
void hone__lua_open_spread(lua_State *L);
void hone__lua_open_tape(lua_State *L);
void hone__lua_open_run(lua_State *L);
void hone__lua_open_data(lua_State *L);
void hone__lua_open_judge(lua_State *L);
void hone__lua_open_prompt(lua_State *L);
void hone__lua_open_evidence(lua_State *L);
void hone__lua_open_stats(lua_State *L);
void hone__lua_open_plan(lua_State *L);
void hone__lua_open_calibrate(lua_State *L);
void hone__lua_open_curate(lua_State *L);
/* The rows at `index`, or a Lua error (api_data.c). */
struct hone_data *hone__lua_data(lua_State *L, int index);
void hone__lua_open_gate(lua_State *L);
/* package.preload loader of "hone.core". */
int hone__lua_open_core(lua_State *L);
#endif
