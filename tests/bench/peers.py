#!/usr/bin/env python3
"""peers.py - hone beside PyTorch, transformers, PEFT, TRL, llama.cpp, HF tokenizers and tiktoken: speed and peak memory, one table.

Each row is one piece of work: `hone bench ...` and a script of the peer beside this file, each in a process of its own that
warms up first. Rounds go hone, peer, hone, peer; the figures are medians, the ratio is the median of the pairs' ratios (how many
times as fast hone is, whichever way the unit counts). The peak is what each process says it had when its work was done, where
it says so, and getrusage's for the whole process where not. What cannot run is "not measured", and why.

Interpreters with the packages: --python or HONE_PEERS, paths with ":" between; README.md here says how to make one. The
program is $HONE or build/hone. Weights come as files that hone writes from one model, so both read the same; ids are random, as
speed does not depend on them."""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HONE = os.path.abspath(os.environ.get("HONE") or os.path.join(ROOT, "build", "hone"))
SHARED = os.path.abspath(os.environ.get("HONE_SHARED") or os.path.join(ROOT, "..", "shared"))
LIMIT_S = 900  # of one process


# less: fewer is better. In commands {x} is a file of Files. value: the key of the JSON that each prints.
Row = namedtuple("Row", "name unit less hone value peer script peer_value modules")
LLAMA, TORCH, TRL = "llama_cpp", "torch transformers", "torch transformers trl datasets"


def rows_of(quick):
    steps, big = (1, 2) if quick else (3, 1)  # big / 2 of the tokens
    new = 8 if quick else 48
    tiny = "--prompts 4 --samples 8 --prompt-tokens 100 --tokens 32 --steps 5"
    grpo = "--prompts 2 --samples 8 --prompt-tokens 50 --tokens {} --steps ".format(64 // big)
    rows = [
        Row("full fine-tuning, 4 x 256", "tokens/s", 0, f"bench train {{hf}} --steps {steps}", "tokens_per_s",
            "PyTorch, transformers", f"peer_torch.py {{hf}} --steps 1", "tokens_per_s", TORCH),
        Row("LoRA r16, 4 x 256", "tokens/s", 0, f"bench train {{hf}} --lora 16 --steps {steps}", "tokens_per_s",
            "PEFT", f"peer_torch.py {{hf}} --lora 16 --steps 1", "tokens_per_s", TORCH + " peft"),
        Row("GRPO step, 2 x 8 x 64, prompts of 50", "s", 1, f"bench grpo {{hf}} {grpo}2", "step_s",
            "TRL", f"peer_trl.py {{hf}} {grpo}1", "step_s", TRL),
        Row("GRPO step, tiny, 4 x 8 x 32, prompts of 100", "s", 1, f"bench grpo {{tiny}} {tiny}", "step_s",
            "TRL", f"peer_trl.py {{tiny}} {tiny}", "step_s", TRL),
        Row("the same: from the start to the end of the first step", "s", 1,
            "bench start grpo model={tiny} data={questions} lora=0 prompts=4 n=8 max_tokens=32 instruction= --runs 1",
            "first_step_s", "TRL", f"peer_trl.py {{tiny}} {tiny}", "first_step_s", TRL),
    ]
    for many, kind, options in ((1, "f32", ""), (1, "bf16", ""), (1, "q8_0", ""), (1, "q8_0", "int8"), (1, "q4_0", ""),
                                (1, "q4_0", "int8"), (16, "f32", ""), (16, "bf16", ""), (16, "q8_0", "int8"), (16, "q4_0", "int8")):
        file = "{hf}" if kind == "f32" else f"{{{kind}}} --storage keep"
        rows.append(Row(f"decode, {many} sequence{'s' * (many > 1)}, {kind.upper() if kind[0] == 'q' else kind}"
                        + (", sums of integers" if options else ""), "tokens/s", 0,
                        f"bench generate {file} --sequences {many} --tokens {new}" + (" --precision int8" if options else ""),
                        "decode_tokens_per_s", "llama.cpp", f"peer_llama.py {{{kind}}} --sequences {many} --tokens {new}",
                        "decode_tokens_per_s", LLAMA))
    rows.append(Row("prefill, 256 tokens, f32", "tokens/s", 0, "bench generate {hf} --sequences 1 --prompt 256 --tokens 2",
                    "prefill_tokens_per_s", "llama.cpp", "peer_llama.py {f32} --sequences 1 --prompt 256 --tokens 2",
                    "prefill_tokens_per_s", LLAMA))
    rows.append(Row("tokenizing English, 49k entries, one thread", "MB/s", 0, "bench tokenize {hf} --input {text}", "mb_per_s",
                    "HF tokenizers", "peer_tokenizers.py {hf}/tokenizer.json --input {text} --rounds 1", "mb_per_s", "tokenizers"))
    rows.append(Row("tokenizing English, cl100k, one thread", "MB/s", 0, "bench tokenize {cl100k} --input {text}", "mb_per_s",
                    "tiktoken", "peer_tokenizers.py {cl100k} --input {text}", "mb_per_s", "tiktoken"))
    return rows


class Missing(Exception):
    """Why something is not measured."""


def run(argv, env=None, text=None):
    """(what it printed, peak MiB of it and its children); Missing with its last words when it fails."""
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as given:
        given.write(text or "")
        given.seek(0)
        p = subprocess.Popen(argv, stdin=given, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
        limit = threading.Timer(LIMIT_S, p.kill)
        limit.start()
        try:
            begin, out = time.monotonic(), p.stdout.read()
        except KeyboardInterrupt:
            p.kill()
            p.wait()
            raise
        finally:
            limit.cancel()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if p.returncode:
            words = " ".join((errors.read() or out).split())
            raise Missing(f"exit {p.returncode} after {time.monotonic() - begin:.0f} s: {words[-200:]}")
    return out, used.ru_maxrss / 1024


def environment(threads):
    """As here, but for what would change the libraries' threads or kernels."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("OPENBLAS_", "OMP_", "MKL_")) and k not in ("HONE_CPU", "HONE_THREADS")}
    env.update(HONE_THREADS=str(threads), OMP_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
               PYTHONDONTWRITEBYTECODE="1", TRL_EXPERIMENTAL_SILENCE="1")
    return env


class Files:
    """The files that commands name, made by hone when they are first asked for."""

    def __init__(self, folder, model, text, env):
        self.folder, self.model, self.text, self.env, self.made = folder, model, text, env, {}

    def __getitem__(self, name):
        if name not in self.made:
            self.made[name] = self.make(name)
        return self.made[name]

    def make(self, name):
        path = os.path.join(self.folder, name)
        if name in ("hf", "tiny"):
            self.convert("tiny" if name == "tiny" else self.model, path, "--to", "hf", "--type", "f32")
        elif name in ("f32", "bf16", "q8_0", "q4_0"):
            path += ".gguf"
            self.convert(self["hf"], path, "--type", name)
        elif name == "text":
            return self.english(path + ".txt")
        elif name == "questions":
            path = self.questions(path + ".jsonl")
        elif name == "cl100k":
            path = os.path.join(SHARED, "assets", "tokenizers", "tiktoken", "cl100k_base.tiktoken")
            if not os.path.exists(path):
                raise Missing(f"there is no {path}")
        return path

    def convert(self, *args):
        if not os.path.exists(args[1]):
            run([HONE, "model", "convert", *args], self.env)

    def english(self, path):
        """--text, or the English corpora of the shared material, one behind the other: no line comes twice by our doing."""
        if self.text:
            return os.path.abspath(self.text)
        names = [f"data/corpora/{n}.txt" for n in ("tinyshakespeare", "tinystories_944k", "wiki_demo")]
        found = [os.path.join(SHARED, "assets", n) for n in (*names, "tokenizers/sentencepiece/botchan.txt")]
        if not all(map(os.path.exists, found)):
            raise Missing(f"no --text, and no corpora in {SHARED}")
        with open(path, "wb") as out:
            for name in found:
                with open(name, "rb") as f:
                    out.write(f.read())
        return path

    def questions(self, path):
        """Rows whose question has 100 tokens of the tiny model."""
        rows = []
        for i in range(8):
            lines = [f"Leo has {i}" + " red" * k + " pens" * m for k in range(10, 110) for m in range(3)]
            out, _ = run([HONE, "tokenize", self["tiny"], "--json"], self.env, "\n".join(lines))
            rows += [text for text, ids in zip(lines, out.splitlines()) if len(json.loads(ids)["ids"]) == 100][:1]
        if len(rows) < 4:
            raise Missing("no question has 100 tokens")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"question": q, "answer": "#### 5"}) + "\n" for q in rows)
        return path

    def words(self, command):
        return [w.format_map(self) for w in command.split(" ")]


class Pythons:
    """Which interpreter has which packages."""

    def __init__(self, paths):
        self.paths, self.known = [sys.executable, *paths], {}

    def having(self, modules):
        if modules not in self.known:
            test = "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))"
            self.known[modules] = next((p for p in self.paths if os.path.exists(p) and not subprocess.run(
                [p, "-c", test, *modules.split()], capture_output=True, check=False).returncode), None)
        if not self.known[modules]:
            raise Missing("no interpreter has " + ", ".join(modules.split()))
        return self.known[modules]


def measure_hone(row, files, env):
    out, whole = run([HONE, *files.words(row.hone), "--yardstick", "0.25", "--json"], env)
    told = json.loads(out)
    told.setdefault("peak_mb", whole)
    told["value"] = told[row.value]
    return told


def measure_peer(row, files, pythons, env, told_before):
    """A command that two rows share runs once a round."""
    if row.script not in told_before:
        script, *args = files.words(row.script)
        out, _ = run([pythons.having(row.modules), os.path.join(HERE, script), *args], env)
        told_before[row.script] = json.loads(next(s for s in out.splitlines() if s.startswith("PEER "))[5:])
    return dict(told_before[row.script], value=told_before[row.script][row.peer_value])


def add(side, told):
    side["runs"].append(told["value"])
    side["peaks"].append(told["peak_mb"])
    for key in ("parameters", "versions", "kernels"):
        if key in told:
            side[key] = told[key]
    if told.get("sgemm_gflops"):
        side.setdefault("sgemm_gflops", []).append(told["sgemm_gflops"])


def record_of(rows):
    return [{"name": r.name, "unit": r.unit, "less": bool(r.less),
             "hone": {"command": "hone " + r.hone, "runs": [], "peaks": []},
             "peer": {"name": r.peer, "command": r.script, "runs": [], "peaks": []}} for r in rows]


def measure(rows, record, rounds, files, pythons, env):
    """Adds to the record of each row what each side had in each round."""
    for k in range(rounds):
        told_before = {}
        for row, kept in zip(rows, record):
            for key, work in (("hone", lambda: measure_hone(row, files, env)),
                              ("peer", lambda: measure_peer(row, files, pythons, env, told_before))):
                side = kept[key]
                if "not_measured" in side:
                    continue
                try:
                    add(side, work())
                except Missing as why:
                    side["not_measured"] = str(why)
            print(f"round {k + 1} of {rounds}: {row.name}", file=sys.stderr, flush=True)


def summarise(row):
    """Adds the medians to a row of the record."""
    for side in (row["hone"], row["peer"]):
        if "not_measured" in side or not side["runs"]:
            side.setdefault("not_measured", "no run")
        else:
            side["median"], side["peak_mb"] = statistics.median(side["runs"]), statistics.median(side["peaks"])
    if all("median" in row[side] for side in ("hone", "peer")):
        pairs = zip(row["hone"]["runs"], row["peer"]["runs"])
        row["ratios"] = [p / h if row["less"] else h / p for h, p in pairs]
        row["ratio"] = statistics.median(row["ratios"])
    return row


def figure(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def table(report):
    """Markdown: the rows, then versions, parameters and what is not measured."""
    lines = ["| work | unit | hone | peer | hone is faster | hone MiB | peer MiB |", "|---|---|---|---|---|---|---|"]
    notes, versions, parameters, kernels = [], {}, {}, {}
    for row in report["rows"]:
        cells = [row["name"], row["unit"]]
        for side in ("hone", "peer"):
            name = f" ({row['peer']['name']})" * (side == "peer")
            if "median" in row[side]:
                cells.append(figure(row[side]["median"]) + name)
            else:
                cells.append("not measured" + name)
                notes.append(f"{row['name']}, {side}: not measured: {row[side]['not_measured']}")
        cells.append(f"{row['ratio']:.2f} x" if "ratio" in row else "")
        cells += [figure(row[side]["peak_mb"]) if "median" in row[side] else "" for side in ("hone", "peer")]
        lines.append("| " + " | ".join(cells) + " |")
        versions.update(row["peer"].get("versions", {}))
        if row["peer"].get("parameters"):
            parameters.setdefault(f"{row['peer']['name']}: {row['peer']['parameters']}", None)
        if row["peer"].get("kernels"):
            kernels.setdefault(f"{row['peer']['name']} was built with {row['peer']['kernels']}", None)
    stopped = " (interrupted: fewer)" if report.get("interrupted") else ""
    lines += ["", f"Medians of {report['rounds']}{stopped}; the ratio is the median of the pairs'. {report['machine']}, "
              f"{report['threads']} threads, {report['hone']}, model {report['model']}. "
              f"The load average before was {report['load']:.1f}: above 0.5, other work took its part and the figures mean little."]
    if report.get("sgemm_gflops"):
        lines.append("sgemm in hone's processes meanwhile: {:.0f} to {:.0f} GFLOP/s, median {:.0f}.".format(*report["sgemm_gflops"]))
    if versions:
        lines.append("Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".")
    lines += ["", *(f"- {p}" for p in (*parameters, *kernels, *notes))]
    return "\n".join(lines).rstrip()


def finish(report, path):
    for row in report["rows"]:
        summarise(row)
    speeds = [g for row in report["rows"] for g in row["hone"].get("sgemm_gflops", [])]
    if speeds:
        report["sgemm_gflops"] = [min(speeds), max(speeds), statistics.median(speeds)]
    print(table(report))
    if path:
        with open(path, "w", encoding="utf-8") as f:
            json.dump(report, f, indent=1)
            f.write("\n")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--python", default=os.environ.get("HONE_PEERS", ""), help="interpreters with the packages (HONE_PEERS)")
    a.add_argument("--model", default="smollm2-135m-instruct", help="what hone reads; written out for the peers")
    a.add_argument("--text", help="the English that is tokenized (the shared corpora)")
    a.add_argument("--work", help="folder for the models' files, kept and used again (a temporary one)")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--only", help="rows whose name has this in it; several with | between")
    a.add_argument("--quick", action="store_true", help="the tiny model, few steps: does everything run?")
    a.add_argument("--json", metavar="FILE", help="the record, with every run")
    a.add_argument("--from", dest="record", metavar="FILE", help="the table of a record; nothing is measured")
    a = a.parse_args()
    if a.record:
        with open(a.record, encoding="utf-8") as f:
            return finish(json.load(f), a.json)
    env = environment(a.threads)
    rows = [r for r in rows_of(a.quick) if not a.only or any(o in r.name for o in a.only.split("|"))]
    if not rows:
        raise SystemExit("peers.py: no row has that in its name")
    model = "tiny" if a.quick else a.model
    doctor = json.loads(run([HONE, "doctor", "--json"], env)[0])
    report = {"machine": f"{doctor['cpu']} ({doctor['kernels']} kernels)", "threads": a.threads, "rounds": a.rounds, "model": model,
              "load": round(os.getloadavg()[0], 2), "hone": run([HONE, "--version"], env)[0].strip()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.abspath(a.work or temporary)
        os.makedirs(folder, exist_ok=True)
        files = Files(folder, model, a.text, env)
        report["rows"] = record_of(rows)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            measure(rows, report["rows"], a.rounds, files, Pythons([p for p in a.python.split(":") if p]), env)
        except KeyboardInterrupt:
            print("interrupted: the table is of the rounds until then", file=sys.stderr)
            report["interrupted"] = True
    return finish(report, a.json)


if __name__ == "__main__":
    sys.exit(main())
