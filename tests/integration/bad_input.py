"""bad_input.py - what is wrong with what the user gave is one clear error: file, place, hint, exit 1, 2 or 3.

Each case runs in a folder of its own. Beside the exit code and the words of the message it is checked that
the error is one, that it has a hint, that nothing crashed, and that no file was left behind.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = os.path.abspath(os.environ["HONE"])
TINY = os.path.exists(os.path.join(ROOT, "assets", "tiny", "config.json"))
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def write(name, text):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "w" if isinstance(text, str) else "wb") as f:
        f.write(text)
    return name


def tree():
    return sorted(os.path.join(d, f) for d, dirs, files in os.walk(".") for f in dirs + files)


def refused(name, code, words, *args, hint=True, env=None):
    """`words` are all in the one message that hone prints; the folder is as it was."""
    before = tree()
    try:
        run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                             timeout=60, env={**os.environ, **(env or {})}, errors="replace")
    except subprocess.TimeoutExpired:
        check(name, False, "not done after 60 s")
        return
    text = run.stderr
    missing = [w for w in words if w not in text]
    errors = sum(line.startswith("hone: ") for line in text.splitlines())
    left = [f for f in tree() if f not in before]
    check(name, run.returncode == code and not missing and errors == 1 and not left and
          (not hint or "\n  hint: " in text),
          f"exit {run.returncode}, missing {missing}, {errors} errors, left {left}\n{run.stdout[-300:]}{text}")


def compiled(source, out, *flags):
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    subprocess.run(["cc", "-std=c11", "-w", "-shared", "-fPIC", "-fvisibility=hidden", *flags,
                    "-I" + os.path.join(ROOT, "sdk", "include"), "-o", out, os.path.join(ROOT, source)], check=True)


rows = write("rows.jsonl", '{"prompt": "2+3", "completion": "#### 5", "answer": "5"}\n')

# ---- plugins named by their file -----------------------------------------------------------------------

PROBE = "tests/unit/plugins/good.c"
compiled(PROBE, "x.so", "-DALONE")
compiled(PROBE, "elsewhere/x.so", "-DALONE")
compiled(PROBE, "many.so")
compiled("tests/unit/plugins/bad.c", "mute.so", "-DFAULT_SYMBOL")
write("text.so", "hello\n")
write("half.so", open("x.so", "rb").read()[:3000])
os.mkdir("folder")
BAD_FILES = [("missing.so", "no such file"), ("./missing.so", "no such file"), ("text.so", "not an ELF file"),
             ("half.so", "outside the file"), ("mute.so", "does not export hone_plugin_entry"),
             ("./folder", "is a folder"), ("many.so", "more than one reward")]
for path, why in BAD_FILES:
    refused(f"score --reward {path}", 1, [path, why], "score", "--reward", path, "--data", rows)
    recipe = write("names.lua", f'local hone = require "hone"\nlocal r = hone.reward("{path}")\n')
    why = "there is no file" if "missing" in path else why
    refused(f"hone.reward {path}", 1, [path, why, "names.lua:2"], "run", recipe)
for path, why in BAD_FILES[:5]:
    refused(f"plugin describe {path}", 1, [path, why], "plugin", "describe", path)
    refused(f"plugin inspect {path}", 1, [path, why], "plugin", "inspect", path)
refused("plugin path to nowhere", 1, ["nowhere"], "plugin", "list", "--plugin-path", "nowhere")
write("far.lua", 'local hone = require "hone"\nhone.reward("elsewhere/x.so")\n')
refused("a recipe does not choose what is trusted", 3, ["elsewhere/x.so", "search path"], "run", "far.lua")


def works(name, *args, env=None, text=""):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         env={**os.environ, **(env or {})})
    check(name, run.returncode == 0 and text in run.stdout, f"exit {run.returncode}: {run.stdout[-300:]}{run.stderr}")


write("near.lua", 'local hone = require "hone"\nlocal r = hone.reward("x.so")\nprint(r.id)\n')
write("given.lua", 'local hone = require "hone"\nlocal p = hone.params { reward = { "", "one" } }\n'
      'print(hone.reward(p.reward).id)\n')
works("plugin describe of a bare name", "plugin", "describe", "x.so", text="org.test.reward.probe")
works("plugin inspect of a bare name", "plugin", "inspect", "x.so", text="org.test.reward.probe")
works("--plugin-path with a bare name", "score", "--plugin-path", "x.so", "--reward", "probe", "--data", rows, "--json",
      text='{"probe":{"status":"score"')
works("--reward with a bare name", "score", "--reward", "x.so", "--data", rows, "--json",
      text='{"probe":{"status":"score"')
works("--reward with a path", "score", "--reward", "elsewhere/x.so", "--set", "elsewhere/x.so.scale=2", "--reward",
      "length", "--set", "length.value=3", "--data", rows, "--json", text='"length":{"status"')
works("HONE_PLUGIN_PATH with a folder", "score", "--reward", "probe", "--data", rows, "--json",
      env={"HONE_PLUGIN_PATH": "elsewhere"}, text='{"probe":{"status":"score"')
works("hone.reward with a bare name", "run", "near.lua", text="probe")
works("a plugin named by a parameter", "run", "given.lua", "reward=elsewhere/x.so", text="probe")
shutil.rmtree("runs", ignore_errors=True)

# ---- recipes, rows, models -----------------------------------------------------------------------------

write("syntax.lua", 'local hone = require "hone"\nlocal x = = 3\n')
refused("a syntax error", 1, ["syntax.lua:2:", "near '='"], "run", "syntax.lua", hint=False)
write("slip.lua", 'local hone = require "hone"\nlocal r = hone.reward("math_anser")\n')
refused("a misspelt reward", 1, ["math_anser", "slip.lua:2", 'did you mean "math_answer"?'], "run", "slip.lua")
refused("no such recipe", 1, ["nosuch"], "run", "nosuch")
refused("no such model", 1, ["nowhere", "fetch-model"], "model", "info", "nowhere")
refused("a misspelt parameter", 2, ["dta", "did you mean data?"], "run", "sft", "dta=rows.jsonl")
refused("a parameter of another type", 2, ["steps=x", "whole number"], "run", "sft", "steps=x")
refused("a data file that is not there", 1, ["nope.jsonl", "HONE_DATA"], "run", "sft", "model=tiny", "data=nope.jsonl")
deep = write("deep.json", "[" * 10000 + "]" * 10000 + "\n")
row = write("deep.jsonl", '{"prompt": ' + "[" * 10000 + "]" * 10000 + "}\n")
refused("messages nested 10,000 deep", 1, ["deep.json:1:", "nested more than 512 deep"], "template", "--template", deep,
        "--messages", deep, hint=False)
refused("a row nested 10,000 deep", 1, ["deep.jsonl:1", "deep"], "data", "head", row, hint=False)
os.mkdir("deepmodel")
write("deepmodel/config.json", "[" * 10000 + "]" * 10000)
refused("a configuration nested 10,000 deep", 1, ["deepmodel", "deep"], "model", "info", "./deepmodel", hint=False)

# ---- rewards that say nothing --------------------------------------------------------------------------

SHORT = """local hone = require "hone"
local run = hone.run {{ name = "short", seed = 1 }}
local policy = run:policy {{ model = "tiny", optimizer = {{ "sgd", lr = 1e-6 }} }}
local rewards = {{ {rewards} }}
for _ = 1, 2 do
  local rollout = policy:rollout({{ {{ prompt = "1+1" }}, {{ prompt = "2+3" }} }},
    {{ n = 2, max_tokens = 4, rewards = rewards{options} }})
  policy:update {{ rollout, objective = "grpo", advantage = "group" }}
end
"""
LUA = 'hone.reward {{ id = "{0}", weight = {1}, score = function(b) return b:map(function(s) return {2} end) end }}'
fine, broken = LUA.format("fine", 1, "s.completion_len"), LUA.format("broken", 1, "nil")
watched = LUA.format("watched", 0, "nil")
mute = LUA.format("mute", 1, "hone.abstain")
ended = LUA.format("finish", 1, 's.finish == "length" and 1 or s.finish == "stop" and 0 or nil')


def short(name, code, words, rewards, options=""):
    shutil.rmtree("short", ignore_errors=True)
    write("short.lua", SHORT.format(rewards=", ".join(rewards), options=options))
    run = subprocess.run([HONE, "run", "short.lua", "--run-dir", "short", "--quiet"], capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=120)
    check(name, run.returncode == code and all(w in run.stderr for w in words), f"exit {run.returncode}: {run.stderr}")


if TINY:
    short("a reward that works", 0, [], [fine])
    short("finish is a text in a reward", 0, [], [ended])
    short("a reward that fails on everything", 1, ["reward broken failed on every sample of the run (8)", "hint:"],
          [fine, broken])
    short("a reward without weight that fails on everything", 1, ["reward watched failed on every sample"],
          [fine, watched])
    short("failures that the recipe does not mind", 0, [], [fine, watched], ", error_limit = 1")
    short("no update with a sample", 1, ["no update of the run had a sample to learn from (2 updates)", "hint:"], [mute])
    short("an id of 48 bytes", 0, [], [LUA.format("x" * 48, 1, "1")])
    short("an id whose metrics would be cut", 1, ["x" * 49, "49 bytes, 48 are allowed", "shorter", "short.lua:6"],
          [LUA.format("x" * 49, 1, "1")])
    shutil.rmtree("short", ignore_errors=True)
else:
    skip("runs of the embedded model", "assets/tiny is not there", 8)

# ---- a model's configuration that says more than hone understands ---------------------------------------
shutil.copytree(os.path.join(ROOT, "assets", "tiny"), "odd")
with open("odd/config.json") as f:
    config = json.load(f)
write("odd/config.json", json.dumps({**config, "mystery": 3}))
once = ["run", "sft", "model=odd", "data=" + rows, "steps=1", "--quiet", "--dry-run"]
refused("a key of a configuration", 1, ["odd", "mystery", "--allow-unknown-config"], *once)
run = subprocess.run([HONE, *once, "--allow-unknown-config"], capture_output=True, text=True)
check("the same, ignored by request", run.returncode == 0, run.stderr)

scratch.cleanup()
finish()
