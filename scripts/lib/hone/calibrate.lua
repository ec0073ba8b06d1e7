--- A judge beside experts: what `hone judge calibrate` and `hone judge reliability` say, as tables.
-- Rows are lists of tables or sources (docs/judges.md, section 7, has their columns); the rest are settings.
--   local report = hone.calibrate { labels = labels, verdicts = verdicts, split = "dev" }
--   report.agreement.kappa_w.value, .lo, .hi -- value is nil, and .why says it, where nothing is known

local core = require "hone.core"
local rows = require "hone.rows"

local calibrate = {}

-- A list of tables or rows -> the rows of the C side; nil stays nil.
local function data(from, what)
  if from == nil then return nil end
  if type(from) ~= "table" then error(what .. ": rows or a list of tables is wanted, not a " .. type(from), 3) end
  return (from.data and from or rows.list(from)).data
end

local function rest(t, ...)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  for _, k in ipairs { ... } do out[k] = nil end
  return out
end

--- { labels =, verdicts =, items =, split =, criterion =, levels =, threshold =, judge_scale =, tie =, ... } -> report
function calibrate.calibrate(t)
  if type(t) ~= "table" or not t.labels then error("hone.calibrate: labels = ROWS is missing", 2) end
  return core.calibrate(data(t.labels, "labels"), data(t.verdicts, "verdicts"), data(t.items, "items"),
    rest(t, "labels", "verdicts", "items"))
end

--- { verdicts =, items =, labels =, policy =, ... } -> report
function calibrate.reliability(t)
  if type(t) ~= "table" or not t.verdicts then error("hone.reliability: verdicts = ROWS is missing", 2) end
  return core.reliability(data(t.verdicts, "verdicts"), data(t.items, "items"), data(t.labels, "labels"),
    rest(t, "labels", "verdicts", "items"))
end

--- A report as a page ("html"), Markdown ("md") or lines for a terminal ("text").
function calibrate.report(report, form)
  return core.judge_report(report, form or "text")
end

return calibrate
