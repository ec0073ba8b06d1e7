#!/usr/bin/env python3
"""recipe_api.py - the calls of the recipe language, by name: adapters on one base, rules of sampling and stopping,
schedules, advantages, filters as plain functions, tokenizers, a model of the recipe's own; what is said when a
function of the recipe fails; and what a recipe may read and write."""
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
scratch = tempfile.TemporaryDirectory(prefix="hone-api-")
work = pathlib.Path(scratch.name)


def hone(*args, cwd=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=cwd or work, timeout=300)


def recipe(name, text, *args):
    """Runs a recipe: what it returned, its printed lines, its metrics."""
    (work / f"{name}.lua").write_text('local hone = require "hone"\n' + text)
    run = hone("run", f"{name}.lua", "--run-dir", work / name, *args)
    path = work / name / "metrics.jsonl"
    metrics = [json.loads(x) for x in path.read_text().splitlines()] if path.is_file() else []
    return run, run.stdout.splitlines(), metrics


def says(name, run, *texts):
    check(f"{name}: fails", run.returncode in (1, 2, 3), run.returncode)
    check(f"{name}: one error", sum(x.startswith("hone:") for x in run.stderr.splitlines()) == 1, run.stderr)
    for text in texts:
        check(f"{name}: says {text}", text in run.stderr, run.stderr)


def asserts(name, text, *args):
    """A recipe that checks itself: every line `ok WHAT` or `bad WHAT` that it prints counts."""
    run, lines, metrics = recipe(name, "local function is(what, yes) print((yes and 'ok ' or 'bad ') .. what) end\n" + text, *args)
    check(f"{name}: ends well", run.returncode == 0, run.stderr)
    told = [x for x in lines if x.startswith(("ok ", "bad "))]
    check(f"{name}: tells something", told, lines)
    for x in told:
        check(f"{name}: {x.split(' ', 1)[1]}", x.startswith("ok "))
    return metrics


# ---- the names of the table are there ----
asserts("names", """
for _, name in ipairs { "params", "run", "source", "reward", "objective", "advantage", "optimizer", "tokenizer", "model", "component" } do
  is("hone." .. name, type(hone[name]) == "function")
end
local run = hone.run { name = "names", seed = 1 }
for _, name in ipairs { "policy", "stage", "steps", "save", "log" } do is("run:" .. name, type(run[name]) == "function") end
is("run.state", type(run.state) == "table")
local policy = run:policy { model = "tiny", optimizer = hone.optimizer("adamw", { lr = 1e-4 }) }
for _, name in ipairs { "rollout", "generate", "logprobs", "embed", "update", "reference", "adapter", "copy", "ema", "save", "eval" } do
  is("policy:" .. name, type(policy[name]) == "function")
end
local rows = hone.source("lua", function(i) return i <= 8 and { prompt = "row " .. i } or nil end)
for _, name in ipairs { "map", "filter", "shuffle", "batches", "take", "mix", "split", "epochs" } do is("rows:" .. name, type(rows[name]) == "function") end
is("rows:mix draws from both", #rows:mix({ hone.rows { { prompt = "x" }, { prompt = "y" } } }, { 0.5, 0.5 }):list() == 10)
local rollout = policy:rollout({ "one", "two" }, { n = 3, max_tokens = 4, temperature = 0.9 })
is("samples", #rollout:samples() == 6)
is("groups", #rollout:groups() == 2 and #rollout:groups()[2] == 3)
is("filter", #rollout:filter(function(s) return s.group == 1 end) == 3)
is("map", rollout:map(function(s) return s.index end)[6] == 6)
rollout:score { hone.reward("length", { value = 3 }), hone.reward { id = "mine", score = function(b) return b:map(function(s) return s.n_tokens or #s.tokens end) end } }
is("score by hand", rollout:samples()[1].outcomes.mine.status == "score" and rollout:samples()[1].outcomes.length ~= nil)
local e = policy:embed({ "a b", "c" })
is("embed", #e == 2 and #e[1] == #e[2] and type(e[1][1]) == "number")
is("logprobs", type(policy:logprobs({ { prompt = "a", completion = " b" } })[1][1][1]) == "number")
local before = policy:info().checksum
local copy, frozen, ema = policy:copy("twin"), policy:reference(), policy:ema(0.5)
policy:update { { { prompt = "a", completion = " b c d" } }, objective = "sft", lr = 1e-2 }
is("copies stay", copy:info().checksum == before and frozen:info().checksum == before and policy:info().checksum ~= before)
ema:track()
is("ema follows", ema:info().checksum ~= before and ema:info().checksum ~= policy:info().checksum)
local r = policy:eval { { { prompt = "a" } }, rewards = { hone.reward("length", { value = 2 }) }, n = 4, k = 2, temperature = 1, max_tokens = 3 }
is("eval", r.length and type(r["length"]) ~= "nil" and r.n == 1)
""", "--quiet")

# ---- adapters: two policies on one base ----
ADAPTERS = """
local run = hone.run { name = "two", seed = 3, checkpoint = { every = 2 } }
local a = run:policy { model = "tiny", name = "a", lora = { rank = 4 }, optimizer = { "adamw", lr = 1e-2 } }
local b = a:adapter("b", { lora = { rank = 2, targets = { "q", "v" } }, optimizer = { "adamw", lr = 3e-2 } })
local c = a:adapter("c")
local len = hone.reward { id = "len", score = function(x) return x:map(function(s) return #s.completion + s.id % 2 end) end }
local rows = hone.source("lua", function(i) return { prompt = "q" .. i, completion = " yes" .. (i % 3) } end)
local function of(p, off) return table.concat(p:logprobs({ { prompt = "q1", completion = " yes1" } }, { reference = off })[1][1], " ") end
local base = of(a)
is("a new adapter changes nothing", of(b) == base and of(c) == base)
for step, batch in run:steps(6, rows:batches(4)) do
  local b0 = of(b)
  a:update { batch, objective = "sft" }
  is("training a leaves b alone", of(b) == b0 and of(a) ~= base)
  local a0 = of(a)
  if step % 2 == 0 then
    local r = b:rollout(batch, { n = 2, max_tokens = 4, rewards = { len } })
    local m = b:update { r, objective = { "grpo", beta = 0.1 }, advantage = "group", reference = a }
    is("sampler and trainer of b agree", m["mismatch/max"] == 0)
    is("b learns", of(b) ~= b0)
  end
  is("training b leaves a alone", of(a) == a0 and of(c) == base)
  if DIE == step and not pcall(hone.source, "jsonl", { path = "alive.jsonl" }) then error("killed here", 0) end
end
is("the base is as it was", of(a, true) == base and of(b, true) == base)
a:save(run:path "a")
b:save(run:path "b")
for name, p in pairs { a = a, b = b } do
  local merged = run:policy { model = run:path(name), name = name .. "2" }
  local x, y, far = merged:logprobs({ { prompt = "q1", completion = " yes1" } })[1][1], p:logprobs({ { prompt = "q1", completion = " yes1" } })[1][1], 0
  for i = 2, #x do far = math.max(far, math.abs(x[i] - y[i])) end
  is("saved " .. name .. " is " .. name, far < 1e-3)
end
run:save { policy = b }
"""
asserts("adapters", "local DIE = 0\n" + ADAPTERS, "--quiet")
(work / "alive.jsonl").unlink(missing_ok=True)
dying = "local function is(what, yes) print((yes and 'ok ' or 'bad ') .. what) end\nlocal DIE = 5\n" + ADAPTERS
run, _, _ = recipe("adapters-die", dying, "--quiet")
check("adapters: stopped", run.returncode == 1 and "killed here" in run.stderr, run.stderr)
(work / "alive.jsonl").write_text("{}\n")
run = hone("resume", work / "adapters-die", "--quiet")
check("adapters: resumed", run.returncode == 0 and "bad " not in run.stdout, run.stdout + run.stderr)
for f in ("metrics.jsonl", "rollouts.jsonl.zst", "a/model.safetensors", "b/model.safetensors", "model/model.safetensors"):
    one, two = work / "adapters" / f, work / "adapters-die" / f
    check(f"adapters: {f} equal after a resume", one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes())
HEAD = 'local run = hone.run { name = "x", seed = 5 }\n'
TINY = HEAD + 'local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-3 } }\n'
run, _, _ = recipe("adapter-full", TINY + 'policy:adapter("b", { lora = { rank = 2 } })')
says("an adapter over weights in training", run, "trains all weights", "lora")
run, _, _ = recipe("adapter-slip", HEAD + 'local p = run:policy { model = "tiny", lora = { rank = 2 } }\np:adapter("b", { rank = 2 })')
says("a slip in an adapter", run, '"rank"')
run, _, _ = recipe("adapter-twice", HEAD + 'local p = run:policy { model = "tiny", lora = { rank = 2 } }\np:adapter("b")\np:adapter("b")')
says("two adapters of a name", run, 'two policies are called "b"')

# ---- stop, sampler, logits ----
asserts("rules", TINY + """
local prompts = { "a", "b" }
local function ids(config)
  config.max_tokens = config.max_tokens or 12
  return policy:generate(prompts, config)
end
local free = ids { greedy = true }
local at = ids { greedy = true, stop = function(text, ids, sample) return #ids == 3 end }
is("stop by number of tokens", #at[1][1].ids == 3 and at[1][1].finish == "stop" and at[2][1].ids[3] == free[2][1].ids[3])
local seen = {}
local by_text = ids { greedy = true, stop = { "never to be seen", function(text) seen[#seen + 1] = text return #text >= 4 end, function() return false end } }
is("stop by text", #by_text[1][1].text >= 4 and by_text[1][1].finish == "stop" and #seen > 0)
local never = ids { greedy = true, stop = function() return nil end }
is("a stop that never says so changes nothing", never[1][1].text == free[1][1].text and never[1][1].finish == free[1][1].finish)
-- samplers
local n_candidates
local first = ids { temperature = 1, candidates = 5, sampler = function(c) n_candidates = #c.ids return 1 end }
is("a sampler that takes the likeliest is greedy", first[1][1].text == free[1][1].text)
is("candidates", n_candidates == 5)
local same = policy:rollout(prompts, { n = 4, max_tokens = 6, sampler = function(c)
  local sum = 0
  for _, p in ipairs(c.probs) do sum = sum + p end
  assert(math.abs(sum - 1) < 1e-9 and c.probs[1] >= c.probs[#c.probs] and math.type(c.sample) == "integer" and #c.tokens < 6)
end })
is("a sampler that returns nothing samples", #same:samples() == 8)
local again = policy:rollout(prompts, { n = 4, max_tokens = 6, sampler = function(c) end, first_sample = 0 })
is("the same numbers give the same samples", same:samples()[5].completion == again:samples()[5].completion)
-- tokens that a sampler forbids do not come
local banned = free[1][1].ids[1]
local without = policy:generate({ "a" }, { n = 16, temperature = 1, max_tokens = 1, sampler = function(c)
  for i, id in ipairs(c.ids) do if id == banned then c.probs[i] = 0 end end
  return c.probs
end })
local found = false
for _, s in ipairs(without[1]) do found = found or s.ids[1] == banned end
is("a weight of 0 is never drawn", not found and #without[1] == 16)
local biased = policy:generate({ "a" }, { greedy = true, max_tokens = 1, logits = function(z) z[banned + 1] = -1e9 end })
is("logits", biased[1][1].ids[1] ~= banned)
-- what was drawn by rules of the recipe still trains on policy: ratios are of the model's own distribution
local r = policy:rollout(prompts, { n = 4, max_tokens = 6, logits = function(z) z[1] = z[1] + 5 end,
  rewards = { hone.reward { id = "len", score = function(x) return x:map(function(s) return s.id % 3 end) end } } })
local m = policy:update { r, objective = "grpo", advantage = "group" }
is("mismatch is 0 under a logits function", m["mismatch/max"] == 0)
local r2 = policy:rollout(prompts, { n = 4, max_tokens = 6, sampler = function(c) return #c.tokens % 2 + 1 end,
  rewards = { hone.reward { id = "len2", score = function(x) return x:map(function(s) return s.id % 3 + #s.completion end) end } } })
local m2 = policy:update { r2, objective = "grpo", advantage = function(groups)
  local out = {}
  for i, g in ipairs(groups) do out[i] = {} for j, s in ipairs(g) do out[i][j] = j == 1 and false or s.reward - 1 end end
  return out
end }
is("mismatch is 0 under a sampler", m2["mismatch/max"] == 0)
is("an advantage of the recipe", r2:samples()[2].advantage == r2:samples()[2].reward - 1)
""", "--quiet")

# ---- schedules ----
metrics = asserts("schedule", TINY + """
local called = {}
for step, batch in run:steps(3, hone.rows { { prompt = "a", completion = " b" }, { prompt = "c", completion = " d" } }:epochs():batches(2)) do
  policy:update { batch, objective = "sft", minibatches = 2, lr = 1e-2, schedule = function(t) called[#called + 1] = t return t == 6 and 0 or 1 / t end }
end
is("it is asked once an update", table.concat(called, " ") == "1 2 3 4 5 6")
""", "--quiet")
# the mean over a step's two updates
check("lr is the share of the peak", [round(m["lr"], 9) for m in metrics] == [0.0075, 0.002916667, 0.001], metrics)

# ---- tokenizers ----
asserts("tokenizer", """
local t = hone.tokenizer("tiny")
local ids = t:encode("one two three")
is("there and back", t:decode(ids) == "one two three" and #ids > 0)
is("pieces", table.concat(t:pieces(ids)) == "one two three" and table.concat(t:pieces("xyz")) == "xyz")
is("size", math.type(t.vocab_size) == "integer" and t.vocab_size > 256 and #t.fingerprint == 64)
is("special by name", t.eos and t:id(t:pieces({ t.eos })[1]) == t.eos and t:id("no such token") == nil)
is("special tokens are left out", t:decode({ t.eos }, true) == "")
local run = hone.run { name = "tok" }
local p = run:policy { model = "tiny" }
is("of a policy", hone.tokenizer(p):decode(ids) == "one two three")
is("an id too large", not pcall(t.decode, t, { t.vocab_size }))
""", "--quiet")
run, _, _ = recipe("no-tokenizer", 'hone.tokenizer("tinny")')
says("an unknown tokenizer", run, "tinny")

# ---- a function that fails: what, file, line, hint ----
CALL = TINY + """local rewards = { hone.reward { id = "good", score = function(b) return b:map(function(s) return s.id % 2 end) end } }
local function draw(c) c = c or {}; c.n, c.max_tokens, c.rewards = 2, 4, c.rewards or rewards return policy:rollout({ "a", "b" }, c) end
"""
LINE = 'local x = nil; x.y = 1'
for name, text, *wanted in [
    ("objective", "policy:update { draw(), objective = function(b)\n " + LINE + " end }", "objective", "objective.lua:7", "hint:"),
    ("objective-result", "policy:update { draw(), objective = function(b) return 1 end }", "objective", "1 x 1 tensor"),
    ("component-objective", "policy:update { draw(), objective = hone.objective { id = 'own', loss = function(b)\n " + LINE + " end } }", "own", "component-objective.lua:7", "hint:"),
    ("advantage", "policy:update { draw(), advantage = function(g)\n " + LINE + " end }", "advantage", "advantage.lua:7", "hint:"),
    ("advantage-shape", "policy:update { draw(), advantage = function(g) return { 1 } end }", "advantage", "advantage-shape.lua:6", "entry 1 is a number"),
    ("schedule-fails", "policy:update { draw(), schedule = function(t)\n " + LINE + " end }", "schedule, update 1", "schedule-fails.lua:7", "hint:"),
    ("schedule-text", "policy:update { draw(), schedule = function(t) return 'much' end }", "schedule, update 1", "a string", "hint:"),
    ("schedule-nan", "policy:update { draw(), schedule = function(t) return 0/0 end }", "schedule, update 1", "nan", "hint:"),
    ("stop", "draw { stop = function(text)\n " + LINE + " end }", "stop", "stop.lua:7", "hint:"),
    ("stop-number", "draw { stop = 3 }", "stop", "a number"),
    ("sampler", "draw { sampler = function(c)\n " + LINE + " end }", "sampler", "sampler.lua:7", "hint:"),
    ("sampler-far", "draw { sampler = function(c) return 1000 end }", "sampler", "candidate 1000"),
    ("sampler-none", "draw { sampler = function(c) for i in ipairs(c.probs) do c.probs[i] = 0 end return c.probs end }", "sampler", "add up to 0"),
    ("sampler-negative", "draw { sampler = function(c) c.probs[1] = -1 return c.probs end }", "sampler", "weight 1 is -1"),
    ("sampler-short", "draw { candidates = 4, sampler = function(c) return { 1 } end }", "sampler", "weight 2 of 4 is a nil"),
    ("logits", "draw { logits = function(z)\n " + LINE + " end }", "logits", "logits.lua:7", "hint:"),
    ("endless-stop", "draw { stop = function() while true do pcall(table.unpack, {}, 1, 1000000000) end end }", "stop", "endless-stop.lua:6", "stopped after"),
    ("slip-rollout", "policy:rollout({ 'a' }, { max_token = 3 })", '"max_token"', 'did you mean "max_tokens"?'),
    ("slip-update", "policy:update { draw(), objectiv = 'grpo' }", '"objectiv"', 'did you mean "objective"?'),
    ("reward", "policy:rollout({ 'a' }, { n = 64, max_tokens = 2, rewards = { hone.reward { id = 'sum', score = function(b)\n " + LINE + " end } } })", "sum", "reward.lua:7", "hint:"),
    ("reward-twice", "for i = 1, 2 do hone.reward { id = 'twice', score = function(b) return {} end } end", "twice", "before the loop"),
]:
    run, _, _ = recipe(name, CALL + text)
    says(name, run, *wanted)

MODEL = """local p = hone.params { where = { "", "where it fails" }, steps = { 6, "updates" }, die = { 0, "" } }
local table_, mix
local failing = false
local model = hone.model { config = { vocab_size = 512, hidden_size = 16 },
  declare = function(store, c)
    if p.where == "declare" then local x = nil; x.y = 1 end
    table_ = store:param { name = "embed.weight", rows = c.vocab_size, cols = c.hidden_size, init = 1, init_std = 0.02, flags = 1 }
    mix = store:param { name = "mix.weight", rows = c.hidden_size, cols = c.hidden_size, init = 1, init_std = 0.2, role = "mix" }
    store:info { vocab_size = c.vocab_size, hidden = c.hidden_size, n_layers = 1, max_positions = 256, embed = table_, head = table_, logit_scale = 1 }
  end,
  forward = function(g)
    if failing == "forward" then local x = nil; x.y = 1 end
    if failing == "op" then g:linear(g:embed(table_, 1), 99, nil) end
    if failing == "nothing" then return nil end
    local x = g:embed(table_, 1)
    return g:add(x, g:gelu(g:linear(x, mix, nil)))
  end }
local run = hone.run { name = "own", seed = 1, checkpoint = { every = 2 } }
local policy = run:policy { model = model, tokenizer = "tiny", optimizer = { "adamw", lr = 1e-2 } }
failing = p.where
"""
for where, line in ("declare", 7), ("forward", 13):
    (work / "model.lua").write_text('local hone = require "hone"\n' + MODEL + "policy:update { { { text = 'a b c' } }, objective = 'sft' }\n")
    run = hone("run", "model.lua", f"where={where}", "--run-dir", work / f"model-{where}")
    says(f"model's {where}", run, "recipe.model.model", f"model.lua:{line}", f"in {where}", "hint:")
    check(f"model's {where}: the loss is not blamed", "sft" not in run.stderr, run.stderr)

run = hone("run", "model.lua", "where=op", "--run-dir", work / "model-op")
says("an op that is refused", run, "recipe.model.model", "parameter 99", "in forward", "model.lua:14")
run = hone("run", "model.lua", "where=nothing", "--run-dir", work / "model-nothing")
says("a forward without a result", run, "model: its forward gave no hidden state of 16 columns")

# ---- a model of the recipe's own: SFT, GRPO, generation, saving, resuming ----
OWN = MODEL.replace("die = { 0,", "die = { DIE,") + """
local rows = hone.source("lua", function(i) return { text = "one two three four " .. i % 2 } end)
local losses = {}
local len = hone.reward { id = "len", score = function(b) return b:map(function(s) return #s.completion end) end }
for step, batch in run:steps(p.steps, rows:batches(4)) do
  if step <= 4 then
    losses[#losses + 1] = policy:update { batch, objective = "sft", lr = 0.1 }.loss
  else
    local r = policy:rollout({ { prompt = "one" }, { prompt = "two" } }, { n = 4, max_tokens = 6, raw = true,
      rewards = { len } })
    local m = policy:update { r, objective = "grpo", advantage = "group" }
    is("sampler and trainer agree", m["mismatch/max"] == 0)
  end
  if step == p.die and not pcall(hone.source, "jsonl", { path = "alive.jsonl" }) then error("killed here", 0) end
end
if #losses == 4 then is("it learns", losses[4] < losses[1] * 0.8) end
is("it generates", #policy:generate("one", { max_tokens = 3, raw = true })[1].ids >= 1)
is("it embeds", #policy:embed("one") == 16)
local copy = policy:copy("twin")
is("a copy is equal", copy:info().checksum == policy:info().checksum)
print("checksum " .. policy:info().checksum)
run:save()
"""
asserts("own", OWN.replace("DIE", "0"), "--quiet")
for die in 3, 5:
    (work / "alive.jsonl").unlink(missing_ok=True)
    name = f"own-die{die}"
    run, _, _ = recipe(name, "local function is(what, yes) print((yes and 'ok ' or 'bad ') .. what) end\n" + OWN.replace("DIE", str(die)), "--quiet")
    check(f"{name}: stops", run.returncode == 1 and "killed here" in run.stderr, run.stderr)
    (work / "alive.jsonl").write_text("{}\n")
    run = hone("resume", work / name, "--quiet")
    check(f"{name}: goes on", run.returncode == 0 and "bad " not in run.stdout, run.stdout + run.stderr)
    for f in ("metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors", "model/config.json"):
        one, two = work / "own" / f, work / name / f
        check(f"{name}: {f} is the same", one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes())

# ---- what changed in a loop and will be lost is named ----
LEAK = TINY.replace("seed = 5", "seed = 5, checkpoint = { every = 2 }") + """
local counter, same, told = 0, 7, "a"
outside = 1
local function bump() counter = counter + 1 end
for step in run:steps(4) do
  local inner = step
  bump()
  outside = outside + 1
  told = told .. "b"
  run.state.kept = (run.state.kept or 0) + 1
end
"""
run, _, _ = recipe("leak", LEAK)
text = run.stderr + run.stdout
line = [x for x in text.splitlines() if "not kept in run.state" in x]
check("leaks are told once", len(line) == 1, text)
for name in "counter", "outside", "told":
    check(f"leak: {name} is named", line and name in line[0], line)
for name in "same", "inner", "kept":
    check(f"leak: {name} is not", line and name not in line[0].split("resume:")[-1], line)

# ---- the sandbox ----
secret = work.parent / (work.name + "-secret")
secret.mkdir()
(secret / "rows.jsonl").write_text('{"prompt":"x"}\n')
(secret / "mod.lua").write_text("return 1\n")
try:
    asserts("closed", TINY + f"""
for _, name in ipairs {{ "io", "os", "package", "dofile", "loadfile" }} do is("no " .. name, _G[name] == nil) end
is("no debug but traceback", debug.getregistry == nil and debug.sethook == nil and debug.getinfo == nil)
is("no string.dump", string.dump == nil)
is("no bytecode", load("\\27Lua") == nil)
is("load is text", load("return 1 + 1")() == 2)
for _, name in ipairs {{ "mod", "../mod", "{secret}/mod", "..mod" }} do is("require " .. name, not pcall(require, name)) end
for _, path in ipairs {{ "{secret}/rows.jsonl", "../{secret.name}/rows.jsonl" }} do
  local ok, e = pcall(hone.source, "jsonl", {{ path = path }})
  is("source " .. path, not ok and e.code == "E_REFUSED" and e.hint:find("--allow=fs-read:", 1, true))
end
for _, path in ipairs {{ "{secret}/out", "out", "../out", run:path "x/../../../out", "/etc" }} do
  local ok, e = pcall(policy.save, policy, path)
  is("save " .. path, not ok and tostring(e):find("may not write", 1, true))
end
for _, name in ipairs {{ "/etc/x", "../x", "a/../../x" }} do is("write " .. name, not pcall(run.write, run, name, "x")) end
policy:save(run:path "mine/model")
is("save below the run directory", run:policy {{ model = run:path "mine/model", name = "m2" }} ~= nil)
""", "--quiet")
    check("nothing was written outside", not (work / "out").exists() and not (secret / "out").exists())
    hone("run", "closed.lua", "--run-dir", work / "closed2", "--quiet")
    read = f'local rows = hone.source("jsonl", {{ path = "{secret}/rows.jsonl" }})\nprint("read " .. #rows:list())'
    for grant, want in ((), 1), (("--allow=fs-read:" + str(secret),), 0):
        (work / "read.lua").write_text('local hone = require "hone"\n' + read)
        run = hone("run", "read.lua", *grant)
        check(f"reading with {grant}", run.returncode == want or (want and run.returncode in (1, 3)), run.stderr)
    given = 'local p = hone.params { data = { "", "rows" } }\nprint("read " .. #hone.source("jsonl", { path = p.data }):list())'
    (work / "given.lua").write_text('local hone = require "hone"\n' + given)
    run = hone("run", "given.lua", f"data={secret}/rows.jsonl")
    check("a parameter may be read", run.returncode == 0 and "read 1" in run.stdout, run.stderr)
    own = work / "closed" / "mine" / "model"
    moved = secret / "model"
    own.rename(moved)
    for grant, ok in ((), False), ((f"--allow=fs-read:{moved}",), True):
        (work / "load.lua").write_text('local hone = require "hone"\n' + HEAD + f'run:policy {{ model = "{moved}" }}\n')
        run = hone("run", "load.lua", "--run-dir", work / f"load{ok}", *grant)
        check(f"a model elsewhere, {grant}", (run.returncode == 0) == ok and (ok or "--allow=fs-read:" in run.stderr), run.stderr)
    (work / "save.lua").write_text('local hone = require "hone"\n' + TINY + f'policy:save("{secret}/out/model")\n')
    run = hone("run", "save.lua", "--run-dir", work / "save", f"--allow=fs-write:{secret}")
    check("a granted folder is written", run.returncode == 0 and (secret / "out" / "model" / "model.safetensors").is_file(), run.stderr)
    for out, ok in (("fresh/model", True), ("freshly", False)):  # the folder granted is not there yet
        (work / "save.lua").write_text('local hone = require "hone"\n' + TINY + f'policy:save("{out}")\n')
        run = hone("run", "save.lua", "--run-dir", work / f"save{ok}", "--allow=fs-write:fresh")
        check(f"{out} under the grant of fresh", (run.returncode == 0) == ok and (work / out).exists() == ok, run.stderr)
finally:
    subprocess.run(["rm", "-rf", str(secret)], check=True)

# ---- limits: a reward without end is a timeout of its samples, one that eats memory an error; the run goes on ----
asserts("limits", TINY + """
local rewards = {
  hone.reward { id = "endless", timeout = 0.3, weight = 0, score = function(b) while true do end end },
  hone.reward { id = "caught", timeout = 0.3, weight = 0, score = function(b) while true do pcall(function() while true do end end) end end },
  hone.reward { id = "hungry", weight = 0, score = function(b) local t = {} while true do t[#t + 1] = ("x"):rep(1 << 20) .. #t end end },
  hone.reward { id = "raises", weight = 0, score = function(b) error "no" end },
  hone.reward { id = "good", score = function(b) return b:map(function(s) return s.id % 2 end) end },
}
for step in run:steps(1) do
  local r = policy:rollout({ "a" }, { n = 2, max_tokens = 3, rewards = rewards, error_limit = 1 })
  local o = r:samples()[1].outcomes
  is("an endless reward is a timeout", o.endless.status == "timeout")
  is("pcall does not help", o.caught.status == "timeout")
  is("memory is an error", o.hungry.status == "error")
  is("an error is an error, with its place", o.raises.status == "error" and o.raises.reason:find("limits.lua:%d+: no"))
  is("the others count", o.good.status == "score")
  is("the run goes on", policy:update { r, objective = "grpo", advantage = "group" }.loss ~= nil)
end
""", "--quiet")

finish()
