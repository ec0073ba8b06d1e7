"""lua_components.py - components written in Lua in real runs: an optimizer that trains and resumes to the same bytes, a
tokenizer behind a policy and behind hone.tokenizer, a judge asked by the reward "judge", rewards in states of their
own; a third party's kind, its interface described in its file, used by a recipe in both directions."""
import json
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
work = tempfile.TemporaryDirectory()
WORK = pathlib.Path(work.name)


def write(name, text):
    (WORK / name).write_text(text)
    return str(WORK / name)


def hone(*args, **kw):
    return subprocess.run([HONE, *args], capture_output=True, text=True, cwd=WORK, timeout=300, **kw)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def fingerprint(run):
    """What must not depend on an interruption."""
    out = {n: digest(run / n) for n in ("metrics.jsonl", "model/model.safetensors")}
    last = sorted((run / "checkpoints").glob("step-*"))[-1]
    return {**out, **{f.name: digest(f) for f in sorted(last.iterdir())}}


ROWS = """local rows = hone.rows { { prompt = "One two three", completion = " four five six" },
  { prompt = "Red green", completion = " blue" } }
"""

# ---- an optimizer ------------------------------------------------------------------------------------------------------

write("opt.lua", """local hone = require "hone"
local spec = { id = "mine", elementwise = true, buffers = { "exp_avg", "exp_avg_sq" },
  fields = { beta = { 0.9, "decay of the mean", min = 0, max = 1 }, name = "x", on = true, n = 3 },
  step = function(self, slices, info)
    assert(self.beta == 0.8 and self.name == "x" and self.on == true and self.n == 3)
    local b, k = self.beta, info.grad_scale
    for i = 1, #slices do
      local s = slices[i]
      local p, g, m, v, lr = s.param, s.grad, s.state[1], s.state[2], s.lr
      for j = 1, s.length do
        local x = g[j] * k
        local a, q = b * m[j] + (1 - b) * x, 0.95 * v[j] + 0.05 * x * x
        m[j], v[j] = a, q
        p[j] = p[j] - lr * a / (math.sqrt(q) + 1e-8)
      end
    end
  end }
local run = hone.run { name = "lopt", seed = 7, checkpoint = { every = 1 } }
local policy = run:policy { model = "tiny", optimizer = hone.optimizer(spec, { lr = 1e-3, beta = 0.8 }) }
""" + ROWS + """for step, batch in run:steps(5, rows:epochs():batches(2)) do
  local m = policy:update { batch, objective = "sft" }
  run:say("step %d loss %.3f", step, m.loss)
end
run:save()
""")
plain = hone("run", "opt.lua", "--run-dir", "plain")
check("a Lua optimizer trains", plain.returncode == 0, plain.stderr)
losses = [json.loads(x)["loss"] for x in (WORK / "plain/metrics.jsonl").read_text().splitlines()]
check("and the loss falls", len(losses) == 5 and losses[-1] < losses[0] - 1, losses)
state = json.loads(next((WORK / "plain/checkpoints").glob("step-000005/state.json")).read_text())
check("its state is in the checkpoint", "optimizer" in json.dumps(state))
tensors = b"".join(f.read_bytes()[:200000] for f in (WORK / "plain/checkpoints/step-000005").iterdir())
check("under the names it gave", b"exp_avg_sq" in tensors)

p = subprocess.Popen([HONE, "run", "opt.lua", "--run-dir", "cut"], cwd=WORK, stdout=subprocess.PIPE, text=True,
                     stderr=subprocess.DEVNULL)
for line in p.stdout:
    if line.startswith("step 2"):
        p.send_signal(signal.SIGKILL)
        break
p.wait()
resumed = hone("resume", "cut")
check("it was killed on the way", p.returncode == -signal.SIGKILL, p.returncode)
check("and resumes", resumed.returncode == 0, resumed.stderr)
check("from the middle", "step 1 " not in resumed.stdout and "step 5 " in resumed.stdout, resumed.stdout)
check("to the same bytes", fingerprint(WORK / "plain") == fingerprint(WORK / "cut"))

for name, spec, text in [
    ("five states", 'buffers = { "a", "b", "c", "d", "e" }', "at most 4 arrays of state"),
    ("a state that is no name", "buffers = { 5.5, {} }", "string expected"),
    ("state replicated with settings", 'fields = { a = 1 }, state = "replicated"', "has one state"),
    ("an unknown key", "bufers = {}", 'did you mean "buffers"'),
    ("a setting without a default", "fields = { a = {} }", "fields.a: a default is expected"),
    ("a default outside its bounds", "fields = { a = { 2, 'x', max = 1 } }", "a"),
    ("settings that are no table", "fields = 5", "fields: a table is expected"),
    ("a cap that asks", 'caps = { "net" }', "none of pure"),
    ("a mode nobody has", 'state = "shared"', '"control" or "replicated"'),
]:
    write("bad.lua", 'local hone = require "hone"\nhone.component { kind = "optimizer", id = "bad", step = function() end, '
          + spec + " }\n")
    r = hone("run", "bad.lua")
    check(name + " is refused", r.returncode == 1 and text in r.stderr, r.stderr)
write("slip.lua", """local hone = require "hone"
local run = hone.run { name = "slip", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = hone.optimizer({ id = "slip", step = function(slices) slices[1].param[1] = "x" end }, { lr = 1 }) }
""" + ROWS + 'for _, batch in run:steps(1, rows:batches(2)) do policy:update { batch, objective = "sft" } end\n')
r = hone("run", "slip.lua")
check("a mistake in step names component, line and element",
      r.returncode == 1 and "recipe.optimizer.slip: slip.lua:3: element: a number expected, got string" in r.stderr, r.stderr)
write("matrix.lua", """local hone = require "hone"
local seen = {}
hone.component { kind = "optimizer", id = "whole", state_spec = function(param) return param.cols > 0 and { "m" } or {} end,
  step = function(slices)
    for i = 1, #slices do
      local s = slices[i]
      assert(s.cols == 0 or s.length >= s.rows * s.cols)
      assert((s.layout == 0) == false)
      seen[#seen + 1] = s.length
      s.param[s.length] = s.param[1]
    end
  end }
local run = hone.run { name = "matrix", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = { "whole", lr = 1 } }
""" + ROWS + """for _, batch in run:steps(1, rows:batches(2)) do policy:update { batch, objective = "sft" } end
print(#seen > 4 and "whole matrices")
""")
r = hone("run", "matrix.lua")
check("without elementwise it gets whole matrices", "whole matrices" in r.stdout, r.stdout + r.stderr)

# ---- a tokenizer -------------------------------------------------------------------------------------------------------

write("tok.lua", """local hone = require "hone"
local t = { id = "bytes", vocab_size = 258, special = { eos = 256, bos = 257 },
  encode = function(texts, how)
    local out = {}
    for i, text in ipairs(texts) do
      local ids = { text:byte(1, -1) }
      if how.add then table.insert(ids, 1, 257) end
      out[i] = ids
    end
    return out
  end,
  decode = function(lists)
    local out = {}
    for i, ids in ipairs(lists) do
      local parts = {}
      for k, id in ipairs(ids) do parts[k] = id < 256 and string.char(id) or "<>" end
      out[i] = table.concat(parts)
    end
    return out
  end }
local tok = hone.tokenizer(t)
assert(tok.vocab_size == 258 and tok.eos == 256 and tok.bos == 257 and tok.pad == nil and #tok.fingerprint == 64)
assert(tok:decode(tok:encode "caf\\u{e9}") == "caf\\u{e9}")
assert(#tok:encode("ab", true) == 3 and tok:id "a" == 97 and tok:id "nothing" == nil)
assert(table.concat(tok:pieces "ab", ",") == "a,b")
assert(tok:decode({ 97, 256 }) == "a<>" and tok:decode({ 97, 256 }, true) == "a")
local c = hone.component("tokenizer", "bytes")
assert(c:vocab_size() == 258 and c:is_special(256) == 1 and c:is_special(97) == 0 and c:special "eos" == 256)
local ok, e = pcall(c.decode, c, { { ids = { 999 } } }, 0)
assert(not ok and e.code == "E_RANGE", tostring(e))
local spans = c:encode({ "xy" }, 4 + 2)[1].offsets
assert(#spans == 3 and spans[1]["end"] == 0 and spans[3].begin == 1 and spans[3]["end"] == 2)
assert(c:token_bytes(258) == "" and c:token_text(97) == "a" and c:fingerprint() == tok.fingerprint)
local run = hone.run { name = "tok", seed = 7 }
local policy = run:policy {
  config = { architectures = { "LlamaForCausalLM" }, model_type = "llama", vocab_size = tok.vocab_size, hidden_size = 32,
    intermediate_size = 64, num_hidden_layers = 1, num_attention_heads = 2, num_key_value_heads = 2,
    max_position_embeddings = 128, rms_norm_eps = 1e-5, rope_theta = 10000.0, tie_word_embeddings = true,
    hidden_act = "silu", initializer_range = 0.08, eos_token_id = tok.eos },
  tokenizer = tok, optimizer = { "adamw", lr = 1e-2 },
}
""" + ROWS + """for step, batch in run:steps(3, rows:epochs():batches(2)) do
  run:say("tokens %d", policy:update { batch, objective = "sft" }.tokens)
end
assert(#policy:generate({ "one" }, { max_tokens = 4 })[1][1].text > 0)
run:save()
-- a folder of Hugging Face's still goes to the shipped tokenizer, although this one is asked first or last
assert(hone.tokenizer("tiny").vocab_size ~= 258)
""")
r = hone("run", "tok.lua")
check("a Lua tokenizer encodes, decodes and trains", r.returncode == 0, r.stdout + r.stderr)
check("on its own ids", "tokens 21" in r.stdout, r.stdout)
for name, spec, text in [
    ("without encode", "decode = f, vocab_size = 3", "needs two functions"),
    ("without a size", "encode = f, decode = f", "needs vocab_size"),
    ("an id out of range", "encode = function(t) return { { 7 } } end, decode = f, vocab_size = 3", "gave id 7 of a vocabulary of 3"),
    ("too few lists", "encode = function(t) return {} end, decode = f, vocab_size = 3", "a list with the ids of each text"),
    ("an id that is text", 'encode = function(t) return { { "a" } } end, decode = f, vocab_size = 3', "integer expected"),
]:
    write("bad.lua", 'local hone = require "hone"\nlocal f = function() return {} end\nhone.tokenizer { id = "bad", '
          + spec + ' }:encode "x"\n')
    r = hone("run", "bad.lua")
    check("a tokenizer: " + name, r.returncode == 1 and text in r.stderr, r.stderr)

# ---- a judge -----------------------------------------------------------------------------------------------------------

write("judge.lua", """local hone = require "hone"
local j = hone.judge { id = "words", fields = { per = 100 }, judge = function(self, items)
  local out = {}
  for i, it in ipairs(items) do
    if it.columns.skip then out[i] = hone.abstain
    elseif it.columns.broken then out[i] = nil
    elseif it.candidates_len > 1 then out[i] = { ranking = { 2, 1 }, reasoning = it.rubric }
    else out[i] = { score = #it.candidates[1] / self.per, reasoning = it.reference } end
  end
  return out
end }
local v = j:judge { { candidates = { "abc" }, reference = "x" }, { candidates = { "abc" }, columns = { skip = true } },
  { candidates = { "a", "b" }, rubric = "r" }, { candidates = { "a" }, columns = { broken = true } } }
assert(#v == 4 and v[1].item == 0 and v[1].verdict.status == 1 and v[1].verdict.score == 0.03 and v[1].verdict.reasoning == "x")
assert(v[2].verdict.status == 2 and v[4].verdict.status == 3)
assert(v[3].verdict.ranking[1] == 1 and v[3].verdict.ranking[2] == 0 and v[3].verdict.score ~= v[3].verdict.score)
local run = hone.run { name = "j", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local rewards = { hone.reward("judge", { judge = j, reference = "reference" }) }
local rows = hone.rows { { prompt = "Leo has 3 apples", reference = "7" }, { prompt = "Mia has 5 pens", reference = "3" } }
for _, prompts in run:steps(2, rows:epochs():batches(2)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 16, temperature = 1.0, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  for _, s in ipairs(rollout:samples()) do assert(math.abs(s.reward - #s.completion / 100) < 1e-6) end
end
print "judged"
""")
r = hone("run", "judge.lua")
check("a Lua judge is what the reward \"judge\" asks", r.returncode == 0 and "judged" in r.stdout, r.stdout + r.stderr)
for name, body, text in [
    ("no list", "return 5", "must return a list with one verdict an item"),
    ("a text for a verdict", 'return { "good" }', "verdict 1 is a string"),
    ("an unknown key", "return { { scor = 1 } }", 'a verdict has no "scor"'),
]:
    write("bad.lua", 'local hone = require "hone"\nhone.judge { id = "bad", judge = function(items) ' + body
          + ' end }:judge { { candidates = { "x" } } }\n')
    r = hone("run", "bad.lua")
    check("a judge: " + name, r.returncode == 1 and text in r.stderr, r.stderr)

# ---- a sink, and states of their own ---------------------------------------------------------------------------------

write("sink.lua", """local hone = require "hone"
local got = {}
local s = hone.component { kind = "sink", id = "keep", event = function(kind, fields) got[#got + 1] = kind .. fields.loss end }
s:event("step", { loss = 2 }) s:flush()
assert(got[1] == "step2")
assert(not pcall(s.event, s, 5, {}))
print "sunk"
""")
r = hone("run", "sink.lua")
check("a Lua sink", "sunk" in r.stdout, r.stdout + r.stderr)

write("mymod.lua", """local M = { calls = 0 }
local function half(s) return #s.completion / 2 end
function M.score(batch) M.calls = M.calls + 1 return batch:map(half) end
return M
""")
REPL = """local hone = require "hone"
local scale, words = 2, { "a", "b", deep = { 1, 2.5, true } }
local run = hone.run { name = "r", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local rewards = { hone.reward { id = "up", state = "MODE", score = function(batch)
    assert(words.deep[2] == 2.5 and words[2] == "b")
    return batch:map(function(s) return s.completion_len == 0 and hone.abstain or scale * #s.completion + math.random() end)
  end },
  hone.reward { id = "mod", state = "MODE", module = "mymod", weight = 0 } }
local rows = hone.rows { { prompt = "Leo has 3 apples" }, { prompt = "Mia has 5 pens" }, { prompt = "Tom" } }
for _, prompts in run:steps(2, rows:epochs():batches(3)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 8, temperature = 1.0, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
end
run:save()
"""
prints = {}
for mode in ("control", "replicated"):
    write("repl.lua", REPL.replace("MODE", mode))
    r = hone("run", "repl.lua", "--run-dir", mode)
    check(f"rewards with state = {mode}", r.returncode == 0, r.stderr)
    prints[mode] = [digest(WORK / mode / n) for n in ("metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors")]
check("the same bytes from both", prints["control"] == prints["replicated"] and "missing" not in prints["control"])
for name, up, text in [
    ("a function", "local up = function() end", "upvalue up: a function cannot be copied"),
    ("a metatable", "local up = setmetatable({}, {})", "upvalue up: a table with a metatable"),
    ("a table that holds itself", "local up = {} up.up = up", "upvalue up: nested too deep"),
    ("a coroutine", "local up = coroutine.create(print)", "upvalue up: a thread cannot be copied"),
    ("a library's function", "local up = math.floor", "upvalue up: a function cannot be copied"),
]:
    write("bad.lua", f'local hone = require "hone"\n{up}\nhone.reward {{ id = "bad", state = "replicated", score = function() return up end }}\n')
    r = hone("run", "bad.lua")
    check("an upvalue: " + name, r.returncode == 1 and text in r.stderr, r.stderr)

# ---- hone's own components, called --------------------------------------------------------------------------------------

write("rows.jsonl", '{"prompt":"a"}\n{"prompt":"b"}\n')
write("call.lua", """local hone = require "hone"
local function near(a, b) assert(math.abs(a - b) < 1e-6, a .. " is not " .. b) end
local o = hone.component("objective", "org.hone.objective.sft")
local function input() return { n_tokens = 2, n_seqs = 1, seq_begin = { 0, 2 }, logp = { -1, -3 }, mask = { 1, 1 }, length = { 2 } } end
local out = o:loss(input(), { grad_logp = { 0, 0 } })
near(out.loss, 2) near(out.grad_logp[1], -0.5)
assert(#o:show() > 10 and o:uses() == 0)
local grpo = hone.component("objective", "grpo")
local policy = input()
policy.old_logp, policy.advantage, policy.total_tokens, policy.total_seqs, policy.max_length = { -1.1, -3 }, { 1, 1 }, 2, 1, 2
local step, metrics = grpo:loss(policy, { grad_logp = { 0, 0 } })
assert(step.grad_logp[1] < 0 and #metrics > 2 and metrics[1].name == "ratio/mean" and metrics[1].weight == 2)
near(metrics[1].value, (math.exp(0.1) + 1) / 2)
for name, spoil in pairs {
  far = function(x) x.seq_begin = { 0, 1000000 } end, back = function(x) x.seq_begin = { 5, 2 } end, count = function(x) x.n_tokens = 1000000 end,
  short = function(x) x.mask = { 1 } end, none = function(x) x.logp = nil end } do
  local x = input()
  spoil(x)
  assert(not pcall(o.loss, o, x, { grad_logp = { 0, 0 } }), name)
end
assert(not pcall(o.loss, o, input(), { grad_logp = { 0 } }))
local a = hone.component("objective", "org.hone.advantage.group")
local function groups() return { n_seqs = 2, n_rewards = 1, rewards = { 1, 0 }, scored = { 1, 1 }, weights = { 1 }, group = { 0, 0 } } end
local r = a:compute(groups(), { seq = { 0, 0 }, left_out = { 0, 0 } })
assert(r.seq[1] > 0 and r.seq[2] < 0 and r.left_out[1] == 0)
assert(not pcall(a.compute, a, groups(), { seq = { 0, 0 } }))
assert(not pcall(a.compute, a, groups(), { seq = { 0 }, left_out = { 0 } }))
local adam = hone.component("optimizer", "adamw")
assert(adam:state_spec({ name = "w", rows = 2 }).n_buffers == 2)
local p, m, v = { 1, 2 }, { 0, 0 }, { 0, 0 }
adam:step({ { param = p, grad = { 1, 0.5 }, state = { m, v }, lr = 0.1 } }, { step = 1, grad_scale = 1, grad_norm = 1 })
near(p[1], 0.9) near(m[1], 0.1) assert(v[1] > 0)
assert(not pcall(adam.step, adam, { { param = p, grad = { 1 }, lr = 0.1 } }, { step = 1 }))
assert(not pcall(adam.step, adam, { { param = p, grad = { 1, 1 }, state = { m, v, m, v, m }, lr = 0.1 } }, { step = 1 }))
local sure = 0
for _, c in ipairs(hone.components "model") do
  local ok, x = pcall(function() return hone.component("model", c.id):probe("hf", { model_type = "llama", architectures = { "LlamaForCausalLM" } }) end)
  if ok and x > sure then sure = x end
end
assert(sure > 50)
local s = hone.component("source", "jsonl", { path = "rows.jsonl" })
assert(s:row_count() == -1 or s:row_count() == 2)
assert(not pcall(s.open, s), "a stream is nothing for Lua")
print "called"
""")
r = hone("run", "call.lua")
check("hone's own objective, advantage, optimizer, model and source called", "called" in r.stdout, r.stdout + r.stderr)

# ---- a third party's kind ----------------------------------------------------------------------------------------------

os.makedirs(WORK / "plugins")
so = WORK / "plugins" / "acme.so"
cc = subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + str(ROOT / "sdk/include"), "-o", str(so),
                     str(ROOT / "tests/unit/plugins/acme.c"), "-lm"], capture_output=True, text=True)
check("a third party's plugin compiles", cc.returncode == 0, cc.stderr)
write("acme.lua", """local hone = require "hone"
local map = hone.component("com.acme.kind.map", "map")
local p, d = map:nearest { { x = 0, y = 0 }, { x = 5, y = 1 }, { x = 2, y = 0 } }
assert(p.x == 2 and d == 2 and map:name() == "acme" and map:mid { x = 1, y = 3 } == 2)
assert(map:words("a bc d", 2)[2].text == "bc")
-- the same interface in Lua, on top of the C one
local mine = hone.component { kind = "com.acme.kind.map", id = "mine",
  nearest = function(points) return map:nearest(points:totable()) end,
  words = function(text, n, sink) for w in text:gmatch "%a+" do sink:put(#w, w) end end,
  name = function() return map:name() .. "!" end,
  mid = function(p) return p.x * p.y end }
p, d = mine:nearest { { x = 0, y = 0 }, { x = 5, y = 1 }, { x = 2, y = 0 } }
assert(p.x == 2 and d == 2 and mine:name() == "acme!" and mine:mid { x = 2, y = 3 } == 6)
assert(mine:words("ab c", 1)[1].at == 2)
-- the C component is given the Lua one, and calls it
local over = hone.component("com.acme.kind.map", "over", { map = mine })
p, d = over:nearest { { x = 0, y = 0 }, { x = 5, y = 1 }, { x = 2, y = 0 } }
assert(p.x == 2 and d == 4 and over:name() == "over acme!" and over:words("ab c", 1)[2].text == "c")
for name, f in pairs {
  arity = function() map:mid() end, kind = function() map:mid { x = "a", y = 1 } end, member = function() map:mid { x = 1, z = 1 } end,
  list = function() map:nearest(5) end, element = function() map:nearest { 5 } end, text = function() map:words(5, 1) end,
  range = function() map:words("a", -1) end, fraction = function() map:words("a", 1.5) end, call = function() map:nothing() end,
  number = function() map:scaled({ 1, "x" }, 1) end } do
  assert(not pcall(f), name)
end
assert(not pcall(map.interface(map).name, mine), "another component's method")
assert(not pcall(map.interface(map).name, {}), "a table for a component")
map:close()
assert(not pcall(map.name, map), "a closed component")
print "both ways"
""")
trusting = {**os.environ, "HONE_PLUGIN_PATH": str(WORK / "plugins"), "XDG_CONFIG_HOME": str(WORK / "config")}
hone("plugin", "trust", str(so), env=trusting)  # a component cannot be handed into a box
r = hone("run", "acme.lua", env=trusting)
check("a third party's interface both ways", r.returncode == 0 and "both ways" in r.stdout, r.stdout + r.stderr)
finish()
