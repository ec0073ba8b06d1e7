"""machine.py - `hone doctor` and `hone bench`: their JSON, their advice, and one result on every kernel set.

A small llama of random weights is made here; its log-probs must be the same text under HONE_CPU=c, avx2
and avx512 (c and neon on AArch64), on one thread and on three. Nothing that is timed is compared."""
import array
import json
import os
import platform
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]
YARD = ("--yardstick", "0.02")  # how long, not what


def run(*args, **env):
    e = {k: v for k, v in os.environ.items() if k not in ("HONE_CPU", "HONE_THREADS", "OPENBLAS_CORETYPE")}
    e.update(env)
    return subprocess.run([HONE, *args], capture_output=True, text=True, timeout=120, env=e)


def keys(name, result, wanted):
    check(name, result.returncode == 0, f"exit {result.returncode}: {result.stderr}")
    try:
        value = json.loads(result.stdout)
    except ValueError as error:
        check(f"{name}: JSON", False, error)
        return {}
    missing = [k for k in wanted if k not in value]
    check(f"{name}: keys", not missing, f"without {missing}")
    return value


def make_model(folder):
    random.seed(1)
    d, layers, vocab, inner = 64, 2, 259, 96
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": d,
              "intermediate_size": inner, "num_attention_heads": 4, "num_key_value_heads": 2,
              "num_hidden_layers": layers, "vocab_size": vocab, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": True, "max_position_embeddings": 512, "hidden_act": "silu",
              "torch_dtype": "float32"}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    shapes = {"model.embed_tokens.weight": (vocab, d), "model.norm.weight": (d,)}
    for i in range(layers):
        p = f"model.layers.{i}."
        for name, shape in (("self_attn.q_proj", (d, d)), ("self_attn.k_proj", (d // 2, d)),
                            ("self_attn.v_proj", (d // 2, d)), ("self_attn.o_proj", (d, d)),
                            ("mlp.gate_proj", (inner, d)), ("mlp.up_proj", (inner, d)),
                            ("mlp.down_proj", (d, inner)), ("input_layernorm", (d,)),
                            ("post_attention_layernorm", (d,))):
            shapes[p + name + ".weight"] = shape
    header, data = {}, b""
    for name, shape in shapes.items():
        n = 1
        for x in shape:
            n *= x
        values = array.array("f", [1.0] * n if len(shape) == 1 else [random.gauss(0, 0.2) for _ in range(n)])
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + 4 * n]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


doctor = keys("doctor", run("doctor", "--json"),
              ["cpu", "kernels", "best_kernels", "threads", "panel_gflops", "openblas", "memory_total",
               "disk_free", "plugins", "refused", "advice"])
sets = {"x86_64": ["c", "avx2", "avx512"], "aarch64": ["c", "neon"]}.get(platform.machine(), ["c"])
lesser = "ARMV8" if "neon" in sets else "Prescott"  # a core type of OpenBLAS that is not the best
sets = sets[:sets.index(doctor.get("best_kernels", "c")) + 1]
check("doctor measures", doctor.get("panel_gflops", 0) > 0)
check("doctor without arguments takes the best kernels", doctor.get("kernels") == sets[-1], doctor)
if len(sets) > 1:
    told = keys("doctor on lesser kernels", run("doctor", "--json", HONE_CPU="c"), ["kernels"])
    check("doctor honours HONE_CPU", told.get("kernels") == "c", told)
    check("doctor advises on HONE_CPU", any("HONE_CPU=c" in a for a in told.get("advice", [])), told)
    told = keys("doctor on a user's core type", run("doctor", "--json", OPENBLAS_CORETYPE=lesser), [])
    check("doctor advises on OPENBLAS_CORETYPE",
          any("OPENBLAS_CORETYPE=" + lesser in a for a in told.get("advice", [])), told)
empty = keys("doctor on an empty core type", run("doctor", "--json", OPENBLAS_CORETYPE=""), [])
check("an empty core type counts as unset", not empty.get("openblas", {}).get("asked_by_user", True), empty)

bad = run("doctor", HONE_CPU="sse")
check("an unknown kernel set", bad.returncode == 2 and "sse" in bad.stderr and all(s in bad.stderr for s in sets), bad.stderr)
bad = run("doctor", HONE_THREADS="many")
check("an unknown number of threads", bad.returncode == 2 and "many" in bad.stderr, bad.stderr)

figures = keys("bench kernels", run("bench", "kernels", "--json", "--seconds", "0", "--n", "70", "--k", "45", *YARD),
               ["cpu", "kernels", "threads", "figures"]).get("figures", [])
check("bench kernels: six sizes", [f.get("m") for f in figures] == [1, 8, 16, 64, 256, 1024], figures)
check("bench kernels: all products", all(f["forward_gflops"] > 0 and f["dx_gflops"] > 0 and f["dw_gflops"] > 0
                                         for f in figures), figures)
def yard(name, value, ignored=None):
    """Both yardsticks, on both sides, and the kernels that sgemm ran on."""
    y = value.get("yard", {})
    for key in ("sgemm_gflops", "read_gb_per_s"):
        p = y.get(key, {})
        check(f"{name}: {key} before and after", p.get("before", 0) > 0 and p.get("after", 0) > 0, y)
        mean = (p["before"] + p["after"]) / 2
        check(f"{name}: {key} is their mean", abs(value[key] / mean - 1) < 1e-9, value)
        check(f"{name}: {key} tells how far apart", abs(p["spread"] - abs(p["after"] - p["before"]) / mean) < 1e-9, y)
    check(f"{name}: peak memory", value.get("peak_mb", 0) > 1, value)
    check(f"{name}: OPENBLAS_CORETYPE", y.get("openblas_coretype_ignored") == ignored and value.get("sgemm_core") == core, value)


core = doctor.get("openblas", {}).get("core")
text = os.path.join(os.path.dirname(__file__), "..", "..", "README.md")
for name, args in (("kernels", ("--seconds", "0", "--n", "70", "--k", "45")), ("ops", ("--seconds", "0")), ("plugins", ("--seconds", "0.001")),
                   ("tokenize", ("tiny", "--input", text)), ("train", ("tiny", "--steps", "1", "--batch", "1", "--tokens", "20")),
                   ("generate", ("tiny", "--tokens", "4")), ("grpo", ("tiny", "--steps", "1", "--tokens", "4"))):
    value = keys(f"bench {name}", run("bench", name, *args, "--json", *YARD, OPENBLAS_CORETYPE=lesser), ["sgemm_core", "yard"])
    yard(f"bench {name}", value, lesser if core != lesser else None)
    told = run("bench", name, *args, *YARD).stdout
    check(f"bench {name}: both yardsticks in words", all(w in told for w in ("GFLOP/s before", "GB/s before", "OpenBLAS " + (core or "?"))), told)
peak = json.loads(run("bench", "plugins", "--seconds", "0.001", "--json", *YARD).stdout)
check("peak memory is that of the work, not of the yardstick's buffer", peak["peak_mb"] < peak["yard"]["read_mb"] / 2, peak)
blas = keys("bench blas", run("bench", "blas", "--rounds", "1", "--seconds", "0.01", "--threads", "1", "--json", OPENBLAS_CORETYPE=lesser),
            ["cpu", "kernels", "chosen", "gflops", "of_best", "types"])
types = {t["type"]: t for t in blas.get("types", [])}
check("bench blas: hone's choice is one of the types", blas.get("chosen") in types and 0 < blas.get("of_best", 0) <= 1, blas)
check("bench blas: every type ran", types and all(t["gflops"] > 0 and t["core"] for t in types.values()), blas)
check("bench blas: each type is what OpenBLAS runs",
      all(t["core"].lower() == n.lower() for n, t in types.items() if n in ("SkylakeX", "Haswell", "Zen", "Prescott", "Nehalem")), blas)
if "avx2" in sets:
    told = keys("bench blas on AVX2", run("bench", "blas", "--rounds", "1", "--seconds", "0.01", "--json", HONE_CPU="avx2"), ["chosen"])
    names = [t["type"] for t in told.get("types", [])]
    check("bench blas: the choice for a lesser kernel set", told.get("chosen") in ("Zen", "Haswell"), told)
    check("bench blas: beside types of its instructions", {"Zen", "Haswell"} <= set(names) and "SkylakeX" not in names, names)
    told = keys("a lesser kernel set", run("bench", "train", "tiny", "--steps", "1", "--json", *YARD, HONE_CPU="avx2"), ["sgemm_core", "kernels"])
    check("is measured against its own instructions", told.get("sgemm_core") in ("Zen", "Haswell") and told.get("kernels") == "avx2", told)
told = keys("prompts", run("bench", "grpo", "tiny", "--prompts", "2", "--samples", "5", "--prompt-tokens", "30", "--tokens", "4", "--steps", "1",
                           "--json", *YARD), ["sample_ms"])
check("a prompt is read once for all of its samples", (told.get("prompt_tokens_read"), told.get("new_tokens"),
      told.get("prompt_tokens_of_samples")) == (60, 40, 300), told)
bad = run("bench", "ops", "--yardstick", "-1")
check("no time for the yardsticks", bad.returncode == 2 and "--yardstick" in bad.stderr, bad.stderr)
bad = run("bench", "kernel")
check("a slip in a benchmark", bad.returncode == 2 and "kernels" in bad.stderr, bad.stderr)
bad = run("bench", "kernels", "--n", "70")
check("half a shape", bad.returncode == 2, bad.stderr)

with tempfile.TemporaryDirectory() as folder:
    make_model(folder)
    ids = ",".join(str(i * 37 % 259) for i in range(150))
    reference = run("model", "logprobs", folder, "--ids", ids, "--json", HONE_CPU="c", HONE_THREADS="1")
    check("log-probs", reference.returncode == 0 and len(json.loads(reference.stdout)["logprobs"]) == 149,
          reference.stderr)
    for kernels in sets:
        for threads in ("1", "3"):
            other = run("model", "logprobs", folder, "--ids", ids, "--json", HONE_CPU=kernels,
                        HONE_THREADS=threads)
            check(f"log-probs on {kernels}, {threads} threads", other.stdout == reference.stdout, other.stderr)
    for more in ([], ["--lora", "4"]):
        keys("bench train", run("bench", "train", folder, "--steps", "1", "--batch", "2", "--tokens", "40",
                                "--json", *YARD, *more),
             ["tokens_per_s", "step_s", "peak_mb", "sgemm_gflops", "limit_tokens_per_s", "of_limit", "precision"])
    keys("bench generate", run("bench", "generate", folder, "--sequences", "3", "--prompt", "20", "--tokens",
                               "8", "--json", *YARD),
         ["prefill_tokens_per_s", "decode_tokens_per_s", "peak_mb"])
    grpo = keys("bench grpo", run("bench", "grpo", folder, "--prompts", "2", "--samples", "3",
                                  "--prompt-tokens", "20", "--tokens", "9", "--steps", "2", "--json", *YARD),
                ["step_s", "generate_s", "train_s", "limit_s", "of_limit", "peak_mb"])
    yard("bench grpo", grpo)
    start = keys("bench start", run("bench", "start", "--runs", "1", "--json", *YARD, "quickstart", "test_rows=3", "rows=64"),
                 ["recipe", "first_step_s", "first_step_without_eval_s"])
    yard("bench start", start)
    first = keys("bench start --grpo", run("bench", "start", "--grpo", "--runs", "1", "--json", *YARD), ["recipe", "first_step_s"])
    check("a step of GRPO is its own recipe", first.get("recipe") == "GRPO, 4 x 8 x 32" and
          first["first_step_s"] == first["first_step_without_eval_s"], first)
    check("and takes no other", run("bench", "start", "--grpo", "quickstart").returncode == 2)
    check("evaluations are told apart", 0 < start.get("first_step_without_eval_s", 0) < start.get("first_step_s", 0), start)
    page = os.path.join(folder, "bench.html")
    every = keys("bench all", run("bench", "all", folder, "--repeat", "2", "--only", "decode, 1, q", "--json", "--report", page, *YARD),
                 ["model", "cpu", "kernels", "threads", "repeat", "figures", "scale"])
    figures = every.get("figures", [])
    check("every figure has its limit, its share and its peak", len(figures) == 6 and all(
        f["value"] > 0 and f["peak_mb"] > 0 and abs(f["value"] / f["limit"] / f["of_limit"] - 1) < 0.5 and len(f["runs"]) == 2
        for f in figures), figures)
    html = open(page).read() if os.path.exists(page) else ""
    check("the page has a row for each figure, and no chart that was not asked for",
          html.count("<td>decode, 1") == 6 and "memory, GB/s" in html and "<svg" not in html, html[-600:])
    check("every figure has its yardsticks beside it", all(f["sgemm_gflops"] > 0 and f["read_gb_per_s"] > 0 and 0 <= f["spread"] < 2
                                                           for f in figures), figures)
    told = run("bench", "all", folder, "--repeat", "1", "--only", "Rows of", "--scale", "--report", page, *YARD)
    html = open(page).read() if os.path.exists(page) else ""
    check("a law of scale on the page", told.returncode == 0 and "100000:" in told.stdout and "<svg" in html and "Rows of data: memory" in html
          and ">100k</text>" in html and ">rows</text>" in html and "<table" not in html,
          told.stdout + told.stderr)
    check("the page asks for nothing", "default-src 'none'" in html and "http" not in html.replace("http-equiv", ""), html[:300])
    bad = run("bench", "all", folder, "--only", "no such figure", *YARD)
    check("nothing to measure", bad.returncode == 1 and "nothing was measured" in bad.stderr, bad.stderr)
    bad = run("bench", "all", folder, "--repeat", "0")
    check("no runs", bad.returncode == 2 and "--repeat" in bad.stderr, bad.stderr)
    bad = run("bench", "all", "no-such-model", "--repeat", "1", "--only", "decode, 1, f32", *YARD)
    check("no model", bad.returncode == 1 and "no-such-model" in bad.stderr, bad.stderr)
    bad = run("bench", "start", "no_such_recipe")
    check("a recipe that is not there", bad.returncode == 1 and "no_such_recipe" in bad.stderr, bad.stderr)
    check("sampler and trainer agree exactly", grpo.get("mismatch_max", 1) == 0, grpo)
    bad = run("bench", "train", folder, "--tokens", "1")
    check("one token has no target", bad.returncode == 2, bad.stderr)

finish()
