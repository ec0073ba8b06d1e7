#!/usr/bin/env python3
"""multi_turn.py - a policy and an environment, turn by turn.

The recipe teaches the embedded model to call a calculator; with rewards dealt out anew it does not learn. What was sampled goes on
as it was sampled: ids, log-probs and which are the policy's own are looked at in the recorded rollouts. Runs are the same
twice, and when they are resumed. Environments that fail are named, and their episodes left out."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
temp = tempfile.TemporaryDirectory(prefix="hone-multi-turn-")
work = pathlib.Path(temp.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=600, stdin=subprocess.DEVNULL)


def recipe(name, *settings, where):
    return hone("run", name, *settings, "--run-dir", work / where)


def rollouts(where):
    raw = subprocess.run(["zstd", "-dc", work / where / "rollouts.jsonl.zst"], capture_output=True).stdout
    return [json.loads(line) for line in raw.decode().splitlines()]


def measured(r):
    return {m[0]: tuple(map(float, m[1:])) for m in re.findall(
        r"(before|after): ([\d.]+) % \[([\d.]+), ([\d.]+)\] of 200 held-out questions answered right, ([\d.]+) turns each, ([\d.]+) % with a call",
        r.stdout + r.stderr)}


# ---- it learns, and the control does not ----
for permute in "false", "true":
    r = recipe("multi_turn", f"permute={permute}", where=f"learn-{permute}")
    check(f"multi_turn permute={permute}: ends well", r.returncode == 0, r.stderr[-500:])
    m = measured(r)
    check(f"multi_turn permute={permute}: says what it measured", {"before", "after"} <= m.keys(), r.stdout[-500:])
    if not {"before", "after"} <= m.keys():
        continue
    if permute == "false":
        check("more is answered right", m["after"][1] > m["before"][2] + 15, m)
        check("by calling the tool", m["before"][4] < 50 and m["after"][4] > 90, m)
    else:
        check("with rewards dealt out anew it is not", m["after"][1] < m["before"][2] + 5, m)

# ---- ids, log-probs, whose they are ----
samples = rollouts("learn-false")
metrics = [json.loads(line) for line in (work / "learn-false" / "metrics.jsonl").read_text().splitlines()]
called = [s for s in samples if len(s["turns"]) > 1]
check("episodes of several turns were recorded", len(called) > 100, len(called))
check("turns are in order, and apart by what the environment said",
      all(a[0] < a[1] < b[0] for s in samples for a, b in zip(s["turns"], s["turns"][1:])))
own = [[any(f <= k < t for f, t in s["turns"]) for k in range(len(s["ids"]))] for s in samples]
check("what is not the policy's own has no log-prob", all(lp == 0 for s, o in zip(samples, own) for lp, mine in zip(s["logprobs"], o) if not mine))
check("what is its own has one", all(lp < 0 for s, o in zip(samples, own) for lp, mine in zip(s["logprobs"], o) if mine and lp != 0)
      and any(lp < 0 for s in samples for lp in s["logprobs"]))
check("the trainer's log-probs are the sampler's, bit for bit", all(m.get("mismatch/max", 0) == 0 for m in metrics))
check("lengths count the policy's own tokens",
      abs(sum(map(sum, own[-32:])) / 32 - metrics[-1]["length/mean"]) < 1e-3, metrics[-1]["length/mean"])
check("turns are counted", abs(sum(len(s["turns"]) for s in samples[-32:]) / 32 - metrics[-1]["env/turns"]) < 1e-3)
check("what was observed is counted", abs(sum(o.count(False) for o in own[-32:]) / 32 - metrics[-1]["env/observed"]) < 1e-3)
EQUALS, NUMBER = 29, (13, *range(16, 26))  # =, - and the digits
check("a call ends with what was sampled, and the answer begins with an id of its own",
      all(s["ids"][t[1] - 1] == EQUALS and s["ids"][t[1]] in NUMBER for s in called for t in s["turns"][:-1]))

finish()
