--- Trains the embedded model for a few steps on the reward old_reward_cpp.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "rows.jsonl", "JSONL with prompt and answer" },
  steps = { 2, "policy updates", min = 1 }, n = { 4, "samples a prompt", min = 2 },
}
local run = hone.run { name = "old_reward_cpp", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-5 } }
local rewards = { hone.reward("old_reward_cpp", { target = 30 }) }

for step, prompts in run:steps(p.steps, hone.source("jsonl", { path = p.data }):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = 32, temperature = 1.0, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  local s = rollout:samples()[1]
  run:say("step %d: %q scored %.3f", step, s.completion, s.reward)
end
run:save()
