--- test.lua - @name@: scores, rankings and abstentions, called as the host calls it.
local hone = require "hone"
local judge = hone.judge(require("@name@").judge())
local SCORE, ABSTAIN = 1, 2

local function verdict(reference, candidates)
  return judge:judge({ { prompt = "?", reference = reference, candidates = candidates } })[1].verdict
end

local v = verdict("iron copper", { "only iron" })
assert(v.status == SCORE and v.score == 0.5)
v = verdict("iron copper", { "only iron", "iron and copper" })
assert(v.status == SCORE and v.score ~= v.score and v.ranking[1] == 1) -- candidate 1, counted from 0
assert(verdict("", { "iron" }).status == ABSTAIN)
print "3 passed, 0 failed"
