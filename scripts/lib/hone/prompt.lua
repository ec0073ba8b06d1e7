--- Prompts for generation as versioned artifacts: the same files, the same hash as those of judges (judge/prompt.h).
-- hone.prompt { id = "story", template = "{{question}}\n{{first}}", vars = { question = "the problem", first = "its first
-- number" } }, or hone.prompt "file.lua" (data, read without any function in reach). {{name}} is the row's column of that
-- name; substitution is one pass, so what a row holds is text and never a place for another one. {{examples}}, where a row
-- has no such column, is the prompt's examples { input =, output = }, those of the few-shot split. A prompt's rows carry the
-- column prompt_version, "id@hash", which so stands in every line of rollouts.jsonl.zst; run.json has the prompts that
-- were used, whole.

local core = require "hone.core"

local prompts = { used = {} }

local Prompt = {}
Prompt.__index = Prompt

local function text_of(v)
  if type(v) == "number" and math.type(v) == "float" and v == math.floor(v) and math.abs(v) < 2 ^ 53 then v = math.tointeger(v) end
  return tostring(v)
end

local function shown(examples)
  local out = {}
  for _, e in ipairs(examples or {}) do
    if e.split == nil or e.split == "few-shot" then out[#out + 1] = text_of(e.input or "") .. "\n" .. text_of(e.output or "") end
  end
  return table.concat(out, "\n\n")
end

--- hone.prompt { ... } or hone.prompt "file.lua".
function prompts.prompt(d)
  if getmetatable(d) == Prompt then return d end
  if type(d) ~= "table" and type(d) ~= "string" then error("hone.prompt: a table, or the path of one, is wanted", 0) end
  if type(d) == "table" then -- an empty table is neither list nor map
    local whole = d
    d = {}
    for k, v in pairs(whole) do
      if type(v) ~= "table" or next(v) ~= nil then d[k] = v end
    end
  end
  local ud, p = core.prompt(d)
  p.ud, p.file, p.examples = ud, type(d) == "string" and d or nil, shown(p.data.examples)
  p.version = p.id .. "@" .. p.hash:sub(1, 12)
  p.template = p.data.template or p.data.messages[#p.data.messages].content
  return setmetatable(p, Prompt)
end

--- The text for a row; where the prompt has messages, a list of them.
function Prompt:render(row)
  local values = {}
  for _, name in ipairs(self.vars) do
    local v = row[name]
    if v == nil and name == "examples" then v = self.examples end
    if v ~= nil and v ~= core.null then values[name] = text_of(v) end
  end
  local list = core.prompt_render(self.ud, values)
  return self.data.template and list[1].content or list
end

--- The row with its prompt (or messages) rendered. What stood in `prompt` before is kept as `question` where there is no
-- such column, so templates say {{question}} or {{prompt}} of the same text.
function Prompt:apply(row)
  local out = {}
  for k, v in pairs(row) do out[k] = v end
  if out.question == nil then out.question = row.prompt end
  local said = self:render(out)
  if type(said) == "string" then
    out.prompt, out.messages = said, nil
  else
    out.messages, out.prompt = said, nil
  end
  out.prompt_version = self.version
  prompts.used[self.version] = { id = self.id, hash = self.hash, prompt = self.data }
  return out
end

--- A list of rows, or rows of hone.source, through :apply.
function Prompt:rows(rows)
  if type(rows.map) == "function" and rows.data then
    return rows:map(function(row) return self:apply(row) end)
  end
  local out = {}
  for i, row in ipairs(rows) do out[i] = self:apply(row) end
  return out
end

--- The same prompt with another template (of the last message, where there are several), or other parts: p:with "...".
function Prompt:with(change)
  local data = {}
  for k, v in pairs(self.data) do data[k] = v end
  for k, v in pairs(type(change) == "string" and { template = change } or change) do data[k] = v end
  if self.data.messages and data.template then
    data.messages = table.move(self.data.messages, 1, #self.data.messages, 1, {})
    data.messages[#data.messages] = { role = data.messages[#data.messages].role, content = data.template }
    data.template = nil
  end
  return prompts.prompt(data)
end

--- It as a file in Lua that hone.prompt reads back to the same hash.
function Prompt:lua()
  local function quoted(s)
    return '"' .. s:gsub('[%c"\\]', function(c)
      return c == "\n" and "\\n" or c == '"' and '\\"' or c == "\\" and "\\\\" or string.format("\\x%02x", c:byte())
    end) .. '"'
  end
  local function write(v, indent)
    if type(v) == "string" then return quoted(v) end
    if type(v) ~= "table" then return math.type(v) == "float" and string.format("%.17g", v) or tostring(v) end
    local inner, out = indent .. "  ", {}
    for _, x in ipairs(v) do out[#out + 1] = inner .. write(x, inner) end
    if #v == 0 then
      for k, x in pairs(v) do
        out[#out + 1] = inner .. (k:find "^[%a_][%w_]*$" and k or "[" .. quoted(k) .. "]") .. " = " .. write(x, inner)
      end
    end
    return #out == 0 and "{}" or "{\n" .. table.concat(out, ",\n") .. ",\n" .. indent .. "}"
  end
  return "return " .. write(self.data, "") .. "\n"
end

function prompts.is(v)
  return getmetatable(v) == Prompt
end

return prompts
