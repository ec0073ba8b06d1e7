#!/usr/bin/env python3
"""aarch64.py - hone for AArch64, built here by a cross compiler and run by an emulator: the whole tree compiles without
a warning, the unit tests of what computes pass (each over the kernel sets "c" and "neon"), and what the program prints
and what its runs end with have the bytes of this machine's own build.

The compiler and the emulator come from scripts/lib/deps.sh, the libraries from scripts/lib/aarch64.sh, all into
build-arm; where one of them cannot be had everything is skipped. Not run: tests of boxes, of limits of processes and
of what a plugin may do (qemu has neither seccomp nor Landlock, and a box's empty environment hides its libraries), tests of
time, and those that compute for minutes here and nothing that the others do not (curves, generation, training)."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import counted  # noqa: E402
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
HERE = ROOT / "build-arm"
ARM = str(HERE / "hone")
LIB = ROOT / "scripts" / "lib"
TESTS = """test_storage test_gemm test_ops test_linear_logprob test_attention test_linear test_model_goldens test_params
test_tape test_quant test_dequant test_simd test_state test_forest test_sample test_optimizers test_pool test_region
test_safetensors test_gguf test_reader test_model_config test_stats test_cpu""".split()
UNSET = ("CC", "HONE_CPU", "HONE_FULL", "OPENBLAS_CORETYPE", "LD_LIBRARY_PATH")
TEXT = "Leo has 11 stickers. Leo loses 3. Leo finds 8. How many stickers are left?"


def sh(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT, **more)


def emulated(*command, env=None, cwd=None, timeout=600):
    clean = {k: v for k, v in os.environ.items() if k not in UNSET}
    return subprocess.run(["sh", str(LIB / "aarch64.sh"), "run", str(HERE), *map(str, command)], capture_output=True,
                          text=True, cwd=cwd or ROOT, timeout=timeout, env=dict(clean, **(env or {})))


def cannot(why):
    skip("AArch64", why)
    finish()


if platform.machine() == "aarch64":
    cannot("this machine is one: the other suites are its tests")
r = sh("sh", LIB / "deps.sh", "arm")
if r.returncode:
    cannot((r.stdout + r.stderr).strip() or "no cross compiler")
r = sh("sh", LIB / "aarch64.sh", "root", HERE)
if r.returncode:
    cannot((r.stdout + r.stderr).strip())
r = emulated("true")
if r.returncode:
    cannot((r.stdout + r.stderr).strip())

# ---- the tree ----
ccache = "ccache " if sh("sh", "-c", "command -v ccache").returncode == 0 else ""
cc = {"CC": f"{ccache}aarch64-linux-gnu-gcc --sysroot={HERE}/root", "HONE_BUILD": str(HERE)}
r = emulated("sh", "scripts/build", "--enable-developer", "--host=aarch64-linux-gnu", env=cc, timeout=900)
check("the tree compiles", r.returncode == 0, r.stdout + r.stderr)
if r.returncode:
    finish()
r = sh("sh", "-c", f"od -An -tx1 -j18 -N2 {ARM}")
check("for AArch64", r.stdout.split() == ["b7", "00"], r.stdout)
doctor = emulated(ARM, "doctor", "--json", timeout=120)
told = json.loads(doctor.stdout) if doctor.returncode == 0 else {}
check("doctor names the kernels", told.get("kernels") == told.get("best_kernels") == "neon", doctor.stderr)
check("and the processor's means", "neon" in told.get("features", ""), told)
check("no plugin is refused", told.get("plugins", 0) > 5 and told.get("refused") == 0, told)
r = emulated(ARM, "doctor", env={"HONE_CPU": "avx2"})
check("another architecture's kernels", r.returncode == 2 and "avx2" in r.stderr and "c, neon" in r.stderr, r.stderr)

# ---- unit tests ----
r = emulated("make", "-C", HERE, "-s", "-k", f"-j{os.cpu_count()}", "unit-programs", "TESTS=" + " ".join(TESTS), env=cc, timeout=900)
check("the unit tests compile", r.returncode == 0, r.stderr[-3000:])


def unit(name):
    results = HERE / "tests" / "results" / name
    r = emulated("sh", ROOT / "tests" / "run-unit.sh", 700, results, "tests/unit/" + name, cwd=HERE, timeout=800,
                 env={"XDG_CACHE_HOME": str(HERE / "cache")})  # without the models that were fetched: they take minutes
    counts = results / "unit.counts"
    return r.stdout, [int(n) for n in counts.read_text().split()] if counts.exists() else [0, 1, 0]


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for done in concurrent.futures.as_completed([pool.submit(unit, name) for name in TESTS]):
        out, (passed, failed, skipped) = done.result()
        print(out, end="", flush=True)
        counted.passed += passed
        counted.failed += failed
        counted.skipped += skipped

# ---- the same bytes as this machine ----
scratch = tempfile.TemporaryDirectory(prefix="hone-aarch64-")
work = pathlib.Path(scratch.name)


def native(*args, cwd=work):
    clean = {k: v for k, v in os.environ.items() if k != "HONE_CPU"}
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=300, env=clean)


def same(name, *args):
    want = native(*args)
    check(f"{name}: there is something to compare", want.returncode == 0 and len(want.stdout) > 50, want.stderr)
    for what, env in (("neon", {}), ("c", {"HONE_CPU": "c"}), ("neon without SDOT", {"QEMU_CPU": "cortex-a53"})):
        r = emulated(ARM, *args, env=env, cwd=work)
        check(f"{name}, {what}", r.stdout == want.stdout, r.stderr + r.stdout[:300])


check("a bf16 model", native("model", "export", "tiny", "bf16", "--dtype", "bf16").returncode == 0)
for kind in "q8_0", "q4_0", "q4_k":
    r = native("model", "convert", "tiny", kind + ".gguf", "--type", kind)
    check("a model in " + kind, r.returncode == 0, r.stderr)
same("log-probs", "model", "logprobs", "tiny", "--text", TEXT, "--json")
same("a completion", "generate", "tiny", "--prompt", TEXT, "--max-tokens", 24, "--seed", 5, "--json")
same("bf16 kept", "model", "logprobs", "bf16", "--text", TEXT, "--json", "--storage", "keep")
for kind in "q8_0", "q4_0", "q4_k":
    same(kind + " kept", "generate", kind + ".gguf", "--prompt", TEXT, "--max-tokens", 8, "--seed", 5, "--json", "--storage", "keep")
    same(kind + " by integers", "model", "logprobs", kind + ".gguf", "--text", TEXT, "--json", "--storage", "keep", "--precision", "int8")


def trained(run, name):
    """Steps of GRPO; what they measured, sampled and saved."""
    r = run("run", work / "few.lua", "--run-dir", work / name, "--quiet")
    files = [work / name / f for f in ("metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors")]
    return r, [hashlib.sha256(f.read_bytes()).hexdigest() if f.is_file() else "missing" for f in files]


(work / "few.lua").write_text("""
local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "few", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-3 } }
local rewards = { hone.reward { id = "long", score = function(b) return b:map(function(s) return #s.completion end) end } }
for step, prompts in run:steps(2, hone.rows(stories.list(5, "train", 16)):epochs():batches(4)) do
  policy:update { policy:rollout(prompts, { n = 4, max_tokens = 12, rewards = rewards }), objective = "grpo", advantage = "group" }
end
policy:save(run:path "model")
""")
r, want = trained(native, "native")
check("two steps of GRPO", r.returncode == 0 and "missing" not in want, r.stderr)
for kernels in "neon", "c":
    r, got = trained(lambda *a: emulated(ARM, *a, env={"HONE_CPU": kernels}, cwd=work), kernels)
    check(f"the same weights after them, {kernels}", r.returncode == 0 and got == want, r.stderr + str((got, want)))
finish()
