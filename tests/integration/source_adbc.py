#!/usr/bin/env python3
"""source_adbc.py - rows through the ADBC drivers of SQLite and PostgreSQL, against a real server started here: cells, places,
push-down, connections cut in the middle, a server that restarts, a driver that is killed, passwords, memory.

The drivers are those of PyPI (adbc-driver-sqlite, adbc-driver-postgresql): from HONE_ADBC_DRIVERS, a folder of wheels, else
~/.cache/hone/adbc, which `pip download` fills once. Without them, or without a server, it says so and skips. The server
refuses to be root: it runs as nobody then. HONE_FULL=1 streams 1 GB."""
import glob
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402
from rows_of import BIG, HONE, goes_on, lua, peak, places, rows, work  # noqa: E402

# ---- drivers ----
cache = pathlib.Path(os.environ.get("HONE_ADBC_DRIVERS") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hone/adbc")


def driver(name):
    if not list(cache.glob(f"adbc_driver_{name}-*.whl")):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), f"adbc-driver-{name}"],
                           timeout=120, capture_output=True)
        except (OSError, subprocess.TimeoutExpired):
            pass
    wheels = sorted(cache.glob(f"adbc_driver_{name}-*.whl"))
    if not wheels:
        return None
    with zipfile.ZipFile(wheels[-1]) as z:
        member = next(n for n in z.namelist() if n.endswith(".so"))
        z.extract(member, work / "drivers")
    return str(work / "drivers" / member)


sqlite_driver, postgres_driver = driver("sqlite"), driver("postgresql")
BOX, NET = ("adbc:exec", f"fs-read:{work}"), ("adbc:exec,net", f"fs-read:{work}")
QUICK = {"backoff_ms": 50, "retries": 6}

# ---- without a driver ----
(work / "plain.so").write_text("no library")
(work / "x.db").write_text("")
subprocess.run(["cc", "-shared", "-o", str(work / "other.so"), "-x", "c", "-"], input=b"int x;", check=True)
subprocess.run(["cc", "-shared", "-o", str(work / "crash.so"), "-x", "c", "-"], input=b"int AdbcDriverInit(int v, void *d, void *e) { return *(volatile int *)0; }", check=True)
subprocess.run(["cc", "-shared", "-o", str(work / "bare.so"), "-x", "c", "-"], input=b"unsigned char AdbcDriverInit(int v, void *d, void *e) { return 0; }", check=True)


def refused(name, settings, *words, allow=BOX, env=None):
    got, why = rows("adbc", {**QUICK, **settings}, allow=allow, env=env)
    check(name, why and all(w in why for w in words) and not got, f"{len(got)} rows, {why!r}")


refused("a file that is no library", {"driver": "plain.so", "table": "t"}, "does not load")
refused("a library that is no driver", {"driver": "other.so", "table": "t"}, "no ADBC driver")
refused("a driver without functions", {"driver": "bare.so", "table": "t"}, "lacks functions")
refused("a driver that crashes is asked again, then given up", {"driver": "crash.so", "table": "t", "retries": 2, "backoff_ms": 1}, "holds the driver ended", "asked 3 times")
refused("no table", {"driver": "plain.so"}, "table or query")
refused("table and query", {"driver": "plain.so", "table": "t", "query": "select 1"}, "one of them")
run = lua("for row in rows:each() do print(row.id) end", "adbc", {"driver": "plain.so", "table": "t"}, allow=(f"fs-read:{work}",))
check("without a grant no driver is run", run.returncode == 3 and "--allow=adbc:exec" in run.stderr, run.stderr)

# ---- SQLite's driver ----
if not sqlite_driver:
    skip("SQLite's driver", "adbc-driver-sqlite is not here and cannot be fetched", 8)
else:
    db = sqlite3.connect(work / "a.db")
    db.execute("create table t (id integer primary key, s text, x real, b blob)")
    db.executemany("insert into t values (?,?,?,?)", [(3 * i, f"caf\u00e9 '{i}'\t\"q\"\n", i / 4, bytes([i % 256, 255])) for i in range(3000)])
    db.execute("create table named (k text primary key, v int)")
    db.executemany("insert into named values (?,?)", [(f"it's {i:05}", i) for i in range(900)])
    db.commit()
    db.close()
    lite = {"driver": sqlite_driver, "uri": str(work / "a.db"), "files": str(work), **QUICK}
    got, why = rows("adbc", {**lite, "table": "t"}, allow=BOX)
    check("rows of SQLite's driver", len(got) == 3000 and got[1] == {"id": 3, "s": "caf\u00e9 '1'\t\"q\"\n", "x": 0.25, "b": "Af8="}, f"{got[:2]} {why}")
    check("going on by key", not (w := goes_on("adbc", {**lite, "table": "t", "key": "id"}, 700, allow=BOX)), w)
    check("by a key that is text with quotes", not (w := goes_on("adbc", {**lite, "table": "named", "key": "k"}, 300, allow=BOX)), w)
    check("by counting, in a query", not (w := goes_on("adbc", {**lite, "query": "select s, x from t order by x desc"}, 1300, allow=BOX)), w)
    got, why = rows("adbc", {**lite, "table": "t", "key": "id"}, allow=BOX, select=["s", "x"], take=5)
    check("select and take, the key not among them", [list(sorted(r)) for r in got] == [["s", "x"]] * 5 and got[2]["x"] == 0.5, f"{got} {why}")
    check("and going on from there", not (w := goes_on("adbc", {**lite, "table": "t", "key": "id", "columns": "x", "limit": 900}, 350, allow=BOX)), w)
    mark = places("adbc", {**lite, "table": "t", "key": "id"}, 600, allow=BOX)[1][1]
    db = sqlite3.connect(work / "a.db")
    db.execute("update t set s = 'changed' where id = 1533")  # the row before the batch of the place
    db.commit()
    got, why = rows("adbc", {**lite, "table": "t", "key": "id"}, allow=BOX, **{"from": mark})
    check("another row at the place is refused", "another one now" in why and not got, why)
    db.execute("alter table t add column more int")
    db.commit()
    got, why = rows("adbc", {**lite, "table": "t", "key": "id"}, allow=BOX, **{"from": mark})
    check("other columns at the place are refused", "columns are not what they were" in why and "more" in why, why)
    db.close()
    refused("no such table", {**lite, "table": "nothing"}, "nothing")
    refused("no such option", {**lite, "table": "t", "statement": {"no.such": "1"}}, "no.such")
    outside = work.parent / (work.name + "-outside.db")
    shutil.copy(work / "a.db", outside)
    refused("a file it was not given cannot be opened", {**lite, "uri": str(outside), "table": "t"}, "hone:")
    outside.unlink()

# ---- a PostgreSQL server ----
found = [os.path.dirname(p) for p in glob.glob("/usr/lib/postgresql/*/bin/initdb")] + [os.path.dirname(p) for p in [shutil.which("initdb")] if p]
if not postgres_driver or not found:
    skip("PostgreSQL", "adbc-driver-postgresql is not here and cannot be fetched" if not postgres_driver else "no postgres on this machine", 20)
    finish()
BIN = found[0]
root = os.geteuid() == 0
as_user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if root else []
home = work / "pg"
home.mkdir()
os.chmod(work, 0o711)
PASSWORD = "s3cret'of@the:vendor"
(home / "pw").write_text(PASSWORD + "\n")
if root:
    shutil.chown(home, "nobody", "nogroup")
    shutil.chown(home / "pw", "nobody", "nogroup")
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    PORT = s.getsockname()[1]


def pg(*args, **more):
    return subprocess.run([*as_user, *args], capture_output=True, text=True, cwd=home, env={**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"}, **more)


run = pg(f"{BIN}/initdb", "-D", str(home / "data"), "-U", "vendor", "-A", "scram-sha-256", "--pwfile", str(home / "pw"), "-E", "UTF8", "--no-sync")
if run.returncode:
    skip("PostgreSQL", f"initdb does not work here: {run.stderr[-200:]}", 20)
    finish()
with open(home / "data/postgresql.conf", "a") as f:
    f.write(f"listen_addresses = '127.0.0.1'\nport = {PORT}\nunix_socket_directories = '{home}'\nfsync = off\nshared_buffers = 32MB\n"
            "log_statement = all\nlogging_collector = off\n")


def server(what, *more):
    run = pg(f"{BIN}/pg_ctl", "-D", str(home / "data"), "-l", str(home / "log"), "-w", "-t", "60", what, *more, timeout=120)
    return run.returncode == 0 or print(run.stdout, run.stderr)


def psql(sql):
    run = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(PORT), "-U", "vendor", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql],
                         capture_output=True, text=True, env={**os.environ, "PGPASSWORD": PASSWORD})
    if run.returncode:
        raise RuntimeError(run.stderr)
    return run.stdout


class Proxy:
    """Between driver and server: cuts its connections after so many bytes of answers, the first ones."""

    def __init__(self, cuts=(), at=None, act=None):
        self.cuts, self.at, self.act, self.connections, self.passed = list(cuts), at, act, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            cut = self.cuts.pop(0) if self.cuts else None
            try:
                upstream = socket.create_connection(("127.0.0.1", PORT))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.pump, args=(client, upstream, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client, cut), daemon=True).start()

    def pump(self, a, b, cut):
        n = 0
        try:
            while (data := a.recv(16384 if cut is not None or self.act else 65536)):
                n += len(data)
                if cut is not None and n > cut:
                    break
                b.sendall(data)
                if self.act and self.at is not None and n > self.at:
                    act, self.act = self.act, None
                    act()
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def kill_driver():
    """SIGKILL for the hone-adbc that this test's hone has started."""
    mine = {os.getpid()}
    tree = {}
    for p in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(p).read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        tree[int(p.split("/")[2])] = (name, int(rest[1]))
    for _ in range(10):
        mine |= {pid for pid, (_, parent) in tree.items() if parent in mine}
    killed = 0
    for pid, (name, _) in tree.items():
        if pid in mine and name == "hone-adbc":
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def uri(port, password="s3cret%27of%40the%3Avendor"):
    return f"postgresql://vendor:{password}@127.0.0.1:{port}/postgres?sslmode=disable"


try:
    check("the server starts", server("start"))
    psql("create table t (id bigint primary key, s text, n int, x double precision, ok bool, d date, j jsonb, b bytea, m numeric(9,2))")
    psql("insert into t select 2 * i, 'row ' || i || E' \u00e9 \\'\"\\t\\n', i % 7, i / 8.0, i % 2 = 0, date '2020-01-01' + i % 100, "
         "jsonb_build_object('k', i), decode('00ff', 'hex'), i / 3.0 from generate_series(0, 19999) i")
    psql("create schema other; create table other.\"We ird\" (\"a b\" int); insert into other.\"We ird\" values (1), (2)")
    os.environ["VENDOR_URI"] = uri(PORT)
    base = {"driver": postgres_driver, "uri": "env:VENDOR_URI", **QUICK}
    got, why = rows("adbc", {**base, "table": "t", "key": "id", "limit": 3}, allow=NET)
    check("cells of PostgreSQL", len(got) == 3 and got[2]["id"] == 4 and got[2]["s"] == "row 2 \u00e9 '\"\t\n" and got[2]["x"] == 0.25 and
          got[2]["ok"] is True and got[2]["b"] == "AP8=" and got[2]["m"] == "0.67", f"{got[2:]} {why}")
    got, why = rows("adbc", {**base, "table": "other.We ird"}, allow=NET)
    check("a schema and names with blanks", [r["a b"] for r in got] == [1, 2], f"{got} {why}")
    check("going on by key", not (w := goes_on("adbc", {**base, "table": "t", "key": "id", "columns": "id,s"}, 6000, allow=NET)), w)
    check("by counting", not (w := goes_on("adbc", {**base, "query": "select id, x from t order by n, id"}, 9000, allow=NET)), w)
    got, why = rows("adbc", {**base, "table": "t", "key": "id"}, allow=NET, select=["n", "ok"], take=4)
    check("select and take", got == [{"n": 0, "ok": True}, {"n": 1, "ok": False}, {"n": 2, "ok": True}, {"n": 3, "ok": False}], f"{got} {why}")
    log = (home / "log").read_text()
    check("the server was asked for no more", 'SELECT "n", "ok", "id" FROM (SELECT * FROM "t"' in log and 'ORDER BY "id" LIMIT 4' in log)
    for name, more, words in (("column", {"columns": "id,txt"}, '"txt"'), ("table", {"table": "nothing"}, "nothing"), ("SQL", {"query": "selec 1", "table": ""}, "syntax"),
                              ("NaN", {"query": "select 'NaN'::float8 as y", "table": ""}, "column y"), ("null key", {"query": "select null::int as k", "table": "", "key": "k"}, "key k"),
                              ("division", {"query": "select 1 / (i - 3000) as y from generate_series(0, 5000) i", "table": ""}, "division by zero")):
        got, why = rows("adbc", {**base, "table": "t", "retries": 1, "backoff_ms": 1, **more}, allow=NET)
        check(f"an error of the database is said: {name}", words in why, why)
    refused("without the network", {**base, "table": "t", "retries": 0}, "hone:", allow=BOX)

    # ---- connections ----
    whole, why = rows("adbc", {**base, "table": "t", "key": "id"}, allow=NET)
    check("all rows", len(whole) == 20000 and not why, why)
    for label, settings in (("by key", {"table": "t", "key": "id"}), ("by counting", {"query": "select * from t order by id"})):
        proxy = Proxy(cuts=[0, 300000, 20, 700000, 1200000, 400000])
        os.environ["VENDOR_URI"] = uri(proxy.port)
        got, why = rows("adbc", {**base, **settings}, allow=NET)
        check(f"cut six times, {label}: no row lost, none twice", got == whole and proxy.connections == 7, f"{len(got)} rows, {proxy.connections} connections, {why}")
        proxy.listener.close()
    proxy = Proxy(at=500000, act=lambda: server("restart", "-m", "immediate"))
    os.environ["VENDOR_URI"] = uri(proxy.port)
    got, why = rows("adbc", {**base, "table": "t", "key": "id", "retries": 8, "backoff_ms": 200}, allow=NET)
    check("the server restarts in the middle", got == whole and proxy.act is None, f"{len(got)} {why}")
    proxy.listener.close()
    killed = []
    proxy = Proxy(at=500000, act=lambda: killed.append(kill_driver()))
    os.environ["VENDOR_URI"] = uri(proxy.port)
    got, why = rows("adbc", {**base, "table": "t", "key": "id"}, allow=NET)
    check("the driver is killed in the middle", got == whole and killed and killed[0] >= 1, f"{len(got)} {killed} {why}")
    proxy.listener.close()
    silent = socket.create_server(("127.0.0.1", 0))
    os.environ["VENDOR_URI"] = uri(silent.getsockname()[1])
    got, why = rows("adbc", {**base, "table": "t", "timeout_s": 1, "retries": 1}, allow=NET)
    check("a server that says nothing is given up", "nothing came" in why and "asked 2 times" in why, why)
    silent.close()

    # ---- passwords ----
    os.environ["VENDOR_URI"] = uri(PORT, "wr0ng-pass")
    got, why = rows("adbc", {**base, "table": "t", "backoff_ms": 1}, allow=NET)
    check("a wrong password is an error at once, and in no message", "password" in why and "wr0ng" not in why and "asked" not in why, why)
    os.environ["VENDOR_URI"] = f"postgresql://vendor:hidden-pw@[bad:{PORT}/x"
    got, why = rows("adbc", {**base, "table": "t", "retries": 0}, allow=NET)
    check("nor is one of an address that is none", why and "hidden-pw" not in why, why)
    seen = []

    def look():
        for p in glob.glob("/proc/[0-9]*"):
            try:
                if "hone" in open(p + "/comm").read():
                    seen.append(open(p + "/cmdline").read() + open(p + "/environ").read() if "adbc" in open(p + "/comm").read() else open(p + "/cmdline").read())
            except OSError:
                pass
    proxy = Proxy(at=300000, act=look)
    os.environ["VENDOR_URI"] = uri(proxy.port)
    got, why = rows("adbc", {**base, "table": "t", "key": "id"}, allow=NET)
    check("nor in the list of processes", seen and any("hone-adbc" in x for x in seen) and not any("s3cret" in x for x in seen), why)
    proxy.listener.close()

    # ---- memory ----
    os.environ["VENDOR_URI"] = uri(PORT)
    n = BIG // 1024
    got, total, mb = peak("adbc", {**base, "query": f"select i as id, repeat('0123456789abcdef', 62) as s from generate_series(0, {n - 1}) i"}, "id", allow=NET)
    print(f"adbc: {n >> 10} MB streamed, peak {mb:.0f} MB (the larger of hone and hone-adbc)")
    check("memory does not grow with the table", got == n and total == n * (n - 1) / 2 and mb < 160, f"{got} rows, {mb} MB")
finally:
    server("stop", "-m", "immediate")
finish()
