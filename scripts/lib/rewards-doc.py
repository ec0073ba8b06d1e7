#!/usr/bin/env python3
"""rewards-doc.py [PROGRAM] - prints docs/rewards.md: each shipped reward with its settings and what its source says of itself.

Names, summaries, capabilities and settings come from the program's own plugins (`hone plugin inspect`), the explanations with
formulas and sources from the comment that opens the source file of each. tests/integration/rewards_doc.sh compares the two."""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/hone")

HEAD = """# Rewards

Every reward that is shipped, by the name that recipes and `hone score --reward NAME` know it by. A sample that cannot be judged is an
error with its reason, or an abstention where `on_missing = "abstain"` says so; never a silent 0. [write-a-reward.md](write-a-reward.md)
says how to write one of your own.

This page is made by `scripts/lib/rewards-doc.py` from the plugins themselves and from the comments that open their sources.

"""


def ask(*args):
    return json.loads(subprocess.run([HONE, *args, "--json"], capture_output=True, text=True, check=True).stdout)


def source_of(name):
    """The file that defines a component."""
    marks = (f'REWARD_HEAD("{name}"', f'"org.hone.reward.{name}"')
    for path in sorted(ROOT.glob("plugins/*/*/*.c")):
        text = path.read_text()
        if any(mark in text for mark in marks):
            return path, text
    return None, ""


def explanation(path, text):
    """Its opening comment as Markdown: indented lines are as they stand."""
    body = re.match(r"/\*(.*?)\*/", text, re.S).group(1)
    lines = [re.sub(r"^ \* ?", "", line).rstrip() for line in body.split("\n")]
    lines[0] = re.sub(r"^\s*" + re.escape(path.name) + r" - ", "", lines[0])
    out, fenced = [], False
    for line in lines:
        code = line.startswith("  ") or (fenced and not line)
        if code != fenced and (code or line):
            out.append("```")
            fenced = code
        out.append(line)
    if fenced:
        out.append("```")
    text = "\n".join(out).strip()
    return text[0].upper() + text[1:]


def value(field):
    if field.get("required"):
        return "needed"
    default = field.get("default")
    if default is None or default == "":
        return ""
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def kind(field):
    if field["type"] == "enum":
        return " ".join(f"`{c}`" for c in field["choices"].split("|"))
    if field["type"] in ("f64", "i64") and "min" in field:
        return f"{field['type']}, {field['min']:g} to {field['max']:g}"
    return field["type"]


def main():
    names = sorted(c["name"] for p in ask("plugin", "list", "--kind", "reward")["plugins"] for c in p["components"]
                   if c["kind"] == "reward" and p["origin"] == "shipped" and c["name"] != "null")
    parts = [(name, ask("plugin", "inspect", f"org.hone.reward.{name}")["component"]) for name in names]
    print(HEAD, end="")
    print("| reward | score |\n|---|---|")
    for name, c in parts:
        print(f"| [`{name}`](#{name}) | {c['summary']} |")
    for name, c in parts:
        path, text = source_of(name)
        print(f"\n## {name}\n")
        if path:
            print(explanation(path, text) + "\n")
        if c["fields"]:
            print("| setting | value | default | |\n|---|---|---|---|")
            for f in c["fields"]:
                doc = f.get("doc", "").replace("|", "\\|")
                print(f"| `{f['name']}` | {kind(f)} | {value(f)} | {doc} |")
            print()
        caps = ", ".join(c["caps"]) or "nothing"
        print(f"Reads {', '.join(c.get('wants') or ['the sample'])}. Declares {caps}.")
        if path:
            print(f"Source: `{path.relative_to(ROOT)}`.")


main()
