#!/bin/sh
# rewards_doc.sh - docs/rewards.md is what scripts/lib/rewards-doc.py prints with the program that was built.
root=$(cd "$(dirname "$0")/../.." && pwd)
if python3 "$root/scripts/lib/rewards-doc.py" "$HONE" | diff "$root/docs/rewards.md" - >&2; then
    echo "1 passed, 0 failed"
else
    echo "docs/rewards.md is out of date: scripts/lib/rewards-doc.py >docs/rewards.md"
    echo "0 passed, 1 failed"
    exit 1
fi
