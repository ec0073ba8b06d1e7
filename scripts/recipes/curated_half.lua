--- Curated data of half the size against the raw set: the same SFT on both, updates and tokens alike, measured by a judge that chose nothing.
-- Raw: story problems with copies, wrong and cut answers, other tasks, junk, leaked test rows (scripts/lib/rawset.lua). Curated: hone.curate's steps, to
-- half of the rows. A control that must not help: a random half.
local hone = require "hone"
local rawset = require "rawset"
local stories = require "stories"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" }, rows = { 800, "of the raw set", min = 100 }, steps = { 30, "SFT updates of each", min = 1 },
  tokens = { 640, "tokens an update", min = 64 }, seeds = { 3, "raw sets and trainings, each with a seed of its own", min = 1 },
  test_rows = { 300, "held-out problems", min = 10 }, lr = { 3e-4, "peak learning rate" }, max_tokens = { 44, "new tokens an answer", min = 1 }, seed = { 7, "seed" },
}
local run = hone.run { name = "curated_half", seed = p.seed, checkpoint = { every = 0 } }
local test, text = stories.list(900, "test", p.test_rows, true), "prompt,completion"
local held_out = hone.judge { id = "answer", version = "1", judge = function(items) -- not the judge that selects
  local out = {}
  for i, it in ipairs(items) do out[i] = it.candidates[1]:match "Answer: (%-?%d+)%s*$" == it.columns.answer and 1 or 0 end
  return out
end }
local selects = rawset.judge()

local function curated(raw, seed) -- and what each step came to
  local rows, dedup = hone.curate.dedup(raw, { near = true, columns = text, name = seed .. "-dedup" })
  local clean, leaks = hone.curate.decontaminate(rows, { against = test, against_columns = "prompt", share = 0.8, columns = "prompt", name = seed .. "-leaks" })
  local good, rules = hone.curate.filter(clean, { rules = "gopher,c4", name = seed .. "-filter", limits = { min_words = 8, min_word_length = 1.5,
    min_alphabetic = 0.3, min_stop_words = false, min_sentences = false, min_line_words = false, terminal_punctuation = false } })
  local judged, verdicts = hone.curate.judge(good, selects, { at = 0.5, as = "score", name = seed .. "-judge" })
  local half, chosen = hone.curate.select(judged, { by = "score", top = #raw // 2, name = seed .. "-half" })
  run:say("seed %d: %d rows: copies %d, near %d, leaks %d, rules %d, judge %d, over %d -> %d", seed, #raw, dedup.exact, dedup.near, leaks.dropped, rules.dropped,
    verdicts.dropped, chosen.dropped, chosen.kept)
  return half:list()
end

local function learnt(name, seed, rows) -- the scores after as many updates with as many tokens, and these
  local policy = run:policy { name = name .. seed, model = p.model, optimizer = { "adamw", lr = p.lr, weight_decay = 0 } }
  local tokens, trained, order = hone.tokenizer(policy), 0, hone.rows(rows):shuffle(seed):epochs()
  for _ in run:steps(p.steps) do
    local batch, n = {}, 0
    while n < p.tokens do
      batch[#batch + 1] = order:next()
      n = n + #tokens:encode(batch[#batch].prompt .. batch[#batch].completion)
    end
    policy:update { batch, objective = "sft", raw = true, schedule = { "cosine", warmup = 5, total = p.steps, min = 0.1 } }
    trained = trained + n
  end
  return run:once(name .. seed, function()
    local texts, items, scores = policy:generate(test, { max_tokens = p.max_tokens }), {}, { tokens = trained }
    for i, s in ipairs(test) do items[i] = { prompt = s.prompt, completion = texts[i][1].text, answer = s.answer } end
    for i, v in ipairs(hone.measuring(hone.verdicts, held_out, items)) do scores[i] = v.score end
    return scores
  end)
end

local sets, all, problems = { "raw", "curated", "random" }, { raw = {}, curated = {}, random = {} }, {}
local function beside(a, b, of) return tostring(hone.stats.difference(a, b, { cluster = of, seed = p.seed })) end
for seed = p.seed, p.seed + p.seeds - 1 do
  local raw = rawset.rows(seed, p.rows, test)
  local rows = { raw = raw, curated = curated(raw, seed), random = hone.rows(raw):shuffle(seed):take(#raw // 2):list() }
  local scores = {}
  for _, name in ipairs(sets) do
    scores[name] = learnt(name, seed, rows[name])
    run:say("seed %d, %s: %d rows, %d tokens: %s", seed, name, #rows[name], scores[name].tokens, tostring(hone.stats.mean(scores[name])))
    table.move(scores[name], 1, #test, #all[name] + 1, all[name])
  end
  for _, s in ipairs(test) do problems[#problems + 1] = s.key end
  run:say("seed %d: curated - raw %s", seed, beside(scores.curated, scores.raw))
end
run:say("curated half - raw:          %s", beside(all.curated, all.raw, problems))
run:say("random half - raw (control): %s", beside(all.random, all.raw, problems))
