--- test.lua - @name@ on numbers in the place of tensors.
local m = require "@name@"
local T = {}
T.__index = T
local function t(x) return setmetatable({ x = x }, T) end
local function x(a) return type(a) == "number" and a or a.x end
T.__sub = function(a, b) return t(x(a) - x(b)) end
T.__mul = function(a, b) return t(x(a) * x(b)) end
T.__unm = function(a) return t(-a.x) end
function T:exp() return t(math.exp(self.x)) end
function T:masked_mean(mask) return t(self.x * mask) end
local l = m.loss { logp = t(math.log(0.5)), mask = 1 }
assert(math.abs(l.x - 0.25 * math.log(2)) < 1e-12)
assert(m.loss({ logp = t(0), mask = 1 }).x == 0)
print "2 passed, 0 failed"
