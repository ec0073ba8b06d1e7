"""tokenize_stream.py - `hone tokenize` over a long stdin: the same output for any number of threads and any part, in memory
that does not grow with the text."""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]


def hone(text, *args, model="tiny"):
    run = subprocess.run([HONE, "tokenize", model, *args], input=text, capture_output=True)
    return run.stdout if run.returncode == 0 else run.stderr


def peak(mb):
    """KiB that the program has at most while `mb` megabytes of text pass through."""
    code = ("import resource, subprocess, sys\n"
            "p = subprocess.Popen(sys.argv[1:-1], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
            "part = b'Twelve words of a text, none of them long, and then more. ' * 18000\n"
            "for _ in range(int(sys.argv[-1])):\n"
            "    p.stdin.write(part)\n"
            "p.stdin.close()\n"
            "assert p.wait() == 0\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n")
    run = subprocess.run([sys.executable, "-c", code, HONE, "tokenize", "tiny", "--whole", "--json", "--threads", "2", str(mb)],
                         capture_output=True, text=True)
    return int(run.stdout or 0)


seed = random.Random(5)
pieces = ["word", " ", " ", "  ", "\n", "\n\n", "12", "345", "'s", "<|im_start|>", "<|im_end|>", ".", "!?", "\t", "\u00e9", "\u4e2d\u6587", "\u3002", "a" * 40,
          " and", "\r\n"]
text = "".join(seed.choice(pieces) for _ in range(6000)).encode() + b"\xff\xfe end"
for args in (["--json"], [], ["--json", "--add"], ["--json", "--plain"]):
    for whole in ([], ["--whole"]):
        want = hone(text, *args, *whole, "--threads", "1", "--part", str(1 << 24))
        for threads, part in ((1, 1), (2, 7), (3, 100), (2, 4096), (8, 1000)):
            got = hone(text, *args, *whole, "--threads", str(threads), "--part", str(part))
            check(f"{' '.join(args + whole) or 'a table'}: {threads} threads, parts of {part}", got == want, got[:100])
ids = json.loads(hone(text, "--json", "--whole", "--part", "50"))["ids"]
back = hone(json.dumps({"ids": ids}).encode(), "--decode", "--whole")
check("the ids of the parts are the text", back == text[:-6] + "\ufffd\ufffd end\n".encode(), back[-60:])
check("no text is no ids", hone(b"", "--whole", "--json") == b'{"ids":[]}\n' and hone(b"", "--json") == b"" and hone(b"", "--whole") == b"\n")
check("a last line without its end counts", hone(b"a\n\nb", "--json").count(b"\n") == 3)
check("a text of a part, with places of the whole", hone(b"ab " * 100, "--whole", "--part", "10").split(b"\n")[-3].split()[1].endswith(b"-300"))

with tempfile.TemporaryDirectory() as folder:
    # sums of scores run over the whole text: never cut
    path = os.path.join(folder, "tokenizer.json")
    vocab = [["<unk>", 0.0], ["a", -2.5], ["b", -3.25], [" ", -1.5], ["ab", -3.125], ["b a", -4.0]]
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"model": {"type": "Unigram", "unk_id": 0, "vocab": vocab}}, f)
    some = b"ab b a ab a " * 500
    check("what cannot be cut is read whole", hone(some, "--json", "--whole", "--part", "10", model=folder) == hone(some, "--json", "--whole", model=folder))

small, large = peak(4), peak(40)
check("memory does not grow with the text", 0 < small and large < small + 8192, f"{small} KiB for 4 MB, {large} for 40")
finish()
