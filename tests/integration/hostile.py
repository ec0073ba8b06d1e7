"""hostile.py - each plugin of tests/hostile is built; `hone plugin validate` names its fault, and the host lives or refuses.

What must be found stands in the first comment of each file (hostile.h). HOSTILE=name,name runs those alone.
"""
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SDK = os.path.join(ROOT, "sdk")
work = tempfile.TemporaryDirectory()
env = {**os.environ, "XDG_DATA_HOME": work.name + "/data", "XDG_CONFIG_HOME": work.name + "/config", "LC_ALL": "C"}
os.umask(0o022)
rows = os.path.join(work.name, "rows.jsonl")
with open(rows, "w") as f:
    for i in range(3):
        f.write(json.dumps({"prompt": "2 + 3", "completion": "the answer is %d" % i, "answer": "5"}) + "\n")

if subprocess.run(["nm", HONE], capture_output=True, text=True).stdout.find("__asan_init") >= 0:
    skip("hostile plugins", "hone has a sanitizer of its own, which dies first")
    finish()


def expectations(path):
    with open(path) as f:
        head = f.read().split("*/")[0]
    validate = re.findall(r"^ \* validate: (\S+) (\S+) ?(.*?)(?: \*/)?$", head, re.M)
    return validate, re.search(r"^ \* (score|call|data): (\S+) ?(.*?) *$", head, re.M).groups()


def build(path):
    name, ext = os.path.splitext(os.path.basename(path))
    so = os.path.join(work.name, name, name + ".so")
    os.makedirs(os.path.dirname(so))
    compiler = ["c++", "-std=c++17"] if ext == ".cpp" else ["cc", "-std=c11"]
    run = subprocess.run([*compiler, "-D_GNU_SOURCE", "-O1", "-g", "-fPIC", "-fvisibility=hidden", "-pthread",
                          "-I" + SDK + "/include", "-shared", "-o", so, path], capture_output=True, text=True)
    return so, run


def examine(path):
    so, built = build(path)
    if built.returncode:
        return built, None, None
    validate = subprocess.run([HONE, "plugin", "validate", so, "--json", "--timeout", "3"], capture_output=True,
                              text=True, env=env, cwd=work.name)
    own = {**env, "XDG_CONFIG_HOME": os.path.join(os.path.dirname(so), "config")}  # trusted below: in process
    use = {"score": score_rows, "call": call_with, "data": read_with}[expectations(path)[1][0]]
    boxed = use(so, env)
    subprocess.run([HONE, "plugin", "trust", so], capture_output=True, env=own, cwd=work.name)
    hangs = expectations(path)[1][:2] == ("data", "any")  # in process nothing ends a source that does not come back
    return built, validate, (boxed, None if hangs else use(so, own))


RECIPE = """local hone = require "hone"
local it = hone.component(arg_kind, "it")
local function try(name, ...)
  local args = { ... }
  print(name, pcall(function() return it[name](it, table.unpack(args)) end))
end
"""
CALLS = {
    "kind": """try("tally", { { kind = 0, text = "one line", weights = { 1, 2 }, tags = { "a", "b" } }, { kind = 1, text = "two", tags = {} } })
try("words", "some words here", 2)
try("scale", { 1, 2, 3 }, 0.5)
try("find", "word", { x = 1, y = 2 })
try("name")
try("norm", 2.5, 1)
""",
    "judge": """try("judge", { { id = 1, prompt = "2 + 2", candidates = { "4" }, reference = "4" }, { id = 2, prompt = "2", candidates = { "a", "bc", "", "d" } } })
try("judge", { { id = 3, prompt = "", candidates = { "" } } })
""",
    "tokenizer": """try("encode", { "ab", "caf\\u{e9}", "" }, 0)
try("decode", { { ids = { 65, 66 } }, { ids = { 1000000 } } }, 0)
try("token_bytes", 3)
try("fingerprint")
""",
    "objective": """local x = { n_tokens = 2, n_seqs = 1, seq_begin = { 0, 2 }, logp = { -1, -3 }, mask = { 1, 0 }, length = { 1 }, group = { 0 }, total_tokens = 1,
  total_seqs = 1 }
try("uses")
try("loss", x, { grad_logp = { 0, 0 } })
try("show")
""",
    "optimizer": """try("state_spec", { name = "w", rows = 2 })
try("step", { { param = { 1, 2 }, grad = { 0, 0.5 }, state = { { 0, 0 } }, lr = 0.1 } }, { step = 1, grad_scale = 1, grad_norm = 1 })
"""}


def call_with(so, environment):
    """Every slot of a kind of its own, from a recipe: in a box, or where it is trusted in process."""
    folder = tempfile.mkdtemp(dir=os.path.dirname(so))
    with open(os.path.join(folder, "all.lua"), "w") as f:
        kind = os.path.basename(so).split("_")[0]
        name = "org.hostile.kind.text" if kind == "kind" else kind
        f.write(RECIPE.replace("arg_kind", json.dumps(name)) + CALLS[kind] + 'print "the end"\n')
    try:
        return subprocess.run([HONE, "run", "all.lua"], capture_output=True, text=True, cwd=folder, timeout=30,
                              env={**environment, "HONE_PLUGIN_PATH": os.path.dirname(so)}, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None


def score_rows(so, environment):
    return attempt(environment, "score", "--reward", so, "--data", rows, "--deadline", "1", "--json")


def read_with(so, environment):
    return attempt(environment, "data", "head", "--source", so, "--n", "100", "--json", "--set", "timeout=3")


def attempt(environment, *args):
    try:
        return subprocess.run([HONE, *args], capture_output=True, text=True, env=environment, cwd=work.name, timeout=30,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None


def judge(name, path, built, validate, score):
    check(name + ": builds", built.returncode == 0, built.stderr[-400:])
    if built.returncode:
        return
    wanted, (verb, fate, words) = expectations(path)
    try:
        tests = {t["test"]: t for t in json.loads(validate.stdout)["tests"]}
    except ValueError:
        return check(name + ": validate", False, validate.stdout[-300:] + validate.stderr[-300:])
    bad = [t for t in tests.values() if t["result"] in ("fail", "crash")]
    serious = [w for w in wanted if w[1] in ("fail", "crash")]
    check(name + ": exit code", validate.returncode == (1 if serious else 0), f"{validate.returncode}: {bad}")
    if not serious:
        check(name + ": nothing else is found", not bad, bad)
    for test, result, text in wanted:
        have = tests.get(test, {"result": "missing", "text": ""})
        check(f"{name}: {test} is {result} ({text})", have["result"] == result and text in have["text"], have)
    boxed, score = score
    check(f"{name}: boxed, {verb} comes back", boxed is not None, "30 s")
    if boxed:
        check(name + ": boxed, the host lives", boxed.returncode in (0, 1, 3),
              f"{boxed.returncode}: {(boxed.stdout + boxed.stderr)[-400:]}")
        answered = {"score": boxed.stdout.count('"outcomes"') == 3, "data": boxed.stdout.count('"number"') == 40,
                    "call": "the end" in boxed.stdout}[verb]
        check(name + ": boxed, everything or a reason", answered or "hone: " in boxed.stderr,
              boxed.stdout[-300:] + boxed.stderr[-300:])
    if fate == "any":
        return
    check(f"{name}: {verb} comes back", score is not None, "30 s")
    if score is None:
        return
    said = score.stdout + score.stderr
    if fate == "survives":
        check(f"{name}: hone {verb} survives", score.returncode in (0, 1) and words in said,
              f"{score.returncode}: {said[-400:]}")
    elif fate == "refuses":
        check(f"{name}: hone {verb} refuses", score.returncode in (1, 3) and words in score.stderr,
              f"{score.returncode}: {said[-400:]}")
    elif fate == "dies":
        # Code in hone's own process can end it; that it does is why there is a box.
        check(name + ": in process nothing can help", score.returncode < 0, f"{score.returncode}: {said[-400:]}")


sources = sorted(glob.glob(ROOT + "/tests/hostile/*.c") + glob.glob(ROOT + "/tests/hostile/*.cpp"))
if os.environ.get("HOSTILE"):
    sources = [p for p in sources if os.path.splitext(os.path.basename(p))[0] in os.environ["HOSTILE"].split(",")]
else:
    check("there are at least 40", len(sources) > 40, len(sources))
with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
    for path, (built, validate, score) in zip(sources, pool.map(examine, sources)):
        judge(os.path.splitext(os.path.basename(path))[0], path, built, validate, score)

# a sidecar that tells something else than its file
good = os.path.join(work.name, "good", "good.so")
if os.path.exists(good):
    subprocess.run([HONE, "plugin", "describe", good, "--write"], check=True, capture_output=True, env=env)
    side = good[:-2] + "json"
    with open(side) as f:
        text = f.read()
    with open(side, "w") as f:
        f.write(text.replace("1.0.0", "1.0.1"))
    run = subprocess.run([HONE, "plugin", "validate", good, "--only", "library.sidecar"], capture_output=True, text=True,
                         env=env)
    check("a sidecar that lies", run.returncode == 1 and "FAIL   library.sidecar" in run.stdout and
          "something else" in run.stdout, run.stdout)
    os.chmod(good, 0o777)
    run = subprocess.run([HONE, "plugin", "validate", good], capture_output=True, text=True, env=env)
    check("a file that anybody may write", run.returncode == 1 and "writable by everybody" in run.stdout, run.stdout)
    for args, words in ((["--only", "instance.cal"], 'did you mean "instance.call"'), (["--timeout", "0"], "seconds")):
        run = subprocess.run([HONE, "plugin", "validate", good, *args], capture_output=True, text=True, env=env)
        check("usage " + args[0], run.returncode == 2 and words in run.stderr, run.stderr)
finish()
