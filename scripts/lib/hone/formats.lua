--- Rows as people have them, brought into the forms the trainer takes.
-- Supervised: prompt/completion, messages, Alpaca (instruction, input, output, system), ShareGPT
-- (conversations of from/value), text. Preferences: prompt, chosen, rejected as texts or messages, or ShareGPT.

local formats = {}

local roles = {
  human = "user", user = "user", gpt = "assistant", assistant = "assistant", system = "system",
  observation = "tool", tool = "tool", function_call = "assistant",
}

local function turn(m)
  if m.role then return m end
  local role = roles[m.from]
  if not role then error("a conversation's turn is from \"" .. tostring(m.from) .. "\", which is no known role", 0) end
  return { role = role, content = m.value or "" }
end

local function turns(list)
  local out = {}
  for i, m in ipairs(list) do out[i] = turn(m) end
  return out
end

local function has_keys(t)
  return t and next(t) ~= nil
end

-- {{name}} -> set.name, everywhere in a row.
local function substitute(v, set)
  if type(v) == "string" then
    return (v:gsub("{{%s*([%w_]+)%s*}}", function(key) return set[key] end))
  elseif type(v) == "table" then
    local out = {}
    for k, x in pairs(v) do out[k] = substitute(x, set) end
    return out
  end
  return v
end

--- One row for objective "sft". set: values for {{placeholders}}.
function formats.sft(row, set)
  if has_keys(set) then row = substitute(row, set) end
  if row.messages then return { messages = turns(row.messages) } end
  if row.conversations then
    local messages = turns(row.conversations)
    if row.system and row.system ~= "" then table.insert(messages, 1, { role = "system", content = row.system }) end
    return { messages = messages }
  end
  if row.instruction and row.output then
    local prompt = row.instruction
    if row.input and row.input ~= "" then prompt = prompt .. "\n" .. row.input end
    return { prompt = prompt, completion = row.output, system = row.system }
  end
  if row.completion ~= nil or row.text ~= nil then return row end
  if row.question and row.answer then return { prompt = row.question, completion = row.answer } end
  error("the row has none of: messages, conversations, instruction and output, prompt and completion, text", 0)
end

local function content(side)
  if type(side) == "table" and not side[1] then return turn(side).content end
  if type(side) == "table" then return turns(side) end
  return side
end

--- One row for preference losses: { prompt, chosen, rejected }.
function formats.pair(row, set)
  if has_keys(set) then row = substitute(row, set) end
  if row.chosen == nil or row.rejected == nil then error("the row has no chosen and rejected", 0) end
  local prompt = row.prompt or (row.conversations and turns(row.conversations)) or row.messages or row.question
  if prompt == nil then error("the row has no prompt", 0) end
  if type(prompt) == "table" then prompt = turns(prompt) end
  return { prompt = prompt, chosen = content(row.chosen), rejected = content(row.rejected), system = row.system }
end

--- The source component for a path: "auto" tells files and folders apart by name and content.
function formats.source_of() return "auto" end

return formats
