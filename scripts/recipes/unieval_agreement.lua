--- UniEval on Topical-Chat and QAGS: how its scores go with those of people, as its authors count it.
-- hone run unieval_agreement folder=../shared/assets/judge/unieval
-- Each answer has people's mean score and UniEval's for each dimension; the figures are correlations over all answers
-- (turn level, sample level). (Zhong et al. 2022, arXiv 2210.07197; the numbers are those of its reproduce/README.md)
local hone = require "hone"

local p = hone.params {
  folder = { "../shared/assets/judge/unieval", "folder with the *_unieval_result.json" },
}

-- Pearson, Spearman, Kendall
local published = {
  { "topical_chat", "naturalness", 0.443666, 0.513986, 0.373973 },
  { "topical_chat", "coherence", 0.595143, 0.612942, 0.465915 },
  { "topical_chat", "engagingness", 0.55651, 0.604739, 0.455941 },
  { "topical_chat", "groundedness", 0.536209, 0.574954, 0.451533 },
  { "topical_chat", "understandability", 0.380038, 0.467807, 0.360741 },
  { "topical_chat", "overall", 0.632796, 0.662583, 0.487272 },
  { "qags_xsum", "consistency", 0.461376, 0.48792, 0.399218 },
  { "qags_cnndm", "consistency", 0.681681, 0.662255, 0.531636 },
}

local run = hone.run { name = "unieval-agreement" }
local apart, rows_of = 0, {}

for _, want in ipairs(published) do
  local data, dimension = want[1], want[2]
  rows_of[data] = rows_of[data] or hone.source("json", { path = p.folder .. "/" .. data .. "_unieval_result.json" }):list()
  local labels, verdicts = {}, {}
  for i, r in ipairs(rows_of[data]) do
    labels[i] = { item = i, expert = "people", score = r.scores[dimension], prompt_id = hone.sha256(r.source),
      system = r.system_id }
    verdicts[i] = { id = i, score = r.predict_scores[dimension] }
  end
  local report = hone.calibrate { labels = labels, verdicts = verdicts }
  local a = report.agreement
  run:say("%s %s, %d answers to %d prompts", data, dimension, report.items, report.prompts)
  for k, name in ipairs { "pearson", "spearman", "tau_b" } do
    local f = a[name]
    apart = math.max(apart, math.abs(f.value - want[k + 2]))
    run:say("  %-9s %.6f [%.3f, %.3f]   published %.6f", name, f.value, f.lo, f.hi, want[k + 2])
  end
  local within = a.pairwise_accuracy
  if within.value then
    run:say("  answers to one prompt in the right order: %.3f [%.3f, %.3f]", within.value, within.lo, within.hi)
  end
  run:write(data .. "-" .. dimension .. ".html", hone.judge_report(report, "html"))
end
run:say("farthest from what is published: %.6f", apart)
