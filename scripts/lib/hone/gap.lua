--- The distillation gap: teacher, student and base judged blind on the same prompts, by slice; and what to ask for next.
-- Blind: the judge gets items in an order drawn by hash, under opaque ids, without a column that names who answered.
-- Where more data would help most is where the gap is wide and prompts are many: slices are ranked by gap x frequency.
-- The request says which prompts, how many, in what form; a second round that follows it can be measured on prompts that the
-- meter has not seen. (judges.md section 12)

local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"
local stats = require "hone.stats"

local gap = {}

local function fail(...)
  error(string.format(...), 0)
end

local hidden = { model = true, system = true, teacher = true, student = true, policy = true, completion = true }

--- Scores of several systems' answers to the same rows: answers = { teacher = { text, ... }, ... }; a list a system, false
-- where there is no number. o.reference: the column that the judge gets.
function gap.scores(j, rows, answers, o)
  o = o or {}
  local items, from = {}, {}
  local systems = {}
  for name in pairs(answers) do systems[#systems + 1] = name end
  table.sort(systems)
  for _, name in ipairs(systems) do
    if #answers[name] ~= #rows then fail("gap: %d answers of %s to %d rows", #answers[name], name, #rows) end
    for i, row in ipairs(rows) do
      local columns = {}
      for k, v in pairs(row) do
        if not hidden[k] then columns[k] = v end
      end
      from[#from + 1] = { name, i, core.hash(name .. "\0" .. i, o.seed or 0) }
      items[#items + 1] = judging.item { prompt = row.question or row.prompt, messages = row.messages, candidates = { answers[name][i] },
        reference = o.reference and row[o.reference] or nil, columns = columns }
    end
  end
  local order, out = {}, {}
  for n in ipairs(items) do order[n] = n end
  table.sort(order, function(a, b)
    if from[a][3] ~= from[b][3] then return from[a][3] < from[b][3] end
    return a < b
  end)
  local asked = {}
  for place, n in ipairs(order) do
    asked[place] = items[n]
    asked[place].id = place - 1
  end
  for _, name in ipairs(systems) do out[name] = {} end
  for place, v in ipairs(judging.ask(j, asked)) do
    local name, i = from[order[place]][1], from[order[place]][2]
    out[name][i] = v.status == "ok" and v.score or false
  end
  return out
end

-- "scene=bus", for every value of every column in `columns`, with the rows that have it.
local function slices_of(rows, columns)
  local out, index = {}, {}
  for i, row in ipairs(rows) do
    for _, c in ipairs(columns) do
      if row[c] ~= nil then
        local name = c .. "=" .. tostring(row[c])
        if not index[name] then
          out[#out + 1] = { name = name, column = c, value = row[c], rows = {} }
          index[name] = #out
        end
        table.insert(out[index[name]].rows, i)
      end
    end
  end
  return out
end

--- The gap of each slice, widest first by gap x frequency: { { name, column, value, frequency, gap = FIGURE, teacher =, student =, base =,
-- weight } }. frequency: of the slice among `rows`, or o.frequency[name]. The gap is the mean of teacher minus student, paired by row.
function gap.slices(rows, scores, columns, o)
  o = o or {}
  local out = slices_of(rows, columns)
  for _, s in ipairs(out) do
    local part, cluster = {}, {}
    for name, list in pairs(scores) do
      part[name] = {}
      for k, i in ipairs(s.rows) do part[name][k] = list[i] end
    end
    for k, i in ipairs(s.rows) do cluster[k] = tostring(rows[i].prompt_id or rows[i].id or i) end
    local how = { cluster = cluster, seed = o.seed }
    s.gap = stats.difference(part.teacher, part.student, how)
    for name, list in pairs(part) do s[name] = stats.mean(list, how) end
    s.frequency = o.frequency and o.frequency[s.name] or #s.rows / #rows
    s.weight = math.max(0, s.gap.value or 0) * s.frequency
    s.n = #s.rows
  end
  table.sort(out, function(a, b)
    if a.weight ~= b.weight then return a.weight > b.weight end
    return a.name < b.name
  end)
  return out
end

--- What to get next: `prompts` in all, dealt to the first `most` slices whose gap's interval lies above 0 (of none: to the first), by their
-- weight; each with examples of prompts on which the student falls furthest behind.
function gap.request(rows, scores, slices, o)
  o = o or {}
  local total, most, chosen, sum = o.prompts or 200, o.most or 3, {}, 0
  for _, s in ipairs(slices) do
    if #chosen < most and s.gap.lo and s.gap.lo > 0 then chosen[#chosen + 1] = s end
  end
  if #chosen == 0 and slices[1] and slices[1].weight > 0 then chosen[1] = slices[1] end
  for _, s in ipairs(chosen) do sum = sum + s.weight end
  local out = {}
  for k, s in ipairs(chosen) do
    local worst = {}
    for _, i in ipairs(s.rows) do
      local t, u = scores.teacher[i], scores.student[i]
      if t and u and t > u then worst[#worst + 1] = { i, t - u } end
    end
    table.sort(worst, function(a, b) return a[2] ~= b[2] and a[2] > b[2] or a[2] == b[2] and a[1] < b[1] end)
    local examples = {}
    for n = 1, math.min(3, #worst) do examples[n] = rows[worst[n][1]].question or rows[worst[n][1]].prompt end
    out[k] = { slice = s.name, column = s.column, value = s.value, gap = { value = s.gap.value, lo = s.gap.lo, hi = s.gap.hi, n = s.gap.n },
      frequency = s.frequency, prompts = math.max(1, math.floor(total * s.weight / sum + 0.5)), examples = examples,
      form = o.form or "JSONL rows with prompt and completion, the completion being the teacher's answer; no prompt of the meter or of the held-out set" }
  end
  return out
end

--- The request for people.
function gap.text(request)
  if #request == 0 then return "No slice's gap is above 0: nothing is asked for.\n" end
  local out = { "Get, for the next round:\n" }
  for k, r in ipairs(request) do
    out[#out + 1] = string.format("%d. %d prompts of %s (gap %.3f [%s, %s], %.0f %% of the prompts)", k, r.prompts, r.slice, r.gap.value,
      r.gap.lo and string.format("%.3f", r.gap.lo) or "?", r.gap.hi and string.format("%.3f", r.gap.hi) or "?", 100 * r.frequency)
    for _, e in ipairs(r.examples) do out[#out + 1] = "   such as: " .. e:gsub("\n", " ") end
  end
  out[#out + 1] = "\nForm: " .. request[1].form .. "."
  return table.concat(out, "\n") .. "\n"
end

--- How much of the gap is gone: student after minus student before, teacher's scores being the same, by row; and both gaps.
function gap.shrunk(rows, before, after, o)
  o = o or {}
  local cluster = {}
  for i, row in ipairs(rows) do cluster[i] = tostring(row.prompt_id or row.id or i) end
  local how = { cluster = cluster, seed = o.seed }
  local d = {}
  for i = 1, #rows do
    local t0, s0, t1, s1 = before.teacher[i], before.student[i], after.teacher[i], after.student[i]
    d[i] = t0 and s0 and t1 and s1 and (t0 - s0) - (t1 - s1)
  end
  return { before = stats.difference(before.teacher, before.student, how), after = stats.difference(after.teacher, after.student, how),
    shrunk = stats.mean(d, how) }
end

--- Answers of a policy to rows with prompts, and what they took: texts, { tokens, latency_s (median of answers one by one), seconds_1000 (of
-- 1,000 answers drawn together) }.
function gap.answer(policy, rows, o)
  o = o or {}
  local texts, tokens, t0 = {}, 0, core.now()
  for i, g in ipairs(policy:generate(rows, { max_tokens = o.max_tokens, raw = o.raw })) do
    texts[i], tokens = g[1].text, tokens + #g[1].ids
  end
  local together, alone = core.now() - t0, {}
  for i = 1, math.min(o.alone or 15, #rows) do
    local t = core.now()
    policy:generate({ rows[i] }, { max_tokens = o.max_tokens, raw = o.raw })
    alone[i] = core.now() - t
  end
  table.sort(alone)
  return texts, { tokens = tokens / math.max(1, #rows), latency_s = alone[(#alone + 1) // 2], seconds_1000 = 1000 * together / math.max(1, #rows) }
end

function gap.encode(v)
  return json.encode(v)
end

return gap
