--- What `hone prompt improve` runs.

local hone = require "hone"
local core = require "hone.core"
local formats = require "hone.formats"

local p = hone.params {
  model = { "", "model whose answers are judged" }, prompt = { "", "the prompt to begin with" }, data = { "", "rows" },
  judge = { "", "judge component, or a Lua file of one" }, set = { {}, "its settings" }, reference = { "", "column with the reference" },
  writer = { "", "model that writes proposals" }, propose = { "", "file that returns function(ctx)" },
  proposals = { 20, "proposals", min = 0 }, minibatch = { 4, "rows a proposal is first tried on", min = 1 },
  budget = { 2000, "judged answers", min = 1 }, holdout = { 0.4, "share that the search never sees", min = 0.1, max = 0.9 },
  limit = { 0, "rows", min = 0 }, max_tokens = { 256, "new tokens", min = 1 }, raw = { false, "without the chat template" }, seed = { 0, "seed" },
}

local settings = {}
for key, text in pairs(p.set) do
  settings[key] = math.tointeger(tonumber(text)) or tonumber(text) or text
  if text == "true" or text == "false" then settings[key] = text == "true" end
end

local run = hone.run { name = "prompt", seed = p.seed, checkpoint = { every = 1, keep = 2 } }
local policy = run:policy { model = p.model }
local judge = hone.judge(p.judge, settings)
local source = hone.source(formats.source_of(p.data), { path = p.data })
if p.limit > 0 then source:take(p.limit) end

-- Rows of one prompt go together, by hash: which part a row is in does not depend on the others.
local parts = { feedback = {}, pareto = {}, holdout = {} }
for i, row in ipairs(source:list()) do
  local u = (core.hash(tostring(row.prompt_id or row.question or row.prompt or i), run.seed) >> 11) / (1 << 53)
  local name = u < p.holdout and "holdout" or u < p.holdout + (1 - p.holdout) / 2 and "pareto" or "feedback"
  table.insert(parts[name], row)
end

local propose
if p.propose ~= "" then
  local chunk, why = load(core.read_file(p.propose), "@" .. p.propose, "t")
  if not chunk then error(why, 0) end
  propose = chunk()
  if type(propose) ~= "function" then error(p.propose .. ": function(ctx), which returns a template, is wanted", 0) end
else
  propose = hone.writer(p.writer ~= "" and p.writer ~= p.model and run:policy { model = p.writer, name = "writer" } or policy)
end

local kept, report = hone.improve(run, {
  prompt = p.prompt, feedback = parts.feedback, pareto = parts.pareto, holdout = parts.holdout, judge = judge,
  reference = p.reference ~= "" and p.reference or nil, proposals = p.proposals, minibatch = p.minibatch, budget = p.budget,
  propose = propose,
  generate = function(_, rows)
    local out = {}
    for i, g in ipairs(policy:generate(rows, { max_tokens = p.max_tokens, raw = p.raw })) do out[i] = g[1].text end
    return out
  end,
})
run:say("%d proposals, %d joined, %d answers judged; %s", report.proposals or 0, report.joined or 0, report.spent or 0, report.why)
