--- @name@ - a model: an embedding, one mixing layer with a residual, a norm; the embedding is the head too.
local M = {}

--- The component: hone.model(M.model { vocab_size = 512, hidden_size = 32 }).
function M.model(config)
  local embed, mix, norm
  return {
    id = "@name@",
    config = config,
    declare = function(store, c)
      local v, h = c.vocab_size, c.hidden_size
      embed = store:param { name = "embed.weight", rows = v, cols = h, init = 1, init_std = 0.02, flags = 1 }
      mix = store:param { name = "mix.weight", rows = h, cols = h, init = 1, init_std = 0.2 }
      norm = store:param { name = "norm.weight", rows = h, init = 3, flags = 2 }
      store:info { vocab_size = v, hidden = h, n_layers = 1, max_positions = 4096, embed = embed, head = embed, logit_scale = 1 }
    end,
    forward = function(g)
      local x = g:embed(embed, 1)
      return g:rmsnorm(g:add(x, g:gelu(g:linear(x, mix, nil))), norm, 1e-5, 0)
    end,
  }
end

return M
