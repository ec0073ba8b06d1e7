"""feedback_loop.py - the recipe feedback_loop from end to end on the embedded model with simulated experts: rubric edited and
calibrated again, prompt improved, SFT on the best, GRPO with the judge, a held-out panel with intervals, the model card; killed and
resumed to the same model; with labels of a file; stopped for people. Under five minutes, in fact seconds."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
WORK = pathlib.Path(work.name)
SMALL = ("label_prompts=50", "search_rows=90", "sft_prompts=80", "steps=25", "test_rows=200")
ENV = {**os.environ, "HONE_JUDGES": str(WORK / "judges.sqlite")}


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, cwd=WORK, timeout=300, env=ENV)


r = hone("run", "feedback_loop", *SMALL, "--run-dir", "loop")
check("the loop runs to its end", r.returncode == 0, r.stdout + r.stderr)
if r.returncode:
    finish()
run = WORK / "loop"
card = json.loads((run / "card.json").read_text())
figures = {f["what"]: f["figure"] for f in card["figures"]}
judge = card["judges"][0]
calibration = judge["calibration"]
check("the edit agrees better with the experts than the draft", "edited rubric 2-answer" in r.stdout, r.stdout)
check("and its calibration is of the test split", calibration["split"] == "test" and calibration["agreement"]["kappa_w"]["lo"] > 0.6, calibration["split"])
check("above what the experts agree among themselves", calibration["agreement"]["kappa_w"]["value"] > calibration["ceiling"]["kappa_w"]["value"])
check("the experts' noise is seen", 0.4 < calibration["ceiling"]["kappa_w"]["value"] < 0.9, calibration["ceiling"])
check("the judge was attacked", len(judge["attack"]["attacks"]) > 10 and judge["attack"]["master_keys"]["value"] == 0, judge["attack"]["master_keys"])
check("and asked whether it tells completions of a prompt apart", judge["reliability"]["rho"]["value"] > 0.5, judge["reliability"]["rho"])
gate = judge["gate"]
check("the gate let it pass on what was measured", gate["verdict"] == "GO with conditions" and all(x["passed"] for x in gate["lines"]) and len(gate["lines"]) > 10, gate)
check("rubric, spec and prompt are named by hash", len(judge["spec"]) == 64 and len(judge["rubric"].split("@")[1]) == 64 and len(card["prompt"]["hash"]) == 64)
improved = json.loads((run / "improve-prompt.json").read_text())
check("the prompt was improved before training", improved["holdout"]["difference"]["lo"] > 0 and card["prompt"]["version"] == improved["best"], improved)
for what in ("prompt improved - start", "trained - start"):
    check(f"on the held-out panel: {what}", figures[what]["lo"] > 0 and figures[what]["n"] == 200, figures[what])
check("every figure has its interval", all(f["lo"] <= f["value"] <= f["hi"] for f in figures.values()), figures)
check("data by hash", len(card["data"]) == 4 and all(len(d["sha256"]) == 64 and d["rows"] > 0 for d in card["data"]), card["data"])
items = [json.loads(x) for x in (run / "items.jsonl").read_text().splitlines()]
labels = [json.loads(x) for x in (run / "labels.jsonl").read_text().splitlines()]
check("three experts label every item", len(labels) == 3 * len(items) and {x["item"] for x in labels} == {x["id"] for x in items}, (len(labels), len(items)))
model = json.loads((run / "run.json").read_text())
check("GRPO asked for the record, and run.json says so",
      [(d["decision"], d["verdict"]) for d in model["gate"]["decisions"]] == [("record", gate["verdict"])] and not model["gate"]["overridden"], model.get("gate"))
check("the prompts used are in run.json", card["prompt"]["version"] in model["prompts"], list(model["prompts"]))
check("the model was written, and is another than the base", (run / "model/model.safetensors").is_file() and
      card["model"]["checksum of the base"] != card["model"]["checksum of the result"], card["model"])
text = (run / "card.md").read_text()
check("the card reads as a page", all(x in text for x in ("## Measured", "## Judge: reward", "TPR", "## Data", "simulated")), text[:300])

p = subprocess.Popen([HONE, "run", "feedback_loop", *SMALL, "--run-dir", "cut"], cwd=WORK, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL, env=ENV)
while p.poll() is None and len((WORK / "cut/metrics.jsonl").read_text().splitlines() if (WORK / "cut/metrics.jsonl").is_file() else []) < 20:
    time.sleep(0.02)
p.send_signal(signal.SIGKILL)
p.communicate()
r = hone("resume", "cut")
check("killed while training, it goes on", r.returncode == 0, r.stderr)
same = [hashlib.sha256((WORK / d / "model/model.safetensors").read_bytes()).hexdigest() for d in ("loop", "cut")]
check("to the same model", same[0] == same[1], same)
check("and the same card", (run / "card.md").read_bytes() == (WORK / "cut/card.md").read_bytes())

r = hone("run", "feedback_loop", *SMALL, "more_prompts=0", "--run-dir", "nogo")
check("too little measured is NO-GO, and the trainer refuses", r.returncode == 3 and "gate: NO-GO" in r.stdout and "failed: unparsed" in r.stdout
      and not (WORK / "nogo/model").exists(), f"{r.returncode} {r.stdout} {r.stderr}")
r = hone("run", "feedback_loop", *SMALL, "labels=wait", "--run-dir", "wait")
check("with labels=wait it stops for people", r.returncode == 0 and "hone judge label" in r.stdout and not (WORK / "wait/model").exists(), r.stdout)
check("with the items on disk", (WORK / "wait/items.jsonl").read_bytes() == (run / "items.jsonl").read_bytes())
real = [{**x, "expert": "anna" if x["expert"] == "expert1" else "ben", "score": 1 + 4 * x["score"]} for x in labels if x["expert"] != "expert3"]
(WORK / "people.jsonl").write_text("\n".join(json.dumps(x) for x in real) + "\n")
r = hone("run", "feedback_loop", *SMALL, "steps=5", "labels=people.jsonl", "--run-dir", "people")
check("and goes on with their labels", r.returncode == 0, r.stderr)
if r.returncode == 0:
    card = json.loads((WORK / "people/card.json").read_text())
    check("which the card names", any("people.jsonl" in n for n in card["notes"]) and card["judges"][0]["calibration"]["experts"] == 2, card["notes"])
finish()
