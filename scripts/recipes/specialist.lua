--- A specialist that goes on learning: one task after another, with rows of the earlier ones mixed in, and a gate at each.
-- After each task all are measured on held-out rows. A version is promoted when no earlier task has fallen below the interval it had
-- when it was learnt; one that is refused ends the run, and the last promoted version is what is saved.
local hone = require "hone"
local given = require "given"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" },
  data = { "", "JSONL with question, answer and task (the tasks in their order); empty: three tasks on story problems" },
  test = { "", "held-out rows of the same form" }, instruction = { "", "added to the questions of a file" },
  replay = { 0.6, "share of the rows that come from earlier tasks", min = 0, max = 1 },
  steps = { 200, "updates a task", min = 1 }, batch = { 8, "rows an update", min = 1 }, lr = { 4e-4, "peak learning rate" },
  optimizer = given.optimizers,
  lora = { 0, "rank of an adapter; 0 trains all parameters", min = 0 },
  max_tokens = { 44, "new tokens of an answer", min = 1 }, clip = { 1.0, "largest gradient norm", min = 0 }, seed = { 7, "seed" },
}

local run = hone.run { name = "specialist", seed = p.seed, checkpoint = { every = 50 } }
local policy = run:policy {
  model = p.model, lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = given.optimizer(p),
}
local promoted = policy:ema(0) -- follows the policy when it is told to
local tasks = given.tasks(p)
local state = run.state
state.matrix, state.version = state.matrix or {}, state.version or 0

local function rows_of(k)
  local own = hone.rows(tasks[k].rows):shuffle(run.seed):epochs()
  if k == 1 or p.replay == 0 then return own end
  local old, weights = {}, { 1 - p.replay }
  for j = 1, k - 1 do old[j], weights[j + 1] = hone.rows(tasks[j].rows):shuffle(run.seed + j):epochs(), p.replay / (k - 1) end
  return own:mix(old, weights, { seed = run.seed + k })
end

for k, task in ipairs(tasks) do
  if state.refused then break end
  run:stage(task.name, function()
    for _, batch in run:steps(p.steps, rows_of(k):batches(p.batch)) do
      policy:update { batch, objective = "sft", clip = p.clip, schedule = given.schedule(p, { "constant", warmup = 5 }) }
    end
    local row = {}
    for j, other in ipairs(tasks) do
      local r = policy:eval { other.test, rewards = { other.reward }, max_tokens = p.max_tokens }[other.reward.id]
      row[j] = { mean = r.mean, lo = r.lo, hi = r.hi }
    end
    state.matrix[k] = row
    state.refused = given.forgotten(state.matrix, k)
    if not state.refused then
      promoted:track()
      state.version = k
    end
    run:say("after %s: %s", task.name, state.refused and "refused, " .. tasks[state.refused].name .. " is forgotten" or "version " .. k .. " promoted")
  end)
end
run:table("forgetting", given.matrix_shown(tasks, state.matrix))
run:save { policy = promoted }
