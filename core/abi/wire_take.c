/* wire_take.c - the caller's side of a result that nobody has to be trusted for. See wire.h.
 *
 * Key idea: one copy first, everything else from the copy. The caller's own arguments say where each output goes and
 * how large it is; the callee's bytes are only ever asked for contents. What a sink was given is a call of
 * its own, read like any other.
 *
 * Invariant: a count of the caller's arrays is never taken from the callee. Source: plugin-abi.md 7. */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"

#include <string.h>

struct taker {
    const hone_wire_slot *s;
    void *const *args;
    const char *copy;
    size_t len;
    hone_arena *arena;
    hone_wire_answer *out;
    hone__wire_result head;
    hone__layout layout;
};

static hone_status bad(const struct taker *t, const char *what)
{
    return hone_fail(HONE_E_MISBEHAVED, "%s: its result: %s", t->s->place, what);
}

static char *caller(const struct taker *t, size_t i)
{
    char *p;
    memcpy(&p, t->args[i], sizeof p);
    return p;
}

/* ---- arrays the callee fills ------------------------------------------------------------------- */

/* An outcome: the score first, as readers on other threads expect. */
static void take_outcome(struct taker *t, char *to, size_t there, const char *from)
{
    hone_outcome o;
    memcpy(&o, from, sizeof o);
    t->out->refused += (size_t)hone__wire_sane_outcome(&o);
    if (there >= sizeof o)
        hone_outcome_set((hone_outcome *)(void *)to, 0, 0, o.status, o.score);
}

static void take_flat(struct taker *t, size_t i)
{
    const hone_sig_arg *g = &t->s->sig.args[i];
    const hone__arg_plan *a = &t->s->args[i];
    size_t n = hone__wire_count(t->s, i, t->args), stride = hone__wire_stride(t->s, i, t->args);
    const char *from = t->copy + t->layout.at[i];
    char *to = caller(t, i);
    size_t there = g->array                   ? (stride < a->elem ? stride : a->elem)
                   : a->el == HONE__EL_STRUCT ? hone__wire_avail(a->of, to)
                                              : a->elem;
    for (size_t k = 0; k < n; k++, from += a->elem, to += stride) {
        uint32_t size = 0;
        int sized = a->of && a->of->size_at >= 0 && there >= (size_t)a->of->size_at + sizeof size;
        if (a->of && a->of->outcome) {
            take_outcome(t, to, there, from);
            continue;
        }
        if (sized)
            memcpy(&size, to + a->of->size_at, sizeof size);
        memcpy(to, from, there);
        if (sized)
            memcpy(to + a->of->size_at, &size, sizeof size);
    }
}

static void take_mutables(struct taker *t, size_t i, size_t at)
{
    const hone__arg_plan *a = &t->s->args[i];
    const hone__plan *of = a->of;
    size_t n = hone__wire_count(t->s, i, t->args);
    const char *p = caller(t, i);
    size_t stride = t->s->sig.args[i].array ? hone__wire_stride(t->s, i, t->args)
                                            : hone__wire_avail(of, p);
    int over = 0;
    for (size_t e = 0; e < n; e++, p += stride)
        for (uint32_t k = 0; k < of->n_ops; k++) {
            const hone__op *op = &of->ops[k];
            if (!(op->flags & HONE_M_MUTABLE) || op->end > stride)
                continue;
            for (uint32_t j = 0; j < op->k; j++) {
                char *to;
                memcpy(&to, p + op->offset + j * sizeof to, sizeof to);
                if (!to)
                    continue;
                size_t bytes = hone__wire_member_count(op, p, &over) * op->elem;
                at = (at + 15) & ~(size_t)15; /* as the layout did, which has checked the sums */
                memcpy(to, t->copy + at, bytes);
                at += bytes;
            }
        }
}

static void take_arrays(struct taker *t)
{
    for (size_t i = 0; i < t->s->sig.n; i++) {
        const hone__arg_plan *a = &t->s->args[i];
        const hone_sig_arg *g = &t->s->sig.args[i];
        size_t at = t->layout.at[i];
        if (a->how != HONE__ARG_DATA || !at)
            continue;
        if (a->flat && g->dir != HONE_DIR_IN) {
            take_flat(t, i);
            at += hone__wire_count(t->s, i, t->args) * a->elem;
        }
        if (a->of && a->of->mutables && g->dir != HONE_DIR_OUT)
            take_mutables(t, i, at);
    }
}

/* ---- sinks ------------------------------------------------------------------------------------- */

hone_status hone_wire_peek_callback(const hone_wire_slot *s, const void *bytes, size_t len,
                                    const hone_wire_slot **callback, size_t *sink)
{
    hone__wire_head h;
    if (len >= sizeof h)
        memcpy(&h, bytes, sizeof h);
    if (len < sizeof h || h.magic != HONE__WIRE_CALL || !(h.code >> 31) ||
        (h.code >> 16 & 0x7FFF) >= s->sig.n ||
        (h.code & 0xFFFF) >= s->args[h.code >> 16 & 0x7FFF].n_sink)
        return hone_fail(HONE_E_MISBEHAVED, "%s: the bytes call none of its sinks", s->place);
    *sink = h.code >> 16 & 0x7FFF;
    *callback = s->args[*sink].sink[h.code & 0xFFFF];
    return HONE_OK;
}

static hone_status deliver(struct taker *t, const char *record, size_t len)
{
    hone_wire_call call;
    const hone_wire_slot *s;
    void (*fn)(void) = NULL;
    size_t arg;
    HONE_TRY(hone_wire_peek_callback(t->s, record, len, &s, &arg));
    const hone__arg_plan *a = &t->s->args[arg];
    char *object = caller(t, arg);
    if (!object || !s->appends)
        return bad(t, "a record of a sink that was not given");
    HONE_TRY(hone_wire_get(s, record, len, 0, NULL, t->arena, object, &call));
    if (hone__wire_avail(a->of, object) >= s->fn_offset + sizeof fn)
        memcpy(&fn, object + s->fn_offset, sizeof fn);
    if (!fn) {
        t->out->lost++;
        return HONE_OK;
    }
    hone_wire_invoke(&call, fn);
    if (s->sig.result == HONE_A_STATUS && call.ret.i32 < 0 && t->out->bad >= 0)
        t->out->bad = call.ret.i32;
    return HONE_OK;
}

static hone_status take_records(struct taker *t)
{
    size_t at = t->layout.end, end = (size_t)t->head.end;
    hone__wire_head h;
    while (at < end) {
        if (end - at < sizeof h)
            return bad(t, "a record is cut");
        memcpy(&h, t->copy + at, sizeof h);
        if (h.len < sizeof h || h.len > end - at)
            return bad(t, "a record is cut");
        HONE_TRY(deliver(t, t->copy + at, (size_t)h.len));
        at += ((size_t)h.len + 15) & ~(size_t)15;
    }
    return HONE_OK;
}

/* ---- what came when it returned ---------------------------------------------------------------- */

/* Does `m` count an array that the callee fills? */
static int counts_mutable(const hone_struct_desc *d, const hone_member *m)
{
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *x = d->members[i];
        if ((x->flags & HONE_M_ARRAY) && (x->flags & HONE_M_MUTABLE) &&
            (x->count_offset == m->offset ||
             ((x->flags & HONE_M_PRODUCT) && x->count2_offset == m->offset)))
            return 1;
    }
    return 0;
}

/* Members of a returned struct into the caller's. */
static hone_status merge(struct taker *t, const hone__plan *p, const char *from, char *to)
{
    size_t there = hone__wire_avail(p, to);
    for (size_t i = 0; p->desc->members[i]; i++) {
        const hone_member *m = p->desc->members[i];
        size_t bytes = (m->flags & HONE_M_ARRAY ? sizeof(void *) : m->elem_size) *
                       (size_t)(m->flags & HONE_M_INLINE ? m->count2_offset : 1);
        if (m->offset + bytes > there || m->type >= HONE_T_OPAQUE || (m->flags & HONE_M_MUTABLE))
            continue;
        if (counts_mutable(p->desc, m)) {
            if (memcmp(from + m->offset, to + m->offset, bytes) != 0)
                return bad(t, "a count of the caller's was changed");
            continue;
        }
        memcpy(to + m->offset, from + m->offset, bytes);
    }
    return HONE_OK;
}

static hone_status take_returned(struct taker *t, hone__reader *r)
{
    for (size_t i = 0; i < t->s->sig.n; i++) {
        const hone__arg_plan *a = &t->s->args[i];
        const hone_sig_arg *g = &t->s->sig.args[i];
        void *p;
        if (a->how != HONE__ARG_DATA || a->flat || !t->head.out[i] || !caller(t, i) ||
            (g->dir != HONE_DIR_OUT && g->dir != HONE_DIR_INOUT))
            continue;
        HONE_TRY(hone__wire_read_data(r, a, t->head.out[i], 1, g->name, &p));
        if (a->el == HONE__EL_STRUCT)
            HONE_TRY(merge(t, a->of, p, caller(t, i)));
        else
            memcpy(caller(t, i), p, a->elem);
    }
    return HONE_OK;
}

static hone_status take_text(struct taker *t, hone__reader *r, int which, char *to, size_t size)
{
    hone_str s;
    HONE_TRY(hone__wire_read_str(r, t->head.text[which][0], t->head.text[which][1], "error text", 1,
                                 &s));
    size_t n = s.len < size - 1 ? s.len : size - 1;
    if (n)
        memcpy(to, s.ptr, n);
    to[n] = 0;
    for (size_t i = 0; i < n; i++) /* one text for people, not a terminal's commands */
        if ((unsigned char)to[i] < 0x20 && to[i] != '\n' && to[i] != '\t')
            to[i] = ' ';
    return HONE_OK;
}

static hone_status take_return(struct taker *t, hone__reader *r)
{
    hone_wire_answer *out = t->out;
    if (t->s->sig.result == HONE_T_STR)
        HONE_TRY(hone__wire_read_str(r, t->head.ret[0], t->head.ret[1], "the returned text",
                                     t->s->text, &out->ret.str));
    else
        out->ret.u64 = t->head.ret[0];
    if (t->head.error < 0) {
        out->error.code = t->head.error;
        HONE_TRY(take_text(t, r, 0, out->error.what, sizeof out->error.what));
        HONE_TRY(take_text(t, r, 1, out->error.detail, sizeof out->error.detail));
        HONE_TRY(take_text(t, r, 2, out->error.hint, sizeof out->error.hint));
    }
    if (t->s->sig.result != HONE_A_STATUS)
        return HONE_OK;
    if (t->head.error < 0)
        out->ret.i64 = t->head.error;
    if (out->ret.i32 > 0)
        return bad(t, "a status above 0");
    out->ret.i64 = out->ret.i32;
    return HONE_OK;
}

hone_status hone_wire_take(const hone_wire_slot *s, uint64_t id, void *const *args,
                           const void *from, size_t size, hone_arena *arena, hone_wire_answer *out)
{
    struct taker t = {.s = s, .args = args, .arena = arena, .out = out};
    memset(out, 0, sizeof *out);
    HONE_TRY(hone__wire_layout(s, args, &t.layout));
    if (size < t.layout.end)
        return bad(&t, "it is cut");
    /* state and end before what they vouch for; both once, whatever the callee does to them */
    const hone__wire_result *head = from;
    uint32_t state = __atomic_load_n(&head->state, __ATOMIC_ACQUIRE);
    uint64_t end = __atomic_load_n(&head->end, __ATOMIC_ACQUIRE);
    memcpy(&t.head, from, sizeof t.head);
    t.head.end = end;
    if (state == HONE__NONE || t.head.magic != HONE__WIRE_RESULT || t.head.code != s->code ||
        t.head.id != id)
        return HONE_OK;
    out->begun = 1;
    out->done = state == HONE__DONE;
    uint64_t used = out->done ? t.head.used : end;
    if (end < t.layout.end || end > used || used > size)
        return bad(&t, "its length is not possible");
    t.len = (size_t)used;
    char *copy = hone_arena_alloc(arena, t.len);
    if (!copy)
        return HONE_E_NOMEM;
    memcpy(copy, from, t.len);
    t.copy = copy;
    out->bytes = t.len;
    out->lost = t.head.lost;
    take_arrays(&t);
    HONE_TRY(take_records(&t));
    if (!out->done)
        return HONE_OK;
    hone__reader r = {.base = copy,
                      .len = t.len,
                      .budget = t.len,
                      .arena = arena,
                      .place = s->place,
                      .refused = &out->refused,
                      .text = s->text,
                      .returned = 1};
    HONE_TRY(take_returned(&t, &r));
    return take_return(&t, &r);
}
