"""1:1 NAT, as public clouds have it: the gateway's addresses are private, others see translated ones ([[realm]] advertise)."""
import contextlib
import re
import subprocess

import lab
from cases import case, clients_are_done, require
from clients import uclient

PUBLIC, PUBLIC_OTHER, OUTSIDE = "198.51.100.10", "198.51.100.11", "198.51.100.2"
# lg-web becomes the translator between the gateway's network and the one outside.
RULES = f"""table ip one_to_one {{
  chain in {{ type nat hook prerouting priority dstnat;
    iifname "lgo1" ip daddr {PUBLIC} dnat to 10.90.1.1
    iifname "lgo1" ip daddr {PUBLIC_OTHER} dnat to 10.90.1.3
  }}
  chain out {{ type nat hook postrouting priority srcnat;
    oifname "lgo1" ip saddr 10.90.1.1 snat to {PUBLIC}
    oifname "lgo1" ip saddr 10.90.1.3 snat to {PUBLIC_OTHER}
  }}
}}"""


def sh(*arguments, text=None):
    done = subprocess.run([str(one) for one in arguments], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")


@contextlib.contextmanager
def outside():
    """The namespace NAME-out behind the translator."""
    out = f"{lab.NAME}-out"
    try:
        sh("ip", "netns", "add", out)
        sh("ip", "-n", out, "link", "set", "lo", "up")
        sh("ip", "link", "add", "lgo0", "netns", out, "type", "veth", "peer", "name", "lgo1", "netns", f"{lab.NAME}-web")
        for where, device, address in (("out", "lgo0", OUTSIDE), ("web", "lgo1", "198.51.100.1")):
            sh(*lab.command(where, "ethtool", "-K", device, "tx", "off"))  # see scripts/lab.sh
            lab.ip(where, "addr", "add", f"{address}/24", "dev", device)
            lab.ip(where, "link", "set", device, "up")
        for address in (PUBLIC, PUBLIC_OTHER):
            lab.ip("out", "route", "add", address, "via", "198.51.100.1")
        lab.ip("core", "route", "add", "198.51.100.0/24", "via", lab.CLIENT)
        sh(*lab.command("web", "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        sh(*lab.command("web", "nft", "-f", "-"), text=RULES)
        yield
    finally:
        subprocess.run(lab.command("web", "nft", "delete", "table", "ip", "one_to_one"), capture_output=True)
        subprocess.run(lab.command("web", "sysctl", "-qw", "net.ipv4.ip_forward=0"), capture_output=True)
        subprocess.run(["ip", "-n", f"{lab.NAME}-core", "route", "del", "198.51.100.0/24"], capture_output=True)
        subprocess.run(["ip", "netns", "del", out], capture_output=True)


@case("one_to_one_nat", "1:1 NAT: the public relayed address, traffic through it, the public OTHER-ADDRESS", config="nat")
def _():
    with outside():
        peer = subprocess.Popen(lab.command("out", "turnutils_peer", "-L", OUTSIDE, "-p", 3480), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            said = uclient("-v", "-c", server=PUBLIC, peer=OUTSIDE, where="out")
            relayed = re.findall(r"relay addr: ([0-9.]+):\d+", said)
            require(relayed and set(relayed) == {PUBLIC}, f"relayed addresses {relayed}")
            uclient("-s", "-c", server=PUBLIC, peer=OUTSIDE, where="out")
            # Each names the other's public relayed address: looped inside, never through the translator.
            uclient("-y", "-c", server=PUBLIC, peer=OUTSIDE, where="out")
            uclient("-t", "-S", "-c", server=PUBLIC, peer=OUTSIDE, where="out")
            uclient("-T", server=PUBLIC, peer=OUTSIDE, where="out")
        finally:
            peer.kill()
            peer.wait()
        said = lab.run("out", "timeout", "3", "turnutils_stunclient", "-f", PUBLIC, timeout=20).stdout
        require(f"Other addr: : {PUBLIC_OTHER}:" in said, f"OTHER-ADDRESS: {said}")
        require(f"UDP reflexive addr: {OUTSIDE}:" in said, f"reflexive address: {said}")
    clients_are_done(8)
