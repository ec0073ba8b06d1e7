--- Parameters of a recipe: declared once, set with key=value, shown by --help.

local core = require "hone.core"

local params = { values = nil, given = {} } -- given: names that the command line sets
local other = {} -- defaults of a recipe that is another one with these: see hone.recipe

local function fail(...)
  core.usage(string.format(...), "hone run RECIPE --help lists the parameters")
end

local function kind_of(v)
  local t = math.type(v)
  if t then return t end
  return type(v)
end

local function parse(name, spec, text)
  local kind = kind_of(spec[1])
  if kind == "integer" then
    local v = tonumber(text)
    if v and math.tointeger(v) then return math.tointeger(v) end
    fail("%s=%s: a whole number is wanted", name, text)
  elseif kind == "float" then
    local v = tonumber(text)
    if v then return v + 0.0 end
    fail("%s=%s: a number is wanted", name, text)
  elseif kind == "boolean" then
    if text == "true" or text == "1" or text == "yes" then return true end
    if text == "false" or text == "0" or text == "no" then return false end
    fail("%s=%s: true or false is wanted", name, text)
  end
  return text
end

local function check(name, spec, v)
  if type(v) == "number" then
    if spec.min and v < spec.min then fail("%s=%s: must be at least %s", name, v, spec.min) end
    if spec.max and v > spec.max then fail("%s=%s: must be at most %s", name, v, spec.max) end
  end
  if spec.choices then
    for _, c in ipairs(spec.choices) do
      if c == v then return end
    end
    fail("%s=%s: one of %s is wanted", name, tostring(v), table.concat(spec.choices, ", "))
  end
end

local function sorted_names(specs)
  local names = {}
  for name in pairs(specs) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function shown(v)
  if v == nil or v == "" then return "" end
  if type(v) == "table" then return "" end
  return " (" .. tostring(v):gsub("\n", "\\n") .. ")"
end

-- What the comment that opens the recipe says of it.
local function about(path, out)
  local ok, text = pcall(core.read_file, path)
  for line in (ok and text or ""):gmatch "[^\n]*" do
    local said = line:match "^%-%-%-?%s?(.*)"
    if not said then break end
    out[#out + 1] = said
  end
  if #out > 0 then out[#out + 1] = "" end
end

local function help(specs)
  local out = {}
  about(core.options().recipe or "", out)
  out[#out + 1] = "Parameters, set with key=value:"
  for _, name in ipairs(sorted_names(specs)) do
    local s = specs[name]
    local key = type(s[1]) == "table" and name .. ".KEY=" or name .. "="
    local range = ""
    if s.choices then range = "; " .. table.concat(s.choices, ", ") end
    out[#out + 1] = string.format("  %-18s %s%s%s", key, s[2] or "", range, shown(s[1]))
  end
  out[#out + 1] = "Options of every recipe (--dry-run, --memory, --run-dir, --seed, --from, ...): hone run --help"
  core.say(table.concat(out, "\n"))
  core.stop()
end

local function unknown(specs, name)
  local close = core.closest(name, sorted_names(specs))
  core.usage("this recipe has no parameter " .. name, close and "did you mean " .. close .. "?" or
    "hone run RECIPE --help lists the parameters")
end

-- The recipe's parameters with the other defaults.
local function changed(specs)
  if not next(other) then return specs end
  local out = {}
  for name, spec in pairs(specs) do
    out[name] = spec
    if other[name] ~= nil then
      out[name] = {}
      for k, v in pairs(spec) do out[name][k] = v end
      out[name][1] = other[name]
    end
  end
  for name in pairs(other) do
    if not specs[name] then error("hone.recipe: the recipe has no parameter " .. name, 0) end
  end
  other = {}
  return out
end

--- A parameter whose default is a table takes key=value pairs: set.name=Ada fills p.set.name.
function params.declare(specs)
  local options = core.options()
  specs = changed(specs)
  if options.help then help(specs) end
  local p = {}
  for name, spec in pairs(specs) do
    if type(spec) ~= "table" then
      fail('hone.params: %s: a table is wanted: %s = { default, "what it is" }', name, name)
    end
    if type(spec[1]) == "table" then
      p[name] = {}
      for k, v in pairs(spec[1]) do p[name][k] = v end
    else
      p[name] = spec[1]
    end
  end
  for _, given in ipairs(options.set) do
    local key, text = given:match "^([^=]+)=(.*)$"
    local group, rest = key:match "^([^.]+)%.(.+)$"
    if specs[key] then
      if type(specs[key][1]) == "table" then fail("%s: give its parts, %s.KEY=value", key, key) end
      p[key], params.given[key] = parse(key, specs[key], text), true
      check(key, specs[key], p[key])
    elseif group and specs[group] and type(specs[group][1]) == "table" then
      p[group][rest] = text
    else
      unknown(specs, key)
    end
  end
  params.values = p
  return p
end

--- Runs another recipe with other defaults: hone.recipe("grpo", { objective = "dapo", dynamic = true }). The file is looked for
-- as data are, beside the recipe first; the run bears the name of the recipe that is called, and of both files nothing may
-- change before it is resumed.
function params.recipe(name, defaults)
  local path = core.find_file(name:find "%.lua$" and name or name .. ".lua")
  local chunk, why = load(core.read_file(path), "@" .. path, "t")
  if not chunk then error(why, 0) end
  params.base = path
  for k, v in pairs(defaults or {}) do other[k] = v end
  return chunk()
end

return params
