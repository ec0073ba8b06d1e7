"""judge_evidence.py - documents of evidence on a judge (docs/judges.md, 9) that pass every line of the gate, for tests to spoil."""
import datetime
import json


def figure(value, lo=None, hi=None, n=400):
    return {"value": value, "lo": value if lo is None else lo, "hi": value if hi is None else hi, "n": n}


def now(days=0):
    t = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def documents(spec, policy):
    """calibration, reliability, attack, lint: all that a GO needs."""
    common = {"spec": spec, "at": now()}
    return {
        "calibration": dict(
            common, kind="calibration", shape="pointwise", items=400, prompts=100, experts=3, labels=1200, test_reads=1,
            positives=200, negatives=200, agreement={"pairwise_accuracy": figure(.8, .75, .85)},
            difference={"kappa_w": figure(-.02, -.06, .02), "ac2": figure(-.01, -.05, .03)},
            alt_test={"passed": None}, unparsed={"rate": figure(.001, 0, .004), "related": False},
            tpr=figure(.92, .88, .95), tnr=figure(.93, .89, .96), precision=figure(.95, .91, .97)),
        "reliability": dict(
            common, kind="reliability", policy=policy, repeats=1, rho=figure(.7, .6, .8), zero_variance=figure(.1, .05, .15),
            repeats_needed={"0.5": 1, "0.7": 2}),
        "attack": dict(
            common, kind="attack", items=500, master_keys=figure(0, 0, .008, 480), injection=figure(0, 0, .008, 480),
            padding=figure(.005, 0, .012)),
        "lint": {"kind": "lint", "problems": [], "errors": 0, "warnings": 0},
    }


def write(docs, folder="."):
    """The documents as files; the options of hone judge gate that name them."""
    args = []
    for kind, doc in docs.items():
        with open(f"{folder}/{kind}.json", "w", encoding="utf-8") as f:
            json.dump(doc, f)
        args += ["--" + kind, f"{folder}/{kind}.json"]
    return args
