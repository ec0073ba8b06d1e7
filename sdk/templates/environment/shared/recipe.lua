--- Trains the embedded model for a few steps in the environment @name@.
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "rows.jsonl", "JSONL with prompt" },
  steps = { 2, "policy updates", min = 1 }, n = { 4, "episodes a prompt", min = 2 },
}
local run = hone.run { name = "@name@", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-5 } }
local environment = hone.environment("@name@")

for step, prompts in run:steps(p.steps, hone.source("jsonl", { path = p.data }):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = p.n, environment = environment, turns = 6, max_tokens = 4, grammar = "root ::= [1-9] [0-9]?" })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  local s = rollout:samples()[1]
  run:say("step %d: %q, %d turns, reward %g", step, s.completion, s.turns, s.reward)
end
run:save()
