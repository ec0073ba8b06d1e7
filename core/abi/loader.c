/* loader.c - opens one plugin file, or says exactly why not. See loader.h.
 *
 * The ELF reader looks at untrusted bytes: every offset is checked against the mapped size before it is
 * used. It only answers two questions (does it define the entry, does it export more) and leaves
 * everything else to the dynamic linker.
 * Source: System V ABI (ELF-64), plugin-abi.md sections 1, 5, 6. */
#include "abi/loader.h"

#include "abi/config.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/paths.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- who may have written it ------------------------------------------------------------------- */

/* A group that only this user is in: of the same name as the user, without other members. */
static int own_group(gid_t gid)
{
    char buf[4096];
    struct passwd pw, *p = NULL;
    struct group gr, *g = NULL;
    if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &p) != 0 || !p || p->pw_gid != gid)
        return 0;
    char user[256];
    snprintf(user, sizeof user, "%s", p->pw_name);
    if (getgrgid_r(gid, &gr, buf, sizeof buf, &g) != 0 || !g || strcmp(g->gr_name, user) != 0)
        return 0;
    for (char **m = g->gr_mem; m && *m; m++)
        if (strcmp(*m, user) != 0)
            return 0;
    return 1;
}

static hone_status check_owner(const char *path, const struct stat *st)
{
    const char *what = S_ISDIR(st->st_mode) ? "folder" : "file";
    if (st->st_mode & S_IWOTH) {
        hone_fail(HONE_E_REFUSED, "%s: the %s is writable by everybody", path, what);
        return hone_fail_hint("chmod o-w %s", path);
    }
    if ((st->st_mode & S_IWGRP) && !own_group(st->st_gid)) {
        hone_fail(HONE_E_REFUSED, "%s: the %s is writable by group %u", path, what,
                  (unsigned)st->st_gid);
        return hone_fail_hint("chmod g-w %s", path);
    }
    return HONE_OK;
}

hone_status hone__loader_check_owner(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return hone_fail_errno("%s", path);
    return check_owner(path, &st);
}

/* ---- ELF --------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
enum { HOST_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { HOST_MACHINE = EM_AARCH64 };
#elif defined(__riscv)
enum { HOST_MACHINE = EM_RISCV };
#else
enum { HOST_MACHINE = EM_NONE };
#endif

static hone_status not_plugin(const char *path, const char *why)
{
    size_t n = strlen(path);
    hone_fail(HONE_E_ABI, "%s: is no plugin: %s", path, why);
    if (n > 4 && strcmp(path + n - 4, ".lua") == 0)
        return hone_fail_hint("a file in Lua always runs in a box: it needs no trust and has no "
                              "signature; hone plugin validate FILE.lua tests it");
    return hone_fail_hint(
        "a plugin is a shared object built with hone.mk: see docs/write-a-reward.md");
}

static int within(uint64_t off, uint64_t n, uint64_t size)
{
    return off <= size && n <= size - off;
}

static int exported(const Elf64_Sym *sym)
{
    unsigned bind = ELF64_ST_BIND(sym->st_info), type = ELF64_ST_TYPE(sym->st_info);
    unsigned vis = ELF64_ST_VISIBILITY(sym->st_other);
    return sym->st_shndx != SHN_UNDEF && sym->st_shndx < SHN_LORESERVE &&
           (bind == STB_GLOBAL || bind == STB_WEAK || bind == STB_GNU_UNIQUE) &&
           (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE ||
            type == STT_GNU_IFUNC) &&
           (vis == STV_DEFAULT || vis == STV_PROTECTED);
}

static hone_status scan_symbols(const char *path, const hone_mapped *m, uint32_t *extra)
{
    static const char want[] = "hone_plugin_entry";
    Elf64_Ehdr h;
    memcpy(&h, m->ptr, sizeof h);
    if (h.e_shoff == 0 || h.e_shnum == 0)
        return HONE_OK; /* sections were stripped: dlsym will tell */
    if (h.e_shentsize != sizeof(Elf64_Shdr) ||
        !within(h.e_shoff, (uint64_t)h.e_shnum * sizeof(Elf64_Shdr), m->len))
        return not_plugin(path, "its section table lies outside the file");
    for (unsigned i = 0; i < h.e_shnum; i++) {
        Elf64_Shdr sec, str;
        memcpy(&sec, m->ptr + h.e_shoff + i * sizeof sec, sizeof sec);
        if (sec.sh_type != SHT_DYNSYM)
            continue;
        if (sec.sh_link >= h.e_shnum || !within(sec.sh_offset, sec.sh_size, m->len))
            return not_plugin(path, "its symbol table lies outside the file");
        memcpy(&str, m->ptr + h.e_shoff + sec.sh_link * sizeof str, sizeof str);
        if (!within(str.sh_offset, str.sh_size, m->len))
            return not_plugin(path, "its string table lies outside the file");
        int found = 0;
        uint32_t others = 0;
        for (uint64_t k = 0; k < sec.sh_size / sizeof(Elf64_Sym); k++) {
            Elf64_Sym sym;
            memcpy(&sym, m->ptr + sec.sh_offset + k * sizeof sym, sizeof sym);
            if (!exported(&sym))
                continue;
            if (within(sym.st_name, sizeof want, str.sh_size) &&
                memcmp(m->ptr + str.sh_offset + sym.st_name, want, sizeof want) == 0)
                found = 1;
            else
                others++;
        }
        if (!found)
            return not_plugin(path, "it does not export hone_plugin_entry");
        if (extra)
            *extra = others;
        return HONE_OK;
    }
    return not_plugin(path, "it has no dynamic symbols");
}

/* `place` is where the bytes are, `path` what errors call them. */
static hone_status check_elf(const char *path, const char *place, uint32_t *extra)
{
    hone_mapped m;
    Elf64_Ehdr h;
    hone_status s = HONE_OK;
    HONE_TRY(hone_file_map(place, &m));
    if (m.len < sizeof h || memcmp(m.ptr, ELFMAG, SELFMAG) != 0) {
        s = not_plugin(path, "not an ELF file");
        goto done;
    }
    memcpy(&h, m.ptr, sizeof h);
    if (h.e_ident[EI_CLASS] != ELFCLASS64) {
        s = not_plugin(path, "built for 32-bit machines, this hone is 64-bit");
    } else if (h.e_machine != HOST_MACHINE && (int)HOST_MACHINE != EM_NONE) {
        hone_fail(HONE_E_ABI, "%s: built for another processor (ELF machine %u, this is %u)", path,
                  h.e_machine, (unsigned)HOST_MACHINE);
        s = hone_fail_hint("build it on, or for, this machine");
    } else if (h.e_type != ET_DYN) {
        s = not_plugin(path, "an ELF file, but no shared object");
    } else {
        s = scan_symbols(path, &m, extra);
    }
done:
    hone_file_unmap(&m);
    return s;
}

hone_status hone__loader_check_elf(const char *path, uint32_t *extra)
{
    return check_elf(path, path, extra);
}

/* ---- what the file says of itself -------------------------------------------------------------- */

hone_status hone__loader_check_magic(const char *who, const hone_magic *magic)
{
    if (!magic)
        return hone_fail(HONE_E_ABI, "%s: its entry has no magic block (magic is NULL)", who);
    if (magic->struct_size < offsetof(hone_magic, reserved)) {
        hone_fail(HONE_E_ABI, "%s: magic.struct_size is %u, at least %zu is needed", who,
                  magic->struct_size, offsetof(hone_magic, reserved));
        return hone_fail_hint("fill the block with HONE_MAGIC(...) of the SDK");
    }
    if (magic->epoch != HONE_EPOCH) {
        hone_fail(HONE_E_ABI, "%s: magic.epoch is %u, this hone's is %u", who, magic->epoch,
                  HONE_EPOCH);
        return hone_fail_hint(magic->epoch > HONE_EPOCH
                                  ? "the plugin is of a later generation: update hone"
                                  : "build the plugin again with this hone's SDK");
    }
    static const struct {
        const char *field;
        size_t offset;
        unsigned want;
    } sizes[] = {{"ptr_size", offsetof(hone_magic, ptr_size), sizeof(void *)},
                 {"int_size", offsetof(hone_magic, int_size), sizeof(int)},
                 {"float_size", offsetof(hone_magic, float_size), sizeof(float)}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned have = ((const uint8_t *)magic)[sizes[i].offset];
        if (have != sizes[i].want) {
            hone_fail(HONE_E_ABI, "%s: magic.%s is %u, this hone's is %u", who, sizes[i].field,
                      have, sizes[i].want);
            return hone_fail_hint(
                "build the plugin for this machine with the same compiler options");
        }
    }
    if (magic->need > HONE_SDK_VERSION) {
        hone_fail(HONE_E_ABI, "%s: magic.need is %u.%u.%u, this hone is %u.%u.%u", who,
                  magic->need >> 16, magic->need >> 8 & 0xFF, magic->need & 0xFF,
                  HONE_SDK_VERSION >> 16, HONE_SDK_VERSION >> 8 & 0xFF, HONE_SDK_VERSION & 0xFF);
        return hone_fail_hint("update hone, or build the plugin with a lower HONE_MAGIC(need)");
    }
    if (magic->sdk < magic->need) {
        hone_fail(HONE_E_ABI, "%s: magic.sdk is %u.%u.%u, and yet it needs %u.%u.%u", who,
                  magic->sdk >> 16, magic->sdk >> 8 & 0xFF, magic->sdk & 0xFF, magic->need >> 16,
                  magic->need >> 8 & 0xFF, magic->need & 0xFF);
        return hone_fail_hint("fill the block with HONE_MAGIC(...) of the SDK");
    }
    return HONE_OK;
}

hone_component hone__component_of(const hone_component *c)
{
    hone_component out;
    size_t n = c->struct_size < sizeof out ? c->struct_size : sizeof out;
    memset(&out, 0, sizeof out);
    memcpy(&out, c, n);
    if (!out.version)
        out.version = "";
    if (!out.vendor)
        out.vendor = "";
    if (!out.license)
        out.license = "";
    if (!out.summary)
        out.summary = "";
    if (!out.url)
        out.url = "";
    return out;
}

/* Reverse DNS: parts of letters, digits, _, - and + joined by single dots, at least two of them. */
static int id_ok(const char *id)
{
    int dots = 0;
    const char *p = id;
    if (strlen(id) > 200)
        return 0;
    for (; *p; p++) {
        int word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                   (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || *p == '+';
        if (*p == '.') {
            if (p == id || p[-1] == '.' || !p[1])
                return 0;
            dots++;
        } else if (!word) {
            return 0;
        }
    }
    return dots > 0;
}

hone_status hone__loader_check_component(const char *who, const hone_component *c, int functions)
{
    if (c->struct_size < offsetof(hone_component, get_iface) + sizeof c->get_iface) {
        hone_fail(HONE_E_ABI, "%s: component.struct_size is %u, at least %zu is needed", who,
                  c->struct_size, offsetof(hone_component, get_iface) + sizeof c->get_iface);
        return hone_fail_hint("set it to sizeof(hone_component)");
    }
    if (!c->id)
        return hone_fail(HONE_E_ABI, "%s: a component's id is NULL", who);
    if (!id_ok(c->id)) {
        hone_fail(HONE_E_ABI, "%s: component id \"%.200s\" is no reverse DNS name", who, c->id);
        return hone_fail_hint(
            "like org.example.reward.my_reward: letters, digits, _, - and +, parted by dots");
    }
    if (!c->kind || !*c->kind)
        return hone_fail(HONE_E_ABI, "%s: %s: kind is NULL or empty", who, c->id);
    if (!c->version || !*c->version)
        return hone_fail(HONE_E_ABI, "%s: %s: version is NULL or empty", who, c->id);
    if (!c->provides || !c->provides[0])
        return hone_fail(HONE_E_ABI, "%s: %s: provides names no interface", who, c->id);
    if (functions) {
        if (!c->create)
            return hone_fail(HONE_E_ABI, "%s: %s: create is NULL", who, c->id);
        if (!c->destroy)
            return hone_fail(HONE_E_ABI, "%s: %s: destroy is NULL", who, c->id);
        if (!c->get_iface)
            return hone_fail(HONE_E_ABI, "%s: %s: get_iface is NULL", who, c->id);
    }
    char place[512];
    snprintf(place, sizeof place, "%s: %s", who, c->id);
    return hone_config_check_table(place, c->fields);
}

hone_status hone__loader_check_entry(const char *who, const hone_entry *entry)
{
    if (!entry)
        return hone_fail(HONE_E_ABI, "%s: hone_plugin_entry() returned NULL", who);
    if (entry->struct_size < offsetof(hone_entry, ifaces)) {
        hone_fail(HONE_E_ABI, "%s: entry.struct_size is %u, at least %zu is needed", who,
                  entry->struct_size, offsetof(hone_entry, ifaces));
        return hone_fail_hint("set it to sizeof(hone_entry)");
    }
    HONE_TRY(hone__loader_check_magic(who, entry->magic));
    if (!entry->components)
        return hone_fail(HONE_E_ABI, "%s: its component table is NULL", who);
    int ifaces = entry->struct_size >= offsetof(hone_entry, init) && entry->ifaces &&
                 entry->ifaces[0];
    if (!entry->components[0] && !ifaces)
        return hone_fail(HONE_E_ABI, "%s: it has no components", who);
    for (size_t i = 0; entry->components[i]; i++) {
        if (i >= 1000)
            return hone_fail(HONE_E_ABI,
                             "%s: more than 1000 components: is the table ended by NULL?", who);
        HONE_TRY(hone__loader_check_component(who, entry->components[i], 1));
        for (size_t k = 0; k < i; k++)
            if (strcmp(entry->components[i]->id, entry->components[k]->id) == 0)
                return hone_fail(HONE_E_ABI, "%s: two components have the id \"%s\"", who,
                                 entry->components[i]->id);
    }
    return HONE_OK;
}

/* ---- open and close ---------------------------------------------------------------------------- */

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static hone__loaded *table;

typedef const hone_entry *(*entry_fn)(void);

/* ---- one opening of a file --------------------------------------------------------------------- */

enum { PLUGIN_MAX = 1 << 30 };
typedef struct opened {
    int fd;     /* of the file, or of its sealed copy */
    int copied; /* fd is the copy */
    int shipped;
    struct stat st;
    char real[PATH_MAX]; /* of the opened file, as the system calls it */
    char sha256[65];
} opened;

/* Is the opened file in the folder of what ships with hone? By the file that was opened, not by its name. */
static int is_shipped(const opened *o)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(o->real, '/');
    if (!realpath(hone_paths_plugins(), folder) || !slash)
        return 0;
    size_t n = (size_t)(slash - o->real);
    return strlen(folder) == n && memcmp(folder, o->real, n) == 0;
}

static int new_memfd(const char *path)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    const char *name = hone_path_base(path);
    char cut[64];
    snprintf(cut, sizeof cut, "%s", name);
    int fd = memfd_create(cut, flags | 0x10u /* MFD_EXEC, Linux 6.3 */);
    return fd < 0 && errno == EINVAL ? memfd_create(cut, flags) : fd;
}

/* Hashes all of from; writes it to `to` as well when that is >= 0. */
static hone_status hash_through(const char *path, int from, int to, char sha256[65])
{
    static const size_t piece_size = 1 << 16;
    unsigned char *piece = hone_alloc(piece_size);
    hone_sha256 h;
    uint64_t total = 0;
    hone_status s = piece ? HONE_OK : HONE_E_NOMEM;
    hone_sha256_init(&h);
    while (s >= 0) {
        ssize_t n = hone__read_some(from, piece, piece_size);
        if (n < 0)
            s = hone_fail_errno("%s", path);
        if (n <= 0)
            break;
        total += (uint64_t)n;
        if (total > PLUGIN_MAX) {
            s = hone_fail(HONE_E_LIMIT, "%s: larger than 1 GiB", path);
            break;
        }
        hone_sha256_add(&h, piece, (size_t)n);
        for (ssize_t done = 0; to >= 0 && s >= 0 && done < n;) {
            ssize_t k = write(to, piece + done, (size_t)(n - done));
            if (k < 0 && errno != EINTR)
                s = hone_fail_errno("%s: a private copy", path);
            done += k > 0 ? k : 0;
        }
    }
    hone_sha256_hex(&h, sha256);
    hone_free(piece);
    return s;
}

/* always_copy: what ships with hone is copied too. */
static hone_status open_file(const char *path, int always_copy, opened *o)
{
    char link[64];
    int copy = -1;
    memset(o, 0, sizeof *o);
    o->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (o->fd < 0)
        return hone_fail_errno("%s", path);
    hone_status s = HONE_OK;
    if (fstat(o->fd, &o->st) != 0)
        s = hone_fail_errno("%s", path);
    else if (!S_ISREG(o->st.st_mode))
        s = not_plugin(path, "not a regular file");
    else
        s = check_owner(path, &o->st);
    snprintf(link, sizeof link, "/proc/self/fd/%d", o->fd);
    ssize_t n = s < 0 ? 0 : readlink(link, o->real, sizeof o->real - 1);
    if (s >= 0 && n <= 0)
        s = hone_fail_errno("%s: %s", path, link);
    o->shipped = s >= 0 && is_shipped(o);
    if (s >= 0 && (always_copy || !o->shipped)) {
        copy = new_memfd(path);
        if (copy < 0)
            s = hone_fail_errno("%s: a private copy", path);
    }
    if (s >= 0)
        s = hash_through(path, o->fd, copy, o->sha256);
    if (s >= 0 && copy >= 0 &&
        fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        s = hone_fail_errno("%s: sealing its copy", path);
    if (s < 0 || copy >= 0)
        close(o->fd);
    if (s < 0 && copy >= 0)
        close(copy);
    if (s >= 0 && copy >= 0) {
        o->fd = copy;
        o->copied = 1;
    }
    return s;
}

static hone_status open_new(const char *path, opened *o, hone__loaded **out)
{
    hone_status s;
    char place[PATH_MAX];
    /* By an absolute name that nothing else has: glibc looks for a bare name along the library path, and gives back
     * a library that is open already under the same name. */
    if (o->copied)
        snprintf(place, sizeof place, "/proc/%ld/fd/%d", (long)getpid(), o->fd);
    else
        snprintf(place, sizeof place, "%s", o->real);
    HONE_TRY(check_elf(path, place, NULL));
    hone__loaded *f = hone_calloc(1, sizeof *f);
    if (!f)
        return HONE_E_NOMEM;
    f->handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (!f->handle) {
        const char *why = dlerror();
        s = hone_fail(HONE_E_ABI, "%s: cannot be loaded", path);
        hone_fail_detail("%s", why ? why : "unknown reason");
        hone_fail_hint(
            "a missing library, or a symbol that was expected of the host: plugins link against "
            "their libraries and never against hone");
        goto fail;
    }
    /* POSIX promises that a function's address survives the way through void *. */
    entry_fn fn;
    void *sym = dlsym(f->handle, "hone_plugin_entry");
    if (!sym) {
        s = not_plugin(path, "it does not export hone_plugin_entry");
        goto fail;
    }
    memcpy(&fn, &sym, sizeof fn);
    const hone_entry *entry = fn();
    s = hone__loader_check_entry(path, entry);
    if (s < 0)
        goto fail;
    memcpy(&f->entry, entry,
           entry->struct_size < sizeof f->entry ? entry->struct_size : sizeof f->entry);
    f->dev = (uint64_t)o->st.st_dev;
    f->ino = (uint64_t)o->st.st_ino;
    f->size = (uint64_t)o->st.st_size;
    f->mtime_ns = (int64_t)o->st.st_mtim.tv_sec * 1000000000 + o->st.st_mtim.tv_nsec;
    f->fd = o->copied ? o->fd : -1;
    f->shipped = !o->copied;
    memcpy(f->sha256, o->sha256, sizeof f->sha256);
    f->refs = 1;
    *out = f;
    return HONE_OK;
fail:
    if (f->handle)
        dlclose(f->handle);
    hone_free(f);
    return s;
}

/* A memfd whose library is mapped no more: its number may be used again. */
static void close_copy(int fd)
{
    char place[64];
    if (fd < 0)
        return;
    snprintf(place, sizeof place, "/proc/%ld/fd/%d", (long)getpid(), fd);
    void *still = dlopen(place, RTLD_NOW | RTLD_NOLOAD);
    if (still)
        dlclose(still); /* it stays, and so does its number */
    else
        close(fd);
}

hone_status hone__loader_check(const char *path, hone__loader_check_fn check, void *ctx)
{
    opened o;
    HONE_TRY(open_file(path, 0, &o));
    close(o.fd);
    return check(ctx, o.sha256, o.shipped);
}

hone_status hone__loader_seal(const char *path, hone__loader_check_fn check, void *ctx, int *fd,
                              char sha256[65])
{
    opened o;
    HONE_TRY(open_file(path, 1, &o));
    hone_status s = check ? check(ctx, o.sha256, o.shipped) : HONE_OK;
    if (s < 0) {
        close(o.fd);
        return s;
    }
    memcpy(sha256, o.sha256, sizeof o.sha256);
    *fd = o.fd;
    return HONE_OK;
}

hone_status hone__loader_open_sealed(int fd, const char *name, hone__loaded **out)
{
    const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    opened o;
    memset(&o, 0, sizeof o);
    o.fd = fd;
    o.copied = 1;
    if ((fcntl(fd, F_GET_SEALS) & all) != all || fstat(fd, &o.st) != 0)
        return hone_fail(HONE_E_REFUSED, "%s: is no sealed copy", name);
    return open_new(name, &o, out);
}

hone_status hone__loader_open(const char *path, hone__loader_check_fn check, void *ctx,
                              hone__loaded **out)
{
    opened o;
    HONE_TRY(open_file(path, 0, &o));
    hone_status s = check ? check(ctx, o.sha256, o.shipped) : HONE_OK;
    if (s < 0) {
        close(o.fd);
        return s;
    }
    pthread_mutex_lock(&table_lock);
    hone__loaded *f = table;
    while (f && !(f->dev == (uint64_t)o.st.st_dev && f->ino == (uint64_t)o.st.st_ino &&
                  strcmp(f->sha256, o.sha256) == 0))
        f = f->next;
    if (f) {
        f->refs++;
        *out = f;
        close(o.fd);
    } else {
        s = open_new(path, &o, &f);
        if (s >= 0) {
            f->next = table;
            table = f;
            *out = f;
        }
        if (s < 0 && o.copied)
            close_copy(o.fd);
        else if (!o.copied)
            close(o.fd);
    }
    pthread_mutex_unlock(&table_lock);
    return s;
}

void hone__loader_close(hone__loaded *file)
{
    if (!file)
        return;
    pthread_mutex_lock(&table_lock);
    if (--file->refs == 0) {
        if (file->inits && file->entry.deinit) {
            file->entry.deinit();
            file->inits = 0;
        }
        if (!file->keep) {
            hone__loaded **p = &table;
            while (*p != file)
                p = &(*p)->next;
            *p = file->next;
            dlclose(file->handle);
            close_copy(file->fd);
            hone_free(file);
        }
    }
    pthread_mutex_unlock(&table_lock);
}

hone_status hone__loader_init(hone__loaded *file, const char *who, const hone_host *host)
{
    if (file->inits)
        return HONE_OK;
    if (file->entry.init) {
        hone_error_clear();
        hone_status s = file->entry.init(host);
        if (s < 0) {
            if (hone_error_get()->code == HONE_OK)
                hone_fail(s, "%s: init failed (%s) without saying why", who, hone_status_name(s));
            hone_fail_detail("in init");
            return s;
        }
    }
    file->inits = 1;
    return HONE_OK;
}
