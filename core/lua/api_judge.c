/* api_judge.c - what compositions of judges, prompts and the loops around them need of C.
 *
 *   core.read_file(name) -> text      a file that the recipe may read: reports, labels, prompts, its own run's
 *
 * The compositions themselves are Lua (scripts/lib/hone/compose.lua): a judge is a component like any other, asked
 * through core.interface. Everything here runs on the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "lua/recipe.h"

#define FILE_MAX ((size_t)64 << 20)

/* The bytes of a small file: FILE_MAX at most. */
static int l_read_file(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char *path = NULL;
    hone_buf text;
    hone_buf_init(&text, FILE_MAX);
    hone_status s = hone_recipe_file(hone__lua_recipe(L), name, &path);
    if (s >= 0)
        s = hone_file_read(path, FILE_MAX, &text);
    hone_free(path);
    if (s >= 0)
        lua_pushlstring(L, text.ptr, text.len);
    hone_buf_release(&text);
    return s < 0 ? hone_lua_raise(L) : 1;
}

void hone__lua_open_judge(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"read_file", l_read_file}, {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
