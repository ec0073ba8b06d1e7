"""rows_of.py - what the tests of sources share: a source read by `hone lua`, straight, from every place, and measured.

A place is what a checkpoint keeps; `places` takes one after every `step` rows and goes on from each in a fresh program.
"""
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
FULL = bool(os.environ.get("HONE_FULL"))
BIG = (1 << 30) if FULL else (48 << 20)  # bytes streamed by the tests of memory
scratch = tempfile.TemporaryDirectory(prefix="hone-source-")
work = pathlib.Path(scratch.name)

HEAD = r"""local hone, json = require "hone", require "hone.json"
local function line(v) return (json.encode(v):gsub("\n *", "")) end
local ask = json.decode [=======[%s]=======]
local rows = hone.source(ask.source, ask.settings)
if ask.select then rows = rows:select(ask.select) end
if ask.take then rows = rows:take(ask.take) end
"""
ROWS = """if ask.from then rows:seek(ask.from) end
for row in rows:each() do print(line(row)) end
"""
PLACES = """local n = 0
print(line { place = rows:position(), n = 0 })
for row in rows:each() do
  n = n + 1
  if n % ask.step == 0 then print(line { place = rows:position(), n = n }) end
end
print(line { place = rows:position(), n = n })
"""
COUNT = """local n, sum = 0, 0
for row in rows:each() do
  n = n + 1
  local first = row[ask.column]
  sum = sum + first
end
print(n, sum)
"""
ONE_BY_ONE = """for _, ask_from in ipairs(ask.places) do
  rows:seek(ask_from)
  local n, hash = 0, ""
  for row in rows:each() do
    n = n + 1
    hash = hone.hash(hash .. line(row)) .. ""
  end
  print(n, hash)
end
"""


def lua(body, source, settings, allow=(), env=None, timeout=300, **more):
    """The process that ran `body` over the source."""
    (work / "ask.lua").write_text(HEAD % json.dumps({"source": source, "settings": settings, **more}) + body)
    grants = [f"--allow={a}" for a in allow]
    return subprocess.run([HONE, "lua", *grants, "ask.lua"], capture_output=True, text=True, cwd=work, timeout=timeout,
                          env={**os.environ, **(env or {})}, errors="replace")


def rows(source, settings, **more):
    """(rows, text of the failure or "")."""
    run = lua(ROWS, source, settings, **more)
    return [json.loads(x) for x in run.stdout.splitlines()], run.stderr if run.returncode else ""


def places(source, settings, step, **more):
    """[(n, place)] of a reading."""
    run = lua(PLACES, source, settings, step=step, **more)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return [(p["n"], p["place"]) for p in map(json.loads, run.stdout.splitlines())]


def goes_on(source, settings, step, **more):
    """Reading on from every place, in one program and its source moved about, gives the rows that follow: "" or why not."""
    all_rows, bad = rows(source, settings, **more)
    if bad or not all_rows:
        return bad or "no rows"
    marks = places(source, settings, step, **more)
    turned = list(reversed(marks)) + marks
    run = lua(ONE_BY_ONE, source, settings, places=[p for _, p in turned], **more)
    if run.returncode:
        return run.stderr
    got = [line.split("\t") for line in run.stdout.splitlines()]
    if [int(g[0]) for g in got] != [len(all_rows) - n for n, _ in turned]:
        return f"counts {[g[0] for g in got]} of {len(all_rows)}"
    back = {n: g[1] for (n, _), g in zip(turned, got)}
    if any(back[n] != g[1] for (n, _), g in zip(turned, got)):
        return "the same place gave other rows"
    for n, p in marks[:: max(1, len(marks) // 3)]:
        rest, bad = rows(source, settings, **{**more, "from": p})
        if bad or rest != all_rows[n:]:
            return bad or f"from row {n}: {rest[:2]} where {all_rows[n:n + 2]} follow"
    return ""


def peak(source, settings, column, **more):
    """(rows, sum of a column, peak memory in MB) of reading it all."""
    (work / "ask.lua").write_text(HEAD % json.dumps({"source": source, "settings": settings, "column": column}) + COUNT)
    with open(work / "out.txt", "w+") as out, open(work / "err.txt", "w+") as err:
        grants = [f"--allow={a}" for a in more.get("allow", ())]
        p = subprocess.Popen([HONE, "lua", *grants, "ask.lua"], stdout=out, stderr=err, cwd=work,
                             env={**os.environ, **more.get("env", {})})
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if p.returncode:
            raise RuntimeError(err.read())
        n, total = out.read().split()
    return int(n), float(total), usage.ru_maxrss / 1024
