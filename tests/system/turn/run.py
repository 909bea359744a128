#!/usr/bin/env python3
"""The TURN cases of the lab: coturn's client programs, attacks, 1:1 NAT. Browsers: tests/system/run.js.

    run.py [--list] [--json FILE] [--config FILE] [CASE...]

Brings the lab up in the form a case needs and leaves it up (scripts/lab.sh down). --config FILE: instead of scripts/lab.toml.
The last line is PASS or FAIL, the exit status says the same.
"""
import argparse
import concurrent.futures
import json
import pathlib
import sys

import clients  # noqa: F401 (the imports fill the registry, in this order)
import attacks  # noqa: F401
import icmp  # noqa: F401
import lab
import nat
import oauth
import ports  # noqa: F401
import restart  # noqa: F401
import tcp_relay  # noqa: F401
import two_queues
from cases import CASES, EchoPeer, result_of

AT_ONCE = 5


def derived(text, name):
    """The lab's configuration with what a case needs changed."""
    changes = {
        "lab": [],
        "attacks": [],  # a gateway of their own: what the clients abandoned lives out its time on the other
        # 32 ports in all, 20 allocations per user.
        "small": [("relay_ports = [49152, 53247]", "relay_ports = [49152, 49183]"), ("[turn]\n", "[turn]\nquota_per_user = 20\n")],
        "optional": [("[turn]\n", f"[turn]\nmobility = true\n{oauth.settings()}\n")],
        "two_queues": [],
        "two_queues_native": [('xdp_mode = "generic"', 'xdp_mode = "native"')],
        "nat": [('addresses = ["10.90.1.1", "fd90:1::1"]\n', f'addresses = ["10.90.1.1"]\nadvertise = ["{nat.PUBLIC}"]\n'),
                ('addresses = ["10.90.1.3", "fd90:1::3"]\n', f'addresses = ["10.90.1.3"]\nadvertise = ["{nat.PUBLIC_OTHER}"]\n'),
                ('allowed_peers = [', 'allowed_peers = ["198.51.100.0/24", ')],
    }[name]
    for old, new in changes:
        if text.count(old) != 1:
            raise RuntimeError(f"the lab's configuration does not hold {old!r} once")
        text = text.replace(old, new)
    return text


def bring_up(config, base):
    file = lab.ROOT / f"build/{lab.NAME}-turn-{config}.toml"
    file.write_text(derived(base.read_text(), config))
    lab.up("--config", str(file), *(["--queues", "2"] if config in two_queues.FORMS else []))


def run_group(config, wanted, base, tell):
    bring_up(config, base)
    with EchoPeer(), concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        beside = [one for one in wanted if one["beside"]]
        for done in concurrent.futures.as_completed([pool.submit(result_of, one) for one in beside]):
            tell(done.result())
        for one in wanted:
            if not one["beside"]:
                tell(result_of(one))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--config", metavar="FILE", type=pathlib.Path, default=lab.ROOT / "scripts/lab.toml")
    parser.add_argument("cases", metavar="CASE", nargs="*")
    options = parser.parse_args()
    if options.list:
        for one in CASES:
            print(f"{one['name']:28} {one['title']}")
        return 0
    unknown = set(options.cases) - {one["name"] for one in CASES}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))} (--list shows them)")
    results = []

    def tell(result):
        results.append(result)
        print(f"{'ok    ' if result['ok'] else 'FAILED'} {result['name']} ({result['ran_ms']} ms)"
              + (f": {result['error']}" if not result["ok"] else ""), flush=True)

    for config in dict.fromkeys(one["config"] for one in CASES):
        wanted = [one for one in CASES if one["config"] == config and (not options.cases or one["name"] in options.cases)]
        if wanted:
            run_group(config, wanted, options.config, tell)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    passed = bool(results) and all(one["ok"] for one in results)
    print("PASS" if passed else "FAIL")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
