"""hone_unit_test.py - runs code of a model with its tests; the runner of the reward unit_test, started in a box by hone.

Speaks the protocol of docs/command.md. It imports what solutions use, then forks for each case: the child limits itself,
runs the code and its tests, and says "passed" with a word that only the harness knows; whatever else happens (an exit, a
signal, silence) is a failure. After a case every process of the box but this one is killed and the folder is emptied;
where either is not possible the runner ends, and hone starts another one.

Code and tests share an interpreter. A solution that sets out to deceive its own tests, with objects that equal
everything or by reading the harness's frames, can; it cannot leave the box or reach another case.
"""
import ast, builtins, collections, copy, ctypes, datetime, fractions, functools, gc, hashlib, heapq, itertools, json, math
import operator, os, random, re, resource, select, shutil, signal, statistics, string, struct, sys, time, typing
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


def case_of(sample):
    """(code, setup, tests, entry point)"""
    row = sample["columns"]
    names = [S["tests"]] if S["tests"] else ["test_list", "test", "tests"]
    tests = next((row[n] for n in names if row.get(n)), None)
    if not tests or not (isinstance(tests, str) or all(isinstance(t, str) for t in tests)):
        raise ValueError("the row has no tests in column " + " or ".join(names))
    code, entry, before = code_of(sample["completion"]), row.get(S["entry_point"]), row.get(S["prefix"])
    if entry and S["language"] == "python" and isinstance(before, str) and not defines(entry, code):
        code = before + code
    tests = [tests] if isinstance(tests, str) else tests
    setup = row.get("test_imports") or row.get("test_setup_code") or ""
    return code, setup if isinstance(setup, str) else "\n".join(setup), tests, entry


# ---- in the child ------------------------------------------------------------------------------------------------------
def limit(what, n):
    hard = resource.getrlimit(what)[1]
    n = n if hard == resource.RLIM_INFINITY else min(n, hard)
    resource.setrlimit(what, (n, n))


def no_signals_out():
    """A Landlock domain of the case's own (Linux 6.12 and later): its signals do not reach the runner."""
    attr = struct.pack("QQQ", 0, 0, 3)
    fd = LIBC.syscall(444, attr, ctypes.c_size_t(len(attr)), 0)
    if fd >= 0:
        LIBC.syscall(446, fd, 0)
        os.close(fd)


def confine(folder, out):
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
    limit(resource.RLIMIT_FSIZE, S["file_mb"] * MB)
    limit(resource.RLIMIT_NOFILE, 64)
    limit(resource.RLIMIT_STACK, 64 * MB)
    no_signals_out()


def brief(e):
    return f"{type(e).__name__}: {e}"[:300] if str(e) else type(e).__name__


def run_python(code, setup, tests, entry):
    """(tests passed, why the first other one did not)"""
    for name in ("hone_unit_test", "__main__", "ctypes", "_ctypes"):
        sys.modules.pop(name, None)
    space = {"__name__": "solution", "__builtins__": builtins}
    module = type(sys)("solution")
    module.__dict__.update(space)
    sys.modules["solution"] = sys.modules["__main__"] = module
    sys.argv, clean = ["solution.py"], dict(vars(builtins))
    random.seed(0)
    try:
        exec(compile(setup, "setup.py", "exec"), module.__dict__)
        exec(compile(code, "solution.py", "exec"), module.__dict__)
    except BaseException as e:
        return 0, "the code: " + brief(e)
    passed, why = 0, None
    for k, test in enumerate(tests):
        vars(builtins).update(clean)  # abs, all, len are what they were
        try:
            exec(compile(test, f"test{k + 1}.py", "exec"), module.__dict__)
            if entry and "check" in module.__dict__ and "def check(" in test:  # as HumanEval has it
                module.__dict__["check"](module.__dict__[entry])
            passed += 1
        except BaseException as e:
            why = why or f"test {k + 1}: " + brief(e)
    return passed, why


C_MAIN = r"""
#include <unistd.h>
int hone_tests(void);
int main(void) { if (hone_tests() != 0) return 1; return write(%d, "%s", %d) == %d ? 0 : 1; }
"""


def run_c(code, setup, tests, entry, fd, word):
    """Compiles and becomes the program: its main is the tests', whose 0 is a pass."""
    answer = json.dumps({"word": word, "passed": 1, "why": None})
    with open("solution.c", "w") as f:
        f.write(setup + "\n" + code + "\n#define main hone_tests\n" + "\n".join(tests) + "\n")
    with open("main.c", "w") as f:
        f.write(C_MAIN % (fd, answer.replace('"', '\\"'), len(answer), len(answer)))
    pid = os.fork()
    if pid == 0:
        os.close(fd)
        words = [S["compiler"], "-O1", "-w", "-o", "linked", "solution.c", "main.c", "-lm"]
        try:
            os.execvp(words[0], words)
        finally:
            os._exit(127)
    status = os.waitpid(pid, 0)[1]
    if status:
        return 0, "the code does not compile"
    with open("linked", "rb") as a, open(os.open("program", os.O_WRONLY | os.O_CREAT, 0o700), "wb") as b:
        shutil.copyfileobj(a, b)  # chmod is not allowed here: a file is made executable, or never is
    for name in ("linked", "solution.c", "main.c"):
        os.unlink(name)
    os.set_inheritable(fd, True)
    os.execv("program", ["program"])


def child(case, folder, out, fd, word):
    confine(folder, out)
    os.dup2(fd, 63)
    os.closerange(3, 63)
    os.closerange(64, 256)
    if S["language"] == "c":
        passed, why = run_c(*case, 63, word)
    else:
        passed, why = run_python(*case)
    os.write(63, json.dumps({"word": word, "passed": passed, "why": why}).encode())
    os._exit(0)


# ---- in the runner -----------------------------------------------------------------------------------------------------
def end_all(pid):
    """Every process of the case. Where the box has no namespace of its own only its session is found."""
    try:
        os.kill(-1, signal.SIGKILL) if S["alone"] else os.killpg(pid, signal.SIGKILL)
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


def listen(pid, reads, until):
    """Bytes of the answer, and what else ended the case."""
    answer, printed = b"", 0
    while True:
        left = until - time.monotonic()
        ready = select.select(list(reads), [], [], max(left, 0))[0] if left > 0 else []
        if not ready and left <= 0:
            return answer, "timeout"
        for fd in ready:
            part = os.read(fd, 65536)
            if reads[fd] == "answer":
                answer += part
                if not part or len(answer) > 65536 or answer.endswith(b"}"):
                    return answer[:65536], None
            elif part:
                printed += len(part)
                if printed > S["output_kb"] * 1024:
                    return answer, "output"
            else:
                del reads[fd]


def verdict(answer, ended, status, word, total, wall):
    notes, said = {"passed": 0, "tests": total}, {}
    try:
        said = json.loads(answer) if answer else {}
    except ValueError:
        pass
    if isinstance(said, dict) and said.get("word") == word and not ended:
        share = said["passed"] if S["language"] == "python" else said["passed"] * total
        notes.update(passed=share, result="passed" if share == total else "failed")
        if said["why"]:
            notes["why"] = said["why"]
    elif answer and not ended:
        notes.update(result="forged", why="it answered in the place of its tests")
    elif ended == "timeout":
        notes.update(result="timeout", why=f"it did not end within {wall:g} s")
    elif ended == "output":
        notes.update(result="output", why=f"it printed more than {S['output_kb']} KB")
    elif status is not None and os.WIFSIGNALED(status):
        notes.update(result="signal", why="it was killed by " + signal.Signals(os.WTERMSIG(status)).name)
    elif S["language"] == "c" and status is not None and os.WEXITSTATUS(status):
        notes.update(result="failed", why=f"it ended with exit code {os.WEXITSTATUS(status)}")
    else:
        notes.update(result="exit", why="it ended before its tests did")
    score = notes["passed"] / total if S["score"] else float(notes["passed"] == total)
    return {"score": score, "notes": notes}


def run(sample, until):
    try:
        case = case_of(sample)
    except (ValueError, TypeError) as e:
        return {"error": str(e)}
    now = time.monotonic()
    if until - now < 0.05:
        return {"error": "the time of its batch was over before it was run"}
    wall, word = min(S["wall_s"], until - now), os.urandom(16).hex()
    folder = os.path.join(os.getcwd(), "case")
    os.mkdir(folder, 0o700)
    (answer, tell), (printed, out) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(case, folder, out, tell, word)
        finally:
            os._exit(1)
    os.close(tell)
    os.close(out)
    said, ended = listen(pid, {answer: "answer", printed: "out"}, now + wall)
    status = None
    for _ in range(0 if said or ended else 200):  # its end of the pipe is closed: how does it end?
        got, st = os.waitpid(pid, os.WNOHANG)
        if got == pid:
            status = st
            break
        time.sleep(0.001)
    end_all(pid)
    clean(folder)
    os.close(answer)
    os.close(printed)
    if ended == "timeout" and wall < S["wall_s"]:
        return {"error": "the time of its batch was over while it ran"}
    return verdict(said, ended, status, word, len(case[2]), wall)


def main():
    say_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines = open(0, encoding="utf-8", newline="\n", closefd=False)
    S.update(json.loads(next(lines))["settings"])
    LIBC.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans of a case become ours
    LIBC.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: our memory is nobody's
    try:
        S["alone"] = S["host_pids"] and os.readlink("/proc/self/ns/pid") != S["host_pids"]
    except OSError:
        S["alone"] = False
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
    gc.freeze()
    hello = {"hone": 1}
    if S["language"] == "c" and not shutil.which(S["compiler"]):
        hello["error"] = f"there is no compiler \"{S['compiler']}\""
    print(json.dumps(hello), file=say_to, flush=True)
    for m in map(json.loads, lines):
        until = time.monotonic() + m.get("seconds", 1e9)
        outcomes = [run(s, until) for s in m["samples"]]
        print(json.dumps({"batch": m["batch"], "outcomes": outcomes}), file=say_to, flush=True)


if __name__ == "__main__":
    main()
