#!/bin/bash
# Chromium inside a network namespace. LINEGATE_NAMESPACE names it; empty: where we are.
# Debian's wrapper script is skipped when it can be: it forks a dozen programs before the browser starts.
program=/usr/lib/chromium/chromium
[ -x "$program" ] || program=$(command -v chromium)
if [ -n "${LINEGATE_NAMESPACE:-}" ]; then
  exec nsenter --net="/run/netns/$LINEGATE_NAMESPACE" -- "$program" "$@"
fi
exec "$program" "$@"
