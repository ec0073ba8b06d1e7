"""distill_gap.py - the recipe distill_gap: the gap between teacher and student by slice, judged blind; what it asks for next; a
second round that shrinks it on prompts the meter has not seen; quality, cost and latency on the card. And the parts by themselves."""
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


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, cwd=WORK, timeout=300)


r = hone("run", "distill_gap", "--run-dir", "gap")
check("the recipe runs to its end", r.returncode == 0, r.stdout + r.stderr)
if r.returncode:
    finish()
run = WORK / "gap"
card = json.loads((run / "card.json").read_text())
figures = {f["what"]: f["figure"] for f in card["figures"]}
shrank = figures["the gap shrank by, fresh prompts"]
before, after = figures["gap after the first round, fresh prompts"], figures["gap after the second round, fresh prompts"]
check("there is a gap after the first round", before["lo"] > 0, before)
check("the second round shrinks it, on prompts that the meter has not seen", shrank["lo"] > 0 and shrank["n"] == 400, shrank)
check("by what lies between the two gaps", abs(before["value"] - after["value"] - shrank["value"]) < 1e-9, (before, after, shrank))
request = json.loads((run / "request.json").read_text())
check("the request names the slice that the first round left out", request[0]["slice"] == "changes=4" and request[0]["gap"]["lo"] > 0, request[0])
check("asks for a number of prompts of each", sum(x["prompts"] for x in request) in range(158, 163) and all(x["examples"] for x in request), request)
check("by gap times frequency", all(a["gap"]["value"] * a["frequency"] >= b["gap"]["value"] * b["frequency"] for a, b in zip(request, request[1:])), request)
check("in a form that is said", all("JSONL" in x["form"] for x in request))
check("for people too", "111 prompts" in (run / "request.md").read_text() or "prompts of changes=4" in (run / "request.md").read_text())
asked = figures["in the slice changes=4, fresh prompts, it shrank by"]
check("most of it where it was asked for", asked["lo"] > 0 and asked["value"] > shrank["value"], (asked, shrank))
systems = {c["name"]: c for c in card["compare"]}
check("teacher, student and base stand beside each other", list(systems) == ["teacher", "student", "base"], list(systems))
check("with quality, cost and latency", all(c["quality"]["lo"] < c["quality"]["hi"] and c["cost_per_1000"] > 0 and c["latency_s"] > 0 for c in card["compare"]))
check("in that order of quality", systems["teacher"]["quality"]["value"] > systems["student"]["quality"]["value"] > systems["base"]["quality"]["value"])
text = (run / "card.md").read_text()
check("on the card", "cost of 1,000 answers" in text and "seconds an answer" in text and "## Data" in text, text)
check("which ends the card of the model too", "cost of 1,000 answers" in (run / "model/README.md").read_text())

p = subprocess.Popen([HONE, "run", "distill_gap", "--run-dir", "cut"], cwd=WORK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while p.poll() is None and len((WORK / "cut/metrics.jsonl").read_text().splitlines() if (WORK / "cut/metrics.jsonl").is_file() else []) < 88:
    time.sleep(0.02)  # 60 steps of the teacher, 24 of the first round
p.send_signal(signal.SIGKILL)
p.wait()
r = hone("resume", "cut")
same = [hashlib.sha256((WORK / d / "model/model.safetensors").read_bytes()).hexdigest() if (WORK / d / "model").exists() else d for d in ("gap", "cut")]
check("killed in the second round, it resumes to the same student", r.returncode == 0 and same[0] == same[1], f"{r.stderr} {same}")
check("and the same request", (run / "request.json").read_bytes() == (WORK / "cut/request.json").read_bytes())

# with prices, and rows of a file
rows = hone("lua", str((WORK / "rows.lua").write_text("""local stories, json = require "stories", require "hone.json"
for i, r in ipairs(stories.list(21, "tune", 400, true)) do
  print(((json.encode { question = r.prompt, answer = r.answer, scene = "s" .. r.scene }):gsub("\\n%s*", "")))
end
""") and "rows.lua"))
(WORK / "rows.jsonl").write_text(rows.stdout)
r = hone("run", "distill_gap", "data=rows.jsonl", "slices=scene", "teacher_steps=20", "price_teacher=2", "price_student=0.5", "first=60", "second=60",
         "meter=80", "fresh=80", "--run-dir", "own")
check("with rows and slices of a file", r.returncode == 0, r.stdout + r.stderr)
if r.returncode == 0:
    card = json.loads((WORK / "own/card.json").read_text())
    teacher = card["compare"][0]
    check("cost is tokens times price", abs(teacher["cost_per_1000"] - 1000 * teacher["tokens"] * 2 / 1e6) < 1e-12, teacher)
    lines = [d["rows"] for d in card["data"]]
    check("no prompt is in two parts", sum(lines[2:]) <= 160 and lines[0] == 60, lines)

(WORK / "parts.lua").write_text("""local hone = require "hone"
local gap = require "hone.gap"
local seen = {}
local j = hone.judge { id = "length", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do
    for k in pairs(it.columns) do assert(k ~= "model" and k ~= "system", k) end
    seen[#seen + 1] = it.candidates[1]
    out[i] = it.candidates[1] == "?" and hone.abstain or #it.candidates[1]
  end
  return out
end }
local rows, t, s = {}, {}, {}
for i = 1, 60 do
  rows[i] = { prompt = "p" .. i, kind = i <= 20 and "a" or "b", model = "x", id = i }
  t[i], s[i] = "tttt", i <= 20 and "s" or i <= 40 and "sss" or "ssss"
end
s[60] = "?"
local scores = gap.scores(j, rows, { teacher = t, student = s })
assert(#seen == 120 and scores.teacher[1] == 4 and scores.student[1] == 1 and scores.student[60] == false)
local first, turns = 0, 0
for i = 1, 60 do first = first + (seen[i]:sub(1, 1) == "t" and 1 or 0) end
for i = 2, 120 do turns = turns + (seen[i]:sub(1, 1) ~= seen[i - 1]:sub(1, 1) and 1 or 0) end
assert(first > 15 and first < 45 and turns > 30, "the judge sees who is who")
local slices = gap.slices(rows, scores, { "kind" })
assert(slices[1].name == "kind=a" and slices[1].gap.value == 3 and math.abs(slices[1].weight - 1) < 1e-12 and slices[2].gap.n == 39)
local request = gap.request(rows, scores, slices, { prompts = 100 })
assert(#request == 2 and request[1].prompts + request[2].prompts == 100 and request[1].prompts > request[2].prompts and #request[1].examples == 3)
local common = gap.slices(rows, scores, { "kind" }, { frequency = { ["kind=a"] = 0.01, ["kind=b"] = 0.99 } })
assert(common[1].name == "kind=b")
local none = gap.request(rows, { teacher = scores.teacher, student = scores.teacher }, gap.slices(rows, { teacher = scores.teacher, student = scores.teacher }, { "kind" }))
assert(#none == 0 and gap.text(none):find "nothing is asked for")
local g = gap.shrunk(rows, scores, { teacher = scores.teacher, student = scores.teacher })
assert(g.after.value == 0 and g.shrunk.n == 59 and g.shrunk.value > 0)
assert(not pcall(gap.scores, j, rows, { teacher = { "x" } }))
print "parts"
""")
r = hone("lua", "parts.lua")
check("blind, by slice, dealt by weight", r.stdout.endswith("parts\n"), r.stdout + r.stderr)
finish()
