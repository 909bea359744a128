#!/usr/bin/env python3
"""Linegate over AF_XDP beside Debian's rtpengine (user space) and coturn: one generator, one veth link, a core each.

  perf/peers/run.py [--quick] [--build FOLDER] [--calls N,N] [RELAY...]

RELAY: echo, rtpengine, coturn, linegate; default: all. Every relay gets the same frames from linegate-load, which sends and
receives by AF_XDP on its end of the link. Searched is the highest rate with at most 0.1 % loss, confirmed by the median of
three trials; then the CPU time per packet is read from the relay's process at a rate that all of them pass. echo is an
AF_XDP program that only turns frames round: the ceiling of this link. What the kernel does to deliver a frame runs on the
sender's core, for every relay alike.

Prints a table with the ratios and writes build/perf/peers.json. Root, two idle cores; the packages rtpengine-daemon and
coturn (scripts/packages.sh perf)."""
import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import link  # noqa: E402
import relays  # noqa: E402
import results  # noqa: E402

ROOT = HERE.parents[1]
RELAY_CORE, LOAD_CORE = 1, 0
EQUAL_RATE = 50_000
LOSS = 0.001
CLIMB_FROM, CLIMB_STEP = 20_000, 1.2
SRTP = ("srtp_to_rtp", "rtp_to_srtp")
MAKERS = {"echo": relays.xdp_echo, "rtpengine": relays.rtpengine, "coturn": relays.coturn, "linegate": relays.linegate}


def cases(wanted, calls):
    """-> (relay, suite, calls)"""
    if "echo" in wanted:
        yield "echo", "rtp_to_rtp", calls[0]
    for count in calls:
        for suite in SRTP:
            for relay in ("rtpengine", "linegate"):
                if relay in wanted:
                    yield relay, suite, count
    for relay in ("coturn", "linegate"):
        if relay in wanted:
            yield relay, "turn_channel", calls[0]


def generator(build, relay, suite, name, *more):
    arguments = [build / "perf/load/linegate-load", "--interface", link.LOAD_DEVICE, "--suite", suite, "--core", LOAD_CORE,
                 "--name", name, "--loss", LOSS, *relay.arguments, *more]
    if suite in SRTP:
        arguments += ["--profile", relays.PROFILE]
    return link.command(link.LOAD, *arguments)


def system_calls(relay):
    """-> {name: calls for each frame that reached the relay}, of all its threads."""
    frames = link.received_by_relay()
    traced = subprocess.run(["timeout", "-s", "INT", "1", "strace", "-f", "-qq", "-c", "-U", "name,calls", "-o", "/dev/stdout",
                             "-p", str(relay.process.pid)], capture_output=True, text=True).stdout
    frames = link.received_by_relay() - frames
    rows = [line.split() for line in traced.splitlines()]
    return {row[0]: round(int(row[1]) / max(frames, 1), 3) for row in rows
            if len(row) == 2 and row[1].isdigit() and row[0] != "total"}


def at_equal_rate(build, relay, suite, name):
    """At EQUAL_RATE, for each frame that reached the relay: CPU microseconds of its process, and its system calls."""
    offered = subprocess.Popen(generator(build, relay, suite, name, "--rate", EQUAL_RATE, "--confirm-seconds", "6"),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=link.foremost)
    try:
        first, deadline = link.received_by_relay(), time.monotonic() + 30
        while link.received_by_relay() < first + EQUAL_RATE and time.monotonic() < deadline and offered.poll() is None:
            time.sleep(0.05)
        frames, cpu = link.received_by_relay(), relay.process.cpu_seconds()
        time.sleep(3)
        frames, cpu = link.received_by_relay() - frames, relay.process.cpu_seconds() - cpu
        return {"cpu_us_per_packet": round(cpu * 1e6 / frames, 3) if frames > 0 else 0.0,
                "system_calls_per_packet": system_calls(relay)}
    finally:
        offered.communicate(timeout=60)


@contextlib.contextmanager
def fresh(build, relay_name, suite, calls):
    """-> (folder, relay): the link and one relay on it, set up."""
    with tempfile.TemporaryDirectory(prefix="lgperf") as folder, link.up():
        with MAKERS[relay_name](build, folder, RELAY_CORE, calls, suite) as relay:
            yield folder, relay


def load(build, folder, relay, suite, name, *more):
    """One run of the generator. -> its result"""
    out = pathlib.Path(folder, "result.json")
    out.unlink(missing_ok=True)
    run = subprocess.run(generator(build, relay, suite, name, "--json", out, *more), capture_output=True, text=True, timeout=500,
                         preexec_fn=link.foremost)
    if not out.exists():
        raise RuntimeError(f"{name}: {run.stderr.strip()[-2000:]}")
    return json.loads(out.read_text())


def search(build, relay_name, suite, calls, quick, name):
    with fresh(build, relay_name, suite, calls) as (folder, relay):
        result = load(build, folder, relay, suite, name, "--trial-seconds", "0.5" if quick else "1",
                      "--confirm-seconds", "1" if quick else "5")
        return result | at_equal_rate(build, relay, suite, name)


def climb(build, relay_name, suite, calls, quick, name):
    """For a relay that must not be flooded: rtpengine waits for edges and reads 50 datagrams at most for each, so that a
    socket whose buffer ran full once stays silent for ever. Upwards until it loses; then three trials of a fresh one."""
    seconds = ("--confirm-seconds", "1.5" if quick else "5")
    rate, good = CLIMB_FROM, 0.0

    def loss(folder, relay, at):
        trial = load(build, folder, relay, suite, name, "--rate", at, *seconds)
        print(f"  {name}: {at / 1e6:.4f} Mpps offered, loss {trial['loss']:.5f}", file=sys.stderr, flush=True)
        return trial["loss"]

    with fresh(build, relay_name, suite, calls) as (folder, relay):
        loss(folder, relay, CLIMB_FROM / 8)  # the first packets of a call set it up
        while loss(folder, relay, rate) <= LOSS or loss(folder, relay, rate) <= LOSS:
            good, rate = rate, rate * CLIMB_STEP
    while good > CLIMB_FROM / 4:
        with fresh(build, relay_name, suite, calls) as (folder, relay):
            loss(folder, relay, CLIMB_FROM / 8)
            trials = sorted((load(build, folder, relay, suite, name, "--rate", good, *seconds) for _ in range(3)),
                            key=lambda trial: trial["loss"])
            if trials[1]["loss"] <= LOSS:
                result = dict(trials[1], mpps=good / 1e6, confirmations=[trial["loss"] for trial in trials])
                return result | at_equal_rate(build, relay, suite, name)
        good /= CLIMB_STEP
    raise RuntimeError(f"{name}: no rate passes")


def measure(build, relay_name, suite, calls, quick):
    name = f"{relay_name}/{suite}/calls:{calls}"
    return (climb if relay_name == "rtpengine" else search)(build, relay_name, suite, calls, quick, name)


def ratios(found):
    """-> lines that say what the goals of design.md ask"""
    lines = []
    for name, result in found.items():
        relay, _, rest = name.partition("/")
        ours = found.get("linegate/" + rest)
        if relay in ("rtpengine", "coturn") and ours and result["mpps"] > 0:
            cpu = result["cpu_us_per_packet"] / ours["cpu_us_per_packet"] if ours["cpu_us_per_packet"] > 0 else 0
            lines.append(f"{rest:<28} Linegate : {relay} = {ours['mpps'] / result['mpps']:.1f} in rate, "
                         f"{cpu:.1f} in CPU time per packet at {EQUAL_RATE / 1e6:g} Mpps")
    return lines


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    parser.add_argument("--calls", default="500,2000")
    parser.add_argument("relay", nargs="*")
    options = parser.parse_args(arguments)
    wanted = options.relay or list(MAKERS)
    for relay in wanted:
        if relay not in MAKERS:
            parser.error(f"no relay '{relay}'")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by the way that takes the link down
    relays.many_files()
    found, status = {}, 0
    for relay, suite, calls in cases(wanted, [int(n) for n in options.calls.split(",")]):
        try:
            result = measure(pathlib.Path(options.build).resolve(), relay, suite, calls, options.quick)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            print(f"{relay}/{suite}/calls:{calls}: {error}", file=sys.stderr)
            status = 1
            continue
        found[result["name"]] = result
        print(f"{result['name']:<36} {result['mpps']:7.3f} Mpps  loss {result['loss']:.5f}  "
              f"{result['cpu_us_per_packet']:6.2f} us CPU per packet at {EQUAL_RATE / 1e6:g} Mpps  "
              f"p99 {result['p99_us']:.0f} us  {result['bad_packets']} bad\n"
              f"    system calls per packet there: {result['system_calls_per_packet']}", flush=True)
    if not found:
        return 1
    document = {"machine": results.machine(), "results": list(found.values())}
    out = ROOT / "build/perf/peers.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(ratios(found)))
    print(f"{document['machine']['cpu']}; written to {out.relative_to(ROOT)}")
    return status or (1 if any(result["bad_packets"] for result in found.values()) else 0)


if __name__ == "__main__":
    sys.exit(main())
