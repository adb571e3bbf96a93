"""Tail loss probes (RFC 8985 section 7) on the wire."""
import time

import pytest

from wireside_wire import pattern

MSS = 1000
SACK = "mss 1000, sackOK"


@pytest.mark.requirement("RACK-06", "RACK-07")
def test_the_tail_is_probed_before_the_retransmission_timeout(tcp):
    peer, socket = tcp.passive(options=SACK)
    for _ in range(8):  # a round trip of a few milliseconds is measured
        socket.send(b"x")
        segment = peer.expect("A", length=1)
        peer.send("A", ack=segment.end)
    start = segment.end
    socket.send(pattern(4 * MSS))
    sent = [peer.expect("A", seq=start + i * MSS, length=MSS) for i in range(4)]
    probe = peer.expect("A", seq=start + 3 * MSS, length=MSS, within=1)  # the last one, after two round trips
    assert probe.time - sent[-1].time < 0.19  # the RTO is not below 200 ms
    time.sleep(0.01)  # an answer faster than any before would be taken for one to the first transmission
    peer.send("A", ack=start, extra_options=f"nop, nop, sack {start + 3 * MSS}:{start + 4 * MSS}")
    again = peer.expect("A", seq=start, length=MSS, within=0.15)  # its report shows what is missing before it
    assert again.data == pattern(MSS)
    peer.send("A", ack=start + 4 * MSS)
    socket.wait_status(lambda s: s["send_queued"] == 0)
