#!/usr/bin/env python3
"""Instructions per packet of the stages outside the cipher, counted by callgrind: a gate that no other load on the machine
can move.

  perf/instructions.py [--build FOLDER] [--update] [--handicap N]

Compares with perf/baselines/instructions.json and fails when a scenario has moved by more than 3 %: up is a regression,
down wants a new baseline, or the next regression hides behind it. --update writes what was counted: do that together with
the change that explains it. --handicap adds N turns of an empty loop to every packet: shows that the gate shuts.

Only our own instructions count. What libc and OpenSSL execute is printed beside them and not judged, because they choose
their code by the processor (memcpy has a version for each vector length); ours is compiled for one instruction set and
does the same on every machine. Counts belong to a compiler: with another one they are printed and not judged.
Exit status: 0 good, 1 moved, 2 nothing could be judged."""
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


def by_object(text):
    """callgrind's file -> {name of program or library: instructions executed in it}.

    A line of costs belongs to the last "ob=". The one behind "calls=" is what the called function cost with all that it
    calls, and is counted where it was executed. A name is spelt out once, also by "cob=", and is a number from then on."""
    names, costs, current, of_a_call = {}, {}, "?", False
    for line in text.splitlines():
        if line.startswith(("ob=", "cob=")):
            number, _, name = line.partition("=")[2].partition(" ")
            if name:
                names[number] = pathlib.PurePath(name).name
            if line.startswith("ob="):
                current = names.get(number, number)
        elif line.startswith("calls="):
            of_a_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not of_a_call:
                costs[current] = costs.get(current, 0) + int(line.split()[1])
            of_a_call = False
    return costs


def count(program, scenario, handicap=0):
    """-> instructions per packet: ours, others'"""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=*MeasuredTurns*", str(program), scenario, str(handicap)], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{scenario}: {run.stderr.strip().splitlines()[-1]}")
        costs = by_object(out.read_text())
        packets = int(run.stdout.split()[-1])
        ours = costs.pop(program.name, 0)
        if ours == 0:
            raise RuntimeError(f"{scenario}: callgrind saw nothing of {program.name}")
        return ours / packets, sum(costs.values()) / packets


def judge(counted, baseline, same_compiler):
    """-> (lines of a table, True if none has moved)"""
    lines, good = [], True
    for name, now in counted.items():
        before = baseline.get(name)
        if before is None:
            lines.append(f"{name:<16} {now:8.1f}  no baseline")
            good = False
            continue
        change = now / before - 1
        verdict = ""
        if abs(change) > TOLERANCE:
            verdict = "  MORE THAN THE BASELINE ALLOWS" if change > 0 else "  LESS: write a new baseline (--update)"
            if not same_compiler:
                verdict = "  another compiler: not judged"
            good = good and not same_compiler
        lines.append(f"{name:<16} {now:8.1f} {before:8.1f} {change:+7.1%}{verdict}")
    return lines, good


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--handicap", type=int, default=0)
    options = parser.parse_args(arguments)
    build = pathlib.Path(options.build)
    program = build / "perf/instructions/worker_instructions"
    try:
        here = compiler(build)
        both = {scenario: count(program, scenario, options.handicap) for scenario in SCENARIOS}
    except (OSError, RuntimeError) as error:
        print(f"instructions.py: {error}", file=sys.stderr)
        return 2
    counted = {scenario: round(ours, 1) for scenario, (ours, _) in both.items()}
    if options.update:
        BASELINE.parent.mkdir(exist_ok=True)
        BASELINE.write_text(json.dumps({"compiler": here, "instructions_per_packet": counted}, indent=1) + "\n")
    if not BASELINE.exists():
        print("\n".join(f"{name:<16} {value:8.1f}" for name, value in counted.items()))
        print("instructions.py: there is no baseline yet; --update writes one", file=sys.stderr)
        return 2
    stored = json.loads(BASELINE.read_text())
    # A handicap is there to be noticed, whoever compiled.
    judged = stored["compiler"] == here or options.handicap > 0
    lines, good = judge(counted, stored["instructions_per_packet"], judged)
    print("instructions per packet, baseline, change")
    print("\n".join(lines))
    print("in libraries, not judged: " + ", ".join(f"{name} {others:.1f}" for name, (_, others) in both.items()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
