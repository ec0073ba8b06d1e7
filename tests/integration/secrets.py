"""secrets.py - a setting with HONE_SECRET appears nowhere: not in what a run leaves, in what is printed, in the list of processes, in
core dumps; boxed and in process, for a plugin that says it wherever it can, and for command, http and adbc."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory()
work = pathlib.Path(temp.name)
SECRET = "hush-4d1f0b7c"
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C", "THE_KEY": SECRET}
env.pop("HONE_PLUGIN_PATH", None)
(work / "key.txt").write_text(SECRET + "\n")
sanitized = "__asan_init" in subprocess.run(["nm", HONE], capture_output=True, text=True).stdout

PLUGIN = r"""
#include "hone/reward.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
enum { KEY };
static const hone_field *const fields[] = {HONE_STR("key", "", HONE_SECRET, "a key"), NULL};
typedef struct it { const hone_host *host; char key[100]; } it;
static int is(hone_str s, const char *z) { return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0; }
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    static it one;
    hone_str k = cfg->str(cfg, KEY);
    one.host = host;
    snprintf(one.key, sizeof one.key, "%.*s", (int)k.len, k.ptr);
    hone_host_log(host, HONE_LEVEL_INFO, "created with %s", one.key);
    *out = &one;
    return strcmp(one.key, "bad") == 0 ? hone_host_fail(host, HONE_E_INVALID, "the key %s is bad", one.key) : HONE_OK;
}
static void destroy(void *self) { (void)self; }
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    it *x = self;
    (void)call;
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, stride, i);
        hone_host_log(x->host, HONE_LEVEL_WARN, "scoring with %s", x->key);
        if (is(s->completion, "fail")) return hone_host_fail(x->host, HONE_E_FAIL, "no answer for %s", x->key);
        if (is(s->completion, "print")) fprintf(stderr, "printed %s\n", x->key);
        if (is(s->completion, "crash")) { fprintf(stderr, "dying with %s\n", x->key); abort(); }
        if (is(s->completion, "note")) {
            char text[200];
            snprintf(text, sizeof text, "noted %s", x->key);
            hone_value v = {.type = HONE_STRING, .u.str = hone_str_c(text)};
            notes->put(notes, i, hone_str_c("why"), &v);
        }
        if (is(s->completion, "sleep")) { struct timespec t = {1, 0}; nanosleep(&t, NULL); }
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)(s->completion.len % 7));
    }
    return HONE_OK;
}
static const hone_reward_v1 table = {.struct_size = sizeof table, .score = score};
static const void *get_iface(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : NULL; }
static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const hone_component teller = {.struct_size = sizeof teller, .id = "org.test.reward.teller", .kind = HONE_KIND_REWARD, .version = "1.0.0",
    .summary = "tells", .fields = fields, .provides = provides, .caps = HONE_CAP_BATCH_INVARIANT, .create = create, .destroy = destroy,
    .get_iface = get_iface};
static const hone_component *const all[] = {&teller, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
HONE_EXPORT const hone_entry *hone_plugin_entry(void) { return &entry; }
"""
(work / "teller.c").write_text(PLUGIN)
so = work / "teller.so"
run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w", "-I" + str(ROOT / "sdk/include"), "-o", so,
                      work / "teller.c"], capture_output=True, text=True)
check("the teller compiles", run.returncode == 0, run.stderr)


def hone(*args, more=None, cwd=work):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, env={**env, **(more or {})}, cwd=cwd, timeout=200, errors="replace")


def silent(name, *texts):
    for text in texts:
        at = text.find(SECRET)
        check(name, at < 0, text[max(0, at - 200):at + 100])


def inside(folder):
    """Everything in the files of a folder, unpacked."""
    found = ""
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True).stdout or data
            found += f"\n== {path}\n" + data.decode("latin-1")
    return found


def rows(*completions):
    path = work / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": "?", "completion": c}) + "\n" for c in completions))
    return path


RECIPE = """local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "secret", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
local reward = hone.reward("teller", { key = "%s" })
for step, prompts in run:steps(2, hone.rows(stories.list(5, "train", 8)):epochs():batches(2)) do
  local rollout = policy:rollout(prompts, { n = 2, max_tokens = 8, rewards = { reward } })
  policy:update { rollout, objective = "grpo", advantage = { "group", missing = "skip" } }
end
run:save()
"""
FAILING = RECIPE.replace("policy:update {", 'error("the end of " .. tostring(reward)) policy:update {')

for where in ("boxed", "in process"):
    if where == "in process":
        check("trusted now", hone("plugin", "trust", so).returncode == 0)
    for given in ("env:THE_KEY", f"file:{work}/key.txt"):
        place = f"{where}, {given[:4]}"
        sets = ["--reward", so, "--set", "key=" + given]
        run = hone("score", *sets, "--data", rows("a", "note", "fail"), "--json")
        check(f"{place}: it was told and said so", "(secret)" in run.stderr, run.stderr[-400:])
        silent(f"{place}: the log, the error text, notes", run.stdout, run.stderr)
        if where == "boxed":
            run = hone("score", *sets, "--data", rows("print", "crash"), "--json")
            check(f"{place}: the death is said", "dying with (secret)" in run.stdout, run.stdout)
            silent(f"{place}: what it printed, and the text of its death", run.stdout, run.stderr)
            silent(f"{place}: the quarantine", hone("plugin", "quarantine", "--json").stdout, inside(work / "config"))
            hone("plugin", "quarantine", "clear", "--all")
        (work / "recipe.lua").write_text(RECIPE % given)
        target = work / ("run-" + place.replace(" ", "-").replace(",", "").replace(":", ""))
        with_path = {"HONE_PLUGIN_PATH": str(so), "HONE_RECORD": str(work / "calls.rec")}
        allow = [] if given[:4] == "env:" else [f"--allow=fs-read:{work}/key.txt"]
        run = hone("run", "recipe.lua", "--run-dir", target, *allow, more=with_path)
        check(f"{place}: a run", run.returncode == 0, run.stderr[-600:])
        silent(f"{place}: what a run prints", run.stdout, run.stderr)
        silent(f"{place}: what it leaves, and the record of its calls", inside(target), (work / "calls.rec").read_bytes().decode("latin-1"))
        check(f"{place}: the reward is in run.json", "teller" in (target / "run.json").read_text(), "")
        run = hone("report", target, "--out", work / "report.html")
        page = work / "report.html"
        text = page.read_text() if page.exists() else inside(target)
        check(f"{place}: a report", run.returncode == 0 and "teller" in text, run.stderr)
        silent(f"{place}: the report", text, run.stdout)
        (work / "failing.lua").write_text(FAILING % given)
        run = hone("run", "failing.lua", "--run-dir", str(target) + "-failed", *allow, more=with_path)
        check(f"{place}: a recipe that fails", run.returncode != 0, run.stdout)
        silent(f"{place}: what a failed run says and leaves", run.stdout, run.stderr, inside(str(target) + "-failed"))

    # ---- the list of processes, core dumps
    rows("sleep", "sleep")
    p = subprocess.Popen([HONE, "score", "--reward", so, "--set", f"key=file:{work}/key.txt", "--data", work / "rows.jsonl", "--json"], cwd=work,
                         env={k: v for k, v in env.items() if k != "THE_KEY"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen, told = set(), ""
    while p.poll() is None:
        time.sleep(0.05)
        for pid in [p.pid, *(int(x) for t in pathlib.Path(f"/proc/{p.pid}/task").glob("*/children") for x in t.read_text().split())] if p.poll() is None else []:
            try:
                told += "".join(pathlib.Path(f"/proc/{pid}/{f}").read_bytes().decode("latin-1") for f in ("cmdline", "environ", "comm"))
                seen.add(pid)
            except OSError:
                pass
    check(f"{where}: the processes were seen", len(seen) >= (2 if where == "boxed" else 1), seen)
    silent(f"{where}: the list of processes", told)

    def dies(key):
        """A crash with core dumps allowed, in a folder of its own: the files it leaves."""
        folder = work / f"core-{where[:2]}-{bool(key)}"
        folder.mkdir()
        rows("crash")
        sets = ["--set", "key=" + key] if key else []
        subprocess.run(["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", HONE, "score", "--reward", str(so), *sets, "--data",
                        str(work / "rows.jsonl"), "--json"], cwd=folder, env=env, capture_output=True, timeout=100)
        return [f.name for f in folder.iterdir()]

    check(f"{where}: a crash leaves no core dump", dies("env:THE_KEY") == [], "")
    if where == "in process" and not sanitized:
        if pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip() not in ("core", "core.%p"):
            skip("a crash without a secret", "core dumps go elsewhere here")
        else:
            check("without a secret it leaves one, so the test can fail", dies("") != [], "")

# ---- components that ship with hone -------------------------------------------------------------------------------------------------
(work / "reward.py").write_text("import os, sys\ndef score(batch):\n    print(dict(os.environ), sys.argv, file=sys.stderr)\n    raise ValueError(str(dict(os.environ)))\n")
cases = {"http": (["--set", "url=http://127.0.0.1:9/x", "--set", "secret=env:THE_KEY", "--set", "retries=0"], ["--allow=http:net"]),
         "adbc": (["--set", "driver=/nowhere/driver.so", "--set", "uri=env:THE_KEY", "--set", "password=env:THE_KEY", "--set", "query=select 1"],
                  ["--allow=adbc:exec,net"])}
for name, (sets, allow) in cases.items():
    run = hone("data", "head", "--source", name, *sets, *allow)
    check(f"{name}: fails without its server", run.returncode != 0, run.stdout + run.stderr)
    silent(f"{name}: its error", run.stdout, run.stderr)
    run = hone("plugin", "inspect", name, "--json")
    silent(f"{name}: inspect", run.stdout)
run = hone("score", "--reward", "command", "--set", "file=reward.py", "--allow=command:exec", "--data", rows("a"), "--json")
check("command: a program that tells what it has", "ValueError" in run.stdout + run.stderr, run.stdout + run.stderr)
silent("command: the environment is not its", run.stdout, run.stderr)
for wrong in ("env:NOT_THERE_" + "X", "file:/nowhere/key", SECRET):
    run = hone("score", "--reward", so, "--set", "key=" + wrong, "--set", "kye=1", "--data", rows("a"), "--json")
    silent("an error about settings", run.stdout, run.stderr)
finish()
