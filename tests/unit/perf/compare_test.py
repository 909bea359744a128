"""perf/compare.py on made-up runs: noise is no change, an injected slowdown is one, machines are told apart."""
import contextlib
import io
import json
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "perf"))
import compare  # noqa: E402
import results  # noqa: E402

NAMES = {f"{suite}/{profile}/calls:4096/workers:1": mpps for suite, profile, mpps in (
    ("srtp_to_rtp", "aes_cm_128_hmac_sha1_80", 5.2), ("rtp_to_srtp", "aes_cm_128_hmac_sha1_80", 5.0),
    ("srtp_to_rtp", "aead_aes_128_gcm", 7.1), ("rtp_to_srtp", "aead_aes_128_gcm", 7.0))}
HERE = {"cpu": "one", "isa": "aes vaes", "cores": 2, "hypervisor": True, "memory_gib": 24}
THERE = dict(HERE, cpu="another", cores=32)


def run(machine=HERE, speed=1.0, noise=0.0, repeat=3, seed=1, factors=None):
    chance = random.Random(seed)
    entries = []
    for _ in range(repeat):
        for name, mpps in NAMES.items():
            factor = speed * (factors or {}).get(name, 1.0) * (1 + chance.uniform(-noise, noise))
            entries.append({"name": name, "mpps": mpps * factor, "loss": 0, "cycles_per_packet": 500})
    return {"machine": machine, "results": entries}


def verdicts(base, new, **options):
    return {row[0]: row[4] for row in compare.compare(base, new, **options)[0]}


class Compare(unittest.TestCase):
    def test_noise_is_no_change(self):
        for seed in range(50):
            self.assertEqual(set(verdicts(run(noise=0.03, seed=seed), run(noise=0.03, seed=seed + 100)).values()), {""})

    def test_injected_slowdown_is_found_and_named(self):
        slow = next(iter(NAMES))
        found = verdicts(run(noise=0.01), run(noise=0.01, seed=2, factors={slow: 0.85}))
        self.assertEqual(found.pop(slow), "slower")
        self.assertEqual(set(found.values()), {""})

    def test_gain_is_told_and_is_no_failure(self):
        self.assertEqual(set(verdicts(run(), run(speed=1.2)).values()), {"faster"})

    def test_wide_repetitions_hide_a_small_change(self):
        self.assertEqual(set(verdicts(run(noise=0.1, repeat=7), run(noise=0.1, repeat=7, seed=5, speed=0.93)).values()), {""})

    def test_result_that_passes_nothing_any_more(self):
        dead = next(iter(NAMES))
        self.assertEqual(verdicts(run(), run(factors={dead: 0.0}))[dead], "slower")

    def test_other_machine_is_compared_by_ratios(self):
        slow = next(iter(NAMES))
        rows, unit = compare.compare(run(), run(machine=THERE, speed=3.0))
        self.assertEqual(unit, "of the mean")
        self.assertEqual({row[4] for row in rows}, {""})
        self.assertEqual(verdicts(run(), run(machine=THERE, speed=3.0, factors={slow: 0.6}))[slow], "slower")

    def test_other_machine_with_too_little_in_common(self):
        new = run(machine=THERE)
        new["results"] = new["results"][:2]
        with self.assertRaises(ValueError):
            compare.compare(run(), new)

    def test_what_is_only_for_the_reader_changes_no_machine(self):
        self.assertEqual(results.fingerprint(HERE), results.fingerprint(dict(HERE, kernel="6.1", mhz="2445")))
        self.assertNotEqual(results.fingerprint(HERE), results.fingerprint(THERE))


class CommandLine(unittest.TestCase):
    def status(self, base, new):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()):
            paths = []
            for name, document in (("base", base), ("new", new)):
                path = pathlib.Path(folder) / name
                path.write_text(document if isinstance(document, str) else json.dumps(document))
                paths.append(str(path))
            return compare.main(paths)

    def test_exit_status(self):
        self.assertEqual(self.status(run(), run()), 0)
        self.assertEqual(self.status(run(), run(speed=0.8)), 1)
        self.assertEqual(self.status(run(), "no JSON"), 2)
        self.assertEqual(self.status(run(), {"machine": HERE, "results": []}), 2)
        self.assertEqual(self.status(run(), {"results": []}), 2)


if __name__ == "__main__":
    unittest.main()
