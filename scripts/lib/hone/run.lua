--- A run: its directory, its steps, its checkpoints, its stages.
-- Resuming executes the recipe again from its top. Policies are made as at first; when run:steps comes to the
-- loop that was interrupted, policies, rows and run.state are put back to the checkpoint and the loop goes on.

local alarms = require "hone.alarms"
local core = require "hone.core"
local params = require "hone.params"
local card = require "hone.card"
local components = require "hone.components"
local plan = require "hone.plan"
local monitor = require "hone.monitor"
local policy = require "hone.policy"
local prompts = require "hone.prompt"
local rows = require "hone.rows"

local Run = {}
Run.__index = Run

local run = {}
local current -- the run of this recipe, once it is open

-- ---- sinks ---------------------------------------------------------------------------------------------------

-- A sink of the command line: NAME, or NAME:key=value,key=value.
local function given_sink(text)
  local name, rest = text:match "^([^:]+):?(.*)$"
  if not name then error("--sink " .. text .. ": NAME or NAME:key=value,... is wanted", 0) end
  local settings = {}
  for item in rest:gmatch "[^,]+" do
    local key, v = item:match "^([^=]+)=(.*)$"
    if not key then error("--sink " .. text .. ": \"" .. item .. "\" is no key=value", 0) end
    if v == "true" or v == "false" then v = v == "true" else v = math.tointeger(tonumber(v)) or tonumber(v) or v end
    settings[key] = v
  end
  return components.sink(name, settings)
end

local function open_sinks(list, given)
  if type(list) ~= "table" then error("run: sinks is a list of sinks", 0) end
  local sinks = {}
  for i, s in ipairs(list) do
    local sink = components.sink(s)
    if sink.iface ~= "hone.sink/1" then error("run: sinks: " .. sink.id .. " is no sink, it offers " .. sink.iface, 0) end
    sinks[i] = sink
  end
  for _, text in ipairs(given) do sinks[#sinks + 1] = given_sink(text) end
  return sinks
end

-- One call a sink. One that fails is reported and gets nothing more: no run ends for it.
local function tell(self, call, ...)
  local kept = {}
  for _, sink in ipairs(self.sinks) do
    local ok, why = pcall(sink[call], sink, ...)
    if ok then
      kept[#kept + 1] = sink
    else
      core.warn("sink " .. sink.id .. " gets no more events: " .. tostring(why))
    end
  end
  self.sinks = kept
end

-- An event to all of them. Kinds and fields: sdk/include/hone/sink.h.
function Run:_event(kind, fields)
  if #self.sinks > 0 then tell(self, "event", kind, fields) end
end

-- ---- opening -------------------------------------------------------------------------------------------------

local function describe(config, seed)
  local options = core.options()
  local meta = {
    name = config.name, seed = seed, recipe = options.recipe, set = options.set, params = params.values,
    from = options.from, fitted = options.fitted, machine = core.machine(), sinks = options.sinks[1] and options.sinks or nil,
  }
  if options.recipe then meta.recipe_sha256 = core.file_sha256(options.recipe) end
  if params.base then meta.base_sha256 = core.file_sha256(params.base) end
  return meta
end

-- What must not have changed since the run began.
local function compare(old, new, force)
  local changed = {}
  if old.recipe_sha256 ~= new.recipe_sha256 then changed[#changed + 1] = "the recipe " .. tostring(new.recipe) end
  if old.base_sha256 ~= new.base_sha256 then changed[#changed + 1] = "the recipe " .. tostring(params.base) end
  for _, p in ipairs(old.plugins or {}) do
    local ok, sha = pcall(core.file_sha256, p.path)
    if not ok then
      changed[#changed + 1] = "the plugin " .. p.path .. " (gone)"
    elseif sha ~= p.sha256 then
      changed[#changed + 1] = "the plugin " .. p.path
    end
  end
  if #changed == 0 then return end
  local text = "changed since the run began: " .. table.concat(changed, ", ")
  if not force then
    error(text .. " (resume would not give the same bytes; --force goes on all the same)", 0)
  end
  core.warn(text)
end

local function write_meta(self, finished)
  self.meta.plugins = core.plugins()
  self.meta.models = self.models
  self.meta.prompts = next(prompts.used) and prompts.used or nil
  self.meta.gate = core.gate()
  self.meta.finished = finished or nil
  self.meta.steps = self.step
  self.meta.alarms = monitor.alarms(self.state, self.alarms.state and self.alarms.state.list or {})
  core.run_write("run.json", require "hone.json".encode(self.meta))
end

--- hone.run { name = "grpo", seed = 7, checkpoint = { every = 100, keep = 2 }, sinks = { hone.sink("name"), ... }, alarms = { kl = 0.5 } }
function run.open(config)
  config = config or {}
  local options = core.options()
  if params.base and options.recipe then -- a recipe of another's: by its own name
    local own = {}
    for k, v in pairs(config) do own[k] = v end
    own.name, config = options.recipe:match "([^/]+)%.lua$" or own.name, own
  end
  local seed = core.set_seed(config.seed or 0)
  local meta = not options.no_run and describe(config, seed) or {}
  local self = setmetatable({
    name = config.name or "run", seed = seed, state = {}, step = 0, meta = meta,
    every = (config.checkpoint or {}).every or 100, keep = (config.checkpoint or {}).keep or 2,
    policies = {}, by_name = {}, loops = {}, loop_count = {}, stages = {}, stage_name = "", sources = {},
    times = {}, normal = {}, pending = {}, models = {}, dry_run = options.dry_run, copies = 0,
    sinks = open_sinks(config.sinks or {}, not options.no_run and options.sinks or {}),
  }, Run)
  self.alarms = alarms.open(self, config.alarms)
  if options.dry_run then
    plan.name = self.name
    core.run_open(self.name, meta) -- makes nothing
  end
  if options.dry_run or options.no_run then
    self.sinks = {}
    return self
  end
  self.dir = core.run_open(self.name, meta)
  local state, step = core.run_state()
  local old = core.run_meta()
  if old then compare(old, meta, options.force) end
  if old and options.force then
    old.forced = true
    self.meta = old
  end
  if state then
    self.saved = state.recipe
    self.saved_step = step
  end
  if old then
    self.meta.from = old.from
  elseif options.from then -- which checkpoint it was, also when none was named
    self.meta.from = core.branched_from()
    write_meta(self)
  end
  current = self
  self:_event("run", { name = self.name, seed = seed, dir = self.dir, from_step = self.saved_step or 0 })
  if not options.quiet then core.say("run " .. self.dir) end
  return self
end

--- The file `name` of the run directory.
function Run:path(name)
  return core.run_path(name)
end

--- A file of the run directory, all or nothing.
function Run:write(name, text)
  core.run_write(name, text)
end

--- A table for people: to the terminal, to tables.json and into the report. t: { columns = { texts }, rows = { { texts }, ... } },
-- a row's first entry its name.
function Run:table(name, t)
  if type(t) ~= "table" or type(t.columns) ~= "table" or type(t.rows) ~= "table" then
    error("run:table: { columns = { ... }, rows = { { ... }, ... } } is wanted", 0)
  end
  if self.dry_run then return end
  local widths, lines = {}, { t.columns, table.unpack(t.rows) }
  for _, line in ipairs(lines) do
    for i, text in ipairs(line) do widths[i] = math.max(widths[i] or 0, utf8.len(tostring(text)) or #tostring(text)) end
  end
  for _, line in ipairs(lines) do
    local out = {}
    for i, text in ipairs(line) do
      text = tostring(text)
      out[i] = text .. string.rep(" ", widths[i] - (utf8.len(text) or #text))
    end
    self:say("%s", (table.concat(out, "  "):gsub("%s+$", "")))
  end
  self.tables = self.tables or {}
  self.tables[name] = { columns = t.columns, rows = t.rows }
  core.run_write("tables.json", require "hone.json".encode(self.tables))
end

--- Numbers for this step's line of metrics.jsonl: run:log { ["my/number"] = 1 }
function Run:log(numbers)
  core.log(numbers)
end

--- Text to the terminal and to log.txt.
function Run:say(format, ...)
  core.say(string.format(format, ...))
end

--- Watches the rewards of a loop: see hone/monitor.lua. local watch = run:monitor { rewards = ..., panel = ... }; watch(rollout).
function Run:monitor(config)
  local m = monitor.open(self, config)
  if m.correlations then self.alarms.limits.length = nil end -- which the monitor watches, with a panel to ask
  return m
end

-- An alarm stands in run.json and log.txt at once and goes to the sinks; it may end the run behind the open step.
function Run:_alarmed(alarm)
  self:_event("alarm", alarm)
  core.note(string.format("alarm: step %d: %s", alarm.step, alarm.text))
  write_meta(self)
end

function Run:_pause(why)
  self.paused = self.paused or why
end

--- A plain value that is computed once and kept in run.state[name]: fn() -> value. A resumed run gets the kept one, also before
-- it has come to the loop that was interrupted.
function Run:once(name, fn)
  local v = self.state[name]
  if v == nil and self.saved and not self.restored and self.saved.state then v = self.saved.state[name] end
  if v == nil then v = fn() end
  self.state[name] = v
  return v
end

-- ---- policies ------------------------------------------------------------------------------------------------

function Run:_check_name(name)
  if self.by_name[name] then
    error("two policies are called \"" .. name .. "\": give one of them another name", 0)
  end
end

local function register(self, p, fixed)
  self:_check_name(p.name)
  self.by_name[p.name] = p
  p.fixed = fixed
  self.policies[#self.policies + 1] = p
  return p
end

--- run:policy { model = M, lora = { rank = 16 }, optimizer = { "adamw", lr = 1e-6 }, name = "policy" }
-- model: a folder, a GGUF file, a known name; or hone.model{...}; or config = { ... } for one made from nothing.
-- storage = "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k" or "keep" (as in the file): weights that are not trained themselves
-- in a half to a seventh of the memory. lora: rank, alpha, targets, kind = "lora" | "rslora" | "dora", plus (LoRA+: B learns so
-- many times as fast). adapter = FOLDER: one that hone or PEFT saved, instead of a new one. rollout_precision = "int8": quantised weights are sampled from with sums of integers.
function Run:policy(config)
  local p = policy.create(self, config)
  local info = p:info()
  self.models[p.name] = { model = info.model, checksum = info.checksum }
  if self.dry_run then plan.policy(p.name, info, config) end
  local old = core.run_meta()
  local before = old and old.models and old.models[p.name]
  if before and before.checksum ~= self.models[p.name].checksum and not core.options().force then
    error("the model of policy \"" .. p.name .. "\" changed since the run began: " .. tostring(before.model), 0)
  end
  return register(self, p, not config.optimizer)
end

-- A copy made before the first step is the same after a resume; one made later, or one that is trained, must
-- be kept.
function Run:_adopt(p, trained)
  if self.dry_run then plan.policy(p.name, p:info()) end
  return register(self, p, not trained and self.step == 0)
end

function Run:_copy_name(prefix)
  self.copies = self.copies + 1
  return prefix .. self.copies
end

-- ---- checkpoints ---------------------------------------------------------------------------------------------

function Run:_checkpoint()
  local list, positions = {}, {}
  for _, p in ipairs(self.policies) do
    if not p.fixed then list[#list + 1] = { p.name, p.ud } end
  end
  for name, source in pairs(self.sources) do positions[name] = source:position() end
  core.checkpoint(self.step, list, {
    loops = self.loops, stages = self.stages, current = self.current, state = self.state, sources = positions, seed = self.seed,
    random = core.random_state(), normal = self.normal, alarms = self.alarms:save(),
  }, self.keep)
  self.checkpointed = self.step
  self:_event("checkpoint", { step = self.step })
  tell(self, "flush")
  if not self.wrote_meta then
    write_meta(self)
    self.wrote_meta = true
  end
end

-- Everything back to the checkpoint: called when the interrupted loop is reached.
local function restore(self)
  local saved = self.saved
  if not saved or self.restored then return end
  self.restored = true
  for _, p in ipairs(self.policies) do
    core.restore(p.name, p.ud) -- nothing where the checkpoint has none of it
  end
  for k in pairs(self.state) do self.state[k] = nil end
  for k, v in pairs(saved.state or {}) do self.state[k] = v end
  if saved.random then core.random_restore(saved.random) end
  self.normal = saved.normal or {}
  self.alarms:load(saved.alarms)
  self.step = self.saved_step
  self.checkpointed = self.saved_step
  core.step_clear()
  self.pending = {}
  local old = core.run_meta()
  if old and old.alarms then write_meta(self) end -- those behind the checkpoint have not been yet
end

-- ---- steps ---------------------------------------------------------------------------------------------------

local function duration(s)
  s = math.floor(s + 0.5)
  if s >= 3600 then return string.format("%dh%02dm", s // 3600, s % 3600 // 60) end
  if s >= 60 then return string.format("%dm%02ds", s // 60, s % 60) end
  return s .. "s"
end

local function progress(self, loop)
  local now = core.now()
  local left = (loop.total - loop.done) * (now - loop.t0) / math.max(1, loop.done - loop.from)
  local reward, loss = loop.reward, loop.loss
  local parts = { string.format("step %d/%d", loop.done, loop.total) }
  if reward then parts[#parts + 1] = string.format("reward %.3f", reward) end
  -- of a policy loss on its own samples only the gradient means something: its value is about 0
  if loss and not reward then parts[#parts + 1] = string.format("loss %.4f", loss) end
  if loop.tokens_per_s then parts[#parts + 1] = string.format("%.0f tokens/s", loop.tokens_per_s) end
  parts[#parts + 1] = "ETA " .. duration(left)
  core.progress(table.concat(parts, "  "))
end

local function add_time(self, what, seconds)
  self.times[what] = (self.times[what] or 0) + seconds
end

function Run:_time(what, seconds, tokens)
  add_time(self, "time/" .. what, seconds)
  if tokens then self.tokens = (self.tokens or 0) + tokens end
end

local function end_step(self, loop)
  local now = core.now()
  local total = now - (loop.step_t0 or now)
  local exact, spreads = core.metric "entropy" ~= nil, {}
  for i, rollout in ipairs(self.pending) do
    rollout:_record(exact)
    spreads[i] = self.alarms.state and core.rollout_spread(rollout.ud) or nil
  end
  self.pending = {}
  self.times["time/total"] = total
  if not self.first_step_ended then -- what a newcomer waits for; time/eval has what evaluations took of it
    self.first_step_ended = true
    self.times["time/since_start"] = core.process_age()
  end
  if self.tokens and total > 0 then self.times.tokens_per_s = self.tokens / total end
  loop.reward, loop.loss = core.metric "reward/mean", core.metric "loss"
  loop.tokens_per_s = self.times.tokens_per_s
  self.last_metrics = core.metrics()
  local fields = #self.sinks > 0 and core.metrics()
  core.step_end(self.step, self.times)
  self.alarms:look(self.last_metrics, spreads)
  if fields then
    fields.step = self.step
    self:_event("step", fields)
  end
  self.times, self.tokens = {}, nil
  loop.done = loop.done + 1
  self.loops[loop.key] = { done = loop.done, finished = loop.done >= loop.total }
  progress(self, loop)
  if core.interrupted() then
    self:_checkpoint()
    core.progress ""
    core.raise_interrupted(self.step)
  end
  if self.paused then
    self:_checkpoint()
    core.progress ""
    core.raise_paused(self.step, self.paused)
  end
  if self.every > 0 and self.step % self.every == 0 then
    local changed = loop.snapshot and loop.leaks()
    if changed and #changed > 0 then
      core.warn("changed inside the loop but not kept in run.state, so lost by a resume: " .. table.concat(changed, ", "))
    end
    self:_checkpoint()
  end
end

-- Level 4 of the stack is the recipe: above it stand next_step (or the closer), end_step and this function.
-- Names whose plain values differ from those at the loop's beginning; each is told once.
local function leak_finder(loop)
  local told = {}
  return function()
    local now, out = core.plain_values(4), {}
    for name, v in pairs(now) do
      if loop.snapshot[name] ~= nil and loop.snapshot[name] ~= v and not told[name] then
        told[name] = true
        out[#out + 1] = name
      end
    end
    table.sort(out)
    return out
  end
end

-- In a plan: the first steps of the loop, and as the last of them the loop's own last.
local function planned_steps(self, n, iterator, is_rows)
  local base, done, want = self.step, 0, math.min(n, plan.STEPS)
  plan.loop(self.stage_name, n, want)
  return function()
    if done >= want then return nil end
    local batch = true
    if is_rows then
      batch = iterator:next()
    elseif iterator then
      batch = iterator()
    end
    if batch == nil then return nil end
    done = done + 1
    self.step = base + (done == want and n or done)
    self.sample_base, self.eval_base = 0, 0
    return self.step, batch
  end
end

--- for step, batch in run:steps(n, rows:batches(16)) do ... end
-- One iteration is one step: metrics, timings and samples are written at its end, a checkpoint every so often.
-- step counts through all loops of the run. The iterator may be rows, a function, or nothing.
function Run:steps(n, iterator)
  local index = (self.loop_count[self.stage_name] or 0) + 1
  self.loop_count[self.stage_name] = index
  local key = self.stage_name .. "#" .. index
  local saved = not self.restored and self.saved and self.saved.loops and self.saved.loops[key]
  local is_rows = getmetatable(iterator) == rows.Rows
  if self.dry_run then return planned_steps(self, n, iterator, is_rows) end
  if saved and saved.finished and self.saved.current ~= key then
    self.loops[key] = saved
    return function() end
  end
  local loop = { key = key, total = n, done = 0, from = 0, t0 = core.now() }
  if self.saved and not self.restored then
    restore(self)
    if saved then loop.done, loop.from = saved.done, saved.done end
    if is_rows and self.saved.sources[key] then iterator:seek(self.saved.sources[key]) end
  end
  self.current, self.sources = key, {}
  if is_rows then self.sources[key] = iterator end
  self.sample_base, self.eval_base = 0, 0
  local open = false
  local function next_step()
    if open then
      end_step(self, loop)
      open = false
    else
      loop.snapshot = core.plain_values(2)
      loop.leaks = leak_finder(loop)
    end
    if loop.done >= n then return nil end
    local batch = true
    if is_rows then
      batch = iterator:next()
    elseif iterator then
      batch = iterator()
    end
    if batch == nil then
      core.warn(string.format("the rows ended after %d of %d steps", loop.done, n))
      self.loops[key] = { done = loop.done, finished = true }
      return nil
    end
    open = true
    self.step = self.step + 1
    core.random_step(self.step)
    self.sample_base, self.eval_base = 0, 0
    loop.step_t0 = core.now()
    return self.step, batch
  end
  -- Closed when the loop is left: a break ends the step that was open, an error does not.
  local closer = setmetatable({}, { __close = function(_, failure)
    if failure then return end
    if open then end_step(self, loop) end
    self.loops[key] = { done = loop.done, finished = true }
    if self.checkpointed ~= self.step then self:_checkpoint() end
    core.progress ""
  end })
  return next_step, nil, nil, closer
end

--- A stage: skipped on resume once it finished. run:stage("sft", function() ... end)
function Run:stage(name, fn)
  if self.saved and not self.restored and self.saved.stages and self.saved.stages[name] then
    self.stages[name] = true
    if self.saved.current == "stage " .. name then restore(self) end
    return false
  end
  local before = self.stage_name
  self.stage_name = before == "" and name or before .. "/" .. name
  fn()
  self.stage_name = before
  if self.dry_run then return true end
  self.stages[name] = true
  self.current = "stage " .. name
  self:_checkpoint()
  return true
end

--- Writes the final model into the run directory (Hugging Face layout), with its card (model/README.md).
-- options: policy (the first one), dtype ("f32"), adapter = true: its adapter alone as PEFT has it, in adapter/.
function Run:save(options)
  if self.dry_run then return end
  options = options or {}
  if self.saved and not self.restored then restore(self) end
  local p = options.policy or self.policies[1]
  if not p then error("run:save: the run has no policy", 0) end
  if options.adapter then
    p:save_adapter(core.run_path "adapter", options.dtype)
    write_meta(self)
    return
  end
  p:save(core.run_path "model", options.dtype)
  write_meta(self)
  core.run_write("model/README.md", card.text(self))
end

--- The recipe came to its end: called by the host. A run is finished then, and not before.
function run.finish()
  if not current then return end
  write_meta(current, true)
  current:_event("done", { step = current.step })
  tell(current, "flush")
end

return run
