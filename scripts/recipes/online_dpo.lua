--- Online DPO: the policy answers, a reward says which answer is better, and the pair is learnt from at once.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  steps = { 60, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 5e-5, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  objective = { "dpo", "preference loss" }, beta = { 0.1, "its temperature" },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "online_dpo", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local rewards = given.rewards(p)
local questions = given.questions(p, 0, 1)
local reference = p.lora == 0 and policy:reference() or nil

-- Of each group the best and the worst answer, where they differ.
local function pairs_of(rollout)
  local out = {}
  for _, group in ipairs(rollout:groups()) do
    table.sort(group, function(a, b) return (a.reward or -math.huge) > (b.reward or -math.huge) end)
    local best, worst = group[1], group[#group]
    if worst.reward and best.reward > worst.reward then
      out[#out + 1] = { prompt = best.prompt, chosen = best.completion, rejected = worst.completion }
    end
  end
  return out
end

given.answers(p, run, policy, "before", rewards, p.max_tokens)
for _, prompts in run:steps(p.steps, questions:shuffle(run.seed):epochs():batches(p.prompts)) do
  local pairs_ = pairs_of(policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature, rewards = rewards,
    permute = p.permute and run.seed or nil }):advantages "group")
  if #pairs_ > 0 then
    policy:update { pairs_, objective = { p.objective, beta = p.beta }, reference = reference, clip = p.clip, raw = true,
      schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
  end
end
given.answers(p, run, policy, "after", rewards, p.max_tokens)
run:save()
