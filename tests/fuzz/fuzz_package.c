/* fuzz_package.c - any bytes as a package file: it is refused, or what was read is whole. */
#include "abi/package.h"
#include "abi/trust.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_package p;
    hone_buf tar, again;
    hone_str raw = {(const char *)data, size};
    hone_buf_init(&tar, (size_t)16 << 20);
    hone_buf_init(&again, (size_t)16 << 20);
    (void)hone_package_read(data, size, "input", &tar, &p);
    if (hone_package_members(raw, "input", &p) == HONE_OK) {
        const hone_str parts[3] = {p.so, p.sidecar, p.signature};
        for (int i = 0; i < 3; i++) /* inside the input */
            if (parts[i].ptr && (parts[i].ptr < raw.ptr || parts[i].len > size ||
                                 (size_t)(parts[i].ptr - raw.ptr) > size - parts[i].len))
                abort();
        if (strchr(p.name, '/') || p.name[0] == '.' || hone_package_write(&p, &again) < 0)
            abort();
    }
    hone_buf_release(&tar);
    hone_buf_release(&again);
    return 0;
}
