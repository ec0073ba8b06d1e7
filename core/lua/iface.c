/* iface.c - Lua calls a C function that only a description knows. See iface.h.
 *
 * Key idea: the signature says everything: which arguments come from Lua, which are filled in (self, call,
 * counts, strides), which come back (out, sinks). Whatever needs memory is built in a frame's arena inside a
 * protected call, so that an error on the way leaks nothing; calls with scalars only take the short way.
 * A sink argument becomes a C object whose callbacks are libffi closures that append to a Lua list.
 *
 * Does not: check what the plugin does with its arguments (that is the validator's and the box's).
 * Source: plugin-abi.md section 8, the libffi manual. */
#include "lua/iface.h"

#include "lua/marshal.h"

#include "base/alloc.h"
#include "hone/judge.h"
#include "hone/reward.h"

#include <stdatomic.h>
#include <string.h>

#define HANDLE_TYPE "hone.iface"
#define HANDLE_MAGIC 0x686f6e6548616e64ull

union value {
    void *p;
    int32_t i32;
    uint64_t u64;
    double f64;
    hone_str str;
    char bytes[64];
};

/* What a sink argument collects into. */
struct collector {
    lua_State *L;
    int table; /* stack index of the list */
    const hone_struct_desc *desc;
    hone__slot *slot; /* of the callback that a closure belongs to: see sink_closure */
    int frame, failed;
    hone_error error;
};

/* A callback of a sink type, as a C function: made once per state and slot. */
struct sink_closure {
    hone_lua *l;
    hone__slot *slot;
    uint32_t ctx_offset;
    ffi_closure *closure;
    void *code;
};

static _Atomic uint64_t call_ids =
    1ull << 62; /* calls made from Lua; the scheduler's own count from 1 */

/* ---- sinks: C calls back while we are in the call ---------------------------------------------- */

struct put {
    struct collector *c;
    hone__slot *slot;
    void **args;
};

static void push_argument(lua_State *L, int frame, const hone_sig *sig, size_t i, void **args)
{
    const hone_sig_arg *a = &sig->args[i];
    if (a->array) {
        const void *p = *(void **)args[i];
        size_t n = a->fixed;
        if (a->count >= 0)
            n = sig->args[a->count].base == HONE_T_U32 ? *(uint32_t *)args[a->count]
                                                       : (size_t) * (uint64_t *)args[a->count];
        size_t size = hone_sig_elem_size(a),
               stride = a->stride >= 0 ? (size_t) * (uint64_t *)args[a->stride] : size;
        if (!p) {
            lua_pushnil(L);
            return;
        }
        if (a->base == HONE_T_U8 || a->base == HONE_T_CHAR) {
            lua_pushlstring(L, p, n);
            return;
        }
        hone_lua_new_list(L, n);
        for (size_t k = 0; k < n; k++) {
            if (a->base == HONE_T_STRUCT)
                hone__push_copy(L, frame, a->of, (const char *)p + k * stride);
            else
                hone__push_elem(L, frame, a->base, a->of, (const char *)p + k * stride);
            lua_rawseti(L, -2, (lua_Integer)k + 1);
        }
        return;
    }
    if (a->base == HONE_T_STRUCT) {
        const void *p = a->dir == HONE_DIR_BY ? args[i] : *(void **)args[i];
        hone__push_copy(L, frame, a->of, p);
    } else if (a->base == HONE_T_VALUE) {
        const hone_value *v = *(hone_value **)args[i];
        hone_lua_push_value(L, v);
    } else {
        hone__push_elem(L, frame, a->base, a->of, args[i]);
    }
}

static int do_put(lua_State *L)
{
    const struct put *put = lua_touserdata(L, 1);
    const hone_sig *sig = &put->slot->sig;
    lua_newtable(L);
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if (a->base == HONE_A_THIS || a->base >= HONE_A_CALL || a->role || a->dir == HONE_DIR_OUT)
            continue;
        push_argument(L, put->c->frame, sig, i, put->args);
        lua_setfield(L, 3, a->name);
    }
    lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
    return 0;
}

static void sink_called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    const struct sink_closure *sc = ud;
    const char *object = *(char **)args[0];
    struct collector *c;
    hone_status s = HONE_OK;
    (void)cif;
    memcpy(&c, object + sc->ctx_offset, sizeof c);
    if (!hone_lua_on_control(sc->l)) {
        s = hone_fail(HONE_E_STATE, "a sink given from Lua is used by another thread");
    } else {
        struct put put = {c, sc->slot, args};
        if (!lua_checkstack(c->L, 6)) {
            s = hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
        } else {
            lua_pushcfunction(c->L, do_put);
            lua_pushlightuserdata(c->L, &put);
            lua_pushvalue(c->L, c->table);
            s = hone_lua_pcall(c->L, 2, 0);
        }
        if (s < 0 && !c->failed) {
            c->failed = 1;
            c->error = *hone_error_get();
        }
    }
    if (sc->slot->sig.result == HONE_A_STATUS || sc->slot->sig.result == HONE_A_PARAM)
        *(ffi_sarg *)ret = s;
}

static int free_closure(lua_State *L)
{
    struct sink_closure *sc = lua_touserdata(L, 1);
    if (sc->closure)
        ffi_closure_free(sc->closure);
    sc->closure = NULL;
    return 0;
}

/* The C function that stands for callback `slot` of sink type `d`; kept in the registry. */
static void *sink_code(lua_State *L, hone__slot *slot, const hone_struct_desc *d)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, slot) != LUA_TNIL) {
        void *code = ((struct sink_closure *)lua_touserdata(L, -1))->code;
        lua_pop(L, 1);
        return code;
    }
    lua_pop(L, 1);
    const hone_member *ctx = hone_desc_member(d, "ctx");
    if (!ctx || ctx->type != HONE_T_OPAQUE)
        luaL_error(L, "a %s cannot be made in Lua", d->name);
    struct sink_closure *sc = lua_newuserdatauv(L, sizeof *sc, 0);
    memset(sc, 0, sizeof *sc);
    lua_newtable(L);
    lua_pushcfunction(L, free_closure);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    sc->l = hone_lua_of(L);
    sc->slot = slot;
    sc->ctx_offset = ctx->offset;
    sc->closure = ffi_closure_alloc(sizeof(ffi_closure), &sc->code);
    if (!sc->closure ||
        ffi_prep_closure_loc(sc->closure, &slot->cif, sink_called, sc, sc->code) != FFI_OK)
        luaL_error(L, "libffi cannot make a callback here");
    lua_rawsetp(L, LUA_REGISTRYINDEX, slot);
    return sc->code;
}

/* Gives `object` callbacks that collect into a new table on the stack. */
static struct collector *collect(lua_State *L, hone_arena *arena, const hone_struct_desc *d,
                                 int frame, char *object)
{
    const hone__ffi *f = hone_lua_of(L)->ffi;
    struct collector *c = hone__arena_need(L, arena, 1, sizeof *c);
    const hone_member *ctx = hone_desc_member(d, "ctx");
    lua_newtable(L);
    c->L = L;
    c->table = lua_gettop(L);
    c->desc = d;
    c->frame = frame;
    for (size_t i = 0; d->slots && d->slots[i]; i++)
        for (size_t k = 0; k < f->n_slots; k++)
            if (f->slots[k]->slot == d->slots[i]) {
                void *code = sink_code(L, f->slots[k], d);
                memcpy(object + d->slots[i]->offset, &code, sizeof code);
            }
    if (ctx)
        memcpy(object + ctx->offset, &c, sizeof c);
    return c;
}

/* A sink object in the arena. */
static void *make_sink(lua_State *L, hone_arena *arena, const hone_struct_desc *d, int frame,
                       struct collector **out)
{
    char *object = hone__arena_need(L, arena, 1, d->size);
    if (d->members[0]->type == HONE_T_SIZE) {
        uint32_t size = d->size;
        memcpy(object, &size, sizeof size);
    }
    *out = collect(L, arena, d, frame, object);
    return object;
}

/* Has a struct that the callee may change callbacks that can be made here? */
static int has_callbacks(const hone_sig_arg *a)
{
    return a->base == HONE_T_STRUCT && a->dir == HONE_DIR_INOUT && !a->array && a->of->slots &&
           a->of->slots[0] && hone_desc_member(a->of, "ctx");
}

/* ---- one call ---------------------------------------------------------------------------------- */

struct call {
    hone__slot *s;
    void (*fn)(void);
    void *self;
    hone_instance *inst;
    int first, frame, results;
};

static void *fresh_struct(lua_State *L, hone_arena *arena, const hone_struct_desc *d)
{
    char *p = hone__arena_need(L, arena, 1, d->size);
    if (d->members[0]->type == HONE_T_SIZE) {
        uint32_t size = d->size;
        memcpy(p, &size, sizeof size);
    }
    return p;
}

static void *read_list(lua_State *L, int index, hone_arena *arena, const hone_sig_arg *a, size_t *n)
{
    size_t size = hone_sig_elem_size(a), bytes;
    if (lua_isnil(L, index) && a->nullable) {
        *n = 0;
        return NULL;
    }
    if ((a->base == HONE_T_U8 || a->base == HONE_T_CHAR) && lua_type(L, index) == LUA_TSTRING)
        return (void *)(uintptr_t)lua_tolstring(L, index, n);
    if (lua_type(L, index) != LUA_TTABLE && !hone__test_view(L, index))
        luaL_error(L, "%s: a list is expected, not a %s", a->name, luaL_typename(L, index));
    *n = (size_t)luaL_len(L, index);
    if (!hone_mul_size(*n, size, &bytes))
        luaL_error(L, "%s: too many elements", a->name);
    char *p = hone__arena_need(L, arena, *n, size);
    for (size_t i = 0; i < *n; i++) {
        lua_geti(L, index, (lua_Integer)i + 1);
        hone__read_elem(L, lua_gettop(L), arena, a->base, a->of, p + i * size, a->name);
        lua_pop(L, 1);
    }
    return p;
}

static void set_count(lua_State *L, const hone_sig *sig, int which, union value *v, int *known,
                      size_t n, const char *name)
{
    size_t have = sig->args[which].base == HONE_T_U32 ? (size_t)(uint32_t)v[which].i32
                                                      : (size_t)v[which].u64;
    if (known[which] && have != n)
        luaL_error(L, "%s has %I elements, another list has %I", name, (LUAI_UACINT)n,
                   (LUAI_UACINT)have);
    v[which].u64 = n; /* little-endian or not, a u32 is read as one below */
    if (sig->args[which].base == HONE_T_U32)
        v[which].i32 = (int32_t)n;
    known[which] = 1;
}

/* Pushes what came back; returns how many values. */
static int push_results(lua_State *L, const struct call *c, union value *v, const union value *ret,
                        struct collector **sinks)
{
    const hone_sig *sig = &c->s->sig;
    int n = 0;
    if (sig->result != HONE_A_VOID && sig->result != HONE_A_STATUS) {
        hone__push_elem(L, c->frame, sig->result, NULL, ret);
        n++;
    }
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if (a->base == HONE_A_SINK && sinks[i]) {
            lua_pushvalue(L, sinks[i]->table);
            n++;
            continue;
        }
        if (a->dir != HONE_DIR_OUT && a->dir != HONE_DIR_INOUT)
            continue;
        if (a->array) {
            size_t count = a->fixed;
            if (a->count >= 0)
                count = sig->args[a->count].base == HONE_T_U32 ? (uint32_t)v[a->count].i32
                                                               : (size_t)v[a->count].u64;
            if (a->base == HONE_T_CHAR) {
                lua_pushlstring(L, v[i].p, strnlen(v[i].p, count));
            } else if (a->base == HONE_T_U8) {
                lua_pushlstring(L, v[i].p, count);
            } else {
                size_t size = hone_sig_elem_size(a);
                hone_lua_new_list(L, count);
                for (size_t k = 0; k < count; k++) {
                    if (a->base == HONE_T_STRUCT)
                        hone__push_copy(L, c->frame, a->of, (char *)v[i].p + k * size);
                    else
                        hone__push_elem(L, c->frame, a->base, a->of, (char *)v[i].p + k * size);
                    lua_rawseti(L, -2, (lua_Integer)k + 1);
                }
            }
        } else if (a->base == HONE_T_STRUCT) {
            hone__push_copy(L, c->frame, a->of, v[i].p);
            if (sinks[i]) { /* what its callbacks were given comes behind it */
                lua_pushvalue(L, sinks[i]->table);
                n++;
            }
        } else {
            hone__push_elem(L, c->frame, a->base, a->of, v[i].p);
        }
        n++;
    }
    if (n == 0 && sig->result == HONE_A_STATUS) {
        lua_pushinteger(L, ret->i32);
        n = 1;
    }
    return n;
}

/* What the callee may write in structs it was given: into the tables they came from. */
static void give_back(lua_State *L, int index, const hone_sig_arg *a, const union value *v,
                      const char *base)
{
    if (!a->array) {
        hone__copy_back(L, index, a->of, base);
        return;
    }
    size_t n = a->count >= 0 ? (size_t)v[a->count].u64 : a->fixed;
    for (size_t k = 0; lua_type(L, index) == LUA_TTABLE && k < n; k++) {
        lua_geti(L, index, (lua_Integer)k + 1);
        hone__copy_back(L, -1, a->of, base + k * a->of->size);
        lua_pop(L, 1);
    }
}

/* Reads the arguments of c from the stack, calls, pushes the results. */
static int perform(lua_State *L, struct call *c)
{
    const hone_sig *sig = &c->s->sig;
    hone__ffi *f = hone_lua_of(L)->ffi;
    hone_arena *arena = c->frame >= 0 ? &f->frames[c->frame].arena : NULL;
    union value v[HONE_SIG_MAX], ret;
    void *args[HONE_SIG_MAX];
    struct collector *sinks[HONE_SIG_MAX];
    int known[HONE_SIG_MAX], from_list[HONE_SIG_MAX], places[HONE_SIG_MAX], next = c->first,
                                                                            top = lua_gettop(L);
    hone_call call = {.struct_size = sizeof call, .id = atomic_fetch_add(&call_ids, 1)};
    memset(v, 0, sig->n * sizeof *v);
    memset(&ret, 0, sizeof ret);
    memset(sinks, 0, sig->n * sizeof *sinks);
    memset(known, 0, sig->n * sizeof *known);
    memset(from_list, 0, sig->n * sizeof *from_list);
    memset(places, 0,
           sizeof places); /* where on the stack a struct, or a list of them, was given */
    luaL_checkstack(L, 2 * HONE_SIG_MAX + 8, "too many arguments");
    if (top < c->first + sig->n)
        lua_settop(L, c->first + sig->n); /* missing arguments are nil */
    /* a list that counts makes its count; a count without a list in is given */
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if (a->array && a->dir != HONE_DIR_OUT && a->count >= 0)
            from_list[a->count] = 1;
    }
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        args[i] = &v[i];
        switch (a->base) {
        case HONE_A_SELF:
        case HONE_A_THIS:
            v[i].p = c->self;
            continue;
        case HONE_A_CALL:
            v[i].p = &call;
            continue;
        case HONE_A_CTX:
            v[i].p = f->ctx;
            if (!f->ctx)
                luaL_error(L, "%s: can be called inside forward only", c->s->slot->name);
            continue;
        case HONE_A_CONFIG:
        case HONE_A_STREAM:
            luaL_error(L, "%s: cannot be called from Lua (%s)", c->s->slot->name, a->name);
            continue;
        default:
            break;
        }
        if (a->role == HONE_ROLE_STRIDE || (a->role == HONE_ROLE_COUNT && from_list[i]))
            continue;
        if (a->base == HONE_A_SINK) {
            hone__view *view = hone__test_view(L, next);
            if (view && view->desc == a->of) {
                v[i].p = hone__check_view(L, next++)->base;
            } else {
                v[i].p = make_sink(L, arena, a->of, c->frame, &sinks[i]);
            }
            continue;
        }
        if (a->dir == HONE_DIR_OUT)
            continue;
        int index = next++;
        places[i] = a->dir == HONE_DIR_BY ? 0 : index;
        if (a->array) {
            size_t n;
            v[i].p = read_list(L, index, arena, a, &n);
            if (!v[i].p && a->nullable) {
                ; /* left out: another list says how many there are */
            } else if (a->count >= 0) {
                set_count(L, sig, a->count, v, known, n, a->name);
            } else if (n != a->fixed) {
                luaL_error(L, "%s: %I elements expected, got %I", a->name, (LUAI_UACINT)a->fixed,
                           (LUAI_UACINT)n);
            }
            if (a->stride >= 0)
                v[a->stride].u64 = hone_sig_elem_size(a);
        } else if (a->base == HONE_T_STRUCT && a->dir == HONE_DIR_BY) {
            if (a->of->size > sizeof v[i])
                luaL_error(L, "%s: too large to go by value", a->name);
            hone__read_struct(L, index, arena, a->of, &v[i], a->name);
        } else if (a->base == HONE_T_STRUCT) {
            v[i].p = fresh_struct(L, arena, a->of);
            if (!(a->nullable && lua_isnil(L, index)))
                hone__read_struct(L, index, arena, a->of, v[i].p, a->name);
            else
                v[i].p = NULL;
            if (v[i].p && has_callbacks(a))
                sinks[i] = collect(L, arena, a->of, c->frame, v[i].p);
        } else if (a->base == HONE_T_VALUE) {
            v[i].p = hone__arena_need(L, arena, 1, sizeof(hone_value));
            hone__read_elem(L, index, arena, HONE_T_VALUE, NULL, v[i].p, a->name);
        } else if (a->dir == HONE_DIR_INOUT) {
            v[i].p = hone__arena_need(L, arena, 1, 16);
            hone__read_elem(L, index, arena, a->base, NULL, v[i].p, a->name);
        } else {
            hone__read_elem(L, index, NULL, a->base, NULL, &v[i],
                            a->name); /* texts stay on the stack */
            if (a->role == HONE_ROLE_COUNT)
                known[i] = 1;
        }
    }
    for (size_t i = 0; i < sig->n; i++) { /* all counts are known: room for what comes back */
        const hone_sig_arg *a = &sig->args[i];
        if (a->dir != HONE_DIR_OUT)
            continue;
        if (a->array) {
            size_t n = a->fixed;
            if (a->count >= 0)
                n = sig->args[a->count].base == HONE_T_U32 ? (uint32_t)v[a->count].i32
                                                           : (size_t)v[a->count].u64;
            v[i].p = hone__arena_need(L, arena, n, hone_sig_elem_size(a));
            if (a->stride >= 0)
                v[a->stride].u64 = hone_sig_elem_size(a);
        } else {
            v[i].p = a->base == HONE_T_STRUCT ? fresh_struct(L, arena, a->of)
                                              : hone__arena_need(L, arena, 1, 16);
        }
    }
    call.n = 0;
    for (size_t i = 0; i < sig->n; i++)
        if (sig->args[i].role == HONE_ROLE_COUNT && !call.n)
            call.n = (uint32_t)v[i].u64;
    /* What a judge says it is, is no opinion on anything. */
    const int says = strcmp(c->s->slot->name, "spec") == 0 &&
                     c->s->table == hone_desc_builtin(HONE_IFACE_JUDGE)->table;
    const uint32_t watching = says ? hone_trail_watch(1) : 0;
    if (c->inst && !hone_instance_try_enter(c->inst)) {
        if (says)
            hone_trail_watch(watching);
        hone_fail(HONE_E_STATE, "%s: a call is in it already", hone_instance_id(c->inst));
        hone_fail_hint("it is not REENTRANT: wait for that call to return");
        return hone_lua_raise(L);
    }
    if (c->inst)
        hone_instance_addref(c->inst); /* a callback may close the handle */
    hone_error_clear();
    ffi_call(&c->s->cif, c->fn, &ret, args);
    if (says)
        hone_trail_watch(watching);
    hone_status status = sig->result == HONE_A_STATUS ? ret.i32 : HONE_OK;
    if (c->inst) {
        status = hone_instance_leave(c->inst, c->s->slot->name, status);
        hone_instance_unref(c->inst);
    } else if (status < 0 && hone_error_get()->code == HONE_OK)
        hone_fail(status, "%s failed (%s)", c->s->slot->name, hone_status_text(status));
    if ((sig->result == HONE_A_TENSOR || sig->result == HONE_A_PARAM) && ret.i32 < 0 && !c->inst)
        status =
            hone_error_get()->code; /* an op that was refused: said where the script called it */
    for (size_t i = 0; i < sig->n; i++)
        if (sinks[i] && sinks[i]->failed)
            status = hone_error_set(&sinks[i]->error);
    hone_lua_check(L, status);
    for (size_t i = 0; i < sig->n; i++)
        if (places[i] && sig->args[i].base == HONE_T_STRUCT && v[i].p)
            give_back(L, places[i], &sig->args[i], v, v[i].p);
    return push_results(L, c, v, &ret, sinks);
}

static int protected_call(lua_State *L)
{
    struct call *c = lua_touserdata(L, 1);
    lua_remove(L, 1);
    return perform(L, c);
}

int hone__call_slot(lua_State *L, hone__slot *s, void (*fn)(void), void *self, int first,
                    hone_instance *inst)
{
    struct call c = {.s = s, .fn = fn, .self = self, .inst = inst, .first = first, .frame = -1};
    hone_lua *l = hone_lua_of(L);
    if (!s->needs_arena)
        return perform(L, &c);
    c.frame = hone__frame_push(l);
    if (c.frame < 0)
        return hone_lua_raise(L);
    int n = lua_gettop(L);
    lua_pushcfunction(L, protected_call);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, &c);
    lua_insert(L, 2);
    int rc = lua_pcall(L, n + 1, LUA_MULTRET, 0);
    hone__frame_pop(l, c.frame);
    if (rc != LUA_OK)
        return lua_error(L);
    return lua_gettop(L);
}

/* ---- handles ----------------------------------------------------------------------------------- */

struct handle {
    uint64_t magic;
    hone_instance *inst; /* NULL: closed */
    const hone_iface_desc *desc;
    void *self;
    const void *vt;
};

static int handle_gc(lua_State *L)
{
    struct handle *h = lua_touserdata(L, 1);
    hone_instance_unref(h->inst);
    h->inst = NULL;
    return 0;
}

/* The handle at index 1, or NULL. */
static struct handle *to_handle(lua_State *L)
{
    struct handle *h = lua_type(L, 1) == LUA_TUSERDATA && lua_rawlen(L, 1) == sizeof *h
                           ? lua_touserdata(L, 1)
                           : NULL;
    return h && h->magic == HANDLE_MAGIC ? h : NULL;
}

static int handle_call(lua_State *L)
{
    hone__slot *s = lua_touserdata(L, lua_upvalueindex(1));
    const hone_iface_desc *desc = lua_touserdata(L, lua_upvalueindex(2));
    struct handle *h = to_handle(L);
    if (!h || h->desc != desc)
        return luaL_error(L, "%s: call it with a colon, on what offers %s", s->slot->name,
                          desc->id);
    if (!h->inst)
        return luaL_error(L, "%s: the component is closed", s->slot->name);
    uint32_t size;
    void (*fn)(void) = NULL;
    memcpy(&size, h->vt, sizeof size);
    if (size >= s->slot->offset + sizeof fn)
        memcpy(&fn, (const char *)h->vt + s->slot->offset, sizeof fn);
    if (!fn)
        return luaL_error(L, "%s does not offer the optional call %s", hone_instance_id(h->inst),
                          s->slot->name);
    return hone__call_slot(L, s, fn, h->self, 2, h->inst);
}

static int handle_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
        const hone_iface_desc *desc = lua_touserdata(L, lua_upvalueindex(2));
        const char *given = luaL_tolstring(L, 2, NULL), *names[64] = {NULL};
        for (size_t i = 0; desc->table->slots[i] && i + 1 < sizeof names / sizeof *names; i++)
            names[i] = desc->table->slots[i]->name;
        const char *close = hone_closest(given, names);
        return close ? luaL_error(L, "%s has no call \"%s\" (did you mean \"%s\"?)", desc->id,
                                  given, close)
                     : luaL_error(L, "%s has no call \"%s\"", desc->id, given);
    }
    return 1;
}

static int handle_close(lua_State *L)
{
    struct handle *h = to_handle(L);
    if (!h)
        return luaL_error(L, "close: a component is expected");
    return handle_gc(L);
}

static void push_handle_type(lua_State *L, const hone_iface_desc *d)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, HANDLE_TYPE);
    if (lua_rawgetp(L, -1, d) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    for (size_t i = 0; d->table->slots[i]; i++) {
        lua_pushlightuserdata(L, hone__ffi_slot(L, d->table->slots[i], d->table, d->structs));
        lua_pushlightuserdata(L, (void *)(uintptr_t)d);
        lua_pushcclosure(L, handle_call, 2);
        lua_setfield(L, -2, d->table->slots[i]->name);
    }
    lua_pushcfunction(L, handle_close);
    lua_setfield(L, -2, "close");
    lua_pushlightuserdata(L, (void *)(uintptr_t)d);
    lua_pushcclosure(L, handle_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, handle_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, d);
    lua_remove(L, -2);
}

struct push {
    hone_instance *inst;
    const hone_iface_desc *desc;
    hone_ref ref;
};

static int push_handle(lua_State *L)
{
    const struct push *p = lua_touserdata(L, 1);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    h->magic = HANDLE_MAGIC;
    h->desc = p->desc;
    h->self = p->ref.self;
    h->vt = p->ref.vt;
    push_handle_type(L, p->desc);
    lua_setmetatable(L, -2);
    h->inst = hone_instance_addref(p->inst);
    return 1;
}

hone_status hone_lua_push_iface(lua_State *L, hone_instance *inst, const char *iface_id)
{
    hone_lua *l = hone_lua_of(L);
    struct push p = {.inst = inst};
    HONE_TRY(hone_instance_ref(inst, iface_id, &p.ref));
    p.desc = l->opts.registry ? hone_registry_iface(l->opts.registry, iface_id)
                              : hone_desc_builtin(iface_id);
    if (!p.desc) {
        hone_fail(HONE_E_NOT_FOUND, "nobody has described the interface %s", iface_id);
        return hone_fail_hint("the plugin that offers it lists its description in entry.ifaces");
    }
    if (!hone__ffi_of(l))
        return HONE_E_NOMEM;
    lua_pushcfunction(L, push_handle);
    lua_pushlightuserdata(L, &p);
    return hone_lua_pcall(L, 1, 1);
}

void hone_lua_ffi_close(hone_lua *l)
{
    hone__ffi *f = l->ffi;
    if (!f)
        return;
    for (int i = 0; i < HONE_FRAMES; i++)
        hone_arena_release(&f->frames[i].arena);
    hone_free(f->slots);
    hone_free(f);
    l->ffi = NULL;
}
