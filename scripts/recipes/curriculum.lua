--- A curriculum: questions of a harder level come once the policy answers enough of the level it is at.
-- The level is part of the run's state, so that a resumed run goes on where it was.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question, answer and a whole number level, from 1; empty: story problems, by their number of changes" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  levels = { 2, "levels there are", min = 1 }, advance = { 0.6, "share answered right that leads to the next level", min = 0, max = 1 },
  window = { 5, "steps that the share is taken over", min = 1 }, keep = { 0.25, "share of questions from levels already passed", min = 0, max = 1 },
  steps = { 100, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 7e-5, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  objective = { "grpo", "policy loss" }, max_tokens = { 44, "new tokens a sample", min = 1 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "curriculum", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local rewards = given.rewards(p)
local levels = given.levels(p)
local state = run.state
state.level, state.recent = state.level or 1, state.recent or {}

-- Questions of the level, some of them from a level that was passed.
local function draw(step)
  local prompts = {}
  for i = 1, p.prompts do
    local level = state.level
    if level > 1 and hone.random(p.seed, "keep", step, i) < p.keep then
      level = 1 + math.floor(hone.random(p.seed, "level", step, i) * (level - 1))
    end
    prompts[i] = levels[level][1 + math.floor(hone.random(p.seed, "row", step, i) * #levels[level])]
  end
  return prompts
end

given.answers(p, run, policy, "before", rewards, p.max_tokens)
for step in run:steps(p.steps) do
  local rollout = policy:rollout(draw(step), { n = p.n, max_tokens = p.max_tokens, rewards = rewards, permute = p.permute and run.seed or nil })
  policy:update { rollout, objective = p.objective, advantage = "group", schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
  run:log { ["curriculum/level"] = state.level }
  table.insert(state.recent, hone.stats.mean(rollout:map(function(s) return s.outcomes.right.score or 0 end)).value)
  if #state.recent > p.window then table.remove(state.recent, 1) end
  if #state.recent == p.window and hone.stats.mean(state.recent).value >= p.advance and state.level < p.levels then
    state.level, state.recent = state.level + 1, {}
    run:say("step %d: on to level %d", step, state.level)
  end
end
given.answers(p, run, policy, "after", rewards, p.max_tokens)
run:save()
