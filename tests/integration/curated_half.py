"""curated_half.py - the recipe curated_half: over three seeds, curated data of half the size beats the raw set on a judge that selected nothing,
with updates and tokens alike; a random half does not; what curation left out is what was wrong with the set."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
os.chdir(work.name)

r = subprocess.run([HONE, "run", "curated_half", "--run-dir", "half"], capture_output=True, text=True, timeout=600)
check("the recipe runs", r.returncode == 0, r.stdout + r.stderr)
if r.returncode:
    finish()
figure = r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]"


def said(what):
    m = re.search(what + r"\s+" + figure, r.stdout)
    return [float(x) for x in m.groups()] if m else [0, 0, 0]


sets = re.findall(r"seed (\d+), (\w+): (\d+) rows, (\d+) tokens: " + figure, r.stdout)
check("three seeds with three sets each", len(sets) == 9, r.stdout)
rows = {(s, n): int(k) for s, n, k, *_ in sets}
tokens = {(s, n): int(t) for s, n, _, t, *_ in sets}
for s in sorted({s for s, *_ in sets}):
    check(f"seed {s}: the curated set is half the raw one", rows[s, "curated"] * 2 == rows[s, "raw"] == 2 * rows[s, "random"], rows)
    check(f"seed {s}: tokens alike", max(tokens[s, n] / tokens[s, "raw"] for n in ("curated", "random")) < 1.03 >
          1 / min(tokens[s, n] / tokens[s, "raw"] for n in ("curated", "random")), tokens)
mean, lo, hi = said(r"curated half - raw:")
check("the curated half beats the raw set, and the interval excludes 0", 0 < lo <= mean <= hi, r.stdout)
mean, lo, hi = said(r"random half - raw \(control\):")
check("a random half does not", lo <= 0, r.stdout)
check("each seed's figures are told", len(re.findall(r"seed \d+: curated - raw " + figure, r.stdout)) == 3, r.stdout)

# What was left out and what stayed, by the kinds that no step saw.
with open("kinds.lua", "w") as f:
    f.write('''local hone, rawset, stories = require "hone", require "rawset", require "stories"
local run = hone.run { name = "kinds" }
local rows, kinds = rawset.rows(7, 800, stories.list(900, "test", 300, true))
run:write("kinds.json", require "hone.json".encode(kinds))
''')
subprocess.run([HONE, "run", "kinds.lua", "--run-dir", "k"], check=True, capture_output=True)
with open("k/kinds.json") as f:
    kinds = json.load(f)
with open("half/curated/7-half.jsonl") as f:
    chosen = [kinds[json.loads(line)["id"] - 1] for line in f]
share = {k: sum(c == k for c in chosen) / max(1, kinds.count(k)) for k in sorted(set(kinds))}
check("of each kind of flaw there is some", len(share) == 10 and min(kinds.count(k) for k in share) >= 5, {k: kinds.count(k) for k in share})
for k in ("bare", "wrong", "cut", "off", "junk", "leak"):
    check(f"none of the rows that are {k} stays", share[k] == 0, share)
check("of the copies at most a few stay", share["same"] + share["near"] < 0.2, share)
check("what the judge cannot see stays", share["misread"] > 0.3, share)
check("most of the good ones stay", share["good"] > 0.75, share)
finish()
