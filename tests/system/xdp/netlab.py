"""Two network namespaces joined by a veth pair, sockets inside them, and the process under test."""
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../scripts/lib"))
from netns import inside  # noqa: E402

CORE, PEER = "lgx-core", "lgx-peer"
CORE_IF, PEER_IF = "lgx0", "lgx1"
CORE_V4, CORE_V6 = "10.91.1.1", "fd91:1::1"
PEER_V4, PEER_V6 = "10.91.1.2", "fd91:1::2"
RUNTIME = "/run/lgx-test/runtime"
CONFIGS = "/run/lgx-test"
_SO_RCVBUFFORCE = 33


def sh(command, check=True):
    return subprocess.run(command.split(), check=check, capture_output=True, text=True).stdout


def create_link(queues=1, peer_queues=None):
    """`queues`: receive and transmit queues of the gateway's end, `peer_queues`: transmit queues of the other."""
    sh(f"ip link add {CORE_IF} netns {CORE} numtxqueues {queues} numrxqueues {queues} type veth"
       f" peer name {PEER_IF} netns {PEER} numtxqueues {peer_queues or queues} numrxqueues {queues}")
    for namespace, interface, v4, v6 in ((CORE, CORE_IF, CORE_V4, CORE_V6), (PEER, PEER_IF, PEER_V4, PEER_V6)):
        sh(f"ip -n {namespace} addr add {v4}/24 dev {interface}")
        sh(f"ip -n {namespace} addr add {v6}/64 dev {interface} nodad")
        sh(f"ip -n {namespace} link set {interface} up")
    deadline = time.monotonic() + 5
    while "LOWER_UP" not in sh(f"ip -n {PEER} link show {PEER_IF}") and time.monotonic() < deadline:
        time.sleep(0.01)


def delete_link():
    sh(f"ip -n {CORE} link del {CORE_IF}", check=False)


def up(queues=1, peer_queues=None):
    down()
    os.makedirs(RUNTIME, exist_ok=True)
    for namespace in (CORE, PEER):
        sh(f"ip netns add {namespace}")
        sh(f"ip -n {namespace} link set lo up")
    create_link(queues, peer_queues)


def down():
    delete_link()
    for namespace in (CORE, PEER):
        sh(f"ip netns del {namespace}", check=False)
    sh(f"umount -l {RUNTIME}/bpf", check=False)
    sh(f"umount -l {RUNTIME}", check=False)
    sh(f"rm -rf {CONFIGS}")


def udp(namespace, family=socket.AF_INET, address=None):
    with inside(namespace):
        s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(1)
    if address:
        s.bind(address)
    return s


class Sniffer:
    """Every frame that arrives at an interface."""

    def __init__(self, namespace, interface):
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        self.socket.bind((interface, 0))

    def port_unreachables(self):
        """ICMP 3/3 and ICMPv6 1/4 received since the last call."""
        found = 0
        while select.select([self.socket], [], [], 0)[0]:
            frame, sender = self.socket.recvfrom(2048)
            if sender[2] == socket.PACKET_OUTGOING or len(frame) < 56:
                continue
            ethertype = struct.unpack_from("!H", frame, 12)[0]
            if ethertype == 0x0800 and frame[23] == 1:
                icmp = 14 + (frame[14] & 15) * 4
                found += frame[icmp] == 3 and frame[icmp + 1] == 3
            elif ethertype == 0x86DD and frame[20] == 58:
                found += frame[54] == 1 and frame[55] == 4
        return found

    def close(self):
        self.socket.close()


CONFIG = """[dataplane]
runtime_directory = "{runtime}"
hugepages = "{hugepages}"
workers = {workers}
xdp_mode = "{mode}"
# The test asks faster than a stranger may.
[stun]
requests_per_second_per_source = 0

[[realm]]
name = "test"
interface = "{interface}"
addresses = ["{v4}", "{v6}"]
webrtc_port = {webrtc_port}
stun_ports = [3478]
rtp_ports = [40000, 41999]
{more}"""


def write_config(hugepages="off", workers=1, mode="generic", webrtc_port=20000, interface=CORE_IF,
                 more=""):
    config = f"{CONFIGS}/test.toml"
    with open(config, "w") as file:
        file.write(CONFIG.format(runtime=RUNTIME, hugepages=hugepages, workers=workers, mode=mode,
                                 webrtc_port=webrtc_port, interface=interface, v4=CORE_V4, v6=CORE_V6, more=more))
    return config


class Dataplane:
    """xdp_echo in the core namespace."""

    def __init__(self, binary, enter=None, **options):
        config = write_config(**options)
        enter = enter or ["nsenter", f"--net=/run/netns/{CORE}"]
        self.process = subprocess.Popen(enter + [binary, config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.first_line = self.process.stdout.readline()
        self.ready = self.first_line.startswith("ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self._close_pipes()

    def stop(self):
        """Graceful end. Returns (exit status, totals, standard error)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=10)
        lines = out.strip().splitlines()
        return self.process.returncode, json.loads(lines[-1]) if lines and lines[-1][0] == "{" else {}, err

    def _close_pipes(self):
        self.process.stdout.close()
        self.process.stderr.close()
