#!/bin/sh
# vendor.sh - the commands of docs/vendor.md, as they stand there, and what they promise: licences, symbols, signatures.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
case $HONE in /*) ;; *) HONE=$PWD/$HONE ;; esac
for tool in objcopy addr2line readelf cc make; do
    command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
echo '#include <sodium.h>
int main(void) { return sodium_init(); }' | cc -x c - -l:libsodium.a -o /dev/null 2>/dev/null || { echo "no static libsodium"; exit 77; }
if nm "$HONE" | grep -q __asan_init; then echo "hone has a sanitizer of its own"; exit 77; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$HONE" "$work/bin/hone"
PATH=$work/bin:$PATH
XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
export PATH XDG_CONFIG_HOME XDG_DATA_HOME
unset HONE HONE_SDK HONE_PLUGIN_PATH
cd "$work"
awk '/^```sh$/ { on = 1; n++; next } /^```$/ { on = 0 } on { print > ("'"$work"'/block" n ".sh") }' "$root/docs/vendor.md"
passed=0
check() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$work/out2" 2>"$work/err2" || { echo "failed: $name (exit $?)"; cat "$work/out" "$work/out2" "$work/err2"; exit 1; }
    passed=$((passed + 1))
}
block() { # NUMBER FOLDER TEXT-IT-MUST-PRINT
    (cd "$2" && sh -e "$work/block$1.sh") >"$work/out" 2>&1 </dev/null || { echo "failed: block $1"; cat "$work/out"; exit 1; }
    grep -q "$3" "$work/out" || { echo "failed: block $1 prints no \"$3\""; cat "$work/out"; exit 1; }
    passed=$((passed + 1))
}
block 1 . 'PLUGIN   acme_rows.so'
block 2 acme_rows 'needs libc.so.6'
check "it needs nothing else" sh -c "[ \$(grep -c '^needs' '$work/out') = 1 ]"
check "it exports one symbol" sh -c "tail -n 1 '$work/out' | grep -q ' T hone_plugin_entry\$'"
block 3 acme_rows 'PLUGIN   acme_rows.so'
check "libsodium is inside" sh -c "! readelf -d acme_rows/acme_rows.so | grep -q sodium"
check "and stays there" sh -c "[ \$(nm -D --defined-only acme_rows/acme_rows.so | wc -l) = 1 ]"
block 4 acme_rows '^[0-9a-f]\{40\}$'
check "both have one build id" sh -c "[ \"\$(readelf -n acme_rows/acme_rows.so | sed -n 's/.*Build ID: //p')\" = \"\$(readelf -n acme_rows/symbols/*.debug | sed -n 's/.*Build ID: //p')\" ]"
check "the file has no symbols and no paths of the vendor's" sh -c "! nm acme_rows/acme_rows.so 2>/dev/null | grep -q create && ! grep -q '$work' acme_rows/acme_rows.so"
block 5 acme_rows 'acme_rows.c:[0-9]'
check "the address is create's" grep -qx create "$work/out"
block 6 acme_rows .
check "the secret key is the owner's alone" sh -c "[ \"\$(stat -c %a acme.key)\" = 600 ]"
block 7 acme_rows '^11 bytes of rows$'
check "the lock names the file" grep -q com.acme.source.acme_rows customer/hone.lock
cd customer
ACME_LICENCE=$(cat ../licence.txt) hone lua recipe.lua >"$work/out" 2>"$work/err" && { echo "failed: it reads a file that was not granted"; exit 1; }
check "without a grant it reads nothing, and the hint says which" grep -q -e '--allow=acme_rows:fs-read:PATH' "$work/err"
refuses() { # NAME TEXT LICENCE
    name=$1
    rc=0
    ACME_LICENCE=$3 hone lua recipe.lua >"$work/out" 2>"$work/err" || rc=$?
    if [ $rc -ne 3 ] || ! grep -q "$2" "$work/err" || { [ -n "$3" ] && grep -qF "$3" "$work/err"; }; then
        echo "failed: $name (exit $rc)"
        cat "$work/out" "$work/err"
        exit 1
    fi
    passed=$((passed + 1))
}
good=$(cat ../licence.txt)
refuses "a licence of another customer" "not one of ours" "Other${good#Customer}"
refuses "a later day" "not one of ours" "$(echo "$good" | sed 's/2035/2045/')"
refuses "a licence that ended" "ended on 2020-01-01" "$(cd ../acme_rows && ./licences "Customer Inc" 2020-01-01)"
refuses "no licence at all" "not one of ours\|licence is needed" "x"
sed -i 's/, licence = "env:ACME_LICENCE"//' recipe.lua
refuses "a licence that is not given" "a licence is needed" ""
check "a revoked key ends it" hone plugin revoke ../acme.pub
rc=0
hone plugin verify "$XDG_DATA_HOME/hone/plugins/acme_rows.so" >"$work/out" 2>"$work/err" || rc=$?
check "what it signed is no longer good" test "$rc" -eq 3
[ ! -e "$work/block8.sh" ] || { echo "failed: a block without a test"; exit 1; }
echo "$passed passed, 0 failed"
