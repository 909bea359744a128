"""Linegate's TURN server under attack (issue of the TURN server, section 4): bounded in time and count, inside the lab."""
import base64
import contextlib
import hmac
import select
import socket
import ssl
import struct
import subprocess
import time

import lab
import stun
from cases import (LINEGATE, SteadyRelay, allocations, case, client, drops, nothing_left, own_memory_kib, require,
                   succeeded, tcp_socket)
from flood import Flood, allocate_requests, binding_requests
from session import Closed, Session
from stun import ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH

PROCESSES = ("dataplane", "controlplane")


def memory():
    return {name: own_memory_kib(name) for name in PROCESSES}


@contextlib.contextmanager
def memory_is_flat(limit_kib):
    before = memory()
    yield
    grown = {name: size - before[name] for name, size in memory().items()}
    require(all(size <= limit_kib for size in grown.values()), f"memory grew by {grown} KiB")


def relay_lost_nothing(steady):
    sent, lost = steady.finish()
    require(sent > 50 and lost == 0, f"the relay that was there before lost {lost} of {sent} packets")


@case("allocate_flood", "Allocate from 100,000 sources without credentials: memory flat, relays lose nothing", config="attacks")
def _():
    with contextlib.closing(Flood()) as flood:
        flood.send(allocate_requests(5000), 20000)  # what is grown once, at first use, is grown now
        with SteadyRelay() as steady, memory_is_flat(512):
            sent, took = flood.send(allocate_requests(100000), 20000)
            require(sent == 100000 and took < 30, f"{sent} requests took {took:.1f} s")
            relay_lost_nothing(steady)
        with client(source=("10.90.1.2", None)) as newcomer:
            succeeded(newcomer.allocate(), "an Allocate after the flood")
    nothing_left()


@case("binding_flood", "Binding from 20,000 sources: each answered, memory flat, relays lose nothing", config="attacks")
def _():
    def answered():
        return lab.control("drops")["counters"]["stun_bindings_answered"]

    with contextlib.closing(Flood()) as flood:
        flood.send(binding_requests(1000), 10000)
        before = lab.until("the answers stand still", 3, steady_value(answered))
        with SteadyRelay() as steady, memory_is_flat(512):
            sent, _ = flood.send(binding_requests(20000), 10000)
            lab.until(f"{sent} answers", 5, lambda: answered() - before >= sent)
            relay_lost_nothing(steady)
    nothing_left()


def steady_value(read):
    """A probe: what `read` gives, once it has given it twice."""
    seen = [None]

    def probe():
        last, seen[0] = seen[0], read()
        return seen[0] if seen[0] == last else None
    return probe


@case("names_are_bytes", "user names with formats, quotes and control characters stay bytes", config="attacks")
def _():
    hostile = ["%n%s%n%s%p", "a\"}],\"ok\":true,{\"", "\r\nFAKE LINE", "../../etc/passwd", "\x1b[2J\x07", "\u202eevil", "x" * 400]
    with contextlib.ExitStack() as held:
        for odd in hostile:
            session = held.enter_context(client())
            session.user = f"{int(time.time()) + 600}:{odd}"
            session.password = base64.b64encode(hmac.new(b"lab-secret", session.user.encode(), "sha1").digest()).decode()
            succeeded(session.allocate(), f"Allocate of {session.user[:40]!r}")
        shown = lab.control("turn")  # is JSON still
        require(shown["allocations"] == len(hostile) == len(shown["list"]), f"{shown['allocations']} allocations are shown")
        text = subprocess.run([lab.ROOT / "scripts/lab.sh", "ctl", "turn"], capture_output=True, timeout=20, check=True).stdout
        require(not any(byte < 0x20 and byte != 0x0A or byte == 0x7F for byte in text), "a control character reaches the terminal")
        logged = (lab.RUN / "log/controlplane.log").read_text(errors="replace")
        require("FAKE LINE" not in logged and "evil" not in logged, "a user's name reaches the log")
    nothing_left()


@case("wrong_password_flood", "wrong passwords from one source: 401 is rate-limited, relays lose nothing", config="attacks")
def _():
    with SteadyRelay() as steady, lab.more_client_addresses(1) as [source]:
        with contextlib.closing(Session(LINEGATE, source)) as guesser, memory_is_flat(512):
            guesser.challenge()
            start, answers, asked = time.monotonic(), 0, 4000
            for n in range(asked):
                guesser.send(guesser.build(ALLOCATE, stun.transport(), password=f"guess {n}"))
                while (data := guesser.receive(0)) is not None:
                    answers += 1
                    require(stun.Message(data).error() in (401, 438), f"a guess is answered with {stun.Message(data).error()}")
                if n % 20 == 0:
                    time.sleep(max(0.0, start + n / 2000 - time.monotonic()))
            time.sleep(0.2)
            while guesser.receive(0) is not None:
                answers += 1
            took = time.monotonic() - start
            # [stun] requests_per_second_per_source = 100, a burst of twice that.
            require(0 < answers <= 200 + 100 * took + 20, f"{answers} answers in {took:.1f} s to one source")
            require(answers < asked / 4, f"{answers} of {asked} guesses are answered")
        relay_lost_nothing(steady)
    nothing_left()


def every_kind_of_message(session, peer):
    """One good message of every kind that a client sends."""
    at = session.peer_attribute(peer)
    yield session.build(stun.BINDING, auth=False, fingerprint=True)
    yield session.build(ALLOCATE, stun.transport(), stun.lifetime(600), stun.even_port(True), stun.family(1))
    yield session.build(REFRESH, stun.lifetime(0))
    yield session.build(CREATE_PERMISSION, at, at)
    yield session.build(CHANNEL_BIND, stun.channel(0x4001), at)
    yield session.build(stun.CONNECT, at)
    yield session.build(stun.CONNECTION_BIND, stun.number32("CONNECTION-ID", 7))
    yield session.build(stun.SEND, at, stun.attribute("DATA", b"hello"), kind=stun.INDICATION, auth=False)
    yield session.build(stun.DATA, at, stun.attribute("DATA", b"hello"), kind=stun.INDICATION, auth=False)
    yield session.build(ALLOCATE, stun.transport(), kind=stun.SUCCESS)
    yield session.build(ALLOCATE, stun.transport(), kind=stun.ERROR)
    yield session.build(ALLOCATE, stun.transport(), integrity="MESSAGE-INTEGRITY-SHA256", fingerprint=True)
    yield stun.channel_data(0x4000, b"hello")


@case("truncations", "every truncation of every kind of message: no effect, no answer, nothing lost", config="attacks")
def _():
    with SteadyRelay() as steady, client() as session:
        succeeded(session.allocate(), "Allocate")
        peer = session.peer()
        succeeded(session.bind_channel(0x4000, peer), "ChannelBind")
        before, sent = allocations(), 0
        for message in every_kind_of_message(session, peer):
            for size in range(len(message)):
                session.send(message[:size])
                sent += 1
                if sent % 20 == 0:
                    time.sleep(0.005)
        session.fence()
        require(sent > 1000, f"only {sent} truncations")
        require(not session.inbox, f"{len(session.inbox)} of {sent} truncations are answered")
        require(not select.select([session.peers["peer"]], [], [], 0.05)[0], "a truncated message reaches the peer")
        require(allocations() == before, f"truncations change {before} into {allocations()}")
        relay_lost_nothing(steady)
    nothing_left()


class Churner:
    """One five-tuple that allocates, binds, refreshes and deletes, again and again; a machine of one pending request."""

    def __init__(self, source, rounds, reserves):
        self.session, self.rounds, self.step = Session(LINEGATE, source), rounds, 0
        self.reserves = reserves  # once; an account may have few more reservations than allocations
        self.done, self.failures, self.relayed = 0, [], set()
        self.session.challenge()
        self.sent_at, self.message = 0.0, None
        self.next()

    def next(self):
        session, peer = self.session, (lab.PEER, 9)
        self.transaction = stun.new_transaction()
        method, attributes = (
            (ALLOCATE, [stun.transport(), *([stun.even_port(self.reserves and self.done == 0)] if self.done % 7 == 0 else [])]),
            (CHANNEL_BIND, [stun.channel(0x4000 + self.done % 0x1000), session.peer_attribute(peer)]),
            (REFRESH, [stun.lifetime(900)]),
            (REFRESH, [stun.lifetime(0)]))[self.step]
        self.message = session.build(method, *attributes, transaction=self.transaction)
        self.send()

    def send(self):
        self.sent_at = time.monotonic()
        self.session.send(self.message)

    def take(self):
        while (data := self.session.receive(0)) is not None:
            answer = stun.Message(data)
            if answer.transaction != self.transaction:
                continue
            if answer.kind != stun.SUCCESS:
                self.failures.append(f"step {self.step}: {answer.error()}")
            elif self.step == 0:
                self.relayed.add(answer.address("XOR-RELAYED-ADDRESS")[1])
            self.step = (self.step + 1) % 4
            if self.step == 0:
                self.done += 1
            if self.done < self.rounds:
                self.next()

    def repeat_if_late(self, now):
        if self.done < self.rounds and now - self.sent_at > 0.5:
            self.send()  # the very same bytes, as RFC 8489 wants a retransmission


@case("churn", "10,000 rounds of Allocate, ChannelBind, Refresh and delete leave nothing", config="attacks")
def _():
    with lab.more_client_addresses(50) as sources:
        churners = [Churner(source, 200, reserves=n < 5) for n, source in enumerate(sources)]
        deadline = time.monotonic() + 60
        sockets = {one.session.socket: one for one in churners}
        half = None
        while any(one.done < one.rounds for one in churners):
            now = time.monotonic()
            require(now < deadline, f"only {sum(one.done for one in churners)} rounds in 60 s")
            for ready in select.select(list(sockets), [], [], 0.1)[0]:
                sockets[ready].take()
            for one in churners:
                one.repeat_if_late(now)
            if half is None and sum(one.done for one in churners) >= 5000:
                half = memory()
        failures = [text for one in churners for text in one.failures]
        grown = {name: size - half[name] for name, size in memory().items()}
        for one in churners:
            one.session.close()
    require(not failures, f"{len(failures)} failures, the first: {failures[:1]}")
    require(all(size < 1024 for size in grown.values()), f"the second 5,000 rounds take {grown} KiB")
    nothing_left(35)  # a port reserved for its token lives 30 s (RFC 8656 section 7.2)


@case("unbound_channels", "20,000 ChannelData on channels that nobody bound: counted, nothing relayed", config="attacks")
def _():
    with SteadyRelay() as steady, client() as session:
        succeeded(session.allocate(), "Allocate")
        peer = session.peer()
        succeeded(session.bind_channel(0x4000, peer), "ChannelBind")
        before = sum(drops().values())
        for n in range(20000):
            session.send(stun.channel_data(0x4001 + n % 0xFFE, b"x" * 100))
            if n % 50 == 0:
                time.sleep(0.004)
        session.fence()
        require(not select.select([session.peers["peer"]], [], [], 0.05)[0], "something reaches the peer")
        lab.until("drops are counted", 3, lambda: sum(drops().values()) - before >= 19000)
        relay_lost_nothing(steady)
    nothing_left()


@case("lying_lengths", "length fields that lie, over UDP, TCP and TLS", config="attacks")
def _():
    with SteadyRelay() as steady, memory_is_flat(2048):
        with client() as session:
            succeeded(session.allocate(), "Allocate")
            peer = session.peer()
            succeeded(session.bind_channel(0x4000, peer), "ChannelBind")
            for length in (0xFFFF, 0x8000, 1500, 101, 1):
                session.send(stun.channel_data(0x4000, b"x" * 100, length=length))
                for message in list(every_kind_of_message(session, peer))[:-1]:
                    session.send(message[:2] + struct.pack("!H", length) + message[4:])
            session.fence()
        for transport in ("tcp", "tls"):
            for first in (stun.header(3, 0xFFFC, b"lying length"), struct.pack("!HH", 0x4000, 0xFFFF), b"\x00\x03\x00\x03", b"\xff" * 20):
                with client(transport) as session:
                    with contextlib.suppress(Closed, OSError):
                        session.challenge()
                        for _ in range(40):
                            session.send(first + bytes(2000))
                            time.sleep(0.001)
        relay_lost_nothing(steady)
    nothing_left()


def closed_by_server(connections):
    """How many of these sockets the server has closed."""
    closed = 0
    for one in connections:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                closed += not one.recv(4096)
            except ConnectionError:
                closed += 1
    return closed


SLOW_LIMIT_S = 16  # one complete message within 10 s, TLS included


@case("slow_loris", "300 connections that send next to nothing: others are served, these are closed", config="attacks")
def _():
    begun = stun.header(3, 400, b"slow loris!!")
    with SteadyRelay("tcp") as steady, memory_is_flat(16384):
        slow = [tcp_socket(3478) for _ in range(150)] + [tcp_socket(5349) for _ in range(150)]
        start = time.monotonic()
        for n, one in enumerate(slow):
            one.send(begun[:1 + n % 19] if n < 150 else b"\x16\x03\x01\x02\x00\x01"[:1 + n % 6])
        for transport in ("tcp", "tls"):
            with client(transport) as other:
                succeeded(other.allocate(), f"an Allocate over {transport} beside them")
        lab.until("the slow connections are closed", SLOW_LIMIT_S, lambda: drip(slow, start) and closed_by_server(slow) == len(slow), 1)
        for one in slow:
            one.close()
        relay_lost_nothing(steady)
    nothing_left()


def drip(connections, start):
    """One more byte on the first fifty, which are slow rather than silent."""
    for one in connections[:50]:
        with contextlib.suppress(OSError):
            one.send(b"\0")
    return time.monotonic() > start


@case("handshake_only", "100 TLS connections that shake hands and say nothing: others are served", config="attacks")
def _():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with memory_is_flat(16384):
        silent = [context.wrap_socket(tcp_socket(5349)) for _ in range(100)]
        with client("tls") as other:
            succeeded(other.allocate(), "an Allocate beside them")
        for one in silent:
            one.close()
    nothing_left()


@case("slow_reader", "a TCP client that reads nothing of 20 MB: memory bounded, others lose nothing", config="attacks")
def _():
    with SteadyRelay("tcp") as steady, client("tcp") as lazy:
        succeeded(lazy.allocate(), "Allocate")
        peer = lazy.peer()
        succeeded(lazy.bind_channel(0x4000, peer), "ChannelBind")
        with memory_is_flat(4096):
            for n in range(20000):
                lazy.peers["peer"].sendto(bytes(1000), lazy.relayed[0])
                if n % 50 == 0:
                    time.sleep(0.005)
        relay_lost_nothing(steady)
    nothing_left()


@case("port_exhaustion", "no port left: 508; no quota left: 486; both come back", config="small")
def _():
    with lab.more_client_addresses(4) as sources, contextlib.ExitStack() as held:
        def open_for(user, n):
            session = held.enter_context(contextlib.closing(Session(LINEGATE, sources[n % 4])))
            session.user = session.password = user
            return session, session.allocate()

        def outcome(answers):
            return [0 if one.kind == stun.SUCCESS else one.error() for _, one in answers if one is not None]

        first = [open_for("lab", n) for n in range(22)]
        require(outcome(first) == [0] * 20 + [486] * 2, f"with a quota of 20: {outcome(first)}")
        second = [open_for("lab2", n) for n in range(16)]
        require(outcome(second) == [0] * 12 + [508] * 4, f"with 12 ports left: {outcome(second)}")
        ports = [session.relayed[0][1] for session, _ in first + second if session.relayed]
        require(len(set(ports)) == 32, "a port is given twice")
        succeeded(first[0][0].refresh(0), "Refresh 0")
        succeeded(open_for("lab2", 0)[1], "an Allocate after another has ended")
        require(outcome([open_for("lab2", 1)]) == [508], "more ports than there are")
    nothing_left()
