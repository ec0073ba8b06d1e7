#!/usr/bin/env python3
"""recipes_table.py - what holds for every shipped recipe and every objective, one row each.

A recipe has at most 60 lines and a help text that reads well; each line of its metrics has the keys that recipes-and-cli.md
promises of its method, all finite; and one that dies in the middle of a step and is resumed ends with the bytes of one that
nobody disturbed: metrics, samples, weights. Every objective that there is can be trained by name through one of the recipes, and
every recipe through each optimizer. Story problems from files keep a run below a second; what is learnt stands in recipes_learn.py."""
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
RECIPES = ROOT / "scripts" / "recipes"
scratch = tempfile.TemporaryDirectory(prefix="hone-table-")
work = pathlib.Path(scratch.name)


def hone(*args, env=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=600, env=dict(os.environ, **(env or {})))


# ---- rows that all of them take: the embedded model's story problems -------------------------------------------------
(work / "rows.lua").write_text("""
local json, stories = require "hone.json", require "stories"
local given = require "given"
for i, s in ipairs(stories.list(3, "train", 96)) do
  local said = stories.completion(s, true)
  print(json.line { question = s.prompt, answer = s.answer, completion = said, prompt = s.prompt, chosen = said, rejected = "Answer: " .. (s.answer + 1),
    level = 1 + i % 2, task = i % 2 == 0 and "even" or "odd" })
end
""")
r = hone("lua", "rows.lua")
rows = [json.loads(line) for line in r.stdout.splitlines()]
check("story problems as rows", r.returncode == 0 and len(rows) == 96, r.stderr[-500:])


def columns(name, *keys):
    (work / name).write_text("".join(json.dumps({k: x[k] for k in keys}) + "\n" for x in rows))


columns("questions.jsonl", "question", "answer", "level", "task")
columns("demos.jsonl", "prompt", "completion")
columns("pairs.jsonl", "prompt", "chosen", "rejected")

# ---- the table --------------------------------------------------------------------------------------------------
ALL = {"step", "loss", "grad_norm", "lr", "tokens", "length/mean", "length/min", "length/max", "length/truncated"}
PREFERS = {"rewards/chosen", "rewards/rejected", "rewards/margin", "rewards/accuracy"}
SCORED = {f"reward/right/{x}" for x in ("mean", "std", "abstain", "error", "timeout")} | {
    "reward/mean", "reward/std", "group/zero_std", "group/all_pass", "group/all_fail", "advantage/mean", "advantage/std"}
POLICY = {"kl/k1", "kl/k3", "ratio/mean", "ratio/min", "ratio/max", "ratio/ess", "clip/low", "clip/high", "mismatch/mean", "mismatch/max"}
VALUES = {"value/loss", "value/clip", "value/mean", "value/returns"}
DEMOS, PAIRS = ["data=demos.jsonl"], ["data=pairs.jsonl", "eval=0"]
ASK = ["data=questions.jsonl", "instruction="]
TEACHER = ["teacher=teacher/model"]
RL = ALL | {"entropy"} | SCORED | POLICY
TABLE = {  # recipe: settings, keys of its metrics
    "sft": (DEMOS, ALL | {"entropy", "nll"}),
    "dpo": (PAIRS, ALL | PREFERS | {"entropy"}),
    "kto": (PAIRS, ALL | PREFERS | {"entropy", "kto/kl"}),
    "orpo": (PAIRS, ALL | PREFERS | {"entropy"}),
    "simpo": (PAIRS, ALL | PREFERS | {"entropy"}),
    "reward_model": (PAIRS, ALL | PREFERS),
    "grpo": (ASK, RL), "dr_grpo": (ASK, RL), "gspo": (ASK, RL), "cispo": (ASK, RL), "rloo": (ASK, RL), "reinforce++": (ASK, RL),
    "dapo": (ASK, RL | {f"reward/overlong/{x}" for x in ("mean", "std", "abstain", "error", "timeout")}),
    "ppo": (ASK, RL | VALUES),
    "online_dpo": (ASK, ALL | {"entropy"} | SCORED | PREFERS),
    "rejection_sampling": (ASK + ["questions=16", "keep=0"], ALL | {"entropy", "kept/share"} | SCORED),
    "curriculum": (ASK, RL | {"curriculum/level"}),
    "gkd": (DEMOS + TEACHER, ALL | {"entropy", "divergence"}),
    "opd": (["data=questions.jsonl", "instruction="] + TEACHER, ALL | {"entropy", "advantage/mean", "advantage/std"} | POLICY),
    "distill": (ASK + TEACHER + ["rows=32"], ALL | {"entropy", "divergence"}),
    "multi_turn": (ASK, ALL | {"entropy", "env/turns"} | POLICY | {x.replace("/right/", "/calculator/") for x in SCORED}),
    "specialist": (["data=questions.jsonl", "test=questions.jsonl", "steps=2"], ALL | {"entropy", "nll"}),
}
LATER = ["steps=4"]  # unless the row says otherwise
OTHERS = {  # no methods: figures of judges, what made the embedded model, and shows of several parts together
    "quickstart", "make_tiny", "curated_half", "synthesize", "stories_split", "distill_gap", "feedback_loop", "hackable_judge", "pandalm_agreement", "unieval_agreement"}
shipped = {p.stem for p in RECIPES.glob("*.lua")}
check("no recipe is forgotten here", shipped == set(TABLE) | OTHERS, shipped ^ (set(TABLE) | OTHERS))


def digests(run):
    return {f: hashlib.sha256((run / f).read_bytes()).hexdigest() for f in ("metrics.jsonl", "model/model.safetensors", "rollouts.jsonl.zst")
            if (run / f).is_file()}


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


START = None  # the embedded model, as a recipe saves it


def settings_of(name):
    s = TABLE[name][0]
    return s + ([] if any(x.startswith("steps=") for x in s) else LATER)


r = hone("run", "sft", *DEMOS, "lr=1e-3", "steps=10", "--run-dir", "teacher", "--quiet")
check("a teacher", r.returncode == 0, r.stderr[-500:])
r = hone("run", "sft", *DEMOS, "lr=0", "steps=1", "--run-dir", "start", "--quiet")
START = digests(work / "start").get("model/model.safetensors")
shutil.copytree(RECIPES, work / "often")
for p in (work / "often").glob("*.lua"):  # a checkpoint at every step
    text = p.read_text()
    p.write_text(re.sub(r"checkpoint = \{ every = \d+ \}", "checkpoint = { every = 1 }", text))

for name, (_, keys) in TABLE.items():
    text = (RECIPES / f"{name}.lua").read_text()
    check(f"{name}: at most 60 lines", text.count("\n") <= 60, text.count("\n"))
    r = hone("run", name, "--help")
    said = r.stdout.splitlines()
    names = re.findall(r"^  ([a-z_0-9]+)(?:\.KEY)?=", r.stdout, re.M)
    check(f"{name} --help: what it is, then its parameters", r.returncode == 0 and said and said[0].endswith((".", ":", "learnt from at once.")) and
          {"model", "steps", "lr", "optimizer", "seed"} <= set(names), r.stdout[:600] + r.stderr)
    check(f"{name} --help: each parameter on a line of its own, with words", all(re.match(r"  [a-z_0-9]+(\.KEY)?= +\S", x) for x in said[said.index(
        "Parameters, set with key=value:") + 1:-1]) and len(names) >= 10, r.stdout)

    # what nobody disturbs
    run = work / f"whole-{name}"
    r = hone("run", work / "often" / f"{name}.lua", *settings_of(name), "--run-dir", run, "--quiet")
    check(f"{name} runs", r.returncode == 0, r.stderr[-600:])
    if r.returncode != 0:
        continue
    lines = metrics(run)
    for key in sorted(keys):
        have = [m.get(key) for m in lines]
        check(f"{name}: {key} at every step, a number", all(isinstance(v, (int, float)) and math.isfinite(v) for v in have), have)
    whole = digests(run)
    check(f"{name}: it has learnt something", whole["model/model.safetensors"] != START)

    # what dies in its third step
    file = work / "often" / f"{name}.lua"
    base = re.search(r'hone\.recipe\("([^"]+)"', text)
    file_of_loop = work / "often" / f"{base[1]}.lua" if base else file
    calm = file_of_loop.read_text()
    loop = re.compile(r"^( *)for .* in run:steps\(.*\) do$", re.M)
    check(f"{name}: its loop is found", len(loop.findall(calm)) == 1)
    file_of_loop.write_text(loop.sub(lambda m: f"{m[0]}\n{m[1]}  if run.step == 3 then error(\"it dies here\", 0) end", calm))
    run = work / f"cut-{name}"
    r = hone("run", file, *settings_of(name), "--run-dir", run, "--quiet")
    check(f"{name} dies in its third step", r.returncode == 1 and "it dies here" in r.stderr and len(metrics(run)) == 2, r.stderr[-400:])
    file_of_loop.write_text(calm)
    r = hone("resume", run, "--force", "--quiet")
    check(f"{name} is resumed", r.returncode == 0, r.stderr[-600:])
    again = digests(run)
    check(f"{name}: the same bytes", again == whole and len(again) >= 2, (again, whole))

# ---- every objective, by name through a recipe ----------------------------------------------------------------------
through = {}
for recipe, settings, names in (
        ("sft", DEMOS, "sft dft"),
        ("grpo", ASK, "ppo grpo bnpo dr_grpo dapo gspo gspo_token cispo sapo gmpo gpg dro reinforce"),
        ("dpo", PAIRS, "dpo ipo hinge exo nca bco sppo aot aot_unpaired apo_zero apo_down discopop robust sigmoid_norm"),
        ("simpo", PAIRS, "simpo alphapo cpo"), ("orpo", PAIRS, "orpo"), ("kto", PAIRS, "kto apo_zero_unpaired"), ("reward_model", PAIRS, "rm"),
        ("gkd", DEMOS + TEACHER + ["own=1"], "gkd forward_kl reverse_kl minillm"), ("ppo", ASK + ["critic=true"], "value")):
    for objective in names.split():
        through[objective] = (recipe, settings + ([] if objective in ("orpo", "rm", "value") else [f"objective={objective}"]))
r = hone("objective", "list")
there = {line.split()[0] for line in r.stdout.splitlines()}
check("every objective has a recipe", there == set(through), there ^ set(through))
for objective, (recipe, settings) in sorted(through.items()):
    run = work / f"objective-{objective}"
    r = hone("run", recipe, *settings, "steps=2", "--run-dir", run, "--quiet")
    ok = r.returncode == 0
    lines = metrics(run) if ok else []
    check(f"{objective} through {recipe}: two steps", ok and len(lines) == 2 and all(math.isfinite(m["loss"]) for m in lines) and
          lines[-1]["grad_norm"] > 0 and digests(run)["model/model.safetensors"] != START, r.stderr[-500:] or lines)

# ---- every optimizer ---------------------------------------------------------------------------------------------
seen = {}
for optimizer in "adamw adam8bit lion muon adafactor sgd schedule_free".split():
    for recipe, settings in (("sft", DEMOS), ("dpo", PAIRS), ("grpo", ASK), ("ppo", ASK)):
        run = work / f"{optimizer}-{recipe}"
        r = hone("run", recipe, *settings, "steps=2", f"optimizer={optimizer}", "--run-dir", run, "--quiet")
        check(f"{recipe} optimizer={optimizer}", r.returncode == 0, r.stderr[-500:])
        if r.returncode == 0:
            seen[recipe, optimizer] = digests(run)["model/model.safetensors"]
            given = hone("run", recipe, *settings, "steps=2", f"optimizer={optimizer}", "lr=1e-5", "--run-dir", work / f"{optimizer}-{recipe}-lr", "--quiet")
            peak = max(m["lr"] for m in metrics(work / f"{optimizer}-{recipe}-lr")) if given.returncode == 0 else None
            check(f"{recipe} optimizer={optimizer}: lr= is taken as it is", peak is not None and peak <= 1e-5 * 1.0000001, (peak, given.stderr[-300:]))
for recipe in ("sft", "dpo", "grpo", "ppo"):
    of = [v for (rec, _), v in seen.items() if rec == recipe]
    check(f"{recipe}: no two optimizers give the same weights", len(set(of)) == 7 == len(of))
r = hone("run", "sft", *DEMOS, "optimizer=adam")
check("an optimizer that there is not", r.returncode == 2 and "schedule_free" in r.stderr, r.stderr)

# ---- the entropy of rows: exact, whatever the head trains ------------------------------------------------------------
(work / "entropy.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "entropy" }
local rows = hone.source("jsonl", { path = "demos.jsonl" }):take(8):list()
for _, lora in ipairs { false, { rank = 2 } } do
  local name = lora and "adapter" or "all"
  local p = run:policy { name = name, model = "tiny", optimizer = { "sgd", lr = 0 }, lora = lora or nil }
  local sum, n = 0, 0
  for _, said in ipairs(p:topk(rows, { k = p:info().vocab_size })) do
    for i, lp in ipairs(said.logprobs) do
      sum = sum - math.exp(lp) * lp
      if (i - 1) % said.k == 0 then n = n + 1 end
    end
  end
  for _, micro in ipairs { 0, 40 } do
    local m = p:update { rows, objective = "sft", micro_tokens = micro }
    print(name, micro, m.entropy, sum / n, m["length/truncated"])
  end
  local cut = p:update { rows, objective = "sft", max_tokens = p:batch(rows) and 60, on_error = "skip" }
  print(name, "cut", cut["length/truncated"])
end
""")
r = hone("run", "entropy.lua", "--quiet", "--run-dir", "entropy")
lines = [x.split("\t") for x in r.stdout.splitlines() if "\t" in x]
check("the entropy of rows is reported", r.returncode == 0 and len(lines) == 6, r.stdout + r.stderr[-500:])
for line in lines:
    if line[1] == "cut":
        check(f"{line[0]}: rows that were cut are counted", 0 < float(line[2]) <= 1, line)
    else:
        check(f"{line[0]}, micro_tokens {line[1]}: it is that of the whole distribution", abs(float(line[2]) - float(line[3])) < 1e-5, line)
        check(f"{line[0]}: whole rows are not cut", float(line[4]) == 0, line)

# ---- packing, and DAPO's two additions --------------------------------------------------------------------------------
r = hone("run", "sft", *DEMOS, "pack=500", "batch=1", "steps=3", "--run-dir", "packed", "--quiet")
packed = metrics(work / "packed")
r = hone("run", "sft", *DEMOS, "batch=1", "steps=3", "--run-dir", "single", "--quiet")
single = metrics(work / "single")
check("sft pack=500: as many rows as that takes", all(200 < m["tokens"] <= 500 for m in packed) and all(m["tokens"] < 60 for m in single), (packed, single))
r = hone("run", "grpo", *ASK, "steps=1", "overlong=10", "max_tokens=20", "--run-dir", "overlong", "--quiet")
got = metrics(work / "overlong")[-1]
check("grpo overlong=: a punishment between 0 and -1, and it counts", -1 < got["reward/overlong/mean"] < 0 and
      abs(got["reward/mean"] - got["reward/right/mean"] - got["reward/overlong/mean"]) < 1e-6, got)
r = hone("run", "grpo", *ASK, "steps=1", "overlong=0.5", "max_tokens=20", "--run-dir", "share", "--quiet")
check("grpo overlong= below 1 is a share of max_tokens", metrics(work / "share")[-1] == got, metrics(work / "share")[-1])
for dynamic in "false", "true":
    hone("run", "grpo", *ASK, "steps=2", "n=2", "overlong=0.5", f"dynamic={dynamic}", "--run-dir", f"dynamic-{dynamic}", "--quiet")
drawn = [len(subprocess.run(["zstd", "-dc", work / f"dynamic-{d}" / "rollouts.jsonl.zst"], capture_output=True, text=True).stdout.splitlines())
         for d in ("false", "true")]
check("dynamic sampling draws on", drawn[0] == 2 * 8 * 2 and drawn[1] > drawn[0], drawn)
finish()
