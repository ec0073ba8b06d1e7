"""agreement_recipes.py - the recipes pandalm_agreement and unieval_agreement reach the figures that the data sets' authors print.

The data lies in ../shared (HONE_SHARED); without it this is skipped. HONE is the program.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HONE = os.path.abspath(os.environ["HONE"])
DATA = os.path.join(os.environ.get("HONE_SHARED") or os.path.join(ROOT, "..", "shared"), "assets", "judge")
scratch = tempfile.TemporaryDirectory()


def published(recipe, folder, figures):
    """Every figure printed beside its published one equals it to the places that are published."""
    data = os.path.join(DATA, folder)
    if not os.path.isdir(data):
        skip(recipe, f"{data} is not there", figures + 2)
        return
    p = subprocess.run([HONE, "run", recipe, f"folder={data}"], cwd=scratch.name, text=True, capture_output=True, timeout=300)
    check(f"{recipe} runs", p.returncode == 0, p.stderr)
    found = re.findall(r"^  (.+?) +(-?[\d.]+)(?: \[.*?\])? +published (-?[\d.]+)$", p.stdout, re.M)
    check(f"{recipe} prints {figures} figures beside the published ones", len(found) == figures, (len(found), p.stdout))
    for what, got, want in found:
        check(f"{recipe}: {what} is {want}", got[:len(want)] == want or float(got) == float(want), got)


published("pandalm_agreement", "pandalm", 11)
published("unieval_agreement", "unieval", 24)
finish()
