"""optimizers.py - every optimizer in real runs on the embedded model: it lowers the loss where a control with lr = 0 does
not, a killed run ends in the same bytes, so does one with other threads, and `--dry-run` knows what state takes. Groups by
name, clipping, schedules of a policy, averages of weights, and weights to evaluate that are not those trained with."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from array import array

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
work = tempfile.TemporaryDirectory()
WORK = pathlib.Path(work.name)


def write(name, text):
    (WORK / name).write_text(text)


def hone(*args, **env):
    return subprocess.run([HONE, *args], capture_output=True, text=True, cwd=WORK, timeout=300,
                          env={**os.environ, **env})


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def fingerprint(run):
    """What must not depend on an interruption or on threads."""
    out = {n: digest(run / n) for n in ("metrics.jsonl", "model/model.safetensors")}
    last = sorted((run / "checkpoints").glob("step-*"))[-1]
    return {**out, **{f.name: digest(f) for f in sorted(last.iterdir())}}


def tensors(path):
    """{name: (dtype, values)} of a safetensors file with F32 and U8 tensors."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            values = array({"F32": "f", "U8": "B"}[t["dtype"]])
            values.frombytes(raw[8 + n + a:8 + n + b])
            out[name] = (t["dtype"], values, t["shape"])
    return out


def metrics(run):
    return [json.loads(x) for x in (WORK / run / "metrics.jsonl").read_text().splitlines()]


TASK = """local hone = require "hone"
local p = hone.params { opt = { "adamw", "" }, lr = { 1e-3, "" }, set = { {}, "of the optimizer" }, lora = { 0, "" }, steps = { 12, "" },
  look = { false, "evaluate in between" } }
local run = hone.run { name = "opt", seed = 3, checkpoint = { every = 2 } }
local optimizer = { p.opt, lr = p.lr }
for k, v in pairs(p.set) do optimizer[k] = tonumber(v) or v ~= "false" and (v == "true" or v) end
local policy = run:policy { model = "tiny", lora = p.lora > 0 and { rank = p.lora } or nil, optimizer = optimizer }
local function example(i) return { prompt = "What is " .. i % 7 .. "?", completion = "It is " .. (i % 7) * 3 } end
local held = { example(1), example(3), example(5) }
local rows = hone.source("lua", example)
run:say("before %.9f", policy:loss { held, objective = "sft" })
for step, batch in run:steps(p.steps, rows:batches(6)) do
  policy:update { batch, objective = "sft" }
  if p.look then policy:loss { held, objective = "sft" } policy:generate("What is 3?", { max_tokens = 3 }) policy:copy("c" .. step) end
  run:say("step %d", step)
end
run:say("after %.9f", policy:loss { held, objective = "sft" })
run:save()
"""
write("task.lua", TASK)


def losses(text):
    out = {}
    for line in text.splitlines():
        w = line.split()
        if len(w) == 2 and w[0] in ("before", "after"):
            out[w[0]] = float(w[1])
    return out.get("before"), out.get("after")


# name -> arguments, and the bytes of gradients and state to a byte of float32 weights: from, to
CASES = {
    "adamw": (["lr=1e-3"], 2.99, 3.01),
    "adam8bit": (["lr=1e-3", "set.min_size=0"], 1.5, 1.56),
    "adam8bit-2048": (["opt=adam8bit", "lr=1e-3", "set.block=2048"], 1.5, 1.56),
    "lion": (["lr=3e-4"], 1.99, 2.01),
    "muon": (["lr=2e-3"], 2.0, 2.5),
    "muon-original": (["opt=muon", "lr=2e-2", "set.adjust=original", "set.adam_scale=0.05"], 2.0, 2.5),
    "muon-lora": (["opt=muon", "lr=1e-2", "lora=4"], None, None),
    "adam8bit-lora": (["opt=adam8bit", "lr=1e-2", "lora=20", "set.min_size=0"], None, None),
    "adafactor": (["lr=1e-2"], 1.0, 1.05),
    "adafactor-momentum": (["opt=adafactor", "lr=1e-3", "set.beta1=0.9", "set.relative_step=false", "set.scale_parameter=false"],
                           2.0, 2.05),
    "sgd": (["lr=0.3"], 0.99, 1.01),
    "sgd-nesterov": (["opt=sgd", "lr=0.1", "set.momentum=0.9", "set.nesterov=true"], 1.99, 2.01),
    "schedule_free": (["lr=3e-3"], 3.99, 4.02),  # the weights that are kept while others are evaluated are the fourth
}
for name, (args, least, most) in CASES.items():
    args = args if args[0].startswith("opt=") else ["opt=" + name, *args]
    plain = hone("run", "task.lua", *args, "--run-dir", name)
    before, after = losses(plain.stdout)
    check(f"{name} runs", plain.returncode == 0, plain.stderr)
    if plain.returncode:
        continue
    check(f"{name} lowers the loss", after < 0.6 * before, (before, after))
    still = hone("run", "task.lua", *[a for a in args if not a.startswith("lr=")], "lr=0", "--run-dir", name + "-0")
    before, after = losses(still.stdout)
    check(f"{name} with lr = 0 does not", before is not None and before == after, still.stdout + still.stderr)
    p = subprocess.Popen([HONE, "run", "task.lua", *args, "--run-dir", name + "-cut"], cwd=WORK, stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL)
    for line in p.stdout:
        if line.startswith("step 7"):
            p.send_signal(signal.SIGKILL)
            break
    p.wait()
    p.stdout.close()
    resumed = hone("resume", name + "-cut")
    check(f"{name} is killed on the way and resumes from the middle", p.returncode == -signal.SIGKILL and
          resumed.returncode == 0 and "step 5\n" not in resumed.stdout and "step 12\n" in resumed.stdout, resumed.stdout + resumed.stderr)
    check(f"{name} resumes to the same bytes", fingerprint(WORK / name) == fingerprint(WORK / (name + "-cut")))
    other = hone("run", "task.lua", *args, "--run-dir", name + "-3", HONE_THREADS="3")
    check(f"{name} has the same bits with three threads", other.returncode == 0 and
          fingerprint(WORK / name) == fingerprint(WORK / (name + "-3")), other.stderr)
    if least:
        plan = json.loads(hone("run", "task.lua", *args, "--dry-run", "--json").stdout)
        share = plan["memory"]["training"] / plan["models"][0]["bytes"]
        check(f"the plan knows what {name} keeps", least <= share <= most, share)

kinds = {n.rsplit(".", 1)[1]: d for n, (d, _, _) in tensors(next((WORK / "adam8bit/checkpoints").glob("step-000012/optimizer.*"))).items()}
check("adam8bit keeps bytes", kinds == {"exp_avg": "U8", "exp_avg_sq": "U8", "exp_avg_absmax": "F32", "exp_avg_sq_absmax": "F32"}, kinds)
big = tensors(next((WORK / "adam8bit-2048/checkpoints").glob("step-000012/optimizer.*")))
check("but small parameters float32", all(d == ("U8" if len(v) >= 4096 else "F32") for n, (d, v, _) in big.items()
                                         if n.endswith((".exp_avg", ".exp_avg_sq"))))
names = tensors(next((WORK / "muon/checkpoints").glob("step-000012/optimizer.*")))
check("muon has AdamW for the embedding and norms, momentum for matrices",
      all(n.endswith(".momentum_buffer") == (".mlp." in n or ".self_attn." in n) for n in names) and len(names) > 10, sorted(names))

# ---- weights to evaluate ---------------------------------------------------------------------------------------------------

look = hone("run", "task.lua", "opt=schedule_free", "lr=3e-3", "look=true", "--run-dir", "look")
check("looking at schedule_free changes nothing", look.returncode == 0 and
      digest(WORK / "look/model/model.safetensors") == digest(WORK / "schedule_free/model/model.safetensors") and
      digest(WORK / "look/metrics.jsonl") == digest(WORK / "schedule_free/metrics.jsonl"), look.stderr)
write("load.lua", """local hone = require "hone"
local run = hone.run { name = "load" }
local policy = run:policy { model = "schedule_free/model" }
local function example(i) return { prompt = "What is " .. i % 7 .. "?", completion = "It is " .. (i % 7) * 3 } end
run:say("after %.9f", policy:loss { { example(1), example(3), example(5) }, objective = "sft" })
""")
loaded = hone("run", "load.lua", "--run-dir", "load")
after = losses(hone("run", "task.lua", "opt=schedule_free", "lr=3e-3", "--run-dir", "again").stdout)[1]
check("what is saved is what was evaluated", losses(loaded.stdout)[1] == after, (loaded.stdout, loaded.stderr, after))
trained = tensors(next((WORK / "schedule_free/checkpoints").glob("step-000012/model.*")))
saved = tensors(WORK / "schedule_free/model/model.safetensors")
check("and not what was trained with", any(trained[n][1] != saved[n][1] for n in saved if n in trained))

write("draw.lua", """local hone = require "hone"
local p = hone.params { load = { false, "" } }
local run = hone.run { name = "draw", seed = 3 }
local policy = run:policy { model = p.load and "draw/model" or "tiny", optimizer = not p.load and { "schedule_free", lr = 3e-4 } or nil }
local brief = hone.reward { id = "brief", score = function(b) return b:map(function(s) return -#s.completion end) end }
local prompts = { "What is 3?", "Name two." }
local function looked(name)
  local r = policy:eval { { { prompt = prompts[1] }, { prompt = prompts[2] } }, rewards = { brief }, max_tokens = 12, log = false }
  local all = {}
  for _, s in ipairs(r.samples) do all[#all + 1] = table.concat(s.ids, ",") end
  run:say("%s %s", name, table.concat(all, ";"))
end
if not p.load then
  for step in run:steps(4) do
    local r = policy:rollout(prompts, { n = 4, max_tokens = 12, rewards = { brief } })
    policy:update { r, objective = "grpo" }
  end
  run:save()
end
looked "eval"
""")
draw = hone("run", "draw.lua", "--run-dir", "draw")
again = hone("run", "draw.lua", "load=true", "--run-dir", "draw-again")
check("what is updated is what was drawn from", draw.returncode == 0 and
      [m["mismatch/max"] for m in metrics("draw") if m["grad_norm"] > 0] == [0] * 4, (draw.stderr, metrics("draw")))
eval_of = [[x for x in r.stdout.splitlines() if x.startswith("eval ")] for r in (draw, again)]
check("policy:eval draws from what is saved", len(eval_of[0]) == 1 and eval_of[0] == eval_of[1], (eval_of, again.stderr))

# ---- groups, clipping, schedules -------------------------------------------------------------------------------------------

write("groups.lua", """local hone = require "hone"
local p = hone.params { steps = { 1, "", min = 0 }, case = { "", "" } }
local run = hone.run { name = "groups", seed = 3 }
local optimizer, how = { "sgd", lr = 0.1 }, { objective = "sft", clip = 0 }
if p.case == "frozen" then optimizer.groups = { { "*", lr_scale = 0 }, { "*.mlp.*" }, { match = "*.mlp.down*", lr = 0.2 } } end
if p.case == "clip" then optimizer.groups = { { "*embed*", clip = 0.01 } } end
if p.case == "value" then how.clip_value = 1e-3 end
if p.case == "decay" then optimizer = { "adamw", lr = 0.1, weight_decay = 0.5, groups = { { "*norm*", weight_decay = 0 } } } end
if p.case == "other" then optimizer.groups = { { "*.mlp.*", optimizer = { "lion", lr = 1e-3, beta2 = 0.5 } }, { "*norm*", optimizer = "adamw", lr = 1e-2 } } end
local schedule
if p.case == "schedule" then schedule = { "linear", warmup = 2, total = 6 } end
if p.case == "function" then schedule = function(t) return 1 / t end end
local policy = run:policy { model = "tiny", optimizer = optimizer, schedule = schedule }
if p.case == "inherited" then policy = run:policy { name = "base", model = "tiny", lora = { rank = 2 }, optimizer = optimizer, schedule = function(t) return t end }:adapter("second") end
for step in run:steps(p.steps) do
  how[1] = { { prompt = "One two", completion = " three four" } }
  policy:update(how)
end
run:save()
""")


def group(case, steps=1):  # the weights after so many steps
    r = hone("run", "groups.lua", f"case={case}", f"steps={steps}", "--run-dir", "g-" + case)
    check(f"groups: {case or 'none'} runs", r.returncode == 0, r.stderr)
    return tensors(WORK / f"g-{case}/model/model.safetensors") if r.returncode == 0 else {}


start = group("start", 0)


def moved(after, name):
    return [a - b for a, b in zip(after[name][1], start[name][1])]


plain, frozen = group(""), group("frozen")
check("a group with lr_scale 0 stays", all((frozen[n][1] == start[n][1]) == (".mlp." not in n) for n in start))
down = [n for n in start if ".mlp.down" in n]
ratio = [sum(x * x for x in moved(frozen, n)) ** .5 / sum(x * x for x in moved(plain, n)) ** .5 for n in down]
check("lr of a group is its own", down and all(abs(r - 2) < 1e-3 for r in ratio), ratio)
clipped = group("clip")
embed = [n for n in start if "embed" in n]
norm = sum(x * x for n in embed for x in moved(clipped, n)) ** .5
check("clip of a group is of its norm", abs(norm / (0.1 * 0.01) - 1) < 2e-3, norm)
check("and of no other", all(clipped[n][1] == plain[n][1] for n in start if n not in embed))
value = group("value")
most = [max(abs(x) for x in moved(value, n)) for n in start]
check("clip_value is of each element", abs(max(most) / 1e-4 - 1) < 2e-2 and all(m < 1.02e-4 for m in most), most)
decayed = group("decay", 1)
norms = [n for n in start if "norm" in n]
check("weight decay by group", norms and all(abs(max(abs(x) for x in moved(decayed, n)) - 0.1) < 1e-3 for n in norms) and
      any(max(abs(x) for x in moved(decayed, n)) > 0.11 for n in start if n not in norms))
other = group("other", 3)
state = tensors(next((WORK / "g-other/checkpoints").glob("step-*/optimizer.*")))
want = {n: {"exp_avg", "exp_avg_sq"} if "norm" in n else {"exp_avg"} if ".mlp." in n else set() for n in start}
check("groups have state of their own optimizers", {n: {s.rsplit(".", 1)[1] for s in state if s.rsplit(".", 1)[0] == n} for n in start} == want,
      sorted(state))
mlp = next(n for n in start if ".mlp.up" in n)
check("and their steps", all(min(abs(abs(x) - k * 1e-3) for k in range(4)) < 2e-6 for x in moved(other, mlp)))
for case, want in [("schedule", [.5, 1, .75, .5, .25, 0]), ("function", [1 / t for t in range(1, 7)]), ("inherited", None)]:
    group(case, 6)
    got = [m["lr"] for m in metrics("g-" + case)]
    want = want or [1, 2, 3, 4, 5, 6]
    check(f"schedule of a policy: {case}", len(got) == 6 and all(abs(g - 0.1 * w) < 1e-9 for g, w in zip(got, want)), got)

for text, what in [
    ('{ "sgd", lr = 1, groups = { { weight_decay = 0 } } }', "optimizer group 1: match is missing"),
    ('{ "sgd", lr = 1, groups = { { "*", wieght_decay = 0 } } }', 'did you mean "weight_decay"'),
    ('{ "sgd", lr = 1, groups = { { "*", lr = 1, lr_scale = 1 } } }', "exclude each other"),
    ('{ "sgd", lr = 1, groups = { { "*", lr_scale = -1 } } }', "lr_scale is -1"),
    ('{ "sgd", lr = 1, groups = { { "*", optimizer = { "adamwx" } } } }', "adamwx"),
    ('{ "sgd", lr = 1, groups = { { "*", optimizer = { lr = 1 } } } }', "its optimizer has no name"),
    ('{ "sgd", lr = 1, groups = { { "*", optimizer = { "adamw", groups = {} } } } }', "groups have no groups"),
    ('{ "sgd", lr = 1, groups = { { "*", optimizer = { "adamw", momentum = 1 } } } }', "momentum"),
    ('{ "muon", lr = 1, adjust = "other" }', "adjust"),
    ('{ "adam8bit", lr = 1, block = 3 }', "block"),
    ('{ "lion", lr = -1 }', "lr is -1"),
]:
    write("bad.lua", 'local run = require "hone".run { name = "bad" }\nrun:policy { model = "tiny", optimizer = ' + text + " }\n")
    r = hone("run", "bad.lua")
    check(f"refused: {text}", r.returncode != 0 and what in r.stderr, r.stderr)

# ---- averages ----------------------------------------------------------------------------------------------------------------

write("ema.lua", """local hone = require "hone"
local run = hone.run { name = "ema", seed = 3, checkpoint = { every = 1 } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-2 } }
local all = { policy = policy, ema = policy:ema(0.75), young = policy:ema(0.999, { warmup = true }) }
for name, p in pairs(all) do p:save(run:path(name .. "-0")) end
for step in run:steps(4) do
  policy:update { { { prompt = "One two", completion = " three" .. step } }, objective = "sft" }
  all.ema:track() all.young:track()
  for name, p in pairs(all) do p:save(run:path(name .. "-" .. step)) end
  run:say("step %d", step)
end
run:save { policy = all.ema }
""")
ema = hone("run", "ema.lua", "--run-dir", "ema")
check("averages run", ema.returncode == 0, ema.stderr)
files = {n: [tensors(WORK / f"ema/{n}-{i}/model.safetensors") for i in range(5)] for n in ("policy", "ema", "young")}
for name, decay in [("ema", lambda t: 0.75), ("young", lambda t: min(0.999, (1 + t) / (10 + t)))]:
    worst = 0
    for t in files["policy"][0]:
        mean = list(files["policy"][0][t][1])
        for i in range(1, 5):
            d = decay(i)
            mean = [d * m + (1 - d) * x for m, x in zip(mean, files["policy"][i][t][1])]
            worst = max(worst, max(abs(m - x) for m, x in zip(mean, files[name][i][t][1])))
    check(f"{name} is the average of the policy's steps", worst < 1e-6, worst)
check("and no copy of it", files["ema"][4] != files["policy"][4])
p = subprocess.Popen([HONE, "run", "ema.lua", "--run-dir", "ema-cut"], cwd=WORK, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
for line in p.stdout:
    if line.startswith("step 2"):
        p.send_signal(signal.SIGKILL)
        break
p.wait()
p.stdout.close()
resumed = hone("resume", "ema-cut")
check("averages resume to the same bytes", p.returncode == -signal.SIGKILL and resumed.returncode == 0 and
      fingerprint(WORK / "ema") == fingerprint(WORK / "ema-cut"), resumed.stderr)
write("bad.lua", 'local run = require "hone".run { name = "bad" }\nrun:policy { model = "tiny", optimizer = "sgd" }:ema(1)\n')
r = hone("run", "bad.lua")
check("a decay of 1 is refused", r.returncode != 0 and "a decay from 0 to below 1" in r.stderr, r.stderr)
finish()
