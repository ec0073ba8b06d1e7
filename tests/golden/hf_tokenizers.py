"""hf_tokenizers.py - every model, normalizer, pre-tokenizer and decoder of tokenizer.json against hf_tokenizers.jsonl,
whose ids and texts were computed by tokenizers 0.23.3 (make_hf_tokenizers.py)."""
import json
import os
import subprocess
import sys
import tempfile

HONE = os.environ["HONE"]
passed = failed = 0


def hone(text, *args):
    run = subprocess.run([HONE, "tokenize", path, "--json", *args], input=text.encode(), capture_output=True)
    if run.returncode:
        return [run.stderr.decode("utf-8", "replace")]
    return [next(iter(json.loads(line).values())) for line in run.stdout.decode().split("\n") if line]


def check(name, got, want, texts):
    global passed, failed
    bad = [t for t, g, w in zip(texts, got, want) if g != w]
    if len(got) == len(want) and not bad:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}: {len(got)} of {len(want)}: {bad[:3] or got[:1]}")


with tempfile.TemporaryDirectory() as folder, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "hf_tokenizers.jsonl"),
                                                    encoding="utf-8") as rows:
    path = os.path.join(folder, "tokenizer.json")
    for row in map(json.loads, rows):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(row["tokenizer"], f)
        name, cases = row["name"], row["cases"]
        lines = [c for c in cases if "\n" not in c[0]]
        text = "".join(c[0] + "\n" for c in lines)
        check(f"{name}: ids", hone(text), [c[1] for c in lines], text.split("\n"))
        check(f"{name}: ids with what is around", hone(text, "--add"), [c[2] for c in lines], text.split("\n"))
        for c in cases:
            if "\n" in c[0]:
                check(f"{name}: ids of lines", hone(c[0], "--whole"), [c[1]], [c[0]])
        some = [c for c in cases if c[1]]
        check(f"{name}: texts", hone("".join(json.dumps({"ids": c[1]}) + "\n" for c in some), "--decode"), [c[3] for c in some], [c[0] for c in some])
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
