"""The relays that are compared. Each is started on one core, set up for a number of calls, and described to the generator
by a plan (perf/load/call_plan.h, CallPlan::Read) or, Linegate itself, by its configuration."""
import base64
import contextlib
import json
import pathlib
import re
import resource
import subprocess
import sys

import link

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system/turn"))
import stun  # noqa: E402

PROFILE = "aes_cm_128_hmac_sha1_80"
# perf/load/traffic.cc, GeneratorKey: 16 bytes of key, 14 of salt behind room for 32 bytes of key.
GENERATOR_KEY = base64.b64encode(bytes((0xA5 + 7 * n) & 255 for n in [*range(16), *range(32, 46)])).decode()


class Relay:
    def __init__(self, process, arguments):
        self.process = process
        self.arguments = arguments  # of linegate-load


def plan_file(folder, calls, echo=False):
    path = pathlib.Path(folder, "plan.json")
    path.write_text(json.dumps({"echo": echo, "calls": calls}))
    return ["--plan", path]


@contextlib.contextmanager
def running(*arguments):
    process = link.Process(*arguments)
    try:
        yield process
    finally:
        process.stop()


# ---- an AF_XDP program that only turns frames round: what the link passes at most ------------------------------------


@contextlib.contextmanager
def xdp_echo(build, folder, core, calls, _suite):
    program = build / "perf/peers/linegate-xdp-echo"
    with running(folder, "echo", link.command(link.RELAY, program, link.RELAY_DEVICE, core), core,
                 lambda log: "ready" in log) as process:
        there = [f"{link.PUBLIC}:{20000 + n}" for n in range(calls)]
        yield Relay(process, plan_file(folder, [{"first": at, "second": at} for at in there], echo=True))


# ---- rtpengine in user space -----------------------------------------------------------------------------------------


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    data = value.encode()
    return str(len(data)).encode() + b":" + data


def bdecode(data, at=0):
    """-> (value, position behind it)"""
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end].decode(errors="replace"), end


def sdp(address, port, protocol, crypto=""):
    lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0", f"m=audio {port} {protocol} 0",
             "a=rtpmap:0 PCMU/8000", "a=sendrecv"]
    if crypto:
        lines.append("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + crypto)
    return "\r\n".join(lines) + "\r\n"


class Ng:
    """rtpengine's control protocol: a cookie, then a bencoded dictionary, in a datagram."""

    def __init__(self, port):
        self.socket = link.udp_socket(link.RELAY, "127.0.0.1")
        self.socket.connect(("127.0.0.1", port))
        self.cookie = 0

    def ask(self, **fields):
        self.cookie += 1
        self.socket.send(f"{self.cookie} ".encode() + bencode({name.replace("_", "-"): value for name, value in fields.items()}))
        answer = bdecode(self.socket.recv(65536).split(b" ", 1)[1])[0]
        if answer.get("result") != "ok":
            raise RuntimeError(f"rtpengine: {answer}")
        return answer["sdp"]


def audio_port(text):
    return re.search(r"^m=audio (\d+)", text, re.MULTILINE).group(1)


def rtpengine_call(ng, n):
    """-> (where the browser sends, where the phone sends, key of what the browser receives)"""
    common = {"call_id": f"call{n}", "from_tag": f"browser{n}", "ICE": "remove", "DTLS": "off"}
    to_phone = ng.ask(command="offer", sdp=sdp(link.browser(n), link.BROWSER_PORT, "RTP/SAVP", GENERATOR_KEY),
                      transport_protocol="RTP/AVP", direction=["pub", "priv"], rtcp_mux=["demux"], **common)
    to_browser = ng.ask(command="answer", sdp=sdp(link.phone(n), link.PHONE_PORT, "RTP/AVP"), to_tag=f"phone{n}", **common)
    key = re.search(r"AES_CM_128_HMAC_SHA1_80 inline:([A-Za-z0-9+/=]+)", to_browser).group(1)
    return f"{link.PUBLIC}:{audio_port(to_browser)}", f"{link.PRIVATE}:{audio_port(to_phone)}", key


@contextlib.contextmanager
def rtpengine(_build, folder, core, calls, suite):
    config = pathlib.Path(folder, "rtpengine.conf")
    config.write_text("[rtpengine]\n")  # not Debian's
    arguments = ["rtpengine", f"--config-file={config}", "--timeout=3600", "--silent-timeout=3600", "--foreground", "--log-stderr", "--log-level=5", "--table=-1", "--num-threads=1",
                 f"--interface=pub/{link.PUBLIC}", f"--interface=priv/{link.PRIVATE}", "--listen-ng=127.0.0.1:2223",
                 "--port-min=20000", "--port-max=60000", "--no-log-timestamps", f"--pidfile={folder}/rtpengine.pid"]
    with running(folder, "rtpengine", link.command(link.RELAY, *arguments), core, lambda _: listens(2223)) as process:
        ng = Ng(2223)
        made = [rtpengine_call(ng, n) for n in range(calls)]
        if suite == "srtp_to_rtp":
            rows = [{"first": browser, "second": phone} for browser, phone, _ in made]
        else:
            rows = [{"first": phone, "second": browser, "key": key} for browser, phone, key in made]
        yield Relay(process, plan_file(folder, rows))


def listens(port):
    shown = subprocess.run(link.command(link.RELAY, "ss", "-uln"), capture_output=True, text=True, check=True).stdout
    return f":{port} " in shown


# ---- coturn ----------------------------------------------------------------------------------------------------------


def turn_request(client, method, *attributes):
    transaction = stun.new_transaction()
    body = b"".join(one(transaction) if callable(one) else one for one in attributes)
    client.send(stun.with_length(stun.header(stun.message_type(method, stun.REQUEST), 0, transaction) + body))
    answer = stun.Message(client.recv(2048))
    if answer.kind != stun.SUCCESS:
        raise RuntimeError(f"coturn refuses: {answer.error()}")
    return answer


def allocate(n):
    """An allocation of browser `n` with channel 0x4000 to phone `n`. -> its relayed address"""
    client = link.udp_socket(link.LOAD, link.browser(n), link.BROWSER_PORT)
    client.connect((link.PUBLIC, 3478))
    address, port = turn_request(client, stun.ALLOCATE, stun.transport()).address("XOR-RELAYED-ADDRESS")
    turn_request(client, stun.CHANNEL_BIND, stun.channel(0x4000),
                 lambda transaction: stun.xor_address("XOR-PEER-ADDRESS", link.phone(n), link.PHONE_PORT, transaction))
    client.close()
    return f"{address}:{port}"


@contextlib.contextmanager
def coturn(_build, folder, core, calls, _suite):
    arguments = ["turnserver", "-n", "--no-auth", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay",
                 "-L", link.PUBLIC, "-E", link.PRIVATE, "-p", "3478", "--min-port", "20000", "--max-port", "60000", "-m", "1",
                 "--no-rfc5780", "--log-file", "stdout", "--pidfile", f"{folder}/turnserver.pid"]
    with running(folder, "turnserver", link.command(link.RELAY, *arguments), core, lambda _: listens(3478)) as process:
        rows = [{"first": f"{link.PUBLIC}:3478", "second": allocate(n)} for n in range(calls)]
        yield Relay(process, plan_file(folder, rows))


# ---- Linegate over AF_XDP --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def linegate(build, folder, core, calls, _suite):
    config = pathlib.Path(folder, "linegate.toml")
    flows = 8192
    while flows < 2 * calls:
        flows *= 2
    config.write_text(f"""[dataplane]
idle = "adaptive"
cores = [{core}]
flows_per_worker = {flows}
relays_per_worker = 8192
runtime_directory = "{folder}/run"
[stun]
requests_per_second_per_source = 0
[[realm]]
name = "public"
interface = "{link.RELAY_DEVICE}"
addresses = ["{link.PUBLIC}"]
webrtc_port = 20000
stun_ports = [3478]
turn_ports = [3479]
relay_ports = [32768, 65535]
[[realm]]
name = "private"
interface = "{link.RELAY_DEVICE}"
addresses = ["{link.PRIVATE}"]
rtp_ports = [1024, 65535]
""")
    program = build / "dataplane/app/linegate-dataplane"
    with running(folder, "linegate", link.command(link.RELAY, program, "--config", config), core,
                 lambda log: "ready:" in log) as process:
        yield Relay(process, ["--config", config, "--calls", calls])


def many_files():
    """A call of rtpengine takes four sockets."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
