"""What an application asks of a connection, as the wire shows it: urgent data, corked segments, quick ACKs, the user
timeout option (RFC 9293 sections 3.8.5 and 3.9.1, RFC 6093, RFC 5482)."""
import time

import pytest

from wireside_wire import pattern


@pytest.mark.requirement("MUST-32", "MUST-33", "MUST-66")
def test_urgent_data_stays_in_line_and_its_end_is_told(tcp):
    peer, socket = tcp.passive()
    peer.send("PAU", b"normal", urg=10)
    socket.wait_status(lambda s: s["urgent_ahead"] == 10)
    peer.send("PAU", b"last", urg=4)
    socket.wait_status(lambda s: s["receive_queued"] == 10 and s["urgent_ahead"] == 10)
    assert socket.recv(exactly=10) == b"normallast"
    assert socket.status()["urgent_ahead"] == 0


@pytest.mark.requirement("MUST-62", "MUST-31")
def test_the_urgent_pointer_names_the_octet_behind_urgent_data(tcp):
    peer, socket = tcp.passive(options="mss 1000")
    socket.call("send", data="x" * 1500, urgent=True)
    first = peer.expect("AU", seq=1, length=1000)
    second = peer.expect("AU", seq=1001, length=500)
    assert first.frame["TCP"].urgptr == 1500 and second.frame["TCP"].urgptr == 500
    peer.send("A", ack=1501)
    socket.send(b"calm")
    assert peer.expect("A", data=b"calm").frame["TCP"].urgptr == 0


def test_a_cork_makes_full_segments(tcp):
    peer, socket = tcp.passive(options="mss 1000", socket_options={"cork": True})
    socket.send(pattern(600))
    socket.send(pattern(600))
    peer.expect("A", seq=1, length=1000)
    peer.quiet(0.1)
    socket.option(cork=False)
    peer.expect("A", seq=1001, length=200)


@pytest.mark.requirement("MAY-9")
def test_the_received_diffserv_field_is_passed_on(tcp):
    peer, socket = tcp.passive()
    peer.send("PA", b"x", ip={"tos": 0x28})
    socket.wait_status(lambda s: s["received_tos"] & 0xfc == 0x28)


def test_the_user_timeout_is_told_and_followed(tcp):
    peer, socket = tcp.passive(socket_options={"user_timeout_option": True})
    told = [s.options[28] for s in peer.collect(0.2) if 28 in s.options]
    assert told == [b"\x03\x84"]  # 900 s
    peer.send("A", extra_options="kind 28 1c20")  # 7,200 s
    socket.wait_status(lambda s: s["user_timeout_ms"] == 7_200_000)


@pytest.mark.requirement("MUST-40")
def test_the_first_segments_are_acknowledged_one_by_one_until_we_answer(tcp):
    peer, socket = tcp.passive()
    for number in range(3):
        sent = peer.send("PA", b"x" * 10)
        assert peer.expect("A", ack=11 + 10 * number).time - sent < 0.02
    socket.send(b"an answer")
    peer.expect("A", data=b"an answer")
    peer.send("A", ack=10)
    time.sleep(0.1)
    sent = peer.send("PA", b"x" * 10)
    assert 0.02 < peer.expect("A", ack=41).time - sent < 0.5
