#!/usr/bin/env python3
"""held_out.py - what recipes say of held-out rows.

Pairs come with the interval of their margin, without a reference also with what changed pair by pair; rows with a label are
measured by how often a good answer stands above a bad one, and turned labels turn that round; and policy:logprobs, which all
of it stands on, gives the completion's tokens and no others. opd says how much of its teacher's lead it made up."""
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
scratch = tempfile.TemporaryDirectory(prefix="hone-held-out-")
work = pathlib.Path(scratch.name)
runs = 0


def run(*args):
    global runs
    runs += 1
    r = subprocess.run([HONE, "run", *args, "--run-dir", work / str(runs)], capture_output=True, text=True, cwd=work, timeout=300)
    return r.returncode, r.stdout + r.stderr


INTERVAL = r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]"

# ---- log-probs: as many as the completion has tokens, whatever the form of the row ----

(work / "logprobs.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "logprobs" }
local policy = run:policy { model = "tiny" }
local one = policy:logprobs { { prompt = "Tom has 3 apples.", completion = " Good." } }
local two = policy:logprobs { { prompt = "Tom has 3 apples.", chosen = " Good.", rejected = " Bad" } }
local function line(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = string.format("%.4f", x) end
  return table.concat(out, " ")
end
print("one " .. line(one[1][1]))
print("two " .. line(two[1][1]))
""")
rc, said = run("logprobs.lua")
lines = dict(re.findall(r"^(one|two) (.*)$", said, re.M))
check("log-probs of a completion: none is missing", rc == 0 and lines.get("one") and "nan" not in lines["one"], said[-500:])
check("log-probs of a completion: those that it has as the chosen of a pair", lines.get("one") == lines.get("two"), lines)

# ---- no row is both trained on and held out, whatever is made of it ----

with open(work / "pairs.jsonl", "w") as f:
    for i in range(200):
        f.write(json.dumps({"prompt": f"q{i}", "chosen": f"good {i}", "rejected": f"bad {i}"}) + "\n")
(work / "parts.lua").write_text("""
local hone = require "hone"
local given = require "given"
local p = hone.params { data = { "", "rows" }, format = { "auto", "form" }, seed = { 7, "seed" }, set = { {}, "values" } }
local run = hone.run { name = "parts" }
local held, n = {}, 0
for row in given.pairs(p, 0, 0.4):each() do held[row.prompt], n = true, n + 1 end
local function counts(name, rows)
  local trained, both = 0, 0
  for row in rows:each() do trained, both = trained + 1, both + (held[row.prompt] and 1 or 0) end
  print(string.format("%s: %d of 200, %d of them held out", name, n + trained, both))
end
for _, swap in ipairs { false, true } do
  counts("pairs", given.pairs(p, 0.4, 1, swap))
  counts("labelled", given.labelled(p, 0.4, 1, swap))
end
""")
rc, said = run("parts.lua", "data=pairs.jsonl")
for name in ("pairs", "labelled"):
    check(f"{name}: none is held out and trained on, and none is neither", said.count(f"{name}: 200 of 200, 0 of them held out\n") == 2, said[-500:])

# ---- pairs ----

rc, said = run("dpo", "steps=15")
m = re.search(rf"^after: held-out pairs: accuracy {INTERVAL} \(n = 200\), margin {INTERVAL} \(n = 200\)$", said, re.M)
check("dpo: accuracy and margin with intervals", rc == 0 and m, said[-500:])
if m:
    check("dpo: the margin rose", float(m[5]) > 0, m[0])
check("dpo: before it, the policy is its reference", "before: as the reference\n" in said, said[-500:])

rc, said = run("orpo", "steps=15", "swap=true")
first, last = (re.search(rf"^{when}: held-out pairs: accuracy {INTERVAL} \(n = 200\), margin {INTERVAL}", said, re.M) for when in ("before", "after"))
change = re.search(rf"^after: the same pairs: margin grew in {INTERVAL} \(n = 200\), changed by {INTERVAL} \(n = 200\); accuracy by {INTERVAL}", said, re.M)
check("orpo: before, after, and what changed", rc == 0 and first and last and change, said[-500:])
if first and last and change:
    check("orpo: the change is that of the means", abs(float(last[4]) - float(first[4]) - float(change[4])) < 0.0016, change[0])
    check("orpo, swap: margins fell, pair by pair", float(change[6]) < 0 and float(change[3]) < 0.5, change[0])

# ---- rows with a label ----

with open(work / "labels.jsonl", "w") as f:
    for i in range(120):
        f.write(json.dumps({"prompt": f"Tom has {i} apples.", "completion": " It is good to see." if i % 2 else " This was not.", "label": i % 2 == 1}) + "\n")
for swap, wanted in (("false", "1.000"), ("true", "0.000")):
    rc, said = run("kto", "data=labels.jsonl", "eval=0.3", "steps=20", f"swap={swap}")
    m = re.search(r"^after: held-out answers: good above bad ([\d.]+)", said, re.M)
    check(f"kto on rows with a label, swap={swap}: good above bad", rc == 0 and m and m[1] == wanted, said[-500:])


# A batch of rows that are all too long would end the run: they are left out before batches are made.
with open(work / "long.jsonl", "w") as f:
    for i in range(60):
        long = " and one more" * (0 if i % 6 == 0 else 200)
        f.write(json.dumps({"prompt": f"q{i}", "chosen": f"good {i}" + long, "rejected": f"bad {i}" + long}) + "\n")
rc, said = run("dpo", "data=long.jsonl", "max_tokens=60", "eval=0.2", "steps=12", "batch=2")
check("rows that are too long do not end a run", rc == 0 and "after: held-out pairs: " in said, said[-500:])
rc, said = run("kto", "data=labels.jsonl", "eval=0.3", "steps=1", "max_tokens=2")
check("held-out rows that do not fit are an error that says so", rc != 0 and ("none fits" in said or "left out" in said), said[-500:])

# ---- what was gained, question by question ----

rc, said = run("opd", "steps=6")
share = {m[0]: float(m[1]) for m in re.findall(r"^(teacher|before|after): ([\d.]+) % \[", said, re.M)}
change = re.search(rf"^after: the same questions: answered right changed by {INTERVAL} \(n = 200\)$", said, re.M)
part = re.search(rf"^after: of the teacher's lead {INTERVAL} \(n = 200\) is made up$", said, re.M)
check("opd: the change and the part of the teacher's lead", rc == 0 and change and part and len(share) == 3, said[-500:])
if change and part and len(share) == 3:
    gain = (share["after"] - share["before"]) / 100
    check("opd: the change is that of the shares", abs(float(change[1]) - gain) < 0.002, (change[0], share))
    lead = (share["teacher"] - share["before"]) / 100
    check("opd: the part is that of the shares", abs(float(part[1]) - gain / lead) < 0.002, (part[0], share))
    check("opd: within its interval", float(part[2]) < float(part[1]) < float(part[3]), part[0])

finish()
