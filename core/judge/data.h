/* data.h - a table written in Lua, read as data: rubrics, prompts, settings of judges.
 *
 * The text is a Lua chunk that returns a table. It runs with an empty environment: no function of any library is in
 * reach, metatables neither; what it can do is arithmetic, concatenation and local tables. Instructions and memory are
 * limited, and what it returns must be a tree of nil, booleans, numbers, strings and tables: a function, a cycle, a mixed
 * table or a text that is not UTF-8 is an error that names its place ("criteria[2].text").
 *
 * A table with the keys 1..n is a list; others are maps, sorted by key, so the same data gives the same tree in whatever
 * order it was written. An empty table is an empty list. */
#ifndef HONE_CORE_JUDGE_DATA_H
#define HONE_CORE_JUDGE_DATA_H
#include "base/json.h"

/* `name` (a path) is put in errors. The tree lives in `arena`. E_PARSE for what is not Lua or no data, with its place;
 * E_SCRIPT when running it fails, as a recipe's code does here at its first call; E_LIMIT. [any-thread] */
hone_status hone_data_read(const char *text, size_t len, const char *name, hone_arena *arena,
                           hone_value *out);
hone_status hone_data_read_file(const char *path, hone_arena *arena, hone_value *out);
/* A copy of a tree that came from elsewhere (a recipe's table), with the maps by key, as hone_data_read gives it. */
hone_status hone_data_sorted(const hone_value *v, const char *name, hone_arena *arena,
                             hone_value *out);
/* Canonical JSON: maps by key, no spaces, numbers in their shortest form (2.0 and 2 are both 2). */
void hone_data_canonical(hone_jw *w, const hone_value *v);
/* The canonical JSON of a map without its member `but`, in `arena`, and its sha256. */
hone_status hone_data_hash(const hone_value *map, const char *but, hone_arena *arena,
                           hone_str *json, char hash[65]);
#endif
