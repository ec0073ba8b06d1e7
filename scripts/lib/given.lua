--- The rows that a shipped recipe trains on: those of a file, or without one the embedded model's story problems.
-- A call takes the recipe's parameters (data, format, set, seed; see `hone run dpo --help`) and a share of the rows, so
-- that held-out rows are never trained on: given.pairs(p, 0, p.eval) are held out, given.pairs(p, p.eval, 1) trained on.
-- The story problems have parts of their own: whatever is held out comes from their part "test".

local hone = require "hone"
local core = require "hone.core"
local formats = require "hone.formats"
local params = require "hone.params"
local stories = require "stories"

local given = {}

local TRAIN, HELD_OUT = 2000, 200 -- story problems made

-- An answer that is wrong: its working goes astray in the last number, or it has none, as the embedded model answers often.
local function wrong(story, seed, i)
  local off = 1 + math.floor(hone.random(seed, "off", i) * 3)
  local right = math.tointeger(tonumber(story.answer))
  local answer = tostring(right >= off and hone.random(seed, "down", i) < 0.5 and right - off or right + off)
  if hone.random(seed, "bare", i) < 0.5 then return "Answer: " .. answer end
  return story.working:gsub("%d+$", answer) .. "\nAnswer: " .. answer
end

local function of_stories(p, held_out, make)
  local list = {}
  for i, story in ipairs(stories.list(p.seed, held_out and "test" or "train", held_out and HELD_OUT or TRAIN, held_out)) do
    list[i] = make(story, i)
  end
  return hone.rows(list)
end

-- Rows of the file as `convert` has them, or stories as `make` has them; `turn` then changes a row, if given. Which rows are held
-- out does not depend on it: a row that is turned round for training is no other row.
local function rows(p, from, to, convert, make, turn)
  turn = turn or function(row) return row end
  if not p.data or p.data == "" then return of_stories(p, from == 0 and to < 1, function(s, i) return turn(make(s, i)) end) end
  return hone.source(formats.source_of(p.data), { path = p.data }):map(convert):split { seed = p.seed, from = from, to = to }:map(turn)
end

--- A filter for rows of training: those that the policy can be trained on within p.max_tokens, so that batches are full.
function given.fits(p, policy)
  return function(row) return #policy:batch({ row }, { max_tokens = p.max_tokens, on_error = "skip" }) == 1 end
end

-- The words of a text in another order, drawn by what it says.
local function shuffled(text, seed)
  local words, n = {}, 0
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  for i = #words, 2, -1 do
    n = n + 1
    local k = 1 + math.floor(hone.random(seed, text, n) * i)
    words[i], words[k] = words[k], words[i]
  end
  return table.concat(words, " ")
end

--- Demonstrations: { prompt, completion }, or messages, or text. permute = true: the words of what is learnt in another
-- order (a control that must not learn).
function given.demonstrations(p, from, to, permute)
  local function made(row)
    if not row or not permute then return row end
    if row.messages then
      local messages = {}
      for i, m in ipairs(row.messages) do
        messages[i] = m.role == "assistant" and m.content and { role = m.role, content = shuffled(m.content, p.seed) } or m
      end
      row.messages = messages
    end
    if row.completion then row.completion = shuffled(row.completion, p.seed) end
    if row.text then row.text = shuffled(row.text, p.seed) end
    return row
  end
  return rows(p, from, to, function(r) return (formats.sft(r, p.set, p.format)) end, function(s)
    return { prompt = s.prompt, completion = stories.completion(s, true), answer = s.answer }
  end, made)
end

--- Pairs: { prompt, chosen, rejected }; swap = true: the other way round (a control that must not learn).
function given.pairs(p, from, to, swap)
  local function turned(row)
    if row and swap and row.label ~= nil then row.label = not row.label end
    if row and swap and row.chosen then row.chosen, row.rejected = row.rejected, row.chosen end
    return row
  end
  return rows(p, from, to, function(r) return (formats.preference(r, p.set, p.format)) end, function(s, i)
    return { prompt = s.prompt, chosen = stories.completion(s, true), rejected = wrong(s, p.seed, i) }
  end, turned)
end

-- The text of an answer that may be a list of messages.
local function said(answer)
  local last = type(answer) == "table" and (answer[#answer] or answer)
  return last and last.content or answer
end

--- Single answers with a label, { prompt, completion, label }; of a pair one of its answers, drawn by what it says.
-- swap = true: the labels the other way round (a control that must not learn).
function given.labelled(p, from, to, swap)
  local function one_of(row)
    if not row then return nil end
    local good, completion = row.label, row.completion
    if good == nil then
      good = hone.hash(said(row.chosen) .. "\0" .. said(row.rejected), p.seed) % 2 == 0
      completion = said(good and row.chosen or row.rejected)
    end
    return { prompt = row.prompt, messages = row.messages, completion = completion, label = good ~= (swap or false) }
  end
  return rows(p, from, to, function(r) return (formats.preference(r, p.set, p.format)) end, function(s, i)
    return { prompt = s.prompt, chosen = stories.completion(s, true), rejected = wrong(s, p.seed, i) }
  end, one_of)
end

--- Questions with a known answer: { prompt, answer, level } of the columns question (or prompt, problem) and answer (or
-- solution); of GSM8K's answers what stands behind ####.
function given.questions(p, from, to)
  return rows(p, from, to, function(r)
    local question, answer = r.question or r.prompt or r.problem, r.answer or r.solution
    if question == nil then error("no question in the row: field 'question' (or 'prompt', 'problem') is missing", 0) end
    if answer == nil then error("no answer in the row: field 'answer' (or 'solution') is missing", 0) end
    answer = tostring(answer)
    return { prompt = question .. (p.instruction or ""), answer = answer:match "####%s*(.+)$" or answer, level = r.level }
  end, function(s) return { prompt = s.prompt, answer = s.answer, working = s.working } end)
end

--- The questions by level, a list each: p.levels of them by the column level of a file, or story problems of three changes
-- and of four.
function given.levels(p)
  local out = {}
  for i = 1, p.levels do out[i] = {} end
  for row in given.questions(p, 0, 1):each() do
    local level = row.level or select(2, row.working:gsub("=", "")) - 2
    if math.type(level) ~= "integer" or level < 1 then error("a question's level is " .. tostring(level) .. ": a whole number from 1 is needed", 0) end
    table.insert(out[math.min(level, p.levels)], row)
  end
  for i, list in ipairs(out) do
    if #list == 0 then error("there are no questions of level " .. i .. " (set levels=)", 0) end
  end
  return out
end

--- The rewards of those questions: exact_match for story problems, math_answer for the rows of a file. With p.reward_model it
-- is that model's score, and the other is only measured; with p.overlong DAPO's punishment of long answers is added.
function given.rewards(p)
  local model = p.reward_model and p.reward_model ~= "" and p.reward_model
  local name, settings = "math_answer", { id = "right", reference = "answer", weight = model and 0 or 1 }
  if not p.data or p.data == "" then name, settings.prefix = "exact_match", "Answer:" end
  local out = { hone.reward(name, settings) }
  if model then out[2] = hone.reward("reward_model", { id = "score", model = model }) end
  if p.overlong and p.overlong > 0 then
    local cache = p.overlong < 1 and p.overlong * p.max_tokens or p.overlong
    out[#out + 1] = hone.reward("soft_overlong", { id = "overlong", max_length = p.max_tokens, cache = cache })
  end
  return out
end

--- DAPO's dynamic sampling: groups whose samples all have the same of reward `id` say nothing, whatever else was added to it, so
-- their advantages are 0 (policy:update leaves such groups out with skip_equal = true). Returns how many are left.
function given.mixed(rollout, id, advantage)
  if rollout.run.dry_run then return #rollout:groups() end
  local found = 0
  rollout:advantages(advantage):advantages(function(groups)
    local out = {}
    for i, group in ipairs(groups) do
      local lo, hi
      for _, s in ipairs(group) do
        local score = s.outcomes[id].score
        if score then lo, hi = math.min(lo or score, score), math.max(hi or score, score) end
      end
      out[i] = {}
      for j, s in ipairs(group) do out[i][j] = lo ~= hi and s.advantage or 0 end
      if lo ~= hi then found = found + 1 end
    end
    return out
  end)
  return found
end

-- What a recipe sets of each optimizer besides lr; `lr`: what its default lr is times, since the recipes' are AdamW's.
local optimizers = {
  adamw = {}, adam8bit = {}, lion = { lr = 0.5 }, muon = { lr = 3 }, adafactor = { relative_step = false, scale_parameter = false },
  sgd = { lr = 300, momentum = 0.9 }, schedule_free = { lr = 2 },
}

--- The parameter `optimizer` of the recipes.
given.optimizers = { "adamw", "of the updates; the default lr is fitted to it", choices = {
  "adamw", "adam8bit", "lion", "muon", "adafactor", "sgd", "schedule_free" } }

--- The optimizer that p.optimizer names, with p.lr, or where that is not given what of it suits this optimizer. settings: others.
function given.optimizer(p, settings)
  local out = { p.optimizer, weight_decay = 0 }
  for _, t in ipairs { optimizers[p.optimizer], settings or {} } do
    for k, v in pairs(t) do out[k] = v end
  end
  out.lr = params.given.lr and p.lr or p.lr * (optimizers[p.optimizer].lr or 1)
  return out
end

--- The schedule of a recipe's updates; with schedule_free its warm-up alone.
function given.schedule(p, schedule)
  return p.optimizer == "schedule_free" and { "constant", warmup = schedule.warmup } or schedule
end

--- The examples of one packed update: those of the batch, and of more batches of `rows` until p.pack tokens are there. With 0 it is
-- the batch as it is, which lies behind each other without padding all the same, however long its rows are.
function given.packed(p, policy, batch, rows)
  if p.pack == 0 then return batch end
  local out, tokens = {}, 0
  while batch do
    local before = #out
    for _, e in ipairs(policy:batch(batch, { max_tokens = p.max_tokens, on_error = "skip" })) do
      out[#out + 1] = e
      tokens = tokens + core.example_info(e).tokens
    end
    if tokens >= p.pack or #out == before then break end
    batch = rows:next()
  end
  return out
end

--- Questions that are never trained on: story problems, or test_rows rows of the file p.test; nil where nothing is held out.
function given.held_out(p)
  if not p.data or p.data == "" then return given.questions(p, 0, 0):list() end
  if not p.test or p.test == "" then return nil end
  return given.questions({ data = p.test, instruction = p.instruction }, 0, 1):take(p.test_rows):list()
end

--- Says how many held-out questions the policy answers right, greedily: story problems, or test_rows rows of the file p.test.
-- max_tokens (44): of an answer. Returns the figure, { mean, lo, hi, n, ... }, or nil where nothing is held out.
function given.answers(p, run, policy, when, rewards, max_tokens)
  local list = given.held_out(p)
  if not list then return nil end
  rewards = rewards or given.rewards(p)
  local r = policy:eval { list, rewards = rewards, max_tokens = max_tokens or 44 }
  run:say("%s: %.1f %% [%.1f, %.1f] of %d held-out questions answered right, %.0f tokens each", when, 100 * r.right.mean,
    100 * r.right.lo, 100 * r.right.hi, r.n, r.length)
  for i = 2, #rewards do
    local other = r[rewards[i].id]
    run:say("%s: %s %.3f [%.3f, %.3f]", when, rewards[i].id, other.mean, other.lo, other.hi)
  end
  return r.right, r
end

-- The story problems' tasks: what is asked at the end, and how it is answered.
local asked = {
  { name = "answer", ask = nil, prefix = "Answer:", text = function(s) return stories.completion(s, true) end, answer = function(s) return s.answer end },
  { name = "result", ask = "Say the result.", prefix = "Result:", text = function(s) return s.working .. "\nResult: " .. s.answer end,
    answer = function(s) return s.answer end },
  { name = "start", ask = "What was it at first?", prefix = "Start:", answer = function(s) return s.working:match "^%d+" end },
}

local function task_rows(p, task, held_out)
  local list = {}
  for i, s in ipairs(stories.list(p.seed, held_out and "test" or "train", held_out and HELD_OUT or TRAIN, held_out)) do
    local answer = task.answer(s)
    list[i] = { prompt = task.ask and s.prompt:gsub("[^.]*%?\n$", " " .. task.ask .. "\n") or s.prompt, answer = answer,
      completion = task.text and task.text(s) or task.prefix .. " " .. answer }
  end
  return list
end

--- Tasks that are learnt one after another: { name, rows, test, reward } each; the story problems' three, or those of the column task of
-- the files p.data and p.test, where an answer is right when it is the row's.
function given.tasks(p)
  local out, at = {}, {}
  if p.data == "" then
    for i, task in ipairs(asked) do
      out[i] = { name = task.name, rows = task_rows(p, task), test = task_rows(p, task, true),
        reward = hone.reward("exact_match", { id = task.name, prefix = task.prefix, reference = "answer" }) }
    end
    return out
  end
  if p.test == "" then error("test=FILE is missing: the tasks are measured on held-out rows", 0) end
  local function take(path, which)
    for r in hone.source(formats.source_of(path), { path = path }):each() do
      if r.task == nil or r.question == nil or r.answer == nil then error(path .. ": a row needs question, answer and task", 0) end
      local t = out[at[r.task]]
      if not t then
        t = { name = tostring(r.task), rows = {}, test = {}, reward = hone.reward("exact_match", { id = tostring(r.task), reference = "answer" }) }
        out[#out + 1], at[r.task] = t, #out + 1
      end
      table.insert(t[which], { prompt = r.question .. p.instruction, completion = tostring(r.answer), answer = tostring(r.answer) })
    end
  end
  take(p.data, "rows")
  take(p.test, "test")
  for _, t in ipairs(out) do
    if #t.rows == 0 or #t.test == 0 then error("task " .. t.name .. " has no rows to " .. (#t.rows == 0 and "train on" or "measure with"), 0) end
  end
  return out
end

--- The first earlier task that after task k is below the interval it had when it was learnt; nil when none is.
function given.forgotten(matrix, k)
  for j = 1, k - 1 do
    if matrix[k][j].mean < matrix[j][j].lo then return j end
  end
end

--- The forgetting matrix as a table: a row for each task that was learnt, a column for each that was measured.
function given.matrix_shown(tasks, matrix)
  local shown = { columns = { "after" }, rows = {} }
  for j, t in ipairs(tasks) do shown.columns[j + 1] = t.name end
  for k, row in ipairs(matrix) do
    shown.rows[k] = { tasks[k].name }
    for j, f in ipairs(row) do shown.rows[k][j + 1] = string.format("%.3f [%.3f, %.3f]", f.mean, f.lo, f.hi) end
  end
  return shown
end

-- Of each held-out question whether it was answered right, 1 or 0; false without an answer. r: as given.answers has it, or nil.
local function right_rows(r)
  local out = {}
  for i = 1, r and r.n or 0 do out[i] = false end
  for _, s in ipairs(r and r.samples or {}) do
    local o = s.outcomes.right
    if o and o.status == "score" then out[s.row] = o.score >= 1 and 1 or 0 end
  end
  return out
end

--- Says how many more questions are answered right than before, question by question; and behind given.teacher which part of
-- the teacher's lead was made up. before, after: the second result of given.answers.
function given.gained(run, before, after)
  local a, b, best = right_rows(before), right_rows(after), run.state["teacher's answers"]
  if #a < 2 or #a ~= #b or run.dry_run then return end
  run:say("after: the same questions: answered right changed by %s", hone.stats.text(hone.stats.difference(b, a)))
  if best and #best == #a then
    local rows_of = {}
    for i, x in ipairs(a) do
      if x and b[i] and best[i] then rows_of[#rows_of + 1] = { gain = b[i] - x, lead = best[i] - x } end
    end
    local part = hone.stats.bootstrap(rows_of, function(list)
      local gain, lead = 0, 0
      for _, x in ipairs(list) do gain, lead = gain + x.gain, lead + x.lead end
      return lead > 0 and gain / lead or 0
    end, { seed = run.seed })
    run:say("after: of the teacher's lead %s is made up", hone.stats.text(part))
  end
end

--- The teacher of a distillation: the model p.teacher, or, for story problems, the student after an SFT of its own, in a stage that a
-- resumed run skips. Its answers to held-out questions are said. p.permute: it learns from shuffled words.
function given.teacher(p, run)
  if p.teacher ~= "" then
    local teacher = run:policy { name = "teacher", model = p.teacher }
    run.state["teacher's answers"] = right_rows(select(2, given.answers(p, run, teacher, "teacher", nil, p.max_tokens)))
    return teacher
  end
  if p.data ~= "" then error("teacher=MODEL is missing: only story problems have a teacher of their own", 0) end
  local teacher = run:policy { name = "teacher", model = p.model, optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
  run:stage("teacher", function()
    for _, batch in run:steps(100, given.demonstrations(p, 0, 1, p.permute):shuffle(run.seed):epochs():batches(8)) do
      teacher:update { batch, objective = "sft", schedule = { "cosine", warmup = 5, total = 100, min = 0.1 } }
    end
    run.state["teacher's answers"] = right_rows(select(2, given.answers(p, run, teacher, "teacher", nil, p.max_tokens)))
  end)
  return teacher
end

-- What a policy makes of each held-out example, the sum of log-probs (or their mean a token): of a pair's chosen answer beyond
-- its rejected one, of a single answer by itself.
local function worth(policy, batch, mean, options)
  local out = {}
  for i, answers in ipairs(policy:logprobs(batch, options)) do
    local of = {}
    for k, tokens in ipairs(answers) do
      local sum = 0
      for _, x in ipairs(tokens) do sum = sum + x end
      of[k] = mean and sum / math.max(#tokens, 1) or sum
    end
    out[i] = of[1] - (of[2] or 0)
  end
  return out
end

-- Which of the margins are right, as 1 and 0.
local function right_ones(margins)
  local out = {}
  for i, x in ipairs(margins) do out[i] = x > 0 and 1 or 0 end
  return out
end

--- Says how often the policy prefers the chosen of held-out pairs to their rejected ones: by its change from the
-- reference (a policy, or true: the adapter off; margins are 0.1 times sums of log-probs), without one by mean log-probs
-- (2 times; then also what changed, pair by pair). Of rows with a label it says how often a good answer's value is above a bad
-- one's. For story problems it also says how many it answers right. Returns both figures.
function given.prefers(p, run, policy, when, reference)
  if p.eval == 0 then return nil end
  if reference and when == "before" then
    run:say("%s: as the reference", when)
    return nil, given.answers(p, run, policy, when)
  end
  local batch, labels = {}, {}
  for row in given.pairs(p, 0, p.eval):each() do
    local made = policy:batch({ row }, { max_tokens = p.max_tokens, on_error = "skip" })
    if made[1] then
      batch[#batch + 1] = made[1]
      if row.label ~= nil then labels[#batch] = row.label and 1 or 0 end
    end
  end
  if #batch == 0 then error("held-out rows: none fits (max_tokens), or none is a pair or has a label", 0) end
  local margins = worth(policy, batch, not reference)
  local base = reference and worth(type(reference) == "table" and reference or policy, batch, false, { reference = reference == true })
  for i, x in ipairs(margins) do margins[i] = base and 0.1 * (x - base[i]) or 2 * x end
  local right
  if labels[1] then
    right = hone.stats.pairwise_accuracy(margins, labels, { ties = "half" })
    run:say("%s: held-out answers: good above bad %s", when, hone.stats.text(right))
    return right, given.answers(p, run, policy, when)
  end
  right = hone.stats.share(right_ones(margins))
  run:say("%s: held-out pairs: accuracy %s, margin %s", when, tostring(right), hone.stats.text(hone.stats.mean(margins)))
  local was = run.state["held-out margins"]
  if not base and when == "before" then
    run.state["held-out margins"] = margins
  elseif not base and was then
    local grown = {}
    for i, x in ipairs(margins) do grown[i] = x - was[i] end
    run:say("%s: the same pairs: margin grew in %s, changed by %s; accuracy by %s", when, tostring(hone.stats.share(right_ones(grown))),
      hone.stats.text(hone.stats.difference(margins, was)), hone.stats.text(hone.stats.difference(right_ones(margins), right_ones(was))))
  end
  return right, given.answers(p, run, policy, when)
end

--- Says how often a reward model scores the chosen of held-out pairs (eval_pairs of them) above their rejected ones.
function given.scores(p, run, policy, when)
  if p.eval == 0 then return nil end
  local list = given.pairs(p, 0, p.eval):take(p.eval_pairs):list()
  local batch = policy:batch(list, { scored = true, max_tokens = p.max_tokens, on_error = "skip" })
  local _, m = policy:loss { batch, objective = "rm" }
  local right = hone.stats.wilson(math.floor((m["rewards/accuracy"] or 0) * #batch + 0.5), #batch) -- a plan computes nothing
  run:say("%s: held-out pairs: accuracy %s, margin %.4f", when, tostring(right), m["rewards/margin"] or 0)
  return right
end

return given
