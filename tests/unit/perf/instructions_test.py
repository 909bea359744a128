"""The judgement of perf/instructions.py: an injected extra is found, noise there is none, another compiler is no offence."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "perf"))
import instructions  # noqa: E402

BASELINE = {"rtp_to_srtp": 1000.0, "srtp_to_rtp": 1200.0}


class Judge(unittest.TestCase):
    def test_equal_counts_pass(self):
        self.assertTrue(instructions.judge(BASELINE, BASELINE, True)[1])

    def test_injected_instructions_fail(self):
        lines, good = instructions.judge(dict(BASELINE, srtp_to_rtp=1260.0), BASELINE, True)
        self.assertFalse(good)
        self.assertIn("MORE", lines[1])
        self.assertNotIn("MORE", lines[0])

    def test_within_the_tolerance(self):
        self.assertTrue(instructions.judge(dict(BASELINE, srtp_to_rtp=1230.0), BASELINE, True)[1])

    def test_fewer_ask_for_a_new_baseline(self):
        lines, good = instructions.judge(dict(BASELINE, rtp_to_srtp=900.0), BASELINE, True)
        self.assertFalse(good)
        self.assertIn("new baseline", lines[0])

    def test_another_compiler_is_not_judged(self):
        self.assertTrue(instructions.judge(dict(BASELINE, rtp_to_srtp=2000.0), BASELINE, False)[1])

    def test_scenario_without_baseline_fails(self):
        self.assertFalse(instructions.judge({"new": 1.0}, BASELINE, True)[1])


CALLGRIND = """events: Ir
ob=(7) /lib/ld.so
fn=(9) start
cob=(1) /build/worker_instructions
cfn=(1) MeasuredTurns
calls=1 0
0 600

ob=(1)
fl=(1) worker.cc
fn=(1)
10 7
calls=1 20
12 1000
fn=(2) Classify
+3 40
cob=(2) /lib/libc.so.6
cfn=(3) memcpy
calls=5 0
* 500
-1 3
ob=(2) /lib/libc.so.6
fn=(3)
0 500
ob=(1)
fn=(4) Transmit
30 50
totals: 600
"""


class ByObject(unittest.TestCase):
    def test_costs_count_where_they_were_executed(self):
        self.assertEqual(instructions.by_object(CALLGRIND), {"worker_instructions": 100, "libc.so.6": 500})


if __name__ == "__main__":
    unittest.main()
