"""One veth link between two network namespaces: the load generator on one end, a relay on the other."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts/lib"))
from netns import command, inside  # noqa: E402

LOAD, RELAY = "lgperf-load", "lgperf-relay"
LOAD_DEVICE, RELAY_DEVICE = "lgperfl", "lgperfr"
PUBLIC, PRIVATE, GENERATOR = "10.90.1.1", "10.90.2.1", "10.90.1.254"
# perf/load/call_plan.h: kPeerMac, kGatewayMac, and all blocks of peers' addresses.
PEER_MAC, GATEWAY_MAC, PEERS = "02:00:00:09:00:01", "02:00:00:09:00:02", "10.200.0.0/13"
BROWSER_PORT, PHONE_PORT = 5000, 6000


def browser(call):
    return f"10.{200 + (call >> 16)}.{call >> 8 & 255}.{call & 255}"


def phone(call):
    return f"10.{202 + (call >> 16)}.{call >> 8 & 255}.{call & 255}"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def down():
    for namespace in (LOAD, RELAY):
        if pathlib.Path("/run/netns", namespace).exists():
            ip("netns", "del", namespace)


@contextlib.contextmanager
def up():
    """Both namespaces and the link; gone on every way out."""
    down()
    try:
        for namespace in (LOAD, RELAY):
            ip("netns", "add", namespace)
            subprocess.run(command(namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                                   "net.ipv6.conf.default.disable_ipv6=1"), check=True)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("link", "add", LOAD_DEVICE, "netns", LOAD, "address", PEER_MAC, "numtxqueues", "1", "numrxqueues", "1",
           "type", "veth", "peer", "name", RELAY_DEVICE, "netns", RELAY, "address", GATEWAY_MAC,
           "numtxqueues", "1", "numrxqueues", "1")
        ip("-n", RELAY, "addr", "add", PUBLIC + "/24", "dev", RELAY_DEVICE)
        ip("-n", RELAY, "addr", "add", PRIVATE + "/24", "dev", RELAY_DEVICE)
        ip("-n", LOAD, "addr", "add", GENERATOR + "/24", "dev", LOAD_DEVICE)
        ip("-n", RELAY, "link", "set", RELAY_DEVICE, "up")
        ip("-n", LOAD, "link", "set", LOAD_DEVICE, "up")
        # Nobody answers ARP while the generator owns the interface.
        ip("-n", RELAY, "neigh", "replace", GENERATOR, "lladdr", PEER_MAC, "dev", RELAY_DEVICE, "nud", "permanent")
        ip("-n", LOAD, "route", "add", PRIVATE, "dev", LOAD_DEVICE)
        for address in (PUBLIC, PRIVATE):
            ip("-n", LOAD, "neigh", "replace", address, "lladdr", GATEWAY_MAC, "dev", LOAD_DEVICE, "nud", "permanent")
        ip("-n", RELAY, "route", "add", PEERS, "via", GENERATOR)
        ip("-n", LOAD, "route", "add", "local", PEERS, "dev", "lo")  # sockets may have the peers' addresses
        yield
    finally:
        down()


def udp_socket(namespace, address, port=0):
    with inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(2)
    return made


def received_by_relay():
    """Frames that have reached the relay's end."""
    shown = subprocess.run(["ip", "-n", RELAY, "-j", "-s", "link", "show", "dev", RELAY_DEVICE], check=True,
                           capture_output=True, text=True).stdout
    return json.loads(shown)[0]["stats64"]["rx"]["packets"]


def foremost():
    """In a new process: before everything else on this machine, as perf/run.sh does it."""
    os.setsid()
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/autogroup").write_text("-20")
    os.setpriority(os.PRIO_PROCESS, 0, -20)


class Process:
    """A program on one core. Its output goes to a log, which is shown when it does not start or dies."""

    def __init__(self, folder, name, arguments, core, ready):
        self.log = pathlib.Path(folder, name + ".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, arguments)], stdout=log,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=foremost)
        self.pid = self.process.pid
        deadline = time.monotonic() + 20
        while not ready(self.log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{name} does not start:\n" + self.log.read_text(errors="replace")[-3000:])
            time.sleep(0.1)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
