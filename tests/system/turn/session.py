"""One client of a TURN server, one peer, and the record of what the server did: a sequence of the differential test.

Every step appends one line to `record`, made only of what RFC 8489 and 8656 let a client see, so that two servers can be
compared: "success LIFETIME=600 ...", "error 438 NONCE ...", "silence", "closed". That a server stays silent is found
without waiting: a request without credentials goes out behind, and its answer comes after whatever there was to come.
"""
import select
import socket
import ssl
import struct
import time

import lab
import stun
from stun import ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, REQUEST

QUICK_S, FENCE_S, RTO_S, LIMIT_S = 0.06, 0.3, 0.5, 3.0


class Closed(Exception):
    """The server closed the connection."""


class Server:
    """Where a server listens, and for whom: user and password as in scripts/lab.toml."""

    def __init__(self, port, tls_port, v4=lab.SERVER, v6=lab.SERVER6, user="lab", password="lab", realm="lab.example"):
        self.port, self.tls_port, self.v4, self.v6 = port, tls_port, v4, v6
        self.user, self.password, self.realm = user, password, realm


class Session:
    def __init__(self, server, source, transport="udp", v6=False):
        self.server, self.transport, self.v6 = server, transport, v6
        self.remote = (server.v6 if v6 else server.v4, server.tls_port if transport == "tls" else server.port)
        self.source = source[1] if v6 else source[0]
        self.record, self.inbox, self.peers = [], [], {}
        self.buffer = b""
        self.nonce, self.realm = None, server.realm.encode()
        self.key = b""  # of the last request
        self.user, self.password = server.user, server.password
        self.relayed = []
        self.allocated = False
        self.socket = self.open()

    # ---- the transport ------------------------------------------------------------------------------------------

    def open(self):
        if self.transport == "udp":
            made = lab.udp_socket("web", self.source)
            made.connect(self.remote)
            return made
        with lab.inside("web"):
            made = socket.socket(socket.AF_INET6 if self.v6 else socket.AF_INET)
        made.settimeout(LIMIT_S)
        made.bind((self.source, 0))
        made.connect(self.remote)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.transport == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            made = context.wrap_socket(made)
        return made

    def send(self, data):
        try:
            self.socket.send(data) if self.transport == "udp" else self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError, BrokenPipeError):
            if self.transport != "udp":
                raise Closed from None

    def receive(self, wait_s):
        """The next message or ChannelData as bytes; None when there is none in that time."""
        deadline = time.monotonic() + wait_s
        while True:
            if self.transport != "udp":
                whole = self.take_from_stream()
                if whole is not None:
                    return whole
            left = max(0.0, deadline - time.monotonic())
            ready = getattr(self.socket, "pending", lambda: 0)() or select.select([self.socket], [], [], left)[0]
            if not ready:
                return None
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                if self.transport == "udp":
                    continue
                raise Closed from None
            if self.transport == "udp":
                return data
            if not data:
                raise Closed
            self.buffer += data

    def take_from_stream(self):
        if len(self.buffer) < 4:
            return None
        size = struct.unpack_from("!H", self.buffer, 2)[0]
        whole = size + 20 if self.buffer[0] < 0x40 else 4 + size + -size % 4
        if len(self.buffer) < whole:
            return None
        taken, self.buffer = self.buffer[:whole], self.buffer[whole:]
        return taken

    # ---- requests -------------------------------------------------------------------------------------------------

    def build(self, method, *attributes, kind=REQUEST, transaction=None, auth=True, user=None, password=None, realm=None,
              nonce=None, integrity="MESSAGE-INTEGRITY", behind=b"", fingerprint=False, wrong_fingerprint=False, key=None):
        """A message; a function among `attributes` is called with the transaction id. auth False: no credentials; `key`: in
        place of the password's."""
        transaction = transaction or stun.new_transaction()
        body = b"".join(one(transaction) if callable(one) else one for one in attributes)
        user = self.user if user is None else user
        realm = self.realm if realm is None else realm
        nonce = self.nonce if nonce is None else nonce
        if auth:
            body += stun.attribute("USERNAME", user.encode()) + stun.attribute("REALM", realm) + stun.attribute("NONCE", nonce)
        message = stun.with_length(stun.header(stun.message_type(method, kind), 0, transaction) + body)
        if auth and integrity:
            self.key = key or stun.long_term_key(user, realm.decode(), self.password if password is None else password)
            message = stun.add_integrity(message, self.key, integrity)
        message = stun.with_length(message + behind)
        if fingerprint or wrong_fingerprint:
            message = stun.add_fingerprint(message, wrong_fingerprint)
        return message

    def challenge(self):
        """Learns a nonce, as a client does with its first request, retransmitted over UDP (RFC 8489 section 6.2.1: a server
        that a flood keeps busy loses some); not recorded."""
        request = self.build(ALLOCATE, stun.transport(), auth=False, transaction=(first := stun.new_transaction()))
        answer, deadline = None, time.monotonic() + LIMIT_S
        while answer is None and (left := deadline - time.monotonic()) > 0:
            self.send(request)
            answer = self.answer_to(first, min(left, RTO_S) if self.transport == "udp" else left)
        if answer is None or answer.get("NONCE") is None:
            raise RuntimeError("no challenge to an Allocate without credentials")
        self.nonce, self.realm = answer.get("NONCE"), answer.get("REALM")

    def answer_to(self, transaction, wait_s):
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            data = self.receive(left)
            if data is None:
                break
            try:
                message = stun.Message(data)
            except ValueError:
                self.inbox.append(data)
                continue
            if message.transaction == transaction:
                return message
            self.inbox.append(data)
        return None

    def fence(self):
        """Returns when the server has answered something sent now; its other answers are in the inbox by then."""
        first = stun.new_transaction()
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            self.send(self.build(ALLOCATE, stun.transport(), auth=False, transaction=first))
            if self.answer_to(first, FENCE_S):
                return
        raise RuntimeError("the server does not answer any more")

    def exchange(self, data, transaction, label="", fenced=True):
        """Sends, records what came back for `transaction`, returns that message."""
        answer, outcome = None, "silence"
        try:
            self.send(data)
            answer = self.answer_to(transaction, QUICK_S)
            if answer is None and fenced:
                self.fence()
                answer = self.from_inbox(transaction)
            if answer is not None:
                outcome = self.describe(answer)
        except ValueError:
            outcome = "an answer without magic cookie"
        except Closed:
            outcome = "closed"
        self.note(f"{label}: {outcome}" if label else outcome)
        return answer

    def from_inbox(self, transaction):
        for data in self.inbox:
            if len(data) >= 20 and data[8:20] == transaction:
                self.inbox.remove(data)
                return stun.Message(data)
        return None

    def ask(self, method, *attributes, label="", **options):
        if options.get("auth", True) and self.nonce is None and options.get("nonce") is None:
            self.challenge()
        transaction = options.pop("transaction", None) or stun.new_transaction()
        return self.exchange(self.build(method, *attributes, transaction=transaction, **options), transaction, label)

    def note(self, line):
        self.record.append(line)

    # ---- what a client usually does, recorded like everything else ------------------------------------------------

    def allocate(self, *attributes, **options):
        if not attributes or not any(one[:2] == b"\0\x19" for one in attributes if isinstance(one, bytes)):
            attributes = (stun.transport(), *attributes)
        answer = self.ask(ALLOCATE, *attributes, **options)
        if answer is not None and answer.kind == stun.SUCCESS:
            self.relayed = [one for one in (answer.address("XOR-RELAYED-ADDRESS", n) for n in (0, 1)) if one]
            self.allocated = True
        return answer

    def refresh(self, seconds=None, *attributes, **options):
        return self.ask(REFRESH, *([stun.lifetime(seconds)] if seconds is not None else []), *attributes, **options)

    def permit(self, *addresses, **options):
        return self.ask(CREATE_PERMISSION, *(self.peer_attribute(one) for one in addresses), **options)

    def bind_channel(self, number, address, *attributes, **options):
        return self.ask(CHANNEL_BIND, stun.channel(number), self.peer_attribute(address), *attributes, **options)

    @staticmethod
    def peer_attribute(address):
        """XOR-PEER-ADDRESS of "ip" (port 0) or (ip, port)."""
        where, port = (address, 0) if isinstance(address, str) else address
        return lambda transaction: stun.xor_address("XOR-PEER-ADDRESS", where, port, transaction)

    def indicate(self, address, data, *attributes, **options):
        """A Send indication; what it does shows at the peer."""
        parts = [self.peer_attribute(address)] if address else []
        parts += [stun.attribute("DATA", data)] if data is not None else []
        self.send(self.build(stun.SEND, *parts, *attributes, kind=stun.INDICATION, auth=False, **options))

    # ---- the peer -------------------------------------------------------------------------------------------------

    def peer(self, v6=False, name="peer"):
        """(ip, port) of a peer's own socket behind the server."""
        if name not in self.peers:
            self.peers[name] = lab.udp_socket("sip", lab.PEER6 if v6 else lab.PEER)
        return self.peers[name].getsockname()[:2]

    def peer_gets(self, name="peer", label="peer"):
        """Records the next datagram at the peer: its size and whether it came from the relayed address."""
        self.guard(self.fence)
        if not select.select([self.peers[name]], [], [], QUICK_S)[0]:
            return self.note(f"{label} gets nothing")
        data, source = self.peers[name].recvfrom(65536)
        whose = "the relayed address" if source[:2] in self.relayed else "another address"
        return self.note(f"{label} gets {len(data)} bytes from {whose}")

    def peer_sends(self, data, name="peer", to=0, label="client"):
        """The peer sends to the relayed address; records what the client gets."""
        self.inbox.clear()
        where, port = self.relayed[to]
        self.peers[name].sendto(data, (where, port))
        try:
            arrived = self.receive(QUICK_S)
            if arrived is None:
                self.fence()
                arrived = self.inbox.pop(0) if self.inbox else None
        except Closed:
            return self.note(f"{label}: closed")
        return self.note(f"{label} gets {self.describe_data(arrived, name)}")

    def describe_data(self, data, name):
        if data is None:
            return "nothing"
        if data[0] & 0xC0 == 0x40:
            number, size = struct.unpack_from("!HH", data)
            return f"ChannelData 0x{number:04x}, {size} bytes"
        message = stun.Message(data)
        known = message.address("XOR-PEER-ADDRESS") == self.peers[name].getsockname()[:2]
        names = " ".join(sorted(one for one, _, _ in message.attributes))
        return f"method {message.method} kind {message.kind}, {len(message.get('DATA') or b'')} bytes, {names}" + (
            "" if known else " (not the peer's address)")

    def guard(self, step):
        """Runs a step whose only interesting outcome is a closed connection."""
        try:
            step()
        except Closed:
            self.note("closed")

    # ---- answers as text ------------------------------------------------------------------------------------------

    def describe(self, message):
        words = []
        for name, value, _ in message.attributes:
            words.append(self.describe_attribute(message, name, value))
        kind = {stun.SUCCESS: "success", stun.ERROR: f"error {message.error()}"}.get(message.kind, f"kind {message.kind}")
        wrong = [text for text, ok in (
            ("wrong integrity", message.integrity_ok(self.key)),
            ("wrong fingerprint", message.fingerprint_ok())) if ok is False]
        return " ".join([kind, *sorted(words), *wrong])

    def describe_attribute(self, message, name, value):
        if name == "LIFETIME":
            return f"LIFETIME={struct.unpack('!I', value)[0]}"
        if name == "UNKNOWN-ATTRIBUTES":
            return "UNKNOWN-ATTRIBUTES=" + ",".join(sorted(value[n:n + 2].hex() for n in range(0, len(value), 2)))
        if name in ("XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"):
            ours = self.socket.getsockname()[:2]
            return name if message.address(name) == ours else f"{name}(wrong)"
        if name == "XOR-RELAYED-ADDRESS":
            return f"XOR-RELAYED-ADDRESS({'v6' if value[1] == 2 else 'v4'})"
        if name == "ADDRESS-ERROR-CODE":
            return f"ADDRESS-ERROR-CODE(family {value[0]}, {value[2] % 8 * 100 + value[3]})"
        return name

    def close(self):
        """Leaves nothing behind in the server: not recorded."""
        try:
            if self.allocated and self.nonce:
                self.send(self.build(REFRESH, stun.lifetime(0), transaction=(last := stun.new_transaction())))
                self.answer_to(last, LIMIT_S)
        except (Closed, OSError, RuntimeError):
            pass
        for one in (self.socket, *self.peers.values()):
            one.close()
