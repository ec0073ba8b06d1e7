--- GRPO on questions with a known answer: rewards math_answer and format.
local hone = require "hone"

local p = hone.params {
  model = { "smollm2-135m-instruct", "model folder, GGUF file or known name" },
  data = { "gsm8k/train.jsonl", "JSONL with question and answer" },
  test = { "", "held-out JSONL for an evaluation before and after" }, test_rows = { 100, "rows of it", min = 1 },
  steps = { 40, "policy updates", min = 1 }, prompts = { 4, "prompts a step", min = 1 }, n = { 8, "samples a prompt", min = 2 },
  lr = { 3e-4, "peak learning rate" }, lora = { 16, "rank of the adapter; 0 trains all parameters", min = 0 },
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  objective = { "grpo", "policy loss" }, beta = { 0.0, "weight of the KL term to the reference" },
  temperature = { 1.0, "of sampling" }, max_tokens = { 64, "new tokens a sample", min = 1 },
  instruction = { "\nShow the calculation as equations like 3 * 4 = 12, then write: The answer is 12.", "added to the question" },
  pattern = { [[\s*\$?\d[^\n=]*=\s*\$?-?\d.*]], "what format asks of a completion: to begin with an equation (a regular expression)" },
  format = { 1.0, "weight of the format reward" },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "grpo", seed = p.seed, checkpoint = { every = 20 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = { "adamw", lr = p.lr, weight_decay = 0 },
}
local function rows(path)
  return hone.source("jsonl", { path = path }):map(function(r)
    return { prompt = r.question .. p.instruction, answer = r.answer:match "####%s*(.+)$" or r.answer }
  end)
end
local rewards = {
  hone.reward("math_answer", { reference = "answer" }),
  hone.reward("format", { pattern = p.pattern, weight = p.format }),
}
local reference = p.beta > 0 and p.lora == 0 and policy:reference() or nil

local function measure(when)
  if p.test == "" then return end
  local r = policy:eval { rows(p.test):take(p.test_rows), rewards = rewards, max_tokens = p.max_tokens }
  run:say("%s: math_answer %.3f [%.3f, %.3f], format %.3f [%.3f, %.3f] (%d rows)", when, r.math_answer.mean,
    r.math_answer.lo, r.math_answer.hi, r.format.mean, r.format.lo, r.format.hi, r.n)
end

measure "before"
for step, prompts in run:steps(p.steps, rows(p.data):shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature,
    rewards = rewards, permute = p.permute and run.seed or nil })
  policy:update { rollout, objective = { p.objective, beta = p.beta }, advantage = "group", reference = reference,
    schedule = { "constant", warmup = 5 } }
end
measure "after"
run:save()
