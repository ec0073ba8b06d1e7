--- What every run watches of itself, in plain words: eight signs that training has gone wrong without failing.
--
--   hone.run { name = "x", alarms = { entropy = 0.95, truncated = false, action = { mismatch = "stop" } } }
--
-- They look at the numbers of each step that metrics.jsonl has anyway, and at how rewards and lengths spread within groups
-- (rollout_spread.c). Each compares a value with its limit over the last steps and is told when the value is beyond it; then
-- again only after it was well in between. Nothing is stopped unless the recipe says so. State lies in checkpoints: a resumed
-- run tells what an uninterrupted one would. run:monitor (monitor.lua) watches judges, with panels and probes; this needs none.

local core = require "hone.core"
local monitor = require "hone.monitor"

local Alarms = {}
Alarms.__index = Alarms

local alarms = {}

-- Limits, all "alarm when above": a number, or false for none.
local defaults = {
  length = 0.8,     -- correlation of reward and length within groups, by the lower end of its interval, while both rise
  entropy = 0.9,    -- share of the entropy of the first steps that is gone, while most groups are not solved
  equal = 0.95,     -- share of the groups whose samples all have one reward
  kl = 1.0,         -- nats a token, from the reference (or the sampler)
  truncated = 0.5,  -- share of the completions that were cut at max_tokens
  mismatch = 0.05,  -- nats a token between sampler and trainer
  drowned = 0.999,  -- share that the others have of what makes advantages differ, where a reward differs itself
  variance = 0.99,  -- share of the reward's variance in the first steps that is gone
}
local kinds = { "drowned", "entropy", "equal", "kl", "length", "mismatch", "truncated", "variance" }
local actions = { warn = true, pause = true, stop = true }

-- ---- settings ------------------------------------------------------------------------------------------------

local function check_action(v)
  if type(v) ~= "function" and not actions[v] then
    error("alarms: action is \"warn\", \"pause\", \"stop\" or a function(alarm), not " .. tostring(v), 0)
  end
  return v
end

local function read_action(given)
  if type(given) ~= "table" then return { default = check_action(given == nil and "warn" or given) } end
  local out = { default = "warn" }
  for k, v in pairs(given) do
    if k ~= "default" and defaults[k] == nil then
      error("alarms: action: \"" .. tostring(k) .. "\" is no alarm; they are default, " .. table.concat(kinds, ", "), 0)
    end
    out[k] = check_action(v)
  end
  return out
end

--- Called by hone.run. config: false (none), true or nil (the defaults), or limits by name, window (steps that a sign is looked for in,
-- 20) and action ("warn", "pause", "stop", function(alarm), or a table of those by name).
function alarms.open(run, config)
  local self = setmetatable({ run = run, limits = {}, window = 20, state = nil }, Alarms)
  if config == false then return self end
  if config ~= nil and config ~= true and type(config) ~= "table" then error("run: alarms is a table of limits, or false", 0) end
  for k, v in pairs(defaults) do self.limits[k] = v end
  for k, v in pairs(type(config) == "table" and config or {}) do
    if k == "window" then
      if type(v) ~= "number" or v < 2 or v ~= math.floor(v) then error("alarms: window is a whole number of 2 or more", 0) end
      self.window = v
    elseif k ~= "action" then
      if defaults[k] == nil then
        error("alarms: there is no alarm \"" .. tostring(k) .. "\"; they are " .. table.concat(kinds, ", ") .. ", with window and action", 0)
      end
      if v ~= false and (type(v) ~= "number" or v ~= v) then error("alarms: " .. k .. " is a number, or false for none, not " .. tostring(v), 0) end
      self.limits[k] = v or nil
    end
  end
  self.action = read_action(type(config) == "table" and config.action or nil)
  self.state = { looks = 0, list = {}, on = {}, first = {}, last = {} }
  return self
end

-- ---- what is remembered --------------------------------------------------------------------------------------

-- The values of the last steps, and the mean of the first ones.
local function remember(self, key, value)
  local last, first = self.state.last, self.state.first
  last[key] = last[key] or {}
  table.insert(last[key], value)
  if #last[key] > self.window then table.remove(last[key], 1) end
  if type(value) ~= "number" then return end
  first[key] = first[key] or { n = 0, sum = 0 }
  if first[key].n < self.window then first[key].n, first[key].sum = first[key].n + 1, first[key].sum + value end
end

-- The mean of the last n values (all that are kept), nil where there are fewer; the mean of the first.
local function recent(self, key, n)
  local list, sum = self.state.last[key] or {}, 0
  n = n or self.window
  if #list < n then return nil end
  for i = #list - n + 1, #list do sum = sum + list[i] end
  return sum / n
end

local function begin(self, key)
  local f = self.state.first[key]
  return f and f.n >= self.window and f.sum / f.n or nil
end

-- ---- the signs -----------------------------------------------------------------------------------------------

-- Each returns its value and the words for it; nil where there is nothing to tell.
local signs = {}

function signs.length(self)
  local sums = self.state.last.products or {}
  local was, now, earlier, later = begin(self, "length/mean"), recent(self, "length/mean"), begin(self, "reward/mean"), recent(self, "reward/mean")
  if #sums < self.window or not (was and earlier) or now < 1.1 * was or later <= earlier then return nil end
  local r, lo = monitor.correlation(sums)
  return lo, r and string.format("the reward rises with length: within groups their correlation is %.2f over the last %d steps, and since the first "
    .. "steps completions grew from %.0f to %.0f tokens and the reward from %.3f to %.3f. Look whether longer answers are better ones", r, #sums, was, now,
    earlier, later)
end

function signs.entropy(self)
  local was, now, solved = begin(self, "entropy"), recent(self, "entropy"), recent(self, "group/all_pass")
  if not was or was <= 0 or (solved and solved > 0.5) then return nil end
  return 1 - now / was, string.format("the entropy has collapsed: %.3g nats a token over the last %d steps, %.3g at the beginning. Samples hardly "
    .. "differ any more, so little new is found; a smaller lr, a KL or entropy term, or a higher clip bound keeps it up", now, self.window, was)
end

function signs.equal(self)
  local equal = recent(self, "group/zero_std")
  if not equal then return nil end
  local pass, fail = recent(self, "group/all_pass") or 0, recent(self, "group/all_fail") or 0
  local why = pass > 0.5 and "most are all right: the prompts are too easy" or fail > 0.5 and "most are all wrong: the prompts are too hard, or the reward misses them"
    or "the reward does not tell samples of a prompt apart"
  return equal, string.format("%.0f %% of the groups of the last %d steps have one reward for all their samples, and teach nothing; %s", 100 * equal, self.window, why)
end

function signs.kl(self)
  local few = math.min(5, self.window)
  local kl = recent(self, "kl/k1", few)
  return kl, kl and string.format("the policy runs away: its KL is %.2f nats a token over the last %d steps. A smaller lr, or a KL term, holds it", kl, few)
end

function signs.truncated(self)
  local cut = recent(self, "length/truncated")
  return cut, cut and string.format("%.0f %% of the completions of the last %d steps were cut at the token limit, so their ends were not seen; raise max_tokens",
    100 * cut, self.window)
end

function signs.mismatch(self)
  local few = math.min(3, self.window)
  local m = recent(self, "mismatch/mean", few)
  return m, m and string.format("sampler and trainer disagree by %.3f nats a token over the last %d steps: what is trained is not what was drawn. "
    .. "Is the temperature of both the same, are weights for sampling rounded, was the policy changed between?", m, few)
end

-- Looked at where a reward differs within a group at all: one that seldom has something to say is not drowned by that.
function signs.drowned(self)
  local list, sums, most, who = self.state.last.parts or {}, {}, nil, nil
  if #list < self.window then return nil end
  for _, parts in ipairs(list) do
    for id, v in pairs(parts) do
      local s = sums[id] or { 0, 0, 0 }
      sums[id] = { s[1] + v[1], s[2] + v[2], s[3] + v[3] }
    end
  end
  for id, s in pairs(sums) do
    local share = s[3] >= self.window and 1 - s[1] / s[2] or nil
    if share and (not most or share > most or share == most and id < who) then most, who = share, id end
  end
  return most, most and string.format("the reward %s is drowned by the others: it has %.2g %% of what makes advantages differ where it differs itself "
    .. "(%d groups of the last %d steps). Weigh or normalise the rewards anew", who, 100 * (1 - most), sums[who][3], #list)
end

function signs.variance(self)
  local was, now = begin(self, "reward/std"), recent(self, "reward/std")
  if not was or was <= 0 then return nil end
  return 1 - (now / was) ^ 2, string.format("the reward hardly varies any more: its standard deviation is %.2g over the last %d steps, %.2g at the beginning, "
    .. "its mean %.3f", now, self.window, was, recent(self, "reward/mean") or 0)
end

-- ---- one step ------------------------------------------------------------------------------------------------

local watched = { "entropy", "group/all_fail", "group/all_pass", "group/zero_std", "kl/k1", "length/mean", "length/truncated", "mismatch/mean",
  "reward/mean", "reward/std" }

local function tell(self, kind, value, limit, text)
  local alarm = { step = self.run.step, kind = kind, value = value, limit = limit, text = text }
  table.insert(self.state.list, alarm)
  core.warn(string.format("alarm: step %d: %s", alarm.step, text))
  self.run:_alarmed(alarm)
  local action = self.action[kind] or self.action.default
  if type(action) == "function" then
    action(alarm)
  elseif action == "stop" then
    error(string.format("alarm: stopped at step %d: %s", alarm.step, text), 0)
  elseif action == "pause" then
    self.run:_pause("alarm: " .. text)
  end
end

--- Looks at a step that ends: its numbers, and the spreads of its rollouts.
function Alarms:look(metrics, spreads)
  local state = self.state
  if not state then return end
  state.looks = state.looks + 1
  for _, key in ipairs(watched) do
    local drawn = key ~= "entropy" or #spreads > 0 -- that of given rows is meant to fall
    if drawn and metrics[key] and metrics[key] == metrics[key] then remember(self, key, metrics[key]) end
  end
  for _, s in ipairs(spreads) do
    remember(self, "products", { s.df, s.length, s.reward, s.both })
    remember(self, "parts", s.parts)
  end
  for _, kind in ipairs(kinds) do
    local limit = self.limits[kind]
    if limit then
      local value, text = signs[kind](self)
      if value and value == value then
        local above = value > limit
        if above and not state.on[kind] then
          state.on[kind] = true
          tell(self, kind, value, limit, text)
        elseif not above and value <= 0.9 * limit then
          state.on[kind] = nil
        end
      end
    end
  end
end

--- What a checkpoint keeps, and back.
function Alarms:save()
  return self.state
end

function Alarms:load(saved)
  if not (self.state and saved) then return end
  self.state = saved
  for _, k in ipairs { "list", "on", "first", "last" } do saved[k] = saved[k] or {} end -- an empty table may be gone
end

return alarms
