#!/usr/bin/env python3
"""branch.py - runs that go on: a branch off a checkpoint, stages after a kill, and what `hone runs` and
`hone report` say of runs that finished, were interrupted, failed, or finished after all."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-branch-")
work = pathlib.Path(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=120)


def runs():
    """name -> what hone runs --json says of it, and its line of the table."""
    r, table = hone("runs", ".", "--json"), hone("runs", ".")
    check("hone runs", r.returncode == 0 and table.returncode == 0, r.stderr + table.stderr)
    lines = {line.split()[0]: line for line in table.stdout.splitlines()[1:]}
    return {x["run"]: dict(x, line=lines[x["run"]]) for x in json.loads(r.stdout)}


def metrics(name):
    return [json.loads(line) for line in (work / name / "metrics.jsonl").read_text().splitlines()]


def started_until(marker, sig, *args):
    """Runs hone until it prints the marker, then sends the signal; everything it printed, and its exit status."""
    p = subprocess.Popen([HONE, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=work)
    out = []
    for line in p.stdout:
        out.append(line.strip())
        if line.strip() == marker:
            p.send_signal(sig)
    p.stdout.close()
    return out, p.wait()


(work / "train.lua").write_text("""
local hone = require "hone"
local p = hone.params { steps = { 6, "updates" }, lr = { 1e-3, "rate" }, fail = { 0, "step to fail at" }, late = { false, "fail behind the loop" } }
local run = hone.run { name = "train", seed = 5, checkpoint = { every = 2, keep = 3 } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = p.lr } }
run.state.seen = run.state.seen or 0
local rows = hone.rows { { text = "one two three" }, { text = "four five" }, { text = "six" } }
for step, batch in run:steps(p.steps, rows:shuffle(run.seed):epochs():batches(2)) do
  if step == p.fail then error("as was asked", 0) end
  policy:update { batch, objective = "sft" }
  run.state.seen = run.state.seen + 1
  run:log { ["my/seen"] = run.state.seen }
  run:say("did %d", step)
end
run:save()
if p.late then error("after the model was saved", 0) end
""")

# ---- branching off ----
r = hone("run", "train.lua", "--run-dir", "parent")
check("the parent", r.returncode == 0, r.stderr)
r = hone("run", "train.lua", "steps=8", "lr=0.01", "--from", "parent@4", "--run-dir", "child")
check("the branch", r.returncode == 0, r.stderr)
before, after = metrics("parent"), metrics("child")
check("a branch begins behind the checkpoint", [m["step"] for m in after] == [5, 6, 7, 8], after)
check("run.state came along", [m["my/seen"] for m in after] == [5, 6, 7, 8], after)
check("the first step sees the parent's weights and rows", after[0]["loss"] == before[4]["loss"], (before[4], after[0]))
check("the changed parameter takes effect", [m["lr"] for m in after] == [0.01] * 4, after)
check("so the next step differs", after[1]["loss"] != before[5]["loss"], (before[5], after[1]))
same = hone("run", "train.lua", "--from", "parent@4", "--run-dir", "same", "--quiet")
check("with nothing changed it repeats the parent", same.returncode == 0 and metrics("same") == before[4:] and
      (work / "same/model/model.safetensors").read_bytes() == (work / "parent/model/model.safetensors").read_bytes(), same.stderr)
meta = json.loads((work / "child/run.json").read_text())
check("run.json names the parent", meta["from"] == f"{(work / 'parent').resolve()}@4", meta.get("from"))
newest = hone("run", "train.lua", "steps=7", "--from", "parent", "--run-dir", "newest", "--quiet")
check("without a step it is the newest", newest.returncode == 0 and [m["step"] for m in metrics("newest")] == [7], newest.stderr)
listed = runs()
check("hone runs names it", listed["child"]["from"] == "parent@4" and listed["child"]["line"].endswith("finished; from parent@4"),
      listed["child"])
check("and the checkpoint that was taken", listed["newest"]["from"] == "parent@6", listed["newest"])
check("a run of its own has no parent", "from" not in listed["parent"] and listed["parent"]["line"].endswith("finished"), listed["parent"])

for name, where, texts in (("an unknown run", "nowhere@4", ["nowhere is no run directory", "hint: hone runs"]),
                           ("an unknown step", "parent@3", ["parent has no checkpoint of step 3", "hint: there are checkpoints of step 2, 4, 6"]),
                           ("no step", "parent@x", ["a step is wanted", "--from parent@100"])):
    r = hone("run", "train.lua", "--from", where, "--run-dir", "none")
    check(f"{name} is refused", r.returncode in (1, 2), r)
    for text in texts:
        check(f"{name}: says {text}", text in r.stderr, r.stderr)
    check(f"{name}: no run is left", not (work / "none").exists())

# a branch that failed before its first checkpoint begins where it began
r = hone("run", "train.lua", "steps=8", "fail=5", "--from", "parent@4", "--run-dir", "early", "--quiet")
check("a branch that fails at once", r.returncode == 1 and "as was asked" in r.stderr, r.stderr)
check("is told as failed", runs()["early"]["line"].endswith("failed without a checkpoint; from parent@4"), runs()["early"])
text = (work / "early/run.json").read_text()
(work / "early/run.json").write_text(text.replace("fail=5", "fail=0"))
r = hone("resume", "early", "--quiet")
check("its resume branches again", r.returncode == 0 and [m["step"] for m in metrics("early")] == [5, 6, 7, 8], r.stderr)
check("and keeps its parent", runs()["early"]["line"].endswith("finished; from parent@4"), runs()["early"])

# ---- what hone runs says ----
out, rc = started_until("did 3", signal.SIGINT, "run", "train.lua", "steps=100000", "--run-dir", "stopped")
listed = runs()["stopped"]
last = listed["steps"]
check("an interrupted run ends with 130", rc == 130, rc)
check("it can be resumed from where it was stopped", listed["state"] == "resumable" and listed["checkpoint"] == last and last >= 3 and
      listed["line"].endswith(f"resumable from step {last}") and "failed" not in listed, listed)
text = (work / "stopped/run.json").read_text()
(work / "stopped/run.json").write_text(text.replace("steps=100000", f"steps={last + 4}"))
r = hone("resume", "stopped", "--quiet")
listed = runs()["stopped"]
check("resumed, it finished", r.returncode == 0 and listed["state"] == "finished" and listed["steps"] == last + 4, (r.stderr, listed))
steps = [m["step"] for m in metrics("stopped")]
check("with a whole curve", steps == list(range(1, last + 5)), steps)
r = hone("report", "stopped", "--out", "page.html")
page = (work / "page.html").read_text() if r.returncode == 0 else ""
check("which the report shows", f"finished after step <b>{last + 4}</b>" in page, r.stderr)

r = hone("run", "train.lua", "fail=5", "--run-dir", "faulty", "--quiet")
listed = runs()["faulty"]
check("a failed run says so", r.returncode == 1 and listed["state"] == "resumable" and listed["failed"] == "as was asked" and
      listed["line"].endswith("failed; resumable from step 4"), listed)
r = hone("run", "train.lua", "late=true", "--run-dir", "late", "--quiet")
listed = runs()["late"]
check("one that failed behind run:save is not finished", listed["state"] == "resumable" and
      listed["failed"] == "after the model was saved", listed)
text = (work / "faulty/run.json").read_text()
(work / "faulty/run.json").write_text(text.replace("fail=5", "fail=0"))
r = hone("resume", "faulty", "--quiet")
listed = runs()["faulty"]
check("a failed run that was mended finished", r.returncode == 0 and listed["state"] == "finished" and "failed" not in listed and
      listed["line"].endswith("finished"), (r.stderr, listed))
check("to the bytes of one that never failed", metrics("faulty") == before, metrics("faulty"))

# ---- stages ----
(work / "stages.lua").write_text("""
local hone = require "hone"
local p = hone.params { long = { 4, "updates of the second stage" } }
local run = hone.run { name = "stages", seed = 2, checkpoint = { every = 0 } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-3 } }
local rows = { { text = "one two three" }, { text = "four five" } }
local function train(name, n)
  run:say("begin " .. name)
  for step, batch in run:steps(n, hone.rows(rows):epochs():batches(1)) do
    policy:update { batch, objective = "sft" }
    run:say("did " .. step)
  end
end
run:stage("first", function() train("first", 3) end)
run:stage("second", function() train("second", p.long) end)
train("the rest", 2)
run:save()
""")
whole = hone("run", "stages.lua", "--run-dir", "whole")
check("three stages", [x for x in whole.stdout.splitlines() if x.startswith("begin")] == ["begin first", "begin second", "begin the rest"],
      whole.stdout + whole.stderr)
out, rc = started_until("did 5", signal.SIGKILL, "run", "stages.lua", "long=100000", "--run-dir", "killed")
check("killed in the second stage", rc == -signal.SIGKILL and "begin second" in out, (rc, out[-3:]))
check("it can be resumed from the end of the first", runs()["killed"]["line"].endswith("resumable from step 3"), runs()["killed"])
text = (work / "killed/run.json").read_text()
(work / "killed/run.json").write_text(text.replace("long=100000", "long=4"))
r = hone("resume", "killed")
said = [x for x in r.stdout.splitlines() if x.startswith(("begin", "did"))]
check("the finished stage is skipped, the other one done again",
      said == ["begin second", "did 4", "did 5", "did 6", "did 7", "begin the rest", "did 8", "did 9"], (said, r.stderr))
check("to the same bytes", (work / "killed/metrics.jsonl").read_bytes() == (work / "whole/metrics.jsonl").read_bytes() and
      (work / "killed/model/model.safetensors").read_bytes() == (work / "whole/model/model.safetensors").read_bytes())
shutil.rmtree(work / "whole")

finish()
