--- Where the quickstart's rise comes from: format, showing the working, or arithmetic.
-- hone run stories_split model=tiny, then model=runs/<quickstart run>/model.
local hone = require "hone"
local stories = require "stories"

local p = hone.params {
  model = { "tiny", "model folder, GGUF file or known name" }, test_rows = { 500, "held-out problems", min = 1 },
  test_seed = { 900, "seed of the held-out problems" }, max_tokens = { 44, "new tokens a sample", min = 1 },
}

local run = hone.run { name = "stories-split", seed = 7 }
local policy = run:policy { model = p.model }
local exact = { hone.reward("exact_match", { prefix = "Answer:", reference = "answer" }) }
local test, forced = stories.list(p.test_seed, "test", p.test_rows, true), {}
for i, story in ipairs(test) do -- the working line begun for it
  forced[i] = { prompt = story.prompt .. story.working:match "^%d+", answer = story.answer }
end

local free = policy:eval { test, rewards = exact, max_tokens = p.max_tokens }
local with = policy:eval { forced, rewards = exact, max_tokens = p.max_tokens }
local parseable, shown = 0, 0
for _, s in ipairs(free.samples) do
  parseable = parseable + (s.completion:match "Answer: %-?%d+%s*$" and 1 or 0)
  shown = shown + (stories.has_working(s.completion) and 1 or 0)
end
local function percent(r)
  return string.format("%.1f %% [%.1f, %.1f]", 100 * r.mean, 100 * r.lo, 100 * r.hi)
end
run:say("parseable answers %.1f %%, shows its working %.1f %%", 100 * parseable / #test, 100 * shown / #test)
run:say("exact match %s; with the working line begun for it %s", percent(free.exact_match), percent(with.exact_match))
