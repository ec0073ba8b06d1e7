/* table.h - an array of numbers of 64 bits in a file, one a row: what must be known of every row and may be more than memory.
 *
 * Appended to while rows are read, mapped while it is used; pages that are not used leave memory by the system's choice. 8 bytes a row.
 * All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_TABLE_H
#define HONE_CORE_CURATE_TABLE_H
#include "base/file.h"

typedef struct hone_table {
    hone_writer w; /* while it is written; fd -1: not */
    char *path;
    uint64_t *v; /* while it is mapped */
    size_t n;
} hone_table;

/* Goes on behind the first n numbers; a longer file is cut, a missing one made. */
hone_status hone_table_open(hone_table *t, const char *dir, const char *name, uint64_t n);
hone_status hone_table_add(hone_table *t, uint64_t value);
hone_status hone_table_flush(hone_table *t); /* what was added is on disk */
/* Now t->v[0 .. t->n) can be read and written; what is written there stays in the file. */
hone_status hone_table_map(hone_table *t);
hone_status hone_table_sync(hone_table *t); /* what was written to t->v is on disk */
void hone_table_release(hone_table *t);     /* one that is zero is allowed; the file stays */
#endif
