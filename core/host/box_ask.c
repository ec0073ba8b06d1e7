/* box_ask.c - hone-box's side of call-backs: tables whose functions are answered by the host. See box.h, box_proto.h.
 *
 * What a plugin asks its host for and this process has (memory, random numbers, JSON, expressions) it gets from here; the rest
 * is asked of the host, which gives a number and the names of the functions that are there, and a table of closures
 * stands for it. A call is written behind HONE__BOX_ASK_AT; the thread waits until the host has answered; the answer is
 * copied and its sinks are called from the copy, so that a sink may call back as well.
 *
 * One call-back at a time, whichever thread makes it, and only while the host listens: during a call, an op or the greeting.
 * At other times a call fails with E_STATE, or gives 0, -1 or NULL where it returns no status.
 * Source: plugin-abi.md section 7, Call-backs. */
#include "host/box.h"

#include "host/box_proto.h"
#include "host/registry_private.h"
#include "abi/wire.h"
#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct remote { /* `self` of a table */
    uint32_t number;
    hone_wire *wire;
    hone_wire_stub *stub;
} remote;

static struct {
    unsigned char *in, *out;
    pthread_mutex_t lock; /* recursive: a sink may call back */
    int open;             /* the host listens */
    void (*bell)(void);   /* of the greeting, or NULL */
    uint64_t calls;
    const hone_iface_desc *const *own; /* that the plugin's file brings */
    hone_arena kept, answers;          /* as long as the instance; as long as the call */
    hone__texts texts;
    remote *remotes[HONE__BOX_REACHED];
} ask;

static hone__box_bell *bell(void)
{
    return (hone__box_bell *)(void *)ask.in;
}

static hone__box_done *done(void)
{
    return (hone__box_done *)(void *)ask.out;
}

/* Under the lock: the question lies there; back when it is answered. */
static hone_status post(uint32_t kind, uint32_t number, uint64_t len)
{
    hone__box_done *d = done();
    if (!ask.open)
        return hone_fail(HONE_E_STATE, "the host can be asked only during a call");
    d->ask_kind = kind;
    d->ask_number = number;
    d->ask_len = len;
    const uint32_t mine = atomic_load(&d->asked) + 1;
    atomic_store_explicit(&d->asked, mine, memory_order_release);
    if (ask.bell) {
        ask.bell();
    } else {
        atomic_fetch_add(&d->event, 1);
        hone__box_wake(&d->event);
    }
    for (;;) {
        uint32_t now = atomic_load_explicit(&bell()->answered, memory_order_acquire);
        if (now == mine)
            return HONE_OK;
        hone__box_wait(&bell()->answered, now, NULL);
    }
}

/* ---- calls ----------------------------------------------------------------------------------------- */

/* Does something that it returns live on in the arena of the answer? */
static int keeps(const hone_sig *sig)
{
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if ((a->dir == HONE_DIR_OUT || a->dir == HONE_DIR_INOUT) &&
            (a->base == HONE_T_STR || a->base == HONE_T_CSTR || a->base == HONE_T_VALUE ||
             a->base == HONE_T_STRUCT))
            return 1;
    }
    return 0;
}

static hone_status carry(const remote *r, const hone_wire_slot *s, void *const *args,
                         hone_arena *arena, hone_wire_answer *answer)
{
    const hone_wire_place to = {ask.out + HONE__BOX_ASK_AT, HONE__BOX_ASK_ROOM, 0};
    const uint64_t id = ++ask.calls;
    size_t len = 0, fixed = 0;
    hone_status st = hone_wire_put(s, id, args, &to, &len, &fixed);
    if (st == HONE_E_LIMIT || (st >= 0 && fixed > HONE__BOX_ANSWER_ROOM)) {
        hone_fail(HONE_E_LIMIT, "a call-back of %zu MB is too large for a box", len >> 20);
        return hone_fail_hint("give it smaller batches");
    }
    if (st >= 0)
        st = post(HONE__BOX_ASK_CALL, r->number, len);
    if (st >= 0)
        st = hone_wire_take(s, id, args, ask.in + HONE__BOX_ANSWER_AT, HONE__BOX_ANSWER_ROOM, arena,
                            answer);
    if (st >= 0 && !answer->done)
        st = hone_fail(HONE_E_FAIL, "the host did not answer a call of %s",
                       hone_wire_desc(s)->name);
    return st;
}

static void called(void *self, const hone_wire_slot *s, void *const *args, hone_wire_ret *ret)
{
    const hone_sig *sig = hone_wire_sig(s);
    hone_wire_answer answer;
    hone_arena own, *arena = keeps(sig) ? &ask.answers : &own;
    memset(&answer, 0, sizeof answer);
    hone_arena_init(&own, HONE__BOX_IN);
    pthread_mutex_lock(&ask.lock);
    hone_status st = carry(self, s, args, arena, &answer);
    if (st >= 0) {
        *ret = answer.ret;
        if (sig->result == HONE_T_STR)
            ret->str = hone__texts_keep(&ask.texts, &ask.kept, answer.ret.str);
        if (sig->result == HONE_A_STATUS && answer.bad < 0) {
            ret->i64 = answer.bad; /* a sink of the plugin's own has refused */
        } else if (answer.error.code < 0) {
            hone_error_set(&answer.error);
            hone__host_failed(answer.error.code);
        } else if (sig->result == HONE_A_STATUS && answer.lost && ret->i32 >= 0) {
            st = hone_fail(HONE_E_LIMIT, "the answer is too large for a box: %zu parts are lost",
                           answer.lost);
        }
    }
    if (st < 0) {
        memset(ret, 0, sizeof *ret);
        if (sig->result == HONE_A_STATUS)
            ret->i64 = hone__host_failed(st);
        else if (sig->result == HONE_T_I32)
            ret->i64 = -1;
    }
    pthread_mutex_unlock(&ask.lock);
    hone_arena_release(&own);
}

/* ---- interfaces ------------------------------------------------------------------------------------ */

/* A table with something in each slot that is there, for the stub to make closures of. */
static void *table_like(const hone_iface_desc *d, const hone_value *slots)
{
    static const char something;
    const void *p = &something;
    char *like = hone_calloc(1, d->table->size);
    if (!like)
        return NULL;
    if (d->table->members[0]->type == HONE_T_SIZE)
        memcpy(like + d->table->members[0]->offset, &d->table->size, sizeof d->table->size);
    for (size_t i = 0; d->table->slots[i]; i++)
        for (size_t k = 0; k < slots->u.list.n; k++)
            if (slots->u.list.items[k].type == HONE_STRING &&
                hone_str_eq(slots->u.list.items[k].u.str, d->table->slots[i]->name))
                memcpy(like + d->table->slots[i]->offset, &p, sizeof p);
    return like;
}

static hone_status find_description(const hone_value *told, const char *id,
                                    const hone_iface_desc **out)
{
    const hone_value *text = hone_value_get(told, "description");
    const hone_iface_desc *d = hone_desc_builtin(id);
    char theirs[65], ours[65];
    if (d || !text) {
        *out = d;
        return d ? HONE_OK : hone_fail(HONE_E_FAIL, "%s has no description", id);
    }
    HONE_TRY(hone_desc_read(text, id, &ask.kept, &d));
    HONE_TRY(hone_desc_hash(d, theirs));
    for (size_t i = 0; ask.own && ask.own[i]; i++) {
        if (strcmp(ask.own[i]->id, id) != 0)
            continue;
        HONE_TRY(hone_desc_hash(ask.own[i], ours));
        if (strcmp(theirs, ours) != 0)
            return hone_fail(HONE_E_ABI, "the %s of the host is another than the plugin's", id);
    }
    *out = d;
    return HONE_OK;
}

/* From the host's answer to a remote, once for each number. */
static hone_status take_iface(hone_str text, hone_ref *out)
{
    hone_value told;
    int64_t number = -1;
    hone_str id = {NULL, 0};
    const hone_iface_desc *d = NULL;
    HONE_TRY(hone_json_parse(text.ptr, text.len, "the host's answer", &ask.kept, &told));
    const hone_value *slots = hone_value_get(&told, "slots");
    HONE_TRY(hone_value_i64(&told, "number", number, &number));
    HONE_TRY(hone_value_string(&told, "iface", id, &id));
    if (number < 0 || number >= HONE__BOX_REACHED || !slots || slots->type != HONE_LIST)
        return hone_fail(HONE_E_FAIL, "the host's answer is none");
    remote *r = ask.remotes[number];
    if (!r) {
        const char *name = hone_arena_strndup(&ask.kept, id.ptr, id.len);
        r = hone_arena_calloc(&ask.kept, 1, sizeof *r);
        if (!name || !r)
            return HONE_E_NOMEM;
        r->number = (uint32_t)number;
        HONE_TRY(find_description(&told, name, &d));
        HONE_TRY(hone_wire_open(d, NULL, &r->wire));
        void *like = table_like(d, slots);
        hone_status s = like ? hone_wire_stub_create(r->wire, like, called, &r->stub)
                             : HONE_E_NOMEM;
        hone_free(like);
        if (s < 0) {
            hone_wire_close(r->wire);
            return s;
        }
        ask.remotes[number] = r;
    }
    out->self = r;
    out->vt = hone_wire_stub_table(r->stub);
    return HONE_OK;
}

static hone_status ask_for(uint32_t kind, uint32_t number, hone_str text, hone_ref *out)
{
    pthread_mutex_lock(&ask.lock);
    if (text.len)
        memcpy(ask.out + HONE__BOX_ASK_AT, text.ptr, text.len);
    hone_status s = post(kind, number, text.len);
    if (s >= 0) {
        const hone_str told = {(const char *)ask.in + HONE__BOX_ANSWER_AT, bell()->answer_len};
        s = bell()->answer < 0 ? hone__box_read_error(told, "") : take_iface(told, out);
    }
    pthread_mutex_unlock(&ask.lock);
    return s;
}

static hone_status iface(const char *id, hone_ref *out)
{
    const hone_str text = {id, strlen(id)};
    if (text.len == 0 || text.len > 255)
        return hone_fail(HONE_E_INVALID, "the id of an interface is empty or too long");
    return ask_for(HONE__BOX_ASK_IFACE, 0, text, out);
}

/* `name` is what hone_config_export wrote: the number of the setting. */
static hone_status setting(hone_str name, hone_ref *out)
{
    char text[16], *end;
    if (name.len == 0 || name.len >= sizeof text)
        return hone_fail(HONE_E_FAIL, "a setting has no number");
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    unsigned long field = strtoul(text, &end, 10);
    if (*end)
        return hone_fail(HONE_E_FAIL, "a setting has no number");
    return ask_for(HONE__BOX_ASK_SETTING, (uint32_t)field, (hone_str){NULL, 0}, out);
}

static const hone__beyond beyond = {iface, setting};

/* ---- when ------------------------------------------------------------------------------------------ */

void hone__ask_init(hone_registry *r, unsigned char *in, unsigned char *out,
                    const hone_iface_desc *const *own, void (*greeting)(void))
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&ask.lock, &attr);
    pthread_mutexattr_destroy(&attr);
    ask.in = in;
    ask.out = out;
    ask.own = own;
    ask.bell = greeting;
    ask.open = 1;
    hone_arena_init(&ask.kept, 0);
    hone_arena_init(&ask.answers, HONE__BOX_IN);
    r->beyond = &beyond;
}

void hone__ask_begin(void)
{
    pthread_mutex_lock(&ask.lock);
    hone_arena_clear(&ask.answers);
    ask.bell = NULL;
    ask.open = 1;
    pthread_mutex_unlock(&ask.lock);
}

void hone__ask_end(void)
{
    pthread_mutex_lock(&ask.lock);
    ask.open = 0;
    pthread_mutex_unlock(&ask.lock);
}
