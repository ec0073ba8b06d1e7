--- DAPO: GRPO with clip-higher, the mean over tokens, dynamic sampling and a soft punishment of answers that near the limit.
local hone = require "hone"
hone.recipe("grpo", { objective = "dapo", dynamic = true, overlong = 0.2 })
