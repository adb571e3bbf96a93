"""ARP responder and neighbour cache (RFC 826, RFC 1122 section 2.3.2)."""
import time

import pytest
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import ARP, LLC, SNAP, Dot3, Ether

from wireside_wire import BROADCAST, DUT_IP, PEER_IP, PEER_MAC

OTHER_MAC = "02:99:00:00:00:77"


def is_reply(frame):
    return ARP in frame and frame[ARP].op == 2


def asks_for(address):
    return lambda frame: ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == address


@pytest.mark.requirement("ARP-01")
def test_reply_is_unicast_to_the_asker_with_our_mac(wire):
    wire.send(wire.arp())
    reply = wire.expect(is_reply)
    assert (reply.src, reply.dst) == (wire.dut_mac, PEER_MAC)
    arp = reply[ARP]
    assert (arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst) == (wire.dut_mac, DUT_IP, PEER_MAC, PEER_IP)
    assert (arp.hwtype, arp.ptype, arp.hwlen, arp.plen) == (1, 0x0800, 6, 4)
    wire.expect_none(is_reply, "a second reply")


@pytest.mark.requirement("ARP-01")
@pytest.mark.parametrize("address", ["10.9.0.3", "10.9.0.255", "0.0.0.0", "127.0.0.1", "255.255.255.255"])
def test_no_reply_for_an_address_that_is_not_ours(wire, address):
    wire.send(wire.arp(pdst=address))
    wire.expect_none(is_reply)


@pytest.mark.requirement("ARP-02")
@pytest.mark.parametrize("field", [{"hwtype": 6}, {"ptype": 0x86dd}, {"hwlen": 8}, {"hwlen": 0}, {"plen": 16},
                                   {"plen": 0}, {"op": 3}, {"op": 0}])
def test_malformed_request_is_dropped(wire, field):
    frame = bytearray(bytes(wire.arp()))
    name, value = next(iter(field.items()))
    offset, size = {"hwtype": (14, 2), "ptype": (16, 2), "hwlen": (18, 1), "plen": (19, 1), "op": (20, 2)}[name]
    frame[offset:offset + size] = value.to_bytes(size, "big")
    wire.send(bytes(frame))
    wire.expect_none(is_reply)
    wire.echo_works()


@pytest.mark.requirement("ARP-02")
@pytest.mark.parametrize("length", [14, 15, 21, 27, 41])
def test_truncated_request_is_dropped(wire, length):
    wire.send(bytes(wire.arp())[:length])
    wire.expect_none(is_reply)
    wire.echo_works()


@pytest.mark.requirement("ARP-05")
def test_padding_and_junk_behind_a_request_do_not_matter(wire):
    wire.send(bytes(wire.arp()) + b"\xff" * 200)
    assert wire.expect(is_reply)[ARP].pdst == PEER_IP


@pytest.mark.requirement("ARP-05")
def test_own_frames_are_padded_to_sixty_octets(wire):
    wire.send(wire.arp())
    assert len(wire.expect(is_reply)) >= 60


@pytest.mark.requirement("ARP-03")
def test_any_arp_packet_updates_an_entry_that_exists(dut, wire):
    socket = dut.udp()
    socket.sendto(b"first", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f).dst == PEER_MAC
    wire.send(wire.arp(hwsrc=OTHER_MAC, pdst="10.9.0.99", src=OTHER_MAC))
    wire.hosts[PEER_IP] = OTHER_MAC
    time.sleep(0.05)
    socket.sendto(b"second", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f).dst == OTHER_MAC


@pytest.mark.requirement("ARP-03")
def test_gratuitous_arp_updates_an_entry_that_exists(dut, wire):
    socket = dut.udp()
    wire.send(wire.arp(hwsrc=OTHER_MAC, psrc=PEER_IP, pdst=PEER_IP, src=OTHER_MAC))
    wire.hosts[PEER_IP] = OTHER_MAC
    time.sleep(0.05)
    socket.sendto(b"x", PEER_IP, 9)
    assert wire.expect(lambda f: UDP in f).dst == OTHER_MAC


@pytest.mark.requirement("ARP-04")
@pytest.mark.parametrize("op, sender, target", [(1, "10.9.0.52", "10.9.0.99"), (1, "10.9.0.53", "10.9.0.53"),
                                                (2, "10.9.0.54", "10.9.0.54")],
                         ids=["request for another", "gratuitous request", "gratuitous reply"])
def test_no_entry_is_made_from_arp_that_is_not_for_us(dut, wire, op, sender, target):
    wire.send(wire.arp(op=op, psrc=sender, pdst=target, hwsrc=OTHER_MAC, src=OTHER_MAC))
    time.sleep(0.05)
    dut.udp().sendto(b"x", sender, 9)
    request = wire.expect(asks_for(sender), "an ARP request")
    assert request.dst == BROADCAST
    assert (request[ARP].psrc, request[ARP].hwsrc) == (DUT_IP, wire.dut_mac)
    wire.expect_none(lambda f: UDP in f, "a datagram before the address is known")


@pytest.mark.requirement("ARP-04")
def test_entry_is_made_from_a_request_for_us(dut, wire):
    wire.introduce("10.9.0.51", OTHER_MAC)
    dut.udp().sendto(b"x", "10.9.0.51", 9)
    assert wire.expect(lambda f: UDP in f or asks_for("10.9.0.51")(f)).dst == OTHER_MAC


@pytest.mark.requirement("ARPC-02")
def test_at_most_about_one_request_a_second(dut, wire):
    socket = dut.udp()
    end = time.monotonic() + 1.6
    while time.monotonic() < end:
        socket.sendto(b"x", "10.9.0.60", 9)
        time.sleep(0.02)
    requests = []
    while not wire.frames.empty():
        when, frame = wire.frames.get()
        if asks_for("10.9.0.60")(frame):
            requests.append(when)
    assert 1 <= len(requests) <= 2
    assert all(later - earlier >= 0.9 for earlier, later in zip(requests, requests[1:]))


@pytest.mark.requirement("ARPC-04")
def test_packets_wait_for_the_address(dut, wire):
    socket = dut.udp()
    for number in range(3):
        socket.sendto(b"packet %d" % number, "10.9.0.61", 9)
    wire.expect(asks_for("10.9.0.61"))
    time.sleep(0.5)
    wire.send(wire.arp(op=2, psrc="10.9.0.61", hwsrc=OTHER_MAC, src=OTHER_MAC, dst=wire.dut_mac, hwdst=wire.dut_mac))
    came = [wire.expect(lambda f: UDP in f, "a waiting datagram") for _ in range(3)]
    assert [bytes(f[UDP].payload)[:8] for f in came] == [b"packet 0", b"packet 1", b"packet 2"]
    assert all(f.dst == OTHER_MAC for f in came)


@pytest.mark.requirement("ARPC-04")
def test_an_address_that_never_answers_ends_the_connection_attempt(dut, wire):
    call = dut.open().connect(80, address="10.9.0.62", timeout_ms=9000)
    with pytest.raises(Exception, match="EHOSTUNREACH"):
        call.result(within=9)


@pytest.mark.requirement("ARPC-06")
def test_link_broadcast_of_unicast_datagrams_raises_no_errors(wire):
    closed = wire.packet()
    closed.dst = BROADCAST
    wire.send(closed / UDP(sport=5, dport=65000) / b"x")
    wire.send(closed / TCP(sport=5, dport=65000, flags="S"))
    wire.expect_none(lambda f: TCP in f or (ICMP in f and f[ICMP].type == 3), "an answer to a link broadcast")


@pytest.mark.requirement("ARPC-07")
def test_other_framings_do_no_harm(wire):
    inner = bytes(wire.packet() / ICMP() / b"x")[14:]
    wire.send(Dot3(src=PEER_MAC, dst=wire.dut_mac) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(code=0x0800) / inner)
    wire.send(Dot3(src=PEER_MAC, dst=wire.dut_mac) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / (b"\x00" * 35))
    wire.send(Ether(src=PEER_MAC, dst=wire.dut_mac, type=0x88cc) / (b"\x01" * 50))
    wire.send(Ether(src=PEER_MAC, dst=wire.dut_mac, type=0x8100) / b"\x00\x05\x08\x00" / inner)
    wire.drain()
    wire.echo_works()


def test_frames_for_another_station_are_ignored(wire):
    frame = wire.packet() / ICMP(id=7) / b"x"
    frame.dst = "02:99:00:00:00:55"
    wire.send(frame)
    wire.expect_none(lambda f: ICMP in f)


def test_a_flood_of_askers_leaves_the_device_usable(dut, wire):
    for number in range(3000):
        wire.send(bytes(wire.arp(psrc=f"10.9.0.{100 + number % 100}", hwsrc=f"02:88:00:00:{number >> 8:02x}:{number & 255:02x}")))
    time.sleep(0.3)
    wire.introduce()
    wire.echo_works()
