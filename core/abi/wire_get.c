/* wire_get.c - the callee's side: arguments from bytes, the call itself, its result. See wire.h.
 *
 * Key idea: what the callee may write lies in the result from the start, so nothing has to be collected when it
 * returns, and what it has written is there when it does not. Sinks are objects whose callbacks are closures: a
 * closure finds the call in front of the object, and appends its arguments to the result.
 *
 * Invariants: `end` in the result counts complete records only and is published after them; `state` is DONE only
 * when everything else is written. Source: plugin-abi.md 7, Memory and Call-backs. */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

/* In front of every object with callbacks that a callee sees. */
struct tag {
    hone_wire_call *call;
    size_t arg;
};
HONE_STATIC_ASSERT(sizeof(struct tag) == 16, "keeps the object aligned");

/* ---- counts and layout ------------------------------------------------------------------------- */

size_t hone__wire_count(const hone_wire_slot *s, size_t i, void *const *args)
{
    const hone_sig_arg *g = &s->sig.args[i];
    if (!g->array)
        return 1;
    if (g->count < 0)
        return g->fixed;
    return s->sig.args[g->count].base == HONE_T_U32 ? (size_t) * (uint32_t *)args[g->count]
                                                    : (size_t) * (uint64_t *)args[g->count];
}

size_t hone__wire_stride(const hone_wire_slot *s, size_t i, void *const *args)
{
    const hone_sig_arg *g = &s->sig.args[i];
    if (g->stride < 0)
        return s->args[i].elem;
    return s->sig.args[g->stride].base == HONE_T_U32 ? (size_t) * (uint32_t *)args[g->stride]
                                                     : (size_t) * (uint64_t *)args[g->stride];
}

size_t hone__wire_avail(const hone__plan *p, const void *base)
{
    uint32_t size = p->size;
    if (p->size_at >= 0)
        memcpy(&size, (const char *)base + p->size_at, sizeof size);
    return size < p->size ? size : p->size;
}

static int grow(size_t *end, size_t n, size_t elem, size_t *at)
{
    size_t bytes;
    if (!hone_mul_size(n, elem, &bytes) || !hone_add_size(*end, 15, end))
        return 0;
    *end &= ~(size_t)15;
    *at = *end;
    return hone_add_size(*end, bytes, end) && *end < SIZE_MAX / 4;
}

/* Arrays that the callee fills, of n structs `stride` apart at `p`. */
static int grow_mutables(const hone__plan *of, const char *p, size_t n, size_t stride, size_t *end)
{
    int over = 0;
    for (size_t e = 0; e < n; e++, p += stride)
        for (uint32_t k = 0; k < of->n_ops; k++) {
            const hone__op *op = &of->ops[k];
            size_t at;
            if (!(op->flags & HONE_M_MUTABLE) || op->end > stride)
                continue;
            for (uint32_t j = 0; j < op->k; j++) {
                const char *q;
                memcpy(&q, p + op->offset + j * sizeof q, sizeof q);
                if (q && !grow(end, hone__wire_member_count(op, p, &over), op->elem, &at))
                    return 0;
            }
        }
    return !over;
}

static const char *pointer_of(const hone_wire_slot *s, size_t i, void *const *args)
{
    const char *p = args[i];
    if (s->sig.args[i].dir != HONE_DIR_BY)
        memcpy(&p, args[i], sizeof p);
    return p;
}

static size_t struct_step(const hone_wire_slot *s, size_t i, void *const *args, const char *p)
{
    return s->sig.args[i].array ? hone__wire_stride(s, i, args)
                                : hone__wire_avail(s->args[i].of, p);
}

hone_status hone__wire_layout(const hone_wire_slot *s, void *const *args, hone__layout *out)
{
    size_t end = sizeof(hone__wire_result);
    int fits = 1;
    for (size_t i = 0; i < s->sig.n && fits; i++) {
        const hone_sig_arg *g = &s->sig.args[i];
        const hone__arg_plan *a = &s->args[i];
        const char *p;
        out->at[i] = 0;
        if (a->how != HONE__ARG_DATA || !(p = pointer_of(s, i, args)))
            continue;
        size_t n = hone__wire_count(s, i, args);
        if ((g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT) && a->flat)
            fits = grow(&end, n, a->elem, &out->at[i]);
        if (a->of && a->of->mutables && g->dir != HONE_DIR_OUT) {
            if (!out->at[i])
                fits &= grow(&end, 0, 0, &out->at[i]);
            fits &= grow_mutables(a->of, p, n, struct_step(s, i, args, p), &end);
        }
    }
    size_t unused;
    if (!fits || !grow(&end, 0, 0, &unused))
        return hone_fail(HONE_E_RANGE, "%s: what it returns is too large", s->place);
    out->end = end;
    return HONE_OK;
}

/* ---- arguments --------------------------------------------------------------------------------- */

static hone_status unsound(const hone_wire_slot *s, const char *what)
{
    return hone_fail(HONE_E_MISBEHAVED, "%s: %s", s->place, what);
}

hone_status hone_wire_peek(const hone_wire *w, const void *bytes, size_t len,
                           const hone_wire_slot **slot, uint64_t *id)
{
    hone__wire_head h;
    if (len >= sizeof h)
        memcpy(&h, bytes, sizeof h);
    if (len < sizeof h || h.magic != HONE__WIRE_CALL || h.code >= w->n || !w->slots[h.code])
        return hone_fail(HONE_E_MISBEHAVED, "%s: the bytes are no call of it", w->desc->id);
    *slot = w->slots[h.code];
    *id = h.id;
    return HONE_OK;
}

/* An object with callbacks at the callee's: a copy of `from` (NULL: zeros) with closures in it. */
static void *make_object(hone_wire_call *c, size_t arg, const void *from)
{
    const hone__arg_plan *a = &c->slot->args[arg];
    struct tag tag = {c, arg};
    char *p = hone_arena_calloc(c->arena, 1, sizeof tag + a->elem);
    if (!p)
        return NULL;
    memcpy(p, &tag, sizeof tag);
    p += sizeof tag;
    if (from)
        memcpy(p, from, a->elem);
    else if (a->of->size_at >= 0)
        memcpy(p + a->of->size_at, &a->of->size, sizeof a->of->size);
    for (size_t k = 0; k < a->n_sink; k++)
        memcpy(p + a->sink[k]->fn_offset, &a->sink[k]->closure_code, sizeof(void *));
    return p;
}

static hone_status point_mutables(hone_wire_call *c, const hone__plan *of, char *p, size_t n,
                                  size_t at)
{
    size_t end = at;
    int over = 0;
    for (size_t e = 0; e < n; e++, p += of->size)
        for (uint32_t k = 0; k < of->n_ops; k++) {
            const hone__op *op = &of->ops[k];
            if (!(op->flags & HONE_M_MUTABLE))
                continue;
            for (uint32_t j = 0; j < op->k; j++) {
                const char *from;
                memcpy(&from, p + op->offset + j * sizeof from, sizeof from);
                if (!from)
                    continue;
                size_t count = hone__wire_member_count(op, p, &over), here;
                if (over || !grow(&end, count, op->elem, &here) || end > c->result.size)
                    return unsound(c->slot, "a count is out of range");
                char *to = (char *)c->result.at + here;
                memcpy(to, from, count * op->elem);
                memcpy(p + op->offset + j * sizeof to, &to, sizeof to);
            }
        }
    return HONE_OK;
}

static hone_status need(const hone__reader *r, const char *what)
{
    return hone_fail(HONE_E_MISBEHAVED, "%s: %s is missing", r->place, what);
}

/* Argument i that is a pointer to data. `local`: a copy that may be written is needed. */
static hone_status get_data(hone_wire_call *c, hone__reader *r, size_t i, const hone__wire_arg *in,
                            int trusted)
{
    const hone_wire_slot *s = c->slot;
    const hone_sig_arg *g = &s->sig.args[i];
    const hone__arg_plan *a = &s->args[i];
    size_t n = hone__wire_count(s, i, c->args);
    int out = g->dir == HONE_DIR_OUT, both = g->dir == HONE_DIR_INOUT;
    int local = both || a->n_sink || (a->of && a->of->mutables);
    void *p = NULL;
    if (!in->a) {
        if (!g->nullable && (n || !g->array))
            return need(r, g->name);
        return HONE_OK;
    }
    if (out) {
        if (a->flat)
            return HONE_OK; /* in the result: see place_outputs */
        char *q = hone_arena_calloc(c->arena, 1, a->elem);
        if (!q)
            return HONE_E_NOMEM;
        if (a->of && a->of->size_at >= 0) {
            uint32_t size = in->b < a->elem ? (uint32_t)in->b : a->elem;
            memcpy(q + a->of->size_at, &size, sizeof size);
        }
        p = q;
    } else if (trusted) {
        p = (void *)(uintptr_t)in->a;
    } else {
        HONE_TRY(hone__wire_read_data(r, a, in->a, n, g->name, &p));
        local &= a->flat || a->n_sink; /* other structs are private copies already */
    }
    if (local && a->n_sink) {
        p = make_object(c, i, p);
    } else if (local) {
        size_t bytes;
        if (!hone_mul_size(n, a->elem, &bytes))
            return unsound(s, "a count is out of range");
        void *q = hone_arena_alloc(c->arena, bytes ? bytes : 1);
        if (q)
            memcpy(q, p, bytes);
        p = q;
    }
    if (!p)
        return HONE_E_NOMEM;
    if (g->dir == HONE_DIR_BY)
        c->args[i] = p;
    else
        memcpy(&c->value[i], &p, sizeof p);
    return HONE_OK;
}

static hone_status get_call(hone_wire_call *c, hone__reader *r, size_t i, uint64_t at, int trusted)
{
    const char *from = (const char *)(uintptr_t)at;
    if (!at) {
        return c->slot->sig.args[i].nullable ? HONE_OK : need(r, "call");
    }
    if (!trusted) {
        if (at > r->len || sizeof c->record > r->len - (size_t)at)
            return unsound(c->slot, "call: lies outside the message");
        from = r->base + at;
    }
    memcpy(&c->record, from, sizeof c->record);
    c->record.struct_size = sizeof c->record;
    c->record.cancelled = (const uint32_t *)(const void *)((const char *)c->bytes +
                                                           offsetof(hone__wire_head, cancelled));
    const hone_call *record = &c->record;
    memcpy(&c->value[i], &record, sizeof record);
    return HONE_OK;
}

static hone_status get_arg(hone_wire_call *c, hone__reader *r, size_t i, const hone__wire_arg *in,
                           int trusted)
{
    const hone_wire_slot *s = c->slot;
    const hone_sig_arg *g = &s->sig.args[i];
    hone_wire_ret *v = &c->value[i];
    switch (s->args[i].how) {
    case HONE__ARG_CALL:
        return get_call(c, r, i, in->a, trusted);
    case HONE__ARG_SINK: {
        if (!in->a)
            return g->nullable ? HONE_OK : need(r, g->name);
        void *p = make_object(c, i, NULL);
        memcpy(v, &p, sizeof p);
        return p ? HONE_OK : HONE_E_NOMEM;
    }
    case HONE__ARG_NUM:
        if (g->role == HONE_ROLE_STRIDE && in->a != s->stride[i])
            return unsound(s, "a stride is not that of this description");
        v->u64 = in->a;
        return HONE_OK;
    case HONE__ARG_STR:
        if (trusted) {
            v->str.ptr = (const char *)(uintptr_t)in->a;
            v->str.len = (size_t)in->b;
            return HONE_OK;
        }
        return hone__wire_read_str(r, in->a, in->b, g->name, r->text, &v->str);
    case HONE__ARG_CSTR:
        v->u64 = in->a;
        if (trusted || !in->a)
            return in->a || g->nullable ? HONE_OK : need(r, g->name);
        if (in->a >= r->len || !memchr(r->base + in->a, 0, r->len - (size_t)in->a))
            return unsound(s, "a text does not end");
        v->u64 = (uintptr_t)(r->base + in->a);
        return HONE_OK;
    default:
        return HONE_OK;
    }
}

/* Zeroes what is filled in place and points arguments at it. */
static hone_status place_outputs(hone_wire_call *c, const hone__wire_arg *in, const hone__layout *l)
{
    const hone_wire_slot *s = c->slot;
    for (size_t i = 0; i < s->sig.n; i++) {
        const hone_sig_arg *g = &s->sig.args[i];
        const hone__arg_plan *a = &s->args[i];
        if (a->how != HONE__ARG_DATA || !l->at[i])
            continue;
        char *to = (char *)c->result.at + l->at[i], *from;
        size_t n = hone__wire_count(s, i, c->args), at = l->at[i];
        memcpy(&from, &c->value[i], sizeof from);
        if (a->flat && g->dir != HONE_DIR_IN) {
            if (g->dir == HONE_DIR_INOUT)
                memcpy(to, from, n * a->elem);
            else
                memset(to, 0, n * a->elem);
            if (g->dir == HONE_DIR_OUT && a->of && a->of->size_at >= 0)
                for (size_t k = 0; k < n; k++) {
                    uint32_t size = !g->array && in[i].b < a->elem ? (uint32_t)in[i].b : a->elem;
                    memcpy(to + k * a->elem + a->of->size_at, &size, sizeof size);
                }
            memcpy(&c->value[i], &to, sizeof to);
            at += n * a->elem;
        }
        if (a->of && a->of->mutables && g->dir != HONE_DIR_OUT)
            HONE_TRY(point_mutables(c, a->of, from, n, at));
    }
    return HONE_OK;
}

/* The layout goes by pointers of outputs, which are not made yet: any that is not NULL does. */
static hone_status begin_result(hone_wire_call *c, const hone__wire_arg *in,
                                const hone__wire_head *h, hone__layout *l)
{
    static const char there;
    const char *p = &there;
    const hone_wire_slot *s = c->slot;
    for (size_t i = 0; i < s->sig.n; i++)
        if (s->args[i].how == HONE__ARG_DATA && s->sig.args[i].dir == HONE_DIR_OUT &&
            s->args[i].flat && in[i].a)
            memcpy(&c->value[i], &p, sizeof p);
    HONE_TRY(hone__wire_layout(s, c->args, l));
    if (l->end != h->fixed)
        return unsound(s, "the two sides do not agree on the result");
    if (!c->result.at) {
        for (size_t i = 0; i < s->sig.n; i++)
            if (l->at[i] || s->args[i].n_sink)
                return unsound(s, "a call without a result has outputs");
        return HONE_OK;
    }
    if (l->end > c->result.size)
        return hone_fail(HONE_E_LIMIT, "%s: the result takes %zu bytes, there is room for %zu",
                         s->place, l->end, c->result.size);
    hone__wire_result head = {
        .magic = HONE__WIRE_RESULT, .code = s->code, .id = c->id, .end = l->end};
    __atomic_store_n(&((hone__wire_result *)c->result.at)->state, HONE__NONE, __ATOMIC_SEQ_CST);
    memcpy(c->result.at, &head, sizeof head);
    c->end = l->end;
    return HONE_OK;
}

hone_status hone_wire_get(const hone_wire_slot *s, const void *bytes, size_t len, int trusted,
                          const hone_wire_place *result, hone_arena *arena, void *self,
                          hone_wire_call *c)
{
    hone__wire_head h;
    hone__wire_arg in[HONE_SIG_MAX];
    hone__layout l;
    size_t unused = 0;
    if (len >= sizeof h)
        memcpy(&h, bytes, sizeof h);
    if (len < sizeof h || h.magic != HONE__WIRE_CALL || h.code != s->code || h.n_args != s->sig.n ||
        h.len != len || len - sizeof h < h.n_args * sizeof *in)
        return unsound(s, "the bytes are no call of it");
    if (h.there != (trusted ? (uint64_t)(uintptr_t)bytes : 0))
        return unsound(s, "the call was written for another place");
    memcpy(in, (const char *)bytes + sizeof h, h.n_args * sizeof *in);
    hone__reader r = {.base = bytes,
                      .len = len,
                      .budget = len,
                      .arena = arena,
                      .place = s->place,
                      .refused = &unused,
                      .text = s->text};
    memset(c, 0, sizeof *c);
    c->slot = s;
    c->id = h.id;
    c->bytes = bytes;
    c->len = len;
    c->arena = arena;
    if (result)
        c->result = *result;
    for (size_t i = 0; i < s->sig.n; i++)
        c->args[i] = &c->value[i];
    for (size_t i = 0; i < s->sig.n; i++) /* counts before what they count */
        HONE_TRY(get_arg(c, &r, i, &in[i], trusted));
    for (size_t i = 0; i < s->sig.n; i++)
        if (s->args[i].how == HONE__ARG_DATA)
            HONE_TRY(get_data(c, &r, i, &in[i], trusted));
    if (s->sig.n && s->args[0].how == HONE__ARG_SELF)
        memcpy(&c->value[0], &self, sizeof self);
    HONE_TRY(begin_result(c, in, &h, &l));
    HONE_TRY(place_outputs(c, in, &l));
    if (c->result.at) {
        hone__wire_result *head = c->result.at;
        __atomic_store_n(&head->state, HONE__BEGUN, __ATOMIC_RELEASE);
    }
    return HONE_OK;
}

/* ---- the call ---------------------------------------------------------------------------------- */

void hone_wire_invoke(hone_wire_call *c, void (*fn)(void))
{
    memset(&c->ret, 0, sizeof c->ret);
    ffi_call(hone_wire_cif(c->slot), fn, &c->ret, c->args);
}

/* Appends one record to the result. */
static hone_status append(hone_wire_call *c, const hone_wire_slot *s, void **args)
{
    hone__wire_result *head = c->result.at;
    hone_status st = HONE_E_LIMIT;
    size_t len = 0;
    while (__atomic_exchange_n(&c->lock, 1, __ATOMIC_ACQUIRE))
        ;
    if (c->result.size > c->end)
        st = hone__wire_append(s, args, (char *)c->result.at + c->end, c->result.size - c->end,
                               &len);
    if (st >= 0) {
        c->end = (c->end + len + 15) & ~(size_t)15;
        if (c->end > c->result.size)
            c->end = c->result.size & ~(size_t)15;
        __atomic_store_n(&head->end, (uint64_t)c->end, __ATOMIC_RELEASE);
    } else {
        __atomic_fetch_add(&head->lost, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
    return st;
}

void hone__wire_return(const hone_wire_slot *s, const hone_wire_ret *r, void *ret)
{
    switch (s->sig.result) {
    case HONE_A_VOID:
        break;
    case HONE_A_STATUS:
    case HONE_A_TENSOR:
    case HONE_A_PARAM:
    case HONE_T_I32:
        *(ffi_sarg *)ret = r->i32;
        break;
    case HONE_T_U32:
        *(ffi_arg *)ret = r->u32;
        break;
    default:
        memcpy(ret, r, s->cif.rtype->size);
    }
}

void hone__wire_callback(ffi_cif *cif, void *ret, void **args, void *ud)
{
    const hone_wire_slot *s = ud;
    struct tag tag;
    const char *object;
    hone_wire_ret r;
    (void)cif;
    memset(&r, 0, sizeof r);
    memcpy(&object, args[0], sizeof object);
    memcpy(&tag, object - sizeof tag, sizeof tag);
    if (s->appends) {
        r.i64 = append(tag.call, s, args);
    } else if (tag.call->ask) {
        tag.call->ask(tag.call->ask_ctx, s, tag.arg, args, &r);
    } else if (s->sig.result == HONE_A_STATUS) {
        r.i64 = hone_fail(HONE_E_UNSUPPORTED, "%s: cannot be called from here", s->place);
    }
    hone__wire_return(s, &r, ret);
}

static int put_text(hone_wire_call *c, const char *p, size_t n, uint64_t at[2])
{
    at[0] = at[1] = 0;
    if (!p)
        return 1;
    if (n > c->result.size - c->end)
        return 0;
    memcpy((char *)c->result.at + c->end, p, n);
    at[0] = c->end;
    at[1] = n;
    c->end += n;
    return 1;
}

/* A failed status, with the error's texts as far as they fit. */
static void put_error(hone_wire_call *c, hone__wire_result *head, hone_status code,
                      const hone_error *e)
{
    const char *texts[3] = {e->what, e->detail, e->hint};
    head->error = code;
    for (int i = 0; i < 3; i++)
        put_text(c, texts[i], strlen(texts[i]), head->text[i]);
}

hone_status hone_wire_finish(hone_wire_call *c, const hone_error *error)
{
    const hone_wire_slot *s = c->slot;
    hone__wire_result *head = c->result.at;
    hone_status st = HONE_OK;
    if (!head)
        return HONE_OK;
    for (size_t i = 0; i < s->sig.n && st >= 0; i++) {
        const hone__arg_plan *a = &s->args[i];
        const hone_sig_arg *g = &s->sig.args[i];
        void *p;
        memcpy(&p, &c->value[i], sizeof p);
        if (a->how != HONE__ARG_DATA || a->flat || !p ||
            (g->dir != HONE_DIR_OUT && g->dir != HONE_DIR_INOUT))
            continue;
        st = hone__wire_put_out(a, p, c->result.at, c->result.size, &c->end, &head->out[i]);
    }
    if (st >= 0 && s->sig.result == HONE_T_STR) {
        if (!put_text(c, c->ret.str.ptr, c->ret.str.len, head->ret))
            st = HONE_E_LIMIT;
    } else {
        head->ret[0] = c->ret.u64;
    }
    if (st < 0) {
        st = hone_fail(st, "%s: what it returned does not fit into %zu bytes", s->place,
                       c->result.size);
        put_error(c, head, st, hone_error_get());
    } else if (s->sig.result == HONE_A_STATUS && c->ret.i32 < 0) {
        head->error = c->ret.i32;
        if (error)
            put_error(c, head, c->ret.i32, error);
    }
    head->used = c->end;
    __atomic_store_n(&head->state, HONE__DONE, __ATOMIC_RELEASE);
    return st;
}
