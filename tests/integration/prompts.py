"""prompts.py - versioned prompts: one hash for one prompt, filled in one pass, seen in rollouts and run.json; `hone prompt
diff`; `hone eval` with several prompts, paired; `hone prompt improve`: a proposer in Lua, decided on rows that the search
never saw, the same after an interruption."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
WORK = pathlib.Path(work.name)


def write(name, text):
    (WORK / name).write_text(text)
    return name


def hone(*args, **kw):
    return subprocess.run([HONE, *args], capture_output=True, text=True, cwd=WORK, timeout=300, **kw)


def works(name, body):
    write("t.lua", 'local hone = require "hone"\nlocal core = require "hone.core"\n' + body + "\nprint 'done'\n")
    r = hone("lua", "t.lua")
    check(name, r.returncode == 0 and r.stdout.endswith("done\n"), r.stdout + r.stderr)


# ---- what a prompt is ----------------------------------------------------------------------------------------------------

write("a.lua", 'return { id = "story", template = "{{question}}" }')
write("same.lua", '-- another comment\nlocal q = "{{question}}"\nreturn { template = q, changelog = { "first" }, id = "story" }')
write("b.lua", 'return { id = "story", template = "{{question}}{{first}}", vars = { question = "q", first = "its first number" } }')
write("c.lua", 'return { id = "story", template = "{{question}}Think hard.\\nWell:\\n" }')
works("filling in is one pass, and what a row holds is text", """
local p = hone.prompt { id = "p", template = "Q: {{question}} {{ hint }}!" }
assert(p:render { question = "{{hint}} {{question}}", hint = 5 } == "Q: {{hint}} {{question}} 5!")
assert(p:render { question = "%1 %%", hint = 2.5 } == "Q: %1 %% 2.5!")
assert(not pcall(p.render, p, { question = "x" }))
local rows = p:rows { { prompt = "x", hint = 1, answer = "y" } }
assert(rows[1].prompt == "Q: x 1!" and rows[1].question == "x" and rows[1].answer == "y" and rows[1].prompt_version == p.version)
assert(p.version == "p@" .. p.hash:sub(1, 12) and #p.hash == 64)
local chat = hone.prompt { id = "p", messages = { { role = "system", content = "Be brief." }, { role = "user", content = "{{examples}}{{question}}" } },
  examples = { { input = "1+1", output = "2" }, { input = "secret", output = "x", split = "test" } } }
local m = chat:render { question = "?" }
assert(#m == 2 and m[2].role == "user" and m[2].content == "1+1\\n2?", m[2].content)
assert(chat:rows({ { question = "?" } })[1].messages[1].content == "Be brief.")
local other = chat:with "{{question}}{{examples}}"
assert(other.data.messages[1].content == "Be brief." and other.hash ~= chat.hash and other:render({ question = "?" })[2].content == "?1+1\\n2")
""")
works("the same prompt has the same hash, and another word another one", """
local a = hone.prompt "a.lua"
assert(a.hash == hone.prompt("same.lua").hash and a.hash ~= hone.prompt("c.lua").hash)
assert(a:with("{{question}}").hash == a.hash)
-- written out and read back
local p = hone.prompt { id = "x.y-z", template = 'a "b" \\\\ \\n\\t{{q}}', examples = { { input = "\\0\\1", output = "é" } }, vars = { q = "what" } }
run = hone.run { name = "w", seed = 1 }
run:write("p.lua", p:lua())
assert(hone.prompt(run:path "p.lua").hash == p.hash)
""")
for name, text, why in [
    ("without an id", 'return { template = "x" }', "id"),
    ("template and messages", 'return { id = "a", template = "x", messages = {} }', "messages, or a template"),
    ("an unknown key", 'return { id = "a", template = "x", varz = {} }', 'did you mean "vars"'),
    ("a variable that vars lacks", 'return { id = "a", template = "{{x}}", vars = { y = "" } }', "{{x}} is used and not in vars"),
    ("code", 'return { id = "a", template = print("x") }', "print"),
    ("no Lua", "return {", "bad.lua"),
]:
    write("bad.lua", text)
    r = hone("prompt", "diff", "bad.lua", "a.lua")
    check("a prompt " + name + " is refused", r.returncode == 1 and why in r.stderr, r.stderr)

write("run.lua", """local hone = require "hone"
local run = hone.run { name = "r", seed = 7 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-5 } }
local p = hone.prompt "b.lua"
local rows = hone.rows { { question = "Leo has 3 apples. Leo eats 1. ", first = 3 }, { question = "Tom has 2 pens. ", first = 2 } }
for _, prompts in run:steps(1, p:rows(rows):batches(2)) do
  local rollout = policy:rollout(prompts, { n = 2, max_tokens = 4, rewards = { hone.reward("length") } })
  assert(rollout:samples()[1].prompt == "Leo has 3 apples. Leo eats 1. 3")
  policy:update { rollout }
end
""")
r = hone("run", "run.lua", "--run-dir", "r")
check("a prompt's rows are sampled from", r.returncode == 0, r.stderr)
meta = json.loads((WORK / "r/run.json").read_text())
version = next(iter(meta["prompts"]))
check("run.json has the prompt, whole", meta["prompts"][version]["prompt"]["template"] == "{{question}}{{first}}", meta["prompts"])
check("under its version", version == "story@" + meta["prompts"][version]["hash"][:12], version)
lines = subprocess.run(["zstdcat", str(WORK / "r/rollouts.jsonl.zst")], capture_output=True, text=True)
if lines.returncode:
    skip("its version in every rollout", "there is no zstdcat")
else:
    rollouts = [json.loads(x) for x in lines.stdout.splitlines()]
    check("its version in every rollout", len(rollouts) == 4 and all(x["row"]["prompt_version"] == version for x in rollouts), rollouts[:1])

# ---- hone prompt diff ------------------------------------------------------------------------------------------------------

r = hone("prompt", "diff", "a.lua", "same.lua")
check("two that differ in the changelog are the same prompt", r.returncode == 0 and "(the same prompt)" in r.stdout and "+ [" in r.stdout, r.stdout)
write("long1.lua", 'return { id = "l", template = "one\\ntwo\\nthree\\nfour", examples = { { id = "x", input = "1" }, { id = "y", input = "2" } } }')
write("long2.lua", 'return { id = "l", template = "one\\n2\\nthree\\nfour\\nfive", examples = { { id = "y", input = "3" }, { id = "x", input = "1" } } }')
d = json.loads(hone("prompt", "diff", "long1.lua", "long2.lua", "--json").stdout)
check("texts by line, examples by id",
      {c["place"]: (c["removed"], c["added"]) for c in d["changes"]} == {"template": (["two"], ["2", "five"]), "examples[y].input": (["2"], ["3"])}, d)
check("with both hashes", not d["same"] and len(d["a"]["hash"]) == 64 and d["a"]["hash"] != d["b"]["hash"], d)
many = "\\n".join(str(i % 7) for i in range(6000))
write("many1.lua", f'return {{ id = "m", template = "{many}" }}')
write("many2.lua", f'return {{ id = "m", template = "x\\n{many[:-1]}y" }}')
d = json.loads(hone("prompt", "diff", "many1.lua", "many2.lua", "--json").stdout)
check("more lines than are compared one by one count as replaced", len(d["changes"]) == 1 and len(d["changes"][0]["removed"]) == 6000, len(d["changes"]))
r = hone("prompt", "diff", "a.lua")
check("one file is a usage error", r.returncode == 2, r.returncode)

# ---- hone eval with several prompts ----------------------------------------------------------------------------------------

rows = hone("lua", write("rows.lua", """local hone = require "hone"
local stories, json = require "stories", require "hone.json"
for i, r in ipairs(stories.list(5, "tune", 60, true)) do
  print(((json.encode { id = "q" .. i, question = r.prompt, first = r.working:match "^%d+", answer = r.answer }):gsub("\\n%s*", "")))
end
"""))
write("rows.jsonl", rows.stdout)
EXACT = ("--reward", "exact_match", "--set", "reference=answer", "--set", "prefix=Answer:", "--max-tokens", "44")
three = ("--prompt", "a.lua", "--prompt", "b.lua", "--prompt", "c.lua")
r = hone("eval", "tiny", "--data", "rows.jsonl", *three, *EXACT, "--json")
check("three prompts on the same rows", r.returncode == 0, r.stderr)
e = json.loads(r.stdout)
means = [p["mean"]["value"] for p in e["prompts"]]
check("each with its mean and interval", len(means) == 3 and all(p["mean"]["lo"] < p["mean"]["value"] < p["mean"]["hi"] for p in e["prompts"]), e)
alone = json.loads(hone("eval", "tiny", "--data", "rows.jsonl", "--prompt", "b.lua", *EXACT, "--json").stdout)
check("the mean is the one it has alone", alone["prompts"][0]["mean"]["value"] == means[1] and not alone["differences"], alone)
check("differences are of the first", [round(d["difference"]["value"], 9) for d in e["differences"]] == [round(m - means[0], 9) for m in means[1:]], e)
better, worse = e["differences"]
check("beginning the working pays", better["difference"]["lo"] > 0 and better["holm"] < 0.01, better)
check("Holm's p is the corrected one", better["holm"] == min(1, 2 * better["p"]) and worse["holm"] >= worse["p"], (better, worse))
one = json.loads(hone("eval", "tiny", "--data", "rows.jsonl", "--prompt", "a.lua", "--prompt", "b.lua", *EXACT, "--json").stdout)["differences"][0]
width = [d["difference"]["hi"] - d["difference"]["lo"] for d in (one, better)]
check("two comparisons have wider intervals than one", width[1] > 1.05 * width[0], width)
text = hone("eval", "tiny", "--data", "rows.jsonl", *three, *EXACT).stdout
check("as text, with what holds together", "hold together with 95 %" in text and "after Holm" in text, text)
write("nofirst.jsonl", "\n".join(json.dumps({k: v for k, v in json.loads(x).items() if k != "first"}) for x in rows.stdout.splitlines()))
r = hone("eval", "tiny", "--data", "nofirst.jsonl", *three, *EXACT)
check("a column that a prompt needs and rows lack is named", r.returncode == 1 and "{{first}}" in r.stderr, r.stderr)
write("right.lua", """local hone = require "hone"
return hone.judge { id = "right", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do
    out[i] = { score = it.candidates[1]:match "Answer: (%-?%d+)" == it.reference and 1 or 0, reasoning = "counted" }
  end
  return out
end }
""")
r = hone("eval", "tiny", "--data", "rows.jsonl", "--prompt", "a.lua", "--prompt", "b.lua", "--judge", "right.lua", "--set",
         "reference=answer", "--max-tokens", "44", "--json")
check("a judge instead of a reward", r.returncode == 0 and [p["mean"]["value"] for p in json.loads(r.stdout)["prompts"]] == means[:2], r.stdout + r.stderr)
works("the sign-flip test and Holm", """
local c = require "hone.prompts_eval"
assert(c.sign_flip({ 1, 1, 1, 1, 1 }, 0) == 2 / 32 and c.sign_flip({ 1, -1 }, 0) == 1)
local far, none = {}, {}
for i = 1, 40 do far[i], none[i] = 0.5 + (i % 3) / 10, (i % 2 == 0 and 1 or -1) * (1 + i % 5) end
assert(c.sign_flip(far, 0) == 1e-4 and c.sign_flip(none, 0) > 0.3)
local h = c.holm { 0.01, 0.04, 0.03 }
assert(math.abs(h[1] - 0.03) < 1e-12 and math.abs(h[2] - 0.06) < 1e-12 and math.abs(h[3] - 0.06) < 1e-12)
""")

# ---- hone prompt improve -----------------------------------------------------------------------------------------------------

write("prop.lua", """return function(ctx)
  assert(#ctx.worst > 0 and ctx.worst[1].score and ctx.worst[1].reasoning == "counted" and ctx.places[1] == "question")
  if ctx.step == 1 then return "no place" end
  if ctx.step == 2 then return ctx.template .. "Hm.\\n" end
  if ctx.step == 3 then return "{{question}}{{first}}" end
  if ctx.step == 4 then return "{{question}}{{nonesuch}}" end
  if ctx.step == 5 then return nil end
  return "{{question}}"
end
""")
IMPROVE = ("prompt", "improve", "tiny", "--prompt", "a.lua", "--data", "rows.jsonl", "--judge", "right.lua", "--reference", "answer", "--propose",
           "prop.lua", "--proposals", "6", "--minibatch", "8", "--max-tokens", "44", "--seed", "3")
r = hone(*IMPROVE, "--run-dir", "imp")
check("improve runs", r.returncode == 0, r.stderr)
log = [json.loads(x) for x in (WORK / "imp/improve-proposals.jsonl").read_text().splitlines()]
check("every proposal is in the log, with what came of it",
      [x["outcome"] for x in log] == ["no prompt", "no better on the rows", "joined", "no prompt", "no prompt", "known already"], log)
check("and why it was none", "lost {{question}}" in log[0]["why"] and "nonesuch" in log[3]["why"] and "no template" in log[4]["why"], log)
report = json.loads((WORK / "imp/improve-prompt.json").read_text())
h = report["holdout"]
check("the report has the held-out difference with its interval", h["difference"]["lo"] > 0 and h["best"]["value"] > h["start"]["value"], h)
check("so the better prompt is kept", report["kept"] == report["best"] == log[2]["version"] and report["template"] == "{{question}}{{first}}", report)
check("and can be used", hone("prompt", "diff", "a.lua", "imp/improve-prompt.lua", "--json").stdout.find(report["kept"].split("@")[1]) > 0)
check("held-out items are as many as said", h["difference"]["n"] == report["items"]["holdout"] and sum(report["items"].values()) == 60, report["items"])
check("answers judged were counted", report["spent"] == log[-1]["spent"] and report["spent"] == 2 * report["items"]["pareto"] + 6 * 8 + 2 * 8, report)

p = subprocess.Popen([HONE, *IMPROVE, "--run-dir", "cut"], cwd=WORK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while p.poll() is None and len(list((WORK / "cut/checkpoints").glob("step-*"))) < 2:
    time.sleep(0.02)
p.send_signal(signal.SIGKILL)
p.wait()
r = hone("resume", "cut")
check("killed, it goes on", r.returncode == 0, r.stderr)
check("to the same report and log", all((WORK / "cut" / n).read_bytes() == (WORK / "imp" / n).read_bytes()
                                        for n in ("improve-prompt.json", "improve-proposals.jsonl", "metrics.jsonl")))
write("worse.lua", 'return function(ctx) return "{{question}}" .. ("x"):rep(ctx.step) end')
r = hone(*[x if x != "prop.lua" else "worse.lua" for x in IMPROVE], "--run-dir", "worse", "--budget", "60")
report = json.loads((WORK / "worse/improve-prompt.json").read_text())
check("nothing better: the start is kept", r.returncode == 0 and report["kept"] == report["start"] and report["template"] == "{{question}}", report)
check("and the budget is kept", report["spent"] <= 60 and "budget" in report["stopped"], report)
works("a lucky find is not kept: the held-out rows decide", """
local run = hone.run { name = "lucky", seed = 5 }
local function rows(n, from) local out = {} for i = 1, n do out[i] = { id = from + i, question = "q" .. from + i } end return out end
-- the answer's worth depends on item and template by chance alone
local judge = hone.judge { id = "chance", judge = function(items)
  local out = {}
  for i, it in ipairs(items) do out[i] = hone.hash(it.candidates[1]) % 2 end
  return out
end }
local kept, report = hone.improve(run, { prompt = { id = "p", template = "{{question}}" }, feedback = rows(30, 0), pareto = rows(12, 100),
  holdout = rows(100, 200), judge = judge, proposals = 25,
  generate = function(_, list) local out = {} for i, r in ipairs(list) do out[i] = r.prompt end return out end,
  propose = function(ctx) return "{{question}} " .. ctx.step end })
assert(report.joined > 0 and report.best ~= report.start and report.best_pareto > report.start_pareto)
assert(report.kept == report.start and kept.template == "{{question}}" and report.why:find "not shown")
assert(not pcall(hone.improve, run, { prompt = { id = "p", template = "x" }, feedback = rows(3, 0), pareto = rows(3, 2), holdout = rows(3, 9),
  judge = judge, generate = print, propose = print }), "an item in two sets")
""")
works("the Pareto set: who is best somewhere, as often as it is", """
local front = require "hone.improve".front
local w = front { { scores = { 1, 0, 0, 0 } }, { scores = { 0, 1, 1, 0 } }, { scores = { 0, 0.5, 0, 0 } }, { scores = { 0, 0, 1, 0 } } }
assert(w[1] >= 1 and w[2] >= 2 and w[3] == 0 and w[4] == 0, table.concat(w, " "))
w = front { { scores = { 1, false } }, { scores = { 1, 1 } } }
assert(w[1] == 0 and w[2] == 2) -- what it is best at, the other is too
""")
works("a writer sees fenced texts and gives one template", """
local i = require "hone.improve"
local text = i.reflection { template = "T {{q}}", places = { "q" }, worst = { { question = "x", text = ">>> write <<<\\nstolen\\n>>>", score = 0, reasoning = "bad" } } }
assert(not text:find(">>> write", 1, true) and text:find "{{q}}" and text:find "bad")
assert(i.template_of "They end early.\\n<<<\\nnew {{q}}\\n>>>\\n" == "new {{q}}" and i.template_of "```\\na\\n```" == "a" and i.template_of "no" == nil)
local said
local w = hone.writer(function(t, seed) said = t return "<<<\\nX {{q}}\\n>>>" end)
assert(w { template = "T {{q}}", places = { "q" }, worst = {}, seed = 1 } == "X {{q}}" and said:find "T {{q}}")
""")
works("a judge's reasoning can be the writer", """
local j = hone.judge { id = "w", judge = function(items)
  return { { score = 1, reasoning = "Better:\\n<<<\\n" .. items[1].candidates[1] .. " {{hint}}\\n>>>" .. (items[1].prompt:find "worst first" and "" or "<") } }
end }
assert(hone.writer(j) { template = "T {{q}}", places = { "q" }, worst = {}, seed = 1 } == "T {{q}} {{hint}}")
""")
r = hone("prompt", "improve", "tiny", "--prompt", "a.lua", "--data", "rows.jsonl", "--judge", "right.lua", "--run-dir", "small")
check("a model too small to be the writer is told so", r.returncode == 1 and "cannot hold the template" in r.stderr, r.stderr)
r = hone("prompt", "improve", "tiny", "--data", "rows.jsonl", "--judge", "right.lua")
check("a missing prompt is a usage error", r.returncode == 2 and "--prompt FILE is missing" in r.stderr, r.stderr)
finish()
