--- A reward model of pairs of answers (Bradley-Terry): a decoder with a head of one number, which then is a reward:
-- hone.reward("reward_model", { model = "RUN/model" }), as in grpo reward_model=RUN/model.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "a file or folder of pairs: JSON, JSONL, CSV, parquet, a Hugging Face data set; empty: story problems" },
  format = { "auto", "of its rows", choices = { "auto", "paired", "hh" } },
  steps = { 100, "updates", min = 1 }, batch = { 8, "pairs an update", min = 1 },
  lr = { 1e-4, "peak learning rate (models of billions: 1e-5)" }, warmup = { 5, "updates of warm-up", min = 0 },
  optimizer = given.optimizers,
  margin = { 0.0, "by which the chosen one is to be better, beside the rows' own column", min = 0 },
  center = { 0.01, "how strongly the scores of a pair are drawn to a sum of 0", min = 0 },
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  max_tokens = { 1024, "longest conversation, in tokens; longer ones are left out", min = 2 }, clip = { 1.0, "largest gradient norm", min = 0 },
  eval = { 0.1, "share of rows held out", min = 0, max = 0.5 }, eval_pairs = { 400, "of them that are looked at", min = 1 },
  swap = { false, "swap chosen and rejected (a control that must not learn)" },
  seed = { 7, "seed" }, set = { {}, "values for {{KEY}} in the rows" },
}

local run = hone.run { name = "reward_model", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, value_head = "reward", storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil,
  optimizer = given.optimizer(p),
}
local objective = { "rm", margin = p.margin, center = p.center }

given.scores(p, run, policy, "before")
local fits = function(row) return #policy:batch({ row }, { scored = true, max_tokens = p.max_tokens, on_error = "skip" }) == 1 end
for _, batch in run:steps(p.steps, given.pairs(p, p.eval, 1, p.swap):filter(fits):shuffle(run.seed):epochs():batches(p.batch)) do
  policy:update { batch, objective = objective, clip = p.clip, max_tokens = p.max_tokens,
    schedule = given.schedule(p, { "linear", warmup = p.warmup, total = p.steps }) }
end
given.scores(p, run, policy, "after")
run:save()
