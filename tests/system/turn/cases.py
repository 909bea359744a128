"""The registry of the TURN cases, and what many of them share."""
import contextlib
import select
import socket
import subprocess
import threading
import time

import lab
import stun
from session import Server, Session

LINEGATE = Server(3478, 5349)
CASES = []


def case(name, title, config="lab", beside=False):
    """`config`: which lab the case needs (run.py); `beside`: may run while others of its kind do."""
    def keep(function):
        CASES.append({"name": name, "title": title, "config": config, "beside": beside, "run": function})
        return function
    return keep


def result_of(one):
    """Runs a case; its result in the form of tests/system/run.js."""
    start, error = time.monotonic(), ""
    try:
        one["run"]()
    except Exception as problem:  # a case that cannot even run has failed
        error = str(problem) or type(problem).__name__
        if not isinstance(problem, (AssertionError, TimeoutError)):
            error = f"{type(problem).__name__}: {error}"
    return {"name": one["name"], "title": one["title"], "ok": not error, "error": error.split("\n")[0], "rows": [],
            "ran_ms": round(1000 * (time.monotonic() - start))}


def require(condition, text):
    if not condition:
        raise AssertionError(text)


def allocations():
    """How many allocations, permissions and channels the server holds, by linegatectl."""
    shown = lab.control("turn")
    return {name: shown[name] for name in ("allocations", "permissions", "channels")}


def nothing_left(limit_s=4):
    zero = {"allocations": 0, "permissions": 0, "channels": 0}
    try:
        lab.until("all counts back at zero", limit_s, lambda: allocations() == zero)
    except TimeoutError:
        raise AssertionError(f"left behind: {allocations()}") from None


def clients_are_done(limit_s=4):
    """Debian's turnutils_uclient makes one allocation for each client only to forget it: such live out their time."""
    lab.until("no permission and no channel is left", limit_s,
              lambda: allocations()["permissions"] == 0 and allocations()["channels"] == 0)


def drops():
    return lab.control("drops")["packets"]


def resident_kib(name):
    """Resident memory of one of the two processes."""
    with open(f"/proc/{lab.process_id(name)}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def own_memory_kib(name):
    """What the process has for itself: without the shared memory that it maps, whose pages are touched once."""
    with open(f"/proc/{lab.process_id(name)}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def client(transport="udp", source=(lab.CLIENT, lab.CLIENT6), server=LINEGATE, v6=False):
    return contextlib.closing(Session(server, source, transport, v6))


def succeeded(answer, what):
    require(answer is not None and answer.kind == stun.SUCCESS, f"{what} fails: {answer and answer.error()}")
    return answer


class SteadyRelay:
    """A client whose ChannelData goes to an echoing peer and back, 50 packets a second, while something else happens."""

    def __init__(self, transport="udp", interval_s=0.02):
        self.session = Session(LINEGATE, (lab.CLIENT, lab.CLIENT6), transport)
        succeeded(self.session.allocate(), "the steady client's Allocate")
        succeeded(self.session.bind_channel(0x4000, self.session.peer()), "its ChannelBind")
        self.interval_s, self.sent, self.returned, self.latest_s = interval_s, 0, set(), 0.0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        due, peer = time.monotonic(), self.session.peers["peer"]
        sockets, last = [self.session.socket, peer], None
        while last is None or time.monotonic() < last:
            now = time.monotonic()
            if now >= due and last is None:
                self.session.send(stun.channel_data(0x4000, self.sent.to_bytes(4, "big") + bytes(156), padded=True))
                self.sent, due = self.sent + 1, due + self.interval_s
            for ready in select.select(sockets, [], [], max(0.0, min(0.02, due - time.monotonic())))[0]:
                if ready is peer:
                    data, source = peer.recvfrom(2048)
                    peer.sendto(data, source)
                    continue
                while (data := self.session.receive(0)) is not None:
                    if data[0] & 0xC0 == 0x40:
                        self.returned.add(int.from_bytes(data[4:8], "big"))
            if self.ending.is_set() and last is None:
                last = time.monotonic() + 0.4

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.session.close()

    def finish(self):
        """Ends it, once there is enough to judge; (sent, lost)."""
        deadline = time.monotonic() + 5
        while self.sent <= 60 and time.monotonic() < deadline:
            time.sleep(self.interval_s)
        self.ending.set()
        self.thread.join()
        return self.sent, self.sent - len(self.returned)


class EchoPeer:
    """turnutils_peer in lg-sip, on both families."""

    def __enter__(self):
        self.process = subprocess.Popen(lab.command("sip", "turnutils_peer", "-L", lab.PEER, "-L", lab.PEER6, "-p", 3480),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.until("turnutils_peer listens", 5, lambda: ":3480" in lab.run("sip", "ss", "-Hlun").stdout)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def tcp_socket(port, address=lab.SERVER, source=lab.CLIENT):
    with lab.inside("web"):
        made = socket.socket()
    made.settimeout(5)
    made.bind((source, 0))
    made.connect((address, port))
    return made
