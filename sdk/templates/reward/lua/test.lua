--- test.lua - @name@ on samples made by hand.
local m = require "@name@"
m.target, m.bonus = 10, 0.25
local function score(completion, answer)
  return m.one({ completion = completion, columns = { answer = answer } }, "abstain")
end
assert(score("it is 42 !", "42") == 1)
assert(score("it is 43 !", "42") == 0.75)
assert(score("", "42") == 0)
assert(score("no answer to compare with") == "abstain")
print "4 passed, 0 failed"
