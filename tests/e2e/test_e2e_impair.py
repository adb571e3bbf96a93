"""`--impair` with the host's own ping and curl, and `wireside bridge` between two network namespaces."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from e2e_support import DUT, HOST, sha256
from wireside_lab import fresh_tap_name, run, wireside_binary


def answered(count, interval=0.02):
    """Sequence numbers of the answered echo requests."""
    out = run("ping", "-n", "-i", str(interval), "-c", str(count), "-W", "1", DUT, check=False).stdout
    return [int(n) for n in re.findall(r"icmp_seq=(\d+)", out)], out


def settle_arp():
    """The frames that follow are the echoes alone."""
    run("ping", "-n", "-c", "1", "-W", "5", DUT, check=False)


def loss_pattern(wireside, seed):
    server = wireside("serve", "--root", ".", options=["--impair-in", "loss=50%", "--impair-seed", str(seed)])
    end = time.monotonic() + 10
    while not os.path.exists(os.environ["WIRESIDE_RUNTIME_DIR"] + f"/{server.tap}.sock") and time.monotonic() < end:
        time.sleep(0.05)
    # ARP is impaired too: the host's entry is set by hand, so that echoes are the only frames.
    link = json.loads(run(wireside_binary(), "addr", "-j").stdout)[0]["address"]
    run("ip", "neigh", "replace", DUT, "lladdr", link, "dev", server.tap, "nud", "permanent")
    got, _ = answered(40)
    counters = json.loads(run(wireside_binary(), "stats", "-j").stdout)[0]["counters"]
    assert server.end()[0] == 0
    return got, counters


def test_the_same_seed_loses_the_same_echoes(wireside):
    first, counters = loss_pattern(wireside, 3)
    again, _ = loss_pattern(wireside, 3)
    other, _ = loss_pattern(wireside, 4)
    assert 8 <= len(first) <= 32 and first == again and first != other
    assert counters["ImpairInRandomLosses"] >= 40 - len(first)


def test_delay_both_ways_is_in_the_round_trip(wireside):
    wireside("serve", "--root", ".", options=["--impair", "delay=20ms"]).wait_until_up()
    settle_arp()
    _, out = answered(10)
    times = [float(t) for t in re.findall(r"time=([\d.]+)", out)]
    assert len(times) == 10 and min(times) >= 40 and sorted(times)[5] < 50, out


def test_a_download_through_one_percent_loss_is_complete(wireside, tmp_path, make_file):
    source = make_file(3_000_000)
    server = wireside("serve", "--root", str(source.parent), options=[
        "--impair", "loss=1%,delay=2ms,jitter=1ms,duplicate=1%,corrupt=0.2%", "--impair-seed", "5"]).wait_until_up()
    run("curl", "-sS", "-m", "100", "-o", str(tmp_path / "got"), f"http://{DUT}/{source.name}", timeout=120)
    assert sha256(tmp_path / "got") == sha256(source)
    text = run(wireside_binary(), "stats").stdout
    for counter in ("ImpairOutRandomLosses", "ImpairOutDuplicates", "ImpairOutBitErrors", "TcpRetransSegs"):
        assert re.search(rf"^{counter} +[1-9]", text, re.M), text
    assert server.end()[0] == 0


def test_the_third_data_segment_is_lost_and_sent_again(wireside, tmp_path, make_file):
    source = make_file(20_000)
    server = wireside("serve", "--root", str(source.parent),
                      options=["--impair-out", "drop=data:3", "--trace", "--pcap", str(tmp_path / "c.pcapng")])
    server.wait_until_up()
    run("curl", "-sS", "-m", "20", "-o", str(tmp_path / "got"), f"http://{DUT}/{source.name}", timeout=30)
    assert sha256(tmp_path / "got") == sha256(source)
    trace = server.end()[2]
    assert trace.count("dropped by impairment on the way out: drop rule") == 1, trace
    (lost,) = re.findall(r"seq (\d+):\d+, .*\n.*dropped by impairment", trace)
    assert len(re.findall(rf"Out IP {DUT}.*seq {lost}:", trace)) == 2, trace
    comments = run("tshark", "-r", str(tmp_path / "c.pcapng"), "-T", "fields", "-e", "frame.comment").stdout
    assert comments.count("dropped by impairment on the way out: drop rule") == 1


def test_jitter_and_rate_as_in_the_manual(wireside, tmp_path, make_file):
    source = make_file(1_000_000)
    wireside("serve", "--root", str(source.parent), options=[
        "--impair", "loss=1%,delay=20ms,jitter=5ms,rate=50mbit,queue=100", "--impair-seed", "1"]).wait_until_up()
    run("curl", "-sS", "-m", "60", "-o", str(tmp_path / "got"), f"http://{DUT}/{source.name}", timeout=70)
    assert sha256(tmp_path / "got") == sha256(source)


@pytest.mark.parametrize("arguments, words", [
    (["--impair", "loss=1"], ["--impair loss=1: loss=1: the value is not a percentage", "try: loss=1% or"]),
    (["--impair-in", "lose=1%"], ["--impair-in lose=1%: 'lose=1%' is not understood", "drop, mtu, loss"]),
    (["--impair-out", "queue=1"], ["queue without rate does nothing", "rate=50mbit,queue=100"])])
def test_a_wrong_impairment_is_a_usage_error(arguments, words):
    done = run(wireside_binary(), "ping", "--ip", f"{DUT}/24", *arguments, HOST, check=False)
    assert done.returncode == 2
    for text in words:
        assert text in done.stderr, done.stderr


class Station:
    """A network namespace that holds one TAP of the bridge."""

    def __init__(self):
        self.tap = fresh_tap_name()
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        here = os.readlink("/proc/self/ns/net")
        end = time.monotonic() + 5
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == here and time.monotonic() < end:
            time.sleep(0.01)

    def adopt(self, address):
        run("ip", "link", "set", self.tap, "netns", str(self.holder.pid))
        for name in ("all", "default"):
            self.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
        self.run("ip", "address", "add", f"{address}/24", "dev", self.tap)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", self.tap, "up")

    def command(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *command]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def end(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def join():
    """join(options...) gives two stations and the bridge between them."""
    left, right = Station(), Station()
    started = []

    def start(*options):
        process = subprocess.Popen([wireside_binary(), "bridge", left.tap, right.tap, *options],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert "bridging" in process.stdout.readline(), process.stderr.read()
        left.adopt("10.3.0.1")
        right.adopt("10.3.0.2")
        return left, right, process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    left.end()
    right.end()


def test_a_bridge_delays_what_two_kernels_say_to_each_other(join):
    left, right, process = join("--impair", "delay=10ms", "--impair-back", "delay=30ms")
    left.run("ping", "-n", "-c", "1", "-W", "5", "10.3.0.2", check=False)
    out = left.run("ping", "-n", "-i", "0.05", "-c", "10", "10.3.0.2").stdout
    times = [float(t) for t in re.findall(r"time=([\d.]+)", out)]
    assert len(times) == 10 and min(times) >= 40 and sorted(times)[5] < 50, out
    process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    for a, b in ((left.tap, right.tap), (right.tap, left.tap)):
        sent, delivered = map(int, re.search(rf"{a} to {b}: (\d+) frames, (\d+) delivered", text).groups())
        assert sent == delivered >= 11, text


def test_two_kernels_transfer_through_a_lossy_bridge(join, tmp_path, make_file):
    source = make_file(1_000_000)
    left, right, process = join("--impair", "loss=1%,delay=2ms,rate=100mbit,queue=50", "--impair-seed", "9")
    with open(tmp_path / "got", "wb") as sink:
        receiver = subprocess.Popen(right.command("nc", "-l", "-p", "7000"), stdout=sink, stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 5
            while "7000" not in right.run("ss", "-Htln").stdout and time.monotonic() < end:
                time.sleep(0.05)
            with open(source, "rb") as stream:
                subprocess.run(left.command("nc", "-N", "-w", "30", "10.3.0.2", "7000"), stdin=stream, timeout=60,
                               check=True)
            receiver.wait(30)
        finally:
            receiver.kill()
            receiver.wait()
    assert sha256(tmp_path / "got") == sha256(source)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and "random loss" in text, text


def test_a_bridge_needs_two_different_taps():
    done = run(wireside_binary(), "bridge", "tapx", "tapx", check=False)
    assert done.returncode == 2 and "given twice" in done.stderr and "try: wireside bridge tap0 tap1" in done.stderr
