"""Result files of perf/run.sh: {"machine": {...}, "results": [{"name": ..., "mpps": ..., "loss": ..., ...}]}. A name may
stand there several times: repetitions of one measurement."""
import hashlib
import json
import os
import pathlib
import platform
import statistics
import sys

# What makes absolute figures comparable. Everything else in "machine" is for the reader.
IDENTITY = ("cpu", "isa", "cores", "hypervisor", "memory_gib")
ISA = ("aes", "sha_ni", "vaes", "avx2", "avx512f", "avx512vl")


def _cpuinfo():
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields


def machine(**more):
    info = _cpuinfo()
    flags = info.get("flags", "").split()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {
        "cpu": "{} (family {} model {})".format(info.get("model name", "?"), info.get("cpu family", "?"), info.get("model", "?")),
        "isa": " ".join(flag for flag in ISA if flag in flags),
        "cores": os.cpu_count(),
        "hypervisor": "hypervisor" in flags,
        "memory_gib": round(pages / 2**30),
        "mhz": info.get("cpu MHz", "?"),
        "kernel": platform.release(),
    }
    found.update(more)
    return found


def fingerprint(of):
    return hashlib.sha256(json.dumps([of.get(key) for key in IDENTITY]).encode()).hexdigest()[:12]


def load(path):
    document = json.loads(pathlib.Path(path).read_text())
    if not isinstance(document.get("machine"), dict) or not isinstance(document.get("results"), list):
        raise ValueError(f"{path}: not a result file")
    return document


def by_name(document):
    """name -> list of mpps, in order of first appearance."""
    groups = {}
    for result in document["results"]:
        groups.setdefault(result["name"], []).append(float(result["mpps"]))
    return groups


def spread(values):
    """Half the distance between the extremes, relative to the median: what a repetition may differ by."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle > 0 else 0.0


def table(document):
    lines = ["{:<62} {:>6} {:>8} {:>6} {:>9} {:>7} {:>6} {:>7} {:>7}".format(
        "", "Mpps", "loss", "cycles", "zero loss", "flooded", "best", "p50 us", "p99 us")]
    for result in document["results"]:
        note = ""
        if result.get("generator_limited"):
            note += "  generator's limit"
        if result.get("stalls") and result.get("wall_seconds"):
            note += "  {:.1f} stalls/s, {:.0%} of the time counts".format(
                result["stalls"] / result["wall_seconds"], result["measured_seconds"] / result["wall_seconds"])
        if result.get("repeated_trials"):
            note += "  {} trial(s) repeated".format(result["repeated_trials"])
        if result.get("core_distance_cycles"):
            note += "  {} cycles from core to core and back".format(result["core_distance_cycles"])
        if result.get("bad_packets"):
            note += "  {} BAD PACKETS".format(result["bad_packets"])
        lines.append("{:<62} {:>6.3f} {:>8.6f} {:>6.0f} {:>9.3f} {:>7.3f} {:>6.3f} {:>7.1f} {:>7.1f}{}".format(
            result["name"], result["mpps"], result["loss"], result["cycles_per_packet"], result.get("zero_loss_mpps", 0),
            result.get("flood_mpps", 0), result.get("flood_best_mpps", 0), result.get("p50_us", 0), result.get("p99_us", 0),
            note))
    return "\n".join(lines)


def main(arguments):
    """results.py LINES OUT ENGINE VERSION: lines of linegate-load to one document, and its table."""
    lines, out, engine, version = arguments
    document = {
        "machine": machine(engine=engine, version=version),
        "results": [json.loads(line) for line in pathlib.Path(lines).read_text().splitlines()],
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=1) + "\n")
    print(table(document))
    print(f"{document['machine']['cpu']}, {document['machine']['isa']}; {engine}; written to {out}")


if __name__ == "__main__":
    main(sys.argv[1:])
