--- Rows as people have them, brought into the forms the trainer takes: what a row is, its columns tell.
-- Supervised: messages (OpenAI), conversations (ShareGPT), instruction and output (Alpaca, self-instruct), prompt and
-- completion under many names, text. Preferences: chosen and rejected under many names, as texts, messages or whole
-- transcripts (HH), and single answers with a label (KTO). docs/data.md lists them. `hone data info` asks `formats.look`, so
-- that what it shows is what training takes.

local json = require "hone.json"

local formats = {}

local roles = {
  human = "user", user = "user", prompter = "user", gpt = "assistant", chatgpt = "assistant", assistant = "assistant",
  model = "assistant", bot = "assistant", system = "system", developer = "developer", observation = "tool", tool = "tool",
  ["function"] = "tool", ipython = "tool", function_response = "tool", function_call = "assistant", tool_call = "assistant",
}

local function is_list(v) return type(v) == "table" and v[1] ~= nil end
local function is_text(v) return type(v) == "string" end
local function present(v) return v ~= nil and v ~= "" end

-- The first of `names` that the row has, and its name.
local function first(row, names)
  for _, name in ipairs(names) do
    if row[name] ~= nil then return row[name], name end
  end
end

local names = {
  prompt = { "prompt", "question", "query", "instruction", "problem", "input", "user" },
  completion = { "completion", "response", "answer", "output", "solution", "target", "assistant" },
  talk = { "messages", "conversations", "conversation", "dialogue", "dialog", "chat" },
  chosen = { "chosen", "chosen_response", "response_chosen", "preferred", "accepted", "winner_response", "better", "good" },
  rejected = { "rejected", "rejected_response", "response_rejected", "dispreferred", "loser_response", "worse", "bad" },
  label = { "label", "kto_tag", "desirable", "is_desirable", "thumbs_up" },
}

-- ---- messages ---------------------------------------------------------------------------------------------------

-- Text of a list of content parts.
local function joined(parts)
  local out = {}
  for _, part in ipairs(parts) do
    if is_text(part) then
      out[#out + 1] = part
    elseif type(part) == "table" and is_text(part.text) then
      out[#out + 1] = part.text
    else
      error("a content part of type \"" .. tostring(type(part) == "table" and part.type or type(part)) ..
        "\" is no text: only text is taken", 0)
    end
  end
  return table.concat(out)
end

-- OpenAI writes a call's arguments as JSON text; templates want them as a table.
local function opened_calls(calls)
  local out = {}
  for i, call in ipairs(calls) do
    local copy = {}
    for k, v in pairs(call) do copy[k] = v end
    local f = call["function"]
    if type(f) == "table" and is_text(f.arguments) then
      local arguments = json.decode(f.arguments)
      copy["function"] = {}
      for k, v in pairs(f) do copy["function"][k] = v end
      if type(arguments) == "table" then copy["function"].arguments = arguments end
    end
    out[i] = copy
  end
  return out
end

local function turn(m)
  if type(m) ~= "table" then error("a conversation's turn is a " .. type(m) .. ", not a table", 0) end
  local from = m.role or m.from or m.speaker
  local role = roles[from]
  if not role then
    error("a conversation's turn is from \"" .. tostring(from) .. "\", which is no known role", 0)
  end
  local out = {}
  if m.role ~= nil then
    for k, v in pairs(m) do out[k] = v end
  end
  out.role = role
  local content = m.content
  if content == nil then content = m.value end
  if content == nil then content = m.text end
  if is_list(content) then content = joined(content) end
  if content ~= nil and not is_text(content) then
    error("a turn's content is a " .. type(content) .. ", not a text", 0)
  end
  if is_list(m.tool_calls) then out.tool_calls = opened_calls(m.tool_calls) end
  if content == nil and not out.tool_calls then content = "" end
  out.content, out.text = content, nil
  return out
end

local function turns(list)
  local out = {}
  for i, m in ipairs(list) do out[i] = turn(m) end
  return out
end

local function with_system(messages, system)
  if present(system) and not (messages[1] and messages[1].role == "system") then
    table.insert(messages, 1, { role = "system", content = system })
  end
  return messages
end

local function tools_of(row)
  local tools = row.tools
  if is_text(tools) then tools = tools ~= "" and json.decode(tools) or nil end
  return is_list(tools) and tools or nil
end

local function same(a, b)
  if type(a) ~= type(b) or type(a) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

-- "\n\nHuman: ...\n\nAssistant: ..." as messages.
local function transcript(s)
  local out, at = {}, 1
  while true do
    local begin, behind, who = s:find("\n\n(%u%l+):", at)
    while begin and who ~= "Human" and who ~= "Assistant" do begin, behind, who = s:find("\n\n(%u%l+):", behind) end
    if #out > 0 then out[#out].content = s:sub(at, (begin or #s + 1) - 1):match "^%s*(.-)%s*$" end
    if not begin then return out end
    out[#out + 1] = { role = who == "Human" and "user" or "assistant" }
    at = behind + 1
  end
end

local function is_transcript(v)
  return is_text(v) and v:find("\n\nAssistant:", 1, true) ~= nil and v:match "^%s*Human:" ~= nil
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

-- ---- supervised -----------------------------------------------------------------------------------------------

local sft = {}

function sft.messages(row)
  local list = first(row, names.talk)
  if is_text(list) then list = json.decode(list) end
  if not is_list(list) then return end
  if row.label == false then return false end -- a bad answer is not to be learnt
  return { messages = with_system(turns(list), row.system), tools = tools_of(row) }
end

function sft.alpaca(row)
  local answer = first(row, { "output", "response", "completion", "answer" })
  local input = row.input
  if is_list(row.instances) and type(row.instances[1]) == "table" then
    answer, input = row.instances[1].output, row.instances[1].input
  end
  if not is_text(row.instruction) or answer == nil then return end
  local prompt = row.instruction
  input = present(input) and input or row.context
  if present(input) then prompt = prompt .. "\n" .. input end
  if not is_list(row.history) then return { prompt = prompt, completion = answer, system = row.system } end
  local messages = {}
  for _, pair in ipairs(row.history) do
    messages[#messages + 1] = { role = "user", content = pair[1] }
    messages[#messages + 1] = { role = "assistant", content = pair[2] }
  end
  messages[#messages + 1] = { role = "user", content = prompt }
  messages[#messages + 1] = { role = "assistant", content = answer }
  return { messages = with_system(messages, row.system) }
end

function sft.completion(row)
  local answer, name = first(row, names.completion)
  if answer == nil then return end
  local prompt = first(row, names.prompt)
  if prompt == nil and name ~= "completion" then return end
  if row.label == false then return false end
  return { prompt = is_list(prompt) and turns(prompt) or prompt, completion = is_list(answer) and turns(answer) or answer,
    system = row.system or row.system_prompt }
end

function sft.text(row)
  local text = row.text
  if text == nil then text = row.content end
  if is_text(text) then return { text = text } end
end

local sft_order = { "messages", "alpaca", "completion", "text" }

-- ---- preferences -------------------------------------------------------------------------------------------------

local preference = {}

-- Both sides as lists of messages: what they begin with alike is the prompt.
local function split_common(prompt, a, b)
  local n = 0
  while n + 1 < #a and n + 1 < #b and same(a[n + 1], b[n + 1]) do n = n + 1 end
  if n > 0 then prompt = table.move(a, 1, n, 1, {}) end
  a, b = table.move(a, n + 1, #a, 1, {}), table.move(b, n + 1, #b, 1, {})
  local function side(list)
    if #list == 1 and list[1].role == "assistant" and not list[1].tool_calls then return list[1].content end
    return list
  end
  if a[1] and a[1].role ~= "assistant" or b[1] and b[1].role ~= "assistant" then
    error("chosen and rejected differ before an answer of the assistant", 0)
  end
  return prompt, side(a), side(b)
end

local function sides_of(row)
  local chosen, rejected = first(row, names.chosen), first(row, names.rejected)
  if chosen ~= nil and rejected ~= nil then return chosen, rejected end
  for _, form in ipairs { { "response_0", "response_1", "better_response_id" }, { "response_a", "response_b", "winner" },
    { "answer_0", "answer_1", "preferred_id" }, { "response_a", "response_b", "preference" } } do
    local a, b, which = row[form[1]], row[form[2]], row[form[3]]
    if a ~= nil and b ~= nil and which ~= nil then
      which = tostring(which):lower():gsub("^model_", ""):gsub("^response_", "")
      if which == "0" or which == "a" then return a, b end
      if which == "1" or which == "b" then return b, a end
      return false -- a tie teaches nothing
    end
  end
end

function preference.paired(row)
  local chosen, rejected = sides_of(row)
  if chosen == false then return false end
  if chosen == nil or rejected == nil then return end
  local prompt = first(row, names.prompt)
  if prompt == nil then prompt = first(row, names.talk) end
  if is_list(prompt) then prompt = turns(prompt) end
  local system = row.system or row.system_prompt
  if prompt == nil and is_transcript(chosen) and is_transcript(rejected) then
    prompt, chosen, rejected = split_common(nil, transcript(chosen), transcript(rejected))
    return { prompt = prompt, chosen = chosen, rejected = rejected, system = system }
  end
  if type(chosen) == "table" and type(rejected) == "table" then
    chosen, rejected = turns(is_list(chosen) and chosen or { chosen }), turns(is_list(rejected) and rejected or { rejected })
    prompt, chosen, rejected = split_common(prompt, chosen, rejected)
  end
  if prompt == nil then error("chosen and rejected are there, and no prompt (" .. table.concat(names.prompt, ", ") .. ")", 0) end
  return { prompt = prompt, chosen = chosen, rejected = rejected, system = system }
end

local truths = { [true] = true, [false] = false, [1] = true, [0] = false, good = true, bad = false, desirable = true,
  undesirable = false, chosen = true, rejected = false, ["true"] = true, ["false"] = false, ["1"] = true, ["0"] = false,
  ["-1"] = false, [-1] = false }

function preference.unpaired(row)
  local label, name = first(row, names.label)
  if label == nil then return end
  if truths[label] == nil then error("the column " .. name .. " is " .. tostring(label) .. ": true or false is needed", 0) end
  local talk = first(row, names.talk)
  if is_list(talk) then
    talk = turns(talk)
    local last = table.remove(talk)
    if not last or last.role ~= "assistant" then error("the conversation does not end with the assistant", 0) end
    return { prompt = with_system(talk, row.system), completion = last.content, label = truths[label] }
  end
  local prompt, answer = first(row, names.prompt), first(row, names.completion)
  if prompt == nil or answer == nil then return end
  return { prompt = is_list(prompt) and turns(prompt) or prompt, completion = answer, label = truths[label],
    system = row.system or row.system_prompt }
end

local preference_order = { "paired", "unpaired" }

-- ---- which one ---------------------------------------------------------------------------------------------------

local function has_any(row, list) return first(row, list) ~= nil end

local function shown(v)
  if is_list(v) then return "list" end
  local t = math.type(v) or type(v)
  return ({ string = "text", table = "object", integer = "whole number", float = "number", boolean = "true or false" })[t] or t
end

local function what_would_fit(row, kind)
  local columns, missing = {}, {}
  for k, v in pairs(row) do columns[#columns + 1] = tostring(k) .. " (" .. shown(v) .. ")" end
  table.sort(columns)
  if kind == "preference" then
    if has_any(row, names.chosen) then missing[1] = "chosen is there, rejected is not" end
    if has_any(row, names.rejected) then missing[1] = "rejected is there, chosen is not" end
    missing[#missing + 1] = "needed: prompt, chosen and rejected; or chosen and rejected as whole conversations; or prompt, " ..
      "completion and label"
  else
    if has_any(row, names.prompt) and not has_any(row, names.completion) then
      missing[1] = "a prompt is there, and none of " .. table.concat(names.completion, ", ")
    elseif has_any(row, names.completion) and not has_any(row, names.prompt) then
      missing[1] = "an answer is there, and none of " .. table.concat(names.prompt, ", ")
    end
    missing[#missing + 1] = "needed: messages; conversations; instruction and output; prompt and completion; or text"
  end
  return "no format fits the row, whose columns are " .. (#columns > 0 and table.concat(columns, ", ") or "none") .. ": " ..
    table.concat(missing, "; ") .. " (rename columns with :map, or name a format)"
end

-- Forms of one format that people tell apart by a name of its own.
local alias = { openai = "messages", sharegpt = "messages", hh = "paired" }
local known = { sft = "messages (openai, sharegpt), alpaca, completion, text", preference = "paired (hh), unpaired" }

local function convert(kind, list, order, row, set, format)
  if type(row) ~= "table" then error("a row is a " .. type(row) .. ", not a table", 0) end
  if set and next(set) ~= nil then row = substitute(row, set) end
  if present(format) and format ~= "auto" then
    format = alias[format] or format
    local fn = list[format] or error("format \"" .. format .. "\" is not known: " .. known[kind], 0)
    local out = fn(row)
    if out == nil then error("format " .. format .. ": " .. what_would_fit(row, kind), 0) end
    return out or nil, format
  end
  for _, name in ipairs(order) do
    local out = list[name](row)
    if out ~= nil then return out or nil, name end
  end
  error(what_would_fit(row, kind), 0)
end

--- One row for objective "sft": { messages } or { prompt, completion } or { text }, and which format it was. nil: the row is
-- to be left out (an answer labelled as bad). set: values for {{placeholders}}. format: messages, alpaca, completion,
-- text; else the first of these that fits.
function formats.sft(row, set, format) return convert("sft", sft, sft_order, row, set, format) end

--- One row for preference losses: { prompt, chosen, rejected }, or { prompt, completion, label } where single answers are
-- labelled; nil for a tie. format: paired, unpaired; else the first of these that fits.
function formats.preference(row, set, format) return convert("preference", preference, preference_order, row, set, format) end

--- The same, of pairs only.
function formats.pair(row, set) return convert("preference", preference, { "paired" }, row, set) end

-- ---- looking -----------------------------------------------------------------------------------------------------

-- Which form: as its format, but the forms that have a name of their own by it.
local function form_of(name, row)
  if name == "messages" then
    local list = first(row, names.talk)
    if is_text(list) then list = json.decode(list) end
    local m = is_list(list) and list[1]
    return type(m) == "table" and (m.role ~= nil and "openai" or m.from ~= nil and "sharegpt") or "messages"
  elseif name == "paired" then
    local chosen = first(row, names.chosen)
    return is_transcript(chosen) and "hh" or "paired"
  end
  return name
end

local function extend(list, part, role)
  if is_list(part) then
    table.move(part, 1, #part, #list + 1, list)
  elseif type(part) == "table" and part.role then
    list[#list + 1] = part
  elseif part ~= nil then
    list[#list + 1] = { role = role, content = part }
  end
end

local function text_of(part)
  if is_list(part) then part = part[#part] end
  if type(part) == "table" then part = part.content end
  return is_text(part) and part or nil
end

-- What a row in the trainer's form says: all of a conversation as messages, of which `before` are not trained on.
local function seen(out, form)
  local look = { form = form, text = out.text, tools = out.tools }
  local answer = out.chosen
  if answer == nil then answer = out.completion end
  if out.text then return look end
  local messages, prompt = {}, out.prompt
  if out.messages then
    messages, answer = out.messages, out.messages
    for i = #messages, 1, -1 do
      if messages[i].role == "user" then prompt = messages[i] break end
    end
  else
    if present(out.system) then messages[1] = { role = "system", content = out.system } end
    extend(messages, prompt == nil and "" or prompt, "user")
    if is_list(prompt) then look.before = #messages end
    extend(messages, answer, "assistant")
  end
  look.messages, look.prompt, look.answer = messages, text_of(prompt), text_of(answer)
  if out.rejected ~= nil then
    look.pair, look.other, look.equal = true, text_of(out.rejected), same(out.chosen, out.rejected)
  end
  return look
end

--- What `hone data info` asks of a row: { form = openai, sharegpt, messages, alpaca, completion, text, paired, hh or unpaired;
-- messages (the whole conversation; of a pair with the chosen answer), before (so many of them are not trained on), tools,
-- prompt, answer, other (the rejected side) as texts, pair, equal (its sides); text; left_out }, or with `error`: what a recipe
-- would say. A pair is looked for first, then an answer with a label, then what supervised training takes.
function formats.look(row, format)
  local function try(kind, format)
    local ok, out, name = pcall(formats[kind], row, nil, format)
    if not ok then return nil, tostring(out) end
    local form = form_of(name, row)
    return out and seen(out, form) or { form = form, left_out = true }
  end
  local function needed(kind, format)
    local look, err = try(kind, format)
    return look or { form = format and form_of(alias[format] or format, row), error = err }
  end
  if present(format) and format ~= "auto" then
    return needed(preference[alias[format] or format] and "preference" or "sft", format)
  end
  if sides_of(row) ~= nil then return needed("preference", "paired") end
  local look = has_any(row, names.label) and try("preference", "unpaired")
  if look then return look end
  local err
  look, err = try("sft")
  if look then return look end
  local list = first(row, names.talk)
  return { form = is_list(list) and form_of("messages", row) or nil, error = err }
end

--- The source component for a path: "auto" tells files and folders apart by name and content.
function formats.source_of() return "auto" end

return formats
