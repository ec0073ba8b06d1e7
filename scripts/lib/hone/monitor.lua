--- What is watched while a judge drives a run: is the reward still what was measured before (judges.md 10)?
--
--   local watch = run:monitor { rewards = rewards, panel = { judge = other, share = 0.05 }, alarm = "pause" }
--   for step, prompts in run:steps(...) do
--     local r = policy:rollout(prompts, { rewards = rewards, ... })
--     watch(r)                                  -- before the update
--     policy:update { r, ... }
--   end
--
-- Five watches, each with its own limit: the reward's correlation with length, markdown and repetition within
-- groups; a held-out panel judge on a share of the samples and the CUSUM of how far the reward runs ahead of it;
-- anchors, fixed items judged again; probes, attacks on samples; saturation, groups or criteria without contrast.
-- The numbers are this step's metrics monitor/*. What is remembered lies in run.state, so a resumed run goes on
-- watching. An alarm warns, pauses the run at the end of the step (`hone resume` goes on, and the alarm counts as
-- seen), stops it at once, or calls a function.

local core = require "hone.core"
local judging = require "hone.judging"

local Monitor = {}
Monitor.__index = Monitor

local monitor = {}

local Z95 = 1.959963984540054
local features = { "length", "markdown", "repetition" }
local kinds = { "length", "markdown", "repetition", "panel", "anchors", "probes", "saturation" }
local actions = { warn = true, pause = true, stop = true }

-- ---- settings ------------------------------------------------------------------------------------------------

local defaults = {
  window = 20, warmup = 20,
  correlations = { length = 0.8, markdown = 0.8, repetition = 0.8 },
  panel = { share = 0.05, min = 2, k = 0.5, h = 8, slack = 0.1 },
  anchors = { every = 50, tolerance = 0.05 },
  probes = { every = 50, attacks = "injection,master_key,padding", allowed = 0.05, tolerance = 0.02, floor_tolerance = 0.1, max = 8 },
  saturation = 0.95,
}
local extra = { -- keys without a default
  top = { rewards = true, range = true, alarm = true, name = true }, correlations = {},
  panel = { judge = true }, anchors = { judge = true, items = true }, probes = { judge = true, items = true },
}

local function fill(place, given, default, more)
  local out = {}
  for k, v in pairs(default) do out[k] = v end
  for k, v in pairs(given) do
    if default[k] == nil and not more[k] then
      local names = {}
      for n in pairs(default) do names[#names + 1] = n end
      for n in pairs(more) do names[#names + 1] = n end
      table.sort(names)
      error(string.format("%s has no setting \"%s\"; it has %s", place, tostring(k), table.concat(names, ", ")), 0)
    end
    if type(default[k]) == "number" and (type(v) ~= "number" or v ~= v or v < 0) then
      error(string.format("%s: %s is a number of 0 or more, not %s", place, k, tostring(v)), 0)
    end
    out[k] = v
  end
  return out
end

local function section(config, name, needed)
  local given = config[name]
  if given == nil or given == false then return nil end
  if type(given) ~= "table" then error("monitor: " .. name .. " is a table", 0) end
  local out = fill("monitor: " .. name, given, defaults[name], extra[name])
  for _, k in ipairs(needed) do
    if out[k] == nil then error("monitor: " .. name .. " needs " .. k, 0) end
  end
  if out.every and out.every < 1 then error("monitor: " .. name .. ": every is 1 or more", 0) end
  return out
end

local function read_alarm(alarm)
  if alarm == nil then alarm = "pause" end
  if type(alarm) ~= "table" then alarm = { default = alarm } end
  local out = { default = "pause", saturation = "warn" }
  for k, v in pairs(alarm) do
    local known = k == "default"
    for _, name in ipairs(kinds) do known = known or name == k end
    if not known then
      error("monitor: alarm: \"" .. tostring(k) .. "\" is no watch; they are default, " .. table.concat(kinds, ", "), 0)
    end
    if type(v) ~= "function" and not actions[v] then
      error("monitor: alarm is \"warn\", \"pause\", \"stop\" or a function(alarm), not " .. tostring(v), 0)
    end
    out[k] = v
  end
  return out
end

--- Called by run:monitor.
function monitor.open(run, config)
  if type(config) ~= "table" or type(config.rewards) ~= "table" then
    error("run:monitor needs rewards, the list that the rollouts are scored with", 0)
  end
  local self = fill("monitor", config, { window = defaults.window, warmup = defaults.warmup, saturation = defaults.saturation },
    { rewards = true, range = true, alarm = true, name = true, correlations = true, panel = true, anchors = true, probes = true })
  self.run, self.key = run, "monitor/" .. (config.name or "judge")
  self.correlations = config.correlations ~= false
    and fill("monitor: correlations", config.correlations or {}, defaults.correlations, {}) or nil
  self.panel = section(config, "panel", { "judge" })
  self.anchors = section(config, "anchors", { "judge", "items" })
  self.probes = section(config, "probes", { "judge" })
  self.action = read_alarm(config.alarm)
  self.window, self.warmup = math.max(1, math.floor(self.window)), math.max(2, math.floor(self.warmup))
  if (self.anchors or self.probes) and not (type(self.range) == "table" and (self.range[2] or 0) > (self.range[1] or 0)) then
    error("monitor: anchors and probes need range = { lowest, highest } of the judge's scores", 0)
  end
  return setmetatable(self, Monitor)
end

-- ---- features of a completion --------------------------------------------------------------------------------

--- Marks of markdown a 100 characters: headings, list items, table bars, fences, emphasis.
local function markdown(text)
  local marks = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    if line:find "^%s*#+ " or line:find "^%s*[-*+] " or line:find "^%s*%d+[.)] " then marks = marks + 1 end
  end
  marks = marks + select(2, text:gsub("%*%*", "")) + select(2, text:gsub("`+", "")) + select(2, text:gsub("|", ""))
  return 100 * marks / math.max(1, #text)
end

--- The share of token triples that were there before.
local function repetition(ids)
  local seen, again = {}, 0
  for i = 1, #ids - 2 do
    local key = ids[i] .. "," .. ids[i + 1] .. "," .. ids[i + 2]
    again = again + (seen[key] and 1 or 0)
    seen[key] = true
  end
  return #ids > 2 and again / (#ids - 2) or 0
end

local function feature_values(s)
  return { length = s.n_tokens, markdown = markdown(s.completion), repetition = repetition(s.ids) }
end

-- ---- correlations within groups ------------------------------------------------------------------------------

-- Sums of products around each group's mean: { n - groups, sxx, syy, sxy }.
local function within(groups, x, y)
  local df, sxx, syy, sxy = 0, 0, 0, 0
  for _, g in pairs(groups) do
    local n, mx, my = 0, 0, 0
    for _, i in ipairs(g) do
      if y[i] then n, mx, my = n + 1, mx + x[i], my + y[i] end
    end
    if n > 1 then
      mx, my, df = mx / n, my / n, df + n - 1
      for _, i in ipairs(g) do
        if y[i] then
          local dx, dy = x[i] - mx, y[i] - my
          sxx, syy, sxy = sxx + dx * dx, syy + dy * dy, sxy + dx * dy
        end
      end
    end
  end
  return { df, sxx, syy, sxy }
end

--- The correlation over the steps kept ({ df, sxx, syy, sxy } each), with its interval by Fisher's z; nil where there is none to tell.
local function correlation(steps)
  local df, sxx, syy, sxy = 0, 0, 0, 0
  for _, s in ipairs(steps) do df, sxx, syy, sxy = df + s[1], sxx + s[2], syy + s[3], sxy + s[4] end
  if df < 5 or not (sxx > 0 and syy > 0) then return nil end
  local r = math.max(-0.999999, math.min(0.999999, sxy / math.sqrt(sxx * syy)))
  local z, half = 0.5 * math.log((1 + r) / (1 - r)), Z95 / math.sqrt(df - 2)
  local function back(v)
    local e = math.exp(2 * v)
    return (e - 1) / (e + 1)
  end
  return r, back(z - half), back(z + half), df
end

monitor.correlation = correlation

local function keep(list, value, most)
  list[#list + 1] = value
  if #list > most then table.remove(list, 1) end
end

local function watch_correlations(self, state, groups, values, scores, panel, log)
  for _, f in ipairs(features) do
    local limit, x = self.correlations[f], {}
    for i, v in ipairs(values) do x[i] = v[f] end
    local mine, theirs = state.sums[f], state.panel_sums[f]
    keep(mine, within(groups, x, scores), self.window)
    if panel then keep(theirs, within(groups, x, panel), self.window) end
    local r, lo, hi, df = correlation(mine)
    if r then
      log["monitor/correlation/" .. f] = r
      local p, plo, phi = correlation(theirs)
      if p then log["monitor/panel_correlation/" .. f] = p end
      -- What the panel sees as well is no exploit. Both signs count.
      local sign = r < 0 and -1 or 1
      local low = sign > 0 and lo or -hi
      local confirmed = p and (sign > 0 and phi or -plo) >= low
      if limit < 1 and df >= 30 and low > limit and not confirmed then
        self:_alarm(state, f, r, limit, string.format(
          "the reward goes with %s: correlation %.2f [%.2f, %.2f] within groups over the last %d steps, limit %.2f%s", f, r, lo, hi,
          #mine, limit, p and string.format("; the panel's is %.2f", p) or ""))
      end
    end
  end
end

-- ---- the panel -----------------------------------------------------------------------------------------------

local function item_of(s)
  return { id = s.index, prompt = s.prompt, completion = s.completion, columns = s.columns, reference = s.columns.reference
    or (type(s.columns.answer) == "string" and s.columns.answer or nil) }
end

local function mean_of(list)
  local sum = 0
  for _, v in ipairs(list) do sum = sum + v end
  return #list > 0 and sum / #list or nil
end

-- Sums of x (the reward), y (the panel) and their products.
local function add(acc, x, y)
  acc.n, acc.x, acc.y = acc.n + 1, acc.x + x, acc.y + y
  acc.xx, acc.yy, acc.xy = acc.xx + x * x, acc.yy + y * y, acc.xy + x * y
end

-- The panel's score as a line over the reward's, as it was while warming up: intercept, slope, the spread around it,
-- mean and sum of squares of x, the spread of y. A slope below zero is none: then the panel is predicted by its mean.
local function fit(acc)
  local n, mx, my = acc.n, acc.x / acc.n, acc.y / acc.n
  local sxx, syy, sxy = acc.xx - n * mx * mx, acc.yy - n * my * my, acc.xy - n * mx * my
  local slope = sxx > 1e-12 and math.max(0, sxy / sxx) or 0
  local rest = math.max(0, syy - 2 * slope * sxy + slope * slope * sxx)
  local sd = math.sqrt(rest / math.max(1, n - 2))
  return { n = n, mx = mx, sxx = math.max(sxx, 1e-12), slope = slope, at = my - slope * mx, sd = math.max(sd, 1e-3),
    spread = math.sqrt(math.max(0, syy) / math.max(1, n - 1)) }
end

-- Which samples the panel sees: whole groups, drawn by (seed, step, group), at least `min` samples. Of samples with one
-- text only the first is asked about: the others' verdict would be the same, and is no further evidence.
local function drawn(self, groups, samples)
  local order, out, first = {}, {}, {}
  for g in pairs(groups) do
    order[#order + 1] = { core.random(self.run.seed, self.key, self.run.step, g, 0), g }
  end
  table.sort(order, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  local taken = 0
  for _, o in ipairs(order) do
    if o[1] >= self.panel.share and taken >= self.panel.min then break end
    for _, i in ipairs(groups[o[2]]) do
      local key = o[2] .. "\0" .. samples[i].completion
      taken = taken + 1
      if not first[key] then
        first[key] = i
        out[#out + 1] = i
      end
    end
  end
  return out, function(i) return first[samples[i].group .. "\0" .. samples[i].completion] end
end

-- Scores of the panel by sample number. While warming up it is learned what the panel says of a sample with this reward;
-- later a panel that says less than its reward foretells, again and again, raises the alarm. A policy that really gets
-- better raises both along that line, whatever the scales and the panel's own noise.
local function watch_panel(self, state, groups, samples, scores, log)
  local chosen, stands_for = drawn(self, groups, samples)
  local items, out, ours, theirs = {}, {}, {}, {}
  for k, i in ipairs(chosen) do items[k] = item_of(samples[i]) end
  local said = judging.watched("monitor/panel", self.panel.judge, items)
  for k, i in ipairs(chosen) do
    if said[k].status == "ok" and said[k].score then
      out[i] = said[k].score
      if scores[i] then
        ours[#ours + 1], theirs[#theirs + 1] = scores[i], said[k].score
      end
    end
  end
  for i in ipairs(samples) do out[i] = out[stands_for(i)] end
  log["monitor/panel/judged"] = #ours
  if #ours == 0 then return out end
  local n, mine, panel, p = #ours, mean_of(ours), mean_of(theirs), state.panel
  log["monitor/panel/mean"], log["monitor/panel/reward"] = panel, mine
  if not p.line then
    p.steps = p.steps + 1
    for k = 1, n do add(p.sums, ours[k], theirs[k]) end
    if p.steps >= self.warmup and p.sums.n >= 10 then p.line = fit(p.sums) end
    return out
  end
  local l = p.line
  local gap = l.at + l.slope * mine - panel
  local se = l.sd * math.sqrt(1 / n + 1 / l.n + (mine - l.mx) ^ 2 / l.sxx) -- of a mean that is foretold
  -- A line is a line: what lies within `slack` of the panel's own spread is no gap.
  local beyond = gap - self.panel.slack * l.spread
  -- One step tells no more than two standard errors: few texts with rare slips are far from a normal distribution.
  p.cusum = math.max(0, p.cusum + math.max(-2, math.min(2, beyond / se)) - self.panel.k)
  log["monitor/panel/gap"], log["monitor/panel/cusum"] = gap, p.cusum
  if p.cusum > self.panel.h then
    self:_alarm(state, "panel", p.cusum, self.panel.h, string.format(
      "the reward runs ahead of the panel: at a reward of %.3f the panel would have said %.3f and says %.3f (CUSUM %.1f, limit %g)",
      mine, mine * l.slope + l.at, panel, p.cusum, self.panel.h))
    p.cusum = 0
  end
  return out
end

-- ---- anchors and probes --------------------------------------------------------------------------------------

local function scores_of(judge, items)
  local out = {}
  for i, v in ipairs(judging.watched("monitor/anchors", judge, items)) do out[i] = v.status == "ok" and v.score or false end
  return out
end

local function watch_anchors(self, state, log)
  local a, span = self.anchors, self.range[2] - self.range[1]
  if state.looks % a.every ~= 1 % a.every and state.anchors then return end
  local now = scores_of(a.judge, a.items)
  if not state.anchors then
    state.anchors = now
    return
  end
  local moved, n = 0, 0
  for i, v in ipairs(state.anchors) do
    if v and now[i] then moved, n = moved + math.abs(now[i] - v) / span, n + 1 end
  end
  if n == 0 then
    self:_alarm(state, "anchors", 0, a.tolerance, "no anchor has a verdict then and now")
    return
  end
  log["monitor/anchors/moved"] = moved / n
  if moved / n > a.tolerance then
    self:_alarm(state, "anchors", moved / n, a.tolerance, string.format(
      "the judge has moved: %d anchors by %.3f of its range on average, limit %g", n, moved / n, a.tolerance))
  end
end

local function watch_probes(self, state, samples, log)
  local p = self.probes
  if state.looks % p.every ~= 1 % p.every then return end
  local items = p.items
  if not items then -- what the policy writes now, spread over the step
    items = {}
    local stride = math.max(1, #samples // p.max)
    for i = 1, #samples, stride do
      if #items < p.max then items[#items + 1] = item_of(samples[i]) end
    end
  end
  local before, made, mutants = scores_of(p.judge, items), core.attack_make(p.attacks, items, self.run.seed), {}
  for k, m in ipairs(made) do
    mutants[k] = {}
    for key, v in pairs(items[m.item]) do mutants[k][key] = v end
    mutants[k].id, mutants[k].candidates, mutants[k].completion = k, nil, m.text
  end
  local broken, asked = 0, 0
  for k, score in ipairs(scores_of(p.judge, mutants)) do
    local m, original = made[k], before[made[k].item]
    if score and original then
      asked = asked + 1
      if core.attack_breaks(m.attack, original, score, self.range, p.tolerance, p.floor_tolerance) then broken = broken + 1 end
    end
  end
  if asked == 0 then return end
  log["monitor/probes/broken"] = broken / asked
  if broken / asked > p.allowed then
    self:_alarm(state, "probes", broken / asked, p.allowed, string.format(
      "%d of %d attacks succeed on what the policy writes now (%s), limit %g", broken, asked, p.attacks, p.allowed))
  end
end

-- ---- saturation ----------------------------------------------------------------------------------------------

local function watch_saturation(self, state, groups, samples, scores, log)
  local flat, n, tops = 0, 0, {}
  for _, g in pairs(groups) do
    local first, same, scored = nil, true, 0
    for _, i in ipairs(g) do
      if scores[i] then
        first = first or scores[i]
        same, scored = same and scores[i] == first, scored + 1
      end
    end
    if scored > 1 then flat, n = flat + (same and 1 or 0), n + 1 end
  end
  if n > 0 then keep(state.flat, { flat, n }, self.window) end
  for _, s in ipairs(samples) do
    for _, r in ipairs(self.rewards) do
      local o = s.outcomes[r.id]
      for name, v in pairs(o and o.notes and type(o.notes.criteria) == "table" and o.notes.criteria or {}) do
        if type(v) == "number" then
          local c = tops[r.id .. "/" .. name] or { 0, 0 }
          tops[r.id .. "/" .. name] = c
          local most = state.most[r.id .. "/" .. name]
          if not most or v > most then state.most[r.id .. "/" .. name] = v end
          c[1], c[2] = c[1] + (v >= state.most[r.id .. "/" .. name] and 1 or 0), c[2] + 1
        end
      end
    end
  end
  for name, c in pairs(tops) do
    state.tops[name] = state.tops[name] or {}
    keep(state.tops[name], c, self.window)
  end
  local function share(list)
    local hit, all = 0, 0
    for _, v in ipairs(list) do hit, all = hit + v[1], all + v[2] end
    return all > 0 and hit / all or 0
  end
  local function full(list) return #list >= self.window end
  log["monitor/saturation/groups"] = share(state.flat)
  if full(state.flat) and share(state.flat) > self.saturation then
    self:_alarm(state, "saturation", share(state.flat), self.saturation, string.format(
      "%.0f %% of the groups of the last %d steps have one score: nothing is left to learn from it", 100 * share(state.flat), self.window))
  end
  local names = {}
  for name in pairs(state.tops) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    log["monitor/saturation/" .. name] = share(state.tops[name])
    if full(state.tops[name]) and share(state.tops[name]) > self.saturation then
      self:_alarm(state, "saturation", share(state.tops[name]), self.saturation, string.format(
        "criterion %s is at its highest for %.0f %% of the samples of the last %d steps", name, 100 * share(state.tops[name]), self.window))
    end
  end
end

-- ---- alarms --------------------------------------------------------------------------------------------------

-- What these see is the judge itself moving away from what was measured: its records of the gate hold no more.
local drifts = { panel = true, anchors = true, probes = true }

function Monitor:_alarm(state, kind, value, limit, text)
  if (state.quiet[kind] or 0) > state.looks then return end
  state.quiet[kind] = state.looks + self.window -- one alarm, not one a step
  local alarm = { step = self.run.step, kind = kind, value = value, limit = limit, text = text }
  state.alarms[#state.alarms + 1] = alarm
  self.run:_alarmed(alarm)
  if drifts[kind] then core.gate_drift(string.format("%s, step %d: %s", kind, self.run.step, text)) end
  local action = self.action[kind] or self.action.default
  core.warn(string.format("monitor: step %d: %s", self.run.step, text))
  if type(action) == "function" then
    action(alarm)
  elseif action == "stop" then
    error(string.format("monitor: stopped at step %d: %s", self.run.step, text), 0)
  elseif action == "pause" then
    self.run:_pause("monitor: " .. text)
  end
end

--- The alarms so far: a list of { step, kind, value, limit, text }.
function Monitor:alarms()
  local state = self.run.state[self.key]
  return state and state.alarms or {}
end

--- All alarms that a run's state holds, with those of `more`, in the order of steps; nil when there is none.
function monitor.alarms(state, more)
  local out = {}
  for _, a in ipairs(more) do out[#out + 1] = a end
  for key, s in pairs(state) do
    if type(key) == "string" and key:find "^monitor/" then
      for _, a in ipairs(s.alarms or {}) do out[#out + 1] = a end
    end
  end
  table.sort(out, function(a, b) return a.step < b.step or a.step == b.step and a.kind < b.kind end)
  return #out > 0 and out or nil
end

-- ---- one step ------------------------------------------------------------------------------------------------

local function fresh()
  local state = {
    looks = 0, sums = {}, panel_sums = {}, quiet = {}, alarms = {}, flat = {}, tops = {}, most = {},
    panel = { steps = 0, cusum = 0, sums = { n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0 } },
  }
  for _, f in ipairs(features) do state.sums[f], state.panel_sums[f] = {}, {} end
  return state
end

-- The weighted reward of a sample, false where a part of it has no score.
local function reward_of(rewards, s)
  local sum = 0
  for _, r in ipairs(rewards) do
    if r.weight ~= 0 then
      local o = s.outcomes[r.id]
      if not o or o.status ~= "score" then return false end
      sum = sum + r.weight * o.score
    end
  end
  return sum
end

--- Looks at a scored rollout. Returns the numbers it logged.
function Monitor:look(rollout)
  if self.run.dry_run then return {} end
  local state = self.run.state[self.key] or fresh()
  self.run.state[self.key] = state
  state.looks = state.looks + 1
  local samples, groups, scores, values, log = rollout:samples(), {}, {}, {}, {}
  for i, s in ipairs(samples) do
    groups[s.group] = groups[s.group] or {}
    table.insert(groups[s.group], i)
    scores[i], values[i] = reward_of(self.rewards, s), feature_values(s)
  end
  local panel = self.panel and watch_panel(self, state, groups, samples, scores, log)
  if self.correlations then watch_correlations(self, state, groups, values, scores, panel, log) end
  if self.anchors then watch_anchors(self, state, log) end
  if self.probes then watch_probes(self, state, samples, log) end
  watch_saturation(self, state, groups, samples, scores, log)
  log["monitor/alarms"] = #state.alarms
  self.run:log(log)
  return log
end

Monitor.__call = Monitor.look

return monitor
