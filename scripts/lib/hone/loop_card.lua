--- What a loop around judges puts on the model's card: what the model was made of, by hash, and what was measured, with
-- intervals. For programs card.json, for people card.md, both in the run's folder; where run:save has written the card of
-- the model (hone/card.lua), card.md stands at its end too.
-- card = { title =, task =, model = { ... }, prompt = P, judges = { { judge =, rubric =, calibration =, gate = } }, data = { { what =, rows =,
-- sha256 = } }, figures = { { what =, figure = F } }, notes = { "text" } }

local core = require "hone.core"
local json = require "hone.json"
local judging = require "hone.judging"

local card = {}

--- "0.712 [0.655, 0.769] (n = 200)", or why there is none.
function card.text(f)
  if type(f) == "number" then return string.format("%.3f", f) end
  if not f or not f.value then return "unknown: " .. tostring(f and f.why or "not measured") end
  local n = f.n and string.format(" (n = %d)", f.n) or ""
  if not f.lo then return string.format("%.3f%s", f.value, n) end
  return string.format("%.3f [%.3f, %.3f]%s", f.value, f.lo, f.hi, n)
end

--- SHA-256 of rows, by their canonical JSON, one a line: the same rows in the same order have the same.
function card.rows_sha256(list)
  local lines = {}
  for i, row in ipairs(list) do lines[i] = core.canonical(row) end
  return core.sha256(table.concat(lines, "\n"))
end

local function add(out, ...)
  out[#out + 1] = string.format(...)
end

local function cell(text)
  return (tostring(text):gsub("|", "\\|"):gsub("\n", " "))
end

local function judges_md(out, list)
  for _, j in ipairs(list) do
    add(out, "\n## Judge: %s\n", j.name)
    add(out, "- spec `%s`", j.spec)
    if j.rubric then add(out, "- rubric `%s`", j.rubric) end
    local c = j.calibration
    if c then
      add(out, "- against experts (%d items, %d experts, split %s): weighted kappa %s; experts among themselves %s", c.items or 0, c.experts or 0,
        tostring(c.split), card.text((c.agreement or {}).kappa_w), card.text((c.ceiling or {}).kappa_w))
      add(out, "- TPR %s, TNR %s, precision %s", card.text(c.tpr), card.text(c.tnr), card.text(c.precision))
    end
    if j.gate then
      add(out, "- gate: **%s**%s", j.gate.verdict or "no record", j.gate.why and " (" .. j.gate.why .. ")" or "")
      for _, line in ipairs(j.gate.lines or {}) do
        add(out, "  - %s %s: %s", line.passed and "passed" or "FAILED", line.line, line.text or card.text(line.value))
      end
      for _, x in ipairs(j.gate.conditions or {}) do add(out, "  - watch: %s", x) end
    end
  end
end

--- Writes card.json and card.md; returns the table that card.json holds.
function card.write(run, t)
  local doc = { kind = "card", title = t.title, task = t.task, seed = run.seed, model = t.model, notes = t.notes, data = t.data, judges = {},
    figures = {}, compare = t.compare, requests = t.requests }
  if t.prompt then doc.prompt = { version = t.prompt.version, hash = t.prompt.hash, prompt = t.prompt.data } end
  for i, j in ipairs(t.judges or {}) do
    local spec = judging.spec(j.judge)
    doc.judges[i] = { name = j.name or j.judge.id, spec = judging.hash(j.judge), rubric = type(spec.rubric) == "string" and spec.rubric or nil,
      calibration = j.calibration, gate = j.gate, reliability = j.reliability, attack = j.attack }
  end
  for i, f in ipairs(t.figures or {}) do doc.figures[i] = { what = f[1] or f.what, figure = f[2] or f.figure } end
  local out = { "# " .. t.title .. "\n" }
  if t.task then add(out, "%s\n", t.task) end
  add(out, "| | |\n|---|---|")
  for k, v in pairs(t.model or {}) do add(out, "| %s | `%s` |", cell(k), cell(v)) end
  if t.prompt then add(out, "| prompt | `%s`, template `%s` |", t.prompt.version, cell(t.prompt.template)) end
  add(out, "| seed | %d |", run.seed)
  add(out, "\n## Measured\n\n| | 95 %% interval |\n|---|---|")
  for _, f in ipairs(doc.figures) do add(out, "| %s | %s |", cell(f.what), cell(card.text(f.figure))) end
  if t.compare then
    add(out, "\n## Beside each other\n\n| | quality | cost of 1,000 answers | seconds an answer (median) |\n|---|---|---|---|")
    for _, c in ipairs(t.compare) do
      add(out, "| %s | %s | %s | %s |", cell(c.name), card.text(c.quality), c.cost_per_1000 and string.format("%.4g %s", c.cost_per_1000, c.unit or "") or
        "unknown", c.latency_s and string.format("%.4g", c.latency_s) or "unknown")
    end
  end
  judges_md(out, doc.judges)
  if t.data then
    add(out, "\n## Data\n\n| | rows | sha256 |\n|---|---|---|")
    for _, d in ipairs(t.data) do add(out, "| %s | %d | `%s` |", cell(d.what), d.rows, d.sha256) end
  end
  if t.notes then
    add(out, "\n## To know\n")
    for _, n in ipairs(t.notes) do add(out, "- %s", n) end
  end
  run:write("card.json", json.encode(doc))
  local text = table.concat(out, "\n") .. "\n"
  run:write("card.md", text)
  local saved, readme = pcall(core.read_file, run:path "model/README.md")
  if saved then run:write("model/README.md", readme .. "\n" .. text) end
  return doc
end

return card
