--- test.lua - @name@: decoding what was encoded gives the text back.
local hone = require "hone"
local t = hone.tokenizer(require("@name@").tokenizer())
local all = {}
for i = 0, 255 do all[i + 1] = string.char(i) end
for _, text in ipairs { "", "caf\u{e9} <|end|>", table.concat(all):sub(1, 128) } do
  assert(t:decode(t:encode(text)) == text)
end
assert(table.concat(t:pieces(table.concat(all))) == table.concat(all))
local ids = t:encode("ab<|end|>", true) -- special tokens count, and the tokenizer's own are added
assert(#ids == 4 and ids[3] == t.eos and ids[4] == t.eos)
assert(t:decode(ids, true) == "ab")
assert(t:id "<|end|>" == t.eos and t.vocab_size == 257)
assert(not pcall(t.decode, t, { t.vocab_size }))
print "8 passed, 0 failed"
