#!/usr/bin/env python3
"""The differential test: the same request sequences against coturn and against Linegate, in the lab.

    differential.py [--json FILE] [--only TEXT]   Linegate against coturn_answers.json, and coturn against it, too
    differential.py --record                      writes coturn_answers.json from the coturn installed here
    differential.py --show TEXT                   what both answer to the sequences whose name contains TEXT
    differential.py --table                       the rows of differences.json as docs/turn.md shows them

Brings the lab up and leaves it up. Every difference has to be explained in differences.json, and every explanation has to be needed: a difference without a
reason fails, and so does a reason without a difference. coturn runs beside Linegate in lg-core on ports of its own.
"""
import argparse
import concurrent.futures
import contextlib
import fnmatch
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

import lab
import registry
import sequences_allocate  # noqa: F401 (the imports fill the registry)
import sequences_peer  # noqa: F401
import sequences_stream  # noqa: F401
import sequences_stun  # noqa: F401
from session import Server, Session

HERE = pathlib.Path(__file__).resolve().parent
ANSWERS, DIFFERENCES = HERE / "coturn_answers.json", HERE / "differences.json"
DOCUMENT = lab.ROOT / "docs/turn.md"
LINEGATE, COTURN = Server(3478, 5349), Server(13478, 15349)
SOURCES, AT_ONCE = 48, 6

COTURN_CONFIG = """listening-port=13478
tls-listening-port=15349
alt-listening-port=13479
listening-ip=10.90.1.1
listening-ip=10.90.1.3
listening-ip=fd90:1::1
relay-ip=10.90.1.1
relay-ip=fd90:1::1
min-port=60000
max-port=63999
relay-threads=1
cert={run}/cert.pem
pkey={run}/key.pem
realm=lab.example
lt-cred-mech
user=lab:lab
user=lab2:lab2
no-cli
no-dtls
pidfile={run}/coturn.pid
userdb={run}/coturn.db
log-file=stdout
simple-log
"""


@contextlib.contextmanager
def coturn():
    config = lab.RUN / "coturn.conf"
    config.write_text(COTURN_CONFIG.format(run=lab.RUN))
    with open(lab.RUN / "log/coturn.log", "w") as log:
        process = subprocess.Popen(lab.command("core", "turnserver", "-c", config), stdout=log, stderr=log)
    try:
        lab.until("coturn listens", 10, lambda: "15349" in lab.run("core", "ss", "-Hltn").stdout)
        time.sleep(0.3)
        yield COTURN
    finally:
        process.terminate()
        process.wait(10)


def meet_peers():
    """The kernel learns the peers' MAC addresses. Data to a peer whose address it does not know yet is dropped by us (counted:
    no_next_hop), while a kernel socket, and so coturn, keeps it: docs/turn.md says so, and this test is not about it."""
    send = "import socket, sys; socket.socket(int(sys.argv[1]), socket.SOCK_DGRAM).sendto(b'x', (sys.argv[2], 9))"
    for family, address in ((socket.AF_INET, lab.PEER), (socket.AF_INET6, lab.PEER6)):
        lab.run("core", "python3", "-c", send, int(family), address, check=True)
        lab.until(f"the way to {address}", 5,
                  lambda address=address: "lladdr" in lab.run("core", "ip", "neigh", "show", "to", address).stdout)


def play(server, name, source):
    """The record of one sequence; what the test itself could not do is part of it."""
    function, transport, v6 = registry.SEQUENCES[name]
    session = None
    try:
        session = Session(server, source, transport, v6)
        function(session)
        return session.record
    except Exception as error:  # whatever goes wrong is a difference to be looked at, not the end of the run
        return (session.record if session else []) + [f"failed: {type(error).__name__} {error}"]
    finally:
        if session:
            session.close()


def play_all(server, names):
    with lab.more_client_addresses(SOURCES) as sources, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {name: pool.submit(play, server, name, sources[n % SOURCES]) for n, name in enumerate(names)}
        return {name: done.result() for name, done in running.items()}


# ---- comparison -----------------------------------------------------------------------------------------------------

def without_tokens(line, tokens):
    """`line` without these words: "error 401 NONCE SOFTWARE" minus SOFTWARE."""
    return " ".join(word for word in line.split(" ") if word not in tokens)


def general_tokens(table, whose):
    return {row["attribute"] for row in table["everywhere"] if row["only"] == whose}


def differing_steps(ours, theirs, table):
    """(step, coturn's line, Linegate's line) of every step that differs beyond the rows that hold everywhere."""
    ours = [without_tokens(line, general_tokens(table, "linegate")) for line in ours]
    theirs = [without_tokens(line, general_tokens(table, "coturn")) for line in theirs]
    for n in range(max(len(ours), len(theirs))):
        left = theirs[n] if n < len(theirs) else "(no such step)"
        right = ours[n] if n < len(ours) else "(no such step)"
        if left != right:
            yield n, left, right


def matches(row, name, coturn_line, linegate_line):
    return (any(fnmatch.fnmatchcase(name, pattern) for pattern in row["sequences"])
            and re.fullmatch(row["coturn"], coturn_line) and re.fullmatch(row["linegate"], linegate_line))


def compare(linegate, theirs, table):
    """One result per sequence, and one per explanation that explains nothing."""
    used, results = set(), []
    for name in linegate:
        unexplained = []
        for step, left, right in differing_steps(linegate[name], theirs.get(name, []), table):
            row = next((n for n, row in enumerate(table["differences"]) if matches(row, name, left, right)), None)
            if row is None:
                unexplained.append(f"step {step + 1}: coturn \"{left}\", Linegate \"{right}\"")
            else:
                used.add(row)
        results.append(result(f"as coturn: {name}", "; ".join(unexplained)))
    if len(linegate) == len(registry.SEQUENCES):
        for n, row in enumerate(table["differences"]):
            results.append(result(f"needed: {row['what']}", "" if n in used else "explains no difference any more"))
    return results


def result(name, error):
    return {"name": name, "ok": not error, "error": error, "rows": []}


def check_coturn(names, answers):
    """The coturn installed here answers as the recorded one: a sequence that does not gets a second try alone."""
    with coturn() as server:
        found = play_all(server, names)
        for name in [one for one in names if found[one] != answers[one]]:
            found.update(play_all(server, [name]))
    return [result(f"coturn as recorded: {name}", "" if found[name] == answers[name] else
                   f"recorded {answers[name]}, now {found[name]}") for name in names]


def documentation(table):
    lines = ["| what | coturn 4.6.1 | Linegate | reason |", "|---|---|---|---|"]
    for row in table["everywhere"]:
        having = "sends it" if row["only"] == "coturn" else "does not"
        lines.append(f"| `{row['attribute']}` in answers | {having} | {'does not' if having == 'sends it' else 'sends it'} | {row['reason']} |")
    for row in table["differences"]:
        lines.append(f"| {row['what']} | {row['says'][0]} | {row['says'][1]} | {row['reason']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--show", metavar="TEXT")
    parser.add_argument("--only", metavar="TEXT", default="")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    names = [name for name in registry.SEQUENCES if (options.show or options.only) in name]
    if options.table:
        print(documentation(json.loads(DIFFERENCES.read_text())))
        return 0
    if options.record:
        lab.up("--no-gateway")
        with coturn() as server:
            ANSWERS.write_text(json.dumps(play_all(server, names), indent=1) + "\n")
        return 0
    lab.up()
    meet_peers()
    answers = json.loads(ANSWERS.read_text())
    linegate = play_all(LINEGATE, names)
    if options.show:
        for name in names:
            print(f"{name}\n  coturn   {answers.get(name)}\n  Linegate {linegate[name]}")
        return 0
    table = json.loads(DIFFERENCES.read_text())
    results = compare(linegate, answers, table)
    results += check_coturn(names, answers)
    if documentation(table) not in DOCUMENT.read_text():
        results.append(result("documented", "docs/turn.md does not hold what --table prints"))
    for one in results:
        if not one["ok"]:
            print(f"FAILED {one['name']}: {one['error']}")
    print(f"{sum(one['ok'] for one in results)} of {len(results)} as expected")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    return 0 if all(one["ok"] for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
