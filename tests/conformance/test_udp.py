"""UDP (RFC 768, RFC 1122 section 4.1)."""
import pytest
from scapy.layers.inet import ICMP, IP, UDP

from wireside_dut import DutError
from wireside_wire import DUT_IP, PEER_IP, pattern


def is_udp(frame):
    return UDP in frame


def checksum_of(frame):
    """What the checksum of a sent datagram should be."""
    again = IP(bytes(frame[IP])[:frame[IP].len])
    del again[UDP].chksum
    return IP(bytes(again))[UDP].chksum


@pytest.mark.requirement("UDP-01")
@pytest.mark.parametrize("size", [0, 1, 2, 17, 1471, 1472])
def test_datagrams_leave_with_a_right_checksum(dut, wire, size):
    dut.udp().sendto(pattern(size), PEER_IP, 7)
    frame = wire.expect(is_udp)
    assert frame[UDP].len == 8 + size
    assert bytes(frame[UDP].payload)[:size] == pattern(size)
    assert frame[UDP].chksum == checksum_of(frame) != 0


@pytest.mark.requirement("UDP-01")
def test_a_computed_checksum_of_zero_is_sent_as_all_ones(dut, wire):
    socket = dut.udp()
    socket.sendto(b"\0\0", PEER_IP, 7)
    socket.sendto(wire.expect(is_udp)[UDP].chksum.to_bytes(2, "big"), PEER_IP, 7)
    assert wire.expect(is_udp)[UDP].chksum == 0xffff


@pytest.mark.requirement("UDP-02")
def test_zero_checksum_is_accepted_and_a_wrong_one_dropped(dut, wire, port):
    socket = dut.udp(port)
    wire.send(wire.packet() / UDP(sport=5, dport=port, chksum=0xbad) / b"wrong")
    wire.send(wire.packet() / UDP(sport=5, dport=port, chksum=0) / b"none")
    got = socket.recvfrom()
    assert (got["data"], got["from"], got["to"]) == (b"none", f"{PEER_IP}:5", DUT_IP)
    assert dut.call("counters")["drops"]


@pytest.mark.requirement("UDP-03")
@pytest.mark.parametrize("length", [0, 7, 14, 100, 65535])
def test_a_length_that_lies_is_dropped(dut, wire, port, length):
    socket = dut.udp(port)
    wire.send(wire.packet() / UDP(sport=5, dport=port, len=length, chksum=0) / b"five5")
    with pytest.raises(DutError, match="EAGAIN"):
        socket.recvfrom(timeout_ms=100)
    wire.echo_works()


@pytest.mark.requirement("UDP-03")
def test_octets_behind_the_udp_length_are_cut(dut, wire, port):
    socket = dut.udp(port)
    wire.send(wire.packet() / UDP(sport=5, dport=port, len=11, chksum=0) / b"abcdef")
    assert socket.recvfrom()["data"] == b"abc"


@pytest.mark.requirement("UDP-04", "ICMP-08")
def test_closed_port_is_unreachable_and_an_open_one_is_not(dut, wire, port):
    socket = dut.udp(port)
    wire.send(wire.packet() / UDP(sport=5, dport=port) / b"x")
    wire.expect_none(lambda f: ICMP in f)
    socket.close()
    wire.send(wire.packet() / UDP(sport=5, dport=port) / b"x")
    error = wire.expect(lambda f: ICMP in f)
    assert (error[ICMP].type, error[ICMP].code) == (3, 3)


@pytest.mark.requirement("UDP-06")
def test_the_most_specific_socket_wins(dut, wire, port):
    anyone = dut.udp(port)
    specific = dut.open("datagram")
    try:
        specific.bind(port, address=DUT_IP)
    except DutError as refused:
        assert refused.error == "EADDRINUSE"
        specific = anyone
    wire.send(wire.packet() / UDP(sport=5, dport=port) / b"x")
    assert specific.recvfrom()["data"] == b"x"
    with pytest.raises(DutError, match="EADDRINUSE"):
        dut.udp(port)


@pytest.mark.requirement("UDP-10")
def test_boundaries_are_kept_and_truncation_is_told(dut, wire, port):
    socket = dut.udp(port)
    for data in (b"one", b"", b"three"):
        wire.send(wire.packet() / UDP(sport=5, dport=port) / data)
    assert socket.recvfrom()["data"] == b"one"
    assert socket.recvfrom()["data"] == b""
    got = socket.recvfrom(max=2)
    assert (got["data"], got["full_length"]) == (b"th", 5)


@pytest.mark.requirement("UDP-11")
def test_connect_filters_the_peer(dut, wire, port):
    socket = dut.udp(port)
    socket.call("connect", address=PEER_IP, port=5)
    wire.send(wire.packet() / UDP(sport=6, dport=port) / b"stranger")
    wire.send(wire.packet() / UDP(sport=5, dport=port) / b"peer")
    assert socket.recv() == b"peer"
    socket.call("send", data="back")
    assert wire.expect(is_udp)[UDP].dport == 5


@pytest.mark.requirement("UDP-12")
def test_the_receive_queue_is_bounded_and_drops_the_newest(dut, wire, port):
    socket = dut.udp(port).option(receive_buffer=20000)
    for number in range(100):
        wire.send(wire.packet() / UDP(sport=5, dport=port) / (b"%03d" % number + b"x" * 997))
    wire.echo_works()
    got = []
    while True:
        try:
            got.append(int(socket.recvfrom(timeout_ms=0)["data"][:3]))
        except DutError as empty:
            assert empty.error == "EAGAIN"
            break
    assert 5 <= len(got) <= 21 and got == list(range(len(got)))


@pytest.mark.requirement("UDP-13", "FRAG-11")
def test_what_does_not_fit_is_refused_or_fragmented(dut, wire):
    socket = dut.udp()
    with pytest.raises(DutError, match="EMSGSIZE"):
        socket.call("sendto", zeros=65508, address=PEER_IP, port=7)
    try:
        socket.sendto(pattern(4000), PEER_IP, 7)
    except DutError as refused:
        assert refused.error == "EMSGSIZE"
        wire.expect_none(lambda f: IP in f)
    else:
        assert wire.expect(lambda f: IP in f)[IP].flags.MF
    assert socket.sendto(b"after", PEER_IP, 7) == 5


def test_ephemeral_ports_differ(dut):
    ports = {dut.udp().port for _ in range(20)}
    assert len(ports) == 20 and all(p >= 1024 for p in ports)
