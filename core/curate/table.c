/* table.c - see table.h. */
#include "curate/table.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

hone_status hone_table_open(hone_table *t, const char *dir, const char *name, uint64_t n)
{
    uint64_t bytes, there = 0;
    memset(t, 0, sizeof *t);
    t->w.fd = -1;
    t->path = hone_path_join(dir, name);
    if (!t->path)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    if (n > SIZE_MAX / 8)
        s = hone_fail(HONE_E_LIMIT, "%s: too many rows", t->path);
    bytes = n * 8;
    if (s >= 0 && hone_file_exists(t->path))
        s = hone_file_size(t->path, &there);
    if (s >= 0 && there < bytes)
        s = hone_fail(HONE_E_STATE, "%s: it is shorter than what was written", t->path);
    if (s >= 0 && there > bytes)
        s = hone_file_truncate(t->path, bytes);
    if (s >= 0)
        s = hone_writer_append(&t->w, t->path);
    if (s < 0) {
        t->w.fd = -1;
        hone_table_release(t);
        return s;
    }
    t->n = (size_t)n;
    return HONE_OK;
}

hone_status hone_table_add(hone_table *t, uint64_t value)
{
    t->n++;
    return hone_writer_add(&t->w, &value, sizeof value);
}

hone_status hone_table_flush(hone_table *t)
{
    return hone_writer_flush(&t->w, 1);
}

hone_status hone_table_map(hone_table *t)
{
    if (t->w.fd >= 0)
        HONE_TRY(hone_writer_close(&t->w));
    if (t->n == 0)
        return HONE_OK;
    int fd = open(t->path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return hone_fail_errno("%s", t->path);
    void *p = mmap(NULL, t->n * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return hone_fail_errno("%s: cannot be mapped", t->path);
    t->v = p;
    return HONE_OK;
}

hone_status hone_table_sync(hone_table *t)
{
    if (t->v && msync(t->v, t->n * 8, MS_SYNC) != 0)
        return hone_fail_errno("%s: cannot be made lasting", t->path);
    return HONE_OK;
}

void hone_table_release(hone_table *t)
{
    if (!t->path)
        return;
    if (t->w.fd >= 0)
        hone_writer_abandon(&t->w);
    if (t->v)
        munmap(t->v, t->n * 8);
    hone_free(t->path);
    memset(t, 0, sizeof *t);
    t->w.fd = -1;
}
