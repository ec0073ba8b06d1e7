--- Direct preference optimisation on prompt/chosen/rejected rows or ShareGPT pairs.
local hone = require "hone"
local formats = require "hone.formats"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "a file or folder of pairs: JSON, JSONL, CSV, parquet, a Hugging Face data set" },
  format = { "auto", "of its rows", choices = { "auto", "paired", "hh", "unpaired" } },
  objective = { "dpo", "preference loss" }, beta = { 0.1, "its temperature" },
  steps = { 100, "updates", min = 1 }, batch = { 4, "pairs an update", min = 1 },
  lr = { 1e-6, "peak learning rate" }, warmup = { 5, "updates of warm-up", min = 0 },
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  max_tokens = { 1024, "longest row, in tokens", min = 2 }, clip = { 1.0, "largest gradient norm", min = 0 },
  eval = { 0.1, "share of pairs held out", min = 0, max = 0.5 },
  swap = { false, "swap chosen and rejected (a control that must not learn)" },
  seed = { 7, "seed" }, set = { {}, "values for {{KEY}} in the rows" },
}
if p.data == "" then error("dpo: data=FILE is missing", 0) end

local run = hone.run { name = "dpo", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = { "adamw", lr = p.lr, weight_decay = 0 },
}
local reference = p.lora == 0 and policy:reference() or nil
local objective = { p.objective, beta = p.beta }

local function pairs_of(from, to, swap)
  return hone.source(formats.source_of(p.data), { path = p.data }):map(function(r)
    local row = formats.preference(r, p.set, p.format)
    if not row then return nil end
    if swap and row.label ~= nil then row.label = not row.label end
    if swap and row.chosen then row.chosen, row.rejected = row.rejected, row.chosen end
    return row
  end):split { seed = p.seed, from = from, to = to }
end
local function measure(when)
  if p.eval == 0 then return end
  local held_out = pairs_of(0, p.eval, false):list()
  local loss, m = policy:loss { held_out, objective = objective, reference = reference, max_tokens = p.max_tokens, on_error = "skip" }
  run:say("%s: held-out loss %.4f, accuracy %.3f, margin %.4f (%d pairs)", when, loss, m["rewards/accuracy"] or 0,
    m["rewards/margin"] or 0, #held_out)
end

measure "before"
for _, batch in run:steps(p.steps, pairs_of(p.eval, 1, p.swap):shuffle(run.seed):epochs():batches(p.batch)) do
  policy:update { batch, objective = objective, reference = reference, clip = p.clip, max_tokens = p.max_tokens,
    on_error = "skip", schedule = { "linear", warmup = p.warmup, total = p.steps } }
end
measure "after"
run:save()
