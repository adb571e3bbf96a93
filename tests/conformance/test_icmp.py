"""ICMP (RFC 792, RFC 1122 section 3.2.2) and its errors as sockets see them (RFC 5927)."""
import time
from socket import inet_aton

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.l2 import Ether

from wireside_dut import DutError
from wireside_wire import BROADCAST, DUT_IP, PEER_IP, internet_checksum, pattern


def is_icmp(frame):
    return ICMP in frame


def is_error(frame):
    return ICMP in frame and frame[ICMP].type in (3, 4, 5, 11, 12)


@pytest.mark.requirement("ICMP-01", "ICMP-02")
@pytest.mark.parametrize("size", [0, 1, 7, 56, 1000, 1471, 1472])
def test_echo_returns_identifier_sequence_and_octets(wire, size):
    wire.send(wire.packet() / ICMP(type=8, id=0xbeef, seq=513) / pattern(size))
    reply = wire.expect(is_icmp)
    assert (reply[ICMP].type, reply[ICMP].code, reply[ICMP].id, reply[ICMP].seq) == (0, 0, 0xbeef, 513)
    assert bytes(reply[ICMP].payload)[:size] == pattern(size)
    assert (reply[IP].src, reply[IP].dst, reply[IP].len) == (DUT_IP, PEER_IP, 28 + size)


@pytest.mark.requirement("ICMP-17")
def test_record_route_comes_back_with_the_device_in_it(wire):
    wire.send(wire.packet(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0", "0.0.0.0"])]) / ICMP(type=8))
    reply = wire.expect(is_icmp)
    assert reply[ICMP].type == 0
    assert bytes(reply[IP])[20:31] == b"\x07\x0b\x08" + inet_aton(DUT_IP) + bytes(4)
    header = bytes(reply[IP])[:reply[IP].ihl * 4]
    assert internet_checksum(header) == 0


@pytest.mark.requirement("ICMP-01")
def test_many_echoes_in_a_row_are_all_answered_in_order(wire):
    for number in range(50):
        wire.send(wire.packet() / ICMP(type=8, id=5, seq=number) / b"x")
    assert [wire.expect(is_icmp)[ICMP].seq for _ in range(50)] == list(range(50))


@pytest.mark.requirement("ICMP-01")
def test_echo_sockets_send_requests_and_get_their_replies(dut, wire):
    socket = dut.open("echo")
    socket.option(echo_sequence=7).sendto(b"ping", PEER_IP, 0)
    request = wire.expect(lambda f: ICMP in f and f[ICMP].type == 8)
    assert request[ICMP].seq == 7 and bytes(request[ICMP].payload)[:4] == b"ping"
    wire.send(wire.packet(ttl=55) / ICMP(type=0, id=request[ICMP].id ^ 1, seq=7) / b"not mine")
    wire.send(wire.packet(ttl=55) / ICMP(type=0, id=request[ICMP].id, seq=7) / b"ping")
    got = socket.recvfrom()
    assert (got["data"], got["echo_sequence"], got["ttl"]) == (b"ping", 7, 55)


@pytest.mark.requirement("ICMP-04")
def test_bad_checksum_is_dropped(wire):
    wire.send(wire.packet() / ICMP(type=8, chksum=0x1234) / b"x")
    wire.expect_none(is_icmp)


@pytest.mark.requirement("ICMP-05", "ICMP-13")
@pytest.mark.parametrize("kind", [1, 2, 6, 7, 10, 13, 15, 17, 30, 42, 255])
def test_other_types_are_dropped_silently(wire, kind):
    wire.send(wire.packet() / ICMP(type=kind) / (b"\0" * 32))
    wire.expect_none(lambda f: ICMP in f and f[ICMP].type != 14, within=0.1)  # a timestamp reply is allowed


@pytest.mark.requirement("ICMP-16")
@pytest.mark.parametrize("length", range(0, 8))
def test_truncated_messages_are_dropped(wire, length):
    whole = bytes(ICMP(type=8, id=1, seq=1) / b"x")
    wire.send(wire.packet(proto=1) / whole[:length])
    wire.expect_none(is_icmp, within=0.05)


@pytest.mark.requirement("ICMP-08", "UDP-04", "ICMP-07")
def test_closed_udp_port_is_reported_with_a_quote(wire):
    packet = wire.packet(ttl=44, id=777) / UDP(sport=1234, dport=65000) / b"quote me"
    wire.send(packet)
    error = wire.expect(is_icmp)
    assert (error[ICMP].type, error[ICMP].code, error[IP].dst) == (3, 3, PEER_IP)
    sent = bytes(packet)[14:]
    quote = bytes(error)[14 + 20 + 8:]
    assert quote[:28] == sent[:28]


@pytest.mark.requirement("ICMP-08")
@pytest.mark.parametrize("protocol", [2, 47, 132, 200, 255])
def test_unknown_protocol_is_reported(wire, protocol):
    wire.send(wire.packet(proto=protocol) / b"12345678")
    error = wire.expect(is_icmp)
    assert (error[ICMP].type, error[ICMP].code) == (3, 2)


@pytest.mark.requirement("ICMP-06")
def test_no_error_about_errors_broadcasts_fragments_or_odd_sources(wire):
    quoted = bytes(IP(src=DUT_IP, dst=PEER_IP) / UDP(sport=1, dport=2) / b"12345678")
    to_closed = UDP(sport=1234, dport=65000) / b"x"
    for frame in (
        wire.packet() / ICMP(type=3, code=3) / quoted,
        wire.packet() / ICMP(type=11) / quoted,
        wire.packet() / ICMP(type=12) / quoted,
        Ether(src=wire.mac, dst=BROADCAST) / IP(src=PEER_IP, dst="255.255.255.255") / to_closed,
        Ether(src=wire.mac, dst=BROADCAST) / IP(src=PEER_IP, dst="10.9.0.255") / to_closed,
        Ether(src=wire.mac, dst=BROADCAST) / IP(src=PEER_IP, dst=DUT_IP) / to_closed,
        Ether(src=wire.mac, dst="01:00:5e:00:00:01") / IP(src=PEER_IP, dst="224.0.0.1") / to_closed,
        wire.packet(frag=10, proto=200) / b"12345678",
        wire.packet(src="224.0.0.9") / to_closed,
        wire.packet(src="255.255.255.255") / to_closed,
        wire.packet(src="0.0.0.0") / to_closed,
        wire.packet(src="127.0.0.1") / to_closed,
    ):
        wire.send(frame)
        wire.expect_none(is_error, f"an error about {frame.summary()}", within=0.08)


@pytest.mark.requirement("ICMP-10")
def test_errors_are_rate_limited(wire):
    octets = bytes(wire.packet() / UDP(sport=1, dport=65000) / b"x")
    began = time.monotonic()
    for _ in range(3000):
        wire.send(octets)
    took = time.monotonic() - began
    time.sleep(0.3)
    errors = 0
    while not wire.frames.empty():
        errors += is_error(wire.frames.get()[1])
    assert 1 <= errors <= 50 + 1000 * (took + 0.3) + 10
    assert errors < 3000
    wire.echo_works()


def unreachable(wire, code, local, remote, kind=3, seq=None, protocol=UDP):
    """An ICMP error about a packet the device would have sent from port `local` to port `remote`."""
    inner = UDP(sport=local, dport=remote, len=9) if protocol is UDP else TCP(sport=local, dport=remote, seq=seq)
    return wire.packet() / ICMP(type=kind, code=code) / bytes(IP(src=DUT_IP, dst=PEER_IP, proto=17 if protocol is UDP else 6)
                                                              / inner)[:28]


@pytest.mark.requirement("UDP-05", "ICMP-09")
def test_port_unreachable_reaches_the_connected_udp_socket_only(dut, wire):
    socket, bystander = dut.udp(), dut.udp()
    for s in (socket, bystander):
        s.call("connect", address=PEER_IP, port=9)
    wire.send(unreachable(wire, 3, socket.port, 9))
    wire.send(unreachable(wire, 3, 1, 9))  # quotes a socket that is not there
    with pytest.raises(DutError, match="ECONNREFUSED"):
        socket.recvfrom(timeout_ms=1000)
    with pytest.raises(DutError, match="EAGAIN"):
        bystander.recvfrom(timeout_ms=50)


ROUTER = "10.9.0.254"


def from_router(error):
    error = error.copy()
    error[IP].src = ROUTER
    return error


@pytest.mark.requirement("UDP-05", "ICMP-09", "ICMP-11")
@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("kind, code, errno", [(3, 3, "ECONNREFUSED"), (3, 1, "EHOSTUNREACH"), (3, 0, "ENETUNREACH"),
                                               (11, 0, "EHOSTUNREACH"), (12, 0, "EHOSTUNREACH")])
def test_the_error_queue_of_a_udp_socket(dut, wire, kind, code, errno, connected):
    socket = dut.udp().option(report_errors=True)
    if connected:
        socket.call("connect", address=PEER_IP, port=9)
        socket.call("send", data="x")
    else:
        socket.sendto(b"x", PEER_IP, 9)
    wire.expect(lambda f: UDP in f)
    wire.send(from_router(unreachable(wire, code, socket.port, 9, kind=kind)))
    report = socket.recverr()
    assert report, wire.transcript()
    assert (report["errno"], report["origin"], report["type"], report["code"]) == (errno, "icmp", kind, code)
    assert (report["offender"], report["peer"]) == (ROUTER, f"{PEER_IP}:9")
    assert report["local"].endswith(f":{socket.port}") and len(report["quote"]) == 2 * 28
    assert socket.recverr(timeout_ms=0) is None


@pytest.mark.requirement("PMTU-07")
def test_the_error_queue_tells_the_next_hops_mtu(dut, wire):
    socket = dut.udp().option(report_errors=True, mtu_discovery="do")
    socket.call("connect", address=PEER_IP, port=9)
    socket.call("send", zeros=1400)
    frame = wire.expect(lambda f: UDP in f)
    wire.send(wire.packet(src=ROUTER) / ICMP(type=3, code=4, nexthopmtu=1300) / bytes(frame[IP])[:28])
    report = socket.recverr()
    assert (report["errno"], report["type"], report["code"], report["mtu"]) == ("EMSGSIZE", 3, 4, 1300)


@pytest.mark.requirement("UDP-05")
def test_recverr_waits_for_the_error_and_can_be_cancelled(dut, wire):
    socket = dut.udp().option(report_errors=True)
    call = socket.start("recverr", timeout_ms=3000)
    socket.sendto(b"x", PEER_IP, 9)
    wire.expect(lambda f: UDP in f)
    assert not call.done()
    wire.send(unreachable(wire, 3, socket.port, 9))
    assert call.result()["offender"] == PEER_IP
    call = socket.start("recverr")
    dut.call("cancel", target=call.request["id"])
    with pytest.raises(DutError, match="ECANCELED"):
        call.result()


def test_without_report_errors_nothing_is_kept(dut, wire):
    socket = dut.udp()
    socket.call("connect", address=PEER_IP, port=9)
    socket.call("send", data="x")
    wire.expect(lambda f: UDP in f)
    wire.send(unreachable(wire, 3, socket.port, 9))
    with pytest.raises(DutError, match="ECONNREFUSED"):
        socket.recvfrom(timeout_ms=1000)
    assert socket.recverr(timeout_ms=0) is None


@pytest.mark.requirement("MUST-47", "MUST-56", "ICMP-11")
def test_time_exceeded_is_a_soft_error_of_a_connection(tcp, wire):
    peer, socket = tcp.passive(socket_options={"report_errors": True})
    socket.send(b"one")
    segment = peer.expect("A", data=b"one")
    wire.send(from_router(unreachable(wire, 0, peer.dut_port, peer.port, kind=11, seq=segment.raw_seq, protocol=TCP)))
    report = socket.recverr()
    assert report, wire.transcript()
    assert (report["errno"], report["type"], report["code"], report["offender"]) == ("EHOSTUNREACH", 11, 0, ROUTER)
    status = socket.status()
    assert (status["state"], status["error"], status["failure"]) == ("ESTABLISHED", "EHOSTUNREACH", None)
    peer.send("A")
    peer.send("A", b"goes on")
    assert socket.recv() == b"goes on"


@pytest.mark.requirement("ICMP-15", "ICMP-09")
@pytest.mark.parametrize("offset", [-1, -1000, 3, 100000, 2**31])
def test_what_quotes_a_segment_outside_the_window_leaves_no_trace(tcp, dut, wire, offset):
    # RFC 5927 section 4.1: SND.UNA =< SEG.SEQ < SND.NXT, or nobody on the path can have seen the segment.
    peer, socket = tcp.passive(socket_options={"report_errors": True})
    socket.send(b"one")
    segment = peer.expect("A", data=b"one")
    not_credible = "ICMP message about what we did not send"
    before = dut.call("counters")["drops"].get(not_credible, 0)
    for kind, code in ((11, 0), (3, 1), (3, 3)):
        wire.send(unreachable(wire, code, peer.dut_port, peer.port, kind=kind,
                              seq=(segment.raw_seq + offset) % 2**32, protocol=TCP))
    wire.echo_works()
    assert socket.recverr(timeout_ms=0) is None
    status = socket.status()
    assert status["state"] == "ESTABLISHED" and status["error"] is None
    assert dut.call("counters")["drops"][not_credible] == before + 3


@pytest.mark.requirement("MUST-54", "SHLD-26")
def test_the_report_of_a_refused_attempt_can_still_be_read(dut, wire):
    peer = wire.peer(None)
    socket = dut.open().option(report_errors=True)
    call = socket.connect(peer.port)
    syn = peer.expect("S")
    wire.send(from_router(unreachable(wire, 3, peer.dut_port, peer.port, seq=syn.raw_seq, protocol=TCP)))
    with pytest.raises(DutError, match="ECONNREFUSED"):
        call.result(within=1)
    report = socket.recverr(timeout_ms=0)
    assert (report["type"], report["code"], report["offender"]) == (3, 3, ROUTER)


@pytest.mark.requirement("MUST-54", "SHLD-26")
@pytest.mark.parametrize("code, error", [(3, "ECONNREFUSED"), (2, "ECONNREFUSED|EHOSTUNREACH|EPROTO|ENOPROTOOPT")])
def test_hard_errors_end_a_connection_that_is_opening(dut, wire, code, error):
    peer = wire.peer(None)
    call = dut.open().connect(peer.port)
    syn = peer.expect("S")
    wire.send(unreachable(wire, code, peer.dut_port, peer.port, seq=syn.raw_seq, protocol=TCP))
    with pytest.raises(DutError, match=error):
        call.result(within=1)


@pytest.mark.requirement("MUST-56", "MUST-55", "ICMP-14", "ICMP-11", "SHLD-26")
@pytest.mark.parametrize("kind, code", [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0), (4, 0), (3, 3), (3, 2)])
def test_an_established_connection_survives_icmp(tcp, wire, kind, code):
    # Soft errors MUST NOT abort; hard ones about a synchronized connection are kept as soft ones (RFC 5927).
    peer, socket = tcp.passive()
    socket.send(b"one")
    segment = peer.expect("A", data=b"one")
    wire.send(unreachable(wire, code, peer.dut_port, peer.port, kind=kind, seq=segment.raw_seq, protocol=TCP))
    peer.send("A")
    peer.send("A", b"still here")
    assert socket.recv() == b"still here"


@pytest.mark.requirement("MUST-56")
@pytest.mark.parametrize("kind, code", [(3, 0), (3, 1), (11, 0), (4, 0)])
def test_soft_errors_do_not_end_a_connection_that_is_opening(dut, wire, kind, code):
    peer = wire.peer(None)
    call = dut.open().connect(peer.port)
    syn = peer.expect("S")
    wire.send(unreachable(wire, code, peer.dut_port, peer.port, kind=kind, seq=syn.raw_seq, protocol=TCP))
    time.sleep(0.05)
    peer.send("SA", ack=1)
    peer.expect("A", seq=1, ack=1)
    call.result()


@pytest.mark.requirement("ICMP-15")
def test_an_error_with_a_foreign_sequence_number_is_not_believed(dut, wire):
    peer = wire.peer(None)
    call = dut.open().connect(peer.port)
    syn = peer.expect("S")
    wire.send(unreachable(wire, 3, peer.dut_port, peer.port, seq=(syn.raw_seq + 100000) % 2**32, protocol=TCP))
    time.sleep(0.05)
    peer.send("SA", ack=1)
    call.result()


@pytest.mark.requirement("ICMP-16", "ICMP-09")
@pytest.mark.parametrize("length", [0, 1, 19, 20, 21, 27])
def test_errors_with_short_quotes_do_no_harm(tcp, wire, length):
    peer, socket = tcp.passive()
    quote = bytes(IP(src=DUT_IP, dst=PEER_IP, proto=6) / TCP(sport=peer.dut_port, dport=peer.port))[:length]
    for kind, code in ((3, 3), (3, 4), (11, 0), (12, 0)):
        wire.send(wire.packet() / ICMP(type=kind, code=code) / quote)
    peer.send("A", b"fine")
    assert socket.recv() == b"fine"
