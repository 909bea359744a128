"""The lab's namespaces (scripts/lab.sh) as these tests see them."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "scripts/lib"))
import netns  # noqa: E402

NAME = os.environ.get("LINEGATE_LAB") or "lg"
RUN = pathlib.Path("/run/linegate-lab" if NAME == "lg" else f"/run/linegate-lab-{NAME}")
SERVER, SERVER6 = "10.90.1.1", "fd90:1::1"
CLIENT, CLIENT6 = "10.90.1.2", "fd90:1::2"
PEER, PEER6 = "10.90.2.2", "fd90:2::2"


def inside(where):
    """Sockets made in here belong to the lab's namespace web, core or sip, whoever uses them later."""
    return netns.inside(f"{NAME}-{where}")


def udp_socket(where, address, port=0):
    with inside(where):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((address, port))
    return made


def command(where, *arguments):
    """The command line that runs a program inside a namespace."""
    return netns.command(f"{NAME}-{where}", *arguments)


def run(where, *arguments, timeout=30, check=False):
    return subprocess.run(command(where, *arguments), capture_output=True, text=True, timeout=timeout, check=check)


def ip(where, *arguments):
    subprocess.run(["ip", "-n", f"{NAME}-{where}", *arguments], check=True, capture_output=True)


_form = []


def up(*arguments):
    _form[:] = arguments
    subprocess.run([ROOT / "scripts/lab.sh", "up", *arguments], check=True, timeout=90)


def up_again():
    """Starts again what has died."""
    up(*list(_form))


def control(*arguments):
    """What linegatectl says, as an object."""
    done = subprocess.run([ROOT / "scripts/lab.sh", "ctl", *arguments, "--json"], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(f"linegatectl {' '.join(arguments)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def process_id(name):
    return int((RUN / f"{name}.pid").read_text())


def until(what, limit_s, probe, step_s=0.05):
    """The first true value of probe(); an error that names `what` after limit_s."""
    deadline = time.monotonic() + limit_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit_s} s")
        time.sleep(step_s)


@contextlib.contextmanager
def more_client_addresses(count):
    """Addresses 10.90.1.100 and fd90:1::100 upwards beside the client's own, so that no source asks for too much."""
    pairs = [(f"10.90.1.{100 + n}", f"fd90:1::{100 + n}") for n in range(count)]
    try:
        for v4, v6 in pairs:
            ip("web", "addr", "replace", f"{v4}/24", "dev", "lgw0")
            ip("web", "addr", "replace", f"{v6}/64", "dev", "lgw0", "nodad")
        yield pairs
    finally:
        for v4, v6 in pairs:
            ip("web", "addr", "del", f"{v4}/24", "dev", "lgw0")
            ip("web", "addr", "del", f"{v6}/64", "dev", "lgw0")
