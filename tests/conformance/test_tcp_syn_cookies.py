"""A flood of SYNs: bounded memory, and genuine clients get in, by SYN cookies (RFC 4987 section 3.6)."""
import random

import pytest
from scapy.layers.inet import TCP

from wireside_wire import MODERN, pattern

QUEUE = 8
DUT_ARGUMENTS = ["--tcp-option", f"max_syn_queue={QUEUE}"]


def flood(wire, port, count):
    """SYNs whose answers nobody takes."""
    chooser = random.Random(count)
    for _ in range(count):
        syn = TCP(sport=chooser.randrange(1024, 10000), dport=port, flags="S", seq=chooser.randrange(2**32),
                  options=[("MSS", 1460)])
        wire.send(wire.packet() / syn)


def half_open(dut):
    return sum(c["state"] == "SYN-RECEIVED" for c in dut.call("list")["connections"])


@pytest.mark.requirement("SYNF-01", "SYNF-02")
@pytest.mark.parametrize("window_scale", [0, 7, 14])
def test_a_client_gets_in_with_all_its_options_during_a_flood(dut, wire, port, window_scale):
    listener = dut.listen(port)
    flood(wire, port, 10 * QUEUE)
    assert half_open(dut) <= QUEUE
    peer = wire.peer(listener.port, options=f"mss 1400, sackOK, TS, nop, wscale {window_scale}", window=20000)
    syn_ack = peer.handshake()
    assert set(syn_ack.options) == {"mss", "sackOK", "TS", "wscale"}
    socket = listener.accept()
    status = socket.status()
    assert (status["timestamps"], status["sack"]) == (True, True)
    assert status["snd_wscale"] == window_scale and status["rcv_wscale"] == syn_ack.options["wscale"]
    assert status["snd_wnd"] == 20000 << window_scale
    assert status["mss"] == 1400 - 12
    assert half_open(dut) <= QUEUE
    socket.send(pattern(5000))
    peer.expect_data(pattern(5000))
    peer.send("PA", b"request")
    assert socket.recv(exactly=7) == b"request"
    # Selective acknowledgements of what is out of order: SACK really is in use.
    peer.drain()
    peer.send("A", b"behind a gap", seq=peer.seq + 10)
    ack = peer.expect("A", length=0)
    assert "sack" in ack.options


@pytest.mark.requirement("SYNF-02")
def test_without_timestamps_only_the_mss_survives(dut, wire, port):
    listener = dut.listen(port)
    flood(wire, port, 2 * QUEUE)
    peer = wire.peer(listener.port, options="mss 536, sackOK, nop, wscale 7")
    assert set(peer.handshake().options) == {"mss"}
    socket = listener.accept()
    status = socket.status()
    assert not status["sack"] and status["snd_wscale"] == 0 and status["mss"] == 536
    socket.send(pattern(3000))
    peer.expect_data(pattern(3000))


@pytest.mark.requirement("SYNF-02")
def test_forged_acks_open_nothing(dut, wire, port):
    # A flow that was sent a cookie may have lost the segment that proves it, so it is not reset; a stranger is.
    listener = dut.listen(port)
    flood(wire, port, 2 * QUEUE)
    peer = wire.peer(listener.port, options=MODERN)
    peer.send("S")
    peer.expect("SA")
    peer.send("A", ack=1000)
    peer.send("A", seq=2, ack=1)
    assert peer.collect(0.2) == []
    stranger = wire.peer(listener.port)
    stranger.send("A", seq=1, ack=77)
    stranger.expect("R")
    assert not [c for c in dut.call("list")["connections"] if c["state"] == "ESTABLISHED"]
    peer.send("A", seq=1, ack=1)  # the right one, still
    listener.accept()


@pytest.mark.requirement("SYNF-03", "SYNF-01")
def test_the_backlog_holds_for_cookies_and_nothing_is_reset(dut, wire, port):
    listener = dut.listen(port, backlog=2)
    flood(wire, port, 2 * QUEUE)
    peers = [wire.peer(listener.port, options=MODERN) for _ in range(5)]
    for peer in peers:
        peer.send("S")
        peer.expect("SA")
        peer.timestamps = True
    for peer in peers:
        peer.send("A")
    wire.echo_works()
    assert sum(c["state"] == "ESTABLISHED" for c in dut.call("list")["connections"]) == 2
    for peer in peers:
        peer.quiet(0.02)
    for _ in range(2):
        listener.accept()
    peers[4].send("PA", b"here I am")  # its cookie is still good
    assert listener.accept().recv(exactly=9) == b"here I am"
