#!/bin/bash
# Installs, builds and runs every test; the last line is "N passed, N failed", the exit status says the same.
#
#   scripts/test.sh [--quick]      --quick: without the ASan build and without the call of 100 s
#
# Release build: unit, component, abi, conformance, fuzz replay, system (network namespaces, real browser calls, the
# newcomer's scripts/run.sh, the same behind 1:1 NAT). ASan and UBSan build: all but system, and one browser call. One
# browser call without hugepages. Details: build/test-results. Whatever was set up is removed on every way out.
set -euo pipefail
# shellcheck source=scripts/lib/gateway.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/gateway.sh"
cd "$root"

quick=no
case ${1:-} in
  "") ;;
  --quick) quick=yes ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || fail "needs root: the system tests make network namespaces and attach XDP programs"

results=$root/build/test-results
passed=0
failed=0
failures=()

finish() {
  local status=$?
  trap - EXIT
  scripts/lab.sh down >/dev/null 2>&1 || true
  [ "$status" = 0 ] || { failed=$((failed + 1)); failures+=("scripts/test.sh itself, status $status"); }
  if [ ${#failures[@]} -gt 0 ]; then
    say "" "failed:"
    printf '  %s\n' "${failures[@]}"
  fi
  say "$passed passed, $failed failed"
  [ "$failed" = 0 ] || exit 1
  exit 0
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

headline() { printf '\n== %s (%d min %02d s)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

# tally FILE: adds the counts of scripts/lib/tally.py, whose first line is "PASSED FAILED" and the rest names.
tally() {
  local line
  {
    read -r line
    passed=$((passed + ${line% *}))
    failed=$((failed + ${line#* }))
    while read -r line; do failures+=("$line"); done
  } < <(python3 -B scripts/lib/tally.py "$@")
}

# step NAME COMMAND...: one check that either passes or fails; the summary repeats the last words of one that fails.
step() {
  local name=$1 said=$results/${1//[^a-z0-9]/-}.log
  shift
  headline "$name"
  if "$@" 2>&1 | tee "$said"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    failures+=("$name: $(tail -n 5 "$said" | tr '\n' ' ')")
  fi
}

# build_preset PRESET: an unbuildable tree is one failure, and nothing of it is run.
build_preset() {
  headline "build $1"
  if { [ -e "build/$1/build.ninja" ] || cmake --preset "$1" >/dev/null; } && cmake --build --preset "$1" -- --quiet; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    failures+=("build $1")
    return 1
  fi
}

# run_ctest PRESET WHAT CTEST_ARGUMENTS...
run_ctest() {
  local preset=$1 what=$2 folder
  shift 2
  headline "$preset: $what"
  folder=$results/$preset-$what
  mkdir -p "$folder"
  GTEST_OUTPUT="xml:$folder/" ctest --test-dir "build/$preset" --output-on-failure --output-junit "$folder/ctest.junit" \
    --no-tests=ignore "$@" | grep -vE '^(Internal|Test project)|Start +[0-9]+:' || true
  tally ctest "$preset" "$folder"
}

# run_calls NAME BUILD ARGUMENTS...: cases of tests/system/run.js with the binaries of BUILD.
run_calls() {
  local name=$1 tree=$2
  shift 2
  headline "browser calls: $name"
  rm -f "$results/$name.json"
  LINEGATE_BUILD=$tree node tests/system/run.js --json "$results/$name.json" "$@" || true
  tally calls "$name" "$results/$name.json"
  down_with_logs "$name"
}

# run_turn NAME BUILD: coturn's clients, attackers and 1:1 NAT against Linegate; coturn and Linegate side by side.
run_turn() {
  local name=$1 tree=$2
  headline "TURN: $name"
  LINEGATE_BUILD=$tree python3 -B tests/system/turn/run.py --json "$results/$name.json" || true
  tally calls "$name" "$results/$name.json"
  LINEGATE_BUILD=$tree python3 -B tests/system/turn/differential.py --json "$results/$name-coturn.json" || true
  tally calls "$name beside coturn" "$results/$name-coturn.json"
  down_with_logs "$name"
}

# down_with_logs NAME: takes the lab down. What a sanitizer says when a process stops (leaks) is seen by no case.
down_with_logs() {
  LINEGATE_KEEP_LOGS=$results/$1-logs scripts/lab.sh down
  if grep -lE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$results/$1-logs"/*; then
    failed=$((failed + 1))
    failures+=("$1: a sanitizer complains, see $results/$1-logs")
  fi
}

scripts/lab.sh down
scripts/packages.sh build run lab test
rm -rf "$results"
mkdir -p "$results"
jobs=$(nproc)

step "page" scripts/build_web.sh
step "checks without a build" scripts/check.sh

# gate_opens_and_shuts: the counts stand at their baseline, and would not if every packet cost twenty turns of an empty loop
# more. (Counts do not depend on load or machine.)
gate_opens_and_shuts() {
  perf/instructions.py || return 1
  printf 'and with a handicap, which must fail:\n'
  perf/instructions.py --handicap 20
  [ $? = 1 ]
}

if build_preset release; then
  step "instructions per packet" gate_opens_and_shuts
  run_ctest release all-but-system -LE system -j "$jobs"
  run_ctest release system -L system
  if [ "$quick" = yes ]; then run_calls release-calls build/release --quick; else run_calls release-calls build/release; fi
  run_turn release-turn build/release
  LINEGATE_LAB_QUEUES=2 run_calls two-queues build/release echo browser_to_browser ipv6_only baresip_opus baresip_to_browser hairpin
  sed 's/^hugepages = .*/hugepages = "off"/' scripts/lab.toml >"$results/no-hugepages.toml"
  run_calls without-hugepages build/release --config "$results/no-hugepages.toml" echo
  step "the newcomer's run.sh" node tests/system/newcomer.js
  step "run.sh --advertise behind 1:1 NAT" node tests/system/advertise.js
fi
if [ "$quick" = no ] && build_preset asan; then
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} \
    LSAN_OPTIONS=suppressions=$root/tests/system/lsan.supp:print_suppressions=0
  run_ctest asan all-but-system -LE system -j "$jobs"
  run_calls asan-call build/asan echo
fi
headline "done"
