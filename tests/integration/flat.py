"""flat.py - a long run holds no more at its end than when it was warm: `hone bench flat`.

2,000 steps of GRPO with a reward in a box under HONE_FULL=1, 1,000 else: the memory of the run and of its boxes, descriptors,
threads, boxes. A recipe that keeps 1 KB a step must be found, or the rest says nothing."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
    skip("a long run", "this kernel does not list the children of a process")
    finish()
STEPS = 2000 if os.environ.get("HONE_FULL") else 1000


def flat(*args):
    r = subprocess.run([HONE, "bench", "flat", "--yardstick", "0", "--every", "10", *args], capture_output=True, text=True, timeout=600)
    check(f"bench flat {' '.join(args)}", r.returncode == 0, r.stderr)
    return r.stdout


kinds = ("memory_mb", "boxes_memory_mb", "descriptors", "threads", "boxes")
told = json.loads(flat("--steps", str(STEPS), "--json") or "{}")
growth = told.get("growth", {})
for kind in kinds:
    check(f"{STEPS} steps of GRPO: {kind} is flat", growth.get(kind, {}).get("flat") is True, growth.get(kind))
check("one verdict of all", told.get("flat") is True, growth)
check("a box was looked at", growth["boxes"]["last"] == 1 and growth["boxes_memory_mb"]["last"] > 1, growth)
check("descriptors and threads were counted", growth["descriptors"]["last"] > 3 and growth["threads"]["last"] >= 2, growth)
points = [s for c in told["charts"] for s in c["series"]]
check("a point every so many steps", [s["x"] for s in points] == [[float(i) for i in range(10, STEPS + 1, 10)]] * 5, points[0]["x"][:5])
check("memory is in MB, not in bytes", 5 < points[0]["y"][-1] < 500, points[0]["y"][-1])

leaking = json.loads(flat("--steps", "400", "--leak", "1024", "--json") or "{}")
memory = leaking.get("growth", {}).get("memory_mb", {})
check("1 KB a step is found", leaking.get("flat") is False and memory.get("flat") is False and memory["bytes_a_step"] > 700, memory)
words = flat("--steps", "40", "--every", "5")
check("a table", all(w in words for w in ("descriptors", "boxes", "bytes")), words)
for wrong in (("--steps", "10"), ("--every", "0"), ("--leak", "-1")):
    r = subprocess.run([HONE, "bench", "flat", *wrong], capture_output=True, text=True, timeout=60)
    check(f"bench flat {' '.join(wrong)} is refused", r.returncode == 2, r.stderr)
finish()
