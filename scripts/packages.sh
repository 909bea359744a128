#!/bin/bash
# The one list of the Debian packages that Linegate needs, and their installer.
#
#   scripts/packages.sh [--list] build|run|lab|test|perf...
#
#   build   compilers and libraries
#   run     what scripts/run.sh needs besides
#   lab     the browsers and the SIP side (scripts/lab.sh, scripts/run.sh --lab)
#   test    what only scripts/test.sh and scripts/check.sh need
#   perf    what only perf/ needs: the gateways that perf/peers compares with
#
# Asks dpkg first: with everything there it takes a fraction of a second and touches no network.
# Node.js and npm are taken from the PATH, or from Debian when there are none.
set -euo pipefail

build=(
  g++ clang llvm cmake ninja-build pkg-config ccache python3
  dpdk libdpdk-dev libbpf-dev libxdp-dev libpcap-dev libmnl-dev
  libipsec-mb-dev libsrtp2-dev libssl-dev libboost1.81-dev libsofia-sip-ua-dev
  libtomlplusplus-dev libspdlog-dev libcli11-dev libsqlite3-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev)
run=(iproute2 ethtool procps openssl util-linux)
lab=(chromium firefox-esr kamailio kamailio-extra-modules kamailio-utils-modules baresip-core nftables tcpdump tshark coturn)
perf=(linux-perf valgrind strace rtpengine-daemon coturn)
test=(sip-tester bpftool psmisc shellcheck clang-format valgrind linux-perf)

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
  exit 2
}

list=no
wanted=()
node=no
for argument in "$@"; do
  case $argument in
    --list) list=yes ;;
    build) wanted+=("${build[@]}") node=yes ;; # the page is bundled by npm packages
    run) wanted+=("${run[@]}") ;;
    lab) wanted+=("${lab[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    perf) wanted+=("${perf[@]}") ;;
    *) usage ;;
  esac
done
[ ${#wanted[@]} -gt 0 ] || usage
if [ "$node" = yes ]; then
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
fi
if [ "$list" = yes ]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  printf 'packages.sh: not root; install these first:\n  apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
  exit 1
fi
printf 'installing: %s\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# No service may start by being installed: Kamailio and coturn would take ports that the lab or Linegate wants.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
