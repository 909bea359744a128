"""ICMP errors about what a relay sends reach its client (RFC 8656 section 11.5), for permitted peers alone."""
import struct

import lab
import stun
from cases import case, client, nothing_left, require, succeeded

CLOSED_PORT = 9
PORT_UNREACHABLE = {False: (3, 3), True: (1, 4)}  # RFC 792, RFC 4443


def error_after(session, send, limit_s=6):
    """Type, code and peer of the first ICMP attribute after `send`, which is repeated: kernels limit their errors."""
    def probe():
        send()
        while (data := session.receive(0.3)) is not None:
            if data[0] & 0xC0:
                continue
            message = stun.Message(data)
            value = message.get("ICMP")
            if value is not None:
                require((message.method, message.kind) == (stun.DATA, stun.INDICATION), "ICMP outside of a Data indication")
                require(message.get("DATA") is None, "an ICMP error beside data")
                # 16 bits reserved, 7 bits type, 9 bits code, 32 bits data (RFC 8656 section 18.13).
                word = struct.unpack_from("!H", value, 2)[0]
                return word >> 9, word & 0x1FF, message.address("XOR-PEER-ADDRESS")
        return None
    return lab.until("an ICMP error", limit_s, probe)


def unreachable(transport, v6):
    peer = (lab.PEER6 if v6 else lab.PEER, CLOSED_PORT)
    with client(transport) as session:
        succeeded(session.allocate(stun.transport(), *([stun.family(2)] if v6 else [])), "Allocate")
        succeeded(session.permit(peer[0]), "CreatePermission")
        seen = error_after(session, lambda: session.indicate(peer, b"anybody there?"))
        require(seen == (*PORT_UNREACHABLE[v6], peer), f"the client is told {seen}")
    nothing_left()


@case("icmp_unreachable", "nobody at the peer's port: the client gets the ICMP error, UDP client", config="attacks")
def _():
    unreachable("udp", v6=False)


@case("icmp_unreachable_v6", "the same with IPv6 and a client over TLS", config="attacks")
def _():
    unreachable("tls", v6=True)
