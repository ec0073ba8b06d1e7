/* fuzz_pattern.c - hone's Lua patterns: subject and pattern (parted by a NUL) of any bytes, under a step budget. */
#include "lua/state.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const script = "local s, p = ...\n"
                                      "pcall(string.find, s, p) pcall(string.gsub, s, p, '%0%1')\n"
                                      "pcall(function() for a, b in s:gmatch(p) do end end)";
    static hone_lua *l;
    hone_lua_opts o = {.guard_steps = 200000, .guard_memory = 1 << 24, .lib_dir = "/nonexistent"};
    if (!l && hone_lua_create(&o, &l) < 0)
        return 0;
    lua_State *L = hone_lua_main(l);
    const uint8_t *cut = memchr(data, 0, size);
    size_t n = cut ? (size_t)(cut - data) : size / 2, skip = cut ? n + 1 : n;
    if (hone_lua_load_text(l, script, strlen(script), "=fuzz") < 0)
        return 0;
    lua_pushlstring(L, (const char *)data, n);
    lua_pushlstring(L, (const char *)data + skip, size - skip);
    hone_lua_guard_enter(L, 0);
    hone_lua_pcall(L, 2, 0);
    hone_lua_guard_leave(L);
    lua_settop(L, 0);
    return 0;
}
