#!/usr/bin/env python3
"""Checks who includes whom: the table below is docs/architecture.md "Modules", and the only place that enforces it
before the linker does. Prints one line per offence and exits 1 when there is one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

BASE, WIRE, ABI, SETTINGS, FLOW, SRTP, IO, NODES, WORKER = (
    f"dataplane/{name}" for name in ("base", "wire", "abi", "settings", "flow", "srtp", "io", "nodes", "worker"))
PROTOCOLS = tuple(f"controlplane/{name}" for name in ("ice", "turn", "dtls", "sdp", "sip", "registrar"))

# Foreign headers, by family.
FOREIGN = {
    "dpdk": r"rte_|bus_vdev|ethdev_",
    "bpf": r"bpf/|xdp/|linux/bpf|linux/if_xdp|linux/if_link",
    "srtp2": r"srtp2/|srtp\.h",
    "ipsec-mb": r"intel-ipsec-mb|ipsec-mb",
    "openssl": r"openssl/",
    "boost": r"boost/",
    "sofia": r"sofia-sip/",
    "sqlite": r"sqlite3",
    "toml": r"toml\+\+|toml\.hpp",
    "json": r"nlohmann/",
    "spdlog": r"spdlog/",
    "cli": r"CLI/",
}
# No packet waits for a lock or prints.
HOT_PATH_BANNED = re.compile(r"(mutex|shared_mutex|condition_variable|iostream|ostream|fstream|thread)$")
HOT_PATH = {WIRE, FLOW, SRTP, IO, NODES}

# module: (modules it may include besides itself, foreign families it may include)
RULES = {
    BASE: ((), ()),
    WIRE: ((BASE,), ()),
    ABI: ((BASE, SRTP), ()),  # the windows of a slot are srtp's types
    SETTINGS: ((BASE,), ("toml",)),
    FLOW: ((BASE, ABI, SETTINGS, SRTP), ()),
    SRTP: ((BASE, WIRE), ()),
    IO: ((BASE,), ()),
    NODES: ((BASE, WIRE, ABI, SETTINGS, FLOW, SRTP, IO), ()),
    WORKER: ((BASE, WIRE, ABI, SETTINGS, FLOW, SRTP, IO, NODES), ()),
    "drivers/net": ((BASE, IO), ("dpdk", "bpf")),
    "drivers/crypto": ((BASE, WIRE, SRTP), ("srtp2", "ipsec-mb", "openssl")),
    "dataplane/app": ((BASE, WIRE, ABI, SETTINGS, FLOW, SRTP, IO, NODES, WORKER, "drivers/net", "drivers/crypto"),
                      ("dpdk", "cli", "spdlog")),
    "controlplane/ice": ((BASE, WIRE), ()),
    "controlplane/turn": ((BASE, WIRE), ()),
    "controlplane/dtls": ((BASE, WIRE, SRTP), ("openssl",)),
    "controlplane/sdp": ((BASE, WIRE, SRTP), ()),
    "controlplane/sip": ((BASE, WIRE, "controlplane/registrar"), ()),
    "controlplane/registrar": ((BASE, WIRE, "controlplane/sip"), ()),
    "controlplane/session": ((BASE, WIRE, ABI, SETTINGS, SRTP) + PROTOCOLS, ()),
    "controlplane/link": ((BASE, ABI), ()),
    "controlplane/net": ((BASE, "controlplane/sip", "controlplane/turn"), ("boost", "sofia", "openssl")),
    # net: its Runtime alone, for the admin socket; turn: its TurnConfig.
    "controlplane/ops": ((BASE, ABI, SETTINGS, "controlplane/registrar", "controlplane/turn", "controlplane/net"), ("toml", "json", "spdlog", "sqlite", "openssl", "cli")),
    "controlplane/app": ((BASE, WIRE, ABI, SETTINGS, SRTP, "controlplane/session", "controlplane/link", "controlplane/net",
                          "controlplane/ops") + PROTOCOLS, ("boost", "json", "spdlog", "cli", "openssl", "sqlite")),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def module_of(path: str) -> str:
    return "/".join(path.split("/")[:2])


def offences_in(file: pathlib.Path):
    name = file.relative_to(ROOT).as_posix()
    module = module_of(name)
    allowed, families = RULES[module]
    for form, target in INCLUDE.findall(file.read_text(errors="replace")):
        if form == '"':
            other = module_of(target)
            if target.startswith(("tests/", "perf/")):
                yield f"{name}: nothing includes tests: {target}"
            elif other in RULES and other != module and other not in allowed:
                yield f"{name}: {module} may not include {target}"
            elif other not in RULES and "/" in target and not (file.parent / target).exists():
                yield f"{name}: no module owns {target}"
        if module in HOT_PATH and HOT_PATH_BANNED.fullmatch(target):
            yield f"{name}: <{target}> has no place on the packet path"
        for family, pattern in FOREIGN.items():
            if re.match(pattern, target) and family not in families:
                yield f"{name}: {module} may not include {target} ({family})"


def main() -> int:
    offences = []
    for module in RULES:
        for file in sorted((ROOT / module).rglob("*")):
            if file.suffix in (".h", ".cc", ".c") and file.is_file() and not file.name.endswith(".bpf.c"):
                offences += offences_in(file)
    for top in ("dataplane", "controlplane", "drivers"):
        for folder in sorted((ROOT / top).iterdir()):
            if folder.is_dir() and any(folder.glob("*.h")) and f"{top}/{folder.name}" not in RULES:
                offences.append(f"{top}/{folder.name}: a module that scripts/check_includes.py does not know")
    print("\n".join(offences), end="\n" if offences else "")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
