"""abi_layout.py - the table of sizes and offsets of the SDK's structs, and what may change in it.

The names come from the headers (scripts/lib/sdk_headers.py), the numbers from a program that the compiler makes of them.
The table is text, a struct a paragraph:
    struct hone_sample size 112 align 8
      id offset 0 size 8 uint64_t
    const HONE_CAP_NET 4294967296
    string HONE_IFACE_REWARD "hone.reward/1"
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))
from sdk_headers import Headers  # noqa: E402

# Structs of which arrays are passed without a stride, or which stand inside others: they never grow. The rest of them
# the descriptions name (HONE_STRUCT_FROZEN).
FROZEN = {"hone_str", "hone_value", "hone_pair", "hone_ref", "ArrowSchema", "ArrowArray", "ArrowArrayStream"}


def frozen(root=ROOT):
    text = (pathlib.Path(root) / "core/abi/desc_builtin.c").read_text()
    return FROZEN | set(re.findall(r"HONE_DESCRIBE\(\s*\w+,\s*(\w+),\s*HONE_STRUCT_FROZEN", text))


def table(include, scratch, cc="cc"):
    """The table of the headers in `include`/hone, made by a program; ValueError when a member was not seen."""
    heads = Headers(os.path.join(include, "hone"))
    lines = ['#include "hone/hone.h"', "#include <stdio.h>", "int main(void)", "{"]
    for s in heads.structs.values():
        t = s.name if re.search(rf"}}\s*{s.name}\s*;", (pathlib.Path(include) / "hone" / s.header).read_text()) else "struct " + s.name
        lines.append(f'    printf("struct {s.name} size %zu align %zu\\n", sizeof({t}), _Alignof({t}));')
        for m, kind in s.members:
            lines.append(f'    printf("  {m} offset %zu size %zu %s\\n", offsetof({t}, {m}), sizeof((({t} *)0)->{m}), "{kind}");')
    for c in heads.constants:
        lines.append(f'    printf("const {c} %lld\\n", (long long)({c}));')
    for c in heads.strings:
        lines.append(f'    printf("string {c} \\"%s\\"\\n", {c});')
    lines += ["    return 0;", "}", ""]
    source, program = os.path.join(scratch, "layout.c"), os.path.join(scratch, "layout")
    with open(source, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))
    subprocess.run([cc, "-std=c11", "-w", f"-I{include}", "-o", program, source], check=True)
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    for name, s in parse(out)["structs"].items():  # a hole larger than alignment explains: a member was not seen
        at = 0
        for m, (offset, size, kind) in sorted(s["members"].items(), key=lambda x: x[1][0]):
            if offset - at >= 8 or offset < at:
                raise ValueError(f"{name}: {offset - at} bytes before {m} belong to no member that was seen")
            at = offset + size
        if s["size"] - at >= s["align"]:
            raise ValueError(f"{name}: the last {s['size'] - at} bytes belong to no member that was seen")
    return out


def parse(text):
    out, now = {"structs": {}, "values": {}}, None
    for line in text.splitlines():
        w = line.split()
        if w[0] == "struct":
            now = out["structs"][w[1]] = {"size": int(w[3]), "align": int(w[5]), "members": {}}
        elif line.startswith("  "):
            now["members"][w[0]] = (int(w[2]), int(w[4]), " ".join(w[5:]))
        else:
            out["values"][w[1]] = " ".join(w[2:])
    return out


KEEPS = "a member keeps its name, place, size and type; what is new goes to the end of a struct that may grow; a changed meaning is a new interface id"


def changes(old, new, log, never_grow):
    """(refusals, additions): what may not be, and what is new and has a line in the log."""
    a, b, bad, added = parse(old), parse(new), [], []

    def add(name, what):
        added.append(name)
        if name not in log and name.split(".")[0] not in log:
            bad.append(f"{name}: {what} is new and sdk/ABI.log does not say so (a line VERSION {name} what it is for)")

    for name, s in a["structs"].items():
        t = b["structs"].get(name)
        if not t:
            bad.append(f"{name}: the struct is gone; a removed slot keeps its place and returns HONE_E_GONE")
            continue
        for m, (offset, size, kind) in s["members"].items():
            if m not in t["members"]:
                bad.append(f"{name}.{m}: is gone or has another name; {KEEPS}")
                continue
            o, z, k = t["members"][m]
            if o != offset:
                bad.append(f"{name}.{m}: moved from offset {offset} to {o}; {KEEPS}")
            elif z != size:
                bad.append(f"{name}.{m}: has {z} bytes and had {size}; {KEEPS}")
            elif k != kind:
                bad.append(f"{name}.{m}: is {k} and was {kind}; {KEEPS}")
        if t["align"] != s["align"]:
            bad.append(f"{name}: is aligned to {t['align']} and was to {s['align']}; {KEEPS}")
        if t["size"] < s["size"]:
            bad.append(f"{name}: has {t['size']} bytes and had {s['size']}; {KEEPS}")
        new_ones = [m for m in t["members"] if m not in s["members"]]
        for m in new_ones:
            if name in never_grow:
                bad.append(f"{name}.{m}: {name} is frozen, nothing may be added to it: make a new struct and a new interface id")
            elif t["members"][m][0] < max((o + z for o, z, _ in s["members"].values()), default=0):
                bad.append(f"{name}.{m}: is not at the end; {KEEPS}")
            else:
                add(f"{name}.{m}", "the member")
        if t["size"] > s["size"] and not new_ones:
            bad.append(f"{name}: grew from {s['size']} to {t['size']} bytes without a member; {KEEPS}")
    for name in b["structs"]:
        if name not in a["structs"]:
            add(name, "the struct")
    for name, value in a["values"].items():
        if name not in b["values"]:
            bad.append(f"{name}: is gone; a constant keeps its value for ever")
        elif b["values"][name] != value:
            bad.append(f"{name}: is {b['values'][name]} and was {value}; a constant keeps its value for ever, a new meaning gets a new one")
    for name in b["values"]:
        if name not in a["values"]:
            add(name, "the constant")
    return bad, added
