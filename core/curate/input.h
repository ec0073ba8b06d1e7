/* input.h - the rows of `hone data`: lines of JSON from files, standard input, or any source, batch by batch.
 *
 * A file of lines (.jsonl, .ndjson, not packed) is read as it is, and its rows keep their bytes, their line and their place in the
 * file. Everything else (csv, parquet, packed files, folders, databases) comes through its source, each row written as one line
 * of JSON. What must be read twice and cannot be (standard input, a source) is first copied to disk by hone_input_spool; from then on
 * every row has a place that can be gone back to.
 *
 * A batch is what lies whole in one window of some megabytes, so memory does not grow with the data; it is good until the next.
 * Empty lines are no rows; a byte order mark is passed over. A row is not checked here (scan.h does).
 * All calls [control-thread]; hone_input_fetch on one thread at a time. */
#ifndef HONE_CORE_CURATE_INPUT_H
#define HONE_CORE_CURATE_INPUT_H
#include "train/source.h"

enum { HONE_INPUT_MAX_ROW = 64 << 20 };

typedef struct hone_input hone_input;

typedef struct hone_input_row {
    hone_str text;  /* one JSON object, without its newline */
    uint64_t n;     /* of all rows, from 0 */
    uint64_t of;    /* of the rows of its file, from 1 */
    uint64_t line;  /* in its file, from 1; where the file is no file of lines: as `of` */
    uint64_t place; /* what hone_input_fetch takes */
    uint32_t file;  /* index of its path */
} hone_input_row;

/* Where the next row is. Zero: at the start. */
typedef struct hone_input_place {
    uint64_t file, at, line, of, n;
} hone_input_place;

typedef struct hone_input_spec {
    const char *const *paths; /* "-": standard input, lines of JSON */
    size_t n;
    int lines; /* 0: a file of lines goes through `open`, too (settings of a source were given) */
    /* The rows of a path that is no file of lines. */
    hone_status (*open)(void *ctx, const char *path, hone_data **out);
    void *ctx;
} hone_input_spec;

/* The paths are copied. E_NOT_FOUND: one that is not there. */
hone_status hone_input_open(const hone_input_spec *spec, hone_input **out);
void hone_input_close(hone_input *in); /* NULL is allowed */
/* What each path is, as a list of maps: its name, its size and time of change (none of standard input). */
hone_status hone_input_identity(const hone_input *in, hone_jw *w);
size_t hone_input_files(const hone_input *in);
const char *hone_input_path(const hone_input *in, uint32_t file);
/* Of all files of lines, and copies; 0 where that is not known. */
uint64_t hone_input_bytes(const hone_input *in);
/* Does standard input take part? */
int hone_input_has_stdin(const hone_input *in);
/* Malformed rows that sources left out so far. */
int64_t hone_input_skipped(const hone_input *in);

/* Copies what cannot be read twice into files in `dir`; one that is there whole is taken as it is. */
hone_status hone_input_spool(hone_input *in, const char *dir);

/* At most so many rows in a batch from now on (0: a window of them): where each costs much. */
void hone_input_limit(hone_input *in, size_t rows);
/* The next rows: 1, or 0 at the end. They belong to the input. */
hone_status hone_input_next(hone_input *in, const hone_input_row **rows, size_t *n);
/* Where the row after the last batch is; and back to such a place. A source that was not spooled goes there by reading. */
hone_input_place hone_input_tell(const hone_input *in);
hone_status hone_input_seek(hone_input *in, const hone_input_place *place);
/* The row at such a place; every file is one of lines or spooled. */
hone_status hone_input_fetch(hone_input *in, uint64_t place, hone_buf *row);
#endif
