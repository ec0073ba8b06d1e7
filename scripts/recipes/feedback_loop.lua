--- The whole loop: generation prompt -> candidates -> judge and experts -> rubric edit -> judge calibrated again -> gate ->
-- prompt improved -> SFT on the best -> GRPO with the gated judge -> held-out panel with an interval -> model card.
-- As it stands it runs on the embedded model and its story problems, with experts that are a function with known noise.
-- With real ones: labels=wait stops after the candidates are written, `hone judge label --items RUN/items.jsonl` asks
-- people, and labels=FILE goes on with what they said (docs/judges.md, section 12).
local hone = require "hone"
local card = require "hone.loop_card"
local loop = require "hone.loop"
local stories = require "stories"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  labels = { "", "labels of experts (JSONL; item, expert, score); empty: simulated; wait: write the items and stop" },
  experts = { 3, "simulated experts", min = 2, max = 9 }, noise = { 0.08, "share of labels that a simulated expert gets wrong", min = 0, max = 0.5 },
  label_prompts = { 60, "prompts whose candidates are labelled", min = 20 }, n = { 6, "candidates a prompt", min = 2 },
  more_prompts = { 200, "further prompts whose candidates are judged and not labelled: parse failures, prevalence", min = 0 },
  search_rows = { 120, "problems of the search for a prompt", min = 20 }, proposals = { 6, "proposals for the prompt", min = 0 },
  sft_prompts = { 128, "prompts of best-of-n for SFT", min = 8 }, sft_steps = { 8, "SFT updates", min = 0 },
  steps = { 40, "GRPO updates", min = 0 }, prompts = { 8, "prompts a GRPO step", min = 1 }, lr = { 7e-5, "peak learning rate" },
  test_rows = { 300, "held-out problems", min = 10 }, max_tokens = { 44, "new tokens a sample", min = 1 }, seed = { 7, "seed of the run" },
}

local run = hone.run { name = "feedback-loop", seed = p.seed, checkpoint = { every = 0 } }
local policy = run:policy { model = p.model, optimizer = { "adamw", lr = p.lr, beta1 = 0.9, beta2 = 0.95, weight_decay = 0 } }
local base = policy:copy "base"

local function problems(seed, part, n)
  local out = {}
  for i, s in ipairs(stories.list(seed, part, n, true)) do
    out[i] = { id = part .. i, question = s.prompt, prompt_id = s.key, answer = s.answer, first = s.working:match "^%d+" }
  end
  return out
end
local function answers(who, prompt, rows)
  local out = {}
  for i, g in ipairs(who:generate(prompt:rows(rows), { max_tokens = p.max_tokens })) do out[i] = g[1].text end
  return out
end

-- ---- the draft: a prompt, a rubric, candidates ------------------------------------------------------------------

local draft_prompt = hone.prompt { id = "story", template = "{{question}}" }
local function program(id, text, weight, verifier) return { id = id, text = text, kind = "program", weight = weight, verifier = verifier } end
local shows = program("shows", "Is there an equation with a result?", 1, { reward = "regex", pattern = "[0-9]+[-+][0-9]+=[0-9]+" })
local ends = program("ends", "Is there a line with the answer?", 1, { reward = "regex", pattern = "Answer: -?[0-9]+" })
local right = program("right", "Is the number after Answer: the right one?", 4, { reward = "exact_match", prefix = "Answer:", reference = "answer" })
local function rubric(version, criteria)
  return { id = "story", version = version, shape = "pointwise", task = "Story problems with one number as the answer.", criteria = criteria }
end
local draft = rubric("1", { shows, ends })
local edits = { -- what the disagreements with the experts suggest; the dev split decides among them
  rubric("2-answer", { shows, right }), rubric("2-strict", { right }), rubric("2-brief", { ends }),
}
local judges = {}
local function judge_of(r)
  judges[r.version] = judges[r.version] or hone.measuring(hone.judge, "rubric", { rubric = r })
  return judges[r.version]
end

local function candidates(seed, part, n, prefix)
  local rows = draft_prompt:rows(problems(seed, part, n))
  return loop.items(policy:rollout(rows, { n = p.n, max_tokens = p.max_tokens, temperature = 1.0 }):samples(), prefix)
end
local items = candidates(31, "tune", p.label_prompts, "draft")
local more = p.more_prompts > 0 and candidates(32, "train", p.more_prompts, "more") or {}
local judged = table.move(more, 1, #more, #items + 1, table.move(items, 1, #items, 1, {}))
run:write("items.jsonl", loop.jsonl(items))
if p.labels == "wait" then
  run:say("%d items in %s; ask people: hone judge label --items %s --rubric RUBRIC.lua; then labels=FILE", #items, run:path "items.jsonl", run:path "items.jsonl")
  return
end

-- ---- experts ------------------------------------------------------------------------------------------------------

local labels = {}
if p.labels ~= "" then
  labels = loop.read_jsonl(p.labels)
else -- each says whether the answer is right, and errs in a known share of cases, by itself
  for i, it in ipairs(items) do
    local truth = it.completion:match "Answer: (%-?%d+)%s*$" == it.answer and 1 or 0
    for e = 1, p.experts do
      local wrong = hone.random(run.seed, "expert", e, i) < p.noise
      labels[#labels + 1] = { item = it.id, expert = "expert" .. e, score = wrong and 1 - truth or truth, prompt_id = it.prompt_id }
    end
  end
end
run:write("labels.jsonl", loop.jsonl(labels))

-- ---- the judge: draft, edit, again ----------------------------------------------------------------------------------

local function calibrated(r, split)
  local how = p.labels == "" and { levels = { 0, 1 }, threshold = 0.75 } or { judge_scale = { 0, 1 } } -- people's scale is that of their labels
  how.split, how.seed = split, run.seed
  return loop.calibrate(judge_of(r), judged, labels, how)
end
local function agreement(c) return c.agreement.kappa_w.value or -1 end
local before = calibrated(draft, "dev")
run:say("draft rubric against the experts: kappa %s; experts among themselves %s", card.text(before.agreement.kappa_w), card.text(before.ceiling.kappa_w))
local best, best_at = nil, agreement(before)
for _, r in ipairs(edits) do
  local at = agreement(calibrated(r, "dev"))
  run:say("  edit %s: kappa %.3f on the dev split", r.version, at)
  if at > best_at then best, best_at = r, at end
end
if run.dry_run then best = edits[1] end -- nobody was asked
if not best then error("no edit of the rubric agrees better with the experts than the draft: look at RUN/labels.jsonl", 0) end
local judge = judge_of(best)
local evidence = run.dry_run and { calibration = { agreement = {} } } or { lint = hone.lint(best), calibration = calibrated(best, "test"), attack = loop.attack(judge, items, { seed = run.seed }),
  reliability = loop.reliability(judge, items, { repeats = 2, labels = labels, policy = policy:info().begins_with }) }
for kind, report in pairs(evidence) do run:write("judge-" .. kind .. ".json", require "hone.json".encode(report)) end
run:say("edited rubric %s on the test split: kappa %s, TPR %s, TNR %s", best.version, card.text(evidence.calibration.agreement.kappa_w),
  card.text(evidence.calibration.tpr), card.text(evidence.calibration.tnr))
local gate = run.dry_run and { verdict = "not asked" } or hone.gate(judge, evidence, { policy = policy }) -- what the trainer asks for before its first update
for _, line in ipairs(gate.lines or {}) do
  if not line.passed then run:say("  failed: %s: %s", line.line, line.text or line.remedy or "") end
end
run:say("gate: %s", gate.verdict)

-- ---- the prompt, before anything is trained ---------------------------------------------------------------------------

local pool = problems(41, "tune", p.search_rows * 2)
local third = #pool // 3
local templates = { "Think step by step.\n{{question}}", "{{question}}{{first}}", "{{question}}Answer:", "{{question}}{{first}}=", "{{question}}{{first}}+" }
local prompt, improved = hone.improve(run, {
  prompt = draft_prompt, feedback = table.move(pool, 1, third, 1, {}), pareto = table.move(pool, third + 1, 2 * third, 1, {}),
  holdout = table.move(pool, 2 * third + 1, #pool, 1, {}), judge = judge, proposals = p.proposals, minibatch = 12,
  generate = function(which, rows)
    local out = {}
    for i, g in ipairs(base:generate(rows, { max_tokens = p.max_tokens })) do out[i] = g[1].text end
    return out
  end,
  propose = function(ctx) return templates[(ctx.step - 1) % #templates + 1] end, -- hone.writer(policy) where the model can write
})

-- ---- SFT on the best of n, then GRPO ------------------------------------------------------------------------------------

local train = problems(51, "train", p.sft_prompts)
local sft_rows = run:once("sft_rows", function()
  local drawn, out = policy:rollout(prompt:rows(train), { n = p.n, max_tokens = p.max_tokens, temperature = 1.0 }), {}
  for _, row in ipairs((hone.best(judge, drawn))) do
    if row.score >= 0.75 then out[#out + 1] = { prompt = row.prompt, completion = row.completion } end
  end
  return out
end)
if #sft_rows >= 16 then
  for _, batch in run:steps(p.sft_steps, hone.rows(sft_rows):shuffle(run.seed):epochs():batches(16)) do
    policy:update { batch, objective = "sft" }
  end
end
local rewards = { hone.reward(judge, { id = "judge" }) }
for _, prompts in run:steps(p.steps, prompt:rows(hone.rows(problems(61, "train", math.max(p.prompts, p.steps * p.prompts // 2)))):shuffle(run.seed):epochs():batches(p.prompts)) do
  local drawn = policy:rollout(prompts, { n = p.n, max_tokens = p.max_tokens, rewards = rewards })
  policy:update { drawn, objective = "grpo", advantage = "group", clip = 1.0, skip_equal = true,
    schedule = { "linear", warmup = 5, total = p.steps + p.sft_steps, min = 0.1 } }
end

-- ---- the panel, on problems that nothing above has seen -------------------------------------------------------------------

local panel = hone.jury { judge, hone.judge { id = "exact", version = "1", judge = function(list) -- other code than the judge's
  local out = {}
  for i, it in ipairs(list) do out[i] = it.candidates[1]:match "Answer: (%-?%d+)%s*$" == it.columns.answer and 1 or 0 end
  return out
end } }
local test = problems(71, "test", p.test_rows)
local function scores(who, with)
  local texts, rows = answers(who, with, test), {}
  for i, t in ipairs(test) do
    rows[i] = { id = t.id, prompt = t.question, prompt_id = t.prompt_id, completion = texts[i], answer = t.answer }
  end
  local out = {}
  for i, v in ipairs(hone.verdicts(panel, rows)) do out[i] = v.status == "ok" and v.score or false end
  return out
end
local clusters = {}
for i, t in ipairs(test) do clusters[i] = t.prompt_id end
local how = { cluster = clusters, seed = run.seed }
local start, prompted, final = scores(base, draft_prompt), scores(base, prompt), scores(policy, prompt)
local stats = hone.stats
local figures = {
  { "panel, start (draft prompt, base model)", stats.mean(start, how) },
  { "panel, prompt improved", stats.mean(prompted, how) },
  { "panel, trained", stats.mean(final, how) },
  { "prompt improved - start", stats.difference(prompted, start, how) },
  { "trained - start", stats.difference(final, start, how) },
  { "trained - prompt improved", stats.difference(final, prompted, how) },
}
for _, f in ipairs(figures) do run:say("%-44s %s", f[1], card.text(f[2])) end
run:save()
card.write(run, {
  title = "feedback loop on " .. p.model, task = draft.task, prompt = prompt, figures = figures,
  model = { base = p.model, ["checksum of the base"] = base:info().checksum, ["checksum of the result"] = policy:info().checksum },
  judges = { { name = "reward", judge = judge, calibration = evidence.calibration, reliability = evidence.reliability, attack = evidence.attack, gate = gate },
    { name = "panel", judge = panel } },
  data = { { what = "items that experts saw", rows = #items, sha256 = card.rows_sha256(items) }, { what = "labels", rows = #labels, sha256 = card.rows_sha256(labels) },
    { what = "SFT, best of " .. p.n, rows = #sft_rows, sha256 = card.rows_sha256(sft_rows) }, { what = "held out", rows = #test, sha256 = card.rows_sha256(test) } },
  notes = { p.labels == "" and string.format("The experts are simulated: %d of them, each wrong in %g %% of cases.", p.experts, 100 * p.noise) or "Labels: " .. p.labels,
    "Prompt: " .. tostring(improved.why), "The panel shares the judge's rubric with the reward and adds a check of its own." },
})
