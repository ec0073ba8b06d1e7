"""hf_tokenizers.py - every model, normalizer, pre-tokenizer and decoder of tokenizer.json against hf_tokenizers.jsonl,
whose ids and texts were computed by tokenizers 0.23.3 (make_hf_tokenizers.py)."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]


def hone(text, *args):
    run = subprocess.run([HONE, "tokenize", path, "--json", *args], input=text.encode(), capture_output=True)
    if run.returncode:
        return [run.stderr.decode("utf-8", "replace")]
    return [next(iter(json.loads(line).values())) for line in run.stdout.decode().split("\n") if line]


def same(name, got, want, texts):
    bad = [t for t, g, w in zip(texts, got, want) if g != w]
    check(name, len(got) == len(want) and not bad, f"{len(got)} of {len(want)}: {bad[:3] or got[:1]}")


with tempfile.TemporaryDirectory() as folder, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "hf_tokenizers.jsonl"),
                                                    encoding="utf-8") as rows:
    path = os.path.join(folder, "tokenizer.json")
    for row in map(json.loads, rows):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(row["tokenizer"], f)
        name, cases = row["name"], row["cases"]
        lines = [c for c in cases if "\n" not in c[0]]
        text = "".join(c[0] + "\n" for c in lines)
        same(f"{name}: ids", hone(text), [c[1] for c in lines], text.split("\n"))
        same(f"{name}: ids with what is around", hone(text, "--add"), [c[2] for c in lines], text.split("\n"))
        for c in cases:
            if "\n" in c[0]:
                same(f"{name}: ids of lines", hone(c[0], "--whole"), [c[1]], [c[0]])
        some = [c for c in cases if c[1]]
        same(f"{name}: texts", hone("".join(json.dumps({"ids": c[1]}) + "\n" for c in some), "--decode"), [c[3] for c in some], [c[0] for c in some])
finish()
