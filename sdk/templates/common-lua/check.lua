--- Reads @name@.lua.
local m = require "@name@"
assert(type(m) == "table", "@name@.lua returns no table")
print "@name@.lua: ok"
