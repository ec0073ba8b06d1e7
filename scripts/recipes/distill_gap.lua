--- The distillation gap, and a second round that it asks for: teacher, student and base are judged blind on the same prompts, the
-- gap is measured per slice, slices are ranked by gap x frequency, the next data request is written out, followed, and
-- measured again on prompts that the meter has not seen.
-- As it stands: the embedded model is taught by GRPO to be the teacher, and the student knows only half of the scenes after the
-- first round. With your own: teacher=FOLDER teacher_steps=0 student=FOLDER data=ROWS.jsonl slices=topic,language reference=COLUMN judge=J.
local hone = require "hone"
local core = require "hone.core"
local gap = require "hone.gap"
local stories = require "stories"
local card = require "hone.loop_card"

local p = hone.params {
  teacher = { "tiny", "model folder, GGUF file or known name" }, student = { "tiny", "model that learns" },
  teacher_steps = { 60, "GRPO updates that make the teacher out of its model; 0: it is one", min = 0 },
  data = { "", "rows with question, the slices' columns and the reference; empty: story problems" },
  slices = { "scene,changes", "columns that slices are values of, with commas" }, reference = { "answer", "column with the reference" },
  judge = { "", "judge component or Lua file; empty: the number after Answer: is the reference" },
  first = { 96, "prompts of the first round", min = 8 }, second = { 160, "prompts of the second round", min = 8 },
  meter = { 400, "prompts that the gap is measured on", min = 40 }, fresh = { 400, "prompts of the last word", min = 40 },
  steps = { 24, "SFT updates a round", min = 1 }, lr = { 3e-4, "learning rate" }, max_tokens = { 44, "new tokens an answer", min = 1 },
  price_teacher = { 0.0, "money of 1,000,000 new tokens; 0: seconds of this machine are the cost", min = 0 },
  price_student = { 0.0, "the same of the student", min = 0 }, seed = { 7, "seed of the run" },
}

local run = hone.run { name = "distill-gap", seed = p.seed, checkpoint = { every = 0 } }
local adam = { "adamw", lr = p.lr, beta1 = 0.9, beta2 = 0.95, weight_decay = 0 }
local teacher = run:policy { model = p.teacher, name = "teacher", optimizer = p.teacher_steps > 0 and { "adamw", lr = 7e-5, beta1 = 0.9, beta2 = 0.95, weight_decay = 0 } or nil }
local student = run:policy { model = p.student, name = "student", optimizer = adam }
local base = student:copy "base"
local columns = {}
for c in p.slices:gmatch "[^,%s]+" do columns[#columns + 1] = c end

-- ---- prompts: of the first round, of the meter, of the last word, and a pool that requests are served from --------

local scenes = { "bus", "stickers", "lift", "points", "box", "degrees", "dollars", "birds" }
local function story_rows(seed, part, n)
  local out = {}
  for i, s in ipairs(stories.list(seed, part, n, true)) do
    out[i] = { id = part .. seed .. "-" .. i, question = s.prompt, prompt = s.prompt, prompt_id = s.key, answer = s.answer, scene = scenes[s.scene],
      changes = select(2, s.working:gsub("=", "")) }
  end
  return out
end
local known, meter, fresh, pool = {}, {}, {}, {}
if p.data == "" then
  for _, r in ipairs(story_rows(11, "train", p.first * 4)) do
    if #known < p.first and r.changes == 3 and (r.scene == "bus" or r.scene == "stickers") then known[#known + 1] = r end
  end
  local held = story_rows(12, "test", p.meter + p.fresh)
  meter, fresh = table.move(held, 1, p.meter, 1, {}), table.move(held, p.meter + 1, #held, 1, {})
  pool = story_rows(13, "train", 12 * p.second)
else -- dealt by hash of the prompt: no prompt is in two parts
  for i, r in ipairs(hone.source(require "hone.formats".source_of(p.data), { path = p.data }):list()) do
    r.question, r.id = r.question or r.prompt, r.id or i
    r.prompt, r.prompt_id = r.question, tostring(r.prompt_id or core.sha256(r.question):sub(1, 16))
    local u = (hone.hash(r.prompt_id, run.seed) >> 11) / (1 << 53)
    if u < 0.2 and #meter < p.meter then meter[#meter + 1] = r
    elseif u < 0.4 and #fresh < p.fresh then fresh[#fresh + 1] = r
    elseif u < 0.55 and #known < p.first then known[#known + 1] = r
    else pool[#pool + 1] = r end
  end
end

-- ---- the judge and the teacher ---------------------------------------------------------------------------------------

local judge = p.judge ~= "" and hone.judge(p.judge) or hone.judge { id = "exact", version = "1", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do out[i] = it.candidates[1]:match "Answer: (%-?%d+)%s*$" == it.reference and 1 or 0 end
  return out
end }
local exact = { hone.reward("exact_match", { prefix = "Answer:", reference = p.reference }) }
for _, prompts in run:steps(p.teacher_steps, hone.rows(p.teacher_steps > 0 and story_rows(14, "train", 500) or {}):shuffle(1):epochs():batches(8)) do
  teacher:update { teacher:rollout(prompts, { n = 4, max_tokens = p.max_tokens, rewards = exact }), objective = "grpo", advantage = "group",
    skip_equal = true }
end

-- ---- rounds ----------------------------------------------------------------------------------------------------------

local function learn(name, rows, again) -- SFT on the teacher's answers, to new prompts and to those of earlier rounds
  local demos = run:once(name, function()
    local out = {}
    for i, text in ipairs((gap.answer(teacher, rows, { max_tokens = p.max_tokens, alone = 0 }))) do out[i] = { prompt = rows[i].prompt, completion = text } end
    return out
  end)
  local all = table.move(again or {}, 1, #(again or {}), #demos + 1, table.move(demos, 1, #demos, 1, {}))
  for _, batch in run:steps(p.steps, hone.rows(all):shuffle(run.seed):epochs():batches(16)) do
    student:update { batch, objective = "sft", clip = 1.0 }
  end
  return demos
end
local took = {}
local function answers(policy, name, rows)
  local texts, cost = gap.answer(policy, rows, { max_tokens = p.max_tokens })
  took[name] = cost
  return texts
end
local function measure(rows, fixed)
  local a = { teacher = fixed and fixed.teacher or answers(teacher, "teacher", rows), base = fixed and fixed.base or answers(base, "base", rows),
    student = answers(student, "student", rows) }
  return gap.scores(judge, rows, a, { reference = p.reference, seed = run.seed }), a
end

local first = learn("first", known)
local found = run:once("meter", function() -- what the meter said after the first round, and what it asks for
  local on_meter = measure(meter)
  local on_fresh = measure(fresh)
  local slices = gap.slices(meter, on_meter, columns, { seed = run.seed })
  local request = gap.request(meter, on_meter, slices, { prompts = p.second })
  for _, s in ipairs(slices) do s.rows = nil end
  return { slices = slices, request = request, meter = on_meter, fresh = on_fresh }
end)
for _, s in ipairs(found.slices) do
  run:say("%-18s gap %-28s of %.0f %% of the prompts", s.name, card.text(s.gap), 100 * s.frequency)
end
run:write("request.json", gap.encode(found.request))
run:write("request.md", gap.text(found.request))
run:say("%s", (gap.text(found.request):gsub("\n$", "")))

local asked, used = {}, {} -- the pool serves the request
for _, r in ipairs(found.request) do
  local n = 0
  for i, row in ipairs(pool) do
    if n < r.prompts and not used[i] and tostring(row[r.column]) == tostring(r.value) then
      asked[#asked + 1], used[i], n = row, true, n + 1
    end
  end
  if n < r.prompts then run:say("  only %d of %d prompts of %s are there", n, r.prompts, r.slice) end
end
local second = #asked >= 16 and learn("second", asked, first) or {}

-- ---- the last word, on prompts that chose nothing ----------------------------------------------------------------------

local after = { meter = measure(meter), fresh = measure(fresh) }
local how = { seed = run.seed }
local on_fresh, on_meter = gap.shrunk(fresh, found.fresh, after.fresh, how), gap.shrunk(meter, found.meter, after.meter, how)
local figures = { { "gap after the first round, fresh prompts", on_fresh.before }, { "gap after the second round, fresh prompts", on_fresh.after },
  { "the gap shrank by, fresh prompts", on_fresh.shrunk }, { "the gap shrank by, prompts of the meter", on_meter.shrunk } }
for _, r in ipairs(found.request) do
  local rows, b, a = {}, { teacher = {}, student = {} }, { teacher = {}, student = {} }
  for i, row in ipairs(fresh) do
    if tostring(row[r.column]) == tostring(r.value) then
      rows[#rows + 1] = row
      for _, who in ipairs { "teacher", "student" } do b[who][#rows], a[who][#rows] = found.fresh[who][i], after.fresh[who][i] end
    end
  end
  figures[#figures + 1] = { "in the slice " .. r.slice .. ", fresh prompts, it shrank by", gap.shrunk(rows, b, a, how).shrunk }
end
for _, f in ipairs(figures) do run:say("%-60s %s", f[1], card.text(f[2])) end
run:save { policy = student }
local function beside(name, policy, price)
  local t = took[name]
  return { name = name, quality = hone.stats.mean(after.fresh[name], how), latency_s = t.latency_s, tokens = t.tokens,
    cost_per_1000 = price > 0 and 1000 * t.tokens * price / 1e6 or t.seconds_1000, unit = price > 0 and "" or "s of this machine",
    parameters = policy:info().parameters }
end
card.write(run, {
  title = "distillation of " .. p.teacher .. " into " .. p.student, model = { teacher = p.teacher, student = p.student,
    ["checksum of the base"] = base:info().checksum, ["checksum of the student"] = student:info().checksum },
  compare = { beside("teacher", teacher, p.price_teacher), beside("student", student, p.price_student), beside("base", base, p.price_student) },
  figures = figures, judges = { { name = "meter", judge = judge } }, requests = found.request,
  data = { { what = "first round", rows = #first, sha256 = card.rows_sha256(first) }, { what = "second round, as asked for", rows = #second, sha256 = card.rows_sha256(second) },
    { what = "meter", rows = #meter, sha256 = card.rows_sha256(meter) }, { what = "fresh prompts", rows = #fresh, sha256 = card.rows_sha256(fresh) } },
  notes = { "The judge saw teacher, student and base in one shuffled list, without their names.",
    "The slices were chosen on the prompts of the meter; the figures on fresh prompts are free of that choice." },
})
