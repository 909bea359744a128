#!/usr/bin/env python3
"""Which results of two runs differ by more than noise.

  perf/compare.py [--noise FRACTION] BASE.json NEW.json

Takes files of perf/run.sh; `--repeat` there makes the noise known. A result has moved when its median differs by more
than three times the larger spread of its repetitions, and by more than --noise (default 0.05) in any case. Files of
different machines are not compared in Mpps: each result is first divided by the geometric mean of all results that both
files have, and --noise is doubled; a change that hits everything alike is then invisible.

Exit status: 0 nothing became slower, 1 something did, 2 the files cannot be compared."""
import argparse
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import results  # noqa: E402

SPREADS = 3


def normalised(groups, names):
    mean = math.exp(statistics.fmean(math.log(statistics.median(groups[name])) for name in names))
    return {name: [value / mean for value in groups[name]] for name in names}


def compare(base, new, noise=0.05):
    """-> (list of (name, old median, new median, threshold, verdict), unit)"""
    old, fresh = results.by_name(base), results.by_name(new)
    names = [name for name in old if name in fresh and min(old[name]) > 0 and min(fresh[name]) > 0]
    unit = "Mpps"
    if results.fingerprint(base["machine"]) != results.fingerprint(new["machine"]):
        if len(names) < 3:
            raise ValueError("different machines, and fewer than three results in common: nothing can be said")
        old, fresh, unit, noise = normalised(old, names), normalised(fresh, names), "of the mean", 2 * noise
    rows = []
    for name in names:
        before, after = statistics.median(old[name]), statistics.median(fresh[name])
        threshold = max(noise, SPREADS * max(results.spread(old[name]), results.spread(fresh[name])))
        change = after / before - 1
        verdict = "slower" if change < -threshold else "faster" if change > threshold else ""
        rows.append((name, before, after, threshold, verdict))
    # A result that was there and now passes nothing is the worst regression of all.
    for name in results.by_name(base):
        now = results.by_name(new).get(name)
        if name not in names and now is not None and max(results.by_name(base)[name]) > 0:
            rows.append((name, statistics.median(results.by_name(base)[name]), statistics.median(now), noise, "slower"))
    return rows, unit


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("base")
    parser.add_argument("new")
    options = parser.parse_args(arguments)
    try:
        base, new = results.load(options.base), results.load(options.new)
        rows, unit = compare(base, new, options.noise)
    except (OSError, ValueError, KeyError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    if not rows:
        print("compare.py: no result stands in both files", file=sys.stderr)
        return 2
    if unit != "Mpps":
        print("different machines: results are compared relative to the mean of their own file")
    print("{:<66} {:>9} {:>9} {:>8}  {}".format("", "base", "new", "change", "(" + unit + ")"))
    for name, before, after, threshold, verdict in rows:
        print("{:<66} {:>9.3f} {:>9.3f} {:>+7.1%}  {}".format(
            name, before, after, after / before - 1, verdict and f"{verdict} (noise is {threshold:.1%})"))
    return 1 if any(row[4] == "slower" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
