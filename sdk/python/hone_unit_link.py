"""hone_unit_link.py - calls between the tests' process and the code's, for hone_unit_test.py.

A line of JSON asks for an operation on values, a line answers. Values cross by what they are: numbers, text, bytes, lists,
tuples, sets, dicts and a few more, rebuilt as exactly these types, so that no method of the other side's is ever called
when they are compared. What is none of these (an instance, a generator, a function) stays where it is and is shown as a
Remote: it can be called, indexed, iterated, its attributes read, and every result comes back in the same way. A Remote
equals no plain value, and takes part in no arithmetic: its answer could depend on the other operand, which is what a
test expects.

Lists, dicts and sets given to a call are brought to what the call made of them. Invariant: whatever the code's side
sends, this side gets values, or the link is `broken` and stays so.
"""
import builtins, collections, decimal, fractions, json, operator

TYPES = {n: t for n, t in vars(builtins).items() if isinstance(t, type)}
AS_IS = {str, float, bool, type(None)}


class Broken(BaseException):
    """The other side is gone (why is None), or said what is no answer."""


class Remote:
    """Something of the other side's."""
    __slots__ = ("_link", "_id")

    def __init__(self, link, number):
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_id", number)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._link.ask("get", self, name)

    def __setattr__(self, name, value):
        self._link.ask("set", self, name, value)

    def __call__(self, *args, **named):
        return self._link.ask("call", self, *args, **named)

    def __iter__(self):
        return self._link.ask("iter", self)

    def __next__(self):
        return self._link.ask("next", self)

    def __getitem__(self, key):
        return self._link.ask("item", self, key)

    def __setitem__(self, key, value):
        self._link.ask("put", self, key, value)

    def __len__(self):
        return self._link.ask("len", self)

    def __bool__(self):
        return bool(self._link.ask("bool", self))

    def __str__(self):
        return str(self._link.ask("str", self))

    __repr__ = __str__

    def __eq__(self, other):
        return bool(self._link.ask("eq", self, other)) if type(other) is Remote else NotImplemented

    def __hash__(self):
        return hash(("remote", self._id))

    def __instancecheck__(self, other):
        return type(other) is Remote and bool(self._link.ask("is", other, self))


def call(fn, *args, **named):
    return fn(*args, **named)


OPS = {"call": call, "get": getattr, "set": setattr, "iter": iter, "next": next, "item": operator.getitem,
       "put": operator.setitem, "len": len, "bool": bool, "str": str, "eq": operator.eq, "is": isinstance}
GUARDED = {"call", "iter", "next"}


def kind_of(kind):
    """[name, builtin that it extends] of an exception's class."""
    return [kind.__name__, next(k.__name__ for k in kind.__mro__ if TYPES.get(k.__name__) is k)]


class Link:
    """One end. The tests' is guarded: it gives nothing away but functions and iterators, to be called and advanced."""

    def __init__(self, read, write, guarded):
        self.read, self.write = open(read, encoding="utf-8", newline="\n"), open(write, "w", encoding="utf-8")
        self.guarded, self.mine, self.numbers, self.remotes = guarded, [], {}, {}
        self.classes = {}  # defined on both sides, their instances cross as their attributes
        self.exceptions = {}
        self.broken, self.why = False, None

    # ---- lines -------------------------------------------------------------------------------------------------------
    def fail(self, why):
        self.broken, self.why = True, self.why or why
        raise Broken(why)

    def send(self, message):
        text = json.dumps(message)
        try:
            self.write.write(text + "\n")
            self.write.flush()
        except OSError:
            self.fail(None)

    def receive(self):
        try:
            line = self.read.readline()
            if not line:
                self.fail(None)
            message = json.loads(line)
        except (ValueError, RecursionError):
            self.fail("its process wrote what is no answer")
        if type(message) is not dict or not line.endswith("\n"):
            self.fail("its process wrote what is no answer")
        return message

    # ---- calls -------------------------------------------------------------------------------------------------------
    def ask(self, op, *args, **named):
        if self.broken:
            raise Broken(self.why)
        self.send({"op": op, "args": [self.encode(a) for a in args],
                   "named": {k: self.encode(v) for k, v in named.items()}})
        return self.listen(list(args) + list(named.values()))

    def listen(self, given):
        """The answer; until it comes, calls of the other side are served."""
        while True:
            m = self.receive()
            if "op" in m:
                self.serve(m)
            elif "raise" in m:
                raise self.exception(m["raise"])
            elif "value" not in m:
                self.fail("its process wrote what is no answer")
            else:
                value = self.get(m["value"])
                after = self.get(m["after"]) if "after" in m else []
                for old, new in zip(given, after if type(after) is list else []):
                    bring(old, new)
                return value

    def get(self, x):
        try:
            return self.decode(x)
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError):
            self.fail("its process wrote what is no value")

    def serve(self, m):
        op, args, named = m["op"], m.get("args", []), m.get("named", {})
        if type(op) is not str or type(args) is not list or type(named) is not dict:
            self.fail("its process wrote what is no call")
        values, names = self.get(["l", *args]), self.get(["l", *named.values()])
        try:
            if op not in (GUARDED if self.guarded else OPS):
                raise TypeError("a value of the tests can be called or advanced, nothing else")
            answer = {"value": self.encode(OPS[op](*values, **dict(zip(named, names))))}
            after = [self.encode(a) for a in values + names]
            if after != [*args, *named.values()]:
                answer["after"] = ["l", *after]
        except Broken:
            raise
        except BaseException as e:
            answer = {"raise": [*kind_of(type(e)), [self.encode(a) for a in e.args if type(a) in AS_IS or type(a) is int]]}
        self.send(answer)

    # ---- exceptions --------------------------------------------------------------------------------------------------
    def exception_type(self, name, base):
        base = TYPES.get(base) if type(base) is str else None
        if not base or not issubclass(base, Exception):
            base = RuntimeError
        if type(name) is not str or TYPES.get(name) is base:
            return base
        return self.exceptions.setdefault(name, type(name, (base,), {}))

    def exception(self, said):
        try:
            name, base, args = said
            kind, args = self.exception_type(name, base), [self.get(a) for a in args]
        except (ValueError, TypeError):
            self.fail("its process wrote what is no exception")
        try:
            return kind(*args)
        except TypeError:
            return RuntimeError(name)

    # ---- values ------------------------------------------------------------------------------------------------------
    def encode(self, x):
        t = type(x)
        if t in AS_IS:
            return x
        if t is int:
            return x if -1 << 63 < x < 1 << 63 else ["i", hex(x)]
        if t is Remote:
            return ["yours", x._id]
        if t is type and x.__name__ in TYPES and TYPES[x.__name__] is x:
            return ["type", x.__name__]
        if self.classes.get(t.__name__) is t and hasattr(x, "__dict__"):
            return ["o", t.__name__, self.encode(vars(x))]
        return self.encode_plain(x) or self.export(x)

    def encode_plain(self, x):
        """By value, a subclass as what it extends; None where it is neither."""
        try:
            if isinstance(x, type):
                return None
            for t, tag in ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "f"), (collections.deque, "q")):
                if isinstance(x, t):
                    return [tag, *map(self.encode, t.__iter__(x))]
            if isinstance(x, dict):
                return ["d", *([self.encode(k), self.encode(v)] for k, v in dict.items(x))]
            if isinstance(x, (bytes, bytearray)):
                return ["b" if isinstance(x, bytes) else "B", bytes(x).hex()]
            if isinstance(x, range):
                return ["r", *map(self.encode, (x.start, x.stop, x.step))]
            if isinstance(x, complex):
                return ["c", x.real, x.imag]
            if isinstance(x, fractions.Fraction):
                return ["F", hex(x.numerator), hex(x.denominator)]
            if isinstance(x, decimal.Decimal):
                return ["D", str(x)]
            for t in (str, float, int):
                if isinstance(x, t):
                    return self.encode(t.__str__(x) if t is str else t(x))
        except RecursionError:  # a list that holds itself
            pass
        return None

    def export(self, x):
        if self.guarded and not callable(x) and not hasattr(type(x), "__next__"):
            raise TypeError(f"a value of type {type(x).__name__} does not cross to the code's process")
        if isinstance(x, type) and issubclass(x, Exception):
            return ["e", *kind_of(x)]
        number = self.numbers.setdefault(id(x), len(self.mine))
        if number == len(self.mine):
            self.mine.append(x)  # and so id(x) stays its own
        return ["mine", number]

    def decode(self, x):
        if type(x) is not list:
            if type(x) in AS_IS or type(x) is int:
                return x
            raise ValueError("no value")
        tag, *rest = x
        if tag == "l":
            return list(map(self.decode, rest))
        if tag == "d":
            return {self.decode(k): self.decode(v) for k, v in rest}
        if tag in BUILD:
            return BUILD[tag](map(self.decode, rest))
        if tag == "mine":
            number = operator.index(rest[0])
            return self.remotes.setdefault(number, Remote(self, number))
        if tag == "yours":
            return self.mine[rest[0]]
        if tag == "type":
            return TYPES[rest[0]]
        if tag == "e":
            return self.exception_type(*rest)
        if tag == "o":
            made = object.__new__(self.classes[rest[0]])
            made.__dict__.update(self.decode(rest[1]))
            return made
        return FROM_TEXT[tag](*rest)


BUILD = {"t": tuple, "s": set, "f": frozenset, "q": collections.deque, "r": lambda args: range(*args),
         "c": lambda args: complex(*args)}
FROM_TEXT = {"i": lambda a: int(a, 16), "b": bytes.fromhex, "B": bytearray.fromhex, "D": decimal.Decimal,
             "F": lambda a, b: fractions.Fraction(int(a, 16), int(b, 16))}


def bring(old, new):
    """What a call did to its argument, done here."""
    if type(old) is not type(new) or old is new:
        return
    if type(old) is list:
        if len(old) == len(new):
            for i, (a, b) in enumerate(zip(old, new)):
                if type(a) is type(b) and type(a) in (list, dict, set):
                    bring(a, b)
                else:
                    old[i] = b
        else:
            old[:] = new
    elif type(old) is dict or type(old) is set:
        old.clear()
        old.update(new)
    elif type(old) is bytearray or type(old) is collections.deque:
        old.clear()
        old.extend(new)
    elif type(old) is not Remote and hasattr(old, "__dict__"):
        vars(old).update(vars(new))
