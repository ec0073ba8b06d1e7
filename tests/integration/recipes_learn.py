#!/usr/bin/env python3
"""recipes_learn.py - each shipped method teaches the embedded model what it should, and its control does not.

A recipe is run on the story problems twice: as it is, and with what it learns from spoilt (labels swapped, rewards dealt out
anew, completions shuffled). The share of 200 held-out questions answered right must rise far beyond its interval in the one
and not in the other; for preferences the held-out pairs too. Seeds are fixed, so the same machine gives the same numbers."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-learn-")
work = pathlib.Path(scratch.name)

ANSWERED = re.compile(r"^(before|after): ([\d.]+) % \[([\d.]+), ([\d.]+)\] of 200 held-out questions answered right", re.M)
PREFERRED = re.compile(r"^(before|after): held-out pairs: accuracy ([\d.]+) \[([\d.]+), ([\d.]+)\]", re.M)
runs = 0


def run(*args, says=0):
    """What a recipe says of held-out questions and pairs: { "before": (share, lo, hi), ... } of each; it has to say the one
    numbered `says`."""
    global runs
    runs += 1
    r = subprocess.run([HONE, "run", *args, "--run-dir", work / str(runs)], capture_output=True, text=True, cwd=work, timeout=600)
    check(f"{' '.join(args)} ends well", r.returncode == 0, r.stderr[-500:])
    found = [{m[0]: tuple(map(float, m[1:])) for m in which.findall(r.stdout + r.stderr)} for which in (ANSWERED, PREFERRED)]
    check(f"{' '.join(args)} says what it measured", {"before", "after"} <= found[says].keys(), r.stdout[-500:])
    return found


# recipe, settings, what spoils it
PAIRS = [("dpo", o) for o in ("dpo", "ipo", "hinge", "exo", "nca", "bco", "sppo", "aot", "apo_zero", "robust", "sigmoid_norm")]
METHODS = (
    [("sft", ["objective=sft"], "permute"), ("sft", ["objective=dft"], "permute"), ("sft", ["neftune=5"], "permute"),
     ("sft", ["pack=600", "steps=60"], "permute")]
    + [(name, [f"objective={o}"], "swap") for name, o in PAIRS]
    + [("kto", [], "swap"), ("orpo", [], "swap")]
    + [("simpo", [f"objective={o}"], "swap") for o in ("simpo", "alphapo", "cpo")]
    + [("grpo", [f"objective={o}", f"advantage={a}"], "permute") for o, a in (
        ("grpo", "group"), ("dr_grpo", "dr_grpo"), ("gspo", "group"), ("cispo", "group"), ("sapo", "group"), ("gmpo", "group"))]
    + [("grpo", ["objective=dapo", "dynamic=true", "steps=60"], "permute"), ("dapo", ["steps=60"], "permute"), ("rloo", [], "permute"), ("ppo", [], "permute"), ("ppo", ["critic=true"], "permute"),
       ("reinforce++", [], "permute"), ("reinforce++", ["baseline=true"], "permute"), ("online_dpo", [], "permute"),
       ("rejection_sampling", [], "permute"), ("curriculum", [], "permute")]
)

for name, settings, spoil in METHODS:
    title = " ".join([name, *settings])
    answers, pairs = run(name, *settings)
    if {"before", "after"} <= answers.keys():
        check(f"{title}: more is answered right", answers["after"][1] > answers["before"][2] + 15, answers)
    if spoil == "swap":
        check(f"{title}: held-out pairs are told apart", pairs.get("after", (0, 0))[1] > 0.75, pairs)
    control, pairs = run(name, *settings, f"{spoil}=true")
    if {"before", "after"} <= control.keys():
        check(f"{title}, {spoil}: it is not", control["after"][1] < control["before"][2] + 5, control)

# Optimizers other than adamw, each with what the recipes make of their default lr for it.
for name, optimizer in (("sft", "muon"), ("sft", "schedule_free"), ("dpo", "lion"), ("dpo", "adafactor"), ("grpo", "sgd"), ("grpo", "adam8bit")):
    answers, _ = run(name, f"optimizer={optimizer}", "steps=60" if name != "sft" else "steps=100")
    if {"before", "after"} <= answers.keys():
        check(f"{name} optimizer={optimizer}: more is answered right", answers["after"][1] > answers["before"][2] + 10, answers)

# A reward model tells wrong answers without working, half of the rejected ones, from right ones; sums it does not check, so
# about three of four pairs are told apart. As the only reward it makes the policy show its working.
pairs = run("reward_model", says=1)[1]
folder = work / str(runs) / "model"
control = run("reward_model", "swap=true", says=1)[1]
if {"before", "after"} <= pairs.keys() & control.keys():
    check("reward_model: held-out pairs are told apart", pairs["after"][1] > 0.65 and pairs["after"][0] > pairs["before"][0], pairs)
    check("reward_model, swap: they are told the wrong way round", control["after"][2] < 0.45, control)
answers = run("grpo", "--no-gate", f"reward_model={folder}", "steps=60")[0]
if {"before", "after"} <= answers.keys():
    check("grpo with its score: more is answered right", answers["after"][1] > answers["before"][2] + 15, answers)
answers = run("grpo", "--no-gate", f"reward_model={work / str(runs - 1) / 'model'}", "steps=60")[0]
if {"before", "after"} <= answers.keys():
    check("grpo with the score of the swapped one: it is not", answers["after"][1] < answers["before"][2] + 5, answers)

# ---- a teacher ----
for name in "gkd", "opd", "distill":
    for spoil in "false", "true":
        answers, _ = run(name, f"permute={spoil}")
        if {"before", "after"} <= answers.keys():
            rise = answers["after"][1] > answers["before"][2] + 15
            check(f"{name}, permute={spoil}: the student {'learns' if spoil == 'false' else 'does not learn'}",
                  rise == (spoil == "false"), answers)
written = work / str(runs - 1) / "teacher.jsonl"
answers, _ = run("distill", f"distil={written}")
check("distill from the file of another run", answers.get("after", (0, 0))[1] > 50, answers)

# ---- one task after another ----
for replay, versions in ("0.6", 3), ("0", 1):
    where = work / f"specialist-{replay}"
    r = subprocess.run([HONE, "run", "specialist", f"replay={replay}", "--run-dir", where], capture_output=True, text=True, cwd=work,
                       timeout=600)
    text = r.stdout + r.stderr
    check(f"specialist, replay={replay}: ends well", r.returncode == 0, r.stderr[-500:])
    check(f"specialist, replay={replay}: {versions} promoted", len(re.findall("version . promoted", text)) == versions, text[-800:])
    check(f"specialist, replay={replay}: refuses what forgets", ("answer is forgotten" in text) == (versions < 3), text[-800:])
    table = json.loads((where / "tables.json").read_text())["forgetting"]
    check(f"specialist, replay={replay}: the matrix", len(table["rows"]) == min(versions + 1, 3) and
          all(re.fullmatch(r"[\d.]+ \[[\d.]+, [\d.]+\]", c) for row in table["rows"] for c in row[1:]), table)
    check(f"specialist, replay={replay}: the report has it", "<h3>forgetting</h3>" in (where / "report.html").read_text())

finish()
