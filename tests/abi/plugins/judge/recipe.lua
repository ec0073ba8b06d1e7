--- Trains the embedded model for a few steps on what the judge old_judge says: the reward "judge" asks it.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "rows.jsonl", "JSONL with prompt and reference" },
  steps = { 2, "policy updates", min = 1 }, n = { 4, "samples a prompt", min = 2 },
}
local run = hone.run { name = "old_judge", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-5 } }
local rewards = { hone.reward("judge", { judge = "old_judge", reference = "reference" }) }

for step, prompts in run:steps(p.steps, hone.source("jsonl", { path = p.data }):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = 32, temperature = 1.0, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  local s = rollout:samples()[1]
  run:say("step %d: %q judged %.3f", step, s.completion, s.reward)
end
run:save()
