/* record.c - writes calls down as they are made. See record.h.
 *
 * Key idea: a table of closures stands in front of the component's. A call is marshalled into bytes, written, made from
 * those bytes (so what is in the file is what the component saw), and its result is taken back from bytes too.
 *
 * Does not: record what cannot leave the process (a source's stream, a model's forward pass): such interfaces stay
 * as they are. A file that cannot be written any more is said once; calls go on. Source: plugin-abi.md 3a. */
#include "host/record.h"

#include "abi/config.h"
#include "host/record_private.h"
#include "host/registry_private.h"
#include "abi/wire.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct entry {
    struct entry *next;
    hone__recorder *recorder;
    hone_instance *inst;
    const void *vt;
    void *self;
    hone_wire *wire;
    hone_wire_stub *stub;
    char hash[65];
} entry;
struct hone__recorder {
    int fd;
    char *path;
    const char *only; /* or NULL */
    int broken;       /* a write failed */
    uint64_t ids;
    pthread_mutex_t lock; /* of all above and the list */
    entry *entries;
};

hone_status hone__recorder_open(hone__recorder **out)
{
    const char *path = getenv("HONE_RECORD"), *only = getenv("HONE_RECORD_OF");
    struct stat st;
    *out = NULL;
    if (!path || !*path)
        return HONE_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        hone_status s = hone_fail_errno("HONE_RECORD: %s", path);
        if (fd >= 0)
            close(fd);
        return s;
    }
    hone__recorder *r = hone_calloc(1, sizeof *r);
    char *copy = hone_strdup(path);
    hone_status s = r && copy ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && st.st_size == 0)
        s = hone_file_write_fd(fd, HONE__RECORD_MAGIC, strlen(HONE__RECORD_MAGIC), path);
    if (s < 0) {
        close(fd);
        hone_free(r);
        hone_free(copy);
        return s;
    }
    r->fd = fd;
    r->path = copy;
    r->only = only && *only ? only : NULL;
    r->ids = (uint64_t)getpid() << 32;
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return HONE_OK;
}

static void entry_free(entry *e)
{
    hone_wire_stub_free(e->stub);
    hone_wire_close(e->wire);
    hone_free(e);
}

void hone__recorder_close(hone__recorder *r)
{
    if (!r)
        return;
    for (entry *e = r->entries, *next; e; e = next) {
        next = e->next;
        entry_free(e);
    }
    close(r->fd);
    pthread_mutex_destroy(&r->lock);
    hone_free(r->path);
    hone_free(r);
}

void hone__recorder_forget(hone__recorder *r, const hone_instance *inst)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    for (entry **at = &r->entries; *at;) {
        entry *e = *at;
        if (e->inst != inst) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        entry_free(e);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- one call ---------------------------------------------------------------------------------- */

static void write_frame(hone__recorder *r, uint32_t type, uint64_t id, const hone_buf *json,
                        const void *bytes, size_t len)
{
    hone__record_frame f = {HONE__RECORD_FRAME, type, id, json ? json->len : 0, len};
    hone_buf all;
    hone_buf_init(&all, SIZE_MAX / 4);
    hone_buf_add(&all, &f, sizeof f);
    if (json)
        hone_buf_add(&all, json->ptr, json->len);
    hone_buf_add(&all, bytes, len);
    pthread_mutex_lock(&r->lock);
    if (!r->broken) {
        hone_status s = all.failed;
        if (s >= 0)
            s = hone_file_write_fd(r->fd, all.ptr, all.len, r->path);
        if (s < 0) {
            r->broken = 1;
            hone_log(HONE_LOG_WARN, NULL, "%s: calls are no longer recorded: %s", r->path,
                     hone_error_get()->what);
        }
    }
    pthread_mutex_unlock(&r->lock);
    hone_buf_release(&all);
}

static void describe(const entry *e, const hone_wire_slot *s, hone_buf *b)
{
    const hone_component *c = &hone_instance_info(e->inst)->c;
    hone_jw w;
    hone_jw_init(&w, b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "component", c->id);
    hone_jw_kcstr(&w, "version", c->version ? c->version : "");
    hone_jw_kcstr(&w, "interface", e->wire->desc->id);
    hone_jw_kcstr(&w, "hash", e->hash);
    hone_jw_kcstr(&w, "slot", hone_wire_desc(s)->name);
    hone_jw_key(&w, "settings");
    hone_config_json(hone_instance_config(e->inst), &w);
    hone_jw_end(&w);
}

/* A callback with outputs: straight to the caller's own object. */
static void ask(void *ctx, const hone_wire_slot *cb, size_t sink, void *const *args,
                hone_wire_ret *ret)
{
    void *const *outer = ctx;
    void *inner[HONE_SIG_MAX];
    char *object;
    void (*fn)(void);
    memcpy(&object, outer[sink], sizeof object);
    memcpy(&fn, object + hone_wire_desc(cb)->offset, sizeof fn);
    memcpy(inner, args, hone_wire_sig(cb)->n * sizeof *args);
    inner[0] = &object;
    ffi_call(hone_wire_cif(cb), fn, ret, inner);
}

static hone_status put(const hone_wire_slot *s, uint64_t id, void *const *args,
                       hone_wire_place *call, size_t *len, size_t *fixed)
{
    for (size_t room = (size_t)1 << 16;; room = *len + 64) {
        call->size = room;
        call->at = hone_calloc(1, room); /* zeros between things: equal calls are equal bytes */
        if (!call->at)
            return HONE_E_NOMEM;
        hone_status st = hone_wire_put(s, id, args, call, len, fixed);
        if (st != HONE_E_LIMIT)
            return st;
        hone_free(call->at);
        call->at = NULL;
    }
}

/* The caller's cancel word is the callee's: both are in this process. */
static void keep_cancel(const hone_wire_slot *s, void *const *args, hone_wire_call *c)
{
    for (size_t i = 0; i < hone_wire_sig(s)->n; i++) {
        const hone_call *mine = NULL;
        if (hone_wire_sig(s)->args[i].base == HONE_A_CALL)
            memcpy(&mine, args[i], sizeof mine);
        if (mine)
            c->record.cancelled = mine->cancelled;
    }
}

static hone_status carry(entry *e, const hone_wire_slot *slot, void *const *args,
                         hone_wire_ret *ret)
{
    hone__recorder *r = e->recorder;
    hone_wire_place call = {NULL, 0, 0}, result = {NULL, 0, 0};
    hone_wire_call c;
    hone_wire_answer answer;
    hone_arena arena;
    hone_buf json;
    size_t len, fixed;
    void (*fn)(void);
    hone_status s;
    uint64_t id = __atomic_add_fetch(&r->ids, 1, __ATOMIC_RELAXED);
    hone_arena_init(&arena, SIZE_MAX / 4);
    hone_buf_init(&json, (size_t)1 << 26);
    HONE_TRY_GOTO(put(slot, id, args, &call, &len, &fixed), done);
    describe(e, slot, &json);
    write_frame(r, HONE__RECORD_CALL, id, &json, call.at, len);
    result.size = fixed + HONE__RECORD_ROOM;
    result.at = hone_calloc(1, result.size);
    s = result.at ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_wire_get(slot, call.at, len, 0, &result, &arena, e->self, &c);
    if (s < 0)
        goto done;
    keep_cancel(slot, args, &c);
    c.ask = ask;
    c.ask_ctx = (void *)(uintptr_t)args;
    memcpy(&fn, (const char *)e->vt + hone_wire_desc(slot)->offset, sizeof fn);
    hone_error_clear();
    hone_wire_invoke(&c, fn);
    const hone_error said = *hone_error_get();
    hone_wire_finish(&c, said.code < 0 ? &said : NULL);
    write_frame(r, HONE__RECORD_RESULT, id, NULL, result.at, c.end);
    HONE_TRY_GOTO(hone_wire_take(slot, id, args, result.at, result.size, &arena, &answer), done);
    *ret = answer.ret;
    if (hone_wire_sig(slot)->result == HONE_T_STR)
        *ret = c.ret; /* the component's own text, which outlives this call */
    if (said.code < 0)
        hone_error_set(&said);
    if (answer.bad < 0 && hone_wire_sig(slot)->result == HONE_A_STATUS && ret->i32 >= 0)
        ret->i64 = answer.bad;
done:
    hone_free(call.at);
    hone_free(result.at);
    hone_buf_release(&json);
    hone_arena_release(&arena);
    return s;
}

static void handler(void *self, const hone_wire_slot *s, void *const *args, hone_wire_ret *ret)
{
    hone_status st = carry(self, s, args, ret);
    if (st < 0 && hone_wire_sig(s)->result == HONE_A_STATUS)
        ret->i64 = st;
}

/* ---- tables ------------------------------------------------------------------------------------ */

/* Interfaces whose calls mean something outside the run; each of their slots can travel. */
static int recorded(const hone__recorder *r, const hone_instance *inst, const char *iface)
{
    static const char *const ours[] = {"hone.reward/",    "hone.judge/",     "hone.tokenizer/",
                                       "hone.objective/", "hone.advantage/", "hone.sink/"};
    const hone_component_info *info = hone_instance_info(inst);
    if (r->only && strcmp(r->only, info->c.id) != 0 && strcmp(r->only, info->short_name) != 0)
        return 0;
    if (strncmp(iface, "hone.", 5) != 0)
        return 1;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strncmp(iface, ours[i], strlen(ours[i])) == 0)
            return 1;
    return 0;
}

/* Can every slot that the table has travel? */
static int whole(const hone_wire *w, const void *vt, const void *stub)
{
    const hone_struct_desc *d = w->desc->table;
    for (size_t i = 0; i < w->n; i++) {
        void (*mine)(void), (*theirs)(void);
        uint32_t size = d->size;
        if (d->members[0]->type == HONE_T_SIZE)
            memcpy(&size, vt, sizeof size);
        if (size < d->slots[i]->offset + sizeof mine)
            continue;
        memcpy(&theirs, (const char *)vt + d->slots[i]->offset, sizeof theirs);
        memcpy(&mine, (const char *)stub + d->slots[i]->offset, sizeof mine);
        if (theirs && !mine)
            return 0;
    }
    return 1;
}

const void *hone__recorder_table(hone__recorder *r, hone_instance *inst, const char *iface,
                                 const void *vt, void **self)
{
    const hone_iface_desc *d = NULL;
    const hone_component *c = &hone_instance_info(inst)->c;
    if (!r || !vt || !recorded(r, inst, iface) || !(d = hone_registry_iface(inst->reg, iface)))
        return vt;
    pthread_mutex_lock(&r->lock);
    entry *e = r->entries;
    while (e && (e->inst != inst || e->wire->desc != d || e->vt != vt || e->self != *self))
        e = e->next;
    if (!e && (e = hone_calloc(1, sizeof *e))) {
        e->recorder = r;
        e->inst = inst;
        e->vt = vt;
        e->self = *self;
        if (hone_desc_hash(d, e->hash) < 0 || hone_wire_open(d, c->wants, &e->wire) < 0 ||
            hone_wire_stub_create(e->wire, vt, handler, &e->stub) < 0 ||
            !whole(e->wire, vt, hone_wire_stub_table(e->stub))) {
            hone_log(HONE_LOG_WARN, c->id, "its calls of %s cannot be recorded", iface);
            entry_free(e);
            e = NULL;
        } else {
            e->next = r->entries;
            r->entries = e;
        }
    }
    pthread_mutex_unlock(&r->lock);
    if (!e)
        return vt;
    *self = e;
    return hone_wire_stub_table(e->stub);
}
