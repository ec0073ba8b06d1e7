#!/bin/sh
# trust.sh - keys, signatures, trust, packages and locks through the program: what is loaded, what exits with 3.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $HONE in /*) ;; *) HONE=$PWD/$HONE ;; esac
hone=$HONE
passed=0
check() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$work/out" 2>"$work/err" || { echo "failed: $name (exit $?)"; cat "$work/out" "$work/err"; exit 1; }
    passed=$((passed + 1))
}
refused() { # NAME TEXT COMMAND... - exit 3, a text and a hint
    name=$1 text=$2
    shift 2
    rc=0
    "$@" >"$work/out" 2>"$work/err" || rc=$?
    if [ $rc -ne 3 ] || ! grep -q "$text" "$work/err" || ! grep -q 'hint: ' "$work/err"; then
        echo "failed: $name (exit $rc, wanted 3 with \"$text\" and a hint)"
        cat "$work/out" "$work/err"
        exit 1
    fi
    passed=$((passed + 1))
}
unset HONE_PLUGIN_PATH HONE_SDK
XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
export XDG_CONFIG_HOME XDG_DATA_HOME HONE
cd "$work"
check "a new optimizer" "$hone" plugin new optimizer my_opt --id com.acme.opt.my_opt
check "it builds" make -C my_opt
cd my_opt
refused "an optimizer in the project is refused" "nobody trusts it" "$hone" run recipe.lua --runs runs
refused "a refusal leaves no run behind" "nobody trusts it" "$hone" run recipe.lua --runs other
refused "and in HONE_PLUGIN_PATH" "nobody trusts it" env HONE_PLUGIN_PATH="$PWD/my_opt.so" "$hone" run recipe.lua --runs runs
sed 's/optimizer = { "my_opt"/optimizer = { ".\/my_opt.so"/' recipe.lua >path.lua
refused "and by its path in the recipe" "nobody trusts it" "$hone" run path.lua --runs runs
refused "which also names what to run" "hint: hone plugin trust .*my_opt.so" "$hone" run path.lua --runs runs
cp my_opt.so ../elsewhere.so
check "and with --plugin-path" sh -c "cd '$work' && '$hone' plugin inspect com.acme.opt.my_opt --plugin-path elsewhere.so | grep -q '^runs  *refused'"
rm ../elsewhere.so
mv my_opt.json ../kept.json
refused "and without a sidecar, which a box describes" "nobody trusts it" "$hone" run recipe.lua --runs runs
check "so nothing of it ran in hone" "$hone" plugin describe my_opt.so --write
check "and the description is the same" cmp my_opt.json ../kept.json
check "inspect says so" sh -c "'$hone' plugin inspect my_opt | grep -q '^runs  *refused'"
check "its hash is trusted" "$hone" plugin trust my_opt.so
check "and it runs" "$hone" run recipe.lua --runs runs steps=1
check "by its path too" "$hone" run path.lua --runs runs steps=1
check "run.json has the hash of what was loaded" grep -q "$(sha256sum my_opt.so | cut -c1-64)" runs/*/run.json
check "hone plugin trust shows it" sh -c "'$hone' plugin trust | grep -q \"file  $(sha256sum my_opt.so | cut -c1-64)\""
check "inspect names the trust" sh -c "'$hone' plugin inspect my_opt | grep -q 'trusted: this very file'"
cp my_opt.so ../kept.so
printf x >>my_opt.so
refused "a file changed after trusting is refused" "nobody trusts it" "$hone" run recipe.lua --runs runs
mv ../kept.so my_opt.so
check "revoked" "$hone" plugin revoke my_opt.so
refused "a revoked file is refused" "revoked" "$hone" run recipe.lua --runs runs

cd ..
check "a new model" "$hone" plugin new model my_model
check "it builds too" make -C my_model my_model.so my_model.json
refused "a model in the project is refused" "nobody trusts it" sh -c "cd my_model && '$hone' run recipe.lua --runs runs"
cat >ops.c <<'END'
#include "hone/plugin.h"
#include "hone/ops.h"
static int self_, table_;
static hone_status create(const hone_host *h, const hone_config *c, void **s) { (void)h; (void)c; *s = &self_; return HONE_OK; }
static void destroy(void *s) { (void)s; }
static const void *get_iface(void *s, const char *id) { (void)s; (void)id; return &table_; }
static const char *const provides[] = {HONE_IFACE_OPS, NULL};
static const hone_component ops = {.struct_size = sizeof ops, .id = "com.acme.ops.mine", .kind = HONE_KIND_OPS,
    .version = "1", .provides = provides, .create = create, .destroy = destroy, .get_iface = get_iface};
static const hone_component *const all[] = {&ops, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
HONE_EXPORT const hone_entry *hone_plugin_entry(void) { return &entry; }
END
check "an op pack" "${CC:-cc}" -shared -fPIC -fvisibility=hidden -I"$root/sdk/include" -o ops.so ops.c
check "is refused as well" sh -c "'$hone' plugin inspect ./ops.so | grep -q '^runs  *refused'"
cd my_opt

check "a key" "$hone" plugin keygen ../acme --ids com.acme.
check "the secret is the owner's alone" sh -c "[ \"\$(stat -c %a ../acme.key)\" = 600 ]"
secret=$(sed -n 's/.*"secret": "\(.*\)".*/\1/p' ../acme.key)
check "keygen does not print the secret" sh -c "! grep -q '$secret' '$work/out' '$work/err'"
wrong() { # NAME TEXT COMMAND... - a failure that says what, where, and what to do
    name=$1 text=$2
    shift 2
    rc=0
    "$@" >"$work/out" 2>"$work/err" || rc=$?
    if [ $rc -ne 1 ] && [ $rc -ne 2 ] || ! grep -q "$text" "$work/err" || ! grep -q 'hint: ' "$work/err"; then
        echo "failed: $name (exit $rc, wanted 1 or 2 with \"$text\" and a hint)"
        cat "$work/out" "$work/err"
        exit 1
    fi
    passed=$((passed + 1))
}
for verb in trust revoke verify "pack" "install" "sign --key ../acme.key"; do
    wrong "$verb of a file that is not there" "nofile.so: no such file" "$hone" plugin $verb nofile.so
    wrong "$verb of a folder" "is a folder\|a plugin's .so is wanted" "$hone" plugin $verb /tmp
done
wrong "a key that is not there" "no.key: no such file" "$hone" plugin sign my_opt.so --key no.key
wrong "a secret key is not trusted" "is a secret key" "$hone" plugin trust ../acme.key
wrong "a text is not revoked" "neither FILE.so nor NAME.pub" "$hone" plugin revoke recipe.lua
wrong "a day that no month has" "a date like" "$hone" plugin keygen ../dated --ids com.acme. --expires 2031-02-29
XDG_CONFIG_HOME=$work/many
for i in 1 2 3 4 5 6 7 8; do
    cp my_opt.so "../many$i.so" && printf '%s' $i >>"../many$i.so"
    "$hone" plugin trust "../many$i.so" >/dev/null &
done
wait
check "eight at once: all are trusted" [ "$("$hone" plugin trust | grep -c '^file')" = 8 ]
XDG_CONFIG_HOME=$work/config
check "a key is never written over" sh -c "! '$hone' plugin keygen ../acme --ids com.acme."
check "signed" "$hone" plugin sign my_opt.so --key ../acme.key
rm -rf "$XDG_CONFIG_HOME"
refused "a signature of an unknown key is not enough" "do not trust its key" "$hone" plugin verify my_opt.so
refused "nor for an optimizer" "nobody trusts it" "$hone" run recipe.lua --runs runs
check "the key is trusted" "$hone" plugin trust ../acme.pub
check "verified" "$hone" plugin verify my_opt.so
check "a signed file is described from itself" "$hone" plugin describe ./my_opt.so
check "and validated" "$hone" plugin validate ./my_opt.so --only library.load
check "what it signed runs" "$hone" run recipe.lua --runs runs steps=1
check "inspect names the key" sh -c "'$hone' plugin inspect my_opt | grep -q 'trusted: the key'"
check "the secret is in no file of the run, nor in the signature" sh -c "! grep -r -q '$secret' runs my_opt.sig '$XDG_CONFIG_HOME'"
cp my_opt.sig good.sig
sed 's/"version": "0.1.0"/"version": "9.9.9"/' good.sig >my_opt.sig
refused "a changed signature is refused" "does not hold" "$hone" run recipe.lua --runs runs
sed 's/"so": "[0-9a-f]*"/"so": "12"/' good.sig >my_opt.sig
check "a malformed one is an error that names the file" sh -c "! '$hone' run recipe.lua --runs runs 2>err && grep -q 'my_opt.sig' err && grep -q hint err"
cp good.sig my_opt.sig
cp my_opt.json good.json
sed -i 's/Lion/lion/' my_opt.json
refused "another sidecar is refused" "not the sidecar" "$hone" run recipe.lua --runs runs
cp good.json my_opt.json
chmod 644 ../acme.key
refused "a secret key that others may read is refused" "others may read" "$hone" plugin sign my_opt.so --key ../acme.key
chmod 600 ../acme.key
check "another vendor's key" "$hone" plugin keygen ../other --ids com.other.
refused "a key signs its own prefixes only" "may not sign" "$hone" plugin sign my_opt.so --key ../other.key
check "a key that would be hone" "$hone" plugin keygen ../fake --ids org.hone.
refused "nobody signs as hone" "hone's own" "$hone" plugin trust ../fake.pub
check "no key is made for a past day" sh -c "! '$hone' plugin keygen ../old --ids com.acme. --expires 2020-01-01 2>err && grep -q 'that day is past' err"
check "a key with a last day" "$hone" plugin keygen ../old --ids com.acme. --expires 2090-01-01
check "signs" "$hone" plugin sign my_opt.so --key ../old.key
sed -i 's/2090/2020/' ../old.pub
cp my_opt.sig by_old.sig
refused "past that day it does not" "expired on 2020-01-01" "$hone" plugin sign my_opt.so --key ../old.key
check "who trusts it is told" sh -c "'$hone' plugin trust ../old.pub | grep -q 'but it expired on 2020-01-01'"
mv by_old.sig my_opt.sig
refused "but has expired" "expired" "$hone" run recipe.lua --runs runs
cp good.sig my_opt.sig

check "packed" "$hone" plugin pack my_opt.so
check "the same files give the same package" sh -c "'$hone' plugin pack my_opt.so --out again.tar.zst && cmp my_opt-0.1.0.tar.zst again.tar.zst"
mkdir ../customer
cp my_opt-0.1.0.tar.zst recipe.lua rows.jsonl ../customer
cd ../customer
check "installed" "$hone" plugin install my_opt-0.1.0.tar.zst
check "and runs elsewhere" "$hone" run recipe.lua --runs runs steps=1
if HONE_FAULT_ENOSPC=3000 "$hone" plugin install --force my_opt-0.1.0.tar.zst >/dev/null 2>err; then
    echo "skip a full disk: this build injects no faults"
else
    check "a full disk is an error" grep -q 'No space left' err
    check "and what was installed still holds" "$hone" plugin verify "$XDG_DATA_HOME/hone/plugins/my_opt.so"
    check "with nothing beside it" sh -c "[ \$(ls -A '$XDG_DATA_HOME/hone/plugins' | wc -l) -eq 3 ]"
fi
printf x >>my_opt-0.1.0.tar.zst
check "a damaged package is an error" sh -c "! '$hone' plugin install my_opt-0.1.0.tar.zst 2>err && grep -q 'no package' err"
check "an unsigned one" "$hone" plugin pack ../my_opt/my_opt.so --unsigned --out bare.tar.zst
refused "is refused" "not signed" "$hone" plugin install bare.tar.zst

check "locked" "$hone" plugin lock
check "the locked files run" "$hone" run recipe.lua --runs runs steps=1
so=$XDG_DATA_HOME/hone/plugins/my_opt.so
sed -i 's/"sha256": "'"$(sha256sum "$so" | cut -c1-64)"'"/"sha256": "'"$(printf '%064d' 7)"'"/' hone.lock
refused "another file than the locked one is refused" "locked to another file" "$hone" run recipe.lua --runs runs
sed -i 's/"version": "0.1.0"/"version": "3.0.0"/' hone.lock
refused "an older version is not locked" "older than the locked" "$hone" plugin lock
printf '{"format": "hone-lock-1"}' >hone.lock
check "a malformed lock stops, and is named" sh -c "! '$hone' run recipe.lua --runs runs 2>err && grep -q hone.lock err"
rm hone.lock
chmod 666 "$XDG_CONFIG_HOME/hone/trust.json"
refused "a trust store that others may write is none" "writable by everybody" "$hone" run recipe.lua --runs runs
chmod 600 "$XDG_CONFIG_HOME/hone/trust.json"
printf '{"format": "hone-trust-1", "keys": 7}' >"$XDG_CONFIG_HOME/hone/trust.json"
check "a malformed one stops, and is named" sh -c "! '$hone' run recipe.lua --runs runs 2>err && grep -q trust.json err"
echo "$passed passed, 0 failed"
