#!/usr/bin/env python3
"""make-objectives-doc.py [PROGRAM] - prints docs/objectives.md from the program's own tables (hone objective list, show;
hone advantage list, show). tests/golden/objectives_doc.py compares the two."""
import collections
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "hone")
OFTEN = 4  # a paragraph that so many say is printed once

HEAD = """# Objectives and advantages

Made from the program's tables by `scripts/lib/make-objectives-doc.py`; `hone objective show NAME` and `hone advantage show NAME` print
the same. A loss is named in a recipe, `policy:update { rollout, objective = { "dapo", eps_high = 0.28 }, advantage = "group" }`, or
evaluated on given numbers, `hone objective eval dapo --input F.json --set eps_high=0.28 --compat verl`. `compat` changes only what differs
in that trainer. A setting that a loss does not list is refused.

Several at once: `objective = { { "dpo", beta = 0.1 }, { "sft", weight = 0.2 } }` is the weighted sum; beside a loss of pairs `sft` is that of the
chosen answers. A teacher: `objective = { "gkd", teacher = policy }`, or rows that carry what `policy:topk(rows, { k = 20 })` wrote as
`teacher`. Advantages read a teacher or a reference too: `advantage = { "opd", teacher = policy }`, `{ "group", beta = 0.01, reference = policy }`
(`"adapter_off"`: the policy's own base), `{ "remax", baseline = greedy_rollout }`.

Every loss is tested against its formula written a second time, against numbers of trl, verl and openrlhf where they have it, by finite
differences, and for this: masked samples change nothing, zero advantage is zero policy gradient, the order of samples and any split into
micro-batches change nothing (`tests/golden/objective_formulas.py`, `objective_eval.py`, `tests/unit/test_objectives.c`). What is said of the
trainers is of trl 1.16, verl and OpenRLHF of August 2026: `tests/integration/peers_objectives.py` calls their own code on random numbers and is
run by hand, with `HONE_PEERS` and `HONE_PEER_SOURCES`; it says what differs by how much.

Words: r = exp(logp - old_logp), A the advantage, |y| the trained tokens of a sequence, G a group, s the sigmoid, sg(...) a part held constant.
"""


def hone(*args):
    return json.loads(subprocess.run([HONE, *args, "--json"], capture_output=True, text=True, check=True).stdout)


def paragraphs(text):
    """A line with those indented under it."""
    out = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("  ") and out:
            out[-1] += "\n" + line
        elif line:
            out.append(line)
    return out


def shown(value):
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def section(verb, title):
    entries = [hone(verb, "show", e["name"]) for e in hone(verb, "list")[verb + "s"]]
    for e in entries:
        e["paragraphs"] = paragraphs(e["text"])
    said = collections.Counter(p for e in entries for p in set(e["paragraphs"]))
    common = [p for p, n in said.items() if n >= OFTEN and not p.startswith(("source:", "differences:"))]
    order = {p: i for i, p in enumerate(dict.fromkeys(p for e in entries for p in e["paragraphs"]))}
    lines = [f"## {title}", "", "| name | |", "|---|---|"]
    lines += [f"| [`{e['name']}`](#{verb}-{e['name'].replace('+', 'p')}) | {e['summary'].replace('|', chr(92) + '|')} |" for e in entries]
    if common:
        lines += ["", "What many of them say:", "", "```"] + sorted(common, key=order.get) + ["```"]
    docs = {}
    for e in entries:
        for f in e["settings"]:
            docs.setdefault(f["name"], {}).setdefault(f["doc"], []).append(e["name"])
    lines += ["", "| setting | |", "|---|---|"]
    for name in sorted(docs):
        texts = [doc if len(docs[name]) == 1 else f"{doc} ({', '.join(who) if len(who) <= 6 else str(len(who)) + ' of them'})"
                 for doc, who in docs[name].items()]
        lines.append(f"| `{name}` | {'; '.join(texts).replace('|', chr(92) + '|')} |")
    for e in entries:
        lines += ["", f'<a id="{verb}-{e["name"].replace("+", "p")}"></a>', f"### {e['name']}", "", "```"]
        lines += [p for p in e["paragraphs"] if p not in common] + ["```", ""]
        lines.append("Settings: " + (", ".join(f"`{f['name']}` {shown(f['default'])}" for f in e["settings"]) or "none") + ".")
    return lines


print("\n".join([HEAD, *section("objective", "Objectives"), "", *section("advantage", "Advantages")]))
