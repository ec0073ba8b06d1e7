"""curate_recipe.py - hone.curate: the steps of `hone data` in a recipe give the command's bytes, counts, reports and lineage; what a
resumed run finds is taken; a step of the recipe's own and a judge leave rows out with reasons; bad input says what is wrong."""
import json
import os
import random
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


def read(path):
    with open(path, "rb") as f:
        return f.read()


def rows_of(path):
    return [json.loads(line) for line in read(path).splitlines()]


def kept(path):
    with sqlite3.connect(f"file:{path}.lineage?mode=ro", uri=True) as db:
        return db.execute("select path, line, steps from kept order by n").fetchall()


rng = random.Random(5)
words = [f"w{i}" for i in range(300)]
texts = [" ".join(rng.choice(words) for _ in range(rng.randint(20, 60))) for _ in range(300)]
rows = [{"id": i, "text": t, "score": rng.random()} for i, t in enumerate(texts)]
for i in range(0, 60, 2):  # copies, and copies of which a word was changed
    near = texts[i].split()
    near[len(near) // 2] = "other"
    rows.append({"id": 300 + i, "text": texts[i] if i % 4 else " ".join(near), "score": 2 + i})
rng.shuffle(rows)
evals = [{"question": " ".join(texts[i].split()[3:18])} for i in range(100, 110)]
for name, list_ in (("raw.jsonl", rows), ("eval.jsonl", evals)):
    with open(name, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r) + "\n" for r in list_)

RECIPE = """
local hone = require "hone"
local p = hone.params { stop = { false, "fail behind the steps" } }
local run = hone.run { name = "curated", seed = 1 }
local json = require "hone.json"
local told = {}
local rows = hone.source("jsonl", { path = "raw.jsonl" })
rows, told.dedup = hone.curate.dedup(rows, { near = true, columns = "text" })
rows, told.leaks = hone.curate.decontaminate(rows, { against = "eval.jsonl", columns = "text" })
rows, told.filter = hone.curate.filter(rows, { rules = { "gopher" }, limits = { min_words = 25, min_word_length = false, min_stop_words = false }, columns = "text" })
rows, told.select = hone.curate.select(rows, { by = "score", top = 100 })
local parts
parts, told.split = hone.curate.split(rows, { into = { test = 0.3, train = 0.7 }, group = "text", seed = 3 })
local mixed
mixed, told.mix = hone.curate.mix({ parts.train, parts.test }, { weights = { 0.5, 0.5 }, count = 120, repeat_ = true })
local even
even, told.even = hone.curate.keep(rows, function(row) return row.id % 2 == 0 or nil, "odd" end, { name = "even", step = "even" })
local j = hone.judge { id = "short", version = "1", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do out[i] = #it.candidates[1] < 200 and 1 or 0 end
  return out
end }
local mapped = hone.source("jsonl", { path = "raw.jsonl" }):map(function(r) return { prompt = "p" .. r.id, completion = r.text } end)
local judged
judged, told.judged = hone.curate.judge(mapped, j, { at = 0.5, as = "short" })
run:write("told.json", json.encode(told))
if p.stop then error("stopped", 0) end
run:say("%d rows", even:count() or #even:list())
"""
with open("c.lua", "w") as f:
    f.write(RECIPE)
hone("run", "c.lua", "--run-dir", "r")
told = json.loads(read("r/told.json"))
C = "r/curated/"


def command(verb, *args):
    r = hone("data", verb, *args, "--json")
    return json.loads(r.stdout)


# ---- the same bytes as the command, step by step ----
def same(what, path, out):
    check(f"{what}: the command's bytes", read(path) == read(out), f"{len(read(path))} {len(read(out))}")


got = command("dedup", "raw.jsonl", "--near", "--columns", "text", "--out", "d1.jsonl", "--report", "d1.rep")
same("dedup", C + "01-dedup.jsonl", "d1.jsonl")
plain = [[{**r, "file": os.path.basename(r["file"])} for r in rows_of(f)] for f in (C + "01-dedup.report.jsonl", "d1.rep")]
check("dedup: the command's report", plain[0] == plain[1] and len(plain[0]) == got["exact"] + got["near"], plain)
check("dedup: the command's counts", all(told["dedup"][k] == v for k, v in got.items() if k != "step"), (told["dedup"], got))
check("and there was something to find", got["exact"] >= 10 and got["near"] >= 5, got)
got = command("decontaminate", "d1.jsonl", "--against", "eval.jsonl", "--columns", "text", "--out", "d2.jsonl", "--report", "d2.rep")
same("decontaminate", C + "02-decontaminate.jsonl", "d2.jsonl")
check("decontaminate finds the planted", told["leaks"]["dropped"] == got["dropped"] == 10 and told["leaks"]["items_hit"] == 10, told["leaks"])
got = command("filter", "d2.jsonl", "--rules", "gopher", "--rule", "min_words=25", "--rule", "min_word_length=off", "--rule", "min_stop_words=off", "--columns", "text", "--out",
              "d3.jsonl", "--report", "d3.rep")
same("filter", C + "03-filter.jsonl", "d3.jsonl")
check("filter: the command's reasons", told["filter"]["reasons"] == got["reasons"] and got["dropped"] > 0, (told["filter"], got))
command("select", "d3.jsonl", "--by", "score", "--top", 100, "--out", "d4.jsonl")
same("select", C + "04-select.jsonl", "d4.jsonl")
command("split", "d4.jsonl", "--group", "text", "--seed", 3, "--into", "te.jsonl=0.3", "--into", "tr.jsonl=0.7")
same("split", C + "05-split-train.jsonl", "tr.jsonl")
same("split's other part", C + "05-split-test.jsonl", "te.jsonl")
command("mix", "tr.jsonl=0.5", "te.jsonl=0.5", "--count", 120, "--repeat", "--out", "m.jsonl")
same("mix", C + "06-mix.jsonl", "m.jsonl")

# ---- lineage reaches the first file, through every step ----
lines = read("raw.jsonl").splitlines()
chain = kept(C + "05-split-train.jsonl")
check("every kept row names the line it came from", all(path.endswith("raw.jsonl") and lines[n - 1] == row for (path, n, _), row in
                                                        zip(chain, read(C + "05-split-train.jsonl").splitlines())), chain[:2])
check("and all steps", [s["verb"] for s in json.loads(chain[0][2])] == ["dedup", "decontaminate", "filter", "select", "split"], chain[0][2])

# ---- the recipe's own step, and a judge ----
even = rows_of(C + "even.jsonl")
check("keep: what the function said", even and all(r["id"] % 2 == 0 for r in even) and told["even"]["reasons"] == {"odd": 100 - len(even)}, told["even"])
check("keep: with lineage", [s["verb"] for s in json.loads(kept(C + "even.jsonl")[0][2])][-2:] == ["select", "even"])
report = rows_of(C + "even.report.jsonl")
check("keep: each row left out has its reason", len(report) == 100 - len(even) and {r["reason"] for r in report} == {"odd"}, report[:1])
judged = rows_of(told["judged"]["report"].replace(".report", ""))
want = [r for r in rows if len(r["text"]) < 200]
check("judge: those it gives enough", [r["completion"] for r in judged] == [r["text"] for r in want] and all(r["short"] == 1 for r in judged), len(judged))
step = json.loads(kept(told["judged"]["report"].replace(".report", ""))[0][2])[-1]
check("judge: the lineage has its hash", step["verb"] == "judge" and len(step["settings"]["judge"]) == 64 and step["settings"]["at"] == 0.5, step)

# ---- again: the same bytes; resumed: what is there is taken ----
hone("run", "c.lua", "--run-dir", "again")
for name in ("04-select.jsonl", "05-split-train.jsonl", "06-mix.jsonl", "even.jsonl"):
    same(f"again, {name}", C + name, f"again/curated/{name}")
hone("run", "c.lua", "stop=true", "--run-dir", "cut", code=1)
before = {n: os.stat(f"cut/curated/{n}").st_mtime_ns for n in os.listdir("cut/curated") if n.endswith(".jsonl") and "-" in n}
told_before = read("cut/told.json")
os.remove("cut/curated/06-mix.jsonl")
hone("resume", "cut", code=1)
after = {n: os.stat(f"cut/curated/{n}").st_mtime_ns for n in os.listdir("cut/curated")}
check("resumed: steps whose input is the same are not done again", all(after[n] == t for n, t in before.items() if n != "06-mix.jsonl"),
      [n for n, t in before.items() if after.get(n) != t])
same("resumed: what is gone is made again", "cut/curated/06-mix.jsonl", C + "06-mix.jsonl")
check("resumed: the same counts", read("cut/told.json") == told_before)
hone("run", "c.lua", "--dry-run")

# ---- bad input ----
for call, why in (('hone.curate.dedup("raw.jsonl", { thresold = 1 })', "threshold"), ('hone.curate.dedup("raw.jsonl", { threshold = 2 })', "at most 1"),
                  ('hone.curate.dedup("nix.jsonl")', "nix.jsonl"), ('hone.curate.dedup(7)', "number"), ('hone.curate.dedup({})', "no rows"),
                  ('hone.curate.dedup("raw.jsonl", { columns = "nix" })', "nix"), ('hone.curate.dedup("raw.jsonl", { name = "../x" })', "folder"),
                  ('hone.curate.decontaminate("raw.jsonl", {})', "against"), ('hone.curate.decontaminate("raw.jsonl", { against = "eval.jsonl", ngram = 0 })', "ngram"),
                  ('hone.curate.filter("raw.jsonl", { limits = { min_wrods = 1 } })', "min_words"), ('hone.curate.select("raw.jsonl", {})', "by, ifd"),
                  ('hone.curate.select("raw.jsonl", { by = "score" })', "top"), ('hone.curate.select("raw.jsonl", { ifd = 3, top = 1 })', "policy"),
                  ('hone.curate.split("raw.jsonl", { into = { a = 0.7, b = 0.7 } })', "more than 1"), ('hone.curate.split("raw.jsonl")', "into"),
                  ('hone.curate.mix({ "raw.jsonl" }, { weights = { 1, 2 } })', "weights"), ('hone.curate.mix("raw.jsonl")', "list"),
                  ('hone.curate.keep("raw.jsonl", 3)', "function"), ('hone.curate.dedup("/etc/passwd")', "may not read")):
    with open("bad.lua", "w") as f:
        f.write(f'local hone = require "hone"\nhone.run {{ name = "bad" }}\n{call}\n')
    r = subprocess.run([HONE, "run", "bad.lua"], capture_output=True, text=True, timeout=60)
    check(f"{call} says why not", r.returncode in (1, 2, 3) and why in r.stderr, r.stderr)
with open("bad.lua", "w") as f:
    f.write('local hone = require "hone"\nhone.curate.dedup({ { a = "b" } })\n')
r = subprocess.run([HONE, "run", "bad.lua"], capture_output=True, text=True, timeout=60)
check("without a run it says so", r.returncode == 1 and "hone.run first" in r.stderr, r.stderr)
finish()
