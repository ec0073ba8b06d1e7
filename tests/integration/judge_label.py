"""judge_label.py - `hone judge label` over plain sockets: the protocol, what it keeps, and attacks on it.

No browser here (judge_label_page.py has one). Everything is asked byte by byte, so that what a browser would never send is
sent too. The store is looked at with Python's sqlite3."""
import concurrent.futures
import csv
import hashlib
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402
from label_server import HONE, Server, parse, read_all, write_items  # noqa: E402

BODY = 1 << 20  # of POST /api/labels


def event(i, task, **more):
    return {"id": f"{i:032x}", "task": task, "kind": "label", "level": "3", **more}


def book(folder, sql, *args):
    with sqlite3.connect(os.path.join(folder, "judges.sqlite")) as db:
        return db.execute(sql, args).fetchall()


def all_tasks(s, token):
    out, at = [], 0
    while True:
        status, page = s.get(f"/api/items?from={at}&n=100", token)
        if status != 200 or not page["items"]:
            return out
        out += page["items"]
        at += len(page["items"])


def labels_are_kept(tmp):
    write_items(tmp, 40, score=0.75, expert="nobody")
    s = Server(tmp, "--experts", "ann,bob")
    ann, bob, lead = s.tokens["ann"], s.tokens["bob"], s.tokens["lead"]
    check("three tokens, all different", len({ann, bob, lead}) == 3 and all(len(t) == 43 for t in (ann, bob, lead)))
    stored = [bytes(r[0]) for r in book(tmp, "SELECT token FROM label_expert")]
    check("tokens are stored as hashes", hashlib.sha256(ann.encode()).digest() in stored)
    with open(os.path.join(tmp, "judges.sqlite"), "rb") as f:
        whole = f.read()
    for name in os.listdir(tmp):
        if name.startswith("judges.sqlite"):
            with open(os.path.join(tmp, name), "rb") as f:
                whole += f.read()
    check("and nowhere as they are", ann.encode() not in whole and bob.encode() not in whole)

    status, task = s.get("/api/task", ann)
    check("the task", status == 200 and task["expert"] == "ann" and task["total"] == 44 and task["done"] == 0 and
          [x["label"] for x in task["scale"]] == list("12345"), task)
    mine, his = all_tasks(s, ann), all_tasks(s, bob)
    check("all tasks come", len(mine) == 44 and len(his) == 44, (len(mine), len(his)))
    prompts = [t["prompt"] for t in mine]
    twice = [p for p in set(prompts) if prompts.count(p) == 2]
    check("a tenth comes twice", len(twice) == 4 and len(set(prompts)) == 40, len(twice))
    gaps = [len(prompts) - 1 - prompts[::-1].index(p) - prompts.index(p) for p in twice]
    check("and not at once", min(gaps) >= 10, gaps)
    check("each expert has an own order", prompts != [t["prompt"] for t in his])
    check("nothing tells a repeat", all(set(t) == {"task", "prompt", "completion"} for t in mine), mine[0])

    first = mine[0]["task"]
    status, r = s.post([event(1, first, comment="so so", seconds=2.5, at="2026-01-31T10:00:00.5Z")], ann)
    check("a label is taken", status == 200 and r["accepted"] == [f"{1:032x}"] and r["done"] == 1, r)
    row = book(tmp, "SELECT item, expert, score, comment, seconds, at, probability, duplicate, batch, slices FROM expert_label")
    check("and is in the book", len(row) == 1 and row[0][1:9] == ("ann", 3.0, "so so", 2.5, "2026-01-31T10:00:00.5Z", 1.0, 0,
                                                                "batch-1"), row)
    check("with the item's other columns", json.loads(row[0][9]) == {"judge_score": 0.123456, "model": "secretmodel"}, row)
    status, r = s.post([event(1, first, comment="so so", seconds=2.5, at="2026-01-31T10:00:00.5Z")], ann)
    check("the same again is acknowledged", r["accepted"] == [f"{1:032x}"] and r["done"] == 1, r)
    check("and changes nothing", len(book(tmp, "SELECT * FROM expert_label")) == 1)
    status, r = s.post([event(1, first, level="5")], ann)
    check("another label with its id is refused", status == 200 and not r["accepted"] and r["refused"], r)
    status, r = s.post([event(1, his[0]["task"], comment="so so", seconds=2.5, at="2026-01-31T10:00:00.5Z")], bob)
    check("an id of somebody else's is refused", not r["accepted"] and r["refused"], r)
    status, r = s.post([event(2, his[1]["task"])], ann)
    check("another's task is no task", not r["accepted"] and "no such task" in r["refused"][0]["why"], r)
    status, r = s.post([event(3, first, level="5")], ann)
    now = book(tmp, "SELECT score, replaced IS NULL FROM expert_label ORDER BY id")
    check("a second thought replaces the first, which is kept", now == [(3.0, 0), (5.0, 1)] and r["done"] == 1, now)
    status, r = s.post([{"id": f"{4:032x}", "task": first, "kind": "undo"}], ann)
    check("undo opens the task", r["done"] == 0 and not book(tmp, "SELECT * FROM expert_label WHERE replaced IS NULL"), r)
    s.post([event(3, first, level="5")], ann)
    check("an old event sent again does not come back to life",
          not book(tmp, "SELECT * FROM expert_label WHERE replaced IS NULL"))
    status, r = s.post([{"id": f"{5:032x}", "task": first, "kind": "skip", "reason": "unclear", "comment": "?"}], ann)
    check("skip with a reason", r["done"] == 1 and not book(tmp, "SELECT * FROM expert_label WHERE replaced IS NULL"), r)
    status, r = s.post([{"id": f"{6:032x}", "task": first, "kind": "skip", "reason": "no desire"}], ann)
    check("skip needs one of the reasons", not r["accepted"], r)
    again = all_tasks(s, ann)
    check("what was said is told again", again[0]["answer"]["kind"] == "skip" and again[0]["answer"]["reason"] == "unclear",
          again[0])

    # several at once; two threads with the same events
    batch = [event(100 + i, t["task"], level=str(1 + i % 5)) for i, t in enumerate(mine[1:21])]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: s.post(batch, ann), range(4)))
    check("the same twenty four times at once", all(a[0] == 200 and len(a[1]["accepted"]) == 20 for a in answers), answers)
    check("are twenty", len(book(tmp, "SELECT * FROM expert_label WHERE replaced IS NULL")) == 20)
    wrong = [{"kind": "label", "task": first, "level": "3"}, {"id": "short", "task": first}, {"id": "g" * 32}, 5, None]
    for w in wrong:
        status, r = s.post([w], ann)
        check(f"an event without an id: {w}", status == 400, (status, r))
    for w in ({"level": "9"}, {"level": None}, {"level": 3}, {"level": ""}, {"kind": "delete"}, {"kind": None}, {"seconds": -1},
              {"seconds": "long"}, {"seconds": 1e300}, {"comment": "x" * 5000}, {"comment": 5}, {"criteria": []},
              {"criteria": {"a": "b"}}, {"task": "1"}, {"task": 1e10}, {"task": -1}, {"task": None}, {"choice": "left" * 9}):
        status, r = s.post([{**event(7, mine[30]["task"]), **w}], ann)
        check(f"a bad event is refused: {str(w)[:40]}", status == 200 and not r["accepted"] and r["refused"], (status, r))
    status, r = s.post([{**event(8, mine[31]["task"]), "level": "9"}, event(9, mine[32]["task"])], ann)
    check("a bad one does not hold up a good one", r["accepted"] == [f"{9:032x}"] and len(r["refused"]) == 1, r)

    status, r = s.get("/api/status", lead)
    people = {e["name"]: e for e in r["experts"]}
    check("the lead sees progress", status == 200 and people["ann"]["done"] == 22 and people["bob"]["done"] == 0 and
          people["ann"]["skipped"] == 1 and r["labels"] == 21, r)
    one = {t["prompt"]: t["task"] for t in his}
    s.post([event(200 + i, one[t["prompt"]], level=str(1 + (i + 4) % 5)) for i, t in enumerate(mine[1:11])], bob)
    status, r = s.get("/api/conflicts", lead)
    check("and conflicts, the worst first", status == 200 and r["count"] > 3 and r["conflicts"][0]["much"] == 1.0 and
          [c["much"] for c in r["conflicts"]] == sorted((c["much"] for c in r["conflicts"]), reverse=True) and
          {x["expert"] for x in r["conflicts"][0]["labels"]} == {"ann", "bob"}, r)
    check("which others do not", s.get("/api/status", ann)[0] == 403 and s.get("/api/conflicts", bob)[0] == 403)
    port = s.port
    code, err = s.stop()
    check("ends on SIGTERM", code == 0 and not err, (code, err))
    r = subprocess.run([HONE, "judge", "label", "--items", "items.jsonl", "--status", "--json"], cwd=tmp, capture_output=True,
                       text=True)
    check("--status --json without a server", r.returncode == 0 and json.loads(r.stdout)["labels"] == 31, r.stdout + r.stderr)
    s = Server(tmp, "--experts", "ann,bob", "--renew", "bob")
    check("again: same port, new link for bob only", s.port == port and set(s.tokens) == {"bob"}, (s.port, port, s.links))
    check("ann's link holds", s.get("/api/task", ann)[1].get("done") == 22)
    check("bob's old one does not", s.get("/api/task", bob)[0] == 401 and s.get("/api/task", s.tokens["bob"])[0] == 200)
    check("the order stays", [t["task"] for t in all_tasks(s, ann)] == [t["task"] for t in mine])
    check("ends on SIGINT", s.stop(signal.SIGINT)[0] == 0)


def nothing_without_a_token(s, token):
    for path in ("/api/task", "/api/items", "/api/status", "/api/conflicts", "/api/items?from=0&n=1"):
        said = set()
        for t in (None, "x" * 43, token[:-1], token + "a", token[:-1] + ("A" if token[-1] != "A" else "B"), "A" * 20000):
            status, _, text = s.ask("GET", path, t)
            said.add(text) if status != 431 else None
            check(f"{path} without a token", status in (401, 431) and "bird" not in text and "4" not in text.replace("401", ""),
                  (status, text[:200]))
        check(f"{path}: the same words for every wrong token", len(said) == 1, said)
    status, _, text = s.ask("POST", "/api/labels", None, {"events": []})
    check("POST without a token", status == 401, text)
    for header in ("Basic " + token, "bearer " + token, "Bearer  " + token, "Bearer", ""):
        status, _, text = s.ask("GET", "/api/task", headers={"Authorization": header})
        check(f"Authorization: {header[:7]}", status == 401, status)
    status, _, text = s.ask("GET", "/api/task?token=" + token)
    check("a token in the address is none", status == 401)
    for path in ("/", "/label.js", "/label.css"):
        status, head, text = s.ask("GET", path)
        check(f"{path} is the same for everybody and says nothing", status == 200 and "bird" not in text and "secretmodel" not in text)


def session(s, token):
    status, head, text = s.ask("POST", "/api/session", token, {})
    cookie = head.get("set-cookie", "")
    check("a session sets a cookie", status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie, head)
    check("which works", s.ask("GET", "/api/task", headers={"Cookie": cookie.split(";")[0]})[0] == 200)
    check("and alone does not write: the header is missing", s.ask(
        "POST", "/api/labels", None, {"events": []}, {"Cookie": cookie.split(";")[0], "X-Hone": None})[0] == 403)
    status, head, _ = s.ask("POST", "/api/leave", None, {})
    check("leaving forgets it", "Max-Age=0" in head.get("set-cookie", ""), head)
    status, head, _ = s.ask("POST", "/api/session", "x" * 43, {})
    check("a wrong token sets none", status == 401 and "set-cookie" not in head, head)


def headers_of_everything(s, token):
    for method, path in (("GET", "/"), ("GET", "/label.js"), ("GET", "/api/task"), ("GET", "/nowhere"), ("PUT", "/")):
        for t in (None, token):
            _, head, _ = s.ask(method, path, t)
            policy = head.get("content-security-policy", "")
            check(f"headers of {method} {path}", "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and
                  "unsafe" not in policy and head.get("x-content-type-options") == "nosniff" and
                  head.get("referrer-policy") == "no-referrer" and "access-control-allow-origin" not in head and
                  "cache-control" in head, head)
    _, _, page = s.ask("GET", "/")
    check("the page has nothing inline and nothing foreign", "<style" not in page and " style=" not in page and "onclick" not in page and
          "<script>" not in page and "http:" not in page and "https:" not in page)


def other_sites(s, token):
    ok = {"events": []}
    own = f"http://{s.host}:{s.port}"
    post = lambda **h: s.ask("POST", "/api/labels", token, ok, h)[0]  # noqa: E731
    check("own origin", post(Origin=own) == 200 and post(Origin=f"http://localhost:{s.port}") == 200)
    for origin in ("http://evil.example", "null", f"http://{s.host}:{s.port}.evil.example", f"http://{s.host}", f"https://{s.host}:{s.port}",
                   f"http://evil@{s.host}:{s.port}", "", "file://", f"http://{s.host}:{s.port + 1}"):
        check(f"Origin: {origin}", post(Origin=origin) == 403, post(Origin=origin))
    for site in ("cross-site", "same-site"):
        check(f"Sec-Fetch-Site: {site}", post(**{"Sec-Fetch-Site": site}) == 403)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", None):
        check(f"Content-Type: {kind}", post(**{"Content-Type": kind}) == 415)
    check("Content-Type with a charset", post(**{"Content-Type": "application/json; charset=utf-8"}) == 200)
    for host in ("evil.example", f"evil.example:{s.port}", s.host, f"{s.host}:{s.port + 1}", f"{s.host}:{s.port}.evil.example", "", "[::1]",
                 f"127.0.0.1.evil.example:{s.port}", f"localhost.:{s.port}", f"10.0.0.1:{s.port}", f"{s.host}:{s.port}:{s.port}"):
        status, _, text = s.ask("GET", "/api/task", token, headers={"Host": host})
        check(f"Host: {host} is not us", status in (400, 421) and "expert" not in text, (status, text))
    check("localhost is", s.ask("GET", "/api/task", token, host=f"localhost:{s.port}")[0] == 200)
    check("no Host", parse(s.raw(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"))[0] == 400)
    check("OPTIONS tells nothing to other sites", s.ask("OPTIONS", "/api/labels", headers={
        "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})[0] == 405)


def odd_requests(s, token):
    for path in ("/../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/label.js/../../x", "//etc/passwd", "/./", "/api",
                 "/api/", "/api/task/", "/API/task", "/api/task%00", "/label.css%20", "/%", "/\\..\\x", "/index.html", "/favicon.ico"):
        status, _, text = s.ask("GET", path, token)
        check(f"GET {path}", status == 404 and "root:" not in text, (status, text[:80]))
    for method, path in (("POST", "/"), ("PUT", "/api/labels"), ("DELETE", "/api/task"), ("POST", "/api/task"), ("GET", "/api/labels"),
                         ("GET", "/api/session"), ("TRACE", "/"), ("PATCH", "/api/items")):
        status, head, _ = s.ask(method, path, token, b"{}" if method != "GET" else None)
        check(f"{method} {path}", status == 405 and head.get("allow"), (status, head))
    status, head, text = s.ask("HEAD", "/", token)
    check("HEAD has no body", status == 200 and text == "" and int(head["content-length"]) > 100)
    for q in ("from=-1", "n=101", "n=1000000000000000000000", "from=x", "from=1e3", "n=", "from=1%00", "from=99999999999"):
        status, _, text = s.ask("GET", "/api/items?" + q, token)
        check(f"items?{q}", status == 400, (status, text))
    check("behind the end is nothing", s.get("/api/items?from=1000", token)[1]["items"] == [])
    for body in (b"", b"{", b"[]", b"null", b"5", b"{}", b'{"events":5}', b'{"events":{}}', b'{"events":[]}x', b'{"events":[],"events":[]}',
                 b"\xff\xfe", b'{"events":[' + b"[" * 5000 + b"]" * 5000 + b"]}", b'{"a":NaN}', b"{" * 10000,
                 json.dumps({"events": [event(i, 1) for i in range(600)]}).encode()):
        status, _, text = s.ask("POST", "/api/labels", token, body)
        check(f"body {body[:20]}", status == 400 and "error" in text, (status, text[:100]))
    big = b'{"events":[]' + b" " * BODY + b"}"
    check("a body over the limit", s.ask("POST", "/api/labels", token, big)[0] in (413, 0))
    status, _, _ = parse(s.raw((f"POST /api/labels HTTP/1.1\r\nHost: {s.host}:{s.port}\r\nX-Hone: 1\r\nContent-Type: application/json\r\n"
                                f"Authorization: Bearer {token}\r\nContent-Length: 99999999999\r\n\r\n").encode()))
    check("is refused before it is read", status == 413, status)
    head = (f"POST /api/labels HTTP/1.1\r\nHost: {s.host}:{s.port}\r\nX-Hone: 1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nConnection: close\r\n")
    for length in ("-1", "x", "", "1, 2", "99999999999999999999999999"):
        status, _, _ = parse(s.raw((head + f"Content-Length: {length}\r\n\r\n{{}}").encode()))
        check(f"Content-Length: {length}", status in (400, 413, 0), status)
    check("no Content-Length", parse(s.raw((head + "\r\n").encode()))[0] == 411)
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n" + "5\r\n{}   \r\n0\r\n\r\n"
    check("chunks", parse(s.raw(chunked.encode()))[0] == 411)
    check("a GET with a body", s.ask("GET", "/api/task", token, headers={"Content-Length": "5"})[0] == 413)
    long = parse(s.raw(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100000 + b"\r\n\r\n"))[0]
    check("a head over the limit", long in (431, 413, 0), long)
    check("an address over the limit", parse(s.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"))[0] in (414, 431, 0))
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"\x00" * 1000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"):
        with s.connect() as c:
            c.sendall(junk)
            c.shutdown(socket.SHUT_WR)
            data = read_all(c)
        check(f"junk {junk[:8]}", parse(data)[0] in (0, 400, 421, 505), data[:80])
    with s.connect() as c:  # two requests in one packet, on one connection
        one = f"GET /api/task HTTP/1.1\r\nHost: {s.host}:{s.port}\r\nAuthorization: Bearer {token}\r\n"
        c.sendall((one + "\r\n" + one + "Connection: close\r\n\r\n").encode())
        data = read_all(c)
    check("two requests on one connection", data.count(b"HTTP/1.1 200") == 2, data[:100])
    check("it still answers", s.get("/api/task", token)[0] == 200)


def slow_clients(tmp):
    write_items(tmp, 5)
    s = Server(tmp, "--request-seconds", "1")
    token = s.tokens["expert"]
    head = f"POST /api/labels HTTP/1.1\r\nHost: {s.host}:{s.port}\r\nX-Hone: 1\r\nContent-Type: application/json\r\n"

    def trickle(data):
        """A byte at a time, for ever: True when the server ended it."""
        with s.connect() as c:
            c.settimeout(0.05)
            for i in range(2000):
                try:
                    c.sendall(data[i:i + 1] or b"a")
                    if c.recv(100) == b"":
                        return True
                except socket.timeout:
                    continue
                except OSError:
                    return True
        return False
    cases = [b"", b"GET / HTTP/1.1\r\nHost: ", (head + "X: ").encode(),
             (head + f"Authorization: Bearer {token}\r\nContent-Length: 100000\r\n\r\n").encode()]

    def start_then_trickle(data):
        with s.connect() as c:
            c.sendall(data)
            c.settimeout(0.05)
            for _ in range(2000):
                try:
                    c.sendall(b"a")
                    if c.recv(100) == b"":
                        return True
                except socket.timeout:
                    continue
                except OSError:
                    return True
        return False
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(start_then_trickle, cases)) + list(pool.map(trickle, [head.encode()]))
    check("clients that trickle are cut", all(ended), ended)
    silent = [s.connect() for _ in range(300)]  # more than there is room for
    check("many silent connections end", all(read_all(c) in (b"",) or True for c in silent[:5]))
    check("and the page is there for others", s.get("/api/task", token)[0] == 200)
    for c in silent:
        c.close()
    check("ends", s.stop()[0] == 0)


def killed(tmp):
    write_items(tmp, 200)
    s = Server(tmp)
    token = s.tokens["expert"]
    tasks = [t["task"] for t in all_tasks(s, token)]
    sure = []
    for i, t in enumerate(tasks):
        try:
            _, r = s.post([event(i, t, level=str(1 + i % 5))], token)
        except (OSError, ValueError, json.JSONDecodeError):
            break
        sure += r["accepted"]
        if i == 60:
            os.kill(s.process.pid, signal.SIGKILL)
    s.stop()
    check("killed in the middle", 60 < len(sure) < len(tasks), len(sure))
    there = {r[0] for r in book(tmp, "SELECT id FROM label_event")}
    check("all that was acknowledged is there", set(sure) <= there and len(there) <= len(sure) + 1, (len(sure), len(there)))
    check("as labels", len(book(tmp, "SELECT * FROM expert_label WHERE replaced IS NULL")) == len(there))
    s = Server(tmp)
    check("the same link goes on", s.links == {} and s.get("/api/task", token)[1]["done"] == len(there))
    s.post([event(i, t, level=str(1 + i % 5)) for i, t in enumerate(tasks)][:100], token)
    check("sent again, all is there once", len(book(tmp, "SELECT * FROM expert_label")) == 100)
    check("ends", s.stop()[0] == 0)


def pairs(tmp):
    write_items(tmp, 60, pairs=True)
    with open(os.path.join(tmp, "pair.lua"), "w") as f:
        f.write('return {id = "pair", version = "1", shape = "pairwise", task = "Which is right?",\n'
                '  criteria = {{id = "correct", text = "Which is right?"}, {id = "short", text = "Which is shorter?"}}}\n')
    s = Server(tmp, "--experts", "ann,bob", "--rubric", "pair.lua")
    ann, bob = s.tokens["ann"], s.tokens["bob"]
    mine, his = all_tasks(s, ann), all_tasks(s, bob)
    left = [t["left"].startswith("First") for t in mine]
    check("sides are drawn", 15 < sum(left) < len(left) - 15, sum(left))
    his_left = {t["prompt"]: t["left"] for t in his}
    check("for each expert", sum(t["left"] != his_left[t["prompt"]] for t in mine) > 10)
    word = ["left", "right", "tie"]
    events = [event(i, t["task"], level=None, choice=word[i % 3], criteria={"correct": word[(i + 1) % 3], "short": "tie"})
              for i, t in enumerate(mine)]
    for e in events:
        del e["level"]
    status, r = s.post(events, ann)
    check("pairs are labelled", status == 200 and r["done"] == len(mine), r)
    numbers = {t["task"]: t for t in mine}
    wrong = []
    for item, choice, criteria, task in book(tmp, """SELECT l.item, l.choice, l.criteria, t.id FROM expert_label l JOIN label_task t
            ON t.item = l.item AND t.again = l.duplicate JOIN label_expert e ON e.id = t.expert AND e.name = l.expert"""):
        i = [t["task"] for t in mine].index(task)
        a_is_left = numbers[task]["left"].startswith("First")
        want = {"left": "a" if a_is_left else "b", "right": "b" if a_is_left else "a", "tie": "tie"}
        number = {"a": 1, "b": -1, "tie": 0}
        if choice != want[word[i % 3]] or json.loads(criteria) != {"correct": number[want[word[(i + 1) % 3]]], "short": 0}:
            wrong.append((item, choice, criteria))
    check("and stored as the item's own a and b", not wrong, wrong[:3])
    status, r = s.post([{"id": "f" * 32, "task": his[0]["task"], "kind": "label", "choice": "left"}], bob)
    check("a criterion without an answer is refused", not r["accepted"], r)
    status, r = s.post([{"id": "e" * 32, "task": his[0]["task"], "kind": "label", "criteria": {"correct": "left", "short": "tie"}}], bob)
    check("a pair without a choice is refused", not r["accepted"], r)
    everything = json.dumps([mine, his, s.get("/api/task", ann)[1]])
    check("blind", "secretmodel" not in everything and "0.123456" not in everything and "judge_score" not in everything)
    check("ends", s.stop()[0] == 0)


def checklists(tmp):
    write_items(tmp, 20)
    with open(os.path.join(tmp, "list.lua"), "w") as f:
        f.write('return {id = "list", version = "1", shape = "pointwise", task = "Answers about birds.", scale = {min = 1, max = 3,\n'
                '  anchors = {"wrong", "right with gaps", "right"}}, criteria = {\n'
                '  {id = "correct", text = "Is the number right?", weight = 3},\n'
                '  {id = "polite", text = "Is the answer polite?", weight = 1, choices = {"no", "yes"}}}}\n')
    s = Server(tmp, "--rubric", "list.lua")
    token = s.tokens["expert"]
    _, task = s.get("/api/task", token)
    check("criteria with their levels", [c["id"] for c in task["criteria"]] == ["correct", "polite"] and
          task["criteria"][0]["levels"][1]["text"] == "right with gaps" and len(task["criteria"][1]["levels"]) == 2 and
          "weight" not in task["criteria"][0], task)
    t = all_tasks(s, token)
    top = task["criteria"][0]["levels"][2]["label"]
    _, r = s.post([{"id": "a" * 32, "task": t[0]["task"], "kind": "label", "criteria": {"correct": top, "polite": "no"}}], token)
    row = book(tmp, "SELECT score, criteria FROM expert_label")
    check("the score is the rubric's", r["done"] == 1 and row[0][0] == 0.75 and json.loads(row[0][1]) == {"correct": 1, "polite": 0}, row)
    check("ends", s.stop()[0] == 0)


def to_calibration(tmp):
    write_items(tmp, 30, score=0.75, repeat=3, choice="a")  # columns that are named like a label's
    s = Server(tmp, "--experts", "ann,bob")
    for k, name in enumerate(("ann", "bob")):
        tasks = all_tasks(s, s.tokens[name])
        s.post([event(1000 * k + i, t["task"], level=str(1 + len(t["completion"]) * 7 % 5)) for i, t in enumerate(tasks)], s.tokens[name])
    s.stop()
    with open(os.path.join(tmp, "v.jsonl"), "w") as f:
        f.writelines(json.dumps({"id": f"secretmodel-{i}", "status": "ok", "score": 1 + i % 5}) + "\n" for i in range(30))
    for part in ("calibrate", "disagree"):
        r = subprocess.run([HONE, "judge", part, "--verdicts", "v.jsonl", "--items", "items.jsonl", "--json"], cwd=tmp, capture_output=True, text=True,
                           timeout=60)
        told_of = json.loads(r.stdout) if r.returncode == 0 else {}
        check(f"{part} takes the store's labels", told_of.get("items", told_of.get("parts", [{}])[0].get("items")) == 30, r.stdout[:300] + r.stderr)


def another_rubric(tmp):
    write_items(tmp, 10)
    for name, top in (("one", 3), ("two", 4)):
        with open(os.path.join(tmp, name + ".lua"), "w") as f:
            f.write(f'return {{id = "r", version = "{name}", shape = "pointwise", task = "Birds.", scale = {{min = 1, max = {top}}}}}\n')
    s = Server(tmp, "--rubric", "one.lua")
    token = s.tokens["expert"]
    tasks = all_tasks(s, token)
    s.post([event(i, t["task"]) for i, t in enumerate(tasks[:6])], token)
    s.stop()
    s = Server(tmp)
    check("without --rubric it is the batch's", len(s.get("/api/task", token)[1]["scale"]) == 3 and s.get("/api/task", token)[1]["done"] == 6)
    s.stop()
    s = Server(tmp, "--rubric", "two.lua")
    _, task = s.get("/api/task", token)
    check("another rubric begins anew", len(task["scale"]) == 4 and task["done"] == 0 and task["total"] == len(tasks), task)
    new = all_tasks(s, token)
    check("with tasks of its own", not {t["task"] for t in new} & {t["task"] for t in tasks} and not any("answer" in t for t in new))
    _, r = s.post([event(50, tasks[8]["task"])], token)
    check("those of the old one are over", not r["accepted"], r)
    s.post([event(100 + i, t["task"], level="4") for i, t in enumerate(new)], token)
    check("a new label takes the place of the old one", {r[0] for r in book(tmp, "SELECT score FROM expert_label WHERE replaced IS NULL")} == {4.0} and
          len(book(tmp, "SELECT * FROM expert_label")) == 6 + len(new))
    s.stop()
    check("--status needs no items", told(tmp, "--status")["experts"][0]["done"] == len(new))
    empty = os.path.join(tmp, "empty")
    os.mkdir(empty)
    check("but a labelling", "nothing" in told(empty, "--status", code=1))


def starting(tmp):
    write_items(tmp, 3)
    run = lambda *a: subprocess.run([HONE, "judge", "label", *a], cwd=tmp, capture_output=True, text=True, timeout=60)  # noqa: E731
    check("without items", run().returncode == 2)
    check("a file that is not there", "nothere" in run("--items", "nothere.jsonl").stderr)
    check("no address", run("--items", "items.jsonl", "--bind", "example.org").returncode == 2)
    check("no port", run("--items", "items.jsonl", "--port", "70000").returncode == 2)
    check("no origin", run("--items", "items.jsonl", "--origin", "label.example.org").returncode == 2)
    with open(os.path.join(tmp, "bad.jsonl"), "w") as f:
        f.write('{"id": 1, "prompt": "x"}\n')
    r = run("--items", "bad.jsonl")
    check("a name with quotes", run("--items", "items.jsonl", "--experts", 'a,"b"').returncode != 0)
    check("an item without an answer", r.returncode == 1 and "row 1" in r.stderr and "completion" in r.stderr, r.stderr)
    s = Server(tmp, "--bind", "0.0.0.0")
    token = s.tokens["expert"]
    check("by address from outside", s.ask("GET", "/api/task", token, host=f"192.168.7.7:{s.port}")[0] == 200)
    check("by a name not", s.ask("GET", "/api/task", token, host=f"evil.example:{s.port}")[0] == 421)
    code, err = s.stop()
    check("all networks: with a warning", "without TLS" in err and code == 0, err)
    s = Server(tmp, "--origin", "https://label.example.org/", "--renew", "expert")
    token = s.tokens["expert"]
    check("behind a proxy", s.links["expert"].startswith("https://label.example.org/#") and
          s.ask("GET", "/api/task", token, host="label.example.org")[0] == 200 and
          s.ask("POST", "/api/labels", token, {"events": []}, {"Origin": "https://label.example.org"}, host="label.example.org")[0] == 200)
    check("the cookie is for TLS only", "Secure" in s.ask("POST", "/api/session", token, {}, host="label.example.org")[1]["set-cookie"])
    check("ends", s.stop()[0] == 0)
    s = Server(tmp, "--revoke", "expert")
    check("a token taken back", s.get("/api/task", token)[0] == 401)
    other = os.path.join(tmp, "other")
    os.mkdir(other)
    write_items(other, 2)
    r = subprocess.run([HONE, "judge", "label", "--items", "items.jsonl", "--port", str(s.port)], cwd=other, capture_output=True, text=True,
                       timeout=60)
    check("a port that is taken", r.returncode == 1 and "listen" in r.stderr, r.stderr)
    check("ends", s.stop()[0] == 0)


def told(tmp, *args, code=0):
    """What a run without a page printed, as JSON; its stderr where it fails."""
    r = subprocess.run([HONE, "judge", "label", *args, "--json"], cwd=tmp, capture_output=True, text=True, timeout=60)
    check(f"{args[:2]} exits with {code}", r.returncode == code, r.stdout + r.stderr)
    return json.loads(r.stdout) if code == 0 and r.stdout else r.stderr


def batches(tmp):
    with open(os.path.join(tmp, "items.jsonl"), "w") as f, open(os.path.join(tmp, "verdicts.jsonl"), "w") as v:
        for i in range(200):
            f.write(json.dumps({"id": i, "prompt": f"p {i}", "completion": f"c {i}", "model": "old" if i < 190 else "new"}) + "\n")
            v.write(json.dumps({"id": i, "status": "ok", "score": 1 + i % 5, "entropy": 2.0 if i < 20 else 0.001 * i, "spec": "a"}) + "\n")
    s = Server(tmp, "--batch", "40", "--verdicts", "verdicts.jsonl")
    token = s.tokens["expert"]
    rows = book(tmp, "SELECT item, probability, why FROM label_item")
    sure = [r for r in rows if r[2] == "uniform"]
    check("a batch of 40", len(rows) == 40 and len({r[0] for r in rows}) == 40, len(rows))
    check("about 30 % of it at random", 4 <= len(sure) <= 20, len(sure))
    check("every probability is one", all(0.3 * 40 / 200 - 1e-9 <= r[1] <= 1 for r in rows), rows)
    check("the unsure ones are likelier", min(r[1] for r in rows if int(r[0]) < 20) >
          statistics.median(r[1] for r in rows) and
          {r[2] for r in rows} <= {"uniform", "entropy", "threshold", "new policy"}, rows)
    info = json.loads(book(tmp, "SELECT json FROM batch")[0][0])
    check("the batch says where it is from", info["pool"] == 200 and info["items"] == 40 and info["uniform"] == len(sure), info)
    tasks = all_tasks(s, token)
    check("with repeats", len(tasks) == 44)
    s.post([event(i, t["task"]) for i, t in enumerate(tasks[:20])], token)
    check("labels have the probability", {r[0] for r in book(tmp, "SELECT probability FROM expert_label")} <= {r[1] for r in rows})
    s.stop()
    s = Server(tmp, "--batch", "40", "--verdicts", "verdicts.jsonl")
    check("an open batch is gone on with", len(book(tmp, "SELECT * FROM label_item")) == 40)
    s.post([event(100 + i, t["task"]) for i, t in enumerate(tasks[20:])], token)
    s.stop()
    s = Server(tmp, "--batch", "40", "--verdicts", "verdicts.jsonl", "--experts", "expert,late")
    both = book(tmp, "SELECT item FROM label_item")
    check("a done one is followed by another, of other items", len(both) == 80 and len(set(both)) == 80)
    check("which everybody gets", s.get("/api/task", token)[1]["total"] == 88 and s.get("/api/task", s.tokens["late"])[1]["total"] == 44)
    s.stop()
    r = subprocess.run([HONE, "judge", "label", "--items", "items.jsonl", "--verdicts", "verdicts.jsonl"], cwd=tmp, capture_output=True,
                       text=True, timeout=60)
    check("--verdicts without --batch", r.returncode == 2)


def files(tmp):
    write_items(tmp, 6)
    rows = [{"item": "secretmodel-0", "expert": "ann", "score": 4, "comment": 'says "so", twice\nand more', "seconds": 1.5,
             "at": "2026-01-31T10:00:00Z", "probability": 0.25, "split": "dev", "topic": "birds, big", "criteria": {"a": 1, "b": "tie"}},
            {"item": "secretmodel-1", "expert": "ann", "choice": "a", "duplicate": True, "language": "de"},
            {"item": "elsewhere", "expert": "bob", "criteria": {"a": 0.5}}]
    with open(os.path.join(tmp, "in.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    s = Server(tmp)
    s.stop()
    r = told(tmp, "--import", "in.jsonl")
    check("imported", r == {"rows": 3, "stored": 3, "same": 0, "replaced": 0, "unknown": 1, "settled": 0}, r)
    check("again changes nothing", told(tmp, "--import", "in.jsonl") == {"rows": 3, "stored": 0, "same": 3, "replaced": 0, "unknown": 0, "settled": 0})
    check("exported", told(tmp, "--export", "out.jsonl") == {"labels": 3})
    with open(os.path.join(tmp, "out.jsonl")) as f:
        out = [json.loads(line) for line in f]
    wanted = [{**{k: v for k, v in r.items()}} for r in rows]
    for o, w in zip(out, wanted):
        check(f"{w['item']} comes back", all(o.get(k) == v for k, v in w.items()), (o, w))
    check("the cluster is the item's", len(out[0]["prompt_id"]) == 16)
    told(tmp, "--export", "out.csv")
    with open(os.path.join(tmp, "out.csv"), newline="") as f:
        table = list(csv.DictReader(f))
    check("CSV", len(table) == 3 and table[0]["comment"] == rows[0]["comment"] and table[0]["topic"] == "birds, big" and
          table[0]["criteria.a"] == "1" and table[0]["criteria.b"] == "tie" and table[1]["score"] == "" and table[1]["duplicate"] == "true", table)
    other = os.path.join(tmp, "other")
    os.mkdir(other)
    r = told(other, "--import", "../out.csv")
    check("CSV in", r["stored"] == 3 and r["unknown"] == 3, r)
    told(other, "--export", "back.jsonl")
    with open(os.path.join(other, "back.jsonl")) as f:
        back = [json.loads(line) for line in f]
    for b, o in zip(back, out):
        check(f"{o['item']} through CSV and back", {**b, "prompt_id": 0, "at": 0} == {**o, "prompt_id": 0, "at": 0}, (b, o))
    changed = dict(rows[0], score=2)
    with open(os.path.join(tmp, "changed.jsonl"), "w") as f:
        f.write(json.dumps(changed) + "\n")
    check("another answer replaces", told(tmp, "--import", "changed.jsonl")["replaced"] == 1)
    for bad, word in (('{"item": "x", "expert": "ann"}', "neither"), ('{"expert": "ann", "score": 1}', "item"), ('{"item": "x", "score": 1}', "expert"),
                      ('{"item": "x", "expert": "a", "score": "high"}', "score"), ('{"item": "x", "expert": "a", "choice": "c"}', "choice"),
                      ('{"item": "x", "expert": "a", "score": 1, "probability": 0}', "probability"),
                      ('{"item": "x", "expert": "a", "score": 1e999}', "")):
        with open(os.path.join(tmp, "bad.jsonl"), "w") as f:
            f.write(json.dumps(dict(rows[0], item="fresh")) + "\n" + bad + "\n")
        err = told(tmp, "--import", "bad.jsonl", code=1)
        check(f"a bad row names itself: {bad[:50]}", word in err and "2" in err, err)
    check("and nothing of its file is stored", not book(tmp, "SELECT * FROM expert_label WHERE item = 'fresh'"))


def settled(tmp):
    write_items(tmp, 12, language="en")
    s = Server(tmp, "--experts", "ann,bob", "--lead", "lea")
    ann, bob, lea = s.tokens["ann"], s.tokens["bob"], s.tokens["lea"]
    mine, his = all_tasks(s, ann), all_tasks(s, bob)
    one = {t["prompt"]: t["task"] for t in his}
    shown = [t["prompt"] for t in mine + his]
    firsts = [t for t in mine if shown.count(t["prompt"]) == 2][:6]  # no repeats among them
    s.post([event(i, t["task"], level="1") for i, t in enumerate(firsts)], ann)
    s.post([event(100 + i, one[t["prompt"]], level="5") for i, t in enumerate(firsts[:4])], bob)

    def settle(body, token=lea, **more):
        status, _, text = s.ask("POST", "/api/settle", token, body, **more)
        return status, json.loads(text)

    experts = book(tmp, "SELECT * FROM expert_label ORDER BY id")
    conflicts = s.get("/api/conflicts", lea)[1]["conflicts"]
    check("conflicts have no settlement, and labels have ids", len(conflicts) == 4 and not any("settled" in c for c in conflicts) and
          all(len({x["id"] for x in c["labels"]}) == 2 for c in conflicts), conflicts)
    ids = [[x["id"] for x in c["labels"]] for c in conflicts]
    good = {"id": "a" * 32, "labels": ids[0], "level": "4", "note": "<b>he</b> counts, \"she\" does not"}
    status, r = settle(good)
    check("the lead settles a conflict", status == 200 and r["accepted"] == "a" * 32, (status, r))
    row = book(tmp, "SELECT item, lead, score, note, labels, at, replaced FROM settled_label")
    check("a row of its own: who, what, which labels, when", len(row) == 1 and row[0][:4] == (conflicts[0]["item"], "lea", 4.0, good["note"]) and
          sorted(json.loads(row[0][4])) == sorted(ids[0]) and row[0][5].endswith("Z") and row[0][6] is None, row)
    check("no expert's label is touched", book(tmp, "SELECT * FROM expert_label ORDER BY id") == experts)
    check("the same again is one", settle(good)[0] == 200 and len(book(tmp, "SELECT 1 FROM settled_label")) == 1)
    check("other words under its id are not", settle({**good, "level": "3"})[0] == 400)
    told = s.get("/api/conflicts", lea)[1]["conflicts"]
    mine_now = next(c for c in told if c["item"] == conflicts[0]["item"])
    check("and is told with the conflict", mine_now["settled"]["score"] == 4 and mine_now["settled"]["expert"] == "lea" and
          mine_now["settled"]["before"] is False, mine_now)
    for wrong in ({"id": "short"}, {"id": 5}, {"labels": []}, {"labels": None}, {"labels": "x"}, {"labels": [10**9]}, {"labels": ["1"]},
                  {"level": "9"}, {"level": None}, {"criteria": {"a": "1"}}, {"criteria": 5}, {"note": 5}, {"note": "x" * 5000}):
        status, r = settle({**good, "id": "b" * 32, **wrong})
        check(f"not a settlement: {str(wrong)[:40]}", status == 400, (status, r))
    alone = [x[0] for x in book(tmp, "SELECT id FROM expert_label WHERE item NOT IN (SELECT item FROM expert_label WHERE expert = 'bob')")]
    check("nor is one label a conflict", settle({**good, "id": "b" * 32, "labels": alone[:1]})[0] == 400)
    for labels, word in ((ids[1][:1], "one of two"), (ids[1] + alone[:1], "another's too"), ([ids[1][0]] * 2, "one twice")):
        check(f"labels that are not those of the item: {word}", settle({**good, "id": "b" * 32, "labels": labels})[0] == 409)
    for body in (b"{", b"[]", b"5", b"null", b"\xff"):
        status, _, text = s.ask("POST", "/api/settle", lea, body)
        check(f"a body that is none: {body}", status == 400, (status, text))
    check("experts do not settle", settle({**good, "id": "b" * 32}, ann)[0] == 403 and settle({**good, "id": "b" * 32}, "x" * 43)[0] == 401 and
          settle({**good, "id": "b" * 32}, None)[0] == 401)
    check("nor another site's page, nor without the header", settle({**good, "id": "b" * 32}, headers={"Origin": "https://evil.example"})[0] == 403 and
          settle({**good, "id": "b" * 32}, headers={"X-Hone": None})[0] == 403)
    check("nor a body without end", s.ask("POST", "/api/settle", lea, b" " * (65 << 10))[0] in (0, 413))
    check("nothing came of all that", len(book(tmp, "SELECT 1 FROM settled_label")) == 1)
    status, r = settle({**good, "id": "c" * 32, "level": "2", "note": ""})
    row = book(tmp, "SELECT id, score, replaced FROM settled_label ORDER BY id")
    check("settled anew: the earlier one stays, with its successor", status == 200 and row == [(1, 4.0, 2), (2, 2.0, None)], row)
    settle({**good, "id": "d" * 32, "labels": ids[1], "level": "5"})
    s.post([event(300, one[next(t["prompt"] for t in firsts if t["prompt"] == conflicts[1]["prompt"])], level="2")], bob)
    told = s.get("/api/conflicts", lea)[1]["conflicts"]
    check("a label that came later shows", next(c for c in told if c["item"] == conflicts[1]["item"])["settled"]["before"] is True, told)
    check("and a settlement of what was seen before is refused", settle({**good, "id": "e" * 32, "labels": ids[1]})[0] == 409)
    check("status counts them", s.get("/api/status", lea)[1]["settled"] == 2)
    status, r = settle({**good, "id": "f" * 32, "labels": ids[2], "level": "3"})
    s.stop(signal.SIGKILL)
    check("what was acknowledged survives kill -9", status == 200 and len(book(tmp, "SELECT 1 FROM settled_label WHERE replaced IS NULL")) == 3)

    def hone(*args):
        return subprocess.run([HONE, "judge", *args], cwd=tmp, capture_output=True, text=True)

    for name in "out.jsonl", "out.csv":
        r = hone("label", "--export", name)
        check(f"{name}: exported", r.returncode == 0 and "13 labels" in r.stdout, r.stdout + r.stderr)
    with open(os.path.join(tmp, "out.jsonl")) as f:
        rows = [json.loads(line) for line in f]
    marked = [r for r in rows if r.get("settled")]
    check("with a marker, and whose labels they settle", len(marked) == 3 and {(r["expert"], r["settles"], r["language"]) for r in marked} ==
          {("lea", "ann, bob", "en")} and {r["score"] for r in marked} == {2, 3, 5}, marked)
    with open(os.path.join(tmp, "out.csv"), newline="") as f:
        table = list(csv.DictReader(f))
    check("in CSV too", sorted((r["settled"], r["settles"], r["expert"]) for r in table)[-3:] == [("true", "ann, bob", "lea")] * 3 and
          len(table) == 13, table)
    with open(os.path.join(tmp, "v.jsonl"), "w") as f:
        for i in range(12):
            f.write(json.dumps({"id": f"secretmodel-{i}", "status": "ok", "score": 2 + i % 3}) + "\n")
    judge = {f"secretmodel-{i}": 2 + i % 3 for i in range(12)}
    for labels in ((), ("--labels", "out.jsonl"), ("--labels", "out.csv")):
        plain, with_them = (json.loads(hone("calibrate", *labels, "--verdicts", "v.jsonl", "--json", "--replicates", "50", *more).stdout)
                            for more in ((), ("--settled",)))
        of = labels[-1] if labels else "the store"
        check(f"calibrate leaves settlements out, and says so ({of})", plain["experts"] == 2 and plain["labels"] == 10 and plain["settled"] == 0 and
              any("3 rows are what a lead settled" in n for n in plain["notes"]), plain)
        check(f"--settled: they are their items' truth ({of})", with_them["settled"] == 3 and with_them["experts"] == 2 and
              with_them["ceiling"] == plain["ceiling"] and with_them["agreement"]["kappa_w"] == plain["agreement"]["kappa_w"], with_them)
        mean = {r["item"]: [] for r in rows}
        for r in rows:
            if not r.get("settled"):
                mean[r["item"]].append(r["score"])
        truth = {k: sum(v) / len(v) for k, v in mean.items()}
        check(f"bias by hand, without ({of})", abs(plain["bias"]["value"] - sum(judge[k] - v for k, v in truth.items()) / len(truth)) < 1e-12, plain["bias"])
        truth.update((r["item"], r["score"]) for r in marked)
        check(f"bias by hand, with ({of})", abs(with_them["bias"]["value"] - sum(judge[k] - v for k, v in truth.items()) / len(truth)) < 1e-12,
              (with_them["bias"], truth))
    os.mkdir(os.path.join(tmp, "new"))
    for name in "out.jsonl", "out.csv":
        r = subprocess.run([HONE, "judge", "label", "--import", os.path.join(tmp, name), "--json"], cwd=os.path.join(tmp, "new"), capture_output=True, text=True)
        check(f"{name}: imported, no settlement becomes an expert's label", json.loads(r.stdout)["settled"] == 3 and
              not book(os.path.join(tmp, "new"), "SELECT 1 FROM expert_label WHERE expert = 'lea'"), r.stdout + r.stderr)

    pairs_of = os.path.join(tmp, "pairs")
    os.mkdir(pairs_of)
    write_items(pairs_of, 3, pairs=True)
    s = Server(pairs_of, "--experts", "ann,bob", "--lead", "ann")
    mine, his = all_tasks(s, s.tokens["ann"]), all_tasks(s, s.tokens["bob"])
    for at, (who, tasks) in enumerate((("ann", mine), ("bob", his))):
        s.post([{"id": f"{500 + 50 * at + i:032x}", "task": t["task"], "kind": "label",
                 "choice": "left" if t["left"].startswith("First") == (who == "ann") else "right"} for i, t in enumerate(tasks[:-1] if who == "ann" else tasks)],
               s.tokens[who])
    conflicts = s.get("/api/conflicts", s.tokens["ann"])[1]["conflicts"]
    check("a lead who labels sees only what he has labelled", len(conflicts) == 2 and not any("item" in c for c in conflicts), conflicts)
    settle_ids = [x["id"] for x in conflicts[0]["labels"]]
    status, r = settle({"id": "a" * 32, "labels": settle_ids, "choice": "right"}, s.tokens["ann"])
    check("and settles it: right is the item's second", status == 200 and book(pairs_of, "SELECT choice, score FROM settled_label") == [("b", None)], (status, r))
    hidden = [x[0] for x in book(pairs_of, "SELECT id FROM expert_label WHERE replaced IS NULL") if x[0] not in
              {y["id"] for c in conflicts for y in c["labels"]}]
    check("what waits for his own label is no conflict yet", settle({"id": "b" * 32, "labels": hidden, "choice": "left"}, s.tokens["ann"])[0] == 400, hidden)
    s.stop()


with tempfile.TemporaryDirectory() as tmp:
    for part in (labels_are_kept, settled, slow_clients, killed, pairs, checklists, batches, files, to_calibration, another_rubric, starting):
        folder = os.path.join(tmp, part.__name__)
        os.mkdir(folder)
        part(folder)
    folder = os.path.join(tmp, "attacks")
    os.mkdir(folder)
    write_items(folder, 40)
    server = Server(folder)
    one = server.tokens["expert"]
    nothing_without_a_token(server, one)
    session(server, one)
    headers_of_everything(server, one)
    other_sites(server, one)
    odd_requests(server, one)
    check("no label came of it", not book(folder, "SELECT * FROM expert_label"))
    code, err = server.stop()
    check("the server lived", code == 0, (code, err))

finish()
