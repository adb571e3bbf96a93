"""`wireside serve` as curl, ping and nc meet it."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from e2e_support import DUT, sha256
from wireside_lab import remove_tap, run

SIZE = int(os.environ.get("WIRESIDE_E2E_OCTETS", 64 << 20))  # the full bar: WIRESIDE_E2E_OCTETS=1073741824
OFFLOAD = pytest.mark.parametrize("options", [(), ("--no-offload",)], ids=["offload", "no offload"])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hello.txt").write_text("hello over the wire\n")
    (tmp_path / "page.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.json").write_text(json.dumps({"a": 1}))
    return tmp_path


@pytest.fixture
def server(wireside, folder):
    return wireside("serve", "--root", str(folder)).wait_until_up()


def curl(*arguments, timeout=60, check=True):
    return run("curl", "-sS", "--max-time", str(timeout), *arguments, check=check, timeout=timeout + 5)


# --- ping ------------------------------------------------------------------------------------------------------------

@pytest.mark.requirement("ICMP-01")
@pytest.mark.parametrize("size", [0, 56, 1400, 1472])
def test_ping(server, size):
    out = run("ping", "-c", "4", "-i", "0.1", "-s", str(size), DUT).stdout
    assert "4 received" in out and " 0% packet loss" in out


@OFFLOAD
def test_a_flood_of_pings_loses_nothing(wireside, folder, options):
    wireside("serve", "--root", str(folder), options=options).wait_until_up()
    out = run("ping", "-f", "-q", "-c", "20000", DUT, timeout=90).stdout
    assert "20000 received" in out and " 0% packet loss" in out


def test_pings_beyond_the_mtu_break_nothing(server):
    run("ping", "-c", "2", "-i", "0.2", "-W", "1", "-s", "4000", DUT, check=False)
    run("ping", "-c", "1", "-W", "1", "-s", "65507", DUT, check=False)
    assert "2 received" in run("ping", "-c", "2", "-i", "0.2", DUT).stdout


# --- HTTP ------------------------------------------------------------------------------------------------------------

@OFFLOAD
def test_get_and_put_of_a_large_file(wireside, folder, make_file, tmp_path, options):
    source = make_file(SIZE)
    os.link(source, folder / "large.bin") if os.stat(source).st_dev == os.stat(folder).st_dev else None
    wireside("serve", "--root", str(folder), options=options).wait_until_up()
    got = tmp_path / "got.bin"
    curl("-o", str(got), f"http://{DUT}/large.bin", timeout=240)
    assert sha256(got) == sha256(source)
    os.unlink(got)
    curl("-f", "-T", str(source), f"http://{DUT}/uploaded.bin", timeout=240)
    assert sha256(folder / "uploaded.bin") == sha256(source)


def test_small_things(server):
    assert curl(f"http://{DUT}/hello.txt").stdout == "hello over the wire\n"
    assert "hello.txt" in curl(f"http://{DUT}/").stdout and "inner.json" in curl(f"http://{DUT}/sub/").stdout
    head = curl("-I", f"http://{DUT}/hello.txt").stdout.lower()
    assert " 200" in head and "content-length: 20" in head and "text/plain" in head
    assert "text/html" in curl("-I", f"http://{DUT}/page.html").stdout.lower()
    assert "application/json" in curl("-I", f"http://{DUT}/sub/inner.json").stdout.lower()
    status = ["-o", os.devnull, "-w", "%{http_code}"]
    assert curl(*status, f"http://{DUT}/absent").stdout == "404"
    assert curl(*status, "--path-as-is", f"http://{DUT}/../../../../etc/passwd").stdout in ("400", "403", "404")
    assert curl(*status, "--path-as-is", f"http://{DUT}/%2e%2e/%2e%2e/etc/passwd").stdout in ("400", "403", "404")
    assert curl(*status, "-X", "DELETE", f"http://{DUT}/hello.txt").stdout in ("405", "501")
    assert curl(f"http://{DUT}/hello.txt").stdout == "hello over the wire\n"


@pytest.mark.parametrize("wanted, expected", [("0-4", "hello"), ("6-9", "over"), ("-5", "wire\n"), ("15-", "wire\n"),
                                              ("0-999", "hello over the wire\n")])
def test_ranges(server, wanted, expected):
    out = curl("-r", wanted, "-w", "%{http_code}", f"http://{DUT}/hello.txt").stdout
    assert out == expected + "206"


def test_a_range_beyond_the_end(server):
    assert curl("-r", "100-", "-o", os.devnull, "-w", "%{http_code}", f"http://{DUT}/hello.txt").stdout == "416"


def test_conditions_keep_a_newer_file_from_being_lost(server):
    """RFC 9110 sections 13.1 and 13.2.2."""
    url, status = f"http://{DUT}/hello.txt", ["-o", os.devnull, "-w", "%{http_code}"]
    head = curl("-I", url).stdout
    tag = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("etag"))
    old, new = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"

    def code(*conditions, target=url):
        return curl(*status, *sum((["-H", condition] for condition in conditions), []), target).stdout

    assert code(f"If-None-Match: {tag}") == code(f"If-None-Match: W/{tag}") == code(f"If-Modified-Since: {new}") == "304"
    assert code(f"If-Modified-Since: {old}") == code(f"If-Match: {tag}") == code("If-Match: *") == "200"
    assert code('If-Match: "other"') == code(f"If-Match: W/{tag}") == code(f"If-Unmodified-Since: {old}") == "412"
    assert code(f"If-Match: {tag}", f"If-Unmodified-Since: {old}") == "200"
    upload = ["-X", "PUT", "--data-binary", "lost"]
    for condition in ('If-Match: "other"', "If-None-Match: *", f"If-Unmodified-Since: {old}"):
        assert curl(*status, *upload, "-H", condition, url).stdout == "412", condition
    assert curl(*status, *upload, "-H", "If-Match: *", f"http://{DUT}/absent").stdout == "412"
    assert curl(url).stdout == "hello over the wire\n"
    assert curl(*status, *upload, "-H", "If-None-Match: *", f"http://{DUT}/made").stdout == "201"
    assert curl(*status, *upload, "-H", f"If-Match: {tag}", url).stdout == "204"


def test_an_interrupted_download_is_resumed(wireside, folder, make_file, tmp_path):
    source = make_file(3 << 20)
    (folder / "data.bin").write_bytes(source.read_bytes())
    wireside("serve", "--root", str(folder)).wait_until_up()
    part = tmp_path / "part"
    part.write_bytes(source.read_bytes()[:1_000_000])
    curl("-C", "-", "-o", str(part), f"http://{DUT}/data.bin")
    assert sha256(part) == sha256(source)


def test_one_connection_serves_many_requests(server):
    urls = [f"http://{DUT}/hello.txt"] * 50
    out = curl("-w", "%{num_connects}\n", "-o", os.devnull, *sum((["-o", os.devnull] for _ in urls[1:]), []), *urls).stdout
    assert sum(map(int, out.split())) == 1


def test_two_hundred_curls_at_once_and_the_memory_comes_back(wireside, folder, make_file):
    source = make_file(1 << 20)
    (folder / "one.bin").write_bytes(source.read_bytes())
    server = wireside("serve", "--root", str(folder)).wait_until_up()

    def round_of(count):
        curls = [subprocess.Popen(["curl", "-sS", "--max-time", "60", f"http://{DUT}/one.bin"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) for _ in range(count)]
        wanted = source.read_bytes()
        for process in curls:
            out, err = process.communicate(timeout=90)
            assert process.returncode == 0 and out == wanted, err

    start = server.rss()
    rounds = []
    for _ in range(3):
        round_of(200)
        time.sleep(1.5)
        rounds.append(server.rss())
    assert rounds[-1] <= rounds[0] + (8 << 20), f"a leak: {rounds}"
    assert rounds[-1] <= start + (40 << 20), f"memory does not come back: {start} at the start, then {rounds}"


def test_wrk_sees_no_error(wireside, folder):
    server = wireside("serve", "--root", str(folder)).wait_until_up()
    first = run("wrk", "-t1", "-c64", "-d2", f"http://{DUT}/hello.txt", timeout=30).stdout
    before = server.rss()
    out = run("wrk", "-t1", "-c64", "-d3", f"http://{DUT}/hello.txt", timeout=30).stdout
    for text in (first, out):
        assert "Socket errors" not in text and "Non-2xx" not in text and "requests in" in text
    assert server.rss() <= before + (16 << 20)


# --- echo, discard, chargen ------------------------------------------------------------------------------------------

def test_nc_echo_over_tcp(server, make_file):
    octets = make_file(2 << 20).read_bytes()
    done = subprocess.run(["nc", "-N", "-w", "10", DUT, "7"], input=octets, capture_output=True, timeout=40)
    assert done.stdout == octets


def test_echo_over_udp(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        for size in (0, 1, 1472):
            s.sendto(b"x" * size, (DUT, 7))
            assert s.recv(2000) == b"x" * size


def test_discard_and_chargen(server):
    assert subprocess.run(["nc", "-N", "-w", "5", DUT, "9"], input=b"x" * 300000, capture_output=True,
                          timeout=20).stdout == b""
    with socket.create_connection((DUT, 19), timeout=5) as s:
        text = b""
        while len(text) < 100000:
            text += s.recv(65536)
    lines = text.split(b"\r\n")[:100]
    assert all(len(line) == 72 for line in lines) and len(set(lines[:95])) > 50


def test_a_closed_port_refuses(server):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((DUT, 4444), timeout=5)


# --- misfortunes -----------------------------------------------------------------------------------------------------

def test_a_client_killed_in_mid_transfer_harms_nobody(wireside, folder, make_file):
    source = make_file(64 << 20)
    os.symlink(source, folder / "link.bin")
    (folder / "large.bin").write_bytes(source.read_bytes())
    server = wireside("serve", "--root", str(folder)).wait_until_up()
    for arguments in (["--limit-rate", "2M", "-o", os.devnull, f"http://{DUT}/large.bin"],
                      ["--limit-rate", "2M", "-T", str(source), f"http://{DUT}/up.bin"]):
        client = subprocess.Popen(["curl", "-sS", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        assert client.poll() is None
        client.kill()
        client.wait()
        assert curl(f"http://{DUT}/hello.txt").stdout == "hello over the wire\n"
    assert server.process.poll() is None


def test_the_link_down_and_up_in_mid_transfer(wireside, folder, make_file, tmp_path, tap):
    source = make_file(64 << 20)
    (folder / "large.bin").write_bytes(source.read_bytes())
    server = wireside("serve", "--root", str(folder)).wait_until_up()
    got = tmp_path / "got.bin"
    client = subprocess.Popen(["curl", "-sS", "--limit-rate", "20M", "-o", str(got), f"http://{DUT}/large.bin"])
    time.sleep(1)
    run("ip", "link", "set", tap, "down")
    time.sleep(1)
    run("ip", "link", "set", tap, "up")
    assert client.wait(60) == 0 and sha256(got) == sha256(source)
    assert curl(f"http://{DUT}/hello.txt").stdout == "hello over the wire\n"
    assert server.process.poll() is None


def test_the_interface_deleted_ends_it_with_a_message(wireside, folder, tap):
    server = wireside("serve", "--root", str(folder)).wait_until_up()
    remove_tap(tap)
    status, _, err = server.end(how=None)
    assert status == 1 and tap in err and "try:" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_well_even_with_connections(wireside, folder, number):
    server = wireside("serve", "--root", str(folder)).wait_until_up()
    with socket.create_connection((DUT, 80), timeout=5):
        status, _, err = server.end(number)
    assert status == 0, err


def test_it_can_be_started_again_at_once(wireside, folder):
    for _ in range(3):
        server = wireside("serve", "--root", str(folder)).wait_until_up()
        assert curl(f"http://{DUT}/hello.txt").stdout == "hello over the wire\n"
        assert server.end()[0] == 0


def test_the_trace_tells_frames_and_reasons(wireside, folder):
    server = wireside("serve", "--root", str(folder), options=("--trace",)).wait_until_up()
    curl(f"http://{DUT}/hello.txt")
    _, _, err = server.end()
    for text in ("Flags [S]", "Flags [S.]", "mss 1460", "ESTABLISHED", "ARP", "win "):
        assert text in err, f"{text} is not in the trace"
