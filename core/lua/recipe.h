/* recipe.h - runs a recipe: registry, threads, Lua state and run directory of one execution.
 *
 * hone_recipe_run() executes the file from its top and cleans up. A recipe reads the files it is given: paths
 * under its own folder, the current folder and HONE_DATA, whatever the command line named, and what --allow
 * grants. [control-thread] */
#ifndef HONE_CORE_LUA_RECIPE_H
#define HONE_CORE_LUA_RECIPE_H
#include "lua/api.h"

/* The file that NAME stands for: a path, or NAME.lua of the shipped recipes. hone_free it. E_NOT_FOUND with what
 * there is. */
hone_status hone_recipe_locate(const char *name, char **path);
/* Executes the recipe. HONE_E_INTERRUPTED after a signal (a checkpoint was written). */
hone_status hone_recipe_run(const hone_recipe_options *o);
/* The recipe language as a shell: lines of standard input, `hone` loaded as a global. prompt: show one. */
hone_status hone_recipe_shell(int prompt);
/* A file that makes components in Lua, for the validator: runs it with `hone` as a global, and gives the registry
 * that its components are in. A table it returns is one component, or has functions named by kinds that make one. The
 * state stays open until the process ends. */
hone_status hone_recipe_components(const char *path, hone_registry **out);
/* The same for the text of a file, in a process that is a box: without plugins of others, with one thread. */
hone_status hone_recipe_boxed(hone_str text, const char *name, hone_registry **out);
/* What a verb needs to use components as a recipe does: registry, grants, threads, the desk for models, a Lua state. One at a
 * time in a process; `o` and what it points to must outlive it. `dir`: of require and of files beside it. */
hone_status hone_recipe_open(const hone_recipe_options *o, const char *dir, hone_recipe **out);
/* Instances made in it must be gone. NULL is allowed. [control-thread] */
void hone_recipe_close(hone_recipe *r);
/* The component that the Lua file `path` makes: what it returns is one of hone.judge's, hone.jury's, ... (their tables hold
 * `component`), or a table with `kind` and functions. A reference is taken; hone_recipe_close comes after it is given back.
 * E_INVALID when it returns something else. */
hone_status hone_recipe_component(hone_recipe *r, const char *path, const char *kind,
                                  hone_instance **out);
/* From a signal handler: the run stops after its step. */
void hone_recipe_interrupt(void);
/* A data file of the recipe: beside it, in the current folder, in HONE_DATA. hone_free it. */
hone_status hone_recipe_file(const hone_recipe *r, const char *name, char **path);
#endif
