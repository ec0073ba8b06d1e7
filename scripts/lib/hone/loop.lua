--- What loops around a judge share: items out of rollouts, labels, the attack suite, the gate's evidence.

local calibrate = require "hone.calibrate"
local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"

local loop = {}

--- hone.measuring(fn, ...): fn(...), in which judges are made and asked to be measured themselves: what they say there is no
-- opinion that training would follow, so they need no record of the gate for it. run.json says that it was done.
function loop.measuring(fn, ...)
  return core.watching("measured", fn, ...)
end

local function measured(j, items, o)
  return loop.measuring(judging.rows, j, items, o)
end

--- Samples of a rollout (or of policy:eval) as items: id "prefix-group-k", prompt_id of the row's question, all columns of
-- the row beside prompt and completion. What the judge sees as prompt is the question, whatever the prompt made of it.
function loop.items(samples, prefix)
  local out, seen = {}, {}
  for i, s in ipairs(samples) do
    local item = {}
    for k, v in pairs(s.columns) do item[k] = v end
    local g = s.group or i
    seen[g] = (seen[g] or 0) + 1
    item.prompt = item.question or s.prompt
    item.prompt_id = item.prompt_id or core.sha256(item.prompt):sub(1, 16)
    item.completion, item.question = s.completion, nil
    item.id = string.format("%s-%d-%d", prefix, s.row or g, seen[g])
    out[i] = item
  end
  return out
end

--- Rows as lines of JSON.
function loop.jsonl(list)
  local out = {}
  for i, row in ipairs(list) do out[i] = core.canonical(row) end
  return table.concat(out, "\n") .. (#out > 0 and "\n" or "")
end

--- Rows of a JSONL file that the recipe may read.
function loop.read_jsonl(path)
  local out = {}
  for line in core.read_file(path):gmatch "[^\n]+" do
    if line:find "%S" then
      local row, why = json.decode(line)
      if type(row) ~= "table" then error(string.format("%s: line %d: %s", path, #out + 1, why or "no object"), 0) end
      out[#out + 1] = row
    end
  end
  return out
end

-- The parts of a report that say what it is of.
local function about(report, kind, j, data)
  local spec = judging.spec(j)
  report.kind, report.spec, report.at = kind, judging.hash(j), core.utc()
  report.rubric = type(spec.rubric) == "string" and spec.rubric or nil
  report.data = data
  return report
end

--- The attack suite on items with one completion: a report of kind attack. attacks: names, classes, or "all".
function loop.attack(j, items, o)
  o = o or {}
  local spec, list, clusters = judging.spec(j), {}, {}
  local range = o.range or type(spec.range) == "table" and spec.range or { 0, 1 }
  for i, it in ipairs(items) do
    list[i] = { prompt = it.prompt, completion = it.completion, rubric = spec.rubric_text, best = spec.best }
    clusters[i] = it.prompt_id or it.prompt
  end
  local function score(rows)
    local out = {}
    for i, v in ipairs(measured(j, rows, { reference = o.reference })) do out[i] = v.score or false end
    return out
  end
  local original, made, names, index, scores = score(items), core.attack_make(o.attacks or "all", list, o.seed or 0), {}, {}, {}
  local rows = {}
  for n, m in ipairs(made) do
    if not index[m.attack] then
      names[#names + 1] = m.attack
      index[m.attack] = #names
      scores[#names] = {}
    end
    local row = {}
    for k, v in pairs(items[m.item]) do row[k] = v end
    row.completion, row.id = m.text, row.id .. "/" .. m.attack
    rows[n] = row
  end
  for n, x in ipairs(score(rows)) do scores[index[made[n].attack]][made[n].item] = x end
  return about(core.attack_report(names, original, scores, { range = range, clusters = clusters, seed = o.seed,
    tolerance = o.tolerance, floor_tolerance = o.floor_tolerance }), "attack", j)
end

--- Calibration of j on items by label rows: verdicts are asked now.
function loop.calibrate(j, items, labels, o)
  o = o or {}
  local t = { labels = labels, items = items, verdicts = measured(j, items, { reference = o.reference }) }
  for k, v in pairs(o) do
    if k ~= "reference" then t[k] = v end
  end
  return about(calibrate.calibrate(t), "calibration", j)
end

--- Within-prompt reliability of j on groups of completions of one policy.
function loop.reliability(j, items, o)
  o = o or {}
  return about(calibrate.reliability { verdicts = measured(j, items, { repeats = o.repeats or 3, reference = o.reference }), items = items,
    labels = o.labels, policy = o.policy }, "reliability", j)
end

--- hone.gate(judge, { calibration =, reliability =, attack =, lint = }, { policy = P, repeats = 1 }): may this judge drive the
-- training of policy P? The document of kind gate, as `hone judge gate` gives it; the record, which the trainer asks for, is in
-- the store of judges from then on, and the documents with it. NO-GO is no error here: the first update is refused.
function loop.gate(j, evidence, o)
  o = o or {}
  local policy = o.policy
  if type(policy) == "table" then policy = policy:info().begins_with end
  return core.gate_decide(j.component, evidence, { policy = policy, repeats = o.repeats, days = o.days })
end

return loop
