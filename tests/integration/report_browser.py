"""report_browser.py - the report page in a browser: curves and samples drawn and readable, at desktop and phone width.

Makes two run directories from nothing (one with hostile text in it), writes their reports with `hone report`, and
opens them from file:// in headless Chromium. Nothing may overflow sideways, no request may leave the page, the
console stays silent. Screenshots go to HONE_BUILD, for a person to look at. Skipped when Chromium, its driver or
python3-selenium is missing."""
import base64
import ctypes
import ctypes.util
import glob
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

for path in ("/usr/lib/python3/dist-packages",):  # Debian's selenium, whichever python3 is first on the path
    if os.path.isdir(path):
        sys.path.append(path)
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError as error:
    # not the one that belongs to the Debian package: try that one
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", os.path.abspath(__file__)])
    print(f"skipped: {error} (Debian: python3-selenium)")
    sys.exit(77)
CHROME = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver") or shutil.which("chromium-driver")
if not CHROME or not DRIVER:
    print("skipped: chromium or chromedriver is not installed (Debian: chromium chromium-driver)")
    sys.exit(77)

HONE, BUILD = os.environ["HONE"], os.environ.get("HONE_BUILD", "build")
EVIL = "</script><img src=x onerror=\"window.hacked=1\"><svg onload='window.hacked=1'><!-- "


# ---- the runs -----------------------------------------------------------------------------------------------------

ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")  # hone itself links it
ZSTD.ZSTD_compressBound.restype = ZSTD.ZSTD_compress.restype = ctypes.c_size_t


def frame(data):
    bound = ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(bound)
    n = ZSTD.ZSTD_compress(out, ctypes.c_size_t(bound), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


def wave(step, phase):
    return math.sin(step * 1.7 + phase) * 0.06 + math.sin(step * 0.31 + phase) * 0.03


def make_run(folder, steps, samples, evil, lift):
    os.makedirs(folder)
    with open(f"{folder}/run.json", "w") as f:
        json.dump({"finished": True, "name": "adding" + (EVIL if evil else ""), "recipe": "/home/x/recipes/adding.lua",
                   "seed": 7, "steps": steps, "recipe_sha256": "ab" * 32,
                   "params": {"model": "tiny", "lr": 0.0001, "prompts": 8, "n": 4, "note": EVIL if evil else "-"},
                   "machine": {"cpu": "a processor with a long name @ 2.40GHz", "kernels": "avx2", "threads": 2},
                   "plugins": [{"name": "rewards", "sha256": "0123456789abcdef" * 4,
                                "components": [f"org.hone.reward.r{i} 1.0.0" for i in range(7)]}]}, f)
    with open(f"{folder}/metrics.jsonl", "w") as m, open(f"{folder}/timings.jsonl", "w") as t, \
            open(f"{folder}/rollouts.jsonl.zst", "wb") as r:
        for s in range(1, steps + 1):
            rise = 0.35 + lift * (1 - math.exp(-s / 40))
            row = {"step": s, "reward/exact_match/mean": rise + wave(s, 0), "reward/exact_match/std": 0.3,
                   "reward/exact_match/abstain": 0.02, "reward/exact_match/error": 0.0,
                   "reward/exact_match/timeout": max(0.0, 0.2 - s / 400), "reward/brief/mean": -0.2 + wave(s, 1),
                   "reward/brief/abstain": 0, "reward/brief/error": 0, "reward/brief/timeout": 0,
                   "reward/mean": rise + wave(s, 2), "reward/std": 0.3, "loss": wave(s, 3), "grad_norm": 1 + wave(s, 4),
                   "kl/k1": s * 1e-4, "kl/k3": s * 1e-4 + 1e-5, "entropy": 1 / (1 + s / 50), "lr": 1e-4 * (1 - s / steps),
                   "length/mean": 40 + s / 10, "length/min": 10, "length/max": 90, "length/truncated": 0.05,
                   "clip/low": 0.01, "clip/high": 0.02, "mismatch/mean": 0.0, "mismatch/max": 0.0, "tokens": 1280,
                   "my/own_metric": s ** 0.5}
            if s % 20 == 0:
                row["eval/exact_match"] = rise
            m.write(json.dumps(row) + "\n")
            t.write(json.dumps({"step": s, "tokens_per_s": 900 + 100 * wave(s, 5), "time/generate": 0.5, "time/reward": 0.1,
                                "time/train": 0.3, "time/total": 1.0, "reward/exact_match/p50_ms": 0.2,
                                "reward/exact_match/p95_ms": 0.9, "memory/peak_mb": 200 + s / 10}) + "\n")
            lines = []
            for i in range(samples):
                text = f"{s}+{i}={s + i} " + ("so the answer is so far " * (60 if i == 3 else 1)) + f"\nAnswer: {s + i}"
                if evil and i == 1:
                    text = EVIL + text
                lines.append(json.dumps(
                    {"step": s, "sample": (s - 1) * samples + i, "group": i // 4, "version": s, "finish": "stop",
                     "prompt": f"Mia has {s} birds and gets {i // 4} more. How many birds?", "completion": text,
                     "row": {}, "ids": list(range(9 + i)), "logprobs": [], "reward": round(i / samples + s / 1000, 4),
                     "advantage": i - samples / 2,
                     "outcomes": {"exact_match": {"status": "timeout", "reason": "longer than 1 s"} if i == 2 else
                                  {"status": "score", "score": float(i > 3)}, "brief": {"status": "score", "score": -0.5}}}))
            r.write(frame(("\n".join(lines) + "\n").encode()))


# ---- the browser --------------------------------------------------------------------------------------------------

def browser():
    options = Options()
    options.binary_location = CHROME
    for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
              "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(a)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


def size(d, width, height, dark=False):
    d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                      {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    d.execute_cdp_cmd("Emulation.setEmulatedMedia",
                      {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def shot(d, name, width, most=7000):
    height = min(most, d.execute_script("return document.documentElement.scrollHeight"))
    png = d.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip":
                            {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
    with open(os.path.join(BUILD, name), "wb") as f:
        f.write(base64.b64decode(png["data"]))


def requests(d, page):
    urls = []
    for entry in d.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"])
    return [u for u in urls if not u.startswith(("data:", "chrome:", "about:")) and u.split("#")[0] != "file://" + page]


WIDE = """
var w = document.documentElement.clientWidth, out = [];
document.querySelectorAll('body *').forEach(function (e) {
  var r = e.getBoundingClientRect();
  if (r.width && (r.right > w + 1 || r.left < -1) && getComputedStyle(e).clipPath === 'none' && !e.closest('thead,svg'))
    out.push(e.tagName + '.' + e.className);
});
return [document.documentElement.scrollWidth, w, out.slice(0, 5)];
"""
POINTS = """
return Array.from(document.querySelectorAll('svg.chart')).map(function (s) {
  var most = 0, box = s.getBoundingClientRect();
  s.querySelectorAll('path').forEach(function (p) { most = Math.max(most, (p.getAttribute('d').match(/[ML]/g) || []).length) });
  return [most, box.width, box.height, s.getAttribute('aria-label') || ''];
});
"""
CONTRAST = """
function rgb(c) { return c.match(/[\\d.]+/g).slice(0, 3).map(Number) }
function lum(c) { return c.map(function (v) { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4) })
  .reduce(function (a, v, i) { return a + v * [.2126, .7152, .0722][i] }, 0) }
function ratio(a, b) { a = lum(rgb(a)); b = lum(rgb(b)); return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) }
var page = getComputedStyle(document.body), card = getComputedStyle(document.querySelector('figure')).backgroundColor, out = {};
out.text = ratio(page.color, page.backgroundColor);
out.soft = ratio(getComputedStyle(document.querySelector('.lead')).color, page.backgroundColor);
out.axis = ratio(getComputedStyle(document.querySelector('.grid text')).fill, card);
out.link = ratio(getComputedStyle(document.querySelector('nav a')).color, page.backgroundColor);
var lines = 99;
document.querySelectorAll('path.line').forEach(function (p) { lines = Math.min(lines, ratio(getComputedStyle(p).stroke, card)) });
out.lines = lines;
return out;
"""


def rows(d):
    return d.find_elements(By.CSS_SELECTOR, "#rows tr")


def rewards(d):
    return [float(r.find_elements(By.TAG_NAME, "td")[1].text.split()[-1]) for r in rows(d)[:20]]


def look(d, page, width, height):
    name = f"{width} px"
    size(d, width, height)
    d.get("file://" + page)
    scroll, client, wide = d.execute_script(WIDE)
    check(f"{name}: nothing overflows", scroll <= client and not wide, f"{scroll} > {client}, {wide}")
    charts = d.execute_script(POINTS)
    check(f"{name}: many charts", len(charts) >= 20, len(charts))
    check(f"{name}: curves are drawn", all(c[0] > 2 for c in charts), [c for c in charts if c[0] <= 2])
    check(f"{name}: charts have a size", all(c[1] > 250 and c[2] > 140 for c in charts), charts)
    check(f"{name}: charts have words", all("from" in c[3] for c in charts), charts)
    check(f"{name}: labels are legible", d.execute_script(
        "var t=document.querySelector('.grid text').getBoundingClientRect();return t.height") > 9.5)
    list_ = rows(d)
    check(f"{name}: samples are drawn", len(list_) == 50, len(list_))
    check(f"{name}: a sample is readable", "birds" in list_[0].text and list_[0].rect["height"] > 30, list_[0].text)
    check(f"{name}: outcomes are told", "timeout: longer than 1 s" in d.find_element(By.ID, "rows").text or
          "exact_match 1" in list_[0].text, list_[0].text)
    line = d.find_element(By.ID, "count").rect
    check(f"{name}: the count is one line", line["width"] > 200 and line["height"] < 50, line)
    shot(d, f"report-{width}.png", width)


def use(d):
    order = d.find_element(By.ID, "order")
    values = rewards(d)
    check("sorted by reward, highest first", values == sorted(values, reverse=True) and values[0] > values[-1] - 1e-9, values)
    top = values[0]
    head = d.find_element(By.CSS_SELECTOR, "#samples th button[data-key=reward]")
    head.send_keys(Keys.ENTER)  # by keyboard
    values = rewards(d)
    check("sorted by reward, lowest first", values == sorted(values) and values[0] < top, values)
    check("the order is announced", head.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending")
    check("the order is in the list too", order.get_attribute("value") == "reward up")
    box = d.find_element(By.ID, "search")
    box.send_keys("77 BIRDS")
    found = rows(d)
    check("search finds", found and all("77 birds" in r.text for r in found), [r.text for r in found[:2]])
    check("search marks", d.find_elements(By.CSS_SELECTOR, "#rows mark"))
    box.clear()
    box.send_keys("no such text")
    check("search says that there is none", not rows(d) and "No sample" in d.find_element(By.ID, "count").text)
    box.clear()
    box.send_keys(Keys.SPACE, Keys.BACKSPACE)
    d.find_element(By.ID, "more").send_keys(Keys.ENTER)
    check("more are shown", len(rows(d)) == 100, len(rows(d)))
    box.send_keys("so far so")
    button = d.find_elements(By.CSS_SELECTOR, "#rows .more")
    check("long texts are folded", button)
    if button:
        cell = button[0].find_element(By.XPATH, "..")
        before = len(cell.text)
        button[0].send_keys(Keys.ENTER)
        check("and unfold", len(cell.text) > before + 500, len(cell.text))
    svg = d.find_element(By.CSS_SELECTOR, "svg.chart")
    value = svg.find_element(By.XPATH, "..").find_element(By.CSS_SELECTOR, ".value")
    before = value.text
    d.execute_script("arguments[0].focus()", svg)
    svg.send_keys(Keys.ARROW_RIGHT)
    check("arrow keys read a chart", value.text != before and d.find_elements(By.CSS_SELECTOR, "figure .at"), value.text)
    svg.send_keys(Keys.ESCAPE)
    check("and let go of it", value.text == before)
    check("controls have labels", d.execute_script(
        "return Array.from(document.querySelectorAll('input,select')).every(function(e){return e.labels.length&&e.labels[0].textContent})"))


with tempfile.TemporaryDirectory() as tmp:
    make_run(f"{tmp}/adding-20260131-120000-0a0a", 160, 16, True, 0.5)
    make_run(f"{tmp}/adding-20260131-130000-0b0b", 120, 8, False, 0.2)
    runs = sorted(glob.glob(f"{tmp}/adding-*"))
    one, two = f"{runs[0]}/report.html", f"{tmp}/compare.html"
    r = subprocess.run([HONE, "report", runs[0]], capture_output=True, text=True)
    check("hone report", r.returncode == 0 and r.stdout.strip() == one, r.stderr)
    r = subprocess.run([HONE, "report", *runs, "--out", two], capture_output=True, text=True)
    check("hone report of two runs", r.returncode == 0 and os.path.exists(two), r.stderr)
    r = subprocess.run([HONE, "report", tmp], capture_output=True, text=True)
    check("no run: one clear error", r.returncode == 1 and "is no run directory" in r.stderr, r.stderr)
    r = subprocess.run([HONE, "runs", tmp], capture_output=True, text=True)
    check("hone runs", r.returncode == 0 and r.stdout.count("adding.lua") == 2 and "finished" in r.stdout, r.stdout)
    r = subprocess.run([HONE, "runs", tmp, "--json"], capture_output=True, text=True)
    table = json.loads(r.stdout)
    check("hone runs --json", [t["steps"] for t in table] == [160, 120] and table[0]["state"] == "finished", r.stdout)
    d = browser()
    try:
        for width, height in ((1280, 900), (390, 844)):
            look(d, one, width, height)
        check("text of the files is inert", d.execute_script("return window.hacked") is None and
              not d.find_elements(By.CSS_SELECTOR, "img, svg[onload]"))
        d.find_element(By.ID, "search").send_keys("onerror")
        check("and shown as it is", rows(d) and EVIL in rows(d)[0].text, rows(d)[0].text if rows(d) else "")
        for scheme in (False, True):
            size(d, 1280, 900, scheme)
            d.get("file://" + one)
            seen = d.execute_script(CONTRAST)
            dark = "dark" if scheme else "light"
            check(f"{dark}: text has contrast", min(seen[k] for k in ("text", "soft", "axis", "link")) >= 4.5, seen)
            check(f"{dark}: lines have contrast", seen["lines"] >= 3, seen)
        shot(d, "report-dark.png", 1280, 3000)
        use(d)
        for width in (1280, 390):
            size(d, width, 900)
            d.get("file://" + two)
            scroll, client, wide = d.execute_script(WIDE)
            check(f"two runs, {width} px: nothing overflows", scroll <= client and not wide, f"{scroll} > {client}, {wide}")
            check(f"two runs, {width} px: both in the first chart", len(d.find_elements(
                By.CSS_SELECTOR, "#curves .by-step figure:first-child .legend li")) == 2)
            drawn = "#curves .by-%s figure:first-child svg.chart"
            for axis, name, end in (("tokens", "tokens", 160 * 1280), ("time", "seconds", 160), ("step", None, 160)):
                d.find_element(By.CSS_SELECTOR, f"label[for=by-{axis}]").click()
                svg = d.find_element(By.CSS_SELECTOR, drawn % axis)
                check(f"two runs, {width} px: by {axis}", svg.is_displayed() and svg.get_attribute("data-name") == name and
                      float(svg.get_attribute("data-x").split(",")[1]) == end and
                      sum(d.find_element(By.CSS_SELECTOR, drawn % a).is_displayed() for a in ("step", "tokens", "time")) == 1,
                      svg.get_attribute("data-x"))
            differ = {r.find_element(By.TAG_NAME, "th").text: [c.text for c in r.find_elements(By.TAG_NAME, "td")]
                      for r in d.find_elements(By.CSS_SELECTOR, ".differ tbody tr")}
            check(f"two runs, {width} px: what differs, and nothing else", list(differ) == ["note"] and "onerror" in differ["note"][0] and
                  differ["note"][1].endswith("-"), differ)
            links = [a.get_attribute("href").split("#")[1] for a in d.find_elements(By.CSS_SELECTOR, "nav a")]
            check(f"two runs, {width} px: the navigation has every section", links == [x.get_attribute("id") for x in
                  d.find_elements(By.CSS_SELECTOR, "main > section")], links)
            shared = d.find_element(By.ID, "shared")
            options = shared.find_elements(By.TAG_NAME, "option")
            boxes = d.find_elements(By.CSS_SELECTOR, "#beside > div")
            check(f"two runs, {width} px: samples of one prompt beside each other", options and len(boxes) == 2 and
                  all("reward" in x.text and "answer" in x.text.lower() for x in boxes), [x.text[:200] for x in boxes])
            check(f"two runs, {width} px: words that differ are marked", d.find_elements(By.CSS_SELECTOR, "#beside > div mark"))
            shot(d, f"report-two-{width}.png", width, 4000)
        log = [e for e in d.get_log("browser")]
        check("the console is silent", not log, log)
        asked = [u for u in requests(d, one) if u.split("#")[0] != "file://" + two]
        check("no request", not asked, asked)
    finally:
        d.quit()

finish()
