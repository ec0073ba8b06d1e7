#!/usr/bin/env python3
"""adapters.py - kinds of adapters in recipes: each learns where a control with learning rate 0 does not, samples and trains
with the same bits, resumes to the same bytes, and is written as PEFT writes it. What is written is read back by a reader
of this file's own, which merges it by hand, and by PEFT where HONE_PEERS names an interpreter that has it. Adapters
that PEFT made are read too. Damaged folders are refused with their reason."""
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-adapters-")
work = pathlib.Path(scratch.name)
IDS = [1 + (7 * i * i + 3 * i) % 255 for i in range(24)]


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300)


def says(name, run, *texts):
    check(f"{name}: fails", run.returncode in (1, 2, 3), (run.returncode, run.stdout))
    check(f"{name}: one error", sum(x.startswith("hone:") for x in run.stderr.splitlines()) == 1, run.stderr)
    for text in texts:
        check(f"{name}: says {text}", text in run.stderr, run.stderr)


def logprobs(model, *more):
    run = hone("model", "logprobs", model, "--ids", ",".join(map(str, IDS)), "--json", *more)
    check(f"logprobs {model} {more}", run.returncode == 0, run.stderr)
    return json.loads(run.stdout)["logprobs"] if run.returncode == 0 else []


def far(a, b):
    return max((abs(x - y) for x, y in zip(a, b)), default=math.inf) if len(a) == len(b) else math.inf


# ---- safetensors by hand ----
def tensors(path):
    raw = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        data = raw[8 + n + a:8 + n + b]
        if t["dtype"] == "F32":
            v = struct.unpack(f"<{len(data) // 4}f", data)
        elif t["dtype"] == "BF16":
            v = [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0] for i in range(0, len(data), 2)]
        else:
            raise ValueError(t["dtype"])
        out[name] = (t["shape"], v)
    return out


def rewrite(path, change):
    """The file's header and data after change(header, data) -> header, data."""
    raw = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    header, data = change(json.loads(raw[8:8 + n]), bytearray(raw[8 + n:]))
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


def merged(base, adapter, config, module):
    """W + scale B A, and for DoRA its rows at the lengths that the magnitudes say, in double."""
    (rows, cols), w = base[module + ".weight"]
    (r, _), a = adapter[f"base_model.model.{module}.lora_A.weight"]
    _, b = adapter[f"base_model.model.{module}.lora_B.weight"]
    scale = config["lora_alpha"] / (math.sqrt(r) if config["use_rslora"] else r)
    out = []
    for n in range(rows):
        row = [w[n * cols + c] + scale * sum(b[n * r + j] * a[j * cols + c] for j in range(r)) for c in range(cols)]
        if config["use_dora"]:
            m = adapter[f"base_model.model.{module}.lora_magnitude_vector"][1][n]
            norm = math.sqrt(sum(x * x for x in row))
            row = [x * m / norm for x in row]
        out += row
    return out


# ---- each kind learns, and the control does not ----
RECIPE = """
local hone = require "hone"
local p = hone.params { kind = { "lora", "kind of adapter" }, lr = { 5e-3, "learning rate", min = 0 }, die = { 0, "stop at this step" }, plus = { 0.0, "LoRA+" } }
local run = hone.run { name = "adapters", seed = 7, checkpoint = { every = 2 } }
local kinds = {}
for k in p.kind:gmatch "[^+]+" do kinds[#kinds + 1] = k end
local policy = run:policy { model = "tiny", lora = { rank = 4, kind = #kinds == 1 and kinds[1] or kinds, plus = p.plus }, optimizer = { "adamw", lr = p.lr } }
local rows = hone.source("lua", function(i) return { prompt = "q" .. i % 4, completion = " yes" .. (i % 3) } end)
local held = { { prompt = "q1", completion = " yes1" }, { prompt = "q2", completion = " yes0" } }
local function loss() return policy:loss { held, objective = "sft" } end
local len = hone.reward { id = "len", score = function(x) return x:map(function(s) return #s.completion % 5 end) end }
local first = loss()
for step, batch in run:steps(6, rows:batches(4)) do
  policy:update { batch, objective = "sft" }
  if step % 3 == 0 then
    local r = policy:rollout(batch, { n = 2, max_tokens = 5, rewards = { len } })
    local m = policy:update { r, objective = { "grpo", beta = 0.1 }, advantage = "group" }
    print("mismatch", m["mismatch/max"])
  end
  if p.die == step and not pcall(hone.source, "jsonl", { path = "alive.jsonl" }) then error("killed here", 0) end
end
print("first", first)
print("last", (loss()))
policy:save(run:path "merged")
policy:save_adapter(run:path "adapter")
run:save { adapter = true }
"""
(work / "a.lua").write_text(RECIPE)
KINDS = ["lora", "rslora", "dora", "dora+rslora", "pissa", "pissa+dora"]
base = tensors(ROOT / "assets/tiny/model.safetensors")


def told(run):
    return {x.split()[0]: float(x.split()[1]) for x in run.stdout.splitlines() if len(x.split()) == 2 and x.split()[0] in ("first", "last", "mismatch")}


plain = logprobs("tiny")
before = None
for kind in KINDS:
    run = hone("run", "a.lua", f"kind={kind}", "--run-dir", kind, "--quiet")
    check(f"{kind}: runs", run.returncode == 0, run.stderr)
    t = told(run)
    check(f"{kind}: learns", t.get("last", 9) < 0.75 * t.get("first", 0), t)
    if "pissa" in kind:
        check(f"{kind}: a new one changes nothing but by rounding", abs(t.get("first", 0) - before) < 1e-4, (t, before))
    else:
        check(f"{kind}: a new one changes no bit", before is None or t["first"] == before, (t, before))
        before = t.get("first")
    check(f"{kind}: sampler and trainer agree", t.get("mismatch") == 0, t)
    still = told(hone("run", "a.lua", f"kind={kind}", "lr=0", "--run-dir", kind + "-still", "--quiet"))
    check(f"{kind}: the control does not learn", still.get("last") == still.get("first") == t.get("first"), still)

    # killed and resumed: the same bytes
    (work / "alive.jsonl").unlink(missing_ok=True)
    run = hone("run", "a.lua", f"kind={kind}", "die=5", "--run-dir", kind + "-die", "--quiet")
    check(f"{kind}: stopped", run.returncode == 1 and "killed here" in run.stderr, run.stderr)
    (work / "alive.jsonl").write_text("{}\n")
    run = hone("resume", work / (kind + "-die"), "--quiet")
    check(f"{kind}: resumed", run.returncode == 0, run.stderr)
    for f in ("metrics.jsonl", "adapter/adapter_model.safetensors", "merged/model.safetensors"):
        one, two = work / kind / f, work / (kind + "-die") / f
        check(f"{kind}: {f} equal after a resume", one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes())

    # what is written, by hand
    folder = work / kind / "adapter"
    config = json.loads((folder / "adapter_config.json").read_text())
    check(f"{kind}: configuration", (config["use_dora"], config["use_rslora"], config["r"]) == ("dora" in kind, "rslora" in kind, 8 if "pissa" in kind else 4), config)
    adapter, whole = tensors(folder / "adapter_model.safetensors"), tensors(work / kind / "merged/model.safetensors")
    parts = 3 if "dora" in kind else 2
    check(f"{kind}: tensors", len(adapter) > 0 and len(adapter) % (7 * parts) == 0, len(adapter))
    for module in ("model.layers.0.self_attn.k_proj", "model.layers.1.mlp.down_proj"):
        want, got = merged(base, adapter, config, module), whole[module + ".weight"][1]
        check(f"{kind}: {module} merged by hand", far(want, got) < 2e-6, far(want, got))
        check(f"{kind}: {module} was trained", far(got, base[module + ".weight"][1]) > 1e-4)

    # read back
    on = logprobs("tiny", "--adapter", folder)
    check(f"{kind}: the adapter does something", far(on, plain) > 1e-2, far(on, plain))
    check(f"{kind}: merged is the same to rounding", far(on, logprobs(work / kind / "merged")) < 1e-4)

# ---- the command line ----
info = hone("model", "info", "dora/adapter")
check("info", info.returncode == 0 and "kind          dora" in info.stdout and "rank, alpha   4, 8" in info.stdout, info.stdout + info.stderr)
info = json.loads(hone("model", "info", "rslora/adapter", "--json", "--tensors").stdout)
check("info --json", (info["format"], info["kind"], info["rank"], info["modules"], len(info["module_list"])) == ("adapter", "rslora", 4, 21, 21), info)
check("info: parameters", info["parameters"] == sum(math.prod(s) for s, _ in tensors(work / "rslora/adapter/adapter_model.safetensors").values()), info)
for kind in ("dora", "pissa"):
    run = hone("model", "merge", "tiny", f"{kind}/adapter", "--out", f"{kind}-out")
    check(f"merge {kind}", run.returncode == 0, run.stderr)
    one, two = tensors(work / f"{kind}-out/model.safetensors"), tensors(work / kind / "merged/model.safetensors")
    check(f"merge {kind}: as the policy saved it", one.keys() == two.keys() and all(far(one[k][1], two[k][1]) < 1e-6 for k in one))
    check(f"merge {kind}: with its tokenizer", (work / f"{kind}-out/tokenizer.json").is_file())
says("merge: there already", hone("model", "merge", "tiny", "dora/adapter", "--out", "dora-out"), "there already")
says("merge: no folder", hone("model", "merge", "tiny", "dora/adapter"), "--out")
says("merge: a model is no adapter", hone("model", "merge", "tiny", ROOT / "assets/tiny", "--out", "none"), "adapter_config.json")
check("merge: nothing was written", not (work / "none").exists())
plain_text, dora_text = (hone("generate", "tiny", "--prompt", "q1", "--greedy", "--max-tokens", 6, "--json", *more).stdout
                         for more in ((), ("--adapter", "dora/adapter")))
check("generate with an adapter", plain_text and dora_text and plain_text != dora_text, (plain_text, dora_text))

run = hone("model", "convert", "tiny", "tiny-f32.gguf", "--type", "f32")
check("a base as GGUF", run.returncode == 0, run.stderr)
check("takes the same adapter", far(logprobs("tiny-f32.gguf", "--adapter", "dora/adapter"), logprobs("tiny", "--adapter", "dora/adapter")) < 1e-6)

# ---- loaded in a recipe: the bits that were saved; trained on; two adapters and the base at once ----
(work / "load.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "load", seed = 7 }
local held = { { prompt = "q1", completion = " yes1" } }
local function of(p, off) return table.concat(p:logprobs(held, { reference = off })[1][1], " ") end
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local dora = run:policy { model = "tiny", name = "dora", adapter = "dora/adapter", optimizer = { "adamw", lr = 1e-3 }, lora = { plus = 4 } }
local rs = dora:adapter("rs", { adapter = "rslora/adapter" })
local plain = run:policy { model = "tiny", name = "plain" }
is("the base is the base", of(dora, true) == of(plain) and of(rs, true) == of(plain))
is("they differ", of(dora) ~= of(rs) and of(dora) ~= of(plain) and of(rs) ~= of(plain))
local a, b = of(dora), of(rs)
dora:save_adapter(run:path "again")
for step, batch in run:steps(2, hone.rows(held):epochs():batches(1)) do
  dora:update { batch, objective = { "dpo" }, reference = rs, objective = "sft" }
end
is("trained on", of(dora) ~= a)
is("the other is as it was", of(rs) == b)
is("the base too", of(dora, true) == of(plain))
run:save { policy = rs, adapter = true }
""")
run = hone("run", "load.lua", "--run-dir", "load", "--quiet")
lines = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
check("load: ends well", run.returncode == 0 and len(lines) == 5, run.stderr + run.stdout)
for x in lines:
    check("load: " + x.split(" ", 1)[1], x.startswith("ok "))
for f, kind in (("again", "dora"), ("adapter", "rslora")):
    check(f"load: {kind} written again has its bytes",
          (work / "load" / f / "adapter_model.safetensors").read_bytes() == (work / kind / "adapter/adapter_model.safetensors").read_bytes())

# ---- a plan knows what a run maps: with norms, fixed pairs, and what is kept while one is merged ----
(work / "plan.lua").write_text("""
local hone = require "hone"
local p = hone.params { kind = { "lora", "kind" }, merge = { false, "merge at the end" } }
local run = hone.run { name = "plan", seed = 7 }
local policy = run:policy { model = "tiny", lora = { rank = 4, kind = p.kind }, optimizer = { "adamw", lr = 1e-3 } }
for step, batch in run:steps(3, hone.rows { { prompt = "q1", completion = " yes1" } }:epochs():batches(1)) do
  policy:update { batch, objective = "sft" }
  if p.merge and step == 3 then policy:merge() end
end
""")
seen = {}
for kind, merge in (("lora", False), ("dora", False), ("pissa", False), ("lora", True)):
    told_plan = hone("run", "plan.lua", f"kind={kind}", f"merge={str(merge).lower()}", "--dry-run", "--json")
    check(f"plan {kind}: told", told_plan.returncode == 0, told_plan.stderr)
    memory = json.loads(told_plan.stdout)["memory"]
    shutil.rmtree(work / "plan", ignore_errors=True)
    run = hone("run", "plan.lua", f"kind={kind}", f"merge={str(merge).lower()}", "--run-dir", "plan", "--quiet")
    check(f"plan {kind}: runs", run.returncode == 0, run.stderr)
    last = json.loads((work / "plan/timings.jsonl").read_text().splitlines()[-1])
    for key in ("parameters", "training", "activations", "scratch"):
        mb = memory[key] / 2**20
        check(f"plan {kind} {merge}: {key}", mb == last[f"memory/{key}_mb"] if key in ("parameters", "training") else
              0.98 * last[f"memory/{key}_mb"] <= mb <= 1.3 * last[f"memory/{key}_mb"], (mb, last[f"memory/{key}_mb"]))
    seen[kind, merge] = memory
check("plan: PiSSA keeps a second pair", seen["pissa", False]["parameters"] > seen["lora", False]["parameters"] + 100000, seen)
check("plan: DoRA keeps norms", seen["dora", False]["parameters"] > seen["lora", False]["parameters"], seen)
check("plan: merging keeps the base", seen["lora", True]["parameters"] > seen["lora", False]["parameters"] + 1000000, seen)

# ---- over quantised weights: kept as they are or widened when they are loaded, the same bytes ----
(work / "wide.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "wide", seed = 2 }
run:policy { config = { model_type = "llama", vocab_size = 512, hidden_size = 256, intermediate_size = 256, num_hidden_layers = 2,
  num_attention_heads = 4, num_key_value_heads = 2, max_position_embeddings = 256, rms_norm_eps = 1e-5, tie_word_embeddings = true }, tokenizer = "tiny" }
run:save()
""")
(work / "stored.lua").write_text("""
local hone = require "hone"
local p = hone.params { model = { "", "" }, storage = { "f32", "" }, kind = { "lora", "" } }
local run = hone.run { name = "stored", seed = 3 }
local policy = run:policy { model = p.model, storage = p.storage, lora = { rank = 4, kind = p.kind }, optimizer = { "adamw", lr = 5e-3 } }
local long = hone.reward { id = "long", score = function(b) return b:map(function(s) return #s.completion % 7 end) end }
for step, batch in run:steps(3, hone.source("lua", function(i) return { prompt = "q" .. i, completion = " yes" .. (i % 3) } end):batches(3)) do
  policy:update { batch, objective = "sft" }
  local m = policy:update { policy:rollout(batch, { n = 3, max_tokens = 6, rewards = { long } }), objective = { "grpo", beta = 0.1 }, advantage = "group" }
  if m["mismatch/max"] ~= 0 then error("sampler and trainer differ") end
end
policy:save(run:path "whole")
run:save { adapter = true }
""")
run = hone("run", "wide.lua", "--run-dir", "wide", "--quiet")
check("wide: made", run.returncode == 0, run.stderr)
for stored, kind in (("q4_k", "lora"), ("q4_k", "dora"), ("q4_k", "pissa"), ("q8_0", "dora"), ("q4_0", "pissa")):
    if not (work / f"{stored}.gguf").exists():
        run = hone("model", "convert", "wide/model", f"{stored}.gguf", "--type", stored)
        check(f"{stored}: converted", run.returncode == 0, run.stderr)
    for storage in ("f32", "keep"):
        run = hone("run", "stored.lua", f"model={stored}.gguf", f"storage={storage}", f"kind={kind}", "--run-dir", f"{stored}-{kind}-{storage}", "--quiet")
        check(f"{stored} {kind}: trains as {storage}", run.returncode == 0, run.stderr)
    for f in ("metrics.jsonl", "adapter/adapter_model.safetensors", "whole/model.safetensors"):
        one, two = work / f"{stored}-{kind}-f32" / f, work / f"{stored}-{kind}-keep" / f
        check(f"{stored} {kind}: {f} is the same kept and widened", one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes())
    on = logprobs(f"{stored}.gguf", "--adapter", work / f"{stored}-{kind}-keep/adapter", "--storage", "keep")
    check(f"{stored} {kind}: merged is the same to rounding", far(on, logprobs(work / f"{stored}-{kind}-keep/whole")) < 1e-4)

# ---- merged into the weights and taken off again; killed while it is merged ----
MERGE = """
local hone = require "hone"
local p = hone.params { die = { 0, "stop at this step" } }
local run = hone.run { name = "merge", seed = 7, checkpoint = { every = 1 } }
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local held = { { prompt = "q1", completion = " yes1" } }
local a = run:policy { model = "tiny", name = "a", lora = { rank = 4, kind = "dora" }, optimizer = { "adamw", lr = 5e-3 } }
local b = run:policy { model = "tiny", name = "b", adapter = "pissa/adapter" }
local function numbers(x) return x:logprobs(held)[1][1] end
local function of(x) return table.concat(numbers(x), " ") end
local function far(x, y) local d = 0 for i = 2, #x do d = math.max(d, math.abs(x[i] - y[i])) end return d end
local function says(what, text, fn, ...) local ok, why = pcall(fn, ...) is(what, not ok and tostring(why):find(text, 1, true) ~= nil) end
for step, batch in run:steps(5, hone.rows(held):epochs():batches(1)) do
  if step == 1 then
    local bits, texts = numbers(b), b:generate("q1", { max_tokens = 8 })[1].text
    local sum = b:info().checksum
    b:merge()
    is("merged: said", b:info().merged and not a:info().merged)
    is("merged: the same to rounding", far(numbers(b), bits) < 1e-4)
    is("merged: the same text", b:generate("q1", { max_tokens = 8 })[1].text == texts)
    says("merged: once", "merged", b.merge, b)
    says("merged: there is no reference", "without it", b.logprobs, b, held, { reference = true })
    b:unmerge()
    is("unmerged: the bits of before", of(b) == table.concat(bits, " ") and b:info().checksum == sum)
    says("unmerged: once", "none is merged", b.unmerge, b)
  end
  if step == 3 then a:unmerge() end
  a:update { batch, objective = "sft" }
  if step == 2 then
    a:merge()
    b:merge()
    says("merged: no training", "to train", a.update, a, { batch, objective = "sft" })
  end
  if p.die == step and not pcall(hone.source, "jsonl", { path = "alive.jsonl" }) then error("killed here", 0) end
  run:log { a = numbers(a)[2], b = numbers(b)[2], merged = (a:info().merged and 1 or 0) + (b:info().merged and 2 or 0) }
end
b:unmerge()
local c = a:adapter("c", { lora = { rank = 2 } })
says("two on one base", "2 policies", a.merge, a)
local q = run:policy { model = "tiny", name = "q", storage = "q8_0", lora = { rank = 2 } }
says("quantised", "q8_0", q.merge, q)
says("no adapter", "no adapter", run:policy { model = "tiny", name = "plain" }.merge, run.policies[#run.policies])
a:save_adapter(run:path "a")
b:save(run:path "b")
run:save { policy = a }
"""
(work / "merge.lua").write_text(MERGE)
run = hone("run", "merge.lua", "--run-dir", "merge", "--quiet")
lines = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
check("merge: ends well", run.returncode == 0 and len(lines) == 11, run.stderr + run.stdout)
for x in lines:
    check("merge: " + x.split(" ", 1)[1], x.startswith("ok "))
for die in (2, 3, 5):
    (work / "alive.jsonl").unlink(missing_ok=True)
    run = hone("run", "merge.lua", f"die={die}", "--run-dir", f"merge-{die}", "--quiet")
    check(f"merge: stopped in {die}", run.returncode == 1 and "killed here" in run.stderr, run.stderr)
    (work / "alive.jsonl").write_text("{}\n")
    run = hone("resume", work / f"merge-{die}", "--quiet")
    check(f"merge: resumed in {die}", run.returncode == 0 and "bad " not in run.stdout, run.stderr + run.stdout)
    for f in ("metrics.jsonl", "a/adapter_model.safetensors", "b/model.safetensors", "model/model.safetensors"):
        one, two = work / "merge" / f, work / f"merge-{die}" / f
        check(f"merge: {f} equal after a resume in {die}", one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes())

# ---- policy, reference and judge: three adapters on one copy of the weights; copies and averages of them ----
(work / "three.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "three", seed = 7 }
local function is(what, yes) print((yes and "ok " or "bad ") .. what) end
local held = { { prompt = "q1", completion = " yes1" } }
local function of(p) return table.concat(p:logprobs(held)[1][1], " ") end
local alone = run:policy { model = "tiny", name = "alone" }:info().bytes
local policy = run:policy { model = "tiny", name = "policy", lora = { rank = 4, kind = "dora" }, optimizer = { "adamw", lr = 5e-3 } }
local reference = policy:adapter("reference", { adapter = "rslora/adapter" })
local judge = policy:adapter("judge", { adapter = "pissa+dora/adapter", optimizer = { "adamw", lr = 5e-3 } })
is("one base: " .. policy:info().bytes / alone, policy:info().bytes < 2 * alone)
local function asked() -- a component asks the judge by its name
  local r = policy:rollout(held, { n = 2, max_tokens = 6, seed = 1, first_sample = 0, step = 1, temperature = 2, no_journal = true,
    rewards = { hone.reward("similarity", { model = "judge", reference = "answer" }) } })
  return r:samples()[1].outcomes.similarity.score .. " " .. r:samples()[1].completion
end
held[1].answer = "yes1"
for step, batch in run:steps(4, hone.rows(held):epochs():batches(1)) do
  local ref, jud = of(reference), of(judge)
  local m = policy:update { policy:rollout(batch, { n = 3, max_tokens = 6, rewards = { hone.reward("similarity", { model = "judge", reference = "answer" }) } }),
    objective = { "grpo", beta = 0.1 }, advantage = "group", reference = reference }
  is("sampler and trainer agree", m["mismatch/max"] == 0)
  is("reference and judge are as they were", of(reference) == ref and of(judge) == jud)
end
local pol, twice = of(policy), asked()
is("the same question, the same answer", asked() == twice)
judge:update { held, objective = "sft" }
is("the judge learns", of(policy) == pol and asked() ~= twice)
local frozen, ema = policy:reference(), policy:ema(0)
is("a copy has the bits", of(frozen) == pol and of(ema) == pol)
policy:update { held, objective = "sft" }
is("a copy stays", of(frozen) == pol and of(policy) ~= pol)
ema:track()
local x, y, far = ema:logprobs(held)[1][1], policy:logprobs(held)[1][1], 0
for i = 2, #x do far = math.max(far, math.abs(x[i] - y[i])) end
is("an average of the last one is it", far < 1e-5 and of(ema) ~= pol)
""")
run = hone("run", "three.lua", "--run-dir", "three", "--quiet", "--no-gate")
lines = [x for x in run.stdout.splitlines() if x.startswith(("ok ", "bad "))]
check("three: ends well", run.returncode == 0 and len(lines) == 14, run.stderr + run.stdout)
for x in lines:
    check("three: " + x.split(" ", 1)[1], x.startswith("ok "))

# ---- LoRA+: B learns faster ----
run = hone("run", "a.lua", "kind=lora", "plus=16", "--run-dir", "plus", "--quiet")
check("plus: runs", run.returncode == 0, run.stderr)


def length(kind, part):
    t = tensors(work / kind / "adapter/adapter_model.safetensors")
    return math.sqrt(sum(x * x for name, (_, v) in t.items() if part in name for x in v))


check("plus: B goes further", length("plus", "lora_B") > 4 * length("lora", "lora_B"), (length("plus", "lora_B"), length("lora", "lora_B")))

# ---- settings that are none ----
def slip(*more):
    shutil.rmtree(work / "slip", ignore_errors=True)
    return hone("run", "slip.lua", "--run-dir", "slip", *more)


for name, lora, texts in (("kind", '{ kind = "dore" }', ['"dore"', '"dora"']), ("key", "{ rnak = 4 }", ['"rnak"', '"rank"']), ("plus", "{ plus = -1 }", ["plus"]),
                          ("rank", "{ rank = 5000 }", ["between 1 and 4096"])):
    (work / "slip.lua").write_text(f'local hone = require "hone"\nhone.run {{ name = "s" }}:policy {{ model = "tiny", lora = {lora} }}\n')
    says(f"slip: {name}", slip(), *texts)
(work / "slip.lua").write_text('local hone = require "hone"\nhone.run { name = "s" }:policy { model = "tiny", adapter = "dora/adapter", lora = { rank = 4 } }\n')
says("slip: rank beside a file", slip(), "lora.rank")
(work / "slip.lua").write_text('local hone = require "hone"\nlocal run = hone.run { name = "s" }\nrun:policy { model = "tiny" }:save_adapter(run:path "x")\n')
says("slip: nothing to save", slip(), "no adapter")

# ---- damaged folders ----
GOOD = work / "dora" / "adapter"


def damaged(name, change, *texts):
    path = work / "bad"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(GOOD, path)
    change(path)
    says(f"bad {name}", hone("model", "logprobs", "tiny", "--ids", "1,2,3", "--adapter", path), *texts)


def config(**keys):
    def change(path):
        c = json.loads((path / "adapter_config.json").read_text())
        c.update(keys)
        (path / "adapter_config.json").write_text(json.dumps(c))
    return change


def file(change):
    return lambda path: rewrite(path / "adapter_model.safetensors", change)


def without(part):
    def change(h, d):
        name = next(x for x in h if part in x)
        a, b = h.pop(name)["data_offsets"]
        for t in h.values():
            if "data_offsets" in t and t["data_offsets"][0] >= b:
                t["data_offsets"] = [x - (b - a) for x in t["data_offsets"]]
        return h, d[:a] + d[b:]
    return file(change)


def renamed(part, to):
    def change(h, d):
        name = next(x for x in h if part in x)
        h[name.replace(part, to)] = h.pop(name)
        return h, d
    return file(change)


def reshaped(part, fn):
    def change(h, d):
        name = next(x for x in h if part in x)
        h[name]["shape"] = fn(h[name]["shape"])
        return h, d
    return file(change)


def value(bits):
    def change(h, d):
        d[8:12] = struct.pack("<I", bits)
        return h, d
    return file(change)


damaged("rank", config(r=8), "rank 4", "says 8")
damaged("rank of one module", config(rank_pattern={"q_proj": 3}), "rank 4", "says 3")
damaged("rank 0", config(r=0), "r is 0")
damaged("hostile rank", config(r=2 ** 40), "r is 1099511627776")
damaged("alpha", config(lora_alpha=1e300), "lora_alpha")
damaged("no alpha", config(lora_alpha="much"), "lora_alpha")
damaged("pattern", config(rank_pattern={"layers.[0-9].q_proj": 3}), "regular expression")
damaged("kind", config(peft_type="IA3"), "IA3")
damaged("bias", config(bias="all"), "bias")
damaged("more to load", config(modules_to_save=["lm_head"]), "modules_to_save")
damaged("a setting of a later version", config(use_whatever={"a": 1}), "use_whatever")
damaged("another base", config(init_lora_weights="olora"), "olora")
damaged("no DoRA", config(use_dora=False), "use_dora")
damaged("no JSON", lambda p: (p / "adapter_config.json").write_text("{"), "adapter_config.json")
damaged("no object", lambda p: (p / "adapter_config.json").write_text("[]"), "adapter_config.json")
damaged("no configuration", lambda p: (p / "adapter_config.json").unlink(), "adapter_config.json")
damaged("no weights", lambda p: (p / "adapter_model.safetensors").unlink(), "adapter_model.safetensors")
damaged("a pickle", lambda p: (p / "adapter_model.safetensors").rename(p / "adapter_model.bin"), "pickle")
damaged("half of the weights", lambda p: os.truncate(p / "adapter_model.safetensors", 5000), "adapter_model.safetensors")
damaged("no B", without("q_proj.lora_B"), "lora_B.weight is missing")
damaged("no A", without("q_proj.lora_A"), "lora_A.weight is missing")
damaged("no magnitudes", without("q_proj.lora_magnitude"), "lora_magnitude_vector is missing")
damaged("another module", renamed("q_proj", "z_proj"), "z_proj")
damaged("a foreign tensor", renamed("lora_A.weight", "lora_embedding_A"), "lora_embedding_A")
damaged("no prefix", renamed("base_model.model.model", "model"), "is no part")
damaged("turned", reshaped("q_proj.lora_A", lambda s: s[::-1]), "q_proj", "A is")
damaged("one dimension", reshaped("q_proj.lora_A", lambda s: [s[0] * s[1]]), "q_proj", "A is")
damaged("hostile shape", reshaped("q_proj.lora_A", lambda s: [2 ** 62, 2 ** 62]), "adapter_model.safetensors")
damaged("not a number", value(0x7FC00000), "not finite")
damaged("infinite", value(0x7F800000), "not finite")
says("bad base", hone("model", "logprobs", "tiny", "--ids", "1,2,3", "--adapter", "nowhere"), "nowhere")

# ---- PEFT itself ----
PEER = r"""
import json, sys, os, warnings
warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers, peft
from transformers import AutoModelForCausalLM
from peft import LoraConfig, PeftModel, get_peft_model
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
for line in sys.stdin:
    job, out = json.loads(line), {}
    try:
        if job["do"] == "version":
            out = {"version": peft.__version__}
        else:
            model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32, attn_implementation="eager")
            if job["do"] == "make":
                torch.manual_seed(11)
                model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **job["config"]))
                with torch.no_grad():
                    for name, p in model.named_parameters():
                        if "lora_B" in name:
                            p.add_(0.05 * torch.randn_like(p))
                        elif "lora_magnitude" in name:
                            p.mul_(1 + 0.1 * torch.randn_like(p))
                model.save_pretrained(job["path"])
            else:
                model = PeftModel.from_pretrained(model, job["path"])
            model.eval()
            ids = torch.tensor([job["ids"]])
            with torch.no_grad():
                lp = model(ids).logits[0].double().log_softmax(-1)
            out = {"logprobs": lp[:-1].gather(1, ids[0, 1:, None])[:, 0].tolist()}
    except Exception as e:
        out = {"error": f"{type(e).__name__}: {str(e)[:300]}"}
    print("PEER " + json.dumps(out), flush=True)
"""


class Peer:
    def __init__(self):
        self.p = None
        for python in [x for x in os.environ.get("HONE_PEERS", "").split(":") if x] + [sys.executable]:
            p = subprocess.Popen([python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.p = p
            v = self.ask(do="version")
            if "version" in v:
                print(f"PEFT {v['version']}")
                return
            p.kill()
            p.wait()
            self.p = None

    def ask(self, **job):
        try:
            self.p.stdin.write(json.dumps(job) + "\n")
            self.p.stdin.flush()
        except BrokenPipeError:
            return {"error": "gone"}
        for line in self.p.stdout:
            if line.startswith("PEER "):
                return json.loads(line[5:])
        return {"error": "gone"}


peer = Peer()
if not peer.p:
    skip("PEFT", "no interpreter of HONE_PEERS has it", 10)
else:
    tiny = str(ROOT / "assets" / "tiny")
    for kind in KINDS:
        r = peer.ask(do="score", base=tiny, path=str(work / kind / "adapter"), ids=IDS)
        got = logprobs("tiny", "--adapter", work / kind / "adapter")
        check(f"PEFT loads {kind}", far(r.get("logprobs", []), got) < 2e-4, (r.get("error"), far(r.get("logprobs", []), got)))
    ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    for name, config in (("lora", {"r": 4, "lora_alpha": 8, "target_modules": ALL}),
                         ("rslora", {"r": 9, "lora_alpha": 4, "use_rslora": True, "target_modules": ["q_proj", "v_proj"]}),
                         ("dora", {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ALL}),
                         ("pissa", {"r": 4, "lora_alpha": 8, "init_lora_weights": "pissa", "target_modules": ["q_proj", "down_proj"]}),
                         ("pissa and rslora", {"r": 3, "lora_alpha": 2, "init_lora_weights": "pissa", "use_rslora": True, "target_modules": ["v_proj"]}),
                         ("some layers", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "layers_to_transform": [1]}),
                         ("patterns", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "up_proj"], "rank_pattern": {"q_proj": 2},
                                       "alpha_pattern": {"up_proj": 32}})):
        made = work / "peft" / name.replace(" ", "-")
        r = peer.ask(do="make", base=tiny, path=str(made), ids=IDS, config=config)
        got = logprobs("tiny", "--adapter", made) if "logprobs" in r else []
        check(f"hone loads PEFT's {name}", far(r.get("logprobs", []), got) < 2e-4, (r.get("error"), far(r.get("logprobs", []), got)))
        (work / "copy.lua").write_text('local hone = require "hone"\nlocal p = hone.params { from = { "", "" } }\nlocal run = hone.run { name = "c" }\n'
                                       'run:policy { model = "tiny", adapter = p.from }\nrun:save { adapter = true }\n')
        shutil.rmtree(work / "copy", ignore_errors=True)
        hone("run", "copy.lua", f"from={made}", "--run-dir", "copy", "--quiet")
        again = peer.ask(do="score", base=tiny, path=str(work / "copy" / "adapter"), ids=IDS)
        check(f"and PEFT what hone wrote of {name}", far(again.get("logprobs", []), r.get("logprobs", [1])) < (2e-4 if "pissa" in name else 1e-6),
              (again.get("error"), far(again.get("logprobs", []), r.get("logprobs", [1]))))
    peer.p.stdin.close()
    peer.p.wait()
finish()
