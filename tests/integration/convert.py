"""convert.py - model files into other model files: nothing is lost that should not be, and memory stays small.

The model is `tiny` (in the tree) and, where the material beside the project is there, the random models of
tiny-random. Where Python has the `gguf` package, what hone writes is also read with it (versions are printed).
HONE_FULL=1 converts a 2 GB model instead of one of 200 MB."""
import json
import os
import re
import resource
import shlex
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
SHARED = os.environ.get("HONE_SHARED") or os.path.join(os.getcwd(), "..", "shared")
FULL = os.environ.get("HONE_FULL") == "1"


def hone(*args, code=0, env=None, cwd=None, stdin=""):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, timeout=300, cwd=cwd, input=stdin,
                         env=dict(os.environ, **(env or {})))
    check(" ".join(args[:2]) + f": exit {code}", run.returncode == code, f"exit {run.returncode}: {args} {run.stderr}")
    return run.stdout if code == 0 else run.stderr


def logprobs(model, ids="1,2,3,5,8,13,21,34,55,89,144,233"):
    return hone("model", "logprobs", model, "--ids", ids, "--json")


def gguf_pairs(path):
    """Key -> (type, raw value) of a GGUF file, read independently of hone."""
    size = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    data = open(path, "rb").read()
    _, version, n_tensors, n = struct.unpack_from("<4sIQQ", data, 0)
    at, pairs, tensors = 24, {}, {}

    def text(at):
        k = struct.unpack_from("<Q", data, at)[0]
        return data[at + 8:at + 8 + k].decode(), at + 8 + k

    def value(kind, at):
        if kind == 8:
            return text(at)[1]
        if kind == 9:
            kind, n = struct.unpack_from("<IQ", data, at)
            at += 12
            for _ in range(n):
                at = value(kind, at)
            return at
        return at + size[kind]

    for _ in range(n):
        key, at = text(at)
        kind = struct.unpack_from("<I", data, at)[0]
        end = value(kind, at + 4)
        pairs[key] = (kind, data[at + 4:end])
        at = end
    for _ in range(n_tensors):
        name, at = text(at)
        dims = struct.unpack_from("<I", data, at)[0]
        shape = struct.unpack_from(f"<{dims}Q", data, at + 4)
        at += 4 + 8 * dims
        kind, offset = struct.unpack_from("<IQ", data, at)
        at += 12
        tensors[name] = (kind, shape, offset)
    check(f"{os.path.basename(path)}: version 3, aligned", version == 3 and all(t[2] % 32 == 0 for t in tensors.values()))
    return pairs, tensors


def synthetic(path, layers, hidden=1024, vocab=8192):
    """A llama in bf16 of zeros and a pattern, without holding it."""
    os.mkdir(path)
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=hidden,
                  intermediate_size=4 * hidden, num_hidden_layers=layers, num_attention_heads=16,
                  num_key_value_heads=8, vocab_size=vocab, max_position_embeddings=64, rms_norm_eps=1e-5,
                  rope_theta=10000.0, tie_word_embeddings=True)
    json.dump(config, open(f"{path}/config.json", "w"))
    shapes = {"model.embed_tokens.weight": (vocab, hidden), "model.norm.weight": (hidden,)}
    for i in range(layers):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": (hidden,), p + "post_attention_layernorm.weight": (hidden,),
                   p + "self_attn.q_proj.weight": (hidden, hidden), p + "self_attn.k_proj.weight": (hidden // 2, hidden),
                   p + "self_attn.v_proj.weight": (hidden // 2, hidden), p + "self_attn.o_proj.weight": (hidden, hidden),
                   p + "mlp.gate_proj.weight": (4 * hidden, hidden), p + "mlp.up_proj.weight": (4 * hidden, hidden),
                   p + "mlp.down_proj.weight": (hidden, 4 * hidden)}
    head, at = {}, 0
    for name, shape in shapes.items():
        n = 2
        for d in shape:
            n *= d
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(head).encode()
    row = struct.pack("<512H", *[0x3c00 + 7 * i % 256 + (0x8000 if i % 3 else 0) for i in range(512)])
    with open(f"{path}/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        block = row * 1024
        left = at
        while left > 0:
            f.write(block[:left])
            left -= len(block)
    return at


def peak_mb(*args):
    """Most memory of a command, mapped pages included."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.execv(HONE, [HONE, *args])
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024


with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as tmp:
    def at(name):
        return f"{tmp}/{name}"

    # ---- there and back
    want = logprobs("tiny")
    hone("model", "convert", "tiny", at("tiny.gguf"))
    hone("model", "convert", at("tiny.gguf"), at("back"))
    for model in ("tiny.gguf", "back"):
        check(f"{model}: the same log-probs", logprobs(at(model)) == want)
        hone("model", "diff", "tiny", at(model))
    text = "Leo has 3 red pens.\n  He buys 12 more; how many?"
    ids = hone("tokenize", "tiny", "--whole", "--json", stdin=text)
    for model in ("tiny.gguf", "back"):
        check(f"{model}: the same ids", hone("tokenize", at(model), "--whole", "--json", stdin=text) == ids)
    pairs, tensors = gguf_pairs(at("tiny.gguf"))
    check("norms are f32, matrices as stored", tensors["output_norm.weight"][0] == 0 and
          tensors["blk.0.attn_q.weight"][0] == 30 and tensors["token_embd.weight"][1][0] == 128)
    for key, kind in {"general.architecture": 8, "llama.block_count": 4, "llama.rope.freq_base": 6,
                      "tokenizer.ggml.tokens": 9, "tokenizer.ggml.token_type": 9, "tokenizer.ggml.merges": 9,
                      "tokenizer.ggml.eos_token_id": 4, "tokenizer.ggml.add_bos_token": 7}.items():
        check(f"metadata {key}", key in pairs and pairs[key][0] == kind, str(pairs.get(key, ("none",))[0]))

    # ---- without a tokenizer: llama.cpp wants to be told that there is none, transformers that no id pads
    hone("model", "convert", "tiny", at("bare.gguf"), "--without-tokenizer")
    bare, _ = gguf_pairs(at("bare.gguf"))
    check("a model without a tokenizer says so", bare.get("tokenizer.ggml.model") == (8, struct.pack("<Q", 4) + b"none") and
          logprobs(at("bare.gguf")) == want, str(bare.get("tokenizer.ggml.model")))
    hone("model", "convert", at("bare.gguf"), at("bare"), "--to", "hf")
    ids_of = json.load(open(at("bare/config.json")))
    check("and its folder names no padding", "pad_token_id" in ids_of and ids_of["pad_token_id"] is None and
          "eos_token_id" not in ids_of, str(ids_of))
    ids_of = json.load(open(at("back/config.json")))
    check("a folder made of GGUF has its ids", isinstance(ids_of.get("eos_token_id"), int), str(ids_of))

    # ---- names of pre-tokenizers: the folder made of a GGUF file cuts as the file does, and says the same name again
    text = "It's 1234567 Don'T\n\n  x  \u00e9\u4f60\u597d A1b2 ...!? \u03a9mega HTTPServer\r\n$5+3=8"
    for name, again in {"gpt-2": "gpt-2", "command-r": None, "llama-bpe": "llama-bpe", "glm4": "dbrx", "qwen2": "qwen2", "stablelm2": "stablelm2",
                        "qwen35": "qwen35", "gpt-4o": "gpt-4o", "tekken": "tekken", "deepseek-v3": "deepseek-v3", "seed-coder": "seed-coder",
                        "bailingmoe": "bailingmoe", "default": "default", "falcon": "falcon"}.items():
        hone("model", "convert", "tiny", at("pre.gguf"), "--pre", name, "--overwrite")
        hone("model", "convert", at("pre.gguf"), at("pre"), "--to", "hf", "--overwrite")
        hone("model", "convert", at("pre"), at("pre2.gguf"), "--overwrite")
        ids = hone("tokenize", at("pre.gguf"), "--whole", "--json", stdin=text)
        check(f"pre-tokenizer {name}: the folder's ids", hone("tokenize", at("pre"), "--whole", "--json", stdin=text) == ids, ids)
        got = gguf_pairs(at("pre2.gguf"))[0]["tokenizer.ggml.pre"][1][8:].decode()
        check(f"pre-tokenizer {name}: its name again", got == (again or "smollm"), got)

    # ---- GGUF to GGUF keeps every pair as it was
    hone("model", "quantize", at("tiny.gguf"), at("q8.gguf"), "--type", "q8_0", "--skip-report")
    after, _ = gguf_pairs(at("q8.gguf"))
    changed = {k for k in pairs.keys() | after.keys() if pairs.get(k) != after.get(k)}
    check("GGUF to GGUF changes only its type", changed == {"general.file_type"}, str(changed))

    # ---- every type
    kl = {}
    for kind in ("f16", "q8_0", "q6_k", "q5_k_m", "q5_k", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_k", "q4_1", "q4_0",
                 "iq4_nl", "iq4_xs", "q3_k_m", "q3_k", "q2_k"):
        out = json.loads(hone("model", "quantize", "tiny", at(kind + ".gguf"), "--type", kind.upper(), "--json"))
        kl[kind] = out["quality"]["kl_mean"]
        check(f"{kind}: a report", out["quality"]["tokens"] > 100 and 0 <= out["quality"]["agreement"] <= 1
              and out["bytes"] == os.path.getsize(at(kind + ".gguf")), str(out))
    order = ["f16", "q8_0", "q5_0", "q4_0"]
    check("fewer bits lose more", all(kl[a] < kl[b] for a, b in zip(order, order[1:])), str(kl))
    check("f16 and q8_0 lose little", kl["f16"] < 1e-4 and kl["q8_0"] < 1e-3, str(kl))
    # rows of 128 are no multiple of 256: llama.cpp's next types. Only ffn_down has rows of 256.
    for kind, instead in {"q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0", "q3_k": "iq4_nl", "q2_k": "iq4_nl",
                          "iq4_xs": "iq4_nl"}.items():
        out = json.loads(subprocess.run([HONE, "model", "diff", at(kind + ".gguf"), at(instead + ".gguf"), "--json"],
                                        capture_output=True, text=True).stdout)
        check(f"{kind} falls back to {instead}", out["equal"] == 26 and len(out["tensors"]) == 3 and
              all("ffn_down" in t["name"] and t["type_a"] == kind for t in out["tensors"]), str(out))
    again = at("again.gguf")
    hone("model", "quantize", "tiny", again, "--type", "q4_1", "--skip-report", "--threads", "1")
    check("one thread writes the same bytes", open(again, "rb").read() == open(at("q4_1.gguf"), "rb").read())

    # ---- diff tells
    told = hone("model", "diff", "tiny", at("q8_0.gguf"), code=1)
    out = subprocess.run([HONE, "model", "diff", "tiny", at("q8_0.gguf"), "--json"], capture_output=True, text=True)
    found = json.loads(out.stdout)
    check("diff counts", found["differ"] == 22 and found["equal"] == 7 and
          all(t["max_abs"] > 0 and t["hash_a"] != t["hash_b"] for t in found["tensors"]), out.stdout[:300])
    hone("model", "diff", "tiny", at("q8_0.gguf"), "--tolerance", "0.5")

    # ---- refusals leave what is there
    before = open(at("tiny.gguf"), "rb").read()
    check("an existing file is refused", "is there already" in hone("model", "convert", "tiny", at("tiny.gguf"), code=1))
    check("and stays", open(at("tiny.gguf"), "rb").read() == before)
    full = hone("model", "convert", "tiny", at("tiny.gguf"), "--overwrite", code=1, env={"HONE_FAULT_ENOSPC": "300000"})
    check("a full disk is told", "space" in full.lower(), full)
    check("and the old file stays", open(at("tiny.gguf"), "rb").read() == before)
    hone("model", "convert", at("tiny.gguf"), at("tiny.gguf"), "--overwrite")
    check("a file onto itself", open(at("tiny.gguf"), "rb").read() == before)
    check("no such type", "q8_0" in hone("model", "convert", "tiny", at("x.gguf"), "--type", "q9_9", code=2))
    check("a folder has no blocks", "gguf" in hone("model", "convert", "tiny", at("x"), "--type", "q4_0", code=2))
    check("nothing is left behind", not [n for n in os.listdir(tmp) if n.startswith("x") or ".tmp" in n])

    # ---- the examples of --help
    os.mkdir(at("examples"))
    for part in ("info", "logprobs", "export", "convert", "quantize", "diff"):
        lines = re.findall(r"^ *(?:\$ )?hone (model .*)$", hone("model", part, "--help"), re.M)
        lines = [x for x in lines if not x.startswith("model " + part + " MODEL")]
        check(f"{part} --help has examples", len(lines) > 0)
        for line in lines:
            hone(*shlex.split(line), cwd=at("examples"))

    # ---- other shapes: biases, windows, an own head, stretched rope, norms kept with an offset
    for name in ("llama", "llama-linear-rope", "llama3-rope", "mistral", "qwen2", "qwen3"):
        folder = f"{SHARED}/assets/models/tiny-random/{name}"
        if not os.path.isdir(folder):
            skip(f"{folder} is not there")
            continue
        want = logprobs(folder)
        hone("model", "convert", folder, at(name + ".gguf"))
        hone("model", "convert", at(name + ".gguf"), at(name))
        check(f"{name}: the same log-probs from GGUF", logprobs(at(name + ".gguf")) == want)
        check(f"{name}: and from the folder made of it", logprobs(at(name)) == want)

    # ---- a vocabulary with scores: SentencePiece's BPE
    stories = f"{SHARED}/assets/models/stories260K"
    if os.path.isdir(stories):
        told = open(f"{stories}/expected_greedy_n257.txt").read() + "\nGr\u00f6\u00dfe 2024: \u65e5\u672c  \U0001f389 two  spaces\n"
        hone("model", "convert", f"{stories}/stories260K.gguf", at("stories"), "--type", "f32")
        hone("model", "convert", at("stories"), at("stories.gguf"))
        want = hone("tokenize", f"{stories}/stories260K.gguf", "--json", "--add", "--whole", stdin=told)
        probs = logprobs(f"{stories}/stories260K.gguf")
        for model in ("stories", "stories.gguf"):
            check(f"{model}: the same ids", hone("tokenize", at(model), "--json", "--add", "--whole", stdin=told) == want)
            check(f"{model}: the same log-probs", logprobs(at(model)) == probs)
    else:
        skip(f"{stories} is not there")

    # a query scale that GGUF's Gemma 3 has no key for
    if os.path.isdir(f"{SHARED}/assets/models/tiny-random/gemma3"):
        said = hone("model", "convert", f"{SHARED}/assets/models/tiny-random/gemma3", at("gemma3.gguf"), code=1)
        check("what GGUF cannot say is refused", "no GGUF metadata" in said, said)

    # ---- a large model
    layers = 64 if FULL else 5
    size = synthetic(at("large"), layers)
    for target, limit in (("large.gguf", "q4_k_m"), ("large-hf", "f16")):
        code, mb = peak_mb("model", "convert", at("large"), at(target), "--type", limit)
        check(f"{size / 1e6:.0f} MB to {limit}: under {300 if FULL else 100} MB", code == 0 and mb < (300 if FULL else 100),
              f"exit {code}, {mb:.0f} MB")
        print(f"{size / 1e6:.0f} MB to {limit}: at most {mb:.0f} MB of memory")

    # ---- the gguf package reads it
    try:
        from importlib.metadata import version

        import gguf
        import numpy
    except ImportError:
        skip("Python has no gguf package")
    else:
        print(f"gguf {version('gguf')}, numpy {numpy.__version__}")
        for kind in ("q8_0", "q5_1", "iq4_nl"):
            reader = gguf.GGUFReader(at(kind + ".gguf"))
            hone("model", "convert", at(kind + ".gguf"), at(kind + "-f32.gguf"), "--type", "f32")
            plain = {t.name: t.data for t in gguf.GGUFReader(at(kind + "-f32.gguf")).tensors}
            same = all(numpy.array_equal(gguf.quants.dequantize(t.data, t.tensor_type).ravel(), plain[t.name].ravel())
                       for t in reader.tensors)
            check(f"{kind}: gguf has the same values", same and len(plain) == 29)
            check(f"{kind}: and the same tokens", reader.fields["tokenizer.ggml.model"].contents() == "gpt2")

finish()
