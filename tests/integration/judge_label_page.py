"""judge_label_page.py - the labelling page in Chromium, at 1280x800 and 390x844.

Labels by keyboard alone and by touch, pairs and checklists, loses the server and finds it again, kills it, reloads, and compares
what the page said was saved with the book. Screenshots go to HONE_BUILD, for a person to look at. Skipped where there is
no Chromium (tests/lib/browser.py)."""
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from browser import CONTRAST, OVERFLOW, answers, browser, shot, size, until  # noqa: E402
from counted import check, finish  # noqa: E402
from label_server import Server, write_items  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BUILD = os.environ.get("HONE_BUILD", "build")
EVIL = "</textarea></script><img src=x onerror=\"window.hacked=1\"><svg onload='window.hacked=1'>"
seen = []  # everything the page was answered


def book(folder, sql, *args):
    with sqlite3.connect(os.path.join(folder, "judges.sqlite")) as db:
        return db.execute(sql, args).fetchall()


def now(folder, what="score", expert="ann"):
    return [r[0] for r in book(folder, f"SELECT {what} FROM expert_label WHERE replaced IS NULL AND expert = ? ORDER BY id", expert)]


def text(d, i):
    return d.find_element(By.ID, i).text


def shown(d, i):
    return d.find_element(By.ID, i).is_displayed()


def enter(d, link):
    d.get("about:blank")
    d.get(link)
    return until(lambda: shown(d, "bar") and (shown(d, "view-label") or "Done" in text(d, "message-title") or shown(d, "view-progress")))


def press(d, *keys):
    """Keys to whatever has the focus. A new item takes no answer for a moment: see HUSH in label.js."""
    for k in keys:
        time.sleep(0.22)
        d.switch_to.active_element.send_keys(k)


def count(d, done, total):
    return until(lambda: text(d, "count") == f"{done} of {total}")


def saved(d):
    return until(lambda: text(d, "sync-text") == "all saved")


def tidy(d, name):
    """What holds of every state of the page."""
    seen.extend(answers(d))
    wide = d.execute_script(OVERFLOW)
    check(f"{name}: nothing overflows", not wide, wide)
    low = d.execute_script(CONTRAST)
    check(f"{name}: text has contrast", not low, low)
    bare = d.execute_script("return Array.from(document.querySelectorAll('button,textarea,dialog,progress,details,nav,section')).filter(e => "
                            "e.checkVisibility() && !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || "
                            "(e.labels && e.labels.length) || e.textContent.trim())).map(e => e.outerHTML.slice(0, 80))")
    check(f"{name}: everything has a name", not bare, bare)
    small = d.execute_script("return Array.from(document.querySelectorAll('button')).filter(e => e.checkVisibility() && "
                             "e.getBoundingClientRect().height < 36).map(e => e.outerHTML.slice(0, 80))")
    check(f"{name}: buttons can be hit", not small, small)


def by_keyboard(d, tmp):
    write_items(tmp, 12)
    with open(os.path.join(tmp, "items.jsonl"), "a") as f:
        f.write(json.dumps({"id": "secretmodel-evil", "prompt": EVIL, "completion": EVIL + "\n" + "long " * 3000, "reference": EVIL,
                            "model": "secretmodel"}) + "\n")
    s = Server(tmp, "--experts", "ann,bob")
    size(d, 1280, 800)
    d.get(s.url)
    check("without a token: nothing but a hint", until(lambda: "link" in text(d, "message-text")) and not shown(d, "bar") and
          "bird" not in d.page_source)
    check("with the link: the page", enter(d, s.links["ann"]) and count(d, 0, 14))
    check("the token leaves the address", s.tokens["ann"] not in d.current_url and not d.execute_script("return location.hash"))
    check("and scripts cannot read the cookie", d.execute_script("return document.cookie") == "")
    check("the focus is on the item", d.execute_script("return document.activeElement.id") == "item")
    tidy(d, "1280, one")
    shot(d, os.path.join(BUILD, "label-one-1280.png"))
    press(d, "3")
    check("a key labels", count(d, 1, 14) and saved(d) and now(tmp) == [3.0], now(tmp))
    press(d, "c", *"so so")
    check("c goes to the comment", d.execute_script("return document.activeElement.id") == "comment")
    press(d, Keys.ESCAPE, "5")
    check("the comment goes with the label", count(d, 2, 14) and saved(d) and now(tmp, "comment")[1] == "so so", now(tmp, "comment"))
    press(d, "u")
    check("u takes back", count(d, 1, 14) and saved(d) and now(tmp) == [3.0] and text(d, "item").startswith("Item 2"))
    check("and knows the comment", d.find_element(By.ID, "comment").get_attribute("value") == "so so")
    press(d, "4")
    check("again", count(d, 2, 14) and saved(d) and now(tmp) == [3.0, 4.0])
    press(d, "s")
    check("s asks why", until(lambda: d.execute_script("return document.getElementById('skip-dialog').open")))
    tidy(d, "skip")
    press(d, Keys.ESCAPE)
    check("Escape stays", not d.execute_script("return document.getElementById('skip-dialog').open") and count(d, 2, 14))
    press(d, "s", "2")
    check("2 skips", count(d, 3, 14) and saved(d) and "cannot judge" in
          book(tmp, "SELECT json FROM label_event WHERE kind = 'skip'")[0][0])
    press(d, "p")
    check("p goes back and shows what was said", until(lambda: "skipped: cannot judge" in text(d, "item")))
    press(d, "p", "1")
    check("another answer replaces", saved(d) and until(lambda: now(tmp) == [3.0, 1.0]) and count(d, 3, 14), now(tmp))
    press(d, "?")
    check("? tells the keys", until(lambda: "take the last one back" in text(d, "help-keys")))
    tidy(d, "help")
    press(d, Keys.ESCAPE)
    d.execute_script("document.activeElement.dispatchEvent(new KeyboardEvent('keydown',{key:'2',bubbles:true,repeat:true}))")
    check("a key that is held labels nothing", count(d, 3, 14))
    for _ in range(11):
        press(d, "2")
    check("to the end by one key", count(d, 14, 14) and until(lambda: text(d, "message-title") == "Done") and saved(d))
    check("all is in the book", len(now(tmp)) == 13 and now(tmp)[2:] == [2.0] * 11, now(tmp))
    check("seconds were taken", all(0 <= x < 60 for x in now(tmp, "seconds")), now(tmp, "seconds"))
    tidy(d, "done")
    d.refresh()
    check("a reload knows that it is done", until(lambda: text(d, "message-title") == "Done") and count(d, 14, 14))
    check("hostile texts are inert", d.execute_script("return window.hacked") is None)

    check("bob has an own page", enter(d, s.links["bob"]) and count(d, 0, 14))
    first = text(d, "prompt")
    d.refresh()
    check("which a reload does not change", count(d, 0, 14) and text(d, "prompt") == first)
    for _ in range(8):
        press(d, "5")
    check("bob labels", count(d, 8, 14) and saved(d) and len(now(tmp, expert="bob")) == 8)
    for dark in (True, False):
        size(d, 1280, 800, dark)
        check("the lead sees progress", enter(d, s.links["lead"]) and until(lambda: "ann 14 14" in text(d, "progress-body")),
              text(d, "progress-body"))
        tidy(d, f"progress, dark {dark}")
        d.find_element(By.CSS_SELECTOR, "[data-view=conflicts]").send_keys(Keys.ENTER)
        check("and conflicts", until(lambda: "ann" in text(d, "conflicts-body") and "bob" in text(d, "conflicts-body")),
              text(d, "conflicts-body"))
        d.find_element(By.CSS_SELECTOR, ".conflict summary").send_keys(Keys.ENTER)
        tidy(d, f"conflicts, dark {dark}")
        shot(d, os.path.join(BUILD, f"label-conflicts-{'dark' if dark else 'light'}.png"))
    settle(d, tmp)
    check("ends", s.stop()[0] == 0)


def settle(d, tmp):
    """The lead, at the conflicts: by keys at 1280, by touch at 390."""
    conflicts = len(d.find_elements(By.CSS_SELECTOR, ".conflict"))
    said = now(tmp), now(tmp, expert="bob")
    form = d.find_element(By.CSS_SELECTOR, ".conflict .settle")
    form.find_element(By.CSS_SELECTOR, "button").send_keys(Keys.ENTER)
    check("without an answer nothing is settled", conflicts > 1 and not book(tmp, "SELECT 1 FROM settled_label"))
    form.find_element(By.CSS_SELECTOR, "input[type=radio]").send_keys(Keys.SPACE, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.TAB)
    check("Tab goes on to the note", d.execute_script("return document.activeElement.tagName") == "TEXTAREA")
    d.switch_to.active_element.send_keys("why? see <i>task</i>", Keys.TAB)
    check("keys of the page write there", not d.find_element(By.ID, "help-dialog").is_displayed())
    check("and Tab to the button", d.switch_to.active_element.text == "Settle")
    d.switch_to.active_element.send_keys(Keys.ENTER)
    check("the lead settles by keys alone", until(lambda: "Settled by lead: 3" in form.text and "why? see <i>task</i>" in form.text), form.text)
    check("it is in the book, and experts' labels as they were", book(tmp, "SELECT lead, score, note FROM settled_label") ==
          [("lead", 3.0, "why? see <i>task</i>")] and (now(tmp), now(tmp, expert="bob")) == said)
    check("the count follows", f"{conflicts - 1} not settled" in text(d, "conflicts-lead"), text(d, "conflicts-lead"))
    tidy(d, "settled")
    shot(d, os.path.join(BUILD, "label-settled-1280.png"))
    size(d, 390, 844, False)
    form = d.find_elements(By.CSS_SELECTOR, ".conflict .settle")[1]
    form.find_elements(By.CSS_SELECTOR, ".choices label")[4].click()
    form.find_element(By.CSS_SELECTOR, "button").click()
    check("and on a phone", until(lambda: "Settled by lead: 5" in form.text), form.text)
    tidy(d, "settled on a phone")
    shot(d, os.path.join(BUILD, "label-settled-390.png"))
    d.refresh()
    until(lambda: "ann" in text(d, "progress-body"))
    d.find_element(By.CSS_SELECTOR, "[data-view=conflicts]").click()
    check("a reload knows it", until(lambda: sum("Settled by lead" in f.text for f in d.find_elements(By.CSS_SELECTOR, ".settle")) == 2) and
          f"{conflicts - 2} not settled" in text(d, "conflicts-lead"), text(d, "conflicts-lead"))
    first = d.find_element(By.CSS_SELECTOR, ".conflict .settle")
    first.find_elements(By.CSS_SELECTOR, ".choices label")[0].click()
    first.find_element(By.CSS_SELECTOR, "button").click()
    check("settled anew", until(lambda: "Settled by lead: 1" in first.text) and len(book(tmp, "SELECT 1 FROM settled_label")) == 3 and
          len(book(tmp, "SELECT 1 FROM settled_label WHERE replaced IS NULL")) == 2, first.text)
    size(d, 1280, 800, False)


def by_touch(d, tmp):
    write_items(tmp, 12, pairs=True)
    s = Server(tmp, "--experts", "ann")
    for dark in (True, False):
        size(d, 390, 844, dark)
        check("a phone", enter(d, s.links["ann"]) and count(d, 0, 13))
        tidy(d, f"390, pair, dark {dark}")
        shot(d, os.path.join(BUILD, f"label-pair-390{'-dark' if dark else ''}.png"))
    box = d.execute_script("return ['questions', 'undo', 'skip'].map(i => document.getElementById(i).getBoundingClientRect().bottom)")
    check("all controls are on the screen", max(box) <= 844, box)
    want = {}
    for i in range(6):
        side = ["left", "tie", "right"][i % 3]
        left = d.find_element(By.CSS_SELECTOR, "[data-side=left] .text").text.startswith("First")
        want[text(d, "prompt")] = "tie" if side == "tie" else "a" if (side == "left") == left else "b"
        time.sleep(0.22)
        b = d.find_element(By.CSS_SELECTOR, f".option[data-value={side}]").rect
        d.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [
            {"x": b["x"] + b["width"] / 2 - d.execute_script("return scrollX"), "y": b["y"] + b["height"] / 2 - d.execute_script("return scrollY")}]})
        d.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        check(f"touch {i}", count(d, i + 1, 13))
    saved(d)
    got = {json.loads(j)["prompt"]: c for j, c in book(
        tmp, "SELECT i.json, l.choice FROM expert_label l JOIN item i ON i.id = l.item WHERE l.replaced IS NULL AND l.duplicate = 0")}
    check("sides arrive as the item's own", all(got.get(k, v) == v for k, v in want.items()) and len(got) >= 5, (want, got))
    d.find_element(By.ID, "undo").click()
    check("undo by touch", count(d, 5, 13))
    d.find_element(By.ID, "skip").click()
    until(lambda: shown(d, "skip-reasons"))
    tidy(d, "390, skip")
    d.find_element(By.CSS_SELECTOR, "#skip-reasons button").click()
    check("skip by touch", count(d, 6, 13))
    size(d, 1280, 800)
    time.sleep(0.2)
    press(d, Keys.ARROW_LEFT, Keys.ARROW_RIGHT, "t")
    check("arrows and t on a desk", count(d, 9, 13) and saved(d) and now(tmp, "choice")[-1] == "tie", now(tmp, "choice"))
    check("ends", s.stop()[0] == 0)


def checklist(d, tmp):
    write_items(tmp, 8)
    with open(os.path.join(tmp, "list.lua"), "w") as f:
        f.write('return {id = "list", version = "1", shape = "pointwise", title = "Answers about birds", task = "Only numbers count.",\n'
                '  scale = {min = 1, max = 3, anchors = {"wrong", "right with gaps", "right and whole"}}, criteria = {\n'
                '  {id = "correct", text = "Is the number right?", weight = 3},\n'
                '  {id = "polite", text = "Is the answer polite?", choices = {"no", "yes"}},\n'
                '  {id = "short", text = "Is it as short as it can be?", choices = {"no", "nearly", "yes"}}}}\n')
    s = Server(tmp, "--experts", "ann", "--rubric", "list.lua")
    for width, height in ((1280, 800), (390, 844)):
        size(d, width, height)
        check(f"a checklist, {width}", enter(d, s.links["ann"]) and count(d, 0, 9))
        tidy(d, f"{width}, checklist")
        shot(d, os.path.join(BUILD, f"label-list-{width}.png"))
    size(d, 1280, 800)
    check("save waits for all answers", not d.find_element(By.ID, "submit").is_enabled())
    press(d, Keys.ENTER)
    check("and says what is missing", "Is the number right?" in text(d, "why-not"), text(d, "why-not"))
    press(d, "3", "1")
    d.refresh()
    check("a reload keeps the half-done one", count(d, 0, 9) and len(d.find_elements(By.CSS_SELECTOR, ".option[aria-pressed=true]")) == 2)
    press(d, "2", Keys.ENTER)
    check("Enter saves", count(d, 1, 9) and saved(d) and now(tmp, "criteria") == ['{"correct":1,"polite":0,"short":0.5}'], now(tmp, "criteria"))
    press(d, "1", "k", "2", "2", "3", Keys.ENTER)
    check("k goes back to a question", count(d, 2, 9) and saved(d) and json.loads(now(tmp, "criteria")[1]) == {
        "correct": 0.5, "polite": 1, "short": 1}, now(tmp, "criteria"))
    check("ends", s.stop()[0] == 0)


def offline(d, tmp):
    write_items(tmp, 30)
    s = Server(tmp, "--experts", "ann")
    size(d, 1280, 800)
    check("before", enter(d, s.links["ann"]) and count(d, 0, 33))
    until(lambda: d.execute_script("return navigator.serviceWorker.controller !== null"))
    d.refresh()
    count(d, 0, 33)
    press(d, "1", "2")
    check("online", count(d, 2, 33) and saved(d))
    s.stop()
    press(d, "3", "4", "5")
    check("without a server labels are kept", count(d, 5, 33) and until(lambda: text(d, "sync-text") == "3 kept here, offline"), text(d, "sync-text"))
    tidy(d, "offline")
    press(d, "u")
    check("undo too", count(d, 4, 33))
    press(d, "3")
    shot(d, os.path.join(BUILD, "label-offline.png"))
    check("nothing arrived", now(tmp) == [1.0, 2.0])
    d.refresh()
    check("a reload without a server has all of it", count(d, 5, 33) and text(d, "item").startswith("Item 6"), text(d, "item"))
    press(d, "4")
    check("and goes on", count(d, 6, 33))
    t = Server(tmp, "--experts", "ann")
    check("the server is back at the same place", t.port == s.port)
    check("everything is sent, in order", saved(d) and now(tmp) == [1, 2, 3, 4, 3, 4], now(tmp))
    check("and each once", len(book(tmp, "SELECT * FROM label_event")) == 8)
    acknowledged = 6
    for i in range(8):
        if i == 3:
            os.kill(t.process.pid, signal.SIGKILL)
        press(d, "5")
        if text(d, "sync-text") == "all saved" and i < 3:
            acknowledged = 7 + i
    t.stop()
    check("killed: what the page called saved is there", len(now(tmp)) >= acknowledged, (now(tmp), acknowledged))
    t = Server(tmp, "--experts", "ann")
    check("killed: nothing is lost", saved(d) and until(lambda: len(now(tmp)) == 14) and now(tmp)[6:] == [5.0] * 8, now(tmp))
    d.execute_cdp_cmd("Network.enable", {})
    d.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0})
    press(d, "1", "1")
    check("a device without network", count(d, 16, 33) and until(lambda: "offline" in text(d, "sync-text")))
    d.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    check("and with it again", saved(d) and until(lambda: len(now(tmp)) == 16), now(tmp))
    t.stop()
    t = Server(tmp, "--experts", "ann", "--renew", "ann")
    press(d, "2")
    check("a void link says so, and keeps the label", until(lambda: text(d, "sync-text") == "this link is void"), text(d, "sync-text"))
    check("the new link sends it", enter(d, t.links["ann"]) and saved(d) and until(lambda: len(now(tmp)) == 17), now(tmp))
    check("ends", t.stop()[0] == 0)


def quiet(d):
    size(d, 1280, 800, still=True)
    moving = d.execute_script("return Array.from(document.querySelectorAll('body *')).filter(e => getComputedStyle(e).transitionDuration !== '0s' "
                              "|| getComputedStyle(e).animationName !== 'none').length")
    check("nothing moves where that was asked for", moving == 0, moving)
    urls = {u.split("/")[2] for u, _ in seen if "://" in u}
    check("nothing is asked of anybody else", urls and all(u.startswith("127.0.0.1:") for u in urls), urls)
    all_of_it = "\n".join(body for _, body in seen)
    check("answers were looked at", all_of_it.count("birds") > 50)
    no_conflicts = "\n".join(body for u, body in seen if "/api/conflicts" not in u)
    check("blind: no judge's score, no model's name", "0.123456" not in all_of_it and "secretmodel" not in no_conflicts)
    log = [e for e in d.get_log("browser") if "ERR_CONNECTION_REFUSED" not in e["message"] and "ERR_INTERNET_DISCONNECTED" not in e["message"]
           and "401" not in e["message"] and "ERR_EMPTY_RESPONSE" not in e["message"] and "ERR_CONNECTION_RESET" not in e["message"]
           and "ERR_FAILED" not in e["message"]]
    check("the console is silent", not log, log)


with tempfile.TemporaryDirectory() as tmp:
    d = browser()
    try:
        for part in (by_keyboard, by_touch, checklist, offline):
            folder = os.path.join(tmp, part.__name__)
            os.mkdir(folder)
            part(d, folder)
        quiet(d)
    finally:
        d.quit()

finish()
