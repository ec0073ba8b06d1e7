"""write_a_reward.py - the commands of docs/write-a-reward.md and docs/own-kind.md, each page's in the order in which they stand
there, by a shell that begins in an empty folder. Each line of a text block has to be in what the commands before it printed."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.path.abspath(os.environ["HONE"])
if not (ROOT / "assets" / "tiny" / "config.json").exists():
    skip("docs/write-a-reward.md, docs/own-kind.md", "assets/tiny is not there")
    finish()


def page(file):
    text = (ROOT / "docs" / file).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", text, re.S | re.M)
    check(f"{file}: there are commands", len(blocks) >= 4, str(len(blocks)))
    with tempfile.TemporaryDirectory(prefix="hone-doc-") as folder:
        work = pathlib.Path(folder)
        (work / "bin").mkdir()
        (work / "bin" / "hone").symlink_to(HONE)
        env = {k: v for k, v in os.environ.items() if k not in ("HONE", "HONE_SDK", "HONE_PLUGIN_PATH", "HONE_DATA")}
        env.update(PATH=f"{work / 'bin'}:{env['PATH']}", XDG_DATA_HOME=str(work / "data"), XDG_CONFIG_HOME=str(work / "config"),
                   XDG_CACHE_HOME=str(work / "cache"))
        (work / "new").mkdir()
        where = work / "new"
        for i, (commands, wanted) in enumerate(blocks):
            run = subprocess.run(["sh", "-e", "-c", f"{commands}\npwd >'{work}/where'"], cwd=where, env=env, timeout=300,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            name = commands.strip().split("\n")[0]
            check(name, run.returncode == 0, f"exit {run.returncode}: {run.stdout[-1500:]}")
            if run.returncode != 0:
                break
            where = (work / "where").read_text().strip()
            for line in filter(None, (wanted or "").split("\n")):
                check(f"{name}: {line}", line in run.stdout, run.stdout[-1500:])


page("write-a-reward.md")
page("own-kind.md")
finish()
