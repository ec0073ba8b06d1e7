--- A small GRPO run for the kill test: rewards in C and Lua, one that abstains, state, a logged number.
local hone = require "hone"
local stories = require "stories"
local p = hone.params { steps = { 10, "updates" }, every = { 3, "steps between checkpoints" }, model = { "tiny", "model" } }

local run = hone.run { name = "kill", seed = 3, checkpoint = { every = p.every, keep = 2 } }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
local ema = policy:ema(0.9)
local rewards = {
  hone.reward("exact_match", { prefix = "Answer:", reference = "answer" }),
  hone.reward { id = "odd", weight = 0.1, score = function(batch)
    return batch:map(function(s) return #s.completion % 7 == 0 and hone.abstain or #s.completion % 2 end)
  end },
}
run.state.seen = 0
for step, prompts in run:steps(p.steps, hone.rows(stories.list(5, "train", 60)):shuffle(run.seed):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 40, rewards = rewards })
  policy:update { rollout, objective = { "grpo", entropy = 0.001 }, advantage = { "group", missing = "skip" }, minibatches = 2 }
  ema:track()
  run.state.seen = run.state.seen + #prompts
  run:log { ["my/seen"] = run.state.seen }
  if step % 4 == 0 then policy:eval { stories.list(6, "tune", 8), rewards = rewards, max_tokens = 40 } end
end
run:save()
