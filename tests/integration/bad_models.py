"""bad_models.py - broken and hostile model files: one clear error that names the file, exit 1, nothing written.

Each case is a file or folder made here; `hone model info` (headers), `logprobs` and `export` must refuse it."""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]


def refused(name, path, text, code=1, parts=("info", "logprobs", "export")):
    for part in parts:
        out = path + ".out"
        more = {"info": [], "logprobs": ["--ids", "1,2"], "export": [out], "convert": [out],
                "quantize": [out, "--type", "q8_0"]}[part]
        run = subprocess.run([HONE, "model", part, path, *more], capture_output=True, text=True, timeout=60,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)))
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
    # configurations that no model can have, or that hone does not compute: one error that names the key
    def config(name, text, model_type="llama", cls="Llama", **keys):
        tree = dict(LLAMA, architectures=[f"{cls}ForCausalLM"], model_type=model_type, **keys)
        refused(f"{model_type}: {name}", folder(f"c{config.n}", {k: v for k, v in tree.items() if v != "gone"}, SHAPES), text,
                parts=("logprobs",))
        config.n += 1
    config.n = 0
    for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
                "head_dim", "max_position_embeddings"):
        config(f"a negative {key}", key, **{key: -4})
        config(f"{key} of 0", key, **{key: 0})
        config(f"a huge {key}", key, **{key: 2**62})
        config(f"{key} as text", key, **{key: "8"})
        config(f"{key} as a list", key, **{key: [8]})
        if key not in ("num_key_value_heads", "head_dim", "max_position_embeddings"):
            config(f"no {key}", key, **{key: "gone"})
    config("too many layers", "num_hidden_layers", num_hidden_layers=10**6)
    config("heads that do not divide", "heads", num_attention_heads=3, num_key_value_heads=3)
    config("heads over more key/value heads", "query heads", num_key_value_heads=4)
    config("exact gelu", "gelu", hidden_act="gelu")
    config("a type as text", "attention_bias", attention_bias="no")
    config("a rope theta of 0", "theta", rope_theta=0)
    config("a negative rope theta", "theta", rope_theta=-1e4)
    for kind in ("linear", "dynamic", "llama3", "yarn"):
        config(f"{kind} with a factor of 0", "factor", rope_scaling=dict(rope_type=kind, factor=0, original_max_position_embeddings=32))
        config(f"{kind} with a negative factor", "factor", rope_scaling=dict(rope_type=kind, factor=-2.0))
        config(f"{kind} with a factor as text", "factor", rope_scaling=dict(rope_type=kind, factor="2"))
    for kind in ("linear", "dynamic", "llama3"):
        config(f"{kind} without a factor", "factor", rope_scaling=dict(rope_type=kind))
    config("dynamic that shrinks", "dynamic", rope_scaling=dict(rope_type="dynamic", factor=0.5))
    config("llama3 with equal factors", "llama3", rope_scaling=dict(rope_type="llama3", factor=2, low_freq_factor=4, high_freq_factor=4))
    config("yarn of 0 positions", "original_max_position", rope_scaling=dict(rope_type="yarn", factor=2, original_max_position_embeddings=0))
    config("yarn without truncation", "truncation", rope_scaling=dict(rope_type="yarn", factor=2, truncate=False))
    config("yarn that is not understood", "rope_scaling.warp", rope_scaling=dict(rope_type="yarn", factor=2, warp=9))
    config("an unknown scaling", "\"ntk\"", rope_scaling=dict(rope_type="ntk", factor=2))
    config("scaling that is no map", "rope_scaling", rope_scaling="linear")
    config("a map for each kind of layer where there is one", "full_attention", rope_parameters=dict(full_attention=dict(rope_theta=1e4)))
    config("partial rope", "partial", rope_parameters=dict(rope_type="default", partial_rotary_factor=0.5))
    config("a window", "sliding_window", sliding_window=8)
    config("layers with a window that is not there", "no window", layer_types=["sliding_attention"])
    for kind, cls in (("mistral", "Mistral"), ("qwen2", "Qwen2"), ("gemma2", "Gemma2"), ("gemma3_text", "Gemma3"), ("phi3", "Phi3"),
                      ("olmo3", "Olmo3")):
        config("a window of 0", "sliding_window", kind, cls, sliding_window=0)
        config("a negative window", "sliding_window", kind, cls, sliding_window=-1)
    for kind, cls in (("qwen2", "Qwen2"), ("qwen3", "Qwen3"), ("gemma2", "Gemma2"), ("gemma3_text", "Gemma3"), ("smollm3", "SmolLM3"),
                      ("olmo3", "Olmo3")):
        config("layer_types of wrong length", "layer_types", kind, cls, layer_types=["full_attention"] * 2)
        config("layer_types that are no list", "layer_types", kind, cls, layer_types="full_attention")
        config("a layer type from the future", "layer type 0", kind, cls, layer_types=["chunked_attention"])
        config("a layer type that is no text", "layer type 0", kind, cls, layer_types=[None])
    config("a pattern of 0", "sliding_window_pattern", "gemma3_text", "Gemma3", sliding_window_pattern=0)
    config("a query scalar of 0", "query_pre_attn_scalar", "gemma2", "Gemma2", query_pre_attn_scalar=0)
    config("a negative soft cap", "soft caps", "gemma2", "Gemma2", attn_logit_softcapping=-5)
    config("both directions", "use_bidirectional_attention", "gemma3_text", "Gemma3", use_bidirectional_attention=True)
    config("a base of 0", "theta", "gemma3_text", "Gemma3", rope_local_base_freq=0)
    config("rope of 0 columns", "columns", "phi3", "Phi3", partial_rotary_factor=0.1)
    config("more than all columns", "partial", "phi3", "Phi3", rope_parameters=dict(partial_rotary_factor=1.5))
    for bad in ([1.0], [1.0, 0], [1.0, -2], [1.0, "2"], "x", {}):
        config(f"factors {bad}", "factor", "phi3", "Phi3", rope_scaling=dict(type="longrope", short_factor=bad, long_factor=[1, 1]))
    config("dropout of everything", "resid_pdrop", "phi3", "Phi3", resid_pdrop=1.0)
    config("a negative dropout", "attention_dropout", attention_dropout=-0.1)
    config("no_rope_layers of wrong length", "no_rope_layers", "smollm3", "SmolLM3", no_rope_layers=[1, 0])
    config("no_rope_layers of text", "no_rope_layers", "smollm3", "SmolLM3", no_rope_layers=["yes"])
    config("an interval of 0", "no_rope_layer_interval", "smollm3", "SmolLM3", no_rope_layer_interval=0)
    config("logits divided by 0", "logits_scaling", "granite", "Granite", logits_scaling=0)
    config("a negative attention multiplier", "multipliers", "granite", "Granite", attention_multiplier=-1.0)
    config("another class than the type's", "MistralForCausalLM", cls="Mistral")
    refused("a head for something else", folder("head2", dict(LLAMA, architectures=["LlamaForTokenClassification"]), SHAPES),
            "LlamaForTokenClassification", parts=("logprobs",))
    refused("a head of two labels", folder("head3", dict(LLAMA, architectures=["LlamaForSequenceClassification"]), SHAPES),
            "2 labels", parts=("logprobs",))
    run = subprocess.run([HONE, "model", "logprobs", folder("near", dict(LLAMA, architectures=["LlamaForCausalLN"]), SHAPES), "--ids", "1,2"],
                         capture_output=True, text=True)
    check("an unknown class: the closest is named", "closest that is run is LlamaForCausalLM" in run.stderr, run.stderr)
    text = dict(LLAMA, architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3")
    refused("gemma3 whose text_config is no map", folder("text1", dict(text, text_config=[1]), SHAPES), "text_config", parts=("logprobs",))
    refused("gemma3 without a text_config", folder("text2", text, SHAPES), "text_config", parts=("logprobs",))
    refused("gemma3 with a key not understood in it", folder("text3", dict(
        {k: text[k] for k in ("architectures", "model_type")}, text_config=dict(hidden_size=8, flux=1)), SHAPES), "text_config.flux",
        parts=("logprobs",))
    meta = {"block_count": 1, "embedding_length": 8, "feed_forward_length": 16, "attention.head_count": 2, "vocab_size": 10}

    def metadata(name, text, kind="llama", tensors=(), data=b"", **keys):
        pairs = [("general.architecture", 8, string(kind))]
        for k, v in dict(meta, **{k.replace("__", "."): v for k, v in keys.items()}).items():
            pairs.append((f"{kind}.{k}", 6, struct.pack("<f", v)) if isinstance(v, float) else
                         (f"{kind}.{k}", 8, string(v)) if isinstance(v, str) else (f"{kind}.{k}", 5, struct.pack("<i", v)))
        refused(f"GGUF, {kind}: {name}", file(f"m{metadata.n}.gguf", gguf(pairs, tensors, data)), text, parts=("logprobs",))
        metadata.n += 1
    metadata.n = 0
    metadata("a rope base that is no number", "freq_base", rope__freq_base=float("nan"))
    metadata("an infinite factor", "factor", rope__scaling__type="linear", rope__scaling__factor=float("inf"))
    metadata("heads that are too wide", "columns", embedding_length=8192, tensors=[("rope_freqs.weight", (2048,), 0, 0)], data=bytes(8192))
    metadata("a negative number of heads", "head_count", attention__head_count=-2)
    metadata("an unknown scaling", "\"ntk\"", rope__scaling__type="ntk")
    metadata("longrope without its factors", "factors", "phi3", rope__scaling__type="longrope")
    metadata("factors of wrong length", "rope_freqs", tensors=[("rope_freqs.weight", (3,), 0, 0)], data=bytes(32))
    metadata("factors of 0", "rope_freqs", tensors=[("rope_freqs.weight", (2,), 0, 0)], data=bytes(32))
    metadata("factors that are no vector", "no vector", tensors=[("rope_freqs.weight", (2, 2), 0, 0)], data=bytes(32))
    metadata("factors that it has no use for", "rope_factors_long", tensors=[("rope_factors_long.weight", (2,), 0, 0)], data=bytes(32))
    metadata("a logit scale of 0", "logits_scaling", "granite", logit_scale=0.0)
    odd = dict(LLAMA, num_attention_heads=3)
    refused("shapes that do not multiply", folder("odd", odd, SHAPES), "odd", parts=("logprobs",))

    # ---- cut at every structure: header, keys, values, descriptions, padding, data
    weights = [("token_embd.weight", (8, 10), 0, 0), ("output_norm.weight", (8,), 0, 320)]
    whole = gguf([arch, ("llama.block_count", 4, struct.pack("<I", 1)), ("a.list", 9, struct.pack("<IQ", 8, 1) + string("x"))],
                 weights, bytes(352))
    run = subprocess.run([HONE, "model", "info", file("whole.gguf", whole)], capture_output=True, text=True)
    check("the file that is cut is sound", run.returncode == 0, run.stderr)
    for n in list(range(0, len(whole) - 352, 7)) + [len(whole) - 352, len(whole) - 1]:
        refused(f"GGUF cut at byte {n}", file("cut.gguf", whole[:n]), "cut.gguf", parts=("info",))
    whole = safetensors(SHAPES)
    for n in list(range(0, 40, 3)) + list(range(40, len(whole), 397)):
        refused(f"safetensors cut at byte {n}", folder(f"cut{n}", LLAMA, whole[:n]), "model.safetensors", parts=("info",))
    # llama2.c: hidden 8, 16; 1 layer; 2 heads, 1 of keys; 10 ids; 4 positions
    n = 10 * 8 + 8 + 64 + 32 + 32 + 64 + 8 + 3 * 128 + 8 + 4 * 4
    whole = struct.pack("<7i", 8, 16, 1, 2, 1, 10, 4) + bytes(4 * n)
    run = subprocess.run([HONE, "model", "logprobs", file("whole.bin", whole), "--ids", "1,2"], capture_output=True, text=True)
    check("the .bin that is cut is sound", run.returncode == 0, run.stderr)
    for n in list(range(0, 40, 3)) + list(range(40, len(whole), 211)):
        refused(f".bin cut at byte {n}", file("cut.bin", whole[:n]), "cut.bin", parts=("info",))
    refused("a .bin too long", file("long.bin", whole + b"\0"), "1 bytes after", parts=("info", "convert", "quantize"))
    refused("a .bin of huge numbers", file("huge.bin", struct.pack("<7i", *[2**31 - 1] * 7) + bytes(100)), "header",
            parts=("info", "convert"))
    refused("a PyTorch file", file("pickle.bin", b"PK\3\4" + bytes(100)), "PyTorch", parts=("info", "convert", "logprobs"))
    refused("a .bin of int8 groups", file("v2.bin", struct.pack("<Ii7i", 0x616b3432, 2, 8, 16, 1, 2, 1, 10, 4) + bytes(300)),
            "version 2", parts=("info", "convert"))
    with open(f"{tmp}/tok10.bin", "wb") as f:
        f.write(struct.pack("<ifi", 3, 0.0, 2**31 - 1))
    refused("a tokenizer with a huge token", file("tok.bin", whole), "tokenizer", parts=("info", "convert"))
    os.unlink(f"{tmp}/tok10.bin")

    # ---- GGUF: descriptions that lie
    big = bytes(4096)
    refused("tensors that overlap", file("overlap.gguf", gguf([arch], [("a", (64,), 0, 0), ("b", (64,), 0, 32)], big)), "overlap",
            parts=("info", "convert"))
    refused("a tensor twice", file("dup.gguf", gguf([arch], [("a", (8,), 0, 0), ("a", (8,), 0, 64)], big)), "twice",
            parts=("info", "convert"))
    refused("an offset between places", file("off.gguf", gguf([arch], [("a", (8,), 0, 4)], big)), "no multiple",
            parts=("info", "convert"))
    refused("an offset that wraps", file("wrap.gguf", gguf([arch], [("a", (8,), 0, 2**64 - 32)], big)), "end past the file",
            parts=("info", "convert"))
    refused("five dimensions", file("dims.gguf", gguf([arch], [("a", (1, 1, 1, 1, 1), 0, 0)], big)), "5 dimensions",
            parts=("info", "convert"))
    refused("a dimension of nothing", file("zero.gguf", gguf([arch], [("a", (0,), 0, 0)], big)), "dimension of 0",
            parts=("info", "convert"))
    refused("rows that are no blocks", file("rows.gguf", gguf([arch], [("a", (40,), 2, 0)], big)), "block of 32",
            parts=("info", "convert"))
    refused("an alignment of zero", file("align.gguf", gguf([arch, ("general.alignment", 4, struct.pack("<I", 0))])), "alignment",
            parts=("info", "convert"))
    refused("an alignment past the file", file("far.gguf", gguf([arch, ("general.alignment", 4, struct.pack("<I", 1 << 20))],
                                                               [("a", (8,), 0, 0)], big)), "end past the file", parts=("info",))
    refused("a list of unknown things", file("things.gguf", gguf([("a", 9, struct.pack("<IQ", 77, 1))])), "type 77", parts=("info",))
    refused("a file of the other byte order", file("swap.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0)), "big-endian", parts=("info",))
    refused("one file of three", file("s-00001-of-00003.gguf", gguf([arch, ("split.count", 2, struct.pack("<H", 3))])),
            "s-0000", parts=("info", "convert"))
    refused("a split with another number", file("t-00001-of-00001.gguf", gguf([arch, ("split.count", 2, struct.pack("<H", 2))])),
            "one of 2 files", parts=("info", "convert"))

    # ---- safetensors: headers that lie
    def header(text, data=b""):
        text = text if isinstance(text, bytes) else json.dumps(text).encode()
        return struct.pack("<Q", len(text)) + text + data

    def one(dtype="F32", shape=(2,), at=(0, 8)):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}

    for name, data, text in (
            ("a header of 2^63 bytes", struct.pack("<Q", 2**63) + b"{}", "header"),
            ("a header that is no object", header(b"[]"), "header"),
            ("a name twice", header(b'{"a":' + json.dumps(one()).encode() + b',"a":' + json.dumps(one()).encode() + b"}", bytes(8)), "a"),
            ("an unknown dtype", header({"a": one("Q4")}, bytes(8)), "Q4"),
            ("a size that is not the shape's", header({"a": one(shape=(3,))}, bytes(8)), "\"a\""),
            ("a shape that overflows", header({"a": one(shape=(2**40, 2**40))}, bytes(8)), "\"a\""),
            ("a negative dimension", header({"a": one(shape=(-2,))}, bytes(8)), "\"a\""),
            ("offsets that go back", header({"a": one(at=(8, 0))}, bytes(8)), "\"a\""),
            ("tensors that overlap", header({"a": one(), "b": one(at=(4, 12))}, bytes(12)), "model.safetensors"),
            ("a hole", header({"a": one(), "b": one(at=(16, 24))}, bytes(24)), "model.safetensors"),
            ("bytes after the last", header({"a": one()}, bytes(9)), "model.safetensors"),
            ("nested 10,000 deep", header(b'{"a":' + b"[" * 10000 + b"]" * 10000 + b"}"), "model.safetensors"),
            ("no UTF-8", header(b'{"\xff":' + json.dumps(one()).encode() + b"}", bytes(8)), "model.safetensors")):
        refused("safetensors with " + name, folder("st " + name, LLAMA, data), text, parts=("info", "convert"))

    # ---- indexes that lie
    def sharded(name, weight_map, files):
        path = folder(name, LLAMA, None)
        with open(f"{path}/model.safetensors.index.json", "w") as f:
            f.write(weight_map if isinstance(weight_map, str) else json.dumps({"weight_map": weight_map}))
        for shard, shapes in files.items():
            with open(f"{path}/{shard}", "wb") as f:
                f.write(safetensors(shapes))
        return path

    vector = {"a": (2,)}
    refused("an index of a missing shard", sharded("ix1", {"a": "x-1.safetensors"}, {}), "x-1.safetensors", parts=("info", "convert"))
    refused("an index that leaves the folder", sharded("ix2", {"a": "../good/model.safetensors"}, {}), "no safetensors file",
            parts=("info", "convert"))
    refused("an absolute path in an index", sharded("ix3", {"a": f"{tmp}/good/model.safetensors"}, {}), "no safetensors file",
            parts=("info", "convert"))
    refused("an index of another tensor", sharded("ix4", {"b": "x.safetensors"}, {"x.safetensors": vector}), "weight_map",
            parts=("info", "convert"))
    refused("a tensor in two shards", sharded("ix5", {"a": "x.safetensors", "b": "y.safetensors"},
                                             {"x.safetensors": vector, "y.safetensors": dict(vector, b=(2,))}), "y.safetensors",
            parts=("info", "convert"))
    refused("an index that is no JSON", sharded("ix6", "{", {}), "index.json", parts=("info", "convert"))
    refused("an index without a map", sharded("ix7", "{}", {}), "weight_map", parts=("info", "convert"))

finish()
