"""objectives_doc.py - docs/objectives.md is what the program's tables say."""
import difflib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import counted  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
made = subprocess.run([sys.executable, str(ROOT / "scripts/lib/make-objectives-doc.py"), os.environ["HONE"]], capture_output=True, text=True)
counted.check("it can be made", made.returncode == 0 and "### gkd" in made.stdout, made.stderr)
there = (ROOT / "docs/objectives.md").read_text()
changes = list(difflib.unified_diff(there.splitlines(), made.stdout.splitlines(), "docs/objectives.md", "the program", lineterm="", n=0))
counted.check("docs/objectives.md is what scripts/lib/make-objectives-doc.py prints", there == made.stdout, "\n".join(changes[:20]))
counted.finish()
