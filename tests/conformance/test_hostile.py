"""Whatever comes, the device neither crashes nor stops: segments and frames that hypothesis makes up."""
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP

from wireside_wire import DUT_IP, MODERN, PEER_IP, internet_checksum, pattern

BUDGET = settings(max_examples=150, deadline=None, database=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

near = st.one_of(st.integers(-3, 3), st.sampled_from([-70000, 70000, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))
segments = st.fixed_dictionaries({
    "flags": st.sets(st.sampled_from("FSRPAUEC")).map(lambda flags: "".join(sorted(flags))),
    "seq": near, "ack": near, "window": st.sampled_from([0, 1, 1460, 65535]), "urgent": st.sampled_from([0, 1, 65535]),
    "offset": st.sampled_from([5, 5, 5, 6, 10, 15, 0, 4]), "options": st.binary(max_size=40),
    "data": st.binary(max_size=50), "cut": st.sampled_from([0, 0, 0, 1, 7]),
})


def make(peer, part):
    """A segment near the connection's numbers, with a right checksum and wrong anything else."""
    tcp = TCP(sport=peer.port, dport=peer.dut_port, seq=(peer.isn + 1 + part["seq"]) % 2**32,
              ack=((peer.dut_isn or 0) + 1 + part["ack"]) % 2**32, flags=part["flags"], window=part["window"],
              urgptr=part["urgent"], dataofs=part["offset"])
    octets = bytes(tcp)[:20] + part["options"] + part["data"]
    packet = bytes(peer.wire.packet(proto=6) / octets[:len(octets) - part["cut"]])
    pseudo = packet[26:34] + b"\0\x06" + (len(packet) - 34).to_bytes(2, "big")
    body = packet[34:50] + b"\0\0" + packet[52:]
    return packet[:50] + internet_checksum(pseudo + body).to_bytes(2, "big") + packet[52:]


@pytest.mark.requirement("MUST-6", "MUST-7", "EV-13", "EV-32")
@pytest.mark.parametrize("options", ["mss 1460", MODERN], ids=["plain", "modern"])
def test_any_segments_to_a_connection(dut, tcp, wire, options):
    @BUDGET
    @given(parts=st.lists(segments, min_size=1, max_size=12))
    def attack(parts):
        peer, socket = tcp.passive(options=options)
        socket.send(pattern(100))
        for part in parts:
            wire.send(make(peer, part))
        wire.echo_works()
        del wire.peers[(peer.ip, peer.port)]
        dut.reset()

    attack()


@pytest.mark.requirement("MUST-7", "EV-31")
def test_any_segments_to_a_listener(dut, wire, port):
    listener = dut.listen(port)

    @BUDGET
    @given(parts=st.lists(segments, min_size=1, max_size=12))
    def attack(parts):
        peer = wire.peer(listener.port)
        for part in parts:
            wire.send(make(peer, part))
        del wire.peers[(peer.ip, peer.port)]
        wire.echo_works()

    attack()
    good = wire.peer(listener.port)
    good.send("S")
    good.next(0.5)  # SYN-ACK, unless the backlog is full of accepted attackers
    wire.echo_works()


@pytest.mark.requirement("IP-03", "IP-13", "ARP-02", "ICMP-16")
def test_any_octets(dut, wire):
    kinds = st.sampled_from([0x0800, 0x0800, 0x0806, 0x86dd, 5, 0])

    @BUDGET
    @given(frames=st.lists(st.tuples(kinds, st.binary(max_size=120)), min_size=1, max_size=20))
    def attack(frames):
        for kind, octets in frames:
            wire.send(bytes(wire.ether(type=kind)) + octets)
        wire.echo_works()

    attack()


@pytest.mark.requirement("IP-03", "UDP-03", "ICMP-16")
def test_mutations_of_good_packets(dut, wire, port):
    dut.listen(port)
    dut.udp(port)
    ip = IP(src=PEER_IP, dst=DUT_IP)
    seeds = [bytes(wire.ether() / ip / body) for body in (
        TCP(sport=1, dport=port, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0))]),
        UDP(sport=1, dport=port) / b"data", ICMP() / b"data", ICMP(type=3, code=4) / ip / UDP(sport=port, dport=1))]
    seeds.append(bytes(wire.arp()))
    change = st.tuples(st.integers(12, 90), st.integers(0, 255))

    @BUDGET
    @given(mutations=st.lists(st.tuples(st.sampled_from(seeds), st.lists(change, max_size=6), st.integers(14, 120)),
                              min_size=1, max_size=20))
    def attack(mutations):
        for seed, changes, cut in mutations:
            octets = bytearray(seed)
            for at, value in changes:
                octets[at % len(octets)] = value
            wire.send(bytes(octets[:cut]))
        wire.introduce()
        wire.echo_works()

    attack()
