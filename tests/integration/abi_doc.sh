#!/bin/sh
# abi_doc.sh - docs/abi.md is what scripts/lib/make-abi-doc.sh prints with the program that was built.
root=$(cd "$(dirname "$0")/../.." && pwd)
if sh "$root/scripts/lib/make-abi-doc.sh" "$HONE" | diff "$root/docs/abi.md" - >&2; then
    echo "1 passed, 0 failed"
else
    echo "docs/abi.md is out of date: scripts/lib/make-abi-doc.sh >docs/abi.md"
    echo "0 passed, 1 failed"
    exit 1
fi
