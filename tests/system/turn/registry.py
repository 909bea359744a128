"""The sequences of the differential test, by name. A sequence is a function that drives a Session."""

SEQUENCES = {}


def sequence(name, transport="udp", v6=False):
    def keep(function):
        assert name not in SEQUENCES, f"two sequences are called {name}"
        SEQUENCES[name] = (function, transport, v6)
        return function
    return keep
