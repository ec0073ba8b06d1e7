"""box.py - untrusted plugins in boxes: the same bytes as in process, whoever kills boxes in between; what is refused.

KILLS=n boxes are killed at random moments of a GRPO run (4; 60 with HONE_FULL): its rollouts, metrics and weights are
those of a run that nobody disturbed. SEED=n makes the moments repeatable in spirit.
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from boxes import boxes_of  # noqa: E402
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", "60" if os.environ.get("HONE_FULL") else "4"))
os.umask(0o022)
temp = tempfile.TemporaryDirectory()
work = pathlib.Path(temp.name)
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
env.pop("HONE_PLUGIN_PATH", None)

PLUGIN = r"""
#include "hone/reward.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static int is(hone_str s, const char *z) { return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0; }
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    (void)self; (void)call;
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, stride, i);
        unsigned h = 1;
        if (is(s->completion, "crash")) *(volatile int *)0 = 1;
        if (is(s->completion, "exit")) exit(3);
        if (is(s->completion, "loop")) for (;;) ;
        if (is(s->completion, "eat")) for (;;) { char *p = malloc(1 << 20); if (!p) _exit(4); memset(p, 1, 1 << 20); }
        if (is(s->completion, "fork")) { hone_outcome_set(out, ostride, i, HONE_SCORE, fork() < 0); continue; }
        if (is(s->completion, "socket")) { hone_outcome_set(out, ostride, i, HONE_SCORE, socket(AF_INET, SOCK_STREAM, 0) < 0); continue; }
        if (is(s->completion, "read")) { hone_outcome_set(out, ostride, i, HONE_SCORE, open("/etc/passwd", O_RDONLY) < 0); continue; }
        if (is(s->completion, "print")) printf("seen in the log\n"), fflush(stdout);
        for (size_t k = 0; k < s->completion.len; k++) h = h * 31 + (unsigned char)s->completion.ptr[k];
#ifdef SLOW
        struct timespec ts = {0, 3000000};
        nanosleep(&ts, NULL);
#endif
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)(h % 97) / 97);
#ifdef NOTES
        hone_value v = {.type = HONE_I64, .u.i64 = h % 97};
        notes->put(notes, i, hone_str_c("hash"), &v);
#else
        (void)notes;
#endif
    }
    return HONE_OK;
}
HONE_REWARD_PLUGIN(0x000100, "org.test.reward." NAME, "1.0.0", "a hash of the completion", CAPS | HONE_CAP_DETERMINISTIC, NULL,
                   NULL, score);
"""


def build(name, *flags, caps="HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT"):
    (work / "plugin.c").write_text(PLUGIN)
    so = work / "plugins" / (name + ".so")
    so.parent.mkdir(exist_ok=True)
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w",
                          "-I" + str(ROOT / "sdk/include"), f'-DNAME="{name}"', "-DCAPS=(" + caps + ")", *flags, "-o", so,
                          work / "plugin.c"], capture_output=True, text=True)
    check(name + " compiles", run.returncode == 0, run.stderr)
    return so


def hone(*args, more=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, env={**env, **(more or {})}, cwd=work,
                          timeout=300)


def rows(name, *completions):
    path = work / name
    path.write_text("".join(json.dumps({"prompt": "?", "completion": c}) + "\n" for c in completions))
    return path


def outcomes(run):
    return [list(json.loads(line)["outcomes"].values())[0] for line in run.stdout.splitlines()]


sanitized = "__asan_init" in subprocess.run(["nm", HONE], capture_output=True, text=True).stdout
plain = build("plain")
whole = build("whole", caps="HONE_CAP_PURE")

# ---- deaths, deadlines, what a box may not --------------------------------------------------------------------------------
good = rows("good.jsonl", "a", "bc", "print", "d" * 5000, "")
run = hone("score", "--reward", plain, "--data", good, "--json")
check("boxed scores", run.returncode == 0 and [o["status"] for o in outcomes(run)] == ["score"] * 5, run.stderr)
check("what it prints is in the log with its id", "seen in the log (org.test.reward.plain)" in run.stderr, run.stderr)
boxed = run.stdout
check("trusted now", hone("plugin", "trust", plain).returncode == 0)
run = hone("score", "--reward", plain, "--data", good, "--json")
check("the same in process", run.stdout.replace("seen in the log\n", "") == boxed and "its box" not in run.stderr, run.stdout)
hone("plugin", "revoke", plain)
subprocess.run(["rm", "-rf", work / "config"], check=True)

bad = rows("bad.jsonl", "a", "crash", "b", "exit", "c")
run = hone("score", "--reward", plain, "--data", bad, "--json")
said = outcomes(run)
check("only what kills is an error", [o["status"] for o in said] == ["score", "error", "score", "error", "score"], run.stdout)
check("with its reason", "Segmentation fault" in said[1].get("reason", "") or sanitized, said[1])
check("and the other's", "exited with status 3" in said[3].get("reason", ""), said[3])
check("where it crashed is in the log", "crashed in score: plain.so+0x" in run.stderr or sanitized, run.stderr[-500:])
subprocess.run(["rm", "-rf", work / "config"], check=True)
run = hone("score", "--reward", whole, "--data", bad, "--json")
check("a batch that is one is an error whole", {o["status"] for o in outcomes(run)} == {"error"}, run.stdout)
subprocess.run(["rm", "-rf", work / "config"], check=True)
run = hone("score", "--reward", plain, "--data", rows("loop.jsonl", "a", "loop", "b"), "--deadline", "0.5", "--json")
check("a deadline: timeout for what is unanswered", [o["status"] for o in outcomes(run)] == ["score", "timeout", "timeout"],
      run.stdout + run.stderr)
if not sanitized:
    run = hone("score", "--reward", plain, "--data", rows("eat.jsonl", "a", "eat", "b"), "--json")
    check("memory is limited", [o["status"] for o in outcomes(run)] == ["score", "error", "score"], run.stdout + run.stderr)
subprocess.run(["rm", "-rf", work / "config"], check=True)
run = hone("score", "--reward", plain, "--data", rows("try.jsonl", "fork", "socket", "read"), "--json")
check("no process, no socket, no file", [o.get("score") for o in outcomes(run)] == [1, 1, 1], run.stdout + run.stderr)
left = subprocess.run(["ps", "-eo", "stat,ppid,comm"], capture_output=True, text=True).stdout
check("no zombies", not [line for line in left.splitlines() if line.startswith("Z") and f" {os.getpid()} " in line], left)

# ---- where it runs, what is refused --------------------------------------------------------------------------------------
weak = {"HONE_SANDBOX_WITHOUT": "landlock"}
run = hone("score", "--reward", plain, "--data", good, "--json", more=weak)
check("without Landlock: refused", run.returncode == 3 and "Landlock" in run.stderr and "--allow=weak-box" in run.stderr, run.stderr)
run = hone("score", "--reward", plain, "--data", good, "--json", "--allow=weak-box", more=weak)
check("unless a weak box will do, which is said", run.returncode == 0 and "weak box" in run.stderr and run.stdout == boxed, run.stderr)
run = hone("doctor", "--json", more=weak)
check("hone doctor says so", json.loads(run.stdout)["boxes_hold"] is False and "missing: Landlock" in run.stdout, run.stdout)
check("and what there is", "Landlock" in json.loads(hone("doctor", "--json").stdout)["boxes"], "")
run = hone("plugin", "inspect", plain)
check("inspect says where it runs", "in a box" in run.stdout, run.stdout)
(work / "asks.lua").write_text("""local hone = require "hone"
local r = hone.reward("exact_match", { box = true })
print("made")
""")
run = hone("run", "asks.lua")
check("a recipe asks for a box", run.returncode == 0 and "made" in run.stdout, run.stderr)

# ---- killed at random ----------------------------------------------------------------------------------------------------
RECIPE = """local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "boxes", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
for step, prompts in run:steps(%d, hone.rows(stories.list(5, "train", 40)):shuffle(run.seed):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 24,
    rewards = { hone.reward("plain_slow"), hone.reward("noted_slow"), hone.reward("whole_slow") } })
  policy:update { rollout, objective = "grpo", advantage = { "group", missing = "skip" } }
end
run:save()
"""


def train(name, kills, seed):
    """Runs the recipe, killing so many boxes; (directory, kills done, return code, stderr)."""
    target = work / name
    done = 0
    rng = random.Random(seed)
    with open(work / (name + ".err"), "w") as err:
        p = subprocess.Popen([HONE, "run", "boxes.lua", "--run-dir", str(target), "--quiet"], cwd=work, stdout=subprocess.DEVNULL,
                             stderr=err, env={**env, "HONE_PLUGIN_PATH": str(work / "plugins")})
        watch = threading.Timer(280, p.kill)
        watch.start()
        while p.poll() is None:
            time.sleep(rng.uniform(0.02, 0.12))
            alive = boxes_of(p.pid)
            if done < kills and alive and (target / "metrics.jsonl").exists():  # not while the run is planned
                try:
                    os.kill(rng.choice(alive), signal.SIGKILL)
                    done += 1
                except ProcessLookupError:
                    pass
        watch.cancel()
    return target, done, p.returncode, (work / (name + ".err")).read_text()


def fingerprint(run):
    files = ["metrics.jsonl", "rollouts.jsonl.zst", "outcomes.journal", "model/model.safetensors"]
    return {f: hashlib.sha256((run / f).read_bytes()).hexdigest() for f in files if (run / f).is_file() and f != "outcomes.journal"}


build("plain_slow", "-DSLOW")
build("noted_slow", "-DSLOW", "-DNOTES")
build("whole_slow", "-DSLOW", "-DNOTES", caps="HONE_CAP_PURE")
if not os.path.isdir("/proc/self/task") or not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
    skip("killed at random", "this kernel does not list the children of a process")
else:
    (work / "boxes.lua").write_text(RECIPE % (4 if KILLS < 20 else 24))
    seed = int(os.environ.get("SEED", "1"))
    calm, _, rc, err = train("calm", 0, seed)
    check("an undisturbed run", rc == 0, err[-800:])
    hit, kills, rc, err = train("hit", KILLS, seed)
    check("a run whose boxes are killed ends well", rc == 0, err[-800:])
    check(f"{kills} boxes were killed", kills >= min(KILLS, 3), kills)
    check("the log says so", err.count("its box ended") >= 1, err[-500:])
    a, b = fingerprint(calm), fingerprint(hit)
    check("its bytes are those of the undisturbed one", len(a) >= 3 and a == b, (a, b))
finish()
