--- Supervised fine-tuning on prompt/completion, messages, Alpaca or ShareGPT rows.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "a file or folder: JSON, JSONL, CSV, texts, parquet, a Hugging Face data set; empty: story problems" },
  format = { "auto", "of its rows", choices = { "auto", "messages", "openai", "sharegpt", "alpaca", "completion", "text" } },
  objective = { "sft", "or dft: each token weighted by its own probability", choices = { "sft", "dft" } },
  neftune = { 0.0, "noise on the embeddings (NEFTune's alpha, 5 to 15); 0: none", min = 0 },
  steps = { 100, "updates", min = 1 }, batch = { 8, "rows an update, one behind the other without padding", min = 1 },
  pack = { 0, "tokens an update: as many batches as it takes; 0: one batch", min = 0 },
  lr = { 1e-5, "peak learning rate" }, schedule = { "cosine", "of the learning rate", choices = { "constant", "linear", "cosine" } },
  optimizer = given.optimizers,
  warmup = { 5, "updates of warm-up", min = 0 }, weight_decay = { 0.01, "of all parameters" },
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  max_tokens = { 1024, "longest row, in tokens", min = 2 }, clip = { 1.0, "largest gradient norm", min = 0 },
  eval = { 0.0, "share of rows held out for the loss at the end", min = 0, max = 0.5 },
  permute = { false, "give each prompt another row's completion (a control that must not learn)" },
  ask = { "", "a prompt to answer before and after" }, save = { "f32", "type of the saved weights", choices = { "f32", "bf16", "f16" } },
  seed = { 7, "seed" }, set = { {}, "values for {{KEY}} in the rows" },
}

local run = hone.run { name = "sft", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil,
  optimizer = given.optimizer(p, { weight_decay = p.weight_decay }),
}
local function show(when)
  if p.ask ~= "" then run:say("%s: %s", when, policy:generate(p.ask, { max_tokens = 64 })[1].text) end
  given.answers(p, run, policy, when)
end

local rows = given.demonstrations(p, p.eval, 1, p.permute):shuffle(run.seed):epochs():batches(p.batch, true)

show "before"
for _, batch in run:steps(p.steps, rows) do
  policy:update { given.packed(p, policy, batch, rows), objective = { p.objective, neftune = p.neftune }, clip = p.clip, max_tokens = p.max_tokens, on_error = "skip",
    schedule = given.schedule(p, { p.schedule, warmup = p.warmup, total = p.steps, min = 0.1 }) }
end
if p.eval > 0 then
  local held_out = given.demonstrations(p, 0, p.eval):list()
  run:say("held-out loss %.4f (%d rows)", policy:loss { held_out, objective = "sft", max_tokens = p.max_tokens }, #held_out)
end
show "after"
run:save { dtype = p.save }
