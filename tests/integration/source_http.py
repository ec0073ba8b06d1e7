#!/usr/bin/env python3
"""source_http.py - rows from a server that fails on purpose: lost connections, cut bodies, bad statuses, hangs, repeats.

No row is lost, none comes twice; every place can be gone on from; the secret goes to the one host and into no message.
HONE_FULL=1 streams 1 GB."""
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402
from rows_of import BIG, HONE, goes_on, lua, peak, places, rows, work  # noqa: E402

if "org.hone.source.http" not in subprocess.run([HONE, "plugin", "list", "--json"], capture_output=True, text=True).stdout:
    skip("http", "this build has no libcurl")
    finish()

for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
    os.environ.pop(name, None)
ROWS = [{"id": i, "text": f"row {i} \u00e9 \"q\"", "half": i / 2 + 0.25, "tags": ["a", {"n": i}], "ok": i % 2 == 0} for i in range(230)]
PER = 10
FAULTS = ("drop", "reset", "500", "503", "429", "cut", "chunked-cut", "close-cut", "empty", "html")
seen = []  # (path, query, headers)
asked = {}  # page -> times
lock = threading.Lock()
LONG = [{"id": i} for i in range(600)]
BIG_ROW = "0123456789abcdef" * 62


def page(n, per, rows_, **more):
    body = {"data": rows_[n * per:(n + 1) * per], "meta": {"total": len(rows_)}, **more}
    return body


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Handler(socketserver.StreamRequestHandler):
    def answer(self, status, body, length=None, extra=""):
        head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(body) if length is None else length}\r\n{extra}Connection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def fault(self, kind, body):
        if kind == "drop":
            return
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if kind in ("500", "503", "429"):
            self.answer(kind, b"try later", extra="Retry-After: 0\r\n" if kind == "429" else "")
        elif kind == "cut":
            self.answer(200, body[: len(body) // 2], length=len(body))
        elif kind == "chunked-cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(body) + body[: len(body) // 2])
        elif kind == "close-cut":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body[: len(body) // 2])
        elif kind == "empty":
            self.answer(200, b"")
        elif kind == "html":
            self.answer(200, b"<html>busy</html>")

    def handle(self):
        line = self.rfile.readline().decode()
        headers = {}
        while (h := self.rfile.readline().decode().strip()):
            k, _, v = h.partition(":")
            headers[k.lower()] = v.strip()
        if " " not in line:
            return
        target = line.split(" ")[1]
        path, _, query = target.partition("?")
        q = dict(urllib.parse.parse_qsl(query))
        with lock:
            seen.append((path, q, headers))
            k = asked[target] = asked.get(target, 0) + 1
        mode = path.strip("/").split("/")
        if mode[0] in ("cursor", "flaky"):
            n = int(q.get("after", "p0")[1:])
            more = {"next": f"p{n + 1}"} if (n + 1) * PER < len(ROWS) else {"next": None}
            body = json.dumps(page(n, PER, ROWS, **more)).encode()
            if mode[0] == "flaky" and k <= 2:
                return self.fault(FAULTS[(n + 5 * k) % len(FAULTS)], body)
            if mode[0] == "cursor" and len(mode) > 1 and k <= 1:
                return self.fault(mode[1], body)
            return self.answer(200, body)
        if mode[0] == "link":
            n = int(mode[1]) if len(mode) > 1 else 0
            more = {"paging": {"after": f"/link/{n + 1}?x=1"}} if (n + 1) * PER < len(ROWS) else {}
            return self.answer(200, json.dumps(page(n, PER, ROWS, **more)).encode())
        if mode[0] == "overlap":  # each page begins with the last three rows of the one before
            n = int(q.get("after", 0))
            rows_ = ROWS[max(0, n - 3):n + 7]
            return self.answer(200, json.dumps({"items": rows_, "next": n + 7 if n + 7 < len(ROWS) else ""}).encode())
        if mode[0] == "again":
            return self.answer(200, json.dumps({"data": ROWS[:3], "next": "same"}).encode())
        if mode[0] == "away":
            return self.answer(200, json.dumps({"data": ROWS[:3], "next": "http://127.0.0.2:9/x"}).encode())
        if mode[0] == "moved":
            return self.answer(302, b"", extra="Location: http://127.0.0.2:9/x\r\n")
        if mode[0] == "whole":
            return self.answer(200, json.dumps(ROWS).encode())
        if mode[0] == "long":
            return self.answer(200, json.dumps(LONG).encode())
        if mode[0] == "big":
            n = int(q.get("after", 0))
            last = BIG // 1024
            rows_ = [{"id": i, "s": BIG_ROW} for i in range(n, min(n + 1000, last))]
            return self.answer(200, json.dumps({"data": rows_, "next": n + 1000 if n + 1000 < last else None}).encode())
        if mode[0] == "slow":
            if k == 1:
                time.sleep(3)
            return self.answer(200, json.dumps({"data": ROWS[:2]}).encode())
        if mode[0] == "body":  # /body/NAME
            return self.answer(200, BODIES[mode[1]])
        self.answer(404 if mode[0] == "none" else 401 if mode[0] == "closed" else 400, b"no: \x1b[31mred")


BODIES = {
    "number-row": b'{"data": [{"a": 1}, 7]}', "no-list": b'{"stuff": 1, "more": {}}', "list-cursor": b'{"data": [{"a":1}], "next": ["x"]}',
    "long-cursor": b'{"data": [{"a":1}], "next": "' + b"x" * 5000 + b'"}', "typed": b'{"data": [{"a": 1}, {"a": "x"}, {"b": 2}]}',
    "deep": b'{"data": [' + b"[" * 200 + b"]" * 200 + b"]}", "twice": b'{"data": [{"a": 1, "a": 2}]}', "utf8": b'{"data": [{"a": "\xff"}]}',
    "nul-cursor": b'{"data": [{"a":1}], "next": "a\\u0000b"}', "infinite": b'{"data": [{"a": 1e999}]}', "scalar": b"7",
    "none": b'{"data": []}', "huge": b'{"data": ["' + b"x" * 3000000 + b'"]}', "control": b'{"data": [], "next": "\\n\\u0001"}',
}
server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
BASE = f"http://127.0.0.1:{server.server_address[1]}"
NET = ("http:net",)
QUICK = {"backoff_ms": 1, "retries": 4}


def http(path, **settings):
    return {"url": BASE + path, **QUICK, **settings}


def refused(name, settings, *words):
    got, why = rows("http", settings, allow=NET)
    check(name, why and all(w in why for w in words), f"{len(got)} rows, {why!r}")


# ---- pages ----
CURSOR = {"cursor_param": "after"}
got, why = rows("http", http("/cursor", **CURSOR), allow=NET)
check("all pages, in order, as they were", got == ROWS, f"{len(got)} {why}")
got, why = rows("http", http("/link", next="paging.after"), allow=NET)
check("a cursor that is an address", got == ROWS, f"{len(got)} {why}")
check("one page that is a list", rows("http", http("/whole"), allow=NET)[0] == ROWS)
check("an empty page is no rows", rows("http", http("/body/none"), allow=NET) == ([], ""))
got, why = rows("http", http("/overlap", key="id", **CURSOR), allow=NET)
check("rows that come again in the next page are passed over", got == ROWS, f"{len(got)} {why}")
check("without a key they are rows", len(rows("http", http("/overlap", **CURSOR), allow=NET)[0]) > len(ROWS))

# ---- faults ----
asked.clear()
got, why = rows("http", http("/flaky", **CURSOR), allow=NET)
check("every page fails twice, in ten ways: no row lost, none twice", got == ROWS, f"{len(got)} {why}")
check("each page was asked for three times", len(asked) == 23 and set(asked.values()) == {3}, asked)
for kind in FAULTS:
    asked.clear()
    got, why = rows("http", http(f"/cursor/{kind}", **CURSOR), allow=NET, take=12)
    check(f"fault {kind}", got == ROWS[:12], f"{len(got)} {why}")
    asked.clear()
    refused(f"fault {kind} for ever", http(f"/cursor/{kind}", **{**CURSOR, "retries": 0}), f"{BASE}/cursor/{kind}", "asked 1 times")
asked.clear()
got, why = rows("http", http("/slow", timeout_s=1), allow=NET)
check("an answer that hangs is asked for again", got == ROWS[:2], why)
refused("nobody listens", {"url": "http://127.0.0.1:9/x", **QUICK}, "127.0.0.1:9", "asked 5 times")

# ---- places ----
check("going on from everywhere", not (w := goes_on("http", http("/cursor", **CURSOR), 23, allow=NET)), w)
check("from addresses as cursors", not (w := goes_on("http", http("/link", next="paging.after"), 37, allow=NET)), w)
check("among rows that come again", not (w := goes_on("http", http("/overlap", key="id", **CURSOR), 31, allow=NET)), w)
asked.clear()
check("while every page fails twice", not (w := goes_on("http", http("/flaky", **CURSOR), 57, allow=NET)), w)
mark = places("http", http("/long"), 300, allow=NET)[1][1]
LONG[255] = {"id": -1}
got, why = rows("http", http("/long"), allow=NET, **{"from": mark})
check("a page that is another one now is refused", "not what it was" in why and not got, why)
LONG[200:] = []
got, why = rows("http", http("/long"), allow=NET, **{"from": mark})
check("and one that is shorter", "not what it was" in why and not got, why)
mark = places("http", http("/cursor", **CURSOR), 25, allow=NET)[1][1]
got, why = rows("http", http("/link", next="paging.after"), allow=NET, **{"from": mark})
check("a place of another address is refused", "not those of the position" in why, why)

# ---- less of it ----
seen.clear()
got, why = rows("http", http("/cursor", size_param="n", page_size=50, columns_param="fields", **CURSOR), allow=NET, select=["id", "ok"], take=7)
check("select and take", got == [{"id": r["id"], "ok": r["ok"]} for r in ROWS[:7]], f"{got} {why}")
check("the server was asked for no more", len(seen) == 1 and seen[0][1].get("n") == "7" and seen[0][1].get("fields") == "id, ok", seen)
got, why = rows("http", http("/cursor", **CURSOR), allow=NET, select=["id", "txt"])
check("a column that is not there is named", '"txt"' in why and "text" in why, why)

# ---- the secret ----
secret = "s3cret-of-the-vendor"
(work / "secret.txt").write_text(secret)
for given in ("env:VENDOR_KEY", f"file:{work}/secret.txt"):
    seen.clear()
    got, why = rows("http", http("/cursor", secret=given, **CURSOR), allow=NET, env={"VENDOR_KEY": secret})
    check(f"sent with every page ({given[:4]})", got == ROWS and all(h.get("authorization") == "Bearer " + secret for _, _, h in seen), why)
seen.clear()
rows("http", http("/cursor", secret="env:VENDOR_KEY", secret_header="X-Key", secret_prefix="", **CURSOR), allow=NET, env={"VENDOR_KEY": secret})
check("under another header", seen and all(h.get("x-key") == secret for _, _, h in seen), seen[:1])
for path, words in (("/closed", "status 401"), ("/none", "status 404"), ("/bad", "status 400"), ("/moved", "status 302"), ("/away", "another host")):
    got, why = rows("http", http(path + "?token=" + secret, secret="env:VENDOR_KEY"), allow=NET, env={"VENDOR_KEY": secret})
    check(f"{path} is an error at once, without the secret", words in why and secret not in why and "\x1b" not in why, why)
got, why = rows("http", http("/cursor", secret="env:BROKEN"), allow=NET, env={"BROKEN": "a\r\nX-Evil: 1"})
check("a secret with a line break is refused", "control character" in why and "Evil" not in why, why)

# ---- grants ----
run = lua("for row in rows:each() do print(row.id) end", "http", http("/cursor", **CURSOR))
check("without a grant the network is refused", run.returncode == 3 and "--allow=http:net" in run.stderr and not run.stdout, run.stderr)
run = lua("for row in rows:each() do print(row.id) end", "http", http("/cursor", **CURSOR), allow=("adbc:net",))
check("another component's grant is none", run.returncode == 3, run.stderr)
check("the recipe's grant is one", len(rows("http", http("/cursor", **CURSOR), allow=("net",))[0]) == 230)

# ---- bad pages ----
for name, words, more in (
        ("number-row", ("row 2", "is integer"), {}), ("no-list", ("no list of rows", "stuff, more"), {}), ("scalar", ("it is integer",), {}),
        ("list-cursor", ("cursor next is list",), {}), ("long-cursor", ("too long",), {}), ("nul-cursor", ("NUL",), {}),
        ("deep", ("127.0.0.1",), {}), ("twice", ("no JSON",), {}), ("utf8", ("no JSON",), {}), ("control", ("cursor",), {}),
        ("typed", ('row 2', 'column "a" is string, types say integer'), {"types": "a:integer"}),
        ("typed", ('no column "b"; it has: a',), {"types": "b:integer"}), ("typed", ("name:type",), {"types": "a:text"}),
        ("number-row", ("no list of rows at items.x",), {"rows": "items.x"}), ("huge", ("max_page_bytes",), {"max_page_bytes": 1000000}),
        ("typed", ('its key "id"',), {"key": "id"})):
    refused(f"page {name} {more}", http(f"/body/{name}", **{"retries": 0, **more}), *words)
refused("a number without bounds", http("/body/infinite", retries=0), "127.0.0.1")
refused("a server that gives the cursor again", http("/again", **CURSOR), "again")
for bad in ("ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1", "http://"):
    refused(f"the address {bad}", {"url": bad, **QUICK}, "hone:")

# ---- memory ----
n = BIG // 1024
got, total, mb = peak("http", http("/big", **CURSOR), "id", allow=NET)
print(f"http: {n >> 10} MB streamed, peak {mb:.0f} MB")
check("memory does not grow with the pages", got == n and total == n * (n - 1) / 2 and mb < 64, f"{got} rows, {mb} MB")
finish()
