/* validate_args.c - arguments for any described slot (see validate_args.h).
 *
 * Key idea: one element is drawn from a stream of random numbers whose key is (seed, slot, argument, number of the
 * element), so an item is the same wherever it stands in whatever batch. Arrays that an argument counts lie each
 * against a forbidden page; what hangs on structs shares a second place, texts a third, all read-only during the
 * call; what the callee may write stands in a fourth, with guard bytes around each piece.
 *
 * Does not: know what members mean. Counts fit their arrays, what may not be NULL is not, and struct_size is
 * right; all else is by chance. Invariant: a place that is full gives empty arrays and texts, never wrong ones. */
#include "cli/validate_args.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EXTRA = 24, ZONE = 64, POISON = 0xA5, DEEP = 6, PLACE = 64 << 20 };

/* Numbers of one element. */
typedef struct chance {
    hone_rng_key key;
    uint64_t at;
} chance;

static uint64_t below(chance *r, uint64_t n)
{
    return hone_rng_below(&r->key, r->at++, n);
}

/* ---- numbers, texts, values ----------------------------------------------------------------------- */

/* Which of n odd ones is next: the seed counts them up, so n cases one after the other have each at every place. */
static uint64_t next_odd(const hone__vargs *a, chance *r, uint64_t n)
{
    return (a->c->seed + r->key.step + r->key.sample + r->at++) % n;
}

static int64_t odd_integer(const hone__vargs *a, chance *r)
{
    static const int64_t odd[] = {0,         1,          -1,        2,          255,
                                  INT32_MAX, INT32_MIN,  INT64_MAX, INT64_MIN,  UINT32_MAX,
                                  1 << 16,   0x7FFFFFF0, 4096,      0x80000001, -2};
    uint64_t i = next_odd(a, r, sizeof odd / sizeof *odd + 2);
    return i < sizeof odd / sizeof *odd ? odd[i] : (int64_t)hone_rng_u64(&r->key, r->at++);
}

static double odd_real(const hone__vargs *a, chance *r, int narrow)
{
    const double odd[] = {NAN,
                          INFINITY,
                          -INFINITY,
                          -0.0,
                          0,
                          narrow ? (double)FLT_MAX : DBL_MAX,
                          narrow ? (double)-FLT_MAX : -DBL_MAX,
                          narrow ? (double)FLT_TRUE_MIN : DBL_TRUE_MIN,
                          narrow ? (double)FLT_MIN : DBL_MIN,
                          1e-30,
                          -1e30,
                          0x1p24};
    uint64_t i = next_odd(a, r, sizeof odd / sizeof *odd + 2);
    return i < sizeof odd / sizeof *odd ? odd[i] : hone_rng_normal(&r->key, r->at++);
}

/* One number of type `base` at p. */
static void put_number(const hone__vargs *a, chance *r, uint32_t base, void *p)
{
    const int odd = (a->c->odd & HONE__VA_NUMBERS) != 0;
    if (base == HONE_T_F32) {
        float x = odd ? (float)odd_real(a, r, 1)
                      : (float)hone_rng_uniform(&r->key, r->at++) * 2 - 1;
        memcpy(p, &x, sizeof x);
        return;
    }
    if (base == HONE_T_F64) {
        double x = odd ? odd_real(a, r, 0) : hone_rng_uniform(&r->key, r->at++) * 2 - 1;
        memcpy(p, &x, sizeof x);
        return;
    }
    int64_t x = odd ? odd_integer(a, r) : (int64_t)below(r, 8);
    size_t n = base == HONE_T_I64 || base == HONE_T_U64   ? 8
               : base == HONE_T_U8 || base == HONE_T_CHAR ? 1
                                                          : 4;
    memcpy(p, &x, n); /* the low bytes: hone runs on little-endian machines alone */
}

static hone_str text(hone__vargs *a, chance *r)
{
    static const char *const words[] = {"red", "green", "7",  "the answer", "x = 3", "word",
                                        "a b", "blue",  "12", "yes",        "no",    "end"};
    char plain[64];
    if (a->c->odd & HONE__VA_TEXT) {
        enum { SORTS = 17 };
        uint64_t i = next_odd(a, r, SORTS);
        if (i == SORTS - 1 && a->megabytes++ >= 2)
            i = 0;
        return hone__v_odd_text(&a->texts, i);
    }
    snprintf(plain, sizeof plain, "%s %s %u", words[below(r, 12)], words[below(r, 12)],
             (unsigned)below(r, 100));
    return hone__v_put_text(&a->texts, plain);
}

static const char *zero_ended(hone__vargs *a, chance *r)
{
    hone_str s = text(a, r);
    const char *nul = s.len ? memchr(s.ptr, 0, s.len) : NULL;
    size_t n = nul ? (size_t)(nul - s.ptr) : s.len;
    char *to = hone__v_fence_take(&a->texts, n + 1, 1);
    if (!to)
        return "";
    if (n)
        memcpy(to, s.ptr, n);
    to[n] = 0;
    return to;
}

static void put_value(hone__vargs *a, chance *r, hone_value *out, int depth)
{
    size_t n;
    memset(out, 0, sizeof *out);
    switch (below(r, depth > 3 ? 6 : 8)) {
    case 0:
        return;
    case 1:
        out->type = HONE_BOOL;
        out->u.boolean = (int64_t)below(r, 2);
        return;
    case 2:
        out->type = HONE_I64;
        put_number(a, r, HONE_T_I64, &out->u.i64);
        return;
    case 3:
        out->type = HONE_F64;
        put_number(a, r, HONE_T_F64, &out->u.f64);
        return;
    case 4:
    case 5:
        out->type = below(r, 8) ? HONE_STRING : HONE_BYTES;
        out->u.str = text(a, r);
        return;
    case 6:
        n = below(r, 4);
        hone_value *items = hone__v_fence_take(&a->more, n * sizeof *items, 8);
        out->type = HONE_LIST;
        for (size_t i = 0; items && i < n; i++)
            put_value(a, r, &items[i], depth + 1);
        out->u.list.items = items;
        out->u.list.n = items ? n : 0;
        return;
    default:
        n = below(r, 4);
        hone_pair *pairs = hone__v_fence_take(&a->more, n * sizeof *pairs, 8);
        out->type = HONE_MAP;
        for (size_t i = 0; pairs && i < n; i++) {
            pairs[i].key = text(a, r);
            put_value(a, r, &pairs[i].value, depth + 1);
        }
        out->u.map.pairs = pairs;
        out->u.map.n = pairs ? n : 0;
    }
}

/* ---- what the callee may write ------------------------------------------------------------------- */

/* n elements, zero, with guard bytes in front of them, behind them and in their gaps. */
static char *take_out(hone__vargs *a, uint8_t base, const hone_struct_desc *of, size_t n,
                      size_t elem, size_t stride, size_t align, const char *name)
{
    size_t bytes;
    if (!hone_mul_size(n, stride, &bytes))
        return NULL;
    if (a->n_pieces == a->cap_pieces) {
        size_t cap = a->cap_pieces ? 2 * a->cap_pieces : 16;
        hone__vpiece *more = hone_arena_calloc(&a->arena, cap, sizeof *more);
        if (!more)
            return NULL;
        if (a->n_pieces)
            memcpy(more, a->pieces, a->n_pieces * sizeof *more);
        a->pieces = more;
        a->cap_pieces = cap;
    }
    char *old = a->out.at, *p = hone__v_fence_take(&a->out, bytes, align);
    if (!p)
        return NULL;
    memset(p, HONE__V_GUARD, (size_t)(old - p));
    for (size_t i = 0; i < n; i++)
        memset(p + i * stride, 0, elem);
    char *zone = hone__v_fence_take(&a->out, ZONE, 1);
    if (zone)
        memset(zone, HONE__V_GUARD, ZONE);
    a->pieces[a->n_pieces++] = (hone__vpiece){.at = p,
                                              .n = n,
                                              .stride = stride,
                                              .elem = elem,
                                              .before = zone ? ZONE : 0,
                                              .base = base,
                                              .of = of,
                                              .name = name};
    return p;
}

/* ---- structs -------------------------------------------------------------------------------------- */

static int counts_something(const hone_struct_desc *d, const hone_member *c)
{
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if ((m->flags & HONE_M_ARRAY) &&
            (m->count_offset == c->offset ||
             ((m->flags & HONE_M_PRODUCT) && m->count2_offset == c->offset)))
            return 1;
    }
    return 0;
}

/* Another array has the same count, so that a NULL is not taken for none. */
static int count_is_shared(const hone_struct_desc *d, const hone_member *m)
{
    for (size_t i = 0; d->members[i]; i++)
        if (d->members[i] != m && (d->members[i]->flags & HONE_M_ARRAY) &&
            d->members[i]->count_offset == m->count_offset)
            return 1;
    return (m->flags & (HONE_M_INLINE | HONE_M_PRODUCT | HONE_M_PLUS1)) != 0;
}

static void put_struct(hone__vargs *a, chance *r, const hone_struct_desc *d, char *p, size_t extra,
                       int depth);

/* One element of what a member holds or points at. */
static void put_element(hone__vargs *a, chance *r, const hone_member *m, char *p, int depth)
{
    switch (m->type) {
    case HONE_T_STR: {
        hone_str s = text(a, r);
        memcpy(p, &s, sizeof s);
        return;
    }
    case HONE_T_CSTR: {
        const char *s = zero_ended(a, r);
        memcpy(p, &s, sizeof s);
        return;
    }
    case HONE_T_VALUE: {
        hone_value x;
        put_value(a, r, &x, 0);
        memcpy(p, &x, sizeof x);
        return;
    }
    case HONE_T_STRUCT:
        put_struct(a, r, m->of, p, 0, depth + 1);
        return;
    case HONE_T_OPAQUE:
    case HONE_T_FUNC:
    case HONE_T_PAD:
    case HONE_T_SIZE:
        return;
    default:
        put_number(a, r, m->type, p);
    }
}

static size_t align_of(const hone_member *m)
{
    if (m->type == HONE_T_STRUCT)
        return m->of->align;
    return m->elem_size >= 8 ? 8 : m->elem_size;
}

/* The array of n elements that a member points at; NULL when the place is full. */
static char *member_array(hone__vargs *a, chance *r, const hone_member *m, size_t n, int depth)
{
    size_t bytes;
    char *to;
    if (!hone_mul_size(n, m->elem_size, &bytes))
        return NULL;
    if (m->flags & HONE_M_MUTABLE) {
        to = take_out(a, (uint8_t)m->type, m->of, n, m->elem_size, m->elem_size, align_of(m),
                      m->name);
    } else {
        to = hone__v_fence_take(&a->more, bytes, align_of(m));
        if (to)
            memset(to, 0, bytes);
    }
    for (size_t i = 0; to && i < n; i++)
        put_element(a, r, m, to + i * m->elem_size, depth);
    return to;
}

static void set_count(const hone_member *c, char *p, uint64_t n)
{
    memcpy(p + c->offset, &n, c->elem_size);
}

static void put_member(hone__vargs *a, chance *r, const hone_struct_desc *d, const hone_member *m,
                       char *p, int depth)
{
    const size_t k = m->flags & HONE_M_INLINE ? m->count2_offset : 1;
    if (!(m->flags & HONE_M_ARRAY)) {
        for (size_t i = 0; i < k; i++)
            put_element(a, r, m, p + m->offset + i * m->elem_size, depth);
        return;
    }
    size_t n;
    const hone_member *c = hone_desc_member_at(d, m->count_offset);
    hone_member counted = *m;
    counted.flags &= (uint16_t)~HONE_M_INLINE; /* of one pointer, where there are k */
    if (hone_desc_count(d, &counted, p, &n) < 0)
        n = 0;
    for (size_t i = 0; i < k; i++) {
        const int absent = (m->flags & HONE_M_NULLABLE) && (n == 0 || count_is_shared(d, m)) &&
                           (a->c->odd & HONE__VA_ABSENT) && below(r, 2);
        char *to = absent ? NULL : member_array(a, r, m, n, depth);
        if (!to && !absent && c)
            set_count(c, p, 0);
        memcpy(p + m->offset + i * sizeof to, &to, sizeof to);
    }
}

/* A struct of d at p, `extra` bytes larger than it is known. */
static void put_struct(hone__vargs *a, chance *r, const hone_struct_desc *d, char *p, size_t extra,
                       int depth)
{
    memset(p, 0, d->size);
    if (depth > DEEP)
        return;
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        const uint32_t size = d->size + (uint32_t)extra;
        if (m->type == HONE_T_SIZE)
            memcpy(p + m->offset, &size, sizeof size);
        else if (m->type <= HONE_T_U64 && !m->flags && counts_something(d, m))
            set_count(m, p, a->c->odd & HONE__VA_COUNTS ? below(r, 9) : 1 + below(r, 3));
    }
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if (m->type != HONE_T_SIZE && !counts_something(d, m))
            put_member(a, r, d, m, p, depth);
    }
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static int array_shares_count(const hone_sig *sig, size_t i)
{
    for (size_t k = 0; k < sig->n; k++)
        if (k != i && sig->args[k].array && sig->args[k].count >= 0 &&
            sig->args[k].count == sig->args[i].count)
            return 1;
    return 0;
}

/* How many each counting argument says, before arrays are made. */
static void choose_counts(hone__vargs *a)
{
    const hone_sig *sig = hone_wire_sig(a->slot);
    for (size_t i = 0; i < sig->n; i++) {
        chance r = {{a->c->seed, HONE_RNG_USER, 0, 4096 + 32 * a->slot_number + i, 0}, 0};
        const size_t some[] = {0, 1, 2, a->c->n, a->c->n};
        if (sig->args[i].role != HONE_ROLE_COUNT)
            continue;
        uint64_t n = a->c->odd & HONE__VA_COUNTS ? some[below(&r, 5)] : a->c->n;
        a->value[i].u64 = n;
    }
}

static void fill_element(hone__vargs *a, chance *r, const hone_sig_arg *g, char *p, size_t extra)
{
    const hone_member m = {.type = g->base, .elem_size = (uint32_t)hone_sig_elem_size(g)};
    if (g->base == HONE_T_STRUCT)
        put_struct(a, r, g->of, p, extra, 0);
    else
        put_element(a, r, &m, p, 0);
}

/* Functions of a sink, or of a struct that has some. */
static void set_callbacks(hone__vargs *a, chance *r, size_t i, char *p)
{
    size_t n;
    const hone_wire_slot *const *cb = hone_wire_sink(a->slot, i, &n);
    for (size_t k = 0; k < n; k++) {
        const hone_slot *s = hone_wire_desc(cb[k]);
        void *code = a->callbacks[i][k];
        if ((s->flags & HONE_SLOT_OPTIONAL) && (a->c->odd & HONE__VA_ABSENT) && below(r, 2))
            code = NULL;
        memcpy(p + s->offset, &code, sizeof code);
    }
}

/* What a pointer argument points at. */
static hone_status make_pointer(hone__vargs *a, size_t i, chance *r)
{
    const hone_sig *sig = hone_wire_sig(a->slot);
    const hone_sig_arg *g = &sig->args[i];
    const size_t elem = g->base == HONE_A_SINK ? g->of->size : hone_sig_elem_size(g),
                 extra = a->c->larger && (g->base == HONE_T_STRUCT || g->base == HONE_A_SINK) &&
                                 !(g->of->flags & HONE_STRUCT_FROZEN) &&
                                 (!g->array || g->stride >= 0)
                             ? EXTRA
                             : 0,
                 n = !g->array       ? 1
                     : g->count >= 0 ? a->value[g->count].u64
                                     : g->fixed,
                 align = g->of       ? g->of->align
                         : elem >= 8 ? 8
                                     : elem;
    const int batch = (hone_wire_desc(a->slot)->flags & HONE_SLOT_BATCH) && g->array &&
                      g->count >= 0;
    size_t bytes;
    char *p;
    if (g->nullable && (a->c->odd & HONE__VA_ABSENT) && below(r, 2) &&
        (!g->array || n == 0 || array_shares_count(sig, i)))
        return HONE_OK;
    if (!hone_mul_size(n, elem + extra, &bytes))
        return hone_fail(HONE_E_RANGE, "arguments of such a size cannot be made");
    a->count[i] = n;
    if (g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT) {
        p = take_out(a, g->base, g->of, n, elem, elem + extra, align, a->names[i]);
        if (!p)
            return hone_fail(HONE_E_LIMIT, "the outputs do not fit");
        a->pieces[a->n_pieces - 1].item = (uint8_t)batch;
    } else {
        HONE_TRY(hone__v_fence_open(&a->in[i], bytes, a->names[i]));
        p = hone__v_fence_take(&a->in[i], bytes, align);
        if (!p)
            return hone_fail(HONE_E_LIMIT, "the arguments do not fit");
        memset(p, POISON, bytes);
    }
    for (size_t k = 0; k < n; k++) {
        const size_t item = batch && a->c->index && k < a->c->n ? a->c->index[k] : k;
        chance e = {{a->c->seed, HONE_RNG_USER, 0, 32 * a->slot_number + i, item + 1}, 0};
        char *to = p + k * (elem + extra);
        if (g->dir == HONE_DIR_OUT) {
            for (size_t m = 0; g->of && g->of->members[m]; m++) {
                const uint32_t size = (uint32_t)(elem + extra);
                if (g->of->members[m]->type == HONE_T_SIZE)
                    memcpy(to + g->of->members[m]->offset, &size, sizeof size);
            }
            continue;
        }
        fill_element(a, &e, g, to, extra);
    }
    if (!g->array && (g->base == HONE_A_SINK || g->base == HONE_T_STRUCT)) {
        if (g->base == HONE_A_SINK)
            put_struct(a, r, g->of, p, extra, 0);
        set_callbacks(a, r, i, p);
    }
    a->ptr[i] = p;
    return HONE_OK;
}

typedef struct larger_call {
    hone_call c;
    unsigned char poison[32];
} larger_call;

static hone_status make_call(hone__vargs *a, size_t i)
{
    larger_call *call = hone__v_fence_take(&a->more, sizeof *call, 8);
    if (!call)
        return hone_fail(HONE_E_LIMIT, "the arguments do not fit");
    memset(call, POISON, sizeof *call);
    call->c = (hone_call){.struct_size = a->c->larger ? sizeof *call : sizeof call->c,
                          .n = (uint32_t)a->c->n,
                          .id = 1,
                          .cancelled = a->c->cancelled};
    a->ptr[i] = call;
    return HONE_OK;
}

static hone_status make_argument(hone__vargs *a, size_t i, void *self)
{
    const hone_sig *sig = hone_wire_sig(a->slot);
    const hone_sig_arg *g = &sig->args[i];
    chance r = {{a->c->seed, HONE_RNG_USER, 0, 32 * a->slot_number + i, 0}, 0};
    const int pointer = g->array || g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT ||
                        g->base == HONE_T_VALUE || g->base == HONE_A_SINK ||
                        (g->base == HONE_T_STRUCT && g->dir != HONE_DIR_BY);
    a->args[i] = &a->value[i];
    if (g->base == HONE_A_SELF || g->base == HONE_A_CALL || pointer)
        a->args[i] = &a->ptr[i];
    if (g->base == HONE_A_SELF) {
        a->ptr[i] = self;
        return HONE_OK;
    }
    if (g->base == HONE_A_CALL)
        return make_call(a, i);
    if (pointer)
        return make_pointer(a, i, &r);
    if (g->role == HONE_ROLE_COUNT)
        return HONE_OK;
    if (g->role == HONE_ROLE_STRIDE) {
        for (size_t k = 0; k < sig->n; k++)
            if (sig->args[k].stride == (int)i)
                a->value[i].u64 = hone_sig_elem_size(&sig->args[k]) +
                                  (a->c->larger && sig->args[k].base == HONE_T_STRUCT &&
                                           !(sig->args[k].of->flags & HONE_STRUCT_FROZEN)
                                       ? EXTRA
                                       : 0);
        return HONE_OK;
    }
    if (g->dir == HONE_DIR_BY) {
        char *p = hone_arena_calloc(&a->arena, 1, g->of->size);
        if (!p)
            return HONE_E_NOMEM;
        put_struct(a, &r, g->of, p, 0, 0);
        a->args[i] = p;
    } else if (g->base == HONE_T_STR) {
        a->value[i].str = text(a, &r);
    } else if (g->base == HONE_T_CSTR) {
        a->ptr[i] = (void *)(uintptr_t)zero_ended(a, &r);
        a->args[i] = &a->ptr[i];
    } else {
        a->value[i].u64 = 0;
        put_number(a, &r, g->base, &a->value[i]);
    }
    return HONE_OK;
}

hone_status hone__v_args_make(hone__vargs *a, void *self)
{
    const hone_sig *sig = hone_wire_sig(a->slot);
    hone_status s = hone__v_fence_open(&a->texts, PLACE, "the texts of the arguments");
    if (s >= 0)
        s = hone__v_fence_open(&a->more, PLACE, "what the arguments point at");
    if (s >= 0)
        s = hone__v_fence_open(&a->out, PLACE, "the outputs");
    choose_counts(a);
    for (size_t i = 0; s >= 0 && i < sig->n; i++)
        s = make_argument(a, i, self);
    if (s < 0)
        return s;
    for (size_t i = 0; i < sig->n; i++)
        if (a->in[i].base)
            hone__v_fence_readonly(&a->in[i]);
    hone__v_fence_readonly(&a->more);
    hone__v_fence_readonly(&a->texts);
    return HONE_OK;
}

void hone__v_args_release(hone__vargs *a)
{
    for (size_t i = 0; i < HONE_SIG_MAX; i++)
        hone__v_fence_close(&a->in[i], a->c->keep);
    hone__v_fence_close(&a->more, a->c->keep);
    hone__v_fence_close(&a->texts, a->c->keep);
    hone__v_fence_close(&a->out, a->c->keep);
    hone_arena_release(&a->arena);
}
