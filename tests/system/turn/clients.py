"""coturn's own client programs against Linegate (issue of the TURN server, section 3)."""
import base64
import hashlib
import hmac
import re
import time

import lab
from cases import EchoPeer, case, clients_are_done, require

STATIC = ("-u", "lab", "-w", "lab")
MESSAGES = 30


def uclient(*arguments, server=lab.SERVER, peer=lab.PEER, credentials=STATIC, messages=MESSAGES, where="web", timeout=60, clients=1):
    """Runs turnutils_uclient; every message has to come back. Returns what it said."""
    command = ["turnutils_uclient", *credentials, "-e", peer, "-n", messages, *arguments, server]
    done = lab.run(where, *command, timeout=timeout)
    said = done.stdout + done.stderr
    totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)
    lost = re.findall(r"Total lost packets (\d+) .*?, total send dropped (\d+) ", said)
    require(totals and lost, f"{' '.join(map(str, command))} came to nothing: {said.strip().splitlines()[-3:]}")
    sent, received = map(int, totals[-1])
    require(sent == received >= messages * clients and lost[-1] == ("0", "0"),
            f"{' '.join(map(str, command))}: sent {sent}, received {received}, lost {lost[-1][0]}, not sent {lost[-1][1]}")
    return said


def plain(name, title, *arguments, config="lab", **options):
    @case(f"uclient_{name}", title, config=config, beside=True)
    def _():
        uclient(*arguments, **options)


plain("udp", "UDP, channels", "-c")
plain("udp_even_port", "UDP, RTP and RTCP ports by EVEN-PORT and RESERVATION-TOKEN")
plain("udp_send", "UDP, Send and Data indications", "-s", "-c")
plain("udp_dont_fragment", "UDP with DONT-FRAGMENT", "-g", "-c")
plain("udp_padded", "UDP, ChannelData padded", "-D", "-c")
plain("udp_large", "UDP, 1,200 bytes", "-l", 1200, "-c")
plain("tcp", "TCP, channels", "-t", "-c")
plain("tcp_send", "TCP, Send and Data indications", "-t", "-s", "-c")
plain("tcp_even_port", "TCP, RTP and RTCP ports by EVEN-PORT and RESERVATION-TOKEN", "-t")
plain("tls", "TLS, channels", "-t", "-S", "-c")
plain("tls_send", "TLS, Send and Data indications", "-t", "-S", "-s", "-c")
plain("tls_443", "TLS on port 443, which the web shares", "-t", "-S", "-c", "-p", 443)
plain("udp_443", "UDP on port 443", "-c", "-p", 443)
plain("v6_relay", "IPv4 client, IPv6 relay and peer", "-x", "-c", peer=lab.PEER6)
plain("v6_client", "IPv6 client, IPv4 relay and peer", "-X", "-c", server=lab.SERVER6)
plain("v6_both", "IPv6 client, IPv6 relay and peer", "-x", "-c", server=lab.SERVER6, peer=lab.PEER6)
plain("v6_tls", "IPv6 client over TLS, IPv6 relay and peer", "-t", "-S", "-x", "-c", server=lab.SERVER6, peer=lab.PEER6)
plain("client_to_client", "two clients, relay to relay inside the box", "-y", "-c")
plain("client_to_client_send", "two clients by indications", "-y", "-s", "-c")
plain("client_to_client_tls", "two clients over TLS", "-y", "-t", "-S", "-c")
plain("time_limited", "time-limited credentials made by the client program", "-c", credentials=("-u", "guest", "-W", "lab-secret"))


plain("dtls", "DTLS, channels", "-S", "-c")
plain("dtls_send", "DTLS, Send and Data indications", "-S", "-s", "-c")
plain("mobility", "mobility (RFC 8016)", "-M", "-c", config="optional")


@case("uclient_time_limited_wrong", "time-limited credentials: expired, of another secret", beside=True)
def _():
    for secret, expiry in (("lab-secret", int(time.time()) - 60), ("other-secret", int(time.time()) + 600)):
        user = f"{expiry}:guest"
        password = base64.b64encode(hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()).decode()
        done = lab.run("web", "turnutils_uclient", "-u", user, "-w", password, "-c", "-n", 1, "-e", lab.PEER, lab.SERVER, timeout=20)
        require("401" in done.stdout + done.stderr or done.returncode != 0, f"{user} is let in")


@case("uclient_200", "200 clients at once, none loses a packet")
def _():
    uclient("-m", 200, "-c", "-z", 40, messages=20, clients=200, timeout=90)


@case("stunclient", "turnutils_stunclient: our address, RFC 5780", beside=True)
def _():
    # Ends with a padded request in IP fragments, which we never take, and then waits for ever.
    said = lab.run("web", "timeout", "3", "turnutils_stunclient", "-f", lab.SERVER, timeout=20).stdout
    require(re.search(rf"UDP reflexive addr: {re.escape(lab.CLIENT)}:\d+", said), f"no reflexive address: {said}")
    require("Other addr: : 10.90.1.3:" in said, f"no OTHER-ADDRESS: {said}")


@case("stunclient_inside", "turnutils_stunclient at the listener inside the enterprise: it answers from where it was asked", beside=True)
def _():
    for server, own in (("10.90.2.1", lab.PEER), ("fd90:2::1", lab.PEER6)):
        said = lab.run("sip", "timeout", "3", "turnutils_stunclient", server, timeout=20).stdout
        require(re.search(rf"UDP reflexive addr: {re.escape(own)}:\d+|UDP reflexive addr: \[?{re.escape(own)}\]?:\d+", said), f"{server}: {said}")


@case("natdiscovery", "turnutils_natdiscovery: no NAT, endpoint-independent filtering", beside=True)
def _():
    said = lab.run("web", "turnutils_natdiscovery", "-m", "-f", "-L", lab.CLIENT, lab.SERVER, timeout=30).stdout
    require("No NAT!" in said, f"mapping: {said}")
    require("NAT with Endpoint Independent Filtering!" in said, f"filtering: {said}")


@case("zero_after_clients", "no permission and no channel is left")
def _():
    clients_are_done(8)
