"""`wireside serve --queues`: a stack and a thread for each queue of the TAP, and one endpoint to everybody outside."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from e2e_support import DUT, HOST, Wireside, sha256
from wireside_lab import fresh_tap_name, remove_tap, run, wireside_binary


def make_queue_tap(*further):
    name = fresh_tap_name()
    run("ip", "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr", "multi_queue", *further)
    run("ip", "address", "add", f"{HOST}/24", "dev", name)
    run("ip", "link", "set", name, "txqueuelen", "5000", "up")
    return name


@pytest.fixture
def queue_tap():
    name = make_queue_tap()
    yield name
    remove_tap(name)


@pytest.fixture
def serve(queue_tap, tmp_path):
    """Starts `serve` with so many queues on a folder with one file; what still runs at the end is killed."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello over the wire\n")
    started = []

    def start(queues, *options, **settings):
        started.append(Wireside(queue_tap, "serve", "--root", str(folder), options=("--queues", str(queues), *options),
                                **settings))
        return started[-1].wait_until_up()

    yield start
    found = [process.output()[1].decode(errors="replace") for process in started]
    for process in started:
        process.kill()
    assert not any("ThreadSanitizer" in text for text in found), found


def ask(*arguments):
    return json.loads(run(wireside_binary(), *arguments, "-j").stdout)


def counters():
    """The sums, and a list of each queue's own."""
    (line,) = ask("stats")
    return line["counters"], [queue["counters"] for queue in line["queues"]]


def established():
    return [c for c in ask("ss", "-t") if c["state"] == "ESTABLISHED"]


def echo(sockets):
    """How many of the connections to the echo service answer what they are asked."""
    for s in sockets:
        s.sendall(b"are you there?")
    right = 0
    for s in sockets:
        got = b""
        while len(got) < 14 and (more := s.recv(14 - len(got))):
            got += more
        right += got == b"are you there?"
    return right


def connect(count):
    return [socket.create_connection((DUT, 7), timeout=20) for _ in range(count)]


@pytest.mark.parametrize("queues", [1, 2, 5])
def test_pings_and_curls_are_answered(serve, tmp_path, make_file, queues):
    server = serve(queues)
    assert " 0% packet loss" in run("ping", "-q", "-c", "50", "-i", "0.002", DUT).stdout
    large = make_file(3 << 20)
    shutil.copy(large, tmp_path / "www" / "large.bin")

    def fetch(_):
        done = subprocess.run(["curl", "-s", "--max-time", "60", f"http://{DUT}/large.bin"], capture_output=True, check=True)
        target = tmp_path / f"got{_}"
        target.write_bytes(done.stdout)
        return sha256(target)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, range(16))) == {sha256(large)}
    status, _, problems = server.end()
    assert status == 0, problems


def test_two_hundred_connections_are_answered_and_shown(serve):
    server = serve(2)
    sockets = connect(200)
    assert echo(sockets) == 200
    shown = established()
    assert len(shown) == 200
    of_queue = [sum(c["queue"] == q for c in shown) for q in (0, 1)]
    assert min(of_queue) >= 60, of_queue
    total, each = counters()
    assert total["TcpCurrEstab"] == 200 and [c["TcpCurrEstab"] for c in each] == of_queue
    assert total["TcpInSegs"] == sum(c["TcpInSegs"] for c in each)
    text = run(wireside_binary(), "stats").stdout
    assert re.search(r"^#\S+ +all +queue 0 +queue 1$", text, re.M), text
    assert re.search(r"^TcpCurrEstab +200 +\d+ +\d+$", text, re.M), text
    assert "queue:1" in run(wireside_binary(), "ss", "-t").stdout
    (link,) = ask("addr")
    assert link["queues"] == 2
    for s in sockets:
        s.close()
    assert server.end()[0] == 0


def test_one_queue_answers_arp_and_all_know_the_neighbour(serve):
    serve(3)
    run("ip", "neigh", "flush", "all")
    assert " 0% packet loss" in run("ping", "-q", "-c", "5", "-i", "0.01", DUT).stdout
    sockets = connect(30)
    assert echo(sockets) == 30
    _, each = counters()
    assert [c["ArpOutReplies"] > 0 for c in each] == [True, False, False]
    assert len({c["queue"] for c in established()}) == 3
    (neighbour,) = ask("neigh")
    assert neighbour["dst"] == HOST
    for s in sockets:
        s.close()


def test_large_datagrams_come_whole(serve):
    """Their fragments have no ports to share them out by."""
    serve(4)
    for octets in (2000, 9000, 60000):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(12)]
        text = os.urandom(octets)
        for s in sockets:
            s.settimeout(5)
            s.sendto(text, (DUT, 7))
            assert s.recv(65535) == text
            s.close()
    total, _ = counters()
    assert total["QueueFragmentsLost"] == 0 and total["QueueFramesLost"] == 0


needs_setpriv = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")


@pytest.fixture
def serve_without_rights(queue_tap, tmp_path):
    """Starts `serve` with three queues, where it may not give the driver a program."""
    started = []

    def start():
        process = subprocess.Popen(
            ["setpriv", "--bounding-set=-bpf,-sys_admin", wireside_binary(), "serve", "--tap", queue_tap,
             "--ip", f"{DUT}/24", "--no-acd", "--root", str(tmp_path), "--queues", "3", "-q"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        end = time.monotonic() + 10
        while run("nc", "-z", "-w", "1", DUT, "7", check=False).returncode != 0:
            assert process.poll() is None and time.monotonic() < end, process.stderr.read()

    yield start
    for process in started:
        process.terminate()
        problems = process.communicate(timeout=20)[1]
        assert process.returncode == 0 and "ThreadSanitizer" not in problems, problems


@needs_setpriv
def test_without_rights_for_a_program_in_the_driver_frames_are_handed_over(serve_without_rights):
    """The driver shares out by a hash of its own and by what it has learnt, which it forgets after three seconds."""
    serve_without_rights()
    sockets = connect(60)
    assert echo(sockets) == 60
    total, _ = counters()
    assert total["QueueFramesHandedOver"] > 10
    assert ask("addr")[0]["steering"] == "software"
    before = {(c["peer"], c["queue"]) for c in established()}
    time.sleep(4)
    assert echo(sockets) == 60
    later, _ = counters()
    assert later["QueueFramesHandedOver"] > total["QueueFramesHandedOver"] + 10
    assert {(c["peer"], c["queue"]) for c in established()} == before
    assert later["TcpOutRsts"] == total["TcpOutRsts"] and later["QueueFramesLost"] == 0
    assert " 0% packet loss" in run("ping", "-q", "-c", "20", "-i", "0.002", DUT).stdout
    for s in sockets:
        s.close()


@needs_setpriv
def test_what_a_killed_process_left_in_the_driver_is_taken_out(serve, serve_without_rights):
    """Its program has another key: most frames would come in on the wrong queue for ever."""
    killed = serve(3)
    killed.process.kill()
    killed.process.wait()
    serve_without_rights()
    sockets = connect(30)
    for _ in range(20):
        assert echo(sockets) == 30
    total, _ = counters()
    assert total["QueueFramesHandedOver"] < total["TcpInSegs"] / 5
    for s in sockets:
        s.close()


def test_a_trace_and_a_capture_of_all_queues(serve, tmp_path):
    server = serve(2, "--trace", "--pcap", str(tmp_path / "all.pcapng"))
    sockets = connect(20)
    assert echo(sockets) == 20
    for s in sockets:
        s.close()
    status, _, trace = server.end()
    assert status == 0
    ports = set(re.findall(rf"In  IP {HOST}\.(\d+) > {DUT}\.7: Flags \[S\]", trace))
    assert len(ports) == 20
    seen = run("tshark", "-r", str(tmp_path / "all.pcapng"), "-Y", "tcp.flags.syn==1 && tcp.flags.ack==1 && tcp.srcport==7",
               "-T", "fields", "-e", "tcp.dstport").stdout.split()
    assert set(seen) == ports


def test_addresses_are_probed_for_once_and_then_all_queues_serve(serve):
    server = serve(2, acd=True)
    sockets = connect(20)
    assert echo(sockets) == 20
    assert len({c["queue"] for c in established()}) == 2
    for s in sockets:
        s.close()
    assert server.end()[0] == 0


@pytest.mark.parametrize("queues", ["0", "65", "-1", "two", "1.5", ""])
def test_impossible_numbers_are_refused(queues):
    done = subprocess.run([wireside_binary(), "serve", "--ip", f"{DUT}/24", "--queues", queues], capture_output=True,
                          text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and done.stdout == "" and "--queues" in done.stderr and "try:" in done.stderr


@pytest.mark.parametrize("other", [("--tap-fd", "3"), ("--impair", "loss=1%")])
def test_what_does_not_go_together_is_refused(other):
    done = subprocess.run([wireside_binary(), "serve", "--ip", f"{DUT}/24", "--queues", "2", *other], capture_output=True,
                          text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and "--queues" in done.stderr and other[0] in done.stderr and "try:" in done.stderr


def test_a_tap_with_a_single_queue_is_told_of(tap):
    done = subprocess.run([wireside_binary(), "serve", "--tap", tap, "--ip", f"{DUT}/24", "--queues", "2"],
                          capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{tap} has a single queue" in done.stderr and "multi_queue" in done.stderr and "--queues 1" in done.stderr


def test_a_tap_with_several_queues_serves_one(serve):
    server = serve(1)
    assert "queues" not in ask("addr")[0]
    assert server.end()[0] == 0


def test_the_interface_goes_while_all_queues_serve(serve, queue_tap):
    server = serve(2)
    sockets = connect(10)
    run("ip", "link", "delete", queue_tap)
    status, _, problems = server.end(None)
    assert status == 1 and f"{queue_tap} was deleted" in problems
    assert problems.count("was deleted") == 1
    for s in sockets:
        s.close()


def test_a_second_signal_ends_it_while_all_queues_are_busy(serve, tmp_path, make_file):
    server = serve(4)
    shutil.copy(make_file(32 << 20), tmp_path / "www" / "large.bin")
    sockets = [socket.create_connection((DUT, 80), timeout=20) for _ in range(16)]
    for s in sockets:  # what they ask for does not fit into all the buffers on the way, and is not read
        s.sendall(b"GET /large.bin HTTP/1.1\r\nHost: dut\r\n\r\n")
        assert s.recv(1)
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    status, _, problems = server.end(within=5)
    assert status == 1 and "ThreadSanitizer" not in problems, problems
    for s in sockets:
        s.close()


def test_a_lease_is_every_queues(lan, tmp_path):
    from dhcp_servers import SERVERS
    kind = SERVERS["dnsmasq"]
    if kind.missing():
        pytest.skip(kind.missing())
    dhcp = kind(lan, tmp_path).start()
    tap = fresh_tap_name()
    run("ip", "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr", "multi_queue")
    run("ip", "link", "set", tap, "master", lan, "up")
    server = Wireside(tap, "serve", "--root", str(tmp_path), options=("--queues", "2"), address=("--dhcp",))
    try:
        end = time.monotonic() + 20
        while b"serving" not in server.output()[0]:
            assert time.monotonic() < end and server.process.poll() is None, server.output()[1].decode()
            time.sleep(0.05)
        (link,) = ask("addr")
        address = link["addr_info"][0]["local"]
        sockets = [socket.create_connection((address, 7), timeout=20) for _ in range(20)]
        assert echo(sockets) == 20
        assert len({c["queue"] for c in established()}) == 2
        for s in sockets:
            s.close()
        assert server.end()[0] == 0
    finally:
        server.kill()
        remove_tap(tap)
        dhcp.stop()
