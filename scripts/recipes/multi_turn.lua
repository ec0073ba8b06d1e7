--- A policy that uses a tool: it learns to call a calculator, turn by turn, and to go on with what that says.
-- A call is what stands before "=", as in 7+5=; the environment answers with the number, which is no token of the
-- policy's and gets no loss. At the end the answer counts. Rewards are relative to their group (GRPO).
-- Data: question and answer (JSONL, CSV); data= (none) is the embedded model's story problems.

local hone = require "hone"
local given = require "given"
local tools = require "tools"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" }, data = { "", "a file with questions and answers; empty: story problems" },
  test = { "", "a file of held-out questions" }, test_rows = { 200, "of it", min = 1 },
  steps = { 60, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "episodes a prompt", min = 2 },
  turns = { 8, "of an episode at most", min = 1 }, max_tokens = { 24, "new tokens a turn", min = 1 },
  lr = { 7e-5, "peak learning rate (an adapter of a real model: 3e-4)" }, lora = { 0, "rank of the adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  objective = { "grpo", "policy loss" }, advantage = { "group", "what rewards become" }, temperature = { 1.0, "of sampling" },
  prefix = { "Answer:", "what stands before the answer" }, instruction = { "", "added to the questions of a file" },
  permute = { false, "deal the rewards out anew among the episodes (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "multi-turn", seed = p.seed, checkpoint = { every = 20 } }
local policy = run:policy { model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p) }
local calculator = hone.environment(tools.calculator { prefix = p.prefix })
local playing = { environment = calculator, turns = p.turns, max_tokens = p.max_tokens, stop = "=" }

local function measure(when)
  local rows = given.held_out(p)
  if not rows then return end
  playing[1] = rows
  local r = policy:eval(playing)
  local right, turns, calls = r.calculator, 0, 0
  for _, s in ipairs(r.samples) do turns, calls = turns + (s.turns or 0), calls + (s.turns and s.turns > 1 and 1 or 0) end
  run:say("%s: %.1f %% [%.1f, %.1f] of %d held-out questions answered right, %.1f turns each, %.1f %% with a call", when,
    100 * right.mean, 100 * right.lo, 100 * right.hi, r.n, turns / r.n, 100 * calls / r.n)
end

measure "before"
local drawing = { n = p.n, temperature = p.temperature, permute = p.permute and run.seed or nil }
for k, v in pairs(playing) do if k ~= 1 then drawing[k] = v end end
for _, prompts in run:steps(p.steps, given.questions(p, 0, 1):shuffle(run.seed):epochs():batches(p.prompts)) do
  policy:update { policy:rollout(prompts, drawing), objective = p.objective, advantage = p.advantage, schedule = given.schedule(p, { "constant", warmup = 5 }) }
end
measure "after"
run:save()
