"""no_memory.py - every request for memory of a command fails in turn (after curl's torture tests).

A command runs once undisturbed, with HONE_FAULT_NOMEM_COUNT, to learn how many requests it makes; then
again with the 1st, 2nd, ... of them failing (HONE_FAULT_NOMEM, developer builds). Each run must end by
itself with exit 0 and the undisturbed output, or with exit 1 and a message that says that memory was
short; never by a signal, never with what the address sanitizer or its leak checker reports (run it on a
build with --enable-asan, as scripts/check does), and with no half-written file in its folder.
Commands with more requests than the budget take all of the first ones and an even spread of the rest.
HONE_TORTURE=N sets the budget of a command (default 400), arguments choose commands by name."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import counted  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
ROOT = os.getcwd()
BUDGET = int(os.environ.get("HONE_TORTURE", "400"))

ROWS = "".join(json.dumps({"prompt": f"{n} plus 2?", "completion": f"So #### {n + 2}", "answer": str(n + 2)}) + "\n"
               for n in range(6))
PAIRS = "".join(json.dumps({"prompt": f"Say {n}.", "chosen": f"{n}", "rejected": "no"}) + "\n" for n in range(6))
RECIPE = """
local hone = require "hone"
local run = hone.run { name = "torture", seed = 3, checkpoint_every = 1 }
local policy = run:policy { model = "tiny", lora = { rank = 2 }, optimizer = { "adamw", lr = 1e-4 } }
local rows = hone.source("jsonl", { path = "rows.jsonl" }):shuffle(1):epochs()
local rewards = { hone.reward("exact_match", { reference = "answer" }),
  hone.reward { id = "brief", score = function(b) return b:map(function(s) return -#s.completion end) end } }
for step, prompts in run:steps(2, rows:batches(2)) do
  local rollout = policy:rollout(prompts, { n = 2, max_tokens = 4, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  run.state.seen = step
end
run:save()
"""
OPTIMIZERS = """
local hone = require "hone"
local run = hone.run { name = "torture", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "schedule_free", lr = 1e-4, groups = { { "*.mlp.*", optimizer = "muon" },
  { "*embed*", clip = 0.1, optimizer = { "adam8bit", min_size = 0 } }, { "*.q_proj*", optimizer = "adafactor" } } } }
local average = policy:ema(0.9)
for step in run:steps(2) do
  policy:update { { { prompt = "One", completion = "two" } }, objective = "sft" }
  average:track()
  policy:loss { { { prompt = "One", completion = "two" } }, objective = "sft" }
end
run:save()
"""
JUDGE = """
local hone = require "hone"
return hone.judge { id = "long", spec = { version = 1 }, judge = function(items)
  local out = {}
  for i, item in ipairs(items) do out[i] = { score = math.min(1, #item.candidates[1] / 20) } end
  return out
end }
"""
ITEMS = "".join(json.dumps({"id": f"i{n}", "prompt": f"{n} plus 2?", "completion": "So " * n + f"{n + 2}"}) + "\n" for n in range(4))
LABELS = "".join(json.dumps({"item": f"i{n}", "expert": e, "score": (n + k) % 3 + 1, "prompt_id": f"p{n // 2}"}) + "\n"
                 for n in range(8) for k, e in enumerate(("ann", "bob")))
VERDICTS = "".join(json.dumps({"id": f"i{n}", "prompt_id": f"p{n // 2}", "status": "ok", "score": n % 3 + 1}) + "\n" for n in range(8))
OBJECTIVE = json.dumps({"logp": [[-1.0, -2.0]], "old_logp": [[-1.1, -2.0]], "mask": [[1, 1]], "advantages": [0.5]})
ADVANTAGE = json.dumps({"rewards": [1, 0, 1, 1], "group_size": 2})

# name -> (arguments, what must be there afterwards when it succeeds)
COMMANDS = {
    "score": "score --reward math_answer --set reference=answer --data rows.jsonl --json",
    "score-lua": "lua score.lua",
    "tokenize": "tokenize tiny --whole --json",
    "template": "template --template chat.jinja --messages messages.json --json",
    "generate": "generate tiny --prompt Leo --max-tokens 3 --greedy --json",
    "logprobs": "model logprobs tiny --ids 5,17,9 --json",
    "model-info": "model info tiny --json",
    "export": "model export tiny out",
    "data-info": "data info rows.jsonl --json",
    "data-head": "data head rows.jsonl --json",
    "plugin-list": "plugin list --json",
    "plugin-inspect": "plugin inspect math_answer --json",
    "objective-eval": "objective eval grpo --input objective.json --json",
    "advantage-eval": "advantage eval group --input advantage.json --json",
    "recipe-help": "run quickstart --help",
    "grpo": "run recipe.lua --quiet",
    "optimizers": "run optimizers.lua --quiet",
    "sft": "run sft model=tiny data=rows.jsonl steps=2 batch=2 --quiet",
    "dpo": "run dpo model=tiny data=pairs.jsonl steps=2 batch=2 --quiet",
    "report": "report run",
    "runs": "runs --json",
    "judge-lint": "judge lint rubric.lua --json",
    "judge-rubric": "judge rubric show rubric.lua --json",
    "judge-render": "judge render rubric.lua --items items.jsonl",
    "judge-run": "judge run --judge judge.lua --items items.jsonl --out - --store out/judges.sqlite",
    "judge-calibrate": "judge calibrate --labels labels.jsonl --verdicts verdicts.jsonl --json",
    "grammar": "generate tiny --prompt Leo --max-tokens 8 --greedy --grammar list.gbnf --json",
    "eval": "eval tiny --data rows.jsonl --reward exact_match --set reference=answer --max-tokens 3 --json",
}


def prepare(folder):
    with open(os.path.join(ROOT, "scripts/rubrics/support_reply.lua")) as f:
        rubric = f.read()
    files = {"judge.lua": JUDGE, "items.jsonl": ITEMS, "labels.jsonl": LABELS, "verdicts.jsonl": VERDICTS, "rubric.lua": rubric,
             "list.gbnf": 'root ::= item ("," item)*\nitem ::= [a-z]+ | "(" root ")"\n', "rows.jsonl": ROWS, "pairs.jsonl": PAIRS, "recipe.lua": RECIPE, "optimizers.lua": OPTIMIZERS, "objective.json": OBJECTIVE,
             "advantage.json": ADVANTAGE,
             "messages.json": json.dumps([{"role": "user", "content": "Hi"}]),
             "chat.jinja": "{% for m in messages %}<{{ m.role|upper }}>{{ m['content']|trim }}{% endfor %}",
             "score.lua": 'local hone = require "hone"\nlocal r = hone.reward { id = "x", score = function(b) return b:map(function(s) '
                          'return #s.completion end) end }\nprint(r.id)\n'}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)


def run(folder, words, **env):
    e = {k: v for k, v in os.environ.items() if not k.startswith("HONE_FAULT")}
    e.update({"ASAN_OPTIONS": "exitcode=99:detect_leaks=1:allocator_may_return_null=1", "HONE_THREADS": "1",
              "HONE_RUNS": os.path.join(folder, "runs"), **env})
    return subprocess.run([HONE, *words], cwd=folder, input=b"3 and 4", capture_output=True, timeout=120, env=e)


def tree(folder):
    return {os.path.relpath(os.path.join(d, n), folder) for d, _, names in os.walk(folder) for n in names}


def timeless(out):
    """What was printed, but for when."""
    return re.sub(rb'"at": ?"[^"]*"', b'"at":""', out)


def verdict(result, clean, name):
    text = result.stderr.decode(errors="replace")
    if result.returncode < 0:
        return f"ended by signal {-result.returncode}"
    if "Sanitizer" in text:
        lines = [x for x in text.splitlines() if "Sanitizer" in x or x.lstrip().startswith("#")]
        return "\n        ".join(lines[:12])
    if result.returncode == 0:
        stable = name not in ("grpo", "optimizers", "sft", "dpo", "report", "runs", "eval")
        told = b"out of memory" in result.stdout  # an outcome of its own: a reward that met it says error
        return "" if not stable or told or timeless(result.stdout) == timeless(clean.stdout) else f"exit 0, other output: {text[:200]}"
    if result.returncode != 1:
        return f"exit {result.returncode}: {text[:300]}"
    return "" if "memory" in text else f"exit 1, and the message is not of memory: {text[:300]!r}"


def torture(name, base):
    words = COMMANDS[name].split()
    folder = os.path.join(base, name)
    os.mkdir(folder)
    prepare(folder)
    if name in ("report", "runs"):
        made = run(folder, ["run", "recipe.lua", "--quiet"])
        assert made.returncode == 0, made.stderr.decode()
        runs = os.path.join(folder, "runs")
        os.symlink(os.path.join(runs, sorted(os.listdir(runs))[0]), os.path.join(folder, "run"))
    count_file = os.path.join(base, "count")
    if name == "judge-run":
        os.mkdir(os.path.join(folder, "out"))
    clean = run(folder, words, HONE_FAULT_NOMEM_COUNT=count_file)
    if clean.returncode != 0:
        counted.check(name, False, f"undisturbed it ends with {clean.returncode}: {clean.stderr.decode()[:600]}")
        return
    with open(count_file) as f:
        total = int(f.read())
    half = BUDGET // 2
    points = range(1, total + 1) if total <= BUDGET else sorted(
        set(range(1, half + 1)) | {half + 1 + i * (total - half) // half for i in range(half)})
    alike = {}
    for n in points:
        for made in ("out", "runs"):
            if name not in ("report", "runs"):
                shutil.rmtree(os.path.join(folder, made), ignore_errors=True)
        if name == "judge-run":
            os.mkdir(os.path.join(folder, "out"))
        result = run(folder, words, HONE_FAULT_NOMEM=str(n))
        why = verdict(result, clean, name)
        left = [x for x in tree(folder) if x.endswith((".tmp", ".part"))]
        if not why and left:
            why = f"left {left[0]}"
        alike[why] = alike.get(why, 0) + 1
        counted.check(f"{name}, request {n} of {total}", not why, why if alike[why] == 1 else "as before")
    print(f"     {name}: {len(points)} of {total} requests", flush=True)


with tempfile.TemporaryDirectory() as base:
    for name in sys.argv[1:] or COMMANDS:
        torture(name, base)
counted.finish()
