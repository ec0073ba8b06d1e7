/* loader.h - one shared object file: is it a plugin, and does it fit this host?
 *
 * Checks go from cheap to dear and stop at the first that fails, with a text that names the differing
 * field, both numbers and what to do: permissions, ELF header and symbol table (without running a line of
 * the file), the caller's check of its hash, dlopen (RTLD_NOW|RTLD_LOCAL), the entry, the magic block, every component and its table.
 * Models: PostgreSQL's magic block, CLAP's entry.
 *
 * What is checked is what is loaded: the file is opened once and copied into a sealed memfd, which is hashed, checked
 * and loaded through /proc/PID/fd/N (the number of the process instead of "self", so that a debugger finds it too).
 * Whoever replaces or rewrites the file in between changes nothing. Files that ship with hone, which lie in a folder
 * that only its owner writes, are hashed from the opened file and loaded by their path.
 *
 * Files are kept in one process-wide table by device and inode, so that init runs once however many
 * registries there are, and a file that had an instance is never dlclosed. [control-thread] */
#ifndef HONE_CORE_ABI_LOADER_H
#define HONE_CORE_ABI_LOADER_H
#include "base/error.h"
#include "hone/plugin.h"

typedef struct hone__loaded {
    void *handle;
    hone_entry entry; /* the file's, brought to the host's size */
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    int fd; /* the memfd, or -1: never closed while the library is mapped */
    int shipped;
    char sha256[65];
    unsigned refs, inits;
    int keep; /* had an instance: never dlclosed */
    struct hone__loaded *next;
} hone__loaded;

/* World-writable (or group-writable, unless by the user's own group): E_REFUSED. */
hone_status hone__loader_check_owner(const char *path);
/* An ELF shared object of this machine that defines hone_plugin_entry: E_ABI otherwise. *extra gets the
 * number of other symbols it exports (a plugin exports one). */
hone_status hone__loader_check_elf(const char *path, uint32_t *extra);
/* A magic block, an entry: what is wrong with them, named. `who` goes in front. */
hone_status hone__loader_check_magic(const char *who, const hone_magic *magic);
hone_status hone__loader_check_component(const char *who, const hone_component *c, int functions);
hone_status hone__loader_check_entry(const char *who, const hone_entry *entry);

/* Asked with the hash of the bytes that will be loaded, before any of them runs; a failure refuses the file. Asked at
 * every open, of a file that is loaded already too. */
typedef hone_status (*hone__loader_check_fn)(void *ctx, const char *sha256, int shipped);
/* `check` may be NULL. */
hone_status hone__loader_open(const char *path, hone__loader_check_fn check, void *ctx,
                              hone__loaded **out);
/* Opens and hashes the file as loading does, asks `check`, and closes it again. */
hone_status hone__loader_check(const char *path, hone__loader_check_fn check, void *ctx);
/* For a box. seal: a sealed copy of the file in *fd (the caller's), whatever folder it is from, its hash in sha256.
 * open_sealed: loads such a copy, which `name` is the name of in texts; the descriptor is the loader's from then on. */
hone_status hone__loader_seal(const char *path, hone__loader_check_fn check, void *ctx, int *fd,
                              char sha256[65]);
hone_status hone__loader_open_sealed(int fd, const char *name, hone__loaded **out);
void hone__loader_close(hone__loaded *file);
/* Runs init with the plugin-wide host, once per process; close pairs it with deinit. */
hone_status hone__loader_init(hone__loaded *file, const char *who, const hone_host *host);

/* Plugin's structs brought to the host's size: what an older SDK lacks is zero. */
hone_component hone__component_of(const hone_component *c);
#endif
