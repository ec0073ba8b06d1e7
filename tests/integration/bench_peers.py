"""bench_peers.py - tests/bench/peers.py: the table it makes of a record, and a run in which every peer is missing.

The numbers of the record are made so that the median of the pairs' ratios is not the ratio of the medians. Nothing here is timed:
the run's own figures are only looked for."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "peers.py")
SIDE = {"peaks": [1, 300, 200], "command": "x"}
RECORD = {
    "machine": "a machine", "threads": 2, "rounds": 3, "model": "m", "hone": "hone 0", "load": 0.0,
    "rows": [
        {"name": "more is better", "unit": "tokens/s", "less": False,
         "hone": {**SIDE, "runs": [10, 20, 60], "sgemm_gflops": [100, 130, 400]},
         "peer": {**SIDE, "name": "P", "runs": [5, 8, 30], "parameters": "two threads", "versions": {"p": "1.2"}}},
        {"name": "less is better", "unit": "s", "less": True, "hone": {**SIDE, "runs": [2, 4, 1]},
         "peer": {**SIDE, "name": "P", "runs": [6, 6, 5]}},
        {"name": "alone", "unit": "s", "less": True, "hone": {**SIDE, "runs": [1, 1, 1]},
         "peer": {"name": "Q", "command": "x", "runs": [], "peaks": [], "not_measured": "no interpreter has q"}},
    ],
}


def peers(*args):
    env = {k: v for k, v in os.environ.items() if k != "HONE_PEERS"}
    return subprocess.run([sys.executable, BENCH, *args], capture_output=True, text=True, timeout=300, env=env)


def main():
    with tempfile.TemporaryDirectory() as folder:
        record, again, run = (os.path.join(folder, n) for n in ("record.json", "again.json", "run.json"))
        with open(record, "w", encoding="utf-8") as f:
            json.dump(RECORD, f)
        made = peers("--from", record, "--json", again)
        check("a record gives a table", made.returncode == 0, made.stderr)
        lines = made.stdout.splitlines()
        check("medians, the median ratio of the pairs, peaks",
              "| more is better | tokens/s | 20 | 8 (P) | 2.00 x | 200 | 200 |" in lines, made.stdout)
        check("of seconds, fewer are faster", "| less is better | s | 2 | 6 (P) | 3.00 x | 200 | 200 |" in lines, made.stdout)
        check("what is missing has no number", "| alone | s | 1 | not measured (Q) |  | 200 |  |" in lines, made.stdout)
        for text in ("alone, peer: not measured: no interpreter has q", "Versions: p 1.2.", "- P: two threads", "100 to 400 GFLOP/s, median 130"):
            check(f"the notes say: {text}", text in made.stdout, made.stdout)
        with open(again, encoding="utf-8") as f:
            kept = json.load(f)["rows"]
        check("the record keeps the pairs", kept[0]["ratios"] == [2, 2.5, 2] and "ratio" not in kept[2], kept)

        text = os.path.join(folder, "text.txt")
        with open(text, "w", encoding="utf-8") as f:
            f.write("Leo has 3 red pens.\n" * 100)
        made = peers("--quick", "--rounds", "2", "--only", "49k|first step", "--python", "/nonexistent/python", "--text", text, "--json", run)
        check("a run without peers ends well", made.returncode == 0, made.stderr)
        with open(run, encoding="utf-8") as f:
            rows = json.load(f)["rows"]
        check("both rows are there", len(rows) == 2, rows)
        for row in rows:
            side = row["hone"]
            check(f"{row['name']}: hone ran twice", len(side["runs"]) == 2 and min(side["runs"]) > 0 and min(side["peaks"]) > 1, row)
            check(f"{row['name']}: the peer is named or measured", "ratio" in row or "no interpreter has" in row["peer"]["not_measured"], row)
        check("no row of that name", peers("--only", "no such row").returncode != 0)
    finish()


main()
