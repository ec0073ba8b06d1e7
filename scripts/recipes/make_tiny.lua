--- Makes the embedded model from nothing: tokenizer, weights, warm start.
-- hone run make_tiny --allow=fs-write:assets/tiny out=assets/tiny writes the folder that ships with hone; the same
-- recipe and seed give the same bytes on any machine. The warm start stops while the model still answers in two ways,
-- with and without its working, so that the quickstart has something to teach it.

local hone = require "hone"
local stories = require "stories"

local p = hone.params {
  out = { "", "folder for the model (empty: only the run's own; needs --allow=fs-write:FOLDER)" },
  steps = { 440, "updates of the warm start", min = 1 },
  total = { 600, "length of the schedule the warm start is cut from", min = 1 },
  rows = { 4000, "demonstrations", min = 64 },
  share = { 0.5, "share of demonstrations that show their working", min = 0, max = 1 },
  lr = { 3e-3, "peak learning rate" },
  batch = { 64, "demonstrations an update", min = 1 },
  seed = { 1, "seed of data, weights and order" },
  eval_every = { 100, "updates between evaluations on the tune part", min = 1 },
  eval_rows = { 200, "problems of an evaluation", min = 1 },
}

local run = hone.run { name = "make-tiny", seed = p.seed, checkpoint = { every = 200 } }

local demos = {}
for i, story in ipairs(stories.list(p.seed, "train", p.rows)) do
  local working = hone.random(p.seed, "working", i) < p.share
  demos[i] = { prompt = story.prompt, completion = stories.completion(story, working) }
end

local texts = {}
for i, d in ipairs(demos) do texts[i] = d.prompt .. d.completion end
local files, vocabulary = hone.bpe_train(texts, {
  vocab_size = 512, single_digits = true, special = { "<|endoftext|>" }, eos = "<|endoftext|>",
})
for name, text in pairs(files) do run:write("tokenizer/" .. name, text) end

local policy = run:policy {
  config = {
    architectures = { "LlamaForCausalLM" }, model_type = "llama", vocab_size = vocabulary, hidden_size = 128,
    intermediate_size = 256, num_hidden_layers = 3, num_attention_heads = 4, num_key_value_heads = 4,
    max_position_embeddings = 512, rms_norm_eps = 1e-5, rope_theta = 10000.0, tie_word_embeddings = true,
    hidden_act = "silu", initializer_range = 0.08, eos_token_id = 0, bos_token_id = 0,
  },
  tokenizer = run:path "tokenizer", seed = p.seed,
  optimizer = { "adamw", lr = p.lr, beta1 = 0.9, beta2 = 0.98, weight_decay = 0.01 },
}

local exact = { hone.reward("exact_match", { prefix = "Answer:", reference = "answer" }) }
local tune = stories.list(p.seed + 1000, "tune", p.eval_rows, true)

local function measure(step)
  local free = policy:eval { tune, rewards = exact, max_tokens = 48, name = "free" }
  local forced = {}
  for i, story in ipairs(tune) do -- the working line begun for it: what is it worth?
    forced[i] = { prompt = story.prompt .. story.working:match "^%d+", answer = story.answer }
  end
  local with = policy:eval { forced, rewards = exact, max_tokens = 48, name = "working" }
  local shown = 0
  for _, s in ipairs(free.samples) do
    if stories.has_working(s.completion) then shown = shown + 1 end
  end
  run:say("step %d: exact %.3f [%.3f, %.3f], with forced working %.3f, shows working %.3f", step,
    free.exact_match.mean, free.exact_match.lo, free.exact_match.hi, with.exact_match.mean, shown / #tune)
end

for step, batch in run:steps(p.steps, hone.rows(demos):shuffle(p.seed):epochs():batches(p.batch)) do
  policy:update { batch, objective = "sft", schedule = { "cosine", total = p.total }, clip = 1.0 }
  if step % p.eval_every == 0 or step == p.steps then measure(step) end
end

run:save { dtype = "bf16" }
if p.out ~= "" then policy:save(p.out, "bf16") end
