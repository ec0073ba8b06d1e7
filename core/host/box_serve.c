/* box_serve.c - hone-box's side of a box: loads one plugin, makes one instance, answers calls.
 *
 *   HELLO  {protocol, component, seed, config, sha256, description}      from the host
 *   READY  {in, magic..., sidecar, offers: [{iface, hash, slots: [names]}]}    or FAILED
 *
 * The policy is entered before the greeting is read, and the greeting is read before the plugin is loaded, all with one
 * thread. After READY the process waits at the bell; a call is rebuilt where it lies (wire.h, trusted: the host wrote
 * it), run on the first thread, and answered in the out memory. What the plugin logs goes over the socket, what it
 * prints goes through pipes.
 *
 * A box asked for no component describes the file and ends: so a file that nobody trusts is never loaded in hone itself.
 * Does not: check what the plugin returns (the host does, it trusts nothing from here), outlive its parent. */
#include "host/box.h"
#include "host/box_proto.h"
#include "host/box_source.h"
#include "host/crash.h"

#include "abi/config.h"
#include "abi/desc.h"
#include "abi/loader.h"
#include "host/registry_private.h"
#include "sandbox/sandbox.h"
#include "abi/sidecar.h"
#include "abi/wire.h"
#include "base/alloc.h"
#include "base/fp.h"
#include "base/log.h"
#include "hone/state.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALL_ARENA = 1 << 30, STACK_DEPTH = 32, SKIP_FRAMES = 2, SHOWN_FRAMES = 8 };

typedef struct offer {
    const char *id;
    const hone_wire_slot *const *slots;
    hone_wire *wire;
    const void *table;
    void *self;
} offer;

static struct {
    unsigned char *in, *out; /* both memories */
    hone_registry *registry;
    hone_instance *instance;
    hone__loaded *file;
    offer offers[HONE__BOX_OFFERS];
    size_t n_offers;
    hone_arena arena;          /* of one call */
    char doing[96], name[512]; /* for who reads the trace of a crash */
} box;

static hone__box_bell *bell(void)
{
    return (hone__box_bell *)(void *)box.in;
}

static hone__box_done *done(void)
{
    return (hone__box_done *)(void *)box.out;
}

/* ---- the socket ---------------------------------------------------------------------------------- */

static int send_all(const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t k = send(HONE__BOX_FD_SOCKET, at, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static pthread_mutex_t socket_lock = PTHREAD_MUTEX_INITIALIZER;

static void send_message(uint32_t kind, const void *p, size_t n)
{
    hone__box_message m = {kind, (uint32_t)n};
    pthread_mutex_lock(&socket_lock);
    if (send_all(&m, sizeof m) == 0)
        (void)send_all(p, n); /* a host that does not listen is gone, and so are we */
    atomic_fetch_add(&done()->messages, 1);
    pthread_mutex_unlock(&socket_lock);
}

static int receive_all(void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t k = recv(HONE__BOX_FD_SOCKET, at, n, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static void send_failure(void)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 16);
    hone__box_write_error(&b);
    send_message(HONE__BOX_FAILED, b.ptr, b.len);
    hone_buf_release(&b);
}

/* A call-back of the greeting waits for the host. */
static void send_ask(void)
{
    send_message(HONE__BOX_ASK, "", 0);
}

static void log_line(void *ctx, uint32_t level, const char *who, const char *text, size_t len)
{
    char line[2048];
    (void)ctx;
    (void)who; /* the host knows whose box this is */
    if (len > sizeof line - 1)
        len = sizeof line - 1;
    line[0] = (char)level;
    memcpy(line + 1, text, len);
    send_message(HONE__BOX_LOG, line, len + 1);
}

/* ---- a crash -------------------------------------------------------------------------------------- */

/* Where it happened, for the host to log; then the signal takes its course. Of no use after a plugin that
 * set a handler of its own, and only a hint after one that wrote over memory. */
static void crashed(int sig)
{
    void *frames[STACK_DEPTH];
    char line[1024];
    Dl_info where;
    int n = backtrace(frames, STACK_DEPTH);
    int at = snprintf(line, sizeof line, "hone-box: crashed in %s:", box.doing);
    for (int i = SKIP_FRAMES; i < n && i < SKIP_FRAMES + SHOWN_FRAMES && at > 0; i++) {
        if (!dladdr(frames[i], &where) || !where.dli_fname)
            continue;
        const char *slash = strrchr(where.dli_fname, '/');
        const char *file = strncmp(where.dli_fname, "/proc/", 6) == 0 ? box.name
                           : slash                                    ? slash + 1
                                                                      : where.dli_fname;
        size_t off = (size_t)((char *)frames[i] - (char *)where.dli_fbase);
        if ((size_t)at < sizeof line)
            at += snprintf(line + at, sizeof line - (size_t)at, " %s+0x%zx%s%s%s", file, off,
                           where.dli_sname ? "(" : "", where.dli_sname ? where.dli_sname : "",
                           where.dli_sname ? ")" : "");
    }
    if (at > (int)sizeof line - 2)
        at = (int)sizeof line - 2;
    line[at++] = '\n';
    ssize_t k = write(STDERR_FILENO, line, (size_t)at);
    (void)k;
    signal(sig, SIG_DFL);
    raise(sig);
}

/* ---- greeting -------------------------------------------------------------------------------------- */

static hone_status map_memories(void)
{
    box.in = mmap(NULL, HONE__BOX_IN, PROT_READ, MAP_SHARED, HONE__BOX_FD_IN, 0);
    box.out = mmap(NULL, HONE__BOX_OUT, PROT_READ | PROT_WRITE, MAP_SHARED, HONE__BOX_FD_OUT, 0);
    if (box.in == MAP_FAILED || box.out == MAP_FAILED)
        return hone_fail_errno("box: mapping its memory");
    close(HONE__BOX_FD_IN);
    close(HONE__BOX_FD_OUT);
    return HONE_OK;
}

static hone_status read_hello(hone_arena *arena, hone_value *out)
{
    hone__box_message m;
    if (receive_all(&m, sizeof m) != 0 || m.kind != HONE__BOX_HELLO ||
        m.len > HONE__BOX_MESSAGE_MAX)
        return hone_fail(HONE_E_MISBEHAVED, "box: no greeting from hone");
    char *text = hone_alloc(m.len + (size_t)1);
    if (!text)
        return HONE_E_NOMEM;
    hone_status s = receive_all(text, m.len) == 0
                        ? hone_json_parse(text, m.len, "greeting", arena, out)
                        : hone_fail(HONE_E_MISBEHAVED, "box: half a greeting from hone");
    explicit_bzero(text, m.len); /* secrets were in it */
    hone_free(text);
    return s;
}

static hone_status add_offer(const char *id, const hone_component *c)
{
    void *self;
    const void *table = hone_instance_iface(box.instance, id, &self);
    const hone_iface_desc *desc = hone_desc_builtin(id);
    for (size_t i = 0; !desc && box.file->entry.ifaces && box.file->entry.ifaces[i]; i++)
        if (strcmp(box.file->entry.ifaces[i]->id, id) == 0)
            desc = box.file->entry.ifaces[i];
    for (size_t i = 0; i < box.n_offers; i++)
        if (strcmp(box.offers[i].id, id) == 0)
            return HONE_OK;
    if (!table || !desc || box.n_offers == HONE__BOX_OFFERS)
        return HONE_OK;
    offer *o = &box.offers[box.n_offers];
    HONE_TRY(hone_wire_open(desc, c->wants, &o->wire));
    o->id = desc->id;
    o->table = table;
    o->self = self;
    box.n_offers++;
    return HONE_OK;
}

/* The function of a slot in the plugin's table; NULL when its table ends before, or has none. */
static void *function_of(const offer *o, const hone_slot *slot)
{
    uint32_t size;
    void *fn = NULL;
    memcpy(&size, o->table, sizeof size);
    if (slot->offset + sizeof fn <= size)
        memcpy(&fn, (const char *)o->table + slot->offset, sizeof fn);
    return fn;
}

static void ready(const hone_entry *entry)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE__BOX_MESSAGE_MAX);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "in", (int64_t)(uintptr_t)box.in);
    hone_jw_key(&w, "sidecar");
    hone_sidecar_write(entry, &w);
    hone_jw_key(&w, "offers");
    hone_jw_list(&w);
    for (size_t i = 0; i < box.n_offers; i++) {
        const offer *o = &box.offers[i];
        char hash[65];
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "iface", o->id);
        if (hone_desc_hash(o->wire->desc, hash) >= 0)
            hone_jw_kcstr(&w, "hash", hash);
        hone_jw_key(&w, "slots");
        hone_jw_list(&w);
        for (size_t k = 0; k < o->wire->n; k++)
            if (o->wire->slots[k] && function_of(o, o->wire->desc->table->slots[k]))
                hone_jw_cstr(&w, o->wire->desc->table->slots[k]->name);
        hone_jw_end(&w);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    if (b.failed < 0)
        send_failure();
    else
        send_message(HONE__BOX_READY, b.ptr, b.len);
    hone_buf_release(&b);
}

/* ---- Lua -------------------------------------------------------------------------------------------- */

hone_status (*hone__box_lua)(hone_str text, const char *name, hone_registry **out);

/* An entry made of the components that the file's text has registered. What they remember, they remember in this one state:
 * only one that says it is PURE may have several boxes. */
static hone_status entry_of_lua(hone__loaded *f)
{
    static const hone_magic magic = HONE_MAGIC(0x000100);
    const hone_component_info *info;
    size_t n = 0, k = 0;
    while (hone_registry_component(box.registry, NULL, n))
        n++;
    const hone_component **list = hone_calloc(n + 1, sizeof *list);
    hone_component *own = hone_calloc(n + 1, sizeof *own);
    if (!list || !own)
        return HONE_E_NOMEM; /* the box ends with it */
    for (size_t i = 0; i < n; i++) {
        if ((info = hone_registry_component(box.registry, NULL, i))->plugin)
            continue;
        own[k] = info->c;
        if (!(own[k].caps & HONE_CAP_PURE))
            own[k].caps &= ~(uint64_t)HONE_CAP_REENTRANT;
        list[k] = &own[k];
        k++;
    }
    if (k == 0) {
        hone_fail(HONE_E_INVALID, "it makes no component");
        return hone_fail_hint(
            "a file in Lua returns one: return { kind = \"reward\", id = \"com.acme.reward.x\", "
            "score = function(batch) ... end }");
    }
    f->entry = (hone_entry){.struct_size = sizeof(hone_entry), .magic = &magic, .components = list};
    return HONE_OK;
}

static hone_status open_lua(const char *name)
{
    hone_buf text;
    char chunk[65536];
    ssize_t n;
    hone_buf_init(&text, (size_t)64 << 20);
    hone_status s = HONE_OK;
    for (off_t at = 0; s >= 0 && (n = pread(HONE__BOX_FD_PLUGIN, chunk, sizeof chunk, at)) > 0;
         at += n)
        s = hone_buf_add(&text, chunk, (size_t)n);
    box.file = hone_calloc(1, sizeof *box.file);
    if (s >= 0 && !box.file)
        s = HONE_E_NOMEM;
    if (s >= 0)
        s = hone__box_lua(hone_buf_str(&text), name, &box.registry);
    hone_buf_release(&text);
    return s < 0 ? s : entry_of_lua(box.file);
}

static hone_status create(const hone_value *hello, const char *id)
{
    static const char *const more[] = {"hone.state/1", "hone.cancel/1", "hone.live/1",
                                       "hone.metrics/1"};
    const hone_component *c = NULL;
    const hone_component_info *info;
    for (size_t i = 0; box.file->entry.components[i]; i++)
        if (strcmp(box.file->entry.components[i]->id, id) == 0)
            c = box.file->entry.components[i];
    if (!c)
        return hone_fail(HONE_E_NOT_FOUND, "%s is not in the file", id);
    if (box.file->handle) {
        HONE_TRY(hone__loader_init(box.file, id, &box.registry->host));
        HONE_TRY(hone_registry_add(box.registry, c, &info));
    } else {
        HONE_TRY(hone_registry_find(box.registry, c->kind, id, &info));
    }
    HONE_TRY(hone__instance_create_given(box.registry, info, hone_value_get(hello, "config"),
                                         &box.instance));
    for (size_t i = 0; info->c.provides[i]; i++)
        HONE_TRY(add_offer(info->c.provides[i], &info->c));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        HONE_TRY(add_offer(more[i], &info->c));
    return HONE_OK;
}

static hone_status greet(void)
{
    static const hone_registry_opts nothing = {.only_paths = 1};
    hone_arena arena;
    hone_value hello;
    hone_str id = {"", 0}, name = {"plugin", 6};
    int64_t seed = 0;
    char text[256], file[512];
    hone_arena_init(&arena, 0);
    HONE_TRY(read_hello(&arena, &hello));
    HONE_TRY(hone_value_string(&hello, "component", id, &id));
    HONE_TRY(hone_value_string(&hello, "name", name, &name));
    HONE_TRY(hone_value_i64(&hello, "seed", 0, &seed));
    if (id.len >= sizeof text || name.len >= sizeof file)
        return hone_fail(HONE_E_MISBEHAVED, "box: a name is too long");
    snprintf(text, sizeof text, "%.*s", (int)id.len, id.ptr ? id.ptr : "");
    snprintf(file, sizeof file, "%.*s", (int)name.len, name.ptr ? name.ptr : "");
    snprintf(box.doing, sizeof box.doing, "loading");
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    const size_t n = strlen(base);
    memcpy(box.name, base, n + 1);
    if (n > 4 && strcmp(base + n - 4, ".lua") == 0) {
        HONE_TRY(open_lua(box.name));
    } else {
        HONE_TRY(hone_registry_open(&nothing, &box.registry));
        HONE_TRY(hone__loader_open_sealed(HONE__BOX_FD_PLUGIN, file, &box.file));
    }
    hone_registry_set_seed(box.registry, (uint64_t)seed);
    HONE_TRY(hone_desc_check_ifaces(file, box.file->entry.ifaces));
    hone__ask_init(box.registry, box.in, box.out, box.file->entry.ifaces, send_ask);
    snprintf(box.doing, sizeof box.doing, "create");
    if (id.len)
        HONE_TRY(create(&hello, text));
    hone_arena_release(&arena);
    hone__ask_end();
    ready(&box.file->entry);
    return HONE_OK;
}

/* ---- calls ---------------------------------------------------------------------------------------- */

/* To where the caller sleeps: waking it there is ten times cheaper than on another processor. */
static void follow(int32_t cpu)
{
    static int32_t at = -1;
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE || cpu == at)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0)
        at = cpu;
}

static void answer_call(void)
{
    const hone__box_bell *b = bell();
    const hone_wire_place result = {box.out + HONE__BOX_HEAD, HONE__BOX_RESULT_ROOM, 0};
    const unsigned char *bytes = box.in + HONE__BOX_HEAD;
    const hone_wire_slot *slot;
    hone_wire_call call;
    uint64_t id;
    if (b->offer >= box.n_offers)
        return;
    const offer *o = &box.offers[b->offer];
    hone_arena_clear(&box.arena);
    if (hone_wire_peek(o->wire, bytes, b->len, &slot, &id) < 0)
        return;
    const hone_slot *desc = hone_wire_desc(slot);
    void *p = function_of(o, desc);
    void (*fn)(void);
    memset(&call, 0, sizeof call);
    if (!p || hone_wire_get(slot, bytes, b->len, 1, &result, &box.arena, o->self, &call) < 0)
        return;
    memcpy(&fn, &p, sizeof fn);
    snprintf(box.doing, sizeof box.doing, "%s", desc->name);
    hone_error_clear();
    hone_instance_enter(box.instance);
    hone_wire_invoke(&call, fn);
    hone_status s = HONE_OK;
    if (hone_wire_sig(slot)->result == HONE_A_STATUS)
        s = call.ret.i32;
    s = hone_instance_leave(box.instance, desc->name, s);
    (void)hone_wire_finish(&call, s < 0 ? hone_error_get() : NULL);
}

/* hone.state/1 as bytes: the plugin's streams end in the two memories. */
static hone_status write_state(const hone_out_stream *stream, const void *bytes, size_t n)
{
    uint64_t *used = stream->ctx;
    if (n > HONE__BOX_RESULT_ROOM - *used)
        return hone__host_failed(
            hone_fail(HONE_E_LIMIT, "a state of more than %zu MB", (HONE__BOX_RESULT_ROOM) >> 20));
    if (n)
        memcpy(box.out + HONE__BOX_HEAD + *used, bytes, n);
    *used += n;
    return HONE_OK;
}

static hone_status read_state(const hone_in_stream *stream, void *bytes, size_t n, size_t *got)
{
    uint64_t *at = stream->ctx, left = bell()->len - *at;
    size_t k = n < left ? n : (size_t)left;
    if (k)
        memcpy(bytes, box.in + HONE__BOX_HEAD + *at, k);
    *at += k;
    *got = k;
    return HONE_OK;
}

static void answer_state(int load)
{
    uint64_t at = 0;
    void *self;
    const hone_state_v1 *vt = hone_instance_iface(box.instance, HONE_IFACE_STATE, &self);
    hone_out_stream out = {sizeof out, 0, &at, write_state};
    hone_in_stream in = {sizeof in, 0, &at, read_state};
    hone_status s = HONE_E_UNSUPPORTED;
    hone_error_clear();
    snprintf(box.doing, sizeof box.doing, load ? "load" : "save");
    if (vt && (load ? vt->load != NULL : vt->save != NULL)) {
        hone_instance_enter(box.instance);
        s = load ? vt->load(self, &in) : vt->save(self, &out);
        s = hone_instance_leave(box.instance, box.doing, s);
    } else {
        hone_fail(s, "it has no hone.state/1");
    }
    if (s < 0)
        send_failure();
    done()->status = s;
    done()->len = load ? 0 : at;
}

static void answer_rows(uint32_t op)
{
    uint64_t len = 0;
    snprintf(box.doing, sizeof box.doing, "%s",
             op == HONE__BOX_OP_OPEN   ? "open"
             : op == HONE__BOX_OP_NEXT ? "get_next"
                                       : "release");
    hone_error_clear();
    hone_status s = hone__rows_serve(box.instance, op, box.out + HONE__BOX_HEAD,
                                     HONE__BOX_RESULT_ROOM, &len);
    if (s < 0)
        send_failure();
    done()->status = s;
    done()->len = len;
}

static void answer_live(void)
{
    hone_arena arena;
    hone_value settings;
    hone_arena_init(&arena, 0);
    hone_error_clear();
    snprintf(box.doing, sizeof box.doing, "apply");
    hone_status s = hone_json_parse((const char *)box.in + HONE__BOX_HEAD, bell()->len, "settings",
                                    &arena, &settings);
    if (s >= 0)
        s = hone__instance_live(box.instance, &settings);
    if (s < 0)
        send_failure();
    done()->status = s;
    done()->len = 0;
    hone_arena_release(&arena);
}

static void serve(void)
{
    uint32_t seen = atomic_load(&done()->seq);
    hone_arena_init(&box.arena, CALL_ARENA);
    for (;;) {
        uint32_t seq = atomic_load_explicit(&bell()->seq, memory_order_acquire);
        if (seq == seen) {
            hone__box_wait(&bell()->seq, seen, NULL);
            continue;
        }
        seen = seq;
        follow(bell()->cpu);
        hone__ask_begin();
        switch (bell()->op) {
        case HONE__BOX_OP_CALL:
            answer_call();
            break;
        case HONE__BOX_OP_SAVE:
        case HONE__BOX_OP_LOAD:
            answer_state(bell()->op == HONE__BOX_OP_LOAD);
            break;
        case HONE__BOX_OP_LIVE:
            answer_live();
            break;
        case HONE__BOX_OP_OPEN:
        case HONE__BOX_OP_NEXT:
        case HONE__BOX_OP_CLOSE:
            answer_rows(bell()->op);
            break;
        }
        hone__ask_end();
        fflush(stdout); /* what a call printed without ending the line */
        atomic_store_explicit(&done()->seq, seq, memory_order_release);
        atomic_fetch_add(&done()->event, 1);
        hone__box_wake(&done()->event);
    }
}

static int failed(void)
{
    fprintf(stderr, "hone-box: %s\n", hone_error_get()->what);
    return 127;
}

int hone__box_main(int policy_fd)
{
    hone_sandbox_policy policy;
    hone_arena arena;
    hone_arena_init(&arena, 1 << 20);
    if (hone__sandbox_read_policy(policy_fd, &arena, &policy) < 0 ||
        hone__sandbox_begin(&policy) < 0 || map_memories() < 0)
        return failed();
    hone__crash_on_signal(crashed);
    hone_fp_setup();
    if (hone_sandbox_enter(&policy) < 0)
        return failed();
    hone_arena_release(&arena);
    hone_log_sink(log_line, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line that was printed is in the log before a crash */
    if (greet() < 0) {
        send_failure();
        return 126;
    }
    if (!box.instance)
        return 0; /* it was to describe the file */
    serve();
    return 0;
}
