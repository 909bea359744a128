"""TURN over TCP and TLS: framing, padding, and what does not belong there."""
import struct
import time

import stun
from registry import sequence
from stun import ALLOCATE, BINDING, CONNECT, CONNECTION_BIND


def ready(s):
    s.allocate()
    peer = s.peer()
    s.bind_channel(0x4000, peer)
    return peer


for _transport in ("tcp", "tls"):
    @sequence(f"allocate over {_transport}", transport=_transport)
    def _(s):
        s.allocate()
        s.refresh(1200)
        s.refresh(0)
        s.refresh(600)

    @sequence(f"wrong password over {_transport}", transport=_transport)
    def _(s):
        s.allocate(password="wrong")
        s.allocate()

    @sequence(f"send and data over {_transport}", transport=_transport)
    def _(s):
        s.allocate()
        peer = s.peer()
        s.permit(peer[0])
        s.indicate(peer, b"hello")
        s.peer_gets()
        s.peer_sends(b"from the peer")

    for _size in (0, 1, 4, 5, 1200):
        @sequence(f"channel data of {_size} bytes over {_transport}", transport=_transport)
        def _(s, size=_size):
            ready(s)
            s.send(stun.channel_data(0x4000, b"c" * size, padded=True))
            s.peer_gets()
            s.peer_sends(b"p" * size)

    @sequence(f"byte by byte over {_transport}", transport=_transport)
    def _(s):
        s.challenge()
        transaction = stun.new_transaction()
        message = s.build(ALLOCATE, stun.transport(), transaction=transaction)
        for at in range(len(message) - 1):
            s.send(message[at:at + 1])
        answer = s.exchange(message[-1:], transaction)
        s.allocated = answer is not None and answer.kind == stun.SUCCESS

    @sequence(f"two requests in one segment over {_transport}", transport=_transport)
    def _(s):
        first, second = stun.new_transaction(), stun.new_transaction()
        both = [s.build(BINDING, auth=False, transaction=one) for one in (first, second)]
        s.exchange(b"".join(both), second, "second")
        found = s.from_inbox(first)
        s.note(f"first: {s.describe(found) if found else 'silence'}")

    @sequence(f"several channel data in one segment over {_transport}", transport=_transport)
    def _(s):
        ready(s)
        s.send(b"".join(stun.channel_data(0x4000, b"x" * size, padded=True) for size in (1, 2, 3)))
        for _ in range(3):
            s.peer_gets()

    @sequence(f"text over {_transport}", transport=_transport)
    def _(s):
        s.exchange(b"HELO here I am, no STUN at all\r\n", b"\1" * 12, fenced=False)

    @sequence(f"channel data without allocation over {_transport}", transport=_transport)
    def _(s):
        s.peer()
        s.challenge()
        s.send(stun.channel_data(0x4000, b"hello", padded=True))
        s.peer_gets()


@sequence("channel data without its padding, then a request", transport="tcp")
def _(s):
    ready(s)
    transaction = stun.new_transaction()
    s.exchange(stun.channel_data(0x4000, b"hello") + s.build(BINDING, auth=False, transaction=transaction), transaction, fenced=False)
    time.sleep(0.05)


@sequence("zeros over tcp", transport="tcp")
def _(s):
    s.exchange(bytes(64), b"\1" * 12, fenced=False)


@sequence("wrong magic cookie over tcp", transport="tcp")
def _(s):
    s.exchange(stun.header(1, 0, b"\1" * 12, cookie=0x01020304), b"\1" * 12, fenced=False)


@sequence("length of 65,532 over tcp", transport="tcp")
def _(s):
    s.exchange(stun.header(3, 65532, b"\1" * 12) + bytes(400), b"\1" * 12, fenced=False)


@sequence("channel data of 65,535 bytes announced over tcp", transport="tcp")
def _(s):
    ready(s)
    s.exchange(struct.pack("!HH", 0x4000, 65535) + bytes(400), b"\1" * 12, fenced=False)


@sequence("a second allocate over tcp", transport="tcp")
def _(s):
    s.allocate()
    s.ask(ALLOCATE, stun.transport())


@sequence("tcp relay over tcp", transport="tcp")
def _(s):
    s.ask(ALLOCATE, stun.transport(6))


@sequence("even port over tcp", transport="tcp")
def _(s):
    s.allocate(stun.even_port())


@sequence("dont fragment over tcp", transport="tcp")
def _(s):
    s.allocate(stun.attribute("DONT-FRAGMENT"))


@sequence("connect on a udp allocation", transport="tcp")
def _(s):
    s.allocate()
    s.ask(CONNECT, s.peer_attribute(("10.90.2.2", 5000)))


@sequence("connection bind of an invented connection", transport="tcp")
def _(s):
    s.ask(CONNECTION_BIND, stun.number32("CONNECTION-ID", 12345))


@sequence("allocate over tcp v6", transport="tcp", v6=True)
def _(s):
    s.allocate(stun.family(2))


@sequence("indication with a wrong fingerprint over tcp", transport="tcp")
def _(s):
    s.allocate()
    peer = s.peer()
    s.permit(peer[0])
    s.indicate(peer, b"hello", wrong_fingerprint=True)
    s.peer_gets()
