/* validate_heap.c - malloc of the plugin, counted and made to fail, and nobody else's (validate.h).
 *
 * After the file is loaded, the slots in which it keeps the addresses of malloc and the like (the relocations of its
 * dynamic section) are pointed at functions here. hone's own memory is untouched, and so is libc's; libstdc++ is
 * treated like the plugin, since operator new calls malloc there. Every block is kept in a table by address, so that
 * what is given back may come from somewhere else (getline, realpath) and is passed on.
 *
 * Does not see: memory that libc takes on behalf of the plugin (fopen), and mmap. Source: System V ABI, "Dynamic
 * Linking"; glibc relocates the pointers of the dynamic section itself on the machines hone knows. */
#include "cli/validate.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the table of blocks: open addressing, linear probing -------------------------------------- */

typedef struct block {
    uintptr_t at;
    size_t size;
} block;
static block *blocks;
static size_t n_slots, n_used, n_live, live_bytes, largest;
static _Atomic uint64_t fail_in;
static atomic_int hit;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
enum { GRAVE = 1 }; /* an address that was given back */

static size_t slot_of(uintptr_t at)
{
    return (size_t)((at >> 4) * 0x9E3779B97F4A7C15u) & (n_slots - 1);
}

static int grow(void)
{
    size_t old_n = n_slots, n = n_slots ? 2 * n_slots : 4096;
    block *old = blocks, *fresh = mmap(NULL, n * sizeof *fresh, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        return 0;
    blocks = fresh;
    n_slots = n;
    n_used = 0;
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].at <= GRAVE)
            continue;
        size_t k = slot_of(old[i].at);
        while (blocks[k].at)
            k = (k + 1) & (n_slots - 1);
        blocks[k] = old[i];
        n_used++;
    }
    if (old)
        munmap(old, old_n * sizeof *old);
    return 1;
}

static void *note(void *p, size_t size)
{
    if (!p)
        return p;
    pthread_mutex_lock(&lock);
    if (2 * n_used < n_slots || grow()) {
        size_t k = slot_of((uintptr_t)p);
        while (blocks[k].at > GRAVE)
            k = (k + 1) & (n_slots - 1);
        n_used += blocks[k].at == 0;
        blocks[k] = (block){(uintptr_t)p, size};
        n_live++;
        live_bytes += size;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

static void forget(const void *p)
{
    pthread_mutex_lock(&lock);
    size_t k = n_slots ? slot_of((uintptr_t)p) : 0;
    while (n_slots && blocks[k].at && blocks[k].at != (uintptr_t)p)
        k = (k + 1) & (n_slots - 1);
    if (p && n_slots && blocks[k].at) {
        n_live--;
        live_bytes -= blocks[k].size;
        blocks[k].at = GRAVE;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- what the plugin calls ---------------------------------------------------------------------- */

static int refused(size_t size)
{
    if (size > largest)
        largest = size;
    uint64_t n = atomic_load(&fail_in);
    while (n != 0)
        if (atomic_compare_exchange_weak(&fail_in, &n, n - 1)) {
            if (n != 1)
                return 0;
            atomic_store(&hit, 1);
            errno = ENOMEM;
            return 1;
        }
    return 0;
}

static void *v_malloc(size_t size)
{
    return refused(size) ? NULL : note(malloc(size), size);
}

static void *v_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || refused(bytes))
        return NULL;
    return note(calloc(n, size), bytes);
}

static void *v_realloc(void *p, size_t size)
{
    if (size && refused(size))
        return NULL;
    forget(p);
    return note(realloc(p, size), size);
}

static void v_free(void *p)
{
    forget(p);
    free(p);
}

static void *v_aligned_alloc(size_t align, size_t size)
{
    return refused(size) ? NULL : note(aligned_alloc(align, size), size);
}

static int v_posix_memalign(void **out, size_t align, size_t size)
{
    if (refused(size))
        return ENOMEM;
    int s = posix_memalign(out, align, size);
    if (s == 0)
        note(*out, size);
    return s;
}

static char *v_strndup(const char *z, size_t n)
{
    n = strnlen(z, n);
    char *p = v_malloc(n + 1);
    if (p) {
        memcpy(p, z, n);
        p[n] = 0;
    }
    return p;
}

static char *v_strdup(const char *z)
{
    return v_strndup(z, SIZE_MAX - 1);
}

typedef void (*any_fn)(void);
static const struct {
    const char *name;
    any_fn fn;
} ours[] = {{"malloc", (any_fn)v_malloc},
            {"calloc", (any_fn)v_calloc},
            {"realloc", (any_fn)v_realloc},
            {"free", (any_fn)v_free},
            {"aligned_alloc", (any_fn)v_aligned_alloc},
            {"posix_memalign", (any_fn)v_posix_memalign},
            {"strdup", (any_fn)v_strdup},
            {"strndup", (any_fn)v_strndup}};

/* ---- pointing the slots here -------------------------------------------------------------------- */

#if defined(__x86_64__)
enum { SLOT_A = R_X86_64_JUMP_SLOT, SLOT_B = R_X86_64_GLOB_DAT, SLOT_C = R_X86_64_64 };
#elif defined(__aarch64__)
enum { SLOT_A = R_AARCH64_JUMP_SLOT, SLOT_B = R_AARCH64_GLOB_DAT, SLOT_C = R_AARCH64_ABS64 };
#else
enum { SLOT_A = -1, SLOT_B = -1, SLOT_C = -1 };
#endif

typedef struct watching {
    uintptr_t entry;
    int found;
} watching;

static void patch(uintptr_t base, const ElfW(Rela) * rel, size_t n, const ElfW(Sym) * syms,
                  const char *strings)
{
    long page = sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < n; i++) {
        int type = (int)ELF64_R_TYPE(rel[i].r_info);
        if (type != SLOT_A && type != SLOT_B && type != SLOT_C)
            continue;
        const char *name = strings + syms[ELF64_R_SYM(rel[i].r_info)].st_name;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) {
            if (strcmp(name, ours[k].name) != 0)
                continue;
            uintptr_t slot = base + rel[i].r_offset, from = slot / (size_t)page * (size_t)page;
            /* Slots that the linker made read-only after it had filled them. */
            if (mprotect((void *)from, slot + sizeof slot - from, PROT_READ | PROT_WRITE) == 0)
                memcpy((void *)slot, &ours[k].fn, sizeof ours[k].fn);
        }
    }
}

static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
    watching *w = ctx;
    const ElfW(Dyn) *dyn = NULL;
    int mine = strstr(info->dlpi_name, "libstdc++") != NULL;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_DYNAMIC)
            dyn = (const ElfW(Dyn) *)at;
        if (p->p_type == PT_LOAD && w->entry >= at && w->entry < at + p->p_memsz)
            mine = w->found = 1;
    }
    if (!mine || !dyn)
        return 0;
    const ElfW(Sym) *syms = NULL;
    const char *strings = NULL;
    const ElfW(Rela) *jump = NULL, *data = NULL;
    size_t n_jump = 0, n_data = 0;
    for (; dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_SYMTAB)
            syms = (const ElfW(Sym) *)dyn->d_un.d_ptr;
        else if (dyn->d_tag == DT_STRTAB)
            strings = (const char *)dyn->d_un.d_ptr;
        else if (dyn->d_tag == DT_JMPREL)
            jump = (const ElfW(Rela) *)dyn->d_un.d_ptr;
        else if (dyn->d_tag == DT_PLTRELSZ)
            n_jump = dyn->d_un.d_val / sizeof *jump;
        else if (dyn->d_tag == DT_RELA)
            data = (const ElfW(Rela) *)dyn->d_un.d_ptr;
        else if (dyn->d_tag == DT_RELASZ)
            n_data = dyn->d_un.d_val / sizeof *data;
    }
    if (syms && strings && jump)
        patch(info->dlpi_addr, jump, n_jump, syms, strings);
    if (syms && strings && data)
        patch(info->dlpi_addr, data, n_data, syms, strings);
    return 0;
}

hone_status hone__v_heap_watch(const void *entry)
{
    watching w = {(uintptr_t)entry, 0};
    if (SLOT_A < 0)
        return hone_fail(HONE_E_UNSUPPORTED, "malloc cannot be watched on this kind of machine");
    dl_iterate_phdr(look, &w);
    return w.found ? HONE_OK
                   : hone_fail(HONE_E_NOT_FOUND, "the file is not among the loaded libraries");
}

void (*hone__v_heap_instead(void (*fn)(void *)))(void *)
{
    return fn == free ? v_free : fn;
}

void hone__v_heap_fail_after(uint64_t n)
{
    atomic_store(&hit, 0);
    atomic_store(&fail_in, n);
}

int hone__v_heap_hit(void)
{
    return atomic_load(&hit);
}

void hone__v_heap_live(size_t *n, size_t *bytes)
{
    pthread_mutex_lock(&lock);
    *n = n_live;
    *bytes = live_bytes;
    pthread_mutex_unlock(&lock);
}

size_t hone__v_heap_largest(void)
{
    return largest;
}
