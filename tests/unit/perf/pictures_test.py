"""perf/pictures.py draws well-formed SVG from any results."""
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "perf"))
import pictures  # noqa: E402

RESULTS = {"results": [
    {"name": f"srtp_to_rtp/aead_aes_128_gcm/calls:{calls}/workers:1", "mpps": mpps,
     "curve": [{"mpps": mpps * share, "p99_us": 10 / (1.05 - share)} for share in (0.2, 0.5, 0.8, 0.95)]}
    for calls, mpps in ((1, 3.1), (1000, 2.9), (4096, 2.5))]}


class Pictures(unittest.TestCase):
    def shapes(self, text, shape):
        return xml.etree.ElementTree.fromstring(text).findall(f".//{{http://www.w3.org/2000/svg}}{shape}")

    def test_throughput_has_a_point_for_each_result(self):
        self.assertEqual(len(self.shapes(pictures.throughput(RESULTS), "circle")), 3)

    def test_latency_is_that_of_4096_calls(self):
        self.assertEqual(len(self.shapes(pictures.latency(RESULTS), "circle")), 4)

    def test_stages_have_a_bar_each_and_a_legend(self):
        text = pictures.stages({"a <b>": {"stages": {"cipher": 300, "port I/O": 100}}})
        self.assertEqual(len(self.shapes(text, "rect")), 1 + 2 + 2)

    def test_nothing_measured_is_an_empty_picture(self):
        for draw in (pictures.throughput, pictures.latency):
            self.assertEqual(self.shapes(draw({"results": []}), "circle"), [])

    def test_axis_ends_at_a_round_number(self):
        self.assertEqual([pictures.nice_top(v) for v in (0, 0.3, 1, 2.2, 3.2, 7, 11)], [1.0, 0.3, 1, 3, 5, 10, 20])


if __name__ == "__main__":
    unittest.main()
