"""model_logprobs.py - `hone model logprobs` and `hone model export` against reference numbers.

SmolLM2-135M-Instruct: ids, log-probs (2e-4), the ten largest logits and log-sum-exp of transformers.
stories260K: the ten largest logits of llama2.c at every position (3e-5); exported to a Hugging Face folder
in f32 it gives the same bytes. Skipped where the material or the model is not there."""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
SHARED = os.environ.get("HONE_SHARED", "../shared")


def hone(*args):
    run = subprocess.run([HONE, *args], capture_output=True, text=True)
    if run.returncode != 0:
        print(run.stderr)
    return run


def logprobs(model, *args):
    run = hone("model", "logprobs", model, *args, "--json")
    return json.loads(run.stdout) if run.returncode == 0 else None


def smollm2():
    golden = f"{SHARED}/goldens/smollm2.json"
    if not os.path.exists(golden):
        return skip("goldens/smollm2.json is not there")
    if hone("model", "info", "smollm2-135m-instruct").returncode != 0:
        return skip("smollm2-135m-instruct was not fetched")
    for want in json.load(open(golden))["texts"]:
        got = logprobs("smollm2-135m-instruct", "--text", want["text"])
        name = repr(want["text"])
        if got is None:
            check(name, False, "no answer")
            continue
        check(name + " ids", got["ids"] == want["ids"], got["ids"])
        worst = max(abs(a - b) for a, b in zip(got["logprobs"], want["logprobs"]))
        check(name + " log-probs", len(got["logprobs"]) == len(want["logprobs"]) and worst <= 2e-4, worst)
        top = dict(map(tuple, got["last_top"]))
        worst = max(abs(top.get(i, 1e9) - x) for i, x in want["last_logits_top10"])
        check(name + " top logits", len(top) == 10 and worst <= 1e-3, worst)
        off = abs(got["last_logsumexp"] - want["last_logsumexp"])
        check(name + " log-sum-exp", off <= 1e-3, off)
        by_ids = logprobs("smollm2-135m-instruct", "--ids", ",".join(map(str, want["ids"])))
        check(name + " by ids", by_ids == got, "another answer than by text")


def stories():
    model = f"{SHARED}/assets/models/stories260K"
    if not os.path.exists(model):
        return skip("assets/models/stories260K is not there")
    with open(f"{model}/logits_run.c_36x512.safetensors", "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    def values(name, kind):
        begin, end = head[name]["data_offsets"]
        return struct.unpack(f"<{(end - begin) // struct.calcsize(kind)}{kind}", data[begin:end])
    tokens = [str(i) for i in values("tokens", "q")]
    logits = values("logits_f64_rounded", "f")
    for n in range(1, 37):
        got = logprobs(model, "--ids", ",".join(tokens[:n]))
        row = logits[512 * (n - 1):512 * n]
        worst = max(abs(row[i] - x) for i, x in got["last_top"])
        check(f"stories260K after {n}: logits", worst <= 3e-5, worst)
        best = sorted(range(512), key=lambda i: -row[i])[:10]
        check(f"stories260K after {n}: order", [i for i, _ in got["last_top"]] == best, got["last_top"])
    with tempfile.TemporaryDirectory() as tmp:
        out = f"{tmp}/hf"
        check("export", hone("model", "export", model, out, "--dtype", "f32").returncode == 0)
        check("export: same log-probs", logprobs(out, "--ids", ",".join(tokens)) == got)
        again = hone("model", "export", model, out, "--dtype", "f32")
        check("export: refuses what is there", again.returncode == 1 and "there already" in again.stderr)
        check("export: overwrites", hone("model", "export", model, out, "--overwrite").returncode == 0)
        half = logprobs(out, "--ids", ",".join(tokens))
        worst = max(abs(a - b) for a, b in zip(half["logprobs"], got["logprobs"]))
        check("export: bf16 is near", 0 < worst < 0.2, worst)
        check("export: nothing beside it", os.listdir(tmp) == ["hf"], os.listdir(tmp))


smollm2()
stories()
finish()
