"""perf/stages.py sorts functions into stages."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "perf"))
import stages  # noqa: E402

REPORT = """
# Overhead  Command      Shared Object        Symbol
    40.00%  lg-worker-0  libIPSec_MB.so.1.3.0 [.] sha1_mult_avx2
    20.00%  lg-worker-0  linegate-dataplane   [.] eth_memif_rx
    10.00%  lg-worker-0  linegate-dataplane   [.] linegate::nodes::Classify(linegate::nodes::PacketBatch&)
     5.00%  lg-worker-0  [kernel.kallsyms]    [k] something
"""


class Stages(unittest.TestCase):
    def test_sorts_by_library_and_by_name(self):
        found, lines = stages.sort_report(REPORT)
        self.assertEqual(found, {"cipher and HMAC": 40.0, "port I/O": 20.0, "parse and classify": 10.0,
                                 "everything else": 5.0})
        self.assertEqual(len(lines), 4)

    def test_unknown_function_is_not_lost(self):
        self.assertEqual(stages.stage_of("libc.so.6", "__memmove_avx_unaligned_erms"), "everything else")


if __name__ == "__main__":
    unittest.main()
