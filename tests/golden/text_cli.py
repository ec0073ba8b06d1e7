"""text_cli.py - `hone tokenize` and `hone template` against reference ids and renderings, and their refusals.

SmolLM2-135M-Instruct's ids line by line and whole, and decoded again; the 120 shared chat templates through the
command line; the shared rendering of smollm2.json. Skipped where the material or the model is not there."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
SHARED = os.environ.get("HONE_SHARED", "../shared")
MODEL = "smollm2-135m-instruct"


def hone(*args, text=None):
    run = subprocess.run([HONE, *args], capture_output=True, input=None if text is None else text.encode())
    return run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace")


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def tokenize():
    path = f"{SHARED}/goldens/smollm2_tokenizer.jsonl"
    if not os.path.exists(path):
        return skip("goldens/smollm2_tokenizer.jsonl is not there")
    if hone("model", "info", MODEL)[0] != 0:
        return skip(f"{MODEL} was not fetched")
    rows = lines_of(path)
    short = [r for r in rows if "\n" not in r["text"]]
    code, out, err = hone("tokenize", MODEL, "--json", text="".join(r["text"] + "\n" for r in short))
    got = [json.loads(line)["ids"] for line in out.split("\n") if line]
    check("ids by lines", code == 0 and got == [r["ids"] for r in short], err)
    long = [r for r in rows if "\n" in r["text"]]
    bad = [r["text"][:40] for r in long if json.loads(hone("tokenize", MODEL, "--json", "--whole", text=r["text"])[1])["ids"] != r["ids"]]
    check("ids of whole texts", not bad, bad)
    code, out, err = hone("tokenize", MODEL, "--decode", "--json", text="".join(json.dumps({"ids": r["ids"]}) + "\n" for r in rows))
    got = [json.loads(line)["text"] for line in out.split("\n") if line]
    check("texts of ids", code == 0 and got == [r["text"] for r in rows], err)
    code, out, err = hone("tokenize", MODEL, "--decode", text="1,2\n3,999999\n")
    check("an id that is not there", code == 1 and "stdin:2" in err and "999999" in err, err)
    code, out, err = hone("tokenize", MODEL, "--decode", text="1,x\n")
    check("an id that is no number", code == 1 and "stdin:1" in err, err)


def files(folder):
    """Tokenizers from their files: the pairs of llama.cpp, the plans of tiktoken, the comparison of two."""
    base = f"{SHARED}/assets/tokenizers"
    if not os.path.exists(base):
        return skip("assets/tokenizers is not there")
    for name, model in (("gpt-2", "gpt2"), ("qwen2", "qwen2"), ("gpt-2", None), ("phi-3", None)):
        gguf = f"{base}/gguf-vocab/ggml-vocab-{name}.gguf"
        path = f"{base}/{model}" if model else gguf
        with open(gguf + ".inp", encoding="utf-8", newline="") as f:
            texts = f.read().split("\n__ggml_vocab_test__\n")
        with open(gguf + ".out", encoding="utf-8") as f:
            ids = [[int(i) for i in line.split()] for line in f.read().split("\n")]
        one = [(t, i) for t, i in zip(texts, ids) if "\n" not in t and "\r" not in t]
        code, out, err = hone("tokenize", path, "--json", text="".join(t + "\n" for t, _ in one))
        got = [json.loads(line)["ids"] for line in out.split("\n") if line]
        check(f"pairs of {name} through {os.path.basename(path)}", code == 0 and got == [i for _, i in one], err)
    code, out, err = hone("tokenize", "--compare", f"{base}/qwen2", f"{base}/tiktoken/cl100k_base.tiktoken", "--json", text="In 1999\nthe same\n")
    got = json.loads(out) if code == 0 else {}
    check("two tokenizers compared", got.get("lines_differing") == 1 and got.get("most_frequent") == [
        {"text": "199", "count": 1, "line": 1, "a": "1|9|9", "b": "199"}] and got["a"]["tokens"] == 8, err or got)
    code, out, err = hone("tokenize", f"{base}/gpt2", f"{base}/gpt2", text="x")
    check("a second tokenizer without --compare", code == 2 and "--compare" in err, err)


def template(folder):
    path = f"{SHARED}/goldens/chat_templates.jsonl"
    if not os.path.exists(path):
        return skip("goldens/chat_templates.jsonl is not there")
    bad = []
    for row in lines_of(path):
        files = {}
        for name in ("messages", "tools"):
            files[name] = os.path.join(folder, name + ".json")
            with open(files[name], "w", encoding="utf-8") as f:
                json.dump(row[name], f)
        files["template"] = os.path.join(folder, "t.jinja")
        with open(files["template"], "w", encoding="utf-8", newline="") as f:
            f.write(row["source"])
        args = ["template", "--template", files["template"], "--messages", files["messages"], "--json", "--bos", row["bos_token"], "--eos", row["eos_token"]]
        if row["tools"]:
            args += ["--tools", files["tools"]]
        if row["add_generation_prompt"]:
            args.append("--add-generation-prompt")
        code, out, err = hone(*args)
        want = {"error": row["error"].split(": ", 1)[1]} if row.get("error") else {"text": row["rendered"]}
        if code != (1 if row.get("error") else 0) or json.loads(out) != want:
            bad.append((row["template"], row["conversation"], err))
    check("shared chat templates", not bad, bad[:3])


def refusals(folder):
    def case(name, source, messages, wanted, code=1, *more):
        paths = [os.path.join(folder, n) for n in ("t.jinja", "m.json")]
        for path, text in zip(paths, (source, messages)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        got, out, err = hone("template", "--template", paths[0], "--messages", paths[1], *more)
        check(name, got == code and wanted in err and not out, (got, err, out))

    hi = '[{"role":"user","content":"Hi"}]'
    case("an unknown filter names file and line", "a\n{{ messages | zzz }}", hi, "t.jinja:2: filter \"zzz\"")
    case("a template that never ends", "{% set r = range(99999) %}{% for a in r %}{{ r|length + r|sum }}{% endfor %}", hi, "steps")
    case("messages that are no list", "x", "{}", "a list of maps")
    case("messages that are no JSON", "x", "[{", "m.json")
    case("a mask without an assistant", "{{ messages }}{% generation %}{% endgeneration %}", hi, "--show-mask", 2, "--show-mask", "--add-generation-prompt")
    code, out, err = hone("template", "--template", os.path.join(folder, "none.jinja"), "--messages", os.path.join(folder, "m.json"))
    check("a template that is not there", code == 1 and "none.jinja" in err, err)
    bad = os.path.join(folder, "tokenizer.json")
    with open(bad, "w", encoding="utf-8") as f:
        json.dump({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}, "pre_tokenizer": {"type": "ByteLevel"},
                   "decoder": {"type": "ByteLevel"}}, f)
    code, out, err = hone("tokenize", bad, text="ab\n")
    check("a tokenizer with a merge that gives no token", code == 1 and "merges[0]" in err and "tokenizer.json" in err, err)
    with open(bad, "w", encoding="utf-8") as f:
        f.write('{"model":' * 10000)
    code, out, err = hone("tokenize", bad, text="ab\n")
    check("a tokenizer nested 10,000 deep", code == 1 and "tokenizer.json" in err, err)


def smollm2_chat(folder):
    path = f"{SHARED}/goldens/smollm2.json"
    if not os.path.exists(path) or hone("model", "info", MODEL)[0] != 0:
        return skip("goldens/smollm2.json or the model is not there")
    with open(path, encoding="utf-8") as f:
        chats = json.load(f)["chat"]
    for number, chat in enumerate(chats):
        messages = os.path.join(folder, "chat.json")
        with open(messages, "w", encoding="utf-8") as f:
            json.dump(chat["messages"], f)
        code, out, err = hone("template", MODEL, "--messages", messages, "--json", "--add-generation-prompt")
        got = json.loads(out) if code == 0 else {}
        check(f"chat {number} rendered", got.get("text") == chat["rendered"], err or got)
        if "ids" in chat:
            check(f"chat {number} ids", got.get("ids") == chat["ids"], got.get("ids"))


with tempfile.TemporaryDirectory() as folder:
    tokenize()
    files(folder)
    template(folder)
    refusals(folder)
    smollm2_chat(folder)
finish()
