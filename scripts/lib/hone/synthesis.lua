--- Synthesis: new rows from any model and judge, each with where it came from, or with why it was left out.
--   rows, told = hone.synthesis.self_instruct(run, { seeds =, model =, count = })     new tasks from examples, and their answers
--   rows, told = hone.synthesis.rewrite(run, { rows =, model =, styles = { "deepen" } })     each row's text written anew
--   rows, told = hone.synthesis.rejection_sampling(run, { rows =, model =, n = 8, judge = })     answers that are good enough
--   rows, told = hone.synthesis.preference_pairs(run, { rows =, models = { a, b }, judge =, margin = })     chosen and rejected
-- A model is a policy, a function(prompts, sampling) that returns a list of texts for each, { id =, generate = function }, or a judge at
-- an endpoint, whose reasoning is what it wrote. Of what a model writes rows stay that are new (ROUGE-L below `novelty` against
-- all there is: core/curate/novelty.h), no leak of `against` (core/curate/leak.h), and good by the method.
-- Files, in the run directory's synthesis/: NAME.made.jsonl, a line for everything that was made, with parents, sample, scores; NAME.jsonl, the
-- rows that stayed, with NAME.jsonl.lineage: each row's line of NAME.made.jsonl, and as the step the models' checksums, the prompts'
-- versions, the settings; NAME.report.jsonl: line and reason of every other. Steps of hone.curate and `hone data` carry that on.
-- Key idea: what a model said is written down in parts (NAME.parts/), and everything else is a function of it and the seed; so a run
-- that is resumed asks models for nothing twice (a judge about one row, for the gate) and comes to the same bytes.
-- Sources: Wang et al. 2023 (self-instruct), Xu et al. 2023 (Evol-Instruct), Yuan et al. 2023 (rejection sampling).

local components = require "hone.components"
local choose = require "hone.choose"
local core = require "hone.core"
local curate = require "hone.curate"
local judging = require "hone.judging"
local json = require "hone.json"
local plan = require "hone.plan"
local prompts = require "hone.prompt"
local rows = require "hone.rows"

local synthesis = {}

local function fail(...)
  error(string.format(...), 0)
end

local common = { "name", "model", "novelty", "against", "against_columns", "ngram", "min_words", "share", "keep", "sampling", "seed", "part" }

local function options(call, run, o, known)
  if type(run) ~= "table" or not run.path then fail("%s: the run is wanted first: %s(run, { ... })", call, call) end
  if type(o) ~= "table" then fail("%s: a table of settings is wanted", call) end
  local names = table.move(common, 1, #common, #known + 1, table.move(known, 1, #known, 1, {}))
  local is = {}
  for _, k in ipairs(names) do is[k] = true end
  for k in pairs(o) do
    if not is[k] then
      local close = core.closest(tostring(k), names)
      fail("%s: there is no setting \"%s\"%s", call, tostring(k), close and " (did you mean \"" .. close .. "\"?)" or "")
    end
  end
  if o.novelty ~= nil and o.novelty ~= false and not (type(o.novelty) == "number" and o.novelty > 0 and o.novelty <= 1) then
    fail("%s: novelty is a ROUGE-L above 0 and at most 1, or false", call)
  end
  for _, k in ipairs { "count", "n", "part", "examples", "tries", "most" } do
    if o[k] ~= nil and (math.type(o[k]) ~= "integer" or o[k] < 1) then fail("%s: %s is a whole number from 1 on", call, k) end
  end
  local own = {} -- the caller's table stays as it is
  for k, v in pairs(o) do own[k] = v end
  return own
end

local function list_of(call, what, from)
  local out = from
  if type(from) == "string" then out = rows.source("auto", { path = from }):list() end
  if getmetatable(from) == rows.Rows then out = from:list() end
  if type(out) ~= "table" or #out == 0 then fail("%s: %s is a list of rows, rows or a path, with a row at least", call, what) end
  return out
end

-- ---- models --------------------------------------------------------------------------------------------------------

--- What writes: { ask = function(prompts, sampling) -> lists of { text, finish }, about = what it is }.
local function model_of(call, m)
  local function texts(list, n)
    local out = {}
    if type(list) ~= "table" or #list ~= n then fail("%s: the model gave %s for %d prompts", call, type(list) == "table" and #list .. " answers" or "a " .. type(list), n) end
    for i, answers in ipairs(list) do
      out[i] = {}
      for k, a in ipairs(type(answers) == "table" and answers or { answers }) do
        if type(a) == "table" then a = { text = a.text, finish = a.finish } else a = { text = a } end
        if type(a.text) ~= "string" then fail("%s: an answer of the model is a %s, not a text", call, type(a.text)) end
        if not utf8.len(a.text) then a = { text = "", broken = true } end
        out[i][k] = { text = a.text, finish = a.finish, broken = a.broken }
      end
    end
    return out
  end
  local function written(id, fn)
    if type(fn) ~= "function" then fail("%s: a model with generate = function(prompts, sampling) is wanted", call) end
    local file = core.file_of(fn)
    return { ask = function(list, c) return texts(fn(list, c), #list) end,
      about = { id = id, code = file and core.file_sha256(file) or nil } }
  end
  if type(m) == "function" then return written("function", m) end
  if components.is(m) then
    return { judge = m, about = { judge = m.id, spec = judging.hash(m) }, ask = function(list, c)
      local items, out = {}, {}
      for i, text in ipairs(list) do
        for k = 1, c.n or 1 do
          local said = type(text) == "table" and text or nil
          items[#items + 1] = judging.item { id = c.first_sample + (i - 1) * (c.n or 1) + k - 1, prompt = not said and text or nil, messages = said, candidates = { "" } }
        end
      end
      for n, v in ipairs(judging.ask(m, items)) do
        local i = (n - 1) // (c.n or 1) + 1
        out[i] = out[i] or {}
        table.insert(out[i], v.reasoning or "")
      end
      return texts(out, #list)
    end }
  end
  if type(m) == "table" and type(m.info) == "function" and m.ud then
    local info = m:info()
    return { about = { model = info.model, checksum = info.checksum, version = info.version, storage = info.storage },
      ask = function(list, c) return texts(m:generate(list, c), #list) end }
  end
  if type(m) == "table" then return written(tostring(m.id or "model"), m.generate) end
  fail("%s: model is a policy, a function, { id =, generate = } or a judge, not a %s", call, type(m))
end

-- A number for each row, of a judge or a reward, false where there is none; and what it is.
local function scorer_of(call, o)
  local by = o.judge or o.reward
  if o.judge and o.reward then fail("%s: judge and reward are two ways to the same: one of them is wanted", call) end
  if components.is(by) and by.iface == "hone.judge/1" then
    return function(list)
      local items, out = {}, {}
      for i, row in ipairs(list) do
        items[i] = judging.item { id = i - 1, prompt = row.prompt, messages = row.messages, candidates = { row.completion }, columns = row,
          reference = o.reference and row[o.reference] or nil }
      end
      for i, v in ipairs(judging.ask(by, items)) do out[i] = v.status == "ok" and v.score or false end
      return out
    end, { judge = judging.hash(by) }
  end
  if type(by) == "table" and by.reward then
    local handle = core.interface(by[1], "hone.reward/1")
    return function(list)
      local batch, out = {}, {}
      for i, row in ipairs(list) do batch[i] = { id = i - 1, prompt = row.prompt or "", completion = row.completion, columns = row } end
      for i, v in ipairs(#batch > 0 and handle:score(batch) or {}) do out[i] = v.status == 1 and v.score or false end
      return out
    end, { reward = by.id, key = core.judge_key(by[1]) }
  end
  fail("%s: judge = a judge or reward = a reward is missing", call)
end

-- ---- a job -----------------------------------------------------------------------------------------------------------

local function clipped(text)
  return #text <= 160 and text or text:sub(1, (utf8.offset(text, 0, 160) or 160) - 1)
end

-- What a method works in: `about` is what decides its bytes.
local function open(call, run, method, o, about)
  local job = { run = run, name = o.name or method, method = method, all = {}, seen = {}, shown = {}, said = 0 }
  if type(job.name) ~= "string" or job.name:find "[/%c]" or job.name:find "^%." then fail("%s: name is that of a file, without its folder", call) end
  about.method, about.seed = method, o.seed or run.seed
  for k, v in pairs(o.sampling or {}) do
    about.sampling = about.sampling or {}
    about.sampling[k] = type(v) == "function" and "a function" or v
  end
  about.novelty = o.novelty or false
  job.about, job.limit = about, o.novelty
  job.seed = core.hash(job.name, o.seed or run.seed) & 0x7fffffffffff
  job.new = core.novelty()
  job.places = {}
  if o.against ~= nil then
    local was = curate.folder
    curate.folder = "synthesis/"
    local paths = curate.paths(call, o.against, "synthesis/" .. job.name .. ".against.jsonl")
    curate.folder = was
    about.against, about.ngram, about.min_words, about.share = {}, o.ngram or 13, o.min_words or 5, o.share or 0
    for i, path in ipairs(paths) do about.against[i] = { path = path:match "[^/]+$", sha256 = core.file_sha256(path) } end
    job.leaks = core.leaks { against = paths, against_columns = o.against_columns, ngram = o.ngram, min_words = o.min_words, share = o.share }
  end
  job.user = o.keep
  if o.keep ~= nil and type(o.keep) ~= "function" then fail("%s: keep = function(row) is wanted; it returns true, or false and why", call) end
  job.key = core.sha256(core.canonical(about))
  return job
end

-- What models say in one part: fn() -> a list of plain tables; kept in a file, which a resumed run reads. once: asks a judge of the
-- part about one row; a run that reads what the judge said does that once, so that the gate sees who was asked (core/judge/warrant.h).
local function part(job, fn, once)
  job.said = job.said + 1
  local name = string.format("synthesis/%s.parts/%05d.json", job.name, job.said)
  local ok, text = pcall(core.read_file, core.run_path(name))
  local was = ok and json.decode(text)
  if was and was.key == job.key then
    if once and not job.shown[once.who] then
      job.shown[once.who] = true
      once.ask()
    end
    return was.said
  end
  local said = fn()
  text = json.encode { key = job.key, said = said }
  core.run_write(name, text)
  if core.interrupted() then core.raise_interrupted(job.run.step) end
  return json.decode(text).said -- as a resumed run will read it
end

local function sampling(job, o, first, n)
  local c = { max_tokens = 256, temperature = 1.0 }
  for k, v in pairs(o.sampling or {}) do c[k] = v end
  c.seed, c.first_sample, c.n = job.seed, first, n
  return c
end

-- A part that a model says.
local function spoken(job, o, model, texts, first, n)
  return part(job, function() return model.ask(texts, sampling(job, o, first, n)) end,
    model.judge and { who = model.judge.id, ask = function() model.ask({ texts[1] }, sampling(job, o, first, 1)) end } or nil)
end

-- A text of the pool that new ones are compared with; `what` it is.
local function there(job, text, what)
  if not utf8.len(text) then return end
  core.novelty_add(job.new, text)
  job.places[#job.places + 1] = what
end

local function leaked(job, row)
  if not job.leaks then return nil end
  local path, line = core.leaks_look(job.leaks, table.concat({ row.prompt or "", row.completion or row.chosen or "", row.rejected or "" }, "\n"))
  if path then return "leak", { file = path:match "[^/]+$", line = line } end
end

-- What the recipe's own `keep` has against a whole row.
local function users(job, row)
  if not job.user then return nil end
  local ok, why = job.user(row)
  if not ok then return tostring(why or "keep") end
end

-- Why a row does not stay: nil, or a reason and more of it. scope: where its text must be new (all that were made so far).
local function verdict(job, row, text, scope)
  if not utf8.len(text) then return "no UTF-8" end
  if not text:find "%S" then return "empty" end
  local why, more = leaked(job, row)
  if why then return why, more end
  local same = (scope or "") .. "\0" .. text
  if job.seen[same] then return "same", { as = job.seen[same] } end
  if job.limit and not scope then
    local score, which = core.novelty_look(job.new, text, job.limit)
    if score then return "alike", { rouge_l = score, as = job.places[which] } end
  end
  return nil
end

-- What was made, in order; `reason` nil: it stays, as `row`.
local function made(job, record, reason, more)
  record.n = #job.all + 1
  record.reason, record.more, record.kept = reason, more, reason == nil
  job.all[record.n] = record
  return record
end

local function kept_text(job, record, text, scope)
  job.seen[(scope or "") .. "\0" .. text] = "made " .. record.n
  if job.limit and not scope then there(job, text, "made " .. record.n) end
end

local function close(job)
  local lines = {}
  for i, r in ipairs(job.all) do lines[i] = r end
  if #lines == 0 then fail("hone.synthesis.%s: nothing was made", job.method) end
  local path = curate.write("synthesis/" .. job.name .. ".made.jsonl", curate.text(lines))
  local was = curate.folder
  curate.folder = "synthesis/"
  local ok, out, told = pcall(curate.keep, path, function(_, n)
    local r = job.all[n]
    if r.kept then return r.row end
    return false, r.reason
  end, { name = job.name, step = "synthesis." .. job.method, settings = job.about, of = function(n) return job.all[n].more end })
  curate.folder = was
  if not ok then error(out, 0) end
  told.made, told.rows = told.rows, nil
  return out, told
end

local function copy(row, but)
  local out = {}
  for k, v in pairs(row) do
    if not but[k] then out[k] = v end
  end
  return out
end

local function name_of(row, i)
  return row.id ~= nil and tostring(row.id) or "row " .. i
end

local function versions(...)
  local out = {}
  for _, p in ipairs { ... } do out[#out + 1] = p.version end
  return out
end

-- A prompt for a row: through a versioned prompt where there is one, else as it is.
local function asked(prompt, row)
  if prompt then
    local r = prompt:apply(row)
    return r.messages or r.prompt
  end
  return row.messages or row.prompt
end

-- In a plan: one call of each model, so that it is counted.
local function planned(models, list, o, out)
  for _, m in ipairs(models) do
    if m.about.checksum then pcall(m.ask, list, { max_tokens = (o.sampling or {}).max_tokens or 256, n = o.n or 1, temperature = 1.0 }) end
  end
  return rows.list(out), setmetatable({ dropped = 0, reasons = {} }, { __index = function() return 0 end })
end

-- ---- self-instruct ---------------------------------------------------------------------------------------------------

local task_prompt = { id = "self-instruct", template = "Come up with a series of tasks, each unlike the others.\n\n{{examples}}Task {{next}}:" }

local function words_in(text)
  return select(2, text:gsub("%S+", ""))
end

-- The tasks in what a model wrote behind "Task 9:"; the last is left out when it was cut.
local function read_tasks(text, finish)
  local out = {}
  text = ("\n" .. text):gsub("\nTask %d+:", "\0")
  for piece in text:gmatch "[^%z]+" do
    piece = piece:match "^%s*(.-)%s*$"
    if piece ~= "" then out[#out + 1] = piece end
  end
  if finish == "length" then out[#out] = nil end
  return out
end

local unfit = { "image", "images", "picture", "pictures", "graph", "graphs", "file", "files", "map", "maps", "draw", "plot", "video", "audio", "flowchart", "diagram" }

-- The paper's filters of instructions; nil or why not.
local function unfit_task(text, o)
  local n = words_in(text)
  if n < (o.least_words or 4) then return "too short" end
  if n > (o.most_words or 150) then return "too long" end
  if text:find "^%p" then return "begins with a mark" end
  for _, w in ipairs(o.unfit or unfit) do
    if text:lower():find("%f[%w]" .. w:gsub("%p", "%%%0") .. "%f[%W]") then return "speaks of: " .. w end
  end
end

--- New tasks after the example of those there are (8 a prompt, of them up to 2 that were made: examples, from_made), then their
-- answers. seeds: rows with prompt (and completion); count: rows wanted; tries: prompts at most (10 count). novelty (0.7). prompt, answer: a
-- hone.prompt with {{examples}} (and {{next}}), and one with {{prompt}}; show(row, i) and read(text, finish) write an example and
-- read the tasks; answerer: another model; least_words (4), most_words (150), unfit: words. Rows have prompt and completion.
function synthesis.self_instruct(run, o)
  local call = "hone.synthesis.self_instruct"
  o = options(call, run, o, { "seeds", "count", "tries", "examples", "from_made", "prompt", "answer", "answerer", "show", "read", "least_words", "most_words", "unfit" })
  if o.novelty == nil then o.novelty = 0.7 end
  local seeds = list_of(call, "seeds", o.seeds)
  for i, s in ipairs(seeds) do
    if type(s.prompt) ~= "string" then fail("%s: seed %d has no prompt", call, i) end
  end
  local writer = model_of(call, o.model)
  local answerer = o.answerer and model_of(call, o.answerer) or writer
  local ask, answer = prompts.prompt(o.prompt or task_prompt), o.answer and prompts.prompt(o.answer)
  if plan.on() then return planned({ writer, answerer }, { seeds[1].prompt }, o, seeds) end
  local count, size = o.count or 100, o.examples or 8
  local about = { writer = writer.about, answerer = answerer.about, prompts = versions(ask, answer), count = count, examples = size, from_made = o.from_made,
    seeds = core.sha256(curate.text(seeds)), least_words = o.least_words, most_words = o.most_words }
  local job = open(call, run, "self_instruct", o, about)
  local show = o.show or function(row, i) return "Task " .. i .. ": " .. row.prompt .. "\n" end
  local pool, stayed, first, answered = {}, 0, 0, 0
  for i, s in ipairs(seeds) do
    there(job, s.prompt, "seed " .. name_of(s, i))
    job.seen["\0" .. s.prompt] = "seed " .. name_of(s, i)
  end
  -- n of a list, none twice, by the seed and the prompt's number
  local function drawn(list, n, what, number)
    local at, out = {}, {}
    for i = 1, #list do at[i] = i end
    for k = 1, math.min(n, #list) do
      local j = k + math.floor(core.random(job.seed, what, number, 0, k) * (#list - k + 1))
      at[k], at[j] = at[j], at[k]
      out[k] = at[k]
    end
    return out
  end
  while stayed < count and first < (o.tries or 10 * count) do
    local texts, parents = {}, {}
    for k = 1, o.part or 8 do
      local number, examples, of = first + k, {}, {}
      local mine = drawn(pool, math.min(o.from_made or 2, size - 1), "made", number)
      for _, i in ipairs(drawn(seeds, size - #mine, "seeds", number)) do
        examples[#examples + 1], of[#of + 1] = seeds[i], "seed " .. name_of(seeds[i], i)
      end
      for _, i in ipairs(mine) do examples[#examples + 1], of[#of + 1] = pool[i].row, "made " .. pool[i].n end
      local shown = {}
      for i, e in ipairs(examples) do shown[i] = show(e, i) end
      texts[k], parents[k] = asked(ask, { examples = table.concat(shown), next = #examples + 1, prompt = "" }), of
    end
    local said = spoken(job, o, writer, texts, first, 1)
    local fresh = {}
    for k, answers in ipairs(said) do
      for s, a in ipairs(answers) do
        for place, task in ipairs(a.broken and { "" } or (o.read or read_tasks)(a.text, a.finish)) do
          local record = { parents = parents[k], sample = first + k, place = place, task = clipped(task) }
          local why, more = verdict(job, { prompt = task }, task)
          why = a.broken and "no UTF-8" or why or unfit_task(task, o)
          if why then
            made(job, record, why, more)
          else
            made(job, record)
            kept_text(job, record, task)
            record.full = task
            fresh[#fresh + 1] = record
          end
        end
      end
    end
    first = first + #texts
    if #fresh > 0 then
      for i, r in ipairs(fresh) do texts[i] = asked(answer, { prompt = r.full }) end
      texts = table.move(texts, 1, #fresh, 1, {})
      local replies = spoken(job, o, answerer, texts, (1 << 32) + answered, 1)
      answered = answered + #fresh
      for i, r in ipairs(fresh) do
        local reply = replies[i][1] or { text = "" }
        local row = { prompt = r.full, completion = reply.text }
        local why, more
        if reply.broken then
          why = "answer: no UTF-8"
        elseif not reply.text:find "%S" then
          why = "answer: empty"
        elseif reply.text == r.full then
          why = "answer: the task itself"
        elseif stayed >= count then
          why = "more than wanted"
        else
          why, more = leaked(job, row)
        end
        why = why or users(job, row)
        r.reason, r.more, r.kept, r.full = why, more, why == nil, nil
        if not why then
          stayed, r.row = stayed + 1, row
          pool[#pool + 1] = r
        end
      end
    end
  end
  return close(job)
end

-- ---- rewriting -------------------------------------------------------------------------------------------------------

-- What a style asks for; same: the answer of the row still holds.
local styles = {
  deepen = { "Make it ask for more: a deeper question about the same thing." },
  constrain = { "Add one condition or requirement to it." },
  concretise = { "Replace what is general in it by something particular." },
  reason = { "Change it so that several steps of reasoning are needed to answer." },
  broaden = { "Write a new task of the same field, about something rarer, of the same length." },
  rephrase = { "Say exactly the same in other words.", same = true },
  simplify = { "Say the same in short and simple words.", same = true },
}

local function style_of(call, s)
  if type(s) == "string" then
    if not styles[s] then fail("%s: there is no style \"%s\" (%s), or give a hone.prompt", call, s, "broaden, concretise, constrain, deepen, reason, rephrase, simplify") end
    return { id = s, same = styles[s].same, prompt = prompts.prompt { id = "rewrite-" .. s, template = "Rewrite the task below. " .. styles[s][1]
      .. " Write the new task alone, without an answer.\n\nTask:\n{{text}}\n\nNew task:\n" } }
  end
  local p = prompts.prompt(s.prompt or s)
  return { id = p.id, same = not prompts.is(s) and s.same or false, prompt = p }
end

--- Each row's `column` ("prompt") written anew under each of `styles` (names, hone.prompts with {{text}}, or { prompt =, same = true }:
-- the row's answer still holds). answers: "ask" the model for new ones (where the style changes the task), "keep" the row's, or "none".
-- novelty (0.95) against the rows and all that were made; growth (4): longer than so many times the row's words and 30 is left out.
function synthesis.rewrite(run, o)
  local call = "hone.synthesis.rewrite"
  o = options(call, run, o, { "rows", "styles", "column", "answers", "answer", "answerer", "growth" })
  if o.novelty == nil then o.novelty = 0.95 end
  local list, column = list_of(call, "rows", o.rows), o.column or "prompt"
  for i, row in ipairs(list) do
    if type(row[column]) ~= "string" then fail("%s: row %d has no text in the column %s", call, i, column) end
  end
  local writer = model_of(call, o.model)
  local answerer = o.answerer and model_of(call, o.answerer) or writer
  local answer, how = o.answer and prompts.prompt(o.answer), {}
  for i, s in ipairs(type(o.styles) == "table" and #o.styles > 0 and o.styles or { o.styles or "rephrase" }) do how[i] = style_of(call, s) end
  if o.answers ~= nil and o.answers ~= "ask" and o.answers ~= "keep" and o.answers ~= "none" then fail("%s: answers is \"ask\", \"keep\" or \"none\"", call) end
  if plan.on() then return planned({ writer, answerer }, { list[1][column] }, o, list) end
  local of_styles = {}
  for i, s in ipairs(how) do of_styles[i] = s.prompt.version end
  local job = open(call, run, "rewrite", o, { writer = writer.about, answerer = answerer.about, styles = of_styles, answers = o.answers, column = column, growth = o.growth,
    prompts = versions(answer), rows = core.sha256(curate.text(list)) })
  for i, row in ipairs(list) do
    if job.limit then there(job, row[column], name_of(row, i)) end
    job.seen["\0" .. row[column]] = name_of(row, i)
  end
  local size = o.part or 32
  for from = 1, #list * #how, size do
    local texts, todo, fresh = {}, {}, {}
    for k = from, math.min(from + size - 1, #list * #how) do
      local i, style = (k - 1) // #how + 1, how[(k - 1) % #how + 1]
      todo[#todo + 1] = { i, style }
      texts[#texts + 1] = asked(style.prompt, { text = list[i][column], prompt = list[i][column] })
    end
    local said = spoken(job, o, writer, texts, from - 1, 1)
    for k, t in ipairs(todo) do
      local i, style, a = t[1], t[2], said[k][1] or { text = "" }
      local text, parent = a.text:match "^%s*(.-)%s*$", list[i]
      local row = copy(parent, { [column] = true })
      row[column] = text
      local record = { parents = { name_of(parent, i) }, style = style.id, sample = from + k - 1, task = clipped(text) }
      local why, more = verdict(job, row, text)
      if a.broken then why = "no UTF-8" end
      if not why and words_in(text) > (o.growth or 4) * words_in(parent[column]) + 30 then why = "too long" end
      if not why and text:find "[Nn]ew task:" then why = "repeats what it was asked" end
      local keeps = (o.answers or (style.same and "keep" or "ask")) ~= "ask" or column ~= "prompt"
      if o.answers == "none" then row.completion = nil end
      if not why and keeps then why = users(job, row) end
      made(job, record, why, more)
      if not why then
        kept_text(job, record, text)
        record.row = row
        if not keeps then fresh[#fresh + 1] = record end
      end
    end
    if #fresh > 0 then
      local queue = {}
      for i, r in ipairs(fresh) do queue[i] = asked(answer, r.row) end
      local replies = spoken(job, o, answerer, queue, (1 << 32) + from - 1, 1)
      for i, r in ipairs(fresh) do
        local reply = replies[i][1] or { text = "" }
        local why, more = nil, nil
        if reply.broken or not reply.text:find "%S" then why = reply.broken and "answer: no UTF-8" or "answer: empty" end
        r.row.completion = reply.text
        r.row.answer = nil -- the old task's
        if not why then why, more = leaked(job, r.row) end
        why = why or users(job, r.row)
        if why then r.reason, r.more, r.kept, r.row = why, more, false, nil end
      end
    end
  end
  return close(job)
end

-- ---- answers: rejection sampling, pairs --------------------------------------------------------------------------------

-- n answers of each model to each row of a part: lists of { text, by }, none twice.
local function answers_of(job, o, models, list, from, n, prompt)
  local texts = {}
  for i, row in ipairs(list) do texts[i] = asked(prompt, row) end
  local out = {}
  for i = 1, #list do out[i] = {} end
  for m, model in ipairs(models) do
    local said = spoken(job, o, model, texts, ((m - 1) << 40) + (from - 1) * n, n)
    for i, answers in ipairs(said) do
      for k, a in ipairs(answers) do table.insert(out[i], { text = a.text, broken = a.broken, by = m, sample = k }) end
    end
  end
  return out
end

local function with(row, completion)
  local out = copy(row, {})
  out.completion = completion
  return out
end

--- n (8) answers to each row's prompt, of which those of at least `at` (1) by judge or reward stay: take = "best" of each prompt (the shorter of
-- equals) or "all", at most `most`. novelty (0.9, with take = "all"): against the prompt's other answers that stay. Rows: the row's
-- columns with completion and score.
function synthesis.rejection_sampling(run, o)
  local call = "hone.synthesis.rejection_sampling"
  o = options(call, run, o, { "rows", "n", "judge", "reward", "reference", "at", "take", "most", "prompt" })
  local list, model = list_of(call, "rows", o.rows), model_of(call, o.model)
  local score, by = scorer_of(call, o)
  local prompt, at, n, take = o.prompt and prompts.prompt(o.prompt), o.at or 1, o.n or 8, o.take or "best"
  if take ~= "best" and take ~= "all" then fail("%s: take is \"best\" or \"all\"", call) end
  if plan.on() then
    local out = {}
    for i, row in ipairs(list) do out[i] = with(row, row.completion or row.prompt or "") end
    return planned({ model }, { asked(prompt, list[1]) }, o, out)
  end
  local apart = o.novelty == nil and 0.9 or o.novelty
  o.novelty = nil
  local job = open(call, run, "rejection_sampling", o, { model = model.about, by = by, n = n, at = at, take = take, most = o.most, apart = apart, prompts = versions(prompt),
    rows = core.sha256(curate.text(list)) })
  local size = o.part or 16
  for from = 1, #list, size do
    local some = table.move(list, from, math.min(#list, from + size - 1), 1, {})
    local all, flat = answers_of(job, o, { model }, some, from, n, prompt), {}
    for i, answers in ipairs(all) do
      for _, a in ipairs(answers) do
        if not a.broken then flat[#flat + 1] = with(some[i], a.text) end
      end
    end
    local scores, at_score = part(job, function() return { score(flat) } end, flat[1] and { who = "scores", ask = function() score { flat[1] } end })[1], 0
    for i, answers in ipairs(all) do
      local scope, new, stay, records = "prompt " .. from + i - 1, core.novelty(), {}, {}
      for k, a in ipairs(answers) do
        local s
        if not a.broken then
          at_score = at_score + 1
          s = scores[at_score]
        end
        local row = with(some[i], a.text)
        local why, more = verdict(job, row, a.text, scope)
        if a.broken then why = "no UTF-8" end
        if not why and not s then why = "unjudged" end
        if not why and s < at then why = "below " .. at end
        why = why or users(job, row)
        local record = made(job, { parents = { name_of(some[i], from + i - 1) }, sample = k, score = s or nil, text = clipped(a.text) }, why, more)
        if not why then
          row.score, record.row = s, row
          kept_text(job, record, a.text, scope)
          stay[#stay + 1] = record
        end
        records[k] = record
      end
      table.sort(stay, function(x, y)
        if x.score ~= y.score then return x.score > y.score end
        if #x.row.completion ~= #y.row.completion then return #x.row.completion < #y.row.completion end
        return x.n < y.n
      end)
      local left = take == "best" and 1 or o.most or #stay
      for _, r in ipairs(stay) do
        local why, more
        if left == 0 then
          why = "not the best"
        elseif take == "all" and apart then
          local like, which = core.novelty_look(new, r.row.completion, apart)
          if like then why, more = "alike", { rouge_l = like, answer = which } end
        end
        if why then
          r.reason, r.more, r.kept, r.row = why, more, false, nil
        else
          left = left - 1
          core.novelty_add(new, r.row.completion)
        end
      end
    end
  end
  return close(job)
end

--- Pairs { prompt, chosen, rejected, margin } of n (4) answers of each of `models` (or model): of each prompt the two that judge or reward puts
-- furthest apart, where that is at least `margin` (above 0: ties are no pairs); all = true: every two. z: a judge's margin must also be above z
-- of its standard errors. shape = "pairwise" for judges that compare two (asked in both orders). novelty: pairs whose sides have that ROUGE-L
-- and more are left out (false: not).
function synthesis.preference_pairs(run, o)
  local call = "hone.synthesis.preference_pairs"
  o = options(call, run, o, { "rows", "models", "n", "judge", "reward", "reference", "margin", "all", "z", "shape", "prompt" })
  local list, models, about = list_of(call, "rows", o.rows), {}, {}
  for i, m in ipairs(o.models or { o.model }) do
    models[i] = model_of(call, m)
    about[i] = models[i].about
  end
  if #models == 0 then model_of(call, nil) end
  local prompt, n, margin = o.prompt and prompts.prompt(o.prompt), o.n or 4, o.margin or 0
  if type(margin) ~= "number" or margin < 0 then fail("%s: margin is a number from 0 on", call) end
  if n * #models < 2 then fail("%s: a pair needs two answers: n = 2, or two models", call) end
  local pairwise = o.shape == "pairwise" or o.judge and judging.spec(o.judge).shape == "pairwise" or (o.z or 0) > 0
  local score, by
  if pairwise then
    if not components.is(o.judge) then fail("%s: a judge is wanted for z and shape = \"pairwise\"", call) end
    by = { judge = judging.hash(o.judge) }
  else
    score, by = scorer_of(call, o)
  end
  if plan.on() then
    local out = {}
    for i, row in ipairs(list) do out[i] = { prompt = row.prompt, messages = row.messages, chosen = row.completion or "a", rejected = "b" } end
    return planned(models, { asked(prompt, list[1]) }, o, out)
  end
  local apart = o.novelty or false
  o.novelty = nil
  local job = open(call, run, "preference_pairs", o, { models = about, by = by, n = n, margin = margin, all = o.all, z = o.z, shape = o.shape, apart = apart,
    prompts = versions(prompt), rows = core.sha256(curate.text(list)) })

  -- One prompt's pairs from scores: { a, b, margin } lists, best first; and why there is none.
  local function from_scores(scores)
    local out, known = {}, 0
    for a = 1, #scores do
      known = known + (scores[a] and 1 or 0)
      for b = 1, #scores do
        if scores[a] and scores[b] and scores[a] > scores[b] then out[#out + 1] = { a, b, scores[a] - scores[b] } end
      end
    end
    table.sort(out, function(x, y)
      if x[3] ~= y[3] then return x[3] > y[3] end
      if x[1] ~= y[1] then return x[1] < y[1] end
      return x[2] < y[2]
    end)
    return out, known < 2 and "unjudged" or "tie"
  end

  local size = o.part or 16
  for from = 1, #list, size do
    local some = table.move(list, from, math.min(#list, from + size - 1), 1, {})
    local all, flat = answers_of(job, o, models, some, from, n, prompt), {}
    for i, answers in ipairs(all) do -- each text once
      local seen, own = {}, {}
      for _, a in ipairs(answers) do
        if not a.broken and a.text:find "%S" and not seen[a.text] then
          seen[a.text] = true
          own[#own + 1] = a
          flat[#flat + 1] = with(some[i], a.text)
        end
      end
      all[i] = own
    end
    local said = part(job, function()
      if not pairwise then return { score(flat) } end
      local out = {}
      for i, answers in ipairs(all) do
        local texts, found = {}, {}
        for k, a in ipairs(answers) do texts[k] = a.text end
        local list_, info = {}, { within = 0, unjudged = 0 }
        if #texts > 1 then
          local group = copy(some[i], {})
          group.candidates = texts
          list_, info = choose.pairs(o.judge, { group }, { z = o.z or 0, shape = o.shape, all = true, reference = o.reference })
        end
        for p, r in ipairs(list_) do found[p] = { chosen = r.chosen, rejected = r.rejected, margin = r.margin, se = r.se } end
        out[i] = { pairs = found, within = info.within, unjudged = info.unjudged }
      end
      return out
    end, flat[1] and { who = "scores", ask = function()
      if not pairwise then return score { flat[1] } end
      choose.pairs(o.judge, { { prompt = flat[1].prompt, messages = flat[1].messages, columns = flat[1], candidates = { flat[1].completion, "" } } }, { z = 0, shape = o.shape,
        reference = o.reference })
    end })
    local at = 0
    for i, answers in ipairs(all) do
      local found, none = {}, nil
      if pairwise then
        local place = {}
        for k, a in ipairs(answers) do place[a.text] = k end
        for p, r in ipairs(said[i].pairs) do found[p] = { place[r.chosen], place[r.rejected], r.margin, r.se } end
        table.sort(found, function(x, y)
          if x[3] ~= y[3] then return x[3] > y[3] end
          if x[1] ~= y[1] then return x[1] < y[1] end
          return x[2] < y[2]
        end)
        none = said[i].within > 0 and "tie" or "unjudged"
      else
        local scores = {}
        for k = 1, #answers do scores[k] = said[1][at + k] end
        at = at + #answers
        found, none = from_scores(scores)
      end
      local parents = { name_of(some[i], from + i - 1) }
      if #answers < 2 then
        made(job, { parents = parents }, "one answer")
      elseif #found == 0 then
        made(job, { parents = parents }, none)
      end
      for p, f in ipairs(found) do
        if p > 1 and not o.all then break end
        local a, b = answers[f[1]], answers[f[2]]
        local row = copy(some[i], { completion = true })
        row.chosen, row.rejected, row.margin, row.se = a.text, b.text, f[3], f[4]
        local record = { parents = parents, by = { a.by, b.by }, samples = { a.sample, b.sample }, margin = f[3] }
        local why, more = verdict(job, row, a.text .. "\0" .. b.text, table.concat { "prompt ", from + i - 1 })
        if not why and f[3] < margin then why = "margin below " .. margin end
        if not why and apart then
          local like = core.rouge_l(a.text, b.text)
          if like >= apart then why, more = "alike", { rouge_l = like } end
        end
        why = why or users(job, row)
        made(job, record, why, more)
        if not why then record.row = row end
      end
    end
  end
  return close(job)
end

return synthesis
