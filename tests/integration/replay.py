"""replay.py - `hone replay`: recorded samples scored anew, beside what was recorded. Advantages, gradient and their comparison are computed here
again from the formulas (GRPO's groups, REINFORCE's leave-one-out, the policy gradient at ratio 1) and compared number by number."""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def replay(*args):
    r = hone("replay", *args, "--json")
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    return r, lines[:-1], lines[-1]["total"] if lines else {}


def corr(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / math.sqrt(xx * yy)


def close(a, b, eps=1e-6):
    return a is not None and abs(a - b) <= eps * max(1, abs(b))


RECIPE = """
local hone = require "hone"
local run = hone.run { name = "r", seed = 11 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local rows = {}
for i = 1, 4 do rows[i] = { prompt = ("Ann has %d birds. She gets 4 more. How many birds has Ann?\\n"):format(i), answer = tostring(i + 4) } end
local rewards = {
  hone.reward { id = "even", score = function(b) return b:map(function(s) return #s.completion % 3 end) end },
  hone.reward { id = "short", weight = 0.5, score = function(b)
    return b:map(function(s) if #s.completion % 11 == 3 then return hone.abstain end return -#s.completion / 20 end) end },
}
for step, prompts in run:steps(3, hone.rows(rows):epochs():batches(4)) do
  policy:update { policy:rollout(prompts, { n = 6, max_tokens = 30, temperature = 1.6, rewards = rewards }), objective = "grpo", advantage = "group" }
end
"""
with open("r.lua", "w") as f:
    f.write(RECIPE)
r = hone("run", "r.lua", "--run-dir", "run")
check("a run to look at", r.returncode == 0, r.stderr)
zstd = shutil.which("zstd")
if not zstd:
    skip("replay", "there is no zstd to read the rollouts with", 20)
    finish()
samples = [json.loads(x) for x in subprocess.run([zstd, "-dc", "run/rollouts.jsonl.zst"], capture_output=True, text=True).stdout.splitlines()]
steps = {k: [s for s in samples if s["step"] == k] for k in (1, 2, 3)}
meta = json.load(open("run/run.json"))
check("run.json says by which method it learned", meta["methods"]["policy"] == {"objective": "grpo", "advantage": "group"}, meta.get("methods"))

# ---- nothing else: the same ----------------------------------------------------------------------------------
r, rows, total = replay("run", "--recorded", "even", "--recorded", "short=0.5")
check("what was recorded, with its weights, gives what was recorded", r.returncode == 0 and len(rows) == 3 and close(total["advantage_correlation"], 1) and
      close(total["gradient_cosine"], 1) and close(total["gradient_norm_ratio"], 1, 1e-4) and total["sign_changes"] == 0, (r.stderr, total))
check("those that a reward abstained of are left out on both sides", total.get("left_out_was") == total.get("left_out_now") ==
      sum(s.get("left_out", False) for s in samples) > 0, total)
before = {p: os.stat("run/" + p).st_mtime_ns for p in os.listdir("run")}

# ---- another reward, by the formulas ----------------------------------------------------------------------------


def group_advantage(v):
    mean = sum(v) / len(v)
    std = math.sqrt(sum((x - mean) ** 2 for x in v) / (len(v) - 1))
    return [(x - mean) / (std + 1e-6) if std > 0 else 0.0 for x in v]


def leave_one_out(v):
    return [x - (sum(v) - x) / (len(v) - 1) for x in v]


def groups(step):
    out = {}
    for s in step:
        out.setdefault(s["group"], []).append(s)
    return list(out.values())


def gradient(step, advantage, per_token):
    """d loss / d log-prob at ratio 1, of tokens one after another: the mean over each completion and then over completions, or over all tokens."""
    kept = [s for s in step if advantage[s["sample"]] is not None]
    tokens, out = sum(len(s["ids"]) for s in kept), []
    for s in step:
        a = advantage[s["sample"]]
        share = 0 if a is None else a / tokens if per_token else a / len(kept) / len(s["ids"])
        out += [-share] * len(s["ids"])
    return out


def compare(args, advantage_of, score_of, per_token):
    r, rows, total = replay("run", *args)
    check(f"{' '.join(args)}: it runs", r.returncode == 0 and len(rows) == 3, r.stderr)
    for row in rows:
        step, was, now, text = steps[row["step"]], {}, {}, ""
        for k, g in enumerate(groups(step)):
            for s, a in zip(g, advantage_of([score_of(s) for s in g])):
                now[s["sample"]] = a
                was[s["sample"]] = None if s.get("left_out") else s["advantage"]
            told = row["by_group"][k]
            if any(not close(x, now[s["sample"]], 1e-5) for s, x in zip(g, told["advantage_now"])) or \
                    any(not close(x, was[s["sample"]] or 0.0) for s, x in zip(g, told["advantage_was"])):
                text = str(told)
        both = [s["sample"] for s in step if was[s["sample"]] is not None]
        x, y = [was[i] for i in both], [now[i] for i in both]
        check(f"step {row['step']}: advantages of each group", text == "" and len(row["by_group"]) == 4, text)
        check(f"step {row['step']}: their correlation", close(row["advantage_correlation"], corr(x, y), 1e-4), (row["advantage_correlation"], corr(x, y)))
        check(f"step {row['step']}: signs that changed, gained and lost", [row["sign_changes"], row["gained"], row["lost"]] ==
              [sum(a * b < 0 for a, b in zip(x, y)), sum(a == 0 != b for a, b in zip(x, y)), sum(b == 0 != a for a, b in zip(x, y))], row)
        a, b = gradient(step, was, False), gradient(step, now, per_token)
        dot, na, nb = sum(p * q for p, q in zip(a, b)), math.sqrt(sum(p * p for p in a)), math.sqrt(sum(q * q for q in b))
        check(f"step {row['step']}: the gradient's direction and size", close(row["gradient_cosine"], dot / na / nb, 1e-4) and
              close(row["gradient_norm_ratio"], nb / na, 1e-4), (row["gradient_cosine"], dot / na / nb, row["gradient_norm_ratio"], nb / na))


compare(["--recorded", "even=2"], group_advantage, lambda s: 2.0 * s["outcomes"]["even"]["score"], False)
compare(["--reward", "length", "--set", "unit=tokens", "--set", "value=16", "--advantage", "rloo", "--objective", "dapo"], leave_one_out,
        lambda s: 1.0 if len(s["ids"]) <= 16 else 0.0, True)
check("nothing was written", before == {p: os.stat("run/" + p).st_mtime_ns for p in os.listdir("run")})

# ---- as text; parts of the run --------------------------------------------------------------------------------
r = hone("replay", "run", "--reward", "length", "--set", "value=40", "--show", "1")
check("as text: a line a step, a sum, the group that changed most", r.returncode == 0 and len([x for x in r.stdout.splitlines() if x[:6].strip() in
      ("1", "2", "3", "all")]) == 4 and "sign of the advantage changed:" in r.stdout and r.stdout.count('", "Ann') + r.stdout.count(', "Ann') == 1, r.stdout)
r, rows, total = replay("run", "--recorded", "even", "--steps", "2..")
check("of some steps", [x["step"] for x in rows] == [2, 3] and total["steps"] == 2, rows)
r = hone("replay", "run", "--recorded", "even", "--steps", "7")
check("of steps that are not there: said", r.returncode == 1 and "no samples of these steps" in r.stderr, r.stderr)

# ---- what cannot be -------------------------------------------------------------------------------------------
for args, code, words in ((["--objective", "dpo"], 1, "preference pairs"), ([], 2, "nothing would differ"), (["--reward", "no_such"], 1, "no_such"),
                          (["--recorded", "even=x"], 2, "NAME=WEIGHT"), (["--recorded", "even", "--steps", "3..2"], 2, "--steps"),
                          (["--recorded", "even", "--objective", "gkd"], 1, "rollouts do not hold"), (["--advantage", "nope"], 1, "nope")):
    r = hone("replay", "run", *args)
    check(f"refused: {' '.join(args)}", r.returncode == code and words in r.stderr, (r.returncode, r.stderr))
shutil.copytree("run", "bad")
whole = open("run/rollouts.jsonl.zst", "rb").read()
frames = [i for i in range(len(whole)) if whole[i:i + 4] == b"\x28\xb5\x2f\xfd"]
with open("bad/rollouts.jsonl.zst", "wb") as f:
    f.write(whole[:-20])
r = hone("replay", "bad", "--recorded", "even", "--json")
check("a file that is cut off is replayed as far as it goes, and that is said", r.returncode == 0 and "cut off" in r.stderr and
      len(r.stdout.splitlines()) == len(frames) - 1 + 1, (r.stderr, len(frames)))


def damaged(text):
    with open("line", "w") as f:
        f.write(text + "\n")
    with open("bad/rollouts.jsonl.zst", "wb") as f:
        f.write(whole + subprocess.run([zstd, "-qc", "line"], capture_output=True).stdout)
    return hone("replay", "bad", "--recorded", "even")


good = {"step": 4, "completion": "x", "ids": [1, 2], "logprobs": [-1, -0.5]}
for name, change in (("no object", None), ("no step", {"step": 1.5}), ("ids", {"ids": [1, -2]}), ("few log-probs", {"logprobs": [-1]}),
                     ("a log-prob above 0", {"logprobs": [-1, 3]}), ("a text for a number", {"logprobs": [-1, "x"]}), ("a step of text", {"step": "4"}),
                     ("a list for a text", {"completion": []})):
    r = damaged("[1]" if change is None else json.dumps({**good, **change}))
    check(f"a damaged line is named: {name}", r.returncode == 1 and f"line {len(samples) + 1}" in r.stderr, r.stderr)
r = damaged(json.dumps(good))
check("one that is whole is taken, without outcomes and advantages too", r.returncode == 0, r.stderr)
os.remove("bad/rollouts.jsonl.zst")
r = hone("replay", "bad", "--recorded", "even")
check("a run without rollouts: said", r.returncode == 1 and "drew no samples" in r.stderr, r.stderr)
finish()
