--- Asking judges from Lua: one form of items and verdicts for everything that composes, compares or chooses.
-- A judge is a component of hone.judge/1, or a composition (hone/compose.lua), whose verdicts hold more than the
-- interface carries (standard error, disagreement, members) and are taken directly, without the way through it.
-- A verdict here: status ("ok", "unparsed", "refused", "truncated", "timeout", "budget", "abstain", "error"; only "ok"
-- has a number), score, ranking (candidates from 1, best first), criteria with criterion_names, labels, entropy (nats),
-- strengths (of candidates, beside a ranking), mass, inconsistency and orders, se, disagreement, cost, tokens_in, tokens_out, latency_ns, reasoning, spec_hash.

local core = require "hone.core"
local json = require "hone.json"

local judging = {}

local SCORE, ABSTAIN = 1, 2
local details = { "unparsed", "refused", "truncated", "timeout", "budget" }

--- A list or map of the interface (or of Lua) as plain Lua values.
local function plain(v)
  if type(v) == "userdata" and v ~= core.null and v.totable then v = v:totable() end
  if type(v) ~= "table" and type(v) ~= "userdata" or v == core.null then return v end
  local out = {}
  for k, x in pairs(v) do out[k] = plain(x) end
  return out
end

local item_keys = { "id", "prompt", "messages", "candidates", "reference", "rubric", "criteria", "columns" }

local own_keys = { completion = true }
for _, k in ipairs(item_keys) do own_keys[k] = true end

--- An item as a table of its own: what a composition hands on outlives the call it came with. A row with `completion`
-- is an item with one candidate; the columns of a row that are no part of an item become its columns.
function judging.item(it)
  local out = {}
  for _, k in ipairs(item_keys) do
    local v = it[k]
    if v ~= nil and v ~= "" then out[k] = plain(v) end
  end
  if type(it) == "table" and not out.candidates then
    if it.completion == nil then error("a judge's item has candidates (a list of texts), or completion", 0) end
    out.candidates = { it.completion }
  end
  if type(it) == "table" and out.columns == nil then
    local columns = {}
    for k, v in pairs(it) do
      if type(k) == "string" and not own_keys[k] then columns[k] = plain(v) end
    end
    out.columns = columns
  end
  for _, k in ipairs { "messages", "criteria", "columns" } do
    if out[k] and next(out[k]) == nil then out[k] = nil end
  end
  return out
end

--- The same item with other candidates.
function judging.with(item, candidates, id)
  local out = {}
  for k, v in pairs(item) do out[k] = v end
  out.candidates, out.id = candidates, id or item.id
  return out
end

local function entropy_of(p)
  local h, sum = 0, 0
  for _, x in ipairs(p) do sum = sum + x end
  if not (sum > 0) then return nil end
  for _, x in ipairs(p) do
    if x > 0 then h = h - x / sum * math.log(x / sum) end
  end
  return h
end

local function number(x)
  if type(x) == "number" and x == x and x ~= math.huge and x ~= -math.huge then return x end
end

-- What the interface gave, as a verdict of ours.
local function read(v)
  local out = { cost = number(v.cost) or 0, latency_ns = v.latency_ns, reasoning = v.reasoning, spec_hash = v.spec_hash,
    tokens_in = v.tokens_in, tokens_out = v.tokens_out }
  local probs = v.label_probs and #v.label_probs > 0 and plain(v.label_probs) or nil
  if probs then
    out.label_probs, out.entropy = probs, number(v.entropy)
    if not out.entropy or out.entropy == 0 then out.entropy = entropy_of(probs) end
    out.mass = number(v.mass)
    out.labels = v.labels and #v.labels > 0 and plain(v.labels) or nil
  end
  if v.status ~= SCORE then
    out.status = details[v.detail or 0] or (v.status == ABSTAIN and "abstain" or "error")
    return out
  end
  out.status, out.score = "ok", number(v.score)
  if v.ranking and #v.ranking > 0 then
    out.ranking = {}
    for i = 1, #v.ranking do out.ranking[i] = v.ranking[i] + 1 end
    if v.candidate_scores and #v.candidate_scores == #out.ranking then out.strengths = plain(v.candidate_scores) end
  end
  if v.criteria and #v.criteria > 0 then
    out.criteria = plain(v.criteria)
    out.criterion_names = v.criterion_names and #v.criterion_names > 0 and plain(v.criterion_names) or nil
  end
  if (v.orders or 0) >= 2 then out.orders, out.inconsistency = v.orders, number(v.inconsistency) end
  if (v.score_error or 0) > 0 then out.se = number(v.score_error) end
  if not out.score and not out.ranking then out.status = "error" end
  return out
end

-- ---- circles -------------------------------------------------------------------------------------------------

local asked = {} -- the judges that are being asked now, outermost first: { key, name }

--- "recipe.judge.jury" -> "jury".
function judging.short(id)
  return id:match "[^.]+$" or id
end

--- fn(...) while the judge `key` counts as being asked. One that is asked again by those it asks would never end.
function judging.enter(key, name, fn, ...)
  for i, a in ipairs(asked) do
    if a[1] == key then
      local path = {}
      for k = i, #asked do
        local n = judging.short(asked[k][2])
        if path[#path] ~= n then path[#path + 1] = n end
      end
      error("judges that ask each other in a circle: " .. table.concat(path, " -> ") .. " -> " .. judging.short(name), 0)
    end
  end
  asked[#asked + 1] = { key, name }
  local depth, r = #asked, table.pack(pcall(fn, ...))
  for i = #asked, depth, -1 do asked[i] = nil end
  if not r[1] then error(r[2], 0) end
  return table.unpack(r, 2, r.n)
end

-- ---- asking --------------------------------------------------------------------------------------------------

--- The verdicts on rows of a judge that only watches, under that name: the gate asks no record of it, the run says its name.
function judging.watched(id, j, list)
  return core.watching(id, judging.verdicts, j, list)
end

--- Verdicts of judge j on items (tables of judging.item), one each. An item that was not answered is an error.
function judging.ask(j, items)
  if #items == 0 then return {} end
  local own = rawget(j, "ask")
  if own then return judging.enter(j, j.id, core.within, rawget(j, "component"), own, items) end
  local out = {}
  for i in ipairs(items) do out[i] = { status = "error", reasoning = "not answered", cost = 0 } end
  for _, put in ipairs(j:judge(items)) do out[put.item + 1] = read(put.verdict) end
  return out
end

--- The verdicts on rows or items as they are written by hand.
function judging.verdicts(j, list)
  local items = {}
  for i, it in ipairs(list) do
    items[i] = judging.item(it)
    if math.type(items[i].id) ~= "integer" then items[i].id = i - 1 end
  end
  return judging.ask(j, items)
end

-- ---- what a judge is -----------------------------------------------------------------------------------------

local function spec_text(j)
  return core.judge_spec(rawget(j, "component"))
end

--- Verdicts as rows, as `hone judge run` writes them: hone.verdict_rows(j, items, { repeats = 3 }), for hone.calibrate and
-- hone.reliability. An item's id and prompt_id are those of its row, else its number and the hash of its prompt.
function judging.rows(j, list, o)
  o = o or {}
  local repeats, hash, spec = o.repeats or 1, judging.hash(j), judging.spec(j)
  local rubric = type(spec.rubric) == "string" and spec.rubric or nil
  local items, out = {}, {}
  for i, row in ipairs(list) do
    for r = 0, repeats - 1 do
      local it = judging.item { prompt = row.prompt, messages = row.messages, candidates = row.candidates or { row.completion },
        reference = o.reference and row[o.reference] or row.reference, columns = row, id = (i - 1) * repeats + r }
      items[#items + 1] = it
    end
  end
  for n, v in ipairs(judging.ask(j, items)) do
    local i = (n - 1) // repeats + 1
    local row, status = list[i], v.status
    if status == "abstain" then status = "refused" elseif status == "error" then status = "unparsed" end
    local criteria
    for k, name in ipairs(v.criteria and v.criterion_names or {}) do
      if v.criteria[k] == v.criteria[k] then
        criteria = criteria or {}
        criteria[name] = v.criteria[k]
      end
    end
    out[n] = { id = tostring(row.id or i), prompt_id = tostring(row.prompt_id or core.sha256(row.prompt or ""):sub(1, 16)), status = status,
      score = v.status == "ok" and v.score or nil, criteria = criteria, entropy = v.entropy, mass = v.mass, reasoning = v.reasoning,
      spec = hash, rubric = rubric, cost = v.cost, ["repeat"] = (n - 1) % repeats, length = row.completion and #row.completion or nil }
  end
  return out
end

--- What a judge's verdicts depend on: a table. A composition's holds those of its members; a plugin's is what it says
-- itself, else its name and settings; of one written in Lua, id, version and the hash of its file.
function judging.spec(j)
  local own = rawget(j, "spec_table")
  if own then return own end
  local text = spec_text(j)
  local said = text and json.decode(text)
  if said then return said end
  local named = rawget(j, "named")
  if named then
    return { id = j.id, key = core.judge_key(rawget(j, "component")) } -- file, version, settings without secrets
  end
  return { id = j.id, source = rawget(j, "source") }
end

--- The hash of that: what would have to change for another verdict.
function judging.hash(j)
  return core.sha256(not rawget(j, "spec_table") and spec_text(j) or json.encode(judging.spec(j)))
end

--- A verdict of ours in the form that hone.judge { judge = ... } returns.
function judging.put(v)
  local out = { reasoning = v.reasoning, cost = v.cost, latency_ns = v.latency_ns, spec_hash = v.spec_hash, entropy = v.entropy,
    mass = v.mass, label_probs = v.label_probs, labels = v.labels, tokens_in = v.tokens_in, tokens_out = v.tokens_out,
    inconsistency = v.inconsistency, orders = v.orders, score_error = v.se }
  if v.status ~= "ok" then
    out[v.status == "error" and "error" or "abstain"] = true
    for _, d in ipairs(details) do
      if d == v.status then out.detail = d end
    end
    return out
  end
  out.score, out.ranking = v.score, v.ranking
  if v.ranking and v.strengths and #v.strengths == #v.ranking then out.candidate_scores = v.strengths end
  out.criteria, out.criterion_names = v.criteria, v.criterion_names
  return out
end

return judging
