"""box_source.py - untrusted sources in boxes: the rows they give in process, whoever kills the boxes; what is odd is an error
with a name, and the host lives.

One plugin does everything; its setting `fault` says which oddity, `rows` how many rows, `batch` rows a batch.
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from boxes import boxes_of  # noqa: E402
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory()
work = pathlib.Path(temp.name)
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
env.pop("HONE_PLUGIN_PATH", None)

PLUGIN = r"""
#include "hone/source.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
enum { FAULT, ROWS, BATCH, SLOW, PASSWORD };
static const hone_field *const fields[] = {HONE_STR("fault", "", 0, "what goes wrong"), HONE_INT("rows", 1000, 0, 1000000000000, 0, "rows"),
    HONE_INT("batch", 100, 1, 1 << 28, 0, "rows a batch"), HONE_FLAG("slow", 0, 0, "3 ms a batch"),
    HONE_STR("password", "", HONE_SECRET, "of the server"), NULL};
typedef struct source { const hone_host *host; char fault[40]; int64_t rows, batch, at; int slow, got; int64_t limit; char error[100], password[40]; } source;
static int is(const source *s, const char *z) { return strcmp(s->fault, z) == 0; }
/* rows: i int64, null where i % 7 is 3; t utf8; l list of int32; d dictionary */
typedef struct block {
    struct ArrowArray col[4], item, dict, *cols[4], *items[1];
    const void *b[4][3], *bi[2], *bd[3], *none[1];
    int64_t *i; unsigned char *valid; int32_t *ends, *list_ends, *values; char *text; int8_t *d;
} block;
static void free_col(struct ArrowArray *a) { a->release = NULL; }
static void free_batch(struct ArrowArray *a)
{
    block *k = a->private_data;
    free(k->i); free(k->valid); free(k->ends); free(k->list_ends); free(k->values); free(k->text); free(k->d); free(k);
    a->release = NULL;
}
static void never(struct ArrowArray *a) { (void)a; }
static int get_next(struct ArrowArrayStream *st, struct ArrowArray *out)
{
    static const int32_t dict_ends[4] = {0, 3, 3, 8};
    source *s = st->private_data;
    int64_t left = s->rows - s->at, n = left < s->batch ? left : s->batch;
    memset(out, 0, sizeof *out);
    s->error[0] = 0;
    if (s->slow) { struct timespec ts = {0, 3000000}; nanosleep(&ts, NULL); }
    if (is(s, "crash") && s->at >= 300) *(volatile int *)8 = 1;
    if (is(s, "exit") && s->at >= 300) exit(3);
    if (is(s, "hang") && s->at >= 300) for (;;) pause();
    if ((is(s, "die_later") || is(s, "other_columns")) && s->got++ == 4) *(volatile int *)8 = 1; /* a fresh box has its four calls */
    if (is(s, "error") && s->at >= 300) { snprintf(s->error, sizeof s->error, "the server said no"); return EIO; }
    if (is(s, "tells")) { snprintf(s->error, sizeof s->error, "no such host: db://me:%s@there", s->password); return EIO; }
    if (is(s, "silent") && s->at >= 300) return EINVAL;
    if (is(s, "odd_errno")) return -5;
    if (is(s, "bad_text") && s->at >= 300) { strcpy(s->error, "\xff\x01 no"); return EIO; }
    if (is(s, "forks")) { snprintf(s->error, sizeof s->error, "fork %s, socket %s, file %s", fork() < 0 ? "no" : "yes",
        socket(AF_INET, SOCK_STREAM, 0) < 0 ? "no" : "yes", open("/etc/passwd", O_RDONLY) < 0 ? "no" : "yes"); return EIO; }
    if (n <= 0) return 0;
    block *k = calloc(1, sizeof *k);
    size_t cap = (size_t)n;
    k->i = malloc(8 * cap); k->valid = calloc(1, cap / 8 + 1); k->ends = calloc(cap + 1, 4); k->list_ends = calloc(cap + 1, 4);
    k->values = malloc(8 * cap); k->text = malloc(24 * cap); k->d = malloc(cap);
    for (int64_t r = 0; r < n; r++) {
        int64_t x = s->at + r;
        k->i[r] = x * 3;
        if (x % 7 != 3) k->valid[r / 8] |= (unsigned char)(1 << r % 8);
        k->ends[r + 1] = k->ends[r] + sprintf(k->text + k->ends[r], "row %lld\xc3\xa9", (long long)x);
        k->list_ends[r + 1] = k->list_ends[r];
        for (int q = 0; q < x % 3; q++) k->values[k->list_ends[r + 1]++] = (int)x + q;
        k->d[r] = (int8_t)(x % 3);
    }
    k->b[0][0] = k->valid; k->b[0][1] = k->i; k->b[1][1] = k->ends; k->b[1][2] = k->text; k->b[2][1] = k->list_ends; k->bi[1] = k->values;
    k->b[3][1] = k->d; k->bd[1] = dict_ends; k->bd[2] = "onethree";
    for (int c = 0; c < 4; c++) {
        k->cols[c] = &k->col[c];
        k->col[c] = (struct ArrowArray){.length = n, .null_count = c ? 0 : -1, .n_buffers = c == 1 ? 3 : 2, .buffers = k->b[c], .release = free_col};
    }
    k->item = (struct ArrowArray){.length = k->list_ends[n], .n_buffers = 2, .buffers = k->bi, .release = free_col};
    k->items[0] = &k->item; k->col[2].n_children = 1; k->col[2].children = k->items;
    k->dict = (struct ArrowArray){.length = 3, .n_buffers = 3, .buffers = k->bd, .release = free_col};
    k->col[3].dictionary = &k->dict;
    *out = (struct ArrowArray){.length = n, .n_buffers = 1, .buffers = k->none, .n_children = 4, .children = k->cols, .release = free_batch, .private_data = k};
    if (s->at >= 300) {
        if (is(s, "offsets")) k->ends[50] = 2;
        if (is(s, "offset_negative")) k->ends[0] = -100;
        if (is(s, "offset_huge")) k->ends[n] = 2147483647;
        if (is(s, "list_huge")) k->list_ends[n] = 1 << 20;
        if (is(s, "short_column")) k->col[1].length = n - 1;
        if (is(s, "length_negative")) out->length = -1;
        if (is(s, "length_huge")) { out->length = 1LL << 60; for (int c = 0; c < 4; c++) k->col[c].length = 1LL << 60; }
        if (is(s, "offset_field")) k->col[0].offset = -8;
        if (is(s, "null_count")) k->col[0].null_count = n + 1;
        if (is(s, "no_bits")) { k->b[0][0] = NULL; k->col[0].null_count = 2; }
        if (is(s, "children")) out->n_children = 3;
        if (is(s, "children_null")) out->children = NULL;
        if (is(s, "child_null")) k->cols[1] = NULL;
        if (is(s, "buffers_null")) k->col[0].buffers = NULL;
        if (is(s, "values_null")) k->b[0][1] = NULL;
        if (is(s, "n_buffers")) k->col[1].n_buffers = 2;
        if (is(s, "dictionary_null")) k->col[3].dictionary = NULL;
        if (is(s, "index")) k->d[5] = 9;
        if (is(s, "utf8")) k->text[3] = (char)0xff;
        if (is(s, "pointer")) k->b[0][1] = (void *)64;
        if (is(s, "schema_changes")) { k->b[1][1] = k->i; k->b[1][2] = NULL; k->col[1].n_buffers = 2; }
    }
    if (is(s, "release_never")) out->release = never;
    s->at += n;
    return 0;
}
static void free_schema(struct ArrowSchema *s) { s->release = NULL; }
static int get_schema(struct ArrowArrayStream *st, struct ArrowSchema *out)
{
    static struct ArrowSchema col[4], item, dict, *cols[4], *items[1];
    source *s = st->private_data;
    static const char *const names[4] = {"i", "t", "l", "d"}, *const formats[4] = {"l", "u", "+l", "c"};
    if (is(s, "schema_errno")) { snprintf(s->error, sizeof s->error, "no such table"); return ENOENT; }
    for (int c = 0; c < 4; c++) {
        col[c] = (struct ArrowSchema){.format = formats[c], .name = names[c], .flags = ARROW_FLAG_NULLABLE, .release = free_schema};
        cols[c] = &col[c];
    }
    item = (struct ArrowSchema){.format = "i", .name = "item", .release = free_schema};
    dict = (struct ArrowSchema){.format = "u", .name = "", .release = free_schema};
    items[0] = &item; col[2].n_children = 1; col[2].children = items; col[3].dictionary = &dict;
    if (strncmp(s->fault, "format:", 7) == 0) col[0].format = s->fault + 7;
    if (is(s, "other_columns")) { static char own[40]; snprintf(own, sizeof own, "c%d", (int)getpid()); col[0].name = own; }
    if (is(s, "format_null")) col[0].format = NULL;
    if (is(s, "name")) col[0].name = "\xff\xfe";
    if (is(s, "deep")) items[0] = &col[2];
    if (is(s, "list_childless")) col[2].n_children = 0;
    *out = (struct ArrowSchema){.format = is(s, "no_struct") ? "l" : "+s", .n_children = 4, .children = cols, .release = free_schema};
    if (is(s, "n_children")) out->n_children = -1;
    return 0;
}
static const char *last_error(struct ArrowArrayStream *st) { source *s = st->private_data; return s->error[0] ? s->error : NULL; }
static void free_stream(struct ArrowArrayStream *st) { st->release = NULL; }
static hone_status open_(void *self, struct ArrowArrayStream *out)
{
    source *s = self;
    if (is(s, "open")) return hone_host_fail(s->host, HONE_E_REFUSED, "the licence has ended");
    if (is(s, "open_mute")) return HONE_E_IO;
    *out = (struct ArrowArrayStream){is(s, "no_stream") ? NULL : get_schema, get_next, last_error, free_stream, self};
    return HONE_OK;
}
static hone_status position(void *self, const hone_bytes_sink *sink) { return sink->put(sink, &((source *)self)->at, 8); }
static hone_status seek(void *self, const void *p, size_t n)
{
    source *s = self;
    int64_t at = 0;
    if (n && n != 8) return hone_host_fail(s->host, HONE_E_STATE, "no position of this source");
    if (n) memcpy(&at, p, 8);
    if (at < 0 || at > s->rows) return hone_host_fail(s->host, HONE_E_STATE, "no position of this source");
    s->at = at;
    return HONE_OK;
}
static int64_t row_count(void *self) { source *s = self; return is(s, "crash_count") ? *(volatile int *)8 : s->rows; }
static int64_t skipped(void *self) { return ((source *)self)->at / 10; }
static hone_status push_down(void *self, const hone_str *c, size_t n, hone_str f, int64_t limit)
{
    source *s = self;
    (void)c; (void)n; (void)f;
    if (c) return hone_host_fail(s->host, HONE_E_UNSUPPORTED, "all columns or none");
    if (limit >= 0 && limit < s->rows) s->rows = limit;
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    source *s = calloc(1, sizeof *s);
    hone_str f = cfg->str(cfg, FAULT);
    s->host = host;
    snprintf(s->fault, sizeof s->fault, "%.*s", (int)f.len, f.ptr ? f.ptr : "");
    f = cfg->str(cfg, PASSWORD);
    snprintf(s->password, sizeof s->password, "%.*s", (int)f.len, f.ptr ? f.ptr : "");
    if (is(s, "opens") && open("/etc/passwd", O_RDONLY) < 0) return hone_host_fail(host, HONE_E_IO, "/etc/passwd: cannot be opened");
    s->rows = cfg->i64(cfg, ROWS); s->batch = cfg->i64(cfg, BATCH); s->slow = (int)cfg->i64(cfg, SLOW);
    *out = s;
    return HONE_OK;
}
static void destroy(void *self) { free(self); }
#ifdef NO_SEEK
#define position NULL
#define seek NULL
#endif
static const hone_source_v1 table = {sizeof table, 0, open_, position, seek, row_count, skipped, push_down};
static const void *get_iface(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_SOURCE) == 0 ? &table : NULL; }
static const char *const provides[] = {HONE_IFACE_SOURCE, NULL};
static const hone_component component = {.struct_size = sizeof component, .id = "org.test.source." NAME, .kind = HONE_KIND_SOURCE,
    .version = "1.0.0", .caps = HONE_CAP_DETERMINISTIC | ASKS, .fields = fields, .provides = provides, .create = create, .destroy = destroy,
    .get_iface = get_iface};
static const hone_component *const components[] = {&component, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = components};
const hone_entry *hone_plugin_entry(void) { return &entry; }
"""


def build(name, *flags, asks="0"):
    (work / "plugin.c").write_text(PLUGIN)
    so = work / "plugins" / (name + ".so")
    so.parent.mkdir(exist_ok=True)
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w", "-I" + str(ROOT / "sdk/include"),
                          f'-DNAME="{name}"', "-DASKS=" + asks, *flags, "-o", so, work / "plugin.c"], capture_output=True, text=True)
    check(name + " compiles", run.returncode == 0, run.stderr)
    return so


def hone(*args, more=None, timeout=120):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, env={**env, **(more or {})}, cwd=work, timeout=timeout)


def head(so, n, *sets, args=()):
    return hone("data", "head", "--source", so, "--n", n, "--json", *[x for s in sets for x in ("--set", s)], *args)


def forget():
    """What is trusted, and which deaths count towards quarantine."""
    subprocess.run(["rm", "-rf", work / "config", work / "data"], check=True)


sanitized = "__asan_init" in subprocess.run(["nm", HONE], capture_output=True, text=True).stdout
rows = build("rows")
blind = build("blind", "-DNO_SEEK")


def expected(n, first=0):
    words = ["one", "", "three"]
    return "".join(json.dumps({"i": None if x % 7 == 3 else 3 * x, "t": f"row {x}é", "l": [x + q for q in range(x % 3)], "d": words[x % 3]},
                              separators=(",", ":"), ensure_ascii=False) + "\n" for x in range(first, n))


# ---- the same rows --------------------------------------------------------------------------------------------------------
run = hone("plugin", "inspect", rows)
check("an untrusted source runs in a box", "in a box" in run.stdout, run.stdout)
run = head(rows, 2000)
check("its rows are the plugin's", run.returncode == 0 and run.stdout == expected(1000), (run.stdout[-200:], run.stderr))
boxed = run.stdout
run = hone("data", "info", "--source", rows, "--json")
info_boxed = run.stdout
check("info", run.returncode == 0 and json.loads(run.stdout)["rows"] == 1000, run.stderr)
for n in (1, 7, 64, 1000):
    check(f"batches of {n}", head(rows, 2000, f"batch={n}").stdout == boxed, n)
check("no rows", head(rows, 10, "rows=0").stdout == "", "")
(work / "limit.lua").write_text("""local hone = require "hone"
local d = hone.source("rows", { rows = 5000 })
for row in d:take(3):each() do print(row.t) end
""")
with_path = {"HONE_PLUGIN_PATH": str(work / "plugins")}
run = hone("lua", "limit.lua", more=with_path)
check("a recipe reads it, limits are pushed down", run.stdout.split("\n")[:3] == ["row 0é", "row 1é", "row 2é"], run.stdout + run.stderr)
def tells(where):
    run = hone("data", "head", "--source", rows, "--set", "fault=tells", "--set", "password=env:BOX_PASSWORD", more={"BOX_PASSWORD": "hunter2hunter2"})
    check(where + ": no error text has a secret", run.returncode == 1 and "no such host: db://me:" in run.stderr and "hunter2" not in run.stderr, run.stderr)


tells("boxed")
check("trusted now", hone("plugin", "trust", rows).returncode == 0)
check("in process", "in process" in hone("plugin", "inspect", rows).stdout)
tells("in process")
check("the same rows in process", head(rows, 2000).stdout == boxed)
check("the same info in process", hone("data", "info", "--source", rows, "--json").stdout == info_boxed)
(work / "asks.lua").write_text("""local hone = require "hone"
for row in hone.source("rows", { box = true, fault = "forks" }):each() do end
""")
run = hone("lua", "asks.lua", more=with_path)
check("a recipe asks for a box of a trusted one, which holds it", "fork no, socket no, file no" in run.stderr and run.returncode == 1, run.stderr)
hone("plugin", "revoke", rows)
forget()

# ---- what it asks for, it has by --allow alone ----------------------------------------------------------------------------
online = build("online", asks="HONE_CAP_NET|HONE_CAP_FS_READ")
NOTHING, NET, FILE = "socket no, file no", "socket yes, file no", "socket no, file yes"
for grants, words in (([], NOTHING), (["--allow=online:net"], NET), (["--allow=online:fs-read:/etc/passwd"], FILE),
                      (["--allow=rows:net"], NOTHING)):
    run = head(online, 1, "fault=forks", args=grants)
    check(f"with {grants}: {words}", words in run.stderr, run.stderr)
check("what it does not ask for cannot be granted", NOTHING in head(rows, 1, "fault=forks", args=["--allow=rows:net"]).stderr)

for so, words in ((online, "--allow=online:fs-read:PATH"), (rows, "asks for no file and no network")):
    run = head(so, 1, "fault=opens")
    check("a hint: " + words, run.returncode == 1 and words in run.stderr, run.stderr)

# ---- what is odd is an error with a name -------------------------------------------------------------------------------
FAULTS = {
    "offsets": "column t: its offsets do not rise", "offset_negative": "column t: its offsets do not rise",
    "list_huge": "column item: its array is shorter", "short_column": "column t: its array is shorter", "length_negative": "its array is shorter",
    "offset_field": "column i: its array is shorter", "null_count": "column i: 101 nulls in 100 rows",
    "no_bits": "column i: 2 nulls, and no bits that say where", "children": "3 children, its schema has 4", "children_null": "4 children",
    "child_null": "column t: its array is shorter", "buffers_null": "column i: 2 buffers", "values_null": "column i: its values are missing",
    "n_buffers": "column t: 2 buffers", "dictionary_null": "column d: its dictionary is missing", "index": "an index points outside of its dictionary",
    "utf8": "column t: row 1 of the batch is no UTF-8", "schema_changes": "column t: 2 buffers", "error": "the server said no",
    "silent": "get_next failed", "odd_errno": "get_next failed", "bad_text": "no",
    "format:d:10,2": 'Arrow format "d:10,2" is not read', "format:": 'Arrow format "" is not read', "format:w:x": "is not read", "format:+ud:1": "is not read",
    "format:%s%n": 'Arrow format "%s%n" is not read', "format:" + "l" * 30: "is not read",
    "format_null": "a column's schema has no format", "name": "the name of a column is no UTF-8", "deep": "nested more than 32 deep",
    "list_childless": 'format "+l" with 0 children', "no_struct": "not a struct of columns", "n_children": "-1 children", "no_stream": "open gave no stream",
    "open": "the licence has ended", "open_mute": "without saying why", "schema_errno": "no such table",
}
LATER = {f for f in FAULTS if 'is(s, "%s")' % f in PLUGIN.split("if (s->at >= 300) {")[1].split("release_never")[0]} | {"error", "silent", "bad_text"}
check("most faults come after some rows", len(LATER) > 18, LATER)
for fault, words in FAULTS.items():
    run = head(rows, 2000, "fault=" + fault)
    check(f"{fault[:30]}: refused", run.returncode in (1, 3) and words in run.stderr, (run.returncode, run.stderr))
    if fault not in ("error", "bad_text", "schema_errno"):  # the source's own text, as in process
        check(f"{fault[:30]}: with the plugin's name", "org.test.source.rows" in run.stderr, run.stderr)
    check(f"{fault[:30]}: the rows before it are whole", run.stdout == (expected(300) if fault in LATER else ""), run.stdout[-200:])
if not sanitized:
    for fault in ("offset_huge", "length_huge", "pointer"):
        run = head(rows, 2000, "fault=" + fault)
        check(f"{fault}: the box may die, the host lives", run.returncode == 1 and "org.test.source.rows: " in run.stderr and run.stdout in ("", expected(300)),
              (run.returncode, run.stderr, run.stdout[-100:]))
check("batches that are never released", head(rows, 2000, "fault=release_never").stdout == boxed)

forget()

# ---- deaths -------------------------------------------------------------------------------------------------------------
run = head(rows, 2000, "fault=crash")
check("a crash that comes again ends the read, and names call and plugin", run.returncode == 1 and "its box died in get_next" in run.stderr and
      "org.test.source.rows" in run.stderr and "hone plugin validate" in run.stderr, run.stderr)
check("the rows before it were given", run.stdout == expected(300), run.stdout[-200:])
run = head(rows, 2000, "fault=exit")
check("so does exit", run.returncode == 1 and "exited with status 3" in run.stderr, run.stderr)
head(rows, 2000, "fault=crash")
run = head(rows, 1)
check("the third time its file is refused", run.returncode == 3 and "hone plugin quarantine" in run.stderr, (run.returncode, run.stderr))
forget()
check("a box that dies in its first call at a place goes on in a fresh one", head(rows, 2000, "fault=die_later").stdout == boxed)
run = head(rows, 2000, "fault=other_columns")
check("a fresh box with other columns is refused", run.returncode == 1 and "a fresh box gives other columns" in run.stderr and run.stdout.count("\n") == 400, run.stderr)
run = head(blind, 2000, "fault=die_later")
check("without position a crash is not taken up, and says so", run.returncode == 1 and "its box died in get_next" in run.stderr and "position and seek" in run.stderr and
      run.stdout == expected(400), run.stderr)
check("rows left out are counted once", hone("data", "info", "--source", rows, "--json", "--set", "fault=die_later").stdout == info_boxed)
run = head(rows, 2000, "fault=hang", "timeout=2")
check("a call that does not come back is ended", run.returncode == 1 and "the deadline passed in get_next" in run.stderr and "timeout = SECONDS" in run.stderr and
      run.stdout == expected(300), run.stderr)
for sets, words in ((["timeout=0"], "seconds above 0"), (["box=7"], "true or false")):
    run = head(rows, 1, *sets)
    check("refused: " + sets[0], run.returncode != 0 and words in run.stderr, run.stderr)
run = hone("data", "info", "--source", rows, "--set", "fault=crash_count")
check("row_count that crashes is no count", run.returncode in (0, 1), run.stderr)


def disturbed(so, kills, seed, *sets):
    rng = random.Random(seed)
    done = 0
    args = ["data", "head", "--source", so, "--n", "100000", "--json", "--set", "slow=true", *[x for s in sets for x in ("--set", s)]]
    with open(work / "out", "w") as out, open(work / "err", "w") as err:
        p = subprocess.Popen([HONE, *map(str, args)], cwd=work, stdout=out, stderr=err, env=env)
        watch = threading.Timer(100, p.kill)
        watch.start()
        while p.poll() is None:
            time.sleep(rng.uniform(0.02, 0.1))
            alive = boxes_of(p.pid)
            if done < kills and alive:
                try:
                    os.kill(alive[0], signal.SIGKILL)
                    done += 1
                except ProcessLookupError:
                    pass
        watch.cancel()
    return p.returncode, done, (work / "out").read_text(), (work / "err").read_text()


if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
    skip("killed during a read", "this kernel does not list the children of a process")
else:
    rc, done, out, err = disturbed(rows, 8, 1, "rows=20000", "batch=50")
    check("a read whose boxes are killed ends well", rc == 0, err[-800:])
    check("boxes were killed", done >= 3, done)
    check("the log says so", err.count("its box ended") >= 1, err[-500:])
    check("no row is lost, none comes twice", out == expected(20000), (len(out.splitlines()), err[-300:]))
    rc, done, out, err = disturbed(blind, 1000, 2, "rows=20000", "batch=50")  # one before its first batch is repaired
    check("without position and seek it is an error that says so", rc == 1 and "no position to go on from" in err, err[-600:])
    check("and the rows before it are whole", expected(20000).startswith(out) and out.endswith("\n") or out == "", out[-100:])
left = subprocess.run(["ps", "-eo", "stat,ppid,comm"], capture_output=True, text=True).stdout
check("no zombies", not [line for line in left.splitlines() if line.startswith("Z") and f" {os.getpid()} " in line], left)

# ---- size ---------------------------------------------------------------------------------------------------------------
run = head(rows, 1, "rows=20000000", "batch=20000000")
check("a batch larger than a box's memory is refused with a hint", run.returncode == 1 and "too large for a box" in run.stderr and
      "batches of fewer rows" in run.stderr, run.stderr)
MANY = 4000000 if os.environ.get("HONE_FULL") else 400000
(work / "stream.lua").write_text("""local hone = require "hone"
local n, sum = 0, 0
for row in hone.source("rows", { rows = %d, batch = 20000 }):each() do n = n + 1; sum = sum + (row.i or 0) end
print(n, sum)
""" % MANY)
run = subprocess.run(["/usr/bin/env", "python3", "-c",
                      "import resource, subprocess, sys; p = subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                      HONE, "lua", "stream.lua"], capture_output=True, text=True, env={**env, **with_path}, cwd=work, timeout=400)
lines = run.stdout.split()
total = sum(3 * x for x in range(MANY) if x % 7 != 3)
check("many batches are read whole", lines[:2] == [str(MANY), str(total)], run.stdout + run.stderr)
if not sanitized:
    check("in constant memory", int(lines[-1]) < 150000, lines)
finish()
