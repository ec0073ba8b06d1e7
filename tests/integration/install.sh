#!/bin/sh
# install.sh - an installed hone works without its source tree, and plugins are made with the installed SDK alone.
#
# Everything after the installation runs in a mount namespace where the source and build folders are empty; where
# this machine gives no namespace, those steps run all the same and the one check that asks for it is skipped.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$(cd "$(dirname "$0")/../.." && pwd)
make -C "$HONE_BUILD" -s install prefix="$work/prefix" DESTDIR= >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cp "$root/tests/unit/plugins/good.c" "$work/mine.c"
cat >"$work/steps.sh" <<'END-OF-STEPS'
work=$1 root=$2
prefix=$work/prefix
hone=$prefix/bin/hone
passed=0
check() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$work/out" 2>&1 || { echo "failed: $name"; cat "$work/out"; exit 1; }
    passed=$((passed + 1))
}
unset HONE HONE_SDK HONE_PLUGIN_PATH HONE_DATA # the Makefiles would take them from the environment
XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache
export XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME
PATH=$prefix/bin:$PATH
cd "$work"
[ "$3" != hidden ] || check "the source tree is out of sight" sh -c "[ -z \"\$(ls '$root')\" ]"
check "it runs" hone --version
check "it has left the source tree" sh -c "! hone paths --json | grep -q '\"source\": \"'"
check "all it needs is under its prefix" sh -c "hone paths | grep -E '^(plugins|lib|recipes|assets|sdk) ' | awk '{print \$2}' | while read -r p; do case \$p in $prefix/*) [ -d \"\$p\" ] ;; *) exit 1 ;; esac; done"
check "it finds its plugins" sh -c "hone plugin list --kind reward | grep -q math_answer"
check "nothing of it is refused" sh -c "! hone plugin list | grep -q '^refused'"
printf '{"prompt":"?","completion":"The answer is 7","answer":"7"}\n' >rows.jsonl
check "it scores" sh -c "hone score --reward math_answer --data rows.jsonl --json | grep -q '\"score\":1'"
check "it runs a shipped recipe with the embedded model" hone run sft data=rows.jsonl steps=1 --runs runs
check "it resumes nothing that is whole, and reports" sh -c "hone report runs/* --out page.html && [ -s page.html ]"
check "the prefix may be moved" sh -c "cp -r '$prefix' '$work/elsewhere' && mv '$prefix' '$prefix.away' && '$work/elsewhere/bin/hone' plugin list --kind reward | grep -q math_answer && mv '$prefix.away' '$prefix' && rm -rf '$work/elsewhere'"

check "the pages to read are there" sh -c "d=\$(hone paths | sed -n 's/^docs *//p') && case \$d in $prefix/*) ;; *) exit 1 ;; esac && [ -s \$d/write-a-reward.md ] && [ -s \$d/../README.md ] && [ -s \$d/../plugins/source/http/README.md ]"
check "headers are there" test -f "$prefix/include/hone/base.h"
check "each header compiles alone as C11 and C++17" sh -c "cd '$prefix/include' && for h in hone/*.h; do
  echo \"#include \\\"\$h\\\"\" | cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -I. -xc - &&
  echo \"#include \\\"\$h\\\"\" | c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I. -xc++ - || exit 1; done"
check "and the one for C++" sh -c "echo '#include \"hone/hone.hpp\"' | c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I'$prefix/include' -xc++ -"
check "hone.pc knows where the rules are" sh -c "! command -v pkg-config || [ -f \"\$(PKG_CONFIG_PATH='$prefix/share/pkgconfig' pkg-config --variable=hone_mk hone)\" ]"
for verb in run score plugin plugin-list plugin-new bench-grpo new; do
    check "a man page of hone $verb" grep -q '^\.SH SYNOPSIS' "$prefix/share/man/man1/hone-$verb.1"
done
check "man reads them without a complaint" sh -c "! command -v man || [ -z \"\$(for p in '$prefix'/share/man/man1/*.1; do MANROFFSEQ= man --warnings -l \"\$p\" 2>&1 >/dev/null; done)\" ]"
cat >complete.sh <<'STEP'
. "$1/share/bash-completion/completions/hone"
words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _hone; echo "${COMPREPLY[*]}"; }
[ "$(words hone plu)" = plugin ] || exit 1
case $(words hone plugin '') in *list*new* | *new*list*) ;; *) exit 1 ;; esac
[ "$(words hone plugin new --la)" = --lang ] || exit 1
[ "$(words hone score --rew)" = --reward ] || exit 1
[ "$(words hone plugin new rew)" = reward ] || exit 1
[ "$(words hone plugin new s)" = source ] || exit 1
[ "$(words hone score --reward math_a)" = math_answer ] || exit 1
[ "$(words hone plugin inspect adaf)" = adafactor ] || exit 1
[ "$(words hone plugin list --kind opt)" = optimizer ] || exit 1
[ "$(words hone run gr)" = grpo ] || exit 1
STEP
check "bash completes verbs, parts and options" bash complete.sh "$prefix"
check "zsh reads its completion" sh -c "! command -v zsh || zsh -n '$prefix/share/zsh/site-functions/_hone'"
check "fish reads its completion" sh -c "! command -v fish || fish -n '$prefix/share/fish/vendor_completions.d/hone.fish'"

mkdir mine
cp mine.c mine/mine.c
check "a plugin builds outside the tree" sh -c "cd mine && make -s -f '$prefix/share/hone/sdk/hone.mk' PLUGIN=mine"
check "its sidecar is written" grep -q org.test.reward.probe mine/mine.json
check "it exports its entry" sh -c "nm -D --defined-only mine/mine.so | grep -q ' hone_plugin_entry\$'"
check "and nothing else" sh -c "[ \$(nm -D --defined-only mine/mine.so | wc -l) -eq 1 ]"
cat >mine/bad.c <<'STEP'
#include "hone/base.h"
int hone_host_secret(void);
HONE_EXPORT const void *hone_plugin_entry(void);
const void *hone_plugin_entry(void)
{
    return hone_host_secret() ? "" : NULL;
}
STEP
check "one that needs the host does not link" sh -c "cd mine && ! make -s -f '$prefix/share/hone/sdk/hone.mk' PLUGIN=bad"

# every new folder builds, passes its test and runs its recipe, with no edit
for lang in c c++ lua; do
    for kind in reward judge tokenizer optimizer source objective model; do
        folder=${lang%++}_$kind
        check "hone plugin new $kind --lang $lang" hone plugin new "$kind" "$folder" --lang "$lang"
        check "$lang $kind: make" make -C "$folder"
        check "$lang $kind: make test" make -C "$folder" test
        check "$lang $kind: make run" make -C "$folder" run
        [ "$lang" != lua ] || check "$lang $kind: hone plugin validate" hone plugin validate "$folder/$folder.lua"
        check "$lang $kind: it left a finished run" sh -c "ls '$folder'/runs/*/model >/dev/null"
        rm -rf "$folder"
    done
done
check "hone new" hone new project
check "project: make, make test, make run" sh -c "make -C project && make -C project test && make -C project run"
check "a folder that is there is never written over" sh -c "! hone new project 2>err && grep -q 'is there already' err"
for bad in Big 9lives '' a-b class ../../x "$(printf '%060d' 0 | tr 0 a)"; do
    check "the name \"$bad\" is refused" sh -c "! hone plugin new reward '$bad' 2>err && grep -q 'hone: ' err && grep -q 'hint: ' err"
done
check "an unknown kind gets a suggestion" sh -c "! hone plugin new rewrd x 2>err && grep -q 'did you mean \"reward\"' err"
echo "$passed" >"$work/passed"
END-OF-STEPS
hide='mount -t tmpfs none "$2" && exec sh "$1/steps.sh" "$1" "$2" hidden'
skipped=0
if unshare -m true 2>/dev/null; then
    unshare -m sh -c "$hide" - "$work" "$root" || exit 1
elif unshare -rm sh -c 'mount -t tmpfs none "$1"' - "$root" 2>/dev/null; then
    unshare -rm sh -c "$hide" - "$work" "$root" || exit 1
else
    echo "skipped: no mount namespace here, the source tree stays in sight"
    skipped=1
    sh "$work/steps.sh" "$work" "$root" seen || exit 1
fi
passed=$(cat "$work/passed")

# staged, and gone again
check_gone() { echo "failed: $1"; exit 1; }
make -C "$HONE_BUILD" -s install prefix=/usr DESTDIR="$work/stage" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/stage/usr/bin/hone" plugin list --kind reward | grep -q math_answer || check_gone "a staged hone finds its plugins"
grep -q '^prefix=/usr$' "$work/stage/usr/share/pkgconfig/hone.pc" || check_gone "hone.pc has the prefix, not the stage"
make -C "$HONE_BUILD" -s uninstall prefix=/usr DESTDIR="$work/stage" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
left=$(find "$work/stage" -type f)
[ -z "$left" ] || check_gone "uninstall leaves nothing: $left"
passed=$((passed + 3))
if [ "$skipped" -gt 0 ]; then echo "$passed passed, 0 failed, $skipped skipped"; else echo "$passed passed, 0 failed"; fi
