#!/usr/bin/env python3
"""bad_data.py - hostile data files and templates, made here: each is one error that names the file (and line), within bounded
memory and time, and none crashes."""
import gzip
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-bad-data-")
os.chdir(scratch.name)
MEMORY = 1500 << 20


def hone(*args, timeout=60):
    return subprocess.run([HONE, *args], capture_output=True, text=True, errors="replace", timeout=timeout,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)))


def put(name, data):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return name


def bad(name, data, *words, source=None, sets=()):
    path = put(name, data) if data is not None else name
    args = ["data", "info", path] + (["--source", source] if source else [])
    for s in sets:
        args += ["--set", s]
    run = hone(*args)
    lines = [x for x in run.stderr.splitlines() if x.startswith("hone: ")]
    check(name, run.returncode == 1 and len(lines) == 1 and all(w in run.stderr for w in words), f"exit {run.returncode}: {run.stderr[:500]}")


def fine(name, data, rows):
    run = hone("data", "info", put(name, data), "--json")
    check(name, run.returncode == 0 and json.loads(run.stdout)["rows"] == rows, run.stderr[:300])


# ---- jsonl and json ----
bad("utf8.jsonl", b'{"a":1}\n{"a":"\xff"}\n', "utf8.jsonl:2:")
bad("overlong.jsonl", b'{"a":"\xc0\xaf"}\n', "overlong.jsonl:1:")
bad("surrogate.jsonl", b'{"a":"\xed\xa0\x80"}\n', "surrogate.jsonl:1:")
bad("nul.jsonl", b'{"a":"x\x00"}\n', "nul.jsonl:1:")
bad("deep.jsonl", '{"a":' + "[" * 100000 + "]" * 100000 + "}\n", "deep.jsonl:1:")
bad("deep.json", "[" + '{"a":' * 50000 + "1" + "}" * 50000 + "]", "deep.json:1:")
bad("twice.jsonl", '{"a":1,"a":2}\n', "twice")
bad("open.json", '[{"a":1},', "open.json:1:")
bad("long.jsonl", '{"a":"' + "x" * 5000000 + '"}\n', "long.jsonl:1: a row is longer than max_row_bytes", sets=["max_row_bytes=1000000"])
bad("number.jsonl", '{"a":' + "9" * 5000 + "}\n", "number")
bad("folder", None, "folder") if os.mkdir("folder") is None else None

# ---- csv ----
bad("quote.csv", 'a,b\n1,"' + "x\n" * 100000, "quote.csv:2: a quote is opened here and never closed")
bad("quote-limit.csv", 'a,b\n1,"' + "x" * 3000000, "is a quote not closed", sets=["max_row_bytes=1000000"])
bad("columns.csv", ",".join("abcdefghij"[i % 10] + str(i) for i in range(20000)) + "\n1\n", "more than 10000 columns")
bad("utf16.csv", "a,b\n1,2\n".encode("utf-16"), "utf16.csv:1:")
bad("nul.csv", b"a,b\n1,\x00\n", "nul.csv:2:", "NUL")
bad("ragged.csv", "a,b\n" + "1,2\n" * 5000 + "1\n", "ragged.csv:5002:")
fine("quotes.csv", "a\n" + '"' + '""' * 1000000 + '"\n', 1)
fine("cr.csv", "a,b\r\n1,2\r\n\r\n3,4", 2)

# ---- compressed ----
packed = gzip.compress(b'{"a":1}\n' * 10000)
bad("cut.jsonl.gz", packed[:-20], "cut.jsonl.gz", "cut off")
bad("damaged.jsonl.gz", packed[:40] + b"\x00\xff" * 10 + packed[60:], "damaged")
bad("tail.jsonl.gz", packed + b"garbage", "tail.jsonl.gz")
zeros = gzip.compress(b"\n" * (64 << 20), 9)
bad("lines.jsonl.gz", zeros * 40, "lines.jsonl.gz", "more than 500 times its size")
bad("one-line.jsonl.gz", gzip.compress(b"x" * (100 << 20), 9), "max_row_bytes")
fine("members.jsonl.gz", gzip.compress(b'{"a":1}\n') * 100, 100)

try:
    zstd = subprocess.run(["zstd", "-q", "-c"], input=b"\n" * (640 << 20), capture_output=True, timeout=60).stdout
except (FileNotFoundError, subprocess.TimeoutExpired):
    zstd = b""
if zstd:
    bad("lines.jsonl.zst", zstd, "lines.jsonl.zst", "more than 500 times its size")
    bad("cut.jsonl.zst", zstd[:len(zstd) // 2], "cut.jsonl.zst")
else:
    skip("a zstd bomb: the program zstd is not there", checks=2)
bad("window.jsonl.zst", b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00", "window.jsonl.zst")  # asks for a window of 2 TiB
bad("zeros.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\x00" * 50, "zeros.jsonl.zst")

# ---- parquet: DuckDB reads it; what hone says where it fails, or is not there ----
for name, data in [("empty.parquet", b""), ("magic.parquet", b"PAR1PAR1"), ("text.parquet", b"a,b\n1,2\n"),
                   ("footer.parquet", b"PAR1" + b"\x00" * 64 + struct.pack("<I", 0x7fffffff) + b"PAR1")]:
    bad(name, data, name if shutil.which("duckdb") or os.environ.get("HONE_DUCKDB") else "duckdb")

# ---- folders ----
put("saved/state.json", "{}")
put("saved/dataset_info.json", "{}")
put("saved/data-00000-of-00001.arrow", b"ARROW1")
bad("saved", None, "saved")
put("many/README.md", "---\nconfigs:\n- config_name: a\n  data_files: '**" + "*a" * 60 + "*b'\n---\n")
put("many/" + "a" * 200 + ".csv", "x\n1\n")
bad("many", None, "no files of split")
loop = pathlib.Path("loop/a")
loop.mkdir(parents=True)
os.symlink("..", "loop/a/up")
put("loop/a/x.txt", "text")
run = hone("data", "info", "loop", "--json")
check("a link to a folder above", run.returncode == 0 and json.loads(run.stdout)["rows"] == 1, run.stderr)
put("/".join(["down"] + ["d"] * 20 + ["x.txt"]), "x")
bad("down", None, "nested deeper")
put("readme/README.md", "---\nconfigs:\n" + "- config_name: a\n  data_files: '" + "../" * 50 + "etc/passwd'\n" * 3 + "---\n")
put("readme/train.csv", "a\n1\n")
bad("readme", None, "readme", "no files of split")
put("big/README.md", "---\nconfigs:\n" + "".join(f"- config_name: c{i}\n  data_files: x{i}\n" for i in range(10000)) + "---\n")
put("big/train.csv", "a\n1\n")
bad("big", None, "several configurations")

# ---- templates ----
put("m.json", '[{"role":"user","content":"Hi"},{"role":"assistant","content":"x"}]')
for name, text, word in [
    ("loops", "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}", "MiB"),
    ("doubling", "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "longer"),
    ("itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deeper"),
    ("recursive", "{% for a in [1] recursive %}{{ loop([a]) }}{% endfor %}", "deeper"),
    ("deep", "{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}", "deep"),
    ("wide", "{{ '%99999999d' % 1 }}", "width"),
    ("output", "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "longer"),
    ("open", "{% if x", "not closed"),
    ("ifs", "{% if 1 %}" * 50000 + "{% endif %}" * 50000, "deep"),
    ("brackets", "{{ " + "[" * 100000 + " }}", "deep"),
    ("nots", "{{ " + "not " * 100000 + "1 }}", "deep"),
    ("range", "{{ range(10 ** 15) | list }}", ""),
    ("list", "{{ [0] * 10 ** 12 }}", ""),
    ("times", "{{ 'x' * 10 ** 12 }}", ""),
    ("power", "{{ 10 ** 10 ** 10 }}", ""),
    ("digits", "{{ " + "9" * 100000 + " }}", "number is too long"),
    ("bits", "{{ 99999999999999999999 }}", "number is too large"),
    ("centre", "{{ 'x' | center(10 ** 12) }}", ""),
    ("indent", "{{ 'x\\ny' | indent(10 ** 12) }}", ""),
    ("ljust", "{{ 'x'.ljust(10 ** 12) }}", ""),
    ("join", "{% set s = 'x' * 10000000 %}{{ ([s] * 1000) | join(s) }}", ""),
    ("replace", "{% set s = 'x' * 1000000 %}{{ s | replace('x', s) }}", ""),
    ("slices", "{{ 'x' | batch(10 ** 12, 'y') | list }}", ""),
    ("precision", "{{ '%.999999999f' % 1.5 }}", ""),
    ("pairs", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "deeper"),
    ("callers", "{% macro a() %}{{ caller() }}{% endmacro %}{% macro r(n) %}{% call a() %}{{ r(n) }}{% endcall %}{% endmacro %}{{ r(1) }}", "deep"),
    ("end", "{% endfor %}", "endfor"),
    ("unknown", "{% import 'x' as y %}", "import"),
    ("self", "{{ self }}", "self is not supported"),
    ("block", "{% block a %}x{% endblock %}{{ self.a() }}", "self is not supported"),
    ("do", "{% do 1 %}", "do"),
    ("raise", "{{ raise_exception('no ' ~ 'way') }}", "no way"),
    ("sandbox", "{{ messages.append(1) }}", "unsafe"),
    ("dunder", "{{ ''.__class__.__mro__ }}", "__class__"),
]:
    put(f"{name}.jinja", text)
    run = hone("template", "--template", f"{name}.jinja", "--messages", "m.json")
    check(f"template: {name}", run.returncode == 1 and f"{name}.jinja:1: " in run.stderr and word in run.stderr, f"exit {run.returncode}: {run.stderr[:300]}")

finish()
