--- Plans: what `hone run --dry-run` tells. While a plan is made the recipe runs as ever, and the calls of this
-- library leave a note here of what they would have done; render() makes the page and the JSON of it.

local core = require "hone.core"

local plan = { policies = {}, data = {}, loops = {}, work = {}, name = nil }

-- Steps of a loop that are executed in a plan; the last of them counts as the loop's last.
plan.STEPS = 4

function plan.on()
  return core.options().dry_run
end

--- A policy was opened. note: name, model, info.
function plan.policy(name, info, settings)
  local optimizer = settings and settings.optimizer
  if type(optimizer) == "table" then optimizer = optimizer[1] or optimizer.name end
  plan.policies[#plan.policies + 1] = {
    name = name, model = info.model ~= "" and info.model or "made by the recipe", arch = info.arch,
    parameters = info.parameters, trainable = info.trainable, bytes = info.bytes, storage = info.storage,
    lora = settings and settings.lora and settings.lora.rank or nil,
    optimizer = optimizer,
  }
end

function plan.source(name, path, count)
  for _, d in ipairs(plan.data) do
    if d.source == name and d.path == path and d.rows == count then return end
  end
  plan.data[#plan.data + 1] = { source = name, path = path, rows = count }
end

function plan.loop(stage, total, planned)
  plan.loops[#plan.loops + 1] = { stage = stage ~= "" and stage or nil, steps = total, planned = planned }
end

-- One line for each kind of work of one policy, with the largest numbers met.
function plan.did(what, policy, numbers)
  local key = what .. " " .. policy
  local w = plan.work[key]
  if not w then
    w = { what = what, policy = policy, calls = 0, order = 0 }
    for _ in pairs(plan.work) do w.order = w.order + 1 end
    plan.work[key] = w
  end
  w.calls = w.calls + 1
  for k, v in pairs(numbers) do
    if not w[k] or v > w[k] then w[k] = v end
  end
end

-- ---- the page ------------------------------------------------------------------------------------------------

local function mb(bytes)
  return string.format("%.1f MB", bytes / 1048576)
end

local function count(n)
  local s = tostring(n)
  local out = s:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (out:gsub("^,", ""))
end

local function works()
  local list = {}
  for _, w in pairs(plan.work) do list[#list + 1] = w end
  table.sort(list, function(a, b) return a.order < b.order end)
  return list
end

local function describe(w)
  if w.what == "update" then
    local t = string.format("%s tokens in %s micro-batch%s, the largest %s tokens; activations %s", count(w.tokens), count(w.parts),
      w.parts == 1 and "" or "es", count(w.part_tokens),
      w.checkpoint_every == 0 and "kept" or "recomputed, every " .. (w.checkpoint_every == 1 and "block" or w.checkpoint_every .. " blocks"))
    return t
  elseif w.what == "rollout" then
    return string.format("%s prompts x %s samples, at most %s new tokens", count(w.prompts), count(w.n), count(w.max_tokens))
  end
  return string.format("%s rows%s, at most %s new tokens", count(w.prompts), w.n > 1 and " x " .. w.n .. " samples" or "",
    count(w.max_tokens))
end

local regions = {
  { "parameters", "parameters" }, { "training", "gradients and optimizer" }, { "activations", "activations" },
  { "state", "sequence state" }, { "scratch", "scratch" }, { "program", "program, tokenizer, rows" },
}

local function page(m, stopped)
  local out = {}
  local function line(...) out[#out + 1] = string.format(...) end
  local function part(title, text, ...) line("%-10s  " .. text, title, ...) end
  part("recipe", "%s, run \"%s\"", core.options().recipe or "", plan.name or "none")
  for i, p in ipairs(plan.policies) do
    part(i == 1 and "models" or "", "%s: %s%s, %s parameters (%s%s), %s", p.name, p.model, p.arch ~= "" and " (" .. p.arch .. ")" or "",
      count(p.parameters), p.storage ~= "f32" and p.storage .. ", " or "", mb(p.bytes), p.trainable == 0 and "frozen" or string.format("%s trained%s%s", count(p.trainable),
        p.lora and " (LoRA, rank " .. p.lora .. ")" or "", p.optimizer and " by " .. p.optimizer or ""))
  end
  local title = "plugins"
  for _, p in ipairs(core.plugins()) do
    for _, c in ipairs(p.components) do
      if p.used[c] then
        part(title, "%s", c)
        title = ""
      end
    end
  end
  for i, d in ipairs(plan.data) do
    part(i == 1 and "data" or "", "%s%s", d.path or d.source, d.rows and ": " .. count(d.rows) .. " rows" or "")
  end
  for i, l in ipairs(plan.loops) do
    part(i == 1 and "steps" or "", "%s%s", l.stage and l.stage .. ": " or "", count(l.steps))
  end
  for i, w in ipairs(works()) do
    part(i == 1 and "work" or "", "%s (%s): %s", w.what, w.policy, describe(w))
  end
  for i, r in ipairs(regions) do
    part(i == 1 and "memory" or "", "%-26s %12s", r[2], mb(m[r[1]]))
  end
  part("", "%-26s %12s of %s (%s; %s free now)", "total", mb(m.total), mb(m.allowed), m.allowed_by, mb(m.machine_free))
  if m.chosen ~= "" then part("", "so that it fits: %s", m.chosen) end
  line("")
  line("Sizes are those of the first %d steps of each loop and its last, with every sample as long as max_tokens allows;", plan.STEPS - 1)
  line("longer rows later on need more. Nothing was trained, generated, scored or written.")
  if stopped ~= "" then line("The recipe stopped here while it was planned: %s", stopped) end
  return table.concat(out, "\n")
end

local function json(m, stopped)
  local plugins = {}
  for _, p in ipairs(core.plugins()) do
    for _, c in ipairs(p.components) do
      if p.used[c] then plugins[#plugins + 1] = { component = c, path = p.path, sha256 = p.sha256 } end
    end
  end
  local work = works()
  for _, w in ipairs(work) do w.order = nil end
  local memory = { allowed = m.allowed, allowed_by = m.allowed_by, total = m.total, machine_total = m.machine_total,
    machine_free = m.machine_free }
  for _, r in ipairs(regions) do memory[r[1]] = m[r[1]] end
  local function list(t) return #t > 0 and t or nil end
  return require "hone.json".encode {
    recipe = core.options().recipe, run = plan.name, memory = memory, fits = m.fits, chosen = m.chosen ~= "" and m.chosen or nil,
    models = list(plan.policies), plugins = list(plugins), data = list(plan.data), steps = list(plan.loops), work = list(work),
    stopped = stopped ~= "" and stopped or nil,
  }
end

--- The page and the JSON. stopped: the error that ended the recipe, or "".
function plan.render(stopped)
  local m = core.plan_memory()
  return page(m, stopped), json(m, stopped)
end

return plan
