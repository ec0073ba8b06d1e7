/* The recipe's Lua: what it may do, what it may not, and what stops it. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "lua/state.h"

#include <pthread.h>
#include <sys/stat.h>

static hone_lua *open_lua(void)
{
    hone_lua_opts o = {.seed = 7,
                       .guard_steps = 3000000,
                       .guard_memory = 8 << 20,
                       .memory = 64 << 20,
                       .lib_dir = scratch_path("lib"),
                       .recipe_dir = scratch_path("recipe")};
    hone_lua *l = NULL;
    mkdir(o.lib_dir, 0755);
    mkdir(o.recipe_dir, 0755);
    assert_ok(hone_lua_create(&o, &l));
    return l;
}

/* Runs a chunk, guarded or not; its one result stays on the stack. */
static hone_status run(hone_lua *l, const char *text, int guarded)
{
    lua_State *L = hone_lua_main(l);
    lua_settop(L, 0);
    HONE_TRY(hone_lua_load_text(l, text, strlen(text), "=chunk"));
    if (guarded)
        hone_lua_guard_enter(L, 0);
    hone_status s = hone_lua_pcall(L, 0, 1), g = HONE_OK;
    if (guarded)
        g = hone_lua_guard_leave(L);
    return g < 0 ? g : s;
}

static void test_what_a_recipe_needs_is_there(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "return #('abc'):rep(3) == 9 and ('x'):upper() == 'X'",
        "local t = {3,1,2}; table.sort(t); return t[1] == 1 and table.concat(t, ',') == '1,2,3'",
        "local ok, e = pcall(error, 'x'); return not ok and e == 'x'",
        "local ok, a, b = pcall(function() return 1, 2 end); return ok and a == 1 and b == 2",
        "local ok, e = xpcall(error, function(m) return m .. '!' end, 'x'); return not ok and e == "
        "'x!'",
        "local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1); return b * 2 "
        "end)\n"
        "return co(1) == 2 and co(21) == 42",
        "local co = coroutine.create(function() error('in') end)\n"
        "local ok, e = coroutine.resume(co); return not ok and e:find('in') and "
        "coroutine.status(co) == 'dead'",
        "local co = coroutine.wrap(function() pcall(function() coroutine.yield(1) error('x') end) "
        "return 2 end)\n"
        "return co() == 1 and co() == 2",
        "local f = load('return 1 + 1'); return f() == 2",
        "local f = load('return x', 'n', 't', {x = 5}); return f() == 5",
        "local n = 0; local f = load(function() n = n + 1; return ({'return ', '7'})[n] end); "
        "return f() == 7",
        "local f, e = load('return ('); return f == nil and type(e) == 'string'",
        "return math.floor(2.5) == 2 and math.pi > 3 and utf8.char(228) == '\\u{e4}'",
        "local s = ''; for k in pairs{b = 1, a = 2, [3] = 3, [1] = 1} do s = s .. k end; return s "
        "== '13ab'",
        "local s = 0; for i, v in ipairs{1, 2, 3} do s = s + i * v end; return s == 14",
        "local t = setmetatable({}, {__pairs = function() return next, {x = 1}, nil end})\n"
        "for k, v in pairs(t) do return k == 'x' and v == 1 end",
        "local t = {a = 1, b = 2, c = 3}; for k in pairs(t) do t[k] = nil end; return next(t) == "
        "nil",
        "return type(debug.traceback('x')) == 'string' and collectgarbage('count') > 0",
        "local a, b = math.random(), math.random(1, 6); return a >= 0 and a < 1 and b >= 1 and b "
        "<= 6",
    };
    hone_lua *l = open_lua();
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        for (int guarded = 0; guarded < 2; guarded++) {
            assert_ok(run(l, fine[i], guarded));
            if (!lua_toboolean(hone_lua_main(l), -1))
                fprintf(stderr, "%s\n", fine[i]);
            assert_true(lua_toboolean(hone_lua_main(l), -1));
        }
    hone_lua_destroy(l);
}

static void test_ways_out_are_closed(void **state)
{
    (void)state;
    static const char *const escapes[] = {
        "return io",
        "return os",
        "return package",
        "return dofile",
        "return loadfile",
        "return loadstring",
        "return debug.getinfo",
        "return debug.sethook",
        "return debug.getregistry",
        "return debug.setmetatable",
        "return debug.getupvalue",
        "return string.dump",
        "return module",
        "return arg",
        "return newproxy",
        "return _G.io or _G._G.os or _ENV.io",
        "return getmetatable('').__index",
        "return load.io",
        "return require == nil",
        "return (load(string.char(27) .. 'Lua'))",
        "return (load(function() return string.char(27) .. 'LuaT' end, 'x', 'b'))",
        "return (load('return io', 'x', 't'))()",
        "return (pcall(require, 'os'))",
        "return (pcall(require, 'io'))",
        "return (pcall(require, 'package'))",
        "return (pcall(require, '../secret'))",
        "return (pcall(require, '..secret'))",
        "return (pcall(require, '/etc/passwd'))",
        "return (pcall(require, 'a/b'))",
        "return (pcall(require, 'link'))",
        "return (pcall(require, ''))",
        "return (pcall(require, 'a\\0b'))",
        "return (pcall(collectgarbage, 'stop'))",
        "return (pcall(collectgarbage, 'incremental'))",
        "return (pcall(setmetatable, {}, {__gc = function() end}))",
        "return (pcall(setmetatable, '', {}))",
        "getmetatable('').__index = nil",
        "string.rep = nil; return ('x').rep",
    };
    hone_lua *l = open_lua();
    char path[300], target[300];
    snprintf(target, sizeof target, "%s/secret.lua", scratch_dir());
    assert_ok(hone_file_replace(target, "return 'secret'", 15));
    snprintf(path, sizeof path, "%s/link.lua", scratch_path("recipe"));
    unlink(path);
    assert_int_equal(symlink(target, path), 0); /* inside by name, outside in truth */
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        hone_status s = run(l, escapes[i], 0);
        int open = s >= 0 && lua_toboolean(hone_lua_main(l), -1);
        if (open)
            fprintf(stderr, "open: %s\n", escapes[i]);
        assert_false(open);
    }
    assert_fails(hone_lua_load_text(l, "\x1bLua", 4, "@x.luac"), HONE_E_SCRIPT, "compiled Lua");
    hone_lua_destroy(l);
}

static void test_endless_work_is_stopped(void **state)
{
    (void)state;
    static const char *const bombs[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) "
        "end",
        "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do local c <close> = setmetatable({}, {__close = function() while true do end "
        "end}) end",
        "local co = coroutine.create(function() local c <close> = setmetatable({}, {__close = "
        "function() while true do end end})"
        " coroutine.yield() end) coroutine.resume(co) while true do pcall(coroutine.close, co) end",
        "local co = coroutine.create(function() local c <close> = setmetatable({}, {__close = "
        "function() while true do end end})"
        " while true do end end) local d <close> = setmetatable({}, {__close = function() "
        "coroutine.close(co) end})"
        " coroutine.resume(co)",
        "return (('a'):rep(300000)):find(('a-'):rep(20) .. 'b')",
        "return (('a'):rep(30)):match(('a?'):rep(30) .. ('a'):rep(31) .. 'b*$' .. ('a*'):rep(10) "
        ".. 'c')",
        "return (('x'):rep(200000)):gsub('(.-)(.-)(.-)(.-)y', '')",
        "for a in (('a'):rep(100000)):gmatch('.-.-.-b') do end",
        "return ((' '):rep(100000)):find('%s*%s*%s*x')",
        "return (('('):rep(100000)):find('%b()%b()')",
        "return ('x'):rep(1 << 40)",
        "return (''):rep(1 << 62)",
        "return ('x'):rep(1 << 20, ('y'):rep(1 << 20))",
        "local t = {} for i = 1, 1000000 do t[i] = (i * 7919) % 1000003 end table.sort(t) "
        "table.sort(t)",
        "local t = {} for i = 1, 200000 do table.insert(t, 1, i) end",
        "local t = setmetatable({}, {__index = function() return '' end}) return table.concat(t, "
        "'', 1, 1 << 50)",
        "return table.unpack({}, 1, 1 << 50)",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "local t = {} while true do t = {t} end",
        "while true do load('return ' .. ('('):rep(100) .. '1' .. (')'):rep(100)) end",
        "while true do tostring(setmetatable({}, {__tostring = function() while true do end end})) "
        "end",
        "table.sort({3, 1, 2}, function(a, b) while true do end end)",
        "return (('a'):gsub('a', function() while true do end end))",
        "local function f() return f() end return f()",
        "local function f() return 1 + f() end while true do pcall(f) end",
    };
    hone_lua *l = open_lua();
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        hone_status s = run(l, bombs[i], 1);
        int harmless = strstr(bombs[i], "('')") != NULL; /* ("").rep of a huge count is simply "" */
        if (s >= 0 && !harmless)
            fprintf(stderr, "not stopped: %s\n", bombs[i]);
        assert_true(harmless ? s == HONE_OK : s == HONE_E_LIMIT || s == HONE_E_SCRIPT);
    }
    assert_ok(run(l, "return 1 + 1", 1)); /* and the state is as good as before */
    hone_lua_destroy(l);
}

static void test_a_limit_is_named_and_forgotten_after_the_guard(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    assert_fails(run(l, "while true do end", 1), HONE_E_LIMIT, "stopped after 3000000 steps");
    assert_ok(
        run(l, "for i = 1, 10000000 do end return true", 0)); /* the recipe itself has no limit */
    lua_State *L = hone_lua_main(l);
    assert_ok(hone_lua_load_text(l, "while true do end", 17, "=x"));
    hone_lua_guard_enter(L, 1); /* a deadline long past */
    hone_lua_pcall(L, 0, 0);
    assert_fails(hone_lua_guard_leave(L), HONE_E_TIMEOUT, "deadline");
    hone_lua_destroy(l);
}

/* 3,000,000 steps: each of these would take many times that if a call cost as much as its whole text or list. */
static void test_functions_on_parts_cost_their_part(void **state)
{
    static const char *const cheap[] = {
        "local s, n = ('a'):rep(1000000), 0 for i = 1, 50000 do n = n + s:byte(i) end return n",
        "local s, n = ('a'):rep(1000000), 0 for i = 1, 50000 do n = n + s:byte(-i) end return n",
        "local s, n = ('a'):rep(1000000), 0 for i = 1, 50000 do n = n + s:len() end return n",
        "local t = {} for i = 1, 50000 do table.insert(t, i) end "
        "for i = 1, 50000 do table.remove(t) end return #t",
        "local s, n = ('a'):rep(1000000), 0 for i = 1, 50000 do n = n + utf8.len(s, i, i) end",
        "local s, n = ('a'):rep(1000000), 0 for i = 1, 50000 do n = utf8.offset(s, 2, i) end",
    };
    static const char *const dear[] = {
        "local s = ('a'):rep(4000000) for i = 1, 10000 do s:byte(1, 200000) end",
        "local t = {} for i = 1, 100000 do t[i] = i end "
        "for i = 1, 100000 do table.insert(t, 1, i) end",
        "local t = {} for i = 1, 100000 do t[i] = i end "
        "for i = 1, 100000 do table.remove(t, 1) end",
        "local s = ('a'):rep(1000000) for i = 1, 100000 do utf8.len(s) end",
        "local s = ('a'):rep(1000000) for i = 1, 100000 do utf8.offset(s, -1000000) end",
        "local f = ('%d'):rep(100000) for i = 1, 100000 do pcall(string.format, f) end",
        "local f = ('b'):rep(1000000) for i = 1, 100000 do string.packsize(f) end",
        "local s = ('a'):rep(1000000) for i = 1, 100000 do local x = s:sub(2) end",
        "local s = ('a'):rep(1000000) for i = 1, 100000 do local x = ('%s'):format(s) end",
        "local a, b = ('\\0'):rep(1000):rep(2000), ('\\0'):rep(1000):rep(2000) "
        "for i = 1, 1000000 do local x = a < b end",
    };
    (void)state;
    hone_lua *l = open_lua();
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
        assert_ok(run(l, cheap[i], 1));
    for (size_t i = 0; i + 1 < sizeof dear / sizeof *dear; i++)
        assert_fails(run(l, dear[i], 1), HONE_E_LIMIT, "stopped after 3000000 steps");
    /* a comparison of texts full of zeros takes 10 ns a byte: the deadline is looked at after few of them */
    lua_State *L = hone_lua_main(l);
    const char *last = dear[sizeof dear / sizeof *dear - 1];
    assert_ok(hone_lua_load_text(l, last, strlen(last), "=x"));
    uint64_t begun = hone_now_ns();
    hone_lua_guard_enter(L, begun + 200000000);
    hone_lua_pcall(L, 0, 0);
    assert_fails(hone_lua_guard_leave(L), HONE_E_TIMEOUT, "deadline");
    hone_lua_destroy(l);
    hone_lua_opts o = {.seed = 7, .memory = (size_t)400 << 20, .guard_memory = (size_t)300 << 20};
    assert_ok(hone_lua_create(
        &o, &l)); /* and a text that one comparison would take a second for is not made */
    assert_ok(run(l, "return #('a'):rep(1000):rep(60000)", 1));
    assert_fails(run(l, "return #('a'):rep(1000):rep(70000)", 1), HONE_E_LIMIT,
                 "more memory than it may");
    hone_lua_destroy(l);
}

static void test_patterns_match_as_the_manual_says(void **state)
{
    (void)state;
    static const char *const checks =
        "local function eq(a, b) if a ~= b then error(tostring(a) .. ' ~= ' .. tostring(b), 2) end "
        "end\n"
        "eq(('hello world'):find('wor'), 7) eq(select(2, ('hello'):find('l+')), 4) "
        "eq(('a.b'):find('.', 1, true), 2)\n"
        "eq(('abc'):find('b', -2), 2) eq(('abc'):find('', 10), nil) eq(('abc'):find('', 4), 4) "
        "eq(('x'):find('y'), nil)\n"
        "eq(('key = value'):match('^(%w+)%s*=%s*(%w+)$'), 'key') eq(select(2, "
        "('k=v'):match('(%w)=(%w)')), 'v')\n"
        "eq(('  trim  '):match('^%s*(.-)%s*$'), 'trim') eq(('abc'):match('()b()'), 2) eq(select(2, "
        "('abc'):match('()b()')), 3)\n"
        "eq(('#### 42'):match('#### (.+)$'), '42') eq(('THE (quick) fox'):find('%((%a+)%)'), 5)\n"
        "eq(('f(a(b)c)d'):match('%b()'), '(a(b)c)') eq(('THE fox'):gsub('%f[%a]%a+', "
        "string.lower), 'the fox')\n"
        "eq(('aa bb'):match('(%a)%1'), 'a') eq(('x^y'):match('[%^]'), '^') "
        "eq(('a]b'):match('[]]'), ']')\n"
        "eq(('a-z'):match('[a%-]+'), 'a-') eq(('0x1F'):match('%x+$'), '1F') "
        "eq(('[[x]]'):match('[^%[%]]+'), 'x')\n"
        "eq(('abc'):gsub('', '-'), '-a-b-c-') eq(select(2, ('abc'):gsub('%w', '%0%0')), 3) "
        "eq(('abc'):gsub('%w', '%0%0', 2), 'aabbc')\n"
        "eq(('hello'):gsub('l', {l = 'L'}), 'heLLo') eq(('hello'):gsub('l', {}), 'hello') "
        "eq(('x'):gsub('x', '%%'), '%')\n"
        "eq(('abc'):gsub('(a)(b)', '%2%1'), 'bac') eq(('abc'):gsub('()', '%1'), '1a2b3c4') eq(('a "
        "b'):gsub('^%a', 'X'), 'X b')\n"
        "local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end "
        "eq(table.concat(t, ' '), 'a1 b2')\n"
        "local n = 0 for w in ('one two'):gmatch('%a*') do n = n + 1 end eq(n, 2)\n"
        "local m = {} for p in ('abc'):gmatch('()') do m[#m + 1] = p end eq(table.concat(m), "
        "'1234')\n"
        "eq(('a\\0b'):find('\\0'), 2) eq(('a\\0b'):match('%z'), '\\0') eq(('\\xe4'):match('%a'), "
        "nil)\n"
        "for _, p in ipairs{'%', '[a', '[%', '(', ')', '%b', '%f', '%1', '(()', ('('):rep(40)} do "
        "eq(pcall(string.match, 'aaa', p), false) end\n"
        "eq(pcall(string.gsub, 'a', 'a', '%2'), false) eq(pcall(string.gsub, 'a', 'a', '%x'), "
        "false)\n"
        "eq(pcall(string.gsub, 'a', 'a', function() return {} end), false)\n"
        "return true";
    hone_lua *l = open_lua();
    assert_ok(run(l, checks, 0));
    hone_lua_destroy(l);
}

static void test_random_numbers_and_order_are_those_of_the_seed(void **state)
{
    (void)state;
    static const char *const draw =
        "return math.random() .. ':' .. math.random(1000) .. ':' .. math.random(0)";
    char first[200];
    hone_lua *l = open_lua();
    assert_ok(run(l, draw, 0));
    snprintf(first, sizeof first, "%s", lua_tostring(hone_lua_main(l), -1));
    uint64_t at = hone_lua_random_position(l);
    assert_ok(run(l, draw, 0));
    assert_string_not_equal(first, lua_tostring(hone_lua_main(l), -1));
    char second[200];
    snprintf(second, sizeof second, "%s", lua_tostring(hone_lua_main(l), -1));
    hone_lua_random_seek(l, at);
    assert_ok(run(l, draw, 0));
    assert_string_equal(second, lua_tostring(hone_lua_main(l), -1));
    hone_lua_destroy(l);
    l = open_lua();
    assert_ok(run(l, draw, 0));
    assert_string_equal(first, lua_tostring(hone_lua_main(l), -1));
    hone_lua_destroy(l);
}

static void test_a_stream_of_its_own_disturbs_nobody(void **state)
{
    (void)state;
    static const char draw[] = "return math.random(1 << 40)";
    hone_lua *l = open_lua();
    lua_State *L = hone_lua_main(l);
    hone_lua_random_seed(l, 5);
    assert_ok(run(l, draw, 0));
    lua_Integer first = lua_tointeger(L, -1);
    hone_lua_random outer = hone_lua_random_enter(l, "map 1", 0, 7);
    assert_ok(run(l, draw, 0));
    lua_Integer in_map = lua_tointeger(L, -1);
    hone_lua_random_set(l, &outer);
    assert_int_equal(hone_lua_random_position(l), 1);
    assert_ok(run(l, draw, 0));
    lua_Integer second = lua_tointeger(L, -1);
    assert_true(first != second && first != in_map);
    /* the same place again gives the same number, another one another */
    outer = hone_lua_random_enter(l, "map 1", 0, 7);
    assert_ok(run(l, draw, 0));
    assert_true(lua_tointeger(L, -1) == in_map);
    hone_lua_random_enter(l, "map 1", 1, 7);
    assert_ok(run(l, draw, 0));
    assert_true(lua_tointeger(L, -1) != in_map);
    hone_lua_random_set(l, &outer);
    hone_lua_random_seed(l, 6);
    assert_ok(run(l, draw, 0));
    assert_true(lua_tointeger(L, -1) != first);
    hone_lua_destroy(l);
}

static void test_errors_become_statuses_with_place_and_traceback(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    assert_fails(run(l, "local x = nil\nreturn x.y", 0), HONE_E_SCRIPT, "chunk:2:");
    assert_string_equal(hone_error_get()->detail, ""); /* one frame, and the text begins with it */
    assert_fails(run(l, "error('mine', 0)", 0), HONE_E_SCRIPT, "mine");
    assert_non_null(strstr(hone_error_get()->detail, "called at "));
    assert_non_null(strstr(hone_error_get()->detail, "chunk:1"));
    assert_fails(run(l, "local function f(x) return x.y.z end\nlocal a = f({})\nreturn a", 0),
                 HONE_E_SCRIPT, "chunk:1:");
    assert_non_null(strstr(hone_error_get()->detail, "traceback"));
    assert_non_null(strstr(hone_error_get()->detail, "chunk:1: in f\n"));
    assert_non_null(strstr(hone_error_get()->detail, "chunk:2: in the main chunk"));
    assert_fails(run(l, "return (", 0), HONE_E_SCRIPT, "chunk:1:");
    assert_fails(run(l, "error({})", 0), HONE_E_SCRIPT, "table:");
    assert_fails(run(l, "error(setmetatable({}, {__tostring = function() return 'mine' end}))", 0),
                 HONE_E_SCRIPT, "mine");
    assert_fails(run(l, "error()", 0), HONE_E_SCRIPT, "nil");
    assert_fails(run(l, "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end", 0),
                 HONE_E_LIMIT, "more memory");
    hone_lua_destroy(l);
}

static int raise_refusal(lua_State *L)
{
    hone_fail(HONE_E_REFUSED, "not without a grant");
    hone_fail_hint("give --allow=net");
    return hone_lua_raise(L);
}

static void test_hones_own_errors_pass_through_lua_unchanged(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    lua_State *L = hone_lua_main(l);
    lua_pushcfunction(L, raise_refusal);
    lua_setglobal(L, "refuse");
    assert_fails(run(l, "refuse()", 0), HONE_E_REFUSED, "not without a grant");
    assert_string_equal(hone_error_get()->hint, "give --allow=net");
    assert_non_null(strstr(hone_error_get()->detail, "chunk:1"));
    assert_ok(run(
        l, "local ok, e = pcall(refuse) return e.code .. '|' .. e.message .. '|' .. tostring(e)",
        0));
    assert_string_equal(lua_tostring(L, -1),
                        "E_REFUSED|not without a grant|not without a grant (give --allow=net)");
    assert_fails(run(l, "local ok, e = pcall(refuse) error(e)", 0), HONE_E_REFUSED,
                 "not without a grant");
    hone_lua_destroy(l);
}

static void test_require_finds_modules_of_library_and_recipe(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    char path[300];
    snprintf(path, sizeof path, "%s/one.lua", scratch_path("lib"));
    static const char one[] =
        "local n = 0 return {next = function() n = n + 1 return n end, name = ...}";
    assert_ok(hone_file_replace(path, one, strlen(one)));
    snprintf(path, sizeof path, "%s/sub", scratch_path("recipe"));
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/sub/init.lua", scratch_path("recipe"));
    assert_ok(hone_file_replace(path, "return require 'one'", 20));
    assert_ok(run(l,
                  "local a, b = require 'one', require 'sub' a.next() return b.next() == 2 and "
                  "a.name == 'one'",
                  0));
    assert_true(lua_toboolean(hone_lua_main(l), -1));
    assert_fails(run(l, "require 'none'", 0), HONE_E_SCRIPT, "module 'none' not found");
    snprintf(path, sizeof path, "%s/broken.lua", scratch_path("lib"));
    assert_ok(hone_file_replace(path, "return (", 8));
    assert_fails(run(l, "require 'broken'", 0), HONE_E_SCRIPT, "broken.lua:1:");
    hone_lua_destroy(l);
}

static void test_values_go_there_and_back(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    lua_State *L = hone_lua_main(l);
    hone_arena a;
    hone_value v, w;
    hone_arena_init(&a, 0);
    assert_ok(
        run(l, "return {z = 1, a = {1, 2.5, 'x', true}, m = {}, b = '\\xff', [7] = 'seven'}", 0));
    assert_ok(hone_lua_to_value(L, -1, &a, &v));
    hone_buf b;
    hone_jw jw;
    hone_buf_init(&b, 1000);
    hone_jw_init(&jw, &b, 0);
    assert_int_equal(hone_value_get(&v, "b")->type, HONE_BYTES);
    assert_int_equal(v.u.map.n, 5);
    hone_jw_value(&jw, hone_value_get(&v, "a"));
    assert_string_equal(b.ptr, "[1,2.5,\"x\",true]");
    assert_true(hone_str_eq(v.u.map.pairs[0].key, "7") &&
                hone_str_eq(v.u.map.pairs[4].key, "z")); /* sorted */
    hone_lua_push_value(L, &v);
    assert_ok(hone_lua_to_value(L, -1, &a, &w));
    assert_true(hone_value_equal(&v, &w));
    assert_ok(run(l, "return {a = {b = {print}}}", 0));
    assert_fails(hone_lua_to_value(L, -1, &a, &v), HONE_E_TYPE,
                 "a.b[1]: a function is no plain value");
    assert_ok(run(l, "local t = {} t.t = t return t", 0));
    assert_fails(hone_lua_to_value(L, -1, &a, &v), HONE_E_TYPE, "nested too deep");
    assert_ok(run(l, "return {[1.5] = 1}", 0));
    assert_fails(hone_lua_to_value(L, -1, &a, &v), HONE_E_TYPE, "neither a string nor an integer");
    assert_ok(run(l, "return {x = 1, [1] = 2, ['1'] = 3}", 0));
    assert_fails(hone_lua_to_value(L, -1, &a, &v), HONE_E_TYPE, "the same key");
    hone_buf_release(&b);
    hone_arena_release(&a);
    hone_lua_destroy(l);
}

/* ---- the queue --------------------------------------------------------------------------------- */

struct task {
    hone_lua *l;
    uint64_t deadline;
    hone_status status;
    char what[600];
    int ran, finished;
};

static hone_status touch(void *arg, lua_State *L)
{
    struct task *t = arg;
    t->ran++;
    assert_true(hone_lua_on_control(hone_lua_of(L)));
    lua_pushinteger(L, 1);
    return t->ran > 1 ? hone_fail(HONE_E_IO, "second time") : 5;
}

static void *other_thread(void *arg)
{
    struct task *t = arg;
    t->status = hone_lua_call_on_control(t->l, touch, t, t->deadline);
    snprintf(t->what, sizeof t->what, "%s", hone_error_get()->what);
    __atomic_store_n(&t->finished, 1, __ATOMIC_RELEASE);
    hone_lua_wake(t->l);
    return NULL;
}

static int is_finished(void *arg)
{
    return __atomic_load_n(&((struct task *)arg)->finished, __ATOMIC_ACQUIRE);
}

static void test_calls_from_other_threads_run_while_the_control_thread_pumps(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    struct task t = {.l = l};
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        t.finished = 0;
        assert_int_equal(pthread_create(&thread, NULL, other_thread, &t), 0);
        hone_lua_pump_until(l, is_finished, &t);
        pthread_join(thread, NULL);
        assert_int_equal(t.ran, i + 1);
        assert_int_equal(t.status, i ? HONE_E_IO : 5);
    }
    assert_string_equal(t.what, "second time"); /* the error crossed to the caller's thread */
    assert_int_equal(hone_lua_call_on_control(l, touch, &(struct task){.l = l}, 0),
                     5); /* at once, from this one */
    assert_int_equal(lua_gettop(hone_lua_main(l)), 0);
    hone_lua_destroy(l);
}

static void test_a_deadline_includes_the_wait_in_the_queue(void **state)
{
    (void)state;
    hone_lua *l = open_lua();
    struct task t = {.l = l, .deadline = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &t), 0);
    pthread_join(thread, NULL); /* nobody pumps */
    assert_int_equal(t.status, HONE_E_TIMEOUT);
    assert_int_equal(t.ran, 0);
    assert_int_equal(hone_lua_pump(l), 0);
    hone_lua_destroy(l);
}

static hone_status make_and_destroy(void)
{
    hone_lua_opts o = {.seed = 1, .lib_dir = "/tmp"};
    hone_lua *l;
    HONE_TRY(hone_lua_create(&o, &l));
    hone_lua_destroy(l);
    return HONE_OK;
}

static void test_lack_of_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_no_memory(make_and_destroy());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_recipe_needs_is_there),
        cmocka_unit_test(test_ways_out_are_closed),
        cmocka_unit_test(test_endless_work_is_stopped),
        cmocka_unit_test(test_a_limit_is_named_and_forgotten_after_the_guard),
        cmocka_unit_test(test_functions_on_parts_cost_their_part),
        cmocka_unit_test(test_patterns_match_as_the_manual_says),
        cmocka_unit_test(test_random_numbers_and_order_are_those_of_the_seed),
        cmocka_unit_test(test_a_stream_of_its_own_disturbs_nobody),
        cmocka_unit_test(test_errors_become_statuses_with_place_and_traceback),
        cmocka_unit_test(test_hones_own_errors_pass_through_lua_unchanged),
        cmocka_unit_test(test_require_finds_modules_of_library_and_recipe),
        cmocka_unit_test(test_values_go_there_and_back),
        cmocka_unit_test(test_calls_from_other_threads_run_while_the_control_thread_pumps),
        cmocka_unit_test(test_a_deadline_includes_the_wait_in_the_queue),
        cmocka_unit_test(test_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
