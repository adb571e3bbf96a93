"""UDP (RFC 768, RFC 1122 section 4.1)."""
import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption

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


def ip_options_of(frame):
    return bytes(frame[IP])[20:frame[IP].ihl * 4]


@pytest.mark.requirement("UDP-09")
def test_ttl_tos_and_ip_options_can_be_set_for_each_datagram(dut, wire):
    socket = dut.udp()
    own = bytes(map(int, DUT_IP.split(".")))
    for ttl, tos, given, sent in ((3, 0x28, "94 04 00 00", bytes.fromhex("94040000")),  # router alert
                                  (255, 0, "07 07 04 00000000", b"\x07\x07\x08" + own + b"\0"),  # record route
                                  (1, 0xb8, "1e 04 6162 01", bytes.fromhex("1e04616201000000")),  # an unknown one
                                  (64, 0, "", b"")):
        socket.option(ttl=ttl, tos=tos, ip_options=given).sendto(b"payload", PEER_IP, 7)
        frame = wire.expect(is_udp)
        assert (frame[IP].ttl, frame[IP].tos, ip_options_of(frame)) == (ttl, tos, sent)
        assert bytes(frame[UDP].payload)[:7] == b"payload" and frame[UDP].chksum == checksum_of(frame)
        assert frame[IP].len == 20 + len(sent) + 8 + 7


@pytest.mark.requirement("UDP-09")
def test_ttl_tos_and_ip_options_are_told_with_each_datagram(dut, wire, port):
    socket = dut.udp(port)
    for ttl, tos, options, told in ((9, 0x10, b"\x94\x04\0\0", "94040000"), (77, 0, b"\x1e\x04ab", "1e046162"), (1, 0xff, b"", "")):
        wire.send(wire.packet(ttl=ttl, tos=tos, options=[IPOption(options)] if options else []) /
                  UDP(sport=5, dport=port) / b"x")
        got = socket.recvfrom()
        assert (got["ttl"], got["tos"], got["ip_options"]) == (ttl, tos, told)


@pytest.mark.requirement("UDP-09")
def test_ip_options_that_may_not_be_sent(dut, wire):
    socket = dut.udp().option(ip_options="94040000")
    for options, error in (("83 07 04 0a090001", "EOPNOTSUPP"), ("89 07 04 0a090001", "EOPNOTSUPP"),  # source routes
                           ("94 00", "EINVAL"), ("94 09 00", "EINVAL"), ("00" * 41, "EINVAL"), ("9", "EINVAL")):
        with pytest.raises(DutError, match=error):
            socket.option(ip_options=options)
    socket.sendto(b"x", PEER_IP, 7)
    assert ip_options_of(wire.expect(is_udp)) == b"\x94\x04\0\0", "what was set before stays"


@pytest.mark.requirement("FRAG-12")
def test_the_largest_messages_are_told(dut, wire):
    address = "10.9.0.34"
    wire.hosts[address] = "02:99:00:00:00:34"
    socket = dut.udp().option(mtu_discovery="do")
    socket.call("connect", address=address, port=7)
    status = socket.status()
    assert (status["mms_s"], status["mms_r"]) == (1480, 65515)
    socket.call("send", zeros=status["mms_s"] - 8)
    sent = wire.expect(is_udp)
    assert sent[IP].len == 1500
    with pytest.raises(DutError, match="EMSGSIZE"):
        socket.call("send", zeros=status["mms_s"] - 7)
    wire.send(wire.packet() / ICMP(type=3, code=4, nexthopmtu=1400) / bytes(sent[IP])[:28])
    wire.echo_works()
    assert socket.status()["mms_s"] == 1380
    socket.option(ip_options="94040000")
    assert socket.status()["mms_s"] == 1376


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
