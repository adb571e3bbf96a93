"""IPv4 input and output (RFC 791, RFC 1122 sections 3.2 and 3.3, RFC 6864)."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.l2 import ARP, Ether

from wireside_dut import DutError
from wireside_wire import BROADCAST, DUT_IP, PEER_IP, internet_checksum


def is_echo_reply(frame):
    return ICMP in frame and frame[ICMP].type == 0


def asks_for_a_stranger(frame):
    """An ARP request for anybody but the peer (whom the device may check on at any time); no announcement, of which the
    second may come at any moment of the first seconds (RFC 5227 section 2.3)."""
    return ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst not in (PEER_IP, frame[ARP].psrc)


def answers(wire, packet):
    """Whether an echo request in this form is answered."""
    wire.send(packet)
    try:
        wire.expect(is_echo_reply, within=0.25)
    except AssertionError:
        return False
    return True


def echo(wire, **fields):
    return wire.packet(**fields) / ICMP(type=8, id=3, seq=1) / b"octets"


def test_the_ordinary_echo_is_answered(wire):
    assert answers(wire, echo(wire)) and answers(wire, with_header(wire)) and answers(wire, with_header(wire, options=b"\1\1\1\0"))


@pytest.mark.requirement("IP-01")
@pytest.mark.parametrize("version", [0, 5, 6, 15])
def test_other_versions_are_dropped(wire, version):
    assert not answers(wire, echo(wire, version=version))


@pytest.mark.requirement("IP-02")
@pytest.mark.parametrize("checksum", [0, 1, 0xffff])
def test_bad_header_checksum_is_dropped(wire, checksum):
    assert not answers(wire, echo(wire, chksum=checksum))


def with_header(wire, first_octet=None, total_length=None, cut=None, options=b""):
    """An echo request whose lengths may lie, its header checksum right."""
    frame = bytearray(bytes(echo(wire)))
    frame[34:34] = options
    frame[14] = 0x45 + len(options) // 4 if first_octet is None else first_octet
    frame[16:18] = (len(frame) - 14 if total_length is None else total_length).to_bytes(2, "big")
    frame[24:26] = b"\0\0"
    header = bytes(frame[14:14 + max(20, (frame[14] & 15) * 4)])
    frame[24:26] = internet_checksum(header).to_bytes(2, "big")
    return bytes(frame[:cut])


@pytest.mark.requirement("IP-03")
@pytest.mark.parametrize("lie", [
    {"first_octet": 0x44}, {"first_octet": 0x40}, {"first_octet": 0x4f}, {"total_length": 2000}, {"total_length": 19},
    {"total_length": 0}, {"total_length": 65535}, {"cut": 33}, {"cut": 20}, {"cut": 15}, {"total_length": 22}])
def test_lengths_that_lie_are_dropped(wire, lie):
    assert not answers(wire, with_header(wire, **lie))
    wire.echo_works()


@pytest.mark.requirement("IP-04")
def test_ethernet_padding_is_ignored(wire):
    wire.send(bytes(wire.packet() / ICMP(type=8, id=3, seq=1) / b"ab").ljust(60, b"\x55"))
    reply = wire.expect(is_echo_reply)
    assert reply[IP].len == 30
    assert bytes(reply[ICMP].payload)[:2] == b"ab"


@pytest.mark.requirement("IP-05", "IP-15")
@pytest.mark.parametrize("destination", ["10.9.0.77", "192.0.2.1", "224.0.0.1", "0.0.0.0", "127.0.0.1"])
def test_a_destination_that_is_not_ours_is_dropped_and_not_forwarded(wire, destination):
    wire.send(echo(wire, dst=destination))
    wire.expect_none(lambda f: IP in f or asks_for_a_stranger(f), "a reply or a forwarded packet")


@pytest.mark.requirement("IP-06", "UDP-08", "MUST-63")
@pytest.mark.parametrize("source", ["255.255.255.255", "224.0.0.5", "127.0.0.1", "0.0.0.0", "10.9.0.255", DUT_IP,
                                    "240.0.0.1"])
def test_bad_sources_are_dropped(dut, wire, port, source):
    listener, udp = dut.listen(port), dut.udp(port)
    wire.send(echo(wire, src=source))
    wire.send(wire.packet(src=source) / TCP(sport=9, dport=listener.port, flags="S"))
    wire.send(wire.packet(src=source) / UDP(sport=9, dport=port) / b"x")
    wire.send(wire.packet(src=source) / UDP(sport=9, dport=65000) / b"x")
    wire.expect_none(lambda f: IP in f or asks_for_a_stranger(f), "an answer to a bad source")
    with pytest.raises(DutError, match="EAGAIN"):
        udp.recvfrom(timeout_ms=0)


@pytest.mark.requirement("IP-09")
@pytest.mark.parametrize("ttl", [0, 1])
def test_ttl_of_what_is_for_us_does_not_matter(wire, ttl):
    assert answers(wire, echo(wire, ttl=ttl))


@pytest.mark.requirement("IP-10", "MUST-49")
def test_ttl_default_set_and_seen(dut, wire, port):
    socket = dut.udp(port)
    socket.sendto(b"x", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f)[IP].ttl == 64
    socket.option(ttl=3).sendto(b"x", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f)[IP].ttl == 3
    wire.send(wire.packet(ttl=17, tos=0x28) / UDP(sport=9, dport=port) / b"x")
    got = socket.recvfrom()
    assert (got["ttl"], got["tos"]) == (17, 0x28)


@pytest.mark.requirement("IP-11", "MUST-48", "MUST-49", "SHLD-21", "SHLD-22")
def test_tcp_ttl_and_diffserv_can_be_set(tcp):
    peer, socket = tcp.passive(socket_options={"ttl": 9, "tos": 0x28})
    socket.send(b"a")
    segment = peer.expect("A", data=b"a")
    assert (segment.frame[IP].ttl, segment.frame[IP].tos & 0xfc) == (9, 0x28)
    peer.send("A")
    socket.option(ttl=10, tos=0x48).send(b"b")
    segment = peer.expect("A", data=b"b")
    assert (segment.frame[IP].ttl, segment.frame[IP].tos & 0xfc) == (10, 0x48)


@pytest.mark.requirement("IP-12", "MUST-50")
@pytest.mark.parametrize("option", [b"\x1e\x04ab", b"\x9e\x04ab", b"\x01\x01\x01\x00", b"\x44\x08\x05\x00\0\0\0\0",
                                    b"\x07\x07\x04\0\0\0\0\x00", b"\x94\x04\x00\x00"])
def test_options_are_skipped(wire, option):
    assert answers(wire, with_header(wire, options=option))


@pytest.mark.requirement("MUST-50")
def test_ip_options_do_not_disturb_tcp(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S", ip={"options": [IPOption(b"\x94\x04\x00\x00")]})
    peer.expect("SA", ack=1)
    peer.send("A", ip={"options": [IPOption(b"\x1e\x04ab")]})
    listener.accept().wait_state("ESTABLISHED")


@pytest.mark.requirement("IP-13")
@pytest.mark.parametrize("option", [b"\x1e\x00\x00\x00", b"\x1e\x01\x00\x00", b"\x1e\x28\x00\x00", b"\x01\x01\x01\x1e",
                                    b"\x83\x03\x04\x00", b"\x44\x03\x05\x00", b"\x07\xff\x04\x00"])
def test_malformed_options_do_no_harm(wire, option):
    answers(wire, with_header(wire, options=option))
    wire.echo_works()


@pytest.mark.requirement("IP-14", "IP-15")
@pytest.mark.parametrize("kind", [0x83, 0x89])
def test_source_routed_packets_are_not_forwarded(wire, kind):
    hop = bytes([10, 9, 0, 66])
    wire.send(with_header(wire, options=bytes([kind, 7, 4]) + hop + b"\x00"))
    wire.expect_none(lambda f: (IP in f and f[IP].dst == "10.9.0.66") or (ARP in f and f[ARP].pdst == "10.9.0.66"),
                     "a forwarded packet")
    wire.send(with_header(wire, options=bytes([kind, 7, 8]) + hop + b"\x00"))  # completed: answered or dropped
    wire.drain()
    wire.echo_works()


@pytest.mark.requirement("IP-16")
def test_off_link_goes_to_the_gateway(dut, wire):
    wire.hosts["10.9.0.254"] = "02:99:00:00:00:fe"
    dut.udp().sendto(b"x", "192.0.2.9", 9)
    frame = wire.expect(lambda f: UDP in f, "the datagram")
    assert (frame.dst, frame[IP].dst) == ("02:99:00:00:00:fe", "192.0.2.9")


@pytest.mark.requirement("IP-07")
def test_loopback_addresses_stay_off_the_wire(dut, wire):
    call = dut.open().connect(80, address="127.0.0.1", timeout_ms=300)
    socket = dut.udp()
    try:
        socket.sendto(b"x", "127.0.0.1", 9)
    except DutError:
        pass  # refusing it is as good
    wire.expect_none(lambda f: IP in f or asks_for_a_stranger(f), "a packet to 127/8")
    with pytest.raises(DutError):
        call.result()


def test_own_address_is_reached_without_the_wire(dut, wire, port):
    listener = dut.listen(port)
    client = dut.open()
    call = client.connect(port, address=DUT_IP)
    server = listener.accept()
    call.result()
    client.send(b"to myself")
    assert server.recv() == b"to myself"
    wire.expect_none(lambda f: IP in f or asks_for_a_stranger(f), "a packet to ourselves")


@pytest.mark.requirement("IP-19")
@pytest.mark.parametrize("address", ["10.9.0.255", "255.255.255.255"])
def test_broadcasts_are_received_and_sent_only_with_permission(dut, wire, port, address):
    socket = dut.udp(port)
    wire.send(Ether(src=wire.mac, dst=BROADCAST) / IP(src=PEER_IP, dst=address) / UDP(sport=9, dport=port) / b"to all")
    got = socket.recvfrom()
    assert (got["data"], got["to"]) == (b"to all", address)
    with pytest.raises(DutError, match="EACCES"):
        socket.sendto(b"x", address, 9)
    socket.option(broadcast=True).sendto(b"from us", address, 9)
    frame = wire.expect(lambda f: UDP in f)
    assert (frame.dst, frame[IP].dst) == (BROADCAST, address)


@pytest.mark.requirement("IP-08")
def test_the_source_is_our_own(dut, wire):
    with pytest.raises(DutError, match="EADDRNOTAVAIL"):
        dut.open("datagram").bind(address="10.9.0.77")
    dut.udp().sendto(b"x", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f)[IP].src == DUT_IP


@pytest.mark.requirement("PMTU-01", "FRAG-13")
def test_tcp_sets_df_and_atomic_datagrams_are_whole(tcp):
    peer, socket = tcp.passive()
    socket.send(b"x" * 3000)
    for segment in peer.expect_data(b"x" * 3000):
        assert segment.frame[IP].flags.DF and not segment.frame[IP].flags.MF and segment.frame[IP].frag == 0


def test_fragments_do_no_harm(wire):
    wire.send(echo(wire, flags="MF"))
    wire.send(echo(wire, frag=100))
    wire.send(echo(wire, flags="MF", frag=8190))
    wire.drain()
    wire.echo_works()
