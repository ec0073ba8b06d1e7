#!/usr/bin/env python3
"""Kills a GRPO run with SIGKILL at random moments, resumes it, and compares every byte that is promised to be
equal (weights, metrics, rollouts, the last checkpoint) with a run that nobody disturbed.

KILLS=n kills in all (5; 200 with HONE_FULL), spread over as many runs as it takes; SEED=n makes the moments repeatable in spirit (the
machine's speed is not). Also: a full disk injected in the file layer leaves the last checkpoint intact, and a
resume is refused when the recipe changed."""
import hashlib
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
import counted  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
KILLS = int(os.environ.get("KILLS", "200" if os.environ.get("HONE_FULL") else "5"))
RECIPE = ROOT / "tests" / "integration" / "kill_grpo.lua"


def check(ok, what):
    counted.check(what, ok)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def fingerprint(run):
    """What must not depend on interruptions."""
    names = ["metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors", "model/config.json"]
    out = {n: digest(run / n) for n in names}
    last = sorted((run / "checkpoints").glob("step-*"))[-1]
    for f in sorted(last.iterdir()):
        out["checkpoint/" + f.name] = digest(f)
    return out


def run(args, env=None, **kw):
    full = dict(os.environ, **(env or {}))
    return subprocess.run([HONE] + args, capture_output=True, text=True, env=full, timeout=600, **kw)


def kill_loop(where, rng, length):
    """Starts a run and kills it until it survives; returns (directory, kills)."""
    kills = 0
    target = where / "run"
    args = ["run", str(RECIPE), "--run-dir", str(target), "--quiet"]
    while True:
        p = subprocess.Popen([HONE] + args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=where)
        try:
            p.wait(timeout=rng.uniform(0.05, length))
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.wait()
            kills += 1
        else:
            err = p.stderr.read().decode()
            check(p.returncode == 0, f"a resumed run failed: {err}")
            return target, kills
        finally:
            p.stderr.close()
        if (target / "run.json").is_file():
            args = ["resume", str(target), "--quiet"]
        else:
            shutil.rmtree(target, ignore_errors=True)


def main():
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="hone-kill-"))
    rng = random.Random(int(os.environ.get("SEED", "1")))
    try:
        base = tmp / "base"
        base.mkdir()
        t0 = time.monotonic()
        r = run(["run", str(RECIPE), "--run-dir", str(base / "run"), "--quiet"], cwd=base)
        length = time.monotonic() - t0
        check(r.returncode == 0, f"the undisturbed run: {r.stderr}")
        if r.returncode != 0:
            return
        want = fingerprint(base / "run")
        kills = turn = 0
        while kills < KILLS:
            where = tmp / f"kill{turn}"
            where.mkdir()
            target, k = kill_loop(where, rng, length)
            kills += k
            turn += 1
            got = fingerprint(target)
            for name in want:
                check(got.get(name) == want[name], f"{name} differs after {k} kills")
            shutil.rmtree(where)
        print(f"{kills} kills over {turn} runs")

        # threads and kernel sets change nothing
        for name, env in (("one thread", {"HONE_THREADS": "1"}), ("three threads", {"HONE_THREADS": "3"}),
                          ("AVX2 kernels", {"HONE_CPU": "avx2"})):
            where = tmp / name.replace(" ", "-")
            where.mkdir()
            r = run(["run", str(RECIPE), "--run-dir", str(where / "run"), "--quiet"], env=env, cwd=where)
            if "HONE_CPU" in env and r.returncode != 0 and "avx2" in r.stderr:
                continue
            check(r.returncode == 0, f"{name}: {r.stderr}")
            got = fingerprint(where / "run") if r.returncode == 0 else {}
            for f in ("metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors"):
                check(got.get(f) == want[f], f"{name}: {f} differs")

        # a changed recipe is refused, and goes on with --force
        where = tmp / "changed"
        where.mkdir()
        recipe = where / "recipe.lua"
        recipe.write_text(RECIPE.read_text())
        p = subprocess.Popen([HONE, "run", str(recipe), "--run-dir", str(where / "run"), "--quiet"], cwd=where,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while p.poll() is None and not list((where / "run" / "checkpoints").glob("step-*")):
            time.sleep(0.01)
        p.kill()
        p.wait()
        recipe.write_text(RECIPE.read_text() + "\n-- changed\n")
        r = run(["resume", str(where / "run"), "--quiet"], cwd=where)
        check(r.returncode == 1 and "recipe" in r.stderr, f"a changed recipe was not refused: {r.returncode} {r.stderr}")
        r = run(["resume", str(where / "run"), "--quiet", "--force"], cwd=where)
        check(r.returncode == 0, f"--force: {r.stderr}")

        # a full disk, injected after so many bytes: a clear error, the last checkpoint whole
        for limit in (200_000, 4_000_000, 9_000_000, 20_000_000):
            where = tmp / f"full{limit}"
            where.mkdir()
            r = run(["run", str(RECIPE), "--run-dir", str(where / "run"), "--quiet"],
                    env={"HONE_FAULT_ENOSPC": str(limit)}, cwd=where)
            if r.returncode == 0:
                continue  # everything fitted
            check(r.returncode == 1 and "space" in (r.stderr + r.stdout).lower(), f"full disk at {limit}: {r.stderr}")
            for c in (where / "run" / "checkpoints").glob("*"):
                if c.name.startswith("step-"):
                    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=c, capture_output=True)
                    check(sums.returncode == 0, f"full disk at {limit}: {c.name} is damaged")
            if (where / "run" / "run.json").is_file():
                r = run(["resume", str(where / "run"), "--quiet"], cwd=where)
                check(r.returncode == 0 and fingerprint(where / "run") == want, f"resume after a full disk at {limit}: {r.stderr}")
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


main()
counted.finish()
