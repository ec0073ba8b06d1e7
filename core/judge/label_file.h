/* label_file.h - labels of experts to and from files: JUDGE's label row as JSONL or CSV.
 *
 * A row has item, expert, and score or choice or criteria; the rest may be absent: prompt_id, seconds, at, batch, probability,
 * duplicate, comment, split. In CSV criteria are columns `criteria.<id>`, and an empty cell is an absent one. Columns of other names
 * are slices, and are written beside the rest. */
#ifndef HONE_CORE_JUDGE_LABEL_FILE_H
#define HONE_CORE_JUDGE_LABEL_FILE_H
#include "base/json.h"
#include "judge/book.h"

/* All present labels of the book; *n (or NULL) is how many. The file is replaced whole. */
hone_status hone_labels_export(hone_book *book, const char *path, int csv, size_t *n);

/* Is it a name of the row's own? What is not is a slice. */
int hone_label_is_column(hone_str name);
/* A label row; texts are the row's or lie in the arena. E_TYPE, E_INVALID naming the column. */
hone_status hone_label_row_read(const hone_value *row, hone_arena *arena, hone_label *out);

typedef struct hone_label_import {
    size_t settled;            /* rows of settlements, left out */
    size_t rows, stored, same; /* read; new or changed; there already with the same words */
    size_t replaced; /* of the stored: another answer of the same expert to the item was there */
    size_t unknown;  /* of items that the book does not know */
} hone_label_import;
/* Puts a label in, unless it is there already. Within hone_book_begin and commit, many together are fast, and all or none. */
hone_status hone_label_import_row(hone_book *book, const hone_label *label, hone_label_import *sum);
#endif
