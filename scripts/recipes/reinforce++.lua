--- REINFORCE++: no group and no critic; returns whitened over the batch, and PPO's clip.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  steps = { 100, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 7e-5, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  baseline = { false, "centre the rewards in their groups first (reinforce++_baseline)" }, eps = { 0.2, "of the clip" },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "reinforce++", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local rewards = given.rewards(p)
local questions = given.questions(p, 0, 1)

given.answers(p, run, policy, "before", rewards, p.max_tokens)
for _, prompts in run:steps(p.steps, questions:shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature, rewards = rewards,
    permute = p.permute and run.seed or nil })
  policy:update { rollout, objective = { "ppo", eps_low = p.eps, eps_high = p.eps }, clip = p.clip, minibatches = 2,
    advantage = p.baseline and "reinforce++_baseline" or "reinforce++",
    schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
end
given.answers(p, run, policy, "after", rewards, p.max_tokens)
run:save()
