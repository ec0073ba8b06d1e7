#!/bin/sh
# make-abi-doc.sh [PROGRAM] - prints docs/abi.md: its text from docs/abi.head.md, the reference from the program.
# scripts/check compares the two.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
cat "$root/docs/abi.head.md"
"${1:-$root/build/hone}" plugin interfaces
