--- GSPO: GRPO with one clipped ratio a sequence.
local hone = require "hone"
hone.recipe("grpo", { objective = "gspo" })
