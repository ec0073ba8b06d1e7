--- test.lua - @name@: the rows are right, and the same whoever asks.
local m = require "@name@"
assert(m.row(1).completion == " 1")
assert(m.row(73).prompt == "3 + 7 =" and m.row(73).completion == " 10")
assert(m.row(5).prompt == m.row(5).prompt and m.row(5).number == 5)
print "3 passed, 0 failed"
