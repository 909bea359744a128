"""linegate-dataplane itself on a veth pair: STUN and TURN over AF_XDP, crash and restart, what it leaves behind.

usage: dataplane_test.py LINEGATE_DATAPLANE [unittest arguments]; as root."""
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import command_ring
import link_counters
import netlab
from netlab import CORE, CORE_IF, CORE_V4, CORE_V6, PEER, PEER_IF, RUNTIME, sh, udp

BINARY = None
COOKIE = 0x2112A442


def binding_request(number):
    return struct.pack("!HHIQI", 1, 0, COOKIE, 0x4C47, number)


def mapped_port(reply):
    """Port in XOR-MAPPED-ADDRESS (RFC 8489 section 14.2) of a success response without other attributes before it."""
    kind, _, cookie = struct.unpack_from("!HHI", reply)
    attribute, _, _, port = struct.unpack_from("!HHHH", reply, 20)
    return port ^ (COOKIE >> 16) if (kind, cookie, attribute) == (0x0101, COOKIE, 0x0020) else None


class Gateway:
    def __init__(self, **options):
        self.config = netlab.write_config(**options)
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{CORE}", BINARY, "--config", self.config],
                                        stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if "ready:" in line:
                return

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.stderr.readlines()
        self.process.stderr.close()
        return self.process.wait(10)


class OnVeth(unittest.TestCase):
    LINK = {}

    def setUp(self):
        netlab.up(**self.LINK)
        self.sniffer = netlab.Sniffer(PEER, PEER_IF)
        self.gateways = []

    def tearDown(self):
        self.sniffer.close()
        for gateway in self.gateways:
            if gateway.process.poll() is None:
                gateway.kill()
        netlab.down()

    def start(self, **options):
        self.gateways.append(Gateway(**options))
        if self.gateways[-1].process.poll() is not None or "ready:" not in self.gateways[-1].log[-1]:
            self.fail("".join(self.gateways[-1].log))
        return self.gateways[-1]

    def ask(self, family, address, port=3478):
        client = udp(PEER, family)
        try:
            client.sendto(binding_request(7), (address, port))
            return mapped_port(client.recv(200)) == client.getsockname()[1]
        except socket.timeout:
            return False
        finally:
            client.close()

    def assert_nothing_left(self):
        self.assertNotIn("xdp", sh(f"ip -n {CORE} link show {CORE_IF}"))
        self.assertEqual(os.listdir(RUNTIME), [])
        self.assertNotIn(RUNTIME, pathlib.Path("/proc/mounts").read_text())
        reserved = sh(f"ip netns exec {CORE} cat /proc/sys/net/ipv4/ip_local_reserved_ports").strip()
        self.assertEqual(reserved, "")


class DataplaneTest(OnVeth):
    def test_answers_stun_and_leaves_nothing(self):
        gateway = self.start()
        self.assertTrue(self.ask(socket.AF_INET, CORE_V4))
        self.assertTrue(self.ask(socket.AF_INET6, CORE_V6))
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()

    def test_hugepages_are_reserved_by_itself(self):
        pages = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
        before = pages.read_text()
        try:
            pages.write_text("0")  # the kernel keeps those in use: free ones of others would leave nothing to reserve
            in_use = int(pages.read_text())
            gateway = self.start(hugepages="auto")
            self.assertTrue(self.ask(socket.AF_INET, CORE_V4))
            if int(pages.read_text()) == in_use:
                self.assertIn("ordinary 4 KB pages", "".join(gateway.log))
            self.assertEqual(gateway.stop(), 0)
            self.assert_nothing_left()
        finally:
            pages.write_text(before)

    def test_killed_and_restarted_it_goes_on_answering(self):
        gateway = self.start()
        link = os.stat(f"{RUNTIME}/link").st_ino
        restarted = []
        restart = threading.Thread(target=lambda: restarted.append((self.start(), time.monotonic())))
        client = udp(PEER)
        client.setblocking(False)
        sent_at, answered, killed_at = [], set(), None
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + 1.6:
            if killed_at is None and now > begin + 0.5:
                killed_at = now
                gateway.kill()
                restart.start()
            sent_at.append(now)
            client.sendto(binding_request(len(sent_at) - 1), (CORE_V4, 3478))
            time.sleep(0.002)
            try:
                while True:
                    answered.add(struct.unpack_from("!I", client.recv(200), 16)[0])
            except BlockingIOError:
                pass
        client.close()
        restart.join(5)
        gateway, ready_at = restarted[0]
        gap = (killed_at - 0.01, ready_at)
        lost = [n for n, at in enumerate(sent_at[:-20]) if n not in answered and not gap[0] <= at <= gap[1]]
        print(f"killed to ready {1000 * (ready_at - killed_at):.0f} ms", file=sys.stderr)
        self.assertEqual(lost, [])
        self.assertLess(ready_at - killed_at, 1.0)
        self.assertEqual(self.sniffer.port_unreachables(), 0)
        self.assertEqual(os.stat(f"{RUNTIME}/link").st_ino, link)
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()

    def test_killed_and_restarted_it_goes_on_relaying(self):
        relaying = {"more": "turn_ports = [3480]\nrelay_ports = [49152, 49215]\n"}
        gateway = self.start(**relaying)
        client, peer = udp(PEER), udp(PEER)
        for s in (client, peer):
            s.bind((netlab.PEER_V4, 0))
        mac = sh(f"ip netns exec {PEER} cat /sys/class/net/{PEER_IF}/address").strip()
        commands = command_ring.CommandRing(RUNTIME)
        commands.program_relay((CORE_V4, 3480), client.getsockname(), (CORE_V4, 49152), mac)
        commands.set_peer(0, peer.getsockname(), 0x4000, mac)
        commands.close()
        time.sleep(0.1)
        listener, relayed = (CORE_V4, 3480), (CORE_V4, 49152)
        for life in range(3):
            client.sendto(struct.pack("!HH", 0x4000, 5) + b"hello", listener)
            self.assertEqual(peer.recvfrom(100), (b"hello", relayed))
            peer.sendto(b"back", relayed)
            self.assertEqual(client.recvfrom(100), (struct.pack("!HH", 0x4000, 4) + b"back", listener))
            gateway.kill()
            gateway = self.start(**relaying)
        self.assertEqual(self.sniffer.port_unreachables(), 0)
        client.close()
        peer.close()
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()

    def test_second_dataplane_is_refused(self):
        self.start()
        second = Gateway()
        self.assertEqual(second.process.wait(10), 1)
        self.assertIn("another dataplane owns it", "".join(second.log))
        second.process.stderr.close()
        self.assertTrue(self.ask(socket.AF_INET, CORE_V4))

    def test_release_undoes_what_a_killed_one_left(self):
        gateway = self.start()
        gateway.kill()
        self.assertIn("xdp", sh(f"ip -n {CORE} link show {CORE_IF}"))
        sh(f"nsenter --net=/run/netns/{CORE} {BINARY} --config {gateway.config} --release")
        self.assert_nothing_left()

    def test_memory_with_keys_is_not_on_a_disk_and_not_dumped(self):
        gateway = self.start()
        self.assertIn(sh(f"stat -f -c %T {RUNTIME}/vault").strip(), ("tmpfs", "hugetlbfs"))
        self.assertEqual(oct(os.stat(f"{RUNTIME}/vault").st_mode & 0o777), "0o600")
        limits = pathlib.Path(f"/proc/{gateway.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0")

    def test_faulty_configuration_is_named(self):
        config = netlab.write_config()
        path = pathlib.Path(config)
        path.write_text(path.read_text().replace("workers", "wokers"))
        done = subprocess.run([BINARY, "--config", config, "--check-config"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{config}:4: [dataplane] wokers: unknown key", done.stderr)

    def native_is_refused(self, reason):
        """It runs in generic mode and says so; killed, its successor keeps the program: nothing goes to the kernel."""
        gateway = self.start(mode="native")
        log = "".join(gateway.log)
        self.assertIn(f"interface '{CORE_IF}': XDP in generic mode", log)
        self.assertIn(f"warning: interface '{CORE_IF}': native XDP is refused, running in generic mode: {reason}", log)
        self.assertTrue(self.ask(socket.AF_INET, CORE_V4))
        attached = re.search(r"prog/xdp id (\d+)", sh(f"ip -n {CORE} -d link show {CORE_IF}"))[1]
        gateway.kill()
        gateway = self.start(mode="native")
        self.assertIn("generic mode on 1 receive queue(s), program adopted", "".join(gateway.log))
        self.assertIn(f"prog/xdp id {attached}", sh(f"ip -n {CORE} -d link show {CORE_IF}"))
        self.assertTrue(self.ask(socket.AF_INET, CORE_V4))
        self.assertEqual(self.sniffer.port_unreachables(), 0)
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()

    def test_native_mode_that_the_mtu_forbids_becomes_generic(self):
        sh(f"ip -n {PEER} link set {PEER_IF} mtu 9000")
        self.native_is_refused("Numerical result out of range: the MTU")
        # The next start after a graceful end tries anew.
        sh(f"ip -n {PEER} link set {PEER_IF} mtu 1500")
        gateway = self.start(mode="native")
        self.assertIn("XDP in native mode on 1 receive queue(s)\n", "".join(gateway.log))
        self.assertTrue(self.ask(socket.AF_INET, CORE_V4))
        self.assertTrue(self.ask(socket.AF_INET6, CORE_V6))
        self.assertEqual(gateway.stop(), 0)
        self.assertNotIn("Error", "".join(gateway.log))
        self.assert_nothing_left()

    def test_native_mode_that_the_driver_lacks_becomes_generic(self):
        gateway = self.start(mode="native", interface="lo")
        self.assertIn("running in generic mode: Operation not supported: its driver has no XDP", "".join(gateway.log))
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()


class TwoQueues(OnVeth):
    """One worker for each of two receive queues; the sender's kernel spreads flows (scripts/lab.sh says how)."""

    def counters(self):
        time.sleep(0.05)  # a worker that sleeps publishes within a few milliseconds
        return link_counters.read(RUNTIME)

    def ask_often(self, times):
        """From as many ports, of both families; how many were answered."""
        addresses = ((socket.AF_INET, CORE_V4), (socket.AF_INET6, CORE_V6))
        return sum(self.ask(*addresses[n % 2]) for n in range(times))

    def both_workers_answer_and_survive(self, mode):
        gateway = self.start(workers=2, mode=mode)
        self.assertIn(f"XDP in {mode} mode on 2 receive queue(s)\n", "".join(gateway.log))
        self.assertEqual(self.ask_often(60), 60)
        before = self.counters()
        self.assertEqual(sum(w["stun_bindings_answered"] for w in before), 60)
        for worker in before:
            self.assertGreater(worker["stun_bindings_answered"], 5)
        gateway.kill()
        gateway = self.start(workers=2, mode=mode)
        self.assertIn("program adopted", "".join(gateway.log))
        self.assertEqual(self.ask_often(60), 60)
        for old, new in zip(before, self.counters()):
            self.assertGreater(new["stun_bindings_answered"], old["stun_bindings_answered"] + 5)
        self.assertEqual(self.sniffer.port_unreachables(), 0)
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()

    def relayed_by_the_owner_whatever_queue_receives(self, mode):
        """Worker 0 owns the relay; 40 peers reach it through either queue, and none of their packets is lost."""
        relaying = {"workers": 2, "mode": mode, "more": "turn_ports = [3480]\nrelay_ports = [49152, 49215]\n"}
        gateway = self.start(**relaying)
        client, peers = udp(PEER), [udp(PEER) for _ in range(40)]
        for s in [client, *peers]:
            s.bind((netlab.PEER_V4, 0))
        mac = sh(f"ip netns exec {PEER} cat /sys/class/net/{PEER_IF}/address").strip()
        commands = command_ring.CommandRing(RUNTIME)
        commands.program_relay((CORE_V4, 3480), client.getsockname(), (CORE_V4, 49152), mac)
        for n, peer in enumerate(peers):
            commands.set_peer(n % 16, peer.getsockname(), 0x4000 + n % 16, mac)
            time.sleep(0.02)
            peer.sendto(b"%d" % n, (CORE_V4, 49152))
            self.assertEqual(client.recv(100)[4:], b"%d" % n)
            client.sendto(struct.pack("!HH", 0x4000 + n % 16, 2) + b"hi", (CORE_V4, 3480))
            self.assertEqual(peer.recv(100), b"hi")
        commands.close()
        first, second = self.counters()
        self.assertEqual((first["relayed_to_client_pkts"], first["relayed_to_peer_pkts"]), (40, 40))
        self.assertEqual(first["handed_over_pkts"], 0)
        self.assertGreater(second["handed_over_pkts"], 5)
        self.assertEqual(second["handed_over_pkts"], second["received_pkts"])
        print(f"{mode}: {second['handed_over_pkts']} of 80 packets handed over", file=sys.stderr)
        for s in [client, *peers]:
            s.close()
        self.assertEqual(gateway.stop(), 0)
        self.assert_nothing_left()


class TwoQueuesGeneric(TwoQueues):
    LINK = {"queues": 2, "peer_queues": 3}

    def test_both_workers_answer_and_survive_kill_9(self):
        self.both_workers_answer_and_survive("generic")

    def test_relays_by_the_owner_whatever_queue_receives(self):
        self.relayed_by_the_owner_whatever_queue_receives("generic")

    def test_native_mode_wants_as_many_queues_as_the_sender_has(self):
        gateway = self.start(workers=2, mode="native")
        self.assertIn("fewer receive queues than its veth peer has transmit queues", "".join(gateway.log))
        self.assertEqual(self.ask_often(20), 20)


class TwoQueuesNative(TwoQueues):
    LINK = {"queues": 2}

    def test_both_workers_answer_and_survive_kill_9(self):
        self.both_workers_answer_and_survive("native")

    def test_relays_by_the_owner_whatever_queue_receives(self):
        self.relayed_by_the_owner_whatever_queue_receives("native")


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit(77)
    BINARY = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:], verbosity=2)
