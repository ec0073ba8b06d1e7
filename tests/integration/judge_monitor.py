#!/usr/bin/env python3
# judge_monitor.py - run:monitor (docs/judges.md, "While training"): the demonstration with a judge that counts equals signs and the
# mended one, pausing and going on to the same bytes, anchors, probes, saturation, and settings that are refused.
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish

HONE = os.environ["HONE"]
folder = tempfile.mkdtemp(prefix="hone-judge-monitor-")
os.chdir(folder)


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True)


def run_dir(r):
    return re.search(r"^run (\S+)", r.stderr + r.stdout, re.M).group(1)


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def metrics(run):
    return [json.loads(line) for line in read(run + "/metrics.jsonl").splitlines()]


def right_answers(r):
    out = re.search(r"right answers ([\d.]+) -> ([\d.]+)", r.stdout + r.stderr)
    return float(out.group(1)), float(out.group(2))


# ---- the demonstration: stated in docs/judges.md ------------------------------------------------------------------------

hack = hone("run", "hackable_judge", "alarm=warn")
dir_hack = run_dir(hack)
alarms = load(dir_hack + "/run.json").get("alarms", [])
first = {}
for a in alarms:
    first.setdefault(a["kind"], a["step"])
before, after = right_answers(hack)
check("trained against the hackable judge the right answers are lost", hack.returncode == 0 and after < before - 0.1, hack.stdout[-400:])
check("while its reward rises", metrics(dir_hack)[-1]["reward/mean"] > metrics(dir_hack)[0]["reward/mean"] + 0.3)
check("its correlation with length is told within 5 steps", first.get("length", 999) <= 5, str(first))
check("the panel's alarm comes within 110 steps", first.get("panel", 999) <= 110, str(first))
check("each alarm stands in run.json with its words", all(a["text"] and a["value"] > a["limit"] for a in alarms))
check("and in the log", "runs ahead of the panel" in read(dir_hack + "/log.txt").decode() or "runs ahead of the panel" in hack.stderr)

mended = hone("run", "hackable_judge", "rubric=mended", "alarm=pause")
dir_mended = run_dir(mended)
before, after = right_answers(mended)
low, high = [[float(x) for x in re.search(w + r": right answers [\d.]+ \[([\d.]+), ([\d.]+)\]", mended.stdout + mended.stderr).groups()] for w in ("after", "before")]
check("the mended rubric raises no alarm and ends by itself", mended.returncode == 0 and "alarms" not in load(dir_mended + "/run.json"), mended.stderr[-400:])
check("and improves the right answers beyond both intervals", low[0] > high[1] and after > before + 0.3)

# ---- pausing ---------------------------------------------------------------------------------------------------------------

paused = hone("run", "hackable_judge", "steps=40")
dir_paused = run_dir(paused)
check("a pause ends the run with exit 1, the reason and what to do", paused.returncode == 1 and "paused after step" in paused.stderr
      and "hone resume " + dir_paused in paused.stderr, paused.stderr)
check("behind the step that raised it, which is whole", len(metrics(dir_paused)) == int(re.search(r"paused after step (\d+)", paused.stderr).group(1)))
times = 0
while paused.returncode == 1 and times < 9:
    paused = hone("resume", dir_paused)
    times += 1
warned = hone("run", "hackable_judge", "steps=40", "alarm=warn")
check("resumed as often as it pauses, it ends", paused.returncode == 0 and 1 <= times <= 4, paused.stderr[-300:])
check("with the metrics of a run that only warned", read(dir_paused + "/metrics.jsonl") == read(run_dir(warned) + "/metrics.jsonl"))
check("and its alarms", load(dir_paused + "/run.json")["alarms"] == load(run_dir(warned) + "/run.json")["alarms"])
stopped = hone("run", "hackable_judge", "steps=40", "alarm=stop")
check("stop ends it in the step", stopped.returncode == 1 and "monitor: stopped at step" in stopped.stderr, stopped.stderr)

# ---- the other watches ------------------------------------------------------------------------------------------------------

RECIPE = """
local hone = require "hone"
local p = hone.params { case = { "", "which" } }
local events = {}
local sink = hone.sink { id = "events", event = function(kind, f) if kind == "alarm" then print("event " .. f.kind .. " " .. f.step) end end }
local run = hone.run { name = "watch", seed = 3, sinks = { sink } }
local policy = run:policy { model = "tiny" }
local asked, made = 0, 0
local function judge(fn)
  made = made + 1
  return hone.judge { id = "j" .. made, judge = function(items)
    local out = {}
    for i, it in ipairs(items) do
      asked = asked + 1
      out[i] = fn(it.candidates[1], it)
    end
    return out
  end }
end
local function marks(text) return { score = math.min(1, select(2, text:gsub("e", "")) / 10) } end
local anchors = { { prompt = "a", completion = "eee" }, { prompt = "b", completion = "eeeee" }, { prompt = "c", completion = "x" } }
local drift = judge(function(text) return { score = math.min(1, select(2, text:gsub("e", "")) / 10 + (run.step > 6 and 0.2 or 0)) } end)
local weak = judge(function(text) return { score = text:find "Verdict" and 1 or 0.3 } end)
local sound = judge(function(text) return { score = text:match "^[^%s*#]+ ?" and 0.5 or 0 } end)
local flat = judge(function() return { score = 1, criteria = { 1, 0 }, criterion_names = { "clear", "short" } } end)
local config = ({
  anchors = { rewards = {}, anchors = { judge = drift, items = anchors, every = 4 }, range = { 0, 1 }, alarm = "warn", correlations = false },
  still = { rewards = {}, anchors = { judge = judge(marks), items = anchors, every = 4 }, range = { 0, 1 }, alarm = "warn", correlations = false },
  probes = { rewards = {}, probes = { judge = weak, every = 5, attacks = "injection", max = 4 }, range = { 0, 1 }, alarm = "warn" },
  flat = { rewards = { hone.reward("judge", { judge = flat }) }, window = 5, alarm = "warn" },
  call = { rewards = {}, probes = { judge = weak, every = 5, attacks = "fake_verdict" }, range = { 0, 1 },
    alarm = function(a) print("called " .. a.kind .. " " .. a.step) end },
  off = { rewards = {}, correlations = false, panel = { judge = judge(marks), share = 0, min = 1 } },
  unknown = { rewards = {}, panels = {} }, unknown_key = { rewards = {}, panel = { judge = weak, sare = 1 } },
  no_judge = { rewards = {}, panel = {} }, action = { rewards = {}, alarm = "shout" }, kind = { rewards = {}, alarm = { pannel = "stop" } },
  no_range = { rewards = {}, probes = { judge = weak } }, negative = { rewards = {}, window = -1 }, no_rewards = {},
})[p.case]
local watch = run:monitor(config)
for step in run:steps(10) do
  local r = policy:rollout({ { prompt = "Leo has 3 stickers." }, { prompt = "Mia has 5 balls." } }, { n = 3, max_tokens = 12,
    rewards = #config.rewards > 0 and config.rewards or nil })
  watch(r)
end
print("asked " .. asked)
"""
with open("watch.lua", "w", encoding="utf-8") as f:
    f.write(RECIPE)


def case(name):
    return hone("run", "./watch.lua", "case=" + name)


r = case("anchors")
check("a judge that moves is told by its anchors, at the next look", "event anchors 9" in r.stdout and "the judge has moved: 3 anchors by 0.2" in r.stderr, r.stdout + r.stderr)
r = case("still")
check("one that stays is not", r.returncode == 0 and "event" not in r.stdout and "asked 9" in r.stdout, r.stdout + r.stderr)
r = case("probes")
check("attacks on what the policy writes are told", "event probes 1" in r.stdout and "attacks succeed" in r.stderr, r.stdout + r.stderr)
r = case("flat")
check("groups without contrast, and a criterion at its highest, are warned of", "event saturation 5" in r.stdout and "100 % of the groups" in r.stderr
      and r.returncode == 0, r.stdout + r.stderr)
lines = metrics(run_dir(r))
check("criteria are metrics by their names", lines[-1]["monitor/saturation/judge/clear"] == 1 and lines[-1]["monitor/saturation/groups"] == 1, str(lines[-1]))
r = case("call")
check("an alarm may be a function", "called probes 1" in r.stdout and r.returncode == 0, r.stdout + r.stderr)
r = case("off")
check("a share of nothing still judges min samples", r.returncode == 0 and "asked 10" not in r.stdout and "asked" in r.stdout, r.stdout + r.stderr)
for name, want in (("unknown", 'no setting "panels"'), ("unknown_key", 'no setting "sare"'), ("no_judge", "needs judge"), ("action", '"warn", "pause", "stop"'),
                   ("kind", '"pannel" is no watch'), ("no_range", "need range"), ("negative", "0 or more"), ("no_rewards", "needs rewards")):
    r = case(name)
    check("refused with what is wrong: " + name, r.returncode == 1 and want in r.stderr, r.stderr)

finish()
