--- Curation: the steps of `hone data` on the rows of a recipe, by the same code, with reports and lineage.
--   local clean, told = hone.curate.dedup(rows, { near = true })
--   clean, told = hone.curate.decontaminate(clean, { against = { "eval.jsonl", test_rows } })
-- `rows`: the path of a file or a list of paths, rows of hone.source or of a step before (a file that nothing was done to is read
-- as it is, so rows keep their bytes and their lineage), or a list of tables. What a step returns is rows again (rows.path: its
-- file), and what it came to: the counts of the command's --json, and `report`, the path of a line of JSON for each row left out.
-- Files lie in the run directory, in curated/: NAME.jsonl, NAME.jsonl.lineage, NAME.report.jsonl; NAME is the step's number and
-- verb, or `name`. A run that is resumed takes what is there already. In a plan (--dry-run) rows pass unchanged.

local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"
local plan = require "hone.plan"
local rows = require "hone.rows"

local curate = { made = 0, folder = "curated/" } -- folder: also of hone/synthesis.lua, for its own steps

local function fail(...)
  error(string.format(...), 0)
end

local function text_of(list)
  local out = {}
  for i, row in ipairs(list) do
    if type(row) ~= "table" then fail("hone.curate: row %d is a %s", i, type(row)) end
    out[i] = core.canonical(row)
  end
  return table.concat(out, "\n") .. (#out > 0 and "\n" or "")
end

-- A file of the run directory with that text. One that has it is left alone: its time of change is part of a step's key.
local function file_of(name, text)
  local path = core.run_path(name)
  local ok, is = pcall(core.file_sha256, path)
  if not ok or is ~= core.sha256(text) then core.run_write(name, text) end
  return path
end

-- Paths of what was given as rows; rows that are in no file are written into one.
local function paths_of(call, from, name)
  if type(from) == "string" then return { (core.find_file(from)) } end
  if getmetatable(from) == rows.Rows then
    return { from.path or file_of(name, text_of(from:list())) }
  end
  if type(from) ~= "table" then fail("%s: rows, a list of rows or paths of files are wanted, not a %s", call, type(from)) end
  if type(from[1]) == "table" and getmetatable(from[1]) ~= rows.Rows then return { file_of(name, text_of(from)) } end
  local out = {}
  for i, f in ipairs(from) do
    for _, path in ipairs(paths_of(call, f, (name:gsub("%.jsonl$", "-" .. i .. ".jsonl")))) do out[#out + 1] = path end
  end
  if #out == 0 then fail("%s: there are no rows", call) end
  return out
end

local function wrap(path)
  return rows.source("jsonl", { path = path })
end

curate.text, curate.write, curate.paths = text_of, file_of, paths_of -- for hone/synthesis.lua

-- In a plan: the rows as they are.
local function unchanged(call, from)
  if getmetatable(from) == rows.Rows then return from end
  if type(from) == "table" and type(from[1]) == "table" and getmetatable(from[1]) ~= rows.Rows then return rows.list(from) end
  local first = type(from) == "table" and from[1] or from
  if getmetatable(first) == rows.Rows then return first end
  if type(first) ~= "string" then fail("%s: rows, a list of rows or paths of files are wanted, not a %s", call, type(from)) end
  return rows.source("auto", { path = first })
end

-- What a plan says of a step: every count is 0.
local nothing = setmetatable({}, { __index = function() return 0 end })

-- One step; o: its settings, and name, report (true). Returns the paths of its outputs and what it came to.
local function step(verb, from, o, outs, keep, policy)
  local call = "hone.curate." .. verb
  curate.made = curate.made + 1
  local set, name = {}, o.name or string.format("%02d-%s", curate.made, verb)
  for k, v in pairs(o) do
    if k ~= "name" and k ~= "report" then set[k] = v end
  end
  if type(name) ~= "string" or name:find "[/%c]" or name:find "^%." then fail("%s: name is that of a file, without its folder", call) end
  if set.against ~= nil and not keep then set.against = paths_of(call, set.against, curate.folder .. name .. ".against.jsonl") end
  local base = curate.folder .. name
  local inputs, out = paths_of(call, from, base .. ".input.jsonl"), {}
  for i, suffix in ipairs(outs or { "" }) do out[i] = core.run_path(base .. suffix .. ".jsonl") end
  local report = o.report ~= false and not keep and verb ~= "split" and verb ~= "mix" and core.run_path(base .. ".report.jsonl") or nil
  local ok, known = pcall(core.read_file, core.run_path(base .. ".step.json"))
  known = ok and json.decode(known) or {}
  local key, told = core.curate(keep and "keep" or verb,
    { inputs = inputs, out = out, report = report, set = set, known = known.key, keep = keep, name = keep and o.step or verb }, policy)
  if told then core.run_write(base .. ".step.json", json.encode { key = key, told = told }) end
  told = told or known.told
  told.report = report
  return out, told
end

--- Of rows that are the same, or with near = true nearly the same, the first stays. Settings: normalise ("space"), threshold (0.8),
-- ngram (5), bands (20), rows (6), verify (true), seed (1), columns, skip_bad.
function curate.dedup(from, o)
  if plan.on() then return unchanged("hone.curate.dedup", from), nothing end
  local out, told = step("dedup", from, o or {})
  return wrap(out[1]), told
end

--- Rows that hold a piece of an evaluation set are left out. against: paths or rows; ngram (13), min_words (5), share (0),
-- columns, against_columns, skip_bad.
function curate.decontaminate(from, o)
  if type(o) ~= "table" or o.against == nil then fail("hone.curate.decontaminate: against is missing: the evaluation sets") end
  if plan.on() then return unchanged("hone.curate.decontaminate", from), nothing end
  local out, told = step("decontaminate", from, o)
  return wrap(out[1]), told
end

--- Rows that published rules speak against are left out. rules ("gopher"): names with commas, or a list; limits = { min_words = 20,
-- max_hashes = false } sets single ones or turns them off; bad_words: a file; columns, skip_bad.
function curate.filter(from, o)
  if plan.on() then return unchanged("hone.curate.filter", from), nothing end
  local own = {}
  for k, v in pairs(o or {}) do own[k] = v end
  if type(own.rules) == "table" then own.rules = table.concat(own.rules, ",") end
  if own.limits ~= nil then
    if type(own.limits) ~= "table" then fail("hone.curate.filter: limits is a table of rules") end
    local limits = {}
    for k, v in pairs(own.limits) do limits[#limits + 1] = k .. "=" .. (v == false and "off" or tostring(v)) end
    own.limits = limits
  end
  local out, told = step("filter", from, own)
  return wrap(out[1]), told
end

--- Rows by a score: by = COLUMN, ifd = POLICY (with question and answer: columns) or verdicts = STORE; top, share, min, max, lowest,
-- as; then diverse = N of them, embedding; columns, seed, skip_bad.
function curate.select(from, o)
  if plan.on() then return unchanged("hone.curate.select", from), nothing end
  local own, policy = {}, nil
  for k, v in pairs(o or {}) do own[k] = v end
  if own.ifd ~= nil then
    if type(own.ifd) ~= "table" or not own.ifd.ud then fail("hone.curate.select: ifd is a policy, not a %s", type(own.ifd)) end
    policy, own.ifd = own.ifd.ud, own.ifd:info().checksum
  end
  local out, told = step("select", from, own, nil, nil, policy)
  return wrap(out[1]), told
end

--- Rows into several parts, so that what belongs together stays together: into = { train = 0.9, test = 0.1 }; group = COLUMNS or
-- near = true, threshold, seed, columns. Returns { train = rows, test = rows }.
function curate.split(from, o)
  o = o or {}
  if type(o.into) ~= "table" or next(o.into) == nil then fail("hone.curate.split: into = { train = 0.9, test = 0.1 } is missing") end
  local own, names, suffixes, out = { shares = {} }, {}, {}, {}
  for k, v in pairs(o) do
    if k ~= "into" then own[k] = v end
  end
  for k, v in pairs(o.into) do
    if type(k) ~= "string" or k:find "[/%c]" or type(v) ~= "number" then fail("hone.curate.split: into = { NAME = SHARE, ... } is wanted") end
    names[#names + 1], suffixes[#suffixes + 1], own.shares[#own.shares + 1] = k, "-" .. k, v
  end
  if plan.on() then
    local list = unchanged("hone.curate.split", from):list()
    for _, k in ipairs(names) do out[k] = rows.list(list) end
    return out, nothing
  end
  local paths, told = step("split", from, own, suffixes)
  for i, k in ipairs(names) do out[k] = wrap(paths[i]) end
  return out, told
end

--- Rows of several files or lists, each as often as its weight says: hone.curate.mix({ a, b }, { weights = { 0.7, 0.3 }, count = 1000 });
-- repeat_ = true begins anew what is at its end; stop_first, by_bytes, seed.
function curate.mix(parts, o)
  local own = {}
  for k, v in pairs(o or {}) do own[k == "repeat_" and "repeat" or k] = v end
  if type(parts) ~= "table" or getmetatable(parts) == rows.Rows or #parts == 0 then fail("hone.curate.mix: a list of rows or paths is wanted") end
  if plan.on() then return unchanged("hone.curate.mix", parts), nothing end
  if own.weights == nil then
    own.weights = {}
    for i = 1, #parts do own.weights[i] = 1 end
  end
  local out, told = step("mix", parts, own)
  return wrap(out[1]), told
end

--- A step of the recipe's own: fn(row, n) returns true (the row stays), another row in its place, or false and why. o.settings:
-- what the decisions depend on, for the lineage; o.step: what the step is called there ("keep").
function curate.keep(from, fn, o)
  o = o or {}
  if type(fn) ~= "function" then fail("hone.curate.keep: a function(row) is wanted") end
  if plan.on() then return unchanged("hone.curate.keep", from), nothing end
  curate.made = curate.made + 1
  local name = o.name or string.format("%02d-%s", curate.made, o.step or "keep")
  local paths = paths_of("hone.curate.keep", from, curate.folder .. name .. ".input.jsonl")
  local keep, report, reasons, n = {}, {}, {}, 0
  for _, path in ipairs(paths) do
    local of = 0
    for row in rows.source("auto", { path = path }):each() do
      n, of = n + 1, of + 1
      local verdict, why = fn(row, n)
      if type(verdict) == "table" then
        keep[n] = core.canonical(verdict)
      elseif verdict then
        keep[n] = true
      else
        why = tostring(why or "left out")
        keep[n], reasons[why] = false, (reasons[why] or 0) + 1
        report[#report + 1] = { file = path, row = of, reason = why, of = o.of and o.of(n) or nil }
      end
    end
  end
  local settings = { name = name, step = o.step }
  for k, v in pairs(o.settings or {}) do settings[k] = v end
  curate.made = curate.made - 1
  local out, told = step("keep", paths, settings, nil, keep)
  told.path = out[1]
  told.dropped, told.reasons = told.rows - told.kept, reasons
  told.report = file_of(curate.folder .. name .. ".report.jsonl", text_of(report))
  return wrap(out[1]), told
end

--- Rows of prompt and completion that a judge gives at least `at` (0.5). A row without a number is left out. as: the column that the
-- score is written into; reference: the column that the judge gets.
function curate.judge(from, j, o)
  o = o or {}
  if plan.on() then return unchanged("hone.curate.judge", from), nothing end
  local at, items, scores = o.at or 0.5, {}, {}
  local name = o.name or string.format("%02d-judge", curate.made + 1)
  local paths = paths_of("hone.curate.judge", from, curate.folder .. name .. ".input.jsonl")
  for _, path in ipairs(paths) do
    for row in rows.source("auto", { path = path }):each() do
      items[#items + 1] = judging.item { id = #items, prompt = row.prompt, messages = row.messages, completion = row.completion or row.answer,
        columns = row, reference = o.reference and row[o.reference] or nil }
    end
  end
  for i, v in ipairs(judging.ask(j, items)) do scores[i] = v.status == "ok" and v.score or false end
  return curate.keep(paths, function(row, n)
    if not scores[n] then return false, "the judge gave no number" end
    if scores[n] < at then return false, "below " .. at end
    if not o.as then return true end
    row[o.as] = scores[n]
    return row
  end, { name = name, step = "judge", settings = { judge = judging.hash(j), at = at, reference = o.reference, as = o.as } })
end

return curate
