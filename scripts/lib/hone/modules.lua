--- Files that hold components in Lua, for `hone plugin validate FILE.lua`.
local core = require "hone.core"
local adapt = require "hone.kinds"
local generator = require "hone.generator"
local modules = {}

local kinds = { "reward", "judge", "tokenizer", "optimizer", "source", "objective", "model", "advantage", "sink", "environment" }
-- What the functions of `hone` take and the component itself does not have.
local hosts = { config = true, weight = true, timeout = true, gate = true, normalize = true, cache = true, on_outcome = true, watch = true,
  batch = true, concurrency = true, retries = true }

--- Makes the components of what a file returned: a component's table (with `kind`), or a table of functions named by
-- kinds that give one.
function modules.components(m, hone)
  if type(m) ~= "table" or m.component then return end
  if m.kind then return core.lua_component(adapt.expand(m, m.kind), m.kind) end
  if type(m.row) == "function" then return generator.component(m.row) end -- what hone.source("lua", m.row) reads
  for _, kind in ipairs(kinds) do
    if type(m[kind]) == "function" then
      local spec = {}
      for k, v in pairs(m[kind](kind == "reward" and hone or {})) do
        if not hosts[k] then spec[k] = v end
      end
      if kind == "objective" and not spec.id then -- a function of tensors
        modules.tape = core.tape_objective(spec.loss, spec.uses or { "old_logp", "advantage" }, kind)
      else
        spec.id = spec.id or kind
        core.lua_component(adapt.expand(spec, kind), kind)
      end
    end
  end
end

--- The component of a file that makes one for a verb: of what hone.judge, hone.jury and their like gave, or of a table
-- with functions (and `kind`, unless it is the one that is wanted).
function modules.component(m, kind)
  if type(m) == "table" and type(m.component) == "userdata" then return m.component end
  if type(m) == "table" and (m.kind == kind or m.kind == nil and type(m[kind]) == "function") then
    return core.lua_component(adapt.expand(m, kind), kind)
  end
end

return modules
