/* box_reach.c - what a boxed component reaches in the host: its call-backs, served by the thread that waits for its call.
 *
 * Key idea: one mechanism for all interfaces. A box asks for the host's interface of an id, or for the component that one of
 * its settings is, and is given a number; what is behind the number is the real table and object, which never leave the
 * host. A call of it comes as the marshaller writes one, is copied before it is looked at, checked, made with the real
 * table, and its result is written where only the host can write. So no interface has code of its own here.
 *
 * A component in a setting is an instance of the host's, with its own trust and perhaps a box of its own; one that is not
 * REENTRANT is entered by one call at a time, as several boxes of an outer one may want it. A call-back has no more time
 * than the call that it belongs to, and is cancelled with it.
 *
 * Invariants: nothing in the ring is followed or read twice; numbers stay the same in a fresh box; < 0 from hone__reach_serve
 * says that the box broke the protocol, a call that fails is an answer. What cannot travel is refused when it is asked
 * for, by name. Source: plugin-abi.md section 7, Call-backs. */
#include "host/box_proxy.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

/* The function of a slot in a table; NULL when the table ends before it, or has none. */
static void *function_of(const hone_iface_desc *d, const void *table, const hone_slot *slot)
{
    uint32_t size = d->table->size;
    void *fn = NULL;
    if (d->table->members[0]->type == HONE_T_SIZE)
        memcpy(&size, table, sizeof size);
    if (slot->offset + sizeof fn <= size)
        memcpy(&fn, (const char *)table + slot->offset, sizeof fn);
    return fn;
}

static hone_status cannot(const char *iface, const char *why, const char *slot)
{
    hone_fail(HONE_E_UNSUPPORTED, "%s cannot be reached from a box: %s%s", iface, why, slot);
    return hone_fail_hint("trust the plugin (hone plugin trust), and it runs in this process");
}

/* Everything in the table can travel, and there is something in it. */
static hone_status check_travels(const hone_wire *w, const void *table)
{
    const hone_iface_desc *d = w->desc;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (!function_of(d, table, d->table->slots[i]))
            continue;
        if (!w->slots[i])
            return cannot(d->id, "it takes or gives what cannot leave the process: ",
                          d->table->slots[i]->name);
        n++;
    }
    return n ? HONE_OK : cannot(d->id, "it has no functions", "");
}

/* The number under which the box has `ref`. */
static hone_status reach(hone__proxy *p, const char *iface, hone_ref ref, hone_instance *inner,
                         uint32_t *number)
{
    const hone_iface_desc *d = hone_registry_iface(p->inst->reg, iface);
    if (!d || !d->table->slots)
        return cannot(iface, d ? "it has no functions" : "nobody here has a description of it", "");
    for (uint32_t i = 0; i < p->n_reached; i++) {
        const hone__reached *r = &p->reached[i];
        if (r->wire->desc == d && r->ref.self == ref.self && r->ref.vt == ref.vt) {
            *number = i;
            return HONE_OK;
        }
    }
    if (p->n_reached == HONE__BOX_REACHED)
        return hone_fail(HONE_E_LIMIT, "more than %d interfaces of the host in one box",
                         HONE__BOX_REACHED);
    hone__reached *r = &p->reached[p->n_reached];
    HONE_TRY(hone_wire_open(d, NULL, &r->wire));
    hone_status s = check_travels(r->wire, ref.vt);
    if (s < 0) {
        hone_wire_close(r->wire);
        r->wire = NULL;
        return s;
    }
    r->ref = ref;
    r->inner = inner;
    *number = p->n_reached++;
    return HONE_OK;
}

static void describe(const hone__reached *r, uint32_t number, hone_buf *out)
{
    const hone_iface_desc *d = r->wire->desc;
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "number", number);
    hone_jw_kcstr(&w, "iface", d->id);
    hone_jw_key(&w, "slots");
    hone_jw_list(&w);
    for (size_t i = 0; i < r->wire->n; i++)
        if (function_of(d, r->ref.vt, d->table->slots[i]))
            hone_jw_cstr(&w, d->table->slots[i]->name);
    hone_jw_end(&w);
    if (hone_desc_builtin(d->id) != d) {
        hone_jw_key(&w, "description");
        hone_desc_json(d, 0, &w);
    }
    hone_jw_end(&w);
}

/* ---- asking for one ------------------------------------------------------------------------------ */

static hone_status asked_iface(hone__proxy *p, const hone__box *b, uint64_t len, uint32_t *number)
{
    char id[256];
    hone_ref ref;
    if (len == 0 || len >= sizeof id)
        return hone_fail(HONE_E_INVALID, "the id of an interface is empty or too long");
    memcpy(id, b->out + HONE__BOX_ASK_AT, len);
    id[len] = 0;
    HONE_TRY(hone__hostif_get(p->inst->reg, p->inst, id, &ref));
    return reach(p, id, ref, NULL, number);
}

static hone_status asked_setting(hone__proxy *p, uint32_t field, uint32_t *number)
{
    hone_ref ref;
    const char *iface;
    void *keep;
    HONE_TRY(hone_config_component_at(p->inst->cfg, field, &ref, &iface, &keep));
    return reach(p, iface, ref, keep, number);
}

static hone_status answer_reached(hone__proxy *p, hone__box *b, hone_status s, uint32_t number)
{
    hone__box_bell *bell = (hone__box_bell *)(void *)b->in;
    hone_buf text;
    hone_buf_init(&text, HONE__BOX_ANSWER_ROOM);
    if (s >= 0)
        describe(&p->reached[number], number, &text);
    else
        hone__box_write_error(&text);
    if (text.failed < 0) {
        s = text.failed;
        text.len = 0;
    }
    if (text.len)
        memcpy(b->in + HONE__BOX_ANSWER_AT, text.ptr, text.len);
    bell->answer = s;
    bell->answer_len = text.len;
    hone_buf_release(&text);
    return HONE_OK;
}

/* ---- calling one --------------------------------------------------------------------------------- */

/* Its own copy of what the box wrote: nothing can change under the reader. */
static const void *copy_of(hone__proxy *p, hone__box *b, size_t len)
{
    if (len > p->asked_cap || !p->asked) {
        const size_t cap = len ? len : 1; /* no more, for a sanitizer to see who reads behind */
        void *more = hone_alloc(cap);
        if (!more)
            return NULL;
        hone_free(p->asked);
        p->asked = more;
        p->asked_cap = cap;
    }
    memcpy(p->asked, b->out + HONE__BOX_ASK_AT, len);
    if (len > HONE__BOX_LARGE)
        hone__box_give_back(b, HONE__BOX_ASK_AT, HONE__BOX_ASK_ROOM);
    return p->asked;
}

static void with_the_callers_time(const hone__box *b, hone_call *call)
{
    if (b->deadline_ns && (!call->deadline_ns || call->deadline_ns > b->deadline_ns))
        call->deadline_ns = b->deadline_ns;
    if (b->cancelled)
        call->cancelled = b->cancelled;
}

static hone_status make_call(const hone__box *b, const hone__reached *r, const void *bytes,
                             size_t len, hone_arena *arena, hone_wire_call *call)
{
    const hone_wire_place result = {b->in + HONE__BOX_ANSWER_AT, HONE__BOX_ANSWER_ROOM, 0};
    const hone_wire_slot *slot;
    uint64_t id;
    void (*fn)(void);
    HONE_TRY(hone_wire_peek(r->wire, bytes, len, &slot, &id));
    void *p = function_of(r->wire->desc, r->ref.vt, hone_wire_desc(slot));
    if (!p)
        return hone_fail(HONE_E_MISBEHAVED, "it calls %s of %s, which is not there",
                         hone_wire_desc(slot)->name, r->wire->desc->id);
    HONE_TRY(hone_wire_get(slot, bytes, len, 0, &result, arena, r->ref.self, call));
    with_the_callers_time(b, &call->record);
    memcpy(&fn, &p, sizeof fn);
    const int alone = r->inner && !(hone_instance_caps(r->inner) & HONE_CAP_REENTRANT);
    if (alone)
        pthread_mutex_lock(&r->inner->reached);
    hone_error_clear();
    hone_wire_invoke(call, fn);
    if (alone)
        pthread_mutex_unlock(&r->inner->reached);
    const int failed = hone_wire_sig(slot)->result == HONE_A_STATUS && call->ret.i32 < 0;
    (void)hone_wire_finish(call, failed ? hone_error_get() : NULL); /* too long: it says so there */
    return HONE_OK;
}

static hone_status asked_call(hone__proxy *p, hone__box *b, uint32_t number, uint64_t len)
{
    hone__box_bell *bell = (hone__box_bell *)(void *)b->in;
    hone_wire_call call;
    hone_arena arena;
    if (number >= p->n_reached)
        return hone_fail(HONE_E_MISBEHAVED, "it calls interface number %u, which it was not given",
                         number);
    const void *bytes = copy_of(p, b, (size_t)len);
    if (!bytes)
        return HONE_E_NOMEM;
    hone_arena_init(&arena, 2 * HONE__BOX_OUT);
    hone_status s = make_call(b, &p->reached[number], bytes, (size_t)len, &arena, &call);
    bell->answer = HONE_OK;
    bell->answer_len = s < 0 ? 0 : call.end;
    hone_arena_release(&arena);
    if (p->asked_cap > HONE__BOX_LARGE) {
        hone_free(p->asked);
        p->asked = NULL;
        p->asked_cap = 0;
    }
    return s;
}

hone_status hone__reach_serve(void *ctx, hone__box *b)
{
    hone__proxy *p = ctx;
    /* read once each: the box may go on writing */
    const volatile hone__box_done *d = (const volatile hone__box_done *)(const void *)b->out;
    const uint32_t kind = d->ask_kind, number = d->ask_number;
    const uint64_t len = d->ask_len;
    const void *who = hone__failed_by(NULL);
    uint32_t reached = 0;
    hone_status s;
    if (len > HONE__BOX_ASK_ROOM)
        s = hone_fail(HONE_E_MISBEHAVED, "a call-back of %llu bytes", (unsigned long long)len);
    else if (kind == HONE__BOX_ASK_CALL)
        s = asked_call(p, b, number, len);
    else if (kind == HONE__BOX_ASK_IFACE || kind == HONE__BOX_ASK_SETTING) {
        s = kind == HONE__BOX_ASK_IFACE ? asked_iface(p, b, len, &reached)
                                        : asked_setting(p, number, &reached);
        s = answer_reached(p, b, s, reached);
    } else
        s = hone_fail(HONE_E_MISBEHAVED, "a call-back of kind %u, which is not known", kind);
    hone__failed_by(who); /* the failure of an inner call is not that of the call around it */
    return s;
}

void hone__reach_free(hone__proxy *p)
{
    for (uint32_t i = 0; i < p->n_reached; i++)
        hone_wire_close(p->reached[i].wire);
    hone_free(p->asked);
}
