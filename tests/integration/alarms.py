"""alarms.py - what every run watches of itself (scripts/lib/hone/alarms.lua): each alarm is provoked, alone and in plain words; it stands in
run.json, in log.txt, in the report and in `hone watch`; an honest run has none; pausing, stopping, functions, settings that are refused."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)

# One recipe for all: ALARMS, REWARDS (text -> score, from prompt number, completion, tokens), and how a step draws and learns.
RECIPE = """
local hone = require "hone"
local run = hone.run { name = "alarms", seed = 5, checkpoint = { every = 1000 }, alarms = ALARMS }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = LR, weight_decay = 0 } }
local reference = REFERENCE and policy:reference() or nil
local rows = {}
for i = 1, 8 do rows[i] = { prompt = ("Ann has %d birds. She gets %d more. How many birds has Ann?\\n"):format(i, i * 3 % 7), number = i } end
local step_now = 0
local function reward(id, weight, fn)
  return hone.reward { id = id, weight = weight, score = function(batch)
    return batch:map(function(s) return fn(s, step_now) end) end }
end
local rewards = { REWARDS }
for step, prompts in run:steps(STEPS, hone.rows(rows):epochs():batches(8)) do
  step_now = step
  local r = policy:rollout(prompts, { n = 4, max_tokens = MAX, temperature = TEMPERATURE, rewards = rewards })
  policy:update { r, objective = { "grpo", beta = REFERENCE and 0.001 or 0 }, reference = reference, UPDATE }
end
"""
CHANCE = 'reward("chance", 1, function(s) return #s.completion % 3 == 0 and 1 or 0 end)'
DEFAULTS = {"ALARMS": "{ window = 5 }", "REWARDS": CHANCE, "LR": "1e-6", "REFERENCE": "false", "STEPS": "14", "MAX": "30", "TEMPERATURE": "1",
            "UPDATE": ""}


def run(name, *args, **changes):
    text = RECIPE
    for key, value in {**DEFAULTS, **changes}.items():
        text = text.replace(key, value)
    with open(name + ".lua", "w") as f:
        f.write(text)
    return subprocess.run([HONE, "run", name + ".lua", "--run-dir", name, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def alarms(name):
    return json.load(open(name + "/run.json")).get("alarms", [])


def metrics(name):
    return [json.loads(line) for line in open(name + "/metrics.jsonl")]


# ---- each by itself --------------------------------------------------------------------------------------
PROVOKED = {
    "length": (dict(REWARDS='reward("long", 1, function(s) return math.min(1, #s.completion / 200) end)', LR="2e-4", STEPS="20", MAX="60"),
               "the reward rises with length"),
    "entropy": (dict(TEMPERATURE="step <= 5 and 1 or 0.001", ALARMS="{ window = 5, equal = false, variance = false }"), "the entropy has collapsed"),
    "equal": (dict(REWARDS='reward("by_prompt", 1, function(s) return #s.prompt % 2 == 0 and 0.25 or 0.5 end)',
                   ALARMS="{ window = 5, variance = false }"), "have one reward for all their samples"),
    "kl": (dict(LR="3e-3", REFERENCE="true", ALARMS="{ window = 5, entropy = false, length = false, truncated = false, equal = false, "
                "variance = false }", STEPS="20"), "the policy runs away"),
    "truncated": (dict(MAX="3", REWARDS='reward("chance", 1, function(s) return s.completion:byte(1) and s.completion:byte(1) % 2 end)'),
                  "were cut at the token limit"),
    "mismatch": (dict(UPDATE="temperature = 1.5"), "sampler and trainer disagree"),
    "drowned": (dict(REWARDS=CHANCE + ', reward("small", 0.02, function(s) return #s.completion % 2 end)'), "the reward small is drowned"),
    "variance": (dict(REWARDS='reward("fading", 1, function(s, step) return step <= 6 and #s.completion % 3 or 1 end)',
                      ALARMS="{ window = 5, equal = false }"), "the reward hardly varies any more"),
}
for kind, (changes, words) in PROVOKED.items():
    r = run(kind, **changes)
    found = alarms(kind) if os.path.exists(kind + "/run.json") else []
    kinds = [a["kind"] for a in found]
    check(f"{kind} is told once, and nothing else", r.returncode == 0 and kinds == [kind], (kinds, r.stderr[-1500:]))
    told = found[0] if found else {"text": "", "step": 0, "value": 0, "limit": 1}
    check(f"{kind}: in plain words, at the terminal and in log.txt", words in told["text"] and told["value"] > told["limit"] and
          f"alarm: step {told['step']}: {told['text']}" in r.stderr and f"alarm: step {told['step']}: {told['text']}\n" in open(kind + "/log.txt").read(),
          (told, r.stderr))
    page = open(kind + "/report.html", encoding="utf-8").read() if os.path.exists(kind + "/report.html") else ""
    check(f"{kind}: in the report", f'<li class="alarm">Step {told["step"]}: ' in page and words in page, len(page))
    w = subprocess.run([HONE, "watch", kind], capture_output=True, text=True)
    check(f"{kind}: in hone watch", w.returncode == 0 and f"alarm: step {told['step']}: {told['text']}" in w.stdout, w.stdout + w.stderr)

# ---- none where nothing is wrong ---------------------------------------------------------------------------
r = run("honest")
check("an honest run raises none", r.returncode == 0 and alarms("honest") == [] and "alarm" not in r.stderr, r.stderr)
for recipe in ("grpo", "sft", "dpo"):
    r = subprocess.run([HONE, "run", recipe, "steps=40", "--run-dir", recipe], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    check(f"nor does {recipe}", r.returncode == 0 and alarms(recipe) == [], r.stderr)
with open("learns.lua", "w") as f:
    f.write("""local hone = require "hone"
local run = hone.run { name = "learns", seed = 5, alarms = { window = 3 } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 2e-3, weight_decay = 0 } }
local rows = {}
for i = 1, 4 do rows[i] = { prompt = "Ann has " .. i .. " birds.", completion = "Who would have thought of that? Number " .. i } end
for _, batch in run:steps(40, hone.rows(rows):epochs():batches(4)) do policy:update { batch, objective = "sft" } end
""")
r = subprocess.run([HONE, "run", "learns.lua", "--run-dir", "learns"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
fell = [m["entropy"] for m in metrics("learns")]
check("rows that are learnt by heart: their entropy falls, and that is no alarm", fell[-1] < 0.05 * fell[0] and alarms("learns") == [] and r.returncode == 0,
      (fell, r.stderr))
r = run("off", MAX="3", ALARMS="false")
check("alarms = false: none are looked for", r.returncode == 0 and alarms("off") == [] and "alarm" not in r.stderr, r.stderr)
r = run("one_off", MAX="3", ALARMS="{ window = 5, truncated = false, equal = false }")
check("and one by one", r.returncode == 0 and "truncated" not in [a["kind"] for a in alarms("one_off")], alarms("one_off"))
r = run("later", MAX="3", ALARMS="{ window = 12, equal = false, variance = false }")
check("a limit is looked at over the window", [a["step"] for a in alarms("later")] == [12], alarms("later"))

# ---- what they do --------------------------------------------------------------------------------------------
r = run("stops", MAX="3", ALARMS='{ window = 5, action = { truncated = "stop" } }')
check("stop ends the run with the words", r.returncode == 1 and "alarm: stopped at step 5" in r.stderr and len(metrics("stops")) == 5, r.stderr)
check("and they stand in run.json", [a["kind"] for a in alarms("stops")][-1:] == ["truncated"], alarms("stops"))
r = run("calls", MAX="3", ALARMS='{ window = 5, action = function(a) print("called " .. a.kind .. " " .. a.step) end }')
check("a function is called", r.returncode == 0 and "called truncated 5" in r.stdout, r.stdout + r.stderr)
r = run("pauses", MAX="3", ALARMS='{ window = 5, action = { truncated = "pause", default = "warn" } }')
check("pause ends it behind the step with a checkpoint", r.returncode == 1 and len(metrics("pauses")) == 5, r.stderr)
r = subprocess.run([HONE, "resume", "pauses"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
w = run("warns", MAX="3", ALARMS='{ window = 5, action = { truncated = "warn", default = "warn" } }')
check("who goes on has seen it: the bytes are those of a run that warned", r.returncode == 0 and w.returncode == 0 and
      open("pauses/metrics.jsonl").read() == open("warns/metrics.jsonl").read() and alarms("pauses") == alarms("warns"), r.stderr)
for name, bad, words in (("unknown", "{ entropie = 1 }", 'no alarm "entropie"'), ("text", '{ kl = "much" }', "kl is a number"),
                         ("window", "{ window = 0.5 }", "window is a whole number"), ("action", '{ action = "shout" }', "action is"),
                         ("kind", '{ action = { kll = "stop" } }', '"kll" is no alarm'), ("type", "7", "alarms is a table")):
    r = run("bad_" + name, ALARMS=bad)
    check(f"refused: {bad}", r.returncode == 1 and words in r.stderr, r.stderr)
finish()
