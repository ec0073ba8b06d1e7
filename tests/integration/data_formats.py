#!/usr/bin/env python3
"""data_formats.py - the steps of `hone data` on packed lines, CSV, folders and Parquet: what they keep is what they keep of the same
rows as lines of JSON.

Parquet is written and read by the DuckDB program (HONE_DUCKDB, or in PATH): nested columns, nulls, several row groups, damaged files.
Without it that part is left out, saying so. HONE is the program."""
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
DUCKDB = os.environ.get("HONE_DUCKDB") or shutil.which("duckdb")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def hone(*args, code=0):
    run = subprocess.run([HONE, "data", *map(str, args)], capture_output=True, stdin=subprocess.DEVNULL)
    if code is not None and run.returncode != code:
        check(f"hone data {' '.join(map(str, args))}", False, f"exit {run.returncode}: {run.stderr.decode()[-500:]}")
    return run


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def lines(name, rows):
    with open(name, "w") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    return name


def words(i, n):
    return " ".join(f"w{(i * 7 + k * (i % 5 + 1)) % 97}" for k in range(n))


# Every third row comes twice; some are short; texts are not ASCII only.
flat = [{"id": i, "q": ("\u00e9t\u00e9 " if i % 4 == 0 else "") + words(i % 40 if i % 3 == 0 else i, 8 + i % 9), "a": words(i % 40 if i % 3 == 0 else i + 50, 3 + i % 11),
         "score": i * 0.25, "group": f"g{i % 7}"} for i in range(300)]
lines("items.jsonl", [{"q": flat[9]["q"], "a": flat[9]["a"]}, {"q": words(77, 16)}])
STEPS = [  # a step, its settings, the inputs it takes besides
    ("dedup", ["--columns", "q,a"]), ("dedup", ["--columns", "q,a", "--near", "--threshold", 0.5]),
    ("decontaminate", ["--against", "items.jsonl", "--columns", "q,a", "--ngram", 8]),
    ("filter", ["--columns", "q", "--rule", "min_words=12"]), ("select", ["--by", "score", "--top", 40, "--columns", "q"]),
    ("select", ["--diverse", 20, "--columns", "q"]), ("split", ["--group", "group"]), ("split", ["--near", "--threshold", 0.5, "--columns", "q"]), ("mix", [])]


def run_step(step, settings, path, out):
    """The rows of the outputs; mix takes its input twice."""
    if step == "split":
        hone("split", path, *settings, "--into", f"{out}.0=0.6", "--into", f"{out}.1=0.4")
        return [rows_of(open(f"{out}.{k}").read()) for k in range(2)]
    inputs = [f"{path}=0.7", f"items.jsonl=0.3"] if step == "mix" else [path]
    hone(step, *inputs, *settings, "--out", out)
    return [rows_of(open(out).read())]


def origins(out):
    db = sqlite3.connect(out + ".lineage")
    got = db.execute("select n, path, line from kept order by n").fetchall()
    db.close()
    return got


def compare(kind, path, plain, rows):
    """Every step on `path` keeps what it keeps of `plain`, the same rows as lines; lineage names the file and row."""
    for i, (step, settings) in enumerate(STEPS):
        want, got = run_step(step, settings, plain, "want.out"), run_step(step, settings, path, "got.out")
        check(f"{kind}: {step} {' '.join(map(str, settings))}", got == want and 0 < len(want[0]) and
              (step == "mix" or sum(map(len, want)) <= len(rows)), f"{[len(x) for x in got]} rows, {[len(x) for x in want]} wanted")
        if i == 0:
            a, b = origins("got.out"), origins("want.out")
            check(f"{kind}: lineage", [(n, line) for n, _, line in a] == [(n, line) for n, _, line in b] and {p for _, p, _ in a} == {path}, a[:2])
    info = json.loads(hone("info", path, "--json").stdout)
    check(f"{kind}: info counts the rows", info["rows"] == len(rows), info.get("rows"))


# ---- packed lines, CSV, folders --------------------------------------------------------------------------------------
lines("flat.jsonl", flat)
with gzip.open("flat.jsonl.gz", "wt") as f:
    f.write(open("flat.jsonl").read())
compare("gzip", "flat.jsonl.gz", "flat.jsonl", flat)
half = gzip.compress(open("flat.jsonl", "rb").read())
open("cut.jsonl.gz", "wb").write(half[:len(half) // 2])
bad = hone("dedup", "cut.jsonl.gz", "--columns", "q", "--out", "cut.out", code=None)
check("gzip: one that was cut off is an error and no output", bad.returncode != 0 and b"cut.jsonl.gz" in bad.stderr and not os.path.exists("cut.out"), bad.stderr)


def cell(v):
    text = v if isinstance(v, str) else json.dumps(v)
    return '"' + text.replace('"', '""') + '"' if isinstance(v, str) else text


with open("flat.csv", "w") as f:
    f.write("id,q,a,score,group\r\n" + "".join(",".join(cell(r[k]) for k in ("id", "q", "a", "score", "group")) + "\r\n" for r in flat))
compare("CSV", "flat.csv", "flat.jsonl", flat)
open("odd.csv", "w").write("q,a\nx y,z\nonly one\n")
bad = hone("filter", "odd.csv", "--columns", "q", "--rule", "min_words=1", "--out", "odd.out", code=None)
check("CSV: a short record ends the step with its place", bad.returncode != 0 and b"odd.csv:3" in bad.stderr and not os.path.exists("odd.out"), bad.stderr)

os.makedirs("folder/data")
lines("folder/data/train-0.jsonl", flat[:170])
with gzip.open("folder/data/train-1.jsonl.gz", "wt") as f:
    f.writelines(json.dumps(r) + "\n" for r in flat[170:])
lines("folder/data/test.jsonl", [{"q": "not to be read", "a": "x", "id": -1, "score": 0, "group": "t"}])
compare("folder", "folder", "flat.jsonl", flat)

# ---- Parquet ----------------------------------------------------------------------------------------------------------
if not DUCKDB:
    skip("Parquet", "the DuckDB program is not there (HONE_DUCKDB)", 30)
    finish()
os.environ["HONE_DUCKDB"] = DUCKDB


def duckdb(sql):
    run = subprocess.run([DUCKDB, "-c", sql], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    check("DuckDB writes " + sql[:60], run.returncode == 0, run.stderr)


duckdb("copy (select * from read_json('flat.jsonl', columns={id:'BIGINT',q:'VARCHAR',a:'VARCHAR',score:'DOUBLE',\"group\":'VARCHAR'})) to 'flat.parquet' (format parquet, row_group_size 64)")
compare("Parquet", "flat.parquet", "flat.jsonl", flat)

# messages, lists, structs and nulls
nested = [{"id": i, "messages": [{"role": "user", "content": r["q"]}, {"role": "assistant", "content": None if i % 11 == 5 else r["a"]}],
           "tags": None if i % 4 == 1 else ["x", "y"][:i % 3], "meta": {"n": i, "deep": {"ok": i % 2 == 0, "note": None}}, "score": None if i == 3 else i / 8}
          for i, r in enumerate(flat)]
lines("nested.jsonl", nested)
duckdb("copy (select * from read_json('nested.jsonl', columns={id:'BIGINT',messages:'STRUCT(role VARCHAR, content VARCHAR)[]',tags:'VARCHAR[]',"
       "meta:'STRUCT(n BIGINT, deep STRUCT(ok BOOLEAN, note VARCHAR))',score:'DOUBLE'})) to 'nested.parquet' (format parquet, row_group_size 50)")
head = rows_of(hone("mix", "nested.parquet=1").stdout.decode())
check("Parquet: nested columns, nulls and numbers are those that were written", head == nested, next(((a, b) for a, b in zip(head, nested) if a != b), len(head)))
for step, settings in (("dedup", ["--columns", "messages.content"]), ("dedup", ["--near"]), ("filter", ["--columns", "messages.content", "--rule", "min_words=20"]),
                       ("decontaminate", ["--against", "items.jsonl"]), ("select", ["--diverse", 9]), ("split", ["--group", "tags"]), ("mix", [])):
    want, got = run_step(step, settings, "nested.jsonl", "want.out"), run_step(step, settings, "nested.parquet", "got.out")
    check(f"Parquet, nested: {step} {' '.join(map(str, settings))}", got == want and want[0], f"{[len(x) for x in got]} rows, {[len(x) for x in want]} wanted")

# a score that is null is an error or left out in both alike
a, b = (hone("select", p, "--by", "score", "--top", 5, "--out", f"null.{k}", code=None) for k, p in enumerate(("nested.jsonl", "nested.parquet")))
check("Parquet: a null score is taken as that of a line", a.returncode == b.returncode and
      a.stderr.decode().replace("nested.jsonl", "F") == b.stderr.decode().replace("nested.parquet", "F"), f"{a.stderr} {b.stderr}")

# several files, two formats, standard output; Parquet as the items
got = rows_of(hone("dedup", "flat.parquet", "flat.csv", "--columns", "q,a").stdout.decode())
check("Parquet beside CSV: the rows of the second are copies", len(got) == len(rows_of(hone("dedup", "flat.jsonl", "--columns", "q,a").stdout.decode())), len(got))
duckdb("copy (select * from read_json('items.jsonl', columns={q:'VARCHAR',a:'VARCHAR'})) to 'items.parquet' (format parquet)")
a, b = (hone("decontaminate", "flat.jsonl", "--against", p, "--columns", "q,a", "--ngram", 8).stdout for p in ("items.jsonl", "items.parquet"))
check("Parquet as the items", a == b and len(rows_of(a.decode())) < len(flat))
os.makedirs("hub/data")
for k in range(2):
    duckdb(f"copy (select * from 'flat.parquet' where id // 150 = {k} order by id) to 'hub/data/train-0000{k}-of-00002.parquet' (format parquet, row_group_size 40)")
compare("folder of Parquet", "hub", "flat.jsonl", flat)

# no rows; damaged files: an error that names the file, and no output
duckdb("copy (select * from 'flat.parquet' where id < 0) to 'none.parquet' (format parquet)")
r = hone("dedup", "none.parquet", "--out", "none.out")
check("Parquet without rows gives none", open("none.out").read() == "", r.stderr)
whole = open("flat.parquet", "rb").read()
spoiled = bytearray(whole)
for at in range(len(whole) // 4, len(whole) // 2):
    spoiled[at] ^= 0x5a
for name, data in (("empty", b""), ("magic", b"PAR1PAR1"), ("cut", whole[:-20]), ("head", whole[:len(whole) // 2]), ("pages", bytes(spoiled)), ("text", b"a,b\n1,2\n")):
    open(name + ".parquet", "wb").write(data)
    for step, settings in (("dedup", []), ("filter", ["--rule", "min_words=1"]), ("select", ["--by", "score", "--top", 3]), ("mix", [])):
        path = name + ".parquet"
        bad = hone(step, path + "=1" if step == "mix" else path, *settings, "--out", "bad.out", code=None)
        check(f"Parquet, {name}: {step} refuses it", bad.returncode == 1 and bad.stderr.count(b"\n") == 1 and path.encode() in bad.stderr and not os.path.exists("bad.out"),
              f"exit {bad.returncode}: {bad.stderr[-300:]}")
        shutil.rmtree("bad.out.work", ignore_errors=True)
finish()
