--- Synthesis: new rows from any model and judge, by one of four methods (scripts/lib/hone/synthesis.lua); what stays, what does not and why.
-- As it stands the embedded model answers story problems and an exact judge says which are right. With your own:
-- hone run synthesize method=self_instruct data=seeds.jsonl model=FOLDER against=eval.jsonl
local hone = require "hone"
local given = require "given"
local stories = require "stories"

local p = hone.params {
  method = { "rejection", "what is made", choices = { "self_instruct", "rewrite", "rejection", "pairs" } },
  model = { "tiny", "model that writes: folder, GGUF file or known name; or a judge at an endpoint, as FILE.lua" },
  data = { "", "rows with prompt (or question) and what the judge reads (seeds of self_instruct: with completion); empty: story problems" },
  rows = { 64, "rows of it", min = 1 }, against = { "", "evaluation set that nothing may leak from; empty: the held-out story problems" },
  judge = { "", "judge component or Lua file; empty: the number after Answer: is the reference, or, for data=, math_answer" },
  reference = { "answer", "column with the reference" }, n = { 8, "answers a prompt", min = 1 }, at = { 1.0, "rejection: a score of at least this stays" },
  take = { "best", "rejection: of each prompt", choices = { "best", "all" } }, margin = { 0.0, "pairs: the least margin", min = 0 },
  count = { 100, "self_instruct: rows wanted", min = 1 }, styles = { "rephrase", "rewrite: names with commas" }, novelty = { 0.0, "ROUGE-L that a text must stay below; 0: the method's own", min = 0, max = 1 },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens an answer", min = 1 }, seed = { 7, "seed" },
}

local run = hone.run { name = "synthesize-" .. p.method, seed = p.seed }
local model = p.model:find "%.lua$" and hone.judge(p.model) or run:policy { model = p.model }
local list, against = {}, p.against ~= "" and p.against or nil
if p.data == "" then
  for i, s in ipairs(stories.list(p.seed, "train", p.rows, true)) do list[i] = { id = i, prompt = s.prompt, answer = s.answer, completion = stories.completion(s, true) } end
  against = against or stories.list(900, "test", 200, true)
else
  for row in hone.source("auto", { path = p.data }):take(p.rows):each() do
    row.prompt = row.prompt or row.question
    list[#list + 1] = row
  end
end

local o = { model = model, against = against, novelty = p.novelty > 0 and p.novelty or nil, sampling = { temperature = p.temperature, max_tokens = p.max_tokens } }
if p.data == "" then o.against_columns, o.share = "prompt", 0.8 end
if p.method == "rejection" or p.method == "pairs" then
  o.rows, o.n, o.reference = list, p.n, p.judge ~= "" and p.reference or nil
  if p.judge ~= "" then o.judge = hone.judge(p.judge) else o.reward = given.rewards({ data = p.data })[1] end
end
local rows, told
if p.method == "rejection" then
  o.at, o.take = p.at, p.take
  rows, told = hone.synthesis.rejection_sampling(run, o)
elseif p.method == "pairs" then
  o.margin = p.margin
  rows, told = hone.synthesis.preference_pairs(run, o)
elseif p.method == "rewrite" then
  o.rows, o.styles = list, {}
  for s in p.styles:gmatch "[^,%s]+" do table.insert(o.styles, s) end
  rows, told = hone.synthesis.rewrite(run, o)
else
  o.seeds, o.count = list, p.count
  rows, told = hone.synthesis.self_instruct(run, o)
end
run:say("%d made, %d stay: %s", told.made, told.kept, tostring(told.path))
for why, n in pairs(told.reasons) do run:say("  %5d  %s", n, why) end
