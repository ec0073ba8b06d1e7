"""common.py - what the scripts of the peers share: how a result is told, peak memory, the time since the process began, prompts.

A script does its work once, warm-up first, and prints one line "PEER {...}" for peers.py to read (and people)."""
import json
import os
import resource
import string
import time


def peak_mb():
    """Peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def since_start():
    """Seconds since the kernel started this process (to 10 ms): imports count."""
    with open("/proc/self/stat", encoding="ascii") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def tell(parameters, versions, **figures):
    print("PEER " + json.dumps({**figures, "parameters": parameters, "versions": versions}), flush=True)


def random_ids(n, vocab, seed):
    """Ids as `hone bench` draws them; speed does not depend on which."""
    x, ids = (seed * 0x9E3779B97F4A7C15 + 1) % 2**64, []
    for _ in range(n):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        ids.append((x >> 33) % vocab)
    return ids


def prompts_of(encode, decode, vocab, count, tokens):
    """So many texts of exactly so many tokens: words of one token each, with a blank before them."""
    words = []
    for i in range(vocab):
        w = decode([i])
        if len(w) > 2 and w[0] == " " and all(c in string.ascii_lowercase for c in w[1:]) and encode(w + w) == [i, i]:
            words.append(w)
        if len(words) == 500:
            break
    texts = []
    for k in range(count):
        text = "".join(words[i] for i in random_ids(tokens, len(words), k + 1))
        if len(encode(text)) != tokens:
            raise SystemExit(f"a prompt has {len(encode(text))} tokens, not {tokens}")
        texts.append(text)
    return texts
