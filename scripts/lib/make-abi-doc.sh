#!/bin/sh
# make-abi-doc.sh [PROGRAM] - prints docs/abi.md: its text from docs/abi.head.md, the interfaces from the program, the
# functions from the headers and sdk/ABI.log (abi-functions.py fails where one lacks thread, ownership, failure, version).
# scripts/check compares the two.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
cat "$root/docs/abi.head.md"
"${1:-$root/build/hone}" plugin interfaces
python3 "$root/scripts/lib/abi-functions.py"
