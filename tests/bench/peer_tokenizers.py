#!/usr/bin/env python3
"""peer_tokenizers.py FILE --input TEXT - megabytes of text a second to ids on one thread: HF tokenizers for a tokenizer.json,
tiktoken for a file of ranks (cl100k_base.tiktoken).

HF tokenizers gets the text whole and in pieces of about 10 kB that end at line breaks, through encode and encode_batch_fast,
and the fastest way counts; tiktoken gets it whole. The best of --rounds after a first one, as `hone bench tokenize` does it."""
import argparse
import os
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from common import peak_mb, tell

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("file")
a.add_argument("--input", required=True)
a.add_argument("--rounds", type=int, default=2)
a = a.parse_args()
with open(a.input, encoding="utf-8", newline="") as f:
    text = f.read()
size = len(text.encode())


def best(work):
    took = []
    for _ in range(a.rounds + 1):
        t = time.perf_counter()
        n = work()
        took.append(time.perf_counter() - t)
    return size / 1e6 / min(took[1:]), n


if a.file.endswith(".tiktoken"):
    import tiktoken
    import tiktoken_ext.openai_public as public
    from tiktoken.load import load_tiktoken_bpe

    public.load_tiktoken_bpe = lambda *_, **__: load_tiktoken_bpe(a.file)  # the file here, not the one on the network
    encoding = tiktoken.Encoding(**getattr(public, os.path.basename(a.file).split(".")[0])())
    ways = {"encode_ordinary of the whole": best(lambda: len(encoding.encode_ordinary(text)))}
    versions = {"tiktoken": tiktoken.__version__}
else:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(a.file)
    pieces, piece = [], ""
    for line in text.splitlines(keepends=True):
        piece += line
        if len(piece) > 10000:
            pieces.append(piece)
            piece = ""
    pieces.append(piece)
    ways = {
        "encode of the whole": best(lambda: len(tokenizer.encode(text, add_special_tokens=False).ids)),
        "encode of pieces": best(lambda: sum(len(tokenizer.encode(p, add_special_tokens=False).ids) for p in pieces)),
        "encode_batch_fast of pieces":
            best(lambda: sum(len(e.ids) for e in tokenizer.encode_batch_fast(pieces, add_special_tokens=False))),
    }
    versions = {"tokenizers": tokenizers.__version__}
way = max(ways, key=lambda w: ways[w][0])
tell(f"one thread, {way}", versions, mb_per_s=ways[way][0], tokens=ways[way][1], peak_mb=peak_mb())
