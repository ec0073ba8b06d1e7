--- Judges made of judges: jury, cascade, tournament, tree, swapped, repeated, flipped. Each is a judge again.
-- The key idea: a composition is a Lua function over verdicts (hone/judging.lua) and a component of hone.judge/1 around
-- it, so it goes wherever a judge goes. A member whose verdict is not "ok" abstains and is counted; it is never a 0 or
-- the least score. Composition:counts() tells how often each member was asked and why it had no number.
-- Sources: Bradley and Terry 1952; logarithmic opinion pools (Genest and Zidek 1986); judges.md sections 2 and 5.

local components = require "hone.components"
local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"
local stats = require "hone.stats"

local compose = {}

local made = {} -- how many of each kind there are, for their ids

local function fail(...)
  error(string.format(...), 0)
end

local function check_keys(what, t, known)
  for k in pairs(t) do
    if type(k) == "string" and not known[k] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      local close = core.closest(k, names)
      fail("%s: there is no setting \"%s\"%s", what, k, close and " (did you mean \"" .. close .. "\"?)" or "")
    end
  end
end

local function set(...)
  local out = {}
  for _, k in ipairs { ... } do out[k] = true end
  return out
end

-- ---- members -------------------------------------------------------------------------------------------------

--- A judge from what was given for one: a judge, or the name of one.
local function judge_of(what, j)
  if type(j) == "string" then j = components.judge(j) end
  if not components.is(j) or j.iface ~= "hone.judge/1" then
    fail("%s: a judge is wanted (hone.judge, hone.jury, ... or the name of one), not %s", what,
      components.is(j) and j.id .. ", which offers " .. j.iface or "a " .. type(j))
  end
  return j
end

local member_keys = set("weight", "scale", "threshold", "calibration")

local function members_of(what, list)
  local out = {}
  for i, m in ipairs(list) do
    local place = string.format("%s: member %d", what, i)
    if type(m) ~= "table" or components.is(m) then m = { m } end
    check_keys(place, m, member_keys)
    local j = judge_of(place, m[1])
    local w = m.weight == nil and 1 or m.weight
    if type(w) ~= "number" or not (w >= 0) or w == math.huge then fail("%s: weight is a number from 0 on", place) end
    if m.scale and not (type(m.scale) == "table" and type(m.scale[1]) == "number" and type(m.scale[2]) == "number"
        and m.scale[1] < m.scale[2]) then
      fail("%s: scale is { lowest, highest }", place)
    end
    out[i] = { judge = j, weight = w, scale = m.scale, threshold = m.threshold,
      calibration = m.calibration and compose.report(m.calibration, place) or nil }
  end
  if #out == 0 then fail("%s: there are no members", what) end
  return out
end

--- A calibration report: a table, or the path of one that `hone judge calibrate --json` wrote.
function compose.report(c, what)
  if type(c) == "string" then
    local text = core.read_file(c)
    local report, why = json.decode(text)
    if not report then fail("%s: %s is no JSON: %s", what, c, why) end
    c = report
  end
  if type(c) ~= "table" then fail("%s: calibration is a report (a table) or the path of one", what) end
  return c
end

-- Every judge below j, j's own path in front: a circle in what was given is found before anything is asked.
local function refuse_circles(j, path)
  for _, name in ipairs(path) do
    if name[1] == j then
      local names = {}
      for i, p in ipairs(path) do names[i] = judging.short(p[2]) end
      fail("judges that ask each other in a circle: %s -> %s", table.concat(names, " -> "), judging.short(j.id))
    end
  end
  path[#path + 1] = { j, j.id }
  for _, m in ipairs(rawget(j, "members") or {}) do refuse_circles(m, path) end
  path[#path] = nil
end

-- ---- a composition as a judge --------------------------------------------------------------------------------

-- One line a member: how often it was asked and what came of it.
local function new_counts(list)
  local out = { items = 0, ok = 0, members = {} }
  for i, j in ipairs(list) do out.members[i] = { id = j.id, asked = 0, ok = 0 } end
  return out
end

local function count(c, verdicts)
  for _, v in ipairs(verdicts) do
    c.asked = c.asked + 1
    c[v.status] = (c[v.status] or 0) + 1
  end
  return verdicts
end

local function add(into, v)
  for _, k in ipairs { "cost", "tokens_in", "tokens_out", "latency_ns" } do
    if v[k] then into[k] = (into[k] or 0) + v[k] end
  end
end

-- What all of the judges say of themselves alike, or nil.
local function common(list, key)
  local first
  for i, j in ipairs(list) do
    local v = judging.spec(j)[key]
    if v == nil or v == core.null then return nil end
    if i == 1 then first = v elseif core.canonical({ v }) ~= core.canonical({ first }) then return nil end
  end
  return first
end

-- Compositions whose scores lie where those of their members do.
local keeps_range = { cascade = true, swapped = true, repeated = true, mean = true, median = true }

-- Makes the judge `kind`: `list` are the judges it asks, `settings` what else its verdicts depend on (plain values),
-- run(items, ask) gives its verdicts; ask(k, items) those of judge k, counted.
local function judge(kind, id, list, settings, run)
  made[kind] = (made[kind] or 0) + 1
  id = id or (made[kind] == 1 and kind or kind .. made[kind])
  local spec = { kind = kind, settings = settings, members = {}, shape = common(list, "shape") }
  local rule = settings.jury and settings.jury.aggregate
  if keeps_range[rule or kind] and not (settings.jury and settings.jury.lambda ~= 0) then spec.range = common(list, "range") end
  if rule == "log_odds" and spec.shape == "pointwise" then spec.range = { 0, 1 } end
  if kind == "flipped" then spec.range = settings.scale end
  if kind == "tournament" then spec.shape = "listwise" end
  for i, j in ipairs(list) do spec.members[i] = judging.spec(j) end
  local text = json.encode(spec)
  local hash = core.sha256(text)
  local counts = new_counts(list)
  local function ask(k, items)
    return count(counts.members[k], judging.ask(list[k], items))
  end
  local function verdicts(items)
    local out = run(items, ask)
    counts.items = counts.items + #items
    for i, v in ipairs(out) do
      v.spec_hash = hash
      v.cost = v.cost or 0
      counts.ok = counts.ok + (v.status == "ok" and 1 or 0)
      out[i] = v
    end
    return out
  end
  local c
  c = components.judge {
    id = id, summary = "a " .. kind .. " of judges",
    judge = function(items)
      local own = {}
      for i = 1, #items do own[i] = judging.item(items[i]) end
      local out = judging.ask(c, own)
      for i, v in ipairs(out) do out[i] = judging.put(v) end
      return out
    end,
    spec = function() return text end,
  }
  rawset(c, "ask", verdicts)
  rawset(c, "members", list)
  rawset(c, "spec_table", spec)
  rawset(c, "counts", function() return counts end)
  for _, j in ipairs(list) do refuse_circles(j, { { c, id } }) end
  return c
end

-- ---- jury ----------------------------------------------------------------------------------------------------

local function mean_of(x, w)
  local sum, total = 0, 0
  for i, v in ipairs(x) do sum, total = sum + w[i] * v, total + w[i] end
  return sum / total
end

-- Half of the weight lies at or below, and half at or above; between two such values, their middle.
local function median_of(x, w)
  local order, total, sum = {}, 0, 0
  for i in ipairs(x) do order[i], total = i, total + w[i] end
  table.sort(order, function(a, b) return x[a] ~= x[b] and x[a] < x[b] or x[a] == x[b] and a < b end)
  for k, i in ipairs(order) do
    sum = sum + w[i]
    if sum > total / 2 then return x[i] end
    if sum == total / 2 and order[k + 1] then return (x[i] + x[order[k + 1]]) / 2 end
  end
  return x[order[#order]]
end

-- The value with the most weight; of several, their mean. And the share of weight that it has.
local function majority_of(x, w)
  local votes, values, total, best = {}, {}, 0, 0
  for i, v in ipairs(x) do
    if not votes[v] then values[#values + 1] = v end
    votes[v], total = (votes[v] or 0) + w[i], total + w[i]
  end
  for _, v in ipairs(values) do best = math.max(best, votes[v]) end
  local sum, n = 0, 0
  for _, v in ipairs(values) do
    if votes[v] == best then sum, n = sum + v, n + 1 end
  end
  return sum / n, best / total
end

local function spread(x, w)
  local m, v, total = mean_of(x, w), 0, 0
  for i, s in ipairs(x) do v, total = v + w[i] * (s - m) ^ 2, total + w[i] end
  return math.sqrt(v / total)
end

-- Standard error of the (weighted) mean over members, as if they had been drawn from all judges there could be.
local function error_of_mean(x, w)
  local n = #x
  if n < 2 then return nil end
  local m, v, total = mean_of(x, w), 0, 0
  for i, s in ipairs(x) do v, total = v + (w[i] * (s - m)) ^ 2, total + w[i] end
  return math.sqrt(v * n / (n - 1)) / total
end

local function tanh(x)
  if x > 0 then return (1 - math.exp(-2 * x)) / (1 + math.exp(-2 * x)) end
  return (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)
end

local function logit(p)
  return math.log(p / (1 - p))
end

-- A report's figure: { value = x }, or a number.
local function figure(f)
  if type(f) == "table" then f = f.value end
  return type(f) == "number" and f or nil
end

-- No rate measured on n cases is 0 or 1.
local function inside(p, n)
  local edge = 0.5 / ((n or 50) + 1)
  return math.max(edge, math.min(1 - edge, p))
end

local function interpolate(points, x)
  if x <= points[1][1] then return points[1][2] end
  for i = 2, #points do
    local a, b = points[i - 1], points[i]
    if x <= b[1] then
      return b[1] == a[1] and b[2] or a[2] + (b[2] - a[2]) * (x - a[1]) / (b[1] - a[1])
    end
  end
  return points[#points][2]
end

--- What a member's score says, in log-odds of "good" (pointwise) or of "the first is better" (pairwise), beyond the
-- prior: by its isotonic map, by TPR and TNR at its threshold, or by its pairwise accuracy.
local function evidence(m, score, pairwise, prior)
  local c = m.calibration
  if pairwise then
    local a = figure((c.agreement or {}).pairwise_accuracy) or figure(c.pairwise_accuracy)
    if not a then return nil end
    return (score > 0 and 1 or score < 0 and -1 or 0) * logit(inside(a, c.items))
  end
  local map = (c.calibration or {}).isotonic
  if map and #map > 0 then return logit(inside(interpolate(map, score), c.items)) - prior end
  local tpr, tnr, at = figure(c.tpr), figure(c.tnr), m.threshold or figure(c.threshold)
  if not (tpr and tnr and at) then return nil end
  tpr, tnr = inside(tpr, c.positives), inside(tnr, c.negatives)
  return score >= at and math.log(tpr / (1 - tnr)) or math.log((1 - tpr) / tnr)
end

-- Rankings of k candidates into one, by the mean or median of their places; equal ones in the order of their texts'
-- hashes, which knows nothing of the order they were given in.
local function rank_of(place, candidates)
  local order = {}
  for i in ipairs(candidates) do order[i] = i end
  local hash = {}
  for i, text in ipairs(candidates) do hash[i] = core.sha256(text) end
  table.sort(order, function(a, b)
    if place[a] ~= place[b] then return place[a] < place[b] end
    if hash[a] ~= hash[b] then return hash[a] < hash[b] end
    return a < b
  end)
  return order
end

local function places(ranking)
  local out = {}
  for place, c in ipairs(ranking) do out[c] = place end
  return out
end

-- A pairwise verdict's number: its score, else what its ranking says.
local function preference(v)
  if v.score then return v.score end
  return v.ranking and (v.ranking[1] == 1 and 1 or -1) or nil
end
compose.preference = preference

local aggregates = set("mean", "median", "majority", "log_odds")
local jury_keys = set("id", "aggregate", "lambda", "quorum", "prior")

-- One verdict from those of the members on one item.
local function deliberate(o, members, item, verdicts)
  local k = #item.candidates
  local x, w, who, out = {}, {}, {}, { members = verdicts, status = "ok" }
  local why = {}
  for i, v in ipairs(verdicts) do
    add(out, v)
    local s
    if v.status ~= "ok" then
      why[#why + 1] = members[i].judge.id:match "[^.]+$" .. ": " .. v.status
    elseif k > 2 then
      s = v.ranking
    elseif k == 2 then
      s = preference(v)
    else
      s = v.score
    end
    if s and members[i].weight > 0 then
      if members[i].scale and k == 1 then s = (s - members[i].scale[1]) / (members[i].scale[2] - members[i].scale[1]) end
      x[#x + 1], w[#w + 1], who[#who + 1] = s, members[i].weight, members[i]
    end
  end
  if #x < o.quorum then
    out.status = "abstain"
    out.reasoning = string.format("%d of %d members gave a number, %d are wanted%s", #x, #members, o.quorum,
      why[1] and " (" .. table.concat(why, ", ") .. ")" or "")
    return out
  end
  if k > 2 then
    local place = {}
    for c = 1, k do
      local p = {}
      for i, r in ipairs(x) do p[i] = places(r)[c] end
      place[c] = o.aggregate == "median" and median_of(p, w) or mean_of(p, w)
    end
    out.ranking = rank_of(place, item.candidates)
    return out
  end
  out.disagreement, out.se = spread(x, w), error_of_mean(x, w)
  if o.aggregate == "mean" then
    out.score = mean_of(x, w)
  elseif o.aggregate == "median" then
    out.score = median_of(x, w)
  elseif o.aggregate == "majority" then
    local votes = {}
    for i, s in ipairs(x) do
      votes[i] = k == 2 and (s > 0 and 1 or s < 0 and -1 or 0) or who[i].threshold and (s >= who[i].threshold and 1 or 0) or s
    end
    out.score, out.share = majority_of(votes, w)
  else
    local prior = logit(o.prior)
    local sum = k == 1 and prior or 0
    for i, s in ipairs(x) do
      local e = evidence(who[i], s, k == 2, prior)
      if not e then
        fail("jury: the calibration of %s has neither an isotonic map nor TPR, TNR and threshold%s", who[i].judge.id,
          k == 2 and "; pairs want agreement.pairwise_accuracy" or "")
      end
      sum = sum + w[i] * e
    end
    out.score = k == 2 and tanh(sum / 2) or 1 / (1 + math.exp(-sum))
    out.log_odds = sum
  end
  out.score = out.score - o.lambda * out.disagreement
  return out
end

--- hone.jury { j1, j2, { j3, weight = 2, scale = { 1, 5 } }, aggregate = "mean", lambda = 0.5 }: several judges, one verdict.
-- aggregate: "mean", "median", "majority" (the commonest vote; of equals their mean), "log_odds" (members carry
-- calibration = REPORT; their evidence adds up as if they erred independently, weights below 1 allow for that they do
-- not; prior = 0.5). lambda: this much of the members' standard deviation is taken off. quorum: members that must have
-- a number (half of them, rounded up; 2 at least with lambda).
function compose.jury(o)
  check_keys("jury", o, jury_keys)
  local members = members_of("jury", o)
  local s = { aggregate = o.aggregate or "mean", lambda = o.lambda or 0, prior = o.prior or 0.5,
    quorum = o.quorum or math.max(o.lambda and o.lambda ~= 0 and 2 or 1, (#members + 1) // 2) }
  if not aggregates[s.aggregate] then
    fail("jury: aggregate is \"mean\", \"median\", \"majority\" or \"log_odds\", not \"%s\"", tostring(s.aggregate))
  end
  if math.type(s.quorum) ~= "integer" or s.quorum < 1 or s.quorum > #members then
    fail("jury: quorum is a number of members, 1 to %d", #members)
  end
  if type(s.lambda) ~= "number" or not (s.lambda >= 0) then fail("jury: lambda is a number from 0 on") end
  if s.aggregate == "log_odds" and s.lambda ~= 0 then
    fail("jury: lambda takes a share of the scores' spread, and log-odds are no scores: choose one")
  end
  if not (type(s.prior) == "number" and s.prior > 0 and s.prior < 1) then fail("jury: prior lies between 0 and 1") end
  local list, described, weight = {}, {}, 0
  for i, m in ipairs(members) do
    if s.aggregate == "log_odds" and not m.calibration then
      fail("jury: log_odds wants the calibration of every member, and member %d (%s) has none", i, m.judge.id)
    end
    list[i], weight = m.judge, weight + m.weight
    described[i] = { weight = m.weight, scale = m.scale, threshold = m.threshold, calibration = m.calibration }
  end
  if not (weight > 0) then fail("jury: all weights are 0") end
  return judge("jury", o.id, list, { jury = s, members = described }, function(items, ask)
    local by, out = {}, {}
    for k in ipairs(list) do by[k] = ask(k, items) end
    for i, item in ipairs(items) do
      local verdicts = {}
      for k in ipairs(list) do verdicts[k] = by[k][i] end
      out[i] = deliberate(s, members, item, verdicts)
    end
    return out
  end)
end

-- ---- cascade -------------------------------------------------------------------------------------------------

local cascade_keys = set("id", "entropy", "swap", "disagreement", "margin", "threshold", "fallback")

-- Is the cheap verdict too uncertain to stand? Why, or nil.
local function uncertain(o, v)
  if v.status ~= "ok" then return v.status end
  if o.entropy and (not v.entropy or v.entropy > o.entropy) then return "entropy" end
  if o.swap and (not v.inconsistency or math.abs(v.inconsistency) > o.swap) then return "swap" end
  if o.disagreement and (not v.disagreement or v.disagreement > o.disagreement) then return "disagreement" end
  if o.margin and (not v.score or math.abs(v.score - o.threshold) < o.margin) then return "margin" end
end

--- hone.cascade { cheap, strong, entropy = 0.6, swap = 0.2, disagreement = 0.3, margin = 0.1, threshold = 0.5 }: the first
-- judge's verdict stands where it is certain; the next is asked where it has no number, where one of the given bounds is
-- passed, or where it says nothing of what is bounded. entropy is in nats, swap half the difference between orders.
-- The last judge's verdict stands; fallback = "previous" takes the one before where the last has no number.
function compose.cascade(o)
  check_keys("cascade", o, cascade_keys)
  local members = members_of("cascade", o)
  if #members < 2 then fail("cascade: two judges are wanted, the cheap one first") end
  local s = { entropy = o.entropy, swap = o.swap, disagreement = o.disagreement, margin = o.margin,
    threshold = o.threshold or 0, fallback = o.fallback or "abstain" }
  if not (s.entropy or s.swap or s.disagreement or s.margin) then
    fail("cascade: a bound is wanted: entropy, swap, disagreement or margin")
  end
  if s.fallback ~= "abstain" and s.fallback ~= "previous" then fail("cascade: fallback is \"abstain\" or \"previous\"") end
  local list = {}
  for i, m in ipairs(members) do list[i] = m.judge end
  return judge("cascade", o.id, list, s, function(items, ask)
    local out, open = {}, {}
    for i in ipairs(items) do open[i] = i end
    for k in ipairs(list) do
      local part, still = {}, {}
      for n, i in ipairs(open) do part[n] = items[i] end
      for n, v in ipairs(#part > 0 and ask(k, part) or {}) do
        local i = open[n]
        local before = out[i]
        local stays = v
        if before then
          add(v, before)
          if v.status ~= "ok" and s.fallback == "previous" and before.status == "ok" then stays = before end
        end
        stays.stage, stays.cost = k, v.cost
        out[i] = stays
        local why = k < #list and uncertain(s, v)
        if why then
          still[#still + 1] = i
          v.escalated = why
        end
      end
      open = still
    end
    return out
  end)
end

-- ---- swapped, repeated, flipped --------------------------------------------------------------------------------

-- Row r (from 0) of a Latin square of order k: candidate c is shown at place (c + r) mod k.
local function turned(k, r)
  local order = {}
  for place = 1, k do order[place] = (place - 1 + r) % k + 1 end
  return order
end

--- hone.swapped(j, { orders = 2 }): pairs are shown in both orders and the score is the mean, its `inconsistency` half
-- the difference; lists of k candidates in up to `orders` turns of a Latin square (2 to 4), whose places are averaged.
-- One candidate has one order. An order without a number makes the verdict one without a number.
function compose.swapped(j, o)
  o = o or {}
  check_keys("swapped", o, set("id", "orders"))
  j = judge_of("swapped", j)
  local orders = o.orders or 2
  if math.type(orders) ~= "integer" or orders < 2 or orders > 4 then fail("swapped: orders is 2, 3 or 4") end
  return judge("swapped", o.id, { j }, { orders = orders }, function(items, ask)
    local asked, from = {}, {}
    for i, item in ipairs(items) do
      local k = #item.candidates
      for r = 0, math.min(k, k == 2 and 2 or orders) - 1 do
        local order, shown = turned(k, r), {}
        for place, c in ipairs(order) do shown[place] = item.candidates[c] end
        asked[#asked + 1] = judging.with(item, shown, #asked)
        from[#asked] = { i, order }
      end
    end
    local by = {}
    for n, v in ipairs(ask(1, asked)) do
      local i, order = table.unpack(from[n])
      by[i] = by[i] or {}
      table.insert(by[i], { v, order })
    end
    local out = {}
    for i, item in ipairs(items) do
      local k, v = #item.candidates, { status = "ok", orders = #by[i] }
      local place, sum, first = {}, 0, nil
      for c = 1, k do place[c] = 0 end
      for r, b in ipairs(by[i]) do
        local said, order = b[1], b[2]
        add(v, said)
        if said.status ~= "ok" then
          v.status, v.reasoning = said.status, said.reasoning
        elseif k == 1 then
          out[i] = said
        elseif k == 2 then
          local p = (r == 1 and 1 or -1) * preference(said)
          first = first or p
          sum = sum + p
        elseif said.ranking then
          for at, c in ipairs(said.ranking) do place[order[c]] = place[order[c]] + at end
        else
          v.status, v.reasoning = "error", "a ranking of the candidates is wanted"
        end
      end
      if v.status == "ok" and k == 2 then
        v.score, v.inconsistency = sum / 2, math.abs(first - sum / 2)
        v.ranking = v.score > 0 and { 1, 2 } or v.score < 0 and { 2, 1 } or nil
      elseif v.status == "ok" and k > 2 then
        v.ranking = rank_of(place, item.candidates)
      end
      out[i] = out[i] or v
    end
    return out
  end)
end

--- hone.repeated(j, { n = 5, need = n }): self-consistency: j is asked n times, the score is the mean and `se` its
-- standard error (s / sqrt n). Each time the item has another id, by which a judge that draws can draw anew. need: how
-- many answers must have a number.
function compose.repeated(j, o)
  o = o or {}
  check_keys("repeated", o, set("id", "n", "need"))
  j = judge_of("repeated", j)
  local n = o.n or 5
  local need = o.need or (n + 1) // 2
  if math.type(n) ~= "integer" or n < 2 or n > 1000 then fail("repeated: n is 2 to 1000 times") end
  if math.type(need) ~= "integer" or need < 1 or need > n then fail("repeated: need is 1 to n answers") end
  return judge("repeated", o.id, { j }, { n = n, need = need }, function(items, ask)
    local asked = {}
    for i, item in ipairs(items) do
      for r = 0, n - 1 do asked[#asked + 1] = judging.with(item, item.candidates, (item.id or i - 1) * n + r) end
    end
    local verdicts, out = ask(1, asked), {}
    for i, item in ipairs(items) do
      local k, v, x, place = #item.candidates, { status = "ok" }, {}, {}
      for c = 1, k do place[c] = 0 end
      local ones = {}
      for r = 1, n do
        local said = verdicts[(i - 1) * n + r]
        add(v, said)
        if said.status == "ok" then
          x[#x + 1] = k <= 2 and (k == 2 and preference(said) or said.score) or said.ranking and 0 or nil
          for at, c in ipairs(k > 2 and said.ranking or {}) do place[c] = place[c] + at end
          if said.entropy then v.entropy = math.max(v.entropy or 0, said.entropy) end
        else
          v.last = said
        end
        ones[#x] = 1
      end
      for a in ipairs(x) do ones[a] = 1 end
      if #x < need then
        v.status = v.last and v.last.status or "error"
        v.reasoning = string.format("%d of %d answers had a number, %d are wanted", #x, n, need)
      elseif k > 2 then
        v.ranking = rank_of(place, item.candidates)
      else
        v.score, v.se, v.n = mean_of(x, ones), error_of_mean(x, ones), #x
        v.disagreement = spread(x, ones)
      end
      v.last = nil
      out[i] = v
    end
    return out
  end)
end

--- hone.flipped { j, mirror, scale = { 1, 5 } }: the scale shown both ways. `mirror` is the same judge with its levels
-- turned round (5 is worst); its score s counts as lowest + highest - s, and the two are averaged; `inconsistency` is
-- half their difference.
function compose.flipped(o)
  check_keys("flipped", o, set("id", "scale"))
  local members = members_of("flipped", o)
  local s = o.scale
  if #members ~= 2 then fail("flipped: two judges are wanted, the second with the scale turned round") end
  if type(s) ~= "table" or type(s[1]) ~= "number" or type(s[2]) ~= "number" or not (s[1] < s[2]) then
    fail("flipped: scale is { lowest, highest }")
  end
  return judge("flipped", o.id, { members[1].judge, members[2].judge }, { scale = s }, function(items, ask)
    local a, b, out = ask(1, items), ask(2, items), {}
    for i in ipairs(items) do
      local v = { status = "ok", orders = 2 }
      for _, said in ipairs { a[i], b[i] } do
        add(v, said)
        if said.status ~= "ok" then v.status, v.reasoning = said.status, said.reasoning end
      end
      if v.status == "ok" and not (a[i].score and b[i].score) then v.status, v.reasoning = "error", "scores are wanted" end
      if v.status == "ok" then
        local other = s[1] + s[2] - b[i].score
        v.score, v.inconsistency = (a[i].score + other) / 2, math.abs(a[i].score - other) / 2
      end
      out[i] = v
    end
    return out
  end)
end

-- ---- tournament ------------------------------------------------------------------------------------------------

-- Strengths of k candidates from games { a, b, share of a }, their standard errors, and a list for their places.
local function fitted(k, games, ridge)
  local matches, x, se = {}, {}, {}
  for n, g in ipairs(games) do matches[n] = { a = "c" .. g[1], b = "c" .. g[2], wins_a = g[3], wins_b = 1 - g[3] } end
  local out = stats.bradley_terry(matches, { ridge = ridge })
  if out.why then fail("tournament: %s", out.why) end
  for c = 1, k do x[c], se[c] = out.strength["c" .. c], out.se["c" .. c] end
  return x, se, {}
end

-- Is there a chain of games between any two of the n candidates?
local function connected(n, games)
  local group, left = {}, n
  for i = 1, n do group[i] = i end
  local function root(i)
    while group[i] ~= i do i = group[i] end
    return i
  end
  for _, g in ipairs(games) do
    local a, b = root(g[1]), root(g[2])
    if a ~= b then
      group[a] = b
      left = left - 1
    end
  end
  return left <= 1
end

--- hone.tournament(j, { ridge = 0.1, orders = 2 }): all pairs of an item's candidates by a pairwise judge, then
-- Bradley-Terry with a ridge: `strengths`, which sum to 0, and the ranking they make. A pair without a number is left
-- out and counted; candidates that no chain of pairs connects make the item one without a number. Two candidates:
-- the score is the difference of strengths as a share, tanh(d / 2).
function compose.tournament(j, o)
  o = o or {}
  check_keys("tournament", o, set("id", "ridge", "orders"))
  j = judge_of("tournament", j)
  local s = { ridge = o.ridge or 0.1, orders = o.orders or 2 }
  if type(s.ridge) ~= "number" or not (s.ridge > 0) then fail("tournament: ridge is a number above 0") end
  if s.orders ~= 1 and s.orders ~= 2 then fail("tournament: orders is 1 or 2") end
  return judge("tournament", o.id, { j }, s, function(items, ask)
    local asked, from = {}, {}
    for i, item in ipairs(items) do
      local k = #item.candidates
      for a = 1, k do
        for b = 1, k do
          if a < b or a > b and s.orders == 2 then
            asked[#asked + 1] = judging.with(item, { item.candidates[a], item.candidates[b] }, #asked)
            from[#asked] = { i, a, b }
          end
        end
      end
    end
    local games, out = {}, {}
    for i in ipairs(items) do games[i], out[i] = {}, { status = "ok", missing = 0 } end
    for n, v in ipairs(#asked > 0 and ask(1, asked) or {}) do
      local i, a, b = table.unpack(from[n])
      local p = v.status == "ok" and preference(v)
      add(out[i], v)
      if p then
        table.insert(games[i], { a, b, (math.max(-1, math.min(1, p)) + 1) / 2 })
      else
        out[i].missing = out[i].missing + 1
      end
    end
    for i, item in ipairs(items) do
      local k, v = #item.candidates, out[i]
      if k < 2 then
        v.status, v.reasoning = "abstain", "a tournament of one candidate"
      elseif not connected(k, games[i]) then
        v.status, v.reasoning = "abstain", string.format("%d comparisons had no number: the candidates are not connected", v.missing)
      else
        local x, se, place = fitted(k, games[i], s.ridge)
        for c = 1, k do place[c] = -x[c] end
        v.strengths, v.strengths_se, v.ranking = x, se, rank_of(place, item.candidates)
        if k == 2 then v.score = tanh((x[1] - x[2]) / 2) end
      end
    end
    return out
  end)
end

-- ---- tree ------------------------------------------------------------------------------------------------------

local node_keys = set("judge", "at", "criterion", "yes", "no", "unknown", "id")

--- hone.tree { judge = is_safe, at = 0.5, yes = { judge = is_right, yes = 1, no = 0.3 }, no = 0 }: decisions. A node
-- asks its judge (of `criterion`, when that is named, else the score); at least `at` (0.5) goes to `yes`, less to `no`,
-- no number to `unknown`, without which the tree's verdict has none either. A branch is a node, a number (the
-- score), a judge (its verdict), or hone.abstain.
function compose.tree(o)
  local list, index, open = {}, {}, {}
  local function judge_at(place, j)
    j = judge_of(place, j)
    if not index[j] then
      list[#list + 1] = j
      index[j] = #list
    end
    return index[j]
  end
  local described
  local function branch(place, b)
    if b == nil then return nil, "none" end
    if b == core.abstain then return b, "abstain" end
    if type(b) == "number" then return b, b end
    if components.is(b) or type(b) == "string" then
      local k = judge_at(place, b)
      return { leaf = k }, { leaf = k }
    end
    if type(b) ~= "table" then fail("%s: a branch is a node, a number, a judge or hone.abstain, not a %s", place, type(b)) end
    return described(place, b)
  end
  function described(place, n)
    if open[n] then fail("%s: this node is one of its own ancestors", place) end
    open[n] = true
    check_keys(place, n, node_keys)
    local node = { judge = judge_at(place, n.judge), at = n.at or 0.5, criterion = n.criterion }
    local said = { judge = node.judge, at = node.at, criterion = n.criterion }
    for _, side in ipairs { "yes", "no", "unknown" } do node[side], said[side] = branch(place .. "." .. side, n[side]) end
    if node.yes == nil or node.no == nil then fail("%s: a node has yes and no", place) end
    open[n] = nil
    return node, said
  end
  local root, settings = described("tree", o)
  local function value(node, v)
    if v.status ~= "ok" then return nil end
    if not node.criterion then return v.score end
    for i, name in ipairs(v.criterion_names or {}) do
      if name == node.criterion then return v.criteria[i] == v.criteria[i] and v.criteria[i] or nil end
    end
  end
  return judge("tree", o.id, list, settings, function(items, ask)
    local out, at, spent = {}, {}, {}
    for i in ipairs(items) do at[i], spent[i] = root, {} end
    while next(at) do
      local groups = {} -- by the judge that is asked next
      for k in ipairs(list) do groups[k] = {} end
      for i = 1, #items do
        local n = at[i]
        if n then table.insert(groups[n.leaf or n.judge], i) end
      end
      for k in ipairs(list) do
        local part = {}
        for n, i in ipairs(groups[k]) do part[n] = items[i] end
        for n, v in ipairs(#part > 0 and ask(k, part) or {}) do
          local i = groups[k][n]
          local node = at[i]
          add(spent[i], v)
          local goes
          if node.leaf then
            out[i], at[i] = v, nil
          else
            local x = value(node, v)
            if x == nil then goes = node.unknown else goes = x >= node.at and node.yes or node.no end
            if goes == nil then
              out[i], at[i] = { status = v.status ~= "ok" and v.status or "error", reasoning = v.reasoning }, nil
            elseif goes == core.abstain then
              out[i], at[i] = { status = "abstain" }, nil
            elseif type(goes) == "number" then
              out[i], at[i] = { status = "ok", score = goes }, nil
            else
              at[i] = goes
            end
          end
          if out[i] then
            for key, x in pairs(spent[i]) do out[i][key] = x end
          end
        end
      end
    end
    return out
  end)
end

return compose
