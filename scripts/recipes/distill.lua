--- Offline distillation: the teacher answers once and its likeliest tokens are written down; the student learns from the file.
-- The file, teacher.jsonl of the run directory, is all that a student needs: distil=FILE learns from one that another run wrote.
local hone = require "hone"
local given = require "given"
local json = require "hone.json"

local p = hone.params {
  model = { "tiny", "the student: model folder, GGUF file or known name" },
  teacher = { "", "the teacher, with the student's tokenizer; empty: the student after SFT on story problems" },
  distil = { "", "rows with prompt, completion and teacher that another run wrote; empty: the teacher writes them" },
  data = { "", "JSONL with question and answer, such as gsm8k/train.jsonl; empty: story problems" },
  test = { "", "held-out rows of the same form" }, test_rows = { 100, "rows of it", min = 1 },
  instruction = { "", "added to the questions of a file" },
  rows = { 400, "questions the teacher answers", min = 1 }, k = { 16, "tokens written down at each place", min = 1 },
  objective = { "forward_kl", "divergence", choices = { "forward_kl", "reverse_kl", "gkd" } },
  steps = { 100, "updates", min = 1 }, batch = { 8, "rows an update", min = 1 },
  lr = { 1e-4, "peak learning rate" }, lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  optimizer = given.optimizers,
  max_tokens = { 44, "new tokens of an answer", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 },
  permute = { false, "the teacher learns from demonstrations whose words are shuffled (a control that must not learn)" },
  seed = { 7, "seed" },
}

local run = hone.run { name = "distill", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local teacher = p.distil == "" and given.teacher(p, run) or nil

run:stage("write", function()
  if not teacher then return end
  local questions, lines = given.questions(p, 0, 1):take(p.rows):list(), {}
  local rows = {}
  for i, texts in ipairs(teacher:generate(questions, { max_tokens = p.max_tokens })) do
    rows[i] = { prompt = questions[i].prompt, completion = texts[1].text }
  end
  for i, said in ipairs(teacher:topk(rows, { k = p.k })) do
    rows[i].teacher = said
    lines[i] = json.line(rows[i])
  end
  run:write("teacher.jsonl", table.concat(lines, "\n") .. "\n")
end)

given.answers(p, run, policy, "before", nil, p.max_tokens)
local written = hone.source("jsonl", { path = p.distil ~= "" and p.distil or run:path "teacher.jsonl" })
for _, batch in run:steps(p.steps, written:shuffle(run.seed):epochs():batches(p.batch)) do
  policy:update { batch, objective = p.objective, clip = p.clip, schedule = given.schedule(p, { "linear", warmup = 5, total = p.steps, min = 0.1 }) }
end
given.answers(p, run, policy, "after", nil, p.max_tokens)
run:save()
