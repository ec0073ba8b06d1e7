#!/usr/bin/env python3
"""make-equations.py - the rows of the runs on real models (docs/recipes.md): scripts/lib/make-equations.py ASSETS OUT

From svamp/SVAMP.json and gsm8k/train.jsonl in ASSETS it writes to OUT:
  svamp_test.jsonl, svamp_train.jsonl   { question, answer }: 300 and 700 problems of SVAMP
  demonstrations.jsonl                  { prompt, completion }: equations and answer, for those 700 and 700 of GSM8K
GSM8K's equations are those that its answers carry in << >>; of its rows only short ones count (at most 300 characters and three
equations, the last of which is the answer). Nothing of the 300 or of GSM8K's test part is in the demonstrations."""
import json
import pathlib
import random
import re
import sys

INSTRUCTION = "\nShow the calculation as equations like 3 * 4 = 12, then write: The answer is 12."


def number(x):
    return str(int(x)) if float(x).is_integer() else str(x)


def svamp(path):
    problems = json.loads(path.read_text())
    random.Random(1).shuffle(problems)
    for p in problems:
        body, equation = p["Body"].strip(), p["Equation"].strip()
        if equation.startswith("(") and equation.endswith(")"):
            equation = equation[1:-1].strip()
        equation = re.sub(r"\d+\.\d+", lambda m: number(float(m[0])), equation)
        answer = number(p["Answer"])
        yield (f"{body if body.endswith('.') else body + '.'} {p['Question'].strip()}", answer,
               f"{equation} = {answer}\nThe answer is {answer}.")


def gsm8k(path):
    for line in path.read_text().splitlines():
        row = json.loads(line)
        steps = re.findall(r"<<([^>=]*)=([^>]*)>>", row["answer"])
        answer = row["answer"].split("####")[1].strip().replace(",", "")
        if not steps or len(row["question"]) > 300 or len(steps) > 3 or steps[-1][1] != answer:
            continue
        lines = [re.sub(r"\s*([-+*/])\s*", r" \1 ", left).strip() + f" = {right}" for left, right in steps]
        yield {"prompt": row["question"] + INSTRUCTION, "completion": "\n".join(lines) + f"\nThe answer is {answer}."}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    assets, out = map(pathlib.Path, sys.argv[1:])
    problems = list(svamp(assets / "svamp" / "SVAMP.json"))
    for name, part in ("svamp_test", problems[:300]), ("svamp_train", problems[300:]):
        write(out / f"{name}.jsonl", [{"question": q, "answer": a} for q, a, _ in part])
    more = list(gsm8k(assets / "gsm8k" / "train.jsonl"))
    random.Random(2).shuffle(more)
    rows = [{"prompt": q + INSTRUCTION, "completion": c} for q, _, c in problems[300:]] + more[:700]
    random.Random(3).shuffle(rows)
    write(out / "demonstrations.jsonl", rows)


main()
