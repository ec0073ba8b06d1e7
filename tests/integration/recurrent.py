#!/usr/bin/env python3
"""recurrent.py - sequence state that is no keys and values, in the program as a whole: a model of a decayed sum and a
short convolution (tests/unit/plugins/recurrent.c, with its op pack) learns by GRPO, its sampler and its trainer agree
bit for bit at every step, and the run's bytes do not depend on threads, kernel sets, or on being killed and resumed.
Without its plugin, or without its ops, the saved model is refused by name.

KILLS=n kills in all (3; 40 with HONE_FULL)."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.path.abspath(os.environ.get("HONE", str(ROOT / "build" / "hone")))
KILLS = int(os.environ.get("KILLS", "40" if os.environ.get("HONE_FULL") else "3"))
RECIPE = ROOT / "tests" / "integration" / "recurrent.lua"
SHORT = ("steps=12", "every=4")  # where only bytes are compared
scratch = tempfile.TemporaryDirectory(prefix="hone-recurrent-")
work = pathlib.Path(scratch.name)


def build(folder, *flags):
    (work / folder).mkdir()
    subprocess.run(["cc", "-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-fvisibility=hidden", *flags, f"-I{ROOT / 'sdk' / 'include'}", "-o", work / folder / "recurrent.so",
                    ROOT / "tests" / "unit" / "plugins" / "recurrent.c"], check=True)
    run = hone("run", RECIPE, "--dry-run", plugins=folder)
    check(f"{folder}: what is not trusted is said", run.returncode in (1, 3) and "hone plugin trust" in run.stderr, run.stderr)
    run = hone("plugin", "trust", work / folder / "recurrent.so", plugins=folder)  # a model runs only when trusted
    check(f"{folder} is trusted", run.returncode == 0, run.stderr)


def env(plugins="whole", **more):
    return {**os.environ, "HONE_PLUGIN_PATH": str(work / plugins), "XDG_CONFIG_HOME": str(work / "config"), **more}


def hone(*args, **environment):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300,
                          stdin=subprocess.DEVNULL, env=env(**environment))


def fingerprint(run):
    """What must not depend on interruptions, threads and kernels."""
    last = sorted((run / "checkpoints").glob("step-*"))[-1]
    files = [run / "metrics.jsonl", run / "rollouts.jsonl.zst", run / "model" / "model.safetensors", *last.iterdir()]
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.name != "run.json"}


def differing(a, b):
    return [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]


def killed(rng, length):
    """A run killed at random moments and resumed until it gets to its end; how often it was killed."""
    kills, target = 0, work / "killed"
    args = ["run", RECIPE, *SHORT, "--run-dir", target, "--quiet"]
    while True:
        p = subprocess.Popen([HONE, *map(str, args)], cwd=work, env=env(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
        try:
            _, err = p.communicate(timeout=rng.uniform(0.05, length))
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.communicate()
            kills += 1
        else:
            check("a resumed run ends well", p.returncode == 0, err.decode())
            return kills
        if (target / "run.json").is_file():
            args = ["resume", target, "--quiet"]
        else:
            shutil.rmtree(target, ignore_errors=True)


build("whole")
build("bare", "-DWITHOUT_OPS")
r = hone("run", RECIPE, "--run-dir", "base", "--quiet")
check("the run ends well", r.returncode == 0, r.stderr)
if r.returncode == 0:
    steps = [json.loads(line) for line in (work / "base" / "metrics.jsonl").read_text().splitlines()]
    reward = [s["reward/letter/mean"] for s in steps]
    check("a line a step", [s["step"] for s in steps] == list(range(1, 61)), len(steps))
    worst = [s["step"] for s in steps if s.get("mismatch/max") != 0]
    check("sampler and trainer agree", not worst, f"mismatch at steps {worst[:5]}")
    check("every step has a gradient", all(s["grad_norm"] > 0 for s in steps))
    check("the reward rises", sum(reward[-10:]) - sum(reward[:10]) > 2, reward)

    begun = time.monotonic()
    r = hone("run", RECIPE, *SHORT, "--run-dir", "short", "--quiet")
    length = time.monotonic() - begun
    check("a short run ends well", r.returncode == 0, r.stderr)
    want = fingerprint(work / "short")
    for name, more in (("one thread", {"HONE_THREADS": "1"}), ("three threads", {"HONE_THREADS": "3"}),
                       ("plain C kernels", {"HONE_CPU": "c"}), ("AVX2 kernels", {"HONE_CPU": "avx2"})):
        r = hone("run", RECIPE, *SHORT, "--run-dir", name, "--quiet", **more)
        if "HONE_CPU" in more and r.returncode != 0 and "avx2" in r.stderr:
            continue
        check(f"{name}: ends well", r.returncode == 0, r.stderr)
        if r.returncode == 0:
            got = fingerprint(work / name)
            check(f"{name}: the same bytes", got == want, differing(got, want))

    r = hone("run", RECIPE, *SHORT, "replay=1", "--run-dir", "replay", "--quiet")
    got = fingerprint(work / "replay") if r.returncode == 0 else {}
    parts = ("metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors")
    check("activations computed anew: the same bytes", all(got.get(f) == want[f] for f in parts), r.stderr or got)

    kills, rng = 0, random.Random(1)
    while kills < KILLS:
        kills += killed(rng, length)
        got = fingerprint(work / "killed")
        check("killed and resumed: the same bytes", got == want, differing(got, want))
        shutil.rmtree(work / "killed")

    # the saved model, by itself
    ask = ("generate", work / "base" / "model", "--prompt", "the number is", "--raw", "--max-tokens", "90", "--json",
           "--ignore-eos")
    a, b = hone(*ask), hone(*ask, HONE_THREADS="1")
    check("it generates", a.returncode == 0 and len(json.loads(a.stdout)["ids"]) == 90, a.stderr)
    check("with one thread as with all", a.stdout == b.stdout, b.stdout + b.stderr)
    r = hone(*ask, plugins="none")
    check("without its plugin it is refused", r.returncode == 1 and '"test_decay"' in r.stderr, r.stderr)
    r = hone(*ask, plugins="bare")
    check("without its ops it is refused", r.returncode == 1 and '"test_conv/1"' in r.stderr, r.stderr)

scratch.cleanup()
finish()
