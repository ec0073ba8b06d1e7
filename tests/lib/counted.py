"""counted.py - the checks of a test script, counted: `check`, `skip`, and `finish`, whose last line scripts/check adds up.

A script imports it behind `sys.path.insert(0, ...)`, so that it runs by hand as well: HONE=build/hone tests/integration/x.py.
"""
import sys

passed = failed = skipped = 0


def check(name, ok, why=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}: {why}")


def skip(name, why="", checks=1):
    """Says what is not tested here, and why; it counts as so many checks."""
    global skipped
    skipped += checks
    print(f"skip {name}" + (f": {why}" if why else ""))


def finish():
    """Prints the counts and leaves: 1 where a check failed or none was made."""
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed + skipped else 0)
