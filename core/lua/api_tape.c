/* api_tape.c - objectives written as Lua functions over tensors on a tape.
 *
 *   core.tape_objective(function, { "old_logp", "ref_logp", ... } [, id [, beta, temperature]]) -> component
 *   with an id it is in the registry too, where `hone plugin validate` finds it
 *
 * The function gets a table b of tensors (logp, mask, and what it asked for: old_logp, ref_logp, sampler_logp,
 * entropy, advantage, length) with one row a token of the whole step, and returns a 1 x 1 tensor. Operators and
 * methods record ops of the core; the backward of that small tape gives the gradient of the log-probs, which
 * the trainer carries into the model. It sees the whole step at once, so micro-batches change nothing.
 *
 * Tensors live until the function returns; using one later is an error. (recipes-and-cli.md, "A recipe") */
#include "lua/api.h"

#include "base/alloc.h"
#include "hone/objective.h"
#include "host/registry.h"
#include "ops/attrs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Lives as long as the Lua state (a userdata kept in its registry): a tensor that outlives its call still
 * points at something. */
typedef struct objective {
    hone_recipe *recipe;
    int fn; /* registry reference */
    uint32_t uses;
    double beta, temperature; /* of the divergence that it uses */
    hone_tape *tape;
    uint64_t generation;
    char id[96]; /* of the component it is, or "" */
} objective;

typedef struct tensor {
    objective *o;
    uint64_t generation;
    hone_tensor h;
} tensor;

static tensor *check_tensor(lua_State *L, int index)
{
    tensor *t = luaL_checkudata(L, index, HONE_LUA_TENSOR);
    if (t->generation != t->o->generation)
        luaL_error(L, "this tensor belongs to a call that is over");
    return t;
}

static int push_tensor(lua_State *L, objective *o, hone_tensor h)
{
    if (hone_tape_status(o->tape) < 0)
        return hone_lua_raise(L);
    tensor *t = lua_newuserdatauv(L, sizeof *t, 0);
    *t = (tensor){o, o->generation, h};
    luaL_setmetatable(L, HONE_LUA_TENSOR);
    return 1;
}

static objective *owner(lua_State *L)
{
    tensor *t = luaL_testudata(L, 1, HONE_LUA_TENSOR);
    if (!t)
        t = luaL_checkudata(L, 2, HONE_LUA_TENSOR);
    return t->o;
}

/* A tensor as it is; a number as a 1 x 1 constant. */
static hone_tensor operand(lua_State *L, int index, objective *o)
{
    if (lua_isnumber(L, index)) {
        float v = (float)lua_tonumber(L, index);
        return hone_tape_input(o->tape, 1, 1, HONE_F32, &v);
    }
    tensor *t = check_tensor(L, index);
    if (t->o != o)
        luaL_error(L, "tensors of two objectives cannot meet");
    return t->h;
}

static int is_scalar(objective *o, hone_tensor h)
{
    hone_shape s;
    return hone_tape_shape(o->tape, h, &s) >= 0 && s.rows == 1 && s.cols == 1;
}

/* The ops broadcast their second operand only: where the first is the smaller one it is spread by an exact
 * 0 * b + a of b's shape, or swapped where order does not matter. */
static hone_tensor spread(objective *o, hone_tensor small, hone_tensor like)
{
    hone_shape s;
    if (hone_tape_shape(o->tape, like, &s) < 0)
        return HONE_NONE;
    size_t n = (size_t)(s.rows * s.cols);
    float *zero = hone_calloc(n ? n : 1, sizeof *zero);
    if (!zero) {
        hone_tape_fail(o->tape, HONE_E_NOMEM);
        return HONE_NONE;
    }
    hone_tensor z = hone_tape_input(o->tape, s.rows, s.cols, HONE_F32, zero), out = HONE_NONE;
    hone_free(zero);
    hone_tensor in[2] = {z, small};
    hone_tape_op(o->tape, "add/1", in, 2, NULL, 0, &out, 1);
    return out;
}

static int binary(lua_State *L, const char *op, int commutes)
{
    objective *o = owner(L);
    hone_tensor in[2] = {operand(L, 1, o), operand(L, 2, o)}, out = HONE_NONE;
    if (is_scalar(o, in[0]) && !is_scalar(o, in[1])) {
        if (commutes) {
            hone_tensor t = in[0];
            in[0] = in[1];
            in[1] = t;
        } else {
            in[0] = spread(o, in[0], in[1]);
        }
    }
    hone_tape_op(o->tape, op, in, 2, NULL, 0, &out, 1);
    return push_tensor(L, o, out);
}

static int unary(lua_State *L, const char *op)
{
    tensor *t = check_tensor(L, 1);
    hone_tensor out = HONE_NONE;
    hone_tape_op(t->o->tape, op, &t->h, 1, NULL, 0, &out, 1);
    return push_tensor(L, t->o, out);
}

#define BINARY(name, op, commutes)                                                                 \
    static int t_##name(lua_State *L)                                                              \
    {                                                                                              \
        return binary(L, op, commutes);                                                            \
    }
BINARY(add, "add/1", 1)
BINARY(sub, "sub/1", 0)
BINARY(mul, "mul/1", 1)
BINARY(div, "div/1", 0)
BINARY(min, "min/1", 1)
BINARY(max, "max/1", 1)
#define UNARY(name, op)                                                                            \
    static int t_##name(lua_State *L)                                                              \
    {                                                                                              \
        return unary(L, op);                                                                       \
    }
UNARY(unm, "neg/1")
UNARY(exp, "exp/1")
UNARY(log, "log/1")
UNARY(abs, "abs/1")
UNARY(square, "square/1")
UNARY(sqrt, "sqrt/1")
UNARY(sigmoid, "sigmoid/1")
UNARY(logsigmoid, "logsigmoid/1")
UNARY(tanh, "tanh/1")
UNARY(relu, "relu/1")
UNARY(sum, "sum/1")
UNARY(detach, "detach/1")

static int t_clamp(lua_State *L)
{
    tensor *t = check_tensor(L, 1);
    hone_clamp_attr a = {(float)luaL_optnumber(L, 2, -HUGE_VAL),
                         (float)luaL_optnumber(L, 3, HUGE_VAL)};
    hone_tensor out = HONE_NONE;
    hone_tape_op(t->o->tape, "clamp/1", &t->h, 1, &a, sizeof a, &out, 1);
    return push_tensor(L, t->o, out);
}

static int t_masked_mean(lua_State *L)
{
    objective *o = owner(L);
    hone_tensor in[2] = {operand(L, 1, o), operand(L, 2, o)}, out = HONE_NONE;
    hone_tape_op(o->tape, "masked_mean/1", in, 2, NULL, 0, &out, 1);
    return push_tensor(L, o, out);
}

static int t_mean(lua_State *L)
{
    tensor *t = check_tensor(L, 1);
    hone_shape s;
    if (hone_tape_shape(t->o->tape, t->h, &s) < 0)
        return hone_lua_raise(L);
    hone_scalar_attr a = {(float)(1.0 / (double)(s.rows * s.cols > 0 ? s.rows * s.cols : 1))};
    hone_tensor sum = HONE_NONE, out = HONE_NONE;
    hone_tape_op(t->o->tape, "sum/1", &t->h, 1, NULL, 0, &sum, 1);
    hone_tape_op(t->o->tape, "scale/1", &sum, 1, &a, sizeof a, &out, 1);
    return push_tensor(L, t->o, out);
}

static int t_rows(lua_State *L)
{
    tensor *t = check_tensor(L, 1);
    hone_slice_attr a = {
        .first = luaL_checkinteger(L, 2) - 1, .count = luaL_checkinteger(L, 3), .axis = 1};
    hone_tensor out = HONE_NONE;
    hone_tape_op(t->o->tape, "slice/1", &t->h, 1, &a, sizeof a, &out, 1);
    return push_tensor(L, t->o, out);
}

static int t_shape(lua_State *L)
{
    tensor *t = check_tensor(L, 1);
    hone_shape s;
    if (hone_tape_shape(t->o->tape, t->h, &s) < 0)
        return hone_lua_raise(L);
    lua_pushinteger(L, s.rows);
    lua_pushinteger(L, s.cols);
    return 2;
}

/* ---- the objective ------------------------------------------------------------------------------------------- */

static uint32_t obj_uses(void *self)
{
    return ((objective *)self)->uses | HONE_OBJ_WHOLE_BATCH;
}

static hone_status obj_wants(void *self, hone_objective_wants *out)
{
    const objective *o = self;
    out->beta = o->beta;
    out->temperature = o->temperature;
    return HONE_OK;
}

static hone_status column(objective *o, size_t n, const double *v, int variable, hone_tensor *out)
{
    float *f = hone_reallocarray(NULL, n ? n : 1, sizeof *f);
    if (!f)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        f[i] = (float)v[i];
    *out = variable ? hone_tape_variable(o->tape, (int64_t)n, 1, f)
                    : hone_tape_input(o->tape, (int64_t)n, 1, HONE_F32, f);
    hone_free(f);
    return hone_tape_status(o->tape);
}

typedef struct call {
    objective *o;
    const hone_objective_in *in;
    hone_tensor logp, vars[3], cols[6], loss;
} call;

/* With a gradient, and without. */
static const char *const var_names[3] = {"entropy", "value", "divergence"};
static const char *const col_names[6] = {"old_logp",  "ref_logp", "sampler_logp",
                                         "advantage", "mask",     "teacher_logp"};

/* Builds b, calls the function, takes its result. Runs inside a pcall. */
static int call_function(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    objective *o = c->o;
    lua_rawgeti(L, LUA_REGISTRYINDEX, o->fn);
    lua_newtable(L);
    push_tensor(L, o, c->logp);
    lua_setfield(L, -2, "logp");
    for (int i = 0; i < 3; i++) {
        if (c->vars[i] == HONE_NONE)
            continue;
        push_tensor(L, o, c->vars[i]);
        lua_setfield(L, -2, var_names[i]);
    }
    for (int i = 0; i < 6; i++) {
        if (c->cols[i] == HONE_NONE)
            continue;
        push_tensor(L, o, c->cols[i]);
        lua_setfield(L, -2, col_names[i]);
    }
    hone_lua_new_list(L, (size_t)c->in->n_seqs); /* sequences: { first row, rows, group } */
    for (size_t s = 0; s < c->in->n_seqs; s++) {
        lua_createtable(L, 0, 3);
        lua_pushinteger(L, (lua_Integer)c->in->seq_begin[s] + 1);
        lua_setfield(L, -2, "first");
        lua_pushinteger(L, (lua_Integer)(c->in->seq_begin[s + 1] - c->in->seq_begin[s]));
        lua_setfield(L, -2, "n");
        lua_pushinteger(L, (lua_Integer)c->in->group[s] + 1);
        lua_setfield(L, -2, "group");
        lua_rawseti(L, -2, (lua_Integer)s + 1);
    }
    lua_setfield(L, -2, "sequences");
    lua_pushnumber(L, c->in->total_tokens);
    lua_setfield(L, -2, "total_tokens");
    lua_pushnumber(L, c->in->total_seqs);
    lua_setfield(L, -2, "total_sequences");
    lua_call(L, 1, 1);
    tensor *t = luaL_testudata(L, -1, HONE_LUA_TENSOR);
    if (!t || t->o != o || t->generation != o->generation || !is_scalar(o, t->h))
        return luaL_error(
            L, "the objective must return a 1 x 1 tensor of this call (masked_mean, sum, mean)");
    c->loss = t->h;
    return 0;
}

static hone_status run_tape(call *c, hone_objective_out *out)
{
    objective *o = c->o;
    const hone_objective_in *in = c->in;
    const double *src[6] = {in->old_logp,  in->ref_logp, in->sampler_logp,
                            in->advantage, in->mask,     in->teacher_logp};
    const double *var[3] = {in->entropy, in->value, in->divergence};
    double *const to[3] = {out->grad_entropy, out->grad_value, out->grad_divergence};
    size_t n = in->n_tokens;
    HONE_TRY(column(o, n, in->logp, 1, &c->logp));
    for (int i = 0; i < 3; i++) {
        c->vars[i] = HONE_NONE;
        if (var[i])
            HONE_TRY(column(o, n, var[i], 1, &c->vars[i]));
    }
    for (int i = 0; i < 6; i++) {
        c->cols[i] = HONE_NONE;
        if (src[i])
            HONE_TRY(column(o, n, src[i], 0, &c->cols[i]));
    }
    lua_State *L = o->recipe->L; /* the coroutine that called the trainer */
    lua_pushcfunction(L, call_function);
    lua_pushlightuserdata(L, c);
    HONE_TRY(hone__lua_call(
        L, 1, 0, "objective",
        "it gets b with logp, mask and what `uses` names, and returns a 1 x 1 tensor"));
    hone_tape_root(o->tape, c->loss);
    HONE_TRY(hone_tape_forward(o->tape));
    hone_view v = hone_tape_value(o->tape, c->loss);
    float one = 1;
    out->loss = (double)*(const float *)v.data;
    HONE_TRY(hone_tape_seed(o->tape, c->loss, &one));
    HONE_TRY(hone_tape_backward(o->tape));
    hone_view g = hone_tape_grad(o->tape, c->logp);
    for (size_t i = 0; g.data && i < n; i++)
        out->grad_logp[i] = (double)((const float *)g.data)[(int64_t)i * g.ld];
    for (int k = 0; k < 3; k++) {
        if (c->vars[k] == HONE_NONE || !to[k])
            continue;
        g = hone_tape_grad(o->tape, c->vars[k]);
        for (size_t i = 0; g.data && i < n; i++)
            to[k][i] = (double)((const float *)g.data)[(int64_t)i * g.ld];
    }
    return HONE_OK;
}

static hone_status obj_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    objective *o = self;
    call c = {.o = o, .in = in, .loss = HONE_NONE};
    if (in->n_tokens == 0) { /* no rows, no tensors */
        out->loss = 0;
        return HONE_OK;
    }
    if (!o->tape)
        HONE_TRY(hone_tape_create(hone_pool_exec(o->recipe->env.pool), &o->tape));
    HONE_TRY(hone_tape_begin(o->tape, NULL, HONE_MODE_TRAIN, NULL, NULL));
    hone_status s = run_tape(&c, out);
    o->generation++; /* tensors of this call are over */
    return s;
}

static hone_str obj_show(void *self)
{
    (void)self;
    return hone_str_c("a function of the recipe");
}

static const hone_objective_v1 objective_vt = {
    sizeof objective_vt, 0, obj_uses, obj_loss, obj_show, obj_wants};

static void objective_free(hone_lua_comp *c)
{
    objective *o = c->self;
    hone_tape_destroy(o->tape);
    o->tape = NULL;
    o->generation++;
}

/* ---- as a component -------------------------------------------------------------------------------------------- */

/* The instance's component has its id from the objective, so the id is where the objective is. */
static hone_status comp_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const char *id = hone_instance_info(host->ctx)->c.id;
    (void)cfg;
    *self_out = (char *)(uintptr_t)id - offsetof(objective, id);
    return HONE_OK;
}

static void comp_destroy(void *self)
{
    (void)self; /* the Lua state's */
}

static const void *comp_get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_OBJECTIVE) == 0 ? &objective_vt : NULL;
}

static hone_status add_component(objective *o, const char *name)
{
    static const char *const known[] = {HONE_IFACE_OBJECTIVE, NULL};
    const hone_component_info *info;
    snprintf(o->id, sizeof o->id, "recipe.objective.%.60s", name);
    const hone_component c = {.struct_size = sizeof c,
                              .id = o->id,
                              .kind = HONE_KIND_OBJECTIVE,
                              .version = "0",
                              .summary = "a function of tensors",
                              .caps = HONE_CAP_DETERMINISTIC,
                              .provides = known,
                              .create = comp_create,
                              .destroy = comp_destroy,
                              .get_iface = comp_get_iface};
    return hone_registry_add(o->recipe->env.registry, &c, &info);
}

static int l_tape_objective(lua_State *L)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } bits[] = {{"old_logp", HONE_OBJ_OLD},          {"ref_logp", HONE_OBJ_REF},
                {"sampler_logp", HONE_OBJ_SAMPLER},  {"entropy", HONE_OBJ_ENTROPY},
                {"value", HONE_OBJ_VALUE},           {"teacher_logp", HONE_OBJ_TEACHER},
                {"divergence", HONE_OBJ_DIVERGENCE}, {"advantage", HONE_OBJ_ADVANTAGE}};
    hone_recipe *r = hone__lua_recipe(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    uint32_t uses = 0;
    size_t n = lua_istable(L, 2) ? lua_rawlen(L, 2) : 0;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        const char *name = luaL_checkstring(L, -1);
        uint32_t bit = 0;
        for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
            bit |= strcmp(bits[k].name, name) == 0 ? bits[k].bit : 0;
        if (!bit)
            return luaL_error(
                L,
                "an objective can use old_logp, ref_logp, sampler_logp, entropy, value, "
                "teacher_logp, divergence, advantage; not \"%s\"",
                name);
        uses |= bit;
        lua_pop(L, 1);
    }
    const double beta = luaL_optnumber(L, 4, 0), temperature = luaL_optnumber(L, 5, 1);
    objective *o = lua_newuserdatauv(L, sizeof *o, 0);
    *o = (objective){.recipe = r, .uses = uses, .beta = beta, .temperature = temperature};
    luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    o->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    hone_lua_comp *c = hone_calloc(1, sizeof *c);
    if (!c)
        return hone_lua_raise(L);
    c->vt = &objective_vt;
    c->self = o;
    c->in_lua = 1;
    c->free_self = objective_free;
    memcpy(c->id, "function", sizeof "function");
    hone__lua_push(L, c, HONE_LUA_COMPONENT);
    if (lua_isstring(L, 3) && add_component(o, lua_tostring(L, 3)) < 0)
        return hone_lua_raise(L);
    return 1;
}

void hone__lua_open_tape(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"tape_objective", l_tape_objective}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__add", t_add}, {"__sub", t_sub}, {"__mul", t_mul},
                                    {"__div", t_div}, {"__unm", t_unm}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"min", t_min},
                                       {"max", t_max},
                                       {"exp", t_exp},
                                       {"log", t_log},
                                       {"abs", t_abs},
                                       {"square", t_square},
                                       {"sqrt", t_sqrt},
                                       {"sigmoid", t_sigmoid},
                                       {"logsigmoid", t_logsigmoid},
                                       {"tanh", t_tanh},
                                       {"relu", t_relu},
                                       {"sum", t_sum},
                                       {"mean", t_mean},
                                       {"detach", t_detach},
                                       {"clamp", t_clamp},
                                       {"masked_mean", t_masked_mean},
                                       {"rows", t_rows},
                                       {"shape", t_shape},
                                       {NULL, NULL}};
    luaL_newmetatable(L, HONE_LUA_TENSOR);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    luaL_setfuncs(L, funcs, 0);
}
