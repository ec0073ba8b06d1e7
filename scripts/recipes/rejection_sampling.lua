--- Rejection sampling: answer n times, keep the best answer, train on it as a demonstration; round after round.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  steps = { 6, "rounds", min = 1 }, n = { 8, "samples a prompt", min = 2 },
  lr = { 1e-4, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  storage = { "f32", "of frozen weights in memory", choices = { "f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k", "keep" } },
  questions = { 64, "questions a round", min = 1 }, batch = { 8, "kept answers an update", min = 1 },
  keep = { 1.0, "reward that an answer needs to be kept" },
  temperature = { 1.0, "of sampling" }, max_tokens = { 44, "new tokens a sample", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" }, seed = { 7, "seed" },
}

local run = hone.run { name = "rejection_sampling", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, storage = p.storage, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local rewards = given.rewards(p)
local questions = given.questions(p, 0, 1)

-- The best answer to each question, the shorter of two that are as good; questions without a good one are left out.
local function kept(rollout)
  local out = {}
  for _, group in ipairs(rollout:groups()) do
    local best
    for _, s in ipairs(group) do
      if s.reward and s.reward >= p.keep and (not best or s.reward > best.reward or s.reward == best.reward and s.n_tokens < best.n_tokens) then
        best = s
      end
    end
    if best then out[#out + 1] = { prompt = best.prompt, completion = best.completion } end
  end
  return out
end

given.answers(p, run, policy, "before", rewards, p.max_tokens)
for round, prompts in run:steps(p.steps, questions:shuffle(run.seed):epochs():batches(p.questions)) do
  local rows = kept(policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, temperature = p.temperature, rewards = rewards,
    permute = p.permute and run.seed or nil }):advantages "group")
  run:log { ["kept/share"] = #rows / #prompts }
  for from = 1, #rows, p.batch do
    policy:update { table.move(rows, from, math.min(#rows, from + p.batch - 1), 1, {}), objective = "sft", clip = p.clip, raw = true }
  end
end
given.answers(p, run, policy, "after", rewards, p.max_tokens)
run:save()
