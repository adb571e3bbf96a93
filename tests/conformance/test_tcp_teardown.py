"""Closing, in every order (RFC 9293 sections 3.6 and 3.10.4, RFC 1337, RFC 6191)."""
import time

import pytest

from wireside_dut import DutError
from wireside_wire import MODERN, pattern

MSL = 0.5
DUT_ARGUMENTS = ["--tcp-option", f"msl_ms={int(MSL * 1000)}", "--tcp-option", "fin_wait_2_timeout_ms=700"]


@pytest.mark.requirement("EV-24", "MUST-13")
@pytest.mark.parametrize("active", [False, True], ids=["accepted", "connected"])
def test_active_close(dut, tcp, active):
    peer, socket = (tcp.active if active else tcp.passive)()
    socket.close()
    peer.expect("FA", seq=1, ack=1)
    assert dut.state_of(peer) == "FIN-WAIT-1"
    peer.send("A", ack=2)
    dut.wait_state(peer, "FIN-WAIT-2")
    peer.send("FA")
    peer.expect("A", seq=2, ack=2, length=0)
    arrived = time.monotonic()
    assert dut.state_of(peer) == "TIME-WAIT"
    time.sleep(2 * MSL - 0.15)
    assert dut.state_of(peer) == "TIME-WAIT", "TIME-WAIT lasts 2 MSL"
    dut.wait_state(peer, None, within=0.6)
    assert time.monotonic() - arrived >= 2 * MSL - 0.02


@pytest.mark.requirement("EV-24")
def test_active_close_answered_by_fin_with_the_ack(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA", seq=1)
    peer.send("FA", ack=2)
    peer.expect("A", seq=2, ack=2)
    assert dut.state_of(peer) == "TIME-WAIT"


@pytest.mark.requirement("EV-25", "MUST-12")
def test_passive_close(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("FA")
    peer.expect("A", seq=1, ack=2)
    assert socket.recv() == b"" and socket.state == "CLOSE-WAIT"
    socket.close()
    peer.expect("FA", seq=1, ack=2)
    assert dut.state_of(peer) == "LAST-ACK"
    peer.send("A", ack=2)
    dut.wait_state(peer, None)
    peer.send("A")  # the connection is gone without a trace
    peer.expect("R", seq=2)


@pytest.mark.requirement("EV-24")
def test_simultaneous_close(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA", seq=1, ack=1)
    peer.send("FA", ack=1)  # crosses the device's FIN
    peer.expect("A", seq=2, ack=2)
    assert dut.state_of(peer) == "CLOSING"
    peer.send("A", ack=2)
    dut.wait_state(peer, "TIME-WAIT")


@pytest.mark.requirement("MUST-12", "EV-24")
def test_half_close_by_the_device(dut, tcp):
    peer, socket = tcp.passive()
    socket.send(b"last words")
    socket.shutdown()
    got = peer.expect("A", data=b"last words")
    if "F" not in got.flags:
        got = peer.expect("FA")
    peer.send("A", ack=12)
    for number in range(3):
        peer.send("A", b"answer %d" % number)
        assert socket.recv() == b"answer %d" % number
    assert socket.state == "FIN-WAIT-2"
    with pytest.raises(DutError, match="EPIPE"):
        socket.send(b"more")
    time.sleep(0.9)
    assert socket.state == "FIN-WAIT-2", "a half-closed connection in use is not timed out"
    peer.send("FA", b"end")
    assert socket.recv(until_eof=True) == b"end"
    peer.drain()
    assert dut.state_of(peer) == "TIME-WAIT"


@pytest.mark.requirement("EV-34", "MUST-12")
def test_half_close_by_the_peer(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("FA", b"request")
    assert socket.recv(until_eof=True) == b"request"
    peer.drain()
    socket.send(pattern(3000))
    peer.expect_data(pattern(3000))
    socket.close()
    peer.expect("FA", seq=3001)
    peer.send("A")
    dut.wait_state(peer, None)


@pytest.mark.requirement("EV-24", "MUST-61")
def test_data_before_close_is_delivered_first(dut, tcp):
    peer, socket = tcp.passive()
    socket.send(pattern(5000))
    socket.close()
    got, fin = b"", False
    while not fin:
        segment = peer.next()
        assert segment and segment.seq == 1 + len(got)
        got += segment.data
        fin = "F" in segment.flags
        peer.send("A", ack=segment.end)
    assert got == pattern(5000)
    dut.wait_state(peer, "FIN-WAIT-2")


@pytest.mark.requirement("EV-26", "MUST-13")
def test_a_repeated_fin_in_time_wait_is_acknowledged_and_restarts_it(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA")
    peer.send("FA", ack=2)
    peer.expect("A", ack=2)
    time.sleep(2 * MSL - 0.3)
    peer.send("FA", seq=1, ack=2)
    again = peer.expect("A", seq=2, ack=2)
    time.sleep(2 * MSL - 0.2)
    assert dut.state_of(peer) == "TIME-WAIT"
    dut.wait_state(peer, None)
    assert again.flags == "A"


@pytest.mark.requirement("MUST-19", "EV-25")
@pytest.mark.parametrize("where", ["FIN-WAIT-1", "LAST-ACK", "CLOSING"])
def test_a_lost_fin_is_sent_again(dut, tcp, where):
    peer, socket = tcp.passive()
    if where == "LAST-ACK":
        peer.send("FA")
        peer.expect("A", ack=2)
        assert socket.recv() == b""
    socket.close()
    first = peer.expect("FA", seq=1)
    if where == "CLOSING":
        peer.send("FA", ack=1)
        peer.expect("A", seq=2, ack=2)
    again = peer.expect("FA", seq=1, within=2.5)
    assert again.time - first.time >= 0.19
    assert dut.state_of(peer) == where
    peer.send("A", ack=2)
    dut.wait_state(peer, {"FIN-WAIT-1": "FIN-WAIT-2", "LAST-ACK": None, "CLOSING": "TIME-WAIT"}[where])


@pytest.mark.requirement("SHLD-3")
def test_closing_with_unread_data_resets(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("A", b"unread")
    peer.expect("A", ack=7)
    socket.close()
    reset = peer.next()
    assert "R" in reset.flags and reset.seq == 1
    assert dut.state_of(peer) is None


@pytest.mark.requirement("SHLD-3")
def test_data_after_close_is_answered_with_a_reset(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA")
    peer.send("A", ack=2)
    dut.wait_state(peer, "FIN-WAIT-2")
    peer.send("A", b"too late")
    reset = peer.next()
    assert reset and "R" in reset.flags
    dut.wait_state(peer, None)


@pytest.mark.requirement("MUST-12")
def test_abort_sends_a_reset_and_forgets(dut, tcp):
    peer, socket = tcp.passive()
    socket.send(pattern(3000))
    peer.expect_data(pattern(3000), acknowledge=False)
    socket.abort()
    reset = peer.next()
    assert "R" in reset.flags and reset.seq == 3001
    assert dut.state_of(peer) is None
    peer.quiet(0.4)


@pytest.mark.requirement("MUST-12")
def test_linger_of_zero_makes_close_an_abort(dut, tcp):
    peer, socket = tcp.passive(socket_options={"linger_ms": 0})
    socket.option(linger_ms=0).close()
    assert "R" in peer.next().flags


@pytest.mark.requirement("MUST-12", "EV-15")
def test_the_application_can_tell_a_reset_from_an_end(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("R")
    with pytest.raises(DutError, match="ECONNRESET"):
        socket.recv()
    peer, socket = tcp.passive()
    peer.send("FA")
    assert socket.recv() == b""


@pytest.mark.requirement("EV-28")
def test_data_after_the_peers_fin_is_ignored(dut, tcp):
    peer, socket = tcp.passive()
    peer.send("FA", b"abc")
    peer.expect("A", ack=5)
    peer.send("A", b"nonsense", seq=5)
    peer.drain()
    assert socket.recv(until_eof=True) == b"abc"
    assert socket.state == "CLOSE-WAIT"
    assert socket.status()["octets_received"] == 3


def test_an_orphan_in_fin_wait_2_is_given_up(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA")
    peer.send("A", ack=2)
    dut.wait_state(peer, "FIN-WAIT-2")
    dut.wait_state(peer, None, within=2)


@pytest.mark.requirement("EV-35")
def test_a_reset_does_not_shorten_time_wait(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA")
    peer.send("FA", ack=2)
    peer.expect("A", ack=2)
    for seq in (0, 1, 3, 5000):  # any but RCV.NXT
        peer.send("R", seq=seq)
    peer.drain()
    assert dut.state_of(peer) == "TIME-WAIT"


@pytest.mark.requirement("TW-02", "EV-18")
def test_an_old_syn_in_time_wait_is_answered_with_an_ack(dut, tcp):
    peer, socket = tcp.passive()
    socket.close()
    peer.expect("FA")
    peer.send("FA", ack=2)
    peer.expect("A", ack=2)
    peer.send("S", seq=-50000)
    peer.expect("A", seq=2, ack=2)
    assert dut.state_of(peer) == "TIME-WAIT"


@pytest.mark.requirement("TW-01", "MAY-2", "SHLD-4")
@pytest.mark.parametrize("options", ["mss 1460", MODERN], ids=["by sequence number", "by timestamp"])
def test_a_newer_syn_in_time_wait_opens_a_new_connection(dut, wire, port, options):
    listener = dut.listen(port)
    peer = wire.peer(listener.port, options=options)
    first = peer.handshake()
    listener.accept().close()
    peer.expect("FA")
    peer.send("FA", ack=2)
    peer.expect("A", ack=2)
    time.sleep(0.05)
    again = wire.peer(listener.port, port=peer.port, isn=peer.isn + 100000, options=options)
    again.ts_base, again.ts_recent = peer.ts_base, 0
    again.send("S")
    syn_ack = again.expect("SA", ack=1)
    assert 0 < (syn_ack.raw_seq - first.raw_seq) % 2**32 < 2**31, "the new ISN is beyond the old sequence numbers"
    again.timestamps = peer.timestamps
    again.send("A", b"anew")
    assert listener.accept().recv() == b"anew"


def test_shutdown_of_receiving_answers_data_with_a_reset_or_drops_it(dut, tcp):
    peer, socket = tcp.passive()
    socket.shutdown("receive")
    assert socket.recv() == b""
    peer.send("A", b"unwanted")
    answer = peer.next()
    assert answer and (("R" in answer.flags) or answer.ack == 9)
    peer.wire.echo_works()


def test_closing_a_listener_resets_what_waited(dut, wire, port):
    listener = dut.listen(port)
    waiting, half = wire.peer(listener.port), wire.peer(listener.port)
    waiting.handshake()
    half.send("S")
    half.expect("SA")
    listener.close()
    assert "R" in waiting.next().flags
    half.send("A")
    assert "R" in half.next().flags
    late = wire.peer(listener.port or port)
    late.send("S")
    late.expect("RA", ack=1)


@pytest.mark.requirement("EV-8", "MUST-12")
def test_closing_while_connecting_gives_up(dut, wire):
    peer = wire.peer(None)
    socket = dut.open()
    call = socket.connect(peer.port)
    peer.expect("S")
    socket.close()
    with pytest.raises(DutError, match="ECANCELED"):
        call.result()
    peer.quiet(1.2)
    peer.send("SA", ack=1)
    assert "R" in peer.next().flags


def test_many_connections_leave_no_memory_behind(dut, wire, port):
    listener = dut.listen(port)
    before = dut.call("counters")["octets_in_use"]
    for number in range(40):
        peer = wire.peer(listener.port)
        peer.handshake()
        socket = listener.accept()
        peer.send("A", pattern(1000))
        socket.send(pattern(1000))
        if number % 2:
            socket.abort()
        else:
            socket.recv(exactly=1000)
            peer.drain()
            socket.close()
            peer.ack = 1002
            peer.send("FA", ack=1002)
    time.sleep(2 * MSL + 0.2)
    counters = dut.call("counters")
    assert counters["octets_in_use"] <= before + 4096
    assert counters["sockets"] == 1
    assert dut.call("list")["connections"] == [] or all(
        c["state"] == "LISTEN" for c in dut.call("list")["connections"])


def test_the_device_never_reuses_a_port_in_time_wait_for_the_same_peer(dut, tcp):
    peer, socket = tcp.active()
    socket.close()
    peer.expect("FA")
    peer.send("FA", ack=2)
    peer.expect("A", ack=2)
    other = dut.open()
    try:
        other.bind(peer.dut_port)
        other.connect(peer.port, timeout_ms=300).result()
    except DutError as refused:
        assert refused.error in ("EADDRINUSE", "EADDRNOTAVAIL")
    else:
        pytest.fail("a four-tuple in TIME-WAIT was used again")
