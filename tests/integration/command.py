"""command.py - programs as rewards, judges and sources: the protocol, what goes wrong in it, and the grant it needs.

The programs are written here; all run in boxes, so without Landlock and seccomp (or python3) they are skipped.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
os.mkdir("tmp")
os.environ["TMPDIR"] = os.path.join(scratch.name, "tmp")
os.environ["PATH"] = os.path.dirname(os.path.realpath(sys.executable)) + ":/usr/bin:/bin"  # no script in front of python3


def hone(*args, env=None, timeout=120):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         env={**os.environ, **(env or {})}, timeout=timeout)
    return run.returncode, run.stdout, run.stdout + run.stderr


def write(name, text, mode=0o644):
    with open(name, "w") as f:
        f.write(text)
    os.chmod(name, mode)
    return name


def rows(n=2, **more):
    return write("rows.jsonl", "".join(json.dumps({"prompt": f"p{i}", "completion": "x" * i, "answer": str(i), **more}) +
                                       "\n" for i in range(n)))


def score(file, *sets, data=None, allow="command:exec", deadline=None, env=None):
    """Exit code, the outcomes of each row, all text."""
    args = ["score", "--reward", "command", "--data", data or rows(), "--json"]
    args += [x for s in (f"file={file}",) * bool(file) + sets for x in ("--set", s)]
    args += [f"--allow={allow}"] if allow else []
    args += [f"--deadline={deadline}"] if deadline else []
    rc, out, text = hone(*args, env=env)
    return rc, [json.loads(line)["outcomes"]["command"] for line in out.splitlines()], text


# ---- the grant, and the box ------------------------------------------------------------------------------
plain = write("plain.py", "def score(batch):\n    return [len(s.completion) for s in batch]\n")
rc, out, text = score(plain, allow=None)
check("without a grant it is refused with a hint", rc == 3 and "--allow=command:exec" in text, text)
rc, out, text = score(plain, allow="rewards:exec")
check("a grant to another plugin is none", rc == 3, text)
rc, out, text = score(plain, allow="command:exek")
check("a slip in a grant is a usage error", rc == 2 and "exek" in text, text)
no_box = {"HONE_SANDBOX_WITHOUT": "landlock,seccomp"}
rc, out, text = score(plain, env=no_box)
check("without Landlock and seccomp it is refused", rc == 3 and "weak-box" in text, text)
rc, out, text = score(plain, allow="command:exec")
if rc == 3:
    skip("programs in boxes", "this machine has no Landlock or no seccomp", 20)
    finish()
check("a function score(batch)", rc == 0 and [o["score"] for o in out] == [0, 1], text)
rc, out, text = hone("score", "--reward", "command", "--set", "file=plain.py", "--data", "rows.jsonl", "--json",
                     "--allow=command:exec", "--allow=weak-box", env=no_box)
check("weak-box runs it and says so", rc == 0 and out.count('"status":"score"') == 2 and "weak box" in text, text)

# ---- what Python functions say ---------------------------------------------------------------------------
said = write("said.py", """
import hone_reward
def score(batch):
    print("scores", len(batch), "with", hone_reward.settings["k"])
    return [None, True, 0.25, {"score": 2, "notes": {"why": "good"}}, {"error": "odd"}, float("nan"),
            {"abstain": "too short"}, {"score": None}, "1.5", [1]]
""")
rc, out, text = score(said, 'settings={"k":"settings"}', data=rows(10))
check("outcomes", rc == 0 and [(o["status"], o.get("score", o.get("reason"))) for o in out] == [
    ("abstain", None), ("score", 1), ("score", 0.25), ("score", 2), ("error", "odd"), ("error", "the score is nan"),
    ("abstain", "too short"), ("error", "the program's answer for this sample is no outcome"), ("score", 1.5), ("error", "the score is [1]")], out)
check("notes", out[3]["notes"] == {"why": "good"}, out[3])
check("what it prints goes to the log", "info: scores 10 with settings (org.hone.reward.command)" in text, text)

trl = write("trl.py", """
def accuracy_reward(prompts, completions, answer, **kwargs):
    assert prompts == ["p0", "p1"] and set(kwargs) >= {"level", "completion_ids"}, kwargs
    return [1.0 if len(c) == int(a) else None for c, a in zip(completions, answer)]
""")
rc, out, text = score(trl, data=rows(2, level="x"))
check("a function of TRL", rc == 0 and [o.get("score") for o in out] == [1, 1], text)
chat = write("chat.jsonl", json.dumps({"prompt": [{"role": "user", "content": "hi"}], "completion": "<b>"}) + "\n")
trl = write("trl2.py", """
async def format_reward(completions, **kwargs):
    return [float(c[0]["content"] == "<b>" and c[0]["role"] == "assistant") for c in completions]
def helper(x): return x
""")
rc, out, text = score(trl, "function=format_reward", data=chat)
check("a conversation, as TRL hands it", rc == 0 and out[0]["score"] == 1, text)
rc, out, text = score(trl, data=chat)
check("two functions without a name", rc == 1 and "format_reward, helper" in text and "function = NAME" in text, text)
verl = write("verl.py", """
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    if extra_info["index"] == 1:
        raise KeyError("boom")
    return {"score": 1.0 if ground_truth == "7" and data_source == "gsm" else 0.0, "acc": True}
""")
write("verl.jsonl", "".join(json.dumps({"prompt": "p", "completion": "c", "data_source": "gsm", "extra_info": {"index": i},
                                        "reward_model": {"style": "rule", "ground_truth": "7"}}) + "\n" for i in range(2)))
rc, out, text = score(verl, data="verl.jsonl")
check("a function of verl", rc == 0 and out[0]["score"] == 1 and out[0]["notes"] == {"acc": True}, text)
check("an exception is its sample's error", out[1]["status"] == "error" and "KeyError" in out[1]["reason"], out)

os.makedirs("shims")
write("shims/python3", f"""#!/bin/sh
exec {os.path.realpath(sys.executable)} "$@"
""", 0o755)
os.makedirs("home/.local")
rc, out, text = score(plain, env={"PATH": f"{scratch.name}/shims:/usr/bin:/bin", "HOME": f"{scratch.name}/home"})
check("a script that finds Python is asked for it", rc == 0 and [o["score"] for o in out] == [0, 1], text)

odd = write("named.py", """
async def score(samples):
    return [{"score": float("nan") if s.completion else 0.5} for s in samples]
""")
rc, out, text = score(odd)
check("score with a parameter of another name, awaited", rc == 0 and out[0]["score"] == 0.5 and out[1]["reason"] == "the score is nan", text)

# ---- any language ----------------------------------------------------------------------------------------
shell = write("reward.sh", """#!/bin/sh
read hello
echo '{"hone":1}'
while read line; do
    number=${line#*\\"batch\\":}
    echo "{\\"batch\\":${number%%,*},\\"outcomes\\":[0.5,null]}"
done
""", 0o755)
rc, out, text = score(shell)
check("a program of the shell", rc == 0 and [o["status"] for o in out] == ["score", "abstain"], text)

# ---- what goes wrong -------------------------------------------------------------------------------------
def program(name, body):
    """A program in Python without hone_reward.py: `for m in requests(): answer(...)`."""
    return write(name, """#!/usr/bin/env python3
import json, os, sys, time
hello = json.loads(sys.stdin.readline())
def say(text): sys.stdout.write(text + "\\n"); sys.stdout.flush()
def answer(**m): say(json.dumps(m))
def requests():
    for line in sys.stdin: yield json.loads(line)
""" + body, 0o755)


def run(name, body, *sets, **more):
    program(name, body)
    return score(None, "program=" + json.dumps(["python3", os.path.abspath(name)]), "file=" + name, *sets, **more)


GREET = "say('{\"hone\":1}')\n"
EACH = GREET + "for m in requests():\n    n = len(m['samples'])\n    "
rc, out, text = run("bad.py", EACH + "say('loading weights')")
check("a line that is no JSON is one error", rc == 1 and {o["status"] for o in out} == {"error"} and
      "is not JSON: loading weights" in out[0]["reason"] and "standard error" in out[0]["reason"], out)
for name, body, want in [
    ("a list for an answer", EACH + "say('[1, 2]')", "is no JSON object"),
    ("another batch's answer", EACH + "answer(batch=m['batch'] + 1, outcomes=[1] * n)", "when it was asked batch"),
    ("too few outcomes", EACH + "answer(batch=m['batch'], outcomes=[1])", "1 outcomes for 2 samples"),
    ("no outcomes", EACH + "answer(batch=m['batch'])", 'no list "outcomes"'),
    ("a batch that failed", EACH + "answer(batch=m['batch'], error='no model')", "the program says: no model"),
    ("its end", EACH + "sys.exit('out of luck')", "exited with status 1: out of luck"),
    ("its death", EACH + "os.kill(os.getpid(), 11)", "killed by signal 11"),
    ("a closed output", EACH + "os.close(1); time.sleep(5)", "closed its standard output"),
    ("a line without an end", EACH + "sys.stdout.write('x' * 100); sys.stdout.flush(); os._exit(0)", "exited with status 0"),
]:
    rc, out, text = run("odd.py", body)
    check("error: " + name, rc == 1 and all(o["status"] == "error" and want in o["reason"] for o in out), text)
rc, out, text = run("deep.py", EACH + "say('[' * 100000)")
check("error: JSON of any depth", rc == 1 and out[0]["status"] == "error", text)
for name, body, want in [
    ("it ends before its greeting", "sys.exit('no licence')", "exited with status 1: no licence"),
    ("a greeting of another version", "say('{\"hone\":2}')", 'does not greet with {"hone":1}'),
    ("a greeting that is an error", "say('{\"hone\":1,\"error\":\"no GPU\"}')", "no GPU"),
    ("no greeting", "time.sleep(60)", "before the deadline"),
]:
    rc, out, text = run("odd.py", body, "start_timeout=0.5")
    check("at the start: " + name, rc == 1 and want in text, text)
rc, out, text = score("missing.py")
check("at the start: no such file", rc == 1 and "missing.py" in text, text)
rc, out, text = score(write("syntax.py", "def score(batch:\n"))
check("at the start: a syntax error", rc == 1 and "SyntaxError" in text, text)
rc, out, text = score(None)
check("at the start: nothing to run", rc == 1 and "file nor program" in text, text)
rc, out, text = score(None, 'program=["no-such-program"]')
check("at the start: no such program", rc == 1 and 'no program "no-such-program" on PATH' in text, text)

start = time.monotonic()
rc, out, text = run("slow.py", EACH + "time.sleep(60)", deadline=1)
check("a deadline gives timeouts", rc == 1 and {o["status"] for o in out} == {"timeout"} and time.monotonic() - start < 20, text)
rc, out, text = run("slow1.py", GREET + """
for m in requests():
    if m["batch"] == 1: time.sleep(60)
    answer(batch=m["batch"], outcomes=[1] * len(m["samples"]))
""", deadline=1, data=rows(70))
check("after a deadline a new program goes on", [o["status"] for o in out] == ["timeout"] * 64 + ["score"] * 6, text)

rc, out, text = run("dies.py", GREET + """
for m in requests():
    if not os.path.exists(hello["settings"]["mark"]): open(hello["settings"]["mark"], "w"); os.abort()
    answer(batch=m["batch"], outcomes=[m["batch"]] * len(m["samples"]))
""", 'settings={"mark":"%s/mark"}' % scratch.name, allow="command:exec,fs-write:" + scratch.name)
check("a program that died is asked again", rc == 0 and [o.get("score") for o in out] == [2, 2], text)
POISON = EACH + """
    if any(s["completion"] == "xxxxx" for s in m["samples"]): os.abort()
    answer(batch=m["batch"], outcomes=[len(s["completion"]) for s in m["samples"]])
"""
rc, out, text = run("poison.py", POISON, "independent=true", data=rows(8))
check("independent: the sample that kills it is alone", [o.get("score") for o in out] == [0, 1, 2, 3, 4, None, 6, 7] and
      out[5]["status"] == "error" and "killed by signal 6" in out[5]["reason"], out)
rc, out, text = run("poison.py", POISON, data=rows(8))
check("else the batch is", {o["status"] for o in out} == {"error"}, out)
rc, out, text = run("pids.py", EACH + "answer(batch=m['batch'], outcomes=[{'score': 1, 'notes': {'pid': m['batch']}}] * n)",
                    "workers=3", data=rows(7))
check("workers share a batch", [o["notes"]["pid"] for o in out] == [1, 1, 2, 2, 3, 3, 3], out)
rc, out, text = run("chatty.py", "sys.stderr.write('x' * 300000 + '\\nlast words\\n')\n" + EACH +
                    "sys.stderr.write('y' * 300000); sys.stderr.flush(); answer(batch=m['batch'], outcomes=[1] * n)")
check("much on standard error blocks nobody", rc == 0 and [o["score"] for o in out] == [1, 1] and "last words" in text,
      text[-300:])
big = write("big.jsonl", json.dumps({"prompt": "p", "completion": "z" * 3000000}) + "\n")
rc, out, text = run("big.py", EACH + "answer(batch=m['batch'], outcomes=[{'score': 1, 'notes': {'n': len(m['samples'][0]['completion'])}}])",
                    data=big)
check("lines of megabytes", rc == 0 and out[0]["notes"]["n"] == 3000000, text[-300:])
odd = write("odd.jsonl", json.dumps({"prompt": "p", "completion": "\u0000\u2028\n\"\\\U0001f600é\x7f", "n": 2**60 + 1, "x": 0.1}) + "\n")
rc, out, text = run("odd.py", EACH + """
    s = m["samples"][0]
    good = s["completion"] == "\\0\\u2028\\n\\"\\\\\\U0001f600\\xe9\\x7f" and s["columns"]["n"] == 2**60 + 1 and s["columns"]["x"] == 0.1
    answer(batch=m["batch"], outcomes=[good])""", data=odd)
check("any text arrives as it is", rc == 0 and out[0]["score"] == 1, text)

# ---- what its box holds back -----------------------------------------------------------------------------
secret = write("secret.txt", "secret")
os.mkdir("other")
write("other/in.py", "")
rc, out, text = score(write("other/box.py", f"""
import os, socket
def no(f, *a):
    try: f(*a)
    except OSError: return 1
    return 0
def score(batch):
    a = [no(open, "{scratch.name}/secret.txt"), no(open, "{scratch.name}/other/new", "w"), no(socket.socket), no(os.listdir, "/proc")]
    b = [open("mine", "w").write("x") == 1, "SECRET" not in os.environ, os.getcwd() == os.environ["HOME"] == os.environ["TMPDIR"],
         len(os.listdir("{scratch.name}/other")) >= 2]
    return [sum(a), sum(b)]
"""), env={"SECRET": "1"})
check("files elsewhere, the network, the environment: none", rc == 0 and [o["score"] for o in out] == [4, 4], text)
rc, out, text = score("other/box.py", allow=f"command:exec,fs-read:{scratch.name}", env={"SECRET": "1"})
check("a folder may be granted", rc == 0 and out[0]["score"] == 3, text)
check("temporary folders are gone", not os.listdir("tmp"), os.listdir("tmp"))

# ---- the host's end is theirs ----------------------------------------------------------------------------
program("stays.py", "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GREET +
        "subprocess.Popen(['sleep', '87654'], start_new_session=True, stdin=subprocess.DEVNULL)\n"
        "for m in requests(): sys.stderr.write('waiting\\n'); sys.stderr.flush(); time.sleep(1000)\n")


def alive():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read()
        except OSError:
            continue
        if b"87654" in words or os.path.join(scratch.name, "stays.py").encode() in words:
            found.append(pid)
    return found


for sig in (9, 15):
    host = subprocess.Popen([HONE, "score", "--reward", "command", "--set", "file=stays.py", "--set", 'program=["python3"]', "--data",
                             rows(), "--allow=command:exec"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    line = host.stderr.readline()
    seen = len(alive())
    host.send_signal(sig)
    host.wait()
    for _ in range(100):
        if not alive():
            break
        time.sleep(0.05)
    check(f"the host killed by signal {sig}: no program is left", "waiting" in line and seen >= 2 and not alive(), (line, seen, alive()))

# ---- judges ----------------------------------------------------------------------------------------------
judge = write("judge.py", """
def judge(items):
    assert items[0]["reference"] == "r" and items[0]["columns"]["answer"] == "0" and items[0].rubric == "be kind"
    return [0.5, {"score": 0.25, "reasoning": "hm"}, None, {"error": "odd"}, {"abstain": "no"}, {"score": "x"},
            {"score": 1, "criteria": [0.5, None], "label_probs": [0.1, 0.9], "ranking": [0], "cost": 0.1, "latency_ms": 2},
            {"ranking": [1]}, {"criteria": [1]}]
""")
rows(9, reference="r")
config = json.dumps({"component": "command", "file": judge})
rc, out, text = hone("score", "--reward", "judge", "--set", 'judge=' + config, "--set", "rubric=be kind", "--data",
                     "rows.jsonl", "--json", "--allow=command:exec")
verdicts = [json.loads(line)["outcomes"]["judge"] for line in out.splitlines()]
check("a judge", rc == 0 and [(v["status"], v.get("score", v.get("reason"))) for v in verdicts] == [
    ("score", 0.5), ("score", 0.25), ("abstain", None), ("error", "odd"), ("abstain", "no"),
    ("error", "the program's answer for this item is no verdict"), ("score", 1),
    ("error", "the program's answer for this item is no verdict"),
    ("error", "the program's answer for this item is no verdict")], text)
check("a judge's reasoning", verdicts[1]["notes"] == {"reasoning": "hm"} if verdicts else False, verdicts)

# ---- sources ---------------------------------------------------------------------------------------------
def drain(file, *sets, take=2000, resume=False):
    with open("source.lua", "w") as f:
        f.write("""
local hone = require "hone"
local rows = hone.source("command", { file = "%s", %s })
local sum, n = 0, 0
for row in rows:take(%d):each() do n, sum = n + 1, sum * 3 %% 1000003 + row.n end
print("rows " .. n .. " sum " .. sum)
""" % (file, ", ".join(sets), take))
    return hone("lua", "source.lua", "--allow=command:exec")


def want(n):
    s = 0
    for i in range(n):
        s = s * 3 % 1000003 + i
    return f"rows {n} sum {s}"


counted = write("counted_rows.py", "def rows():\n    for i in range(1000):\n        yield {'n': i, 'text': 'é'}\n")
rc, out, text = drain(counted)
check("a generator is a source", rc == 0 and want(1000) in out, text)
rc, out, text = drain(counted, take=300)
check("as far as it is read", rc == 0 and want(300) in out, text)
rc, out, text = drain(write("fails.py", "def rows():\n    yield {'n': 0}\n    raise OSError('disk gone')\n"))
check("a source that fails says why", rc == 1 and "OSError: disk gone" in text, text)
rc, out, text = drain(write("norow.py", "def rows():\n    yield {'n': 0}\n    yield 5\n"))
check("a row that is no object", rc == 1 and "row 2 of the program is no JSON object" in text, text)
for name, body in (("counts", "def rows():\n    at = 0\n"), ("seeks", "def rows(position=0):\n    at = position\n")):
    mark = f"{scratch.name}/mark-{name}"
    flaky = write(f"{name}.py", body + f"""
    import os
    for i in range(at, 700):
        if i == 500 and not os.path.exists("{mark}"):
            open("{mark}", "w")
            os.abort()
        yield ({{"n": i}}, i + 1) if {name == "seeks"} else {{"n": i}}
""")
    with open("flaky.lua", "w") as f:
        f.write("""
local hone = require "hone"
local sum, n = 0, 0
local rows = hone.source("command", { file = "%s" })
for row in rows:each() do n, sum = n + 1, sum * 3 %% 1000003 + row.n end
print("rows " .. n .. " sum " .. sum)
rows = hone.source("command", { file = "%s" })
for i = 1, 300 do assert(rows:next().n == i - 1) end
local at, first = rows:position(), {}
for row in rows:each() do first[#first + 1] = row.n end
rows:seek(at)
local k = 0
for row in rows:each() do k = k + 1; assert(first[k] == row.n) end
print("again", k, #first, first[1])
""" % (flaky, flaky))
    rc, out, text = hone("lua", "flaky.lua", f"--allow=command:exec,fs-write:{scratch.name}")
    check(f"a source that dies goes on without losing a row: it {name}", rc == 0 and want(700) in out and
          os.path.exists(mark), text)
    check(f"position and seek: it {name}", "again\t400\t400\t300" in out, text)

# ---- in a run --------------------------------------------------------------------------------------------
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if os.path.exists(os.path.join(ROOT, "assets", "tiny", "config.json")):
    write("run.lua", """
local hone = require "hone"
local run = hone.run { name = "command", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local rows = hone.rows { { prompt = "2+3", answer = "5" }, { prompt = "4+4", answer = "8" } }
local rewards = { hone.reward("command", { file = "plain.py" }) }
for step, prompts in run:steps(1, rows:batches(2)) do
  local r = policy:rollout(prompts, { n = 4, max_tokens = 12, rewards = rewards })
  policy:update { r, objective = "grpo", advantage = "group" }
end
""")
    rc, out, text = hone("run", "run.lua", "--run-dir", "r", "--allow=command:exec")
    metrics = json.loads(open("r/metrics.jsonl").readline()) if rc == 0 else {}
    check("a GRPO run with a reward in Python", rc == 0 and metrics["reward/command/error"] == 0 and
          metrics["reward/command/mean"] > 0, text)
    rc, out, text = hone("run", "run.lua", "--run-dir", "r2", "--allow=exec")
    check("the recipe's own exec is not the plugin's", rc == 3 and "--allow=command:exec" in text, text)
else:
    skip("a GRPO run with a reward in Python", "there is no embedded model", 2)

finish()
