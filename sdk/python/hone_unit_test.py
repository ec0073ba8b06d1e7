"""hone_unit_test.py - runs code of a model with its tests; the runner of the reward unit_test, started in a box by hone.

Speaks the protocol of docs/command.md. It imports what solutions use, then forks for each case: a process for the code, a
process for the tests, which call the code through hone_unit_link.py. The tests' process alone has the tests and says what
came of them, in a file that the code's process has not open; whatever else happens (an exit, a signal, silence) is a
failure. After a case every process of the box but this one is killed and the folder is emptied; where either is not
possible the runner ends, and hone starts another one.

The runner never sees a sample: a process of its own reads each request, and another writes the answer, so nothing of the
tests is in the memory from which the code's process is forked.

In C, and with apart = false, code and tests share the code's process, which gets both and a word that it has to say.
"""
import ast, builtins, collections, copy, ctypes, datetime, fractions, functools, gc, hashlib, heapq, itertools, json, math
import operator, os, random, re, resource, select, shutil, signal, statistics, string, struct, sys, time, typing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hone_unit_link import Broken, Link  # noqa: E402

MB, LIBC = 1 << 20, ctypes.CDLL(None, use_errno=True)
S = {}  # settings


# ---- what to run -------------------------------------------------------------------------------------------------------
def code_of(text):
    """The last fenced block, or the text as it is."""
    blocks = re.findall(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", text, re.S | re.M)
    return blocks[-1] if blocks else text


def defines(name, code):
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.search(r"^(?:async\s+)?(?:def|class)\s+%s\b" % re.escape(name), code, re.M) is not None
    return any(getattr(n, "name", None) == name or any(getattr(t, "id", None) == name for t in getattr(n, "targets", []))
               for n in tree.body)


class Case:
    """code, setup, tests, entry (the name that the code must define), helpers: what stands before the code and defines it"""

    def __init__(self, sample):
        row = sample["columns"]
        names = [S["tests"]] if S["tests"] else ["test_list", "test", "tests"]
        tests = next((row[n] for n in names if row.get(n)), None)
        if not tests or not (isinstance(tests, str) or all(isinstance(t, str) for t in tests)):
            raise ValueError("the row has no tests in column " + " or ".join(names))
        self.tests = [tests] if isinstance(tests, str) else tests
        self.code, self.entry, self.helpers = code_of(sample["completion"]), row.get(S["entry_point"]), ""
        before = row.get(S["prefix"])
        if self.entry and S["language"] == "python" and isinstance(before, str):
            if not defines(self.entry, self.code):
                self.code = before + self.code
            if defines(self.entry, before):
                self.helpers = before
        setup = row.get("test_imports") or row.get("test_setup_code") or ""
        self.setup = setup if isinstance(setup, str) else "\n".join(setup)


# ---- a process of a case -----------------------------------------------------------------------------------------------
def limit(what, n):
    hard = resource.getrlimit(what)[1]
    n = n if hard == resource.RLIM_INFINITY else min(n, hard)
    resource.setrlimit(what, (n, n))


def landlock(programs):
    """A Landlock domain of its own: it starts no other programs than these (None: any), and, from Linux 6.12 on, its
    signals do not reach the runner."""
    version = LIBC.syscall(444, None, ctypes.c_size_t(0), 1)
    execute, scoped = 0 if programs is None else 1, 3 if version >= 6 else 0
    if version < 1 or not execute | scoped:
        return
    attr = struct.pack("QQQ", execute, 0, scoped)[:24 if version >= 6 else 8]
    rules = LIBC.syscall(444, attr, ctypes.c_size_t(len(attr)), 0)
    for path in programs or ():
        fd = os.open(path, os.O_PATH)
        LIBC.syscall(445, rules, 1, struct.pack("=Qi", 1, fd), 0)
        os.close(fd)
    LIBC.syscall(446, rules, 0)
    os.close(rules)


def confine(folder, out, may_start=()):
    os.setsid()
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin", HOME=folder, TMPDIR=folder, LANG="C.UTF-8")
    for n in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(n, signal.SIG_DFL)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, S["cpu_s"])
    limit(resource.RLIMIT_AS, S["memory_mb"] * MB)
    limit(resource.RLIMIT_STACK, 64 * MB)
    landlock(may_start)


def keep_only(*fds):
    """These become 60, 61 ...; every other descriptor but the first three is closed."""
    for i, fd in enumerate(fds):
        os.dup2(fd, 60 + i)
    os.closerange(3, 60)
    os.closerange(60 + len(fds), 256)
    return range(60, 60 + len(fds))


def brief(e):
    return f"{type(e).__name__}: {e}"[:300] if str(e) else type(e).__name__


def new_module():
    for name in ("hone_unit_test", "hone_unit_link", "__main__", "ctypes", "_ctypes"):
        sys.modules.pop(name, None)
    module = type(sys)("solution")
    module.__dict__.update(__name__="solution", __builtins__=builtins)
    sys.modules["solution"] = sys.modules["__main__"] = module
    sys.argv = ["solution.py"]
    random.seed(0)
    return module


def load(module, setup, code):
    """Why it cannot be run, or None."""
    try:
        exec(compile(setup, "setup.py", "exec"), module.__dict__)
        exec(compile(code, "solution.py", "exec"), module.__dict__)
    except BaseException as e:
        return "the code: " + brief(e)


def run_test(module, test, k, entry):
    exec(compile(test, f"test{k + 1}.py", "exec"), module.__dict__)
    if entry and "check" in module.__dict__ and "def check(" in test:  # as HumanEval has it
        module.__dict__["check"](module.__dict__[entry])


# ---- the code's process ------------------------------------------------------------------------------------------------
def code_process(folder, out, ask, reply):
    confine(folder, out, None if S["language"] == "c" else ())
    limit(resource.RLIMIT_FSIZE, S["file_mb"] * MB)
    limit(resource.RLIMIT_NOFILE, 64)
    ask, reply = keep_only(ask, reply)
    link = Link(ask, reply, guarded=False)
    m = link.receive()
    if "word" in m:
        run = run_c if S["language"] == "c" else run_together
        passed, why = run(m, reply)
        return link.send({"word": m["word"], "passed": passed, "why": why})
    module = new_module()
    why = load(module, m["setup"], m["code"])
    if why:
        return link.send({"why": why})
    found = {n: vars(module)[n] for n in m["names"] if n in vars(module)}
    link.classes.update((n, found[n]) for n in m["classes"] if isinstance(found.get(n), type))
    link.send({"names": {n: link.encode(x) for n, x in found.items() if n not in m["classes"]}})
    while True:
        link.serve(link.receive())


def run_together(m, reply):
    """(tests passed, why the first other one did not)"""
    clean, module = dict(vars(builtins)), new_module()
    why, passed = load(module, m["setup"], m["code"]), 0
    if why:
        return 0, why
    for k, test in enumerate(m["tests"]):
        vars(builtins).update(clean)  # abs, all, len are what they were
        try:
            run_test(module, test, k, m["entry"])
            passed += 1
        except BaseException as e:
            why = why or f"test {k + 1}: " + brief(e)
    return passed, why


C_MAIN = r"""
#include <unistd.h>
int hone_tests(void);
int main(void) { if (hone_tests() != 0) return 1; return write(%d, "%s", %d) == %d ? 0 : 1; }
"""


def compile_c(*files):
    pid = os.fork()
    if pid == 0:
        os.closerange(3, 256)
        words = [S["compiler"], "-O1", "-w", *(["-static"] if S["static"] else []), "-o", "linked", *files, "-lm"]
        try:
            os.execvp(words[0], words)
        finally:
            os._exit(127)
    return os.waitpid(pid, 0)[1] == 0


def run_c(m, reply):
    """Compiles and becomes the program: its main is the tests', whose 0 is a pass."""
    answer = json.dumps({"word": m["word"], "passed": 1, "why": None}) + "\n"
    with open("solution.c", "w") as f:
        f.write(m["setup"] + "\n" + m["code"] + "\n#define main hone_tests\n" + "\n".join(m["tests"]) + "\n")
    with open("main.c", "w") as f:
        f.write(C_MAIN % (reply, json.dumps(answer)[1:-1], len(answer), len(answer)))
    if not compile_c("solution.c", "main.c"):
        return 0, "the code does not compile"
    with open("linked", "rb") as a, open(os.open("program", os.O_WRONLY | os.O_CREAT, 0o700), "wb") as b:
        shutil.copyfileobj(a, b)  # chmod is not allowed here: a file is made executable, or never is
    for name in ("linked", "solution.c", "main.c"):
        os.unlink(name)
    if S["static"]:  # one that is not also starts its loader, which starts anything
        landlock(["program"])
    os.set_inheritable(reply, True)
    os.execv("program", ["program"])


# ---- the tests' process ------------------------------------------------------------------------------------------------
def names_in(tests):
    """(names that the tests read, names that they call)"""
    read, called = set(), set()
    for test in tests:
        try:
            nodes = list(ast.walk(ast.parse(test)))
        except (SyntaxError, ValueError, RecursionError):
            continue
        read |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        called |= {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        read |= {a.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "solution" for a in n.names}
        read |= {n.attr for n in nodes if isinstance(n, ast.Attribute)} if "solution" in test else set()
    return read, called


def names_of_code(case, module):
    """The names that the tests take from the code: none that the row itself or Python defines, but the entry point; and
    where the tests call nothing but one builtin, that one (a task may be to write `sum`)."""
    read, called = names_in(case.tests)
    own = {n for n in read if n not in vars(builtins) and n not in vars(module)}
    if case.entry:
        own.add(case.entry)
    elif not own and len(called) == 1:
        own = called
    return own


def test_apart(case, link):
    """(tests passed, why the first other one did not)"""
    module = new_module()
    why = load(module, case.setup, case.helpers)
    if why:
        return 0, why
    classes = [n for n, x in vars(module).items() if isinstance(x, type) and x.__module__ == "solution"]
    names = names_of_code(case, module)
    link.classes.update((n, vars(module)[n]) for n in classes if n not in names)
    link.send({"setup": case.setup, "code": case.code, "names": sorted(names) + classes, "classes": list(link.classes)})
    m = link.receive()
    if "why" in m:
        return 0, str(m["why"])[:300]
    if type(m.get("names")) is not dict:
        link.fail("its process wrote what is no greeting")
    for name in names:
        vars(module).pop(name, None)
        if name in m["names"]:
            vars(module)[name] = link.get(m["names"][name])
    passed = 0
    for k, test in enumerate(case.tests):
        try:
            run_test(module, test, k, case.entry)
            passed += 1
        except Broken:
            raise
        except BaseException as e:
            why = why or f"test {k + 1}: " + brief(e)
    return passed, why


def test_together(case, link):
    word = os.urandom(16).hex()
    link.send({"word": word, **vars(case)})
    m = link.receive()
    if m.get("word") != word or m.get("passed") not in range(len(case.tests) + 1):
        link.fail("it answered in the place of its tests")
    return m["passed"] * (len(case.tests) if S["language"] == "c" else 1), m["why"]


def outcome(result, why, passed, total):
    notes = {"passed": passed, "tests": total, "result": result}
    if why:
        notes["why"] = why
    return {"score": passed / total if S["score"] else float(passed == total), "notes": notes}


def tests_process(folder, out, ask, reply, tell, files, span):
    """Writes its outcome and tells the runner "done"; or tells it how many tests there are and that the code is gone."""
    requests, results = files
    case = Case(json.loads(os.pread(requests, span[1], span[0])))
    confine(folder, out)
    ask, reply, tell, results = keep_only(ask, reply, tell, results)
    link, total = Link(reply, ask, guarded=True), len(case.tests)
    together = S["language"] == "c" or not S["apart"]
    try:
        passed, why = (test_together if together else test_apart)(case, link)
    except Broken:
        pass
    if link.broken and not link.why:
        os.write(tell, b"gone %d\n" % total)
    else:
        put(results, outcome("forged", link.why, 0, total) if link.broken else
            outcome("passed" if passed == total else "failed", why, passed, total))
        os.write(tell, b"done\n")


# ---- in the runner -----------------------------------------------------------------------------------------------------
def put(file, message):
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(file, data):]


def fork(body, *args):
    pid = os.fork()
    if pid == 0:
        try:
            body(*args)
        except Broken:
            pass
        finally:
            os._exit(0)
    return pid


def end_all(pids):
    """Every process of the case. Where the box has no namespace of its own only its sessions are found."""
    for pid in [-1] if S["alone"] else pids:
        try:
            os.kill(-1, signal.SIGKILL) if pid < 0 else os.killpg(pid, signal.SIGKILL)
        except OSError:
            pass
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.0005)
        except ChildProcessError:
            return
    sys.exit("a case left processes that cannot be killed")


def clean(folder):
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder) or os.listdir("."):
        sys.exit("a case left files that cannot be removed")


def listen(tell, printed, until):
    """What the tests' process told, and what else ended the case."""
    told, size, reads = b"", 0, [tell, printed]
    while True:
        left = until - time.monotonic()
        ready = select.select(reads, [], [], max(left, 0))[0] if left > 0 else []
        if not ready and left <= 0:
            return told, "timeout"
        for fd in ready:
            part = os.read(fd, 65536)
            if fd == tell:
                told += part
                if not part or told.endswith(b"\n"):
                    return told, None
            elif part:
                size += len(part)
                if size > S["output_kb"] * 1024:
                    return told, "output"
            else:
                reads.remove(fd)


def failure(ended, status, total):
    """The outcome of a case whose tests did not come to their end."""
    if ended == "timeout":
        return outcome("timeout", f"it did not end within {S['wall_s']:g} s", 0, total)
    if ended == "output":
        return outcome("output", f"it printed more than {S['output_kb']} KB", 0, total)
    if status is not None and os.WIFSIGNALED(status):
        return outcome("signal", "it was killed by " + signal.Signals(os.WTERMSIG(status)).name, 0, total)
    if S["language"] == "c" and status is not None and os.WEXITSTATUS(status):
        return outcome("failed", f"it ended with exit code {os.WEXITSTATUS(status)}", 0, total)
    return outcome("exit", "it ended before its tests did", 0, total)


def run(files, span, until):
    """One case; its outcome becomes a line of the results."""
    results, before, now = files[1], os.fstat(files[1]).st_size, time.monotonic()
    if span[2]:
        return put(results, {"error": span[2]})
    if until - now < 0.05:
        return put(results, {"error": "the time of its batch was over before it was run"})
    wall, folder = min(S["wall_s"], until - now), os.path.join(os.getcwd(), "case")
    os.mkdir(folder, 0o700)
    ask, reply, tell, out = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    code = fork(code_process, folder, out[1], ask[0], reply[1])
    tests = fork(tests_process, folder, out[1], ask[1], reply[0], tell[1], files, span)
    for fd in (*ask, *reply, tell[1], out[1]):
        os.close(fd)
    told, ended = listen(tell[0], out[0], now + wall)
    status = None
    for _ in range(0 if told == b"done\n" or ended else 200):  # how does it end?
        got, st = os.waitpid(code, os.WNOHANG)
        if got == code:
            status = st
            break
        time.sleep(0.001)
    end_all([code, tests])
    clean(folder)
    os.close(tell[0])
    os.close(out[0])
    if told == b"done\n" and not ended:
        return
    os.ftruncate(results, before)
    if ended == "timeout" and wall < S["wall_s"]:
        put(results, {"error": "the time of its batch was over while it ran"})
    else:
        put(results, failure(ended, status, span[3]))


# ---- requests ----------------------------------------------------------------------------------------------------------
def read_request(requests, tell):
    """In a process of its own: the samples of the next request into a file, and where each stands in it to the runner."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 1 << 20)
        if not part:
            return
        line += part
    m, spans, at = json.loads(line), [], 0
    for sample in m["samples"]:
        data, error, total = json.dumps(sample).encode(), None, 0
        try:
            total = len(Case(sample).tests)
        except (ValueError, TypeError) as e:
            error = str(e)
        while data:
            n = os.write(requests, data)
            data, at = data[n:], at + n
        spans.append([at, error, total])
    starts = [0] + [s[0] for s in spans]
    put(tell, {"batch": m["batch"], "seconds": m.get("seconds", 1e9),
               "spans": [[a, s[0] - a, *s[1:]] for a, s in zip(starts, spans)]})


def write_answer(results, batch, say_to):
    """In a process of its own, too: the outcomes of other completions of a row are none of the code's business."""
    data = os.pread(results, os.fstat(results).st_size, 0)
    put(say_to, {"batch": batch, "outcomes": list(map(json.loads, data.splitlines()))})


def wait_for(pid):
    os.waitpid(pid, 0)


def new_file(name):
    """A file without a name, at its end."""
    try:
        fd = os.memfd_create(name)
    except OSError:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(name)
    import fcntl
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    return fd


def serve(say_to):
    while True:
        select.select([0], [], [])
        files, (heard, tell) = (new_file("requests"), new_file("results")), os.pipe()
        pid = fork(read_request, files[0], tell)
        os.close(tell)
        with open(heard) as f:
            said = f.read()
        wait_for(pid)
        if not said:
            return
        m = json.loads(said)
        until = time.monotonic() + m["seconds"]
        for span in m["spans"]:
            run(files, span, until)
        wait_for(fork(write_answer, files[1], m["batch"], say_to))
        os.close(files[0])
        os.close(files[1])


def links_statically():
    """Whether the compiler can make a program that needs no loader."""
    S["static"] = True
    with open("probe.c", "w") as f:
        f.write("int main(void) { return 0; }\n")
    S["static"] = compile_c("probe.c")
    for name in os.listdir("."):
        os.unlink(name)


def main():
    say_to = os.dup(1)
    os.dup2(2, 1)
    hello = bytearray()
    while not hello.endswith(b"\n"):  # not a byte more: the next line is not for this process
        hello += os.read(0, 1)
    S.update(json.loads(hello)["settings"])
    LIBC.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans of a case become ours
    LIBC.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: our memory is nobody's
    try:
        S["alone"] = S["host_pids"] and os.readlink("/proc/self/ns/pid") != S["host_pids"]
    except OSError:
        S["alone"] = False
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
    gc.freeze()
    answer = {"hone": 1}
    if S["language"] == "c":
        if shutil.which(S["compiler"]):
            links_statically()
        else:
            answer["error"] = f"there is no compiler \"{S['compiler']}\""
    put(say_to, answer)
    serve(say_to)


if __name__ == "__main__":
    main()
