"""Explicit congestion notification on the wire (RFC 3168, RFC 8311) and ABE (RFC 8511)."""
import itertools

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from wireside_wire import DUT_IP, PEER_IP, pattern

# No tail loss probes: next to a peer written in Python, two round trips are over before it has answered. No pacing:
# what may be sent is sent at once.
DUT_ARGUMENTS = ["--tcp-option", "msl_ms=300", "--tcp-option", "tail_loss_probe=false", "--tcp-option", "pacing=off",
                 "--tcp-option", "congestion=newreno"]
MSS = 1000
NOT_ECT, ECT0, CE = 0, 2, 3
_ports = itertools.count(24000)


def ecn(segment):
    return segment.frame[IP].tos & 3


def open_with_ecn(tcp, flags="SEC", answer="SAE", **socket_options):
    """The peer opens, asking for ECN. Gives (peer, socket)."""
    listener = tcp.dut.listen(next(_ports), **socket_options)
    peer = tcp.dut.wire.peer(listener.port, options=f"mss {MSS}, sackOK", window=60000)
    peer.send(flags)
    syn_ack = peer.expect(answer, ack=1)
    assert ecn(syn_ack) == NOT_ECT
    peer.send("A")
    return peer, listener.accept()


@pytest.mark.requirement("ECN-01", "SHLD-8")
@pytest.mark.parametrize("flags, answer", [("SEC", "SAE"), ("S", "SA"), ("SE", "SA"), ("SC", "SA")])
def test_a_server_agrees_to_what_the_client_asks_for(tcp, flags, answer):
    peer, socket = open_with_ecn(tcp, flags, answer)
    assert socket.status()["ecn"] == (answer == "SAE")
    socket.send(b"x" * 100)
    assert ecn(peer.expect("A", length=100)) == (ECT0 if answer == "SAE" else NOT_ECT)


@pytest.mark.requirement("ECN-01")
def test_it_can_be_switched_off(tcp):
    open_with_ecn(tcp, "SEC", "SA", ecn="off")


@pytest.mark.requirement("ECN-01")
@pytest.mark.parametrize("answer, agreed", [("SAE", True), ("SA", False), ("SAEC", False), ("SAC", False)])
def test_a_client_asks_when_told_and_a_reflection_is_no_agreement(dut, answer, agreed):
    peer = dut.wire.peer(None, options=f"mss {MSS}, sackOK")
    socket = dut.open().option(ecn="ask")
    call = socket.connect(peer.port)
    assert ecn(peer.expect("SEC")) == NOT_ECT
    peer.send(answer, ack=1)
    peer.expect("A", seq=1, ack=1, length=0)
    call.result()
    assert socket.status()["ecn"] == agreed
    socket.send(b"x" * 100)
    assert ecn(peer.expect("A", length=100)) == (ECT0 if agreed else NOT_ECT)


@pytest.mark.requirement("ECN-01")
def test_a_syn_without_answer_is_repeated_without_ecn(dut):
    peer = dut.wire.peer(None, options=f"mss {MSS}, sackOK")
    socket = dut.open().option(ecn="ask")
    call = socket.connect(peer.port)
    peer.expect("SEC")
    peer.expect("S", within=1.5)
    peer.send("SA", ack=1)
    peer.expect("A", seq=1, ack=1)
    call.result()
    assert not socket.status()["ecn"]


@pytest.mark.requirement("ECN-02")
def test_a_mark_is_echoed_until_the_sender_has_reduced(tcp):
    peer, socket = open_with_ecn(tcp)
    sent = peer.send("A", b"a" * MSS, ip={"tos": CE})
    first = peer.expect("AE", ack=1 + MSS)
    assert first.time - sent < 0.03, "at once, not delayed"
    peer.send("A", b"b" * MSS, ip={"tos": ECT0})
    peer.send("A", b"c" * MSS, ip={"tos": ECT0})
    peer.expect("AE")
    peer.drain()
    peer.send("AC", b"d" * MSS, ip={"tos": ECT0})
    peer.expect("A", ack=1 + 4 * MSS)
    peer.send("A", b"e" * MSS, ip={"tos": ECT0})
    peer.expect("A", ack=1 + 5 * MSS)
    assert socket.status()["ce_received"] == 1


@pytest.mark.requirement("ECN-02")
def test_a_mark_on_repeated_octets_is_ignored(tcp):
    peer, _socket = open_with_ecn(tcp)
    peer.send("A", b"a" * MSS)
    peer.expect("A", ack=1 + MSS)
    peer.send("A", b"a" * MSS, seq=1, ip={"tos": CE})
    peer.expect("A", ack=1 + MSS)


@pytest.mark.requirement("ECN-03")
@pytest.mark.parametrize("algorithm, abe, kept", [("newreno", False, 0.5), ("cubic", False, 0.7),
                                                  ("newreno", True, 0.8), ("cubic", True, 0.85)])
def test_an_echo_reduces_the_window_once_and_new_data_says_so(tcp, algorithm, abe, kept):
    peer, socket = open_with_ecn(tcp, congestion=algorithm, abe=abe)
    socket.send(pattern(30 * MSS))
    peer.expect_data(pattern(10 * MSS), acknowledge=False)
    peer.send("AE", ack=1 + MSS)
    first = peer.expect("AC", seq=1 + 10 * MSS)
    assert ecn(first) == ECT0
    for n in range(2, 11):
        peer.send("AE", ack=1 + n * MSS)
    later = peer.collect(0.15)
    assert all("C" not in s.flags for s in later), "once per window"
    assert socket.status()["ssthresh"] == int(10 * MSS * kept)
    assert socket.status()["ece_received"] == 10


@pytest.mark.requirement("ECN-04")
def test_acknowledgements_and_retransmissions_are_not_ecn_capable(tcp):
    peer, socket = open_with_ecn(tcp)
    socket.send(pattern(2 * MSS))
    assert [ecn(s) for s in peer.expect_data(pattern(2 * MSS), acknowledge=False)] == [ECT0, ECT0]
    again = peer.expect("A", seq=1, within=1.5)
    assert ecn(again) == NOT_ECT
    peer.send("A", ack=1 + 2 * MSS)
    peer.drain()
    peer.send("A", b"a" * MSS)
    peer.send("A", b"a" * MSS)
    assert ecn(peer.expect("A", length=0)) == NOT_ECT
    peer.drain()
    peer.send("A", win=0)
    socket.wait_status(lambda s: s["snd_wnd"] == 0)
    socket.send(b"z" * 10)
    probe = peer.expect("A", length=1, within=2)
    assert ecn(probe) == NOT_ECT
    peer.send("A", ack=1 + 2 * MSS, win=0)
    socket.abort()
    reset = peer.expect("RA", within=1)
    assert ecn(reset) == NOT_ECT


@pytest.mark.requirement("ECN-05")
def test_the_applications_tos_and_the_ecn_bits_keep_apart(tcp):
    peer, socket = open_with_ecn(tcp, tos=0xff)
    socket.send(b"x" * 100)
    assert peer.expect("A", length=100).frame[IP].tos == 0xfc | ECT0
    peer.send("A")
    peer.send("A", b"a" * MSS)
    assert peer.expect("A", length=0).frame[IP].tos == 0xfc | NOT_ECT


@pytest.mark.requirement("ECN-06")
@pytest.mark.parametrize("marks, seen", [((ECT0, CE), CE), ((CE, ECT0), CE), ((ECT0, ECT0), ECT0),
                                         ((NOT_ECT, CE), None)])
def test_a_mark_on_any_fragment_is_kept(dut, wire, port, marks, seen):
    socket = dut.udp(port)
    whole = bytes(IP(src=PEER_IP, dst=DUT_IP) / UDP(sport=9, dport=port) / Raw(b"x" * 120))[20:]
    for index, mark in enumerate(marks):
        piece = whole[index * 64:] if index else whole[:64]
        wire.send(wire.packet(proto=17, id=4711 + sum(marks), tos=0xb8 | mark, frag=index * 8,
                              flags=0 if index else "MF") / Raw(piece))
    if seen is None:
        wire.send(wire.packet() / UDP(sport=9, dport=port) / b"next")
        assert socket.recvfrom()["full_length"] == 4
    else:
        assert socket.recvfrom()["tos"] == 0xb8 | seen
