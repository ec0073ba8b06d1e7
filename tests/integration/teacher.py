#!/usr/bin/env python3
"""teacher.py - learning from another policy: gkd, forward_kl, reverse_kl, minillm and opd from recipes. A student that
is its teacher has divergence 0; one that is not comes closer on rows it was not trained on, whatever
the micro-batches; what is missing or does not fit is said."""
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
scratch = tempfile.TemporaryDirectory(prefix="hone-teacher-")
work = pathlib.Path(scratch.name)

HEAD = """local hone = require "hone"
local run = hone.run { name = "t", seed = 3 }
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local teacher = run:policy { model = "tiny", name = "teacher" }
local function student(name, config)
  local c = { model = "tiny", name = name, optimizer = { "adamw", lr = 1e-3, weight_decay = 0 } }
  for k, v in pairs(config or {}) do c[k] = v end
  local p = run:policy(c)
  for _ = 1, 4 do p:update { { { prompt = "Hello", completion = "zzz zz z" } }, objective = "sft" } end
  return p
end
local rows, others = {}, {}
for i = 1, 8 do rows[i] = { prompt = "Question " .. i, completion = "The answer is " .. i * 3 .. "." } end
for i = 1, 4 do others[i] = { prompt = "Question " .. i + 20, completion = "The answer is " .. i * 7 .. "." } end
"""


def asserts(name, text):
    """A recipe that checks itself: every line `ok WHAT` or `bad WHAT` counts."""
    (work / f"{name}.lua").write_text(HEAD + text)
    run = subprocess.run([HONE, "run", f"{name}.lua", "--run-dir", str(work / name)], capture_output=True, text=True, cwd=work,
                         timeout=300)
    check(f"{name}: ends well", run.returncode == 0, run.stderr)
    told = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
    check(f"{name}: tells something", told, run.stdout)
    for x in told:
        check(f"{name}: {x.split(' ', 1)[1]}", x.startswith("ok "), run.stdout)


asserts("same", """
for _, name in ipairs { "gkd", "forward_kl", "reverse_kl" } do
  local loss = teacher:loss { rows, objective = { name, teacher = teacher:copy(name) } }
  is(name .. " of a teacher from itself is 0: " .. loss, math.abs(loss) < 1e-6)
end
""")

asserts("closer", """
for _, name in ipairs { "gkd", "forward_kl", "reverse_kl", "minillm" } do
  local p = student(name)
  local function gap() return (p:loss { others, objective = { "forward_kl", teacher = teacher } }) end
  local before, m = gap(), nil
  for _ = 1, 10 do m = p:update { rows, objective = { name, teacher = teacher } } end
  is(name .. ": closer on other rows, " .. before .. " -> " .. gap(), gap() < before * 0.7)
  is(name .. ": tells the divergence", m.divergence and m.divergence >= 0 and m.grad_norm > 0)
end
""")

asserts("parts", """
local function trained(name, spec, config)
  local p = student(name)
  local c = { rows, objective = spec }
  for k, v in pairs(config) do c[k] = v end
  local m = p:update(c)
  return p:info().checksum, m.loss
end
for i, spec in ipairs { { "gkd", teacher = teacher }, { "reverse_kl", teacher = teacher, reduce = "seq_mean_token_mean" },
    { "minillm", teacher = teacher } } do
  local sum, loss = trained("a" .. i, spec, {})
  local other, loss2 = trained("b" .. i, spec, { micro_tokens = 40 })
  local third, loss3 = trained("c" .. i, spec, { accumulate = 3 })
  is(spec[1] .. ": micro-batches give the same bits", sum == other and sum == third)
  is(spec[1] .. ": and the same loss", math.abs(loss - loss2) < 1e-9 and math.abs(loss - loss3) < 1e-9)
  local four = trained("d" .. i, spec, { checkpoint_every = 1 })
  is(spec[1] .. ": recomputing activations too", sum == four)
end
""")

asserts("lora", """
local p = student("lora", { lora = { rank = 4 } })
local before = p:loss { others, objective = { "forward_kl", teacher = teacher } }
for _ = 1, 10 do p:update { rows, objective = "gkd", teacher = teacher } end
local after = p:loss { others, objective = { "forward_kl", teacher = teacher } }
is("an adapter learns too, " .. before .. " -> " .. after, after < before)
""")

asserts("rollouts", """
local p = student("own")
local function gap() return (p:loss { others, objective = { "forward_kl", teacher = teacher } }) end
local before = gap()
for _ = 1, 6 do
  local r = p:rollout({ "Question 1", "Question 2" }, { n = 4, max_tokens = 12 })
  p:update { r, objective = { "gkd", beta = 1, teacher = teacher } }
end
is("on the policy's own samples, without rewards, " .. before .. " -> " .. gap(), gap() < before)
""")

asserts("said", """
local p = student("said")
local ok, why = pcall(p.update, p, { rows, objective = "gkd" })
is("no teacher is said: " .. tostring(why), not ok and tostring(why):find "there is none")
local ok, why = pcall(p.update, p, { rows, objective = { "gkd", teacher = "tiny" } })
is("a name is no teacher: " .. tostring(why), not ok and tostring(why):find "teacher is a policy")
local ok, why = pcall(p.update, p, { p:rollout({ "Question 1" }, { n = 2, max_tokens = 4 }), objective = "grpo" })
is("grpo wants advantages: " .. tostring(why), not ok and tostring(why):find "no advantages")
""")

finish()
