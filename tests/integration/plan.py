#!/usr/bin/env python3
"""plan.py - hone run --dry-run tells what a run will take, without doing any of it; and a run that cannot fit is
refused before its first step.

The figures of a plan are compared with what the same run maps (timings.jsonl), region by region: parameters,
gradients and optimizer to the byte (beta makes every group train); activations, sequence state and scratch never below what was mapped by more
than 2 %, nor above it by more than 30 % (samples end before max_tokens)."""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-plan-test-")
work = pathlib.Path(scratch.name) / "work"
spare = pathlib.Path(scratch.name) / "tmp"
work.mkdir()
spare.mkdir()


def hone(*args):
    env = dict(os.environ, TMPDIR=str(spare))
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300, env=env)


def plan(*args):
    r = hone("run", *args, "--dry-run", "--json")
    check(f"plan of {args[0]}", r.returncode == 0, r.stderr)
    return json.loads(r.stdout)


random.seed(3)
with open(work / "rows.jsonl", "w") as f:
    for i in range(60):
        text = " ".join(f"{k}+{i}={k + i}" for k in range(random.randint(3, 30)))
        f.write(json.dumps({"prompt": f"Leo has {i} stickers.", "completion": text}) + "\n")
with open(work / "questions.jsonl", "w") as f:
    for i in range(60):
        f.write(json.dumps({"question": f"Leo has {i} stickers. Leo buys 3.", "answer": f"#### {i + 3}"}) + "\n")

# ---- a plan against the run ----
KEYS = {"parameters": 0.0, "training": 0.0, "activations": 0.3, "state": 0.3, "scratch": 0.3}
CASES = {
    "full SFT": ["sft", "data=rows.jsonl", "steps=7", "lora=0"],
    "LoRA SFT": ["sft", "data=rows.jsonl", "steps=7", "lora=8"],
    "full GRPO": ["grpo", "model=tiny", "data=questions.jsonl", "steps=3", "lora=0", "max_tokens=24", "beta=0.01"],
    "LoRA GRPO": ["grpo", "model=tiny", "data=questions.jsonl", "steps=3", "lora=8", "max_tokens=24", "beta=0.01"],
    "quickstart": ["quickstart", "steps=5", "test_rows=70"],
}
for name, args in CASES.items():
    p = plan(*args)["memory"]
    check(f"{name}: a plan writes nothing", sorted(f.name for f in work.iterdir() if f.is_dir()) == [], os.listdir(work))
    run = hone("run", *args, "--run-dir", "run", "--quiet")
    check(f"{name} runs", run.returncode == 0, run.stderr)
    last = json.loads((work / "run" / "timings.jsonl").read_text().splitlines()[-1])
    for key, over in KEYS.items():
        told, mapped = p[key] / 2**20, last[f"memory/{key}_mb"]
        fits = told == mapped if over == 0 else mapped * 0.98 <= told <= mapped * (1 + over)
        check(f"{name}: {key}", fits, f"{told:.3f} MB planned, {mapped:.3f} MB mapped")
    parts = sum(p[k] for k in list(KEYS) + ["program"])
    check(f"{name}: the total is the sum", p["total"] == parts, p)
    check(f"{name}: the total is near the peak of the process",
          0.8 * last["memory/peak_mb"] <= p["total"] / 2**20 <= 1.5 * last["memory/peak_mb"], (p, last))
    subprocess.run(["rm", "-r", str(work / "run")], check=True)

# ---- what a plan tells ----
p = plan("quickstart")
check("steps", p["steps"] == [{"planned": 4, "steps": 600}], p["steps"])
did = {w["what"]: w for w in p["work"]}
check("what is done", set(did) == {"eval", "rollout", "update"}, did)
check("the rollout", (did["rollout"]["prompts"], did["rollout"]["n"], did["rollout"]["max_tokens"]) == (8, 4, 44), did)
check("the micro-batches", did["update"]["parts"] > 1 and did["update"]["part_tokens"] <= 512, did)
check("plugins with versions", any(re.fullmatch(r"org\.hone\.reward\.exact_match \d+\.\d+\.\d+", c["component"])
                                   for c in p["plugins"]), p["plugins"])
check("no plugin that is not used", not any("math_answer" in c["component"] for c in p["plugins"]))
check("rows", [d["rows"] for d in p["data"]] == [6000], p["data"])
page = hone("run", "quickstart", "--dry-run").stdout
for word in "552,192 parameters", "trained by adamw", "sequence state", "total", "600", "32 samples"[3:]:
    check(f"the page says {word}", word in page, page)
check("a plan does not evaluate", "exact match" not in page, page)

# ---- a recipe that would write, train in stages and look at its samples ----
(work / "stages.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "stages", seed = 1 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-3 } }
local called = 0
local rewards = { hone.reward { id = "own", score = function(b) error("a plan scores nothing") end } }
run:write("notes/a.txt", "kept?")
run:stage("warm", function()
  for step, rows in run:steps(20, hone.rows { { text = "one two three" }, { text = "four" } }:epochs():batches(2)) do
    policy:update { rows, objective = "sft" }
  end
end)
local ema = policy:ema(0.9)
for step, prompts in run:steps(30, hone.rows { { prompt = "five" } }:epochs():batches(1)) do
  local r = policy:rollout(prompts, { n = 2, max_tokens = 5, rewards = rewards })
  assert(#r:samples() == 2 and r:samples()[1].columns.prompt == "five")
  policy:update { r, advantage = function(groups) error("a plan has no rewards") end }
  ema:track()
  if step == 30 then policy:save("elsewhere") end
end
run:save()
""")
p = plan("stages.lua")
check("both loops", p["steps"] == [{"planned": 4, "stage": "warm", "steps": 20}, {"planned": 4, "steps": 30}], p["steps"])
check("the copy is told", [(m["name"], m["trainable"]) for m in p["models"]] == [("policy", 552192), ("ema1", 0)], p["models"])
check("nothing is left of run:write", os.listdir(spare) == [], os.listdir(spare))
check("nothing is left behind in the folder", sorted(os.listdir(work)) == ["questions.jsonl", "rows.jsonl", "stages.lua"], os.listdir(work))

# ---- a run that does not fit ----
sft = ["sft", "data=rows.jsonl", "steps=3"]
need = plan(*sft)["memory"]["total"]
r = hone("run", *sft, "--memory", need - (1 << 20), "--run-dir", "tuned")
check("one that fits with smaller micro-batches runs", r.returncode == 0, r.stderr)
check("and says so", "micro-batches of" in r.stdout, r.stdout)
free = hone("run", *sft, "--run-dir", "free", "--quiet")
check("with the same weights", free.returncode == 0 and
      (work / "free/model/model.safetensors").read_bytes() == (work / "tuned/model/model.safetensors").read_bytes())
check("the run remembers it", json.loads((work / "tuned/run.json").read_text()).get("fitted", {}).get("micro_tokens") in (128, 256))
r = hone("run", *sft, "--memory", "18M", "--run-dir", "refused")
check("one that cannot fit is refused", r.returncode == 1, (r.returncode, r.stdout))
check("with numbers", re.search(r"needs \d+\.\d MB of memory, and there are 18\.0 MB \(--memory\)", r.stderr), r.stderr)
check("and what would make it fit", re.search(r"LoRA.*: \d+\.\d MB", r.stderr), r.stderr)
check("LoRA over bf16 takes less than LoRA", "LoRA over storage = \"bf16\": " in r.stderr, r.stderr)
check("before anything was written", not (work / "refused").exists())
r = hone("run", *sft, "lora=4", "--memory", "17M", "--run-dir", "refused")
check("frozen weights would fit in 16 bits", re.search(r'storage = "bf16": \d+\.\d MB', r.stderr), r.stderr)
r = hone("run", *sft, "--memory", "18M", "--dry-run", "--json")
check("the plan says it too", r.returncode == 1 and json.loads(r.stdout)["fits"] is False, r.stdout)
r = hone("run", *sft, "--memory", "plenty")
check("no amount", r.returncode == 2 and "plenty" in r.stderr, r.stderr)

# ---- a recipe with a fault ----
r = hone("run", "sft", "data=absent.jsonl", "--dry-run")
check("a fault ends the plan", r.returncode == 1 and "absent.jsonl" in r.stderr, r.stderr)
check("after what was seen", "552,192 parameters" in r.stdout, r.stdout)

finish()
