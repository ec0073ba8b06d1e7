"""boxes.py - the boxes of a running hone, for tests that kill them."""
import pathlib


def boxes_of(pid):
    """hone-box processes below `pid`."""
    found = []
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "hone-box":
                    found.append(int(child))
    except (OSError, ValueError):
        pass
    return found
