/* plan.c - see plan.h.
 *
 * The key idea: there is no second computation of sizes that could disagree with the first. The
 * recipe is executed once more for every question: does it fit, does it with smaller micro-batches,
 * would it with an adapter. An execution costs what the recipe itself does outside hone's
 * computing, commonly some tenths of a second. */
#include "lua/plan.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "lua/recipe.h"
#include "tensor/region.h"

#include <stdio.h>
#include <string.h>

enum { REGIONS = 32 };

void hone_plan_memory_get(hone_plan_memory *out)
{
    static const struct {
        const char *name;
        size_t at;
    } known[] = {{"parameters", offsetof(hone_plan_memory, parameters)},
                 {"adapters", offsetof(hone_plan_memory, parameters)},
                 {"gradients", offsetof(hone_plan_memory, training)},
                 {"optimizer", offsetof(hone_plan_memory, training)},
                 {"activations", offsetof(hone_plan_memory, activations)},
                 {"deferred gradients", offsetof(hone_plan_memory, activations)},
                 {"tape inputs", offsetof(hone_plan_memory, activations)},
                 {"sequence state", offsetof(hone_plan_memory, state)}};
    hone_region_stat stats[REGIONS];
    size_t n = hone_region_stats(stats, REGIONS);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n && i < REGIONS; i++) {
        uint64_t *to = &out->scratch;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(known[k].name, stats[i].name) == 0)
                to = (uint64_t *)(void *)((char *)out + known[k].at);
        *to += stats[i].peak;
    }
}

static uint64_t regions(void)
{
    hone_plan_memory m;
    hone_plan_memory_get(&m);
    return m.parameters + m.training + m.activations + m.state + m.scratch;
}

/* ---- for Lua -------------------------------------------------------------------------------------------- */

static void set_bytes(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

/* core.plan_memory() -> table: bytes by region and in all, what there is */
static int l_plan_memory(lua_State *L)
{
    hone_plan *p = hone__lua_recipe(L)->opt.plan;
    hone_plan_memory m;
    hone_memory_facts facts;
    hone_plan_memory_get(&m);
    hone_memory_get(&facts);
    lua_newtable(L);
    set_bytes(L, "parameters", m.parameters);
    set_bytes(L, "training", m.training);
    set_bytes(L, "activations", m.activations);
    set_bytes(L, "state", m.state);
    set_bytes(L, "scratch", m.scratch);
    set_bytes(L, "program", p ? p->program : 0);
    set_bytes(L, "total", p ? p->total : 0);
    set_bytes(L, "allowed", p ? p->allowed : 0);
    set_bytes(L, "machine_total", facts.total);
    set_bytes(L, "machine_free", facts.free);
    lua_pushstring(L, p && p->allowed_by ? p->allowed_by : "");
    lua_setfield(L, -2, "allowed_by");
    lua_pushstring(L, p ? p->chosen : "");
    lua_setfield(L, -2, "chosen");
    lua_pushboolean(L, p && p->fits);
    lua_setfield(L, -2, "fits");
    return 1;
}

void hone__lua_open_plan(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"plan_memory", l_plan_memory}, {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}

static hone_status render(hone_recipe *r, hone_plan *p)
{
    static const char call[] = "return require(\"hone.plan\").render(...)";
    lua_State *L = r->L;
    HONE_TRY(hone_lua_load_text(hone_lua_of(L), call, sizeof call - 1, "=plan"));
    lua_pushstring(L, p->stopped < 0 ? p->error.what : "");
    HONE_TRY(hone_lua_pcall(L, 1, 2));
    hone_free(p->text);
    hone_free(p->json);
    p->text = hone_strdup(lua_tostring(L, -2) ? lua_tostring(L, -2) : "");
    p->json = hone_strdup(lua_tostring(L, -1) ? lua_tostring(L, -1) : "");
    lua_pop(L, 2);
    return p->text && p->json ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone__plan_collect(hone_recipe *r, hone_status s)
{
    hone_plan *p = r->opt.plan;
    p->stopped = s;
    p->wrote = r->plan_dir != NULL;
    if (s < 0)
        p->error = *hone_error_get();
    if (!p->program) /* later executions find what earlier ones left */
        p->program = hone_rss();
    p->total = regions() + p->program;
    p->fits = p->allowed == 0 || p->total <= p->allowed;
    return render(r, p);
}

/* ---- looking for what fits ------------------------------------------------------------------------------ */

static hone_status plan_once(const hone_recipe_options *o, const hone_recipe_tune *tune,
                             hone_plan *p)
{
    hone_recipe_options once = *o;
    once.plan = p;
    once.resume = NULL;
    once.tune = *tune;
    once.dir_out = NULL;
    hone_region_stats_reset();
    hone_region_plan(1);
    hone_status s = hone_recipe_run(&once);
    hone_region_plan(0);
    hone_region_stats_reset();
    return s;
}

static void allow(const hone_recipe_options *o, hone_plan *p)
{
    hone_memory_facts m;
    hone_memory_get(&m);
    p->allowed = m.total;
    p->allowed_by = "machine";
    if (m.limit && m.limit < m.total) {
        p->allowed = m.limit;
        p->allowed_by = "control group";
    }
    if (o->memory) {
        p->allowed = o->memory;
        p->allowed_by = "--memory";
    }
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

static const struct {
    hone_recipe_tune tune;
    const char *words;
} remedies[] = {
    /* change no bit of the result: a run chooses them by itself */
    {{.micro_tokens = 256}, "micro-batches of 256 tokens"},
    {{.micro_tokens = 128}, "micro-batches of 128 tokens"},
    {{.checkpoint_every = 1}, "activations recomputed block by block"},
    {{.micro_tokens = 128, .checkpoint_every = 1},
     "micro-batches of 128 tokens, activations recomputed block by block"},
    /* change what is trained: for the recipe's author */
    {{.micro_tokens = 128, .checkpoint_every = 1, .halve_batch = 1},
     "half of the prompts or rows a step"},
    {{.micro_tokens = 128, .checkpoint_every = 1, .halve_tokens = 1}, "half of max_tokens"},
    {{.micro_tokens = 128, .checkpoint_every = 1, .bf16 = 1},
     "frozen weights in 16 bits, storage = \"bf16\""},
    {{.micro_tokens = 128, .checkpoint_every = 1, .lora = 16}, "LoRA, lora = { rank = 16 }"},
    {{.micro_tokens = 128, .checkpoint_every = 1, .lora = 16, .bf16 = 1},
     "LoRA over storage = \"bf16\""},
    {{.micro_tokens = 128, .checkpoint_every = 1, .lora = 16, .halve_tokens = 1, .halve_batch = 1},
     "LoRA with half of max_tokens and half of the batch"},
};
enum { FREE_REMEDIES = 4, N_REMEDIES = sizeof remedies / sizeof *remedies };

/* Nothing that a run may choose by itself makes it fit: what would? */
static hone_status refuse(const hone_recipe_options *o, hone_plan *p, uint64_t least)
{
    char hint[sizeof p->error.hint];
    size_t at = 0;
    hint[0] = '\0';
    for (size_t i = FREE_REMEDIES; i < N_REMEDIES; i++) {
        hone_plan try = {.program = p->program, .allowed = p->allowed, .allowed_by = p->allowed_by};
        if (plan_once(o, &remedies[i].tune, &try) >= 0 && try.stopped >= 0 && try.total < least) {
            int n = snprintf(hint + at, sizeof hint - at, "%s%s: %.1f MB%s", at ? "; " : "",
                             remedies[i].words, mb(try.total), try.fits ? ", fits" : "");
            at += n > 0 && (size_t)n < sizeof hint - at ? (size_t)n : 0;
        }
        hone_plan_release(&try);
    }
    hint[at] = '\0';
    p->stopped = hone_fail(HONE_E_LIMIT,
                           "the run needs %.1f MB of memory, and there are %.1f MB (%s)",
                           mb(p->total), mb(p->allowed), p->allowed_by);
    hone_fail_detail(
        "with micro-batches of 128 tokens and activations recomputed it needs %.1f MB, "
        "%.1f MB of them for the program, its tokenizer and rows",
        mb(least), mb(p->program));
    hone_fail_hint("%s%sor allow more memory; hone run --dry-run shows the parts", hint,
                   at ? "; " : "");
    p->error = *hone_error_get();
    return HONE_OK;
}

hone_status hone_plan_make(const hone_recipe_options *o, hone_plan *p)
{
    uint64_t least;
    memset(p, 0, sizeof *p);
    allow(o, p);
    HONE_TRY(plan_once(o, &o->tune, p));
    p->tune = o->tune;
    least = p->total;
    for (size_t i = 0; i < FREE_REMEDIES && !p->fits && p->stopped >= 0; i++) {
        hone_plan try = {.program = p->program, .allowed = p->allowed, .allowed_by = p->allowed_by};
        snprintf(try.chosen, sizeof try.chosen, "%s", remedies[i].words);
        hone_status s = plan_once(o, &remedies[i].tune, &try);
        if (s >= 0 && try.stopped >= 0 && try.total < least)
            least = try.total;
        if (s >= 0 && try.stopped >= 0 && try.fits) {
            hone_plan_release(p);
            *p = try;
            p->tune = remedies[i].tune;
            return HONE_OK;
        }
        hone_plan_release(&try);
        HONE_TRY(s);
    }
    return p->fits || p->stopped < 0 ? HONE_OK : refuse(o, p, least);
}

void hone_plan_release(hone_plan *p)
{
    hone_free(p->text);
    hone_free(p->json);
    p->text = p->json = NULL;
}
