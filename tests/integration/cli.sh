#!/bin/sh
# cli.sh - what the command line promises of every verb: --help, exit codes, unknown names.
failed=0 passed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expect() { # NAME CODE TEXT COMMAND...
    name=$1 code=$2 text=$3
    shift 3
    "$@" >"$work/out" 2>&1 </dev/null
    rc=$?
    if [ $rc -eq "$code" ] && grep -q -F -e "$text" "$work/out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name: exit $rc (wanted $code, with \"$text\")"
        head -n 5 "$work/out"
    fi
}
expect "no verb" 2 "a verb is missing" "$HONE"
expect "help" 0 "usage: hone VERB" "$HONE" --help
expect "help as a verb" 0 "usage: hone VERB" "$HONE" help
expect "version" 0 "hone " "$HONE" --version
expect "a slip in a verb" 2 "did you mean \"paths\"" "$HONE" pahts
expect "no such verb" 2 "unknown verb" "$HONE" zzzzzzzzzzzz
expect "a full disk below stdout" 1 "No space left" sh -c "'$HONE' --help >/dev/full"
for verb in $("$HONE" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'); do
    expect "$verb --help" 0 "usage: hone $verb" "$HONE" "$verb" --help
    expect "help $verb" 0 "usage: hone $verb" "$HONE" help "$verb"
    expect "$verb --no-such-option" 2 "unknown" "$HONE" "$verb" --no-such-option
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
