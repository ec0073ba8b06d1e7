/* lineage.h - where every row of a file that `hone data` wrote came from: one SQLite file beside it.
 *
 *   file(id, path)        first sources, as they were named
 *   chain(id, steps)      what was done, in order: a JSON list of {"verb", "settings"}
 *   row(n, file, line, hash, chain, own)   row n of the data file (from 1): the line of the file it was, XXH3-128 of its bytes there;
 *                         own: XXH3-64 of its bytes in the data file, by which a file that was changed since is found out
 *   kept(n, path, line, hash, steps)  a view of all three
 *
 * The key idea: where an input has such a file itself, its rows' origins are carried on, so that after any number of steps a row
 * names the file it came from at first, and the steps in between; intermediate files may be deleted. Rows come in order, so an
 * input's file is read along, not looked up.
 *
 * A file is cut back to n rows when a job goes on (hone_lineage_open). Everybody can open it with sqlite3.
 * All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_LINEAGE_H
#define HONE_CORE_CURATE_LINEAGE_H
#include "base/hash.h"
#include "base/json.h"

typedef struct hone_lineage hone_lineage;

typedef struct hone_origin {
    uint32_t file; /* of hone_lineage_file */
    uint64_t line;
    hone_hash128 hash;
    uint32_t chain; /* of hone_lineage_chain */
    uint64_t own;   /* hone_lineage_own of the row as it is written */
} hone_origin;

/* Made where it is not there; rows behind the first `rows` are taken away. */
hone_status hone_lineage_open(const char *path, uint64_t rows, hone_lineage **out);
void hone_lineage_close(hone_lineage *l); /* NULL is allowed; what was not committed is gone */
/* The number of a path and of a chain of steps (a JSON list of {"verb","settings"}), the same each time. */
hone_status hone_lineage_file(hone_lineage *l, hone_str path, uint32_t *id);
hone_status hone_lineage_chain(hone_lineage *l, hone_str steps, uint32_t *id);
hone_status hone_lineage_put(hone_lineage *l, const hone_origin *o); /* the next row */
hone_status hone_lineage_commit(hone_lineage *l);

/* Reading an input's own file along. */
typedef struct hone_lineage_reader hone_lineage_reader;
/* *out is NULL where the data file `data` has none. E_PARSE: it is damaged. */
hone_status hone_lineage_look(const char *data, hone_lineage_reader **out);
void hone_lineage_reader_close(hone_lineage_reader *r);
/* Row n (from 1): its origin, path and steps; good until the next call. E_STATE: the file knows fewer rows; the row's own hash (o->own
 * is given) is another. */
hone_status hone_lineage_read(hone_lineage_reader *r, uint64_t n, hone_origin *o, hone_str *path,
                              hone_str *steps);
uint64_t hone_lineage_own(hone_str row);
/* "<data>.lineage" in a new string. */
char *hone_lineage_name(const char *data);
#endif
