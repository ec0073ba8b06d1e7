#!/bin/sh
# make-help.sh HONE DIR - writes man pages and shell completion, from what the program says of itself.
#
#   DIR/man1/hone.1, hone-VERB.1, hone-VERB-PART.1     one page for each --help
#   DIR/hone.bash  DIR/_hone  DIR/hone.fish            completion of verbs, parts and options
#
# The only source is `hone --help` and `hone VERB [PART] --help`: a verb that is added, or an option, needs nothing
# here. A page has no date, so that the same program gives the same bytes.
set -e
hone=$1 dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$dir"
mkdir -p "$dir/man1"
LC_ALL=C
export LC_ALL
version=$("$hone" --version)

# Lines "name   what it does" of a help text, where the name is one lower-case word.
rows() {
    sed -n 's/^ *\([a-z][a-z0-9-]*\)\( [A-Z][A-Z|]*\)\{0,1\}   *\([^ -].*\)$/\1	\3/p' "$1"
}
# The options of a help text: "--name<TAB>META<TAB>text".
options() {
    sed -n '/^options:$/,/^[a-z]*:$/p' "$1" |
        sed -n 's/^  \(--[a-z0-9-]*\) \{0,1\}\([^ ]*\)  *\(.*\)$/\1	\2	\3/p'
}

"$hone" --help >"$work/hone.txt"
rows "$work/hone.txt" >"$work/verbs"
cut -f1 "$work/verbs" | while read -r verb; do
    "$hone" "$verb" --help >"$work/$verb.txt"
    : >"$work/$verb.parts"
    # Only a verb whose usage says "a|b|c", PART or NAME has parts.
    sed -n 1p "$work/$verb.txt" | grep -q -E "^usage: hone $verb ([a-z]+\||PART|NAME)" || continue
    sed '/^options:$/,$d;/^examples:$/,$d' "$work/$verb.txt" >"$work/about"
    rows "$work/about" | while IFS='	' read -r part text; do
        "$hone" "$verb" "$part" --help >"$work/$verb-$part.txt" 2>/dev/null || continue
        printf '%s\t%s\n' "$part" "$text" >>"$work/$verb.parts"
    done
done

# page NAME SUMMARY TEXT-FILE - one man page from one help text
page() {
    awk -v name="$1" -v summary="$2" -v version="$version" '
        function plain(s) { # so that no letter means something to roff
            gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s)
            if (s ~ /^[.\x27]/) s = "\\&" s
            return s
        }
        BEGIN {
            title = toupper(name)
            printf ".TH %s 1 \"\" \"%s\" \"hone\"\n.SH NAME\n%s \\- %s\n", title, version, plain(name), plain(summary)
        }
        NR == 1 && /^usage: / {
            printf ".SH SYNOPSIS\n.nf\n%s\n.fi\n.SH DESCRIPTION\n.nf\n", plain(substr($0, 8)); next
        }
        NR == 1 { print ".SH DESCRIPTION\n.nf" }
        NR == 2 && $0 == "" { next }
        /^options:$/ { print ".fi\n.SH OPTIONS"; part = "options"; next }
        /^examples:$/ { print ".fi\n.SH EXAMPLES\n.nf"; part = "examples"; next }
        part == "options" && /^  --/ {
            line = substr($0, 3); at = match(line, /  +/)
            if (!at) { printf ".TP\n.B %s\n", plain(line); next }
            printf ".TP\n.B %s\n%s\n", plain(substr(line, 1, at - 1)), plain(substr(line, at + RLENGTH)); next
        }
        part == "options" && $0 == "" { next }
        part == "examples" { sub(/^  /, "") }
        { print plain($0) }
        END { if (part != "options") print ".fi" }' "$3" >"$dir/man1/$1.1"
}
page hone "trains language models after pretraining" "$work/hone.txt"
while IFS='	' read -r verb text; do
    page "hone-$verb" "$text" "$work/$verb.txt"
    while IFS='	' read -r part about; do
        page "hone-$verb-$part" "$about" "$work/$verb-$part.txt"
    done <"$work/$verb.parts"
done <"$work/verbs"
{
    echo ".SH SEE ALSO"
    ls "$dir/man1" | sed -n 's/^\(hone-.*\)\.1$/.BR \1 (1)/p' | sed 's/-/\\-/g'
} >"$work/also"
cat "$work/also" >>"$dir/man1/hone.1"

# ---- completion: one table, three shells ---------------------------------------------------------------
# "VERB PART" or "VERB" <TAB> --option <TAB> META <TAB> text
while read -r verb _; do
    options "$work/$verb.txt" | sed "s/^/$verb	/"
    cut -f1 "$work/$verb.parts" | while read -r part; do
        options "$work/$verb-$part.txt" | sed "s/^/$verb $part	/"
    done
done <"$work/verbs" >"$work/options"

{
    echo "# bash completion for hone; made from hone --help"
    echo "_hone_components() # KIND: the short names of what there is"
    echo "{"
    echo "    hone plugin list --json 2>/dev/null | grep -o \"\\\"name\\\":\\\"[^\\\"]*\\\",\\\"kind\\\":\\\"\$1\\\"\" | cut -d'\"' -f4"
    echo "}"
    echo "_hone()"
    echo "{"
    echo "    local cur=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} part=\${COMP_WORDS[2]} words="
    echo "    if [ \"\$COMP_CWORD\" -eq 1 ]; then"
    echo "        COMPREPLY=(\$(compgen -W '$(cut -f1 "$work/verbs" | tr '\n' ' ')--help --version' -- \"\$cur\"))"
    echo "        return"
    echo "    fi"
    echo "    case \$verb in"
    while read -r verb _; do
        [ -s "$work/$verb.parts" ] || continue
        echo "    $verb) [ \"\$COMP_CWORD\" -ne 2 ] || words='$(cut -f1 "$work/$verb.parts" | tr '\n' ' ')' ;;"
    done <"$work/verbs"
    echo "    run) [ \"\$COMP_CWORD\" -ne 2 ] || words=\$(ls \"\$(hone paths 2>/dev/null | sed -n 's/^recipes *//p')\" 2>/dev/null |" \
        "sed -n 's/\.lua\$//p') ;;"
    echo "    help) words='$(cut -f1 "$work/verbs" | tr '\n' ' ')' ;;"
    echo "    esac"
    # names and kinds of components, which only this machine's hone knows
    echo "    case \$verb:\$part:\$COMP_CWORD:\${COMP_WORDS[COMP_CWORD - 1]} in"
    echo "    plugin:new:3:*) words=\$(ls \"\$(hone paths 2>/dev/null | sed -n 's/^sdk *//p')/templates\" 2>/dev/null | grep -v -e '^common' -e project) ;;"
    echo "    plugin:new:*:--lang) words='c c++ lua' ;;"
    echo "    plugin:inspect:3:* | plugin:validate:3:* | plugin:bench:3:*) words=\$(_hone_components '[^\"]*') ;;"
    echo "    plugin:try:3:* | score:*:--reward) words=\$(_hone_components reward) ;;"
    echo "    *:--kind) words=\$(hone plugin list --json 2>/dev/null | grep -o '\"kind\":\"[^\"]*' | cut -d'\"' -f4 | sort -u) ;;"
    echo "    esac"
    echo "    case \$cur in"
    echo "    -*) case \"\$verb \$part\" in"
    awk -F'\t' '{ o[$1] = o[$1] $2 " "; if (!seen[$1]++) order[++n] = $1 }
        END { for (pass = 1; pass <= 2; pass++) for (i = 1; i <= n; i++) { k = order[i]
            if ((k ~ / /) == (pass == 1))
                printf "        \"%s\"%s) words=\x27%s\x27 ;;\n", (k ~ / / ? k : k " "), (k ~ / / ? "" : "*"), o[k] } }' \
        "$work/options"
    echo "        esac ;;"
    echo "    esac"
    echo "    COMPREPLY=(\$(compgen -W \"\$words\" -- \"\$cur\"))"
    echo "}"
    echo "complete -o default -F _hone hone"
} >"$dir/hone.bash"

{
    echo "#compdef hone"
    echo "# zsh completion for hone; made from hone --help"
    echo "_hone() {"
    echo "  local -a verbs choices"
    echo "  verbs=("
    awk -F'\t' '{ gsub(/[\x27\\]/, ""); t = $2; gsub(/:/, "\\:", t); printf "    \x27%s:%s\x27\n", $1, t }' "$work/verbs"
    echo "  )"
    echo "  if (( CURRENT == 2 )); then _describe verb verbs; return; fi"
    echo "  local verb=\$words[2] part=\$words[3]"
    echo "  if (( CURRENT == 3 )); then"
    echo "    case \$verb in"
    while read -r verb _; do
        [ -s "$work/$verb.parts" ] || continue
        echo "    $verb) choices=("
        awk -F'\t' '{ gsub(/[\x27\\]/, ""); t = $2; gsub(/:/, "\\:", t); printf "      \x27%s:%s\x27\n", $1, t }' "$work/$verb.parts"
        echo "      ); _describe part choices; return ;;"
    done <"$work/verbs"
    echo "    esac"
    echo "  fi"
    echo "  case \"\$verb \$part\" in"
    awk -F'\t' '{ gsub(/[\x27\\]/, ""); t = $4; gsub(/:/, "\\:", t)
            o[$1] = o[$1] "      \x27" $2 ":" t "\x27\n"; if (!seen[$1]++) order[++n] = $1 }
        END { for (pass = 1; pass <= 2; pass++) for (i = 1; i <= n; i++) { k = order[i]
            if ((k ~ / /) != (pass == 1)) continue
            printf "  \"%s\"%s) choices=(\n%s      ) ;;\n", (k ~ / / ? k : k " "), (k ~ / / ? "" : "*"), o[k] } }' "$work/options"
    echo "  esac"
    echo "  [[ \$PREFIX == -* ]] && _describe option choices || _files"
    echo "}"
    echo "_hone \"\$@\""
} >"$dir/_hone"

{
    echo "# fish completion for hone; made from hone --help"
    echo "complete -c hone -n '__fish_use_subcommand' -f"
    awk -F'\t' '{ gsub(/[\x27\\]/, ""); printf "complete -c hone -n \x27__fish_use_subcommand\x27 -a %s -d \x27%s\x27\n", $1, $2 }' "$work/verbs"
    while read -r verb _; do
        awk -F'\t' -v verb="$verb" -v parts="$(cut -f1 "$work/$verb.parts" | tr '\n' ' ')" '{ gsub(/[\x27\\]/, "")
            printf "complete -c hone -n \x27__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s\x27 -a %s -d \x27%s\x27\n", verb, parts, $1, $2 }' "$work/$verb.parts"
    done <"$work/verbs"
    awk -F'\t' '{ gsub(/[\x27\\]/, ""); split($1, w, " ")
        cond = "__fish_seen_subcommand_from " w[1]; if (w[2]) cond = cond "; and __fish_seen_subcommand_from " w[2]
        printf "complete -c hone -n \x27%s\x27 -l %s%s -d \x27%s\x27\n", cond, substr($2, 3), ($3 != "" ? " -r" : ""), $4 }' "$work/options"
} >"$dir/hone.fish"
