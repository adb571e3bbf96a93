"""Windows: closing, probing, opening, updates, silly window avoidance (RFC 9293 sections 3.8.6 and 3.10.7.4)."""
import time

import pytest

from wireside_wire import MODERN, pattern


def fill(peer, socket, octets=None):
    """Sends until the device's window is zero; gives what was sent and every window that was advertised."""
    edges, sent = [], 0
    while True:
        room = socket.status()["rcv_wnd"]
        if room == 0:
            return sent, edges
        count = min(room, 1000)
        peer.send("A", pattern(count, sent))
        sent += count
        while (segment := peer.next(0.6)) is not None:
            edges.append(segment.ack + (segment.window << socket_shift(socket)))
            if segment.ack == 1 + sent:
                break


def socket_shift(socket):
    return socket.status()["rcv_wscale"]


@pytest.mark.requirement("SHLD-14", "MAY-8")
@pytest.mark.parametrize("options", ["mss 1460", MODERN], ids=["unscaled", "scaled"])
def test_the_receive_window_closes_without_its_right_edge_moving_left(tcp, options):
    peer, socket = tcp.passive(socket_options={"receive_buffer": 8000}, options=options)
    sent, edges = fill(peer, socket)
    assert edges == sorted(edges), f"the right edge moved left: {edges}"
    assert peer.last_window == 0 and 0 < sent <= 8000 + 128
    assert socket.recv(exactly=sent) == pattern(sent)


@pytest.mark.requirement("EV-13", "MUST-66")
def test_data_into_a_closed_window_is_refused_with_an_acknowledgement(tcp):
    peer, socket = tcp.passive(socket_options={"receive_buffer": 4000})
    sent, _ = fill(peer, socket)
    peer.send("A", b"probe", seq=1 + sent)
    peer.expect("A", ack=1 + sent, win=0, length=0)
    assert socket.recv(exactly=sent) == pattern(sent)
    peer.drain()
    peer.seq = 1 + sent
    peer.send("A", b"now")
    assert socket.recv() == b"now"


@pytest.mark.requirement("MUST-66")
def test_acknowledgements_and_resets_count_while_our_window_is_closed(tcp):
    peer, socket = tcp.passive(socket_options={"receive_buffer": 4000})
    sent, _ = fill(peer, socket)
    socket.send(b"out")
    segment = peer.expect("A", data=b"out")
    peer.send("A", ack=segment.end, seq=1 + sent)
    socket.wait_status(lambda s: s["send_queued"] == 0)
    peer.send("R", seq=1 + sent)
    socket.wait_state("CLOSED")


@pytest.mark.requirement("MUST-39")
def test_window_updates_are_worth_a_segment(tcp):
    peer, socket = tcp.passive(socket_options={"receive_buffer": 20000}, options="mss 1000")
    sent, _ = fill(peer, socket)
    peer.drain()
    assert socket.recv(exactly=100) == pattern(100)
    peer.quiet(0.15)
    peer.send("A", b"x", seq=1 + sent)  # probed: the window is still closed, not 100 octets small
    peer.expect("A", win=0)
    assert socket.recv(exactly=sent - 100) == pattern(sent - 100, 100)
    update = peer.expect("A", ack=1 + sent, length=0)
    while (later := peer.next(0.1)) is not None:
        update = later
    assert update.window >= 1000


@pytest.mark.requirement("TS-03")
def test_the_advertised_window_is_what_the_status_says(tcp):
    peer, socket = tcp.passive(options=MODERN)
    for _ in range(5):
        peer.send("A", b"x" * 700)
        segment = peer.expect("A", ack=peer.seq)
        status = socket.status()
        assert segment.window << status["rcv_wscale"] == status["rcv_wnd"] > 0
        socket.recv()
        peer.drain()


def test_the_receive_buffer_grows_for_a_reader_that_keeps_up(tcp):
    peer, socket = tcp.passive(options=MODERN)
    before = socket.status()["receive_buffer"]
    sent = 0
    for _ in range(40):
        room = socket.status()["rcv_wnd"]
        burst = 0
        while burst + 1448 <= room and burst < 60000:
            peer.send("A", pattern(1448, sent))
            burst += 1448
            sent += 1448
        socket.call("recv", exactly=burst, **{"as": "digest"}, timeout_ms=3000)
        peer.drain()
        if socket.status()["receive_buffer"] > before:
            break
    assert socket.status()["receive_buffer"] > before


@pytest.mark.requirement("MUST-36", "MUST-37", "SHLD-29", "SHLD-30", "MUST-35")
def test_a_closed_window_is_probed_at_growing_intervals_for_ever(tcp):
    peer, socket = tcp.passive(window=5000)
    socket.send(pattern(5000))
    got = 0
    while got < 5000:
        got += peer.expect("A").length
    peer.send("A", win=0)
    closed = time.time()
    peer.window = 0
    socket.send(pattern(3000))
    times = []
    for _ in range(5):
        probe = peer.expect("A", within=8)
        assert probe.seq in (5000, 5001) and probe.length <= 1460
        times.append(probe.time)
        peer.send("A", ack=5001)
    assert 0.1 <= times[0] - closed <= 1.6, "the first probe after about one RTO"
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(1.5 <= later / earlier <= 2.6 for earlier, later in zip(gaps, gaps[1:])), f"intervals {gaps}"
    assert socket.state == "ESTABLISHED"
    peer.window = 5000
    peer.ack = 5001
    peer.send("A", ack=5001)
    sent = time.time()
    got = b""
    while len(got) < 3000:
        segment = peer.expect("A")
        assert segment.seq == 5001 + len(got)
        got += segment.data
        peer.send("A", ack=segment.end)
    assert got == pattern(3000) and segment.time - sent < 0.5, "the opened window is used at once"


@pytest.mark.requirement("MUST-36")
def test_an_accepted_probe_octet_is_not_sent_again(tcp):
    peer, socket = tcp.passive(window=0)
    socket.send(pattern(100))
    probe = peer.expect("A", within=3)
    if probe.length == 0:
        pytest.skip("probes carry no data")
    peer.window = 5000
    peer.send("A", ack=probe.end)
    rest = peer.expect("A")
    assert rest.seq == probe.end and rest.data == pattern(100)[probe.length:]


@pytest.mark.requirement("MUST-37")
def test_a_lost_window_update_does_not_stop_the_connection(tcp):
    peer, socket = tcp.passive(window=1000)
    socket.send(pattern(2000))
    peer.expect("A", seq=1, length=1000)
    peer.send("A", win=0)
    peer.window = 4000  # the update itself is lost; the answer to the probe tells it
    probe = peer.expect("A", within=3)
    peer.send("A", ack=1001 + (probe.length if probe.seq == 1001 else 0))
    peer.ack = 1001 + (probe.length if probe.seq == 1001 else 0)
    segment = peer.expect("A")
    assert segment.end == 2001


@pytest.mark.requirement("SHLD-15", "MUST-34")
@pytest.mark.parametrize("window", [1, 100, 1459, 1460, 3000])
def test_the_peers_window_is_obeyed(tcp, window):
    peer, socket = tcp.passive(window=window)
    socket.send(pattern(10000))
    segments = [s for s in peer.collect(0.5) if s.length]
    assert segments and all(s.end <= 1 + window for s in segments)
    whole = window if window <= 1460 else window // 1460 * 1460  # a sliver behind full segments need not go
    assert max(s.end for s in segments) >= 1 + whole


@pytest.mark.requirement("MUST-34", "SHLD-15", "SHLD-16")
def test_a_shrunken_window_is_survived(tcp):
    peer, socket = tcp.passive(window=7300)
    socket.send(pattern(12000))
    segments = [s for s in peer.collect(0.15) if s.length]
    assert max(s.end for s in segments) == 7301
    peer.send("A", ack=1461, win=1000)  # right edge from 7301 back to 2461
    later = [s for s in peer.collect(1.2) if s.length]
    assert all(s.end <= 7301 for s in later), "nothing new outside the shrunken window"
    assert any(s.seq == 1461 for s in later), "what lies inside is retransmitted"
    peer.window = 20000
    peer.send("A", ack=7301)
    got = 7301
    while got < 12001:
        segment = peer.expect("A")
        if segment.length:
            got = max(got, segment.end)
            peer.send("A", ack=got)
    assert socket.wait_status(lambda s: s["send_queued"] == 0)


@pytest.mark.requirement("EV-23")
def test_old_segments_do_not_change_the_window(tcp):
    peer, socket = tcp.passive(window=5000)
    peer.send("A", b"abc", win=4000)
    peer.expect("A", ack=4)
    assert socket.status()["snd_wnd"] == 4000
    peer.send("A", b"ab", seq=1, win=100)   # older SEQ: not believed
    peer.send("A", b"c", seq=3, win=60000)
    peer.drain()
    assert socket.status()["snd_wnd"] == 4000
    peer.send("A", win=3000)                # same SEQ and ACK: believed
    peer.wire.echo_works()
    assert socket.status()["snd_wnd"] == 3000
    peer.send("A", win=6000)
    peer.wire.echo_works()
    assert socket.status()["snd_wnd"] == 6000


@pytest.mark.requirement("MUST-38")
def test_the_sender_does_not_send_slivers(tcp):
    peer, socket = tcp.passive(window=14600)
    socket.option(no_delay=True).send(pattern(14600))
    assert sum(s.length for s in peer.collect(0.15)) == 14600
    socket.send(pattern(2000))
    sent = peer.send("A", ack=14601, win=100)
    sliver = peer.expect("A", within=3)
    assert sliver.time - sent >= 0.05, "100 octets of a window that was 14600 large are sent only after a while"
    peer.window = 14600
    peer.ack = sliver.end
    peer.send("A", ack=sliver.end)
    assert peer.expect("A").length >= 1460


@pytest.mark.requirement("MUST-38", "MUST-60")
def test_a_small_window_is_used_in_the_end(tcp):
    peer, socket = tcp.passive(window=200)
    socket.send(pattern(600))
    peer.expect_data(pattern(600), within=3)
