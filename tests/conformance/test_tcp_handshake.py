"""Opening connections, in both directions, with options and without (RFC 9293 sections 3.5 to 3.8, 7323, 2018)."""
import itertools
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether

from wireside_dut import DutError
from wireside_wire import BROADCAST, MODERN, PEER_IP, pattern

DUT_ARGUMENTS = ["--tcp-option", "msl_ms=300"]
PIECES = {"mss": "mss 1460", "sackOK": "sackOK", "TS": "TS 4242 0", "wscale": "nop, wscale 7"}
SUBSETS = [names for n in range(5) for names in itertools.combinations(PIECES, n)]


@pytest.mark.requirement("EV-6", "MUST-4", "MUST-14", "MUST-67", "SHLD-5", "TS-01", "TS-04", "TS-10", "SACK-01")
@pytest.mark.parametrize("names", SUBSETS, ids=lambda names: "+".join(names) or "none")
def test_the_syn_ack_answers_what_was_offered(dut, wire, port, names):
    peer = wire.peer(dut.listen(port).port, options=", ".join(PIECES[n] for n in names))
    peer.send("S")
    syn_ack = peer.expect("SA", ack=1, length=0)
    assert syn_ack.options["mss"] == 1460
    assert set(syn_ack.options) - {"mss"} == set(names) - {"mss"}
    if "TS" in names:
        assert syn_ack.options["TS"][1] == 4242


@pytest.mark.requirement("EV-11", "MUST-4", "MUST-14", "MUST-67", "TS-01", "SACK-01")
def test_the_syn_offers_everything(dut, wire):
    peer = wire.peer(None)
    dut.open().connect(peer.port)
    syn = peer.expect("S", length=0)
    assert set(syn.options) == {"mss", "sackOK", "TS", "wscale"}
    assert syn.options["mss"] == 1460 and syn.options["TS"][1] == 0 and syn.options["wscale"] <= 14
    assert syn.frame[TCP].ack == 0


@pytest.mark.requirement("EV-11", "TS-01", "TS-04", "SACK-01", "MUST-65")
@pytest.mark.parametrize("names", SUBSETS, ids=lambda names: "+".join(names) or "none")
def test_only_what_both_sides_offered_is_used(dut, wire, names):
    peer = wire.peer(None, options=", ".join(PIECES[n] for n in names), window=1000)
    socket = dut.open()
    call = socket.connect(peer.port)
    syn = peer.expect("S")
    peer.send("SA", ack=1)
    ack = peer.expect("A", seq=1, ack=1, length=0)
    call.result()
    status = socket.status()
    assert status["state"] == "ESTABLISHED"
    assert set(ack.options) == ({"TS"} if "TS" in names else set())
    assert (status["timestamps"], status["sack"]) == ("TS" in names, "sackOK" in names)
    assert status["snd_wnd"] == 1000, "the window of a SYN is never scaled (TS-02)"
    assert status["snd_wscale"] == (7 if "wscale" in names else 0)
    assert status["rcv_wscale"] == (syn.options["wscale"] if "wscale" in names else 0)
    peer.timestamps = "TS" in names
    peer.send("A", b"x", win=1000)
    socket.recv()
    assert socket.status()["snd_wnd"] == (128000 if "wscale" in names else 1000)
    # What was not negotiated is not scaled in our own segments either.
    acknowledgement = peer.expect("A", ack=2)
    assert acknowledgement.window << status["rcv_wscale"] <= status["receive_buffer"]


@pytest.mark.requirement("TS-01")
def test_a_shift_beyond_fourteen_counts_as_fourteen(tcp):
    peer, socket = tcp.passive(options="mss 1460, nop, wscale 15")
    assert socket.status()["snd_wscale"] == 14


@pytest.mark.requirement("TS-02", "MUST-1")
def test_the_largest_window_is_not_negative(tcp):
    peer, socket = tcp.passive(options="mss 1460, nop, wscale 14", window=65535)
    assert socket.status()["snd_wnd"] == 65535 << 14
    socket.send(b"x" * 1000)
    peer.expect("A", length=1000)


@pytest.mark.requirement("MUST-15")
@pytest.mark.parametrize("active", [False, True])
def test_without_an_mss_option_segments_hold_536_octets(tcp, active):
    peer, socket = (tcp.active if active else tcp.passive)(options="")
    socket.send(pattern(3000))
    sizes = [s.length for s in peer.expect_data(pattern(3000))]
    assert max(sizes) == 536


@pytest.mark.requirement("MUST-16", "TS-10", "MUST-14", "SHLD-28")
@pytest.mark.parametrize("options, size", [("mss 1000", 1000), ("mss 1000, TS 1 0", 988), ("mss 1460, TS 1 0", 1448),
                                           ("mss 9000", 1460), ("mss 100", 100)])
def test_segment_size_is_the_peers_mss_less_options(tcp, options, size):
    peer, socket = tcp.passive(options=options)
    socket.send(pattern(4 * size))
    sizes = [s.length for s in peer.expect_data(pattern(4 * size))]
    assert max(sizes) == size and sizes[0] == size


@pytest.mark.requirement("MUST-16")
@pytest.mark.parametrize("mss", [0, 1, 40])
def test_an_absurd_mss_does_not_stop_the_data(tcp, mss):
    peer, socket = tcp.passive(options=f"mss {mss}")
    socket.send(pattern(200))
    assert all(s.length > 0 for s in peer.expect_data(pattern(200)))


@pytest.mark.requirement("MUST-65", "TS-01", "SACK-01")
def test_syn_only_options_stay_on_syns(tcp):
    peer, socket = tcp.passive(options=MODERN)
    socket.send(pattern(5000))
    socket.shutdown()
    got = 0
    while got < 5001:
        segment = peer.next()
        got = max(got, segment.end - 1)
        peer.send("A", ack=segment.end)
        assert not {"mss", "wscale", "sackOK"} & set(segment.options) and "TS" in segment.options


@pytest.mark.requirement("MUST-6", "MUST-64", "MUST-4", "MUST-68")
@pytest.mark.parametrize("options", ["kind 254 010203, mss 1000", "nop, mss 1000", "nop, nop, nop, mss 1000, kind 99",
                                     "kind 34 00112233, nop, mss 1000, eol", "mss 1000, kind 253 " + "00" * 30])
def test_unknown_options_at_any_alignment_are_skipped(tcp, options):
    peer, socket = tcp.passive(options=options)
    socket.send(pattern(3000))
    assert max(s.length for s in peer.expect_data(pattern(3000))) == 1000


@pytest.mark.requirement("MUST-7")
@pytest.mark.parametrize("raw", ["02000000", "02010000", "020405", "02050000", "fe280000", "0300", "08", "fe", "050a0000",
                                 "0401", "080000"])
def test_broken_option_lengths_do_no_harm(dut, wire, port, raw):
    listener = dut.listen(port)
    wire.peer(listener.port, options=f"raw {raw}").send("S")
    good = wire.peer(listener.port)
    good.handshake()
    listener.accept()
    good.send("A", b"x", options=f"raw {raw}")
    wire.echo_works()


@pytest.mark.requirement("EV-6")
def test_data_on_a_syn_is_not_acknowledged_wrongly(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S", b"early")
    syn_ack = peer.expect("SA")
    assert syn_ack.ack in (1, 6)
    peer.send("A", b"early"[syn_ack.ack - 1:], seq=syn_ack.ack)
    socket = listener.accept()
    assert socket.recv(exactly=5) == b"early"


@pytest.mark.requirement("EV-6")
def test_a_repeated_syn_gets_the_same_answer(dut, wire, port):
    peer = wire.peer(dut.listen(port).port)
    peer.send("S")
    first = peer.expect("SA", ack=1)
    peer.send("S", seq=0)
    again = peer.expect("SA", ack=1)
    assert again.raw_seq == first.raw_seq


@pytest.mark.requirement("EV-12", "MUST-10")
def test_simultaneous_open(dut, wire):
    peer = wire.peer(None)
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    peer.send("S")
    peer.expect("SA", seq=0, ack=1)
    assert socket.state == "SYN-RECEIVED"
    peer.send("SA", seq=0, ack=1)
    call.result()
    peer.drain()
    peer.send("A", b"both")
    assert socket.recv() == b"both"
    assert socket.state == "ESTABLISHED"


@pytest.mark.requirement("EV-12", "MUST-10")
def test_simultaneous_open_finished_by_a_plain_ack(dut, wire):
    peer = wire.peer(None)
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    peer.send("S")
    peer.expect("SA", seq=0, ack=1)
    peer.send("A", ack=1)
    call.result()
    socket.send(b"data")
    peer.expect("A", data=b"data")


@pytest.mark.requirement("EV-9", "EV-15")
def test_a_reset_refuses_the_connection(dut, wire):
    peer = wire.peer(None)
    call = dut.open().connect(peer.port)
    peer.expect("S")
    peer.send("RA", seq=0, ack=1)
    with pytest.raises(DutError, match="ECONNREFUSED"):
        call.result()
    peer.quiet(1.2)  # and the SYN is not repeated


@pytest.mark.requirement("EV-10")
def test_a_reset_without_a_good_ack_is_dropped_in_syn_sent(dut, wire):
    peer = wire.peer(None)
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    peer.send("R", seq=0)
    peer.send("RA", seq=0, ack=0)
    peer.send("RA", seq=0, ack=2)
    time.sleep(0.05)
    assert socket.state == "SYN-SENT"
    peer.send("SA", ack=1)
    peer.expect("A", ack=1)
    call.result()


@pytest.mark.requirement("EV-8")
@pytest.mark.parametrize("ack", [0, 2, 70000, -1])
def test_an_ack_of_nothing_sent_is_answered_with_reset_in_syn_sent(dut, wire, ack):
    peer = wire.peer(None)
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    peer.send("SA", seq=0, ack=ack)
    peer.expect("R", seq=ack)
    assert socket.state == "SYN-SENT"
    peer.seq = 0
    peer.send("SA", ack=1)
    peer.expect("A", seq=1, ack=1)
    call.result()


@pytest.mark.requirement("EV-30")
def test_fin_and_data_without_syn_are_dropped_in_syn_sent(dut, wire):
    peer = wire.peer(None)
    socket = dut.open()
    socket.connect(peer.port)
    peer.expect("S")
    peer.send("F", seq=0)
    peer.send("A", b"data", seq=0, ack=1)  # a good ACK without SYN
    peer.quiet(0.1)
    assert socket.state == "SYN-SENT"


@pytest.mark.requirement("EV-31")
def test_syn_with_fin_to_a_listener_is_no_finished_connection(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("SF")
    answer = peer.next(0.3)
    if answer:
        assert answer.flags in ("SA", "RA")
    good = wire.peer(listener.port)
    good.handshake()
    good.send("A", b"works")
    assert listener.accept().recv() == b"works"


@pytest.mark.requirement("MUST-57", "ARPC-06")
@pytest.mark.parametrize("address", ["255.255.255.255", "10.9.0.255", "224.0.0.1"])
def test_a_syn_to_many_is_ignored(dut, wire, port, address):
    dut.listen(port)
    wire.send(Ether(src=wire.mac, dst=BROADCAST) / IP(src=PEER_IP, dst=address) / TCP(sport=9, dport=port, flags="S"))
    wire.expect_none(lambda f: TCP in f)


@pytest.mark.requirement("MUST-46")
@pytest.mark.parametrize("address", ["255.255.255.255", "10.9.0.255", "224.0.0.1", "0.0.0.0"])
def test_connecting_to_many_fails_at_once_and_sends_nothing(dut, wire, address):
    with pytest.raises(DutError) as refused:
        dut.open().connect(80, address=address).result(within=0.5)
    assert refused.value.error in ("EINVAL", "EADDRNOTAVAIL", "ENETUNREACH", "EACCES")
    # An announcement of the own address may pass.
    wire.expect_none(lambda f: TCP in f or (ARP in f and f[ARP].op == 1 and f[ARP].psrc != f[ARP].pdst))


@pytest.mark.requirement("MUST-8", "ISN-01", "SHLD-1")
def test_initial_sequence_numbers_advance_for_one_pair_and_differ_between_pairs(dut, wire, port):
    listener = dut.listen(port)
    first = wire.peer(listener.port)
    isns = []
    for _ in range(4):
        first.seq = 0
        first.send("S")
        isns.append(first.expect("SA", ack=1).raw_seq)
        first.send("R", seq=1)
        time.sleep(0.05)
    steps = [(b - a) % 2**32 for a, b in zip(isns, isns[1:])]
    assert all(5_000 < step < 2_000_000 for step in steps), f"4 us clock expected, got steps {steps}"
    others = []
    for _ in range(5):
        peer = wire.peer(listener.port)
        peer.send("S")
        others.append(peer.expect("SA").raw_seq)
    gaps = [(b - a) % 2**32 for a, b in zip(others, others[1:])]
    assert any(2_000_000 < gap < 2**32 - 2_000_000 for gap in gaps), "the keyed part does not depend on the pair"


@pytest.mark.requirement("TS-07")
def test_timestamp_clocks_are_offset_per_connection_and_run_at_a_millisecond_or_so(dut, wire, port):
    listener = dut.listen(port)
    offsets = []
    for _ in range(4):
        peer = wire.peer(listener.port, options=MODERN)
        start = peer.handshake()
        time.sleep(0.2)
        peer.send("A", b"x")
        later = peer.expect("A", ack=2)
        rate = ((later.options["TS"][0] - start.options["TS"][0]) % 2**32) / (later.time - start.time)
        assert 0.9 <= rate <= 1100, f"{rate} ticks a second"
        offsets.append((start.options["TS"][0] - int(start.time * rate)) % 2**32)
    assert len({offset // 10000 for offset in offsets}) > 1, "every connection uses one clock"


@pytest.mark.requirement("PORT-01")
def test_ephemeral_ports_are_random(dut, wire):
    ports = []
    for _ in range(12):
        peer = wire.peer(None)
        dut.open().connect(peer.port)
        peer.expect("S")
        ports.append(peer.dut_port)
    assert len(set(ports)) == 12 and min(ports) >= 49152
    steps = {b - a for a, b in zip(ports, ports[1:])}
    assert len(steps) > 6, f"ports follow a pattern: {ports}"


@pytest.mark.requirement("SYNF-03", "MUST-41")
def test_the_backlog_is_honoured_without_resets(dut, wire, port):
    listener = dut.listen(port, backlog=2)
    peers = [wire.peer(listener.port) for _ in range(6)]
    for peer in peers:
        peer.send("S")
        answer = peer.next(0.1)
        assert answer is None or answer.flags == "SA"
        if answer:
            peer.send("A")
    accepted = [listener.accept() for _ in range(2)]
    assert len({s.peer for s in accepted}) == 2
    for peer in peers:
        segment = peer.next(0.02)
        assert segment is None or "R" not in segment.flags, "overflow is answered with silence, not with a reset"
    late = wire.peer(listener.port)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:  # there is room again, once the overflow has been taken or forgotten
        late.send("S", seq=0)
        if late.next(0.3):
            break
        try:
            listener.accept(timeout_ms=0)
        except DutError:
            pass
    else:
        pytest.fail("the listener never takes connections again\n" + wire.transcript())


@pytest.mark.requirement("MUST-42", "MUST-41", "MUST-43")
def test_a_listener_leaves_other_connections_alone(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.handshake()
    socket = listener.accept()
    second = wire.peer(listener.port)
    second.send("S")
    second.expect("SA")
    peer.send("A", b"undisturbed")
    assert socket.recv() == b"undisturbed"
    with pytest.raises(DutError, match="EADDRINUSE"):
        dut.listen(port)


@pytest.mark.requirement("MUST-43", "MUST-44", "MUST-45")
def test_local_address_and_port_may_be_chosen(dut, wire, port):
    peer = wire.peer(None)
    socket = dut.open().bind(port, address="10.9.0.2")
    socket.connect(peer.port)
    syn = peer.expect("S")
    assert (syn.frame[IP].src, syn.frame[TCP].sport) == ("10.9.0.2", port)


@pytest.mark.requirement("EV-32")
@pytest.mark.parametrize("isn", [2**32 - 1, 2**32 - 2, 2**32 - 1000, 2**31 - 1, 2**31, 0])
def test_sequence_numbers_wrap_unnoticed(tcp, isn):
    peer, socket = tcp.passive(isn=isn, options=MODERN)
    peer.send("A", pattern(1400))
    peer.send("A", pattern(1400, 1400))
    assert socket.recv(exactly=2800) == pattern(2800)
    peer.send("A", b"beyond", seq=peer.seq + 10)
    while "sack" not in (ack := peer.next(1)).options:
        pass
    assert ack.options["sack"] == [(2811, 2817)]
    peer.send("A", b"0123456789")
    assert socket.recv(exactly=16) == b"0123456789beyond"
    peer.drain()
    peer.send("FA", seq=2817)
    peer.expect("A", ack=2818)
    socket.close()
    peer.expect("FA")
