"""What the workers of a running dataplane have counted, read from its shared memory (dataplane/abi/LAYOUT.md)."""
import os
import pathlib
import re
import struct

_ABI = pathlib.Path(__file__).resolve().parents[3] / "dataplane/abi"
_FIRST_WORKER, _RING_HEADER = 4096, 384
_RINGS = 2 * ((1 << 18) + _RING_HEADER) + 2 * ((1 << 20) + _RING_HEADER)
_COUNTERS, _DROPS = 128, 128 + 8 * 128


def _ids(file, macro):
    """{name: id} of a .def file."""
    found = re.findall(rf'^{macro}\(\w+, (\d+), "(\w+)"', (_ABI / file).read_text(), re.MULTILINE)
    return {name: int(number) for number, name in found}


def read(runtime):
    """For each worker {counter: value}; drops as "drop_" + reason."""
    names = {name: _COUNTERS + 8 * number for name, number in _ids("counters.def", "LG_COUNTER").items()}
    names |= {f"drop_{name}": _DROPS + 8 * number for name, number in _ids("drop_reason.def", "LG_DROP").items()}
    file = os.open(f"{runtime}/link", os.O_RDONLY)
    try:
        total, = struct.unpack("<Q", os.pread(file, 8, 8))
        workers, = struct.unpack("<I", os.pread(file, 4, 40))
        stride = (total - _FIRST_WORKER) // workers
        pages = [os.pread(file, _DROPS + 8 * 128, _FIRST_WORKER + worker * stride + _RINGS) for worker in range(workers)]
    finally:
        os.close(file)
    return [{name: struct.unpack_from("<Q", page, at)[0] for name, at in names.items()} for page in pages]
