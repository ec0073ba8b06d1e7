"""bad_models.py - broken and hostile model files: one clear error that names the file, exit 1, nothing written.

Each case is a file or folder made here; `hone model info` (headers), `logprobs` and `export` must refuse it."""
import json
import os
import struct
import subprocess
import sys
import tempfile

HONE = os.environ["HONE"]
passed = failed = 0


def check(name, ok, why=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}: {why}")


def refused(name, path, text, code=1, parts=("info", "logprobs", "export")):
    for part in parts:
        out = path + ".out"
        more = {"info": [], "logprobs": ["--ids", "1,2"], "export": [out]}[part]
        run = subprocess.run([HONE, "model", part, path, *more], capture_output=True, text=True, timeout=60)
        where = os.path.basename(path.rstrip("/"))
        check(f"{name}, {part}: exit {code}", run.returncode == code, f"exit {run.returncode} {run.stderr}")
        check(f"{name}, {part}: says so", text in run.stderr and where in run.stderr, run.stderr)
        check(f"{name}, {part}: one error", run.stderr.count("hone: ") == 1 and not run.stdout, run.stderr)
        check(f"{name}, {part}: nothing written", not os.path.exists(out))


def string(z):
    return struct.pack("<Q", len(z)) + z.encode()


def gguf(pairs=(), tensors=(), data=b"", version=3, n_pairs=None, n_tensors=None):
    b = b"GGUF" + struct.pack("<IQQ", version, len(tensors) if n_tensors is None else n_tensors,
                              len(pairs) if n_pairs is None else n_pairs)
    for key, kind, value in pairs:
        b += string(key) + struct.pack("<I", kind) + value
    for name, dims, kind, offset in tensors:
        b += string(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
        b += struct.pack("<IQ", kind, offset)
    return b + bytes(-len(b) % 32) + data


LLAMA = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=8, intermediate_size=16,
             num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, vocab_size=10,
             max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True)
L = "model.layers.0."
SHAPES = {"model.embed_tokens.weight": (10, 8), "model.norm.weight": (8,), L + "input_layernorm.weight": (8,),
          L + "post_attention_layernorm.weight": (8,), L + "self_attn.q_proj.weight": (8, 8),
          L + "self_attn.k_proj.weight": (4, 8), L + "self_attn.v_proj.weight": (4, 8),
          L + "self_attn.o_proj.weight": (8, 8), L + "mlp.gate_proj.weight": (16, 8),
          L + "mlp.up_proj.weight": (16, 8), L + "mlp.down_proj.weight": (8, 16)}


def safetensors(shapes):
    head, at = {}, 0
    for name, shape in shapes.items():
        size = 4
        for d in shape:
            size *= d
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


with tempfile.TemporaryDirectory() as tmp:
    def file(name, data):
        path = f"{tmp}/{name}"
        with open(path, "wb") as f:
            f.write(data)
        return path

    def folder(name, config, shapes):
        path = f"{tmp}/{name}"
        os.mkdir(path)
        if config is not None:
            with open(f"{path}/config.json", "w") as f:
                f.write(config if isinstance(config, str) else json.dumps(config))
        if shapes is not None:
            with open(f"{path}/model.safetensors", "wb") as f:
                f.write(shapes if isinstance(shapes, bytes) else safetensors(shapes))
        return path

    # the folder the others are spoilt from is sound
    good = folder("good", LLAMA, SHAPES)
    run = subprocess.run([HONE, "model", "logprobs", good, "--ids", "1,2", "--json"], capture_output=True, text=True)
    check("a sound folder runs", run.returncode == 0, run.stderr)

    arch = ("general.architecture", 8, string("llama"))
    refused("no model at all", file("noise.gguf", b"\0" * 100), "no GGUF file")
    refused("an empty file", file("empty.gguf", b""), "no GGUF file")
    refused("an old version", file("v1.gguf", gguf(version=1)), "version 1")
    refused("counts past the end", file("counts.gguf", gguf(n_tensors=2**62)), "end past the file")
    refused("a key twice", file("twice.gguf", gguf([arch, arch])), "twice")
    refused("a huge string", file("string.gguf", gguf([("a", 8, struct.pack("<Q", 2**63))])), "cut off")
    refused("a huge array", file("array.gguf", gguf([("a", 9, struct.pack("<IQ", 4, 2**61))])), "ends past the file")
    deep = struct.pack("<IQ", 9, 1) * 10000
    refused("arrays nested 10,000 deep", file("deep.gguf", gguf([("a", 9, deep)])), "nested deeper")
    refused("a tensor past the end", file("past.gguf", gguf([arch], [("t", (64,), 0, 0)])), "end past the file")
    refused("a shape that overflows", file("shape.gguf", gguf([arch], [("t", (2**40, 2**40), 0, 0)])), "too large")
    refused("a type from the future", file("type.gguf", gguf([arch], [("t", (32,), 99, 0)], bytes(64))), "type 99")
    refused("an unknown architecture", file("arch.gguf", gguf([("general.architecture", 8, string("martian"))])),
            "martian", parts=("logprobs", "export"))

    refused("a folder with nothing", folder("nothing", None, None), "no model")
    refused("no weights", folder("bare", LLAMA, None), "neither model.safetensors nor its index")
    refused("a config that is no JSON", folder("nojson", "{", SHAPES), "config.json")
    refused("a config nested 10,000 deep", folder("deep", "[" * 10000 + "]" * 10000, SHAPES), "config.json")
    refused("a truncated file", folder("cut", LLAMA, safetensors(SHAPES)[:-100]), "model.safetensors")
    refused("a header past the end", folder("head", LLAMA, struct.pack("<Q", 10**6) + b"{}"), "ends past the file")
    refused("an unknown model", folder("unknown", dict(LLAMA, architectures=["Martian"], model_type="martian"), SHAPES),
            "martian", parts=("logprobs", "export"))
    refused("a key not understood", folder("key", dict(LLAMA, flux_capacitor=1.21), SHAPES), "flux_capacitor",
            parts=("logprobs", "export"))
    missing = {k: v for k, v in SHAPES.items() if "down_proj" not in k}
    refused("a missing tensor", folder("missing", LLAMA, missing), "down_proj", parts=("logprobs", "export"))
    wrong = dict(SHAPES, **{"model.norm.weight": (9,)})
    refused("a misshapen tensor", folder("wrong", LLAMA, wrong), "model.norm.weight", parts=("logprobs", "export"))
    odd = dict(LLAMA, num_attention_heads=3)
    refused("shapes that do not multiply", folder("odd", odd, SHAPES), "odd", parts=("logprobs",))

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
