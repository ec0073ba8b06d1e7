#!/bin/sh
# run.sh BUILD - the style checks; one line each: "ok NAME", "FAIL NAME" and what was found, "skip".
exec python3 "$(dirname "$0")/style.py" "$(cd "$(dirname "$0")/../.." && pwd)" "${1:-build}"
