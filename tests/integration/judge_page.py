"""judge_page.py - the pages of calibrate and reliability in headless Chromium, at desktop and phone width, light and dark.

The data has slices with hostile and very long names, a scale of nine levels, and a judge with a bias. Nothing may overflow
sideways, text is legible, drawings say what the numbers say, nothing leaves the page. Screenshots go to HONE_BUILD, for a person
to look at. Skipped without Chromium, its driver or python3-selenium. HONE is the program."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import browser  # noqa: E402
from counted import check, finish  # noqa: E402

HONE = os.path.abspath(os.environ["HONE"])
BUILD = os.path.abspath(os.environ.get("HONE_BUILD") or os.path.dirname(HONE))
scratch = tempfile.TemporaryDirectory()
work = scratch.name
for what in "CONFIG", "DATA":
    os.environ[f"XDG_{what}_HOME"] = os.path.join(work, what.lower())
os.environ.pop("HONE_JUDGES", None)

rng = random.Random(4)
topics = ["short", "<b onclick=alert(1)>bold</b> & \"quotes\"", "a topic whose name goes on and on without end, as names do " * 2,
          "withoutanyspacewithoutanyspacewithoutanyspacewithoutanyspacewithoutanyspace"]


def jsonl(name, rows):
    with open(os.path.join(work, name), "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)


items, labels, verdicts, choices, pairs = [], [], [], [], []
for i in range(160):
    quality, topic = rng.gauss(5, 2), rng.choice(topics)
    items.append({"id": i, "prompt": f"question {i // 4}", "completion": "x" * rng.randint(5, 2000), "topic": topic})
    for e in "ann", "bob", "someone with a long name@example.org":
        labels.append({"item": i, "expert": e, "score": max(1, min(9, round(quality + rng.gauss(0, 1))))})
        choices.append({"item": i, "expert": e, "choice": "a" if quality + rng.gauss(0, 2) > 5 else "b"})
    for r in range(2):
        ok = rng.random() > 0.1
        verdicts.append({"id": i, "status": "ok" if ok else "unparsed", "repeat": r, "criteria": {"clear": quality, "dead": 1},
                         "score": max(1, min(9, round(quality + rng.gauss(1, 1)))) if ok else None})
        pairs.append({"id": i, "status": "ok", "score": 1 if quality + rng.gauss(0, 1) > 5 else -1, "order": [r, 1 - r]})
for name, rows in ("items", items), ("labels", labels), ("verdicts", verdicts), ("choices", choices), ("pairs", pairs):
    jsonl(name + ".jsonl", rows)


def made(page, *args):
    p = subprocess.run([HONE, "judge", *args, "--report", page, "--json"], cwd=work, text=True, capture_output=True, timeout=120)
    check(f"{page} is made", p.returncode == 0, p.stderr)
    return json.loads(p.stdout)


reports = {
    "calibration": made("calibration.html", "calibrate", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl", "--items",
                        "items.jsonl", "--groups", "verdicts.jsonl"),
    "pairs": made("pairs.html", "calibrate", "--labels", "choices.jsonl", "--verdicts", "pairs.jsonl", "--items", "items.jsonl"),
    "ceiling": made("ceiling.html", "calibrate", "--labels", "labels.jsonl"),
    "reliability": made("reliability.html", "reliability", "--verdicts", "verdicts.jsonl", "--items", "items.jsonl"),
}

INTERVALS = """
return Array.from(document.querySelectorAll('.fig')).map(function (f) {
  var svg = f.querySelector('svg'), w = f.querySelectorAll('.whisker'), num = f.querySelector('.num');
  if (!svg) return null;
  var box = svg.getBoundingClientRect(), line = w.length > 1 ? w[0].getBoundingClientRect() : null;
  return [box.width, line ? line.left - box.left : -1, line ? line.right - box.left : -1, num.textContent];
});
"""

d = browser.browser()
try:
    for name, report in reports.items():
        for width, height, dark in (1280, 900, False), (390, 844, True):
            at = f"{name} at {width} px"
            browser.size(d, width, height, dark)
            d.get("file://" + os.path.join(work, name + ".html"))
            over = d.execute_script(browser.OVERFLOW)
            check(f"{at}: nothing overflows", not over, over[:5])
            low = d.execute_script(browser.CONTRAST)
            check(f"{at}: text is legible", not low, low[:5])
            rows = d.execute_script(INTERVALS)
            drawn = [r for r in rows if r]
            check(f"{at}: figures are drawn or say why not", len(rows) >= 5 and (drawn or name == "ceiling"), len(rows))
            bad = [r for r in drawn if r[0] < 100 or (r[1] >= 0 and not -2 <= r[1] <= r[2] <= r[0] + 2)]
            check(f"{at}: intervals lie on their scale", not bad, bad[:3])
            where = os.path.join(BUILD, f"judge-{name}-{width}.png")
            browser.shot(d, where)
            check(f"{at}: a picture", os.path.getsize(where) > 10000, where)
        text = d.find_element("tag name", "body").text
        shown = [f for f in re.findall(r"-?\d+\.\d{3}", text)]
        agreement = report.get("agreement", {}).get("kappa_w", report.get("rho", {}))
        if agreement.get("value") is not None:
            check(f"{name}: the figures are those of the document", f"{agreement['value']:.3f}" in shown, shown[:9])
        check(f"{name}: text of the data stays text", not d.execute_script(
            "return document.querySelectorAll('script,[onclick],img,iframe,link[href^=http]').length"), "")
    browser.size(d, 1280, 900)
    d.get("file://" + os.path.join(work, "calibration.html"))
    body = d.find_element("tag name", "body").text
    check("hostile names are shown as they are", "<b onclick=alert(1)>bold</b>" in body, "")
    cells = d.execute_script("return Array.from(document.querySelectorAll('.matrix td')).map(function (c) { return +c.textContent })")
    counts = [c for row in reports["calibration"]["confusion"]["counts"] for c in row]
    check("the matrix is that of the document", cells == counts, cells[:9])
    curve = d.execute_script("var p=document.querySelector('path.line');return p?p.getAttribute('d').split(/[ML]/).length-1:0")
    check("the curve has its knots", curve == len(reports["calibration"]["calibration"]["isotonic"]), curve)
    messages = [m for m in d.get_log("browser") if m["level"] in ("SEVERE", "WARNING")]
    check("the console is silent", not messages, messages[:3])
    asked = [json.loads(m["message"])["message"] for m in d.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
    check("nothing is requested but the pages", all(u.startswith(("file://" + work, "data:")) for u in urls), urls[:3])
finally:
    d.quit()
finish()
