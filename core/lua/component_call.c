/* component_call.c - one call of C into a function of a Lua component. See component_private.h.
 *
 * Key idea: the closure packs its C arguments into an invocation and takes it to a Lua state: to the recipe's
 * own, where it waits in the control thread's queue, or to a replica (component_replica.c), where it runs at
 * once. There, under a guard and in a protected call, arguments are pushed as views, the function is called,
 * and what it returned is written to the `out` arguments. Kinds whose C form would be clumsy have an adapter:
 * rewards return plain numbers, objectives a loss and gradients, optimizers names of their state, models
 * take (store, config).
 *
 * Invariants: no Lua error passes a C frame; what an `out` struct points at stays until the next call of the
 * same function; a closure counts as a call of its state until it has returned (state.c waits for it).
 * Source: plugin-abi.md section 8. */
#include "hone/hone.h"

#include "lua/component_private.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#include <math.h>
#include <string.h>

enum { PLAIN, REWARD, OBJECTIVE, ADVANTAGE, DECLARE, STATE_SPEC };

static const char abstain_key;

void hone_lua_push_abstain(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&abstain_key);
}

/* ---- running on the control thread ------------------------------------------------------------- */

struct job {
    hone_lua *l;
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
    j->frame = hone__frame_push(j->l);
    if (j->frame < 0)
        return hone_error_get()->code;
    if (!lua_checkstack(L, 8)) {
        hone__frame_pop(j->l, j->frame);
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    }
    hone_lua_random outer = hone_lua_random_get(j->l);
    hone_lua_guard_enter(L, j->deadline);
    lua_pushcfunction(L, protected_body);
    lua_pushlightuserdata(L, j);
    hone_status s = hone_lua_pcall(L, 1, 0);
    hone_status guard = hone_lua_guard_leave(L);
    hone_lua_random_set(j->l, &outer);
    hone__frame_pop(j->l, j->frame);
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
        {HONE_KIND_JUDGE,
         "a judge gets a list of items (prompt, candidates, reference, rubric, ...) "
         "and returns a verdict for each: a number, or { ranking = ... }"},
        {HONE_KIND_TOKENIZER, "encode gets a list of texts and returns a list of lists of ids; "
                              "decode gets lists of ids and returns texts"},
        {HONE_KIND_OPTIMIZER,
         "step(slices, info) changes each slice's param in place from its grad and state[1..n]"},
        {HONE_KIND_ENVIRONMENT,
         "reset gets a list of episodes, step a list of actions (text, turn, ...); each returns a "
         "list of what the policy reads next: a text, or { text =, reward =, done = }"},
        {HONE_KIND_SINK, "event(kind, fields) gets a text and a table, and returns nothing"},
        {HONE_KIND_MODEL,
         "declare(store, config) names parameters and calls store:info once; forward(g) "
         "returns the hidden state, a row a token"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].kind, kind) == 0)
            return hints[i].hint;
    return NULL;
}

hone_status hone__lua_enter_in(hone_lua *l, hone__lua_component *lc, const hone_host *host,
                               hone__lua_body body, void *arg, uint64_t deadline_ns,
                               const char *what)
{
    struct job j = {.l = l, .body = body, .arg = arg, .deadline = deadline_ns};
    hone_status s = hone_lua_call_on_control(l, on_control, &j, deadline_ns);
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

hone_status hone__lua_enter(hone__lua_component *lc, const hone_host *host, hone__lua_body body,
                            void *arg, uint64_t deadline_ns, const char *what)
{
    return hone__lua_enter_in(lc->l, lc, host, body, arg, deadline_ns, what);
}

/* ---- C arguments to Lua ------------------------------------------------------------------------ */

/* One call: which function of which state, for whom, with what. */
typedef struct hone__lua_invocation {
    hone_lua *l;
    hone__lua_impl *impl;
    hone__lua_fn *fn;
    hone__lua_instance *self;
    void **args;
    void *ret;
} hone__lua_invocation;

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
static hone__view *push_batch(lua_State *L, int frame, hone__lua_fn *fn, const hone_sig_arg *a,
                              const void *base, size_t n, size_t stride)
{
    hone__ffi *f = hone_lua_of(L)->ffi;
    if (fn->batch != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, fn->batch);
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
    fn->batch = luaL_ref(L, LUA_REGISTRYINDEX);
    return v;
}

/* Pushes argument i for the function; returns 1, or 0 when it is not the function's business. */
static int push_argument(lua_State *L, int frame, const hone__lua_invocation *inv, size_t i)
{
    const hone_sig *sig = &inv->fn->slot->sig;
    const hone_sig_arg *a = &sig->args[i];
    if (a->base == HONE_A_SELF || a->base == HONE_A_CALL || a->role || a->dir == HONE_DIR_OUT)
        return 0;
    if (a->array) {
        const void *base = *(void **)inv->args[i];
        size_t n = count_of(sig, a, inv->args);
        if (a->base == HONE_T_U8 || a->base == HONE_T_CHAR)
            lua_pushlstring(L, base ? base : "", base ? n : 0);
        else if (a->base == HONE_T_STRUCT)
            push_batch(L, frame, inv->fn, a, base, n, stride_of(a, inv->args));
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
        inv->l->ffi ? (void)(((hone__ffi *)inv->l->ffi)->ctx = *(void **)inv->args[i]) : (void)0;
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
        luaL_error(L, "%s: %s cannot be given to Lua", inv->fn->slot->slot->name, a->name);
        return 0;
    default:
        hone__push_elem(L, frame, a->base, NULL, inv->args[i]);
        return 1;
    }
}

/* ---- Lua results to C -------------------------------------------------------------------------- */

/* Why sample k has no score, where the call can be told notes. */
static void tell_reason(const hone__lua_invocation *inv, size_t k, const char *why)
{
    const hone_sig *sig = &inv->fn->slot->sig;
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if (a->base != HONE_A_SINK || !a->of || strcmp(a->of->name, "hone_notes") != 0)
            continue;
        const hone_notes *notes = *(const hone_notes **)inv->args[i];
        hone_value text = {.type = HONE_STRING};
        text.u.str = hone_str_c(why);
        if (notes)
            notes->put(notes, k, hone_str_c("reason"), &text);
    }
}

/* A reward's list: numbers are scores, hone.abstain abstains, nil and false are errors, so is what is not finite. */
static void write_outcomes(lua_State *L, int index, const hone__lua_invocation *inv, size_t i)
{
    const hone_sig_arg *a = &inv->fn->slot->sig.args[i];
    hone_outcome *out = *(hone_outcome **)inv->args[i];
    size_t n = count_of(&inv->fn->slot->sig, a, inv->args), stride = stride_of(a, inv->args);
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "%s must return a list with one number a sample, not a %s",
                   inv->fn->slot->slot->name, luaL_typename(L, index));
    for (size_t k = 0; k < n; k++) {
        uint32_t status = HONE_ERROR;
        float score = 0;
        int type = lua_rawgeti(L, index, (lua_Integer)k + 1);
        const char *why = type == LUA_TNIL ? "the function gave nil for this sample"
                                           : "the function gave false for this sample";
        if (type == LUA_TNUMBER) {
            double x = lua_tonumber(L, -1);
            if (isfinite(x) && fabs(x) <= 3.4028234663852886e38) {
                status = HONE_SCORE;
                score = (float)x;
            }
            why = "the score is not finite";
        } else if (type == LUA_TBOOLEAN && lua_toboolean(L, -1)) {
            status = HONE_SCORE;
            score = 1;
        } else if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &abstain_key) {
            status = HONE_ABSTAIN;
        } else if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
            luaL_error(L, "%s: result %I is a %s: a number, hone.abstain or nil is expected",
                       inv->fn->slot->slot->name, (LUAI_UACINT)(k + 1), luaL_typename(L, -1));
        }
        lua_pop(L, 1);
        if (status == HONE_ERROR)
            tell_reason(inv, k, why);
        hone_outcome_set(out, stride, k, status, score);
    }
}

static void write_out(lua_State *L, int index, const hone__lua_invocation *inv, size_t i)
{
    const hone_sig *sig = &inv->fn->slot->sig;
    const hone_sig_arg *a = &sig->args[i];
    hone_arena *arena = &inv->fn->out; /* the caller reads it after this call */
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
        luaL_error(L, "%s: a list is expected for %s", inv->fn->slot->slot->name, a->name);
    if (lua_rawlen(L, index) != n)
        luaL_error(L, "%s: %s needs %I elements, got %I", inv->fn->slot->slot->name, a->name,
                   (LUAI_UACINT)n, (LUAI_UACINT)lua_rawlen(L, index));
    for (size_t k = 0; k < n; k++) {
        lua_rawgeti(L, index, (lua_Integer)k + 1);
        hone__read_elem(L, lua_gettop(L), arena, a->base, a->of, p + k * stride, a->name);
        lua_pop(L, 1);
    }
}

static void write_result(lua_State *L, int index, const hone__lua_invocation *inv)
{
    uint8_t base = inv->fn->slot->sig.result;
    if (base == HONE_T_STR && lua_isnil(L, index)) /* there is none: {NULL, 0} */
        return;
    if (base == HONE_T_STR) { /* borrowed until the next call: the state holds the string */
        hone_str s;
        s.ptr = luaL_checklstring(L, index, &s.len);
        lua_pushvalue(L, index);
        int ref = luaL_ref(L, LUA_REGISTRYINDEX);
        luaL_unref(L, LUA_REGISTRYINDEX, inv->fn->text);
        inv->fn->text = ref;
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
static void write_objective(lua_State *L, const hone__lua_invocation *inv)
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
static void write_advantage(lua_State *L, const hone__lua_invocation *inv)
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

/* A text that stays as long as the component: the one that is equal to it, or a new one. [control-thread] */
static const char *keep_text(lua_State *L, hone__lua_component *lc, int index)
{
    size_t n;
    const char *text = luaL_checklstring(L, index, &n);
    if (strlen(text) != n)
        luaL_error(L, "state_spec: a name holds a NUL");
    for (int i = 0; i < HONE_LUA_TEXTS; i++) {
        if (lc->texts[i] && strcmp(lc->texts[i], text) == 0)
            return lc->texts[i];
        if (lc->texts[i])
            continue;
        lc->texts[i] = hone_arena_strndup(&lc->l->arena, text, n);
        if (!lc->texts[i])
            hone_lua_raise(L);
        return lc->texts[i];
    }
    luaL_error(L, "state_spec: more than %d names of state", HONE_LUA_TEXTS);
    return NULL;
}

void hone__lua_state_names(lua_State *L, int index, hone__lua_component *lc,
                           const char *names[HONE_OPT_MAX_STATE], uint32_t *n)
{
    index = lua_absindex(L, index);
    *n = 0;
    if (lua_isnil(L, index))
        return;
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "the names of an optimizer's state are a list, not a %s",
                   luaL_typename(L, index));
    lua_Unsigned len = lua_rawlen(L, index);
    if (len > HONE_OPT_MAX_STATE)
        luaL_error(L, "an optimizer has at most %d arrays of state", HONE_OPT_MAX_STATE);
    for (; *n < len; (*n)++) {
        lua_rawgeti(L, index, (lua_Integer)*n + 1);
        names[*n] = keep_text(L, lc, -1);
        lua_pop(L, 1);
    }
}

/* state_spec(param) -> list of names */
static void write_state_spec(lua_State *L, const hone__lua_invocation *inv)
{
    hone_opt_state_spec *out = *(hone_opt_state_spec **)inv->args[2];
    const char *names[HONE_OPT_MAX_STATE] = {NULL};
    uint32_t n;
    lua_settop(L, 1);
    hone__lua_state_names(L, 1, inv->impl->lc, names, &n);
    out->n_buffers = n;
    memcpy(out->names, names, sizeof out->names);
}

static void keep_config(lua_State *L, const hone__lua_invocation *inv)
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
    const hone__lua_invocation *inv = arg;
    const hone_sig *sig = &inv->fn->slot->sig;
    hone__ffi *f = inv->l->ffi;
    void *outer_ctx = f->ctx;
    int nargs = 0, batch = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, inv->fn->fn);
    if (inv->self->object != LUA_NOREF) { /* what create returned, or the settings */
        lua_rawgeti(L, LUA_REGISTRYINDEX, inv->self->object);
        nargs++;
    }
    if (inv->impl->adapter == DECLARE) { /* declare(store, config, format) */
        keep_config(L, inv);
        nargs += push_argument(L, frame, inv, 3) + push_argument(L, frame, inv, 2) +
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
        hone_lua_random_enter(inv->l, inv->impl->lc->c.id, inv->l->run_step, first ? first->id : 0);
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
    if (inv->impl->adapter == STATE_SPEC) {
        write_state_spec(L, inv);
        return;
    }
    hone_arena_clear(&inv->fn->out);
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
            write_out(L, next++, inv, i);
    }
}

/* Calls the function in the recipe's state or in a replica of its own for the length of the call. */
static hone_status run_call(hone__lua_invocation *inv, uint64_t deadline)
{
    hone__lua_impl *impl = inv->impl;
    hone__lua_component *lc = impl->lc;
    const char *what = impl->own.slot->slot->name;
    hone__lua_replica *r = NULL;
    inv->l = lc->l;
    inv->fn = &impl->own;
    if (!lc->replicas)
        return hone__lua_enter(lc, inv->self->host, invoke, inv, deadline, what);
    hone_status s = hone__lua_replica_take(lc, &r);
    if (s < 0) {
        hone_error e = *hone_error_get();
        (inv->self->host->fail)(inv->self->host, s, hone_str_c(e.what));
        hone_fail_detail("%s", e.detail);
        return hone_fail_hint("%s", e.hint);
    }
    inv->l = hone__lua_replica_state(r);
    inv->fn = hone__lua_replica_fn(r, impl->index);
    s = hone__lua_enter_in(inv->l, lc, inv->self->host, invoke, inv, deadline, what);
    hone__lua_replica_give(lc, r);
    return s;
}

/* What C calls. [any-thread] */
void hone__lua_closure_called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    hone__lua_impl *impl = ud;
    hone__lua_invocation inv = {.impl = impl, .self = *(void **)args[0], .args = args, .ret = ret};
    const hone_sig *sig = &impl->own.slot->sig;
    hone_lua *l = impl->lc->l;
    uint64_t deadline = 0;
    hone_lua_call_begins(l);
    if (cif->rtype->size)
        memset(ret, 0, cif->rtype->size < sizeof(ffi_arg) ? sizeof(ffi_arg) : cif->rtype->size);
    for (size_t i = 0; i < sig->n; i++)
        if (sig->args[i].base == HONE_A_CALL && *(const hone_call **)args[i])
            deadline = (*(const hone_call **)args[i])->deadline_ns;
    hone_status s = run_call(&inv, deadline);
    if (s < 0 && sig->result == HONE_A_STATUS) {
        *(ffi_sarg *)ret = s;
    } else if (s < 0) {
        const hone_error *e = hone_error_get();
        if (sig->result != HONE_A_TENSOR && sig->result != HONE_A_PARAM) /* those say it failed */
            hone_log(HONE_LOG_ERROR, impl->lc->c.id, "%s (%s)", e->what, e->detail);
        memset(ret, 0, cif->rtype->size);
        if (sig->result == HONE_A_TENSOR || sig->result == HONE_A_PARAM)
            *(ffi_sarg *)ret = -1;
    }
    hone_lua_call_ends(l);
}

int hone__lua_adapter_of(const char *iface, const char *slot)
{
    if (strcmp(iface, HONE_IFACE_REWARD) == 0 && strcmp(slot, "score_tokens") != 0)
        return REWARD;
    if (strcmp(iface, HONE_IFACE_OBJECTIVE) == 0 && strcmp(slot, "loss") == 0)
        return OBJECTIVE;
    if (strcmp(iface, HONE_IFACE_ADVANTAGE) == 0 && strcmp(slot, "compute") == 0)
        return ADVANTAGE;
    if (strcmp(iface, HONE_IFACE_OPTIMIZER) == 0 && strcmp(slot, "state_spec") == 0)
        return STATE_SPEC;
    return strcmp(iface, HONE_IFACE_MODEL) == 0 && strcmp(slot, "declare") == 0 ? DECLARE : PLAIN;
}
