#!/usr/bin/env python3
"""data_curate.py - `hone data dedup|decontaminate|filter|select|split|mix`: what they keep, drop, tell and remember.

Data is made here; the shared data sets are used where they are. HONE is the program."""
import gzip
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
SHARED = pathlib.Path(os.environ.get("HONE_SHARED") or
                      os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared")).resolve()
scratch = tempfile.TemporaryDirectory()
__file__ = os.path.abspath(__file__)
os.chdir(scratch.name)
WORDS = [f"word{i:04}" for i in range(3000)]


def hone(*args, stdin=None, threads=None, code=0):
    env = {**os.environ, **({"HONE_THREADS": str(threads)} if threads else {})}
    run = subprocess.run([HONE, "data", *map(str, args)], input=stdin, capture_output=True, env=env)
    if code is not None and run.returncode != code:
        check(f"hone data {' '.join(map(str, args))}", False, f"exit {run.returncode}: {run.stderr.decode()[-400:]}")
    return run


def summary(*args, **kw):
    return json.loads(hone(*args, "--json", **kw).stdout or "{}")


def write(name, rows):
    with open(name, "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    return name


def read(name):
    with open(name) as f:
        return [json.loads(line) for line in f]


def text_of(rng, n):
    return " ".join(rng.choice(WORDS) for _ in range(n))


def kept(name):
    db = sqlite3.connect(name + ".lineage")
    rows = db.execute("select n, path, line, hash, steps from kept order by n").fetchall()
    db.close()
    return rows


# ---- dedup: the same ----
rows = [{"id": i, "text": t} for i, t in enumerate(["a  b", "a b", "A b", "c", "a b!", "c"])]
write("same.jsonl", rows)
got = summary("dedup", "same.jsonl", "--out", "u.jsonl", "--report", "u.rep")
check("the same but for blanks is kept once, the first",
      [r["id"] for r in read("u.jsonl")] == [0, 2, 3, 4] and got["exact"] == 2, got)
check("rows keep their bytes", read("u.jsonl")[0] == rows[0])
check("the report says which row stays",
      [(r["line"], r["why"], r["kept"]["line"]) for r in read("u.rep")] == [(2, "exact", 1), (6, "exact", 4)], read("u.rep"))
for how, ids in (("none", [0, 1, 2, 3, 4]), ("case", [0, 3, 4]), ("words", [0, 3])):
    hone("dedup", "same.jsonl", "--normalise", how, "--out", "u.jsonl")
    check(f"--normalise {how}", [r["id"] for r in read("u.jsonl")] == ids, [r["id"] for r in read("u.jsonl")])
write("cols.jsonl", [{"a": "x", "b": "y\nz"}, {"a": "x\ny", "b": "z"}, {"b": "y\nz", "a": "x"}])
hone("dedup", "cols.jsonl", "--columns", "a,b", "--normalise", "none", "--out", "u.jsonl")
check("where a column ends is part of what is compared, the order of keys is not", len(read("u.jsonl")) == 2)
hone("dedup", "cols.jsonl", "--columns", "a", "--out", "u.jsonl")
check("chosen columns decide", len(read("u.jsonl")) == 2)

hone("dedup", write("bare.jsonl", [{"n": 1}, {"n": 2}, {"n": 1}]), "--out", "u.jsonl")
check("rows without a text are the same when all of them is", read("u.jsonl") == [{"n": 1}, {"n": 2}])

# ---- dedup: nearly the same. Each original has edits at several rates; what is found is what the rule says ----
rng = random.Random(5)
originals, plan, rows = 60, (0.0, 0.01, 0.02, 0.1, 0.5), []
for k in range(originals):
    base = [rng.choice(WORDS) for _ in range(200)]
    for rate in plan:
        rows.append({"k": k, "rate": rate, "text": " ".join(rng.choice(WORDS) if rng.random() < rate else w for w in base)})
order = list(range(len(rows)))
rng.shuffle(order)
rows = [rows[i] for i in order]
write("near.jsonl", rows)


def shingles(text):
    w = text.split()
    return {tuple(w[i:i + 5]) for i in range(len(w) - 4)}


sets = [shingles(r["text"]) for r in rows]
alike = [(i, j) for j in range(len(rows)) for i in range(j)
         if rows[i]["k"] == rows[j]["k"] and len(sets[i] & sets[j]) >= 0.8 * len(sets[i] | sets[j])]
root = list(range(len(rows)))


def find(i):
    while root[i] != i:
        i = root[i]
    return i


for i, j in alike:
    a, b = find(i), find(j)
    root[max(a, b)] = min(a, b)
want = [i for i in range(len(rows)) if find(i) == i]
got = summary("dedup", "near.jsonl", "--near", "--columns", "text", "--out", "n.jsonl", "--report", "n.rep")
stay = [json.dumps(r) for r in read("n.jsonl")]
true = [json.dumps(rows[i]) for i in want]
dropped, should = len(rows) - len(stay), len(rows) - len(true)
wrong = [r for r in true if r not in stay]
check("near duplicates: nothing is dropped that is not like another row", not wrong, f"{len(wrong)} of {dropped}")
check("near duplicates: at least 99 % of them are found", len(set(stay) - set(true)) <= should // 100,
      f"{dropped} of {should} dropped")
check("edits of half of the words are no duplicates", sum(r["rate"] == 0.5 for r in read("n.jsonl")) == originals)
check("the report names the kind", {r["why"] for r in read("n.rep")} == {"exact", "near"} and
      got["exact"] + got["near"] == dropped == len(read("n.rep")), got)
one = open("n.jsonl", "rb").read()
hone("dedup", "near.jsonl", "--near", "--columns", "text", "--out", "n1.jsonl", threads=1)
hone("dedup", "near.jsonl", "--near", "--columns", "text", "--out", "n3.jsonl", threads=3)
check("the same bytes on 1 and 3 threads", open("n1.jsonl", "rb").read() == one == open("n3.jsonl", "rb").read())
check("the same rows from standard input to standard output",
      hone("dedup", "-", "--near", "--columns", "text", stdin=open("near.jsonl", "rb").read()).stdout == one)
run = subprocess.run(["bash", "-c", f"{HONE} data dedup <(head -100 near.jsonl) <(tail -n +101 near.jsonl) --near --columns text --out np.jsonl"],
                     capture_output=True, text=True)
check("and from pipes", run.returncode == 0 and open("np.jsonl", "rb").read() == one, run.stderr)
with gzip.open("near.jsonl.gz", "wb") as f:
    f.write(open("near.jsonl", "rb").read())
hone("dedup", "near.jsonl.gz", "--near", "--columns", "text", "--out", "nz.jsonl")
check("and from a packed file", read("nz.jsonl") == read("n.jsonl"))

# ---- decontaminate: a leak across the border of question and answer ----
question, answer = text_of(rng, 20), text_of(rng, 20)
items = [{"question": question, "answer": answer}, {"question": "alpha beta gamma", "answer": "delta epsilon zeta eta"},
         {"question": "two words", "answer": ""}]
write("eval.jsonl", items)
border = " ".join(question.split()[-7:] + answer.split()[:6])
write("train.jsonl", [{"text": text_of(rng, 30) + " " + border.upper().replace(" ", ", ") + " " + text_of(rng, 9)},
                      {"text": " ".join(border.split()[:12]) + " " + text_of(rng, 30)},
                      {"text": "so Alpha beta GAMMA: delta epsilon zeta, eta! it is"},
                      {"text": "two words"}, {"text": text_of(rng, 50)}])
got = summary("decontaminate", "train.jsonl", "--against", "eval.jsonl", "--out", "d.jsonl", "--report", "d.rep")
told = read("d.rep")
check("13 words across the border are a leak, 12 are none; a brief item is looked for as a whole",
      [r["line"] for r in told] == [1, 3] and got["kept"] == 3, got)
check("the report has the item and the words", [(r["hits"][0]["line"], r["hits"][0]["words"]) for r in told] == [(1, 13), (2, 7)] and
      told[0]["hits"][0]["text"] == border.upper().replace(" ", ", "), told)
check("items are counted", (got["items"], got["items_too_brief"], got["items_hit"]) == (3, 1, 2), got)
got = summary("decontaminate", "train.jsonl", "--against", "eval.jsonl", "--share", "0.5", "--out", "d.jsonl")
check("--share asks for more of an item", got["dropped"] == 1, got)

write("again.jsonl", [{"text": (" ".join(question.split()[:13]) + " ; ") * 20}, {"text": question}])
hone("decontaminate", "again.jsonl", "--against", "eval.jsonl", "--share", "0.2", "--out", "d.jsonl", "--report", "d.rep")
check("--share: a piece that stands there again is not another one", [r["line"] for r in read("d.rep")] == [2] and
      read("d.rep")[0]["hits"][0]["pieces"] == 8, read("d.rep"))

# ---- filter: a row for each rule that must fail by it ----
good = ("The old garden lies behind the house, and a low wall of stone keeps the wind out. In spring we have to be quick with the "
        "seeds. Roses that climb along the gate need water every evening! Who would not rest there, under the pear tree, with a book? "
        "Bees come early. By autumn most leaves are gone and the pond has turned dark, but nobody minds that at all.")
bad = {
    "gopher.min_words": "The few and the brave have to be here with that.",
    "gopher.max_hashes": good + " #" * 20,
    "gopher.max_ellipses": good.replace(".", "...") + " ... ... ... ... ...",
    "gopher.max_bullet_lines": "\n".join("\u2022 " + s + "." for s in good.split(". ")),
    "gopher.max_ellipsis_lines": "\n".join(s + "..." for s in good.split(". ")),
    "gopher.min_alphabetic": good + " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25",
    "gopher.min_stop_words": " ".join(WORDS[i] + "x" for i in range(60)),
    "gopher.max_word_length": " ".join(w + "abcdefghijklm" for w in WORDS[:60]) + " the and",
    "gopher.min_word_length": " ".join("a b the of" for _ in range(20)),
    "gopher_repetition.max_duplicate_lines": "\n".join([good.replace(". ", ".\n")] + [f"Here is line {i % 2}." for i in range(12)]),
    "gopher_repetition.max_duplicate_paragraphs": "\n\n".join([good] + ["Here is one."] * 3),
    "gopher_repetition.max_top_2gram": good + " red rose" * 40,
    "gopher_repetition.max_duplicate_5grams": good + " " + good,
    "c4.min_sentences": good[:-1].replace(".", ","),
    "c4.max_lorem_ipsum": good + " Lorem ipsum dolor it is.",
    "c4.max_curly_brackets": good + " A { bracket.",
    "fineweb.min_punctuated_lines": good[:-1].replace(". ", "\n"),
    "fineweb.max_short_lines": good + "\n" + "\n".join(f"Short line {i}." for i in range(9)),
    "fineweb.max_duplicated_chars": good + "\n" + "\n".join(["This line of the page is said again."] * 4),
    "fineweb.max_newlines": "\n".join(good.split()),
}
write("pages.jsonl", [{"text": good}] + [{"text": t} for t in bad.values()])
for want in ("gopher", "gopher_repetition", "c4", "fineweb"):
    mine = [(i + 2, k) for i, k in enumerate(bad) if k.startswith(want + ".")]
    got = summary("filter", "pages.jsonl", "--rules", want, "--out", "f.jsonl", "--report", "f.rep")
    said = {r["line"]: [x["rule"] for x in r["reasons"]] for r in read("f.rep")}
    for line, rule in mine:
        check(f"{rule} drops its row", rule in said.get(line, []), said.get(line))
    check(f"{want}: a good page stays", 1 not in said, said.get(1))
    check(f"{want}: counts agree with the report", all(got["reasons"][r] == sum(r in v for v in said.values()) for r in got["reasons"]) and
          got["dropped"] == len(said), got)
got = summary("filter", "pages.jsonl", "--rules", "gopher", "--rule", "min_words=5", "--rule", "max_hashes=off", "--out", "f.jsonl")
check("a rule's limit can be set, and a rule switched off", "gopher.min_words" not in got["reasons"] and
      "gopher.max_hashes" not in got["reasons"], got)

with open("words.txt", "w") as f:
    f.write("# a list\nBADWORD\nvery Bad phrase\n\n")
write("bad.jsonl", [{"text": good + t} for t in (" Not a badwords here.", " One badword!", " A very, bad\nphrase is there.", " Very bad indeed.")])
got = summary("filter", "bad.jsonl", "--rules", "c4", "--rule", "min_sentences=0", "--bad-words", "words.txt", "--out", "f.jsonl", "--report", "f.rep")
check("--bad-words: whole words and phrases, without case", [r["line"] for r in read("f.rep")] == [2, 3] and
      got["reasons"] == {"c4.max_bad_words": 2}, read("f.rep"))
open("words.txt", "w").write("a b c d e f g h i\n")
run = hone("filter", "bad.jsonl", "--rules", "c4", "--bad-words", "words.txt", code=1)
check("a phrase that is too long is named", "words.txt:1" in run.stderr.decode(), run.stderr)

# ---- select ----
scored = [{"i": i, "s": {"v": (i * 37) % 101 / 10}, "text": text_of(rng, 20)} for i in range(100)]
scored[3]["s"]["v"] = None
write("scored.jsonl", scored)
hone("select", "scored.jsonl", "--by", "s.v", "--top", 10, "--out", "s.jsonl")
best = sorted((r for r in scored if r["s"]["v"] is not None), key=lambda r: (-r["s"]["v"], r["i"]))[:10]
check("--top takes the best, in the order of the input", [r["i"] for r in read("s.jsonl")] == sorted(r["i"] for r in best))
hone("select", "scored.jsonl", "--by", "s.v", "--top", 10, "--lowest", "--out", "s.jsonl")
check("--lowest takes the other end", {r["i"] for r in read("s.jsonl")} ==
      {r["i"] for r in sorted((r for r in scored if r["s"]["v"] is not None), key=lambda r: (r["s"]["v"], r["i"]))[:10]})
got = summary("select", "scored.jsonl", "--by", "s.v", "--min", 5, "--max", 7, "--out", "s.jsonl")
check("--min and --max", {r["i"] for r in read("s.jsonl")} == {r["i"] for r in scored if 5 <= (r["s"]["v"] or -1) <= 7} and got["scored"] == 99)
groups = [{"g": g, "text": " ".join(f"{g}w{k}" for k in range(30)) + f" end{j}"} for g in range(8) for j in range(12)]
write("groups.jsonl", groups)
got = summary("select", "groups.jsonl", "--diverse", 8, "--columns", "text", "--out", "s.jsonl")
check("--diverse takes one of each heap", sorted(r["g"] for r in read("s.jsonl")) == list(range(8)), got)
write("points.jsonl", [{"e": [1, 0.1 * k]} for k in range(5)] + [{"e": [-1, 0.01]}])
hone("select", "points.jsonl", "--diverse", 2, "--embedding", "e", "--out", "s.jsonl")
check("--embedding: the other way is the farthest", [r["e"][0] for r in read("s.jsonl")] == [1, -1])

hone("select", "scored.jsonl", "--by", "s.v", "--top", 3, "--as", "points", "--out", "s.jsonl")
check("--as writes the score behind the other columns", all(r["points"] == r["s"]["v"] and list(r)[-1] == "points" for r in read("s.jsonl")))
run = hone("select", "scored.jsonl", "--by", "s.v", "--top", 3, "--as", "text", "--out", "s2.jsonl", code=1)
check("a column that is there is not written twice", "already" in run.stderr.decode() and not os.path.exists("s2.jsonl"), run.stderr)

# ---- select by what a judge said ----
with open("length.lua", "w") as f:
    f.write("""local hone = require "hone"
return hone.judge { id = "length", judge = function(items)
    local out = {}
    for i, it in ipairs(items) do out[i] = { score = #it.candidates[1] } end
    return out
  end, spec = function() return '{"rubric":{"id":"length","hash":"h"}}' end }
""")
answers = [{"id": f"r{i}", "prompt": "p", "completion": "x" * ((i * 7) % 23 + 1)} for i in range(23)] + [{"prompt": "q", "completion": "y" * 40}]
write("answers.jsonl", answers)
subprocess.run([HONE, "judge", "run", "--judge", "length.lua", "--items", "answers.jsonl", "--store", "j.sqlite", "--repeats", "2",
                "--out", "v.jsonl"], check=True, capture_output=True)
answers[4]["completion"] += " changed since"  # what was said was said of another text
write("answers.jsonl", answers)
got = summary("select", "answers.jsonl", "--verdicts", "j.sqlite", "--top", 5, "--out", "s.jsonl")
best = sorted((r for i, r in enumerate(answers) if i != 4), key=lambda r: -len(r["completion"]))[:5]
check("--verdicts: the best by the judge; a row that was not judged has no score",
      sorted(map(json.dumps, read("s.jsonl"))) == sorted(map(json.dumps, best)) and got["scored"] == 23 and got["most"] == 40, got)
run = hone("select", "answers.jsonl", "--verdicts", "j.sqlite", "--judge", "zz", "--top", 1, code=1)
check("an unknown judge is named", "zz" in run.stderr.decode(), run.stderr)

# ---- select by IFD: the ratio of perplexities that `hone model logprobs` gives ----


def tool(*args, stdin=None):
    return json.loads(subprocess.run([HONE, *args], input=stdin, capture_output=True, text=True, check=True).stdout)


def nll(ids, first):
    logp = tool("model", "logprobs", "tiny", "--ids", ",".join(map(str, ids)), "--json")["logprobs"]
    return -sum(logp[i - 1] for i in range(first, len(ids)))


if subprocess.run([HONE, "model", "info", "tiny"], capture_output=True).returncode:
    skip("IFD", "no model tiny", 2)
else:
    pairs = [("Leo has a red ball. Where is it?", "The ball is in the garden."), ("Mia went to", "the park with her dog, and they played all day."),
             ("x", "")]
    write("pairs.jsonl", [{"q": q, "a": a} for q, a in pairs])
    got = summary("select", "pairs.jsonl", "--ifd", "tiny", "--question", "q", "--answer", "a", "--raw", "--as", "ifd", "--out", "s.jsonl")
    wrong = []
    for (q, a), r in zip(pairs, read("s.jsonl")):
        ids = [tool("tokenize", "tiny", "--whole", "--json", *add, stdin=t)["ids"] for t, add in ((q, ["--add"]), (a, []), ("", ["--add"]))]
        begin, first = ids[2], 0 if ids[2] else 1
        want = 2.718281828459045 ** ((nll(ids[0] + ids[1], len(ids[0]) + first) - nll(begin + ids[1], len(begin) + first)) / (len(ids[1]) - first))
        if abs(r["ifd"] / want - 1) > 1e-5:
            wrong.append((q, r["ifd"], want))
    check("IFD is the ratio of the answer's perplexities", not wrong and len(read("s.jsonl")) == 2, wrong)
    check("an empty answer has none", got["scored"] == 2 and got["dropped"] == 1, got)

# ---- split ----
people = [{"user": f"u{i % 50}", "text": text_of(rng, 8)} for i in range(1000)]
write("people.jsonl", people)
split = ("--group", "user", "--into", "tr.jsonl=0.7", "--into", "te.jsonl=0.3")
hone("split", "people.jsonl", *split)
tr, te = read("tr.jsonl"), read("te.jsonl")
side = {r["user"]: "tr" for r in tr} | {r["user"]: "te" for r in te}
check("every row is somewhere, no group on both sides", len(tr) + len(te) == 1000 and
      not {r["user"] for r in tr} & {r["user"] for r in te} and 0 < len(te) < 600, (len(tr), len(te)))
write("people.jsonl", [{"user": "new", "text": "x"}] + people[::-1] + [{"user": f"v{i}", "text": "y"} for i in range(100)])
hone("split", "people.jsonl", *split)
check("rows that are added move none", all(side.get(r["user"], "tr") == "tr" for r in read("tr.jsonl")) and
      all(side.get(r["user"], "te") == "te" for r in read("te.jsonl")))
hone("split", "near.jsonl", "--near", "--columns", "text", "--into", "tr.jsonl=0.5", "--into", "te.jsonl=0.5")
a, b = read("tr.jsonl"), read("te.jsonl")
where = {json.dumps(r): "tr" for r in a} | {json.dumps(r): "te" for r in b}
check("--near: rows that are alike are on one side", len(a) + len(b) == len(rows) and len(b) > 30 and
      all(where[json.dumps(rows[i])] == where[json.dumps(rows[j])] for i, j in alike))
hone("split", "people.jsonl", "--into", "tr.jsonl=0.25")
check("shares below 1 leave the rest out", 150 < len(read("tr.jsonl")) < 400, len(read("tr.jsonl")))

# ---- mix ----
write("m1.jsonl", [{"f": 1, "i": i} for i in range(3000)])
write("m2.jsonl", [{"f": 2, "i": i} for i in range(3000)])
hone("mix", "m1.jsonl=0.8", "m2.jsonl=0.2", "--count", 2000, "--out", "m.jsonl")
m = read("m.jsonl")
n1 = sum(r["f"] == 1 for r in m)
check("weights", abs(n1 - 1600) < 90, n1)
check("each file's rows keep their order", all([r["i"] for r in m if r["f"] == f] == list(range(sum(r["f"] == f for r in m))) for f in (1, 2)))
hone("mix", "m1.jsonl=0.8", "m2.jsonl=0.2", "--count", 500, "--out", "m5.jsonl")
check("a shorter mixture is the beginning of a longer one", read("m5.jsonl") == m[:500])
hone("mix", "m1.jsonl=0.8", "m2.jsonl=0.2", "--out", "m.jsonl")
check("without a count every row comes once", sorted((r["f"], r["i"]) for r in read("m.jsonl")) ==
      sorted((f, i) for f in (1, 2) for i in range(3000)))
write("m3.jsonl", [{"f": 3, "i": i} for i in range(7)])
hone("mix", "m1.jsonl=0.5", "m3.jsonl=0.5", "--count", 400, "--repeat", "--out", "m.jsonl")
threes = [r["i"] for r in read("m.jsonl") if r["f"] == 3]
check("--repeat begins a file anew", len(threes) > 150 and threes == [i % 7 for i in range(len(threes))], len(threes))

write("m4.jsonl", [{"f": 4, "text": "x" * (50 + i % 300)} for i in range(3000)])
got = summary("mix", "m1.jsonl=0.5", "m4.jsonl=0.5", "--by-bytes", "--count", 3000, "--repeat", "--out", "m.jsonl")
part = got["bytes"]["m4.jsonl"] / sum(got["bytes"].values())
check("--by-bytes: shares of bytes", abs(part - 0.5) < 0.03 and got["files"]["m1.jsonl"] > 5 * got["files"]["m4.jsonl"], got)
hone("filter", "m.jsonl", "--rule", "min_words=0", "--out", "m.jsonl")  # the input may be the output
check("a file may take its own place", len(read("m.jsonl")) == 3000 and kept("m.jsonl")[0][4].count("verb") == 2)

# ---- lineage: through three steps back to the first files ----
write("l0.jsonl", [{"text": text_of(rng, 12)} for _ in range(300)])
write("l9.jsonl", [{"text": text_of(rng, 12)} for _ in range(100)] + read("l0.jsonl")[:50])
hone("dedup", "l0.jsonl", "l9.jsonl", "--out", "l1.jsonl")
hone("split", "l1.jsonl", "--into", "l2.jsonl=0.8", "--into", "l3.jsonl=0.2")
os.remove("l1.jsonl")
hone("mix", "l2.jsonl=0.5", "l3.jsonl=0.5", "--out", "l4.jsonl")
first = {name: open(name).read().split("\n") for name in ("l0.jsonl", "l9.jsonl")}
final = open("l4.jsonl").read().split("\n")
told = kept("l4.jsonl")
check("lineage names the first file and line of every row", len(told) == len(final) - 1 == 400 and
      all(first[path][line - 1] == final[n - 1] for n, path, line, _, _ in told))
check("and every step", {tuple(s["verb"] for s in json.loads(r[4])) for r in told} == {("dedup", "split", "mix")})

lines = open("l4.jsonl").read().split("\n")
open("l4.jsonl", "w").write("\n".join(lines[1:2] + lines[0:1] + lines[2:]))
run = hone("filter", "l4.jsonl", "--rule", "min_words=1", "--out", "l5.jsonl", code=1)
check("a file that was changed behind its lineage is found out", "another one" in run.stderr.decode() and not os.path.exists("l5.jsonl"), run.stderr)
hone("filter", "l4.jsonl", "--rule", "min_words=1", "--no-lineage", "--out", "l5.jsonl")

# ---- bad input ----
for name, text, why in (("bad1.jsonl", '{"a":1}\n{"a":\n', "bad1.jsonl:2"), ("bad2.jsonl", '{"a":"\xff"}\n', "UTF-8"),
                        ("bad3.jsonl", '{"a":"x","a":"y"}\n', "twice"), ("bad4.jsonl", "[1]\n", "object")):
    with open(name, "w", encoding="latin-1") as f:
        f.write(text)
    run = hone("dedup", name, "--out", "x.jsonl", code=1)
    check(f"{name} is refused with its place", why in run.stderr.decode() and not os.path.exists("x.jsonl"), run.stderr.decode())
    check(f"{name} can be left out", summary("filter", name, "--skip-bad", "--out", "x.jsonl").get("malformed") == 1)
    os.remove("x.jsonl")
for args, why in ((("dedup", "none.jsonl"), "none.jsonl"), (("filter", "same.jsonl", "--rule", "min_wrods=3"), "min_words"),
                  (("split", "same.jsonl", "--into", "a=0.7", "--into", "b=0.7"), "more than 1"),
                  (("select", "same.jsonl", "--top", "3"), "--by"), (("dedup", "same.jsonl", "--columns", "nix"), "nix"),
                  (("mix", "same.jsonl=x"), "WEIGHT"), (("decontaminate", "same.jsonl"), "--against")):
    run = hone(*args, code=None)
    check(f"{' '.join(args)} says why not", run.returncode in (1, 2) and why in run.stderr.decode(), run.stderr.decode())

# ---- the examples of docs/data.md ----
docs = open(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "data.md"), encoding="utf-8").read()
block = [line.strip() for line in docs.split("## Curating data")[1].split("## ")[0].split("\n") if line.startswith("    hone data ")]
write("raw.jsonl", [{"text": good + " " + text_of(rng, 60)} for _ in range(80)] * 2)
write("chat.jsonl", [{"messages": [{"role": "user", "content": text_of(rng, 9)}]} for _ in range(30)])
check("there are examples", len(block) > 4, block)
for line in block:
    hone(*line.split()[2:])
    check(f"docs/data.md: {line}", True)

# ---- real data ----
train, test = SHARED / "assets/data/gsm8k/train.jsonl", SHARED / "assets/data/gsm8k/test.jsonl"
if not train.exists():
    skip("GSM8K", "no shared data", 3)
else:
    leaked = read(test)[:40]
    with open("leaky.jsonl", "wb") as f:
        f.write(open(train, "rb").read() + b"".join(json.dumps(r).encode() + b"\n" for r in leaked))
    clean = summary("decontaminate", train, "--against", test, "--out", "g.jsonl")
    got = summary("decontaminate", "leaky.jsonl", "--against", test, "--out", "g2.jsonl")
    check("GSM8K: every planted test row is found", got["dropped"] == clean["dropped"] + 40, (clean, got))
    check("GSM8K: few rows of the train set are like the test set", clean["dropped"] < 30, clean)
    hone("dedup", train, train, "--out", "g.jsonl")
    check("GSM8K twice is GSM8K", open("g.jsonl", "rb").read() == open(train, "rb").read())
finish()
