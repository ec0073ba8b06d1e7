/* bench_lua.c - times crossings between Lua and C, both ways. See bench_plugins.h.
 *
 * Lua's own loops stand around the calls of C, so a turn of the loop is part of the figure; it is a few nanoseconds. */
#include "cli/bench_plugins.h"
#include "hone/tokenizer.h"
#include "lua/component.h"
#include "lua/iface.h"

#include <stdio.h>
#include <string.h>

enum { TURNS = 1000 };

/* ---- a component that does nothing, to be called from Lua ------------------------------------------ */

static int32_t null_token_id(void *self, hone_str text)
{
    (void)self;
    return (int32_t)text.len;
}
static int32_t null_is_special(void *self, int32_t id)
{
    (void)self;
    return id;
}
static hone_status null_create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)host;
    (void)cfg;
    *self = NULL;
    return HONE_OK;
}
static void null_destroy(void *self)
{
    (void)self;
}
static const void *null_iface(void *self, const char *id)
{
    static const hone_tokenizer_v1 table = {
        .struct_size = sizeof table, .token_id = null_token_id, .is_special = null_is_special};
    (void)self;
    return strcmp(id, HONE_IFACE_TOKENIZER) == 0 ? &table : NULL;
}
static const char *const provides[] = {HONE_IFACE_TOKENIZER, NULL};
static const hone_component null_tokenizer = {.struct_size = sizeof null_tokenizer,
                                              .id = "org.hone.bench.null_tokenizer",
                                              .kind = HONE_KIND_TOKENIZER,
                                              .version = "0.1.0",
                                              .summary = "for hone bench plugins",
                                              .provides = provides,
                                              .create = null_create,
                                              .destroy = null_destroy,
                                              .get_iface = null_iface};

/* ---- a chunk that is called again and again ---------------------------------------------------------- */

struct chunk {
    hone_lua *l;
    hone_instance *inst;
    const char *iface;
    double number; /* its second argument */
};

/* The function is at 1 of the main stack, the handle at 2. */
static hone_status run_chunk(void *arg)
{
    struct chunk *c = arg;
    lua_State *L = hone_lua_main(c->l);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushnumber(L, c->number);
    return hone_lua_pcall(L, 2, 0);
}

static hone_status time_chunk(struct chunk *c, const char *text, double seconds, double divide,
                              hone_cli_ns *out)
{
    lua_State *L = hone_lua_main(c->l);
    lua_settop(L, 0);
    HONE_TRY(hone_lua_load_text(c->l, text, strlen(text), "=bench"));
    HONE_TRY(hone_lua_push_iface(L, c->inst, c->iface));
    hone_status s = hone_cli_time(run_chunk, c, seconds, out);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    out->min /= divide;
    out->median /= divide;
    return s;
}

static hone_status time_to_c(hone_registry *r, hone_lua *l, double seconds, hone_cli_lua_times *out)
{
    static const char scalar[] = "local h = ... for i = 1, 1000 do h:is_special(i) end";
    static const char text[] =
        "local h = ... local s = ('x'):rep(500) for i = 1, 1000 do h:token_id(s) end";
    const hone_component_info *info;
    struct chunk c = {.l = l, .iface = HONE_IFACE_TOKENIZER};
    hone_status s = hone_registry_add(r, &null_tokenizer, &info);
    if (s >= 0)
        s = hone_instance_create_info(r, info, NULL, &c.inst);
    if (s >= 0)
        s = time_chunk(&c, scalar, seconds, TURNS, &out->scalar);
    if (s >= 0)
        s = time_chunk(&c, text, seconds, TURNS, &out->text);
    hone_instance_unref(c.inst);
    return s;
}

static hone_status time_reward(hone_registry *r, hone_lua *l, hone_cli_load *load, const char *id,
                               const char *expression, double seconds, hone_cli_ns *out)
{
    char text[500];
    lua_State *L = hone_lua_main(l);
    const hone_component_info *info;
    hone_instance *inst = NULL;
    hone_cli_calls calls;
    lua_settop(L, 0);
    snprintf(text, sizeof text,
             "return { kind = 'reward', id = '%s', score = function(batch) local out = {} "
             "for i = 1, #batch do local s = batch[i] out[i] = %s end return out end }",
             id, expression);
    HONE_TRY(hone_lua_load_text(l, text, strlen(text), "=bench"));
    HONE_TRY(hone_lua_pcall(L, 0, 1));
    hone_status s = hone_lua_component(L, -1, NULL, &info);
    lua_settop(L, 0);
    if (s >= 0)
        s = hone_instance_create_info(r, info, NULL, &inst);
    if (s >= 0)
        s = hone_cli_time_instance(load, inst, seconds, &calls);
    if (s >= 0)
        *out = calls.sample;
    hone_instance_unref(inst);
    return s;
}

hone_status hone_cli_time_lua(hone_registry *r, hone_cli_load *load, double seconds,
                              hone_cli_lua_times *out)
{
    hone_lua *l;
    hone_lua_opts o = {.registry = r};
    HONE_TRY(hone_lua_create(&o, &l));
    hone_status s = time_to_c(r, l, seconds, out);
    if (s >= 0)
        s = time_reward(r, l, load, "bench_cross", "1", seconds, &out->cross);
    if (s >= 0)
        s = time_reward(r, l, load, "bench_number", "s.id", seconds, &out->number);
    if (s >= 0)
        s = time_reward(r, l, load, "bench_completion", "#s.completion", seconds, &out->completion);
    hone_lua_destroy(l);
    return s;
}

hone_status hone_cli_time_from_lua(hone_registry *r, hone_instance *inst, double seconds,
                                   hone_cli_calls *out)
{
    void *self;
    const hone_reward_v1 *vt = hone_instance_iface(inst, HONE_IFACE_REWARD, &self);
    char text[300];
    hone_lua *l;
    if (!vt)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: it is no reward", hone_instance_id(inst));
    const char *call = HONE_HAS(vt, hone_reward_v1, score_groups)   ? "score_groups"
                       : HONE_HAS(vt, hone_reward_v1, score_tokens) ? "score_tokens"
                                                                    : "score";
    snprintf(
        text, sizeof text,
        "local h, n = ... local list = {} for i = 1, n do list[i] = { id = i, prompt = "
        "'why?', completion = ('word '):rep(350), columns = { answer = '42' } } end h:%s(list)",
        call);
    hone_lua_opts o = {.registry = r};
    HONE_TRY(hone_lua_create(&o, &l));
    struct chunk c = {.l = l, .inst = inst, .iface = HONE_IFACE_REWARD};
    hone_status s = HONE_OK;
    for (size_t i = 0; i < HONE_CLI_BATCHES && s >= 0; i++) {
        c.number = (double)hone_cli_batches[i];
        s = time_chunk(&c, text, seconds / HONE_CLI_BATCHES, 1, &out->call[i]);
    }
    out->sample.min = (out->call[2].min - out->call[0].min) / (double)(hone_cli_batches[2] - 1);
    out->sample.median = (out->call[2].median - out->call[0].median) /
                         (double)(hone_cli_batches[2] - 1);
    hone_lua_destroy(l);
    return s;
}
