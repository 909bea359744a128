#!/bin/bash
# The lab: browsers, Linegate and a SIP Server in three network namespaces, for people and for tests. As root:
#
#   scripts/lab.sh up [--config FILE] [--sip-server] [--no-gateway] [--queues N]
#   scripts/lab.sh exec web|core|sip COMMAND...      runs COMMAND in that namespace
#   scripts/lab.sh ctl ARGS...                       linegatectl against the lab's control plane
#   scripts/lab.sh down                              leaves nothing behind, whatever was killed before
#
#   lg-web  10.90.1.2/24, fd90:1::2/64   lgw0 --- lgw1   10.90.1.1, fd90:1::1   lg-core  (Linegate, public)
#   lg-sip  10.90.2.2/24, fd90:2::2/64   lgs0 --- lgs1   10.90.2.1, fd90:2::1   lg-core  (Linegate, private)
# lgw1 also has 10.90.1.3 and fd90:1::3, the second address that RFC 5780 wants.
#
# Default routes lead through lg-core, whose kernel forwards nothing: what crosses went through Linegate.
# --sip-server: Kamailio on 10.90.2.2:5060 (UDP, TCP) and baresip, users 1003 (RTP), 1004 and 1005 (SRTP by SDES), on 10.90.2.2:5070.
# --no-gateway: the namespaces (and the SIP Server) alone, for another gateway or a client test.
# --queues N: N receive queues on each of Linegate's interfaces and N workers, whatever the configuration says.
# `up` twice is the same as once; with other options or newer programs it changes over; it starts again what has died.
# LINEGATE_BUILD names the build tree (default build/release). Logs: /run/linegate-lab/log; `down` keeps a copy in the
# folder that LINEGATE_KEEP_LOGS names.
# LINEGATE_LAB_QUEUES=N is --queues N for those who cannot name it.
# LINEGATE_LAB=NAME is another lab beside the first: namespaces NAME-web, NAME-core, NAME-sip, all below
# /run/linegate-lab-NAME, which also stands for /run/linegate-lab in the configuration.
set -euo pipefail
# shellcheck source=scripts/lib/gateway.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/gateway.sh"

lab=${LINEGATE_LAB:-lg}
run=/run/linegate-lab
[ "$lab" = lg ] || run+=-$lab
namespaces=("$lab-web" "$lab-core" "$lab-sip")
# Some tests add these beside them, and take them away again unless they are killed.
further_namespaces=("$lab-out" "$lab-nat1" "$lab-nat2")

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
  exit 2
}

# pair NS DEVICE CORE_DEVICE NETWORK: one veth pair between NS (host part 2) and the core (host part 1).
#
# A sender's kernel chooses a transmit queue by flow. Native XDP sees it as the receive queue of the same number. Generic
# XDP (Linux 6.18) takes it for a receive queue counted from 1, and 0 for none: so the sender gets one queue more, and the
# first receive queue two shares.
pair() {
  local ns=$1 device=$2 core=$3 network=$4 sending=$queues
  if [ "$queues" -gt 1 ] && [ "$native" = no ]; then sending=$((queues + 1)); fi
  ip link add "$device" netns "$ns" numtxqueues "$sending" numrxqueues "$queues" type veth \
    peer name "$core" netns "$lab-core" numtxqueues "$queues" numrxqueues "$queues"
  bring_up "$ns" "$device" "$network" 2
  bring_up "$lab-core" "$core" "$network" 1
  ip -n "$ns" route add default via "10.90.$network.1"
  ip -n "$ns" -6 route add default via "fd90:$network::1"
}

# bring_up NS DEVICE NETWORK HOST. Transmit checksumming is done in software: packets of local sockets otherwise cross
# veth with an unfinished sum, which an AF_XDP receiver cannot tell from a wrong one.
bring_up() {
  in_namespace "$1" ethtool -K "$2" tx off >/dev/null
  ip -n "$1" addr add "10.90.$3.$4/24" dev "$2"
  ip -n "$1" addr add "fd90:$3::$4/64" dev "$2" nodad
  ip -n "$1" link set "$2" up
}

make_network() {
  local ns whole=yes
  [ "$(cat "$run/queues" 2>/dev/null)" = "$queues $native" ] || whole=no
  for ns in "${namespaces[@]}"; do namespace_exists "$ns" || whole=no; done
  [ "$whole" = no ] || { ip -n "$lab-web" link show lgw0 && ip -n "$lab-sip" link show lgs0; } >/dev/null 2>&1 || whole=no
  [ "$whole" = no ] || return 0
  down
  mkdir -p "$run"
  printf '%s' "$queues $native" >"$run/queues"
  for ns in "${namespaces[@]}"; do add_namespace "$ns"; done
  pair "$lab-web" lgw0 lgw1 1
  pair "$lab-sip" lgs0 lgs1 2
  ip -n "$lab-core" addr add 10.90.1.3/24 dev lgw1
  ip -n "$lab-core" addr add fd90:1::3/64 dev lgw1 nodad
}

# What the configurations of the lab refer to: certificate, web root, state and runtime folders.
make_files() {
  mkdir -p "$run/runtime" "$run/state" "$run/log"
  make_certificate "$run" 10.90.1.1 fd90:1::1
  remember_hugepages "$run"
  [ -d "$run/web" ] || copy_web "$run/web" lab.example true
}

make_tone() {
  python3 - "$1" <<'PY'
import math, struct, sys, wave
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(8000)
    period = b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * n / 8))) for n in range(8))
    out.writeframes(period * 1000 * 300)
PY
}

# kamcmd exits 0 for errors, too: what counts is that a contact is printed. `s:` keeps the number a string.
sip_user_registered() {
  kamcmd -s "unix:$run/kamailio_ctl" ul.lookup location "s:$1" | grep -q 'Address: sip:'
}

start_sip_server() {
  mkdir -p "$run/baresip" "$run/recordings"
  [ -s "$run/tone8k.wav" ] || make_tone "$run/tone8k.wav"
  sed "s#RUN_DIR#$run#g" "$root/scripts/lab/kamailio.cfg" >"$run/kamailio.cfg"
  sed "s#RUN_DIR#$run#g" "$root/scripts/lab/baresip/config.in" >"$run/baresip/config"
  cp "$root/scripts/lab/baresip/accounts" "$run/baresip/accounts"
  if ! running "$run" kamailio; then
    start "$run" kamailio "$lab-sip" kamailio -DD -E -f "$run/kamailio.cfg" -Y "$run" -m 64 -M 8
    wait_until 8 "Kamailio does not answer" kamcmd -s "unix:$run/kamailio_ctl" core.uptime || fail "see $run/log/kamailio.log"
  fi
  if ! running "$run" baresip; then
    start "$run" baresip "$lab-sip" baresip -f "$run/baresip"
  fi
  local user
  for user in 1003 1004 1005; do
    wait_until 8 "baresip does not register as $user" sip_user_registered "$user" || fail "see $run/log/baresip.log"
  done
}

up() {
  local config="" sip_server=no gateway=yes wanted queues=${LINEGATE_LAB_QUEUES:-1} native=no
  while [ $# -gt 0 ]; do
    case $1 in
      --config) [ $# -ge 2 ] || usage; config=$(realpath "$2"); shift 2 ;;
      --sip-server) sip_server=yes; shift ;;
      --no-gateway) gateway=no; shift ;;
      --queues) [ $# -ge 2 ] || usage; queues=$2; shift 2 ;;
      *) usage ;;
    esac
  done
  if [ -z "$config" ]; then
    if [ "$sip_server" = yes ]; then config=$root/scripts/lab-sip-server.toml; else config=$root/scripts/lab.toml; fi
  fi
  [ -r "$config" ] || fail "cannot read $config"
  [ "$gateway" = no ] || need_binaries

  if grep -q '^xdp_mode = "native"' "$config"; then native=yes; fi
  wanted="$gateway $sip_server $queues $build $config $(sha256sum <"$config")"
  [ "$gateway" = no ] || wanted+=" $(stat -c %Y "$dataplane" "$controlplane" | tr '\n' ' ')"
  if [ -e "$run/mode" ] && [ "$(cat "$run/mode")" != "$wanted" ]; then change_over; fi
  make_network
  printf '%s' "$wanted" >"$run/mode"
  make_files
  sed "s#/run/linegate-lab\\b#$run#g" "$config" >"$run/linegate.toml"
  [ "$queues" = 1 ] || sed -i "s/^workers = .*/workers = $queues/" "$run/linegate.toml"
  if [ "$sip_server" = yes ]; then start_sip_server; fi
  if [ "$gateway" = yes ]; then
    start_gateway "$run" "$lab-core" "$run/linegate.toml" || fail "Linegate did not start; logs in $run/log"
  fi
}

# The network stays, and with it a browser that is kept open; the processes and what they stored go.
change_over() {
  stop "$run" controlplane dataplane baresip kamailio
  remove_tree "$run/runtime"
  remove_tree "$run/state"
}

down() {
  local ns
  stop "$run" controlplane dataplane baresip kamailio
  if [ -n "${LINEGATE_KEEP_LOGS:-}" ] && [ -d "$run/log" ]; then
    mkdir -p "$LINEGATE_KEEP_LOGS"
    cp "$run/log/"* "$LINEGATE_KEEP_LOGS/"
  fi
  for ns in "${namespaces[@]}" "${further_namespaces[@]}"; do remove_namespace "$ns"; done
  restore_hugepages "$run"
  remove_tree "$run"
}

[ "$(id -u)" = 0 ] || fail "network namespaces need root"
command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  up | down)
    # One at a time: the lock is on this file itself, so that it leaves no trace.
    exec 9<"${BASH_SOURCE[0]}"
    flock 9
    "$command" "$@"
    ;;
  exec)
    [ $# -ge 2 ] || usage
    case $1 in web | core | sip) ;; *) usage ;; esac
    namespace_exists "$lab-$1" || fail "the lab is not up"
    ns=$lab-$1
    shift
    exec nsenter --net="/run/netns/$ns" -- "$@"
    ;;
  ctl)
    [ -r "$run/linegate.toml" ] || fail "the lab is not up"
    gateway_ctl "$run/linegate.toml" "$@"
    ;;
  *) usage ;;
esac
