"""STUN and TURN messages for the tests: builds anything, also what no client should send, and reads answers.

Independent of Linegate's own codec on purpose: Python's standard library and the RFCs 8489 and 8656.
"""
import hashlib
import hmac
import ipaddress
import os
import struct
import zlib

COOKIE = 0x2112A442

BINDING, ALLOCATE, REFRESH, SEND, DATA = 0x001, 0x003, 0x004, 0x006, 0x007
CREATE_PERMISSION, CHANNEL_BIND, CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 0x008, 0x009, 0x00A, 0x00B, 0x00C
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3

NAMES = {
    0x0001: "MAPPED-ADDRESS", 0x0002: "RESPONSE-ADDRESS", 0x0003: "CHANGE-REQUEST", 0x0006: "USERNAME",
    0x0008: "MESSAGE-INTEGRITY", 0x0009: "ERROR-CODE", 0x000A: "UNKNOWN-ATTRIBUTES", 0x000C: "CHANNEL-NUMBER",
    0x000D: "LIFETIME", 0x0010: "BANDWIDTH", 0x0012: "XOR-PEER-ADDRESS", 0x0013: "DATA", 0x0014: "REALM", 0x0015: "NONCE",
    0x0016: "XOR-RELAYED-ADDRESS", 0x0017: "REQUESTED-ADDRESS-FAMILY", 0x0018: "EVEN-PORT", 0x0019: "REQUESTED-TRANSPORT",
    0x001A: "DONT-FRAGMENT", 0x001B: "ACCESS-TOKEN", 0x001C: "MESSAGE-INTEGRITY-SHA256", 0x001D: "PASSWORD-ALGORITHM", 0x001E: "USERHASH",
    0x0020: "XOR-MAPPED-ADDRESS", 0x0022: "RESERVATION-TOKEN", 0x0024: "PRIORITY", 0x0025: "USE-CANDIDATE", 0x0026: "PADDING",
    0x0027: "RESPONSE-PORT", 0x002A: "CONNECTION-ID", 0x8000: "ADDITIONAL-ADDRESS-FAMILY", 0x8001: "ADDRESS-ERROR-CODE",
    0x8002: "PASSWORD-ALGORITHMS", 0x8003: "ALTERNATE-DOMAIN", 0x8004: "ICMP", 0x8022: "SOFTWARE", 0x8023: "ALTERNATE-SERVER",
    0x8028: "FINGERPRINT", 0x802B: "RESPONSE-ORIGIN", 0x802C: "OTHER-ADDRESS", 0x802E: "THIRD-PARTY-AUTHORIZATION",
    0x802F: "ORIGIN", 0x8030: "MOBILITY-TICKET"}
TYPES = {name: number for number, name in NAMES.items()}
UDP_TRANSPORT, TCP_TRANSPORT = 17, 6


def attribute(name, value=b"", length=None):
    """One attribute with its padding. `length` lies about the size of the value."""
    number = name if isinstance(name, int) else TYPES[name]
    return struct.pack("!HH", number, len(value) if length is None else length) + value + bytes(-len(value) % 4)


def number32(name, value):
    return attribute(name, struct.pack("!I", value))


def transport(protocol=UDP_TRANSPORT):
    return attribute("REQUESTED-TRANSPORT", bytes([protocol, 0, 0, 0]))


def family(value, name="REQUESTED-ADDRESS-FAMILY"):
    return attribute(name, bytes([value, 0, 0, 0]))


def lifetime(seconds):
    return number32("LIFETIME", seconds)


def channel(number):
    return attribute("CHANNEL-NUMBER", struct.pack("!HH", number, 0))


def even_port(reserve=False):
    return attribute("EVEN-PORT", bytes([0x80 if reserve else 0]))


def xor_address(name, address, port, transaction):
    packed = ipaddress.ip_address(address).packed
    mask = struct.pack("!I", COOKIE) + transaction
    body = bytes(a ^ b for a, b in zip(packed, mask))
    return attribute(name, struct.pack("!BBH", 0, 1 if len(packed) == 4 else 2, port ^ (COOKIE >> 16)) + body)


def message_type(method, kind):
    return (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF | (kind & 2) << 7 | (kind & 1) << 4


def header(kind_and_method, length, transaction, cookie=COOKIE):
    return struct.pack("!HHI", kind_and_method, length, cookie) + transaction


def with_length(message, extra=0):
    return message[:2] + struct.pack("!H", len(message) - 20 + extra) + message[4:]


def add_integrity(message, key, name="MESSAGE-INTEGRITY"):
    digest, size = (hashlib.sha1, 20) if name == "MESSAGE-INTEGRITY" else (hashlib.sha256, 32)
    code = hmac.new(key, with_length(message, 4 + size), digest).digest()
    return with_length(message + attribute(name, code))


def add_fingerprint(message, wrong=False):
    value = zlib.crc32(with_length(message, 8)) ^ 0x5354554E ^ (1 if wrong else 0)
    return with_length(message + number32("FINGERPRINT", value))


def new_transaction():
    return os.urandom(12)


def long_term_key(user, realm, password, algorithm="md5"):
    return hashlib.new(algorithm, f"{user}:{realm}:{password}".encode()).digest()


def channel_data(number, data, length=None, padded=False):
    framed = struct.pack("!HH", number, len(data) if length is None else length) + data
    return framed + (bytes(-len(data) % 4) if padded else b"")


class Message:
    """A received STUN message; raises ValueError for anything that is not exactly one."""

    def __init__(self, data):
        if len(data) < 20 or data[0] & 0xC0 or struct.unpack_from("!HI", data, 2) != (len(data) - 20, COOKIE):
            raise ValueError("no STUN message")
        number = struct.unpack_from("!H", data)[0]
        self.data = data
        self.kind = number >> 7 & 2 | number >> 4 & 1
        self.method = number & 0xF | number >> 1 & 0x70 | number >> 2 & 0xF80
        self.transaction = data[8:20]
        self.attributes = []
        at = 20
        while at < len(data):
            kind, length = struct.unpack_from("!HH", data, at)
            if at + 4 + length > len(data):
                raise ValueError("attribute beyond the end")
            self.attributes.append((NAMES.get(kind, f"0x{kind:04x}"), data[at + 4:at + 4 + length], at))
            at += 4 + length + -length % 4

    def get(self, name):
        return next((value for known, value, _ in self.attributes if known == name), None)

    def error(self):
        value = self.get("ERROR-CODE")
        return value[2] % 8 * 100 + value[3] if value and len(value) >= 4 else 0

    def address(self, name, index=0):
        """(ip text, port) of an address attribute, plain or XORed."""
        values = [value for known, value, _ in self.attributes if known == name]
        if index >= len(values):
            return None
        value = values[index]
        port, packed = struct.unpack_from("!H", value, 2)[0], value[4:]
        if name.startswith("XOR-"):
            port ^= COOKIE >> 16
            packed = bytes(a ^ b for a, b in zip(packed, struct.pack("!I", COOKIE) + self.transaction))
        return str(ipaddress.ip_address(packed)), port

    def integrity_ok(self, key):
        """None when the message carries no integrity, else whether the code is right."""
        for name, value, at in self.attributes:
            if name in ("MESSAGE-INTEGRITY", "MESSAGE-INTEGRITY-SHA256"):
                digest = hashlib.sha1 if name == "MESSAGE-INTEGRITY" else hashlib.sha256
                expected = hmac.new(key, with_length(self.data[:at], 4 + len(value)), digest).digest()
                return hmac.compare_digest(expected[:len(value)], value)
        return None

    def fingerprint_ok(self):
        for name, value, at in self.attributes:
            if name == "FINGERPRINT":
                return value == struct.pack("!I", zlib.crc32(with_length(self.data[:at], 8)) ^ 0x5354554E)
        return None
