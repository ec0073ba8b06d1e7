#!/bin/sh
# aarch64.sh - hone for AArch64 on a machine that is none: its libraries, and its programs run by qemu.
#
#   aarch64.sh root DIR          lays the libraries that hone is built with, for arm64, into DIR/root
#   aarch64.sh run DIR COMMAND   runs COMMAND where programs for AArch64 run as if they were this machine's
#
# `root` asks apt-get for the packages of scripts/lib/deps.sh as if this were an arm64 Debian with nothing on it, and
# unpacks them: nothing is installed, no architecture is added, and root is not needed. DIR/bin gets cc, gcc and
# objdump of the cross compiler for tests that compile. `run` registers qemu with binfmt_misc in a user and mount
# namespace of its own (Linux 6.7 and later), so that the machine's own table is not touched; one where it
# is registered already runs COMMAND as it is. Exit 77: cannot be had here, and why.
set -e
lib=$(cd "$(dirname "$0")" && pwd)
verb=$1 dir=$2
[ $# -ge 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shift 2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
root=$dir/root
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || qemu=

lacks() {
    echo "$*"
    exit 77
}

lay_root() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || lacks "the libraries for arm64 are taken from Debian's packages: apt-get is not here"
    packages=$(sh "$lib/deps.sh" --list build check | grep -E '^(lib|zlib).*-dev$' | grep -v clang)
    if [ "$(cat "$root/packages" 2>/dev/null)" = "$packages" ]; then return 0; fi
    rm -rf "$dir/apt" "$root"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$root"
    : >"$dir/apt/status"
    apt() {
        apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$dir/apt" \
            -o Dir::State::lists="$dir/apt/lists" -o Dir::State::status="$dir/apt/status" \
            -o Dir::Cache="$dir/apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@" >>"$dir/apt/log" 2>&1
    }
    apt update || true # an entry of the sources without arm64 is no reason to stop
    # shellcheck disable=SC2086 # a list of words
    apt install -y --no-install-recommends --download-only $packages ||
        lacks "the libraries for arm64 cannot be had: $(tail -n 1 "$dir/apt/log")"
    for package in "$dir"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    find "$root" -type l -lname '/*' | while read -r link; do # they mean files of this root
        ln -sfn "$root$(readlink "$link")" "$link"
    done
    # what Debian's alternatives would have linked
    ln -sf openblas-pthread/libopenblas.so.0 "$root/usr/lib/aarch64-linux-gnu/libopenblas.so.0"
    rm -rf "$dir/apt"
    mkdir -p "$dir/bin"
    for name in cc gcc; do
        printf '#!/bin/sh\nexec aarch64-linux-gnu-gcc --sysroot="%s" "$@"\n' "$root" >"$dir/bin/$name"
        chmod +x "$dir/bin/$name"
    done
    ln -sf "$(command -v aarch64-linux-gnu-objdump)" "$dir/bin/objdump"
    echo "$packages" >"$root/packages"
}

# Inside the namespace: the header of an ELF file of 64 bits, little-endian, of machine 183, and its mask.
inside='
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
printf "%s" ":aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:$0:F" \
    >/proc/sys/fs/binfmt_misc/register || exit 77
exec "$@"'

case $verb in
root) lay_root ;;
run)
    libs=$root/usr/lib/aarch64-linux-gnu
    export QEMU_LD_PREFIX="$root" PATH="$dir/bin:$PATH" PKG_CONFIG_SYSROOT_DIR="$root"
    export PKG_CONFIG_LIBDIR="$libs/pkgconfig:$libs/openblas-pthread/pkgconfig:$root/usr/share/pkgconfig"
    if [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then exec "$@"; fi
    [ -n "$qemu" ] || lacks "qemu-aarch64 is not here"
    spaces="unshare --user --map-root-user --mount"
    $spaces sh -c "$inside" "$qemu" true 2>/dev/null ||
        lacks "programs for AArch64 cannot be run: qemu is not registered with binfmt_misc, and no namespace may do it"
    exec $spaces sh -c "$inside" "$qemu" "$@" ;;
*) echo "aarch64.sh: no verb \"$verb\"" >&2; exit 2 ;;
esac
