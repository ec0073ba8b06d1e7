--- test.lua - @name@: an episode that is won, one that is lost, one that never began; called as the host calls it.
local hone = require "hone"
local table_of = require("@name@").environment()
table_of.kind = "environment"
local e = hone.component(table_of)
local ON, DONE, ERROR = 1, 2, 3

local function step(id, text, turn)
  return e:step({ { id = id, text = text, turn = turn } })[1].observation
end

local first = e:reset({ { id = 7, seed = 4 }, { id = 8, seed = 4 } })
assert(#first == 2 and first[1].observation.status == ON and first[1].observation.text == "Guess my number: ")
local o = step(7, "3", 1)
assert(o.status == ON and o.text == " higher: " and o.reward == 0)
o = step(7, "it is 5", 2)
assert(o.status == DONE and o.reward == 1)
for turn = 1, 4 do assert(step(8, "19", turn).text == " lower: ") end
o = step(8, "19", 5)
assert(o.status == DONE and o.reward == 0)
assert(step(9, "5", 1).status == ERROR)
print "10 passed, 0 failed"
