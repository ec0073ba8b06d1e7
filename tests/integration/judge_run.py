#!/usr/bin/env python3
# judge_run.py - `hone judge run` (docs/judges.md, 6): what a judge is, what a verdict row holds, that nothing is asked twice, that
# work goes on where it was killed, filter, pairs, and the exit code of a check.
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish

HONE = os.environ["HONE"]
folder = tempfile.mkdtemp(prefix="hone-judge-run-")
os.chdir(folder)
os.environ.pop("HONE_JUDGES", None)


def write(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def hone(*args):
    return subprocess.run([HONE, "judge", "run", *args], capture_output=True, text=True)


def rows(name):
    with open(name, encoding="utf-8") as f:
        return [json.loads(line) for line in f]



LENGTH = """
local hone = require "hone"
local p = hone.params { per = { 10.0, "characters a point" }, lean = { 0.0, "towards what is shown first" } }
return hone.judge {
  id = "length",
  judge = function(items)
    local out = {}
    for i, it in ipairs(items) do
      local c = it.candidates
      if c[1] == "nan" then out[i] = { score = 0 / 0 }
      elseif c[1] == "refuse" then out[i] = { abstain = true, detail = "refused", reasoning = "no" }
      elseif c[1] == "late" then out[i] = { abstain = true, detail = "timeout" }
      elseif c[1] == "silent" then out[i] = nil
      elseif #c == 1 then out[i] = { score = #c[1] / p.per, reasoning = "by length", cost = 0.5 }
      elseif #c == 2 then out[i] = { score = math.max(-1, math.min(1, (#c[1] - #c[2]) / p.per + p.lean)) }
      else
        local order = {}
        for k = 1, #c do order[k] = k end
        table.sort(order, function(a, b) return #c[a] > #c[b] end)
        out[i] = { ranking = order }
      end
      if out[i] == nil then out[i] = false end
    end
    return out
  end,
  spec = function() return string.format('{"rubric":{"id":"length","hash":"h%g"},"per":%g,"lean":%g}', p.per, p.per, p.lean) end,
}
"""
write("length.lua", LENGTH)
write("items.jsonl", "".join(json.dumps(r) + "\n" for r in [
    {"id": "a", "prompt": "p1", "completion": "hello"},
    {"id": "b", "prompt": "p1", "completion": "hello world"},
    {"prompt": "p2", "candidates": ["x", "xyz"]},
    {"id": 7, "prompt": "p3", "candidates": ["x", "xyz", "xy"]},
    {"id": "r", "prompt": "p4", "completion": "refuse"},
    {"id": "n", "prompt": "p4", "completion": "nan"},
    {"id": "s", "prompt": "p4", "completion": "silent"},
]))

r = hone("--judge", "length.lua", "--items", "items.jsonl", "--out", "v.jsonl", "--orders", "--json")
check("a judge written in Lua runs", r.returncode == 0, r.stderr)
s = json.loads(r.stdout)
v = rows("v.jsonl")
by = {}
for row in v:
    by.setdefault(row["id"], []).append(row)
check("one answer an item and order", len(v) == 5 + 2 + 3 and s["answers"] == 10, s)
check("ids are the rows' own or their numbers", set(by) == {"a", "b", "3", "7", "r", "n", "s"}, by.keys())
check("one candidate has a score", by["a"][0]["score"] == 0.5 and by["a"][0]["status"] == "ok", by["a"])
check("swapped candidates are turned back", [x["score"] for x in by["3"]] == [-0.2, -0.2] and
      [x["order"] for x in by["3"]] == [[0, 1], [1, 0]], by["3"])
check("three candidates: each once in each place, one ranking", all(x["ranking"] == [1, 2, 0] and x["score"] is None
      for x in by["7"]) and sorted(x["order"][0] for x in by["7"]) == [0, 1, 2], by["7"])
check("a refusal has no number", by["r"][0]["status"] == "refused" and by["r"][0]["score"] is None, by["r"])
check("NaN leaves as unparsed", by["n"][0]["status"] == "unparsed" and by["n"][0]["score"] is None, by["n"])
check("silence is unparsed", by["s"][0]["status"] == "unparsed", by["s"])
check("spec and rubric stand in each row", all(len(x["spec"]) == 64 and x["rubric"] == "length@h10" for x in v))
check("prompts are told apart", by["a"][0]["prompt_id"] == by["b"][0]["prompt_id"] != by["3"][0]["prompt_id"])
check("the cost is summed", s["cost"] == 1.0, s)
check("no NaN in a row", "NaN" not in open("v.jsonl").read() and "nan" not in r.stdout)

r = hone("--judge", "length.lua", "--items", "items.jsonl", "--out", "again.jsonl", "--orders", "--json")
check("what is remembered is not asked again", json.loads(r.stdout)["asked"] == 0 and
      open("again.jsonl").read() == open("v.jsonl").read(), r.stdout)
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--orders", "--repeats", "2", "--json")
check("a repetition is another question", json.loads(r.stdout)["asked"] == 10, r.stdout)
r = hone("--judge", "length.lua", "--set", "per=20.0", "--items", "items.jsonl", "--orders", "--json")
check("another spec is another judge", json.loads(r.stdout)["asked"] == 10, r.stdout)
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--orders", "--anew", "--json")
check("--anew asks again", json.loads(r.stdout)["asked"] == 10, r.stdout)
write("late.jsonl", '{"completion":"late"}\n')
for want in (1, 1):
    r = hone("--judge", "length.lua", "--items", "late.jsonl", "--json")
    s = json.loads(r.stdout)
    check("a time-out is not remembered", s["asked"] == want and s["status"]["timeout"] == 1, r.stdout)
with sqlite3.connect("judges.sqlite") as db:
    check("the store has verdicts, calls and specs", db.execute("SELECT count(*) FROM judge_spec").fetchone()[0] == 2 and
          db.execute("SELECT count(*) FROM call").fetchone()[0] > db.execute("SELECT count(*) FROM verdict").fetchone()[0])
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--no-store", "--store", "none.sqlite")
check("--no-store leaves no file", r.returncode == 0 and not os.path.exists("none.sqlite"), r.stderr)

# ---- filter, pairs, check
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--keep", "score >= 0.5 and ok > 0", "--kept", "kept.jsonl", "--json")
check("a filter keeps the rows that meet it, whole", [x["id"] for x in rows("kept.jsonl")] == ["a", "b"] and
      json.loads(r.stdout)["kept"] == 2, r.stdout + r.stderr)
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--orders", "--repeats", "2", "--pairs", "pairs.jsonl", "--json")
p = rows("pairs.jsonl")
check("pairs of one prompt and of two candidates", [(x["chosen"], x["rejected"]) for x in p] == [("hello world", "hello"), ("xyz", "x")],
      p)
r = hone("--judge", "length.lua", "--set", "lean=0.3", "--items", "items.jsonl", "--orders", "--pairs", "lean.jsonl", "--json")
check("a judge that leans makes no pair of its leaning", [x["chosen"] for x in rows("lean.jsonl")] == [], r.stdout)
check("and its inconsistency is told", json.loads(r.stdout)["swap_inconsistency"]["value"] == 1, r.stdout)
r = hone("--judge", "length.lua", "--items", "items.jsonl", "--pairs", "x.jsonl")
check("pairs need several answers", r.returncode == 2 and "--repeats 2" in r.stderr, r.stderr)
for bound, want in (("0.4", 0), ("0.5", 1)):
    r = hone("--judge", "length.lua", "--items", "items.jsonl", "--fail-under", bound)
    check("--fail-under %s exits %d" % (bound, want), r.returncode == want, r.stdout + r.stderr)
write("bad.jsonl", '{"completion":"refuse"}\n')
r = hone("--judge", "length.lua", "--items", "bad.jsonl", "--fail-under", "-5")
check("a check without a number fails", r.returncode == 1, r.stdout)

# ---- killed in the middle
write("slow.lua", LENGTH.replace("for i, it in ipairs(items) do", "local n = 0 for k = 1, 3e6 do n = n + k end for i, it in ipairs(items) do"))
write("many.jsonl", "".join(json.dumps({"id": str(i), "prompt": str(i), "completion": "x" * (i % 50)}) + "\n" for i in range(400)))
args = [HONE, "judge", "run", "--judge", "slow.lua", "--items", "many.jsonl", "--store", "killed.sqlite", "--batch", "4", "--json"]
proc = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
stored = 0
while stored < 8 and proc.poll() is None:
    time.sleep(0.02)
    try:
        with sqlite3.connect("file:killed.sqlite?mode=ro", uri=True) as db:
            stored = db.execute("SELECT count(*) FROM verdict").fetchone()[0]
    except sqlite3.OperationalError:
        pass
proc.send_signal(signal.SIGKILL)
proc.communicate()
with sqlite3.connect("killed.sqlite") as db:
    stored = db.execute("SELECT count(*) FROM verdict").fetchone()[0]
s = json.loads(subprocess.run(args, capture_output=True, text=True).stdout)
check("killed work goes on where it was", stored >= 8 and s["asked"] == 400 - stored and s["answers"] == 400, (stored, s))

# ---- files that the command line names, wherever they lie
elsewhere = tempfile.mkdtemp(prefix="hone-judge-elsewhere-")
r = subprocess.run([HONE, "judge", "run", "--judge", os.path.abspath("length.lua"), "--items", os.path.abspath("items.jsonl"), "--json"],
                   capture_output=True, text=True, cwd=elsewhere)
check("files outside of the current folder are read when they are named", r.returncode == 0 and os.path.exists(elsewhere + "/judges.sqlite"), r.stderr)
write("rubric.lua", 'return { id = "q", version = "3", shape = "pointwise", task = "Sums.", scale = { min = 1, max = 2, anchors = { "no", "yes" } } }')
r = hone("--judge", "rubric", "--set", "rubric=rubric.lua", "--policy", "tiny", "--items", "late.jsonl", "--store", "rubric.sqlite")
with sqlite3.connect("rubric.sqlite") as db:
    check("the store has the rubric's version", db.execute("SELECT id, version FROM rubric_version").fetchall() == [("q", "3")], r.stderr)

# ---- bad input
for what, args, code, text in [
    ("no judge", ["--items", "items.jsonl"], 2, "--judge"),
    ("no items", ["--judge", "length.lua"], 2, "--items"),
    ("a judge that is not there", ["--judge", "none.lua", "--items", "items.jsonl"], 1, "there is no file none.lua"),
    ("an unknown component", ["--judge", "nobody", "--items", "items.jsonl"], 1, "nobody"),
    ("a condition that is none", ["--judge", "length.lua", "--items", "items.jsonl", "--keep", "score ~ 1"], 2, "a comparison"),
    ("a store of somebody else", ["--judge", "length.lua", "--items", "items.jsonl", "--store", "items.jsonl"], 1, "items.jsonl"),
]:
    r = hone(*args)
    check(what + " is refused", r.returncode == code and text in r.stderr, (r.returncode, r.stderr))
for what, text, said in [
    ("an empty file", "", "no row"), ("no completion", '{"prompt":"x"}\n', "neither a completion nor candidates"),
    ("two of one id", '{"id":1,"completion":"a"}\n{"id":1,"completion":"b"}\n', "second item with the id"),
    ("candidates of numbers", '{"candidates":[1,2]}\n', "candidate 1 is no text"),
    ("too many candidates", json.dumps({"candidates": ["x"] * 65}) + "\n", "1 to 64")]:
    write("odd.jsonl", text)
    r = hone("--judge", "length.lua", "--items", "odd.jsonl")
    check(what + " is told", r.returncode == 1 and said in r.stderr, r.stderr)
write("five.lua", "return 5")
write("nojudge.lua", 'local hone = require "hone" return { hone }')
write("settings.lua", 'return { judge = "nobody", x = 1 }')
for name, said in (("five.lua", ""), ("nojudge.lua", "returns no judge"), ("settings.lua", "nobody")):
    r = hone("--judge", name, "--items", "items.jsonl")
    check(name + " is no judge", r.returncode == 1 and said in r.stderr, r.stderr)
finish()
