"""judge_calibrate.py - `hone judge calibrate` and `hone judge reliability` as programs: figures, files, bad input.

The data is made here with a known judge: figures are compared with the same ones computed plainly in Python, and what
cannot be told must be said and not be a number. HONE is the program.
"""
import csv
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
work = scratch.name
os.environ.pop("HONE_JUDGES", None)
for what in "CONFIG", "DATA":
    os.environ[f"XDG_{what}_HOME"] = os.path.join(work, what.lower())


def run(*args):
    p = subprocess.run([HONE, "judge", *args], cwd=work, text=True, capture_output=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def jsonl(name, rows):
    with open(os.path.join(work, name), "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)


def no_constant(name):
    raise ValueError(name)


def calibrate(*args):
    """The report as a dict; {} when it failed."""
    code, out, err = run("calibrate", "--json", *args)
    if code:
        print(err)
        return {}
    return json.loads(out, parse_constant=no_constant)


def figures(report, path=""):
    """(path, figure) of every figure in a report."""
    if isinstance(report, dict):
        if {"value", "lo", "hi", "n"} <= set(report):
            yield path, report
        for k, v in report.items():
            yield from figures(v, f"{path}.{k}")
    elif isinstance(report, list):
        for i, v in enumerate(report):
            yield from figures(v, f"{path}[{i}]")


def sound(name, report):
    """Every figure has a finite value inside its interval, or a reason."""
    bad = []
    for path, f in figures(report):
        if f["value"] is None:
            if not f.get("why"):
                bad.append(path)
        elif f["lo"] is not None and not f["lo"] <= f["value"] <= f["hi"]:
            bad.append(path)
    check(name + ": every figure is a number or says why not", report and not bad, bad)


# ---- data with a known judge ------------------------------------------------------------------------------

rng = random.Random(11)
level = lambda v: max(1, min(5, round(v)))  # noqa: E731
items, verdicts, labels = [], [], []
for p in range(60):
    for k in range(4):
        quality, language = rng.gauss(3, 1.2), rng.choice(["en", "de"])
        name = f"p{p}-{k}"
        items.append({"id": name, "prompt": f"question {p}", "completion": "x" * rng.randint(10, 900),
                      "language": language})
        for e in "ann", "bob", "eve":
            if p < 48 and rng.random() < 0.85:
                labels.append({"item": name, "expert": e, "score": level(quality + rng.gauss(0, 0.6))})
        for r in range(2):
            ok = rng.random() > 0.04
            score = level(quality + (1 if language == "de" else 0) + rng.gauss(0, 0.6))
            verdicts.append({"id": name, "status": "ok" if ok else "unparsed", "score": score if ok else None,
                             "repeat": r, "criteria": {"clear": score, "dead": 3} if ok else {}, "spec": "s" * 64})
jsonl("items.jsonl", items)
jsonl("verdicts.jsonl", verdicts)
jsonl("labels.jsonl", labels)
with open(os.path.join(work, "labels.csv"), "w", newline="", encoding="utf-8") as f:
    w = csv.DictWriter(f, ["item", "expert", "score"])
    w.writeheader()
    w.writerows(labels)

FILES = "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl", "--items", "items.jsonl"
report = calibrate(*FILES)
sound("a whole report", report)

# ---- the same figures, plainly ----------------------------------------------------------------------------

judge, experts = {}, {}
for v in verdicts:
    if v["score"] is not None:
        judge.setdefault(v["id"], []).append(v["score"])
judge = {k: sum(v) / len(v) for k, v in judge.items()}
for lb in labels:
    experts.setdefault(lb["item"], {})[lb["expert"]] = lb["score"]


def near_level(x):
    return min(range(1, 6), key=lambda v: (abs(v - x), v))


pairs = [(near_level(judge[i]), s) for i, by in experts.items() if i in judge for s in by.values()]
same = sum(a == b for a, b in pairs) / len(pairs)
check("accuracy is the share of pairs (judge, expert) of one level",
      abs(report["agreement"]["accuracy"]["value"] - same) < 1e-12, (report["agreement"]["accuracy"], same))
tp = fp = tn = fn = even = 0
for i, by in experts.items():
    yes = sum(s >= 3.5 for s in by.values())
    if 2 * yes == len(by):
        even += 1
    elif i in judge:
        good, says = 2 * yes > len(by), judge[i] >= 3.5
        tp, fp, tn, fn = tp + (good and says), fp + (not good and says), tn + (not good and not says), fn + (good and not says)
check("the threshold is the middle of the upper half", report["threshold"] == 3.5, report["threshold"])
for key, want in ("tpr", tp / (tp + fn)), ("tnr", tn / (tn + fp)), ("precision", tp / (tp + fp)):
    check(f"{key} is what counting gives", abs(report[key]["value"] - want) < 1e-12, (report[key], want))
check("evenly divided items are left out and counted", report["divided"] == even, (report["divided"], even))
counts = [[0] * 5 for _ in range(5)]
for i, by in experts.items():
    s = sorted(by.values())
    mid = s[len(s) // 2] if len(s) % 2 else (s[len(s) // 2 - 1] + s[len(s) // 2]) / 2
    if i in judge:
        counts[near_level(mid) - 1][near_level(judge[i]) - 1] += 1
check("the confusion matrix is of median levels", report["confusion"]["counts"] == counts, report["confusion"])
mean = {i: sum(by.values()) / len(by) for i, by in experts.items()}
both = [i for i in mean if i in judge]
bias = sum(judge[i] - mean[i] for i in both) / len(both)
check("bias is the mean difference", abs(report["bias"]["value"] - bias) < 1e-12, (report["bias"], bias))
by_slice = {(s["column"], s["value"]): s for s in report["slices"]}
language = {i["id"]: i["language"] for i in items}
for lang in "de", "en":
    part = [i for i in both if language[i] == lang]
    want = sum(judge[i] - mean[i] for i in part) / len(part)
    got = by_slice.get(("language", lang), {}).get("bias", {}).get("value", 9)
    check(f"bias of the slice {lang}", abs(got - want) < 1e-12, (got, want))
check("the planted bias is told in words", any("language" in n and '"de"' in n for n in report["notes"]), report["notes"])
check("slices by length and expert", {("expert", "ann"), ("expert", "bob"), ("expert", "eve")} <= set(by_slice)
      and sum(c == "length" for c, _ in by_slice) == 4, sorted(by_slice))
failed = [v for v in verdicts if v["score"] is None]
check("the rate of verdicts without a number", abs(report["unparsed"]["rate"]["value"] - len(failed) / len(verdicts)) < 1e-12,
      report["unparsed"])
check("rates by length cover all items", sum(b["n"] for b in report["unparsed"]["by_length"]) == len(items), report["unparsed"])
check("and come to the rate over all", abs(sum(b["n"] * b["rate"]["value"] for b in report["unparsed"]["by_length"]) / len(items)
                                              - len(failed) / len(verdicts)) < 1e-12, report["unparsed"]["by_length"])
check("counts", (report["items"], report["prompts"], report["experts"], report["labels"]) ==
      (len(experts), 48, 3, len(labels)), [report[k] for k in ("items", "prompts", "experts", "labels")])
check("unlabelled verdicts are told apart", report["unlabelled"] == 240 - len(experts), report["unlabelled"])
check("the ceiling comes before the judge", list(report).index("ceiling") < list(report).index("agreement"), "")
check("a good judge's difference from the experts", -0.3 < report["difference"]["kappa_w"]["value"] < 0.1, report["difference"])
check("items to label for half the interval", report["more_labels"]["to_halve"] == 3 * report["agreement"]["kappa_w"]["n"],
      report["more_labels"])
check("without a store nothing is counted, and none is made",
      report["test_reads"] is None and not os.path.exists(os.path.join(work, "judges.sqlite")), report["test_reads"])

again = calibrate("--labels", "labels.csv", "--verdicts", "verdicts.jsonl", "--items", "items.jsonl")
for r in report, again:
    for key in "at", "data":
        r.pop(key, None)
check("CSV says the same as JSONL", again == report, "")
shuffled = labels[:]
rng.shuffle(shuffled)
jsonl("shuffled.jsonl", shuffled)
other = calibrate("--labels", "shuffled.jsonl", *FILES[2:])
check("the order of rows changes no figure",
      {p: f["value"] for p, f in figures(other["agreement"])} == {p: f["value"] for p, f in figures(report["agreement"])}, "")

# ---- files, splits, the store -----------------------------------------------------------------------------

code, out, err = run("calibrate", *FILES, "--report", "r.html", "--report", "r.md", "--report", "r.json")
check("reports are written", code == 0 and all(os.path.exists(os.path.join(work, "r." + e)) for e in ("html", "md", "json")), err)
check("the text begins with the experts' ceiling", "The experts among themselves" in out
      and out.index("among themselves") < out.index("The judge and the experts"), out[:500])
page = open(os.path.join(work, "r.html"), encoding="utf-8").read()
check("the page stands alone", "<script" not in page and "http" not in page.replace("http-equiv", "") and "<svg" in page, "")
check("the page says the figures", f"<b>{report['agreement']['kappa_w']['value']:.3f}</b>" in page, "")
code, out, err = run("calibrate", *FILES[2:])
check("neither labels nor a store: a usage error, and no store is made", code == 2 and "--labels" in err
      and not os.path.exists(os.path.join(work, "judges.sqlite")), err)
code, out, err = run("calibrate", *FILES, "--report", "r.pdf")
check("an unknown kind of report is refused before the work", code == 2 and "r.pdf" in err, err)
sizes = {s: calibrate(*FILES, "--split", s).get("items", 0) for s in ("few-shot", "dev")}
test = calibrate(*FILES, "--split", "test")
check("splits part the items", sizes["few-shot"] + sizes["dev"] + test["items"] == len(experts)
      and sizes["dev"] > 40 and test["items"] > 40, (sizes, test["items"]))
check("a reading of the test split is counted", test["test_reads"] == 1
      and calibrate(*FILES, "--split", "test")["test_reads"] == 2
      and calibrate(*FILES, "--split", "dev")["test_reads"] is None
      and calibrate(*FILES)["test_reads"] == 3, "")
store = sqlite3.connect(os.path.join(work, "judges.sqlite"))
check("the store has the runs", store.execute("select count(*) from calibration_run").fetchone() == (3,)
      and store.execute("select kind from probe_run").fetchall() == [("calibration of dev",)], store.execute("select kind from probe_run").fetchall())
for lb in labels:
    store.execute("insert into expert_label (item, expert, duplicate, score, at, batch) values (?, ?, 0, ?, '2026-01-31T12:00:00Z', ?)",
                  (lb["item"], lb["expert"], lb["score"], "first" if lb["expert"] == "ann" else "second"))
store.commit()
store.close()
stored = calibrate(*FILES[2:])
check("without --labels those of the store count", stored["labels"] == len(labels)
      and stored["agreement"] == report["agreement"] and stored["test_reads"] == 1, stored.get("labels"))
check("or those of a batch", calibrate(*FILES[2:], "--batch", "first")["experts"] == 1, "")
os.remove(os.path.join(work, "judges.sqlite"))

# ---- within a prompt --------------------------------------------------------------------------------------

code, out, err = run("reliability", "--verdicts", "verdicts.jsonl", "--items", "items.jsonl", "--labels", "labels.jsonl", "--json")
rel = json.loads(out, parse_constant=no_constant) if code == 0 else {}
sound("reliability", rel)
check("groups are prompts", rel.get("groups") == 60 and rel["dropped_groups"] == 0 and 3.9 < rel["group_size"] <= 4, (err, rel.get("group_size")))
check("rho is between noise and certainty", 0.5 < rel["rho"]["value"] < 0.95, rel["rho"])
check("repeats needed do not fall with the target", [rel["repeats_needed"][k] or 99 for k in ("0.5", "0.7", "0.8", "0.9")]
      == sorted(rel["repeats_needed"][k] or 99 for k in ("0.5", "0.7", "0.8", "0.9")), rel["repeats_needed"])
check("a dead criterion is found", any("dead" in n for n in rel["notes"])
      and {c["id"]: c["contrast"]["value"] for c in rel["criteria"]}["dead"] is None, rel["notes"])
check("the histogram counts every score", sum(h["n"] for h in rel["histogram"]) == len(verdicts) - len(failed), rel["histogram"])
jsonl("once.jsonl", [v for v in verdicts if v["repeat"] == 0])
code, out, err = run("reliability", "--verdicts", "once.jsonl", "--items", "items.jsonl", "--json")
one = json.loads(out) if code == 0 else {}
check("with one repeat rho is not invented", one["rho"]["value"] is None and one["zero_variance"]["value"] is not None
      and any("one verdict" in n for n in one["notes"]), one.get("rho"))

jsonl("clear.jsonl", [{"item": lb["item"], "expert": lb["expert"], "criteria": {"clear": lb["score"]}} for lb in labels])
with open(os.path.join(work, "clear.csv"), "w", newline="", encoding="utf-8") as f:
    w = csv.writer(f)
    w.writerow(["item", "expert", "score", "criteria.clear"])
    w.writerows([lb["item"], lb["expert"], "", lb["score"]] for lb in labels)
clear = calibrate("--labels", "clear.jsonl", *FILES[2:], "--criterion", "clear")
check("one criterion instead of the score", clear["agreement"]["kappa_w"] == report["agreement"]["kappa_w"], clear["agreement"]["kappa_w"])
check("criteria are columns in CSV", calibrate("--labels", "clear.csv", *FILES[2:], "--criterion", "clear")["agreement"]
      == clear["agreement"], "")
code, out, err = run("calibrate", "--labels", "clear.jsonl", *FILES[2:], "--criterion", "kind")
check("a criterion that nobody rated", code == 1 and '"kind"' in err, err)

# ---- a judge that is asked now ----------------------------------------------------------------------------

with open(os.path.join(work, "longer.lua"), "w", encoding="utf-8") as f:
    f.write("""local hone = require "hone"
return hone.judge { id = "longer", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do out[i] = 1 + math.min(4, #it.candidates[1] // 180) end
  return out
end }
""")
asked = calibrate("--labels", "labels.jsonl", "--judge", "longer.lua", "--items", "items.jsonl", "--groups", "items.jsonl")
sound("a judge that is asked", asked)
check("only what has a label is judged", asked["judged"] == len(experts) and asked["unlabelled"] == 0, (asked["judged"], asked["unlabelled"]))
lengths = [s["bias"]["value"] for s in asked["slices"] if s["column"] == "length"]
check("a judge that likes length is found out", lengths == sorted(lengths) and lengths[-1] - lengths[0] > 2
      and any("Bias by length" in n for n in asked["notes"]), lengths)
check("groups are judged too", asked["reliability"]["kind"] == "reliability" and asked["reliability"]["completions"] == 240
      and asked["reliability"]["rho"]["value"] == 1, asked["reliability"]["rho"])
dev = calibrate("--labels", "labels.jsonl", "--judge", "longer.lua", "--items", "items.jsonl", "--split", "dev")
check("only items of the split are judged", dev["judged"] == dev["items"] == sizes["dev"], (dev["judged"], sizes))
everything = calibrate("--labels", "labels.jsonl", "--judge", "longer.lua", "--items", "items.jsonl", "--all")
check("--all judges the others too, for the mean", everything["unlabelled"] == 240 - len(experts)
      and everything["agreement"] == asked["agreement"] and everything["prevalence"]["raw"]["n"] == 240, everything["prevalence"]["raw"])
named = [{**lb, "prompt_id": "q" + lb["item"].split("-")[0]} for lb in labels]
jsonl("named.jsonl", named)
sizes = {s: calibrate("--labels", "named.jsonl", "--split", s)["items"] for s in ("few-shot", "dev")}
dev = calibrate("--labels", "named.jsonl", "--judge", "longer.lua", "--items", "items.jsonl", "--split", "dev")
check("an item stays in its split when a judge is asked", dev["judged"] == dev["items"] == sizes["dev"], (dev["judged"], sizes))
code, out, err = run("reliability", "--judge", "longer.lua", "--items", "items.jsonl", "--repeats", "3", "--json")
rel = json.loads(out, parse_constant=no_constant) if code == 0 else {}
check("reliability asks as often as it is told", rel.get("scores") == 720 and rel["repeats"] == 3, (err, rel.get("scores")))
code, out, err = run("calibrate", "--labels", "labels.jsonl", "--judge", "longer.lua", "--verdicts", "verdicts.jsonl")
check("a judge and its verdicts at once are refused", code == 2, err)
store = sqlite3.connect(os.path.join(work, "judges.sqlite"))
check("both documents are in the store", store.execute("select count(*) from calibration_run").fetchone() == (2,)
      and store.execute("select count(*) from probe_run where kind = 'reliability'").fetchone() == (2,), "")
store.close()
os.remove(os.path.join(work, "judges.sqlite"))

# ---- pairs ------------------------------------------------------------------------------------------------

pair_verdicts, pair_labels, right, swaps = [], [], [], []
for i in range(90):
    truth = rng.choice([1, -1, 0])
    for e in "ann", "bob", "eve":
        c = truth if rng.random() < 0.85 else rng.choice([1, -1, 0])
        pair_labels.append({"item": i, "expert": e, "choice": {1: "a", -1: "b", 0: "tie"}[c], "prompt_id": i // 2})
    first = truth if rng.random() < 0.8 else rng.choice([1, -1])
    second = first if rng.random() < 0.9 else -first
    pair_verdicts += [{"id": i, "status": "ok", "score": first, "order": [0, 1]},
                      {"id": i, "status": "ok", "score": second, "order": [1, 0]}]
    swaps.append(first != second)
jsonl("pv.jsonl", pair_verdicts)
jsonl("pl.jsonl", pair_labels)
pairwise = calibrate("--labels", "pl.jsonl", "--verdicts", "pv.jsonl")
sound("pairwise", pairwise)
check("pairs are told by their labels", pairwise["shape"] == "pairwise" and pairwise["confusion"]["levels"] == [-1, 0, 1], "")
check("swap inconsistency", abs(pairwise["swap_inconsistency"]["value"] - sum(swaps) / 90) < 1e-12, pairwise["swap_inconsistency"])
jsonl("pm.jsonl", [{"id": a["id"], "status": "ok", "score": (a["score"] + b["score"]) / 2, "order": [0, 1],
                    "inconsistency": abs(a["score"] - b["score"]) / 2} for a, b in zip(pair_verdicts[::2], pair_verdicts[1::2])])
both = calibrate("--labels", "pl.jsonl", "--verdicts", "pm.jsonl")
check("a judge that shows both orders itself cannot hide that they differ",
      both["swap_inconsistency"]["value"] == pairwise["swap_inconsistency"]["value"], both["swap_inconsistency"])
check("pairwise accuracy is of pairs that experts order", 0.6 < pairwise["pairwise_accuracy"]["value"] < 1
      if "pairwise_accuracy" in pairwise else 0.6 < pairwise["agreement"]["pairwise_accuracy"]["value"] < 1, "")

# ---- bad input --------------------------------------------------------------------------------------------


def said(name, report_, *words):
    sound(name, report_)
    text = " ".join(report_.get("notes", []))
    check(name + ": it is said", all(w in text for w in words), report_.get("notes"))


jsonl("some_unknown.jsonl", labels + [{"item": "nobody", "expert": "ann", "score": 3}])
said("labels of unknown items", calibrate("--labels", "some_unknown.jsonl", *FILES[2:]), "nobody", "left out")
jsonl("all_unknown.jsonl", [{"item": f"z{i}", "expert": "ann", "score": i % 5 + 1} for i in range(9)])
code, out, err = run("calibrate", "--labels", "all_unknown.jsonl", *FILES[2:])
check("only unknown items: an error that names some", code == 1 and "z0" in err or "z" in err and "hint" in err, err)
jsonl("one_class.jsonl", [{**lb, "score": 5} for lb in labels])
r = calibrate("--labels", "one_class.jsonl", *FILES[2:])
said("labels of one class only", r, "all on one side", "accuracy still holds")
check("one class: TNR is unknown, accuracy is known", r["tnr"]["value"] is None and r["agreement"]["accuracy"]["value"] is not None, r["tnr"])
jsonl("one_expert.jsonl", [lb for lb in labels if lb["expert"] == "ann"])
r = calibrate("--labels", "one_expert.jsonl", *FILES[2:])
said("labels of one expert", r, "One expert")
check("one expert: no ceiling, but agreement", r["ceiling"]["kappa_w"]["value"] is None and r["agreement"]["kappa_w"]["value"] is not None, "")
jsonl("contradict.jsonl", labels + [{**lb, "score": 6 - lb["score"]} for lb in labels[:20] if lb["score"] != 3])
r = calibrate("--labels", "contradict.jsonl", *FILES[2:])
said("contradictory labels", r, "contradictory", "the later one counts")
check("contradictory labels: the expert's agreement with himself", r["ceiling"]["same_expert_twice"]["value"] == 0, r["ceiling"])
jsonl("twice.jsonl", labels + [{**lb, "duplicate": True} for lb in labels[:20]])
r = calibrate("--labels", "twice.jsonl", *FILES[2:])
check("duplicates are no contradiction", r["ceiling"]["same_expert_twice"]["value"] == 1
      and not any("contradictory" in n for n in r["notes"]), r["notes"])
jsonl("five.jsonl", [{"id": i["id"], "status": "ok", "score": 5} for i in items])
r = calibrate("--labels", "labels.jsonl", "--verdicts", "five.jsonl", "--items", "items.jsonl")
said("a judge that always says 5", r, "The judge says 5 of every labelled item")
check("always 5: ranks are unknown, the ceiling holds", r["agreement"]["tau_b"]["value"] is None and r["ceiling"]["kappa_w"]["value"] is not None, "")
jsonl("unparsed.jsonl", [{"id": i["id"], "status": "unparsed", "score": None} for i in items])
r = calibrate("--labels", "labels.jsonl", "--verdicts", "unparsed.jsonl", "--items", "items.jsonl")
said("all verdicts unparsed", r, "None of 240 verdicts has a number", "ceiling still holds")
check("all unparsed: rate 1, no agreement", r["unparsed"]["rate"]["value"] == 1 and r["agreement"]["kappa_w"]["value"] is None, r["unparsed"])
r = calibrate("--labels", "labels.jsonl")
said("labels alone", r, "only what the experts say")
check("labels alone: the ceiling", r["ceiling"]["kappa_w"]["value"] is not None and r["agreement"]["kappa_w"]["value"] is None, "")

jsonl("two_judges.jsonl", [{**v, "spec": "s" * 64 if i % 2 else "t" * 64} for i, v in enumerate(verdicts)])
r = calibrate("--labels", "labels.jsonl", "--verdicts", "two_judges.jsonl", "--items", "items.jsonl")
said("verdicts of two judges", r, "several judges")
check("a mixture is nobody's calibration", r["spec"] is None, r["spec"])

for name, rows, word in (
        ("no item", [{"expert": "ann", "score": 1}], '"item"'),
        ("a score that is text", [{"item": "a", "expert": "ann", "score": "good"}], "no finite number"),
        ("a choice that is none", [{"item": "a", "expert": "ann", "choice": "c"}], "none of a, b, tie"),
        ("a split that is none", [{"item": "a", "expert": "ann", "score": 1, "split": "train"}], "few-shot, dev, test"),
        ("a probability of 2", [{"item": "a", "expert": "ann", "score": 1, "probability": 2}], "probability"),
        ("mixed shapes", [{"item": "a", "expert": "ann", "score": 4}, {"item": "b", "expert": "ann", "choice": "a"}], "among pointwise"),
        ("an enormous score", [{"item": "a", "expert": "ann", "score": 1e300}], "no finite number"),
        ("no rows", [], "there is no row"),
        ("rows without a rating", [{"item": "a", "expert": "ann"}], "has a rating")):
    jsonl("bad.jsonl", rows)
    code, out, err = run("calibrate", "--labels", "bad.jsonl")
    check(f"labels with {name}: an error that says so", code == 1 and word in err and out == "", (code, err))
jsonl("bad.jsonl", [{"expert": "ann", "score": 1}] + labels)
r = calibrate("--labels", "bad.jsonl", *FILES[2:], "--skip-bad")
said("--skip-bad", r, "1 malformed rows were left out", "row 1")
jsonl("badv.jsonl", [{"id": "p0-0", "status": "great", "score": 1}])
code, out, err = run("calibrate", "--labels", "labels.jsonl", "--verdicts", "badv.jsonl")
check("a verdict's status that is none", code == 1 and "status" in err, err)
jsonl("badv.jsonl", [{"id": "p0-0", "status": "ok", "score": [1, 2]}])
code, out, err = run("calibrate", "--labels", "labels.jsonl", "--verdicts", "badv.jsonl", "--shape", "pointwise")
check("a list of scores under --shape pointwise is refused by name", code == 1 and "shape listwise" in err, err)
# ---- lists of candidates that a judge puts in order
rng = random.Random(5)
lists, list_labels, rankings = [], [], []
for i in range(40):
    true = [rng.gauss(0, 1) for _ in range(4)]
    lists.append({"id": f"l{i}", "prompt_id": f"q{i // 2}", "prompt": f"question {i // 2}", "candidates": [f"answer {i} {c}" + "!" * c for c in range(4)],
                  "ids": [f"l{i}c{c}" for c in range(4)], "language": "de" if i % 2 else "en"})
    for expert in "ann", "bob":
        seen = [t + rng.gauss(0, .4) for t in true]
        if expert == "ann":  # a ranking; every third with a tie, as a table has it
            order = sorted(range(4), key=lambda c: -seen[c])
            list_labels.append({"item": f"l{i}", "expert": expert, "ranking": f"{order[0]}>{order[1]}={order[2]}>{order[3]}" if i % 3 == 0 else order})
        else:  # levels of the candidates by their own ids
            list_labels += [{"item": f"l{i}c{c}", "expert": expert, "score": round(seen[c] + 3)} for c in range(4)]
    for order in [0, 1, 2, 3], [2, 3, 0, 1]:
        seen = [true[c] + rng.gauss(0, .6) + .5 * (order.index(c) == 0) for c in range(4)]
        rankings.append({"id": f"l{i}", "status": "ok", "score": None, "ranking": sorted(range(4), key=lambda c: -seen[c]), "order": order, "spec": "s"}
                        if i < 39 else {"id": f"l{i}", "status": "truncated", "score": None, "order": order, "spec": "s"})
jsonl("lists.jsonl", lists)
jsonl("list_labels.jsonl", list_labels)
jsonl("rankings.jsonl", rankings)
LISTS = "--labels", "list_labels.jsonl", "--verdicts", "rankings.jsonl", "--items", "lists.jsonl"
r = calibrate(*LISTS)
sound("lists", r)


def sign(x):
    return (x > 0) - (x < 0)


def side(label, a, b):
    """What one expert says of candidates a and b: from a ranking, or from levels."""
    if isinstance(label, dict):
        return sign(label[a] - label[b])
    if isinstance(label, str):
        label = [int(x) for x in label.replace("=", ">").split(">")]
        if {a, b} == {label[1], label[2]}:
            return 0
    return sign(label.index(b) - label.index(a))


right = pairs = flipped = 0
for i in range(39):
    said = [next(lb["ranking"] for lb in list_labels if lb["item"] == f"l{i}"),
            {c: next(lb["score"] for lb in list_labels if lb["item"] == f"l{i}c{c}") for c in range(4)}]
    two = [v["ranking"] for v in rankings if v["id"] == f"l{i}"]
    for a in range(4):
        for b in range(a + 1, 4):
            judge = sign(sum(v.index(b) - v.index(a) for v in two))
            first, second = (sign(v.index(b) - v.index(a)) for v in two)
            flipped += first != second and (a < 2) != (b < 2)  # of the others the order of showing is one and the same
            experts = [side(s, a, b) for s in said]
            truth = 0 if experts[0] != experts[1] else experts[0]
            if truth:
                right += .5 if judge == 0 else judge == truth
                pairs += 1
got = r["agreement"]["pairwise_accuracy"] if r else {}
check("lists: pairwise accuracy is the one counted plainly", r and abs(got["value"] - right / pairs) < 1e-12 and got["n"] == pairs, (got, right, pairs))
swap = r["swap_inconsistency"] if r else {}
check("lists: so is the share of pairs that the order of showing turns", r and abs(swap["value"] - flipped / (4 * 39)) < 1e-12 and swap["n"] == 4 * 39, (swap, flipped))
check("lists: told by the rows, counted as lists", r and (r["shape"], r["items"], r["judged"], r["labels"], r["lists"]["pairs"], r["lists"]["candidates"])
      == ("listwise", 40, 39, 200, 240, [4, 4]), r)
check("lists: prompts are the clusters", r and r["prompts"] == 20 and got["lo"] < got["value"] < got["hi"], r and r["prompts"])
check("lists: a list is one verdict where replies fail", r and r["unparsed"]["rate"]["value"] == 2 / 80 and r["unparsed"]["statuses"]["truncated"] == 2 and r["unparsed"]["by_length"], r and r["unparsed"])
check("lists: the ceiling, the difference, tau, who is best are there", r and all(r[a][b]["value"] is not None for a, b in (
    ("ceiling", "kappa_w"), ("ceiling", "ac2"), ("difference", "kappa_w"), ("lists", "tau_b"), ("lists", "tau_b_experts"), ("lists", "top1"), ("lists", "order_top1"))), r)
check("lists: what a ranking cannot tell is left out with the reason", r and all(f["value"] is None and "list" in f["why"] for f in (
    r["tpr"], r["bias"], r["calibration"]["ece"], r["prevalence"]["raw"], r["agreement"]["icc2"], r["agreement"]["tau_b"])) and r["threshold"] is None, r)
check("lists: slices have agreement and no bias", r and {s["value"] for s in r["slices"] if s["column"] == "language"} == {"de", "en"}
      and all(s["bias"]["value"] is None for s in r["slices"]), r and r["slices"])
code, out, err = run("calibrate", *LISTS, "--report", "l.html", "--report", "l.md")
page = open(os.path.join(work, "l.html"), encoding="utf-8").read()
check("lists: in all forms", code == 0 and "Whole lists" in out and "Whole lists" in page and "## Whole lists" in open(os.path.join(work, "l.md"), encoding="utf-8").read(), err)
dev, test = calibrate(*LISTS, "--split", "dev"), calibrate(*LISTS, "--split", "test", "--store", "l.sqlite")
few = calibrate(*LISTS, "--split", "few-shot")
check("lists: splits are by prompt, and part the lists", dev and test and dev["items"] + test["items"] + (few["items"] if few else 0) == 40 and test["test_reads"] == 1, (dev, test))
jsonl("shuffled.jsonl", rng.sample(rankings, len(rankings)))
again = calibrate(*LISTS[:3], "shuffled.jsonl", *LISTS[4:])
close = again and all(x[1]["value"] == y[1]["value"] or abs(x[1]["value"] - y[1]["value"]) < 1e-9 for x, y in zip(figures(r["agreement"]), figures(again["agreement"])))
check("lists: the order of rows changes nothing", close, again)
alone = calibrate("--labels", "list_labels.jsonl", "--items", "lists.jsonl")
check("lists: labels alone tell the ceiling", alone and alone["ceiling"]["kappa_w"] == r["ceiling"]["kappa_w"] and alone["agreement"]["kappa_w"]["value"] is None, alone)
with open(os.path.join(work, "lists.csv"), "w", newline="", encoding="utf-8") as f:
    table = csv.writer(f)
    table.writerow(["item", "expert", "ranking", "first", "second", "choice"])
    table.writerows([["l0", "ann", "0>1=2>3", "", "", ""], ["l1", "ann", "", "0", "3", "b"]])
r = calibrate("--labels", "lists.csv", "--verdicts", "rankings.jsonl")
check("lists: labels as a table", r and r["items"] == 2 and r["labels"] == 2 and r["lists"]["pairs"] == 7, r)
with open(os.path.join(work, "marks.lua"), "w", encoding="utf-8") as f:
    f.write("""return { judge = "rubric", rubric = { id = "marks", version = "1", shape = "pointwise", criteria = {
  { id = "three", text = "Are there three marks?", kind = "program", verifier = { reward = "regex", pattern = "!!!" } } } } }""")
asked = calibrate("--labels", "list_labels.jsonl", "--judge", "marks.lua", "--items", "lists.jsonl", "--store", "asked.sqlite")
sound("lists: a judge that is asked now", asked)
check("lists: a judge that is asked now", asked and asked["shape"] == "listwise" and asked["judged"] == 40, asked)
for bad, word in (([{"id": "l0", "ranking": [0, 1, 2]}], "orders 3 candidates, the list has 4"), ([{"id": "l0", "ranking": [0, 1, 2, 2]}], "twice"),
                  ([{"id": "l0", "ranking": [0]}], "one candidate"), ([{"id": "elsewhere", "ranking": [0, 1]}], "")):
    jsonl("badl.jsonl", bad)
    code, out, err = run("calibrate", "--labels", "list_labels.jsonl" if word else "lists.csv", "--verdicts", "badl.jsonl", *(LISTS[4:] if word else ()))
    check(f"a ranking {bad[0]['ranking']} of {bad[0]['id']} is refused", code == 1 and (word or "no label is of a list") in err and out == "", (code, err))
code, out, err = run("calibrate", *LISTS, "--criterion", "tone")
check("--criterion is refused for lists", code == 1 and "as a whole" in err, err)
code, out, err = run("calibrate", "--labels", "nowhere.jsonl")
check("a file that is not there", code == 1 and "nowhere.jsonl" in err, err)
for bad in ("--split", "train"), ("--levels", "1"), ("--levels", "3,2"), ("--judge-scale", "1,1"), ("--tie", "2"), ("--shape", "round"):
    code, out, err = run("calibrate", *FILES, *bad)
    check(f"{' '.join(bad)} is refused", code in (1, 2) and out == "", (code, err))
jsonl("html.jsonl", [{**lb, "topic": "<script>alert(1)</script>" if i % 2 else "a|b\u0000\u001b[31m"} for i, lb in enumerate(labels)])
code, out, err = run("calibrate", "--labels", "html.jsonl", *FILES[2:], "--report", "h.html", "--report", "h.md")
page = open(os.path.join(work, "h.html"), encoding="utf-8").read()
check("text of the data stays text on the page", code == 0 and "<script" not in page and "&lt;script&gt;" in page, (code, err))
check("no control character reaches the terminal", "\x1b" not in out, "")
many = calibrate(*FILES, "--at-most", "60")
check("more items than fit: a sample, and it is said", 20 <= many["items"] <= 60 and many["sampled"] < 1
      and any("random 1 in" in n for n in many["notes"]), (many["items"], many["sampled"]))
code, out, err = run("reliability", "--verdicts", "unparsed.jsonl", "--items", "items.jsonl", "--json")
rel = json.loads(out, parse_constant=no_constant) if code == 0 else {}
sound("reliability of verdicts without a number", rel)

finish()
