# shellcheck shell=bash
# Starting and stopping the two processes inside a network namespace: shared by scripts/lab.sh and scripts/run.sh.
#
# Processes enter a namespace with nsenter, not with `ip netns exec`: the latter gives its child a private mount
# namespace with a fresh /sys, in which a pin below bpffs dies with the process that made it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${LINEGATE_BUILD:-$root/build/release}
case $build in /*) ;; *) build=$root/$build ;; esac
dataplane=$build/dataplane/app/linegate-dataplane
controlplane=$build/controlplane/app/linegate-controlplane
linegatectl=$build/controlplane/ops/linegatectl

say() { printf '%s\n' "$@"; }
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# in_namespace NS COMMAND...: NS may be "", which is where we are.
in_namespace() {
  local ns=$1
  shift
  if [ -z "$ns" ]; then "$@"; else nsenter --net="/run/netns/$ns" -- "$@"; fi
}

namespace_exists() { [ -e "/run/netns/$1" ]; }

# add_namespace NS: without kernel forwarding in either family, whatever the host's defaults are.
add_namespace() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  in_namespace "$1" sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.forwarding=0 net.ipv4.conf.default.forwarding=0 \
    net.ipv6.conf.all.forwarding=0 net.ipv6.conf.default.forwarding=0
}

# running RUN NAME: is the process started under this name still there (and not a stranger with a recycled number)?
running() {
  local pid
  pid=$(cat "$1/$2.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(start_time "$pid")" = "$(cat "$1/$2.start" 2>/dev/null)" ] && [ -n "$(start_time "$pid")" ]
}

# Field 22 of /proc/PID/stat, counted after the command name, which may hold blanks; empty for none and for a zombie.
start_time() { sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

# start RUN NAME NS COMMAND...: in the background, its output to RUN/log/NAME.log, its pid to RUN/NAME.pid. NS may be "".
start() {
  local run=$1 name=$2 ns=$3
  shift 3
  mkdir -p "$run/log"
  [ -z "$ns" ] || reap "$run" "$name" "$ns"
  if [ -n "$ns" ]; then set -- nsenter --net="/run/netns/$ns" -- "$@"; fi
  setsid "$@" </dev/null >>"$run/log/$name.log" 2>&1 9>&- &
  printf '%s\n' "$!" >"$run/$name.pid"
  start_time "$!" >"$run/$name.start"
}

# reap RUN NAME NS: kills what a dead process of this name left behind (Kamailio's workers outlive a killed parent).
reap() {
  local group pid
  group=$(cat "$1/$2.pid" 2>/dev/null) || return 0
  for pid in $(ip netns pids "$3"); do
    [ "$(ps -o pgid= -p "$pid" | tr -d ' ')" != "$group" ] || kill -9 "$pid" 2>/dev/null || true
  done
  wait_until 2 "$2 does not die" no_member "$group" "$3"
}

no_member() {
  local pid
  for pid in $(ip netns pids "$2"); do
    [ "$(ps -o pgid= -p "$pid" | tr -d ' ')" != "$1" ] || return 1
  done
}

# stop RUN NAME...: asks each in turn, waits up to 4 s, then kills.
stop() {
  local run=$1 name pid tries
  shift
  for name in "$@"; do
    if running "$run" "$name"; then
      pid=$(cat "$run/$name.pid")
      kill "$pid" 2>/dev/null || true
      for ((tries = 0; tries < 80; tries++)); do
        running "$run" "$name" || break
        sleep 0.05
      done
      ! running "$run" "$name" || kill -9 "$pid" 2>/dev/null || true
    fi
    rm -f "$run/$name.pid" "$run/$name.start"
  done
}

# remove_namespace NS: with every process still inside.
remove_namespace() {
  local tries
  namespace_exists "$1" || return 0
  ip netns pids "$1" 2>/dev/null | xargs -r kill 2>/dev/null || true
  for ((tries = 0; tries < 40; tries++)); do
    [ -n "$(ip netns pids "$1" 2>/dev/null)" ] || break
    sleep 0.05
  done
  ip netns pids "$1" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  ip netns del "$1"
}

# remove_tree DIR: unmounts what is mounted below it first (the dataplane's bpffs and hugetlbfs).
remove_tree() {
  local mount
  [ -e "$1" ] || return 0
  awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
  rm -rf "$1"
}

hugepage_pool=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

# remember_hugepages RUN, restore_hugepages RUN: the dataplane reserves what it needs when it starts; the pool gets its
# former size back when everything that was set up is undone.
remember_hugepages() { [ -e "$1/hugepages" ] || cat "$hugepage_pool" >"$1/hugepages" 2>/dev/null || true; }
restore_hugepages() {
  local before
  before=$(cat "$1/hugepages" 2>/dev/null) || return 0
  [ -z "$before" ] || [ "$before" = "$(cat "$hugepage_pool")" ] || echo "$before" >"$hugepage_pool" || true
}

# copy_web DIR DOMAIN TEST_NUMBERS: the page and its config.json; an empty folder when the page has not been built.
copy_web() {
  rm -rf "$1"
  if [ -d "$root/build/web" ]; then cp -r "$root/build/web" "$1"; else mkdir -p "$1"; fi
  printf '{"domain": "%s", "iceServers": [], "testNumbers": %s}\n' "$2" "$3" >"$1/config.json"
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local limit=$1 what=$2 deadline
  shift 2
  deadline=$((${EPOCHREALTIME/./} + limit * 1000000))
  until "$@" >/dev/null 2>&1; do
    if [ "${EPOCHREALTIME/./}" -gt "$deadline" ]; then
      printf '%s\n' "gave up after $limit s: $what" >&2
      return 1
    fi
    sleep 0.05
  done
}

# make_certificate DIR ADDRESS...: a self-signed ECDSA certificate with the addresses as IP SANs, kept when DIR has
# one that names all of them and is good for another day.
make_certificate() {
  local dir=$1 address names="" known
  shift
  for address in "$@"; do names+="${names:+,}IP:$address"; done
  known=$(cat "$dir/cert.names" 2>/dev/null || true)
  if [ "$known" = "$names" ] && [ -s "$dir/key.pem" ] && openssl x509 -in "$dir/cert.pem" -noout -checkend 86400 >/dev/null 2>&1; then
    return 0
  fi
  mkdir -p "$dir"
  (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 365 -subj "/CN=$1" \
    -addext "subjectAltName=$names" -addext "extendedKeyUsage=serverAuth" -addext "basicConstraints=critical,CA:FALSE" \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null) || fail "openssl could not make a certificate for $names"
  printf '%s' "$names" >"$dir/cert.names"
}

# toml_value FILE SECTION KEY: enough for the flat string values that the scripts themselves need.
toml_value() {
  awk -v section="[$2]" -v key="$3" '
    /^\[/ { inside = ($0 == section) }
    inside && $1 == key && $2 == "=" { sub(/^[^"]*"/, ""); sub(/".*$/, ""); print; exit }' "$1"
}

need_binaries() {
  local program
  for program in "$dataplane" "$controlplane" "$linegatectl"; do
    [ -x "$program" ] || fail "$program is missing: build first (cmake --preset release && cmake --build --preset release)"
  done
}

# The account that the control plane becomes ([dataplane] controlplane_user); it stays, as an installed package's would.
ensure_account() {
  local account
  account=$(toml_value "$1" dataplane controlplane_user)
  [ -z "$account" ] || getent passwd "$account" >/dev/null ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$account"
}

# start_gateway RUN NS CONFIG: both processes, and waits until linegatectl answers with the dataplane up.
start_gateway() {
  local run=$1 ns=$2 config=$3 name
  ensure_account "$config"
  running "$run" dataplane || start "$run" dataplane "$ns" "$dataplane" --config "$config"
  running "$run" controlplane || start "$run" controlplane "$ns" "$controlplane" --config "$config"
  if ! wait_until "${LINEGATE_START_TIMEOUT:-20}" "linegatectl status does not answer" gateway_answers "$run" "$config"; then
    for name in dataplane controlplane; do
      running "$run" "$name" && continue
      say "linegate-$name has ended; the last lines of $run/log/$name.log:" >&2
      tail -n 15 "$run/log/$name.log" >&2
    done
    return 1
  fi
}

gateway_answers() {
  local status
  status=$(gateway_ctl "$2" status --json) && [[ $status =~ \"dataplane\":\ *\"up\" ]]
}

# gateway_ctl CONFIG ARGS...
gateway_ctl() {
  local config=$1
  shift
  "$linegatectl" --socket "$(toml_value "$config" admin socket)" "$@"
}
