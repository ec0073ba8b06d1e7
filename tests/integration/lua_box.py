#!/usr/bin/env python3
"""lua_box.py - a component in Lua that is a file of its own: it runs in a box, whoever trusts it.

Every kind that a box can hold is described, inspected, called and compared with the same in process (by the validator);
what shares the computation's memory is refused; a file that fails, hangs or eats memory costs its box; what its Lua could
reach outside is not there."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory(prefix="hone-lua-box-")
work = pathlib.Path(scratch.name)
env = dict(os.environ, XDG_CONFIG_HOME=str(work / "config"), XDG_DATA_HOME=str(work / "data"))
SEVEN = "reward judge tokenizer source objective optimizer model".split()
INSIDE = ("optimizer", "model")


def hone(*args, **more):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=120, env={**env, **more})


def lua(name, text):
    (work / name).write_text(text)
    return "./" + name


(work / "rows.jsonl").write_text("".join(json.dumps({"prompt": f"q{i}", "completion": "a" * 20 * i}) + "\n" for i in (1, 2, 3)))


def score(path, *more, **kw):
    r = hone("score", "--reward", path, "--data", "rows.jsonl", "--json", *more, **kw)
    rows = [json.loads(x) for x in r.stdout.splitlines() if '"outcomes"' in x]
    return r, [next(iter(x["outcomes"].values())).get("score") for x in rows]


# ---- a reward ----
BRIEF = """
local many = 0
return hone.component {
  kind = "reward", id = "org.me.reward.brief", version = "1.2.0", summary = "short answers",
  fields = { most = { 40, "characters that cost nothing" } },
  create = function(config) return { most = config.most } end,
  score = function(self, batch)
    many = many + 1
    return batch:map(function(s) return #s.completion <= self.most and many or 0 end)
  end,
}
"""
brief = lua("brief.lua", BRIEF)
r, scores = score(brief)
check("a file in Lua scores", scores == [1, 1, 0], r.stdout + r.stderr)
r, scores = score(brief, "--set", "most=20")
check("with its settings", scores == [1, 0, 0], r.stdout + r.stderr)
r = hone("score", "--reward", brief, "--data", "rows.jsonl", "--set", "mots=20")
check("which have names", r.returncode == 2 or "most" in r.stderr, r.stderr)
told = json.loads(hone("plugin", "describe", brief).stdout)
check("it is described", [c["id"] for c in told["components"]] == ["org.me.reward.brief"], told)
r = hone("plugin", "inspect", brief)
check("inspected: in a box", "in a box" in r.stdout and "most=INTEGER" in r.stdout and "1.2.0" in r.stdout, r.stdout + r.stderr)
r = hone("plugin", "try", brief, "--data", "rows.jsonl")
check("tried", r.returncode == 0 and "mean 0.6667" in r.stdout, r.stdout + r.stderr)
r = hone("plugin", "trust", brief)
check("there is nothing to trust", r.returncode == 1 and "always runs in a box" in r.stderr, r.stderr)
recipe = lua("recipe.lua", """
local hone = require "hone"
local run = hone.run { name = "boxed", seed = 1 }
local policy = run:policy { model = "tiny" }
local brief = hone.reward("./brief.lua", { most = 30 })
for step, prompts in run:steps(2, hone.rows { { prompt = "Leo has 3." }, { prompt = "Leo has 4." } }:epochs():batches(2)) do
  policy:rollout(prompts, { n = 2, max_tokens = 5, rewards = { brief } })
end
""")
r = hone("run", recipe, "--run-dir", work / "no", "--quiet")
check("a recipe does not choose a file alone", r.returncode == 3 and "HONE_PLUGIN_PATH" in r.stderr, r.stderr)
r = hone("run", recipe, "--run-dir", work / "run", "--quiet", HONE_PLUGIN_PATH=brief)
check("the user named it: it scores rollouts", r.returncode == 0, r.stderr)
meta = json.loads((work / "run" / "run.json").read_text()) if r.returncode == 0 else {}
check("the run says what ran", "brief.lua" in json.dumps(meta), list(meta))

lua("count.lua", BRIEF.replace("return batch:map(function(s) return #s.completion <= self.most and many or 0 end)",
                               "return batch:map(function() return many end)"))
recipe = lua("counted.lua", """
local hone = require "hone"
local run = hone.run { name = "counted", seed = 1 }
local policy = run:policy { model = "tiny" }
local count = hone.reward("./count.lua", { on_outcome = function(o) print("outcome " .. o.score) end })
for step, prompts in run:steps(3, hone.rows { { prompt = "Leo has 3." } }:epochs():batches(1)) do
  policy:rollout(prompts, { n = 2, max_tokens = 5, rewards = { count } })
end
""")
r = hone("run", recipe, "--run-dir", work / "counted", "--quiet", HONE_PLUGIN_PATH="./count.lua")
seen = [float(x.split()[1]) for x in (r.stdout + r.stderr).splitlines() if x.startswith("outcome ")]
check("it remembers from call to call: one state in one box", seen == [1, 1, 2, 2, 3, 3], r.stdout + r.stderr)

# ---- every kind ----
for kind in SEVEN:
    made = hone("plugin", "new", kind, "my_" + kind, "--lang", "lua")
    path = f"./my_{kind}/my_{kind}.lua"
    told = hone("plugin", "describe", path)
    ids = [c["kind"] for c in json.loads(told.stdout)["components"]] if told.returncode == 0 else []
    check(f"{kind}: described", ids == [kind], made.stderr + told.stderr)
    r = hone("plugin", "validate", path, "--json")
    tests = {t["test"]: t for t in json.loads(r.stdout)["tests"]} if r.returncode == 0 else {}
    want = "skip" if kind in INSIDE else "pass"
    for test in "instance.boxed", "fuzz.boxed":
        check(f"{kind}: {test} is {want}", tests.get(test, {}).get("result") == want, tests.get(test, r.stdout[-300:]))
source = "./my_source/my_source.lua"
r = hone("data", "head", "--source", source, "--json", "--n", "2")
check("a source reads", r.returncode == 0 and len(r.stdout.splitlines()) == 2, r.stdout + r.stderr)
r = hone("run", lua("opt.lua.run.lua", 'local hone = require "hone"\nhone.component("optimizer", "./my_optimizer/my_optimizer.lua")\n'),
         HONE_PLUGIN_PATH="my_optimizer/my_optimizer.lua")
check("an optimizer has to be part of the recipe", r.returncode == 3 and "require it there" in r.stderr, r.stderr)

# ---- files that go wrong ----
for name, text, said in (
        ("syntax", 'return { kind = "reward"', "syntax.lua:1"), ("raise", 'error("no luck today")', "raise.lua:1: no luck today"),
        ("nothing", "return 3", "makes no component"), ("empty", "", "makes no component"),
        ("binary", "\x1bLua", "binary"), ("memory", 'local t = {} while true do t[#t + 1] = ("x"):rep(1000000) end', "memory.lua"),
        ("kindless", 'return { kind = "rewrad", id = "org.me.x" }', "rewrad")):
    r, _ = score(lua(name + ".lua", text))
    check(f"{name}: one message that says it", r.returncode in (1, 3) and said in r.stderr and "Traceback" not in r.stderr, r.stderr)
r, scores = score(lua("third.lua", """
return { kind = "reward", id = "org.me.reward.third", score = function(batch)
  return batch:map(function(s) if #s.completion == 60 then error("the third") end return 1 end)
end }"""))
check("an error in a call has its line", "third.lua:3" in r.stdout + r.stderr and "the third" in r.stdout + r.stderr, r.stdout + r.stderr)
r, scores = score(lua("hang.lua", """
return { kind = "reward", id = "org.me.reward.hang", score = function(batch) while true do end end }"""), "--deadline", "1")
check("a call that hangs is late", '"timeout"' in r.stdout or "deadline" in r.stdout + r.stderr, r.stdout + r.stderr)
r, scores = score(lua("reach.lua", """
local found = {}
for _, name in ipairs { "io", "os.execute", "os.getenv", "os.remove", "package.loadlib", "debug.getregistry", "dofile", "loadfile" } do
  local v = _G
  for part in name:gmatch("[^.]+") do v = type(v) == "table" and v[part] or nil end
  if v then found[#found + 1] = name end
end
local ok = pcall(require, "ffi")
return { kind = "reward", id = "org.me.reward.reach", score = function(batch)
  return batch:map(function() return #found + (ok and 100 or 0) end)
end }"""))
check("nothing outside is within reach", scores == [0, 0, 0], r.stdout + r.stderr)
(work / "secret.lua").write_text('return { secret = "found" }')
r, scores = score(lua("neighbour.lua", """
local ok, m = pcall(require, "secret")
return { kind = "reward", id = "org.me.reward.neighbour", score = function(batch) return batch:map(function() return ok and 1 or 0 end) end }"""))
check("files beside it are not read", scores == [0, 0, 0], r.stdout + r.stderr)

finish()
