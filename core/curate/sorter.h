/* sorter.h - a sort of any number of small records in a fixed memory: sorted runs on disk, merged as they are read.
 *
 * A record is 1 to 4 words of 64 bits, compared word by word; so equal keys come together, in the order of what follows the key. Records
 * gather in memory; a full memory is sorted and written as a run. When FAN runs of one level are there they become one of the next, so
 * that a merge never has more than some hundred files open. A sort that fits in memory touches no disk.
 *
 * Runs are whole files whose names are not used twice; hone_sorter_note says which there are, and hone_sorter_open goes on with them after a
 * kill. All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_SORTER_H
#define HONE_CORE_CURATE_SORTER_H
#include "base/json.h"

enum { HONE_SORTER_WORDS = 4 };

typedef struct hone_sorter hone_sorter;

/* Runs lie in `dir` as <name>.<level>.<number>. `memory` bytes of records (0: 32 MiB). `state`: what hone_sorter_note wrote, or NULL;
 * other files of that name are removed. */
hone_status hone_sorter_open(const char *dir, const char *name, size_t words, size_t memory,
                             const hone_value *state, hone_sorter **out);
void hone_sorter_close(hone_sorter *s); /* the runs stay; NULL is allowed */
hone_status hone_sorter_add(hone_sorter *s, const uint64_t *record);
/* Everything added so far lies in runs on disk, and `w` gets what to give to hone_sorter_open (a map's value). */
hone_status hone_sorter_flush(hone_sorter *s);
void hone_sorter_note(hone_sorter *s, hone_jw *w);
/* From the first record in order; nothing may be added any more. May be called again. */
hone_status hone_sorter_rewind(hone_sorter *s);
/* The next record: 1, or 0 at the end. Good until the next call. */
hone_status hone_sorter_next(hone_sorter *s, const uint64_t **record);
/* Takes its runs off the disk. */
hone_status hone_sorter_remove(hone_sorter *s);
#endif
