-- equivalent.lua - a template for judging against a reference: does the answer come to the same?
return {
  id = "equivalent",
  version = "1.0",
  title = "The same answer as the reference",
  shape = "pointwise",
  task = "Decide whether the answer comes to the same result as the reference. Wording, length, units written out "
    .. "and steps on the way do not count. Where the answer gives several results, its last one counts.",
  scale = {
    { label = "no", text = "its result is another one, or it has none" },
    { label = "yes", text = "its result is that of the reference" },
  },
  changelog = { { version = "1.0", date = "2026-01-01", text = "first version" } },
}
