#!/bin/sh
# install.sh - an installed hone finds its own files, and a plugin builds from the installed SDK alone.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -C "$HONE_BUILD" -s install prefix="$work/prefix" DESTDIR= >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
hone=$work/prefix/bin/hone
passed=0
check() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$work/out" 2>&1 || { echo "failed: $name"; cat "$work/out"; exit 1; }
    passed=$((passed + 1))
}
check "it runs" "$hone" --version
check "it has left the source tree" sh -c "! '$hone' paths --json | grep -q '\"source\": \"'"
check "headers are there" test -f "$work/prefix/include/hone/base.h"
check "the make rules are there" test -f "$work/prefix/share/hone/sdk/hone.mk"
check "every plugin of the build is there" sh -c "[ \"\$(cd '$HONE_BUILD/plugins' && ls *.so)\" = \"\$(cd '$work/prefix/lib/hone/plugins' && ls *.so)\" ]"
mkdir "$work/mine"
cp "$(dirname "$0")/../unit/plugins/good.c" "$work/mine/mine.c"
unset HONE # hone.mk takes it from the environment
PATH=$work/prefix/bin:$PATH
check "a plugin builds outside the tree" sh -c "cd '$work/mine' && make -s -f '$work/prefix/share/hone/sdk/hone.mk' PLUGIN=mine"
check "its sidecar is written" grep -q org.test.reward.probe "$work/mine/mine.json"
check "it exports its entry" sh -c "nm -D --defined-only '$work/mine/mine.so' | grep -q ' hone_plugin_entry\$'"
check "and nothing else" sh -c "[ \$(nm -D --defined-only '$work/mine/mine.so' | wc -l) -eq 1 ]"
cat >"$work/mine/bad.c" <<'END'
#include "hone/base.h"
int hone_host_secret(void);
HONE_EXPORT const void *hone_plugin_entry(void);
const void *hone_plugin_entry(void)
{
    return hone_host_secret() ? "" : NULL;
}
END
check "one that needs the host does not link" sh -c "cd '$work/mine' && ! make -s -f '$work/prefix/share/hone/sdk/hone.mk' PLUGIN=bad"
echo "$passed passed, 0 failed"
