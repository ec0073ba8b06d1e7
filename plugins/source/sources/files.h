/* files.h - which files a path stands for: one, a folder of texts, a data set's folder. See files.c. */
#ifndef HONE_SOURCES_FILES_H
#define HONE_SOURCES_FILES_H
#include "rows.h"

typedef struct part {
    char *path, *shown; /* shown: below the folder */
    kind kind;
} part;
typedef struct parts {
    part *v;
    size_t n, cap;
} parts;

/* All give 0 or an errno with a text in err. Strings end with NUL. */
void parts_free(const memory *mem, parts *p);
int parts_add(const memory *mem, parts *p, const char *path, const char *shown, kind k);
uint64_t parts_fingerprint(const parts *p);
/* What a file's name, then its first bytes, say. KIND_UNKNOWN: neither. */
kind kind_of_name(const char *path);
kind kind_of_file(const memory *mem, const char *path);
/* Is it a database of SQLite, by its first bytes? */
int is_sqlite(const memory *mem, const char *path);
/* Files below the folder in the order of their names, at most 16 folders deep; hidden ones and links to folders are
 * left out. `extensions`: "txt,md", "" for all. */
int list_folder(const memory *mem, const char *folder, const char *extensions, parts *out,
                char *err, size_t err_size);
/* dataset.c: the files of a Hugging Face data-set folder that belong to a configuration and split ("" : the only or
 * default one; split "all": every one). */
int list_dataset(const memory *mem, const char *folder, const char *config, const char *split,
                 parts *out, char *err, size_t err_size);
#endif
