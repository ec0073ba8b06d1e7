--- Tools that a policy may call in an episode: tables for hone.environment.
-- A call is text, as the policy writes it: "7+5=" for the calculator; for a box of tools the form of chat templates with tools,
-- <tool_call>{"name": "search", "arguments": {"query": "x"}}</tool_call>, or plainly <call>search: x</call>.

local json = require "hone.json"

local tools = {}

local DEPTH = 50 -- of brackets

-- The value of an expression of whole numbers with + - * and brackets, or nil.
local function value_of(text)
  local at, depth, sum = 1, 0, nil
  local function skip() at = text:find("%S", at) or #text + 1 end
  local function atom()
    skip()
    local digits = text:match("^%d+", at)
    if digits then
      at = at + #digits
      return #digits <= 15 and math.tointeger(tonumber(digits)) or nil
    end
    local c = text:sub(at, at)
    at, depth = at + 1, depth + 1
    local v
    if depth > DEPTH then
      v = nil
    elseif c == "-" then
      v = atom()
      v = v and -v
    elseif c == "(" then
      v = sum()
      skip()
      if text:sub(at, at) ~= ")" then v = nil end
      at = at + 1
    end
    depth = depth - 1
    return v
  end
  local function product()
    local v = atom()
    skip()
    while v and text:sub(at, at) == "*" do
      at = at + 1
      local w = atom()
      v = w and math.abs(v) < 1e7 and math.abs(w) < 1e7 and v * w or nil
      skip()
    end
    return v
  end
  sum = function()
    local v = product()
    skip()
    while v do
      local c = text:sub(at, at)
      if c ~= "+" and c ~= "-" then break end
      at = at + 1
      local w = product()
      v = w and (c == "+" and v + w or v - w) or nil
      skip()
    end
    return v
  end
  local v = sum()
  if v and at == #text + 1 and math.abs(v) < 1e15 then return v end
end
tools.value_of = value_of

-- Is what stands behind the last `prefix` the answer?
local function right(text, prefix, answer)
  local at, last = 1, nil
  while true do
    local _, to = text:find(prefix, at, true)
    if not to then break end
    last, at = to, to + 1
  end
  return last ~= nil and text:sub(last + 1):match "^%s*(.-)%s*$" == tostring(answer)
end

--- A calculator: a turn that ends with "EXPRESSION=" is a call, and is answered with its value; one that is none ends the
-- episode, with reward 1 when what stands behind the last `prefix` is the row's answer.
function tools.calculator(t)
  local prefix, column = t.prefix or "Answer:", t.reference or "answer"
  return { id = "calculator", play = function(episode, say)
    local action = say()
    while true do
      local expression = action.text:match "([%d%s()*+-]*)=%s*$"
      if not expression then return right(action.text, prefix, episode.columns[column]) and 1 or 0 end
      local v = value_of(expression)
      if not v then return 0 end -- not a sum that it can do: the episode is over
      action = say(tostring(v))
    end
  end }
end

--- The last call in a text: a name and arguments (a table, or the plain form's text); nil when there is none; nil and why when
-- there is one that cannot be read.
function tools.call_in(text)
  local body = text:match "^.*<tool_call>(.-)</tool_call>" or text:match "^.*<tool_call>(.-)$"
  if body then
    local ok, call = pcall(json.decode, body)
    if not ok or type(call) ~= "table" then return nil, "the call is no JSON" end
    if type(call.name) ~= "string" then return nil, "the call has no name" end
    if call.arguments ~= nil and type(call.arguments) ~= "table" then return nil, "its arguments are no object" end
    return call.name, call.arguments or {}
  end
  body = text:match "^.*<call>(.-)</call>" or text:match "^.*<call>(.-)$"
  if not body then return nil end
  local name, rest = body:match "^%s*([%w_]+)%s*:%s*(.-)%s*$"
  if not name then return nil, "a call is <call>NAME: TEXT</call>" end
  return name, rest
end

--- Several tools: list = { { name =, description =, parameters = (JSON Schema), run = function(arguments, episode) ... return text end }, ... },
-- done = function(text, episode): the reward of a turn without a call, which ends the episode. Templates show the tools; what they answer has
-- the role "tool". A call that cannot be read, of a tool there is not, or that fails is answered with the reason, for the policy to read.
function tools.box(t)
  local by_name, shown = {}, {}
  for i, tool in ipairs(t.list) do
    if type(tool.name) ~= "string" or type(tool.run) ~= "function" then error("tools.box: tool " .. i .. " has no name or no run", 2) end
    by_name[tool.name] = tool
    shown[i] = { type = "function", ["function"] = { name = tool.name, description = tool.description or "",
      parameters = tool.parameters or { type = "object" } } }
  end
  if type(t.done) ~= "function" then error("tools.box: done(text, episode) says what an answer is worth", 2) end
  local role = t.role or "tool"
  local function answer(name, arguments, episode)
    if not name then return "error: " .. arguments end
    if not by_name[name] then return "error: there is no tool " .. name end
    local ok, text = pcall(by_name[name].run, arguments, episode)
    return ok and tostring(text) or "error: " .. tostring(text):gsub("^.-:%d+: ", "")
  end
  local episodes = {}
  return { id = t.id or "tools", tools = shown,
    reset = function(list)
      local out = {}
      for i = 1, #list do
        local e = { seed = list[i].seed, prompt = list[i].prompt, columns = {} }
        for k = 1, list[i].columns and #list[i].columns or 0 do e.columns[list[i].columns[k].name] = list[i].columns[k].value end
        episodes[list[i].id], out[i] = e, ""
      end
      return out
    end,
    step = function(actions)
      local out = {}
      for i = 1, #actions do
        local text, e = actions[i].text, episodes[actions[i].id]
        local name, arguments = tools.call_in(text)
        if not e then
          out[i] = { error = "there is no such episode" }
        elseif not name and not arguments then
          local ok, reward = pcall(t.done, text, e)
          out[i] = ok and { done = true, reward = tonumber(reward) or 0 } or { error = tostring(reward) }
        else
          out[i] = { text = answer(name, arguments, e), role = role }
        end
      end
      return out
    end,
    forget = function(ids)
      for i = 1, #ids do episodes[ids[i]] = nil end
    end }
end

return tools
