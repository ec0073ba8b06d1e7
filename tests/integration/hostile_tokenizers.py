"""hostile_tokenizers.py - a folder of damaged and hostile tokenizer files: each is one clear error, quickly, in little memory.

The files are made here: small valid ones of every kind, cut at every structure or with one thing wrong. Whatever a
file says, `hone tokenize` ends by itself, within seconds and 600 MB, with exit 0 (the damage left a tokenizer) or with
exit 1, one message that names the file, and a hint."""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def tokenize(path, text="Hello world's 123 \u2581a"):
    run = subprocess.run([HONE, "tokenize", path, "--json"], input=text.encode() + b"\n", capture_output=True, timeout=60,
                         preexec_fn=None if os.environ.get("HONE_SANITIZED") else limits)
    return run.returncode, run.stderr.decode("utf-8", "replace")


def put(name, data):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return name


def bad(name, path, *words):
    """Refused with all the words; the file is named."""
    code, err = tokenize(path)
    lines = [line for line in err.splitlines() if line.startswith("hone: ")]
    missing = [w for w in (*words, path) if w not in err]
    check(name, code == 1 and len(lines) == 1 and not missing and "\n  hint: " in err and len(err) < 3000,
          f"exit {code}, missing {missing}: {err[:600]}")


def survives(name, path):
    code, err = tokenize(path)
    check(name, code == 0 or (code == 1 and err.count("hone: ") == 1 and len(err) < 3000), f"exit {code}: {err[:300]}")


# ---- SentencePiece --------------------------------------------------------------------------------------------------
def varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def sized(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def piece(text, score=-1.0, kind=1):
    return sized(1, sized(1, text) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))


BASE = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("\u2581") + piece("a") + piece("b") + piece("ab")


def sentencepiece():
    charsmap = struct.pack("<III", 8, 1 << 10, 0) + b"x\0"
    whole = BASE + sized(2, b"\x18\x01") + sized(3, sized(2, charsmap))
    for n in range(0, len(whole)):
        survives(f"model cut at {n}", put("cut.model", whole[:n]))
    bad("no bytes", put("empty.model", b""), "empty")
    bad("a text file", put("text.model", b"This is no model.\n" * 9))
    bad("a length past the end", put("long.model", b"\x0a\xff\xff\xff\xff\x0f"), "past the end")
    bad("a length of 2^63", put("huge.model", b"\x0a" + b"\xff" * 9 + b"\x01"))
    bad("a varint that never ends", put("varint.model", b"\x0a" + b"\xff" * 500))
    bad("a group", put("group.model", b"\x0b" * 4000), "wire type")
    bad("a piece twice", put("twice.model", BASE + piece("ab")), "given twice", "ids 5 and 6")
    bad("no unknown piece", put("unk.model", piece("a") + piece("b")), "unknown")
    bad("a score that is NaN", put("nan.model", BASE + piece("c", float("nan"))), "not finite")
    bad("a score that is infinite", put("inf.model", BASE + piece("c", float("inf"))), "not finite")
    bad("an unknown type of piece", put("type.model", BASE + piece("c", 0, 77)), "type is unknown")
    bad("an unknown model type", put("kind.model", BASE + sized(2, b"\x18\x09")), "model type")
    for name, blob in (("shorter than its header", b"\x01"), ("a trie past the end", struct.pack("<I", 1 << 30) + b"\0"),
                       ("a trie of odd size", struct.pack("<I", 3) + b"abc\0"), ("no NUL at the end", struct.pack("<II", 4, 0) + b"x"),
                       ("no texts", struct.pack("<II", 4, 0))):
        bad(f"charsmap: {name}", put("map.model", BASE + sized(3, sized(2, blob))), "precompiled_charsmap")
        bad(f"denormalizer: {name}", put("undo.model", BASE + sized(5, sized(2, blob))), "denormalizer_spec.precompiled_charsmap")
    bad("rules that were not compiled", put("tsv.model", BASE + sized(5, sized(6, "61\t62\n"))), "not compiled")
    for kind in 3, 4:
        whole = BASE + sized(2, b"\x18" + bytes([kind])) + sized(5, sized(2, charsmap))
        for n in range(len(whole) - 40, len(whole)):
            survives(f"model of type {kind} cut at {n}", put("cut.model", whole[:n]))
    # every unit points outside, at itself, or past the texts
    for unit in (0xFFFFFFFF, 0x7FFFFFFF, 0x80000100, 0x00000161, 0xFFFFFC61, 0x000001FF):
        blob = struct.pack("<I", 1024) + struct.pack("<I", unit) * 256 + b"x\0"
        survives(f"charsmap of units {unit:#x}", put("units.model", BASE + sized(3, sized(2, blob))))
        survives(f"denormalizer of units {unit:#x}", put("units.model", BASE + sized(5, sized(2, blob))))
    survives("invalid UTF-8 in pieces", put("utf8.model", BASE + sized(1, sized(1, b"\xff\xfe\xc0"))))
    survives("a piece of 1 MB", put("piece.model", BASE + piece("x" * 1000000)))
    many = BASE + b"".join(piece(f"p{i}") for i in range(100000))
    survives("100,000 pieces", put("many.model", many))


# ---- tiktoken, vocab and merges ----------------------------------------------------------------------------------------
def plain_files():
    bad("tiktoken: no rank", put("gpt2.tiktoken", "IQ==\n"), "line 1")
    bad("tiktoken: no base64", put("gpt2.tiktoken", "IQ== 0\n**** 1\n"), "line 2")
    bad("tiktoken: a rank of 10^30", put("gpt2.tiktoken", "IQ== 1" + "0" * 30 + "\n"), "line 1")
    bad("tiktoken: a token twice", put("gpt2.tiktoken", "IQ== 0\nIQ== 1\n"), "given twice")
    bad("tiktoken: a rank twice", put("gpt2.tiktoken", "IQ== 0\nIg== 0\n"), "given twice")
    bad("tiktoken: a line of 10 MB", put("gpt2.tiktoken", "A" * 10000000 + " 1\n"), "line 1")
    bad("tiktoken: an unknown encoding", put("mine.tiktoken", "IQ== 0\n"), "known:")
    vocab = json.dumps({c: i for i, c in enumerate("abcdefg\u0120")})
    for name, merges, words in (("a token that is missing", "a b\n", ["merges[0]", "gives no token"]), ("one part", "ab\n", ["line 1"]),
                                ("three parts", "#version: 0.2\na b c\n", ["line 2"]), ("a part that is missing", "x y\n", ["not in the vocabulary"]),
                                ("invalid UTF-8", b"\xff \xfe\n", ["not in the vocabulary"])):
        put("pair/vocab.json", vocab)
        put("pair/merges.txt", merges)
        bad(f"merges.txt with {name}", "pair", *words)
    os.remove("pair/merges.txt")
    bad("vocab.json alone", "pair", "merges.txt is missing")
    put("pair/merges.txt", "")
    for name, text, words in (("two names of an id", '{"a":0,"b":0}', ["given twice"]), ("an id of 2^40", '{"a":1099511627776}', ["no id"]),
                              ("an id below 0", '{"a":-1}', ["no id"]), ("a text as id", '{"a":"b"}', ["no id"]), ("nothing", "{}", ["empty"])):
        put("pair/vocab.json", text)
        bad(f"vocab.json with {name}", "pair", *words)
    put("bert/vocab.txt", "[UNK]\na\na\n")
    bad("vocab.txt with a word twice", "bert", "given twice")
    put("class/vocab.txt", "[UNK]\n")
    put("class/tokenizer_config.json", '{"tokenizer_class":"OtherTokenizer"}')
    bad("a class that is not known", "class", '"OtherTokenizer"')


# ---- tokenizer.json -----------------------------------------------------------------------------------------------------
def tree(model, **more):
    return json.dumps({"model": model, **more})


def tokenizer_json():
    words = {"<unk>": 0, "a": 1, "b": 2, "ab": 3}
    level = {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"}
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1]]}
    nested = {"type": "Lowercase"}
    for _ in range(40):
        nested = {"type": "Sequence", "normalizers": [nested]}
    replace = [{"type": "Replace", "pattern": {"String": "l"}, "content": "l" * 1000}] * 30
    cases = [("deep nesting", '{"model":' * 100000, []), ("normalizers 40 deep", tree(level, normalizer=nested), ["Sequence"]),
             ("100 normalizers", tree(level, normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 100}), ["32 steps"]),
             ("a merge that names a missing token", tree({"type": "BPE", "vocab": words, "merges": ["a z"]}), ["merges[0]"]),
             ("a merge that gives no token", tree({"type": "BPE", "vocab": words, "merges": ["b a"]}), ["gives no token"]),
             ("a pattern that does not compile", tree(level, pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}), ["(a"]),
             ("a class within a class", tree(level, pre_tokenizer={"type": "Split", "pattern": {"Regex": "[a[b]]"}, "behavior": "Isolated"}), ["class"]),
             ("a charsmap that is no base64", tree(level, normalizer={"type": "Precompiled", "precompiled_charsmap": "***"}), ["base64"]),
             ("a charsmap out of bounds", tree(level, normalizer={"type": "Precompiled", "precompiled_charsmap": "////fw=="}), ["trie"]),
             ("a piece twice", tree({**unigram, "vocab": [["<unk>", 0], ["a", -1], ["a", -2]]}), ["given twice"]),
             ("an entry without score", tree({**unigram, "vocab": [["<unk>", 0], ["a"]]}), ["vocab[1]"]),
             ("unk_id past the end", tree({**unigram, "unk_id": 7}), ["unk_id"]),
             ("a model that is not known", tree({"type": "Other", "vocab": {}}), ['"Other"']),
             ("an added token without id", tree(level, added_tokens=[{"content": "x"}]), ["added_tokens[0]"]),
             ("an added token of a taken id", tree(level, added_tokens=[{"id": 1, "content": "x"}]), ["given twice"]),
             ("an id of 2^62", tree({**level, "vocab": {"a": 1 << 62}}), ["no id"]),
             ("truncation without a length", tree(level, truncation={"max_length": "x"}), ["max_length"]),
             ("dropout", tree({"type": "BPE", "vocab": words, "merges": [], "dropout": 0.5}), ["dropout"]),
             ("an empty file", "", []), ("a list", "[]", []), ("invalid UTF-8", b'{"model": "\xff"}', [])]
    for name, text, said in cases:
        bad(f"tokenizer.json: {name}", put("json/tokenizer.json", text), *said)
    survives("normalizers that make more and more", put("json/tokenizer.json", tree(level, normalizer={"type": "Sequence", "normalizers": replace})))
    survives("decoders that make more and more", put("json/tokenizer.json", tree(level, decoder={"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}] * 16})))
    survives("a pattern that backtracks", put("json/tokenizer.json", tree(level, pre_tokenizer={
        "type": "Split", "pattern": {"Regex": "(([a-z])+.)+[A-Z]([a-z])+$"}, "behavior": "Isolated"})))
    whole = tree(unigram, normalizer={"type": "NFKC"}, decoder={"type": "Metaspace"}, added_tokens=[{"id": 5, "content": "<x>"}])
    for n in range(0, len(whole), 3):
        survives(f"tokenizer.json cut at {n}", put("json/tokenizer.json", whole[:n]))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    sentencepiece()
    plain_files()
    tokenizer_json()
    os.chdir("/")
finish()
