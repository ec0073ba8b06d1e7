/* files.h - what the sinks of files.so share: bytes that grow, fields of an event, files of the run directory.
 *
 * A sink writes below the run directory and nowhere else: its settings name a file or folder there, without a slash, so
 * that no recipe gets by a sink what it may not do itself. */
#ifndef HONE_SINK_FILES_H
#define HONE_SINK_FILES_H
#include "hone/plugin.h"
#include "hone/sink.h"

#include <stddef.h>
#include <stdio.h>

enum { FILES_BYTES_MAX = 1 << 28 };

/* Bytes that grow to at most FILES_BYTES_MAX; `failed` stays 1 once they could not. Zeros are an empty one. */
typedef struct files_bytes {
    char *p;
    size_t n, cap;
    int failed;
} files_bytes;
void files_add(files_bytes *b, const void *p, size_t n);
void files_addz(files_bytes *b, const char *z);
void files_clear(files_bytes *b); /* keeps the memory */
void files_free(files_bytes *b);

/* A field of an event, or NULL; as a number (0 when there is none) or a text. */
const hone_value *files_field(const hone_value *fields, const char *key);
int files_number(const hone_value *v, double *out);
int64_t files_step(const hone_value *fields, const char *key);
hone_str files_text(const hone_value *fields, const char *key);

/* 1 when `name` can name a file inside a folder: not empty, no slash, no leading dot, at most 100 bytes. */
int files_name_ok(hone_str name);
/* dir/name/leaf in a new string (leaf NULL: dir/name); NULL without memory. free() it. */
char *files_path(hone_str dir, const char *name, const char *leaf);
/* "what: reason of errno", for the call in progress. */
hone_status files_fail(const hone_host *host, const char *what, const char *path);

extern const hone_component files_tensorboard, files_csv;
#endif
