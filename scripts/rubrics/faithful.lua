-- faithful.lua - a template for judging against a reference: what the answer claims, beside what the reference says.
return {
  id = "faithful",
  version = "1.0",
  title = "Claims of an answer beside a reference",
  shape = "pointwise",
  task = "Compare the answer with the reference, claim by claim. Only the reference counts, not what you know.",
  criteria = {
    {
      id = "supported", weight = 2,
      text = "How many claims of the answer does the reference support?",
      choices = {
        { label = "none", text = "not one claim" },
        { label = "some", text = "at least one claim, fewer than all" },
        { label = "all", text = "every claim" },
      },
    },
    {
      id = "contradicts", weight = -2,
      text = "Does a claim contradict the reference?",
      choices = { { label = "no", text = "no claim does" }, { label = "yes", text = "at least one does" } },
    },
    {
      id = "covers", weight = 1,
      text = "Is the reference's main statement in the answer?",
      choices = { { label = "no", text = "it is missing" }, { label = "yes", text = "it is there, in whatever words" } },
    },
  },
  changelog = { { version = "1.0", date = "2026-01-01", text = "first version" } },
}
