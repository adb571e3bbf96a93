"""Data in both directions: acknowledgements, reassembly, SACK, Nagle (RFC 9293, 5681, 2018, 1122)."""
import itertools
import time

import pytest
from scapy.layers.inet import IP, TCP

from wireside_wire import MODERN, frame_octets, pattern

SACK = "mss 1460, sackOK"

# The first segments are acknowledged at once otherwise.
DUT_ARGUMENTS = ["--tcp-option", "quick_acks=0"]


def tcp_checksum_of(frame):
    again = IP(bytes(frame[IP])[:frame[IP].len])
    del again[TCP].chksum
    return IP(bytes(again))[TCP].chksum


@pytest.mark.requirement("MUST-2", "SHLD-28")
@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("size", [1, 2, 1459, 1460, 1461, 20001])
def test_data_in_both_directions(tcp, active, size):
    peer, socket = (tcp.active if active else tcp.passive)()
    octets = pattern(size)
    for at in range(0, size, 1000):
        peer.send("A", octets[at:at + 1000])
    assert socket.recv(exactly=size) == octets
    peer.drain()
    socket.send(octets)
    for segment in peer.expect_data(octets):
        assert segment.frame[TCP].chksum == tcp_checksum_of(segment.frame)


@pytest.mark.requirement("MUST-61", "MUST-60", "SHLD-27")
def test_push_marks_the_end_of_the_queue(tcp):
    peer, socket = tcp.passive()
    socket.send(pattern(4000))
    segments = peer.expect_data(pattern(4000))
    assert "P" in segments[-1].flags
    assert not any("P" in s.flags for s in segments[:-1])


@pytest.mark.requirement("MUST-3")
def test_a_bad_checksum_is_dropped_without_a_word(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("A", b"bad", chksum=0x1234)
    peer.quiet(0.15)
    assert socket.status()["octets_received"] == 0
    peer.send("R", seq=1, chksum=0x1234)
    peer.send("A", b"good", seq=1)
    assert socket.recv() == b"good"


@pytest.mark.requirement("MUST-3")
def test_a_syn_with_a_bad_checksum_is_dropped(dut, wire, port):
    peer = wire.peer(dut.listen(port).port)
    peer.send("S", chksum=1)
    peer.quiet(0.15)


@pytest.mark.requirement("MUST-40", "SHLD-18", "CC-09")
def test_a_lone_segment_is_acknowledged_late_but_in_time(tcp):
    peer, socket = tcp.passive()
    warm = peer.send("A", b"w" * 10)
    peer.expect("A", ack=11)
    delays = []
    for number in range(1, 4):
        time.sleep(0.1)
        sent = peer.send("A", b"x" * 10)
        delays.append(peer.expect("A", ack=11 + 10 * number).time - sent)
    assert max(delays) < 0.5
    assert max(delays) > 0.005, f"never delayed: {delays}"
    assert warm < sent


@pytest.mark.requirement("SHLD-19", "CC-09")
def test_every_second_full_segment_is_acknowledged_at_once(tcp):
    peer, socket = tcp.passive()
    for at in range(0, 20 * 1460, 1460):
        peer.send("A", pattern(1460, at))
    assert socket.recv(exactly=20 * 1460) == pattern(20 * 1460)
    segments = [peer.expect("A", length=0)]
    while segments[-1].ack < 20 * 1460 + 1:
        segments.append(peer.expect("A", length=0))
    assert segments[-1].ack == 20 * 1460 + 1
    time.sleep(0.1)
    peer.drain()
    for number in range(5):  # pairs, one at a time: each second one draws an ACK without delay
        peer.send("A", b"x" * 1460)
        sent = peer.send("A", b"x" * 1460)
        while (ack := peer.expect("A", length=0)).ack < peer.seq:
            pass
        assert ack.time - sent < 0.02


@pytest.mark.requirement("CC-07", "SACK-03", "SHLD-31", "MAY-13")
def test_out_of_order_data_is_acknowledged_at_once_and_kept(tcp):
    peer, socket = tcp.passive(options=SACK)
    sent = peer.send("A", b"c" * 100, seq=201)
    ack = peer.expect("A", ack=1, length=0)
    assert ack.time - sent < 0.02 and ack.options["sack"] == [(201, 301)]
    sent = peer.send("A", b"b" * 100, seq=101)
    ack = peer.expect("A", ack=1)
    assert ack.time - sent < 0.02 and ack.options["sack"][0] == (101, 301)
    assert socket.status()["out_of_order"] == 200
    sent = peer.send("A", b"a" * 100, seq=1)
    ack = peer.expect("A", ack=301)
    assert ack.time - sent < 0.02, "a segment that fills a gap is acknowledged at once"
    assert "sack" not in ack.options
    assert socket.recv(exactly=300) == b"a" * 100 + b"b" * 100 + b"c" * 100


@pytest.mark.requirement("CC-07", "SACK-02")
@pytest.mark.parametrize("options", ["mss 1460", SACK])
def test_each_segment_of_a_burst_out_of_order_draws_a_duplicate_ack(tcp, options):
    peer, _ = tcp.passive(options=options)
    burst = [frame_octets(peer.build("A", b"x" * 100, seq=1 + 100 * number)) for number in range(1, 4)]
    for frame in burst:  # at once, so that the device may find them in one read
        peer.wire.send(frame)
    acks = [peer.expect("A", ack=1, length=0) for _ in burst]
    assert len({ack.window for ack in acks}) == 1, "another window would make it no duplicate"
    if options == SACK:
        assert [ack.options["sack"] for ack in acks] == [[(101, 201)], [(101, 301)], [(101, 401)]]


@pytest.mark.requirement("CC-07")
def test_filling_part_of_the_gaps_is_acknowledged_at_once(tcp):
    peer, socket = tcp.passive(options=SACK)
    peer.send("A", b"b" * 10, seq=11)
    peer.expect("A", ack=1)
    peer.send("A", b"d" * 10, seq=31)
    peer.expect("A", ack=1)
    sent = peer.send("A", b"a" * 10, seq=1)
    ack = peer.expect("A", ack=21)
    assert ack.time - sent < 0.02 and ack.options["sack"] == [(31, 41)]


@pytest.mark.requirement("SACK-02")
@pytest.mark.parametrize("options, most", [(SACK, 4), (MODERN, 3)], ids=["without timestamps", "with timestamps"])
def test_the_first_block_is_the_latest(tcp, options, most):
    peer, socket = tcp.passive(options=options)
    starts = [1001, 5001, 3001, 9001, 7001]
    for count, start in enumerate(starts, 1):
        peer.send("A", b"x" * 100, seq=start)
        ack = peer.expect("A", ack=1)
        latest_first = [(s, s + 100) for s in reversed(starts[:count])]
        assert ack.options["sack"] == latest_first[:most]
    peer.send("A", b"x" * 100, seq=3101)  # grows an old block, which so becomes the latest
    assert peer.expect("A", ack=1).options["sack"][0] == (3001, 3201)


@pytest.mark.requirement("SACK-01")
def test_no_blocks_where_sack_was_not_agreed(tcp):
    peer, socket = tcp.passive(options="mss 1460")
    peer.send("A", b"x" * 100, seq=101)
    assert "sack" not in peer.expect("A", ack=1).options


@pytest.mark.requirement("SACK-06")
def test_garbage_sack_blocks_are_ignored(tcp):
    peer, socket = tcp.passive(options=SACK)
    socket.send(pattern(5000))
    for options in ("sack 900:100", "sack 100000:200000", "sack 1:1", "sack -5000:-10", "sack 1:9999999",
                    "raw 05020000", "raw 05030000", "raw 050b0000000000000000000000"):
        peer.send("A", ack=1, options=options)
    peer.ack = 1
    time.sleep(0.05)
    got = bytearray(5000)
    deadline = time.monotonic() + 5
    covered = set()
    while len(covered) < 5000 and time.monotonic() < deadline:
        segment = peer.next(1.5)
        assert segment, "the device stopped sending"
        got[segment.seq - 1:segment.end - 1] = segment.data
        covered.update(range(segment.seq - 1, segment.end - 1))
        peer.send("A", ack=1)
    assert bytes(got) == pattern(5000)


@pytest.mark.requirement("SACK-07")
def test_a_flood_of_islands_is_bounded(dut, tcp):
    peer, socket = tcp.passive(options=SACK)
    for number in range(4000):
        peer.send("A", b"i", seq=3 + 2 * number)
    peer.wire.echo_works()
    assert dut.call("counters")["octets_in_use"] < 64 << 20
    peer.drain()
    peer.send("A", pattern(1000), seq=1)
    assert socket.recv(exactly=1) == pattern(1)


@pytest.mark.requirement("EV-27")
@pytest.mark.parametrize("order", list(itertools.permutations([(0, 40), (30, 70), (20, 60), (50, 100)])),
                         ids=lambda order: "-".join(str(start) for start, _ in order))
def test_overlapping_segments_in_any_order_are_delivered_once(tcp, order):
    peer, socket = tcp.passive()
    octets = pattern(100)
    for start, end in order:
        peer.send("A", octets[start:end], seq=1 + start)
    assert socket.recv(exactly=100) == octets
    assert socket.status()["octets_received"] == 100
    peer.seq = 101
    peer.send("A", b"next")
    assert socket.recv() == b"next"


@pytest.mark.requirement("EV-27", "EV-13")
def test_what_was_received_already_is_cut_and_acknowledged(tcp):
    peer, socket = tcp.passive()
    peer.send("A", b"abcdef")
    assert socket.recv() == b"abcdef"
    peer.drain()
    peer.send("A", b"abcdef", seq=1)
    peer.expect("A", seq=1, ack=7, length=0)
    peer.send("A", b"defghi", seq=4)
    assert socket.recv() == b"ghi"


@pytest.mark.requirement("EV-27")
def test_what_lies_beyond_the_window_is_cut(tcp):
    peer, socket = tcp.passive(socket_options={"receive_buffer": 4096})
    window = socket.status()["rcv_wnd"]
    octets = pattern(window + 500)
    for at in range(0, len(octets), 1000):
        peer.send("A", octets[at:at + 1000], seq=1 + at)
    time.sleep(0.1)
    assert socket.status()["receive_queued"] == window
    assert socket.recv(exactly=window) == octets[:window]
    peer.drain()
    peer.seq = 1 + window
    peer.send("A", octets[window:])
    assert socket.recv(exactly=500) == octets[window:]


@pytest.mark.requirement("EV-29")
def test_a_fin_waits_for_the_data_before_it(tcp):
    peer, socket = tcp.passive()
    peer.send("FA", b"de", seq=4)
    peer.expect("A", ack=1)
    assert socket.state == "ESTABLISHED"
    peer.send("A", b"abc", seq=1)
    peer.expect("A", ack=7)
    assert socket.recv(until_eof=True) == b"abcde"
    assert socket.state == "CLOSE-WAIT"


@pytest.mark.requirement("SHLD-7", "MUST-17")
def test_nagle_holds_small_segments_until_the_acknowledgement(tcp):
    peer, socket = tcp.passive()
    socket.send(b"a")
    peer.expect("A", data=b"a")
    socket.send(b"b")
    socket.send(b"c")
    peer.quiet(0.1)
    peer.send("A")
    peer.expect("A", data=b"bc")


@pytest.mark.requirement("SHLD-7")
def test_nagle_lets_full_segments_go(tcp):
    peer, socket = tcp.passive()
    socket.send(b"a")
    peer.expect("A", data=b"a")
    socket.send(pattern(1460))
    peer.expect("A", data=pattern(1460))


@pytest.mark.requirement("MUST-17")
@pytest.mark.parametrize("late", [False, True], ids=["before", "while data waits"])
def test_no_delay_sends_small_segments_at_once(tcp, late):
    peer, socket = tcp.passive(socket_options={} if late else {"no_delay": True})
    socket.send(b"a")
    peer.expect("A", data=b"a")
    socket.send(b"b")
    if late:
        socket.option(no_delay=True)
    peer.expect("A", data=b"b", within=0.1)


@pytest.mark.requirement("IW-01", "CC-01")
@pytest.mark.parametrize("mss, segments", [(536, 10), (1460, 10), (1000, 10)])
def test_the_initial_window_is_ten_segments_and_doubles(tcp, mss, segments):
    peer, socket = tcp.passive(options=f"mss {mss}, nop, wscale 7", window=8192)
    socket.send(pattern(64000))
    first = [s for s in peer.collect(0.15) if s.length]
    assert sum(s.length for s in first) == segments * mss
    for segment in first:
        peer.send("A", ack=segment.end)
    second = [s for s in peer.collect(0.15) if s.length]
    assert segments * mss < sum(s.length for s in second) <= 2 * segments * mss


@pytest.mark.requirement("CC-10", "EV-21")
def test_an_acknowledgement_of_unsent_data_is_not_believed(tcp):
    peer, socket = tcp.passive()
    socket.send(pattern(2000))
    segments = peer.expect_data(pattern(2000), acknowledge=False)
    peer.send("A", ack=50000)
    peer.expect("A", seq=2001, ack=1, length=0)
    status = socket.status()
    assert status["send_queued"] == 2000 and segments[-1].end == 2001


@pytest.mark.requirement("CC-10", "CC-01")
def test_divided_acknowledgements_do_not_open_the_window_faster(tcp):
    peer, socket = tcp.passive(options="mss 1460, nop, wscale 7", window=8192)
    socket.send(pattern(100000))
    peer.collect(0.1)
    before = socket.status()["cwnd"]
    for ack in range(2, 1461, 100):
        peer.send("A", ack=ack)
    time.sleep(0.05)
    assert socket.status()["cwnd"] <= before + 1460


@pytest.mark.requirement("EV-34", "MUST-12")
def test_sending_goes_on_after_the_peers_fin(tcp):
    peer, socket = tcp.passive()
    peer.send("FA")
    peer.expect("A", ack=2)
    assert socket.recv() == b""
    assert socket.state == "CLOSE-WAIT"
    socket.send(b"still here")
    peer.expect("A", data=b"still here")


def test_urgent_segments_deliver_their_data(tcp):
    # The urgent mechanism is not offered to applications; its octets must not be lost or disturb the stream.
    peer, socket = tcp.passive()
    peer.send("AU", b"urgent", urg=6)
    peer.send("A", b" and not")
    assert socket.recv(exactly=14) == b"urgent and not"
