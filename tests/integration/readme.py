"""readme.py - what README.md and the help texts print is run as it stands there.

The plugin, its data and the recipe are taken out of README.md into a scratch folder laid out like the
source tree (build, sdk); the shell blocks run there, in order, as they are printed, except that the
number of steps becomes 2. The printed output must be the output. Then the examples of every
`hone VERB --help` run beside small data files. What needs the embedded model is skipped without it,
and so is what needs the real model. HONE is the program, HONE_BUILD its build folder.
"""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = os.path.abspath(os.environ["HONE"])
BUILD = os.path.abspath(os.environ.get("HONE_BUILD") or os.path.dirname(HONE))
scratch = tempfile.TemporaryDirectory()
work = scratch.name
for what in "CONFIG", "DATA":  # what is trusted, revoked, installed here stays here
    os.environ[f"XDG_{what}_HOME"] = os.path.join(work, what.lower())
TINY = os.path.exists(os.path.join(ROOT, "assets", "tiny", "config.json"))


def shell(command, cwd, seconds=300):
    """Exit code, standard output, everything printed."""
    env = {**os.environ}
    try:
        run = subprocess.run(["bash", "-c", "set -o pipefail\n" + command], cwd=cwd, env=env, text=True,
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return 124, "", f"not done after {seconds} s"
    return run.returncode, run.stdout, run.stdout + run.stderr


def blocks(text):
    """(language, body, the paragraph before it) of each fenced block."""
    out = []
    for m in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
        before = text[:m.start()].rstrip().split("\n\n")[-1]
        out.append((m.group(1), m.group(2), before))
    return out


# ---- README.md --------------------------------------------------------------------------------------

os.symlink(BUILD, os.path.join(work, "build"))
os.symlink(os.path.join(ROOT, "sdk"), os.path.join(work, "sdk"))
last_output = ""
seen = []
with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
    readme = f.read()
for language, body, before in blocks(readme):
    name = re.search(r"`([\w.]+\.(?:c|jsonl|lua))`", before)
    if language in ("c", "json", "lua"):
        check(f"a {language} block says which file it is", name, before)
        if name:
            seen.append(name.group(1))
            with open(os.path.join(work, name.group(1)), "w", encoding="utf-8") as f:
                f.write(body)
    elif language == "sh":
        for command in body.strip().split("\n"):
            seen.append(command)
            if " run " in command and "--help" not in command and not TINY:
                skip(command, "assets/tiny is not there")
                continue
            rc, last_output, everything = shell(re.sub(r"\bsteps=\d+", "steps=2", command), work)
            check(command, rc == 0, everything[-2000:])
    elif language == "text":
        check("the output of README.md is the output", last_output == body, last_output)
check("README.md has a plugin, rows, a recipe and their commands",
      {"keywords.c", "rows.jsonl", "mentions.lua"} <= set(seen) and len(seen) >= 8, seen)
plugin = open(os.path.join(work, "keywords.c"), encoding="utf-8").read()
recipe = open(os.path.join(work, "mentions.lua"), encoding="utf-8").read()
check("the plugin's lines are lines", max(map(len, plugin.split("\n"))) <= 116, plugin)
check("the plugin stays short", plugin.count("\n") <= 40, plugin.count("\n"))
check("the recipe stays short", recipe.count("\n") <= 26, recipe.count("\n"))
rc, _, everything = shell("HONE_PLUGIN_PATH=. build/hone run mentions.lua --help", work)
check("the recipe shows its parameters", rc == 0 and "max_tokens" in everything, everything)
rc, _, everything = shell("cc -std=c11 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -Isdk/include -o strict.so "
                          "keywords.c", work)
check("the plugin compiles without a warning", rc == 0, everything)
for link in re.findall(r"\]\(([^)#:]+)\)", readme):
    check(f"README.md links to {link}", os.path.exists(os.path.join(ROOT, link)), "there is no such file")

# ---- docs/recipes.md --------------------------------------------------------------------------------

with open(os.path.join(ROOT, "docs", "recipes.md"), encoding="utf-8") as f:
    body = next((body for language, body, before in blocks(f.read()) if "`bigram.lua`" in before), None)
check("docs/recipes.md has a model written in Lua", body)
if body and TINY:
    with open(os.path.join(work, "bigram.lua"), "w", encoding="utf-8") as f:
        f.write(body)
    rc, output, everything = shell("build/hone run bigram.lua --run-dir bigram", work)
    losses = [float(x) for x in re.findall(r"loss ([\d.]+)", output)]
    check("a model written in Lua learns", rc == 0 and len(losses) == 2 and losses[1] < losses[0] - 1, everything)
elif body:
    skip("a model written in Lua", "assets/tiny is not there")

# ---- the examples of the help texts -----------------------------------------------------------------

samples = [{"prompt": "2+3", "completion": "#### 5", "answer": "5"}, {"prompt": "1+1", "completion": "2", "answer": "2"}]
texts = {
    "samples.jsonl": "".join(json.dumps(s) + "\n" for s in samples),
    "rows.jsonl": "".join(json.dumps(s) + "\n" for s in samples * 8),
    "train.jsonl": "".join(json.dumps(s) + "\n" for s in samples),
    "labels.csv": "item,expert,score\n" + "".join(f"{i},{e},{i % 3 + 1}\n" for i in range(12) for e in ("ann", "bob")),
    "verdicts.jsonl": "".join(json.dumps({"id": str(i), "prompt_id": f"p{i // 4}", "status": "ok", "score": i % 3 + 1, "repeat": r}) + "\n"
                              for i in range(12) for r in (0, 1)),
    "scored.jsonl": "".join(json.dumps({**s, "judge": {"score": i / 8}}) + "\n" for i, s in enumerate(samples * 8)),
    "notes.lua": 'print(require "hone".hash "x")\n',
    "numbers.json": json.dumps({"logp": [[-1.0, -2.0], [-0.5, -1.5]], "old_logp": [[-1.1, -2.0], [-0.5, -1.4]],
                                "ref_logp": [[-1.0, -2.1], [-0.6, -1.5]], "mask": [[1, 1], [1, 0]],
                                "advantages": [1.0, -1.0], "rewards": [1.0, 0.0], "group_size": 2}),
}
for name, text in texts.items():
    with open(os.path.join(work, name), "w", encoding="utf-8") as f:
        f.write(text)
os.makedirs(os.path.join(work, "runs"), exist_ok=True)
binaries = os.path.join(work, "bin")
os.mkdir(binaries)
with open(os.path.join(binaries, "hone"), "w", encoding="utf-8") as f:
    f.write(f'#!/bin/sh\nexec {shlex.quote(HONE)} "$@"\n')
os.chmod(os.path.join(binaries, "hone"), 0o755)
os.environ["PATH"] = binaries + os.pathsep + os.environ["PATH"]

# A plugin of the reader's own, in C and in Lua.
for line in ["hone plugin new reward my_reward --dir made && make -s -C made && cp made/my_reward.so made/my_reward.json .",
             "hone plugin new reward my_reward --dir made-lua --lang lua && cp made-lua/my_reward.lua ."]:
    rc, _, everything = shell(line, work)
    check(line, rc == 0, everything[-800:])

# Why an example is not run here; the first pattern found decides.
NOT_HERE = [
    (r"smollm2|gsm8k", "needs the real model"),
    (r"^hone (resume|report|replay|watch) runs/|/data/runs", "needs a run of that name"),
    (r"^hone run \w+$", "trains to the end"),
    (r"^hone bench ", "a measurement: timings are the bench tests' business"),
    (r"^hone plugin bench ", "a measurement: plugin_tools.py runs it"),
    (r"^gdb ", "debug.sh runs gdb"),
    (r"--source http ", "needs the network: source_http.py has a server"),
    (r"^hone doctor", "measures the machine: machine.py runs it"),
]


def help_text(*words):
    run = subprocess.run([HONE, *words, "--help"], capture_output=True, text=True)
    check("hone " + " ".join(words) + " --help", run.returncode == 0, run.stderr)
    return run.stdout


def examples(text):
    part = re.search(r"^examples:\n((?:  .*\n?)+)", text, re.M)
    return [line.strip() for line in part.group(1).splitlines()] if part else []


commands = []
for verb in re.findall(r"^  ([a-z]+)  ", help_text(), re.M):
    text = help_text(verb)
    found = examples(text)
    for part in re.findall(r"^  ([a-z]+)  ", text.split("options:")[0].split("examples:")[0], re.M):
        found += examples(help_text(verb, part))
    check(f"hone {verb}: the help has examples", found or f"hone {verb} PART --help" in text, text)
    commands += found
check("there are examples", len(commands) > 20, commands)
def remember_a_death():
    """Of my_reward.so, for who looks into the quarantine."""
    with open(os.path.join(work, "my_reward.so"), "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    death = {"when": "2026-01-31T12:00:00Z", "what": "killed by signal 11 (Segmentation fault)", "call": "score", "sample": 4,
             "stack": "my_reward.so+0x12a6"}
    row = {"sha256": digest, "path": "my_reward.so", "id": "com.example.reward.my_reward", "since": death["when"], "count": 1,
           "deaths": [death]}
    folder = os.path.join(work, "config", "hone")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "quarantine.json"), "w", encoding="utf-8") as f:
        json.dump({"format": "hone-quarantine-1", "files": [row]}, f)


remember_a_death()
for command in dict.fromkeys(commands):
    reason = next((why for pattern, why in NOT_HERE if re.search(pattern, command)), None)
    if not reason and re.search(r"\btiny\b", command) and not TINY:
        reason = "assets/tiny is not there"
    if reason:
        skip(command, reason)
        continue
    if command.startswith("hone plugin verify "):  # whose signature is good is for the reader to say
        rc, _, everything = shell("hone plugin trust example.pub", work)
        check("hone plugin trust example.pub, first", rc == 0, everything)
    for left in ("out-f32",):
        shutil.rmtree(os.path.join(work, left), ignore_errors=True)
    rc, _, everything = shell(re.sub(r"\bsteps=\d+", "steps=2", command), work)
    check(command, rc == 0, everything[-1500:])
    if command == "hone plugin revoke my_reward.so":  # the next ones use it
        rc, _, everything = shell("hone plugin trust my_reward.so", work)
        check("hone plugin trust takes it back", rc == 0, everything)

scratch.cleanup()
finish()
