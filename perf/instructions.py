#!/usr/bin/env python3
"""Instructions per packet of the stages outside the cipher, counted by callgrind: a gate that no other load on the machine
can move.

  perf/instructions.py [--build FOLDER] [--update]

Compares with perf/baselines/instructions.json and fails when a scenario needs over 3 % more than there. --update writes
what was counted: do that together with the change that explains it. Counts belong to a compiler: with another one they are
printed and not judged. Exit status: 0 good, 1 over the baseline, 2 nothing could be judged."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = ROOT / "perf/baselines/instructions.json"
SCENARIOS = ("rtp_to_srtp", "srtp_to_rtp", "stun_binding")
TOLERANCE = 0.03


def compiler(build):
    cache = (build / "CMakeCache.txt").read_text()
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.MULTILINE).group(1)
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def count(program, scenario):
    """-> instructions per packet"""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=*MeasuredTurns*", str(program), scenario], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{scenario}: {run.stderr.strip().splitlines()[-1]}")
        total = int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE).group(1))
        return total / int(run.stdout.split()[-1])


def judge(counted, baseline, same_compiler):
    """-> (lines of a table, True if none is over)"""
    lines, good = [], True
    for name, now in counted.items():
        before = baseline.get(name)
        if before is None:
            lines.append(f"{name:<16} {now:8.1f}  no baseline")
            good = False
            continue
        change = now / before - 1
        verdict = ""
        if change > TOLERANCE:
            verdict = "  MORE THAN THE BASELINE ALLOWS" if same_compiler else "  another compiler: not judged"
            good = good and not same_compiler
        elif change < -TOLERANCE:
            verdict = "  less: write a new baseline"
        lines.append(f"{name:<16} {now:8.1f} {before:8.1f} {change:+7.1%}{verdict}")
    return lines, good


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args(arguments)
    build = pathlib.Path(options.build)
    program = build / "perf/instructions/worker_instructions"
    try:
        here = compiler(build)
        counted = {scenario: round(count(program, scenario), 1) for scenario in SCENARIOS}
    except (OSError, RuntimeError) as error:
        print(f"instructions.py: {error}", file=sys.stderr)
        return 2
    if options.update:
        BASELINE.parent.mkdir(exist_ok=True)
        BASELINE.write_text(json.dumps({"compiler": here, "instructions_per_packet": counted}, indent=1) + "\n")
    if not BASELINE.exists():
        print("\n".join(f"{name:<16} {value:8.1f}" for name, value in counted.items()))
        print("instructions.py: there is no baseline yet; --update writes one", file=sys.stderr)
        return 2
    stored = json.loads(BASELINE.read_text())
    lines, good = judge(counted, stored["instructions_per_packet"], stored["compiler"] == here)
    print("instructions per packet, baseline, change")
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
