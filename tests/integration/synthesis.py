"""synthesis.py - hone.synthesis and `hone run synthesize`: each method against independent computations (ROUGE-L as a plain table, right answers
worked out here) and with a control; planted leaks are found and nothing else; nothing stays that was there; every row that does not has a
reason; lineage names model, prompt and parents; killed and resumed, or run again, to the same bytes; bad input."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
os.chdir(work.name)


def hone(*args, code=0):
    r = subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, timeout=300)
    check(f"{' '.join(map(str, args))[:70]} ends with {code}", r.returncode == code, r.stdout + r.stderr)
    return r


def rows_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def data(path):
    with open(path, "rb") as f:
        return f.read()


def write(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def rouge_l(a, b):
    """rouge_score without stemming: F of the longest common subsequence of runs of letters and digits in lower case."""
    a, b = (re.findall(r"[a-z0-9]+", t.lower()) for t in (a, b))
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for k, y in enumerate(b):
            table[i + 1][k + 1] = table[i][k] + 1 if x == y else max(table[i][k + 1], table[i + 1][k])
    return 2 * table[-1][-1] / (len(a) + len(b)) if a and b else 0.0


def all_told(folder, name):
    """What was made: every line stays or has a reason, and the files agree on which."""
    base = f"{folder}/synthesis/{name}"
    made, kept, report = rows_of(base + ".made.jsonl"), rows_of(base + ".jsonl"), rows_of(base + ".report.jsonl")
    check(f"{folder}: all that was made stays or has a reason", all(r["kept"] != ("reason" in r) for r in made) and
          [r["row"] for r in made if r["kept"]] == kept, len(made))
    check(f"{folder}: the report has the others", [(r["row"], r["reason"]) for r in report] == [(i + 1, r["reason"]) for i, r in enumerate(made) if not r["kept"]],
          report[:2])
    with sqlite3.connect(f"file:{base}.jsonl.lineage?mode=ro", uri=True) as db:
        lines = db.execute("select line, path, steps from kept order by n").fetchall()
    check(f"{folder}: lineage is the line of what was made", [n for n, _, _ in lines] == [i + 1 for i, r in enumerate(made) if r["kept"]] and
          all(p.endswith(f"{name}.made.jsonl") for _, p, _ in lines), lines[:2])
    return made, kept, json.loads(lines[0][2])[-1]["settings"] if lines else None


# ---- self-instruct, with a model that misbehaves in known ways ----
SEEDS = ["Write a short poem about the sea in winter.", "List five ways to save water at home.", "Explain how a bicycle stays upright.",
         "Translate this sentence into plain words for a child.", "Name three rivers of Africa and their lengths.", "Describe the taste of a ripe mango.",
         "Give advice to somebody who cannot sleep.", "Compare a bus with a train for daily travel.", "Summarise the story of a film you like.",
         "Suggest a dinner without meat for four people."]
EVAL = ["How many legs do twelve spiders and seven ants have when they stand together in one dark room?",
        "Which of the four seasons is the longest in the north and by how many days is it longer?"]
write("seeds.jsonl", "".join(json.dumps({"id": f"s{i}", "prompt": s, "completion": "yes"}) + "\n" for i, s in enumerate(SEEDS)))
write("eval.jsonl", "".join(json.dumps({"question": q}) + "\n" for q in EVAL))
write("self.lua", """
local hone, core = require "hone", require "hone.core"
local p = hone.params { stop = { 0, "fail at this call unless go.txt is there" }, seed = { 7, "" }, novelty = { 0.7, "" }, leaks = { true, "" }, count = { 30, "" } }
local run = hone.run { name = "self", seed = p.seed }
local things = {}
for w in ("river lamp stone cloud table horse paper clock apple train tower shoe mirror spoon candle ladder basket carpet hammer kettle pocket ribbon saddle tunnel velvet wagon anchor barrel copper dragon"):gmatch "%a+" do things[#things + 1] = w end
local nouns = { "garden", "engine", "letter", "market", "bridge", "window", "forest", "doctor", "planet", "violin", "harbour", "castle", "desert", "teacher" }
local verbs = { "Explain", "Describe", "Invent", "Compare", "Improve", "Sketch", "Defend", "Criticise" }
local ends = { "to a friend who never saw it.", "with two reasons from history.", "as if it could speak.", "in the words of a lawyer.", "and what it costs to keep.", "for a museum of the future." }
local odd = { "Write a short poem about the sea in summer.", "LIST five ways to save water at home!", "too short", "- begins with a mark and goes on", "Draw a picture of a big red house.",
  "Tell me: how many legs do twelve spiders and seven ants have when they stand together in one dark room?", "bad \\xff bytes in it are never kept" }
local calls = 0
local function pick(list, n, i) return list[1 + hone.hash(n .. "/" .. i, 3) % #list] end
local function writer(prompts, c)
  calls = calls + 1
  print("asked", calls, #prompts)
  if calls == p.stop and not pcall(core.read_file, "go.txt") then error("the model is gone", 0) end
  local out = {}
  for i, text in ipairs(prompts) do
    local at = c.first_sample + i
    if text:find "Task 9:" then
      local t = pick(verbs, "v", at) .. " a " .. pick(nouns, "n", at)
      for k = 1, 7 do t = t .. " " .. pick(things, "t" .. k, at) end
      local u = at % 3 > 0 and odd[1 + at % #odd] or pick(verbs, "w", at) .. " the " .. pick(nouns, "o", at) .. " " .. pick(ends, "f", at)
      out[i] = { { text = " " .. t .. "\\nTask 10: " .. u .. "\\nTask 11: this one was cut and is never", finish = "length" } }
      if text:find("Task 9:.*Task") then error("the examples are eight") end
    else
      out[i] = { at % 13 == 0 and " " or "An answer of " .. #text .. " letters." }
    end
  end
  return out
end
local rows, told = hone.synthesis.self_instruct(run, { seeds = "seeds.jsonl", model = { id = "liar", generate = writer }, count = p.count, tries = 200, part = 4,
  novelty = p.novelty, against = p.leaks and "eval.jsonl" or nil, keep = function(row) return row.prompt:find "violin" == nil, "no violins" end })
run:say("%d made, %d kept, %d rows", told.made, told.kept, #rows:list())
""")
r = hone("run", "self.lua", "--run-dir", "self")
made, kept, settings = all_told("self", "self_instruct")
reasons = [m.get("reason") for m in made]
check("as many as wanted stay", len(kept) == 30 and "30 kept, 30 rows" in r.stdout, r.stdout)
pool, wrong = [("seed s%d" % i, s) for i, s in enumerate(SEEDS)], []
for m in made:  # the same decisions, by a plain table
    if m["task"] == "":
        continue
    alike = max(((rouge_l(m["task"], t), w) for w, t in pool), key=lambda x: x[0])
    if m.get("reason") == "alike":
        if alike[0] < 0.7 or abs(alike[0] - m["more"]["rouge_l"]) > 1e-9:
            wrong.append((m["task"], m["more"], alike))
    elif m["kept"] or str(m.get("reason")).startswith(("answer", "no violins", "more than")):
        if alike[0] >= 0.7:
            wrong.append((m["task"], m.get("reason"), alike))
        pool.append((f"made {m['n']}", m["task"]))
check("ROUGE-L below 0.7 against all there is, and what is left out for it has what it is said to have", not wrong and reasons.count("alike") > 5, wrong[:3])
check("no task twice", len({k["prompt"] for k in kept}) == len(kept) and not {k["prompt"] for k in kept} & set(SEEDS))
leaks = [m for m in made if m.get("reason") == "leak"]
check("the planted leak is found each time, with the item's line", leaks and all("spiders" in m["task"] and m["more"] == {"file": "eval.jsonl", "line": 1} for m in leaks) and
      sum("spiders" in m["task"] for m in made) == len(leaks), leaks[:2])
for why, text in (("too short", "too short"), ("begins with a mark", "- begins"), ("speaks of: picture", "picture")):
    of = [m for m in made if text in m["task"]]
    check(f"left out: {why}", of and all(m["reason"] in (why, "same", "alike") for m in of) and why in reasons, of[:2])
check("bytes that are no text are left out", "no UTF-8" in reasons and not any("bytes" in k["prompt"] for k in kept))
check("a cut task is none", not any("never" in m["task"] and "cut" in m["task"] for m in made))
check("empty answers, and what keep says", "answer: empty" in reasons and "no violins" in reasons and not any("violin" in k["prompt"] for k in kept), set(reasons))
parents = [m["parents"] for m in made]
check("parents: eight examples, of them two that were made as soon as there are", all(len(set(x)) == 8 for x in parents) and
      all(sum(e.startswith("made") for e in x) == 2 for x in parents[-10:]) and all(e.startswith("seed s") for e in parents[0]), parents[-1])
byn = {m["n"]: m for m in made}
check("parents that were made stayed, and were there before", all(byn[int(e.split()[1])]["kept"] and int(e.split()[1]) < m["n"] for m in made for e in m["parents"] if e[0] == "m"))
check("lineage: model, prompt, seeds, evaluation set by hash", settings["writer"]["id"] == "liar" and len(settings["writer"]["code"]) == 64 and
      settings["prompts"][0].startswith("self-instruct@") and len(settings["seeds"]) == 64 and len(settings["against"][0]["sha256"]) == 64, settings)

S = "synthesis/self_instruct"
hone("run", "self.lua", "--run-dir", "again")
check("again: the same bytes", data(f"self/{S}.jsonl") == data(f"again/{S}.jsonl") and data(f"self/{S}.made.jsonl") == data(f"again/{S}.made.jsonl"))
hone("run", "self.lua", "seed=8", "--run-dir", "other")
check("another seed: other examples", data(f"self/{S}.made.jsonl") != data(f"other/{S}.made.jsonl"))
hone("run", "self.lua", "stop=5", "--run-dir", "cut", code=1)
write("go.txt", "go")
r = hone("resume", "cut")
os.remove("go.txt")
check("resumed: what the model said is not asked again", r.stdout.count("asked") == len(os.listdir("self/synthesis/self_instruct.parts")) - 4, r.stdout)
check("resumed: the same bytes", all(data(f"self/{S}{e}") == data(f"cut/{S}{e}") for e in (".jsonl", ".made.jsonl")))
hone("run", "self.lua", "novelty=1.0", "leaks=false", "--run-dir", "loose")
loose = [m for m in rows_of(f"loose/{S}.made.jsonl") if m["kept"]]
check("without the checks (a control) leaks and near copies stay", any("spiders" in m["task"] for m in loose) and any("sea in summer" in m["task"] for m in loose))

# ---- rewriting ----
write("rewrite.lua", """
local hone = require "hone"
local run = hone.run { name = "rewrite", seed = 3 }
local rows = {}
for row in hone.source("jsonl", { path = "seeds.jsonl" }):each() do rows[#rows + 1] = row end
local function model(prompts)
  local out = {}
  for i, text in ipairs(prompts) do
    local task = text:match "Task:\\n(.-)\\n\\nNew task" or text:match "^SHOUT (.*)$"
    if not task then out[i] = "An answer to: " .. text
    elseif text:find "^SHOUT" then out[i] = task:upper():gsub("%a+", function(w) return #w > 4 and w .. "LY" or w end)
    elseif task:find "poem" then out[i] = task
    elseif task:find "mango" then out[i] = "New task: " .. task
    elseif task:find "rivers" then out[i] = ("and so on "):rep(60)
    else out[i] = " In other words: " .. task:gsub("%a+", function(w) return #w > 5 and "that" or w end) .. "\\n" end
  end
  return out
end
local shout = hone.prompt { id = "shout", template = "SHOUT {{text}}" }
local made, told = hone.synthesis.rewrite(run, { rows = rows, model = model, styles = { "rephrase", { prompt = shout } }, part = 7 })
local j = hone.judge { id = "pen", version = "1", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do out[i] = { score = 1, reasoning = "By the judge: " .. #it.prompt } end
  return out
end }
local by_judge = hone.synthesis.rewrite(run, { rows = rows, model = j, styles = "deepen", name = "judged" })
""")
hone("run", "rewrite.lua", "--run-dir", "rewrite")
made, kept, settings = all_told("rewrite", "rewrite")
why = {(m["parents"][0], m["style"]): m.get("reason") for m in made}
check("rewrite: every row in every style", len(made) == 20 and len(why) == 20, len(made))
check("unchanged, repeated and endless ones are left out", why["s0", "rephrase"] == "same" and why["s5", "rephrase"] == "repeats what it was asked" and
      why["s4", "rephrase"] == "too long", why)
check("nothing stays that is there but for case", why["s0", "shout"] == "alike" or rouge_l(SEEDS[0], next(m["task"] for m in made if m["style"] == "shout")) < 0.95, why)
by_id = {(k["id"], k["prompt"].isupper()): k for k in kept}
check("a style that says the same keeps the answer", by_id["s1", False]["completion"] == "yes", by_id)
check("another style asks for a new one", all(k["completion"] == "An answer to: " + k["prompt"] for k in kept if k["prompt"].isupper()) and any(k["prompt"].isupper() for k in kept))
check("lineage: styles by version, and the parent", [v.split("@")[0] for v in settings["styles"]] == ["rewrite-rephrase", "shout"])
judged = rows_of("rewrite/synthesis/judged.jsonl")
check("a judge writes, too", judged and all(k["prompt"].startswith("By the judge") for k in judged), judged[:1])

# ---- rejection sampling and pairs, by the embedded model ----
def right(row, text):
    m = re.search(r"Answer: (-?\d+)\s*$", text)
    return m is not None and m.group(1) == row["answer"]


R = "synthesis/rejection_sampling"
hone("run", "synthesize", "rows=24", "--run-dir", "best")
made, kept, settings = all_told("best", "rejection_sampling")
check("rejection: all that stay are right, one a prompt", kept and all(right(k, k["completion"]) for k in kept) and len({k["id"] for k in kept}) == len(kept), len(kept))
asked = {}
for m in made:
    asked.setdefault(m["parents"][0], []).append(m)
answers = {k["id"]: k for k in kept}
check("rejection: every prompt with a right answer has a row", all((int(i) in answers) == any(m.get("score") == 1 for m in ms) for i, ms in asked.items()) and len(asked) == 24)
check("rejection: of the right ones the shortest", all(len(answers[int(i)]["completion"]) == min(len(m["text"]) for m in ms if m.get("score") == 1)
                                                      for i, ms in asked.items() if int(i) in answers))
check("rejection: the model by its checksum", len(settings["model"]["checksum"]) == 16 and "reward" in settings["by"], settings)
hone("run", "synthesize", "rows=24", "take=all", "--run-dir", "all")
made, kept, _ = all_told("all", "rejection_sampling")
groups = {}
for k in kept:
    groups.setdefault(k["id"], []).append(k["completion"])
check("rejection, all: answers of a prompt are unlike each other", all(rouge_l(a, b) < 0.9 for g in groups.values() for i, a in enumerate(g) for b in g[:i]) and
      max(map(len, groups.values())) > 1, groups)
alike = [m for m in made if m.get("reason") == "alike"]
check("rejection, all: those left out for it are like one", all(max(rouge_l(m["text"], t) for t in groups[int(m["parents"][0])]) >= 0.9 for m in alike), alike[:1])
hone("run", "synthesize", "rows=24", "--run-dir", "best2")
check("rejection: again the same bytes", data(f"best/{R}.jsonl") == data(f"best2/{R}.jsonl") and data(f"best/{R}.made.jsonl") == data(f"best2/{R}.made.jsonl"))

tail = """
local hone, stories = require "hone", require "stories"
local run = hone.run { name = "p", seed = 7 }
local policy = run:policy { model = "tiny" }
local rows = {}
for i, s in ipairs(stories.list(7, "train", 24, true)) do rows[i] = { id = i, prompt = s.prompt, answer = s.answer } end
local sampling = { temperature = 1, max_tokens = 44 }
local function graded(turn) return hone.judge { id = turn > 0 and "graded" or "turned", version = "1", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do
    local number = tonumber(it.candidates[1]:match "Answer: (%-?%d+)%s*$")
    out[i] = number and turn * math.max(0, 1 - math.abs(number - tonumber(it.columns.answer)) / 10) or { abstain = true }
  end
  return out
end } end
local near, turned = graded(1), graded(-1)
"""
write("pairs.lua", tail.replace("local run", 'local p = hone.params { which = { "graded", "" } }\nlocal run', 1) + """
local own = { graded = { judge = near }, wide = { judge = near, margin = 0.5 }, turned = { judge = turned }, every = { judge = near, all = true } }
local o = { rows = rows, model = policy, n = 6, sampling = sampling, name = "pairs" } -- the name is part of the seed
for k, v in pairs(own[p.which]) do o[k] = v end
hone.synthesis.preference_pairs(run, o)
if p.which ~= "graded" then return end
local function one(text) return { id = text, generate = function(list) local out = {} for i in ipairs(list) do out[i] = text end return out end } end
hone.synthesis.preference_pairs(run, { rows = rows, models = { one "Answer: 5", one "Answer: 9" }, n = 1, judge = near, name = "two" })
local longer = hone.judge { id = "longer", version = "1", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do
    local a, b = #it.candidates[1], #it.candidates[2]
    out[i] = a == b and { abstain = true } or { ranking = a > b and { 1, 2 } or { 2, 1 } }
  end
  return out
end }
hone.synthesis.preference_pairs(run, { rows = rows, model = policy, n = 3, judge = longer, shape = "pairwise", sampling = sampling, name = "longer" })
""")
for which in ("wide", "turned", "every"):
    hone("run", "pairs.lua", "which=" + which, "--run-dir", which)
hone("run", "pairs.lua", "--run-dir", "pairs")


def grade(row, text):
    m = re.search(r"Answer: (-?\d+)\s*$", text)
    return max(0, 1 - abs(int(m.group(1)) - int(row["answer"])) / 10)


made, kept, settings = all_told("pairs", "pairs")
check("pairs: the better is chosen, by the margin that is told", kept and all(abs(grade(k, k["chosen"]) - grade(k, k["rejected"]) - k["margin"]) < 1e-6 and k["margin"] > 0 for k in kept))
check("pairs: one a prompt, ties are none", len(made) == 24 and {m.get("reason") for m in made} <= {None, "tie", "one answer", "unjudged"} and len({k["id"] for k in kept}) == len(kept))
_, every, _ = all_told("every", "pairs")
check("pairs: the widest of each prompt", all(abs(max(e["margin"] for e in every if e["id"] == k["id"]) - k["margin"]) < 1e-9 for k in kept) and len(every) > len(kept))
made, wide, _ = all_told("wide", "pairs")
check("pairs: a least margin", [w["id"] for w in wide] == [k["id"] for k in kept if k["margin"] >= 0.5] and any(m.get("reason") == "margin below 0.5" for m in made), len(wide))
_, turned, _ = all_told("turned", "pairs")
check("pairs: a judge turned round (a control) turns them round", [(t["id"], t["margin"]) for t in turned] == [(k["id"], k["margin"]) for k in kept] and
      all(grade(t, t["chosen"]) < grade(t, t["rejected"]) for t in turned))
made, two, settings = all_told("pairs", "two")
check("pairs of two models: who said what", two and all((t["chosen"], m["by"]) in (("Answer: 5", [1, 2]), ("Answer: 9", [2, 1])) for t, m in
                                                        zip(two, [m for m in made if m["kept"]])) and [m["id"] for m in settings["models"]] == ["Answer: 5", "Answer: 9"])
check("pairs of two models: ties are none", any(m.get("reason") == "tie" for m in made) and len(two) < 24)
_, longer, _ = all_told("pairs", "longer")
check("pairs of a judge that compares two", longer and all(len(k["chosen"]) > len(k["rejected"]) for k in longer))

# ---- a judge without a record stops the training, also where its answers are read from a run that was stopped ----
write("gate.lua", """
local hone, stories = require "hone", require "stories"
local p = hone.params { how = { "judge", "" } }
local run = hone.run { name = "gate" }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local list = {}
for i, s in ipairs(stories.list(3, "train", 12, true)) do list[i] = { prompt = s.prompt, completion = stories.completion(s, true), answer = s.answer } end
local j = hone.judge("rubric", { rubric = { id = "story", version = "1", shape = "pointwise", task = "Story problems.", criteria = { { id = "right",
  text = "Is the number after Answer: the right one?", kind = "program", weight = 4, verifier = { reward = "exact_match", prefix = "Answer:", reference = "answer" } } } } })
local o, rows = { rows = list, model = policy, n = 6, sampling = { max_tokens = 44 } }, list
if p.how == "judge" then o.judge, o.at = j, 0.5 rows = hone.synthesis.rejection_sampling(run, o):list() end
if p.how == "reward" then o.reward, o.at = hone.reward("judge", { judge = j }), 0.5 rows = hone.synthesis.rejection_sampling(run, o):list() end
if p.how == "pairs" then o.judge = j rows = hone.synthesis.preference_pairs(run, o):list() end
if p.how == "curate" then rows = hone.curate.judge(list, j, {}):list() end
print("rows", #rows)
policy:update { rows, objective = p.how == "pairs" and "simpo" or "sft" }
""")
for how in ("judge", "reward", "pairs", "curate"):
    for verb in (("run", "gate.lua", f"how={how}", "--run-dir", f"gate-{how}"), ("resume", f"gate-{how}")):
        r = subprocess.run([HONE, *verb], capture_output=True, text=True, timeout=120)
        check(f"{how}, {verb[0]}: the gate refuses", r.returncode == 3 and "rows\t" in r.stdout and "--no-gate" in r.stderr, r.stdout + r.stderr)
hone("run", "gate.lua", "how=none", "--run-dir", "gate-none")

# ---- ROUGE-L itself, and the rows go on through hone.curate with their lineage ----
write("more.lua", """
local hone, core = require "hone", require "hone.core"
local run = hone.run { name = "more", seed = 1 }
local texts, out = {}, {}
for row in hone.source("jsonl", { path = "texts.jsonl" }):each() do texts[#texts + 1] = row.t end
for i = 1, #texts do for k = 1, i do out[#out + 1] = core.rouge_l(texts[i], texts[k]) end end
run:write("rouge.json", require "hone.json".encode(out))
local rows = hone.source("jsonl", { path = "all.jsonl" })
local half, told = hone.curate.select(rows, { by = "score", top = 10 })
run:say("%d", told.kept)
""")
texts = SEEDS + EVAL + [m["text"] for m in rows_of(f"all/{R}.made.jsonl")[:40]] + ["", "a", "a a a a b", "b a a", "x" * 3000, " ".join("word%d" % (i % 90) for i in range(500))]
write("texts.jsonl", "".join(json.dumps({"t": t}) + "\n" for t in texts))
for e in ("", ".lineage"):
    shutil.copy(f"all/{R}.jsonl{e}", f"all.jsonl{e}")
hone("run", "more.lua", "--run-dir", "more")
with open("more/rouge.json") as f:
    got = json.load(f)
want = [rouge_l(texts[i], texts[k]) for i in range(len(texts)) for k in range(i + 1)]
check("ROUGE-L of all pairs as a plain table has it", len(got) == len(want) and max(abs(a - b) for a, b in zip(got, want)) < 1e-9)
write("pairs.jsonl", "".join(json.dumps({"prompt": "p", "completion": a, "answer": b}) + "\n" for a in texts for b in texts[:12] if a))
reward = [json.loads(x)["outcomes"]["rouge"] for x in hone("score", "--reward", "rouge", "--data", "pairs.jsonl", "--json").stdout.splitlines()]
want = [rouge_l(a, b) for a in texts for b in texts[:12] if a]
check("and so has the reward rouge", len(reward) == len(want) and all(r["status"] == "score" and abs(r["score"] - w) < 1e-6 for r, w in zip(reward, want)))
with sqlite3.connect("file:more/curated/01-select.jsonl.lineage?mode=ro", uri=True) as db:
    path, steps = db.execute("select path, steps from kept").fetchone()
check("a step behind synthesis carries its lineage on", path.endswith("rejection_sampling.made.jsonl") and
      [s["verb"] for s in json.loads(steps)] == ["synthesis.rejection_sampling", "select"], (path, steps))

# ---- bad input ----
for call, why in (("rejection_sampling(run, { rows = rows, model = m })", "judge = a judge or reward"), ("rejection_sampling({ rows = rows })", "the run is wanted first"),
                  ("rejection_sampling(run, { rows = rows, model = m, judge = j, nn = 3 })", 'did you mean "n"'), ("rejection_sampling(run, { rows = {}, model = m, judge = j })", "a row at least"),
                  ("rejection_sampling(run, { rows = rows, model = 3, judge = j })", "model is a policy"), ("rejection_sampling(run, { rows = rows, model = m, judge = j, n = 0 })", "n is a whole"),
                  ("rejection_sampling(run, { rows = rows, model = function() return { 1 } end, judge = j })", "not a text"), ("rewrite(run, { rows = rows, model = m, styles = { 'depen' } })", "no style"),
                  ("rejection_sampling(run, { rows = rows, model = function() return {} end, judge = j })", "0 answers for 1"), ("rewrite(run, { rows = rows, model = m, novelty = 2 })", "ROUGE-L"),
                  ("rewrite(run, { rows = rows, model = m, column = 'text' })", "no text in the column"), ("self_instruct(run, { model = m })", "seeds"),
                  ("self_instruct(run, { seeds = { { text = 'a' } }, model = m })", "no prompt"), ("preference_pairs(run, { rows = rows, model = m, judge = j, n = 1 })", "two answers"),
                  ("preference_pairs(run, { rows = rows, model = m, judge = j, margin = -1 })", "margin"), ("rewrite(run, { rows = rows, model = m, against = 'nix.jsonl' })", "nix.jsonl"),
                  ("rewrite(run, { rows = rows, model = m, name = '../a' })", "without its folder"), ("rewrite(run, { rows = rows, model = m, keep = 3 })", "keep = function")):
    write("bad.lua", f"""local hone = require "hone"
local run, rows = hone.run {{ name = "bad" }}, {{ {{ prompt = "p" }} }}
local function m(list) local out = {{}} for i in ipairs(list) do out[i] = "text " .. i end return out end
local j = hone.judge {{ id = "one", judge = function(items) local out = {{}} for i in ipairs(items) do out[i] = 1 end return out end }}
hone.synthesis.{call}
""")
    r = subprocess.run([HONE, "run", "bad.lua"], capture_output=True, text=True, timeout=60)
    check(f"{call} says why not", r.returncode in (1, 2, 3) and why in r.stderr, r.stderr)
for method in ("rejection", "pairs", "rewrite", "self_instruct"):
    hone("run", "synthesize", f"method={method}", "rows=12", "--dry-run")
finish()
