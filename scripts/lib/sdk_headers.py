"""sdk_headers.py - what the headers of the SDK declare: structs with their members, functions, constants.

Not a C parser: the headers keep to a form (house style, clang-format) in which a struct is `typedef struct X { ... } X;`
or `struct X { ... };` at file scope, a member is what stands between semicolons, a function is a member `(*name)(...)`,
a `static inline` or an exported prototype. What the form hides from it is found: the layout table of check_abi.py adds
up sizes and offsets by the compiler, so a member it did not see is a hole.
"""
import os
import re

TAG = re.compile(r"\[(?:control|worker|io|any)-thread(?: & !?active)?\]")
SKIP = {"hone.h", "hone.hpp", "testing.h"}  # one includes all; the two others are no border: C++ and tests


def blank(text):
    """The text with comments and literals blanked; offsets stay."""
    def f(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', f, text, flags=re.S)


def comments(text):
    """[(begin, end, words)]"""
    out = []
    for m in re.finditer(r"/\*(.*?)\*/", text, re.S):
        words = " ".join(re.sub(r"^\s*\*", "", x).strip() for x in m.group(1).split("\n"))
        out.append((m.start(), m.end(), " ".join(words.split())))
    return out


def closing(code, i, pair="{}"):
    """The offset of the bracket that closes the one at i."""
    depth = 0
    for k in range(i, len(code)):
        if code[k] == pair[0]:
            depth += 1
        elif code[k] == pair[1]:
            depth -= 1
            if depth == 0:
                return k
    raise ValueError("a bracket is not closed")


def pieces(code, begin, end, by):
    """[(begin, end)] of what stands between `by` outside brackets."""
    depth, at = 0, begin
    for k in range(begin, end):
        if code[k] in "({[":
            depth += 1
        elif code[k] in ")}]":
            depth -= 1
        elif code[k] == by and depth == 0:
            yield at, k
            at = k + 1
    if code[at:end].strip():
        yield at, end


def squeeze(s):
    s = " ".join(s.split())
    return re.sub(r"\s*([*(),\[\]])\s*", lambda m: {"*": " *", ",": ", "}.get(m.group(1), m.group(1)), s).replace("* *", "**").strip()


def parameters(text):
    """[(type, name)] of a parameter list."""
    out = []
    for a, b in pieces(text, 0, len(text), ","):
        p = squeeze(text[a:b])
        if p in ("void", ""):
            continue
        m = re.match(r"^(.*?[\s*])(\w+)$", p)
        if m and m.group(1).strip() not in ("const", "struct", "unsigned"):
            out.append((squeeze(m.group(1)), m.group(2)))
        else:
            out.append((p, ""))
    return out


class Function:
    def __init__(self, header, owner, name, result, params, doc, tags, inline=False):
        self.header, self.owner, self.name, self.result, self.params = header, owner, name, result, params
        self.doc, self.tags, self.inline = doc, tags, inline

    @property
    def full(self):
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def type(self):
        return f"{self.result} (*)({', '.join(t for t, _ in self.params) or 'void'})"


class Struct:
    def __init__(self, header, name, doc):
        self.header, self.name, self.doc, self.members, self.tag = header, name, doc, [], ""


class Headers:
    def __init__(self, folder):
        self.structs, self.functions, self.constants, self.strings = {}, [], {}, {}
        for file in sorted(os.listdir(folder)):
            if file.endswith(".h") and file not in SKIP:
                with open(os.path.join(folder, file), encoding="utf-8") as f:
                    self.read(file, f.read())

    def read(self, header, text):
        code, notes = blank(text), comments(text)

        def about(begin, end):
            """Comments right before `begin` (nothing but blanks between), inside, and behind `end` on its line."""
            before, at = [], begin
            for a, b, words in reversed(notes):
                if code[text.rfind("\n", 0, a) + 1:a].strip():
                    continue  # it stands behind a declaration: it is of that
                if b <= at and not code[b:at].strip() and "#" not in code[b:at]:
                    before.insert(0, words)
                    at = a
            inside = [w for a, _, w in notes if begin <= a < end]
            line = text.find("\n", end)
            after = [w for a, _, w in notes if end <= a < (line if line >= 0 else len(text))]
            return " ".join(before + inside + after)

        # structs
        for m in re.finditer(r"\b(typedef\s+)?struct\s+(\w+)\s*\{", code):
            if m.group(2).endswith("_desc") and "#define" in text[text.rfind("\n", 0, m.start()):m.start()]:
                continue
            open_ = code.index("{", m.start())
            close = closing(code, open_)
            line = text[text.rfind("\n", 0, m.start()) + 1:m.start()]
            if "#" in line or "\\" in text[open_:text.find("\n", open_)]:
                continue
            s = Struct(header, m.group(2), about(m.start(), m.start()))
            self.structs[s.name] = s
            group = ""  # the tag in front of a block of functions
            group = " ".join(TAG.findall(s.doc))
            for a, b in pieces(code, open_ + 1, close, ";"):
                body = code[a:b]
                if not body.strip():
                    continue
                begin = a + len(body) - len(body.lstrip())
                f = re.match(r"\s*(.*?)\(\s*\*\s*(\w+)\s*\)\s*\((.*)\)\s*$", body, re.S)
                if f:
                    doc = about(begin, b + 1)
                    fn = Function(header, s.name, f.group(2), squeeze(f.group(1)), parameters(f.group(3)), doc,
                                  TAG.findall(doc) or ([group] if group else []))
                    self.functions.append(fn)
                    s.members.append((fn.name, fn.type))
                    continue
                nested = re.match(r"\s*(union|struct)\s*\{.*\}\s*(\w+)\s*$", body, re.S)
                if nested:
                    s.members.append((nested.group(2), squeeze(body[:body.rindex("}") + 1])))
                    continue
                first, base = True, ""
                for c, d in pieces(body, 0, len(body), ","):
                    decl = squeeze(body[c:d])
                    d_ = re.match(r"^(.*?)(\w+)((?:\[\w+\])*)$", decl)
                    if not d_:
                        raise ValueError(f"{header}: member not understood: {decl}")
                    if first:
                        base = re.sub(r"[\s*]+$", "", d_.group(1))
                        kind = d_.group(1)
                    else:
                        kind = base + " " + d_.group(1)
                    first = False
                    s.members.append((d_.group(2), squeeze(kind) + d_.group(3)))
        # functions at file scope
        for m in re.finditer(r"^(static inline|HONE_EXPORT)\s+([\w\s]+?[\s*]+)(\w+)\(", code, re.M):
            if "\\\n" in text[m.start():text.find("\n", m.start()) + 1]:
                continue
            end = closing(code, m.end() - 1, "()")
            doc = about(m.start(), m.start())
            attr = re.search(r"(/\*[^/]*?\*/)\s*(?:#if[^\n]*\n__attribute__[^\n]*\n#endif\s*)$", text[:m.start()], re.S)
            if not doc and attr:
                doc = comments(attr.group(1))[0][2] if comments(attr.group(1)) else ""
            self.functions.append(Function(header, "", m.group(3), squeeze(m.group(2)), parameters(code[m.end():end]), doc,
                                           TAG.findall(doc) or (["[any-thread]"] if m.group(1) != "HONE_EXPORT" else []),
                                           m.group(1) != "HONE_EXPORT"))
        # constants
        for m in re.finditer(r"\benum\s*(?:\w+\s*)?\{", code):
            open_ = code.index("{", m.start())
            for a, b in pieces(code, open_ + 1, closing(code, open_), ","):
                name = re.match(r"\s*(\w+)\s*(=|$)", code[a:b])
                if name:
                    self.constants[name.group(1)] = header
        for m in re.finditer(r"^#define[ \t]+(HONE_[A-Z0-9_]+)[ \t]+((?:\\\n|[^\n])*)", text, re.M):
            value = re.sub(r"/\*.*?\*/", "", m.group(2).replace("\\\n", " "), flags=re.S).strip()
            value = re.sub(r"/\*.*", "", value, flags=re.S).strip()
            if re.match(r'^"[^"]*"$', value):
                self.strings[m.group(1)] = value
            elif re.match(r"^[\s()0-9a-fA-FxuUlL<|+-]+$", value) and m.group(1) != "HONE_SDK_VERSION":
                self.constants[m.group(1)] = header
        for m in re.finditer(r"^    X\((\w+), (-?\d+), \"", text, re.M):
            self.constants["HONE_" + m.group(1)] = header
