--- GRPO on a model without keys and values (tests/unit/plugins/recurrent.c), from random weights: more of the letter e.
-- Prompts end inside, at and past a page of sequence state.
local hone = require "hone"
local p = hone.params { steps = { 60, "updates" }, every = { 20, "steps between checkpoints" },
  replay = { 0, "layers that backward computes anew at a time", min = 0 } }
local run = hone.run { name = "recurrent", seed = 3, checkpoint = { every = p.every, keep = 2 } }
local policy = run:policy {
  config = { model_type = "test_decay", vocab_size = 467, hidden_size = 48, inner_size = 64, num_hidden_layers = 2,
    max_position_embeddings = 512 },
  tokenizer = "tiny", seed = 2, optimizer = { "adamw", lr = 3e-3, weight_decay = 0 },
}
local rewards = { hone.reward { id = "letter", score = function(batch)
  return batch:map(function(s)
    local _, n = s.completion:gsub("e", "")
    return n / math.max(1, #s.completion)
  end)
end } }
local prompts = {}
for i = 1, 6 do prompts[i] = { prompt = ("the number is "):rep(5 * i - 4) } end
for _, rows in run:steps(p.steps, hone.rows(prompts):shuffle(run.seed):epochs():batches(4)) do
  local rollout = policy:rollout(rows, { n = 8, max_tokens = 20, rewards = rewards })
  policy:update { rollout, objective = "grpo", advantage = "group", minibatches = 2, checkpoint_every = p.replay }
end
run:save()
