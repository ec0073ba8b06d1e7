#!/usr/bin/env python3
"""storage.py - frozen weights stored as bf16, f16 or quantised change memory and nothing else: from a file of that type, log-probs,
completions, SFT, DPO and GRPO with an adapter, what they save and what a killed run ends with have the bytes of the same
with weights in float32. What cannot be stored so is refused, and a plan tells the memory.

With SmolLM2 where it was fetched: log-probs in all types."""
import hashlib
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-storage-")
work = pathlib.Path(scratch.name)
TEXT = "Leo has 11 stickers. Leo loses 3. Leo finds 8. How many stickers are left?"


def hone(*args, env=None):
    full = dict(os.environ, **(env or {}))
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=600, env=full)


def good(name, *args, env=None):
    r = hone(*args, env=env)
    check(name + " ends well", r.returncode == 0, r.stderr)
    return r.stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def header(path):
    data = path.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + n]), 8 + n


for kind in "bf16", "f16", "f32":
    good("export " + kind, "model", "export", "tiny", kind, "--dtype", kind)

# ---- one text ----
for kind in "bf16", "f16":
    for verb in (("model", "logprobs", kind, "--text", TEXT, "--json"),
                 ("generate", kind, "--prompt", TEXT, "--max-tokens", 24, "--seed", 5, "--json")):
        want = good(f"{verb[0]} of {kind}", *verb)
        check("there is something to compare", len(want) > 50, want)
        for storage in "keep", kind:
            for cpu in "", "avx2", "c":
                r = hone(*verb, "--storage", storage, env={"HONE_CPU": cpu} if cpu else None)
                if cpu and r.returncode and "HONE_CPU" in r.stderr:
                    skip(f"{verb[0]} with {cpu}", "not on this processor")
                    continue
                check(f"{verb[0]} of {kind} stored as {storage}, {cpu}", r.stdout == want, r.stderr)
# quantised files: kept with their codes, or values made codes again where that gives the same
QUANT = {"q8_0": "q8_0", "q4_0": "q4_0", "q4_1": None, "q4_k": None, "q5_0": None, "iq4_nl": None, "q6_k": None}
for kind, again in QUANT.items():
    good("convert to " + kind, "model", "convert", "tiny", kind + ".gguf", "--type", kind)
    for verb in (("model", "logprobs", kind + ".gguf", "--text", TEXT, "--json"),
                 ("generate", kind + ".gguf", "--prompt", TEXT, "--max-tokens", 24, "--seed", 5, "--json")):
        want = good(f"{verb[0]} of {kind}", *verb)
        for storage in ["keep"] + [again] * bool(again):
            for cpu in "", "avx2", "c":
                r = hone(*verb, "--storage", storage, env={"HONE_CPU": cpu} if cpu else None)
                if cpu and r.returncode and "HONE_CPU" in r.stderr:
                    skip(f"{verb[0]} with {cpu}", "not on this processor")
                    continue
                check(f"{verb[0]} of {kind} stored as {storage}, {cpu}", r.stdout == want, r.stderr)
models = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hone" / "models"
if (models / "smollm2-135m-instruct").is_dir():
    good("export SmolLM2", "model", "export", "smollm2-135m-instruct", "smollm2")
    ask = ("model", "logprobs", "smollm2", "--text", TEXT, "--json")
    want = good("SmolLM2", *ask)
    check("SmolLM2 stored as bf16", good("SmolLM2 kept", *ask, "--storage", "keep") == want)
    check("and rounded again", good("SmolLM2 rounded", *ask, "--storage", "bf16") == want)
else:
    skip("SmolLM2", "scripts/fetch-model smollm2-135m-instruct was not run", 6)

# ---- sums of integers ----
ask = ("model", "logprobs", "q4_k.gguf", "--text", TEXT, "--json")
exact, whole = good("products of q4_k", *ask, "--storage", "keep"), good("of integers", *ask, "--storage", "keep", "--precision", "int8")
check("int8 is another number", whole != exact)
off = [abs(a - b) for a, b in zip(json.loads(exact)["logprobs"], json.loads(whole)["logprobs"])]
check("but a near one", sum(off) / len(off) < 0.1, off)
for cpu in "avx2", "c":
    r = hone(*ask, "--storage", "keep", "--precision", "int8", env={"HONE_CPU": cpu})
    if r.returncode and "HONE_CPU" in r.stderr:
        skip(f"int8 with {cpu}", "not on this processor")
        continue
    check(f"int8 with {cpu}", r.stdout == whole, r.stderr)
(work / "int8.lua").write_text("""
local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "int8", seed = 3 }
local policy = run:policy { model = "q4_k.gguf", storage = "keep", rollout_precision = "int8", lora = { rank = 4 },
                            optimizer = { "adamw", lr = 1e-3 } }
local rewards = { hone.reward { id = "long", score = function(b) return b:map(function(s) return #s.completion end) end } }
for step, prompts in run:steps(3, hone.rows(stories.list(5, "train", 16)):epochs():batches(4)) do
  policy:update { policy:rollout(prompts, { n = 4, max_tokens = 20, rewards = rewards }), objective = "grpo", advantage = "group" }
end
""")
good("rollouts of integers", "run", "int8.lua", "--run-dir", work / "int8", "--quiet")
off = [json.loads(x)["mismatch/max"] for x in (work / "int8" / "metrics.jsonl").read_text().splitlines()]
check("the metrics say that sampler and trainer differ", len(off) == 3 and all(0 < x < 1 for x in off), off)

# ---- training ----
random.seed(3)
with open(work / "rows.jsonl", "w") as f:
    for i in range(40):
        f.write(json.dumps({"prompt": f"Leo has {i} stickers.", "completion": f"{i}+3={i + 3}"}) + "\n")
with open(work / "pairs.jsonl", "w") as f:
    for i in range(40):
        f.write(json.dumps({"prompt": f"Leo has {i}.", "chosen": f"{i}+1={i + 1}", "rejected": f"{i}+1={i + 2}"}) + "\n")
(work / "grpo.lua").write_text("""
local hone = require "hone"
local stories = require "stories"
local p = hone.params { model = { "bf16", "" }, storage = { "f32", "" }, steps = { 24, "" } }
local run = hone.run { name = "stored", seed = 3, checkpoint = { every = 2 } }
local policy = run:policy { model = p.model, storage = p.storage, lora = { rank = 4 }, optimizer = { "adamw", lr = 1e-3 } }
local ema = policy:ema(0.9)
local frozen = run:policy { model = p.model, storage = p.storage, name = "frozen" }
local still = frozen:ema(0.5) -- no adapter: checkpoints hold its weights as they are stored
local rewards = { hone.reward { id = "long", score = function(b) return b:map(function(s) return #s.completion end) end } }
for step, prompts in run:steps(p.steps, hone.rows(stories.list(5, "train", 16)):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 20, rewards = rewards })
  policy:update { rollout, objective = { "grpo", beta = 0.1 }, advantage = "group" }
  ema:track()
  still:track()
end
policy:save(run:path "kept", "keep")
ema:save(run:path "ema")
run:save()
""")
SFT = ["sft", "data=rows.jsonl", "steps=5", "lora=4", "lr=1e-3"]
DPO = ["dpo", "data=pairs.jsonl", "steps=4", "lora=4", "lr=1e-3"]
GRPO = ["grpo.lua"]


def results(run):
    names = ["metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors", "model/config.json", "ema/model.safetensors"]
    return {n: digest(run / n) for n in names}


for kind in "bf16", "f16", "q4_k.gguf":
    for name, args in (("sft", SFT), ("dpo", DPO), ("grpo", GRPO)):
        want = None
        for storage in ("f32", "keep") + (kind,) * (not kind.endswith("gguf")):
            where = work / f"{name}-{kind}-{storage}"
            good(where.name, "run", *args, f"model={kind}", f"storage={storage}", "--run-dir", where, "--quiet")
            got = results(where)
            check(f"{where.name}: wrote weights", got["model/model.safetensors"] != "missing")
            want = want or got
            for n in want:
                check(f"{where.name}: {n}", got[n] == want[n])
    if kind.endswith("gguf"):
        continue
    model = work / f"sft-{kind}-f32" / "model"
    ask = ("model", "logprobs", model, "--text", TEXT, "--json")
    exact, rounded = good("what was trained", *ask), good("rounded", *ask, "--storage", kind)
    check(f"{kind}: rounding a float32 file shows", rounded != exact)
    check(f"{kind}: keep keeps float32", good("kept", *ask, "--storage", "keep") == exact)
    types, _ = header(work / f"grpo-{kind}-keep" / "kept" / "model.safetensors")
    of = {t["dtype"] for n, t in types.items() if len(t.get("shape", ())) == 2}
    check(f"{kind}: saved as it is stored", of == {kind.upper()}, of)
    of = {t["dtype"] for n, t in types.items() if len(t.get("shape", ())) == 1}
    check("norms are float32", of == {"F32"}, of)
metrics = [json.loads(x) for x in (work / "grpo-bf16-keep" / "metrics.jsonl").read_text().splitlines()]
check("sampler and trainer agree", all(m["mismatch/max"] == 0 for m in metrics), metrics)

# ---- killed and resumed ----
def killed(kind):
    for turn in range(5):  # until the kill comes before the end
        where = work / f"killed-{kind}-{turn}"
        p = subprocess.Popen([HONE, "run", "grpo.lua", "model=" + kind, "storage=keep", "--run-dir", str(where), "--quiet"],
                             cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while p.poll() is None and not list((where / "checkpoints").glob("step-*")):
            time.sleep(0.005)
        p.kill()
        p.wait()
        if p.returncode < 0:
            break
    check(f"{kind}: the run was killed", p.returncode < 0, p.returncode)
    files = [f for f in sorted((where / "checkpoints").glob("step-*"))[0].iterdir() if f.suffix == ".safetensors"]
    types = {n: t["dtype"] for f in files for n, t in header(f)[0].items() if "dtype" in t}
    good(f"{kind}: resume", "resume", where, "--quiet")
    got, want = results(where), results(work / f"grpo-{kind}-f32")
    for n in want:
        check(f"{kind}, resumed: {n}", got[n] == want[n])
    return types


types = killed("bf16")
check("a checkpoint holds weights as they are stored", types.get("model.embed_tokens.weight") == "BF16", types)
types = killed("q4_k.gguf")
check("but quantised ones, which their file holds", types.get("model.norm.weight") == "F32" and
      "model.layers.0.mlp.down_proj.weight" not in types, types)

# ---- a plan ----
plans = {s: json.loads(good("plan " + s, "run", *SFT, "model=bf16", "storage=" + s, "--dry-run", "--json"))
         for s in ("f32", "keep", "bf16")}
memory = {s: p["memory"]["parameters"] for s, p in plans.items()}
check("a plan knows", plans["keep"]["models"][0]["storage"] == "bf16" and plans["f32"]["models"][0]["storage"] == "f32")
check("bf16 is half, but norms and adapters", memory["f32"] * 0.5 < memory["bf16"] < memory["f32"] * 0.62, memory)
check("the file's types are the same", memory["keep"] == memory["bf16"], memory)
timings = (work / "sft-bf16-keep" / "timings.jsonl").read_text().splitlines()
mapped = [json.loads(x) for x in timings][-1]
check("the run maps what the plan says", mapped["memory/parameters_mb"] * 1048576 == memory["keep"], (mapped, memory))
check("the page says it", "(bf16, " in good("page", "run", *SFT, "model=bf16", "storage=keep", "--dry-run"))

# ---- what is refused ----
def refused(name, r, *texts):
    errors = [x for x in r.stderr.splitlines() if x.startswith("hone:")]
    check(f"{name}: one error", r.returncode in (1, 2) and len(errors) == 1, (r.returncode, r.stderr))
    for t in texts:
        check(f"{name}: says {t}", t in r.stderr, r.stderr)


refused("all weights", hone("run", "sft", "data=rows.jsonl", "model=bf16", "storage=keep", "--run-dir", work / "no1"),
        "is stored as bf16", "lora = { rank = 16 }")
refused("all weights, bench", hone("bench", "train", "tiny", "--storage", "bf16", "--steps", 1), "is stored as bf16")
refused("no such type", hone("generate", "tiny", "--prompt", "x", "--storage", "q4"), 'stored as "q4"', "keep")
refused("integers of float32", hone("generate", "tiny", "--prompt", "x", "--precision", "int8"), "need quantised weights", "q8_0")
refused("no such type in a recipe", hone("run", "sft", "data=rows.jsonl", "storage=q4", "--run-dir", work / "no2"), "q4")
good("full training of a float32 file that is kept", "run", "sft", "data=rows.jsonl", "model=f32", "storage=keep", "steps=1",
     "--run-dir", work / "full", "--quiet")
path = work / "f32" / "model.safetensors"
tensors, begin = header(path)
name = next(n for n in tensors if n.endswith("q_proj.weight"))
rows, cols = tensors[name]["shape"]
data = bytearray(path.read_bytes())
struct.pack_into("<f", data, begin + tensors[name]["data_offsets"][0] + 4 * (3 * cols + 1), 1e6)
path.write_bytes(data)
refused("a value past f16", hone("generate", "f32", "--prompt", "x", "--storage", "f16"), name, "f16 cannot hold 1e+06 (row 3)",
        "bf16")
good("which bf16 holds", "generate", "f32", "--prompt", "x", "--storage", "bf16", "--max-tokens", 1)

finish()
