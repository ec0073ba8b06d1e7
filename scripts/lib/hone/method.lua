--- What run.json says of how a policy learns: "methods", by the first update of each.

local method = {}

-- "dapo", { "dapo", eps_high = 0.28 } -> its name, and its settings that are plain values; functions have none.
local function plain_spec(spec)
  if type(spec) == "string" then return spec end
  if type(spec) ~= "table" then return type(spec) == "function" and "(a function)" or nil end
  local settings
  for k, v in pairs(spec) do
    if k ~= 1 and k ~= "name" and (type(v) == "number" or type(v) == "string" or type(v) == "boolean") then
      settings = settings or {}
      settings[k] = v
    end
  end
  return spec[1] or spec.name, settings
end

--- Called by policy:update with what it was given.
function method.note(run, name, config, default)
  local all = run.meta.methods or {}
  run.meta.methods = all
  if all[name] then return end
  local m = {}
  m.objective, m.objective_settings = plain_spec(config.objective or default)
  m.advantage, m.advantage_settings = plain_spec(config.advantage)
  all[name] = m
end

return method
