#!/usr/bin/env python3
"""peer_llama.py FILE.gguf - prefill and decode with llama.cpp through the C calls of llama-cpp-python: tokens a second.

The work of `hone bench generate`: prompts of random ids, all sequences decoding together, logits for the last token of each
prompt and for every new one. The time is llama_decode's alone: new ids are random, nothing is sampled (hone's figure has its
sampling in it). Everything is done once before the clock starts. The defaults of --flash and --kv were the fastest of the four
in all of f32 with 1 and 16 sequences, prefill, and q4_0 (one thread, best of three)."""
import argparse
import ctypes
import time

import llama_cpp as L

from common import peak_mb, random_ids, tell

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("file")
a.add_argument("--sequences", type=int, default=16)
a.add_argument("--prompt", type=int, default=64)
a.add_argument("--tokens", type=int, default=64)
a.add_argument("--threads", type=int, default=2)
a.add_argument("--flash", choices=("auto", "off", "on"), default="on")
a.add_argument("--kv", choices=("f16", "f32"), default="f16")
a.add_argument("--ubatch", type=int, default=512)
a = a.parse_args()

said = []


@L.llama_log_callback
def keep(level, text, _):
    if level >= 4 and text:
        said.append(text.decode(errors="replace").strip())


L.llama_log_set(keep, ctypes.c_void_p())
L.llama_backend_init()
begin = time.perf_counter()
model = L.llama_model_load_from_file(a.file.encode(), L.llama_model_default_params())
if not model:
    raise SystemExit("llama.cpp cannot load it: " + " ".join(said)[-300:])
loaded = time.perf_counter() - begin
p = L.llama_context_default_params()
p.n_ctx = a.sequences * (-(-(a.prompt + a.tokens) // 256) * 256)
p.n_batch, p.n_ubatch, p.n_seq_max = a.sequences * a.prompt, a.ubatch, a.sequences
p.n_threads = p.n_threads_batch = a.threads
p.flash_attn_type = {"auto": -1, "off": 0, "on": 1}[a.flash]
p.type_k = p.type_v = {"f32": 0, "f16": 1}[a.kv]
context = L.llama_init_from_model(model, p)
if not context:
    raise SystemExit("llama.cpp makes no context: " + " ".join(said)[-300:])
vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
batch = L.llama_batch_init(a.sequences * a.prompt, 0, 1)


def decode(items):
    """One llama_decode of (id, place, sequence, wants logits)."""
    batch.n_tokens = len(items)
    for i, (token, place, sequence, wants) in enumerate(items):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, place, 1
        batch.seq_id[i][0], batch.logits[i] = sequence, wants
    t = time.perf_counter()
    if L.llama_decode(context, batch) != 0:
        raise SystemExit("llama_decode failed: " + " ".join(said)[-300:])
    L.llama_synchronize(context)
    return time.perf_counter() - t


def once(tokens, seed):
    L.llama_memory_clear(L.llama_get_memory(context), True)
    ids = random_ids(a.sequences * (a.prompt + tokens), vocab, seed)
    prefill = decode([(ids.pop(), i, s, i == a.prompt - 1) for s in range(a.sequences) for i in range(a.prompt)])
    steps = [decode([(ids.pop(), a.prompt + i, s, True) for s in range(a.sequences)]) for i in range(tokens - 1)]
    return prefill, sum(steps)


once(3, 1)
prefill, decoding = once(a.tokens, 2)
kernels = " ".join(w.split(" = ")[0] for w in L.llama_print_system_info().decode().split(":", 1)[-1].split(" | ") if "= 1" in w)
told = {"kernels": kernels.strip(), "prefill_tokens_per_s": a.sequences * a.prompt / prefill, "load_s": loaded, "peak_mb": peak_mb()}
if a.tokens > 1:
    told["decode_tokens_per_s"] = a.sequences * (a.tokens - 1) / decoding
tell(f"llama_decode, {a.threads} threads, flash attention {a.flash}, cache {a.kv}, ubatch {a.ubatch}, weights mapped",
     {"llama-cpp-python": L.__version__}, **told)
