#!/usr/bin/env python3
"""peers_values.py - reward models beside transformers: random *ForSequenceClassification folders of one label, made there, judged here.

Needs transformers with torch in the interpreter that runs this or in those of HONE_PEERS, as peers.py; skipped without, and says so."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
PEER = r"""
import json, os, sys, warnings
warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
job = json.load(sys.stdin)
out = {"version": transformers.__version__, "torch": torch.__version__, "models": {}}
tokenizer = AutoTokenizer.from_pretrained(job["tokenizer"])
ids = [tokenizer.encode(t, add_special_tokens=False) for t in job["texts"]]
for name, c in job["models"].items():
    try:
        torch.manual_seed(5)
        c = dict(c)
        dtype = getattr(torch, c.pop("dtype", "float32"))
        config = AutoConfig.for_model(c.pop("model_type"), num_labels=c.pop("labels", 1), **c)
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
        with torch.no_grad():
            for _, p in model.named_parameters():
                p.add_(0.1 * torch.randn_like(p))
        model = model.to(dtype)
        model.save_pretrained(os.path.join(job["work"], name))
        model = AutoModelForSequenceClassification.from_pretrained(os.path.join(job["work"], name), dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            out["models"][name] = [float(model(torch.tensor([x])).logits.double().flatten()[0]) for x in ids]
    except Exception as e:
        out["models"][name] = f"{type(e).__name__}: {str(e)[:300]}"
print("PEER " + json.dumps(out))
"""
SIZE = {"vocab_size": 512, "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
MODELS = {"llama": {**SIZE, "model_type": "llama"}, "llama-bf16": {**SIZE, "model_type": "llama", "dtype": "bfloat16"},
          "llama-tied": {**SIZE, "model_type": "llama", "tie_word_embeddings": True},
          "qwen2": {**SIZE, "model_type": "qwen2"}, "qwen3": {**SIZE, "model_type": "qwen3", "head_dim": 12},
          "mistral": {**SIZE, "model_type": "mistral", "sliding_window": None},
          "gemma3": {**SIZE, "model_type": "gemma3_text", "head_dim": 12, "sliding_window": 32},
          "two-labels": {**SIZE, "model_type": "llama", "labels": 2}}
PAIRS = [("Leo has 3 red pens. ", "He has three."), ("a", "b"), ("How many? ", "12 12 12"), ("Max reads a line.\n", "x" * 40)]


def python():
    for p in [sys.executable, *filter(None, os.environ.get("HONE_PEERS", "").split(":"))]:
        if subprocess.run([p, "-c", "import torch, transformers"], capture_output=True).returncode == 0:
            return p
    return None


with tempfile.TemporaryDirectory(prefix="hone-values-") as work:
    peer = python()
    if not peer:
        skip("transformers with torch is not installed (or in HONE_PEERS)", checks=len(MODELS))
        finish()
    with open(os.path.join(work, "save.lua"), "w") as f:
        f.write('local hone = require "hone"\nhone.run { name = "save" }:policy { model = "tiny" }:save("tiny-copy")\n')
    p = subprocess.run([HONE, "run", "save.lua", "--run-dir", "save", "--allow", f"fs-write:{work}"], cwd=work, capture_output=True, text=True)
    tokenizer = next((d for d, _, names in os.walk(work) if "tokenizer.json" in names), None)
    check("the tokenizer of the embedded model", tokenizer, p.stderr)
    job = {"work": work, "tokenizer": tokenizer, "texts": [a + b for a, b in PAIRS], "models": MODELS}
    p = subprocess.run([peer, "-c", PEER], input=json.dumps(job), capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    said = [x for x in p.stdout.splitlines() if x.startswith("PEER ")]
    check("transformers answers", said, p.stderr[-800:])
    made = json.loads(said[0][5:]) if said else {"models": {}}
    print({k: v for k, v in made.items() if k != "models"})
    with open(os.path.join(work, "items.jsonl"), "w") as f:
        f.writelines(json.dumps({"id": str(i), "prompt": a, "completion": b}) + "\n" for i, (a, b) in enumerate(PAIRS))
    for name, want in made["models"].items():
        check(f"transformers makes {name}", isinstance(want, list), want)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            if os.path.exists(os.path.join(tokenizer, file)):
                text = json.load(open(os.path.join(tokenizer, file)))
                if file == "tokenizer_config.json":
                    text.pop("chat_template", None)  # prompt and completion stand as text
                json.dump(text, open(os.path.join(work, name, file), "w"))
        shutil.rmtree(os.path.join(work, "judges.sqlite"), ignore_errors=True)
        p = subprocess.run([HONE, "judge", "run", "--judge", "reward_model", "--set", f"model=./{name}", "--items", "items.jsonl", "--out", f"{name}.jsonl",
                            "--no-store"], cwd=work, capture_output=True, text=True)
        if name == "two-labels":
            check("a classifier of two labels is refused", p.returncode != 0 and "a classifier of 2 labels" in p.stderr, p.stderr[-500:])
            continue
        check(f"{name} judges", p.returncode == 0, p.stderr[-800:])
        got = [json.loads(x)["score"] for x in open(os.path.join(work, f"{name}.jsonl"))] if p.returncode == 0 else []
        worst = max((abs(a - b) for a, b in zip(got, want)), default=1)
        check(f"{name}: the values of transformers", len(got) == len(want) and worst < 1e-4, f"{got} {want}")
        print(f"{name}: at most {worst:.1e} apart")
finish()
