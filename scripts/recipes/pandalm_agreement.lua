--- PandaLM's test set: how far its two judges agree with its three annotators, as its authors count it.
-- hone run pandalm_agreement folder=../shared/assets/judge/pandalm
-- The folder holds testset-v1.json (pairs with annotator1..3: 1, 2, or 0 for a tie) and the verdicts of gpt-3.5-turbo and
-- pandalm-7b. As in the authors' compute_metrics.py the truth is the annotators' majority, what cannot be read counts as a
-- tie, and precision, recall and F1 are means over the three answers. (Wang et al. 2023, arXiv 2306.05087)
local hone = require "hone"

local p = hone.params {
  folder = { "../shared/assets/judge/pandalm", "folder with testset-v1.json and the judges' verdicts" },
}

-- What compute_metrics.py of the data set prints; the annotators' Cohen's kappas of its README.
local published = {
  ["gpt-3.5-turbo"] = { accuracy = 0.7107, precision = 0.5879, recall = 0.5736, f1 = 0.5755 },
  ["pandalm-7b"] = { accuracy = 0.6677, precision = 0.5738, recall = 0.5750, f1 = 0.5743 },
  annotators = { ["1, 2"] = 0.85, ["1, 3"] = 0.88, ["2, 3"] = 0.86 },
}

local run = hone.run { name = "pandalm-agreement" }
local choice = { [0] = "tie", [1] = "a", [2] = "b" }
local score = { [0] = 0, [1] = 1, [2] = -1 }

local function rows(file) return hone.source("json", { path = p.folder .. "/" .. file }):list() end

local pairs_ = rows "testset-v1.json"
local labels, of_annotator = {}, { {}, {}, {} }
for _, r in ipairs(pairs_) do
  for a = 1, 3 do
    local said = r["annotator" .. a]
    labels[#labels + 1] = { item = r.idx, expert = "annotator " .. a, choice = choice[said],
      prompt_id = hone.sha256(r.instruction .. "\n" .. r.input), motivation = r.motivation_app, pair = r.cmp_key }
    table.insert(of_annotator[a], { id = r.idx, score = score[said] })
  end
end

-- Accuracy, and means over the classes of the matrix (rows: truth; columns: the judge).
local function classes(confusion)
  local c, n, right = confusion.counts, 0, 0
  local out = { precision = 0, recall = 0, f1 = 0 }
  for i = 1, #c do
    local row, column = 0, 0
    for k = 1, #c do row, column = row + c[i][k], column + c[k][i] end
    local precision, recall = column > 0 and c[i][i] / column or 0, row > 0 and c[i][i] / row or 0
    n, right = n + row, right + c[i][i]
    out.precision, out.recall = out.precision + precision / #c, out.recall + recall / #c
    out.f1 = out.f1 + (precision + recall > 0 and 2 * precision * recall / (precision + recall) or 0) / #c
  end
  out.accuracy = right / n
  return out
end

local apart = 0
local function beside(what, got, want, digits)
  apart = math.max(apart, math.abs(got - want))
  run:say("  %-22s %." .. digits .. "f   published %." .. digits .. "f", what, got, want)
end

for _, judge in ipairs { "gpt-3.5-turbo", "pandalm-7b" } do
  local verdicts, unread = {}, 0
  for _, r in ipairs(rows(judge .. "-testset-v1.json")) do
    local said = r.gpt_result or r.pandalm_result
    local number = math.tointeger(tonumber(said))
    if not number and said ~= "Tie" and said ~= "tie" then unread = unread + 1 end
    verdicts[#verdicts + 1] = { id = r.idx, score = score[number or 0] }
  end
  local report = hone.calibrate { labels = labels, verdicts = verdicts }
  local mean = classes(report.confusion)
  run:say("%s, %d pairs, %d answers that cannot be read", judge, report.items, unread)
  for _, what in ipairs { "accuracy", "precision", "recall", "f1" } do
    beside(what, mean[what], published[judge][what], 4)
  end
  local k, d = report.agreement.kappa_w, report.difference.kappa_w
  run:say("  weighted kappa %.3f [%.3f, %.3f]; below the annotators' by %.3f [%.3f, %.3f]", k.value, k.lo, k.hi, -d.value, -d.hi,
    -d.lo)
  run:write(judge .. ".html", hone.judge_report(report, "html"))
end

run:say("annotators (Cohen's kappa)")
for _, pair in ipairs { { 1, 2 }, { 1, 3 }, { 2, 3 } } do
  local one = {}
  for _, l in ipairs(labels) do
    if l.expert == "annotator " .. pair[2] then one[#one + 1] = l end
  end
  local report = hone.calibrate { labels = one, verdicts = of_annotator[pair[1]] }
  beside("annotators " .. pair[1] .. ", " .. pair[2], report.agreement.kappa.value, published.annotators[pair[1] .. ", " .. pair[2]], 2)
end
run:say("farthest from what is published: %.4f", apart)
