"""hone_reward_shapes.py - other functions than score(batch) for hone_reward.py, which imports this when it meets one.

    f(prompts, completions, **columns)                                   TRL: a list, a number or None a completion
    compute_score(data_source, solution_str, ground_truth, extra_info)   verl: a number or an object, sample by sample
    judge(items)                                                         a verdict an item
    rows() or rows(position)                                             yields rows, or (row, position)
Any of them, and score(samples) with a parameter of another name, may be async.
"""
import asyncio, inspect, itertools, traceback
from hone_reward import Sample, outcome

NAMES = "score compute_score judge rows reward reward_func reward_function".split()


def choose(hello, module):
    """The function that the setting names; else one with a usual name; else the only one that the file defines."""
    own = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__]
    usual = [n for n in NAMES if n in own]
    name = hello.get("function") or (usual[0] if usual else own[0] if len(own) == 1 else "")
    if not callable(getattr(module, name, None)):
        raise ValueError(f"which function? {module.__file__} has: {', '.join(own) or 'none'} (setting function = NAME)")
    return getattr(module, name)


def call(fn, *args, **named):
    """Calls it with those of the named arguments that it takes."""
    takes = inspect.signature(fn).parameters.values()
    if not any(p.kind == p.VAR_KEYWORD for p in takes):
        known = {p.name for p in takes}
        named = {k: v for k, v in named.items() if k in known}
    out = fn(*args, **named)
    return asyncio.run(wait_for(out)) if inspect.isawaitable(out) else out


async def wait_for(out):
    return await out


def trl(fn, batch):
    """A prompt that is a list of messages is answered by one, as TRL has it."""
    rows = [s["columns"] for s in batch]
    chat = [isinstance(row.get("prompt"), list) for row in rows]
    names = {k for row in rows for k in row} - {"prompt", "completion", "completions", "prompts"}
    return call(fn,
                prompts=[row["prompt"] if c else s["prompt"] for s, row, c in zip(batch, rows, chat)],
                completions=[[{"role": "assistant", "content": s["completion"]}] if c else s["completion"]
                             for s, c in zip(batch, chat)],
                completion_ids=[s.get("tokens") for s in batch],
                **{k: [row.get(k) for row in rows] for k in names})


def verl(fn, batch):
    """An exception is the error of its sample alone. What else is in an object with a score are notes."""
    for s in batch:
        row = s["columns"]
        model = row.get("reward_model") or {}
        try:
            x = call(fn, data_source=row.get("data_source"), solution_str=s["completion"],
                     ground_truth=row.get("ground_truth", model.get("ground_truth", row.get("answer"))),
                     extra_info=row.get("extra_info"))
        except Exception as e:
            traceback.print_exc()
            x = {"error": f"{type(e).__name__}: {e}"}
        if isinstance(x, dict) and "score" in x and "notes" not in x:
            x = {"score": x["score"], "notes": {k: v for k, v in x.items() if k != "score"}}
        yield x


class Rows:
    """A source's iterator, begun again at each jump."""
    def __init__(self, fn):
        self.fn, self.rows = fn, None

    def answer(self, m):
        wanted = m.get("rows", 0)
        if "seek" in m or self.rows is None:
            place = [] if m.get("seek") is None else [m["seek"]]
            self.rows = iter(self.fn(*place))
        part = [r if isinstance(r, tuple) else (r, None) for r in itertools.islice(self.rows, wanted)]
        return {"rows": [r for r, _ in part], "position": part[-1][1] if part else None, "end": len(part) < wanted}


def load(hello, module):
    fn = choose(hello, module)
    takes = inspect.signature(fn).parameters
    if hello["kind"] == "source":
        return Rows(fn).answer, {"seek": "position" in takes}
    if hello["kind"] == "judge":
        return lambda m: {"verdicts": [v if isinstance(v, dict) else outcome(v)
                                        for v in call(fn, [Sample(i) for i in m["items"]])]}, {}
    shape = verl if "solution_str" in takes else trl if "completions" in takes else call

    def answer(m):
        return {"outcomes": [outcome(x) for x in shape(fn, [Sample(s) for s in m["samples"]])]}
    return answer, {"tokens": "completion_ids" in takes}
