/* bytes.h - the bytes of a file, plain, gzip or zstd: which one its first bytes say. See bytes.c. */
#ifndef HONE_SOURCES_BYTES_H
#define HONE_SOURCES_BYTES_H
#include "grow.h"

typedef struct bytes bytes;
/* All give 0 or an errno, and put a text into err (of err_size bytes) then. */
int bytes_open(const memory *mem, const char *path, bytes **out, char *err, size_t err_size);
/* What the DuckDB program writes of the file (or of its table, or of a query) behind the first `offset` rows: an
 * object a line. It cannot be sought. ENOTSUP: the program is not there. */
struct options; /* rows.h */
int bytes_query(const memory *mem, const char *path, const struct options *opt, uint64_t offset,
                bytes **out, char *err, size_t err_size);
void bytes_close(bytes *b); /* NULL allowed; ends the program, too */
/* Up to n bytes; *got 0 only at the end. */
int bytes_read(bytes *b, void *to, size_t n, size_t *got, char *err, size_t err_size);
/* To byte `offset` of the uncompressed stream, from its start. */
int bytes_seek(bytes *b, uint64_t offset, char *err, size_t err_size);
uint64_t bytes_file_size(const bytes *b);
uint64_t bytes_fingerprint(const bytes *b); /* of the first 4096 bytes as they lie in the file */
const char *bytes_kind(const bytes *b);     /* "plain", "gzip", "zstd" */
#endif
