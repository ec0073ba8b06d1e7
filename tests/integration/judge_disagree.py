"""judge_disagree.py - `hone judge disagree` on rows whose faults are known: each is found, named and given its items.

120 items, three experts. Poems: the judge is two levels too high. Law: experts are split. Four slips of bob. Six items on which
the judge cannot make up its mind. The rest agrees, with a level of noise here and there."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
RUBRIC = """return {id = "q", version = "1", shape = "pointwise", task = "Answers.", scale = {min = 1, max = 5,
  anchors = {"useless", "weak", "fair", "good", "whole"}}}
"""
LIST = """return {id = "l", version = "1", shape = "pointwise", task = "Answers.", criteria = {
  {id = "true", text = "Is it true?", choices = {"no", "partly", "yes"}}, {id = "kind", text = "Is it kind?", choices = {"no", "yes"}}}}
"""


def write(tmp, name, rows):
    with open(os.path.join(tmp, name), "w") as f:
        f.writelines((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)


def run(tmp, *args, code=0):
    r = subprocess.run([HONE, "judge", "disagree", *args], cwd=tmp, capture_output=True, text=True, timeout=60)
    check(f"{' '.join(args)[:60]} exits with {code}", r.returncode == code, r.stdout[-300:] + r.stderr[-600:])
    return r.stdout if code == 0 else r.stderr


def made():
    items, labels, verdicts = [], [], []
    topics = ["poem"] * 24 + ["law"] * 16 + ["maths"] * 40 + ["news"] * 40
    for i, topic in enumerate(topics):
        name = f"{topic}-{i}"
        level = 1 + (i * 7) % 3 if topic == "poem" else 3 + i % 3
        said = {"ann": level, "bob": level, "cem": level}
        judge = [level, level]
        if topic == "poem" and i % 6:
            judge = [level + 2, level + 2]
        if topic == "law":
            said = {"ann": 2, "bob": 2, "cem": 4} if i % 2 else {"ann": 4, "bob": 2, "cem": 4}
            judge = [3, 3]
        if topic == "maths" and i % 10 == 3:
            said["bob"] = 1
            said["ann"] = said["cem"] = 4
            judge = [4, 4]
        if topic == "news" and i % 6 == 0:
            said = {"ann": 5, "bob": 5, "cem": 5}
            judge = [1, 5]
        items.append({"id": name, "prompt": f"p {i}", "completion": "x" * (10 + (i * 37) % 500), "topic": topic})
        for e, s in said.items():
            labels.append({"item": name, "expert": e, "score": s})
        for k, s in enumerate(judge):
            verdicts.append({"id": name, "prompt_id": name, "status": "ok", "score": s, "repeat": k})
    return items, labels, verdicts


with tempfile.TemporaryDirectory() as tmp:
    items, labels, verdicts = made()
    write(tmp, "items.jsonl", items)
    write(tmp, "labels.jsonl", labels)
    write(tmp, "verdicts.jsonl", verdicts)
    write(tmp, "q.lua", [RUBRIC])
    write(tmp, "l.lua", [LIST])
    base = ["--verdicts", "verdicts.jsonl", "--labels", "labels.jsonl", "--items", "items.jsonl", "--rubric", "q.lua"]
    r = json.loads(run(tmp, *base, "--rejudge", "again.jsonl", "--json"))
    part = r["parts"][0]
    check("all items", part["items"] == 120 and part["criterion"] is None and part["gap"] == 1.0, part)
    check("counted", part["counts"] == {"slip": 4, "ambiguous": 16, "judge": 6, "systematic": 20}, part["counts"])
    by = {(c["blame"], c["value"]): c for c in part["clusters"]}
    poem, law = by.get(("wrong rubric", "poem")), by.get(("ambiguous rubric", "law"))
    check("poems are the rubric's fault", poem and poem["cases"] == 20 and poem["of"] == 24 and poem["direction"] == 1 and
          poem["mean_gap"] == -2 and poem["elsewhere"] == 0 and "topic is poem" in poem["edit"] and "2 less" in poem["edit"], part["clusters"])
    check("law is ambiguous", law and law["cases"] == 16 and '"2" (weak)' in law["edit"] and '"4" (good)' in law["edit"], part["clusters"])
    judge = [c for c in part["clusters"] if c["blame"] == "wrong judge"]
    check("the wavering is the judge's", len(judge) == 1 and judge[0]["cases"] == 6 and all(i.startswith("news") for i in judge[0]["items"]), judge)
    check("nothing else", len(part["clusters"]) == 3, part["clusters"])
    check("bob slipped", [(s["item"], s["expert"], s["said"]) for s in part["slips"]] ==
          sorted((i["id"], "bob", 1) for n, i in enumerate(items) if i["topic"] == "maths" and n % 10 == 3), part["slips"])
    touched = {i["id"] for i in items if i["topic"] in ("poem", "law")} | set(judge[0]["items"])
    check("what an edit touches is judged again, and no more", set(r["rejudge"]) == touched, len(r["rejudge"]))
    with open(os.path.join(tmp, "again.jsonl")) as f:
        again = [json.loads(line) for line in f]
    check("as items", again == [i for i in items if i["id"] in touched])
    text = run(tmp, *base)
    check("for people", "wrong rubric" in text and "topic is poem" in text and "bob said" in text and "46 items" in text, text)
    check("a wider gap sees less", json.loads(run(tmp, *base, "--gap", "0.8", "--json"))["parts"][0]["counts"] == {
        "slip": 0, "ambiguous": 0, "judge": 0, "systematic": 0})
    one = [x for x in labels if x["expert"] == "ann"]
    write(tmp, "one.jsonl", one)
    r = json.loads(run(tmp, "--verdicts", "verdicts.jsonl", "--labels", "one.jsonl", "--items", "items.jsonl", "--rubric", "q.lua", "--json"))
    check("one expert: what cannot be told is said", r["parts"][0]["notes"] and not r["parts"][0]["slips"], r["parts"][0]["notes"])
    high = [{"id": i["id"], "status": "ok", "score": 5} for i in items]
    write(tmp, "high.jsonl", high)
    write(tmp, "three.jsonl", [{"item": i["id"], "expert": e, "score": 3} for i in items for e in "ab"])
    r = json.loads(run(tmp, "--verdicts", "high.jsonl", "--labels", "three.jsonl", "--rubric", "q.lua", "--json"))
    c = r["parts"][0]["clusters"]
    check("a judge that always says 5", len(c) == 1 and c[0]["blame"] == "wrong rubric" and c[0]["column"] is None and "stricter" in c[0]["edit"] and
          c[0]["cases"] == 120, c)

    # lengths: the judge likes long answers
    write(tmp, "long.jsonl", [{"id": i["id"], "status": "ok", "score": 5 if len(i["completion"]) > 344 else 3} for i in items])
    r = json.loads(run(tmp, "--verdicts", "long.jsonl", "--labels", "three.jsonl", "--items", "items.jsonl", "--rubric", "q.lua", "--json"))
    c = r["parts"][0]["clusters"]
    check("a judge that likes length", c and c[0]["column"] == "length" and "long" in c[0]["where"] and c[0]["direction"] == 1, c)

    # criteria
    write(tmp, "c_labels.jsonl", [{"item": i["id"], "expert": e, "score": 1, "criteria": {"true": 1, "kind": 1}} for i in items for e in "ab"])
    write(tmp, "c_verdicts.jsonl", [{"id": i["id"], "status": "ok", "score": 0.5, "criteria": {"true": 0 if i["topic"] == "law" else 1, "kind": 1}}
                                    for i in items])
    r = json.loads(run(tmp, "--verdicts", "c_verdicts.jsonl", "--labels", "c_labels.jsonl", "--items", "items.jsonl", "--rubric", "l.lua", "--json"))
    parts = {p["criterion"]: p for p in r["parts"]}
    check("each criterion has a part", set(parts) == {None, "true", "kind"}, list(parts))
    check("the one that is off is named", parts["true"]["clusters"][0]["value"] == "law" and parts["true"]["clusters"][0]["direction"] == -1 and
          "criterion true" in parts["true"]["clusters"][0]["edit"] and not parts["kind"]["clusters"], parts["true"]["clusters"])

    # pairs
    write(tmp, "p_labels.jsonl", [{"item": i["id"], "expert": e, "choice": "a"} for i in items for e in "ab"])
    write(tmp, "p_verdicts.jsonl", [{"id": i["id"], "status": "ok", "score": -0.8 if i["topic"] == "poem" else 0.9, "order": [k, 1 - k]}
                                    for i in items for k in (0, 1)] + [{"id": "news-90", "status": "ok", "score": -1, "order": [1, 0], "repeat": 1}] * 2)
    r = json.loads(run(tmp, "--verdicts", "p_verdicts.jsonl", "--labels", "p_labels.jsonl", "--items", "items.jsonl", "--json"))
    c = r["parts"][0]["clusters"]
    check("pairs", c[0]["value"] == "poem" and c[0]["cases"] == 24 and c[0]["direction"] == -1, c)

    # bad input
    check("no verdicts", "missing" in run(tmp, "--labels", "labels.jsonl", code=2))
    check("no labels", "labels" in run(tmp, "--verdicts", "verdicts.jsonl", code=1))
    write(tmp, "none.jsonl", [{"id": i["id"], "status": "unparsed", "score": None} for i in items])
    check("all unparsed", "number" in run(tmp, "--verdicts", "none.jsonl", "--labels", "labels.jsonl", code=1))
    write(tmp, "else.jsonl", [{"item": "elsewhere", "expert": "ann", "score": 1}])
    run(tmp, "--verdicts", "verdicts.jsonl", "--labels", "else.jsonl", code=1)
    check("one rating for all, and no scale", "scale" in run(tmp, "--verdicts", "high.jsonl", "--labels", "three.jsonl", code=1))
    write(tmp, "broken.jsonl", ["{"])
    run(tmp, "--verdicts", "broken.jsonl", "--labels", "labels.jsonl", code=1)
    run(tmp, *base, "--gap", "2", code=2)
    check("a criterion nobody rated", run(tmp, *base, "--criterion", "nothing", code=1))
    check("agreement", "nothing to mend" in run(tmp, "--verdicts", "c_verdicts.jsonl", "--labels", "c_labels.jsonl", "--criterion", "kind", "--rubric", "l.lua"))

finish()
