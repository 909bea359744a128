#!/bin/bash
# Builds the page that Linegate serves into build/web: one bundle of JsSIP and our sources, beside HTML and CSS.
# Installs the locked npm packages first when the lock file has changed. Quick when nothing has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=controlplane/web
target=${1:-build/web}

# install_locked DIR: node_modules as DIR/package-lock.json says.
install_locked() {
  if ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock.json"; then
    npm --prefix "$1" ci --silent --no-audit --no-fund
    cp "$1/package-lock.json" "$1/node_modules/.installed-lock.json"
  fi
}

install_locked "$source"
[ "${LINEGATE_WEB_ONLY:-}" = 1 ] || install_locked tests/system
if [ -e "$target/phone.js" ] && [ -z "$(find "$source/src" "$source/package-lock.json" "${BASH_SOURCE[0]}" -newer "$target/phone.js" -print -quit)" ]; then
  exit 0
fi
mkdir -p "$target"
cp "$source/src/index.html" "$source/src/style.css" "$source/src/icon.svg" "$target/"
"$source/node_modules/.bin/esbuild" "$source/src/main.js" --bundle --minify --format=iife --target=es2022 \
  --legal-comments=linked --log-level=warning --outfile="$target/phone.js"
