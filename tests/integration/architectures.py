"""architectures.py - one small random model of each architecture in Hugging Face layout and as GGUF: the same weights give
the same log-probs to the last bit, from either file and from what is exported of either.

The GGUF files are written here by llama.cpp's conventions (names of its gguf package, rows of q and k in pairs, norms
of Gemma plus one, factors of rope as tensors), independently of hone's name maps."""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.environ["HONE"]


H, M, HEADS, KV, D, V, LAYERS = 16, 24, 4, 2, 8, 32, 6
SIZES = dict(hidden_size=H, intermediate_size=M, num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=D, vocab_size=V,
             num_hidden_layers=LAYERS, max_position_embeddings=64, rms_norm_eps=2.0 ** -20)
LONG = dict(type="longrope", short_factor=[1.0, 1.5, 2.25], long_factor=[1.0, 3.0, 9.0])
# model_type: class, GGUF architecture, configuration, GGUF keys
MODELS = {
    "llama": ("Llama", "llama", dict(rope_theta=500000.0, tie_word_embeddings=True, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)),
        {"rope.freq_base": 500000.0}),
    "mistral": ("Mistral", "llama", dict(sliding_window=5), {"attention.sliding_window": 5}),
    "qwen2": ("Qwen2", "qwen2", dict(rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=16)),
              {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16}),
    "qwen3": ("Qwen3", "qwen3", dict(), {}),
    "gemma": ("Gemma", "gemma", dict(), {}),
    "gemma2": ("Gemma2", "gemma2", dict(query_pre_attn_scalar=D, sliding_window=5),
               {"attention.sliding_window": 5, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}),
    "gemma3_text": ("Gemma3", "gemma3", dict(query_pre_attn_scalar=D, sliding_window=5, rope_local_base_freq=1e4, rope_theta=1e6,
                                             rope_scaling=dict(rope_type="linear", factor=8.0)),
                    {"attention.sliding_window": 5, "rope.freq_base": 1e6, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0}),
    "phi3": ("Phi3", "phi3", dict(partial_rotary_factor=0.75, original_max_position_embeddings=32, rope_scaling=LONG),
             {"rope.dimension_count": 6, "rope.scaling.original_context_length": 32,
              "rope.scaling.attn_factor": math.sqrt(1 + math.log(2) / math.log(32))}),
    "smollm3": ("SmolLM3", "smollm3", dict(), {"rope.freq_base": 2e6}),
    "olmo2": ("Olmo2", "olmo2", dict(), {}),
    "olmo3": ("Olmo3", "olmo2", dict(sliding_window=5), {"attention.sliding_window": 5, "rope.freq_base": 5e5}),
    "granite": ("Granite", "granite", dict(embedding_multiplier=12.0, logits_scaling=4.0, residual_multiplier=0.25,
                                           attention_multiplier=0.125),
                {"embedding_scale": 12.0, "logit_scale": 4.0, "residual_scale": 0.25, "attention.scale": 0.125}),
}
rng = random.Random(4)


def values(n, mean=0.0):
    """Multiples of 1/256, so that adding one to them is exact."""
    return [mean + round(rng.gauss(0, 0.25) * 256) / 256 for _ in range(n)]


def tensors(kind):
    """name: (GGUF name, shape, values)"""
    out = {}

    def put(hf, gg, *shape, norm=False):
        n = 1
        for d in shape:
            n *= d
        out[hf] = (gg, shape, values(n, 1.0 if norm and not kind.startswith("gemma") else 0.0))

    put("model.embed_tokens.weight", "token_embd.weight", V, H)
    put("model.norm.weight", "output_norm.weight", H, norm=True)
    for i in range(LAYERS):
        def layer(hf, gg, *shape, **more):
            put(f"model.layers.{i}.{hf}", f"blk.{i}.{gg}", *shape, **more)
        after, both = kind.startswith("olmo"), kind in ("gemma2", "gemma3_text")
        if not after:
            layer("input_layernorm.weight", "attn_norm.weight", H, norm=True)
        if after or both:
            layer("post_attention_layernorm.weight", "post_attention_norm.weight", H, norm=True)
            layer("post_feedforward_layernorm.weight", "post_ffw_norm.weight", H, norm=True)
        if not after:
            layer("pre_feedforward_layernorm.weight" if both else "post_attention_layernorm.weight", "ffn_norm.weight", H, norm=True)
        if kind == "phi3":
            layer("self_attn.qkv_proj.weight", "attn_qkv.weight", (HEADS + 2 * KV) * D, H)
            layer("mlp.gate_up_proj.weight", "ffn_up.weight", 2 * M, H)
        else:
            for x, heads in ("q", HEADS), ("k", KV), ("v", KV):
                layer(f"self_attn.{x}_proj.weight", f"attn_{x}.weight", heads * D, H)
                if kind == "qwen2":
                    layer(f"self_attn.{x}_proj.bias", f"attn_{x}.bias", heads * D)
            layer("mlp.gate_proj.weight", "ffn_gate.weight", M, H)
            layer("mlp.up_proj.weight", "ffn_up.weight", M, H)
        if kind in ("qwen3", "gemma3_text"):
            layer("self_attn.q_norm.weight", "attn_q_norm.weight", D, norm=True)
            layer("self_attn.k_norm.weight", "attn_k_norm.weight", D, norm=True)
        if after:
            layer("self_attn.q_norm.weight", "attn_q_norm.weight", HEADS * D, norm=True)
            layer("self_attn.k_norm.weight", "attn_k_norm.weight", KV * D, norm=True)
        layer("self_attn.o_proj.weight", "attn_output.weight", H, HEADS * D)
        layer("mlp.down_proj.weight", "ffn_down.weight", H, M)
    return out


def floats(v):
    return struct.pack(f"<{len(v)}f", *v)


def write_folder(path, config, ts):
    os.mkdir(path)
    with open(f"{path}/config.json", "w") as f:
        json.dump(config, f)
    head, at, data = {}, 0, b""
    for name, (_, shape, v) in ts.items():
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * len(v)]}
        at += 4 * len(v)
        data += floats(v)
    text = json.dumps(head).encode()
    with open(f"{path}/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def string(z):
    return struct.pack("<Q", len(z)) + z.encode()


def value(v):
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    return struct.pack("<If", 6, v) if isinstance(v, float) else struct.pack("<II", 4, v)


def in_pairs(v, shape, heads):
    """Rows of each head from halves to pairs, as llama.cpp's converter has them."""
    width = shape[1] if len(shape) > 1 else 1
    d = shape[0] // heads
    rows = [v[i * width:(i + 1) * width] for i in range(shape[0])]
    order = [h * d + half * (d // 2) + j for h in range(heads) for j in range(d // 2) for half in (0, 1)]
    return [x for r in order for x in rows[r]]


def write_gguf(path, arch, keys, ts, extra):
    meta = {"block_count": LAYERS, "context_length": 64, "embedding_length": H, "feed_forward_length": M, "attention.head_count": HEADS,
            "attention.head_count_kv": KV, "attention.key_length": D, "attention.value_length": D, "vocab_size": V,
            "attention.layer_norm_rms_epsilon": 2.0 ** -20, "rope.freq_base": 10000.0}
    meta.update(keys)
    pairs = string("general.architecture") + value(arch)
    for k, v in meta.items():
        pairs += string(f"{arch}.{k}") + value(v)
    infos, data, n = b"", b"", 0
    for name, shape, v in [(g, s, v) for g, s, v in ts.values()] + extra:
        if arch in ("llama", "smollm3", "granite") and (".attn_q." in name or ".attn_k." in name):
            v = in_pairs(v, shape, HEADS if ".attn_q." in name else KV)
        if arch.startswith("gemma") and "norm" in name:
            v = [x + 1.0 for x in v]
        infos += string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in reversed(shape))
        infos += struct.pack("<IQ", 0, len(data))
        data += floats(v) + bytes(-4 * len(v) % 32)
        n += 1
    b = b"GGUF" + struct.pack("<IQQ", 3, n, len(meta) + 1) + pairs + infos
    with open(path, "wb") as f:
        f.write(b + bytes(-len(b) % 32) + data)


def llama3(theta, d):
    out = []
    for i in range(d // 2):
        wave = 2 * math.pi * theta ** (2 * i / d)
        s = (8192 / wave - 1) / 3
        out.append(8.0 if wave > 8192 else 1.0 if wave < 2048 else 1 / ((1 - s) / 8 + s))
    return out


def logprobs(path):
    run = subprocess.run([HONE, "model", "logprobs", path, "--ids", ",".join(str((7 * i) % V) for i in range(24)), "--json"],
                         capture_output=True, text=True, timeout=60)
    return (json.loads(run.stdout), "") if run.returncode == 0 else (None, run.stderr)


with tempfile.TemporaryDirectory() as tmp:
    for kind, (cls, arch, config, keys) in MODELS.items():
        ts = tensors(kind)
        folder, file = f"{tmp}/{kind}", f"{tmp}/{kind}.gguf"
        config = dict(SIZES, architectures=[f"{cls}ForCausalLM"], model_type=kind, tie_word_embeddings=True, **{
            k: v for k, v in config.items() if k != "tie_word_embeddings"})
        extra = []
        if kind == "llama":
            extra.append(("rope_freqs.weight", (D // 2,), llama3(500000.0, D)))
        elif kind == "phi3":
            extra.append(("rope_factors_short.weight", (3,), LONG["short_factor"]))
            extra.append(("rope_factors_long.weight", (3,), LONG["long_factor"]))
        else: # an own head, where nothing else is special
            ts["lm_head.weight"] = ("output.weight", (V, H), values(V * H))
            config["tie_word_embeddings"] = False
        write_folder(folder, config, ts)
        write_gguf(file, arch, keys, ts, extra)
        want, why = logprobs(folder)
        check(f"{kind}: the folder runs", want, why)
        got, why = logprobs(file)
        check(f"{kind}: the GGUF file gives the same bits", want and got == want, f"{why} {got and got['logprobs'][:4]} {want and want['logprobs'][:4]}")
        for source in folder, file:
            out = f"{source}.out"
            run = subprocess.run([HONE, "model", "export", source, out, "--dtype", "f32"], capture_output=True, text=True, timeout=60)
            got, why = logprobs(out) if run.returncode == 0 else (None, run.stderr)
            check(f"{kind}: what is exported of {os.path.basename(source)} gives the same bits", want and got == want, why)
            if run.returncode == 0:
                with open(f"{out}/config.json") as f:
                    check(f"{kind}: its configuration names it", json.load(f)["model_type"] == kind)

        out = f"{tmp}/{kind}-written.gguf"
        run = subprocess.run([HONE, "model", "convert", folder, out, "--without-tokenizer"], capture_output=True, text=True, timeout=60)
        got, why = logprobs(out) if run.returncode == 0 else (None, run.stderr)
        check(f"{kind}: the GGUF file that hone writes gives the same bits", want and got == want, why)

    # what GGUF cannot say is not written as GGUF
    ts = tensors("gemma2")
    odd = dict(SIZES, architectures=["Gemma2ForCausalLM"], model_type="gemma2", query_pre_attn_scalar=D, sliding_window=5)
    for i, more in enumerate((dict(query_pre_attn_scalar=D + 1), dict(layer_types=["full_attention"] + ["sliding_attention"] * (LAYERS - 1)))):
        write_folder(f"{tmp}/odd{i}", dict(odd, **more), ts)
        run = subprocess.run([HONE, "model", "convert", f"{tmp}/odd{i}", f"{tmp}/odd{i}.gguf"], capture_output=True, text=True, timeout=60)
        check(f"gemma2 with {list(more)}: no GGUF", run.returncode == 1 and "GGUF" in run.stderr and not os.path.exists(f"{tmp}/odd{i}.gguf"),
              run.stderr)

    # the text part of a model that also sees: both layouts of its files
    ts = tensors("gemma3_text")
    text = dict(SIZES, model_type="gemma3_text", query_pre_attn_scalar=D, sliding_window=5, rope_scaling=dict(rope_type="linear", factor=8.0))
    write_folder(f"{tmp}/text", dict(text, architectures=["Gemma3ForCausalLM"]), ts)
    want, why = logprobs(f"{tmp}/text")
    check("gemma3: the text model runs", want, why)
    whole = dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=text, mm_tokens_per_image=256,
                 vision_config=dict(hidden_size=4, model_type="siglip_vision_model"), image_token_index=31, eos_token_id=[1, 6])
    for i, prefix in enumerate(("language_model.model.", "model.language_model.")):
        names = {prefix + k[6:]: v for k, v in ts.items()}
        names["vision_tower.vision_model.post_layernorm.weight"] = ("", (4,), values(4))
        names["multi_modal_projector.mm_soft_emb_norm.weight"] = ("", (4,), values(4))
        write_folder(f"{tmp}/whole{i}", whole, names)
        got, why = logprobs(f"{tmp}/whole{i}")
        check(f"gemma3: the text of files with {prefix}", want and got == want, why)

finish()
