"""sinks.py - a run's events reach the sinks that its recipe names: in C (in a box and in process) and in Lua.

The sink in C is built here against sdk/ alone and appends one line an event to a file.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = os.path.abspath(os.environ["HONE"])
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
os.environ.update(XDG_CONFIG_HOME=scratch.name + "/config", XDG_DATA_HOME=scratch.name + "/data")
os.environ.pop("HONE_PLUGIN_PATH", None)

SINK = r"""
#include "hone/plugin.h"
#include "hone/sink.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct lines { FILE *f; int64_t full_at, n; const hone_host *host; } lines;

static hone_status event(void *self, hone_str kind, const hone_value *fields)
{
    lines *l = self;
    if (l->n++ == l->full_at)
        return hone_host_fail(l->host, HONE_E_IO, "the disk is full");
    fprintf(l->f, "%.*s", (int)kind.len, kind.ptr);
    for (size_t i = 0; i < fields->u.map.n; i++) {
        const hone_pair *p = &fields->u.map.pairs[i];
        fprintf(l->f, "\t%.*s=", (int)p->key.len, p->key.ptr);
        if (p->value.type == HONE_I64)
            fprintf(l->f, "%lld", (long long)p->value.u.i64);
        else if (p->value.type == HONE_F64)
            fprintf(l->f, "%.17g", p->value.u.f64);
        else if (p->value.type == HONE_STRING)
            fprintf(l->f, "%.*s", (int)p->value.u.str.len, p->value.u.str.ptr);
    }
    fputc('\n', l->f);
    return HONE_OK;
}
static hone_status flush(void *self)
{
    fprintf(((lines *)self)->f, "flush\n");
    return fflush(((lines *)self)->f) ? HONE_E_IO : HONE_OK;
}
static const hone_sink_v1 vt = {sizeof vt, 0, event, flush};
static const hone_field *const fields[] = {HONE_STR("file", NULL, HONE_REQUIRED, "where to"),
                                           HONE_INT("full_at", -1, -1, 1000, 0, "event that fails"), NULL};
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    lines *l = calloc(1, sizeof *l);
    char name[4096];
    hone_str file = cfg->str(cfg, 0);
    snprintf(name, sizeof name, "%.*s", (int)file.len, file.ptr);
    if (!l || !(l->f = fopen(name, "a"))) {
        free(l);
        return hone_host_fail(host, HONE_E_IO, "%s cannot be written", name);
    }
    l->host = host;
    l->full_at = cfg->i64(cfg, 1);
    *out = l;
    return HONE_OK;
}
static void destroy(void *self)
{
    fclose(((lines *)self)->f);
    free(self);
}
HONE_DEFINE_SINK(component, vt, .id = "com.acme.sink.lines", .version = "1.0.0", .summary = "events as lines", .caps = HONE_CAP_FS_WRITE,
                 .fields = fields, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000101, &component);
"""
RECIPE = """
local hone = require "hone"
local seen = {}
local run = hone.run { name = "sinks", seed = 3, checkpoint = { every = 2 }, sinks = { SINKS } }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4 } }
local data = { { prompt = "2+3", answer = "5" }, { prompt = "4+4", answer = "8" } }
local rows, rewards = hone.rows(data), { hone.reward("length") }
for step, prompts in run:steps(3, rows:epochs():batches(2)) do
  local r = policy:rollout(prompts, { n = 2, max_tokens = 4, rewards = rewards })
  policy:update { r, objective = "grpo", advantage = "group" }
  if step == 2 then policy:eval { hone.rows(data), rewards = rewards, max_tokens = 4, name = "held" } end
end
for i, line in ipairs(seen) do run:say("seen %s", line) end
"""
LUA = """hone.sink { id = "lua", event = function(kind, fields)
  seen[#seen + 1] = kind .. " " .. tostring(fields.step) .. " " .. tostring(fields["reward/mean"])
  if kind == "eval" then seen[#seen] = seen[#seen] .. " " .. fields.name .. " " .. fields.reward .. " " .. fields.n end
end, flush = function() seen[#seen + 1] = "flush" end }"""


def hone(*args):
    run = subprocess.run([HONE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return run.returncode, run.stdout + run.stderr


def run(name, sinks, *args):
    with open(name + ".lua", "w") as f:
        f.write(RECIPE.replace("SINKS", sinks))
    return hone("run", name + ".lua", "--run-dir", name, *args)


if not os.path.exists(os.path.join(ROOT, "assets", "tiny", "config.json")):
    skip("sinks", "there is no embedded model", 12)
    finish()

# ---- in Lua ----------------------------------------------------------------------------------------------
rc, text = run("lua", LUA)
steps = [json.loads(line) for line in open("lua/metrics.jsonl")] if rc == 0 else []
want = ["run nil nil"]
for s in steps:
    if s["step"] == 2:
        want.append("eval 2 nil held length 2")
    want.append("step %d %s" % (s["step"], s["reward/mean"]))
    if s["step"] != 1:
        want += ["checkpoint %d nil" % s["step"], "flush"]
seen = [line[5:] for line in text.splitlines() if line.startswith("seen ")]


def plain(lines):
    return [" ".join(str(float(w)) if w.replace(".", "").isdigit() else w for w in line.split()) for line in lines]


check("a sink in Lua gets every event in its order", rc == 0 and len(steps) == 3 and plain(seen) == plain(want), text)
alone = open("lua/metrics.jsonl").read() if rc == 0 else ""
rc, text = run("fails", 'hone.sink { id = "bad", event = function(kind) if kind == "step" then error("no room") end end }, ' + LUA)
check("one that fails is told once, and the others go on", rc == 0 and text.count("no room") == 1 and "recipe.sink.bad" in text and
      text.count("seen step") == 3, text)
check("and the run's bytes are the same", rc == 0 and open("fails/metrics.jsonl").read() == alone, text)
rc, text = run("wrong", 'hone.component("reward", "length")')
check("what is no sink is refused", rc == 1 and "is no sink" in text, text)
rc, text = run("none", '"no_such_sink"')
check("a name that nobody has is refused", rc != 0 and "no_such_sink" in text, text)
rc, text = run("dry", LUA, "--dry-run")
check("a plan sends nothing", rc == 0 and "seen" not in text.replace("seen)", ""), text)

# ---- in C ------------------------------------------------------------------------------------------------
cc = shutil.which(os.environ.get("CC", "cc").split()[-1])
if not cc:
    skip("sinks in C", "there is no compiler", 5)
    finish()
with open("lines.c", "w") as f:
    f.write(SINK)
built = subprocess.run([cc, "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I",
                        os.path.join(ROOT, "sdk", "include"), "-o", "lines.so", "lines.c"], capture_output=True, text=True)
check("a sink builds against the SDK", built.returncode == 0, built.stderr)
NAMED = 'hone.sink("lines", { file = "%s/%s" })'


def lines_of(name):
    return open(name).read().splitlines() if os.path.exists(name) else []


def expected(run_dir):
    """(kind, step, mean reward) in the order in which a sink gets them."""
    out = [("run", None, None)]
    for s in map(json.loads, open(run_dir + "/metrics.jsonl")):
        out += [("eval", 2, None)] * (s["step"] == 2) + [("step", s["step"], s["reward/mean"])]
        out += [("checkpoint", s["step"], None), ("flush", None, None)] * (s["step"] != 1)
    return out + [("done", 3, None), ("flush", None, None)]


def parsed(lines):
    out = []
    for line in lines:
        kind, *fields = line.split("\t")
        f = dict(x.split("=", 1) for x in fields)
        out.append((kind, int(float(f["step"])) if "step" in f else None, float(f["reward/mean"]) if "reward/mean" in f else None))
    return out


os.mkdir("out")
os.environ["HONE_PLUGIN_PATH"] = scratch.name + "/lines.so"
rc, text = run("boxed", NAMED % (scratch.name, "out/boxed"), "--allow=lines:fs-write:" + scratch.name + "/out")
if rc == 3 and "box" in text:
    skip("a sink in a box", "this machine has no Landlock or no seccomp", 1)
else:
    check("a sink in C, in a box", rc == 0 and parsed(lines_of("out/boxed")) == expected("boxed"), text + str(lines_of("out/boxed")))
rc, text = hone("plugin", "trust", "lines.so")
check("it is trusted", rc == 0, text)
rc, text = run("trusted", NAMED % (scratch.name, "out/trusted") + ", " + LUA, "--allow=lines:fs-write:" + scratch.name + "/out")
check("a sink in C, in process, beside one in Lua", rc == 0 and parsed(lines_of("out/trusted")) == expected("trusted") and
      text.count("seen step") == 3, text + str(lines_of("out/trusted")))
rc, text = run("full", 'hone.sink("lines", { file = "%s/out/full", full_at = 1 }), %s' % (scratch.name, LUA),
               "--allow=lines:fs-write:" + scratch.name + "/out")
check("one in C that fails is told with its text", rc == 0 and text.count("the disk is full") == 1 and text.count("seen step") == 3, text)

finish()
