#!/bin/bash
# Measures the dataplane binary end to end: linegate-dataplane on one core, linegate-load on another, memif between them.
#
#   perf/run.sh [--quick] [--repeat N] [--build FOLDER] [--engine NAME] [--ring N] [--near C] [--handicap CYCLES] [--stages] [SUITE...]
#
#   SUITE        the beginning of a result's name, for example srtp_to_rtp or rtp_to_srtp/aead_aes_128_gcm; default: all
#   --quick      short trials, and the main suites only unless some are named: at most three minutes
#   --budget S   begins no further suite after S seconds, and says which were left out (--quick alone: 150)
#   --repeat N   everything N times, so that compare.py knows the noise
#   --engine     the SRTP engine of the dataplane: ipsec-mb (default) or libsrtp2
#   --ring N     size of the memif rings, 2 to the power of N (11)
#   --near C     before each suite, waits (a minute at most) until a word goes from core to core and back in C cycles
#   --handicap   makes each turn of the worker that many cycles longer (32 packets take 15,000): shows that compare.py notices
#   --verbose    a line for each trial
#   --proof      no search: offers a steady load and counts what the worker asks of allocator, locks and kernel meanwhile
#   --memory     no search: what a call costs the dataplane's process in memory, by programming more of them
#   --floor      no search: what memif alone costs between two cores, with nothing done to the packets
#   --stages     no search: floods the dataplane and samples where its cycles go (perf/stages.py, Linux' perf)
#
# Prints a table and writes build/perf/latest.json. Needs root (huge pages) and two cores that do nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

quick=no repeat=1 build=build/release engine=ipsec-mb handicap=0 mode=search near=0 verbose=() ring=() budget=0
wanted=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --budget) budget=$2 && shift ;;
    --repeat) repeat=$2 && shift ;;
    --build) build=$2 && shift ;;
    --engine) engine=$2 && shift ;;
    --ring) ring=(--log2-ring-slots "$2") && shift ;;
    --near) near=$2 && shift ;;
    --handicap) handicap=$2 && shift ;;
    --stages) mode=stages ;;
    --proof) mode=proof ;;
    --memory) mode=memory ;;
    --floor) mode=floor ;;
    --verbose) verbose=(--verbose) ;;
    -*)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
      exit 2
      ;;
    *) wanted+=("$1") ;;
  esac
  shift
done
dataplane=$build/dataplane/app/linegate-dataplane
load=$build/perf/load/linegate-load
distance=$build/perf/load/linegate-core-distance
for program in "$dataplane" "$load" "$distance"; do
  [ -x "$program" ] || { printf 'run.sh: %s is not built\n' "$program" >&2 && exit 2; }
done
cores=$(nproc)
[ "$cores" -ge 2 ] || { printf 'run.sh: two cores are needed\n' >&2 && exit 2; }
[ "$(id -u)" = 0 ] || { printf 'run.sh: root is needed\n' >&2 && exit 2; }

if [ "$mode" = floor ]; then
  # Binding request, RTP and SRTP of G.711, SRTP of video
  for bytes in 62 214 224 1264; do "$build/perf/load/linegate-memif-floor" "$bytes" "${ring[@]:1}"; done 2> >(grep -vE 'EAL|rte_pmd_memif' >&2)
  exit
fi

# suite profile calls payload_bytes [mixed]
cm=aes_cm_128_hmac_sha1_80 gcm=aead_aes_128_gcm
cases=("srtp_to_rtp $cm 4096 160" "rtp_to_srtp $cm 4096 160" "srtp_to_rtp $gcm 4096 160" "rtp_to_srtp $gcm 4096 160"
  "rtp_to_rtp - 4096 160" "stun_binding - 4096 160" "turn_channel - 4096 160" "turn_peer - 4096 160")
if [ "$quick" = no ] || [ ${#wanted[@]} -gt 0 ]; then
  for calls in 1 1000 100000; do
    cases+=("srtp_to_rtp $cm $calls 160" "rtp_to_srtp $cm $calls 160" "srtp_to_rtp $gcm $calls 160" "rtp_to_srtp $gcm $calls 160")
  done
  for profile in $cm $gcm; do
    for suite in srtp_to_rtp rtp_to_srtp; do
      cases+=("$suite $profile 4096 1200" "$suite $profile 4096 80")
    done
    cases+=("srtp_to_rtp $profile 4096 160 mixed" "srtp_to_srtp $profile 4096 160")
  done
  cases+=("srtp_to_rtp aead_aes_256_gcm 4096 160" "rtp_to_srtp aead_aes_256_gcm 4096 160")
fi

name_of() {
  local name=$1
  [ "$2" = - ] || name+=/$2
  name+=/calls:$3
  [ "$4" = 160 ] || name+=/payload:$4
  [ "${5:-}" = "" ] || name+=/$5
  printf '%s/workers:1' "$name"
}
is_wanted() {
  [ ${#wanted[@]} -gt 0 ] || return 0
  local prefix
  for prefix in "${wanted[@]}"; do
    [[ $1 != "$prefix"* ]] || return 0
  done
  return 1
}

mkdir -p build/perf
folder=$(mktemp -d)
mkdir "$folder/run"
# Slots on huge pages, as docs/configuration.md advises. Without (no room, old kernel) they are on ordinary ones.
mount -t tmpfs -o huge=advise,mode=755 linegate-perf "$folder/run" || true
rt_limit=$(cat /proc/sys/kernel/sched_rt_runtime_us)
pids=()
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  umount "$folder/run" 2>/dev/null || true
  rm -rf "$folder"
  printf '%s' "$rt_limit" >/proc/sys/kernel/sched_rt_runtime_us
}
# Else a polling real-time thread is stopped for 50 ms of every second.
printf '%s' -1 >/proc/sys/kernel/sched_rt_runtime_us || true
trap cleanup EXIT
trap 'exit 130' INT TERM

# foremost COMMAND...: runs it before everything else on this machine. Where the kernel groups processes by session, a nice
# value counts within the session only, so both get a session and a nice value of the group. Becomes the command.
foremost() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  exec setsid -w bash -c '{ echo -20 >/proc/self/autogroup; } 2>/dev/null; exec nice -n -20 "$@"' foremost "$@"
}

# first_of_all PID: the workers of that process before every ordinary thread. perf/load/trial.h says why the generator does
# so only while it sends.
first_of_all() {
  local task
  for task in "/proc/$1/task/"*; do
    if [[ $(cat "$task/comm") == lg-worker-* ]]; then chrt -f -p 1 "${task##*/}" 2>/dev/null || true; fi
  done
}

# measure_distance: into `cycles_apart`, with nothing of ours running.
measure_distance() {
  local tries
  for ((tries = 0; tries < 60; ++tries)); do
    cycles_apart=$("$distance" 0 "$((cores - 1))")
    if [ "$near" = 0 ] || [ "$cycles_apart" -le "$near" ]; then return; fi
    sleep 1
  done
}

# start FLOWS: a fresh dataplane with that many slots.
start() {
  local realm
  {
    printf '[dataplane]\nidle = "poll"\ncores = [%d]\nflows_per_worker = %d\nrelays_per_worker = 8192\nruntime_directory = "%s/run"\n' \
      "$((cores - 1))" "$1" "$folder"
    printf '[srtp]\nengine = "%s"\n[stun]\nrequests_per_second_per_source = 0\n' "$engine"
    printf '[[realm]]\nname = "public"\ninterface = "memif:%s/public.sock"\naddresses = ["10.90.1.1"]\nwebrtc_port = 20000\nstun_ports = [3478]\n' "$folder"
    printf 'turn_ports = [3479]\nrelay_ports = [32768, 65535]\n'
    for realm in 1 2 3 4; do
      printf '[[realm]]\nname = "private%d"\ninterface = "memif:%s/private.sock"\naddresses = ["10.90.2.%d"]\nrtp_ports = [1024, 65535]\n' \
        "$realm" "$folder" "$realm"
    done
  } >"$folder/linegate.toml"
  foremost env "${before_dataplane[@]}" "$dataplane" --config "$folder/linegate.toml" 2>"$folder/dataplane.log" &
  device=$!
  pids+=("$device")
  local tries
  for ((tries = 0; tries < 300; ++tries)); do
    if grep -qs 'ready:' "$folder/dataplane.log"; then
      first_of_all "$device"
      return 0
    fi
    kill -0 "$device" 2>/dev/null || break
    sleep 0.1
  done
  cat "$folder/dataplane.log" >&2
  return 1
}
stop() {
  kill "$device" 2>/dev/null || true
  wait "$device" || { cat "$folder/dataplane.log" >&2 && return 1; }
}

# sample_stages NAME ARGUMENTS...: cycles by stage of a flooded worker, into build/perf/stages-NAME.json.
sample_stages() {
  local name=$1 cycles load_pid
  shift
  (foremost "$load" "$@" --no-realtime --rate 1000000000 --confirm-seconds 6) >"$folder/flood" 2>&1 &
  load_pid=$!
  sleep 3
  (foremost python3 -B perf/stages.py "$((cores - 1))" 1 "$folder/stages.json" 2) >/dev/null
  wait "$load_pid" || return 1
  cycles=$(sed -n 's/.*, \([0-9]*\) cycles per packet.*/\1/p' "$folder/flood")
  printf '%s, flooded\n' "$name"
  python3 -B perf/stages.py --scale "$folder/stages.json" "$cycles" "build/perf/stages-${name//[\/:]/-}.json"
}

# kernel_asked SECONDS: system calls of the worker in that time, "name count" lines.
kernel_asked() {
  local task
  for task in "/proc/$device/task/"*; do
    [[ $(cat "$task/comm") == lg-worker-0 ]] || continue
    timeout -s INT "$1" strace -qq -c -U name,calls -p "${task##*/}" -o "$folder/strace" || true
    awk '$2 ~ /^[0-9]+$/ && $1 != "total"' "$folder/strace"
  done
}

# prove NAME ARGUMENTS...: a steady load, and what the worker asked of others meanwhile. Fails when it is anything.
prove() {
  local name=$1 load_pid before after calls
  shift
  (foremost "$load" "$@" --no-realtime --rate 200000 --confirm-seconds 8) >"$folder/proof" 2>&1 &
  load_pid=$!
  sleep 5
  before=$(od -An -t u8 "$folder/count")
  calls=$(kernel_asked 2)
  after=$(od -An -t u8 "$folder/count")
  wait "$load_pid" || { cat "$folder/proof" >&2 && return 1; }
  read -r -a before <<<"$before"
  read -r -a after <<<"$after"
  printf '%s: at 0.2 Mpps in 2 s %d allocations and releases, %d locks (from its start: %d, %d); system calls: %s\n' "$name" \
    $((after[0] - before[0])) $((after[1] - before[1])) "${before[0]}" "${before[1]}" "${calls:-none}"
  # At its start a worker allocates; nothing counted means that nothing was seen.
  [ "${before[*]}" = "${after[*]}" ] && [ -z "$calls" ] && [ "${before[0]}" -gt 0 ]
}

# resident_kib: of the dataplane, hugepages and shared memory with it.
resident_kib() {
  awk '/^(Rss|Private_Hugetlb|Shared_Hugetlb):/ { sum += $2 } END { print sum }' "/proc/$device/smaps_rollup"
}

# weigh NAME CALLS ARGUMENTS...: the process with CALLS calls against one with eight times as many, each with slots for
# exactly these.
weigh() {
  local name=$1 calls=$2 round kib=()
  shift 2
  for round in 1 8; do
    start $((2 * calls * round))
    (foremost "$load" "$@" --calls $((calls * round)) --rate 100000 --confirm-seconds 3) >"$folder/weigh" 2>&1 ||
      { cat "$folder/weigh" >&2 && return 1; }
    kib+=("$(resident_kib)")
    stop
  done
  printf '%s: %d KiB with %d calls, %d KiB with %d: %d bytes a call\n' "$name" "${kib[0]}" "$calls" "${kib[1]}" \
    $((8 * calls)) $(((kib[1] - kib[0]) * 1024 / (7 * calls)))
}

flows_for() {
  local flows=64
  while [ "$flows" -lt $((2 * $1)) ]; do flows=$((2 * flows)); done
  [ "$flows" -ge 8192 ] || flows=8192
  printf '%d' "$flows"
}

times=(--trial-seconds 1 --confirm-seconds 5)
[ "$quick" = no ] || times=(--trial-seconds 0.3 --confirm-seconds 1)
status=0
before_dataplane=()
if [ "$quick" = yes ] && [ ${#wanted[@]} = 0 ] && [ "$budget" = 0 ]; then budget=150; fi
left_out=()
if [ "$handicap" -gt 0 ]; then
  before_dataplane=("LD_PRELOAD=$build/perf/proof/liblinegate-slow.so" "LINEGATE_SLOW_CYCLES=$handicap")
fi
if [ "$mode" = proof ]; then
  before_dataplane=("LD_PRELOAD=$build/perf/proof/liblinegate-count.so" "LINEGATE_COUNT_FILE=$folder/count")
fi
for ((round = 0; round < repeat; ++round)); do
  for case in "${cases[@]}"; do
    read -r suite profile calls payload mixed <<<"$case"
    is_wanted "$(name_of "$suite" "$profile" "$calls" "$payload" "$mixed")" || continue
    name=$(name_of "$suite" "$profile" "$calls" "$payload" "$mixed")
    if [ "$budget" -gt 0 ] && [ $SECONDS -gt "$budget" ]; then
      left_out+=("$name")
      continue
    fi
    arguments=(--config "$folder/linegate.toml" --suite "$suite" --payload-bytes "$payload" --core 0 "${verbose[@]}" "${ring[@]}")
    [ "$profile" = - ] || arguments+=(--profile "$profile")
    [ -z "$mixed" ] || arguments+=(--mixed)
    if [ "$mode" = memory ]; then
      weigh "$name" "$calls" "${arguments[@]}" || status=1
      continue
    fi
    arguments+=(--calls "$calls")
    [ "$engine" = ipsec-mb ] || arguments+=(--slow-engine)
    measure_distance
    start "$(flows_for "$calls")"
    if [ "$mode" != search ]; then
      if [ "$mode" = stages ]; then
        sample_stages "$name" "${arguments[@]}" || status=1
      else
        prove "$name" "${arguments[@]}" || status=1
      fi
      stop
      continue
    fi
    arguments+=(--json "$folder/results" --core-distance "$cycles_apart" "${times[@]}")
    (foremost "$load" "${arguments[@]}") >&2 || status=1
    live=$(sed -n 's/.*SRTP by \(.*\), [0-9]* flow.*/\1/p' "$folder/dataplane.log")
    stop
  done
done
[ "$mode" = search ] || exit "$status"
[ -s "$folder/results" ] || { printf 'run.sh: no suite begins like that\n' >&2 && exit 2; }
python3 -B perf/results.py "$folder/results" build/perf/latest.json "${live:-unknown}" \
  "$(git describe --always --dirty 2>/dev/null || printf unknown)"
if [ ${#left_out[@]} -gt 0 ]; then
  printf 'left out, the time was up:\n'
  printf '  %s\n' "${left_out[@]}"
fi
exit "$status"
