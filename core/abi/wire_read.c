/* wire_read.c - offsets to pointers, of bytes that nobody has to be trusted for. See wire.h.
 *
 * Key idea: the bytes are private and stay as they are; structs are copied out of them into an arena and each
 * offset in the copy is checked before it becomes a pointer. So areas that overlap do no harm: nothing that
 * was checked is written over. Structs that are pointed at from many places could be copied without end: what
 * is copied may take as many bytes as there are, which a writer of wire_put.c never exceeds.
 *
 * Invariants: no byte outside [base, base + len) is read; a count is checked before anything is multiplied by it or
 * allocated. Source: plugin-abi.md 7, Memory: "copies, then validates, and follows no pointer". */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

static hone_status bad(const hone__reader *r, const char *name, const char *what)
{
    return hone_fail(HONE_E_MISBEHAVED, "%s: %s: %s", r->place, name, what);
}

/* n elements at an offset: inside the bytes, and aligned? */
static hone_status area(const hone__reader *r, uint64_t at, size_t n, size_t elem, size_t align,
                        const char *name, const char **out)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, elem, &bytes) || at > r->len || bytes > r->len - (size_t)at)
        return bad(r, name, "lies outside the message");
    if (at % align)
        return bad(r, name, "is not aligned");
    *out = r->base + at;
    return HONE_OK;
}

/* Memory for n structs, out of the budget. */
static hone_status room(hone__reader *r, size_t n, size_t elem, const char *name, void **out)
{
    size_t bytes = n * elem; /* checked by area() */
    if (bytes > r->budget)
        return bad(r, name, "is pointed at too often");
    r->budget -= bytes;
    *out = hone_arena_alloc(r->arena, bytes ? bytes : 1);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status clean(hone__reader *r, hone_str *s)
{
    hone_buf b;
    if (hone_utf8_valid(*s))
        return HONE_OK;
    hone_buf_init(&b, SIZE_MAX / 4);
    hone_status st = hone_utf8_clean(*s, &b);
    if (st >= 0) {
        s->ptr = hone_arena_strndup(r->arena, b.ptr, b.len);
        s->len = b.len;
        st = s->ptr ? HONE_OK : HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    return st;
}

hone_status hone__wire_read_str(hone__reader *r, uint64_t at, uint64_t len, const char *name,
                                int text, hone_str *out)
{
    const char *p;
    if (at == 0) {
        if (len)
            return bad(r, name, "has a length and no bytes");
        *out = (hone_str){NULL, 0};
        return HONE_OK;
    }
    HONE_TRY(area(r, at, len, 1, 1, name, &p));
    out->ptr = p;
    out->len = len;
    if (!text)
        return HONE_OK;
    const size_t k = (size_t)(at * 0x9E3779B97F4A7C15ull >> 60);
    if (r->valid[k].at == at && r->valid[k].len == len)
        return HONE_OK;
    HONE_TRY(clean(r, out));
    if (out->ptr == p) {
        r->valid[k].at = at;
        r->valid[k].len = len;
    }
    return HONE_OK;
}

static hone_status read_str(hone__reader *r, char *field, const char *name, int text)
{
    uint64_t x[2];
    hone_str s;
    memcpy(x, field, sizeof x);
    HONE_TRY(hone__wire_read_str(r, x[0], x[1], name, text, &s));
    memcpy(field, &s, sizeof s);
    return HONE_OK;
}

static hone_status read_cstr(hone__reader *r, char *field, const char *name)
{
    uint64_t at;
    const char *p = NULL;
    memcpy(&at, field, sizeof at);
    if (at) {
        HONE_TRY(area(r, at, 0, 1, 1, name, &p));
        if (!memchr(p, 0, r->len - (size_t)at))
            return bad(r, name, "does not end");
    }
    memcpy(field, &p, sizeof p);
    return HONE_OK;
}

static hone_status read_value(hone__reader *r, char *field, const char *name, int depth)
{
    hone_value v;
    const char *from;
    void *items = NULL;
    uint64_t at;
    memcpy(&v, field, sizeof v);
    memcpy(&at, &v.u, sizeof at);
    v.reserved = 0;
    if (depth > HONE_VALUE_DEPTH)
        return bad(r, name, "is nested too deep");
    switch (v.type) {
    case HONE_NULL:
        memset(&v.u, 0, sizeof v.u);
        break;
    case HONE_BOOL:
        v.u.boolean = v.u.boolean != 0;
        break;
    case HONE_I64:
    case HONE_F64:
        break;
    case HONE_STRING:
    case HONE_BYTES:
        HONE_TRY(read_str(r, (char *)&v.u, name, v.type == HONE_STRING));
        break;
    case HONE_LIST:
    case HONE_MAP: {
        size_t n = v.u.list.n, elem = v.type == HONE_LIST ? sizeof(hone_value) : sizeof(hone_pair);
        if (!at && n)
            return bad(r, name, "has a count and no elements");
        if (!n) {
            v.u.list.items = NULL;
            break;
        }
        HONE_TRY(area(r, at, n, elem, 1, name, &from));
        HONE_TRY(room(r, n, elem, name, &items));
        memcpy(items, from, n * elem);
        for (size_t i = 0; i < n; i++) {
            char *one = (char *)items + i * elem;
            if (v.type == HONE_MAP) {
                HONE_TRY(read_str(r, one, name, 1));
                one += offsetof(hone_pair, value);
            }
            HONE_TRY(read_value(r, one, name, depth + 1));
        }
        v.u.list.items = items; /* the same place as map.pairs */
        break;
    }
    default:
        return bad(r, name, "is a value of an unknown type");
    }
    memcpy(field, &v, sizeof v);
    return HONE_OK;
}

static hone_status read_struct(hone__reader *r, const hone__plan *p, char *at);

static hone_status read_elements(hone__reader *r, int el, const hone__plan *of, size_t elem,
                                 size_t align, uint64_t at, size_t n, const char *name, void **out)
{
    const char *from;
    void *items = NULL;
    if (el == HONE__EL_BYTES) {
        HONE_TRY(area(r, at, n, elem, align, name, &from));
        *out = (void *)(uintptr_t)from;
        return HONE_OK;
    }
    HONE_TRY(area(r, at, n, elem, 1, name, &from)); /* copied: any alignment will do */
    HONE_TRY(room(r, n, elem, name, &items));
    memcpy(items, from, n * elem);
    for (size_t i = 0; i < n; i++) {
        char *one = (char *)items + i * elem;
        HONE_TRY(el == HONE__EL_STRUCT ? read_struct(r, of, one)
                 : el == HONE__EL_STR  ? read_str(r, one, name, r->text)
                 : el == HONE__EL_CSTR ? read_cstr(r, one, name)
                                       : read_value(r, one, name, 0));
    }
    *out = items;
    return HONE_OK;
}

static hone_status read_member(hone__reader *r, const hone__op *op, char *base)
{
    static const uint8_t els[] = {[HONE__OP_BYTES] = HONE__EL_BYTES,
                                  [HONE__OP_STRS] = HONE__EL_STR,
                                  [HONE__OP_CSTRS] = HONE__EL_CSTR,
                                  [HONE__OP_VALUES] = HONE__EL_VALUE,
                                  [HONE__OP_STRUCTS] = HONE__EL_STRUCT};
    char *field = base + op->offset;
    uint64_t at;
    size_t n;
    void *p;
    int over = 0;
    switch (op->kind) {
    case HONE__OP_STR:
        return read_str(r, field, op->name, r->text);
    case HONE__OP_CSTR:
        for (uint32_t i = 0; i < op->k; i++)
            HONE_TRY(read_cstr(r, field + i * sizeof(char *), op->name));
        return HONE_OK;
    case HONE__OP_VALUE:
        return read_value(r, field, op->name, 0);
    case HONE__OP_INNER:
        for (uint32_t i = 0; i < op->k; i++)
            HONE_TRY(read_struct(r, op->of, field + i * op->elem));
        return HONE_OK;
    case HONE__OP_ZERO:
    case HONE__OP_SIZE:
        return HONE_OK; /* done first, by read_struct */
    default:
        break;
    }
    n = hone__wire_member_count(op, base, &over);
    if (over)
        return bad(r, op->name, "has a count out of range");
    for (uint32_t i = 0; i < op->k; i++, field += sizeof p) {
        memcpy(&at, field, sizeof at);
        p = NULL;
        if (at && r->returned && (op->flags & HONE_M_MUTABLE))
            return bad(r, op->name, "comes back as a pointer");
        hone__again *again = op->again && at && n ? &r->again[op->again - 1] : NULL;
        if (again && again->at == at && again->n == n) {
            memcpy(field, &again->p, sizeof again->p);
            continue;
        }
        if (at)
            HONE_TRY(read_elements(r,
                                   op->kind == HONE__OP_POINTERS ? HONE__EL_BYTES : els[op->kind],
                                   op->of, op->elem, op->align, at, n, op->name, &p));
        else if (n && op->required && !(r->returned && (op->flags & HONE_M_MUTABLE)))
            return bad(r, op->name, "has a count and no elements");
        if (again)
            *again = (hone__again){at, n, p};
        memcpy(field, &p, sizeof p);
    }
    return HONE_OK;
}

int hone__wire_sane_outcome(void *at)
{
    hone_outcome o;
    memcpy(&o, at, sizeof o);
    if (o.status <= HONE_ERROR && (o.status != HONE_SCORE || isfinite(o.score)))
        return 0;
    if (o.status != HONE_SCORE)
        o.score = 0; /* a score that is not finite stays, so that the reason can be told */
    o.status = HONE_ERROR;
    memcpy(at, &o, sizeof o);
    return 1;
}

/* Counts are read from the copy: none of them is ever written, as zeros are written first. */
static hone_status read_struct(hone__reader *r, const hone__plan *p, char *at)
{
    if (p->size_at >= 0) {
        uint32_t size;
        memcpy(&size, at + p->size_at, sizeof size);
        if (size > p->size)
            size = p->size;
        memcpy(at + p->size_at, &size, sizeof size);
    }
    for (uint32_t i = 0; p->zeros && i < p->n_ops; i++)
        if (p->ops[i].kind == HONE__OP_ZERO)
            memset(at + p->ops[i].offset, 0, p->ops[i].k);
    for (uint32_t i = 0; i < p->n_ops; i++)
        HONE_TRY(read_member(r, &p->ops[i], at));
    if (p->outcome && r->refused)
        *r->refused += (size_t)hone__wire_sane_outcome(at);
    return HONE_OK;
}

hone_status hone__wire_read_data(hone__reader *r, const hone__arg_plan *a, uint64_t at, size_t n,
                                 const char *name, void **out)
{
    return read_elements(r, a->el, a->of, a->elem, a->align, at, n, name, out);
}
