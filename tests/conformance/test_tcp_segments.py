"""SEGMENT ARRIVES, rule by rule: which segment draws which answer in which state (RFC 9293 section 3.10.7, RFC 5961)."""
import time

import pytest

from wireside_dut import DutError
from wireside_wire import MODERN, pattern

DUT_ARGUMENTS = ["--tcp-option", "msl_ms=400"]
STATES = ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK"]


def bring_to(tcp, state, **settings):
    """A connection in that state; gives (peer, socket). The socket stays open, so that its status can be asked."""
    peer, socket = tcp.passive(**settings)
    if state in ("CLOSE-WAIT", "LAST-ACK"):
        peer.send("FA")
        peer.expect("A", ack=2)
    if state in ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK"):
        socket.shutdown()
        peer.expect("FA", seq=1)
    if state == "FIN-WAIT-2":
        peer.send("A", ack=2)
    if state == "CLOSING":
        peer.send("FA", ack=1)
        peer.expect("A", seq=2, ack=2)
    if state in ("FIN-WAIT-1", "CLOSING", "LAST-ACK"):
        peer.ack = 1  # the FIN is not acknowledged by what follows
    socket.wait_state(state)
    return peer, socket


def snd_nxt(state):
    return 2 if state in ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK") else 1


# --- no connection ---------------------------------------------------------------------------------------------------

@pytest.mark.requirement("EV-1")
@pytest.mark.parametrize("flags", ["R", "RA", "RS", "RF", "RSA"])
def test_a_reset_to_nobody_is_ignored(wire, port, flags):
    peer = wire.peer(port)
    peer.send(flags, seq=5, ack=7 if "A" in flags else None)
    peer.quiet(0.1)


@pytest.mark.requirement("EV-2")
@pytest.mark.parametrize("flags, data, length", [("S", b"", 1), ("", b"", 0), ("P", b"abc", 3), ("F", b"", 1),
                                                 ("SF", b"", 2), ("S", b"abcd", 5), ("F", b"ab", 3)])
def test_nobody_answers_a_segment_without_ack(wire, port, flags, data, length):
    peer = wire.peer(port)
    peer.send(flags, data, seq=100)
    reset = peer.expect("RA", ack=100 + length, length=0)
    assert reset.raw_seq == 0


@pytest.mark.requirement("EV-3")
@pytest.mark.parametrize("flags, data", [("A", b""), ("SA", b""), ("FA", b""), ("PA", b"abc")])
def test_nobody_answers_a_segment_with_ack(wire, port, flags, data):
    peer = wire.peer(port)
    peer.dut_isn = 0
    peer.send(flags, data, seq=100, ack=7777)
    reset = peer.expect("R", length=0)
    assert reset.raw_seq == 7777


# --- LISTEN ----------------------------------------------------------------------------------------------------------

@pytest.mark.requirement("EV-4", "EV-7", "EV-30")
@pytest.mark.parametrize("flags", ["R", "RA", "RS", "", "P", "F", "U"])
def test_a_listener_ignores_resets_and_segments_without_syn(dut, wire, port, flags):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send(flags, b"x" if flags == "P" else b"", seq=5, ack=9 if "A" in flags else None)
    peer.quiet(0.1)
    good = wire.peer(listener.port)
    good.handshake()
    listener.accept()


@pytest.mark.requirement("EV-5", "SYNF-02")
@pytest.mark.parametrize("flags", ["A", "SA", "FA", "PA"])
def test_a_listener_resets_acknowledgements(dut, wire, port, flags):
    peer = wire.peer(dut.listen(port).port)
    peer.dut_isn = 0
    peer.send(flags, seq=100, ack=4321)
    assert peer.expect("R", length=0).raw_seq == 4321


# --- SYN-RECEIVED ----------------------------------------------------------------------------------------------------

@pytest.mark.requirement("EV-17", "MUST-11")
def test_a_reset_in_syn_received_goes_back_to_listen(dut, wire, port):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S")
    peer.expect("SA")
    peer.send("R", seq=1)
    peer.quiet(1.2)  # no further SYN-ACK
    with pytest.raises(DutError, match="EAGAIN"):
        listener.accept(timeout_ms=0)
    good = wire.peer(listener.port)
    good.handshake()
    listener.accept()


@pytest.mark.requirement("EV-17", "MUST-11")
def test_a_reset_after_simultaneous_open_refuses_the_connection(dut, wire):
    peer = wire.peer(None)
    call = dut.open().connect(peer.port)
    peer.expect("S")
    peer.send("S")
    peer.expect("SA", ack=1)
    peer.send("R", seq=1)
    with pytest.raises(DutError, match="ECONNREFUSED"):
        call.result()


@pytest.mark.requirement("EV-20")
@pytest.mark.parametrize("ack", [0, 2, 100000, -5])
def test_a_bad_ack_in_syn_received_is_reset(dut, wire, port, ack):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S")
    peer.expect("SA")
    peer.send("A", seq=1, ack=ack)
    peer.expect("R", seq=ack)
    peer.send("A", seq=1, ack=1)
    listener.accept()


@pytest.mark.requirement("EV-14", "EV-16", "BLIND-01")
@pytest.mark.parametrize("seq", [0, 70000, 500])
def test_a_reset_elsewhere_does_not_end_a_half_open_connection(dut, wire, port, seq):
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.send("S")
    peer.expect("SA")
    peer.send("R", seq=seq)
    peer.collect(0.05)
    peer.send("A", seq=1, ack=1)
    listener.accept()


# --- synchronized states ---------------------------------------------------------------------------------------------

@pytest.mark.requirement("EV-15", "SHLD-2", "BLIND-01")
@pytest.mark.parametrize("data", [b"", b"reason"], ids=["bare", "with text"])
@pytest.mark.parametrize("state", STATES)
def test_a_reset_at_rcv_nxt_ends_the_connection(tcp, state, data):
    peer, socket = bring_to(tcp, state)
    peer.send("R", data)
    socket.wait_state("CLOSED")
    peer.quiet(0.1)
    if state in ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"):
        assert socket.status()["failure"] == "ECONNRESET"


@pytest.mark.requirement("EV-14", "BLIND-01")
@pytest.mark.parametrize("state", STATES)
def test_a_reset_outside_the_window_is_dropped_silently(tcp, state):
    peer, socket = bring_to(tcp, state)
    window = max(socket.status()["rcv_wnd"], 1)
    for seq in (peer.seq - 1, peer.seq - 5000, peer.seq + window + 1, peer.seq + 2**31):
        peer.send("R", seq=seq)
    came = [s for s in peer.collect(0.1) if "F" not in s.flags]
    assert not came and socket.state == state


@pytest.mark.requirement("EV-16", "BLIND-01")
@pytest.mark.parametrize("state", ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"])
def test_a_reset_inside_the_window_is_challenged(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("R", seq=peer.seq + 1)
    peer.expect("A", seq=snd_nxt(state), ack=peer.seq, length=0)
    assert socket.state == state


@pytest.mark.requirement("EV-18", "BLIND-02")
@pytest.mark.parametrize("offset", [-1000, -1, 0, 10, 10**6])
@pytest.mark.parametrize("state", STATES)
def test_a_syn_is_challenged_whatever_its_number(tcp, state, offset):
    peer, socket = bring_to(tcp, state)
    rcv_nxt = peer.seq
    peer.send("S", seq=peer.seq + offset)
    peer.expect("A", seq=snd_nxt(state), ack=rcv_nxt, length=0)
    assert socket.state == state


@pytest.mark.requirement("EV-18", "EV-13")
def test_a_repeated_syn_ack_is_acknowledged(tcp):
    peer, socket = tcp.active()
    peer.send("SA", seq=0, ack=1)
    peer.expect("A", seq=1, ack=1, length=0)
    assert socket.state == "ESTABLISHED"


@pytest.mark.requirement("EV-19")
@pytest.mark.parametrize("state", STATES)
def test_a_segment_without_ack_is_dropped(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("", b"no ack", seq=peer.seq)
    peer.send("F", seq=peer.seq)
    assert not [s for s in peer.collect(0.1) if "F" not in s.flags or s.ack != peer.seq]
    assert socket.state == state and socket.status()["octets_received"] == 0


@pytest.mark.requirement("EV-13")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("seq, data", [(-1, b""), (-1, b"x"), (-100, b"y" * 50), (10**6, b""), (10**6, b"z")],
                         ids=["keep-alive", "old octet", "old text", "far ahead", "far ahead text"])
def test_an_unacceptable_segment_is_acknowledged_and_dropped(tcp, state, seq, data):
    peer, socket = bring_to(tcp, state)
    before = socket.status()
    peer.send("A", data, seq=peer.seq + seq)
    peer.expect("A", seq=snd_nxt(state), ack=peer.seq, length=0)
    after = socket.status()
    assert (after["rcv_nxt"], after["state"], after["out_of_order"]) == (before["rcv_nxt"], state, 0)


@pytest.mark.requirement("EV-21", "CC-10")
@pytest.mark.parametrize("state", STATES)
def test_an_ack_of_what_was_never_sent_is_answered_and_dropped(tcp, state):
    peer, socket = bring_to(tcp, state)
    rcv_nxt = peer.seq
    peer.send("A", b"carried", ack=50000, seq=peer.seq)
    peer.expect("A", seq=snd_nxt(state), ack=rcv_nxt, length=0)
    assert socket.state == state and socket.status()["octets_received"] == 0


@pytest.mark.requirement("EV-22")
def test_an_old_ack_is_a_duplicate_and_its_text_counts(tcp):
    peer, socket = tcp.passive()
    socket.send(b"abc")
    peer.expect("A", data=b"abc")
    peer.send("A", ack=4)
    peer.send("A", b"text", ack=2)
    assert socket.recv() == b"text"
    assert socket.status()["send_queued"] == 0


@pytest.mark.requirement("BLIND-03", "MAY-12", "EV-22")
def test_an_ack_from_long_ago_changes_nothing(tcp):
    peer, socket = tcp.passive()
    before = socket.status()
    peer.send("A", ack=-200000)
    peer.collect(0.05)
    after = socket.status()
    assert (after["snd_una"], after["snd_wnd"], after["state"]) == (before["snd_una"], before["snd_wnd"], "ESTABLISHED")


CHALLENGES_A_SECOND = 10  # of each connection (stack/tcp/ack_ration.hpp); the second begins with the first of them


def challenge_ten(peer):
    """Each of ten SYNs draws its ACK: a whole second's ration. One at a time, since SYNs read together share an ACK."""
    for _ in range(CHALLENGES_A_SECOND):
        peer.send("S", seq=peer.seq + 10)
        peer.expect("A", seq=1, ack=1, length=0, within=5)


def most_challenges(since):
    """Seconds begin at least one second apart, so no more of them can have begun."""
    return CHALLENGES_A_SECOND * (int(time.monotonic() - since) + 1)


@pytest.mark.requirement("BLIND-04")
def test_challenges_are_throttled(tcp):
    # RFC 5961 section 10
    peer, socket = tcp.passive()
    begin = time.monotonic()
    challenge_ten(peer)
    for _ in range(100):
        peer.send("S", seq=peer.seq + 10)
        peer.wire.echo_works()  # by then the SYN was read, alone
    answers = CHALLENGES_A_SECOND + len(peer.collect(0.1))
    assert answers <= most_challenges(begin)
    time.sleep(1)  # whenever the last second began, it is over: the ration is whole again
    challenge_ten(peer)
    peer.send("A", b"alive")
    assert socket.recv() == b"alive"


@pytest.mark.requirement("BLIND-04")
def test_challenges_are_throttled_for_each_connection_alone(tcp):
    # CVE-2016-5696: what one connection uses up, another must not miss.
    peer, _ = tcp.passive()
    other, socket = tcp.passive()
    flood = bytes(peer.build("S", seq=peer.seq + 10))
    begin = time.monotonic()
    challenge_ten(peer)
    for _ in range(CHALLENGES_A_SECOND):
        for _ in range(3 * CHALLENGES_A_SECOND):  # a ration that both shared would be used up, in a new second as well
            peer.wire.send(flood)
        other.send("S", seq=other.seq + 10)
        other.expect("A", seq=1, ack=1, length=0, within=5)
    answers = CHALLENGES_A_SECOND + len(peer.collect(0.1))
    assert answers <= most_challenges(begin)
    other.send("A", b"alive")
    assert socket.recv() == b"alive"


@pytest.mark.requirement("EV-29", "EV-24")
@pytest.mark.parametrize("state", ["FIN-WAIT-1", "FIN-WAIT-2"])
def test_text_in_fin_wait_is_delivered(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("A", b"answer")
    assert socket.recv() == b"answer"
    assert socket.state == state


@pytest.mark.requirement("EV-28", "EV-27")
@pytest.mark.parametrize("state", ["CLOSE-WAIT", "CLOSING", "LAST-ACK"])
def test_text_after_the_peers_fin_is_not_delivered(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("A", b"impossible")
    peer.collect(0.05)
    assert socket.status()["octets_received"] == 0 and socket.state == state


@pytest.mark.requirement("EV-24")
@pytest.mark.parametrize("state, flags, ack, then", [
    ("FIN-WAIT-1", "A", 2, "FIN-WAIT-2"), ("FIN-WAIT-1", "FA", 1, "CLOSING"), ("FIN-WAIT-1", "FA", 2, "TIME-WAIT"),
    ("FIN-WAIT-2", "FA", 2, "TIME-WAIT"), ("CLOSING", "A", 2, "TIME-WAIT"), ("LAST-ACK", "A", 2, "CLOSED"),
    ("ESTABLISHED", "FA", 1, "CLOSE-WAIT")])
def test_every_edge_of_closing(tcp, state, flags, ack, then):
    peer, socket = bring_to(tcp, state)
    peer.send(flags, ack=ack)
    socket.wait_state(then)


@pytest.mark.requirement("EV-24", "EV-25")
@pytest.mark.parametrize("state", ["FIN-WAIT-1", "CLOSING", "LAST-ACK"])
def test_only_the_ack_of_our_fin_counts_as_such(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("A", ack=1)  # acknowledges what came before the FIN
    peer.collect(0.05)
    assert socket.state == state


@pytest.mark.requirement("EV-26", "EV-28")
@pytest.mark.parametrize("state", ["CLOSE-WAIT", "CLOSING", "LAST-ACK"])
def test_a_repeated_fin_is_acknowledged_and_changes_nothing(tcp, state):
    peer, socket = bring_to(tcp, state)
    peer.send("FA", seq=1, ack=1)
    peer.expect("A", seq=snd_nxt(state), ack=2, length=0)
    assert socket.state == state


# --- timestamps (RFC 7323) -------------------------------------------------------------------------------------------

@pytest.mark.requirement("TS-06")
def test_an_old_timestamp_is_dropped_and_acknowledged(tcp):
    peer, socket = tcp.passive(options=MODERN)
    now = peer.ts_now()
    peer.send("A", b"new", options=f"nop, nop, TS {now} {peer.ts_recent}")
    assert socket.recv() == b"new"
    peer.drain()
    peer.send("A", b"old", seq=4, options=f"nop, nop, TS {now - 1000} {peer.ts_recent}")
    ack = peer.expect("A", seq=1, ack=4, length=0)
    assert ack.options["TS"][1] == now % 2**32
    assert socket.status()["octets_received"] == 3


@pytest.mark.requirement("TS-06", "EV-32")
def test_timestamps_wrap(tcp):
    wrap_in = 100  # milliseconds
    peer, socket = tcp.passive(options=MODERN, ts_base=-int(time.monotonic() * 1000) - wrap_in)
    assert peer.ts_now() > 2**31
    for number in range(5):
        peer.send("A", b"x")
        assert socket.recv() == b"x", f"segment {number}"
        time.sleep(0.05)
    assert peer.ts_now() < 2**31


@pytest.mark.requirement("TS-06")
def test_a_reset_needs_no_timestamp(tcp):
    peer, socket = tcp.passive(options=MODERN)
    peer.send("R", options="")
    socket.wait_state("CLOSED")


@pytest.mark.requirement("TS-05")
def test_a_segment_without_timestamp_is_dropped_where_they_were_agreed(tcp):
    peer, socket = tcp.passive(options=MODERN)
    peer.send("A", b"bare", seq=1, options="")
    peer.collect(0.1)
    status = socket.status()
    assert status["octets_received"] == 0 and status["state"] == "ESTABLISHED"
    peer.seq = 1
    peer.send("A", b"stamped")
    assert socket.recv() == b"stamped"


@pytest.mark.requirement("TS-04")
def test_the_echo_is_that_of_the_segment_that_was_due(tcp):
    peer, socket = tcp.passive(options=MODERN)
    base = peer.ts_now() + 1000
    peer.send("A", b"a", options=f"nop, nop, TS {base} 0")
    peer.expect("A", ack=2)
    peer.send("A", b"c", seq=3, options=f"nop, nop, TS {base + 50} 0")  # beyond a gap: not echoed
    assert peer.expect("A", ack=2).options["TS"][1] == base % 2**32
    peer.send("A", b"b", seq=2, options=f"nop, nop, TS {base + 20} 0")
    assert peer.expect("A", ack=4).options["TS"][1] == (base + 20) % 2**32


@pytest.mark.requirement("TS-04")
def test_two_segments_one_ack_echo_the_first(tcp):
    peer, socket = tcp.passive(options=MODERN)
    base = peer.ts_now() + 1000
    frames = [bytes(peer.build("A", pattern(1000, 1000 * n), seq=1 + 1000 * n, options=f"nop, nop, TS {base + n} 0"))
              for n in range(2)]
    for frame in frames:
        peer.wire.send(frame)
    while (ack := peer.expect("A")).ack != 2001:
        pass
    assert ack.options["TS"][1] in (base % 2**32, (base + 1) % 2**32)
    assert socket.recv(exactly=2000) == pattern(2000)


@pytest.mark.requirement("TS-04")
def test_every_segment_but_a_reset_carries_a_timestamp(tcp):
    peer, socket = tcp.passive(options=MODERN)
    socket.send(pattern(4000))
    for segment in peer.expect_data(pattern(4000)):
        assert "TS" in segment.options
    socket.shutdown()
    assert "TS" in peer.expect("FA").options
    peer.send("FA")
    assert "TS" in peer.expect("A").options


# --- the application's view ------------------------------------------------------------------------------------------

def test_state_changes_are_told_with_their_reasons(dut, wire, port):
    dut.listen_to_events("state")
    listener = dut.listen(port)
    peer = wire.peer(listener.port)
    peer.handshake()
    socket = listener.accept()
    established = dut.wait_event("state", to="ESTABLISHED")
    assert established["peer"].endswith(f":{peer.port}") and established["reason"]
    peer.send("FA")
    dut.wait_event("state", **{"from": "ESTABLISHED"}, to="CLOSE-WAIT")
    socket.close()
    dut.wait_event("state", to="LAST-ACK")
    time.sleep(0.05)
    peer.ack = 2
    peer.send("A", ack=2)
    dut.wait_event("state", **{"from": "LAST-ACK"}, to="CLOSED")
