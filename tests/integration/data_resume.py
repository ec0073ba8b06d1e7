#!/usr/bin/env python3
"""data_resume.py - steps of `hone data` killed (kill -9) again and again go on and give the same bytes; memory stays as it is.

Each step is killed whenever its journal was written once more, and now and then in between, until it ends. HONE is the program."""
import csv
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
rng = random.Random(3)
WORDS = [f"w{i:03}" for i in range(900)]


def text(n):
    return " ".join(rng.choice(WORDS) for _ in range(n))


with open("a.jsonl", "w") as f:  # 4 MB: originals, copies, near copies
    old = []
    for i in range(5000):
        t = text(150)
        if i % 7 == 3:
            t = rng.choice(old)
        elif i % 7 == 5:
            w = rng.choice(old).split()
            w[rng.randrange(len(w))] = "changed"
            t = " ".join(w)
        old.append(t)
        f.write(json.dumps({"id": i, "text": t, "s": rng.random()}) + "\n")
with open("b.csv", "w", newline="") as f:  # comes through a source: it is copied, or read again
    out = csv.writer(f)
    out.writerow(["text", "s"])
    for i in range(6000):
        out.writerow([rng.choice(old) if i % 9 == 0 else text(60), rng.random()])
with open("eval.jsonl", "w") as f:
    for i in range(0, 5000, 250):
        f.write(json.dumps({"q": " ".join(old[i].split()[20:60])}) + "\n")

with open("a.jsonl") as f, open("qa.jsonl", "w") as g:
    for i, line in enumerate(f):
        if i % 25 == 0:
            w = json.loads(line)["text"].split()
            g.write(json.dumps({"q": " ".join(w[:8]), "a": " ".join(w[8:20])}) + "\n")

COMMON = ["--checkpoint-mb", "1"]
STEPS = {
    "dedup": ["dedup", "a.jsonl", "b.csv", "--near", "--columns", "text", "--report", "{}.rep", "--out", "{}"],
    "exact": ["dedup", "b.csv", "a.jsonl", "--out", "{}"],
    "decontaminate": ["decontaminate", "b.csv", "a.jsonl", "--against", "eval.jsonl", "--report", "{}.rep", "--out", "{}"],
    "filter": ["filter", "a.jsonl", "b.csv", "--rules", "all", "--rule", "min_stop_words=off", "--rule", "min_sentences=off",
               "--rule", "min_punctuated_lines=off", "--report", "{}.rep", "--out", "{}"],
    "select": ["select", "a.jsonl", "b.csv", "--by", "s", "--top", "4000", "--diverse", "300", "--columns", "text", "--out", "{}"],
    "ifd": ["select", "qa.jsonl", "--ifd", "tiny", "--question", "q", "--answer", "a", "--share", "0.5", "--as", "ifd", "--out", "{}"],
    "split": ["split", "a.jsonl", "b.csv", "--near", "--columns", "text", "--into", "{}=0.7", "--into", "{}.rest=0.3"],
    "bytes": ["mix", "b.csv=0.3", "a.jsonl=0.7", "--by-bytes", "--count", "9000", "--repeat", "--out", "{}"],
    "mix": ["mix", "a.jsonl=0.5", "b.csv=0.5", "--count", "15000", "--repeat", "--out", "{}"],
}


def command(step, name):
    return [HONE, "data"] + [a.replace("{}", name) for a in STEPS[step]] + COMMON


def mark(folder):
    try:
        return os.stat(os.path.join(folder, "journal.json")).st_mtime_ns
    except OSError:
        return 0


def lineage(name):
    db = sqlite3.connect(name + ".lineage")
    rows = db.execute("select n, path, line, hash, steps from kept order by n").fetchall()
    db.close()
    return rows


def made(name):
    out = {}
    for f in sorted(os.listdir(".")):
        if f.startswith(name) and not f.endswith(".lineage"):
            with open(f, "rb") as g:
                out[f[len(name):]] = g.read()
    return out


if subprocess.run([HONE, "model", "info", "tiny"], capture_output=True).returncode:
    skip("ifd", "no model tiny", 4)
    del STEPS["ifd"]
for step in STEPS:
    run = subprocess.run(command(step, f"{step}.direct"), capture_output=True, text=True, env={**os.environ, "HONE_THREADS": "1"})
    if run.returncode:
        check(step, False, run.stderr)
        continue
    name, kills, begun = f"{step}.killed", 0, 0
    for attempt in range(60):
        seen = mark(name + ".work")
        p = subprocess.Popen(command(step, name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + rng.choice((0.01, 0.05, 0.2, 9, 9))  # the clock only chooses where it is killed
        while p.poll() is None and mark(name + ".work") == seen and time.monotonic() < until:
            time.sleep(0.0005)
        if p.poll() is None and attempt < 59:
            p.kill()
            kills += 1
        stdout, err = p.communicate()
        begun += "going on" in err
        if p.returncode == 0:
            break
        if p.returncode != -9:
            check(f"{step}: goes on", False, err)
            break
    check(f"{step}: killed {kills} times, gone on with {begun} times: the same bytes",
          made(f"{step}.direct") == made(name) and len(made(name)) > 0 and begun > 0,
          f"{sorted(made(name))} {[len(v) for v in made(name).values()]} {[len(v) for v in made(f'{step}.direct').values()]}")
    check(f"{step}: and the same summary", stdout.replace(".killed", ".direct") == run.stdout, stdout + run.stdout)
    check(f"{step}: and the same lineage", lineage(name) == lineage(f"{step}.direct"))
    check(f"{step}: nothing is left behind", not os.path.exists(name + ".work"))
    # All is made and nothing in its place: a folder stands where the output goes. The next one has only that left to do.
    name = f"{step}.placed"
    os.makedirs(name + "/in_the_way")
    late = subprocess.run(command(step, name), capture_output=True, text=True)
    shutil.rmtree(name)
    again = subprocess.run(command(step, name), capture_output=True, text=True)
    check(f"{step}: an output that cannot be put in its place is made all the same", late.returncode == 1 and "cannot be put in its place" in late.stderr and
          "going on" in again.stderr and made(f"{step}.direct") == made(name), late.stderr + again.stderr)
    check(f"{step}: the same summary then", again.stdout.replace(".placed", ".direct") == run.stdout, again.stdout + run.stdout)

# Another command on the same output begins anew; two at once are refused.
p = subprocess.Popen(command("dedup", "x"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
while p.poll() is None and not mark("x.work"):
    time.sleep(0.0005)
p.kill()
p.communicate()
run = subprocess.run([HONE, "data", "dedup", "a.jsonl", "--out", "x"], capture_output=True, text=True)
check("other settings begin anew", run.returncode == 0 and "going on" not in run.stderr, run.stderr)
read, write = os.pipe()
p = subprocess.Popen([HONE, "data", "dedup", "-", "--out", "y"], stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
while not os.path.exists("y.work/lock"):
    time.sleep(0.001)
time.sleep(0.05)
run = subprocess.run([HONE, "data", "dedup", "a.jsonl", "--out", "y"], capture_output=True, text=True)
check("two processes for one output: the second is refused", run.returncode == 1 and "another process" in run.stderr, run.stderr)
os.write(write, b'{"a":"b"}\n')
os.close(write)
os.close(read)
p.communicate()
check("the first goes on", open("y").read() == '{"a":"b"}\n')

# A full disk: said so, nothing at the output's place; with room again it goes on (developer builds inject it).
hone = [HONE, "data", "dedup", "a.jsonl", "b.csv", "--near", "--columns", "text", "--out", "full"] + COMMON
for room in (2000, 300_000, 3_000_000, 8_000_000):
    run = subprocess.run(hone, capture_output=True, text=True, env={**os.environ, "HONE_FAULT_ENOSPC": str(room)})
    if run.returncode == 0:
        break
    check(f"a disk with room for {room} bytes", run.returncode == 1 and not os.path.exists("full") and "space" in run.stderr.lower(), run.stderr)
run = subprocess.run(hone, capture_output=True, text=True)
with open("dedup.direct", "rb") as f, open("full", "rb") as g:
    check("with room again: the same bytes", run.returncode == 0 and f.read() == g.read(), run.stderr)

# Memory does not grow with the data. (near: its sorters do, up to their size: test_minhash.c)
PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""
with open("a.jsonl") as f:
    lines = f.readlines()
with open("large.jsonl", "w") as f:
    for i in range(8):
        f.writelines(line.replace('"text": "', f'"text": "{i} ', 1) for line in lines)
for args in (["dedup"], ["filter", "--rules", "all"], ["decontaminate", "--against", "eval.jsonl"], ["select", "--by", "s", "--share", "0.5"],
             ["split", "--into", "m2=0.5"], ["mix"]):
    peak = []
    for name in ("a.jsonl", "large.jsonl"):
        to = [] if args[0] == "split" else ["--out", "m"]
        run = subprocess.run([sys.executable, "-c", PEAK, HONE, "data", args[0], name, *args[1:], *to, "--fresh"], capture_output=True, text=True)
        peak.append(int(run.stdout or 0))
    check(f"{args[0]}: eight times the data, no more memory", 0 < peak[1] < peak[0] + 6000, f"{peak} KB {run.stderr}")
finish()
