--- What `hone eval` runs.

local hone = require "hone"
local core = require "hone.core"
local formats = require "hone.formats"

local p = hone.params {
  model = { "", "model" }, data = { "", "rows" }, reward = { "exact_match", "reward" }, set = { {}, "its settings" },
  n = { 1, "samples a prompt", min = 1 }, k = { 1, "pass@k", min = 1 }, temperature = { 0.0, "of sampling", min = 0 },
  max_tokens = { 256, "new tokens", min = 1 }, limit = { 0, "rows", min = 0 }, seed = { 0, "seed" },
  raw = { false, "without the chat template" }, json = { false, "JSON" }, prompt_column = { "", "column of the prompt" },
  prompt = { {}, "prompts that are compared" }, judge = { "", "judge instead of a reward" },
}

-- Settings arrive as text: numbers and truth values are what they look like.
local settings = {}
for key, text in pairs(p.set) do
  settings[key] = math.tointeger(tonumber(text)) or tonumber(text) or text
  if text == "true" or text == "false" then settings[key] = text == "true" end
end

local run = hone.run { name = "eval", seed = p.seed, scratch = true }
local policy = run:policy { model = p.model }
local rows = hone.source(formats.source_of(p.data), { path = p.data }):map(function(r)
  if p.prompt_column ~= "" then
    r.prompt = r[p.prompt_column]
    if r.prompt == nil then error("the row has no column \"" .. p.prompt_column .. "\"", 0) end
  elseif r.prompt == nil and r.messages == nil then
    r.prompt = r.question
    if r.prompt == nil then error("the row has no prompt, messages or question (see --prompt-column)", 0) end
  end
  return r
end)
if p.limit > 0 then rows:take(p.limit) end

local reward
if p.judge ~= "" then
  local column = settings.reference -- of the reward that asks the judge: which column is the reference
  settings.reference = nil
  reward = hone.reward(hone.judge(p.judge, settings), { reference = column })
  p.reward = reward.id
else
  reward = hone.reward(p.reward, settings)
end

-- Several prompts on the same rows.
local prompts = {}
for i = 1, math.huge do
  local file = p.prompt[tostring(i)] or p.prompt[i]
  if not file then break end
  prompts[i] = hone.prompt(file)
end
if #prompts > 0 then
  local compare = require "hone.prompts_eval"
  local list = rows:list()
  local scores = compare.run(policy, prompts, list, reward, { n = p.n, max_tokens = p.max_tokens,
    temperature = p.temperature > 0 and p.temperature or nil, raw = p.raw })
  local f = compare.figures(scores, list, p.seed)
  local function text(x)
    if not x.value then return "none (" .. tostring(x.why) .. ")" end
    return x.lo and string.format("%.4f [%.4f, %.4f]", x.value, x.lo, x.hi) or string.format("%.4f (no interval: %s)", x.value, x.note or "?")
  end
  if p.json then
    local out = { model = p.model, reward = p.reward, rows = #list, prompts = {}, differences = {}, family = #prompts - 1,
      multiplicity = "intervals of differences: Bonferroni; p: Holm" }
    for k, x in ipairs(f.prompts) do
      out.prompts[k] = { prompt = prompts[k].version, file = prompts[k].file, mean = x, unscored = x.unscored }
      x.unscored = nil
    end
    for k, d in ipairs(f.differences) do
      out.differences[k] = { prompt = prompts[k + 1].version, against = prompts[1].version, difference = d, p = d.p, holm = d.holm }
      d.p, d.holm = nil, nil
    end
    print((require "hone.json".encode(out):gsub("\n%s*", "")))
  else
    for k, x in ipairs(f.prompts) do
      print(string.format("%-28s %s: mean %s over %d rows%s", prompts[k].version, p.reward, text(x), #list,
        x.unscored > 0 and string.format(" (%d without a score)", x.unscored) or ""))
    end
    for k, d in ipairs(f.differences) do
      print(string.format("%-28s against the first: %s, p %s after Holm", prompts[k + 1].version, text(d),
        d.holm and string.format("%.4f", d.holm) or "unknown"))
    end
    if #f.differences > 0 then
      print(string.format("paired by row; the intervals of the %d difference%s hold together with 95 %%", #f.differences, #f.differences > 1 and "s" or ""))
    end
  end
  return
end

local r = policy:eval {
  rows, rewards = { reward }, n = p.n, k = math.min(p.k, p.n), max_tokens = p.max_tokens,
  temperature = p.temperature > 0 and p.temperature or nil, raw = p.raw,
}
local x = r[p.reward]
if p.json then
  local pass = {}
  for k, v in ipairs(x.pass) do pass["pass@" .. k] = v end
  print((require "hone.json".encode {
    model = p.model, reward = p.reward, rows = r.n, scored = x.n, mean = x.mean, lo = x.lo, hi = x.hi, pass = pass,
    length = r.length, truncated = r.truncated,
  }:gsub("\n%s*", "")))
else
  print(string.format("%s: mean %.4f [%.4f, %.4f] over %d rows (%d scored)", p.reward, x.mean, x.lo, x.hi, r.n, x.n))
  for k, v in ipairs(x.pass) do print(string.format("  pass@%d %.4f", k, v)) end
  print(string.format("  %.1f tokens a sample, %.1f %% cut at max_tokens", r.length, 100 * r.truncated))
end
