--- Improving a prompt before training: reflective search with a Pareto set over items.
-- The key idea (GEPA, Agrawal et al. 2025): a prompt that is best on even one item has found something, so parents are
-- drawn from those that are best somewhere, as often as they are; a writer sees the parent's worst-judged items and
-- writes another template; the child that does better on a few items is judged on the whole Pareto set and joins the
-- pool. Three sets of items that share none: `feedback` (seen by the writer), `pareto` (compares prompts) and
-- `holdout`, which the search never sees: it alone says, with an interval, whether the best is better than the start.
-- Does not: cross over prompts of several modules (a prompt here is one). Invariants: everything drawn depends on the
-- seed and the proposal's number; the search lives in run.state, so a run that is resumed goes on to the same bytes.

local components = require "hone.components"
local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"
local prompts = require "hone.prompt"
local stats = require "hone.stats"

local improve = {}

local function fail(...)
  error(string.format(...), 0)
end

local known = { prompt = true, feedback = true, pareto = true, holdout = true, generate = true, judge = true, propose = true,
  proposals = true, minibatch = true, budget = true, reference = true, worst = true, name = true, require = true }

local function key_of(row)
  return tostring(row.prompt_id or row.id or row.question or row.prompt)
end

-- No item may be in two sets: what the search has seen proves nothing.
local function disjoint(sets)
  local seen = {}
  for _, name in ipairs { "feedback", "pareto", "holdout" } do
    for i, row in ipairs(sets[name]) do
      local k = key_of(row)
      if seen[k] and seen[k] ~= name then fail("hone.improve: row %d of %s is also in %s", i, name, seen[k]) end
      seen[k] = name
    end
  end
end

-- ---- judging a prompt ------------------------------------------------------------------------------------------

-- Scores of prompt p on rows: a list, false where there is no number. Also the texts and verdicts.
local function measure(s, p, rows)
  local texts = s.generate(p, p:rows(rows))
  if type(texts) ~= "table" or #texts ~= #rows then
    fail("hone.improve: generate returns a list with the text for each row (%d of them)", #rows)
  end
  local items, scores = {}, {}
  for i, row in ipairs(rows) do
    items[i] = judging.item { id = i - 1, prompt = row.question or row.prompt, messages = row.messages, candidates = { texts[i] },
      reference = s.reference and row[s.reference] or nil, columns = row }
  end
  local verdicts = judging.ask(s.judge, items)
  for i, v in ipairs(verdicts) do scores[i] = v.status == "ok" and v.score or false end
  return scores, texts, verdicts
end

local function mean(scores)
  local sum, n = 0, 0
  for _, x in ipairs(scores) do
    if x then sum, n = sum + x, n + 1 end
  end
  return n > 0 and sum / n or nil, n
end

-- Mean of b minus a over items that both have.
local function gain(a, b)
  local sum, n = 0, 0
  for i, x in ipairs(b) do
    if x and a[i] then sum, n = sum + x - a[i], n + 1 end
  end
  return n > 0 and sum / n or nil
end

-- ---- the pool --------------------------------------------------------------------------------------------------

--- How often each member of the pool is best on an item, after those whose every first place is shared with another
-- that stays were taken out, worst mean first. pool[k].scores[i]: a number or false.
function improve.front(pool)
  local best, out = {}, {}
  local n = #pool[1].scores
  for i = 1, n do
    local top
    for _, c in ipairs(pool) do
      local x = c.scores[i]
      if x and (not top or x > top) then top = x end
    end
    best[i] = {}
    for k, c in ipairs(pool) do
      if top and c.scores[i] == top then best[i][k] = true end
    end
  end
  local order, stays = {}, {}
  for k in ipairs(pool) do order[k], stays[k] = k, true end
  local function value(k) return (mean(pool[k].scores)) or -math.huge end
  table.sort(order, function(a, b)
    local x, y = value(a), value(b)
    if x ~= y then return x < y end
    return a > b
  end)
  for _, k in ipairs(order) do
    local needed, first = false, false
    for i = 1, n do
      if best[i][k] then
        first = true
        local other = false
        for m in pairs(best[i]) do other = other or m ~= k and stays[m] end
        needed = needed or not other
      end
    end
    if not first or not needed then stays[k] = false end
  end
  for k in ipairs(pool) do
    out[k] = 0
    for i = 1, n do
      if stays[k] and best[i][k] then out[k] = out[k] + 1 end
    end
  end
  return out
end

-- A member drawn by how often it is best; u in [0, 1).
local function draw(pool, u)
  local weight, total = improve.front(pool), 0
  for _, w in ipairs(weight) do total = total + w end
  if total == 0 then return 1 end
  local at = u * total
  for k, w in ipairs(weight) do
    at = at - w
    if at < 0 then return k end
  end
  return #pool
end

local function best_of(pool)
  local best, top = 1, nil
  for k, c in ipairs(pool) do
    local m = mean(c.scores)
    if m and (not top or m > top) then best, top = k, m end
  end
  return best
end

-- n different rows of `rows`, by seed and step.
local function minibatch(rows, n, seed, step)
  local order, out = {}, {}
  for i in ipairs(rows) do order[i] = i end
  for i = 1, math.min(n, #rows) do
    local k = i + math.floor(core.random(seed, "improve rows", step, 0, i) * (#rows - i + 1))
    order[i], order[k] = order[k], order[i]
    out[i] = rows[order[i]]
  end
  return out
end

-- ---- what a writer sees ------------------------------------------------------------------------------------------

local function clip(text, n)
  if #text <= n then return text end
  return text:sub(1, n // 2) .. " [...] " .. text:sub(-(n // 2))
end

-- Nothing that a candidate or a row says may end the fence it stands in.
local function fenced(text)
  return "<<<\n" .. tostring(text):gsub("<<<", "< < <"):gsub(">>>", "> > >") .. "\n>>>\n"
end

--- The worst-judged items as a text for a model that writes the next template: at most `items` of them, each text cut to
-- `bytes` (head and tail).
function improve.reflection(ctx, items, bytes)
  bytes = bytes or 2000
  local out = { "A prompt template is used to get answers from a model. {{name}} stands for a value of the row.\n\nThe template:\n",
    fenced(ctx.template), "\nHere are answers it led to, the worst first, with what a judge said of each.\n" }
  for i, w in ipairs(table.move(ctx.worst, 1, math.min(#ctx.worst, items or #ctx.worst), 1, {})) do
    out[#out + 1] = string.format("\nItem %d, score %s\nQuestion:\n%sAnswer:\n%s", i, w.score and string.format("%.3g", w.score) or "none",
      fenced(clip(tostring(w.question), bytes)), fenced(clip(w.text, bytes)))
    if w.reference then out[#out + 1] = "A right answer:\n" .. fenced(clip(tostring(w.reference), bytes // 2)) end
    if w.reasoning and w.reasoning ~= "" then out[#out + 1] = "The judge:\n" .. fenced(clip(w.reasoning, bytes // 2)) end
  end
  out[#out + 1] = "\nSay in a sentence what these answers have in common that a better template could prevent. Then write the whole new "
    .. "template between the lines <<< and >>>. Keep these places: " .. (#ctx.places > 0 and "{{" .. table.concat(ctx.places, "}} {{") .. "}}" or "none")
    .. ". Do not write the answers to these items into it.\n"
  return table.concat(out)
end

--- The last text between <<< and >>> of a reply, or of a ``` fence; nil where there is none.
function improve.template_of(reply)
  local last
  for text in reply:gmatch "<<<%s-\n?(.-)\n?>>>" do last = text end
  if not last then
    for text in reply:gmatch "```[%w]*\n(.-)\n?```" do last = text end
  end
  return last
end

-- What fits the model's positions: fewer items first, then shorter ones.
local function fitting(model, ctx, room)
  local tokenizer = components.tokenizer(model)
  for items = #ctx.worst, 1, -1 do
    local text = improve.reflection(ctx, items)
    if #tokenizer:encode(text, true) <= room then return text end
  end
  for _, bytes in ipairs { 400, 100, 20 } do
    local text = improve.reflection(ctx, 1, bytes)
    if #tokenizer:encode(text, true) <= room then return text end
  end
  fail("hone.writer: a model of %d positions cannot hold the template and one item", room)
end

--- A model as a writer: hone.writer(policy, { max_tokens = 400, temperature = 1 }), or anything else that answers:
-- hone.writer(function(text, seed) return reply end). A judge writes too, at an endpoint or not: it is asked about the
-- template, with the worst-judged items as the prompt, and its reasoning is read.
function improve.writer(model, options)
  options = options or {}
  if components.is(model) then
    return function(ctx)
      local v = judging.ask(model, { judging.item { prompt = improve.reflection(ctx), candidates = { ctx.template }, id = ctx.seed } })[1]
      return v.reasoning and improve.template_of(v.reasoning)
    end
  end
  if type(model) == "function" then
    return function(ctx) return improve.template_of(model(improve.reflection(ctx), ctx.seed)) end
  end
  local most = model:info().max_positions
  local tokens = math.min(options.max_tokens or 400, most // 2)
  return function(ctx)
    local text = fitting(model, ctx, most - tokens - 32) -- a chat template adds some
    return improve.template_of(model:generate({ text }, { n = 1, max_tokens = tokens, temperature = options.temperature or 1.0,
      seed = ctx.seed })[1][1].text)
  end
end

-- ---- searching ---------------------------------------------------------------------------------------------------

local function check(o)
  for k in pairs(o) do
    if not known[k] then fail("hone.improve: there is no setting \"%s\"", tostring(k)) end
  end
  if type(o.generate) ~= "function" then fail("hone.improve: generate = function(prompt, rows) is wanted; it returns texts") end
  if type(o.propose) ~= "function" then fail("hone.improve: propose = function(ctx) or hone.writer(policy) is wanted") end
  for _, name in ipairs { "feedback", "pareto", "holdout" } do
    if type(o[name]) ~= "table" or #o[name] == 0 then fail("hone.improve: %s is a list of rows", name) end
  end
  disjoint(o)
end

-- A template the writer gave, as a prompt; or nil and why it is none.
local function child_of(p, text, places)
  if text == nil then return nil, "no template was written" end
  if type(text) ~= "string" then return nil, "the writer gave a " .. type(text) end
  if #text > 65536 then return nil, "it is longer than 64 KB" end
  for _, name in ipairs(places) do
    if not text:find("{{ *" .. name:gsub("%p", "%%%0") .. " *}}") then return nil, "it lost {{" .. name .. "}}" end
  end
  local ok, child = pcall(p.with, p, text)
  if not ok then return nil, tostring(child) end
  return child
end

-- One proposal: a parent is drawn, tried on a few rows, a child is written, tried on the same, and perhaps joins.
local function propose(s, state, step, known_hashes)
  local pool = state.pool
  local k = draw(pool, core.random(s.seed, "improve parent", step, 0, 0))
  local parent = s.start:with(pool[k].template)
  local rows = minibatch(s.feedback, s.minibatch, s.seed, step)
  local log = { step = step, parent = pool[k].version, rows = #rows }
  local before, texts, verdicts = measure(s, parent, rows)
  state.spent = state.spent + #rows
  local order, worst = {}, {}
  for i in ipairs(rows) do order[i] = i end
  table.sort(order, function(a, b)
    local x, y = before[a] or -math.huge, before[b] or -math.huge
    if x ~= y then return x < y end
    return a < b
  end)
  for n = 1, math.min(s.worst, #rows) do
    local i = order[n]
    worst[n] = { question = rows[i].question or rows[i].prompt, row = rows[i], text = texts[i], score = before[i] or nil,
      status = verdicts[i].status, reasoning = verdicts[i].reasoning, criteria = verdicts[i].criteria,
      criterion_names = verdicts[i].criterion_names, reference = s.reference and rows[i][s.reference] or nil }
  end
  local tried = {}
  for i, c in ipairs(pool) do tried[i] = { template = c.template, score = (mean(c.scores)) } end
  local text = s.propose { prompt = parent, template = parent.template, worst = worst, tried = tried, step = step, places = s.places,
    seed = math.floor(core.random(s.seed, "improve writer", step, 0, 0) * 2 ^ 31) }
  local child, why = child_of(parent, text, s.places)
  log.before, log.template = (mean(before)), type(text) == "string" and text or nil
  if not child then
    log.outcome, log.why = "no prompt", why
    return log
  end
  log.version = child.version
  if known_hashes[child.hash] then
    log.outcome = "known already"
    return log
  end
  log.hash = child.hash
  local fits, wrong = pcall(child.rows, child, rows)
  if not fits then -- it names what rows do not have
    log.outcome, log.why = "no prompt", tostring(wrong)
    return log
  end
  local after = measure(s, child, rows)
  state.spent = state.spent + #rows
  log.after = (mean(after))
  local better = gain(before, after)
  if not better or better <= 0 then
    log.outcome = "no better on the rows"
    return log
  end
  local scores = measure(s, child, s.pareto)
  state.spent = state.spent + #s.pareto
  pool[#pool + 1] = { template = child.template, version = child.version, hash = child.hash, parent = k, step = step, scores = scores }
  log.outcome, log.pareto = "joined", (mean(scores))
  return log
end

local function write_log(run, name, list)
  local lines = {}
  for i, l in ipairs(list) do lines[i] = core.canonical(l) end
  run:write(name .. "-proposals.jsonl", table.concat(lines, "\n") .. (#lines > 0 and "\n" or ""))
end

--- hone.improve(run, { prompt = P, feedback = rows, pareto = rows, holdout = rows, judge = j, generate = function(prompt, rows)
-- ... end, propose = function(ctx) ... end or hone.writer(policy), proposals = 20, budget = 2000, minibatch = 4 }).
-- generate gets rows with their prompts rendered and returns a text for each. budget: judged answers in all, without the
-- held-out ones. require: places ({{name}}) that every template must keep (those of the start). Returns the prompt to go on with, and
-- the report, which the run's NAME-prompt.json holds too: the best of the Pareto set where the held-out difference to the start has
-- its lower bound above 0, else the start. NAME-proposals.jsonl has every proposal.
function improve.search(run, o)
  check(o)
  local name = o.name or "improve"
  local start = prompts.prompt(o.prompt)
  local s = { start = start, feedback = o.feedback, pareto = o.pareto, generate = o.generate, judge = o.judge, propose = o.propose,
    minibatch = o.minibatch or 4, worst = o.worst or 3, reference = o.reference, seed = run.seed,
    places = o.require or start.vars }
  local proposals, budget = o.proposals or 20, o.budget or math.huge
  local function state() -- of the run, once the loop has brought it back
    return run:once(name, function() return { pool = {}, log = {}, spent = 0 } end)
  end
  if run.dry_run then return start, { kept = start.version, why = "a plan: nothing was judged" } end
  for step in run:steps(proposals) do
    local st = state()
    if #st.pool == 0 then
      st.pool[1] = { template = start.template, version = start.version, hash = start.hash, parent = 0, step = 0,
        scores = measure(s, start, s.pareto) }
      st.spent = #s.pareto
    end
    local hashes = {}
    for _, c in ipairs(st.pool) do hashes[c.hash] = true end
    for _, l in ipairs(st.log) do
      if l.hash then hashes[l.hash] = true end
    end
    local n = #st.log + 1
    if st.spent + 2 * s.minibatch + #s.pareto <= budget then
      local log = propose(s, st, n, hashes)
      log.spent = st.spent
      st.log[n] = log
      write_log(run, name, st.log)
      run:log { [name .. "/best"] = (mean(st.pool[best_of(st.pool)].scores)) or 0, [name .. "/pool"] = #st.pool, [name .. "/spent"] = st.spent }
    elseif not st.stopped then
      st.stopped = "the budget of " .. budget .. " judged answers"
    end
  end
  local st = state()
  if #st.pool == 0 then -- no proposals were asked for
    st.pool[1] = { template = start.template, version = start.version, hash = start.hash, parent = 0, step = 0, scores = measure(s, start, s.pareto) }
  end
  local k = best_of(st.pool)
  local best = start:with(st.pool[k].template)
  local report = { kind = "prompt", start = start.version, best = best.version, proposals = #st.log, joined = #st.pool - 1, spent = st.spent,
    stopped = st.stopped, judge = judging.hash(o.judge), seed = run.seed, start_pareto = (mean(st.pool[1].scores)),
    best_pareto = (mean(st.pool[k].scores)), items = { feedback = #o.feedback, pareto = #o.pareto, holdout = #o.holdout } }
  local a = measure(s, start, o.holdout)
  if k == 1 then
    report.holdout = improve.figures(a, a, run.seed, o.holdout)
    report.kept, report.why = start.version, "no proposal was better on the Pareto set"
  else
    report.holdout = improve.figures(a, (measure(s, best, o.holdout)), run.seed, o.holdout)
    local d = report.holdout.difference
    if d.lo and d.lo > 0 then
      report.kept, report.why = best.version, "better on held-out items: the interval of the difference lies above 0"
    else
      report.kept, report.why = start.version, "not shown to be better on held-out items: the interval of the difference reaches 0"
    end
  end
  local kept = report.kept == best.version and best or start
  report.template = kept.template
  run:write(name .. "-prompt.json", json.encode(report))
  run:write(name .. "-prompt.lua", kept:lua())
  run:say("prompt %s: held-out %s -> %s, difference %s; kept %s", start.id, improve.text(report.holdout.start), improve.text(report.holdout.best),
    improve.text(report.holdout.difference), report.kept)
  return kept, report
end

-- ---- figures -----------------------------------------------------------------------------------------------------

--- Means of two lists of scores of the same rows and of their paired difference (best minus start), by prompt.
function improve.figures(a, b, seed, rows)
  local clusters, missing = {}, 0
  for i, row in ipairs(rows) do
    clusters[i] = key_of(row)
    if not (a[i] and b[i]) then missing = missing + 1 end
  end
  local how = { cluster = clusters, seed = seed }
  return { start = stats.mean(a, how), best = stats.mean(b, how), difference = stats.difference(b, a, how), unjudged = missing }
end

--- "0.712 [0.655, 0.769]", or why there is none.
function improve.text(f)
  if not f.value then return "none (" .. (f.why or "?") .. ")" end
  if not f.lo then return string.format("%.3f (no interval: %s)", f.value, f.note or "?") end
  return string.format("%.3f [%.3f, %.3f]", f.value, f.lo, f.hi)
end

return improve
