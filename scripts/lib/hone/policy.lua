--- Policies: sampling, training, evaluating.

local components = require "hone.components"
local core = require "hone.core"
local environment = require "hone.environment"
local method = require "hone.method"
local plan = require "hone.plan"
local rollouts = require "hone.rollout"
local rows = require "hone.rows"

local Policy = {}
Policy.__index = Policy

local policy = {}

-- Far beyond any training step: evaluations draw from random streams of their own.
local EVAL_STEPS = 1 << 40

local function wrap(run, ud, name, config)
  return setmetatable({ run = run, ud = ud, name = name, config = config or {} }, Policy)
end

-- { "adamw", lr = 1e-6 } -> { name = "adamw", lr = 1e-6 }; in its groups the pattern stands first, and another optimizer
-- may stand likewise.
local function named(spec, key)
  if type(spec) ~= "table" then return spec end
  local out = {}
  for k, v in pairs(spec) do out[k == 1 and (key or "name") or k] = v end
  if type(out.groups) == "table" then
    local groups = {}
    for i, g in ipairs(out.groups) do
      groups[i] = named(g, "match")
      if type(g) == "table" then groups[i].optimizer = named(g.optimizer) end
    end
    out.groups = groups
  end
  return out
end

function policy.create(run, config)
  local c = {}
  for k, v in pairs(config) do c[k] = v end
  local component
  if type(c.model) == "table" and c.model.model then
    component, c.config, c.model = c.model.component, c.model.config, nil
  end
  c.name = c.name or "policy"
  c.optimizer, c.value_head = named(c.optimizer), named(c.value_head, "kind")
  local schedule = c.schedule
  c.schedule = nil
  local tokenizer
  if type(c.tokenizer) == "table" then -- of hone.tokenizer, or a component
    tokenizer, c.tokenizer = components.tokenizer(c.tokenizer).ud, nil
  end
  local p = wrap(run, core.policy(c, component, tokenizer), c.name, c)
  p.schedule = schedule
  return p
end

--- Facts: parameters, trainable, vocab_size, max_positions, version, lr, checksum, ...
function Policy:info()
  return core.policy_info(self.ud)
end

-- ---- copies --------------------------------------------------------------------------------------------------

--- A frozen copy of the policy as it is now, for KL terms and preference losses. With an adapter no copy is
-- needed: the base with the adapter off is the reference by itself.
function Policy:reference()
  return self:copy(self.run:_copy_name "reference")
end

--- A frozen copy under a name of its own.
function Policy:copy(name)
  local p = wrap(self.run, core.policy_copy(self.ud, name), name)
  return self.run:_adopt(p)
end

--- Another policy on the same base: an adapter and an optimizer of its own, no second copy of the weights.
-- config: lora, optimizer, seed, adapter (a folder to load it from); what is missing is as with this policy. It samples, trains, checkpoints and saves
-- by itself, and neither sees the other's adapter. A policy without an optimizer may carry adapters too.
function Policy:adapter(name, config)
  if type(name) ~= "string" then error("policy:adapter: a name is wanted", 0) end
  local own = self.config
  local c = { name = name, lora = own.lora, optimizer = own.optimizer, seed = own.seed }
  for k, v in pairs(config or {}) do
    if k ~= "lora" and k ~= "optimizer" and k ~= "seed" and k ~= "adapter" then
      error("policy:adapter: there is no setting \"" .. tostring(k) .. "\" (lora, optimizer, seed, adapter)", 0)
    end
    c[k] = v
  end
  if c.adapter and not (config or {}).lora then c.lora = nil end
  c.optimizer = named(c.optimizer)
  self.run:_check_name(name)
  local p = self.run:_adopt(wrap(self.run, core.policy_adapter(self.ud, c), name, c), true)
  p.schedule = self.schedule
  return p
end

--- An average of the policy's past: call ema:track() once a step, behind the update; decay d close to 1. It begins as
-- the policy is now. warmup: the decay of the run's step t is (1 + t) / (10 + t) while that is less, so that the
-- beginning is forgotten sooner.
function Policy:ema(d, options)
  local warmup = (options or {}).warmup
  if type(d) ~= "number" or not (d >= 0 and d < 1) then error("policy:ema: a decay from 0 to below 1 is wanted, such as 0.99", 0) end
  local p = self:copy(self.run:_copy_name "ema")
  p.fixed = false
  local from = self
  function p.track(average)
    if from.run.dry_run then return end
    local now = d
    if warmup then now = math.min(d, (1 + from.run.step) / (10 + from.run.step)) end
    core.policy_lerp(average.ud, from.ud, 1 - now)
  end
  return p
end

--- Writes a folder in Hugging Face layout; an adapter is merged. dtype: "f32", "bf16", "f16", "keep" (each tensor as
-- it is stored).
function Policy:save(path, dtype)
  if self.run.dry_run then return end
  core.policy_save(self.ud, path, dtype or "f32")
end

--- Adds the adapter to the weights: sampling costs what the base alone does, and gives the same log-probs but for rounding. The weights
-- it changes are kept, so that policy:unmerge() gives them back bit for bit. Meanwhile there is no training and no reference.
function Policy:merge()
  core.policy_merge(self.ud, true)
  if self.run.step > 0 then self.fixed = false end -- checkpoints hold whether it is
end

--- Takes it off again.
function Policy:unmerge()
  core.policy_merge(self.ud, false)
end

--- Writes the adapter alone as PEFT does: adapter_config.json and adapter_model.safetensors. dtype: "f32", "bf16", "f16".
function Policy:save_adapter(path, dtype)
  if self.run.dry_run then return end
  core.policy_save_adapter(self.ud, path, dtype or "f32")
end

-- ---- sampling ------------------------------------------------------------------------------------------------

-- A name nobody reads is a slip: it is refused, with the name that was meant.
local function check_keys(config, call, ...)
  local known = {}
  for _, list in ipairs { ... } do
    for _, k in ipairs(list) do known[k] = true end
  end
  for k in pairs(config) do
    if type(k) == "string" and not known[k] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      local close = core.closest(k, names)
      error(call .. ": there is no setting \"" .. k .. "\"" .. (close and " (did you mean \"" .. close .. "\"?)" or ""), 0)
    end
  end
end

local scorers = setmetatable({}, { __mode = "k" })

local function scorer_of(rewards)
  if not rewards then return nil end
  local now = components.changes or 0
  if not scorers[rewards] or scorers[rewards].changes ~= now then
    for i, r in ipairs(rewards) do
      if type(r) ~= "table" or not r.reward then error("rewards: entry " .. i .. " is not made by hone.reward", 0) end
    end
    scorers[rewards] = { core.scorer(rewards, rewards.workers or 0), changes = now }
  end
  return scorers[rewards][1]
end
rollouts.scorer_of = scorer_of

local callbacks = { logits = true, sampler = true, stop = true }
local sampling_keys = { "n", "max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "greedy", "raw",
  "stop", "seed", "step", "first_sample", "max_sequences", "error_limit", "no_journal", "candidates", "grammar", "schema" }
local environment_keys = { "environment", "turns", "max_length", "observation_tokens" }

-- stop = a text, a function, or a list of both: the texts, and one function for all functions.
local function stop_rules(stop)
  local texts, fns = {}, {}
  for _, rule in ipairs(type(stop) == "table" and stop or { stop }) do
    if type(rule) == "function" then
      fns[#fns + 1] = rule
    elseif type(rule) == "string" then
      texts[#texts + 1] = rule
    else
      error("stop: a text, a function(text, ids, sample), or a list of those is wanted, not a " .. type(rule), 0)
    end
  end
  local list = texts[1] and texts or nil
  if #fns == 0 then return list, nil end
  return list, #fns == 1 and fns[1] or function(text, ids, sample)
    for _, fn in ipairs(fns) do
      if fn(text, ids, sample) then return true end
    end
    return false
  end
end

-- The settings of a draw, and its functions.
local function sampling(config, extra, call)
  local c = {}
  check_keys(config, call, sampling_keys, extra, extra.environment and environment_keys or {})
  for _, k in ipairs(sampling_keys) do c[k] = config[k] end
  local functions = { logits = config.logits, sampler = config.sampler }
  c.stop, functions.stop = stop_rules(config.stop)
  for name in pairs(callbacks) do
    if functions[name] ~= nil and type(functions[name]) ~= "function" then
      error(call .. ": " .. name .. " is a function, not a " .. type(functions[name]), 0)
    end
  end
  local e = environment.of(config, call)
  if e then
    for i = 2, #environment_keys do c[environment_keys[i]] = config[environment_keys[i]] end
    c.environment_id, c.environment_weight, c.environment_timeout = e.id, e.weight, e.timeout
    functions.environment = e.component
  end
  return c, functions
end

-- A prompt may be a text, a list of messages, or a row with prompt or messages.
local function as_rows(prompts)
  if type(prompts) == "string" then prompts = { prompts } end
  local out = {}
  for i, p in ipairs(prompts) do
    if type(p) == "string" then
      out[i] = { prompt = p }
    elseif p[1] and p[1].role then
      out[i] = { messages = p }
    else
      out[i] = p
    end
  end
  return out
end

--- Draws n samples of each prompt and scores them as they finish.
-- config: n, max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, greedy, raw, rewards,
-- permute = seed (outcomes are dealt out anew: a control), and functions: stop = function(text, ids, sample) or
-- texts, logits = function(logits, sample, ids), sampler = function(c) (see docs/recipes.md);
-- grammar = GBNF text or schema = a JSON Schema (text or table): what every completion keeps to;
-- environment = e (hone.environment), whom samples play with, turns (8), max_length (ids behind the prompt),
-- observation_tokens (1024): see docs/recipes.md, "Many turns".
function Policy:rollout(prompts, config)
  config = config or {}
  local c, functions = sampling(config, { "rewards", "permute", "logits", "sampler", environment = true }, "policy:rollout")
  local run, list = self.run, as_rows(prompts)
  c.step = c.step or run.step
  c.first_sample = c.first_sample or run.sample_base or 0
  run.sample_base = (run.sample_base or 0) + #list * (c.n or 1)
  local ud = core.rollout(self.ud, list, c, scorer_of(config.rewards), functions)
  if config.permute then core.rollout_permute(ud, config.permute) end
  local r = rollouts.wrap(run, ud, config.rewards, config.environment)
  if run.dry_run then
    plan.did("rollout", self.name, { prompts = #list, n = c.n or 1, max_tokens = c.max_tokens or 256 })
    return r
  end
  local info = r:info()
  run:_time("generate", info.generate_s, info.new_tokens)
  run:_time("reward", info.reward_s)
  for id, t in pairs(info.components) do
    run.times["reward/" .. id .. "/p50_ms"], run.times["reward/" .. id .. "/p95_ms"] = t.p50_ms, t.p95_ms
    if t.cached > 0 then run.times["reward/" .. id .. "/cached"] = t.cached end
    if t.retried > 0 then run.times["reward/" .. id .. "/retried"] = t.retried end
  end
  components.treat(config.rewards, ud, run.normal)
  run.pending[#run.pending + 1] = r
  return r
end

--- Texts: for one prompt a list of { text, ids, finish, logprob }, for a list of prompts a list of those.
function Policy:generate(prompts, config)
  config = config or {}
  local c, functions = sampling(config, { "logits", "sampler" }, "policy:generate")
  if c.greedy == nil and not c.temperature then c.greedy = true end
  c.no_journal = true
  local list = as_rows(prompts)
  if self.run.dry_run then
    plan.did("generate", self.name, { prompts = #list, n = c.n or 1, max_tokens = c.max_tokens or 256 })
  end
  local out = core.generate(self.ud, list, c, nil, functions)
  if type(prompts) == "string" then return out[1] end
  return out
end

--- The last hidden states of each text, behind the final norm, as one vector: a list of vectors.
-- options: pooling = "mean" (over the text's tokens) or "last" (the last token's), unit = true (length 1).
function Policy:embed(texts, options)
  local o = options or {}
  check_keys(o, "policy:embed", { "pooling", "unit" })
  if o.pooling and o.pooling ~= "mean" and o.pooling ~= "last" then error("policy:embed: pooling is \"mean\" or \"last\"", 0) end
  local one = type(texts) == "string"
  local out = core.embed(self.ud, one and { texts } or texts, o.pooling == "last", o.unit)
  return one and out[1] or out
end

-- ---- training ------------------------------------------------------------------------------------------------

--- Rows as the trainer wants them: prompt and completion, messages, text, or prompt, chosen and rejected.
-- options: raw, eos, max_tokens, on_error = "stop" | "skip", scored (as a reward model reads them: whole conversations,
-- of which only the last token counts).
function Policy:batch(list, options)
  options = options or {}
  local skip = options.on_error == "skip"
  local c = { raw = options.raw, eos = options.eos, max_tokens = options.max_tokens, scored = options.scored }
  local out, left_out = {}, 0
  for i, row in ipairs(list) do
    if type(row) == "userdata" then
      out[#out + 1] = row
    elseif skip then
      local ok, e = pcall(core.example, self.ud, row, c)
      if ok then
        out[#out + 1] = e
      else
        left_out, self.why_left_out = left_out + 1, tostring(e)
      end
    else
      out[#out + 1] = core.example(self.ud, row, c)
    end
  end
  return out, left_out
end

local update_keys = { "epochs", "minibatches", "accumulate", "micro_tokens", "checkpoint_every", "lr", "clip", "clip_value", "max_length",
  "temperature", "skip_equal", "schedule", "total" }

local own_keys = { "objective", "advantage", "reference", "teacher", "raw", "eos", "max_tokens", "on_error" }

-- schedule: instead of the configuration's
local function settings(config, call, schedule)
  local c = {}
  check_keys(config, call, update_keys, own_keys)
  for _, k in ipairs(update_keys) do c[k] = config[k] end
  c.schedule = schedule or c.schedule
  if type(c.schedule) == "function" then c.schedule = nil end
  if type(c.schedule) == "table" and c.schedule[1] then
    local s = {}
    for k, v in pairs(c.schedule) do s[k == 1 and "name" or k] = v end
    c.schedule = s
  end
  return c
end

-- Rollouts get their advantages; rows become examples.
local function prepare(self, config, objective)
  local list, rows_as = {}, { raw = config.raw, eos = config.eos, max_tokens = config.max_tokens, on_error = config.on_error,
    scored = core.objective_scores(objective) }
  for _, item in ipairs(config) do
    if rollouts.is(item) then
      local scored = item.environment or item.rewards and #item.rewards > 0
      if config.advantage or (scored and not item.has_advantages) then item:advantages(config.advantage or "group", self) end
      list[#list + 1] = item.ud
    elseif type(item) == "table" and (item[1] ~= nil) then
      for _, e in ipairs(self:batch(item, rows_as)) do list[#list + 1] = e end
    elseif type(item) == "table" then
      for _, e in ipairs(self:batch({ item }, rows_as)) do list[#list + 1] = e end
    else
      list[#list + 1] = item
    end
  end
  return list
end

local function reference_of(config)
  local r = config.reference
  if type(r) == "table" then return r.ud end
end

-- The objective, and the policy that it learns from: objective = { "gkd", teacher = policy }, or teacher = policy beside it.
local function objective_of(config, default)
  local spec, teacher = config.objective or default, config.teacher
  if type(spec) == "table" and spec.teacher then
    local own = {}
    for k, v in pairs(spec) do own[k] = v end
    teacher, own.teacher = own.teacher, nil
    spec = own
  end
  if teacher ~= nil and getmetatable(teacher) ~= Policy then
    error("objective: teacher is a policy, not a " .. type(teacher), 0)
  end
  return components.resolve_objective(spec), teacher and teacher.ud
end

-- Adaptive entropy: the weight of the bonus moves towards entropy_target by what the last update measured.
local function adapt_entropy(self, config, objective)
  local spec = config.objective
  if type(spec) ~= "table" or type(spec[1] or spec.name) ~= "string" or not spec.entropy_target or spec.entropy_target <= 0 then
    return function() end
  end
  local state, key = self.run.state, "entropy of " .. self.name
  local was = state[key] or { weight = spec.entropy or 0 }
  local on = not was.last or was.last <= spec.entropy_target
  core.component_set(objective, { entropy = on and was.weight or 0 })
  return function(m)
    local e, step = m.entropy, spec.entropy_step or 0
    if not e then return end
    local weight = was.weight + (e < spec.entropy_target and step or -step)
    state[key] = { weight = math.max(0, math.min(spec.entropy_max or 1, weight)), last = e }
    if not self.run.dry_run then self.run:log { ["entropy/weight"] = on and was.weight or 0 } end
  end
end

-- KTO compares rewards with the KL to the reference, estimated on answers that belong to other prompts: each prompt of the
-- batch with the next row's answer. Not where kto_kl is given, or rows were encoded before.
local function estimate_kto(self, config, objective)
  local spec = config.objective
  local name = type(spec) == "table" and (spec[1] or spec.name) or spec
  if name ~= "kto" or type(spec) == "table" and spec.kto_kl or self.run.dry_run then return end
  local rows_of, mixed = {}, {}
  for _, item in ipairs(config) do
    for _, row in ipairs(type(item) == "table" and item[1] ~= nil and item or { item }) do
      if type(row) == "table" and row.prompt and row.completion then rows_of[#rows_of + 1] = row end
    end
  end
  if #rows_of < 2 then return end
  for i, row in ipairs(rows_of) do
    local m = {}
    for k, v in pairs(row) do m[k] = v end
    m.completion, m.label, m.teacher = rows_of[i % #rows_of + 1].completion, nil, nil
    mixed[i] = m
  end
  local list = self:batch(mixed, { raw = config.raw, eos = config.eos, max_tokens = config.max_tokens, on_error = "skip" })
  if #list == 0 then return end
  local kl = core.loss(self.ud, list, settings(config, "policy:update"),
    components.resolve_objective { "reinforce", beta = 1, kl = "k1", reduce = "seq_mean_token_sum" }, reference_of(config))
  core.component_set(objective, { kto_kl = math.max(0, kl) })
  self.run:log { ["kto/kl"] = math.max(0, kl) }
end

--- One or more optimizer steps: policy:update { rollout or rows, objective = "grpo", advantage = "group", ... }.
-- objective: a name, { "dapo", eps_high = 0.28 }, or a function over tensors. Also: epochs, minibatches,
-- accumulate, clip, schedule (a name, { name, ... }, or function(update) -> share of lr), reference, teacher, skip_equal, micro_tokens,
-- checkpoint_every. Returns the metrics.
function Policy:update(config)
  local t0 = core.now()
  local objective, teacher = objective_of(config, "grpo")
  local list = prepare(self, config, objective)
  if #list == 0 then
    error("policy:update: nothing to train on" .. (self.why_left_out and ": every row was left out, such as: " .. self.why_left_out or ""), 0)
  end
  method.note(self.run, self.name, config, "grpo")
  local given = config.schedule or self.schedule
  local schedule = type(given) == "function" and given or nil
  local measured = adapt_entropy(self, config, objective)
  estimate_kto(self, config, objective)
  local m = core.update(self.ud, list, settings(config, "policy:update", given), objective, reference_of(config), schedule, teacher)
  measured(m)
  if m["rewards/chosen"] and m["rewards/rejected"] and not m["rewards/margin"] then -- of single answers, whose means stand apart
    m["rewards/margin"] = m["rewards/chosen"] - m["rewards/rejected"]
    if not self.run.dry_run then self.run:log { ["rewards/margin"] = m["rewards/margin"] } end
  end
  if self.run.dry_run then
    plan.did("update", self.name, { tokens = m.tokens // 1 | 0, parts = m["plan/parts"] // 1 | 0,
      part_tokens = m["plan/part_tokens"] // 1 | 0, checkpoint_every = m["plan/checkpoint_every"] // 1 | 0 })
  end
  self.run:_time("train", core.now() - t0, m.tokens)
  return m
end

--- Loss and metrics of rows (or a rollout) without training.
function Policy:loss(config)
  local objective, teacher = objective_of(config, "sft")
  local list = prepare(self, config, objective)
  return core.loss(self.ud, list, settings(config, "policy:loss"), objective, reference_of(config), nil, teacher)
end

--- Log-probs of every token of the completions of rows: a list (rows) of lists (sequences) of lists.
-- reference = true: with the adapter off.
function Policy:logprobs(list, options)
  options = options or {}
  return core.logprobs(self.ud, self:batch(list, options), options.reference or false, options.temperature or 1)
end

--- What a teacher says of rows of one completion each, to be written down: for each row { k, temperature, ids, logprobs },
-- the k likeliest tokens at each trained-on place. A row that carries it as `teacher` needs no teacher to learn from.
function Policy:topk(list, options)
  options = options or {}
  return core.topk(self.ud, self:batch(list, options), options.k or 20, options.temperature or 1)
end

-- ---- evaluating ----------------------------------------------------------------------------------------------

local function take_rows(source, limit)
  local list = {}
  if getmetatable(source) == rows.Rows then
    while not limit or #list < limit do
      local row = source:next()
      if not row then break end
      list[#list + 1] = row
    end
    return list
  end
  for i, row in ipairs(source) do
    if limit and i > limit then break end
    list[i] = row
  end
  return list
end

local function gather(samples, ids, out)
  for _, s in ipairs(samples) do
    for _, id in ipairs(ids) do
      local o = s.outcomes[id]
      if o and o.status == "score" then
        local v = out[id]
        v[s.row] = v[s.row] or { sum = 0, n = 0, pass = 0 }
        v[s.row].sum, v[s.row].n = v[s.row].sum + o.score, v[s.row].n + 1
        if o.score >= 1 then v[s.row].pass = v[s.row].pass + 1 end
      end
    end
  end
end

local function interval(per_row, seed)
  local list = {}
  for _, v in pairs(per_row) do list[#list + 1] = v.sum / v.n end
  table.sort(list) -- the order of a table differs from process to process
  local mean, lo, hi, n = core.bootstrap(list, seed)
  return { mean = mean, lo = lo, hi = hi, n = n }
end

--- Scores completions of held-out rows: policy:eval { rows, rewards = ..., n = 1, k = 1, max_tokens = ..., limit = }.
-- Greedy when n is 1 and no temperature is given. Returns { [reward id] = { mean, lo, hi, n, pass = { [k] = } },
-- length, truncated, samples }; intervals are 95 %, by bootstrap over rows. Inside a step the means are logged as
-- eval/<id>.
function Policy:eval(config)
  local c, functions = sampling(config, { "source", "rewards", "limit", "k", "chunk", "name", "log", "logits", "sampler",
    environment = true }, "policy:eval")
  local run = self.run
  local t0 = core.now()
  c.evaluation = true
  local list = take_rows(config[1] or config.source, config.limit)
  local played = config.environment
  local rewards = config.rewards or played and {} or error("policy:eval: rewards are missing", 0)
  if #list == 0 then error("policy:eval: there are no rows", 0) end
  c.n = config.n or 1
  if c.greedy == nil and not c.temperature and c.n == 1 then c.greedy = true end
  if run.dry_run then plan.did("eval", self.name, { prompts = #list, n = c.n, max_tokens = c.max_tokens or 256 }) end
  c.step = EVAL_STEPS + run.step
  local base = run.eval_base or 0 -- samples of evaluations within this step: no two share a number
  run.eval_base = base + #list * c.n
  local ids, out, all = {}, {}, {}
  for _, r in ipairs(rewards) do
    if not r.watch then ids[#ids + 1], out[r.id] = r.id, {} end
  end
  if played then ids[#ids + 1], out[played.id] = played.id, {} end
  local length, truncated, count, chunk = 0, 0, 0, config.chunk or 64
  for from = 1, #list, chunk do
    local part = table.move(list, from, math.min(#list, from + chunk - 1), 1, {})
    c.first_sample = base + (from - 1) * c.n
    local ud = core.rollout(self.ud, as_rows(part), c, scorer_of(rewards), functions)
    local samples = core.rollout_samples(ud)
    for _, s in ipairs(samples) do
      s.row = from + s.group - 1
      length, count = length + s.n_tokens, count + 1
      if s.finish == "length" then truncated = truncated + 1 end
      all[#all + 1] = s
    end
    gather(samples, ids, out)
    if run.step > 0 and not run.dry_run and config.log ~= false then
      core.watch_eval(ud, config.name and config.name .. "/" or "")
    end
    core.close(ud)
    if not run.dry_run then core.progress(string.format("eval %d/%d", math.min(#list, from + chunk - 1), #list)) end
  end
  core.progress ""
  run:_time("eval", core.now() - t0)
  local result = { length = length / count, truncated = truncated / count, samples = all, n = #list }
  for _, id in ipairs(ids) do
    local r = interval(out[id], run.seed)
    r.pass = {}
    for k = 1, math.min(config.k or 1, c.n) do
      local sum, n = 0, 0
      for _, v in pairs(out[id]) do
        if v.n >= k then sum, n = sum + core.pass_at_k(v.n, v.pass, k), n + 1 end
      end
      r.pass[k] = n > 0 and sum / n or nil
    end
    result[id] = r
    run:_event("eval", { step = run.step, policy = self.name, name = config.name, reward = id, mean = r.mean, lo = r.lo, hi = r.hi, n = r.n })
    if run.step > 0 and not run.dry_run and config.log ~= false and r.n > 0 then core.log { ["eval/" .. (config.name and config.name .. "/" or "") .. id] = r.mean } end
  end
  return result
end

return policy
