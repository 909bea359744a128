"""What scripts/ports says a firewall has to let in, beside what is really open."""
import contextlib
import subprocess
import time

import lab
from cases import case, require


def listed(config):
    """(protocol, address) -> [(first, last)]."""
    said = subprocess.run([lab.ROOT / "scripts/ports", str(config)], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in said.splitlines():
        protocol, address, ports = line.split()[:3]
        first, _, last = ports.partition("-")
        found.setdefault((protocol, address), []).append((int(first), int(last or first)))
    return found


def kernel_sockets():
    """(protocol, address, port) of every TCP and UDP socket that listens in the gateway's namespace."""
    for line in lab.run("core", "ss", "-Hltun", check=True).stdout.splitlines():
        protocol, local = line.split()[0], line.split()[4]
        address, _, port = local.rpartition(":")
        yield protocol, address.strip("[]").split("%")[0], int(port)


def refused(where, source, target, port, limit_s):
    """Whether the kernel says by ICMP that nobody is there: what the dataplane owns never gets that far."""
    with contextlib.closing(lab.udp_socket(where, source)) as probe:
        probe.connect((target, port))
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            try:
                probe.send(b"?")
                time.sleep(0.05)
                probe.send(b"?")
            except ConnectionRefusedError:
                return True
            time.sleep(0.25)  # the kernel limits its ICMP errors
    return False


@case("ports", "scripts/ports lists exactly what is open")
def _():
    shown = listed(lab.RUN / "linegate.toml")
    sockets = list(kernel_sockets())
    extra = [(protocol, address, port) for protocol, address, port in sockets
             if not any(first <= port <= last for first, last in shown.get((protocol, address), []))]
    require(not extra, f"open and not listed: {extra}")
    # Ranges are relays, whose sockets come and go.
    missing = [(address, first) for (protocol, address), ranges in shown.items() if protocol == "tcp"
               for first, last in ranges if first == last and ("tcp", address, first) not in sockets]
    require(not missing, f"listed, and nobody listens: {missing}")
    for where, source, target in (("web", lab.CLIENT, lab.SERVER), ("web", lab.CLIENT6, lab.SERVER6), ("sip", lab.PEER, "10.90.2.1")):
        ranges = shown[("udp", target)]
        ours = sorted({port for one in ranges for port in one})
        closed = sorted({port for first, last in ranges for port in (first - 1, last + 1)} - set(ours))
        wrong = [port for port in ours if refused(where, source, target, port, 0.2)]
        require(not wrong, f"listed, and refused by the kernel: {target} {wrong}")
        wrong = [port for port in closed if not refused(where, source, target, port, 8)]
        require(not wrong, f"not listed, and not refused: {target} {wrong}")
