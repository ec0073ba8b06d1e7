#!/usr/bin/env python3
"""peers.py - what hone writes, read by those who will read it: transformers loads the folders, llama.cpp the GGUF files, and
both give the log-probs that hone gives, the same ids for texts and the same text for messages.

Small random models of every architecture are made by transformers itself, so that hone's reader is compared, too. Python
packages: transformers with torch, llama_cpp (llama-cpp-python), sentencepiece. Each is looked for in the interpreter that runs this and in
those of HONE_PEERS (paths of interpreters, with ":" between); what is nowhere is skipped and says so. The versions are
printed; docs/model-files.md has those it was seen to hold with."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
SHARED = os.environ.get("HONE_SHARED") or os.path.join(os.getcwd(), "..", "shared")
IDS = [1 + (7 * i * i + 3 * i) % 255 for i in range(48)]
TEXTS = ["Leo has 3 red pens.", "  two  spaces\n\nand lines\t", "I'll don't WE'VE 12345 3.14", "na\u00efve \u4f60\u597d \U0001F600 e\u0301",
         "x = {'a': [1, 2]}; // ok", ""]
TALK = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Bye"}]

TRANSFORMERS = r"""
import json, sys, os, warnings
warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
for line in sys.stdin:
    job, out = json.loads(line), {}
    try:
        if job["do"] == "version":
            out = {"version": transformers.__version__, "torch": torch.__version__}
        elif job["do"] == "make":
            torch.manual_seed(11)
            c = dict(job["config"])
            config = AutoConfig.for_model(c.pop("model_type"), **c)
            model = AutoModelForCausalLM.from_config(config)
            with torch.no_grad():
                for name, p in model.named_parameters():
                    if p.dim() == 1:
                        p.add_(0.1 * torch.randn_like(p))
            model.save_pretrained(job["path"])
        elif job["do"] == "score":
            kw = {"gguf_file": os.path.basename(job["path"])} if job["path"].endswith(".gguf") else {}
            path = os.path.dirname(job["path"]) if kw else job["path"]
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager", **kw).eval()
            ids = torch.tensor([job["ids"]])
            with torch.no_grad():
                lp = model(ids).logits[0].double().log_softmax(-1)
            out = {"logprobs": lp[:-1].gather(1, ids[0, 1:, None])[:, 0].tolist()}
        elif job["do"] == "text":
            t = AutoTokenizer.from_pretrained(job["path"])
            out = {"ids": [t.encode(x, add_special_tokens=False) for x in job["texts"]]}
            out["decoded"] = [t.decode(i, skip_special_tokens=False, clean_up_tokenization_spaces=False) for i in out["ids"]]
            if t.chat_template:
                out["chat"] = t.apply_chat_template(job["talk"], tokenize=False, add_generation_prompt=True)
    except Exception as e:
        out = {"error": f"{type(e).__name__}: {str(e)[:300]}"}
    print("PEER " + json.dumps(out), flush=True)
"""

SENTENCEPIECE = r"""
import io, json, sys
import sentencepiece
for line in sys.stdin:
    job, out = json.loads(line), {}
    try:
        if job["do"] == "version":
            out = {"version": sentencepiece.__version__}
        else:
            b = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(job["corpus"]), model_writer=b, minloglevel=2,
                                                     hard_vocab_limit=False, **job["options"])
            open(job["path"], "wb").write(b.getvalue())
            p = sentencepiece.SentencePieceProcessor(model_proto=b.getvalue())
            out = {"ids": [p.encode(x) for x in job["texts"]], "unk": p.unk_id()}
            out["decoded"] = [p.decode(i) for i in out["ids"]]
    except Exception as e:
        out = {"error": f"{type(e).__name__}: {str(e)[:300]}"}
    print("PEER " + json.dumps(out), flush=True)
"""

LLAMA = r"""
import ctypes, json, sys
import numpy, llama_cpp
said = []
@llama_cpp.llama_log_callback
def keep(level, text, _):
    if level >= 3 and text:
        said.append(text.decode(errors="replace").strip())
llama_cpp.llama_log_set(keep, ctypes.c_void_p())
for line in sys.stdin:
    job, out = json.loads(line), {}
    said.clear()
    try:
        if job["do"] == "version":
            out = {"version": llama_cpp.__version__}
        else:
            m = llama_cpp.Llama(job["path"], n_ctx=128, logits_all=True, type_k=0, type_v=0, verbose=False, n_threads=1,
                                n_threads_batch=1, swa_full=True, vocab_only=job["do"] == "text")
            if job["do"] == "score":
                m.eval(job["ids"])
                s = numpy.array(m.scores[:len(job["ids"])], dtype=numpy.float64)
                s -= s.max(-1, keepdims=True)
                s -= numpy.log(numpy.exp(s).sum(-1, keepdims=True))
                out = {"logprobs": [s[i, k] for i, k in enumerate(job["ids"][1:])]}
            else:
                out = {"ids": [m.tokenize(x.encode(), add_bos=False, special=False) for x in job["texts"]]}
                out["template"] = m.metadata.get("tokenizer.chat_template")
    except Exception as e:
        out = {"error": f"{type(e).__name__}: {str(e)[:200]} {' '.join(said)[-400:]}"}
    print("PEER " + json.dumps(out), flush=True)
"""


class Peer:
    """A process of an interpreter that has the packages, which answers a JSON line with a JSON line."""

    def __init__(self, name, modules, script):
        self.name, self.process = name, None
        for python in [sys.executable, *filter(None, os.environ.get("HONE_PEERS", "").split(":"))]:
            env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
            test = subprocess.run([python, "-c", f"import {modules}"], capture_output=True, env=env)
            if test.returncode == 0:
                self.process = subprocess.Popen([python, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                stderr=subprocess.DEVNULL, text=True, env=env)
                print(f"{name} {self.ask(do='version')}")
                return

    def ask(self, **job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("PEER "):
                return json.loads(line[5:])
        return {"error": f"{self.name} ended: {self.process.wait()}"}

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def hone(*args):
    run = subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, timeout=300)
    if run.returncode != 0:
        check(" ".join(map(str, args[:3])), False, run.stderr[-500:])
    return run.stdout if run.returncode == 0 else ""


def logprobs(path, ids):
    out = hone("model", "logprobs", path, "--ids", ",".join(map(str, ids)), "--json")
    return json.loads(out)["logprobs"] if out else []


def compare(name, peer, path, want, limit, mean=None, ids=IDS):
    """The peer's log-probs of a file against `want`: the largest difference and the average one."""
    got = peer.ask(do="score", path=path, ids=ids)
    if "error" in got:
        return check(f"{peer.name}: {name}", False, got["error"])
    d = [abs(a - b) for a, b in zip(got["logprobs"], want)]
    worst, average = max(d, default=9), sum(d) / max(1, len(d))
    if os.environ.get("HONE_FULL") == "1":
        print(f"{peer.name}: {name}: log-probs differ by {worst:.2g} at most, {average:.2g} on average")
    ok = len(want) == len(ids) - 1 == len(d) and worst <= limit and (mean is None or average <= mean)
    check(f"{peer.name}: {name}", ok, f"log-probs differ by {worst} (mean {average})")


# ---- models ---------------------------------------------------------------------------------------------------------
SIZES = dict(hidden_size=256, intermediate_size=512, num_attention_heads=4, num_key_value_heads=2, head_dim=64, vocab_size=256,
             num_hidden_layers=4, max_position_embeddings=128, initializer_range=0.06, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LONG = dict(rope_type="longrope", short_factor=[1.0 + i / 16 for i in range(32)], long_factor=[1.0 + i / 4 for i in range(32)],
            original_max_position_embeddings=256, rope_theta=10000.0)
MODELS = {
    "llama": {},
    "llama, own bias, tied": dict(model_type="llama", tie_word_embeddings=True, rope_parameters=dict(
        rope_type="linear", factor=2.0, rope_theta=10000.0)),
    "llama3 rope": dict(model_type="llama", rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                                 original_max_position_embeddings=32, rope_theta=500000.0)),
    "llama yarn": dict(model_type="llama", rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32,
                                                                rope_theta=10000.0)),
    "mistral": dict(sliding_window=None),
    "qwen2": dict(use_sliding_window=False),
    "qwen3": {},
    "gemma": {},
    "gemma2": dict(sliding_window=16, query_pre_attn_scalar=64),
    "gemma3_text": dict(sliding_window=16, num_hidden_layers=7, query_pre_attn_scalar=64),
    "phi3": dict(sliding_window=None),
    "phi3 long": dict(model_type="phi3", sliding_window=None, rope_parameters=LONG, original_max_position_embeddings=256, max_position_embeddings=1024),
    "smollm3": dict(use_sliding_window=False),
    "olmo2": {},
    "olmo3": dict(sliding_window=16),
    "granite": dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.1),
}
# type: largest and mean difference of log-probs between llama.cpp, which rounds activations too, and hone, which does not. A row
# or a scale in the wrong place makes more than 1.
EXACT, NEAR = (5e-5, 1e-5), (0.25, 0.05)
TYPES = {"f32": EXACT, "f16": (0.02, 4e-3), "bf16": (0.15, 0.03), **dict.fromkeys((
    "q8_0 q6_k q5_k q5_1 q5_0 q4_k q4_1 q4_0 iq4_nl iq4_xs q3_k q2_k q5_k_m q4_k_m q4_k_s q3_k_m").split(), NEAR)}
GELU = (5e-3, 1e-3)  # llama.cpp takes it from a table in f16


def architectures(work, tf, lc):
    for name, more in MODELS.items():
        folder = f"{work}/{name.replace(' ', '_').replace(',', '')}"
        made = tf.ask(do="make", path=folder, config=dict(SIZES, model_type=name.split()[0], **more) if "model_type" not in more
                      else dict(SIZES, **more))
        if "error" in made:
            check(f"transformers makes {name}", False, made["error"])
            continue
        want = logprobs(folder, IDS)
        compare(f"{name}, its own folder", tf, folder, want, 2e-5)
        hone("model", "export", folder, folder + ".hf", "--dtype", "f32", "--shard-mb", "2")
        compare(f"{name}, hone's folder in shards", tf, folder + ".hf", want, 2e-5)
        hone("model", "convert", folder, folder + ".gguf", "--type", "f32")
        hone("model", "convert", folder + ".gguf", folder + ".back", "--to", "hf")
        got = logprobs(folder + ".gguf", IDS)  # factors of rope are rounded to f32 there
        check(f"{name}: the GGUF file has the same log-probs in hone", len(got) == len(want) and all(
            a == b or "rope" in name and abs(a - b) < 1e-5 for a, b in zip(got, want)), f"{got[:3]} {want[:3]}")
        compare(f"{name}, hone's folder from its GGUF file", tf, folder + ".back", want, 2e-5)
        if lc.process:
            compare(f"{name}, hone's GGUF file", lc, folder + ".gguf", want, *(GELU if "gemma" in name else EXACT))
        for path in folder, folder + ".hf", folder + ".back":
            shutil.rmtree(path, ignore_errors=True)


def types(work, source, lc):
    """Every type that hone writes, of one model; read back by hone and by llama.cpp."""
    for kind, (limit, mean) in TYPES.items():
        file = f"{work}/types-{kind}.gguf"
        hone("model", "convert", source, file, "--type", kind)
        if "gemma" in source:
            limit, mean = max(limit, GELU[0]), max(mean, GELU[1])
        compare(f"type {kind}", lc, file, logprobs(file, IDS), limit, mean)
        os.remove(file)


def tiny_random(work, tf, lc):
    root = f"{SHARED}/assets/models/tiny-random"
    if not os.path.isdir(root):
        return skip("assets/models/tiny-random is not there")
    for name in sorted(os.listdir(root)):
        source, folder, file = f"{root}/{name}", f"{work}/r-{name}", f"{work}/r-{name}.gguf"
        ids = IDS[:12] if name == "mistral" else IDS  # llama.cpp knows no window in a llama, and there it is one
        want = logprobs(source, ids)
        if tf.process:
            hone("model", "export", source, folder, "--dtype", "f32")
            compare(f"tiny-random {name}, exported", tf, folder, want, 2e-5, ids=ids)
        if lc.process and name != "gemma3":  # its pattern of layers is none that GGUF can say
            hone("model", "convert", source, file, "--type", "f32")
            compare(f"tiny-random {name}, GGUF", lc, file, want, *EXACT, ids=ids)


def ids_of(model, texts):
    out = []
    for text in texts:
        run = subprocess.run([HONE, "tokenize", model, "--plain", "--json", "--whole"], input=text, capture_output=True, text=True, timeout=120)
        out.append(json.loads(run.stdout)["ids"] if run.returncode == 0 else run.stderr)
    return out


def texts(work, name, model, tf, lc):
    """Tokenizer and template of a model, from hone's folder in transformers and from hone's GGUF file in llama.cpp."""
    if subprocess.run([HONE, "model", "info", model], capture_output=True).returncode != 0:
        return skip(f"{name} was not fetched")
    folder, file = f"{work}/t-{name}", f"{work}/t-{name}.gguf"
    want = ids_of(model, TEXTS)
    short = [i for i in sum(want, [])][:40]
    plain = logprobs(model, short)
    if tf.process:
        hone("model", "export", model, folder, "--dtype", "f32")
        compare(f"{name}, exported", tf, folder, plain, 2e-4, ids=short)
        got = tf.ask(do="text", path=folder, texts=TEXTS, talk=TALK)
        check(f"transformers: {name}: ids", got.get("ids") == want, f"{got.get('error')} {got.get('ids')} {want}")
        check(f"transformers: {name}: texts come back", got.get("decoded") == TEXTS, got.get("decoded"))
        if "chat" in got:
            with open(f"{work}/talk.json", "w") as f:
                json.dump(TALK, f)
            mine = hone("template", folder, "--messages", f"{work}/talk.json", "--add-generation-prompt")
            check(f"transformers: {name}: chat template", got["chat"] == mine, f"{got['chat']!r} {mine!r}")
    if lc.process:
        hone("model", "convert", model, file, "--type", "f32")
        compare(f"{name}, GGUF", lc, file, plain, 0.05 if "gemma" in name else 2e-4, ids=short)
        got = lc.ask(do="text", path=file, texts=TEXTS)
        check(f"llama.cpp: {name}: ids", got.get("ids") == want, f"{got.get('error')} {got.get('ids')} {want}")
        info = json.loads(hone("model", "info", file, "--json") or "{}")
        check(f"llama.cpp: {name}: chat template", bool(got.get("template")) == bool(info.get("chat_template")), got)
    if tf.process and lc.process:  # and what hone makes of its own GGUF file
        hone("model", "convert", file, folder + ".back", "--to", "hf")
        got = tf.ask(do="text", path=folder + ".back", texts=TEXTS, talk=TALK)
        check(f"transformers: {name}: ids from the GGUF file's folder", got.get("ids") == want, got)


# Names of tokenizer.ggml.pre. smollm is not among them: hone cuts it by its vocabulary, as transformers does. For some llama.cpp
# takes letters of both cases for one class where tokenizer.json, which hone follows, tells them apart.
NO_CASE = ("tiny_aya", "cohere2moe", "kimi-k2", "youtu")
PRE = ("default gpt-2 olmo mpt phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code gigachat roberta-bpe jais trillion "
       "a.x-4.0 mellum modern-bert exaone4 granite-docling starcoder refact codeshell command-r exaone minerva-7b mellum2 llama3 llama-v3 "
       "llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe chatglm-bpe glm4 jais-2 qwen2 deepseek-r1-qwen "
       "megrez f2llmv2 stablelm2 hunyuan kormo grok-2 solar-open qwen35 ufakzeka laguna gpt-4o llama4 kanana2 talkie minimax-m2 "
       "granite-embed-multi-97m tiny_aya cohere2moe kimi-k2 tekken falcon bloom poro-chat gpt3-finnish viking deepseek-llm deepseek-coder "
       "deepseek-v3 hunyuan-dense joyai-llm hy_v4 spark2_5 youtu afmoe minicpm5 exaone-moe bailingmoe bailingmoe2 llada-moe seed-coder "
       "superbpe chameleon").split()
PRE_TEXTS = [
    "it's WE'LL I'm don'T 'S 'Ll x'ss", "1 12 123 1234 12345 1234567 1,234.56 \uff12\uff13 \u0663\u0664\u0665\u0666",
    "hello  world   \n\n  x\t\ty \r\n z", "camelCase HTTPServer iPhone na\u00efve", "\u4f60\u597d\u4e16\u754c hello \u4f60\u597d\u3067\u3059"
    "\u30ab\u30bf\u30ab\u30ca \ud55c\uad6d\uc5b4 \u3131\u3134 \u3105\u3106 \u0e44\u0e17\u0e22 \u0ea5\u0eb2\u0ea7 \u1781\u17d2\u1798\u17c2\u179a",
    "\u0928\u092e\u0938\u094d\u0924\u0947", "{a:b}/c/d //x\n/y ...!!! ?? <tag> $5 + 3 = 8 ^_^ ~`|", "<sentinel:12> IMGIMGABZ",
    "\u3000x\u2003y\u00a0z", "price: $1,234,567.89; 50% (100\u20ac)", "\u201cquoted\u201d \u2018x\u2019 \u2014\u2014 \u2026 \uff1a\uff1b\uff0c\u3001\u3002\uff01",
    "a1b22c333d4444", "   leading", "trailing   ", "\n", "\n\n\n", "        ", " \n \n x", "\u2177 \u2166 \u2460\u2461 \u00bd",
    "\U0001D518\U0001D52B \U0001F600\U0001F44D\U0001F3FD", "\u0391\u0392\u0393 \u0430\u0431\u0432 \u0531\u0532 \u10d0\u10d1", "", "x" * 70 + " " * 40 + "y"]


def all_ids(work, files, texts):
    """[(ids, decoded)] of all texts by each tokenizer's file, in one process."""
    with open(f"{work}/texts.jsonl", "w") as f:
        f.writelines(json.dumps({"text": t}) + "\n" for t in texts)
    with open(f"{work}/ids.lua", "w") as f:
        f.write(f"""local hone, json = require "hone", require "hone.json"
for _, name in ipairs {{ "{'", "'.join(files)}" }} do
  local t, ids, decoded = hone.tokenizer(name), {{}}, {{}}
  for r in hone.source("jsonl", {{ path = "{work}/texts.jsonl" }}):each() do
    local list = t:encode(r.text, false)
    ids[#ids + 1] = "[" .. table.concat(list, ",") .. "]"
    decoded[#decoded + 1] = t:decode(list, false)
  end
  print("[" .. table.concat(ids, ",") .. "]")
  print((json.encode(decoded):gsub("\\n", "")))
end
""")
    lines = [json.loads(line) for line in hone("lua", f"{work}/ids.lua").splitlines()] + [[]] * 2 * len(files)
    return [(lines[2 * i], lines[2 * i + 1]) for i in range(len(files))]


def sentencepiece(work, sp):
    """Models of the four types, trained here, with the options that change what encoding does."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "recipes.md")) as f:
        corpus = f.read().splitlines()
    with open(f"{work}/undo.tsv", "w") as f:
        f.write("61 62\t41\n7A\t5A 5A\n20 69\t20 49\n")  # "ab" is "A", "z" is "ZZ", " i" is " I"
    texts = corpus[:60] + TEXTS + ["<s> </s> x", "a\u2581b", "\u2581", "foo<user>bar abs table <unk> <0x41>", "\u3000x zz"]
    for kind in "unigram", "bpe", "word", "char":
        for i, more in enumerate([{}, {"treat_whitespace_as_suffix": True}, {"add_dummy_prefix": False}, {"byte_fallback": True},
                                  {"user_defined_symbols": ["<user>", "ab"]}, {"denormalization_rule_tsv": f"{work}/undo.tsv"},
                                  {"remove_extra_whitespaces": False}]):
            path = f"{work}/{kind}{i}.model"
            size = 90 if kind == "char" else 400
            options = dict(model_type=kind, vocab_size=size + (300 if "byte_fallback" in more else 0), **more)
            want = sp.ask(do="train", corpus=corpus, options=options, path=path, texts=texts)
            (got, decoded), = all_ids(work, [path], texts)
            bad = [t for t, a, b in zip(texts, want.get("ids", []), got) if a != b]
            check(f"sentencepiece: {kind} {more}: ids", "error" not in want and len(got) == len(texts) and not bad, f"{want.get('error')} {bad[:2]}")
            # an unknown piece is shown by its name, in sentencepiece by a sign of its own
            bad = [t for t, i, a, b in zip(texts, want.get("ids", []), want.get("decoded", []), decoded) if a != b and want["unk"] not in i]
            check(f"sentencepiece: {kind} {more}: texts", len(decoded) == len(texts) and not bad, bad[:2])


def pre_names(work, lc):
    """GPT-2's vocabulary under every name of a pre-tokenizer."""
    try:
        with open(f"{SHARED}/assets/tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf", "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return skip("assets/tokenizers/gguf-vocab is not there")
    key = b"tokenizer.ggml.pre"
    at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    behind = at + 8 + struct.unpack_from("<Q", data, at)[0]
    for name in PRE:
        with open(f"{work}/pre-{name}.gguf", "wb") as f:
            f.write(data[:at] + struct.pack("<Q", len(name)) + name.encode() + data[behind:])
    mine = all_ids(work, [f"{work}/pre-{name}.gguf" for name in PRE], PRE_TEXTS)
    for name, (want, _) in zip(PRE, mine):
        got = lc.ask(do="text", path=f"{work}/pre-{name}.gguf", texts=PRE_TEXTS).get("ids") or []
        bad = [t for t, a, b in zip(PRE_TEXTS, got, want) if a != b and not (name in NO_CASE and "camelCase" in t)]
        check(f"llama.cpp: pre-tokenizer {name}", not bad and len(got) == len(want) == len(PRE_TEXTS), bad[:3])


tf, lc, sp = Peer("transformers", "torch, transformers", TRANSFORMERS), Peer("llama.cpp", "numpy, llama_cpp", LLAMA), Peer(
    "sentencepiece", "sentencepiece", SENTENCEPIECE)
with tempfile.TemporaryDirectory(prefix="hone-peers-") as work:
    if not tf.process:
        skip("transformers with torch is not installed (or in HONE_PEERS)")
    if not lc.process:
        skip("llama_cpp is not installed (or in HONE_PEERS)")
    if sp.process:
        sentencepiece(work, sp)
    else:
        skip("sentencepiece is not installed (or in HONE_PEERS)")
    if tf.process or lc.process:
        if tf.process:
            architectures(work, tf, lc)
        tiny_random(work, tf, lc)
        if lc.process:
            pre_names(work, lc)
            files = [f"{work}/{n}.gguf" for n in ("llama", "gemma3_text")]
            for file in [f for f in files if os.path.exists(f)] or ["tiny"]:
                types(work, file, lc)
        for name in ["tiny"] + (["smollm2-135m-instruct", "gemma-3-270m"] if os.environ.get("HONE_FULL") == "1" else []):
            texts(work, name, name, tf, lc)
for peer in tf, lc, sp:
    peer.end()
finish()
