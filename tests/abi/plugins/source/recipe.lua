--- A few supervised updates of the embedded model on rows of the source old_source.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "lines.txt", "a text file" },
  steps = { 4, "updates", min = 1 },
}
local run = hone.run { name = "old_source", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-4 } }
for step, batch in run:steps(p.steps, hone.source("old_source", { path = p.data }):epochs():batches(2)) do
  local m = policy:update { batch, objective = "sft" }
  run:say("step %d: loss %.4f, from line %d", step, m.loss, batch[1].number)
end
run:save()
