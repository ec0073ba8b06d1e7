#!/usr/bin/env python3
"""objective_updates.py - every loss that `hone objective list` names, in updates of a model: the same bits whatever the
micro-batches and accumulation, the same loss in any order of the samples, nothing from samples that are left out, and
an advantage of zero gives no gradient. Names that need what a policy lacks (rm, value: a head) say so."""
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
scratch = tempfile.TemporaryDirectory(prefix="hone-updates-")
work = pathlib.Path(scratch.name)

listed = json.loads(subprocess.run([HONE, "objective", "list", "--json"], capture_output=True, text=True, check=True).stdout)
FIELDS = {e["name"]: {f["name"] for f in e["settings"]} for e in listed["objectives"]}
UNPAIRED = ["kto", "apo_zero_unpaired"]
ROWS = ["sft", "dft", "gkd", "forward_kl", "reverse_kl"]
POLICY = [n for n, f in FIELDS.items() if "sampler_cap" in f]
PAIRS = [n for n in FIELDS if n not in UNPAIRED + ROWS + POLICY + ["minillm", "rm", "value"]]
check("the families cover every name", len(POLICY) == 13 and len(PAIRS) > 15, (POLICY, PAIRS))

HEAD = """local hone = require "hone"
local run = hone.run { name = "u", seed = 5 }
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local base = run:policy { model = "tiny", name = "base" }
local teacher = run:policy { model = "tiny", name = "teacher", optimizer = { "adamw", lr = 1e-3 } }
for _ = 1, 2 do teacher:update { { { prompt = "Hello", completion = "zzz zz z" } }, objective = "sft" } end
local count = 0
local head -- of the policies made from here on
local function fresh()
  count = count + 1
  return run:policy { model = "tiny", name = "p" .. count, value_head = head, optimizer = { "adamw", lr = 1e-3, weight_decay = 0 } }
end
local function spec(name, more)
  local s = { name }
  for k, v in pairs(more or {}) do s[k] = v end
  return s
end
-- the checksum after one update, and its metrics
local function once(data, objective, more)
  local c = { objective = objective, reference = base, teacher = teacher }
  for i, d in ipairs(data) do c[i] = d end
  for k, v in pairs(more or {}) do c[k] = v end
  local p = fresh()
  local m = p:update(c)
  return p:info().checksum, m
end
local untouched = fresh():info().checksum
local function splits(name, data, objective, more)
  local function with(extra)
    local c = {}
    for k, v in pairs(more or {}) do c[k] = v end
    for k, v in pairs(extra) do c[k] = v end
    return once(data, objective, c)
  end
  local whole, m = with {}
  local small, m2 = with { micro_tokens = 48 }
  local thrice, m3 = with { accumulate = 3 }
  is(name .. ": micro-batches and accumulation give the same bits", whole == small and whole == thrice)
  is(name .. ": and the same loss", math.abs(m.loss - m2.loss) <= 1e-9 * (1 + math.abs(m.loss)) and math.abs(m.loss - m3.loss) <= 1e-9 * (1 + math.abs(m.loss)))
  is(name .. ": it moves the weights, " .. m.grad_norm, m.grad_norm > 0 and whole ~= untouched)
  return whole, m
end
-- the same batch from behind
local function reversed(list)
  local out = {}
  for i, v in ipairs(list) do out[#list + 1 - i] = v end
  return out
end
"""


def lua(names):
    return "{ " + ", ".join(f'"{n}"' for n in names) + " }"


def asserts(name, text):
    (work / f"{name}.lua").write_text(HEAD + text)
    run = subprocess.run([HONE, "run", f"{name}.lua", "--run-dir", str(work / name)], capture_output=True, text=True, cwd=work,
                         timeout=300)
    check(f"{name}: ends well", run.returncode == 0, run.stderr)
    told = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
    check(f"{name}: tells something", told, run.stdout)
    for x in told:
        check(f"{name}: {x.split(' ', 1)[1]}", x.startswith("ok "))


def some(names, n):
    """Names in parts: a recipe has at most 64 policies at one time."""
    return [names[i:i + n] for i in range(0, len(names), n)]


for k, part in enumerate(some(PAIRS, 8)):
    asserts(f"pairs{k}", f"""
local rows = {{}}
for i = 1, 6 do rows[i] = {{ prompt = "Question " .. i, chosen = "It is " .. i * 3 .. " then", rejected = "No " .. i }} end
for _, name in ipairs {lua(part)} do
  local objective = spec(name, name == "robust" and {{ label_smoothing = 0.1 }} or nil)
  local _, m = splits(name, {{ rows }}, objective)
  local _, back = once({{ reversed(rows) }}, objective)
  is(name .. ": the order of pairs does not matter", math.abs(m.loss - back.loss) <= 1e-5 * (1 + math.abs(m.loss))
    and math.abs(m.grad_norm - back.grad_norm) <= 1e-3 * m.grad_norm)
end
local sum = {{ {{ "{part[0]}", {'label_smoothing = 0.1' if part[0] == 'robust' else ''} }}, {{ "sft", weight = 0.25, neftune = 5 }} }}
splits("{part[0]} + 0.25 sft with noise", {{ rows }}, sum)
local ok, why = pcall(once, {{ rows }}, "rm")
is("rm says what is missing: " .. tostring(why), not ok and tostring(why):find "value head")
""")

asserts("single", f"""
local rows, labelled = {{}}, {{}}
for i = 1, 6 do
  rows[i] = {{ prompt = "Question " .. i, completion = "It is " .. i * 3 .. " then" }}
  labelled[i] = {{ prompt = "Question " .. i, completion = "It is " .. i * 3, label = i % 3 ~= 0 }}
end
for _, name in ipairs {lua(ROWS + ["minillm"])} do
  local _, m = splits(name, {{ rows }}, name)
  local _, back = once({{ reversed(rows) }}, name)
  is(name .. ": the order of rows does not matter", math.abs(m.loss - back.loss) <= 1e-5 * (1 + math.abs(m.loss)))
end
for _, name in ipairs {lua(UNPAIRED)} do
  splits(name, {{ labelled }}, spec(name, {{ beta = 0.5 }}))
end
local mixed = {{}}
for i, r in ipairs(labelled) do mixed[i] = {{ prompt = r.prompt, completion = labelled[i % 6 + 1].completion }} end
local a, b, c = fresh(), fresh(), fresh()
for _, p in ipairs {{ a, b, c }} do p:update {{ {{ {{ prompt = "Hello", completion = "zzz zz z" }} }}, objective = "sft" }} end
local apart = a:loss {{ mixed, objective = {{ "reinforce", beta = 1, kl = "k1", reduce = "seq_mean_token_sum" }}, reference = base }}
a:update {{ labelled, objective = {{ "kto", beta = 0.5 }}, reference = base }}
b:update {{ labelled, objective = {{ "kto", beta = 0.5, kto_kl = math.max(0, apart) }}, reference = base }}
c:update {{ labelled, objective = {{ "kto", beta = 0.5, kto_kl = math.max(0, apart) + 1 }}, reference = base }}
is("kto: the KL is estimated on other prompts' answers, " .. apart, a:info().checksum == b:info().checksum and a:info().checksum ~= c:info().checksum)
""")

asserts("heads", """
local rows = {}
for i = 1, 6 do rows[i] = { prompt = "Question " .. i, chosen = "It is " .. i * 3 .. " then", rejected = "No " .. i, margin = i / 10 } end
head = "reward"
untouched = fresh():info().checksum
local _, m = splits("rm", { rows }, { "rm", center = 0.1 })
local _, back = once({ reversed(rows) }, { "rm", center = 0.1 })
is("rm: the order of pairs does not matter", math.abs(m.loss - back.loss) <= 1e-5 and math.abs(m.grad_norm - back.grad_norm) <= 1e-3 * m.grad_norm)
local ok, why = pcall(once, { rows }, { { "rm" }, { "dpo", weight = 0.5 } })
is("rm beside a loss on tokens is refused: " .. tostring(why), not ok and tostring(why):find "with its like alone")
head = { "value" }
local critic = fresh()
untouched = critic:info().checksum
local odd = hone.reward { id = "odd", score = function(list) return list:map(function(s) return s.completion_len % 4 end) end }
local drawn = base:rollout({ "Question 1", "Question 2", "Question 3" }, { n = 4, max_tokens = 9, rewards = { odd } })
ok, why = pcall(drawn.advantages, drawn, "gae")
is("gae says whom it wants: " .. tostring(why), not ok and tostring(why):find "no policy to ask")
ok, why = pcall(drawn.advantages, drawn, { "gae", critic = base })
is("gae of a policy without a head: " .. tostring(why), not ok and tostring(why):find "head")
drawn:advantages "group"
ok, why = pcall(once, { drawn }, { "ppo", vf_coef = 1 })
is("ppo with vf_coef says where returns come from: " .. tostring(why), not ok and tostring(why):find "advantage gae")
drawn:advantages { "gae", lambda = 0.9, critic = critic }
_, m = splits("ppo with a value loss", { drawn }, { "ppo", vf_coef = 0.5 })
is("values begin with 0", m["value/mean"] == 0 and m["value/returns"] ~= 0)
_, m = splits("value", { drawn }, "value")
local sum, plain = once({ drawn }, { "ppo", vf_coef = 0 })
is("without it only the policy learns", plain["value/loss"] == nil and plain.grad_norm > 0)
""")

for k, part in enumerate(some(POLICY, 5)):
    asserts(f"policies{k}", f"""
local odd = hone.reward {{ id = "odd", score = function(list) return list:map(function(s) return s.completion_len % 4 end) end }}
local drawn = base:rollout({{ "Question 1", "Question 2", "Question 3" }}, {{ n = 4, max_tokens = 9, rewards = {{ odd }} }})
local more = base:rollout({{ "Question 4", "Question 5" }}, {{ n = 4, max_tokens = 7, rewards = {{ odd }} }})
more:advantages "dr_grpo"
local function advantages(fn)
  drawn:advantages(function(groups)
    local out = {{}}
    for i, g in ipairs(groups) do
      out[i] = {{}}
      for j, s in ipairs(g) do out[i][j] = fn(i, j, s) end
    end
    return out
  end)
end
for _, name in ipairs {lua(part)} do
  advantages(function(i, j) return (i + 2 * j) % 5 - 1.7 end)
  splits(name, {{ drawn }}, spec(name, {{ sampler_cap = 2 }}))
  local _, one = once({{ drawn, more }}, name)
  local _, two = once({{ more, drawn }}, name)
  is(name .. ": the order of samples does not matter", one.loss ~= 0 and math.abs(one.loss - two.loss) <= 1e-5 * (1 + math.abs(one.loss))
    and math.abs(one.grad_norm - two.grad_norm) <= 1e-3 * one.grad_norm)
  splits(name .. " with entropy and a KL", {{ drawn }}, spec(name, name == "dro" and {{ entropy = 0.01 }} or {{ entropy = 0.01, beta = 0.1 }}))
  -- a sample that is left out is as if it were not there
  advantages(function(i, j) if j == 4 then return false end return (i + 2 * j) % 5 - 1.7 end)
  local _, without = once({{ drawn }}, name)
  is(name .. ": samples left out are not counted", without.tokens < 12 * 9 + 1 and without.grad_norm > 0)
  advantages(function() return 0 end)
  local sum, none = once({{ drawn }}, spec(name, name ~= "dro" and {{}} or {{ beta = 0 }}))
  is(name .. ": zero advantage, zero gradient", none.grad_norm == 0)
end
""")

finish()
