/* rows.h - the rows of one file, as JSON texts in batches. See rows.c, csv.c, text.c. */
#ifndef HONE_SOURCES_ROWS_H
#define HONE_SOURCES_ROWS_H
#include "batch.h"
#include "bytes.h"

typedef enum kind {
    KIND_JSONL,
    KIND_JSON,
    KIND_CSV,
    KIND_TSV,
    KIND_TEXT,
    KIND_DUCKDB, /* whatever the DuckDB program reads; it writes an object a line */
    KIND_UNKNOWN
} kind;
enum { SPLIT_FILE, SPLIT_PARAGRAPH, SPLIT_LINE }; /* of text */

/* What the settings say; texts are borrowed and end with NUL. */
typedef struct options {
    int skip_bad; /* on_error */
    size_t max_row;
    char separator; /* of csv; 0: by kind */
    int no_header;
    const char *types, *columns; /* "name:type,..." and "name,name"; "" for none */
    int split_text;
    const char *program, *query, *table; /* of DuckDB */
    const char *wanted;                  /* of DuckDB: columns in quotes, "a","b"; NULL: all */
    int64_t limit;                       /* of DuckDB: at most so many rows; -1: all */
} options;

struct csv; /* csv.c */
enum { ROWS_POSITION = 64, WINDOW = 256 * 1024 };
typedef struct rows {
    memory mem;
    const hone_host *host;
    kind kind;
    const options *opt;
    const char *path, *shown; /* shown: the column "path" of text */
    bytes *file;
    struct csv *csv;
    /* the window: bytes [begin, end) of `cap`; `begin` is byte `at` of the stream */
    char *window;
    size_t begin, end, cap, scanned; /* scanned: bytes after begin already looked at */
    int at_end;
    /* where we stand */
    uint64_t row, at, line, skipped, size, fingerprint;
    uint32_t phase;
    /* scan of a row, kept while the window fills */
    unsigned depth, in_string, escaped, state;
    size_t opened; /* csv: where the last quote was opened */
    text json;     /* a row made here */
    batch *out;
    char error[1200];
} rows;

/* All give 0 or an errno with the text in r->error (rows_open: in err). */
int rows_open(const hone_host *host, const memory *mem, kind k, const char *path, const char *shown,
              const options *opt, batch *out, rows **rows_out, char *err, size_t err_size);
void rows_close(rows *r); /* NULL allowed */
/* Adds rows to the batch until it is full or the file ends. */
int rows_next(rows *r, int *ended);
void rows_tell(const rows *r, unsigned char p[ROWS_POSITION]);
int rows_seek(rows *r, const unsigned char *p); /* NULL: to the start */

/* Between rows.c, csv.c and text.c. */
int rows_fail(rows *r, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int rows_fill(rows *r);
void rows_consume(rows *r, size_t n);
int rows_pass_mark(rows *r);
int rows_find_line(rows *r, size_t *n, size_t *take);
/* text.c: n 0 at the end. */
int rows_find_text(rows *r, size_t *n, size_t *take);
/* r->json of the bytes found; *why a text when they are bad, at *at. */
int rows_make_text(rows *r, size_t n, const char **why, size_t *at);
/* csv.c */
int csv_open(rows *r);
void csv_close(rows *r);
int csv_start(rows *r); /* at the first record: passes over the header */
int csv_find(rows *r, size_t *n, size_t *take);
int csv_make(rows *r, size_t n, char *why, size_t why_size); /* EINVAL: a bad row, with why */

#endif
