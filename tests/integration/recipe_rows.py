#!/usr/bin/env python3
"""recipe_rows.py - rows that a recipe makes itself: the source `lua` under every stage, its place after a resume,
and what it says of a generator that goes wrong; math.random, straight through and resumed."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-rows-")
work = pathlib.Path(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300)


def lua(name, text):
    (work / f"{name}.lua").write_text('local hone = require "hone"\n' + text)
    return hone("lua", f"{name}.lua")


# ---- every stage, and the place in each chain after every row ----
CHAINS = """
local function by_index(n) return hone.source("lua", { count = n, row = function(i)
  return { n = i, g = i % 4, x = math.random(), half = i / 2 } end }) end
local function by_state(n) return hone.source("lua", { state = { n = 0, list = {} }, next = function(s)
  s.n = s.n + 1
  s.list[#s.list % 3 + 1] = s.n
  if s.n <= n then return { n = s.n, g = s.n % 4, x = math.random(), half = s.n / 2, list = s.list } end
end }) end
local function noise(r) r.y = math.random(1, 1000) return r end
local chains = {
  plain = function(source) return source(7) end,
  map = function(source) return source(7):map(noise) end,
  filter = function(source) return source(9):map(noise):filter(function(r) return r.n % 2 == 1 and math.random() < 0.9 end) end,
  shuffle = function(source) return source(11):map(noise):shuffle(5, 4):map(noise) end,
  batches = function(source) return source(11):batches(3, true) end,
  select = function(source) return source(7):select { "x", "n" }:map(noise):select { "y", "x", "n" }:take(5) end,
  take = function(source) return source(11):skip(2):take(5) end,
  epochs = function(source) return source(5):map(noise):shuffle(3):epochs(3):batches(2) end,
  split = function(source) return source(30):split { by = "g", from = 0, to = 0.6, seed = 3 } end,
  mix = function(source) return hone.mix({ source(6):map(noise), source(8) }, { 0.5, 0.5 }, { seed = 2 }) end,
}
local json = require "hone.json"
for name, make in pairs(chains) do
  for kind, source in pairs { index = by_index, state = by_state } do
    local straight, places = {}, {}
    local rows = make(source)
    places[0] = rows:position()
    for row in rows:each() do
      straight[#straight + 1] = json.encode(row)
      places[#straight] = rows:position()
    end
    local all = table.concat(straight)
    print(name .. " " .. kind .. " rows " .. #straight)
    local bad = 0
    for at = 0, #straight do
      rows:rewind(7) -- another place, and other random numbers, before it seeks
      rows:next()
      rows:seek(places[at])
      local rest = {}
      for row in rows:each() do rest[#rest + 1] = json.encode(row) end
      if table.concat(rest) ~= table.concat(straight, "", at + 1) then bad = bad + 1 end
    end
    print(name .. " " .. kind .. " bad " .. bad)
  end
end
local counted = by_index(12)
print("count " .. counted:count() .. " " .. tostring(by_state(3):count()))
local endless = hone.source("lua", function(i) return { n = i } end):take(3):list()
print("endless " .. #endless .. " " .. endless[3].n)
"""
run = lua("chains", CHAINS)
check("the chains run", run.returncode == 0, run.stderr)
out = run.stdout.splitlines()
sizes = {"plain": 7, "map": 7, "shuffle": 11, "batches": 4, "take": 5, "epochs": 7, "mix": 14}
for kind in "index", "state":
    for chain in ("plain", "map", "filter", "shuffle", "batches", "take", "epochs", "split", "mix"):
        check(f"{chain} by {kind}: same rest from every place", f"{chain} {kind} bad 0" in out, [x for x in out if chain in x])
        if chain in sizes:
            check(f"{chain} by {kind}: rows", f"{chain} {kind} rows {sizes[chain]}" in out, [x for x in out if chain in x])
check("count", "count 12 nil" in out, out[-3:])
check("an endless generator", "endless 3 3" in out, out[-3:])

# unpack takes a thousand million steps at once, so that what never ends is found soon
# ---- generators that go wrong: one error, the row, the file and line ----
for name, text, *wanted in [
    ("raises", 'return function(i) if i == 4 then local x; return x.y end return { n = i } end', "row 4", "raises.lua:2", "attempt to index"),
    ("no-table", 'return function(i) if i == 3 then return 7 end return { n = i } end', "row 3", "no-table.lua:2", "not a number"),
    ("list", 'return function(i) return { i } end', "row 1", "list.lua:2", "named columns"),
    ("changes", 'return function(i) return { n = i < 5 and i or "five" } end', "row 5", "changes.lua:2", '"n" is a string, and was a number'),
    ("function", 'return function(i) return { n = i, f = print } end', "row 1", "f"),
    ("state", 'return { state = {}, next = function(s) s.f = print; return { n = 1 } end }', "function"),
    ("nothing", 'return {}', "next = function(state)"),
    ("slip", 'return { nxt = function(s) end }', '"nxt"'),
    ("endless", 'return function(i) while i == 2 do pcall(table.unpack, {}, 1, 1000000000) end return { n = i } end', "row 2", "endless.lua:2", "stopped after"),
]:
    (work / f"{name}.lua").write_text('local hone = require "hone"\nlocal function spec() ' + text + ' end\n'
                                      'local rows = hone.source("lua", spec())\nfor i = 1, 9 do rows:next() end\n')
    run = hone("lua", f"{name}.lua")
    check(f"{name}: fails", run.returncode == 1, run.returncode)
    for w in wanted:
        check(f"{name}: says {w}", w in run.stderr, run.stderr)

for name, text, *wanted in [
    ("map", 'rows:map(function(r)\n  return { x = r.m.x } end)', "map, row 1", "map.lua:4", "the row has the column n"),
    ("filter", 'rows:filter(function(r) if r.n == 3 then error "no threes" end return true end)', "filter, row 3", "filter.lua:3", "no threes"),
    ("map-number", 'rows:map(function(r) return r.n end)', "map, row 1", "a number"),
    ("map-endless", 'rows:map(function(r) while true do pcall(table.unpack, {}, 1, 1000000000) end end)', "map, row 1", "map-endless.lua:3", "stopped after"),
]:
    run = lua(name, 'local rows = hone.source("lua", function(i) return { n = i } end)\n' + text + "\nfor i = 1, 5 do rows:next() end\n")
    check(f"{name}: fails", run.returncode == 1, run.returncode)
    for w in wanted:
        check(f"{name}: says {w}", w in run.stderr, run.stderr)

# ---- a run over a generator, interrupted by an error, resumed: the same bytes ----
RUN = """
local run = hone.run { name = "rows", seed = 11, checkpoint = { every = 2 } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
local source = hone.source("lua", { state = { level = 1 }, next = function(s)
  s.level = s.level + math.random(0, 2)
  return { prompt = "level " .. s.level .. " noise " .. math.random(100), answer = "x" }
end })
local odd = hone.reward { id = "odd", score = function(batch)
  return batch:map(function(s) return math.random() + #s.completion % 2 end) end }
local first = math.random()
for step, batch in run:steps(7, source:map(function(r) r.prompt = r.prompt .. " " .. math.random(9) return r end):batches(2)) do
  local r = policy:rollout(batch, { n = 2, max_tokens = 6, rewards = { odd } })
  policy:update { r, objective = "grpo", advantage = "group" }
  run:log { ["my/random"] = math.random(), ["my/first"] = first }
  run.state.sum = (run.state.sum or 0.0) + math.random(10)
  -- end of the step
end
run:save()
"""
(work / "run.lua").write_text('local hone = require "hone"\n' + RUN)


def bytes_of(name):
    d = work / name
    files = [d / "metrics.jsonl", d / "rollouts.jsonl.zst", d / "model" / "model.safetensors"]
    return [f.read_bytes() if f.is_file() else None for f in files]


run = hone("run", "run.lua", "--run-dir", work / "straight", "--quiet")
check("the straight run", run.returncode == 0, run.stderr)
want = bytes_of("straight")
metrics = [json.loads(x) for x in (work / "straight" / "metrics.jsonl").read_text().splitlines()]
check("math.random moves from step to step", len({m["my/random"] for m in metrics}) == 7, metrics[:2])
for die in 1, 2, 3, 5, 6:
    name = f"die{die}"
    # the recipe may not change between run and resume: a file beside it says whether the step fails
    dies = "if step == DIE and not pcall(hone.source, 'jsonl', { path = 'alive.jsonl' }) then error('killed here', 0) end"
    text = RUN.replace("-- end of the step", dies)
    (work / "die.lua").write_text('local hone = require "hone"\nlocal DIE = ' + str(die) + "\n" + text)
    (work / "alive.jsonl").unlink(missing_ok=True)
    run = hone("run", "die.lua", "--run-dir", work / name, "--quiet")
    check(f"{name}: stops", run.returncode == 1 and "killed here" in run.stderr, run.stderr)
    (work / "alive.jsonl").write_text("{}\n")
    run = hone("resume", work / name, "--quiet")
    check(f"{name}: goes on", run.returncode == 0, run.stderr)
    check(f"{name}: the same bytes", bytes_of(name) == want, f"metrics {bytes_of(name)[0] == want[0]}, rollouts {bytes_of(name)[1] == want[1]}")
(work / "seed.lua").write_text('local hone = require "hone"\nlocal p = hone.params { seed = { 1, "seed" } }\n'
                               'local run = hone.run { name = "s", seed = p.seed }\nprint("drawn " .. math.random(1 << 40))\n')
drawn = []
for seed in 1, 1, 2:
    run = hone("run", "seed.lua", f"seed={seed}", "--run-dir", work / f"seed{len(drawn)}", "--quiet")
    drawn.append([x for x in run.stdout.splitlines() if x.startswith("drawn")])
check("math.random is that of the run's seed", drawn[0] and drawn[0] == drawn[1] != drawn[2], drawn)

finish()
