/* wire_put.c - arguments to bytes. See wire.h.
 *
 * Key idea: structs go as they are, in one copy each; then each pointer in the copy is replaced by where its bytes
 * were put. Equal texts are put once: a small table remembers the latest texts by length and ends, and a
 * candidate is compared byte by byte. Once the place is full the writer goes on counting, so that its
 * caller learns how much room the call takes.
 *
 * Does not: check the caller's structs beyond counts and depth: they are the caller's own.
 * Source: plugin-abi.md 7, Memory. */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { SHARED = 64, SHARED_BITS = 6 };

struct shared {
    size_t at, len; /* len 0: empty */
};
struct writer {
    char *base;
    size_t size, used;
    uint64_t there;
    int full, bad; /* bad: a status */
    int returned;  /* see hone__reader */
    struct shared shared[SHARED];
    hone__again again[HONE__AGAIN];
};

static void fail(struct writer *w, hone_status s)
{
    if (w->bad >= 0)
        w->bad = s;
}

/* Room for n bytes: its offset; w->full when there is none. */
static size_t reserve(struct writer *w, size_t n, size_t align)
{
    size_t at = (w->used + align - 1) & ~(align - 1);
    if (at < w->used || n > SIZE_MAX / 4 - at) {
        fail(w, HONE_E_RANGE);
        return 0;
    }
    w->used = at + n;
    if (w->used > w->size)
        w->full = 1;
    return at;
}

static char *local(const struct writer *w, size_t at)
{
    return w->full || w->bad < 0 ? NULL : w->base + at;
}

static void store_address(const struct writer *w, char *field, size_t at)
{
    uint64_t p = w->there + at;
    if (field)
        memcpy(field, &p, sizeof p);
}

static size_t put_bytes(struct writer *w, const void *p, size_t n, size_t align)
{
    size_t at = reserve(w, n, align);
    char *to = local(w, at);
    if (to && n)
        memcpy(to, p, n);
    return at;
}

static uint64_t load8(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* A text, once however often it comes. */
static size_t put_shared(struct writer *w, const char *p, size_t n)
{
    uint64_t h = n;
    if (n >= 8)
        h ^= load8(p) * 0x9E3779B97F4A7C15ull ^ load8(p + n - 8) * 0xC2B2AE3D27D4EB4Full ^
             load8(p + (n - 8) / 2);
    else
        for (size_t i = 0; i < n; i++)
            h = h * 257 + (unsigned char)p[i];
    struct shared *e = &w->shared[h * 0x9E3779B97F4A7C15ull >> (64 - SHARED_BITS)];
    if (e->len == n && n && memcmp(w->base + e->at, p, n) == 0)
        return e->at;
    size_t at = put_bytes(w, p, n, 1);
    if (!w->full && w->bad >= 0) {
        e->at = at;
        e->len = n;
    }
    return at;
}

static void put_str(struct writer *w, hone_str s, char *to)
{
    uint64_t zero = 0, len = s.ptr ? s.len : 0;
    if (!s.ptr) {
        if (to)
            memcpy(to, &zero, sizeof zero);
    } else {
        store_address(w, to, len ? put_shared(w, s.ptr, len) : 16); /* empty is not NULL */
    }
    if (to)
        memcpy(to + 8, &len, sizeof len);
}

static void put_cstr(struct writer *w, const char *p, char *to)
{
    uint64_t zero = 0;
    if (p)
        store_address(w, to, put_shared(w, p, strlen(p) + 1));
    else if (to)
        memcpy(to, &zero, sizeof zero);
}

static void put_value(struct writer *w, const hone_value *v, char *to, int depth)
{
    hone_value out = {.type = v->type};
    char *items;
    if (depth > HONE_VALUE_DEPTH) {
        fail(w, HONE_E_LIMIT);
        return;
    }
    if (to)
        memcpy(to, &out, sizeof out);
    char *u = to ? to + offsetof(hone_value, u) : NULL;
    switch (v->type) {
    case HONE_NULL:
        return;
    case HONE_BOOL:
    case HONE_I64:
    case HONE_F64:
        if (to)
            memcpy(u, &v->u, 8);
        return;
    case HONE_STRING:
    case HONE_BYTES:
        put_str(w, v->u.str, u);
        return;
    case HONE_LIST: {
        size_t n = v->u.list.n;
        if (n > SIZE_MAX / 64) {
            fail(w, HONE_E_RANGE);
            return;
        }
        size_t at = reserve(w, n * sizeof *v->u.list.items, 8);
        items = local(w, at);
        if (to)
            memcpy(u + 8, &n, sizeof n);
        if (n)
            store_address(w, u, at);
        for (size_t i = 0; i < n && w->bad >= 0; i++)
            put_value(w, &v->u.list.items[i], items ? items + i * sizeof(hone_value) : NULL,
                      depth + 1);
        return;
    }
    case HONE_MAP: {
        size_t n = v->u.map.n;
        if (n > SIZE_MAX / 64) {
            fail(w, HONE_E_RANGE);
            return;
        }
        size_t at = reserve(w, n * sizeof *v->u.map.pairs, 8);
        items = local(w, at);
        if (to)
            memcpy(u + 8, &n, sizeof n);
        if (n)
            store_address(w, u, at);
        for (size_t i = 0; i < n && w->bad >= 0; i++) {
            char *pair = items ? items + i * sizeof(hone_pair) : NULL;
            put_str(w, v->u.map.pairs[i].key, pair);
            put_value(w, &v->u.map.pairs[i].value, pair ? pair + offsetof(hone_pair, value) : NULL,
                      depth + 1);
        }
        return;
    }
    default: /* of a later time: unsupported here */
        fail(w, HONE_E_UNSUPPORTED);
    }
}

static void put_struct(struct writer *w, const hone__plan *p, const char *from, size_t there,
                       char *to);

/* n elements at `from`, `stride` apart; the offset of their copies. */
static size_t put_elements(struct writer *w, int el, const hone__plan *of, uint32_t elem,
                           size_t align, const char *from, size_t n, size_t stride)
{
    size_t bytes;
    if (!hone_mul_size(n, elem, &bytes)) {
        fail(w, HONE_E_RANGE);
        return 0;
    }
    if (stride == elem &&
        (el == HONE__EL_BYTES || (el == HONE__EL_STRUCT && of->flat && of->size_at < 0)))
        return put_bytes(w, from, bytes, align);
    size_t at = reserve(w, bytes, 8);
    char *to = local(w, at);
    for (size_t i = 0; i < n && w->bad >= 0; i++, from += stride) {
        char *one = to ? to + i * elem : NULL;
        if (el == HONE__EL_STRUCT) {
            put_struct(w, of, from, stride < elem ? stride : elem, one);
        } else if (el == HONE__EL_STR) {
            hone_str s;
            memcpy(&s, from, sizeof s);
            put_str(w, s, one);
        } else if (el == HONE__EL_CSTR) {
            const char *z;
            memcpy(&z, from, sizeof z);
            put_cstr(w, z, one);
        } else if (el == HONE__EL_VALUE) {
            put_value(w, (const hone_value *)(const void *)from, one, 0);
        } else if (one) {
            memcpy(one, from, elem);
        }
    }
    return at;
}

static void put_member(struct writer *w, const hone__op *op, const char *from, char *to)
{
    static const uint8_t els[] = {[HONE__OP_BYTES] = HONE__EL_BYTES,
                                  [HONE__OP_STRS] = HONE__EL_STR,
                                  [HONE__OP_CSTRS] = HONE__EL_CSTR,
                                  [HONE__OP_VALUES] = HONE__EL_VALUE,
                                  [HONE__OP_STRUCTS] = HONE__EL_STRUCT};
    const char *p;
    hone_str s;
    int bad = 0;
    size_t n;
    from += op->offset;
    to = to ? to + op->offset : NULL;
    switch (op->kind) {
    case HONE__OP_STR:
        memcpy(&s, from, sizeof s);
        put_str(w, s, to);
        break;
    case HONE__OP_CSTR:
        for (uint32_t i = 0; i < op->k; i++) {
            memcpy(&p, from + i * sizeof p, sizeof p);
            put_cstr(w, p, to ? to + i * sizeof p : NULL);
        }
        break;
    case HONE__OP_VALUE:
        put_value(w, (const hone_value *)(const void *)from, to, 0);
        break;
    case HONE__OP_INNER:
        for (uint32_t i = 0; i < op->k; i++)
            put_struct(w, op->of, from + i * op->elem, op->elem, to ? to + i * op->elem : NULL);
        break;
    case HONE__OP_ZERO:
        if (to)
            memset(to, 0, op->k);
        break;
    case HONE__OP_SIZE:
        break;
    default:
        n = hone__wire_member_count(op, from - op->offset, &bad);
        if (bad)
            fail(w, HONE_E_RANGE);
        for (uint32_t i = 0; i < op->k && !bad; i++) {
            memcpy(&p, from + i * sizeof p, sizeof p);
            if (!p) /* NULL stays NULL, as copied */
                continue;
            if (w->returned && (op->flags & HONE_M_MUTABLE)) {
                if (to)
                    memset(to + i * sizeof p, 0, sizeof p);
                continue;
            }
            hone__again *again = op->again && n ? &w->again[op->again - 1] : NULL;
            if (again && again->p == p && again->n == n) {
                store_address(w, to ? to + i * sizeof p : NULL, again->at);
                continue;
            }
            size_t at = op->kind == HONE__OP_POINTERS
                            ? put_bytes(w, p, n * op->elem, op->align)
                            : put_elements(w, els[op->kind], op->of, op->elem, op->align, p, n,
                                           op->elem);
            if (again)
                *again = (hone__again){at, n, p};
            store_address(w, to ? to + i * sizeof p : NULL, at);
        }
    }
}

/* `there` bytes of the struct exist at `from`; `to` is its copy, or NULL when only counting. */
static void put_struct(struct writer *w, const hone__plan *p, const char *from, size_t there,
                       char *to)
{
    if (to) {
        memcpy(to, from, there);
        memset(to + there, 0, p->size - there);
        if (p->size_at >= 0) {
            uint32_t size = (uint32_t)there;
            memcpy(to + p->size_at, &size, sizeof size);
        }
    }
    for (uint32_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].end <= there)
            put_member(w, &p->ops[i], from, to);
        else if (to && p->ops[i].kind != HONE__OP_SIZE) /* half of it, or its count, is missing */
            memset(to + p->ops[i].offset, 0, p->ops[i].width);
}

/* ---- arguments --------------------------------------------------------------------------------- */

static uint64_t number(const ffi_type *t, const void *arg)
{
    uint64_t x = 0;
    memcpy(&x, arg, t->size);
    return x;
}

static void put_data(struct writer *w, const hone_wire_slot *s, size_t i, void *const *args,
                     hone__wire_arg *to)
{
    const hone_sig_arg *g = &s->sig.args[i];
    const hone__arg_plan *a = &s->args[i];
    const char *p = args[i];
    if (g->dir != HONE_DIR_BY)
        memcpy(&p, args[i], sizeof p);
    if (!p)
        return;
    size_t n = hone__wire_count(s, i, args), stride = hone__wire_stride(s, i, args), at;
    if (g->dir ==
        HONE_DIR_OUT) { /* filled by the callee: only that it is there, and how much of it */
        to->a = 1;
        to->b = a->of && !g->array ? hone__wire_avail(a->of, p) : 0;
        return;
    }
    if (a->el == HONE__EL_STRUCT && !g->array)
        stride = hone__wire_avail(a->of, p);
    at = put_elements(w, a->el, a->of, a->elem, a->align, p, n, stride);
    to->a = w->there + at;
}

static void put_args(struct writer *w, const hone_wire_slot *s, void *const *args)
{
    size_t at = sizeof(hone__wire_head);
    for (size_t i = 0; i < s->sig.n && w->bad >= 0; i++, at += sizeof(hone__wire_arg)) {
        const hone__arg_plan *a = &s->args[i];
        hone__wire_arg arg = {0, 0};
        const void *p;
        hone_str str;
        switch (a->how) {
        case HONE__ARG_CALL: {
            const hone_call *call;
            memcpy(&call, args[i], sizeof call);
            if (!call)
                break;
            hone_call copy = {.struct_size = sizeof copy,
                              .n = call->n,
                              .id = call->id,
                              .deadline_ns = call->deadline_ns};
            arg.a = w->there + put_bytes(w, &copy, sizeof copy, 8);
            break;
        }
        case HONE__ARG_SINK:
            memcpy(&p, args[i], sizeof p);
            arg.a = p != NULL;
            break;
        case HONE__ARG_NUM:
            arg.a = s->stride[i] ? s->stride[i] : number(s->types[i], args[i]);
            break;
        case HONE__ARG_STR:
            memcpy(&str, args[i], sizeof str);
            put_str(w, str, (char *)&arg);
            break;
        case HONE__ARG_CSTR: {
            const char *z;
            memcpy(&z, args[i], sizeof z);
            put_cstr(w, z, (char *)&arg);
            break;
        }
        case HONE__ARG_DATA:
            put_data(w, s, i, args, &arg);
            break;
        default:
            break;
        }
        char *to = local(w, at);
        if (to)
            memcpy(to, &arg, sizeof arg);
    }
}

static hone_status put_call(struct writer *w, const hone_wire_slot *s, uint64_t id, size_t fixed,
                            void *const *args, size_t *len)
{
    size_t head = sizeof(hone__wire_head) + s->sig.n * sizeof(hone__wire_arg);
    memset(w->shared, 0, sizeof w->shared);
    memset(w->again, 0, sizeof w->again);
    reserve(w, head, 1);
    put_args(w, s, args);
    if (w->bad < 0)
        return hone_fail(w->bad, "%s: an argument is too large, too deep or of an unknown type",
                         s->place);
    *len = w->used;
    if (w->full)
        return hone_fail(HONE_E_LIMIT, "%s: the call takes %zu bytes, there is room for %zu",
                         s->place, w->used, w->size);
    hone__wire_head h = {.magic = HONE__WIRE_CALL,
                         .code = s->code,
                         .id = id,
                         .len = w->used,
                         .there = w->there,
                         .n_args = s->sig.n,
                         .fixed = fixed};
    memcpy(w->base, &h, sizeof h);
    return HONE_OK;
}

hone_status hone_wire_put(const hone_wire_slot *s, uint64_t id, void *const *args,
                          const hone_wire_place *to, size_t *len, size_t *fixed)
{
    struct writer w;
    hone__layout l;
    HONE_TRY(hone__wire_layout(s, args, &l));
    w.base = to->at;
    w.size = to->size;
    w.there = to->there;
    w.used = 0;
    w.full = w.bad = w.returned = 0;
    HONE_TRY(put_call(&w, s, id, l.end, args, len));
    *fixed = l.end;
    return HONE_OK;
}

uint32_t *hone_wire_cancel(void *call_bytes)
{
    return &((hone__wire_head *)call_bytes)->cancelled;
}

/* ---- results ----------------------------------------------------------------------------------- */

hone_status hone__wire_append(const hone_wire_slot *s, void *const *args, char *at, size_t room,
                              size_t *len)
{
    const hone_wire_place to = {at, room, 0};
    size_t fixed;
    return hone_wire_put(s, 0, args, &to, len, &fixed);
}

hone_status hone__wire_put_out(const hone__arg_plan *a, const void *elem, char *base, size_t size,
                               size_t *used, uint64_t *at)
{
    struct writer w;
    w.base = base;
    w.size = size;
    w.there = 0;
    w.used = *used;
    w.full = w.bad = 0;
    w.returned = 1;
    memset(w.shared, 0, sizeof w.shared);
    memset(w.again, 0, sizeof w.again);
    *at = put_elements(&w, a->el, a->of, a->elem, 8, elem, 1,
                       a->el == HONE__EL_STRUCT ? hone__wire_avail(a->of, elem) : a->elem);
    if (w.bad < 0 || w.full)
        return w.bad < 0 ? w.bad : HONE_E_LIMIT;
    *used = w.used;
    return HONE_OK;
}
