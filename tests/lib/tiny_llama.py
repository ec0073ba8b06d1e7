"""tiny_llama.py - writes a Llama of two layers of width 16 with a reward model's head, for tests that need one: no file of anybody's.

Its weights are drawn here, so a test may compute the same forward."""
import json
import random
import struct

V, H, NH, FF, LAYERS = 259, 16, 2, 24, 2
CONFIG = {"architectures": ["LlamaForSequenceClassification"], "model_type": "llama", "vocab_size": V, "hidden_size": H, "num_attention_heads": NH,
          "num_key_value_heads": NH, "num_hidden_layers": LAYERS, "intermediate_size": FF, "max_position_embeddings": 96, "rms_norm_eps": 1e-5,
          "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "pad_token_id": 256}


def draw_weights(seed=5):
    rng = random.Random(seed)

    def f32(x):
        return struct.unpack("f", struct.pack("f", x))[0]

    def matrix(r, c, scale):
        return [[f32(rng.gauss(0, scale)) for _ in range(c)] for _ in range(r)]

    weights = {"model.embed_tokens.weight": matrix(V, H, 1), "model.norm.weight": [f32(1 + rng.gauss(0, .1)) for _ in range(H)],
               "score.weight": matrix(1, H, .5)}
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        for n in "qkvo":
            weights[at + f"self_attn.{n}_proj.weight"] = matrix(H, H, .3)
        weights[at + "mlp.gate_proj.weight"], weights[at + "mlp.up_proj.weight"] = matrix(FF, H, .3), matrix(FF, H, .3)
        weights[at + "mlp.down_proj.weight"] = matrix(H, FF, .3)
        for n in ("input_layernorm", "post_attention_layernorm"):
            weights[at + n + ".weight"] = [f32(1 + rng.gauss(0, .1)) for _ in range(H)]
    return weights


def write_model(folder, config, tensors):
    """A folder in Hugging Face layout: `tensors` by name, lists or lists of rows; a tokenizer of single bytes, <pad> 256, <user> 257, <end> 258."""
    folder.mkdir(exist_ok=True)
    header, blob = {}, b""
    for name, t in tensors.items():
        flat = [x for row in t for x in row] if isinstance(t[0], list) else t
        piece = struct.pack(f"<{len(flat)}f", *flat)
        header[name] = {"dtype": "F32", "shape": [len(t), len(t[0])] if isinstance(t[0], list) else [len(t)], "data_offsets": [len(blob), len(blob) + len(piece)]}
        blob += piece
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + blob)
    (folder / "config.json").write_text(json.dumps(config))
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    chars, extra = {}, 0
    for b in range(256):
        chars[b] = chr(b) if b in keep else chr(256 + extra)
        extra += b not in keep
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [{"id": 256 + i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                                            "special": True} for i, c in enumerate(["<pad>", "<user>", "<end>"])],
        "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {chars[b]: b for b in range(256)}, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "<end>",
        "chat_template": "{% for m in messages %}{% if m.role == 'user' %}<user>{% endif %}{{ m.content }}<end>{% endfor %}"}))
