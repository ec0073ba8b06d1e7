#!/usr/bin/env python3
"""source_sqlite.py - rows of SQLite databases: every cell, every place, push-down, what is refused, memory.

HONE_FULL=1 streams 1 GB."""
import os
import random
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402
from rows_of import BIG, HONE, goes_on, peak, places, rows, work  # noqa: E402
import subprocess  # noqa: E402

if "sqlite" not in subprocess.run([HONE, "plugin", "list"], capture_output=True, text=True).stdout:
    skip("sqlite", "this build has no libsqlite3")
    finish()


def database(name, *statements):
    path = work / name
    if path.exists():
        path.unlink()
    db = sqlite3.connect(path)
    for s in statements:
        db.executemany(*s) if isinstance(s, tuple) else db.execute(s)
    db.commit()
    db.close()
    return name


def refused(name, settings, *words, before=0):
    got, why = rows("sqlite", settings)
    check(name, why and all(w in why for w in words) and len(got) == before, f"{len(got)} rows, {why!r}")


# ---- cells ----
shop = database("shop.db",
                "create table orders (id integer primary key, name text, price real, paid boolean, n int, note)",
                ("insert into orders values (?,?,?,?,?,?)",
                 [(10, "caf\u00e9 \"x\"\n\x01", 1.5, 1, -9223372036854775808, None), (20, "", 2.0, 0, 9007199254740993, "t"),
                  (-5, "\U0001f600", 1e300, None, None, 2.5)]),
                "create table keyed (a text primary key, b int) without rowid",
                ("insert into keyed values (?,?)", [(f"k{i:04}", i) for i in range(700)]),
                "create view dear as select name, price from orders where price > 1.6 order by price",
                "create table hidden (rowid text, x int)", "insert into hidden values ('a', 1), ('b', 2)",
                "create table \"we \"\"ird\" (\"a b\" int, \"select\" text)", "insert into \"we \"\"ird\" values (1, 's')")
want = [{"id": -5, "name": "\U0001f600", "price": 1e300, "paid": None, "n": None, "note": 2.5},
        {"id": 10, "name": "caf\u00e9 \"x\"\n\x01", "price": 1.5, "paid": True, "n": -9223372036854775808, "note": None},
        {"id": 20, "name": "", "price": 2.0, "paid": False, "n": 9007199254740993, "note": "t"}]
got, why = rows("sqlite", {"path": shop, "table": "orders"})
check("cells come as what they are, rows by rowid", [{k: v for k, v in w.items() if v is not None} for w in want] ==
      [{k: v for k, v in g.items() if v is not None} for g in got], f"{got} {why}")
for table, n in (("keyed", 700), ("dear", 2), ("hidden", 2), ('we "ird', 1)):
    got, why = rows("sqlite", {"path": shop, "table": table})
    check(f"table {table}", len(got) == n, f"{len(got)} {why}")
check("a column may be called rowid", [r["rowid"] for r in rows("sqlite", {"path": shop, "table": "hidden"})[0]] == ["a", "b"])
got, _ = rows("sqlite", {"path": shop, "query": "select name, price * 2 as twice from orders order by price -- dearest last"})
check("a query", [r["twice"] for r in got] == [3.0, 4.0, 2e300], got)

# ---- less of it ----
for more in ({"columns": "price, name"}, {"where": "price < 3"}, {"limit": 1}, {"limit": 0}):
    got, why = rows("sqlite", {"path": shop, "table": "orders", **more})
    n = {"columns": 3, "where": 2, "limit": more.get("limit")}[next(iter(more))]
    check(f"setting {more}", not why and len(got) == n and ("columns" not in more or all(set(g) <= {"price", "name"} for g in got)), f"{got} {why}")
got, why = rows("sqlite", {"path": shop, "table": "orders"}, select=["name"], take=2)
check("select and take", got == [{"name": "\U0001f600"}, {"name": "caf\u00e9 \"x\"\n\x01"}], f"{got} {why}")
got, why = rows("sqlite", {"path": shop, "table": "orders"}, select=["name", "prise"])
check("select of no column is named", "prise" in why and "price" in why, why)
bad_cell = database("cell.db", "create table t (a int, b text)", "insert into t values (1, 'x'), ('no', 'y'), (3, 'z')")
got, why = rows("sqlite", {"path": bad_cell}, select=["b"])
check("select reaches the database: a bad cell it does not ask for is not met", [r["b"] for r in got] == ["x", "y", "z"], why)
got, why = rows("sqlite", {"path": bad_cell}, take=1)
check("take reaches it too", len(got) == 1, why)

# ---- places ----
many = database("many.db", "create table t (id integer primary key, x real, s text)",
                ("insert into t values (?,?,?)", [(7 * i, i / 3, "s" * (i % 50)) for i in range(1300)]))
check("going on in a table, from everywhere", not (w := goes_on("sqlite", {"path": many}, 97)), w)
check("in a table without rowids", not (w := goes_on("sqlite", {"path": shop, "table": "keyed"}, 61)), w)
check("in a query", not (w := goes_on("sqlite", {"path": many, "query": "select x, s from t order by x desc"}, 211)), w)
check("under a limit", not (w := goes_on("sqlite", {"path": many, "limit": 600}, 150)), w)
check("where bad rows are left out", not (w := goes_on("sqlite", {"path": bad_cell, "on_error": "skip"}, 1)), w)
mark = places("sqlite", {"path": many}, 500)[1][1]
db = sqlite3.connect(work / many)
db.execute("insert into t values (1000000, 1, 'later')")
db.commit()
got, why = rows("sqlite", {"path": many}, **{"from": mark})
check("rows added behind the place are read", len(got) == 801 and got[-1]["s"] == "later", f"{len(got)} {why}")
db.execute("update t set s = 'changed'")
db.commit()
got, why = rows("sqlite", {"path": many}, **{"from": mark})
check("another row at the place is refused", "another one now" in why and not got, why)
db.execute("delete from t where id < 3500")
db.commit()
got, why = rows("sqlite", {"path": many}, **{"from": mark})
check("a row that is gone is refused", "not there any more" in why, why)
got, why = rows("sqlite", {"path": many, "columns": "x"}, **{"from": mark})
check("a place of other columns is refused", "not those of the position" in why, why)
db.close()

# ---- refusals ----
refused("a cell that its column was not declared for", {"path": bad_cell}, "t, rowid 2", 'column "a"', "declared INT", "holds text", before=1)
got, why = rows("sqlite", {"path": bad_cell, "strict": False})
check("strict = false takes it", [r["a"] for r in got] == [1, "no", 3], why)
blob = database("blob.db", "create table t (b blob)", "insert into t values (x'00ff10'), (x''), (x'01')")
refused("a blob", {"path": blob}, "base64")
check("blobs as base64", [r["b"] for r in rows("sqlite", {"path": blob, "blobs": "base64"})[0]] == ["AP8Q", "", "AQ=="])
refused("several tables", {"path": shop}, "say which", "orders", "keyed")
refused("no such table", {"path": shop, "table": "order"}, "no such table")
refused("no such column", {"path": shop, "table": "orders", "columns": "id,prise"}, 'no column "prise"', "it has: id, name")
refused("table and query", {"path": shop, "table": "orders", "query": "select 1"}, "not both")
refused("two columns of one name", {"path": shop, "query": "select id, id from orders"}, "AS")
for sql in ("delete from orders", "select 1; delete from orders", "attach 'x.db' as x", "pragma journal_mode = delete",
            "select load_extension('x.so')", "select writefile('x', 'y')", "", "insert into orders values (1) returning id"):
    got, why = rows("sqlite", {"path": shop, "query": sql or " "})
    check(f"the query {sql!r} is refused", why and not got, got)
refused("a filter that is no SQL", {"path": shop, "table": "orders", "where": "price <"}, "syntax error")
refused("a file that is not there", {"path": "none.db"}, "none.db")
(work / "text.db").write_text("not a database, but text of more than a hundred bytes " * 40)
refused("a file that is none", {"path": "text.db"}, "not a database")
for name, sql in (("utf8", "insert into t values (cast(x'ff41' as text))"), ("nul", "insert into t values (cast(x'410042' as text))"),
                  ("infinite", "insert into t values (9e999)")):
    path = database(f"{name}.db", "create table t (a)", "insert into t values ('fine')", sql)
    refused(f"a cell that JSON cannot hold: {name}", {"path": path}, "rowid 2", before=1)
refused("a long row", {"path": database("long.db", "create table t (a text)", ("insert into t values (?)", [("x" * 300000,)])),
                       "max_row_bytes": 100000}, "long.db")

# ---- damaged files: an error or rows, never a crash ----
raw = (work / shop).read_bytes()
rng = random.Random(3)
crashed = []
for k in range(40):
    b = bytearray(raw[: rng.randrange(100, len(raw))] if k % 3 == 0 else raw)
    for _ in range(rng.randrange(1, 30)):
        b[rng.randrange(0 if k % 2 else 100, len(b))] = rng.randrange(256)
    (work / "damaged.db").write_bytes(bytes(b))
    run = subprocess.run([HONE, "data", "head", str(work / "damaged.db"), "--source", "sqlite", "--set", "table=orders"],
                         capture_output=True, timeout=60)
    if run.returncode not in (0, 1):
        crashed.append((k, run.returncode, run.stderr[-300:]))
check("damaged databases end in rows or an error", not crashed, crashed)

# ---- memory ----
text = "0123456789abcdef" * 64
n = BIG // 1024
db = sqlite3.connect(work / "big.db")
db.execute("pragma journal_mode = off")
db.execute("pragma synchronous = off")
db.execute("create table t (id integer primary key, s text)")
db.executemany("insert into t values (?,?)", ((i, text) for i in range(n)))
db.commit()
db.close()
got, total, mb = peak("sqlite", {"path": "big.db"}, "id")
print(f"sqlite: {n >> 10} MB streamed, peak {mb:.0f} MB")
check("memory does not grow with the table", got == n and total == n * (n - 1) / 2 and mb < 48, f"{got} rows, {mb} MB")
finish()
