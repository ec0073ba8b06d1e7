/* api_prompt.c - prompts and data tables, for the loops around judges.
 *
 *   core.data_file(name) -> table     a table written in Lua, read as data, with no function in reach (judge/data.h);
 *                                     FILE.json is read as JSON
 *   core.canonical(table) -> text     its canonical JSON, which hashes of rubrics and prompts are of
 *   core.prompt(table or name) -> prompt, facts        id, hash, vars (names used), data    (judge/prompt.h)
 *   core.prompt_render(prompt, { name = text }) -> list of { role, content }
 *
 * Everything here runs on the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "judge/data.h"
#include "judge/prompt.h"
#include "lua/recipe.h"

#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

static int l_data_file(lua_State *L)
{
    size_t n;
    const char *name = luaL_checklstring(L, 1, &n);
    char *path = NULL;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone_recipe_file(hone__lua_recipe(L), name, &path);
    if (s >= 0 && n > 5 && strcmp(name + n - 5, ".json") == 0)
        s = hone_json_parse_file(path, FILE_MAX, &a, &v);
    else if (s >= 0)
        s = hone_data_read_file(path, &a, &v);
    hone_free(path);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

static int l_canonical(lua_State *L)
{
    hone_arena a;
    hone_value v, sorted;
    hone_buf text;
    hone_jw w;
    luaL_checktype(L, 1, LUA_TTABLE);
    hone_arena_init(&a, 0);
    hone_buf_init(&text, FILE_MAX);
    hone_status s = hone_lua_to_value(L, 1, &a, &v);
    if (s >= 0)
        s = hone_data_sorted(&v, "table", &a, &sorted);
    if (s >= 0) {
        hone_jw_init(&w, &text, 0);
        hone_data_canonical(&w, &sorted);
        s = hone_buf_check(&text, "canonical JSON");
    }
    if (s >= 0)
        lua_pushlstring(L, text.ptr, text.len);
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- prompts ------------------------------------------------------------------------------------------------- */

#define PROMPT_TYPE "hone.prompt"

static void prompt_release(void *p)
{
    hone_prompt_destroy(p);
}

static hone_status read_prompt(lua_State *L, hone_prompt **out)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        char *path = NULL;
        hone_status s = hone_recipe_file(hone__lua_recipe(L), lua_tostring(L, 1), &path);
        if (s >= 0)
            s = hone_prompt_read_file(path, out);
        hone_free(path);
        return s;
    }
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 1, &a, &v);
    if (s >= 0)
        s = hone_prompt_from_value(&v, "prompt", out);
    hone_arena_release(&a);
    return s;
}

static int l_prompt(lua_State *L)
{
    hone_prompt *p = NULL;
    if (read_prompt(L, &p) < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, p, PROMPT_TYPE);
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, p->id.ptr, p->id.len);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, p->hash);
    lua_setfield(L, -2, "hash");
    lua_createtable(L, (int)p->n_vars, 0);
    for (size_t i = 0; i < p->n_vars; i++) {
        lua_pushlstring(L, p->vars[i].ptr, p->vars[i].len);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "vars");
    hone_lua_push_value(L, &p->root);
    lua_setfield(L, -2, "data");
    return 2;
}

static int l_prompt_render(lua_State *L)
{
    const hone_prompt *p = hone__lua_check(L, 1, PROMPT_TYPE);
    luaL_checktype(L, 2, LUA_TTABLE);
    hone_prompt_binding *b = lua_newuserdatauv(L, (p->n_vars + 1) * sizeof *b, 0);
    size_t n = 0, n_out = 0;
    for (size_t i = 0; i < p->n_vars; i++) { /* names are bounded by the prompt's own memory */
        lua_pushlstring(L, p->vars[i].ptr, p->vars[i].len);
        const char *name = lua_tostring(L, -1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 2) ==
            LUA_TSTRING) { /* text and name stay: in table 2, and on the stack */
            size_t len;
            const char *text = lua_tolstring(L, -1, &len);
            b[n++] = (hone_prompt_binding){name, {text, len}};
        }
        lua_pop(L, 1);
        luaL_checkstack(L, 4, "a prompt's variables");
    }
    hone_arena a;
    hone_message *m = NULL;
    hone_arena_init(&a, 0);
    hone_status s = hone_prompt_render(p, b, n, &a, &m, &n_out);
    if (s >= 0)
        lua_createtable(L, (int)n_out, 0);
    for (size_t i = 0; s >= 0 && i < n_out; i++) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, m[i].role.ptr, m[i].role.len);
        lua_setfield(L, -2, "role");
        lua_pushlstring(L, m[i].content.ptr, m[i].content.len);
        lua_setfield(L, -2, "content");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

void hone__lua_open_prompt(lua_State *L)
{
    hone__lua_type(L, PROMPT_TYPE, prompt_release);
    static const luaL_Reg funcs[] = {{"data_file", l_data_file},
                                     {"canonical", l_canonical},
                                     {"prompt", l_prompt},
                                     {"prompt_render", l_prompt_render},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
