"""What the end of the dataplane means for relays: it takes over what its predecessor had (kill -9, then scripts/lab.sh up)."""
import contextlib
import os
import select
import signal

import lab
import stun
from cases import allocations, case, client, nothing_left, require, succeeded
from session import Closed

ATTEMPTS = 40


def carries(session, channel=0x4000):
    """Whether a packet gets to the peer and back; a lost one is sent again."""
    peer = session.peers["peer"]
    for n in range(ATTEMPTS):
        mark = os.urandom(8)
        session.send(stun.channel_data(channel, mark, padded=True))
        if select.select([peer], [], [], 0.1)[0]:
            data, source = peer.recvfrom(2048)
            if data == mark:
                peer.sendto(b"back " + mark, source)
                with contextlib.suppress(Closed):
                    while (got := session.receive(0.2)) is not None:
                        if got[4:17] == b"back " + mark:
                            return True
    return False


@case("dataplane_restart", "kill -9 of the dataplane: relays of UDP, TCP and TLS clients go on, without a new Allocate", config="attacks")
def _():
    with contextlib.ExitStack() as held:
        sessions = []
        for transport in ("udp", "tcp", "tls"):
            session = held.enter_context(client(transport))
            succeeded(session.allocate(), f"Allocate over {transport}")
            succeeded(session.bind_channel(0x4000, session.peer()), "ChannelBind")
            require(carries(session), f"{transport}: nothing is relayed before")
            sessions.append(session)
        os.kill(lab.process_id("dataplane"), signal.SIGKILL)
        lab.until("the control plane notices", 3, lambda: lab.control("status")["dataplane"] == "down")
        lab.up_again()
        for session in sessions:
            require(carries(session), f"{session.transport}: nothing is relayed after the restart")
            succeeded(session.permit(lab.PEER), f"{session.transport}: CreatePermission after the restart")
            succeeded(session.refresh(600), f"{session.transport}: Refresh after the restart")
        require(allocations()["allocations"] == len(sessions), f"{allocations()} after the restart")
    nothing_left()
