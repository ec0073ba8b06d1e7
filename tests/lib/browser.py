"""browser.py - headless Chromium for tests of pages: found, started, sized, photographed.

Importing it leaves with 77, saying so, where Chromium, its driver or python3-selenium is missing. Debian's selenium belongs to
/usr/bin/python3; a script run by another python3 goes on under that one."""
import base64
import json
import os
import shutil
import sys
import time

for path in ("/usr/lib/python3/dist-packages",):
    if os.path.isdir(path):
        sys.path.append(path)
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError as error:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", os.path.abspath(sys.argv[0])])
    print(f"skipped: {error} (Debian: python3-selenium)")
    sys.exit(77)
CHROME = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver") or shutil.which("chromium-driver")
if not CHROME or not DRIVER:
    print("skipped: chromium or chromedriver is not installed (Debian: chromium chromium-driver)")
    sys.exit(77)

OVERFLOW = """
var w = document.documentElement.clientWidth, out = [];
document.querySelectorAll('body *').forEach(function (e) {
  var r = e.getBoundingClientRect();
  if (r.width > 2 && (r.right > w + 1 || r.left < -1) && !e.closest('.jump,.unseen') && getComputedStyle(e).clipPath === 'none')
    out.push(e.tagName + '#' + e.id + '.' + e.className);
});
return document.documentElement.scrollWidth > w ? ['page'].concat(out) : out;
"""
CONTRAST = """
function rgb(c) { return c.match(/[\\d.]+/g).map(Number) }
function lum(c) { return c.slice(0, 3).map(function (v) { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4) })
  .reduce(function (a, v, i) { return a + v * [.2126, .7152, .0722][i] }, 0) }
function behind(e) { for (; e; e = e.parentElement) { var b = rgb(getComputedStyle(e).backgroundColor); if (b.length < 4 || b[3] > 0) return b }
  return [255, 255, 255] }
var low = [];
document.querySelectorAll('body *').forEach(function (e) {
  var own = Array.prototype.some.call(e.childNodes, function (n) { return n.nodeType === 3 && n.data.trim() });
  var r = e.getBoundingClientRect();
  if (!own || r.width < 3 || e.disabled || e.closest('[hidden],.jump,.unseen,button:disabled,noscript')) return;
  var a = lum(rgb(getComputedStyle(e).color)), b = lum(behind(e)), c = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (c < 4.5) low.push(e.tagName + '.' + e.className + ' "' + e.textContent.trim().slice(0, 20) + '" ' + c.toFixed(2));
});
return low;
"""


def browser(profile=None):
    options = Options()
    options.binary_location = CHROME
    for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
              "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(a)
    if profile:
        options.add_argument("--user-data-dir=" + profile)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


def size(d, width, height, dark=False, still=False):
    d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                      {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    d.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
    d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}]})


def shot(d, path):
    with open(path, "wb") as f:
        f.write(base64.b64decode(d.execute_cdp_cmd("Page.captureScreenshot", {})["data"]))


def until(what, seconds=20):
    """Whether `what()` became true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if what():
                return True
        except Exception:  # the page is between two states
            pass
        time.sleep(0.03)
    return False


def answers(d):
    """(url, body) of what the page was answered since the last call."""
    out = []
    for entry in d.get_log("performance"):
        m = json.loads(entry["message"])["message"]
        if m["method"] == "Network.responseReceived":
            try:
                body = d.execute_cdp_cmd("Network.getResponseBody", {"requestId": m["params"]["requestId"]})["body"]
            except Exception:  # none, or gone with the page
                body = ""
            out.append((m["params"]["response"]["url"], body))
    return out
