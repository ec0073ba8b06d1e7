-- support_reply.lua - a reply to a customer, as a checklist: what must be there, what must not, and a program.
return {
  id = "support-reply",
  version = "1.0",
  title = "A reply to a customer",
  shape = "pointwise",
  task = "The prompt is a message of a customer, the answer is a reply of the support.",
  criteria = {
    {
      id = "solves", weight = 3, gating = { needs = 0.5, cap = 0.3 },
      text = "Does the reply name a step that resolves the customer's problem?",
      choices = {
        { label = "no", text = "no step, or one for another problem" },
        { label = "partly", text = "a step that resolves only part of it" },
        { label = "yes", text = "following the reply resolves the problem" },
      },
    },
    {
      id = "true", weight = 2,
      text = "Does every statement of the reply agree with the reference?",
      choices = {
        { label = "no", text = "a statement contradicts the reference" },
        { label = "yes", text = "none does, or there is no reference" },
      },
    },
    {
      id = "promise", weight = -1,
      text = "Does the reply promise money, a date or a product change?",
      choices = { { label = "no", text = "nothing of that kind is promised" }, { label = "yes", text = "one of them is promised" } },
    },
    {
      id = "greets", kind = "program", weight = 0.5,
      text = "The reply begins with a greeting.",
      verifier = { reward = "regex", pattern = [[^\s*(Hello|Hi|Dear|Good (morning|afternoon|evening))\b]] },
    },
  },
  changelog = { { version = "1.0", date = "2026-01-01", text = "first version" } },
}
