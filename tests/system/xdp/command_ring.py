"""Commands of a control plane, written into the shared memory of a running dataplane (dataplane/abi/LAYOUT.md)."""
import ipaddress
import mmap
import os
import struct

_COMMAND_RING = 4096  # worker 0
_TAIL, _RECORDS, _CAPACITY = 0, 384, 1 << 18
PROGRAM_RELAY, SET_RELAY_PEER = 5, 6


def address(text, port):
    """abi::SocketAddress."""
    packed = ipaddress.ip_address(text).packed
    return struct.pack("!BBH16s", 4 if len(packed) == 4 else 6, 0, port, packed)


def next_hop(mac):
    """abi::NextHop by port 0."""
    return struct.pack("<HH6sBB", 0, 0, bytes.fromhex(mac.replace(":", "")), 1, 0)


class CommandRing:
    def __init__(self, runtime):
        file = os.open(f"{runtime}/link", os.O_RDWR)
        self.memory = mmap.mmap(file, os.fstat(file).st_size)
        os.close(file)
        self.sequence = 0

    def write(self, kind, body, relay=0):
        self.sequence += 1
        header = struct.pack("<QIIHHI", self.sequence, relay, 1, 0, 0, 0)
        record = struct.pack("<II", 8 + len(header) + len(body), kind) + header + body
        record += bytes(-len(record) % 8)
        tail, = struct.unpack_from("<Q", self.memory, _COMMAND_RING + _TAIL)
        at = _COMMAND_RING + _RECORDS + tail % _CAPACITY
        self.memory[at:at + len(record)] = record
        struct.pack_into("<Q", self.memory, _COMMAND_RING + _TAIL, tail + len(record))

    def program_relay(self, listener, client, relayed, mac):
        """Each a pair (address, port)."""
        body = struct.pack("<BBHI", 1, 0, 0, 0) + address(*listener) + address(*client) + next_hop(mac)
        self.write(PROGRAM_RELAY, body + address(*relayed) + bytes(20 + 4))

    def set_peer(self, index, peer, channel, mac):
        body = struct.pack("<I", index) + address(*peer) * 2 + struct.pack("<HBB", channel, 1, 0)
        self.write(SET_RELAY_PEER, body + next_hop(mac) + bytes(4))

    def close(self):
        self.memory.close()
