"""judge_compose.py - judges made of judges: what each composition makes of its members' verdicts, that a member without a
number abstains and is counted, that circles are refused, and that the result goes wherever a judge goes: reward, metric of
an evaluation, filter, pairs, best of n, a check with an exit code."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
WORK = pathlib.Path(work.name)

HEAD = """local hone = require "hone"
local function near(a, b, e) if not (type(a) == "number" and math.abs(a - b) <= (e or 1e-9)) then error(tostring(a) .. " is not " .. tostring(b), 2) end end
local made = 0
-- a judge that says fn(item): a number, a table, nil
local function says(fn, id)
  made = made + 1
  return hone.judge { id = id or "says" .. made, judge = function(items)
    local out = {}
    for i, it in ipairs(items) do out[i] = fn(it, i) end
    return out
  end }
end
local function const(x) return says(function() return x end) end
local one = { { prompt = "p", candidates = { "abc" } } }
local function score(j, items) return hone.verdicts(j, items or one)[1].score end
local function status(j, items) return hone.verdicts(j, items or one)[1].status end
"""


def lua(name, body, *args):
    (WORK / name).write_text(HEAD + body)
    return subprocess.run([HONE, "lua", name, *args], capture_output=True, text=True, cwd=WORK, timeout=300)


def works(name, body):
    r = lua("t.lua", body + "\nprint 'done'\n")
    check(name, r.returncode == 0 and r.stdout.endswith("done\n"), r.stdout + r.stderr)


def refused(name, body, text, code=1):
    r = lua("t.lua", body)
    check(name, r.returncode == code and text in r.stderr, f"{r.returncode} {r.stdout} {r.stderr}")


# ---- jury --------------------------------------------------------------------------------------------------------------

works("a jury: mean, median, majority, weights, spread", """
local a, b, c = const(0.2), const(0.4), const(0.9)
near(score(hone.jury { a, b, c }), 0.5)
near(score(hone.jury { a, b, c, aggregate = "median" }), 0.4)
near(score(hone.jury { { a, weight = 3 }, b, c, aggregate = "median" }), 0.2)
near(score(hone.jury { { a, weight = 2 }, b, c, aggregate = "median" }), 0.3)
near(score(hone.jury { { a, weight = 2 }, b, { c, weight = 1 } }), 1.7 / 4)
near(score(hone.jury { const(1), const(1), const(0), aggregate = "majority" }), 1)
near(score(hone.jury { const(1), const(0), aggregate = "majority" }), 0.5)
near(score(hone.jury { { a, threshold = 0.1 }, { b, threshold = 0.3 }, { c, threshold = 1 }, aggregate = "majority" }), 1)
near(score(hone.jury { { const(3), scale = { 1, 5 } }, { const(0.9), scale = { 0, 1 } } }), 0.7)
local sd = math.sqrt((0.3 ^ 2 + 0.1 ^ 2 + 0.4 ^ 2) / 3)
near(score(hone.jury { a, b, c, lambda = 0.5 }), 0.5 - 0.5 * sd)
local v = hone.verdicts(hone.jury { a, b, c }, one)[1]
near(v.disagreement, sd) near(v.se, sd * math.sqrt(3 / 2) / math.sqrt(3))
assert(#v.members == 3 and v.members[2].score == 0.4)
""")
works("what has no number abstains and is counted, and is no 0", """
local refuses = says(function(_, i) if i % 2 == 0 then return hone.abstain end return 1 end)
local fails = says(function() return nil end)
local j = hone.jury { const(0.5), refuses, fails, quorum = 1 }
local v = hone.verdicts(j, { one[1], one[1], one[1], one[1] })
near(v[1].score, 0.75) near(v[2].score, 0.5) near(v[4].score, 0.5)
local c = j:counts()
assert(c.items == 4 and c.ok == 4 and c.members[1].ok == 4 and c.members[2].ok == 2 and c.members[2].abstain == 2)
assert(c.members[3].error == 4 and c.members[3].ok == 0)
-- too few: no number at all, and why
local strict = hone.jury { const(0.5), refuses, fails }
v = hone.verdicts(strict, { one[1], one[1] })
near(v[1].score, 0.75)
assert(v[2].status == "abstain" and v[2].score == nil and v[2].reasoning:find "1 of 3 members" and v[2].reasoning:find "error", v[2].reasoning)
-- a penalty for disagreement wants two opinions
assert(status(hone.jury { const(1), fails, lambda = 1 }) == "abstain")
-- a number that is none
assert(status(says(function() return 0 / 0 end)) == "error")
assert(status(says(function() return { score = math.huge } end)) == "error")
""")
works("calibrated log-odds add up", """
local function report(tpr, tnr) return { tpr = { value = tpr }, tnr = { value = tnr }, threshold = 0.5, positives = 1e9, negatives = 1e9 } end
local good, poor = report(0.9, 0.8), report(0.6, 0.5)
local j = hone.jury { { const(1), calibration = good }, { const(0), calibration = poor }, aggregate = "log_odds", prior = 0.4 }
-- Bayes' rule: 0.4 * 0.9 * 0.4 against 0.6 * 0.2 * 0.5
near(score(j), 0.4 * 0.9 * 0.4 / (0.4 * 0.9 * 0.4 + 0.6 * 0.2 * 0.5), 1e-6)
local half = hone.jury { { const(1), calibration = good, weight = 0.5 }, aggregate = "log_odds" }
near(score(half), 1 / (1 + math.sqrt(0.2 / 0.9)), 1e-6)
-- an isotonic map, between its points and beyond them
local iso = { calibration = { isotonic = { { 0, 0.1 }, { 1, 0.5 }, { 2, 0.9 } } }, items = 1e9 }
near(score(hone.jury { { const(1.5), calibration = iso }, aggregate = "log_odds" }), 0.7, 1e-6)
near(score(hone.jury { { const(9), calibration = iso }, aggregate = "log_odds" }), 0.9, 1e-6)
-- pairs, by pairwise accuracy; a tie says nothing
local acc = { agreement = { pairwise_accuracy = { value = 0.8 } }, items = 1e9 }
local two = { { prompt = "p", candidates = { "a", "b" } } }
near(score(hone.jury { { const(1), calibration = acc }, { const(0), calibration = acc }, aggregate = "log_odds" }, two), 0.6, 1e-6)
-- a perfect record of ten cases is not certainty
local sure = hone.jury { { const(1), calibration = { tpr = 1, tnr = 1, threshold = 0.5, positives = 10, negatives = 10 } }, aggregate = "log_odds" }
assert(score(sure) < 0.96 and score(sure) > 0.9)
""")
works("rankings of several judges become one, whatever order candidates are in", """
local function rank(...) local r = { ... } return says(function(it) return { ranking = r } end) end
local items = { { prompt = "p", candidates = { "x", "y", "z" } } }
local v = hone.verdicts(hone.jury { rank(1, 2, 3), rank(2, 1, 3), rank(2, 1, 3) }, items)[1]
assert(table.concat(v.ranking, ",") == "2,1,3")
-- a tie is broken by the texts and not by their places
local function by(word) return says(function(it)
  local r = {}
  for i = 1, 3 do r[#r + 1] = it.candidates[i] == word and i or nil end
  for i = 1, 3 do if it.candidates[i] ~= word then r[#r + 1] = i end end
  return { ranking = r }
end) end
local function first(list)
  local v = hone.verdicts(hone.jury { by "x", by "y" }, { { candidates = list } })[1]
  return list[v.ranking[1]]
end
assert(first { "x", "y", "z" } == first { "y", "x", "z" })
assert(first { "x", "y", "z" } ~= "z")
""")
for what, body, text in [
    ("an unknown setting", "hone.jury { const(1), agregate = 'mean' }", 'did you mean "aggregate"'),
    ("an unknown rule", "hone.jury { const(1), aggregate = 'best' }", "aggregate is"),
    ("no members", "hone.jury { }", "there are no members"),
    ("a member that is no judge", "hone.jury { 5 }", "member 1: a judge is wanted"),
    ("a reward for a judge", "hone.jury { hone.component { kind = 'sink', id = 's', event = function() end } }", "which offers hone.sink/1"),
    ("a negative weight", "hone.jury { { const(1), weight = -1 } }", "weight is a number"),
    ("weights that are all 0", "hone.jury { { const(1), weight = 0 } }", "all weights are 0"),
    ("log-odds without a calibration", "hone.jury { const(1), aggregate = 'log_odds' }", "has none"),
    ("a calibration that says nothing", "score(hone.jury { { const(1), calibration = { tpr = 1 } }, aggregate = 'log_odds' })",
     "neither an isotonic map"),
    ("a quorum above the members", "hone.jury { const(1), quorum = 2 }", "quorum is a number of members, 1 to 1"),
    ("a scale upside down", "hone.jury { { const(1), scale = { 5, 1 } } }", "scale is { lowest, highest }"),
]:
    refused("a jury: " + what, body, text)

# ---- circles -----------------------------------------------------------------------------------------------------------

refused("a judge that asks its own jury", """
local jury
local j = says(function(it) return hone.verdicts(jury, one)[1].score end, "asks")
jury = hone.jury { id = "all", j }
score(jury)""", "in a circle: all -> asks -> all")
refused("two judges in Lua that ask each other", """
local a, b
a = says(function() return hone.verdicts(b, one)[1].score end, "a")
b = says(function() return hone.verdicts(a, one)[1].score end, "b")
score(a)""", "in a circle: a -> b -> a")
refused("a tree whose branch is itself", """
local node = { judge = const(1), yes = 1 }
node.no = node
hone.tree(node)""", "one of its own ancestors")
refused("a jury with the name of its own member", "hone.jury { id = 'x', says(function() return 1 end, 'x') }", "there is a component")
works("after a refusal the judges work", """
local jury
local j = says(function(it) if it.prompt == "circle" then return hone.verdicts(jury, one)[1].score end return 0.5 end)
jury = hone.jury { j }
assert(not pcall(score, jury, { { prompt = "circle", candidates = { "x" } } }))
near(score(jury), 0.5)
""")

# ---- cascade -----------------------------------------------------------------------------------------------------------

works("a cascade asks the strong judge where the cheap one is uncertain", """
local asked = 0
local strong = says(function() asked = asked + 1 return { score = 0.9, cost = 10 } end)
local cheap = says(function(it) -- sure of "a", not of "b"
  local p = it.candidates[1] == "a" and 0.99 or 0.5
  return { score = p, label_probs = { 1 - p, p }, cost = 1 }
end)
local j = hone.cascade { cheap, strong, entropy = 0.3 }
local v = hone.verdicts(j, { { candidates = { "a" } }, { candidates = { "b" } }, { candidates = { "a" } } })
near(v[1].score, 0.99) near(v[2].score, 0.9) near(v[3].score, 0.99)
assert(asked == 1 and v[1].stage == 1 and v[2].stage == 2 and v[1].cost == 1 and v[2].cost == 11)
local c = j:counts()
assert(c.members[1].asked == 3 and c.members[2].asked == 1)
""")
works("and where it has no number, or disagrees with itself", """
local strong = says(function(it) return it.candidates[2] and -1 or 0.7 end)
near(score(hone.cascade { says(function() return nil end), strong, margin = 0.1, threshold = 0.5 }), 0.7)
near(score(hone.cascade { const(0.55), strong, margin = 0.1, threshold = 0.5 }), 0.7)
near(score(hone.cascade { const(0.65), strong, margin = 0.1, threshold = 0.5 }), 0.65)
near(score(hone.cascade { hone.jury { const(0), const(1) }, strong, disagreement = 0.3 }), 0.7)
near(score(hone.cascade { hone.jury { const(0.4), const(0.6) }, strong, disagreement = 0.3 }), 0.5)
local two = { { prompt = "p", candidates = { "a", "b" } } }
near(score(hone.cascade { hone.swapped(const(1)), strong, swap = 0.2 }, two), -1) -- always the first: no opinion
local consistent = says(function(it) return it.candidates[1] == "a" and 0.8 or -0.8 end)
near(score(hone.cascade { hone.swapped(consistent), strong, swap = 0.2 }, two), 0.8)
-- an entropy nobody gave is no certainty
near(score(hone.cascade { const(0.9), strong, entropy = 0.3 }), 0.7)
-- where the last has no number
local silent = says(function() return hone.abstain end)
assert(status(hone.cascade { const(0.5), silent, margin = 1 }) == "abstain")
near(score(hone.cascade { const(0.5), silent, margin = 1, fallback = "previous" }), 0.5)
""")
refused("a cascade without a bound", "hone.cascade { const(1), const(2) }", "a bound is wanted")
refused("a cascade of one", "hone.cascade { const(1), entropy = 1 }", "two judges are wanted")

# ---- swapped, repeated, flipped ----------------------------------------------------------------------------------------

works("both orders of a pair, averaged", """
local two = { { prompt = "p", candidates = { "long one", "x" } } }
local lean = says(function(it) return (#it.candidates[1] > #it.candidates[2] and 0.5 or -0.5) + 0.3 end) -- likes length, and the first
local v = hone.verdicts(hone.swapped(lean), two)[1]
near(v.score, 0.5) near(v.inconsistency, 0.3)
assert(v.orders == 2 and v.ranking[1] == 1)
near(score(hone.swapped(says(function() return { ranking = { 1, 2 } } end)), two), 0)
local half = says(function(it) return it.candidates[1] == "x" and hone.abstain or 1 end)
assert(status(hone.swapped(half), two) == "abstain")
near(score(hone.swapped(const(0.4))), 0.4) -- one candidate has one order
""")
works("lists in turns of a Latin square", """
local seen = {}
local first = says(function(it) -- puts whatever stands first on top
  seen[#seen + 1] = table.concat(it.candidates:totable(), "")
  return { ranking = { 1, 2, 3 } }
end)
local v = hone.verdicts(hone.swapped(first, { orders = 3 }), { { candidates = { "a", "b", "c" } } })[1]
assert(table.concat(seen, " ") == "abc bca cab", table.concat(seen, " "))
assert(#v.ranking == 3)
local right = says(function(it)
  local order = { 1, 2, 3 }
  table.sort(order, function(x, y) return it.candidates[x] < it.candidates[y] end)
  return { ranking = order }
end)
v = hone.verdicts(hone.swapped(right, { orders = 2 }), { { candidates = { "c", "a", "b" } } })[1]
assert(table.concat(v.ranking, ",") == "2,3,1", table.concat(v.ranking, ","))
""")
works("self-consistency with its standard error", """
local ids = {}
local noisy = says(function(it) ids[it.id] = true return it.id % 4 end)
local v = hone.verdicts(hone.repeated(noisy, { n = 4 }), one)[1]
near(v.score, 1.5) near(v.se, math.sqrt((1.5 ^ 2 + 0.5 ^ 2 + 0.5 ^ 2 + 1.5 ^ 2) / 3 / 4))
local n = 0
for _ in pairs(ids) do n = n + 1 end
assert(n == 4 and v.n == 4) -- each time another id, by which it can draw anew
local some = says(function(it) return it.id % 4 == 0 and hone.abstain or 1 end)
v = hone.verdicts(hone.repeated(some, { n = 4 }), one)[1]
near(v.score, 1) near(v.se, 0)
assert(v.n == 3)
assert(status(hone.repeated(some, { n = 4, need = 4 })) == "abstain")
""")
works("the scale shown both ways", """
local v = hone.verdicts(hone.flipped { const(4), const(1), scale = { 1, 5 } }, one)[1] -- 1 where 5 is worst is a 5
near(v.score, 4.5) near(v.inconsistency, 0.5)
assert(status(hone.flipped { const(4), says(function() return nil end), scale = { 1, 5 } }) == "error")
""")

# ---- tournament ----------------------------------------------------------------------------------------------------------

works("a tournament: strengths that sum to 0 and find the truth", """
local truth = { a = 1.2, b = 0.3, c = -0.5, d = -1.0 }
local j = says(function(it) local d = truth[it.candidates[1]] - truth[it.candidates[2]] return 2 / (1 + math.exp(-d)) - 1 end)
local t = hone.tournament(j, { ridge = 1e-9 })
local v = hone.verdicts(t, { { candidates = { "c", "a", "d", "b" } } })[1]
local sum = 0
for i, x in ipairs { -0.5, 1.2, -1.0, 0.3 } do near(v.strengths[i], x, 1e-5) sum = sum + v.strengths[i] end
near(sum, 0, 1e-12)
assert(table.concat(v.ranking, ",") == "2,4,1,3" and t:counts().members[1].asked == 12)
-- one that always wins stays finite
local sure = says(function(it) return it.candidates[1] < it.candidates[2] and 1 or -1 end)
v = hone.verdicts(hone.tournament(sure), { { candidates = { "a", "b", "c" } } })[1]
assert(v.strengths[1] < 10 and v.strengths[1] > v.strengths[2] and v.strengths[2] > v.strengths[3])
-- pairs without a number are left out; where nothing connects the candidates there is no verdict
local gaps = says(function(it) return (it.candidates[1] .. it.candidates[2]):find "d" and hone.abstain or (it.candidates[1] < it.candidates[2] and 1 or -1) end)
v = hone.verdicts(hone.tournament(gaps), { { candidates = { "a", "b", "d" } }, { candidates = { "a", "b", "c" } } })
assert(v[1].status == "abstain" and v[1].reasoning:find "not connected" and v[2].status == "ok" and v[2].missing == 0)
assert(status(hone.tournament(sure)) == "abstain") -- one candidate
""")

# ---- tree ----------------------------------------------------------------------------------------------------------------

works("a decision tree", """
local asked = 0
local safe = says(function(it) return it.prompt == "unsafe" and 0 or it.prompt == "odd" and hone.abstain or 1 end)
local right = says(function(it) asked = asked + 1 return it.candidates[1] == "right" and 0.8 or 0.1 end)
local t = hone.tree { judge = safe, no = 0, yes = { judge = right, at = 0.5, yes = 1, no = const(0.3) } }
local function item(p, c) return { prompt = p, candidates = { c } } end
local v = hone.verdicts(t, { item("ok", "right"), item("unsafe", "right"), item("ok", "wrong"), item("odd", "right") })
near(v[1].score, 1) near(v[2].score, 0) near(v[3].score, 0.3)
assert(v[4].status == "abstain" and asked == 2)
near(score(hone.tree { judge = safe, no = 0, yes = 1, unknown = 0.5 }, { item("odd", "x") }), 0.5)
assert(status(hone.tree { judge = safe, no = hone.abstain, yes = 1 }, { item("unsafe", "x") }) == "abstain")
""")
refused("a node without a branch", "hone.tree { judge = const(1), yes = 1 }", "a node has yes and no")
refused("a branch that is a text of no judge", "hone.tree { judge = const(1), yes = 1, no = 'nonesuch' }", "nonesuch")

# ---- a composition is a judge ----------------------------------------------------------------------------------------------

works("compositions of compositions, through the interface as well", """
local j = hone.jury { hone.repeated(const(0.5), { n = 2 }), hone.tree { judge = const(1), yes = 1, no = 0 } }
near(score(j), 0.75)
local v = j:judge { { prompt = "p", candidates = { "x" }, columns = { a = 1 } } }[1].verdict -- what C sees
near(v.score, 0.75)
assert(v.status == 1 and v.spec_hash == hone.judge_hash(j), v.spec_hash)
local w = hone.jury { id = "w", says(function() return hone.abstain end) }
v = w:judge(one)[1].verdict
assert(v.status == 2 and v.score ~= v.score)
""")
works("its hash is that of its members and settings", """
local a, b = const(1), const(2)
local h = hone.judge_hash(hone.jury { a, b })
assert(#h == 64 and h == hone.judge_hash(hone.jury { id = "another", a, b }))
assert(h ~= hone.judge_hash(hone.jury { a, { b, weight = 2 } }))
assert(h ~= hone.judge_hash(hone.jury { b, a }) and h ~= hone.judge_hash(hone.jury { a, b, lambda = 0.1 }))
""")
works("its spec says shape and range where its members agree on them", """
local function r(version, criteria) return hone.judge("rubric", { rubric = { id = "r", version = version, shape = "pointwise", criteria = criteria } }) end
local regex = { id = "a", text = "Is there a letter?", kind = "program", verifier = { reward = "regex", pattern = "[a-z]" } }
local a, b = r("1", { regex }), r("2", { regex })
local s = hone.judge_spec(hone.jury { a, b })
assert(s.shape == "pointwise" and s.range[1] == 0 and s.range[2] == 1 and #s.members == 2 and s.members[1].rubric ~= s.members[2].rubric)
assert(hone.judge_spec(hone.jury { a, b, lambda = 1 }).range == nil and hone.judge_spec(hone.jury { a, const(1) }).range == nil)
assert(hone.judge_spec(hone.tournament(const(1))).shape == "listwise")
near(score(hone.jury { a, b }), 1)
local v = hone.verdicts(a, { { prompt = "p", completion = "?" } })[1]
assert(v.score == 0 and v.criterion_names[1] == "a" and v.spec_hash == hone.judge_hash(a), v.spec_hash)
local t = hone.tree { judge = a, criterion = "a", at = 1, yes = 0.7, no = 0.2 }
near(score(t), 0.7) near(score(t, { { candidates = { "?" } } }), 0.2)
-- strengths cross the interface beside the ranking
local longer = hone.tournament(says(function(it) return #it.candidates[1] > #it.candidates[2] and 1 or -1 end))
v = longer:judge { { candidates = { "a", "ccc", "bb" } } }[1].verdict
assert(v.n_ranking == 3 and v.ranking[1] == 1 and v.candidate_scores[2] > v.candidate_scores[3] and v.candidate_scores[3] > v.candidate_scores[1])
""")
works("as a reward, in an evaluation, and a tournament as the reward of a group", """
local run = hone.run { name = "j", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local length = says(function(it) return it.prompt:find "Tom" and hone.abstain or #it.candidates[1] end)
local jury = hone.jury { id = "long", length, says(function(it) return #it.candidates[1] + 2 end) , quorum = 2 }
local rows = hone.rows { { prompt = "Leo has 3 apples. " }, { prompt = "Tom has 5 pens. " } }
local longer = says(function(it) return #it.candidates[1] > #it.candidates[2] and 1 or #it.candidates[1] < #it.candidates[2] and -1 or 0 end)
local rewards = { hone.reward(jury, { weight = 0.5 }), hone.reward(hone.tournament(longer), { group = true, id = "beats" }) }
for _, prompts in run:steps(1, rows:batches(2)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 12, temperature = 1.5, rewards = rewards })
  local sum, scored = {}, 0
  for _, s in ipairs(rollout:samples()) do
    local o = s.outcomes.long
    if s.prompt:find "Tom" then assert(o.status == "abstain", o.status) else
      near(o.score, #s.completion + 1, 1e-5)
      scored = scored + 1
    end
    sum[s.group] = (sum[s.group] or 0) + s.outcomes.beats.score
  end
  assert(scored == 4)
  for _, x in pairs(sum) do near(x, 0, 1e-5) end
  for _, g in ipairs(rollout:groups()) do
    for _, a in ipairs(g) do
      for _, b in ipairs(g) do
        if #a.completion > #b.completion then assert(a.outcomes.beats.score > b.outcomes.beats.score) end
      end
    end
  end
  policy:update { rollout, objective = "grpo", advantage = "group" }
  local pairs_, info = hone.pairs(length, rollout, { z = 0 })
  assert(info.prompts == 2 and info.unjudged == 4 and #pairs_ <= 1 and info.compared == 6)
  for _, p in ipairs(pairs_) do assert(#p.chosen > #p.rejected and p.prompt:find "Leo") end
  local best, counted = hone.best(length, rollout)
  assert(#best == 1 and counted.kept == 1 and counted.unjudged == 4)
  policy:update { hone.pairs(says(function(it) return #it.candidates[1] end), rollout, { z = 0 }), objective = "dpo", reference = policy:reference() }
end
local r = policy:eval { { { prompt = "Leo has 3 apples. " } }, rewards = rewards, max_tokens = 4 }
assert(r.long.n == 1)
""")
works("pairs beyond z standard errors, and no others", """
local noise = { a = 0, b = 1, c = 4 }
local j = says(function(it) return noise[it.candidates[1]] + (it.id % 2 == 0 and 0.5 or -0.5) end)
local rows = { { prompt = "p", candidates = { "a", "b", "c" } } }
local kept, info = hone.pairs(j, rows, { z = 2, n = 4, all = true }) -- se of a mean of 4: sqrt(1/3)/2 = 0.289, of a margin 0.408
assert(info.compared == 3 and info.kept == 3, info.kept)
kept, info = hone.pairs(j, rows, { z = 3, n = 4, all = true })
assert(info.kept == 2 and info.within == 1 and kept[1].chosen == "c")
kept = hone.pairs(j, rows, { z = 3, n = 4 })
assert(#kept == 1 and kept[1].chosen == "c" and kept[1].rejected == "a" and kept[1].prompt == "p")
near(kept[1].margin, 4) near(kept[1].se, math.sqrt(1 / 3) / 2 * math.sqrt(2))
local cmp = says(function(it) return it.candidates[1] > it.candidates[2] and 1 or -1 end)
kept = hone.pairs(cmp, rows, { z = 2, n = 2, shape = "pairwise", all = true })
assert(#kept == 3 and kept[1].chosen > kept[1].rejected)
assert(#hone.pairs(const(1), rows, { z = 0, shape = "pairwise" }) == 0) -- always the first: no margin in both orders
""")
refused("pairs of a judge without a standard error", "hone.pairs(const(1), { { prompt = 'p', candidates = { 'a', 'b' } } })",
        "no standard error")
works("best of n, and a filter", """
local j = says(function(it) return it.candidates[1] == "?" and hone.abstain or #it.candidates[1] end)
local best, info = hone.best(j, { { prompt = "p", candidates = { "a", "ccc", "bb" } }, { prompt = "q", candidates = { "?", "?" } } })
assert(#best == 1 and best[1].completion == "ccc" and best[1].prompt == "p" and info.unjudged == 2)
local cmp = says(function(it) return it.candidates[1] > it.candidates[2] and 1 or -1 end)
assert(hone.best(cmp, { { prompt = "p", candidates = { "a", "c", "b" } } }, { shape = "pairwise" })[1].completion == "c")
local rows = hone.rows { { prompt = "p", completion = "a" }, { prompt = "p", completion = "bbb" }, { prompt = "p", completion = "?" } }
local kept = rows:filter(hone.keep(j, { at = 2 })):list()
assert(#kept == 1 and kept[1].completion == "bbb")
""")

works("what cannot be evidence is refused, and says why", """
local core = require "hone.core"
local function says_why(text, fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and tostring(e):find(text, 1, true), tostring(e))
end
says_why('there is no "nonesuch"', core.attack_report, { "nonesuch" }, { 1 }, { { 1 } }, { range = { 0, 1 } })
says_why("one list of scores", core.attack_report, { "bold" }, { 1 }, {}, { range = { 0, 1 } })
says_why("table expected", core.attack_report, { "bold" }, { 1 }, { { 1 } }, {})
says_why("clusters", core.attack_report, { "bold" }, { 1, 2 }, { { 1, 2 } }, { range = { 0, 1 }, clusters = { "a" } })
assert(not pcall(core.attack_report, { "bold" }, { 1 }, { { 1 } }, { range = { 1, 0 } }))
local r = core.attack_report({ "bold", "empty" }, { 0.5, false, 0.5 }, { { 0.9, 1, nil }, { 0, false, 0 } }, { range = { 0, 1 } })
assert(r.kind == "attack" and r.items == 3 and r.attacks[1].violations == 1 and r.attacks[1].n == 1)
says_why("criteria", hone.lint, { id = "r", version = "1", shape = "pointwise", criteria = 5 })
assert(hone.lint({ id = "r", version = "1", shape = "pointwise", criteria = { { id = "a", text = "Is it good and short?", choices = { "no", "yes" } } } }).warnings > 0)
says_why("no record can name it", hone.gate, const(1), {})
local j = hone.judge("rubric", { rubric = { id = "r", version = "1", shape = "pointwise",
  criteria = { { id = "a", text = "Is there a letter?", kind = "program", verifier = { reward = "regex", pattern = "[a-z]" } } } } })
local g = hone.gate(j, {}, { policy = "0123456789abcdef" })
assert(g.verdict == "NO-GO" and #g.lines > 5, g.verdict)
for _, l in ipairs(g.lines) do assert(not l.passed or l.line, l.line) end
assert(not pcall(hone.gate, j, { calibration = { kind = "attack" } }))
assert(not pcall(hone.gate, j, { calibration = 5 }))
""")

# ---- on the command line -----------------------------------------------------------------------------------------------------

(WORK / "jury.lua").write_text(HEAD + """return hone.jury { id = "both", says(function(it) return #it.candidates[1] end), says(function() return 1 end) }
""")
(WORK / "items.jsonl").write_text('{"id":"a","prompt":"p","completion":"xyz"}\n{"id":"b","prompt":"p","completion":"x"}\n')
r = subprocess.run([HONE, "judge", "run", "--judge", "jury.lua", "--items", "items.jsonl", "--out", "-", "--no-store"], capture_output=True, text=True, cwd=WORK, timeout=300)
rows = [json.loads(x) for x in r.stdout.splitlines() if x.startswith("{")]
check("hone judge run takes a jury", r.returncode == 0 and [(x["id"], x["score"]) for x in rows] == [("a", 2), ("b", 1)], r.stdout + r.stderr)
check("and says its spec", all(len(x["spec"]) == 64 for x in rows), rows)

# ---- a check with an exit code -----------------------------------------------------------------------------------------------

CHECK = """local j = says(function(it) return it.candidates[1] == "?" and hone.abstain or #it.candidates[1] / 10 end)
local function rows(n, f) local out = {} for i = 1, n do out[i] = { prompt = "p" .. i, completion = f(i) } end return out end
local function x(i, k) return ("x"):rep(5 + (i + (k or 0)) % 3) end
"""
works("a check that holds", CHECK + """
local r = hone.check(j, rows(30, x), { at_least = 0.5, baseline = rows(30, function(i) return x(i):sub(2) end), drop = 0.01 })
near(r.score.value, 0.6) near(r.difference.value, 0.1)
assert(r.score.lo > 0.55 and r.difference.n == 30 and r.unjudged == 0)
""")
refused("a mean whose interval reaches below", CHECK + "hone.check(j, rows(30, x), { at_least = 0.6 })", "check failed: mean score 0.6000")
refused("a difference whose interval reaches below", CHECK + "hone.check(j, rows(30, x), { baseline = rows(30, function(i) return x(i, 1) end) })",
        "check failed: against the baseline")
refused("rows without a number", CHECK + "hone.check(j, rows(30, function(i) return i < 3 and '?' or x(i) end), { at_least = 0.1 })",
        "2 of 30 rows have no number")
finish()
