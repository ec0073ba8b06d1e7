"""hone_reward.py FILE - a Python function score(batch) as a reward of hone (docs/command.md).

It returns a number a sample; None abstains; {"score": 1, "notes": {...}} and {"error": "why"} say more.
Functions of TRL and verl, judges and sources are brought into this shape by hone_reward_shapes.py.
"""
import importlib.util, inspect, json, math, os, sys, traceback

settings = {}  # of the recipe: import hone_reward; hone_reward.settings["k"]


class Sample(dict):
    """s["completion"] or s.completion; a column of the row where no member has that name."""
    def __getattr__(self, name):
        found = self if name in self else self["columns"]
        if name not in found:
            raise AttributeError(name)
        return found[name]


def outcome(x):
    if isinstance(x, dict) and "score" in x:
        score = outcome(x["score"])
        return score if isinstance(score, dict) else {**x, "score": score}
    if x is None or isinstance(x, dict):
        return x
    try:
        number = float(x)
    except (TypeError, ValueError):
        number = math.nan
    return number if math.isfinite(number) else {"error": f"the score is {x!r:.100}"}


def load(hello, file):
    """What answers a request, and what the greeting says of it."""
    settings.update(hello["settings"])
    sys.modules["hone_reward"] = sys.modules["__main__"]
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    spec = importlib.util.spec_from_file_location("reward", file)
    sys.modules["reward"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score = getattr(module, hello.get("function", "score"), None)
    if hello["kind"] == "reward" and inspect.isfunction(score) and list(inspect.signature(score).parameters) == ["batch"]:
        return lambda m: {"outcomes": [outcome(x) for x in score([Sample(s) for s in m["samples"]])]}, {}
    import hone_reward_shapes
    return hone_reward_shapes.load(hello, module)


def main(file):
    lines, out = open(0, encoding="utf-8", newline="\n", closefd=False), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the function prints goes to the log
    answer = None
    for m in map(json.loads, lines):
        reply = {k: m[k] for k in ("hone", "batch") if k in m}
        try:
            if answer is None:
                answer, more = load(m, file)
            else:
                more = answer(m)
            line = json.dumps({**reply, **more}, default=lambda x: x.tolist(), allow_nan=False)
        except BaseException as e:
            traceback.print_exc()
            line = json.dumps({**reply, "error": f"{type(e).__name__}: {e}"})
        print(line, file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
