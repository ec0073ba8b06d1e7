/* fuzz_records.c - files of recorded calls: read or refused, never more; what was read lies inside the file. */
#include "host/record.h"
#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static volatile unsigned sum;
    static const char head[] = "hone-record 1\n";
    char path[40];
    hone_records all;
    if (fd < 0)
        fd = memfd_create("records", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, head, sizeof head - 1, 0) < 0 ||
        pwrite(fd, data, size, sizeof head - 1) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (hone_records_read(path, &all) >= 0) {
        for (size_t i = 0; i < all.n; i++) {
            for (size_t k = 0; k < all.v[i].call_len; k++)
                sum += all.v[i].call[k];
            for (size_t k = 0; k < all.v[i].result_len; k++)
                sum += all.v[i].result[k];
        }
        hone_records_free(&all);
    }
    return 0;
}
