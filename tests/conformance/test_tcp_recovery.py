"""Loss recovery with selective acknowledgements as the wire shows it: RACK-TLP (RFC 8985), PRR (RFC 6937), duplicates
reported (RFC 2883), CUBIC's decrease (RFC 9438)."""
import pytest

from wireside_wire import pattern

# No tail loss probes: next to a peer written in Python, two round trips are over before it has answered.
DUT_ARGUMENTS = ["--tcp-option", "msl_ms=300", "--tcp-option", "tail_loss_probe=false"]
MSS = 1000
SACK = "mss 1000, sackOK"


def report(peer, *blocks, ack=1):
    """An ACK with SACK blocks, given as first and last + 1 segment of MSS octets, counted from 0."""
    text = " ".join(f"{1 + left * MSS}:{1 + right * MSS}" for left, right in blocks)
    return peer.send("A", ack=ack, extra_options=f"nop, nop, sack {text}")


def send_flight(tcp, segments, options=SACK, **socket_options):
    peer, socket = tcp.passive(options=options, window=60000, socket_options=socket_options)
    socket.send(pattern(segments * MSS))
    peer.expect_data(pattern(min(segments, 10) * MSS), acknowledge=False)
    return peer, socket


def segments_of(frames):
    return [(s.seq - 1) // MSS for s in frames if s.length]


@pytest.mark.requirement("SACKR-02", "SACKR-03", "RACK-02")
def test_only_the_holes_are_sent_again(tcp):
    peer, socket = send_flight(tcp, 10)
    report(peer, (1, 2), (3, 4), (5, 10))  # 0, 2 and 4 were lost
    assert segments_of([peer.expect("A", within=0.3)]) == [0]
    report(peer, (3, 4), (5, 10), ack=1 + 2 * MSS)
    again = segments_of(peer.collect(0.1))
    if again == [2]:
        report(peer, (5, 10), ack=1 + 4 * MSS)
        again += segments_of(peer.collect(0.1))
    assert again == [2, 4]
    peer.send("A", ack=1 + 10 * MSS)
    socket.wait_status(lambda s: s["send_queued"] == 0)
    peer.quiet(0.3)


@pytest.mark.requirement("LT-01")
def test_the_first_two_duplicate_acks_each_release_one_new_segment(tcp):
    peer, socket = send_flight(tcp, 14, options="mss 1000")
    peer.send("A", ack=1)
    assert segments_of(peer.collect(0.08)) == [10]
    peer.send("A", ack=1)
    assert segments_of(peer.collect(0.08)) == [11]
    peer.send("A", ack=1 + 3 * MSS)  # segment 0 was only late
    later = segments_of(peer.collect(0.08))
    assert later and min(later) >= 12
    assert socket.status()["ssthresh"] == 0xFFFFFFFF


@pytest.mark.requirement("SACK-04")
def test_what_came_twice_is_reported_first(tcp):
    peer, _socket = tcp.passive(options=SACK)
    peer.send("A", pattern(MSS), seq=1)
    peer.expect("A", ack=1 + MSS)
    peer.send("A", pattern(MSS), seq=1)
    answer = peer.expect("A", ack=1 + MSS)
    assert answer.options["sack"] == [(1, 1 + MSS)]  # below the ACK number
    peer.send("A", b"y" * MSS, seq=1 + 3 * MSS)
    assert peer.expect("A", ack=1 + MSS).options["sack"] == [(1 + 3 * MSS, 1 + 4 * MSS)]
    peer.send("A", b"y" * MSS, seq=1 + 3 * MSS)
    answer = peer.expect("A", ack=1 + MSS)
    assert answer.options["sack"] == [(1 + 3 * MSS, 1 + 4 * MSS)] * 2  # inside the block that follows


@pytest.mark.requirement("CC-05", "CUBIC-01")
@pytest.mark.parametrize("algorithm, kept", [("newreno", 0.5), ("cubic", 0.7)])
def test_three_reports_retransmit_at_once_and_reduce_the_window(tcp, algorithm, kept):
    peer, socket = send_flight(tcp, 8, congestion=algorithm)
    for last in (2, 3, 4):
        sent = report(peer, (1, last))
    again = peer.expect("A", seq=1, length=MSS, within=0.15)
    assert again.time - sent < 0.05
    assert socket.status()["ssthresh"] == int(8 * MSS * kept)
    peer.send("A", ack=1 + 8 * MSS)
    socket.wait_status(lambda s: s["send_queued"] == 0)
    assert socket.status()["cwnd"] <= int(8 * MSS * kept) + MSS


@pytest.mark.requirement("MAY-18")
def test_the_algorithm_is_chosen_per_socket(tcp):
    assert tcp.passive()[1].status()["congestion"] == "cubic"
    _peer, socket = tcp.passive(socket_options={"congestion": "newreno"})
    assert socket.status()["congestion"] == "newreno"
