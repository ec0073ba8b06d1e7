--- Environments: what answers a policy's turns (draft.environment/1; sdk/include/hone/environment.h).
-- hone.environment(name, settings) takes a plugin's; hone.environment { id = ..., reset =, step = } is one written in Lua, for
-- all episodes of a call at once; hone.environment { id = ..., play = function(episode, say) ... end } is one episode as a
-- story: it begins each as a coroutine, and say(text, reward) gives the policy something to read and returns its next action.
-- The table that is returned goes to policy:rollout and policy:eval as `environment`.

local components = require "hone.components"
local core = require "hone.core"
local json = require "hone.json"
local kinds = require "hone.kinds"

local environment = {}

local ON, DONE, ERROR = 1, 2, 3
local answer_keys = { text = true, reward = true, done = true, role = true, error = true }

-- What a function returned for one item, as the interface has it.
local function observation(name, v, i)
  if v == nil or v == false then return { status = ERROR, reason = name .. ": the function gave " .. tostring(v) .. " for this item" } end
  if v == true then v = "" end
  if type(v) == "string" then return { status = ON, text = v } end
  if type(v) ~= "table" then
    error(string.format("%s: answer %d is a %s: a text, or { text =, reward =, done =, role =, error = } is expected", name, i, type(v)), 0)
  end
  for key in pairs(v) do
    if not answer_keys[key] then
      local close = core.closest(tostring(key), { "text", "reward", "done", "role", "error" })
      error(string.format("%s: answer %d: an observation has no \"%s\"%s", name, i, tostring(key), close and " (did you mean \"" .. close .. "\"?)" or ""), 0)
    end
  end
  if v.error then return { status = ERROR, reason = tostring(v.error) } end
  return { status = v.done and DONE or ON, text = v.text or "", reward = v.reward or 0, role = v.role }
end

local function answering(name, own)
  return function(...)
    local n = select("#", ...)
    local items, sink = select(n - 1, ...)
    local out
    if n == 2 then out = own(items) else out = own((...), items) end
    if type(out) ~= "table" then error(name .. " must return a list with one answer an item, not a " .. type(out), 0) end
    for i = 1, #items do sink:put(i - 1, observation(name, out[i], i)) end
  end
end

-- ---- one episode as a story ------------------------------------------------------------------------------------------

-- What resuming a story gave: an observation, or how it ended.
local function went(playing, id, ok, what, reward)
  local co = playing[id]
  if not ok then
    playing[id] = nil
    return { error = what }
  end
  if coroutine.status(co) == "dead" then -- it returned: a last reward, perhaps a text
    playing[id] = nil
    if type(what) == "number" then return { reward = what, done = true } end
    return { text = what or "", reward = reward or 0, done = true }
  end
  return { text = what, reward = reward }
end

local function say(text, reward)
  if text ~= nil and type(text) ~= "string" then error("say(text, reward): a text is expected, not a " .. type(text), 2) end
  return coroutine.yield(text or "", reward or 0)
end

-- What an episode has, kept beyond the call: views are the call's.
local function kept(e)
  local columns = {}
  for i = 1, e.columns and #e.columns or 0 do columns[e.columns[i].name] = e.columns[i].value end
  return { id = e.id, group = e.group, seed = e.seed, prompt = e.prompt, columns = columns }
end

local function stories(play)
  local playing = {}
  local function reset(episodes)
    local out = {}
    for i = 1, #episodes do
      local e = kept(episodes[i])
      playing[e.id] = coroutine.create(play)
      out[i] = went(playing, e.id, coroutine.resume(playing[e.id], e, say))
      if out[i].done then out[i] = { error = "the story ended before the policy said anything" } end
    end
    return out
  end
  local function step(actions)
    local out = {}
    for i = 1, #actions do
      local a = actions[i]
      local co = playing[a.id]
      if co then
        out[i] = went(playing, a.id, coroutine.resume(co, { text = a.text, turn = a.turn, finish = a.finish, last = a.last ~= 0 }))
      else
        out[i] = { error = "there is no such episode" }
      end
    end
    return out
  end
  return reset, step, function(ids)
    for i = 1, #ids do playing[ids[i]] = nil end
  end
end

--- The table as the C side wants it (kinds.lua).
function environment.expand(t)
  if t.play ~= nil then
    if type(t.play) ~= "function" or t.reset or t.step or t.create then
      error("an environment has play(episode, say), or reset and step", 0)
    end
    t.reset, t.step, t.forget = stories(t.play)
    t.play = nil
  end
  if type(t.reset) ~= "function" or type(t.step) ~= "function" then
    error("an environment needs reset(episodes) and step(actions), or play(episode, say)", 0)
  end
  local forget, tools = t.forget, t.tools
  t.reset, t.step = answering("reset", t.reset), answering("step", t.step)
  if type(forget) == "function" then
    t.forget = function(...) forget(...) return 0 end
  end
  if type(tools) == "table" then
    local text = json.encode(tools)
    t.tools = function() return text end
  end
end
kinds.environment = environment.expand

-- ---- for recipes --------------------------------------------------------------------------------------------------

local Environment = {}
Environment.__index = Environment

--- hone.environment(name or table, { weight = 1, timeout = 60, id = ..., ... the component's own }).
function environment.make(name, settings)
  local t = type(name) == "table" and name or settings or {}
  local own, component = {}, nil
  if getmetatable(name) == Environment then return name end
  for k, v in pairs(t) do
    if k ~= "weight" and k ~= "timeout" and not (k == "id" and type(name) == "string") then own[k] = v end
  end
  if type(name) == "table" then
    component = components.is(name) and name.component or core.lua_component(kinds.expand(own, "environment"), "environment")
  elseif type(name) == "string" then
    component = core.component("environment", name, own)
  else
    error("hone.environment: a name or a table with reset and step is wanted, not a " .. type(name), 0)
  end
  local by_name = type(name) == "string" and not name:find("/", 1, true) and not name:find "%.so$"
  return setmetatable({ component = component, id = t.id or by_name and name or core.component_id(component), weight = t.weight or 1.0,
    timeout = t.timeout or 60 }, Environment)
end

--- What policy:rollout and policy:eval were given as `environment`, checked; nil without.
function environment.of(config, call)
  local e = config.environment
  if e == nil then
    for _, k in ipairs { "turns", "max_length", "observation_tokens" } do
      if config[k] ~= nil then error(call .. ": " .. k .. " is of rollouts with an environment, and there is none", 0) end
    end
    return nil
  end
  if getmetatable(e) ~= Environment then error(call .. ": environment is made by hone.environment, and this is a " .. type(e), 0) end
  return e
end

return environment
