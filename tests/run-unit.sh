#!/bin/sh
# run-unit.sh SECONDS RESULTS PROGRAM... - runs each test program in its own process with a time
# limit, keeps what it printed in RESULTS/<program>.log, prints one line a program, and leaves
# RESULTS/unit.counts ("passed failed skipped"). Fails when any test failed.
limit=$1 results=$2
shift 2
rm -rf "$results"
mkdir -p "$results"
passed=0 failed=0 skipped=0
for program in "$@"; do
    name=$(basename "$program")
    log=$results/$name.log
    begin=$(date +%s)
    timeout -k 5 "$limit" "$program" >"$log" 2>&1 </dev/null
    rc=$?
    took=$(($(date +%s) - begin))
    [ "$took" -ge 5 ] && took=", $took s" || took=
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
    s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
    why=
    if [ $rc -eq 124 ] || [ $rc -eq 137 ]; then
        why=" (ran past $limit s)"
    elif [ $rc -gt 128 ]; then
        why=" (died of signal $((rc - 128)))"
    elif [ $rc -ne 0 ]; then
        why=" (exit $rc)"
    fi
    # A program that died, or that passed without one result, is one failure by itself.
    if [ $rc -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ $rc -eq 0 ] && [ $((p + f + s)) -eq 0 ]; then f=1 why=" (reported no test)"; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        printf 'FAIL  %-28s %s passed, %s failed, %s skipped%s\n' "$name" "$p" "$f" "$s" "$why"
        grep -v -e '^\[ RUN' -e '^\[       OK' "$log" | tail -n 25 | sed 's/^/      /'
    else
        printf 'ok    %-28s %s passed%s\n' "$name" "$p" "$([ "$s" -gt 0 ] && echo ", $s skipped")$took"
    fi
done
echo "$passed $failed $skipped" >"$results/unit.counts"
[ "$failed" -eq 0 ]
