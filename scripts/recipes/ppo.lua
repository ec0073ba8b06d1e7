--- PPO: a policy with a value head, generalised advantage estimation, several passes over each rollout.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  steps = { 100, "rollouts", min = 1 }, prompts = { 32, "prompts a step", min = 1 }, n = { 1, "samples a prompt", min = 1 },
  epochs = { 2, "passes over a rollout", min = 1 }, minibatches = { 2, "optimizer steps a pass", min = 1 },
  lr = { 7e-5, "peak learning rate" }, head_lr = { 30.0, "times as fast the value head learns", min = 0 },
  optimizer = given.optimizers,
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  gamma = { 1.0, "discount", min = 0, max = 1 }, lambda = { 0.95, "decay of the trace", min = 0, max = 1 },
  vf_coef = { 0.1, "weight of the value loss", min = 0 }, detach = { false, "values learn from the hidden states without changing them" },
  critic = { false, "values come from a model of its own instead" },
  beta = { 0.0, "weight of the KL to the reference", min = 0 },
  reward_model = { "", "a folder that `hone run reward_model` saved: its score is the reward instead" },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "ppo", seed = p.seed, checkpoint = { every = 50 } }
local function make(name, head)
  return run:policy { name = name, model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil,
    value_head = head and { "value", detach = p.detach } or nil,
    optimizer = given.optimizer(p, { groups = { { "score.weight", lr_scale = p.head_lr } } }) }
end
local policy = make("policy", not p.critic)
local critic = p.critic and make("critic", true) or policy
local reference = p.beta > 0 and p.lora == 0 and policy:reference() or nil
local rewards = given.rewards(p)

given.answers(p, run, policy, "before", nil, p.max_tokens)
for _, prompts in run:steps(p.steps, given.questions(p, 0, 1):shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature, rewards = rewards,
    permute = p.permute and run.seed or nil })
  local how = { epochs = p.epochs, minibatches = p.minibatches, clip = p.clip,
    schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps * p.epochs * p.minibatches, min = 0.1 }) }
  rollout:advantages({ "gae", gamma = p.gamma, lambda = p.lambda, critic = critic })
  how[1], how.objective, how.reference = rollout, { "ppo", vf_coef = p.critic and 0 or p.vf_coef, beta = p.beta }, reference
  policy:update(how)
  if p.critic then
    how.objective, how.reference = "value", nil
    critic:update(how)
  end
end
given.answers(p, run, policy, "after", nil, p.max_tokens)
run:save()
