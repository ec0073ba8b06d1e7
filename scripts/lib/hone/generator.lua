--- Generators: rows that a function of the recipe makes, as the source component `lua`.
-- Two forms, both of which can be resumed because what they make depends on what a checkpoint can keep:
--   hone.source("lua", function(i) return { n = i } end)           the i-th row, i from 1; nil: the end
--   hone.source("lua", { state = { n = 0 }, next = function(state)  the next row; what it must remember
--     state.n = state.n + 1                                          stands in `state`, plain values
--     return { n = state.n }
--   end })
-- math.random inside either depends on the run's seed and the row's number alone. A function is asked for a row
-- when it is needed, not before. Columns keep the type they had; one may be missing.

local core = require "hone.core"

local generator = { made = 0 }

local known = { id = true, next = true, row = true, state = true, count = true }

local function fail(...)
  error(string.format(...), 0)
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for k, x in pairs(v) do out[k] = copy(x) end
  return out
end

local function check_spec(spec)
  for k in pairs(spec) do
    if not known[k] then
      fail("hone.source(\"lua\"): there is no setting \"%s\" (next or row, state, count, id)", tostring(k))
    end
  end
  if (type(spec.next) == "function") == (type(spec.row) == "function") then
    fail("hone.source(\"lua\"): a function is wanted: next = function(state) or row = function(i)")
  end
  if spec.state ~= nil and type(spec.state) ~= "table" then
    fail("hone.source(\"lua\"): state is a table of plain values, not a %s", type(spec.state))
  end
  if spec.row and spec.state then fail("hone.source(\"lua\"): row = function(i) has no state: use next") end
  if spec.count and (math.type(spec.count) ~= "integer" or spec.count < 0) then
    fail("hone.source(\"lua\"): count is the number of rows, from 0 on")
  end
end

-- Columns have one type; numbers are one whatever they look like.
local function check_row(row, kinds, where)
  for name, v in pairs(row) do
    local kind = v == core.null and "null" or type(v)
    if type(name) ~= "string" then fail("%s: a row is a table with named columns, and this one has the key %s", where, tostring(name)) end
    if kind ~= "null" then
      if kinds[name] and kinds[name] ~= kind then
        fail("%s: column \"%s\" is a %s, and was a %s in the rows before", where, name, kind, kinds[name])
      end
      kinds[name] = kind
    end
  end
end

--- The component of a generator: what hone.source("lua", spec) reads.
function generator.component(spec)
  if type(spec) == "function" then spec = { row = spec } end
  if type(spec) ~= "table" then fail("hone.source(\"lua\"): a function, or a table with one, is wanted") end
  check_spec(spec)
  generator.made = generator.made + 1
  local at, state, kinds, where = 0, copy(spec.state or {}), {}, core.where(spec.next or spec.row)
  return core.lua_component({
    kind = "source",
    id = spec.id or (generator.made == 1 and "lua" or "lua" .. generator.made),
    summary = "a generator of the recipe",
    next = function()
      if spec.count and at >= spec.count then return nil end
      local row
      if spec.row then row = spec.row(at + 1) else row = spec.next(state) end
      if row == nil then return nil end
      if type(row) ~= "table" then fail("%s: a row (a table) or nil is expected from the generator, not a %s", where, type(row)) end
      check_row(row, kinds, where)
      at = at + 1
      return row
    end,
    position = function()
      return { at = at, state = spec.next and state or nil, kinds = kinds }
    end,
    seek = function(p)
      p = p or { at = 0, state = spec.state, kinds = {} }
      at, state, kinds = p.at, copy(p.state or {}), p.kinds or {}
      return at
    end,
    row_count = function() return spec.count or -1 end,
  }, "source")
end

return generator
