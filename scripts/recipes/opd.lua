--- On-policy distillation: the student answers, and each token of it is worth what the teacher makes of it more than the student.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "the student: model folder, GGUF file or known name" },
  teacher = { "", "the teacher, with the student's tokenizer; empty: the student after SFT on story problems" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  steps = { 100, "policy updates", min = 1 }, prompts = { 16, "prompts a step", min = 1 }, n = { 2, "samples a prompt", min = 1 },
  lr = { 1e-4, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  objective = { "ppo", "policy loss" }, temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 },
  permute = { false, "the teacher learns from demonstrations whose words are shuffled (a control that must not learn)" },
  seed = { 7, "seed" },
}

local run = hone.run { name = "opd", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local teacher = given.teacher(p, run)

local _, before = given.answers(p, run, policy, "before", nil, p.max_tokens)
for _, prompts in run:steps(p.steps, given.questions(p, 0, 1):shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature })
  policy:update { rollout, objective = p.objective, advantage = { "opd", teacher = teacher },
    schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
end
local _, after = given.answers(p, run, policy, "after", nil, p.max_tokens)
given.gained(run, before, after)
run:save()
