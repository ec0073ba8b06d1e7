--- Tools that a policy may call in an episode: tables for hone.environment.
-- A call is plain text, as the policy writes it; what it means is the tool's to read.

local tools = {}

-- The value of an expression of whole numbers with + - * and brackets, or nil and why.
local function value_of(text)
  local at = 1
  local sum
  local function skip() at = text:find("%S", at) or #text + 1 end
  local function atom()
    skip()
    local digits = text:match("^%d+", at)
    if digits then
      at = at + #digits
      return #digits <= 15 and math.tointeger(tonumber(digits)) or nil
    end
    local c = text:sub(at, at)
    at = at + 1
    if c == "-" then
      local v = atom()
      return v and -v
    elseif c == "(" then
      local v = sum()
      skip()
      at = at + 1
      return text:sub(at - 1, at - 1) == ")" and v or nil
    end
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
      v = w and (c == "+" and v + w or c == "-" and v - w) or nil
      skip()
    end
    return v
  end
  local v = sum()
  if v and at == #text + 1 and math.abs(v) < 1e15 then return v end
end
tools.value_of = value_of

--- A calculator: a turn that ends with "EXPRESSION=" is a call, and is answered with its value; one that is none ends the
-- episode, with reward 1 when what stands behind the last `prefix` is the row's answer.
function tools.calculator(t)
  local prefix, column = t.prefix or "Answer:", t.reference or "answer"
  local function right(text, answer)
    local at, last = 1, nil
    while true do
      local _, to = text:find(prefix, at, true)
      if not to then break end
      last, at = to, to + 1
    end
    return last and text:sub(last + 1):match "^%s*(.-)%s*$" == tostring(answer)
  end
  return { id = "calculator", play = function(episode, say)
    local action = say()
    while true do
      local expression = action.text:match "([%d%s()*+-]*)=%s*$"
      if not expression then return right(action.text, episode.columns[column]) and 1 or 0 end
      local v = value_of(expression)
      if not v then return 0 end -- not a sum that it can do: the episode is over
      action = say(tostring(v))
    end
  end }
end

return tools
