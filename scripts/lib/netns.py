"""Network namespaces, for the tests and benchmarks that make their own."""
import contextlib
import ctypes
import os

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(namespace):
    """Sockets made in here belong to `namespace`, whoever uses them later. The calling thread alone goes there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    target = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _libc.setns(target, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        _libc.setns(home, _CLONE_NEWNET)
        os.close(home)
        os.close(target)


def command(namespace, *arguments):
    """The command line that runs a program in a namespace. Mounts, bpffs among them, stay the host's."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--", *map(str, arguments)]
