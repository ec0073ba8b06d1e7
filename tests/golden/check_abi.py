#!/usr/bin/env python3
"""check_abi.py - the SDK keeps its promise: `make check-abi`.

  layout      sizes and offsets against tests/abi/layout.txt and against every frozen SDK: growth at the end only
  snapshots   tests/abi/sdk-*/ are what was published: nobody edits them (SHA256SUMS)
  plugins     tests/abi/plugins/*, built against every frozen SDK, run in this host
  future      the same plugins built against a made-up later SDK whose structs have all grown run too; one that needs
              more than this host is refused by the field's name
  abidiff     of both libraries, where it is installed
  functions   every function says its thread, ownership, failure and version

  check_abi.py --accept       writes layout.txt, when nothing in it changed but what may
  check_abi.py --freeze       writes tests/abi/sdk-VERSION from sdk/: when a version is published, once
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from abi_layout import ROOT, changes, frozen, parse, table  # noqa: E402
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ.get("HONE", str(ROOT / "build" / "hone")))
ABI = ROOT / "tests/abi"
GOLDEN = ABI / "layout.txt"
scratch = tempfile.TemporaryDirectory(prefix="hone-abi-")
work = pathlib.Path(scratch.name)
CC = shutil.which("gcc") or "cc"
HEAD = """# layout.txt - what check_abi.py found the SDK's structs and constants to be. Written by
# `tests/golden/check_abi.py --accept`, which refuses what may not change. 64-bit, little-endian.
"""


def read_log():
    out = {}
    for line in (ROOT / "sdk/ABI.log").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            version, name, _ = line.split(None, 2)
            out[name] = version
    return out


def body(text):
    return "".join(x + "\n" for x in text.splitlines() if not x.startswith("#"))


now = table(str(ROOT / "sdk/include"), str(work), CC)
log, never_grow = read_log(), frozen()
version_text = re.search(r"HONE_SDK_VERSION 0x(\w\w)(\w\w)(\w\w)", (ROOT / "sdk/include/hone/base.h").read_text())
VERSION = ".".join(str(int(x, 16)) for x in version_text.groups())
check("the version of configure.ac (hone.pc, the dist) is the SDK's", f"AC_INIT([hone], [{VERSION}])" in (ROOT / "configure.ac").read_text(),
      VERSION)
snapshots = sorted(ABI.glob("sdk-*"))


def sums(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}\n" for p in files)


if "--accept" in sys.argv:
    bad, added = changes(body(GOLDEN.read_text()), now, log, never_grow) if GOLDEN.exists() else ([], [])
    if bad:
        sys.exit("\n".join(bad))
    GOLDEN.write_text(HEAD + now)
    sys.exit(f"tests/abi/layout.txt: {len(added)} additions" if added else 0)
if "--freeze" in sys.argv:
    to = ABI / f"sdk-{VERSION}"
    if to.exists():
        sys.exit(f"{to} is there already: a published SDK is never written again")
    shutil.copytree(ROOT / "sdk/include", to / "include")
    for f in ("hone.mk", "plugin.map"):
        shutil.copy(ROOT / "sdk" / f, to)
    (to / "SHA256SUMS").write_text(sums(to))
    sys.exit(0)

# ---- layout ----
bad, added = changes(body(GOLDEN.read_text()), now, log, never_grow)
for line in bad:
    print(line)
check("the layout is that of tests/abi/layout.txt, or grew at its ends", not bad, f"{len(bad)} refusals, above")
check("tests/abi/layout.txt has what was added", not added or bad, f"{added}: tests/golden/check_abi.py --accept")
for s in snapshots:
    bad, added = changes(table(str(s / "include"), str(work), CC), now, log, never_grow)
    check(f"the layout is that of {s.name}, or grew at its ends", not bad, "\n".join(bad))


# The check itself: each change is made to a copy of the headers and must be refused with the field's name, or pass.
def changed(edits, more_log=()):
    copy = work / "changed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "sdk/include", copy)
    for file, before, after in edits:
        p = copy / "hone" / file
        text = p.read_text()
        assert text.count(before) == 1, (file, before, text.count(before))
        p.write_text(text.replace(before, after))
    return changes(now, table(str(copy), str(work), CC), {**log, **dict.fromkeys(more_log, "9.9.9")}, never_grow)[0]


TURN = "uint32_t finish, turn;"
for name, edits, words in (
        ("a member in front", [("reward.h", "typedef struct hone_outcome {", "typedef struct hone_outcome {\n    uint32_t first;")], "hone_outcome.status: moved"),
        ("a member in the middle", [("source.h", "    hone_status (*seek)", "    uint64_t extra;\n    hone_status (*seek)")], "hone_source_v1.seek: moved"),
        ("a member gone", [("reward.h", "uint64_t id, deadline_ns;", "uint64_t id;")], "hone_call.deadline_ns: is gone"),
        ("a member renamed", [("reward.h", TURN, "uint32_t finish, round;")], "hone_sample.turn: is gone or has another name"),
        ("another type of the same size", [("reward.h", TURN, "uint32_t finish; int32_t turn;")], "hone_sample.turn: is int32_t"),
        ("another size", [("reward.h", TURN, "uint32_t finish; uint64_t turn;")], "hone_sample.turn"),
        ("another signature", [("source.h", "const void *position_bor, size_t n);", "const void *position_bor, uint32_t n);")], "hone_source_v1.seek: is hone_status"),
        ("two members changing places", [("reward.h", TURN, "uint32_t turn, finish;")], "hone_sample.finish: moved"),
        ("a frozen struct that grows", [("base.h", "    hone_str role, content;", "    hone_str role, content;\n    uint64_t more;")], "hone_message.more: hone_message is frozen"),
        ("a constant's value", [("plugin.h", "(1ull << 32)", "(1ull << 42)")], "HONE_CAP_NET"),
        ("an interface's id", [("source.h", '"hone.source/1"', '"hone.source/2"')], "HONE_IFACE_SOURCE"),
        ("a status that is gone", [("base.h", '    X(E_GONE, -14, "removed from this interface")', '    X(E_GONE, -40, "removed from this interface")')], "HONE_E_GONE"),
        ("growth without a line in ABI.log", [("reward.h", TURN, TURN + "\n    uint64_t later;")], "hone_sample.later: the member is new and sdk/ABI.log")):
    found = changed(edits)
    check(f"refused: {name}", any(words in x for x in found), f"{words!r} not in {found}")
check("allowed: growth at the end with its line", not (w := changed([("reward.h", TURN, TURN + "\n    uint64_t later;")], ["hone_sample.later"])), w)
check("allowed: a new constant with its line", not (w := changed([("plugin.h", "#define HONE_CAP_NET", "#define HONE_CAP_NEW (1ull << 50)\n#define HONE_CAP_NET")], ["HONE_CAP_NEW"])), w)

# ---- snapshots ----
check("there is a frozen SDK", snapshots)
for s in snapshots:
    check(f"{s.name} is what was published", (s / "SHA256SUMS").read_text() == sums(s),
          "a frozen SDK is never edited: git checkout it; what is new goes to sdk/")

# ---- plugins ----
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data")}
for k in ("HONE_PLUGIN_PATH", "HONE_SDK"):
    env.pop(k, None)


def hone(*args, cwd=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=cwd, env=env, timeout=300)


def built(kind, sdk, where, flags=""):
    """The plugin's folder, built with that SDK; text of the failure or ""."""
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(ABI / "plugins" / kind, where)
    name = next(p.stem for p in where.iterdir() if p.suffix in (".c", ".cpp"))
    run = subprocess.run(["make", "-s", "-f", str(sdk / "hone.mk"), f"PLUGIN={name}", f"HONE={HONE}", f"SDK_INCLUDE={sdk / 'include'}",
                          "LIBS=-lm", f"CFLAGS=-O1 {flags}"], cwd=where, capture_output=True, text=True, env=env)
    return name, run.stderr if run.returncode else ""


def runs(kind, sdk, label, flags=""):
    where = work / label / kind
    name, why = built(kind, sdk, where, flags)
    if why:
        check(f"{kind} builds against {label}", False, why[-1500:])
        return
    if kind in ("optimizer", "model", "source"):  # a source of 0.1.0 ran in the process and asks for no reading of files
        hone("plugin", "trust", f"{name}.so", cwd=where)
    listed = hone("plugin", "inspect", f"./{name}.so", cwd=where)
    run = hone("run", "recipe.lua", "--runs", "runs", "--quiet", cwd=where)
    check(f"{kind} of {label} runs", run.returncode == 0 and listed.returncode == 0 and list(where.glob("runs/*/model")),
          f"exit {run.returncode}: {(listed.stderr + run.stderr)[-800:]}")


kinds = sorted(p.name for p in (ABI / "plugins").iterdir())
for s in snapshots:
    for kind in kinds:
        if kind.endswith("_cpp") and not shutil.which("g++"):
            skip(f"{kind} of {s.name}", "no g++")
            continue
        runs(kind, s, s.name)

# ---- a made-up later SDK ----
future = work / "future-sdk"
shutil.copytree(ROOT / "sdk/include", future / "include")
for f in ("hone.mk", "plugin.map"):
    shutil.copy(ROOT / "sdk" / f, future)
grown = []
for name, s in parse(now)["structs"].items():
    if name in never_grow or "struct_size" not in s["members"] and name not in ("hone_sample", "hone_outcome", "hone_judge_item"):
        continue
    for header in (future / "include/hone").glob("*.h"):
        text = header.read_text()
        later, n = re.subn(rf"^}} {name};", f"    uint64_t future_a;\n    void (*future_b)(void *self); /* [any-thread] */\n}} {name};", text, flags=re.M)
        if n:
            header.write_text(later)
            grown.append(name)
base = future / "include/hone/base.h"
base.write_text(re.sub(r"HONE_SDK_VERSION 0x\w+u", "HONE_SDK_VERSION 0x090000u", base.read_text()))
check("the made-up SDK has grown", len(grown) > 40, grown)
for kind in kinds:
    if not kind.endswith("_cpp") or shutil.which("g++"):
        runs(kind, future, "the future SDK")
where = work / "needs-more"
name, why = built("reward", future, where)
text = (where / f"{name}.c").read_text().replace("HONE_REWARD_PLUGIN(0x000100", "HONE_REWARD_PLUGIN(0x080000")
(where / f"{name}.c").write_text(text)
subprocess.run(["make", "-s", "-f", str(future / "hone.mk"), f"PLUGIN={name}", "HONE=/nonexistent", "LIBS=-lm"], cwd=where, check=True,
               capture_output=True, env=env)
run = hone("plugin", "inspect", f"./{name}.so", cwd=where)
said = run.stdout + run.stderr
check("one that needs a later host is refused by the field", run.returncode != 0 and "need" in said and "8.0.0" in said and VERSION in said, said[-500:])

# ---- abidiff ----
if not shutil.which("abidiff"):
    skip("abidiff", "not installed")
else:
    def library(include, name):
        heads = parse(now)["structs"]
        lines = ['#include "hone/hone.h"'] + [
            f"extern {'struct ' if s.startswith('Arrow') else ''}{s} use_{s}; __attribute__((visibility(\"default\"))) {'struct ' if s.startswith('Arrow') else ''}{s} use_{s};"
            for s in heads if re.search(rf"\b{s}\b", "".join(p.read_text() for p in (include / "hone").glob("*.h")))]
        (work / f"{name}.c").write_text("\n".join(lines) + "\n")
        subprocess.run([CC, "-std=c11", "-g", "-w", "-shared", "-fPIC", f"-I{include}", "-o", str(work / f"{name}.so"), str(work / f"{name}.c")], check=True)
        return str(work / f"{name}.so")

    new = library(ROOT / "sdk/include", "new")
    for s in snapshots:
        r = subprocess.run(["abidiff", library(s / "include", "old"), new], capture_output=True, text=True)
        # bits: 1 error, 2 usage, 4 change, 8 incompatible; variables that grow are "incompatible" to it where anything was added
        ok = r.returncode in (0, 4) or (not r.returncode & 3 and bool(log))
        check(f"abidiff against {s.name}", ok, f"exit {r.returncode}\n{r.stdout[-1500:]}")

# ---- functions ----
run = subprocess.run([sys.executable, str(ROOT / "scripts/lib/abi-functions.py")], capture_output=True, text=True)
check("every function says its thread, ownership, failure and version", run.returncode == 0, run.stderr[-1500:])
finish()
