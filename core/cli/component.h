/* component.h - what verbs about components share: the registry of the command line, settings given as
 * key=value, components by name and interface. */
#ifndef HONE_CORE_CLI_COMPONENT_H
#define HONE_CORE_CLI_COMPONENT_H
#include "host/registry.h"
#include "base/json.h"
#include "cli/args.h"
#include "train/source.h"

/* The search path with the folders of --plugin-path in front. [control-thread] */
hone_status hone_cli_open_registry(const hone_arg_list *plugin_paths, hone_registry **out);

/* Settings of `fields` from "key=value" texts: numbers, booleans, lists and maps as JSON, texts as they
 * are. `more` (a map, or NULL) is set first. Memory in `arena`. E_USAGE for a text without "=". Keys are
 * checked by the component's table later. [control-thread] */
hone_status hone_cli_settings(const hone_field *const *fields, const hone_arg_list *sets,
                              const hone_value *more, hone_arena *arena, hone_value *out);

/* An instance of the component `name` that offers `iface`, with those settings. [control-thread] */
hone_status hone_cli_instance(hone_registry *r, const char *kind, const char *iface,
                              const char *name, const hone_arg_list *sets, const hone_value *more,
                              hone_arena *arena, hone_instance **out, hone_ref *ref);

/* The rows of a file by the source `source`, or when that is NULL by json for an array and jsonl for anything
 * else (told by the first byte that is no white space; packed files by the name). A relative path is
 * looked for in the current folder, then in HONE_DATA. on_error: "stop" or "skip". [control-thread] */
hone_status hone_cli_open_data(hone_registry *r, const char *source, const char *path,
                               const char *on_error, hone_data **out);
/* The same with settings of the source. */
hone_status hone_cli_open_data_set(hone_registry *r, const char *source, const char *path,
                                   const char *on_error, const hone_arg_list *sets,
                                   hone_data **out);
#endif
