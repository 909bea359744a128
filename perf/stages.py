#!/usr/bin/env python3
"""Where the dataplane's cycles go, by stage: samples the core of a running worker with Linux' perf.

  perf/stages.py CORE CYCLES_PER_PACKET OUT.json [SECONDS]
  perf/stages.py --scale IN.json CYCLES_PER_PACKET OUT.json     the same for a figure that was known only afterwards

Called by perf/run.sh --stages while the worker is flooded. Functions are sorted into stages by name; what the compiler
inlined counts with its caller."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

STAGES = (
    ("cipher and HMAC", r"libIPSec_MB|libsrtp2|libnss|libfreebl|CounterMode|GcmCipher|IpsecMb|sha1|aes_|ghash"),
    ("port I/O", r"memif|mbuf|mempool|DpdkPort|MemifGuard|rte_|TxQueues|common_ring"),
    ("parse and classify", r"Classify|ParseFrame|UdpChecksum|Checksum|LocalPorts|IpAddress|ClassifyPayload"),
    ("flow lookup", r"FlowTable|HashIndex|Prefetch"),
    ("SRTP numbering and replay", r"SrtpUnprotect|SrtpProtect|Replay|TransmitIndex|PacketIndex"),
    ("media nodes", r"RtpReceive|MediaForward|RtpHeader|Rtcp|StreamStats|Reflect|Stun|TurnListener|Relay|ice_paths|OnAuthenticatedMedia"),
    ("write headers and send", r"Transmit|FrameHeader|WriteFrame"),
    ("worker loop", r"clock_gettime|MediaClock|Worker|Turn|RunOnce|SettleBatch|Publish"),
)
# perf knows a real-time worker by its process only.
WORKER = "lg-worker-0,linegate-datapl"
LINE = re.compile(r"^\s*([0-9.]+)%\s+(\S+)\s+(\S+)\s+\[.\]\s+(.*?)(?:\s+-)*\s*$")


def stage_of(library, symbol):
    for name, pattern in STAGES:
        if re.search(pattern, library) or re.search(pattern, symbol):
            return name
    return "everything else"


def sort_report(text):
    """perf report's lines -> {stage: percent}, [(percent, library, symbol)]"""
    stages, lines = {}, []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        percent, _, library, symbol = match.groups()
        stage = stage_of(library, symbol)
        stages[stage] = stages.get(stage, 0.0) + float(percent)
        lines.append((float(percent), library, symbol))
    return stages, lines


def scaled(document, cycles):
    factor = cycles / (document["cycles_per_packet"] or 1.0)
    return dict(document, cycles_per_packet=cycles,
                stages={name: round(value * factor, 1) for name, value in document["stages"].items()})


def show(result):
    for name, value in result["stages"].items():
        print(f"{name:<28} {value:7.0f} cycles")
    for function in result["functions"][:20]:
        print(f"  {function['share']:6.1%} {function['library']:<24} {function['function'][:90]}")


def main(arguments):
    if arguments[0] == "--scale":
        result = scaled(json.loads(pathlib.Path(arguments[1]).read_text()), float(arguments[2]))
        pathlib.Path(arguments[3]).write_text(json.dumps(result, indent=1) + "\n")
        show(result)
        return
    core, cycles, out = arguments[0], float(arguments[1]), pathlib.Path(arguments[2])
    seconds = arguments[3] if len(arguments) > 3 else "2"
    with tempfile.TemporaryDirectory() as folder:
        data = folder + "/perf.data"
        subprocess.run(["perf", "record", "-q", "-F", "4000", "-o", data, "-a", "-C", core, "--", "sleep", seconds],
                       check=True, capture_output=True)
        text = subprocess.run(["perf", "report", "-i", data, "--no-children", "-s", "comm,dso,symbol", "--stdio", "--comm", WORKER],
                              check=True, capture_output=True, text=True).stdout
    stages, lines = sort_report(text)
    total = sum(stages.values()) or 1.0
    result = {"cycles_per_packet": cycles,
              "stages": {name: round(share / total * cycles, 6) for name, share in sorted(stages.items(), key=lambda s: -s[1])},
              "functions": [{"share": round(share / total, 4), "library": library, "function": symbol} for share, library, symbol in lines[:40]]}
    out.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


if __name__ == "__main__":
    main(sys.argv[1:])
