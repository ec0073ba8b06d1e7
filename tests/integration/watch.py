"""watch.py - `hone watch`: a line a step in a pipe, a block in a terminal, of a run that is made here by hand, so that what it does while somebody
looks is known: it grows, half lines stand at its end, it goes back to a checkpoint, lines are damaged, it ends."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


class Run:
    """A run directory with its lock held, as by a process that is running."""

    def __init__(self, name, **meta):
        self.name, self.meta = name, {"name": "made", "recipe": "made.lua", "params": {"steps": 40}, **meta}
        os.makedirs(name + "/checkpoints")
        self.lock = open(name + "/.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.write_meta()
        open(name + "/metrics.jsonl", "w").close()

    def write_meta(self, **more):
        self.meta.update(more)
        with open(self.name + "/run.json.new", "w") as f:
            json.dump(self.meta, f)
        os.rename(self.name + "/run.json.new", self.name + "/run.json")

    def add(self, text):
        with open(self.name + "/metrics.jsonl", "a") as f:
            f.write(text)

    def step(self, k, **more):
        self.add(json.dumps({"step": k, "reward/mean": k / 100, "entropy": 1.5, "loss": 1e-17, **more}) + "\n")

    def cut(self, size):
        os.truncate(self.name + "/metrics.jsonl", size)

    def size(self):
        return os.path.getsize(self.name + "/metrics.jsonl")

    def end(self, **more):
        self.write_meta(**more)
        fcntl.flock(self.lock, fcntl.LOCK_UN)


class Watch:
    def __init__(self, *args, size=None):
        if size:
            self.fd, other = pty.openpty()
            fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            env = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
            self.p = subprocess.Popen([HONE, "watch", *args, "--every", "0.05"], stdout=other, stderr=subprocess.PIPE, env=env)
            os.close(other)
        else:
            self.p = subprocess.Popen([HONE, "watch", *args, "--every", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.fd = self.p.stdout.fileno()
        self.text = ""

    def until(self, words, most=20):
        """Reads until the words are there; 0 when the end came first."""
        end = time.time() + most
        while words not in self.text and time.time() < end:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                break
            if not got:
                break
            self.text += got.decode("utf-8", "replace")
        return words in self.text

    def done(self):
        self.until("\0 never", 5)
        return self.p.wait(20)


# ---- in a pipe ---------------------------------------------------------------------------------------------
run = Run("a")
for k in range(1, 21):
    run.step(k)
w = Watch("a", "--lines", "3")
check("the last steps first", w.until("step 20") and "step 18  reward 0.18  entropy 1.5\n" in w.text and "step 17" not in w.text, w.text)
mark = run.size()
run.step(21)
check("then each as it comes", w.until("step 21  reward 0.21"), w.text)
run.add('{"step":22,"reward/mean":')
time.sleep(0.3)
check("half a line waits", "step 22" not in w.text and w.p.poll() is None, w.text)
run.add('0.5,"eval/right":0.25}\n')
check("until it is whole", w.until("step 22  reward 0.5  eval/right 0.25"), w.text)
run.cut(mark)
check("a run that was cut back is followed from there", w.until("the run went back to step 20\n"), w.text)
run.step(21, **{"reward/mean": 0.9})
check("and its steps are new ones", w.until("step 21  reward 0.9"), w.text)
run.cut(0)
for k in range(1, 25):
    run.step(k, **{"reward/mean": 0.7})
check("one that went back and is further already is read anew", w.until("step 24  reward 0.7"), w.text)
run.add("[] no line of ours\n")
run.write_meta(alarms=[{"step": 24, "kind": "kl", "value": 2, "limit": 1, "text": "the policy\x1b[31m runs away"}])
check("alarms come as they are raised, without control characters", w.until("alarm: step 24: the policy [31m runs away\n"), w.text)
run.step(25)
check("a damaged line is passed over", w.until("step 25"), w.text)
run.end(finished=True)
code = w.done()
check("it ends when the run does, and tells what it passed over", code == 0 and w.text.endswith("finished after step 25\n1 lines of metrics.jsonl cannot be "
      "read and were passed over\n"), (code, w.text[-300:]))
check("each alarm was told once", w.text.count("alarm:") == 1, w.text)

# ---- in a terminal -------------------------------------------------------------------------------------------
for size in ((80, 24), (44, 20), (20, 8)):
    run = Run("t%d" % size[0])
    for k in range(1, 31):
        run.step(k, **{"length/mean": 10 + k, "eval/a_very_long_name_of_an_evaluation_that_goes_on": k / 30})
    w = Watch(run.name, size=size)
    check(f"{size[0]} columns: where it stands", w.until("step 30" if size[0] > 20 else "running"), w.text)
    run.write_meta(alarms=[{"step": 24, "kind": "kl", "value": 2, "limit": 1, "text": "the policy runs away, " * 8}])
    run.step(31)
    w.until("step 31" if size[0] > 20 else "\033[J\033")
    run.end(finished=True)
    code = w.done()
    lines = [re.sub("\x1b\\[[0-9]*[A-Za-z]", "", x) for x in re.split("\r?\n", w.text)]
    wide = [x for x in lines if len(x) >= size[0] and not x.startswith("finished after")]
    check(f"{size[0]} columns: no line is wider", code == 0 and wide == [], wide[:3])
    blocks = w.text.split("\033[J")
    tall = max(b.count("\n") for b in blocks[:-1])
    check(f"{size[0]} columns: no block is taller", tall < size[1], tall)
    if size[0] > 20:
        check(f"{size[0]} columns: a curve, and the block is drawn over itself", "\u2581" in w.text and "\u2588" in w.text and "\033[%dA" % blocks[0].count("\n")
              in w.text, w.text[:600])

# ---- one that is over, one that is none ------------------------------------------------------------------------
r = subprocess.run([HONE, "watch", "a", "--lines", "0"], capture_output=True, text=True)
check("of a run that is over the end is shown", r.returncode == 0 and "step 24  " not in r.stdout and "finished after step 25" in r.stdout, r.stdout)
dead = Run("dead")
dead.step(3)
dead.end(failed="it broke")
r = subprocess.run([HONE, "watch", "dead"], capture_output=True, text=True)
check("of one that failed too", r.returncode == 0 and "failed without a checkpoint after step 3" in r.stdout, r.stdout)
for args, words in ((["nowhere"], "no run directory"), ([], "RUN"), (["a", "--every", "0"], "--every"), (["a", "--lines", "-1"], "--lines")):
    r = subprocess.run([HONE, "watch", *args], capture_output=True, text=True)
    check(f"refused: hone watch {' '.join(args)}", r.returncode in (1, 2) and words in r.stderr, r.stderr)
finish()
