--- A small model from nothing that reads and writes with the tokenizer old_tokenizer (tokenizer.json says so).
local hone = require "hone"

local p = hone.params { steps = { 6, "updates", min = 1 } }
local tokenizer = hone.tokenizer "tokenizer.json"
assert(tokenizer:decode(tokenizer:encode "caf\u{e9}") == "caf\u{e9}")

local run = hone.run { name = "old_tokenizer", seed = 7 }
local policy = run:policy {
  config = {
    architectures = { "LlamaForCausalLM" }, model_type = "llama", vocab_size = tokenizer.vocab_size, hidden_size = 32,
    intermediate_size = 64, num_hidden_layers = 1, num_attention_heads = 2, num_key_value_heads = 2,
    max_position_embeddings = 128, rms_norm_eps = 1e-5, rope_theta = 10000.0, tie_word_embeddings = true,
    hidden_act = "silu", initializer_range = 0.08, eos_token_id = tokenizer.eos,
  },
  tokenizer = "tokenizer.json", optimizer = { "adamw", lr = 1e-2 },
}
local rows = hone.rows { { prompt = "one two ", completion = "three" }, { prompt = "red green ", completion = "blue" } }
for step, batch in run:steps(p.steps, rows:epochs():batches(2)) do
  local m = policy:update { batch, objective = "sft" }
  run:say("step %d: loss %.4f, %d tokens", step, m.loss, m.tokens)
end
run:save()
