#!/usr/bin/env python3
"""training.py - training learns, for the reason that is given: the quickstart raises its reward and the same run
with the rewards dealt out anew does not; sampler and trainer agree bit for bit at every step; a loss written in a
recipe is the objective of that formula; and a broken recipe ends with one clear error.

The runs are short and their seeds fixed, so the same machine and kernels give the same numbers."""
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
STEPS = 150
scratch = tempfile.TemporaryDirectory(prefix="hone-training-")
work = pathlib.Path(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=900)


def train(name, *args):
    """Runs a recipe; its metrics, a map a step, or [] when it failed."""
    run = hone("run", *args, "--run-dir", work / name, "--quiet")
    check(name + " ends well", run.returncode == 0, run.stderr)
    path = work / name / "metrics.jsonl"
    lines = path.read_text().splitlines() if run.returncode == 0 else []
    return [json.loads(line) for line in lines]


def rise(steps):
    """Mean reward of the last 20 steps less that of the first 20."""
    v = [s["reward/exact_match/mean"] for s in steps]
    return (sum(v[-20:]) - sum(v[:20])) / 20


# ---- learning, and the control that must not ----
learnt = train("learns", "quickstart", f"steps={STEPS}")
control = train("permuted", "quickstart", f"steps={STEPS}", "permute=true")
for name, steps in ("learns", learnt), ("permuted", control):
    steps = [s for s in steps if "reward/exact_match/mean" in s]
    check(f"{name}: a line a step", [s["step"] for s in steps] == list(range(1, STEPS + 1)), len(steps))
    # a step whose groups all have equal rewards trains on nothing
    worst = [s["step"] for s in steps if s["group/zero_std"] != 1 and s.get("mismatch/max") != 0]
    check(f"{name}: sampler and trainer agree", not worst, f"mismatch at steps {worst[:5]}")
    moved = [s["step"] for s in steps if s["grad_norm"] > 0]
    check(f"{name}: most steps have a gradient", len(moved) > STEPS // 2, len(moved))
if learnt and control:
    check("the reward rises", rise(learnt) >= 0.15, rise(learnt))
    check("with permuted rewards it does not", rise(control) < 0.05, rise(control))

# ---- a loss of one's own ----
ONE = """
local hone = require "hone"
local stories = require "stories"
local p = hone.params { lua = { false, "the loss written here" } }
local run = hone.run { name = "one", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-3, weight_decay = 0 } }
local rewards = { hone.reward("exact_match", { prefix = "Answer:", reference = "answer" }),
  hone.reward { id = "long", weight = 0.01, score = function(b) return b:map(function(s) return #s.completion end) end } }
local function by_hand(b)
  local r, A = (b.logp - b.old_logp):exp(), b.advantage
  return -(r * A):min(r:clamp(0.8, 1.2) * A):masked_mean(b.mask)
end
for _, prompts in run:steps(1, hone.rows(stories.list(5, "train", 8)):epochs():batches(8)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 40, rewards = rewards })
  policy:update { rollout, objective = p.lua and by_hand or { "dapo", eps_low = 0.2, eps_high = 0.2 },
    advantage = "group", epochs = 2, minibatches = 2, clip = 0 }
end
run:save()
"""
(work / "one.lua").write_text(ONE)
named, lua = train("named", "one.lua"), train("by-hand", "one.lua", "lua=true")
if named and lua:
    a, b = named[0], lua[0]
    # later minibatches are off the policy, so that the clip is at work
    check("ratios are clipped", a["clip/low"] > 0.01 and a["clip/high"] > 0.01, (a["clip/low"], a["clip/high"]))
    for key in "loss", "grad_norm":
        check(f"dapo written in Lua: {key}", abs(a[key] - b[key]) <= 1e-4 * max(1, abs(a[key])), (a[key], b[key]))
        check(f"{key} is not nothing", abs(a[key]) > 1e-2, a[key])
    check("the same rollouts", all(a[k] == b[k] for k in a if k.startswith(("reward/", "tokens"))))


# ---- recipes that cannot work ----
def refuses(name, run, *texts):
    errors = [line for line in run.stderr.splitlines() if line.startswith("hone:")]
    check(f"{name}: exit status", run.returncode in (1, 2), run.returncode)
    check(f"{name}: one error", len(errors) == 1, run.stderr)
    for text in texts:
        check(f"{name}: says {text}", text in run.stderr, run.stderr)


def recipe(name, text):
    (work / f"{name}.lua").write_text(text)
    return hone("run", f"{name}.lua", "--run-dir", work / name, "--quiet")


refuses("syntax error", recipe("syntax", 'local hone = require "hone"\nlocal x = = 3\n'), "syntax.lua:2")
refuses("misspelt reward", recipe("misspelt", 'local hone = require "hone"\nlocal r = hone.reward("math_anwser")\n'),
        "math_anwser", 'did you mean "math_answer"?')
absent = ONE.replace('reference = "answer"', 'reference = "anwser"').replace("batches(8)", "batches(16)")
refuses("missing column", recipe("column", absent), "exact_match", "anwser")
(work / "question.jsonl").write_text('{"question": "1+1", "answer": "#### 2"}\n{"prompt": "2+2"}\n')
refuses("a row without the column", hone("run", "grpo", "model=tiny", "data=question.jsonl", "steps=1", "--run-dir",
                                         work / "rows"),
        "row 2 of", "question.jsonl", "grpo.lua:", "field 'answer'", "the row has the column prompt")
refuses("no such recipe", hone("run", "quickstrat", "--run-dir", work / "none"), "quickstrat")
(work / "no_plugin.so").write_text("this is no shared object\n")
refuses("a file that is no plugin", hone("plugin", "describe", "no_plugin.so"), "no_plugin.so")

finish()
