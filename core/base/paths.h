/* paths.h - where hone finds its own files: plugins, Lua scripts, the embedded model.
 *
 * In a build tree (build/hone.tree beside the program, or two folders above a test program, holds
 * the source root) they are the tree's; otherwise those of the installed prefix. Looked up once;
 * the strings live as long as the process. Nothing here fails: a folder that is not there is found
 * out by whoever opens it. */
#ifndef HONE_CORE_BASE_PATHS_H
#define HONE_CORE_BASE_PATHS_H

const char *hone_paths_plugins(void); /* build/plugins or $libdir/hone/plugins   [any-thread] */
const char *hone_paths_lib(void);     /* scripts/lib or $datadir/hone/lib        [any-thread] */
const char *hone_paths_recipes(void); /* scripts/recipes or $datadir/hone/recipes [any-thread] */
const char *hone_paths_rubrics(void); /* scripts/rubrics or $datadir/hone/rubrics [any-thread] */
const char *hone_paths_assets(void);  /* assets or $datadir/hone/assets          [any-thread] */
const char *hone_paths_sdk(void);     /* sdk or $datadir/hone/sdk                [any-thread] */
const char *hone_paths_docs(void);    /* docs or $docdir/docs: pages to read     [any-thread] */
const char *hone_paths_source_root(void); /* NULL when installed                     [any-thread] */
const char *hone_paths_program(void);     /* the running program                     [any-thread] */
/* $XDG_CACHE_HOME/hone, else $HOME/.cache/hone, else /tmp/hone-cache.               [any-thread] */
const char *hone_paths_cache(void);
#endif
