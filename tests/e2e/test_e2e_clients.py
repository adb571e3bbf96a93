"""`wireside get`, `ping` and `nc` against the host, and the command line itself."""
import contextlib
import functools
import hashlib
import http.server
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from e2e_support import DUT, HOST, Wireside, sha256
from wireside_lab import make_tap, remove_tap, run, wireside_binary


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def host_server(folder, port=8000, address=HOST):
    server = http.server.ThreadingHTTPServer((address, port), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def first_connection(port):
    """A connection to `nc -l`: the first one counts, so it is asked for until it is there."""
    end = time.monotonic() + 10
    while True:
        try:
            client = socket.create_connection((DUT, port), timeout=30)
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    with client:
        yield client


@pytest.mark.parametrize("options", [(), ("--no-offload",)], ids=["offload", "no offload"])
def test_get_to_a_file(wireside, tap, make_file, tmp_path, options):
    source = make_file(32 << 20)
    got = tmp_path / "got.bin"
    with host_server(source.parent) as url:
        process = wireside("get", "-o", str(got), f"{url}/{source.name}", options=options)
        status, _, err = process.end(how=None, within=60)
    assert status == 0, err
    assert sha256(got) == sha256(source)


def test_get_to_standard_output(wireside, tap, tmp_path):
    (tmp_path / "a.txt").write_text("to the screen\n")
    with host_server(tmp_path) as url:
        status, out, err = wireside("get", f"{url}/a.txt").end(how=None)
    assert (status, out) == (0, "to the screen\n"), err


def test_get_of_what_is_not_there(wireside, tap, tmp_path):
    with host_server(tmp_path) as url:
        status, out, err = wireside("get", f"{url}/absent").end(how=None)
    assert status == 1 and "404" in err


def test_get_from_nobody(wireside, tap):
    status, out, err = wireside("get", f"http://{HOST}:9999/").end(how=None)
    assert status == 1 and "refused" in err.lower() and out == ""


def test_ping_the_host(wireside, tap):
    status, out, err = wireside("ping", "-c", "3", "-i", "0.1", HOST).end(how=None)
    assert status == 0 and " 0% packet loss" in out and out.count("time=") == 3, err


@pytest.fixture
def forwarding_host():
    """The kernel as a router that cannot reach everybody."""
    path = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
    before = path.read_text()
    path.write_text("1")
    run("ip", "route", "add", "unreachable", "192.0.2.9/32")
    run("ip", "route", "add", "prohibit", "192.0.2.10/32")
    yield
    run("ip", "route", "del", "unreachable", "192.0.2.9/32")
    run("ip", "route", "del", "prohibit", "192.0.2.10/32")
    path.write_text(before)


@pytest.mark.requirement("SHLD-25")
@pytest.mark.parametrize("address, why", [("192.0.2.9", "host unreachable (from 10.9.0.1)"),
                                          ("192.0.2.10", "packet filtered (from 10.9.0.1)")])
def test_get_says_what_icmp_said(wireside, tap, forwarding_host, address, why):
    process = wireside("get", "--timeout", "3", f"http://{address}/")
    status, out, err = process.end(how=None, within=20)
    assert (status, out) == (1, "") and f"{address} cannot be reached: {why}" in err, err


def test_get_from_a_neighbour_that_does_not_answer_arp(wireside, tap):
    began = time.monotonic()
    status, _, err = wireside("get", "http://10.9.0.77/").end(how=None, within=20)
    assert status == 1 and "10.9.0.77 cannot be reached: host unreachable (no answer to ARP)" in err, err
    assert 4.5 < time.monotonic() - began < 6.5, "three requests by ARP: 1, 1.5 and 2.25 seconds"


@pytest.mark.requirement("IP-17")
def test_a_dead_first_gateway_costs_some_seconds_only(wireside, tap, tmp_path):
    (tmp_path / "a.txt").write_text("by the other gateway\n")
    run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    try:
        with host_server(tmp_path, address="192.0.2.1") as url:
            began = time.monotonic()
            process = wireside("get", f"{url}/a.txt", address=("--ip", f"{DUT}/24", "--gateway", "10.9.0.99"),
                               options=("--route", f"0.0.0.0/0,via={HOST},metric=10"))
            status, out, err = process.end(how=None, within=20)
        assert (status, out) == (0, "by the other gateway\n"), err
        assert time.monotonic() - began < 7
    finally:
        run("ip", "address", "del", "192.0.2.1/32", "dev", "lo")


def test_ping_nobody(wireside, tap):
    status, out, err = wireside("ping", "-c", "3", "10.9.0.77").end(how=None, within=20)
    assert status == 1
    assert [line for line in out.splitlines() if line.startswith("From ")] == [
        f"From {DUT} icmp_seq={i} Destination Host Unreachable" for i in (1, 2, 3)], out
    assert "3 packets transmitted, 0 received, +3 errors, 100% packet loss" in out
    assert out.endswith("\npipe 3\n"), out


def test_traceroute_to_nobody_on_the_link(wireside, tap):
    status, out, err = wireside("traceroute", "10.9.0.77").end(how=None, within=20)
    first = out.splitlines()[1]
    assert first.startswith(f" 1  {DUT} ") and first.count("!H") == 3 and "*" not in first, out
    assert len(out.splitlines()) == 2, out


def test_nc_as_a_client(wireside, tap, make_file):
    octets = make_file(3 << 20).read_bytes()
    with socket.create_server((HOST, 5000)) as listener:
        process = wireside("nc", HOST, "5000", stdin=subprocess.PIPE)
        received = bytearray()

        def serve():
            connection, _ = listener.accept()
            with connection:
                while block := connection.recv(65536):
                    received.extend(block)
                connection.sendall(b"thank you")

        server = threading.Thread(target=serve)
        server.start()
        with process.process.stdin as stdin:
            stdin.write(octets)
        status, out, err = process.end(how=None, within=30)
        server.join(5)
    assert hashlib.sha256(received).digest() == hashlib.sha256(octets).digest()
    assert (status, out) == (0, "thank you"), err


def test_nc_as_a_server(wireside, tap, make_file):
    octets = make_file(3 << 20).read_bytes()
    process = wireside("nc", "-l", "6000", stdin=subprocess.PIPE)
    process.process.stdin.write(b"welcome")
    process.process.stdin.close()
    with first_connection(6000) as client:
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while block := client.recv(65536):
            got += block
    assert got == b"welcome"
    assert process.process.wait(10) == 0
    assert process.output()[0] == octets


def test_nc_as_a_server_sends_the_whole_file_to_a_client_that_is_silent_and_slow(wireside, tap, make_file):
    source = make_file(12 << 20)
    with source.open("rb") as file:
        process = wireside("nc", "-l", "6001", stdin=file)
        with first_connection(6001) as client:
            client.shutdown(socket.SHUT_WR)  # the end of this direction is not the end of the other
            time.sleep(1)
            got = hashlib.sha256()
            while block := client.recv(1 << 16):
                got.update(block)
        status, _, err = process.end(how=None)
    assert (status, got.hexdigest()) == (0, sha256(source)), err


def test_nc_as_a_server_does_not_wait_for_an_idle_input(wireside, tap):
    process = wireside("nc", "-l", "6002", stdin=subprocess.PIPE)
    with first_connection(6002) as client:
        client.sendall(b"that is all")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b""
    assert process.end(how=None)[:2] == (0, "that is all")


def test_nc_as_a_client_ends_when_what_it_sent_has_arrived(wireside, tap, make_file):
    source = make_file(2 << 20)  # fits into the send buffer, but not into the peer's receive buffer
    with source.open("rb") as file, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind((HOST, 5001))
        listener.listen()
        process = wireside("nc", HOST, "5001", stdin=file)
        connection, _ = listener.accept()
        with connection:
            connection.shutdown(socket.SHUT_WR)
            time.sleep(4)
            got = 0
            while block := connection.recv(1 << 16):
                got += len(block)
        status, _, err = process.end(how=None)
    assert (status, got) == (0, 2 << 20), err


def test_nc_ends_at_a_reset_though_its_input_is_idle(wireside, tap):
    with socket.create_server((HOST, 5002)) as listener:
        process = wireside("nc", HOST, "5002", stdin=subprocess.PIPE)
        connection, _ = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        status, _, err = process.end(how=None)
    assert status == 1 and "reset" in err.lower()


@pytest.mark.parametrize("server", ["serve", "nc -l -k"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_ordinary_end_of_a_server(wireside, tap, tmp_path, server, number):
    process = wireside("serve", "--root", str(tmp_path)) if server == "serve" else wireside("nc", "-l", "-k", "6000")
    time.sleep(0.6)
    status, _, err = process.end(number)
    assert status == 0, err


# --- the command line ------------------------------------------------------------------------------------------------

def wireside_says(*arguments):
    return subprocess.run([wireside_binary(), *arguments], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("subcommand", [(), ("serve",), ("ping",), ("get",), ("nc",), ("agent",)])
def test_help_and_version(subcommand):
    done = wireside_says(*subcommand, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout and done.stderr == ""
    done = wireside_says(*subcommand, "--version")
    assert done.returncode == 0 and "wireside" in done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("dance",), ("ping", "--nonsense"), ("ping",), ("get",), ("ping", "--ip", "10.9.0.2", HOST),
    ("ping", "--ip", "10.9.0.2/24", "--mtu", "100", HOST), ("ping", "--ip", "10.9.0.2/24", "--mac", "03:00:00:00:00:01", HOST),
    ("ping", HOST), ("get", "--ip", "10.9.0.2/24", "ftp://10.9.0.1/"),
    ("ping", "--ip", "10.9.0.2/24", "--gateway", "192.0.2.1", HOST)])
def test_wrong_command_lines_have_status_two_and_a_remedy(arguments):
    done = wireside_says(*arguments)
    assert done.returncode == 2 and done.stdout == "" and "try:" in done.stderr


def test_an_unknown_subcommand_or_option_is_named():
    assert "there is no subcommand 'dance'" in wireside_says("dance").stderr
    assert "there is no option '--dance'" in wireside_says("--dance").stderr


def test_numbers_are_shown_as_numbers():
    assert "--ttl N:INT in [1 - 255] " in wireside_says("ping", "--help").stdout
    assert "'0' is not a whole number from 1 to 4294967295" in wireside_says("ping", "-c", "0", HOST).stderr
    assert "'-1' is not a whole number from 0 to 2147483647" in wireside_says("ping", "--tap-fd", "-1", HOST).stderr


def test_device_errors_say_what_mends_them(tap, wireside, tmp_path):
    first = wireside("serve", "--root", str(tmp_path)).wait_until_up()
    busy = wireside_says("ping", "--tap", tap, "--ip", "10.9.0.3/24", HOST)
    assert busy.returncode == 1 and tap in busy.stderr and "try:" in busy.stderr
    assert first.process.poll() is None
    long = wireside_says("ping", "--tap", "a" * 16, "--ip", "10.9.0.3/24", HOST)
    assert long.returncode == 2 and "15" in long.stderr
    no_tap = wireside_says("ping", "--tap", "lo", "--ip", "10.9.0.3/24", HOST)
    assert no_tap.returncode == 1 and "lo" in no_tap.stderr and "try:" in no_tap.stderr


def test_an_interface_that_is_down_is_told(tap, wireside, tmp_path):
    run("ip", "link", "set", tap, "down")
    process = wireside("serve", "--root", str(tmp_path))
    time.sleep(0.4)
    run("ip", "link", "set", tap, "up")
    process.wait_until_up()
    _, _, err = process.end()
    assert err.count(f"{tap} is down") == 1 and f"ip link set {tap} up" in err, err


@pytest.mark.parametrize("options", [(), ("--no-offload",)], ids=["offload", "no offload"])
@pytest.mark.parametrize("mtu", [576, 1280, 9000, 65521])
def test_any_mtu(make_file, tmp_path, mtu, options):
    source = make_file(3 << 20)
    (tmp_path / "data.bin").write_bytes(source.read_bytes())
    name = make_tap(mtu=mtu, address=f"{HOST}/24")
    process = Wireside(name, "serve", "--root", str(tmp_path), options=options)
    try:
        process.wait_until_up()
        got = tmp_path / "got.bin"
        run("curl", "-sS", "-f", "--max-time", "30", "-o", str(got), f"http://{DUT}/data.bin", timeout=40)
        assert sha256(got) == sha256(source)
        run("curl", "-sS", "-f", "--max-time", "30", "-T", str(source), f"http://{DUT}/up.bin", timeout=40)
        assert sha256(tmp_path / "up.bin") == sha256(source)
        status, _, err = process.end()
        assert status == 0, err
    finally:
        process.kill()
        remove_tap(name)
