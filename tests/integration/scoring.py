"""scoring.py - what a recipe asks of the scheduler of rewards: gates, another try, several calls at once, remembered
outcomes, normalisation that survives a resume, and a function of the recipe's on each outcome."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.path.abspath(os.environ.get("HONE", str(ROOT / "build" / "hone")))
if not (ROOT / "assets" / "tiny" / "config.json").exists():
    skip("scoring", "assets/tiny is not there")
    finish()
scratch = tempfile.TemporaryDirectory(prefix="hone-scoring-")
work = pathlib.Path(scratch.name)
ENV = {**os.environ, "HONE_PLUGIN_PATH": str(work / "plugins"), "XDG_CACHE_HOME": str(work / "cache"),
       "XDG_DATA_HOME": str(work / "data")}


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, env=ENV, timeout=120)


def plugin(name, caps):
    """moody.c with these capabilities beside its own; trusted, so that it runs in this process."""
    (work / "plugins").mkdir(exist_ok=True)
    text = (ROOT / "tests/unit/plugins/moody.c").read_text().replace("reward.moody", "reward." + name)
    (work / f"{name}.c").write_text(text)
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                    "-DCAPS=" + caps, "-I", str(ROOT / "sdk/include"), "-o", str(work / "plugins" / f"{name}.so"),
                    str(work / f"{name}.c")], check=True)
    trusted = hone("plugin", "trust", work / "plugins" / f"{name}.so")
    check(f"{name} is trusted", trusted.returncode == 0, trusted.stderr)


HEAD = """local hone = require "hone"
local p = hone.params { steps = { 2, "steps" }, seed = { 3, "seed" } }
local run = hone.run { name = "r", seed = p.seed, checkpoint = { every = 2, keep = 5 } }
local policy = run:policy { model = "tiny", optimizer = { "sgd", lr = 0.01 } }
local rows = hone.rows { { prompt = "1+1=" }, { prompt = "2+3=" }, { prompt = "7-4=" } }
local function draw(rewards, n)
  return policy:rollout({ { prompt = "1+1=" }, { prompt = "2+3=" } }, { n = n or 4, max_tokens = 5, rewards = rewards })
end
local longer = hone.reward { id = "longer", weight = 0, score = function(b)
  return b:map(function(s) return s.completion_len > 4 and s.completion_len or 0 end) end }
"""


def recipe(name, text, *args):
    (work / f"{name}.lua").write_text(HEAD + text)
    run = hone("run", f"{name}.lua", "--run-dir", work / name, "--quiet", *args)
    path = work / name / "timings.jsonl"
    return run, [json.loads(x) for x in path.read_text().splitlines()] if path.is_file() else []


def says(name, text, *wanted, code=0):
    run, timings = recipe(name, text)
    check(name, run.returncode == code and all(w in run.stdout + run.stderr for w in wanted),
          f"exit {run.returncode}: {run.stdout[-800:]}{run.stderr[-800:]}")
    return timings


plugin("moody", "")
plugin("able", "|HONE_CAP_REENTRANT")

# ---- gates ----
says("gate", """
local asked = 0
local costly = hone.reward { id = "costly", gate = { "longer", at = 5, otherwise = -2 }, score = function(b)
  asked = asked + #b
  return b:map(function(s) return 1 end) end }
local r = draw({ costly, longer }, 8)
local passed, kept, met = 0, 0, 0
for _, s in ipairs(r:samples()) do
  local o = s.outcomes.costly
  if s.outcomes.longer.score >= 5 then passed = passed + (o.score == 1 and 1 or 0) else kept = kept + (o.score == -2 and 1 or 0) end
end
print("all", passed + kept)
r:advantages("group")
for _, s in ipairs(r:samples()) do met = met + (s.reward == s.outcomes.costly.score and 1 or 0) end
print("met", met)
""", "all\t16", "met\t16")
says("no such gate", "draw { hone.reward { id = \"a\", gate = \"formt\", score = function(b) end } }", "formt", "hint:", code=1)
says("a gate's settings", "draw { hone.reward { id = \"a\", gate = { \"b\", above = 1 }, score = function(b) end } }", "above", code=1)

# ---- another try, several calls, memory ----
says("tried again", """
local r = draw { hone.reward("moody", { fail_first = 3, retries = 3 }) }
for _, s in ipairs(r:samples()) do assert(s.outcomes.moody.status == "score") end
print("retried", r:info().components.moody.retried > 0)
""", "retried\ttrue")
says("not tried again", """
local r = draw { hone.reward("moody", { fail_first = 3, cache = false }) }
local errors = 0
for _, s in ipairs(r:samples()) do errors = errors + (s.outcomes.moody.status == "error" and 1 or 0) end
print("errors", errors)
""", "errors\t3")
for name in "moody", "able":
    says(f"{name}, several calls at once", f"""
local r = draw({{ hone.reward("{name}", {{ sleep_ms = 5, concurrency = 8, cache = false }}) }}, 8)
for _, s in ipairs(r:samples()) do assert(s.outcomes["{name}"].score == #s.completion) end
print("scored")
""", "scored")
says("concurrency is a number of calls", "draw { hone.reward(\"able\", { concurrency = -1 }) }", "concurrency", code=1)
MEMORY = """
local r = draw { hone.reward("moody", { sleep_ms = 1 }) }
local a = r:info().components.moody.cached
r:score { hone.reward("moody", { sleep_ms = 1, id = "again" }) }
print("first", a, "second", r:info().components.again.cached)
"""
says("remembered in a run", MEMORY, "first\t0\tsecond\t8")
says("remembered from run to run", MEMORY, "first\t8\tsecond\t8")
says("not remembered", "local r = draw { hone.reward(\"moody\", { sleep_ms = 1, cache = false }) }\n"
     "print('cached', r:info().components.moody.cached)", "cached\t0")
says("other settings are other outcomes", MEMORY.replace("sleep_ms = 1", "sleep_ms = 2"), "first\t0\tsecond\t8")
plugin("moody", "|0")  # another file
with open(work / "plugins" / "moody.so", "ab") as f:
    f.write(b"\0")
check("trusted anew", hone("plugin", "trust", work / "plugins" / "moody.so").returncode == 0)
says("another plugin's are other outcomes", MEMORY, "first\t0\tsecond\t8")
says("of Lua nothing is remembered", "draw { hone.reward { id = \"a\", cache = true, score = function(b) end } }",
     "cannot be remembered", "hint:", code=1)
says("a hung instance is renewed", """
local r = draw({ hone.reward("moody", { hang_first = 1, timeout = 1, cache = false, concurrency = 1 }) }, 4)
local count = { score = 0, timeout = 0, error = 0, abstain = 0 }
for _, s in ipairs(r:samples()) do count[s.outcomes.moody.status] = count[s.outcomes.moody.status] + 1 end
print("timeouts", count.timeout, "scores", count.score)
""", "timeouts\t1\tscores\t7")

# ---- a function on each outcome ----
says("on each outcome", """
local seen = 0
local r = draw { hone.reward { id = "a", score = function(b) return b:map(function(s) return s.id % 4 end) end,
  on_outcome = function(o, s)
    seen = seen + 1
    assert(o.status == "score" and s.completion)
    if o.score == 1 then return 10 elseif o.score == 2 then return hone.abstain end
  end } }
local have = {}
for _, s in ipairs(r:samples()) do
  local o = s.outcomes.a
  have[#have + 1] = o.status == "score" and string.format("%g", o.score) or o.status
end
print(seen, table.concat(have, " "))
""", "8\t0 10 abstain 3 0 10 abstain 3")
says("a wrong outcome", "draw { hone.reward { id = \"a\", score = function(b) return b:map(function() return 1 end) end,\n"
     "on_outcome = function() return \"good\" end } }", "on_outcome", "string", code=1)

# ---- normalisation ----
NORMAL = """
local scale = hone.reward { id = "scale", normalize = { "running", clip = 2 }, score = function(b)
  return b:map(function(s) return 1000 + 100 * (s.id % 7) * run.step end) end }
for step, batch in run:steps(p.steps, rows:epochs():batches(2)) do
  local r = policy:rollout(batch, { n = 4, max_tokens = 3, rewards = { scale, longer } })
  policy:update { r, objective = "grpo", advantage = "group" }
  local lo, hi = math.huge, -math.huge
  for _, s in ipairs(r:samples()) do lo, hi = math.min(lo, s.reward), math.max(hi, s.reward) end
  print("reward", step, string.format("%.17g %.17g", lo, hi))
  assert(lo >= -2 and hi <= 2 and hi > lo)
end
"""
whole, _ = recipe("normal", NORMAL, "steps=6")
check("normalised", whole.returncode == 0, whole.stderr[-600:])
(work / "half.lua").write_text(HEAD + NORMAL)
first = hone("run", "half.lua", "steps=6", "--run-dir", work / "half", "--quiet")
branch = hone("run", "half.lua", "--from", f"{work / 'half'}@4", "steps=6", "--run-dir", work / "branch", "--quiet")
lines = [x for x in whole.stdout.splitlines() if x.startswith("reward")]
check("six steps", len(lines) == 6, whole.stdout)
check("the state of normalisation is in the checkpoint", branch.returncode == 0 and
      [x for x in branch.stdout.splitlines() if x.startswith("reward")] == lines[4:], branch.stdout + branch.stderr[-500:])
says("normalize's settings", "draw { hone.reward { id = \"a\", normalize = \"batch\", score = function(b) end } }", "normalize",
     "running", code=1)

scratch.cleanup()
finish()
