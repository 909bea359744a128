"""Two receive queues and two workers (scripts/lab.sh --queues 2): whichever worker receives, the owner relays, and nothing is lost."""
import os
import signal
import sys

import lab
from cases import SteadyRelay, case, require
from clients import uclient

sys.path.append(str(lab.ROOT / "tests/system/xdp"))
import link_counters  # noqa: E402

FORMS = {"two_queues": "generic", "two_queues_native": "native"}


def counters():
    return link_counters.read(lab.RUN / "runtime")


def grown(before, after):
    return [{name: new[name] - old[name] for name in new} for old, new in zip(before, after)]


def both_relay(config):
    before = counters()
    uclient("-m", 50, "-c", "-z", 20, messages=40, clients=50, timeout=90)
    uclient("-m", 50, "-y", "-c", "-z", 20, messages=40, clients=50, timeout=90)
    workers = grown(before, counters())
    for number, worker in enumerate(workers):
        require(worker["received_pkts"] > 200, f"worker {number} received {worker['received_pkts']} packets")
        require(worker["relayed_to_peer_pkts"] > 200, f"worker {number} relayed {worker['relayed_to_peer_pkts']} packets")
        lost = {name: count for name, count in worker.items() if count and name in ("drop_handover_ring_full", "send_failed_pkts",
                                                                                    "drop_no_buffer", "messages_lost")}
        require(not lost, f"worker {number} lost {lost}")
    handed, received = (sum(worker[name] for worker in workers) for name in ("handed_over_pkts", "received_pkts"))
    require(handed > 100, f"{handed} packets were handed over")
    print(f"       {FORMS[config]}: received {[worker['received_pkts'] for worker in workers]}, relayed to peers "
          f"{[worker['relayed_to_peer_pkts'] for worker in workers]}, handed over {handed} = {100 * handed / received:.0f} %", flush=True)


def both_survive(config):
    """Relays of both workers lose what is sent between kill -9 and the next dataplane, and nothing before or after."""
    relays = []
    try:
        while len(relays) < 4 or (len(relays) < 24 and min(w["active_relays"] for w in counters()) < 2):
            relays.append(SteadyRelay(interval_s=0.04).__enter__())
            lab.until("its first packets are back", 5, lambda: relays[-1].returned)
        require(min(w["active_relays"] for w in counters()) > 0, f"one worker owns all {len(relays)} relays")
        before = counters()
        os.kill(lab.process_id("dataplane"), signal.SIGKILL)
        lab.up_again()
        sent = [relay.sent for relay in relays]
        lab.until("every relay goes on", 5, lambda: all(max(list(r.returned)) > n for r, n in zip(relays, sent)))
        lost = []
        for relay in relays:
            relay.finish()
            missing = sorted(set(range(relay.sent)) - relay.returned)
            require(not missing or missing[-1] - missing[0] + 1 == len(missing), f"lost here and there: {missing}")
            lost.append(len(missing))
        for number, worker in enumerate(grown(before, counters())):
            require(worker["relayed_to_peer_pkts"] > 0 and worker["relayed_to_client_pkts"] > 0, f"worker {number} relays no more")
        require(max(lost) * 0.04 < 2.0, f"a gap of {max(lost)} packets, 25 a second")
        print(f"       {FORMS[config]}: {len(relays)} relays, gap {1000 * 0.04 * min(lost):.0f} to {1000 * 0.04 * max(lost):.0f} ms", flush=True)
    finally:
        for relay in relays:
            relay.ending.set()
            relay.thread.join()
            relay.session.close()


def register(config, mode):
    @case(f"{config}_relay", f"two queues, {mode} XDP: 50 clients of coturn, relay to peer and relay to relay", config=config)
    def _():
        both_relay(config)

    @case(f"{config}_kill", f"two queues, {mode} XDP: kill -9 of the dataplane under relays of both workers", config=config)
    def _():
        both_survive(config)


for name, mode in FORMS.items():
    register(name, mode)
