"""Names: `wireside resolve`, `get`, `ping` and `nc` with dnsmasq as their server, and with a hostile one."""
import contextlib
import http.server
import json
import socket
import struct
import subprocess
import threading
import time

import pytest

from e2e_support import DUT, HOST
from wireside_lab import run, wireside_binary

DEAD = "10.9.0.77"  # nobody has this address
DNS = ("--dns", HOST)


@pytest.fixture
def dnsmasq(tap, tmp_path):
    """dnsmasq on the TAP's host address alone, with the names of a small domain."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{HOST} web.lab\n{DUT} self.lab\n" + "".join(f"10.1.0.{n} big.lab\n" for n in range(1, 101)))
    process = subprocess.Popen(
        ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
         f"--listen-address={HOST}", "--except-interface=lo", "--user=root", "--pid-file=", f"--addn-hosts={hosts}",
         "--local=/lab/", "--local-ttl=300", "--cname=www.lab,web.lab", "--cname=w.lab,www.lab", "--cache-size=500"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection((HOST, 53), timeout=1):
            break
        assert process.poll() is None and time.monotonic() < end, process.stderr.read()
        time.sleep(0.05)
    yield process
    process.terminate()
    process.communicate(timeout=10)


def resolve(wireside, *arguments, options=DNS, within=40):
    return wireside("resolve", *arguments, options=options).end(how=None, within=within)


def test_an_address(wireside, dnsmasq):
    status, out, err = resolve(wireside, "web.lab", "WEB.lab")
    assert (status, out) == (0, f"web.lab. has address {HOST}\nWEB.lab. has address {HOST}\n"), err


def test_traceroute_to_a_name(wireside, dnsmasq):
    status, out, err = wireside("traceroute", "-n", "www.lab", "-q", "1", "-w", "2", options=DNS).end(how=None, within=20)
    assert status == 0 and out.startswith(f"traceroute to www.lab ({HOST}), 30 hops max"), err
    assert out.splitlines()[1].split()[:2] == ["1", HOST]
    status, out, err = wireside("traceroute", "nothing.lab", options=DNS).end(how=None, within=20)
    assert status == 1 and "nothing.lab" in err and "NXDOMAIN" in err and out == ""
    assert wireside("traceroute", "not a name", options=DNS).end(how=None)[0] == 2


def test_the_table_of_names(wireside, dnsmasq, tmp_path):
    path = str(tmp_path / "control.sock")
    with socket.create_server((HOST, 7)):
        wireside("nc", "www.lab", "7", options=(*DNS, "--search", "lab", "--control", path), stdin=subprocess.PIPE)
        end = time.monotonic() + 10
        while "www.lab." not in (text := run(wireside_binary(), "dns", "--control", path, check=False).stdout):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        assert f"servers: {HOST}\n" in text and "search: lab.\n" in text
        assert [line.split() for line in text.splitlines() if "CNAME" in line][0][2:] == ["IN", "CNAME", "web.lab."]
        (table,) = json.loads(run(wireside_binary(), "dns", "-j", "--control", path).stdout)
        web = next(entry for entry in table["cache"] if entry["name"] == "web.lab.")
        assert web["addresses"] == [HOST] and 250 < web["ttl"] <= 300 and web["status"] == "NOERROR"
        assert table["statistics"]["queries"] == 1 and table["statistics"]["answers_taken"] == 1


def test_a_chain_of_aliases(wireside, dnsmasq):
    status, out, err = resolve(wireside, "-v", "w.lab")
    lines = [line.split() for line in out.splitlines()]
    assert status == 0, err
    assert lines[0] == ["w.lab.", "300", "IN", "CNAME", "www.lab."]
    assert lines[1] == ["www.lab.", "300", "IN", "CNAME", "web.lab."]
    assert lines[2] == ["web.lab.", "300", "IN", "A", HOST]
    assert f"from {HOST}:53 over UDP" in out
    assert resolve(wireside, "--short", "w.lab")[1] == f"www.lab.\nweb.lab.\n{HOST}\n"


def test_a_name_that_does_not_exist(wireside, dnsmasq):
    status, out, err = resolve(wireside, "nothing.lab")
    assert status == 1 and out == "" and "nothing.lab" in err and "NXDOMAIN" in err


def test_search_domains(wireside, dnsmasq):
    options = (*DNS, "--search", "nowhere.lab,lab")
    assert resolve(wireside, "web", options=options)[1] == f"web.lab. has address {HOST}\n"
    assert resolve(wireside, "web.", options=options)[0] == 1


@pytest.mark.parametrize("options", [(), ("--no-offload",)], ids=["offload", "no offload"])
def test_a_long_answer_comes_over_tcp(wireside, dnsmasq, options):
    status, out, err = resolve(wireside, "-v", "big.lab", options=(*DNS, *options))
    assert status == 0 and "over TCP" in out, err
    assert {f"10.1.0.{n}" for n in range(1, 101)} == {line.split()[-1] for line in out.splitlines() if " A " in line}


def test_a_dead_first_server(wireside, dnsmasq):
    status, out, err = resolve(wireside, "-v", "web.lab", options=("--dns", f"{DEAD},{HOST}"))
    assert status == 0 and f"from {HOST}:53" in out, err


def test_a_server_that_refuses_is_passed_over_at_once(wireside, dnsmasq, tap):
    run("ip", "address", "add", "10.9.0.3/24", "dev", tap)  # the host, but nothing listens: port unreachable
    begin = time.monotonic()
    status, out, err = resolve(wireside, "web.lab", options=("--dns", "10.9.0.3", "--dns", HOST))
    assert status == 0, err
    assert time.monotonic() - begin < 4


def test_no_server_at_all(wireside, tap):
    status, _, err = resolve(wireside, "web.lab", options=("--dns", DEAD))
    assert status == 1 and DEAD in err
    status, _, err = resolve(wireside, "web.lab", options=())
    assert status == 1 and "no DNS server" in err and "--dns" in err
    assert resolve(wireside, "localhost", options=())[1] == "localhost. has address 127.0.0.1\n"


@pytest.mark.parametrize("name, says", [("b\u00fccher.example", "xn--"), ("a..b", "dots"), ("a-.lab", "hyphen"),
                                        ("10.0.0.256", "address"), ("x" * 64, "63")])
def test_names_that_are_none(name, says):
    done = subprocess.run([wireside_binary(), "resolve", "--ip", f"{DUT}/24", name], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 2 and says in done.stderr and "try:" in done.stderr


def test_get_by_name(wireside, dnsmasq, tmp_path):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            seen.append(self.headers["Host"])
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"hi\n")

    with http.server.ThreadingHTTPServer((HOST, 8000), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status, out, err = wireside("get", "http://www.lab:8000/", options=DNS).end(how=None)
        server.shutdown()
    assert (status, out, seen) == (0, "hi\n", ["www.lab:8000"]), err


def test_ping_and_nc_by_name(wireside, dnsmasq):
    status, out, err = wireside("ping", "-c", "1", "web.lab", options=DNS).end(how=None)
    assert status == 0 and f"PING web.lab ({HOST})" in out and "1 received" in out, err
    with socket.create_server((HOST, 6001)) as listener:
        process = wireside("nc", "www.lab", "6001", options=DNS)
        listener.settimeout(20)
        with listener.accept()[0] as peer:
            peer.sendall(b"by name")
    status, out, err = process.end(how=None)
    assert (status, out) == (0, "by name"), err
    status, _, err = wireside("ping", "-c", "1", "nothing.lab", options=DNS).end(how=None)
    assert status == 1 and "NXDOMAIN" in err


# --- a hostile server ------------------------------------------------------------------------------------------------

GOOD, BAD = "192.0.2.1", "192.0.2.66"


def record(address, owner=b"\xc0\x0c", ttl=60):
    return owner + struct.pack("!HHIH", 1, 1, ttl, 4) + socket.inet_aton(address)


def reply(query, *records, identifier=None, question=None, flags=0x8180):
    """A response to the octets of a query."""
    end = query.index(b"\0", 12) + 5
    head = query[:2] if identifier is None else struct.pack("!H", identifier)
    return (head + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + (question or query[12:end]) + b"".join(records))


@contextlib.contextmanager
def hostile(answer, address=HOST):
    """A UDP server on port 53; answer(socket, query, client) sends what it likes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        server.settimeout(0.2)
        running = True

        def serve():
            while running:
                with contextlib.suppress(OSError):  # time to look at `running`, or the socket is closed
                    answer(server, *server.recvfrom(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            running = False
            thread.join(5)


def bad_then_good(make_bad, count):
    """Sends forgeries and then the true answer; the forgeries must be ignored and counted."""
    def answer(server, query, client):
        for message in make_bad(query):
            server.sendto(message, client)
        time.sleep(0.1)
        server.sendto(reply(query, record(GOOD)), client)
    return answer, count


def other_question(query):
    return [reply(query, record(BAD), question=b"\x03bad\x03lab\0\0\1\0\1"),
            reply(query, record(BAD), question=query[12:query.index(b"\0", 12) + 1].upper() + b"\0\1\0\1"),
            reply(query, record(BAD), question=query[12:query.index(b"\0", 12) + 1] + b"\0\x1c\0\1")]


def broken(query):
    whole = reply(query, record(BAD))
    circle = len(whole) - len(record(BAD))
    return [reply(query, record(BAD, owner=struct.pack("!H", 0xc000 | circle))),      # a pointer to itself
            reply(query, record(BAD, owner=struct.pack("!H", 0xc000 | circle + 14))),  # forward
            reply(query, record(BAD, owner=b"\xc0\x00")),                              # into the header
            whole[:-1], whole[:13], b"", b"\0"]


@pytest.mark.parametrize("make_bad, count", [
    (lambda q: [reply(q, record(BAD), identifier=(int.from_bytes(q[:2], "big") + n) & 0xffff) for n in (1, 2, 65535)], 3),
    (other_question, 3), (broken, 7), (lambda q: [q, reply(q, record(BAD), flags=0x0100)], 2)],
    ids=["wrong id", "wrong question", "broken", "no response"])
def test_forgeries_are_ignored_and_counted(wireside, tap, make_bad, count):
    answer, _ = bad_then_good(make_bad, count)
    with hostile(answer):
        status, out, err = resolve(wireside, "-v", "www.lab")
    assert status == 0 and GOOD in out and BAD not in out, out + err
    assert f"{count} messages ignored" in out


def test_answers_from_elsewhere_are_ignored(wireside, tap):
    run("ip", "address", "add", "10.9.0.3/24", "dev", tap)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_port, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_address:
        other_port.bind((HOST, 5353))
        other_address.bind(("10.9.0.3", 53))

        def answer(server, query, client):
            for forger in (other_port, other_address):
                forger.sendto(reply(query, record(BAD)), client)
            time.sleep(0.1)
            server.sendto(reply(query, record(GOOD)), client)

        with hostile(answer):
            status, out, err = resolve(wireside, "--short", "www.lab")
    assert (status, out) == (0, f"{GOOD}\n"), err


def test_a_late_answer_changes_nothing(wireside, tap):
    """After the answer, more answers: the second lookup comes from the cache, which holds the first."""
    def answer(server, query, client):
        server.sendto(reply(query, record(GOOD)), client)
        server.sendto(reply(query, record(BAD)), client)

    with hostile(answer):
        status, out, err = resolve(wireside, "--short", "www.lab", "www.lab")
    assert (status, out) == (0, f"{GOOD}\n{GOOD}\n"), err


def test_a_slow_answer_counts_while_other_servers_are_asked(wireside, tap):
    def answer(server, query, client):
        time.sleep(6)
        server.sendto(reply(query, record(GOOD)), client)

    with hostile(answer):
        status, out, err = resolve(wireside, "--short", "www.lab", options=DNS)
    assert (status, out) == (0, f"{GOOD}\n"), err


def test_an_endless_chain_ends(wireside, tap):
    numbers = iter(range(1000))

    def answer(server, query, client):
        target = b"\x05n%04d\x03lab\0" % next(numbers)
        server.sendto(reply(query, b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, len(target)) + target), client)

    with hostile(answer):
        status, out, err = resolve(wireside, "www.lab")
    assert status == 1 and "CNAME" in err


def test_truncation_without_a_tcp_server(wireside, tap):
    with hostile(lambda server, query, client: server.sendto(reply(query, flags=0x8380), client)):
        status, _, err = resolve(wireside, "www.lab")
    assert status == 1 and HOST in err
