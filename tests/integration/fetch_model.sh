#!/bin/sh
# fetch_model.sh - scripts/fetch-model gives a local model a name, and refuses what is none.
root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
XDG_CACHE_HOME=$tmp/cache
export XDG_CACHE_HOME
passed=0 failed=0
# try CODE TEXT ARGUMENT...: exit status and a piece of what it says
try() {
    code=$1 text=$2
    shift 2
    said=$("$root/scripts/fetch-model" "$@" 2>&1)
    got=$?
    case $got:$said in
    "$code:"*"$text"*) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)); echo "FAIL fetch-model $*: exit $got: $said" ;;
    esac
}
mkdir -p "$tmp/bare" "$tmp/mine"
cp "$root"/assets/tiny/* "$tmp/mine/"
printf GGUF >"$tmp/a b.gguf"
try 2 usage
try 2 usage smollm2-135m-instruct extra
try 2 "no model \"nothing-like-it\"" nothing-like-it
try 1 "no model" "$tmp/bare"
try 1 "neither a folder nor" "$tmp/mine/config.json"
try 2 "cannot be the name" "$tmp/mine" ../up
try 0 "$tmp/cache/hone/models/mine" "$tmp/mine"
try 0 "is there" "$tmp/mine"
try 0 "models/other/a b.gguf" "$tmp/a b.gguf" other
try 0 "is there" "$tmp/a b.gguf" other
if "$HONE" model info mine >/dev/null 2>&1; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "FAIL: hone does not find the model by its name"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
