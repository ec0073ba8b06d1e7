#!/usr/bin/env python3
"""multi_turn.py - a policy and an environment, turn by turn.

The recipe teaches the embedded model to call a calculator; with rewards dealt out anew it does not learn. What was sampled goes on
as it was sampled: ids, log-probs and which are the policy's own are looked at in the recorded rollouts. Runs are the same
twice, and when they are resumed. Environments that fail are named, and their episodes left out."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
temp = tempfile.TemporaryDirectory(prefix="hone-multi-turn-")
work = pathlib.Path(temp.name)


env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data")}


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=600, stdin=subprocess.DEVNULL, env=env)


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

# ---- the same bytes, twice and when somebody ends it in between ----
def promised(where):
    names = "metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors"
    return [(work / where / name).read_bytes() if (work / where / name).is_file() else None for name in names]


SHORT = "steps=9", "prompts=4"
lines = (pathlib.Path(__file__).resolve().parents[2] / "scripts" / "recipes" / "multi_turn.lua").read_text()
(work / "short.lua").write_text(lines.replace("every = 20", "every = 2"))
recipe("./short.lua", *SHORT, where="once")
recipe("./short.lua", *SHORT, where="twice")
check("two runs are the same, byte for byte", promised("once")[0] and promised("once") == promised("twice"))
ended, step = 0, 1
while step < 8 and ended < 3:
    args = ["resume", work / "killed"] if (work / "killed" / "run.json").is_file() else ["run", "./short.lua", *SHORT, "--run-dir", work / "killed"]
    p = subprocess.Popen([HONE, *map(str, args), "--quiet"], cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    metrics_file = work / "killed" / "metrics.jsonl"
    until = time.monotonic() + 120
    while p.poll() is None and time.monotonic() < until:
        if metrics_file.is_file() and metrics_file.read_bytes().count(b"\n") >= step:
            p.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    ended += p.wait() == -signal.SIGKILL
    step += 3
r = hone("resume", work / "killed", "--quiet") if ended else None
check("it was ended in between, and went on to its end", ended > 0 and r.returncode == 0, (ended, r and r.stderr))
check("a run that was ended and resumed is the same, byte for byte", promised("killed") == promised("once"))

# ---- recorded episodes, scored anew ----
r = hone("replay", work / "learn-false", "--reward", "length", "--set", "value=30", "--steps", "1..3", "--json")
total = json.loads(r.stdout.splitlines()[-1])["total"] if r.returncode == 0 else {}
check("recorded episodes are replayed with another reward", total.get("samples") == 96, r.stdout[-600:] + r.stderr)
r = hone("replay", work / "learn-false", "--recorded", "calculator", "--steps", "1..3", "--json")
total = json.loads(r.stdout.splitlines()[-1])["total"] if r.returncode == 0 else {}
check("with its own they learn what they learnt", total.get("gradient_cosine") == 1 and total.get("gradient_norm_ratio") == 1, r.stdout[-600:] + r.stderr)

# ---- environments of a recipe that go wrong ----
BROKEN = r"""local hone = require "hone"
local run = hone.run { name = "broken", seed = 1 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local rows = {}
for i = 1, 8 do rows[i] = { prompt = "Leo has " .. i .. " balls.\n" } end
%s
local config = { n = 2, turns = 3, max_tokens = 6, stop = " ", environment = e, error_limit = LIMIT }
for _ in run:steps(1) do
  local r = policy:rollout(rows, config)
  local out = {}
  for _, s in ipairs(r:samples()) do
    local o = s.outcomes[e.id]
    out[o.status] = (out[o.status] or 0) + 1
    if o.reason then run:say("reason: %%s", o.reason) end
  end
  for status, n in pairs(out) do run:say("%%s: %%d", status, n) end
  policy:update { r, objective = "grpo" }
end
run:save()
"""
count = 0


def broken(text, limit=1):
    global count
    count += 1
    (work / f"broken{count}.lua").write_text((BROKEN % text).replace("LIMIT", str(limit)))
    return recipe(f"./broken{count}.lua", where=f"broken{count}")


STEP = 'local e = hone.environment { id = "odd", reset = function(l) local o = {} for i = 1, #l do o[i] = "" end return o end, step = function(l) %s end }'
EACH = STEP % "local o = {} for i = 1, #l do if l[i].id %% 4 == 0 then o[i] = %s else o[i] = { done = true, reward = l[i].id %% 2 } end end return o"
for what, value, said in (
        ("bad UTF-8", '"caf\\xe9"', "no valid UTF-8"), ("a megabyte", '("a"):rep(2000000)', "bytes; 1048576 are allowed"),
        ("too many tokens", '("7"):rep(3000)', "observation_tokens allows 1024: shorten it, or allow more"),
        ("no reward", "{ reward = 0 / 0 }", "its reward is not finite"), ("an error of its own", '{ error = "out of stock" }', "out of stock"),
        ("nil", "false", "the function gave false for this item")):
    r = broken(EACH % value)
    text = r.stdout + r.stderr
    check(f"{what}: the episodes are left out with the reason, the others count", r.returncode == 0 and said in text and "error: 4" in text and
          "score: 12" in text, text[-400:])
for what, body, said in (
        ("it raises", 'error("no luck")', "no luck"), ("it returns no list", "return 7", "must return a list"),
        ("an unknown key", "return { { txt = 'x' } }", 'has no "txt" (did you mean "text"?)'), ("a number", "return { 7 }", "answer 1 is a number")):
    r = broken(STEP % body, 0.2)
    check(f"{what}: the run stops, and says where", r.returncode == 1 and said in r.stderr and "environment odd failed in 16 of 16 episodes" in r.stderr
          and "error_limit" in r.stderr, r.stderr)
r = broken('local e = hone.environment { timeout = 0.2, id = "odd", reset = function(l) while true do end end, step = function(l) return l end }', 0.2)
check("it hangs: it is stopped", r.returncode == 1 and "environment odd failed" in r.stderr, r.stderr)
for text, said in (('local e = hone.environment { id = "odd" }', "needs reset(episodes) and step(actions), or play"),
                   ('local e = hone.environment(7)', "a name or a table"), ('local e = hone.environment("cubicle")', "cubicle"),
                   ('local e = { id = "odd" }', "made by hone.environment"),
                   ('local e = hone.environment { id = "odd", play = 7 }', "an environment has play(episode, say)"),
                   ('local e = hone.environment { id = "odd", play = function() return 1 end }', "the story ended before")):
    r = broken(text, 0.2)
    check(f"{text}: is named", r.returncode in (1, 3) and said in r.stderr, r.stderr)
(work / "alone.lua").write_text('local hone = require "hone"\nlocal p = hone.run { name = "alone", seed = 1 }:policy { model = "tiny" }\n'
                                'p:rollout({ "a" }, { turns = 3 })\n')
r = recipe("./alone.lua", where="alone")
check("turns without an environment", r.returncode == 1 and "there is none" in r.stderr, r.stderr)
r = hone("run", "multi_turn", "--dry-run")
check("a plan plays with nobody", r.returncode == 0 and "rollout" in r.stdout, r.stdout[-500:] + r.stderr)

# ---- what a call is, and what tools answer ----
r = hone("lua", pathlib.Path(__file__).resolve().with_name("tools.lua"))
told = r.stdout.splitlines()
check("tools.lua comes to its end", r.returncode == 0 and len(told) == 55, f"{len(told)} {r.stderr}")
for line in told:
    check(line[5:], line.startswith("ok   "), line)

# ---- a box of its own: what it does there stays there ----
if shutil.which("cc") is None:
    skip("environments in boxes", "there is no compiler", 9)
else:
    made = hone("plugin", "new", "environment", "game")
    source = work / "game" / "game.c"
    good = source.read_text()
    begins = "    hone_status s = HONE_OK;\n    size_t from = 0;\n    for (size_t i = 0; s >= 0 && i < n && !hone_cancelled(call); i++) {\n        const hone_action"
    guess, text_of = "    const int64_t guess = number_in(a->text);", 'o.text = hone_str_c(guess < e->number ? " higher: " : " lower: ");'
    for name, change, said in (
            ("plays", None, "score: 16"), ("dies", (begins, "    *(volatile int *)0 = 1;\n" + begins), "error: 16"),
            ("hangs", (guess, guess + "\n    for (volatile int k = 1; k;)\n        ;"), "timeout: 16"),
            ("lies", (text_of, "o.status = 77;"), "status 77 is none of ON, DONE, ERROR"),
            ("gives no text", (text_of, 'o.text = (hone_str){"\\xff\\xfe", 2};'), "score: 16")):
        if change:
            check(f"{name}: the source has it", change[0] in good)
        source.write_text(good.replace(*change) if change else good)
        built = subprocess.run(["make", f"HONE={HONE}", "game.so", "game.json"], cwd=work / "game", capture_output=True, text=True, env=env)
        for old in work.glob("plug*"):
            shutil.rmtree(old)
        (work / "plug").mkdir()
        for f in "game.so", "game.json":
            shutil.copy(work / "game" / f, work / "plug" / f)
        env["HONE_PLUGIN_PATH"] = str(work / "plug")
        r = broken('local e = hone.environment("game", { timeout = 2 })')
        text = r.stdout + r.stderr
        check(f"an environment in a box that {name}: the run goes on", r.returncode == (0 if said == "score: 16" else 1) and said in text, text[-900:])

finish()
