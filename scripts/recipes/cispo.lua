--- CISPO: GRPO with the capped ratio as a constant weight, so that no token's gradient is cut off.
local hone = require "hone"
hone.recipe("grpo", { objective = "cispo" })
