--- What a judge is used for beside being a reward: preference pairs, the best of n, a filter, a check of a release.
-- Everything here takes any judge, and what has no number is left out and counted, never taken for a low score.

local components = require "hone.components"
local core = require "hone.core"
local compose = require "hone.compose"
local judging = require "hone.judging"

local choose = {}

local function fail(...)
  error(string.format(...), 0)
end

-- ---- groups --------------------------------------------------------------------------------------------------

-- A group: { prompt, messages, columns, texts = { ... }, of = the sample or text each came from }.
local function add_group(out, row, list)
  local g = { prompt = row.prompt, messages = row.messages, columns = row.columns or row, texts = {}, of = {} }
  for i, c in ipairs(list) do
    g.texts[i], g.of[i] = type(c) == "table" and (c.completion or c.text) or c, c
  end
  out[#out + 1] = g
end

-- A rollout, a list of its groups, or rows with `candidates` (or completions).
local function groups_of(call, from)
  local out = {}
  if type(from) == "table" and type(from.groups) == "function" then from = from:groups() end
  if type(from) ~= "table" then fail("%s: a rollout, or a list of rows with prompt and candidates, is wanted", call) end
  for i, g in ipairs(from) do
    if type(g) == "table" and g.candidates then
      add_group(out, g, g.candidates)
    elseif type(g) == "table" and type(g[1]) == "table" and g[1].completion then
      add_group(out, g[1], g)
    else
      fail("%s: row %d has no candidates", call, i)
    end
  end
  return out
end

local function item(g, texts, id, reference)
  return judging.item { id = id, prompt = g.prompt, messages = g.messages, candidates = texts,
    reference = reference and g.columns[reference] or nil, columns = g.columns ~= nil and g.columns or nil }
end

-- Verdicts on every text of every group by itself: a list a group.
local function pointwise(j, groups, reference)
  local items, out, n = {}, {}, 0
  for _, g in ipairs(groups) do
    for _, text in ipairs(g.texts) do items[#items + 1] = item(g, { text }, #items, reference) end
  end
  local verdicts = judging.ask(j, items)
  for i, g in ipairs(groups) do
    out[i] = table.move(verdicts, n + 1, n + #g.texts, 1, {})
    n = n + #g.texts
  end
  return out
end

local function shape_of(j, given)
  local s = given or judging.spec(j).shape or judging.spec(j).kind == "tournament" and "listwise" or "pointwise"
  if s ~= "pointwise" and s ~= "pairwise" and s ~= "listwise" then
    fail("shape is \"pointwise\", \"pairwise\" or \"listwise\", not \"%s\"", tostring(s))
  end
  return s
end

local function options(call, o, ...)
  o = o or {}
  local known = {}
  for _, k in ipairs { ... } do known[k] = true end
  for k in pairs(o) do
    if not known[k] then fail("%s: there is no setting \"%s\"", call, tostring(k)) end
  end
  return o
end

-- ---- preference pairs ----------------------------------------------------------------------------------------

-- A judge that repeats by itself and said the same each time has an error of 0, which the interface does not tell from none.
local function repeats_itself(j)
  local d = judging.spec(j).decoding
  return type(d) == "table" and type(d.repeats) == "number" and d.repeats >= 2
end

local function no_error(call, j)
  fail("%s: the verdicts of %s have no standard error: give n (how often it is asked), a jury, or z = 0", call, j.id)
end

-- Candidates a, b of a group with the margin of a over b and its standard error.
local function pointwise_pairs(j, groups, o, found, info)
  for i, list in ipairs(pointwise(j, groups, o.reference)) do
    for a, va in ipairs(list) do
      if va.status ~= "ok" then info.unjudged = info.unjudged + 1 end
      for b = a + 1, #list do
        local vb = list[b]
        if va.status == "ok" and vb.status == "ok" then
          if o.z > 0 and not o.repeats and not (va.se and vb.se) then no_error("hone.pairs", j) end
          found(i, a, b, va.score - vb.score, math.sqrt((va.se or 0) ^ 2 + (vb.se or 0) ^ 2))
        end
      end
    end
  end
end

local function pairwise_pairs(j, groups, o, found, info)
  local items, from = {}, {}
  for i, g in ipairs(groups) do
    for a = 1, #g.texts do
      for b = a + 1, #g.texts do
        items[#items + 1] = item(g, { g.texts[a], g.texts[b] }, #items, o.reference)
        from[#items] = { i, a, b }
      end
    end
  end
  for n, v in ipairs(judging.ask(j, items)) do
    local i, a, b = table.unpack(from[n])
    local p = v.status == "ok" and compose.preference(v)
    if p then
      if o.z > 0 and not o.repeats and not v.se then no_error("hone.pairs", j) end
      found(i, a, b, p, v.se or 0)
    else
      info.unjudged = info.unjudged + 1
    end
  end
end

--- hone.pairs(judge, rollout, { z = 2, n = 5, all = false }): rows { prompt, chosen, rejected, margin, se } for preference
-- losses, of pairs whose margin is above z standard errors; of each prompt the pair with the largest margin, with
-- all = true every one. n: the judge is asked that often (hone.repeated). shape: "pointwise" or "pairwise", where the judge
-- does not say; pairwise judges are asked in both orders. Also returns what was counted: prompts, compared, kept,
-- within (margin too small), unjudged.
function choose.pairs(j, from, o)
  o = options("hone.pairs", o, "z", "n", "all", "shape", "reference")
  local how = { z = o.z or 2, reference = o.reference, repeats = repeats_itself(j) }
  if type(how.z) ~= "number" or not (how.z >= 0) then fail("hone.pairs: z is a number from 0 on") end
  local shape = shape_of(j, o.shape)
  if shape == "listwise" then fail("hone.pairs: a ranking has no margin: a pointwise or pairwise judge is wanted") end
  if shape == "pairwise" and not rawget(j, "ask") then j = compose.swapped(j) end
  if o.n then j = compose.repeated(j, { n = o.n }) end
  local groups = groups_of("hone.pairs", from)
  local info = { prompts = #groups, compared = 0, kept = 0, within = 0, unjudged = 0 }
  local best, out = {}, {}
  local function found(i, a, b, margin, se)
    info.compared = info.compared + 1
    if margin < 0 then a, b, margin = b, a, -margin end
    if not (margin > how.z * se) then
      info.within = info.within + 1
      return
    end
    local g = groups[i]
    local row = { chosen = g.texts[a], rejected = g.texts[b], margin = margin, se = se, prompt = g.prompt }
    if g.messages and #g.messages > 0 then row.messages = g.messages end
    best[i] = best[i] or {}
    if o.all then
      table.insert(best[i], row)
    elseif not best[i][1] or margin > best[i][1].margin then
      best[i][1] = row
    end
  end
  local make = shape == "pairwise" and pairwise_pairs or pointwise_pairs
  make(j, groups, how, found, info)
  for i = 1, #groups do
    for _, row in ipairs(best[i] or {}) do out[#out + 1] = row end
  end
  info.kept = #out
  return out, info
end

-- ---- best of n -----------------------------------------------------------------------------------------------

-- A number for every text of every group: score, strength, or place from 1 down to 0; nil where there is none.
local function graded(j, groups, reference, shape)
  if shape_of(j, shape) == "pointwise" then
    local out = pointwise(j, groups, reference)
    for _, list in ipairs(out) do
      for k, v in ipairs(list) do list[k] = v.status == "ok" and v.score or false end
    end
    return out
  end
  local judge, items, out = j, {}, {}
  if shape_of(j, shape) == "pairwise" then judge = compose.tournament(j) end
  for i, g in ipairs(groups) do items[i] = item(g, g.texts, i - 1, reference) end
  for i, v in ipairs(judging.ask(judge, items)) do
    local k, list = #groups[i].texts, {}
    for c = 1, k do list[c] = v.status == "ok" and v.strengths and v.strengths[c] or false end
    if v.status == "ok" and not v.strengths and v.ranking and #v.ranking == k then
      for place, c in ipairs(v.ranking) do list[c] = k > 1 and (k - place) / (k - 1) or 1 end
    end
    out[i] = list
  end
  return out
end

--- What hone.reward(j, { group = true }) calls: the batch is one group, or several in order.
function choose.group_scores(j, reference)
  return function(batch)
    local groups, from, last = {}, {}, nil
    for i, s in ipairs(batch) do
      if s.group ~= last or i == 1 then
        local columns = {}
        for k, v in pairs(s.columns) do columns[k] = v end
        groups[#groups + 1] = { prompt = s.prompt, messages = s.messages, columns = columns, texts = {} }
      end
      last = s.group
      local g = groups[#groups]
      g.texts[#g.texts + 1] = s.completion
      from[i] = { #groups, #g.texts }
    end
    local shape = shape_of(j) == "pairwise" and "pairwise" or "listwise"
    local grades, out = graded(j, groups, reference, shape), {}
    for i, f in ipairs(from) do out[i] = grades[f[1]][f[2]] or core.abstain end
    return out
  end
end

--- hone.best(judge, rollout): of each prompt the candidate that the judge finds best, as rows { prompt, completion, score };
-- of equals the first. A prompt none of whose candidates has a number is left out. Also returns what was counted.
function choose.best(j, from, o)
  o = options("hone.best", o, "shape", "reference")
  local groups = groups_of("hone.best", from)
  local info, out = { prompts = #groups, kept = 0, unjudged = 0 }, {}
  for i, list in ipairs(graded(j, groups, o.reference, o.shape)) do
    local best
    for k, x in ipairs(list) do
      if not x then
        info.unjudged = info.unjudged + 1
      elseif not best or x > list[best] then
        best = k
      end
    end
    if best then
      local g = groups[i]
      out[#out + 1] = { prompt = g.prompt, messages = g.messages and #g.messages > 0 and g.messages or nil,
        completion = g.texts[best], score = list[best], columns = g.columns }
    end
  end
  info.kept = #out
  return out, info
end

-- ---- filter, check ---------------------------------------------------------------------------------------------

--- hone.keep(judge, { at = 0.5 }): function(row) for rows:filter: true where the judge's score is `at` or more. A row
-- without a number is left out unless unjudged = true.
function choose.keep(j, o)
  o = options("hone.keep", o, "at", "unjudged", "reference")
  local at = o.at or 0.5
  return function(row)
    local v = judging.ask(j, { judging.item { id = 0, prompt = row.prompt, messages = row.messages, completion = row.completion,
      columns = row, reference = o.reference and row[o.reference] or nil } })[1]
    if v.status ~= "ok" or not v.score then return o.unjudged == true end
    return v.score >= at
  end
end

--- hone.check(judge, rows, { baseline = rows, at_least = 0.7, drop = 0.02 }): a check of a release. Each row has prompt and
-- completion; the mean score with its 95 % interval (bootstrap over prompts) must lie above `at_least` with its lower
-- bound; with `baseline`, rows of another model on the same prompts, the lower bound of the paired difference must lie
-- above -drop (0). Returns the figures; what does not hold is an error, so that the command's exit code says so.
function choose.check(j, list, o)
  o = options("hone.check", o, "baseline", "at_least", "drop", "seed", "unjudged")
  local function scores(rows)
    local items, by, order, missing = {}, {}, {}, 0
    for i, r in ipairs(rows) do
      items[i] = judging.item { id = i - 1, prompt = r.prompt, messages = r.messages, completion = r.completion,
        reference = r.reference, columns = r }
    end
    for i, v in ipairs(judging.ask(j, items)) do
      local key = tostring(rows[i].prompt_id or rows[i].prompt)
      if v.status == "ok" and v.score then
        if not by[key] then
          by[key] = { 0, 0 }
          order[#order + 1] = key
        end
        by[key] = { by[key][1] + v.score, by[key][2] + 1 }
      else
        missing = missing + 1
      end
    end
    return by, order, missing
  end
  local function figure(values, what)
    if #values == 0 then fail("hone.check: %s: the judge gave no number", what) end
    local mean, lo, hi, n = core.bootstrap(values, o.seed or 0)
    return { value = mean, lo = lo, hi = hi, n = n }
  end
  local by, order, missing = scores(list)
  local values, out = {}, { unjudged = missing, rows = #list }
  for i, key in ipairs(order) do values[i] = by[key][1] / by[key][2] end
  out.score = figure(values, "the rows")
  local most = o.unjudged or 0.01
  if missing > most * #list then
    fail("check failed: %d of %d rows have no number, more than %g %%", missing, #list, 100 * most)
  end
  if o.at_least and not (out.score.lo >= o.at_least) then
    fail("check failed: mean score %.4f [%.4f, %.4f] over %d prompts, and %.4f is wanted of its lower bound",
      out.score.value, out.score.lo, out.score.hi, out.score.n, o.at_least)
  end
  if o.baseline then
    local other, differences = scores(o.baseline), {}
    for _, key in ipairs(order) do
      if other[key] then differences[#differences + 1] = by[key][1] / by[key][2] - other[key][1] / other[key][2] end
    end
    out.difference = figure(differences, "no prompt is in both")
    if not (out.difference.lo >= -(o.drop or 0)) then
      fail("check failed: against the baseline %+.4f [%+.4f, %+.4f] over %d prompts, and %+.4f is wanted of the lower bound",
        out.difference.value, out.difference.lo, out.difference.hi, out.difference.n, -(o.drop or 0))
    end
  end
  return out
end

return choose
