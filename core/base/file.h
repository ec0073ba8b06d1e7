/* file.h - files, all or nothing.
 *
 * Reading checks sizes; writing of whole files goes beside the target, is fsynced and renamed, so a
 * reader sees the old file or the new one. Appending writers flush whole records. Every write of the
 * program passes through hone_file_write(), where tests inject a full disk (HONE_FAULT_ENOSPC=bytes
 * in the environment of developer builds, or hone_file_fault_after()). Paths are UTF-8 C strings. */
#ifndef HONE_CORE_BASE_FILE_H
#define HONE_CORE_BASE_FILE_H
#include "base/buf.h"

#include <sys/types.h>

hone_status hone_file_read(const char *path, size_t max, hone_buf *out); /* E_LIMIT past max */
/* Whole-file replace: path.tmp-<pid> , fsync, rename, fsync of the folder. */
hone_status hone_file_replace(const char *path, const void *p, size_t n);

/* A mapped file, read-only. `ptr` is NULL for an empty file. */
typedef struct hone_mapped {
    const unsigned char *ptr;
    size_t len;
} hone_mapped;
hone_status hone_file_map(const char *path, hone_mapped *out);
void hone_file_unmap(hone_mapped *m);
/* Bytes of a mapping that are not needed soon: whole pages of them leave memory, and come back from the file
 * when they are read again. */
void hone_file_forget(const void *p, size_t n);

/* A buffered writer: new file (beside the target until closed) or append. A device or a pipe is written to
 * directly, and stays what it is. */
typedef struct hone_writer {
    int fd;
    hone_status failed;
    char *path, *tmp; /* tmp NULL when appending, and for a device or a pipe */
    unsigned char *buf;
    size_t n;
    uint64_t written; /* bytes accepted so far (offset in the file when appending) */
} hone_writer;
hone_status hone_writer_create(hone_writer *w, const char *path);
hone_status hone_writer_append(hone_writer *w, const char *path);
hone_status hone_writer_add(hone_writer *w, const void *p, size_t n); /* errors are sticky */
hone_status hone_writer_flush(hone_writer *w, int sync);
hone_status hone_writer_close(hone_writer *w); /* flush, fsync, rename into place */
void hone_writer_abandon(hone_writer *w);      /* drop: the target is as it was */

hone_status hone_file_write_fd(int fd, const void *p, size_t n,
                               const char *path); /* the choke point */
void hone_file_fault_after(int64_t bytes); /* tests: ENOSPC after so many more bytes; -1 = never */

/* open(2) to read. While it runs, `at_work` is set on this thread: who watches what a plugin opens (`hone plugin validate`)
 * tells by it what the host opens for itself, or as an interface of the host says. -1 and errno on failure. */
int hone__open_read(const char *path, int flags);
extern _Thread_local int hone__open_at_work;
/* read(2) that goes on after EINTR, at most 1 GiB at once; -1 and errno on failure. */
ssize_t hone__read_some(int fd, void *p, size_t n);

int hone_file_exists(const char *path);
int hone_file_is_dir(const char *path);
hone_status hone_file_size(const char *path, uint64_t *out);
hone_status hone_mkdirs(const char *path);
hone_status hone_remove_tree(const char *path);
hone_status hone_fsync_dir(const char *path);
hone_status hone_file_truncate(const char *path, uint64_t size); /* and fsync */
hone_status hone_file_copy(const char *from, const char *to);    /* atomic at `to` */
/* Names in a folder, sorted by bytes, without "." and ".."; free with hone_names_free. */
hone_status hone_list_dir(const char *path, char ***names, size_t *n);
void hone_names_free(char **names, size_t n);
/* a + "/" + b into a new string; b alone when absolute. NULL on no memory. */
char *hone_path_join(const char *a, const char *b);
const char *hone_path_base(const char *path); /* borrowed: after the last slash */
char *hone_path_dir(const char *path);        /* new string: before it, or "." */
#endif
