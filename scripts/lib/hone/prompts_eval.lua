--- Several prompts on the same items, compared pair by pair: what `hone eval --prompt A --prompt B` prints.
-- Each item is answered once with every prompt and all answers are scored by the same rewards, so differences are paired
-- by item. Every prompt is compared with the first. Intervals of means are 95 %, over prompts of the data; those of the
-- differences are 1 - 0.05 / m for m comparisons (Bonferroni), so that all hold at once with 95 %; p is that of a sign-flip
-- test of the mean difference per item (2^n flips, or 9,999 drawn), after Holm's correction. Source: Holm 1979.

local core = require "hone.core"
local stats = require "hone.stats"

local compare = {}

local function key_of(row)
  return tostring(row.prompt_id or row.id or row.question or row.prompt)
end

-- Two-sided p of sum |d| under signs that could as well be the other way, by cluster.
local function sign_flip(d, seed)
  local n, sum = #d, 0
  for _, x in ipairs(d) do sum = sum + x end
  local at, hits, draws = math.abs(sum) - 1e-12, 0, 0
  if n == 0 then return nil end
  if n <= 13 then
    for mask = 0, (1 << n) - 1 do
      local s = 0
      for i = 1, n do s = s + (mask >> (i - 1) & 1 == 1 and d[i] or -d[i]) end
      draws = draws + 1
      if math.abs(s) >= at then hits = hits + 1 end
    end
    return hits / draws
  end
  for r = 1, 9999 do
    local s = 0
    for i = 1, n do s = s + (core.random(seed, "sign flip", r, 0, i) < 0.5 and d[i] or -d[i]) end
    if math.abs(s) >= at then hits = hits + 1 end
  end
  return (hits + 1) / 10000
end
compare.sign_flip = sign_flip

--- Holm's adjusted p values.
function compare.holm(p)
  local order, out, least = {}, {}, 0
  for i in ipairs(p) do order[i] = i end
  table.sort(order, function(a, b) return p[a] ~= p[b] and p[a] < p[b] or p[a] == p[b] and a < b end)
  for k, i in ipairs(order) do
    least = math.max(least, math.min(1, (#p - k + 1) * p[i]))
    out[i] = least
  end
  return out
end

--- scores[k][i]: of prompt k on row i, a number or false. Returns { prompts = { mean, unscored }, differences = { prompt,
-- value, lo, hi, p, holm } }.
function compare.figures(scores, rows, seed)
  local clusters, out = {}, { prompts = {}, differences = {} }
  for i, row in ipairs(rows) do clusters[i] = key_of(row) end
  local m = #scores - 1
  for k, list in ipairs(scores) do
    local missing = 0
    for i = 1, #rows do
      if not list[i] then missing = missing + 1 end
    end
    out.prompts[k] = stats.mean(list, { cluster = clusters, seed = seed })
    out.prompts[k].unscored = missing
  end
  local ps = {}
  for k = 2, #scores do
    local d = stats.difference(scores[k], scores[1], { cluster = clusters, seed = seed, level = 1 - 0.05 / m })
    local by, order = {}, {}
    for i = 1, #rows do
      if scores[k][i] and scores[1][i] then
        local c = clusters[i]
        if not by[c] then
          by[c] = { 0, 0 }
          order[#order + 1] = c
        end
        by[c] = { by[c][1] + scores[k][i] - scores[1][i], by[c][2] + 1 }
      end
    end
    local each = {}
    for i, c in ipairs(order) do each[i] = by[c][1] / by[c][2] end
    d.p = sign_flip(each, seed)
    ps[k - 1] = d.p or 1
    out.differences[k - 1] = d
  end
  for k, p in ipairs(compare.holm(ps)) do out.differences[k].holm = out.differences[k].p and p or nil end
  return out
end

--- Answers of the policy to the rows with every prompt, scored by one reward: scores[k][i] as above. how: max_tokens, n, ...
function compare.run(policy, prompts, rows, reward, how)
  local scores = {}
  for k, p in ipairs(prompts) do
    local c = {}
    for key, v in pairs(how) do c[key] = v end
    c[1], c.rewards = p:rows(rows), { reward }
    local list = {}
    for i = 1, #rows do list[i] = false end
    local sums = {}
    for _, s in ipairs(policy:eval(c).samples) do
      local o = s.outcomes[reward.id]
      if o and o.status == "score" then
        sums[s.row] = sums[s.row] or { 0, 0 }
        sums[s.row] = { sums[s.row][1] + o.score, sums[s.row][2] + 1 }
      end
    end
    for i, x in pairs(sums) do list[i] = x[1] / x[2] end
    scores[k] = list
  end
  return scores
end

return compare
