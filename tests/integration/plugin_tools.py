"""plugin_tools.py - what an author looks at a component with: recorded calls and their replay, the figures of its calls."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.path.abspath(os.environ.get("HONE", str(ROOT / "build" / "hone")))
scratch = tempfile.TemporaryDirectory(prefix="hone-plugin-tools-")
work = pathlib.Path(scratch.name)
ENV = {**os.environ, "XDG_DATA_HOME": str(work / "data"), "XDG_CONFIG_HOME": str(work / "config")}
ENV.pop("HONE_RECORD", None)


def hone(*args, **env):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, env={**ENV, **env}, timeout=120)


def rows(name, n, **more):
    (work / name).write_text("".join(json.dumps({"prompt": f"{i}+1=?", "completion": f"it is {i + 1}", "answer": str(i + 1 + i % 2),
                                                 **more}) + "\n" for i in range(n)))


# ---- record and replay -----------------------------------------------------------------------------------------------
rows("samples.jsonl", 100, secret="not-for-the-vendor")
plain = hone("score", "--reward", "math_answer", "--data", "samples.jsonl", "--json")
got = hone("score", "--reward", "math_answer", "--reward", "length", "--data", "samples.jsonl", "--json", HONE_RECORD="calls.rec",
           HONE_RECORD_OF="math_answer")
check("recording changes nothing", got.returncode == 0 and [json.loads(x)["outcomes"]["math_answer"] for x in got.stdout.splitlines()]
      == [json.loads(x)["outcomes"]["math_answer"] for x in plain.stdout.splitlines()], got.stderr)
data = (work / "calls.rec").read_bytes()
check("calls are in the file", data.startswith(b"hone-record 1\n") and data.count(b"hrec") >= 4, data[:60])
check("only the asked component's", b"reward.math_answer" in data and b"reward.length" not in data)
again = hone("plugin", "replay", "calls.rec")
check("a deterministic reward answers the same", again.returncode == 0 and "2 calls: 2 the same, 0 differ" in again.stdout,
      again.stdout + again.stderr)
other = hone("plugin", "replay", "calls.rec", "--plugin", "length", "--json")
lines = [json.loads(x) for x in other.stdout.splitlines()]
check("another reward differs, call by call", other.returncode == 1 and len(lines) == 2 and lines[0]["result"] == "differs"
      and "recorded was score" in lines[0]["differs"], other.stdout + other.stderr)
one = hone("plugin", "replay", "calls.rec", "--call", 2)
check("one call alone", "1 calls: 1 the same" in one.stdout, one.stdout + one.stderr)
setting = hone("plugin", "replay", "calls.rec", "--set", "reference=prompt")
check("a setting may be changed", setting.returncode == 1 and "differs from what was recorded" in setting.stdout, setting.stdout)
past = hone("plugin", "replay", "calls.rec", "--call", 3)
check("a call that is not there", past.returncode == 2 and "2 calls" in past.stderr, past.stderr)

boxed = hone("score", "--reward", "math_answer", "--set", "box=true", "--data", "samples.jsonl", "--json", HONE_RECORD="boxed.rec")
if boxed.returncode == 3 or "box" in boxed.stderr:
    skip("calls into a box are recorded", boxed.stderr.strip())
else:
    check("a box gives the same outcomes", boxed.stdout == plain.stdout, boxed.stderr)
    again = hone("plugin", "replay", "boxed.rec")
    check("what a box answered is what this process answers", "2 calls: 2 the same, 0 differ" in again.stdout, again.stdout + again.stderr)

# wants keep other members out of the file: length reads completion and tokens
hone("score", "--reward", "length", "--data", "samples.jsonl", HONE_RECORD="length.rec")
length = (work / "length.rec").read_bytes()
check("members that are not wanted are not in the file", b"it is 5" in length and b"not-for-the-vendor" not in length)
check("wanted ones are", b"not-for-the-vendor" in data)

# a process that died in the call: the call is there, its result is not
(work / "crash.c").write_text("""#include "hone/reward.h"
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t in_stride, hone_outcome *out,
                         size_t out_stride, const hone_notes *notes)
{
    (void)self, (void)call, (void)notes;
    for (size_t i = 0; i < n; i++) {
        if (CRASH && in[0].n_columns)
            *(volatile int *)8 = 1;
        hone_outcome_set(out, out_stride, i, HONE_SCORE, hone_sample_at(in, in_stride, i)->completion.len > 5);
    }
    return HONE_OK;
}
HONE_REWARD_PLUGIN(0x000100, "com.example.reward.crash", "1", "crashes", 0, NULL, NULL, score);
""")
for crash in (0, 1):
    subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", f"-DCRASH={crash}", "-I", str(ROOT / "sdk/include"),
                    "-o", str(work / f"crash{crash}.so"), str(work / "crash.c")], check=True)
    hone("plugin", "trust", f"./crash{crash}.so")
died = hone("score", "--reward", "./crash1.so", "--data", "samples.jsonl", HONE_RECORD="crash.rec")
check("the plugin crashes hone in process", died.returncode < 0 or died.returncode > 3, str(died.returncode))
fixed = hone("plugin", "replay", "crash.rec", "--plugin", "./crash0.so")
check("the call it died in can be made again", fixed.returncode == 0 and "no result was recorded" in fixed.stdout,
      fixed.stdout + fixed.stderr)

# several components, one of them not here
(work / "two.rec").write_bytes((work / "crash.rec").read_bytes().replace(b"reward.crash", b"reward.other") + data[14:])
two = hone("plugin", "replay", "two.rec")
check("calls of components that are not here are passed over", two.returncode == 1 and "com.example.reward.other" in two.stderr
      and "2 calls: 2 the same, 0 differ; 1 more are of components that are not here" in two.stdout, two.stdout + two.stderr)

# files that are none, cut, spoiled
(work / "no.rec").write_bytes(b"something else")
no = hone("plugin", "replay", "no.rec")
check("another file is refused", no.returncode == 1 and "no file of recorded calls" in no.stderr, no.stderr)
(work / "cut.rec").write_bytes(data[:-10])
cut = hone("plugin", "replay", "cut.rec")
check("a file that ends in the middle", cut.returncode == 0 and "1 without a recorded result" in cut.stdout, cut.stdout + cut.stderr)
frame = data.index(b"hrec")
json_len, = struct.unpack_from("<Q", data, frame + 16)
body = frame + 32 + json_len
spoiled = bytearray(data)
struct.pack_into("<Q", spoiled, body + 64 + 16 * 3, 1 << 60)  # how many samples there are
(work / "spoiled.rec").write_bytes(spoiled)
bad = hone("plugin", "replay", "spoiled.rec")
check("a spoiled call is refused with its place", bad.returncode == 1 and "lies outside the message" in bad.stderr
      and "call 1" in bad.stderr, bad.stderr)
full = hone("score", "--reward", "length", "--data", "samples.jsonl", HONE_RECORD="/nowhere/x.rec")
check("a file that cannot be written is said at once", full.returncode == 1 and "HONE_RECORD" in full.stderr, full.stderr)

# ---- try -------------------------------------------------------------------------------------------------------------
lines = [{"prompt": f"{i}+1=?", "completion": "word " * (30 + i % 20), "answer": "1"} for i in range(300)]
lines[77]["completion"] = "x" * 9000
lines.append({"prompt": "a\nb", "completion": "short \u00e9", "id": "odd one"})
(work / "try.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
LENGTH = ("length", "--set", "value=200", "--set", "soft=50", "--data", "try.jsonl", "--json")
tried = hone("plugin", "try", *LENGTH)
got = json.loads(tried.stdout) if tried.returncode == 0 else {}
check("try: every sample has an outcome", got.get("samples") == 301
      and got["outcomes"] == {"score": 301, "abstain": 0, "error": 0, "timeout": 0}, tried.stdout + tried.stderr)
want = [json.loads(x)["outcomes"]["length"]["score"] for x in hone("score", "--reward", *LENGTH).stdout.splitlines()]
check("try: the mean is that of hone score", abs(got["mean"] - sum(want) / len(want)) < 1e-6, str(got["mean"]))
check("try: the histogram counts all", sum(b["n"] for b in got["histogram"]) == 301 and got["histogram"][0]["from"] == min(want)
      and got["histogram"][-1]["to"] == max(want), str(got["histogram"]))
check("try: the histogram is right", got["histogram"][0]["n"] == sum(x < 0.1 for x in want), str(got["histogram"]))
check("try: the strangest first", [x["row"] for x in got["strangest"][:2]] == [78, 301] and len(got["strangest"]) == 10,
      str(got["strangest"][:2]))
check("try: and why", "1 of 301 have a score near this; 9000 bytes long" in got["strangest"][0]["why"], got["strangest"][0]["why"])
check("try: texts on one line", got["strangest"][1]["prompt"] == "a b" and got["strangest"][1]["completion"] == "short \u00e9")
check("try: how long a batch took", 0 < got["batch_ms"]["median"] <= got["batch_ms"]["most"], str(got["batch_ms"]))
tried = hone("plugin", "try", "math_answer", "--data", "try.jsonl")
check("try: an error is strange, with its reason", 'row 301, odd one  error (the row has no column "answer"): 1 of 301' in tried.stdout
      and "error           1    0.3 %" in tried.stdout, tried.stdout + tried.stderr)
check("try: what nearly all are is not strange", "row 1 " not in tried.stdout, tried.stdout)
(work / "dice.c").write_text("""#include "hone/reward.h"
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t in_stride, hone_outcome *out,
                         size_t out_stride, const hone_notes *notes)
{
    (void)self, (void)call, (void)notes;
    for (size_t i = 0; i < n; i++)
        hone_outcome_set(out, out_stride, i, HONE_SCORE, hone_sample_at(in, in_stride, i)->id == 7);
    return HONE_OK;
}
HONE_REWARD_PLUGIN(0x000100, "com.example.reward.dice", "1", "by number", 0, NULL, NULL, score);
""")
subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "sdk/include"),
                "-o", str(work / "dice.so"), str(work / "dice.c")], check=True)
hone("plugin", "trust", "./dice.so")
(work / "equal.jsonl").write_text("".join(json.dumps({"id": f"r{i}", "prompt": str(i % 4), "completion": "same"}) + "\n"
                                          for i in range(40)))
dice = hone("plugin", "try", "./dice.so", "--data", "equal.jsonl", "--json")
strange = json.loads(dice.stdout)["strangest"] if dice.returncode == 0 else []
check("try: equal samples with unequal outcomes come first", len(strange) == 10 and strange[0]["row"] == 7
      and all(x["why"].startswith("an equal sample has another outcome") and x["row"] % 4 == 3 for x in strange),
      dice.stdout + dice.stderr)
(work / "empty.jsonl").write_text("")
empty = hone("plugin", "try", "length", "--data", "empty.jsonl")
check("try: a file without rows", empty.returncode == 1 and "no rows" in empty.stderr, empty.stderr)
check("try: needs data", hone("plugin", "try", "length").returncode == 2)

# ---- figures -----------------------------------------------------------------------------------------------------------
bench = hone("bench", "plugins", "--seconds", 0.02, "--json")
figures = json.loads(bench.stdout) if bench.returncode == 0 else {}
check("bench plugins: figures of every place", all(figures.get(k) for k in ("in_process", "boxed", "lua", "wire")), bench.stderr)
for place, names in (("in_process", ["call", "sample"]), ("wire", ["write", "rebuild"]),
                     ("lua", ["call_number", "call_text_500", "sample", "sample_number", "sample_completion"])):
    for name in names:
        ns = figures.get(place, {}).get(name, {})
        check(f"bench plugins: {place} {name}", "min" in ns and "median" in ns and (name.startswith("sample") or 0 < ns["min"] <= ns["median"]),
              str(ns))
boxed = figures.get("boxed", {})
check("bench plugins: boxed, or why not", boxed.get("not_measured") or 0 < boxed["call"]["min"] <= boxed["call"]["median"], str(boxed))
if "call" in boxed:
    check("bench plugins: a box costs more than a call in process", boxed["call"]["min"] > figures["in_process"]["call"]["min"], str(boxed))
batches = [b["n"] for b in figures.get("in_process", {}).get("batches", [])]
check("bench plugins: by batch size", batches == [1, 8, 64, 256], str(batches))
one = hone("plugin", "bench", "math_answer", "--seconds", 0.02, "--json")
figures = json.loads(one.stdout) if one.returncode == 0 else {}
check("plugin bench", figures.get("component") == "org.hone.reward.math_answer" and figures["in_process"]["call"]["min"] > 100
      and figures["from_lua"]["call"]["min"] > 100, one.stdout + one.stderr)
text = hone("plugin", "bench", "null", "--seconds", 0.02)
check("plugin bench: a table", "in process" in text.stdout and "from Lua" in text.stdout, text.stdout + text.stderr)
wrong = hone("plugin", "bench", "adamw", "--seconds", 0.02)
check("plugin bench: other kinds are refused", wrong.returncode == 1 and "rewards and judges" in wrong.stderr, wrong.stderr)

finish()
