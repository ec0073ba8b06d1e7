"""make_hf_tokenizers.py - writes hf_tokenizers.jsonl: small tokenizers of every kind with the ids and texts that
tokenizers 0.23.3 (PyPI) gives: one line a tokenizer with its tokenizer.json, texts, ids and decoded texts."""

import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders as D, models, normalizers as N, pre_tokenizers as P, processors, trainers

TEXTS = [
    "1234567 12345678901 xx axxb ABcDe",
    "Hello world",
    "  Hello,  World!! it's 3.14 ",
    "I was born in 92000, and this is falsé.",
    "Ünïcödé ﬁ ｆｕｌｌ Å Å ① ½",
    "日本語テキスト、ひらがなカタカナー한국어 русский",
    "a\tb\nc\r\nd",
    "x",
    "",
    " ",
    "don't can't we'll I'm",
    "éééé ŒŒ zz",
    "naïve café ÀÉÎ İI",
    "[CLS] a [SEP] <s> b</s>",
    "emoji 👩‍👩‍👧 🦙.cpp ok",
    "12345 67 a1b2",
    "under_score-dash.dot",
    "▁meta▁▁x",
    "ﷺ ﬃ … ™ ²",
    "a\u0301 e\u0301\u0323 \u200b\u200d zero\ufeff",
    "ABC DEF ghi",
    "\u0000\u0001ctrl\u007f",
    "the quick brown fox jumps over the lazy dog the the the",
    "ก็ไทย ह्न्दी",
]
corpus = TEXTS * 4 + ["a quick look at the quiet fox and the lazy dogs, over and over again, then on to the other one"] * 3
rows = []


def case(name, make):
    tok = make()
    row = {"name": name, "tokenizer": json.loads(tok.to_str()), "cases": []}
    for text in TEXTS:
        ids = tok.encode(text, add_special_tokens=False).ids
        row["cases"].append([text, ids, tok.encode(text).ids, tok.decode(ids, skip_special_tokens=False)])
    rows.append(row)


def bpe(norm=None, pre=None, dec=None, **k):
    tr = {x: k.pop(x) for x in ("continuing_subword_prefix", "end_of_word_suffix") if x in k}

    def f():
        t = Tokenizer(models.BPE(unk_token=k.get("unk"), fuse_unk=k.get("fuse", False), **{a: b for a, b in tr.items()}))
        if norm:
            t.normalizer = norm
        if pre:
            t.pre_tokenizer = pre
        sp = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if k.get("bytes") else [])
        tt = trainers.BpeTrainer(
            vocab_size=k.get("size", 140),
            special_tokens=sp[:1],
            show_progress=False,
            initial_alphabet=k.get("alpha", []),
            **{a: b for a, b in tr.items()},
            max_token_length=k.get("mtl"),
        )
        t.train_from_iterator(corpus, tt)
        if k.get("bytes"):
            j = json.loads(t.to_str())
            v = j["model"]["vocab"]
            for b in range(256):
                v[f"<0x{b:02X}>"] = len(v)
            j["model"]["byte_fallback"] = True
            t = Tokenizer.from_str(json.dumps(j))
        if dec:
            t.decoder = dec
        return t

    return f


def uni(norm=None, pre=None, dec=None, bytes=False, size=220):
    def f():
        t = Tokenizer(models.Unigram())
        if norm:
            t.normalizer = norm
        if pre:
            t.pre_tokenizer = pre
        t.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False))
        if bytes:
            j = json.loads(t.to_str())
            for b in range(256):
                j["model"]["vocab"].append([f"<0x{b:02X}>", -20.0])
            j["model"]["byte_fallback"] = True
            t = Tokenizer.from_str(json.dumps(j))
        if dec:
            t.decoder = dec
        t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
        return t

    return f


def wp(norm=None, pre=None):
    def f():
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = norm
        t.pre_tokenizer = pre or P.BertPreTokenizer()
        t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=160, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
        t.decoder = D.WordPiece()
        t.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
        return t

    return f


def wl(norm, pre, dec=None):
    def f():
        t = Tokenizer(models.WordLevel(unk_token="<unk>"))
        if norm:
            t.normalizer = norm
        if pre:
            t.pre_tokenizer = pre
        t.train_from_iterator(corpus, trainers.WordLevelTrainer(vocab_size=400, special_tokens=["<unk>"], show_progress=False))
        if dec:
            t.decoder = dec
        return t

    return f


ws = P.Whitespace()
for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
    case("norm" + n, wl(getattr(N, n)(), ws))
case("strip", bpe(N.Strip(), None, None, unk="<unk>", small=1))
case("replace", wl(N.Sequence([N.Replace(" ", "_"), N.Replace(Regex("[0-9]+"), "#"), N.Prepend("^")]), P.Split("_", "isolated")))
case("bert", wp(N.BertNormalizer()))
case("bertcased", wp(N.BertNormalizer(lowercase=False, strip_accents=True)))
for beh in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
    case("split_" + beh, wl(None, P.Split(Regex(r"[\s,.!]"), beh)))
    case("splitinv_" + beh, wl(None, P.Split(Regex(r"\w+"), beh, invert=True)))
    case("punct_" + beh, wl(None, P.Sequence([P.WhitespaceSplit(), P.Punctuation(beh)])))
case("delim", wl(None, P.CharDelimiterSplit("e")))
case("scripts", wl(None, P.Sequence([P.UnicodeScripts(), P.WhitespaceSplit()])))
if hasattr(P, "FixedLength"):
    case("fixed", wl(None, P.FixedLength(3)))
case("digits", wl(None, P.Sequence([P.WhitespaceSplit(), P.Digits(False)])))
case("digits1", wl(None, P.Sequence([P.WhitespaceSplit(), P.Digits(True)])))
for sch in ("always", "first", "never"):
    for sp in (True, False):
        case(f"meta_{sch}_{sp}", bpe(None, P.Metaspace("▁", sch, sp), D.Metaspace("▁", sch, sp), unk="<unk>", fuse=True, small=not sp))
case("bytelevel", bpe(None, P.ByteLevel(add_prefix_space=True), D.ByteLevel(), alpha=P.ByteLevel.alphabet(), size=300))
case(
    "bytelevel_norm",
    bpe(
        N.Sequence([N.NFKC(), N.Lowercase()]),
        P.Sequence([P.Punctuation(), P.ByteLevel(add_prefix_space=False)]),
        D.ByteLevel(),
        alpha=P.ByteLevel.alphabet(),
        size=300,
    ),
)
case("bytenorm", bpe(N.ByteLevel(), P.Split("Ġ", "merged_with_next"), D.ByteLevel(), alpha=P.ByteLevel.alphabet(), size=300))
case("bytelevel_then", bpe(None, P.Sequence([P.ByteLevel(add_prefix_space=False), P.Digits(True)]), D.ByteLevel(), alpha=P.ByteLevel.alphabet(), size=300))
case("bpe_w", bpe(N.Lowercase(), ws, D.BPEDecoder(), unk="<unk>", end_of_word_suffix="</w>"))
case("bpe_pre", bpe(None, ws, D.WordPiece("##", False), unk="<unk>", fuse=True, continuing_subword_prefix="##"))
case(
    "llama",
    bpe(
        N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]),
        None,
        D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]),
        unk="<unk>",
        fuse=True,
        bytes=True,
        small=1,
        mtl=12,
    ),
)
case("uni", uni(N.NFKC(), P.Metaspace(), D.Metaspace()))
case("uniplain", uni(None, None, None))
case("unibytes", uni(None, P.Metaspace(prepend_scheme="first"), D.Sequence([D.ByteFallback(), D.Metaspace(prepend_scheme="first")]), bytes=True))
case("ctc", wl(None, P.WhitespaceSplit(), D.CTC("<unk>", "the", True)))


def added():
    t = wl(N.Lowercase(), ws)()
    t.add_tokens([AddedToken("fox jum", normalized=True), AddedToken("lazy dog", single_word=True, lstrip=True), AddedToken("qu", single_word=True)])
    t.add_special_tokens([AddedToken("<s>", rstrip=True), AddedToken("the", lstrip=True, single_word=True)])
    return t


R = Regex
case("zero", wl(None, P.Sequence([P.Split(R(r"\d+"), "isolated"), P.Split(R(r"(?=(\d{3})+(?!\d))"), "isolated")])))
case("zero2", wl(N.Sequence([N.Replace(R("^"), "^"), N.Replace(R("x*"), "-")]), P.Split(R(r"\s*"), "isolated")))
case("zero3", wl(None, P.Split(R(r"(?=[A-Z])"), "merged_with_next")))
case("onig", wl(None, P.Split(R(r"[\w']+|\h|\W"), "isolated")))
case("added", added)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "hf_tokenizers.jsonl"), "w", encoding="ascii") as f:
    for row in rows:
        f.write(json.dumps(row, separators=(",", ":")) + "\n")
