#!/usr/bin/env python3
"""judge_stats.py - hone.stats from a recipe, against the same figures computed here.

A recipe reads rows, computes and prints JSON; the definitions are written out below in plain Python. Then what is said about
lists that are none, and that the example of docs/recipes.md runs."""
import itertools
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-stats-")
work = pathlib.Path(scratch.name)


def recipe(body):
    (work / "r.lua").write_text('local hone = require "hone"\nlocal s = hone.stats\n' + body)
    return subprocess.run([HONE, "run", "r.lua"], capture_output=True, text=True, cwd=work, timeout=300)


def lua(v):
    if isinstance(v, (list, tuple)):
        return "{" + ",".join(lua(x) for x in v) + "}"
    return "false" if v is None else json.dumps(v)


def figures(body, names):
    """Runs `name = expression` lines, gives {name: (value, lo, hi, n)}; None for what is absent."""
    out = "".join(f"print({name!r}, f({expr}))\n" for name, expr in names.items())
    r = recipe("local function g(x) return x and string.format('%.17g', x) or 'none' end\n"
               "local function f(x) return g(x.value), g(x.lo), g(x.hi), x.n, x.why or '' end\n" + body + out)
    if r.returncode:
        print(r.stdout, r.stderr)
    rows = [line.split("\t") for line in r.stdout.splitlines() if "\t" in line]
    return {k: [None if c == "none" else float(c) for c in cells[:4]] + cells[4:] for k, *cells in rows}


def near(name, got, want, slack=1e-9):
    check(name, got is not None and abs(got - want) <= slack, f"{got}, wanted {want}")


rng = random.Random(7)
N, RATERS = 60, 3
truth = [rng.choice([1, 2, 3, 4, 5]) for _ in range(N)]
ratings = [[None if rng.random() < .15 else min(5, max(1, t + rng.choice([-1, 0, 0, 0, 1]))) for _ in range(RATERS)]
           for t in truth]
prompt = [f"p{i // 3}" for i in range(N)]


def kappa(pairs_of):
    off = chance = 0
    for a, b in pairs_of:
        both = [(r[a], r[b]) for r in ratings if r[a] is not None and r[b] is not None]
        off += sum((x - y) ** 2 for x, y in both)
        chance += sum((x - y) ** 2 for x, _ in both for _, y in both) / len(both)
    return 1 - off / chance


def alpha_ordinal():
    units = [[v for v in r if v is not None] for r in ratings]
    units = [u for u in units if len(u) > 1]
    count = {c: sum(u.count(c) for u in units) for c in range(1, 6)}
    n = sum(count.values())

    def d(c, k):
        c, k = min(c, k), max(c, k)
        return (sum(count[g] for g in range(c, k + 1)) - (count[c] + count[k]) / 2) ** 2
    do = sum(d(a, b) / (len(u) - 1) for u in units for a, b in itertools.permutations(u, 2)) / n
    de = sum(count[c] * count[k] * d(c, k) for c in count for k in count) / (n * (n - 1))
    return 1 - do / de


x = [rng.gauss(0, 1) for _ in range(N)]
y = [a + rng.gauss(0, 1) for a in x]


def tau(pairs):
    pairs = list(pairs)
    return sum(1 if (x[i] - x[j]) * (y[i] - y[j]) > 0 else -1 for i, j in pairs) / len(pairs)


all_pairs = list(itertools.combinations(range(N), 2))
within = [(i, j) for i, j in all_pairs if prompt[i] == prompt[j]]
data = (f"local r, p, x, y = {lua(ratings)}, {lua(prompt)}, {lua(x)}, {lua(y)}\n"
        "local o = { cluster = p, levels = { 1, 2, 3, 4, 5 } }\n"
        "local function with(t) local c = {} for k, v in pairs(o) do c[k] = v end for k, v in pairs(t) do c[k] = v end return c end\n")
labels = [int(rng.random() < .4) for _ in range(N)]
judge = [v if rng.random() < .85 else 1 - v for v in labels]
more = [int(rng.random() < .5) for _ in range(400)]
data += f"local e, j, m = {lua(labels)}, {lua(judge)}, {lua(more)}\n"
got = figures(data, {
    "kappa": "s.kappa(r, o)", "one": "s.kappa(r, with { one = 3 })", "less": "s.kappa(r, with { one = 3, difference = true })",
    "alpha": "s.alpha(r, o)", "tau": "s.tau_b(x, y, { cluster = p })", "tau within": "s.tau_b(x, y, { within = p })",
    "pairs": "s.pairwise_accuracy(x, y, { within = p, ties = 'half' })", "mean": "s.mean(x, { cluster = p })",
    "difference": "s.difference(y, x, { cluster = p })", "drawn": "s.difference(y, x, { cluster = p, replicates = 500 })",
    "again": "s.difference(y, x, { cluster = p, replicates = 500 })", "share": "s.share(e, { cluster = p })",
    "prevalence": "s.prevalence { judge = j, expert = e, more = m }", "ppi": "s.ppi { judge = j, expert = e, more = m }",
    "tpr": "s.confusion(j, e).tpr", "brier": "s.calibration(j, e).brier", "plain": "s.mean(x, { interval = false })",
    "median": "s.bootstrap(x, function(l) table.sort(l) return l[30] end, { cluster = p, replicates = 200 })",
    "nothing": "s.kappa({})", "constant": "s.kappa({ { 3, 3 }, { 3, 3 } })"})
near("kappa", got["kappa"][0], kappa([(0, 1), (0, 2), (1, 2)]))
near("kappa of one column", got["one"][0], kappa([(0, 2), (1, 2)]))
shared = [r for r in ratings if None not in r]
keep, ratings[:] = ratings[:], shared
near("difference of kappas", got["less"][0], kappa([(0, 2), (1, 2)]) - kappa([(0, 1)]))
ratings[:] = keep
near("alpha", got["alpha"][0], alpha_ordinal())
near("tau-b", got["tau"][0], tau(all_pairs))
near("tau-b within", got["tau within"][0], tau(within))
near("pairwise accuracy", got["pairs"][0], (tau(within) + 1) / 2)
mean = sum(x) / N
near("mean", got["mean"][0], mean)
# Student's t over prompts of equal size: the textbook interval of their means
means = [sum(x[i:i + 3]) / 3 for i in range(0, N, 3)]
half = 2.093024054408263 * math.sqrt(sum((v - mean) ** 2 for v in means) / 19 / 20)
near("mean, lower end", got["mean"][1], mean - half)
near("mean, upper end", got["mean"][2], mean + half)
near("difference", got["difference"][0], sum(b - a for a, b in zip(x, y)) / N)
check("drawn again, the same bits", got["drawn"] == got["again"], f"{got['drawn']} {got['again']}")
check("bootstrap-t is another interval", got["drawn"][1] != got["difference"][1] and got["drawn"][1] < got["drawn"][0] < got["drawn"][2], got["drawn"])
tp = sum(a and b for a, b in zip(judge, labels))
tn = sum(not a and not b for a, b in zip(judge, labels))
q1, q0, p1 = tp / sum(labels), tn / (N - sum(labels)), sum(more) / len(more)
near("prevalence", got["prevalence"][0], (p1 + q0 - 1) / (q0 + q1 - 1))
near("tpr", got["tpr"][0], q1)
my, mf = sum(labels) / N, sum(judge) / N
lam = sum((a - my) * (b - mf) for a, b in zip(labels, judge)) / ((1 + N / 400) * sum((b - mf) ** 2 for b in judge))
near("ppi", got["ppi"][0], lam * p1 + my - lam * mf)
near("brier", got["brier"][0], sum((a - b) ** 2 for a, b in zip(judge, labels)) / N)
near("share", got["share"][0], my)
near("a bootstrapped median", got["median"][0], sorted(x)[29])
check("its interval", got["median"][1] < got["median"][0] < got["median"][2], got["median"])
check("no interval wanted", got["plain"][1] is None and got["plain"][2] is None, got["plain"])
check("no ratings", got["nothing"][0] is None and "no ratings" in got["nothing"][4], got["nothing"])
check("constant ratings", got["constant"][0] is None and "the same" in got["constant"][4], got["constant"])

# ---- reliability: the analysis of variance written out ----
scores = [[rng.gauss(g, 1) for _ in range(3)] for _ in range(12) for g in (0, 1, 2, 3)]
group = [i // 4 for i in range(48)]
r = recipe(f"local m = s.reliability({lua(scores)}, {lua(group)})\n"
           "print(string.format('%.17g %.17g %.17g', m.rho.value, m.flip, m.repeats_needed['0.9']))\nprint(m.rho, m.tie_share)\n")
msb = mse = 0.0
for p in range(12):
    of = [sum(v) / 3 for v in scores[4 * p:4 * p + 4]]
    msb += sum(3 * (v - sum(of) / 4) ** 2 for v in of) / 36
    mse += sum((v - m) ** 2 for row, m in zip(scores[4 * p:4 * p + 4], of) for v in row) / 96
cells = r.stdout.split()
near("rho", float(cells[0]), (msb - mse) / msb)
near("flip", float(cells[1]), math.acos((msb - mse) / msb) / math.pi)
check("repeats needed", float(cells[2]) == math.ceil(9 * mse / ((msb - mse) / 3)), r.stdout)
check("a figure is shown with its interval", re.search(r"0\.\d{3} \[\S+, \S+\] \(n = 48\)", r.stdout), r.stdout)

# ---- strengths, the alternative annotator ----
r = recipe("local b = s.bradley_terry({ { a = 'x', b = 'y', wins_a = 30, wins_b = 10 } }, { ridge = 1e-6 })\n"
           "print(string.format('%.9f', b.strength.x - b.strength.y), b.parts)\n"
           "print(s.bradley_terry({}).why)\n")
cells = r.stdout.split()
near("two players", float(cells[0]), math.log(3), 1e-5)
check("no matches", "no match was played" in r.stdout, r.stdout)
rows = [[t if rng.random() < .9 else 1 - t for _ in range(4)] for t in (rng.randrange(2) for _ in range(120))]
r = recipe(f"local t = s.alt_test({lua(rows)}, 4)\nprint(t.passed, t.experts, t.p[4])\nprint(s.alt_test({{ {{ 1, 1, 1, 1 }} }}, 4).why)\n")
check("the alternative annotator passes", r.stdout.startswith("true\t3\t1.0"), r.stdout)
check("too few items", "30 items" in r.stdout, r.stdout)

# ---- what is no data ----
for name, body, want in [
        ("rows that are numbers", "s.kappa { 1, 2 }", "ratings[1]"), ("true", "s.share { true }", "true is no number"),
        ("text", "s.mean { 'a' }", "x[1]: a number"), ("lengths", "s.tau_b({ 1 }, { 1, 2 })", "1 are wanted"),
        ("clusters", "s.mean({ 1, 2 }, { cluster = { 1 } })", "cluster"), ("weights", "s.kappa({}, { weights = 'cubic' })", "weights"),
        ("kind", "s.agreement({}, 'kippa')", "kippa"), ("column", "s.kappa({ { 1, 2 } }, { one = 3 })", "one"),
        ("level", "s.mean({ 1 }, { level = 2 })", "level"), ("epsilon", "s.pairwise_accuracy({ 1 }, { 1 }, { epsilon = -1 })", "epsilon"),
        ("self", "s.bradley_terry { { a = 'x', b = 'x' } }", "match 0"), ("replicates", "s.mean({ 1 }, { replicates = 1e9 })", "replicates")]:
    r = recipe(body)
    check(f"refused: {name}", r.returncode != 0 and want in r.stderr + r.stdout, r.stderr)
odd = "{ 1/0, 2, 3, 4, 5, 6 }"
for call in (f"s.mean({odd})", f"s.share({odd})", f"s.tau_b({odd}, {odd})", f"s.spearman({odd}, {odd})",
             f"s.kappa {{ {odd}, {odd} }}", f"s.icc {{ {odd}, {odd} }}", f"s.ppi {{ judge = {odd}, expert = {odd} }}"):
    r = recipe(f"local f = {call}\nprint(f.value, f.why)\n")
    check(f"infinite: {call}", "nil\t" in r.stdout and "infinite" in r.stdout, r.stdout + r.stderr)

text = (ROOT / "docs" / "recipes.md").read_text()
code = "\n".join(line[4:] for line in text.split("## Statistics")[1].split("\n## ")[0].splitlines() if line.startswith("    "))
r = recipe(code.replace("local s = hone.stats", ""))
check("the example of the documentation", r.returncode == 0 and r.stdout.count("(n = ") == 3, r.stdout + r.stderr)
finish()
