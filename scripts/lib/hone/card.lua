--- The model card of a run: model/README.md, which run:save writes beside the weights.
-- What it says comes from the run itself: base model, recipe, data, judges with what the gate said of them, the last metrics, hashes.
-- Nothing of it depends on the clock but the dates of gate records.

local core = require "hone.core"
local rows = require "hone.rows"

local card = {}

local function sorted(t)
  local keys = {}
  for k in pairs(t or {}) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

local function plain(v)
  return type(v) == "string" and v or require "hone.json".encode(v):gsub("\n%s*", "")
end

-- A text inside a table of Markdown.
local function cell(v)
  return (tostring(v):gsub("[\r\n]+", " "):gsub("|", "\\|"))
end

local function base_models(self, out)
  out[#out + 1] = "\n## Base model\n\n| policy | model | checksum |\n|---|---|---|"
  for _, name in ipairs(sorted(self.models)) do
    local m = self.models[name]
    out[#out + 1] = string.format("| %s | %s | %s |", cell(name), cell(m.model ~= "" and m.model:match "[^/]+$" or "made from nothing"), m.checksum)
  end
end

local function recipe(self, out)
  local m = self.meta
  out[#out + 1] = string.format("\n## Recipe\n\n%s, sha256 %s, seed %s, %d steps.", m.recipe and m.recipe:match "[^/]+$" or "none",
    m.recipe_sha256 or "unknown", tostring(self.seed), self.step)
  local keys = sorted(m.params)
  if #keys > 0 then out[#out + 1] = "\n| parameter | value |\n|---|---|" end
  for _, k in ipairs(keys) do out[#out + 1] = string.format("| %s | %s |", cell(k), cell((plain(m.params[k])))) end
end

local function data(out)
  out[#out + 1] = "\n## Data\n"
  local files = sorted(rows.files)
  for _, path in ipairs(files) do
    local ok, sha = pcall(core.file_sha256, path)
    out[#out + 1] = string.format("- %s, sha256 %s", path:match "[^/]+$", ok and sha or "unknown")
  end
  if #files == 0 then out[#out + 1] = "Rows of the recipe itself." end
end

local function judge(d)
  if d.decision == "no-gate" then
    return string.format("- **%s trained without a record of the gate** (`--no-gate`): %s.", d.component, d.why)
  end
  local text = string.format("- %s: %s by record %d of %s, until %s; key %s.", d.component, d.verdict, d.record, d.at:sub(1, 10),
    d.expires:sub(1, 10), d.key)
  for _, c in ipairs(d.conditions or {}) do text = text .. "\n  - condition: " .. c end
  return text
end

local function judges(out)
  local gate = core.gate()
  out[#out + 1] = "\n## Judges\n"
  if not gate then
    out[#out + 1] = "Nothing that asks a model or a server was asked on behalf of training."
    return
  end
  for _, d in ipairs(gate.decisions or {}) do out[#out + 1] = judge(d) end
  for _, id in ipairs(gate.watching or {}) do out[#out + 1] = "- " .. id .. " watched; what it said reached no update." end
end

local function metrics(self, out)
  local keys = sorted(self.last_metrics)
  if #keys == 0 then return end
  out[#out + 1] = "\n## Metrics of the last step\n\n| metric | value |\n|---|---|"
  for _, k in ipairs(keys) do out[#out + 1] = string.format("| %s | %.6g |", cell(k), self.last_metrics[k]) end
end

local function plugins(self, out)
  out[#out + 1] = "\n## Plugins\n"
  for _, p in ipairs(self.meta.plugins or {}) do
    out[#out + 1] = string.format("- %s, sha256 %s", tostring(p.path or p.name):match "[^/]+$", tostring(p.sha256))
  end
end

--- The card as Markdown.
function card.text(self)
  local out = { "# " .. self.name .. "\n\nTrained with hone." }
  base_models(self, out)
  recipe(self, out)
  data(out)
  judges(out)
  metrics(self, out)
  plugins(self, out)
  return table.concat(out, "\n") .. "\n"
end

return card
