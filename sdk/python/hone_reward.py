"""hone_reward.py FILE - a Python function as a reward, judge or source of hone (docs/command.md).

score(batch): a number a sample; None abstains; {"score": 1, "notes": {...}}, {"error": "why"} say more. Functions of
TRL, f(prompts, completions, **columns), and of verl, compute_score(data_source, solution_str, ground_truth,
extra_info), work unchanged. judge(items): a verdict an item. rows(): yields rows.
"""
import importlib.util, inspect, itertools, json, math, os, sys, traceback
settings, NAMES = {}, "score compute_score judge rows reward reward_func reward_function".split()


class Sample(dict):
    """s["completion"] or s.completion; a column of the row where no member has that name."""
    def __getattr__(self, name):
        try:
            return self[name] if name in self else self["columns"][name]
        except KeyError:
            raise AttributeError(name) from None


def call(fn, *args, **named):
    takes = inspect.signature(fn).parameters.values()
    if not any(p.kind == p.VAR_KEYWORD for p in takes):
        named = {k: v for k, v in named.items() if k in {p.name for p in takes}}
    out = fn(*args, **named)
    if inspect.isawaitable(out):
        import asyncio  # slow to load, seldom needed
        return asyncio.run(out)
    return out


def trl(fn, batch):  # a prompt of messages is answered by messages
    chat = [isinstance(s["columns"].get("prompt"), list) for s in batch]
    names = {k for s in batch for k in s["columns"]} - {"prompt", "completion", "completions", "prompts"}
    return call(fn, prompts=[s["columns"]["prompt"] if c else s["prompt"] for s, c in zip(batch, chat)],
                completions=[[{"role": "assistant", "content": s["completion"]}] if c else s["completion"]
                             for s, c in zip(batch, chat)],
                completion_ids=[s.get("tokens") for s in batch],
                **{k: [s["columns"].get(k) for s in batch] for k in names})


def verl(fn, s):
    row, model = s["columns"], s["columns"].get("reward_model") or {}
    return call(fn, data_source=row.get("data_source"), solution_str=s["completion"], extra_info=row.get("extra_info"),
                ground_truth=row.get("ground_truth", model.get("ground_truth", row.get("answer"))))


def outcome(x):
    if isinstance(x, dict) and "score" in x:  # verl: what else is in it are notes
        score, notes = outcome(x["score"]), x.get("notes", {k: v for k, v in x.items() if k != "score"})
        return score if isinstance(score, dict) else {"score": score, "notes": notes}
    if x is None or isinstance(x, dict):
        return x
    try:
        return float(x) if math.isfinite(float(x)) else {"error": f"the score is {x}"}
    except (TypeError, ValueError):
        return {"error": f"the score is {x!r:.100}"}


def each(fn, batch):
    for s in batch:
        try:
            yield outcome(verl(fn, s))
        except Exception as e:
            traceback.print_exc()
            yield {"error": f"{type(e).__name__}: {e}"}


def main():
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the function prints goes to the log
    lines = open(0, encoding="utf-8", newline="\n", closefd=False)
    say = lambda **m: (out.write(json.dumps(m, default=lambda x: x.tolist(), allow_nan=False) + "\n"), out.flush())
    hello = json.loads(next(lines))
    try:
        sys.modules["hone_reward"] = sys.modules["__main__"]  # import hone_reward; hone_reward.settings
        settings.update(hello["settings"])
        sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[1])))
        spec = importlib.util.spec_from_file_location("reward", sys.argv[1])
        module = importlib.util.module_from_spec(spec)
        sys.modules["reward"] = module
        spec.loader.exec_module(module)
        own = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == "reward"]
        names = [hello["function"]] if "function" in hello else [n for n in NAMES if n in own] or own
        if not callable(getattr(module, names[0] if names else "", None)) or (len(names) > 1 and names[0] not in NAMES):
            raise ValueError(f"which function? {sys.argv[1]} has: {', '.join(own) or 'none'} (setting function = NAME)")
        fn = getattr(module, names[0])
        takes = inspect.signature(fn).parameters
    except BaseException as e:
        traceback.print_exc()
        return say(hone=1, error=f"{type(e).__name__}: {e}")
    say(hone=1, tokens="completion_ids" in takes, seek="position" in takes)
    rows, count = None, 0
    for m in map(json.loads, lines):
        try:
            if "samples" in m:
                batch = [Sample(s) for s in m["samples"]]
                result = (list(each(fn, batch)) if "solution_str" in takes else
                          [outcome(x) for x in (trl(fn, batch) if "completions" in takes else call(fn, batch))])
                say(batch=m["batch"], outcomes=result)
            elif "items" in m:
                say(batch=m["batch"], verdicts=[v if isinstance(v, dict) else outcome(v) for v in call(fn, [Sample(i) for i in m["items"]])])
            else:  # a source: a row is an object, or (row, position) where the function takes one
                if "seek" in m or rows is None:
                    rows = iter(fn(m["seek"]) if m.get("seek") is not None else fn())
                part = list(itertools.islice(rows, m.get("rows", 0)))
                pairs = [r if isinstance(r, tuple) else (r, None) for r in part]
                say(batch=m["batch"], rows=[r for r, _ in pairs], position=pairs[-1][1] if pairs else None,
                    end=len(part) < m.get("rows", 0))
        except Exception as e:
            traceback.print_exc()
            say(batch=m["batch"], error=f"{type(e).__name__}: {e}")


if __name__ == "__main__":
    main()
