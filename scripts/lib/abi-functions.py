#!/usr/bin/env python3
"""abi-functions.py - prints the part of docs/abi.md that lists every function of the SDK: thread, ownership, failure, since.

What it prints comes from the headers' comments and sdk/ABI.log. A function that lacks one of the four is an error that names
it, exit 1: the page cannot be made, and the style suite fails with it.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sdk_headers import Headers, TAG  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FIRST = os.path.join(ROOT, "tests/abi/sdk-0.1.0/include/hone")
FAILS = re.compile(r"(?<!\w)(NULL|-1|nothing|[Cc]annot fail|else|[Ff]ail\w*|E_[A-Z_]+|errno|error|or 0)(?!\w)")
LIVES = re.compile(r"\b(until|valid|lives|[Cc]onstant|owned|released?|free[sd]?|static)\b|\brealloc\b", re.I)


def log_of(path):
    """NAME -> version"""
    out = {}
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            words = line.split(None, 2)
            if len(words) < 3 or not re.match(r"\d+\.\d+\.\d+$", words[0]):
                raise SystemExit(f"sdk/ABI.log:{n}: VERSION NAME what it is for")
            out[words[1]] = words[0]
    return out


def failure_of(f):
    if f.result == "hone_status":
        return "a negative status, with text"
    if f.result == "void":
        return "cannot fail"
    if f.result in ("hone_tensor", "hone_param"):
        return "`HONE_NONE`, sticky in the context"
    if re.search(r"[Cc]annot fail", f.doc) or (f.inline and not FAILS.search(f.doc)):
        return "cannot fail"  # what is compiled into the plugin does no more than its text says
    if f.result == "int" and f.owner.startswith("Arrow"):
        return "an errno"
    return "see the text" if FAILS.search(f.doc) else None


def ownership_of(f):
    gives = "*" in f.result or f.result == "hone_str"
    if gives and f.owner and not LIVES.search(f.doc) and not f.owner.startswith("Arrow"):
        return None
    own = [n for _, n in f.params if n.endswith("_own")]
    lent = [n for t, n in f.params if "*" in t and n not in own and n not in ("self", "this") and not n.startswith("out")]
    parts = []
    if own:
        parts.append(", ".join(f"`{n}`" for n in own) + " changes hands")
    if lent:
        parts.append("arguments lent until return")
    if gives:
        parts.append("the result is borrowed: see the text" if f.owner else "the result is the argument's")
    return "; ".join(parts) or "nothing changes hands"


def main(out):
    now, first = Headers(os.path.join(ROOT, "sdk/include/hone")), Headers(FIRST)
    log = log_of(os.path.join(ROOT, "sdk/ABI.log"))
    old = {f.full for f in first.functions}
    bad, header = [], ""
    out.write("\n# Functions\n\nEvery pointer is lent until the call returns unless the name ends in `_own` or the text says more; `self` is the instance.\n")
    for f in now.functions:
        if f.header == "math.h":
            continue
        since = "0.1.0" if f.full in old else log.get(f.full) or log.get(f.owner)
        facts = {"thread": f.tags[-1].strip("[]") if f.tags else None, "ownership": ownership_of(f), "failure": failure_of(f), "since": since}
        for what, value in facts.items():
            if not value:
                bad.append(f"sdk/include/hone/{f.header}: {f.full} lacks its {what}")
        if f.header != header:
            header = f.header
            out.write(f"\n## hone/{header}\n\n")
        args = ", ".join(f"{t} {n}".strip().replace("* ", "*") for t, n in f.params) or "void"
        text = TAG.sub("", f.doc).strip()
        text = re.sub(r"\s+", " ", text).strip(" .")
        out.write(f"- `{f.result} {f.full}({args})`{': ' + text if text else ''}\n"
                  f"  <br>{facts['thread']} | {facts['ownership']} | {facts['failure']} | {since}\n")
    out.write("\n## hone/math.h\n\nArithmetic compiled into the plugin: any-thread, nothing changes hands, cannot fail, 0.1.0: " +
              ", ".join(f"`{f.name}`" for f in now.functions if f.header == "math.h" and not f.name.startswith("hone_math_")) + ".\n")
    if bad:
        sys.stderr.write("\n".join(bad) + "\n")
        sys.stderr.write("say it in the comment before or behind the function (\"cannot fail\", \"NULL when ...\", \"valid until ...\"),"
                         " its version in sdk/ABI.log\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.stdout))
