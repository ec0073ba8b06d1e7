#!/bin/sh
# install-tree.sh FROM PATTERN TO - copies the files of FROM that match PATTERN, with their folders,
# into TO. A FROM that is not there is nothing to install.
set -e
from=$1 pattern=$2 to=$3
[ -d "$from" ] || exit 0
(cd "$from" && find . -type d -name '.?*' -prune -o -type f -name "$pattern" -print) |
while IFS= read -r file; do
    mkdir -p "$to/$(dirname "$file")"
    mode=644
    [ -x "$from/$file" ] && mode=755
    install -m "$mode" "$from/$file" "$to/$file"
done
