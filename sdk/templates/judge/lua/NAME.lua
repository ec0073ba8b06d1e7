--- @name@ - a judge: how many words of the reference an answer mentions; several answers are ranked by it.
local M = { pass = 0.5 }

--- 0..1: the share of the words of `reference` that occur in `text`; nil when it has no words.
function M.covered(reference, text)
  local words, found = 0, 0
  for word in reference:gmatch "%S+" do
    words = words + 1
    if text:find(word, 1, true) then found = found + 1 end
  end
  return words > 0 and found / words or nil
end

--- The verdict on one item: a score for one candidate, a ranking (best first, counted from 1) for several.
function M.one(item)
  local share, order = {}, {}
  for k = 1, #item.candidates do
    share[k], order[k] = M.covered(item.reference, item.candidates[k]), k
  end
  if not share[1] then return { abstain = true, reasoning = "there is no reference" } end
  if #order == 1 then
    return { score = share[1], reasoning = share[1] >= M.pass and "good" or "too little of the reference" }
  end
  table.sort(order, function(a, b) return share[a] > share[b] or share[a] == share[b] and a < b end)
  return { ranking = order }
end

--- The component: hone.judge(M.judge()).
function M.judge()
  return {
    id = "@name@",
    caps = { "pure", "deterministic", "batch_invariant" },
    judge = function(items)
      local verdicts = {}
      for i = 1, #items do verdicts[i] = M.one(items[i]) end
      return verdicts
    end,
  }
end

return M
