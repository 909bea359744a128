#!/bin/bash
# What needs no build: formatting, who includes whom, file sizes, shell scripts. Prints what is wrong; 0 when nothing is.
#   scripts/check.sh [--fix]      --fix formats the C++ files in place
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
status=0
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.cc' '*.h')
mapfile -t shells < <(git ls-files --cached --others --exclude-standard '*.sh'; printf '%s\n' .ci/run)

if [ "${1:-}" = --fix ]; then clang-format -i "${sources[@]}"; fi
unformatted=$(clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep -oE '^[^ :]+:[0-9]+:[0-9]+: error' | sort -u | head -n 20)
if [ -n "$unformatted" ]; then
  printf '%s\n' "${unformatted//: error/: not as .clang-format wants it (scripts\/check.sh --fix)}"
  status=1
fi
scripts/check_includes.py || status=1
shellcheck -x "${shells[@]}" || status=1
for file in "${sources[@]}"; do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 800 ]; then
    printf '%s: %s lines, 800 are the limit\n' "$file" "$lines"
    status=1
  fi
done
exit "$status"
