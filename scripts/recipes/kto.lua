--- KTO (or objective=apo_zero_unpaired): single answers, each labelled good or bad; of pairs one answer each.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "a file or folder of answers with a label, or of pairs; empty: story problems" },
  format = { "auto", "of its rows", choices = { "auto", "paired", "hh", "unpaired" } },
  objective = { "kto", "loss", choices = { "kto", "apo_zero_unpaired" } },
  beta = { 0.1, "temperature" }, desirable = { 1.0, "weight of good answers" }, undesirable = { 1.0, "weight of bad ones" },
  steps = { 100, "updates", min = 1 }, batch = { 8, "answers an update", min = 1 },
  lr = { 3e-5, "peak learning rate (models of billions: 1e-6)" }, warmup = { 5, "updates of warm-up", min = 0 },
  optimizer = given.optimizers,
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  max_tokens = { 1024, "longest row, in tokens", min = 2 }, clip = { 1.0, "largest gradient norm", min = 0 },
  eval = { 0.1, "share of rows held out", min = 0, max = 0.5 },
  swap = { false, "turn the labels round (a control that must not learn)" },
  seed = { 7, "seed" }, set = { {}, "values for {{KEY}} in the rows" },
}

local run = hone.run { name = "kto", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local reference = p.lora > 0 or policy:reference() -- with an adapter: the base, the adapter off

given.prefers(p, run, policy, "before", reference)
for _, batch in run:steps(p.steps, given.labelled(p, p.eval, 1, p.swap):filter(given.fits(p, policy)):shuffle(run.seed):epochs():batches(p.batch)) do
  policy:update { batch, reference = p.lora == 0 and reference or nil, clip = p.clip, max_tokens = p.max_tokens, on_error = "skip",
    objective = { p.objective, beta = p.beta, desirable_weight = p.desirable, undesirable_weight = p.undesirable },
    schedule = given.schedule(p, { "linear", warmup = p.warmup, total = p.steps }) }
end
given.prefers(p, run, policy, "after", reference)
run:save()
