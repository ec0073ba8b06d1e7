"""sink_files.py - the sinks of files.so: TensorBoard event files, read here by a reader of its own, and metrics.csv.

The reader knows TFRecord and protobuf from their specifications alone: every checksum, every length, every field is looked at."""
import csv
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


# ---- a reader ----------------------------------------------------------------------------------------------
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        n, check_n = struct.unpack_from("<QI", data, at)
        assert masked(data[at:at + 8]) == check_n, "the checksum of a length"
        body = data[at + 12:at + 12 + n]
        assert len(body) == n and masked(body) == struct.unpack_from("<I", data, at + 12 + n)[0], "the checksum of a record"
        yield body
        at += 16 + n


def message(data):
    """[(field, value)]; a value is an int, 8 or 4 bytes, or bytes."""
    at, out = 0, []

    def varint():
        nonlocal at
        v = shift = 0
        while True:
            v |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return v
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            n = {1: 8, 5: 4}.get(key & 7)
            n = varint() if n is None else n
            assert key & 7 in (1, 2, 5) and at + n <= len(data), "a field that is whole"
            value = data[at:at + n]
            at += n
        out.append((key >> 3, value))
    return out


def events(path):
    """[{"wall", "step", "version" | "session" | "values": {tag: number or text}}]"""
    out = []
    for body in records(path):
        fields = dict(message(body))
        e = {"wall": struct.unpack("<d", fields[1])[0], "step": fields.get(2, 0)}
        if 3 in fields:
            e["version"] = fields[3].decode()
        if 7 in fields:
            e["session"] = dict(message(fields[7]))
        if 5 in fields:
            e["values"] = {}
            for field, value in message(fields[5]):
                v = dict(message(value))
                assert field == 1
                if 2 in v:
                    e["values"][v[1].decode()] = struct.unpack("<f", v[2])[0]
                else:
                    tensor = dict(message(v[8]))
                    assert tensor[1] == 7 and message(tensor[2]) == [(2, b"\x08\x01")] and dict(message(dict(message(v[9]))[1]))[1] == b"text"
                    e["values"][v[1].decode()] = tensor[8].decode()
        out.append(e)
    return out


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def metrics(run):
    return [json.loads(line) for line in open(run + "/metrics.jsonl")]


def near(a, b):
    return abs(a - b) <= 1e-6 * max(1e-6, abs(b))


RECIPE = """
local hone = require "hone"
local p = hone.params { steps = { 12, "steps" }, kill = { 0, "step after which it ends with an error" } }
local run = hone.run { name = "sinks", seed = 3, checkpoint = { every = 4, keep = 9 }, alarms = { window = 3, action = "warn" } SINKS }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local data = { { prompt = "2+3", answer = "5" }, { prompt = "4+4", answer = "8" } }
local rewards = { hone.reward("length") }
policy:eval { hone.rows(data), rewards = rewards, max_tokens = 4 }
for step, prompts in run:steps(p.steps, hone.rows(data):epochs():batches(2)) do
  policy:update { policy:rollout(prompts, { n = 2, max_tokens = 4, rewards = rewards }) }
  if step == 5 then run:log { ['late, "quoted" name'] = 0.1 } end
  if step == 6 then policy:eval { hone.rows(data), rewards = rewards, max_tokens = 4, name = "held" } end
  if step == p.kill then error("killed") end
end
"""
for name, sinks in (("plain", ""), ("named", ', sinks = { hone.sink("tensorboard", { folder = "tb" }), hone.sink("csv", { file = "t.csv" }) }')):
    with open(name + ".lua", "w") as f:
        f.write(RECIPE.replace("SINKS", sinks))

# ---- TensorBoard ---------------------------------------------------------------------------------------------
r = hone("run", "plain.lua", "--run-dir", "a", "--sink", "tensorboard", "--sink", "csv")
files = glob.glob("a/tensorboard/events.out.tfevents.*")
check("any recipe can have both", r.returncode == 0 and len(files) == 1 and os.path.exists("a/metrics.csv"), r.stdout + r.stderr)
ev = events(files[0]) if files else [{}]
check("the first record names the version", ev[0].get("version") == "brain.Event:2", ev[0])
check("times go up", all(x["wall"] <= y["wall"] for x, y in zip(ev, ev[1:])) and ev[0]["wall"] > 1.5e9, [e["wall"] for e in ev][:3])
by_step = {}
for e in ev[1:]:
    by_step.setdefault(e["step"], {}).update(e["values"])
rows = metrics("a") if r.returncode == 0 else []
missing = [(m["step"], k) for m in rows for k, v in m.items() if k != "step" and isinstance(v, (int, float)) and
           not near(by_step.get(m["step"], {}).get(k, 9e9), v)]
check("every metric of every step is a scalar", len(rows) == 12 and missing == [], missing[:5])
check("evaluations have their interval, also before the first step", {"eval/length", "eval/length/lo", "eval/length/hi"} <= set(by_step.get(0, {})) and
      {"eval/held/length", "eval/held/length/lo"} <= set(by_step.get(6, {})), by_step.get(0))
check("and once", sum("eval/held/length" in e.get("values", {}) for e in ev) == 1)
told = json.load(open("a/run.json")).get("alarms", [])
check("alarms are texts", told and by_step[told[0]["step"]].get("alarms") in [a["text"] for a in told], told)

# ---- CSV -----------------------------------------------------------------------------------------------------


def table(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


t = table("a/metrics.csv") if os.path.exists("a/metrics.csv") else []
check("a line a step, behind the evaluation before the first", [x["step"] for x in t] == [str(k) for k in range(13)], [x["step"] for x in t])
wrong = [(m["step"], k) for m in rows for k, v in m.items() if isinstance(v, (int, float)) and float(t[m["step"]][k] or "nan") != v]
check("numbers are those of metrics.jsonl, to the last bit", t and wrong == [], wrong[:5])
check("a metric that comes late is a last column, empty before", t and [x['late, "quoted" name'] for x in t] == [""] * 5 + ["0.1"] + [""] * 7,
      list(t[0])[-3:] if t else "")
check("no line has more or fewer cells than there are columns", t and all(None not in x and None not in x.values() for x in t))

# ---- named in the recipe; killed and resumed -------------------------------------------------------------------
r = hone("run", "named.lua", "kill=10", "--run-dir", "b")
check("it was killed behind step 10", r.returncode == 1 and len(metrics("b")) == 9, r.stderr[-300:])
with open("b/t.csv", "a") as f:
    f.write("10,half a li")
with open("named.lua") as f:
    text = f.read()
r = hone("run", "named.lua", "--run-dir", "c")
r2 = hone("resume", "b", "--force") if os.system("sed -i 's/step == p.kill/step == -1/' named.lua") == 0 else None
check("it was resumed", r2.returncode == 0, r2.stderr[-500:])
check("the table goes on where the checkpoint was, and ends as that of a run that was not killed",
      open("b/t.csv").read() == open("c/t.csv").read(), open("b/t.csv").read()[-300:])
parts = sorted(glob.glob("b/tb/events*"))
check("event files: one a process", len(parts) == 2, parts)
second = events(parts[1]) if len(parts) == 2 else [{}, {}]
check("the second says from which step on the first counts no more", second[1].get("session") == {1: 1} and second[1].get("step") == 9, second[1])
merged = {}
for path in parts:
    for e in events(path):
        if "session" in e:
            merged = {s: v for s, v in merged.items() if s < e["step"]}
        if "values" in e:
            merged.setdefault(e["step"], {}).update(e["values"])
whole = {}
for e in events(glob.glob("c/tb/events*")[0]):
    if "values" in e:
        whole.setdefault(e["step"], {}).update(e["values"])
check("read so, both together are the run that was not killed", merged == whole, (sorted(merged), sorted(whole)))
r = hone("run", "plain.lua", "kill=6", "--run-dir", "d", "--sink", "csv:file=x.csv")
os.system("sed -i 's/step == p.kill/step == -1/' plain.lua")
r = hone("resume", "d", "--force")
check("--sink holds for the resumed run too", r.returncode == 0 and len(table("d/x.csv")) == 13, r.stderr)

# ---- what is refused ---------------------------------------------------------------------------------------------
for bad, words in (("csv:file=../x.csv", "without a slash"), ("csv:file=run.json", "ends in .csv"), ("tensorboard:folder=/tmp", "without a slash"),
                   ("tensorboard:folder=.", "without a slash"), ("csv:files=x.csv", "files"), ("csv:x", "no key=value"), ("csvv", "csvv")):
    r = hone("run", "plain.lua", "--run-dir", "bad", "--sink", bad)
    check(f"refused: --sink {bad}", r.returncode != 0 and words in r.stderr and not os.path.exists("bad"), r.stderr)
DAMAGED = {"other": "name,value\n1,2\n", "quote": 'step,"a\n1,2\n', "twice": "step,a,a\n1,2,3\n", "line": "step,a\nx,2\n", "empty": "step,,\n",
           "bytes": "\0\xff\n", "no_end": "step,a"}
for name, text in DAMAGED.items():
    r = hone("run", "plain.lua", "steps=4", "--run-dir", name)
    with open(name + "/metrics.csv", "w", encoding="latin-1") as f:
        f.write(text)
    meta = json.load(open(name + "/run.json"))
    meta["sinks"] = ["csv"]
    json.dump(meta, open(name + "/run.json", "w"))
    r = hone("resume", name)
    check(f"a file that is no table of ours ({name}) stays as it is", r.returncode == 0 and "gets no more events" in r.stderr and
          open(name + "/metrics.csv", encoding="latin-1").read() == text, r.stderr)
finish()
