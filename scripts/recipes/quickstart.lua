--- The main job on the embedded model: GRPO with a reward in C and one in Lua, on sums it has never seen.
local hone = require "hone"
local stories = require "stories"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  steps = { 600, "policy updates", min = 1 }, prompts = { 8, "prompts a step", min = 1 }, n = { 4, "samples a prompt", min = 2 },
  lr = { 7e-5, "peak learning rate" }, max_tokens = { 44, "new tokens a sample", min = 1 },
  rows = { 6000, "training problems", min = 1 }, test_rows = { 500, "held-out problems", min = 3 },
  permute = { false, "deal the rewards out anew among the samples (a control that must not learn)" },
  train_seed = { 100, "seed of the training problems" }, test_seed = { 900, "seed of the held-out problems" }, seed = { 7, "seed of the run" },
}

local run = hone.run { name = "quickstart", seed = p.seed, checkpoint = { every = 200 } }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = p.lr, beta1 = 0.9, beta2 = 0.95, weight_decay = 0 } }

local rewards = {
  hone.reward("exact_match", { prefix = "Answer:", reference = "answer" }), -- C, a plugin
  hone.reward { id = "brief", weight = 0.2, score = function(batch)         -- Lua: against running into the limit
    return batch:map(function(s) return s.finish == "length" and -1 or 0 end)
  end },
}
local test = stories.list(p.test_seed, "test", p.test_rows, true)

local function measure(when)
  local r, shown = policy:eval { test, rewards = rewards, max_tokens = p.max_tokens }, 0
  for _, s in ipairs(r.samples) do shown = shown + (stories.has_working(s.completion) and 1 or 0) end
  run:say("%s: exact match %.1f %% [%.1f, %.1f] on %d held-out problems; %.0f %% show their working; %.0f tokens",
    when, 100 * r.exact_match.mean, 100 * r.exact_match.lo, 100 * r.exact_match.hi, r.n, 100 * shown / r.n, r.length)
  for i = 1, 3 do
    local s = r.samples[i]
    run:say("  %s  -> %s   (right: %s)", (s.prompt:gsub("\n", "")), (s.completion:gsub("\n", " | ")), s.columns.answer)
  end
  return r.exact_match
end

local before = measure "before"
for _, prompts in run:steps(p.steps, hone.rows(stories.list(p.train_seed, "train", p.rows)):shuffle(run.seed):epochs():batches(p.prompts)) do
  local rollout = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, rewards = rewards,
    permute = p.permute and run.seed or nil })
  policy:update { rollout, objective = "grpo", advantage = "group", clip = 1.0, skip_equal = true,
    schedule = { "linear", warmup = 20, total = p.steps, min = 0.1 } }
end
local after = measure "after"
run:save()
run:say("exact match %.1f %% -> %.1f %%", 100 * before.mean, 100 * after.mean)
