-- better_answer.lua - which of two answers does more of what was asked; neither length nor looks count.
return {
  id = "better-answer",
  version = "1.0",
  title = "The better of two answers",
  shape = "pairwise",
  task = "Decide which answer does more of what the prompt asks. A wrong statement weighs more than a missing one. "
    .. "Length, tone, formatting and the order in which the answers stand do not count. Say tie where they do the same.",
  changelog = { { version = "1.0", date = "2026-01-01", text = "first version" } },
}
