--- Rows: sources and what is done to them before they reach a policy.
-- Every method changes the chain and returns it, so calls can be strung together:
--   hone.source("jsonl", { path = p.data }):map(f):shuffle(7):epochs(2):batches(16)

local core = require "hone.core"
local generator = require "hone.generator"
local plan = require "hone.plan"

local Rows = {}
Rows.__index = Rows

-- path: of a file that has just these rows, as long as nothing was done to them and none was read.
local function wrap(data, path)
  return setmetatable({ data = data, path = path }, Rows)
end

local function stage(rows, ...)
  core.data_stage(rows.data, ...)
  rows.path = nil
end

--- Each row becomes what fn(row) returns; nil leaves it out.
function Rows:map(fn)
  stage(self, "map", fn)
  return self
end

--- Keeps the rows for which fn(row) is true.
function Rows:filter(fn)
  stage(self, "filter", fn)
  return self
end

--- Random order by seed; every epoch has its own. block: rows held at once (1,000,000).
function Rows:shuffle(seed, block)
  stage(self, "shuffle", seed or 0, block or 0)
  return self
end

--- The first n rows of each epoch; all but the first n.
function Rows:take(n)
  stage(self, "take", n)
  return self
end

function Rows:skip(n)
  stage(self, "skip", n)
  return self
end

--- The rows n times over (no n: for ever).
function Rows:epochs(n)
  stage(self, "epochs", n or 0)
  return self
end

--- The rows whose hash of column `by` lies in [from, to): { by = "id", from = 0, to = 0.9, seed = 1 }. Rows with
-- the same value are always on the same side.
function Rows:split(options)
  stage(self, "split", options)
  return self
end

--- Draws from these rows and others by weight, as hone.mix: a:mix({ b, c }, { 0.5, 0.3, 0.2 }, { seed = 7 }).
function Rows:mix(others, weights, options)
  local all = { self, table.unpack(others) }
  self.data, self.path = Rows.mixed(all, weights, options), nil
  return self
end

--- Only these columns: rows:select{ "prompt", "answer" }. A database is asked for no more than them.
function Rows:select(names)
  stage(self, "select", names)
  return self
end

--- Lists of n rows. partial: the last may be shorter (otherwise it is left out).
function Rows:batches(n, partial)
  stage(self, "batches", n, partial and true or false)
  return self
end

--- The next row (or list of rows), nil at the end.
function Rows:next()
  self.path = nil
  return core.data_next(self.data)
end

--- for row in rows:each() do ... end
function Rows:each()
  self.path = nil
  return function() return core.data_next(self.data) end
end

--- All rows that are left, as a list.
function Rows:list()
  local out = {}
  for row in self:each() do out[#out + 1] = row end
  return out
end

--- From the start; `epoch` gives shuffles another order.
function Rows:rewind(epoch)
  core.data_rewind(self.data, epoch or 0)
  return self
end

--- Rows from the start, or nil where that is not known without reading.
function Rows:count()
  local n = core.data_count(self.data)
  return n >= 0 and n or nil
end

--- Malformed rows that were left out so far.
function Rows:skipped()
  return core.data_skipped(self.data)
end

function Rows:position()
  return core.data_save(self.data)
end

function Rows:seek(position)
  self.path = nil
  core.data_restore(self.data, position)
end

local rows = { Rows = Rows, files = {} } -- files: paths of what was read, for the model card

--- A source component by name. "lua" is a generator (see generator.lua). A relative path is looked for beside
-- the recipe, in the current folder, in HONE_DATA.
function rows.source(name, settings)
  if name == "lua" then return wrap(core.source(generator.component(settings))) end
  if type(name) ~= "string" then return wrap(core.source(name.component or name)) end
  local copy = {}
  for k, v in pairs(settings or {}) do copy[k] = v end
  if type(copy.path) == "string" then copy.path = core.find_file(copy.path) end
  local alone = name == "auto" or name == "jsonl" -- and no settings, which a step of hone.curate would not know of
  for k in pairs(copy) do alone = alone and k == "path" end
  local out = wrap(core.source(name, copy), alone and copy.path or nil)
  if type(copy.path) == "string" then rows.files[copy.path] = true end
  if plan.on() then plan.source(name, copy.path, out:count()) end
  return out
end

function rows.list(list)
  if plan.on() then plan.source("rows of the recipe", nil, #list) end
  return wrap(core.rows(list))
end

function Rows.mixed(parts, weights, options)
  local datas = {}
  for i, p in ipairs(parts) do datas[i] = p.data end
  options = options or {}
  return core.mix(datas, weights or {}, options.seed or 0, options.stop or false)
end

function rows.mix(parts, weights, options)
  return wrap(Rows.mixed(parts, weights, options))
end

return rows
