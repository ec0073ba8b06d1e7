--- test.lua - @name@ on plain tables in the place of the host's arrays.
local optimizer = require("@name@").optimizer()
local grad = { 1, -2, 0, 0.5, -0.25 }

-- Two steps over the elements from..to of p and m.
local function steps(p, m, from, to)
  for _ = 1, 2 do
    local cut = { param = {}, grad = {}, state = { {} }, length = to - from + 1, lr = 0.1, weight_decay = 0.5 }
    table.move(p, from, to, 1, cut.param)
    table.move(grad, from, to, 1, cut.grad)
    table.move(m, from, to, 1, cut.state[1])
    optimizer.step({ beta1 = 0.9, beta2 = 0.99 }, { cut }, { grad_scale = 1 })
    table.move(cut.param, 1, cut.length, from, p)
    table.move(cut.state[1], 1, cut.length, from, m)
  end
end

local p, m = { 1, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0 }
local q, n = { 1, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0 }
steps(p, m, 1, 5)
assert(p[1] > 0.70 and p[1] < 0.71) -- (1 * .95 - .1) * .95 - .1
assert(p[3] > 0.90 and p[3] < 0.91) -- no gradient: only the decay
assert(p[2] > 1)                    -- against the gradient
steps(q, n, 1, 2)                   -- any cut gives the same numbers
steps(q, n, 3, 5)
for k = 1, 5 do assert(p[k] == q[k] and m[k] == n[k]) end
print "4 passed, 0 failed"
