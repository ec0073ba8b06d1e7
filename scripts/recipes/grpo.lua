--- GRPO and its family on questions with a known answer: objective=dapo, dr_grpo, gspo, cispo, ... with advantage and sampling to match.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out JSONL for an evaluation before and after" }, test_rows = { 100, "rows of it", min = 1 },
  steps = { 100, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 7e-5, "peak learning rate (an adapter of a real model: 3e-4)" }, lora = { 0, "rank of the adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  objective = { "grpo", "policy loss" }, advantage = { "group", "what rewards become" }, beta = { 0.0, "weight of the KL term to the reference" },
  dynamic = { false, "draw on until a step has that many groups of which some answers are right (DAPO's dynamic sampling)" },
  overlong = { 0.0, "tokens below max_tokens (below 1: share of it) over which a punishment of length grows to -1 (DAPO); 0: none", min = 0 },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 },
  instruction = { "\nShow the calculation as equations like 3 * 4 = 12, then write: The answer is 12.", "added to the questions of a file" },
  pattern = { [[\s*\$?\d[^\n=]*=\s*\$?-?\d.*]], "what format asks of a completion: to begin with an equation (a regular expression)" },
  format = { 0.0, "weight of the format reward" },
  reward_model = { "", "a folder that `hone run reward_model` saved: its score is the reward instead" },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "grpo", seed = p.seed, checkpoint = { every = 20 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local rewards = given.rewards(p)
if p.format > 0 then rewards[#rewards + 1] = hone.reward("format", { pattern = p.pattern, weight = p.format }) end
local reference = p.beta > 0 and p.lora == 0 and policy:reference() or nil
local questions = given.questions(p, 0, 1):shuffle(run.seed):epochs():batches(p.prompts)
local drawing = { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature, rewards = rewards, permute = p.permute and run.seed or nil }

local _, before = given.answers(p, run, policy, "before", rewards, p.max_tokens)
for _, prompts in run:steps(p.steps, questions) do
  local update = { policy:rollout(prompts, drawing), objective = { p.objective, beta = p.beta }, advantage = p.advantage,
    reference = reference, schedule = given.schedule(p, { "constant", warmup = 5 }) }
  if p.dynamic then
    local of, found = p.reward_model == "" and "right" or "score", 0
    update.advantage, update.skip_equal = nil, true
    while true do -- at most 8 draws a step
      found = found + given.mixed(update[#update], of, p.advantage)
      if found >= p.prompts or #update == 8 then break end
      update[#update + 1] = policy:rollout(questions:next(), drawing)
    end
    if found > 0 then policy:update(update) end
  else
    policy:update(update)
  end
end
local _, after = given.answers(p, run, policy, "after", rewards, p.max_tokens)
given.gained(run, before, after)
run:save()
