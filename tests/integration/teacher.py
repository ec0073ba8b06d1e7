#!/usr/bin/env python3
"""teacher.py - learning from another policy: gkd, forward_kl, reverse_kl, minillm and opd from recipes. A student that
is its teacher has divergence 0; one that is not comes closer on rows it was not trained on, whatever
the micro-batches; what is missing or does not fit is said."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-teacher-")
work = pathlib.Path(scratch.name)

HEAD = """local hone = require "hone"
local run = hone.run { name = "t", seed = 3 }
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local teacher = run:policy { model = "tiny", name = "teacher" }
local function student(name, config)
  local c = { model = "tiny", name = name, optimizer = { "adamw", lr = 1e-3, weight_decay = 0 } }
  for k, v in pairs(config or {}) do c[k] = v end
  local p = run:policy(c)
  for _ = 1, 4 do p:update { { { prompt = "Hello", completion = "zzz zz z" } }, objective = "sft" } end
  return p
end
local rows, others = {}, {}
for i = 1, 8 do rows[i] = { prompt = "Question " .. i, completion = "The answer is " .. i * 3 .. "." } end
for i = 1, 4 do others[i] = { prompt = "Question " .. i + 20, completion = "The answer is " .. i * 7 .. "." } end
"""


def asserts(name, text):
    """A recipe that checks itself: every line `ok WHAT` or `bad WHAT` counts."""
    (work / f"{name}.lua").write_text(HEAD + text)
    run = subprocess.run([HONE, "run", f"{name}.lua", "--run-dir", str(work / name)], capture_output=True, text=True, cwd=work,
                         timeout=300)
    check(f"{name}: ends well", run.returncode == 0, run.stderr)
    told = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
    check(f"{name}: tells something", told, run.stdout)
    for x in told:
        check(f"{name}: {x.split(' ', 1)[1]}", x.startswith("ok "), run.stdout)


asserts("same", """
for _, name in ipairs { "gkd", "forward_kl", "reverse_kl" } do
  local loss = teacher:loss { rows, objective = { name, teacher = teacher:copy(name) } }
  is(name .. " of a teacher from itself is 0: " .. loss, math.abs(loss) < 1e-6)
end
""")

asserts("closer", """
for _, name in ipairs { "gkd", "forward_kl", "reverse_kl", "minillm" } do
  local p = student(name)
  local function gap() return (p:loss { others, objective = { "forward_kl", teacher = teacher } }) end
  local before, m = gap(), nil
  for _ = 1, 10 do m = p:update { rows, objective = { name, teacher = teacher } } end
  is(name .. ": closer on other rows, " .. before .. " -> " .. gap(), gap() < before * 0.7)
  is(name .. ": tells the divergence", m.divergence and m.divergence >= 0 and m.grad_norm > 0)
end
""")

asserts("parts", """
local function trained(name, spec, config)
  local p = student(name)
  local c = { rows, objective = spec }
  for k, v in pairs(config) do c[k] = v end
  local m = p:update(c)
  return p:info().checksum, m.loss
end
for i, spec in ipairs { { "gkd", teacher = teacher }, { "reverse_kl", teacher = teacher, reduce = "seq_mean_token_mean" },
    { "minillm", teacher = teacher } } do
  local sum, loss = trained("a" .. i, spec, {})
  local other, loss2 = trained("b" .. i, spec, { micro_tokens = 40 })
  local third, loss3 = trained("c" .. i, spec, { accumulate = 3 })
  is(spec[1] .. ": micro-batches give the same bits", sum == other and sum == third)
  is(spec[1] .. ": and the same loss", math.abs(loss - loss2) < 1e-9 and math.abs(loss - loss3) < 1e-9)
  local four = trained("d" .. i, spec, { checkpoint_every = 1 })
  is(spec[1] .. ": recomputing activations too", sum == four)
end
""")

asserts("lora", """
local p = student("lora", { lora = { rank = 4 } })
local before = p:loss { others, objective = { "forward_kl", teacher = teacher } }
for _ = 1, 10 do p:update { rows, objective = "gkd", teacher = teacher } end
local after = p:loss { others, objective = { "forward_kl", teacher = teacher } }
is("an adapter learns too, " .. before .. " -> " .. after, after < before)
""")

asserts("rollouts", """
local p = student("own")
local function gap() return (p:loss { others, objective = { "forward_kl", teacher = teacher } }) end
local before = gap()
for _ = 1, 6 do
  local r = p:rollout({ "Question 1", "Question 2" }, { n = 4, max_tokens = 12 })
  p:update { r, objective = { "gkd", beta = 1, teacher = teacher } }
end
is("on the policy's own samples, without rewards, " .. before .. " -> " .. gap(), gap() < before)
""")

asserts("written", """
local said = teacher:topk(rows, { k = 16 })
is("topk: a table for each row", #said == #rows and said[1].k == 16 and #said[1].ids == #said[1].logprobs)
local sum, last, falling = 0, 0, true
for i = 1, 16 do
  sum, falling = sum + math.exp(said[1].logprobs[i]), falling and said[1].logprobs[i] <= last
  last = said[1].logprobs[i]
end
is("topk: likeliest first, at most 1 together: " .. sum, falling and sum > 0.5 and sum <= 1.00001)
local p, written = student "written", {}
for i, r in ipairs(rows) do written[i] = { prompt = r.prompt, completion = r.completion, teacher = said[i] } end
for _, name in ipairs { "forward_kl", "reverse_kl", "gkd" } do
  local live = p:loss { rows, objective = { name, teacher = teacher } }
  local part = p:loss { written, objective = name }
  is(name .. ": K tokens and the rest are at most the whole: " .. part .. " <= " .. live, part <= live + 1e-6 and part > live * 0.3)
end
local wide = teacher:topk(rows, { k = teacher:info().vocab_size })
local all = {}
for i, r in ipairs(rows) do all[i] = { prompt = r.prompt, completion = r.completion, teacher = wide[i] } end
for _, name in ipairs { "forward_kl", "reverse_kl", "gkd" } do
  local live, whole = p:loss { rows, objective = { name, teacher = teacher } }, p:loss { all, objective = name }
  is(name .. ": the whole vocabulary written down is the live teacher: " .. whole .. ", " .. live, math.abs(live - whole) < 1e-4 * (1 + live))
end
local function gap() return (p:loss { others, objective = { "forward_kl", teacher = teacher } }) end
local before = gap()
for _ = 1, 10 do p:update { written, objective = "forward_kl" } end
is("learns from what is written, " .. before .. " -> " .. gap(), gap() < before * 0.7)
local a, b = student "a", student "b"
a:update { written, objective = "gkd" }
b:update { written, objective = "gkd", micro_tokens = 40 }
is("micro-batches give the same bits", a:info().checksum == b:info().checksum)
local function fails(what, row, text)
  local ok, why = pcall(p.update, p, { { row }, objective = "forward_kl" })
  is(what .. ": " .. tostring(why), not ok and tostring(why):find(text, 1, true) ~= nil)
end
local r = rows[1]
fails("another text", { prompt = r.prompt, completion = "No.", teacher = said[1] }, "another text")
local bad = { k = 1, temperature = 1, ids = {}, logprobs = {} }
for i = 1, #said[1].ids // 16 do bad.ids[i], bad.logprobs[i] = 1 << 40, -1 end
fails("an id that is none", { prompt = r.prompt, completion = r.completion, teacher = bad }, "no token")
for i = 1, #bad.ids do bad.ids[i], bad.logprobs[i] = 1, 0.5 end
fails("a probability above 1", { prompt = r.prompt, completion = r.completion, teacher = bad }, "no log-prob")
local warm = teacher:topk({ r }, { k = 4, temperature = 2 })
fails("another temperature", { prompt = r.prompt, completion = r.completion, teacher = warm[1] }, "temperature 2")
local ok, why = pcall(teacher.topk, teacher, { r }, { k = 0 })
is("k of 0: " .. tostring(why), not ok)
""")

asserts("advantages", """
local one = hone.reward { id = "one", score = function(b) return b:map(function(s) return #s.completion % 3 end) end }
local p, prompts = student "p", { "Question 1", "Question 2" }
local function gap() return (p:loss { others, objective = { "reverse_kl", teacher = teacher } }) end
local r = p:rollout(prompts, { n = 4, max_tokens = 10 })
r:advantages({ "opd", teacher = teacher }, p)
local same = teacher:rollout(prompts, { n = 2, max_tokens = 6 })
same:advantages({ "opd", teacher = teacher }, teacher)
local none = true
for _, s in ipairs(same:samples()) do none = none and math.abs(s.advantage) < 1e-6 end
is("opd: a teacher has nothing to learn from itself", none)
local before = gap()
for _ = 1, 12 do
  p:update { p:rollout({ "Question 21", "Question 3", "Question 22" }, { n = 6, max_tokens = 12 }), objective = "reinforce",
    advantage = { "opd", teacher = teacher } }
end
is("opd closes the gap, " .. before .. " -> " .. gap(), gap() < before)
local r = p:rollout(prompts, { n = 4, max_tokens = 10, rewards = { one } })
local greedy = p:rollout(prompts, { n = 1, max_tokens = 10, greedy = true, rewards = { one } })
r:advantages { "remax", baseline = greedy }
local base, right = {}, true
for i, g in ipairs(greedy:groups()) do base[i] = g[1].outcomes.one.score end
for _, s in ipairs(r:samples()) do right = right and math.abs(s.advantage - (s.outcomes.one.score - base[s.group])) < 1e-9 end
is("remax: less the greedy answer's reward", right)
r:advantages { "dr_grpo", beta = 0 }
local plain = r:samples()
r:advantages({ "dr_grpo", beta = 0.1, reference = teacher }, p)
local differ = false
for i, s in ipairs(r:samples()) do differ = differ or math.abs(s.advantage - plain[i].advantage) > 1e-6 end
is("a KL in the reward changes advantages", differ)
r:advantages({ "dr_grpo", beta = 0.1, reference = p }, p)
local equal = true
for i, s in ipairs(r:samples()) do equal = equal and math.abs(s.advantage - plain[i].advantage) < 1e-5 end
is("but not against the policy itself", equal)
r:advantages { "dr_grpo", overlong_buffer = 10 }
local punished, shaped, mean = true, r:samples(), {}
for _, s in ipairs(shaped) do mean[s.group] = (mean[s.group] or 0) + s.n_tokens / 4 end
for i, s in ipairs(shaped) do
  punished = punished and math.abs(s.advantage - plain[i].advantage + (s.n_tokens - mean[s.group]) / 10) < 1e-9
end
is("overlong shaping knows the longest completion", punished)
local ok, why = pcall(r.advantages, r, { "dr_grpo", beta = 0.1 })
is("a KL without a reference: " .. tostring(why), not ok and tostring(why):find "reference")
""")

asserts("options", """
local pairs_of = {}
for i = 1, 4 do pairs_of[i] = { prompt = "Question " .. i, chosen = "Yes " .. i, rejected = "No no " .. i, margin = i } end
local p = student("sum", { lora = { rank = 4 } })
local dpo = p:loss { pairs_of, objective = "dpo" }
local nll = p:loss { pairs_of, objective = "sft" }
local both, m = p:loss { pairs_of, objective = { "dpo", { "sft", weight = 0.5 } } }
""".replace('{ "dpo", { "sft", weight = 0.5 } }', '{ { "dpo" }, { "sft", weight = 0.5 } }') + """
is("a sum of losses is their sum: " .. both, math.abs(both - dpo - 0.5 * nll) < 1e-9 and math.abs(m["loss/sft"] - nll) < 1e-9)
local chosen = {}
for i, r in ipairs(pairs_of) do chosen[i] = { prompt = r.prompt, completion = r.chosen } end
local alone = p:loss { chosen, objective = "sft" }
is("sft of pairs is that of the chosen: " .. nll .. ", " .. alone, math.abs(nll - alone) < 1e-9)
local q, r = student "q", student "r"
for _, x in ipairs { q, r } do
  x:update { pairs_of, objective = { { "cpo", nll = 0 }, { "sft", weight = 0.5 } }, micro_tokens = x == q and 20 or nil }
end
is("a sum of losses in micro-batches has the same bits", q:info().checksum == r:info().checksum)
local weighed, m = p:loss { pairs_of, objective = { "dpo", wpo = true } }
is("wpo weighs pairs: " .. m["wpo/weight"], m["wpo/weight"] > 0 and m["wpo/weight"] <= 1 and weighed < dpo)
local a, b, c = student "a", student "b", student "c"
a:update { rows, objective = { "sft", neftune = 8 } }
b:update { rows, objective = { "sft", neftune = 8 }, micro_tokens = 40 }
c:update { rows, objective = "sft" }
is("noise on embeddings changes the update", a:info().checksum ~= c:info().checksum)
is("and is the same in any micro-batches", a:info().checksum == b:info().checksum)
is("loss without training has no noise", a:loss { rows, objective = { "sft", neftune = 8 } } == a:loss { rows, objective = "sft" })
local one = hone.reward { id = "one", score = function(list) return list:map(function(s) return s.completion_len % 3 end) end }
local g = student "g"
local seen = {}
for i = 1, 6 do
  local m = g:update { g:rollout({ "Question 1", "Question 2" }, { n = 4, max_tokens = 8, rewards = { one } }), advantage = "dr_grpo",
    objective = { "grpo", entropy = 0.01, entropy_target = 100, entropy_step = 0.005, entropy_max = 0.03 } }
  seen[i] = run.state["entropy of g"].weight
end
is("adaptive entropy: below the target the weight rises to its bound", math.abs(seen[1] - 0.015) < 1e-9 and seen[6] == 0.03)
local m = g:update { g:rollout({ "Question 1", "Question 2" }, { n = 4, max_tokens = 3, rewards = { one } }), advantage = "dr_grpo",
  objective = { "grpo", mask_truncated = true } }
is("samples that were cut off are left out: " .. m.tokens, m.tokens < 24)
""")

asserts("own", """
local mean = hone.objective { uses = { "divergence", "teacher_logp" }, beta = 0.3, temperature = 2,
  loss = function(b) return b.divergence:masked_mean(b.mask) + ((b.teacher_logp - b.logp):square() * 0.1):masked_mean(b.mask) end }
local p, q = student "p", student "q"
local own = p:loss { rows, objective = mean, teacher = teacher }
local plain = p:loss { rows, objective = { "gkd", beta = 0.3, temperature = 2, teacher = teacher } }
is("a loss of the recipe's own reads the divergence: " .. own .. " > " .. plain, own > plain and own < plain + 10)
local only = hone.objective { uses = { "divergence" }, beta = 0.3, temperature = 2, loss = function(b) return b.divergence:masked_mean(b.mask) end }
local m = p:update { rows, objective = only, teacher = teacher }
local n = q:update { rows, objective = { "gkd", beta = 0.3, temperature = 2, teacher = teacher } }
is("and its gradient flows: " .. m.grad_norm .. ", " .. n.grad_norm, math.abs(m.grad_norm - n.grad_norm) < 1e-4 * n.grad_norm)
""")

asserts("said", """
local p = student("said")
local ok, why = pcall(p.update, p, { rows, objective = "gkd" })
is("no teacher is said: " .. tostring(why), not ok and tostring(why):find "there is none")
local ok, why = pcall(p.update, p, { rows, objective = { "gkd", teacher = "tiny" } })
is("a name is no teacher: " .. tostring(why), not ok and tostring(why):find "teacher is a policy")
local ok, why = pcall(p.update, p, { p:rollout({ "Question 1" }, { n = 2, max_tokens = 4 }), objective = "grpo" })
is("grpo wants advantages: " .. tostring(why), not ok and tostring(why):find "no advantages")
""")


# ---- numbers on the command line that do not fit -------------------------------------------------------------------
def refused(what, name, numbers, text, *args):
    path = work / "numbers.json"
    path.write_text(numbers if isinstance(numbers, str) else json.dumps(numbers))
    run = subprocess.run([HONE, "objective", "eval", name, "--input", str(path), "--json", *args], capture_output=True, text=True)
    check(f"{what} is refused", run.returncode in (1, 2), (run.returncode, run.stdout))
    check(f"{what}: says {text}", text in run.stderr and not run.stdout, run.stderr)


TWO = [[[0.1, 0.2], [0.3, 0.4]]]
refused("no teacher", "gkd", {"student_logits": TWO}, "needs a teacher")
refused("no numbers", "gkd", {}, "logp")
refused("a teacher of another length", "gkd", {"student_logits": TWO, "teacher_logits": [[[1, 2]]]}, "row 1 is not 2 long")
refused("a teacher of other tokens", "gkd", {"student_logits": TWO, "teacher_logits": [[[1, 2, 3], [1, 2, 3]]]}, "not 2 logits")
refused("ragged logits", "gkd", {"student_logits": [[[1, 2], [3]]], "teacher_logits": TWO}, "token 2")
refused("logits that are no lists", "gkd", {"student_logits": [[1, 2]], "teacher_logits": TWO}, "token 1")
refused("logits that are texts", "gkd", {"student_logits": [[["a", "b"]]], "teacher_logits": TWO}, "no number")
refused("an id beyond the vocabulary", "minillm", {"student_logits": TWO, "teacher_logits": TWO, "ids": [[0, 2]]}, "vocabulary of 2")
refused("empty logits", "gkd", {"student_logits": [[[], []]], "teacher_logits": TWO}, "logits")
PAIR = {"policy_chosen": [-1], "policy_rejected": [-2], "ref_chosen": [-1], "ref_rejected": [-1]}
refused("a sum with an unknown loss", "dpo+dpoo", PAIR, "dpoo")
refused("a sum with a weight that is none", "1x*dpo", PAIR, "weight*loss")
refused("a sum with an empty term", "dpo+", PAIR, "+ between them")
refused("a sum of 17", "+".join(["dpo"] * 17), PAIR, "up to 16")
refused("a setting that no term has", "dpo+hinge", PAIR, "none of its losses", "--set", "eps_low=1")
refused("divergences that differ", "forward_kl+reverse_kl", {"student_logits": TWO, "teacher_logits": TWO}, "divergences that differ")
refused("margins of another number", "rm", {**PAIR, "margin": [1, 2]}, "2 margins for 1 pairs")
refused("cut-off samples of another number", "grpo", {"logp": [[-1]], "advantages": [1], "truncated": [1, 0]}, "truncated",
        "--set", "mask_truncated=true")

finish()
