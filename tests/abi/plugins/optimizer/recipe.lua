--- A few supervised updates of the embedded model with the optimizer old_optimizer.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "rows.jsonl", "JSONL with prompt and completion" },
  steps = { 4, "updates", min = 1 }, lr = { 1e-4, "learning rate" },
}
local run = hone.run { name = "old_optimizer", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "old_optimizer", lr = p.lr, beta2 = 0.98 } }
for step, batch in run:steps(p.steps, hone.source("jsonl", { path = p.data }):epochs():batches(4)) do
  local m = policy:update { batch, objective = "sft" }
  run:say("step %d: loss %.4f", step, m.loss)
end
run:save()
