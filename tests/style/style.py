"""style.py ROOT BUILD - what the compiler does not check of docs/house-style.

Each check is a function that yields "file:line: finding". Checks on text come with a bad example
below (EXAMPLES), which must be found: a check that cannot fail is itself a failure. Prints
"ok NAME" or "FAIL NAME" and the findings; exit 1 when any failed.
"""
import os
import re
import shutil
import subprocess
import sys

# A file includes only its own layer and those before it.
LAYERS = "base sandbox abi host store tensor ops graph nn text gen score train judge curate web lua cli".split()
BANNED = {
    "strcpy": "hone_buf or memcpy", "strcat": "hone_buf", "strncpy": "memcpy", "strncat": "hone_buf",
    "sprintf": "snprintf or hone_buf_addf", "vsprintf": "vsnprintf", "strtok": "strcspn",
    "gets": "fgets", "alloca": "hone_alloc", "atoi": "strtol with its checks", "atof": "hone_parse_f64",
    "atol": "strtol with its checks", "scanf": "a parser", "tmpnam": "mkdtemp", "mktemp": "mkdtemp",
    "rand": "base/rng.h", "srand": "base/rng.h", "drand48": "base/rng.h", "random": "base/rng.h",
    "setlocale": "nothing: hone keeps the C locale", "longjmp": "an error code",
}
# In core/ besides: memory is counted, the library neither prints nor exits.
BANNED_CORE = {
    "malloc": "hone_alloc", "calloc": "hone_calloc", "realloc": "hone_realloc", "free": "hone_free",
    "strdup": "hone_strdup", "strndup": "hone_strndup", "exit": "an error code", "abort": "an error code",
    "printf": "the command line's business", "puts": "the command line's business",
    "strtod": "hone_parse_f64",
}
ALLOWED = {  # file: functions it may call, with reason
    "core/base/alloc.c": {"malloc", "calloc", "realloc", "free"},
    "core/base/json_write.c": {"strtod"},  # hone_parse_f64 itself
    "core/host/regex.c": {"calloc", "free"},  # a thread's scratch, which its end frees
    "core/lua/sandbox.c": {"free"},  # what realpath() gives
}
TAGS = ("[control-thread", "[worker-thread", "[io-thread", "[any-thread")


def code_only(text):
    """The text with comments and literals blanked, lines kept."""
    def blank(m):
        s = m.group(0)
        if s[0] in "\"'":
            return s[0] + " " * (len(s) - 2) + s[-1]
        return re.sub(r"[^\n]", " ", s)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def lines_of(text):
    return enumerate(text.split("\n"), 1)


def check_layers(path, text):
    m = re.match(r"core/(\w+)/", path)
    plugin = path.startswith("plugins/")
    if not m and not plugin:
        return
    own = LAYERS.index(m.group(1)) if m and m.group(1) in LAYERS else None
    if m and own is None:
        yield f"{path}:1: core/{m.group(1)} is no layer of architecture.md"
        return
    for n, line in lines_of(text):
        inc = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not inc:
            continue
        name = inc.group(1)
        top = name.split("/")[0]
        if plugin:
            if top in LAYERS or name == "config.h" or name.startswith("../"):
                yield f"{path}:{n}: a plugin includes \"{name}\": only hone/ headers and its own"
        elif top in LAYERS:
            if LAYERS.index(top) > own:
                yield f"{path}:{n}: {LAYERS[own]} includes \"{name}\" of a lower layer"
        elif top != "hone" and name != "config.h" and "/" in name:
            yield f"{path}:{n}: \"{name}\" is in no layer"


def check_banned(path, text):
    if not path.startswith(("core/", "plugins/", "sdk/")):
        return
    words = dict(BANNED)
    if path.startswith("core/") and not path.startswith("core/cli/"):
        words.update(BANNED_CORE)
    for name in ALLOWED.get(path, ()):
        words.pop(name, None)
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\s*\(")
    for n, line in lines_of(code_only(text)):
        for m in pattern.finditer(line):
            yield f"{path}:{n}: {m.group(1)}() is banned: {words[m.group(1)]}"


def check_length(path, text):
    if path.endswith((".c", ".h", ".lua")) and text.count("\n") > 1000:
        yield f"{path}:1: {text.count(chr(10))} lines; split it by idea (1,000 at most)"


def check_opening(path, text):
    if path.startswith(("core/", "plugins/", "sdk/")) and path.endswith((".c", ".h")):
        if not text.startswith("/*"):
            yield f"{path}:1: opens without saying what it is"


def check_leftovers(path, text):
    # the words are put together here so that this file does not find itself
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|for " + r"now\b")
    for n, line in lines_of(text):
        if pattern.search(line) and not path.startswith("assets/"):
            yield f"{path}:{n}: unfinished: {line.strip()[:80]}"


def check_whitespace(path, text):
    for n, line in lines_of(text):
        if line.rstrip() != line:
            yield f"{path}:{n}: blanks at the end of a line"
        if "\t" in line and path.endswith((".c", ".h", ".lua", ".py")):
            yield f"{path}:{n}: a tab"
    if text and not text.endswith("\n"):
        yield f"{path}:1: no line break at the end of the file"


def check_tags(path, text):
    """Every function pointer of a struct and every prototype in sdk/include has a thread tag: in the
    comment right before it or behind it, or in one before the struct's block of functions."""
    if not path.startswith("sdk/include/") or path.endswith("/arrow.h"):  # Arrow's own layout
        return
    lines = text.split("\n")
    bare = code_only(text).split("\n")
    depth_tag = None  # last tag line seen in this struct
    for i, line in enumerate(bare):
        if re.match(r"\s*typedef struct|\s*struct \w+ \{", line):
            depth_tag = None
        if any(t in lines[i] for t in TAGS):
            depth_tag = i
        if re.match(r"\s+[\w \*]+\(\*\w+\)\s*\(", line) and "typedef" not in line:
            end = i
            while end < len(bare) and ";" not in bare[end]:
                end += 1
            near = range(max(0, i - 12), min(len(lines), end + 1))
            if depth_tag is None and not any(t in lines[j] for j in near for t in TAGS):
                yield f"{path}:{i + 1}: a function without a thread tag: {line.strip()[:60]}"


TEXT_CHECKS = {
    "layers": check_layers, "banned functions": check_banned, "file length": check_length,
    "openings": check_opening, "leftovers": check_leftovers, "white space": check_whitespace,
    "thread tags": check_tags,
}
EXAMPLES = {  # what each must find
    "layers": [("core/base/x.c", '#include "ops/y.h"\n'), ("plugins/reward/x/x.c", '#include "base/buf.h"\n')],
    "banned functions": [("core/abi/x.c", "f(){ strcpy(a, b); }\n"), ("core/abi/x.c", "f(){ free (a); }\n")],
    "file length": [("core/abi/x.c", "\n" * 1001)],
    "openings": [("core/abi/x.c", "#include <stdio.h>\n")],
    "leftovers": [("core/abi/x.c", "/* TO" + "DO: more */\n")],
    "white space": [("core/abi/x.c", "int a; \n"), ("core/abi/x.c", "\tint a;\n"), ("x.sh", "a")],
    "thread tags": [("sdk/include/hone/x.h", "typedef struct x {\n    int (*f)(void *self);\n} x;\n")],
}


def run(command, root):
    r = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return r.returncode, (r.stdout + r.stderr).strip()


def check_headers(root, files):
    """Every header of the SDK compiles alone as C11 and C++17, every header of core as C11."""
    cxx = shutil.which("g++") or shutil.which("clang++")
    warn = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    for path in files:
        if not path.endswith(".h") or not path.startswith(("sdk/include/", "core/")):
            continue
        sdk = path.startswith("sdk/")
        include = ["-Isdk/include"] if sdk else ["-Isdk/include", "-Icore", "-iquote" + os.path.dirname(path),
                                                 "-I/usr/include/lua5.4", "-D_GNU_SOURCE", "-DHONE_KERN=c"]
        commands = [["gcc", "-std=c11", "-x", "c", "-Wno-unused-function"] + warn + include + [path]]
        if sdk:
            commands[0].append("-Wconversion")
        if sdk and cxx:
            commands.append([cxx, "-std=c++17", "-x", "c++", "-Wno-unused-function",
                             "-Wno-missing-field-initializers"] + warn + include + [path])
        for command in commands:
            rc, out = run([c for c in command if c != path] + ["-include", path, "/dev/null"], root)
            if rc:
                yield f"{path}: does not compile alone ({command[1]}): " + out.split("\n")[0]


def check_conversion(root, files):
    """What faces plugins is clean under -Wconversion."""
    for path in files:
        if path.startswith(("core/sandbox/", "core/abi/", "core/host/")) and path.endswith(".c"):
            rc, out = run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wconversion", "-Isdk/include",
                           "-Icore", "-DHONE_PLUGIN_DIR=\"\"", "-DHONE_DATA_DIR=\"\"", path], root)
            for line in out.split("\n"):
                if "warning:" in line or "error:" in line:
                    yield line


def check_format(root, files):
    sources = [f for f in files if f.endswith((".c", ".h"))]
    for i in range(0, len(sources), 50):
        _, out = run(["clang-format", "--dry-run"] + sources[i:i + 50], root)
        seen = set()
        for line in out.split("\n"):
            m = re.match(r"([^:]+):\d+:\d+: warning: code should be", line)
            if m and m.group(1) not in seen:
                seen.add(m.group(1))
                yield f"{m.group(1)}: not laid out by .clang-format (scripts/format {m.group(1)})"


def check_shell(root, files):
    for path in files:
        full = os.path.join(root, path)
        if path.endswith(".sh") or (path.startswith(("scripts/", ".ci/")) and "." not in os.path.basename(path)):
            with open(full, encoding="utf-8", errors="replace") as f:
                first = f.readline()
            if "sh" in first and first.startswith("#!"):
                rc, out = run(["bash" if "bash" in first else "sh", "-n", path], root)
                if rc:
                    yield f"{path}: {out}"


def check_symbols(root, build):
    """A plugin exports its entry and nothing else; libhone exports only hone_ names."""
    folder = os.path.join(build, "plugins")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".so"):
            _, out = run(["nm", "-D", "--defined-only", os.path.join(folder, name)], root)
            symbols = {line.split()[-1] for line in out.split("\n") if line}
            if symbols != {"hone_plugin_entry"}:
                yield f"{name}: exports {', '.join(sorted(symbols)) or 'nothing'}"
    library = os.path.join(build, "libhone.a")
    if os.path.exists(library):
        _, out = run(["nm", "--defined-only", "-g", library], root)
        for line in out.split("\n"):
            parts = line.split()
            if len(parts) == 3 and parts[1] in "TDBRC" and not parts[2].startswith(("hone_", "__", "_G")):
                yield f"libhone.a: global name {parts[2]} does not begin with hone_"


def check_functions(root):
    """Every function of the SDK says its thread, ownership, failure and version (docs/abi.md is made of that)."""
    rc, out = run([sys.executable, "scripts/lib/abi-functions.py"], root)
    if rc:
        yield from (line for line in out.split("\n") if " lacks its " in line or "ABI.log" in line)


def report(name, findings):
    findings = list(findings)
    print(("FAIL " if findings else "ok   ") + name)
    for line in findings[:25]:
        print("      " + line)
    if len(findings) > 25:
        print(f"      and {len(findings) - 25} more")
    return bool(findings)


def main():
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    _, out = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], root)
    files = [f for f in out.split("\n") if f and os.path.isfile(os.path.join(root, f))]
    if not files:  # a tarball
        files = [os.path.relpath(os.path.join(d, f), root) for d, _, names in os.walk(root) for f in names]
    failed = False
    texts = {}
    wanted = (".c", ".h", ".lua", ".py", ".sh", ".mk", ".am", ".ac", ".md")
    for path in files:
        if path.endswith(wanted) or (path.startswith(("scripts/", ".ci/")) and "." not in os.path.basename(path)):
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
                texts[path] = f.read()
    for name, check in TEXT_CHECKS.items():
        findings = []
        for path, text in EXAMPLES[name]:
            if not list(check(path, text)):
                findings.append(f"tests/style/style.py: the bad example {path} is not found")
        for path, text in texts.items():
            if name == "white space" and path.endswith((".mk", ".am", ".md")):
                continue
            findings.extend(check(path, text))
        failed |= report(name, findings)
    failed |= report("headers compile alone", check_headers(root, files))
    failed |= report("conversions where plugins are met", check_conversion(root, files))
    failed |= report("functions of the SDK", check_functions(root))
    failed |= report("shell scripts parse", check_shell(root, files))
    failed |= report("exported names", check_symbols(root, build))
    if shutil.which("clang-format"):
        failed |= report("clang-format", check_format(root, files))
    else:
        print("skip clang-format: it is not installed")
    sys.exit(failed)


main()
