--- @name@ - a loss over tensors: -(1 - p)^2 log p, which looks less at tokens the model knows already.
-- (focal loss, Lin et al. 2017, eq. 4). The gradient is derived from the operations.
local M = {}

--- b.logp, b.mask: one row a token of the whole step. A 1 x 1 tensor.
function M.loss(b)
  local rest = 1 - b.logp:exp()
  return -(rest * rest * b.logp):masked_mean(b.mask)
end

--- The component: hone.objective(M.objective()).
function M.objective()
  return { uses = {}, loss = M.loss }
end

return M
