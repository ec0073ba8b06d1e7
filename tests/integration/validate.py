"""validate.py - `hone plugin validate` is green on every shipped plugin and every new folder, and finds what is broken in one.

The second half changes a line or two of a new folder's source, for each kind, and wants the fault named: so that no
test of a kind is one that cannot fail.
"""
import concurrent.futures
import contextlib
import glob
import http.server
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tiny_llama  # noqa: E402
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
work = tempfile.TemporaryDirectory(prefix="v", dir="/tmp")
tmp = work.name + "/tmp"
os.mkdir(tmp)
env = {**os.environ, "TMPDIR": tmp, "XDG_DATA_HOME": work.name + "/data", "XDG_CONFIG_HOME": work.name + "/config",
       "XDG_CACHE_HOME": work.name + "/cache"}
os.umask(0o022)
if subprocess.run(["nm", HONE], capture_output=True, text=True).stdout.find("__asan_init") >= 0:
    skip("validate", "hone has a sanitizer of its own, whose memory the tests of memory would count")
    finish()


def hone(*args):
    return subprocess.run([HONE, *args], capture_output=True, text=True, env=env, cwd=work.name)


def validate(path, *args):
    run = hone("plugin", "validate", path, "--json", *args)
    try:
        return run, json.loads(run.stdout)["tests"]
    except ValueError:
        return run, []


def bad_of(tests):
    return [(t["component"], t["test"], t["result"], t["text"]) for t in tests if t["result"] in ("fail", "crash")]


# ---- what ships -------------------------------------------------------------------------------------------------
class Pages(http.server.BaseHTTPRequestHandler):
    """Four pages of ten rows, for the source http."""
    def do_GET(self):
        at = int(urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query).get("after", ["0"])[0])
        page = {"data": [{"id": i, "prompt": f"{i} + 2"} for i in range(at, min(at + 10, 40))]}
        body = json.dumps({**page, **({"next": str(at + 10)} if at + 10 < 40 else {})}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=server.serve_forever, daemon=True).start()
with contextlib.closing(sqlite3.connect(work.name + "/rows.db")) as db:
    db.execute("create table rows (id integer primary key, prompt text, number int)")
    db.executemany("insert into rows values (?,?,?)", [(i, f"{i} + 2", i) for i in range(40)])
    db.commit()
PROGRAMS = {  # of the components `command`
    "reward": "def score(batch):\n    return [float(len(s['completion'])) for s in batch]\n",
    "judge": """def judge(items):
    return [{'score': float(len(i['candidates'][0]))} if len(i['candidates']) == 1 else
            {'ranking': sorted(range(len(i['candidates'])), key=lambda k: (-len(i['candidates'][k]), k))} for i in items]
""",
    "source": "def rows():\n    for i in range(40):\n        yield {'prompt': f'{i} + 2', 'answer': str(i + 2)}\n"}
for kind, text in PROGRAMS.items():
    with open(f"{work.name}/{kind}.py", "w") as f:
        f.write(text)
ADBC = sorted(glob.glob(os.path.join(os.environ.get("HONE_ADBC_DRIVERS") or os.path.expanduser("~/.cache/hone/adbc"), "adbc_driver_sqlite-*.whl")))
if ADBC:
    with zipfile.ZipFile(ADBC[-1]) as z:
        driver = z.extract(next(n for n in z.namelist() if n.endswith(".so")), work.name + "/drivers")
DUCKDB = os.environ.get("HONE_DUCKDB") or shutil.which("duckdb")
known = pathlib.Path(work.name, "cache/hone/models/valued")  # a known name: a box may have it opened too
known.mkdir(parents=True)
tiny_llama.write_model(known, tiny_llama.CONFIG, tiny_llama.draw_weights())
with open(work.name + "/levels.lua", "w") as f:
    f.write("""return { id = "levels", version = "1", shape = "pointwise", task = "Is the answer right?",
  scale = { min = 0, max = 1, anchors = { "no", "yes" } } }
""")
SETTINGS = {  # without which an instance cannot be made, and grants
    "rewards": ["--set", "format.preset=boxed", "--set", "regex.pattern=(a+)b", "--set",
                "judge.judge=" + json.dumps({"component": "command", "file": work.name + "/judge.py"}), "--allow", "command:exec"],
    "command": [x for k in PROGRAMS for x in ("--set", f"{k}.command.file={work.name}/{k}.py")] + ["--allow", "command:exec", "--allow", "unit_test:exec"],
    "sqlite": ["--set", f"path={work.name}/rows.db", "--set", "table=rows"],
    "http": ["--set", f"url=http://127.0.0.1:{server.server_port}/rows", "--set", "cursor_param=after", "--set", "timeout_s=2", "--allow", "http:net"],
    "adbc": ["--set", f"driver={driver}", "--set", f"uri={work.name}/rows.db", "--set", "table=rows", "--set", "key=id", "--allow",
             f"adbc:exec,fs-read:{work.name}"] if ADBC else [],
    "sources": ["--allow", "duckdb:exec"] if DUCKDB else [],
    "reward_model": ["--set", "model=valued"],
    "rubric": ["--set", 'rubric={"id":"x","task":"t","criteria":[{"id":"a","kind":"program","verifier":{"reward":"regex","pattern":"a"}}]}']}
DONE = {  # of each component of these kinds, this test must have passed
    "reward": "reward.answers", "objective": "objective.slopes", "optimizer": "optimizer.resume", "judge": "judge.answers",
    "tokenizer": "tokenizer.round_trip", "source": "source.seek", "model": "model.gradients"}
NEEDS = {"org.hone.source.adbc": ADBC, "org.hone.source.duckdb": DUCKDB}  # what this machine may lack
plugins = sorted(glob.glob(os.path.join(os.path.dirname(HONE), "plugins", "*.so")))
check("the shipped plugins are there", len(plugins) >= 8, plugins)


def shipped(path):
    name = os.path.basename(path)[:-3]
    return name, *validate(path, "--timeout", "60", *SETTINGS.get(name, []))


# ---- new folders ------------------------------------------------------------------------------------------------
KINDS = ["reward", "judge", "tokenizer", "optimizer", "source", "objective", "model"]


def folder(kind, lang, changes=(), name=None):
    """Makes and builds one; the path of what to validate, or None and why."""
    name = name or f"{lang.replace('+', 'p')}_{kind}"
    run = hone("plugin", "new", kind, name, "--lang", lang)
    if run.returncode:
        return None, run.stderr
    ext = {"c": "c", "c++": "cpp", "lua": "lua"}[lang]
    place = os.path.join(work.name, name)
    source = os.path.join(place, f"{name}.{ext}")
    with open(source) as f:
        text = f.read()
    for old, new in changes:
        if old not in text:
            return None, f"{old!r} is not in the template"
        text = text.replace(old, new)
    with open(source, "w") as f:
        f.write(text)
    if lang == "lua":
        return source, ""
    run = subprocess.run(["make", "-s", "-C", place, "HONE=" + HONE], capture_output=True, text=True, env=env)
    return (os.path.join(place, name + ".so"), "") if run.returncode == 0 else (None, run.stderr[-600:])


def new_folder(job):
    kind, lang = job
    path, why = folder(kind, lang)
    return kind, lang, why, *(validate(path, "--timeout", "30") if path else (None, []))


# ---- broken ones ------------------------------------------------------------------------------------------------
BROKEN = [  # kind, what is changed, test, result, words of its text
    ("judge", [("    return sink->put(sink, item, &v);", "    sink->put(sink, item, &v);\n    return sink->put(sink, item, &v);")],
     "instance.call", "fail", "a second verdict on item"),
    ("judge", [("        order[at] = (uint32_t)k;\n", "        order[at] = 0;\n")], "instance.call", "fail", "names candidate 0 twice"),
    ("judge", [("        v.score = share[0];\n", "        v.score = share[0] / 0.0;\n")], "instance.call", "fail", "without a ranking"),
    ("judge", [("s >= 0 && i < n &&", "s >= 0 && i + 1 < n &&")], "judge.answers", "fail", "was not answered"),
    ("judge", [("((const char *)items + i * stride)", "(items + i)")], "judge.strides", "fail", "candidates: 1 to 64"),
    ("tokenizer", [("return text.len == 1 ?", "return text.len == 1 && text.ptr[0] != 'e' ?")],
     "tokenizer.vocabulary", "fail", "token 101 is written"),
    ("tokenizer", [("    return VOCABULARY;", "    return 100;")], "instance.call", "fail", "of a vocabulary of 100"),
    ("tokenizer", [("    memcpy(out_hex, \"b17e5001\", 8);", "    memcpy(out_hex, \"B17E5001\", 8);")],
     "tokenizer.fingerprint", "fail", "not 64 hexadecimal digits"),
    ("tokenizer", [("text[len++] = (char)id;", "text[len++] = (char)(id == 'w' ? 'W' : id);")],
     "tokenizer.round_trip", "fail", "decode(encode(x)) is"),
    ("tokenizer", [("spans[n].begin = (uint32_t)at;", "spans[n].begin = (uint32_t)at + 7;")],
     "tokenizer.offsets", "fail", "which is not in order"),
    ("model", [("    hone_tensor x = g->embed(c, m->embed, 1);",
                "    static int calls;\n    hone_tensor x = g->embed(c, m->embed, 1 + (float)(calls++ % 2));")],
     "model.generation", "fail", "when generated"),
    ("optimizer", [("    const float b1 = ", "    static float seen;\n    seen += .001f;\n    const float b1 = seen + ")],
     "optimizer.resume", "fail", "keeps something beside the host's state"),
    ("optimizer", [("k < s->length; k++", "k <= s->length; k++")], "instance.call", "crash", "past the end of"),
    ("optimizer", [("float g = s->grad[k] * scale, c", "float g = s->grad[k] / (s->grad[k] * s->grad[k]), c")],
     "optimizer.zero_gradient", "fail", "no numbers"),
    ("optimizer", [("p[k] = p[k] * keep", "p[k] = p[k] * keep + (float)k")], "optimizer.cut", "fail", "says that they may be cut"),
    ("objective", [("* p * logp - rest * (1 - p));", "* p * logp - rest);")], "objective.slopes", "fail", "slope there is"),
    ("objective", [("        if (weight == 0)\n            continue;\n", ""),
                   ("out->grad_logp[t] += weight *", "out->grad_logp[t] += .1 *")], "instance.call", "fail", "mask leaves out"),
    ("objective", [("    return hone_str_c(\"-(1 - p)^gamma log p, mean over tokens (focal loss)\");", "    return hone_str_c(\"\");")],
     "objective.show", "fail", "gives no text"),
    ("source", [("l->number = ", "l->number = 1 + ")], "source.seek", "fail", "others than straight"),
    ("source", [("    return -1;", "    return 7;")], "source.rows", "fail", "row_count says 7"),
]


def broken(job):
    number, (kind, changes, test, result, words) = job
    path, why = folder(kind, "c", changes, f"broken_{number}")
    return job, why, *(validate(path, "--timeout", "10") if path else (None, []))


with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
    for name, run, tests in pool.map(shipped, plugins):
        check(f"{name}.so is green", run.returncode == 0 and tests and not bad_of(tests), f"{run.stderr} {bad_of(tests)[:5]}")
        for who in sorted({t["component"] for t in tests if t["component"]}):
            want = DONE.get(who.split(".")[2])
            if NEEDS.get(who, True) in ([], None):
                skip(f"{who} was called", "it is not on this machine")
            elif want:
                have = {t["test"]: t for t in tests if t["component"] == who}
                check(f"{who} was called", have[want]["result"] == "pass" or "sg(" in have[want]["text"], f"{have[want]} {have['instance.call']}")
    for kind, lang, why, run, tests in pool.map(new_folder, [(k, x) for x in ("c", "c++", "lua") for k in KINDS] +
                                                    [("environment", "c"), ("environment", "lua")]):
        name = f"hone plugin new {kind} --lang {lang}"
        check(name + " builds", run is not None, why)
        if run is None:
            continue
        check(name + " is green", run.returncode == 0 and not bad_of(tests), f"{run.stderr} {bad_of(tests)}")
        check(name + " was called", any(t["test"] == "instance.call" and t["result"] == "pass" for t in tests), tests[-3:])
    for (number, (kind, changes, test, result, words)), why, run, tests in pool.map(broken, enumerate(BROKEN)):
        if run is None:
            check(f"broken {kind} {test} builds", False, why)
            continue
        have = {t["test"]: t for t in tests}.get(test, {"result": "missing", "text": run.stderr})
        check(f"broken {kind}: {test} is {result} ({words})", have["result"] == result and words in have["text"],
              f"{have}; found: {bad_of(tests)}")

# ---- components that ask models -----------------------------------------------------------------------------------
FEWER = "64 instead of 4096: it asks a model"


def texts(tests):
    return {t["test"]: (t["result"], t["text"]) for t in tests}


for kind in "judge", "reward":
    run, tests = validate(f"org.hone.{kind}.reward_model", *SETTINGS["reward_model"])
    got = texts(tests)
    check(f"a reward model is asked as a {kind}, in a box too, with smaller batches", run.returncode == 0 and got["instance.batches"] == ("pass", FEWER) and
      {got[x][0] for x in ("instance.call", "instance.leak", "instance.no_memory", "instance.grants", "instance.deterministic", "instance.batch_invariant",
                           "instance.boxed", "fuzz.boxed", f"{kind}.answers")} == {"pass"}, got)
run, tests = validate("org.hone.judge.reward_model", "--set", f"model={known}")
check("a folder is read by the host, and by none for a box", run.returncode == 0 and texts(tests)["instance.grants"][0] == "pass" and
      "may not have the model" in texts(tests)["instance.boxed"][1], texts(tests))
run, tests = validate("org.hone.judge.reward_model", "--set", "model=tiny", "--only", "instance.create")
check("a model without a head", run.returncode == 1 and "has no reward model's head" in str(bad_of(tests)), tests)
for more in ([], ["--set", "backend=model", "--set", "model=tiny"], ["--set", 'decoding={"mode":"generate","max_tokens":8}']):
    run, tests = validate("rubric", "--set", f"rubric={work.name}/levels.lua", *more, "--timeout", "30")
    got = texts(tests)
    check(f"a rubric of a file, a model's answers {more}", run.returncode == 0 and got["instance.batches"] == ("pass", FEWER) and
          got["instance.boxed"][0] == got["instance.grants"][0] == "pass", bad_of(tests) or got)
ASKER = """
#include "hone/hone.h"
#include "hone/scorer.h"
#include "hone/judging.h"
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct self { const hone_host *host; hone_ref scorer; };
static const hone_str labels[2] = {{"yes", 3}, {"no", 2}};
struct told { hone_outcome *out; size_t stride; };
static hone_status put(const hone_label_sink *s, size_t i, const double *x, size_t n, uint64_t tokens)
{
    struct told *t = s->ctx;
    (void)tokens;
    hone_outcome_set(t->out, t->stride, i, HONE_SCORE, (float)(n ? exp(x[0]) + BATCH * (double)i : -1));
    return HONE_OK;
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    const hone_model_scorer_v1 *m = s->scorer.vt;
    struct told t = {out, ostride};
    hone_label_sink sink = {sizeof sink, 0, &t, put};
    hone_label_item *items = calloc(n + 1, sizeof *items);
    (void)notes;
    if (!items) return hone_host_fail(s->host, HONE_E_NOMEM, "no memory");
    for (size_t i = 0; i < n; i++)
        items[i] = (hone_label_item){.prompt = {"Is it right? ", 13}, .begin = hone_sample_at(in, stride, i)->completion,
                                     .labels = labels, .n_labels = 2};
    hone_status st = m->labels(s->scorer.self, call, (hone_str){"", 0}, items, n, sizeof *items, &sink);
    free(items);
    return st;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    hone_ref judging;
    uint64_t spec;
    struct self *s = calloc(1, sizeof *s);
    if (!s) return hone_host_fail(host, HONE_E_NOMEM, "no memory");
    s->host = host;
    hone_pair p = {hone_str_c("rubric"), {.type = HONE_STRING, .u.str = cfg->str(cfg, 0)}};
    hone_value settings = {.type = HONE_MAP, .u.map = {&p, 1}};
    hone_status st = host->get_iface(host, HONE_IFACE_SCORER, &s->scorer);
    if (st >= 0) st = host->get_iface(host, HONE_IFACE_JUDGING, &judging);
    if (st >= 0) {
        const hone_judging_v1 *j = judging.vt;
        st = j->open(judging.self, &settings, &spec); /* the host reads it */
        if (st >= 0) j->close(judging.self, spec);
    }
    if (OPENS && st >= 0) {
        char path[256];
        hone_str own = cfg->str(cfg, 0);
        memcpy(path, own.ptr, own.len);
        path[own.len] = 0;
        close(open(path, O_RDONLY)); /* the very file that the host may read */
    }
    if (st < 0) free(s);
    else *out = s;
    return st;
}
static void destroy(void *self) { free(self); }
static const hone_field *const fields[] = {HONE_STR("rubric", NULL, HONE_REQUIRED, "a file"), NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get_iface(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : NULL; }
static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const hone_component c = {.struct_size = sizeof c, .id = "org.test.reward.asker", .kind = HONE_KIND_REWARD, .version = "1.0.0", .summary = "of a test",
    .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT | HONE_CAP_REENTRANT | HONE_CAP_SLOW, .fields = fields, .provides = provides,
    .create = create, .destroy = destroy, .get_iface = get_iface};
static const hone_component *const all[] = {&c, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
HONE_EXPORT const hone_entry *hone_plugin_entry(void) { return &entry; }
"""
with open(work.name + "/asker.c", "w") as f:
    f.write(ASKER)


def asker(name, *defines):
    so = f"{work.name}/{name}.so"
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w", "-I" + ROOT + "/sdk/include", *defines, "-o", so,
                          work.name + "/asker.c", "-lm"], capture_output=True, text=True)
    check(name + " compiles", run.returncode == 0, run.stderr)
    return texts(validate(so, "--set", f"rubric={os.path.relpath(work.name + '/levels.lua', work.name)}", "--timeout", "30")[1])


got = asker("asker", "-DBATCH=0", "-DOPENS=0")
check("who asks the run's model, from two threads too", all(got[x][0] == "pass" for x in (
    "instance.call", "instance.batch_invariant", "instance.reentrant", "instance.leak", "instance.grants", "instance.boxed", "fuzz.chance", "reward.answers")) and
    not [x for x in got.items() if x[1][0] in ("fail", "crash")], got)
got = asker("batchy", "-DBATCH=1e-3", "-DOPENS=0")
check("whose answers depend on the batch", got["instance.batch_invariant"][0] == "fail" and "BATCH_INVARIANT" in got["instance.batch_invariant"][1], got)
got = asker("opener", "-DBATCH=0", "-DOPENS=1")
check("who opens the file that the host reads for it", got["instance.grants"] == ("fail", "opened a file without FS_READ: levels.lua"), got)

# ---- kinds without a template, in Lua ---------------------------------------------------------------------------
IN_LUA = {
    "sink": """local n = 0
return { kind = "sink", id = "counting", event = function(kind, fields) n = n + 1 end, flush = function() end }
""",
    "advantage": """return { kind = "advantage", id = "plus", caps = { "deterministic" }, compute = function(b)
  local out = {}
  for s = 1, b.n_seqs do out[s] = b.rewards[s] end
  return out
end }
""",
    "third": """return { kind = "com.acme.kind.map", id = "mine",
  nearest = function(points)
    if #points < 2 then error "no points" end
    return { x = points[2].x, y = points[2].y }, 1
  end,
  words = function(text, n, sink) for w in text:gmatch "%a+" do sink:put(#w, w) end end,
  scaled = function(list, by) local out = {} for i = 1, #list do out[i] = list[i] * by end return out end,
  name = function() return "mine" end,
  mid = function(p) return (p.x + p.y) / 2 end }
"""}
os.mkdir(work.name + "/acme")
acme = work.name + "/acme/acme.so"
run = subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + ROOT + "/sdk/include", "-o", acme,
                      ROOT + "/tests/unit/plugins/acme.c", "-lm"], capture_output=True, text=True)
check("a third party's plugin compiles", run.returncode == 0, run.stderr)
run, tests = validate(acme, "--set", "over.map=map")
check("a third party's kind is green", run.returncode == 0 and not bad_of(tests), bad_of(tests))
for who in ("map", "over"):
    passed = {t["test"] for t in tests if t["component"] == "com.acme.map." + who and t["result"] == "pass"}
    check(f"a third party's {who} is called, in a box too", {"instance.call", "instance.leak", "instance.boxed", "fuzz.ordinary", "fuzz.chance"} <= passed
          or who == "over", passed)  # `over` is given a component, which lies in another box
kind = work.name + "/acme/kind.so"
run = subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + ROOT + "/sdk/include", "-o", kind,
                      ROOT + "/tests/hostile/kind_good.c"], capture_output=True, text=True)
check("a kind of its own compiles", run.returncode == 0, run.stderr)
for seed in ("5", "7", "20"):  # cases with denormal numbers among them: a box computes in the same mode
    run, tests = validate(kind, "--only", "fuzz", "--seed", seed)
    check(f"a kind of its own, seed {seed}", run.returncode == 0 and {"fuzz.boxed", "fuzz.chance"} <= {t["test"] for t in tests if t["result"] == "pass"},
          bad_of(tests))
for name, text in IN_LUA.items():
    with open(f"{work.name}/{name}.lua", "w") as f:
        f.write(text)
    run, tests = validate(f"{work.name}/{name}.lua", "--plugin-path", acme)
    passed = {t["test"] for t in tests if t["result"] == "pass"}
    check(f"{name} in Lua is green", run.returncode == 0 and not bad_of(tests), f"{run.stderr} {bad_of(tests)}")
    check(f"{name} in Lua is called", "instance.call" in passed and (name == "advantage" or "fuzz.chance" in passed), sorted(passed))
run, tests = validate(f"{work.name}/third.lua")
check("a kind that nobody describes", run.returncode == 1 and "there is no kind" in str(bad_of(tests)), bad_of(tests))
path, why = folder("objective", "lua", [("b.logp:exp()", "b.logp:exp():detach()")], "broken_lua")
run, tests = validate(path)
check("a Lua loss whose gradient is not its slope", ("objective.slopes", "fail") in [t[1:3] for t in bad_of(tests)], bad_of(tests))

# ---- what the page says ----
page, code = set(), set()
with open(ROOT + "/docs/validate.md") as f:
    page = set(re.findall(r"`([a-z]+\.[a-z_]+)`", f.read()))
for path in glob.glob(ROOT + "/core/cli/validate_*.c"):
    with open(path) as f:
        code |= set(re.findall(r'^    \{"([a-z]+\.[a-z_]+)", t_|^    \{"([a-z]+\.[a-z_]+)",\s', f.read(), re.M))
code = {a or b for a, b in code}
check("docs/validate.md names every test, and no other", page - {"judge.judge"} == code, (page ^ code))

# ---- how it is used ---------------------------------------------------------------------------------------------
run = hone("plugin", "validate", "length")
check("a component by its name", run.returncode == 0 and "org.hone.reward.length  (reward)" in run.stdout and
      "exact_match" not in run.stdout, run.stdout + run.stderr)
run = hone("plugin", "validate", "length", "--only", "reward")
check("--only a group", run.returncode == 0 and "reward.answers" in run.stdout and "instance." not in run.stdout, run.stdout)
run = hone("plugin", "validate", "length", "--only", "instance.call", "--in-process", "--seed", "9")
check("--in-process", run.returncode == 0 and "ok     instance.call" in run.stdout, run.stdout + run.stderr)
run = hone("plugin", "validate", acme, "--only", "fuzz.chance", "--in-process", "--set", "over.map=map")
check("--in-process, the fuzzer", run.returncode == 0 and run.stdout.count("ok     fuzz.chance") == 2, run.stdout + run.stderr)
one, two = (hone("plugin", "validate", "math_answer", "--json", "--seed", "5").stdout for _ in range(2))
check("the same seed, the same report", one == two and json.loads(one)["seed"] == 5, one[:200])
run = hone("plugin", "validate", "./nowhere.so")
check("no such file", run.returncode == 1 and "nowhere.so" in run.stderr, run.stderr)
run = hone("plugin", "validate", "lenth")
check("a slip", run.returncode == 1 and 'did you mean "length"' in run.stderr, run.stderr)
run = hone("plugin", "validate", "regex")
check("a setting that is required is asked for", run.returncode == 0 and "--set pattern=" in run.stdout, run.stdout)
run = hone("plugin", "validate", "length", "--set", "valu=3")
check("a slip in a setting", run.returncode == 1 and "valu" in run.stdout, run.stdout)
check("its folder for files is gone", not os.listdir(tmp), os.listdir(tmp))
finish()
