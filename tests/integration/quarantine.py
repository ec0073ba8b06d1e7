"""quarantine.py - plugins that end their box: what counts, when the file is refused, what is said, how it is let in again."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory()
work = pathlib.Path(temp.name)
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
env.pop("HONE_PLUGIN_PATH", None)
store = work / "config" / "hone" / "quarantine.json"
sanitized = "__asan_init" in subprocess.run(["nm", HONE], capture_output=True, text=True).stdout

PLUGIN = r"""
#include "hone/reward.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
static int is(hone_str s, const char *z) { return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0; }
__attribute__((noinline)) static void deep(volatile int *p) { *p = 1; }
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    (void)self; (void)call; (void)notes;
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, stride, i);
        if (is(s->completion, "crash")) deep(0);
        if (is(s->completion, "exit")) exit(3);
        if (is(s->completion, "loop")) for (;;) ;
        if (is(s->completion, "sleep")) { struct timespec t = {0, 400000000}; nanosleep(&t, NULL); }
        hone_outcome_set(out, ostride, i, HONE_SCORE, VERSION);
    }
    return HONE_OK;
}
#ifdef AT_LOAD
__attribute__((constructor)) static void begin(void) { abort(); }
#endif
HONE_REWARD_PLUGIN(0x000100, "org.test.reward." NAME, "1.0.0", "crashes on demand", CAPS, NULL, NULL, score);
"""


def build(name, version=1, caps="HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT", *flags):
    (work / "plugin.c").write_text(PLUGIN)
    so = work / (name + ".so")
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-shared", "-fPIC", "-fvisibility=hidden", "-w",
                          "-I" + str(ROOT / "sdk/include"), f'-DNAME="{name}"', "-DCAPS=(" + caps + ")", f"-DVERSION={version}", *flags,
                          "-o", so, work / "plugin.c"], capture_output=True, text=True)
    check(f"{name} {version} compiles", run.returncode == 0, run.stderr)
    return so


def hone(*args, more=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, env={**env, **(more or {})}, cwd=work, timeout=200)


def score(so, *completions, flags=(), more=None):
    rows = work / f"rows-{threading.get_ident()}.jsonl"
    rows.write_text("".join(json.dumps({"prompt": "?", "completion": c}) + "\n" for c in completions))
    return hone("score", "--reward", so, "--data", rows, "--json", *flags, more=more)


def statuses(run):
    return [list(json.loads(line)["outcomes"].values())[0]["status"] for line in run.stdout.splitlines()]


def remembered():
    return json.loads(hone("plugin", "quarantine", "--json").stdout)["files"]


# ---- three, and not before ------------------------------------------------------------------------------------------------
so = build("moody")
run = hone("plugin", "quarantine")
check("at first there is nothing", run.returncode == 0 and run.stdout.startswith("nothing"), run.stdout + run.stderr)
run = score(so, "a", "crash", "b")
check("what crashes is an error, the rest stands", statuses(run) == ["score", "error", "score"], run.stdout + run.stderr)
check("the text names the sample, with its call", re.search(r"died in score, sample \d", run.stdout), run.stdout)
files = remembered()
check("a death that was reproduced counts once", len(files) == 1 and files[0]["count"] == 1 and not files[0]["refused"], files)
death = files[0]["deaths"][0]
check("when, in which call, on which sample", death["when"].endswith("Z") and death["call"] == "score" and death["sample"] == 2, death)
check("what", "signal 11" in death["what"] or sanitized, death)
if sanitized:
    skip("the stack", "the sanitizer has its own", 2)
else:
    frame = re.search(r"moody\.so\+(0x[0-9a-f]+)", death["stack"])
    check("the stack, as module and offset", frame and "libc" in death["stack"] or frame, death)
    where = subprocess.run(["addr2line", "-f", "-e", so, frame.group(1)], capture_output=True, text=True).stdout
    check("which addr2line understands", where.startswith("deep"), where)
run = hone("plugin", "inspect", so)
check("inspect tells", re.search(r"^deaths +1 since", run.stdout, re.M), run.stdout)
run = score(so, "a", "exit", "exit", "crash", "exit", "b")
check("a run is not stopped by its own quarantine", statuses(run) == ["score", "error", "error", "error", "error", "score"], run.stdout)
check("and says that the file is in it now", "in quarantine" in run.stderr, run.stderr)
check("the text of an exit is kept", "exited with status 3" in [d["what"] for d in remembered()[0]["deaths"]], remembered())
run = score(so, "a")
check("the next one is refused", run.returncode == 3 and not run.stdout, run.stdout + run.stderr)
check("which plugin, why, since when, what to run",
      "moody.so: in quarantine: it ended its box 5 times since 20" in run.stderr and "exited with status 3 in score, sample" in run.stderr
      and "hone plugin quarantine show" in run.stderr and "clear" in run.stderr, run.stderr)
run = hone("plugin", "quarantine", "show", so)
check("show says where", run.returncode == 0 and (sanitized or f"addr2line -f -e {so} 0x" in run.stdout) and run.stdout.count("exited") == 3, run.stdout)
run = hone("plugin", "quarantine", "show", "moody", "--json")
check("also by name, as JSON", json.loads(run.stdout)["refused"] is True, run.stdout + run.stderr)
run = hone("plugin", "inspect", so)
check("inspect shows what is refused", run.returncode == 0 and "in quarantine" in run.stdout, run.stdout + run.stderr)
run = hone("plugin", "list", "--plugin-path", so)
check("so does list", "quarantine" in run.stdout, run.stdout)
check("trust is not enough", hone("plugin", "trust", so).returncode == 0 and score(so, "a").returncode == 3, "")
hone("plugin", "revoke", so)
(work / "config" / "hone" / "trust.json").unlink()
run = hone("plugin", "validate", so, "--only", "instance.call")
check("validate may look at it all the same", run.returncode == 0 and remembered()[0]["count"] == 5, run.stdout + run.stderr)

# ---- another build, letting it in --------------------------------------------------------------------------------------------
old = work / "old.so"
so.rename(old)
build("moody", 0)
check("a new build is another file", statuses(score(so, "a")) == ["score"], "")
check("the old one is still refused", score(old, "a").returncode == 3, "")
run = hone("plugin", "quarantine", "clear", so)
check("what is not remembered cannot be cleared", run.returncode == 1 and "nothing is remembered" in run.stderr and "hint" in run.stderr, run.stderr)
run = hone("plugin", "quarantine", "clear", old)
check("clear", run.returncode == 0 and remembered() == [] and statuses(score(old, "a")) == ["score"], run.stdout + run.stderr)
for wrong in (["clear"], ["show"], ["forget"], ["list", "x"], ["clear", "x", "--all"], ["show", "x", "--all"]):
    run = hone("plugin", "quarantine", *wrong)
    check("wrong use: " + " ".join(wrong), run.returncode == 2 and "hint" in run.stderr, run.stderr)

# ---- what does not count ------------------------------------------------------------------------------------------------------
whole = build("whole", 1, "HONE_CAP_PURE")
run = score(so, "loop", flags=["--deadline", "0.2"])
check("a deadline does not count", statuses(run) == ["timeout"] and not store.exists() or remembered() == [], run.stdout)


def kill_boxes(p, times):
    """Kills boxes below p with SIGKILL; how many."""
    done = 0
    while p.poll() is None:
        time.sleep(0.05)
        try:
            for task in pathlib.Path(f"/proc/{p.pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    if done < times and pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "hone-box":
                        os.kill(int(child), signal.SIGKILL)
                        done += 1
                        time.sleep(0.1)
        except OSError:
            pass
    return done


if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
    skip("killed from outside", "this kernel does not list the children of a process", 2)
else:
    (work / "sleep.jsonl").write_text('{"prompt": "?", "completion": "sleep"}\n' * 2)
    p = subprocess.Popen([HONE, "score", "--reward", whole, "--data", "sleep.jsonl", "--json"], cwd=work, env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    done = kill_boxes(p, 6)
    out, err = p.communicate()
    check("six boxes killed from outside, and the run ends well", done == 6 and p.returncode == 0 and out.count('"score"') >= 2, (done, err))
    check("do not count", remembered() == [], remembered())

# ---- whole batches, loading, two at once -----------------------------------------------------------------------------------------
run = score(whole, "a", "crash", "b")
files = remembered()
check("a batch that is one counts once", len(files) == 1 and files[0]["count"] == 1 and files[0]["deaths"][0]["sample"] is None, files)
threads = [threading.Thread(target=score, args=(whole, "crash")) for _ in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
check("six processes at once: none is lost", [f["count"] for f in remembered()] == [7], remembered())
check("the file is whole and private to who may write it", json.loads(store.read_text())["format"] == "hone-quarantine-1", "")
load = build("load", 1, "0", "-DAT_LOAD")
for _ in range(3):
    run = hone("plugin", "list", "--plugin-path", load)
mine = [f for f in remembered() if f["path"].endswith("load.so")]
check("death in a constructor counts too", len(mine) == 1 and mine[0]["count"] == 3 and mine[0]["deaths"][0]["call"] == "loading", remembered())
run = hone("plugin", "list", "--plugin-path", load)
check("then it is not loaded any more", "in quarantine" in run.stdout and
      [f["count"] for f in remembered() if f["path"].endswith("load.so")] == [3], run.stdout)

# ---- a file that cannot be read ---------------------------------------------------------------------------------------------------
good = store.read_text()
row = json.loads(good)
for name, text in (("no JSON", "{"), ("another format", good.replace("quarantine-1", "quarantine-9")), ("a cut hash", good.replace('"sha256": "', '"sha256": "x', 1)),
                   ("no deaths", json.dumps({**row, "files": [{**row["files"][0], "deaths": []}]})),
                   ("a count of text", good.replace('"count": 7', '"count": "7"')), ("twice", json.dumps({**row, "files": row["files"][:1] * 2})),
                   ("a terminal's sequence", good.replace('"call": "', '"call": "\\u001b[2J', 1))):
    store.write_text(text)
    run = score(so, "a")
    check(f"{name}: nothing runs that it might forbid", run.returncode not in (0, 2) and "quarantine.json" in run.stderr and "--all" in run.stderr, run.stderr)
    check(f"{name}: it stays as it is", store.read_text() == text, "")
run = hone("plugin", "quarantine")
check("list says so", run.returncode == 1 and "quarantine.json" in run.stderr, run.stderr)
check("clear --all begins again", hone("plugin", "quarantine", "clear", "--all").returncode == 0 and statuses(score(whole, "a")) == ["score"], "")
store.chmod(0o666)
run = score(so, "a")
check("one that others may write is refused", run.returncode == 3 and "writable by everybody" in run.stderr, run.stderr)
store.chmod(0o600)
check("what ships with hone needs none of it", hone("plugin", "inspect", "exact_match").returncode == 0, "")
finish()
