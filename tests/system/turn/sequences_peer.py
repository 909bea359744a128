"""Permissions, channels, indications and ChannelData."""
import stun
from registry import sequence
from stun import ALLOCATE, BINDING, CHANNEL_BIND, CREATE_PERMISSION, DATA, INDICATION, REQUEST, SEND

# ---- CreatePermission -----------------------------------------------------------------------------------------------


@sequence("permission without allocation")
def _(s):
    s.permit("10.90.2.2")


@sequence("permission without credentials")
def _(s):
    s.allocate()
    s.permit("10.90.2.2", auth=False)


@sequence("permission with a wrong password")
def _(s):
    s.allocate()
    s.permit("10.90.2.2", password="wrong")


@sequence("permission by another user")
def _(s):
    s.allocate()
    s.permit("10.90.2.2", user="lab2", password="lab2")


@sequence("permission for nobody")
def _(s):
    s.allocate()
    s.permit()


for _name, _addresses in {
        "one peer": ["10.90.2.2"], "one peer and port": [("10.90.2.2", 5000)],
        "five peers": [f"10.90.2.{n}" for n in range(2, 7)], "one peer twice": ["10.90.2.2", "10.90.2.2"],
        "a v6 peer on a v4 allocation": ["fd90:2::2"], "peers of both families": ["10.90.2.2", "fd90:2::2"],
        "loopback": ["127.0.0.1"], "the network 127": ["127.8.9.10"], "0.0.0.0": ["0.0.0.0"], "0.1.2.3": ["0.1.2.3"],
        "broadcast": ["255.255.255.255"], "multicast": ["224.0.0.251"], "class E": ["240.0.0.1"],
        "link-local": ["169.254.3.4"], "cloud metadata": ["169.254.169.254"], "carrier NAT": ["100.64.0.1"],
        "private 10": ["10.1.2.3"], "private 172.16": ["172.16.5.6"], "private 192.168": ["192.168.1.1"],
        "a good peer and a forbidden one": ["10.90.2.2", "127.0.0.1"]}.items():
    @sequence(f"permission for {_name}")
    def _(s, addresses=tuple(_addresses)):
        s.allocate()
        s.permit(*addresses)

for _name, _address in {
        "a v6 peer": "fd90:2::2", "a v4 peer on a v6 allocation": "10.90.2.2", "loopback v6": "::1", "unspecified v6": "::",
        "mapped loopback": "::ffff:127.0.0.1", "mapped metadata": "::ffff:169.254.169.254", "compatible loopback": "::127.0.0.1",
        "nat64 loopback": "64:ff9b::7f00:1", "6to4 loopback": "2002:7f00:1::1", "teredo": "2001:0:1:2:3:4:80ff:fffe",
        "link-local v6": "fe80::1", "unique local": "fd12::1", "multicast v6": "ff02::1",
        "mapped allowed peer": "::ffff:10.90.2.2"}.items():
    @sequence(f"permission on a v6 allocation for {_name}")
    def _(s, address=_address):
        s.allocate(stun.family(2))
        s.permit(address)


@sequence("permission with an address of a wrong length")
def _(s):
    s.allocate()
    s.ask(CREATE_PERMISSION, stun.attribute("XOR-PEER-ADDRESS", b"\0\1\1\1"))


@sequence("permission with an address of family 3")
def _(s):
    s.allocate()
    s.ask(CREATE_PERMISSION, stun.attribute("XOR-PEER-ADDRESS", b"\0\3\1\1abcd"))


@sequence("permission with unknown required attribute")
def _(s):
    s.allocate()
    s.ask(CREATE_PERMISSION, s.peer_attribute("10.90.2.2"), stun.attribute(0x0042, b""))


@sequence("permission, the same request again")
def _(s):
    s.allocate()
    transaction = stun.new_transaction()
    s.permit("10.90.2.2", transaction=transaction)
    s.permit("10.90.2.2", transaction=transaction)


@sequence("peers of both families on a dual allocation")
def _(s):
    s.allocate(stun.family(2, "ADDITIONAL-ADDRESS-FAMILY"))
    s.permit("10.90.2.2", "fd90:2::2")


# ---- ChannelBind ----------------------------------------------------------------------------------------------------

@sequence("channel without allocation")
def _(s):
    s.bind_channel(0x4000, ("10.90.2.2", 5000))


@sequence("channel without credentials")
def _(s):
    s.allocate()
    s.bind_channel(0x4000, ("10.90.2.2", 5000), auth=False)


@sequence("channel by another user")
def _(s):
    s.allocate()
    s.bind_channel(0x4000, ("10.90.2.2", 5000), user="lab2", password="lab2")


@sequence("channel bind without number")
def _(s):
    s.allocate()
    s.ask(CHANNEL_BIND, s.peer_attribute(("10.90.2.2", 5000)))


@sequence("channel bind without peer")
def _(s):
    s.allocate()
    s.ask(CHANNEL_BIND, stun.channel(0x4000))


for _number in (0, 0x3FFF, 0x4000, 0x4FFF, 0x5000, 0x7FFE, 0x7FFF, 0xFFFF):
    @sequence(f"channel 0x{_number:04x}")
    def _(s, number=_number):
        s.allocate()
        s.bind_channel(number, ("10.90.2.2", 5000))


@sequence("channel number of two bytes")
def _(s):
    s.allocate()
    s.ask(CHANNEL_BIND, stun.attribute("CHANNEL-NUMBER", b"\x40\0"), s.peer_attribute(("10.90.2.2", 5000)))


@sequence("channel bound again to the same peer")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 5000))
    s.bind_channel(0x4001, ("10.90.2.2", 5000))


@sequence("channel bound to another peer")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 5000))
    s.bind_channel(0x4001, ("10.90.2.2", 5001))


@sequence("second channel for the same peer")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 5000))
    s.bind_channel(0x4002, ("10.90.2.2", 5000))


@sequence("two channels for two ports")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 5000))
    s.bind_channel(0x4002, ("10.90.2.2", 5001))


@sequence("channel to port 0")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 0))


@sequence("channel to loopback")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("127.0.0.1", 5000))


@sequence("channel to a v6 peer on a v4 allocation")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("fd90:2::2", 5000))


@sequence("channel bind, the same request again")
def _(s):
    s.allocate()
    transaction = stun.new_transaction()
    s.bind_channel(0x4001, ("10.90.2.2", 5000), transaction=transaction)
    s.bind_channel(0x4001, ("10.90.2.2", 5000), transaction=transaction)


@sequence("channel bind with lifetime")
def _(s):
    s.allocate()
    s.bind_channel(0x4001, ("10.90.2.2", 5000), stun.lifetime(30))


# ---- indications ----------------------------------------------------------------------------------------------------

def ready(s, v6=False, *attributes):
    """An allocation with a permission for the peer's address; returns the peer's address and port."""
    s.allocate(*([stun.family(2)] if v6 else []), *attributes)
    peer = s.peer(v6)
    s.permit(peer[0])
    return peer


@sequence("send with permission")
def _(s):
    s.indicate(ready(s), b"hello")
    s.peer_gets()


@sequence("send without permission")
def _(s):
    s.allocate()
    s.indicate(s.peer(), b"hello")
    s.peer_gets()


@sequence("send without allocation")
def _(s):
    s.challenge()
    s.indicate(s.peer(), b"hello")
    s.peer_gets()


for _size in (0, 1, 3, 1200):
    @sequence(f"send {_size} bytes")
    def _(s, size=_size):
        s.indicate(ready(s), b"d" * size)
        s.peer_gets()


@sequence("send without data")
def _(s):
    s.indicate(ready(s), None)
    s.peer_gets()


@sequence("send without peer")
def _(s):
    ready(s)
    s.indicate(None, b"hello")
    s.peer_gets()


@sequence("send with dont fragment")
def _(s):
    s.indicate(ready(s), b"hello", stun.attribute("DONT-FRAGMENT"))
    s.peer_gets()


@sequence("send with unknown required attribute")
def _(s):
    s.indicate(ready(s), b"hello", stun.attribute(0x0042, b"abcd"))
    s.peer_gets()


@sequence("send with unknown optional attribute")
def _(s):
    s.indicate(ready(s), b"hello", stun.attribute(0xC123, b"abcd"))
    s.peer_gets()


@sequence("send with fingerprint")
def _(s):
    s.indicate(ready(s), b"hello", fingerprint=True)
    s.peer_gets()


@sequence("send with wrong fingerprint")
def _(s):
    s.indicate(ready(s), b"hello", wrong_fingerprint=True)
    s.peer_gets()


@sequence("send to another port of a permitted address")
def _(s):
    ready(s)
    s.indicate(s.peer(name="second"), b"hello")
    s.peer_gets("second")


@sequence("send after refresh zero")
def _(s):
    peer = ready(s)
    s.refresh(0)
    s.indicate(peer, b"hello")
    s.peer_gets()


@sequence("send whose attribute lies about its length")
def _(s):
    peer = ready(s)
    parts = [s.peer_attribute(peer), stun.attribute("DATA", b"hello", length=200)]
    s.send(s.build(SEND, *parts, kind=INDICATION, auth=False))
    s.peer_gets()


@sequence("send as a request")
def _(s):
    peer = ready(s)
    s.ask(SEND, s.peer_attribute(peer), stun.attribute("DATA", b"hello"), kind=REQUEST)
    s.peer_gets()


@sequence("data indication from the client")
def _(s):
    peer = ready(s)
    s.send(s.build(DATA, s.peer_attribute(peer), stun.attribute("DATA", b"hello"), kind=INDICATION, auth=False))
    s.peer_gets()


@sequence("peer sends with permission")
def _(s):
    ready(s)
    s.peer_sends(b"from the peer")


@sequence("peer sends without permission")
def _(s):
    s.allocate()
    s.peer()
    s.peer_sends(b"from the peer")


@sequence("peer sends nothing at all")
def _(s):
    ready(s)
    s.peer_sends(b"")


@sequence("peer sends from another port")
def _(s):
    ready(s)
    s.peer(name="second")
    s.peer_sends(b"from the peer", name="second")


@sequence("peer sends after refresh zero")
def _(s):
    ready(s)
    s.refresh(0)
    s.peer_sends(b"from the peer")


@sequence("peer sends a binding request")
def _(s):
    ready(s)
    s.peer_sends(s.build(BINDING, auth=False))


@sequence("v6 peer, v4 client")
def _(s):
    peer = ready(s, True)
    s.indicate(peer, b"hello")
    s.peer_gets()
    s.peer_sends(b"from the peer")


@sequence("v4 peer, v6 client", v6=True)
def _(s):
    peer = ready(s)
    s.indicate(peer, b"hello")
    s.peer_gets()
    s.peer_sends(b"from the peer")


@sequence("v6 peer, v6 client", v6=True)
def _(s):
    peer = ready(s, True)
    s.indicate(peer, b"hello")
    s.peer_gets()
    s.peer_sends(b"from the peer")


# ---- ChannelData ----------------------------------------------------------------------------------------------------

def channelled(s, v6=False):
    s.allocate(*([stun.family(2)] if v6 else []))
    peer = s.peer(v6)
    s.bind_channel(0x4000, peer)
    return peer


for _size in (0, 1, 2, 3, 4, 5, 160, 1200):
    @sequence(f"channel data of {_size} bytes")
    def _(s, size=_size):
        channelled(s)
        s.send(stun.channel_data(0x4000, b"c" * size))
        s.peer_gets()


@sequence("channel data with padding over udp")
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x4000, b"hello", padded=True))
    s.peer_gets()


@sequence("channel data whose length is too long")
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x4000, b"hello", length=200))
    s.peer_gets()


@sequence("channel data whose length is shorter than the datagram")
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x4000, b"hello world!", length=4))
    s.peer_gets()


@sequence("channel data of two bytes in all")
def _(s):
    channelled(s)
    s.send(b"\x40\x00")
    s.peer_gets()


@sequence("channel data on an unbound channel")
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x4001, b"hello"))
    s.peer_gets()


@sequence("channel data outside the range")
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x5000, b"hello"))
    s.peer_gets()


@sequence("channel data without allocation")
def _(s):
    s.challenge()
    s.peer()
    s.send(stun.channel_data(0x4000, b"hello"))
    s.peer_gets()


@sequence("channel data after refresh zero")
def _(s):
    channelled(s)
    s.refresh(0)
    s.send(stun.channel_data(0x4000, b"hello"))
    s.peer_gets()


@sequence("a channel serves the peer, too")
def _(s):
    channelled(s)
    s.peer_sends(b"from the peer")


@sequence("a channel permits every port of its peer")
def _(s):
    channelled(s)
    s.peer(name="second")
    s.peer_sends(b"from the peer", name="second")
    s.indicate(s.peer(name="second"), b"hello")
    s.peer_gets("second")


@sequence("send to a peer that has a channel")
def _(s):
    s.indicate(channelled(s), b"hello")
    s.peer_gets()


@sequence("channel, v6 peer, v4 client")
def _(s):
    channelled(s, True)
    s.send(stun.channel_data(0x4000, b"hello"))
    s.peer_gets()
    s.peer_sends(b"from the peer")


@sequence("channel, v4 peer, v6 client", v6=True)
def _(s):
    channelled(s)
    s.send(stun.channel_data(0x4000, b"hello"))
    s.peer_gets()
    s.peer_sends(b"from the peer")


@sequence("channel, v6 peer, v6 client", v6=True)
def _(s):
    channelled(s, True)
    s.send(stun.channel_data(0x4000, b"hello"))
    s.peer_gets()
    s.peer_sends(b"from the peer")


for _method in (0x000, 0x002, 0x005, 0x00A, 0x00B, 0x00C, 0x01F, 0x080, 0xFFF):
    @sequence(f"request of method 0x{_method:03x} with an allocation")
    def _(s, method=_method):
        s.allocate()
        s.ask(method)


@sequence("binding on a five-tuple with an allocation")
def _(s):
    s.allocate()
    s.ask(BINDING, auth=False)
    s.ask(ALLOCATE, stun.transport(), auth=False, label="no credentials")
