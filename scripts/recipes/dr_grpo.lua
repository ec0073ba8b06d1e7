--- Dr. GRPO: GRPO without the two divisions, by a group's spread and by an answer's length.
local hone = require "hone"
hone.recipe("grpo", { objective = "dr_grpo", advantage = "dr_grpo" })
