"""unit_test.py - the reward unit_test: reference solutions pass, others fail, and nothing that a case does gets out of it.

Every hostile case is one row; beside each stands a plain row, which must be scored as if the other were not there.
"""
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = os.path.abspath(os.environ["HONE"])
SHARED = os.environ.get("HONE_SHARED") or os.path.join(ROOT, "..", "shared")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
os.environ["PATH"] = os.path.dirname(os.path.realpath(sys.executable)) + ":/usr/bin:/bin"
os.environ["SECRET"] = "hush"


def score(rows, *sets, allow="unit_test:exec", deadline=300, env=None):
    with open("rows.jsonl", "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    args = [HONE, "score", "--reward", "unit_test", "--data", "rows.jsonl", "--json", f"--deadline={deadline}"]
    args += [x for s in sets for x in ("--set", s)] + ([f"--allow={allow}"] if allow else [])
    run = subprocess.run(args, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    out = [json.loads(line)["outcomes"]["unit_test"] for line in run.stdout.splitlines()]
    return run.returncode, out, run.stdout[-2000:] + run.stderr[-3000:]


def row(code, *tests):
    return {"prompt": "", "completion": code, "test_list": list(tests) or ["assert f() == 1"]}


GOOD = row("def f():\n    return 1\n")

# ---- the grant -------------------------------------------------------------------------------------------
rc, out, text = score([GOOD], allow=None)
check("without a grant it is refused with a hint", rc == 3 and "--allow=unit_test:exec" in text, text)
rc, out, text = score([GOOD])
if rc == 3:
    skip("everything in boxes", "this machine has no Landlock or no seccomp", 60)
    finish()
check("a good solution", rc == 0 and out[0]["score"] == 1 and out[0]["notes"] == {"passed": 1, "tests": 1, "result": "passed"},
      text)

# ---- what is run -----------------------------------------------------------------------------------------
human = {"prompt": 'def add(a, b):\n    """ Adds. """\n', "entry_point": "add",
         "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n"}
cases = [
    ("a body goes on behind its prompt", {**human, "completion": "    return a + b\n"}, 1, "passed"),
    ("a whole function does not need it", {**human, "completion": "def add(a, b):\n    return b + a\n"}, 1, "passed"),
    ("a fenced block is taken out", {**human, "completion": "Here:\n```python\ndef add(a, b):\n    return a + b\n```\nGood?"}, 1,
     "passed"),
    ("the last of several blocks", row("```\ndef f(): return 2\n```\nno:\n```py\ndef f(): return 1\n```"), 1, "passed"),
    ("a block without an end", row("```python\ndef f(): return 1\n"), 1, "passed"),
    ("a wrong one", {**human, "completion": "    return a - b\n"}, 0, "failed"),
    ("no code at all", {**human, "completion": "I do not know."}, 0, "failed"),
    ("nothing", {**human, "completion": ""}, 0, "failed"),
    ("imports of the row", {**row("def f(): return int(math.sqrt(1))"), "test_imports": ["import math"]}, 1, "passed"),
    ("tests as one text", {"completion": "def f(): return 1", "tests": "assert f() == 1\nassert f() != 2"}, 1, "passed"),
    ("a main guard is not run", row("def f(): return 1\nif __name__ == '__main__': raise SystemExit(3)"), 1, "passed"),
    ("input finds none", row("def f():\n    try: input()\n    except EOFError: return 1"), 1, "passed"),
    ("any text", row("def f(): return 1 if 'é\u2028\U0001f600' else 0"), 1, "passed"),
    ("a NUL", row("def f(): return 1\0"), 0, "failed"),
]
rc, out, text = score([c[1] for c in cases])
for (name, _, want, result), o in zip(cases, out):
    check(name, o.get("score") == want and o["notes"]["result"] == result, o)
check("as many as rows", rc == 0 and len(out) == len(cases), text)
half = row("def f(): return 1", "assert f() == 1", "assert f() == 2", "assert f() == 1", "assert f() == 3")
rc, out, text = score([half], "score=share")
check("the share of tests", out[0]["score"] == 0.5 and out[0]["notes"]["why"].startswith("test 2: AssertionError"), text)
rc, out, text = score([half])
check("all or nothing", out[0]["score"] == 0 and out[0]["notes"]["passed"] == 2, text)
rc, out, text = score([{"completion": "x"}, {"completion": "x", "test_list": [3]}, GOOD])
check("a row without tests is an error", [o["status"] for o in out] == ["error", "error", "score"] and
      "no tests in column" in out[0]["reason"], text)
rc, out, text = score([{"completion": "def g(): return 1", "t": "assert g()"}], "tests=t")
check("the column of the tests", out[0]["score"] == 1, text)

# ---- hostile cases: (name, code, score, results that are right) ------------------------------------------
# Where the score is 1 the code itself asserts that it was held back.
REFUSED = """
def refused(fn, *args):
    try: fn(*args)
    except (OSError, MemoryError, RuntimeError): return
    raise AssertionError("not held back")
"""


def held(body):
    return REFUSED + "def f():\n" + "".join("    " + line + "\n" for line in body.splitlines()) + "    return 1\n"


victim = os.path.join(scratch.name, "victim")
os.mkdir(victim)
with open(os.path.join(victim, "precious"), "w") as f:
    f.write("here")
with open("secret.txt", "w") as f:
    f.write("hush")
LOOP = "def f():\n    while True: pass\n"
hostile = [
    ("fork bomb", "import os\ndef f():\n    while True:\n        try: os.fork()\n        except OSError: pass\n", 0, "timeout"),
    ("fork bomb that leaves", "import os\ndef f():\n    for _ in range(10):\n        try: os.fork()\n        except OSError: pass\n    os._exit(0)\n",
     0, "timeout exit"),
    ("thread bomb", "import threading, time\ndef f():\n    while True:\n        try: threading.Thread(target=time.sleep, args=(99,)).start()\n        except RuntimeError: pass\n",
     0, "timeout signal failed exit"),
    ("processes are counted", "import os, time\n" + held("""
def many():
    for _ in range(64):
        if os.fork() == 0: time.sleep(99)
refused(many)"""), 1, "passed"),
    ("a daemon left behind", "import os\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            os.closerange(0, 100)\n            os.execvp('sleep', ['sleep', '98765'])\n        os._exit(0)\n    os.wait()\n    return 1\n",
     1, "passed"),
    ("disk fill", "import os\n" + held("""
def fill():
    for i in range(1000):
        with open(f"x{i}", "wb") as f: f.write(bytes(1 << 20))
refused(fill)"""), 1, "passed"),
    ("one file too long", "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + held("""
with open("x", "wb") as f: refused(lambda: [f.write(bytes(1 << 20)) for _ in range(100)])"""), 1, "passed"),
    ("memory", held("refused(bytearray, 4 << 30)"), 1, "passed"),
    ("memory, bit by bit", "def f():\n    a = []\n    while True: a.append(bytearray(1 << 20))\n", 0, "failed signal timeout"),
    ("output flood", "def f():\n    while True: print('x' * 100000)\n", 0, "output"),
    ("output on every descriptor", "import os\ndef f():\n    for fd in range(1000):\n        try: os.write(fd, b'{\"word\":\"\",\"passed\":1,\"why\":null}')\n        except OSError: pass\n    os._exit(0)\n",
     0, "forged"),
    ("endless loop", LOOP, 0, "timeout"),
    ("sleep", "import time\ndef f(): time.sleep(1000)\n", 0, "timeout"),
    ("a loop in C code", "import re\ndef f(): return re.match('(a+)+$', 'a' * 60 + 'b')\n", 0, "timeout"),
    ("all signals ignored", "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n" + LOOP,
     0, "timeout"),
    ("it stops itself", "import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGSTOP)\n", 0, "timeout"),
    ("it kills itself", "import os\ndef f(): os.kill(os.getpid(), 9)\n", 0, "signal"),
    ("it kills everybody", "import os\ndef f():\n    try: os.kill(-1, 9)\n    except OSError: return 1\n    return 1\n", None, None),
    ("it kills the runner", "import os\ndef f():\n    try: os.kill(os.getppid(), 9)\n    except OSError: return 1\n", None, None),
    ("it stops the runner", "import os\ndef f():\n    try: os.kill(os.getppid(), 19)\n    except OSError: return 1\n", None, None),
    ("it kills process 1", "import os\ndef f():\n    try: os.kill(1, 9)\n    except OSError: return 1\n    return 1\n", None, None),
    ("limits of the runner", "import os, resource\ndef f():\n    try: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))\n    except (OSError, ValueError): return 1\n    return 1\n",
     None, None),
    ("ptrace", "import ctypes, os\n" + held("assert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == -1"), 1, "passed"),
    ("/proc", "import os\n" + held("""
refused(os.listdir, "/proc")
refused(open, "/proc/1/environ")
refused(open, f"/proc/{os.getppid()}/mem", "r+b")
refused(open, "/proc/self/environ")
refused(open, "/proc/sys/kernel/core_pattern", "w")"""), 1, "passed"),
    ("/sys and /dev", "import os\n" + held("""
refused(os.listdir, "/sys")
refused(open, "/dev/mem", "rb")
refused(open, "/dev/shm/x", "w")
refused(open, "/dev/tty")"""), 1, "passed"),
    ("the environment", "import os\ndef f(): return int('SECRET' not in os.environ and 'hush' not in str(os.environb) and len(os.environ) == 4)\n", 1, "passed"),
    ("files of others", "import os\n" + held(f"""
refused(open, "/etc/shadow")
refused(open, {os.path.join(scratch.name, "secret.txt")!r})
refused(open, {os.path.join(scratch.name, "rows.jsonl")!r})
refused(os.listdir, "/root" if os.getuid() == 0 else "/home")
refused(os.listdir, "/tmp")"""), 1, "passed"),
    ("writing elsewhere", "import os\n" + held(f"""
for folder in ("/tmp", "/", "/usr/lib", "/var/tmp", {victim!r}): refused(open, folder + "/x", "w")
refused(os.unlink, {victim!r} + "/precious")
refused(os.rename, {victim!r} + "/precious", "x")"""), 1, "passed"),
    ("symlinks", "import os\n" + held(f"""
os.symlink({victim!r}, "link")
refused(open, "link/precious")
refused(open, "link/new", "w")
os.symlink("/etc/shadow", "shadow")
refused(open, "shadow")
refused(os.link, {victim!r} + "/precious", "hard")"""), 1, "passed"),
    ("its folder becomes a symlink", f"import os, shutil\ndef f():\n    d = os.getcwd()\n    os.rmdir(d)\n    os.symlink({victim!r}, d)\n    return 1\n", 0, None),
    ("a file that cannot be removed", "import os\ndef f():\n    os.mkdir('d', 0o700)\n    open('d/x', 'w').close()\n    os.mkdir('e', 0)\n    return 1\n", None, None),
    ("a folder that cannot be listed", "import os\ndef f():\n    os.mkdir('d', 0o300)\n    open('d/x', 'w').close()\n    return 1\n", None, None),
    ("a file for the next case", "import os\ndef f():\n    open('../left', 'w').close()\n    return 1\n", None, None),
    ("what the last case left", "import os\ndef f(): return int(os.listdir('.') == [] and os.listdir('..') == ['case'])\n", 1, "passed"),
    ("the network", "import socket\n" + held("""
refused(socket.socket)
refused(socket.create_connection, ("127.0.0.1", 22), 1)
refused(socket.socket, socket.AF_UNIX)"""), 1, "passed"),
    ("more rights", "import os\n" + held("""
refused(os.chmod, ".", 0o777)
refused(os.chown, ".", 1, 1)
refused(os.setuid, 12345)
refused(os.chroot, ".")"""), 1, "passed"),
    ("mounts and namespaces", "import ctypes\n" + held("""
libc = ctypes.CDLL(None)
assert libc.unshare(0x10000000) == -1
assert libc.mount(b"none", b".", b"tmpfs", 0, None) == -1"""), 1, "passed"),
    ("exit 0", "import os\nos._exit(0)\n", 0, "exit"),
    ("exit 0 in a test", "import os\ndef f(): os._exit(0)\n", 0, "exit"),
    ("SystemExit", "import sys\nsys.exit(0)\n", 0, "failed"),
    ("another program", "import os\ndef f(): os.execv('/bin/true', ['true'])\n", 0, "failed"),
    ("an exception of no class", "class E(BaseException): pass\ndef f(): raise E\n", 0, "failed"),
    ("an exception that cannot be shown", "class E(Exception):\n    def __str__(self): raise E\ndef f(): raise E\n", 0, "failed exit"),
    ("deep recursion", "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(): return f()\n", 0, "signal failed timeout"),
    ("a crash", "import ctypes\ndef f(): ctypes.string_at(0)\n", 0, "signal"),
    ("builtins that agree", "import builtins\nbuiltins.all = builtins.any = lambda *a: True\nbuiltins.len = lambda x: 1\ndef f(): return [2]\n",
     0, "failed exit"),
    ("closed descriptors", "import os\nos.closerange(0, 1000)\ndef f(): return 1\n", 0, "exit"),
    ("no standard output", "import sys\nsys.stdout = sys.stderr = None\ndef f(): return 1\n", 1, "passed"),
    ("a thread that goes on", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\ndef f(): return 1\n", 1, "passed"),
    ("at exit", "import atexit, time\natexit.register(time.sleep, 1000)\ndef f(): return 1\n", 1, "passed"),
    ("another working folder", "import os\nos.chdir('/')\ndef f(): return 1\n", 1, "passed"),
    ("modules of the runner", "import sys\ndef f(): return int('hone_unit_test' not in sys.modules and not hasattr(sys.modules['__main__'], 'S'))\n", 1, "passed"),
]
tests = {"builtins that agree": "assert len(f()) == 2 and all(f()) and not any([])"}
rows = [r for name, code, _, _ in hostile for r in (row(code, *filter(None, [tests.get(name)])), GOOD)]
start = time.monotonic()
rc, out, text = score(rows, "wall_s=1", "memory_mb=256", "tmp_mb=16", "file_mb=8", "output_kb=64", deadline=280)
check("hostile cases: as many outcomes as rows", rc == 0 and len(out) == len(rows), text)
for (name, code, want, results), o in zip(hostile, out[::2]):
    good = o["status"] == "score" and (want is None or o["score"] == want) and \
        (results is None or o["notes"].get("result") in results.split())
    check("hostile: " + name, good, o)
check("hostile cases do not reach the others", all(o.get("score") == 1 for o in out[1::2]),
      [(hostile[i][0], o) for i, o in enumerate(out[1::2]) if o.get("score") != 1])
check("the victim is untouched", os.listdir(victim) == ["precious"] and open(victim + "/precious").read() == "here")


def left_behind():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read()
        except OSError:
            continue
        if b"98765" in words or (b"hone_unit_test.py" in words and scratch.name.encode() in words):
            found.append(words)
    return found


for _ in range(50):
    if not left_behind():
        break
    time.sleep(0.1)
check("no process is left behind", not left_behind(), left_behind())

# ---- cheats: code that is wrong and would pass tests which shared its process -------------------------------------------
EQUAL = "class E(%s):\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n    __hash__ = None\n"
HIT = ("def hunt(done=set()):\n    import gc, re, sys\n    texts = [repr(vars(m)) for m in list(sys.modules.values()) if hasattr(m, '__dict__')]\n"
       "    texts += [repr(f.f_locals) for fs in sys._current_frames().values() for f in [fs]]\n"
       "    texts += [repr(o) for o in gc.get_objects() if type(o) in (dict, list, tuple, str, bytes) and len(o) < 10000]\n"
       "    f = sys._getframe()\n    while f:\n        texts += [repr(f.f_locals), repr(f.f_globals), repr(f.f_code.co_consts)]\n        f = f.f_back\n"
       "    found = [m for t in texts for m in re.findall(r'(?:assert f\\(\\)|y) ==? ?(\\d+)', t)]\n    return int(found[0]) if found else 2\n")
CHECK = {"prompt": "def add(a, b):\n    \"\"\" Adds. \"\"\"\n", "entry_point": "add",
         "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert abs(candidate(1.5, 2) - 3.5) < 1e-6\n"}
HELPED = {"prompt": "def poly(x):\n    return x * x - 4\n\ndef root(a):\n    \"\"\" Finds it. \"\"\"\n", "entry_point": "root",
          "test": "def check(candidate):\n    assert abs(poly(candidate(1))) < 1e-6\n"}
cheats = [
    ("an object that equals everything", row(EQUAL % "object" + "def f(): return E()")),
    ("a number that equals everything", row(EQUAL % "int" + "def f(): return E(7)")),
    ("a float of a class with any difference", row("class E(float):\n    def __sub__(s, o): return 0.0\n    __rsub__ = __sub__\ndef f(): return E(9)", "assert abs(f() - 1) < 0.1")),
    ("an object with any difference", row("class E:\n    def __sub__(s, o): return 0.0\n    def __lt__(s, o): return True\n    __rsub__ = __sub__\ndef f(): return E()", "assert abs(f() - 1) < 0.1")),
    ("a list of such objects", row(EQUAL % "object" + "def f(): return [E(), {'k': E()}]", "assert f() == [1, {'k': 2}]")),
    ("a dict that has everything", row("class D(dict):\n    def __contains__(s, k): return True\n    def __getitem__(s, k): return 1\n    def get(s, k, d=None): return 1\ndef f(): return D()", "assert f()['a'] == 1")),
    ("a class in the place of the function", row("class M(type):\n    def __eq__(s, o): return True\nclass f(metaclass=M): pass", "assert f() == 1")),
    ("an object with any attribute", row("class A:\n    def __getattr__(s, n): return lambda *a, **k: s\n    def __call__(s, *a): return s\n    def __eq__(s, o): return True\nf = A()")),
    ("sys.exit(0) in the body", row("import sys\ndef f(): sys.exit(0)")),
    ("os._exit(0) in the body", row("import os\ndef f(): os._exit(0)")),
    ("os._exit(0) at exit", row("import atexit, os, sys\natexit.register(os._exit, 0)\ndef f(): return 2")),
    ("builtins replaced", row("import builtins\nfor n in 'abs all any bool float int isinstance len max min set sorted str sum'.split():\n    setattr(builtins, n, lambda *a, **k: 1)\ndef f(): return 2",
                              "assert sum([f()]) == 1 and abs(f()) == 1 and len([f(), 2]) == 1")),
    ("AssertionError replaced", row("import builtins\nclass A(Exception): pass\nbuiltins.AssertionError = A\ndef f(): return 2",
                                    "try:\n    assert f() == 1\nexcept ValueError: pass")),
    ("a name of the tests' defined beside the function", row("def abs(x): return 0\ndef isclose(a, b): return True\ndef f(): return 2", "from math import isclose\nassert isclose(f(), 1) or abs(f() - 1) < 0.1")),
    ("math replaced", row("import math\nmath.isclose = lambda *a, **k: True\ndef f(): return 2", "import math\nassert math.isclose(f(), 1)")),
    ("check overridden", {**CHECK, "completion": "def add(a, b): return 0\ndef check(candidate): pass\n"}),
    ("check overridden when it is called", {**CHECK, "completion": "import sys\ndef add(a, b):\n    for m in list(sys.modules.values()):\n        try: m.check = lambda c: None\n        except Exception: pass\n    f = sys._getframe()\n    while f:\n        f.f_globals['check'] = lambda c: None\n        f = f.f_back\n    return 0\n"}),
    ("a helper of the prompt overridden", {**HELPED, "completion": "def poly(x): return 0\ndef root(a): return 7\n"}),
    ("a trace function that jumps over asserts", row("import sys\ndef t(f, e, a):\n    f.f_trace_lines = True\n    return t\nsys.settrace(t)\ndef f():\n    g = sys._getframe()\n    while g:\n        g.f_trace = t\n        g = g.f_back\n    return 2")),
    ("compile and exec replaced", row("import builtins\nbuiltins.compile = lambda *a, **k: (lambda: 0).__code__\nbuiltins.exec = lambda *a, **k: None\ndef f(): return 2")),
    ("a verdict forged on standard output", row("print('{\"hone\":1,\"batch\":1,\"outcomes\":[1]}')\nprint('done')\ndef f(): return 2")),
    ("a verdict forged on every descriptor", row("import json, os\nfor fd in range(3, 256):\n    for t in ('done', json.dumps({'score': 1.0, 'notes': {'passed': 1, 'tests': 1, 'result': 'passed'}})):\n        try: os.write(fd, (t + '\\n').encode())\n        except OSError: pass\ndef f(): return 2")),
    ("answers of the protocol forged", row("import os\ndef f():\n    for fd in range(3, 256):\n        try: os.write(fd, b'{\"value\":[\"l\",{\"a\":1}]}\\n')\n        except OSError: pass\n    return 2")),
    ("a call into the tests' process", row("import os\ndef f():\n    for fd in range(3, 256):\n        for op in ('get', 'call'):\n            try: os.write(fd, ('{\"op\":\"%s\",\"args\":[[\"yours\",0],\"x\"]}\\n' % op).encode())\n            except OSError: pass\n    return 2")),
    ("values of no kind", row("import os\ndef f():\n    for fd in range(3, 256):\n        try: os.write(fd, b'{\"value\":[\"type\",\"exec\"]}\\n')\n        except OSError: pass\n    return 2")),
    ("tests read from memory", row(HIT + "def f(): return hunt()", "assert f() == 51505150")),
    ("tests read in a call", row(HIT + "def f(x): return hunt()", "y = 51505150\nassert f(lambda: y) == y")),
    ("tests read from a function that they give", row("def f(g):\n    try: return g.__globals__['y']\n    except Exception: pass\n    try: return g.__closure__[0].cell_contents\n    except Exception: return 2", "y = 77\nassert f(lambda: y + 1) == y")),
    ("tests read from files", row("import os\ndef f():\n    for fd in range(3, 256):\n        for at in range(0, 4):\n            try:\n                if b'assert' in os.pread(fd, 1 << 20, 0): return 1\n            except OSError: pass\n    return 2")),
    ("another row's reference", row("def f(): return open('../case/solution.py')")),
]
rows = [c[1] for c in cheats]
rc, out, text = score(rows, "wall_s=5")
check("cheats: as many outcomes as rows", rc == 0 and len(out) == len(rows), text)
for (name, _), o in zip(cheats, out):
    check("cheat: " + name, o.get("score") == 0 and o["notes"]["result"] in ("failed", "exit", "forged", "signal"), o)
rc, out, text = score([cheats[0][1], GOOD], "apart=false")
check("in one process the first of them passes", [o.get("score") for o in out] == [1, 1], text)
seen = [r for n, r in cheats if n == "tests read from memory"]
rc, out, text = score(seen, "apart=false")
check("in one process the tests are found", out[0].get("score") == 1, text)

# ---- what crosses between code and tests ----------------------------------------------------------------------------------
crossing = [
    ("plain values", row("def f(x): return x", "import math", "v = [1, -2**80, 1.5, True, None, 'é\\ud800', b'x', (1, [2]), {1: {2}}, frozenset([3]), 1j, range(3), float('inf'), bytearray(b'y'), int]\nassert f(v) == v and [type(a) for a in f(v)] == [type(a) for a in v]")),
    ("exact types of subclasses", row("from collections import *\nP = namedtuple('P', 'a b')\ndef f(): return Counter('aab'), OrderedDict(a=1), P(1, 2), deque([1]), defaultdict(list, a=[1])",
                                      "import collections\nassert f() == ({'a': 2, 'b': 1}, {'a': 1}, (1, 2), collections.deque([1]), {'a': [1]})")),
    ("fractions and decimals", row("from fractions import Fraction as F\nfrom decimal import Decimal as D\ndef f(): return F(1, 3), D('0.10')", "from fractions import Fraction\nfrom decimal import Decimal\nassert f() == (Fraction(1, 3), Decimal('0.1'))")),
    ("NaN", row("def f(): return float('nan')", "assert f() != f()")),
    ("an argument changed in place", row("def f(x):\n    x.sort()\n    x[0].append(9)\n    return x", "a = [[2], [1]]\nb = a[1]\nassert f(a) == [[1, 9], [2]] and a == [[1, 9], [2]]")),
    ("a dict changed in place", row("def f(x): x['k'] = 2", "d = {'k': 1}\nf(d)\nassert d == {'k': 2}")),
    ("named arguments", row("def f(a, *b, c=3, **d): return a, b, c, d", "assert f(1, 2, c=4, e=5) == (1, (2,), 4, {'e': 5})")),
    ("exceptions", row("class Odd(ValueError): pass\ndef f(x):\n    if x: raise Odd('why', x)\n    return {}['k']",
                       "try: f(2)\nexcept ValueError as e: assert e.args == ('why', 2) and type(e).__name__ == 'Odd'\nelse: assert 0", "try: f(2)\nexcept Odd: pass\ntry: f(0)\nexcept KeyError as e: assert str(e) == \"'k'\"")),
    ("generators", row("def f(n):\n    for i in range(n): yield i * i", "g = f(4)\nassert next(g) == 0 and list(g) == [1, 4, 9] and sum(f(3)) == 5")),
    ("classes and instances", row("class Stack:\n    size = 0\n    def __init__(s): s.a = []\n    def push(s, x): s.a.append(x); return s\n    def pop(s): return s.a.pop()\n    def __len__(s): return len(s.a)\n    def __iter__(s): return iter(s.a)\n    def __eq__(s, o): return s.a == o.a",
                                  "s = Stack()\nassert s.push(1).push('a') and len(s) == 2 and s.pop() == 'a' and list(s) == [1] and s.a == [1] and Stack.size == 0 and s == Stack().push(1) and s != Stack() and isinstance(s, Stack) and not isinstance(3, Stack)")),
    ("an object of the code's is no value", row("class A: pass\ndef f(): return A()", "a = f()\nassert a != 1 and a != [1] and not a == 'x'\ntry: a + 1\nexcept TypeError: pass\nelse: assert 0")),
    ("functions both ways", row("def f(g, xs): return [g(x) for x in xs]\ndef twice(g): return lambda x: g(g(x))", "assert f(lambda x: x + 1, [1, 2]) == [2, 3] and twice(lambda x: x * 3)(2) == 18 and f(twice(abs), [-1]) == [1]")),
    ("an exception of a function that the tests give", row("def f(g):\n    try: g()\n    except ZeroDivisionError: return 1", "assert f(lambda: 1 / 0) == 1")),
    ("iterators of the tests", row("def f(it): return sum(it)", "assert f(x for x in [1, 2]) == 3 and f(iter([4])) == 4 and f(map(abs, [-1])) == 1")),
    ("classes of the setup", {**row("def f(n):\n    return Node(n.v + 1, n.next)", "a = Node(1, Node(5))\nb = f(a)\nassert type(b) is Node and b.v == 2 and b.next.v == 5"),
                              "test_setup_code": "class Node:\n    def __init__(self, v, next=None): self.v, self.next = v, next"}),
    ("imports of the solution", row("LIMIT = 3\ndef f(): return LIMIT", "from solution import f as g, LIMIT\nimport solution\nassert g() == LIMIT == solution.f()")),
    ("a builtin's name", row("def sum(a, b): return a + b", "assert sum(10, 15) == 25")),
    ("a global of the code's", row("WORDS = ['a']\ndef f(): return 1", "assert WORDS == ['a'] and f() == 1")),
    ("files of the tests", row("def f(name): return open(name).read()", "with open('x.txt', 'w') as h: h.write('hi')\nassert f('x.txt') == 'hi'")),
    ("recursion", row("def f(n): return [f(n - 1)] if n else []", "x = f(50)\nfor _ in range(50): x = x[0]\nassert x == []")),
    ("big values", row("def f(n): return list(range(n))", "assert f(200000) == list(range(200000))")),
]
rc, out, text = score([c[1] for c in crossing])
for (name, _), o in zip(crossing, out):
    check("crossing: " + name, o.get("score") == 1, o)

# ---- less of a box ---------------------------------------------------------------------------------------
few = [GOOD, row(LOOP), GOOD, row("import os\ndef f(): os.fork(); return 1"), GOOD]
for without, allow in (("namespaces", []), ("cgroup", []), ("namespaces,cgroup", [])):
    rc, out, text = score(few, "wall_s=1", env={"HONE_SANDBOX_WITHOUT": without})
    check(f"without {without}", rc == 0 and [o.get("score") for o in out[::2]] == [1, 1, 1] and out[1].get("score") == 0, text)
rc, out, text = score([GOOD], env={"HONE_SANDBOX_WITHOUT": "landlock,seccomp"})
check("without Landlock and seccomp it is refused", rc == 3 and "weak-box" in text, text)

# ---- time ------------------------------------------------------------------------------------------------
start = time.monotonic()
rc, out, text = score([row(LOOP)], "wall_s=30", deadline=2)
check("a case that the batch's deadline cuts short is no failure of its code", rc == 1 and time.monotonic() - start < 20 and
      out[0]["status"] == "error" and "time of its batch" in out[0]["reason"], text)

# ---- C ---------------------------------------------------------------------------------------------------
if shutil.which("cc"):
    def c(code, test="int main(void) { return f() == 1 ? 0 : 1; }"):
        return {"prompt": "", "completion": code, "test": test}
    cs = [("passes", c("int f(void) { return 1; }"), 1, "passed"), ("fails", c("int f(void) { return 2; }"), 0, "failed"),
          ("does not compile", c("int f(void) { return }"), 0, "failed"),
          ("exits before its tests", c("#include <stdlib.h>\n__attribute__((constructor)) void g(void) { exit(0); }\nint f(void) { return 2; }"), 0, "exit"),
          ("loops", c("int f(void) { for (;;); }"), 0, "timeout"), ("crashes", c("int f(void) { return *(volatile int *)0; }"), 0, "signal"),
          ("forks", c("#include <unistd.h>\nint f(void) { while (1) fork(); }"), 0, "timeout"),
          ("in a fence", c("```c\nint f(void) { return 1; }\n```"), 1, "passed")]
    rc, out, text = score([x[1] for x in cs], "language=c", "wall_s=3")
    for (name, _, want, result), o in zip(cs, out):
        check("C: " + name, o.get("score") == want and o["notes"]["result"] == result, o)
    rc, out, text = score([cs[0][1]], "language=c", "compiler=no-such-cc")
    check("C: without a compiler", rc == 1 and 'there is no compiler "no-such-cc"' in text, text)
else:
    skip("C", "there is no compiler", 9)

# ---- reference solutions ---------------------------------------------------------------------------------
human = os.path.join(SHARED, "assets/data/humaneval/HumanEval.jsonl.gz")
mbpp = os.path.join(SHARED, "assets/data/mbpp/sanitized_test.jsonl")
if os.path.exists(human) and os.path.exists(mbpp):
    with gzip.open(human, "rt") as f:
        he = [json.loads(line) for line in f]
    with open(mbpp) as f:
        mb = [json.loads(line) for line in f]
    full = os.environ.get("HONE_FULL") == "1"
    mb = mb if full else mb[::8]

    def of(rows, completion):
        start = time.monotonic()
        rc, out, text = score([{**r, "completion": completion(i, r)} for i, r in enumerate(rows)])
        scores = [o.get("score") for o in out]
        return scores, time.monotonic() - start, text
    scores, took, text = of(he, lambda i, r: r["canonical_solution"])
    check("HumanEval: every reference solution passes", scores == [1] * len(he), text)
    print(f"HumanEval: {len(he)} problems in {took:.1f} s")
    part = he if full else he[::4]
    scores, _, text = of(part, lambda i, r: "    pass\n")
    check("HumanEval: empty bodies fail", scores == [0] * len(part), text)
    scores, _, text = of(part, lambda i, r: part[i - 1]["prompt"] + part[i - 1]["canonical_solution"])
    check("HumanEval: solutions of another problem fail", scores == [0] * len(part), text)
    scores, _, text = of(mb, lambda i, r: r["code"])
    check("MBPP: every reference solution passes", scores == [1] * len(mb), text)
    scores, _, text = of(mb, lambda i, r: r["code_header"] + "\n    pass\n")
    check("MBPP: empty bodies fail", scores == [0] * len(mb), text)
    scores, _, text = of(mb, lambda i, r: mb[i - 1]["code"])
    check("MBPP: solutions of another problem fail", scores == [0] * len(mb), text)
else:
    skip("HumanEval and MBPP", "../shared is not there", 6)

finish()
