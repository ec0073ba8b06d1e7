/* Ways past the limits of a guarded call, each a trick of its own: endless work where no hook fires, memory, hooks that
 * an error has turned off. What nobody stops hangs this test until its time limit. tests/integration/lua_escapes.py has
 * the attempts on files and on hone's own objects. */
#include "support.h"

#include "lua/state.h"

static hone_lua *open_lua(void)
{
    hone_lua_opts o = {.seed = 7,
                       .guard_steps = 2000000,
                       .guard_memory = 16 << 20,
                       .memory = 96 << 20,
                       .lib_dir = scratch_dir()};
    hone_lua *l = NULL;
    assert_ok(hone_lua_create(&o, &l));
    return l;
}

static hone_status run(hone_lua *l, const char *text)
{
    lua_State *L = hone_lua_main(l);
    lua_settop(L, 0);
    HONE_TRY(hone_lua_load_text(l, text, strlen(text), "=chunk"));
    hone_lua_guard_enter(L, 0);
    hone_status s = hone_lua_pcall(L, 0, 1), g = hone_lua_guard_leave(L);
    return g < 0 ? g : s;
}

static const char *const endless[] = {
    /* a length that lies: the table library would count to it */
    "table.insert(setmetatable({}, {__len = function() return 1 << 60 end, __index = {}, "
    "__newindex "
    "= {}}), 1, 0)",
    "table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)",
    "table.concat(setmetatable({}, {__len = function() return 1 << 60 end, __index = "
    "setmetatable({}, {__index = function() return '' end})}))",
    "local n = 0 table.insert(setmetatable({}, {__len = function() n = n + 1 return n > 1 and 1 << "
    "60 or 0 end}), 1, 0)",
    "table.unpack(setmetatable({}, {__len = function() return 1 << 60 end}))",
    "table.sort(setmetatable({}, {__len = function() return (1 << 31) - 2 end, __index = "
    "function() return 1 end}))",
    /* ranges that are integers only to the library */
    "table.move({}, 1.0, 2.0^53, 2)",
    "table.move({}, '1', '9007199254740992', 2)",
    "table.concat(setmetatable({}, {__index = setmetatable({}, {__index = function() return '' "
    "end})}), '', 1.0, 2.0^53)",
    "table.move({}, -(1 << 62), 1 << 61, 2)",
    "table.unpack({}, -(1 << 62), 1 << 61)",
    "table.unpack({}, 1.0, 2.0^40)",
    /* metamethods that call themselves */
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end "
    "while true do pcall(function() return t.x end) end",
    "local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end "
    "while true do pcall(function() return t .. t end) end",
    "local t = setmetatable({}, {}) getmetatable(t).__eq = function(a, b) return a == b end local "
    "u = setmetatable({}, getmetatable(t)) while true do pcall(function() return t == u end) end",
    "local t = setmetatable({}, {}) getmetatable(t).__call = t while true do pcall(t) end",
    "local t = setmetatable({}, {}) getmetatable(t).__lt = function(a, b) return a < b end "
    "table.sort({t, t, t}, function(a, b) while true do pcall(function() return a < b end) end "
    "end)",
    "local m = {} m.__close = function() while true do end end for i = 1, 10 do pcall(function() "
    "local x <close> = setmetatable({}, m) error('x') end) end",
    "local m = {__index = function(_, k) while true do end end} pcall(string.rep, setmetatable({}, "
    "m), 3) return (setmetatable({}, m)).x",
    "for k in setmetatable({}, {__call = function() return 1 end}) do end",
    "for k in next, setmetatable({}, {__pairs = 1}), nil do end while true do for k in pairs({1}) "
    "do end end",
    "local s = setmetatable({}, {__name = ('x'):rep(1000)}) while true do tostring(s) end",
    /* handlers and errors */
    "while true do xpcall(error, function() while true do end end) end",
    "while true do pcall(error, setmetatable({}, {__tostring = function() while true do end end})) "
    "end",
    "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "local function h() error(h) end while true do xpcall(error, h) end",
    "repeat local ok, e = pcall(function() while true do end end) until false",
    "::again:: pcall(function() while true do end end) goto again",
    "local function f(...) return pcall(f, ...) end while true do f() end",
    "local function f() return xpcall(f, f) end while true do f() end",
    "local e = {} local function f() local ok, x = pcall(error, e) return f(x) end return f()",
    /* coroutines around the hook */
    "local co co = coroutine.wrap(function() while true do coroutine.yield(pcall(function() while "
    "true do end end)) end end) while true do co() end",
    "local function spawn() return coroutine.wrap(function() return spawn() end)() end while true "
    "do pcall(spawn) end",
    "local function spawn() local co = coroutine.create(spawn) coroutine.resume(co) while true do "
    "end end spawn()",
    "while true do local co = coroutine.create(function() coroutine.yield() end) "
    "coroutine.resume(co) coroutine.close(co) end",
    "local main = coroutine.running() local co = coroutine.wrap(function() while true do "
    "coroutine.close(main) end end) while true do pcall(co) end",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = "
    "function() coroutine.yield() while true do end end}) end) coroutine.resume(co) while true do "
    "coroutine.resume(co) end",
    "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
    "for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end",
    /* work inside one call of C */
    "while true do load(('x=1 '):rep(2000)) end",
    "load(function() return 'x = 1 ' end)",
    "while true do local s = ('%s'):rep(90):format(table.unpack({}, 1, 90)) end",
    "local s = ('x'):rep(1 << 20) while true do local t = s:upper() end",
    "local s = ('x'):rep(1 << 20) while true do local t = s:reverse() .. s end",
    "local s = ('x'):rep(1 << 20) while true do local t = ('%s%s'):format(s, s) end",
    "local s = ('x'):rep(1 << 20) while true do local t = s:sub(2) end",
    "local s = ('x'):rep(1 << 18) while true do local a = utf8.len(s) end",
    "local s = ('x'):rep(1 << 18) while true do utf8.offset(s, -1) utf8.offset(s, 1 << 17) end",
    "local s = ('\\0'):rep(1 << 21) local a, b = s .. 'a', s .. 'b' while true do local x = a < b "
    "end",
    "local s = ('\\0'):rep(1 << 19) local t = {} for i = 1, 12 do t[i] = s .. i end while true do "
    "table.sort(t) end",
    "local s = ('x'):rep(1 << 20) while true do local a = s .. 'a' == s .. 'b' end",
    "local t = {} for i = 1, 1e5 do t[i] = 'x' end while true do table.concat(t, ',') end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do for k in pairs(t) do break end end",
    "local t = {} for i = 1, 5e4 do t['k' .. i] = i end while true do for k in pairs(t) do break "
    "end end",
    "while true do string.pack(('i'):rep(200), table.unpack({}, 1, 200)) end",
    "while true do collectgarbage() end",
    "while true do math.random(1 << 40) end",
    /* patterns */
    "return (('a'):rep(5000)):match(('(a*)'):rep(30) .. 'b')",
    "return (('ab'):rep(5000)):match('(.-)%1' .. ('.-'):rep(12) .. 'c')",
    "return (('x'):rep(20000)):gsub('%f[x]x*x*x*x*y', '')",
    "return (('('):rep(40000)):gsub('%b()', '')",
    "return (('a'):rep(20000)):gsub('a*a*a*$', 'b', 20000) .. (('a'):rep(20000)):find('^(a+)+a*b')",
    "for _ in (('x'):rep(1 << 18)):gmatch('()(.-)()(.-)y') do end",
    "return (('a'):rep(1 << 16)):gsub('', ('b'):rep(1 << 12))",
    "return (('a'):rep(1 << 16)):gsub('a', '%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0' .. ('%0'):rep(4000))",
    "return (('a'):rep(100)):gsub('a', function() return (('a'):rep(100)):gsub('a', function() "
    "while true do end end) end)",
    /* memory */
    "local t = {} for i = 1, 1e9 do t[i] = {} end",
    "local t = {} while true do t[#t + 1] = function() return t end end",
    "local s = '' while true do s = s .. ('x'):rep(1 << 16) end",
    "local t = {} for i = 1, 64 do t = {t, t, ('x'):rep(1 << 20) .. i} end while true do end",
    "table.pack(table.unpack({}, 1, 900000)) while true do table.pack(table.unpack({}, 1, 100000)) "
    "end",
    "return ('x'):rep(1 << 25)",
    "string.format('%99.99f', 1e308) return ('%99.99f'):rep(1000):format(1)",
};

static void test_nothing_goes_on_past_its_limit(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    /* It does not see the jumps of a liblua built with fortified longjmp: each error that a pcall catches stays in
     * its record of the stack, which is full after 65,536 of them. */
    skip();
#endif
    hone_lua *l = open_lua();
    int open = 0;
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        hone_status s = run(l, endless[i]);
        if (s != HONE_E_LIMIT && s != HONE_E_SCRIPT) {
            fprintf(stderr, "%zu ended with %d: %s\n", i, (int)s, endless[i]);
            open++;
        }
        assert_ok(run(l, "return 1")); /* what was raised belongs to that call */
    }
    assert_int_equal(open, 0);
    hone_lua_destroy(l);
}

/* A coroutine that the hook ended has its hooks off for good: what it was to close may not run later. */
static void test_a_stopped_coroutine_stays_stopped_in_later_calls(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    assert_fails(run(l, "co = coroutine.create(function() local x <close> = setmetatable({}, "
                        "{__close = function() while true do end end}) while true do end end)\n"
                        "coroutine.resume(co)"),
                 HONE_E_LIMIT, "stopped after");
    assert_fails(run(l, "coroutine.close(co)"), HONE_E_SCRIPT, "cannot be closed");
    assert_fails(run(l, "assert(coroutine.resume(co))"), HONE_E_SCRIPT, "dead coroutine");
    assert_fails(run(l, "w = coroutine.wrap(function() local x <close> = setmetatable({}, {__close "
                        "= function() while true do end end}) while true do end end)\nw()"),
                 HONE_E_LIMIT, "stopped after");
    assert_fails(run(l, "w()"), HONE_E_SCRIPT, "dead coroutine");
    assert_ok(run(l, "co, w = nil collectgarbage() return 1"));
    hone_lua_destroy(l);
}

/* An object with a class keeps its list in itself: only a length of its own is refused. */
static void test_lists_with_a_class_are_lists(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    assert_ok(run(l, "local Stack = {} Stack.__index = Stack function Stack:push(x) "
                     "table.insert(self, x) return self end\n"
                     "local s = setmetatable({}, Stack):push(3):push(1):push(2) table.sort(s)\n"
                     "return table.concat(s, ',') .. table.remove(s) .. table.unpack(s)"));
    assert_string_equal(lua_tostring(hone_lua_main(l), -1), "1,2,331");
    assert_ok(run(l, "return #table.move({1, 2, 3}, 1.0, 3.0, 2) == 4 and table.unpack({1, 2}, "
                     "'2') == 2"));
    assert_true(lua_toboolean(hone_lua_main(l), -1));
    assert_fails(run(l, "table.insert(setmetatable({}, {__len = function() return 0 end}), 1)"),
                 HONE_E_SCRIPT, "__len of its own");
    hone_lua_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_goes_on_past_its_limit),
        cmocka_unit_test(test_a_stopped_coroutine_stays_stopped_in_later_calls),
        cmocka_unit_test(test_lists_with_a_class_are_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
