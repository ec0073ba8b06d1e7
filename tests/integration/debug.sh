#!/bin/sh
# debug.sh - the commands of docs/debug-a-plugin.md, as they stand there.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v gdb >/dev/null || { echo "gdb is not installed"; exit 77; }
case $HONE in /*) ;; *) HONE=$PWD/$HONE ;; esac
if nm "$HONE" | grep -q __asan_init; then echo "hone has a sanitizer of its own"; exit 77; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$HONE" "$work/bin/hone"
PATH=$work/bin:$PATH
unset HONE HONE_SDK
export XDG_CONFIG_HOME="$work/config"
cd "$work"
hone plugin new reward my_reward >/dev/null
cd my_reward
awk '/^```sh$/ { on = 1; n++; next } /^```$/ { on = 0 } on { print > ("block" n ".sh") }' "$root/docs/debug-a-plugin.md"
block() { # NUMBER TEXT-IT-MUST-PRINT
    sh -e "block$1.sh" >out 2>&1 </dev/null || { echo "failed: block $1"; cat out; exit 1; }
    grep -q "$2" out || { echo "failed: block $1 prints no \"$2\""; cat out; exit 1; }
}
block 1 ' passed, 0 failed'
block 2 'at my_reward.c:[0-9]'
grep -q 'hone__box_main' out || { echo "failed: it is not in its box"; exit 1; }
grep -q '^\$1 = 1$' out || { echo "failed: gdb prints n"; cat out; exit 1; }
block 3 'at my_reward.c:[0-9]'
grep -q 'hone__box_main' out && { echo "failed: a trusted plugin runs in a box"; exit 1; }
grep -q '^\$1 = 1$' out || { echo "failed: gdb prints n"; cat out; exit 1; }
block 4 '"status":"score"'
block 5 '1 calls: 1 the same, 0 differ'
grep -q 'at my_reward.c:[0-9]' out || { echo "failed: gdb stops in a replayed call"; cat out; exit 1; }
block 6 'ok     instance.fuzz_settings'
grep -q 'at my_reward.c:[0-9]' out || { echo "failed: gdb stops in a validated call"; cat out; exit 1; }
[ ! -e block7.sh ] || { echo "failed: a block without a test"; exit 1; }
echo "12 passed, 0 failed"
