"""Loss: RTO and its back-off, fast retransmit and recovery, giving up, keep-alive (RFC 6298, 5681, 6582, 1122)."""
import time

import pytest

from wireside_dut import DutError
from wireside_wire import MODERN, PEER_IP, pattern

DUT_ARGUMENTS = ["--tcp-option", "msl_ms=300", "--tcp-option", "congestion=newreno",
                 "--tcp-option", "tail_loss_probe=false"]


def gaps(times):
    return [later - earlier for earlier, later in zip(times, times[1:])]


@pytest.mark.requirement("RTO-01", "MUST-19", "MUST-22")
def test_a_syn_is_repeated_after_one_two_and_four_seconds(dut, wire):
    peer = wire.peer(None)
    dut.open().connect(peer.port, timeout_ms=20000)
    syns = [peer.expect("S", within=5) for _ in range(3)]
    assert len({s.raw_seq for s in syns}) == 1
    first, second = gaps([s.time for s in syns])
    assert first == pytest.approx(1.0, abs=0.15) and second == pytest.approx(2.0, abs=0.25)


@pytest.mark.requirement("RTO-01", "MUST-22")
def test_a_syn_ack_is_repeated(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S")
    first, second = peer.expect("SA", ack=1), peer.expect("SA", ack=1, within=2)
    assert second.raw_seq == first.raw_seq and second.options.keys() == first.options.keys()
    assert second.time - first.time == pytest.approx(1.0, abs=0.15)
    peer.send("A")
    listener.accept()


@pytest.mark.requirement("RTO-07")
def test_after_a_syn_timeout_the_rto_begins_at_three_seconds(dut, wire):
    peer = wire.peer(None, options="mss 1460")
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    peer.expect("S", within=2)
    peer.send("SA", ack=1)
    peer.expect("A", ack=1)
    call.result()
    assert socket.status()["rto_ms"] >= 3000


@pytest.mark.requirement("MUST-18", "MUST-19", "RTO-05", "RTO-06", "MAY-4")
def test_lost_data_is_sent_again_with_back_off(tcp):
    peer, socket = tcp.passive()
    socket.send(b"hello")
    segments = [peer.expect("A", seq=1, data=b"hello", within=4) for _ in range(4)]
    intervals = gaps([s.time for s in segments])
    rto = socket.status()["rto_ms"]
    assert 0.19 <= intervals[0] <= 1.2
    assert all(1.8 <= later / earlier <= 2.3 for earlier, later in gaps_pairs(intervals)), intervals
    assert rto / 1000 == pytest.approx(2 * intervals[-1], rel=0.2)
    assert socket.status()["retransmissions"] == 3
    peer.send("A", ack=6)
    socket.wait_status(lambda s: s["send_queued"] == 0 and s["retransmissions"] == 0)
    peer.quiet(0.3)


def gaps_pairs(values):
    return list(zip(values, values[1:]))


@pytest.mark.requirement("CC-03", "MUST-19")
def test_after_a_timeout_one_segment_is_sent_and_slow_start_begins(tcp):
    peer, socket = tcp.passive(options="mss 1000, nop, wscale 7", window=1000)
    socket.send(pattern(30000))
    first = peer.expect_data(pattern(10000), acknowledge=False)
    assert sum(s.length for s in first) == 10000
    again = peer.expect("A", seq=1, within=2)
    assert again.length == 1000
    status = socket.status()
    assert status["cwnd"] == 1000 and status["ssthresh"] == 5000
    peer.quiet(0.15)
    # F-RTO (RFC 5682 section 2.1): two new segments show whether anything was lost. A duplicate says so.
    peer.send("A", ack=1001)
    burst = [s for s in peer.collect(0.15) if s.length]
    assert burst[0].seq == 10001 and sum(s.length for s in burst) == 2000
    peer.send("A", ack=1001)
    burst = [s for s in peer.collect(0.15) if s.length]
    assert burst[0].seq == 1001 and sum(s.length for s in burst) == 1000
    peer.send("A", ack=2001)
    burst = [s for s in peer.collect(0.15) if s.length]
    assert burst[0].seq == 2001 and sum(s.length for s in burst) == 2000


def test_a_timeout_that_was_spurious_is_taken_back(tcp):
    peer, socket = tcp.passive(options="mss 1000, nop, wscale 7", window=1000)
    socket.send(pattern(30000))
    peer.expect_data(pattern(10000), acknowledge=False)
    peer.expect("A", seq=1, within=2)
    peer.send("A", ack=1001)
    peer.collect(0.1)
    peer.send("A", ack=2001)
    peer.collect(0.1)
    status = socket.status()
    assert status["cwnd"] >= 10000 and status["total_retransmitted"] == 1


@pytest.mark.requirement("RTO-04", "MUST-18")
def test_a_retransmitted_segment_gives_no_sample_without_timestamps(tcp):
    peer, socket = tcp.passive()
    socket.send(b"x")
    peer.expect("A", seq=1)
    peer.expect("A", seq=1, within=2)
    before = socket.status()
    time.sleep(0.15)
    peer.send("A", ack=2)
    after = socket.wait_status(lambda s: s["send_queued"] == 0)
    assert after["srtt_ms"] == before["srtt_ms"]


@pytest.mark.requirement("RTO-03", "TS-08")  # RTO-02's formulas are a unit test's: here times are not exact
def test_the_rto_follows_the_round_trip_time(tcp):
    peer, socket = tcp.passive(options=MODERN)
    for _ in range(6):
        socket.send(b"x")
        segment = peer.expect("A", length=1)
        time.sleep(0.06)
        peer.send("A", ack=segment.end)
    status = socket.wait_status(lambda s: s["send_queued"] == 0)
    assert 25 <= status["srtt_ms"] <= 120
    assert status["rto_ms"] >= 200 and status["rto_ms"] <= 1000


@pytest.mark.requirement("CC-05")
@pytest.mark.parametrize("options", ["mss 1000", "mss 1000, sackOK", "mss 1000, TS 5 0"], ids=["plain", "sack", "ts"])
def test_three_duplicate_acks_retransmit_at_once(tcp, options):
    peer, socket = tcp.passive(options=options, window=60000)
    size = socket.status()["mss"]
    socket.send(pattern(8 * size))
    peer.expect_data(pattern(8 * size), acknowledge=False)
    for number in range(3):
        sent = peer.send("A", ack=1, extra_options=f"nop, nop, sack {1 + size}:{1 + (2 + number) * size}"
                         if "sackOK" in options else "")
    again = peer.expect("A", seq=1, length=size, within=0.15)
    assert again.time - sent < 0.05
    assert again.data == pattern(size)
    status = socket.status()
    assert status["ssthresh"] <= max(4 * size, 2 * size) and status["ssthresh"] < 8 * size
    peer.send("A", ack=1 + 8 * size)
    socket.wait_status(lambda s: s["send_queued"] == 0)
    assert socket.status()["cwnd"] <= max(status["ssthresh"], 2 * size) + size


@pytest.mark.requirement("CC-05", "CC-06")
def test_two_duplicate_acks_do_not(tcp):
    peer, socket = tcp.passive(options="mss 1000", window=60000)
    socket.send(pattern(8000))
    peer.expect_data(pattern(8000), acknowledge=False)
    for _ in range(2):
        peer.send("A", ack=1)
    assert not [s for s in peer.collect(0.12) if s.seq == 1]


@pytest.mark.requirement("CC-06")
@pytest.mark.parametrize("near", ["data", "window", "older"])
def test_what_only_looks_like_a_duplicate_ack_does_not_count(tcp, near):
    peer, socket = tcp.passive(options="mss 1000", window=60000)
    socket.send(pattern(9000))
    peer.expect_data(pattern(9000), acknowledge=False)
    peer.send("A", ack=1001)
    for number in range(4):
        if near == "data":
            peer.send("A", b"d", ack=1001)
        elif near == "window":
            peer.send("A", ack=1001, win=59000 - 100 * number)
        else:
            peer.send("A", ack=501)
    assert not [s for s in peer.collect(0.12) if s.seq == 1001 and s.length]


@pytest.mark.requirement("NR-01", "NR-02")
def test_a_partial_ack_retransmits_the_next_hole_at_once(tcp):
    peer, socket = tcp.passive(options="mss 1000", window=60000)
    socket.send(pattern(10000))
    peer.expect_data(pattern(10000), acknowledge=False)
    for _ in range(3):  # segments 1 and 4 were lost
        peer.send("A", ack=1)
    peer.expect("A", seq=1, length=1000, within=0.15)
    sent = peer.send("A", ack=3001)
    again = peer.expect("A", seq=3001, length=1000, within=0.15)
    assert again.time - sent < 0.05
    peer.send("A", ack=10001)
    socket.wait_status(lambda s: s["send_queued"] == 0)
    peer.quiet(0.3)


@pytest.mark.requirement("NR-03")
def test_duplicate_acks_after_a_timeout_do_not_start_fast_retransmit(tcp):
    peer, socket = tcp.passive(options="mss 1000", window=60000)
    socket.send(pattern(8000))
    peer.expect_data(pattern(8000), acknowledge=False)
    peer.expect("A", seq=1, within=2)
    ssthresh = socket.status()["ssthresh"]
    peer.send("A", ack=1001)
    peer.collect(0.05)
    for _ in range(3):
        peer.send("A", ack=1001)
    peer.collect(0.05)
    assert socket.status()["ssthresh"] == ssthresh


@pytest.mark.requirement("SACK-05")
def test_reneging_is_survived(tcp):
    peer, socket = tcp.passive(options="mss 1000, sackOK", window=60000)
    socket.send(pattern(5000))
    peer.expect_data(pattern(5000), acknowledge=False)
    for end in (3001, 4001, 5001):
        peer.send("A", ack=1, options=f"nop, nop, sack 1001:{end}")
    peer.expect("A", seq=1, length=1000)
    peer.send("A", ack=1001)  # and what was reported is gone again
    got = 1001
    deadline = time.monotonic() + 12
    while got < 5001 and time.monotonic() < deadline:
        segment = peer.next(3)
        assert segment, f"nothing more came after {got}"
        if segment.seq <= got < segment.end:
            got = segment.end
            peer.send("A", ack=got)
    assert got == 5001


@pytest.mark.requirement("MUST-20", "MUST-21", "SHLD-11", "MUST-12")
def test_unanswered_data_ends_the_connection_after_the_user_timeout(tcp):
    peer, socket = tcp.passive(socket_options={"user_timeout_ms": 1200})
    waiting = socket.start("recv", timeout_ms=8000)
    socket.send(b"anybody?")
    began = time.monotonic()
    with pytest.raises(DutError, match="ETIMEDOUT"):
        waiting.result(within=6)
    assert 0.9 <= time.monotonic() - began <= 3
    sent = peer.collect(0.1)
    assert len([s for s in sent if s.length]) >= 2, "R2 comes after retransmissions"
    with pytest.raises(DutError, match="ETIMEDOUT|EPIPE|ENOTCONN"):
        socket.send(b"more")


@pytest.mark.requirement("MUST-24", "MUST-27", "MUST-26", "SHLD-12", "MUST-29", "MAY-5")
def test_keep_alive_probes_an_idle_connection(tcp):
    peer, socket = tcp.passive()
    socket.option(keep_alive_idle_ms=300, keep_alive_interval_ms=300, keep_alive_probes=3, keep_alive=True)
    for _ in range(3):
        probe = peer.expect("A", seq=0, ack=1, within=1)
        assert probe.length <= 1
        peer.send("A")
    assert socket.state == "ESTABLISHED"
    peer.send("A", b"data")  # something was received: the interval begins anew
    data = time.time()
    peer.expect("A", seq=1, ack=5)
    assert peer.expect("A", seq=0, within=1).time - data >= 0.25
    socket.option(keep_alive=False)
    peer.send("A")
    peer.quiet(0.8)


@pytest.mark.requirement("MUST-29", "MUST-24")
def test_a_silent_peer_is_given_up_after_several_probes(tcp):
    peer, socket = tcp.passive()
    waiting = socket.start("recv", timeout_ms=8000)
    socket.option(keep_alive_idle_ms=200, keep_alive_interval_ms=200, keep_alive_probes=3, keep_alive=True)
    with pytest.raises(DutError, match="ETIMEDOUT"):
        waiting.result(within=4)
    probes = [s for s in peer.collect(0.1) if s.seq == 0]
    assert len(probes) == 3


@pytest.mark.requirement("MUST-25", "MUST-28")
def test_keep_alive_is_off_and_two_hours_by_default(dut, tcp):
    peer, socket = tcp.passive()
    options = socket.call("get_option")["options"]
    assert options["keep_alive"] is False and options["keep_alive_idle_ms"] >= 7200000
    peer.quiet(0.5)


@pytest.mark.requirement("EV-33")
def test_a_peer_that_lost_its_memory_resets_us(tcp):
    peer, socket = tcp.passive()
    socket.send(b"remember?")
    segment = peer.expect("A", data=b"remember?")
    peer.send("R", seq=segment.ack)
    with pytest.raises(DutError, match="ECONNRESET"):
        socket.recv()


def test_the_address_of_the_peer_may_change_in_between(tcp, wire):
    peer, socket = tcp.passive()
    wire.hosts[PEER_IP] = "02:99:00:00:00:22"
    wire.send(wire.arp(hwsrc="02:99:00:00:00:22", psrc=PEER_IP, pdst=PEER_IP, src="02:99:00:00:00:22"))
    time.sleep(0.05)
    socket.send(b"moved")
    assert peer.expect("A", data=b"moved").frame.dst == "02:99:00:00:00:22"
