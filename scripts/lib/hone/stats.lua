--- Statistics of judges: agreement, order, reliability, prevalence, strengths, each with its interval.
-- A figure is { value, lo, hi, n }; when the data cannot tell, value is nil and `why` says so; `note` is what else is to be
-- known. tostring(figure) is "0.712 [0.655, 0.769] (n = 400)". Missing entries of lists are false. Options everywhere:
-- cluster (a list: the prompt of each row; rows of one prompt are not independent), level (0.95), replicates (draws of a
-- bootstrap-t; 0: prompts left out in turn), seed, interval = false. What is computed how: docs/judges.md, section 7.

local core = require "hone.core"

local stats = {}

local shown = {}
shown.__index = shown
function shown.__tostring(f) return stats.text(f) end

local function mark(v)
  if type(v) ~= "table" then return v end
  if v.n ~= nil and (v.value ~= nil or v.why ~= nil) and getmetatable(v) == nil then return setmetatable(v, shown) end
  for _, part in pairs(v) do
    if type(part) == "table" then mark(part) end
  end
  return v
end

-- The C side reads one table: a copy of the options with the data under fixed names.
local function ask(name, o, args)
  local all = {}
  for k, v in pairs(o or {}) do all[k] = v end
  for k, v in pairs(args) do all[k] = v end
  return mark(core.stats(name, all))
end

--- "0.712 [0.655, 0.769] (n = 400)"; digits after the point (3).
function stats.text(f, digits)
  if f.value == nil then return string.format("unknown: %s (n = %d)", f.why or "not reported", f.n or 0) end
  local d = "%." .. (digits or 3) .. "f"
  local text = string.format(d, f.value)
  if f.lo or f.hi then
    text = text .. " [" .. (f.lo and string.format(d, f.lo) or "-inf") .. ", " .. (f.hi and string.format(d, f.hi) or "inf") .. "]"
  end
  return text .. string.format(" (n = %d%s)", f.n, f.note and "; " .. f.note or "")
end

-- ---- agreement: ratings are rows of items, each with an entry (or false) for every rater ----

local weighted = { none = "", linear = "_linear", quadratic = "_quadratic" }

local function weights_of(o, dflt)
  local w = o and o.weights or dflt
  return weighted[w] or error("weights: none, linear or quadratic is wanted, not " .. tostring(w), 3)
end

--- Any measure by its name in reports: accuracy, kappa, kappa_linear, kappa_quadratic, fleiss, ac1, ac2_linear, ac2_quadratic,
-- alpha_nominal, alpha_ordinal, alpha_interval, alpha_ratio, icc1, icc2, icc3, icc1_mean, icc2_mean, icc3_mean.
-- levels: the scale (else the values found); one = 4: that column with each of the others; difference = true: that,
-- minus the others among themselves.
function stats.agreement(ratings, kind, o) return ask("agreement", o, { ratings = ratings, kind = kind }) end
--- Weighted Cohen kappa; weights = "quadratic" (or "linear", "none").
function stats.kappa(ratings, o) return stats.agreement(ratings, "kappa" .. weights_of(o, "quadratic"), o) end
--- Gwet's AC2; with weights = "none" it is AC1.
function stats.ac2(ratings, o)
  local w = weights_of(o, "quadratic")
  return stats.agreement(ratings, w == "" and "ac1" or "ac2" .. w, o)
end
--- Krippendorff's alpha; metric = "ordinal" (or "nominal", "interval", "ratio").
function stats.alpha(ratings, o) return stats.agreement(ratings, "alpha_" .. (o and o.metric or "ordinal"), o) end
--- Intraclass correlation; model = 2 (1, 3), mean = true: of the mean of the raters.
function stats.icc(ratings, o)
  return stats.agreement(ratings, "icc" .. (o and o.model or 2) .. (o and o.mean and "_mean" or ""), o)
end
--- May the judge in column `judge` replace an expert (alternative-annotator test)? epsilon (0.2), q (0.05), distance =
-- true for scores that are near rather than equal. { passed, winning_rate, advantage, p, ... } or { why }.
function stats.alt_test(ratings, judge, o) return ask("alt_test", o, { ratings = ratings, one = judge }) end

-- ---- order ----

--- Kendall's tau-b; within = list of groups: only pairs of one group.
function stats.tau_b(x, y, o) return ask("order", o, { kind = "tau_b", x = x, y = y }) end
function stats.spearman(x, y, o) return ask("order", o, { kind = "spearman", x = x, y = y }) end
--- How often x orders a pair as y does. ties = "both" (right when tied by both, of all pairs) or "half" (pairs that y
-- orders; a tie of x is half right); epsilon: differences of x up to it are ties; within as above.
function stats.pairwise_accuracy(x, y, o) return ask("order", o, { kind = "pairwise", x = x, y = y }) end

-- ---- means and shares ----

function stats.mean(x, o) return ask("mean", o, { kind = "mean", x = x }) end
--- Mean of a - b over rows that have both: two systems on the same items.
function stats.difference(a, b, o) return ask("mean", o, { kind = "difference", x = a, y = b }) end
--- Sum of num over sum of den.
function stats.ratio(num, den, o) return ask("mean", o, { kind = "ratio", x = num, y = den }) end
--- Share of entries that are not 0, by Wilson's interval with the design effect of the clusters.
function stats.share(x, o) return ask("mean", o, { kind = "share", x = x }) end
--- Wilson's interval from counts.
function stats.wilson(hits, n, o) return ask("wilson", o, { hits = hits, n = n }) end

--- Share of positives corrected for the judge's errors. judge, expert: 1, 0 or false of labelled rows; more: the judge on
-- rows without label (cluster_more: their prompts). Or counts: { hits, n, true_pos, positives, true_neg, negatives }.
function stats.prevalence(o) return ask("prevalence", o, {}) end
--- Prediction-powered mean of expert's scores: judge, expert, more as above, any numbers. Also .lambda.
function stats.ppi(o) return ask("ppi", o, {}) end

-- ---- a judge within prompts ----

--- scores: rows of completions, each with an entry for every run of the judge; groups: the prompt of each row. Figures rho,
-- zero_variance, tie_share, flip_once; numbers flip, var_c, var_e, repeats; repeats_needed["0.8"].
function stats.reliability(scores, groups, o) return ask("reliability", o, { ratings = scores, group = groups }) end

--- judge and expert scores with thresholds judge_at and expert_at (1): tpr, tnr, precision, accuracy, tp, fp, tn, fn;
-- with levels also counts[expert][judge].
function stats.confusion(judge, expert, o) return ask("confusion", o, { judge = judge, expert = expert }) end
--- The judge's threshold with the largest TPR + TNR; or nil and why.
function stats.threshold(judge, expert, expert_at)
  return core.stats("threshold", { judge = judge, expert = expert, expert_at = expert_at })
end
--- Does p mean p: { brier, ece, isotonic = { { x, y }, ... } }; bins (10).
function stats.calibration(p, y, o) return ask("curve", o, { x = p, y = y }) end
--- Win rate at equal length: y 1, 0.5 or 0, d the difference of lengths. { raw, controlled, slope }.
function stats.length_control(y, d, o) return ask("length_control", o, { x = y, y = d }) end

--- Strengths from matches { a = "x", b = "y", wins_a = 1, wins_b = 0, ties = 0 }: { strength = { x = , y = }, se, eta, parts }, or
-- { why }. ridge (0.01); ties = true: Rao-Kupper's model with eta, else a tie is half a win each.
function stats.bradley_terry(matches, o)
  local number, names = {}, {}
  local args = { a = {}, b = {}, wins_a = {}, wins_b = {}, tied = {} }
  local function of(name, i)
    if name == nil then error("match " .. i .. ": a and b are wanted", 3) end
    if not number[name] then
      names[#names + 1] = name
      number[name] = #names
    end
    return number[name]
  end
  for i, m in ipairs(matches) do
    args.a[i], args.b[i] = of(m.a, i), of(m.b, i)
    args.wins_a[i], args.wins_b[i], args.tied[i] = m.wins_a or 0, m.wins_b or 0, m.ties or 0
  end
  args.players = #names
  local r = ask("strength", o, args)
  if r.why then return r end
  local by_name = { strength = {}, se = {}, eta = r.eta, parts = r.parts }
  for i, name in ipairs(names) do by_name.strength[name], by_name.se[name] = r.strength[i], r.se[i] end
  return by_name
end

--- Any statistic: fn(rows) -> number, on rows drawn again by cluster; the percentiles of `replicates` (1000) draws are the
-- interval. For what is above, that is narrower than it says with few prompts; there is nothing better for any function.
function stats.bootstrap(rows, fn, o)
  o = o or {}
  local groups, at = {}, {}
  for i, row in ipairs(rows) do
    local c = o.cluster and o.cluster[i] or i
    if not at[c] then
      groups[#groups + 1] = {}
      at[c] = #groups
    end
    table.insert(groups[at[c]], row)
  end
  local function number(v) return type(v) == "number" and v == v and math.abs(v) < math.huge end
  local value = #rows > 0 and fn(rows) or nil
  if not number(value) then
    return mark { n = #rows, why = #rows > 0 and "the function gave no number" or "there are no rows" }
  end
  if #groups < 5 then return mark { value = value, n = #rows, note = "no interval: fewer than 5 prompts" } end
  local drawn, replicates, seed = {}, o.replicates or 1000, o.seed or 0
  for b = 1, replicates do
    local again = {}
    for g = 1, #groups do
      local group = groups[math.floor(core.random(seed, "bootstrap", b, 0, g) * #groups) + 1]
      for _, row in ipairs(group) do again[#again + 1] = row end
    end
    local v = fn(again)
    if number(v) then drawn[#drawn + 1] = v end
  end
  if #drawn < replicates / 2 then return mark { value = value, n = #rows, note = "no interval: half of the resamples say nothing" } end
  table.sort(drawn)
  local function quantile(p)
    local x = math.max(1, math.min(#drawn, p * (#drawn + 1)))
    local i = math.floor(x)
    return drawn[i] + (x - i) * ((drawn[i + 1] or drawn[i]) - drawn[i])
  end
  local tail = (1 - (o.level or 0.95)) / 2
  return mark { value = value, lo = math.min(value, quantile(tail)), hi = math.max(value, quantile(1 - tail)), n = #rows }
end

return stats
