/* box_proxy.c - an instance whose plugin runs in a box: an ordinary hone_instance to everybody else.
 *
 * Its interfaces are tables of closures (wire.h) that end in hone__proxy_call; hone.state/1 and hone.cancel/1 are
 * written by hand, because streams do not travel. What is in the box is checked against what is known: the sidecar
 * must be the file's own description, an interface must have the hash of the description used here.
 *
 * A box may be replaced by a fresh one at any time between two attempts: nothing outside this file and box_retry.c
 * remembers anything of a box. One call at a time in a box: the caller's thread waits in it; box_pool.c has more of them.
 * Source: plugin-abi.md section 7. */
#include "host/box_proxy.h"

#include "host/box_source.h"
#include "host/grant.h"
#include "abi/sidecar.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "hone/state.h"

#include <stdlib.h>
#include <string.h>

enum { START_TRIES = 100, REPRODUCED = 2 };
static const uint64_t default_memory = (uint64_t)2 << 30, call_cpu_ns = 600000000000u;
static const uint64_t default_ns = 60000000000u; /* of calls that bring no deadline */

/* ---- greeting -------------------------------------------------------------------------------------- */

/* A table with something in each slot that the plugin has: the stub makes closures for those. */
static hone_status make_stub(hone__offered *o, const hone_value *slots)
{
    const hone_struct_desc *t = o->desc->table;
    static const char something;
    const void *p = &something;
    uint32_t size = t->size;
    unsigned char *like = hone_calloc(1, t->size);
    if (!like)
        return HONE_E_NOMEM;
    memcpy(like, &size, sizeof size);
    for (size_t i = 0; t->slots[i]; i++)
        for (size_t k = 0; k < slots->u.list.n; k++)
            if (slots->u.list.items[k].type == HONE_STRING &&
                hone_str_eq(slots->u.list.items[k].u.str, t->slots[i]->name))
                memcpy(like + t->slots[i]->offset, &p, sizeof p);
    hone_status s = hone_wire_stub_create(o->wire, like, hone__proxy_call, &o->stub);
    hone_free(like);
    return s;
}

static hone_status take_offer(hone__proxy *p, const hone_value *v, size_t i, int first)
{
    hone_str id = {"", 0}, hash = {"", 0};
    const hone_value *slots = hone_value_get(v, "slots");
    const char *who = p->inst->info->c.id;
    char name[256], own[65];
    HONE_TRY(hone_value_string(v, "iface", id, &id));
    HONE_TRY(hone_value_string(v, "hash", hash, &hash));
    if (!slots || slots->type != HONE_LIST || id.len >= sizeof name || i >= HONE__BOX_OFFERS)
        return hone_fail(HONE_E_MISBEHAVED, "%s: its box offers something odd", who);
    memcpy(name, id.ptr, id.len);
    name[id.len] = 0;
    hone__offered *o = &p->offers[i];
    if (!first) {
        if (i >= p->n_offers || (o->desc && strcmp(o->desc->id, name) != 0))
            return hone_fail(HONE_E_MISBEHAVED, "%s: a fresh box offers something else", who);
        return HONE_OK;
    }
    o->proxy = p;
    o->number = (uint32_t)i;
    p->n_offers = i + 1;
    o->desc = hone_registry_iface(p->inst->reg, name);
    if (!o->desc) {
        hone_log(HONE_LOG_WARN, who, "offers %s, which nobody here has a description of", name);
        return HONE_OK;
    }
    HONE_TRY(hone_desc_hash(o->desc, own));
    if (!hone_str_eq(hash, own)) {
        hone_fail(HONE_E_ABI, "%s: its %s is another than the one known here", who, name);
        return hone_fail_hint("an interface of the same id has to have the same description: "
                              "build the plugin with this hone's SDK");
    }
    HONE_TRY(hone_wire_open(o->desc, p->inst->info->c.wants, &o->wire));
    return make_stub(o, slots);
}

/* The description that came out of the box is that of the sidecar the user saw. */
static hone_status check_description(const hone__proxy *p, const hone_value *is)
{
    const hone_plugin *plugin = p->inst->info->plugin;
    hone_arena arena;
    hone_value told;
    hone_status s = HONE_OK;
    if (!plugin || !plugin->has_sidecar)
        return HONE_OK;
    size_t n = strlen(plugin->path);
    char *path = hone_alloc(n + 3);
    if (!path)
        return HONE_E_NOMEM;
    memcpy(path, plugin->path, n - 2);
    memcpy(path + n - 2, "json", 5);
    hone_arena_init(&arena, 0);
    s = hone_json_parse_file(path, 8 << 20, &arena, &told);
    if (s >= 0 && (!is || !hone_value_equal(&told, is))) {
        s = hone_fail(HONE_E_ABI, "%s: its sidecar %s describes something else", plugin->path,
                      hone_path_base(path));
        hone_fail_hint("the file was built again without it: hone plugin describe %s --write",
                       plugin->path);
    }
    hone_arena_release(&arena);
    hone_free(path);
    return s;
}

/* Again when somebody else killed it before it greeted; and once more when it ended itself, which then counts. */
static hone_status start_box(const hone_registry *r, const hone_plugin *plugin, const char *sha256,
                             const hone__box_spec *spec, hone__box *b, hone_buf *ready)
{
    hone__box_end end;
    int tries = 0, deaths = 0;
    for (;;) {
        hone_status s = hone__box_start(spec, b, ready, &end);
        if (s >= 0)
            return s;
        if (s == HONE_E_INTERRUPTED && ++tries < START_TRIES) {
            hone_log(HONE_LOG_WARN, spec->who, "its box ended before it began: somebody killed it");
            continue;
        }
        if (!end.own)
            return s;
        if (++deaths == REPRODUCED) {
            const hone_death d = {NULL, end.what, end.doing, end.stack, -1};
            hone__policy_died(r, plugin, sha256, spec->who, &d);
            return s;
        }
    }
}

static hone_status start(hone__proxy *p)
{
    const int first = p->n_offers == 0;
    hone__box_spec spec = {.who = p->inst->info->c.id,
                           .id = p->inst->info->c.id,
                           .file = p->inst->info->plugin->path,
                           .plugin = p->plugin,
                           .policy = p->policy,
                           .cfg = p->inst->cfg,
                           .seed = p->inst->reg->seed,
                           .serve = hone__reach_serve,
                           .serve_ctx = p};
    hone_arena arena;
    hone_value ready;
    hone_buf text;
    int64_t there = 0;
    hone_buf_init(&text, HONE__BOX_MESSAGE_MAX);
    hone_arena_init(&arena, 0);
    hone_status s = start_box(p->inst->reg, p->inst->info->plugin, p->sha256, &spec, &p->box,
                              &text);
    if (s < 0) {
        hone_buf_release(&text);
        return s;
    }
    p->box.cpu_ns = call_cpu_ns;
    s = hone_json_parse(text.ptr, text.len, "a box's greeting", &arena, &ready);
    if (s >= 0)
        s = hone_value_i64(&ready, "in", 0, &there);
    if (s >= 0)
        s = check_description(p, hone_value_get(&ready, "sidecar"));
    const hone_value *offers = s >= 0 ? hone_value_get(&ready, "offers") : NULL;
    if (s >= 0 && (!offers || offers->type != HONE_LIST || there <= 0))
        s = hone_fail(HONE_E_MISBEHAVED, "its box greets oddly");
    for (size_t i = 0; s >= 0 && i < offers->u.list.n; i++)
        s = take_offer(p, &offers->u.list.items[i], i, first);
    p->there = (uint64_t)there;
    p->alive = s >= 0;
    p->starts++;
    if (s < 0)
        hone__box_stop(&p->box);
    hone_arena_release(&arena);
    hone_buf_release(&text);
    return s;
}

/* ---- state ---------------------------------------------------------------------------------------- */

void hone__proxy_count(hone__proxy *p, int how, const char *call, int64_t sample)
{
    hone_buf what;
    hone_buf_init(&what, 256);
    if (how == HONE__BOX_GREEDY)
        hone_buf_adds(&what, "more memory or CPU time than its limit");
    else if (how == HONE__BOX_BROKE)
        hone_buf_adds(&what, p->box.broke);
    else
        hone_child_status_text(p->box.status, &what);
    const hone_death d = {NULL, what.ptr ? what.ptr : "", call, p->box.stack, sample};
    hone__policy_died(p->inst->reg, p->inst->info->plugin, p->sha256, p->inst->info->c.id, &d);
    hone_buf_release(&what);
}

static hone_status ring_state(hone__proxy *p, uint32_t op, size_t len)
{
    const hone__box_done *done = (hone__box_done *)(void *)p->box.out;
    hone_buf why;
    int how = hone__box_ring(&p->box, op, 0, len, 0, hone_now_ns() + default_ns, NULL, NULL);
    if (how == HONE__BOX_ANSWERED) {
        hone_status s = done->status;
        return s < 0 ? hone__box_failure(&p->box) : HONE_OK;
    }
    hone_buf_init(&why, 4096);
    hone__box_why(&p->box, how, &why);
    if ((how == HONE__BOX_DIED || how == HONE__BOX_GREEDY || how == HONE__BOX_BROKE) &&
        ++p->state_deaths >= REPRODUCED) {
        p->state_deaths = 0;
        hone__proxy_count(p, how,
                          op == HONE__BOX_OP_LIVE   ? "apply"
                          : op == HONE__BOX_OP_LOAD ? "load"
                                                    : "save",
                          -1);
    }
    hone__box_stop(&p->box);
    p->alive = 0;
    hone_status s = hone_fail(how == HONE__BOX_KILLED ? HONE_E_INTERRUPTED : HONE_E_MISBEHAVED,
                              "its box died over its %s: %.400s",
                              op == HONE__BOX_OP_LIVE ? "settings" : "state", why.ptr);
    hone_buf_release(&why);
    return s;
}

static hone_status save_state(hone__proxy *p, hone_buf *out)
{
    HONE_TRY(ring_state(p, HONE__BOX_OP_SAVE, 0));
    uint64_t n = ((const volatile hone__box_done *)(void *)p->box.out)->len;
    if (n > HONE__BOX_RESULT_ROOM)
        return hone_fail(HONE_E_MISBEHAVED, "its box has a state of %llu bytes",
                         (unsigned long long)n);
    return hone_buf_add(out, p->box.out + HONE__BOX_HEAD, (size_t)n);
}

static hone_status load_state(hone__proxy *p, const void *bytes, size_t n)
{
    if (n > HONE__BOX_CALL_ROOM)
        return hone_fail(HONE_E_LIMIT, "a state of %zu bytes is too large for a box", n);
    if (n)
        memcpy(p->box.in + HONE__BOX_HEAD, bytes, n);
    return ring_state(p, HONE__BOX_OP_LOAD, n);
}

hone_status hone__proxy_remember(hone__proxy *p)
{
    hone_buf fresh;
    if (!p->stateful || !p->has_state)
        return HONE_OK;
    hone_buf_init(&fresh, HONE__BOX_OUT);
    hone_status s = save_state(p, &fresh);
    if (s < 0) {
        hone_buf_release(&fresh);
        return s;
    }
    hone_buf_release(&p->state);
    p->state = fresh;
    return HONE_OK;
}

hone_status hone__proxy_revive(hone__proxy *p)
{
    if (p->alive)
        return HONE_OK;
    if (p->stateful && !p->has_state) {
        hone_instance_set_aside(p->inst);
        return hone_fail(HONE_E_STATE, "what it knew died with its box: it is STATEFUL and has no "
                                       "hone.state/1");
    }
    for (int tries = 0;; tries++) {
        HONE_TRY(start(p));
        if (!p->stateful || !p->state.len)
            return HONE_OK;
        hone_status s = load_state(p, p->state.ptr, p->state.len);
        if (s != HONE_E_INTERRUPTED || tries >= START_TRIES)
            return s;
    }
}

static hone_status state_save(void *self, const hone_out_stream *out)
{
    hone__proxy *p = ((hone__offered *)self)->proxy;
    hone_buf b;
    hone_buf_init(&b, HONE__BOX_OUT);
    pthread_mutex_lock(&p->lock);
    hone_status s = hone__proxy_revive(p);
    if (s >= 0)
        s = save_state(p, &b);
    pthread_mutex_unlock(&p->lock);
    if (s >= 0)
        s = out->write(out, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

static hone_status state_load(void *self, const hone_in_stream *in)
{
    hone__proxy *p = ((hone__offered *)self)->proxy;
    hone_buf b;
    char chunk[65536];
    size_t got = 0;
    hone_status s;
    hone_buf_init(&b, HONE__BOX_CALL_ROOM);
    do {
        s = in->read(in, chunk, sizeof chunk, &got);
        if (s >= 0 && got > sizeof chunk)
            s = hone_fail(HONE_E_MISBEHAVED, "a stream gives more than was asked for");
        if (s >= 0)
            s = hone_buf_add(&b, chunk, got);
    } while (s >= 0 && got);
    pthread_mutex_lock(&p->lock);
    if (s >= 0)
        s = hone__proxy_revive(p);
    if (s >= 0)
        s = load_state(p, b.ptr, b.len);
    if (s >= 0) {
        hone_buf_release(&p->state);
        p->state = b;
        hone_buf_init(&b, 0);
    }
    pthread_mutex_unlock(&p->lock);
    hone_buf_release(&b);
    return s;
}
static const hone_state_v1 state_v1 = {sizeof(hone_state_v1), 0, state_save, state_load};

static void cancel_call(void *self, uint64_t call_id)
{
    hone__proxy *first = ((hone__offered *)self)->proxy, *p;
    for (size_t i = 0; (p = hone__pool_at(first, i)) != NULL; i++) {
        uint32_t *word = atomic_load(&p->cancel);
        if (word && (!first->pool || atomic_load(&p->cancel_id) == call_id))
            __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    }
}
static const hone_cancel_v1 cancel_v1 = {sizeof(hone_cancel_v1), 0, cancel_call};

/* All settings into the first box; further ones begin anew with them. `cfg` is to be the instance's. */
static hone_status live_apply(void *self, const hone_config *cfg)
{
    hone__proxy *p = ((hone__offered *)self)->proxy, *other;
    hone_buf text;
    hone_jw w;
    hone_buf_init(&text, HONE__BOX_CALL_ROOM);
    hone_jw_init(&w, &text, 0);
    hone_status s = hone_config_export(cfg, &w);
    pthread_mutex_lock(&p->lock);
    if (s >= 0)
        s = hone__proxy_revive(p);
    if (s >= 0) {
        memcpy(p->box.in + HONE__BOX_HEAD, text.ptr, text.len);
        s = ring_state(p, HONE__BOX_OP_LIVE, text.len);
        explicit_bzero(p->box.in + HONE__BOX_HEAD, text.len); /* secrets were in it */
    }
    pthread_mutex_unlock(&p->lock);
    if (text.cap)
        explicit_bzero(text.ptr, text.len);
    hone_buf_release(&text);
    for (size_t i = 1; s >= 0 && (other = hone__pool_at(p, i)) != NULL; i++) {
        pthread_mutex_lock(&other->lock);
        if (other->alive)
            hone__box_stop(&other->box);
        other->alive = 0;
        pthread_mutex_unlock(&other->lock);
    }
    return s;
}
static const hone_live_v1 live_v1 = {sizeof(hone_live_v1), 0, live_apply};

/* ---- one attempt ---------------------------------------------------------------------------------- */

static const hone_call *call_of(const hone_wire_slot *s, void *const *args)
{
    const hone_sig *sig = hone_wire_sig(s);
    for (size_t i = 0; i < sig->n; i++)
        if (sig->args[i].base == HONE_A_CALL) {
            const hone_call *call;
            memcpy(&call, args[i], sizeof call);
            return call;
        }
    return NULL;
}

/* The text of a failure, without the id that the caller's leave puts in front. */
static void tell_error(const hone__proxy *p, const hone_error *told)
{
    hone_error e = *told;
    const char *id = p->inst->info->c.id;
    size_t n = strlen(id);
    if (strncmp(e.what, id, n) == 0 && e.what[n] == ':' && e.what[n + 1] == ' ')
        memmove(e.what, e.what + n + 2, strlen(e.what + n + 2) + 1);
    hone_error_set(&e);
}

hone_status hone__proxy_try(hone__offered *o, const hone_wire_slot *s, void *const *args, int keep,
                            int *how, hone_wire_ret *ret)
{
    hone__proxy *p = o->proxy;
    unsigned char *bytes = p->box.in + HONE__BOX_HEAD;
    const hone_wire_place to = {bytes, HONE__BOX_CALL_ROOM, p->there + HONE__BOX_HEAD};
    const hone_call *call = call_of(s, args);
    const uint64_t id = ++p->calls, now = hone_now_ns();
    uint64_t deadline = call && call->deadline_ns
                            ? call->deadline_ns
                            : now + (p->inst->call_ns ? p->inst->call_ns : default_ns);
    hone_wire_answer answer;
    size_t len = 0, fixed = 0;
    hone_status st = hone_wire_put(s, id, args, &to, &len, &fixed);
    if (st == HONE_E_LIMIT || (st >= 0 && fixed > HONE__BOX_RESULT_ROOM)) {
        hone_fail(HONE_E_LIMIT, "a call of %zu MB is too large for a box", len >> 20);
        return hone_fail_hint("give it smaller batches");
    }
    if (st < 0)
        return st;
    uint32_t *cancel = call ? hone_wire_cancel(bytes) : NULL;
    atomic_store(&p->cancel_id, call ? call->id : 0);
    atomic_store(&p->cancel, cancel);
    *how = hone__box_ring(&p->box, HONE__BOX_OP_CALL, o->number, len, !p->slow, deadline,
                          call ? call->cancelled : NULL, cancel);
    atomic_store(&p->cancel, NULL);
    if (*how != HONE__BOX_ANSWERED && *how != HONE__BOX_LATE && !keep)
        return HONE_OK;
    hone_arena_clear(&p->answers);
    memset(&answer, 0, sizeof answer);
    st = hone_wire_take(s, id, args, p->box.out + HONE__BOX_HEAD, HONE__BOX_RESULT_ROOM,
                        &p->answers, &answer);
    if (*how != HONE__BOX_ANSWERED)
        return st;
    if (answer.bytes > HONE__BOX_LARGE)
        hone__box_give_back(&p->box, HONE__BOX_HEAD, HONE__BOX_RESULT_ROOM);
    if (st >= 0 && !answer.done)
        st = hone_fail(HONE_E_MISBEHAVED, "its box did not answer a call of %s",
                       hone_wire_desc(s)->name);
    if (st < 0)
        return st;
    if (answer.refused)
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, p->inst->info->c.id,
                 "%s: outcomes with a score that is not finite or an unknown status: %zu; they are "
                 "errors now",
                 hone_wire_desc(s)->name, answer.refused);
    *ret = answer.ret;
    if (hone_wire_sig(s)->result == HONE_T_STR)
        ret->str = hone__texts_keep(&p->texts, &p->kept, answer.ret.str);
    if (answer.bad < 0)
        ret->raw = (ffi_arg)(int64_t)answer.bad; /* the sink has set the text */
    else if (answer.error.code < 0)
        tell_error(p, &answer.error);
    if (answer.lost && answer.bad >= 0 && ret->i32 >= 0)
        return hone_fail(HONE_E_LIMIT, "its answer is too large for a box: %zu parts are lost",
                         answer.lost);
    return HONE_OK;
}

/* ---- the instance --------------------------------------------------------------------------------- */

/* Streams do not travel: box_source.c carries their batches. */
static const void *source_table(hone__offered *o, void **self)
{
    hone__proxy *p = o->proxy;
    if (!p->source)
        p->source = hone__box_source_create(o);
    *self = p->source;
    return p->source ? hone__box_source_table(p->source) : NULL;
}

static const void *proxy_get_iface(hone_instance *inst, const char *id, void **self)
{
    hone__proxy *p = inst->self;
    for (size_t i = 0; i < p->n_offers; i++) {
        hone__offered *o = &p->offers[i];
        if (!o->desc || strcmp(o->desc->id, id) != 0)
            continue;
        *self = o;
        if (strcmp(id, HONE_IFACE_STATE) == 0)
            return &state_v1;
        if (strcmp(id, HONE_IFACE_CANCEL) == 0)
            return &cancel_v1;
        if (strcmp(id, HONE_IFACE_LIVE) == 0)
            return &live_v1;
        if (strcmp(id, HONE_IFACE_SOURCE) == 0)
            return source_table(o, self);
        return o->stub ? hone_wire_stub_table(o->stub) : NULL;
    }
    return NULL;
}

void hone__proxy_free(hone__proxy *p)
{
    hone__box_source_free(p->source);
    hone__pool_free(p);
    if (p->alive)
        hone__box_stop(&p->box);
    for (size_t i = 0; !p->further && i < p->n_offers; i++) {
        hone_wire_stub_free(p->offers[i].stub);
        hone_wire_close(p->offers[i].wire);
    }
    if (!p->further && p->plugin >= 0)
        close(p->plugin);
    if (p->tmp[0])
        (void)hone_remove_tree(p->tmp);
    hone__reach_free(p);
    hone_buf_release(&p->state);
    hone_arena_release(&p->answers);
    hone_arena_release(&p->kept);
    pthread_mutex_destroy(&p->lock);
    hone_free(p);
}

static void proxy_destroy(hone_instance *inst)
{
    hone__proxy_free(inst->self);
    inst->self = NULL;
}

static const hone__instance_vt proxy_vt = {proxy_get_iface, proxy_destroy};

static hone_status granted_paths(hone__proxy *p, uint64_t cap, const char *const **out)
{
    const hone_instance *inst = p->inst;
    const int library = cap == HONE_CAP_FS_READ && inst->info->plugin->lua;
    size_t n = 0;
    while (hone_registry_granted_path(inst->reg, inst->info, cap, n))
        n++;
    if (n == 0 && !library)
        return HONE_OK;
    const char **paths = hone_arena_calloc(&p->kept, n + 2, sizeof *paths);
    if (!paths)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        paths[i] = hone_registry_granted_path(inst->reg, inst->info, cap, i);
    if (library)
        paths[n] = hone_paths_lib(); /* what require("hone") reads */
    *out = paths;
    return HONE_OK;
}

void hone__box_limits(uint64_t granted, hone_sandbox_policy *out)
{
    memset(out, 0, sizeof *out);
    out->memory = default_memory;
    out->processes = 64;
    out->file_size = (uint64_t)1 << 30;
    if (granted & HONE_CAP_NET)
        out->grants |= HONE_GRANT_NET;
    if (granted & HONE_CAP_EXEC)
        out->grants |= HONE_GRANT_EXEC;
}

static hone_status make_policy(hone__proxy *p)
{
    const hone_instance *inst = p->inst;
    uint64_t caps = hone_registry_granted(inst->reg, inst->info);
    hone__box_limits(caps, &p->policy);
    p->policy.allow_weak = (uint32_t)hone_registry_weak_box(inst->reg);
    HONE_TRY(granted_paths(p, HONE_CAP_FS_READ, &p->policy.read_paths));
    return granted_paths(p, HONE_CAP_FS_WRITE, &p->policy.write_paths);
}

static int offers_state(const hone__proxy *p)
{
    for (size_t i = 0; i < p->n_offers; i++)
        if (p->offers[i].desc && strcmp(p->offers[i].desc->id, HONE_IFACE_STATE) == 0)
            return 1;
    return 0;
}

/* A file that cannot be read, a server out of reach: what it asked for and was not given is the likely reason; or that it does
 * not ask, as plugins of the time before boxes. */
static void hint_grants(const hone_instance *inst)
{
    const hone_component_info *info = inst->info;
    const uint64_t outside = HONE_CAP_FS_READ | HONE_CAP_FS_WRITE | HONE_CAP_NET;
    uint64_t missing = info->c.caps & ~hone_registry_granted(inst->reg, info);
    const hone_status s = hone_error_get()->code;
    const char *what = missing & HONE_CAP_FS_READ    ? "fs-read:PATH"
                       : missing & HONE_CAP_FS_WRITE ? "fs-write:PATH"
                       : missing & HONE_CAP_NET      ? "net"
                                                     : NULL;
    if (hone_error_get()->hint[0] || (s != HONE_E_IO && s != HONE_E_NOT_FOUND))
        return;
    if (what)
        hone_fail_hint("it runs in a box, and this was not granted: --allow=%s:%s",
                       info->short_name, what);
    else if (!(info->c.caps & outside) && info->plugin)
        hone_fail_hint(
            "it runs in a box and asks for no file and no network, so it has none; if it "
            "is yours, hone plugin trust %s runs it in process",
            info->plugin->path);
}

hone_status hone__box_create(hone_instance *inst, int fd, const char *sha256)
{
    hone__proxy *p = hone_calloc(1, sizeof *p);
    if (!p) {
        close(fd);
        return HONE_E_NOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    p->inst = inst;
    p->plugin = fd;
    memcpy(p->sha256, sha256, sizeof p->sha256);
    p->stateful = (inst->info->c.caps & HONE_CAP_STATEFUL) != 0;
    p->slow = (inst->info->c.caps & HONE_CAP_SLOW) != 0;
    hone_arena_init(&p->answers, HONE__BOX_OUT * 2);
    hone_arena_init(&p->kept, 0);
    hone_buf_init(&p->state, HONE__BOX_OUT);
    hone_status s = make_policy(p);
    if (s >= 0)
        s = start(p);
    if (s >= 0) {
        p->has_state = offers_state(p);
        s = hone__pool_create(p);
    }
    if (s >= 0) {
        s = hone__proxy_remember(p); /* what a fresh one has, should it die in its first call */
    }
    if (s < 0) {
        hone__proxy_free(p);
        hone_fail_at("%s", inst->info->c.id);
        hint_grants(inst);
        return s;
    }
    inst->vt = &proxy_vt;
    inst->self = p;
    return HONE_OK;
}

hone_status hone__box_describe(const hone_registry *r, const hone_plugin *plugin, int fd,
                               const char *sha256, hone_buf *sidecar)
{
    const char *name = plugin->path;
    hone__box_spec spec = {
        .who = name,
        .id = "",
        .file = name,
        .plugin = fd,
        .policy = {.memory = default_memory, .allow_weak = (uint32_t)hone_registry_weak_box(r)}};
    const char *const library[] = {hone_paths_lib(), NULL};
    hone__box b;
    hone_buf text;
    hone_arena arena;
    hone_value ready;
    hone_jw w;
    if (plugin->lua)
        spec.policy.read_paths = library;
    hone_buf_init(&text, HONE__BOX_MESSAGE_MAX);
    hone_arena_init(&arena, 0);
    hone_status s = start_box(r, plugin, sha256, &spec, &b, &text);
    if (s >= 0) {
        hone__box_stop(&b);
        s = hone_json_parse(text.ptr, text.len, "a box's greeting", &arena, &ready);
    }
    const hone_value *v = s >= 0 ? hone_value_get(&ready, "sidecar") : NULL;
    if (v) {
        hone_jw_init(&w, sidecar, 0);
        hone_jw_value(&w, v);
        s = sidecar->failed;
    } else if (s >= 0) {
        s = hone_fail(HONE_E_MISBEHAVED, "%s: its box greets oddly", name);
    }
    hone_arena_release(&arena);
    hone_buf_release(&text);
    close(fd);
    return s;
}
