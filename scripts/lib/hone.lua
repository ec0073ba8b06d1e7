--- hone: the recipe language.
-- A recipe is a Lua program that describes and drives a run. This module is what `require "hone"` gives:
-- parameters, runs, policies, rows, components. The parts live in hone/*.lua; hone.core is the C side.

local core = require "hone.core"
local calibrate = require "hone.calibrate"
local choose = require "hone.choose"
local components = require "hone.components"
local compose = require "hone.compose"
local curate = require "hone.curate"
local environment = require "hone.environment"
local judging = require "hone.judging"
local improve = require "hone.improve"
local loop = require "hone.loop"
local params = require "hone.params"
local prompts = require "hone.prompt"
local rows = require "hone.rows"
local run = require "hone.run"
local stats = require "hone.stats"
local synthesis = require "hone.synthesis"

local hone = {
  --- A null inside lists and maps (JSON's null).
  null = core.null,
  --- What a reward's score function returns for a sample it does not judge.
  abstain = core.abstain,
}

--- Typed parameters of the recipe: name = { default, "what it is", min =, max =, choices = { ... } }.
-- Shown by `hone run RECIPE --help`, set with key=value. Returns a table of values.
hone.params = params.declare

--- Another recipe with other defaults: hone.recipe("grpo", { objective = "dapo", dynamic = true }).
hone.recipe = params.recipe

--- Starts (or resumes) the run. name: of its folder; seed; checkpoint = { every = 100, keep = 2 }.
hone.run = run.open

--- Rows from a source component: hone.source("jsonl", { path = ... }), hone.source("lua", function(i) ... end),
-- hone.source(component).
hone.source = rows.source
--- Rows from a list of tables in memory.
hone.rows = rows.list
--- Draws rows from several sources by weight: hone.mix({ a, b }, { 0.7, 0.3 }, { seed = 7 }).
hone.mix = rows.mix

--- A reward: a plugin's by name, hone.reward("math_answer", { weight = 1, reference = "answer" }), or one written
-- in Lua, hone.reward { id = "brief", weight = 0.1, score = function(batch) ... end }.
-- weight (1), id (its name) and timeout (seconds a call) are the host's; all else is the component's.
hone.reward = components.reward
--- Changes live settings of a reward or a component between its calls: hone.set(reward, { factor = 0.5 }).
hone.set = components.set
--- An objective by name with settings, or a function over tensors (see docs/recipes.md).
hone.objective = components.objective
--- An advantage by name with settings, or a function(groups) that returns a list of lists of numbers.
hone.advantage = components.advantage
--- A judge, for rewards that ask one: hone.judge("name", { ... }), hone.judge { id = ..., judge = function(items) ... end }.
hone.judge = components.judge
--- Judges made of judges, each a judge again (docs/judges.md, section 12): hone.jury { j1, j2, aggregate = "median" },
-- hone.cascade { cheap, strong, entropy = 0.6 }, hone.tournament(j), hone.tree { judge = j, yes = 1, no = 0 },
-- hone.swapped(j), hone.repeated(j, { n = 5 }), hone.flipped { j, mirror, scale = { 1, 5 } }.
hone.jury = compose.jury
hone.cascade = compose.cascade
hone.tournament = compose.tournament
hone.tree = compose.tree
hone.swapped = compose.swapped
hone.repeated = compose.repeated
hone.flipped = compose.flipped
--- What answers a policy's turns: a plugin's by name with settings, or one written in Lua, hone.environment { id = ...,
-- reset = function(episodes) ... end, step = function(actions) ... end } or { id = ..., play = function(episode, say) ... end }.
-- It goes to policy:rollout and policy:eval as environment = e (docs/recipes.md, "Many turns").
hone.environment = environment.make
--- Verdicts of a judge on rows with prompt and completion or candidates: a list of { status, score, ... }.
hone.verdicts = judging.verdicts
--- The same as rows that hone.calibrate and hone.reliability read: hone.verdict_rows(j, rows, { repeats = 3 }).
hone.verdict_rows = judging.rows
--- What a judge's verdicts depend on, as a table; and its hash.
hone.judge_spec = judging.spec
hone.judge_hash = judging.hash
--- What judges are for: preference pairs beyond z standard errors, the best of n, a filter for rows, a check of a release.
hone.pairs = choose.pairs
hone.best = choose.best
hone.keep = choose.keep
hone.check = choose.check
--- What is wrong with a rubric (a table): the report of `hone judge lint`.
hone.lint = core.lint
--- The gate's decision on a judge from what was measured of it, recorded: hone.gate(j, { calibration =, reliability =, attack =,
-- lint = }, { policy = P }).
hone.gate = loop.gate
--- hone.measuring(fn, ...): fn(...), in which judges are made and asked only to be measured.
hone.measuring = loop.measuring
--- A versioned prompt: hone.prompt { id =, template = "{{question}}\n", vars = { name = default }, examples =, example = }, or
-- the path of one; :rows(rows) renders it, .version is "id@hash".
hone.prompt = prompts.prompt
--- Looks for a better prompt before anything is trained: hone.improve(run, { prompt =, feedback =, pareto =, holdout =, judge =,
-- generate =, propose = }); hone.writer(policy) is a model that writes proposals.
hone.improve = improve.search
hone.writer = improve.writer
--- Where a run's events go besides its own files: hone.sink("name", { ... }), hone.sink { id = ..., event =
-- function(kind, fields) ... end }; hone.run { sinks = { ... } } names them.
hone.sink = components.sink
--- Any component written in Lua: hone.component { kind = ..., id = ..., ... }. Or any that there is, with its calls as
-- methods: hone.component("com.acme.kind.map", "map", { scale = 2 }):nearest { ... }.
hone.component = components.component
--- A model written in Lua: hone.model { declare = function(config, store) ..., forward = function(g) ... }.
hone.model = components.model
--- Settings of an optimizer, for run:policy: hone.optimizer("adamw", { lr = 1e-5 }).
hone.optimizer = components.optimizer
--- A tokenizer: hone.tokenizer("tiny"), hone.tokenizer(policy); :encode :decode :pieces :id.
hone.tokenizer = components.tokenizer
--- Components there are of a kind: a list of { id, name, summary }.
hone.components = core.components

--- The steps of `hone data` on rows: hone.curate.dedup, .decontaminate, .filter, .select, .split, .mix, .judge, .keep.
hone.curate = curate
--- New rows from a model and a judge: hone.synthesis.self_instruct, .rewrite, .rejection_sampling, .preference_pairs.
hone.synthesis = synthesis
--- A judge beside experts: hone.calibrate { labels = ROWS, verdicts = ROWS, split = "dev" } -> report; completions of one
-- prompt, each judged several times: hone.reliability { verdicts = ROWS } -> report; a report as a page, Markdown or text:
-- hone.judge_report(report, "html").
hone.calibrate = calibrate.calibrate
hone.reliability = calibrate.reliability
hone.judge_report = calibrate.report

--- Mean of a list of numbers with its 95 % bootstrap interval: mean, lo, hi, n.
hone.bootstrap = core.bootstrap
--- Statistics of judges and experts, each with its interval: hone.stats.kappa, .alpha, .ac2, .icc, .tau_b, .spearman,
-- .pairwise_accuracy, .reliability, .prevalence, .ppi, .bradley_terry, .difference, .bootstrap, .confusion ... (docs/recipes.md).
hone.stats = stats
--- Unbiased pass@k from n samples of which c are right.
hone.pass_at_k = core.pass_at_k
--- A random number in [0, 1) that depends on its arguments alone: hone.random(seed, purpose, step, sample, index).
hone.random = core.random
--- 64-bit hash of a text, as an integer; SHA-256 as hexadecimal text.
hone.hash = core.hash
hone.sha256 = core.sha256
--- Trains a byte-level BPE tokenizer: hone.bpe_train(texts, { vocab_size = 512, ... }) ->
-- { [file name] = text }, size of the vocabulary.
hone.bpe_train = core.bpe_train
--- Trains a Unigram tokenizer the same way: also max_piece (characters), seeds, shrink.
hone.unigram_train = core.unigram_train

return hone
