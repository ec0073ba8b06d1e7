#!/usr/bin/env python3
"""trace.py - `--trace FILE`: every benchmark of work and every run writes a Chrome trace with the ops of each thread and
prints a table; the run computes what it computes without; and a file that cannot be written fails before the work begins."""
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
scratch = tempfile.TemporaryDirectory(prefix="hone-trace-")
work = pathlib.Path(scratch.name)
REWARD = "org.hone.reward.exact_match"


def hone(*args):
    env = dict(os.environ, HONE_THREADS="2")
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300, env=env)


def nested(events):
    """Whether the spans of each thread lie in each other or apart."""
    threads = {}
    for e in events:
        if e["ph"] == "X":
            threads.setdefault(e["tid"], []).append((e["ts"], e["ts"] + e["dur"]))
    for spans in threads.values():
        open_ends = []
        for begin, end in sorted(spans, key=lambda s: (s[0], -s[1])):
            while open_ends and begin >= open_ends[-1] - 1e-4:
                open_ends.pop()
            if open_ends and end > open_ends[-1] + 1e-4:
                return False
            open_ends.append(end)
    return True


def look(name, path, table, wanted):
    """The events of a trace, checked for what every trace has."""
    check(f"{name}: the table is printed", "share" in table and f"trace {path}" in table, table[-400:])
    check(f"{name}: nothing is left beside it", not list(work.glob("*.tmp-*")))
    try:
        trace = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        check(f"{name}: valid JSON", False, e)
        return
    events = trace["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    names = {e["name"] for e in spans}
    check(f"{name}: it has what was done", wanted <= names, wanted - names)
    check(f"{name}: spans nest", nested(events))
    threads = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    check(f"{name}: threads are named", {"main", "helper 1"} <= threads, threads)
    ops = [e for e in spans if e["cat"] == "op" and e["name"] == "linear/1" and "in" in e["args"]]
    check(f"{name}: ops have phases and shapes", name == "ops" or (ops and all(
        e["args"]["phase"] and len(e["args"]["in"][0]) == 2 for e in ops)), len(ops))
    check(f"{name}: none dropped", trace["otherData"]["dropped"] == 0, trace["otherData"])
    return spans


BENCHES = {
    "train": (["bench", "train", "tiny", "--batch", "2", "--tokens", "64", "--steps", "1"],
              {"update", "linear/1", "linear_logprob/1", "optimizer", "gradient norm", "pack the batch"}),
    "generate": (["bench", "generate", "tiny", "--sequences", "4", "--tokens", "8"],
                 {"admit prompts", "decode step", "draw tokens", "accept tokens", "linear/1", "logits/1"}),
    "grpo": (["bench", "grpo", "tiny", "--samples", "4", "--tokens", "8", "--steps", "1"],
             {"decode step", "update", "objective", "attention/1"}),
    "ops": (["bench", "ops", "--seconds", "0"], {"attention/1", "swiglu/1"}),
    "start": (["bench", "start", "--runs", "1"], {"plan the run", "load weights", "recipe", "decode step", "update"}),
}
for name, (args, wanted) in BENCHES.items():
    path = work / f"{name}.json"
    run = hone(*args, "--threads", "2", "--trace", path) if name != "start" else hone(*args, "--trace", path)
    check(f"{name} ends well", run.returncode == 0, run.stderr[-400:])
    look(name, path, run.stderr, wanted)

# ---- a run, with and without ----
files = {}
for name, more in ("plain", []), ("traced", ["--trace", work / "run.json"]):
    run = hone("run", "quickstart", "steps=3", "--run-dir", work / name, "--quiet", *more)
    check(f"{name} run ends well", run.returncode == 0, run.stderr[-400:])
    files[name] = {p.relative_to(work / name).as_posix(): p.read_bytes() for p in sorted((work / name).rglob("*"))
                   if p.is_file() and (p.name in ("metrics.jsonl", "rollouts.jsonl") or p.suffix == ".safetensors")}
    if more:
        spans = look("run", work / "run.json", run.stderr, {"wait for rewards", REWARD, "zero gradients"})
        rewards = [e for e in spans or [] if e["name"] == REWARD]
        check("rewards say how many samples they got", rewards and all(e["args"]["tasks"] > 0 for e in rewards))
check("a run has metrics and weights to compare", len(files["plain"]) >= 2, sorted(files["plain"]))
check("tracing changes no byte of them", files["plain"] == files["traced"],
      [k for k in files["plain"] if files["plain"][k] != files["traced"].get(k)])

# ---- files that cannot be written ----
for place, says in (work / "none" / "t.json", "No such file"), (work, "a folder"), (pathlib.Path("/dev/null"), "is none"):
    run = hone("run", "quickstart", "steps=1", "--run-dir", work / "never", "--quiet", "--trace", place)
    check(f"{place}: refused", run.returncode == 1 and says in run.stderr, run.stderr)
    check(f"{place}: with a hint", "hint: " in run.stderr, run.stderr)
    check(f"{place}: before the work", not (work / "never").exists())
for args in (["train", "tiny"], ["start"]):
    run = hone("bench", *args, "--trace", work / "none" / "t.json")
    check(f"bench {args[0]} is refused before it measures", run.returncode == 1 and not run.stdout and
          run.stderr.startswith("hone: ") and "yardstick" not in run.stderr, run.stderr)

# ---- an interrupted or failed run still shows what was done ----
run = hone("run", "quickstart", "steps=1", "n=0", "--run-dir", work / "failed", "--quiet", "--trace", work / "failed.json")
check("a failed run fails as without", run.returncode != 0 and "hint" in run.stderr or "hone:" in run.stderr, run.stderr)
check("and has its trace", (work / "failed.json").exists())

finish()
