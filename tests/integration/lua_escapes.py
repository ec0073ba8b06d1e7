"""lua_escapes.py - ways out of a recipe that somebody might try, each a trick of its own: none may reach a file, a program or
memory that is not the recipe's, end hone by a signal, or outlast its limit. (tests/unit/test_lua_escapes.c has those that
need small limits.)

Every attempt is a recipe of its own. It prints ESCAPED where it got through; a refusal is an error or a value that says no."""
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
TOP = pathlib.Path(work.name)
HOME = TOP / "recipe"
OUT = TOP / "outside"
for d in (HOME, OUT, OUT / "model", HOME / "data"):
    d.mkdir(parents=True)
(OUT / "rows.jsonl").write_text('{"prompt":"x","completion":"secret"}\n')
(OUT / "secret.txt").write_text("secret\n")
(OUT / "mod.lua").write_text('return { secret = "secret" }\n')
(HOME / "rows.jsonl").write_text('{"prompt":"a","completion":"b"}\n{"prompt":"c","completion":"d"}\n')
os.symlink(OUT / "rows.jsonl", HOME / "link.jsonl")
os.symlink(OUT, HOME / "folder")
os.symlink(OUT / "mod.lua", HOME / "linked.lua")
os.symlink(OUT / "rows.jsonl", HOME / "data" / "rows.jsonl")

HEAD = """local hone, core = require "hone", require "hone.core"
local OUT = "%s"
local function got(x) if x then print("ESCAPED", x) end end
local function try(f, ...) local ok, x = pcall(f, ...) if ok then return x end end
local function first(rows) local r = try(rows.next, rows) return r and r.completion == "secret" and "a row of outside" end
local function source(...) local s = try(hone.source, ...) return s and first(s) end
local function raw(...) local s = try(core.source, ...) local r = s and try(core.data_next, s) return r and r.completion == "secret" and "a row of outside" end
local function policy(c) c = c or {} c.model = c.model or "tiny" return hone.run { name = "e", seed = 1 }:policy(c) end
""" % OUT

# name, recipe; "limits": what it must say, where that matters
TRIES = [
    # ---- files that are not the recipe's to read
    ("an absolute path", 'got(source("jsonl", { path = OUT .. "/rows.jsonl" }))'),
    ("a path with ..", 'got(source("jsonl", { path = "../outside/rows.jsonl" }))'),
    ("a link to a file", 'got(source("jsonl", { path = "link.jsonl" }))'),
    ("a link to a folder", 'got(source("jsonl", { path = "folder/rows.jsonl" }))'),
    ("around hone.rows, by hone.core", 'got(raw("jsonl", { path = OUT .. "/rows.jsonl" }))'),
    ("by hone.core and a link", 'got(raw("jsonl", { path = "link.jsonl" }))'),
    ("by a component of the core", 'local c = try(core.component, "source", "jsonl", { path = OUT .. "/rows.jsonl" }) got(c and raw(c))'),
    ("by hone.component", 'local c = try(hone.component, "source", "jsonl", { path = OUT .. "/rows.jsonl" }) got(c and "made")'),
    ("by the full id", 'got(raw("org.hone.source.jsonl", { path = OUT .. "/rows.jsonl" }))'),
    ("by another source of the same file", 'got(raw("json", { path = OUT .. "/rows.jsonl" }) or raw("txt", { path = OUT .. "/secret.txt" }))'),
    ("a folder of outside", 'got(raw("dir", { path = OUT }) or raw("txt", { path = OUT }))'),
    ("a link inside a folder", 'got(raw("jsonl", { path = "data" }) or raw("txt", { path = "data" }) or raw("dir", { path = "data" }))'),
    ("a path with NUL", 'got(raw("jsonl", { path = "rows.jsonl\\0/../../outside/rows.jsonl" }) or raw("jsonl", { path = OUT .. "/rows.jsonl\\0" }))'),
    ("the proc file system", 'got(raw("txt", { path = "/proc/self/environ" }) or try(core.find_file, "/proc/self/environ"))'),
    ("/proc/self/cwd", 'got(raw("txt", { path = "/proc/self/root" .. OUT .. "/secret.txt" }))'),
    ("a list of paths", 'got(raw("jsonl", { path = { OUT .. "/rows.jsonl" } }))'),
    ("a file: path", 'got(raw("jsonl", { path = "file:" .. OUT .. "/rows.jsonl" }) or raw("jsonl", { path = "file://" .. OUT .. "/rows.jsonl" }))'),
    ("a secret that is a file", 'local ok, e = pcall(core.source, "http", { url = "http://127.0.0.1:9/", secret = "file:" .. OUT .. "/secret.txt" }) got(ok and "read") got(not tostring(e):find "may not read" and e)'),
    ("find_file", 'got(try(core.find_file, OUT .. "/secret.txt"))'),
    ("a program to run", 'got(try(core.source, "duckdb", { path = "rows.jsonl", program = "/bin/sh" }))'),
    ("a query that reads", 'got(try(core.source, "duckdb", { path = "rows.jsonl", query = "select * from read_text(\'/etc/passwd\')" }))'),
    ("the program as a component", 'got(try(core.component, "source", "duckdb", { path = "rows.jsonl", program = "/bin/sh" }))'),
    ("a tokenizer of outside", 'got(try(hone.tokenizer, OUT .. "/model") or try(core.tokenizer, "../outside/model"))'),
    ("a model of outside", 'got(try(policy, { model = OUT .. "/model" }))'),
    ("a module of outside by a link", 'local m = try(require, "linked") got(m and m.secret)'),
    ("a module by a path", 'got(try(require, OUT .. "/mod") or try(require, "../outside/mod") or try(require, "folder/mod") or try(require, "folder.mod"))'),
    ("package.loaded and searchers", 'got(package or try(require, "package") or try(require, "_G") or try(require, "string"))'),
    ("a plugin by its file", 'got(try(hone.reward, OUT .. "/x.so") or try(hone.component, "reward", "./x.so"))'),
    # ---- writing
    ("a run named with ..", 'try(hone.run, { name = "../../outside/run" })'),
    ("a run named by a path", 'try(hone.run, { name = OUT .. "/run" })'),
    ("a policy named with ..", 'local run = hone.run { name = "e", seed = 1 } try(run.policy, run, { model = "tiny", name = "../../../../outside/p", optimizer = { "adamw", lr = 1 } }) try(run.save, run)'),
    ("saving a policy outside", 'local p = policy() got(pcall(p.save, p, OUT .. "/saved") and "saved")'),
    ("saving by the core", 'local p = policy() got(pcall(core.policy_save, p.ud, "../outside/saved", "f32") and "saved")'),
    ("writing a file of the run outside", 'local run = hone.run { name = "e" } for _, f in pairs { "write", "path" } do if run[f] then got(f == "write" and pcall(run[f], run, "../../../outside/x.txt", "x") and "written") end end'),
    ("a file of the run by an absolute path", 'local run = hone.run { name = "e" } got(run.write and pcall(run.write, run, OUT .. "/x.txt", "x") and "written")'),
    ("an adapter named with ..", 'local p = policy { lora = { rank = 2 }, optimizer = { "adamw", lr = 1 } } local a = try(p.adapter, p, "../../../../outside/a") if a then try(p.run.save, p.run) end'),
    ("a stage named with ..", 'local run = hone.run { name = "e" } try(run.stage, run, "../../../outside/s", function() end)'),
    # ---- the language
    ("io, os, debug", 'got(io or os or debug.getinfo or debug.sethook or debug.getregistry or debug.setmetatable or debug.upvaluejoin or debug.getupvalue)'),
    ("bytecode", 'got(load("\\27Lua") or load(function() local x = "\\27LuaT" return x end, "x", "b") or string.dump)'),
    ("the metatable of strings", 'local m = getmetatable("") got(type(m) == "table" and "metatable") got(pcall(setmetatable, "", {}) and "set")'),
    ("the globals' metatable", 'setmetatable(_G, { __index = function(_, k) return k end }) local ok = pcall(function() return io.open end) got(rawget(_G, "io"))'),
    ("a loaded chunk's globals", 'local f = load("return _ENV") local e = f() got(e.io or e.os or e.package) local g = load("return io", "x", "t", setmetatable({}, { __index = _G })) got(g())'),
    ("preloaded modules", 'got(try(require, "ffi") or try(require, "hone.core.io") or try(require, "debug") or try(require, "io"))'),
    ("a name with a NUL", 'got(try(require, "hone\\0/../../outside/mod"))'),
    # ---- userdata of hone
    ("a handle of another type", 'local s = core.source("jsonl", { path = "rows.jsonl" }) for k, f in pairs(core) do if type(f) == "function" and k:find "^policy" then assert(not pcall(f, s), k) end end'),
    ("a table for a userdata", 'for k, f in pairs(core) do if type(f) == "function" and (k:find "^policy" or k:find "^rollout" or k:find "^data" or k == "encode" or k == "close") then assert(not pcall(f, { p = 1 }), k) assert(not pcall(f, core.null), k) assert(not pcall(f, "x"), k) end end'),
    ("metatables of userdata", 'local s = core.source("jsonl", { path = "rows.jsonl" }) local c = hone.component("reward", "length", { value = 3 }) got(getmetatable(s) or getmetatable(c.component) or getmetatable(core.interface(c.component, "hone.reward/1")))'),
    ("closing twice", 'local s = core.source("jsonl", { path = "rows.jsonl" }) core.close(s) core.close(s) assert(not pcall(core.data_next, s)) local p = policy() core.close(p.ud) core.close(p.ud) assert(not pcall(core.policy_info, p.ud))'),
    ("a handle after close", 'local c = hone.component("reward", "length", { value = 3 }) local h = core.interface(c.component, "hone.reward/1") assert(h:score { { completion = "abc" } }) h:close() h:close() assert(not pcall(h.score, h, {}))'),
    ("a method on a forged self", 'local h = core.interface(hone.component("reward", "length", { value = 3 }).component, "hone.reward/1") for _, x in ipairs { {}, "x", core.null, core.abstain, h.score, coroutine.create(print), core.source("jsonl", { path = "rows.jsonl" }) } do assert(not pcall(h.score, x, {})) assert(not pcall(h.close, x)) end'),
    ("another interface's method", 'local a = core.interface(hone.component("reward", "length", { value = 3 }).component, "hone.reward/1") local b = core.interface(hone.component { kind = "sink", id = "s", event = print }.component, "hone.sink/1") assert(not pcall(a.score, b, {}) and not pcall(b.event, a, "x", {}))'),
    ("an error object as a handle", 'local _, e = pcall(core.fail, "E_IO", "x") assert(e.code == "E_IO" and getmetatable(e) == "hone.error") for k, f in pairs(core) do if type(f) == "function" and k:find "^data_" then assert(not pcall(f, e)) end end'),
    ("a sample after its call", 'local kept local r = hone.component { kind = "reward", id = "k", score = function(b) kept = b[1] return { 1 } end } r:score { { completion = "x" } } assert(not pcall(function() return kept.completion end))'),
    ("an array after its call", 'local kept local r = hone.component { kind = "reward", id = "k", score = function(b) kept = b[1].tokens return { 1 } end } r:score { { completion = "x", tokens = { 1, 2 } } } assert(not pcall(function() return kept[1] end) and not pcall(function() return #kept end))'),
    ("a sink after its call", 'local kept local c = hone.component { kind = "tokenizer", id = "k", encode = function(t, f, s) kept = s return { { 1 } } end, decode = function() return {} end, vocab_size = 9 } local raw = core.lua_component({ kind = "judge", id = "j", judge = function(items, sink) kept = sink end }) core.interface(raw, "hone.judge/1"):judge { { candidates = { "x" } } } assert(kept and not pcall(kept.put, kept, 0, { status = 1 }))'),
    ("writing where it may not be", 'local r = hone.component { kind = "reward", id = "k", score = function(b) b[1].id = 5 return { 1 } end } assert(not pcall(r.score, r, { { completion = "x" } })) local o = hone.component { kind = "optimizer", id = "o", step = function(s) s[1].grad[1] = 5 end } assert(not pcall(o.step, o, { { param = { 1 }, grad = { 1 } } }, { grad_scale = 1 }))'),
    ("an index past an array", 'local o = hone.component { kind = "optimizer", id = "o", step = function(s) assert(s[1].param[2] == nil and s[1].param[0] == nil and s[1].param[-1] == nil and s[2] == nil) s[1].param[2] = 5 end } assert(not pcall(o.step, o, { { param = { 1 }, grad = { 1 } } }, { grad_scale = 1 }))'),
    ("counts that lie", 'local o = hone.component { kind = "optimizer", id = "o", step = function(s) got(s[1].param[1000000] and "past the end") end } assert(not pcall(o.step, o, { { param = { 1 }, grad = { 1, 2 }, length = 1 } }, {})) pcall(o.step, o, { { param = { 1 }, grad = { 1 }, length = 1000000 } }, {})'),
    ("a count without its list", 'local o = hone.component { kind = "optimizer", id = "o", step = function(s) for i = 1, s[1].length do got(s[1].param and s[1].param[i]) end end } pcall(o.step, o, { { length = 1000000 } }, {})'),
    ("a huge number of results", 'local t = hone.component { kind = "model", id = "m", forward = function() return 0 end } got(try(t.forward, t)) local c = hone.component { kind = "tokenizer", id = "k", encode = function() return {} end, decode = function() return {} end, vocab_size = 1 << 40 } got(pcall(c.vocab_size, c) and c:vocab_size() > 0 and "too large")'),
    # ---- what is used while it is used
    ("closing rows in their own map", 'local r r = hone.source("jsonl", { path = "rows.jsonl" }):map(function(x) core.close(r.data) return x end) pcall(r.next, r) pcall(r.next, r)'),
    ("reading rows in their own map", 'local r r = hone.source("jsonl", { path = "rows.jsonl" }):map(function(x) r:next() return x end) for i = 1, 4 do pcall(r.next, r) end'),
    ("rewinding rows in their own filter", 'local r r = hone.source("jsonl", { path = "rows.jsonl" }):filter(function(x) r:rewind() return true end) for i = 1, 4 do pcall(r.next, r) end'),
    ("longer chains while reading", 'local r r = hone.source("jsonl", { path = "rows.jsonl" }):map(function(x) r:take(1):shuffle(3):batches(2) return x end) for i = 1, 4 do pcall(r.next, r) end'),
    ("mixing rows in their own map", 'local r r = hone.source("jsonl", { path = "rows.jsonl" }):map(function(x) local m = hone.mix({ r }, { 1 }) m:next() core.close(m.data) return x end) for i = 1, 4 do pcall(r.next, r) end'),
    ("closing a policy that generates", 'local p = policy() pcall(p.generate, p, { "One plus" }, { max_tokens = 8, stop = function() core.close(p.ud) return false end }) pcall(p.generate, p, { "x" }, { max_tokens = 2 })'),
    ("generating while generating", 'local p = policy() local n = 0 pcall(p.generate, p, { "One plus", "two" }, { max_tokens = 8, stop = function() n = n + 1 if n < 4 then p:generate({ "three plus" }, { max_tokens = 3 }) end return false end })'),
    ("training while generating", 'local p = policy { optimizer = { "adamw", lr = 1e-3 } } for _ in p.run:steps(1) do pcall(p.generate, p, { "One" }, { max_tokens = 4, stop = function() p:update { { { prompt = "a", completion = "b" } }, objective = "sft" } return false end }) end'),
    ("closing a policy in a reward", 'local p = policy() local r = hone.reward { id = "r", score = function(b) core.close(p.ud) return b:map(function() return 1 end) end } pcall(p.rollout, p, { { prompt = "One" } }, { n = 2, max_tokens = 4, rewards = { r } })'),
    ("closing a reward in itself", 'local r r = hone.reward { id = "r", score = function(b) core.close(r[1]) collectgarbage() return b:map(function() return 1 end) end } local p = policy() pcall(p.rollout, p, { { prompt = "One" } }, { n = 2, max_tokens = 4, rewards = { r } })'),
    ("a tensor after its loss", 'local kept local p = policy { optimizer = { "adamw", lr = 1e-3 } } for _ in p.run:steps(1) do pcall(p.update, p, { { { prompt = "a", completion = "b" } }, objective = function(b) kept = b.logp return -b.logp:masked_mean(b.mask) end }) end assert(not pcall(function() return kept + kept end))'),
    ("an endless error object", 'local e = setmetatable({}, { __tostring = function() error("again") end }) error(e)'),
    ("an error in an error", 'xpcall(function() error(setmetatable({}, { __tostring = function(s) return tostring(s) end })) end, function(m) return tostring(m) end)'),
    ("deep recursion through C", 'local function f(s) return s:gsub(".", f) end assert(not pcall(f, "x")) local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k .. "x"] end assert(not pcall(function() return t.a end))'),
    ("a component in a component in ...", 'local d = 0 local c c = hone.component { kind = "reward", id = "c", score = function() d = d + 1 return { c:score({ { completion = "x" } })[1].score } end } pcall(c.score, c, { { completion = "x" } }) assert(d < 200)'),
    ("registering without end", 'local n = 0 while n < 3000 and pcall(hone.component, { kind = "reward", id = "c" .. n, score = function() end }) do n = n + 1 end'),
]
assert len({name for name, _ in TRIES}) == len(TRIES)


def attempt(numbered):
    number, (name, body) = numbered
    path = HOME / f"try{number}.lua"
    path.write_text(HEAD + body + "\n")
    allow = ["--allow=http:net"] if "http" in body else []
    env = {k: v for k, v in os.environ.items() if k not in ("HONE_DATA", "HONE_PLUGIN_PATH")}
    try:
        r = subprocess.run([HONE, "run", str(path), "--runs", str(HOME / f"runs{number}"), *allow], capture_output=True, text=True, cwd=HOME,
                           timeout=60, env=env)
        return name, r.returncode, r.stdout, r.stderr
    except subprocess.TimeoutExpired:
        return name, "no end", "", ""


before = sorted(str(p) for p in OUT.rglob("*"))
with ThreadPoolExecutor(2) as pool:
    for name, rc, out, err in pool.map(attempt, enumerate(TRIES)):
        told = "assertion failed" in err or "AddressSanitizer" in err or "runtime error:" in err
        check(name, rc in (0, 1, 2, 3) and "ESCAPED" not in out and not told, f"rc {rc}\n{out[-300:]}{err[-400:]}")
check("nothing was written outside", before == sorted(str(p) for p in OUT.rglob("*")),
      sorted(str(p) for p in OUT.rglob("*")))
strays = [p for p in TOP.iterdir() if p.name not in ("recipe", "outside")]
check("nor beside the recipe's folder", not strays, strays)
finish()
