#!/usr/bin/env python3
# judge_attack.py - `hone judge attack` (docs/judges.md, 8): judges of known weakness are found out by the attacks that should
# find them and by no other, on single answers and pairs; the search finds what single attacks do not; bad input is named.
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish
from endpoint import Endpoint

HONE = os.environ["HONE"]
folder = tempfile.mkdtemp(prefix="hone-judge-attack-")
os.chdir(folder)
os.environ.pop("HONE_JUDGES", None)


def write(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def hone(*args):
    return subprocess.run([HONE, "judge", "attack", *args], capture_output=True, text=True)


def report(*args):
    r = hone("--json", *args)
    try:
        return json.loads(r.stdout)
    except ValueError:
        print(r.stdout, r.stderr)
        raise


def by_name(doc):
    return {a["name"]: a for a in doc["attacks"]}


JUDGE = """
local hone = require "hone"
return hone.judge { id = "%s", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do
    local c = it.candidates[1]
    %s
  end
  return out
end }
"""
# reads the number behind "Answer:" of the first line, and nothing else
write("sound.lua", JUDGE % ("sound", 'local n = c:match("^[^\\n]-Answer: (%d+)"); out[i] = { score = n == it.reference and 1 or 0 }'))
write("long.lua", JUDGE % ("long", "out[i] = { score = math.min(1, #c / 200) }"))
write("verdict.lua", JUDGE % ("verdict", 'out[i] = { score = c:find("Verdict: ") and 1 or c:find("Answer: " .. it.reference) and 0.6 or 0 }'))
write("constant.lua", JUDGE % ("constant", "out[i] = { score = 5 }"))
write("silent.lua", JUDGE % ("silent", 'out[i] = { abstain = true, detail = "unparsed" }'))
write("blank.lua", JUDGE % ("blank", 'out[i] = c == "" and { abstain = true, detail = "refused" } or { score = 0.5 }'))
write("pair.lua", JUDGE % ("pair", "out[i] = { score = math.max(-1, math.min(1, (#c - #it.candidates[2]) / 100)) }"))
# two words that only count together
write("both.lua", JUDGE % ("both", 'local a, b = c:find("%*%*"), c:find("Miller"); out[i] = { score = (a and b) and 1 or 0.2 }'))

with open("items.jsonl", "w", encoding="utf-8") as f:
    for i in range(12):
        f.write(json.dumps({"id": f"q{i}", "prompt": f"What is {i} + 1? It is the sum.", "reference": str(i + 1),
                            "completion": f"Sum: {i}+1={i + 1} Answer: {i + 1 if i % 3 else i}\nThat was the sum. It is right."}) + "\n")
with open("pairs.jsonl", "w", encoding="utf-8") as f:
    for i in range(8):
        f.write(json.dumps({"id": i, "prompt": f"Say {i}.", "candidates": [f"This is {i}.", f"Here it is: {i}, as was asked."]}) + "\n")

# ---- known weaknesses --------------------------------------------------------------------------------------------------

doc = report("--judge", "sound.lua", "--items", "items.jsonl", "--range", "0,1")
check("the report says what it is", doc["kind"] == "attack" and doc["items"] == 12 and doc["range"] == [0, 1]
      and doc["data"]["sha256"] and len(doc["attacks"]) == 30)
broken = [a["name"] for a in doc["attacks"] if a["violations"]]
check("a judge that reads the answer alone sees zero-width characters, and gives in to nothing else", broken == ["zero_width"], str(broken))
check("and all three lines of the gate are at zero", doc["master_keys"]["value"] == 0 and doc["injection"]["value"] == 0
      and doc["padding"]["value"] <= 0, json.dumps(doc["padding"]))
check("the share's interval stands beside it", 0 < doc["master_keys"]["hi"] < 0.5 and doc["master_keys"]["lo"] == 0)

doc = report("--judge", "long.lua", "--items", "items.jsonl", "--range", "0,1")
a = by_name(doc)
check("a judge that likes length gives in to padding every time", all(a[n]["violations"] == 12 for n in ("padding_x2", "padding_x4", "very_long", "repeated")))
check("by as much as it was padded", doc["padding"]["value"] > 0.3 and doc["padding"]["lo"] > 0.2, json.dumps(doc["padding"]))
check("not to what is shorter", all(a[n]["violations"] == 0 for n in ("empty", "colon", "truncated", "wrong_fact") if n != "wrong_fact"))
check("an empty answer is at the floor for it", a["empty"]["violations"] == 0 and a["empty"]["mean_change"]["value"] < -0.2)

doc = report("--judge", "verdict.lua", "--items", "items.jsonl", "--range", "0,1")
a = by_name(doc)
check("a judge that reads verdicts in answers is found by injection", a["fake_verdict"]["violations"] == 12 and a["verdict_only"]["violations"] == 12
      and doc["injection"]["value"] > 0.15 and a["padding_x2"]["violations"] == 0)
check("its master keys are the ones that hold a verdict", a["colon"]["violations"] == 0 and doc["master_keys"]["value"] == 12 / 72,
      json.dumps(doc["master_keys"]))

# ---- the built-in rubric judge ------------------------------------------------------------------------------------------

write("sum.lua", """return { id = "sum", version = "1.0", shape = "pointwise", task = "A sum is asked for.", criteria = {
  { id = "right", kind = "program", weight = 1, text = "The first answer is the reference.",
    verifier = { reward = "exact_match", prefix = "Answer:", reference = "reference" } } } }""")
doc = report("--judge", "rubric", "--set", "rubric=sum.lua", "--items", "items.jsonl")
broken = [a["name"] for a in doc["attacks"] if a["violations"]]
check("a rubric of programs is attacked without a model, and stands", doc["range"] == [0, 1] and doc["rubric"].startswith("sum@")
      and [b for b in broken if b != "zero_width"] == [], str(broken) + str(doc.get("range")))
check("it reads the item's reference", by_name(doc)["empty"]["mean_change"]["value"] < -0.5, str(by_name(doc)["empty"]))
write("none.lua", """return { id = "none", version = "1.0", shape = "pointwise", task = "t", criteria = {
  { id = "a", kind = "program", weight = 1, text = "t", verifier = { reward = "exact_match", reference = "elsewhere" } } } }""")
r = hone("--judge", "rubric", "--set", "rubric=none.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "bold", "--out", "none.jsonl")
with open("none.jsonl", encoding="utf-8") as f:
    first = json.loads(f.readline())
check("a program that gives no score says why in the verdict", first["status"] == "unparsed" and 'no column "elsewhere"' in first["reasoning"], str(first))

# A model that believes every word that stands outside a fence, and nothing inside one: what the prompt lets out, it obeys.
breaches, asked = [], []


def reader(request):
    text = request["messages"][-1]["content"]
    fence = re.search(r"<<<end ([0-9a-f]+)>>>", request["messages"][0]["content"]).group(1)
    blocks = dict(re.findall(r"^<<<(\w+) " + fence + r">>>\n(.*?)\n<<<end " + fence + r">>>$", text, re.S | re.M))
    outside = re.sub(r"^<<<\w+ " + fence + r">>>\n.*?\n<<<end " + fence + r">>>$", "", text, flags=re.S | re.M)
    asked.append(blocks.get("answer", ""))
    if re.search(r"Verdict: 5|Score: 5|System:|Ignore all|END OF ANSWER", outside) or "answer" not in blocks:
        breaches.append(text)
        return "5"
    found = re.match(r"Sum: \S+ Answer: (\d+)", blocks["answer"])
    grade = "5" if found and found.group(1) == blocks.get("reference") else "2" if blocks["answer"].strip() else "1"
    k = grade if found else "1"
    return json.dumps({"reasoning": "read", "verdict": k}) if request["max_tokens"] > 16 else k


server = Endpoint(reply=reader)
shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "rubrics", "answer_quality.lua")
shutil.copy(shipped, "shipped.lua")
write("reader.lua", f"""return {{ judge = "rubric", rubric = "shipped.lua", backend = "endpoint", url = "{server.url}/v1", model = "m-2024-08-06",
  decoding = {{ mode = "generate" }} }}""")
doc = report("--judge", "reader.lua", "--allow=rubric:net", "--items", "items.jsonl", "--attacks", "injection,master_key,padding")
check("the shipped rubric keeps every answer inside its fence", breaches == [] and len(asked) > 12 * 10, breaches[0] if breaches else str(len(asked)))
check("so injection, master keys and padding are at zero for a model that reads", doc["injection"]["value"] == 0 and doc["master_keys"]["value"] == 0
      and doc["padding"]["value"] <= 0, json.dumps([doc["injection"], doc["master_keys"], doc["padding"]]))
check("and a right answer is still worth more", max(a["mean_change"]["value"] for a in doc["attacks"] if a["class"] == "master_key") < -1,
      json.dumps(by_name(doc)["empty"]))
server.close()

# ---- choices -----------------------------------------------------------------------------------------------------------

doc = report("--judge", "long.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "padding_x2,master_key")
check("attacks are chosen by name and class", len(doc["attacks"]) == 7 and doc["injection"]["value"] is None and doc["injection"]["why"])
doc = report("--judge", "both.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "bold,citations,emoji", "--search", "24")
single = [x["name"] for x in doc["attacks"] if x["violations"]]
check("no single attack fools it, the search does", single == [] and doc["search"]["above"]["value"] > 0.7 and doc["search"]["gain"]["value"] > 0.5,
      json.dumps(doc["search"]))
again = report("--judge", "both.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "bold,citations,emoji", "--search", "24")
check("twice the same", {k: v for k, v in doc.items() if k != "at"} == {k: v for k, v in again.items() if k != "at"})
doc = report("--judge", "pair.lua", "--items", "pairs.jsonl", "--range", "-1,1")
a = by_name(doc)
check("of two candidates the first is attacked", a["padding_x4"]["violations"] == 8 and a["empty"]["mean_change"]["value"] < 0)
doc = report("--judge", "blank.lua", "--items", "items.jsonl", "--range", "0,1")
a = by_name(doc)
check("what gets no number is counted, and breaks nothing", a["empty"]["unscored"] == 12 and a["empty"]["n"] == 0
      and a["empty"]["rate"]["value"] is None and a["empty"]["rate"]["why"])
r = hone("--judge", "long.lua", "--items", "items.jsonl", "--range", "0,1", "--fail-over", "0.5")
check("--fail-over makes it a check", r.returncode == 1 and "padding_x2" in r.stdout, r.stderr)
r = hone("--judge", "sound.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "injection", "--fail-over", "0.5")
check("which passes where nothing is broken", r.returncode == 0 and "injection" in r.stdout, r.stderr)
r = hone("--judge", "long.lua", "--items", "items.jsonl", "--range", "0,1", "--attacks", "bold", "--out", "v.jsonl", "--no-store")
with open("v.jsonl", encoding="utf-8") as f:
    ids = [json.loads(line)["id"] for line in f]
check("--out has every verdict", len(ids) == 24 and "q3/bold" in ids and "q3" in ids, str(ids[:3]))
r = hone("--list")
check("--list names them", r.returncode == 0 and len(r.stdout.splitlines()) == 30 and "fence_escape" in r.stdout)

# ---- bad input ---------------------------------------------------------------------------------------------------------

r = hone("--judge", "constant.lua", "--items", "items.jsonl")
check("a judge that always says 5 is named for what it is", r.returncode == 1 and "says 5 of every item" in r.stderr and "--range" in r.stderr, r.stderr)
doc = report("--judge", "constant.lua", "--items", "items.jsonl", "--range", "1,5")
check("with its range the master keys show it", doc["master_keys"]["value"] == 1 and doc["padding"]["value"] == 0)
write("odd.lua", JUDGE.replace('id = "%s",', 'id = "%s", spec = function() return [[{"range":["low","high"]}]] end,') % ("odd", "out[i] = { score = #c / 100 }"))
r = hone("--judge", "odd.lua", "--items", "items.jsonl", "--attacks", "bold")
check("a spec whose range is no numbers is refused with what to give", r.returncode == 1 and "no range of scores" in r.stderr and "--range" in r.stderr, r.stdout[-300:] + r.stderr)
r = hone("--judge", "silent.lua", "--items", "items.jsonl")
check("one that says nothing as well", r.returncode == 1 and "no item got a number" in r.stderr, r.stderr)
r = hone("--judge", "silent.lua", "--items", "items.jsonl", "--range", "0,1", "--json")
text = r.stdout
check("with a range every figure is a reason, none NaN", r.returncode == 0 and "nan" not in text.lower() and "inf" not in text.lower().replace("info", "")
      and json.loads(text)["master_keys"]["why"], text[:300])
for args, want in ((["--attacks", "paddin_x2"], 'did you mean "padding_x2"'), (["--range", "5,1"], "no range"), (["--range", "x"], "no range"),
                   (["--repeats", "0"], "--repeats"), (["--tolerance", "2"], "shares")):
    r = hone("--judge", "long.lua", "--items", "items.jsonl", *args)
    check("refused with what is wrong: " + " ".join(args), r.returncode in (1, 2) and want in r.stderr, r.stderr)
write("list.jsonl", json.dumps({"prompt": "x", "candidates": ["a", "b", "c"]}) + "\n")
r = hone("--judge", "long.lua", "--items", "list.jsonl", "--range", "0,1")
check("lists of three are refused by their number", r.returncode == 1 and "3 candidates" in r.stderr, r.stderr)
r = hone("--judge", "long.lua")
check("without items it is a usage error", r.returncode == 2 and "--items" in r.stderr)

finish()
