--- GKD: a student learns a teacher's distributions, token by token, on the teacher's texts and on its own.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "the student: model folder, GGUF file or known name" },
  teacher = { "", "the teacher, with the student's tokenizer; empty: the student after SFT on story problems" },
  data = { "", "demonstrations, as sft has them; empty: story problems" },
  format = { "auto", "of its rows", choices = { "auto", "messages", "openai", "sharegpt", "alpaca", "completion" } },
  objective = { "gkd", "divergence", choices = { "gkd", "forward_kl", "reverse_kl", "minillm" } },
  beta = { 0.5, "of gkd: 0 forward KL, 1 reverse KL, between Jensen-Shannon", min = 0, max = 1 },
  own = { 0.5, "share of updates on the student's own answers", min = 0, max = 1 },
  steps = { 100, "updates", min = 1 }, batch = { 8, "rows an update", min = 1 },
  lr = { 1e-4, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  max_tokens = { 44, "new tokens of an own answer", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "the teacher learns from demonstrations whose words are shuffled (a control that must not learn)" },
  seed = { 7, "seed" }, set = { {}, "values for {{KEY}} in the rows" },
}

local run = hone.run { name = "gkd", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local teacher = given.teacher(p, run)
local objective = { p.objective, beta = p.objective == "gkd" and p.beta or nil, teacher = teacher }

given.answers(p, run, policy, "before")
for step, batch in run:steps(p.steps, given.demonstrations(p, 0, 1):shuffle(run.seed):epochs():batches(p.batch)) do
  local learnt = batch
  if hone.random(p.seed, "own", step) < p.own then learnt = policy:rollout(batch, { max_tokens = p.max_tokens }) end
  policy:update { learnt, objective = objective, clip = p.clip, schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
end
given.answers(p, run, policy, "after")
run:save()
