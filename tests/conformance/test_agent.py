"""The agent's own protocol: what it says to lines that are wrong, and several operations at once."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from wireside_dut import DutError
from wireside_lab import make_tap, remove_tap, wireside_binary
from wireside_wire import PEER_IP, pattern


def stray(dut, within=2.0):
    """The next answer that belongs to no call."""
    end = time.monotonic() + within
    while not dut.strays:
        assert time.monotonic() < end, "no answer"
        time.sleep(0.002)
    return dut.strays.pop(0)


@pytest.mark.parametrize("line, error, text", [
    ("{", "EINVAL", "not JSON"), ("[1]", "EINVAL", "JSON object"), ("{}", "EINVAL", "\"op\" is missing"),
    ('{"op":5}', "EINVAL", "must be a string"), ('{"op":"dance"}', "ENOSYS", "there are: open"),
    ('{"op":"send"}', "EINVAL", "\"socket\" is missing"), ('{"op":"send","socket":99999,"data":"x"}', "EBADF", "99999"),
    ('{"op":"open","kind":"raw"}', "EINVAL", "stream, datagram"), ('{"op":"open","sort":1}', "EINVAL", "no field \"sort\""),
    ('{"op":"bind","socket":-1}', "EINVAL", "socket"), ("\x00\xff", "EINVAL", "not JSON"),
    ('{"op":"events","kinds":["all"]}', "EINVAL", "neighbour"), ('{"op":"events","kinds":["all"]}', "EINVAL", "loss"),
    ('{"id":1e400,"op":"list"}', "EINVAL", "too large"), ('{"id":[{"a":-1e400}],"op":"list"}', "EINVAL", "too large"),
])
def test_a_wrong_line_gets_a_clear_error_and_changes_nothing(dut, line, error, text):
    dut.send_line(line.encode("latin-1") + b"\n")
    answer = stray(dut)
    assert answer["ok"] is False and answer["error"] == error and text in answer["message"]
    assert dut.call("list")["sockets"] == []


@pytest.mark.parametrize("fields, text", [
    ({}, "exactly one"), ({"data": "x", "hex": "00"}, "exactly one"), ({"hex": "0"}, "odd"), ({"hex": "zz"}, "digit"),
    ({"zeros": -1}, "whole number"), ({"pattern": "many"}, "whole number"), ({"data": 5}, "string"),
    ({"data": "x", "timeout_ms": "soon"}, "timeout_ms")])
def test_wrong_octets_are_refused(tcp, fields, text):
    peer, connection = tcp.passive()
    with pytest.raises(DutError, match="EINVAL") as refused:
        connection.call("send", **fields)
    assert text in refused.value.answer["message"]
    peer.quiet(0.05)


@pytest.mark.parametrize("fields, text", [
    ({"timeout_ms": -1}, "timeout_ms"), ({"timeout_ms": "x"}, "timeout_ms"), ({"data": "x", "zeros": 1}, "exactly one"),
    ({"data": "x", "offset": 3}, "offset"), ({"address": None}, "address"), ({"address": "10.0.0"}, "dotted quad"),
    ({"port": "http"}, "port"), ({"port": 0}, "1 to 65535"), ({"port": 65536}, "port")])
def test_a_refused_connect_sends_nothing(dut, wire, fields, text):
    peer, connection = wire.peer(None), dut.open()
    with pytest.raises(DutError, match="EINVAL") as refused:
        connection.call("connect", **{"address": wire.ip, "port": peer.port, **fields})
    assert text in refused.value.answer["message"]
    assert not [c for c in dut.call("list")["connections"] if c["state"] == "SYN-SENT"]
    peer.quiet(0.05)


@pytest.mark.parametrize("given, missing", [({}, "address"), ({"address": "10.9.0.1"}, "port"), ({"port": 9}, "address")])
@pytest.mark.parametrize("kind, op", [("stream", "connect"), ("datagram", "connect"), ("datagram", "sendto")])
def test_a_missing_field_is_named(dut, kind, op, given, missing):
    number = dut.call("open", kind=kind)["socket"]
    octets = {"data": "x"} if op == "sendto" else {}
    with pytest.raises(DutError, match="EINVAL") as refused:
        dut.call(op, socket=number, **given, **octets)
    assert f'the field "{missing}" is missing' in refused.value.answer["message"]
    dut.call("close", socket=number)


def test_any_id_comes_back_and_blank_lines_are_nothing(dut):
    dut.send_line(b'\n  \n{"id":{"a":[1,null]},"op":"list"}\n')
    assert stray(dut)["id"] == {"a": [1, None]}


def test_lines_may_come_in_pieces_and_in_heaps(dut):
    dut.send_line(b'{"id":"x","op":')
    time.sleep(0.02)
    dut.send_line(b'"list"}\n' + b'{"id":"y","op":"config"}\n' * 200)
    assert stray(dut)["id"] == "x"
    assert all(stray(dut)["id"] == "y" for _ in range(200))


def test_several_operations_wait_at_once(dut, tcp, wire, port):
    peer, connection = tcp.passive()
    listener = dut.listen(port)
    accept = listener.start("accept", timeout_ms=5000)
    first = connection.start("recv", exactly=5, timeout_ms=5000)
    second = connection.start("recv", timeout_ms=5000)
    assert dut.call("list")["ok"] and not (accept.done() or first.done() or second.done())
    peer.send("A", b"hello")
    assert first.result()["data"] == "hello" and not second.done()
    peer.send("A", b"again")
    assert second.result()["data"] == "again"
    other = wire.peer(listener.port)
    other.handshake()
    assert accept.result()["peer"] == f"{PEER_IP}:{other.port}"


def test_send_and_recv_wait_for_a_connection_that_is_opening(dut, wire):
    peer = wire.peer(None)
    connection = dut.open()
    opening = connection.connect(peer.port)
    sending, receiving = connection.start_send(b"early", timeout_ms=3000), connection.start("recv", timeout_ms=3000)
    peer.expect("S")
    peer.send("SA", ack=1)
    segment = peer.next()
    if not segment.length:
        segment = peer.next()
    assert segment.data == b"early"
    peer.send("A", b"reply")
    assert opening.result() and sending.result()["sent"] == 5 and receiving.result()["data"] == "reply"


def test_time_running_out_tells_what_was_done(tcp):
    peer, connection = tcp.passive()
    peer.send("A", b"par")
    with pytest.raises(DutError, match="EAGAIN") as late:
        connection.recv(exactly=10, timeout_ms=150)
    assert bytes.fromhex(late.value.answer["hex"]) == b"par"
    peer.send("A", b"tial")
    assert connection.recv() == b"tial"


def test_an_operation_can_be_cancelled_and_the_next_takes_its_turn(tcp):
    peer, connection = tcp.passive()
    first = connection.start("recv", exactly=10)
    second = connection.start("recv", timeout_ms=3000)
    assert connection.dut.call("cancel", target=first.request["id"])["cancelled"] == 1
    with pytest.raises(DutError, match="ECANCELED"):
        first.result()
    peer.send("A", b"now")
    assert second.result()["data"] == "now"


def test_closing_ends_what_waits(tcp):
    peer, connection = tcp.passive()
    waiting = connection.start("recv")
    connection.close()
    with pytest.raises(DutError, match="ECANCELED"):
        waiting.result()
    with pytest.raises(DutError, match="EBADF"):
        connection.status()


def test_digest_and_generated_octets(tcp):
    import hashlib
    peer, connection = tcp.passive()
    peer.send("A", pattern(700))
    answer = connection.call("recv", exactly=700, **{"as": "digest"}, timeout_ms=2000)
    assert answer["sha256"] == hashlib.sha256(pattern(700)).hexdigest() and answer["length"] == 700
    assert "hex" not in answer and "data" not in answer
    peer.expect("A", ack=701)
    connection.call("send", zeros=10)
    connection.call("send", pattern=5, offset=249)
    peer.expect("A", data=b"\0" * 10)
    peer.send("A")
    peer.expect("A", data=pattern(5, 249))


@pytest.mark.parametrize("octets, form", [(b"text \xc3\xa9", "data"), (b"\xff\xfe", "hex"), (b"\xc0\x80", "hex"),
                                          (b"\xed\xa0\x80", "hex"), (b"\xe2\x82", "hex"), (b"\xf0\x9f\x99\x82", "data")])
def test_text_is_given_as_text_and_the_rest_as_hex(tcp, octets, form):
    peer, connection = tcp.passive()
    peer.send("A", octets)
    answer = connection.call("recv", timeout_ms=2000)
    assert form in answer
    assert (answer["data"].encode() if form == "data" else bytes.fromhex(answer["hex"])) == octets


def test_options_are_set_and_got_by_name(tcp):
    peer, connection = tcp.passive()
    connection.option(no_delay=True, user_timeout_ms=12345, linger_ms=None)
    assert connection.call("get_option", name="user_timeout_ms")["value"] == 12345
    assert connection.call("get_option", name="no_delay")["value"] is True
    with pytest.raises(DutError, match="ENOPROTOOPT"):
        connection.option(speed="fast")
    with pytest.raises(DutError, match="EINVAL"):
        connection.option(ttl=256)


def test_wait_and_status(dut, tcp):
    peer, connection = tcp.passive()
    connection.wait("writable")
    waiting = connection.start("wait", **{"for": "readable"}, timeout_ms=3000)
    assert not waiting.done()
    peer.send("A", b"x")
    waiting.result()
    status = connection.status()
    assert {"iss", "irs", "snd_una", "snd_nxt", "rcv_nxt", "snd_wnd", "rcv_wnd", "cwnd", "ssthresh", "rto_ms", "mss",
            "state"} <= set(status)
    assert status["rcv_nxt"] == peer.isn + 2 and status["receive_queued"] == 1
    connection.recv()
    ended = connection.start("wait", **{"for": "closed"}, timeout_ms=3000)
    peer.send("R")
    assert ended.result()["failure"] == "ECONNRESET"


def test_events_carry_reasons(dut, tcp, wire):
    dut.listen_to_events()
    peer, connection = tcp.passive()
    dut.wait_event("sent", reason="SYN-ACK")
    dut.wait_event("state", to="ESTABLISHED")
    peer.send("A", b"x", chksum=1)
    assert "hecksum" in dut.wait_event("drop")["reason"]
    dut.call("events", on=False)
    dut.events.clear()
    wire.echo_works()
    assert dut.events == []


def test_an_idle_agent_sleeps(dut):
    def ticks():
        with open(f"/proc/{dut.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(0.1)
    before = ticks()
    time.sleep(0.5)
    assert ticks() - before <= 2


# --- as a process ----------------------------------------------------------------------------------------------------

@pytest.fixture
def tap(namespace):
    name = make_tap()
    yield name
    remove_tap(name)


def agent(tap, *arguments, **streams):
    return subprocess.Popen([wireside_binary(), "agent", "--tap", tap, "--ip", "10.9.0.2/24", "--no-acd", *arguments],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **streams)


def test_a_script_in_a_pipe_is_finished_before_the_end(tap):
    lines = ['{"id":1,"op":"open"}', '{"id":2,"op":"bind","socket":1,"port":80}', '{"id":3,"op":"listen","socket":1}',
             '{"id":4,"op":"accept","socket":1,"timeout_ms":300}', '{"id":5,"op":"accept","socket":1}']
    process = agent(tap)
    out, err = process.communicate("\n".join(lines), timeout=10)
    answers = {a["id"]: a for a in map(json.loads, out.splitlines())}
    assert process.returncode == 0, err
    assert answers[4]["error"] == "EAGAIN" and answers[5]["error"] == "ECANCELED" and answers[3]["ok"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(tap, number):
    process = agent(tap)
    process.stdin.write('{"op":"list"}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["ok"]
    process.send_signal(number)
    assert process.wait(5) == 0
    process.communicate()


def test_nothing_is_answered_after_quit(tap):
    process = agent(tap)
    out, err = process.communicate('{"id":1,"op":"quit"}\n{"id":2,"op":"open"}\n{"id":3,"op":"list"}\n', timeout=10)
    assert process.returncode == 0 and [json.loads(line)["id"] for line in out.splitlines()] == [1], out + err


def test_a_unix_socket_serves_several_scripts(tap, tmp_path):
    path = str(tmp_path / "agent")
    process = agent(tap, "--socket", path)
    end = time.monotonic() + 5
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.01)
    scripts = []
    for _ in range(2):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        scripts.append(connection.makefile("rw"))
        connection.close()
    for script in scripts:
        script.write('{"op":"open"}\n')
        script.flush()
    assert sorted(json.loads(s.readline())["socket"] for s in scripts) == [1, 2]
    scripts[0].close()
    scripts[1].write('{"op":"list"}\n{"op":"quit"}\n')
    scripts[1].flush()
    assert len(json.loads(scripts[1].readline())["sockets"]) == 2
    assert json.loads(scripts[1].readline())["ok"]
    assert process.wait(5) == 0
    scripts[1].close()
    process.communicate()
    assert not os.path.exists(path)


@pytest.mark.parametrize("arguments, text", [
    (["--tcp-option", "speed=9"], "no option"), (["--tcp-option", "msl_ms"], "NAME=VALUE"),
    (["--tcp-option", "msl_ms=soon"], "number"), (["--nonsense"], "nonsense")])
def test_wrong_arguments_end_with_status_two_and_a_remedy(tap, arguments, text):
    process = agent(tap, *arguments)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 2 and text in err and "try:" in err and out == ""


def test_the_interface_deleted_ends_it_with_a_message(tap):
    process = agent(tap)
    process.stdin.write('{"op":"list"}\n')
    process.stdin.flush()
    process.stdout.readline()
    remove_tap(tap)
    assert process.wait(5) == 1
    out, err = process.communicate()
    assert tap in err and json.loads(out.splitlines()[-1])["event"] == "fatal"


def test_help_documents_every_operation(namespace):
    text = subprocess.run([wireside_binary(), "agent", "--help"], capture_output=True, text=True, timeout=10).stdout
    for operation in ("open", "bind", "listen", "accept", "connect", "send", "recv", "sendto", "recvfrom", "shutdown",
                      "close", "abort", "set_option", "get_option", "status", "list", "wait", "events", "config", "quit",
                      "cancel", "counters", "--socket", "--tcp-option"):
        assert operation in text
