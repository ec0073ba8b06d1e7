/* package.h - one plugin as one file: NAME-VERSION.tar.zst with NAME.so, NAME.json and NAME.sig.
 *
 * The archive is a plain ustar of regular files at its top, compressed with zstd. The reader takes exactly those three
 * members (the signature may be missing) and refuses everything else: folders, links, other names, a name with a
 * slash, a member twice, sizes beyond 256 MiB. Nothing is written while reading. (plugin-abi.md 6, 9) */
#ifndef HONE_CORE_ABI_PACKAGE_H
#define HONE_CORE_ABI_PACKAGE_H
#include "base/buf.h"

typedef struct hone_package {
    char name[64];                   /* of the plugin: letters, digits, _ - + and dots inside */
    hone_str so, sidecar, signature; /* borrowed from the archive's bytes; {NULL,0}: missing */
} hone_package;

/* Appends the compressed archive. E_INVALID for a name that the reader would refuse. [any-thread] */
hone_status hone_package_write(const hone_package *p, hone_buf *out);
/* Decompresses into `tar` and finds the members in it. `place` goes into errors. E_PARSE. [any-thread] */
hone_status hone_package_read(const void *bytes, size_t n, const char *place, hone_buf *tar,
                              hone_package *out);
/* The members of an archive that is decompressed already. */
hone_status hone_package_members(hone_str tar, const char *place, hone_package *out);
#endif
