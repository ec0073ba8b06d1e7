-- answer_quality.lua - does an answer do what was asked? One level of an anchored scale.
return {
  id = "answer-quality",
  version = "1.0",
  title = "How far an answer does what was asked",
  shape = "pointwise",
  task = "Decide how far the answer does what the prompt asks. Length, tone and formatting do not count. "
    .. "Where a reference is given, what contradicts it is wrong.",
  scale = {
    min = 1, max = 5,
    anchors = {
      "it does not deal with what was asked, or is empty",
      "it deals with it, and its main statement is wrong",
      "its main statement is right, and part of what was asked is missing",
      "all that was asked is there, with a wrong or needless statement beside it",
      "all that was asked is there, and every statement is right",
    },
  },
  changelog = { { version = "1.0", date = "2026-01-01", text = "first version" } },
}
