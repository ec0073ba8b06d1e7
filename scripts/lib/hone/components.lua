--- Components: a plugin's by name, or written in Lua. Both are seen by the host through the same vtables.

local core = require "hone.core"
local kinds = require "hone.kinds"

local components = {}

local host_keys = {
  weight = true, timeout = true, id = true, permute = true, concurrency = true, batch = true, retries = true, gate = true,
  cache = true, normalize = true, on_outcome = true, watch = true,
}

-- The component's own settings, without those of the host. `cache` is the host's as a truth value; a number is a setting of the
-- component's (soft_overlong has one of that name).
local function own(settings)
  local out = {}
  for k, v in pairs(settings or {}) do
    if not host_keys[k] or k == "cache" and type(v) ~= "boolean" then out[k] = v end
  end
  return out
end

local function has_function(t)
  for _, v in pairs(t) do
    if type(v) == "function" then return true end
  end
  return false
end

--- A text that is the same for equal settings, to find a component made before.
local function key_of(v)
  if type(v) ~= "table" then return type(v) .. ":" .. tostring(v) end
  local keys = {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  local parts = {}
  for _, k in ipairs(keys) do parts[#parts + 1] = tostring(k) .. "=" .. key_of(v[k]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A component that was made: its calls are methods, c:close() lets it go, c:interface(id) gives another of its
-- interfaces. Arrays are lists, structs tables; counts, strides and the instance are filled in.
local Component = {}

local methods = {
  close = function(c)
    for _, h in pairs(rawget(c, "handles")) do h:close() end
  end,
  interface = function(c, id)
    local handles = rawget(c, "handles")
    id = id or rawget(c, "iface")
    if not handles[id] then handles[id] = core.interface(rawget(c, "component"), id) end
    return handles[id]
  end,
}

function Component:__index(name)
  if methods[name] then return methods[name] end
  local handle = methods.interface(self)
  local fn = handle[name]
  local function method(_, ...) return fn(handle, ...) end
  rawset(self, name, method)
  return method
end

local function wrap(ud)
  local _, _, id, iface = core.component_id(ud)
  return setmetatable({ component = ud, id = id, iface = iface, handles = {} }, Component)
end

--- Was this made by hone.component, hone.judge, ...?
function components.is(v)
  return getmetatable(v) == Component
end

-- Components among settings are named by their ids.
local function by_id(settings)
  local out = {}
  for k, v in pairs(settings) do
    if getmetatable(v) == Component then v = rawget(v, "named") or v.id end
    out[k] = v
  end
  return out
end

--- hone.component { kind = ..., id = ..., ... }: one written in Lua. hone.component(kind, name, settings): any that
-- there is, of hone's kinds or a third party's; its calls are methods of what is returned.
function components.component(t, name, settings)
  if type(t) == "table" then return wrap(core.lua_component(kinds.expand(t), t.kind)) end
  return wrap(core.component(t, name, by_id(settings or {})))
end

--- A judge: a plugin's by name, with settings, or one written in Lua (judge = function(items) ... end). It goes where a
-- judge is asked for: hone.reward("judge", { judge = j }).
function components.judge(name, settings)
  if getmetatable(name) == Component then return name end
  if type(name) == "table" then
    local j, recipe = wrap(core.lua_component(kinds.expand(name, "judge"), "judge")), core.options().recipe
    local file = type(name.judge) == "function" and core.file_of(name.judge) or recipe -- where it is written, whoever loads that
    rawset(j, "source", { version = name.version, file = file and core.file_sha256(file) or nil })
    return j
  end
  if type(name) == "string" and name:find "%.lua$" then return components.judge_file(name, settings) end
  local own = by_id(settings or {})
  local j = wrap(core.component("judge", name, own))
  own.component = name
  j.named = own -- another instance is made where it is asked for, with the same settings
  return j
end

--- hone.judge("FILE.lua"): data, a table of settings whose `judge` names the component ("rubric" when it does not); or code
-- that returns a judge.
function components.judge_file(path, settings)
  local ok, data = pcall(core.data_file, path)
  if ok then
    local own, name = {}, "rubric"
    for k, v in pairs(data) do
      if k == "judge" then name = v else own[k] = v end
    end
    for k, v in pairs(settings or {}) do own[k] = v end
    return components.judge(name, own)
  end
  if type(data) ~= "userdata" and type(data) ~= "table" or data.code ~= "E_SCRIPT" then error(data, 0) end
  local chunk, why = load(core.read_file(path), "@" .. path, "t")
  if not chunk then error(why, 0) end
  local j = chunk()
  if not components.is(j) or j.iface ~= "hone.judge/1" then error(path .. ": a judge is to be returned, not a " .. type(j), 0) end
  return j
end

--- A sink, which a run's events go to: a plugin's by name, with settings, or one written in Lua (event =
-- function(kind, fields) ... end). hone.run { sinks = { s } } feeds it.
function components.sink(name, settings)
  if type(name) ~= "table" then return wrap(core.component("sink", name, by_id(settings or {}))) end
  return getmetatable(name) == Component and name or wrap(core.lua_component(name, "sink"))
end

--- Changes settings of a reward or another plugin's component between its calls: those that it marks as live.
-- hone.set(reward, { factor = 0.5 }).
function components.set(c, settings)
  if getmetatable(c) == Component then
    core.component_set(rawget(c, "component"), settings)
    local named = rawget(c, "named")
    for k, v in pairs(named and settings or {}) do named[k] = v end
  elseif type(c) == "table" and c.reward then
    core.component_set(c[1], settings)
    for _, other in ipairs(c.more or {}) do core.component_set(other, settings) end
  else
    error("hone.set: a reward or a component is wanted, not a " .. type(c), 2)
  end
  components.changes = (components.changes or 0) + 1 -- scorers know the settings that they were made with
end

-- gate = "format", or { "format", at = 0.5, otherwise = -1 }.
local function read_gate(id, gate)
  if gate == nil then return nil, nil, nil end
  if type(gate) == "string" then gate = { gate } end
  if type(gate) ~= "table" or type(gate[1]) ~= "string" then
    error("reward " .. id .. ": gate is the id of another reward, or { id, at = number, otherwise = number }", 0)
  end
  for k in pairs(gate) do
    if k ~= 1 and k ~= "at" and k ~= "otherwise" then
      error("reward " .. id .. ": gate has no setting \"" .. tostring(k) .. "\"; it has at and otherwise", 0)
    end
  end
  return gate[1], gate.at, gate.otherwise
end

-- normalize = "running", or { "running", center = false, clip = 5 }.
local function read_normalize(id, spec)
  if spec == nil or spec == false then return nil end
  if type(spec) == "string" then spec = { spec } end
  if type(spec) ~= "table" or spec[1] ~= "running" then
    error("reward " .. id .. ": normalize is \"running\", or { \"running\", center = false, clip = number }", 0)
  end
  if spec.clip ~= nil and (type(spec.clip) ~= "number" or not (spec.clip > 0)) then
    error("reward " .. id .. ": normalize: clip is a number above 0", 0)
  end
  return { center = spec.center ~= false, clip = spec.clip or 0 }
end

--- A judge as a reward: hone.reward(j, { weight = 1, reference = "column" }). group = true asks it once about all
-- samples of a prompt (a tournament, a listwise judge): strengths count, or places from 1 (best) to 0.
function components.judged(j, settings)
  local t = { id = j.id:match "[^.]+$" }
  for k, v in pairs(settings or {}) do t[k] = v end
  if not t.group then
    t.judge = j
    return components.reward("judge", t)
  end
  t.group = nil
  t.score_groups = require "hone.choose".group_scores(j, t.reference)
  t.reference = nil
  return components.reward(t)
end

--- Returns { component, id =, weight =, timeout =, ... }, what a scorer is made of.
function components.reward(name, settings)
  local component, t, again
  if getmetatable(name) == Component and name.iface == "hone.judge/1" then return components.judged(name, settings) end
  if getmetatable(name) == Component then name = { component = name.component } end
  if type(name) == "table" then
    t = name
    if t.component then
      component = t.component
    else
      local spec = own(t)
      spec.id = t.id
      component = core.lua_component(spec, "reward")
    end
  else
    t = settings or {}
    local spec = by_id(own(t))
    component = core.component("reward", name, spec)
    again = function() return core.component("reward", name, spec) end
  end
  local by_name = type(name) == "string" and not name:find("/", 1, true) and not name:find("%.so$")
  local id = t.id or (by_name and name) or core.component_id(component)
  if t.on_outcome ~= nil and type(t.on_outcome) ~= "function" then
    error("reward " .. id .. ": on_outcome is a function(outcome, sample), not a " .. type(t.on_outcome), 0)
  end
  -- What is not REENTRANT works on several batches at once as several instances.
  local more
  if again and (t.concurrency or 0) > 1 and not core.component_reentrant(component) then
    more = {}
    for i = 2, t.concurrency do more[i - 1] = again() end
  end
  if t.watch and (t.on_outcome or t.normalize or t.weight and t.weight ~= 0) then
    error("reward " .. id .. ": watch = true is for metrics and files alone: leave weight, on_outcome and normalize out", 0)
  end
  local gate, at, otherwise = read_gate(id, t.gate)
  local remembered = t.cache
  if type(remembered) ~= "boolean" then remembered = nil end
  return {
    component, id = id, weight = t.watch and 0.0 or t.weight or 1.0, watch = t.watch and true or nil, timeout = t.timeout, reward = true, more = more,
    concurrency = t.concurrency, batch = t.batch, retries = t.retries, cache = remembered,
    gate = gate, gate_at = at, otherwise = otherwise,
    normalize = read_normalize(id, t.normalize), on_outcome = t.on_outcome,
  }
end

-- Mean and variance of all numbers so far: Welford's update, one sample after the other.
local function add_to(state, v)
  state.n = state.n + 1
  local d = v - state.mean
  state.mean = state.mean + d / state.n
  state.m2 = state.m2 + d * (v - state.mean)
end

--- What is done to the outcomes of a rollout before anybody sees them: on_outcome of each reward, which may replace
-- them, then normalisation. `states` is the run's: { [id] = { n, mean, m2 } }, saved in its checkpoints.
function components.treat(rewards, ud, states)
  local list
  for i, r in ipairs(rewards or {}) do
    if r.on_outcome or r.normalize then list = list or core.rollout_samples(ud) end
    if r.on_outcome then
      for k, s in ipairs(list) do
        local o = s.outcomes[r.id]
        local new = core.call("on_outcome of " .. r.id, "it returns nil, a number or hone.abstain", r.on_outcome, o, s)
        if type(new) == "number" then
          core.rollout_outcome(ud, i, k, new)
          o.status, o.score = "score", new
        elseif new == core.abstain then
          core.rollout_outcome(ud, i, k, new)
          o.status, o.score = "abstain", nil
        elseif new ~= nil then
          error("reward " .. r.id .. ": on_outcome returned a " .. type(new) .. "; nil, a number or hone.abstain is wanted", 0)
        end
      end
    end
    if r.normalize then
      local state = states[r.id] or { n = 0, mean = 0.0, m2 = 0.0 }
      states[r.id] = state
      for _, s in ipairs(list) do
        local o = s.outcomes[r.id]
        if o.status == "score" then add_to(state, o.score) end
      end
      local std = state.n > 1 and math.sqrt(state.m2 / (state.n - 1)) or 0
      r.shift = r.normalize.center and state.mean or 0
      r.scale = std > 1e-8 and 1 / std or 1
      core.rollout_normalize(ud, i, r.shift, r.scale, r.normalize.clip)
    end
  end
end

--- A score as it counts in rewards and advantages.
function components.counted(r, score)
  if not r.normalize then return score end
  local v = (score - (r.shift or 0)) * (r.scale or 1)
  local clip = r.normalize.clip
  return clip > 0 and math.max(-clip, math.min(clip, v)) or v
end

-- "name", { "name", key = value }, or what hone.objective and hone.advantage return.
local function resolve(kind, prefix, spec, cache)
  if type(spec) == "userdata" then return spec end
  if type(spec) == "table" and spec.component then return spec.component end
  local name, settings = spec, {}
  if type(spec) == "table" then
    name = spec[1] or spec.name
    for k, v in pairs(spec) do
      if k ~= 1 and k ~= "name" then settings[k] = v end
    end
  end
  if type(name) ~= "string" then error(kind .. ": a name is wanted, for instance \"grpo\"", 0) end
  local key = prefix .. name .. key_of(settings)
  if not cache[key] then
    local full = name:find("%.") and name or prefix .. name
    cache[key] = core.component("objective", full, settings)
  end
  return cache[key]
end

local objectives, advantages, functions = {}, {}, setmetatable({}, { __mode = "k" })

-- { { "dpo", beta = .1 }, { "sft", weight = .2 } }: a weighted sum of losses.
local function objective_sum(spec)
  local terms = {}
  for i, term in ipairs(spec) do
    local own, weight = term, 1
    if type(term) == "table" and not term.component then
      own = {}
      for k, v in pairs(term) do own[k] = v end
      weight, own.weight = own.weight or 1, nil
    end
    if type(weight) ~= "number" then error("objective: the weight of loss " .. i .. " is a number", 0) end
    local name = type(own) == "table" and (own[1] or own.name) or own
    terms[i] = { components.resolve_objective(own), weight, type(name) == "string" and name or tostring(i) }
  end
  local keys = {}
  for i, t in ipairs(terms) do keys[i] = tostring(t[1]) .. "*" .. t[2] end
  local key = table.concat(keys, "+")
  if not objectives[key] then objectives[key] = core.objective_sum(terms) end
  return objectives[key]
end

function components.resolve_objective(spec)
  if type(spec) == "table" and type(spec[1]) ~= "string" and spec[1] ~= nil then return objective_sum(spec) end
  if type(spec) == "function" then
    if not functions[spec] then functions[spec] = core.tape_objective(spec, { "old_logp", "advantage" }) end
    return functions[spec]
  end
  return resolve("objective", "org.hone.objective.", spec, objectives)
end

function components.resolve_advantage(spec)
  return resolve("advantage", "org.hone.advantage.", spec, advantages)
end

--- hone.objective("dapo", { eps_high = 0.28 }), or
--- hone.objective { uses = { "ref_logp" }, loss = function(b) ... end } over tensors.
function components.objective(name, settings)
  if type(name) == "function" then return { component = core.tape_objective(name, { "old_logp", "advantage" }) } end
  if type(name) == "table" and type(name.loss) == "function" and not name.id then
    return { component = core.tape_objective(name.loss, name.uses or { "old_logp", "advantage" }, nil, name.beta, name.temperature) }
  end
  if type(name) == "table" and has_function(name) then
    return { component = core.lua_component(name, "objective") }
  end
  local spec = { name }
  for k, v in pairs(settings or {}) do spec[k] = v end
  return { component = components.resolve_objective(spec) }
end

function components.advantage(name, settings)
  if type(name) == "function" then return name end
  local spec = { name }
  for k, v in pairs(settings or {}) do spec[k] = v end
  return { component = components.resolve_advantage(spec) }
end

local models = 0

function components.model(t)
  local spec = {}
  for k, v in pairs(t) do spec[k] = v end
  spec.config = nil
  models = models + 1
  spec.id = spec.id or (models == 1 and "model" or "model" .. models)
  return { component = core.lua_component(spec, "model"), config = t.config or {}, model = true }
end

--- Settings of an optimizer: hone.optimizer("adamw", { lr = 1e-5 }), or one written in Lua, hone.optimizer({ id = "mine",
-- buffers = { "exp_avg" }, step = function(slices, info) ... end }, { lr = 1e-5 }).
function components.optimizer(name, settings)
  if type(name) == "table" then name = wrap(core.lua_component(name, "optimizer")).id end
  local out = { name }
  for k, v in pairs(settings or {}) do out[k] = v end
  return out
end

local Tokenizer = {}
Tokenizer.__index = Tokenizer

--- Ids of a text. special: special tokens written in it count as such, and the tokenizer's own (bos) are added.
function Tokenizer:encode(text, special)
  return core.encode(self.ud, text, special or false)
end

--- Text of ids; skip_special leaves out special tokens.
function Tokenizer:decode(ids, skip_special)
  return core.decode(self.ud, ids, skip_special or false)
end

--- The bytes that each id (or each token of a text) stands for.
function Tokenizer:pieces(what)
  if type(what) == "string" then what = self:encode(what) end
  return core.pieces(self.ud, what)
end

--- The id of a token by its text in the vocabulary ("<|im_end|>"), or nil.
function Tokenizer:id(text)
  return core.token_id(self.ud, text)
end

--- hone.tokenizer(M): a model folder, a GGUF file, a tokenizer.json, a known name, or a policy. Besides the methods
-- it has vocab_size, bos, eos, pad, unk (nil where there is none) and fingerprint.
-- What hone.component gave, or a table with the functions of one.
function components.tokenizer(what)
  if type(what) == "table" and getmetatable(what) ~= Component and not what.ud then
    what = wrap(core.lua_component(kinds.expand(what, "tokenizer"), "tokenizer"))
  end
  if getmetatable(what) == Component then what = what.component end
  if type(what) == "table" and what.ud then return setmetatable({ ud = what.ud }, Tokenizer) end
  local ud, facts = core.tokenizer(what)
  facts.ud = ud
  return setmetatable(facts, Tokenizer)
end

return components
