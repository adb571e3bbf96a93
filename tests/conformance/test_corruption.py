"""A corrupted frame is dropped in every way in which frames are taken: with offloads, where the device vouches for the
sums of its own host and for nobody else's, without, while the device is polled, and by several queues."""
import contextlib
import signal
import subprocess
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP

from wireside_lab import fresh_tap_name, remove_tap, run, wireside_binary
from wireside_wire import DUT_IP, MODERN, TIME_FACTOR, Wire, pattern

ECHO = 7
MODES = {
    "offload": [],
    "no-offload": ["--no-offload"],
    "busy-poll": ["--busy-poll", "200"],
    "queues": ["--queues", "2"],
    "queues-no-offload": ["--queues", "2", "--no-offload"],
}


@contextlib.contextmanager
def serving(*options):
    """The wire to a `wireside serve`."""
    tap = fresh_tap_name()
    run("ip", "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr", *(["multi_queue"] if "--queues" in options else []))
    run("ip", "link", "set", tap, "txqueuelen", "5000", "up")
    process = subprocess.Popen([wireside_binary(), "serve", "--tap", tap, "--ip", f"{DUT_IP}/24", "--no-acd", *options],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wire = Wire(tap)
    try:
        wire.dut_mac = first_answer(wire, process).src
        yield wire
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10 * TIME_FACTOR)
        assert process.returncode == 0, output.decode()
    finally:
        process.kill()
        process.communicate()
        wire.close()
        remove_tap(tap)


def first_answer(wire, process):
    """The program may take a moment until it holds the device."""
    end = time.monotonic() + 10 * TIME_FACTOR
    while True:
        try:
            return wire.introduce()
        except AssertionError:
            assert process.poll() is None and time.monotonic() < end, "serve does not answer ARP"


@pytest.fixture(scope="module", params=MODES, name="served")
def served_in_each_mode(namespace, request):
    if request.config.getoption("target") == "linux":
        pytest.skip("needs wireside's modes")
    with serving(*MODES[request.param]) as wire:
        yield wire


@pytest.fixture(name="wire")
def fresh_wire(served):
    served.restart()
    return served


@pytest.mark.requirement("MUST-3")
@pytest.mark.parametrize("ts", [False, True], ids=["plain", "ts"])
def test_tcp(wire, ts):
    options = MODERN if ts else "mss 1460"
    ignored = wire.peer(ECHO, options=options)
    ignored.send("S", chksum=1)
    ignored.quiet(0.15)
    peer = wire.peer(ECHO, options=options)
    peer.handshake()
    peer.send("A", b"first")
    peer.expect_data(b"first")
    peer.send("A", ack=peer.ack)
    good = peer.build("A", pattern(1000))
    for place in (14 + 20 + 16, 14 + 20 + 5, 14 + 20 + 40, len(good) - 1):  # checksum, SEQ, near the front, the end
        bad = bytearray(bytes(good))
        bad[place] ^= 0x10
        wire.send(bytes(bad))
    peer.quiet(0.15)
    peer.send("A", pattern(1000))
    peer.expect_data(pattern(1000))


@pytest.mark.requirement("IP-02")
def test_ip_header(wire):
    good = bytes(wire.packet() / ICMP(type=8, id=7, seq=1) / b"alive?")
    for place in range(14, 34):
        if place not in (30, 31, 32, 33):  # to somebody else, it would be dropped anyway
            bad = bytearray(good)
            bad[place] ^= 0x02
            wire.send(bytes(bad))
    wire.expect_none(lambda f: ICMP in f)
    wire.echo_works()


@pytest.mark.requirement("UDP-02")
def test_udp(wire):
    datagram = wire.packet() / UDP(sport=5000, dport=ECHO) / pattern(700)
    bad = bytearray(bytes(datagram))
    bad[-1] ^= 0x80
    wire.send(bytes(bad))
    wire.expect_none(lambda f: UDP in f)
    wire.send(datagram)
    assert wire.expect(lambda f: UDP in f)[UDP].payload.load == pattern(700)


@pytest.mark.requirement("ICMP-04")
def test_icmp(wire):
    good = bytes(wire.packet() / ICMP(type=8, id=7, seq=1) / pattern(300))
    bad = bytearray(good)
    bad[100] ^= 0x01
    wire.send(bytes(bad))
    wire.expect_none(lambda f: ICMP in f)
    wire.send(good)
    assert bytes(wire.expect(lambda f: ICMP in f and IP in f)[ICMP].payload) == pattern(300)
