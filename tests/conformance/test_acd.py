"""Address conflict detection (RFC 5227) at the start of an endpoint and while it runs, with the RFC's own times."""
import signal
import subprocess
import time

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP

from wireside_dut import TIME_FACTOR, Dut
from wireside_lab import make_tap, remove_tap, wireside_binary
from wireside_wire import BROADCAST, DUT_IP, PEER_IP, PEER_MAC, Wire

OTHER_MAC = "02:99:00:00:00:77"
JITTER = 0.15 * TIME_FACTOR  # of two processes on a busy machine


def is_probe(frame):
    return ARP in frame and frame[ARP].op == 1 and frame[ARP].psrc == "0.0.0.0" and frame[ARP].pdst == DUT_IP


def is_announcement(frame):
    return ARP in frame and frame[ARP].op == 1 and frame[ARP].psrc == DUT_IP == frame[ARP].pdst


class Start:
    """An endpoint from its first moment on."""

    def __init__(self, *arguments):
        self.tap = make_tap()
        self.wire = Wire(self.tap)
        self.wire.hosts = {}
        self.process = subprocess.Popen(
            [wireside_binary(), "agent", "--tap", self.tap, "--ip", f"{DUT_IP}/24", "--no-offload", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def frames(self, seconds):
        """(time, frame) of all that comes until then."""
        time.sleep(seconds)
        found = []
        while not self.wire.frames.empty():
            found.append(self.wire.frames.get())
        return found

    def ended(self, within=5):
        """(status, standard error)"""
        _, err = self.process.communicate(timeout=within * TIME_FACTOR)
        return self.process.returncode, err

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.wire.close()
        remove_tap(self.tap)


@pytest.fixture
def start():
    started = []

    def make(*arguments):
        started.append(Start(*arguments))
        return started[-1]

    yield make
    for one in started:
        one.close()


@pytest.mark.requirement("ACD-01", "ACD-02", "ACD-06", "ACD-07", "ACD-10")
def test_probes_then_silence_then_two_announcements_and_no_more(start):
    came = start().frames(7 + 2 + 4 + JITTER)
    probes = [(when, frame) for when, frame in came if is_probe(frame)]
    announcements = [(when, frame) for when, frame in came if is_announcement(frame)]
    assert len(probes) == 3 and len(announcements) == 2 and len(came) == 5, [f.summary() for _, f in came]
    mac = probes[0][1].src
    for _, frame in came:
        assert (frame.dst, frame[ARP].hwsrc, frame[ARP].hwdst) == (BROADCAST, mac, "00:00:00:00:00:00")
    times = [when for when, _ in probes + announcements]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert all(1 - JITTER <= gap <= 2 + JITTER for gap in gaps[:2]), gaps
    assert all(2 - JITTER <= gap <= 2 + JITTER for gap in gaps[2:]), gaps


@pytest.mark.requirement("ACD-03")
@pytest.mark.parametrize("op", [1, 2], ids=["request", "reply"])
def test_a_holder_of_the_address_is_a_conflict(start, op):
    device = start()
    device.wire.expect(is_probe, "a probe", within=3)
    device.wire.send(device.wire.arp(op=op, psrc=DUT_IP, pdst=PEER_IP, hwsrc=OTHER_MAC))
    status, err = device.ended()
    assert status == 1
    assert f"the address {DUT_IP} is already used by {OTHER_MAC}; choose another with --ip" in err
    device.wire.expect_none(is_announcement)


@pytest.mark.requirement("ACD-04")
def test_another_probe_for_the_same_address_is_a_conflict(start):
    device = start()
    device.wire.expect(is_probe, "a probe", within=3)
    device.wire.send(device.wire.arp(psrc="0.0.0.0", pdst=DUT_IP, hwsrc=OTHER_MAC))
    status, err = device.ended()
    assert status == 1 and OTHER_MAC in err


@pytest.mark.requirement("ACD-01", "ACD-04", "ACD-05")
def test_what_is_no_conflict_while_probing(start):
    device = start()
    probe = device.wire.expect(is_probe, "a probe", within=3)
    device.wire.send(bytes(probe))                                          # our own, sent back by the network
    device.wire.send(device.wire.arp(psrc=PEER_IP, pdst=DUT_IP))            # somebody looks for the address
    device.wire.send(device.wire.arp(psrc="0.0.0.0", pdst="10.9.0.3", hwsrc=OTHER_MAC))
    ping = device.wire.packet(dst=DUT_IP)
    ping.dst = probe.src
    device.wire.send(ping)
    # Nothing is answered for an address that is not ours yet.
    device.wire.expect_none(lambda f: IP in f or (ARP in f and f[ARP].op == 2), "an answer", within=1)
    device.wire.expect(is_announcement, "the announcement", within=8)
    assert device.process.poll() is None


@pytest.fixture
def running():
    """Makes devices that use their address at once."""
    devices = []

    def make(*arguments):
        devices.append(Dut(*arguments))
        return devices[-1]

    yield make
    for device in devices:
        device.close(check=False)


def claim(wire):
    wire.send(wire.arp(op=2, psrc=DUT_IP, pdst=DUT_IP, hwsrc=OTHER_MAC))


def settle(device):
    """Lets the announcements of the start go by."""
    time.sleep(2 + 2 * JITTER)
    device.wire.drain()


@pytest.mark.requirement("ACD-08")
def test_the_address_is_defended_once_and_then_given_up(running):
    device = running()
    settle(device)
    listener = device.listen(7000)
    peer = device.wire.peer(7000)
    peer.handshake()
    connection = listener.accept()
    waiting = connection.start("recv", **{"as": "hex"}, timeout_ms=8000)
    claim(device.wire)
    device.wire.expect(is_announcement, "the defence")
    time.sleep(1)
    assert not waiting.done()
    claim(device.wire)
    device.wire.expect_none(is_announcement, "a second defence", within=0.5)
    device.process.wait(5)
    time.sleep(0.1)
    err = "".join(device.stderr)
    assert device.process.returncode == 1 and DUT_IP in err and OTHER_MAC in err
    assert waiting.done() and not waiting.answer["ok"]
    assert waiting.answer["error"] in ("EADDRNOTAVAIL", "EPIPE"), waiting.answer


@pytest.mark.requirement("ACD-08")
def test_the_address_is_given_up_at_once_where_that_is_wanted(running):
    device = running("--on-conflict", "give-up")
    settle(device)
    claim(device.wire)
    assert device.process.wait(5) == 1
    device.wire.expect_none(is_announcement)


@pytest.mark.requirement("ACD-08")
def test_the_address_is_defended_for_ever_where_that_is_wanted(running):
    device = running("--on-conflict", "defend")
    settle(device)
    for _ in range(5):
        claim(device.wire)
        time.sleep(0.2)
    device.wire.expect(is_announcement, "the defence")
    device.wire.expect_none(is_announcement, "a second defence within ten seconds")
    device.wire.introduce(PEER_IP, PEER_MAC)
    device.wire.echo_works()
