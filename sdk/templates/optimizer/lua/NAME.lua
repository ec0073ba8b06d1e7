--- @name@ - an optimizer: Lion, the sign of a running mean of gradients.
--   p = p (1 - lr wd) - lr sign(b1 m + (1 - b1) g),   m = b2 m + (1 - b2) g     (Chen et al. 2023, algorithm 2)
-- The host owns parameters, gradients and state, and keeps the state in checkpoints under the names in `buffers`.
local M = {}

--- The component: hone.optimizer(M.optimizer(), { lr = 1e-4 }).
function M.optimizer()
  return {
    id = "@name@",
    elementwise = true, -- every element is on its own: the host may cut slices as it likes
    buffers = { "exp_avg" },
    caps = { "deterministic" },
    fields = {
      beta1 = { 0.9, "weight of the mean in the direction", min = 0, max = 0.999999 },
      beta2 = { 0.99, "decay of the mean", min = 0, max = 0.999999 },
    },
    step = function(settings, slices, info)
      local b1, b2, clip = settings.beta1, settings.beta2, info.grad_scale
      for i = 1, #slices do
        local s = slices[i]
        local p, g, m, lr, keep = s.param, s.grad, s.state[1], s.lr, 1 - s.lr * s.weight_decay
        for k = 1, s.length do
          local gk, mk = g[k] * clip, m[k]
          local c = b1 * mk + (1 - b1) * gk
          p[k] = p[k] * keep - (c > 0 and lr or c < 0 and -lr or 0)
          m[k] = b2 * mk + (1 - b2) * gk
        end
      end
    end,
  }
end

return M
