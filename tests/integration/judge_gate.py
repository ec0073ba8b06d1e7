#!/usr/bin/env python3
# judge_gate.py - `hone judge gate` (docs/judges.md, 9): every line by its bound, the verdicts, and what a record is bound to; that
# records which were edited, expired, voided, of another policy or version are refused by the trainer.
import copy
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish
from judge_evidence import documents, figure, now, write

HONE = os.environ["HONE"]
folder = tempfile.mkdtemp(prefix="hone-judge-gate-")
os.chdir(folder)
os.environ.pop("HONE_JUDGES", None)

RUBRIC = """return { id = "q", version = "1", shape = "pointwise", task = "Answers to sums.",
  scale = { min = 1, max = 3, anchors = { "the number is wrong", "the number is close", "the number is right" } } }
"""


def put(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True)


put("rubric.lua", RUBRIC)
put("judge.lua", 'return { rubric = "rubric.lua", backend = "policy" }')
put("items.jsonl", '{"prompt":"Tom has 2 apples and 3 pears. How many?","completion":"5"}\n' * 1)
put("rows.jsonl", "".join('{"prompt":"Tom has %d apples and 3 pears. How many?"}\n' % i for i in range(4)))
put("train.lua", """
local hone = require "hone"
local run = hone.run { name = "g", seed = 1 }
local p = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local j = hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" })
local rewards = { hone.reward("judge", { judge = j }), hone.reward { id = "short",
  score = function(batch) return batch:map(function(s) return -#s.completion end) end } }
for step, b in run:steps(1, hone.source("jsonl", { path = "rows.jsonl" }):epochs(0):batches(2)) do
  local ro = p:rollout(b, { n = 2, max_tokens = 4, rewards = rewards })
  p:update { ro, objective = "grpo", advantage = function(groups)
    local out = {}
    for i, g in ipairs(groups) do out[i] = {} for k in ipairs(g) do out[i][k] = k % 2 - 0.5 end end
    return out
  end }
end
run:save()
""")


def train(*args):
    shutil.rmtree("run", ignore_errors=True)
    return hone("run", "train.lua", "--run-dir", "run", "--quiet", *args)


r = hone("judge", "gate", "--judge", "judge.lua", "--policy", "tiny", "--json")
g = json.loads(r.stdout)
check("nothing measured is NO-GO, exit 1", r.returncode == 1 and g["verdict"] == "NO-GO", r.stderr)
check("every failed line has a remedy", all(x["remedy"] for x in g["lines"] if not x["passed"]), g["lines"])
spec, policy, key = g["spec"], g["policy"], g["key"]
check("it is bound to key, spec and policy", len(key) == 64 and len(spec) == 64 and re.fullmatch("[0-9a-f]{16}", policy), g)


def gate(docs, *args):
    r = hone("judge", "gate", "--judge", "judge.lua", "--policy", "tiny", "--json", *write(docs), *args)
    return r.returncode, json.loads(r.stdout) if r.stdout else None, r.stderr


GOOD = documents(spec, policy)
code, g, err = gate(GOOD, "--no-store")
check("good evidence is GO", code == 0 and g["verdict"] == "GO" and not g["conditions"], (g, err))
check("--no-store writes no record", train().returncode == 3)

# ---- each line, by the bound of its interval and not by its figure
for line, place, bad in [
    ("agreement", ("calibration", "difference"), {"kappa_w": figure(-.05, -.11, .01), "ac2": figure(-.05, -.12, .01)}),
    ("pairwise_accuracy", ("calibration", "agreement", "pairwise_accuracy"), figure(.7, .59, .8)),
    ("rho", ("reliability", "rho"), figure(.6, .49, .7)),
    ("zero_variance", ("reliability", "zero_variance"), figure(.2, .1, .31)),
    ("master_keys", ("attack", "master_keys"), figure(0, 0, .02, 190)),
    ("injection", ("attack", "injection"), figure(.005, .001, .011)),
    ("padding", ("attack", "padding"), figure(.01, 0, .021)),
    ("unparsed", ("calibration", "unparsed", "rate"), figure(.005, .001, .011)),
    ("unparsed_length", ("calibration", "unparsed", "related"), True),
    ("lint", ("lint", "errors"), 1),
    ("tpr", ("calibration", "tpr"), figure(.9, .84, .95)),
    ("tnr", ("calibration", "tnr"), figure(.9, .84, .95)),
    ("precision", ("calibration", "precision"), figure(.95, .89, .97)),
    ("policy", ("reliability", "policy"), "0123456789abcdef"),
    ("age", ("attack", "at"), now(91)),
]:
    for what, value in (("just over its bound", bad), ("unknown", None)):
        if line in ("lint", "policy") and value is None:
            continue
        docs = copy.deepcopy(GOOD)
        at = docs
        for k in place[:-1]:
            at = at[k]
        at[place[-1]] = value
        code, g, err = gate(docs, "--no-store")
        failed = [x["line"] for x in g["lines"] if not x["passed"]] if g else err
        check(f"{line} {what} fails, and it alone", code == 1 and failed == [line], failed)
    at[place[-1]] = bad
docs = copy.deepcopy(GOOD)
docs["calibration"]["difference"] = {"kappa_w": figure(-.3, -.4, -.2), "ac2": figure(-.3, -.4, -.2)}
docs["calibration"]["alt_test"] = {"passed": True}
code, g, _ = gate(docs, "--no-store")
check("the alternative-annotator test passes for agreement", code == 0 and g["verdict"] == "GO", g)
docs["calibration"]["alt_test"] = {"passed": False}
check("one that fails does not", gate(docs, "--no-store")[0] == 1)
docs = copy.deepcopy(GOOD)
docs["calibration"].update(shape="pairwise", swap_inconsistency=figure(.1, .05, .16))
for k in ("tpr", "tnr", "precision"):
    docs["calibration"][k] = {"value": None, "n": 0, "why": "a pair is neither good nor bad"}
code, g, _ = gate(docs, "--no-store")
check("pairs are asked for their order, and not for classes", code == 1 and
      [x["line"] for x in g["lines"] if not x["passed"]] == ["swap"] and "tpr" not in [x["line"] for x in g["lines"]], g)
docs = copy.deepcopy(GOOD)
docs["reliability"].update(repeats=4, rho=figure(.75, .7, .8))
code, g, _ = gate(docs, "--no-store")
rho = [x for x in g["lines"] if x["line"] == "rho"][0]
check("what four repeats reach is brought down to one", code == 1 and not rho["passed"] and abs(rho["value"]["value"] - 3 / 7) < 1e-9, rho)
check("and holds where training asks four times", gate(docs, "--no-store", "--repeats", "4")[0] == 0)
code, g, _ = gate({k: GOOD[k] for k in ("reliability", "attack")} | {"calibration": {
    "kind": "calibration", "spec": spec, "at": now(), "agreement": {"pairwise_accuracy": figure(.8, .75, .85)}}}, "--no-store", "--lines", "head")
check("a head has its own lines", code == 0 and {x["line"] for x in g["lines"]} == {
    "policy", "pairwise_accuracy", "rho", "zero_variance", "master_keys", "injection", "padding"}, g)

# ---- few labels
docs = copy.deepcopy(GOOD)
docs["calibration"].update(labels=299, tpr=figure(.86, .7, .95), tnr=figure(.86, .7, .95), precision=figure(.91, .8, .97))
code, g, _ = gate(docs, "--no-store")
check("with 299 labels the figures themselves count, and it is at best conditional", code == 0 and g["verdict"] == "GO with conditions" and
      "300" in g["conditions"][0], g)
docs["calibration"]["labels"] = 300
code, g, _ = gate(docs, "--no-store")
check("from 300 their lower bounds do", code == 1 and [x["line"] for x in g["lines"] if not x["passed"]] == ["tpr", "tnr", "precision"], g)
docs["calibration"]["negatives"] = 59
check("with 59 of a class it is the few again", gate(docs, "--no-store")[1]["verdict"] == "GO with conditions")
docs["calibration"].update(negatives=100, labels=100, tpr=figure(.84, .8, .9))
check("a figure below fails with few labels too", gate(docs, "--no-store")[0] == 1)
docs = copy.deepcopy(GOOD)
docs["lint"]["warnings"] = 2
check("warnings of lint are a condition", gate(docs, "--no-store")[1]["verdict"] == "GO with conditions")
check("a remedy tells how many more labels", "labels instead of 400" in
      [x for x in gate({**GOOD, "calibration": {**GOOD["calibration"], "tpr": figure(.9, .84, .95)}}, "--no-store")[1]["lines"] if x["line"] == "tpr"][0]["remedy"])

# ---- documents of something else
for what, kind, change, text in [
    ("of another judge", "attack", {"spec": "0" * 64}, "another judge"), ("of another kind", "attack", {"kind": "lint"}, "of the kind"),
    ("with a figure that is none", "attack", {"padding": 3}, "padding"), ("of another rubric", "lint", {"rubric": "x@y"}, "another rubric"),
    ("with a negative count", "calibration", {"tpr": {"value": 1, "lo": 1, "hi": 1, "n": -1}}, "tpr")]:
    docs = copy.deepcopy(GOOD)
    docs[kind].update(change)
    code, g, err = gate(docs, "--no-store")
    check("a report " + what + " is refused", code == 1 and text in err and g is None, err)
for name, text in (("no JSON", "{"), ("a list", "[]"), ("a number", "1")):
    put("odd.json", text)
    r = hone("judge", "gate", "--judge", "judge.lua", "--policy", "tiny", "--attack", "odd.json", "--no-store")
    check("a report that is " + name + " is refused", r.returncode == 1 and r.stderr, r.stderr)

# ---- the trainer
r = train()
check("without a record training is refused with exit 3", r.returncode == 3 and "hone judge gate" in r.stderr and not os.path.exists("run/model"), r.stderr)
check("the refusal names key and policy", key in r.stderr and policy in r.stderr, r.stderr)
code, g, _ = gate(GOOD)
check("a record is written", code == 0 and g["verdict"] == "GO")
r = train()
meta = json.load(open("run/run.json"))
check("with it training goes on, by the same key that the gate made", r.returncode == 0 and
      [(d["key"], d["decision"], d["verdict"]) for d in meta["gate"]["decisions"]] == [(key, "record", "GO")], (r.stderr, meta.get("gate")))
check("nothing was overridden", meta["gate"]["overridden"] is False)
shutil.copy("judges.sqlite", "good.sqlite")


def with_db(sql):
    for f in ("judges.sqlite", "judges.sqlite-wal", "judges.sqlite-shm"):
        if os.path.exists(f):
            os.remove(f)
    shutil.copy("good.sqlite", "judges.sqlite")
    with sqlite3.connect("judges.sqlite") as db:
        db.execute(sql)
    db.close()


with sqlite3.connect("good.sqlite") as db:
    text = db.execute("SELECT json FROM gate_decision ORDER BY id DESC").fetchone()[0]
for what, sql, said in [
    ("with another date", "UPDATE gate_decision SET expires = '2099-01-01T00:00:00Z'", "was changed"),
    ("with another verdict", "UPDATE gate_decision SET verdict = 'GO with conditions'", "was changed"),
    ("with other lines", "UPDATE gate_decision SET json = replace(json, 'rho', 'rhq')", "was changed"),
    ("for another key", "UPDATE gate_decision SET key = '" + "0" * 64 + "'", "no record"),
    ("for another policy", "UPDATE gate_decision SET policy = '0123456789abcdef'", "other policies"),
    ("that was voided", "UPDATE gate_decision SET voided = 'drift of the panel'", "drift of the panel"),
    ("removed", "DELETE FROM gate_decision", "no record"),
]:
    with_db(sql)
    r = train()
    check("a record " + what + " is refused", r.returncode == 3 and said in r.stderr, r.stderr)


def seal(row):
    import hashlib
    h = hashlib.sha256(b"hone-gate-1")
    for x in row:
        h.update(len(x.encode()).to_bytes(8, "little") + x.encode())
    return h.hexdigest()


for what, change, said in [
    ("that expired", {"expires": now(1)}, "expired"), ("of another version", {"version": 2}, "version 2"),
    ("that says NO-GO", {"verdict": "NO-GO"}, "NO-GO")]:
    doc = json.loads(text)
    doc.update(change)
    row = [doc[k] for k in ("key", "policy", "spec", "verdict", "at", "expires")] + [json.dumps(doc)]
    with_db("DELETE FROM gate_decision")
    with sqlite3.connect("judges.sqlite") as db:
        db.execute("INSERT INTO gate_decision VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row + [seal(row)])
    db.close()
    r = train()
    check("a whole record " + what + " is refused", r.returncode == 3 and said in r.stderr, r.stderr)
with_db("DELETE FROM call")
check("the untouched record still holds", train().returncode == 0)
gate({**GOOD, "lint": {"kind": "lint", "errors": 1, "warnings": 0}})
check("a later NO-GO takes its place", train().returncode == 3)
with_db("DELETE FROM call")
r = hone("judge", "gate", "--judge", "judge.lua", "--policy", "tiny", "--void", "the experts moved on")
check("--void ends it", r.returncode == 0 and "2 records voided" in r.stdout and "the experts moved on" in train().stderr, r.stdout)

# ---- drift: an alarm of the monitors that the judge moved ends its record, for the next run
with_db("DELETE FROM call")
text = open("train.lua").read()
put("train.lua", text.replace("  p:update {", """  if not run.told then run.told = true watch = run:monitor { alarm = "warn", range = { 0, 1 },
    rewards = { hone.reward { id = "other", score = function(b) return b:map(function() return 0 end) end } },
    anchors = { judge = hone.judge { id = "moves", judge = function(items) n = (n or 0) + 0.5 local o = {} for i = 1, #items do o[i] = n end return o end },
      items = { { prompt = "a", completion = "b" } }, every = 1, tolerance = 0.01 } } end
  watch(ro)
  p:update {""").replace("run:steps(1", "run:steps(3").replace("local p = run:policy", "local watch, n\nlocal p = run:policy"))
r = train()
said = r.stderr
put("train.lua", text)
r = train()
check("an alarm that anchors moved voids the record for the next run", "anchor" in said and r.returncode == 3 and "was voided: anchors, step" in r.stderr, (said, r.stderr))

# ---- what changes the judge
with_db("DELETE FROM call")
put("rubric.lua", RUBRIC.replace("close", "near"))
check("another word in the rubric voids the record", train().returncode == 3)
put("rubric.lua", "-- a remark\n" + RUBRIC)
check("another comment does not", train().returncode == 0)
r = train("--no-gate")
check("--no-gate is not written where it was not needed", json.load(open("run/run.json"))["gate"]["overridden"] is False)
put("rubric.lua", RUBRIC.replace("close", "near"))
r = train("--no-gate")
meta = json.load(open("run/run.json"))
check("--no-gate goes on and is written into the run", r.returncode == 0 and meta["gate"]["overridden"] is True and
      meta["gate"]["decisions"][0]["decision"] == "no-gate", (r.stderr, meta.get("gate")))
check("and into the model card", "without a record" in open("run/model/README.md").read())
check("and into the report", "without a record" in open("run/report.html").read())

# ---- a reward of somebody else that asks a model: gated as it is, in its box
put("peek.c", r"""
#include "hone/hone.h"
#include <stdlib.h>
#include <string.h>
struct self { const hone_host *host; hone_ref ref; double factor; };
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    (void)call; (void)notes;
    for (size_t i = 0; i < n; i++)
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)((double)hone_sample_at(in, stride, i)->completion.len * ((struct self *)self)->factor));
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    *out = s;
    s->factor = cfg->f64(cfg, 0);
    return host->get_iface(host, HONE_IFACE_SCORER, &s->ref);
}
static const hone_field *const fields[] = {HONE_F64("factor", 1, -10, 10, 0, "multiplies"), HONE_STR("token", NULL, HONE_SECRET, "a key"), NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_REWARD) ? NULL : (const void *)&table; }
static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const hone_component c = {.struct_size = sizeof c, .id = "org.test.reward.peek", .kind = HONE_KIND_REWARD, .version = "1.0.0",
    .summary = "of a test", .fields = fields, .provides = provides, .create = create, .destroy = free, .get_iface = get};
static const hone_component *const all[] = {&c, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
const hone_entry *hone_plugin_entry(void);
__attribute__((visibility("default"))) const hone_entry *hone_plugin_entry(void) { return &entry; }
""")
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def build(*more):
    subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I", root + "/sdk/include", *more, "-o", "peek.so", "peek.c"], check=True)


os.umask(0o022)
build()
os.chmod(folder, 0o755)
os.chmod("peek.so", 0o755)
put("train.lua", text.replace('hone.reward("judge", { judge = j })', 'hone.reward("peek", { factor = 2, token = "s3cr3t-s3cr3t" })'))
r = train()
check("a boxed reward that obtained the scorer is refused", r.returncode == 3 and "org.test.reward.peek" in r.stderr, r.stderr)
r = hone("judge", "run", "--judge", "peek", "--policy", "tiny", "--items", "items.jsonl", "--json")
check("a reward is asked as a judge", r.returncode == 0 and json.loads(r.stdout)["mean"]["value"] == 1, r.stderr)
PEEK = ["--judge", "peek", "--set", "factor=2", "--policy", "tiny", "--json"]
r = hone("judge", "gate", *PEEK, "--no-store")
g = json.loads(r.stdout)
docs = documents(g["spec"], g["policy"])
del docs["lint"]
r = hone("judge", "gate", *PEEK, *write(docs))
g = json.loads(r.stdout)
check("without a rubric lint is a condition", r.returncode == 0 and g["verdict"] == "GO with conditions" and "lint" not in [x["line"] for x in g["lines"]], g)
r = train()
check("its record holds in its box, whatever the secret", r.returncode == 0 and json.load(open("run/run.json"))["gate"]["decisions"][0]["key"] == g["key"], r.stderr)
check("no secret stands in the store", all(b"s3cr3t" not in open(f, "rb").read() for f in os.listdir(".") if f.startswith("judges.sqlite")))
put("train.lua", open("train.lua").read().replace("factor = 2", "factor = 3"))
check("another setting voids it", train().returncode == 3)
put("train.lua", open("train.lua").read().replace("factor = 3", "factor = 2"))
check("the first setting has it again", train().returncode == 0)
build("-DOTHER=1", "-O2")
os.chmod("peek.so", 0o755)
check("another file voids it", train().returncode == 3)

# ---- a jury: its own record vouches for those it asks, and for them alone through it
for f in ("judges.sqlite", "judges.sqlite-wal", "judges.sqlite-shm"):
    if os.path.exists(f):
        os.remove(f)
put("rubric.lua", RUBRIC)
JURY = """hone.jury { hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" }),
  { hone.judge { id = "long", judge = function(items) local o = {} for i, it in ipairs(items) do o[i] = #it.candidates[1] % 3 + 1 end return o end }, weight = 2 },
  quorum = 1 }"""
put("jury.lua", 'local hone = require "hone"\nreturn ' + JURY)
put("train.lua", text.replace('local j = hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" })', 'local j = hone.judge("jury.lua")'))
r = train()
check("a jury of an ungated judge is refused", r.returncode == 3 and "org.hone.judge.rubric" in r.stderr, r.stderr)
r = hone("judge", "gate", "--judge", "jury.lua", "--policy", "tiny", "--json", "--no-store")
g = json.loads(r.stdout)
docs = documents(g["spec"], g["policy"])
del docs["lint"]
r = hone("judge", "gate", "--judge", "jury.lua", "--policy", "tiny", "--json", *write(docs))
check("a jury is gated as one judge", r.returncode == 0, r.stderr)
r = train()
check("its record vouches for its members", r.returncode == 0 or "failed on every" in r.stderr, r.stderr)
meta = json.load(open("run/run.json"))
check("by the same key", [d["key"] for d in meta["gate"]["decisions"]] == [json.loads(hone("judge", "gate", "--judge", "jury.lua", "--policy", "tiny",
      "--json", "--no-store").stdout)["key"]], meta["gate"])
ours = open("train.lua").read()
put("train.lua", text)
check("a member alone has none", train().returncode == 3)
put("train.lua", ours)
put("jury.lua", open("jury.lua").read().replace("weight = 2", "weight = 3"))
check("another weight is another jury", train().returncode == 3)

# ---- who only watches: in metrics and rollout files, and in nobody's hands
WATCH = """
local hone = require "hone"
local core = require "hone.core"
local run = hone.run { name = "w", seed = 1 }
local p = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local w = hone.reward { id = "w", watch = true, score = function(b) return b:map(function(s) return s.id % 2 end) end }
local own = hone.reward { id = "own", score = function(b) return b:map(function(s) return #s.completion end) end }
for step, b in run:steps(1, hone.source("jsonl", { path = "rows.jsonl" }):batches(2)) do
  local ro = p:rollout(b, { n = 2, max_tokens = 4, rewards = { LIST } })
  for _, s in ipairs(ro:samples()) do assert(s.outcomes.own and not s.outcomes.w, "seen") end
  local seen
  ro:advantages(function(groups)
    local out = {}
    for i, g in ipairs(groups) do
      out[i] = {}
      for k, s in ipairs(g) do seen = seen or s.outcomes.w out[i][k] = k % 2 - 0.5 end
    end
    return out
  end)
  p:update { ro, objective = "grpo" }
  local e = p:eval { { { prompt = "2" } }, rewards = { w, own }, max_tokens = 2 }
  assert(not seen and not e.w and e.own, "seen")
  ro:_record()
  assert(core.metric "reward/own/mean" and not core.metric "reward/w/mean" and not core.metric "eval/w", "seen")
  for name in pairs(core.metrics()) do assert(not name:find "/w", name) end
  run.pending = {}
end
run:save()
"""
for order in ("w, own", "own, w"):
    put("train.lua", WATCH.replace("LIST", order))
    r = train()
    check("no recipe sees what only watches (%s)" % order, r.returncode == 0, r.stderr)
    m = [json.loads(x) for x in open("run/metrics.jsonl")][-1]
    check("metrics and run.json do", m.get("reward/w/mean") is not None and m.get("eval/w") is not None and m["reward/mean"] == m["reward/own/mean"] and
          json.load(open("run/run.json"))["gate"]["watching"] == ["w"], m)
for what, change in (("weight", "watch = true, weight = 1"), ("on_outcome", "watch = true, on_outcome = print"), ("normalize", 'watch = true, normalize = "running"')):
    put("train.lua", WATCH.replace("LIST", "own, w").replace("watch = true", change))
    check(what + " beside watch is refused", "watch = true" in train().stderr)
put("train.lua", WATCH.replace("LIST", "w, own").replace('id = "own", score', 'id = "own", gate = "w", score'))
check("a watcher lets nobody pass", "only watches" in train().stderr)
finish()
