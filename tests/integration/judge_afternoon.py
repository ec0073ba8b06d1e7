#!/usr/bin/env python3
# judge_afternoon.py - from a draft rubric and labels of three experts to a decision (docs/judges.md, "An afternoon"): every command of that
# page, on the embedded model, with experts that are simulated: first not yet, with the cheapest thing to do, then a record.
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish

HONE = os.environ["HONE"]
folder = tempfile.mkdtemp(prefix="hone-judge-afternoon-")
os.chdir(folder)
os.environ.pop("HONE_JUDGES", None)


def write(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True)


def rows(name):
    with open(name, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


write("prompts.lua", """local hone, json = require "hone", require "hone.json"
for _, r in ipairs(require "stories".list(31, "train", 420)) do print((json.encode { prompt = r.prompt, answer = r.answer }:gsub("\\n%s*", ""))) end
""")
write("prompts.jsonl", hone("lua", "prompts.lua").stdout)
RUBRIC = """return {
  id = "story-sum", version = "%s", shape = "pointwise",
  task = "The prompt is a problem of small sums; the answer is a number, perhaps after a line of working.",
  criteria = {
    { id = "right", kind = "program", weight = 3, text = "The answer is the reference.",
      verifier = { reward = "exact_match", prefix = "Answer:", reference = "answer" } },
    { id = "working", kind = "program", weight = %s, text = "Each change has an equation.",
      verifier = { reward = "regex", pattern = [[%s]] } },
  },
  changelog = { { version = "%s", date = "2026-01-01", text = "%s" } },
}
"""
write("draft.lua", RUBRIC % ("1.0", "9", "=", "1.0", "first version"))
write("sum.lua", RUBRIC % ("1.1", "1", r"(\d+[+-]\d+=\d+.*){3,}", "1.1", "working counts when every change has an equation, and less than the answer"))

r = hone("judge", "lint", "sum.lua")
check("the rubric is lint-clean", r.returncode == 0 and "nothing to object to" in r.stdout, r.stdout)
r = hone("judge", "draw", "--policy", "tiny", "--prompts", "prompts.jsonl", "--n", "8", "--max-tokens", "44", "--limit", "120", "--out", "groups.jsonl")
drawn = rows("groups.jsonl")
check("completions are drawn from the policy, eight a prompt", r.returncode == 0 and len(drawn) == 960 and len({x["prompt_id"] for x in drawn}) == 120, r.stderr)
check("with the columns of their rows and the policy's checksum", all(x["answer"] and len(x["policy"]) == 16 for x in drawn) and len({x["policy"] for x in drawn}) == 1)
again = hone("judge", "draw", "--policy", "tiny", "--prompts", "prompts.jsonl", "--n", "8", "--max-tokens", "44", "--limit", "60", "--out", "half.jsonl")
check("the same again, however many prompts", again.returncode == 0 and rows("half.jsonl") == drawn[:480], again.stderr)

# The experts: right answers, and working, with slips in 6 of 100.
random.seed(5)


def right(x):
    return re.search(r"Answer: " + x["answer"] + r"\s*$", x["completion"]) is not None


def working(x):
    return len(re.findall(r"\d+[+-]\d+=\d+", x["completion"])) >= 3


items, labelled = [], []
for p in sorted({x["prompt_id"] for x in drawn}, key=int)[:55]:
    group = [x for x in drawn if x["prompt_id"] == p]
    items += group
    good, bad = [x for x in group if right(x)], [x for x in group if not right(x)]
    if good and bad:
        labelled += [good[0], bad[0]]
labelled = labelled[:100]
write("items.jsonl", "".join(json.dumps(x) + "\n" for x in items))
with open("labels.csv", "w", encoding="utf-8") as f:
    f.write("item,expert,score\n")
    for x in labelled:
        for expert in ("ann", "ben", "eva"):
            v = (3 if right(x) else 0) + (1 if working(x) else 0)
            f.write(f"{x['id']},{expert},{(random.choice([0, 1, 3, 4]) if random.random() < .06 else v) / 4}\n")


def gate(rubric, *more):
    r = hone("judge", "gate", "--judge", "rubric", "--set", "rubric=" + rubric, "--labels", "labels.csv", "--items", "items.jsonl",
             "--groups", "groups.jsonl", "--policy", "tiny", "--json", *more)
    try:
        return r, json.loads(r.stdout)
    except ValueError:
        print(r.stdout, r.stderr)
        raise


r, doc = gate("draft.lua")
failed = {x["line"]: x for x in doc["lines"] if not x["passed"]}
check("the draft may not drive a run", r.returncode == 1 and doc["verdict"] == "NO-GO" and failed, r.stderr)
check("each failed line has its figure and a remedy", all(x["remedy"] for x in failed.values()) and "agreement" in failed or "pairwise_accuracy" in failed
      or "tnr" in failed, str(list(failed)))
r = hone("judge", "rubric", "diff", "draft.lua", "sum.lua")
check("what the mended rubric changes is told", r.returncode in (0, 1) and "weight" in r.stdout, r.stdout + r.stderr)
r = hone("judge", "calibrate", "--judge", "rubric", "--set", "rubric=sum.lua", "--labels", "labels.csv", "--items", "items.jsonl", "--report", "report.html")
check("the mended one is measured beside the experts, with a page", r.returncode == 0 and "weighted kappa" in r.stdout and os.path.getsize("report.html") > 5000, r.stderr)
r, doc = gate("sum.lua")
check("it may, with conditions or without", r.returncode == 0 and doc["verdict"].startswith("GO"),
      str([(x["line"], x["value"], x["remedy"]) for x in doc["lines"] if not x["passed"]]) + r.stderr)
check("all 440 verdicts count for unparsed ones, not the labelled ones alone", [x for x in doc["lines"] if x["line"] == "unparsed"][0]["value"]["n"] >= 400)
check("the record names the policy and ends some day", doc["policy"] == drawn[0]["policy"] and doc["expires"], str(list(doc)))

for args, want in ((["--n", "1"], "--n is 2"), (["--prompt-column", "nothing"], "has no nothing")):
    r = hone("judge", "draw", "--policy", "tiny", "--prompts", "prompts.jsonl", "--out", "bad.jsonl", *args)
    check("draw refuses " + " ".join(args), r.returncode in (1, 2) and want in r.stderr and not os.path.exists("bad.jsonl"), r.stderr)
write("empty.jsonl", "")
r = hone("judge", "draw", "--policy", "tiny", "--prompts", "empty.jsonl", "--out", "bad.jsonl")
check("and a file without rows", r.returncode == 1 and "no row" in r.stderr and not os.path.exists("bad.jsonl"), r.stderr)

finish()
