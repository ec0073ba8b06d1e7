--- Rollouts: the samples of one step.

local components = require "hone.components"
local core = require "hone.core"
local json = require "hone.json"

local Rollout = {}
Rollout.__index = Rollout

local rollout = {}

function rollout.wrap(run, ud, rewards, environment)
  return setmetatable({ run = run, ud = ud, rewards = rewards, environment = environment }, Rollout)
end

function rollout.is(v)
  return getmetatable(v) == Rollout
end

--- Counts and times.
function Rollout:info()
  return core.rollout_info(self.ud)
end

--- Scores the samples (again) with other rewards; advantages are forgotten.
function Rollout:score(rewards)
  core.rollout_score(self.ud, rollout.scorer_of(rewards))
  if not self.run.dry_run then components.treat(rewards, self.ud, self.run.normal) end
  self.rewards, self.has_advantages = rewards, false
  return self
end

--- All samples: { completion, prompt, ids, logprobs, finish, n_tokens, columns, outcomes, reward, advantage, group }.
-- An outcome: { status, score, reason, notes }.
function Rollout:samples()
  local samples = core.rollout_samples(self.ud)
  for _, s in ipairs(samples) do
    for _, o in pairs(s.outcomes) do
      if o.notes then o.notes = json.decode(o.notes) end
    end
  end
  return samples
end

--- The same, a list for each prompt.
function Rollout:groups()
  local groups = {}
  for _, s in ipairs(self:samples()) do
    groups[s.group] = groups[s.group] or {}
    table.insert(groups[s.group], s)
  end
  return groups
end

--- A list of fn(sample), and of the samples for which fn(sample) is true.
function Rollout:map(fn)
  local out = {}
  for i, s in ipairs(self:samples()) do out[i] = fn(s) end
  return out
end

function Rollout:filter(fn)
  local out = {}
  for _, s in ipairs(self:samples()) do
    if fn(s) then out[#out + 1] = s end
  end
  return out
end

-- The weighted reward of a sample, or nil when a weighted reward did not score it.
local function combined(rewards, s, environment)
  local sum = 0
  if environment and environment.weight ~= 0 then
    local o = s.outcomes[environment.id]
    if not o or o.status ~= "score" then return nil end
    sum = environment.weight * o.score
  end
  for _, r in ipairs(rewards) do
    if r.weight ~= 0 then
      local o = s.outcomes[r.id]
      if not o or o.status ~= "score" then return nil end
      sum = sum + r.weight * components.counted(r, o.score)
    end
  end
  return sum
end

local function wrong(fn, text, ...)
  error("advantage: " .. core.where(fn) .. ": " .. string.format(text, ...), 0)
end

-- What each sample's reward is compared with: a number a prompt, or another rollout of the same prompts (the greedy one).
local function baselines(self, spec)
  local per_prompt = spec
  if rollout.is(spec) then
    per_prompt = {}
    for i, g in ipairs(spec:groups()) do
      local sum = 0
      for _, s in ipairs(g) do
        sum = sum + (combined(spec.rewards or {}, s, spec.environment) or error("advantage: a sample of the baseline has no reward", 0))
      end
      per_prompt[i] = sum / #g
    end
  end
  local out = {}
  for i, s in ipairs(self:samples()) do
    out[i] = per_prompt[s.group] or error("advantage: the baseline has no number for prompt " .. s.group, 0)
  end
  return out
end

--- Turns outcomes into advantages: a name, { "group", scale = "batch" }, or function(groups) that gets a list of
-- lists of samples (with .reward, nil where one is missing) and returns a list of lists of numbers (false: left out).
-- Among the settings of a name: teacher or reference = policy, whose log-probs it reads (opd; beta, the KL in the reward;
-- reference = "adapter_off": the policy's own base), baseline = a rollout or a number a prompt (remax),
-- and critic = a policy with a head of one number (gae; else it is the policy that is updated).
function Rollout:advantages(spec, policy)
  if self.run.dry_run then spec = "group" end -- there are no rewards to make advantages of
  if type(spec) ~= "function" then
    local other, off, base
    local critic = policy
    if type(spec) == "table" and not spec.component then
      local own = {}
      for k, v in pairs(spec) do own[k] = v end
      other, base = own.teacher or own.reference, own.baseline
      critic = own.critic or critic
      own.teacher, own.reference, own.baseline, own.critic = nil, nil, nil, nil
      if critic ~= nil and (type(critic) ~= "table" or not critic.ud) then error("advantage: critic is a policy, not a " .. type(critic), 0) end
      if other == "adapter_off" then
        other, off = policy, true
      end
      if other ~= nil and (type(other) ~= "table" or not other.ud) then
        error("advantage: teacher and reference are policies (or \"adapter_off\"), not a " .. type(other), 0)
      end
      spec = own
    end
    core.rollout_advantages(self.ud, components.resolve_advantage(spec), other and other.ud, off or false,
      base and baselines(self, base), critic and critic.ud)
    self.has_advantages = true
    return self
  end
  local groups = self:groups()
  for _, g in ipairs(groups) do
    for _, s in ipairs(g) do s.reward = combined(self.rewards or {}, s, self.environment) end
  end
  local hint = "it gets lists of samples with reward (nil where one is missing) and returns lists of numbers of the same "
    .. "shape; false leaves a sample out"
  local result, rewards, values = core.call("advantage", hint, spec, groups), {}, {}
  if type(result) ~= "table" then wrong(spec, "it returned a %s. %s", type(result), hint) end
  for i, g in ipairs(groups) do
    if type(result[i]) ~= "table" then wrong(spec, "entry %d is a %s. %s", i, type(result[i]), hint) end
    for j, s in ipairs(g) do
      local a = result[i][j]
      if a and (type(a) ~= "number" or a ~= a or a == math.huge or a == -math.huge) then
        wrong(spec, "group %d, sample %d: %s is no number. %s", i, j, tostring(a), hint)
      end
      rewards[#rewards + 1] = s.reward or false
      values[#values + 1] = s.reward ~= nil and a or false
    end
  end
  core.rollout_set(self.ud, rewards, values)
  self.has_advantages = true
  return self
end

-- Metrics and samples join the step in progress. exact: an objective has computed the step's entropy.
function Rollout:_record(exact)
  core.rollout_record(self.ud, exact)
end

return rollout
