#!/usr/bin/env python3
# judge_property.py - no path trains silently on an opinion without a record (docs/judges.md, 9): recipes and command lines are
# made of an opinion (a judge, a reward in or out of a box, one that reaches the network), a way that it takes to an update, a state of
# its record, and what happens on the way; each run must have had a record, or ended with exit 3, or say in run.json, report and card that
# it was overridden. First every opinion by every way, then combinations at random (HONE_CASES, HONE_SEED).
import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish
from judge_evidence import now

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
work = pathlib.Path(tempfile.mkdtemp(prefix="hone-judge-property-"))
os.chdir(work)
for d in ("config", "data"):
    (work / d).mkdir()
os.environ.update(XDG_CONFIG_HOME=str(work / "config"), XDG_DATA_HOME=str(work / "data"))
for name in ("HONE_JUDGES", "HONE_PLUGIN_PATH", "HONE_DATA"):
    os.environ.pop(name, None)
seed = int(os.environ.get("HONE_SEED", "7"))
cases = int(os.environ.get("HONE_CASES", "24"))

PLUGIN = r"""
#include "hone/hone.h"
#include "hone/state.h"
#include <stdlib.h>
#include <string.h>
struct self { const hone_host *host; double factor; hone_ref ref; };
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    (void)call; (void)notes;
#ifdef LATE
    hone_status st = s->host->get_iface(s->host, OBTAINS, &s->ref);
    if (st < 0) return st;
#endif
    for (size_t i = 0; i < n; i++)
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)((double)hone_sample_at(in, stride, i)->completion.len * s->factor));
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    *out = s;
    s->host = host;
    s->factor = cfg->f64(cfg, 0);
#if defined OBTAINS && !defined LATE
    return host->get_iface(host, OBTAINS, &s->ref);
#else
    return HONE_OK;
#endif
}
static hone_status apply(void *self, const hone_config *cfg) { ((struct self *)self)->factor = cfg->f64(cfg, 0); return HONE_OK; }
static const hone_live_v1 live = {.struct_size = sizeof live, .apply = apply};
static const hone_field *const fields[] = {HONE_F64("factor", 1, -10, 10, HONE_LIVE, "multiplies"), NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get(void *self, const char *id)
{
    (void)self;
    return !strcmp(id, HONE_IFACE_REWARD) ? (const void *)&table : !strcmp(id, HONE_IFACE_LIVE) ? (const void *)&live : NULL;
}
static const char *const provides[] = {HONE_IFACE_REWARD, HONE_IFACE_LIVE, NULL};
static const hone_component c = {.struct_size = sizeof c, .id = "org.test.reward." NAME, .kind = HONE_KIND_REWARD, .version = "1.0.0",
    .summary = "of a test", .caps = CAPS, .fields = fields, .provides = provides, .create = create, .destroy = free, .get_iface = get};
static const hone_component *const all[] = {&c, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
const hone_entry *hone_plugin_entry(void);
__attribute__((visibility("default"))) const hone_entry *hone_plugin_entry(void) { return &entry; }
"""


def build(name, *defines):
    source = work / (name + ".c")
    source.write_text(PLUGIN)
    so = work / (name + ".so")
    subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "sdk/include"), f'-DNAME="{name}"',
                    *defines, "-o", str(so), str(source)], check=True)


build("plain", "-DCAPS=0")
build("peek", "-DCAPS=0", "-DOBTAINS=HONE_IFACE_SCORER")
build("late", "-DCAPS=0", "-DOBTAINS=HONE_IFACE_SCORER", "-DLATE")
build("wire", "-DCAPS=HONE_CAP_NET", "-DOBTAINS=HONE_IFACE_HTTP")
build("near", "-DCAPS=0", "-DOBTAINS=HONE_IFACE_SCORER")
r = subprocess.run([HONE, "plugin", "trust", "./near.so"], capture_output=True, text=True)
assert r.returncode == 0, r.stderr
RUBRIC = """return { id = "q", version = "1", shape = "pointwise", task = "Answers.",
  scale = { min = 1, max = 3, anchors = { "wrong", "partly right", "right" } } }
"""
(work / "rows.jsonl").write_text("".join('{"prompt":"Tom has %d apples and 3 pears. How many?"}\n' % i for i in range(4)))

# ---- opinions: what a recipe makes, as `j` (a judge, or NIL) and `r` (a reward's settings go into it)
OPINIONS = {
    "plain": (False, 'hone.reward("plain", { SET })'),
    "peek": (True, 'hone.reward("peek", { SET })'),
    "late": (True, 'hone.reward("late", { SET })'),
    "wire": (True, 'hone.reward("wire", { SET })'),
    "near": (True, 'hone.reward("near", { SET })'),
    "judge": (True, 'hone.reward("judge", { judge = hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" }), SET })'),
    "jury": (True, 'hone.reward("judge", { judge = hone.jury { hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" }), SET0 }, SET })'),
    "wrapped": (True, '''(function()
      local inner = hone.judge("rubric", { rubric = "rubric.lua", backend = "policy" })
      return hone.reward("judge", { judge = hone.judge { id = "UNIQUE", judge = function(items)
        local list, out = {}, {}
        for i, it in ipairs(items) do list[i] = { id = i, prompt = it.prompt, candidates = { it.candidates[1] } } end
        for _, v in ipairs(inner:judge(list)) do out[v.item + 1] = { score = v.verdict.status == 1 and v.verdict.score or 1 } end
        for i = 1, #items do out[i] = out[i] or 1 end
        return out
      end }, SET })
    end)()'''),
}
# ---- ways: what is done with the opinion. {r}: the reward; own(): a reward that asks nobody. Does it reach an update?
ASK = 'local function ask() local c = p:rollout({ { prompt = "1" } }, { n = 1, max_tokens = 2, rewards = { OP } }) return #c:samples() end\n'
HANDLE = """local h = hone.component("reward", "peek", {})
local function ask() h:score({ { id = 1, completion = "x" } }) return 1 end
"""
WAYS = {
    "reward": (True, "", "{ OP }", "", ""),
    "one of two": (True, "", "{ OP, own }", "", ""),
    "weight 0": (True, "", "{ own, OPW }", "", ""),
    "watching": (False, "", "{ own, OPWATCH }", "", ""),
    "scored again": (True, "", "{ own }", "ro:score { OP }", ""),
    "on_outcome": (True, ASK, '{ hone.reward { id = "own", score = len, on_outcome = function(o, s) return #s.completion + 0.0 end }, OPOUT }', "", ""),
    "loop": (True, ASK, "{ own }", "local n = ask() if n < 0 then break end", ""),
    "before the loop": (True, ASK + "ask()\n", "{ own }", "", ""),
    "afterwards": (False, ASK, "{ own }", "", "ask()\n"),
    "evaluation": (True, 'p:eval { { { prompt = "2" } }, rewards = { OP }, max_tokens = 2 }\n', "{ own }", "", ""),
    "watching evaluation": (False, 'p:eval { { { prompt = "2" } }, rewards = { OPWATCH }, max_tokens = 2 }\n', "{ own }", "", ""),
    "rows": (True, ASK, "{ own }", "", "", "filter(function() return ask() >= 0 end):"),
    "sft": (True, ASK, None, "ask()", ""),
    "caught": (True, "", "{ OP }", "", "", "", True),
    "gate of another": (True, "", '{ OPID, hone.reward { id = "own", score = len, gate = { "OPID", at = -1e9 } } }', "", ""),
    "lua reward": (True, HANDLE, '{ hone.reward { id = "own", score = function(b) ask() return len(b) end } }', "", "", "", False, ("peek",)),
    "own judge": (True, HANDLE, """{ hone.reward("judge", { judge = hone.judge { id = "mine", judge = function(items)
      local out = {} for i = 1, #items do out[i] = ask() end return out end } }) }""", "", "", "", False, ("peek",)),
    "outcome": (True, HANDLE, '{ hone.reward { id = "own", score = len, on_outcome = function() return ask() + 0.0 end } }', "", "", "", False,
                ("peek",)),
    "advantage": (True, HANDLE + "local dealt = deal deal = function(g) ask() return dealt(g) end\n", "{ own }", "", "", "", False, ("peek",)),
    "objective": (True, HANDLE + "objective = function(b) ask() return (b.logp - b.old_logp):exp():masked_mean(b.mask) end\n", "{ own }", "", "",
                  "", False, ("peek",)),
    "stop": (True, HANDLE + "sampling.stop = function() return ask() > 5 end\n", "{ own }", "", "", "", False, ("peek",)),
    "coroutine": (True, HANDLE, "{ own }", "coroutine.wrap(ask)()", "", "", False, ("peek",)),
    "another thread": (True, HANDLE, """{ hone.reward("judge", { judge = hone.judge { id = "far", judge = function(items)
      local out = {} for i = 1, #items do out[i] = coroutine.wrap(ask)() end return out end } }), own }""", "", "", "", False, ("peek",)),
    "watched, then asked": (True, HANDLE, "{ own, OPWATCH }", "ask()", "", "", False, ("peek",)),
    "component": (True, 'local h = hone.component("reward", "peek", {})\n', None, "h:score({ { id = 1, completion = \"x\" } })", "", "", False, ("peek",)),
}


def recipe(opinion, way, steps=2, change=False):
    _, text = OPINIONS[opinion]
    w = WAYS[way]
    before, rewards, after_rollout, end = w[1:5]
    stage = w[5] if len(w) > 5 else ""
    caught = len(w) > 6 and w[6]

    made = itertools.count()

    def op(extra):
        settings = extra + (", " if extra and opinion in ("plain", "peek", "late", "wire", "near") else "")
        if opinion == "jury":
            out = text.replace("SET0", 'hone.judge { id = "UNIQUE", judge = function(items) local o = {} for i = 1, #items do o[i] = 1 end return o end }')
        else:
            out = text
        return out.replace("SET", settings.rstrip(", ")).replace("UNIQUE", "judge%d" % next(made))

    def fill(s):
        return (s.replace("OPWATCH", op('id = "w", watch = true')).replace("OPW", op('id = "w", weight = 0'))
                .replace('{ "OPID"', '{ "g"').replace("OPID", op('id = "g", weight = 0'))
                .replace("OPOUT", op('id = "o", on_outcome = function() return 0.5 end')).replace("OP", "op"))
    train = "p:update { ro, objective = objective, advantage = deal }"
    if rewards is None:
        train = 'p:update { { prompt = "a", completion = "b" }, objective = "sft" }'
    if caught:
        train = "pcall(function() %s end) pcall(function() %s end)" % (train, train)
    lines = f"""
local hone = require "hone"
local run = hone.run {{ name = "g", seed = 1, checkpoint = {{ every = 1 }} }}
local p = run:policy {{ model = "tiny", optimizer = {{ "adamw", lr = 1e-5 }} }}
local function len(batch) return batch:map(function(s) return #s.completion end) end
local own = hone.reward {{ id = "plainly", score = len }}
local op = {op('id = "op"') if way != "component" else "nil"}
local function deal(groups)
  local out = {{}}
  for i, g in ipairs(groups) do out[i] = {{}} for k in ipairs(g) do out[i][k] = k % 2 - 0.5 end end
  return out
end
local objective, sampling = "grpo", {{ n = 2, max_tokens = 3 }}
{fill(before)}
local rewards = {fill(rewards) if rewards else "nil"}
for step, b in run:steps({steps}, hone.source("jsonl", {{ path = "rows.jsonl" }}):{fill(stage)}epochs(0):batches(1)) do
  local ro = p:rollout(b, {{ n = sampling.n, max_tokens = sampling.max_tokens, stop = sampling.stop, rewards = rewards }})
  {fill(after_rollout)}
  {train}
  {'if step == 1 then hone.set(op, { factor = -1 }) end' if change else ''}
end
{fill(end)}
run:save()
"""
    (work / "recipe.lua").write_text(lines)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, timeout=120)


def seal(row):
    h = hashlib.sha256(b"hone-gate-1")
    for x in row:
        h.update(len(x.encode()).to_bytes(8, "little") + x.encode())
    return h.hexdigest()


def put_record(key, of, **change):
    """A record that the gate would write of this key; `change` spoils it."""
    doc = {"kind": "gate", "version": 1, "verdict": "GO", "key": key, "spec": "s", "policy": of, "at": now(), "expires": now(-90),
           "lines": [], "conditions": []}
    doc.update({k: v for k, v in change.items() if k != "edit"})
    row = [doc[k] for k in ("key", "policy", "spec", "verdict", "at", "expires")] + [json.dumps(doc)]
    sealed = seal(row)
    if change.get("edit"):
        row[4] = now(5)
    if not os.path.exists("judges.sqlite"):
        hone("judge", "run", "--judge", "empty.lua", "--items", "rows1.jsonl")
    with sqlite3.connect("judges.sqlite") as db:
        db.execute("INSERT INTO gate_decision VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row + [sealed])
    db.close()


(work / "rows1.jsonl").write_text('{"prompt":"a","completion":"b"}\n')
(work / "empty.lua").write_text('local hone = require "hone" return hone.judge { id = "e", judge = function(i) return { 1 } end }')
SPOILT = {"expired": {"expires": now(1)}, "edited": {"edit": True}, "NO-GO": {"verdict": "NO-GO"}, "version": {"version": 9},
          "policy": {"policy": "0123456789abcdef"}}


def trained(folder):
    try:
        return sum(1 for _ in open(f"{folder}/metrics.jsonl"))
    except OSError:
        return 0


def judged(r, folder, name):
    """The property of one run, by what it left behind: silent means trained without a record and without saying so."""
    meta = json.load(open(f"{folder}/run.json")) if os.path.exists(f"{folder}/run.json") else {}
    gate = meta.get("gate") or {}
    how = {d["decision"] for d in gate.get("decisions", [])}
    done = r.returncode == 0 or "failed on every sample" in r.stderr  # which is said at the end, when all is trained and saved
    if done and gate.get("overridden"):
        if r.returncode:
            hone("report", folder)
        card, page = (open(f"{folder}/{f}").read() if os.path.exists(f"{folder}/{f}") else "" for f in ("model/README.md", "report.html"))
        check(name + ": the override stands in card and report", "without a record" in card and "without a record" in page, gate)
        return "overridden"
    if done:
        return "record" if how & {"record", "kept"} else "watched" if gate.get("watching") else "nothing"
    if r.returncode == 3:
        check(name + ": nothing is saved by a refused run", not os.path.exists(f"{folder}/model/README.md"))
        return "refused"
    return "failed"


def clean():
    shutil.rmtree("run", ignore_errors=True)
    shutil.rmtree("run2", ignore_errors=True)
    for f in ("judges.sqlite", "judges.sqlite-wal", "judges.sqlite-shm"):
        if os.path.exists(f):
            os.remove(f)
    (work / "rubric.lua").write_text(RUBRIC)


def run(*args):
    return hone("run", "recipe.lua", "--run-dir", "run", "--quiet", "--allow", "wire:net", *args)


def expected(opinion, way):
    holds, w = OPINIONS[opinion][0], WAYS[way]
    return (holds or len(w) > 7) and w[0]


def refused_key(r):
    key = [x.split()[1] for x in r.stderr.splitlines() if x.strip().startswith("key ")]
    policy = [x.split()[1] for x in r.stderr.splitlines() if x.strip().startswith("policy ")]
    return (key[0], policy[0]) if key and policy else (None, None)


keys = {}
for opinion, way in itertools.product(OPINIONS, WAYS):
    if len(WAYS[way]) > 7 and opinion not in WAYS[way][7]:
        continue
    name = f"{opinion} / {way}"
    clean()
    recipe(opinion, way, steps=1)
    r = run()
    got = judged(r, "run", name)
    want = ("refused",) if expected(opinion, way) else ("nothing", "watched")
    check(name + " without a record", got in want, (got, r.returncode, r.stderr[-700:]))
    if got == "refused":
        key, policy = refused_key(r)
        if key and key != "none":
            keys[(opinion, way)] = (key, policy)

# ---- at random: states of records, flags, changes on the way, branches, resumed runs
rng = random.Random(seed)
every = list(itertools.product([o for o in OPINIONS if o != "plain"], [w for w in WAYS if len(WAYS[w]) <= 7]))
for n in range(cases):
    opinion, way = rng.choice(every)
    state = rng.choice(["none", "good", "good", "good", *SPOILT])
    flag = rng.choice([(), (), ("--no-gate",)])
    event = rng.choice(["", "", "set", "rubric", "from", "resume", "resume rubric"])
    name = f"{n}: {opinion} / {way} / {state} / {' '.join(flag)} / {event}"
    clean()
    key, policy = keys.get((opinion, way), (None, None))
    change = event == "set" and opinion in ("peek", "late", "near", "wire") and way in ("reward", "one of two")
    recipe(opinion, way, steps=2, change=change)
    if state != "none" and key:
        put_record(key, policy, **SPOILT.get(state, {}))
    if event == "rubric":
        (work / "rubric.lua").write_text(RUBRIC.replace("partly", "half"))
    rubric_judge = opinion in ("judge", "jury", "wrapped")
    r = run(*flag)
    got = judged(r, "run", name)
    valid = key and state == "good" and not change and not (event == "rubric" and rubric_judge)
    if not expected(opinion, way):
        want = ("nothing", "watched")
    elif valid:
        want = ("record",)
    else:
        want = ("overridden",) if flag else ("refused",)
    check(name, got in want, (got, want, r.returncode, r.stderr[-700:]))
    if event == "from" and got in ("record", "overridden") and os.path.isdir("run/checkpoints"):
        # a branch is a run of its own: it asks again
        for f in ("judges.sqlite", "judges.sqlite-wal", "judges.sqlite-shm"):
            if os.path.exists(f):
                os.remove(f)
        if n % 2:  # a store that cannot be read allows nothing either
            (work / "judges.sqlite").write_text("no database, but long enough to be taken for one by its size alone ........\n" * 20)
        r = hone("run", "recipe.lua", "--run-dir", "run2", "--quiet", "--allow", "wire:net", "--from", "run@1")
        check(name + ": a branch asks for its own record", judged(r, "run2", name) == "refused" or r.returncode in (1, 3) and n % 2, (r.returncode, r.stderr[-500:]))
    if event.startswith("resume") and got in ("record", "overridden"):
        # as if it had been killed behind its first checkpoint
        meta = json.load(open("run/run.json"))
        meta.pop("finished", None)
        json.dump(meta, open("run/run.json", "w"))
        for d in sorted(os.listdir("run/checkpoints"))[1:]:
            shutil.rmtree("run/checkpoints/" + d)
        shutil.rmtree("run/model", ignore_errors=True)
        if os.path.exists("judges.sqlite"):
            with sqlite3.connect("judges.sqlite") as db:
                db.execute("DELETE FROM gate_decision")
            db.close()
        if event == "resume rubric":
            (work / "rubric.lua").write_text(RUBRIC.replace("partly", "half"))
        r = hone("resume", "run", "--quiet", "--allow", "wire:net")
        again = judged(r, "run", name)
        changed = event == "resume rubric" and rubric_judge
        want = ("overridden",) if got == "overridden" else ("refused",) if changed else ("record",)
        check(name + ": a resumed run keeps its decision", again in want, (again, want, r.returncode, r.stderr[-700:]))
finish()
