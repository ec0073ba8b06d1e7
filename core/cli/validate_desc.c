/* validate_desc.c - one call of a described slot, and everything that comes out of it (see validate_args.h).
 *
 * Sinks are real C function pointers: a libffi closure for each callback of each slot, made once. A callback finds the
 * call it belongs to by the address of the sink it was handed, so a sink of another call, or of one that is
 * over, is noticed. All that the plugin gives is read to the last byte where the stage in the shared page says what is
 * being read: an array that is shorter than its count, or a text that is gone, dies there with that name.
 *
 * Does not: judge numbers; what a third party's floats may be is its own affair. */
#include "cli/validate_args.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <ffi.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1 << 24 }; /* elements that a plugin may give at once */

typedef struct callback {
    const struct hone__vdesc *d;
    const hone_wire_slot *slot; /* of the sink */
    const char *of;             /* name of the slot whose argument the sink is */
    size_t arg, number;
    ffi_closure *closure;
} callback;

typedef struct prepared {
    const hone_wire_slot *slot; /* NULL: it takes what only a host has */
    const char *names[HONE_SIG_MAX];
    void **code[HONE_SIG_MAX];
    int travels;
} prepared;

struct hone__vdesc {
    const hone_iface_desc *desc; /* as the plugin brought it */
    hone_iface_desc mine;        /* with LOCAL slots like the others */
    hone_struct_desc table;
    hone_wire *wire;
    prepared *slots;
    size_t n;
    int text; /* its texts are promised to be UTF-8 */
    hone__vdesc *next;
};

static hone__vdesc *opened;
static hone__v *current;
static hone__vargs *under_way;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- reading -------------------------------------------------------------------------------------- */

typedef struct look {
    hone__v *v;
    const char *what; /* "the word that nearest gave to put" */
    int text;         /* UTF-8 is promised */
} look;

static uint64_t read_one(const look *l, uint32_t base, const hone_struct_desc *of, const char *p,
                         uint64_t h, int depth);

static uint64_t read_text(const look *l, hone_str s, int utf8, uint64_t h)
{
    if (!s.ptr && s.len)
        hone__v_fail(l->v, "%s is a text of %zu bytes at NULL", l->what, s.len);
    if (!s.ptr || s.len > (size_t)MOST * 64) {
        if (s.ptr)
            hone__v_fail(l->v, "%s is a text of %zu bytes", l->what, s.len);
        return h + 1;
    }
    h = hone_xxh64(s.ptr, s.len, h + 2);
    if (utf8 && !hone_utf8_valid(s))
        hone__v_fail(l->v, "%s is not UTF-8", l->what);
    return h;
}

static uint64_t read_value(const look *l, const hone_value *x, uint64_t h, int depth)
{
    h = hone_xxh64(&x->type, sizeof x->type, h);
    if (depth > HONE_VALUE_DEPTH) {
        hone__v_fail(l->v, "%s is nested more than %d deep", l->what, HONE_VALUE_DEPTH);
        return h;
    }
    switch (x->type) {
    case HONE_NULL:
        return h;
    case HONE_BOOL:
    case HONE_I64:
    case HONE_F64:
        return hone_xxh64(&x->u, 8, h);
    case HONE_STRING:
        return read_text(l, x->u.str, l->text, h);
    case HONE_BYTES:
        return read_text(l, x->u.str, 0, h);
    case HONE_LIST:
        for (size_t i = 0; i < x->u.list.n && i < MOST; i++)
            h = read_value(l, &x->u.list.items[i], h, depth + 1);
        return h + x->u.list.n;
    case HONE_MAP:
        for (size_t i = 0; i < x->u.map.n && i < MOST; i++) {
            h = read_text(l, x->u.map.pairs[i].key, l->text, h);
            h = read_value(l, &x->u.map.pairs[i].value, h, depth + 1);
        }
        return h + x->u.map.n;
    default:
        hone__v_fail(l->v, "%s is a value of type %d: there is none", l->what, (int)x->type);
        return h;
    }
}

static uint64_t read_member(const look *l, const hone_struct_desc *d, const hone_member *m,
                            const char *p, uint64_t h, int depth)
{
    const size_t k = m->flags & HONE_M_INLINE ? m->count2_offset : 1;
    char what[256];
    look inner = {l->v, what, l->text};
    size_t n;
    snprintf(what, sizeof what, "%.180s: its %.60s", l->what, m->name);
    if (!(m->flags & HONE_M_ARRAY)) {
        for (size_t i = 0; i < k; i++)
            h = read_one(&inner, m->type, m->of, p + m->offset + i * m->elem_size, h, depth + 1);
        return h;
    }
    hone_member counted = *m;
    counted.flags &= (uint16_t)~HONE_M_INLINE;
    if (hone_desc_count(d, &counted, p, &n) < 0 || n > MOST) {
        hone__v_fail(l->v, "%s has too many elements to be true", what);
        return h;
    }
    for (size_t i = 0; i < k; i++) {
        const char *at;
        memcpy(&at, p + m->offset + i * sizeof at, sizeof at);
        if (!at && n && !(m->flags & HONE_M_NULLABLE) && k == 1)
            hone__v_fail(l->v, "%s: %zu elements at NULL", what, n);
        for (size_t e = 0; at && e < n; e++)
            h = read_one(&inner, m->type, m->of, at + e * m->elem_size, h, depth + 1);
    }
    return h + n;
}

static uint64_t read_struct(const look *l, const hone_struct_desc *d, const char *p, uint64_t h,
                            int depth)
{
    uint32_t size = d->size;
    for (size_t i = 0; d->members[i]; i++)
        if (d->members[i]->type == HONE_T_SIZE)
            memcpy(&size, p + d->members[i]->offset, sizeof size);
    for (size_t i = 0; d->members[i] && depth < 8; i++) {
        const hone_member *m = d->members[i];
        if (m->offset + m->elem_size <= size && m->type != HONE_T_SIZE)
            h = read_member(l, d, m, p, h, depth);
    }
    return h;
}

static size_t number_size(uint32_t base)
{
    const hone_sig_arg a = {.base = (uint8_t)base};
    return hone_sig_elem_size(&a);
}

static uint64_t read_one(const look *l, uint32_t base, const hone_struct_desc *of, const char *p,
                         uint64_t h, int depth)
{
    hone_str s;
    const char *z;
    hone_value x;
    switch (base) {
    case HONE_T_STR:
        memcpy(&s, p, sizeof s);
        return read_text(l, s, l->text, h);
    case HONE_T_CSTR:
        memcpy(&z, p, sizeof z);
        return z ? read_text(l, hone_str_c(z), l->text, h) : h + 3;
    case HONE_T_VALUE:
        memcpy(&x, p, sizeof x);
        return read_value(l, &x, h, 0);
    case HONE_T_STRUCT:
        return read_struct(l, of, p, h, depth);
    case HONE_T_OPAQUE:
    case HONE_T_FUNC:
    case HONE_T_PAD:
    case HONE_T_SIZE:
        return h;
    default:
        return hone_xxh64(p, number_size(base), h);
    }
}

/* ---- sinks ---------------------------------------------------------------------------------------- */

static hone__vargs *call_of(const void *sink, size_t arg)
{
    for (hone__vargs *a = under_way; a; a = a->next)
        if (a->ptr[arg] == sink)
            return a;
    return NULL;
}

/* All that a callback was told, as a digest; its own outputs are filled with zeros. */
static uint64_t told(const callback *b, void **args, uint64_t h)
{
    const hone_sig *sig = hone_wire_sig(b->slot);
    for (size_t i = 1; i < sig->n; i++) {
        const hone_sig_arg *g = &sig->args[i];
        const int pointer = g->array || g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT ||
                            g->base == HONE_T_VALUE ||
                            (g->base == HONE_T_STRUCT && g->dir != HONE_DIR_BY);
        char what[256];
        snprintf(what, sizeof what, "the %s that %s gave to %s", g->name, b->of,
                 hone_wire_desc(b->slot)->name);
        look l = {current, what, b->d->text};
        if (!pointer) {
            h = read_one(&l, g->base, g->of, args[i], h, 0);
            continue;
        }
        uint64_t n = g->array ? g->fixed : 1;
        if (g->array && g->count >= 0) {
            n = 0;
            memcpy(&n, args[g->count], number_size(sig->args[g->count].base));
        }
        char *p;
        memcpy(&p, args[i], sizeof p);
        if (n > MOST) {
            hone__v_fail(current, "%s has %llu elements", what, (unsigned long long)n);
            continue;
        }
        if (!p && n && !g->nullable)
            hone__v_fail(current, "%s is NULL", what);
        const size_t elem = hone_sig_elem_size(g);
        size_t stride = elem;
        if (g->stride >= 0)
            memcpy(&stride, args[g->stride], sizeof stride);
        hone__v_stage(current, "reading %s", what);
        for (size_t k = 0; p && k < n; k++) {
            if (g->dir == HONE_DIR_OUT)
                memset(p + k * stride, 0, elem);
            else
                h = read_one(&l, g->base, g->of, p + k * stride, h, 0);
        }
    }
    return h;
}

static void on_callback(ffi_cif *cif, void *ret, void **args, void *user)
{
    const callback *b = user;
    const hone_sig *sig = hone_wire_sig(b->slot);
    const void *sink;
    char stage[sizeof current->page->stage];
    hone_status s = HONE_OK;
    (void)cif;
    memcpy(&sink, args[0], sizeof sink);
    pthread_mutex_lock(&lock);
    hone__vargs *a = call_of(sink, b->arg);
    memcpy(stage, current->page->stage, sizeof stage);
    if (!a) {
        hone__v_fail(current, "%s calls %s with what is not the sink of a call under way", b->of,
                     hone_wire_desc(b->slot)->name);
        s = hone_fail(HONE_E_STATE, "this sink belongs to no call");
    } else {
        uint64_t *h = &a->sink_digest[b->arg][b->number % HONE__V_SINK_SLOTS];
        *h = told(b, args, *h + 1);
        a->sunk++;
        if (a->c->refuse && a->sunk >= a->c->refuse)
            s = hone_fail(HONE_E_CANCELLED, "the validator's sink takes no more");
    }
    hone__v_stage(current, "%s", stage);
    pthread_mutex_unlock(&lock);
    if (sig->result == HONE_A_VOID)
        return;
    if (sig->result == HONE_T_F64 || sig->result == HONE_T_STR)
        memset(ret, 0, sig->result == HONE_T_STR ? sizeof(hone_str) : sizeof(double));
    else
        *(ffi_arg *)ret = 0;
    if (sig->result == HONE_A_STATUS)
        *(ffi_sarg *)ret = s;
}

static hone_status make_callbacks(hone__vdesc *d, size_t number)
{
    prepared *p = &d->slots[number];
    const hone_sig *sig = hone_wire_sig(p->slot);
    for (size_t i = 0; i < sig->n; i++) {
        size_t n;
        char name[96];
        snprintf(name, sizeof name, "%s %s", sig->args[i].array ? "the array" : "the argument",
                 sig->args[i].name);
        p->names[i] = hone_strdup(name);
        const hone_wire_slot *const *cb = hone_wire_sink(p->slot, i, &n);
        p->code[i] = hone_calloc(n + 1, sizeof *p->code[i]);
        if (!p->names[i] || !p->code[i])
            return HONE_E_NOMEM;
        for (size_t k = 0; k < n; k++) {
            callback *b = hone_calloc(1, sizeof *b);
            if (!b)
                return HONE_E_NOMEM;
            *b = (callback){d, cb[k], hone_wire_desc(p->slot)->name, i, k, NULL};
            b->closure = ffi_closure_alloc(sizeof *b->closure, &p->code[i][k]);
            if (!b->closure || ffi_prep_closure_loc(b->closure, hone_wire_cif(cb[k]), on_callback,
                                                    b, p->code[i][k]) != FFI_OK)
                return hone_fail(HONE_E_UNSUPPORTED, "the system refuses to make a callback");
        }
    }
    return HONE_OK;
}

/* ---- an interface --------------------------------------------------------------------------------- */

/* The same description, but that no slot is LOCAL: it is called in this process. */
static hone_status without_local(hone__vdesc *d)
{
    size_t n = 0;
    while (d->desc->table->slots && d->desc->table->slots[n])
        n++;
    hone_slot *copies = hone_calloc(n + 1, sizeof *copies);
    const hone_slot **list = hone_calloc(n + 1, sizeof *list);
    if (!copies || !list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        copies[i] = *d->desc->table->slots[i];
        copies[i].flags &= ~HONE_SLOT_LOCAL;
        list[i] = &copies[i];
    }
    d->table = *d->desc->table;
    d->table.slots = list;
    d->mine = *d->desc;
    d->mine.table = &d->table;
    d->n = n;
    return HONE_OK;
}

static hone_status prepare(hone__vdesc *d)
{
    HONE_TRY(without_local(d));
    d->slots = hone_calloc(d->n + 1, sizeof *d->slots);
    if (!d->slots)
        return HONE_E_NOMEM;
    HONE_TRY(hone_wire_open(&d->mine, NULL, &d->wire));
    for (size_t i = 0; i < d->n; i++) {
        const hone_wire_slot *s = d->wire->slots[i];
        if (!s || hone_wire_sig(s)->n == 0 || hone_wire_sig(s)->args[0].base != HONE_A_SELF)
            continue;
        d->slots[i].slot = s;
        d->slots[i].travels = !(d->desc->table->slots[i]->flags & HONE_SLOT_LOCAL);
        HONE_TRY(make_callbacks(d, i));
    }
    return HONE_OK;
}

const hone__vdesc *hone__v_desc_open(hone__v *v, const char *iface, int own)
{
    const hone_iface_desc *desc = hone_registry_iface(v->registry, iface);
    const int is_own = desc && hone_desc_builtin(iface) == desc;
    if (!desc || (is_own && !own))
        return NULL;
    for (hone__vdesc *d = opened; d; d = d->next)
        if (d->desc == desc)
            return d;
    hone__vdesc *d = hone_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    current = v;
    d->desc = desc;
    d->text = is_own && strncmp(iface, "hone.tokenizer/", 15) != 0;
    if (prepare(d) < 0) {
        hone__v_fail(v, "%s", hone__v_error());
        return NULL; /* the process ends soon */
    }
    d->next = opened;
    opened = d;
    return d;
}

size_t hone__v_desc_slots(const hone__vdesc *d)
{
    return d->n;
}
const hone_slot *hone__v_desc_slot(const hone__vdesc *d, size_t slot)
{
    return d->desc->table->slots[slot];
}
const char *hone__v_desc_id(const hone__vdesc *d)
{
    return d->desc->id;
}
int hone__v_desc_callable(const hone__vdesc *d, size_t slot)
{
    return d->slots[slot].slot != NULL;
}
int hone__v_desc_travels(const hone__vdesc *d, size_t slot)
{
    return d->slots[slot].slot != NULL && d->slots[slot].travels;
}

static void (*function_of(const hone__vdesc *d, size_t slot, const void *vt))(void)
{
    void (*fn)(void) = NULL;
    uint32_t size = d->desc->table->size;
    const uint32_t at = d->desc->table->slots[slot]->offset;
    for (size_t i = 0; d->desc->table->members[i]; i++)
        if (d->desc->table->members[i]->type == HONE_T_SIZE)
            memcpy(&size, (const char *)vt + d->desc->table->members[i]->offset, sizeof size);
    if (at + sizeof fn <= size)
        memcpy(&fn, (const char *)vt + at, sizeof fn);
    return fn;
}

int hone__v_desc_present(const hone__vdesc *d, size_t slot, const void *vt)
{
    return function_of(d, slot, vt) != NULL;
}

/* ---- a call --------------------------------------------------------------------------------------- */

/* Guard bytes, in front of, between and behind the elements of everything it could write. */
static void check_guards(hone__vargs *a, const char *slot)
{
    for (size_t i = 0; i < a->n_pieces; i++) {
        const hone__vpiece *p = &a->pieces[i];
        const unsigned char *at = (const unsigned char *)p->at;
        for (size_t k = 0; k < p->before; k++)
            if (at[(ptrdiff_t)k - (ptrdiff_t)p->before] != HONE__V_GUARD)
                return hone__v_fail(a->v,
                                    "%s wrote in front of %s, or past the end of what lies there",
                                    slot, p->name);
        for (size_t e = 0; p->stride > p->elem && e < p->n; e++)
            for (size_t k = p->elem; k < p->stride; k++)
                if (at[e * p->stride + k] != HONE__V_GUARD)
                    return hone__v_fail(a->v, "%s wrote past the end of element %zu of %s: %s",
                                        slot, e, p->name,
                                        "the stride, or struct_size, says how large one is");
    }
}

static void read_outputs(hone__vargs *a, const hone__vdesc *d, const char *slot, uint64_t *digest,
                         hone__vgot *got)
{
    for (size_t i = 0; i < a->n_pieces; i++) {
        const hone__vpiece *p = &a->pieces[i];
        char what[256];
        snprintf(what, sizeof what, "%s that %s filled", p->name, slot);
        const look l = {a->v, what, d->text};
        hone__v_stage(a->v, "reading %s", what);
        for (size_t e = 0; e < p->n; e++) {
            uint64_t h = read_one(&l, p->base, p->of, p->at + e * p->stride, i + 1, 0);
            got->whole = hone_xxh64(&h, sizeof h, got->whole);
            if (digest && p->item && e < a->c->n)
                digest[e] = (digest[e] ^ h) * 0x9E3779B97F4A7C15ull | 1;
        }
    }
    for (size_t i = 0; i < HONE_SIG_MAX; i++)
        got->whole = hone_xxh64(a->sink_digest[i], sizeof a->sink_digest[i], got->whole);
}

static void read_result(hone__vargs *a, const hone__vdesc *d, const char *slot,
                        const hone_wire_ret *ret, hone__vgot *got)
{
    const uint8_t base = hone_wire_sig(a->slot)->result;
    char what[128];
    snprintf(what, sizeof what, "the text that %s returned", slot);
    const look l = {a->v, what, d->text};
    if (base == HONE_A_VOID)
        return;
    if (base == HONE_A_STATUS) {
        if (got->status > 0)
            hone__v_fail(a->v, "%s returned %d: a status is 0 or negative", slot, got->status);
        else if (strcmp(hone_status_name(got->status), "E_?") == 0)
            hone__v_fail(a->v, "%s returned %d, which is no status", slot, got->status);
        got->whole = hone_xxh64(&got->status, sizeof got->status, got->whole);
        return;
    }
    hone__v_stage(a->v, "reading %s", what);
    got->whole = read_one(&l, base, NULL, (const char *)ret, got->whole, 0);
}

const void *hone__v_desc_table(hone__vinst *i, const hone__vdesc *d, void **self)
{
    const size_t most = sizeof i->known / sizeof *i->known;
    for (size_t k = 0; k < i->n_known; k++)
        if (i->known[k].desc == d) {
            *self = i->known[k].self;
            return i->known[k].vt;
        }
    const void *vt = hone_instance_iface(i->inst, d->desc->id, self);
    if (vt && i->n_known < most) {
        i->known[i->n_known].desc = d;
        i->known[i->n_known].vt = vt;
        i->known[i->n_known++].self = *self;
    }
    return vt;
}

void hone__v_desc_call(hone__v *v, hone__vinst *inst, const hone__vdesc *d, size_t slot,
                       const hone__vcase *c, uint64_t *digest, hone__vgot *got)
{
    const prepared *p = &d->slots[slot];
    const hone_slot *s = d->desc->table->slots[slot];
    hone__vargs a = {.v = v, .c = c, .slot = p->slot, .slot_number = slot, .names = p->names};
    hone_wire_ret ret;
    void *self = NULL;
    memset(got, 0, sizeof *got);
    memset(&ret, 0, sizeof ret);
    const void *vt = p->slot ? hone__v_desc_table(inst, d, &self) : NULL;
    void (*fn)(void) = vt ? function_of(d, slot, vt) : NULL;
    if (!fn)
        return;
    hone_arena_init(&a.arena, (size_t)1 << 30);
    for (size_t i = 0; i < HONE_SIG_MAX; i++)
        a.callbacks[i] = p->code[i];
    hone__v_stage(v, "making the arguments of %s", s->name);
    if (hone__v_args_make(&a, self) < 0) {
        hone__v_fail(v, "%s: %s", s->name, hone__v_error());
    } else {
        char what[160];
        got->called = 1;
        snprintf(what, sizeof what, "%s of %s, n = %zu", s->name, d->desc->id, c->n);
        pthread_mutex_lock(&lock);
        a.next = under_way;
        under_way = &a;
        pthread_mutex_unlock(&lock);
        hone__v_enter(v, inst, what);
        ffi_call(hone_wire_cif(p->slot), fn, &ret, a.args);
        const int status = hone_wire_sig(p->slot)->result == HONE_A_STATUS;
        got->status = hone__v_leave(v, inst, s->name, status ? ret.i32 : HONE_OK);
        if (status && ret.i32 > 0)
            got->status = ret.i32;
        pthread_mutex_lock(&lock);
        hone__vargs **at = &under_way;
        while (*at != &a)
            at = &(*at)->next;
        *at = a.next;
        pthread_mutex_unlock(&lock);
        check_guards(&a, s->name);
        read_result(&a, d, s->name, &ret, got);
        got->sunk = a.sunk;
        if (got->status >= 0)
            read_outputs(&a, d, s->name, digest, got);
        hone__v_stage(v, "after %s", what);
    }
    hone__v_args_release(&a);
}
