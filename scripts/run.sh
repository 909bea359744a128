#!/bin/bash
# Linegate in one command: installs what it needs, builds it, starts both processes, says what to do next. As root:
#
#   scripts/run.sh                     for a browser on this machine, over a veth pair of its own
#   scripts/run.sh --interface IF      for browsers on other machines, on IF's address
#       --advertise ADDR               the address that others see instead of IF's (1:1 NAT)
#   scripts/run.sh --lab               unattended: calls by a real browser in the lab, a table, then PASS or FAIL
#
#   --cert FILE --key FILE             a certificate of your own instead of the self-signed one
#
# Ctrl-C stops Linegate and undoes what was set up. Kept between runs, in /var/lib/linegate-run: the self-signed
# certificate, the demo accounts and the registrations. LINEGATE_BUILD names another build tree than build/release,
# which then has to be there already.
set -euo pipefail
# shellcheck source=scripts/lib/gateway.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/gateway.sh"

run=/run/linegate-run
state=/var/lib/linegate-run
domain=linegate.internal
webrtc_port=20000

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
  exit 2
}

build_release() {
  if [ -z "${LINEGATE_BUILD:-}" ]; then
    say "building (the first time takes some minutes)"
    [ -e "$build/build.ninja" ] || cmake --preset release -S "$root" >/dev/null
    cmake --build "$build" --target linegate-dataplane linegate-controlplane linegatectl -- --quiet
  fi
  "$root/scripts/build_web.sh"
  need_binaries
}

# ---- the demo of the first two forms ----------------------------------------------------------------------------

# make_pair: lg-host (10.90.0.1) here, lg-gw (10.90.0.2) in the namespace that Linegate runs in.
make_pair() {
  local taken
  taken=$(ip -o -4 addr show to 10.90.0.0/24 | awk '{ print $2 }')
  [ -z "$taken" ] || fail "10.90.0.0/24 is in use on $taken; use --interface, or free that network"
  add_namespace "$namespace"
  ip link add lg-host type veth peer name lg-gw netns "$namespace"
  # Packets of local sockets would cross with an unfinished checksum, see scripts/lab.sh.
  ethtool -K lg-host tx off >/dev/null
  in_namespace "$namespace" ethtool -K lg-gw tx off >/dev/null
  ip addr add 10.90.0.1/24 dev lg-host
  ip link set lg-host up
  ip -n "$namespace" addr add 10.90.0.2/24 dev lg-gw
  ip -n "$namespace" link set lg-gw up
}

# addresses_of IF: the first global address of each family.
addresses_of() {
  ip -o -4 addr show dev "$1" scope global | awk 'NR == 1 { sub("/.*", "", $4); print $4 }'
  ip -o -6 addr show dev "$1" scope global -deprecated -temporary 2>/dev/null | awk 'NR == 1 { sub("/.*", "", $4); print $4 }'
}

# free_port: 443, or the next TCP port that nobody listens on.
free_port() {
  local port=443
  while [ -n "$(in_namespace "$namespace" ss -Hltn "sport = :$port")" ]; do
    port=$((port + 1))
    if [ "$port" -lt 1024 ] && [ "$port" -gt 450 ]; then port=8443; fi
  done
  printf '%s' "$port"
}

bracketed() { if [[ $1 == *:* ]]; then printf '[%s]' "$1"; else printf '%s' "$1"; fi; }

# quoted A B...: a TOML list.
quoted() {
  local item list=""
  for item in "$@"; do list+="${list:+, }\"$item\""; done
  printf '[%s]' "$list"
}

make_accounts() {
  local user
  if [ ! -s "$state/accounts" ]; then
    for user in 1001 1002; do
      printf '%s %s\n' "$user" "$(head -c 64 /dev/urandom | base64 | tr -dc 'a-km-zA-HJ-NP-Z2-9' | head -c 10)"
    done >"$state/accounts"
  fi
}

write_config() {
  local users listen=() address user password engine=ipsec-mb
  # Its code paths need AES instructions.
  grep -qw aes /proc/cpuinfo || engine=libsrtp2
  users=$(while read -r user password; do printf '{ name = "%s", password = "%s" }, ' "$user" "$password"; done <"$state/accounts")
  for address in "${addresses[@]}"; do listen+=("$(bracketed "$address"):$port"); done
  cat >"$run/linegate.toml" <<CONFIG
# Written by scripts/run.sh at each start.
[dataplane]
workers = 1
idle = "adaptive"
flows_per_worker = 4096
hugepages = "auto"
runtime_directory = "$run/runtime"
xdp_mode = "generic"
controlplane_user = "linegate"

[srtp]
engine = "$engine"

[[realm]]
name = "public"
interface = "$interface"
addresses = $(quoted "${addresses[@]}")
advertise = $(quoted "${advertise[@]}")
webrtc_port = $webrtc_port
stun_ports = [3478]

[web]
listen = $(quoted "${listen[@]}")
certificate = "$certificate"
private_key = "$key"
root = "$run/web"
realm = "public"

[[domain]]
name = "$domain"
mode = "local"
users = [${users%, }]
test_numbers = true

[state]
directory = "$state/state"

[admin]
socket = "$run/control.sock"

[log]
level = "info"
CONFIG
}

print_welcome() {
  local name url user password
  name=${advertise[0]:-${addresses[0]}}
  url=https://$(bracketed "$name")
  [ "$port" = 443 ] || url+=:$port
  say "" "Linegate serves $url/" ""
  if [ "$(cat "$hugepage_pool" 2>/dev/null || echo 0)" = 0 ]; then
    say "  (no hugepages could be had; it runs on ordinary pages, a little slower)" ""
  fi
  [ "$port" = 443 ] || say "  (port 443 is taken, so it is port $port)" ""
  if [ -n "$served_interface" ]; then
    say "1. Open it on another machine. (A browser on this machine gets the page but no sound: its packets to" \
      "   ${addresses[0]} never leave through $interface. For that, run scripts/run.sh without arguments.)" \
      "   A firewall has to let in TCP port $port and UDP port $webrtc_port to $name."
  else
    say "1. Open it in a browser on this machine."
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
      say "   No desktop seems to run here. To serve browsers on other machines instead:" \
        "     scripts/run.sh --interface $(default_interface)" \
        "   and for a browser on this machine, this is the command:" \
        "     scripts/run.sh"
    fi
  fi
  if [ "$own_certificate" = no ]; then
    say "   The certificate is self-signed, so the browser warns. Two clicks, once:" \
      "     Chrome, Chromium, Edge:  \"Advanced\", then \"Proceed to $name (unsafe)\"" \
      "     Firefox:                 \"Advanced...\", then \"Accept the Risk and Continue\""
  fi
  say "2. Sign in with one of the demo accounts:"
  while read -r user password; do say "     user $user   password $password"; done <"$state/accounts"
  say "3. Call echo to hear yourself, tone for a steady note; or open a second window, sign in as the other user there," \
    "   and call each other." "" \
    "Look inside:  $linegatectl --socket $run/control.sock status" \
    "Logs:         $run/log" \
    "Ctrl-C stops Linegate and undoes what was set up."
}

default_interface() { ip -o route show default | awk 'NR == 1 { for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1) }' | grep . || echo IF; }

tear_down() {
  trap - EXIT
  stop "$run" controlplane dataplane
  [ -n "$served_interface" ] || remove_namespace "$namespace"
  ip link del lg-host 2>/dev/null || true
  restore_hugepages "$run"
  remove_tree "$run"
}

serve() {
  local names=()
  exec 9<"${BASH_SOURCE[0]}"
  flock -n 9 || fail "already running; stop that one first"
  namespace=""
  [ -n "$served_interface" ] || namespace=linegate
  tear_down # what a killed run left behind
  mkdir -p "$run/runtime" "$run/log" "$state/state"
  chmod 700 "$run" "$state"
  trap tear_down EXIT
  trap 'exit 0' INT TERM HUP
  remember_hugepages "$run"

  if [ -z "$served_interface" ]; then
    interface=lg-gw
    addresses=(10.90.0.2)
    make_pair
  else
    interface=$served_interface
    ip link show dev "$interface" >/dev/null 2>&1 || fail "there is no interface $interface"
    mapfile -t addresses < <(addresses_of "$interface")
    [ ${#addresses[@]} -gt 0 ] || fail "$interface has no address"
    # 1:1 NAT stands for the IPv4 address; an IPv6 address beside it is left out.
    [ ${#advertise[@]} -eq 0 ] || addresses=("${addresses[0]}")
  fi
  port=$(free_port)
  if [ "$own_certificate" = no ]; then
    # Behind 1:1 NAT nobody comes by the address inside, and a certificate would only give it away.
    if [ ${#advertise[@]} -gt 0 ]; then names=("${advertise[@]}"); else names=("${addresses[@]}"); fi
    make_certificate "$state" "${names[@]}"
    certificate=$state/cert.pem
    key=$state/key.pem
  fi
  make_accounts
  copy_web "$run/web" "$domain" true
  write_config
  start_gateway "$run" "$namespace" "$run/linegate.toml" || fail "Linegate did not start"
  print_welcome
  # From here on a signal only says so: bash 5.2 may lose its way when a trap exits in the middle of a $(...).
  local stopping=no
  trap 'stopping=yes' INT TERM HUP
  while [ "$stopping" = no ] && running "$run" dataplane && running "$run" controlplane; do
    sleep 1 &
    wait $! || true
  done
  [ "$stopping" = no ] || exit 0
  tail -n 20 "$run"/log/*.log >&2
  fail "a process of Linegate has ended; its log is above"
}

# ---- the lab ----------------------------------------------------------------------------------------------------

run_lab() {
  local status=0
  trap '"$root/scripts/lab.sh" down' EXIT
  trap 'exit 1' INT TERM HUP
  "$root/scripts/lab.sh" down
  node "$root/tests/system/run.js" --calls --json "$root/build/lab-report.json" || status=$?
  exit "$status"
}

lab=no
served_interface=""
advertise=()
certificate=""
key=""
while [ $# -gt 0 ]; do
  case $1 in
    --lab) lab=yes; shift ;;
    --interface) [ $# -ge 2 ] || usage; served_interface=$2; shift 2 ;;
    --advertise) [ $# -ge 2 ] || usage; advertise=("$2"); shift 2 ;;
    --cert) [ $# -ge 2 ] || usage; certificate=$(realpath "$2"); shift 2 ;;
    --key) [ $# -ge 2 ] || usage; key=$(realpath "$2"); shift 2 ;;
    *) usage ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "needs root: it attaches an XDP program and makes a network namespace"
[ ${#advertise[@]} -eq 0 ] || [ -n "$served_interface" ] || fail "--advertise goes with --interface"
own_certificate=no
if [ -n "$certificate$key" ]; then
  if [ ! -r "$certificate" ] || [ ! -r "$key" ]; then fail "--cert and --key go together, and both files must be readable"; fi
  own_certificate=yes
fi

cd "$root"
if [ "$lab" = yes ]; then
  scripts/packages.sh build run lab
  build_release
  run_lab
else
  scripts/packages.sh build run
  build_release
  serve
fi
