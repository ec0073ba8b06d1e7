/* component.c - a Lua table as a hone_component. See component.h.
 *
 * Key idea: the vtable that C sees is filled with libffi closures, one per function of the table; a closure
 * packs its C arguments into a job for the control thread, where they are pushed as views, the function is
 * called under a guard, and what it returned is written to the `out` arguments. Kinds whose C form would
 * be clumsy in Lua have an adapter: rewards return plain numbers, objectives a loss and gradients, sources
 * hand rows (component_source.c), models take (store, config).
 *
 * Invariants: no Lua error passes a C frame; a component lives as long as its state; closures do too.
 * Source: plugin-abi.md section 8. */
#include "hone/hone.h"

#include "lua/component_private.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#include <math.h>
#include <string.h>

static const char abstain_key;

enum { PLAIN, REWARD, OBJECTIVE, ADVANTAGE, DECLARE };

void hone_lua_push_abstain(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&abstain_key);
}

hone_status hone_lua_component_probe(void)
{
    static int state; /* 0 unknown, 1 yes, -1 no [control-thread] */
    if (!state) {
        void *code = NULL;
        ffi_closure *c = ffi_closure_alloc(sizeof *c, &code);
        state = c && code ? 1 : -1;
        if (c)
            ffi_closure_free(c);
    }
    if (state > 0)
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED,
              "components cannot be written in Lua here: this machine refuses executable pages");
    return hone_fail_hint(
        "write the component in C, or allow the program executable memory (SELinux: execmem)");
}

/* ---- running on the control thread ------------------------------------------------------------- */

struct job {
    hone__lua_component *lc;
    hone__lua_body body;
    void *arg;
    uint64_t deadline;
    int frame;
};

static int protected_body(lua_State *L)
{
    struct job *j = lua_touserdata(L, 1);
    lua_settop(L, 0);
    j->body(j->arg, L, j->frame);
    return 0;
}

static hone_status on_control(void *arg, lua_State *L)
{
    struct job *j = arg;
    j->frame = hone__frame_push(j->lc->l);
    if (j->frame < 0)
        return hone_error_get()->code;
    if (!lua_checkstack(L, 8)) {
        hone__frame_pop(j->lc->l, j->frame);
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    }
    hone_lua_random outer = hone_lua_random_get(j->lc->l);
    hone_lua_guard_enter(L, j->deadline);
    lua_pushcfunction(L, protected_body);
    lua_pushlightuserdata(L, j);
    hone_status s = hone_lua_pcall(L, 1, 0);
    hone_status guard = hone_lua_guard_leave(L);
    hone_lua_random_set(j->lc->l, &outer);
    hone__frame_pop(j->lc->l, j->frame);
    return guard < 0 ? guard : s;
}

/* What a function of each kind is given and gives back: the likeliest thing to be mistaken in. */
static const char *hint_of(const char *kind)
{
    static const struct {
        const char *kind, *hint;
    } hints[] = {
        {HONE_KIND_REWARD,
         "a reward gets a list of samples (prompt, completion, tokens, columns.NAME, ...) and "
         "returns a number for each"},
        {HONE_KIND_OBJECTIVE,
         "an objective or advantage gets one table of numbers by token and returns numbers"},
        {HONE_KIND_SOURCE,
         "a source returns one row, a table with named columns, or nil at the end"},
        {HONE_KIND_MODEL,
         "declare(store, config) names parameters and calls store:info once; forward(g) "
         "returns the hidden state, a row a token"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].kind, kind) == 0)
            return hints[i].hint;
    return NULL;
}

hone_status hone__lua_enter(hone__lua_component *lc, const hone_host *host, hone__lua_body body,
                            void *arg, uint64_t deadline_ns, const char *what)
{
    struct job j = {.lc = lc, .body = body, .arg = arg, .deadline = deadline_ns};
    hone_status s = hone_lua_call_on_control(lc->l, on_control, &j, deadline_ns);
    if (s >= 0)
        return s;
    hone_error e =
        *hone_error_get(); /* fail keeps the text only: put the traceback and hint back */
    (host->fail)(host, s, hone_str_c(e.what));
    if (e.detail[0])
        hone_fail_detail("in %s: %s", what, e.detail);
    else
        hone_fail_detail("in %s", what);
    if (e.hint[0])
        hone_fail_hint("%s", e.hint);
    else if (s == HONE_E_SCRIPT && hint_of(lc->c.kind))
        hone_fail_hint("%s", hint_of(lc->c.kind));
    return s;
}

/* ---- C arguments to Lua ------------------------------------------------------------------------ */

struct invocation {
    hone__lua_impl *impl;
    hone__lua_instance *self;
    void **args;
    void *ret;
};

static size_t count_of(const hone_sig *sig, const hone_sig_arg *a, void **args)
{
    if (a->count < 0)
        return a->fixed;
    const void *p = args[a->count];
    return sig->args[a->count].base == HONE_T_U32 ? *(const uint32_t *)p
                                                  : (size_t) * (const uint64_t *)p;
}

static size_t stride_of(const hone_sig_arg *a, void **args)
{
    return a->stride >= 0 ? (size_t) * (const uint64_t *)args[a->stride] : hone_sig_elem_size(a);
}

/* The array view of the last call, when nobody uses it any more: its samples are pooled with it. */
static hone__view *push_batch(lua_State *L, int frame, hone__lua_impl *impl, const hone_sig_arg *a,
                              const void *base, size_t n, size_t stride)
{
    hone__ffi *f = impl->lc->l->ffi;
    if (impl->batch != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, impl->batch);
        hone__view *v = lua_touserdata(L, -1);
        if (f->frames[v->frame].id != v->frame_id) {
            v->frame = (uint32_t)frame;
            v->frame_id = f->frames[frame].id;
            v->base = (char *)(uintptr_t)base;
            v->n = base ? n : 0;
            v->stride = stride;
            v->extra = NULL;
            return v;
        }
        lua_pop(L, 1);
        return hone__push_array(L, frame, a->base, a->of, base, n, stride, 0);
    }
    hone__view *v = hone__push_array(L, frame, a->base, a->of, base, n, stride, 0);
    lua_pushvalue(L, -1);
    impl->batch = luaL_ref(L, LUA_REGISTRYINDEX);
    return v;
}

/* Pushes argument i for the function; returns 1, or 0 when it is not the function's business. */
static int push_argument(lua_State *L, int frame, const struct invocation *inv, size_t i)
{
    const hone_sig *sig = &inv->impl->slot->sig;
    const hone_sig_arg *a = &sig->args[i];
    if (a->base == HONE_A_SELF || a->base == HONE_A_CALL || a->role || a->dir == HONE_DIR_OUT)
        return 0;
    if (a->array) {
        const void *base = *(void **)inv->args[i];
        size_t n = count_of(sig, a, inv->args);
        if (a->base == HONE_T_U8 || a->base == HONE_T_CHAR)
            lua_pushlstring(L, base ? base : "", base ? n : 0);
        else if (a->base == HONE_T_STRUCT)
            push_batch(L, frame, inv->impl, a, base, n, stride_of(a, inv->args));
        else
            hone__push_array(L, frame, a->base, NULL, base, n, stride_of(a, inv->args), 0);
        return 1;
    }
    switch (a->base) {
    case HONE_A_SINK: {
        const void *object = *(void **)inv->args[i];
        if (object)
            hone__push_view(L, frame, a->of, object, 0);
        else
            lua_pushnil(L);
        return 1;
    }
    case HONE_A_CTX:
        inv->impl->lc->l->ffi
            ? (void)(((hone__ffi *)inv->impl->lc->l->ffi)->ctx = *(void **)inv->args[i])
            : (void)0;
        return 0;
    case HONE_T_STRUCT: {
        const void *p = a->dir == HONE_DIR_BY ? inv->args[i] : *(void **)inv->args[i];
        hone__push_view(L, frame, a->of, p, a->dir == HONE_DIR_INOUT);
        return 1;
    }
    case HONE_T_VALUE: {
        const hone_value *v = *(hone_value **)inv->args[i];
        if (v)
            hone_lua_push_value(L, v);
        else
            lua_pushnil(L);
        return 1;
    }
    case HONE_A_CONFIG:
    case HONE_A_STREAM:
        luaL_error(L, "%s: %s cannot be given to Lua", inv->impl->slot->slot->name, a->name);
        return 0;
    default:
        hone__push_elem(L, frame, a->base, NULL, inv->args[i]);
        return 1;
    }
}

/* ---- Lua results to C -------------------------------------------------------------------------- */

/* A reward's list: numbers are scores, hone.abstain abstains, nil and false are errors, so is what is not finite. */
static void write_outcomes(lua_State *L, int index, const struct invocation *inv, size_t i)
{
    const hone_sig_arg *a = &inv->impl->slot->sig.args[i];
    hone_outcome *out = *(hone_outcome **)inv->args[i];
    size_t n = count_of(&inv->impl->slot->sig, a, inv->args), stride = stride_of(a, inv->args);
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "%s must return a list with one number a sample, not a %s",
                   inv->impl->slot->slot->name, luaL_typename(L, index));
    for (size_t k = 0; k < n; k++) {
        uint32_t status = HONE_ERROR;
        float score = 0;
        int type = lua_rawgeti(L, index, (lua_Integer)k + 1);
        if (type == LUA_TNUMBER) {
            double x = lua_tonumber(L, -1);
            if (isfinite(x) && fabs(x) <= 3.4028234663852886e38) {
                status = HONE_SCORE;
                score = (float)x;
            }
        } else if (type == LUA_TBOOLEAN && lua_toboolean(L, -1)) {
            status = HONE_SCORE;
            score = 1;
        } else if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &abstain_key) {
            status = HONE_ABSTAIN;
        } else if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
            luaL_error(L, "%s: result %I is a %s: a number, hone.abstain or nil is expected",
                       inv->impl->slot->slot->name, (LUAI_UACINT)(k + 1), luaL_typename(L, -1));
        }
        lua_pop(L, 1);
        hone_outcome_set(out, stride, k, status, score);
    }
}

static void write_out(lua_State *L, int index, int frame, const struct invocation *inv, size_t i)
{
    const hone_sig *sig = &inv->impl->slot->sig;
    const hone_sig_arg *a = &sig->args[i];
    hone_arena *arena = &((hone__ffi *)inv->impl->lc->l->ffi)->frames[frame].arena;
    char *p = *(char **)inv->args[i];
    if (!p)
        return;
    if (!a->array) {
        hone__read_elem(L, index, arena, a->base, a->of, p, a->name);
        return;
    }
    size_t n = count_of(sig, a, inv->args), stride = stride_of(a, inv->args);
    if (a->base == HONE_T_U8 || a->base == HONE_T_CHAR) {
        size_t len;
        const char *s = luaL_checklstring(L, index, &len);
        memset(p, 0, n);
        memcpy(p, s, len < n ? len : n);
        return;
    }
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "%s: a list is expected for %s", inv->impl->slot->slot->name, a->name);
    if (lua_rawlen(L, index) != n)
        luaL_error(L, "%s: %s needs %I elements, got %I", inv->impl->slot->slot->name, a->name,
                   (LUAI_UACINT)n, (LUAI_UACINT)lua_rawlen(L, index));
    for (size_t k = 0; k < n; k++) {
        lua_rawgeti(L, index, (lua_Integer)k + 1);
        hone__read_elem(L, lua_gettop(L), arena, a->base, a->of, p + k * stride, a->name);
        lua_pop(L, 1);
    }
}

static void write_result(lua_State *L, int index, const struct invocation *inv)
{
    uint8_t base = inv->impl->slot->sig.result;
    if (base == HONE_T_STR) { /* borrowed until the next call: the state holds the string */
        hone_str s;
        s.ptr = luaL_checklstring(L, index, &s.len);
        lua_pushvalue(L, index);
        int ref = luaL_ref(L, LUA_REGISTRYINDEX);
        luaL_unref(L, LUA_REGISTRYINDEX, inv->impl->text);
        inv->impl->text = ref;
        memcpy(inv->ret, &s, sizeof s);
        return;
    }
    union {
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        float f32;
        double f64;
    } u;
    hone__read_elem(L, index, NULL, base, NULL, &u, "result");
    /* libffi wants small integers as wide as a register */
    switch (base) {
    case HONE_T_U32:
        *(ffi_arg *)inv->ret = u.u32;
        break;
    case HONE_T_I64:
    case HONE_T_U64:
        memcpy(inv->ret, &u.i64, sizeof u.i64);
        break;
    case HONE_T_F32:
        memcpy(inv->ret, &u.f32, sizeof u.f32);
        break;
    case HONE_T_F64:
        memcpy(inv->ret, &u.f64, sizeof u.f64);
        break;
    default:
        *(ffi_sarg *)inv->ret = u.i32;
        break;
    }
}

/* `n` numbers of a list (or of an array view) at index into p. */
static void write_numbers(lua_State *L, int index, double *p, size_t n, const char *what)
{
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE && !hone__test_view(L, index))
        luaL_error(L, "%s: a list of %I numbers is expected", what, (LUAI_UACINT)n);
    if ((size_t)luaL_len(L, index) != n)
        luaL_error(L, "%s: %I numbers are expected, got %I", what, (LUAI_UACINT)n,
                   luaL_len(L, index));
    for (size_t i = 0; i < n; i++) {
        lua_geti(L, index, (lua_Integer)i + 1);
        hone__read_elem(L, lua_gettop(L), NULL, HONE_T_F64, NULL, &p[i], what);
        lua_pop(L, 1);
    }
}

/* loss(b [, out]) -> loss [, gradient [, metrics]]: the gradient is a list for logp, or { logp =, entropy =, value = };
 * metrics are name -> number. A function that wrote to `out` itself may return nothing. */
static void write_objective(lua_State *L, const struct invocation *inv)
{
    const hone_objective_in *in = *(hone_objective_in **)inv->args[1];
    hone_objective_out *out = *(hone_objective_out **)inv->args[2];
    lua_settop(L, 3);
    if (lua_isnil(L, 1))
        return;
    hone__read_elem(L, 1, NULL, HONE_T_F64, NULL, &out->loss, "loss");
    if (lua_type(L, 2) == LUA_TTABLE && lua_rawlen(L, 2) == 0 && in->n_tokens) {
        const struct {
            const char *key;
            double *p;
        } parts[] = {
            {"logp", out->grad_logp}, {"entropy", out->grad_entropy}, {"value", out->grad_value}};
        for (int i = 0; i < 3; i++) {
            if (lua_getfield(L, 2, parts[i].key) != LUA_TNIL) {
                if (!parts[i].p)
                    luaL_error(L, "gradient.%s: is not wanted here (see uses)", parts[i].key);
                write_numbers(L, -1, parts[i].p, in->n_tokens, parts[i].key);
            }
            lua_pop(L, 1);
        }
    } else if (!lua_isnil(L, 2)) {
        write_numbers(L, 2, out->grad_logp, in->n_tokens, "gradient");
    }
    if (lua_isnil(L, 3))
        return;
    luaL_checktype(L, 3, LUA_TTABLE);
    hone_value metrics;
    hone_arena arena;
    hone_arena_init(&arena, 1 << 20); /* sorted: metrics come in the same order every time */
    hone_status s = hone_lua_to_value(L, 3, &arena, &metrics);
    for (size_t i = 0; s >= 0 && metrics.type == HONE_MAP && i < metrics.u.map.n && out->metric;
         i++) {
        const hone_pair *p = &metrics.u.map.pairs[i];
        double x = p->value.type == HONE_F64   ? p->value.u.f64
                   : p->value.type == HONE_I64 ? (double)p->value.u.i64
                                               : (double)NAN;
        char *name = hone_arena_strndup(&arena, p->key.ptr, p->key.len);
        if (name)
            out->metric(out, name, HONE_METRIC_MEAN, x,
                        in->total_tokens > 0 ? (double)in->n_tokens : 1);
    }
    hone_arena_release(&arena);
    hone_lua_check(L, s);
}

/* compute(b [, out]) -> list: one number a sequence, or one a token. */
static void write_advantage(lua_State *L, const struct invocation *inv)
{
    const hone_advantage_in *in = *(hone_advantage_in **)inv->args[1];
    hone_advantage_out *out = *(hone_advantage_out **)inv->args[2];
    lua_settop(L, 1);
    if (lua_isnil(L, 1))
        return;
    if (lua_type(L, 1) == LUA_TTABLE && out->token && in->n_tokens != in->n_seqs &&
        lua_rawlen(L, 1) == in->n_tokens) {
        write_numbers(L, 1, out->token, in->n_tokens, "advantage");
        out->per_token = 1;
    } else {
        write_numbers(L, 1, out->seq, in->n_seqs, "advantage");
    }
}

static void keep_config(lua_State *L, const struct invocation *inv)
{
    const hone_value *config = *(hone_value **)inv->args[2];
    hone_buf b;
    hone_jw w;
    if (!config)
        return;
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 2);
    hone_jw_value(&w, config);
    char *text = hone_buf_detach(&b, NULL);
    hone_buf_release(&b);
    if (!text)
        hone_lua_raise(L);
    hone_free(inv->self->config_json);
    inv->self->config_json = text;
}

static void invoke(void *arg, lua_State *L, int frame)
{
    const struct invocation *inv = arg;
    const hone_sig *sig = &inv->impl->slot->sig;
    hone__ffi *f = inv->impl->lc->l->ffi;
    void *outer_ctx = f->ctx;
    int nargs = 0, batch = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, inv->impl->fn);
    if (inv->impl->adapter == DECLARE) { /* declare(store, config, format) */
        keep_config(L, inv);
        nargs = push_argument(L, frame, inv, 3) + push_argument(L, frame, inv, 2) +
                push_argument(L, frame, inv, 1);
    } else {
        for (size_t i = 0; i < sig->n; i++) {
            if (inv->impl->adapter == REWARD && sig->args[i].base == HONE_A_SINK) {
                hone__view *v = lua_touserdata(L, batch);
                v->extra = *(void **)inv->args[i]; /* batch:note(...) */
                continue;
            }
            if (push_argument(L, frame, inv, i)) {
                nargs++;
                if (!batch)
                    batch = lua_gettop(L);
            }
        }
    }
    if (batch && strcmp(inv->impl->lc->iface->id, HONE_IFACE_REWARD) == 0) {
        /* outcomes are journalled, so a resumed run may skip the call: it must not move another stream */
        const hone__view *v = lua_touserdata(L, batch);
        const hone_sample *first = v && v->n ? (const void *)v->base : NULL;
        hone_lua_random_enter(inv->impl->lc->l, inv->impl->lc->c.id, inv->impl->lc->l->run_step,
                              first ? first->id : 0);
    }
    lua_call(L, nargs, LUA_MULTRET);
    f->ctx = outer_ctx;
    if (inv->impl->adapter == OBJECTIVE) {
        write_objective(L, inv);
        return;
    }
    if (inv->impl->adapter == ADVANTAGE) {
        write_advantage(L, inv);
        return;
    }
    lua_settop(L, HONE_SIG_MAX + 1); /* what is missing is nil */
    int next = 1;
    if (sig->result != HONE_A_STATUS && sig->result != HONE_A_VOID)
        write_result(L, next++, inv);
    for (size_t i = 0; i < sig->n; i++) {
        if (sig->args[i].dir != HONE_DIR_OUT)
            continue;
        if (inv->impl->adapter == REWARD)
            write_outcomes(L, next++, inv, i);
        else
            write_out(L, next++, frame, inv, i);
    }
}

/* What C calls. [any-thread] */
static void closure_called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    hone__lua_impl *impl = ud;
    struct invocation inv = {.impl = impl, .self = *(void **)args[0], .args = args, .ret = ret};
    const hone_sig *sig = &impl->slot->sig;
    uint64_t deadline = 0;
    if (cif->rtype->size)
        memset(ret, 0, cif->rtype->size < sizeof(ffi_arg) ? sizeof(ffi_arg) : cif->rtype->size);
    for (size_t i = 0; i < sig->n; i++)
        if (sig->args[i].base == HONE_A_CALL && *(const hone_call **)args[i])
            deadline = (*(const hone_call **)args[i])->deadline_ns;
    hone_status s = hone__lua_enter(impl->lc, inv.self->host, invoke, &inv, deadline,
                                    impl->slot->slot->name);
    if (s >= 0)
        return;
    if (sig->result == HONE_A_STATUS) {
        *(ffi_sarg *)ret = s;
        return;
    }
    const hone_error *e = hone_error_get();
    if (sig->result != HONE_A_TENSOR && sig->result != HONE_A_PARAM) /* those say that it failed */
        hone_log(HONE_LOG_ERROR, impl->lc->c.id, "%s (%s)", e->what, e->detail);
    memset(ret, 0, cif->rtype->size);
    if (sig->result == HONE_A_TENSOR || sig->result == HONE_A_PARAM)
        *(ffi_sarg *)ret = -1;
}

/* ---- instances --------------------------------------------------------------------------------- */

static void create_called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    hone__lua_component *lc = ud;
    const hone_host *host = *(const hone_host **)args[0];
    void **self_out = *(void ***)args[2];
    (void)cif;
    hone__lua_instance *self = hone_calloc(1, sizeof *self);
    if (!self) {
        *(ffi_sarg *)ret = (host->fail)(host, HONE_E_NOMEM, hone_str_c("out of memory"));
        return;
    }
    self->host = host;
    self->lc = lc;
    *self_out = self;
    *(ffi_sarg *)ret = HONE_OK;
}

static void destroy(void *p)
{
    hone__lua_instance *self = p;
    hone_free(self->config_json);
    hone_free(self);
}

static const void *get_iface(void *p, const char *id)
{
    const hone__lua_instance *self = p;
    return strcmp(id, self->lc->iface->id) == 0 ? self->lc->vt : NULL;
}

/* ---- what a table may leave out ---------------------------------------------------------------- */

static uint32_t default_uses(void *self)
{
    return ((hone__lua_instance *)self)->lc->uses;
}

static hone_str default_show(void *self)
{
    return hone_str_c(((hone__lua_instance *)self)->lc->show);
}

/* Never chosen by looking at a model: only a recipe that names it gets it. */
static int32_t default_probe(void *self, hone_str format, const hone_value *config)
{
    (void)self;
    (void)format;
    (void)config;
    return 0;
}

static hone_str default_config_json(void *self)
{
    const char *text = ((hone__lua_instance *)self)->config_json;
    return hone_str_c(text ? text : "{}");
}

static void put_default(void *vt, size_t offset, const void *fn, size_t size)
{
    static const char zero[sizeof(void *)];
    if (memcmp((char *)vt + offset, zero, size) == 0)
        memcpy((char *)vt + offset, fn, size);
}

static void fill_defaults(hone__lua_component *lc)
{
    uint32_t (*uses)(void *) = default_uses;
    hone_str (*show)(void *) = default_show, (*config_json)(void *) = default_config_json;
    int32_t (*probe)(void *, hone_str, const hone_value *) = default_probe;
    if (strcmp(lc->iface->id, HONE_IFACE_OBJECTIVE) == 0) {
        put_default(lc->vt, offsetof(hone_objective_v1, uses), &uses, sizeof uses);
        put_default(lc->vt, offsetof(hone_objective_v1, show), &show, sizeof show);
    } else if (strcmp(lc->iface->id, HONE_IFACE_ADVANTAGE) == 0) {
        put_default(lc->vt, offsetof(hone_advantage_v1, show), &show, sizeof show);
    } else if (strcmp(lc->iface->id, HONE_IFACE_MODEL) == 0) {
        put_default(lc->vt, offsetof(hone_model_v1, probe), &probe, sizeof probe);
        put_default(lc->vt, offsetof(hone_model_v1, config_json), &config_json, sizeof config_json);
    }
}

/* ---- building ---------------------------------------------------------------------------------- */

static int adapter_of(const char *iface, const char *slot)
{
    if (strcmp(iface, HONE_IFACE_REWARD) == 0 && strcmp(slot, "score_tokens") != 0)
        return REWARD;
    if (strcmp(iface, HONE_IFACE_OBJECTIVE) == 0 && strcmp(slot, "loss") == 0)
        return OBJECTIVE;
    if (strcmp(iface, HONE_IFACE_ADVANTAGE) == 0 && strcmp(slot, "compute") == 0)
        return ADVANTAGE;
    return strcmp(iface, HONE_IFACE_MODEL) == 0 && strcmp(slot, "declare") == 0 ? DECLARE : PLAIN;
}

/* The one interface that components of a kind have; a table may name another with iface = "...". */
static const hone_iface_desc *iface_of(lua_State *L, const char *kind, const char *given)
{
    hone_lua *l = hone_lua_of(L);
    const hone_iface_desc *d = NULL;
    if (given)
        d = l->opts.registry ? hone_registry_iface(l->opts.registry, given)
                             : hone_desc_builtin(given);
    else if (strcmp(kind, "advantage") == 0)
        d = hone_desc_builtin(HONE_IFACE_ADVANTAGE);
    else
        for (size_t i = 0; !d && hone_desc_builtins()[i]; i++)
            if (hone_desc_builtins()[i]->kind && strcmp(hone_desc_builtins()[i]->kind, kind) == 0)
                d = hone_desc_builtins()[i];
    for (size_t i = 0;
         !d && !given && l->opts.registry && i < hone_registry_n_plugins(l->opts.registry); i++) {
        const hone_plugin *p = hone_registry_plugin(l->opts.registry, i);
        for (size_t k = 0; !d && p->ifaces && p->ifaces[k]; k++)
            if (p->ifaces[k]->kind && strcmp(p->ifaces[k]->kind, kind) == 0)
                d = p->ifaces[k];
    }
    if (!d && given)
        luaL_error(L, "nobody has described the interface \"%s\"", given);
    if (!d)
        luaL_error(L, "there is no kind \"%s\"", kind);
    return d;
}

static const char *field_text(lua_State *L, int t, const char *key, const char *dflt)
{
    hone_lua *l = hone_lua_of(L);
    size_t n;
    if (lua_getfield(L, t, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return dflt;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s: a string is expected", key);
    const char *s = lua_tolstring(L, -1, &n);
    char *copy = hone_arena_strndup(&l->arena, s, n);
    if (!copy)
        hone_lua_raise(L);
    lua_pop(L, 1);
    return copy;
}

static uint32_t read_uses(lua_State *L, int t)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {{"old", HONE_OBJ_OLD},
                 {"ref", HONE_OBJ_REF},
                 {"sampler", HONE_OBJ_SAMPLER},
                 {"entropy", HONE_OBJ_ENTROPY},
                 {"value", HONE_OBJ_VALUE},
                 {"advantage", HONE_OBJ_ADVANTAGE},
                 {"pairs", HONE_OBJ_PAIRS},
                 {"unpaired", HONE_OBJ_UNPAIRED},
                 {"whole_batch", HONE_OBJ_WHOLE_BATCH}};
    uint32_t uses = 0;
    if (lua_getfield(L, t, "uses") != LUA_TTABLE) {
        int nil = lua_isnil(L, -1) || lua_isfunction(L, -1);
        lua_pop(L, 1);
        if (!nil)
            luaL_error(L, "uses: a list of names is expected: old, ref, sampler, entropy, value, "
                          "advantage, pairs");
        return 0;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        uint32_t bit = 0;
        for (size_t k = 0; k < sizeof names / sizeof *names && lua_type(L, -1) == LUA_TSTRING; k++)
            if (strcmp(names[k].name, lua_tostring(L, -1)) == 0)
                bit = names[k].bit;
        if (!bit)
            luaL_error(L, "uses: \"%s\" is nothing an objective can read",
                       luaL_tolstring(L, -1, NULL));
        uses |= bit;
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return uses;
}

static void check_keys(lua_State *L, int t, const hone_iface_desc *d, int source)
{
    static const char *const known[] = {"kind",  "id",   "version", "summary", "license", "vendor",
                                        "iface", "caps", "uses",    "show",    NULL};
    static const char *const of_source[] = {"next", "position", "seek", "row_count", NULL};
    const char *names[96];
    size_t n = 0;
    for (size_t i = 0; known[i]; i++)
        names[n++] = known[i];
    for (size_t i = 0; source && of_source[i]; i++)
        names[n++] = of_source[i];
    for (size_t i = 0; !source && d->table->slots[i] && n < 95; i++)
        names[n++] = d->table->slots[i]->name;
    names[n] = NULL;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        size_t i = 0;
        while (key && i < n && strcmp(names[i], key) != 0)
            i++;
        if (key && i < n)
            continue;
        const char *close = key ? hone_closest(key, names) : NULL;
        hone_fail(HONE_E_INVALID, "a component of kind %s has no \"%s\"", d->kind ? d->kind : "?",
                  key ? key : luaL_tolstring(L, -2, NULL));
        if (close)
            hone_fail_hint("did you mean \"%s\"?", close);
        hone_lua_raise(L);
    }
}

static int function_ref(lua_State *L, int t, const char *key)
{
    int type = lua_getfield(L, t, key);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    if (type != LUA_TFUNCTION) {
        luaL_error(L, "%s: a function is expected", key);
        return LUA_NOREF;
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_closures(lua_State *L, int t, hone__lua_component *lc)
{
    const hone_iface_desc *d = lc->iface;
    size_t slots = 0;
    while (d->table->slots[slots])
        slots++;
    lc->impls = hone__arena_need(L, &lc->l->arena, slots, sizeof *lc->impls);
    for (size_t i = 0; i < slots; i++) {
        const hone_slot *slot = d->table->slots[i];
        lua_getfield(L, t, slot->name);
        int function = lua_isfunction(L, -1);
        lua_pop(L, 1);
        if (!function)
            continue;
        hone__lua_impl *impl = &lc->impls[lc->n];
        impl->lc = lc;
        impl->batch = impl->text = LUA_NOREF;
        impl->slot = hone__ffi_slot(L, slot, d->table, d->structs);
        impl->adapter = adapter_of(d->id, slot->name);
        impl->fn = function_ref(L, t, slot->name);
        void *code = NULL;
        impl->closure = ffi_closure_alloc(sizeof *impl->closure, &code);
        lc->n++;
        if (!impl->closure || ffi_prep_closure_loc(impl->closure, &impl->slot->cif, closure_called,
                                                   impl, code) != FFI_OK)
            luaL_error(L, "libffi cannot make a closure for %s", slot->name);
        memcpy((char *)lc->vt + slot->offset, &code, sizeof code);
    }
    if (!lc->n)
        luaL_error(L, "a component of kind %s needs a function: %s", lc->c.kind,
                   d->table->slots[0]->name);
}

static void make_create(lua_State *L, hone__lua_component *lc)
{
    void *code = NULL;
    for (int i = 0; i < 3; i++)
        lc->create_types[i] = &ffi_type_pointer;
    lc->create = ffi_closure_alloc(sizeof *lc->create, &code);
    if (!lc->create ||
        ffi_prep_cif(&lc->create_cif, FFI_DEFAULT_ABI, 3, &ffi_type_sint32, lc->create_types) !=
            FFI_OK ||
        ffi_prep_closure_loc(lc->create, &lc->create_cif, create_called, lc, code) != FFI_OK)
        luaL_error(L, "libffi cannot make a closure here");
    memcpy(&lc->c.create, &code, sizeof code);
}

struct request {
    const char *kind;
    const hone_component_info *info;
};

static int build(lua_State *L)
{
    struct request *rq = lua_touserdata(L, 1);
    hone_lua *l = hone_lua_of(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    hone_lua_check(L, hone_lua_component_probe());
    if (!l->opts.registry)
        return luaL_error(L, "this state has no registry for components");
    if (!hone__ffi_of(l))
        hone_lua_raise(L);
    const char *kind = field_text(L, 2, "kind", rq->kind), *id = field_text(L, 2, "id", NULL);
    if (!kind)
        return luaL_error(L, "component: kind is missing");
    if (!id)
        return luaL_error(L, "component: id is missing");
    const hone_iface_desc *d = iface_of(L, kind, field_text(L, 2, "iface", NULL));
    int source = strcmp(d->id, HONE_IFACE_SOURCE) == 0;
    check_keys(L, 2, d, source);

    hone__lua_component *lc = hone__arena_need(L, &l->arena, 1, sizeof *lc);
    lc->link = l->components; /* from here on the state frees its closures */
    l->components = lc;
    lc->l = l;
    lc->iface = d;
    lc->next = lc->position = lc->seek = lc->row_count = LUA_NOREF;
    lc->provides[0] = d->id;
    hone_component *c = &lc->c;
    c->struct_size = sizeof *c;
    c->kind = d->kind ? d->kind : kind;
    if (!strchr(id, '.')) {
        const char *text = lua_pushfstring(L, "recipe.%s.%s", kind, id);
        id = hone_arena_strndup(&l->arena, text, strlen(text));
        if (!id)
            hone_lua_raise(L);
    }
    c->id = id;
    c->version = field_text(L, 2, "version", "0");
    c->summary = field_text(L, 2, "summary", "written in Lua");
    c->vendor = field_text(L, 2, "vendor", "");
    c->license = field_text(L, 2, "license", "");
    c->url = "";
    c->caps = HONE_CAP_REENTRANT; /* calls queue: entering twice is safe */
    c->provides = lc->provides;
    c->destroy = destroy;
    c->get_iface = get_iface;
    make_create(L, lc);
    if (source) {
        lc->next = function_ref(L, 2, "next");
        lc->position = function_ref(L, 2, "position");
        lc->seek = function_ref(L, 2, "seek");
        lc->row_count = function_ref(L, 2, "row_count");
        if (lc->next == LUA_NOREF)
            return luaL_error(L, "a source needs a function: next");
        if ((lc->position == LUA_NOREF) != (lc->seek == LUA_NOREF))
            return luaL_error(L, "a source has both position and seek, or neither");
        lc->vt = (void *)(uintptr_t)&hone__lua_source_v1;
    } else {
        lc->vt = hone__arena_need(L, &l->arena, 1, d->table->size);
        memcpy(lc->vt, &d->table->size, sizeof d->table->size); /* struct_size */
        if (strcmp(d->id, HONE_IFACE_OBJECTIVE) == 0)
            lc->uses = read_uses(L, 2);
        lua_getfield(L, 2, "show");
        int text = lua_type(L, -1) == LUA_TSTRING;
        lua_pop(L, 1);
        lc->show = text ? field_text(L, 2, "show", "") : "written in Lua: see the recipe";
        make_closures(L, 2, lc);
        fill_defaults(lc);
    }
    hone_lua_check(L, hone_registry_add(l->opts.registry, c, &rq->info));
    return 0;
}

hone_status hone_lua_component(lua_State *L, int index, const char *kind,
                               const hone_component_info **out)
{
    struct request rq = {.kind = kind};
    index = lua_absindex(L, index);
    if (!lua_checkstack(L, 4))
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, &rq);
    lua_pushvalue(L, index);
    HONE_TRY(hone_lua_pcall(L, 2, 0));
    *out = rq.info;
    return HONE_OK;
}

void hone__component_close(hone_lua *l)
{
    for (hone__lua_component *lc = l->components; lc; lc = lc->link) {
        if (lc->create)
            ffi_closure_free(lc->create);
        for (size_t i = 0; i < lc->n; i++)
            if (lc->impls[i].closure)
                ffi_closure_free(lc->impls[i].closure);
    }
    l->components = NULL;
}
