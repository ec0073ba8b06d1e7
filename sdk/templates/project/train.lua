--- train.lua - GRPO on prompts of a file, with a reward in C (plugins/brevity.c) and one in Lua (digits.lua).
local hone = require "hone"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "data/prompts.jsonl", "JSONL with prompt" },
  steps = { 3, "policy updates", min = 1 }, prompts = { 4, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 1e-5, "peak learning rate" }, max_tokens = { 32, "new tokens a sample", min = 1 },
}
local run = hone.run { name = "@name@", seed = 7 }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = p.lr } }
local rewards = { hone.reward("brevity", { target = 20 }), require "digits"(hone) }

for step, prompts in run:steps(p.steps, hone.source("jsonl", { path = p.data }):shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = 1.0, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group" }
  local s = rollout:samples()[1]
  run:say("step %d: %q -> %.3f", step, s.completion, s.reward)
end
run:save()
