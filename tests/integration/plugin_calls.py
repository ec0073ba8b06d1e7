"""plugin_calls.py - what the host tells a plugin with each call, seen by plugins that check it.

tests/unit/plugins/bounds.c writes its outputs by the sizes that stand in `out` and fails where they are not those of
the input: it is called by `objective eval`, `advantage eval` and by a run.
"""
import json
import os
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


def hone(*args):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         env={**os.environ, "HONE_PLUGIN_PATH": "."}, timeout=120)
    return run.returncode, run.stdout, run.stdout + run.stderr


subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                "-I" + os.path.join(ROOT, "sdk", "include"), "-o", "bounds.so",
                os.path.join(ROOT, "tests", "unit", "plugins", "bounds.c")], check=True)
with open("numbers.json", "w") as f:
    json.dump({"logp": [[-1.0, -2.0, -4.0], [-0.5, -1.5, -8.0]], "mask": [[1, 1, 1], [1, 0, 0]], "advantages": [1.0, -1.0],
               "rewards": [1.0, 0.0], "group_size": 2}, f)
rc, out, text = hone("objective", "eval", "org.test.objective.bound", "--input", "numbers.json", "--json")
check("objective eval", rc == 0 and json.loads(out)["loss"] == 7.5 and
      json.loads(out)["grad"] == [[-1, -1, -1], [-1, 0, 0]], text)
rc, out, text = hone("advantage", "eval", "org.test.advantage.bound", "--input", "numbers.json", "--json")
check("advantage eval", rc == 0 and "advantages" in json.loads(out), text)
with open("run.lua", "w") as f:
    f.write("""local hone = require "hone"
local run = hone.run { name = "calls", seed = 1 }
local policy = run:policy { model = "tiny", optimizer = { "sgd", lr = 1e-6 } }
local reward = hone.reward { id = "long", score = function(b)
  return b:map(function(s) return s.completion_len end) end }
for _ = 1, 2 do
  local rollout = policy:rollout({ { prompt = "1+1" }, { prompt = "2+3" } }, { n = 2, max_tokens = 4, rewards = { reward } })
  policy:update { rollout, objective = "org.test.objective.bound", advantage = "org.test.advantage.bound" }
end
""")
if TINY:
    rc, out, text = hone("run", "run.lua", "--run-dir", "calls")
    check("a run", rc == 0, text)
else:
    skip("a run", "assets/tiny is not there")

scratch.cleanup()
finish()
