#!/usr/bin/env python3
"""http_requests.py - hone.http/1 as a plugin sees it, in process and in a box, against a server that fails on purpose.

A reward made here posts each completion to the address that it names, and notes what came back. No check looks at a clock:
the server counts."""
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402
from endpoint import Endpoint, wait_for  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory(prefix="hone-http-")
work = pathlib.Path(temp.name)
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("HONE_HTTP"):
        del os.environ[name]
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
env.pop("HONE_PLUGIN_PATH", None)
SECRET = "sk-s3cret-of-the-test-0123"

PROBE = r"""
#include "hone/hone.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { F_URL, F_KEY, F_TRIES, F_CONCURRENCY, F_SENDS, F_HEDGE, F_TIMEOUT, F_BODY, F_BREAK, F_METHOD, F_SAME, F_RATE };
struct self { const hone_host *host; const hone_config *cfg; hone_ref http; };
struct taken { const hone_sample *in; size_t stride; hone_outcome *out; size_t ostride; const hone_notes *notes; };
static void note(struct taken *t, size_t i, const char *name, int64_t v)
{
    hone_value n = {.type = HONE_I64, .u.i64 = v};
    t->notes->put(t->notes, i, hone_str_c(name), &n);
}
static hone_status put(const hone_http_sink *sink, size_t i, const hone_http_response *r)
{
    struct taken *t = sink->ctx;
    hone_value v = {.type = HONE_STRING, .u.str = {(const char *)r->body, r->n_body < 400 ? r->n_body : 400}};
    note(t, i, "status", r->status);
    note(t, i, "code", r->code);
    note(t, i, "attempts", r->attempts);
    note(t, i, "lost", r->lost);
    note(t, i, "bytes", (int64_t)r->n_body);
    note(t, i, "headers", (int64_t)r->n_headers);
    if (r->n_body) t->notes->put(t->notes, i, hone_str_c("body"), &v);
    v.u.str = r->why;
    if (r->why.len) t->notes->put(t->notes, i, hone_str_c("why"), &v);
    for (size_t k = 0; k < r->n_headers; k++)
        if (r->headers[k].name.len == 5 && memcmp(r->headers[k].name.ptr, "X-Key", 5) == 0) {
            v.u.str = r->headers[k].value;
            t->notes->put(t->notes, i, hone_str_c("x-key"), &v);
        }
    hone_outcome_set(t->out, t->ostride, i, HONE_SCORE, (float)r->code);
    return HONE_OK;
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    const hone_config *c = s->cfg;
    const hone_http_v1 *http = s->http.vt;
    struct taken t = {in, stride, out, ostride, notes};
    hone_http_sink sink = {sizeof sink, 0, &t, put};
    hone_http_policy p = {.struct_size = sizeof p, .tries = (uint32_t)c->i64(c, F_TRIES), .concurrency = (uint32_t)c->i64(c, F_CONCURRENCY),
        .max_sends = (uint64_t)c->i64(c, F_SENDS), .hedge_ms = (uint32_t)c->i64(c, F_HEDGE), .timeout_ms = (uint32_t)c->i64(c, F_TIMEOUT),
        .max_body = (uint64_t)c->i64(c, F_BODY), .break_after = (uint32_t)c->i64(c, F_BREAK), .break_ms = 1, .backoff_ms = 1,
        .backoff_max_ms = 4, .rate = c->f64(c, F_RATE)};
    hone_http_request *q = calloc(n, sizeof *q);
    char (*url)[1024] = calloc(n, sizeof *url), (*body)[64] = calloc(n, sizeof *body);
    hone_http_header h[2] = {{{"Content-Type", 12}, {"application/json", 16}, {NULL, 0}},
                             {{"Authorization", 13}, {"Bearer ", 7}, c->str(c, F_KEY)}};
    for (size_t i = 0; i < n; i++) {
        const hone_sample *x = hone_sample_at(in, stride, i);
        snprintf(url[i], sizeof url[i], "%.*s%.*s", (int)(x->completion.len && x->completion.ptr[0] == '/' ? c->str(c, F_URL).len : 0),
                 c->str(c, F_URL).ptr, (int)x->completion.len, x->completion.ptr);
        snprintf(body[i], sizeof body[i], "{\"n\": %zu}", c->i64(c, F_SAME) ? 0 : i);
        q[i].method = c->str(c, F_METHOD);
        q[i].url = hone_str_c(url[i]);
        q[i].headers = h;
        q[i].n_headers = h[1].secret.len ? 2 : 1;
        q[i].body = (const uint8_t *)body[i];
        q[i].n_body = q[i].method.len ? 0 : strlen(body[i]);
    }
    hone_status st = http->exchange(s->http.self, call, &p, q, n, sizeof *q, &sink);
    free(q); free(url); free(body);
    return st;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    s->host = host;
    s->cfg = cfg;
    *out = s;
    hone_status st = host->get_iface(host, HONE_IFACE_HTTP, &s->http);
    if (st < 0) free(s);
    return st;
}
static void destroy(void *self) { free(self); }
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_REWARD) == 0 ? (const void *)&table : NULL; }
static const hone_field *const fields[] = {HONE_STR("url", "", 0, "in front of paths"), HONE_STR("key", NULL, HONE_SECRET, "the key"),
    HONE_INT("tries", 3, 0, 100, 0, "x"), HONE_INT("concurrency", 0, 0, 1000, 0, "x"), HONE_INT("sends", 0, 0, 10000, 0, "x"),
    HONE_INT("hedge_ms", 0, 0, 1e6, 0, "x"), HONE_INT("timeout_ms", 30000, 0, 1e6, 0, "x"), HONE_INT("max_body", 0, 0, 1e9, 0, "x"),
    HONE_INT("break_after", 100000, 0, 1e6, 0, "x"), HONE_STR("method", "", 0, "x"), HONE_FLAG("same", 0, 0, "x"),
    HONE_F64("rate", 0, 0, 1e6, 0, "x"), NULL};
static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const hone_component c = {.struct_size = sizeof c, .id = "org.test.reward.probe", .kind = HONE_KIND_REWARD, .version = "1.0.0",
    .summary = "asks a server", .caps = CAPS, .fields = fields, .provides = provides, .create = create, .destroy = destroy, .get_iface = get};
static const hone_component *const all[] = {&c, NULL};
static const hone_magic magic = HONE_MAGIC(0x000101);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
const hone_entry *hone_plugin_entry(void) { return &entry; }
"""


def build(name, caps):
    folder = work / name
    folder.mkdir()
    (folder / "probe.c").write_text(PROBE.replace("CAPS", caps))
    done = subprocess.run(["make", "-s", "-f", str(ROOT / "sdk/hone.mk"), "PLUGIN=probe", f"HONE={HONE}", "CFLAGS=-O1 -Wall -Werror"],
                          cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"cannot build {name}: {done.stdout}{done.stderr}")
    return folder / "probe.so"


boxed, deaf = build("boxed", "HONE_CAP_NET"), build("deaf", "0")
trusted = build("trusted", "HONE_CAP_NET | HONE_CAP_SLOW")
done = subprocess.run([HONE, "plugin", "trust", str(trusted)], env=env, capture_output=True, text=True)
if done.returncode:
    sys.exit(done.stderr)


def ask(paths, so=trusted, allow=True, more_env=None, wait=True, **settings):
    """Rows of `hone score` over the probe, one a path; or the process's failure."""
    data = work / "data.jsonl"
    data.write_text("".join(json.dumps({"prompt": "p", "completion": p}) + "\n" for p in paths))
    args = [HONE, "score", "--plugin-path", str(so.parent), "--reward", "probe", "--data", str(data), "--json"]
    args += ["--allow=probe:net"] if allow else []
    for k, v in {"url": server.url, **settings}.items():
        args += ["--set", f"{k}={v}"]
    process = subprocess.Popen(args, env={**env, **(more_env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not wait:
        return process
    return result(process)


def result(process):
    out, err = process.communicate(timeout=300)
    rows = []
    for line in out.splitlines():
        outcome = json.loads(line)["outcomes"]["probe"]
        rows.append(outcome.get("notes", outcome))
    ask.out, ask.err, ask.code = out, err, process.returncode
    return rows


server = Endpoint()
OK, IO, TIMEOUT, LIMIT, NOT_FOUND, INVALID = 0, -6, -17, -19, -5, -3


def one(path, **settings):
    """What became of one request, and how often the server saw it."""
    server.clear()
    rows = ask([path], **settings)
    return (rows[0] if rows else {"status": None, "why": ask.err}), len(server.seen)


# ---- answers ----
for where, so in (("in process", trusted), ("in a box", boxed)):
    got, n = one("/echo", so=so)
    check(f"a response {where}", got.get("code") == 200 and json.loads(got["body"]) == {"path": "/echo", "body": '{"n": 0}'} and
          (got["attempts"], got["lost"], n) == (1, 0, 1), got)
    rows = ask([f"/{k}.1/x{i}" for i, k in enumerate(("429", "500", "503", "529", "drop", "reset", "cut", "chunked-cut", "chunked-garbage",
                                                      "long-length", "not-http", "429-date", "echo-key"))], so=so)
    check(f"what passes is asked again {where}", len(rows) == 13 and [r["code"] for r in rows] == [200] * 12 + [401] and
          [r["attempts"] for r in rows] == [2] * 12 + [1], rows or ask.err)
    check(f"what was lost is told {where}", [r["lost"] for r in rows] == [0] * 4 + [1] * 7 + [0] * 2, rows)
got, n = one("/x", method="GET")
check("another method", got["code"] == 200 and server.seen[0]["method"] == "GET" and not server.seen[0]["body"], got)
got, n = one("/x", method="HEAD")
check("HEAD has no body", (got.get("code"), got.get("bytes")) == (200, 0) and server.seen[0]["method"] == "HEAD", got)

# ---- failures that stay ----
for path, status, code, asked, words in (
        ("/404/x", OK, 404, 1, ""), ("/401/x", OK, 401, 1, ""), ("/redirect/x", OK, 307, 1, ""), ("/500/x", OK, 500, 3, ""),
        ("/429/x", OK, 429, 3, ""), ("/429-long/x", OK, 429, 1, ""), ("/drop/x", IO, 0, 3, "127.0.0.1"), ("/reset/x", IO, 0, 3, "127.0.0.1"),
        ("/cut/x", IO, 0, 3, "127.0.0.1"), ("/chunked-cut/x", IO, 0, 3, ""), ("/chunked-garbage/x", IO, 0, 3, ""),
        ("/long-length/x", IO, 0, 3, ""), ("/not-http/x", IO, 0, 3, "127.0.0.1"), ("/huge/x", LIMIT, 0, 1, "max_body"),
        ("/gzip-bomb/x", LIMIT, 0, 1, "max_body"), ("/empty/x", OK, 200, 1, ""), ("/short-length/x", OK, 200, 1, ""),
        ("/huge-head/x", OK, 200, 1, ""), ("/json/x", OK, 200, 1, "")):
    got, n = one(path)
    check(f"{path}", (got["status"], got["code"], n, got["attempts"]) == (status, code, asked, asked) and words in got.get("why", "") and
          (status == OK) == ("why" not in got), f"{got} {n}")
    check(f"{path} goes nowhere else", all(s["path"] == path for s in server.seen), server.seen)
got, n = one("http://127.0.0.1:1/x")
check("nobody listens: tried as often, nothing was sent", (got["status"], got["attempts"], got["lost"]) == (IO, 0, 0), got)
for bad in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http://user:pass@127.0.0.1/x", "gopher://127.0.0.1/", "x", "http://a b/",
            "http://127.0.0.1:99999/"):
    got, n = one(bad)
    check(f"{bad} is no address", got["status"] == INVALID and n == 0 and got["attempts"] == 0, got)
got, n = one("/x", method="GET /y HTTP/1.1")
check("a method with more behind it is refused", got["status"] == INVALID and n == 0, got)
got, n = one("/hang/x", timeout_ms=200, tries=2)
check("one that hangs passes its time, twice", (got["status"], got["attempts"], got["lost"], n) == (TIMEOUT, 2, 2, 2), got)
got, n = one("/slow-head/x", timeout_ms=200, tries=1)
check("and one that never ends its first line", (got["status"], n) == (TIMEOUT, 1), got)
server.release()

# ---- counted ----
server.clear()
rows = ask([f"/500/x{i}" for i in range(20)], sends=13)
check("max_sends is what the server sees", len(server.seen) == 13 == sum(r["attempts"] for r in rows), f"{len(server.seen)} {rows}")
check("what was not sent says so", [r["status"] for r in rows].count(LIMIT) == 20 - len({s["path"] for s in server.seen}) and
      all("max_sends" in r["why"] for r in rows if r["status"] == LIMIT), rows)
server.clear()
rows = ask(["http://127.0.0.1:1/x"] * 4 + [f"{server.url}/x{i}" for i in range(3)], sends=3, tries=1)
check("what never left is not counted", [r["status"] for r in rows] == [IO] * 4 + [OK] * 3, rows)
server.clear()
rows = ask([f"/x{i}" for i in range(64)], sends=64)
check("and it is enough for each once", len(server.seen) == 64 and all(r["code"] == 200 for r in rows))
server.clear()
rows = ask([f"/drop.1/x{i}" for i in range(64)], concurrency=4)
check("a kept connection that ends is not asked again behind our back",
      len(server.seen) == 128 == sum(r["attempts"] for r in rows) and all(r["code"] == 200 for r in rows), f"{len(server.seen)}")
check("connections are kept", server.connections < 100, server.connections)
server.clear()
rows = ask([f"/x{i}" for i in range(40)], concurrency=3)
check("no more than `concurrency` at once", server.most <= 3 and all(r["code"] == 200 for r in rows), server.most)
server.clear()
rows = ask([f"/hang.1/x{i}" for i in range(4)], hedge_ms=50)
check("a slow one is asked a second time beside it, and the first answer is taken",
      len(server.seen) == 8 and all((r["code"], r["attempts"], r["lost"]) == (200, 2, 1) for r in rows), f"{len(server.seen)} {rows}")
server.release()
wait_for(lambda: server.inside == 0)
server.clear()
rows = ask([f"/500/x{i}" for i in range(50)], break_after=4, concurrency=1, tries=2)
check("a server that is down is left alone: 4 failures, then one try at a time, then none",
      len(server.seen) == 4 + 3 and rows[-1]["status"] == IO and "circuit" in rows[-1]["why"] and "in a row" in ask.err, f"{len(server.seen)} {rows[-1]}")
server.clear()
rows = ask([f"/500.2/x{i}" for i in range(12)], break_after=2, concurrency=1, same="true")
check("and asked again once it is back", all(r["code"] == 200 for r in rows), rows)

# ---- 64 at once ----
server.clear()
server.together = 64
p = ask([f"/x{i}" for i in range(64)], wait=False)
check("64 are under way at once", wait_for(lambda: server.most == 64), server.most)
server.together = 0
rows = result(p)
check("and answered", len(rows) == 64 and all(r["code"] == 200 for r in rows), ask.err)


def threads_of(concurrency):
    """Threads of hone while as many requests hang."""
    server.clear()
    q = ask([f"/hang/x{i}" for i in range(64)], wait=False, concurrency=concurrency, tries=1)
    there = wait_for(lambda: server.inside == concurrency)
    n = len(os.listdir(f"/proc/{q.pid}/task")) if there else -1
    q.kill()
    q.communicate()
    server.release()
    wait_for(lambda: server.inside == 0)
    return n


few, many = threads_of(1), threads_of(64)
check("as many threads for 64 as for one", few == many > 0, f"{few} {many}")
server.clear()
host = server.url.replace("127.0.0.1", "localhost")
p = ask([f"/hang/x{i}" for i in range(64)], wait=False, url=host, tries=1)
most = 0
while p.poll() is None and server.inside < 64 and len(server.seen) < 64:
    try:
        most = max(most, len(os.listdir(f"/proc/{p.pid}/task")))
    except OSError:
        break
check("names are looked up by one thread more", len(server.seen) == 64 and most <= many + 1, f"{most} {many}")
full = socket.socket()  # a server that takes no connection any more: connecting to it hangs
full.bind(("127.0.0.1", 0))
full.listen(0)
waiting = [socket.socket() for _ in range(3)]
for s in waiting:
    s.setblocking(False)
    s.connect_ex(full.getsockname())
p.kill()
p.communicate()
server.release()
wait_for(lambda: server.inside == 0)
p = ask([f"/x{i}" for i in range(64)], wait=False, url="http://127.0.0.1:%d" % full.getsockname()[1])


def connecting():
    """Sockets of hone that wait for that server."""
    mine = {os.readlink(f) for f in pathlib.Path(f"/proc/{p.pid}/fd").iterdir() if os.path.islink(f)}
    there = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(f"socket:[{x[9]}]" in mine and x[2].endswith(":%04X" % full.getsockname()[1]) for x in there)


check("one try finds the way, the others wait for it", wait_for(lambda: connecting() > 0) and not wait_for(lambda: connecting() > 1, .5), connecting())
p.kill()
p.communicate()
for s in [full, *waiting]:
    s.close()

# ---- grants ----
rows = ask(["/x"], allow=False)
check("without a grant: refused, with what to add", not rows and ask.code == 3 and "--allow=probe:net" in ask.err, f"{ask.code} {ask.err}")
rows = ask(["/x"], so=deaf)
check("who does not ask for NET cannot be granted it", not rows and "does not ask to reach the network" in ask.err, ask.err)

# ---- secrets ----
(work / "key").write_text(SECRET)
tape = work / "secret.jsonl"
for given, more in (("env:PROBE_KEY", {"PROBE_KEY": SECRET}), (f"file:{work}/key", {})):
    for where, so in (("in process", trusted), ("in a box", boxed)):
        server.clear()
        tape.unlink(missing_ok=True)
        rows = ask(["/echo", "/echo-key/x", "/drop/y?token=abc"], so=so, key=given, more_env={**more, "HONE_HTTP_RECORD": str(tape), "HONE_LOG": "debug"})
        check(f"the key arrives {where} ({given[:4]})", server.seen and all(s["headers"]["authorization"] == "Bearer " + SECRET for s in server.seen),
              server.seen[:1])
        check(f"and is nowhere else {where} ({given[:4]})", SECRET not in ask.out + ask.err + tape.read_text() and "(secret)" in ask.out, ask.out)
        check("nor is what an address has behind its ?", "token=abc" not in ask.out + ask.err + tape.read_text(), ask.out)
rows = ask(["/x"], key="env:BROKEN", more_env={"BROKEN": "abc\r\nX-Evil: 1"})
check("a key with a line break is refused", rows and rows[0]["status"] == INVALID and "Evil" not in str(rows) + ask.err, rows)
server.clear()
p = ask([f"/hang/x{i}" for i in range(3)], wait=False, key="env:PROBE_KEY", more_env={"PROBE_KEY": SECRET})
wait_for(lambda: server.inside == 3)
shown = pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()
p.kill()
p.communicate()
server.release()
check("the key is in no process list", SECRET.encode() not in shown and b"probe:net" in shown, shown)

# ---- who is at the other end ----
made = shutil.which("openssl") and subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.pem", "-days", "2", "-subj", "/CN=127.0.0.1",
     "-addext", "subjectAltName=IP:127.0.0.1"], cwd=work, capture_output=True).returncode == 0
if made:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(work / "tls.pem", work / "tls.key")
    closed = Endpoint(tls=context)
    rows = ask(["/x"], url=closed.url, key="env:PROBE_KEY", more_env={"PROBE_KEY": SECRET})
    check("a certificate that nobody signed is refused, once, and nothing is told", rows[0]["status"] == IO and rows[0]["attempts"] == 0 and
          not closed.seen and "certificate" in rows[0]["why"], f"{rows} {closed.seen}")
    closed.close()
else:
    skip("certificates", "no openssl here")

# ---- record and replay ----
paths = ["/count", "/a", "/count", "/count", "/a", "/500.1/b", "/404/c", "/drop/d", "/utf8/e", "/echo-key/f", "/huge/g"]
tape = work / "tape.jsonl"
server.clear()
rows = ask(paths, same="true", more_env={"HONE_HTTP_RECORD": str(tape)})
first = ask.out
check("equal requests have answers of their own", len({rows[i]["body"] for i in (0, 2, 3)}) == 3, rows)
check("recorded: a line for each", len(tape.read_text().splitlines()) == len(paths) and tape.stat().st_mode & 0o077 == 0, tape.stat().st_mode)
n = len(server.seen)
for where, so in (("in process", trusted), ("in a box", boxed)):
    ask(paths, so=so, same="true", more_env={"HONE_HTTP_REPLAY": str(tape)})
    check(f"replayed {where}: the same bytes, and the server was not asked", ask.out == first and len(server.seen) == n, f"{first} {ask.out}")
rows = ask(paths + ["/a", "/other"], same="true", more_env={"HONE_HTTP_REPLAY": str(tape)})
check("what is not in it is said to be missing", [r["status"] for r in rows[-2:]] == [NOT_FOUND] * 2 and "recording" in rows[-1]["why"], rows[-2:])
tape.write_text(tape.read_text() + '{"request": "cut')
rows = ask(["/more"], same="true", more_env={"HONE_HTTP_RECORD": str(tape)})
check("going on behind a line that was cut", len(tape.read_text().splitlines()) == len(paths) + 1 and rows[0]["code"] == 200, tape.read_text())
ask(paths, same="true", more_env={"HONE_HTTP_REPLAY": str(tape)})
check("and all of it is there", ask.out == first)
lines = [json.loads(line) for line in tape.read_text().splitlines()]
second = next(x for x in lines if x["n"] == 1 and x["url"].endswith("/a"))
turned = work / "turned.jsonl"
turned.write_text("".join(json.dumps(x) + "\n" for x in [second, {**second, "n": 0}]))
ask(["/a"], same="true", more_env={"HONE_HTTP_RECORD": str(turned)})
check("going on behind answers that came in another order", [json.loads(x)["n"] for x in turned.read_text().splitlines()] == [1, 0, 2], turned.read_text())
for text, words in (("{}\n", "bad.jsonl:1"), ("[1\n", "bad.jsonl:1"), ('{"request": 5}\n', "bad.jsonl:1")):
    (work / "bad.jsonl").write_text(text)
    rows = ask(["/a"], more_env={"HONE_HTTP_REPLAY": str(work / "bad.jsonl")})
    check(f"a file that is no recording: {text!r}", not rows and words in ask.err and ask.code, ask.err)
ask(["/a"], same="true", more_env={"HONE_HTTP_RECORD": str(work / "one.jsonl")})
line = json.loads((work / "one.jsonl").read_text())
for change in ({"status": 5}, {"status": -5000000000}, {"code": 1000}, {"code": "200"}, {"attempts": -1}, {"lost": 2}, {"latency_ns": -1}, {"hex": "0g"},
               {"body": 7}, {"head": ["x"]}):
    (work / "bad.jsonl").write_text(json.dumps({**line, **change}) + "\n")
    rows = ask(["/a"], same="true", more_env={"HONE_HTTP_REPLAY": str(work / "bad.jsonl")})
    check(f"a line whose {change} is none", "bad.jsonl" in ask.err and ask.code and "code" not in rows[0], f"{rows} {ask.err}")
rows = ask(["/a"], more_env={"HONE_HTTP_REPLAY": str(work / "none.jsonl")})
check("or is not there", not rows and "none.jsonl" in ask.err, ask.err)
rows = ask(["/a"], more_env={"HONE_HTTP_REPLAY": str(tape), "HONE_HTTP_RECORD": str(tape)})
check("both at once is a mistake", not rows and "exclude" in ask.err, ask.err)
server.close()
finish()
