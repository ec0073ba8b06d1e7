"""components.py - the fixed JSON shapes of `hone score` and `hone data`, and what they refuse."""
import gzip
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()


def hone(*args, env=None):
    return subprocess.run([HONE, *args], capture_output=True, text=True, env={**os.environ, **(env or {})})


def write(name, text, opener=open):
    path = os.path.join(work.name, name)
    with opener(path, "wt") as f:
        f.write(text)
    return path


ROWS = [{"id": "first", "prompt": "2+3", "completion": "#### 5", "answer": "5"},
        {"prompt": [{"role": "user", "content": "2+3"}], "completion": "6", "answer": 5},
        {"completion": "no reference"}]
plain = write("rows.jsonl", "\n".join(json.dumps(r) for r in ROWS))
array = write("rows.json", json.dumps(ROWS))
packed = write("rows.jsonl.gz", "\n".join(json.dumps(r) for r in ROWS), gzip.open)

outputs = []
for path in (plain, array, packed):
    run = hone("score", "--reward", "math_answer", "--data", path, "--json")
    check("score " + os.path.basename(path), run.returncode == 0, run.stderr)
    outputs.append(run.stdout)
lines = [json.loads(line) for line in outputs[0].splitlines()]
check("a line a row", len(lines) == 3, outputs[0])
check("ids", [line["id"] for line in lines] == ["first", 2, 3], outputs[0])
one = lines[0]["outcomes"]["math_answer"]
check("a score", one["status"] == "score" and one["score"] == 1 and isinstance(one["notes"], dict), one)
check("a zero", lines[1]["outcomes"]["math_answer"]["score"] == 0, lines[1])
missing = lines[2]["outcomes"]["math_answer"]
check("no reference is an error", missing["status"] == "error" and "answer" in missing["reason"], missing)
check("the same of an array and a packed file", outputs[0] == outputs[1] == outputs[2])

run = hone("score", "--reward", "length", "--reward", "exact_match", "--set", "length.value=1", "--set",
           "exact_match.on_missing=abstain", "--data", plain, "--json")
lines = [json.loads(line)["outcomes"] for line in run.stdout.splitlines()]
check("several rewards", [x["length"]["score"] for x in lines] == [0, 1, 0], run.stdout + run.stderr)
check("abstain", lines[2]["exact_match"]["status"] == "abstain", lines[2])
many = write("many.jsonl", "".join(json.dumps({"completion": "x" * k}) + "\n" for k in range(300)))
run = hone("score", "--reward", "length", "--set", "value=150", "--data", many, "--json")
scores = [json.loads(line)["outcomes"]["length"]["score"] for line in run.stdout.splitlines()]
check("more rows than a batch, in order", scores == [1] * 151 + [0] * 149, scores[:5])

for name, code, text, *args in [
    ("a slip in a reward", 1, 'did you mean "math_answer"', "score", "--reward", "math_anser", "--data", plain),
    ("a slip in a setting", 1, "tolerance", "score", "--reward", "math_answer", "--set", "tolerence=1", "--data", plain),
    ("a setting without =", 2, "name=value", "score", "--reward", "length", "--set", "value", "--data", plain),
    ("no data", 2, "--data", "score", "--reward", "length"),
    ("no file", 1, "nowhere.jsonl", "score", "--reward", "length", "--data", "nowhere.jsonl"),
    ("no completion", 1, 'column "completion"', "score", "--reward", "length", "--data", write("x.jsonl", '{"a":1}\n')),
    ("a bad line", 1, "bad.jsonl:2:", "data", "info", write("bad.jsonl", '{"a":1}\n{"a":\n{"a":3}\n')),
    ("a file that is no JSON", 1, "text.jsonl:1:", "data", "head", write("text.jsonl", "hello\n")),
    ("unknown compat", 2, "openrlhf", "objective", "eval", "dpo", "--input", array, "--compat", "x"),
    ("objective without its numbers", 1, "object of named lists", "objective", "eval", "dpo", "--input", array),
    ("no such objective", 1, 'did you mean "grpo"', "objective", "show", "grpoo"),
]:
    run = hone(*args)
    check(name, run.returncode == code and text in run.stderr, f"exit {run.returncode}: {run.stderr}")

info = json.loads(hone("data", "info", os.path.join(work.name, "bad.jsonl"), "--skip-bad", "--json").stdout)
check("data info counts", info["rows"] == 2 and info["skipped"] == 1 and
      info["columns"] == [{"name": "a", "missing": 0, "types": {"integer": 2}, "min": 1, "max": 3}], info)
talk = [{"messages": [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "hi, THERE"}, {"role": "assistant", "content": "hello!"}]},
        {"messages": [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]},
        {"messages": [{"role": "narrator", "content": "a"}, {"role": "assistant", "content": "I am {{name}}\x01"}]},
        {"prompt": "x", "chosen": "same", "rejected": "same"},
        {"prompt": "q", "completion": "word " * 60 + "and then"}, {"text": "t"}, {"x": 1}]
talk_path = write("talk.jsonl", "\n".join(json.dumps(r) for r in talk))
info = json.loads(hone("data", "info", talk_path, "--json").stdout)
check("data info tells forms", info["forms"] == {"openai": 6, "completion": 1, "text": 1, "paired": 1, "not recognised": 1}, info["forms"])
check("data info counts duplicates", info["duplicates"] == {"exact": 1, "normalised": 2, "of_rows": 10}, info["duplicates"])
why = {s["why"]: s["first"] for s in info["suspicious"]}
check("data info names suspicious rows", why == {
    "the answer is empty": [5], "the conversation does not end with the assistant": [4],
    "the same role twice in a row, or a system message that is not first": [4], "training refuses it": [6],
    "the answer seems cut off": [8], "chosen and rejected are equal": [7], "replacement or control characters": [6],
    "a {{placeholder}}": [6]}, why)
check("data info measures", info["lengths"]["unit"] == "bytes" and info["lengths"]["max"] == 309, info["lengths"])
run = hone("data", "info", talk_path)
check("data info as text", "suspicious: the answer is empty: 1 (row 5)" in run.stdout, run.stdout)
run = hone("data", "info", talk_path, "--model", "tiny", "--masks", "1")
check("data info in tokens", "tokens, mean" in run.stdout and "row 1\nHi there[[Hello]]" in run.stdout, run.stdout[-600:] + run.stderr)
csv = write("t.csv", "id,t\n007,x\n")
run = hone("data", "head", csv, "--json", "--set", "types=t:string")
check("data head of csv", run.stdout == '{"id":"007","t":"x"}\n', run.stdout + run.stderr)
run = hone("data", "head", csv, "--set", "tipes=x")
check("a slip in a source's setting", run.returncode != 0 and "types" in run.stderr, run.stderr)
run = hone("data", "head", plain, "--n", "2", "--json")
check("data head", [json.loads(line) for line in run.stdout.splitlines()] == ROWS[:2], run.stdout)
run = hone("data", "head", "rows.jsonl", "--n", "1", "--json", env={"HONE_DATA": work.name})
check("HONE_DATA", run.returncode == 0 and json.loads(run.stdout) == ROWS[0], run.stderr)
run = hone("objective", "show", "dapo")
check("show", all(w in run.stdout for w in ("arXiv:2503.14476", "eps_high", "default 0.28", "differences")), run.stdout)
names = {o["name"] for o in json.loads(hone("objective", "list", "--json").stdout)["objectives"]}
check("list", {"sft", "dpo", "grpo", "dapo", "dr_grpo", "reinforce"} <= names, names)
names = {o["name"] for o in json.loads(hone("advantage", "list", "--json").stdout)["advantages"]}
check("advantage list", {"group", "dr_grpo", "rloo"} <= names and "dapo" not in names, names)

finish()
