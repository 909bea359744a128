"""AF_XDP on a veth pair: what reaches the worker, what stays with the kernel, and what survives a crash.

usage: xdp_test.py XDP_ECHO FOREIGN_OBJECT [unittest arguments]; as root."""
import os
import pathlib
import socket
import struct
import sys
import threading
import time
import unittest

import netlab
from netlab import CORE, CORE_IF, CORE_V4, CORE_V6, PEER, PEER_IF, PEER_V4, RUNTIME, sh, udp

BINARY = FOREIGN = None
V4, V6 = (socket.AF_INET, CORE_V4), (socket.AF_INET6, CORE_V6)


class Stream(threading.Thread):
    """Sends one numbered datagram every `interval_s` and collects the echoes."""

    def __init__(self, family, address, port, interval_s=0.002):
        super().__init__()
        self.socket = udp(PEER, family)
        self.socket.settimeout(0)
        self.target = (address, port)
        self.interval_s = interval_s
        self.sent_at, self.echoed = {}, set()
        self.errors = 0
        self.running = True

    def run(self):
        number, due = 0, time.monotonic()
        while self.running:
            self.sent_at[number] = time.monotonic()
            self.socket.sendto(struct.pack("!I", number) + bytes(160), self.target)
            number += 1
            due += self.interval_s
            while True:
                self.collect()
                if time.monotonic() >= due:
                    break
                time.sleep(0.0002)

    def collect(self):
        try:
            while True:
                self.echoed.add(struct.unpack_from("!I", self.socket.recv(2048))[0])
        except BlockingIOError:
            pass
        except OSError:
            self.errors += 1

    def finish(self):
        self.running = False
        self.join()
        time.sleep(0.2)
        self.collect()
        self.socket.close()


class XdpTest(unittest.TestCase):
    def setUp(self):
        netlab.up()
        self.sniffer = netlab.Sniffer(PEER, PEER_IF)
        self.dataplanes = []

    def tearDown(self):
        self.sniffer.close()
        for dataplane in self.dataplanes:
            if dataplane.process.poll() is None:
                dataplane.kill()
            dataplane._close_pipes()
        netlab.down()

    def start(self, **options):
        dataplane = netlab.Dataplane(BINARY, **options)
        self.dataplanes.append(dataplane)
        if not dataplane.ready:
            self.fail(dataplane.stop()[2])
        return dataplane

    def refused(self, **options):
        dataplane = netlab.Dataplane(BINARY, **options)
        self.dataplanes.append(dataplane)
        self.assertFalse(dataplane.ready)
        status, _, error = dataplane.stop()
        self.assertEqual(status, 1)
        return error

    def echo(self, family, address, port, payload=b"ping", prepare=lambda s: None):
        s = udp(PEER, family)
        prepare(s)
        try:
            s.sendto(payload, (address, port))
            return s.recv(4096) == payload
        except socket.timeout:
            return False
        finally:
            s.close()

    def assert_nothing_left(self):
        self.assertNotIn("xdp", sh(f"ip -n {CORE} link show {CORE_IF}"))
        self.assertEqual(os.listdir(RUNTIME), [])
        self.assertNotIn(f"{RUNTIME}/bpf", pathlib.Path("/proc/mounts").read_text())

    def reserved(self):
        return sh(f"ip netns exec {CORE} cat /proc/sys/net/ipv4/ip_local_reserved_ports").strip()

    def test_answers_on_every_claimed_port_of_both_families(self):
        dataplane = self.start()
        for family, address in (V4, V6):
            for port in (20000, 3478, 40000, 41999):
                self.assertTrue(self.echo(family, address, port), (address, port))
        status, totals, _ = dataplane.stop()
        self.assertEqual(status, 0)
        self.assertEqual(totals["received"], 8)
        # Local senders over veth leave the checksum to hardware that is not there.
        self.assertEqual(totals["unfinished"], 8)
        self.assert_nothing_left()

    def test_finished_checksums_are_verified(self):
        sh(f"ip netns exec {PEER} ethtool -K {PEER_IF} tx off")
        dataplane = self.start()
        for family, address in (V4, V6):
            for size in range(1, 40):
                self.assertTrue(self.echo(family, address, 20000, bytes(range(size))))
        _, totals, _ = dataplane.stop()
        self.assertEqual((totals["unfinished"], totals["bad_checksum"]), (0, 0))

    def test_other_ports_and_protocols_stay_with_the_kernel(self):
        self.start()
        for family, address in (V4, V6):
            server = udp(CORE, family, (address, 5060))
            client = udp(PEER, family)
            client.connect((address, 5060))
            client.send(b"register")
            self.assertEqual(server.recv(100), b"register")
            client.connect((address, 20001))
            client.send(b"nobody there")
            with self.assertRaises(ConnectionRefusedError):
                client.recv(100)
            server.close(), client.close()
            with netlab.inside(CORE):
                listener = socket.create_server((address, 20000), family=family)
            with netlab.inside(PEER):
                connection = socket.create_connection((address, 20000), timeout=2)
            connection.close(), listener.close()

    def test_options_and_extension_headers_reach_the_worker(self):
        self.start()
        no_operations = bytes([1] * 8)
        self.assertTrue(self.echo(*V4, 20000, prepare=lambda s: s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS,
                                                                             no_operations)))
        padding = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # next header, length, PadN
        destination_options = lambda s: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, padding)
        self.assertTrue(self.echo(*V6, 20000, prepare=destination_options))

    def test_fragments_for_our_ports_are_dropped_and_counted(self):
        dataplane = self.start()
        for family, address in (V4, V6):
            self.assertFalse(self.echo(family, address, 20000, bytes(3000)))
            server = udp(CORE, family, (address, 5060))
            client = udp(PEER, family)
            client.sendto(bytes(3000), (address, 5060))
            self.assertEqual(len(server.recv(4096)), 3000)
            server.close(), client.close()
        self.assertEqual(self.sniffer.port_unreachables(), 0)
        _, totals, _ = dataplane.stop()
        self.assertEqual(totals["xdp_fragment"], 2)

    def crash_and_restart(self, family, address, **options):
        dataplane = self.start(**options)
        stream = Stream(family, address, 40000)
        stream.start()
        time.sleep(0.5)
        killed_at = time.monotonic()
        dataplane.kill()
        self.assertIn("xdpgeneric", sh(f"ip -n {CORE} link show {CORE_IF}"))
        dataplane = self.start(**options)
        bound_at = time.monotonic()
        time.sleep(0.5)
        stream.finish()
        lost = [n for n, at in stream.sent_at.items() if n not in stream.echoed]
        outside = [n for n in lost if not killed_at - 0.01 <= stream.sent_at[n] <= bound_at]
        print(f"restart to first packet {1000 * (bound_at - killed_at):.0f} ms, {len(lost)} of {len(stream.sent_at)}"
              f" lost, {len(outside)} outside the gap", file=sys.stderr)
        self.assertEqual(outside, [])
        self.assertGreater(len(stream.echoed), 300)
        self.assertEqual((stream.errors, self.sniffer.port_unreachables()), (0, 0))
        _, totals, _ = dataplane.stop()
        self.assertGreater(totals["xdp_no_socket"], 0)
        self.assert_nothing_left()

    def test_survives_kill_9_ipv4(self):
        self.crash_and_restart(*V4)

    def test_survives_kill_9_ipv6(self):
        self.crash_and_restart(*V6)

    def test_survives_kill_9_on_hugepages(self):
        pages = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
        before = int(pages.read_text())
        try:
            pages.write_text(str(before + 32))
            if int(pages.read_text()) < before + 32:
                self.skipTest("no hugepages to be had")
            self.crash_and_restart(*V4, hugepages="auto")
        finally:
            pages.write_text(str(before))

    def test_repeated_kills_stay_recoverable(self):
        for _ in range(4):
            self.start().kill()
        self.start()
        self.assertTrue(self.echo(*V4, 20000))
        self.assertEqual(self.sniffer.port_unreachables(), 0)

    def test_restart_with_other_ports_changes_the_set(self):
        self.start().kill()
        self.start(webrtc_port=22000)
        self.assertTrue(self.echo(*V4, 22000))
        client = udp(PEER)
        client.connect((CORE_V4, 20000))
        client.send(b"not ours any more")
        with self.assertRaises(ConnectionRefusedError):
            client.recv(100)
        client.close()
        self.assertEqual(self.reserved(), "3478,22000,40000-41999")

    def test_interface_made_anew_under_the_pin_is_attached_again(self):
        self.start().kill()
        netlab.delete_link()
        netlab.create_link()
        self.start()
        self.assertTrue(self.echo(*V4, 20000))

    def test_mode_can_change_between_runs(self):
        self.start().kill()
        dataplane = self.start(mode="native")
        self.assertRegex(sh(f"ip -n {CORE} link show {CORE_IF}"), r"xdp ")
        self.assertTrue(self.echo(*V4, 20000))
        self.assertEqual(dataplane.stop()[0], 0)
        self.assert_nothing_left()

    def test_foreign_program_is_refused_by_name(self):
        sh(f"ip -n {CORE} link set dev {CORE_IF} xdpgeneric obj {FOREIGN} sec xdp")
        error = self.refused()
        self.assertIn(f"interface '{CORE_IF}'", error)
        self.assertIn("'foreign_pass'", error)
        self.assertIn("foreign_pass", sh(f"ip -n {CORE} -d link show {CORE_IF}"))
        sh(f"ip -n {CORE} link set dev {CORE_IF} xdpgeneric off")
        self.start()

    def test_port_of_a_kernel_socket_is_refused_and_nothing_left(self):
        server = udp(CORE, socket.AF_INET, ("", 40010))
        error = self.refused()
        server.close()
        self.assertIn("UDP port 40010", error)
        self.assertEqual(self.reserved(), "")
        self.assert_nothing_left()

    def test_workers_must_match_receive_queues(self):
        self.assertIn(f"ethtool -L {CORE_IF}", self.refused(workers=2))
        self.assert_nothing_left()

    def test_reserved_ports_of_others_stay(self):
        sh(f"ip netns exec {CORE} sysctl -q -w net.ipv4.ip_local_reserved_ports=8080,40005")
        self.start().kill()
        dataplane = self.start()
        self.assertEqual(self.reserved(), "3478,8080,20000,40000-41999")
        dataplane.stop()
        self.assertEqual(self.reserved(), "8080,40005")

    def test_private_mount_namespace_is_warned_of(self):
        dataplane = self.start(enter=["ip", "netns", "exec", CORE])
        self.assertTrue(self.echo(*V4, 20000))
        _, _, error = dataplane.stop()
        self.assertIn("private mount namespace", error)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit(77)
    BINARY, FOREIGN = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
