"""TCP Fast Open (RFC 7413), seen from both ends."""
import itertools

import pytest

from wireside_dut import DutError
from wireside_wire import MODERN, pattern

OPTION = 34
_hosts = itertools.count(100)


def ask_for_cookie(wire, listener, **settings):
    """The cookie the device gives the peer, in hex."""
    peer = wire.peer(listener.port, options=f"mss 1460, kind {OPTION}", **settings)
    peer.send("S")
    cookie = peer.expect("SA", ack=1).options[OPTION]
    peer.send("R", seq=1)
    return cookie.hex()


def give_cookie(dut, wire, cookie="a1a2a3a4a5a6a7a8", mss=1460):
    """The device, as client, learns a cookie of a host it has not met before; gives that host's address."""
    ip = f"10.9.0.{next(_hosts)}"
    wire.introduce(ip)
    peer = wire.peer(None, ip=ip, options=f"mss {mss}, kind {OPTION} {cookie}")
    socket = dut.open().option(fast_open=True)
    call = socket.connect(peer.port, address=ip)
    assert peer.expect("S", length=0).options[OPTION] == b"", "the first SYN asks for a cookie"
    peer.send("SA", ack=1)
    peer.expect("A", length=0)
    call.result()
    socket.abort()
    peer.expect("RA")
    return ip


def connect_with(socket, peer, data):
    return socket.start("connect", address=peer.ip, port=peer.port, timeout_ms=5000, hex=data.hex())


# ---------------------------------------------------------------------------------------------------------- server

@pytest.mark.requirement("TFO-05")
def test_it_is_off_by_default_at_a_listener(dut, wire, port):
    peer = wire.peer(dut.listen(port).port, options=f"mss 1460, kind {OPTION}")
    peer.send("S", b"early")
    assert OPTION not in peer.expect("SA", ack=1).options


@pytest.mark.requirement("TFO-02")
def test_a_cookie_is_given_to_who_asks(dut, wire, port):
    listener = dut.listen(port, fast_open_queue=16)
    cookie = bytes.fromhex(ask_for_cookie(wire, listener))
    assert 4 <= len(cookie) <= 16 and len(cookie) % 2 == 0
    assert bytes.fromhex(ask_for_cookie(wire, listener)) == cookie, "the same host, the same cookie"
    wire.introduce("10.9.0.77", "02:99:00:00:00:77")
    assert bytes.fromhex(ask_for_cookie(wire, listener, ip="10.9.0.77")) != cookie, "another host, another cookie"


@pytest.mark.requirement("TFO-01")
@pytest.mark.parametrize("options", ["mss 1460, nop, nop", MODERN + ", nop, nop"], ids=["plain", "modern"])
def test_data_behind_a_good_cookie_is_delivered_and_answered_at_once(dut, wire, port, options):
    listener = dut.listen(port, fast_open_queue=16)
    cookie = ask_for_cookie(wire, listener)
    peer = wire.peer(listener.port, options=f"{options}, kind {OPTION} {cookie}")
    peer.send("S", b"question")
    peer.expect("SA", ack=9, length=0)
    peer.timestamps = "TS" in options
    socket = listener.accept()
    assert socket.state == "SYN-RECEIVED"
    assert socket.recv(exactly=8) == b"question"
    socket.send(b"answer")
    peer.expect("A", seq=1, ack=9, data=b"answer")
    peer.send("A")
    assert socket.wait_state("ESTABLISHED")
    peer.send("FA")
    assert socket.recv() == b""
    socket.close()
    peer.expect("A", ack=10, length=0)
    peer.expect("FA", ack=10)


@pytest.mark.requirement("TFO-01")
@pytest.mark.parametrize("cookie", ["0102030405060708", "01020304", "01" * 16])
def test_data_behind_a_bad_cookie_is_not_taken(dut, wire, port, cookie):
    listener = dut.listen(port, fast_open_queue=16)
    good = ask_for_cookie(wire, listener)
    peer = wire.peer(listener.port, options=f"mss 1460, nop, nop, kind {OPTION} {cookie}")
    peer.send("S", b"question")
    assert peer.expect("SA", ack=1).options[OPTION].hex() == good
    with pytest.raises(DutError, match="EAGAIN"):
        listener.accept(timeout_ms=50)
    peer.send("A", b"question", seq=1)
    assert listener.accept().recv(exactly=8) == b"question"


@pytest.mark.requirement("TFO-02")
@pytest.mark.parametrize("cookie", ["0102", "010203", "0102030405", "01" * 18])
def test_an_option_of_a_length_no_cookie_has_is_ignored(dut, wire, port, cookie):
    peer = wire.peer(dut.listen(port, fast_open_queue=16).port, options=f"mss 1460, kind {OPTION} {cookie}")
    peer.send("S", b"question")
    assert OPTION not in peer.expect("SA", ack=1).options


@pytest.mark.requirement("TFO-04")
def test_pending_connections_are_limited(dut, wire, port):
    listener = dut.listen(port, fast_open_queue=3)
    cookie = ask_for_cookie(wire, listener)
    peers = [wire.peer(listener.port, options=f"mss 1460, nop, nop, kind {OPTION} {cookie}") for _ in range(6)]
    for peer in peers:
        peer.send("S", b"question")
    assert [peer.expect("SA").ack for peer in peers] == [9, 9, 9, 1, 1, 1]
    peers[0].send("A")
    dut.wait_state(peers[0], "ESTABLISHED")
    again = wire.peer(listener.port, options=f"mss 1460, nop, nop, kind {OPTION} {cookie}")
    again.send("S", b"question")
    again.expect("SA", ack=9)


# ---------------------------------------------------------------------------------------------------------- client

@pytest.mark.requirement("TFO-05")
def test_the_default_syn_does_not_have_the_option(dut, wire):
    peer = wire.peer(None)
    dut.open().connect(peer.port)
    assert OPTION not in peer.expect("S", length=0).options


def test_first_data_without_the_option_follows_the_handshake(dut, wire):
    peer = wire.peer(None)
    call = connect_with(dut.open(), peer, b"question")
    assert OPTION not in peer.expect("S", length=0).options
    peer.send("SA", ack=1)
    peer.expect("A", data=b"question")
    call.result()


@pytest.mark.requirement("TFO-03", "TFO-02")
def test_data_goes_with_the_syn_once_there_is_a_cookie(dut, wire):
    host = give_cookie(dut, wire)
    peer = wire.peer(None, ip=host)
    socket = dut.open().option(fast_open=True)
    call = connect_with(socket, peer, b"question")
    syn = peer.expect("S", data=b"question")
    assert syn.options[OPTION].hex() == "a1a2a3a4a5a6a7a8"
    peer.send("SA", b"answer", ack=9)
    call.result()
    assert socket.recv(exactly=6) == b"answer"
    socket.send(b"more")
    while (segment := peer.next()) and segment.length == 0:
        pass
    assert (segment.seq, segment.data) == (9, b"more")


@pytest.mark.requirement("TFO-03")
def test_the_syn_holds_what_the_servers_mss_allows(dut, wire):
    host = give_cookie(dut, wire, mss=700)
    peer = wire.peer(None, ip=host, options="mss 700")
    call = connect_with(dut.open().option(fast_open=True), peer, pattern(3000))
    syn = peer.expect("S")
    room = 700 - (syn.frame["TCP"].dataofs * 4 - 20)
    assert syn.data == pattern(room)
    peer.send("SA", ack=room + 1)
    peer.ack = room + 1
    peer.expect_data(pattern(3000)[room:])
    call.result()


@pytest.mark.requirement("TFO-03")
def test_data_that_was_not_taken_is_sent_again(dut, wire):
    host = give_cookie(dut, wire)
    peer = wire.peer(None, ip=host, options=f"mss 1460, nop, nop, kind {OPTION} b1b2b3b4b5b6b7b8")
    call = connect_with(dut.open().option(fast_open=True), peer, b"question")
    peer.expect("S", data=b"question")
    peer.send("SA", ack=1)
    peer.expect("A", seq=1, data=b"question")
    call.result()
    later = wire.peer(None, ip=host)
    connect_with(dut.open().option(fast_open=True), later, b"question")
    assert later.expect("S", data=b"question").options[OPTION].hex() == "b1b2b3b4b5b6b7b8", "the new cookie"


@pytest.mark.requirement("TFO-03")
def test_a_syn_that_is_lost_is_repeated_without_option_and_data(dut, wire):
    host = give_cookie(dut, wire)
    peer = wire.peer(None, ip=host)
    call = connect_with(dut.open().option(fast_open=True), peer, b"question")
    peer.expect("S", data=b"question")
    assert OPTION not in peer.expect("S", length=0).options
    peer.send("SA", ack=1)
    peer.expect("A", seq=1, data=b"question")
    call.result()
    later = wire.peer(None, ip=host)
    connect_with(dut.open().option(fast_open=True), later, b"question")
    assert OPTION not in later.expect("S", length=0).options, "for some time it is not tried again"
