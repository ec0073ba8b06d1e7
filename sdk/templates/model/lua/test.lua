--- test.lua - @name@: what it declares.
local model = require("@name@").model { vocab_size = 16, hidden_size = 4 }
local named, said = {}, nil
local store = {
  param = function(_, p) named[#named + 1] = p.name; return #named - 1 end,
  info = function(_, i) said = i end,
}
model.declare(store, model.config)
assert(#named == 3 and named[1] == "embed.weight")
assert(said.vocab_size == 16 and said.hidden == 4 and said.embed == said.head)
print "2 passed, 0 failed"
