"""Credentials, Allocate and Refresh."""
import stun
from registry import sequence
from stun import ALLOCATE, REFRESH

# ---- credentials ----------------------------------------------------------------------------------------------------


@sequence("allocate without credentials")
def _(s):
    s.ask(ALLOCATE, stun.transport(), auth=False)
    s.ask(ALLOCATE, stun.transport(), auth=False)


@sequence("allocate without credentials v6", v6=True)
def _(s):
    s.ask(ALLOCATE, stun.transport(), auth=False)


@sequence("allocate without anything")
def _(s):
    s.ask(ALLOCATE, auth=False)


for _missing in ("USERNAME", "REALM", "NONCE", "all but USERNAME"):
    @sequence(f"integrity without {_missing}")
    def _(s, missing=_missing):
        s.challenge()
        parts = {"USERNAME": b"lab", "REALM": s.realm, "NONCE": s.nonce}
        kept = [stun.attribute(n, v) for n, v in parts.items() if (n == "USERNAME" if missing.startswith("all") else n != missing)]
        transaction = stun.new_transaction()
        plain = s.build(ALLOCATE, stun.transport(), *kept, auth=False, transaction=transaction)
        s.exchange(stun.add_integrity(plain, stun.long_term_key("lab", s.realm.decode(), "lab")), transaction)


@sequence("integrity alone")
def _(s):
    transaction = stun.new_transaction()
    s.exchange(stun.add_integrity(s.build(ALLOCATE, stun.transport(), auth=False, transaction=transaction), b"key"), transaction)


@sequence("username, realm and nonce without integrity")
def _(s):
    s.allocate(integrity=None)


@sequence("wrong password")
def _(s):
    s.allocate(password="wrong")
    s.allocate()


@sequence("empty password")
def _(s):
    s.allocate(password="")


@sequence("unknown user")
def _(s):
    s.allocate(user="nobody")


@sequence("empty user")
def _(s):
    s.allocate(user="")


@sequence("user name of 508 bytes")
def _(s):
    s.allocate(user="u" * 508)


@sequence("user name of 600 bytes")
def _(s):
    s.allocate(user="u" * 600)


@sequence("user name that is no UTF-8")
def _(s):
    s.challenge()
    transaction = stun.new_transaction()
    parts = stun.attribute("USERNAME", b"\xff\xfe%s%n") + stun.attribute("REALM", s.realm) + stun.attribute("NONCE", s.nonce)
    plain = s.build(ALLOCATE, stun.transport(), parts, auth=False, transaction=transaction)
    s.exchange(stun.add_integrity(plain, b"x" * 16), transaction)


@sequence("user name in other case")
def _(s):
    s.allocate(user="LAB")


@sequence("another realm")
def _(s):
    s.allocate(realm=b"other.example")


@sequence("invented nonce")
def _(s):
    s.challenge()
    answer = s.allocate(nonce=b"0123456789abcdef")
    s.nonce = answer.get("NONCE") if answer is not None else s.nonce
    s.allocate()


@sequence("empty nonce")
def _(s):
    s.challenge()
    s.allocate(nonce=b"")


@sequence("nonce of 800 bytes")
def _(s):
    s.challenge()
    s.allocate(nonce=b"n" * 800)


@sequence("nonce cut short")
def _(s):
    s.challenge()
    s.allocate(nonce=s.nonce[:-1])


@sequence("nonce of another client")
def _(s):
    s.challenge()
    s.socket.close()
    s.socket = s.open()
    s.allocate()


@sequence("integrity of twenty zeros")
def _(s):
    s.challenge()
    transaction = stun.new_transaction()
    plain = s.build(ALLOCATE, stun.transport(), integrity=None, transaction=transaction)
    s.exchange(stun.with_length(plain + stun.attribute("MESSAGE-INTEGRITY", bytes(20))), transaction)


@sequence("integrity of a wrong length")
def _(s):
    s.challenge()
    transaction = stun.new_transaction()
    plain = s.build(ALLOCATE, stun.transport(), integrity=None, transaction=transaction)
    s.exchange(stun.with_length(plain + stun.attribute("MESSAGE-INTEGRITY", bytes(16))), transaction)


@sequence("sha256 integrity alone")
def _(s):
    s.allocate(integrity="MESSAGE-INTEGRITY-SHA256")


@sequence("attributes behind the integrity are ignored")
def _(s):
    s.allocate(stun.lifetime(700), behind=stun.lifetime(2000))


@sequence("unknown required attribute behind the integrity")
def _(s):
    s.allocate(behind=stun.attribute(0x0042, b"abcd"))


@sequence("requested transport only behind the integrity")
def _(s):
    s.ask(ALLOCATE, behind=stun.transport())


@sequence("fingerprint behind the integrity")
def _(s):
    s.allocate(fingerprint=True)


@sequence("wrong fingerprint behind the integrity")
def _(s):
    s.allocate(wrong_fingerprint=True)


@sequence("the same request again")
def _(s):
    s.challenge()
    transaction = stun.new_transaction()
    first = s.allocate(transaction=transaction)
    again = s.allocate(transaction=transaction)
    if first is not None and again is not None:
        same = first.address("XOR-RELAYED-ADDRESS") == again.address("XOR-RELAYED-ADDRESS")
        s.note("the same relayed address" if same else "another relayed address")


@sequence("a second allocate on one five-tuple")
def _(s):
    s.allocate()
    s.ask(ALLOCATE, stun.transport())
    s.refresh(600)


@sequence("a failed request again")
def _(s):
    s.challenge()
    transaction = stun.new_transaction()
    s.ask(ALLOCATE, transaction=transaction)
    s.ask(ALLOCATE, transaction=transaction)


# ---- what an Allocate may ask for -----------------------------------------------------------------------------------

for _name, _attributes in {
        "no requested transport": [],
        "transport 6 over udp": [stun.transport(6)],
        "transport 1": [stun.transport(1)],
        "transport 255": [stun.transport(255)],
        "two requested transports": [stun.transport(), stun.transport()],
        "two different requested transports": [stun.transport(), stun.transport(6)],
        "requested transport of one byte": [stun.attribute("REQUESTED-TRANSPORT", b"\x11")],
        "requested transport with reserved bytes set": [stun.attribute("REQUESTED-TRANSPORT", b"\x11\1\2\3")],
        "family 1": [stun.transport(), stun.family(1)],
        "family 2": [stun.transport(), stun.family(2)],
        "family 0": [stun.transport(), stun.family(0)],
        "family 3": [stun.transport(), stun.family(3)],
        "family of two bytes": [stun.transport(), stun.attribute("REQUESTED-ADDRESS-FAMILY", b"\1\0")],
        "additional family 2": [stun.transport(), stun.family(2, "ADDITIONAL-ADDRESS-FAMILY")],
        "additional family 2 by the number of an early draft": [stun.transport(), stun.family(2, 0x8032)],
        "additional family 1": [stun.transport(), stun.family(1, "ADDITIONAL-ADDRESS-FAMILY")],
        "additional family 3": [stun.transport(), stun.family(3, "ADDITIONAL-ADDRESS-FAMILY")],
        "family and additional family": [stun.transport(), stun.family(1), stun.family(2, "ADDITIONAL-ADDRESS-FAMILY")],
        "even port": [stun.transport(), stun.even_port()],
        "even port and one reserved": [stun.transport(), stun.even_port(True)],
        "even port of no length": [stun.transport(), stun.attribute("EVEN-PORT")],
        "even port and token": [stun.transport(), stun.even_port(), stun.attribute("RESERVATION-TOKEN", b"12345678")],
        "reservation and additional family": [stun.transport(), stun.even_port(True), stun.family(2, "ADDITIONAL-ADDRESS-FAMILY")],
        "family and token": [stun.transport(), stun.family(1), stun.attribute("RESERVATION-TOKEN", b"12345678")],
        "unknown token": [stun.transport(), stun.attribute("RESERVATION-TOKEN", b"12345678")],
        "token of a wrong length": [stun.transport(), stun.attribute("RESERVATION-TOKEN", b"1234")],
        "even port, family 2": [stun.transport(), stun.family(2), stun.even_port()],
        "dont fragment": [stun.transport(), stun.attribute("DONT-FRAGMENT")],
        "unknown required attribute": [stun.transport(), stun.attribute(0x0042, b"abcd")],
        "two unknown required attributes": [stun.transport(), stun.attribute(0x0042, b"abcd"), stun.attribute(0x0043, b"")],
        "unknown optional attribute": [stun.transport(), stun.attribute(0xC123, b"abcd")],
        "bandwidth": [stun.transport(), stun.number32("BANDWIDTH", 1000)],
        "mobility ticket": [stun.transport(), stun.attribute("MOBILITY-TICKET")],
        "origin": [stun.transport(), stun.attribute("ORIGIN", b"https://page.example")],
        "software": [stun.transport(), stun.attribute("SOFTWARE", b"client 1.0")],
        "peer address": [stun.transport(), lambda t: stun.xor_address("XOR-PEER-ADDRESS", "10.90.2.2", 9, t)],
        "channel number": [stun.transport(), stun.channel(0x4000)],
        "data": [stun.transport(), stun.attribute("DATA", b"payload")],
        "use candidate": [stun.transport(), stun.attribute("USE-CANDIDATE")],
}.items():
    @sequence(f"allocate: {_name}")
    def _(s, attributes=tuple(_attributes)):
        answer = s.ask(ALLOCATE, *attributes)
        if answer is not None and answer.kind == stun.SUCCESS:
            s.allocated = True
            if any(isinstance(one, bytes) and one[:2] == b"\0\x18" for one in attributes):
                s.note("even" if answer.address("XOR-RELAYED-ADDRESS")[1] % 2 == 0 else "odd")

for _seconds in (0, 1, 599, 600, 601, 1800, 3600, 3601, 0xFFFFFFFF):
    @sequence(f"allocate for {_seconds} seconds")
    def _(s, seconds=_seconds):
        s.allocate(stun.lifetime(seconds))


@sequence("lifetime of two bytes")
def _(s):
    s.allocate(stun.attribute("LIFETIME", b"\2\0"))


@sequence("two lifetimes")
def _(s):
    s.allocate(stun.lifetime(900), stun.lifetime(1800))


@sequence("allocate v6 client, default family", v6=True)
def _(s):
    s.allocate()


@sequence("allocate v6 client, family 2", v6=True)
def _(s):
    s.allocate(stun.family(2))


@sequence("allocate v6 client, additional family", v6=True)
def _(s):
    s.allocate(stun.family(2, "ADDITIONAL-ADDRESS-FAMILY"))


def reserve(s):
    answer = s.allocate(stun.even_port(True), label="first")
    return answer.get("RESERVATION-TOKEN") if answer is not None else b"????????"


def sibling(s):
    """Another five-tuple of the same client, recorded in the same place."""
    other = type(s)(s.server, (s.source, s.source), s.transport, s.v6)
    other.record = s.record
    return other


@sequence("a reserved port is had with its token")
def _(s):
    token = reserve(s)
    other = sibling(s)
    other.allocate(stun.attribute("RESERVATION-TOKEN", token), label="second")
    if s.relayed and other.relayed:
        s.note(f"port distance {other.relayed[0][1] - s.relayed[0][1]}")
    other.close()


@sequence("a token is good once")
def _(s):
    token = reserve(s)
    for label in ("second", "third"):
        other = sibling(s)
        other.allocate(stun.attribute("RESERVATION-TOKEN", token), label=label)
        if label == "third":
            other.close()
        else:
            first = other
    first.close()


@sequence("a token outlives its allocation")
def _(s):
    token = reserve(s)
    s.refresh(0)
    other = sibling(s)
    other.allocate(stun.attribute("RESERVATION-TOKEN", token), label="second")
    other.close()


# ---- Refresh --------------------------------------------------------------------------------------------------------

@sequence("refresh without allocation")
def _(s):
    s.refresh(600)


@sequence("refresh without credentials")
def _(s):
    s.allocate()
    s.refresh(600, auth=False)


for _seconds in (None, 1, 600, 1200, 3600, 7200):
    @sequence(f"refresh for {_seconds} seconds")
    def _(s, seconds=_seconds):
        s.allocate()
        s.refresh(seconds)


@sequence("refresh zero ends it")
def _(s):
    s.allocate()
    s.refresh(0)
    s.refresh(600)
    s.permit("10.90.2.2")


@sequence("refresh zero, the same request again")
def _(s):
    s.allocate()
    transaction = stun.new_transaction()
    s.refresh(0, transaction=transaction)
    s.refresh(0, transaction=transaction)


@sequence("allocate again after refresh zero")
def _(s):
    s.allocate()
    s.refresh(0)
    s.allocate(label="again")


@sequence("refresh with a wrong password")
def _(s):
    s.allocate()
    s.refresh(0, password="wrong")
    s.refresh(600, label="still there")


@sequence("refresh by another user")
def _(s):
    s.allocate()
    s.refresh(0, user="lab2", password="lab2")
    s.refresh(600, label="still there")


@sequence("refresh with a stale nonce")
def _(s):
    s.allocate()
    s.refresh(600, nonce=b"0123456789abcdef")


@sequence("refresh of the right family")
def _(s):
    s.allocate()
    s.refresh(600, stun.family(1))


@sequence("refresh of the wrong family")
def _(s):
    s.allocate()
    s.refresh(600, stun.family(2))


@sequence("refresh of one family of two")
def _(s):
    s.allocate(stun.family(2, "ADDITIONAL-ADDRESS-FAMILY"))
    s.refresh(0, stun.family(2))
    s.refresh(600, label="the other stays")


@sequence("refresh with unknown required attribute")
def _(s):
    s.allocate()
    s.refresh(600, stun.attribute(0x0042, b"abcd"))


@sequence("refresh with lifetime behind the integrity")
def _(s):
    s.allocate()
    s.ask(REFRESH, behind=stun.lifetime(0))
    s.refresh(600, label="still there")
