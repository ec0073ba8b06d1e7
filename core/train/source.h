/* source.h - rows: from a source plugin through map, filter, shuffle, ... to the recipe.
 *
 * A hone_data is an iterator of rows (HONE_MAP values). Sources are read through Arrow streams; stages
 * stand on another hone_data and own it. The state of a whole chain is a small JSON value: save it with
 * a checkpoint, restore it, and the same rows follow. Lua functions plug in as callbacks.
 *
 *   hone_data *d;
 *   hone_data_open(registry, "jsonl", settings, &d);
 *   hone_data_shuffle(&d, seed, 0);
 *   hone_data_epochs(&d, 0);
 *   while ((s = hone_data_next(d, &arena, &row)) > 0) { ...; hone_arena_clear(&arena); }
 *   hone_data_close(d);
 *
 * Each stage function takes the chain in *d and puts the longer chain there; on failure *d is what it
 * was. Randomness: base/rng by (seed, purpose, epoch, row), so order depends on nothing else.
 * Everything here is [control-thread]. (recipes-and-cli.md; architecture.md, step 1) */
#ifndef HONE_CORE_TRAIN_SOURCE_H
#define HONE_CORE_TRAIN_SOURCE_H
#include "host/registry.h"
#include "base/json.h"

typedef struct hone_data hone_data;

/* A source by name and settings (a map, or NULL). */
hone_status hone_data_open(hone_registry *r, const char *name, const hone_value *settings,
                           hone_data **out);
/* A source instance that is there already (one written in Lua); takes a reference. */
hone_status hone_data_open_instance(hone_instance *inst, hone_data **out);
/* Rows in memory, copied: a list of maps. */
hone_status hone_data_open_list(const hone_value *list, hone_data **out);
void hone_data_close(hone_data *d); /* NULL allowed; the whole chain */

/* The next row into *row, its memory in `arena`: 1, or 0 at the end, or an error, which says source and
 * place. After an error the chain must be restored or closed. */
hone_status hone_data_next(hone_data *d, hone_arena *arena, hone_value *row);
/* From the start. `epoch` reseeds shuffles: another order for another epoch. */
hone_status hone_data_rewind(hone_data *d, uint64_t epoch);
/* Rows that will come in all from the start, -1 when not known without reading. */
int64_t hone_data_count(hone_data *d);
/* Malformed rows left out so far by the sources of the chain. */
int64_t hone_data_skipped(hone_data *d);

/* Where the chain stands, as a JSON value; and back. E_STATE when it is of another chain or the data
 * changed. The stages must be the same ones in the same order. */
hone_status hone_data_save(hone_data *d, hone_jw *w);
hone_status hone_data_restore(hone_data *d, const hone_value *state);

/* ---- stages ---------------------------------------------------------------------------------------- */

/* fn: 1 keeps *out (memory in `arena`; presets to *in), 0 leaves the row out, or an error. `place` says which row
 * it is: the pass over the data (0 for the first) and the row in it (1 for the first); a restored chain
 * gives a row the same place again, so what is drawn at random by it is the same too.
 * drop(ctx) when the chain is closed; may be NULL. map and filter of recipes are both this. */
typedef struct hone_data_place {
    uint64_t epoch, row;
} hone_data_place;
typedef hone_status (*hone_data_fn)(void *ctx, hone_data_place place, hone_arena *arena,
                                    const hone_value *in, hone_value *out);
hone_status hone_data_map(hone_data **d, hone_data_fn fn, void *ctx, void (*drop)(void *ctx));
/* Only these columns, in this order; a source that can read less is asked to (push_down). E_NOT_FOUND when a row, or the
 * source, has no column of that name. */
hone_status hone_data_select(hone_data **d, const hone_str *columns, size_t n);
/* Random order. Rows are read in blocks of `block` (0 = 1,000,000; a block ends early at 1 GiB), each
 * permuted by a Feistel network keyed by seed, epoch and block; so the state is two numbers, and data of
 * at most a block is shuffled as a whole. */
hone_status hone_data_shuffle(hone_data **d, uint64_t seed, uint64_t block);
hone_status hone_data_take(hone_data **d, uint64_t n); /* the first n of each epoch */
hone_status hone_data_skip(hone_data **d, uint64_t n); /* all but the first n of each epoch */
/* The rows `n` times over (0: for ever), each time with its own order of the shuffles below. Data
 * without a single row ends at once. */
hone_status hone_data_epochs(hone_data **d, uint64_t n);
/* Rows whose hash of column `by` (all columns when NULL) lies in [from, to) of [0, 1): the same column
 * value is always on the same side, so nothing of a group leaks. A row without the column is E_NOT_FOUND. */
hone_status hone_data_split(hone_data **d, const char *by, uint64_t seed, double from, double to);
/* Draws each row from one of the n chains, by weight, until all are at their end (one that ended is left
 * out; `stop` 1: until the first is). Takes the n chains over on success. */
hone_status hone_data_mix(hone_data **from, const double *weights, size_t n, uint64_t seed,
                          int stop, hone_data **out);
/* Lists of n rows: each next is then a HONE_LIST. partial 1: the last may be shorter, 0: it is left out. */
hone_status hone_data_batches(hone_data **d, uint64_t n, int partial);
#endif
