#!/bin/sh
# embed.sh FILE=NAME... - files as C: for each, the bytes `const unsigned char NAME[]` and `const size_t NAME_len`, on stdout.
#
# Used while building, for pages that are kept as files and served from the program (core/web/local.mk).
set -e
echo "/* made by scripts/lib/embed.sh */"
echo "#include <stddef.h>"
for pair in "$@"; do
    file=${pair%%=*} name=${pair#*=}
    [ -s "$file" ] || { echo "embed.sh: $file is not there, or empty" >&2; exit 1; }
    echo "extern const unsigned char ${name}[];"
    echo "extern const size_t ${name}_len;"
    echo "const unsigned char ${name}[] = {"
    od -An -v -tx1 "$file" | sed 's/\([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo "};"
    echo "const size_t ${name}_len = sizeof ${name};"
done
