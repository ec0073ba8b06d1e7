--- @name@ - a reward: the answer is in the text, and the text is about as long as wanted.
local M = { target = 40, bonus = 0.5 }

--- The score of one sample, or hone.abstain where there is no answer to compare with.
function M.one(sample, abstain)
  local answer = sample.columns.answer
  if not answer then return abstain end
  local length = #sample.completion
  local off = math.abs(length - M.target) / math.max(length, M.target)
  local right = sample.completion:find(answer, 1, true) and 1 or 0
  return M.bonus * right + (1 - M.bonus) * (1 - off)
end

--- The component: hone.reward(M.reward(hone)).
function M.reward(hone)
  return {
    id = "@name@",
    score = function(batch) return batch:map(function(s) return M.one(s, hone.abstain) end) end,
  }
end

return M
