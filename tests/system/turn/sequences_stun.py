"""Binding requests, behaviour discovery, and everything that is not quite STUN."""
import struct

import stun
from registry import sequence
from stun import ALLOCATE, BINDING, ERROR, INDICATION, REQUEST, SUCCESS


def bound(s, *attributes, **options):
    return s.ask(BINDING, *attributes, auth=False, **options)


def raw(s, data, transaction=b"\1" * 12, label=""):
    return s.exchange(data, transaction, label)


@sequence("binding")
def _(s):
    bound(s)


@sequence("binding v6", v6=True)
def _(s):
    bound(s)


@sequence("binding tcp", transport="tcp")
def _(s):
    bound(s)
    bound(s)


@sequence("binding tls", transport="tls")
def _(s):
    bound(s)


@sequence("binding tcp v6", transport="tcp", v6=True)
def _(s):
    bound(s)


@sequence("binding with fingerprint")
def _(s):
    bound(s, fingerprint=True)


@sequence("binding with wrong fingerprint")
def _(s):
    bound(s, wrong_fingerprint=True)


@sequence("binding with software")
def _(s):
    bound(s, stun.attribute("SOFTWARE", b"a client"))


@sequence("binding with long software")
def _(s):
    bound(s, stun.attribute("SOFTWARE", b"x" * 800))


@sequence("binding with username and integrity")
def _(s):
    s.ask(BINDING)


@sequence("binding with integrity, wrong password")
def _(s):
    s.ask(BINDING, password="nonsense")


@sequence("binding with username alone")
def _(s):
    bound(s, stun.attribute("USERNAME", b"lab"))


for _name, _numbers in (("one", [0x0042]), ("two", [0x0042, 0x7FFF]), ("six", [0x0031 + n for n in range(6)])):
    @sequence(f"binding with {_name} unknown required attributes")
    def _(s, numbers=_numbers):
        bound(s, *(stun.attribute(n, b"abcd") for n in numbers))


@sequence("binding with an unknown optional attribute")
def _(s):
    bound(s, stun.attribute(0xC123, b"abcde"))


@sequence("binding with an unknown required attribute of no length")
def _(s):
    bound(s, stun.attribute(0x0042))


@sequence("binding with an address of the client inside")
def _(s):
    bound(s, lambda t: stun.xor_address("XOR-MAPPED-ADDRESS", "192.0.2.1", 7, t))


@sequence("binding without magic cookie")
def _(s):
    raw(s, stun.header(stun.message_type(BINDING, REQUEST), 0, b"\1" * 12, cookie=0x01020304))


@sequence("binding with length not a multiple of four")
def _(s):
    raw(s, stun.header(1, 3, b"\1" * 12) + b"abc")


@sequence("binding with length beyond the datagram")
def _(s):
    raw(s, stun.header(1, 400, b"\1" * 12))


@sequence("binding with length of zero and bytes behind")
def _(s):
    raw(s, stun.header(1, 0, b"\1" * 12) + b"abcdefgh")


@sequence("binding with an attribute beyond the end")
def _(s):
    raw(s, stun.with_length(stun.header(1, 0, b"\1" * 12) + stun.attribute("SOFTWARE", b"abcd", length=100)))


@sequence("binding with half an attribute header")
def _(s):
    raw(s, stun.header(1, 2, b"\1" * 12) + b"\x80\x22")


@sequence("binding cut at every length")
def _(s):
    whole = s.build(BINDING, stun.attribute("SOFTWARE", b"abcd"), auth=False, transaction=b"\1" * 12)
    for size in range(len(whole)):
        s.send(whole[:size])
    s.guard(s.fence)
    s.note(f"answered: {sum(1 for data in s.inbox if data[8:20] == b'1' * 12)}")


@sequence("first bits 10")
def _(s):
    raw(s, b"\x80" + stun.header(1, 0, b"\1" * 12)[1:])


@sequence("first bits 11")
def _(s):
    raw(s, b"\xc0" + stun.header(1, 0, b"\1" * 12)[1:])


@sequence("empty datagram")
def _(s):
    raw(s, b"")


@sequence("one byte")
def _(s):
    raw(s, b"\0")


@sequence("text")
def _(s):
    raw(s, b"GET / HTTP/1.1\r\nHost: turn\r\n\r\n")


@sequence("binding of the largest size")
def _(s):
    bound(s, *(stun.attribute("SOFTWARE", b"y" * 124) for _ in range(10)))


@sequence("binding indication")
def _(s):
    bound(s, kind=INDICATION)


@sequence("binding success from the client")
def _(s):
    bound(s, kind=SUCCESS)


@sequence("binding error from the client")
def _(s):
    bound(s, kind=ERROR)


for _method in (0x000, 0x002, 0x005, 0x00A, 0x00B, 0x00C, 0x01F, 0x080, 0xFFF):
    @sequence(f"request of method 0x{_method:03x}, no credentials")
    def _(s, method=_method):
        s.ask(method, auth=False)

    @sequence(f"request of method 0x{_method:03x}, no allocation")
    def _(s, method=_method):
        s.ask(method)

for _kind, _word in ((INDICATION, "indication"), (SUCCESS, "success"), (ERROR, "error")):
    @sequence(f"allocate as {_word}")
    def _(s, kind=_kind):
        s.ask(ALLOCATE, stun.transport(), kind=kind)

for _flags, _word in ((0, "nothing"), (2, "another port"), (4, "another address"), (6, "another address and port")):
    @sequence(f"change request for {_word}")
    def _(s, flags=_flags):
        # What comes from elsewhere does not reach a connected socket: only its absence here is recorded.
        bound(s, stun.attribute("CHANGE-REQUEST", struct.pack("!I", flags)))


@sequence("change request of a wrong length")
def _(s):
    bound(s, stun.attribute("CHANGE-REQUEST", b"\0\0"))


@sequence("change request over tcp", transport="tcp")
def _(s):
    bound(s, stun.attribute("CHANGE-REQUEST", struct.pack("!I", 6)))


@sequence("response port of the client itself")
def _(s):
    bound(s, stun.attribute("RESPONSE-PORT", struct.pack("!HH", s.socket.getsockname()[1], 0)))


@sequence("padding asked for")
def _(s):
    bound(s, stun.attribute("PADDING", bytes(64)))
