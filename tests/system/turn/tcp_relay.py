"""Relayed TCP (RFC 6062): coturn's client against another relay of the same box, and plain TCP peers behind the server."""
import contextlib
import os
import ssl
import re
import socket
import threading

import lab
import stun
from cases import case, client, nothing_left, require, succeeded
from clients import MESSAGES, STATIC, plain
from session import Closed

BYTES = 1 << 20
PIECE_BYTES = 32768
LIMIT_S = 5

plain("tcp_relay", "relayed TCP, relay to relay", "-T")
plain("tcp_relay_tls", "relayed TCP, the client over TLS", "-T", "-S")
plain("tcp_relay_v6", "relayed TCP, IPv6 relays", "-T", "-x")


@case("uclient_tcp_relay_active_peer", "relayed TCP, the peer connects", beside=True)
def _():
    # The program's own peer takes what it gets for STUN and counts none of it (beside coturn's server, too): only what the
    # peer sent, half of all, can be seen to arrive.
    said = lab.run("web", "turnutils_uclient", *STATIC, "-P", "-n", MESSAGES, "-L", lab.CLIENT, lab.SERVER, timeout=60).stdout
    totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)
    require(totals and tuple(map(int, totals[-1])) == (2 * MESSAGES, MESSAGES), f"sent and received: {totals[-1:]}")


def listener(where, address):
    with lab.inside(where):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.bind((address, 0))
    made.listen(8)
    made.settimeout(LIMIT_S)
    return made


def connect(where, source, target):
    with lab.inside(where):
        made = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    made.settimeout(LIMIT_S)
    made.bind((source, 0))
    made.connect(target)
    return made


def read(stream, size):
    """Up to `size` bytes, all there are before the end."""
    got = bytearray()
    while len(got) < size and (data := stream.recv(min(65536, size - len(got)))):
        got += data
    return bytes(got)


def echo(stream):
    """Sends everything back, then ends its side."""
    with contextlib.suppress(OSError):
        while data := stream.recv(65536):
            stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)


class Data:
    """A client's data connection, bound: a stream of the peer's bytes."""

    def __init__(self, transport, connection_id, v6=False):
        self.kept = contextlib.ExitStack()
        session = self.kept.enter_context(client(transport, v6=v6))
        succeeded(session.ask(stun.CONNECTION_BIND, stun.attribute("CONNECTION-ID", connection_id)), "ConnectionBind")
        self.socket, self.early = session.socket, session.buffer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kept.close()

    def recv(self, size):
        if self.early:
            taken, self.early = self.early[:size], self.early[size:]
            return taken
        return self.socket.recv(size)

    def sendall(self, data):
        self.socket.sendall(data)


def there_and_back(data):
    """A megabyte through the relay to an echoing peer: what returns is what was sent."""
    sent = os.urandom(BYTES)
    if isinstance(data.socket, ssl.SSLSocket):
        # OpenSSL's connection takes one thread at a time: piece by piece.
        returned = b""
        for begin in range(0, BYTES, PIECE_BYTES):
            data.sendall(sent[begin:begin + PIECE_BYTES])
            returned += read(data, PIECE_BYTES)
    else:
        writer = threading.Thread(target=data.sendall, args=(sent,), daemon=True)
        writer.start()
        returned = read(data, BYTES)
        writer.join(LIMIT_S)
    require(returned == sent, f"{len(returned)} of {BYTES} bytes return" + (", altered" if len(returned) == BYTES else ""))


def allocate(session, v6=False):
    succeeded(session.allocate(stun.transport(stun.TCP_TRANSPORT), *([stun.family(2)] if v6 else [])), "Allocate")
    return session.relayed[0]


def permit(session, address):
    succeeded(session.permit(address), f"CreatePermission of {address}")


def ask_to_connect(session, target):
    """The answer comes when the peer has taken the connection: after neighbour discovery, perhaps."""
    transaction = stun.new_transaction()
    session.send(session.build(stun.CONNECT, session.peer_attribute(target), transaction=transaction))
    return session.answer_to(transaction, LIMIT_S)


def attempt_at(session, wait_s=LIMIT_S):
    """The next ConnectionAttempt on a control connection; None: there is none."""
    with contextlib.suppress(Closed):
        while data := session.receive(wait_s):
            message = stun.Message(data)
            if (message.method, message.kind) == (stun.CONNECTION_ATTEMPT, stun.INDICATION):
                return message
    return None


def ends(stream):
    """Whether the other side closes it without another byte."""
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True


def connects(transport, v6=False):
    peer_address = lab.PEER6 if v6 else lab.PEER
    with client(transport) as control, contextlib.closing(listener("sip", peer_address)) as peer:
        relayed = allocate(control, v6)
        answer = succeeded(ask_to_connect(control, peer.getsockname()[:2]), "Connect")
        stream, source = peer.accept()
        stream.settimeout(LIMIT_S)
        with stream, Data(transport, answer.get("CONNECTION-ID")) as data:
            require(source[:2] == relayed, f"the peer sees {source}, the relayed address is {relayed}")
            require(ask_to_connect(control, peer.getsockname()[:2]).error() == 446, "a second Connect to the same peer")
            echoing = threading.Thread(target=echo, args=(stream,), daemon=True)
            echoing.start()
            there_and_back(data)
            stream.shutdown(socket.SHUT_RDWR)
            require(ends(data), "the peer's end does not reach the client")
    nothing_left()


@case("tcp_connect", "relayed TCP: Connect to a plain TCP peer, a megabyte there and back", config="attacks")
def _():
    connects("tcp")


@case("tcp_connect_tls", "relayed TCP: the same for a client over TLS, IPv6 peer", config="attacks")
def _():
    connects("tls", v6=True)


def attempted(transport):
    with client(transport) as control:
        relayed = allocate(control)
        with contextlib.closing(connect("sip", lab.PEER, relayed)) as stranger:
            require(ends(stranger), "a peer without permission is let in")
        require(attempt_at(control, 0.1) is None, "the client hears of a peer that it did not permit")
        permit(control, lab.PEER)
        with contextlib.closing(connect("sip", lab.PEER, relayed)) as peer:
            peer.sendall(b"first words")  # before anybody has bound the connection
            attempt = attempt_at(control)
            require(attempt is not None, "no ConnectionAttempt")
            seen = attempt.address("XOR-PEER-ADDRESS")
            require(seen == peer.getsockname()[:2], f"ConnectionAttempt names {seen}, the peer is {peer.getsockname()}")
            with Data(transport, attempt.get("CONNECTION-ID")) as data:
                require(read(data, 11) == b"first words", "what the peer said first is lost")
                echoing = threading.Thread(target=echo, args=(peer,), daemon=True)
                echoing.start()
                there_and_back(data)
        # The client's end reaches the peer.
        with contextlib.closing(connect("sip", lab.PEER, relayed)) as peer:
            with Data(transport, attempt_at(control).get("CONNECTION-ID")) as data:
                data.sendall(b"bye")
            require(read(peer, 100) == b"bye", "the client's last words, and then the end")
    nothing_left()


@case("tcp_attempt", "relayed TCP: a plain TCP peer connects, a megabyte there and back", config="attacks")
def _():
    attempted("tcp")


@case("tcp_attempt_tls", "relayed TCP: the same for a client over TLS", config="attacks")
def _():
    attempted("tls")


@case("tcp_own_addresses", "relayed TCP: of our own addresses other relays alone, and those by their own permissions", config="attacks")
def _():
    with client("tcp") as one, client("tcp") as two, client() as udp:
        own, other = allocate(one), allocate(two)
        succeeded(udp.allocate(), "Allocate")
        relay_of_udp = [udp.relayed[0]] if udp.relayed[0][1] != other[1] else []
        # Web, TURN and whatever else listens on this box; its other addresses; the client's own relay.
        closed = [(lab.SERVER, 443), (lab.SERVER, 3478), (lab.SERVER, 5349), ("10.90.1.3", 443), ("10.90.2.1", 5060),
                  ("127.0.0.1", 443), own, *relay_of_udp]
        for target in closed:
            answer = ask_to_connect(one, target)
            require(answer.error() == 403, f"Connect to {target}: {answer.error() or 'success'}")
        # Two has permitted nobody: its listener closes at once.
        answer = succeeded(ask_to_connect(one, other), "Connect to another relay")
        with Data("tcp", answer.get("CONNECTION-ID")) as data:
            require(ends(data), "a relay takes a peer without permission")
        require(attempt_at(two, 0.1) is None, "the other client hears of it")
        permit(two, own[0])
        answer = lab.until("the ended connection is forgotten", 2, lambda: connected(one, other))
        attempt = attempt_at(two)
        require(attempt is not None and attempt.address("XOR-PEER-ADDRESS") == own, "no ConnectionAttempt from the other relay")
        with Data("tcp", answer.get("CONNECTION-ID")) as data, Data("tcp", attempt.get("CONNECTION-ID")) as far:
            echoing = threading.Thread(target=echo, args=(far.socket,), daemon=True)
            echoing.start()
            there_and_back(data)
        succeeded(two.refresh(0), "Refresh")
        require(ask_to_connect(one, other).error() == 403, "a relay that has ended is reached")
    nothing_left()


def connected(session, target):
    answer = ask_to_connect(session, target)
    return answer if answer.kind == stun.SUCCESS else None
