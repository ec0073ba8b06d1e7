#!/usr/bin/env python3
# similarity.py - the reward `similarity` in training: that the embeddings are those of the model that is named, and that the gate
# (docs/judges.md, 9) asks for a record, with the lines of a head. What the cosine comes to is tested in local_models.py.
# And the reward `reward_model`, which asks for one as well: a record of the judge of that name holds for it.
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish
from judge_evidence import documents, figure, now, write

HONE = os.environ["HONE"]
folder = tempfile.TemporaryDirectory(prefix="hone-similarity-")
os.chdir(folder.name)
os.environ.pop("HONE_JUDGES", None)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, timeout=300)


def put(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


put("rows.jsonl", "".join(json.dumps({"prompt": f"Tom has {i} apples and 3 pears. How many?", "answer": [f"Tom has {i + 3}.", str(i + 3)]}) + "\n"
                          for i in range(4)))
put("train.lua", """
local hone = require "hone"
local o = hone.params { model = { "", "who embeds" }, steps = { 1, "updates" }, watch = { false, "watches only" } }
local run = hone.run { name = "s", seed = 1 }
local policy = run:policy { model = "tiny", lora = { rank = 4 }, optimizer = { "adamw", lr = 0.05 } }
local near = hone.reward("similarity", { model = o.model, watch = o.watch })
local rewards = { near, hone.reward { id = "short", score = function(batch) return batch:map(function(s) return -#s.completion end) end } }
local function cosine(a, b)
  local ab, aa, bb = 0, 0, 0
  for i = 1, #a do ab, aa, bb = ab + a[i] * b[i], aa + a[i] * a[i], bb + b[i] * b[i] end
  return ab / (math.sqrt(aa) * math.sqrt(bb))
end
for step, b in run:steps(o.steps, hone.source("jsonl", { path = "rows.jsonl" }):epochs(0):batches(4)) do
  local ro = policy:rollout(b, { n = 2, max_tokens = 6, rewards = rewards })
  for _, s in ipairs(ro:samples()) do
    local got = s.outcomes.similarity
    if not o.watch and got.status == "score" then
      local want = -1
      for _, r in ipairs(s.columns.answer) do want = math.max(want, cosine(table.unpack(policy:embed { s.completion, r }))) end
      print(string.format("SAMPLE %d %.9g %.9g", step, got.score, want))
    end
  end
  policy:update { ro, objective = "grpo" }
end
""")


def train(*args, run="run"):
    subprocess.run(["rm", "-rf", run])
    return hone("run", "train.lua", "--run-dir", run, "--quiet", *args)


def samples(r):
    return [(int(x[1]), float(x[2]), float(x[3])) for x in map(str.split, r.stdout.splitlines()) if x and x[0] == "SAMPLE"]


# ---- the trainer asks for a record, whichever model embeds
for model in ("", "base", "model:tiny"):
    r = train(f"model={model}")
    check(f"model {model!r}: training without a record is refused with exit 3", r.returncode == 3 and
          "org.hone.reward.similarity obtained hone.model.scorer/1" in r.stderr and "hone judge gate" in r.stderr, (r.returncode, r.stderr))
check("as a watcher it needs none", train("watch=true").returncode == 0)
r = train("--no-gate", "steps=3")
meta = json.load(open("run/run.json"))
check("--no-gate trains, and the run says so", r.returncode == 0 and meta["gate"]["overridden"] is True, (r.stderr, meta.get("gate")))
got = samples(r)
check("the scores are cosines of policy:embed, with the adapter as it is then", len(got) > 10 and {s[0] for s in got} == {1, 2, 3} and
      all(abs(a - b) < 1e-6 for _, a, b in got), got[:5])
base = samples(train("--no-gate", "steps=3", "model=base"))
check("the base's are those of the first step until the adapter moves", all(abs(a - b) < 1e-6 for s, a, b in base if s == 1) and
      any(abs(a - b) > 1e-4 for s, a, b in base if s == 3), base[-4:])
check("a model that is not there ends the run", train("--no-gate", "model=model:no-such-model").returncode != 0)
one, two = samples(train("--no-gate", "steps=2")), samples(train("--no-gate", "steps=2"))
check("twice the same", one == two and one)

# ---- the gate
judge = ("--judge", "similarity", "--set", "model=base", "--policy", "tiny")
r = hone("judge", "gate", *judge, "--json")
g = json.loads(r.stdout)
check("nothing measured is NO-GO, on the lines of a head", r.returncode == 1 and g["verdict"] == "NO-GO" and [x["line"] for x in g["lines"]] == [
    "policy", "pairwise_accuracy", "rho", "zero_variance", "master_keys", "injection", "padding"] and g["lines_of"] == "head", (r.stderr, g))
docs = documents(g["spec"], g["policy"])
docs = {"calibration": {"kind": "calibration", "spec": g["spec"], "at": now(), "agreement": {"pairwise_accuracy": figure(.8, .75, .85)}},
        "reliability": docs["reliability"], "attack": docs["attack"]}
r = hone("judge", "gate", *judge, "--json", *write(docs))
check("evidence on them is a GO", r.returncode == 0 and json.loads(r.stdout)["verdict"] == "GO", (r.stderr, r.stdout))
r = train("model=base")
meta = json.load(open("run/run.json"))
check("with the record training goes on", r.returncode == 0 and [(d["key"], d["decision"]) for d in meta["gate"]["decisions"]] == [(g["key"], "record")] and
      meta["gate"]["overridden"] is False, (r.stderr, meta.get("gate")))
check("it does not hold for another model", train("model=model:tiny").returncode == 3)
docs["attack"]["padding"] = figure(.1, .05, .2)
check("one that is fooled by padding is NO-GO", hone("judge", "gate", *judge, "--json", *write(docs)).returncode == 1 and train("model=base").returncode == 3)

# ---- and it can be measured
put("items.jsonl", "".join(json.dumps({"id": f"{i}{k}", "prompt": "How many?", "prompt_id": str(i), "answer": f"Tom has {i} apples.",
                                       "completion": f"Tom has {i + 4 * k} apples" + (" and pears" if k else ".")}) + "\n" for i in range(6) for k in range(2)))
r = hone("judge", "attack", *judge, "--items", "items.jsonl", "--json", "--no-store")
check("hone judge attack asks it", r.returncode in (0, 1) and json.loads(r.stdout)["kind"] == "attack", r.stderr)
put("pairs.jsonl", json.dumps({"prompt": "q", "answer": "7 apples", "candidates": ["x y z", "7 apples"]}) + "\n")
r = hone("judge", "run", "--judge", "similarity", "--set", "model=model:tiny", "--items", "pairs.jsonl", "--out", "v.jsonl", "--no-store")
check("of two answers the nearer one is better", r.returncode == 0 and json.load(open("v.jsonl"))["score"] == -1, r.stderr)

# ---- the reward `reward_model`: one judge with the judge of that name
r = hone("run", "reward_model", "steps=1", "eval=0", "--run-dir", "rm", "--quiet")
check("a reward model is trained and saved", r.returncode == 0, r.stderr)
put("rewarded.lua", """
local hone = require "hone"
local o = hone.params { as = { "reward", "reward or judge" }, model = { "rm/model", "the model" } }
local run = hone.run { name = "r", seed = 1 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local rewards = { o.as == "reward" and hone.reward("reward_model", { model = o.model })
  or hone.reward("judge", { id = "reward_model", judge = hone.judge("reward_model", { model = o.model }) }) }
local ro = policy:rollout(hone.source("jsonl", { path = "rows.jsonl" }):list(), { n = 2, max_tokens = 6, rewards = rewards })
for _, s in ipairs(ro:samples()) do print(string.format("SCORE %.9g", s.outcomes.reward_model.score)) end
policy:update { ro, objective = "grpo" }
""")


def rewarded(*args):
    subprocess.run(["rm", "-rf", "run2"])
    r = hone("run", "rewarded.lua", "--run-dir", "run2", "--quiet", *args)
    return r, [x for x in r.stdout.splitlines() if x.startswith("SCORE")]


r, _ = rewarded()
check("training on it without a record is refused", r.returncode == 3 and "org.hone.reward.reward_model obtained hone.model.scorer/1" in r.stderr, r.stderr)
r, as_reward = rewarded("--no-gate")
check("--no-gate trains, and the run says so", r.returncode == 0 and json.load(open("run2/run.json"))["gate"]["overridden"] is True, r.stderr)
r, as_judge = rewarded("--no-gate", "as=judge")
check("it gives the judge's scores", as_reward == as_judge and len(as_reward) == 8 and len(set(as_reward)) > 1, (as_reward, as_judge))
head = ("--judge", "reward_model", "--set", "model=rm/model", "--policy", "tiny")
g = json.loads(hone("judge", "gate", *head, "--json").stdout)
docs = documents(g["spec"], g["policy"])
docs = {"calibration": {"kind": "calibration", "spec": g["spec"], "at": now(), "agreement": {"pairwise_accuracy": figure(.8, .75, .85)}},
        "reliability": docs["reliability"], "attack": docs["attack"]}
r = hone("judge", "gate", *head, "--json", *write(docs))
check("a record of the judge", r.returncode == 0 and json.loads(r.stdout)["verdict"] == "GO", (r.stderr, r.stdout[-300:]))
for way in "reward", "judge":
    r, _ = rewarded(f"as={way}")
    gate = json.load(open("run2/run.json"))["gate"] if r.returncode == 0 else {}
    check(f"holds for it as a {way}", r.returncode == 0 and [(d["key"], d["decision"]) for d in gate["decisions"]] == [(g["key"], "record")], (r.stderr, gate))
r = hone("run", "reward_model", "steps=2", "eval=0", "--run-dir", "rm2", "--quiet")
check("and for no other model", rewarded("model=rm2/model")[0].returncode == 3)
finish()
