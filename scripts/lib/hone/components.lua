--- Components: a plugin's by name, or written in Lua. Both are seen by the host through the same vtables.

local core = require "hone.core"

local components = {}

local host_keys = { weight = true, timeout = true, id = true, gate = true, permute = true }

-- The component's own settings, without those of the host.
local function own(settings)
  local out = {}
  for k, v in pairs(settings or {}) do
    if not host_keys[k] then out[k] = v end
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

function components.component(t)
  return { component = core.lua_component(t, t.kind) }
end

--- Returns { component, id =, weight =, timeout = }, what a scorer is made of.
function components.reward(name, settings)
  local component, t
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
    component = core.component("reward", name, own(t))
  end
  local by_name = type(name) == "string" and not name:find("/", 1, true) and not name:find("%.so$")
  local id = t.id or (by_name and name) or core.component_id(component)
  return { component, id = id, weight = t.weight or 1.0, timeout = t.timeout, reward = true }
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

function components.resolve_objective(spec)
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
    return { component = core.tape_objective(name.loss, name.uses or { "old_logp", "advantage" }) }
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

function components.optimizer(name, settings)
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
function components.tokenizer(what)
  if type(what) == "table" and what.ud then return setmetatable({ ud = what.ud }, Tokenizer) end
  local ud, facts = core.tokenizer(what)
  facts.ud = ud
  return setmetatable(facts, Tokenizer)
end

return components
