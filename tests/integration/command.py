"""command.py - programs as rewards, judges and sources: the protocol, what goes wrong in it, and the grant it needs.

The programs are written here; all run in boxes, so without Landlock and seccomp (or python3) they are skipped.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def hone(*args, env=None, timeout=120):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         env={**os.environ, **(env or {})}, timeout=timeout)
    return run.returncode, run.stdout, run.stdout + run.stderr


def write(name, text, mode=0o644):
    with open(name, "w") as f:
        f.write(text)
    os.chmod(name, mode)
    return name


def rows(n=2, **more):
    return write("rows.jsonl", "".join(json.dumps({"prompt": f"p{i}", "completion": "x" * i, "answer": str(i), **more}) +
                                       "\n" for i in range(n)))


def score(file, *sets, data=None, allow="command:exec", deadline=None, env=None):
    """Exit code, the outcomes of each row, all text."""
    args = ["score", "--reward", "command", "--data", data or rows(), "--json"]
    args += [x for s in (f"file={file}",) * bool(file) + sets for x in ("--set", s)]
    args += [f"--allow={allow}"] if allow else []
    args += [f"--deadline={deadline}"] if deadline else []
    rc, out, text = hone(*args, env=env)
    return rc, [json.loads(line)["outcomes"]["command"] for line in out.splitlines()], text


# ---- the grant, and the box ------------------------------------------------------------------------------
plain = write("plain.py", "def score(batch):\n    return [len(s.completion) for s in batch]\n")
rc, out, text = score(plain, allow=None)
check("without a grant it is refused with a hint", rc == 3 and "--allow=command:exec" in text, text)
rc, out, text = score(plain, allow="rewards:exec")
check("a grant to another plugin is none", rc == 3, text)
rc, out, text = score(plain, allow="command:exek")
check("a slip in a grant is a usage error", rc == 2 and "exek" in text, text)
no_box = {"HONE_SANDBOX_WITHOUT": "landlock,seccomp"}
rc, out, text = score(plain, env=no_box)
check("without Landlock and seccomp it is refused", rc == 3 and "weak-box" in text, text)
rc, out, text = score(plain, allow="command:exec")
if rc == 3:
    skip("programs in boxes", "this machine has no Landlock or no seccomp", 20)
    finish()
check("a function score(batch)", rc == 0 and [o["score"] for o in out] == [0, 1], text)
rc, out, text = hone("score", "--reward", "command", "--set", "file=plain.py", "--data", "rows.jsonl", "--json",
                     "--allow=command:exec", "--allow=weak-box", env=no_box)
check("weak-box runs it and says so", rc == 0 and out.count('"status":"score"') == 2 and "weak box" in text, text)

# ---- what Python functions say ---------------------------------------------------------------------------
said = write("said.py", """
import hone_reward
def score(batch):
    print("scores", len(batch), "with", hone_reward.settings["k"])
    return [None, True, 0.25, {"score": 2, "notes": {"why": "good"}}, {"error": "odd"}, float("nan"),
            {"abstain": "too short"}, {"score": None}, "1.5"]
""")
rc, out, text = score(said, 'settings={"k":"settings"}', data=rows(9))
check("outcomes", rc == 0 and [(o["status"], o.get("score", o.get("reason"))) for o in out] == [
    ("abstain", None), ("score", 1), ("score", 0.25), ("score", 2), ("error", "odd"), ("error", "the score is nan"),
    ("abstain", "too short"), ("error", "the program's answer for this sample is no outcome"), ("score", 1.5)], out)
check("notes", out[3]["notes"] == {"why": "good"}, out[3])
check("what it prints goes to the log", "info: scores 9 with settings (org.hone.reward.command)" in text, text)

trl = write("trl.py", """
def accuracy_reward(prompts, completions, answer, **kwargs):
    assert prompts == ["p0", "p1"] and set(kwargs) >= {"level", "completion_ids"}, kwargs
    return [1.0 if len(c) == int(a) else None for c, a in zip(completions, answer)]
""")
rc, out, text = score(trl, data=rows(2, level="x"))
check("a function of TRL", rc == 0 and [o.get("score") for o in out] == [1, 1], text)
chat = write("chat.jsonl", json.dumps({"prompt": [{"role": "user", "content": "hi"}], "completion": "<b>"}) + "\n")
trl = write("trl2.py", """
async def format_reward(completions, **kwargs):
    return [float(c[0]["content"] == "<b>" and c[0]["role"] == "assistant") for c in completions]
def helper(x): return x
""")
rc, out, text = score(trl, "function=format_reward", data=chat)
check("a conversation, as TRL hands it", rc == 0 and out[0]["score"] == 1, text)
rc, out, text = score(trl, data=chat)
check("two functions without a name", rc == 1 and "format_reward, helper" in text and "function = NAME" in text, text)
verl = write("verl.py", """
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    if extra_info["index"] == 1:
        raise KeyError("boom")
    return {"score": 1.0 if ground_truth == "7" and data_source == "gsm" else 0.0, "acc": True}
""")
write("verl.jsonl", "".join(json.dumps({"prompt": "p", "completion": "c", "data_source": "gsm", "extra_info": {"index": i},
                                        "reward_model": {"style": "rule", "ground_truth": "7"}}) + "\n" for i in range(2)))
rc, out, text = score(verl, data="verl.jsonl")
check("a function of verl", rc == 0 and out[0]["score"] == 1 and out[0]["notes"] == {"acc": True}, text)
check("an exception is its sample's error", out[1]["status"] == "error" and "KeyError" in out[1]["reason"], out)

# ---- any language ----------------------------------------------------------------------------------------
shell = write("reward.sh", """#!/bin/sh
read hello
echo '{"hone":1}'
while read line; do
    number=${line#*\\"batch\\":}
    echo "{\\"batch\\":${number%%,*},\\"outcomes\\":[0.5,null]}"
done
""", 0o755)
rc, out, text = score(shell)
check("a program of the shell", rc == 0 and [o["status"] for o in out] == ["score", "abstain"], text)

# ---- in a run --------------------------------------------------------------------------------------------
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if os.path.exists(os.path.join(ROOT, "assets", "tiny", "config.json")):
    write("run.lua", """
local hone = require "hone"
local run = hone.run { name = "command", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local rows = hone.rows { { prompt = "2+3", answer = "5" }, { prompt = "4+4", answer = "8" } }
local rewards = { hone.reward("command", { file = "plain.py" }) }
for step, prompts in run:steps(1, rows:batches(2)) do
  local r = policy:rollout(prompts, { n = 4, max_tokens = 12, rewards = rewards })
  policy:update { r, objective = "grpo", advantage = "group" }
end
""")
    rc, out, text = hone("run", "run.lua", "--run-dir", "r", "--allow=command:exec")
    metrics = json.loads(open("r/metrics.jsonl").readline()) if rc == 0 else {}
    check("a GRPO run with a reward in Python", rc == 0 and metrics["reward/command/error"] == 0 and
          metrics["reward/command/mean"] > 0, text)
    rc, out, text = hone("run", "run.lua", "--run-dir", "r2", "--allow=exec")
    check("the recipe's own exec is not the plugin's", rc == 3 and "--allow=command:exec" in text, text)
else:
    skip("a GRPO run with a reward in Python", "there is no embedded model", 2)

finish()
