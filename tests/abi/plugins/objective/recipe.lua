--- A few supervised updates of the embedded model with the loss old_objective.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "rows.jsonl", "JSONL with prompt and completion" },
  steps = { 4, "updates", min = 1 }, gamma = { 2, "of the loss", min = 1, max = 8 },
}
local run = hone.run { name = "old_objective", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-4 } }
for step, batch in run:steps(p.steps, hone.source("jsonl", { path = p.data }):epochs():batches(4)) do
  local m = policy:update { batch, objective = { "org.example.objective.old_objective", gamma = p.gamma } }
  run:say("step %d: loss %.4f, tokens known %.3f", step, m.loss, m.known)
end
run:save()
