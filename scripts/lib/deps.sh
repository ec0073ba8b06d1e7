#!/bin/sh
# deps.sh SET... - sees to it that what hone needs is there: set `build`, `check` (tests), `model`,
# `arm` (a cross compiler and an emulator for AArch64).
#
# The one list of packages of this project. A row is looked for by its probe (a command, a pkg-config
# module, a header, a Python module), whatever the distribution. What is missing is installed with
# apt-get where that works without asking (as root, or sudo -n); otherwise one line to run is printed,
# for Debian/Ubuntu, Fedora and Arch, and the exit code is 1. Linux only.
#   deps.sh --list SET...   prints the Debian packages, and does nothing else

# set|probe|Debian, Ubuntu|Fedora|Arch
list='
build|cmd:gcc|gcc|gcc|gcc
build|hdr:stdio.h|libc6-dev|glibc-devel|glibc
build|cmd:make|make|make|make
build|cmd:autoconf|autoconf|autoconf|autoconf
build|cmd:automake|automake|automake|automake
build|m4:pkg.m4|pkg-config|pkgconf-pkg-config|pkgconf
build|pc:libffi|libffi-dev|libffi-devel|libffi
build|pc:openblas|libopenblas-dev|openblas-devel|openblas
build|pc:lua5.4,lua54,lua-5.4|liblua5.4-dev|lua-devel|lua54
build|pc:libcjson|libcjson-dev|cjson-devel|cjson
build|pc:libpcre2-8|libpcre2-dev|pcre2-devel|pcre2
build|pc:libzstd|libzstd-dev|libzstd-devel|zstd
build|pc:libsodium|libsodium-dev|libsodium-devel|libsodium
build|pc:sqlite3|libsqlite3-dev|sqlite-devel|sqlite
build|pc:libxxhash|libxxhash-dev|xxhash-devel|xxhash
build|pc:zlib|zlib1g-dev|zlib-devel|zlib
build|pc:libseccomp|libseccomp-dev|libseccomp-devel|libseccomp
build|pc:libcurl|libcurl4-openssl-dev|libcurl-devel|curl
build|pc:libmicrohttpd|libmicrohttpd-dev|libmicrohttpd-devel|libmicrohttpd
build|pc:libutf8proc|libutf8proc-dev|utf8proc-devel|libutf8proc
check|pc:cmocka|libcmocka-dev|libcmocka-devel|cmocka
check|cmd:g++|g++|gcc-c++|gcc
check|cmd:clang|clang|clang|clang
check|rt:clang|libclang-rt-dev|compiler-rt|compiler-rt
check|cmd:clang-format|clang-format|clang-tools-extra|clang
check|cmd:python3|python3|python3|python
check|cmd:postgres,/usr/lib/postgresql/15/bin/postgres|postgresql|postgresql-server|postgresql
check|cmd:zstd|zstd|zstd|zstd
check|cmd:chromium,chromium-browser,google-chrome|chromium|chromium|chromium
check|cmd:chromedriver|chromium-driver|chromedriver|chromium
check|py:selenium|python3-selenium|python3-selenium|python-selenium
arm|cmd:aarch64-linux-gnu-gcc|gcc-aarch64-linux-gnu|gcc-aarch64-linux-gnu|aarch64-linux-gnu-gcc
arm|cmd:qemu-aarch64-static,qemu-aarch64|qemu-user-static|qemu-user-static-aarch64|qemu-user-static
arm|cmd:unshare|util-linux|util-linux|util-linux
model|cmd:python3|python3|python3|python
model|py:pip|python3-pip|python3-pip|python-pip
'

present() {
    kind=${1%%:*}
    for name in $(echo "${1#*:}" | tr , ' '); do
        case $kind in
        cmd) command -v "$name" >/dev/null 2>&1 && return 0 ;;
        pc) pkg-config --exists "$name" >/dev/null 2>&1 && return 0 ;;
        hdr) echo "#include <$name>" | cc -E - >/dev/null 2>&1 && return 0 ;;
        m4) command -v pkg-config >/dev/null 2>&1 && command -v aclocal >/dev/null 2>&1 &&
            [ -f "$(aclocal --print-ac-dir 2>/dev/null)/$name" ] && return 0 ;;
        rt) ls "$(clang --print-resource-dir 2>/dev/null)"/lib/*/*asan* >/dev/null 2>&1 && return 0 ;;
        py)
            for python in python3 /usr/bin/python3; do
                "$python" -c "import $name" >/dev/null 2>&1 && return 0
            done ;;
        esac
    done
    return 1
}

only_list=
if [ "$1" = --list ]; then only_list=1; shift; fi
[ $# -gt 0 ] || set -- build
if [ "$(uname -s)" != Linux ]; then
    echo "hone runs on Linux only (this is $(uname -s))" >&2
    exit 1
fi

debian='' fedora='' arch=''
for set in "$@"; do
    for row in $(echo "$list" | grep "^$set|"); do
        probe=$(echo "$row" | cut -d'|' -f2)
        if [ -z "$only_list" ] && present "$probe"; then continue; fi
        debian="$debian $(echo "$row" | cut -d'|' -f3)"
        fedora="$fedora $(echo "$row" | cut -d'|' -f4)"
        arch="$arch $(echo "$row" | cut -d'|' -f5)"
    done
done
if [ -n "$only_list" ]; then
    echo "$debian" | tr ' ' '\n' | sed '/^$/d' | sort -u
    exit 0
fi
[ -n "$debian" ] || exit 0

run=none
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        run=''
    elif sudo -n true >/dev/null 2>&1; then
        run='sudo -n'
    fi
fi
if [ "$run" != none ]; then
    echo "installing:$debian"
    log=$(mktemp)
    install() {
        # shellcheck disable=SC2086 # lists of words
        $run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $debian
    }
    if install >"$log" 2>&1 || { $run apt-get update && install; } >"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "apt-get could not install them" >&2
fi
cat >&2 <<END
hone needs packages that are not here. Install them and start again:
  Debian, Ubuntu:  sudo apt-get install$debian
  Fedora:          sudo dnf install$fedora
  Arch:            sudo pacman -S --needed$arch
END
exit 1
