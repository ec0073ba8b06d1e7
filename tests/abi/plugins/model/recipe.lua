--- Trains a model of the kind old_model from nothing, with the embedded model's tokenizer.
local hone = require "hone"

local p = hone.params { steps = { 10, "updates", min = 1 }, hidden = { 32, "numbers a token", min = 1 } }
local run = hone.run { name = "old_model", seed = 7 }
local policy = run:policy {
  config = { model_type = "old_model", vocab_size = 512, hidden_size = p.hidden },
  tokenizer = "tiny", optimizer = { "adamw", lr = 1e-2 },
}
local rows = hone.rows { { text = "one two three four five" }, { text = "one two three four six" } }
for step, batch in run:steps(p.steps, rows:epochs():batches(2)) do
  local m = policy:update { batch, objective = "sft" }
  if step == 1 or step == p.steps then run:say("step %d: loss %.3f", step, m.loss) end
end
run:save()
